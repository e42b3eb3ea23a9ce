use super::*;
use crate::dialects::fixtures::{Doors, Told, read_all};
use proptest::prelude::*;

/// Feeds lines as they come out of pieces.
fn stream(bytes: &[u8], piece: usize, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
    let mut reader = Reader::default();
    let mut line = Vec::new();
    for piece in bytes.chunks(piece) {
        for byte in piece {
            if *byte != b'\n' {
                line.push(*byte);
                continue;
            }
            reader.frame(b"", &line, tell)?;
            line.clear();
        }
    }
    if !line.is_empty() {
        reader.frame(b"", &line, tell)?;
    }
    reader.end(tell)
}

#[test]
fn golden_answers_say_what_their_rows_say() {
    let told = read_all(&Doors {
        dialect: "ollama",
        whole,
        stream,
        classify: |status, _, body| classify::classify(status, body),
    });
    let of = |name: &str| told.iter().find(|(found, _)| found == name).map(|(_, told)| told).unwrap();
    assert_eq!(of("text").text, of("stream_text").text);
    assert_eq!(of("reasoning").thoughts, of("stream_reasoning").thoughts);
    let inputs = |told: &Told| {
        let read = |(_, name, input): &(String, String, String)| {
            (name.clone(), serde_json::from_str::<serde_json::Value>(input).unwrap())
        };
        told.calls.iter().map(read).collect::<Vec<_>>()
    };
    assert_eq!(inputs(of("parallel_tools")), inputs(of("stream_parallel_tools")));
    let ids = |told: &Told| told.calls.iter().map(|call| call.0.clone()).collect::<Vec<_>>();
    assert_eq!(ids(of("parallel_tools")), ["call_w1", "call_t2"]);
    assert_eq!(ids(of("stream_parallel_tools")), ["call_20261122070000123456789_0", "call_20261122070000123456789_1"]);
    let (name, logprobs) = &of("logprobs").extras[0];
    assert_eq!(name, "logprobs");
    assert_eq!(
        logprobs,
        concat!(
            r#"{"content":[{"token":"Hel","logprob":-0.25,"bytes":[72,101,108],"top_logprobs":["#,
            r#"{"token":"Hel","logprob":-0.25,"bytes":[72,101,108]},{"token":"Hi","logprob":-1.5,"bytes":[72,105]}]}],"refusal":null}"#
        )
    );
}

fn read(text: &str) -> (Told, Result<(), Malformed>) {
    let mut told = Told::default();
    let result = whole(text.as_bytes(), &mut |event| told.event(event));
    (told, result)
}

#[test]
fn what_is_no_answer_is_refused() {
    for text in
        ["", "[]", "{}", r#"{"message":{"content":"a"}}"#, r#"{"message":{"content":"a"},"done":false}"#, "<html>"]
    {
        assert_eq!(read(text).1, Err(Malformed), "{text}");
    }
    for call in [r#"{}"#, r#"{"function":{}}"#, r#"{"function":{"name":"f","arguments":[]}}"#] {
        assert_eq!(
            read(&format!(r#"{{"message":{{"tool_calls":[{call}]}},"done":true}}"#)).1,
            Err(Malformed),
            "{call}"
        );
    }
}

#[test]
fn inputs_and_reasons_that_are_unusual() {
    let (told, result) = read(
        r#"{"message":{"tool_calls":[{"function":{"name":"f"}},{"id":"x","function":{"name":"g","arguments":"{\"a\":1}"}}]},"done":true,"done_reason":"odd"}"#,
    );
    let call = |id: &str, name: &str, input: &str| (id.to_owned(), name.to_owned(), input.to_owned());
    assert_eq!(told.calls, [call("call__0", "f", "{}"), call("x", "g", "{\"a\":1}")]);
    assert_eq!((told.finish.as_deref(), told.usage, told.ended, result), (Some("odd"), None, true, Ok(())));
    let (told, _) = read(r#"{"done":true,"eval_count":3}"#);
    assert_eq!(told.usage, Some(Usage { output: 3, ..Usage::default() }));
}

proptest! {
    #[test]
    fn noise_is_refused_without_a_panic(data in prop::collection::vec(prop_oneof![4 => prop::sample::select(b"{}[],:\"\\ a1n\n".to_vec()), 1 => any::<u8>()], 0..80)) {
        let _ = whole(&data, &mut |_| {});
        let _ = classify::classify(500, &data);
    }

    #[test]
    fn members_of_any_kinds_are_refused_or_read(
        names in prop::collection::vec(prop::sample::select(vec!["message", "content", "thinking", "tool_calls", "function", "name", "arguments",
            "done", "error", "logprobs", "token", "top_logprobs"]), 1..6),
        leaf in prop::sample::select(vec!["1", "\"x\"", "null", "true", "[]", "{}", "-1.5"]),
        arrays in any::<u8>(),
    ) {
        let text = names.iter().rev().enumerate().fold(leaf.to_owned(), |inner, (at, name)| {
            if arrays >> at & 1 == 1 { format!("{{\"{name}\":[{inner}]}}") } else { format!("{{\"done\":true,\"{name}\":{inner}}}") }
        });
        let _ = whole(text.as_bytes(), &mut |_| {});
    }
}
