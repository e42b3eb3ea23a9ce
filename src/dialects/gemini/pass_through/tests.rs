use super::*;
use crate::error::Upstream;

const TEXT: &str = r#"{"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":3,"totalTokenCount":3}}"#;
const EMPTY: &str = r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"index":0}]}"#;
const END: &str = r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5}}"#;
const BLOCKED: &str = r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#;
const ERROR: &str = r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#;
const BOTCHED: &str = r#"{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL","index":0}]}"#;

fn events(increments: &[&str]) -> String {
    increments.iter().map(|increment| format!("data: {increment}\n\n")).collect()
}

/// What the client gets of a stream in pieces of `bytes`, and how it ended.
fn passed(stream: &str, form: Form, bytes: usize) -> (String, Verdict, PassThrough) {
    let (mut pass, mut out) = (PassThrough::new(form), Vec::new());
    for piece in stream.as_bytes().chunks(bytes) {
        let verdict = pass.feed(piece, &mut out);
        if verdict != Verdict::More {
            return (String::from_utf8(out).unwrap(), verdict, pass);
        }
    }
    let verdict = pass.end(&mut out);
    (String::from_utf8(out).unwrap(), verdict, pass)
}

#[track_caller]
fn check(stream: &str, form: Form, expected: &str, verdict: Verdict) {
    for bytes in [1, 2, 3, 7, 64, usize::MAX] {
        let (out, ended, _) = passed(stream, form, bytes);
        assert_eq!((out.as_str(), ended), (expected, verdict), "pieces of {bytes}");
    }
}

#[test]
fn a_complete_stream_passes_as_it_came() {
    let stream = events(&[TEXT, TEXT, END]);
    check(&stream, Form::Events, &stream, Verdict::Complete);
    let (_, _, pass) = passed(&stream, Form::Events, 5);
    assert_eq!(pass.usage, Some(Usage { input_uncached: 3, output: 2, ..Usage::default() }));
    check(&events(&[BLOCKED]), Form::Events, &events(&[BLOCKED]), Verdict::Complete);
}

#[test]
fn line_ends_comments_and_a_missing_blank_line_are_made_good() {
    let expected = events(&[TEXT, END]);
    check(&expected.replace('\n', "\r\n"), Form::Events, &expected, Verdict::Complete);
    check(&format!(": hello\n\n: hello\n{expected}"), Form::Events, &expected, Verdict::Complete);
    check(expected.trim_end(), Form::Events, &expected, Verdict::Complete);
    check(expected.strip_suffix('\n').unwrap(), Form::Events, &expected, Verdict::Complete);
}

#[test]
fn without_alt_sse_it_is_an_array() {
    check(&events(&[TEXT, TEXT, END]), Form::Array, &format!("[{TEXT},\n{TEXT},\n{END}]"), Verdict::Complete);
    check(events(&[END]).trim_end(), Form::Array, &format!("[{END}]"), Verdict::Complete);
}

#[test]
fn a_stream_without_a_reason_is_broken() {
    check(&events(&[TEXT, TEXT]), Form::Events, &events(&[TEXT, TEXT]), Verdict::Truncated);
    check("", Form::Events, "", Verdict::Truncated);
    check(&events(&["{}"]), Form::Events, &events(&["{}"]), Verdict::Truncated);
    let cut = events(&[TEXT, END]);
    check(&cut[..cut.len() - 20], Form::Events, &events(&[TEXT]), Verdict::Truncated);
    let other = END.replace("\"index\":0", "\"index\":1");
    check(&events(&[TEXT, &other]), Form::Events, &events(&[TEXT, &other]), Verdict::Truncated);
    check(&events(&[TEXT, &other, END]), Form::Events, &events(&[TEXT, &other, END]), Verdict::Complete);
}

#[test]
fn errors_are_told_and_not_written() {
    check(&events(&[TEXT, ERROR, END]), Form::Events, &events(&[TEXT]), Verdict::Error);
    check(&events(&[&format!("[{ERROR}]")]), Form::Events, "", Verdict::Error);
    check(&events(&[TEXT, "{\"a\":"]), Form::Events, &events(&[TEXT]), Verdict::Malformed);
    check(&events(&["[DONE]"]), Form::Events, "", Verdict::Malformed);
}

#[test]
fn a_botched_call_is_a_failure_until_something_was_said() {
    check(&events(&[EMPTY, BOTCHED]), Form::Events, &events(&[EMPTY]), Verdict::Error);
    check(&events(&[TEXT, BOTCHED]), Form::Events, &events(&[TEXT, BOTCHED]), Verdict::Complete);
}

#[test]
fn an_answer_begins_with_content_or_with_its_end() {
    let (mut pass, mut out) = (PassThrough::new(Form::Events), Vec::new());
    assert_eq!(pass.feed(events(&[EMPTY]).as_bytes(), &mut out), Verdict::More);
    assert!(!pass.has_begun);
    pass.feed(events(&[TEXT]).as_bytes(), &mut out);
    assert!(pass.has_begun);
    for begins in [END, BLOCKED] {
        let mut pass = PassThrough::new(Form::Events);
        pass.feed(events(&[begins]).as_bytes(), &mut out);
        assert!(pass.has_begun, "{begins}");
    }
}

#[test]
fn a_failure_ends_either_form() {
    let failure = Failure::from(Upstream::Truncated);
    for (stream, errors_at) in [("", 0), (&*events(&[TEXT]), 1)] {
        let (mut out, _, mut pass) = passed(stream, Form::Array, 9);
        let mut rest = Vec::new();
        pass.fail(&failure, &mut rest);
        out.push_str(std::str::from_utf8(&rest).unwrap());
        let array: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(array[errors_at]["error"]["code"], 502);
    }
    let (_, _, mut pass) = passed("", Form::Events, 9);
    let mut out = Vec::new();
    pass.fail(&failure, &mut out);
    assert!(out.starts_with(b"data: {\"error\":") && out.ends_with(b"\n\n"));
}
