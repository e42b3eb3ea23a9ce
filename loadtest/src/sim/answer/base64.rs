//! Base64, as vectors and signatures are written.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            let letter = if position > group.len() {
                '='
            } else {
                char::from(LETTERS[(bits >> (18 - 6 * position)) as usize & 63])
            };
            text.push(letter);
        }
    }
    text
}

/// Whether a text could have been written by `encode`, or by an encoder that uses the letters for URLs.
pub(super) fn is_encoded(text: &str) -> bool {
    let bare = text.trim_end_matches('=');
    let fits = match text.len() - bare.len() {
        0 => bare.len() % 4 != 1,
        padding => padding <= 2 && text.len().is_multiple_of(4),
    };
    fits && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_'))
}
