use super::*;
use crate::dialects::canonical::*;
use crate::json::piece::Raw;
use proptest::prelude::*;
use serde_json::json;

fn parsed<T>(body: serde_json::Value, look: impl FnOnce(Request<'_>) -> T) -> T {
    let text = body.to_string();
    look(parse(text.as_bytes()).unwrap_or_else(|invalid| panic!("{invalid:?} of {text}")))
}

/// Reads one message after a user's turn.
fn message<T>(message: serde_json::Value, look: impl FnOnce(&Message<'_>, &Request<'_>) -> T) -> T {
    let body = json!({"messages":[{"role":"user","content":"x"}, message]});
    parsed(body, |request| look(request.messages.last().unwrap(), &request))
}

fn part<T>(part: serde_json::Value, look: impl FnOnce(&Part<'_>, &Request<'_>) -> T) -> T {
    let body = json!({"role":"user","content":[part]});
    message(body, |message, request| look(&message.parts[0], request))
}

/// A whole text in a form that `Text` compares by.
fn same(text: &Text<'_>, expected: &str) -> bool {
    text.says(expected)
}

fn extras(request: &Request<'_>) -> Vec<(String, String, bool)> {
    let text = |extra: &Extra<'_>| String::from_utf8(extra.value.0.to_vec()).unwrap();
    request.extras.iter().map(|extra| (extra.param.to_string(), text(extra), extra.is_hint)).collect()
}

#[test]
fn takes_the_members_that_it_understands() {
    let body = json!({
        "model":"m","messages":[],"max_tokens":5,"max_completion_tokens":7,"temperature":0.70,"top_p":1,"top_k":40,
        "frequency_penalty":-2,"presence_penalty":0.5,"seed":-1,"stop":["a","b"],"logprobs":true,"top_logprobs":3,"n":2,
        "reasoning_effort":"xhigh","stream":true,"stream_options":{"include_usage":true},"user":"u","safety_identifier":"s",
        "parallel_tool_calls":false
    });
    parsed(body, |request| {
        assert_eq!(extras(&request), [("user".to_owned(), "\"u\"".to_owned(), true)]);
        let raw = |number: &'static str| Some(Raw(number.as_bytes().into()));
        assert_eq!(request.output_tokens_max, Some(7));
        assert_eq!((request.temperature, request.top_p, request.top_k), (raw("0.7"), raw("1"), raw("40")));
        assert_eq!(
            (request.frequency_penalty, request.presence_penalty, request.seed),
            (raw("-2"), raw("0.5"), raw("-1"))
        );
        assert!(same(&request.stop[0], "a") && same(&request.stop[1], "b"));
        assert_eq!((request.logprobs, request.answers, request.parallel_tool_calls), (Some(3), Some(2), Some(false)));
        assert_eq!(request.reasoning.unwrap().effort, Some(Effort::XHigh));
        assert!(request.stream && request.stream_usage && same(request.user.as_ref().unwrap(), "s"));
    });
    for same in
        [json!({"messages":[],"user":"u","safety_identifier":"u"}), json!({"messages":[],"safety_identifier":"u"})]
    {
        parsed(same, |request| assert!(request.user.unwrap().says("u") && request.extras.is_empty()));
    }
    assert!(parse(br#"{"messages":[],"n":0}"#).is_err_and(|invalid| invalid.param == "n"));
}

#[test]
fn null_is_as_good_as_nothing_and_the_last_of_two_counts() {
    let text =
        br#"{"messages":[],"n":1,"n":null,"x":1,"x":2,"y":1,"y":null,"tools":null,"stop":null,"response_format":null}"#;
    let request = parse(text).unwrap();
    assert_eq!((request.answers, &request.output), (None, &OutputFormat::Text));
    assert_eq!(extras(&request), [("x".into(), "2".into(), false)]);
}

#[test]
fn what_is_not_understood_is_carried_with_its_path() {
    let body = json!({
        "messages":[
            {"role":"user","content":[{"type":"text","text":"x","mood":1}],"tool_calls":[],"refusal":"no"},
            {"role":"assistant","content":"y","annotations":[],"new":{}}
        ],
        "logit_bias":{"5":1},"store":true,"modalities":["text"],"stream_options":{"include_obfuscation":false},
        "reasoning":{"summary":"auto"},"reasoning_effort":"default"
    });
    let expected = [
        ("logit_bias", r#"{"5":1}"#, false),
        ("modalities", r#"["text"]"#, true),
        ("store", "true", true),
        ("messages[0].content[0].mood", "1", false),
        ("messages[0].refusal", r#""no""#, false),
        ("messages[1].annotations", "[]", true),
        ("messages[1].new", "{}", false),
        ("reasoning_effort", r#""default""#, false),
        ("reasoning.summary", r#""auto""#, false),
        ("stream_options.include_obfuscation", "false", true),
    ];
    let expected = expected.map(|(param, value, is_hint)| (param.to_owned(), value.to_owned(), is_hint));
    parsed(body, |request| assert_eq!(extras(&request), expected));
}

#[test]
fn says_what_is_wrong_and_where() {
    let check = |body: serde_json::Value, param: &str, message: &str| {
        let text = body.to_string();
        let invalid = parse(text.as_bytes()).expect_err(&text);
        assert_eq!((invalid.param.as_str(), &*invalid.message), (param, message));
    };
    let turn = |message: serde_json::Value| json!({"messages":[message]});
    check(json!({}), "messages", "'messages' is missing.");
    check(json!({"messages":{}}), "messages", "'messages' must be an array.");
    check(json!({"messages":[],"n":1.5}), "n", "'n' must be a whole number.");
    check(json!({"messages":[],"stop":[1]}), "stop[0]", "'stop[0]' must be a string.");
    check(
        json!({"messages":[],"top_logprobs":2}),
        "top_logprobs",
        "'top_logprobs' must be given with 'logprobs': true.",
    );
    check(turn(json!({"content":"x"})), "messages[0].role", "'messages[0].role' is missing.");
    check(turn(json!({"role":"user"})), "messages[0].content", "'messages[0].content' is missing.");
    check(
        turn(json!({"role":"user","content":[{"type":"image_url","image_url":{"url":5}}]})),
        "messages[0].content[0].image_url.url",
        "'messages[0].content[0].image_url.url' must be a string.",
    );
    check(
        turn(
            json!({"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":[1]}}]}),
        ),
        "messages[0].tool_calls[0].function.arguments",
        "'messages[0].tool_calls[0].function.arguments' must be a string.",
    );
    check(
        turn(json!({"role":"tool","content":"x"})),
        "messages[0].tool_call_id",
        "'messages[0].tool_call_id' is missing.",
    );
    check(
        json!({"messages":[],"tools":[{"type":"function","function":{"description":"x"}}]}),
        "tools[0].function.name",
        "'tools[0].function.name' is missing.",
    );
    check(
        json!({"messages":[],"tool_choice":"sometimes"}),
        "tool_choice",
        "'tool_choice' must be none, auto, required, or an object that names a tool or allowed tools.",
    );
    check(
        json!({"messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"x"}}}),
        "response_format.json_schema.schema",
        "'response_format.json_schema.schema' is missing.",
    );
}

#[test]
fn system_messages_before_the_first_turn_are_the_system_prompt() {
    let body = json!({"messages":[
        {"role":"system","content":"a"},
        {"role":"developer","content":[{"type":"text","text":"b","cache_control":{"type":"ephemeral","ttl":"1h"}}]},
        {"role":"user","content":"c","name":"ann"},
        {"role":"developer","content":"d"},
    ]});
    parsed(body, |request| {
        let cache: Vec<_> = request.system.iter().map(|part| part.cache).collect();
        assert_eq!(cache, [None, Some(CacheHint::Long)]);
        let roles: Vec<_> = request.messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::User, Role::System]);
        assert!(request.messages[0].name.as_ref().is_some_and(|name| same(name, "ann")));
    });
}

#[test]
fn a_picture_is_data_or_an_address() {
    let image = |url: &str| json!({"type":"image_url","image_url":{"url":url,"detail":"low"}});
    part(image("data:image/png;base64,QUJD"), |part, _| {
        let PartBody::Image { source: Source::Inline { media_type, base64 }, detail } = &part.body else {
            panic!("{part:?}")
        };
        assert!(same(media_type, "image/png") && same(base64, "QUJD"));
        assert!(matches!(base64, Text::Escaped(Cow::Borrowed(_))), "megabytes are not copied");
        assert!(detail.as_ref().is_some_and(|detail| same(detail, "low")));
    });
    part(image("https://example.com/a.png"), |part, _| {
        assert!(
            matches!(&part.body, PartBody::Image { source: Source::Url(url), .. } if same(url, "https://example.com/a.png"))
        );
    });
    // PHP escapes slashes, which base64 has.
    let text = br#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image\/png;x=y;base64,Q\/=="}}]}]}"#;
    let request = parse(text).unwrap();
    let PartBody::Image { source: Source::Inline { media_type, base64 }, .. } = &request.messages[0].parts[0].body
    else {
        panic!("{request:?}")
    };
    assert!(same(media_type, "image/png") && same(base64, "Q/=="));
}

#[test]
fn sounds_and_files_have_media_types() {
    part(json!({"type":"input_audio","input_audio":{"data":"QUJD","format":"mp3"}}), |part, _| {
        let PartBody::Audio { source: Source::Inline { media_type, base64 } } = &part.body else { panic!("{part:?}") };
        assert!(same(media_type, "audio/mp3") && same(base64, "QUJD"));
    });
    let file = |file: serde_json::Value| json!({"type":"file","file":file});
    part(file(json!({"filename":"a.pdf","file_data":"data:application/pdf;base64,QUJD"})), |part, _| {
        let PartBody::Document { source: Source::Inline { media_type, .. }, name } = &part.body else {
            panic!("{part:?}")
        };
        assert!(same(media_type, "application/pdf") && name.as_ref().is_some_and(|name| same(name, "a.pdf")));
    });
    // A text is a text, whatever it came as; what is none stays as it came.
    part(file(json!({"filename":"a.txt","file_data":"data:text/plain;base64,aMOpbGxv"})), |part, _| {
        let PartBody::Document { source: Source::Plain(text), .. } = &part.body else { panic!("{part:?}") };
        assert!(same(text, "héllo"));
    });
    for left in ["data:text/plain;base64,/w==", "data:text/csv;base64,?"] {
        part(file(json!({"file_data":left})), |part, _| {
            assert!(matches!(&part.body, PartBody::Document { source: Source::Inline { .. }, .. }), "{part:?}");
        });
    }
    part(file(json!({"file_id":"file-1"})), |part, _| {
        assert!(matches!(&part.body, PartBody::Document { source: Source::File(id), .. } if same(id, "file-1")));
    });
    part(json!({"type":"hologram","hologram":1}), |part, _| {
        let PartBody::Other { param, raw } = &part.body else { panic!("{part:?}") };
        assert_eq!((param.as_str(), &*raw.0), ("messages[1].content[0]", &br#"{"hologram":1,"type":"hologram"}"#[..]));
    });
}

#[test]
fn thoughts_keep_their_signatures_and_whose_they_are() {
    let assistant = json!({
        "role":"assistant","content":"","reasoning_content":"all of it",
        "thinking_blocks":[
            {"type":"thinking","thinking":"why","signature":"anthropic:abc=="},
            {"type":"thinking","thinking":"","signature":"gemini:def"},
            {"type":"redacted_thinking","data":"ghi"}
        ],
        "tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":""},
            "extra_content":{"google":{"thought_signature":"jkl"}}}]
    });
    message(assistant, |message, request| {
        let [first, second, third, call] = &message.parts[..] else { panic!("{message:?}") };
        let PartBody::Thinking { text, signature: Some(signature) } = &first.body else { panic!("{first:?}") };
        assert!(same(text, "why") && signature.origin == Origin::Anthropic && same(&signature.value, "abc=="));
        let PartBody::Thinking { text, signature: Some(signature) } = &second.body else { panic!("{second:?}") };
        assert!(same(text, "all of it") && signature.origin == Origin::Gemini);
        let PartBody::SealedThinking(signature) = &third.body else { panic!("{third:?}") };
        assert!(signature.origin == Origin::Unknown && same(&signature.value, "ghi"));
        let PartBody::ToolCall(call) = &call.body else { panic!("{call:?}") };
        assert_eq!(call.input, ToolInput::Object(Raw(b"{}".into())));
        assert_eq!(call.signature.as_ref().map(|signature| signature.origin), Some(Origin::Gemini));
        assert_eq!(request.extras, vec![]);
    });
    message(json!({"role":"assistant","content":"x","reasoning":"because"}), |message, _| {
        assert!(
            matches!(&message.parts[0].body, PartBody::Thinking { text, signature: None } if same(text, "because"))
        );
    });
}

#[test]
fn results_of_tools_are_one_turn_and_know_their_tools() {
    let call = |id: &str, name: &str| json!({"id":id,"type":"function","function":{"name":name,"arguments":"{\"a\":\"\\u00e9\"}"}});
    let body = json!({"messages":[
        {"role":"user","content":"x"},
        {"role":"assistant","content":null,"tool_calls":[call("c1","f"),call("c2","g")]},
        {"role":"tool","tool_call_id":"c2","content":""},
        {"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"1"},{"type":"text","text":"2"}]},
        {"role":"user","content":"y"},
        {"role":"assistant","function_call":{"name":"h","arguments":"{}"}},
        {"role":"function","name":"h","content":"z"},
    ]});
    parsed(body, |request| {
        let roles: Vec<_> = request.messages.iter().map(|message| (message.role, message.parts.len())).collect();
        let (user, assistant) = (Role::User, Role::Assistant);
        assert_eq!(roles, [(user, 1), (assistant, 2), (user, 2), (user, 1), (assistant, 1), (user, 1)]);
        let PartBody::ToolCall(call) = &request.messages[1].parts[0].body else { panic!() };
        assert_eq!(call.input, ToolInput::Object(Raw(br#"{"a":"\u00e9"}"#.into())));
        let results: Vec<_> = [2, 5]
            .iter()
            .flat_map(|index| &request.messages[*index].parts)
            .map(|part| match &part.body {
                PartBody::ToolResult(result) => (
                    result.call_id.decoded().into_owned(),
                    result.name.as_ref().unwrap().decoded().into_owned(),
                    result.content.len(),
                ),
                other => panic!("{other:?}"),
            })
            .collect();
        let row = |id: &str, name: &str, parts| (id.to_owned(), name.to_owned(), parts);
        assert_eq!(results, [row("c2", "g", 0), row("c1", "f", 2), row("", "h", 1)]);
    });
}

#[test]
fn tools_and_which_may_be_called() {
    let body = |choice: serde_json::Value| {
        json!({"messages":[],"tool_choice":choice,"tools":[
            {"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true},"cache_control":{"type":"ephemeral"}},
            {"type":"custom","custom":{"name":"g"}}
        ]})
    };
    parsed(body(json!("auto")), |request| {
        let Tool::Function(function) = &request.tools[0] else { panic!() };
        assert_eq!((function.strict, function.cache), (Some(true), Some(CacheHint::Short)));
        assert_eq!(function.schema, Some(Raw(br#"{"type":"object"}"#.into())));
        let Tool::Other { param, kind, .. } = &request.tools[1] else { panic!() };
        assert!(param == "tools[1]" && same(kind, "custom"));
    });
    let choice = |choice: serde_json::Value| {
        parsed(body(choice), |request| match request.tool_choice.unwrap() {
            ToolChoice::Tool(name) => format!("tool {}", name.decoded()),
            ToolChoice::Among { names, required } => {
                format!("{:?} {required}", names.iter().map(Text::decoded).collect::<Vec<_>>())
            }
            other => format!("{other:?}"),
        })
    };
    for (given, expected) in [("auto", "Auto"), ("none", "None"), ("required", "Required"), ("any", "Required")] {
        assert_eq!(choice(json!(given)), expected);
    }
    assert_eq!(choice(json!({"type":"function","function":{"name":"f"}})), "tool f");
    assert_eq!(choice(json!({"type":"custom","custom":{"name":"g"}})), "tool g");
    let tools = json!([{"type":"function","function":{"name":"f"}}]);
    let allowed = json!({"type":"allowed_tools","allowed_tools":{"mode":"required","tools":tools}});
    assert_eq!(choice(allowed), r#"["f"] true"#);
    let legacy = json!({"messages":[],"functions":[{"name":"f"}],"function_call":{"name":"f"}});
    parsed(legacy, |request| {
        assert!(matches!(&request.tools[0], Tool::Function(function) if same(&function.name, "f")));
        assert!(matches!(&request.tool_choice, Some(ToolChoice::Tool(name)) if same(name, "f")));
        assert!(request.wants_function_calls);
    });
    let both = json!({"messages":[],"functions":[{"name":"f"}],"tools":[]});
    parsed(both, |request| assert!(!request.wants_function_calls, "who knows tools gets calls of tools"));
}

#[test]
fn thinking_is_asked_for_in_three_ways() {
    let reasoning = |member: &str, value: serde_json::Value| {
        let mut body = json!({"messages":[]});
        body[member] = value;
        parsed(body, |request| request.reasoning.unwrap())
    };
    let none = Reasoning::default();
    let effort = |effort| Reasoning { effort: Some(effort), ..none };
    assert_eq!(reasoning("reasoning_effort", json!("none")), effort(Effort::None));
    assert_eq!(reasoning("reasoning", json!({"effort":"high"})), effort(Effort::High));
    assert_eq!(reasoning("reasoning", json!({"enabled":false})), effort(Effort::None));
    assert_eq!(
        reasoning("reasoning", json!({"max_tokens":2000,"exclude":true})),
        Reasoning { budget_tokens: Some(2000), show: Some(false), ..none }
    );
    assert_eq!(reasoning("thinking", json!({"type":"disabled"})), effort(Effort::None));
    assert_eq!(reasoning("thinking", json!({"type":"adaptive"})), none);
    assert_eq!(
        reasoning("thinking", json!({"type":"enabled","budget_tokens":1024})),
        Reasoning { budget_tokens: Some(1024), ..none }
    );
}

#[test]
fn the_form_of_the_answer() {
    let output = |format: serde_json::Value, look: fn(OutputFormat<'_>)| {
        parsed(json!({"messages":[],"response_format":format}), |request| look(request.output));
    };
    output(json!({"type":"text"}), |output| assert_eq!(output, OutputFormat::Text));
    output(json!({"type":"json_object"}), |output| assert_eq!(output, OutputFormat::JsonObject));
    let schema = json!({"name":"n","schema":{"type":"object"},"strict":false,"description":"d"});
    output(json!({"type":"json_schema","json_schema":schema}), |output| {
        let OutputFormat::Schema(output) = output else { panic!("{output:?}") };
        assert!(same(&output.name.unwrap(), "n") && same(&output.description.unwrap(), "d"));
        assert_eq!((output.schema, output.strict), (Raw(br#"{"type":"object"}"#.into()), Some(false)));
    });
}

proptest! {
    /// Values of the wrong kind anywhere are refused, never a panic.
    #[test]
    fn wrong_kinds_are_refused_or_carried(
        member in prop::sample::select(vec![
            "messages", "tools", "functions", "tool_choice", "function_call", "response_format", "stop", "reasoning", "thinking",
            "stream_options", "n", "seed", "stream", "user", "logprobs", "role", "content", "tool_calls", "thinking_blocks", "type",
            "function", "image_url", "file", "input_audio", "allowed_tools", "json_schema", "extra_content", "cache_control",
        ]),
        value in prop::sample::select(vec!["1", "\"x\"", "[]", "{}", "true", "[1]", "[{}]", "[[]]", "{\"type\":1}", "[{\"type\":\"file\"}]"]),
        inside in 0..4,
    ) {
        let text = match inside {
            0 => format!("{{\"messages\":[],\"{member}\":{value}}}"),
            1 => format!("{{\"messages\":[{{\"role\":\"assistant\",\"{member}\":{value}}}]}}"),
            2 => format!("{{\"messages\":[{{\"role\":\"user\",\"content\":[{{\"type\":\"file\",\"{member}\":{value}}}]}}]}}"),
            _ => format!("{{\"messages\":[],\"tools\":[{{\"type\":\"function\",\"{member}\":{value}}}]}}"),
        };
        if let Err(invalid) = parse(text.as_bytes()) {
            let named = format!("'{}' ", invalid.param);
            prop_assert!(invalid.message.starts_with(&named));
        }
    }
}

/// What SDKs write is read at a stretch; with white space, or the other way round, it says the same.
#[test]
fn messages_say_the_same_however_they_are_written() {
    let long = "a long text \\n".repeat(40);
    let mut said = Vec::new();
    for role in ["system", "developer", "user", "assistant", "system", "assistant", "user"] {
        for text in ["", "x", "\\\"}", &long] {
            said.push((role, text));
        }
    }
    let written = |form: &dyn Fn(&str, &str) -> String| {
        let messages: Vec<String> = said.iter().map(|(role, text)| form(role, text)).collect();
        format!(r#"{{"messages":[{}]}}"#, messages.join(","))
    };
    let usual = written(&|role, text| format!(r#"{{"role":"{role}","content":"{text}"}}"#));
    let usual = parse(usual.as_bytes()).unwrap();
    assert_eq!((usual.system.len(), usual.messages.len()), (8, 20));
    for other in [
        written(&|role, text| format!(r#" {{ "role" : "{role}" , "content" : "{text}" }} "#)),
        written(&|role, text| format!(r#"{{"content":"{text}","role":"{role}"}}"#)),
        written(&|role, text| format!(r#"{{"role":"{role}","content":"{text}","tool_calls":null}}"#)),
        written(&|role, text| format!(r#"{{"role":"{role}","content":"no","content":"{text}"}}"#)),
    ] {
        assert_eq!(parse(other.as_bytes()).unwrap(), usual);
    }
}

#[test]
fn a_usual_message_ends_a_turn_of_results() {
    let result = r#"{"role":"tool","tool_call_id":"t","content":"1"}"#;
    for between in [r#"{"role":"user","content":"x"}"#, r#"{"content":"x","role":"user"}"#] {
        let text = format!(r#"{{"messages":[{result},{between},{result}]}}"#);
        assert_eq!(parse(text.as_bytes()).unwrap().messages.len(), 3);
    }
}

/// Messages are read when they are come to, before it is known that there are others.
#[test]
fn of_two_conversations_the_last_counts() {
    let user = r#"[{"role":"user","content":"x"},{"content":"y","role":"user"}]"#;
    let answered = r#"[{"role":"user","content":"z"},{"role":"assistant","content":"w"}]"#;
    let read = |first: &str, last: &str| {
        let text = format!(r#"{{"messages":{first},"n":1,"messages":{last}}}"#);
        parse(text.as_bytes()).map(|request| request.messages.iter().map(|message| message.role).collect::<Vec<_>>())
    };
    assert_eq!(read(user, answered), Ok(vec![Role::User, Role::Assistant]));
    assert_eq!(read(answered, user), Ok(vec![Role::User; 2]));
    assert_eq!(read(user, " [ ] "), Ok(vec![]));
    assert_eq!(read("1", user), Ok(vec![Role::User; 2]));
    for none in ["null", "1", "{}"] {
        assert_eq!(read(user, none).unwrap_err().param, "messages");
    }
}
