use super::*;
use crate::dialects::canonical::ProviderError;
use crate::error::Upstream;
use crate::json::piece::Raw;
use crate::limits::STREAMED_RESPONSE_BYTES_MAX;
use serde_json::{Value, json};

fn facts() -> Facts {
    Facts { id: "r1".into(), model: "my \"model\"".into(), created_s: 7, usage_asked: false }
}

fn echo() -> Echo {
    Echo::of(br#"{"tools":[{"type":"custom","name":"patch"}],"metadata":{"a":"b"}}"#)
}

fn start() -> Event<'static> {
    Event::Start { id: Text::plain("upstream"), model: Text::plain("theirs") }
}

fn text(text: &'static str) -> Event<'static> {
    Event::Text { choice: 0, text: Text::plain(text) }
}

fn thinking(text: &'static str) -> Event<'static> {
    Event::Thinking { choice: 0, text: Text::plain(text) }
}

fn proof(origin: Origin, value: &'static str) -> Event<'static> {
    Event::ThinkingSignature { choice: 0, signature: Signature { origin, value: Text::plain(value) } }
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

const USAGE: Usage = Usage {
    input_uncached: 5,
    cache_read: 3,
    cache_write_short: 2,
    cache_write_long: 1,
    output: 9,
    reasoning: 4,
    input_audio: 0,
    output_audio: 0,
};

/// The events of a stream. Their names are their types, and their numbers rise by one.
fn stream(events: &[Event<'_>]) -> Vec<Value> {
    let mut stream = Stream::repeating(facts(), echo());
    let mut out = Vec::new();
    events.iter().for_each(|event| stream.event(event, &mut out));
    read(&out)
}

fn read(out: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(out).unwrap();
    let event = |(number, event): (usize, &str)| {
        let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
        assert_eq!((data["type"].as_str(), data["sequence_number"].as_u64()), (Some(name), Some(number as u64)));
        data
    };
    text.split_terminator("\n\n").enumerate().map(event).collect()
}

fn whole(events: &[Event<'_>]) -> Value {
    let mut whole = Whole::repeating(facts(), echo());
    events.iter().for_each(|event| whole.event(event));
    let mut out = Vec::new();
    whole.finish(&mut out);
    serde_json::from_slice(&out).unwrap()
}

/// Types of the events without their common prefix.
fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap().trim_start_matches("response.")).collect()
}

/// The items of the last event, which are those of the whole answer and of the events that end items.
fn output(events: &[Event<'_>]) -> Value {
    let streamed = stream(events);
    let last = streamed.last().unwrap()["response"].clone();
    assert_eq!(last, whole(events), "a stream ends with the whole answer");
    let mut done: Vec<_> = streamed.iter().filter(|event| event["type"] == "response.output_item.done").collect();
    done.sort_by_key(|event| event["output_index"].as_u64());
    let items: Vec<_> = done.iter().map(|event| event["item"].clone()).collect();
    assert_eq!(last["output"], json!(items));
    replayed(&streamed, &last);
    last["output"].clone()
}

/// What a client puts together from the deltas is what the last event says.
fn replayed(streamed: &[Value], last: &Value) {
    let items = last["output"].as_array().unwrap();
    let mut said = vec![String::new(); items.len()];
    for event in streamed {
        let Some(index) = event["output_index"].as_u64().map(|index| index as usize) else { continue };
        if let Some(id) = event.get("item_id") {
            let added = streamed
                .iter()
                .find(|event| event["type"] == "response.output_item.added" && event["output_index"] == index);
            assert_eq!(*id, added.unwrap()["item"]["id"]);
        }
        said[index].push_str(event["delta"].as_str().unwrap_or_default());
    }
    for (item, said) in items.iter().zip(said) {
        let texts = ["/arguments", "/input", "/content/0/text", "/content/0/refusal", "/summary/0/text"];
        let text = texts.iter().find_map(|place| item.pointer(place)).map_or("", |text| text.as_str().unwrap());
        assert_eq!(text, said);
    }
}

#[test]
fn a_stream_is_what_openai_sends() {
    let events = [start(), text("Hel\n"), text(""), text("lo"), Event::Usage(USAGE), finish(Finish::Stop), Event::End];
    let streamed = stream(&events);
    assert_eq!(
        types(&streamed),
        [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
    );
    let part = |text: &str| json!({"type":"output_text","annotations":[],"logprobs":[],"text":text});
    let item = |status: &str, content: Value| json!({"id":"msg_r1_0","type":"message","status":status,"role":"assistant","content":content});
    assert_eq!(
        streamed[2],
        json!({"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":item("in_progress",json!([]))})
    );
    assert_eq!(
        streamed[3],
        json!({"type":"response.content_part.added","sequence_number":3,"item_id":"msg_r1_0","output_index":0,"content_index":0,"part":part("")})
    );
    assert_eq!(
        streamed[4],
        json!({"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_r1_0","output_index":0,"content_index":0,"delta":"Hel\n","logprobs":[]})
    );
    assert_eq!(
        streamed[6],
        json!({"type":"response.output_text.done","sequence_number":6,"item_id":"msg_r1_0","output_index":0,"content_index":0,"text":"Hel\nlo","logprobs":[]})
    );
    assert_eq!(streamed[7]["part"], part("Hel\nlo"));
    assert_eq!(streamed[8]["item"], item("completed", json!([part("Hel\nlo")])));
    let response = |status: &str, output: Value, usage: Value| {
        json!({
            "id":"resp_r1","object":"response","created_at":7,"status":status,"background":false,"error":null,
            "incomplete_details":null,"model":"my \"model\"","output":output,"previous_response_id":null,"store":false,"usage":usage,
            "instructions":null,"max_output_tokens":null,"max_tool_calls":null,"parallel_tool_calls":true,"prompt_cache_key":null,
            "reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":null,"temperature":null,
            "text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[{"type":"custom","name":"patch"}],"top_logprobs":0,
            "top_p":null,"truncation":"disabled","user":null,"metadata":{"a":"b"}
        })
    };
    assert_eq!(streamed[0]["response"], response("in_progress", json!([]), json!(null)));
    assert_eq!(streamed[1]["response"], streamed[0]["response"]);
    let usage = json!({
        "input_tokens":11,"input_tokens_details":{"cached_tokens":3,"cache_write_tokens":3},"output_tokens":9,
        "output_tokens_details":{"reasoning_tokens":4},"total_tokens":20
    });
    let output = json!([item("completed", json!([part("Hel\nlo")]))]);
    assert_eq!(streamed[9]["response"], response("completed", output, usage));
    assert_eq!(whole(&events), streamed[9]["response"]);
}

#[test]
fn thoughts_are_summaries_with_their_proof() {
    let events = [
        start(),
        thinking("Let me"),
        thinking(" see."),
        proof(Origin::Anthropic, "Eq=="),
        Event::SealedThinking {
            choice: 0,
            signature: Signature { origin: Origin::Anthropic, value: Text::plain("Xx") },
        },
        proof(Origin::OpenAi, "rs_up:gA=="),
        thinking("Again."),
        text("x"),
        finish(Finish::Stop),
        Event::End,
    ];
    let summary = |text: &str| json!([{"type":"summary_text","text":text}]);
    let reasoning = |id: &str, sealed: &str, summary: Value| json!({"id":id,"encrypted_content":sealed,"type":"reasoning","summary":summary});
    let items = output(&events);
    assert_eq!(
        items.as_array().unwrap()[..4],
        [
            reasoning("rs_r1_0", "anthropic:Eq==", summary("Let me see.")),
            reasoning("rs_r1_1", "anthropic.sealed:Xx", json!([])),
            reasoning("rs_up", "gA==", json!([])),
            json!({"id":"rs_r1_3","type":"reasoning","summary":summary("Again.")}),
        ]
    );
    assert_eq!(
        types(&stream(&events))[2..9],
        [
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
        ]
    );
}

#[test]
fn calls_end_when_the_next_begins_and_they_are_complete() {
    let sequential = [
        start(),
        text("x"),
        call(0, "c0", "f"),
        arguments(0, "{\"a\":"),
        arguments(0, "\"}\"}"),
        call(1, "", "g"),
        finish(Finish::ToolCalls),
        Event::End,
    ];
    let function = |index: usize, id: &str, name: &str, arguments: &str| json!({"id":format!("fc_r1_{index}"),"type":"function_call","status":"completed","arguments":arguments,"call_id":id,"name":name});
    let items = output(&sequential);
    assert_eq!(items[1], function(1, "c0", "f", "{\"a\":\"}\"}"));
    assert_eq!(items[2], function(2, "call_r1_1", "g", "{}"));
    assert_eq!(
        types(&stream(&sequential))[6..],
        [
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "completed",
        ]
    );
    let interleaved = [
        start(),
        call(0, "c0", "f"),
        arguments(0, "{\"a\":"),
        call(1, "c1", "g"),
        arguments(1, "{\"b\":"),
        arguments(0, "1}"),
        text("x"),
        arguments(1, "2}"),
        finish(Finish::ToolCalls),
        Event::End,
    ];
    let items = output(&interleaved);
    assert_eq!(items[0], function(0, "c0", "f", "{\"a\":1}"));
    assert_eq!(items[1], function(1, "c1", "g", "{\"b\":2}"));
    assert_eq!(items[2]["content"][0]["text"], "x");
}

#[test]
fn a_tool_with_a_text_is_called_with_one() {
    let events = [
        start(),
        call(0, "c0", "patch"),
        arguments(0, "*** Begin\n"),
        call(1, "c1", "f"),
        arguments(0, "{}"),
        finish(Finish::ToolCalls),
        Event::End,
    ];
    assert_eq!(
        output(&events)[0],
        json!({"id":"ctc_r1_0","type":"custom_tool_call","status":"completed","input":"*** Begin\n{}","call_id":"c0","name":"patch"})
    );
    assert!(types(&stream(&events)).contains(&"custom_tool_call_input.done"));
}

#[test]
fn a_tool_of_a_group_is_called_with_its_group() {
    let tools = json!([{"type":"namespace","name":"crm","tools":[
        {"type":"function","name":"find","parameters":null},{"type":"custom","name":"patch"}
    ]}]);
    let echo = Echo::of(json!({ "tools": tools }).to_string().as_bytes());
    let events = [
        start(),
        call(0, "c", "crm.find"),
        arguments(0, "{}"),
        call(1, "d", "crm.patch"),
        arguments(1, "x"),
        call(2, "e", "find"),
    ];
    let (mut whole, mut stream) = (Whole::repeating(facts(), echo.clone()), Stream::repeating(facts(), echo));
    let mut out = Vec::new();
    for event in events.iter().chain(&[finish(Finish::ToolCalls), Event::End]) {
        whole.event(event);
        stream.event(event, &mut out);
    }
    let streamed = read(&out);
    let mut body = Vec::new();
    whole.finish(&mut body);
    let body: Value = serde_json::from_slice(&body).unwrap();
    let called = |item: &Value| {
        ["type", "namespace", "name"].map(|name| item.get(name).and_then(Value::as_str).unwrap_or("-").to_owned())
    };
    let expected =
        [["function_call", "crm", "find"], ["custom_tool_call", "crm", "patch"], ["function_call", "-", "find"]];
    let told: Vec<_> = body["output"].as_array().unwrap().iter().map(called).collect();
    assert_eq!(told, expected);
    for kind in ["response.output_item.added", "response.output_item.done"] {
        let of_kind = streamed.iter().filter(|event| event["type"] == kind);
        assert_eq!(of_kind.map(|event| called(&event["item"])).collect::<Vec<_>>(), expected, "{kind}");
    }
}

#[test]
fn the_proof_of_a_call_stands_before_it() {
    let signature = Some(Signature { origin: Origin::Gemini, value: Text::plain("c2ln") });
    let call = Event::ToolCall { choice: 0, call: 0, id: Text::plain("c"), name: Text::plain("f"), signature };
    let items = output(&[start(), thinking("t"), call, finish(Finish::ToolCalls), Event::End]);
    assert_eq!(items[0], json!({"id":"rs_r1_0","type":"reasoning","summary":[{"type":"summary_text","text":"t"}]}));
    assert_eq!(
        items[1],
        json!({"id":"rs_r1_1","encrypted_content":"gemini.call:c2ln","type":"reasoning","summary":[]})
    );
    assert_eq!(items[2]["type"], "function_call");
}

#[test]
fn how_it_ended_is_told_as_a_status() {
    for (reason, status, expected) in [
        (Finish::Stop, "completed", json!(null)),
        (Finish::StopSequence(Text::plain("x")), "completed", json!(null)),
        (Finish::ToolCalls, "completed", json!(null)),
        (Finish::Length, "incomplete", json!({"reason":"max_output_tokens"})),
        (Finish::ContextFull, "incomplete", json!({"reason":"max_output_tokens"})),
        (Finish::Pause, "incomplete", json!({"reason":"max_output_tokens"})),
        (Finish::ContentFilter, "incomplete", json!({"reason":"content_filter"})),
        (Finish::Other(Text::plain("odd\"")), "incomplete", json!({"reason":"odd\""})),
    ] {
        let events = [start(), text("x"), finish(reason), Event::End];
        let response = whole(&events);
        assert_eq!((response["status"].as_str(), &response["incomplete_details"]), (Some(status), &expected));
        assert_eq!(output(&events)[0]["status"], status);
        let name = stream(&events).last().unwrap()["type"].clone();
        assert_eq!(name, format!("response.{status}"));
    }
}

#[test]
fn a_refusal_is_a_part_of_its_own() {
    let refusal = Event::Refusal { choice: 0, text: Text::plain("No.") };
    let events = [start(), refusal, finish(Finish::Stop), Event::End];
    assert_eq!(output(&events)[0]["content"], json!([{"type":"refusal","refusal":"No."}]));
    assert_eq!(types(&stream(&events))[4..6], ["refusal.delta", "refusal.done"]);
}

#[test]
fn a_failure_in_the_middle_ends_the_stream() {
    let error =
        |class, message| Event::Error(ProviderError { class, message: Text::plain(message), retry_after_ms: None });
    let streamed = stream(&[start(), text("x"), error(ErrorClass::RateLimited, "Slow down."), text("y"), Event::End]);
    let last = streamed.last().unwrap();
    assert_eq!(last["type"], "response.failed");
    assert_eq!(last["response"]["error"], json!({"code":"rate_limit_exceeded","message":"Slow down."}));
    assert_eq!(
        (&last["response"]["status"], &last["response"]["output"][0]["status"]),
        (&json!("failed"), &json!("incomplete"))
    );
    // Nothing had been said.
    let streamed = stream(&[error(ErrorClass::Credential, "Bad key sk-1"), Event::End]);
    assert_eq!(types(&streamed), ["failed"]);
    let message = "The model's provider does not accept the gateway's credential.";
    assert_eq!(streamed[0]["response"]["error"], json!({"code":"upstream_credential","message":message}));
    // The gateway's own.
    let mut stream = Stream::new(facts());
    let mut out = Vec::new();
    stream.event(&start(), &mut out);
    stream.fail(&Failure::Upstream(Upstream::Truncated), &mut out);
    stream.event(&Event::End, &mut out);
    let streamed = read(&out);
    assert_eq!((streamed.len(), &streamed[2]["response"]["error"]["code"]), (3, &json!("upstream_truncated")));
}

#[test]
fn every_class_of_error_has_a_word() {
    use ErrorClass::*;
    let all = [
        InvalidRequest,
        Credential,
        NotFound,
        RateLimited,
        Quota,
        Overloaded,
        Timeout,
        ContentPolicy,
        ContextLength,
        TooLarge,
        Unsupported,
        Server,
    ];
    let codes: std::collections::HashSet<_> = all.map(|class| error_words(class).0).into();
    assert_eq!(codes.len(), all.len());
}

#[test]
fn what_a_chat_server_adds_is_told_in_this_api_s_form() {
    let extra = |name, raw: &'static str| Event::Extra { choice: 0, name, raw: Raw(raw.as_bytes().into()) };
    let token = r#"{"token":"x","logprob":-0.5,"bytes":[120],"top_logprobs":[]}"#;
    let events = [
        start(),
        extra(
            "logprobs",
            r#"{"content":[{"token":"x","logprob":-0.5,"bytes":[120],"top_logprobs":[]}],"refusal":null}"#,
        ),
        text("x"),
        extra("logprobs", r#"{"content":[],"refusal":null}"#),
        extra(
            "annotations",
            r#"[{"type":"url_citation","url_citation":{"start_index":0,"end_index":1,"url":"u","title":"t"}},{"type":"other"}]"#,
        ),
        extra("audio", "{}"),
        finish(Finish::Stop),
        Event::End,
    ];
    let part = output(&events)[0]["content"][0].clone();
    assert_eq!(part["logprobs"], json!([serde_json::from_str::<Value>(token).unwrap()]));
    let citation = json!({"type":"url_citation","start_index":0,"end_index":1,"url":"u","title":"t"});
    assert_eq!(part["annotations"], json!([citation, {"type":"other"}]));
    let streamed = stream(&events);
    let added: Vec<_> =
        streamed.iter().filter(|event| event["type"] == "response.output_text.annotation.added").collect();
    assert_eq!((added.len(), &added[1]["annotation_index"], &added[0]["annotation"]), (2, &json!(1), &citation));
    assert_eq!(types(&streamed).iter().filter(|name| **name == "content_part.added").count(), 1);
}

#[test]
fn other_choices_are_left_out() {
    let events =
        [start(), Event::Text { choice: 1, text: Text::plain("b") }, text("a"), finish(Finish::Stop), Event::End];
    let items = output(&events);
    assert_eq!((items.as_array().unwrap().len(), &items[0]["content"][0]["text"]), (1, &json!("a")));
}

#[test]
fn a_stream_is_kept_up_to_a_bound() {
    let mut stream = Stream::new(facts());
    let mut out = Vec::new();
    stream.event(&start(), &mut out);
    let piece = "x".repeat(64 * 1024);
    let pieces = (1..).find(|_| {
        out.clear();
        stream.event(&Event::Text { choice: 0, text: Text::plain(&*piece) }, &mut out);
        memchr::memmem::find(&out, b"event: response.failed\n").is_some()
    });
    assert_eq!(pieces, Some(STREAMED_RESPONSE_BYTES_MAX / piece.len()));
    assert!(memchr::memmem::find(&out, br#""code":"response_too_large""#).is_some() && out.ends_with(b"\n\n"));
    out.clear();
    stream.event(&text("more"), &mut out);
    assert_eq!(out, b"");
}
