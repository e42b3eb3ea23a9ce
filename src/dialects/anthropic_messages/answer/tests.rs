use super::*;

fn read(text: &str) -> Answer {
    Answer::read(text.as_bytes()).unwrap()
}

#[test]
fn a_message_tells_what_it_cost() {
    let text =
        r#"{"type":"message","content":[],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4}}"#;
    let answer = read(text);
    assert_eq!(answer.usage, Some(Usage { input_uncached: 3, output: 4, ..Usage::default() }));
    assert_eq!(answer.stop_reason.map(|reason| reason.of(text.as_bytes())), Some(&b"\"end_turn\""[..]));
    assert_eq!(answer.error, None);
}

#[test]
fn an_error_is_seen_whatever_the_status() {
    assert!(read(r#"{"type":"error","error":{"type":"overloaded_error"}}"#).error.is_some());
    assert!(read(r#"{"error":"no"}"#).error.is_some());
    for text in ["{}", r#"{"error":null}"#, r#"{"input_tokens":7}"#, r#"{"usage":null,"stop_reason":null}"#] {
        assert_eq!(read(text), Answer { error: None, usage: None, stop_reason: None }, "{text}");
    }
    assert!(Answer::read(b"[]").is_err());
}
