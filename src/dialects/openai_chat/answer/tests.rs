use super::*;
use serde_json::{Value, json};

fn read(text: &str) -> Answer {
    Answer::read(text.as_bytes()).unwrap()
}

fn filled(text: &str) -> String {
    let mut patch = Patch::new();
    read(text).fill_missing(text.as_bytes(), &mut patch).unwrap();
    let mut out = Vec::new();
    patch.append_to(text.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn judges_a_chat_completion() {
    let text = r#"{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"x"},
        "finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6},"error":null}"#;
    let answer = read(text);
    assert_eq!((answer.error, answer.choices(text.as_bytes())), (None, Choices::Some));
    assert_eq!(answer.finish_reason(text.as_bytes()).unwrap().of(text.as_bytes()), br#""length""#);
    assert_eq!(answer.usage.unwrap().prompt, Some(5));
}

#[test]
fn judges_other_answers() {
    let text = r#"{"object":"list","data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":3,"total_tokens":3}}"#;
    let embeddings = read(text);
    assert_eq!((embeddings.choices(text.as_bytes()), embeddings.usage.unwrap().prompt), (Choices::Absent, Some(3)));
    let none = r#"{"choices":[]}"#;
    assert_eq!(
        (read(none).choices(none.as_bytes()), read(none).finish_reason(none.as_bytes())),
        (Choices::Empty, None)
    );
    let error = r#"{"error":{"message":"no","code":502}}"#;
    assert_eq!(read(error).error.unwrap().of(error.as_bytes()), br#"{"message":"no","code":502}"#);
    assert!(Answer::read(b"<html></html>").is_err());
    assert!(Answer::read(br#"{"choices":["#).is_err());
}

#[test]
fn fills_what_is_missing_and_nothing_else() {
    let complete =
        r#"{"choices":[{"logprobs":null,"message":{"refusal":"no"}},{"logp\u0072obs":{},"message":{"refusal":null}}]}"#;
    assert_eq!(filled(complete), complete);
    assert_eq!(
        filled(r#"{"choices":[{"message":{"content":"x"}, "index":0}, {} ,{"message":{},"logprobs":null}]}"#),
        concat!(
            r#"{"choices":[{"logprobs":null,"message":{"refusal":null,"content":"x"}, "index":0}, "#,
            r#"{"logprobs":null} ,{"message":{"refusal":null},"logprobs":null}]}"#
        ),
    );
    for text in [r#"{"choices":[1,null,[]],"message":{}}"#, r#"{"choices":{}}"#, "{}"] {
        assert_eq!(filled(text), text);
    }
    // A message that is null has no refusal to give.
    assert_eq!(filled(r#"{"choices":[{"message":null}]}"#), r#"{"choices":[{"logprobs":null,"message":null}]}"#);
}

#[test]
fn fills_as_many_choices_as_a_patch_takes() {
    let choices = |count: usize| json!({ "choices": vec![json!({ "message": {} }); count] }).to_string();
    let missing = |text: &str| {
        let tree: Value = serde_json::from_str(text).unwrap();
        tree["choices"].as_array().unwrap().iter().filter(|choice| choice.get("logprobs").is_none()).count()
    };
    assert_eq!(missing(&filled(&choices(128))), 0);
    assert_eq!(missing(&filled(&choices(300))), 300 - EDITS_MAX / 2);
}
