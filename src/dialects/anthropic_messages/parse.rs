//! Reads a client's request of the Messages API.
//!
//! What is wrong is named with its path; what is not known is kept as an extra of the same path. Members that only trace, store,
//! cache or class the request are hints, and so is whatever the assistant's own blocks have beside what is known: clients send them
//! back as they came.
//!
//! `max_tokens` is taken as it comes, also not at all: requests that count tokens have none.

mod turns;

use crate::{
    dialects::canonical::{
        CacheHint, Effort, Extra, FunctionTool, Invalid, OutputFormat, OutputSchema, Part, Reasoning, Request, Tool,
        ToolChoice,
    },
    json::{
        Kind,
        piece::{Raw, Text},
        view::{Path, Value},
    },
};
use std::borrow::Cow;

/// Members that cannot change what the answer means.
const HINTS: &[&str] =
    &["cache_control", "context_management", "diagnostics", "metadata", "service_tier", "speed", "user_profile_id"];

/// Members of a tool that cannot either.
const TOOL_HINTS: &[&str] = &["allowed_callers", "defer_loading", "eager_input_streaming", "input_examples"];

/// Reads a scanned text that is an object.
///
/// # Errors
/// The first member that is not what the API takes.
pub fn parse(text: &[u8]) -> Result<Request<'_>, Invalid> {
    let mut parser = Parser::default();
    let mut request = Request::default();
    let mut thinking = None;
    let mut effort = None;
    let mut messages = None;
    for (name, value) in Value::root(text).members() {
        let path = &Path::Root;
        match &*name {
            b"model" => {}
            b"max_tokens" => request.output_tokens_max = optional(value, path, "max_tokens", whole_number)?,
            b"messages" => messages = Some(value),
            b"system" => request.system = parser.texts(value, &path.member("system"))?,
            b"tools" => request.tools = parser.tools(value, &path.member("tools"))?,
            b"tool_choice" => {
                (request.tool_choice, request.parallel_tool_calls) = tool_choice(value, &path.member("tool_choice"))?;
            }
            b"thinking" => thinking = parser.thinking(value, &path.member("thinking"))?,
            b"output_config" => {
                (effort, request.output) = parser.output_config(value, &path.member("output_config"))?
            }
            b"output_format" => request.output = format(value, &path.member("output_format"))?,
            b"stop_sequences" => request.stop = stop_sequences(value, &path.member("stop_sequences"))?,
            b"temperature" => request.temperature = optional(value, path, "temperature", number)?,
            b"top_p" => request.top_p = optional(value, path, "top_p", number)?,
            b"top_k" => request.top_k = optional(value, path, "top_k", number)?,
            b"stream" => request.stream = optional(value, path, "stream", boolean)?.unwrap_or_default(),
            b"metadata" => request.user = parser.metadata(value, &path.member("metadata"))?,
            _ => parser.extra(path, &name, value, HINTS),
        }
    }
    let path = Path::Root;
    let messages = messages.ok_or_else(|| invalid(path.member("messages"), "be there, and be an array"))?;
    request.messages = parser.messages(messages, &path.member("messages"))?;
    request.reasoning = match (thinking, effort) {
        (None, None) => None,
        (Some(Reasoning { budget_tokens: Some(0), .. }), Some(_)) => {
            // An effort beside it is about the answer, and elsewhere there is only one for both.
            let config = Value::root(text).get("output_config").and_then(|config| config.get("effort"));
            if let Some(effort) = config {
                parser.extra(&path.member("output_config"), b"effort", effort, &["effort"]);
            }
            thinking
        }
        (thinking, effort) => Some(Reasoning { effort, ..thinking.unwrap_or_default() }),
    };
    request.extras = parser.extras;
    request.has_tool_references = parser.has_tool_references;
    Ok(request)
}

#[derive(Default)]
struct Parser<'a> {
    extras: Vec<Extra<'a>>,
    has_tool_references: bool,
}

impl<'a> Parser<'a> {
    /// Keeps a member that only this dialect knows. Null says nothing.
    fn extra(&mut self, parent: &Path<'_>, name: &[u8], value: Value<'a>, hints: &[&str]) {
        let name = String::from_utf8_lossy(name);
        let param = parent.member(&name).to_string();
        self.extras.retain(|extra| extra.param != param);
        if !value.is_null() {
            self.extras.push(Extra { param: param.into(), value: value.raw(), is_hint: hints.contains(&&*name) });
        }
    }

    /// The members of an object, each in turn.
    fn members(
        &mut self,
        value: Value<'a>,
        path: &Path<'_>,
        mut on: impl FnMut(&mut Self, &[u8], Value<'a>) -> Result<(), Invalid>,
    ) -> Result<(), Invalid> {
        object(value, path)?;
        value.members().try_for_each(|(name, member)| on(self, &name, member))
    }

    fn metadata(&mut self, value: Value<'a>, path: &Path<'_>) -> Result<Option<Text<'a>>, Invalid> {
        let mut user = None;
        if !value.is_null() {
            self.members(value, path, |parser, name, member| {
                match name {
                    b"user_id" => user = optional(member, path, "user_id", string)?,
                    // All of it is for tracing.
                    _ => parser.extra(path, name, member, &[&*String::from_utf8_lossy(name)]),
                }
                Ok(())
            })?;
        }
        Ok(user)
    }

    fn thinking(&mut self, value: Value<'a>, path: &Path<'_>) -> Result<Option<Reasoning>, Invalid> {
        if value.is_null() {
            return Ok(None);
        }
        let (mut kind, mut budget_tokens, mut show) = (None, None, None);
        self.members(value, path, |parser, name, member| {
            match name {
                b"type" => kind = optional(member, path, "type", string)?,
                b"budget_tokens" => budget_tokens = optional(member, path, "budget_tokens", whole_number)?,
                b"display" => {
                    show = match optional(member, path, "display", string)? {
                        None => None,
                        Some(display) if display.says("summarized") => Some(true),
                        Some(display) if display.says("omitted") => Some(false),
                        Some(_) => return Err(invalid(path.member("display"), "be 'summarized' or 'omitted'")),
                    }
                }
                _ => parser.extra(path, name, member, &[]),
            }
            Ok(())
        })?;
        let kind = kind.unwrap_or_default();
        if kind.says("enabled") {
            let tokens = budget_tokens.ok_or_else(|| invalid(path.member("budget_tokens"), "be a whole number"))?;
            return Ok(Some(Reasoning { effort: None, budget_tokens: Some(tokens), show: show.or(Some(true)) }));
        }
        if kind.says("adaptive") {
            return Ok(Some(Reasoning { effort: None, budget_tokens: None, show }));
        }
        if kind.says("disabled") {
            return Ok(Some(Reasoning { effort: None, budget_tokens: Some(0), show: None }));
        }
        Err(invalid(path.member("type"), "be 'enabled', 'adaptive' or 'disabled'"))
    }

    fn output_config(
        &mut self,
        value: Value<'a>,
        path: &Path<'_>,
    ) -> Result<(Option<Effort>, OutputFormat<'a>), Invalid> {
        let (mut effort, mut output) = (None, OutputFormat::Text);
        if value.is_null() {
            return Ok((effort, output));
        }
        self.members(value, path, |parser, name, member| {
            match name {
                b"effort" => {
                    let Some(said) = optional(member, path, "effort", string)? else { return Ok(()) };
                    let known = Effort::of_name(&said).filter(|effort| *effort >= Effort::Low);
                    let says = "be 'low', 'medium', 'high', 'xhigh' or 'max'";
                    effort = Some(known.ok_or_else(|| invalid(path.member("effort"), says))?);
                }
                b"format" => output = format(member, &path.member("format"))?,
                _ => parser.extra(path, name, member, &[]),
            }
            Ok(())
        })?;
        Ok((effort, output))
    }

    fn tools(&mut self, value: Value<'a>, path: &Path<'_>) -> Result<Vec<Tool<'a>>, Invalid> {
        let mut tools = Vec::new();
        for (place, tool) in elements(value, path)?.enumerate() {
            tools.push(self.tool(tool, &path.element(place))?);
        }
        Ok(tools)
    }

    fn tool(&mut self, value: Value<'a>, path: &Path<'_>) -> Result<Tool<'a>, Invalid> {
        object(value, path)?;
        let kind = value.some("type").map(|kind| string(kind, path.member("type"))).transpose()?;
        if let Some(kind) = kind.filter(|kind| !kind.says("custom")) {
            return Ok(Tool::Other { param: path.to_string(), kind, raw: value.raw() });
        }
        let mut tool =
            FunctionTool { name: Text::default(), description: None, schema: None, strict: None, cache: None };
        self.members(value, path, |parser, name, member| {
            match name {
                b"type" => {}
                b"name" => tool.name = string(member, path.member("name"))?,
                b"description" => tool.description = optional(member, path, "description", string)?,
                b"input_schema" => tool.schema = Some(object(member, &path.member("input_schema"))?.raw()),
                b"strict" => tool.strict = optional(member, path, "strict", boolean)?,
                b"cache_control" => tool.cache = parser.cache_control(member, &path.member("cache_control"))?,
                _ => parser.extra(path, name, member, TOOL_HINTS),
            }
            Ok(())
        })?;
        if tool.name.is_empty() {
            return Err(invalid(path.member("name"), "be a string that is not empty"));
        }
        Ok(Tool::Function(tool))
    }

    fn cache_control(&mut self, value: Value<'a>, path: &Path<'_>) -> Result<Option<CacheHint>, Invalid> {
        if value.is_null() {
            return Ok(None);
        }
        let mut hint = CacheHint::Short;
        self.members(value, path, |parser, name, member| {
            match name {
                b"type" if member.says("ephemeral") => {}
                b"type" => return Err(invalid(path.member("type"), "be 'ephemeral'")),
                b"ttl" => {
                    hint = match optional(member, path, "ttl", string)? {
                        None => CacheHint::Short,
                        Some(ttl) if ttl.says("5m") => CacheHint::Short,
                        Some(ttl) if ttl.says("1h") => CacheHint::Long,
                        Some(_) => return Err(invalid(path.member("ttl"), "be '5m' or '1h'")),
                    }
                }
                _ => parser.extra(path, name, member, &["scope"]),
            }
            Ok(())
        })?;
        Ok(Some(hint))
    }

    /// A string, or texts in blocks.
    fn texts(&mut self, value: Value<'a>, path: &Path<'_>) -> Result<Vec<Part<'a>>, Invalid> {
        if value.is_null() {
            return Ok(Vec::new());
        }
        self.content(value, path, &mut turns::Turn::of_user())
    }
}

fn format<'a>(value: Value<'a>, path: &Path<'_>) -> Result<OutputFormat<'a>, Invalid> {
    if value.is_null() {
        return Ok(OutputFormat::Text);
    }
    object(value, path)?;
    if !value.some("type").is_some_and(|kind| kind.says("json_schema")) {
        return Err(invalid(path.member("type"), "be 'json_schema'"));
    }
    let schema = value.some("schema").ok_or_else(|| invalid(path.member("schema"), "be there, and be an object"))?;
    let schema = object(schema, &path.member("schema"))?.raw();
    // The API has no answers that only try to.
    Ok(OutputFormat::Schema(OutputSchema { name: None, description: None, schema, strict: Some(true) }))
}

type Choice<'a> = (Option<ToolChoice<'a>>, Option<bool>);

fn tool_choice<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Choice<'a>, Invalid> {
    if value.is_null() {
        return Ok((None, None));
    }
    object(value, path)?;
    let kind = value.some("type").and_then(Value::text).unwrap_or_default();
    let choice = if kind.says("auto") {
        ToolChoice::Auto
    } else if kind.says("any") {
        ToolChoice::Required
    } else if kind.says("none") {
        ToolChoice::None
    } else if kind.says("tool") {
        let name = value.some("name").and_then(Value::text);
        ToolChoice::Tool(name.ok_or_else(|| invalid(path.member("name"), "be the name of a tool"))?)
    } else {
        return Err(invalid(path.member("type"), "be 'auto', 'any', 'tool' or 'none'"));
    };
    let off = value.some("disable_parallel_tool_use");
    let off = off.map(|off| boolean(off, path.member("disable_parallel_tool_use"))).transpose()?;
    Ok((Some(choice), off.map(|off| !off)))
}

fn stop_sequences<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Vec<Text<'a>>, Invalid> {
    elements(value, path)?.enumerate().map(|(place, text)| string(text, path.element(place))).collect()
}

// ---- kinds ----

/// `what` completes "must".
fn invalid(path: Path<'_>, what: &'static str) -> Invalid {
    let param = path.to_string();
    let message = Cow::Owned(format!("'{param}' must {what}"));
    Invalid { param, message }
}

/// A member that may be null, which is as if it were absent.
fn optional<'a, T>(
    value: Value<'a>,
    parent: &Path<'_>,
    name: &str,
    read: impl Fn(Value<'a>, Path<'_>) -> Result<T, Invalid>,
) -> Result<Option<T>, Invalid> {
    if value.is_null() { Ok(None) } else { read(value, parent.member(name)).map(Some) }
}

fn string<'a>(value: Value<'a>, path: Path<'_>) -> Result<Text<'a>, Invalid> {
    value.text().ok_or_else(|| invalid(path, "be a string"))
}

fn boolean(value: Value<'_>, path: Path<'_>) -> Result<bool, Invalid> {
    value.bool().ok_or_else(|| invalid(path, "be a boolean"))
}

fn whole_number(value: Value<'_>, path: Path<'_>) -> Result<u64, Invalid> {
    value.u64().ok_or_else(|| invalid(path, "be a whole number"))
}

fn number<'a>(value: Value<'a>, path: Path<'_>) -> Result<Raw<'a>, Invalid> {
    if value.kind() == Kind::Number { Ok(value.raw()) } else { Err(invalid(path, "be a number")) }
}

fn object<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Value<'a>, Invalid> {
    if value.kind() == Kind::Object { Ok(value) } else { Err(invalid(*path, "be an object")) }
}

/// The elements of an array, or of null, which has none.
fn elements<'a>(value: Value<'a>, path: &Path<'_>) -> Result<impl Iterator<Item = Value<'a>>, Invalid> {
    match value.kind() {
        Kind::Array | Kind::Null => Ok(value.elements()),
        _ => Err(invalid(*path, "be an array")),
    }
}

#[cfg(test)]
mod tests;
