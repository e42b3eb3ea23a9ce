//! A stream that goes to a client of the same dialect: each event as it came, watched on its way.
//!
//! Watched for: errors, what is not JSON, the first content, usage, the end. Comments are dropped.
//!
//! A stream is complete when `message_stop` came after a stop reason, also without the blank line that should end it. Everything else
//! is a broken stream: SDKs notice none of it by themselves.
//!
//! Most deltas say the same in other words. Those are recognised and copied; only the others are read.

use super::read::Reader;
use crate::{
    dialects::{
        canonical::{Event, Progress, Usage},
        openai_chat::repeat::Repeat,
    },
    limits::SSE_EVENT_BYTES_MAX,
    sse::{
        split::{self, Splitter},
        write,
    },
};

pub use crate::dialects::openai_chat::pass_through::Verdict;

/// A stream on its way.
pub struct PassThrough {
    splitter: Splitter,
    reader: Reader,
    /// As all that came so far says.
    pub usage: Option<Usage>,
    /// How much text, reasoning and input of tools has come, as it is written.
    pub said_bytes: u64,
    /// Content, a whole block of any kind, or a stop reason has been seen: from here on the answer belongs to this upstream.
    pub has_begun: bool,
    repeat: Repeat,
}

impl Default for PassThrough {
    fn default() -> PassThrough {
        PassThrough::new()
    }
}

impl PassThrough {
    pub fn new() -> PassThrough {
        PassThrough {
            splitter: Splitter::new(SSE_EVENT_BYTES_MAX),
            reader: Reader::default(),
            usage: None,
            said_bytes: 0,
            has_begun: false,
            repeat: Repeat::default(),
        }
    }

    /// Takes the next piece, cut anywhere, and appends what the client gets of it.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Verdict {
        // The feed borrows the splitter; the other fields are changed beside it.
        let PassThrough { splitter, reader, usage, said_bytes, has_begun, repeat } = self;
        let mut feed = splitter.feed(piece);
        loop {
            if feed.is_between_events() {
                let (mut same_events, mut same_bytes) = (0, 0);
                while let Some(bytes) = repeat.recognise(&feed.rest()[same_bytes..]) {
                    same_bytes += bytes;
                    same_events += 1;
                }
                *said_bytes += repeat.said_bytes(same_events, same_bytes);
                out.extend_from_slice(feed.skip_events(same_bytes));
                if feed.rest().is_empty() {
                    return Verdict::More;
                }
            }
            match feed.next() {
                Err(_) => return Verdict::Malformed,
                Ok(None) => return Verdict::More,
                Ok(Some(event)) => {
                    let facts = Facts::of(&event, reader, usage);
                    *has_begun |= facts.has_begun;
                    *said_bytes += facts.said_bytes;
                    match facts.verdict {
                        Verdict::More => append(&event, out),
                        Verdict::Complete => {
                            append(&event, out);
                            return Verdict::Complete;
                        }
                        verdict => return verdict,
                    }
                    if facts.is_plain_content && is_plain(&event) {
                        repeat.learn(event.raw);
                    }
                }
            }
        }
    }

    /// The upstream ended its stream cleanly.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Verdict {
        let PassThrough { splitter, reader, usage, .. } = self;
        let Some(event) = splitter.unfinished_event() else { return Verdict::Truncated };
        if Facts::of(&event, reader, usage).verdict != Verdict::Complete {
            return Verdict::Truncated;
        }
        write::event(out, "message_stop", event.data);
        Verdict::Complete
    }
}

/// What an event says of the stream.
struct Facts {
    verdict: Verdict,
    has_begun: bool,
    said_bytes: u64,
    /// All that it says is said for good when it has been said once: here is content, and the answer goes on.
    is_plain_content: bool,
}

impl Facts {
    fn of(event: &split::Event<'_>, reader: &mut Reader, usage: &mut Option<Usage>) -> Facts {
        // Blocks that have no events of their own count when they are whole.
        let mut has_begun = event.name == b"content_block_stop";
        let (mut is_error, mut has_content, mut said_bytes) = (false, false, 0);
        let progress = reader.frame(event.name, event.data, &mut |told| match told {
            Event::Usage(counted) => *usage = Some(counted),
            Event::Error(_) => is_error = true,
            Event::Start { .. } | Event::End => {}
            Event::Text { .. } | Event::Thinking { .. } | Event::ToolArguments { .. } => {
                has_content = true;
                said_bytes += told.said_bytes();
            }
            _ => has_begun = true,
        });
        let verdict = match progress {
            _ if is_error => Verdict::Error,
            Ok(Progress::More) => Verdict::More,
            Ok(Progress::Complete) => Verdict::Complete,
            // An end without a stop reason: the answer was cut upstream of the provider's own front.
            Err(_) if event.name == b"message_stop" => Verdict::Truncated,
            Err(_) => Verdict::Malformed,
        };
        has_begun |= has_content;
        Facts { verdict, has_begun, said_bytes, is_plain_content: has_content && event.name == b"content_block_delta" }
    }
}

/// A name, one `data` line and the blank line, and nothing about them that has to be written anew.
fn is_plain(event: &split::Event<'_>) -> bool {
    let rest = event.raw.strip_prefix(b"event: ").and_then(|rest| rest.strip_prefix(event.name));
    let rest = rest.and_then(|rest| rest.strip_prefix(b"\ndata: ")).and_then(|rest| rest.strip_prefix(event.data));
    rest == Some(b"\n\n") && memchr::memchr(b'\r', event.raw).is_none()
}

/// As it came, where it came with the line ends that every decoder reads alike; written anew otherwise.
fn append(event: &split::Event<'_>, out: &mut Vec<u8>) {
    if event.raw.ends_with(b"\n\n") && memchr::memchr(b'\r', event.raw).is_none() {
        return event.append_to(out);
    }
    match std::str::from_utf8(event.name) {
        Ok(name) if !name.is_empty() => write::event(out, name, event.data),
        _ => write::data(out, event.data),
    }
}

#[cfg(test)]
mod tests;
