use super::*;
use crate::dialects::canonical::{
    Effort, FunctionTool, Message, ModelTraits, NoteKind, Origin, Reasoning, Role, Signature, Source, Tool, ToolCall,
    ToolChoice, ToolInput, ToolResult,
};

fn text(said: &'static str) -> Part<'static> {
    PartBody::Text(Text::plain(said)).into()
}

fn raw(json: &'static str) -> Raw<'static> {
    Raw(Cow::Borrowed(json.as_bytes()))
}

fn message(role: Role, parts: Vec<Part<'static>>) -> Message<'static> {
    Message { role, parts, name: None }
}

fn user(said: &'static str) -> Message<'static> {
    message(Role::User, vec![text(said)])
}

fn call(id: &'static str, name: &'static str) -> Part<'static> {
    let (id, name) = (Text::plain(id), Text::plain(name));
    PartBody::ToolCall(ToolCall { id, name, input: ToolInput::Object(raw("{}")), signature: None }).into()
}

fn result(id: &'static str, said: &'static str) -> Part<'static> {
    let content = vec![text(said)];
    PartBody::ToolResult(ToolResult { call_id: Text::plain(id), name: None, content, object: None, is_error: false })
        .into()
}

fn tool(name: &'static str) -> Tool<'static> {
    let schema = Some(raw(r#"{"type":"object"}"#));
    Tool::Function(FunctionTool { name: Text::plain(name), description: None, schema, strict: None, cache: None })
}

fn asking(said: &'static str) -> Request<'static> {
    Request { messages: vec![user(said)], ..Request::default() }
}

struct Composed {
    body: String,
    notes: Vec<(NoteKind, String)>,
    adapted: Adapted,
}

impl Composed {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

fn with(request: &Request<'_>, traits: ModelTraits, drops: bool) -> Result<Composed, Unsupported> {
    let target = Target { model: "claude", traits, drops };
    let (mut notes, mut out) = (Notes::default(), Vec::new());
    let composed = compose(request, &target, &mut notes, &mut out);
    let notes = notes.notes.into_iter().map(|note| (note.kind, note.param.into_owned())).collect();
    if composed.is_err() {
        assert!(out.is_empty(), "a request that is refused leaves nothing behind");
    }
    let composed = Composed { body: String::from_utf8(out).unwrap(), notes, adapted: composed? };
    composed.json();
    Ok(composed)
}

fn composed(request: &Request<'_>) -> Composed {
    with(request, ModelTraits::default(), false).unwrap()
}

fn check(request: &Request<'_>, expected: &str) {
    assert_eq!(composed(request).body, expected);
}

/// What is said beside the model, the limit and one user's text.
fn check_rest(request: Request<'static>, expected: &str) {
    let body = composed(&request).body;
    let same = r#"{"model":"claude","max_tokens":8192,"messages":[{"role":"user","content":"Hi"}]"#;
    assert_eq!(body.strip_prefix(same).and_then(|rest| rest.strip_suffix("}")), Some(expected), "{body}");
}

#[test]
fn a_plain_request() {
    check(
        &Request {
            system: vec![text("Be brief.")],
            output_tokens_max: Some(64),
            temperature: Some(raw("0.7")),
            top_k: Some(raw("40")),
            stop: vec![Text::plain("7"), Text::plain("\n\nX")],
            user: Some(Text::plain("u-1")),
            stream: true,
            stream_usage: true,
            ..asking("Hi")
        },
        concat!(
            r#"{"model":"claude","max_tokens":64,"system":"Be brief.","messages":[{"role":"user","content":"Hi"}],"#,
            r#""stop_sequences":["7","\n\nX"],"temperature":0.7,"top_k":40,"metadata":{"user_id":"u-1"},"stream":true}"#
        ),
    );
}

#[test]
fn what_concerns_the_output_is_not_counted() {
    let target = Target { model: "claude", traits: ModelTraits::default(), drops: false };
    let request = Request {
        stream: true,
        temperature: Some(raw("1")),
        stop: vec![Text::plain("7")],
        tools: vec![tool("now")],
        ..asking("Hi")
    };
    let mut out = Vec::new();
    compose_count(&request, &target, &mut Notes::default(), &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#"{"model":"claude","tools":[{"name":"now","input_schema":{"type":"object"}}],"#,
            r#""messages":[{"role":"user","content":"Hi"}]}"#
        )
    );
}

#[test]
fn results_come_first_and_in_the_order_of_their_calls() {
    check(
        &Request {
            messages: vec![
                user("Hi"),
                message(Role::Assistant, vec![text(""), call("a", "one"), call("b", "two")]),
                message(Role::User, vec![text("And now?")]),
                message(Role::User, vec![result("b", "2")]),
                message(Role::User, vec![result("a", "1")]),
                message(Role::System, vec![text("In French.")]),
            ],
            tools: vec![tool("one")],
            ..Request::default()
        },
        concat!(
            r#"{"model":"claude","max_tokens":8192,"tools":[{"name":"one","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"Hi"},"#,
            r#"{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"one","input":{}},"#,
            r#"{"type":"tool_use","id":"b","name":"two","input":{}}]},"#,
            r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"},"#,
            r#"{"type":"tool_result","tool_use_id":"b","content":"2"},"#,
            r#"{"type":"text","text":"And now?"},{"type":"text","text":"In French."}]}]}"#
        ),
    );
}

#[test]
fn calls_without_ids_get_them_from_their_place() {
    let by_name = |name, said| {
        let Part { body: PartBody::ToolResult(result), cache } = result("", said) else { unreachable!() };
        Part { body: PartBody::ToolResult(ToolResult { name: Some(Text::plain(name)), ..result }), cache }
    };
    let json = composed(&Request {
        messages: vec![
            user("Hi"),
            message(Role::Assistant, vec![call("", "one"), call("", "two"), call("", "one")]),
            message(Role::User, vec![by_name("two", "2"), by_name("one", "1"), by_name("one", "3")]),
        ],
        ..Request::default()
    })
    .json();
    let results = json["messages"][2]["content"].as_array().unwrap();
    let found: Vec<_> = results.iter().map(|result| (&result["tool_use_id"], &result["content"])).collect();
    let calls = json["messages"][1]["content"].as_array().unwrap();
    let said = ["1", "2", "3"].map(serde_json::Value::from);
    assert_eq!(found, calls.iter().map(|call| &call["id"]).zip(&said).collect::<Vec<_>>());
    assert_eq!(calls[2]["id"], "call_1_2");
}

#[test]
fn ids_are_rewritten_the_same_way_on_both_sides() {
    let json = composed(&Request {
        messages: vec![
            user("Hi"),
            message(Role::Assistant, vec![call("functions.now:0", "now"), call("functions_now_0", "now")]),
            message(Role::User, vec![result("functions_now_0", "2"), result("functions.now:0", "1")]),
        ],
        ..Request::default()
    })
    .json();
    let ids = |turn: usize, member: &str| -> Vec<String> {
        let parts = json["messages"][turn]["content"].as_array().unwrap();
        parts.iter().map(|part| part[member].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(1, "id"), ids(2, "tool_use_id"));
    assert_ne!(ids(1, "id")[0], ids(1, "id")[1]);
    assert!(ids(1, "id").iter().all(|id| fits_api(id)));
}

fn fits_api(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[test]
fn a_conversation_begins_with_the_user() {
    for messages in [vec![], vec![message(Role::Assistant, vec![text("Hello.")])], vec![user(" \n")]] {
        let composed = composed(&Request { messages, ..Request::default() });
        assert_eq!(composed.json()["messages"][0]["role"], "user");
        assert_eq!(composed.notes, [(NoteKind::Adapted, "messages".to_owned())]);
    }
}

#[test]
fn blank_texts_are_left_out() {
    let escaped = PartBody::Text(Text::Escaped(Cow::Borrowed(br" \n\t\r"))).into();
    let messages = vec![
        message(Role::User, vec![text("Hi"), escaped]),
        message(Role::Assistant, vec![text("")]),
        message(Role::Assistant, vec![text("Hello."), text("  ")]),
    ];
    check(
        &Request { system: vec![text(""), text(" ")], messages, ..Request::default() },
        concat!(
            r#"{"model":"claude","max_tokens":8192,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]},"#,
            r#"{"role":"assistant","content":[{"type":"text","text":"Hello."}]}]}"#
        ),
    );
}

#[test]
fn names_are_sanitised_everywhere() {
    let request = Request {
        messages: vec![user("Hi"), message(Role::Assistant, vec![call("a", "get.time")])],
        tools: vec![tool("get.time"), tool("get_time"), tool("get/time"), tool("zeit für")],
        tool_choice: Some(ToolChoice::Tool(Text::plain("get/time"))),
        ..Request::default()
    };
    let composed = composed(&request);
    let json = composed.json();
    let names: Vec<_> = json["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["get_time_2", "get_time", "get_time_3", "zeit_f_r"]);
    assert_eq!(json["tool_choice"]["name"], "get_time_3");
    assert_eq!(json["messages"][1]["content"][0]["name"], "get_time_2");
    let names = composed.adapted.names.iter().map(|(upstream, client)| (&**upstream, &**client));
    assert_eq!(
        names.collect::<Vec<_>>(),
        [("get_time_2", "get.time"), ("get_time_3", "get/time"), ("zeit_f_r", "zeit für")]
    );
}

#[test]
fn tool_choice_in_all_forms() {
    let check = |choice: Option<ToolChoice<'static>>, parallel, expected: &str| {
        let tools = vec![tool("now"), tool("then")];
        let json =
            composed(&Request { tools, tool_choice: choice, parallel_tool_calls: parallel, ..asking("Hi") }).json();
        assert_eq!(json["tool_choice"].to_string(), expected);
    };
    check(None, None, "null");
    check(None, Some(true), "null");
    check(None, Some(false), r#"{"disable_parallel_tool_use":true,"type":"auto"}"#);
    check(Some(ToolChoice::Auto), None, r#"{"type":"auto"}"#);
    check(Some(ToolChoice::None), Some(false), r#"{"type":"none"}"#);
    check(Some(ToolChoice::Required), Some(false), r#"{"disable_parallel_tool_use":true,"type":"any"}"#);
    check(Some(ToolChoice::Tool(Text::plain("now"))), None, r#"{"name":"now","type":"tool"}"#);
    let among = ToolChoice::Among { names: vec![Text::plain("then")], required: true };
    check(Some(among.clone()), None, r#"{"type":"any"}"#);

    let json =
        composed(&Request { tools: vec![tool("now"), tool("then")], tool_choice: Some(among), ..asking("Hi") }).json();
    assert_eq!(json["tools"].as_array().unwrap().len(), 1);
    assert_eq!(json["tools"][0]["name"], "then");
}

#[test]
fn a_choice_without_tools() {
    check_rest(Request { tool_choice: Some(ToolChoice::None), parallel_tool_calls: Some(false), ..asking("Hi") }, "");
    let forced = Request { tool_choice: Some(ToolChoice::Required), ..asking("Hi") };
    assert_eq!(with(&forced, ModelTraits::default(), false).err().map(|error| error.param), Some("tool_choice".into()));
}

#[test]
fn inputs_are_always_objects() {
    let check = |schema: Option<&'static str>, expected: &str| {
        let schema = schema.map(raw);
        let tool = FunctionTool { name: Text::plain("f"), description: None, schema, strict: None, cache: None };
        let body = composed(&Request { tools: vec![Tool::Function(tool)], ..asking("Hi") }).body;
        let expected = format!(r#""tools":[{{"name":"f","input_schema":{expected}}}]"#);
        assert!(body.contains(&expected), "{body}");
    };
    check(None, r#"{"type":"object"}"#);
    check(Some("{}"), r#"{"type":"object"}"#);
    check(
        Some(r#"{"properties":{"a":{"type":"string"}}}"#),
        r#"{"type":"object","properties":{"a":{"type":"string"}}}"#,
    );
    check(Some(r#"{"$defs":{}, "type":"object"}"#), r#"{"$defs":{}, "type":"object"}"#);
    check(Some(r#"{"type":null,"\u0022":1}"#), r#"{"type":"object","\"":1}"#);
}

fn schema(name: Option<&'static str>) -> OutputFormat<'static> {
    let schema = raw(r#"{"type":"object","additionalProperties":false}"#);
    OutputFormat::Schema(OutputSchema { name: name.map(Text::plain), description: None, schema, strict: Some(true) })
}

#[test]
fn a_schema_is_native_where_the_model_takes_one() {
    check_rest(
        Request { output: schema(None), ..asking("Hi") },
        r#","output_config":{"format":{"type":"json_schema","schema":{"type":"object","additionalProperties":false}}}"#,
    );
}

#[test]
fn a_schema_is_a_forced_tool_elsewhere() {
    let traits = ModelTraits { native_schema: false, ..ModelTraits::default() };
    let check = |tools: Vec<Tool<'static>>, choice, names: &[&str], expected: &str, answer: Option<&str>| {
        let request = Request { output: schema(Some("my answer")), tools, tool_choice: choice, ..asking("Hi") };
        let composed = with(&request, traits, false).unwrap();
        let json = composed.json();
        let found = json["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap());
        assert_eq!(found.collect::<Vec<_>>(), names);
        assert_eq!(json["tool_choice"].to_string(), expected);
        assert_eq!(composed.adapted.answer_tool.as_deref(), answer);
        assert!(json.get("output_config").is_none());
    };
    let forced = r#"{"disable_parallel_tool_use":true,"name":"my_answer","type":"tool"}"#;
    check(vec![], None, &["my_answer"], forced, Some("my_answer"));
    check(vec![tool("now")], None, &["now", "my_answer"], r#"{"type":"any"}"#, Some("my_answer"));
    check(vec![tool("now")], Some(ToolChoice::None), &["now", "my_answer"], forced, Some("my_answer"));
    check(vec![tool("now")], Some(ToolChoice::Required), &["now"], r#"{"type":"any"}"#, None);
    check(vec![tool("my_answer")], None, &["my_answer", "my_answer_2"], r#"{"type":"any"}"#, Some("my_answer_2"));
}

#[test]
fn any_object_is_a_forced_tool() {
    let composed = composed(&Request { output: OutputFormat::JsonObject, ..asking("Hi") });
    assert_eq!(composed.adapted.answer_tool.as_deref(), Some("json_answer"));
    assert_eq!(composed.json()["tools"][0]["input_schema"].to_string(), r#"{"type":"object"}"#);
    assert_eq!(composed.json()["tool_choice"]["name"], "json_answer");
}

fn thinking(reasoning: Reasoning, traits: ModelTraits, limit: Option<u64>) -> Composed {
    with(&Request { reasoning: Some(reasoning), output_tokens_max: limit, ..asking("Hi") }, traits, false).unwrap()
}

fn older() -> ModelTraits {
    ModelTraits { native_schema: false, effort: false, ..ModelTraits::default() }
}

#[test]
fn efforts_and_budgets() {
    let check = |reasoning, traits, limit, says: &str, effort: &str| {
        let json = thinking(reasoning, traits, limit).json();
        assert_eq!(
            (json["thinking"].to_string(), json["output_config"]["effort"].to_string()),
            (says.into(), effort.into())
        );
    };
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    let budget = |tokens| Reasoning { budget_tokens: Some(tokens), ..Reasoning::default() };
    let current = ModelTraits::default();
    let adaptive = r#"{"display":"summarized","type":"adaptive"}"#;
    check(effort(Effort::Minimal), current, None, adaptive, r#""low""#);
    check(effort(Effort::XHigh), current, None, adaptive, r#""xhigh""#);
    check(effort(Effort::None), current, None, r#"{"type":"disabled"}"#, "null");
    check(budget(0), current, None, r#"{"type":"disabled"}"#, "null");
    check(budget(4_000), current, None, adaptive, r#""high""#);
    let shown = |show| Reasoning { show: Some(show), ..Reasoning::default() };
    check(shown(true), current, None, adaptive, "null");
    check(shown(false), current, None, r#"{"display":"omitted","type":"adaptive"}"#, "null");

    let enabled = |tokens: u64| format!(r#"{{"budget_tokens":{tokens},"type":"enabled"}}"#);
    check(effort(Effort::Low), older(), None, &enabled(1_024), "null");
    check(effort(Effort::High), older(), None, &enabled(4_096), "null");
    check(budget(5), older(), None, &enabled(1_024), "null");
    check(budget(2_000), older(), None, &enabled(2_000), "null");
    check(effort(Effort::None), older(), None, r#"{"type":"disabled"}"#, "null");
    // Within the limit, with room for the answer, or not at all.
    check(effort(Effort::Max), older(), None, &enabled(4_096), "null");
    check(effort(Effort::High), older(), Some(1_500), &enabled(1_024), "null");
    check(effort(Effort::High), older(), Some(1_024), "null", "null");
}

#[test]
fn thinking_gives_way_to_a_forced_tool() {
    let request = |traits| {
        let reasoning = Some(Reasoning { effort: Some(Effort::High), ..Reasoning::default() });
        let tool_choice = Some(ToolChoice::Required);
        let request = Request { tools: vec![tool("now")], tool_choice, reasoning, ..asking("Hi") };
        with(&request, traits, false).unwrap()
    };
    let composed = request(ModelTraits::default());
    assert_eq!(composed.json().get("thinking"), None);
    assert_eq!(composed.json()["output_config"]["effort"], "high");
    assert_eq!(composed.notes, [(NoteKind::Adapted, "reasoning_effort".to_owned())]);
    let composed = request(older());
    assert_eq!(composed.json().get("thinking"), None);
    assert_eq!(composed.notes, [(NoteKind::Adapted, "reasoning_effort".to_owned())]);
}

#[test]
fn thoughts_go_back_to_whom_they_came_from() {
    let thought = |origin: Option<Origin>| -> Part<'static> {
        let signature = origin.map(|origin| Signature { origin, value: Text::plain("c2ln") });
        PartBody::Thinking { text: Text::plain("Hm."), signature }.into()
    };
    let sealed = |origin| PartBody::SealedThinking(Signature { origin, value: Text::plain("c2VhbA==") }).into();
    let turn = vec![
        thought(Some(Origin::Anthropic)),
        thought(Some(Origin::Gemini)),
        thought(None),
        sealed(Origin::Unknown),
        sealed(Origin::OpenAi),
        text("Six."),
    ];
    let composed =
        composed(&Request { messages: vec![user("Hi"), message(Role::Assistant, turn)], ..Request::default() });
    assert!(
        composed.body.contains(concat!(
            r#""content":[{"type":"thinking","thinking":"Hm.","signature":"c2ln"},"#,
            r#"{"type":"redacted_thinking","data":"c2VhbA=="},{"type":"text","text":"Six."}]"#
        )),
        "{}",
        composed.body
    );
    assert_eq!(composed.notes, [(NoteKind::Dropped, "messages[].reasoning_content".to_owned())]);
}

#[test]
fn a_turn_that_lost_its_thoughts_ends_without_thinking() {
    let reasoning = Some(Reasoning { effort: Some(Effort::High), ..Reasoning::default() });
    let request = |thoughts: Vec<Part<'static>>| {
        let mut turn = thoughts;
        turn.push(call("a", "now"));
        let messages = vec![user("Hi"), message(Role::Assistant, turn), message(Role::User, vec![result("a", "1")])];
        let request = Request { messages, reasoning, tools: vec![tool("now")], ..Request::default() };
        with(&request, older(), false).unwrap().json()
    };
    assert_eq!(request(vec![]).get("thinking"), None);
    let signature = Some(Signature { origin: Origin::Anthropic, value: Text::plain("c2ln") });
    let thought = PartBody::Thinking { text: Text::plain("Hm."), signature };
    assert_eq!(request(vec![thought.into()])["thinking"]["type"], "enabled");
}

#[test]
fn sampling_is_refused_where_the_model_takes_none() {
    let refused = |request: Request<'static>, traits| with(&request, traits, false).err().map(|error| error.param);
    let none = ModelTraits { sampling: false, ..ModelTraits::default() };
    let hot = Request { temperature: Some(raw("0.2")), ..asking("Hi") };
    assert_eq!(refused(hot.clone(), none), Some("temperature".into()));
    assert_eq!(refused(Request { temperature: Some(raw("1.0")), ..asking("Hi") }, none), None);
    let reasoning = Some(Reasoning { effort: Some(Effort::Low), ..Reasoning::default() });
    assert_eq!(refused(Request { reasoning, ..hot }, ModelTraits::default()), Some("temperature".into()));
    let reasoning = Some(Reasoning { effort: Some(Effort::Low), ..Reasoning::default() });
    let request = |top_p| Request { reasoning, top_p: Some(raw(top_p)), ..asking("Hi") };
    assert_eq!(refused(request("0.5"), ModelTraits::default()), Some("top_p".into()));
    assert_eq!(refused(request("0.95"), ModelTraits::default()), None);
    check_rest(
        Request { temperature: Some(raw("1.6")), top_p: Some(raw("0.9")), ..asking("Hi") },
        r#","temperature":1,"top_p":0.9"#,
    );
}

#[test]
fn what_cannot_be_said_is_refused_or_dropped() {
    for (param, request) in [
        ("seed", Request { seed: Some(raw("7")), ..asking("Hi") }),
        ("n", Request { answers: Some(2), ..asking("Hi") }),
        ("logprobs", Request { logprobs: Some(0), ..asking("Hi") }),
        ("stop", Request { stop: vec![Text::plain("\n ")], ..asking("Hi") }),
        ("frequency_penalty", Request { frequency_penalty: Some(raw("0.5")), ..asking("Hi") }),
        ("presence_penalty", Request { presence_penalty: Some(raw("-1")), ..asking("Hi") }),
        (
            "logit_bias",
            Request {
                extras: vec![Extra { param: "logit_bias".into(), value: raw("{}"), is_hint: false }],
                ..asking("Hi")
            },
        ),
        (
            "tools[0]",
            Request {
                tools: vec![Tool::Other { param: "tools[0]".into(), kind: Text::plain("custom"), raw: raw("{}") }],
                ..asking("Hi")
            },
        ),
        (
            "messages",
            Request {
                messages: vec![message(
                    Role::User,
                    vec![PartBody::Audio { source: Source::Plain(Text::plain("")) }.into(), text("Hi")],
                )],
                ..Request::default()
            },
        ),
    ] {
        assert_eq!(with(&request, ModelTraits::default(), false).err().map(|error| error.param), Some(param.into()));
        let dropped = with(&request, ModelTraits::default(), true).unwrap();
        assert_eq!(dropped.notes, [(NoteKind::Dropped, param.to_owned())]);
        let bare = match dropped.json()["messages"][0]["content"].is_string() {
            true => r#""content":"Hi"}]}"#,
            false => r#""content":[{"type":"text","text":"Hi"}]}]}"#,
        };
        assert!(dropped.body.ends_with(bare), "{}", dropped.body);
    }
    check_rest(
        Request {
            answers: Some(1),
            frequency_penalty: Some(raw("0.0")),
            presence_penalty: Some(raw("0")),
            ..asking("Hi")
        },
        "",
    );
}

#[test]
fn hints_never_refuse() {
    let extra = |param: &'static str, value| Extra { param: param.into(), value: raw(value), is_hint: true };
    let extras = vec![
        extra("service_tier", "\"default\""),
        extra("prompt_cache_key", "\"k\""),
        extra("inference_geo", "\"eu\""),
    ];
    let composed = composed(&Request { extras, ..asking("Hi") });
    assert_eq!(composed.json()["service_tier"], "standard_only");
    assert_eq!(composed.json()["inference_geo"], "eu");
    assert_eq!(composed.notes, [(NoteKind::Dropped, "prompt_cache_key".to_owned())]);
    // Responses has another thing of this name.
    let with = |value| Request { extras: vec![extra("context_management", value)], ..asking("Hi") };
    assert_eq!(self::composed(&with("{}")).json()["context_management"].to_string(), "{}");
    let theirs = self::composed(&with("[{}]"));
    assert!(theirs.json()["context_management"].is_null());
    assert_eq!(theirs.notes, [(NoteKind::Dropped, "context_management".to_owned())]);
}

#[test]
fn images_and_documents() {
    let part = |body: PartBody<'static>| vec![message(Role::User, vec![body.into()])];
    let check = |body, expected: &str| {
        let composed = composed(&Request { messages: part(body), ..Request::default() });
        assert_eq!(composed.json()["messages"][0]["content"][0].to_string(), expected);
    };
    let inline = |media_type| Source::Inline { media_type: Text::plain(media_type), base64: Text::plain("AAAA") };
    let image = |source| PartBody::Image { source, detail: None };
    let document = |source| PartBody::Document { source, name: Some(Text::plain("paper.pdf")) };
    check(
        image(inline("image/jpg")),
        r#"{"source":{"data":"AAAA","media_type":"image/jpeg","type":"base64"},"type":"image"}"#,
    );
    check(
        image(Source::Url(Text::plain("https://example.com/a.png"))),
        r#"{"source":{"type":"url","url":"https://example.com/a.png"},"type":"image"}"#,
    );
    check(
        document(inline("application/pdf")),
        r#"{"source":{"data":"AAAA","media_type":"application/pdf","type":"base64"},"title":"paper.pdf","type":"document"}"#,
    );
    check(
        document(Source::Plain(Text::plain("Hm."))),
        r#"{"source":{"data":"Hm.","media_type":"text/plain","type":"text"},"title":"paper.pdf","type":"document"}"#,
    );
    check(
        image(Source::File(Text::plain("file_1"))),
        r#"{"source":{"file_id":"file_1","type":"file"},"type":"image"}"#,
    );
    for body in [image(inline("image/tiff")), document(inline("text/csv")), image(Source::File(Text::plain("file-1")))]
    {
        let request = Request { messages: part(body), ..Request::default() };
        assert!(with(&request, ModelTraits::default(), false).is_err());
    }
}

#[test]
fn at_most_four_cache_hints() {
    let hinted = |hint| Part { cache: Some(hint), ..text("x") };
    let request = |hints: Vec<CacheHint>| Request {
        system: vec![hinted(CacheHint::Long)],
        messages: vec![message(Role::User, hints.into_iter().map(hinted).collect())],
        ..Request::default()
    };
    let four = composed(&request(vec![CacheHint::Short; 3]));
    assert_eq!(four.body.matches("cache_control").count(), 4);
    assert!(four.notes.is_empty());
    let six = composed(&request(vec![CacheHint::Short; 5]));
    assert_eq!(six.body.matches("cache_control").count(), 4);
    assert_eq!(six.notes, [(NoteKind::Dropped, "cache_control".to_owned())]);
    assert_eq!(six.json()["system"][0]["cache_control"].to_string(), r#"{"ttl":"1h","type":"ephemeral"}"#);
    let kept: Vec<_> = six.json()["messages"][0]["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part.get("cache_control").is_some())
        .collect();
    assert_eq!(kept, [false, false, true, true, true]);
    let longer = composed(&request(vec![CacheHint::Short, CacheHint::Long]));
    assert_eq!(longer.notes, [(NoteKind::Adapted, "cache_control".to_owned())]);
}

#[test]
fn results_in_all_forms() {
    let check = |result: ToolResult<'static>, expected: &str| {
        let messages = vec![
            user("Hi"),
            message(Role::Assistant, vec![call("a", "now")]),
            message(Role::User, vec![PartBody::ToolResult(result).into()]),
        ];
        let body = composed(&Request { messages, ..Request::default() }).body;
        assert!(
            body.ends_with(&format!(r#""content":[{{"type":"tool_result","tool_use_id":"a"{expected}}}]}}]}}"#)),
            "{body}"
        );
    };
    let result =
        || ToolResult { call_id: Text::plain("a"), name: None, content: vec![], object: None, is_error: false };
    check(result(), "");
    check(ToolResult { content: vec![text("")], ..result() }, r#","content":"""#);
    check(
        ToolResult { object: Some(raw(r#"{"c":21}"#)), is_error: true, ..result() },
        r#","content":"{\"c\":21}","is_error":true"#,
    );
    check(
        ToolResult { content: vec![text("a"), text(""), text("b")], ..result() },
        r#","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]"#,
    );
}

#[test]
fn what_only_this_dialect_has_goes_back_as_it_came() {
    let own = r#"{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}"#;
    let search = r#"{"type":"web_search_20250305","name":"web_search"}"#;
    let other = |json| PartBody::Other { param: "messages[1].content[0]".to_owned(), raw: raw(json) }.into();
    let request = Request {
        messages: vec![user("Hi"), message(Role::Assistant, vec![other(own), text("Found.")])],
        tools: vec![Tool::Other {
            param: "tools[0]".into(),
            kind: Text::plain("web_search_20250305"),
            raw: raw(search),
        }],
        ..Request::default()
    };
    let body = composed(&request).body;
    assert!(body.contains(own) && body.contains(search), "{body}");
    let unknown = message(Role::User, vec![other(r#"{"type":"hologram"}"#)]);
    let error = with(&Request { messages: vec![unknown], ..Request::default() }, ModelTraits::default(), false).err();
    assert_eq!(error.map(|error| error.param), Some("messages[1].content[0]".into()));
}

#[test]
fn tools_that_were_called_are_sent_where_there_are_no_others() {
    let turn = message(
        Role::Assistant,
        vec![call("a", "now"), call("b", "get.time"), call("c", "now"), call("d", "get/time")],
    );
    let request = |output| Request { messages: vec![user("Hi"), turn.clone()], output, ..Request::default() };
    let composed_plain = composed(&request(OutputFormat::Text));
    let json = composed_plain.json();
    let names = |json: &serde_json::Value| -> Vec<String> {
        json["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&json), ["now", "get_time"]);
    assert_eq!(json["tool_choice"].to_string(), r#"{"type":"none"}"#);
    assert_eq!(composed_plain.notes, [(NoteKind::Adapted, "tools".to_owned())]);
    let json = composed(&request(OutputFormat::JsonObject)).json();
    assert_eq!(names(&json), ["now", "get_time", "json_answer"]);
    assert_eq!(json["tool_choice"]["name"], "json_answer");
}

#[test]
fn a_temperature_of_one_decimal_is_the_number_that_the_parser_reads() {
    for tenths in 0..100 {
        let text = format!("{}.{}", tenths / 10, tenths % 10);
        assert_eq!(number(&Raw(text.as_bytes().into())), text.parse().ok());
    }
}
