//! `POST /messages` and `/messages/count_tokens`: blocks of thinking, text and tool use, whole and streamed.
//!
//! What is marked for caching counts as written in the first turn of a conversation and as read in every later one, when the
//! turn before it has written it; so usage depends on the request alone.

use serde_json::{Value, json};

use super::base64::encode;
use super::invent::{Content, Ending, Json, Made, MadeCall, Tool, ToolChoice, Wish, invent};
use super::reply::{Event, EventKind, Reply};
use super::text::cut;
use super::{ApiError, Call, Setting, order, rules, token_count};
use crate::sim::latency::Random;

pub(super) fn reply(call: &Call<'_>) -> Result<Reply, ApiError> {
    rules::check(&call.body, call.setting)?;
    let answer = Answer::to(call);
    if call.body.get("stream") == Some(&Value::Bool(true)) {
        Ok(Reply::events(answer.stream()))
    } else {
        Ok(order::anthropic_reply(&answer.whole()))
    }
}

pub(super) fn count_tokens(call: &Call<'_>) -> Result<Reply, ApiError> {
    rules::check(&call.body, call.setting)?;
    let input = Input::of(&call.body);
    Ok(order::anthropic_reply(&json!({"input_tokens": input.fresh + input.cached()})))
}

/// The answer of a model that declines.
pub(super) fn refusal(setting: &Setting<'_>) -> Reply {
    order::anthropic_reply(&json!({
        "id": setting.id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": "sim",
        "content": [],
        "stop_reason": "refusal",
        "stop_sequence": null,
        "stop_details": {"type": "refusal", "category": "simulated", "explanation": "The simulated provider was told to refuse."},
        "usage": {"input_tokens": 1, "output_tokens": 0},
    }))
}

/// The blocks of a message; a message that is plain text has none.
pub(super) fn blocks(message: &Value) -> &[Value] {
    message.get("content").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What vouches for a thinking when it is sent back.
pub(super) fn signature(thinking: &str, setting: &Setting<'_>) -> String {
    let mut random = Random::of_text(setting.seed, thinking.as_bytes());
    let bytes: Vec<u8> = (0..8).flat_map(|_| random.bits().to_le_bytes()).collect();
    encode(&bytes)
}

/// Tokens that came in.
#[derive(Default)]
struct Input {
    fresh: u64,
    written: u64,
    read: u64,
    for_an_hour: bool,
}

impl Input {
    fn cached(&self) -> u64 {
        self.written + self.read
    }

    /// Counted in the order in which a prefix is cached: tools, system, messages. All up to the last hint is cached.
    fn of(body: &Value) -> Self {
        let parts = |name: &str| match body.get(name) {
            Some(Value::Array(parts)) => parts.iter().collect(),
            Some(part @ Value::String(_)) => vec![part],
            _ => Vec::new(),
        };
        let mut input = Self::default();
        let mut before_hint = 0;
        let messages = parts("messages");
        for part in parts("tools").into_iter().chain(parts("system")).chain(messages.iter().copied()) {
            input.fresh += 3 + token_count(&text_of(part));
            let hint = std::iter::once(part).chain(blocks(part)).find_map(|block| block.get("cache_control"));
            if let Some(hint) = hint.filter(|hint| hint.is_object()) {
                before_hint = input.fresh;
                input.for_an_hour = hint.get("ttl").and_then(Value::as_str) == Some("1h");
            }
        }
        if body.get("cache_control").is_some_and(Value::is_object) {
            before_hint = input.fresh;
        }
        input.fresh -= before_hint;
        let later = messages.iter().any(|message| message.get("role").and_then(Value::as_str) == Some("assistant"));
        *(if later { &mut input.read } else { &mut input.written }) = before_hint;
        input
    }
}

/// All text of a message, a block or a tool; what is no text counts by its JSON, but for data, which counts as little.
fn text_of(part: &Value) -> String {
    match part {
        Value::String(text) => text.clone(),
        Value::Object(members) => match (members.get("text"), members.get("content")) {
            (Some(Value::String(text)), _) | (None, Some(Value::String(text))) => text.clone(),
            (None, Some(Value::Array(blocks))) => blocks.iter().map(text_of).collect::<Vec<_>>().join(" "),
            _ if members.contains_key("source") => "x".repeat(IMAGE_TOKENS * 4),
            _ => part.to_string(),
        },
        _ => String::new(),
    }
}

const IMAGE_TOKENS: usize = 85;

struct Answer {
    id: String,
    model: String,
    made: Made,
    /// Of the calls, in their order.
    ids: Vec<String>,
    signature: Option<String>,
    input: Input,
    thought_tokens: u64,
}

impl Answer {
    fn to(call: &Call<'_>) -> Self {
        let (body, setting) = (&call.body, call.setting);
        let messages = body.get("messages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let prompt = messages.iter().rev().find_map(said).unwrap_or_default();
        let mut made = invent(&wish(body, messages, &prompt), setting);
        let thinking = made.thoughts.concat();
        let omitted = body.pointer("/thinking/display").and_then(Value::as_str) == Some("omitted");
        let thought_tokens = made.thoughts.len() as u64;
        let signature = (thought_tokens > 0).then(|| signature(&thinking, setting));
        if omitted {
            made.thoughts.clear();
        }
        let ids = match &made.content {
            Content::Text(_) => Vec::new(),
            Content::Calls(calls) => (0..calls.len()).map(|at| setting.id(&format!("toolu_{at:02}"))).collect(),
        };
        Self {
            id: setting.id("msg_"),
            model: body.get("model").and_then(Value::as_str).unwrap_or("").to_owned(),
            ids,
            signature,
            input: Input::of(body),
            thought_tokens,
            made,
        }
    }

    fn whole(&self) -> Value {
        let mut content = Vec::new();
        if let Some(signature) = &self.signature {
            content.push(json!({"type": "thinking", "thinking": self.made.thoughts.concat(), "signature": signature}));
        }
        match &self.made.content {
            Content::Text(pieces) if pieces.is_empty() => {}
            Content::Text(pieces) => content.push(json!({"type": "text", "text": pieces.concat()})),
            Content::Calls(calls) => content.extend(calls.iter().zip(&self.ids).map(|(call, id)| {
                let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
                json!({"type": "tool_use", "id": id, "name": call.name, "input": input})
            })),
        }
        let (reason, word) = self.stop();
        self.message(content, reason.into(), word, self.made.tokens + self.thought_tokens)
    }

    fn message(&self, content: Vec<Value>, stop_reason: Value, stop_sequence: Value, output: u64) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": stop_sequence,
            "usage": self.usage(output),
        })
    }

    fn stop(&self) -> (&'static str, Value) {
        match &self.made.ending {
            Ending::Natural => ("end_turn", Value::Null),
            Ending::Limit => ("max_tokens", Value::Null),
            Ending::Calls => ("tool_use", Value::Null),
            Ending::StopWord(word) => ("stop_sequence", word.as_str().into()),
        }
    }

    fn usage(&self, output: u64) -> Value {
        let written = self.input.written;
        let (hour, minutes) = if self.input.for_an_hour { (written, 0) } else { (0, written) };
        json!({
            "input_tokens": self.input.fresh,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": self.input.read,
            "cache_creation": {"ephemeral_5m_input_tokens": minutes, "ephemeral_1h_input_tokens": hour},
            "output_tokens": output,
            "output_tokens_details": {"thinking_tokens": self.thought_tokens},
            "service_tier": "standard",
        })
    }

    fn stream(&self) -> Vec<Event> {
        let mut stream = Stream::default();
        let skeleton = self.message(Vec::new(), Value::Null, Value::Null, 1);
        stream.push(EventKind::Opening, "message_start", json!({"message": skeleton}));
        if let Some(signature) = &self.signature {
            stream.open(json!({"type": "thinking", "thinking": "", "signature": ""}));
            for piece in &self.made.thoughts {
                stream.delta(EventKind::Content, json!({"type": "thinking_delta", "thinking": piece}));
            }
            stream.delta(EventKind::Frame, json!({"type": "signature_delta", "signature": signature}));
            stream.close();
        }
        match &self.made.content {
            Content::Text(pieces) if pieces.is_empty() => {}
            Content::Text(pieces) => {
                stream.open(json!({"type": "text", "text": ""}));
                for piece in pieces {
                    stream.delta(EventKind::Content, json!({"type": "text_delta", "text": piece}));
                }
                stream.close();
            }
            Content::Calls(calls) => {
                calls.iter().zip(&self.ids).for_each(|(call, id)| stream.call(call, id));
            }
        }
        let (reason, word) = self.stop();
        let end = json!({
            "delta": {"stop_reason": reason, "stop_sequence": word},
            "usage": self.usage(self.made.tokens + self.thought_tokens),
        });
        stream.push(EventKind::Finish, "message_delta", end);
        stream.push(EventKind::Done, "message_stop", json!({}));
        stream.events
    }
}

/// Events under way; blocks are numbered as they open.
#[derive(Default)]
struct Stream {
    events: Vec<Event>,
    index: u64,
}

impl Stream {
    fn push(&mut self, kind: EventKind, name: &'static str, mut data: Value) {
        data["type"] = name.into();
        self.events.push(Event::named(kind, name, order::text(&data, order::anthropic)));
    }

    fn open(&mut self, block: Value) {
        self.push(EventKind::Frame, "content_block_start", json!({"index": self.index, "content_block": block}));
        if self.index == 0 {
            self.push(EventKind::Frame, "ping", json!({}));
        }
    }

    fn delta(&mut self, kind: EventKind, delta: Value) {
        self.push(kind, "content_block_delta", json!({"index": self.index, "delta": delta}));
    }

    fn close(&mut self) {
        self.push(EventKind::Frame, "content_block_stop", json!({"index": self.index}));
        self.index += 1;
    }

    fn call(&mut self, call: &MadeCall, id: &str) {
        self.open(json!({"type": "tool_use", "id": id, "name": call.name, "input": {}}));
        // The first fragment is empty, and so is all of an empty input.
        let pieces = if call.arguments == "{}" { Vec::new() } else { cut(&call.arguments, 8) };
        for piece in std::iter::once(String::new()).chain(pieces) {
            self.delta(EventKind::Content, json!({"type": "input_json_delta", "partial_json": piece}));
        }
        self.close();
    }
}

/// The text of a message: its content, its text blocks, or what its tool results say.
fn said(message: &Value) -> Option<String> {
    if let Some(text) = message.get("content").and_then(Value::as_str) {
        return Some(text.to_owned());
    }
    let texts: Vec<String> = blocks(message)
        .iter()
        .filter_map(|block| match block.get("type")?.as_str()? {
            "text" => Some(block.get("text")?.as_str()?.to_owned()),
            "tool_result" => said(block),
            _ => None,
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}

fn wish<'a>(body: &'a Value, messages: &'a [Value], prompt: &'a str) -> Wish<'a> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    let results = |message: &Value| {
        blocks(message).iter().any(|block| block.get("type").and_then(Value::as_str) == Some("tool_result"))
    };
    Wish {
        model: text("/model").unwrap_or(""),
        prompt,
        index: 0,
        tools: tools.filter_map(tool).collect(),
        tool_choice: match (text("/tool_choice/type"), body.pointer("/tool_choice/name").and_then(Value::as_str)) {
            (Some("tool"), Some(name)) => ToolChoice::Of(vec![name]),
            (Some("any"), _) => ToolChoice::Any,
            (Some("none"), _) => ToolChoice::Never,
            _ => ToolChoice::Auto,
        },
        parallel: body.pointer("/tool_choice/disable_parallel_tool_use").and_then(Value::as_bool).map(|off| !off),
        after_result: messages.last().is_some_and(results),
        json: body.pointer("/output_config/format/schema").map_or(Json::No, Json::By),
        limit: body.get("max_tokens").and_then(Value::as_u64),
        stops: body
            .get("stop_sequences")
            .and_then(Value::as_array)
            .map(|words| words.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default(),
        thinks: matches!(text("/thinking/type"), Some("enabled" | "adaptive")),
    }
}

/// A tool of the caller's; the server's own are never used.
fn tool(tool: &Value) -> Option<Tool<'_>> {
    let is_callers = tool.get("type").and_then(Value::as_str).is_none_or(|kind| kind == "custom");
    let name = tool.get("name")?.as_str()?;
    is_callers.then(|| Tool { name, schema: tool.get("input_schema"), free: false })
}
