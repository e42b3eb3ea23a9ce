use super::*;
use crate::dialects::canonical::{ModelTraits, NoteKind};
use crate::dialects::fixtures::compose_all;
use crate::dialects::{anthropic_messages, openai_chat};
use serde_json::{Value as Json, json};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-6-v1:0";
const LLAMA: &str = "meta.llama4-maverick-17b-instruct-v1:0";
const NOVA: &str = "amazon.nova-2-lite-v1:0";

struct Composed {
    body: Json,
    notes: Vec<(NoteKind, String)>,
    adapted: Adapted,
}

fn with(request: &Request<'_>, model: &str, traits: ModelTraits, drops: bool) -> Result<Composed, Unsupported> {
    let (mut notes, mut out) = (Notes::default(), Vec::new());
    let adapted = compose(request, &Target { model, traits, drops }, &mut notes, &mut out)?;
    let notes = notes.notes.into_iter().map(|note| (note.kind, note.param.into_owned())).collect();
    let body =
        serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)));
    Ok(Composed { body, notes, adapted })
}

/// What a client's request of the chat dialect becomes, where nothing is to be dropped.
fn sent_to(model: &str, body: &Json) -> Composed {
    let text = body.to_string();
    let request = openai_chat::parse::parse(text.as_bytes()).unwrap();
    with(&request, model, ModelTraits::default(), false).unwrap()
}

fn sent(body: Json) -> Json {
    sent_to(CLAUDE, &body).body
}

fn refused(model: &str, body: &Json) -> String {
    let text = body.to_string();
    let request = openai_chat::parse::parse(text.as_bytes()).unwrap();
    let refused = with(&request, model, ModelTraits::default(), false).err().expect("it is refused");
    with(&request, model, ModelTraits::default(), true).expect("it may be dropped");
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

fn spec(name: &str) -> Json {
    json!({"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}})
}

#[test]
fn golden_requests_are_said_or_refused() {
    for model in [CLAUDE, LLAMA, NOVA] {
        compose_all("bedrock_converse", path, model, compose);
    }
}

#[test]
fn the_model_stands_in_the_path() {
    for (model, stream, expected) in [
        ("anthropic.claude-v2:1", false, "/model/anthropic.claude-v2%3A1/converse"),
        ("anthropic.claude-v2:1", true, "/model/anthropic.claude-v2%3A1/converse-stream"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.x",
            false,
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.x/converse",
        ),
    ] {
        assert_eq!(path(model, stream), expected);
    }
}

#[test]
fn limits_and_sampling() {
    let body = asking(json!({
        "max_completion_tokens": 64, "temperature": 1.5, "top_p": 0.9, "top_k": 40, "stop": ["7"], "seed": null,
        "service_tier": "flex", "frequency_penalty": 0
    }));
    let composed = sent_to(CLAUDE, &body);
    assert_eq!(
        composed.body,
        json!({
            "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
            "inferenceConfig": {"maxTokens": 64, "temperature": 1, "topP": 0.9, "stopSequences": ["7"]},
            "additionalModelRequestFields": {"top_k": 40},
            "serviceTier": {"type": "flex"},
        })
    );
    assert_eq!(composed.notes, [(NoteKind::Adapted, "temperature".to_owned())]);
    let body = asking(json!({"top_k": 40}));
    let nova = sent_to(NOVA, &body).body;
    assert_eq!(nova["additionalModelRequestFields"], json!({"inferenceConfig": {"topK": 40}}));
    for (model, rest, param) in [
        (LLAMA, json!({"top_k": 40}), "top_k"),
        (CLAUDE, json!({"seed": 1}), "seed"),
        (CLAUDE, json!({"stop": [" \n"]}), "stop"),
        (CLAUDE, json!({"top_p": 0.5, "reasoning_effort": "low"}), "top_p"),
        (CLAUDE, json!({"temperature": 0.5, "reasoning_effort": "low"}), "temperature"),
        (CLAUDE, json!({"n": 2}), "n"),
        (CLAUDE, json!({"logprobs": true}), "logprobs"),
        (CLAUDE, json!({"presence_penalty": 1}), "presence_penalty"),
        (CLAUDE, json!({"logit_bias": {"1": 1}}), "logit_bias"),
        (LLAMA, json!({"tools": [tool("f")], "parallel_tool_calls": false}), "parallel_tool_calls"),
        (CLAUDE, json!({"tool_choice": "required"}), "tool_choice"),
    ] {
        assert_eq!(refused(model, &asking(rest)), param);
    }
}

#[test]
fn turns_alternate_and_results_come_first_in_the_order_of_calls() {
    let call = |id: &str, name: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{\"a\":1}"}});
    let long = "x".repeat(70);
    let body = sent(json!({
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": ""},
            {"role": "assistant", "content": "Still here.", "tool_calls": [call("a/1", "f"), call(&long, "f")]},
            {"role": "tool", "tool_call_id": long, "content": "2"},
            {"role": "tool", "tool_call_id": "a/1", "content": ""},
            {"role": "system", "content": "In French."},
            {"role": "user", "content": "And?"}
        ],
        "tools": [tool("f")]
    }));
    let ids: Vec<_> = ["/messages/1/content/2", "/messages/1/content/3"]
        .map(|at| body.pointer(at).unwrap()["toolUse"]["toolUseId"].as_str().unwrap().to_owned())
        .into();
    assert!(ids[0].starts_with("a_1_") && ids[1].len() <= 64 && ids[0] != ids[1]);
    assert_eq!(body["system"], json!([{"text": "Be brief."}]));
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [{"text": "Continue."}]},
            {"role": "assistant", "content": [
                {"text": "Hello."},
                {"text": "Still here."},
                {"toolUse": {"toolUseId": ids[0], "name": "f", "input": {"a": 1}}},
                {"toolUse": {"toolUseId": ids[1], "name": "f", "input": {"a": 1}}},
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": ids[0], "content": []}},
                {"toolResult": {"toolUseId": ids[1], "content": [{"text": "2"}]}},
                {"text": "In French."},
                {"text": "And?"},
            ]},
        ])
    );
}

#[test]
fn choices_of_tools() {
    let tools = json!([tool("f"), tool("g")]);
    let chosen = |choice: Json| sent(asking(json!({"tools": tools, "tool_choice": choice})))["toolConfig"].clone();
    let both = json!([spec("f"), spec("g")]);
    assert_eq!(chosen(json!("auto")), json!({"tools": both, "toolChoice": {"auto": {}}}));
    assert_eq!(chosen(json!("required")), json!({"tools": both, "toolChoice": {"any": {}}}));
    let named = json!({"type": "function", "function": {"name": "g"}});
    assert_eq!(chosen(named.clone()), json!({"tools": both, "toolChoice": {"tool": {"name": "g"}}}));
    assert_eq!(chosen(json!("none")), Json::Null);
    let allowed = json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named]}});
    assert_eq!(chosen(allowed), json!({"tools": [spec("g")], "toolChoice": {"any": {}}}));

    let one_at_a_time = sent(asking(json!({"tools": tools, "parallel_tool_calls": false})));
    assert_eq!(
        one_at_a_time["additionalModelRequestFields"]["tool_choice"],
        json!({"type": "auto", "disable_parallel_tool_use": true})
    );
    let one = sent(asking(json!({"tools": tools, "tool_choice": "required", "parallel_tool_calls": false})));
    assert_eq!(one["additionalModelRequestFields"]["tool_choice"], json!({"disable_parallel_tool_use": true}));
}

#[test]
fn a_conversation_that_called_tools_has_tools() {
    let called = |rest: Json| {
        let mut body = json!({"messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "get.it", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "1", "content": "x"}
        ]});
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        body
    };
    let composed = sent_to(LLAMA, &called(json!({})));
    assert_eq!(composed.body["toolConfig"], json!({"tools": [spec("get_it")]}));
    assert_eq!(composed.body["messages"][1]["content"][0]["toolUse"]["name"], "get_it");
    assert_eq!(composed.adapted.names, [("get_it".into(), "get.it".into())]);
    let forbidden = called(json!({"tools": [tool("get.it")], "tool_choice": "none"}));
    assert_eq!(refused(LLAMA, &forbidden), "tool_choice");
    let claude = sent_to(CLAUDE, &forbidden).body;
    assert_eq!(claude["toolConfig"], json!({"tools": [spec("get_it")]}));
    assert_eq!(claude["additionalModelRequestFields"], json!({"tool_choice": {"type": "none"}}));
}

#[test]
fn schemas_are_said_or_a_tool_stands_in() {
    let format = |schema: &Json| json!({"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": schema}});
    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let open = json!({"type": "object", "additionalProperties": {"type": "integer"}});
    let native = sent_to(CLAUDE, &asking(json!({"response_format": format(&closed)})));
    let text_format = &native.body["outputConfig"]["textFormat"];
    let definition = &text_format["structure"]["jsonSchema"];
    assert_eq!((&text_format["type"], &definition["name"]), (&json!("json_schema"), &json!("n")));
    assert_eq!(serde_json::from_str::<Json>(definition["schema"].as_str().unwrap()).unwrap(), closed);
    assert_eq!((native.adapted.answer_tool, native.body.get("toolConfig")), (None, None));

    let by_tool = sent_to(CLAUDE, &asking(json!({"response_format": format(&open)})));
    assert_eq!(by_tool.adapted.answer_tool.as_deref(), Some("answer"));
    assert_eq!(
        by_tool.body["toolConfig"],
        json!({
            "tools": [{"toolSpec": {"name": "answer", "description": "d", "inputSchema": {"json": open}}}],
            "toolChoice": {"tool": {"name": "answer"}},
        })
    );
    let beside = json!({"response_format": {"type": "json_object"}, "tools": [tool("answer")]});
    let beside = sent_to(CLAUDE, &asking(beside));
    assert_eq!(beside.adapted.answer_tool.as_deref(), Some("answer_"));
    assert_eq!(beside.body["toolConfig"]["toolChoice"], json!({"any": {}}));
    // The client's own tool is forced first: no answer is due yet.
    let forced = json!({"response_format": {"type": "json_object"}, "tools": [tool("f")], "tool_choice": "required"});
    let forced = sent_to(CLAUDE, &asking(forced));
    assert_eq!(forced.adapted.answer_tool, None);
}

#[test]
fn thinking_is_said_as_the_maker_has_it() {
    let body = asking(json!({"reasoning_effort": "high"}));
    let claude = sent_to(CLAUDE, &body).body;
    assert_eq!(
        claude["additionalModelRequestFields"],
        json!({"thinking": {"type": "adaptive", "display": "summarized"}})
    );
    assert_eq!(claude["outputConfig"], json!({"effort": "high"}));
    let text = body.to_string();
    let request = openai_chat::parse::parse(text.as_bytes()).unwrap();
    let older = ModelTraits { effort: false, ..ModelTraits::default() };
    let older = with(&request, CLAUDE, older, false).unwrap().body;
    assert_eq!(older["additionalModelRequestFields"], json!({"thinking": {"type": "enabled", "budget_tokens": 4096}}));
    assert_eq!(older["inferenceConfig"], json!({"maxTokens": 8192}));
    let nova = sent_to(NOVA, &body).body;
    let config = json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}});
    assert_eq!(nova["additionalModelRequestFields"], config);
    let open = sent_to("openai.gpt-oss-120b-1:0", &asking(json!({"reasoning_effort": "max"})));
    assert_eq!(open.body["additionalModelRequestFields"], json!({"reasoning_effort": "high"}));
    assert_eq!(open.notes, [(NoteKind::Adapted, "reasoning".to_owned())]);
    let llama = sent_to(LLAMA, &body);
    assert_eq!(llama.body.get("additionalModelRequestFields"), None);
    assert_eq!(llama.notes, [(NoteKind::Dropped, "reasoning".to_owned())]);
}

#[test]
fn thoughts_go_back_to_their_maker() {
    let text = json!({"max_tokens": 9, "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "c2Vh"},
            {"type": "redacted_thinking", "data": "no base64"},
            {"type": "text", "text": "Hello."}
        ]},
        {"role": "user", "content": "And?"}
    ]})
    .to_string();
    let request = anthropic_messages::parse::parse(text.as_bytes()).unwrap();
    let said = |model| with(&request, model, ModelTraits::default(), false).unwrap();
    assert_eq!(
        said(CLAUDE).body["messages"][1]["content"],
        json!([
            {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
            {"reasoningContent": {"redactedContent": "c2Vh"}},
            {"text": "Hello."},
        ])
    );
    let llama = said(LLAMA);
    assert_eq!(llama.body["messages"][1]["content"], json!([{"text": "Hello."}]));
    assert_eq!(llama.notes, [(NoteKind::Dropped, "messages[].reasoning_content".to_owned())]);
}

#[test]
fn media_come_inline_or_from_s3() {
    let pdf =
        json!({"type": "file", "file": {"filename": "my_paper.pdf", "file_data": "data:application/pdf;base64,QUJD"}});
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let body = sent(json!({"messages": [{"role": "user", "content": [
        pdf, pdf, image("data:image/jpg;base64,QUJD"), image("s3://bucket/a.PNG"),
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}}
    ]}]}));
    let document = |name: &str| json!({"document": {"format": "pdf", "name": name, "source": {"bytes": "QUJD"}}});
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            document("my-paper"),
            document("my-paper 2"),
            {"image": {"format": "jpeg", "source": {"bytes": "QUJD"}}},
            {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/a.PNG"}}}},
            {"audio": {"format": "mp3", "source": {"bytes": "QUJD"}}},
            {"text": "See the document."},
        ])
    );
    for url in ["https://example.com/a.png", "data:image/bmp;base64,QUJD", "s3://bucket/a"] {
        let body = json!({"messages": [{"role": "user", "content": [image(url)]}]});
        assert_eq!(refused(CLAUDE, &body), "messages");
    }
}

#[test]
fn a_document_of_plain_text_is_sent_as_bytes() {
    let source = json!({"type": "text", "media_type": "text/plain", "data": "Grün"});
    let text = json!({"max_tokens": 9, "messages": [{"role": "user", "content": [
        {"type": "document", "source": source, "title": "a"}, {"type": "text", "text": "Sum up."}
    ]}]})
    .to_string();
    let request = anthropic_messages::parse::parse(text.as_bytes()).unwrap();
    let body = with(&request, LLAMA, ModelTraits::default(), false).unwrap().body;
    let document = json!({"document": {"format": "txt", "name": "a", "source": {"bytes": "R3LDvG4="}}});
    assert_eq!(body["messages"][0]["content"], json!([document, {"text": "Sum up."}]));
}

#[test]
fn cache_hints_are_blocks_of_their_own() {
    let hint = |said: &str, ttl: &str| json!({"type": "text", "text": said, "cache_control": {"type": "ephemeral", "ttl": ttl}});
    let body = json!({"messages": [
        {"role": "system", "content": [hint("s", "1h")]},
        {"role": "user", "content": [hint("1", "5m"), hint("2", "5m"), hint("3", "1h"), hint("4", "5m")]}
    ]});
    let claude = sent_to(CLAUDE, &body);
    let point = json!({"cachePoint": {"type": "default"}});
    assert_eq!(claude.body["system"], json!([{"text": "s"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]));
    assert_eq!(
        claude.body["messages"][0]["content"],
        json!([{"text": "1"}, {"text": "2"}, point, {"text": "3"}, point, {"text": "4"}, point])
    );
    let llama = sent_to(LLAMA, &body);
    assert_eq!(llama.body["system"], json!([{"text": "s"}]));
    assert_eq!(llama.notes, [(NoteKind::Dropped, "cache_control".to_owned())]);
}

#[test]
fn the_api_s_own_members_pass() {
    let own = json!({
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
        "additionalModelRequestFields": {"top_k": 1, "anthropic_beta": ["x"]},
        "top_k": 5
    });
    let body = sent(asking(own.clone()));
    assert_eq!(body["guardrailConfig"], own["guardrailConfig"]);
    assert_eq!(body["additionalModelRequestFields"], json!({"top_k": 5, "anthropic_beta": ["x"]}));
}
