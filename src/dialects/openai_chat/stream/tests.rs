use super::*;
use crate::json::walk::tests::{places, spaced};
use proptest::{prelude::*, sample::subsequence};

fn facts(payload: &str) -> ChunkFacts {
    classify(payload.as_bytes()).unwrap()
}

fn delta(delta: &str) -> String {
    format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}],"usage":null}}"#)
}

#[test]
fn the_end_marker_is_told_by_how_it_begins() {
    for payload in ["[DONE]", "[DONE] ", "[DONE]}"] {
        assert_eq!(facts(payload), ChunkFacts { is_done: true, ..ChunkFacts::default() });
    }
}

#[test]
fn content_is_what_a_reader_waits_for() {
    for content in [
        r#"{"content":"x"}"#,
        r#"{"role":"assistant","content":" "}"#,
        r#"{"reasoning_content":"x"}"#,
        r#"{"content":"","reasoning":"x"}"#,
        r#"{"refusal":"no"}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":""}}]}"#,
        r#"{"function_call":{"name":"f"}}"#,
        r#"{"content":[{"type":"text","text":"x"}]}"#,
        r#"{"audio":{"id":"a"}}"#,
    ] {
        let facts = facts(&delta(content));
        assert!(facts.has_content(), "{content}");
        assert_eq!((facts.choices, facts.finish_reason, facts.usage), (Choices::Some, None, None));
    }
    for silence in [
        "{}",
        "null",
        r#"{"role":"assistant","content":""}"#,
        r#"{"role":"assistant","content":null,"refusal":null}"#,
        r#"{"tool_calls":[]}"#,
        r#"{"tool_calls":null,"reasoning":"","obfuscation":"abc"}"#,
    ] {
        assert!(!facts(&delta(silence)).has_content(), "{silence}");
    }
    assert!(facts(r#"{"choices":[{"text":"x","index":0}]}"#).has_content());
    assert!(!facts(r#"{"choices":[{"text":"","index":0}]}"#).has_content());
    assert!(facts(r#"{"choices":[{"delta":{}},{"delta":{"content":"x"}}]}"#).has_content());
}

#[test]
fn a_finish_reason_counts_unless_null() {
    let payload = r#"{"choices":[{"delta":{},"finish_reason":null},{"delta":{},"finish_reason":"stop"}]}"#;
    let facts = facts(payload);
    assert_eq!(facts.finish_reason.unwrap().of(payload.as_bytes()), br#""stop""#);
    assert!(!facts.has_content());
}

#[test]
fn usage_only_chunks() {
    let counts = r#"{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}"#;
    let last = facts(&format!(r#"{{"choices":[],"usage":{counts}}}"#));
    assert!(last.is_usage_only());
    assert_eq!(last.usage.unwrap().completion, Some(2));
    // Some servers send counts with every chunk, or with the last choice.
    let beside = facts(&format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop"}}],"usage":{counts}}}"#));
    assert!(beside.usage.is_some() && !beside.is_usage_only());
    // Azure begins with filter results and no choice.
    let azure = facts(r#"{"choices":[],"prompt_filter_results":[],"usage":null}"#);
    assert_eq!((azure.choices, azure.is_usage_only()), (Choices::Empty, false));
    let groq = facts(&format!(r#"{{"choices":[{{"delta":{{}}}}],"x_groq":{{"id":"r","usage":{counts}}}}}"#));
    assert_eq!(groq.usage.unwrap().prompt, Some(1));
    assert_eq!(facts(r#"{"usage":{}}"#).choices, Choices::Absent);
    assert_eq!(facts(r#"{"choices":{}}"#).choices, Choices::Absent);
}

#[test]
fn an_error_counts_if_sdks_would_raise_it() {
    let payload = r#"{"error":{"message":"overloaded"},"choices":[]}"#;
    assert_eq!(facts(payload).error.unwrap().of(payload.as_bytes()), br#"{"message":"overloaded"}"#);
    assert!(facts(r#"{"error":"overloaded"}"#).error.is_some());
    for none in ["null", "false", "\"\"", "{}", "0"] {
        assert_eq!(facts(&format!(r#"{{"error":{none}}}"#)).error, None);
    }
}

#[test]
fn names_inside_content_are_not_members() {
    let facts = facts(&delta(r#"{"content":"\"error\":{\"a\":1},\"finish_reason\":\"stop\"\ndata: [DONE]"}"#));
    assert_eq!((facts.error, facts.finish_reason, facts.is_done), (None, None, false));
}

#[test]
fn malformed_chunks_are_errors() {
    for payload in ["", "[]", "null", "{", "<html>", r#"{"choices":[}"#, "{\"a\":\"\u{1}\"}", "[DON"] {
        assert!(classify(payload.as_bytes()).is_err(), "{payload}");
    }
    assert!(classify(b"{\"a\":\"\xff\"}").is_err());
}

/// Some of these members in this order, rarely in another.
fn object(members: &'static [&'static str]) -> impl Strategy<Value = String> {
    let some = subsequence(members, 0..=members.len());
    prop_oneof![3 => some.clone().boxed(), 1 => some.prop_shuffle().boxed()]
        .prop_map(|some| format!("{{{}}}", some.join(",")))
}

proptest! {
    /// White space keeps a payload from being passed at a stretch, and changes nothing about what it says.
    #[test]
    fn what_is_passed_at_a_stretch_says_the_same(
        deltas in prop::collection::vec(object(&[
            r#""content":"a \"b\": c""#, r#""content":"""#, r#""content":null"#, r#""role":"assistant""#,
            r#""content":[{"text":"x"}]"#, r#""refusal":null"#, r#""tool_calls":[]"#, r#""reasoning":"why","x":[1]"#,
        ]), 1..3),
        choice in object(&[
            r#""index":0"#, r#""delta":DELTA"#, r#""delta":null"#, r#""logprobs":null"#, r#""logprobs":{"content":[]}"#,
            r#""finish_reason":null"#, r#""finish_reason":"stop""#, r#""text":"x""#,
        ]),
        places in places(),
    ) {
        let choices: Vec<String> = deltas.iter().map(|delta| choice.replace("DELTA", delta)).collect();
        let text = format!(r#"{{"id":"c","choices":[{}],"usage":null}}"#, choices.join(","));
        let (compact, open) = (facts(&text), spaced(&text, places));
        let said = |facts: ChunkFacts, text: &str| {
            let reason = facts.finish_reason.map(|reason| reason.of(text.as_bytes()).to_vec());
            (facts.has_content(), facts.choices, reason, facts.usage)
        };
        prop_assert_eq!(said(compact, &text), said(facts(&open), &open));
    }
}
