use super::*;
use crate::dialects::canonical::{Facts, Origin, Signature};
use crate::dialects::openai_chat::render;
use crate::json::piece::Raw;
use crate::sse::split::Splitter;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// An event in a line that reads.
fn line(event: Event<'_>) -> String {
    let said = |text: &Text<'_>| text.decoded().into_owned();
    let signed = |signature: &Signature<'_>| format!("{} {}", signature.origin.tag(), said(&signature.value));
    match event {
        Event::Start { id, model } => format!("start {} {}", said(&id), said(&model)),
        Event::Text { choice, text } => format!("text {choice} {}", said(&text)),
        Event::Refusal { choice, text } => format!("refusal {choice} {}", said(&text)),
        Event::Thinking { choice, text } => format!("thinking {choice} {}", said(&text)),
        Event::ThinkingSignature { choice, signature } => format!("signature {choice} {}", signed(&signature)),
        Event::SealedThinking { choice, signature } => format!("sealed {choice} {}", signed(&signature)),
        Event::ToolCall { choice, call, id, name, signature } => {
            let signature = signature.as_ref().map(signed).unwrap_or_default();
            format!("call {choice} {call} {} {} {signature}", said(&id), said(&name)).trim_end().to_owned()
        }
        Event::ToolArguments { choice, call, fragment } => format!("arguments {choice} {call} {}", said(&fragment)),
        Event::Extra { choice, name, raw } => format!("{name} {choice} {}", String::from_utf8_lossy(&raw.0)),
        Event::Finish { choice, reason: Finish::Other(reason) } => format!("finish {choice} other {}", said(&reason)),
        Event::Finish { choice, reason } => format!("finish {choice} {reason:?}"),
        Event::Usage(usage) => format!(
            "usage {}+{}+{} {}({})",
            usage.input_uncached,
            usage.cache_read,
            usage.cache_write(),
            usage.output,
            usage.reasoning
        ),
        Event::Error(error) => format!("error {:?} {}", error.class, said(&error.message)),
        Event::End => "end".to_owned(),
    }
}

/// What a stream of these bytes says, in pieces of so many bytes. `truncated` is the last line of one that is.
fn streamed(bytes: &[u8], piece: usize) -> Vec<String> {
    let mut reader = Reader::default();
    let mut splitter = Splitter::new(1 << 20);
    let mut lines = Vec::new();
    let mut is_malformed = false;
    for piece in bytes.chunks(piece) {
        let mut feed = splitter.feed(piece);
        while let Some(event) = feed.next().unwrap() {
            let result = reader.frame(event.name, event.data, &mut |event| lines.push(line(event)));
            is_malformed |= result.is_err();
        }
    }
    if is_malformed || reader.end(&mut |event| lines.push(line(event))).is_err() {
        lines.push("truncated".to_owned());
    }
    lines
}

/// What these payloads say, whatever the cut.
fn frames(payloads: &[&str]) -> Vec<String> {
    let bytes: String = payloads.iter().map(|payload| format!("data: {payload}\n\n")).collect();
    let lines = streamed(bytes.as_bytes(), usize::MAX);
    for piece in [1, 2, 3, 7, 64] {
        assert_eq!(streamed(bytes.as_bytes(), piece), lines, "in pieces of {piece} bytes");
    }
    lines
}

fn whole_lines(answer: &Json) -> Vec<String> {
    let mut lines = Vec::new();
    if whole(answer.to_string().as_bytes(), &mut |event| lines.push(line(event))).is_err() {
        lines.push("malformed".to_owned());
    }
    lines
}

/// A stream of one choice with these deltas, without what begins and ends it.
fn deltas(deltas: &[Json]) -> Vec<String> {
    let chunk = |delta: &Json| json!({"id":"i","model":"m","choices":[{"index":0,"delta":delta}]}).to_string();
    let mut payloads: Vec<_> = deltas.iter().map(chunk).collect();
    payloads.push(json!({"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}).to_string());
    payloads.push("[DONE]".to_owned());
    let lines = frames(&payloads.iter().map(String::as_str).collect::<Vec<_>>());
    let [start, said @ .., finish, end] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!([start.as_str(), finish, end], ["start i m", "finish 0 Length", "end"]);
    said.to_vec()
}

/// The same message as a whole answer.
fn message(message: Json) -> Vec<String> {
    let lines =
        whole_lines(&json!({"id":"i","model":"m","choices":[{"index":0,"message":message,"finish_reason":"length"}]}));
    let [start, said @ .., finish, end] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!([start.as_str(), finish, end], ["start i m", "finish 0 Length", "end"]);
    said.to_vec()
}

#[test]
fn a_stream_of_openai() {
    let head = r#""id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt","#;
    let chunk = |rest: &str| format!("{{{head}{rest}}}");
    let choice = |delta: &str, finish: &str| {
        chunk(&format!(
            r#""choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}],"usage":null"#
        ))
    };
    let payloads = [
        choice(r#"{"role":"assistant","content":"","refusal":null}"#, "null"),
        choice(r#"{"content":"Hel\u00e9"}"#, "null"),
        choice(r#"{"content":"\n"}"#, "null"),
        choice("{}", "\"stop\""),
        chunk(
            r#""choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":1},"completion_tokens_details":{"reasoning_tokens":3}}"#,
        ),
        "[DONE]".to_owned(),
    ];
    assert_eq!(
        frames(&payloads.each_ref().map(String::as_str)),
        ["start chatcmpl-1 gpt", "text 0 Hel\u{e9}", "text 0 \n", "finish 0 Stop", "usage 5+4+1 5(3)", "end"]
    );
    let without_marker = frames(&payloads.each_ref().map(String::as_str)[..4]);
    assert_eq!(without_marker.last().unwrap(), "end");
    let cut = frames(&payloads.each_ref().map(String::as_str)[..3]);
    assert_eq!(cut.last().unwrap(), "truncated");
    let early_end = [payloads[1].as_str(), "[DONE]"];
    assert_eq!(frames(&early_end).last().unwrap(), "truncated");
}

#[test]
fn calls_are_counted_by_index_and_may_be_interleaved() {
    let call = |call: Json| json!({"tool_calls":[call]});
    let expected =
        ["call 0 0 a f gemini s", "call 0 1 b g", "arguments 0 0 {\"x\":", "arguments 0 1 {}", "arguments 0 0 1}"];
    let begin = |index: u64, id: &str, name: &str| {
        json!({"index":index,"id":id,"type":"function","function":{"name":name,"arguments":""},
            "extra_content":if index == 0 { json!({"google":{"thought_signature":"s"}}) } else { Json::Null }})
    };
    let more = |index: u64, arguments: &str| call(json!({"index":index,"function":{"arguments":arguments}}));
    let events = [call(begin(0, "a", "f")), call(begin(1, "b", "g")), more(0, "{\"x\":"), more(1, "{}"), more(0, "1}")];
    assert_eq!(deltas(&events), expected);
}

#[test]
fn calls_that_are_numbered_badly_are_told_apart() {
    let call = |call: Json| json!({"tool_calls":[call]});
    let begun = |index: Json, id: &str, arguments: &str| {
        call(json!({"index":index,"id":id,"function":{"name":"f","arguments":arguments}}))
    };
    // All at 0, or without a number, but with ids.
    for index in [json!(0), Json::Null] {
        let events = [begun(index.clone(), "a", "{}"), begun(index.clone(), "b", "{"), begun(index, "b", "}")];
        let expected = ["call 0 0 a f", "arguments 0 0 {}", "call 0 1 b f", "arguments 0 1 {", "arguments 0 1 }"];
        assert_eq!(deltas(&events), expected);
    }
    // Whole calls without ids.
    let events = [begun(json!(0), "", "{}"), begun(json!(0), "", "{}")];
    assert_eq!(deltas(&events), ["call 0 0  f", "arguments 0 0 {}", "call 0 1  f", "arguments 0 1 {}"]);
    // The id again, and an empty one, with what goes on.
    let events = [
        begun(json!(3), "a", ""),
        begun(json!(3), "a", "{"),
        call(json!({"index":3,"id":"","function":{"arguments":"}"}})),
    ];
    assert_eq!(deltas(&events), ["call 0 0 a f", "arguments 0 0 {", "arguments 0 0 }"]);
    // The object itself.
    let object = call(json!({"index":0,"id":"a","function":{"name":"f","arguments":{"a":1}}}));
    assert_eq!(deltas(&[object]), ["call 0 0 a f", "arguments 0 0 {\"a\":1}"]);
}

#[test]
fn thoughts_are_found_wherever_they_are() {
    let both = json!({"reasoning_content":"why","reasoning":"why"});
    for delta in [json!({"reasoning_content":"why"}), json!({"reasoning":"why"}), both] {
        assert_eq!(deltas(std::slice::from_ref(&delta)), ["thinking 0 why"]);
        assert_eq!(message(delta), ["thinking 0 why"]);
    }
    let blocks = json!({"reasoning_content":"ab","thinking_blocks":[
        {"type":"thinking","thinking":"a","signature":"anthropic:s"},
        {"type":"thinking","thinking":"b","signature":"t"},
        {"type":"redacted_thinking","data":"gemini:d"}
    ]});
    let expected = ["thinking 0 a", "signature 0 anthropic s", "thinking 0 b", "signature 0  t", "sealed 0 gemini d"];
    assert_eq!(message(blocks), expected);
    let streamed = [
        json!({"reasoning_content":"a"}),
        json!({"thinking_blocks":[{"type":"thinking","thinking":"","signature":"anthropic:s"}]}),
    ];
    assert_eq!(deltas(&streamed), ["thinking 0 a", "signature 0 anthropic s"]);
    let mistral =
        json!({"content":[{"type":"thinking","thinking":[{"type":"text","text":"why"}]},{"type":"text","text":"so"}]});
    assert_eq!(message(mistral), ["thinking 0 why", "text 0 so"]);
    let details = json!({"reasoning":"a","reasoning_details":[
        {"type":"reasoning.text","text":"a","signature":"s","format":"anthropic-claude-v1"},
        {"type":"reasoning.encrypted","data":"d","format":"google-gemini-v1"}
    ]});
    assert_eq!(message(details), ["thinking 0 a", "signature 0 anthropic s", "sealed 0 gemini d"]);
    assert_eq!(message(json!({"reasoning_details":[{"type":"reasoning.summary","summary":"b"}]})), ["thinking 0 b"]);
}

#[test]
fn a_whole_answer() {
    let answer = json!({"id":"i","model":"m","choices":[
        {"index":0,"message":{"role":"assistant","content":"x","refusal":null,"annotations":[{"type":"url_citation"}]},
            "logprobs":{"content":[]},"finish_reason":"stop"},
        {"index":1,"message":{"role":"assistant","content":null,"refusal":"no","tool_calls":[
            {"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},
            {"id":"a","type":"custom","custom":{"name":"g","input":"text"}}
        ]},"finish_reason":"stop"}
    ],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}});
    assert_eq!(
        whole_lines(&answer),
        [
            "start i m",
            "text 0 x",
            "annotations 0 [{\"type\":\"url_citation\"}]",
            "logprobs 0 {\"content\":[]}",
            "finish 0 Stop",
            "refusal 1 no",
            "call 1 0 a f",
            "arguments 1 0 {}",
            "call 1 1 a g",
            "arguments 1 1 text",
            // OpenAI says `stop` where the call was forced.
            "finish 1 ToolCalls",
            "usage 1+0+0 2(0)",
            "end"
        ]
    );
    let legacy = json!({"choices":[{"message":{"function_call":{"name":"f","arguments":"{}"}},"finish_reason":"function_call"}]});
    assert_eq!(whole_lines(&legacy), ["start  ", "call 0 0  f", "arguments 0 0 {}", "finish 0 ToolCalls", "end"]);
    for answer in [json!({}), json!({"choices":[]}), json!({"choices":[{"index":1000,"message":{}}]})] {
        assert_eq!(whole_lines(&answer).last().unwrap(), "malformed");
    }
    let mut told = 0;
    assert!(whole(b"[1]", &mut |_| told += 1).is_err() && whole(b"", &mut |_| told += 1).is_err() && told == 0);
}

#[test]
fn every_finish_reason() {
    let finish = |reason: &str| {
        let lines = whole_lines(&json!({"choices":[{"message":{"content":"x"},"finish_reason":reason}]}));
        lines[2].clone()
    };
    for (reason, expected) in [
        ("stop", "finish 0 Stop"),
        ("eos", "finish 0 Stop"),
        ("", "finish 0 Stop"),
        ("length", "finish 0 Length"),
        ("model_length", "finish 0 ContextFull"),
        ("tool_calls", "finish 0 ToolCalls"),
        ("content_filter", "finish 0 ContentFilter"),
        ("sensitive", "finish 0 ContentFilter"),
        ("error", "error Server "),
        ("insufficient_system_resource", "error Overloaded "),
        ("something_new", "finish 0 other something_new"),
    ] {
        assert_eq!(finish(reason), expected, "{reason}");
    }
    // xAI's empty reason after calls counts at the end marker, and not without it.
    let call = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]},"finish_reason":""}]}"#;
    assert_eq!(frames(&[call, "[DONE]"])[3..], ["finish 0 ToolCalls", "end"]);
    assert_eq!(frames(&[call]).last().unwrap(), "truncated");
}

#[test]
fn what_providers_do_differently() {
    let text = r#"{"id":"i","model":"m","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}"#;
    // Azure's first chunk.
    let filters = r#"{"id":"","model":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#;
    assert_eq!(frames(&[filters, text, "[DONE]"]), ["start i m", "text 0 x", "finish 0 Stop", "end"]);
    // Groq's usage.
    let groq =
        r#"{"id":"i","choices":[],"x_groq":{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}}"#;
    assert_eq!(frames(&[text, groq, "[DONE]"])[3], "usage 3+0+0 4(0)");
    // OpenRouter's comments, and its error in the middle.
    let bytes = b": OPENROUTER PROCESSING\n\ndata: {\"id\":\"i\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n\
        : OPENROUTER PROCESSING\n\ndata: {\"id\":\"i\",\"error\":{\"code\":429,\"message\":\"slow\"},\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\"}]}\n\n";
    for piece in [1, 5, usize::MAX] {
        assert_eq!(streamed(bytes, piece), ["start i ", "text 0 x", "error RateLimited slow"]);
    }
    // Events by name, as gateways in front of servers send them.
    let mut lines = Vec::new();
    let progress = Reader::default().frame(b"error", br#"{"message":"down"}"#, &mut |event| lines.push(line(event)));
    assert_eq!((progress, lines), (Ok(Progress::Complete), vec!["error Server down".to_owned()]));
    // MiniMax's failure in an answer of status 200.
    let failed = json!({"id":"i","choices":null,"base_resp":{"status_code":1002,"status_msg":"slow"}});
    assert_eq!(whole_lines(&failed), ["error RateLimited slow"]);
    assert_eq!(
        whole_lines(&json!({"base_resp":{"status_code":0},"choices":[{"message":{"content":"x"}}]}))[1],
        "text 0 x"
    );
    // A second finish, and what comes after the first, is of no interest.
    assert_eq!(frames(&[text, text, "[DONE]"]), ["start i m", "text 0 x", "finish 0 Stop", "end"]);
    assert_eq!(frames(&["", text, "{}"]).last().unwrap(), "end");
    assert_eq!(frames(&["nonsense"]), ["truncated"]);
}

#[test]
fn usage_has_no_overlaps() {
    let usage = |usage: Json| {
        let lines = whole_lines(&json!({"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"usage":usage}));
        lines[3].clone()
    };
    let details = |reasoning: u64| json!({"reasoning_tokens":reasoning});
    let counted = |total: u64, reasoning: u64| {
        usage(
            json!({"prompt_tokens":10,"completion_tokens":5,"total_tokens":total,"completion_tokens_details":details(reasoning)}),
        )
    };
    assert_eq!(counted(15, 3), "usage 10+0+0 5(3)");
    // xAI leaves reasoning out of the completion.
    assert_eq!(counted(18, 3), "usage 10+0+0 8(3)");
    assert_eq!(counted(15, 7), "usage 10+0+0 12(7)");
    // Google's endpoint too, and does not say how much.
    assert_eq!(usage(json!({"prompt_tokens":10,"completion_tokens":5,"total_tokens":18})), "usage 10+0+0 8(3)");
    let deepseek = json!({"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":2});
    assert_eq!(usage(deepseek), "usage 2+8+0 5(0)");
    assert_eq!(usage(json!({"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":9}})), "usage 0+1+0 0(0)");
    let answer = json!({"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":9,"completion_tokens":5,
        "prompt_tokens_details":{"audio_tokens":4},"completion_tokens_details":{"audio_tokens":50}}});
    let mut audio = None;
    whole(answer.to_string().as_bytes(), &mut |event| {
        if let Event::Usage(usage) = event {
            audio = Some((usage.input_audio, usage.output_audio));
        }
    })
    .unwrap();
    assert_eq!(audio, Some((4, 5)));
}

/// Steps of an answer that this dialect can say, for two choices.
fn steps() -> impl Strategy<Value = Vec<Event<'static>>> {
    let text = || "[a-z \"\\\\\u{e9}\u{1F600}\n]{1,6}";
    let signature = |value: String| Signature { origin: Origin::Anthropic, value: Text::plain(value) };
    let step = prop_oneof![
        (0..2u32, text()).prop_map(|(choice, text)| Event::Text { choice, text: Text::plain(text) }),
        (0..2u32, text()).prop_map(|(choice, text)| Event::Refusal { choice, text: Text::plain(text) }),
        (0..2u32, text()).prop_map(|(choice, text)| Event::Thinking { choice, text: Text::plain(text) }),
        (0..2u32, "[a-z]{1,4}")
            .prop_map(move |(choice, value)| Event::ThinkingSignature { choice, signature: signature(value) }),
        (0..2u32, "[a-z]{1,4}")
            .prop_map(move |(choice, value)| Event::SealedThinking { choice, signature: signature(value) }),
        (0..2u32, 0..3u32).prop_map(|(choice, call)| Event::ToolCall {
            choice,
            call,
            id: Text::plain(format!("id{call}")),
            name: Text::plain("f"),
            signature: None
        }),
        (0..2u32, 0..3u32, text()).prop_map(|(choice, call, text)| Event::ToolArguments {
            choice,
            call,
            fragment: Text::plain(text)
        }),
        Just(Event::Extra { choice: 1, name: "logprobs", raw: Raw(br#"{"content":[]}"#.into()) }),
    ];
    prop::collection::vec(step, 0..20).prop_map(|steps| {
        let mut begun = [0; 2];
        let mut kept = vec![Event::Start { id: Text::plain("chatcmpl-r"), model: Text::plain("m") }];
        // Calls are numbered as they begin, and arguments follow their call.
        for mut step in steps {
            match &mut step {
                Event::ToolCall { choice, call, id, .. } => {
                    *call = begun[*choice as usize];
                    *id = Text::plain(format!("id{call}"));
                    begun[*choice as usize] += 1;
                }
                Event::ToolArguments { choice, call, .. } if *call >= begun[*choice as usize] => continue,
                _ => {}
            }
            kept.push(step);
        }
        for choice in 0..2 {
            let reason = if begun[choice as usize] > 0 { Finish::ToolCalls } else { Finish::Length };
            kept.push(Event::Finish { choice, reason });
        }
        let usage =
            canonical::Usage { input_uncached: 3, cache_read: 2, output: 5, reasoning: 1, ..Default::default() };
        kept.extend([Event::Usage(usage), Event::End]);
        kept
    })
}

fn facts() -> Facts {
    Facts { id: "r".into(), model: "m".into(), created_s: 1, usage_asked: true }
}

/// Calls without arguments are given empty ones when they are rendered.
fn is_bare(line: &str) -> bool {
    line.starts_with("arguments") && line.ends_with("{}")
}

proptest! {
    /// What is rendered as a stream is read as it was told, in pieces of whatever size.
    #[test]
    fn a_stream_comes_back(steps in steps(), piece in 1..40usize) {
        let mut stream = render::Stream::new(facts());
        let mut out = Vec::new();
        steps.iter().for_each(|step| stream.event(step, &mut out));
        let mut read = streamed(&out, piece);
        read.retain(|line| !is_bare(line));
        prop_assert_eq!(read, steps.into_iter().map(line).collect::<Vec<_>>());
    }

    /// What is rendered whole says the same, if not in the same pieces.
    #[test]
    fn a_whole_answer_comes_back(steps in steps()) {
        let mut put_together = render::Whole::new(facts());
        steps.iter().for_each(|step| put_together.event(step));
        let mut out = Vec::new();
        put_together.finish(&mut out);
        let mut read = Vec::new();
        whole(&out, &mut |event| read.push(line(event))).unwrap();
        read.retain(|line| !is_bare(line));
        let told: Vec<_> = steps.into_iter().map(line).collect();
        // By kind and choice, in one piece each.
        for kind in ["text 0", "text 1", "refusal 0", "refusal 1", "arguments 0 0", "arguments 1 0", "call 0", "call 1", "finish",
            "usage", "sealed 0", "signature 1", "thinking 0"] {
            let said = |lines: &[String]| -> String {
                lines.iter().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' ')).collect()
            };
            prop_assert_eq!(said(&read), said(&told), "{}", kind);
        }
    }

    #[test]
    fn noise_is_no_answer(data in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = Reader::default().frame(b"", &data, &mut |_| {});
        let _ = whole(&data, &mut |_| {});
    }

    /// Values of the wrong kind anywhere never panic.
    #[test]
    fn odd_values_are_no_panic(
        member in prop::sample::select(vec![
            "id", "choices", "usage", "error", "x_groq", "base_resp", "index", "delta", "message", "finish_reason", "logprobs", "content",
            "tool_calls", "function_call", "thinking_blocks", "reasoning_details", "reasoning", "function", "arguments", "thinking",
        ]),
        value in prop::sample::select(vec![
            "1", "-1", "\"x\"", "[]", "{}", "null", "[1]", "[{}]", "[[]]", "[{\"thinking\":1}]", "[{\"thinking\":[1]}]", "{\"usage\":{}}",
            "[{\"function\":1}]", "[{\"data\":\"\"}]", "1e9", "true",
        ]),
        inside in 0..3,
    ) {
        let text = match inside {
            0 => format!("{{\"{member}\":{value}}}"),
            1 => format!("{{\"choices\":[{{\"{member}\":{value}}}]}}"),
            _ => format!("{{\"choices\":[{{\"index\":0,\"delta\":{{\"{member}\":{value}}}}}]}}"),
        };
        let mut reader = Reader::default();
        for _ in 0..2 {
            let _ = reader.frame(b"", text.as_bytes(), &mut |_| {});
        }
        let _ = reader.end(&mut |_| {});
        let _ = whole(text.as_bytes(), &mut |_| {});
    }
}
