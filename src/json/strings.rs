//! JSON strings: where a run of plain characters ends, what a string says, and how to write one.
//!
//! Two searches for the end of a run: [`plain_run_end`] for text that is still to be validated, and `plain_text_end` for text that
//! has been. The scanner's own search is in [`super::stops`].
//!
//! Lone surrogates: RFC 8259 permits `"\ud800"` in its grammar and leaves the meaning open; Python and JavaScript clients send
//! them for emoji cut in half, and providers accept them. The scanner passes them. They have no UTF-8 form, so [`decode`]
//! answers `None` for them: whoever needs the text as a Rust string has to refuse it.

use std::borrow::Cow;

/// Index of the first byte at or after `from` that is `"`, `\` or a control character; the text's length if there is none.
#[inline(always)]
pub fn plain_run_end(text: &[u8], from: usize) -> usize {
    // Names, roles and the stretches between escapes end within the first words: one is looked at without a call.
    match block_at(text, from).map(run_ends) {
        Some(0) => longer_run_end(text, from + 8),
        Some(ends) => from + first_byte_set(ends),
        None => short_run_end(text, from),
    }
}

fn longer_run_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    for _ in 0..3 {
        let Some(word) = block_at(text, at) else { return short_run_end(text, at) };
        let ends = run_ends(word);
        if ends != 0 {
            return at + first_byte_set(ends);
        }
        at += 8;
    }
    while let Some(block) = block_at::<64>(text, at) {
        if block.iter().fold(false, |any, &byte| any | ends_run(byte)) {
            break;
        }
        at += 64;
    }
    while let Some(word) = block_at(text, at) {
        let ends = run_ends(word);
        if ends != 0 {
            return at + first_byte_set(ends);
        }
        at += 8;
    }
    short_run_end(text, at)
}

#[inline(always)]
fn block_at<const N: usize>(text: &[u8], at: usize) -> Option<&[u8; N]> {
    text.get(at..)?.first_chunk()
}

/// Is it `"`, `\` or a control character? Flipping bit 1 moves `"` (0x22) to 0x20, right above the control characters, and keeps
/// those below 0x20: one comparison finds both. `|` and not `||`, which would keep the compiler from using vectors.
#[inline(always)]
fn ends_run(byte: u8) -> bool {
    ((byte ^ 0x02) <= 0x20) | (byte == b'\\')
}

/// The same for eight bytes in one integer: the lowest byte that ends a run has its high bit set, those below have not. Bytes
/// above may be wrong, because a subtraction borrows from them.
#[inline(always)]
fn run_ends(word: &[u8; 8]) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = EACH << 7;
    let word = u64::from_le_bytes(*word);
    let flipped = word ^ (EACH * 0x02);
    let backslash = word ^ (EACH * b'\\' as u64);
    ((flipped.wrapping_sub(EACH * 0x21) & !flipped) | (backslash.wrapping_sub(EACH) & !backslash)) & HIGH
}

#[inline(always)]
fn first_byte_set(ends: u64) -> usize {
    (ends.trailing_zeros() / 8) as usize
}

/// For the last bytes of a text.
fn short_run_end(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && !ends_run(text[at]) {
        at += 1;
    }
    at
}

/// Where the string ends that `at` is inside of: the index of its closing quote. `None` if it is not valid, or not whole.
#[inline]
pub(crate) fn valid_end(text: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    loop {
        end = plain_run_end(text, end);
        match text.get(end..)? {
            [b'"', ..] => break,
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => end += 2,
            [b'\\', b'u', digits @ ..]
                if digits.iter().take(4).filter(|digit| digit.is_ascii_hexdigit()).count() == 4 =>
            {
                end += 6;
            }
            _ => return None,
        }
    }
    let inside = &text[at..end];
    // Nearly all are short and ASCII, of which the library looks at each byte by itself.
    (inside.is_ascii() || std::str::from_utf8(inside).is_ok()).then_some(end)
}

/// Index after the closing quote of a string that starts at `open` in a well-formed text; the text's length if it is not closed.
#[inline]
pub(crate) fn skip_string(text: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    loop {
        at = plain_text_end(text, at);
        match text.get(at) {
            Some(b'"') => return at + 1,
            // A well-formed `\u0022` needs no care: its four digits are plain.
            Some(_) => at += 2,
            None => return text.len(),
        }
    }
}

/// Index of the first `"` or `\` at or after `from` in a well-formed text, where nothing else ends a run; the text's length or
/// more if there is none.
#[inline]
pub(crate) fn plain_text_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(block) = block_at(text, at) {
        let ends = crate::sys::quotes_and_backslashes(block);
        if ends != 0 {
            return at + ends.trailing_zeros() as usize;
        }
        at += 16;
    }
    while text.get(at).is_some_and(|byte| !matches!(byte, b'"' | b'\\')) {
        at += 1;
    }
    at
}

/// What a string says: `literal` is a well-formed string with its quotes. Borrowed unless it has escapes.
///
/// `None` if it contains a lone surrogate (see the header), or is not a string.
pub fn decode(literal: &[u8]) -> Option<Cow<'_, str>> {
    let inner = literal.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if !inner.iter().fold(false, |any, &byte| any | (byte == b'\\')) {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    let mut said = String::with_capacity(inner.len());
    for piece in pieces(inner) {
        match piece? {
            Piece::Plain(run) => said.push_str(std::str::from_utf8(run).ok()?),
            Piece::Escaped(character) => said.push(character),
        }
    }
    Some(Cow::Owned(said))
}

/// What the inside of a well-formed string says; what has no meaning in UTF-8, and all after it, becomes one U+FFFD.
pub fn decode_lossy(inner: &[u8]) -> String {
    let mut said = String::with_capacity(inner.len());
    append_decoded(inner, &mut said);
    said
}

/// The same behind what has been said before.
pub fn append_decoded(inner: &[u8], said: &mut String) {
    for piece in pieces(inner) {
        match piece {
            Some(Piece::Plain(run)) => said.push_str(&String::from_utf8_lossy(run)),
            Some(Piece::Escaped(character)) => said.push(character),
            None => said.push(char::REPLACEMENT_CHARACTER),
        }
    }
}

/// Does a well-formed string literal (with its quotes) say exactly `expected`?
pub fn says(literal: &[u8], expected: &str) -> bool {
    let Some(inner) = literal.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else { return false };
    if inner == expected.as_bytes() {
        return !expected.contains('\\');
    }
    // Every escape is longer than what it says.
    inner.len() > expected.len() && inner.contains(&b'\\') && decode(literal).is_some_and(|said| said == expected)
}

/// Decodes the inside of a well-formed string into `room`; `None` if it does not fit or has a lone surrogate.
pub(crate) fn decode_into<'r>(inner: &[u8], room: &'r mut [u8]) -> Option<&'r [u8]> {
    let mut used = 0;
    let mut utf8 = [0; 4];
    for piece in pieces(inner) {
        let bytes = match piece? {
            Piece::Plain(run) => run,
            Piece::Escaped(character) => character.encode_utf8(&mut utf8).as_bytes(),
        };
        room.get_mut(used..used + bytes.len())?.copy_from_slice(bytes);
        used += bytes.len();
    }
    Some(&room[..used])
}

enum Piece<'a> {
    Plain(&'a [u8]),
    Escaped(char),
}

/// The runs and escapes of the inside of a string; `None` for what has no meaning, after which nothing follows.
fn pieces(inner: &[u8]) -> impl Iterator<Item = Option<Piece<'_>>> {
    let mut rest = inner;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let run = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        if run > 0 {
            let (plain, after) = rest.split_at(run);
            rest = after;
            return Some(Some(Piece::Plain(plain)));
        }
        let escape = escape(rest);
        rest = escape.map_or(&[], |(_, length)| rest.get(length..).unwrap_or_default());
        Some(escape.map(|(character, _)| Piece::Escaped(character)))
    })
}

/// The character that the escape at the start of `text` stands for, and the escape's length in bytes.
fn escape(text: &[u8]) -> Option<(char, usize)> {
    let character = match text.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(text),
        _ => return None,
    };
    Some((character, 2))
}

fn unicode_escape(text: &[u8]) -> Option<(char, usize)> {
    let first = code_unit(text)?;
    if !(0xD800..0xDC00).contains(&first) {
        // A trailing surrogate without its leading one is no `char`, so this is `None` for it.
        return Some((char::from_u32(first)?, 6));
    }
    let second = code_unit(text.get(6..)?).filter(|unit| (0xDC00..0xE000).contains(unit))?;
    Some((char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))?, 12))
}

/// The 16 bits that a `\uXXXX` at the start of `text` names.
fn code_unit(text: &[u8]) -> Option<u32> {
    text.get(..6)?
        .strip_prefix(b"\\u")?
        .iter()
        .try_fold(0, |unit, &digit| Some(unit * 16 + (digit as char).to_digit(16)?))
}

/// Appends `said` as a JSON string with its quotes. Only what RFC 8259 requires is escaped, plus DEL, which some terminals obey.
pub fn write_string(out: &mut Vec<u8>, said: &str) {
    out.reserve(said.len() + 2);
    out.push(b'"');
    write_escaped(out, said);
    out.push(b'"');
}

/// Has it anything that [`write_escaped`] escapes? Most of what is asked about is a few words long.
fn has_escapes(said: &[u8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let in_word = |word: &[u8; 8]| {
        let delete = u64::from_le_bytes(*word) ^ (EACH * 0x7F);
        // Whether any bit is set is right, whatever a subtraction borrows.
        run_ends(word) | (delete.wrapping_sub(EACH) & !delete & (EACH << 7))
    };
    match said.last_chunk() {
        // What the last whole word leaves is looked at with some of that again.
        Some(last) => said.as_chunks().0.iter().fold(in_word(last), |any, word| any | in_word(word)) != 0,
        None => said.iter().any(|&byte| ends_run(byte) || byte == 0x7F),
    }
}

/// The same without the quotes.
pub fn write_escaped(out: &mut Vec<u8>, said: &str) {
    // Model names, ids and messages of ours: nearly none has anything to escape.
    if !has_escapes(said.as_bytes()) {
        out.extend_from_slice(said.as_bytes());
        return;
    }
    let mut plain_from = 0;
    for (at, byte) in said.bytes().enumerate() {
        if !ends_run(byte) && byte != 0x7F {
            continue;
        }
        out.extend_from_slice(&said.as_bytes()[plain_from..at]);
        plain_from = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let digits = [HEX[usize::from(control >> 4)], HEX[usize::from(control & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
            }
        }
    }
    out.extend_from_slice(&said.as_bytes()[plain_from..]);
}

#[cfg(test)]
mod tests;
