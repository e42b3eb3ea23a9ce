//! Steps through the members of an object or the elements of an array, in a text that [`super::scan`] has accepted.
//!
//! The caller is told where each value begins, and says where it ends if it has stepped through it itself: so a reader of nested
//! objects passes over each byte once. A value that nobody wants is skipped by counting brackets outside strings, not by
//! recursion, so depth costs nothing.
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
#[inline]
pub fn each_member(text: &[u8], at: usize, mut on: impl FnMut(Entry) -> Option<usize>) -> usize {
    if text.get(at) != Some(&b'{') {
        return value_end(text, at);
    }
    let mut at = at + 1;
    loop {
        match solid(text, &mut at) {
            Some(b'"') => {}
            Some(b',') => {
                at += 1;
                continue;
            }
            Some(b'}') => return at + 1,
            _ => return at,
        }
        let open = at;
        let mut room;
        at = strings::plain_text_end(text, open + 1);
        let name = if text.get(at) == Some(&b'"') {
            at += 1;
            &text[open + 1..at - 1]
        } else {
            at = strings::skip_string(text, open);
            room = [0; NAME_BYTES_MAX];
            escaped_name(&text[open..at], &mut room)
        };
        let key = Span::new(open, at);
        if let Some([b':', b'!'..=255]) = text.get(at..).and_then(|rest| rest.first_chunk()) {
            // No white space, as usual.
            at += 1;
        } else {
            if solid(text, &mut at) == Some(b':') {
                at += 1;
            }
            solid(text, &mut at);
        }
        at = on(Entry { name, key, at }).unwrap_or_else(|| value_end(text, at)).max(at);
    }
}

#[cold]
fn escaped_name<'r>(literal: &[u8], room: &'r mut [u8]) -> &'r [u8] {
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    strings::decode_into(inner, room).unwrap_or_default()
}

/// Calls `on` with the start of each element of the array at `at`, in order, as [`each_member`] does.
#[inline]
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
        Some(b'"') => strings::skip_string(text, at),
        Some(b'{' | b'[') => container_end(text, at),
        Some(b'n' | b't') => text.len().min(at + 4),
        Some(_) => scalar_end(text, at),
        None => text.len(),
    }
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

fn container_end(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0usize;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => {
                at = strings::skip_string(text, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
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
mod tests;
