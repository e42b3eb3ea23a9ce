use super::*;
use crate::dialects::canonical::{Event, Origin, Usage};
use crate::dialects::gemini::fixtures::line;
use crate::dialects::gemini::read;
use crate::error::Failure;
use crate::limits::{HELD_CALL_BYTES_MAX, SSE_EVENT_BYTES_MAX};
use crate::sse::split::Splitter;

fn facts() -> Facts {
    Facts { id: "req_1".to_owned(), model: "fast".to_owned(), created_s: 1, usage_asked: false }
}

fn streamed(form: Form, events: &[Event<'_>]) -> String {
    let mut out = Vec::new();
    let mut stream = Stream::in_form(form, &facts());
    events.iter().for_each(|event| stream.event(event, &mut out));
    String::from_utf8(out).unwrap()
}

fn whole(events: &[Event<'_>]) -> String {
    let mut whole = Whole::new(facts());
    events.iter().for_each(|event| whole.event(event));
    let mut out = Vec::new();
    whole.finish(&mut out);
    String::from_utf8(out).unwrap()
}

fn text(said: &'static str) -> Event<'static> {
    Event::Text { choice: 0, text: Text::plain(said) }
}

fn thinking(said: &'static str) -> Event<'static> {
    Event::Thinking { choice: 0, text: Text::plain(said) }
}

fn call(call: u32, id: &'static str, name: &'static str) -> Event<'static> {
    Event::ToolCall { choice: 0, call, id: Text::plain(id), name: Text::plain(name), signature: None }
}

fn arguments(call: u32, fragment: &'static str) -> Event<'static> {
    Event::ToolArguments { choice: 0, call, fragment: Text::plain(fragment) }
}

fn finish(reason: Finish<'static>) -> Event<'static> {
    Event::Finish { choice: 0, reason }
}

fn start() -> Event<'static> {
    Event::Start { id: Text::plain("theirs"), model: Text::plain("theirs") }
}

fn usage() -> Event<'static> {
    Event::Usage(Usage { input_uncached: 6, cache_read: 4, output: 12, reasoning: 7, ..Usage::default() })
}

const IDENTITY: &str = r#""modelVersion":"fast","responseId":"req_1""#;
const USAGE: &str = r#""usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":22,"cachedContentTokenCount":4,"thoughtsTokenCount":7}"#;

/// Calls whose arguments come in turns.
fn answer() -> Vec<Event<'static>> {
    vec![
        start(),
        thinking("hm"),
        text("Hel"),
        text("lo\n"),
        call(0, "i", "f"),
        arguments(0, "{\"a\": "),
        call(1, "", "g"),
        arguments(1, ""),
        arguments(0, "1}"),
        finish(Finish::ToolCalls),
        usage(),
        Event::End,
    ]
}

const CALLS: &str = r#"{"functionCall":{"id":"i","name":"f","args":{"a":1}}},{"functionCall":{"name":"g","args":{}}}"#;

#[test]
fn a_stream_is_increments() {
    let chunk = |part: &str| {
        format!(r#"{{"candidates":[{{"content":{{"parts":[{part}],"role":"model"}},"index":0}}],{IDENTITY}}}"#)
    };
    let chunks = [
        chunk(r#"{"text":"hm","thought":true}"#),
        chunk(r#"{"text":"Hel"}"#),
        chunk(r#"{"text":"lo\n"}"#),
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{CALLS}],"role":"model"}},"finishReason":"STOP","index":0}}],{USAGE},{IDENTITY}}}"#
        ),
    ];
    let events: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    assert_eq!(streamed(Form::Events, &answer()), events);
    assert_eq!(streamed(Form::Array, &answer()), format!("[{}]", chunks.join(",\n")));
}

#[test]
fn a_whole_answer_joins_its_texts() {
    assert_eq!(
        whole(&answer()),
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"hm","thought":true}},{{"text":"Hello\n"}},{CALLS}],"role":"model"}},"finishReason":"STOP","index":0}}],{USAGE},{IDENTITY}}}"#
        )
    );
}

#[test]
fn what_is_written_is_read_as_what_it_was() {
    let mut of_whole = Vec::new();
    read::whole(whole(&answer()).as_bytes(), &mut |event| of_whole.push(line(&event))).unwrap();
    let expected = [
        "start req_1 fast",
        "0 thinking hm",
        "0 text Hello\n",
        "0 call 0 i f",
        "0 arguments 0 {\"a\":1}",
        "0 call 1 call_req_1_1 g",
        "0 arguments 1 {}",
        "usage 6+4 -> 12 (7)",
        "0 finish ToolCalls",
        "end",
    ];
    assert_eq!(of_whole, expected);
    let (mut of_stream, mut reader) = (Vec::new(), read::Reader::default());
    let stream = streamed(Form::Events, &answer());
    let mut splitter = Splitter::new(SSE_EVENT_BYTES_MAX);
    let mut feed = splitter.feed(stream.as_bytes());
    while let Some(event) = feed.next().unwrap() {
        reader.frame(event.name, event.data, &mut |event| of_stream.push(line(&event))).unwrap();
    }
    reader.end(&mut |event| of_stream.push(line(&event))).unwrap();
    of_stream.retain(|line| !line.starts_with("0 text"));
    assert_eq!(of_stream, expected.into_iter().filter(|line| !line.starts_with("0 text")).collect::<Vec<_>>());
}

#[test]
fn each_finish_has_its_reason() {
    for (reason, expected) in [
        (Finish::Stop, r#""finishReason":"STOP""#),
        (Finish::StopSequence(Text::plain("x")), r#""finishReason":"STOP""#),
        (Finish::ToolCalls, r#""finishReason":"STOP""#),
        (Finish::Length, r#""finishReason":"MAX_TOKENS""#),
        (Finish::ContextFull, r#""finishReason":"MAX_TOKENS""#),
        (Finish::Pause, r#""finishReason":"MAX_TOKENS""#),
        (Finish::ContentFilter, r#""finishReason":"SAFETY""#),
        (Finish::Other(Text::plain("odd")), r#""finishReason":"OTHER","finishMessage":"odd""#),
    ] {
        let events = [start(), text("x"), finish(reason), Event::End];
        for answer in [whole(&events), streamed(Form::Events, &events)] {
            assert!(answer.contains(expected), "{answer}");
        }
    }
    // A last increment without anything else has a text, or SDKs take it for none.
    let last = streamed(Form::Events, &[start(), text("x"), finish(Finish::Stop), Event::End]);
    let expected = format!(
        r#"data: {{"candidates":[{{"content":{{"parts":[{{"text":""}}],"role":"model"}},"finishReason":"STOP","index":0}}],{IDENTITY}}}"#
    );
    assert!(last.trim_end().ends_with(&expected), "{last}");
}

#[test]
fn a_call_that_is_no_object_is_no_call() {
    let events = |reason| [start(), call(0, "i", "f"), arguments(0, "{\"a\":"), finish(reason), Event::End];
    for answer in [whole(&events(Finish::ToolCalls)), streamed(Form::Events, &events(Finish::ToolCalls))] {
        let expected =
            r#""finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"Malformed function call: f({\"a\":)""#;
        assert!(answer.contains(expected) && !answer.contains("functionCall\""), "{answer}");
    }
    for answer in [whole(&events(Finish::Length)), streamed(Form::Events, &events(Finish::Length))] {
        assert!(
            answer.contains(r#""finishReason":"MAX_TOKENS","index""#) && !answer.contains("functionCall\""),
            "{answer}"
        );
    }
}

#[test]
fn proofs_of_others_are_marked() {
    let anthropic_s = || Signature { origin: Origin::Anthropic, value: Text::plain("sig") };
    let google_s = || Signature { origin: Origin::Gemini, value: Text::plain("Z29v") };
    let events = [
        start(),
        thinking("hm"),
        Event::ThinkingSignature { choice: 0, signature: anthropic_s() },
        Event::SealedThinking { choice: 0, signature: google_s() },
        text("x"),
        finish(Finish::Stop),
        Event::End,
    ];
    let mark = signature::written(&anthropic_s(), false).decoded().into_owned();
    let parts = format!(
        r#"[{{"text":"hm","thought":true,"thoughtSignature":"{mark}"}},{{"text":"","thoughtSignature":"Z29v"}},{{"text":"x"}}]"#
    );
    assert!(whole(&events).contains(&parts), "{}", whole(&events));
    let stream = streamed(Form::Events, &events);
    assert!(stream.contains(&format!(r#"[{{"text":"","thoughtSignature":"{mark}"}}]"#)), "{stream}");
}

#[test]
fn extras_of_openai_have_their_places() {
    let extra = |name, json: &'static str| Event::Extra { choice: 0, name, raw: Raw(json.as_bytes().into()) };
    let events = [
        start(),
        extra("images", r#"[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}}]"#),
        extra("logprobs", r#"{"content":[{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[]}]}"#),
        extra(
            "annotations",
            r#"[{"type":"url_citation","url_citation":{"start_index":0,"end_index":2,"url":"https://a.example","title":"A"}}]"#,
        ),
        extra("annotations", "[]"),
        extra("audio", "{}"),
        finish(Finish::Stop),
        Event::End,
    ];
    let logprobs = r#""logprobsResult":{"topCandidates":[{"candidates":[]}],"chosenCandidates":[{"token":"a","logProbability":-1}]}"#;
    let citations = r#""citationMetadata":{"citationSources":[{"startIndex":0,"endIndex":2,"uri":"https://a.example","title":"A"}]}"#;
    let image = r#"{"inlineData":{"mimeType":"image/png","data":"iVBO"}}"#;
    for answer in [whole(&events), streamed(Form::Events, &events)] {
        assert!(answer.contains(logprobs) && answer.contains(citations) && answer.contains(image), "{answer}");
        assert!(!answer.contains("audio"));
    }
}

#[test]
fn several_choices_end_together() {
    let other = |said| Event::Text { choice: 1, text: Text::plain(said) };
    let end = Event::Finish { choice: 1, reason: Finish::Length };
    let events = [start(), text("a"), other("b"), end, finish(Finish::Stop), Event::End];
    let answer: serde_json::Value = serde_json::from_str(&whole(&events)).unwrap();
    assert_eq!(answer["candidates"][1]["content"]["parts"][0]["text"], "b");
    assert_eq!(answer["candidates"][1]["finishReason"], "MAX_TOKENS");
    let stream = streamed(Form::Array, &events);
    let stream: serde_json::Value = serde_json::from_str(&stream).unwrap();
    assert_eq!(stream[1]["candidates"][0]["index"], 1);
    assert_eq!(stream[2]["candidates"].as_array().unwrap().len(), 2);
}

#[test]
fn an_error_ends_a_stream() {
    let error = |message| {
        let message = Text::plain(message);
        let class = crate::dialects::canonical::ErrorClass::Overloaded;
        Event::Error(crate::dialects::canonical::ProviderError { class, message, retry_after_ms: Some(2_000) })
    };
    let stream = streamed(Form::Events, &[start(), text("a"), error("busy"), text("b"), Event::End]);
    assert!(stream.ends_with(
        "data: {\"error\":{\"code\":503,\"message\":\"busy\",\"status\":\"UNAVAILABLE\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"2s\"}]}}\n\n"
    ), "{stream}");
    for events in [vec![start(), error("")], vec![start(), text("a"), error("")]] {
        let array: serde_json::Value = serde_json::from_str(&streamed(Form::Array, &events)).unwrap();
        assert_eq!(array.as_array().unwrap().last().unwrap()["error"]["status"], "UNAVAILABLE");
    }
    let mut out = Vec::new();
    let mut stream = Stream::in_form(Form::Array, &facts());
    stream.event(&text("a"), &mut out);
    stream.fail(&Failure::Draining, &mut out);
    stream.event(&Event::End, &mut out);
    let array: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(array[1]["error"]["code"], 503);
}

#[test]
fn calls_are_held_up_to_a_limit() {
    let mut out = Vec::new();
    let mut stream = Stream::new(facts());
    stream.event(&call(0, "i", "f"), &mut out);
    let fragment = Text::plain("x".repeat(HELD_CALL_BYTES_MAX / 4));
    for _ in 0..8 {
        stream.event(&Event::ToolArguments { choice: 0, call: 0, fragment: fragment.by_ref() }, &mut out);
    }
    stream.event(&Event::End, &mut out);
    let said = String::from_utf8(out).unwrap();
    assert!(said.starts_with("data: {\"error\":{\"code\":502,") && said.matches("data: ").count() == 1, "{said}");
}

#[test]
fn texts_cost_no_memory() {
    let mut stream = Stream::new(facts());
    let mut out = Vec::with_capacity(1024);
    let said = Text::Escaped((&b"a\\n"[..]).into());
    for _ in 0..1000 {
        out.clear();
        stream.event(&Event::Text { choice: 0, text: said.by_ref() }, &mut out);
    }
    assert_eq!((out.capacity(), stream.calls_bytes(), out.ends_with(b"}\n\n")), (1024, 0, true));
}
