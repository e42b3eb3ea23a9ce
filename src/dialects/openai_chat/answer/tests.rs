use super::*;
use crate::json::{
    patch::Segment,
    walk::tests::{places, spaced},
};
use proptest::{prelude::*, sample::subsequence};
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

/// Some of these members in this order, rarely in another.
fn object(members: &'static [&'static str]) -> impl Strategy<Value = String> {
    let some = subsequence(members, 0..=members.len());
    prop_oneof![3 => some.clone().boxed(), 1 => some.prop_shuffle().boxed()]
        .prop_map(|some| format!("{{{}}}", some.join(",")))
}

proptest! {
    /// As OpenAI writes it, in another order, with other members or with white space: what is missing is filled in, and only that.
    #[test]
    fn fills_what_is_missing_in_any_layout(
        messages in prop::collection::vec(object(&[
            r#""role":"assistant""#, r#""content":"a \"refusal\":null b""#, r#""refusal":null"#, r#""annotations":[]"#,
            r#""tool_calls":[{"refusal":1}]"#, r#""audio":null"#,
        ]), 1..3),
        choice in object(&[
            r#""index":0"#, r#""message":MESSAGE"#, r#""message":null"#, r#""logprobs":null"#, r#""logprobs":{"content":[]}"#,
            r#""finish_reason":"stop""#, r#""x":"}]""#,
        ]),
        places in places(),
    ) {
        let choices: Vec<String> = messages.iter().map(|message| choice.replace("MESSAGE", message)).collect();
        let compact = format!(r#"{{"choices":[{}],"x":1}}"#, choices.join(","));
        let mut tree: Value = serde_json::from_str(&compact).unwrap();
        let mut missing = 0;
        let mut fill = |object: &mut serde_json::Map<String, Value>, name: &str| {
            missing += usize::from(!object.contains_key(name));
            object.entry(name).or_insert(Value::Null);
        };
        for choice in tree["choices"].as_array_mut().unwrap() {
            fill(choice.as_object_mut().unwrap(), "logprobs");
            if let Some(message) = choice.get_mut("message").and_then(Value::as_object_mut) {
                fill(message, "refusal");
            }
        }
        for text in [&compact, &spaced(&compact, places)] {
            let mut patch = Patch::new();
            read(text).fill_missing(text.as_bytes(), &mut patch).unwrap();
            let edits = patch.segments(text.len()).filter(|segment| matches!(segment, Segment::New(_))).count();
            prop_assert_eq!(edits, missing, "{}", text);
            prop_assert_eq!(&serde_json::from_str::<Value>(&filled(text)).unwrap(), &tree, "{}", text);
        }
    }
}
