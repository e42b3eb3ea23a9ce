use super::*;

/// Marks what it names; ids of UUIDs cannot be named.
fn names() -> Names {
    Names::new(|id| id.starts_with("resp_").then(|| format!("{id}-named")))
}

fn whole(text: &str) -> Option<String> {
    let scan = scan(&MEMBERS, text.as_bytes()).expect("JSON");
    names().whole(&scan, text.as_bytes()).map(|named| String::from_utf8(named).expect("UTF-8"))
}

#[test]
fn the_ids_of_a_whole_answer_are_named_and_nothing_else() {
    for (text, expected) in [
        (
            r#"{"id": "resp_1", "output":[{"id":"resp_2"}],"previous_response_id":"resp_3","x":"resp_1"}"#,
            Some(
                r#"{"id": "resp_1-named", "output":[{"id":"resp_2"}],"previous_response_id":"resp_3-named","x":"resp_1"}"#,
            ),
        ),
        (
            r#"{"id":"resp_1","previous_response_id":null}"#,
            Some(r#"{"id":"resp_1-named","previous_response_id":null}"#),
        ),
        (r#"{"id":"resp\u005f1"}"#, Some(r#"{"id":"resp_1-named"}"#)),
        (r#"{"id":"f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}"#, None),
        (r#"{"id":7,"previous_response_id":{"id":"resp_1"}}"#, None),
        (r#"{"object":"list","data":[{"id":"resp_1"}]}"#, None),
    ] {
        assert_eq!(whole(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn the_response_in_an_event_is_named() {
    for (data, expected) in [
        (
            r#"{"type":"response.created","response":{"object":"response","id":"resp_1","previous_response_id":"resp_1"},"id":"resp_2"}"#,
            Some(
                r#"{"type":"response.created","response":{"object":"response","id":"resp_1-named","previous_response_id":"resp_1-named"},"id":"resp_2"}"#,
            ),
        ),
        (r#"{"response":{"output":[{"id":"resp_1"}]}}"#, None),
        (r#"{"response":"resp_1"}"#, None),
        (r#"{"response":{"id":"resp_1"}"#, None),
        ("[DONE]", None),
    ] {
        let named = names().event(data.as_bytes()).map(|named| String::from_utf8(named).expect("UTF-8"));
        assert_eq!(named.as_deref(), expected, "{data}");
    }
}

#[test]
fn a_beginning_is_named_wherever_it_is_cut() {
    let text = r#" { "id" : "resp_1" , "output":[{"id":"resp_2"#;
    for end in 0..=text.len() {
        let named = names().beginning(&text.as_bytes()[..end]);
        let has_come = end > text.find("\" ,").expect("its end") + 1;
        let expected = has_come.then(|| text[..end].replacen("resp_1", "resp_1-named", 1).into_bytes());
        assert_eq!(named, expected, "{end}");
    }
    for text in [r#"{"object":{"id":"resp_1"},"x":["#, r#"{"id":7,"#, r#"["id":"resp_1"]"#, ""] {
        assert_eq!(names().beginning(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn a_refusal_says_what_its_client_said() {
    let body = br#"{"error":{"message":"No 'resp_12345', resp_12345."}}"#;
    let told = String::from_utf8(refusal(body, "resp_12345", "resp_x")).expect("UTF-8");
    assert_eq!(told, r#"{"error":{"message":"No 'resp_x', resp_x."}}"#);
    assert_eq!(refusal(body, "error", "x"), body);
}
