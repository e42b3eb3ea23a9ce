//! Where a string ends, with all of it validated: escapes, control characters, UTF-8.
//!
//! 64 bytes at a time, whatever is in them: a block is not left for an escape or a character that is not ASCII, but asked more about
//! it, and passed with everything before the first unescaped quote found to be in order. Byte by byte only what is rare is looked at:
//! escapes other than the usual ones, and the last bytes of a text. Why not from stop to stop: prose has an escape every 80 bytes,
//! and each would cost a look of its own.
//!
//! Without vectors single characters are checked one by one, and many of them in blocks by `simdutf8`. That may run ahead of the
//! string's end, because all of a text has to be UTF-8.
//!
//! A text that ends inside the string is taken up to its end, but for an escape or a character that is cut.

use super::{
    scan::{ScanError, ScanErrorKind},
    stops::{Ask, Look, block_at, character_bytes, cut_character_bytes, escaped, padded},
};

/// How far a string reaches.
#[derive(Debug, Clone, Copy)]
pub struct StringEnd {
    /// Index after its quote; if the text ends first, index up to which the string has been taken.
    pub at: usize,
    pub is_whole: bool,
    /// There is an escape in what was taken; a character that is not ASCII.
    pub escaped: bool,
    pub foreign: bool,
}

/// Bytes of one block that are not ASCII and are looked at character by character.
const FOREIGN_BYTES_CHECKED_SINGLY_MAX: u32 = 12;

/// After how many bytes without a stop a search for the next one begins that only knows of stops: a power of two.
const PLAIN_BYTES_TRIED: usize = 512;

/// How far the check of UTF-8 runs ahead at most, so that what is checked twice (behind a cut) stays little.
const AHEAD_BYTES_MAX: usize = 4096;

/// Takes the rest of a string from `from` on, which is at no escaped byte and within no character.
///
/// # Errors
/// The string has a fault. Of several it may be another than the first.
#[inline(always)]
pub fn string_end<L: Look>(look: L, text: &[u8], from: usize) -> Result<StringEnd, ScanError> {
    let mut at = from;
    // Is the first byte of the block behind a backslash?
    let mut carry = 0;
    // Not 0 if a character of the block before may go on in this one.
    let mut open = 0;
    // Up to where characters have been checked one by one.
    let mut checked_to = from;
    let (mut has_escape, mut has_foreign) = (false, false);
    loop {
        let last;
        let block = match block_at(text, at) {
            Some(block) => block,
            None => {
                last = padded(text, at);
                &last
            }
        };
        let stops = look.mask(block, Ask::Stops);
        if stops | carry | open == 0 {
            at += 64;
            if at & (PLAIN_BYTES_TRIED - 64) == 0 {
                at = look.plain_end(text, at);
            }
            continue;
        }
        let backslashes = look.mask(block, Ask::Backslashes);
        let mut others = stops & !backslashes;
        let mut odd_escapes = 0;
        if backslashes | carry != 0 {
            let escaped = escaped(backslashes, &mut carry);
            others &= !escaped;
            odd_escapes = escaped & !look.mask(block, Ask::UsualEscapes);
            if others | odd_escapes | open == 0 {
                has_escape = true;
                at += 64;
                continue;
            }
        }
        let foreign = look.mask(block, Ask::Foreign);
        let ends = others & !foreign;
        let through_end = ends ^ ends.wrapping_sub(1);
        has_escape |= backslashes & through_end != 0;
        let mut cut = None;
        if odd_escapes & through_end != 0 {
            cut = check_escapes(text, at, odd_escapes & through_end)?;
        }
        if foreign & through_end | open != 0 {
            has_foreign = true;
            match look.utf8_faults(text, at) {
                Some(faults) if faults & through_end == 0 => open = foreign >> 61,
                Some(_) => return Err(ScanError { at, kind: ScanErrorKind::Utf8 }),
                None => {
                    let checked = check_characters(text, at, foreign & through_end, open, checked_to)?;
                    (checked_to, open) = (checked.to, 0);
                    cut = cut.or(checked.cut);
                }
            }
        }
        if ends == 0 && cut.is_none() {
            at += 64;
            continue;
        }
        let end = at + ends.trailing_zeros() as usize;
        let (end, is_whole) = match (cut, text.get(end)) {
            (Some(cut), _) => (cut, false),
            (None, Some(b'"')) => (end + 1, true),
            (None, Some(_)) => return Err(ScanError { at: end, kind: ScanErrorKind::ControlCharacter }),
            (None, None) => (text.len(), false),
        };
        return Ok(StringEnd { at: end, is_whole, escaped: has_escape, foreign: has_foreign });
    }
}

/// The same with AVX2.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(crate) fn string_end_avx2(text: &[u8], from: usize) -> Result<StringEnd, ScanError> {
    string_end(super::stops::avx2::look(), text, from)
}

/// The same with AVX-512.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,popcnt")]
pub(crate) fn string_end_avx512(text: &[u8], from: usize) -> Result<StringEnd, ScanError> {
    string_end(super::stops::avx512::look(), text, from)
}

/// Checks the escaped bytes of the block at `base` that are not of the usual ones. Answers where an escape is that is cut.
#[cold]
#[inline(never)]
fn check_escapes(text: &[u8], base: usize, mut escaped: u64) -> Result<Option<usize>, ScanError> {
    while escaped != 0 {
        let at = base + escaped.trailing_zeros() as usize;
        escaped &= escaped - 1;
        match text.get(at) {
            Some(byte) if IS_ESCAPE[usize::from(*byte)] => {}
            Some(b'u') if text.get(at + 1..at + 5).is_some_and(are_hex_digits) => {}
            _ if is_cut_escape(&text[at - 1..]) => return Ok(Some(at - 1)),
            _ => return Err(ScanError { at: at - 1, kind: ScanErrorKind::Escape }),
        }
    }
    Ok(None)
}

struct Checked {
    /// Up to where the text has been found to be UTF-8, if that is past the block's start.
    to: usize,
    /// Where a character is that is cut.
    cut: Option<usize>,
}

/// Checks the characters of the block at `base` that have these bytes; and one that goes on in it, if the block before is `open`.
#[inline(never)]
fn check_characters(
    text: &[u8],
    base: usize,
    foreign: u64,
    open: u64,
    checked_to: usize,
) -> Result<Checked, ScanError> {
    let unchecked = |to: usize| match to.saturating_sub(base) {
        bytes @ 0..64 => foreign & (!0 << bytes),
        _ => 0,
    };
    let next = |to: usize| base + unchecked(to).trailing_zeros() as usize;
    let mut to = checked_to;
    let open_bytes = if open == 0 { 0 } else { cut_character_bytes(&text[..base]) };
    let mut at = if open_bytes == 0 { next(to) } else { base - open_bytes };
    if unchecked(at).count_ones() > FOREIGN_BYTES_CHECKED_SINGLY_MAX {
        to = check_ahead(text, at)?;
        at = next(to);
    }
    while at < base || unchecked(at) != 0 {
        let bytes = character_bytes(text, at);
        if bytes == 0 {
            if at + cut_character_bytes(text) != text.len() {
                return Err(ScanError { at, kind: ScanErrorKind::Utf8 });
            }
            return Ok(Checked { to, cut: Some(at) });
        }
        to = at + bytes;
        at = next(to);
    }
    Ok(Checked { to, cut: None })
}

/// Checks the characters from `from`, where one starts, until there are no more for a while. Answers up to where they have been
/// checked, which may be past the string, but is before a character that is cut.
#[inline(never)]
fn check_ahead(text: &[u8], from: usize) -> Result<usize, ScanError> {
    let ahead = &text[from..text.len().min(from + AHEAD_BYTES_MAX)];
    let (blocks, _) = ahead.as_chunks::<64>();
    let ahead = match blocks.iter().position(|block| block.is_ascii()) {
        Some(block) => &ahead[..64 * block],
        None => ahead,
    };
    let whole = &ahead[..ahead.len() - cut_character_bytes(ahead)];
    match simdutf8::basic::from_utf8(whole) {
        Ok(_) => Ok(from + whole.len()),
        Err(_) => Err(ScanError { at: from, kind: ScanErrorKind::Utf8 }),
    }
}

/// What may stand behind a backslash, but for `u`.
static IS_ESCAPE: [bool; 256] = {
    let mut is_escape = [false; 256];
    let mut left: &[u8] = b"\"\\/bfnrt";
    while let [byte, rest @ ..] = left {
        is_escape[*byte as usize] = true;
        left = rest;
    }
    is_escape
};

fn are_hex_digits(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_hexdigit)
}

/// May this, the rest of a text, be the start of an escape whose end has not arrived?
#[cold]
fn is_cut_escape(rest: &[u8]) -> bool {
    match rest {
        [_] => true,
        [_, b'u', digits @ ..] => digits.len() < 4 && are_hex_digits(digits),
        _ => false,
    }
}
