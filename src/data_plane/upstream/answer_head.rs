//! What matters of an upstream's answer head, whichever HTTP version brought it.
//!
//! Headers reach the client by an allow-list only: a provider's cookies, alternative services, server names and its own framing
//! stay here. Retry advice is read in every form that providers use, into milliseconds.

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

/// Answer headers that go to the client (lower case). Prefixes end with `*`.
const FORWARDED: &[&str] =
    &["x-request-id", "openai-*", "x-ratelimit-*", "content-disposition", "content-language", "x-should-retry"];

/// Bytes of forwarded lines at most.
const FORWARD_BYTES_MAX: usize = 4 * 1024;

/// Room for them that suffices for what providers send, in bytes.
const FORWARD_BYTES_USUAL: usize = 256;

impl AnswerHead {
    pub fn new(status: u16) -> AnswerHead {
        AnswerHead { status, ..AnswerHead::default() }
    }

    /// Takes note of one header. Names are compared without regard to case.
    pub fn header(&mut self, name: &str, value: &[u8]) {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name.len() {
            12 if is("content-type") && value == JSON => {
                self.content_type = Cow::Borrowed(JSON);
                self.media = Media::Json;
            }
            12 if is("content-type") => {
                self.content_type = Cow::Owned(value.to_vec());
                self.media = Media::of(value);
            }
            14 if is("content-length") => self.content_length = digits(value),
            16 if is("content-encoding") => {
                self.encoded = !value.is_empty() && !value.eq_ignore_ascii_case(b"identity")
            }
            14 if is("retry-after-ms") => {
                if let Some(ms) = decimal_ms(value, 1) {
                    self.retry_after_ms = Some(ms);
                    self.retry_after_ms_exact = true;
                }
            }
            _ if self.status == 429 && self.retry_after_ms.is_none() && is_reset(name) => {
                self.retry_after_ms = duration_ms(value);
                self.forward_line(name, value);
            }
            11 if is("retry-after") && !self.retry_after_ms_exact => {
                if let Some(ms) = decimal_ms(value, 1_000) {
                    self.retry_after_ms = Some(ms);
                }
            }
            _ if is_forwarded(name) => self.forward_line(name, value),
            _ => {}
        }
    }

    fn forward_line(&mut self, name: &str, value: &[u8]) {
        // Without a way out of the loop, so that it is vectorised.
        let clean = value.iter().fold(true, |clean, &byte| clean & (byte == b'\t' || (byte >= b' ' && byte != 0x7f)));
        if !clean || self.forward.len() + name.len() + value.len() + 4 > FORWARD_BYTES_MAX {
            return;
        }
        if self.forward.capacity() == 0 {
            self.forward.reserve(FORWARD_BYTES_USUAL);
        }
        // The client's x-request-id is ours; the provider's is kept beside it.
        if name.eq_ignore_ascii_case("x-request-id") {
            self.forward.extend_from_slice(b"x-upstream-request-id");
        } else {
            let start = self.forward.len();
            self.forward.extend_from_slice(name.as_bytes());
            self.forward[start..].make_ascii_lowercase();
        }
        self.forward.extend_from_slice(b": ");
        self.forward.extend_from_slice(value);
        self.forward.extend_from_slice(b"\r\n");
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

/// True for the headers of `FORWARDED`. Most headers of an answer do not begin like any of them.
fn is_forwarded(name: &str) -> bool {
    let first = name.as_bytes().first().map(u8::to_ascii_lowercase);
    FORWARDED.iter().any(|allowed| allowed.as_bytes().first() == first.as_ref() && matches(allowed, name))
}

fn matches(allowed: &str, name: &str) -> bool {
    match allowed.strip_suffix('*') {
        Some(prefix) => {
            name.len() > prefix.len() && name.as_bytes()[..prefix.len()].eq_ignore_ascii_case(prefix.as_bytes())
        }
        None => name.eq_ignore_ascii_case(allowed),
    }
}

/// Digits only; no sign, no space, no second value.
pub fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 18 {
        return None;
    }
    value.iter().try_fold(0u64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

/// `x-ratelimit-reset-requests`, `-tokens` and their variants: on a 429 without other advice, when the limit is refilled.
fn is_reset(name: &str) -> bool {
    const PREFIX: &str = "x-ratelimit-reset";
    name.len() >= PREFIX.len() && name.as_bytes()[..PREFIX.len()].eq_ignore_ascii_case(PREFIX.as_bytes())
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
