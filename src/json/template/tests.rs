use super::*;
use crate::json::scan::{Members, Scan, scan};
use proptest::prelude::*;

static MEMBERS: Members = Members::last_wins(&["id", "text", "n", "usage"]);
const USAGE: usize = 3;

fn answer(id: &str, text: &str, count: &str) -> String {
    format!("{{\n  \"id\": \"{id}\", \"text\":\"{text}\",\"n\":null,\"usage\":{{\"out\":{count}}} }}\n")
}

fn found(text: &str) -> Scan {
    scan(&MEMBERS, text.as_bytes()).expect("well-formed")
}

fn mark(text: &str) -> usize {
    found(text).member(USAGE).map_or(0, |usage| usage.value.start as usize)
}

fn taught(texts: &[&str]) -> Template<1> {
    let mut template = Template::default();
    texts.iter().for_each(|text| template.learn(text.as_bytes(), [mark(text)]));
    template
}

/// Three values may differ.
fn of_answers() -> Template<1> {
    taught(&[&answer("a", "b", "1"), &answer("c", "d", "20")])
}

#[track_caller]
fn check(template: &mut Template<1>, text: &str, expected: bool) {
    assert_eq!(template.recognise(text.as_bytes()), expected.then(|| [mark(text)]), "{text}");
}

#[test]
fn same_text_is_recognised_at_once_and_other_values_after_two() {
    let (one, other, third) = (answer("a", "b", "1"), answer("c", "dd", "20"), answer("x", "", "345"));
    check(&mut taught(&[]), &one, false);
    check(&mut taught(&[&one]), &one, true);
    check(&mut taught(&[&one]), &other, false);
    check(&mut taught(&[&one, &other]), &third, true);
    // A value that has differed once may differ again, and so may the others.
    check(&mut taught(&[&one, &answer("a", "b", "2"), &answer("a", "c", "2")]), &answer("a", "d", "3"), true);
    check(&mut taught(&[&one, &answer("a", "b", "2"), &answer("a", "c", "2")]), &answer("b", "d", "3"), false);
}

#[test]
fn what_fills_a_gap_has_to_be_valid() {
    for text in ["", "x", "\\n", "\\\"", "a\\\\", "\\u00e9\\ud800", "é😀", "\u{7f}", &"long".repeat(100)] {
        check(&mut of_answers(), &answer("e", text, "7"), true);
    }
    for text in ["\\x", "\\u00g0", "\\u12", "a\tb", "a\nb", "\"", "\",\"text\":\"twice"] {
        assert_eq!(of_answers().recognise(answer("e", text, "7").as_bytes()), None, "{text}");
    }
    for count in ["0", "-1", "12345678901234567890", "1.5"] {
        check(&mut of_answers(), &answer("e", "t", count), true);
    }
    for count in ["", "-", "01", "1.", "1e", "1e5", "+1", "null", "\"1\"", "1,\"out\":2", "1 "] {
        assert_eq!(of_answers().recognise(answer("e", "t", count).as_bytes()), None, "{count}");
    }
    let not_utf8: Vec<u8> = answer("e", "X", "7").bytes().map(|byte| if byte == b'X' { 0xFF } else { byte }).collect();
    assert_eq!(of_answers().recognise(&not_utf8), None);
}

#[test]
fn all_of_a_text_has_to_be_there_and_nothing_after_it() {
    let whole = answer("e", "text", "7");
    for end in 0..whole.len() {
        assert_eq!(of_answers().recognise(&whole.as_bytes()[..end]), None, "cut at {end}");
    }
    assert_eq!(of_answers().recognise(format!("{whole} ").as_bytes()), None);
}

#[test]
fn names_are_no_gaps_and_kinds_do_not_change() {
    let differ = |one: &str, other: &str, third: &str| taught(&[one, other]).recognise(third.as_bytes());
    assert_eq!(differ(r#"{"a":"1"}"#, r#"{"b":"1"}"#, r#"{"c":"1"}"#), None);
    assert_eq!(differ(r#"{"a" :"1"}"#, r#"{"b" :"1"}"#, r#"{"c" :"1"}"#), None);
    assert_eq!(differ(r#"{"a":1}"#, r#"{"a":"1"}"#, r#"{"a":2}"#), None);
    assert_eq!(differ(r#"{"a":null}"#, r#"{"a":true}"#, r#"{"a":null}"#), None);
    assert_eq!(differ(r#"{"a":[1]}"#, r#"{"a":[1,2]}"#, r#"{"a":[3]}"#), None);
    // The later text is the one that is remembered.
    assert_eq!(differ(r#"{"a":[1]}"#, r#"{"a":[1,2]}"#, r#"{"a":[1,2]}"#), Some([0]));
}

#[test]
fn what_differs_each_time_is_left_alone_for_a_while() {
    let mut template = Template::default();
    let text = |length: u32| format!("{{\"a\":[{}0]}}", "0,".repeat(length as usize));
    for length in 0..VAIN_LESSONS_MAX + REST {
        template.learn(text(length).as_bytes(), [0]);
    }
    assert_eq!(template.recognise(text(VAIN_LESSONS_MAX + REST - 1).as_bytes()), None);
    template.learn(text(1).as_bytes(), [0]);
    assert_eq!(template.recognise(text(1).as_bytes()), Some([0]));
    // Too long to be remembered.
    template.learn(text(TEXT_BYTES_MAX as u32).as_bytes(), [0]);
    assert_eq!(template.recognise(text(1).as_bytes()), Some([0]));
}

/// Values and what stands between them, some of it wrong.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z\\\\\"n0-9 é]{0,6}",
        1 => Just("\\u00e9".to_owned()),
        1 => "[-0-9.e,}\\]]{1,4}",
    ]
}

proptest! {
    /// What is recognised is well-formed, and has its members where they are found.
    #[test]
    fn nothing_is_recognised_that_a_scan_refuses(
        lessons in prop::collection::vec(("[a-z]{0,3}", "[a-z]{0,3}", 0u32..2000), 1..4),
        id in piece(),
        text in piece(),
        count in prop_oneof![3 => (0u32..3000).prop_map(|count| count.to_string()), 1 => piece()],
    ) {
        let lessons: Vec<_> = lessons.iter().map(|(id, text, count)| answer(id, text, &count.to_string())).collect();
        let mut template = taught(&lessons.iter().map(String::as_str).collect::<Vec<_>>());
        let text = answer(&id, &text, &count);
        if let Some([mark]) = template.recognise(text.as_bytes()) {
            let scan = scan(&MEMBERS, text.as_bytes());
            prop_assert_eq!(scan.ok().and_then(|scan| scan.member(USAGE)).map(|usage| usage.value.start as usize), Some(mark));
        }
    }
}
