use super::*;
use proptest::prelude::*;

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

proptest! {
    #[test]
    fn noise_ends(text in r#"[\[\]{}":,0-9 tx\\]{0,60}"#) {
        for bracket in ["{", "["] {
            let text = format!("{bracket}{text}");
            prop_assert!(members(&text).len() <= text.len());
            prop_assert!(elements(&text).len() <= text.len());
        }
    }
}
