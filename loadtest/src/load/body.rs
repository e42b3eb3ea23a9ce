//! Reads the body of one answer, whichever way it was framed: its length, and of an event stream the number of its events,
//! the moment of its first content and whether its end marker came.
//!
//! The first content is the first piece of text, reasoning or tool call that a reader could act on, and not the opening of
//! a message. Events may be cut at any byte and may end in either kind of line end.

use memchr::{memchr_iter, memmem};

use super::chunks::Chunks;
use super::options::Dialect;
use super::report::Fidelity;

/// What a piece of a body brought.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// Events whose end came with it.
    pub events: u64,
    /// The first content came with it.
    pub first_content: bool,
}

#[derive(Debug)]
pub(super) struct Body {
    dialect: Dialect,
    is_stream: bool,
    /// The beginning of a stream, until its first content has come.
    opening: Vec<u8>,
    content_seen: bool,
    /// At least the last `TAIL_BYTES` of the body.
    tail: Vec<u8>,
    /// What has come of the line that has not ended is nothing, or half a line end.
    line_is_blank: bool,
    /// A line that is not blank has come since the last event.
    has_field: bool,
    chunks: Option<Chunks>,
    pub bytes: u64,
}

/// Bytes of a stream's beginning that are searched for content. A role chunk and a first content chunk have far less.
const OPENING_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a stream's end in which its end marker is looked for. Gemini's is followed by ratings and usage.
const TAIL_BYTES: usize = 2 * 1024;

impl Body {
    pub fn new(dialect: Dialect, check_chunks: bool) -> Self {
        Self {
            dialect,
            is_stream: false,
            opening: Vec::new(),
            content_seen: false,
            tail: Vec::new(),
            line_is_blank: true,
            has_field: false,
            chunks: check_chunks.then(Chunks::default),
            bytes: 0,
        }
    }

    /// Forgets everything but its buffers.
    pub fn clear(&mut self) {
        self.is_stream = false;
        self.opening.clear();
        self.content_seen = false;
        self.tail.clear();
        self.line_is_blank = true;
        self.has_field = false;
        if let Some(chunks) = &mut self.chunks {
            chunks.clear();
        }
        self.bytes = 0;
    }

    pub fn set_stream(&mut self) {
        self.is_stream = true;
    }

    /// Whether it is an event stream whose end marker has come, or no stream.
    pub fn is_complete(&self) -> bool {
        if !self.is_stream {
            return true;
        }
        let tail = self.tail.trim_ascii_end();
        match self.dialect {
            Dialect::OpenAiChat | Dialect::OpenAiEmbeddings => {
                tail.ends_with(b"data: [DONE]") || tail.ends_with(b"data:[DONE]")
            }
            Dialect::Anthropic => memmem::find(tail, b"\"message_stop\"").is_some(),
            // It has no marker of its own: the last event says why the model stopped.
            Dialect::Gemini => memmem::find(tail, b"\"finishReason\"").is_some(),
        }
    }

    /// Of a stream that has ended, if its chunks are numbered.
    pub fn fidelity(&mut self) -> Option<Fidelity> {
        if self.is_stream { self.chunks.as_mut().map(Chunks::finish) } else { None }
    }

    pub fn feed(&mut self, piece: &[u8]) -> Progress {
        self.bytes += piece.len() as u64;
        if !self.is_stream || piece.is_empty() {
            return Progress::default();
        }
        let mut progress = Progress { events: self.events_of(piece), first_content: false };
        if !self.content_seen && self.opening.len() < OPENING_BYTES_MAX {
            self.opening.extend_from_slice(piece);
            self.content_seen = has_content(self.dialect, &self.opening);
            progress.first_content = self.content_seen;
        }
        if let Some(chunks) = &mut self.chunks {
            chunks.feed(piece);
        }
        self.keep_tail(piece);
        progress
    }

    /// An event ends with an empty line after one that is not.
    fn events_of(&mut self, piece: &[u8]) -> u64 {
        let mut events = 0;
        let mut begin = 0;
        for end in memchr_iter(b'\n', piece) {
            if self.line_is_blank && is_blank(&piece[begin..end]) {
                events += u64::from(self.has_field);
                self.has_field = false;
            } else {
                self.has_field = true;
            }
            self.line_is_blank = true;
            begin = end + 1;
        }
        self.line_is_blank &= is_blank(&piece[begin..]);
        events
    }

    fn keep_tail(&mut self, piece: &[u8]) {
        if piece.len() >= TAIL_BYTES {
            self.tail.clear();
            self.tail.extend_from_slice(&piece[piece.len() - TAIL_BYTES..]);
            return;
        }
        // Moved once in a while, and not for each piece.
        if self.tail.len() + piece.len() > 4 * TAIL_BYTES {
            let surplus = self.tail.len().saturating_sub(TAIL_BYTES);
            self.tail.drain(..surplus);
        }
        self.tail.extend_from_slice(piece);
    }
}

fn is_blank(line: &[u8]) -> bool {
    matches!(line, [] | [b'\r'])
}

fn has_content(dialect: Dialect, opening: &[u8]) -> bool {
    match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiEmbeddings => {
            const TEXTS: &[&[u8]] = &[b"\"content\"", b"\"reasoning_content\"", b"\"reasoning\"", b"\"delta\""];
            TEXTS.iter().any(|name| has_text(opening, name)) || has_list(opening, b"\"tool_calls\"")
        }
        Dialect::Anthropic => {
            const TEXTS: &[&[u8]] = &[b"\"text\"", b"\"thinking\"", b"\"partial_json\""];
            memmem::find(opening, b"\"content_block_delta\"")
                .is_some_and(|first| TEXTS.iter().any(|name| has_text(&opening[first..], name)))
        }
        Dialect::Gemini => has_text(opening, b"\"text\"") || memmem::find(opening, b"\"functionCall\"").is_some(),
    }
}

/// Whether a member of this name is a string that is not empty.
fn has_text(json: &[u8], name: &[u8]) -> bool {
    memmem::find_iter(json, name).any(|at| match value(&json[at + name.len()..]) {
        Some([b'"', first, ..]) => *first != b'"',
        _ => false,
    })
}

/// Whether a member of this name is a list that is not empty.
fn has_list(json: &[u8], name: &[u8]) -> bool {
    memmem::find_iter(json, name).any(|at| match value(&json[at + name.len()..]) {
        Some([b'[', inner @ ..]) => inner.trim_ascii_start().first().is_some_and(|first| *first != b']'),
        _ => false,
    })
}

/// What follows a member's name and its colon.
fn value(after_name: &[u8]) -> Option<&[u8]> {
    Some(after_name.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start())
}

#[cfg(test)]
mod tests;
