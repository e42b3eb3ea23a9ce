use super::*;
use crate::dialects::canonical::ModelTraits;
use crate::dialects::fixtures::compose_all;
use crate::dialects::openai_chat;
use serde_json::{Value as Json, json};

fn with(request: &Request<'_>, drops: bool) -> Result<(Json, Vec<String>, Adapted), Unsupported> {
    let (mut notes, mut out) = (Notes::default(), Vec::new());
    let adapted =
        compose(request, &Target { model: "m", traits: ModelTraits::default(), drops }, &mut notes, &mut out)?;
    let body =
        serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)));
    Ok((body, notes.notes.into_iter().map(|note| note.param.into_owned()).collect(), adapted))
}

fn sent(body: &Json) -> (Json, Vec<String>, Adapted) {
    let text = body.to_string();
    with(&openai_chat::parse::parse(text.as_bytes()).unwrap(), false).unwrap()
}

fn refused(body: &Json) -> String {
    let text = body.to_string();
    let request = openai_chat::parse::parse(text.as_bytes()).unwrap();
    let refused = with(&request, false).expect_err("it is refused");
    with(&request, true).expect("it may be dropped");
    refused.param.into_owned()
}

fn asking(rest: Json) -> Json {
    let mut body = json!({"messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    body
}

fn tool(name: &str) -> Json {
    json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}})
}

#[test]
fn golden_requests_are_said_or_refused() {
    compose_all("cohere_chat", path, "golden", compose);
}

#[test]
fn names_and_ranges() {
    let (body, notes, _) = sent(&asking(json!({
        "max_tokens": 64, "temperature": 1.5, "top_p": 1, "top_k": 40, "seed": 7, "stop": ["7"], "presence_penalty": 0.5,
        "safety_mode": "OFF", "reasoning_effort": "high", "stream": true,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    })));
    assert_eq!(
        body,
        json!({
            "model": "m",
            "messages": [{"role": "user", "content": "Hi"}],
            "response_format": {"type": "json_object", "json_schema": {"type": "object"}},
            "max_tokens": 64,
            "stop_sequences": ["7"],
            "temperature": 1,
            "p": 0.99,
            "k": 40,
            "presence_penalty": 0.5,
            "seed": 7,
            "thinking": {"type": "enabled", "token_budget": 4096},
            "safety_mode": "OFF",
            "stream": true,
        })
    );
    assert_eq!(notes, ["temperature", "top_p", "reasoning"]);
    assert_eq!(sent(&asking(json!({"reasoning_effort": "none"}))).0["thinking"], json!({"type": "disabled"}));
    for (rest, param) in [
        (json!({"n": 2}), "n"),
        (json!({"presence_penalty": -1}), "presence_penalty"),
        (json!({"stop": ["1", "2", "3", "4", "5", "6"]}), "stop"),
        (json!({"logprobs": true}), "logprobs"),
        (json!({"tools": [tool("f")], "parallel_tool_calls": false}), "parallel_tool_calls"),
        (json!({"tool_choice": "required"}), "tool_choice"),
        (json!({"logit_bias": {"1": 1}}), "logit_bias"),
    ] {
        assert_eq!(refused(&asking(rest)), param);
    }
}

#[test]
fn turns_and_results() {
    let call =
        |id: &str| json!({"id": id, "type": "function", "function": {"name": "look.up", "arguments": "{\"a\":1}"}});
    let upstream =
        |id: &str| json!({"id": id, "type": "function", "function": {"name": "look_up", "arguments": "{\"a\":1}"}});
    let (body, notes, adapted) = sent(&json!({
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD", "detail": "low"}}
            ]},
            {"role": "assistant", "content": "I look.", "tool_calls": [call("c1")]},
            {"role": "tool", "tool_call_id": "c1", "content": "21"},
            {"role": "assistant", "content": "Once more.", "reasoning_content": "Hm.", "tool_calls": [call("c2")]},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "2"}, {"type": "text", "text": "1"}]},
            {"role": "assistant", "content": "It is 21.", "reasoning_content": "So."},
            {"role": "user", "content": "And?"}
        ],
        "tools": [tool("look.up")]
    }));
    let texts = |texts: [&str; 2]| texts.map(|text| json!({"type": "text", "text": text}));
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": texts(["Be brief.", "Be kind."])},
            {"role": "user", "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD", "detail": "low"}}]},
            {"role": "assistant", "tool_plan": "I look.", "tool_calls": [upstream("c1")]},
            {"role": "tool", "tool_call_id": "c1", "content": "21"},
            {"role": "assistant", "tool_plan": "Hm.", "content": "Once more.", "tool_calls": [upstream("c2")]},
            {"role": "tool", "tool_call_id": "c2", "content": texts(["2", "1"])},
            {"role": "assistant", "content": "It is 21."},
            {"role": "user", "content": "And?"},
        ])
    );
    assert_eq!(notes, ["messages.thinking", "tools.name"]);
    assert_eq!(adapted.names, [("look_up".into(), "look.up".into())]);
}

#[test]
fn choices_of_tools() {
    let tools = json!([tool("f"), tool("g")]);
    let named = json!({"type": "function", "function": {"name": "g"}});
    let allowed = |mode: &str| json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [named]}});
    for (choice, count, expected) in [
        (json!("auto"), 2, Json::Null),
        (json!("required"), 2, json!("REQUIRED")),
        (json!("none"), 2, json!("NONE")),
        (named.clone(), 1, json!("REQUIRED")),
        (allowed("auto"), 1, Json::Null),
        (allowed("required"), 1, json!("REQUIRED")),
    ] {
        let (body, ..) = sent(&asking(json!({"tools": tools, "tool_choice": choice})));
        assert_eq!((body["tools"].as_array().unwrap().len(), &body["tool_choice"]), (count, &expected), "{choice}");
    }
}

#[test]
fn schemas_beside_tools_are_a_tool_s() {
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}});
    let tools = json!([tool("answer")]);
    let (body, _, adapted) = sent(&asking(json!({"tools": tools, "response_format": format})));
    assert_eq!(adapted.answer_tool.as_deref(), Some("answer_"));
    assert_eq!((&body["tool_choice"], body.get("response_format")), (&json!("REQUIRED"), None));
    assert_eq!(body["tools"].as_array().unwrap().len(), 2);
    let (body, notes, _) = sent(&asking(json!({"tools": tools, "tool_choice": "none", "response_format": format})));
    assert_eq!((body.get("tools"), &body["response_format"]["type"]), (None, &json!("json_object")));
    assert_eq!(notes, ["tool_choice"]);
    // The client's own tool is forced first: no answer is due yet.
    let (body, _, adapted) =
        sent(&asking(json!({"tools": tools, "tool_choice": "required", "response_format": format})));
    assert_eq!((adapted.answer_tool, body.get("response_format")), (None, None));
}

#[test]
fn tools_are_strict_together() {
    let strict = |name: &str, required: Json| json!({"type": "function", "function": {"name": name, "strict": true, "parameters": {"type": "object", "required": required}}});
    let (body, notes, _) = sent(&asking(json!({"tools": [strict("f", json!(["a"]))]})));
    assert_eq!((&body["strict_tools"], notes.len()), (&json!(true), 0));
    for tools in [json!([strict("f", json!(["a"])), tool("g")]), json!([strict("f", json!([]))])] {
        let (body, notes, _) = sent(&asking(json!({"tools": tools})));
        assert_eq!((body.get("strict_tools"), notes), (None, vec!["tools.strict".to_owned()]));
    }
}
