//! Base64 with the standard alphabet (RFC 4648, section 4), for signatures and vectors: small things, none of them on the way of a prompt.
//! What is, pictures and the like, stays as it is written ([`standard`]).

use crate::json::piece::Text;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends `bytes`, padded.
pub fn encode(bytes: &[u8], out: &mut String) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0, |word, at| word << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let character = ALPHABET[(word >> (18 - 6 * at)) as usize & 63];
            out.push(if at <= chunk.len() { character as char } else { '=' });
        }
    }
}

/// What `text` stands for, padded or not; also in the alphabet for URLs. `None` if it is no base64.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    decode_into(text, &mut bytes).map(|()| bytes)
}

/// As `decode`, appended to `bytes`; of what is no base64 something may have been.
pub fn decode_into(text: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let digits = &text[..text.len() - padding];
    if padding > 2 || digits.len() % 4 == 1 {
        return None;
    }
    bytes.reserve(digits.len() / 4 * 3 + 2);
    for chunk in digits.chunks(4) {
        let mut word = 0u32;
        for byte in chunk {
            word = word << 6 | digit(*byte)?;
        }
        word <<= 6 * (4 - chunk.len());
        bytes.extend_from_slice(&word.to_be_bytes()[1..chunk.len()]);
    }
    Some(())
}

/// A text in the standard alphabet, padded. Google takes the one for URLs too, and its own clients send that; other providers refuse it.
pub fn standard(text: Text<'_>) -> Text<'_> {
    let is_standard = |said: &[u8]| memchr::memchr3(b'-', b'_', b'\\', said).is_none() && said.len().is_multiple_of(4);
    match &text {
        Text::Escaped(said) if is_standard(said) => return text,
        Text::Plain(said) if is_standard(said.as_bytes()) => return text,
        _ => {}
    }
    let mut said = text.decoded().replace('-', "+").replace('_', "/");
    while !said.len().is_multiple_of(4) {
        said.push('=');
    }
    Text::plain(said)
}

fn digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::borrow::Cow;

    /// The examples of RFC 4648, section 10.
    #[test]
    fn the_standard_s_examples() {
        for (said, written) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = String::new();
            encode(said.as_bytes(), &mut out);
            assert_eq!(out, written);
            assert_eq!(decode(written.as_bytes()).unwrap(), said.as_bytes());
        }
        for wrong in ["Z", "Zg===", "Z!==", "Zm9v Zg"] {
            assert_eq!(decode(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn either_alphabet_becomes_the_standard_one() {
        for (written, expected) in [("+/+/", "+/+/"), ("-_-_", "+/+/"), ("Zg", "Zg=="), ("\\/-8=", "/+8="), ("", "")] {
            let text = standard(Text::Escaped(Cow::Borrowed(written.as_bytes())));
            assert_eq!(text.decoded(), expected, "{written}");
            let is_borrowed = matches!(text, Text::Escaped(Cow::Borrowed(_)));
            assert_eq!(is_borrowed, written == expected, "only what changes is copied: {written}");
        }
        assert_eq!(standard(Text::plain("-_8=")), Text::plain("+/8="));
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(bytes: Vec<u8>) {
            let mut out = String::new();
            encode(&bytes, &mut out);
            prop_assert_eq!(decode(out.as_bytes()), Some(bytes));
        }
    }
}
