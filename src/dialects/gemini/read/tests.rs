use super::*;
use crate::dialects::gemini::fixtures::line;
use crate::limits::SSE_EVENT_BYTES_MAX;
use crate::sse::split::Splitter;
use proptest::prelude::*;

fn read_whole(text: &str) -> Result<Vec<String>, Malformed> {
    let mut lines = Vec::new();
    whole(text.as_bytes(), &mut |event| lines.push(line(&event)))?;
    Ok(lines)
}

/// What a stream tells, cut into pieces of `bytes`, and whether it was complete.
fn read_stream(stream: &[u8], bytes: usize) -> (Vec<String>, bool) {
    let mut lines = Vec::new();
    let mut reader = Reader::default();
    let mut splitter = Splitter::new(SSE_EVENT_BYTES_MAX);
    for piece in stream.chunks(bytes) {
        let mut feed = splitter.feed(piece);
        while let Ok(Some(event)) = feed.next() {
            if reader.frame(event.name, event.data, &mut |event| lines.push(line(&event))).is_err() {
                return (lines, false);
            }
        }
    }
    let complete = reader.end(&mut |event| lines.push(line(&event))).is_ok();
    (lines, complete)
}

fn check_stream(chunks: &[&str], expected: &[&str]) {
    for (begin, end) in [("data: ", "\n\n"), ("data:", "\r\n\r\n")] {
        let stream: String = chunks.iter().map(|chunk| format!("{begin}{chunk}{end}")).collect();
        for bytes in [1, 2, 3, 7, 64, usize::MAX] {
            let (lines, complete) = read_stream(stream.as_bytes(), bytes);
            assert_eq!(lines, expected, "pieces of {bytes}");
            // An error is an end, too, as far as the stream is concerned.
            let ends = |line: &&str| *line == "end" || line.contains("error ");
            assert_eq!(complete, expected.last().is_some_and(ends));
        }
    }
}

const WHOLE: &str = r#"{
  "candidates": [
    {
      "content": {
        "parts": [
          { "text": "Let me see.", "thought": true },
          { "text": "It is\n\"warm\".", "thoughtSignature": "c2ln" },
          { "functionCall": { "id": "fc_1", "name": "get_weather", "args": { "city": "S\u00e3o Paulo", "days": [ 1, 2 ] } }, "thoughtSignature": "Y2FsbA==" },
          { "functionCall": { "name": "get_time" } }
        ],
        "role": "model"
      },
      "finishReason": "STOP",
      "index": 0,
      "safetyRatings": []
    }
  ],
  "usageMetadata": { "promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 18 },
  "modelVersion": "gemini-3-flash",
  "responseId": "abc"
}
"#;

const EVENTS: &[&str] = &[
    "start abc gemini-3-flash",
    "0 thinking Let me see.",
    "0 proved gemini/c2ln",
    "0 text It is\n\"warm\".",
    "0 call 0 fc_1 get_weather gemini/Y2FsbA==",
    "0 arguments 0 {\"city\":\"S\\u00e3o Paulo\",\"days\":[1,2]}",
    "0 call 1 call_abc_1 get_time",
    "0 arguments 1 {}",
    "usage 10+0 -> 8 (3)",
    "0 finish ToolCalls",
    "end",
];

#[test]
fn a_whole_answer_is_the_events_of_a_stream() {
    assert_eq!(read_whole(WHOLE).unwrap(), EVENTS);
    let in_one_line: String = WHOLE.lines().collect();
    check_stream(&[&in_one_line], EVENTS);
}

#[test]
fn a_stream_of_texts() {
    check_stream(
        &[
            r#"{"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4},"modelVersion":"m","responseId":"r"}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"lo"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4},"modelVersion":"m","responseId":"r"}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"MAX_TOKENS","index":0}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":2,"totalTokenCount":6},"modelVersion":"m","responseId":"r"}"#,
        ],
        &["start r m", "0 text Hel", "usage 4+0 -> 0 (0)", "0 text lo", "usage 4+0 -> 2 (0)", "0 finish Length", "end"],
    );
}

#[test]
fn a_reason_in_every_increment_ends_the_answer_once() {
    let chunk = r#"{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}]}"#;
    check_stream(&[chunk, chunk], &["start  ", "0 text x", "0 text x", "0 finish Stop", "end"]);
}

#[test]
fn several_candidates_each_have_their_end() {
    check_stream(
        &[
            r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"index":0},{"content":{"parts":[{"functionCall":{"id":"i","name":"f","args":{}}}]},"index":1}]}"#,
            r#"{"candidates":[{"finishReason":"SAFETY","index":1},{"finishReason":"STOP","index":0}]}"#,
        ],
        &["start  ", "0 text a", "1 call 0 i f", "1 arguments 0 {}", "0 finish Stop", "1 finish ContentFilter", "end"],
    );
    // Without an index the place counts.
    check_stream(
        &[
            r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"},{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]}"#,
        ],
        &["start  ", "0 text a", "1 text b", "0 finish Stop", "1 finish Stop", "end"],
    );
}

#[test]
fn each_reason_has_its_finish() {
    for (reason, expected) in [
        ("STOP", "0 finish Stop"),
        ("MAX_TOKENS", "0 finish Length"),
        ("SAFETY", "0 finish ContentFilter"),
        ("RECITATION", "0 finish ContentFilter"),
        ("LANGUAGE", "0 finish ContentFilter"),
        ("OTHER", "0 finish ContentFilter"),
        ("BLOCKLIST", "0 finish ContentFilter"),
        ("PROHIBITED_CONTENT", "0 finish ContentFilter"),
        ("SPII", "0 finish ContentFilter"),
        ("IMAGE_SAFETY", "0 finish ContentFilter"),
        ("NO_IMAGE", "0 finish ContentFilter"),
        ("SOMETHING_NEW", "0 finish other SOMETHING_NEW"),
    ] {
        let text = format!(r#"{{"candidates":[{{"finishReason":"{reason}"}}]}}"#);
        assert_eq!(read_whole(&text).unwrap(), ["start  ", expected, "end"]);
    }
    for reason in ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"] {
        let text = format!(r#"{{"candidates":[{{"finishReason":"{reason}","finishMessage":"It was: print("}}]}}"#);
        assert_eq!(read_whole(&text).unwrap(), ["start  ", "error Server It was: print("]);
        check_stream(&[&text], &["start  ", "error Server It was: print("]);
    }
}

#[test]
fn a_blocked_prompt_is_an_answer_that_was_filtered() {
    let blocked = r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9},"modelVersion":"m","responseId":"r"}"#;
    let expected = ["start r m", "usage 9+0 -> 0 (0)", "0 finish ContentFilter", "end"];
    assert_eq!(read_whole(blocked).unwrap(), expected);
    check_stream(&[blocked], &expected);
    // In the middle of an answer.
    let begun = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"modelVersion":"m","responseId":"r"}"#;
    check_stream(&[begun, blocked], &["start r m", "0 text a", "usage 9+0 -> 0 (0)", "0 finish ContentFilter", "end"]);
}

#[test]
fn errors_in_an_answer_are_classified() {
    for error in [
        r#"{"error":{"code":503,"message":"Try later.","status":"UNAVAILABLE"}}"#,
        r#"[{"error":{"code":503,"message":"Try later.","status":"UNAVAILABLE"}}]"#,
    ] {
        assert_eq!(read_whole(error).unwrap(), ["error Overloaded Try later."]);
        let begun = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#;
        check_stream(&[begun, error], &["start  ", "0 text a", "error Overloaded Try later."]);
    }
}

#[test]
fn signatures_prove_thoughts_or_stand_for_them() {
    check_stream(
        &[
            r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"YQ=="}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"b"}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"Yg=="}]},"finishReason":"STOP"}]}"#,
        ],
        &[
            "start  ",
            "0 thinking hm",
            "0 proved gemini/YQ==",
            "0 text b",
            "0 sealed gemini/Yg==",
            "0 finish Stop",
            "end",
        ],
    );
}

#[test]
fn pictures_and_log_probabilities_come_in_openai_s_form() {
    let text = r#"{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]},"finishReason":"STOP",
        "logprobsResult":{"chosenCandidates":[{"token":"a","logProbability":-0.5}]}}]}"#;
    assert_eq!(
        read_whole(text).unwrap(),
        [
            "start  ",
            r#"0 images [{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}}]"#,
            r#"0 logprobs {"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]}],"refusal":null}"#,
            "0 finish Stop",
            "end"
        ]
    );
}

#[test]
fn what_ends_before_its_end_is_no_answer() {
    check_stream(&[r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#], &["start  ", "0 text a"]);
    check_stream(&[], &[]);
    check_stream(&["{"], &[]);
    check_stream(&[r#"{"candidates":[{"content":{"parts":[{"functionCall":{"args":{}}}]}}]}"#], &["start  "]);
    check_stream(
        &[r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":[]}}]}}]}"#],
        &["start  "],
    );
    for text in ["", "[]", "null", "{}", r#"{"candidates":[]}"#, "{\"candidates\":[{}]} x", "<html>"] {
        assert_eq!(read_whole(text), Err(Malformed), "{text}");
    }
}

#[test]
fn candidates_are_bounded() {
    let many: Vec<_> = (0..=CANDIDATES_MAX).map(|index| format!(r#"{{"index":{index}}}"#)).collect();
    assert_eq!(read_whole(&format!(r#"{{"candidates":[{}]}}"#, many.join(","))), Err(Malformed));
}

proptest! {
    #[test]
    fn noise_is_refused_without_a_panic(text in prop::collection::vec(prop_oneof![4 => prop::sample::select(b"{}[],:\"\\ a1n\n".to_vec()), 1 => any::<u8>()], 0..80)) {
        let _ = whole(&text, &mut |_| {});
    }

    #[test]
    fn answers_of_any_kinds_are_refused_or_read(
        names in prop::collection::vec(prop::sample::select(vec!["candidates", "content", "parts", "text", "functionCall", "name", "args", "index", "error", "usageMetadata", "promptFeedback", "blockReason", "finishReason", "logprobsResult", "inlineData"]), 1..8),
        leaf in prop::sample::select(vec!["1", "\"x\"", "null", "true", "[]", "{}", "-1.5"]),
        arrays in any::<u8>(),
    ) {
        let text = names.iter().rev().enumerate().fold(leaf.to_owned(), |inner, (at, name)| {
            if arrays >> at & 1 == 1 { format!("{{\"{name}\":[{inner}]}}") } else { format!("{{\"{name}\":{inner}}}") }
        });
        let _ = whole(text.as_bytes(), &mut |_| {});
    }
}
