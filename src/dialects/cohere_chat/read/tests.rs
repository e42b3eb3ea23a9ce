use super::*;
use crate::dialects::fixtures::{Doors, Told, read_all};
use crate::limits::SSE_EVENT_BYTES_MAX;
use crate::sse::split::Splitter;
use proptest::prelude::*;

fn stream(bytes: &[u8], piece: usize, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
    let mut splitter = Splitter::new(SSE_EVENT_BYTES_MAX);
    let mut reader = Reader::default();
    for piece in bytes.chunks(piece) {
        let mut feed = splitter.feed(piece);
        while let Some(event) = feed.next().map_err(|_| Malformed)? {
            reader.frame(event.name, event.data, tell)?;
        }
    }
    reader.end(tell)
}

#[test]
fn golden_answers_say_what_their_rows_say() {
    let told = read_all(&Doors {
        dialect: "cohere_chat",
        whole,
        stream,
        classify: |status, _, body| classify::classify(status, body),
    });
    let of = |name: &str| told.iter().find(|(found, _)| found == name).map(|(_, told)| told).unwrap();
    for (whole, streamed) in
        [("text", "stream_text"), ("reasoning", "stream_reasoning"), ("parallel_tools", "stream_parallel_tools")]
    {
        let said = |told: &Told| (told.text.clone(), told.thoughts.clone(), told.calls.clone(), told.usage);
        assert_eq!(said(of(whole)), said(of(streamed)), "{whole}");
    }
    assert_eq!(of("parallel_tools").thoughts, "I look both up.");
    assert_eq!(of("citations").extras[0].0, "citations");
    assert_eq!(of("stream_error").error.as_ref().unwrap().1, "the model failed");
}

/// The events of a stream's data, and how it ended.
fn read(frames: &[&str]) -> (Told, Result<(), Malformed>) {
    let mut told = Told::default();
    let mut reader = Reader::default();
    for data in frames {
        if reader.frame(b"", data.as_bytes(), &mut |event| told.event(event)).is_err() {
            return (told, Err(Malformed));
        }
    }
    let end = reader.end(&mut |event| told.event(event));
    (told, end)
}

#[test]
fn a_call_without_input_has_an_empty_object() {
    let begin = r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"a","function":{"name":"now"}}}}}"#;
    let end = r#"{"type":"tool-call-end","index":0}"#;
    let (told, ended) = read(&[begin, end]);
    assert_eq!(told.calls, [("a".to_owned(), "now".to_owned(), "{}".to_owned())]);
    assert_eq!(ended, Err(Malformed));
    // A list of one is a call as well, and all of its input may come at once.
    let begin = r#"{"type":"tool-call-start","delta":{"message":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"a\":1}"}}]}}}"#;
    assert_eq!(read(&[begin, end]).0.calls[0].2, "{\"a\":1}");
}

#[test]
fn citations_come_as_lists() {
    let citation =
        r#"{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"end":5,"text":"Hello"}}}}"#;
    let (told, _) = read(&[citation, r#"{"type":"citation-end","index":0}"#]);
    assert_eq!(told.extras, [("citations".to_owned(), r#"[{"start":0,"end":5,"text":"Hello"}]"#.to_owned())]);
}

#[test]
fn failures_in_a_stream_are_told() {
    let (told, ended) = read(&[r#"{"id":"x","message":"it broke"}"#]);
    assert_eq!(told.error, Some((ErrorClass::Server, "it broke".to_owned())));
    assert_eq!(ended, Err(Malformed));
    let (told, _) = read(&[r#"{"type":"message-end","delta":{"finish_reason":"TIMEOUT"}}"#]);
    assert_eq!(told.error.map(|(class, _)| class), Some(ErrorClass::Timeout));
    let lost =
        r#"{"type":"tool-call-delta","index":4,"delta":{"message":{"tool_calls":{"function":{"arguments":"x"}}}}}"#;
    for data in ["{", "[]", "{}", lost, r#"{"type":"message-end"}"#, r#"{"type":"tool-call-start","delta":{}}"#] {
        assert_eq!(read(&[data]).1, Err(Malformed), "{data}");
    }
    let (told, ended) = read(&[r#"{"type":"message-end","delta":{"finish_reason":"ODD"}}"#, "[DONE]"]);
    assert_eq!((told.finish.as_deref(), told.usage, ended), (Some("ODD"), None, Ok(())));
}

#[test]
fn what_is_no_answer_is_refused() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"message":{}}"#,
        r#"{"finish_reason":"COMPLETE"}"#,
        r#"{"message":"no","finish_reason":"COMPLETE"}"#,
    ] {
        assert_eq!(whole(text.as_bytes(), &mut |_| {}), Err(Malformed), "{text}");
    }
    let call = r#"{"message":{"tool_calls":[{"id":"a"}]},"finish_reason":"TOOL_CALL"}"#;
    assert_eq!(whole(call.as_bytes(), &mut |_| {}), Err(Malformed));
}

proptest! {
    #[test]
    fn noise_is_refused_without_a_panic(
        name in prop::sample::select(vec!["content-delta", "tool-call-start", "message-end", ""]),
        data in prop::collection::vec(prop_oneof![4 => prop::sample::select(b"{}[],:\"\\ a1n\n".to_vec()), 1 => any::<u8>()], 0..80),
    ) {
        let _ = Reader::default().frame(name.as_bytes(), &data, &mut |_| {});
        let _ = whole(&data, &mut |_| {});
        let _ = classify::classify(400, &data);
    }

    #[test]
    fn members_of_any_kinds_are_refused_or_read(
        names in prop::collection::vec(prop::sample::select(vec!["message", "content", "text", "thinking", "tool_calls", "function", "name", "arguments",
            "finish_reason", "usage", "billed_units", "output_tokens", "delta", "citations"]), 1..7),
        leaf in prop::sample::select(vec!["1", "\"x\"", "null", "true", "[]", "{}", "-1.5"]),
        arrays in any::<u8>(),
    ) {
        let text = names.iter().rev().enumerate().fold(leaf.to_owned(), |inner, (at, name)| {
            if arrays >> at & 1 == 1 { format!("{{\"{name}\":[{inner}]}}") } else { format!("{{\"{name}\":{inner}}}") }
        });
        let _ = whole(text.as_bytes(), &mut |_| {});
        for name in ["content-delta", "tool-call-start", "tool-call-delta", "message-end", "citation-start"] {
            let _ = Reader::default().frame(name.as_bytes(), text.as_bytes(), &mut |_| {});
        }
    }
}
