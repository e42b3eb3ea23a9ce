//! Anthropic's events out of AWS's frames, as `InvokeModelWithResponseStream` sends them.
//!
//! A frame is a [`Message`]; one whose event is `chunk` has the payload `{"bytes":"..."}`, in base64 an event of
//! Anthropic's as JSON, whose `type` is its name. Padding beside it (`p`) means nothing. Exceptions end the stream: they are told as an event
//! `error` in Anthropic's form.
//!
//! Two doors: [`Unframer::feed`] hands out names and data for a reader, [`PassThrough`] goes on to write server-sent events for clients that
//! speak the same API, watched as if they had come like that. What a frame says is decoded into one buffer, which is used again: nothing
//! is allocated for a chunk.

use super::super::pass_through;
use crate::{
    dialects::{
        bedrock_converse::{
            classify,
            event_stream::{Kind, Message, Splitter},
        },
        canonical::{ErrorClass, ProviderError, Usage},
        gemini::base64,
        openai_chat::pass_through::Verdict,
    },
    json::{
        Kind as JsonKind,
        scan::{self, Members},
        strings,
    },
    limits::SSE_EVENT_BYTES_MAX,
    sse::write,
};

/// A stream of frames on its way to a client of Anthropic's API.
#[derive(Default)]
pub struct PassThrough {
    frames: Unframer,
    inner: pass_through::PassThrough,
    /// One frame's event as a server would send it.
    text: Vec<u8>,
}

impl PassThrough {
    pub fn usage(&self) -> Option<Usage> {
        self.inner.usage
    }

    pub fn said_bytes(&self) -> u64 {
        self.inner.said_bytes
    }

    pub fn has_begun(&self) -> bool {
        self.inner.has_begun
    }

    /// Takes the next piece, cut anywhere, and appends what the client gets of it.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Verdict {
        let PassThrough { frames, inner, text } = self;
        frames.feed(piece, |name, data| {
            text.clear();
            match name {
                "" => write::data(text, data),
                name => write::event(text, name, data),
            }
            inner.feed(text, out)
        })
    }

    /// The upstream ended its stream cleanly.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Verdict {
        if self.frames.is_between_frames() { self.inner.end(out) } else { Verdict::Truncated }
    }
}

/// Cuts a stream into Anthropic's events.
pub struct Unframer {
    splitter: Splitter,
    /// What the present frame says, decoded.
    event: Vec<u8>,
}

impl Default for Unframer {
    fn default() -> Unframer {
        Unframer { splitter: Splitter::new(SSE_EVENT_BYTES_MAX), event: Vec::new() }
    }
}

impl Unframer {
    /// Takes the next piece, cut anywhere, and hands out the name and the data of each event, until one is met with another verdict than
    /// that more is to come.
    pub fn feed(&mut self, piece: &[u8], mut take: impl FnMut(&str, &[u8]) -> Verdict) -> Verdict {
        let Unframer { splitter, event } = self;
        let mut feed = splitter.feed(piece);
        loop {
            let verdict = match feed.next() {
                Err(_) => Verdict::Malformed,
                Ok(None) => return Verdict::More,
                Ok(Some(message)) => {
                    event.clear();
                    match read(&message, event) {
                        Read::Event(name) => take(name, event),
                        Read::Error => take("error", event),
                        Read::Nothing => Verdict::More,
                        Read::Malformed => Verdict::Malformed,
                    }
                }
            };
            if verdict != Verdict::More {
                return verdict;
            }
        }
    }

    /// True where a stream may end.
    pub fn is_between_frames(&self) -> bool {
        self.splitter.is_between_messages()
    }
}

enum Read {
    /// An event of this name is in the buffer.
    Event(&'static str),
    /// An error is, in Anthropic's form.
    Error,
    /// A kind of frame that was added since.
    Nothing,
    Malformed,
}

/// Reads a frame into `event`, which is empty.
fn read(message: &Message<'_>, event: &mut Vec<u8>) -> Read {
    match message.kind() {
        Kind::Event("chunk") => match chunk(message.payload, event) {
            Some(name) => Read::Event(name),
            None => Read::Malformed,
        },
        Kind::Exception(name) => {
            write_error(&classify::classify_named(200, name, message.payload), event);
            Read::Error
        }
        Kind::Error { code, message } => {
            write_error(&classify::of_code(code, message), event);
            Read::Error
        }
        Kind::Event(_) | Kind::Unknown => Read::Nothing,
    }
}

static PAYLOAD: Members = Members::last_wins(&["bytes"]);
static EVENT: Members = Members::last_wins(&["type"]);

/// Decodes a chunk's event; its name. `None` if it is none.
fn chunk(payload: &[u8], event: &mut Vec<u8>) -> Option<&'static str> {
    /// All that there are. Others are handed on without a name, which readers take from the data.
    const NAMES: &[&str] = &[
        "content_block_delta",
        "content_block_start",
        "content_block_stop",
        "message_start",
        "message_delta",
        "message_stop",
        "ping",
        "error",
    ];
    let scan = scan::scan(&PAYLOAD, payload).ok()?;
    let bytes = scan.member(0).filter(|bytes| bytes.kind == JsonKind::String)?;
    base64::decode_into(strings::decode(bytes.value.of(payload))?.as_bytes(), event)?;
    let scan = scan::scan(&EVENT, event).ok()?;
    let kind = scan.member(0).filter(|kind| kind.kind == JsonKind::String)?;
    let kind = kind.value.of(event);
    let kind = kind.get(1..kind.len().checked_sub(1)?)?;
    Some(NAMES.iter().find(|name| name.as_bytes() == kind).copied().unwrap_or_default())
}

fn write_error(error: &ProviderError<'_>, event: &mut Vec<u8>) {
    let kind = match error.class {
        ErrorClass::Credential => "permission_error",
        ErrorClass::NotFound => "not_found_error",
        ErrorClass::RateLimited | ErrorClass::Quota => "rate_limit_error",
        ErrorClass::Overloaded => "overloaded_error",
        ErrorClass::TooLarge => "request_too_large",
        ErrorClass::Timeout => "timeout_error",
        ErrorClass::Server => "api_error",
        ErrorClass::InvalidRequest
        | ErrorClass::Unsupported
        | ErrorClass::ContentPolicy
        | ErrorClass::ContextLength => "invalid_request_error",
    };
    event.extend_from_slice(br#"{"type":"error","error":{"type":""#);
    event.extend_from_slice(kind.as_bytes());
    event.extend_from_slice(br#"","message":""#);
    error.message.append_escaped(event);
    event.extend_from_slice(br#""}}"#);
}

#[cfg(test)]
mod tests;
