//! `POST /chat/completions`: text, tool calls and JSON by schema, whole and streamed.
//!
//! JSON is written by hand where the order of members matters to readers that scan: `id` first, `usage` last.

use serde_json::Value;

use super::invent::{Content, Ending, Json, MadeCall, Tool, ToolChoice, Wish, invent};
use super::reply::{Event, EventKind, Reply};
use super::text::{cut, quote};
use super::verify::Is::{self, Bool, Int, Items, List, Number, Object, OneOf, Str, StrOrList, StrOrObject, Strs, Text};
use super::verify::{Table, may, need};
use super::{ApiError, Call, Setting, Trouble, token_count};
use crate::limits::CHOICES_MAX;
use crate::sim::latency::Random;

pub(super) const TABLE: Table = Table {
    fields: &[
        need("model", Str),
        need("messages", Items),
        may("messages[]", Object),
        need("messages[].role", OneOf(&["system", "assistant", "user", "function", "tool", "developer"])),
        may("messages[].content", StrOrList),
        need("messages[role=system].content", StrOrList),
        need("messages[role=developer].content", StrOrList),
        need("messages[role=user].content", StrOrList),
        need("messages[role=tool].content", StrOrList),
        need("messages[role=tool].tool_call_id", Str),
        need("messages[role=function].name", Str),
        may("messages[].content[]", Object),
        need("messages[].content[].type", Str),
        need("messages[].content[type=text].text", Str),
        need("messages[].content[type=image_url].image_url", Object),
        need("messages[].content[type=image_url].image_url.url", Text),
        need("messages[].content[type=input_audio].input_audio", Object),
        need("messages[].content[type=input_audio].input_audio.data", Is::Base64),
        need("messages[].content[type=input_audio].input_audio.format", OneOf(&["wav", "mp3"])),
        need("messages[].content[type=file].file", Object),
        may("messages[].tool_calls", Items),
        need("messages[].tool_calls[].id", Str),
        need("messages[].tool_calls[].type", OneOf(&["function", "custom"])),
        need("messages[].tool_calls[type=function].function", Object),
        need("messages[].tool_calls[type=function].function.name", Text),
        need("messages[].tool_calls[type=function].function.arguments", Str),
        need("messages[].tool_calls[type=custom].custom", Object),
        may("tools", List),
        need("tools[].type", Str),
        need("tools[type=function].function", Object),
        need("tools[type=function].function.name", Text),
        may("tools[type=function].function.parameters", Object),
        need("tools[type=custom].custom", Object),
        need("tools[type=custom].custom.name", Text),
        may("tool_choice", StrOrObject),
        may("parallel_tool_calls", Bool),
        may("response_format", Object),
        need("response_format.type", OneOf(&["text", "json_object", "json_schema"])),
        need("response_format[type=json_schema].json_schema", Object),
        need("response_format[type=json_schema].json_schema.name", Text),
        may("response_format[type=json_schema].json_schema.schema", Object),
        may("temperature", Number(0.0, 2.0)),
        may("top_p", Number(0.0, 1.0)),
        may("frequency_penalty", Number(-2.0, 2.0)),
        may("presence_penalty", Number(-2.0, 2.0)),
        may("n", Int(1, CHOICES_MAX as i64)),
        may("max_tokens", Int(1, i64::MAX)),
        may("max_completion_tokens", Int(1, i64::MAX)),
        may("stop", Strs),
        may("seed", Int(i64::MIN, i64::MAX)),
        may("stream", Bool),
        may("stream_options", Object),
        may("logprobs", Bool),
        may("top_logprobs", Int(0, 20)),
        may("logit_bias", Object),
        may("metadata", Object),
        may("user", Str),
    ],
    known: None,
};

pub(super) fn reply(call: &Call<'_>) -> Result<Reply, ApiError> {
    let body = &call.body;
    let messages = body.get("messages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let streams = body.get("stream") == Some(&Value::Bool(true));
    if body.get("stream_options").is_some_and(Value::is_object) && !streams {
        let allowed = "to be absent: it is only allowed when 'stream' is enabled";
        return Err(Trouble::BadValue(allowed.to_owned()).about("stream_options"));
    }
    check_results(messages)?;
    let answer = Answer::to(body, messages, call.setting);
    if streams { Ok(Reply::events(answer.stream())) } else { Ok(Reply::json_text(answer.whole())) }
}

/// A tool's result answers a call of the assistant's message before it, with only other results between.
fn check_results(messages: &[Value]) -> Result<(), ApiError> {
    let role = |message: &Value| message.get("role").and_then(Value::as_str).unwrap_or("").to_owned();
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if role(message) != "tool" {
            let calls = message.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
            open = calls.filter_map(|call| call.get("id").and_then(Value::as_str)).collect();
            continue;
        }
        let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or("");
        if !open.contains(&id) {
            let says = "Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.";
            let param = format!("messages[{index}].role");
            return Err(Trouble::Broken("tool message without its tool call", says.to_owned()).about(&param));
        }
    }
    Ok(())
}

/// The answer to one request, from which the whole form and the stream are written.
struct Answer {
    id: String,
    created_s: u64,
    model: String,
    choices: Vec<Choice>,
    prompt_tokens: u64,
    completion_tokens: u64,
    omit_nullable: bool,
    logprobs: bool,
    include_usage: bool,
}

struct Choice {
    content: Content,
    /// Of the calls, in their order.
    ids: Vec<String>,
    tokens: u64,
    finish_reason: &'static str,
}

impl Answer {
    fn to(body: &Value, messages: &[Value], setting: &Setting<'_>) -> Self {
        let prompt = messages.iter().rev().find_map(text_of).unwrap_or_default();
        let prompt_tokens =
            messages.iter().map(|message| 3 + text_of(message).map_or(0, |text| token_count(&text))).sum();
        let count = body.get("n").and_then(Value::as_u64).unwrap_or(1);
        let choices: Vec<Choice> =
            (0..count.min(CHOICES_MAX)).map(|index| choice(body, messages, &prompt, index, setting)).collect();
        let model = body.get("model").and_then(Value::as_str).unwrap_or("");
        Self {
            id: setting.id("chatcmpl-"),
            created_s: setting.created_s,
            model: quote(model),
            completion_tokens: choices.iter().map(|choice| choice.tokens).sum(),
            choices,
            prompt_tokens,
            omit_nullable: setting.omit_nullable,
            logprobs: body.get("logprobs") == Some(&Value::Bool(true)),
            include_usage: body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true)),
        }
    }

    fn whole(&self) -> String {
        let choices: Vec<String> =
            (0..).zip(&self.choices).map(|(index, choice)| self.whole_choice(index, choice)).collect();
        let rest = if self.omit_nullable {
            String::new()
        } else {
            r#","service_tier":"default","system_fingerprint":"fp_simulated""#.to_owned()
        };
        format!(
            r#"{{"id":"{}","object":"chat.completion","created":{},"model":{},"choices":[{}],"usage":{}{rest}}}"#,
            self.id,
            self.created_s,
            self.model,
            choices.join(","),
            self.usage(),
        )
    }

    fn whole_choice(&self, index: u64, choice: &Choice) -> String {
        let refusal = if self.omit_nullable { "" } else { r#","refusal":null,"annotations":[]"# };
        let message = match &choice.content {
            Content::Text(pieces) => {
                format!(r#"{{"role":"assistant","content":{}{refusal}}}"#, quote(&pieces.concat()))
            }
            Content::Calls(calls) => {
                let calls: Vec<String> =
                    calls.iter().zip(&choice.ids).map(|(call, id)| whole_call(call, id, None)).collect();
                format!(r#"{{"role":"assistant","content":null,"tool_calls":[{}]{refusal}}}"#, calls.join(","))
            }
        };
        let logprobs = match &choice.content {
            Content::Text(pieces) => self.logprobs(pieces),
            Content::Calls(_) => self.logprobs(&[]),
        };
        format!(r#"{{"index":{index},"message":{message}{logprobs},"finish_reason":"{}"}}"#, choice.finish_reason)
    }

    fn stream(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for (index, choice) in (0..).zip(&self.choices) {
            let refusal = if self.omit_nullable { "" } else { r#","refusal":null"# };
            let content = match choice.content {
                Content::Text(_) => r#""""#,
                Content::Calls(_) => "null",
            };
            let delta = format!(r#"{{"role":"assistant","content":{content}{refusal}}}"#);
            events.push(self.chunk(EventKind::Opening, index, &delta, &[], None));
        }
        // The choices' contents come interleaved, as they do when one model writes them side by side.
        let deltas: Vec<Vec<(String, Vec<String>)>> = self.choices.iter().map(Choice::deltas).collect();
        let longest = deltas.iter().map(Vec::len).max().unwrap_or(0);
        for step in 0..longest {
            for (index, deltas) in (0..).zip(&deltas) {
                if let Some((delta, tokens)) = deltas.get(step) {
                    events.push(self.chunk(EventKind::Content, index, delta, tokens, None));
                }
            }
        }
        for (index, choice) in (0..).zip(&self.choices) {
            events.push(self.chunk(EventKind::Finish, index, "{}", &[], Some(choice.finish_reason)));
        }
        if self.include_usage {
            let data = format!(r#"{}"choices":[],"usage":{}}}"#, self.chunk_head(), self.usage());
            events.push(Event::data(EventKind::Usage, data));
        }
        events.push(Event::done());
        events
    }

    fn chunk(&self, kind: EventKind, index: u64, delta: &str, tokens: &[String], finish: Option<&str>) -> Event {
        let finish = finish.map_or("null".to_owned(), quote);
        let logprobs = self.logprobs(tokens);
        let usage = if self.include_usage { r#","usage":null"# } else { "" };
        let data = format!(
            r#"{}"choices":[{{"index":{index},"delta":{delta}{logprobs},"finish_reason":{finish}}}]{usage}}}"#,
            self.chunk_head()
        );
        Event::data(kind, data)
    }

    fn chunk_head(&self) -> String {
        let fingerprint =
            if self.omit_nullable { "" } else { r#""service_tier":"default","system_fingerprint":"fp_simulated","# };
        format!(
            r#"{{"id":"{}","object":"chat.completion.chunk","created":{},"model":{},{fingerprint}"#,
            self.id, self.created_s, self.model
        )
    }

    fn usage(&self) -> String {
        format!(
            r#"{{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}"#,
            self.prompt_tokens,
            self.completion_tokens,
            self.prompt_tokens + self.completion_tokens
        )
    }

    /// The `logprobs` member with the comma before it, or nothing where a provider omits it.
    fn logprobs(&self, tokens: &[String]) -> String {
        if self.logprobs && !tokens.is_empty() {
            let items: Vec<String> = tokens
                .iter()
                .map(|token| {
                    let bytes: Vec<String> = token.bytes().map(|byte| byte.to_string()).collect();
                    format!(
                        r#"{{"token":{},"logprob":-0.25,"bytes":[{}],"top_logprobs":[]}}"#,
                        quote(token),
                        bytes.join(",")
                    )
                })
                .collect();
            format!(r#","logprobs":{{"content":[{}],"refusal":null}}"#, items.join(","))
        } else if self.omit_nullable {
            String::new()
        } else {
            r#","logprobs":null"#.to_owned()
        }
    }
}

impl Choice {
    /// The deltas of the stream in order, each with the tokens that it stands for.
    fn deltas(&self) -> Vec<(String, Vec<String>)> {
        match &self.content {
            Content::Text(pieces) => {
                pieces.iter().map(|piece| (format!(r#"{{"content":{}}}"#, quote(piece)), vec![piece.clone()])).collect()
            }
            Content::Calls(calls) => {
                let calls = calls.iter().zip(&self.ids).enumerate();
                calls.flat_map(|(index, (call, id))| call_deltas(call, id, index)).collect()
            }
        }
    }
}

/// The call as one object; in a stream it has its index and begins without arguments.
fn whole_call(call: &MadeCall, id: &str, index: Option<usize>) -> String {
    let at = index.map_or(String::new(), |index| format!(r#""index":{index},"#));
    let arguments = if index.is_some() { quote("") } else { quote(&call.arguments) };
    let (kind, text) = form(call);
    format!(r#"{{{at}"id":"{id}","type":"{kind}","{kind}":{{"name":{},"{text}":{arguments}}}}}"#, quote(&call.name))
}

fn call_deltas(call: &MadeCall, id: &str, index: usize) -> Vec<(String, Vec<String>)> {
    let (kind, text) = form(call);
    let first = format!(r#"{{"tool_calls":[{}]}}"#, whole_call(call, id, Some(index)));
    let rest = cut(&call.arguments, 8)
        .into_iter()
        .map(|piece| format!(r#"{{"tool_calls":[{{"index":{index},"{kind}":{{"{text}":{}}}}}]}}"#, quote(&piece)));
    std::iter::once(first).chain(rest).map(|delta| (delta, Vec::new())).collect()
}

fn form(call: &MadeCall) -> (&'static str, &'static str) {
    if call.free { ("custom", "input") } else { ("function", "arguments") }
}

fn choice(body: &Value, messages: &[Value], prompt: &str, index: u64, setting: &Setting<'_>) -> Choice {
    let made = invent(&wish(body, messages, prompt, index), setting);
    let ids = match &made.content {
        Content::Text(_) => Vec::new(),
        Content::Calls(calls) => (0..calls.len()).map(|at| call_id(index, at, setting)).collect(),
    };
    let finish_reason = match made.ending {
        Ending::Natural | Ending::StopWord(_) => "stop",
        Ending::Limit => "length",
        Ending::Calls => "tool_calls",
    };
    Choice { content: made.content, ids, tokens: made.tokens, finish_reason }
}

fn call_id(choice: u64, at: usize, setting: &Setting<'_>) -> String {
    let mut random = Random::of_text(setting.seed ^ setting.serial, format!("{choice}-{at}").as_bytes());
    format!("call_{:016x}", random.bits())
}

fn wish<'a>(body: &'a Value, messages: &[Value], prompt: &'a str, index: u64) -> Wish<'a> {
    let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
    let named = ["/function/name", "/custom/name"]
        .iter()
        .find_map(|pointer| body.get("tool_choice")?.pointer(pointer)?.as_str());
    let format = body.get("response_format");
    Wish {
        model: body.get("model").and_then(Value::as_str).unwrap_or(""),
        prompt,
        index,
        tools: tools.filter_map(tool).collect(),
        tool_choice: match (body.get("tool_choice").and_then(Value::as_str), named) {
            (_, Some(name)) => ToolChoice::Of(vec![name]),
            (Some("none"), _) => ToolChoice::Never,
            (Some("required"), _) => ToolChoice::Any,
            _ => ToolChoice::Auto,
        },
        parallel: body.get("parallel_tool_calls").and_then(Value::as_bool),
        after_result: messages.last().and_then(|message| message.get("role")).and_then(Value::as_str) == Some("tool"),
        json: match format.and_then(|format| format.get("type")).and_then(Value::as_str) {
            Some("json_schema") => {
                format.and_then(|format| format.pointer("/json_schema/schema")).map_or(Json::Any, Json::By)
            }
            Some("json_object") => Json::Any,
            _ => Json::No,
        },
        limit: ["max_completion_tokens", "max_tokens"]
            .iter()
            .find_map(|member| body.get(*member).and_then(Value::as_u64)),
        stops: match body.get("stop") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        },
        thinks: false,
    }
}

fn tool(tool: &Value) -> Option<Tool<'_>> {
    let free = tool.get("type").and_then(Value::as_str) == Some("custom");
    let definition = tool.get(if free { "custom" } else { "function" })?;
    Some(Tool { name: definition.get("name")?.as_str()?, schema: definition.get("parameters"), free })
}

/// The text of a message: its content, or its text parts.
fn text_of(message: &Value) -> Option<String> {
    match message.get("content")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            Some(parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect::<Vec<_>>().join(" "))
        }
        _ => None,
    }
}
