//! A stream that goes to a client of the same dialect: each event as it came, watched on its way.
//!
//! Watched for: errors, what is not JSON, the first content, the finish reason, usage, the end marker. Changed: comments are
//! dropped, and so is the usage chunk of a client that did not ask for it (we did, to account for the answer).
//!
//! A stream is complete when its end marker came, or when it ended cleanly after a finish reason (some servers send no marker;
//! it is added then). Everything else is a broken stream: SDKs notice none of it by themselves.
//!
//! Most chunks say the same in other words. Those are recognised (see `repeat`) and copied; only the others are read.
//!
//! Streams of other endpoints than chat and completions (images, speech) have event names and no end marker; they are cut
//! into events, of which only those with usage are read, and end where they end.

use super::{
    repeat::Repeat,
    stream::{self, ChunkFacts},
    usage::Usage,
};
use crate::{
    dialects::estimate::BYTES_PER_TOKEN,
    limits::SSE_EVENT_BYTES_MAX,
    sse::{
        split::{Event, Splitter},
        write::{self, DONE},
    },
};
use memchr::memmem;

/// A stream on its way.
pub struct PassThrough {
    splitter: Splitter,
    /// The events are chunks of a chat or of a completion.
    chunks: bool,
    /// The client asked for the usage chunk itself.
    usage_asked: bool,
    /// As the last usage that came said.
    pub usage: Option<Usage>,
    /// How much text, reasoning and input of tools has come, as it is written.
    pub said_bytes: u64,
    /// Content, reasoning, a tool call, or an end has been seen: from here on the answer belongs to this upstream.
    pub has_begun: bool,
    finished: bool,
    repeat: Repeat,
}

/// How a stream stands after a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    More,
    /// It is complete; what follows is of no interest.
    Complete,
    /// The upstream reported an error as an event. It was not written: its text may repeat a credential, and its code need not be
    /// a string.
    Error,
    /// An event is not what the dialect sends; it was not written.
    Malformed,
    /// It ended before its end.
    Truncated,
}

impl PassThrough {
    pub fn new(chunks: bool, usage_asked: bool) -> PassThrough {
        PassThrough {
            splitter: Splitter::new(SSE_EVENT_BYTES_MAX),
            chunks,
            usage_asked,
            usage: None,
            said_bytes: 0,
            has_begun: false,
            finished: false,
            repeat: Repeat::default(),
        }
    }

    /// Takes the next piece, cut anywhere, and appends what the client gets of it.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Verdict {
        // The feed borrows the splitter; the other fields are changed beside it.
        let PassThrough { splitter, chunks, usage_asked, usage, said_bytes, has_begun, finished, repeat } = self;
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
                Ok(Some(event)) if *chunks => {
                    let Ok(facts) = stream::classify(event.data) else { return Verdict::Malformed };
                    *said_bytes += facts.said_bytes as u64;
                    *usage = facts.usage.or(*usage);
                    *has_begun |= facts.has_content() || facts.finish_reason.is_some();
                    let verdict = chunk(&event, &facts, *usage_asked, finished, repeat, out);
                    if verdict != Verdict::More {
                        return verdict;
                    }
                }
                Ok(Some(event)) => {
                    *has_begun = true;
                    if event.name.ends_with(b".delta") {
                        // About a token each; what they say is not looked at.
                        *said_bytes += BYTES_PER_TOKEN;
                    } else if memmem::find(event.data, b"\"usage\"").is_some() {
                        *usage = stream::usage_of_event(event.data).or(*usage);
                    }
                    append(&event, out);
                }
            }
        }
    }

    /// The upstream ended its stream cleanly.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Verdict {
        if !self.chunks {
            return if self.splitter.residue().is_empty() { Verdict::Complete } else { Verdict::Truncated };
        }
        let marked = self.splitter.unfinished_event().is_some_and(|event| event.data.starts_with(b"[DONE]"));
        if self.finished && (marked || self.splitter.residue().is_empty()) {
            out.extend_from_slice(DONE);
            return Verdict::Complete;
        }
        Verdict::Truncated
    }
}

#[inline(always)]
fn chunk(
    event: &Event<'_>,
    facts: &ChunkFacts,
    usage_asked: bool,
    finished: &mut bool,
    repeat: &mut Repeat,
    out: &mut Vec<u8>,
) -> Verdict {
    if facts.is_done {
        // An end marker without a finish reason: the answer was cut upstream of the provider's own front.
        if !*finished {
            return Verdict::Truncated;
        }
        append(event, out);
        return Verdict::Complete;
    }
    if facts.error.is_some() {
        return Verdict::Error;
    }
    *finished |= facts.finish_reason.is_some();
    if usage_asked || !facts.is_usage_only() {
        append(event, out);
    }
    if is_plain_content(facts) && is_plain(event) {
        repeat.learn(event.raw);
    }
    Verdict::More
}

/// All that the chunk says is said for good when it has been said once: here is content, and the answer goes on.
fn is_plain_content(facts: &ChunkFacts) -> bool {
    facts.has_content() && facts.usage.is_none() && facts.finish_reason.is_none()
}

/// One `data` line and the blank line, and nothing about them that has to be written anew.
fn is_plain(event: &Event<'_>) -> bool {
    event.raw.len() == b"data: ".len() + event.data.len() + b"\n\n".len()
        && event.raw.starts_with(b"data: ")
        && event.raw.ends_with(b"\n\n")
        && memchr::memchr(b'\r', event.raw).is_none()
}

/// As it came, where it came with the line ends that every decoder reads alike. Official SDKs cut at LF LF, CR CR or CRLF CRLF,
/// which a blank line cut between CR and LF does not show; such events are written anew.
fn append(event: &Event<'_>, out: &mut Vec<u8>) {
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
