use super::super::read::{self, tests::line};
use super::*;
use crate::{
    dialects::canonical::{Event, Origin, Signature},
    json::piece::Raw,
    limits::HELD_CALLS_BYTES_MAX,
    sse::split::Splitter,
};
use proptest::prelude::*;
use std::borrow::Cow;

fn facts() -> Facts {
    Facts { id: "req_1".to_owned(), model: "claude \"5\"".to_owned(), created_s: 0, usage_asked: false }
}

fn text(said: &'static str) -> Event<'static> {
    Event::Text { choice: 0, text: Text::Escaped(Cow::Borrowed(said.as_bytes())) }
}

fn thinking(said: &'static str) -> Event<'static> {
    Event::Thinking { choice: 0, text: Text::plain(said) }
}

fn signature(origin: Origin) -> Signature<'static> {
    Signature { origin, value: Text::plain("c2ln") }
}

fn signed(origin: Origin) -> Event<'static> {
    Event::ThinkingSignature { choice: 0, signature: signature(origin) }
}

fn call(call: u32, name: &'static str) -> Event<'static> {
    Event::ToolCall { choice: 0, call, id: Text::plain(format!("c{call}")), name: Text::plain(name), signature: None }
}

fn arguments(call: u32, fragment: &'static str) -> Event<'static> {
    Event::ToolArguments { choice: 0, call, fragment: Text::plain(fragment) }
}

fn finish(reason: Finish<'static>) -> Event<'static> {
    Event::Finish { choice: 0, reason }
}

fn start() -> Event<'static> {
    Event::Start { id: Text::plain("up_1"), model: Text::plain("up") }
}

fn streamed(events: &[Event<'_>]) -> String {
    let (mut stream, mut out) = (Stream::new(facts()), Vec::new());
    events.iter().for_each(|event| stream.event(event, &mut out));
    String::from_utf8(out).unwrap()
}

fn whole(events: &[Event<'_>]) -> serde_json::Value {
    let (mut whole, mut out) = (Whole::new(facts()), Vec::new());
    events.iter().for_each(|event| whole.event(event));
    whole.finish(&mut out);
    serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)))
}

/// What a reader of the stream is told, less the beginning; blocks follow each other, as SDKs demand.
fn told(stream: &str) -> Vec<String> {
    let (mut lines, mut reader, mut splitter) = (Vec::new(), read::Reader::default(), Splitter::new(1 << 22));
    let (mut next, mut open) = (0, None);
    let mut feed = splitter.feed(stream.as_bytes());
    while let Some(event) = feed.next().unwrap() {
        let data: serde_json::Value = serde_json::from_slice(event.data).unwrap();
        assert_eq!(data["type"].as_str().unwrap().as_bytes(), event.name);
        let index = data["index"].as_u64();
        match event.name {
            b"content_block_start" => {
                assert_eq!((index, open), (Some(next), None), "{stream}");
                open = index;
            }
            b"content_block_delta" => assert!(open.is_some() && index == open, "{stream}"),
            b"content_block_stop" => {
                assert!(open.is_some() && index == open, "{stream}");
                open = None;
                next += 1;
            }
            _ => assert_eq!(open, None, "{stream}"),
        }
        reader.frame(event.name, event.data, &mut |event| lines.push(line(&event))).unwrap();
    }
    assert_eq!(reader.end(&mut |_| {}), Ok(()));
    lines.split_off(1)
}

#[test]
fn a_stream_of_text() {
    let usage = Usage { input_uncached: 12, cache_read: 5, output: 9, ..Usage::default() };
    assert_eq!(
        streamed(&[
            start(),
            text("Hel"),
            text(""),
            text(r"lo \u00e9"),
            finish(Finish::StopSequence(Text::plain("\"7\""))),
            Event::Usage(usage),
            Event::End
        ]),
        r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_req_1","type":"message","role":"assistant","model":"claude \"5\"","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo \u00e9"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"\"7\""},"usage":{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":5,"output_tokens":9}}

event: message_stop
data: {"type":"message_stop"}

"#
    );
}

#[test]
fn a_whole_text() {
    let usage = Usage {
        input_uncached: 12,
        cache_write_short: 3,
        cache_write_long: 4,
        output: 9,
        reasoning: 2,
        ..Usage::default()
    };
    let events = [start(), text("Hel"), text("lo"), finish(Finish::Length), Event::Usage(usage), Event::End];
    let mut whole = Whole::new(facts());
    events.iter().for_each(|event| whole.event(event));
    let mut out = Vec::new();
    whole.finish(&mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#"{"id":"msg_req_1","type":"message","role":"assistant","model":"claude \"5\"","#,
            r#""content":[{"type":"text","text":"Hello"}],"stop_reason":"max_tokens","stop_sequence":null,"#,
            r#""usage":{"input_tokens":12,"cache_creation_input_tokens":7,"cache_read_input_tokens":0,"#,
            r#""cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":4},"#,
            r#""output_tokens":9,"output_tokens_details":{"thinking_tokens":2}}}"#
        )
    );
}

#[test]
fn every_stop_reason() {
    let check = |reason: Finish<'static>, expected: &str| {
        let events = [start(), finish(reason), Event::End];
        assert_eq!(whole(&events)["stop_reason"], expected);
        assert!(streamed(&events).contains(&format!(r#""stop_reason":"{expected}""#)));
    };
    check(Finish::Stop, "end_turn");
    check(Finish::Length, "max_tokens");
    check(Finish::ContextFull, "model_context_window_exceeded");
    check(Finish::ToolCalls, "tool_use");
    check(Finish::ContentFilter, "refusal");
    check(Finish::Pause, "pause_turn");
    check(Finish::Other(Text::plain("of_tomorrow")), "of_tomorrow");
    // Some servers say that they stopped although they called.
    let events = [start(), call(0, "now"), finish(Finish::Stop), Event::End];
    assert_eq!(whole(&events)["stop_reason"], "tool_use");
    assert!(streamed(&events).contains(r#""stop_reason":"tool_use""#));
}

#[test]
fn blocks_change_with_their_kinds() {
    let events = [
        start(),
        thinking("Hm"),
        thinking("."),
        signed(Origin::Anthropic),
        text("I look."),
        call(0, "now"),
        arguments(0, "{\"a\":"),
        arguments(0, "1}"),
        call(1, "who"),
        Event::Refusal { choice: 0, text: Text::plain("No.") },
        Event::SealedThinking { choice: 0, signature: signature(Origin::Anthropic) },
        finish(Finish::ToolCalls),
        Event::End,
    ];
    assert_eq!(
        told(&streamed(&events)),
        [
            "usage 0 0 0",
            "thinking Hm",
            "thinking .",
            "signed Anthropic c2ln",
            "text I look.",
            "call 0 c0 now",
            "arguments 0 {\"a\":",
            "arguments 0 1}",
            "call 1 c1 who",
            // Nothing says that the call is complete before the end does.
            "arguments 1 {}",
            "text No.",
            "sealed Anthropic c2ln",
            "finish ToolCalls",
            "usage 0 0 0",
            "end",
        ]
    );
    assert_eq!(
        whole(&events)["content"].to_string(),
        concat!(
            r#"[{"signature":"c2ln","thinking":"Hm.","type":"thinking"},{"text":"I look.","type":"text"},"#,
            r#"{"id":"c0","input":{"a":1},"name":"now","type":"tool_use"},{"id":"c1","input":{},"name":"who","type":"tool_use"},"#,
            r#"{"text":"No.","type":"text"},{"data":"c2ln","type":"redacted_thinking"}]"#
        )
    );
}

#[test]
fn interleaved_calls_are_put_in_order() {
    let events = [
        start(),
        call(0, "now"),
        call(1, "who"),
        arguments(1, "{\"b\":\"}"),
        text("Mm"),
        arguments(0, "{\"a\":[\"\\\"{\""),
        text("h"),
        thinking("Hm."),
        signed(Origin::Gemini),
        arguments(1, "\"}"),
        arguments(0, "]}"),
        call(2, "all"),
        arguments(2, "{}"),
        finish(Finish::ToolCalls),
        Event::End,
    ];
    let expected = [
        "usage 0 0 0",
        "call 0 c0 now",
        "arguments 0 {\"a\":[\"\\\"{\"",
        "arguments 0 ]}",
        "call 1 c1 who",
        "arguments 1 {\"b\":\"}\"}",
        "text Mmh",
        "thinking Hm.",
        "signed Anthropic ringway:gemini:c2ln",
        "call 2 c2 all",
        "arguments 2 {}",
        "finish ToolCalls",
        "usage 0 0 0",
        "end",
    ];
    assert_eq!(told(&streamed(&events)), expected);
}

#[test]
fn a_call_is_not_held_behind_a_complete_one() {
    let mut stream = Stream::new(facts());
    let mut out = Vec::new();
    for event in [start(), call(0, "now"), arguments(0, r#"{"a":1}"#), call(1, "who")] {
        stream.event(&event, &mut out);
    }
    let fragment = Text::Escaped(Cow::Borrowed(br#"{\"b\":\"\u0022\\\"\\\u005c}\n"#));
    stream.event(&Event::ToolArguments { choice: 0, call: 1, fragment }, &mut out);
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains(r#""id":"c1""#) && out.ends_with("}\\n\"}}\n\n"), "{out}");
}

#[test]
fn thoughts_say_whose_they_are() {
    let gemini = Some(signature(Origin::Gemini));
    let signed_call =
        Event::ToolCall { choice: 0, call: 0, id: Text::plain("c0"), name: Text::plain("now"), signature: gemini };
    let events = [
        start(),
        thinking("a"),
        signed(Origin::OpenAi),
        Event::SealedThinking { choice: 0, signature: signature(Origin::OpenAi) },
        thinking("b"),
        text("c"),
        signed(Origin::Gemini),
        signed_call,
        arguments(0, "{}"),
        finish(Finish::ToolCalls),
        Event::End,
    ];
    assert_eq!(
        told(&streamed(&events))[1..10],
        [
            "thinking a",
            "signed Anthropic ringway:openai:c2ln",
            "sealed Anthropic ringway:openai:c2ln",
            "thinking b",
            "signed Anthropic ringway:none:",
            "text c",
            "signed Anthropic ringway:gemini:c2ln",
            "signed Anthropic ringway:gemini.call:c2ln",
            "call 0 c0 now",
        ]
    );
    let content = whole(&events)["content"].clone();
    let signatures: Vec<_> =
        content.as_array().unwrap().iter().filter_map(|block| block["signature"].as_str()).collect();
    assert_eq!(signatures, ["ringway:openai:c2ln", "ringway:none:", "ringway:gemini:c2ln", "ringway:gemini.call:c2ln"]);
}

/// What a client gets it sends back, and then it is what it was.
#[test]
fn signatures_come_back_from_the_client() {
    let gemini = Some(signature(Origin::Gemini));
    let events = [
        thinking("a"),
        signed(Origin::OpenAi),
        thinking("b"),
        Event::ToolCall { choice: 0, call: 0, id: Text::plain("c0"), name: Text::plain("now"), signature: gemini },
        Event::End,
    ];
    let answer = whole(&events);
    let turn = serde_json::json!({"messages": [{"role": "assistant", "content": answer["content"]}]}).to_string();
    assert!(super::super::carried::is_in(turn.as_bytes()));
    let request = super::super::parse::parse(turn.as_bytes()).unwrap();
    let found = format!("{:?}", request.messages[0].parts);
    assert_eq!(found.matches("origin: OpenAi").count(), 1, "{found}");
    assert_eq!(found.matches("origin: Gemini").count(), 1, "{found}");
    assert_eq!(found.matches("signature: None").count(), 1, "{found}");
    assert_eq!(found.matches("ringway").count(), 0, "{found}");
}

#[test]
fn an_input_that_is_no_object_is_shown_as_text() {
    let input = |fragments: &[&'static str]| {
        let mut events = vec![start(), call(0, "now")];
        events.extend(fragments.iter().map(|fragment| arguments(0, fragment)));
        events.extend([finish(Finish::ToolCalls), Event::End]);
        whole(&events)["content"][0]["input"].to_string()
    };
    assert_eq!(input(&[]), "{}");
    assert_eq!(input(&[" "]), "{}");
    assert_eq!(input(&[" {\"a\":", "\"é\"} "]), r#"{"a":"é"}"#);
    assert_eq!(input(&["{\"a\":"]), r#"{"arguments":"{\"a\":"}"#);
    assert_eq!(input(&["[1]"]), r#"{"arguments":"[1]"}"#);
}

#[test]
fn other_choices_and_extras_have_no_place() {
    let other = Event::Text { choice: 1, text: Text::plain("no") };
    let extra = Event::Extra { choice: 0, name: "logprobs", raw: Raw(Cow::Borrowed(b"{}")) };
    let stop = || finish(Finish::Stop);
    assert_eq!(
        streamed(&[start(), text("a"), other.clone(), extra.clone(), stop(), Event::End]),
        streamed(&[start(), text("a"), stop(), Event::End])
    );
    assert_eq!(whole(&[start(), other, extra, stop(), Event::End])["content"].to_string(), "[]");
}

#[test]
fn errors_have_events_of_their_own() {
    let error =
        |class, message| Event::Error(ProviderError { class, message: Text::plain(message), retry_after_ms: None });
    let out = streamed(&[start(), text("a"), error(ErrorClass::Overloaded, "Too much."), text("b"), Event::End]);
    let (_, last) = out.trim_end().rsplit_once("\n\n").unwrap();
    assert_eq!(
        last,
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Too much.\"}}"
    );
    let credential = whole(&[error(ErrorClass::Credential, "sk-ant-secret is not valid")]);
    assert_eq!(credential["error"]["type"], "api_error");
    assert!(!credential.to_string().contains("secret"));
    assert!(!whole(&[error(ErrorClass::Server, "")])["error"]["message"].as_str().unwrap().is_empty());
}

#[test]
fn what_is_held_is_bounded() {
    let mut stream = Stream::new(facts());
    let mut out = Vec::new();
    for event in [start(), call(0, "now"), call(1, "who")] {
        stream.event(&event, &mut out);
    }
    let piece = "x".repeat(HELD_CALLS_BYTES_MAX / 8);
    for _ in 0..9 {
        let fragment = Text::plain(&*piece);
        stream.event(&Event::ToolArguments { choice: 0, call: 1, fragment }, &mut out);
    }
    stream.event(&Event::End, &mut out);
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("event: error") && !out.contains("message_stop"), "{out}");
    assert!(out.len() < 2_000);
}

proptest! {
    /// However the fragments of several calls are interleaved, each call arrives whole and in turn.
    #[test]
    fn any_interleaving(turns in prop::collection::vec(0..3u32, 0..60), cuts in 1..5usize) {
        let inputs = [r#"{"a":[1,{"b":"}\\\""}]}"#, "{}", r#"{"c":"\u007b[","d":[]}"#];
        let mut events = vec![start()];
        let mut rest: Vec<(bool, &'static str)> = inputs.iter().map(|input| (false, *input)).collect();
        for call_place in turns.into_iter().chain([0, 1, 2].repeat(40)) {
            // Calls begin in order.
            if rest[..call_place as usize].iter().any(|(begun, _)| !begun) {
                continue;
            }
            let (begun, left) = &mut rest[call_place as usize];
            if !*begun {
                *begun = true;
                events.push(call(call_place, "f"));
            } else if !left.is_empty() {
                let (fragment, after) = left.split_at(cuts.min(left.len()));
                *left = after;
                events.push(arguments(call_place, fragment));
            }
        }
        events.extend([finish(Finish::ToolCalls), Event::End]);
        let mut found = vec![String::new(); 3];
        let mut order = Vec::new();
        for line in told(&streamed(&events)) {
            if let Some(rest) = line.strip_prefix("arguments ") {
                let (place, fragment) = rest.split_once(' ').unwrap();
                found[place.parse::<usize>().unwrap()].push_str(fragment);
            }
            order.extend(line.strip_prefix("call ").map(|call| call.as_bytes()[0]));
        }
        prop_assert_eq!(found, inputs);
        prop_assert_eq!(order, b"012");
    }
}
