//! Small scalars out of a scanned text.
//!
//! Each takes the bytes of one well-formed value, as [`super::scan`] and [`super::walk`] find them, and answers `None` where the
//! value is of another kind or does not fit the type. A number with a fraction or an exponent is no `u64`, also `1e2`.

use std::borrow::Cow;

/// The text of a string; `None` also for a string with a lone surrogate, see [`super::strings`].
pub fn string_value(value: &[u8]) -> Option<Cow<'_, str>> {
    super::strings::decode(value)
}

pub fn bool_value(value: &[u8]) -> Option<bool> {
    match value {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

pub fn u64_value(value: &[u8]) -> Option<u64> {
    let (number, end) = u64_at(value, 0)?;
    (end == value.len()).then_some(number)
}

/// The whole number that starts at `at` in a well-formed text, and where it ends.
#[inline]
pub fn u64_at(text: &[u8], at: usize) -> Option<(u64, usize)> {
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

    #[test]
    fn whole_numbers_only() {
        assert_eq!(u64_value(b"0"), Some(0));
        assert_eq!(u64_value(b"18446744073709551615"), Some(u64::MAX));
        for other in ["", "-1", "1.0", "1e2", "18446744073709551616", "null", "\"1\""] {
            assert_eq!(u64_value(other.as_bytes()), None, "{other}");
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
