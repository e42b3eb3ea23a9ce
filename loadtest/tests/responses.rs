//! The simulated Responses API, as a raw client sees it: items, numbered events, what is refused.

mod raw;

use raw::{Seen, request, send, sim};
use ringway_loadtest::limits::KEPT_RESPONSES_MAX;
use ringway_loadtest::sim::SimHandle;
use ringway_loadtest::sim::script::Script;
use serde_json::{Value, json};
use std::collections::HashSet;

fn post(sim: &SimHandle, path: &str, body: &Value) -> Seen {
    send(sim, &request(path, &body.to_string(), "connection: close\r\n"))
}

fn healthy() -> SimHandle {
    sim(Script::default())
}

#[test]
fn responses_number_their_events() {
    let sim = healthy();
    let body = json!({"model": "m", "input": "hello there", "instructions": "be brief"});
    let whole = post(&sim, "/v1/responses", &body).json();
    assert_eq!(
        (&whole["object"], &whole["status"], &whole["instructions"]),
        (&json!("response"), &json!("completed"), &json!("be brief"))
    );
    assert!(whole["output"][0]["content"][0]["text"].is_string() && whole["tools"].is_array(), "{whole}");
    assert!(whole["usage"]["input_tokens_details"]["cached_tokens"].is_u64(), "{whole}");
    assert!(whole["parallel_tool_calls"].is_boolean(), "{whole}");
    let mut streamed = body;
    streamed["stream"] = json!(true);
    let seen = post(&sim, "/v1/responses", &streamed);
    let events: Vec<Value> = seen.events().iter().map(|event| serde_json::from_str(event).expect("JSON")).collect();
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], index);
        assert!(seen.body_text().contains(&format!("event: {}\ndata: ", event["type"].as_str().expect("a type"))));
    }
    let types: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(
        types[..4],
        ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    );
    assert_eq!(types.last(), Some(&"response.completed"));
    assert!(!seen.is_done(), "no [DONE] here");
    let text: String = events
        .iter()
        .filter(|event| event["type"] == "response.output_text.delta")
        .filter_map(|event| event["delta"].as_str())
        .collect();
    assert_eq!(whole["output"][0]["content"][0]["text"], text.as_str());
}

#[test]
fn responses_call_functions() {
    let sim = healthy();
    let tools = json!([{"type": "web_search"}, {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "boolean"}}}}]);
    let call = post(&sim, "/v1/responses", &json!({"model": "m", "input": "go", "tools": tools})).json();
    let item = &call["output"][0];
    assert_eq!(
        (&item["type"], &item["name"], &item["arguments"]),
        (&json!("function_call"), &json!("f"), &json!("{\"a\":true}"))
    );
    let result = json!({"type": "function_call_output", "call_id": item["call_id"], "output": "ok"});
    let ended = json!({"model": "m", "tools": tools, "input": [item, result]});
    assert_eq!(post(&sim, "/v1/responses", &ended).json()["output"][0]["type"], "message");
}

/// What the events of a stream say about each place of the output: the types of what began and ended, and all deltas together.
fn streamed_items(events: &[Value]) -> Vec<(String, String)> {
    let mut items: Vec<(String, String)> = Vec::new();
    for event in events {
        let place = event["output_index"].as_u64().map(|place| place as usize);
        match event["type"].as_str().expect("a type") {
            "response.output_item.added" => {
                assert_eq!(place, Some(items.len()));
                items.push((event["item"]["type"].as_str().expect("a type").to_owned(), String::new()));
            }
            kind if kind.ends_with(".delta") => {
                items[place.expect("a place")].1.push_str(event["delta"].as_str().expect("a text"))
            }
            _ => {}
        }
    }
    items
}

fn typed_events(sim: &SimHandle, body: &Value) -> Vec<Value> {
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    let seen = post(sim, "/v1/responses", &streamed);
    seen.events().iter().map(|event| serde_json::from_str(event).expect("JSON")).collect()
}

#[test]
fn responses_call_several_tools_at_once() {
    let sim = healthy();
    let parameters = json!({"type": "object", "properties": {"a": {"type": "boolean"}}});
    let tools = json!([
        {"type": "function", "name": "f", "parameters": parameters},
        {"type": "custom", "name": "g"},
        {"type": "function", "name": "h", "parameters": parameters},
    ]);
    let body = json!({"model": "m", "input": "in parallel", "tools": tools});
    let whole = post(&sim, "/v1/responses", &body).json();
    let output = whole["output"].as_array().expect("a list");
    let said: Vec<(&str, &str)> = output
        .iter()
        .map(|item| (item["name"].as_str().expect("a name"), item["arguments"].as_str().unwrap_or("free")))
        .collect();
    assert_eq!(said, [("f", "{\"a\":true}"), ("g", "free"), ("h", "{\"a\":true}")]);
    let ids: HashSet<&str> =
        output.iter().flat_map(|item| [item["id"].as_str(), item["call_id"].as_str()]).flatten().collect();
    assert_eq!(ids.len(), 6, "{ids:?}");
    let function = ("function_call".to_owned(), "{\"a\":true}".to_owned());
    let free = ("custom_tool_call".to_owned(), "example input".to_owned());
    let events = typed_events(&sim, &body);
    assert_eq!(streamed_items(&events), [function.clone(), free, function]);
    assert_eq!(events.last().expect("an event")["response"]["output"].as_array().map(Vec::len), Some(3));
    let one = json!({"model": "m", "input": "in parallel", "tools": tools, "parallel_tool_calls": false});
    assert_eq!(post(&sim, "/v1/responses", &one).json()["output"].as_array().map(Vec::len), Some(1));
}

#[test]
fn responses_that_reach_their_limit_are_incomplete() {
    let sim = healthy();
    let body = json!({"model": "m", "input": "hello there", "max_output_tokens": 16});
    let whole = post(&sim, "/v1/responses", &body).json();
    assert_eq!(
        (&whole["status"], &whole["incomplete_details"]["reason"], &whole["output"][0]["status"]),
        (&json!("incomplete"), &json!("max_output_tokens"), &json!("incomplete"))
    );
    assert_eq!(whole["usage"]["output_tokens"], 16);
    let events = typed_events(&sim, &body);
    let last = events.last().expect("an event");
    assert_eq!((&last["type"], &last["response"]["status"]), (&json!("response.incomplete"), &json!("incomplete")));
    assert_eq!(streamed_items(&events)[0].1, whole["output"][0]["content"][0]["text"]);
    let less = json!({"model": "m", "input": "hello there", "max_output_tokens": 15});
    assert_eq!(post(&sim, "/v1/responses", &less).status(), 400);
}

#[test]
fn responses_think_and_take_their_sealed_thoughts_back() {
    let sim = healthy();
    let body = json!({
        "model": "m",
        "input": "hello there",
        "reasoning": {"effort": "high", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
    });
    let whole = post(&sim, "/v1/responses", &body).json();
    let thought = &whole["output"][0];
    assert_eq!((&thought["type"], &whole["output"][1]["type"]), (&json!("reasoning"), &json!("message")));
    assert_eq!(streamed_items(&typed_events(&sim, &body))[0].1, thought["summary"][0]["text"]);
    assert!(whole["usage"]["output_tokens_details"]["reasoning_tokens"].as_u64() > Some(0));
    let question = json!({"role": "user", "content": "hello there"});
    let again = |thought: &Value| {
        let input = json!([question, thought, whole["output"][1], question]);
        post(&sim, "/v1/responses", &json!({"model": "m", "input": input})).status()
    };
    assert_eq!(again(thought), 200);
    let mut renamed = thought.clone();
    renamed["id"] = json!("rs_1");
    assert_eq!(again(&renamed), 400);
}

#[test]
fn responses_keep_calls_and_results_together() {
    let sim = healthy();
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let result = json!({"type": "function_call_output", "call_id": "c", "output": "ok"});
    let ask = |input: Value| post(&sim, "/v1/responses", &json!({"model": "m", "input": input})).status();
    assert_eq!(ask(json!([call, result])), 200);
    assert_eq!(ask(json!([result])), 400);
    assert_eq!(ask(json!([call])), 400);
    assert_eq!(ask(json!([call, result, result])), 400);
}

fn get(sim: &SimHandle, path: &str) -> Seen {
    send(sim, &format!("GET {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n\r\n"))
}

#[test]
fn responses_are_kept_until_newer_ones_need_the_room() {
    let sim = healthy();
    let body = json!({"model": "m", "input": [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]});
    let first = post(&sim, "/v1/responses", &body).json();
    let path = format!("/v1/responses/{}", first["id"].as_str().expect("an id"));
    assert_eq!(get(&sim, &path).json(), first);
    let items = get(&sim, &format!("{path}/input_items?limit=1")).json();
    assert_eq!(
        (&items["data"][0]["content"][0]["text"], &items["data"][1], &items["has_more"]),
        (&json!("two"), &Value::Null, &json!(true))
    );
    let last = get(&sim, &format!("{path}?stream=true&starting_after=2"));
    let first_event: Value = serde_json::from_str(&last.events()[0]).expect("JSON");
    assert_eq!(first_event["sequence_number"], 3);
    assert_eq!(get(&sim, "/v1/responses/resp_1").status(), 404);
    let unknown = post(&sim, "/v1/responses", &json!({"model": "m", "input": "x", "previous_response_id": "resp_1"}));
    assert_eq!(unknown.json()["error"]["code"], "previous_response_not_found");
    for _ in 0..KEPT_RESPONSES_MAX {
        post(&sim, "/v1/responses", &json!({"model": "m", "input": "x"}));
    }
    assert_eq!(get(&sim, &path).status(), 404);
}
