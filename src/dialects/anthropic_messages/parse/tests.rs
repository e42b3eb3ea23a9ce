use super::super::compose;
use super::*;
use crate::dialects::canonical::{Message, ModelTraits, Notes, Origin, PartBody, Role, Source, Target};
use crate::json::scan::{Members, Scanner};
use proptest::prelude::*;

static NONE: Members = Members::last_wins(&[]);

fn parsed(text: &str) -> Result<Request<'_>, Invalid> {
    Scanner::new(&NONE).finish(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
    parse(text.as_bytes())
}

/// What composing makes of a request that was parsed.
fn again(text: &str) -> String {
    let request = parsed(text).unwrap_or_else(|invalid| panic!("{invalid:?}: {text}"));
    let target = Target { model: "m", traits: ModelTraits::default(), drops: false };
    let mut out = Vec::new();
    compose::compose(&request, &target, &mut Notes::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Parsed and composed it is as it was. `rest` follows the model and the limit.
fn check_same(rest: &str) {
    let text = format!(r#"{{"model":"m","max_tokens":9,{rest}}}"#);
    assert_eq!(again(&text), text);
}

#[test]
fn what_is_composed_again_is_the_same() {
    for rest in [
        r#""messages":[{"role":"user","content":"Hi \u00e9 \"x\" \ud83d\ude00"}]"#,
        r#""system":"Be brief.","messages":[{"role":"user","content":"Hi"}],"stream":true"#,
        r#""system":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}]"#,
        r#""messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}],"stop_sequences":["x","\n\ny"],"temperature":0.70,"top_p":0.9,"top_k":40,"metadata":{"user_id":"u"}"#,
        r#""messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"image","source":{"type":"url","url":"https://example.com/a"}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"},"title":"t"},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"Hm."}},{"type":"document","source":{"type":"file","file_id":"file_1"}}]}]"#,
        r#""tools":[{"name":"now","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"c2ln"},{"type":"redacted_thinking","data":"c2VhbA=="},{"type":"text","text":"I look."},{"type":"tool_use","id":"t1","name":"now","input":{"a": 1}},{"type":"tool_use","id":"t2","name":"now","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"1"},{"type":"tool_result","tool_use_id":"t2","content":[{"type":"text","text":"x"},{"type":"image","source":{"type":"url","url":"u"}}],"is_error":true},{"type":"text","text":"And?"}]}]"#,
        r#""tools":[{"name":"now","description":"d","input_schema":{"type":"object","additionalProperties":false},"strict":true,"cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"web_search_20250305","name":"web_search","max_uses":1}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true},"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"a"}]"#,
        r#""tools":[{"name":"now","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"now"},"messages":[{"role":"user","content":"a"}]"#,
        r#""messages":[{"role":"user","content":"a"}],"thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"xhigh","format":{"type":"json_schema","schema":{"type":"object","additionalProperties":false}}}"#,
        r#""messages":[{"role":"user","content":"a"}],"thinking":{"type":"disabled"}"#,
        r#""messages":[{"role":"user","content":"a"}],"service_tier":"auto","cache_control":{"type":"ephemeral"},"inference_geo":"eu""#,
        r#""messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s","content":[]},{"type":"text","text":"b"}]}]"#,
    ] {
        check_same(rest);
    }
}

#[test]
fn a_budget_stays_where_the_model_takes_one() {
    let text = r#"{"model":"m","max_tokens":9000,"messages":[{"role":"user","content":"a"}],"thinking":{"type":"enabled","budget_tokens":2048}}"#;
    let request = parsed(text).unwrap();
    let traits = ModelTraits { effort: false, ..ModelTraits::default() };
    let mut out = Vec::new();
    let target = Target { model: "m", traits, drops: false };
    compose::compose(&request, &target, &mut Notes::default(), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), text);
}

#[test]
fn null_is_as_if_it_were_absent() {
    let text = r#"{"max_tokens":null,"system":null,"tools":null,"tool_choice":null,"thinking":null,"output_config":null,
        "output_format":null,"stop_sequences":null,"temperature":null,"stream":null,"metadata":null,"container":null,
        "messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":null,"citations":null}]}]}"#;
    let text_alone = r#"{"messages":[{"role":"user","content":"a"}]}"#;
    assert_eq!(parsed(text), parsed(text_alone));
    assert_eq!(parsed(text_alone).unwrap().output_tokens_max, None);
}

#[test]
fn the_last_of_two_members_counts() {
    let request =
        parsed(r#"{"messages":7,"max_tokens":1,"max_tokens":2,"x":1,"x":2,"system":"a","system":"b","messages":[]}"#);
    let request = request.unwrap();
    assert_eq!(request.output_tokens_max, Some(2));
    assert_eq!(request.system.len(), 1);
    assert_eq!(request.extras, [Extra { param: "x".into(), value: Raw(Cow::Borrowed(b"2")), is_hint: false }]);
}

#[test]
fn what_is_not_known_is_kept_by_its_path() {
    let request = parsed(
        r#"{"messages":[
            {"role":"user","content":[
                {"type":"document","source":{"type":"text","data":"x"},"context":"c","citations":{"enabled":true}},
                {"type":"hologram"}]},
            {"role":"assistant","content":[
                {"type":"tool_use","id":"a","name":"b","input":{},"caller":{"type":"direct"}},
                {"type":"text","text":"x","citations":[{}]}]}],
            "output_config":{"effort":"low","task_budget":{}},"thinking":{"type":"disabled"},
            "metadata":{"user_id":"u","team":7},"mcp_servers":[],"context_management":{},
            "tools":[{"name":"f","input_schema":{},"defer_loading":true,"taste":"sweet"}]}"#,
    )
    .unwrap();
    let found: Vec<(&str, bool)> = request.extras.iter().map(|extra| (&*extra.param, extra.is_hint)).collect();
    let mut expected = [
        ("output_config.task_budget", false),
        ("metadata.team", true),
        ("mcp_servers", false),
        ("context_management", true),
        ("tools[0].defer_loading", true),
        ("tools[0].taste", false),
        ("messages[0].content[0].context", false),
        ("messages[0].content[0].citations", false),
        ("messages[1].content[0].caller", true),
        ("messages[1].content[1].citations", true),
        ("output_config.effort", true),
    ];
    let mut found = found;
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let other = &request.messages[0].parts[1].body;
    assert!(matches!(other, PartBody::Other { param, .. } if param == "messages[0].content[1]"), "{other:?}");
    assert_eq!(request.reasoning, Some(Reasoning { budget_tokens: Some(0), ..Reasoning::default() }));
}

#[test]
fn results_know_the_names_of_their_calls() {
    let request = parsed(
        r#"{"messages":[
            {"role":"assistant","content":[{"type":"tool_use","id":"a\u0031","name":"now","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"a1"},{"type":"tool_result","tool_use_id":"a2"}]}]}"#,
    )
    .unwrap();
    let names = request.messages[1].parts.iter().map(|part| match &part.body {
        PartBody::ToolResult(result) => result.name.as_ref().map(|name| name.decoded().into_owned()),
        other => panic!("{other:?}"),
    });
    assert_eq!(names.collect::<Vec<_>>(), [Some("now".to_owned()), None]);
}

fn turn(parts: &str) -> Vec<Message<'static>> {
    let text = format!(r#"{{"messages":[{{"role":"assistant","content":[{parts}]}}]}}"#);
    parsed(text.leak()).unwrap().messages
}

#[test]
fn carried_signatures_find_their_owners() {
    let messages = turn(
        r#"{"type":"thinking","thinking":"Hm.","signature":"ringway:gemini:Zw=="},
        {"type":"thinking","thinking":"Hm.","signature":"ringway:none:"},
        {"type":"thinking","thinking":"Hm.","signature":""},
        {"type":"redacted_thinking","data":"ringway:openai:by8="},
        {"type":"thinking","thinking":"","signature":"ringway\u003agemini.call:Y2FsbA=="},
        {"type":"tool_use","id":"a","name":"now","input":{}},
        {"type":"tool_use","id":"b","name":"now","input":{}}"#,
    );
    let bodies: Vec<_> = messages[0].parts.iter().map(|part| &part.body).collect();
    let [
        PartBody::Thinking { signature: Some(signed), .. },
        PartBody::Thinking { signature: None, .. },
        PartBody::Thinking { signature: None, .. },
        PartBody::SealedThinking(sealed),
        PartBody::ToolCall(first),
        PartBody::ToolCall(second),
    ] = bodies[..]
    else {
        panic!("{bodies:?}")
    };
    assert_eq!((signed.origin, &*signed.value.decoded()), (Origin::Gemini, "Zw=="));
    assert_eq!((sealed.origin, &*sealed.value.decoded()), (Origin::OpenAi, "by8="));
    let of_call = first.signature.as_ref().map(|signature| (signature.origin, signature.value.decoded().into_owned()));
    assert_eq!(of_call, Some((Origin::Gemini, "Y2FsbA==".to_owned())));
    assert_eq!(second.signature, None);
}

#[test]
fn a_signature_of_a_call_that_is_gone_is_not_lost() {
    let messages =
        turn(r#"{"type":"thinking","thinking":"","signature":"ringway:gemini.call:YQ=="},{"type":"text","text":"x"}"#);
    assert!(matches!(&messages[0].parts[1].body, PartBody::Thinking { signature: Some(_), .. }), "{messages:?}");
}

#[test]
fn roles_and_sources() {
    let request = parsed(
        r#"{"messages":[{"role":"system","content":"a"},{"role":"user","content":[
            {"type":"image","source":{"type":"file","file_id":"file_1"}},
            {"type":"document","source":{"type":"content","content":"x"}}]}]}"#,
    )
    .unwrap();
    assert_eq!(request.messages[0].role, Role::System);
    let parts = &request.messages[1].parts;
    assert!(matches!(&parts[0].body, PartBody::Image { source: Source::File(_), .. }));
    assert!(matches!(&parts[1].body, PartBody::Other { .. }));
}

#[test]
fn what_is_wrong_is_named() {
    for (text, param, message) in [
        (r#"{}"#, "messages", "'messages' must be there, and be an array"),
        (r#"{"messages":{}}"#, "messages", "'messages' must be an array"),
        (r#"{"messages":[7]}"#, "messages[0]", "'messages[0]' must be an object"),
        (
            r#"{"messages":[{"content":"a"}]}"#,
            "messages[0].role",
            "'messages[0].role' must be 'user', 'assistant' or 'system'",
        ),
        (
            r#"{"messages":[{"role":"tool","content":"a"}]}"#,
            "messages[0].role",
            "'messages[0].role' must be 'user', 'assistant' or 'system'",
        ),
        (
            r#"{"messages":[{"role":"user"}]}"#,
            "messages[0].content",
            "'messages[0].content' must be a string or an array of blocks",
        ),
        (
            r#"{"messages":[{"role":"user","content":null}]}"#,
            "messages[0].content",
            "'messages[0].content' must be a string or an array of blocks",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{}]}]}"#,
            "messages[0].content[0].type",
            "'messages[0].content[0].type' must be the type of a block",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"text"}]}]}"#,
            "messages[0].content[0].text",
            "'messages[0].content[0].text' must be a string",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url"}}]}]}"#,
            "messages[0].content[0].source.url",
            "'messages[0].content[0].source.url' must be a string",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"tool_use","id":"a","name":"b","input":"{}"}]}]}"#,
            "messages[0].content[0].input",
            "'messages[0].content[0].input' must be an object",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":7}]}]}]}"#,
            "messages[0].content[0].content[0].text",
            "'messages[0].content[0].content[0].text' must be a string",
        ),
        (r#"{"messages":[],"max_tokens":1.5}"#, "max_tokens", "'max_tokens' must be a whole number"),
        (r#"{"messages":[],"temperature":"hot"}"#, "temperature", "'temperature' must be a number"),
        (r#"{"messages":[],"stream":1}"#, "stream", "'stream' must be a boolean"),
        (r#"{"messages":[],"system":7}"#, "system", "'system' must be a string or an array of blocks"),
        (r#"{"messages":[],"stop_sequences":["a",7]}"#, "stop_sequences[1]", "'stop_sequences[1]' must be a string"),
        (
            r#"{"messages":[],"tools":[{"input_schema":{}}]}"#,
            "tools[0].name",
            "'tools[0].name' must be a string that is not empty",
        ),
        (
            r#"{"messages":[],"tools":[{"name":"a","input_schema":[]}]}"#,
            "tools[0].input_schema",
            "'tools[0].input_schema' must be an object",
        ),
        (
            r#"{"messages":[],"tools":[{"name":"a","cache_control":{"type":"ephemeral","ttl":"1d"}}]}"#,
            "tools[0].cache_control.ttl",
            "'tools[0].cache_control.ttl' must be '5m' or '1h'",
        ),
        (
            r#"{"messages":[],"tool_choice":{"type":"some"}}"#,
            "tool_choice.type",
            "'tool_choice.type' must be 'auto', 'any', 'tool' or 'none'",
        ),
        (
            r#"{"messages":[],"tool_choice":{"type":"tool"}}"#,
            "tool_choice.name",
            "'tool_choice.name' must be the name of a tool",
        ),
        (
            r#"{"messages":[],"thinking":{"type":"enabled"}}"#,
            "thinking.budget_tokens",
            "'thinking.budget_tokens' must be a whole number",
        ),
        (
            r#"{"messages":[],"thinking":{}}"#,
            "thinking.type",
            "'thinking.type' must be 'enabled', 'adaptive' or 'disabled'",
        ),
        (
            r#"{"messages":[],"output_config":{"effort":"minimal"}}"#,
            "output_config.effort",
            "'output_config.effort' must be 'low', 'medium', 'high', 'xhigh' or 'max'",
        ),
        (
            r#"{"messages":[],"output_config":{"format":{"type":"text"}}}"#,
            "output_config.format.type",
            "'output_config.format.type' must be 'json_schema'",
        ),
        (r#"{"messages":[],"metadata":{"user_id":7}}"#, "metadata.user_id", "'metadata.user_id' must be a string"),
    ] {
        let expected = Invalid { param: param.to_owned(), message: Cow::Borrowed(message) };
        assert_eq!(parsed(text).err(), Some(expected), "{text}");
    }
}

/// Blocks that composing does not change.
fn a_block() -> impl Strategy<Value = String> {
    let said = "[a-z ]{0,6}[a-z\\\\u00e9]?[a-z]";
    prop_oneof![
        said.prop_map(|said| format!(r#"{{"type":"text","text":"{}"}}"#, said.replace('\\', "\\\\"))),
        said.prop_map(|said| format!(r#"{{"type":"image","source":{{"type":"url","url":"{}"}}}}"#, said.replace('\\', "\\\\"))),
        "[A-Za-z0-9+/]{4}".prop_map(|data| format!(
            r#"{{"type":"document","source":{{"type":"base64","media_type":"application/pdf","data":"{data}"}},"title":"t","cache_control":{{"type":"ephemeral"}}}}"#
        )),
    ]
}

proptest! {
    #[test]
    fn any_conversation_comes_back(turns in prop::collection::vec(prop::collection::vec(a_block(), 2..4), 1..5)) {
        let roles = ["user", "assistant"].into_iter().cycle();
        let turns = turns.iter().zip(roles).map(|(blocks, role)| {
            // The assistant says texts only, and four blocks may be cached.
            let mut blocks: Vec<_> = blocks.iter().map(|block| block.replace(r#","cache_control":{"type":"ephemeral"}"#, "")).collect();
            if role == "assistant" {
                blocks.retain(|block| block.starts_with(r#"{"type":"text""#));
                blocks.extend([r#"{"type":"text","text":"x"}"#.to_owned(), r#"{"type":"text","text":"y"}"#.to_owned()]);
            }
            format!(r#"{{"role":"{role}","content":[{}]}}"#, blocks.join(","))
        });
        check_same(&format!(r#""messages":[{}]"#, turns.collect::<Vec<_>>().join(",")));
    }

    #[test]
    fn noise_never_panics(text in "[{}\\[\\],:\"a-z ]{0,60}", place in 0..400usize) {
        let _ = parse(text.as_bytes());
        let mut noisy = r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":7}]}]}],"tools":[{"name":"a","cache_control":{"type":"ephemeral","ttl":"1d"}}]}"#.to_owned();
        noisy.insert_str(place % noisy.len(), &text);
        let _ = parse(noisy.as_bytes());
    }
}
