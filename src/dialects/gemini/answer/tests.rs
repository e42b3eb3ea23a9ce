use super::*;

fn judged(text: &str) -> Answer {
    Answer::read(text.as_bytes()).unwrap()
}

#[test]
fn an_answer_says_what_it_cost_and_how_it_ended() {
    let text = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"MAX_TOKENS","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5}}"#;
    let answer = judged(text);
    assert_eq!(answer.usage, Some(Usage { input_uncached: 3, output: 2, ..Usage::default() }));
    assert_eq!(answer.finish_reason(text.as_bytes()).unwrap().of(text.as_bytes()), b"\"MAX_TOKENS\"");
    assert!(answer.has_content && answer.error.is_none() && !answer.is_failure && !answer.is_blocked);
    assert_eq!((answer.candidates, answer.ended, answer.choices(text.as_bytes())), (1, 1, Choices::Some));
}

#[test]
fn errors_refused_prompts_and_failures_are_told_apart() {
    let error = judged(r#"{"error":{"code":503}}"#);
    assert!(error.error.is_some());
    assert_eq!(error.choices(b""), Choices::Absent);
    assert_eq!(judged(r#"{"candidates":[]}"#).choices(b""), Choices::Empty);
    let blocked = judged(r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#);
    assert!(blocked.is_blocked);
    assert_eq!(blocked.choices(b""), Choices::Some);
    assert!(!judged(r#"{"promptFeedback":{"safetyRatings":[]}}"#).is_blocked);
    assert!(judged(r#"{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}"#).is_failure);
    assert!(Answer::read(b"[]").is_err() && Answer::read(b"{").is_err());
}

#[test]
fn an_empty_text_is_no_content() {
    for (part, has_content) in [
        (r#"{"text":""}"#, false),
        (r#"{"text":"","thoughtSignature":"YQ=="}"#, false),
        (r#"{"thought":true}"#, false),
        (r#"{"text":"a"}"#, true),
        (r#"{"text":"a","thought":true}"#, true),
        (r#"{"functionCall":{"name":"f"}}"#, true),
        (r#"{"inlineData":{"mimeType":"image/png","data":""}}"#, true),
        (r#"{"executableCode":{}}"#, true),
    ] {
        let text = format!(r#"{{"candidates":[{{"content":{{"parts":[{part}]}}}}]}}"#);
        assert_eq!(judged(&text).has_content, has_content, "{part}");
    }
}

#[test]
fn candidates_beyond_the_bits_are_one() {
    let answer = judged(r#"{"candidates":[{"index":500,"finishReason":"STOP"},{"index":2}]}"#);
    assert_eq!((answer.candidates, answer.ended), (1 << 127 | 4, 1 << 127));
}
