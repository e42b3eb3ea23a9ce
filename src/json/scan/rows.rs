//! Members and elements as they usually stand: without white space but for a blank, with numbers without exponents.
//!
//! A short cut of the scanner and no more: what it takes is well-formed and noted, and at whatever else it leaves, for the scanner to
//! take or to refuse. It stands alone because what it needs then stays in registers, which is half of its cost.
//!
//! It looks at a window of the text: all stops of 64 bytes are found at once, and each is struck out when it has been passed, so that
//! the end of a name or of a short value costs a count of zeros. Eight bytes from any of the 64 are in the window too, which is
//! what follows a key, and what follows a small number. Behind the end of the text stand zeros, which are nothing that is usual.

use super::{MEMBERS_MAX, Next, OTHER, ScanError, Scanner, same};
use crate::json::{
    stops::{Ask, Look},
    string_end::StringEnd,
};

/// Most open containers here: the bits of more, and one above them, do not fit in a register.
const DEPTH_MAX: u32 = u64::BITS - 1;

/// The root is open, and nothing else.
const ROOT: u64 = 0b11;

/// A block, and what else of a word its last byte may begin.
const WINDOW_BYTES: usize = 64 + 8;

/// The first place of a window from which there are no eight bytes.
const BEHIND: usize = 65;

impl Scanner {
    /// Takes what is usual from `place` on, and answers what stands where it ends.
    #[inline(always)]
    pub(super) fn pass_rows<L: Look>(
        &mut self,
        look: L,
        text: &[u8],
        place: &mut usize,
        next: Next,
        string_end: impl Fn(usize) -> Result<StringEnd, ScanError>,
    ) -> Next {
        if self.depth > DEPTH_MAX {
            return next;
        }
        // One bit above those of the containers tells how many there are.
        let mut nesting = self.nesting as u64 | 1 << self.depth;
        // Where the window begins, and how far into it everything has been taken. As if there had been one before: the first look is
        // had where it is needed.
        let (mut base, mut offset) = (place.wrapping_sub(BEHIND), BEHIND);
        let mut tail;
        let mut window = &[0; WINDOW_BYTES];
        // The stops of the window's block at and after `offset`. If a string starts at `offset` its quote is the first of them, or is
        // behind the block, and then there are none.
        let mut stops = 0;
        /// Moves the window on.
        macro_rules! advance {
            ($bytes:expr) => {
                base = base.wrapping_add($bytes);
                window = match window_at(text, base) {
                    Some(window) => window,
                    None => {
                        tail = padded(text, base);
                        &tail
                    }
                };
                stops = look.mask(block_of(window), Ask::Stops);
            };
        }
        /// The eight bytes at `offset`.
        macro_rules! word {
            () => {{
                if offset >= BEHIND {
                    advance!(offset);
                    offset = 0;
                }
                word_of(window, offset)
            }};
        }
        let (mut is_at_key, mut is_after_value) = (next == Next::Key, next == Next::AfterValue);
        let (at, next) = 'rows: loop {
            if is_after_value {
                loop {
                    let word = word!();
                    let is_in_object = nesting & 1 == 1;
                    if is_in_object && word as u16 == u16::from_le_bytes(*b",\"") {
                        offset += 1;
                        is_at_key = true;
                        break;
                    } else if word as u8 == closing_of(is_in_object) && nesting != ROOT {
                        offset += 1;
                        nesting >>= 1;
                        if nesting == ROOT {
                            self.note_value(text, base.wrapping_add(offset));
                        }
                    } else if !is_in_object && word as u8 == b',' {
                        offset += 1;
                        is_at_key = false;
                        break;
                    } else if is_in_object && word << 40 == u64::from_le_bytes(*b"\0\0\0\0\0, \"") {
                        offset += 2;
                        is_at_key = true;
                        break;
                    } else {
                        break 'rows (base.wrapping_add(offset), Next::AfterValue);
                    }
                }
            }
            let word = if is_at_key {
                let at = base.wrapping_add(offset);
                stops &= stops.wrapping_sub(1);
                if stops == 0 {
                    advance!(offset + 1);
                }
                let quote = stops.trailing_zeros() as usize;
                let end = word_of(window, quote);
                if end as u16 != u16::from_le_bytes(*b"\":") {
                    break (at, Next::Key);
                }
                if nesting == ROOT && !self.note_usual_key(text, at, base + quote) {
                    break (at, Next::Key);
                }
                stops &= stops.wrapping_sub(1);
                offset = quote + 2;
                // Six bytes of it, or five.
                let word = end >> 16;
                if word as u8 == b' ' {
                    offset += 1;
                    if nesting == ROOT {
                        self.token = base.wrapping_add(offset);
                    }
                    word >> 8
                } else {
                    word
                }
            } else {
                word!()
            };
            let byte = word as u8;
            if byte == b'"' {
                let at = base.wrapping_add(offset);
                stops &= stops.wrapping_sub(1);
                if stops == 0 {
                    let mut bytes = offset + 1;
                    for _ in 0..2 {
                        advance!(bytes);
                        if stops != 0 {
                            break;
                        }
                        bytes = 64;
                    }
                }
                let quote = stops.trailing_zeros() as usize;
                if word_of(window, quote) as u8 == b'"' {
                    offset = quote + 1;
                    stops &= stops.wrapping_sub(1);
                } else {
                    let Ok(taken) = string_end((base + quote).min(text.len())) else { break (at, Next::Value) };
                    if !taken.is_whole {
                        break (taken.at, Next::Text);
                    }
                    (base, offset, stops) = (taken.at.wrapping_sub(BEHIND), BEHIND, 0);
                }
            } else if byte.is_ascii_digit() {
                let bits = digit_bits_in(word as u32);
                let following = (word >> bits) as u8;
                // Which of the brackets it is is looked at behind the value.
                if (following == b',' || following | 0x20 == b'}') && (byte != b'0' || bits == 8) {
                    offset += bits as usize / 8;
                } else {
                    match usual_number_end(text, base.wrapping_add(offset)) {
                        Some(end) => offset = end - base,
                        None => break (base.wrapping_add(offset), Next::Value),
                    }
                }
            } else if byte | 0x20 == b'{' {
                let following = (word >> 8) as u8;
                if following == byte + 2 {
                    offset += 2;
                } else {
                    let is_object = byte == b'{';
                    if following <= b' ' || is_object && following != b'"' || nesting >> DEPTH_MAX != 0 {
                        break (base.wrapping_add(offset), Next::Value);
                    }
                    nesting = nesting << 1 | u64::from(is_object);
                    offset += 1;
                    (is_at_key, is_after_value) = (is_object, false);
                    continue;
                }
            } else if word as u32 == u32::from_le_bytes(*b"null") || word as u32 == u32::from_le_bytes(*b"true") {
                offset += 4;
            } else if word << 24 == u64::from_le_bytes(*b"\0\0\0false") {
                offset += 5;
            } else {
                match usual_number_end(text, base.wrapping_add(offset)) {
                    Some(end) => offset = end - base,
                    None => break (base.wrapping_add(offset), Next::Value),
                }
            }
            if nesting == ROOT {
                self.note_value(text, base.wrapping_add(offset));
            }
            is_after_value = true;
        };
        *place = at;
        self.depth = DEPTH_MAX - nesting.leading_zeros();
        self.nesting = u128::from(nesting ^ 1 << self.depth);
        self.closing = closing_of(nesting & 1 == 1);
        next
    }

    /// Notes a key of the root, plain and with its quotes at `at` and `quote`, and that its value follows the colon. Not one that may
    /// have to be refused: that is told where it is not usual.
    #[inline(always)]
    fn note_usual_key(&mut self, text: &[u8], at: usize, quote: usize) -> bool {
        let Some(name) = text.get(at + 1..quote) else { return false };
        let id = self.members.candidate(name);
        let member_id = match self.members.names.get(id) {
            Some(known) if known.len() == name.len() => {
                // In another case, or once more.
                if !same(known.as_bytes(), name) || self.scan.seen >> id & 1 == 1 {
                    return false;
                }
                let Some(member) = self.scan.members.get_mut(id) else { return false };
                (member.key, member.key_bytes) = (at as u32, (name.len() + 2) as u16);
                id
            }
            _ => OTHER,
        };
        if self.scan.member_count == MEMBERS_MAX {
            return false;
        }
        self.scan.member_count += 1;
        self.member_id = member_id;
        self.token = quote + 2;
        true
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

/// The window at `at`, if the text reaches that far.
#[inline(always)]
fn window_at(text: &[u8], at: usize) -> Option<&[u8; WINDOW_BYTES]> {
    text.get(at..at.wrapping_add(WINDOW_BYTES))?.first_chunk()
}

/// The last bytes of a text, fewer than a window, with zeros behind them.
#[cold]
#[inline(never)]
fn padded(text: &[u8], from: usize) -> [u8; WINDOW_BYTES] {
    let mut window = [0; WINDOW_BYTES];
    let rest = text.get(from..).unwrap_or_default();
    window[..rest.len()].copy_from_slice(rest);
    window
}

#[inline(always)]
fn block_of(window: &[u8; WINDOW_BYTES]) -> &[u8; 64] {
    window.first_chunk().expect("a window begins with a block")
}

/// The eight bytes at `offset`, the first lowest. `offset` is at most 64.
#[inline(always)]
fn word_of(window: &[u8; WINDOW_BYTES], offset: usize) -> u64 {
    u64::from_le_bytes(*window[offset..offset + 8].first_chunk().expect("eight bytes"))
}

/// Index after the number at `at`, if it is one without an exponent and what follows has arrived.
#[inline(always)]
pub(in crate::json) fn usual_number_end(text: &[u8], at: usize) -> Option<usize> {
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

/// How many bits of a word, the lowest first, are digits before another byte: 32 if all are.
#[inline(always)]
fn digit_bits_in(word: u32) -> u32 {
    const EACH: u32 = 0x0101_0101;
    let word = word ^ (EACH * 0x30);
    // As in `digits_in`.
    let others = (word.wrapping_add(EACH * 0x76) | word) & (EACH * 0x80);
    others.trailing_zeros() & !7
}
