//! Reads one HTTP/1.1 answer from the bytes of a socket, keeping as little as possible: its status, its framing, and what `body`
//! keeps of the rest. Lines may be cut by the end of a read at any byte.

use memchr::{memchr, memchr_iter};

use super::body::{self, Body};

/// What a piece of input brought.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// Bytes of the input that belong to this answer.
    pub consumed: usize,
    /// What came of its body.
    pub brought: body::Progress,
    pub done: bool,
}

/// An answer that no client could read. The peer causes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

#[derive(Debug)]
pub(super) struct Answer {
    state: State,
    /// The beginning of a line or head whose end has not come.
    partial: Vec<u8>,
    pub status: u16,
    pub closes: bool,
    pub body: Body,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Length(usize),
    UntilClose,
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    Trailer,
    Done,
}

const PARTIAL_BYTES_MAX: usize = 256 * 1024;

impl Answer {
    pub fn new(body: Body) -> Self {
        Self { state: State::Head, partial: Vec::new(), status: 0, closes: false, body }
    }

    /// Forgets everything but its buffers.
    pub fn clear(&mut self) {
        self.state = State::Head;
        self.partial.clear();
        self.status = 0;
        self.closes = false;
        self.body.clear();
    }

    /// Whether any byte of it has come.
    pub fn has_begun(&self) -> bool {
        self.state != State::Head || !self.partial.is_empty()
    }

    /// Whether the connection's end is this answer's end.
    pub fn ends_with_connection(&self) -> bool {
        self.state == State::UntilClose
    }

    pub fn feed(&mut self, input: &[u8]) -> Result<Progress, Malformed> {
        let mut progress = Progress::default();
        while self.state != State::Done && progress.consumed < input.len() {
            let rest = &input[progress.consumed..];
            progress.consumed += match self.state {
                State::Head => self.head(rest)?,
                State::Length(left) => {
                    let now = left.min(rest.len());
                    self.body(&rest[..now], &mut progress);
                    self.state = if now == left { State::Done } else { State::Length(left - now) };
                    now
                }
                State::UntilClose => {
                    self.body(rest, &mut progress);
                    rest.len()
                }
                State::Chunk(left) => {
                    let now = left.min(rest.len());
                    self.body(&rest[..now], &mut progress);
                    self.state = if now == left { State::ChunkEnd } else { State::Chunk(left - now) };
                    now
                }
                State::ChunkSize | State::ChunkEnd | State::Trailer => self.line(rest)?,
                State::Done => 0,
            };
        }
        progress.done = self.state == State::Done;
        Ok(progress)
    }

    fn head(&mut self, input: &[u8]) -> Result<usize, Malformed> {
        if self.partial.is_empty()
            && let Some(end) = self.parse_head(input)?
        {
            return Ok(end);
        }
        let before = self.partial.len();
        let mut head = std::mem::take(&mut self.partial);
        head.extend_from_slice(input);
        let end = self.parse_head(&head)?;
        if end.is_some() {
            // Its room is used again.
            head.clear();
        }
        self.partial = head;
        match end {
            Some(end) => Ok(end - before),
            None if self.partial.len() > PARTIAL_BYTES_MAX => Err(Malformed),
            None => Ok(input.len()),
        }
    }

    /// Where the body begins, if the head has come whole; nothing is kept of one that has not.
    fn parse_head(&mut self, input: &[u8]) -> Result<Option<usize>, Malformed> {
        let (mut status, mut length, mut chunked, mut closes, mut is_stream) = (None, None, false, false, false);
        let mut begin = 0;
        for end in memchr_iter(b'\n', input) {
            let line = &input[begin..end];
            begin = end + 1;
            let Some(found) = status else {
                let digits = line.get(9..12).filter(|_| line.starts_with(b"HTTP/1."));
                status = Some(digits.and_then(number).ok_or(Malformed)?);
                continue;
            };
            // Few lines matter, and their names begin with one of two letters.
            match line.first() {
                Some(b'c' | b'C' | b't' | b'T') => {}
                // The real head is still to come.
                Some(b'\r') | None if (100..200).contains(&found) => return Ok(Some(begin)),
                Some(b'\r') | None => {
                    // Three digits.
                    self.status = found as u16;
                    self.closes = closes;
                    if is_stream {
                        self.body.set_stream();
                    }
                    self.state = match length {
                        _ if chunked => State::ChunkSize,
                        Some(0) => State::Done,
                        Some(length) => State::Length(length),
                        None => State::UntilClose,
                    };
                    return Ok(Some(begin));
                }
                _ => continue,
            }
            let Some(colon) = memchr(b':', line) else {
                continue;
            };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
            if is(b"content-length") {
                length = Some(number(value).ok_or(Malformed)?);
            } else if is(b"transfer-encoding") {
                chunked = value.to_ascii_lowercase().ends_with(b"chunked");
            } else if is(b"content-type") {
                is_stream = value.starts_with(b"text/event-stream");
            } else if is(b"connection") {
                closes = value.eq_ignore_ascii_case(b"close");
            }
        }
        Ok(None)
    }

    /// One line of the chunked coding.
    fn line(&mut self, input: &[u8]) -> Result<usize, Malformed> {
        let Some(end) = memchr(b'\n', input) else {
            self.partial.extend_from_slice(input);
            return if self.partial.len() > PARTIAL_BYTES_MAX { Err(Malformed) } else { Ok(input.len()) };
        };
        let whole;
        let line = if self.partial.is_empty() {
            &input[..end]
        } else {
            self.partial.extend_from_slice(&input[..end]);
            whole = std::mem::take(&mut self.partial);
            &whole[..]
        };
        let line = line.trim_ascii();
        self.state = match self.state {
            State::ChunkSize => match chunk_size(line)? {
                0 => State::Trailer,
                size => State::Chunk(size),
            },
            State::ChunkEnd if line.is_empty() => State::ChunkSize,
            State::Trailer if line.is_empty() => State::Done,
            State::Trailer => State::Trailer,
            _ => return Err(Malformed),
        };
        Ok(end + 1)
    }

    fn body(&mut self, piece: &[u8], progress: &mut Progress) {
        let brought = self.body.feed(piece);
        progress.brought.events += brought.events;
        progress.brought.first_content |= brought.first_content;
    }
}

/// A decimal number, and nothing else.
fn number(digits: &[u8]) -> Option<usize> {
    let add = |sum: usize, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| usize::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    };
    digits.iter().try_fold(0, add).filter(|_| !digits.is_empty())
}

fn chunk_size(line: &[u8]) -> Result<usize, Malformed> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or(line).trim_ascii();
    let digits = std::str::from_utf8(digits).map_err(|_| Malformed)?;
    usize::from_str_radix(digits, 16).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests;
