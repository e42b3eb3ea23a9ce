use super::*;
use crate::dialects::canonical::ModelTraits;
use crate::dialects::fixtures::compose_all;
use crate::dialects::{anthropic_messages, openai_chat};
use serde_json::{Value as Json, json};

fn with(request: &Request<'_>, traits: ModelTraits, drops: bool) -> Result<(Json, Vec<String>), Unsupported> {
    let (mut notes, mut out) = (Notes::default(), Vec::new());
    compose(request, &Target { model: "m", traits, drops }, &mut notes, &mut out)?;
    let body =
        serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)));
    Ok((body, notes.notes.into_iter().map(|note| note.param.into_owned()).collect()))
}

fn sent(body: &Json) -> (Json, Vec<String>) {
    let text = body.to_string();
    with(&openai_chat::parse::parse(text.as_bytes()).unwrap(), ModelTraits::default(), false).unwrap()
}

fn refused(body: &Json) -> String {
    let text = body.to_string();
    let request = openai_chat::parse::parse(text.as_bytes()).unwrap();
    let refused = with(&request, ModelTraits::default(), false).expect_err("it is refused");
    with(&request, ModelTraits::default(), true).expect("it may be dropped");
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
    compose_all("ollama", path, "golden", compose);
}

#[test]
fn options_formats_and_thoughts() {
    let (body, notes) = sent(&asking(json!({
        "max_tokens": 64, "temperature": 0.7, "top_k": 40, "seed": 7, "stop": "7", "presence_penalty": 0.5,
        "num_ctx": 8192, "options": {"min_p": 0.1, "num_predict": 9, "num_ctx": 1}, "keep_alive": "5m",
        "logprobs": true, "top_logprobs": 2, "reasoning_effort": "xhigh", "stream": true,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    })));
    assert_eq!(
        body,
        json!({
            "model": "m",
            "messages": [{"role": "user", "content": "Hi"}],
            "format": {"type": "object"},
            "think": "high",
            "options": {"num_predict": 64, "temperature": 0.7, "top_k": 40, "presence_penalty": 0.5, "seed": 7, "stop": ["7"],
                "num_ctx": 8192, "min_p": 0.1},
            "logprobs": true, "top_logprobs": 2,
            "keep_alive": "5m",
            "stream": true,
        })
    );
    assert_eq!(notes, ["reasoning"]);
    assert_eq!(sent(&asking(json!({"reasoning_effort": "none"}))).0["think"], false);
    assert_eq!(sent(&asking(json!({"response_format": {"type": "json_object"}}))).0["format"], "json");
    let text = asking(json!({"reasoning_effort": "high"})).to_string();
    let request = openai_chat::parse::parse(text.as_bytes()).unwrap();
    let switch = ModelTraits { effort: false, ..ModelTraits::default() };
    assert_eq!(with(&request, switch, false).unwrap().0["think"], true);
}

#[test]
fn turns_have_one_text_and_results_find_their_tools() {
    let (body, notes) = sent(&json!({
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD", "detail": "low"}}
            ]},
            {"role": "assistant", "content": "", "reasoning_content": "Hm.", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look.up", "arguments": "{\"a\":1}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "21"},
            {"role": "user", "content": "And?"}
        ],
        "tools": [tool("look.up")]
    }));
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": "Be brief.\nBe kind."},
            {"role": "user", "content": "What is it?", "images": ["QUJD"]},
            {"role": "assistant", "content": "", "thinking": "Hm.", "tool_calls": [
                {"id": "c1", "function": {"name": "look_up", "arguments": {"a": 1}}}]},
            {"role": "tool", "content": "21", "tool_name": "look_up", "tool_call_id": "c1"},
            {"role": "user", "content": "And?"},
        ])
    );
    assert_eq!(body["tools"][0]["function"]["name"], "look_up");
    assert_eq!(notes, ["messages.detail", "tools.name"]);
}

#[test]
fn pictures_of_a_result_follow_as_the_user_s() {
    let result = json!([{"type": "text", "text": "Here."},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}]);
    let text = json!({"max_tokens": 9, "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": result, "is_error": true}]}
    ]})
    .to_string();
    let request = anthropic_messages::parse::parse(text.as_bytes()).unwrap();
    let (body, notes) = with(&request, ModelTraits::default(), false).unwrap();
    assert_eq!(body["messages"][2]["content"], "Here.");
    assert_eq!(body["messages"][3], json!({"role": "user", "content": "", "images": ["QUJD"]}));
    assert_eq!(notes, ["messages.tool_result", "messages.is_error"]);
}

#[test]
fn what_the_server_cannot_be_told_is_refused() {
    let tools = json!([tool("f"), tool("g")]);
    let named = json!({"type": "function", "function": {"name": "g"}});
    for (rest, param) in [
        (json!({"n": 2}), "n"),
        (json!({"tools": tools, "tool_choice": "required"}), "tool_choice"),
        (json!({"tools": tools, "tool_choice": named}), "tool_choice"),
        (json!({"tools": tools, "parallel_tool_calls": false}), "parallel_tool_calls"),
        (json!({"tools": tools, "response_format": {"type": "json_object"}}), "response_format"),
        (json!({"logit_bias": {"1": 1}}), "logit_bias"),
    ] {
        assert_eq!(refused(&asking(rest)), param);
    }
    let url = json!([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]);
    assert_eq!(refused(&json!({"messages": [{"role": "user", "content": url}]})), "messages");
    let allowed = json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [named]}});
    let (body, _) = sent(&asking(json!({"tools": tools, "tool_choice": allowed})));
    assert_eq!(body["tools"], json!([tool("g")]));
    let (body, notes) =
        sent(&asking(json!({"tools": tools, "tool_choice": "none", "response_format": {"type": "json_object"}})));
    assert_eq!((body.get("tools"), &body["format"]), (None, &json!("json")));
    assert_eq!(notes, ["tool_choice"]);
}
