use super::*;
use proptest::prelude::*;

const ROLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const TEXT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n";
const END: &str = "data: [DONE]\n\n";
const ERROR: &str = "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\"}}\n\n";

/// Feeds `stream` in pieces of every size; the outcome must not depend on it.
fn check(stream: &str, usage_asked: bool, expected: &str, verdict: Verdict) {
    for piece in 1..=stream.len() {
        let mut pass = PassThrough::new(true, usage_asked);
        let mut out = Vec::new();
        let mut got = Verdict::More;
        for part in stream.as_bytes().chunks(piece) {
            got = pass.feed(part, &mut out);
            if got != Verdict::More {
                break;
            }
        }
        if got == Verdict::More {
            got = pass.end(&mut out);
        }
        assert_eq!(got, verdict, "in pieces of {piece}");
        assert_eq!(String::from_utf8_lossy(&out), expected, "in pieces of {piece}");
    }
}

#[test]
fn complete_stream_passes_unchanged() {
    let stream = [ROLE, TEXT, STOP, USAGE, END].concat();
    check(&stream, true, &stream, Verdict::Complete);
}

#[test]
fn usage_chunk_is_dropped_only_for_a_client_that_did_not_ask() {
    check(&[ROLE, TEXT, STOP, USAGE, END].concat(), false, &[ROLE, TEXT, STOP, END].concat(), Verdict::Complete);
    let together = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3}}\n\n";
    check(&[TEXT, together, END].concat(), false, &[TEXT, together, END].concat(), Verdict::Complete);
}

#[test]
fn missing_end_marker_is_added_after_a_finish_reason() {
    check(&[TEXT, STOP].concat(), true, &[TEXT, STOP, END].concat(), Verdict::Complete);
    check(&[TEXT, STOP, "data: [DONE]\n"].concat(), true, &[TEXT, STOP, END].concat(), Verdict::Complete);
}

#[test]
fn stream_without_finish_reason_is_truncated() {
    check(&[ROLE, TEXT].concat(), true, &[ROLE, TEXT].concat(), Verdict::Truncated);
    check(&[ROLE, TEXT, END].concat(), true, &[ROLE, TEXT].concat(), Verdict::Truncated);
    check(&[TEXT, STOP, "data: {\"cho"].concat(), true, &[TEXT, STOP].concat(), Verdict::Truncated);
}

#[test]
fn error_event_ends_the_stream_and_is_not_passed_on() {
    check(&[TEXT, ERROR, TEXT].concat(), true, TEXT, Verdict::Error);
}

#[test]
fn event_that_is_not_json_is_not_passed_on() {
    check(&[TEXT, "data: {oops\n\n", TEXT].concat(), true, TEXT, Verdict::Malformed);
}

#[test]
fn every_line_end_becomes_the_one_that_all_decoders_read_alike() {
    let expected = [TEXT, STOP, END].concat();
    for end in ["\r\n", "\r"] {
        check(&expected.replace('\n', end), true, &expected, Verdict::Complete);
    }
}

#[test]
fn comments_are_dropped() {
    check(&[": keep-alive\n\n", TEXT, STOP, END].concat(), true, &[TEXT, STOP, END].concat(), Verdict::Complete);
}

#[test]
fn role_chunk_does_not_begin_the_answer() {
    let mut pass = PassThrough::new(true, true);
    let mut out = Vec::new();
    assert_eq!(pass.feed(ROLE.as_bytes(), &mut out), Verdict::More);
    assert!(!pass.has_begun);
    assert_eq!(pass.feed(TEXT.as_bytes(), &mut out), Verdict::More);
    assert!(pass.has_begun);
}

/// What becomes of a stream that comes in pieces whose sizes repeat as given.
fn pass(mut pass: PassThrough, stream: &[u8], sizes: &[usize]) -> (Verdict, Vec<u8>, Option<Usage>, bool, bool) {
    let mut out = Vec::new();
    let mut verdict = Verdict::More;
    let mut rest = stream;
    for &size in sizes.iter().cycle() {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        verdict = pass.feed(piece, &mut out);
        if verdict != Verdict::More || rest.is_empty() {
            break;
        }
    }
    if verdict == Verdict::More {
        verdict = pass.end(&mut out);
    }
    (verdict, out, pass.usage, pass.has_begun, pass.finished)
}

/// Recognising what comes again must change nothing but the effort.
#[track_caller]
fn same_as_when_read(stream: &[u8], sizes: &[usize]) {
    for usage_asked in [false, true] {
        let mut reading = PassThrough::new(true, usage_asked);
        reading.repeat = Repeat::never();
        let read = pass(reading, stream, sizes);
        let passed = pass(PassThrough::new(true, usage_asked), stream, sizes);
        assert_eq!(passed, read, "{}", stream.escape_ascii());
    }
}

/// A chunk as providers write them, with the values that change.
fn event(text: &str, padding: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}],\"pad\":\"{padding}\"}}\n\n"
    )
}

proptest! {
    #[test]
    fn recognised_events_pass_as_if_they_had_been_read(
        events in prop::collection::vec(any_event(), 0..12),
        sizes in prop::collection::vec(1usize..600, 1..4),
    ) {
        same_as_when_read(&events.concat(), &sizes);
    }
}

/// Mostly what comes again; also what almost does, and what must be noticed.
fn any_event() -> impl Strategy<Value = Vec<u8>> {
    let inside = prop_oneof![
        4 => "[a-z ]{0,6}",
        1 => prop::sample::select(vec![
            "\\n", "\\\"", "\\\\", "\\u00e9", "\\u12", "\\x", "\\", "\"", "é", "\t", "\n", "\r", "x\\", "\",\"error\":\"x", "😀",
        ])
        .prop_map(str::to_owned),
    ];
    prop_oneof![
        8 => (inside.clone(), inside).prop_map(|(text, padding)| event(&text, &padding).into_bytes()),
        1 => prop::sample::select(vec![ROLE, TEXT, STOP, USAGE, ": comment\n\n", "\n", "data: x\n\n", ERROR])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => ("[a-z]{1,3}", prop::sample::select(vec!["\r\n", "\r"]))
            .prop_map(|(text, end)| event(&text, "p").replace('\n', end).into_bytes()),
        1 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| {
            let mut spoilt = event("ab", "cd").into_bytes();
            let at = at.index(spoilt.len());
            spoilt[at] = byte;
            spoilt
        }),
    ]
}

#[test]
fn every_spoilt_byte_of_a_repeated_event_is_noticed() {
    let known = [event("one", "p"), event("two", "q"), event("three", "r")].concat();
    let next = event("four", "s");
    for at in 0..next.len() {
        for byte in 0..=u8::MAX {
            let mut spoilt = next.clone().into_bytes();
            spoilt[at] = byte;
            let stream = [known.as_bytes(), &spoilt, STOP.as_bytes(), END.as_bytes()].concat();
            same_as_when_read(&stream, &[stream.len()]);
        }
    }
}
