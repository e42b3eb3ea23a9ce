//! What a dialect can say is not lost in it: a request that is composed in a dialect and parsed from that again means the same,
//! and so does an answer that is rendered, whole or streamed, and read.

use super::*;
use crate::{
    dialects::{
        anthropic_messages, fixtures, gemini, openai_chat,
        openai_chat::pass_through::Verdict,
        openai_responses, text_tools,
        translate::{self, Translation},
        wire::{ClientWire, UpstreamWire},
    },
    sse::split::Splitter,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};

/// The dialects that have both doors.
const BOTH_WAYS: [(ClientWire, UpstreamWire); 4] = [
    (ClientWire::OpenAiChat, UpstreamWire::OpenAiChat),
    (ClientWire::OpenAiResponses, UpstreamWire::OpenAiResponses),
    (ClientWire::AnthropicMessages, UpstreamWire::AnthropicMessages),
    (ClientWire::GeminiContent, UpstreamWire::GeminiContent),
];

fn text() -> impl Strategy<Value = Text<'static>> {
    // Quotes, escapes, control characters, other scripts, beyond the basic plane.
    let letters = select(vec!["a", "\"", "\\", "\n", "\u{1}", "é", "字", "🦀", " x ", "</", "{\"a\":1}"]);
    // Never blank: Anthropic takes no such text, so none is sent there.
    vec(letters, 0..6).prop_map(|letters| Text::plain(letters.concat() + "."))
}

fn word() -> impl Strategy<Value = Text<'static>> {
    "[a-z][a-z0-9_]{0,8}".prop_map(Text::plain)
}

fn object() -> impl Strategy<Value = Raw<'static>> {
    let object = vec(("[a-z]{1,3}", select(vec!["1", "-2.5e3", "\"x\\n\"", "[]", "{\"b\":[null,true]}"])), 0..3);
    object.prop_map(|members| {
        let members: std::collections::BTreeMap<_, _> = members.into_iter().collect();
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        Raw(format!("{{{}}}", members.join(",")).into_bytes().into())
    })
}

fn part(body: PartBody<'static>) -> Part<'static> {
    Part { body, cache: None }
}

fn picture() -> impl Strategy<Value = PartBody<'static>> {
    let base64 = Text::plain("iVBORw0KGgo=");
    select(vec!["image/png", "image/jpeg"]).prop_map(move |kind| PartBody::Image {
        source: Source::Inline { media_type: Text::plain(kind), base64: base64.clone() },
        detail: None,
    })
}

fn asked() -> impl Strategy<Value = Message<'static>> {
    let bodies = vec(prop_oneof![4 => text().prop_map(PartBody::Text), 1 => picture()], 1..4);
    bodies.prop_map(|bodies| Message { role: Role::User, parts: bodies.into_iter().map(part).collect(), name: None })
}

/// What the model said, with calls of the tools `t0` and `t1`, and the results of all of them.
fn answered() -> impl Strategy<Value = Vec<Message<'static>>> {
    (option::of(text()), vec((0..2u8, object(), text()), 0..3)).prop_map(|(said, calls)| {
        let mut parts: Vec<_> = said.into_iter().map(PartBody::Text).map(part).collect();
        let mut results = Vec::new();
        for (nth, (tool, input, result)) in calls.into_iter().enumerate() {
            let (id, name) = (Text::plain(format!("call_{nth}")), Text::plain(format!("t{tool}")));
            let input = ToolInput::Object(input);
            let call = ToolCall { id: id.clone(), name: name.clone(), input, signature: None };
            parts.push(part(PartBody::ToolCall(call)));
            let content = vec![part(PartBody::Text(result))];
            let result = ToolResult { call_id: id, name: Some(name), content, object: None, is_error: false };
            results.push(part(PartBody::ToolResult(result)));
        }
        if parts.is_empty() {
            parts.push(part(PartBody::Text(Text::plain("yes"))));
        }
        let mut turns = vec![Message { role: Role::Assistant, parts, name: None }];
        if !results.is_empty() {
            turns.push(Message { role: Role::User, parts: results, name: None });
        }
        turns
    })
}

fn conversation() -> impl Strategy<Value = Vec<Message<'static>>> {
    (vec((asked(), answered()), 0..3), asked()).prop_map(|(turns, last)| {
        let mut messages = Vec::new();
        for (asked, answered) in turns {
            messages.push(asked);
            messages.extend(answered);
        }
        messages.push(last);
        messages
    })
}

fn tools() -> impl Strategy<Value = Vec<Tool<'static>>> {
    vec(option::of(text()), 2).prop_map(|descriptions| {
        let tool = |(nth, description)| {
            let schema = r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#;
            let (name, schema) = (Text::plain(format!("t{nth}")), Some(Raw(schema.as_bytes().into())));
            Tool::Function(FunctionTool { name, description, schema, strict: None, cache: None })
        };
        descriptions.into_iter().enumerate().map(tool).collect()
    })
}

fn choice() -> impl Strategy<Value = Option<ToolChoice<'static>>> {
    let choices = [ToolChoice::Auto, ToolChoice::Required, ToolChoice::None, ToolChoice::Tool(Text::plain("t1"))];
    option::of(select(choices.to_vec()))
}

fn number() -> impl Strategy<Value = Option<Raw<'static>>> {
    option::of(select(vec!["0", "0.7", "1", "0.30000000000000004"]))
        .prop_map(|number| number.map(|number| Raw(number.as_bytes().into())))
}

fn output() -> impl Strategy<Value = OutputFormat<'static>> {
    let schema =
        r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}"#;
    let schema = OutputSchema { name: None, description: None, schema: Raw(schema.as_bytes().into()), strict: None };
    select(vec![OutputFormat::Text, OutputFormat::Schema(schema)])
}

fn request() -> impl Strategy<Value = Request<'static>> {
    // Less than sixteen become sixteen where Responses are asked.
    let limits = (option::of(16..100_000u64), number(), number(), vec(word(), 0..3));
    (vec(text(), 0..3), conversation(), tools(), choice(), output(), limits).prop_map(
        |(system, messages, tools, tool_choice, output, (output_tokens_max, temperature, top_p, stop))| Request {
            system: system.into_iter().map(PartBody::Text).map(part).collect(),
            messages,
            tools,
            tool_choice,
            output,
            output_tokens_max,
            temperature,
            top_p,
            stop,
            ..Request::default()
        },
    )
}

/// What a request asks for, in lines; what dialects cut differently (turns of one role in a row, texts of the system) is put together.
fn meaning(request: &Request<'_>) -> Vec<String> {
    let mut lines = vec![format!("system: {:?}", texts(&request.system).concat())];
    let mut role = None;
    for message in &request.messages {
        if role != Some(message.role) {
            lines.push(format!("{:?}:", message.role));
            role = Some(message.role);
        }
        lines.extend(message.parts.iter().map(|part| match &part.body {
            PartBody::Text(text) => format!("says {:?}", text.decoded()),
            PartBody::Image { source: Source::Inline { media_type, base64 }, .. } => {
                format!("shows {} {}", media_type.decoded(), base64.decoded())
            }
            PartBody::ToolCall(ToolCall { id, name, input: ToolInput::Object(input), .. }) => {
                format!("calls {} {} {}", id.decoded(), name.decoded(), parsed(input))
            }
            PartBody::ToolResult(ToolResult { call_id, content, object, is_error, .. }) => {
                // Gemini's results are objects: a text that is one stands as it is, any other under a name.
                let mut said = Value::String(texts(content).concat());
                if let Some(object) = object {
                    let object = parsed(object);
                    said = object.get("output").or(object.get("result")).unwrap_or(&object).clone();
                }
                if let Some(object) = said.as_str().and_then(|text| serde_json::from_str(text).ok()) {
                    said = object;
                }
                format!("returns {} {said} {is_error}", call_id.decoded())
            }
            other => format!("{other:?}"),
        }));
    }
    for tool in &request.tools {
        let Tool::Function(tool) = tool else { panic!("{tool:?}") };
        let description = tool.description.as_ref().map(Text::decoded).unwrap_or_default();
        let schema = tool.schema.as_ref().map(parsed).unwrap_or_default();
        lines.push(format!("tool {} {description:?} {schema}", tool.name.decoded()));
    }
    let choice = request.tool_choice.as_ref().unwrap_or(&ToolChoice::Auto);
    lines.push(match choice {
        ToolChoice::Tool(name) => format!("tool choice {}", name.decoded()),
        ToolChoice::Among { names, required: true } if names.len() == 1 => {
            format!("tool choice {}", names[0].decoded())
        }
        other => format!("tool choice {other:?}"),
    });
    lines.push(match &request.output {
        OutputFormat::Schema(output) => format!("schema {}", parsed(&output.schema)),
        other => format!("{other:?}"),
    });
    let number =
        |number: &Option<Raw<'_>>| number.as_ref().map(|number| String::from_utf8_lossy(&number.0).into_owned());
    lines.push(format!("{:?} {:?}", number(&request.temperature), number(&request.top_p)));
    lines.push(format!("stop {:?}", request.stop.iter().map(|stop| stop.decoded().into_owned()).collect::<Vec<_>>()));
    lines
}

fn parsed(raw: &Raw<'_>) -> Value {
    serde_json::from_slice(&raw.0).expect("JSON")
}

fn texts(parts: &[Part<'_>]) -> Vec<String> {
    let text = |part: &Part<'_>| match &part.body {
        PartBody::Text(text) => text.decoded().into_owned(),
        other => panic!("{other:?}"),
    };
    parts.iter().map(text).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_survives_each_dialect(drawn in request()) {
        for (client, upstream) in BOTH_WAYS {
            let mut request = drawn.clone();
            if upstream == UpstreamWire::OpenAiResponses {
                // It has none.
                request.stop.clear();
            }
            let target = Target { model: "m", traits: ModelTraits::default(), drops: false };
            let (mut notes, mut out) = (Notes::default(), Vec::new());
            let composed = translate::compose(upstream, &request, &target, &mut notes, &mut out);
            prop_assert!(composed.is_ok(), "{upstream:?} refuses {composed:?}");
            let again = translate::parse(client, &out);
            prop_assert!(again.is_ok(), "{client:?} does not read {}: {again:?}", String::from_utf8_lossy(&out));
            let again = again.unwrap_or_default();
            prop_assert_eq!(meaning(&again), meaning(&request), "{:?}: {}", upstream, String::from_utf8_lossy(&out));
            if request.output_tokens_max.is_some() {
                prop_assert_eq!(again.output_tokens_max, request.output_tokens_max);
            }
        }
    }
}

// ---- answers ----

/// An answer as steps: what is said in pieces, calls with their input in pieces, an end, counts.
fn answer() -> impl Strategy<Value = Vec<Event<'static>>> {
    let said = vec(text(), 0..4);
    let calls = vec((0..2u8, object(), 1..9usize), 0..3);
    let counts = (0..1_000u64, 0..1_000u64, 1..1_000u64);
    (said, calls, any::<bool>(), counts).prop_map(|(said, calls, is_cut, (uncached, cached, output))| {
        let mut events = vec![Event::Start { id: Text::plain("x"), model: Text::plain("m") }];
        events.extend(said.into_iter().map(|text| Event::Text { choice: 0, text }));
        let reason = match (calls.is_empty(), is_cut) {
            (_, true) => Finish::Length,
            (true, _) => Finish::Stop,
            _ => Finish::ToolCalls,
        };
        for (call, (tool, input, piece)) in (0..).zip(calls) {
            let id = Text::plain(format!("call_{call}"));
            let name = Text::plain(format!("t{tool}"));
            events.push(Event::ToolCall { choice: 0, call, id, name, signature: None });
            let input = String::from_utf8_lossy(&input.0).into_owned();
            let pieces = input.as_bytes().chunks(piece).map(|piece| String::from_utf8_lossy(piece).into_owned());
            events.extend(pieces.map(|piece| Event::ToolArguments { choice: 0, call, fragment: Text::plain(piece) }));
        }
        let usage = Usage { input_uncached: uncached, cache_read: cached, output, ..Usage::default() };
        events.extend([Event::Finish { choice: 0, reason }, Event::Usage(usage), Event::End]);
        events
    })
}

fn told(events: impl FnOnce(&mut dyn FnMut(Event<'_>))) -> fixtures::Told {
    let mut told = fixtures::Told::default();
    events(&mut |event| told.event(event));
    for (_, _, input) in &mut told.calls {
        *input = serde_json::from_str::<serde_json::Value>(input).expect("an object").to_string();
    }
    told
}

fn facts() -> Facts {
    Facts { id: "r".to_owned(), model: "m".to_owned(), created_s: 1, usage_asked: true }
}

/// Renders steps whole and as a stream, and reads both.
macro_rules! read_again {
    ($dialect:ident, $events:expr) => {{
        let mut whole = $dialect::render::Whole::new(facts());
        let (mut stream, mut text) = ($dialect::render::Stream::new(facts()), Vec::new());
        for event in $events {
            whole.event(event);
            stream.event(event, &mut text);
        }
        let mut body = Vec::new();
        whole.finish(&mut body);
        let whole = told(|tell| $dialect::read::whole(&body, tell).expect("an answer"));
        let streamed = told(|tell| {
            let (mut reader, mut splitter) = ($dialect::read::Reader::default(), Splitter::new(1 << 20));
            let mut feed = splitter.feed(&text);
            while let Some(event) = feed.next().expect("events") {
                if reader.frame(event.name, event.data, tell).expect("an event") == Progress::Complete {
                    return;
                }
            }
            reader.end(tell).expect("complete");
        });
        [(stringify!($dialect), whole), (stringify!($dialect), streamed)]
    }};
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_survives_each_dialect(events in answer()) {
        let meant = told(|tell| events.iter().cloned().for_each(tell));
        let read = [
            read_again!(openai_chat, &events),
            read_again!(openai_responses, &events),
            read_again!(anthropic_messages, &events),
            read_again!(gemini, &events),
        ];
        for (dialect, again) in read.iter().flatten() {
            prop_assert_eq!(again, &meant, "{}", dialect);
        }
    }
}

// ---- forms of calls ----

/// What a client says that has tools of the form, and what it gets of a call of the function `f` and one of the tool with a text `t`.
struct Form {
    client: ClientWire,
    request: &'static str,
    /// The canonical names that the model is to call; an empty one is not called.
    function: &'static str,
    text_tool: &'static str,
    expected: fn(&str, &str) -> Value,
}

const FORMS: [Form; 3] = [
    Form {
        client: ClientWire::OpenAiChat,
        request: r#"{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}},
            {"type":"custom","custom":{"name":"t","format":{"type":"grammar","grammar":{"syntax":"regex","definition":".*"}}}}]}"#,
        function: "f",
        text_tool: "t",
        expected: |object, text| {
            json!([
                {"type":"function","function":{"name":"f","arguments":object}},
                {"type":"custom","custom":{"name":"t","input":text}},
                "tool_calls"
            ])
        },
    },
    Form {
        client: ClientWire::OpenAiChat,
        request: r#"{"messages":[{"role":"user","content":"x"}],"functions":[{"name":"f"}]}"#,
        function: "f",
        text_tool: "",
        expected: |object, _| json!([{"name":"f","arguments":object}, "function_call"]),
    },
    Form {
        client: ClientWire::OpenAiResponses,
        request: r#"{"input":"x","tools":[{"type":"function","name":"g_f","parameters":null},{"type":"namespace","name":"g",
            "description":"d","tools":[{"type":"function","name":"f"},{"type":"custom","name":"t"}]}]}"#,
        function: "g.f",
        text_tool: "g.t",
        expected: |object, text| {
            json!([
                {"type":"function_call","namespace":"g","name":"f","arguments":object},
                {"type":"custom_tool_call","namespace":"g","name":"t","input":text},
            ])
        },
    },
];

/// What an upstream answers, whole and as a stream, whose model calls the tools, with inputs in pieces; and the way back to the client.
fn answered_by(
    form: &Form,
    upstream: UpstreamWire,
    inputs: [(&str, &str); 2],
    piece: usize,
) -> (Translation, Vec<u8>, Vec<u8>) {
    let mut request = translate::parse(form.client, form.request.as_bytes()).expect("a request");
    let target = Target { model: "m", traits: ModelTraits::default(), drops: false };
    let (mut notes, mut body) = (Notes::default(), Vec::new());
    let knows_texts = matches!(upstream, UpstreamWire::OpenAiChat | UpstreamWire::OpenAiResponses);
    let text_tools = if knows_texts { Vec::new() } else { text_tools::as_functions(&mut request, &mut notes) };
    let adapted = translate::compose(upstream, &request, &target, &mut notes, &mut body).expect("composed");

    let upstream_name = |client: &str| {
        let renamed = adapted.names.iter().find(|(_, name)| **name == *client);
        renamed.map_or(client, |(upstream, _)| upstream).to_owned()
    };
    let wrapped = json!({ "input": inputs[1].1 }).to_string();
    let text = if knows_texts { inputs[1].1 } else { &wrapped };
    let mut events = vec![Event::Start { id: Text::plain("x"), model: Text::plain("m") }];
    let calls = [(inputs[0].0, inputs[0].1), (inputs[1].0, text)];
    for (call, (tool, input)) in (0..).zip(calls.into_iter().filter(|(tool, _)| !tool.is_empty())) {
        let (id, name) = (Text::plain(format!("call_{call}")), Text::plain(upstream_name(tool)));
        events.push(Event::ToolCall { choice: 0, call, id, name, signature: None });
        let letters: Vec<_> = input.chars().collect();
        let fragments = letters.chunks(piece).map(|piece| Text::plain(piece.iter().collect::<String>()));
        events.extend(fragments.map(|fragment| Event::ToolArguments { choice: 0, call, fragment }));
    }
    events.extend([Event::Finish { choice: 0, reason: Finish::ToolCalls }, Event::Usage(Usage::default()), Event::End]);

    let texts = if form.text_tool.is_empty() { Vec::new() } else { vec![upstream_name(form.text_tool).into()] };
    let forms = CallForms { text_tools: texts, as_function_call: false };
    let echo = openai_responses::echo::Echo::of(&body);
    macro_rules! rendered {
        ($dialect:ident, $constructor:ident, $($given:expr),*) => {{
            let mut whole = $dialect::render::Whole::$constructor($($given.clone()),*);
            let mut stream = $dialect::render::Stream::$constructor($($given.clone()),*);
            let (mut answer, mut streamed) = (Vec::new(), Vec::new());
            for event in &events {
                whole.event(event);
                stream.event(event, &mut streamed);
            }
            whole.finish(&mut answer);
            (answer, streamed)
        }};
    }
    let (answer, streamed) = match upstream {
        UpstreamWire::OpenAiChat => rendered!(openai_chat, with_calls_as, forms, facts()),
        UpstreamWire::OpenAiResponses => rendered!(openai_responses, repeating, facts(), echo),
        UpstreamWire::AnthropicMessages => rendered!(anthropic_messages, new, facts()),
        _ => rendered!(gemini, new, facts()),
    };
    let translation = Translation {
        client: form.client,
        upstream,
        adapted,
        text_tools,
        facts: facts(),
        echo: Some(openai_responses::echo::Echo::of(form.request.as_bytes())),
        in_array: false,
        prompt: translate::Prompt {
            bytes: std::rc::Rc::new(form.request.as_bytes().to_vec()),
            start: 0,
            counted: None,
        },
        calls: 1,
    };
    (translation, answer, streamed)
}

/// The calls that a client got, without their ids, and how Chat Completions says that there are some.
fn got(client: ClientWire, answer: &Value) -> Value {
    let without_ids = |call: &Value| {
        let mut call = call.clone();
        call.as_object_mut()
            .expect("a call")
            .retain(|name, _| !["id", "call_id", "status", "index"].contains(&&**name));
        call
    };
    let list = |calls: &Value| calls.as_array().into_iter().flatten().map(without_ids).collect::<Vec<_>>();
    if client == ClientWire::OpenAiResponses {
        return list(&answer["output"]).into();
    }
    let choice = &answer["choices"][0];
    let mut calls = list(&choice["message"]["tool_calls"]);
    calls.extend(choice["message"].get("function_call").cloned());
    calls.push(choice["finish_reason"].clone());
    calls.into()
}

/// A stream of either of OpenAI's dialects, put together as their clients do it.
fn put_together(client: ClientWire, stream: &[u8]) -> Value {
    let stream = String::from_utf8(stream.to_vec()).expect("UTF-8");
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    let events: Vec<Value> = data.map(|data| serde_json::from_str(data).expect("JSON")).collect();
    if client == ClientWire::OpenAiResponses {
        return events.last().expect("an end")["response"].clone();
    }
    fn add(whole: &mut Value, delta: &Value) {
        match (whole, delta) {
            (Value::String(whole), Value::String(more)) => whole.push_str(more),
            (Value::Object(whole), Value::Object(delta)) => {
                for (name, value) in delta {
                    match whole.get_mut(name) {
                        Some(whole) if name != "index" => add(whole, value),
                        _ => drop(whole.insert(name.clone(), value.clone())),
                    }
                }
            }
            (Value::Array(whole), Value::Array(delta)) => {
                for value in delta {
                    match whole.iter_mut().find(|known| known["index"] == value["index"]) {
                        Some(known) => add(known, value),
                        None => whole.push(value.clone()),
                    }
                }
            }
            (whole, delta) => *whole = delta.clone(),
        }
    }
    let (mut message, mut finish) = (json!({}), Value::Null);
    for choice in events.iter().flat_map(|event| event["choices"].as_array().into_iter().flatten()) {
        add(&mut message, &choice["delta"]);
        if !choice["finish_reason"].is_null() {
            finish = choice["finish_reason"].clone();
        }
    }
    json!({"choices": [{"message": message, "finish_reason": finish}]})
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// A client gets the calls of its tools in the form that it offered them in, whatever the upstream makes of them.
    #[test]
    fn calls_come_back_in_the_form_of_their_tools(object in object(), text in text(), piece in 1..9usize) {
        let object = String::from_utf8_lossy(&object.0).into_owned();
        let text = text.decoded().into_owned();
        for form in &FORMS {
            for (_, upstream) in BOTH_WAYS {
                let inputs = [(form.function, &*object), (form.text_tool, &*text)];
                let (translation, answer, streamed) = answered_by(form, upstream, inputs, piece);
                let mut whole = Vec::new();
                translation.clone().whole(&answer, &mut whole).expect("an answer");
                let whole: Value = serde_json::from_slice(&whole).expect("JSON");
                let (mut stream, mut events) = (translation.stream(), Vec::new());
                let verdict = stream.feed(&streamed, &mut events);
                prop_assert!(matches!(verdict, Verdict::Complete | Verdict::More), "{:?}: {:?}", upstream, verdict);
                if verdict == Verdict::More {
                    prop_assert_eq!(stream.end(&mut events), Verdict::Complete);
                }
                for answer in [whole, put_together(form.client, &events)] {
                    let mut got = got(form.client, &answer);
                    let mut expected = (form.expected)(&object, &text);
                    // Some upstreams carry the object itself: its white space and the form of its numbers are theirs.
                    for calls in [&mut got, &mut expected] {
                        for call in calls.as_array_mut().into_iter().flatten() {
                            let at = ["/function/arguments", "/arguments"].into_iter().find(|at| call.pointer(at).is_some());
                            let arguments = at.and_then(|at| call.pointer_mut(at));
                            if let Some(arguments) = arguments {
                                *arguments = serde_json::from_str(arguments.as_str().expect("a text")).expect("an object");
                            }
                        }
                    }
                    prop_assert_eq!(got, expected, "{:?} from {:?}", form.client, upstream);
                }
            }
        }
    }
}

// ---- tools of one API ----

/// Tools that an API runs itself, or whose calls have a form of their own there.
const HOSTED: [(ClientWire, &[&str]); 3] = [
    (
        ClientWire::OpenAiResponses,
        &[
            "apply_patch",
            "code_interpreter",
            "computer_use_preview",
            "file_search",
            "image_generation",
            "local_shell",
            "mcp",
            "shell",
            "tool_search",
            "web_search",
            "web_search_preview",
        ],
    ),
    (
        ClientWire::AnthropicMessages,
        &[
            "bash_20250124",
            "code_execution_20250825",
            "computer_20250124",
            "mcp_toolset",
            "memory_20250818",
            "text_editor_20250728",
            "tool_search_tool_regex_20251119",
            "web_fetch_20250910",
            "web_search_20250305",
        ],
    ),
    (ClientWire::GeminiContent, &["codeExecution", "googleMaps", "googleSearch", "urlContext"]),
];

#[test]
fn a_tool_of_one_api_is_refused_by_the_others_or_named() {
    let ways =
        [(UpstreamWire::BedrockConverse, None), (UpstreamWire::CohereChat, None), (UpstreamWire::OllamaChat, None)];
    let both = BOTH_WAYS.map(|(client, upstream)| (upstream, Some(client)));
    for (client, kinds) in HOSTED {
        for kind in kinds {
            let body = match client {
                ClientWire::OpenAiResponses => json!({"input":"x","tools":[{"type":kind}]}),
                ClientWire::AnthropicMessages => {
                    json!({"max_tokens":9,"messages":[{"role":"user","content":"x"}],"tools":[{"type":kind,"name":"n"}]})
                }
                _ => json!({"contents":[{"parts":[{"text":"x"}]}],"tools":[{*kind:{}}]}),
            };
            let text = body.to_string();
            let request = translate::parse(client, text.as_bytes()).expect("a request");
            for (upstream, _) in ways.into_iter().chain(both).filter(|(_, own)| *own != Some(client)) {
                for drops in [false, true] {
                    let target = Target { model: "m", traits: ModelTraits::default(), drops };
                    let (mut notes, mut out) = (Notes::default(), Vec::new());
                    let composed = translate::compose(upstream, &request, &target, &mut notes, &mut out);
                    let named = match composed {
                        Err(Unsupported { param, .. }) if !drops => param.into_owned(),
                        Ok(_) if drops => {
                            assert!(!String::from_utf8_lossy(&out).contains(kind), "{kind} reaches {upstream:?}");
                            let dropped = notes.notes.iter().find(|note| note.kind == NoteKind::Dropped);
                            dropped.map(|note| note.param.to_string()).unwrap_or_default()
                        }
                        composed => panic!("{kind} at {upstream:?}: {composed:?}"),
                    };
                    assert!(named.starts_with("tools[0]"), "{kind} at {upstream:?}: {named}");
                }
            }
        }
    }
}
