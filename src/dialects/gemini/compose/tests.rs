use super::*;
use crate::dialects::canonical::{
    CacheHint, Message, ModelTraits, NoteKind, Origin, Role, Signature, Source, ToolCall, ToolChoice, ToolInput,
    ToolResult,
};
use std::sync::LazyLock;

static NEW: LazyLock<ModelTraits> = LazyLock::new(ModelTraits::default);
/// A model before Gemini 3.
static OLD: LazyLock<ModelTraits> =
    LazyLock::new(|| ModelTraits { effort: false, call_ids: false, ..ModelTraits::default() });

struct Composed {
    body: String,
    adapted: Adapted,
    notes: Vec<(NoteKind, String)>,
}

fn composed(request: &Request<'_>, traits: ModelTraits, drops: bool) -> Result<Composed, Unsupported> {
    let target = Target { model: "gemini-x-flash", traits, drops };
    let (mut notes, mut out) = (Notes::default(), Vec::new());
    let adapted = compose(request, &target, &mut notes, &mut out)?;
    let body = String::from_utf8(out).unwrap();
    serde_json::from_str::<serde_json::Value>(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
    let notes = notes.notes.into_iter().map(|note| (note.kind, note.param.into_owned())).collect();
    Ok(Composed { body, adapted, notes })
}

#[track_caller]
fn check_for(traits: ModelTraits, request: &Request<'_>, expected: &str) -> Composed {
    let composed = composed(request, traits, false).unwrap();
    assert_eq!(composed.body, expected);
    composed
}

#[track_caller]
fn check(request: &Request<'_>, expected: &str) -> Composed {
    check_for(*NEW, request, expected)
}

#[track_caller]
fn refused(traits: ModelTraits, request: &Request<'_>, param: &str) -> String {
    assert_eq!(composed(request, traits, false).map(|composed| composed.body).unwrap_err().param, param);
    let dropped = composed(request, traits, true).unwrap();
    assert!(dropped.notes.contains(&(NoteKind::Dropped, param.to_owned())), "{:?}", dropped.notes);
    dropped.body
}

fn text(said: &'static str) -> Part<'static> {
    PartBody::Text(Text::plain(said)).into()
}

fn message(role: Role, parts: Vec<Part<'static>>) -> Message<'static> {
    Message { role, parts, name: None }
}

fn user(said: &'static str) -> Message<'static> {
    message(Role::User, vec![text(said)])
}

fn asking(messages: Vec<Message<'static>>) -> Request<'static> {
    Request { messages, ..Request::default() }
}

fn hi() -> Request<'static> {
    asking(vec![user("Hi")])
}

fn raw(json: &'static str) -> Raw<'static> {
    Raw(Cow::Borrowed(json.as_bytes()))
}

fn call(id: &'static str, name: &'static str, args: &'static str) -> Part<'static> {
    let input = ToolInput::Object(raw(args));
    PartBody::ToolCall(ToolCall { id: Text::plain(id), name: Text::plain(name), input, signature: None }).into()
}

fn result(call_id: &'static str, content: Vec<Part<'static>>) -> Part<'static> {
    let call_id = Text::plain(call_id);
    PartBody::ToolResult(ToolResult { call_id, name: None, content, object: None, is_error: false }).into()
}

fn function(name: &'static str, schema: Option<&'static str>) -> Tool<'static> {
    let schema = schema.map(raw);
    Tool::Function(FunctionTool { name: Text::plain(name), description: None, schema, strict: None, cache: None })
}

fn google_s(value: &'static str) -> Signature<'static> {
    Signature { origin: Origin::Gemini, value: Text::plain(value) }
}

const HI: &str = r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]"#;

#[test]
fn the_path_has_the_model_and_says_whether_it_streams() {
    assert_eq!(path("gemini-3-flash", false), "/models/gemini-3-flash:generateContent");
    assert_eq!(path("tunedModels/x", true), "/tunedModels/x:streamGenerateContent?alt=sse");
}

#[test]
fn turns_of_a_role_are_one() {
    check(
        &Request {
            system: vec![text("Be brief."), text(""), text("Be kind.")],
            messages: vec![
                user("a"),
                user("b"),
                message(Role::Assistant, vec![text("c")]),
                message(Role::System, vec![text("d")]),
                message(Role::Assistant, vec![text("")]),
                user("e"),
            ],
            ..Request::default()
        },
        r#"{"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]},{"role":"model","parts":[{"text":"c"}]},{"role":"user","parts":[{"text":"d"},{"text":"e"}]}],"systemInstruction":{"parts":[{"text":"Be brief."},{"text":"Be kind."}]}}"#,
    );
}

#[test]
fn a_system_prompt_alone_gets_a_turn() {
    let request = Request { system: vec![text("Say hello.")], ..Request::default() };
    let composed = check(
        &request,
        r#"{"contents":[{"role":"user","parts":[{"text":" "}]}],"systemInstruction":{"parts":[{"text":"Say hello."}]}}"#,
    );
    assert_eq!(composed.notes, [(NoteKind::Mapped, "messages".to_owned())]);
}

#[test]
fn media_are_inline_or_fetched_by_google() {
    let inline =
        |media_type, base64| Source::Inline { media_type: Text::plain(media_type), base64: Text::plain(base64) };
    let parts = vec![
        PartBody::Image { source: inline("image/png", "iVBO"), detail: Some(Text::plain("low")) }.into(),
        PartBody::Image { source: Source::Url(Text::plain("https://a.example/b.JPG?c=.png")), detail: None }.into(),
        PartBody::Image { source: Source::Url(Text::plain("https://a.example/b")), detail: None }.into(),
        PartBody::Document { source: inline("application/pdf", "JVBE"), name: Some(Text::plain("a.pdf")) }.into(),
        PartBody::Document { source: Source::Plain(Text::plain("Once.")), name: None }.into(),
        PartBody::Document { source: Source::File(Text::plain("files/abc")), name: None }.into(),
        PartBody::Audio { source: inline("audio/wav", "UklG") }.into(),
    ];
    let composed = check(
        &asking(vec![message(Role::User, parts)]),
        r#"{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"iVBO"}},{"fileData":{"mimeType":"image/jpeg","fileUri":"https://a.example/b.JPG?c=.png"}},{"fileData":{"fileUri":"https://a.example/b"}},{"inlineData":{"mimeType":"application/pdf","data":"JVBE"}},{"text":"Once."},{"fileData":{"fileUri":"files/abc"}},{"inlineData":{"mimeType":"audio/wav","data":"UklG"}}]}]}"#,
    );
    let hint = |param: &str| (NoteKind::Dropped, param.to_owned());
    assert_eq!(composed.notes, [hint("detail"), hint("filename")]);
    let theirs = PartBody::Document { source: Source::File(Text::plain("file-abc")), name: None };
    refused(*NEW, &asking(vec![message(Role::User, vec![theirs.into(), text("x")])]), "messages[0].content");
}

/// Two calls of one tool, answered in the other order.
fn conversation() -> Vec<Message<'static>> {
    vec![
        user("Where is it warmer?"),
        message(
            Role::Assistant,
            vec![call("call_1", "get", r#"{"city":"Paris"}"#), call("call_2", "get", r#"{"city":"Rome"}"#)],
        ),
        message(Role::User, vec![text("Here you are."), result("call_2", vec![text("{ \"celsius\": 30 }")])]),
        message(Role::User, vec![result("call_1", vec![text("mild"), text("very")])]),
        user("So?"),
    ]
}

#[test]
fn results_follow_their_calls_in_their_order() {
    check(
        &asking(conversation()),
        r#"{"contents":[{"role":"user","parts":[{"text":"Where is it warmer?"}]},{"role":"model","parts":[{"functionCall":{"id":"call_1","name":"get","args":{"city":"Paris"}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"id":"call_2","name":"get","args":{"city":"Rome"}}}]},{"role":"user","parts":[{"functionResponse":{"id":"call_1","name":"get","response":{"result":"mild\nvery"}}},{"functionResponse":{"id":"call_2","name":"get","response":{"celsius":30}}}]},{"role":"user","parts":[{"text":"Here you are."},{"text":"So?"}]}]}"#,
    );
    check_for(
        *OLD,
        &asking(conversation()),
        r#"{"contents":[{"role":"user","parts":[{"text":"Where is it warmer?"}]},{"role":"model","parts":[{"functionCall":{"name":"get","args":{"city":"Paris"}}},{"functionCall":{"name":"get","args":{"city":"Rome"}}}]},{"role":"user","parts":[{"functionResponse":{"name":"get","response":{"result":"mild\nvery"}}},{"functionResponse":{"name":"get","response":{"celsius":30}}}]},{"role":"user","parts":[{"text":"Here you are."},{"text":"So?"}]}]}"#,
    );
}

#[test]
fn a_result_is_an_object() {
    let body = |result: ToolResult<'static>| {
        let messages = vec![
            message(Role::Assistant, vec![call("i", "f", "{}")]),
            message(Role::User, vec![PartBody::ToolResult(result).into()]),
        ];
        let body = composed(&asking(messages), *OLD, false).unwrap().body;
        let (_, response) = body.split_once(r#""name":"f","response":"#).unwrap();
        response.strip_suffix("}}]}]}").unwrap().to_owned()
    };
    let plain = ToolResult { call_id: Text::plain("i"), name: None, content: vec![], object: None, is_error: false };
    let of = |content, is_error| ToolResult { content, is_error, ..plain.clone() };
    let object = |object, is_error| ToolResult { object: Some(raw(object)), is_error, ..plain.clone() };
    for (result, expected) in [
        (of(vec![], false), r#"{"result":""}"#),
        (of(vec![text("21")], false), r#"{"result":"21"}"#),
        (of(vec![text("[1]")], false), r#"{"result":"[1]"}"#),
        (of(vec![text("{\"a\":")], false), r#"{"result":"{\"a\":"}"#),
        (of(vec![text(" {\"a\": \"b c\"}\n")], false), r#"{"a":"b c"}"#),
        (of(vec![text("no such city")], true), r#"{"error":"no such city"}"#),
        (of(vec![text("{\"a\":1}")], true), r#"{"error":{"a":1}}"#),
        (object(r#"{"b":2}"#, false), r#"{"b":2}"#),
        (object(r#"{"b":2}"#, true), r#"{"error":{"b":2}}"#),
        (object(r#"{"error":"x"}"#, true), r#"{"error":"x"}"#),
    ] {
        assert_eq!(body(result), expected);
    }
}

#[test]
fn pictures_of_a_result_stand_in_it_or_beside_it() {
    let source = Source::Inline { media_type: Text::plain("image/png"), base64: Text::plain("iVBO") };
    let content = vec![text("Radar"), PartBody::Image { source, detail: None }.into()];
    let request = asking(vec![
        message(Role::Assistant, vec![call("i", "f", "{}")]),
        message(Role::User, vec![result("i", content)]),
    ]);
    let new = composed(&request, *NEW, false).unwrap().body;
    assert!(
        new.ends_with(
            r#""response":{"result":"Radar"},"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]}}]}]}"#
        ),
        "{new}"
    );
    let old = composed(&request, *OLD, false).unwrap().body;
    assert!(
        old.ends_with(r#""response":{"result":"Radar"}}},{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]}]}"#),
        "{old}"
    );
}

#[test]
fn a_result_needs_the_name_of_its_tool() {
    let request = asking(vec![user("x"), message(Role::User, vec![result("nowhere", vec![])])]);
    for drops in [true, false] {
        let refused = composed(&request, *NEW, drops).map(|composed| composed.body).unwrap_err();
        assert_eq!(refused.param, "messages[1].tool_call_id");
    }
}

#[test]
fn signatures_go_back_to_where_they_were() {
    let thinking = |signature| Part::from(PartBody::Thinking { text: Text::plain("hm"), signature });
    let anthropic_s = Signature { origin: Origin::Anthropic, value: Text::plain("x") };
    let signed = PartBody::ToolCall(ToolCall {
        id: Text::plain("i"),
        name: Text::plain("f"),
        input: ToolInput::Object(raw("{}")),
        signature: Some(google_s("Y2FsbA==")),
    });
    let composed = check(
        &asking(vec![
            message(Role::Assistant, vec![thinking(Some(google_s("YQ=="))), text("a")]),
            user("b"),
            message(Role::Assistant, vec![thinking(None), signed.into(), call("j", "g", "{}")]),
            message(Role::User, vec![result("i", vec![]), result("j", vec![])]),
            message(Role::Assistant, vec![text("c"), PartBody::SealedThinking(google_s("Yg==")).into()]),
            user("d"),
            message(
                Role::Assistant,
                vec![thinking(Some(anthropic_s.clone())), text("e"), PartBody::SealedThinking(anthropic_s).into()],
            ),
            user("f"),
        ]),
        r#"{"contents":[{"role":"model","parts":[{"text":"hm","thought":true},{"text":"a","thoughtSignature":"YQ=="}]},{"role":"user","parts":[{"text":"b"}]},{"role":"model","parts":[{"text":"hm","thought":true},{"functionCall":{"id":"i","name":"f","args":{}},"thoughtSignature":"Y2FsbA=="},{"functionCall":{"id":"j","name":"g","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"id":"i","name":"f","response":{"result":""}}},{"functionResponse":{"id":"j","name":"g","response":{"result":""}}}]},{"role":"model","parts":[{"text":"c"},{"text":"","thoughtSignature":"Yg=="}]},{"role":"user","parts":[{"text":"d"}]},{"role":"model","parts":[{"text":"hm","thought":true},{"text":"e"}]},{"role":"user","parts":[{"text":"f"}]}]}"#,
    );
    assert_eq!(composed.notes, [(NoteKind::Dropped, "signature".to_owned())]);
}

#[test]
fn tools_are_declared_together() {
    let schema = r#"{"type":"object","properties":{"city":{"type":"string"}}}"#;
    let search =
        Tool::Other { param: "tools[1].googleSearch".into(), kind: Text::plain("google_search"), raw: raw("{}") };
    let request = Request { tools: vec![function("get/weather", Some(schema)), search, function("now", None)], ..hi() };
    let composed = check(
        &request,
        &format!(
            r#"{HI},"tools":[{{"functionDeclarations":[{{"name":"get_weather","parametersJsonSchema":{schema}}},{{"name":"now"}}]}},{{"googleSearch":{{}}}}]}}"#
        ),
    );
    assert_eq!(composed.adapted.names, [("get_weather".into(), "get/weather".into())]);
    let theirs =
        Tool::Other { param: "tools[0]".into(), kind: Text::plain("web_search"), raw: raw(r#"{"type":"web_search"}"#) };
    assert_eq!(refused(*NEW, &Request { tools: vec![theirs], ..hi() }, "tools[0]"), format!("{HI}}}"));
    // As other gateways take it from clients of OpenAI's dialect.
    let own = Tool::Other { param: "tools[0]".into(), kind: Text::default(), raw: raw(r#"{"urlContext":{}}"#) };
    check(&Request { tools: vec![own], ..hi() }, &format!(r#"{HI},"tools":[{{"urlContext":{{}}}}]}}"#));
}

#[test]
fn each_choice_has_its_mode() {
    let names = |names: &[&'static str]| names.iter().map(|name| Text::plain(*name)).collect();
    for (choice, expected) in [
        (Some(ToolChoice::Auto), r#"{"mode":"AUTO"}"#),
        (Some(ToolChoice::Required), r#"{"mode":"ANY"}"#),
        (Some(ToolChoice::None), r#"{"mode":"NONE"}"#),
        (Some(ToolChoice::Tool(Text::plain("a b"))), r#"{"mode":"ANY","allowedFunctionNames":["a_b"]}"#),
        (
            Some(ToolChoice::Among { names: names(&["a b", "c"]), required: true }),
            r#"{"mode":"ANY","allowedFunctionNames":["a_b","c"]}"#,
        ),
        (
            Some(ToolChoice::Among { names: names(&["c"]), required: false }),
            r#"{"mode":"VALIDATED","allowedFunctionNames":["c"]}"#,
        ),
    ] {
        let request = Request { tools: vec![function("a b", None), function("c", None)], tool_choice: choice, ..hi() };
        let body = composed(&request, *NEW, false).unwrap().body;
        let (_, config) = body.split_once(r#""toolConfig":{"functionCallingConfig":"#).unwrap();
        assert_eq!(config, format!("{expected}}}}}"));
    }
    check(&Request { tool_choice: Some(ToolChoice::Auto), ..hi() }, &format!("{HI}}}"));
    let strict = |tool_choice| {
        let Tool::Function(tool) = function("f", None) else { unreachable!() };
        let tools = vec![Tool::Function(FunctionTool { strict: Some(true), ..tool })];
        composed(&Request { tools, tool_choice, ..hi() }, *NEW, false).unwrap().body
    };
    assert!(strict(None).ends_with(r#""toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}}}"#));
    assert!(strict(Some(ToolChoice::Required)).ends_with(r#"{"mode":"ANY"}}}"#));
}

#[test]
fn one_call_at_a_time_is_the_first_one() {
    for (tools, tool_choice, parallel_tool_calls, one) in [
        (&["f", "g"][..], Some(ToolChoice::Tool(Text::plain("f"))), Some(false), true),
        (&["f", "g"], Some(ToolChoice::Required), Some(false), true),
        (&["f"], None, Some(false), true),
        (&["f"], None, Some(true), false),
        (&["f"], None, None, false),
        (&[], None, Some(false), false),
    ] {
        let tools = tools.iter().map(|name| function(name, None)).collect();
        let request = Request { tools, tool_choice, parallel_tool_calls, ..hi() };
        let Composed { adapted, notes, .. } = composed(&request, *NEW, false).unwrap();
        assert_eq!(adapted.one_call, one, "{:?}", request.tool_choice);
        let expected: &[_] = if one { &[(NoteKind::Adapted, "parallel_tool_calls".to_owned())] } else { &[] };
        assert_eq!(notes, expected);
    }
}

#[test]
fn numbers_are_as_the_client_wrote_them() {
    let request = Request {
        output_tokens_max: Some(64),
        temperature: Some(raw("0.70")),
        top_p: Some(raw("0.9")),
        top_k: Some(raw("40")),
        seed: Some(raw("7")),
        stop: vec![Text::plain("7"), Text::plain("\n\n")],
        logprobs: Some(3),
        answers: Some(2),
        frequency_penalty: Some(raw("0.0")),
        ..hi()
    };
    check(
        &request,
        &format!(
            r#"{HI},"generationConfig":{{"maxOutputTokens":64,"temperature":0.70,"topP":0.9,"topK":40,"seed":7,"stopSequences":["7","\n\n"],"responseLogprobs":true,"logprobs":3,"candidateCount":2}}}}"#
        ),
    );
    refused(
        ModelTraits { sampling: false, ..*NEW },
        &Request { top_p: None, top_k: None, ..request.clone() },
        "temperature",
    );
    let penalty = Request { presence_penalty: Some(raw("-0.5")), ..hi() };
    refused(*NEW, &penalty, "presence_penalty");
    check_for(*OLD, &penalty, &format!(r#"{HI},"generationConfig":{{"presencePenalty":-0.5}}}}"#));
    let stop = (0..6).map(|stop| Text::plain(stop.to_string())).collect();
    let body = refused(*NEW, &Request { stop, ..hi() }, "stop");
    assert!(body.ends_with(r#""stopSequences":["0","1","2","3","4"]}}"#));
    check(
        &Request { answers: Some(1), logprobs: Some(0), ..hi() },
        &format!(r#"{HI},"generationConfig":{{"responseLogprobs":true}}}}"#),
    );
}

#[test]
fn thinking_is_a_level_or_a_budget() {
    let of =
        |effort, budget_tokens, show| Request { reasoning: Some(Reasoning { effort, budget_tokens, show }), ..hi() };
    let check = |traits, request: Request<'_>, expected: &str, is_near: bool| {
        let composed =
            check_for(traits, &request, &format!(r#"{HI},"generationConfig":{{"thinkingConfig":{expected}}}}}"#));
        assert_eq!(composed.notes.iter().any(|(kind, _)| *kind == NoteKind::Adapted), is_near, "{expected}");
    };
    check(*NEW, of(Some(Effort::High), None, Some(true)), r#"{"includeThoughts":true,"thinkingLevel":"HIGH"}"#, false);
    check(*NEW, of(Some(Effort::Medium), None, None), r#"{"thinkingLevel":"MEDIUM"}"#, false);
    check(*NEW, of(Some(Effort::Low), None, None), r#"{"thinkingLevel":"LOW"}"#, false);
    check(*NEW, of(Some(Effort::Minimal), None, None), r#"{"thinkingLevel":"MINIMAL"}"#, false);
    check(*NEW, of(Some(Effort::None), None, Some(true)), r#"{"thinkingLevel":"MINIMAL"}"#, true);
    check(*NEW, of(Some(Effort::Max), None, None), r#"{"thinkingLevel":"HIGH"}"#, true);
    check(*NEW, of(None, Some(2_048), None), r#"{"thinkingLevel":"MEDIUM"}"#, true);
    check(*NEW, of(None, None, Some(true)), r#"{"includeThoughts":true}"#, false);
    check(*OLD, of(None, Some(2_048), Some(false)), r#"{"includeThoughts":false,"thinkingBudget":2048}"#, false);
    check(*OLD, of(Some(Effort::High), None, None), r#"{"thinkingBudget":4096}"#, false);
    check(*OLD, of(Some(Effort::None), None, None), r#"{"thinkingBudget":0}"#, false);
    assert_eq!(level(Effort::None, "gemini-3-pro"), ("LOW", true));
}

fn form(schema: &'static str) -> OutputFormat<'static> {
    OutputFormat::Schema(OutputSchema {
        name: Some(Text::plain("person")),
        description: None,
        schema: raw(schema),
        strict: Some(true),
    })
}

#[test]
fn a_schema_is_the_answer_s_form() {
    let schema =
        r#"{"type":"object","properties":{"age":{"type":"integer"}},"required":["age"],"additionalProperties":false}"#;
    let request = Request { output: form(schema), ..hi() };
    let titled = schema.replacen('{', r#"{"title":"person","#, 1);
    check(
        &request,
        &format!(
            r#"{HI},"generationConfig":{{"responseMimeType":"application/json","responseJsonSchema":{titled}}}}}"#
        ),
    );
    let composed = check_for(
        ModelTraits { native_schema: false, ..*OLD },
        &request,
        &format!(
            r#"{HI},"generationConfig":{{"responseMimeType":"application/json","responseSchema":{{"title":"person","type":"OBJECT","properties":{{"age":{{"type":"INTEGER"}}}},"propertyOrdering":["age"],"required":["age"]}}}}}}"#
        ),
    );
    assert_eq!(
        composed.notes,
        [
            (NoteKind::Adapted, "response_format".to_owned()),
            (NoteKind::Mapped, "response_format.json_schema.name".to_owned())
        ]
    );
    check(
        &Request { output: OutputFormat::JsonObject, ..hi() },
        &format!(r#"{HI},"generationConfig":{{"responseMimeType":"application/json"}}}}"#),
    );
}

/// A schema that was made of a class has a title already.
#[test]
fn what_a_client_says_of_its_schema_is_said_in_it() {
    let (name, description) = ("response_format.json_schema.name", "response_format.json_schema.description");
    for (schema, expected, notes) in [
        (
            "{}",
            r#"{"title":"person","description":"One of us"}"#,
            vec![(NoteKind::Mapped, name), (NoteKind::Mapped, description)],
        ),
        (r#"{"title":"person","description":"One of us"}"#, r#"{"title":"person","description":"One of us"}"#, vec![]),
        (
            r#"{"title":"Person","type":"object"}"#,
            r#"{"description":"One of us","type":"object","title":"Person"}"#,
            vec![(NoteKind::Adapted, name), (NoteKind::Mapped, description)],
        ),
    ] {
        let description = Some(Text::plain("One of us"));
        let name = Some(Text::plain("person"));
        let output = OutputFormat::Schema(OutputSchema { name, description, schema: raw(schema), strict: None });
        let composed = composed(&Request { output, ..hi() }, *NEW, false).unwrap();
        let said = format!(r#""responseJsonSchema":{expected}}}}}"#);
        assert!(composed.body.ends_with(&said), "{}", composed.body);
        let notes: Vec<_> = notes.into_iter().map(|(kind, param)| (kind, param.to_owned())).collect();
        assert_eq!(composed.notes, notes, "{schema}");
    }
}

#[test]
fn a_tool_takes_the_answer_where_a_form_cannot_stand_beside_tools() {
    let schema = r#"{"type":"object"}"#;
    let request = Request { output: form(schema), tools: vec![function("answer", None)], ..hi() };
    let composed = check_for(
        *OLD,
        &request,
        &format!(
            r#"{HI},"tools":[{{"functionDeclarations":[{{"name":"answer"}},{{"name":"answer_2","description":"Gives the answer. Call it when the answer is known.","parametersJsonSchema":{schema}}}]}}],"toolConfig":{{"functionCallingConfig":{{"mode":"ANY"}}}}}}"#
        ),
    );
    assert_eq!(composed.adapted.answer_tool.as_deref(), Some("answer_2"));
    let none = Request { tool_choice: Some(ToolChoice::None), ..request.clone() };
    assert!(
        super::tests::composed(&none, *OLD, false)
            .unwrap()
            .body
            .ends_with(r#"{"mode":"ANY","allowedFunctionNames":["answer_2"]}}}"#)
    );
    let new = super::tests::composed(&request, *NEW, false).unwrap();
    assert_eq!(new.adapted.answer_tool, None);
    assert!(new.body.ends_with(
        r#""generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"title":"person","type":"object"}}}"#
    ));
    refused(*OLD, &Request { output: OutputFormat::JsonObject, ..request }, "response_format");
}

#[test]
fn members_of_its_own_pass_and_those_of_others_are_refused() {
    let extra = |param: &'static str, value, is_hint| Extra { param: param.into(), value: raw(value), is_hint };
    let request = Request {
        extras: vec![
            extra("safety_settings", "[]", false),
            extra("generationConfig.speechConfig", "{}", false),
            extra("service_tier", "\"default\"", true),
            extra("modalities", "[\"text\"]", false),
            extra("metadata", "{}", true),
        ],
        user: Some(Text::plain("ada")),
        ..hi()
    };
    let composed = check(
        &request,
        &format!(r#"{HI},"generationConfig":{{"speechConfig":{{}}}},"safetySettings":[],"serviceTier":"standard"}}"#),
    );
    let note = |kind, param: &str| (kind, param.to_owned());
    assert_eq!(
        composed.notes,
        [note(NoteKind::Dropped, "user"), note(NoteKind::Mapped, "service_tier"), note(NoteKind::Dropped, "metadata")]
    );
    refused(*NEW, &Request { extras: vec![extra("logit_bias", "{}", false)], ..hi() }, "logit_bias");
    refused(*NEW, &Request { extras: vec![extra("modalities", "[\"audio\"]", false)], ..hi() }, "modalities");
}

#[test]
fn hints_are_noted_once() {
    let cached = |part: Part<'static>| Part { cache: Some(CacheHint::Long), ..part };
    let mut named = message(Role::User, vec![cached(text("a")), cached(text("b"))]);
    named.name = Some(Text::plain("ada"));
    let request = Request { system: vec![cached(text("s"))], ..asking(vec![named]) };
    let composed = composed(&request, *NEW, false).unwrap();
    let hint = |param: &str| (NoteKind::Dropped, param.to_owned());
    assert_eq!(composed.notes, [hint("messages[0].name"), hint("cache_control")]);
}

#[test]
fn the_input_of_a_tool_is_an_object() {
    let input = ToolInput::Text(Text::plain("ls"));
    let custom = PartBody::ToolCall(ToolCall { id: Text::plain("i"), name: Text::plain("sh"), input, signature: None });
    refused(*NEW, &asking(vec![message(Role::Assistant, vec![custom.into(), text("x")])]), "messages[0].tool_calls");
}

#[test]
fn parts_of_its_own_pass() {
    let other = |param: &str| PartBody::Other { param: param.to_owned(), raw: raw(r#"{"executableCode":{}}"#) };
    check(
        &asking(vec![message(Role::Assistant, vec![other("contents[0].parts[0]").into()])]),
        r#"{"contents":[{"role":"model","parts":[{"executableCode":{}}]}]}"#,
    );
    refused(
        *NEW,
        &asking(vec![message(Role::User, vec![other("messages[0].content[0]").into(), text("x")])]),
        "messages[0].content[0]",
    );
}
