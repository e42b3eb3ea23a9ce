use super::*;
use crate::dialects::canonical::{Event, Facts, Origin, Signature};
use crate::json::piece::Raw;
use serde_json::{Value, json};

fn facts(usage_asked: bool) -> Facts {
    Facts { id: "r1".into(), model: "my \"model\"".into(), created_s: 7, usage_asked }
}

fn text(text: &'static str) -> Event<'static> {
    Event::Text { choice: 0, text: Text::plain(text) }
}

fn start() -> Event<'static> {
    Event::Start { id: Text::plain("upstream"), model: Text::plain("theirs") }
}

fn finish(reason: Finish<'static>) -> Event<'static> {
    Event::Finish { choice: 0, reason }
}

fn signature(origin: Origin) -> Signature<'static> {
    Signature { origin, value: Text::plain("abc==") }
}

fn call(choice: u32, call: u32, id: &'static str) -> Event<'static> {
    let signature = (call == 1).then(|| signature(Origin::Gemini));
    Event::ToolCall { choice, call, id: Text::plain(id), name: Text::plain("f"), signature }
}

fn arguments(call: u32, fragment: &'static str) -> Event<'static> {
    Event::ToolArguments { choice: 0, call, fragment: Text::plain(fragment) }
}

const USAGE: Usage = Usage {
    input_uncached: 5,
    cache_read: 3,
    cache_write_short: 2,
    cache_write_long: 0,
    output: 9,
    reasoning: 4,
    input_audio: 0,
    output_audio: 1,
};

fn stream(events: &[Event<'_>], usage_asked: bool) -> String {
    let mut stream = Stream::new(facts(usage_asked));
    let mut out = Vec::new();
    events.iter().for_each(|event| stream.event(event, &mut out));
    String::from_utf8(out).unwrap()
}

/// The data of each event of a stream; the end marker is a string.
fn chunks(events: &[Event<'_>], usage_asked: bool) -> Vec<Value> {
    let data = |event: &str| event.strip_prefix("data: ").unwrap().to_owned();
    let value = |data: String| serde_json::from_str(&data).unwrap_or(Value::String(data));
    stream(events, usage_asked).split_terminator("\n\n").map(data).map(value).collect()
}

/// The deltas of a stream's chunks, up to the finish.
fn deltas(events: &[Event<'_>]) -> Vec<Value> {
    chunks(events, false).iter().map(|chunk| chunk["choices"][0]["delta"].clone()).collect()
}

fn whole(events: &[Event<'_>]) -> Value {
    let mut whole = Whole::new(facts(false));
    events.iter().for_each(|event| whole.event(event));
    let mut out = Vec::new();
    whole.finish(&mut out);
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn a_stream_is_what_openai_sends() {
    let head =
        r#"data: {"id":"chatcmpl-r1","object":"chat.completion.chunk","created":7,"model":"my \"model\"","choices":["#;
    let rest = r#""logprobs":null,"finish_reason":null}],"usage":null}"#;
    let details = concat!(
        r#""prompt_tokens_details":{"cached_tokens":3,"cache_write_tokens":2,"audio_tokens":0},"#,
        r#""completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":1,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}"#
    );
    let expected = [
        format!(r#"{head}{{"index":0,"delta":{{"role":"assistant","content":"","refusal":null}},{rest}"#),
        format!(r#"{head}{{"index":0,"delta":{{"content":"Hel\n"}},{rest}"#),
        format!(r#"{head}{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"length"}}],"usage":null}}"#),
        format!(r#"{head}],"usage":{{"prompt_tokens":10,"completion_tokens":9,"total_tokens":19,{details}}}}}"#),
        "data: [DONE]".into(),
    ];
    let events = [start(), text("Hel\n"), text(""), Event::Usage(USAGE), finish(Finish::ContextFull), Event::End];
    assert_eq!(stream(&events, true), expected.map(|event| event + "\n\n").concat());
    let unasked = chunks(&events, false);
    assert_eq!(unasked.len(), 4);
    assert!(unasked.iter().all(|chunk| chunk.get("usage").is_none()));
}

#[test]
fn calls_of_tools_are_streamed_by_index() {
    let events = [
        start(),
        call(0, 0, "c0"),
        call(0, 1, ""),
        arguments(1, "{\"a\":"),
        arguments(1, "1}"),
        finish(Finish::ToolCalls),
    ];
    let call = |call: Value| json!({"tool_calls":[call]});
    assert_eq!(
        deltas(&events),
        [
            json!({"role":"assistant","content":"","refusal":null}),
            call(json!({"index":0,"id":"c0","type":"function","function":{"name":"f","arguments":""}})),
            call(json!({"index":1,"id":"call_r1_0_1","type":"function","function":{"name":"f","arguments":""},
                "extra_content":{"google":{"thought_signature":"abc=="}}})),
            call(json!({"index":1,"function":{"arguments":"{\"a\":"}})),
            call(json!({"index":1,"function":{"arguments":"1}"}})),
            // The first call had no arguments, which is no JSON.
            call(json!({"index":0,"function":{"arguments":"{}"}})),
            json!({}),
        ]
    );
}

#[test]
fn thoughts_are_reasoning_and_their_proofs_blocks() {
    let thought = |text: &'static str| Event::Thinking { choice: 0, text: Text::plain(text) };
    let events = [
        thought("a"),
        thought("b"),
        Event::ThinkingSignature { choice: 0, signature: signature(Origin::Anthropic) },
        Event::SealedThinking { choice: 0, signature: signature(Origin::OpenAi) },
        thought("c"),
        text("d"),
        finish(Finish::Stop),
    ];
    let sealed = json!({"type":"redacted_thinking","data":"openai:abc=="});
    assert_eq!(
        deltas(&events)[1..6],
        [
            json!({"reasoning_content":"a"}),
            json!({"reasoning_content":"b"}),
            json!({"thinking_blocks":[{"type":"thinking","thinking":"","signature":"anthropic:abc=="}]}),
            json!({"thinking_blocks":[sealed]}),
            json!({"reasoning_content":"c"}),
        ]
    );
    assert_eq!(
        whole(&events)["choices"][0]["message"],
        json!({
            "role":"assistant","content":"d","refusal":null,"reasoning_content":"abc",
            "thinking_blocks":[
                {"type":"thinking","thinking":"ab","signature":"anthropic:abc=="}, sealed, {"type":"thinking","thinking":"c"}
            ]
        })
    );
}

#[test]
fn a_whole_answer_has_every_member_that_the_schema_requires() {
    let events = [
        start(),
        text("Hi \u{e9}"),
        text("\""),
        finish(Finish::StopSequence(Text::plain("x"))),
        Event::Usage(USAGE),
        Event::End,
    ];
    assert_eq!(
        whole(&events),
        json!({
            "id":"chatcmpl-r1","object":"chat.completion","created":7,"model":"my \"model\"",
            "choices":[{"index":0,"message":{"role":"assistant","content":"Hi \u{e9}\"","refusal":null},"logprobs":null,"finish_reason":"stop"}],
            "usage":{"prompt_tokens":10,"completion_tokens":9,"total_tokens":19,
                "prompt_tokens_details":{"cached_tokens":3,"cache_write_tokens":2,"audio_tokens":0},
                "completion_tokens_details":{"reasoning_tokens":4,"audio_tokens":1,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}
        })
    );
}

#[test]
fn a_whole_answer_of_calls_says_null() {
    let events = [
        call(0, 0, "c0"),
        call(0, 1, "c1"),
        arguments(0, "{\"a\""),
        arguments(1, "{}"),
        arguments(0, ":1}"),
        finish(Finish::ToolCalls),
    ];
    let choice = &whole(&events)["choices"][0];
    assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&Value::Null, &json!("tool_calls")));
    assert_eq!(
        choice["message"]["tool_calls"],
        json!([
            {"id":"c0","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},
            {"id":"c1","type":"function","function":{"name":"f","arguments":"{}"},
                "extra_content":{"google":{"thought_signature":"abc=="}}}
        ])
    );
    assert_eq!(whole(&[call(0, 0, "c0")])["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], "{}");
}

#[test]
fn a_tool_with_a_text_is_called_with_one() {
    let forms = || CallForms { text_tools: vec!["f".into()], as_function_call: false };
    let mut stream = Stream::with_calls_as(forms(), facts(false));
    let mut whole = Whole::with_calls_as(forms(), facts(false));
    let mut out = Vec::new();
    // No text is a text, too, and no object.
    for event in [start(), call(0, 0, "c0"), arguments(0, "a \""), call(0, 2, "c2"), finish(Finish::ToolCalls)] {
        stream.event(&event, &mut out);
        whole.event(&event);
    }
    let call = |call: Value| json!({"tool_calls":[call]});
    let out = String::from_utf8(out).unwrap();
    let chunks = out.split_terminator("\n\n").map(|event| serde_json::from_str(&event["data: ".len()..]).unwrap());
    let deltas: Vec<_> = chunks.map(|chunk: Value| chunk["choices"][0]["delta"].clone()).collect();
    assert_eq!(
        deltas[1..],
        [
            call(json!({"index":0,"id":"c0","type":"custom","custom":{"name":"f","input":""}})),
            call(json!({"index":0,"custom":{"input":"a \""}})),
            call(json!({"index":2,"id":"c2","type":"custom","custom":{"name":"f","input":""}})),
            json!({}),
        ]
    );
    let mut out = Vec::new();
    whole.finish(&mut out);
    let answer: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(
        answer["choices"][0]["message"]["tool_calls"],
        json!([
            {"id":"c0","type":"custom","custom":{"name":"f","input":"a \""}},
            {"id":"c2","type":"custom","custom":{"name":"f","input":""}}
        ])
    );
}

#[test]
fn a_client_of_functions_gets_a_function_call() {
    let forms = || CallForms { as_function_call: true, ..CallForms::default() };
    let mut stream = Stream::with_calls_as(forms(), facts(false));
    let mut whole = Whole::with_calls_as(forms(), facts(false));
    let mut out = Vec::new();
    for event in [start(), call(0, 0, "c0"), finish(Finish::ToolCalls)] {
        stream.event(&event, &mut out);
        whole.event(&event);
    }
    let out = String::from_utf8(out).unwrap();
    let chunks = out.split_terminator("\n\n").map(|event| serde_json::from_str(&event["data: ".len()..]).unwrap());
    let choices: Vec<_> = chunks.map(|chunk: Value| chunk["choices"][0].clone()).collect();
    let deltas: Vec<_> = choices.iter().map(|choice| &choice["delta"]).collect();
    assert_eq!(
        deltas[1..],
        [
            &json!({"function_call":{"name":"f","arguments":""}}),
            &json!({"function_call":{"arguments":"{}"}}),
            &json!({})
        ]
    );
    assert_eq!(choices[3]["finish_reason"], "function_call");
    let mut out = Vec::new();
    whole.finish(&mut out);
    let choice = &serde_json::from_slice::<Value>(&out).unwrap()["choices"][0];
    assert_eq!(choice["message"]["function_call"], json!({"name":"f","arguments":"{}"}));
    assert_eq!((choice["message"].get("tool_calls"), &choice["finish_reason"]), (None, &json!("function_call")));
    assert_eq!(choice["message"]["content"], json!(null));
}

#[test]
fn choices_are_apart_and_extras_have_their_places() {
    let raw = |raw: &'static str| Raw(raw.as_bytes().into());
    let events = [
        start(),
        Event::Refusal { choice: 1, text: Text::plain("no") },
        Event::Extra { choice: 1, name: "annotations", raw: raw("[]") },
        Event::Extra { choice: 0, name: "logprobs", raw: raw("{\"content\":[]}") },
        Event::Finish { choice: 1, reason: Finish::ContentFilter },
        finish(Finish::Other(Text::plain("odd"))),
        Event::End,
    ];
    let chunks = chunks(&events, false);
    let places: Vec<_> = chunks.iter().map(|chunk| chunk["choices"][0]["index"].as_u64()).collect();
    assert_eq!(places, [Some(0), Some(1), Some(1), Some(1), Some(0), Some(1), Some(0), None]);
    assert_eq!(chunks[4]["choices"][0]["logprobs"], json!({"content":[]}));
    assert_eq!(chunks[6]["choices"][0]["finish_reason"], "odd");
    let whole = whole(&events);
    assert_eq!(whole["choices"][0]["logprobs"], json!({"content":[]}));
    assert_eq!(
        whole["choices"][1],
        json!({"index":1,"message":{"role":"assistant","content":null,"refusal":"no","annotations":[]},
            "logprobs":null,"finish_reason":"content_filter"})
    );
}

#[test]
fn a_failure_ends_the_stream_without_its_marker() {
    let error = |message: &'static str| {
        Event::Error(ProviderError {
            class: ErrorClass::Overloaded,
            message: Text::plain(message),
            retry_after_ms: None,
        })
    };
    let chunks = chunks(&[start(), error("busy"), Event::End], true);
    assert_eq!(chunks.len(), 2);
    let expected = json!({"error":{"message":"busy","type":"server_error","param":null,"code":"server_is_overloaded"}});
    assert_eq!(chunks[1], expected);
    assert!(stream(&[error("")], false).contains("The model's provider is overloaded."));
}
