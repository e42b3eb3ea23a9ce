//! Steps through the members of an object or the elements of an array, in a text that [`super::scan`] has accepted.
//!
//! The caller is told where each value begins, and says where it ends if it has stepped through it itself: so a reader of nested
//! objects passes over each byte once. A value that nobody wants is skipped by counting brackets outside strings ([`super::skip`]), not
//! by recursion, so depth costs nothing.
//!
//! Senders write most of an answer the same way every time. [`after`] passes such a stretch in one comparison, and
//! [`rest_of_members`] goes on from wherever that ends, so what is found does not depend on it.
//!
//! All places are offsets into the whole text, so what is found here can be patched. Nothing is validated again: on a text that
//! was never scanned the walk ends early or reports places that mean nothing, but it does not panic and it does end.

use super::scan::Member;
use super::{Kind, Span, is_space, strings};

/// A member, as the walk comes to it.
pub struct Entry<'n> {
    /// What the name says, whichever way it is written; empty for a name with an escape that is longer than `NAME_BYTES_MAX`.
    pub name: &'n [u8],
    /// The name as it is written, with its quotes.
    pub key: Span,
    /// Where the value starts.
    pub at: usize,
}

/// Longest name that is decoded, in bytes. Nobody looks for a longer one.
const NAME_BYTES_MAX: usize = 64;

/// Calls `on` with each member of the object at `at`, in order. `on` answers where the value ends if it knows.
///
/// Returns the end of the value at `at`, also if that is no object.
#[inline(always)]
pub fn each_member(text: &[u8], at: usize, on: impl FnMut(Entry) -> Option<usize>) -> usize {
    if text.get(at) != Some(&b'{') {
        return value_end(text, at);
    }
    rest_of_members(text, at + 1, on)
}

/// The same for an object that the caller has stepped into: `at` is inside it, before a member, after a value, or at its end.
#[inline(always)]
pub fn rest_of_members(text: &[u8], at: usize, mut on: impl FnMut(Entry) -> Option<usize>) -> usize {
    let mut at = place(at);
    loop {
        // A comma and the next name without white space, as usual; or the first name.
        if ahead(text, at) == Some(b",\"") {
            at = place(at + 1);
        } else {
            match solid(text, &mut at) {
                Some(b'"') => {}
                Some(b',') => {
                    at = place(at + 1);
                    continue;
                }
                Some(b'}') => return at + 1,
                _ => return at,
            }
        }
        let open = at;
        let quote = plain_end(text, open + 1);
        let mut room;
        // No escape and no white space, as usual.
        let entry = match ahead(text, quote) {
            Some([b'"', b':', next]) if *next > b' ' => {
                let name = text.get(open + 1..quote).unwrap_or_default();
                Entry { name, key: Span::new(open, quote + 1), at: place(quote + 2) }
            }
            _ => {
                room = [0; NAME_BYTES_MAX];
                unusual_entry(text, open, &mut room)
            }
        };
        let value = entry.at;
        at = place(on(entry).unwrap_or_else(|| usual_value_end(text, value)).max(value));
    }
}

/// A place in a text. That it has 32 bits spares the checks that a place some bytes ahead is not behind.
#[inline(always)]
pub(super) fn place(at: usize) -> usize {
    at as u32 as usize
}

/// The bytes from `at` on.
#[inline(always)]
pub(super) fn ahead<const N: usize>(text: &[u8], at: usize) -> Option<&[u8; N]> {
    text.get(at..at + N)?.first_chunk()
}

/// The member whose name starts at `open` and has an escape, or white space behind it.
#[cold]
#[inline(never)]
fn unusual_entry<'n>(text: &'n [u8], open: usize, room: &'n mut [u8]) -> Entry<'n> {
    let mut at = strings::skip_string(text, open);
    let key = Span::new(open, at);
    let literal = &text[open..at];
    let name = match literal.contains(&b'\\') {
        true => escaped_name(literal, room),
        false => literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default(),
    };
    if solid(text, &mut at) == Some(b':') {
        at += 1;
    }
    solid(text, &mut at);
    Entry { name, key, at }
}

/// Index after `expected` if that is what stands at `at`, and no white space after it: for what senders write the same way every
/// time, such as a name with its quotes and its colon.
#[inline(always)]
pub fn after<const N: usize>(text: &[u8], at: usize, expected: &[u8; N]) -> Option<usize> {
    let at = place(at);
    let (there, next) = text.get(at..at + N + 1)?.split_at(N);
    (there == expected && next[0] > b' ').then_some(at + N)
}

fn escaped_name<'r>(literal: &[u8], room: &'r mut [u8]) -> &'r [u8] {
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    strings::decode_into(inner, room).unwrap_or_default()
}

/// Calls `on` with the start of each element of the array at `at`, in order, as [`each_member`] does.
#[inline(always)]
pub fn each_element(text: &[u8], at: usize, mut on: impl FnMut(usize) -> Option<usize>) -> usize {
    if text.get(at) != Some(&b'[') {
        return value_end(text, at);
    }
    let mut at = at + 1;
    loop {
        match solid(text, &mut at) {
            Some(b',') => at += 1,
            Some(b']') => return at + 1,
            Some(b'}' | b':') | None => return at,
            Some(_) => at = on(at).unwrap_or_else(|| value_end(text, at)).max(at + 1),
        }
    }
}

/// The last member with this name of the object at `object`: where a name appears twice, decoders take the last.
pub fn member(text: &[u8], object: Span, name: &str) -> Option<Member> {
    let mut found = None;
    each_member(text, object.start as usize, |entry| {
        if entry.name != name.as_bytes() {
            return None;
        }
        let value = value(text, entry.at);
        found = Some(Member { key: entry.key, value, kind: kind_at(text, entry.at) });
        Some(value.end as usize)
    });
    found
}

/// The kind of the value that starts at `at`.
pub fn kind_at(text: &[u8], at: usize) -> Kind {
    Kind::of_first_byte(text.get(at).copied().unwrap_or_default())
}

/// The value that starts at `at`.
pub fn value(text: &[u8], at: usize) -> Span {
    Span::new(at, value_end(text, at))
}

/// Index after the value that starts at `at`.
pub fn value_end(text: &[u8], at: usize) -> usize {
    match text.get(at) {
        Some(b'"') => string_end(text, at),
        Some(b'n' | b't') => text.len().min(at + 4),
        Some(b'{' | b'[') => match text.get(at + 1) {
            Some(b'}' | b']') => at + 2,
            _ => crate::sys::container_end_widest(text, at + 1),
        },
        Some(_) => scalar_end(text, at),
        None => text.len(),
    }
}

/// The same without a call for the usual ones.
#[inline(always)]
pub fn usual_value_end(text: &[u8], at: usize) -> usize {
    match text.get(at) {
        Some(b'n') => text.len().min(at + 4),
        Some(b'"') => string_end(text, at),
        _ => value_end(text, at),
    }
}

/// Index after the string that starts at `open`. One look tells for most strings.
#[inline(always)]
pub fn string_end(text: &[u8], open: usize) -> usize {
    let from = place(open + 1);
    let Some(block) = ahead(text, from) else { return strings::skip_string(text, open) };
    match crate::sys::quotes_and_backslashes(block) {
        0 => later_string_end(text, from + 16),
        ends => {
            let end = from + ends.trailing_zeros() as usize;
            if text.get(end) == Some(&b'"') { end + 1 } else { later_string_end(text, end) }
        }
    }
}

/// The same for what is not told by the first look. Some more of the same come before those that are wider, which have to be asked for.
#[inline(never)]
fn later_string_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    for _ in 0..3 {
        let Some(block) = ahead(text, at) else { return strings::skip_string(text, at - 1) };
        match crate::sys::quotes_and_backslashes(block) {
            0 => at += 16,
            ends => {
                at += ends.trailing_zeros() as usize;
                if text.get(at) == Some(&b'"') {
                    return at + 1;
                }
                break;
            }
        }
    }
    crate::sys::string_end_widest(text, at)
}

/// Index of the first quote or backslash at or after `from`; the text's length or more if there is none. One look tells for most
/// strings.
#[inline(always)]
pub(super) fn plain_end(text: &[u8], from: usize) -> usize {
    let from = place(from);
    let Some(block) = ahead(text, from) else { return place(later_plain_end(text, from)) };
    match crate::sys::quotes_and_backslashes(block) {
        0 => place(later_plain_end(text, from + 16)),
        ends => place(from + ends.trailing_zeros() as usize),
    }
}

#[inline(never)]
fn later_plain_end(text: &[u8], from: usize) -> usize {
    strings::plain_text_end(text, crate::sys::plain_end_widest(text, from))
}

/// Index after the number or the literal that `at` lies in.
#[inline]
pub(crate) fn scalar_end(text: &[u8], mut at: usize) -> usize {
    // All that may follow a scalar sorts below its characters, but for the closing brackets.
    while text.get(at).is_some_and(|&byte| byte > b',' && byte != b']' && byte != b'}' || matches!(byte, b'+')) {
        at += 1;
    }
    at
}

/// Moves `at` to the next byte that is no white space, and takes a look at it.
#[inline(always)]
fn solid(text: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let byte = *text.get(*at)?;
        // Nothing that follows white space sorts below it, so one comparison usually tells.
        if byte > b' ' || !is_space(byte) {
            return Some(byte);
        }
        *at += 1;
    }
}

#[cfg(test)]
pub(crate) mod tests;
