//! Cuts a stream of JSON, a line for each value (NDJSON), into its lines, whatever the pieces that it arrives in.
//!
//! Lines end with LF or CRLF; blank ones are none. A value has no line end of its own: JSON's strings escape theirs. A line that lies within
//! one piece is borrowed from it; only a line that is cut is copied, once.
//!
//! Edges. A line longer than the limit given to [`Splitter::new`] is an error, and so is the stream from then on. What was never ended
//! is told by [`Splitter::unfinished_line`].

use std::fmt;

/// A line is longer than allowed. The upstream is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineTooLong {
    pub bytes_max: usize,
}

impl fmt::Display for LineTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a line is longer than {} bytes", self.bytes_max)
    }
}

impl std::error::Error for LineTooLong {}

/// A stream that is being cut.
#[derive(Debug)]
pub struct Splitter {
    line_bytes_max: usize,
    /// The start of a line whose end has not arrived, or a whole line if `carried_is_whole`.
    carried: Vec<u8>,
    /// The carried line has been handed out; it only stays for whoever borrows it.
    carried_is_whole: bool,
}

impl Splitter {
    /// `line_bytes_max` bounds one line, without its end, and so the memory that the splitter holds.
    pub fn new(line_bytes_max: usize) -> Splitter {
        Splitter { line_bytes_max, carried: Vec::new(), carried_is_whole: false }
    }

    /// Takes the next piece of the stream. Ask the feed for lines until it has no more.
    pub fn feed<'s, 'p>(&'s mut self, piece: &'p [u8]) -> Feed<'s, 'p> {
        Feed { splitter: self, rest: piece }
    }

    /// The line that would be if a line end followed. Some servers leave out the last.
    pub fn unfinished_line(&self) -> Option<&[u8]> {
        let line = self.carried.trim_ascii();
        (!self.carried_is_whole && !line.is_empty()).then_some(line)
    }
}

/// The lines of one piece.
#[derive(Debug)]
pub struct Feed<'s, 'p> {
    splitter: &'s mut Splitter,
    rest: &'p [u8],
}

impl Feed<'_, '_> {
    /// The next whole line, without its end and the blanks around it; `None` when the piece is used up and what is left of it has been put aside.
    ///
    /// # Errors
    /// A line longer than the limit.
    // Not an `Iterator`: a line may borrow what the splitter carried over.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<&[u8]>, LineTooLong> {
        loop {
            let splitter = &mut *self.splitter;
            if std::mem::take(&mut splitter.carried_is_whole) {
                splitter.carried.clear();
            }
            let end = memchr::memchr(b'\n', self.rest);
            let (fresh, after) = match end {
                Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
                None => (self.rest, &[][..]),
            };
            self.rest = after;
            // A CR that may belong to the end does not count, wherever the line is cut.
            let last = fresh.last().or(splitter.carried.last());
            let counted = splitter.carried.len() + fresh.len() - usize::from(last == Some(&b'\r'));
            if counted > splitter.line_bytes_max {
                return Err(LineTooLong { bytes_max: splitter.line_bytes_max });
            }
            if end.is_none() {
                splitter.carried.extend_from_slice(fresh);
                return Ok(None);
            }
            if splitter.carried.is_empty() {
                let line = fresh.trim_ascii();
                if !line.is_empty() {
                    return Ok(Some(line));
                }
                continue;
            }
            splitter.carried.extend_from_slice(fresh);
            splitter.carried_is_whole = true;
            if !self.splitter.carried.trim_ascii().is_empty() {
                return Ok(Some(self.splitter.carried.trim_ascii()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
