use super::*;

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
