//! Anthropic's API as a raw client sees it: shapes, contents, refusals, and the faults in its form.

mod raw;

use raw::{Seen, request, scripted, send, sim};
use ringway_loadtest::sim::SimHandle;
use ringway_loadtest::sim::script::Script;
use serde_json::{Value, json};

const HEAD: &str = "anthropic-version: 2023-06-01\r\nx-api-key: sk-ant\r\nconnection: close\r\n";

fn ask(sim: &SimHandle, extra: Value) -> Seen {
    send(sim, &request("/v1/messages", &message(extra).to_string(), HEAD))
}

fn healthy() -> SimHandle {
    sim(Script::default())
}

fn message(extra: Value) -> Value {
    let mut body = json!({"model": "m", "max_tokens": 4096, "messages": [{"role": "user", "content": "hello there"}]});
    if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
        body.extend(extra);
    }
    body
}

fn parsed(seen: &Seen) -> Vec<Value> {
    seen.events().iter().map(|event| serde_json::from_str(event).expect("JSON")).collect()
}

/// The whole answer that a stream adds up to, built as its reader must build it.
fn assembled(events: &[Value]) -> Value {
    let mut message = Value::Null;
    let mut json = String::new();
    for event in events {
        let index = event["index"].as_u64().unwrap_or(0) as usize;
        match event["type"].as_str().expect("a type") {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                let content = message["content"].as_array_mut().expect("a list");
                assert_eq!(content.len(), index, "blocks are numbered as they open");
                content.push(event["content_block"].clone());
                json.clear();
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                let (from, to) = match delta["type"].as_str().expect("a type") {
                    "text_delta" => ("text", "text"),
                    "thinking_delta" => ("thinking", "thinking"),
                    "signature_delta" => ("signature", "signature"),
                    "input_json_delta" => {
                        json.push_str(delta["partial_json"].as_str().expect("text"));
                        continue;
                    }
                    other => panic!("{other}"),
                };
                let place = &mut message["content"][index][to];
                *place = json!(place.as_str().expect("text").to_owned() + delta[from].as_str().expect("text"));
            }
            "content_block_stop" if !json.is_empty() => {
                message["content"][index]["input"] = serde_json::from_str(&json).expect("JSON");
            }
            "message_delta" => {
                for member in ["stop_reason", "stop_sequence"] {
                    message[member] = event["delta"][member].clone();
                }
                message["usage"] = event["usage"].clone();
            }
            "content_block_stop" | "ping" | "message_stop" => {}
            other => panic!("{other}"),
        }
    }
    message
}

/// Asks whole and streamed; both must say the same. Returns the whole answer and the names of the events.
fn both(sim: &SimHandle, extra: &Value) -> (Value, Vec<String>) {
    let mut whole = ask(sim, extra.clone()).json();
    let mut streamed = extra.clone();
    streamed["stream"] = json!(true);
    let seen = ask(sim, streamed);
    let events = parsed(&seen);
    for event in &events {
        let name = event["type"].as_str().expect("a type");
        assert!(seen.body_text().contains(&format!("event: {name}\ndata: ")));
    }
    let mut assembled = assembled(&events);
    for answer in [&mut whole, &mut assembled] {
        answer["id"] = Value::Null;
        for block in answer["content"].as_array_mut().expect("a list") {
            if block["type"] == "tool_use" {
                assert!(block["id"].as_str().is_some_and(|id| id.starts_with("toolu_")));
                block["id"] = Value::Null;
            }
        }
    }
    assert_eq!(whole, assembled);
    (whole, events.iter().filter_map(|event| event["type"].as_str().map(str::to_owned)).collect())
}

#[test]
fn text_is_answered_whole_and_streamed() {
    let sim = healthy();
    let (answer, names) = both(&sim, &json!({"system": "be brief"}));
    assert_eq!(
        (&answer["type"], &answer["role"], &answer["model"]),
        (&json!("message"), &json!("assistant"), &json!("m"))
    );
    assert!(answer["content"][0]["text"].as_str().is_some_and(|text| text.starts_with("You said: hello there")));
    assert_eq!((&answer["stop_reason"], &answer["stop_sequence"]), (&json!("end_turn"), &Value::Null));
    assert_eq!(answer["usage"]["output_tokens"], 24);
    assert_eq!(names[..3], ["message_start", "content_block_start", "ping"]);
    assert_eq!(names[names.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);
    let stats = sim.stats();
    assert_eq!((stats.by_dialect["anthropic"].requests, stats.keys), (2, vec!["sk-ant".to_owned()]));
}

#[test]
fn stop_reasons_say_why() {
    let sim = healthy();
    let (limited, _) = both(&sim, &json!({"max_tokens": 3}));
    assert_eq!((&limited["stop_reason"], &limited["usage"]["output_tokens"]), (&json!("max_tokens"), &json!(3)));
    let (stopped, _) = both(&sim, &json!({"stop_sequences": ["zzz", " there"]}));
    assert_eq!((&stopped["stop_reason"], &stopped["stop_sequence"]), (&json!("stop_sequence"), &json!(" there")));
    assert_eq!(stopped["content"][0]["text"], "You said: hello");
    let (warm, _) = both(&sim, &json!({"max_tokens": 0}));
    assert_eq!((&warm["stop_reason"], &warm["content"]), (&json!("max_tokens"), &json!([])));
}

fn tools() -> Value {
    json!([
        {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
        {"name": "time", "input_schema": {"type": "object", "properties": {}}},
        {"type": "web_search_20250305", "name": "web_search"},
    ])
}

#[test]
fn tools_are_used() {
    let sim = healthy();
    let uses = |extra: Value| {
        let mut body = json!({"tools": tools()});
        if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
            body.extend(extra);
        }
        let (answer, _) = both(&sim, &body);
        let blocks = answer["content"].as_array().cloned().unwrap_or_default();
        let names: Vec<String> = blocks.iter().filter_map(|block| block["name"].as_str().map(str::to_owned)).collect();
        assert_eq!(answer["stop_reason"] == "tool_use", !names.is_empty());
        names
    };
    assert_eq!(uses(json!({})), ["weather"]);
    assert_eq!(uses(json!({"tool_choice": {"type": "none"}})), [""; 0]);
    assert_eq!(uses(json!({"tool_choice": {"type": "tool", "name": "time"}})), ["time"]);
    assert_eq!(uses(json!({"tool_choice": {"type": "auto", "disable_parallel_tool_use": false}})), ["weather", "time"]);
    let parallel = json!([{"role": "user", "content": "both, in parallel"}]);
    assert_eq!(uses(json!({"messages": parallel})), ["weather", "time"]);
    let off = json!({"messages": parallel, "tool_choice": {"type": "any", "disable_parallel_tool_use": true}});
    assert_eq!(uses(off), ["weather"]);
    let ended = json!([
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "weather", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "sunny"}]},
    ]);
    assert_eq!(uses(json!({"messages": ended})), [""; 0]);
}

#[test]
fn thinking_comes_first_and_its_signature_is_checked() {
    let sim = healthy();
    let thinking = json!({"type": "enabled", "budget_tokens": 1024});
    let (answer, names) = both(&sim, &json!({"thinking": thinking}));
    assert_eq!((&answer["content"][0]["type"], &answer["content"][1]["type"]), (&json!("thinking"), &json!("text")));
    assert!(answer["content"][0]["thinking"].as_str().is_some_and(|text| text.starts_with("Thinking:")));
    assert_eq!(names.iter().filter(|name| *name == "content_block_start").count(), 2);
    let replayed = |thought: &Value| {
        let turns = json!([
            {"role": "user", "content": "?"}, {"role": "assistant", "content": [thought]}, {"role": "user", "content": "and?"},
        ]);
        ask(&sim, json!({"thinking": thinking, "messages": turns})).status()
    };
    let mut thought = answer["content"][0].clone();
    assert_eq!(replayed(&thought), 200);
    thought["thinking"] = json!("something else");
    assert_eq!(replayed(&thought), 400);
    let hidden = json!({"thinking": {"type": "adaptive", "display": "omitted"}});
    let (answer, _) = both(&sim, &hidden);
    assert_eq!(answer["content"][0]["thinking"], "");
    assert!(answer["content"][0]["signature"].as_str().is_some_and(|text| !text.is_empty()));
}

#[test]
fn usage_tells_the_cache() {
    let sim = healthy();
    let system =
        json!([{"type": "text", "text": "a long prefix", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    let first = ask(&sim, json!({"system": system})).json()["usage"].clone();
    let written = first["cache_creation_input_tokens"].as_u64().expect("a count");
    assert!(written > 0 && first["cache_read_input_tokens"] == 0);
    assert_eq!(first["cache_creation"]["ephemeral_1h_input_tokens"], written);
    let turns = json!([
        {"role": "user", "content": "hello there"}, {"role": "assistant", "content": "hi"}, {"role": "user", "content": "again"},
    ]);
    let second = ask(&sim, json!({"system": system, "messages": turns})).json()["usage"].clone();
    assert_eq!(
        (&second["cache_creation_input_tokens"], &second["cache_read_input_tokens"]),
        (&json!(0), &json!(written))
    );
    let counted = message(json!({"system": system}));
    let counted = send(&sim, &request("/v1/messages/count_tokens", &counted.to_string(), HEAD)).json();
    assert_eq!(counted["input_tokens"], written + first["input_tokens"].as_u64().expect("a count"));
}

#[test]
fn json_satisfies_its_schema() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false});
    let (answer, _) =
        both(&healthy(), &json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}}));
    assert_eq!(answer["content"][0]["text"], "{\"n\":1}");
}

#[test]
fn bodies_that_break_a_rule_are_refused_and_counted() {
    let sim = scripted("models = [\"m\"]");
    let mut rules = Vec::new();
    let mut refused = |extra: Value, rule: &str, says: &str| {
        let seen = ask(&sim, extra.clone());
        let answer = seen.json();
        assert_eq!((seen.status(), &answer["error"]["type"]), (400, &json!("invalid_request_error")), "{extra}");
        assert_eq!(answer["type"], "error");
        assert_eq!(answer["request_id"].as_str(), seen.header("request-id").as_deref());
        assert!(answer["error"]["message"].as_str().is_some_and(|message| message.contains(says)), "{answer}");
        rules.push(format!("anthropic_messages: {rule}"));
    };
    let turns = |turns: Value| json!({"messages": turns});
    let block = |block: Value| turns(json!([{"role": "user", "content": [block]}]));
    refused(json!({"max_tokens": null}), "max_tokens missing", "max_tokens: Field required");
    refused(json!({"max_tokens": "1"}), "max_tokens has the wrong type", "max_tokens: Input should be an integer");
    refused(json!({"messages": []}), "messages has a bad value", "messages");
    refused(turns(json!([{"role": "tool", "content": "x"}])), "messages[].role has a bad value", "messages.0.role");
    let pictured = json!([{"role": "user", "content": "x"}, {"role": "system", "content": [{"type": "image"}]}]);
    refused(turns(pictured), "messages[].content[].type has a bad value", "messages.1.content.0.type");
    refused(turns(json!([{"role": "assistant", "content": "x"}])), "first message is not the user's", "user");
    refused(
        block(json!({"type": "text", "text": ""})),
        "messages[].content[].text has a bad value",
        "messages.0.content.0.text",
    );
    refused(
        block(json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "?"}})),
        "messages[].content[].source.data has a bad value",
        "base64",
    );
    refused(
        block(json!({"type": "tool_result", "tool_use_id": "x"})),
        "tool_result without its tool_use",
        "unexpected",
    );
    refused(json!({"n": 1}), "n is unknown", "n: Extra inputs are not permitted");
    refused(json!({"temperature": 1.5}), "temperature has a bad value", "temperature");
    refused(json!({"tools": [{"name": "t"}]}), "tools[].input_schema missing", "tools.0.input_schema: Field required");
    refused(
        json!({"tools": [{"name": "a.b", "input_schema": {"type": "object"}}]}),
        "tools[].name has a bad value",
        "pattern",
    );
    refused(json!({"tool_choice": {"type": "any"}}), "tool_choice without tools", "tool_choice");
    refused(
        json!({"thinking": {"type": "enabled", "budget_tokens": 4096}}),
        "thinking.budget_tokens not below max_tokens",
        "max_tokens",
    );
    let schema = json!({"type": "object", "properties": {}});
    refused(
        json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}}),
        "schema without additionalProperties: false",
        "additionalProperties",
    );
    let unanswered = json!([
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "t", "input": {}}]},
        {"role": "user", "content": "never mind"},
    ]);
    refused(turns(unanswered), "tool_use without its tool_result", "tool_use");
    let counted = sim.stats().invalid;
    for rule in &rules {
        assert_eq!(counted.get(rule), Some(&1), "{rule} in {counted:?}");
    }
    assert_eq!(counted.len(), rules.len());
}

#[test]
fn credential_version_and_model_are_demanded() {
    let sim = scripted("models = [\"m\"]\nrequire_key = \"sk-ant\"");
    let kind = |body: Value, head: &str| {
        let head = format!("{head}connection: close\r\n");
        let seen = send(&sim, &request("/v1/messages", &body.to_string(), &head));
        (seen.status(), seen.json()["error"]["type"].as_str().map(str::to_owned))
    };
    let is = |status: u16, name: &str| (status, Some(name.to_owned()));
    let good = "anthropic-version: 2023-06-01\r\nx-api-key: sk-ant\r\n";
    assert_eq!(kind(message(json!({})), good), (200, None));
    let bearer = "anthropic-version: 2023-06-01\r\nauthorization: Bearer sk-ant\r\n";
    assert_eq!(kind(message(json!({})), bearer), (200, None));
    assert_eq!(kind(message(json!({})), "anthropic-version: 2023-06-01\r\n"), is(401, "authentication_error"));
    assert_eq!(kind(message(json!({})), &good.replace("sk-ant", "sk-other")), is(401, "authentication_error"));
    assert_eq!(kind(message(json!({})), "x-api-key: sk-ant\r\n"), is(400, "invalid_request_error"));
    assert_eq!(kind(message(json!({"model": "other"})), good), is(404, "not_found_error"));
}

#[test]
fn models_are_listed_in_the_dialect_that_asks() {
    let sim = scripted("models = [\"m\", \"org/big\"]");
    let get = |path: &str, head: &str| {
        send(&sim, &format!("GET {path} HTTP/1.1\r\nhost: sim\r\n{head}connection: close\r\n\r\n"))
    };
    let list = get("/v1/models", "anthropic-version: 2023-06-01\r\nx-api-key: k\r\n").json();
    assert_eq!((&list["has_more"], &list["last_id"]), (&json!(false), &json!("org/big")));
    assert_eq!(list["data"][0]["type"], "model");
    assert_eq!(get("/v1/models", "").json()["object"], "list");
    let one = get("/v1/models/org%2Fbig", "anthropic-version: 2023-06-01\r\nx-api-key: k\r\n").json();
    assert_eq!(one["display_name"], "org/big");
}

#[test]
fn headers_tell_the_limits() {
    let seen = ask(&healthy(), json!({}));
    for part in ["requests", "tokens", "input-tokens", "output-tokens"] {
        for what in ["limit", "remaining", "reset"] {
            assert!(seen.header(&format!("anthropic-ratelimit-{part}-{what}")).is_some(), "{part} {what}");
        }
    }
    assert!(seen.header("x-request-id").is_none(), "that one is OpenAI's");
}

#[test]
fn faults_have_the_dialects_form() {
    let sim = healthy();
    let play = |fault: &str, stream: bool| {
        let body = message(json!({"stream": stream})).to_string();
        send(&sim, &request("/v1/messages", &body, &format!("x-sim-fault: {fault}\r\n{HEAD}")))
    };
    for (fault, status, kind) in [
        ("status:529", 529, "overloaded_error"),
        ("status:500", 500, "api_error"),
        ("status:403", 403, "permission_error"),
        ("rate_limited:7", 429, "rate_limit_error"),
        ("insufficient_quota", 402, "billing_error"),
        ("echo_key", 401, "authentication_error"),
        ("context_length", 400, "invalid_request_error"),
        ("model_not_found", 404, "not_found_error"),
        ("too_large", 413, "request_too_large"),
        ("error_in_200:529", 200, "overloaded_error"),
    ] {
        let seen = play(fault, false);
        assert_eq!((seen.status(), &seen.json()["error"]["type"]), (status, &json!(kind)), "{fault}");
    }
    assert_eq!(play("rate_limited:7", false).header("retry-after").as_deref(), Some("7"));
    assert!(play("echo_key", false).body_text().contains("sk-ant"));
    assert_eq!(play("content_filter", false).json()["stop_reason"], "refusal");
    let names = |fault: &str| {
        let events = parsed(&play(fault, true));
        events.iter().filter_map(|event| event["type"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(names("first_event_error:529"), ["error"]);
    assert_eq!(names("error_after:2").last().map(String::as_str), Some("error"));
    assert!(!names("no_done").contains(&"message_stop".to_owned()));
    let unfinished = names("no_finish");
    assert!(!unfinished.contains(&"message_delta".to_owned()) && unfinished.contains(&"message_stop".to_owned()));
    assert!(!names("empty_choices").contains(&"content_block_start".to_owned()));
    assert!(!play("no_usage", true).body_text().contains("output_tokens"));
    assert_eq!(play("no_usage", false).json().get("usage"), None);
    assert_eq!(play("absurd_usage", false).json()["usage"]["input_tokens"], -5);
    assert!(play("absurd_usage", true).body_text().contains("\"input_tokens\":-5"));
    assert_eq!(play("empty_choices", false).json()["content"], json!([]));
    assert_eq!(play("finish_reason,reason=pause_turn", false).json()["stop_reason"], "pause_turn");
    assert!(play("finish_reason,reason=pause_turn", true).body_text().contains("\"pause_turn\""));
    assert!(play("big_answer:100000", false).body().0.len() > 100_000);
    assert!(play("big_answer:100000", true).body().0.len() > 100_000);
    let stats = sim.stats();
    assert!(stats.invalid.is_empty(), "what a script orders is no breach: {:?}", stats.invalid);
}

#[test]
fn members_come_in_the_order_of_the_provider() {
    let sim = healthy();
    let whole = String::from_utf8_lossy(&ask(&sim, json!({})).bytes).into_owned();
    assert!(whole.contains("\r\n\r\n{\"id\":\"msg_"), "{whole}");
    assert!(whole.contains(r#""type":"message","role":"assistant","content":[{"type":"text","text":""#), "{whole}");
    let stream = ask(&sim, json!({"stream": true}));
    assert!(stream.events().iter().all(|event| event.starts_with(r#"{"type":""#)), "{:?}", stream.events());
}
