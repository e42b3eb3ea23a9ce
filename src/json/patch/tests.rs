//! Patched texts, compared byte for byte and with the tree that the same edits give.

use super::*;
use crate::json::walk;
use proptest::prelude::*;
use serde_json::{Map, Value};

fn root(text: &str) -> Span {
    Span::new(text.find('{').unwrap(), text.rfind('}').unwrap() + 1)
}

fn member(text: &str, name: &str) -> Member {
    walk::member(text.as_bytes(), root(text), name).unwrap()
}

/// One edit to the root object: `+name`, `-name` or `=name`.
fn apply(text: &str, edits: &[&str]) -> Result<String, PatchError> {
    let mut patch = Patch::new();
    for edit in edits {
        let (action, name) = edit.split_at(1);
        match action {
            "+" => patch.insert(text.as_bytes(), root(text), name, b"0")?,
            "-" => patch.remove(text.as_bytes(), &member(text, name))?,
            _ => patch.replace_by_string(member(text, name).value, "new")?,
        }
    }
    let mut out = Vec::new();
    patch.append_to(text.as_bytes(), &mut out);
    assert_eq!(out.len(), patch.patched_bytes(text.len()));
    Ok(String::from_utf8(out).unwrap())
}

#[track_caller]
fn check(text: &str, edits: &[&str], expected: &str) {
    assert_eq!(apply(text, edits).as_deref(), Ok(expected));
    assert!(serde_json::from_str::<Value>(expected).is_ok());
}

#[test]
fn nothing_to_do_leaves_the_text() {
    check(r#" {"a":1} "#, &[], r#" {"a":1} "#);
}

#[test]
fn replaces() {
    check(r#"{"a":1, "b" : [2]}"#, &["=b"], r#"{"a":1, "b" : "new"}"#);
    check(r#"{"a":1,"b":2}"#, &["=b", "=a"], r#"{"a":"new","b":"new"}"#);
}

#[test]
fn inserts_with_the_commas_it_takes() {
    check("{}", &["+x"], r#"{"x":0}"#);
    check("{ }", &["+x", "+y"], r#"{"x":0,"y":0 }"#);
    check(r#"{ "a":1}"#, &["+x"], r#"{"x":0, "a":1}"#);
    check(r#"{"a":1}"#, &["+x", "+y", "+z"], r#"{"x":0,"y":0,"z":0,"a":1}"#);
}

#[test]
fn removes_with_the_comma_that_goes_with_it() {
    check(r#"{"a":1}"#, &["-a"], "{}");
    check(r#"{ "a" : 1 }"#, &["-a"], "{  }");
    check(r#"{"a":1,"b":2,"c":3}"#, &["-a"], r#"{"b":2,"c":3}"#);
    check(r#"{"a":1,"b":2,"c":3}"#, &["-b"], r#"{"a":1,"c":3}"#);
    check(r#"{"a":1,"b":2,"c":3}"#, &["-c"], r#"{"a":1,"b":2}"#);
    check("{\"a\":1 ,\n\"b\":2}", &["-b"], r#"{"a":1 }"#);
}

#[test]
fn neighbours_are_removed_together_in_any_order() {
    for edits in [["-b", "-c"], ["-c", "-b"]] {
        check(r#"{"a":1 , "b":2 , "c":3}"#, &edits, r#"{"a":1 }"#);
    }
    for edits in [["-a", "-b", "-c"], ["-c", "-a", "-b"], ["-b", "-a", "-c"], ["-a", "-c", "-b"]] {
        check(r#"{"a":1,"b":2,"c":3}"#, &edits, "{}");
    }
}

#[test]
fn insertions_know_whether_anything_remains() {
    for edits in [["+x", "-a"], ["-a", "+x"]] {
        check(r#"{"a":1}"#, &edits, r#"{"x":0}"#);
        check(r#"{ "a":1 }"#, &edits, r#"{"x":0  }"#);
        check(r#"{"a":1,"b":2}"#, &edits, r#"{"x":0,"b":2}"#);
    }
    check(r#"{"a":1,"b":2}"#, &["-b", "+x", "-a", "+y"], r#"{"x":0,"y":0}"#);
}

#[test]
fn edits_in_each_others_way_are_refused() {
    assert_eq!(apply(r#"{"a":1}"#, &["=a", "=a"]), Err(PatchError::Overlap));
    assert_eq!(apply(r#"{"a":1}"#, &["=a", "-a"]), Err(PatchError::Overlap));
    assert_eq!(apply(r#"{"a":1}"#, &["-a", "=a"]), Err(PatchError::Overlap));
    assert_eq!(apply(r#"{"a":1}"#, &["-a", "-a"]), Err(PatchError::Overlap));
}

#[test]
fn the_number_of_edits_is_bounded() {
    let mut patch = Patch::new();
    for _ in 0..EDITS_MAX {
        patch.insert(b"{}", Span::new(0, 2), "x", b"0").unwrap();
    }
    assert_eq!(patch.insert(b"{}", Span::new(0, 2), "x", b"0"), Err(PatchError::TooManyEdits));
    patch.clear();
    assert!(patch.is_empty());
    assert_eq!(patch.insert(b"{}", Span::new(0, 2), "x", b"0"), Ok(()));
}

#[test]
fn segments_alternate_and_none_is_empty() {
    let text = r#"{"model":"alias","n":1}"#;
    let mut patch = Patch::new();
    patch.replace_by_string(member(text, "model").value, "a\"b").unwrap();
    let segments: Vec<Segment<'_>> = patch.segments(text.len()).collect();
    assert_eq!(segments, [Segment::Original(0..9), Segment::New(br#""a\"b""#), Segment::Original(16..23)]);
}

proptest! {
    /// In whatever order edits are noted, those are refused that cover a byte of another, and all others are applied.
    #[test]
    fn edits_are_refused_if_any_other_is_in_the_way(spans in prop::collection::vec((0..60usize, 1..9usize), 0..20)) {
        let text = [b'x'; 70];
        let mut patch = Patch::new();
        let mut taken: Vec<Span> = Vec::new();
        for (start, bytes) in spans {
            let span = Span::new(start, start + bytes);
            let is_free = taken.iter().all(|other| other.end <= span.start || span.end <= other.start);
            prop_assert_eq!(patch.replace(span, b"12345"), if is_free { Ok(()) } else { Err(PatchError::Overlap) });
            if is_free {
                taken.push(span);
            }
        }
        let mut out = Vec::new();
        patch.append_to(&text, &mut out);
        let kept = 70 - taken.iter().map(|span| span.len()).sum::<usize>();
        prop_assert_eq!(out.iter().filter(|&&byte| byte == b'x').count(), kept);
        prop_assert_eq!(out.len(), kept + 5 * taken.len());
        let in_segments: Vec<u8> = patch.segments(text.len()).flat_map(|segment| segment.bytes(&text).to_vec()).collect();
        prop_assert_eq!(in_segments, out);
    }

    #[test]
    fn a_string_is_replaced_by_what_is_said(said in r#"([ -~]|"|\\|\n|é){0,30}"#) {
        let mut patch = Patch::new();
        patch.replace_by_string(Span::new(5, 6), &said).unwrap();
        let mut out = Vec::new();
        patch.append_to(br#"{"a":1}"#, &mut out);
        let tree: Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(tree["a"].as_str(), Some(&*said));
    }

    /// Inserts, removes and replaces members of a random object and of an object inside it.
    #[test]
    fn a_patched_text_is_the_patched_tree(
        inner_names in prop::collection::btree_set("[a-f]", 0..5),
        outer_names in prop::collection::btree_set("[a-f]", 0..5),
        space in "[ \n]{0,2}",
        edits in prop::collection::vec((any::<bool>(), 0..3, "[a-l]"), 0..10),
    ) {
        let list = |names: &std::collections::BTreeSet<String>| -> Vec<String> {
            names.iter().map(|name| format!("{space}\"{name}\"{space}:{space}[1]{space}")).collect()
        };
        let inner_text = format!("{{{space}{}}}", list(&inner_names).join(","));
        let mut outer_list = list(&outer_names);
        outer_list.insert(outer_list.len() / 2, format!("{space}\"in\":{inner_text}"));
        let text = format!("{space}{{{}}}", outer_list.join(","));
        let bytes = text.as_bytes();
        let root = root(&text);
        let inner = member(&text, "in").value;

        let mut patch = Patch::new();
        let mut tree: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let mut touched = std::collections::BTreeSet::new();
        for (inside, action, name) in edits {
            if !touched.insert((inside, name.clone())) {
                continue;
            }
            let object = if inside { inner } else { root };
            let branch = if inside { tree["in"].as_object_mut().unwrap() } else { &mut tree };
            match (walk::member(bytes, object, &name), action) {
                (Some(found), 0) => {
                    patch.remove(bytes, &found).unwrap();
                    branch.remove(&name);
                }
                (Some(found), _) => {
                    patch.replace_by_string(found.value, &name).unwrap();
                    branch.insert(name.clone(), name.into());
                }
                (None, _) => {
                    patch.insert_string(bytes, object, &name, &name).unwrap();
                    branch.insert(name.clone(), name.into());
                }
            }
        }
        let mut out = Vec::new();
        patch.append_to(bytes, &mut out);
        prop_assert_eq!(serde_json::from_slice::<Map<String, Value>>(&out).unwrap(), tree);
        prop_assert_eq!(out.len(), patch.patched_bytes(bytes.len()));
    }
}
