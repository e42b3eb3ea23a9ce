//! What a dialect can say is not lost in it: a request that is composed in a dialect and parsed from that again means the same,
//! and so does an answer that is rendered, whole or streamed, and read.

use super::*;
use crate::{
    dialects::{
        anthropic_messages, fixtures, gemini, openai_chat, openai_responses, translate,
        wire::{ClientWire, UpstreamWire},
    },
    sse::split::Splitter,
};
use proptest::{collection::vec, option, prelude::*, sample::select};

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
    let limits = (option::of(1..100_000u64), number(), number(), vec(word(), 0..3));
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
                format!("calls {} {} {}", id.decoded(), name.decoded(), json(input))
            }
            PartBody::ToolResult(ToolResult { call_id, content, object, is_error, .. }) => {
                // Gemini's results are objects: a text that is one stands as it is, any other under a name.
                let mut said = serde_json::Value::String(texts(content).concat());
                if let Some(object) = object {
                    let object = json(object);
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
        let schema = tool.schema.as_ref().map(json).unwrap_or_default();
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
        OutputFormat::Schema(output) => format!("schema {}", json(&output.schema)),
        other => format!("{other:?}"),
    });
    let number =
        |number: &Option<Raw<'_>>| number.as_ref().map(|number| String::from_utf8_lossy(&number.0).into_owned());
    lines.push(format!("{:?} {:?}", number(&request.temperature), number(&request.top_p)));
    lines.push(format!("stop {:?}", request.stop.iter().map(|stop| stop.decoded().into_owned()).collect::<Vec<_>>()));
    lines
}

fn json(raw: &Raw<'_>) -> serde_json::Value {
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
