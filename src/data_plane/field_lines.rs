//! The lines of an HTTP/1.1 head, read strictly: one reader for requests and for answers.
//!
//! A line ends with CR LF and with nothing else. A name is a token, directly followed by its colon; a value holds no control
//! character but tabs, and is given without the white space around it; no line continues another (RFC 9112, sections 2.2 and 5).
//! What a reader says does not depend on how much more of the text has come: a part of a good head is partial, a part of
//! a bad one is partial or bad in the same way.
//!
//! 256 bytes are looked at in one go and kept as two bit masks, where names end and where values end (`sys::line_stops`), so that
//! each line costs two shifts and two counts of zeros, whatever its length. ARCHITECTURE.md says what that saves over httparse, which the
//! fuzz targets hold this against.
//!
//! Nothing is allocated or copied. Bounds on bytes are the caller's; the number of lines is bounded here.

use crate::sys::{LineStops, line_stops};
use std::ops::Range;

/// Bytes that are looked at in one go.
const WINDOW_BYTES: usize = 256;

/// Bytes that are copied of a line, whatever its length: so many are moved in registers, where an exact copy is a call. Few lines of
/// those that are passed on are longer.
const CHUNK_BYTES: usize = 64;

/// Reads the lines of one head in order: `start_line` once, then `next_line` until it stops.
pub struct FieldLines<'a> {
    bytes: &'a [u8],
    /// Where the next line begins.
    at: usize,
    lines_left: usize,
    window: Window<'a>,
}

/// What has been seen of a head. Apart from the rest of `FieldLines`, which so may stay in registers: rare steps take this by reference.
struct Window<'a> {
    bytes: &'a [u8],
    /// Where the bytes begin that `stops` is about.
    start: usize,
    stops: LineStops,
}

/// One line of a head. Its parts are cut out when they are asked for: most lines of a head interest nobody.
#[derive(Debug, Clone, Copy)]
pub struct FieldLine<'a> {
    bytes: &'a [u8],
    /// Where the line, the colon after its name and the CR LF after its value are.
    start: usize,
    colon: usize,
    end: usize,
}

/// Why there is no further line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The empty line; the head is over.
    End,
    /// The rest has not come yet.
    Partial,
    /// Not written as the RFC has it, or in a way that two parsers could read differently.
    Malformed,
    TooManyLines,
}

#[derive(Clone, Copy)]
enum Part {
    Name,
    Value,
}

impl<'a> FieldLines<'a> {
    /// `lines_max` does not count the start line.
    #[inline]
    pub fn new(bytes: &'a [u8], lines_max: usize) -> FieldLines<'a> {
        FieldLines { bytes, at: 0, lines_left: lines_max, window: Window { bytes, start: 0, stops: look(bytes) } }
    }

    /// The request line or status line, without its CR LF. It holds no control character but tabs. Empty lines before it are
    /// passed over (RFC 9112, section 2.2).
    ///
    /// # Errors
    /// `Partial` or `Malformed`.
    #[inline(always)]
    pub fn start_line(&mut self) -> Result<&'a [u8], Stop> {
        loop {
            let start = self.at;
            let end = self.window.line_end(start)?;
            self.at = end + 2;
            if start != end {
                return Ok(&self.bytes[start..end]);
            }
        }
    }

    /// The next line.
    ///
    /// # Errors
    /// There is none; unless it is `End`, the reader is of no use then.
    #[inline(always)]
    pub fn next_line(&mut self) -> Result<FieldLine<'a>, Stop> {
        let (bytes, start) = (self.bytes, self.at);
        let colon = self.window.stop(Part::Name, start);
        if colon == start || bytes.get(colon) != Some(&b':') {
            let stop = no_line(bytes, start, colon);
            if stop == Stop::End {
                self.at = start + 2;
            }
            return Err(stop);
        }
        let end = self.window.line_end(colon + 1)?;
        self.at = end + 2;
        match self.lines_left.checked_sub(1) {
            None => Err(Stop::TooManyLines),
            Some(lines_left) => {
                self.lines_left = lines_left;
                Ok(FieldLine { bytes, start, colon, end })
            }
        }
    }

    /// Where the next line begins; after the end of the head: its length.
    #[inline(always)]
    pub fn taken(&self) -> usize {
        self.at
    }
}

/// No name with a colon begins at `start`; the first byte that is in no token is at `stop`.
fn no_line(bytes: &[u8], start: usize, stop: usize) -> Stop {
    match bytes.get(stop..) {
        None | Some([]) => Stop::Partial,
        Some([b'\r']) if stop == start => Stop::Partial,
        Some([b'\r', b'\n', ..]) if stop == start => Stop::End,
        Some(_) => Stop::Malformed,
    }
}

impl Window<'_> {
    /// The CR LF that ends the value which `from` is in.
    #[inline(always)]
    fn line_end(&mut self, from: usize) -> Result<usize, Stop> {
        let end = self.stop(Part::Value, from);
        if self.bytes.get(end..end + 2) == Some(b"\r\n") { Ok(end) } else { self.line_end_after(end) }
    }

    /// As `line_end`, where no CR LF is at the first stop.
    #[cold]
    fn line_end_after(&mut self, stop: usize) -> Result<usize, Stop> {
        let mut end = stop;
        loop {
            match self.bytes.get(end..) {
                Some([b'\r', b'\n', ..]) => return Ok(end),
                Some([b'\t', ..]) => end = self.stop(Part::Value, end + 1),
                None | Some([] | [b'\r']) => return Err(Stop::Partial),
                Some(_) => return Err(Stop::Malformed),
            }
        }
    }

    /// The first byte at or after `from` that is not in such a part; the text's length if there is none.
    #[inline(always)]
    fn stop(&mut self, part: Part, from: usize) -> usize {
        let mut at = from;
        loop {
            let words = match part {
                Part::Name => &self.stops.names,
                Part::Value => &self.stops.values,
            };
            match words.get((at - self.start) / 64) {
                // Windows begin at multiples of 64, as their words do.
                Some(word) => match word >> (at % 64) {
                    0 => at = (at | 63) + 1,
                    rest => return at + rest.trailing_zeros() as usize,
                },
                None => self.look_on(at),
            }
        }
    }

    /// Moves the window on, so that `at` is in it.
    #[cold]
    fn look_on(&mut self, at: usize) {
        self.start = at & !63;
        self.stops = look(&self.bytes[self.start..]);
    }
}

#[inline]
fn look(rest: &[u8]) -> LineStops {
    match rest.first_chunk() {
        Some(window) => line_stops(window),
        None => {
            // A zero is in no part: the first after the text is the stop if there is none in it.
            let mut window = [0; WINDOW_BYTES];
            window[..rest.len()].copy_from_slice(rest);
            line_stops(&window)
        }
    }
}

impl<'a> FieldLine<'a> {
    /// A token as sent, in any letter case; never empty.
    #[inline(always)]
    pub fn name(&self) -> &'a [u8] {
        self.bytes.get(self.start..self.colon).unwrap_or_default()
    }

    /// The value without white space before and after.
    #[inline(always)]
    pub fn value(&self) -> &'a [u8] {
        self.bytes.get(self.value_at()).unwrap_or_default()
    }

    /// Where that is in the text.
    #[inline(always)]
    pub fn value_at(&self) -> Range<usize> {
        if self.is_plain() { self.colon + 2..self.end } else { self.trimmed() }
    }

    /// Bytes of the line with all its white space, without its CR LF.
    #[inline(always)]
    pub fn line_bytes(&self) -> usize {
        self.end - self.start
    }

    /// Appends the line in its plainest form, `name: value` and CR LF, the name in lower case, with `prefix` in place of the name's first
    /// `skipped` bytes.
    #[inline]
    pub fn append_to(&self, out: &mut Vec<u8>, prefix: &[u8], skipped: usize) {
        match self.bytes.get(self.start + skipped..self.end + 2) {
            Some(line) if self.is_plain() => {
                if !prefix.is_empty() {
                    out.extend_from_slice(prefix);
                }
                let start = out.len();
                match self.bytes[self.start + skipped..].first_chunk::<CHUNK_BYTES>() {
                    Some(chunk) if line.len() <= CHUNK_BYTES => {
                        out.extend_from_slice(chunk);
                        out.truncate(start + line.len());
                    }
                    _ => out.extend_from_slice(line),
                }
                let name_bytes = self.colon - self.start - skipped;
                if let Some(name) = out.get_mut(start..start + name_bytes) {
                    make_lower_case(name);
                }
            }
            _ => append_line(out, prefix, self.name().get(skipped..).unwrap_or_default(), self.value()),
        }
    }

    /// Written as nearly everybody writes it: one space before the value and none after it.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        match self.bytes.get(self.colon + 1..self.end) {
            Some([b' ', first, ..]) => *first > b' ' && self.bytes[self.end - 1] > b' ',
            _ => false,
        }
    }

    #[cold]
    fn trimmed(&self) -> Range<usize> {
        let is_white = |at: usize| matches!(self.bytes[at], b' ' | b'\t');
        let (mut start, mut end) = (self.colon + 1, self.end);
        while start < end && is_white(start) {
            start += 1;
        }
        while start < end && is_white(end - 1) {
            end -= 1;
        }
        start..end
    }
}

/// Appends `prefix`, `name: value` and CR LF, the name in lower case.
pub fn append_line(out: &mut Vec<u8>, prefix: &[u8], name: &[u8], value: &[u8]) {
    out.reserve(prefix.len() + name.len() + value.len() + 4);
    out.extend_from_slice(prefix);
    let start = out.len();
    out.extend_from_slice(name);
    make_lower_case(&mut out[start..]);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// `make_ascii_lowercase` for tokens: eight bytes at a time, the last eight once more instead of one by one.
fn make_lower_case(token: &mut [u8]) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let lower = |bytes: &mut [u8; 8]| {
        let word = u64::from_le_bytes(*bytes);
        // Bytes of tokens are below 0x80, so no sum leaves its byte: bit 7 is set from `A` on, and no longer from `[` on.
        let capitals = (word + EACH * (0x80 - b'A' as u64)) & !(word + EACH * (0x80 - b'[' as u64)) & EACH << 7;
        *bytes = (word | capitals >> 2).to_le_bytes();
    };
    if token.len() < 8 {
        return token.make_ascii_lowercase();
    }
    token.as_chunks_mut::<8>().0.iter_mut().for_each(lower);
    if let Some(last) = token.last_chunk_mut() {
        lower(last);
    }
}

/// True if the token `name` is `lower` in any letter case. `lower` is a literal of lower-case letters, digits and hyphens, at least four.
///
/// Such names are compared in one to four pairs of words: setting bit 5 makes small letters of capitals, leaves the rest of those
/// alone, and makes no other byte of a token one of them.
#[inline(always)]
pub fn is_named(name: &[u8], lower: &'static [u8]) -> bool {
    debug_assert!(lower.len() >= 4);
    name.len() == lower.len() && begins_with(name, lower)
}

/// As `is_named`, for names that begin with `lower`.
#[inline(always)]
pub fn begins_with(name: &[u8], lower: &'static [u8]) -> bool {
    const FOLD: u64 = 0x2020_2020_2020_2020;
    let length = lower.len();
    if name.len() < length {
        return false;
    }
    if length < 8 {
        let word = |text: &[u8], at: usize| text[at..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
        let is_same = |at| word(name, at) | FOLD as u32 == word(lower, at);
        return is_same(0) && is_same(length - 4);
    }
    let word = |text: &[u8], at: usize| text[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    let is_same = |at| word(name, at) | FOLD == word(lower, at);
    let mut at = 0;
    while at + 8 < length {
        if !is_same(at) {
            return false;
        }
        at += 8;
    }
    is_same(length - 8)
}

#[cfg(test)]
mod tests;
