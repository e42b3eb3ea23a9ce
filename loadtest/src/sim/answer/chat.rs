//! `POST /chat/completions`: text, tool calls and JSON by schema, whole and streamed.
//!
//! Which of them an answer is depends on the request alone: tools that may be called are called (unless the last message
//! is a tool's result, so that an agent's loop ends), then a `response_format` that asks for JSON gets it, and all else is
//! text. JSON is written by hand where the order of members matters to readers that scan: `id` first, `usage` last.

use serde_json::Value;

use super::reply::{ApiError, Event, EventKind, Reply};
use super::text::{cut, pieces, quote, regroup};
use super::{Setting, schema, token_count};
use crate::limits::CHOICES_MAX;
use crate::sim::latency::Random;

pub(super) fn reply(body: &Value, setting: &Setting<'_>) -> Result<Reply, ApiError> {
    let messages = check(body)?;
    let answer = Answer::to(body, messages, setting);
    if body.get("stream") == Some(&Value::Bool(true)) {
        Ok(Reply::events(answer.stream()))
    } else {
        Ok(Reply::json_text(answer.whole()))
    }
}

/// What OpenAI refuses, in the order in which it is looked at.
fn check(body: &Value) -> Result<&[Value], ApiError> {
    let messages = match body.get("messages") {
        None | Some(Value::Null) => return Err(ApiError::missing("messages")),
        Some(Value::Array(messages)) => messages,
        Some(_) => return Err(ApiError::wrong_type("messages", "an array of objects")),
    };
    if messages.is_empty() {
        let message = "Invalid 'messages': empty array. Expected an array with minimum length 1.";
        return Err(ApiError::bad_value("messages", message));
    }
    for (index, message) in messages.iter().enumerate() {
        check_message(index, message)?;
    }
    check_range(body, "temperature", 0.0, 2.0)?;
    check_range(body, "top_p", 0.0, 1.0)?;
    check_range(body, "n", 1.0, CHOICES_MAX as f64)?;
    for (flag, param) in [("stream", "stream"), ("logprobs", "logprobs")] {
        if !matches!(body.get(flag), None | Some(Value::Null | Value::Bool(_))) {
            return Err(ApiError::wrong_type(param, "a boolean"));
        }
    }
    if body.get("stream_options").is_some_and(Value::is_object) && body.get("stream") != Some(&Value::Bool(true)) {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(ApiError::bad_value("stream_options", message));
    }
    Ok(messages)
}

fn check_message(index: usize, message: &Value) -> Result<(), ApiError> {
    let param = |member: &str| format!("messages[{index}].{member}");
    let missing = |member: &str| match message.get(member) {
        None | Some(Value::Null) => Err(ApiError::missing(&param(member))),
        Some(_) => Ok(()),
    };
    if !message.is_object() {
        return Err(ApiError::wrong_type(&format!("messages[{index}]"), "an object"));
    }
    let Some(role) = message.get("role") else {
        return Err(ApiError::missing(&param("role")));
    };
    match role.as_str() {
        Some("system" | "developer" | "user" | "function") => missing("content")?,
        Some("tool") => {
            missing("content")?;
            missing("tool_call_id")?;
        }
        Some("assistant") => {}
        _ => {
            let message = format!(
                "Invalid value: {role}. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'."
            );
            return Err(ApiError::bad_value(&param("role"), message));
        }
    }
    match message.get("content") {
        None | Some(Value::Null | Value::String(_) | Value::Array(_)) => Ok(()),
        Some(_) => Err(ApiError::wrong_type(&param("content"), "a string or an array of objects")),
    }
}

fn check_range(body: &Value, member: &str, low: f64, high: f64) -> Result<(), ApiError> {
    match body.get(member) {
        None | Some(Value::Null) => Ok(()),
        Some(value) => match value.as_f64() {
            None => Err(ApiError::wrong_type(member, "a number")),
            Some(number) if (low..=high).contains(&number) => Ok(()),
            Some(number) => Err(ApiError::bad_value(
                member,
                format!("Invalid '{member}': expected a value between {low} and {high}, but got {number} instead."),
            )),
        },
    }
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
    tokens: u64,
    finish_reason: &'static str,
}

enum Content {
    /// Pieces whose concatenation is the text.
    Text(Vec<String>),
    Calls(Vec<Call>),
}

struct Call {
    id: String,
    name: String,
    /// A custom tool takes free text instead of JSON arguments.
    custom: bool,
    arguments: String,
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
                let calls: Vec<String> = calls.iter().map(|call| call.whole(None)).collect();
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
            Content::Calls(calls) => (0..).zip(calls).flat_map(|(index, call)| call.deltas(index)).collect(),
        }
    }
}

impl Call {
    /// The call as one object; in a stream it has its index and begins without arguments.
    fn whole(&self, index: Option<u64>) -> String {
        let at = index.map_or(String::new(), |index| format!(r#""index":{index},"#));
        let arguments = if index.is_some() { quote("") } else { quote(&self.arguments) };
        let (kind, text) = self.form();
        format!(
            r#"{{{at}"id":"{}","type":"{kind}","{kind}":{{"name":{},"{text}":{arguments}}}}}"#,
            self.id,
            quote(&self.name)
        )
    }

    fn deltas(&self, index: u64) -> Vec<(String, Vec<String>)> {
        let (kind, text) = self.form();
        let first = format!(r#"{{"tool_calls":[{}]}}"#, self.whole(Some(index)));
        let rest = cut(&self.arguments, 8)
            .into_iter()
            .map(|piece| format!(r#"{{"tool_calls":[{{"index":{index},"{kind}":{{"{text}":{}}}}}]}}"#, quote(&piece)));
        std::iter::once(first).chain(rest).map(|delta| (delta, Vec::new())).collect()
    }

    fn form(&self) -> (&'static str, &'static str) {
        if self.custom { ("custom", "input") } else { ("function", "arguments") }
    }
}

fn choice(body: &Value, messages: &[Value], prompt: &str, index: u64, setting: &Setting<'_>) -> Choice {
    let calls = calls(body, messages, index, setting);
    if !calls.is_empty() {
        return Choice {
            tokens: calls.iter().map(|call| 8 + token_count(&call.arguments)).sum(),
            content: Content::Calls(calls),
            finish_reason: "tool_calls",
        };
    }
    if let Some(json) = json_answer(body, prompt) {
        return Choice { tokens: token_count(&json), content: Content::Text(cut(&json, 6)), finish_reason: "stop" };
    }
    let model = body.get("model").and_then(Value::as_str).unwrap_or("");
    let mut random = Random::of_text(setting.seed.wrapping_add(index), format!("{model}\n{prompt}").as_bytes());
    let limit = ["max_completion_tokens", "max_tokens"]
        .iter()
        .find_map(|member| body.get(*member).and_then(Value::as_u64))
        .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX).max(1));
    let wanted = setting.shape.tokens.max(setting.shape.chunks);
    let pieces = pieces(prompt, wanted.min(limit), &mut random);
    Choice {
        tokens: pieces.len() as u64,
        content: Content::Text(regroup(pieces, setting.shape.chunks)),
        finish_reason: if limit < wanted { "length" } else { "stop" },
    }
}

/// The tools that this answer calls: the one that is forced, else the first; all of them where the request says in so many
/// words that calls may be parallel.
fn calls(body: &Value, messages: &[Value], choice: u64, setting: &Setting<'_>) -> Vec<Call> {
    let Some(tools) = body.get("tools").and_then(Value::as_array) else {
        return Vec::new();
    };
    let tool_choice = body.get("tool_choice").unwrap_or(&Value::Null);
    let answered = messages.last().and_then(|message| message.get("role")).and_then(Value::as_str) == Some("tool");
    let forced = ["/function/name", "/custom/name"]
        .iter()
        .find_map(|pointer| tool_choice.pointer(pointer).and_then(Value::as_str));
    if tool_choice == "none" || (answered && tool_choice != "required" && forced.is_none()) {
        return Vec::new();
    }
    let many = body.get("parallel_tool_calls") == Some(&Value::Bool(true));
    (0..)
        .zip(tools)
        .filter_map(|(index, tool)| call(tool, &format!("{choice}-{index}"), setting))
        .filter(|call| forced.is_none_or(|name| call.name == name))
        .take(if many { tools.len() } else { 1 })
        .collect()
}

fn call(tool: &Value, salt: &str, setting: &Setting<'_>) -> Option<Call> {
    let custom = tool.get("type").and_then(Value::as_str) == Some("custom");
    let definition = tool.get(if custom { "custom" } else { "function" })?;
    let arguments = if custom {
        "example input".to_owned()
    } else {
        definition.get("parameters").map_or("{}".to_owned(), |parameters| schema::example(parameters).to_string())
    };
    let mut random = Random::of_text(setting.seed ^ setting.serial, salt.as_bytes());
    Some(Call {
        id: format!("call_{:016x}", random.bits()),
        name: definition.get("name")?.as_str()?.to_owned(),
        custom,
        arguments,
    })
}

fn json_answer(body: &Value, prompt: &str) -> Option<String> {
    let format = body.get("response_format")?;
    match format.get("type")?.as_str()? {
        "json_schema" => Some(schema::example(format.pointer("/json_schema/schema")?).to_string()),
        "json_object" => {
            let beginning: String = prompt.chars().take(40).collect();
            Some(format!(r#"{{"answer":{}}}"#, quote(&beginning)))
        }
        _ => None,
    }
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
