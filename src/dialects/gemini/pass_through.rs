//! A stream that goes to a client of the same dialect: each increment as it came, watched on its way.
//!
//! Watched for: errors, what is not JSON, the first content, finish reasons, refused prompts, usage. Changed: comments are dropped,
//! and for a client that did not ask for events (`alt=sse`) the increments become the array that it expects; the upstream is
//! always asked for events.
//!
//! There is no end marker. A stream is complete when it ended cleanly after each of its candidates had a finish reason, or the prompt
//! was refused; every other end is a broken stream. A call that the model botched before anything else came is a failure, so that
//! another deployment may be tried; later it is passed on, and the client sees it by its reason.

use super::answer::Answer;
use super::classify;
use super::error;
use super::render::Form;
use crate::dialects::canonical::Usage;
use crate::error::Failure;
use crate::limits::SSE_EVENT_BYTES_MAX;
use crate::sse::split::{Event, Splitter};
use crate::sse::write;

pub use crate::dialects::openai_chat::pass_through::Verdict;

/// A stream on its way.
pub struct PassThrough {
    splitter: Splitter,
    watch: Watch,
    /// As the last usage that came said.
    pub usage: Option<Usage>,
    /// How much text, reasoning and input of tools has come, as it is written.
    pub said_bytes: u64,
    /// Content or an end has been seen: from here on the answer belongs to this upstream.
    pub has_begun: bool,
}

/// What is known of the stream so far.
struct Watch {
    form: Form,
    /// Something was written.
    has_written: bool,
    candidates: u128,
    ended: u128,
    is_blocked: bool,
}

impl PassThrough {
    pub fn new(form: Form) -> PassThrough {
        PassThrough {
            splitter: Splitter::new(SSE_EVENT_BYTES_MAX),
            watch: Watch { form, has_written: false, candidates: 0, ended: 0, is_blocked: false },
            usage: None,
            said_bytes: 0,
            has_begun: false,
        }
    }

    /// Takes the next piece, cut anywhere, and appends what the client gets of it.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Verdict {
        // The feed borrows the splitter; the other fields are changed beside it.
        let PassThrough { splitter, watch, usage, said_bytes, has_begun } = self;
        let mut feed = splitter.feed(piece);
        loop {
            match feed.next() {
                Err(_) => return Verdict::Malformed,
                Ok(None) => return Verdict::More,
                Ok(Some(event)) => {
                    let verdict = watch.increment(&event, usage, said_bytes, has_begun, out);
                    if verdict != Verdict::More {
                        return verdict;
                    }
                }
            }
        }
    }

    /// The upstream ended its stream cleanly.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Verdict {
        let PassThrough { splitter, watch, usage, said_bytes, has_begun } = self;
        // Some servers leave out the blank line after the last event.
        if !splitter.residue().is_empty()
            && let Some(event) = splitter.unfinished_event()
        {
            let mut written = Vec::new();
            match watch.increment(&event, usage, said_bytes, has_begun, &mut written) {
                Verdict::More => {
                    out.extend_from_slice(&written);
                    if watch.form == Form::Events && !out.ends_with(b"\n\n") {
                        out.extend_from_slice(if out.ends_with(b"\n") { b"\n" } else { b"\n\n" });
                    }
                }
                // Half an increment is no increment.
                Verdict::Malformed => return Verdict::Truncated,
                verdict => return verdict,
            }
        }
        if !watch.is_over() {
            return Verdict::Truncated;
        }
        if watch.form == Form::Array {
            out.push(b']');
        }
        Verdict::Complete
    }

    /// Appends a failure, which ends the stream that was begun.
    pub fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        match self.watch.form {
            Form::Events => error::write_event(failure, out),
            Form::Array => {
                self.watch.separate(out);
                error::write_body(failure, out);
                out.push(b']');
            }
        }
    }
}

impl Watch {
    fn increment(
        &mut self,
        event: &Event<'_>,
        usage: &mut Option<Usage>,
        said_bytes: &mut u64,
        has_begun: &mut bool,
        out: &mut Vec<u8>,
    ) -> Verdict {
        let Ok(answer) = Answer::read(event.data) else {
            // Errors come as an array of one, too.
            return if classify::error_in(event.data).is_some() { Verdict::Error } else { Verdict::Malformed };
        };
        if answer.error.is_some() || (answer.is_failure && !*has_begun) {
            return Verdict::Error;
        }
        *usage = answer.usage.or(*usage);
        *said_bytes += answer.said_bytes;
        *has_begun |= answer.has_content || answer.ended != 0 || answer.is_blocked;
        self.candidates |= answer.candidates;
        self.ended |= answer.ended;
        self.is_blocked |= answer.is_blocked;
        match self.form {
            Form::Events => append(event, out),
            Form::Array => {
                self.separate(out);
                out.extend_from_slice(event.data);
            }
        }
        Verdict::More
    }

    fn separate(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(if std::mem::replace(&mut self.has_written, true) { b",\n" } else { b"[" });
    }

    fn is_over(&self) -> bool {
        self.is_blocked || (self.candidates != 0 && self.candidates == self.ended)
    }
}

/// As it came, where it came with the line ends that every decoder reads alike; see `openai_chat::pass_through`.
fn append(event: &Event<'_>, out: &mut Vec<u8>) {
    if memchr::memchr(b'\r', event.raw).is_some() {
        return write::data(out, event.data);
    }
    event.append_to(out);
}

#[cfg(test)]
mod tests;
