use super::*;
use crate::dialects::canonical::{Facts, Origin};
use crate::dialects::fixtures::{cases, class_name};
use crate::dialects::gemini::fixtures::line;
use crate::dialects::openai_responses::render;
use crate::limits::SSE_EVENT_BYTES_MAX;
use crate::sse::split::Splitter;
use proptest::prelude::*;

fn read_whole(text: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut lines = Vec::new();
    whole(text, &mut |event| lines.push(line(&event)))?;
    Ok(lines)
}

/// What a stream tells, cut into pieces of `bytes`, and whether it was complete.
fn read_stream(stream: &[u8], bytes: usize) -> (Vec<String>, bool) {
    let mut lines = Vec::new();
    let is_complete = feed(stream, bytes, &mut |event| lines.push(line(&event)));
    (lines, is_complete)
}

fn feed(stream: &[u8], bytes: usize, tell: &mut dyn FnMut(Event<'_>)) -> bool {
    let mut reader = Reader::default();
    let mut splitter = Splitter::new(SSE_EVENT_BYTES_MAX);
    for piece in stream.chunks(bytes) {
        let mut feed = splitter.feed(piece);
        while let Ok(Some(event)) = feed.next() {
            if reader.frame(event.name, event.data, tell).is_err() {
                return false;
            }
        }
    }
    reader.end(tell).is_ok()
}

fn check_stream(events: &[&str], expected: &[&str]) {
    let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    assert_eq!(read_stream(stream.as_bytes(), usize::MAX).0, expected);
}

/// Texts, thoughts and arguments that follow each other are one, however they were cut.
fn joined(lines: &[String]) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    for line in lines.iter().filter(|line| !line.starts_with("start")) {
        let kinds = ["0 text ", "0 thinking ", "0 refusal ", "0 arguments 0 ", "0 arguments 1 "];
        let kind = kinds.into_iter().find(|kind| line.starts_with(kind));
        match (kind, joined.last_mut()) {
            (Some(kind), Some(last)) if last.starts_with(kind) => last.push_str(&line[kind.len()..]),
            _ => joined.push(line.clone()),
        }
    }
    joined
}

/// What a client of this dialect gets of an answer, as a stream.
fn rendered(read: impl FnOnce(&mut dyn FnMut(Event<'_>))) -> Vec<u8> {
    let facts = Facts { id: "r1".into(), model: "m".into(), created_s: 7, usage_asked: false };
    let mut stream = render::Stream::new(facts);
    let mut out = Vec::new();
    read(&mut |event| stream.event(&event, &mut out));
    out
}

#[test]
fn golden_answers_mean_what_their_index_says() {
    for case in cases("openai_responses") {
        let (name, text) = (&case.name, &case.bytes);
        let (mut finish, mut usage, mut error) = (None, None, None);
        let mut look = |event: Event<'_>| match event {
            Event::Finish { reason, .. } => {
                finish = Some(match reason {
                    Finish::Stop => "stop",
                    Finish::Length => "length",
                    Finish::ToolCalls => "tool_calls",
                    Finish::ContentFilter => "content_filter",
                    other => panic!("{other:?}"),
                });
            }
            Event::Usage(counts) => usage = Some(counts),
            Event::Error(failed) => error = Some(class_name(failed.class)),
            _ => {}
        };
        match case.status() {
            Some(status) => {
                let classified = classify::classify(status, text);
                error = Some(class_name(classified.class));
                if !case.row.contains_key("headers") {
                    assert_eq!(classified.retry_after_ms, case.number("retry_after_ms"), "{name}");
                }
                assert!(!classified.message.is_empty(), "{name}");
            }
            None if !case.is_whole => {
                if !feed(text, usize::MAX, &mut look) {
                    error = Some("interrupted");
                }
            }
            None => whole(text, &mut look).unwrap(),
        }
        assert_eq!((finish, error), (case.says("finish"), case.says("error")), "{name}");
        assert_eq!(usage, case.usage(), "{name}");
    }
}

#[test]
fn golden_streams_are_the_same_however_they_are_cut_and_when_they_were_rendered() {
    let mut rendered_again = 0;
    for case in cases("openai_responses").into_iter().filter(|case| !case.is_whole) {
        let (name, text) = (&case.name, &case.bytes);
        let (lines, is_complete) = read_stream(text, usize::MAX);
        for bytes in [1, 2, 3, 7, 64] {
            assert_eq!(read_stream(text, bytes), (lines.clone(), is_complete), "{name} in pieces of {bytes}");
        }
        let again = rendered(|tell| {
            feed(text, usize::MAX, tell);
        });
        if case.says("error").is_none() {
            assert_eq!(joined(&read_stream(&again, usize::MAX).0), joined(&lines), "{name}");
            rendered_again += 1;
        }
    }
    assert!(rendered_again >= 5);
}

#[test]
fn golden_answers_are_the_same_when_they_were_rendered() {
    for case in cases("openai_responses") {
        let (name, text) = (&case.name, &case.bytes);
        if !case.is_whole || case.says("finish").is_none() {
            continue;
        }
        let lines = read_whole(text).unwrap();
        let again = rendered(|tell| whole(text, tell).unwrap());
        assert_eq!(joined(&read_stream(&again, usize::MAX).0), joined(&lines), "{name}");
    }
}

const START: &str =
    r#"{"type":"response.created","response":{"id":"resp_1","model":"m","status":"in_progress","output":[]}}"#;
const END: &str = r#"{"type":"response.completed","response":{"id":"resp_1","model":"m","status":"completed","output":[],"usage":null}}"#;

#[test]
fn items_that_come_at_once_are_told_once() {
    let item = |index: u32, item: &str| {
        format!(r#"{{"type":"response.output_item.done","output_index":{index},"item":{item}}}"#)
    };
    let reasoning = r#"{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"gA"}"#;
    let message = r#"{"type":"message","content":[{"type":"output_text","text":"x","logprobs":[{"token":"x"}]},{"type":"refusal","refusal":"No."}]}"#;
    let call = r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}"}"#;
    let custom = r#"{"type":"custom_tool_call","call_id":"d","name":"g","input":"text"}"#;
    let sealed = r#"{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"anthropic.sealed:Eq"}"#;
    let proof = r#"{"type":"reasoning","id":"rs_3","summary":[],"encrypted_content":"gemini.call:Eq"}"#;
    let hosted = r#"{"type":"web_search_call","id":"ws_1"}"#;
    let expected = [
        "start resp_1 m",
        "0 thinking a",
        "0 thinking \n\n",
        "0 thinking b",
        "0 proved openai/rs_1:gA",
        "0 text x",
        "0 logprobs {\"content\":[{\"token\":\"x\"}],\"refusal\":null}",
        "0 refusal No.",
        "0 call 0 c f",
        "0 arguments 0 {\"a\":1}",
        "0 sealed anthropic/Eq",
        "0 call 1 d g gemini/Eq",
        "0 arguments 1 text",
        "0 finish ToolCalls",
        "end",
    ];
    let items = [reasoning, message, call, sealed, proof, custom, hosted];
    let done: Vec<_> = (0..).zip(items).map(|(index, json)| item(index, json)).collect();
    let mut events = vec![START];
    events.extend(done.iter().map(String::as_str));
    events.push(END);
    check_stream(&events, &expected);
    // In the last event alone.
    let output = items.join(",");
    let end = END.replace("\"output\":[]", &format!("\"output\":[{output}]"));
    check_stream(&[START, &end, "[DONE]"], &expected);
    let response = format!(r#"{{"id":"resp_1","model":"m","status":"completed","error":null,"output":[{output}]}}"#);
    assert_eq!(read_whole(response.as_bytes()).unwrap(), expected);
}

#[test]
fn thoughts_are_told_in_one_way_with_a_line_between_their_parts() {
    let delta = |kind: &str, place: &str, part: u32, text: &str| {
        format!(r#"{{"type":"response.reasoning_{kind}.delta","output_index":0,"{place}":{part},"delta":"{text}"}}"#)
    };
    let events = [
        delta("summary_text", "summary_index", 0, "a"),
        delta("summary_text", "summary_index", 0, "b"),
        delta("text", "content_index", 0, "real"),
        delta("summary_text", "summary_index", 1, "c"),
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","summary":[{"text":"ab"}],"encrypted_content":null}}"#.into(),
    ];
    let mut all = vec![START];
    all.extend(events.iter().map(String::as_str));
    all.push(END);
    check_stream(
        &all,
        &["start resp_1 m", "0 thinking a", "0 thinking b", "0 thinking \n\n", "0 thinking c", "0 finish Stop", "end"],
    );
}

#[test]
fn calls_may_be_interleaved() {
    let added = |index: u32| {
        format!(
            r#"{{"type":"response.output_item.added","output_index":{index},"item":{{"type":"function_call","call_id":"c{index}","name":"f","arguments":""}}}}"#
        )
    };
    let delta = |index: u32, text: &str| {
        format!(r#"{{"type":"response.function_call_arguments.delta","output_index":{index},"delta":"{text}"}}"#)
    };
    let events = [added(3), added(5), delta(3, "a"), delta(5, "b"), delta(3, "c"), delta(9, "lost")];
    let mut all = vec![START];
    all.extend(events.iter().map(String::as_str));
    all.push(END);
    check_stream(
        &all,
        &[
            "start resp_1 m",
            "0 call 0 c3 f",
            "0 call 1 c5 f",
            "0 arguments 0 a",
            "0 arguments 1 b",
            "0 arguments 0 c",
            "0 finish ToolCalls",
            "end",
        ],
    );
}

#[test]
fn endings() {
    let check = |status: &str, details: &str, expected: Result<&str, Malformed>| {
        let text = format!(r#"{{"status":{status},"incomplete_details":{details},"output":[]}}"#);
        let found = read_whole(text.as_bytes()).map(|lines| lines[1].clone());
        assert_eq!(found, expected.map(|expected| format!("0 finish {expected}")), "{text}");
    };
    check(r#""completed""#, "null", Ok("Stop"));
    check(r#""incomplete""#, r#"{"reason":"max_output_tokens"}"#, Ok("Length"));
    check(r#""incomplete""#, r#"{"reason":"content_filter"}"#, Ok("ContentFilter"));
    check(r#""incomplete""#, r#"{"reason":"steered"}"#, Ok("other steered"));
    check(r#""incomplete""#, "null", Ok("other incomplete"));
    // In the background: not at its end.
    check(r#""queued""#, "null", Err(Malformed));
    check(r#""cancelled""#, "null", Err(Malformed));
    assert_eq!(read_whole(b"{}"), Err(Malformed));
    assert_eq!(read_whole(b"<html>"), Err(Malformed));
}

#[test]
fn errors_are_classified() {
    for (event, expected) in [
        (r#"{"type":"error","code":"rate_limit_exceeded","message":"Slow.","param":null}"#, "error RateLimited Slow."),
        (r#"{"type":"error","error":{"type":"server_error","code":null,"message":"Hm."}}"#, "error Server Hm."),
        (
            r#"{"type":"response.failed","response":{"error":{"code":"invalid_prompt","message":"No."}}}"#,
            "error ContentPolicy No.",
        ),
        (
            r#"{"type":"response.failed","response":{"error":{"code":"context_length_exceeded","message":"Long."}}}"#,
            "error ContextLength Long.",
        ),
        (
            r#"{"type":"response.failed","response":{"error":{"code":"invalid_image_url","message":"No."}}}"#,
            "error InvalidRequest No.",
        ),
        (r#"{"type":"response.failed","response":{}}"#, "error Server "),
    ] {
        // What follows is of no interest.
        check_stream(&[START, event, END], &["start resp_1 m", expected]);
    }
}

#[test]
fn an_unended_stream_is_no_answer() {
    for events in [
        &[][..],
        &[START],
        &[START, r#"{"type":"response.new_thing"}"#],
        &["not json"],
        &[r#"{"type":"response.completed"}"#],
    ] {
        let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        assert!(!read_stream(stream.as_bytes(), usize::MAX).1, "{events:?}");
    }
}

#[test]
fn what_a_reader_remembers_is_bounded() {
    let mut reader = Reader::default();
    let outcome = (0..=CALLS_MAX).try_for_each(|index| {
        let event = format!(r#"{{"type":"response.output_text.delta","output_index":{index},"delta":"x"}}"#);
        reader.frame(b"", event.as_bytes(), &mut |_| {}).map(drop)
    });
    assert_eq!((outcome, reader.told.len()), (Err(Malformed), CALLS_MAX));
}

proptest! {
    #[test]
    fn noise_is_never_a_panic(pieces in prop::collection::vec(prop_oneof![
        Just("{\"type\":\"response.output_item.done\",\"item\":"), Just("{\"type\":\"response.completed\",\"response\":"),
        Just("{\"type\":\"reasoning\",\"encrypted_content\":\"a:\",\"id\":\"\\u0000\"}"), Just("{\"type\":\"function_call\"}"),
        Just("[{}]"), Just("}"), Just("null"), Just("\""), Just(","), Just("data: "), Just("\n\n"),
    ], 0..12)) {
        let text = pieces.concat();
        let _ = read_whole(text.as_bytes());
        let _ = read_stream(text.as_bytes(), 3);
        prop_assert!(!matches!(classify::classify(500, text.as_bytes()).class, ErrorClass::InvalidRequest));
    }
}

#[test]
fn a_signature_of_another_gateway_s_upstream_is_known_again() {
    let signature = Signature { origin: Origin::Anthropic, value: Text::plain("Eq==") };
    let again = rendered(|tell| {
        tell(Event::Thinking { choice: 0, text: Text::plain("Hm.") });
        tell(Event::ThinkingSignature { choice: 0, signature: signature.clone() });
        tell(Event::End);
    });
    assert!(read_stream(&again, usize::MAX).0.contains(&"0 proved anthropic/Eq==".to_owned()));
}
