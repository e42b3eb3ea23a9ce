use super::*;

fn pass_through() -> PassThrough {
    PassThrough::new(Names::new(|id| Some(format!("{id}-named"))), false)
}

fn passed(stream: &str) -> (Verdict, String, PassThrough) {
    let mut pass = pass_through();
    let mut out = Vec::new();
    let mut verdict = pass.feed(stream.as_bytes(), &mut out);
    if verdict == Verdict::More {
        verdict = pass.end(&mut out);
    }
    (verdict, String::from_utf8(out).expect("UTF-8"), pass)
}

const CREATED: &str = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{}}\n\n";
const DELTA: &str =
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n";
const COMPLETED: &str = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\
                         \"output\":[],\"usage\":{\"input_tokens\":7,\"output_tokens\":2}}}\n\n";

#[test]
fn a_stream_passes_as_it_came() {
    let stream = [CREATED, DELTA, COMPLETED].concat();
    let (verdict, out, pass) = passed(&[": waiting\n\n", &stream, "data: [DONE]\n\n"].concat());
    assert_eq!((verdict, out), (Verdict::Complete, stream.clone()));
    let usage = pass.usage.expect("it is counted");
    assert_eq!((usage.input_uncached, usage.output), (7, 2));
    // The name may stand in the data alone, and the last blank line be missing.
    let unnamed: String =
        stream.lines().filter(|line| !line.starts_with("event:")).map(|line| format!("{line}\n")).collect();
    let (verdict, out, pass) = passed(unnamed.trim_end());
    assert_eq!((verdict, out, pass.usage.is_some()), (Verdict::Complete, unnamed, true));
}

#[test]
fn what_is_not_an_end_is_none() {
    for (stream, expected, begun) in [
        ([CREATED, ""].concat(), Verdict::Truncated, false),
        ([CREATED, DELTA].concat(), Verdict::Truncated, true),
        ([CREATED, DELTA, &COMPLETED[..60]].concat(), Verdict::Truncated, true),
        ([DELTA, "event: error\ndata: {\"type\":\"error\"}\n\n"].concat(), Verdict::Error, true),
        ("event: response.completed\ndata: {\"x\"}\n\n".to_owned(), Verdict::Malformed, false),
        ("event: response.completed\ndata: {}\n\n".to_owned(), Verdict::Complete, true),
    ] {
        let (verdict, _, pass) = passed(&stream);
        assert_eq!((verdict, pass.has_begun), (expected, begun), "{stream}");
    }
}

#[test]
fn a_failure_has_the_next_number() {
    let (_, _, pass) = passed(&[": waiting\n\n", CREATED, DELTA].concat());
    let mut out = Vec::new();
    pass.fail(&Failure::Internal, &mut out);
    let out = String::from_utf8(out).expect("UTF-8");
    assert!(out.contains(r#""sequence_number":2,"#), "{out}");
}

/// Its client's own retries go by what it says.
#[test]
fn a_failure_is_passed_on_once_the_answer_has_begun() {
    let failed = "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"rate_limit_exceeded\"}}}\n\n";
    let (verdict, out, _) = passed(&[CREATED, failed].concat());
    assert_eq!((verdict, &*out), (Verdict::Error, CREATED));
    let (verdict, out, _) = passed(&[DELTA, failed].concat());
    assert_eq!((verdict, out), (Verdict::Error, [DELTA, failed].concat()));
}

/// The id is the client's wherever the response is in an event, and nothing else changes, however the stream is cut.
#[test]
fn the_response_has_the_client_s_id_at_every_split() {
    let with_response = |kind: &str| {
        let data = format!(
            "{{\"type\":\"{kind}\",\"response\":{{\"id\":\"resp_1\",\"previous_response_id\":\"resp_0\",\"output\":[{{\"id\":\"resp_1\"}}]}}}}"
        );
        format!("event: {kind}\ndata: {data}\n\n")
    };
    let kinds = ["response.queued", "response.created", "response.in_progress"];
    for last in ["response.completed", "response.incomplete", "response.failed"] {
        let stream = [&*kinds.map(with_response).concat(), DELTA, &with_response(last)].concat();
        let expected = stream
            .replace("\"response\":{\"id\":\"resp_1\"", "\"response\":{\"id\":\"resp_1-named\"")
            .replace("\"resp_0\"", "\"resp_0-named\"");
        for cut in 0..=stream.len() {
            let (first, second) = stream.as_bytes().split_at(cut);
            let (mut pass, mut out) = (pass_through(), Vec::new());
            let mut verdict = pass.feed(first, &mut out);
            if verdict == Verdict::More {
                verdict = pass.feed(second, &mut out);
            }
            let ended = if last == "response.failed" { Verdict::Error } else { Verdict::Complete };
            assert_eq!((verdict, String::from_utf8_lossy(&out)), (ended, expected.as_str().into()), "{last} at {cut}");
        }
    }
}

/// Whoever reads it again is told how it ended, and that is all that went wrong.
#[test]
fn a_failure_of_a_response_that_is_kept_is_its_end() {
    let failed = "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"id\":\"resp_1\"}}\n\n";
    let stream = [CREATED, failed].concat();
    let mut pass = PassThrough::new(Names::new(|id| Some(format!("{id}-named"))), true);
    let mut out = Vec::new();
    assert_eq!(pass.feed(stream.as_bytes(), &mut out), Verdict::Complete);
    assert_eq!(String::from_utf8(out).expect("UTF-8"), stream.replace("resp_1", "resp_1-named"));
}
