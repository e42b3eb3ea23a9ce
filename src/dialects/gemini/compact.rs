//! JSON without the white space between its tokens: Google writes whole answers for people to read, but the arguments of a call go
//! to clients as a string.

use crate::json::walk;
use std::borrow::Cow;

/// A valid JSON text without white space outside its strings. Borrowed if it has none.
pub fn compacted(text: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let end = if byte == b'"' { walk::string_end(text, at) } else { at + 1 }.min(text.len());
        if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            out.get_or_insert_with(|| text[..at].to_vec());
        } else if let Some(out) = &mut out {
            out.extend_from_slice(&text[at..end]);
        }
        at = end;
    }
    out.map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_keep_their_blanks() {
        for (text, expected) in [
            ("{\n  \"a b\": [ 1,\t2 ],\r\n \"c\\\" d\" : \" e \" }", "{\"a b\":[1,2],\"c\\\" d\":\" e \"}"),
            ("{\"a\":1}", "{\"a\":1}"),
            (" ", ""),
        ] {
            assert_eq!(compacted(text.as_bytes()), expected.as_bytes());
        }
        assert!(matches!(compacted(b"{\"a\":\" \"}"), Cow::Borrowed(_)));
    }
}
