use super::*;
use crate::dialects::canonical::*;
use crate::dialects::openai_chat;
use serde_json::{Value as Json, json};

fn parsed<T>(body: Json, look: impl FnOnce(Request<'_>) -> T) -> T {
    let text = body.to_string();
    look(parse(text.as_bytes()).unwrap_or_else(|invalid| panic!("{invalid:?} of {text}")))
}

fn extras(request: &Request<'_>) -> Vec<(String, String, bool)> {
    let text = |extra: &Extra<'_>| String::from_utf8(extra.value.0.to_vec()).unwrap();
    request.extras.iter().map(|extra| (extra.param.to_string(), text(extra), extra.is_hint)).collect()
}

/// The turns as lines: a letter for the role, and the parts.
fn turns(request: &Request<'_>) -> Vec<String> {
    let role = |role| match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let line = |message: &Message<'_>| {
        let parts: Vec<_> = message.parts.iter().map(|part| self::part(&part.body)).collect();
        format!("{}: {}", role(message.role), parts.join(" | "))
    };
    request.messages.iter().map(line).collect()
}

fn part(body: &PartBody<'_>) -> String {
    let signed = |signature: &Signature<'_>| format!("{}/{}", signature.origin.tag(), signature.value.decoded());
    let source = |source: &Source<'_>| match source {
        Source::Inline { media_type, base64 } => format!("{};{}", media_type.decoded(), base64.decoded()),
        Source::Plain(text) => format!("plain {}", text.decoded()),
        Source::Url(url) => format!("url {}", url.decoded()),
        Source::File(id) => format!("file {}", id.decoded()),
    };
    match body {
        PartBody::Text(text) => text.decoded().into_owned(),
        PartBody::Refusal(text) => format!("refuses {}", text.decoded()),
        PartBody::Thinking { text, signature } => {
            format!("thinks {} {}", text.decoded(), signature.as_ref().map(signed).unwrap_or_default())
        }
        PartBody::SealedThinking(signature) => format!("sealed {}", signed(signature)),
        PartBody::Image { source: from, detail } => {
            format!("image {} {}", source(from), detail.as_ref().map(Text::decoded).unwrap_or_default())
        }
        PartBody::Document { source: from, name } => {
            format!("document {} {}", source(from), name.as_ref().map(Text::decoded).unwrap_or_default())
        }
        PartBody::Audio { source: from } => format!("audio {}", source(from)),
        PartBody::ToolCall(ToolCall { id, name, input, signature }) => {
            let input = match input {
                ToolInput::Object(raw) => String::from_utf8_lossy(&raw.0).into_owned(),
                ToolInput::Text(text) | ToolInput::Malformed(text) => format!("'{}'", text.decoded()),
            };
            let signature = signature.as_ref().map(signed).unwrap_or_default();
            format!("calls {} {} {input} {signature}", id.decoded(), name.decoded())
        }
        PartBody::ToolResult(ToolResult { call_id, name, content, object, is_error }) => {
            assert_eq!(*object, None);
            let content: Vec<_> = content.iter().map(|part| self::part(&part.body)).collect();
            let name = name.as_ref().map(Text::decoded).unwrap_or_default();
            format!("result {} {name} {}{}", call_id.decoded(), content.join(", "), if *is_error { " !" } else { "" })
        }
        PartBody::Other { param, .. } => format!("other {param}"),
    }
}

use crate::json::piece::{Raw, Text};

#[test]
fn takes_the_members_that_it_understands() {
    let body = json!({
        "model":"m","input":"Hi","instructions":"Be short.","max_output_tokens":7,"temperature":0.70,"top_p":1,"top_logprobs":3,
        "parallel_tool_calls":false,"reasoning":{"effort":"xhigh","summary":"auto","mode":"standard"},"stream":true,"user":"u",
        "safety_identifier":"s","include":["reasoning.encrypted_content"],
        "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true,"description":"d"},"verbosity":"medium"}
    });
    parsed(body, |request| {
        let raw = |number: &'static str| Some(Raw(number.as_bytes().into()));
        assert_eq!(part(&request.system[0].body), "Be short.");
        assert_eq!(turns(&request), ["user: Hi"]);
        assert_eq!(
            (request.output_tokens_max, &request.temperature, &request.top_p),
            (Some(7), &raw("0.7"), &raw("1"))
        );
        assert_eq!((request.logprobs, request.parallel_tool_calls), (Some(3), Some(false)));
        let wanted = Reasoning { effort: Some(Effort::XHigh), budget_tokens: None, show: Some(true) };
        assert_eq!(request.reasoning, Some(wanted));
        assert!(request.stream && request.stream_usage && request.user.as_ref().unwrap().says("s"));
        let OutputFormat::Schema(schema) = &request.output else { panic!("{:?}", request.output) };
        assert!(schema.name.as_ref().unwrap().says("n") && schema.description.as_ref().unwrap().says("d"));
        assert_eq!((&*schema.schema.0, schema.strict), (&br#"{"type":"object"}"#[..], Some(true)));
        let expected = [
            ("text.verbosity", r#""medium""#, true),
            ("reasoning.mode", r#""standard""#, true),
            ("user", r#""u""#, true),
        ];
        let expected = expected.map(|(param, value, is_hint)| (param.to_owned(), value.to_owned(), is_hint));
        assert_eq!(extras(&request), expected);
    });
}

#[test]
fn what_is_not_understood_is_carried_with_its_path() {
    let body = json!({
        "input":[
            {"role":"user","content":[{"type":"input_text","text":"x","mood":1},{"type":"input_video"}]},
            {"type":"web_search_call","id":"ws_1","status":"completed","action":{}},
            {"type":"item_reference","id":"msg_1"},
            {"id":"msg_2"},
            {"type":"reasoning","id":"rs_1","summary":[]},
            {"type":"message","role":"assistant","phase":"commentary","content":"y"},
        ],
        "store":true,"previous_response_id":"resp_1","conversation":"conv_1","background":true,"truncation":"auto",
        "metadata":{},"max_tool_calls":3,"new":null,"service_tier":"flex","include":["web_search_call.action.sources"],
        "stream_options":{"include_obfuscation":false},"text":{"verbosity":"low"},"reasoning":{"effort":"huge","summary":"concise"},
        "tool_choice":{"type":"web_search"},"tools":[{"type":"web_search"},{"type":"function","name":"f","async":true}]
    });
    let expected = [
        ("store", "true", true),
        ("previous_response_id", r#""resp_1""#, false),
        ("conversation", r#""conv_1""#, false),
        ("background", "true", false),
        ("truncation", r#""auto""#, false),
        ("metadata", "{}", true),
        ("max_tool_calls", "3", true),
        ("service_tier", r#""flex""#, true),
        ("input[0].content[0].mood", "1", false),
        ("input[1]", r#"{"action":{},"id":"ws_1","status":"completed","type":"web_search_call"}"#, false),
        ("input[2]", r#"{"id":"msg_1","type":"item_reference"}"#, false),
        ("input[3]", r#"{"id":"msg_2"}"#, false),
        ("input[4]", "null", true),
        ("input[5].phase", r#""commentary""#, true),
        ("tools[1].async", "true", false),
        ("tool_choice", r#"{"type":"web_search"}"#, false),
        ("text.verbosity", r#""low""#, false),
        ("include[0]", r#""web_search_call.action.sources""#, true),
        ("reasoning.effort", r#""huge""#, false),
        ("reasoning.summary", r#""concise""#, true),
        ("stream_options.include_obfuscation", "false", true),
    ];
    let mut expected = expected.map(|(param, value, is_hint)| (param.to_owned(), value.to_owned(), is_hint));
    expected.sort();
    parsed(body, |request| {
        let mut found = extras(&request);
        found.sort();
        assert_eq!(found, expected);
        assert_eq!(turns(&request), ["user: x | other input[0].content[1]", "assistant: y"]);
        let Tool::Other { param, kind, .. } = &request.tools[0] else { panic!() };
        assert_eq!((param.as_str(), kind.says("web_search")), ("tools[0]", true));
    });
}

#[test]
fn says_what_is_wrong_and_where() {
    let check = |body: Json, param: &str, message: &str| {
        let text = body.to_string();
        let invalid = parse(text.as_bytes()).expect_err(&text);
        assert_eq!((invalid.param.as_str(), &*invalid.message), (param, message));
    };
    let item = |item: Json| json!({"input":[item]});
    check(json!({}), "input", "'input' is missing.");
    check(json!({"input":5}), "input", "'input' must be a string or an array of items.");
    check(item(json!("x")), "input[0]", "'input[0]' must be an object.");
    check(item(json!({"content":"x"})), "input[0].type", "'input[0].type' is missing.");
    check(
        item(json!({"role":"tool","content":"x"})),
        "input[0].role",
        "'input[0].role' must be user, assistant, system or developer.",
    );
    check(item(json!({"role":"user"})), "input[0].content", "'input[0].content' is missing.");
    check(
        item(json!({"role":"user","content":[{"type":"input_image","image_url":5}]})),
        "input[0].content[0].image_url",
        "'input[0].content[0].image_url' must be a string.",
    );
    check(
        item(json!({"type":"function_call","call_id":"c","name":"f","arguments":[1]})),
        "input[0].arguments",
        "'input[0].arguments' must be a string.",
    );
    check(
        item(json!({"type":"function_call","name":"f","arguments":"{}"})),
        "input[0].call_id",
        "'input[0].call_id' is missing.",
    );
    check(
        item(json!({"type":"custom_tool_call","call_id":"c","name":"f"})),
        "input[0].input",
        "'input[0].input' is missing.",
    );
    check(
        item(json!({"type":"reasoning","summary":[{"type":"summary_text"}]})),
        "input[0].summary[0].text",
        "'input[0].summary[0].text' is missing.",
    );
    check(json!({"input":"x","top_p":"1"}), "top_p", "'top_p' must be a number.");
    check(
        json!({"input":"x","tools":[{"type":"namespace","name":"g"}]}),
        "tools[0].tools",
        "'tools[0].tools' is missing.",
    );
    check(
        json!({"input":"x","tools":[{"type":"namespace","name":"g","tools":[{"type":"function"}]}]}),
        "tools[0].tools[0].name",
        "'tools[0].tools[0].name' is missing.",
    );
    check(json!({"input":"x","tools":[{"type":"function"}]}), "tools[0].name", "'tools[0].name' is missing.");
    check(
        json!({"input":"x","tool_choice":"sometimes"}),
        "tool_choice",
        "'tool_choice' must be none, auto, required, or an object that names a tool or allowed tools.",
    );
    check(
        json!({"input":"x","text":{"format":{"type":"json_schema","name":"x"}}}),
        "text.format.schema",
        "'text.format.schema' is missing.",
    );
    check(json!({"input":"x","include":[1]}), "include[0]", "'include[0]' must be a string.");
}

#[test]
fn items_of_the_assistant_are_one_turn() {
    let call =
        |id: &str| json!({"type":"function_call","call_id":id,"name":"f","arguments":"{\"a\":1}","status":"completed"});
    let result = |id: &str| json!({"type":"function_call_output","call_id":id,"output":"ok"});
    let says = |text: &str| json!({"type":"message","role":"assistant","content":[{"type":"output_text","text":text,"annotations":[]}]});
    let thinks = |text: &str| json!({"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":text}]});
    let body = json!({"input":[
        {"role":"developer","content":"s"},
        {"role":"user","content":"q"},
        thinks("t1"), says("a1"), call("c1"), thinks("t2"), call("c2"), result("c1"), result("c2"),
        {"role":"system","content":"later"},
        says("a2"), thinks("t3"), says("a3"), says("a4"), call("c3"), says("a5"), result("c3"),
        {"role":"user","content":"end"}
    ]});
    parsed(body, |request| {
        assert_eq!(part(&request.system[0].body), "s");
        assert_eq!(
            turns(&request),
            [
                "user: q",
                "assistant: thinks t1  | a1 | calls c1 f {\"a\":1}  | thinks t2  | calls c2 f {\"a\":1} ",
                "user: result c1 f ok | result c2 f ok",
                "system: later",
                "assistant: a2",
                "assistant: thinks t3  | a3",
                "assistant: a4 | calls c3 f {\"a\":1}  | a5",
                "user: result c3 f ok",
                "user: end",
            ]
        );
        assert_eq!(request.extras, []);
    });
}

#[test]
fn thoughts_have_their_proofs() {
    let item = |sealed: Option<&str>, summary: Json, content: Json| json!({"type":"reasoning","id":"rs_1","summary":summary,"content":content,"encrypted_content":sealed});
    let texts = |texts: &[&str]| texts.iter().map(|text| json!({"type":"x","text":text})).collect::<Json>();
    let call = json!({"type":"function_call","call_id":"c","name":"f","arguments":""});
    for (items, expected) in [
        (vec![item(Some("gA=="), texts(&["a", "b"]), json!(null))], "thinks a\n\nb openai/rs_1:gA=="),
        (vec![item(Some("gA=="), texts(&["a"]), texts(&["real"]))], "thinks real openai/rs_1:gA=="),
        (vec![item(Some("gA=="), json!([]), json!(null))], "sealed openai/rs_1:gA=="),
        (vec![item(Some("anthropic:Eq"), texts(&["a"]), json!(null))], "thinks a anthropic/Eq"),
        (vec![item(Some("anthropic:Eq"), json!([]), json!(null))], "thinks  anthropic/Eq"),
        (vec![item(Some("anthropic.sealed:Eq"), json!([]), json!(null))], "sealed anthropic/Eq"),
        (vec![item(Some("gemini.call:Eq"), json!([]), json!(null)), call], "calls c f {} gemini/Eq"),
        (vec![item(None, texts(&["a"]), json!(null))], "thinks a "),
    ] {
        parsed(json!({"input":items}), |request| {
            assert_eq!(turns(&request), [format!("assistant: {expected}")]);
            assert_eq!(request.extras, []);
        });
    }
}

#[test]
fn parts_are_read_in_all_their_forms() {
    for (given, expected) in [
        (
            json!({"type":"input_image","image_url":"https://a.example/b.png","detail":"auto"}),
            "image url https://a.example/b.png ",
        ),
        (
            json!({"type":"input_image","image_url":"data:image/png;base64,AA==","detail":"low"}),
            "image image/png;AA== low",
        ),
        (json!({"type":"input_image","file_id":"file_1","image_url":null}), "image file file_1 "),
        (
            json!({"type":"input_file","file_data":"data:application/pdf;base64,AA==","filename":"a.pdf"}),
            "document application/pdf;AA== a.pdf",
        ),
        (json!({"type":"input_file","file_data":"AA=="}), "document application/pdf;AA== "),
        (json!({"type":"input_file","file_url":"https://a.example/b.pdf"}), "document url https://a.example/b.pdf "),
        (json!({"type":"input_file","file_id":"file_1"}), "document file file_1 "),
        (json!({"type":"input_audio","input_audio":{"data":"AA==","format":"mp3"}}), "audio audio/mp3;AA=="),
        (json!({"type":"refusal","refusal":"No."}), "refuses No."),
        (json!({"type":"text","text":"x"}), "x"),
    ] {
        parsed(json!({"input":[{"role":"user","content":[given]}]}), |request| {
            assert_eq!(turns(&request), [format!("user: {expected}")]);
            assert_eq!(request.extras, []);
        });
    }
    let cached = |ttl| json!({"input":[{"role":"user","content":[{"type":"input_text","text":"x","prompt_cache_breakpoint":{"mode":"explicit","ttl":ttl}}]}]});
    for (ttl, expected) in [("30m", CacheHint::Short), ("12h", CacheHint::Long)] {
        parsed(cached(ttl), |request| assert_eq!(request.messages[0].parts[0].cache, Some(expected)));
    }
}

#[test]
fn tools_with_texts_are_carried_and_their_calls_read() {
    let body = json!({"input":[
        {"type":"custom_tool_call","call_id":"c","name":"apply_patch","input":"*** Begin","status":"completed"},
        {"type":"custom_tool_call_output","call_id":"c","output":"Done"}
    ],"tools":[{"type":"custom","name":"apply_patch","format":{"type":"grammar","syntax":"lark","definition":"x"}}],
    "tool_choice":{"type":"custom","name":"apply_patch"}});
    parsed(body, |request| {
        assert_eq!(turns(&request), ["assistant: calls c apply_patch '*** Begin' ", "user: result c apply_patch Done"]);
        assert!(matches!(&request.tools[0], Tool::Other { kind, .. } if kind.says("custom")));
        assert!(matches!(&request.tool_choice, Some(ToolChoice::Tool(name)) if name.says("apply_patch")));
        assert_eq!(request.extras, []);
    });
}

/// What a client says that has its tools in groups.
fn grouped() -> Json {
    let patch = json!({"type":"custom","name":"patch","description":"P","format":{"type":"text"}});
    let own = json!({"type":"function","name":"own","defer_loading":true});
    let crm =
        json!([{"type":"function","name":"find","description":"Finds \"x\"."}, own, patch, {"type":"web_search"}]);
    json!({"input":[
        {"type":"function_call","call_id":"c","name":"find","namespace":"crm","arguments":"{}"},
        {"type":"function_call_output","call_id":"c","output":"1"},
        {"type":"custom_tool_call","call_id":"d","name":"patch","namespace":"crm","input":"x"},
        {"type":"custom_tool_call_output","call_id":"d","output":"2","name":"patch","namespace":"crm"},
        {"type":"function_call","call_id":"e","name":"own","namespace":null,"arguments":"{}"},
    ],"tools":[
        {"type":"function","name":"own"},
        {"type":"namespace","name":"crm","description":"About customers.","tools":crm},
        {"type":"namespace","name":"empty","description":"Nothing.","tools":[]},
    ]})
}

#[test]
fn tools_of_groups_are_tools_with_joined_names() {
    parsed(grouped(), |request| {
        assert_eq!(
            turns(&request),
            [
                "assistant: calls c crm.find {} ",
                "user: result c crm.find 1",
                "assistant: calls d crm.patch 'x' ",
                "user: result d crm.patch 2",
                "assistant: calls e own {} ",
            ]
        );
        let tools = request.tools.iter().map(|tool| match tool {
            Tool::Function(tool) => {
                let description = tool.description.as_ref().map(Text::decoded).unwrap_or_default();
                format!("{} {description}", tool.name.decoded())
            }
            Tool::Other { param, kind, raw } => {
                format!("{param} {} {}", kind.decoded(), String::from_utf8_lossy(&raw.0))
            }
        });
        assert_eq!(
            tools.collect::<Vec<_>>(),
            [
                "own ",
                "crm.find Finds \"x\".\n\nAll tools whose names begin with 'crm': About customers.",
                "crm.own ",
                r#"tools[1].tools[2] custom {"name":"crm.patch","description":"P","format":{"type":"text"},"type":"custom"}"#,
                r#"tools[1].tools[3] web_search {"type":"web_search"}"#,
            ]
        );
        assert_eq!(extras(&request), [("tools[1].tools[1].defer_loading".into(), "true".into(), true)]);
    });
}

#[test]
fn tools_of_groups_are_chosen() {
    let check = |choice: Json, expected: &str| {
        let mut body = grouped();
        body["tool_choice"] = choice;
        parsed(body, |request| {
            let names = |names: &[Text<'_>]| names.iter().map(Text::decoded).collect::<Vec<_>>().join(" ");
            let said = match request.tool_choice.as_ref() {
                Some(ToolChoice::Tool(name)) => name.decoded().into_owned(),
                Some(ToolChoice::Among { names: among, required }) => format!("{required} {}", names(among)),
                other => format!("{other:?} {:?}", extras(&request).pop()),
            };
            assert_eq!(said, expected);
        });
    };
    check(json!({"type":"function","name":"find"}), "crm.find");
    check(json!({"type":"custom","name":"patch"}), "crm.patch");
    // There is one without a group, too.
    check(json!({"type":"function","name":"own"}), "own");
    check(json!({"type":"function","name":"own","namespace":"crm"}), "crm.own");
    check(json!({"type":"namespace","name":"crm"}), "true crm.find crm.own crm.patch");
    let tools = json!([{"type":"namespace","name":"crm"},{"type":"function","name":"own"}]);
    check(json!({"type":"allowed_tools","mode":"auto","tools":tools}), "false crm.find crm.own crm.patch own");
    let unknown = r#"None Some(("tool_choice", "{\"name\":\"empty\",\"type\":\"namespace\"}", false))"#;
    check(json!({"type":"namespace","name":"empty"}), unknown);
}

#[test]
fn tool_choices() {
    let check = |choice: Json, expected: ToolChoice<'_>| {
        parsed(json!({"input":"x","tool_choice":choice}), |request| {
            let say = |choice: &ToolChoice<'_>| match choice {
                ToolChoice::Tool(name) => format!("tool {}", name.decoded()),
                ToolChoice::Among { names, required } => {
                    format!("{required} {:?}", names.iter().map(Text::decoded).collect::<Vec<_>>())
                }
                other => format!("{other:?}"),
            };
            assert_eq!(request.tool_choice.as_ref().map(say), Some(say(&expected)));
        });
    };
    check(json!("auto"), ToolChoice::Auto);
    check(json!("none"), ToolChoice::None);
    check(json!("required"), ToolChoice::Required);
    check(json!({"type":"function","name":"f"}), ToolChoice::Tool(Text::plain("f")));
    let tools = json!([{"type":"function","name":"f"},{"type":"custom","name":"g"}]);
    let names = vec![Text::plain("f"), Text::plain("g")];
    let among = ToolChoice::Among { names, required: true };
    check(json!({"type":"allowed_tools","mode":"required","tools":tools}), among);
}

#[test]
fn an_answer_that_is_kept_elsewhere_needs_no_input() {
    parsed(json!({"previous_response_id":"resp_1"}), |request| assert_eq!(request.messages, []));
    parsed(json!({"prompt":{"id":"pmpt_1"}}), |request| assert!(!request.extras[0].is_hint));
}

fn golden(dialect: &str) -> Vec<(String, Vec<u8>)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/_requests").join(dialect);
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    cases.sort();
    cases
}

/// The chat request for a request of either dialect.
fn as_chat(request: &Request<'_>) -> Json {
    let target = Target { model: "m", traits: ModelTraits::default(), drops: true };
    let mut out = Vec::new();
    openai_chat::compose::compose(request, &target, &mut Notes::default(), &mut out).unwrap();
    let mut chat: Json = serde_json::from_slice(&out).unwrap();
    // What Chat Completions says by saying nothing.
    for tool in chat["tools"].as_array_mut().into_iter().flatten() {
        let Some(function) = tool.get_mut("function").and_then(Json::as_object_mut) else { continue };
        function.retain(|name, value| name != "strict" || *value != json!(false));
    }
    if chat["store"] == json!(false) {
        chat.as_object_mut().unwrap().remove("store");
    }
    chat
}

#[test]
fn golden_requests_mean_the_same_as_those_of_chat_completions() {
    // What the two cannot say alike: a stream's usage is always told here, a search is asked for by a tool, a PDF has an address, a
    // result a picture; earlier answers are referred to.
    let differ = ["stored_conversation", "web_search", "pdf_url", "tool_result_image", "verbosity"];
    let chat = golden("openai_chat");
    let (mut compared, mut wrong) = (0, Vec::new());
    for (name, text) in golden("openai_responses") {
        let request = parse(&text).unwrap_or_else(|invalid| panic!("{name}: {invalid:?}"));
        let Some((_, chat)) = chat.iter().find(|(chat, _)| *chat == name).filter(|_| !differ.contains(&&*name)) else {
            continue;
        };
        let expected = openai_chat::parse::parse(chat).unwrap();
        compared += 1;
        let (found, expected) = (as_chat(&request), as_chat(&expected));
        if found != expected {
            wrong.push(format!("{name}:\n{found}\n{expected}"));
        }
    }
    assert!(wrong.is_empty() && compared > 40, "{compared} compared\n{}", wrong.join("\n"));
}

#[test]
fn golden_requests_carry_what_only_this_dialect_has() {
    let carried = [("stored_conversation", "previous_response_id"), ("verbosity", "text.verbosity")];
    for (name, text) in golden("openai_responses") {
        let request = parse(&text).unwrap();
        let expected: Vec<_> = carried.iter().filter(|(case, _)| *case == name).map(|(_, param)| *param).collect();
        let found: Vec<_> = request.extras.iter().filter(|extra| !extra.is_hint).map(|extra| &*extra.param).collect();
        assert_eq!(found, expected, "{name}");
    }
}
