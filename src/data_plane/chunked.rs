//! Chunked transfer coding, decoded strictly and as it arrives (RFC 9112, section 7.1).
//!
//! The decoder is fed slices in order and says which part of each is data; it keeps only its state. What is lenient elsewhere and
//! makes two parsers disagree is refused here: anything but hexadecimal digits in a size, a bare CR or LF, a missing line end,
//! sizes beyond 2^60, long extensions. Extensions and trailers are read and dropped: nothing downstream of us may be
//! steered by them.

use std::ops::Range;

/// Longest chunk extension, in bytes. No provider or SDK sends any.
const EXTENSION_BYTES_MAX: u32 = 256;
/// All trailers together, in bytes.
const TRAILER_BYTES_MAX: u32 = 8 * 1024;

/// The framing is not chunked coding as the RFC writes it; nothing more can be read from the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadChunk;

/// State between two slices.
#[derive(Debug, Clone)]
pub struct ChunkedDecoder {
    state: State,
    /// Bytes of the present chunk still to come, or the size as read so far.
    left: u64,
    /// Digits of the size, or bytes of an extension or of the trailers, seen so far.
    seen: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a trailer line or of the final empty line.
    Trailer,
    InTrailer,
    TrailerLf,
    EndLf,
    Done,
}

/// What one call found.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes of the input that need not be shown again.
    pub consumed: usize,
    /// The data among them.
    pub data: Range<usize>,
    /// True after the final line end.
    pub done: bool,
}

impl Default for ChunkedDecoder {
    fn default() -> Self {
        ChunkedDecoder { state: State::Size, left: 0, seen: 0 }
    }
}

impl ChunkedDecoder {
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Reads up to the end of one run of data and of the line that it is, the end of the body, or the end of `input`. Call again with
    /// the rest until nothing is consumed or it is done.
    ///
    /// # Errors
    /// `BadChunk`; the connection must be closed.
    pub fn step(&mut self, input: &[u8]) -> Result<Step, BadChunk> {
        let mut at = self.line(input);
        while at < input.len() && self.state != State::Done {
            if self.state == State::Data {
                let data = at..at + usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len() - at);
                self.left -= data.len() as u64;
                let mut consumed = data.end;
                if self.left == 0 {
                    self.state = State::DataCr;
                    // The line end mostly comes with its data, and is no reason for another step then.
                    if input[consumed..].starts_with(b"\r\n") {
                        self.state = State::Size;
                        consumed += 2;
                    }
                }
                return Ok(Step { consumed, data, done: false });
            }
            self.byte(input[at])?;
            at += 1;
        }
        Ok(Step { consumed: at, data: at..at, done: self.is_done() })
    }

    /// The short way to a run of data, for a size as everybody writes it that has come whole: the bytes of its line. 0, with nothing
    /// changed, for whatever else there is.
    #[inline]
    fn line(&mut self, input: &[u8]) -> usize {
        if self.state != State::Size || self.seen > 0 {
            return 0;
        }
        let mut size = 0;
        let mut at = 0;
        while at < DIGITS_AT_ONCE
            && let Some(byte) = input.get(at)
            && let Some(digit) = digit(*byte)
        {
            size = size << 4 | u64::from(digit);
            at += 1;
        }
        if size == 0 || !input[at..].starts_with(b"\r\n") {
            return 0;
        }
        (self.state, self.left, self.seen) = (State::Data, size, 0);
        at + 2
    }

    fn byte(&mut self, byte: u8) -> Result<(), BadChunk> {
        self.state = match (self.state, byte) {
            (State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                self.seen += 1;
                // 15 digits are below 2^60: no overflow, and no body is that large.
                if self.seen > 15 {
                    return Err(BadChunk);
                }
                self.left = self.left << 4 | u64::from(digit(byte).unwrap_or(0));
                State::Size
            }
            (State::Size, b';') if self.seen > 0 => {
                self.seen = 0;
                State::Extension
            }
            (State::Size, b'\r') if self.seen > 0 => State::SizeLf,
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, b'\t' | b' '..=b'~' | 0x80..) if self.seen < EXTENSION_BYTES_MAX => {
                self.seen += 1;
                State::Extension
            }
            (State::SizeLf, b'\n') => {
                self.seen = 0;
                if self.left == 0 { State::Trailer } else { State::Data }
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size,
            (State::Trailer, b'\r') => State::EndLf,
            (State::Trailer | State::InTrailer, b'\t' | b' '..=b'~' | 0x80..) if self.seen < TRAILER_BYTES_MAX => {
                self.seen += 1;
                State::InTrailer
            }
            (State::InTrailer, b'\r') => State::TrailerLf,
            (State::TrailerLf, b'\n') => State::Trailer,
            (State::EndLf, b'\n') => State::Done,
            _ => return Err(BadChunk),
        };
        Ok(())
    }
}

/// Digits of a size that are read in one go: 4 GiB is no size that anybody sends.
const DIGITS_AT_ONCE: usize = 8;

#[inline]
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
