//! A stream that goes to a client of the same dialect: each event as it came, watched on its way.
//!
//! Watched for: errors, the first content, usage, the end. Comments are dropped. Only the events that have the response in them are read, the
//! last one for its usage and all of them for its id, which is the client's own on the way out; of the others the name decides.
//!
//! A stream is complete when `response.completed` or `response.incomplete` came. `response.failed` is passed on, for what it says to the
//! client's own retries, and is a failure. Everything else is a broken stream: SDKs notice none of it by themselves.

use super::{error, rename::Names};
use crate::{
    dialects::{canonical::Usage, estimate::BYTES_PER_TOKEN, openai_chat::stream},
    error::Failure,
    json::scan::{Members, scan},
    limits::SSE_EVENT_BYTES_MAX,
    sse::{
        split::{self, Splitter},
        write,
    },
};

pub use crate::dialects::openai_chat::pass_through::Verdict;

static NONE: Members = Members::last_wins(&[]);

/// A stream on its way.
pub struct PassThrough {
    splitter: Splitter,
    /// As the last event says.
    pub usage: Option<Usage>,
    /// How much has been said, in bytes: each delta is about a token, what it says is not looked at.
    pub said_bytes: u64,
    /// Anything but the announcement of the answer has been seen: from here on it belongs to this upstream.
    pub has_begun: bool,
    /// Events that the client has got.
    events: u64,
    names: Names,
    /// What is repeated of a response that failed ends with that, and has not failed itself.
    is_repeated: bool,
}

impl PassThrough {
    /// `is_repeated`: the stream is that of a response that is kept.
    pub fn new(names: Names, is_repeated: bool) -> PassThrough {
        PassThrough {
            splitter: Splitter::new(SSE_EVENT_BYTES_MAX),
            usage: None,
            said_bytes: 0,
            has_begun: false,
            events: 0,
            names,
            is_repeated,
        }
    }

    /// Takes the next piece, cut anywhere, and appends what the client gets of it.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Verdict {
        // The feed borrows the splitter; the other fields are changed beside it.
        let PassThrough { splitter, usage, said_bytes, has_begun, events, names, is_repeated } = self;
        let mut feed = splitter.feed(piece);
        loop {
            match feed.next() {
                Err(_) => return Verdict::Malformed,
                Ok(None) => return Verdict::More,
                Ok(Some(event)) => {
                    if event.name.ends_with(b".delta") {
                        *said_bytes += BYTES_PER_TOKEN;
                    }
                    let before = out.len();
                    let verdict = take(&event, usage, has_begun, names, *is_repeated, out);
                    *events += u64::from(out.len() > before);
                    if verdict != Verdict::More {
                        return verdict;
                    }
                }
            }
        }
    }

    /// The upstream ended its stream cleanly.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Verdict {
        let PassThrough { splitter, usage, has_begun, names, is_repeated, .. } = self;
        // Some servers leave the last blank line out.
        match splitter.unfinished_event().map(|event| take(&event, usage, has_begun, names, *is_repeated, out)) {
            Some(verdict @ (Verdict::Complete | Verdict::Error)) => verdict,
            _ => Verdict::Truncated,
        }
    }

    /// Appends a failure that ends the stream.
    pub fn fail(&self, failure: &Failure, out: &mut Vec<u8>) {
        error::write_numbered(failure, self.events, out);
    }
}

fn take(
    event: &split::Event<'_>,
    usage: &mut Option<Usage>,
    has_begun: &mut bool,
    names: &mut Names,
    is_repeated: bool,
    out: &mut Vec<u8>,
) -> Verdict {
    match kind(event) {
        b"response.completed" | b"response.incomplete" => {
            if scan(&NONE, event.data).is_err() {
                return Verdict::Malformed;
            }
            *usage = stream::usage_of_event(event.data).map(|usage| usage.disjoint()).or(*usage);
            *has_begun = true;
            append_named(event, names, out);
            Verdict::Complete
        }
        b"response.failed" if is_repeated => {
            append_named(event, names, out);
            Verdict::Complete
        }
        b"response.failed" => {
            if *has_begun {
                append_named(event, names, out);
            }
            Verdict::Error
        }
        b"error" => Verdict::Error,
        b"response.created" | b"response.in_progress" | b"response.queued" => {
            append_named(event, names, out);
            Verdict::More
        }
        _ => {
            *has_begun = true;
            // A marker of servers that have the other API too, which the clients of this one would take for an event.
            if !event.data.starts_with(b"[DONE]") {
                append(event, out);
            }
            Verdict::More
        }
    }
}

/// The event's name, which its data repeats; some servers leave the one or the other out.
fn kind<'e>(event: &split::Event<'e>) -> &'e [u8] {
    if !event.name.is_empty() {
        return event.name;
    }
    let Some(rest) = event.data.strip_prefix(br#"{"type":"#) else { return b"" };
    let rest = rest.trim_ascii_start().strip_prefix(b"\"").unwrap_or_default();
    &rest[..memchr::memchr(b'"', rest).unwrap_or_default()]
}

/// Appends an event that has the response in it.
fn append_named(event: &split::Event<'_>, names: &mut Names, out: &mut Vec<u8>) {
    match names.event(event.data) {
        Some(data) => append_anew(event.name, &data, out),
        None => append(event, out),
    }
}

fn append(event: &split::Event<'_>, out: &mut Vec<u8>) {
    if event.raw.ends_with(b"\n\n") && memchr::memchr(b'\r', event.raw).is_none() {
        return event.append_to(out);
    }
    append_anew(event.name, event.data, out);
}

fn append_anew(name: &[u8], data: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(name) {
        Ok(name) if !name.is_empty() => write::event(out, name, data),
        _ => write::data(out, data),
    }
}

#[cfg(test)]
mod tests;
