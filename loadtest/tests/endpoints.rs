//! The healthy answers, as a raw client sees them: shapes, contents, refusals.

mod raw;

use std::io::Write;

use raw::{CHAT, LIMIT, STREAM, Seen, connect, read_until, request, scripted, send, sim};
use ringway_loadtest::sim::SimHandle;
use ringway_loadtest::sim::script::Script;
use serde_json::{Value, json};

fn post(sim: &SimHandle, path: &str, body: &Value) -> Seen {
    send(sim, &request(path, &body.to_string(), "connection: close\r\n"))
}

fn get(sim: &SimHandle, path: &str) -> Seen {
    send(sim, &format!("GET {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n\r\n"))
}

fn healthy() -> SimHandle {
    sim(Script::default())
}

type Is = fn(&Value) -> bool;

/// Checks that each pointer leads to something of the type that is named.
fn has(value: &Value, members: &[(&str, Is)]) {
    for (pointer, is) in members {
        let found = value.pointer(pointer);
        assert!(found.is_some_and(is), "{pointer} in {value}");
    }
}

fn chat(extra: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hello there"}]});
    if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
        body.extend(extra);
    }
    body
}

#[test]
fn a_chat_answer_has_every_required_member() {
    let sim = healthy();
    let answer = post(&sim, "/v1/chat/completions", &chat(json!({}))).json();
    has(
        &answer,
        &[
            ("/id", Value::is_string),
            ("/created", Value::is_u64),
            ("/choices/0/index", Value::is_u64),
            ("/choices/0/message/content", Value::is_string),
            ("/choices/0/message/refusal", Value::is_null),
            ("/choices/0/logprobs", Value::is_null),
            ("/usage/prompt_tokens_details/cached_tokens", Value::is_u64),
            ("/usage/completion_tokens_details/reasoning_tokens", Value::is_u64),
        ],
    );
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], "m");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    let usage = &answer["usage"];
    assert_eq!(
        usage["total_tokens"].as_u64(),
        Some(usage["prompt_tokens"].as_u64().unwrap_or(0) + usage["completion_tokens"].as_u64().unwrap_or(0))
    );
}

#[test]
fn the_stream_and_the_whole_answer_say_the_same() {
    let sim = healthy();
    let whole = send(&sim, &request("/v1/chat/completions", CHAT, "connection: close\r\n")).json();
    let stream = send(&sim, &request("/chat/completions", STREAM, "connection: close\r\n"));
    assert_eq!(whole["choices"][0]["message"]["content"], stream.content().as_str());
    let events = stream.events();
    let parsed: Vec<Value> =
        events[..events.len() - 1].iter().map(|event| serde_json::from_str(event).expect("JSON")).collect();
    assert_eq!(events.last().map(String::as_str), Some("[DONE]"));
    assert_eq!(parsed[0]["choices"][0]["delta"]["role"], "assistant");
    let usage = &parsed[parsed.len() - 1];
    assert_eq!((&usage["choices"], &usage["usage"]), (&json!([]), &whole["usage"]));
    for chunk in &parsed[..parsed.len() - 1] {
        assert_eq!((&chunk["id"], &chunk["object"]), (&parsed[0]["id"], &json!("chat.completion.chunk")));
        assert!(chunk["usage"].is_null() && chunk.get("usage").is_some());
    }
}

#[test]
fn limits_and_counts_of_the_request_are_kept() {
    let sim = healthy();
    let short = post(&sim, "/v1/chat/completions", &chat(json!({"max_completion_tokens": 3, "n": 2}))).json();
    assert_eq!(short["choices"].as_array().map(Vec::len), Some(2));
    assert_eq!(short["choices"][1]["index"], 1);
    assert_eq!(short["choices"][0]["finish_reason"], "length");
    assert_eq!(short["choices"][0]["message"]["content"], "You said: hello");
    assert_eq!(short["usage"]["completion_tokens"], 6);
    let logprobs = post(&sim, "/v1/chat/completions", &chat(json!({"logprobs": true}))).json();
    has(
        &logprobs,
        &[
            ("/choices/0/logprobs/content/0/token", Value::is_string),
            ("/choices/0/logprobs/content/0/bytes", Value::is_array),
        ],
    );
}

fn weather() -> Value {
    json!([{"type": "function", "function": {"name": "weather", "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "kelvin"]}, "days": {"type": "integer", "minimum": 3}},
        "required": ["city", "unit", "days"],
    }}}, {"type": "function", "function": {"name": "time", "parameters": {"type": "object", "properties": {}}}}])
}

#[test]
fn tools_are_called_whole_and_in_fragments() {
    let sim = healthy();
    let whole = post(&sim, "/v1/chat/completions", &chat(json!({"tools": weather()}))).json();
    let call = &whole["choices"][0]["message"]["tool_calls"][0];
    assert_eq!((&call["type"], &call["function"]["name"]), (&json!("function"), &json!("weather")));
    assert!(whole["choices"][0]["message"]["content"].is_null());
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    let arguments = call["function"]["arguments"].as_str().expect("a string");
    let parsed: Value = serde_json::from_str(arguments).expect("JSON");
    assert_eq!(parsed, json!({"city": "example", "unit": "celsius", "days": 3}));

    let stream = post(&sim, "/v1/chat/completions", &chat(json!({"tools": weather(), "stream": true})));
    let mut joined = String::new();
    for (index, event) in stream.events().iter().filter(|event| event.contains("tool_calls\":[")).enumerate() {
        let value: Value = serde_json::from_str(event).expect("JSON");
        let call = &value["choices"][0]["delta"]["tool_calls"][0];
        assert_eq!(call["index"], 0);
        assert_eq!(call.get("id").is_some(), index == 0, "only the first fragment names the call");
        joined.push_str(call["function"]["arguments"].as_str().expect("a fragment"));
    }
    assert_eq!(joined, arguments);
    assert_eq!(stream.finish().as_deref(), Some("tool_calls"));
}

#[test]
fn tool_choice_and_results_decide_whether_a_tool_is_called() {
    let sim = healthy();
    let called = |extra: Value| {
        let mut body = chat(json!({"tools": weather()}));
        if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
            body.extend(extra);
        }
        let answer = post(&sim, "/v1/chat/completions", &body).json();
        let calls =
            answer.pointer("/choices/0/message/tool_calls").and_then(Value::as_array).cloned().unwrap_or_default();
        calls.iter().filter_map(|call| call["function"]["name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(called(json!({"tool_choice": "none"})), [""; 0]);
    assert_eq!(called(json!({"tool_choice": {"type": "function", "function": {"name": "time"}}})), ["time"]);
    assert_eq!(called(json!({"parallel_tool_calls": true})), ["weather", "time"]);
    let conversation = json!([
        {"role": "user", "content": "?"},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "sunny"},
    ]);
    assert_eq!(called(json!({"messages": conversation})), [""; 0]);
    assert_eq!(called(json!({"messages": conversation, "tool_choice": "required"})), ["weather"]);
}

#[test]
fn json_answers_satisfy_their_schema() {
    let sim = healthy();
    let schema = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 3},
            "kind": {"type": ["null", "string"], "enum": ["x", "y"]},
            "sizes": {"type": "array", "items": {"type": "number", "minimum": 2.5}, "minItems": 2},
            "inner": {"$ref": "#/$defs/inner"},
        },
        "required": ["name", "kind", "sizes", "inner"],
        "$defs": {"inner": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/inner"}, {"type": "null"}]}}, "required": ["next"]}},
    });
    let format = json!({"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}});
    let answer = post(&sim, "/v1/chat/completions", &chat(format.clone())).json();
    let content = answer["choices"][0]["message"]["content"].as_str().expect("text");
    let value: Value = serde_json::from_str(content).expect("JSON");
    assert_eq!((&value["name"], &value["kind"], &value["sizes"]), (&json!("exa"), &json!("x"), &json!([2.5, 2.5])));
    assert!(content.contains("null"), "the recursion ends: {content}");
    let mut streamed = chat(format);
    streamed["stream"] = json!(true);
    assert_eq!(post(&sim, "/v1/chat/completions", &streamed).content(), content);
    let object = post(&sim, "/v1/chat/completions", &chat(json!({"response_format": {"type": "json_object"}}))).json();
    let text = object["choices"][0]["message"]["content"].as_str().expect("text");
    assert!(serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object()));
}

#[test]
fn nullable_members_can_be_left_out() {
    let sim = scripted("omit_nullable = true\nmodels = [\"m\", \"org/big\"]\n");
    for body in [CHAT, STREAM] {
        let seen = send(&sim, &request("/v1/chat/completions", body, "connection: close\r\n"));
        assert!(!seen.body_text().contains("refusal") && !seen.body_text().contains("logprobs"));
        assert!(seen.body_text().contains("You"));
    }
}

#[test]
fn requests_that_openai_refuses_are_refused() {
    let sim = scripted("models = [\"m\"]");
    let refused = |body: Value, status: u16, param: Value, code: Value| {
        let seen = post(&sim, "/v1/chat/completions", &body);
        let error = &seen.json()["error"];
        assert_eq!((seen.status(), &error["param"], &error["code"]), (status, &param, &code), "{body}");
        assert_eq!(error["type"], "invalid_request_error");
    };
    let missing = || json!("missing_required_parameter");
    refused(json!({"messages": []}), 400, json!("model"), missing());
    refused(json!({"model": "m"}), 400, json!("messages"), missing());
    refused(json!({"model": "m", "messages": []}), 400, json!("messages"), json!("invalid_value"));
    refused(json!({"model": "m", "messages": {}}), 400, json!("messages"), json!("invalid_type"));
    refused(json!({"model": "m", "messages": [{"content": "x"}]}), 400, json!("messages[0].role"), missing());
    refused(
        json!({"model": "m", "messages": [{"role": "king", "content": "x"}]}),
        400,
        json!("messages[0].role"),
        json!("invalid_value"),
    );
    refused(
        json!({"model": "m", "messages": [{"role": "tool", "content": "x"}]}),
        400,
        json!("messages[0].tool_call_id"),
        missing(),
    );
    refused(chat(json!({"temperature": 3})), 400, json!("temperature"), json!("invalid_value"));
    refused(chat(json!({"n": "two"})), 400, json!("n"), json!("invalid_type"));
    refused(
        chat(json!({"stream_options": {"include_usage": true}})),
        400,
        json!("stream_options"),
        json!("invalid_value"),
    );
    refused(chat(json!({"model": "other"})), 404, Value::Null, json!("model_not_found"));
    assert_eq!(send(&sim, &request("/v1/chat/completions", "{\"model\"", "connection: close\r\n")).status(), 400);
    assert_eq!(get(&sim, "/v1/nothing").status(), 404);
    assert_eq!(post(&sim, "/v1/chat/completions", &chat(json!({"unknown": 1}))).status(), 200);
}

#[test]
fn credentials_are_checked_and_remembered() {
    let sim = scripted("require_key = [\"sk-one\", \"sk-two\"]");
    let status = |key: &str| {
        let extra = format!("authorization: Bearer {key}\r\nconnection: close\r\n");
        send(&sim, &request("/v1/chat/completions", CHAT, &extra)).status()
    };
    assert_eq!((status("sk-one"), status("sk-two"), status("sk-three")), (200, 200, 401));
    assert_eq!(send(&sim, &request("/v1/chat/completions", CHAT, "connection: close\r\n")).status(), 401);
    let stats = sim.stats();
    assert_eq!(stats.keys, ["sk-one", "sk-two", "sk-three"]);
    let shown = serde_json::to_string(&stats).expect("JSON");
    assert!(!shown.contains("sk-one"), "credentials stay in the process");
}

#[test]
fn models_are_listed() {
    let sim = scripted("models = [\"m\", \"org/big\"]");
    let list = get(&sim, "/v1/models").json();
    assert_eq!(list["object"], "list");
    assert_eq!(list["data"].as_array().map(Vec::len), Some(2));
    for path in ["/v1/models/org/big", "/models/org%2Fbig"] {
        assert_eq!(get(&sim, path).json()["id"], "org/big");
    }
    assert_eq!(get(&sim, "/v1/models/none").status(), 404);
}

#[test]
fn legacy_completions_answer_each_prompt() {
    let sim = healthy();
    let whole = post(&sim, "/v1/completions", &json!({"model": "m", "prompt": ["one", "two"], "max_tokens": 4})).json();
    assert_eq!(whole["object"], "text_completion");
    assert!(whole["choices"][1]["text"].as_str().is_some_and(|text| text.starts_with("You said: two ")));
    assert_eq!(whole["choices"].as_array().map(Vec::len), Some(2));
    let stream = post(
        &sim,
        "/v1/completions",
        &json!({"model": "m", "prompt": "one", "stream": true, "stream_options": {"include_usage": true}}),
    );
    assert!(stream.is_done() && stream.finish().as_deref() == Some("length"));
    assert!(stream.body_text().contains("\"prompt_tokens\""));
}

#[test]
fn embeddings_are_the_same_as_numbers_and_as_base64() {
    let sim = healthy();
    let embed = |input: Value, format: &str| {
        let body = json!({"model": "m", "input": input, "encoding_format": format, "dimensions": 3});
        post(&sim, "/v1/embeddings", &body).json()
    };
    let numbers = embed(json!("x"), "float");
    let floats: Vec<f32> = numbers["data"][0]["embedding"]
        .as_array()
        .expect("numbers")
        .iter()
        .filter_map(Value::as_f64)
        .map(|number| number as f32)
        .collect();
    assert_eq!(floats.len(), 3);
    assert!((floats.iter().map(|number| number * number).sum::<f32>() - 1.0).abs() < 1e-5, "of length one");
    let coded = embed(json!("x"), "base64");
    let text = coded["data"][0]["embedding"].as_str().expect("text");
    assert_eq!(text.len(), 16);
    let bytes: Vec<u8> = unbase64(text);
    let decoded: Vec<f32> =
        bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect();
    assert_eq!(decoded, floats);
    for (input, count) in [(json!(["a", "b"]), 2), (json!([1, 2, 3]), 1), (json!([[1, 2], [3]]), 2)] {
        let answer = embed(input, "float");
        assert_eq!(answer["data"].as_array().map(Vec::len), Some(count));
    }
    assert_eq!(post(&sim, "/v1/embeddings", &json!({"model": "m", "input": ""})).status(), 400);
}

fn unbase64(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = group.iter().fold(0_u32, |bits, letter| bits << 6 | u32::from(value(*letter)));
        let bits = bits << (6 * (4 - group.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}

#[test]
fn moderations_flag_what_asks_for_it() {
    let sim = healthy();
    let answer = post(&sim, "/v1/moderations", &json!({"input": ["fine", "flag-me"]})).json();
    assert_eq!((&answer["results"][0]["flagged"], &answer["results"][1]["flagged"]), (&json!(false), &json!(true)));
    assert_eq!(answer["results"][1]["categories"].as_object().map(|all| all.len()), Some(13));
}

#[test]
fn documents_are_ranked_by_the_words_that_they_have() {
    let sim = healthy();
    let asked =
        json!({"model": "m", "query": "green apples", "documents": ["apples", "none", {"text": "Green apples"}]});
    let answer = post(&sim, "/v1/rerank", &asked).json();
    let order: Vec<_> = (0..3).map(|place| answer["results"][place]["index"].clone()).collect();
    assert_eq!(order, [json!(2), json!(0), json!(1)]);
    assert_eq!(answer["results"][1]["relevance_score"], json!(0.5));
    assert_eq!(post(&sim, "/v1/rerank", &json!({"model": "m", "query": "x"})).status(), 400);
}

fn form(sim: &SimHandle, path: &str, fields: &[(&str, &str)], file: &[u8]) -> Seen {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend_from_slice(
            format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").as_bytes(),
        );
    }
    let name = if path.contains("image") { "image" } else { "file" };
    body.extend_from_slice(format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n").as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--XX--\r\n");
    let mut stream = connect(sim.addr());
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-type: multipart/form-data; boundary=XX\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("written");
    stream.write_all(&body).expect("written");
    raw::read_to_end(&mut stream)
}

#[test]
fn forms_are_read_and_answered() {
    let sim = healthy();
    let file = [0, b'\r', b'\n', b'-', b'-', b'X', 255];
    let fields = [("model", "m")];
    let transcript = form(&sim, "/v1/audio/transcriptions", &fields, &file);
    assert_eq!(transcript.json()["text"], "A recording of 7 bytes.");
    assert_eq!(sim.stats().requests_by_model.get("m"), Some(&1), "the model of a form is seen");
    let text = form(&sim, "/v1/audio/translations", &[("model", "m"), ("response_format", "text")], &file);
    assert_eq!(text.body_text(), "A translated recording of 7 bytes.\n");
    let stream = form(&sim, "/v1/audio/transcriptions", &[("model", "m"), ("stream", "true")], &file);
    assert!(stream.events().last().is_some_and(|event| event.contains("transcript.text.done")));
    let edit = form(&sim, "/v1/images/edits", &[("model", "m"), ("prompt", "p")], &file);
    has(
        &edit.json(),
        &[("/data/0/b64_json", Value::is_string), ("/usage/input_tokens_details/image_tokens", Value::is_u64)],
    );
    assert_eq!(form(&sim, "/v1/audio/transcriptions", &[], &file).json()["error"]["param"], "model");
}

#[test]
fn pictures_and_speech_are_made() {
    let sim = healthy();
    let pictures = post(&sim, "/v1/images/generations", &json!({"prompt": "p", "n": 2})).json();
    assert_eq!(pictures["data"].as_array().map(Vec::len), Some(2));
    let speech = json!({"model": "m", "input": "say it", "voice": "alloy"});
    let seen = post(&sim, "/v1/audio/speech", &speech);
    assert_eq!(seen.header("content-type").as_deref(), Some("audio/mpeg"));
    assert!(seen.is_whole() && seen.body().0.len() == 32 * 1024);
    let mut streamed = speech;
    streamed["stream_format"] = json!("sse");
    let events = post(&sim, "/v1/audio/speech", &streamed).events();
    assert!(events.last().is_some_and(|event| event.contains("speech.audio.done")));
}

#[test]
fn connections_are_reused_and_requests_may_be_chunked_or_pipelined() {
    let sim = healthy();
    let mut stream = connect(sim.addr());
    let chunked = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{}\r\n{:x};x=y\r\n{}\r\n0\r\n\r\n",
        &CHAT[..5],
        CHAT.len() - 5,
        &CHAT[5..]
    );
    let both = format!("{chunked}{}", request("/v1/chat/completions", STREAM, ""));
    stream.write_all(both.as_bytes()).expect("written");
    let text = read_until(&mut stream, "[DONE]");
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2);
    let continued = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        CHAT.len()
    );
    stream.write_all(continued.as_bytes()).expect("written");
    read_until(&mut stream, "100 Continue\r\n\r\n");
    stream.write_all(CHAT.as_bytes()).expect("written");
    read_until(&mut stream, "service_tier");
    let stats = sim.wait_until(LIMIT, |stats| stats.completed == 3).expect("three answers");
    assert_eq!((stats.connections, stats.h1_connections, stats.requests), (1, 1, 3));
    assert_eq!(stats.recent.iter().map(|seen| seen.nth_on_connection).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(stats.recent[0].body, CHAT.as_bytes());
}

#[test]
fn the_same_seed_gives_the_same_answer() {
    let answer = |script: &str| {
        let sim = scripted(script);
        send(&sim, &request("/v1/chat/completions", CHAT, "connection: close\r\n")).body_text()
    };
    let fixed = "created_s = 1700000000";
    assert_eq!(answer(fixed), answer(fixed));
    assert!(answer(fixed).contains("\"created\":1700000000"));
}

#[test]
fn prebuilt_answers_are_answers_in_each_dialect() {
    use ringway_loadtest::sim::{FastOptions, Sim, SimConfig};
    use std::time::Duration;

    for gap in [Duration::ZERO, Duration::from_micros(1)] {
        let short = |mut options: FastOptions| {
            (options.chunks, options.gap) = (3, gap);
            Some(options)
        };
        let sim =
            Sim::start(SimConfig { fast: short(FastOptions::default()), ..SimConfig::default() }).expect("a simulator");
        let ask = |path: &str, stream: bool| {
            // The fast mode keeps its connections, so the end is told by what comes last.
            let mut stream_of = connect(sim.addr());
            let body = json!({"stream": stream}).to_string();
            stream_of.write_all(request(path, &body, "").as_bytes()).expect("written");
            let end = if stream || path.contains("stream") { "\r\n0\r\n\r\n" } else { "}" };
            let mut seen = Seen { bytes: read_until(&mut stream_of, end).into_bytes(), end: raw::End::Fin };
            while !seen.is_whole() {
                // That was another brace than the last one.
                seen.bytes.extend_from_slice(read_until(&mut stream_of, end).as_bytes());
            }
            seen
        };
        has(&ask("/v1/messages", false).json(), &[("/content/0/text", Value::is_string), ("/usage", Value::is_object)]);
        has(
            &ask("/v1beta/models/m:generateContent", false).json(),
            &[("/candidates/0/content/parts/0/text", Value::is_string), ("/usageMetadata", Value::is_object)],
        );
        let events = |path: &str, stream: bool| {
            let seen = ask(path, stream);
            assert!(seen.is_whole());
            seen.events().iter().map(|event| serde_json::from_str(event).expect("JSON")).collect::<Vec<Value>>()
        };
        let types: Vec<Value> = events("/v1/messages", true).iter().map(|event| event["type"].clone()).collect();
        assert_eq!(types.len(), 2 + 3 + 3);
        assert_eq!((&types[0], &types[7]), (&json!("message_start"), &json!("message_stop")));
        let chunks = events("/v1beta/models/m:streamGenerateContent?alt=sse", false);
        assert_eq!(chunks.len(), 4);
        assert_eq!(chunks[3]["candidates"][0]["finishReason"], "STOP");
        assert_eq!(ask("/v1/chat/completions", true).events().len(), 3 + 2);
        // An event is counted when it has been sent, which its reader may learn first.
        sim.wait_until(LIMIT, |stats| stats.content_events == 9).expect("three events of each");
    }
}
