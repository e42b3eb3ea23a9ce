use super::*;
use crate::dialects::canonical::{Message, ModelTraits, Notes, Role, Source, Target};
use crate::dialects::gemini::compose::compose;
use proptest::prelude::*;

/// What is composed of what was parsed.
fn again(body: &str, traits: ModelTraits) -> String {
    let request = parse(body.as_bytes()).unwrap_or_else(|invalid| panic!("{invalid:?}: {body}"));
    let (mut notes, mut out) = (Notes::default(), Vec::new());
    let target = Target { model: "gemini-x-flash", traits, drops: false };
    compose(&request, &target, &mut notes, &mut out).unwrap_or_else(|refused| panic!("{refused:?}: {body}"));
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn check(body: &str, expected: &str) {
    assert_eq!(again(body, ModelTraits::default()), expected);
}

#[track_caller]
fn check_same(body: &str) {
    check(body, body);
}

fn refused(body: &str) -> String {
    parse(body.as_bytes()).unwrap_err().message.into_owned()
}

const HI: &str = r#""contents":[{"role":"user","parts":[{"text":"Hi"}]}]"#;

#[test]
fn what_is_parsed_can_be_composed() {
    check_same(
        r#"{"contents":[{"role":"user","parts":[{"text":"a\u00e9"},{"inlineData":{"mimeType":"image/png","data":"iVBO"}},{"fileData":{"mimeType":"application/pdf","fileUri":"https://a.example/b.pdf"}},{"inlineData":{"mimeType":"audio/wav","data":"UklG"}},{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/x"}}]},{"role":"model","parts":[{"text":"b"}]}],"systemInstruction":{"parts":[{"text":"s"},{"text":"t"}]}}"#,
    );
    check_same(
        r#"{"contents":[{"role":"user","parts":[{"text":"?"}]},{"role":"model","parts":[{"text":"hm","thought":true},{"functionCall":{"id":"i","name":"f","args":{"a":1}},"thoughtSignature":"Yw=="},{"functionCall":{"id":"j","name":"g","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"id":"i","name":"f","response":{"x":1}}},{"functionResponse":{"id":"j","name":"g","response":{"error":"no"}}}]},{"role":"model","parts":[{"text":"hm","thought":true},{"text":"b","thoughtSignature":"YQ=="}]}],"tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object"}},{"name":"g"}]},{"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},"generationConfig":{"maxOutputTokens":64,"temperature":0.50,"topP":1,"topK":40,"seed":7,"stopSequences":["x"],"responseLogprobs":true,"logprobs":2,"candidateCount":2,"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"LOW"},"responseMimeType":"application/json","responseJsonSchema":{"type":"object"},"speechConfig":{}},"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}],"cachedContent":"cachedContents/a","serviceTier":"flex","labels":{"a":"b"}}"#,
    );
    let validated = format!(
        r#"{{{HI},"tools":[{{"functionDeclarations":[{{"name":"f"}}]}}],"toolConfig":{{"functionCallingConfig":{{"mode":"VALIDATED"}}}}}}"#
    );
    check_same(&validated);
    let none = validated.replace("VALIDATED", "NONE");
    check_same(&none);
}

#[test]
fn both_spellings_are_one() {
    check(
        r#"{"contents":{"parts":{"inline_data":{"mime_type":"image/png","data":"iVBO"}}},"system_instruction":"Be brief.","tools":[{"function_declarations":[{"name":"f","parameters_json_schema":{"type":"object","properties":{"max_items":{}}}}],"google_search":{}}],"tool_config":{"function_calling_config":{"mode":"any","allowed_function_names":["f"]}},"generation_config":{"max_output_tokens":64,"top_p":0.5,"top_k":1,"stop_sequences":["a"],"candidate_count":2,"response_mime_type":"application/json","thinking_config":{"include_thoughts":true,"thinking_level":"high"},"response_logprobs":true},"safety_settings":[],"cached_content":"cachedContents/a"}"#,
        r#"{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]}],"systemInstruction":{"parts":[{"text":"Be brief."}]},"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object","properties":{"max_items":{}}}}]},{"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},"generationConfig":{"maxOutputTokens":64,"topP":0.5,"topK":1,"stopSequences":["a"],"responseLogprobs":true,"candidateCount":2,"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"HIGH"},"responseMimeType":"application/json"},"safetySettings":[],"cachedContent":"cachedContents/a"}"#,
    );
}

#[test]
fn google_s_form_of_a_schema_is_json_schema_from_here_on() {
    check(
        &format!(
            r#"{{{HI},"tools":[{{"functionDeclarations":[{{"name":"f","parameters":{{"type":"OBJECT","properties":{{"a":{{"type":"STRING","nullable":true}}}}}}}}]}}],"generationConfig":{{"responseMimeType":"application/json","responseSchema":{{"type":"ARRAY","items":{{"type":"INTEGER"}}}}}}}}"#
        ),
        &format!(
            r#"{{{HI},"tools":[{{"functionDeclarations":[{{"name":"f","parametersJsonSchema":{{"type":"object","properties":{{"a":{{"type":["string","null"]}}}}}}}}]}}],"generationConfig":{{"responseMimeType":"application/json","responseJsonSchema":{{"type":"array","items":{{"type":"integer"}}}}}}}}"#
        ),
    );
}

#[test]
fn calls_without_ids_get_some() {
    let body = r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}},{"functionCall":{"name":"g"}},{"functionCall":{"name":"f"}}]},
        {"role":"function","parts":[{"functionResponse":{"name":"g","response":{"result":"b"}}},{"functionResponse":{"name":"f","response":{"output":"a"}}},{"functionResponse":{"name":"f","response":{"a":1,"b":2}}}]},
        {"role":"model","parts":[{"functionCall":{"id":"x","name":"f"}}]},{"role":"user","parts":[{"functionResponse":{"id":"x","name":"f","response":{}}}]}]}"#;
    let request = parse(body.as_bytes()).unwrap();
    let mut said = Vec::new();
    for part in request.messages.iter().flat_map(|message| &message.parts) {
        said.push(match &part.body {
            PartBody::ToolCall(call) => format!("{} {}", call.name.decoded(), call.id.decoded()),
            PartBody::ToolResult(result) => {
                let text = result.content.first().map_or("object", |part| match &part.body {
                    PartBody::Text(_) => "text",
                    _ => "?",
                });
                format!("{} -> {text}", result.call_id.decoded())
            }
            other => panic!("{other:?}"),
        });
    }
    let expected = [
        "f call_0",
        "g call_1",
        "f call_2",
        "call_1 -> text",
        "call_0 -> text",
        "call_2 -> object",
        "f x",
        "x -> object",
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_stream_that_is_replayed_turn_by_turn_is_one_turn() {
    let carried = {
        let signature = crate::dialects::canonical::Signature {
            origin: crate::dialects::canonical::Origin::Anthropic,
            value: Text::plain("sig"),
        };
        crate::dialects::gemini::signature::written(&signature, false).decoded().into_owned()
    };
    let turn = |part: &str| format!(r#"{{"role":"model","parts":[{part}]}}"#);
    let turns = [
        turn(r#"{"text":"Let me ","thought":true}"#),
        turn(r#"{"text":"see.","thought":true}"#),
        turn(&format!(r#"{{"text":"","thoughtSignature":"{carried}"}}"#)),
        turn(r#"{"text":"It is."}"#),
    ];
    let body = format!(r#"{{"contents":[{}]}}"#, turns.join(","));
    let request = parse(body.as_bytes()).unwrap();
    let [Message { role: Role::Assistant, parts, .. }] = &request.messages[..] else { panic!("{request:?}") };
    let [thought, text] = &parts[..] else { panic!("{parts:?}") };
    let PartBody::Thinking { text: said, signature: Some(signature) } = &thought.body else { panic!("{thought:?}") };
    assert_eq!((said.decoded().as_ref(), signature.value.decoded().as_ref()), ("Let me see.", "sig"));
    assert_eq!(text.body, PartBody::Text(Text::literal(b"\"It is.\"")));
}

#[test]
fn pictures_of_a_result_stand_beside_its_text() {
    let body = r#"{"contents":[{"role":"user","parts":[{"functionResponse":{"id":"i","name":"f","response":{"result":"Radar"},"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]}}]}]}"#;
    let request = parse(body.as_bytes()).unwrap();
    let PartBody::ToolResult(result) = &request.messages[0].parts[0].body else { panic!() };
    assert!(matches!(
        &result.content[..],
        [Part { body: PartBody::Text(_), .. }, Part { body: PartBody::Image { .. }, .. }]
    ));
}

#[test]
fn safety_settings_that_block_nothing_change_nothing() {
    for (settings, is_hint) in [
        ("[]", true),
        (r#"[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"},{"threshold":"OFF"}]"#, true),
        (r#"[{"threshold":"OFF"},{"threshold":"BLOCK_LOW_AND_ABOVE"}]"#, false),
        (r#"[{"category":"HARM_CATEGORY_HARASSMENT"}]"#, false),
        ("7", false),
    ] {
        let body = format!(r#"{{{HI},"safetySettings":{settings}}}"#);
        assert_eq!(parse(body.as_bytes()).unwrap().extras[0].is_hint, is_hint, "{settings}");
    }
}

#[test]
fn what_only_gemini_has_is_carried() {
    let body = format!(
        r#"{{{HI},"somethingNew":1,"store":true,"toolConfig":{{"retrievalConfig":{{}}}},"generationConfig":{{"responseModalities":["TEXT","IMAGE"],"media_resolution":"x"}}}}"#
    );
    let request = parse(body.as_bytes()).unwrap();
    let extras: Vec<_> = request.extras.iter().map(|extra| (&*extra.param, extra.is_hint)).collect();
    assert_eq!(
        extras,
        [
            ("somethingNew", false),
            ("store", true),
            ("toolConfig.retrievalConfig", false),
            ("generationConfig.responseModalities", false),
            ("generationConfig.mediaResolution", true)
        ]
    );
    for part in [
        r#"{"executableCode":{"language":"PYTHON","code":"1"}}"#,
        r#"{"text":"a","partMetadata":{}}"#,
        r#"{"inlineData":{"mimeType":"video/mp4","data":"AAAA"}}"#,
        r#"{"fileData":{"fileUri":"https://a.example/b"},"videoMetadata":{"fps":1}}"#,
    ] {
        let body = format!(r#"{{"contents":[{{"role":"user","parts":[{part}]}}]}}"#);
        let request = parse(body.as_bytes()).unwrap();
        let PartBody::Other { param, raw } = &request.messages[0].parts[0].body else { panic!("{part}") };
        assert_eq!((param.as_str(), &*raw.0), ("contents[0].parts[0]", part.as_bytes()));
        check_same(&body);
    }
}

#[test]
fn details_files_and_text_are_what_they_are() {
    let body = r#"{"contents":[{"parts":["a",{"inlineData":{"mimeType":"image/png","data":"x"},"mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}},{"fileData":{"mimeType":"application/pdf","fileUri":"gs://b/c","displayName":"d"}},{}]}]}"#;
    let request = parse(body.as_bytes()).unwrap();
    let [text, image, file] = &request.messages[0].parts[..] else { panic!("{request:?}") };
    assert!(matches!(text.body, PartBody::Text(_)));
    assert!(matches!(&image.body, PartBody::Image { detail: Some(detail), .. } if detail.says("low")));
    assert!(matches!(&file.body, PartBody::Document { source: Source::File(_), name: Some(name) } if name.says("d")));
}

#[test]
fn whole_floats_of_integer_members_are_integers() {
    let traits = ModelTraits { call_ids: false, effort: false, ..ModelTraits::default() };
    let config = |config: &str| again(&format!(r#"{{{HI},"generationConfig":{config}}}"#), traits);
    for (said, expected) in [
        (r#"{"maxOutputTokens":64.0}"#, r#"{"maxOutputTokens":64}"#),
        (r#"{"topK":40.0}"#, r#"{"topK":40}"#),
        (r#"{"topK":40.00,"temperature":1.0,"topP":1.0}"#, r#"{"temperature":1.0,"topP":1.0,"topK":40}"#),
        (r#"{"seed":-7.0}"#, r#"{"seed":-7}"#),
        (r#"{"candidateCount":2.0}"#, r#"{"candidateCount":2}"#),
        // Not whole, so not ours to change.
        (r#"{"topK":40.5}"#, r#"{"topK":40.5}"#),
        (r#"{"topK":4.0e1}"#, r#"{"topK":4.0e1}"#),
    ] {
        assert_eq!(config(said), config(expected), "{said}");
        assert!(config(said).ends_with(&format!(r#""generationConfig":{expected}}}"#)), "{}", config(said));
    }
    for wrong in ["64.5", "-64.0", "6.4e1", r#""64.0""#, "[1.0]"] {
        let body = format!(r#"{{{HI},"generationConfig":{{"maxOutputTokens":{wrong}}}}}"#);
        assert_eq!(refused(&body), "'generationConfig.maxOutputTokens' must be a whole number", "{wrong}");
    }
}

#[test]
fn the_last_of_two_members_counts() {
    check(
        r#"{"contents":[{"parts":[{"text":"a"}]}],"contents":[{"parts":[{"text":"b"}]}]}"#,
        r#"{"contents":[{"role":"user","parts":[{"text":"b"}]}]}"#,
    );
    check(
        &format!(r#"{{{HI},"generationConfig":{{"top_p":1,"topP":0.5}},"generation_config":{{"topP":0.25}}}}"#),
        &format!(r#"{{{HI},"generationConfig":{{"topP":0.25}}}}"#),
    );
}

#[test]
fn each_wrong_type_is_named() {
    for (body, message) in [
        (r#"{"contents":"Hi"}"#, "'contents' must be an array"),
        (r#"{"contents":[1]}"#, "'contents[0]' must be an object"),
        (r#"{"contents":[{"role":"assistant"}]}"#, "'contents[0].role' must be user or model"),
        (r#"{"contents":[{"parts":[{"text":1}]}]}"#, "'contents[0].parts[0].text' must be a string"),
        (
            r#"{"contents":[{"parts":[{"functionCall":{"name":"f","args":[]}}]}]}"#,
            "'contents[0].parts[0].functionCall.args' must be an object",
        ),
        (
            r#"{"contents":[{"parts":[{"functionCall":{}}]}]}"#,
            "'contents[0].parts[0].functionCall.name' must be the function's name",
        ),
        (
            r#"{"contents":[{"parts":[{"inline_data":{"data":"x"}}]}]}"#,
            "'contents[0].parts[0].inlineData.mimeType' must be a media type",
        ),
        (r#"{"tools":[{"functionDeclarations":{}}]}"#, "'tools[0].functionDeclarations' must be an array"),
        (
            r#"{"toolConfig":{"functionCallingConfig":{"mode":"SOME"}}}"#,
            "'toolConfig.functionCallingConfig.mode' must be AUTO, ANY, NONE or VALIDATED",
        ),
        (r#"{"generationConfig":[]}"#, "'generationConfig' must be an object"),
        (
            r#"{"generation_config":{"max_output_tokens":"1"}}"#,
            "'generationConfig.maxOutputTokens' must be a whole number",
        ),
        (r#"{"generationConfig":{"temperature":"1"}}"#, "'generationConfig.temperature' must be a number"),
        (r#"{"generationConfig":{"stopSequences":[1]}}"#, "'generationConfig.stopSequences[0]' must be a string"),
        (
            r#"{"generationConfig":{"thinkingConfig":{"thinkingLevel":"MOST"}}}"#,
            "'generationConfig.thinkingConfig.thinkingLevel' must be MINIMAL, LOW, MEDIUM or HIGH",
        ),
    ] {
        assert_eq!(refused(body), message);
    }
    let many: Vec<_> = (0..=MEMBERS_MAX).map(|at| format!("\"m{at}\":1")).collect();
    assert!(refused(&format!("{{{}}}", many.join(","))).contains("fewer members"));
}

#[test]
fn a_budget_of_minus_one_is_the_model_s_choice() {
    let reasoning = |config: &str| {
        let body = format!(r#"{{{HI},"generationConfig":{{"thinkingConfig":{config}}}}}"#);
        parse(body.as_bytes()).unwrap().reasoning
    };
    assert_eq!(reasoning(r#"{"thinkingBudget":-1}"#), None);
    assert_eq!(reasoning("{}"), None);
    assert_eq!(
        reasoning(r#"{"thinking_budget":0}"#),
        Some(Reasoning { budget_tokens: Some(0), ..Reasoning::default() })
    );
}

/// Bodies as `compose` writes them, from choices for each of their members.
fn bodies() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        r#"{"text":"a \"b\" \u00e9 é"}"#,
        r#"{"inlineData":{"mimeType":"image/png","data":"iVBO"}}"#,
        r#"{"fileData":{"mimeType":"image/webp","fileUri":"https://a.example/b.webp"}}"#,
        r#"{"fileData":{"mimeType":"application/pdf","fileUri":"https://a.example/b.pdf"}}"#,
        r#"{"inlineData":{"mimeType":"application/pdf","data":"JVBE"}}"#,
    ]);
    let parts = prop::collection::vec(part, 1..4).prop_map(|parts| parts.join(","));
    let answer = prop::sample::select(vec![
        r#"{"text":"c"}"#,
        r#"{"text":"hm","thought":true},{"text":"c","thoughtSignature":"YQ=="}"#,
        r#"{"text":"hm","thought":true},{"text":"c"}"#,
    ]);
    let calls = prop::sample::select(vec![
        (
            r#"{"functionCall":{"id":"i","name":"f","args":{"a":[1,2]}},"thoughtSignature":"Yg=="}"#,
            r#"{"functionResponse":{"id":"i","name":"f","response":{"b":1}}}"#,
        ),
        (
            r#"{"functionCall":{"id":"i","name":"f","args":{}},"thoughtSignature":"Yg=="},{"functionCall":{"id":"j","name":"g","args":{}}}"#,
            r#"{"functionResponse":{"id":"i","name":"f","response":{"result":"x"}}},{"functionResponse":{"id":"j","name":"g","response":{"error":"y"}}}"#,
        ),
    ]);
    let turns = (parts, answer, prop::option::of(calls)).prop_map(|(parts, answer, calls)| {
        let user = format!(r#"{{"role":"user","parts":[{parts}]}}"#);
        let turn = match calls {
            Some((calls, results)) => format!(r#"{{"role":"model","parts":[{calls}]}},{{"role":"user","parts":[{results}]}},{{"role":"model","parts":[{answer}]}}"#),
            None => format!(r#"{{"role":"model","parts":[{answer}]}}"#),
        };
        format!("{user},{turn}")
    });
    let member = |choices: &'static [&'static str]| {
        prop::option::of(prop::sample::select(choices)).prop_map(Option::unwrap_or_default)
    };
    let generation = (
        member(&[r#""maxOutputTokens":1,"#]),
        member(&[r#""temperature":1.0,"#, r#""temperature":0,"#]),
        member(&[r#""topP":1e-1,"#]),
        member(&[r#""stopSequences":["a","\n"],"#]),
        member(&[r#""responseLogprobs":true,"logprobs":5,"#, r#""responseLogprobs":true,"#]),
        member(&[
            r#""thinkingConfig":{"includeThoughts":true,"thinkingLevel":"MINIMAL"},"#,
            r#""thinkingConfig":{"thinkingLevel":"HIGH"},"#,
        ]),
        member(&[
            r#""responseMimeType":"application/json","#,
            r#""responseMimeType":"application/json","responseJsonSchema":{"type":"string"},"#,
        ]),
    )
        .prop_map(|(a, b, c, d, e, f, g)| format!("{a}{b}{c}{d}{e}{f}{g}"));
    let system = member(&[r#","systemInstruction":{"parts":[{"text":"s"}]}"#]);
    let tools = member(&[
        r#","tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object"}},{"name":"g"}]}]"#,
        r#","tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}"#,
        r#","tools":[{"functionDeclarations":[{"name":"f"}]},{"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["f"]}}"#,
    ]);
    (prop::collection::vec(turns, 1..4), system, tools, generation).prop_map(|(turns, system, tools, generation)| {
        let generation = generation.trim_end_matches(',');
        let generation =
            if generation.is_empty() { String::new() } else { format!(r#","generationConfig":{{{generation}}}"#) };
        format!(r#"{{"contents":[{}]{system}{tools}{generation}}}"#, turns.join(","))
    })
}

proptest! {
    #[test]
    fn nothing_that_the_dialect_can_say_is_lost(body in bodies()) {
        // A mode that is said for all tools is said for each of them in between, and so again.
        prop_assert_eq!(again(&body, ModelTraits::default()), body);
    }

    #[test]
    fn bodies_of_any_shape_are_refused_or_read(
        names in prop::collection::vec(prop::sample::select(vec!["contents", "parts", "text", "functionCall", "functionResponse", "response", "name", "args", "tools", "functionDeclarations", "parameters", "generationConfig", "thinkingConfig", "responseSchema", "systemInstruction", "inlineData", "fileData", "thoughtSignature", "toolConfig"]), 1..8),
        leaf in prop::sample::select(vec!["1", "\"x\"", "null", "true", "[]", "{}", "-1.5"]),
        arrays in any::<u8>(),
    ) {
        let text = names.iter().rev().enumerate().fold(leaf.to_owned(), |inner, (at, name)| {
            if arrays >> at & 1 == 1 { format!("{{\"{name}\":[{inner}]}}") } else { format!("{{\"{name}\":{inner}}}") }
        });
        if let Ok(request) = parse(text.as_bytes()) {
            let target = Target { model: "m", traits: ModelTraits::default(), drops: true };
            let mut out = Vec::new();
            if compose(&request, &target, &mut Notes::default(), &mut out).is_ok() {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok(), "{} became {}", text, String::from_utf8_lossy(&out));
            }
        }
    }
}
