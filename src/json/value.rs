//! Small scalars out of a scanned text.
//!
//! Each takes one well-formed value, as [`super::scan`] and [`super::walk`] find them, and answers `None` where the value is of
//! another kind or does not fit the type. A number with a fraction or an exponent is no `u64`, also `1e2`.

use super::{Span, walk::place};
use std::borrow::Cow;

/// The text of a string; `None` also for a string with a lone surrogate, see [`super::strings`].
pub fn string_value(value: &[u8]) -> Option<Cow<'_, str>> {
    super::strings::decode(value)
}

/// `said` as text, if it is plain.
#[inline(always)]
pub fn plain_text(said: &[u8]) -> Option<&str> {
    if is_plain(said) { crate::sys::ascii_text(said) } else { None }
}

/// Is it printable ASCII without quotes and backslashes, so that it stands in JSON as it is? Eight bytes at a time: names of models
/// are short, and this is asked of each.
#[inline(always)]
pub fn is_plain(said: &[u8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // The high bit of a byte is set if it is no such character; bytes above the lowest one may be wrong.
    let others = |word: u64| {
        let is_zero = |word: u64| word.wrapping_sub(EACH) & !word;
        let control = word.wrapping_sub(EACH * 0x20) & !word;
        let quote = is_zero(word ^ (EACH * u64::from(b'"')));
        let backslash = is_zero(word ^ (EACH * u64::from(b'\\')));
        let delete = is_zero(word ^ (EACH * 0x7F));
        (word | control | quote | backslash | delete) & (EACH * 0x80)
    };
    let (words, rest) = said.as_chunks::<8>();
    let last = match said.last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => rest.iter().fold(EACH * u64::from(b' '), |word, &byte| word << 8 | u64::from(byte)),
    };
    words.iter().fold(others(last), |any, word| any | others(u64::from_le_bytes(*word))) == 0
}

pub fn bool_value(value: &[u8]) -> Option<bool> {
    match value {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// The whole number that `value` of a well-formed text is.
#[inline]
pub fn u64_in(text: &[u8], value: Span) -> Option<u64> {
    let (number, end) = u64_at(text, value.start as usize)?;
    (end == value.end as usize).then_some(number)
}

/// The whole number that starts at `at` in a well-formed text, and where it ends.
#[inline(always)]
pub fn u64_at(text: &[u8], at: usize) -> Option<(u64, usize)> {
    short_number(text, at).or_else(|| number(text, at))
}

/// A number of one to seven digits with a comma or the object's end behind it; `None` where that is not so.
#[inline(always)]
fn short_number(text: &[u8], at: usize) -> Option<(u64, usize)> {
    let at = place(at);
    let bytes = match text.get(at..at + 8).and_then(<[u8]>::first_chunk) {
        Some(bytes) => *bytes,
        None => last_bytes(text, at)?,
    };
    let mut number = 0;
    for (digits, byte) in bytes.into_iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            let ends = digits > 0 && matches!(byte, b',' | b'}');
            return ends.then_some((u64::from(number), at + digits));
        }
        number = number * 10 + u32::from(digit);
    }
    None
}

/// What is left of a text from `at` on, fewer than eight bytes, with zeros behind it.
#[inline(always)]
fn last_bytes(text: &[u8], at: usize) -> Option<[u8; 8]> {
    let last = u64::from_le_bytes(*text.last_chunk()?);
    let before = (at + 8).checked_sub(text.len()).filter(|before| *before < 8)?;
    Some((last >> (8 * before)).to_le_bytes())
}

#[cold]
#[inline(never)]
fn number(text: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut number = 0u64;
    let mut end = at;
    while let Some(digit) = text.get(end).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9) {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        end += 1;
    }
    match end - at {
        0 => return None,
        1..DIGITS_MAX => {}
        // It may have wrapped.
        _ => number = std::str::from_utf8(&text[at..end]).ok()?.parse().ok()?,
    }
    let goes_on = matches!(text.get(end), Some(b'.' | b'e' | b'E'));
    (!goes_on).then_some((number, end))
}

/// Digits of the largest number that fits.
const DIGITS_MAX: usize = 20;

/// Is the value one that Python and JavaScript count as true? SDKs test members such as `error` that way. Empty containers are
/// false here, as in Python.
pub fn is_truthy(value: &[u8]) -> bool {
    match value {
        b"null" | b"false" | b"\"\"" => false,
        [b'{' | b'[', inner @ .., b'}' | b']'] => !inner.iter().all(|&byte| super::is_space(byte)),
        // 0, -0, 0.0, 0e5: no digit but zeros before the exponent.
        [b'-' | b'0'..=b'9', ..] => {
            value.iter().take_while(|byte| !matches!(byte, b'e' | b'E')).any(|byte| matches!(byte, b'1'..=b'9'))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_only() {
        let number = |value: &str| u64_in(value.as_bytes(), Span::new(0, value.len()));
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("18446744073709551615"), Some(u64::MAX));
        for other in ["", "-1", "1.0", "1e2", "18446744073709551616", "null", "\"1\""] {
            assert_eq!(number(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_number_is_read_where_it_stands(digits in "[1-9]?[0-9]{0,21}", rest in "[-,}\\]. eE\"][0-9,}]{0,9}|") {
            let text = format!("[{digits}{rest}");
            let goes_on = rest.starts_with(['.', 'e', 'E']);
            let expected = digits.parse().ok().filter(|_| !goes_on).map(|number: u64| (number, 1 + digits.len()));
            prop_assert_eq!(u64_at(text.as_bytes(), 1), expected);
            let is_all = rest.is_empty() || rest.starts_with([',', '}', ']', ' ', '"', '-']);
            prop_assert_eq!(u64_in(text.as_bytes(), Span::new(1, 1 + digits.len())), expected.filter(|_| is_all).map(|of| of.0));
        }

        #[test]
        fn plain_is_what_needs_no_escape(said in prop::collection::vec(prop_oneof![9 => 0x20u8..0x7F, 1 => any::<u8>()], 0..40)) {
            let needs_none = |byte: &u8| (0x20..0x7F).contains(byte) && !matches!(byte, b'"' | b'\\');
            prop_assert_eq!(is_plain(&said), said.iter().all(needs_none));
        }
    }

    #[test]
    fn truth_is_as_in_python() {
        for falsy in ["null", "false", "0", "-0", "0.0", "0e9", "\"\"", "{}", "[ ]"] {
            assert!(!is_truthy(falsy.as_bytes()), "{falsy}");
        }
        for truthy in ["true", "1", "-0.5", "1e400", "\"0\"", "{\"a\":0}", "[0]", "\" \""] {
            assert!(is_truthy(truthy.as_bytes()), "{truthy}");
        }
    }
}
