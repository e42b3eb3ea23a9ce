use super::*;
use std::{fs, path::PathBuf};

fn golden(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/_answers/anthropic_elsewhere");
    fs::read(folder.join(name)).expect("a golden answer")
}

/// What a client gets of a stream that comes in these pieces and then ends.
fn passed<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> (String, Verdict, Option<Usage>) {
    let (mut pass, mut out) = (PassThrough::default(), Vec::new());
    let mut verdict = Verdict::More;
    for piece in pieces {
        verdict = pass.feed(piece, &mut out);
        if verdict != Verdict::More {
            break;
        }
    }
    if verdict == Verdict::More {
        verdict = pass.end(&mut out);
    }
    (String::from_utf8(out).expect("UTF-8"), verdict, pass.usage())
}

/// The events of a golden stream, as its file of frames tells them.
fn events(name: &str) -> String {
    let frames: serde_json::Value = serde_json::from_slice(&golden(&format!("{name}.frames.json"))).expect("JSON");
    let bytes = |frame: &serde_json::Value| {
        let bytes = frame["payload"]["bytes"].as_str()?;
        String::from_utf8(base64::decode(bytes.as_bytes()).expect("base64")).ok()
    };
    let events = frames.as_array().expect("frames").iter().filter_map(bytes);
    let name = |event: &str| event.split('"').nth(3).expect("its type comes first").to_owned();
    events.map(|event| format!("event: {}\ndata: {event}\n\n", name(&event))).collect()
}

#[test]
fn a_stream_becomes_events_wherever_it_is_cut() {
    for (name, verdict) in [
        ("of_bedrock_stream_text", Verdict::Complete),
        ("of_bedrock_stream_parallel_tools", Verdict::Complete),
        ("of_bedrock_stream_error", Verdict::Error),
        ("of_bedrock_stream_cut", Verdict::Truncated),
    ] {
        let stream = golden(&format!("{name}.bin"));
        let whole = passed([&*stream]);
        assert_eq!((&whole.0, whole.1), (&events(name), verdict), "{name}");
        assert!(whole.2.is_some(), "{name}: what was counted before the end is known");
        for at in 0..stream.len() {
            assert_eq!(passed([&stream[..at], &stream[at..]]), whole, "{name} cut at {at}");
        }
        for piece in [1, 2, 3, 7, 64] {
            assert_eq!(passed(stream.chunks(piece)), whole, "{name} in pieces of {piece}");
        }
    }
}

/// A frame as AWS makes it, with headers of texts.
fn frame(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in headers {
        lines.push(name.len() as u8);
        lines.extend_from_slice(name.as_bytes());
        lines.push(7);
        lines.extend_from_slice(&(value.len() as u16).to_be_bytes());
        lines.extend_from_slice(value.as_bytes());
    }
    let mut frame = ((16 + lines.len() + payload.len()) as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(&(lines.len() as u32).to_be_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&lines);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
}

const CHUNK: &[(&str, &str)] = &[(":message-type", "event"), (":event-type", "chunk")];

fn chunk_of(event: &str) -> Vec<u8> {
    let mut bytes = String::new();
    base64::encode(event.as_bytes(), &mut bytes);
    frame(CHUNK, &format!(r#"{{"p":"abc","bytes":"{bytes}"}}"#))
}

/// Name and data of what frames say.
fn told(frames: &[u8]) -> (Vec<(String, String)>, Verdict) {
    let mut events = Vec::new();
    let verdict = Unframer::default().feed(frames, |name, data| {
        events.push((name.to_owned(), String::from_utf8_lossy(data).into_owned()));
        Verdict::More
    });
    (events, verdict)
}

#[test]
fn what_a_frame_says() {
    let check = |frame: Vec<u8>, expected: &[(&str, &str)], verdict: Verdict| {
        let expected: Vec<_> = expected.iter().map(|(name, data)| (name.to_string(), data.to_string())).collect();
        assert_eq!(told(&frame), (expected, verdict));
    };
    check(chunk_of(r#"{"type":"ping"}"#), &[("ping", r#"{"type":"ping"}"#)], Verdict::More);
    // Readers know such events by their data, or not at all.
    check(chunk_of(r#"{"type":"of_tomorrow"}"#), &[("", r#"{"type":"of_tomorrow"}"#)], Verdict::More);
    for (name, kind) in [
        ("throttlingException", "rate_limit_error"),
        ("modelStreamErrorException", "api_error"),
        ("modelTimeoutException", "timeout_error"),
        ("serviceUnavailableException", "overloaded_error"),
        ("validationException", "invalid_request_error"),
        ("ofTomorrowException", "api_error"),
    ] {
        check(
            frame(&[(":message-type", "exception"), (":exception-type", name)], r#"{"message":"a \"b\""}"#),
            &[("error", &format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"a \"b\""}}}}"#))],
            Verdict::More,
        );
    }
    check(
        frame(&[(":message-type", "error"), (":error-code", "InternalFailure"), (":error-message", "a\"")], ""),
        &[("error", r#"{"type":"error","error":{"type":"api_error","message":"a\""}}"#)],
        Verdict::More,
    );
    check(frame(&[(":message-type", "event"), (":event-type", "initial-response")], "{}"), &[], Verdict::More);
    check(frame(&[], "anything"), &[], Verdict::More);
    for payload in
        ["", "{}", r#"{"bytes":1}"#, r#"{"bytes":"%%%%"}"#, r#"{"bytes":"e30"}"#, r#"{"bytes":"eyJ0eXBlIjox"}"#]
    {
        check(frame(CHUNK, payload), &[], Verdict::Malformed);
    }
    let mut damaged = chunk_of(r#"{"type":"ping"}"#);
    damaged[40] ^= 1;
    check(damaged, &[], Verdict::Malformed);
}
