use super::*;
use crate::dialects::anthropic_messages::read;

/// What a client gets of a stream that comes in pieces of `piece` bytes and then ends.
fn passed(stream: &[u8], piece: usize, pass: &mut PassThrough) -> (String, Verdict) {
    let mut out = Vec::new();
    for piece in stream.chunks(piece) {
        match pass.feed(piece, &mut out) {
            Verdict::More => {}
            verdict => return (String::from_utf8(out).unwrap(), verdict),
        }
    }
    let verdict = pass.end(&mut out);
    (String::from_utf8(out).unwrap(), verdict)
}

const PIECES: [usize; 6] = [1, 2, 3, 7, 64, usize::MAX];

fn check(stream: &str, expected: &str, verdict: Verdict) {
    for piece in PIECES {
        assert_eq!(
            passed(stream.as_bytes(), piece, &mut PassThrough::new()),
            (expected.to_owned(), verdict),
            "pieces of {piece} bytes"
        );
    }
}

fn event(data: &str) -> String {
    format!("event: {}\ndata: {data}\n\n", data.split('"').nth(3).unwrap())
}

fn delta(text: &str) -> String {
    event(&format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}"#))
}

fn message(text: &[&str]) -> String {
    let start = r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":3,"output_tokens":1}}}"#;
    let block = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let text: String = text.iter().map(|text| delta(text)).collect();
    [event(start), event(block), text, event(r#"{"type":"content_block_stop","index":0}"#)].concat()
}

fn stopped() -> String {
    event(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}}"#)
}

const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

#[test]
fn a_stream_passes_as_it_came() {
    let words = ["a", "b", r"\n", "é", "c d", r#"\""#, "e"].repeat(3);
    let stream = [message(&words), stopped(), STOP.to_owned()].concat();
    check(&stream, &stream, Verdict::Complete);
    let after = format!("{stream}event: of_another_time\ndata: {{}}\n\n");
    check(&after, &stream, Verdict::Complete);
    for piece in PIECES {
        let mut pass = PassThrough::new();
        passed(stream.as_bytes(), piece, &mut pass);
        assert_eq!(pass.usage, Some(Usage { input_uncached: 3, output: 4, ..Usage::default() }));
        assert!(pass.has_begun);
    }
}

#[test]
fn recognising_changes_nothing() {
    let words: Vec<String> = (0..40).map(|place| "x".repeat(place % 7)).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let odd = delta(r"bad \q");
    for (stream, verdict) in [
        ([message(&words), stopped(), STOP.to_owned()].concat(), Verdict::Complete),
        ([message(&words), odd, STOP.to_owned()].concat(), Verdict::Malformed),
    ] {
        let read_in_full = PassThrough { repeat: Repeat::never(), ..PassThrough::new() };
        let expected = passed(stream.as_bytes(), 50, &mut { read_in_full });
        assert_eq!(expected.1, verdict);
        for piece in PIECES {
            assert_eq!(passed(stream.as_bytes(), piece, &mut PassThrough::new()), expected);
        }
    }
}

#[test]
fn content_is_what_somebody_waits_for() {
    let begun = |stream: &str| {
        let mut pass = PassThrough::new();
        assert_eq!(pass.feed(stream.as_bytes(), &mut Vec::new()), Verdict::More);
        pass.has_begun
    };
    let head = message(&[]);
    let (before_block_ends, _) = head.split_at(head.len() - event(r#"{"type":"content_block_stop","index":0}"#).len());
    assert!(!begun(&format!("{before_block_ends}{}", event(r#"{"type":"ping"}"#))));
    assert!(!begun(&format!("{before_block_ends}{}", delta(""))));
    assert!(begun(&format!("{before_block_ends}{}", delta("a"))));
    // A search by the server itself has no event of its own.
    assert!(begun(&head));
    assert!(begun(&stopped()));
}

#[test]
fn a_stream_without_its_end_is_broken() {
    let text = message(&["a"]);
    check(&text, &text, Verdict::Truncated);
    let finished = [text.clone(), stopped()].concat();
    check(&finished, &finished, Verdict::Truncated);
    let unfinished = format!("{finished}event: message_st");
    check(&unfinished, &finished, Verdict::Truncated);
    check(&[text.clone(), STOP.to_owned()].concat(), &text, Verdict::Truncated);
    // The blank line alone may be missing.
    check(&[finished.as_str(), STOP.trim_end()].concat(), &[finished.as_str(), STOP].concat(), Verdict::Complete);
}

#[test]
fn errors_are_not_written() {
    let text = message(&["a"]);
    let error = event(r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
    check(&[text.as_str(), &error].concat(), &text, Verdict::Error);
    check(&[text.clone(), "data: nonsense\n\n".to_owned()].concat(), &text, Verdict::Malformed);
}

#[test]
fn odd_line_ends_are_written_anew_and_comments_dropped() {
    let stream = [message(&["a"]), stopped(), STOP.to_owned()].concat();
    let odd = format!(": hello\n\n{}", stream.replace('\n', "\r\n"));
    check(&odd, &stream, Verdict::Complete);
}

fn golden(dialect_file: &str) -> Vec<u8> {
    let path = format!("{}/tests/golden/_answers/anthropic_messages/{dialect_file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn recorded_streams_pass_and_say_what_their_cases_say() {
    let cases = String::from_utf8(golden("cases.toml")).unwrap().parse::<toml::Table>().unwrap();
    let mut streams = 0;
    for (name, case) in cases.iter().filter(|(name, _)| name.starts_with("stream_")) {
        let stream = golden(&format!("{name}.sse"));
        let expected = match case.get("error").and_then(toml::Value::as_str) {
            None => Verdict::Complete,
            Some("interrupted") => Verdict::Truncated,
            Some(_) => Verdict::Error,
        };
        for piece in PIECES {
            let mut pass = PassThrough::new();
            let (out, verdict) = passed(&stream, piece, &mut pass);
            assert_eq!(verdict, expected, "{name}");
            assert!(stream.starts_with(out.as_bytes()), "{name}");
            if verdict == Verdict::Complete {
                assert_eq!(out.as_bytes(), stream, "{name}");
                check_usage(name, case, pass.usage);
            }
        }
        streams += 1;
    }
    assert!(streams > 5);
}

#[test]
fn recorded_answers_say_what_their_cases_say() {
    let cases = String::from_utf8(golden("cases.toml")).unwrap().parse::<toml::Table>().unwrap();
    for (name, case) in cases.iter().filter(|(name, case)| !name.starts_with("stream_") && case.get("says").is_some()) {
        let text = golden(&format!("{name}.json"));
        let (mut finish, mut usage, mut is_error) = (None, None, false);
        let told = read::whole(&text, &mut |event| match event {
            Event::Finish { reason, .. } => finish = Some(format!("{reason:?}")),
            Event::Usage(counted) => usage = Some(counted),
            Event::Error(_) => is_error = true,
            _ => {}
        });
        assert_eq!(told, Ok(()), "{name}");
        assert_eq!(is_error, case.get("error").is_some(), "{name}");
        if !is_error {
            assert!(finish.is_some(), "{name}");
            check_usage(name, case, usage);
        }
    }
}

fn check_usage(name: &str, case: &toml::Value, found: Option<Usage>) {
    let count = |count: &str| {
        let count = case.get("usage").and_then(|usage| usage.get(count)).and_then(toml::Value::as_integer);
        count.unwrap_or_default() as u64
    };
    let expected = Usage {
        input_uncached: count("input"),
        cache_read: count("cache_read"),
        cache_write_short: count("cache_write_5m"),
        cache_write_long: count("cache_write_1h"),
        output: count("output"),
        reasoning: count("reasoning"),
        ..Usage::default()
    };
    assert_eq!(found, Some(expected), "{name}");
}
