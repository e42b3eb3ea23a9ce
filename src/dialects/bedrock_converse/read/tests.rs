use super::*;
use crate::dialects::bedrock_converse::event_stream::Splitter;
use crate::dialects::fixtures::{Doors, Told, read_all};
use proptest::prelude::*;

const FRAME_BYTES_MAX: usize = 1 << 20;

fn stream(bytes: &[u8], piece: usize, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
    let mut splitter = Splitter::new(FRAME_BYTES_MAX);
    let mut reader = Reader::default();
    for piece in bytes.chunks(piece) {
        let mut feed = splitter.feed(piece);
        while let Some(message) = feed.next().map_err(|_| Malformed)? {
            reader.message(&message, tell)?;
        }
    }
    reader.end(tell)
}

#[test]
fn golden_answers_say_what_their_rows_say() {
    let told = read_all(&Doors {
        dialect: "bedrock_converse",
        whole,
        stream,
        classify: |status, headers, body| {
            let name = headers.get(classify::ERROR_TYPE_HEADER).and_then(toml::Value::as_str);
            classify::classify_named(status, name.unwrap_or_default(), body)
        },
    });
    let of = |name: &str| told.iter().find(|(found, _)| found == name).map(|(_, told)| told).unwrap();
    let inputs = |told: &Told| {
        let read = |(id, name, input): &(String, String, String)| {
            (id.clone(), name.clone(), serde_json::from_str::<serde_json::Value>(input).unwrap())
        };
        told.calls.iter().map(read).collect::<Vec<_>>()
    };
    for (whole, streamed) in [("text", "stream_text"), ("parallel_tools", "stream_parallel_tools")] {
        assert_eq!(of(whole).text, of(streamed).text);
        assert_eq!(inputs(of(whole)), inputs(of(streamed)));
        assert_eq!(of(whole).usage, of(streamed).usage);
    }
    assert_eq!(of("reasoning").thoughts, of("stream_reasoning").thoughts);
    assert_eq!(of("reasoning").signatures.len(), 2);
    assert_eq!(of("stream_reasoning").signatures.len(), 1);
    assert_eq!(inputs(of("tool_call")).len(), 1);
}

/// The events of frames, and how the stream ended.
fn read(frames: &[(&str, &str)]) -> (Told, Result<(), Malformed>) {
    let mut told = Told::default();
    let mut reader = Reader::default();
    for (name, data) in frames {
        if reader.frame(name.as_bytes(), data.as_bytes(), &mut |event| told.event(event)).is_err() {
            return (told, Err(Malformed));
        }
    }
    let end = reader.end(&mut |event| told.event(event));
    (told, end)
}

const STOP: (&str, &str) = ("messageStop", r#"{"stopReason":"tool_use"}"#);

#[test]
fn a_call_without_input_has_an_empty_object() {
    let begin = ("contentBlockStart", r#"{"contentBlockIndex":3,"start":{"toolUse":{"toolUseId":"a","name":"now"}}}"#);
    let nothing = ("contentBlockDelta", r#"{"contentBlockIndex":3,"delta":{"toolUse":{"input":""}}}"#);
    let end = ("contentBlockStop", r#"{"contentBlockIndex":3}"#);
    let (told, ended) = read(&[begin, nothing, end, STOP]);
    assert_eq!(told.calls, [("a".to_owned(), "now".to_owned(), "{}".to_owned())]);
    // Ended between stop and metadata: complete, without a usage.
    assert_eq!((ended, told.ended, told.usage), (Ok(()), true, None));
}

#[test]
fn interleaved_blocks_keep_their_calls() {
    let (told, _) = read(&[
        ("contentBlockStart", r#"{"start":{"toolUse":{"toolUseId":"a","name":"f"}},"contentBlockIndex":1}"#),
        (
            "contentBlockStart",
            r#"{"start":{"toolUse":{"toolUseId":"s","name":"x","type":"server_tool_use"}},"contentBlockIndex":2}"#,
        ),
        ("contentBlockStart", r#"{"start":{"toolUse":{"toolUseId":"b","name":"g"}},"contentBlockIndex":3}"#),
        ("contentBlockDelta", r#"{"delta":{"toolUse":{"input":"{\"b\":"}},"contentBlockIndex":3}"#),
        ("contentBlockDelta", r#"{"delta":{"toolUse":{"input":"lost"}},"contentBlockIndex":2}"#),
        ("contentBlockDelta", r#"{"delta":{"toolUse":{"input":"{}"}},"contentBlockIndex":1}"#),
        ("contentBlockDelta", r#"{"delta":{"toolUse":{"input":"1}"}},"contentBlockIndex":3,"p":"abcd"}"#),
    ]);
    let call = |id: &str, name: &str, input: &str| (id.to_owned(), name.to_owned(), input.to_owned());
    assert_eq!(told.calls, [call("a", "f", "{}"), call("b", "g", "{\"b\":1}")]);
}

#[test]
fn what_cannot_be_used_is_an_error() {
    let (told, ended) = read(&[("messageStop", r#"{"stopReason":"malformed_tool_use"}"#), ("metadata", "{}")]);
    assert_eq!(told.error, Some((ErrorClass::Server, "malformed_tool_use".to_owned())));
    assert_eq!((ended, told.finish), (Err(Malformed), None));
    for (name, data) in [("contentBlockDelta", "{"), ("contentBlockDelta", "{}"), ("messageStop", "{}")] {
        assert_eq!(read(&[(name, data)]).1, Err(Malformed), "{name} {data}");
    }
    for text in ["", "[]", "{}", r#"{"output":{"message":{"content":[]}}}"#, r#"{"stopReason":"end_turn"}"#] {
        assert_eq!(whole(text.as_bytes(), &mut |_| {}), Err(Malformed), "{text}");
    }
}

#[test]
fn reasons_by_table_and_what_citations_cover() {
    for (reason, expected) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("model_context_window_exceeded", "length"),
        ("content_filtered", "content_filter"),
        ("something_new", "something_new"),
    ] {
        let text = format!(
            r#"{{"output":{{"message":{{"content":[{{"citationsContent":{{"content":[{{"text":"a"}}]}}}}]}}}},"stopReason":"{reason}"}}"#
        );
        let mut told = Told::default();
        whole(text.as_bytes(), &mut |event| told.event(event)).unwrap();
        assert_eq!((told.finish.as_deref(), &*told.text, told.usage), (Some(expected), "a", None));
    }
}

#[test]
fn an_error_in_the_headers_alone_is_told() {
    let headers = [(":message-type", "error"), (":error-code", "InternalFailure"), (":error-message", "It broke.")];
    let frame = frame(&headers, b"");
    let mut told = Told::default();
    let ended = stream(&frame, 5, &mut |event| told.event(event));
    assert_eq!(told.error, Some((ErrorClass::Server, "It broke.".to_owned())));
    assert_eq!(ended, Err(Malformed));
}

/// A message as it stands on the wire.
fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut said = Vec::new();
    for (name, value) in headers {
        said.push(name.len() as u8);
        said.extend_from_slice(name.as_bytes());
        said.push(7);
        said.extend_from_slice(&(value.len() as u16).to_be_bytes());
        said.extend_from_slice(value.as_bytes());
    }
    let mut frame = Vec::new();
    frame.extend_from_slice(&((16 + said.len() + payload.len()) as u32).to_be_bytes());
    frame.extend_from_slice(&(said.len() as u32).to_be_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&said);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
}

proptest! {
    #[test]
    fn noise_is_refused_without_a_panic(
        name in prop::sample::select(vec!["contentBlockDelta", "contentBlockStart", "messageStop", "metadata", "xException", ""]),
        data in prop::collection::vec(prop_oneof![4 => prop::sample::select(b"{}[],:\"\\ a1n\n".to_vec()), 1 => any::<u8>()], 0..80),
    ) {
        let _ = Reader::default().frame(name.as_bytes(), &data, &mut |_| {});
        let _ = whole(&data, &mut |_| {});
        let _ = classify::classify(400, &data);
    }

    #[test]
    fn members_of_any_kinds_are_refused_or_read(
        names in prop::collection::vec(prop::sample::select(vec!["output", "message", "content", "text", "toolUse", "toolUseId", "name",
            "input", "stopReason", "usage", "cacheDetails", "ttl", "delta", "start", "reasoningContent", "reasoningText"]), 1..7),
        leaf in prop::sample::select(vec!["1", "\"x\"", "null", "true", "[]", "{}", "-1.5"]),
        arrays in any::<u8>(),
    ) {
        let text = names.iter().rev().enumerate().fold(leaf.to_owned(), |inner, (at, name)| {
            if arrays >> at & 1 == 1 { format!("{{\"{name}\":[{inner}]}}") } else { format!("{{\"{name}\":{inner}}}") }
        });
        let _ = whole(text.as_bytes(), &mut |_| {});
        for name in ["contentBlockDelta", "contentBlockStart", "messageStop", "metadata"] {
            let _ = Reader::default().frame(name.as_bytes(), text.as_bytes(), &mut |_| {});
        }
    }
}
