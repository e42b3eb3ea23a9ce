use super::*;
use crate::dialects::canonical::{
    CacheHint, FunctionTool, ModelTraits, NoteKind, Role, Source, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::dialects::openai_chat;
use crate::dialects::openai_responses::parse::parse;
use serde_json::{Value as Json, json};

fn target(drops: bool) -> Target<'static> {
    Target { model: "golden", traits: ModelTraits::default(), drops }
}

fn composed(request: &Request<'_>, target: &Target<'_>) -> Result<(Json, Notes, Adapted), Unsupported> {
    let mut notes = Notes::default();
    let mut out = Vec::new();
    let adapted = compose(request, target, &mut notes, &mut out)?;
    let text = String::from_utf8(out).unwrap();
    Ok((serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")), notes, adapted))
}

fn body(request: &Request<'_>) -> Json {
    composed(request, &target(true)).unwrap().0
}

fn noted(notes: &Notes) -> Vec<(&str, NoteKind)> {
    notes.notes.iter().map(|note| (&*note.param, note.kind)).collect()
}

fn turn(role: Role, parts: Vec<PartBody<'static>>) -> Message<'static> {
    Message { role, parts: parts.into_iter().map(Part::from).collect(), name: None }
}

fn text(text: &'static str) -> PartBody<'static> {
    PartBody::Text(Text::plain(text))
}

fn raw(json: &'static str) -> Raw<'static> {
    Raw(json.as_bytes().into())
}

fn call(id: &'static str, name: &'static str, input: ToolInput<'static>) -> PartBody<'static> {
    PartBody::ToolCall(ToolCall { id: Text::plain(id), name: Text::plain(name), input, signature: None })
}

fn result(id: &'static str, name: &'static str, content: Vec<PartBody<'static>>) -> ToolResult<'static> {
    let content = content.into_iter().map(Part::from).collect();
    let name = Some(Text::plain(name));
    ToolResult { call_id: Text::plain(id), name, content, object: None, is_error: false }
}

#[test]
fn anthropic_s_member_of_a_name_is_not_taken_for_its_own() {
    let with = |value| {
        let extra = Extra { param: "context_management".into(), value: raw(value), is_hint: true };
        composed(&Request { extras: vec![extra], ..Request::default() }, &target(false)).unwrap()
    };
    assert_eq!(with("[{}]").0["context_management"], json!([{}]));
    let (body, notes, _) = with(r#"{"edits":[]}"#);
    assert!(body["context_management"].is_null());
    assert_eq!(noted(&notes), [("context_management", NoteKind::Dropped)]);
}

fn conversation(messages: Vec<Message<'static>>) -> Json {
    body(&Request { messages, ..Request::default() })["input"].take()
}

fn requests(dialect: &str) -> Vec<(String, Vec<u8>)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/_requests").join(dialect);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect()
}

/// A request of this dialect with what composing it says aloud: types of messages, what is the case without being said.
fn said_aloud(mut request: Json) -> Json {
    let members = request.as_object_mut().unwrap();
    members.entry("store").or_insert(json!(false));
    if let Some(Json::String(said)) = members.get("input") {
        members["input"] = json!([{"role":"user","content":said}]);
    }
    for item in members["input"].as_array_mut().unwrap() {
        let item = item.as_object_mut().unwrap();
        item.entry("type").or_insert(json!("message"));
        if item.get("role") == Some(&json!("developer")) {
            item.insert("role".into(), json!("system"));
        }
        if item["type"] != "reasoning" {
            item.remove("id");
        }
        if item.get("status") == Some(&json!("completed")) {
            item.remove("status");
        }
        for parts in ["content", "output"] {
            if let Some([part]) = item.get(parts).and_then(Json::as_array).map(Vec::as_slice)
                && part["type"].as_str().is_some_and(|kind| kind.ends_with("put_text"))
                && part.get("prompt_cache_breakpoint").is_none()
            {
                item.insert(parts.into(), part["text"].clone());
            }
        }
    }
    if let Some([first]) = members["input"].as_array_mut().map(|input| &mut input[..1])
        && first["role"] == "system"
        && first["content"].is_string()
    {
        let first = members["input"].as_array_mut().unwrap().remove(0);
        members.insert("instructions".into(), first["content"].clone());
    }
    for tool in members.get_mut("tools").and_then(Json::as_array_mut).into_iter().flatten() {
        if tool["strict"].is_null() {
            tool["strict"] = json!(false);
        }
    }
    request
}

#[test]
fn a_request_of_this_dialect_comes_out_as_it_went_in() {
    // What an answer is kept for or a tool of the provider is asked for passes as it is, or not at all.
    let differ = ["stored_conversation", "web_search"];
    let mut wrong = Vec::new();
    for (name, text) in requests("openai_responses") {
        let request = parse(&text).unwrap();
        if differ.contains(&&*name) {
            assert!(composed(&request, &target(false)).is_err(), "{name}");
            continue;
        }
        if name == "tool_groups" {
            // What comes from this dialect passes as it is; elsewhere a group's tools are tools of their own.
            continue;
        }
        let (mut found, notes, _) = composed(&request, &target(false)).unwrap();
        let mut expected = said_aloud(serde_json::from_slice(&text).unwrap());
        for body in [&mut found, &mut expected] {
            let strict = body.pointer_mut("/text/format/strict");
            strict.into_iter().for_each(|strict| *strict = json!(null));
            for tool in body.get_mut("tools").and_then(Json::as_array_mut).into_iter().flatten() {
                tool["strict"] = json!(null);
            }
            body.as_object_mut().unwrap().remove("include");
        }
        if found != expected {
            wrong.push(format!("{name} {:?}:\n{found}\n{expected}", noted(&notes)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The order of required members means nothing.
fn sort_required(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => members.iter_mut().for_each(|(name, value)| {
            if let (true, Some(names)) = (name == "required", value.as_array_mut()) {
                names.sort_by_key(|name| name.as_str().map(str::to_owned));
            }
            sort_required(value);
        }),
        serde_json::Value::Array(elements) => elements.iter_mut().for_each(sort_required),
        _ => {}
    }
}

#[test]
fn what_is_composed_means_what_was_asked() {
    // Read back, and said for Chat Completions: the same as what the client asked for.
    let as_chat = |request: &Request<'_>| {
        let mut out = Vec::new();
        openai_chat::compose::compose(request, &target(true), &mut Notes::default(), &mut out).unwrap();
        let mut chat: Json = serde_json::from_slice(&out).unwrap();
        for tool in chat["tools"].as_array_mut().into_iter().flatten() {
            if let Some(function) = tool["function"].as_object_mut() {
                function.remove("strict");
            }
        }
        let members = chat.as_object_mut().unwrap();
        // What this API cannot say.
        for name in ["store", "stop", "seed", "n", "frequency_penalty", "presence_penalty", "logit_bias", "prediction"]
        {
            members.remove(name);
        }
        for name in ["modalities", "audio", "web_search_options", "user"] {
            members.remove(name);
        }
        chat
    };
    let mut wrong = Vec::new();
    for (name, text) in requests("openai_chat").into_iter().filter(|(name, _)| name != "audio_inline") {
        let request = openai_chat::parse::parse(&text).unwrap();
        let out = body(&request).to_string();
        let again = parse(out.as_bytes()).unwrap_or_else(|invalid| panic!("{name}: {invalid:?} of {out}"));
        let (mut found, mut expected) = (as_chat(&again), as_chat(&request));
        for chat in [&mut found, &mut expected] {
            if chat["stream"] == true {
                chat["stream_options"] = json!(null);
            }
            sort_required(chat);
        }
        if found != expected {
            wrong.push(format!("{name}:\n{found}\n{expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_the_api_cannot_say_is_refused_or_noted() {
    let some = || Some(raw("1"));
    let part = |body| Request { messages: vec![turn(Role::User, vec![body])], ..Request::default() };
    let extra = |param: &'static str, is_hint| Request {
        extras: vec![Extra { param: param.into(), value: raw("1"), is_hint }],
        ..Request::default()
    };
    let other = Tool::Other { param: "tools[0]".into(), kind: Text::plain("web_search"), raw: raw("{}") };
    for (param, request) in [
        ("top_k", Request { top_k: some(), ..Request::default() }),
        ("seed", Request { seed: some(), ..Request::default() }),
        ("frequency_penalty", Request { frequency_penalty: some(), ..Request::default() }),
        ("presence_penalty", Request { presence_penalty: some(), ..Request::default() }),
        ("stop", Request { stop: vec![Text::plain("x")], ..Request::default() }),
        ("n", Request { answers: Some(2), ..Request::default() }),
        ("tools[0]", Request { tools: vec![other], ..Request::default() }),
        ("messages.audio", part(PartBody::Audio { source: Source::Url(Text::plain("x")) })),
        ("messages[0].content[0]", part(PartBody::Other { param: "messages[0].content[0]".into(), raw: raw("{}") })),
        ("previous_response_id", extra("previous_response_id", false)),
        ("conversation", extra("conversation", false)),
        ("background", extra("background", false)),
        ("logit_bias", extra("logit_bias", false)),
    ] {
        assert_eq!(composed(&request, &target(false)).unwrap_err().param, param);
        let (body, notes, _) = composed(&request, &target(true)).unwrap();
        assert_eq!(noted(&notes), [(param, NoteKind::Dropped)]);
        assert_eq!((body.get(param), body.get("tools")), (None, None));
    }
    let (_, notes, _) = composed(&extra("cache_control", true), &target(false)).unwrap();
    assert_eq!(noted(&notes), [("cache_control", NoteKind::Dropped)]);
    let tier = |tier: &'static str| Request {
        extras: vec![Extra { param: "service_tier".into(), value: raw(tier), is_hint: true }],
        ..Request::default()
    };
    assert_eq!(body(&tier(r#""flex""#))["service_tier"], "flex");
    assert_eq!(body(&tier(r#""standard_only""#)).get("service_tier"), None);
    let cold = Target { traits: ModelTraits { sampling: false, ..ModelTraits::default() }, ..target(false) };
    let request = Request { temperature: some(), ..Request::default() };
    assert_eq!(composed(&request, &cold).unwrap_err().param, "temperature");
}

#[test]
fn calls_and_results_are_items() {
    let object = ToolInput::Object(raw(r#"{"a":"\""}"#));
    let picture = PartBody::Image { source: Source::Url(Text::plain("https://a.example/b.png")), detail: None };
    let long: &'static str = "toolu_0123456789012345678901234567890123456789012345678901234567890123456789";
    let failed = ToolResult { is_error: true, ..result(long, "f", vec![text("x"), picture]) };
    let structured = ToolResult { object: Some(raw(r#"{"b":1}"#)), ..result("", "g", vec![]) };
    let items = conversation(vec![
        turn(
            Role::Assistant,
            vec![
                text("a"),
                text("b"),
                call(long, "f", object),
                call("", "g", ToolInput::Object(raw("{}"))),
                call("c", "patch", ToolInput::Text(Text::plain("*** Begin"))),
                PartBody::Refusal(Text::plain("No.")),
            ],
        ),
        turn(
            Role::User,
            vec![
                PartBody::ToolResult(failed),
                PartBody::ToolResult(structured),
                PartBody::ToolResult(result("c", "patch", vec![text("Done")])),
                PartBody::ToolResult(result("d", "h", vec![])),
                text("next"),
            ],
        ),
    ]);
    let id = items[1]["call_id"].as_str().unwrap();
    assert!(id.len() <= 64, "{id}");
    let image = json!({"type":"input_image","image_url":"https://a.example/b.png","detail":"auto"});
    assert_eq!(
        items,
        json!([
            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"},{"type":"output_text","text":"b"}]},
            {"type":"function_call","call_id":id,"name":"f","arguments":"{\"a\":\"\\\"\"}"},
            {"type":"function_call","call_id":"call_0","name":"g","arguments":"{}"},
            {"type":"custom_tool_call","call_id":"c","name":"patch","input":"*** Begin"},
            {"type":"message","role":"assistant","content":[{"type":"refusal","refusal":"No."}]},
            {"type":"function_call_output","call_id":id,"output":[{"type":"input_text","text":"x"},image],"status":"incomplete"},
            {"type":"function_call_output","call_id":"call_0","output":"{\"b\":1}"},
            {"type":"custom_tool_call_output","call_id":"c","output":"Done"},
            {"type":"function_call_output","call_id":"d","output":""},
            {"type":"message","role":"user","content":"next"},
        ])
    );
}

#[test]
fn thoughts_go_back_where_openai_signed_them() {
    let signature = |origin, value| Signature { origin, value: Text::plain(value) };
    let thinking = |signature| PartBody::Thinking { text: Text::plain("Hm."), signature };
    let request = Request {
        messages: vec![turn(
            Role::Assistant,
            vec![
                thinking(Some(signature(Origin::OpenAi, "rs_1:gA=="))),
                PartBody::SealedThinking(signature(Origin::OpenAi, "gB==")),
                thinking(Some(signature(Origin::Anthropic, "Eq=="))),
                PartBody::SealedThinking(signature(Origin::Gemini, "c2ln")),
                call("c", "f", ToolInput::Object(raw("{}"))),
            ],
        )],
        ..Request::default()
    };
    let (body, notes, _) = composed(&request, &target(false)).unwrap();
    assert_eq!(
        body["input"].as_array().unwrap()[..2],
        [
            json!({"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm."}],"encrypted_content":"gA=="}),
            json!({"type":"reasoning","summary":[],"encrypted_content":"gB=="}),
        ]
    );
    assert_eq!(
        (body["input"].as_array().unwrap().len(), &body["include"]),
        (3, &json!(["reasoning.encrypted_content"]))
    );
    assert_eq!(noted(&notes), [("messages.thinking", NoteKind::Dropped), ("messages.signature", NoteKind::Dropped)]);
}

#[test]
fn thinking_is_asked_for_with_its_proof() {
    let check = |reasoning: Reasoning, expected: Json, signs: bool| {
        let body = body(&Request { reasoning: Some(reasoning), ..Request::default() });
        let include = signs.then(|| json!(["reasoning.encrypted_content"]));
        assert_eq!((body.get("reasoning").unwrap_or(&Json::Null), body.get("include")), (&expected, include.as_ref()));
    };
    let wanted = Reasoning::default();
    check(Reasoning { effort: Some(Effort::High), ..wanted }, json!({"effort":"high"}), true);
    check(Reasoning { effort: Some(Effort::None), ..wanted }, json!({"effort":"none"}), false);
    check(Reasoning { budget_tokens: Some(0), ..wanted }, json!({"effort":"none"}), false);
    check(
        Reasoning { budget_tokens: Some(3_000), show: Some(true), ..wanted },
        json!({"effort":"high","summary":"auto"}),
        true,
    );
    check(Reasoning { show: Some(false), ..wanted }, json!(null), true);
    assert_eq!(body(&Request::default()).get("include"), None);
}

#[test]
fn tools_and_choices() {
    let function = |name: &'static str| {
        let schema = Some(raw(r#"{"type":"object","properties":{"a":{"type":"string"}}}"#));
        Tool::Function(FunctionTool {
            name: Text::plain(name),
            description: None,
            schema,
            strict: Some(true),
            cache: None,
        })
    };
    let custom = Tool::Other {
        param: "tools[2]".into(),
        kind: Text::plain("custom"),
        raw: raw(
            r#"{"type":"custom","custom":{"name":"patch","description":"d","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}}}"#,
        ),
    };
    let names = vec![Text::plain("get.weather"), Text::plain("patch")];
    let request = Request {
        tools: vec![function("f"), function("get.weather"), custom],
        tool_choice: Some(ToolChoice::Among { names, required: true }),
        parallel_tool_calls: Some(false),
        ..Request::default()
    };
    let (body, notes, adapted) = composed(&request, &target(false)).unwrap();
    assert_eq!(body["tools"][1]["name"], "get_weather");
    assert_eq!(body["tools"][0]["strict"], false, "the schema is beyond the subset");
    assert_eq!(
        body["tools"][2],
        json!({"type":"custom","name":"patch","description":"d","format":{"type":"grammar","definition":"x","syntax":"lark"}})
    );
    assert_eq!(
        (&body["tool_choice"], &body["parallel_tool_calls"]),
        (
            &json!({"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"get_weather"},{"type":"custom","name":"patch"}]}),
            &json!(false)
        )
    );
    assert_eq!(adapted.names, [("get_weather".into(), "get.weather".into())]);
    assert_eq!(noted(&notes), [("strict", NoteKind::Adapted), ("tools.name", NoteKind::Mapped)]);
}

#[test]
fn a_tool_with_a_text_is_renamed_too() {
    let text = br#"{"input":"x","tools":[{"type":"namespace","name":"g","tools":[{"type":"custom","name":"patch"}]}],
        "tool_choice":{"type":"custom","name":"patch"}}"#;
    let (body, notes, adapted) = composed(&parse(text).unwrap(), &target(false)).unwrap();
    assert_eq!(body["tools"], json!([{"type":"custom","name":"g_patch"}]));
    assert_eq!(body["tool_choice"], json!({"type":"custom","name":"g_patch"}));
    assert_eq!(adapted.names, [("g_patch".into(), "g.patch".into())]);
    assert_eq!(noted(&notes), [("tools.name", NoteKind::Mapped)]);
}

#[test]
fn a_schema_is_a_format_or_a_tool() {
    let schema = OutputSchema {
        name: Some(Text::plain("not a name")),
        description: Some(Text::plain("d")),
        schema: raw(r#"{"type":"object","properties":{},"additionalProperties":false}"#),
        strict: None,
    };
    let request = Request { output: OutputFormat::Schema(schema), ..Request::default() };
    let (body, _, adapted) = composed(&request, &target(false)).unwrap();
    let inner = json!({"type":"object","properties":{},"required":[],"additionalProperties":false});
    assert_eq!(
        body["text"],
        json!({"format":{"type":"json_schema","name":"answer","description":"d","schema":inner,"strict":true}})
    );
    assert_eq!(adapted, Adapted::default());
    let old = Target { traits: ModelTraits { native_schema: false, ..ModelTraits::default() }, ..target(false) };
    let (body, notes, adapted) = composed(&request, &old).unwrap();
    assert_eq!(
        body["tools"],
        json!([{"type":"function","name":"answer","description":"d","parameters":inner,"strict":true}])
    );
    assert_eq!((&body["tool_choice"], body.get("text")), (&json!({"type":"function","name":"answer"}), None));
    assert_eq!(
        (adapted.answer_tool.as_deref(), noted(&notes)),
        (Some("answer"), vec![("text.format", NoteKind::Adapted)])
    );
    // The API wants to hear the word.
    let request = Request { output: OutputFormat::JsonObject, ..Request::default() };
    assert_eq!(self::body(&request)["instructions"], "Answer with a JSON object.");
}

#[test]
fn documents_and_hints() {
    let document = |source| PartBody::Document { source, name: Some(Text::plain("a.pdf")) };
    let pdf = Source::Inline { media_type: Text::plain("application/pdf"), base64: Text::plain("AA==") };
    let cached = Part { body: text("x"), cache: Some(CacheHint::Long) };
    let mut message = turn(
        Role::User,
        vec![
            document(pdf),
            document(Source::Url(Text::plain("https://a.example/b.pdf"))),
            document(Source::File(Text::plain("file_1"))),
            document(Source::Plain(Text::plain("plain"))),
        ],
    );
    message.parts.push(cached);
    message.name = Some(Text::plain("ann"));
    let request = Request { messages: vec![message], ..Request::default() };
    let (body, notes, _) = composed(&request, &target(false)).unwrap();
    assert_eq!(
        body["input"][0]["content"],
        json!([
            {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AA=="},
            {"type":"input_file","file_url":"https://a.example/b.pdf"},
            {"type":"input_file","file_id":"file_1"},
            {"type":"input_text","text":"plain"},
            {"type":"input_text","text":"x","prompt_cache_breakpoint":{"mode":"explicit"}},
        ])
    );
    assert_eq!(
        noted(&notes),
        [
            ("messages.name", NoteKind::Dropped),
            ("messages.title", NoteKind::Dropped),
            ("messages.document", NoteKind::Mapped),
            ("messages.cache_control.ttl", NoteKind::Adapted),
        ]
    );
}

#[test]
fn golden_requests_of_other_dialects_are_composed() {
    crate::dialects::fixtures::compose_all("openai_responses", path, "golden", compose);
}
