use crate::sys::skip_each_way;
use proptest::prelude::*;

/// Byte by byte: where the string and where the container ends that the text begins inside of.
fn expected(text: &[u8], from: usize) -> (usize, usize) {
    let mut bytes = text.iter().enumerate().skip(from);
    let mut string_end = text.len();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => {
                string_end = at + 1;
                break;
            }
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
    let (mut depth, mut in_string, mut escaped) = (1, false, false);
    for (at, byte) in text.iter().enumerate().skip(from) {
        match byte {
            b'"' => in_string ^= !escaped,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
        // Outside strings nothing is well-formed with a backslash; there it says of quotes alone that they are none.
        escaped = *byte == b'\\' && !escaped;
        if depth == 0 {
            return (string_end, at + 1);
        }
    }
    (string_end, text.len())
}

fn check(text: &[u8], from: usize) {
    for found in skip_each_way(text, from) {
        assert_eq!(found, expected(text, from), "{:?} from {from}", String::from_utf8_lossy(text));
    }
}

#[test]
fn ends_are_found_at_every_distance() {
    for before in 0..140 {
        for tail in ["\"", "\\\"\"", "\\\\\"", "]", "[]]", "{\"]\"}]]", "\"}\"}", "\"\\\"]\"]x", ""] {
            for filler in ["a", "\\n"] {
                let text = [&filler.repeat(before), tail, &"]".repeat(before)].concat();
                check(text.as_bytes(), 0);
            }
        }
    }
}

#[test]
fn depth_is_kept_from_block_to_block() {
    for depth in [1, 63, 64, 65, 127, 128, 200] {
        let text = ["[".repeat(depth), "]".repeat(depth + 1)].concat();
        assert_eq!(expected(text.as_bytes(), 0).1, text.len());
        check(text.as_bytes(), 0);
        check(&text.as_bytes()[..text.len() - 1], 0);
    }
}

#[test]
fn behind_the_text_nothing_is_found() {
    for from in [2, 3, 70, usize::MAX] {
        assert!(skip_each_way(b"\"]", from).iter().all(|found| *found == (2, 2)));
    }
}

proptest! {
    #[test]
    fn every_way_finds_the_same(
        text in prop::collection::vec(
            prop_oneof![6 => Just(b'a'), 1 => prop::sample::select(b"{}[]\"\\\xC3 ".to_vec())], 0..400,
        ),
        from in 0usize..70,
    ) {
        check(&text, from.min(text.len()));
    }
}
