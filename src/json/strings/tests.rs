use super::*;
use proptest::prelude::*;

#[test]
fn a_run_ends_at_the_first_special_byte_wherever_it_is() {
    for length in 0..200 {
        for special in [b'"', b'\\', 0, 0x1F, b'\n'] {
            let mut text = vec![b'x'; length];
            text.push(special);
            text.extend_from_slice(b"\"\\abc\"");
            assert_eq!(plain_run_end(&text, 0), length);
            assert_eq!(plain_run_end(&text[..length], 0), length);
        }
    }
    assert_eq!(plain_run_end(b"abc", 7), 7);
}

#[test]
fn bytes_next_to_special_ones_are_plain() {
    let plain: Vec<u8> = (0..=255u8).filter(|byte| *byte >= 0x20 && !matches!(byte, b'"' | b'\\')).collect();
    for &byte in &plain {
        let text = [byte; 150];
        assert_eq!(plain_run_end(&text, 0), 150, "byte {byte:#x}");
    }
    assert_eq!(plain_run_end(&plain, 0), plain.len());
}

#[test]
fn decodes_every_escape() {
    assert_eq!(decode(br#""a\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\ude00z""#).unwrap(), "a\"\\/\u{8}\u{c}\n\r\té€😀z");
    assert!(matches!(decode("\"größe\"".as_bytes()), Some(Cow::Borrowed("größe"))));
    assert_eq!(decode(br#""""#).unwrap(), "");
}

#[test]
fn lone_surrogates_have_no_text() {
    for literal in
        [r#""\ud800""#, r#""\udc00""#, r#""\ud800\ud800""#, r#""\ud800x""#, r#""\ud800\n""#, r#""\udfff\ud800""#]
    {
        assert_eq!(decode(literal.as_bytes()), None, "{literal}");
    }
}

#[test]
fn malformed_literals_are_none_not_a_panic() {
    for literal in ["", "\"", "x", "\"\\\"", "\"\\u\"", "\"\\u12\"", "\"\\ud800\\u\"", "\"\\x\"", "\"\\u+123\""] {
        assert_eq!(decode(literal.as_bytes()), None, "{literal}");
    }
}

#[test]
fn says_compares_what_is_meant() {
    assert!(says(br#""usage""#, "usage"));
    assert!(says(br#""us\u0061ge""#, "usage"));
    assert!(!says(br#""usages""#, "usage"));
    assert!(!says(br#""us\\u0061ge""#, "usage"));
    assert!(!says(br#""a\\b""#, r"a\\b"));
    assert!(says(br#""a\\b""#, r"a\b"));
    assert!(!says(b"usage", "usage"));
}

proptest! {
    #[test]
    fn what_is_written_reads_back(said in any::<String>()) {
        let mut literal = Vec::new();
        write_string(&mut literal, &said);
        prop_assert_eq!(serde_json::from_slice::<String>(&literal).unwrap(), said.as_str());
        let decoded = decode(&literal);
        prop_assert_eq!(decoded.as_deref(), Some(said.as_str()));
        prop_assert!(!literal.iter().any(|byte| *byte < 0x20 || *byte == 0x7f));
        let mut room = [0; 16];
        let short = decode_into(&literal[1..literal.len() - 1], &mut room);
        prop_assert_eq!(short, (said.len() <= 16).then_some(said.as_bytes()));
    }

    #[test]
    fn reads_what_serde_writes(said in any::<String>()) {
        let literal = serde_json::to_string(&said).unwrap();
        prop_assert_eq!(decode(literal.as_bytes()).unwrap(), said);
        prop_assert_eq!(skip_string(literal.as_bytes(), 0), literal.len());
    }
}

#[test]
fn what_has_to_be_escaped_is_seen_wherever_it_stands() {
    for length in 0..40 {
        let plain = "a~é".repeat(length).chars().take(length).collect::<String>();
        assert!(!has_escapes(plain.as_bytes()), "{plain}");
        for at in 0..length {
            for odd in ['"', '\\', '\n', '\0', '\u{1f}', '\u{7f}'] {
                let text: String =
                    plain.chars().enumerate().map(|(place, c)| if place == at { odd } else { c }).collect();
                assert!(has_escapes(text.as_bytes()), "{text:?}");
            }
        }
    }
}
