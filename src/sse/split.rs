//! Cuts an event stream into events, whatever the pieces that it arrives in.
//!
//! Lines end with LF, CRLF or CR; a blank line ends an event. Comments are no events, nor are blocks without a `data` line. Several
//! `data` lines join with LF. A byte order mark at the start of the stream is skipped.
//!
//! An event that lies within one piece is borrowed from it; only an event that is cut is copied, once. Every byte is looked at
//! twice, however small the pieces: when the end of its event is sought, and when the event's lines are read.
//!
//! Edges. An event is handed out as soon as its blank line is recognised: if that ends with CR at the end of a piece, an LF that
//! begins the next one is dropped, so `raw` may be one byte shorter than in another cut. An event longer than the limit given to
//! [`Splitter::new`] is an error, and so is the stream from then on. At the end of the stream [`Splitter::residue`] holds what was
//! never finished.

use std::fmt;
use std::ops::Range;

/// One event. Lives until the next is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'e> {
    /// All its bytes, with the blank line that ends it.
    pub raw: &'e [u8],
    /// What its `data` lines say. Not known to be UTF-8.
    pub data: &'e [u8],
    /// What its last `event` line says; empty if there is none.
    pub name: &'e [u8],
    /// There are comment lines in `raw`. Weak decoders break on comments beside data.
    pub has_comments: bool,
}

impl Event<'_> {
    /// Appends the event as it came, without its comments.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        if !self.has_comments {
            return out.extend_from_slice(self.raw);
        }
        let mut rest = self.raw;
        while !rest.is_empty() {
            let (line, after) = rest.split_at(first_line(rest).1);
            if line[0] != b':' {
                out.extend_from_slice(line);
            }
            rest = after;
        }
    }
}

/// An event is longer than allowed. The upstream is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTooLong {
    pub bytes_max: usize,
}

impl fmt::Display for EventTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event is longer than {} bytes", self.bytes_max)
    }
}

impl std::error::Error for EventTooLong {}

/// A stream that is being cut.
#[derive(Debug)]
pub struct Splitter {
    event_bytes_max: usize,
    /// The start of a block whose end has not arrived, or a whole block if `carried_is_whole`.
    carried: Vec<u8>,
    /// The carried block has been read; it only stays for the event that borrows from it.
    carried_is_whole: bool,
    /// Nothing of the present line has been seen.
    at_line_start: bool,
    /// The last byte was a CR: an LF that follows belongs to it.
    after_cr: bool,
    /// No block has been seen: a byte order mark may begin the first.
    at_stream_start: bool,
    /// What several `data` lines say together.
    joined: Vec<u8>,
}

impl Splitter {
    /// `event_bytes_max` bounds one event and so the memory that the splitter holds, once for the event and once for its data.
    pub fn new(event_bytes_max: usize) -> Splitter {
        Splitter {
            event_bytes_max,
            carried: Vec::new(),
            carried_is_whole: false,
            at_line_start: true,
            after_cr: false,
            at_stream_start: true,
            joined: Vec::new(),
        }
    }

    /// Takes the next piece of the stream. Ask the feed for events until it has no more.
    pub fn feed<'s, 'p>(&'s mut self, piece: &'p [u8]) -> Feed<'s, 'p> {
        Feed { splitter: self, rest: piece }
    }

    /// The bytes of an event that has not been finished.
    pub fn residue(&self) -> &[u8] {
        if self.carried_is_whole { &[] } else { &self.carried }
    }

    /// The event that the residue would be if a blank line followed. Some servers end their stream right after `data: [DONE]`.
    pub fn unfinished_event(&mut self) -> Option<Event<'_>> {
        if self.carried_is_whole {
            return None;
        }
        let raw = without_mark(&self.carried, self.at_stream_start);
        let lines = Lines::read(raw, &mut self.joined)?;
        Some(lines.event(raw, &self.joined))
    }

    /// Index after the next blank line, which ends the block; the search begins at `at`.
    #[inline]
    fn block_end(&mut self, piece: &[u8], mut at: usize) -> Option<usize> {
        while at < piece.len() {
            let (line_bytes, bytes) = first_line(&piece[at..]);
            let is_blank = self.at_line_start && line_bytes == 0;
            at += bytes;
            self.at_line_start = bytes > line_bytes;
            // An LF within the piece has been taken with its CR.
            self.after_cr = at == piece.len() && piece[at - 1] == b'\r';
            if is_blank {
                return Some(at);
            }
        }
        None
    }
}

/// The events of one piece. Whoever stops early feeds [`Feed::rest`] again, or gives up the stream.
#[derive(Debug)]
pub struct Feed<'s, 'p> {
    splitter: &'s mut Splitter,
    rest: &'p [u8],
}

impl<'p> Feed<'_, 'p> {
    /// The next whole event; `None` when the piece is used up and what is left of it has been put aside.
    ///
    /// # Errors
    /// An event longer than the limit.
    // Not an `Iterator`: an event may borrow what the splitter carried over.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Event<'_>>, EventTooLong> {
        let (from_piece, at_stream_start, lines) = loop {
            let Some(from_piece) = self.take_block()? else { return Ok(None) };
            let at_stream_start = std::mem::replace(&mut self.splitter.at_stream_start, false);
            let block = without_mark(from_piece.unwrap_or(&self.splitter.carried), at_stream_start);
            if let Some(lines) = Lines::read(block, &mut self.splitter.joined) {
                break (from_piece, at_stream_start, lines);
            }
        };
        let block = without_mark(from_piece.unwrap_or(&self.splitter.carried), at_stream_start);
        Ok(Some(lines.event(block, &self.splitter.joined)))
    }

    /// What has not been looked at yet.
    pub fn rest(&self) -> &'p [u8] {
        self.rest
    }

    /// True if an event begins where the rest does, or nothing but an event that has been handed out is before it.
    #[inline]
    pub fn is_between_events(&self) -> bool {
        let splitter = &*self.splitter;
        let nothing_carried = splitter.carried_is_whole || splitter.carried.is_empty();
        nothing_carried && splitter.at_line_start && !splitter.after_cr && !splitter.at_stream_start
    }

    /// Passes over the first bytes of the rest, which are whole events that the caller recognised, ended by LF LF. Only between events.
    #[inline]
    pub fn skip_events(&mut self, bytes: usize) -> &'p [u8] {
        debug_assert!(self.is_between_events());
        let (skipped, rest) = self.rest.split_at(bytes);
        debug_assert!(skipped.is_empty() || skipped.ends_with(b"\n\n"));
        self.rest = rest;
        skipped
    }

    /// Takes the bytes up to the next blank line. They are a stretch of the piece, or, if that is `None`, all the carried ones.
    fn take_block(&mut self) -> Result<Option<Option<&'p [u8]>>, EventTooLong> {
        let splitter = &mut *self.splitter;
        if std::mem::take(&mut splitter.carried_is_whole) {
            splitter.carried.clear();
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut search_from = 0;
        if std::mem::take(&mut splitter.after_cr) && self.rest[0] == b'\n' {
            // The LF of a CR that ended the piece before: of a line that is carried, or of a block that has been handed out.
            match splitter.carried.is_empty() {
                true => self.rest = &self.rest[1..],
                false => search_from = 1,
            }
        }
        let end = splitter.block_end(self.rest, search_from);
        let (fresh, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        // Whether the LF after a blank line's CR is seen with it depends on the cut, so it does not count.
        let uncounted = usize::from(end.is_some() && fresh.ends_with(b"\r\n"));
        if splitter.carried.len() + fresh.len() - uncounted > splitter.event_bytes_max {
            return Err(EventTooLong { bytes_max: splitter.event_bytes_max });
        }
        if end.is_some() && splitter.carried.is_empty() {
            return Ok(Some(Some(fresh)));
        }
        splitter.carried.extend_from_slice(fresh);
        splitter.carried_is_whole = end.is_some();
        Ok(end.map(|_| None))
    }
}

/// What the lines of a block say, as places: the block may be in either of two buffers.
#[derive(Clone)]
struct Lines {
    /// In the block; `None` if several lines have been joined.
    data: Option<Range<usize>>,
    name: Range<usize>,
    has_comments: bool,
}

impl Lines {
    /// `None` if there is no `data` line.
    fn read(block: &[u8], joined: &mut Vec<u8>) -> Option<Lines> {
        let mut data: Option<Range<usize>> = None;
        let mut several = false;
        let mut name = 0..0;
        let mut has_comments = false;
        let mut at = 0;
        while at < block.len() {
            let (line_bytes, bytes) = first_line(&block[at..]);
            let line = at..at + line_bytes;
            at += bytes;
            match field(block, line) {
                Field::Data(more) => match &data {
                    None => data = Some(more),
                    Some(first) => {
                        if !several {
                            several = true;
                            joined.clear();
                            joined.extend_from_slice(&block[first.clone()]);
                        }
                        joined.push(b'\n');
                        joined.extend_from_slice(&block[more]);
                    }
                },
                Field::Event(value) => name = value,
                Field::Comment => has_comments = true,
                Field::Other => {}
            }
        }
        let data = data?;
        Some(Lines { data: (!several).then_some(data), name, has_comments })
    }

    fn event<'e>(self, raw: &'e [u8], joined: &'e [u8]) -> Event<'e> {
        let data = self.data.map_or(joined, |data| &raw[data]);
        Event { raw, data, name: &raw[self.name], has_comments: self.has_comments }
    }
}

enum Field {
    Data(Range<usize>),
    Event(Range<usize>),
    Comment,
    /// `id`, `retry`, a blank line, or one that the format tells decoders to ignore.
    Other,
}

/// Reads one line. A value is what follows the colon, less one space; a name without a colon has an empty value.
fn field(block: &[u8], line: Range<usize>) -> Field {
    let value = |name_bytes: usize| {
        let after = &block[line.start + name_bytes..line.end];
        let punctuation = match after {
            [b':', b' ', ..] => 2,
            [b':', ..] => 1,
            [] => 0,
            _ => return None,
        };
        Some(line.start + name_bytes + punctuation..line.end)
    };
    match &block[line.clone()] {
        [b':', ..] => Field::Comment,
        [b'd', b'a', b't', b'a', ..] => value(4).map_or(Field::Other, Field::Data),
        [b'e', b'v', b'e', b'n', b't', ..] => value(5).map_or(Field::Other, Field::Event),
        _ => Field::Other,
    }
}

/// Length of the first line, without and with its end; both are the same if its end is missing.
#[inline]
fn first_line(text: &[u8]) -> (usize, usize) {
    let Some(line) = memchr::memchr2(b'\n', b'\r', text) else { return (text.len(), text.len()) };
    let is_crlf = text[line..].starts_with(b"\r\n");
    (line, line + 1 + usize::from(is_crlf))
}

fn without_mark(block: &[u8], at_stream_start: bool) -> &[u8] {
    if at_stream_start { block.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(block) } else { block }
}

#[cfg(test)]
mod tests;
