use super::*;
use proptest::prelude::*;
use serde_json::Value;

fn whole(text: &str) -> Span {
    Span::new(0, text.len())
}

/// Names and values, nobody stepping into any.
fn members(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    each_member(text.as_bytes(), 0, |entry| {
        found.push((&text[entry.key.range()], &text[value(text.as_bytes(), entry.at).range()]));
        None
    });
    found
}

fn elements(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    each_element(text.as_bytes(), 0, |at| {
        found.push(&text[value(text.as_bytes(), at).range()]);
        None
    });
    found
}

#[test]
fn members_and_elements_come_in_order() {
    let text = r#"{ "a" : 1 , "b":[{"c":"]}"},"\"",-2e3], "d":{} }"#;
    let list = r#"[{"c":"]}"},"\"",-2e3]"#;
    assert_eq!(members(text), [(r#""a""#, "1"), (r#""b""#, list), (r#""d""#, "{}")]);
    assert_eq!(elements(list), [r#"{"c":"]}"}"#, r#""\"""#, "-2e3"]);
}

#[test]
fn a_value_may_be_stepped_through_by_the_caller() {
    let text = br#"{"a":{"x":[1,{"x":2}]},"b":{"x":3}} "#;
    let mut names = Vec::new();
    let end = each_member(text, 0, |outer| {
        Some(each_member(text, outer.at, |inner| {
            names.push([outer.name, inner.name].concat());
            Some(each_element(text, inner.at, |element| {
                names.push(text[element..element + 1].to_vec());
                None
            }))
        }))
    });
    assert_eq!(names, [&b"ax"[..], b"1", b"{", b"bx"]);
    assert_eq!(end, text.len() - 1);
}

#[test]
fn a_name_is_what_it_says() {
    let long = format!(r#"{{"\u0061{}":1}}"#, "a".repeat(NAME_BYTES_MAX));
    for (text, name) in [(r#"{"\u0061\"b":1}"#, "a\"b"), (r#"{"\ud800a":1}"#, ""), (&long, "")] {
        let mut found = 0;
        let end = each_member(text.as_bytes(), 0, |entry| {
            assert_eq!(entry.name, name.as_bytes());
            found += 1;
            None
        });
        assert_eq!((found, end), (1, text.len()));
    }
}

#[test]
fn the_last_of_several_is_taken_in_any_spelling() {
    let text = r#"{"usage":1,"us\u0061ge":2,"usages":3}"#;
    assert_eq!(member(text.as_bytes(), whole(text), "usage").unwrap().value.of(text.as_bytes()), b"2");
    assert_eq!(member(text.as_bytes(), whole(text), "use"), None);
}

#[test]
fn another_kind_of_value_has_none() {
    for text in ["[]", "{}", "1", "null", "", "{", "[", r#""{}""#] {
        assert_eq!((members(text), elements(text)), (vec![], vec![]), "{text}");
    }
}

/// The same text with white space around colons and commas where `places` says so: two bits for each in turn.
pub(crate) fn spaced(text: &str, mut places: u64) -> String {
    let mut spaced = String::new();
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        let is_separator = !in_string && matches!(character, ':' | ',');
        in_string ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        let space = |bit: u64| if is_separator && places & bit != 0 { " " } else { "" };
        spaced.extend([space(1), character.encode_utf8(&mut [0; 4]), space(2)]);
        if is_separator {
            places = places.rotate_right(2);
        }
    }
    spaced
}

/// Mostly a single place, so that all before it is passed at a stretch.
pub(crate) fn places() -> impl Strategy<Value = u64> {
    prop_oneof![4 => (0..48u32).prop_map(|place| 1 << place), 1 => any::<u64>()]
}

#[test]
fn what_is_expected_is_passed_at_a_stretch() {
    let text = br#"{"a":1"#;
    assert_eq!(after(text, 1, br#""a":"#), Some(5));
    assert_eq!(after(text, 1, br#""b":"#), None);
    assert_eq!(after(b"nullx", 0, b"null"), Some(4));
    // What comes after white space, or not at all, is left to the walk.
    assert_eq!(after(br#"{"a": 1"#, 1, br#""a":"#), None);
    assert_eq!(after(text, 5, b"1"), None);
    assert_eq!(after(text, 7, b""), None);
}

proptest! {
    /// Names and values of all lengths around what one look takes in, some with escapes, at all distances from the text's end.
    #[test]
    fn members_are_those_of_the_tree(
        members in prop::collection::btree_map(
            r#"([a-c]|\\"|\\\\|\\u0061|é){0,24}"#,
            prop_oneof![
                r#""([a-c:,]|\\"|\\\\|\\n|[{}]){0,40}""#,
                r"-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,3})?(e[0-9])?",
                "null|true|false|\\[\\]|\\{\\}",
                r#"\[\{"x":"\]\}"\},"\\"",\[1\]\]"#,
            ],
            0..6,
        ),
        tail in "[ }]{0,20}",
        places in places(),
    ) {
        let list: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let compact = format!("{{{}}}{tail}", list.join(","));
        for text in [&compact, &spaced(&compact, places)] {
            let mut found = Vec::new();
            let end = each_member(text.as_bytes(), 0, |entry| {
                let name: String = serde_json::from_str(&text[entry.key.range()]).unwrap();
                assert_eq!(entry.name, name.as_bytes());
                let value = &text[value(text.as_bytes(), entry.at).range()];
                found.push(format!("{}:{}", &text[entry.key.range()], serde_json::from_str::<Value>(value).unwrap()));
                None
            });
            let parsed = |value: &String| serde_json::from_str::<Value>(value).unwrap();
            let expected: Vec<String> =
                members.iter().map(|(name, value)| format!("\"{name}\":{}", parsed(value))).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(&text[end..], &tail);
        }
    }

    #[test]
    fn noise_ends(text in r#"[\[\]{}":,0-9 tx\\]{0,60}"#) {
        for bracket in ["{", "["] {
            let text = format!("{bracket}{text}");
            prop_assert!(members(&text).len() <= text.len());
            prop_assert!(elements(&text).len() <= text.len());
        }
    }
}
