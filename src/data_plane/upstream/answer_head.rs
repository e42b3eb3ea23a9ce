//! What matters of an upstream's answer head, whichever HTTP version brought it.
//!
//! Headers reach the client by an allow-list only: a provider's cookies, alternative services, server names and its own framing
//! stay here. Retry advice is read in every form that providers use, into milliseconds.

use crate::{
    data_plane::field_lines::{FieldLine, append_line, begins_with, is_named},
    dialects::bedrock_converse::classify::ERROR_TYPE_HEADER,
};
use std::borrow::Cow;

/// Status and headers of an answer, read once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnswerHead {
    pub status: u16,
    /// Value of content-type as sent; empty when there was none.
    pub content_type: Cow<'static, [u8]>,
    /// A content-encoding other than identity was used although none was asked for.
    pub encoded: bool,
    pub content_length: Option<u64>,
    /// How long the provider asks to wait, in milliseconds: `retry-after-ms`, else `retry-after`.
    pub retry_after_ms: Option<u64>,
    /// What AWS calls an answer that is no success: `x-amzn-errortype`.
    pub error_name: Option<Box<str>>,
    /// Allowed headers as lines for the client: `name: value\r\n`, names in lower case.
    pub forward: Vec<u8>,
    retry_after_ms_exact: bool,
    media: Media,
}

/// What a content type comes to here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Media {
    Json,
    EventStream,
    Html,
    #[default]
    Other,
}

/// The value of content-type that nearly every answer has.
const JSON: &[u8] = b"application/json";

/// Longest name of an error that is kept, in bytes; an address follows it, behind a colon.
const ERROR_NAME_BYTES_MAX: usize = 128;

/// Bytes of forwarded lines at most.
const FORWARD_BYTES_MAX: usize = 4 * 1024;

/// Room for them that suffices for what providers send, in bytes.
const FORWARD_BYTES_USUAL: usize = 512;

impl AnswerHead {
    pub fn new(status: u16) -> AnswerHead {
        AnswerHead { status, ..AnswerHead::default() }
    }

    /// Becomes the head of another answer, in its place: it is too large to be moved about.
    #[inline]
    pub fn begin(&mut self, status: u16) {
        let mut forward = std::mem::take(&mut self.forward);
        forward.clear();
        *self = AnswerHead { status, forward, ..AnswerHead::default() };
    }

    /// Takes note of one header. Names are tokens, compared without regard to case.
    pub fn header(&mut self, name: &str, value: &[u8]) {
        let name = name.as_bytes();
        let Some(renamed) = self.note(name, || value) else { return };
        let is_clean = value.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f));
        if is_clean && self.make_room(name.len() + value.len()) {
            append_line(&mut self.forward, renamed.prefix, &name[renamed.skipped..], value);
        }
    }

    /// As `header`, for a line of HTTP/1.1.
    #[inline(always)]
    pub fn line(&mut self, line: &FieldLine<'_>) {
        if let Some(renamed) = self.note(line.name(), || line.value())
            && self.make_room(line.line_bytes())
        {
            line.append_to(&mut self.forward, renamed.prefix, renamed.skipped);
        }
    }

    /// Says how a header goes to the client, if it does.
    #[inline(always)]
    fn note<'v>(&mut self, name: &[u8], value: impl Fn() -> &'v [u8]) -> Option<Renamed> {
        match name.len() {
            12 if is_named(name, b"content-type") => {
                let value = value();
                if value == JSON {
                    self.content_type = Cow::Borrowed(JSON);
                    self.media = Media::Json;
                } else {
                    self.content_type = Cow::Owned(value.to_vec());
                    self.media = Media::of(value);
                }
            }
            14 if is_named(name, b"content-length") => self.content_length = digits(value()),
            16 if is_named(name, b"content-encoding") => {
                let value = value();
                self.encoded = !value.is_empty() && !value.eq_ignore_ascii_case(b"identity");
            }
            16 if self.status >= 400 && is_named(name, ERROR_TYPE_HEADER.as_bytes()) => {
                let value = value();
                let end = memchr::memchr(b':', value).unwrap_or(value.len());
                self.error_name = std::str::from_utf8(&value[..end])
                    .ok()
                    .filter(|name| name.len() <= ERROR_NAME_BYTES_MAX)
                    .map(Box::from);
            }
            14 if is_named(name, b"retry-after-ms") => {
                if let Some(ms) = decimal_ms(value(), 1) {
                    self.retry_after_ms = Some(ms);
                    self.retry_after_ms_exact = true;
                }
            }
            11 if is_named(name, b"retry-after") => {
                if !self.retry_after_ms_exact
                    && let Some(ms) = decimal_ms(value(), 1_000)
                {
                    self.retry_after_ms = Some(ms);
                }
            }
            _ => {
                if self.status == 429 && self.retry_after_ms.is_none() && is_reset(name) {
                    self.retry_after_ms = duration_ms(value());
                }
                return forwarded(name);
            }
        }
        None
    }

    fn make_room(&mut self, line_bytes: usize) -> bool {
        if self.forward.capacity() == 0 {
            self.forward.reserve(FORWARD_BYTES_USUAL);
        }
        self.forward.len() + line_bytes + 4 <= FORWARD_BYTES_MAX
    }

    /// True for `application/json` and `application/*+json`, with or without parameters.
    pub fn is_json(&self) -> bool {
        self.media == Media::Json
    }

    pub fn is_event_stream(&self) -> bool {
        self.media == Media::EventStream
    }

    /// An error page of something between us and the provider.
    pub fn is_html(&self) -> bool {
        self.media == Media::Html
    }
}

impl Media {
    fn of(content_type: &[u8]) -> Media {
        let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
        let media = content_type[..end].trim_ascii();
        let is = |other: &[u8]| media.eq_ignore_ascii_case(other);
        if is(b"application/vnd.amazon.eventstream") || is(b"application/x-ndjson") {
            return Media::EventStream;
        }
        if is(JSON) || (media.len() > 5 && media[media.len() - 5..].eq_ignore_ascii_case(b"+json")) {
            Media::Json
        } else if is(b"text/event-stream") {
            Media::EventStream
        } else if is(b"text/html") || is(b"application/xhtml+xml") {
            Media::Html
        } else {
            Media::Other
        }
    }
}

/// How the name of a forwarded header changes on the way.
#[derive(Clone, Copy)]
struct Renamed {
    prefix: &'static [u8],
    /// Bytes of the name that the prefix takes the place of.
    skipped: usize,
}

/// The answer headers that go to the client. Most headers of an answer do not begin like any of them.
#[inline(always)]
fn forwarded(name: &[u8]) -> Option<Renamed> {
    const AS_IT_IS: Renamed = Renamed { prefix: b"", skipped: 0 };
    // The client's request id is ours; the provider's is kept beside it, as x-upstream-request-id.
    const ID: &[u8] = b"x-upstream-request-id";
    let is_allowed = match name.first()? | 0x20 {
        b'x' if begins_with(name, b"x-ratelimit-") => name.len() > b"x-ratelimit-".len(),
        // Cohere's.
        b'x' if begins_with(name, b"x-trial-endpoint-call-") || is_named(name, b"x-endpoint-monthly-call-limit") => {
            true
        }
        b'x' if is_named(name, b"x-request-id") => {
            return Some(Renamed { prefix: b"x-upstream-", skipped: b"x-".len() });
        }
        b'x' if is_named(name, b"x-amzn-requestid") => return Some(Renamed { prefix: ID, skipped: name.len() }),
        b'x' => is_named(name, b"x-should-retry"),
        // Anthropic's.
        b'r' if is_named(name, b"request-id") => return Some(Renamed { prefix: ID, skipped: name.len() }),
        b'a' => begins_with(name, b"anthropic-ratelimit-") && name.len() > b"anthropic-ratelimit-".len(),
        b'o' => begins_with(name, b"openai-") && name.len() > b"openai-".len(),
        b'c' => is_named(name, b"content-disposition") || is_named(name, b"content-language"),
        _ => false,
    };
    is_allowed.then_some(AS_IT_IS)
}

/// Digits only; no sign, no space, no second value.
pub fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 18 {
        return None;
    }
    // Without a branch for each digit: the sum of what are none is not used.
    let (sum, all) = value.iter().map(|byte| byte.wrapping_sub(b'0')).fold((0u64, true), |(sum, all), digit| {
        (sum.wrapping_mul(10).wrapping_add(u64::from(digit)), all & (digit <= 9))
    });
    all.then_some(sum)
}

/// `x-ratelimit-reset-requests`, `-tokens` and their variants: on a 429 without other advice, when the limit is refilled.
fn is_reset(name: &[u8]) -> bool {
    begins_with(name, b"x-ratelimit-reset")
}

/// A duration as OpenAI writes it (`1s`, `6m0s`, `12ms`, `1h2m3.5s`), or plain seconds. Rounded up.
fn duration_ms(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let (mut total_ms, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let (unit_ms, unit_bytes) = match unit {
            "" if digits == text.len() => (1_000.0, 0),
            _ if unit.starts_with("ms") => (1.0, 2),
            _ if unit.starts_with('s') => (1_000.0, 1),
            _ if unit.starts_with('m') => (60_000.0, 1),
            _ if unit.starts_with('h') => (3_600_000.0, 1),
            _ => return None,
        };
        total_ms += number * unit_ms;
        rest = &unit[unit_bytes..];
    }
    (!text.is_empty() && total_ms <= 1e12).then(|| f64::ceil(total_ms) as u64)
}

/// A non-negative decimal number of units of `unit_ms` milliseconds, rounded up. HTTP dates are not used by any provider here and
/// are left alone: a wrong clock would turn them into nonsense.
fn decimal_ms(value: &[u8], unit_ms: u64) -> Option<u64> {
    let number: f64 = std::str::from_utf8(value).ok()?.trim().parse().ok()?;
    (number.is_finite() && (0.0..=1e9).contains(&number)).then(|| (number * unit_ms as f64).ceil() as u64)
}

#[cfg(test)]
mod tests;
