//! Tokens that nobody counted: by the bytes of what was said.
//!
//! Four bytes of text to a token is what the common tokenizers come to for English and code; other scripts have fewer bytes to a
//! token, so the estimate is low for them. A picture or a file that stands in a request as base64 is not text: each counts as
//! much as a picture of ordinary size costs at most providers. [`super::tokenizer`] does better where it is asked for.

use crate::json::strings::skip_string;

/// Bytes of text to a token.
pub const BYTES_PER_TOKEN: u64 = 4;

/// Tokens of a picture, a file or a sound that is part of a request.
pub const INLINE_DATA_TOKENS: u64 = 1_000;

/// A string without a space that is longer than this many bytes is no text.
const WORD_BYTES_MAX: usize = 2 * 1024;

/// Tokens of `bytes` of text, rounded up.
pub fn of_text(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN)
}

/// Tokens of a request, from its body, which is valid JSON. Names of members and punctuation count: tools and schemas are read by the
/// model with theirs.
pub fn of_request(body: &[u8]) -> u64 {
    let (mut data_bytes, mut data) = (0, 0);
    let mut at = 0;
    while let Some(quote) = memchr::memchr(b'"', &body[at..]) {
        let end = skip_string(body, at + quote);
        let string = &body[at + quote..end];
        if is_data(string) {
            data_bytes += string.len();
            data += 1;
        }
        at = end;
    }
    of_text((body.len() - data_bytes) as u64) + data * INLINE_DATA_TOKENS
}

/// Is a string, with its quotes, a picture or a file rather than text?
pub fn is_data(string: &[u8]) -> bool {
    string.len() > WORD_BYTES_MAX && memchr::memchr(b' ', string).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_counted_by_its_bytes_and_data_by_the_piece() {
        let tokens = |content: &str| of_request(format!(r#"{{"content":"{content}"}}"#).as_bytes());
        let frame = r#"{"content":""}"#.len() as u64;
        let data = "A".repeat(1 << 20);
        for (content, expected) in [
            ("", frame.div_ceil(4)),
            ("a quote \\\" and a backslash \\\\", (frame + 29).div_ceil(4)),
            (&"word ".repeat(1_000), (frame + 5_000).div_ceil(4)),
            // The quotes are the string's.
            (&data, (frame - 2).div_ceil(4) + INLINE_DATA_TOKENS),
            (&format!("{data}\",\"{data}"), (frame - 2 + 1).div_ceil(4) + 2 * INLINE_DATA_TOKENS),
        ] {
            assert_eq!(tokens(content), expected, "{:.40}", content);
        }
        assert_eq!((of_text(0), of_text(1), of_text(4), of_text(5)), (0, 1, 1, 2));
    }
}
