//! Google's Gemini API as a raw client sees it: shapes, contents, refusals, and the faults in its form.

mod raw;

use raw::{Seen, request, scripted, send, sim};
use ringway_loadtest::sim::SimHandle;
use ringway_loadtest::sim::script::Script;
use serde_json::{Value, json};

const HEAD: &str = "x-goog-api-key: AIza\r\nconnection: close\r\n";

fn post(sim: &SimHandle, path: &str, body: &Value) -> Seen {
    send(sim, &request(path, &body.to_string(), HEAD))
}

fn ask(sim: &SimHandle, extra: Value) -> Seen {
    post(sim, "/v1beta/models/m:generateContent", &content(extra))
}

fn healthy() -> SimHandle {
    sim(Script::default())
}

fn content(extra: Value) -> Value {
    let mut body = json!({"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]});
    if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
        body.extend(extra);
    }
    body
}

/// The parts of all chunks of a stream, neighbouring texts of one kind joined, and the last chunk.
fn joined(chunks: &[Value]) -> (Vec<Value>, Value) {
    let mut parts: Vec<Value> = Vec::new();
    for part in
        chunks.iter().flat_map(|chunk| chunk["candidates"][0]["content"]["parts"].as_array().into_iter().flatten())
    {
        match (parts.last_mut(), part["text"].as_str()) {
            (Some(last), Some(text)) if last["text"].is_string() && last["thought"] == part["thought"] => {
                last["text"] = json!(last["text"].as_str().unwrap_or("").to_owned() + text);
            }
            (_, Some("")) => {}
            _ => parts.push(part.clone()),
        }
    }
    (parts, chunks.last().cloned().unwrap_or_default())
}

/// Asks whole, as events and as an array; all must say the same. Returns the whole answer.
fn all_ways(sim: &SimHandle, model: &str, extra: &Value) -> Value {
    let at = |action: &str| format!("/v1beta/models/{model}:{action}");
    let whole = post(sim, &at("generateContent"), &content(extra.clone())).json();
    let events = post(sim, &at("streamGenerateContent?alt=sse"), &content(extra.clone()));
    let events: Vec<Value> = events.events().iter().map(|event| serde_json::from_str(event).expect("JSON")).collect();
    let array = post(sim, &at("streamGenerateContent"), &content(extra.clone()));
    assert_eq!(array.header("content-type").as_deref(), Some("application/json"));
    let array = array.json();
    let without_ids = |parts: &[Value]| -> Vec<Value> {
        let mut parts = parts.to_vec();
        for call in parts.iter_mut().filter_map(|part| part.pointer_mut("/functionCall/id")) {
            *call = Value::Null;
        }
        parts
    };
    let parts = without_ids(whole["candidates"][0]["content"]["parts"].as_array().expect("parts"));
    for chunks in [&events, array.as_array().expect("an array")] {
        let (joined, last) = joined(chunks);
        assert_eq!(without_ids(&joined), parts);
        assert_eq!(last["candidates"][0]["finishReason"], whole["candidates"][0]["finishReason"]);
        assert_eq!(last["usageMetadata"], whole["usageMetadata"]);
        assert!(chunks.iter().all(|chunk| chunk["responseId"] == chunks[0]["responseId"]));
    }
    whole
}

#[test]
fn text_is_answered_whole_and_streamed() {
    let sim = healthy();
    let answer = all_ways(&sim, "m", &json!({"systemInstruction": {"parts": [{"text": "be brief"}]}}));
    let candidate = &answer["candidates"][0];
    assert!(
        candidate["content"]["parts"][0]["text"].as_str().is_some_and(|text| text.starts_with("You said: hello there"))
    );
    assert_eq!((&candidate["finishReason"], &candidate["content"]["role"]), (&json!("STOP"), &json!("model")));
    let usage = &answer["usageMetadata"];
    assert_eq!(usage["candidatesTokenCount"], 24);
    assert_eq!(usage["totalTokenCount"], 24 + usage["promptTokenCount"].as_u64().expect("a count"));
    assert_eq!(answer["modelVersion"], "m");
    let limited = all_ways(&sim, "m", &json!({"generationConfig": {"maxOutputTokens": 3}}));
    assert_eq!(limited["candidates"][0]["finishReason"], "MAX_TOKENS");
    let stopped = all_ways(&sim, "m", &json!({"generation_config": {"stop_sequences": [" there"]}}));
    assert_eq!(stopped["candidates"][0]["content"]["parts"][0]["text"], "You said: hello");
    let two = ask(&sim, json!({"generationConfig": {"candidateCount": 2}})).json();
    assert_eq!(two["candidates"][1]["index"], 1);
    let stats = sim.stats();
    assert_eq!((stats.by_dialect["gemini"].requests, stats.requests_by_model["m"]), (10, 10));
    assert_eq!(stats.keys, ["AIza"]);
}

#[test]
fn the_key_and_the_path_have_more_than_one_form() {
    let sim = scripted("models = [\"m\"]\nrequire_key = \"AIza\"");
    let get = |target: &str, head: &str| {
        let body = content(json!({})).to_string();
        let post = request(target, &body, &format!("{head}connection: close\r\n"));
        let get = format!("GET {target} HTTP/1.1\r\nhost: sim\r\n{head}connection: close\r\n\r\n");
        send(&sim, if target.contains("generateContent") { &post } else { &get })
    };
    assert_eq!(get("/v1/models/m:generateContent?key=AIza", "").status(), 200);
    assert_eq!(get("/v1/models/m%3AgenerateContent", "x-goog-api-key: AIza\r\n").status(), 200);
    let vertex = "/v1/projects/p/locations/l/publishers/google/models/m:generateContent";
    assert_eq!(get(vertex, "authorization: Bearer AIza\r\n").status(), 200);
    let unknown = get("/v1beta/models/m:generateContent", "");
    assert_eq!((unknown.status(), &unknown.json()["error"]["status"]), (403, &json!("PERMISSION_DENIED")));
    let wrong = get("/v1beta/models/m:generateContent?key=no", "");
    assert_eq!((wrong.status(), &wrong.json()["error"]["details"][0]["reason"]), (400, &json!("API_KEY_INVALID")));
    let missing = get("/v1beta/models/other:generateContent?key=AIza", "");
    assert_eq!((missing.status(), &missing.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
    assert_eq!(get("/v1beta/models?key=AIza", "").json()["models"][0]["name"], "models/m");
    assert_eq!(get("/v1/models", "x-goog-api-key: AIza\r\n").json()["models"][0]["name"], "models/m");
    assert_eq!(get("/v1beta/models/m?key=AIza", "").json()["displayName"], "m");
    assert_eq!(get("/v1beta/nothing?key=AIza", "").json()["error"]["code"], 404);
}

fn tools() -> Value {
    json!([{"functionDeclarations": [
        {"name": "weather", "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}, "days": {"type": "INTEGER"}}}},
        {"name": "time", "parametersJsonSchema": {"type": "object", "properties": {}}},
    ]}])
}

#[test]
fn functions_are_called() {
    let sim = healthy();
    let calls = |extra: Value| {
        let mut body = json!({"tools": tools()});
        if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
            body.extend(extra);
        }
        let answer = all_ways(&sim, "m", &body);
        assert_eq!(answer["candidates"][0]["finishReason"], "STOP");
        let parts = answer["candidates"][0]["content"]["parts"].as_array().cloned().unwrap_or_default();
        parts
            .iter()
            .filter_map(|part| Some(part.pointer("/functionCall/name")?.as_str()?.to_owned()))
            .collect::<Vec<_>>()
    };
    let calling = |config: Value| json!({"toolConfig": {"functionCallingConfig": config}});
    assert_eq!(calls(json!({})), ["weather"]);
    assert_eq!(calls(calling(json!({"mode": "NONE"}))), [""; 0]);
    assert_eq!(calls(calling(json!({"mode": "ANY", "allowedFunctionNames": ["time"]}))), ["time"]);
    assert_eq!(calls(json!({"contents": [{"parts": [{"text": "both, in parallel"}]}]})), ["weather", "time"]);
    let ended = json!([
        {"role": "user", "parts": [{"text": "?"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"result": "sunny"}}}]},
    ]);
    assert_eq!(calls(json!({"contents": ended})), [""; 0]);
    let args = ask(&sim, json!({"tools": tools()})).json();
    assert_eq!(
        args.pointer("/candidates/0/content/parts/0/functionCall/args"),
        Some(&json!({"city": "example", "days": 1}))
    );
}

#[test]
fn calls_of_newer_models_are_named_and_signed() {
    let sim = healthy();
    let answer = all_ways(&sim, "gemini-3-pro", &json!({"tools": tools()}));
    let part = &answer["candidates"][0]["content"]["parts"][0];
    assert!(part["functionCall"]["id"].is_string() && part["thoughtSignature"].is_string());
    let replay = |model: &str, part: &Value, response: Value| {
        let turns = json!([
            {"role": "user", "parts": [{"text": "?"}]},
            {"role": "model", "parts": [part]},
            {"role": "user", "parts": [{"functionResponse": response}]},
        ]);
        post(&sim, &format!("/v1beta/models/{model}:generateContent"), &json!({"contents": turns})).status()
    };
    let response = json!({"name": "weather", "response": {}});
    assert_eq!(replay("gemini-3-pro", part, response.clone()), 200);
    let mut unsigned = part.clone();
    unsigned.as_object_mut().expect("a part").remove("thoughtSignature");
    assert_eq!(replay("gemini-3-pro", &unsigned, response.clone()), 400);
    assert_eq!(replay("gemini-2.5-pro", &unsigned, response.clone()), 400, "it knows no ids");
    let older = json!({"functionCall": {"name": "weather", "args": {}}});
    assert_eq!(replay("gemini-2.5-pro", &older, response), 200);
}

#[test]
fn thoughts_are_shown_where_asked_for_and_counted_always() {
    let sim = healthy();
    let thinking = |config: Value| json!({"generationConfig": {"thinkingConfig": config}});
    let shown = all_ways(&sim, "m", &thinking(json!({"includeThoughts": true, "thinkingBudget": 1024})));
    let parts = &shown["candidates"][0]["content"]["parts"];
    assert_eq!((&parts[0]["thought"], parts[1].get("thought")), (&json!(true), None));
    assert!(parts[1]["thoughtSignature"].is_string());
    let count = shown["usageMetadata"]["thoughtsTokenCount"].as_u64().expect("a count");
    assert!(count > 0);
    let hidden = all_ways(&sim, "m", &thinking(json!({"thinkingLevel": "LOW"})));
    assert_eq!(hidden["candidates"][0]["content"]["parts"].as_array().map(Vec::len), Some(1));
    assert_eq!(hidden["usageMetadata"]["thoughtsTokenCount"], count);
    let both = ask(&sim, thinking(json!({"thinkingLevel": "LOW", "thinkingBudget": 1})));
    assert_eq!(both.status(), 400);
}

#[test]
fn json_satisfies_its_schema() {
    let sim = healthy();
    for schema in [
        json!({"responseSchema": {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}}}),
        json!({"response_json_schema": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}}}),
    ] {
        let mut config = schema;
        config["responseMimeType"] = json!("application/json");
        let answer = all_ways(&sim, "m", &json!({"generationConfig": config}));
        assert_eq!(answer["candidates"][0]["content"]["parts"][0]["text"], "{\"n\":1}");
    }
}

#[test]
fn texts_become_vectors_and_counts() {
    let sim = healthy();
    let text = json!({"parts": [{"text": "x"}]});
    let one = post(&sim, "/v1beta/models/m:embedContent", &json!({"content": text, "outputDimensionality": 3})).json();
    assert_eq!(one["embedding"]["values"].as_array().map(Vec::len), Some(3));
    let item = json!({"model": "models/m", "content": text, "outputDimensionality": 3});
    let batch = post(&sim, "/v1beta/models/m:batchEmbedContents", &json!({"requests": [item, item]})).json();
    assert_eq!(batch["embeddings"][1], one["embedding"]);
    let counted = post(&sim, "/v1beta/models/m:countTokens", &content(json!({}))).json();
    let answered = ask(&sim, json!({})).json();
    assert_eq!(counted["totalTokens"], answered["usageMetadata"]["promptTokenCount"]);
}

#[test]
fn pictures_come_where_they_are_asked_for() {
    let sim = healthy();
    let config = json!({"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}});
    let answer = ask(&sim, config.clone()).json();
    let picture = &answer["candidates"][0]["content"]["parts"][0]["inlineData"];
    assert_eq!(picture["mimeType"], "image/png");
    assert_eq!(answer["usageMetadata"]["candidatesTokensDetails"][0]["modality"], "IMAGE");
    let array = post(&sim, "/v1beta/models/m:streamGenerateContent", &content(config)).json();
    assert_eq!(array[0]["candidates"], answer["candidates"]);

    let asked = json!({"instances": [{"prompt": "x"}], "parameters": {"outputOptions": {"mimeType": "image/jpeg"}}});
    let four = post(&sim, "/v1beta/models/imagen-4:predict", &asked).json();
    assert_eq!(four["predictions"].as_array().map(Vec::len), Some(4));
    assert_eq!(four["predictions"][3]["bytesBase64Encoded"], picture["data"]);
    assert_eq!(four["predictions"][3]["mimeType"], "image/jpeg");
    let wrong = json!({"instances": [{"prompt": "x"}], "parameters": {"aspectRatio": "3:2"}});
    assert_eq!(post(&sim, "/v1beta/models/imagen-4:predict", &wrong).status(), 400);
}

#[test]
fn bodies_that_break_a_rule_are_refused_and_counted() {
    let sim = healthy();
    let mut rules = Vec::new();
    let mut refused = |extra: Value, rule: &str, says: &str| {
        let seen = ask(&sim, extra.clone());
        let answer = seen.json();
        let error = &answer["error"];
        assert_eq!(
            (seen.status(), &error["status"], &error["code"]),
            (400, &json!("INVALID_ARGUMENT"), &json!(400)),
            "{extra}"
        );
        assert!(error["message"].as_str().is_some_and(|message| message.contains(says)), "{answer}");
        rules.push(format!("gemini_generate: {rule}"));
    };
    let parts = |parts: Value| json!({"contents": [{"role": "user", "parts": parts}]});
    refused(json!({"contents": null}), "contents missing", "contents is not specified");
    refused(
        json!({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}),
        "contents[].role has a bad value",
        "'model'",
    );
    refused(parts(json!([])), "contents[].parts has a bad value", "parts");
    refused(parts(json!([{}])), "contents[].parts[] without exactly one kind of data", "oneof");
    refused(
        parts(json!([{"inlineData": {"mimeType": "image/png", "data": "?"}}])),
        "contents[].parts[].inlineData.data has a bad value",
        "base64",
    );
    refused(
        parts(json!([{"functionResponse": {"name": "f", "response": {}}}])),
        "functionResponse without its functionCall",
        "immediately after",
    );
    refused(
        parts(json!([{"functionResponse": {"name": "f", "response": "text"}}])),
        "contents[].parts[].functionResponse.response has the wrong type",
        "an object",
    );
    refused(json!({"messages": []}), "messages is unknown", "Unknown name \"messages\"");
    refused(
        json!({"tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "object", "properties": {"a": {"$ref": "#"}}}}]}]}),
        "schema keyword is unknown",
        "$ref",
    );
    refused(
        json!({"generationConfig": {"responseSchema": {"type": "OBJECT"}}}),
        "response schema without responseMimeType",
        "application/json",
    );
    let counted = sim.stats().invalid;
    for rule in &rules {
        assert_eq!(counted.get(rule), Some(&1), "{rule} in {counted:?}");
    }
    assert_eq!(counted.len(), rules.len());
}

#[test]
fn faults_have_the_dialects_form() {
    let sim = healthy();
    let play = |fault: &str, action: &str| {
        let path = format!("/v1beta/models/m:{action}");
        send(&sim, &request(&path, &content(json!({})).to_string(), &format!("x-sim-fault: {fault}\r\n{HEAD}")))
    };
    let (whole, stream) = ("generateContent", "streamGenerateContent?alt=sse");
    for (fault, status, name) in [
        ("status:503", 503, "UNAVAILABLE"),
        ("status:500", 500, "INTERNAL"),
        ("status:504", 504, "DEADLINE_EXCEEDED"),
        ("status:403", 403, "PERMISSION_DENIED"),
        ("rate_limited:7", 429, "RESOURCE_EXHAUSTED"),
        ("insufficient_quota", 429, "RESOURCE_EXHAUSTED"),
        ("context_length", 400, "INVALID_ARGUMENT"),
        ("model_not_found", 404, "NOT_FOUND"),
        ("error_in_200:503", 200, "UNAVAILABLE"),
    ] {
        let seen = play(fault, whole);
        assert_eq!((seen.status(), &seen.json()["error"]["status"]), (status, &json!(name)), "{fault}");
    }
    let limited = play("rate_limited:7", whole);
    let details = limited.json()["error"]["details"].clone();
    assert_eq!((&details[1]["retryDelay"], limited.header("retry-after")), (&json!("7s"), None));
    assert_eq!(play("insufficient_quota", whole).json()["error"]["details"][0]["violations"][0]["quotaValue"], "0");
    assert_eq!(play("status:500", "streamGenerateContent").json()[0]["error"]["code"], 500);
    assert!(play("echo_key", whole).body_text().contains("AIza"));
    let blocked = play("content_filter", whole).json();
    assert_eq!(
        (&blocked["promptFeedback"]["blockReason"], blocked.get("candidates")),
        (&json!("PROHIBITED_CONTENT"), None)
    );
    assert_eq!(play("content_filter", stream).events().len(), 1);
    assert!(play("first_event_error:503", stream).events()[0].contains("UNAVAILABLE"));
    assert!(play("error_after:2", stream).events().last().is_some_and(|event| event.contains("\"error\"")));
    assert!(!play("no_finish", stream).body_text().contains("finishReason"));
    assert!(!play("no_usage", stream).body_text().contains("usageMetadata"));
    assert_eq!(play("absurd_usage", whole).json()["usageMetadata"]["promptTokenCount"], -5);
    assert_eq!(play("empty_choices", whole).json()["candidates"], json!([]));
    let malformed = play("finish_reason,reason=MALFORMED_FUNCTION_CALL", whole).json();
    assert_eq!(malformed["candidates"][0]["finishReason"], "MALFORMED_FUNCTION_CALL");
    assert!(play("big_answer:100000", whole).body().0.len() > 100_000);
    assert!(play("big_answer:100000", stream).body().0.len() > 100_000);
    let cut = play("eof_after:2", "streamGenerateContent");
    assert!(cut.is_whole() && cut.json().as_array().map(Vec::len) == Some(2));
    let by_model = post(&sim, "/v1beta/models/fault:status:418:generateContent", &content(json!({})));
    assert_eq!(by_model.status(), 418);
    assert!(sim.stats().invalid.is_empty());
}
