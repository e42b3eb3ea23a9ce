use super::*;
use crate::dialects::canonical::*;
use crate::dialects::openai_chat::parse::parse;
use crate::dialects::openai_chat::variant::{CacheWay, CallIds, ThoughtsBack};
use proptest::prelude::*;
use serde_json::{Value, json};

fn target(chat: Variant, drops: bool) -> Target<'static> {
    Target { model: "m", traits: ModelTraits { chat, ..ModelTraits::default() }, drops }
}

fn composed(request: &Request<'_>, target: &Target<'_>) -> (Value, Notes, Adapted) {
    let (mut notes, mut out) = (Notes::default(), Vec::new());
    let adapted = compose(request, target, &mut notes, &mut out).unwrap();
    (serde_json::from_slice(&out).unwrap(), notes, adapted)
}

/// What a client's request becomes for an upstream that differs from OpenAI in `chat`.
fn sent(body: &Value, chat: Variant) -> Value {
    noted(body, chat).0
}

fn noted(body: &Value, chat: Variant) -> (Value, Vec<String>) {
    let text = body.to_string();
    let (sent, notes, _) = composed(&parse(text.as_bytes()).unwrap(), &target(chat, true));
    (sent, notes.notes.into_iter().map(|note| note.param.into_owned()).collect())
}

fn refused(request: &Request<'_>, chat: Variant) -> String {
    let unsupported = compose(request, &target(chat, false), &mut Notes::default(), &mut Vec::new());
    unsupported.expect_err("it is refused").param.into_owned()
}

fn said(text: &'static str) -> Part<'static> {
    PartBody::Text(Text::plain(text)).into()
}

fn turn(role: Role, parts: Vec<Part<'static>>) -> Message<'static> {
    Message { role, parts, name: None }
}

fn messages(messages: Vec<Message<'static>>, chat: Variant) -> Value {
    composed(&Request { messages, ..Request::default() }, &target(chat, true)).0["messages"].take()
}

const PDF: &str = "data:application/pdf;base64,QUJD";

/// Members of a request in the form that is composed. All of them together are a request too.
fn members() -> Vec<(&'static str, Value)> {
    let strict =
        json!({"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false});
    vec![
        ("temperature", json!(0.25)),
        ("top_p", json!(1)),
        ("frequency_penalty", json!(-0.5)),
        ("presence_penalty", json!(2)),
        ("seed", json!(-7)),
        ("stop", json!(["a", "\u{1F600}\n"])),
        ("max_completion_tokens", json!(100)),
        ("n", json!(3)),
        ("logit_bias", json!({"1":-100})),
        ("reasoning_effort", json!("high")),
        ("user", json!("ann")),
        ("store", json!(true)),
        ("metadata", json!({"a":"b"})),
        ("service_tier", json!("flex")),
        ("verbosity", json!("low")),
        ("prediction", json!({"type":"content","content":"x"})),
        ("parallel_tool_calls", json!(false)),
        (
            "tool_choice",
            json!({"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[
            {"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"c"}}]}}),
        ),
        (
            "response_format",
            json!({"type":"json_schema","json_schema":{"name":"n","description":"d","schema":strict,"strict":true}}),
        ),
    ]
}

/// Messages in the form that is composed.
fn turns() -> Vec<Value> {
    let call = |id: &str| json!({"id":id,"type":"function","function":{"name":"f","arguments":"{\"a\":\"\\\"\"}"}});
    vec![
        json!({"role":"user","content":"x","name":"ann"}),
        json!({"role":"user","content":[
            {"type":"text","text":"x","prompt_cache_breakpoint":{"mode":"explicit"}},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD","detail":"low"}},
            {"type":"image_url","image_url":{"url":"https://example.com/a?b=c&d"}},
            {"type":"input_audio","input_audio":{"data":"QUJD","format":"wav"}},
            {"type":"file","file":{"filename":"a.pdf","file_data":PDF}},
            {"type":"file","file":{"file_id":"file-1"}}
        ]}),
        json!({"role":"assistant","content":"y"}),
        json!({"role":"assistant","content":null,"refusal":"no"}),
        json!({"role":"system","content":"z"}),
        json!({"role":"assistant","content":null,"tool_calls":[call("a"), call("b")]}),
        json!({"role":"tool","tool_call_id":"b","content":"1"}),
        json!({"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"1"},{"type":"text","text":"2"}]}),
        json!({"role":"assistant","content":"t","tool_calls":[
            {"id":"d","type":"custom","custom":{"name":"c","input":"text"}}]}),
    ]
}

proptest! {
    /// What OpenAI's dialect says itself comes out as it went in.
    #[test]
    fn nothing_is_lost_on_the_way_through(
        members in prop::sample::subsequence(members(), 0..=members().len()),
        turns in prop::sample::subsequence(turns(), 0..=turns().len()),
        has_system in any::<bool>(),
    ) {
        let mut messages = vec![];
        if has_system {
            messages.push(json!({"role":"system","content":"s"}));
        }
        // A turn first, or the system message in the middle would be at the start; and the last is no assistant's to go on with.
        messages.push(json!({"role":"user","content":"begin"}));
        messages.extend(turns);
        let mut body = json!({"model":"m","messages":messages});
        body["tools"] = json!([
            {"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":false}},
            {"type":"function","function":{"name":"g"}},
            {"type":"custom","custom":{"name":"c","format":{"type":"text"}}}
        ]);
        for (name, value) in members {
            body[name] = value;
        }
        prop_assert_eq!(sent(&body, Variant::OPENAI), body);
    }
}

#[test]
fn a_stream_asks_for_its_usage_where_that_is_understood() {
    let body = json!({"messages":[],"stream":true});
    let sent_to = |stream_usage| sent(&body, Variant { stream_usage, ..Variant::OPENAI });
    let expected = json!({"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}});
    assert_eq!(sent_to(true), expected);
    assert_eq!(sent_to(false), json!({"model":"m","messages":[],"stream":true}));
}

#[test]
fn members_have_the_upstreams_names() {
    let body = json!({"messages":[],"max_completion_tokens":5,"seed":1,"tool_choice":"required","top_k":4,
        "tools":[{"type":"function","function":{"name":"f"}}]});
    let variant = Variant {
        max_tokens: "max_tokens",
        seed: Some("random_seed"),
        required: Some("any"),
        top_k: true,
        ..Variant::OPENAI
    };
    let expected = json!({"model":"m","messages":[],"max_tokens":5,"random_seed":1,"tool_choice":"any","top_k":4,
        "tools":[{"type":"function","function":{"name":"f"}}]});
    assert_eq!(sent(&body, variant), expected);
}

#[test]
fn what_the_upstream_has_no_word_for_is_refused_by_name() {
    let variant = Variant {
        seed: None,
        stops_max: 1,
        penalties: false,
        logprobs: false,
        several_answers: false,
        required: None,
        parallel_switch: false,
        ..Variant::USUAL
    };
    let tools = json!([{"type":"function","function":{"name":"f"}}]);
    let check = |member: &str, value: Value, param: &str| {
        let mut body = json!({"messages":[{"role":"user","content":"x"}],"tools":tools});
        body[member] = value;
        let text = body.to_string();
        assert_eq!(refused(&parse(text.as_bytes()).unwrap(), variant), param);
        let (sent, notes) = noted(&body, variant);
        assert!(notes.iter().any(|note| note == param), "{notes:?}");
        let expected = if param == "stop" { json!(["a"]) } else { Value::Null };
        assert!(param == "tools[0]" || param.starts_with("messages") || sent[member] == expected, "{sent}");
    };
    check("seed", json!(1), "seed");
    check("stop", json!(["a", "b"]), "stop");
    check("presence_penalty", json!(1), "presence_penalty");
    check("logprobs", json!(true), "logprobs");
    check("n", json!(2), "n");
    check("top_k", json!(2), "top_k");
    check("tool_choice", json!("required"), "tool_choice");
    check("parallel_tool_calls", json!(false), "parallel_tool_calls");
    check("modalities", json!(["audio"]), "modalities");
    check("tools", json!([{"type":"custom","custom":{"name":"c"}}]), "tools[0]");
    let content = |part: Value| json!([{"role":"user","content":[part]}]);
    check("messages", content(json!({"type":"video","video":1})), "messages[0].content[0]");
    check("messages", content(json!({"type":"file","file":{"file_id":"x"}})), "messages.document");
    check(
        "messages",
        content(json!({"type":"input_audio","input_audio":{"data":"","format":"wav"}})),
        "messages.audio",
    );
    let mut reasoner = target(Variant::OPENAI, false);
    reasoner.traits.sampling = false;
    let text = br#"{"messages":[],"temperature":0.5}"#;
    let result = compose(&parse(text).unwrap(), &reasoner, &mut Notes::default(), &mut Vec::new());
    assert_eq!(result.unwrap_err().param, "temperature");
}

#[test]
fn an_api_without_tools_is_shown_none() {
    let variant = Variant { tools: false, ..Variant::USUAL };
    let tools = json!([{"type":"function","function":{"name":"f"}}]);
    let asked = json!({"messages":[{"role":"user","content":"x"}],"tools":tools,"tool_choice":"required","parallel_tool_calls":false});
    assert_eq!(refused(&parse(asked.to_string().as_bytes()).unwrap(), variant), "tools");
    let (sent, notes) = noted(&asked, variant);
    assert_eq!(sent, json!({"model":"m","messages":[{"role":"user","content":"x"}]}));
    assert_eq!(notes, ["tools"]);
    // Of turns with tools what was said stays.
    let call = json!({"id":"1","type":"function","function":{"name":"f","arguments":"{}"}});
    let history = json!({"messages":[
        {"role":"user","content":"x"},
        {"role":"assistant","content":"I look it up.","tool_calls":[call]},
        {"role":"tool","tool_call_id":"1","content":"42"},
        {"role":"user","content":"And?"}
    ]});
    assert_eq!(refused(&parse(history.to_string().as_bytes()).unwrap(), variant), "messages");
    let expected = json!([
        {"role":"user","content":"x"},
        {"role":"assistant","content":"I look it up."},
        {"role":"user","content":"And?"}
    ]);
    assert_eq!(noted(&history, variant).0["messages"], expected);
    // Nor is an answer's schema made a tool.
    let schema = json!({"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"}}});
    let body = json!({"messages":[{"role":"user","content":"x"}],"response_format":schema}).to_string();
    let mut target = target(variant, false);
    target.traits.native_schema = false;
    let (sent, ..) = composed(&parse(body.as_bytes()).unwrap(), &target);
    assert_eq!((&sent["response_format"]["type"], &sent["tools"]), (&json!("json_object"), &Value::Null));
}

#[test]
fn hints_are_noted_once_and_never_refused() {
    let cached = json!({"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}});
    let body = json!({"messages":[
        {"role":"user","content":[cached, cached],"name":"a"},
        {"role":"user","content":[cached],"name":"b"}
    ],"user":"u","store":true});
    let variant = Variant { user: false, names: false, ..Variant::USUAL };
    let text = body.to_string();
    let (_, notes, _) = composed(&parse(text.as_bytes()).unwrap(), &target(variant, false));
    let params: Vec<_> = notes.notes.iter().map(|note| &*note.param).collect();
    assert_eq!(params, ["messages.name", "messages.cache_control", "user", "store"]);
    let control = sent(&body, Variant { cache: CacheWay::Control, ..Variant::USUAL });
    assert_eq!(control["messages"][1]["content"], json!([cached]));
}

#[test]
fn texts_become_one_where_lists_are_not_taken() {
    let plain = Variant { plain_content: true, ..Variant::USUAL };
    let list = json!([{"type":"text","text":"a"},{"type":"text","text":"b"}]);
    let image = json!({"type":"image_url","image_url":{"url":"https://example.com/a"}});
    let body = json!({"messages":[
        {"role":"system","content":"s"},{"role":"system","content":"t"},
        {"role":"user","content":list},
        {"role":"user","content":[image]},
        {"role":"assistant","content":list},
        {"role":"user","content":"x"}
    ]});
    assert_eq!(
        sent(&body, plain)["messages"],
        json!([
            {"role":"system","content":"s\n\nt"},
            {"role":"user","content":"a\n\nb"},
            {"role":"user","content":[image]},
            {"role":"assistant","content":"ab"},
            {"role":"user","content":"x"}
        ])
    );
}

#[test]
fn results_of_tools_follow_their_calls_and_hold_texts() {
    let call = |name: &'static str| {
        let input = ToolInput::Object(Raw(b"{}".into()));
        Part::from(PartBody::ToolCall(ToolCall {
            id: Text::default(),
            name: Text::plain(name),
            input,
            signature: None,
        }))
    };
    let result = |name: &'static str, content: Vec<Part<'static>>, object: Option<&'static str>, is_error| {
        let object = object.map(|object| Raw(object.as_bytes().into()));
        let name = Some(Text::plain(name));
        Part::from(PartBody::ToolResult(ToolResult { call_id: Text::default(), name, content, object, is_error }))
    };
    let image = Part::from(PartBody::Image { source: Source::Url(Text::plain("https://example.com/a")), detail: None });
    let conversation = vec![
        turn(Role::User, vec![said("x")]),
        turn(Role::Assistant, vec![call("f"), call("g"), call("f")]),
        turn(
            Role::User,
            vec![
                said("after"),
                result("g", vec![said("1"), image], None, true),
                result("f", vec![], Some("{\"a\":1}"), false),
                result("f", vec![], None, false),
            ],
        ),
    ];
    let request = Request { messages: conversation, ..Request::default() };
    let (sent, notes, _) = composed(&request, &target(Variant::OPENAI, false));
    let call = |id: &str, name: &str| json!({"id":id,"type":"function","function":{"name":name,"arguments":"{}"}});
    assert_eq!(
        sent["messages"],
        json!([
            {"role":"user","content":"x"},
            {"role":"assistant","content":null,"tool_calls":[call("call_0", "f"), call("call_1", "g"), call("call_2", "f")]},
            {"role":"tool","tool_call_id":"call_1","content":"1"},
            {"role":"tool","tool_call_id":"call_0","content":"{\"a\":1}"},
            {"role":"tool","tool_call_id":"call_2","content":""},
            {"role":"user","content":[
                {"type":"image_url","image_url":{"url":"https://example.com/a"}},{"type":"text","text":"after"}]}
        ])
    );
    let params: Vec<_> = notes.notes.iter().map(|note| &*note.param).collect();
    assert_eq!(params, ["messages.tool_result", "messages.is_error"]);
}

#[test]
fn ids_of_calls_are_what_the_upstream_takes() {
    let long = "toolu_".to_owned() + &"x".repeat(40);
    let body = |id: &str| {
        json!({"messages":[
            {"role":"assistant","content":null,"tool_calls":[{"id":id,"type":"function","function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":id,"content":""}
        ]})
    };
    let id = |id: &str, call_ids| {
        let sent = sent(&body(id), Variant { call_ids, ..Variant::OPENAI });
        let (call, result) = (&sent["messages"][0]["tool_calls"][0]["id"], &sent["messages"][1]["tool_call_id"]);
        assert_eq!(call, result);
        call.as_str().unwrap().to_owned()
    };
    assert_eq!(id("call_1", CallIds::Short), "call_1");
    assert!(id(&long, CallIds::Short).len() <= 40);
    assert_eq!(id("abcDEF123", CallIds::Nine), "abcDEF123");
    for other in ["call_1", &long, "abc-EF123"] {
        let nine = id(other, CallIds::Nine);
        assert!(nine.len() == 9 && nine.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{nine}");
    }
    assert_ne!(id("call_1", CallIds::Nine), id("call_2", CallIds::Nine));
}

#[test]
fn names_of_tools_are_changed_and_changed_back() {
    let function = |name: &str| json!({"type":"function","function":{"name":name}});
    let long = "n".repeat(70);
    let body = json!({
        "messages":[{"role":"assistant","content":null,"tool_calls":[
            {"id":"1","type":"function","function":{"name":"get.weather","arguments":"{}"}}]}],
        "tools":[function("get.weather"), function("get_weather"), function("get:weather"), function(&long)],
        "tool_choice":{"type":"function","function":{"name":"get:weather"}}
    });
    let text = body.to_string();
    let (sent, _, adapted) = composed(&parse(text.as_bytes()).unwrap(), &target(Variant::OPENAI, false));
    let names: Vec<_> = (0..4).map(|tool| sent["tools"][tool]["function"]["name"].as_str().unwrap()).collect();
    assert_eq!(names[..3], ["get_weather_2", "get_weather", "get_weather_3"]);
    assert_eq!(sent["messages"][0]["tool_calls"][0]["function"]["name"], "get_weather_2");
    assert_eq!(sent["tool_choice"]["function"]["name"], "get_weather_3");
    let back = |upstream: &str| adapted.names.iter().find(|(name, _)| &**name == upstream).map(|(_, name)| &**name);
    assert_eq!(
        (back(names[0]), back(names[2]), back(names[3])),
        (Some("get.weather"), Some("get:weather"), Some(&*long))
    );
    assert_eq!(adapted.names.len(), 3);
}

#[test]
fn only_allowed_tools_are_shown_where_there_is_no_word_for_them() {
    let function = |name: &str| json!({"type":"function","function":{"name":name}});
    let choice = json!({"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[function("g")]}});
    let body = json!({"messages":[],"tools":[function("f"), function("g")],"tool_choice":choice});
    let sent = sent(&body, Variant::USUAL);
    assert_eq!((&sent["tools"], &sent["tool_choice"]), (&json!([function("g")]), &json!("required")));
}

#[test]
fn choices_without_tools_say_nothing() {
    let body = json!({"messages":[],"tool_choice":"none","parallel_tool_calls":false,"tools":[]});
    assert_eq!(sent(&body, Variant::OPENAI), json!({"model":"m","messages":[]}));
}

#[test]
fn custom_tools_of_responses_get_their_form_here() {
    let raw = |tool: &'static str| Tool::Other {
        param: "tools[0]".into(),
        kind: Text::plain("custom"),
        raw: Raw(tool.as_bytes().into()),
    };
    let tool = raw(
        r#"{"type":"custom","name":"c","description":"d","format":{"type":"grammar","syntax":"lark","definition":"x"}}"#,
    );
    let tool_choice = Some(ToolChoice::Tool(Text::plain("c")));
    let (sent, ..) =
        composed(&Request { tools: vec![tool], tool_choice, ..Request::default() }, &target(Variant::OPENAI, false));
    let format = json!({"type":"grammar","grammar":{"definition":"x","syntax":"lark"}});
    assert_eq!(sent["tools"], json!([{"type":"custom","custom":{"name":"c","description":"d","format":format}}]));
    assert_eq!(sent["tool_choice"], json!({"type":"custom","custom":{"name":"c"}}));
}

#[test]
fn a_schema_is_had_in_three_ways() {
    let schema = json!({"type":"object","properties":{"a":{"type":"string"}}});
    let body = |tools: Value| {
        json!({"messages":[{"role":"user","content":"x"}],"tools":tools,
            "response_format":{"type":"json_schema","json_schema":{"name":"my form","schema":schema}}})
    };
    let native = sent(&body(json!(null)), Variant::OPENAI);
    let described = json!({"name":"answer","schema":schema,"strict":false});
    assert_eq!(native["response_format"], json!({"type":"json_schema","json_schema":described}));

    let tool = Variant { schema: SchemaWay::Tool, ..Variant::USUAL };
    let text = body(json!(null)).to_string();
    let (sent_alone, _, adapted) = composed(&parse(text.as_bytes()).unwrap(), &target(tool, false));
    assert_eq!(adapted.answer_tool.as_deref(), Some("answer"));
    assert_eq!(sent_alone["tool_choice"], json!({"type":"function","function":{"name":"answer"}}));
    assert_eq!(sent_alone["tools"][0]["function"]["parameters"], schema);
    assert_eq!(sent_alone.get("response_format"), None);
    let beside = sent(&body(json!([{"type":"function","function":{"name":"answer"}}])), tool);
    assert_eq!(
        (&beside["tool_choice"], &beside["tools"][1]["function"]["name"]),
        (&json!("required"), &json!("answer_"))
    );
    let mut traits = target(Variant::OPENAI, false);
    traits.traits.native_schema = false;
    assert!(composed(&parse(text.as_bytes()).unwrap(), &traits).2.answer_tool.is_some());

    let told = sent(&body(json!(null)), Variant { schema: SchemaWay::Instructed, ..Variant::USUAL });
    assert_eq!(told["response_format"], json!({"type":"json_object"}));
    assert!(told["messages"][0]["content"].as_str().unwrap().ends_with(&schema.to_string()));
}

#[test]
fn a_model_that_thinks_is_not_forced() {
    let is_forced = |thinks: bool, effort: Value| {
        let body = json!({"messages":[],"reasoning_effort":effort,
            "response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"}}}});
        let mut target = target(Variant { schema: SchemaWay::ToolUnlessThinking, ..Variant::USUAL }, false);
        target.traits.thinks = thinks;
        composed(&parse(body.to_string().as_bytes()).unwrap(), &target).2.answer_tool.is_some()
    };
    for (thinks, effort, expected) in [
        (true, json!(null), false),
        (true, json!("low"), false),
        (true, json!("none"), true),
        (false, json!(null), true),
        (false, json!("high"), false),
    ] {
        assert_eq!(is_forced(thinks, effort.clone()), expected, "{thinks} {effort}");
    }
}

#[test]
fn json_is_asked_for_by_name() {
    let body =
        |said: &str| json!({"messages":[{"role":"user","content":said}],"response_format":{"type":"json_object"}});
    assert_eq!(sent(&body("x"), Variant::OPENAI)["messages"][0]["content"], "Answer with a JSON object.");
    assert_eq!(sent(&body("as json"), Variant::OPENAI)["messages"].as_array().unwrap().len(), 1);
}

#[test]
fn strict_schemas_are_those_that_can_be_enforced() {
    let check = |strict: Option<bool>, schema: Value, sent_schema: Option<Value>| {
        let form = json!({"name":"n","schema":schema,"strict":strict});
        let body = json!({"messages":[],"response_format":{"type":"json_schema","json_schema":form}});
        let form = &sent(&body, Variant::OPENAI)["response_format"]["json_schema"];
        assert_eq!(form["strict"], json!(sent_schema.is_some() && strict != Some(false)));
        assert_eq!(form["schema"], sent_schema.unwrap_or(schema));
    };
    let closed = |properties: Value, required: Value| json!({"type":"object","properties":properties,"required":required,"additionalProperties":false});
    let whole = closed(json!({"a":{"type":["string","null"]}}), json!(["a"]));
    check(None, whole.clone(), Some(whole.clone()));
    check(Some(true), whole.clone(), Some(whole.clone()));
    check(Some(false), whole.clone(), Some(whole.clone()));
    // What was optional may be null, if that is what it takes to keep to what the client asked for.
    let optional = json!({"type":"object","properties":{"a":{"type":"string"}}});
    check(Some(true), optional.clone(), Some(whole));
    check(None, optional, None);
    check(Some(true), json!({"type":"object"}), None);
}

#[test]
fn ids_of_schemas_are_left_out_but_not_properties() {
    let schema = json!({"$schema":"x","$id":"y","type":"object","properties":{"$id":{"$id":"z","type":"string"}},
        "anyOf":[{"$schema":"x"}],"required":["$id"],"enum":[{"$id":1}]});
    let body = json!({"messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":schema}}]});
    assert_eq!(
        sent(&body, Variant { schema_ids: false, ..Variant::USUAL })["tools"][0]["function"]["parameters"],
        json!({"type":"object","properties":{"$id":{"type":"string"}},"anyOf":[{}],"required":["$id"],"enum":[{"$id":1}]})
    );
}

#[test]
fn an_answer_stands_between_a_result_and_the_user_where_the_upstream_demands_it() {
    let call = json!({"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]});
    let result = json!({"role":"tool","tool_call_id":"c","content":"1"});
    let user = json!({"role":"user","content":"and?"});
    let roles = |messages: Vec<&Value>, needs| {
        let body = json!({"messages": messages});
        let sent = sent(&body, Variant { needs_answer_to_results: needs, ..Variant::USUAL });
        let roles: Vec<_> =
            sent["messages"].as_array().unwrap().iter().map(|message| message["role"].clone()).collect();
        json!(roles)
    };
    let history = vec![&user, &call, &result, &user, &user];
    assert_eq!(roles(history.clone(), false), json!(["user", "assistant", "tool", "user", "user"]));
    assert_eq!(roles(history, true), json!(["user", "assistant", "tool", "assistant", "user", "user"]));
    let answered = vec![&user, &call, &result, &call, &result];
    assert_eq!(roles(answered, true), json!(["user", "assistant", "tool", "assistant", "tool"]));
}

#[test]
fn a_function_without_parameters_has_none_unless_the_upstream_demands_them() {
    let body = json!({"messages":[],"tools":[{"type":"function","function":{"name":"f"}}]});
    let function = |needs_parameters| {
        sent(&body, Variant { needs_parameters, ..Variant::USUAL })["tools"][0]["function"]["parameters"].clone()
    };
    assert_eq!(function(false), Value::Null);
    assert_eq!(function(true), json!({"type":"object","properties":{}}));
}

#[test]
fn thinking_is_asked_for_in_the_upstreams_words() {
    let check = |reasoning: Reasoning, thinking: ThinkingWay, expected: Value| {
        let variant = Variant { thinking, ..Variant::USUAL };
        let request = Request { reasoning: Some(reasoning), ..Request::default() };
        let mut sent = composed(&request, &target(variant, false)).0;
        let members = sent.as_object_mut().unwrap();
        members.retain(|name, _| name != "model" && name != "messages");
        assert_eq!(sent, expected, "{reasoning:?} {thinking:?}");
    };
    let none = Reasoning::default();
    let effort = |effort| Reasoning { effort: Some(effort), ..none };
    let budget = Reasoning { budget_tokens: Some(2_000), show: Some(false), ..none };
    check(effort(Effort::Medium), ThinkingWay::Effort, json!({"reasoning_effort":"medium"}));
    check(effort(Effort::Max), ThinkingWay::Effort, json!({"reasoning_effort":"high"}));
    check(budget, ThinkingWay::Effort, json!({"reasoning_effort":"medium"}));
    check(none, ThinkingWay::Effort, json!({}));
    check(budget, ThinkingWay::Reasoning, json!({"reasoning":{"max_tokens":2000,"exclude":true}}));
    check(effort(Effort::None), ThinkingWay::Reasoning, json!({"reasoning":{"enabled":false}}));
    check(effort(Effort::None), ThinkingWay::Switch, json!({"thinking":{"type":"disabled"}}));
    check(none, ThinkingWay::Switch, json!({"thinking":{"type":"enabled"}}));
    check(effort(Effort::High), ThinkingWay::Enable, json!({"enable_thinking":true,"thinking_budget":4096}));
    check(effort(Effort::None), ThinkingWay::Enable, json!({"enable_thinking":false}));
    check(effort(Effort::High), ThinkingWay::None, json!({}));
}

#[test]
fn thoughts_go_back_to_who_takes_them() {
    let signature = || Signature { origin: Origin::Anthropic, value: Text::plain("abc") };
    let thought = || Part::from(PartBody::Thinking { text: Text::plain("why"), signature: Some(signature()) });
    let call = || {
        let input = ToolInput::Object(Raw(b"{}".into()));
        let signature = Some(Signature { origin: Origin::Gemini, value: Text::plain("sig") });
        Part::from(PartBody::ToolCall(ToolCall { id: Text::plain("1"), name: Text::plain("f"), input, signature }))
    };
    let assistant = |parts: Vec<Part<'static>>, thoughts| {
        messages(vec![turn(Role::Assistant, parts)], Variant { thoughts, thought_signatures: true, ..Variant::USUAL })
            [0]
        .take()
    };
    let said_only = assistant(vec![thought(), said("x")], ThoughtsBack::WithCalls(" "));
    assert_eq!(said_only, json!({"role":"assistant","content":"x"}));
    let with_call = assistant(vec![thought(), call()], ThoughtsBack::WithCalls(" "));
    assert_eq!(with_call["reasoning_content"], "why");
    assert_eq!(with_call["tool_calls"][0]["extra_content"]["google"]["thought_signature"], "sig");
    assert_eq!(assistant(vec![call()], ThoughtsBack::WithCalls(" "))["reasoning_content"], " ");
    assert_eq!(assistant(vec![thought()], ThoughtsBack::Content)["reasoning_content"], "why");
    assert_eq!(
        assistant(vec![thought(), SealedThought::part()], ThoughtsBack::Blocks)["thinking_blocks"],
        json!([
            {"type":"thinking","thinking":"why","signature":"anthropic:abc"},
            {"type":"redacted_thinking","data":"openai:xyz"}
        ])
    );
}

struct SealedThought;

impl SealedThought {
    fn part() -> Part<'static> {
        PartBody::SealedThinking(Signature { origin: Origin::OpenAi, value: Text::plain("xyz") }).into()
    }
}

#[test]
fn a_turn_to_go_on_with_is_marked_where_that_is_understood() {
    let conversation = || vec![turn(Role::User, vec![said("x")]), turn(Role::Assistant, vec![said("1.")])];
    let marked = messages(conversation(), Variant { prefix: true, ..Variant::USUAL });
    assert_eq!(marked[1], json!({"role":"assistant","content":"1.","prefix":true}));
    let request = Request { messages: conversation(), ..Request::default() };
    assert_eq!(composed(&request, &target(Variant::OPENAI, false)).1.notes[0].kind, NoteKind::Adapted);
}

#[test]
fn documents_of_plain_text_are_text() {
    let document = |source| Part::from(PartBody::Document { source, name: Some(Text::plain("t")) });
    let sent = messages(vec![turn(Role::User, vec![document(Source::Plain(Text::plain("a\nb")))])], Variant::USUAL);
    assert_eq!(sent[0]["content"], json!([{"type":"text","text":"a\nb"}]));
    let inline = Source::Inline { media_type: Text::plain("application/pdf"), base64: Text::plain("QUJD") };
    let unnamed = Part::from(PartBody::Document { source: inline, name: None });
    let sent = messages(vec![turn(Role::User, vec![unnamed])], Variant::OPENAI);
    assert_eq!(sent[0]["content"][0]["file"], json!({"filename":"document.pdf","file_data":PDF}));
    let request = Request {
        messages: vec![turn(Role::User, vec![document(Source::Url(Text::plain("https://example.com")))])],
        ..Request::default()
    };
    assert_eq!(refused(&request, Variant::OPENAI), "messages.document");
}

/// What every dialect's clients ask for in the golden tests says the same after it went through the canonical form.
#[test]
fn golden_requests_come_out_as_they_went_in() {
    let variant = Variant { thoughts: ThoughtsBack::Blocks, thought_signatures: true, ..Variant::OPENAI };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/_requests/openai_chat");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("functions_of_before.json") {
            // They come out as tools.
            continue;
        }
        let text = std::fs::read(&path).unwrap();
        let mut expected: Value = serde_json::from_slice(&text).unwrap();
        let request = parse(&text).unwrap_or_else(|invalid| panic!("{invalid:?} in {path:?}"));
        let (sent, notes, _) = composed(&request, &target(variant, false));
        // The same in the words that we use.
        expected["model"] = json!("m");
        let members = expected.as_object_mut().unwrap();
        for (theirs, ours) in [("safety_identifier", "user"), ("max_tokens", "max_completion_tokens")] {
            if let Some(value) = members.remove(theirs) {
                members.insert(ours.to_owned(), value);
            }
        }
        if expected["stream"] == true {
            expected["stream_options"] = json!({"include_usage":true});
        }
        if expected["stop"].is_string() {
            expected["stop"] = json!([expected["stop"]]);
        }
        for message in expected["messages"].as_array_mut().unwrap() {
            if message["role"] == "developer" {
                message["role"] = json!("system");
            }
        }
        expected.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        assert_eq!(sent, expected, "{path:?}");
        assert!(notes.notes.iter().all(|note| note.kind != NoteKind::Dropped), "{path:?} {notes:?}");
        seen += 1;
    }
    assert!(seen > 50, "{seen} requests");
}
