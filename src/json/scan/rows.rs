//! Members and elements as they usually stand: without white space but for a blank, with numbers without exponents.
//!
//! A short cut of the scanner and no more: what it takes is well-formed and noted, and at whatever else it leaves, for the scanner to
//! take or to refuse. It stands alone because what it needs then stays in registers, which is half of its cost.
//!
//! It looks at eight bytes at once: what follows a key, and what follows a small number, is in the word that it ended in.

use super::{Next, ScanError, Scanner};
use crate::json::{
    stops::{Look, Stops},
    string_end::StringEnd,
};

/// Most open containers here: the bits of more do not fit in a register.
const DEPTH_MAX: u32 = u64::BITS;

impl Scanner {
    /// Takes what is usual from `at` on, and answers what stands where it ends.
    #[inline(always)]
    pub(super) fn pass_rows<L: Look>(
        &mut self,
        look: L,
        text: &[u8],
        stops: &mut Stops,
        place: &mut usize,
        mut next: Next,
        string_end: impl Fn(usize) -> Result<StringEnd, ScanError>,
    ) -> Next {
        if self.depth > DEPTH_MAX {
            return next;
        }
        let mut seen = *stops;
        let mut at = *place;
        let Scanner { mut depth, mut closing, .. } = *self;
        let mut nesting = self.nesting as u64;
        loop {
            if next != Next::AfterValue {
                let word = if next == Next::Key {
                    let quote = seen.near(look, text, at + 1);
                    let end = word_or_rest_at(text, quote);
                    if end as u16 != u16::from_le_bytes(*b"\":") {
                        break;
                    }
                    if depth == 1 && !self.note_usual_key(text, at, quote) {
                        break;
                    }
                    at = quote + 2;
                    next = Next::Value;
                    // Six bytes of it.
                    let word = end >> 16;
                    if word as u8 == b' ' {
                        at += 1;
                        if depth == 1 {
                            self.token = at;
                        }
                        continue;
                    }
                    word
                } else {
                    word_or_rest_at(text, at)
                };
                let byte = word as u8;
                if byte == b'"' {
                    let quote = seen.near(look, text, at + 1);
                    if text.get(quote) == Some(&b'"') {
                        at = quote + 1;
                    } else {
                        let Ok(taken) = string_end(quote.min(text.len())) else { break };
                        at = taken.at;
                        if !taken.is_whole {
                            next = Next::Text;
                            break;
                        }
                        seen = taken.stops;
                    }
                } else if byte.is_ascii_digit() {
                    let digits = digits_in(word);
                    let following = (word >> (8 * (digits % 8))) as u8;
                    if (following == b',' || following == closing) && (byte != b'0' || digits == 1) {
                        at += digits;
                    } else {
                        match usual_number_end(text, at) {
                            Some(end) => at = end,
                            None => break,
                        }
                    }
                } else if byte | 0x20 == b'{' {
                    let following = (word >> 8) as u8;
                    if following == byte + 2 {
                        at += 2;
                    } else {
                        let is_object = byte == b'{';
                        let is_usual = if is_object { following == b'"' } else { following > b' ' };
                        if !is_usual || depth == DEPTH_MAX {
                            break;
                        }
                        nesting = nesting << 1 | u64::from(is_object);
                        depth += 1;
                        closing = byte + 2;
                        at += 1;
                        next = if is_object { Next::Key } else { Next::Value };
                        continue;
                    }
                } else if word as u32 == u32::from_le_bytes(*b"null") || word as u32 == u32::from_le_bytes(*b"true") {
                    at += 4;
                } else if word << 24 == u64::from_le_bytes(*b"\0\0\0false") {
                    at += 5;
                } else {
                    match usual_number_end(text, at) {
                        Some(end) => at = end,
                        None => break,
                    }
                }
                if depth == 1 {
                    self.note_value(text, at);
                }
                next = Next::AfterValue;
            }
            match text.get(at) {
                Some(b',') if closing == b']' => {
                    at += 1;
                    next = Next::Value;
                }
                Some(b',') => {
                    if text.get(at + 1) == Some(&b'"') {
                        at += 1;
                    } else if text.get(at + 1..at + 3) == Some(b" \"") {
                        at += 2;
                    } else {
                        break;
                    }
                    next = Next::Key;
                }
                Some(byte) if *byte == closing && depth > 1 => {
                    at += 1;
                    depth -= 1;
                    nesting >>= 1;
                    closing = closing_of(nesting & 1 == 1);
                    if depth == 1 {
                        self.note_value(text, at);
                    }
                }
                _ => break,
            }
        }
        *stops = seen;
        *place = at;
        // No more containers are open than `nesting` has bits.
        (self.depth, self.nesting, self.closing) = (depth, u128::from(nesting), closing);
        next
    }

    /// Notes a key of the root, plain and with its quotes at `at` and `quote`, and that its value follows the colon. Not one that is
    /// refused.
    #[inline(always)]
    fn note_usual_key(&mut self, text: &[u8], at: usize, quote: usize) -> bool {
        let known = self.members.look_up(&text[at + 1..quote]);
        self.token = quote + 2;
        self.note_key(at, quote + 1, known).is_ok()
    }
}

/// What closes an object or an array.
#[inline(always)]
pub(super) fn closing_of(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}

/// The eight bytes at `at`, the first lowest, if there are as many.
#[inline(always)]
fn word_at(text: &[u8], at: usize) -> Option<u64> {
    if at > text.len() {
        return None;
    }
    text[at..].first_chunk().map(|word| u64::from_le_bytes(*word))
}

/// As `word_at`, with zeros for what is behind the text.
#[inline(always)]
fn word_or_rest_at(text: &[u8], at: usize) -> u64 {
    word_at(text, at).unwrap_or_else(|| rest_at(text, at))
}

#[cold]
#[inline(never)]
fn rest_at(text: &[u8], at: usize) -> u64 {
    text.get(at..).unwrap_or_default().iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

/// Index after the number at `at`, if it is one without an exponent and what follows has arrived.
#[inline(always)]
fn usual_number_end(text: &[u8], at: usize) -> Option<usize> {
    let first = at + usize::from(*text.get(at)? == b'-');
    let mut end = match text.get(first)? {
        b'0' => first + 1,
        b'1'..=b'9' => digits_end(text, first + 1),
        _ => return None,
    };
    if *text.get(end)? == b'.' {
        let fraction = end + 1;
        end = digits_end(text, fraction);
        if end == fraction {
            return None;
        }
    }
    // Digits are here only after a leading zero.
    (!matches!(text.get(end)?, b'e' | b'E' | b'0'..=b'9')).then_some(end)
}

/// Index of the first byte at or after `at` that is no digit. Vectors of floats are mostly digits: eight at a time.
#[inline(always)]
pub(super) fn digits_end(text: &[u8], mut at: usize) -> usize {
    while let Some(word) = word_at(text, at) {
        let digits = digits_in(word);
        at += digits;
        if digits < 8 {
            return at;
        }
    }
    while text.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// How many of the bytes of a word, the lowest first, are digits before another.
#[inline(always)]
fn digits_in(word: u64) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let word = word ^ (EACH * 0x30);
    // 10 and more, in the lowest byte that has it; a carry spoils only the bytes above.
    let others = (word.wrapping_add(EACH * 0x76) | word) & (EACH * 0x80);
    (others.trailing_zeros() / 8) as usize
}
