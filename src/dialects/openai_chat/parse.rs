//! Reads a client's chat completion request as the canonical one.
//!
//! The text has been scanned; of two members with one name the last counts, and null counts as absent. Every member is understood, or
//! is carried: at the top and inside of messages as an `Extra` with its path, a part or a tool of another kind as `Other`. `model` is
//! the gateway's.
//!
//! Beyond OpenAI's schema this reads what its clients send to other models by way of it: `reasoning_content` and `thinking_blocks`
//! of earlier answers, `cache_control`, thought signatures in `extra_content`, `top_k`, OpenRouter's `reasoning`, Anthropic's
//! `thinking`, and the functions of before there were tools.
//!
//! A wrong type is refused with its path. A value that is out of range is the provider's to judge.

use super::signatures;
use crate::dialects::canonical::{Effort, Extra, Invalid, Message, OutputFormat, OutputSchema, Reasoning, Request};
use crate::json::Kind;
use crate::json::piece::Text;
use crate::json::view::{Path, Value};
use expect::{array, extra, flag, invalid, maybe, maybe_at_root, name_text, needed, number, object, some, text, whole};
use std::borrow::Cow;

pub(crate) mod expect;
mod messages;
pub(crate) mod parts;
pub(crate) mod tools;

/// The members that are understood.
#[derive(Default)]
struct Body<'a> {
    messages: Option<Value<'a>>,
    tools: Option<Value<'a>>,
    functions: Option<Value<'a>>,
    tool_choice: Option<Value<'a>>,
    function_call: Option<Value<'a>>,
    parallel_tool_calls: Option<Value<'a>>,
    response_format: Option<Value<'a>>,
    max_tokens: Option<Value<'a>>,
    max_completion_tokens: Option<Value<'a>>,
    temperature: Option<Value<'a>>,
    top_p: Option<Value<'a>>,
    top_k: Option<Value<'a>>,
    frequency_penalty: Option<Value<'a>>,
    presence_penalty: Option<Value<'a>>,
    seed: Option<Value<'a>>,
    stop: Option<Value<'a>>,
    logprobs: Option<Value<'a>>,
    top_logprobs: Option<Value<'a>>,
    n: Option<Value<'a>>,
    reasoning_effort: Option<Value<'a>>,
    reasoning: Option<Value<'a>>,
    thinking: Option<Value<'a>>,
    stream: Option<Value<'a>>,
    stream_options: Option<Value<'a>>,
    user: Option<Value<'a>>,
    safety_identifier: Option<Value<'a>>,
}

/// Reads a request out of `text`, a scanned JSON object.
///
/// # Errors
/// The first member that is not what the API demands.
pub fn parse(text: &[u8]) -> Result<Request<'_>, Invalid> {
    let mut body = Body::default();
    let mut extras: Vec<Extra<'_>> = Vec::new();
    let mut begun = None;
    // The longest by far is read on the way, as far as that goes.
    let mut begin = |name: &[u8], at| {
        let (read, end) = if name == b"messages" { messages::begin(text, at)? } else { return None };
        begun = Some(read);
        Some(end)
    };
    let mut members = Value::root(text).members();
    while let Some((name, value)) = members.next_past(&mut begin) {
        let place = match &*name {
            b"model" => continue,
            b"messages" => &mut body.messages,
            b"tools" => &mut body.tools,
            b"functions" => &mut body.functions,
            b"tool_choice" => &mut body.tool_choice,
            b"function_call" => &mut body.function_call,
            b"parallel_tool_calls" => &mut body.parallel_tool_calls,
            b"response_format" => &mut body.response_format,
            b"max_tokens" => &mut body.max_tokens,
            b"max_completion_tokens" => &mut body.max_completion_tokens,
            b"temperature" => &mut body.temperature,
            b"top_p" => &mut body.top_p,
            b"top_k" => &mut body.top_k,
            b"frequency_penalty" => &mut body.frequency_penalty,
            b"presence_penalty" => &mut body.presence_penalty,
            b"seed" => &mut body.seed,
            b"stop" => &mut body.stop,
            b"logprobs" => &mut body.logprobs,
            b"top_logprobs" => &mut body.top_logprobs,
            b"n" => &mut body.n,
            b"reasoning_effort" => &mut body.reasoning_effort,
            b"reasoning" => &mut body.reasoning,
            b"thinking" => &mut body.thinking,
            b"stream" => &mut body.stream,
            b"stream_options" => &mut body.stream_options,
            b"user" => &mut body.user,
            b"safety_identifier" => &mut body.safety_identifier,
            _ => {
                carry(&mut extras, name, value);
                continue;
            }
        };
        *place = some(value);
    }
    body.request(begun, extras)
}

/// Notes a member that is not understood. There are at most as many as a scan lets through.
fn carry<'a>(extras: &mut Vec<Extra<'a>>, name: Cow<'a, [u8]>, value: Value<'a>) {
    let is_hint = match &*name {
        // What it says is what is the case without it.
        b"modalities" => {
            let mut wanted = value.elements();
            wanted.next().is_some_and(|first| first.says("text")) && wanted.next().is_none()
        }
        name => HINTS.iter().any(|hint| hint.as_bytes() == name),
    };
    let param = name_text(name);
    extras.retain(|known| known.param != param);
    if !value.is_null() {
        extras.push(Extra { param, value: value.raw(), is_hint });
    }
}

/// Members that cannot change what the answer means: tracing, storage, caching, speed, billing.
const HINTS: &[&str] = &[
    "store",
    "metadata",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "cache_control",
    "prediction",
];

impl<'a> Body<'a> {
    /// `begun` is what has been read of the last `messages` that is an array.
    fn request(self, begun: Option<messages::Begun<'a>>, extras: Vec<Extra<'a>>) -> Result<Request<'a>, Invalid> {
        let at = |name| Path::Member(&Path::Root, name);
        let mut request = Request { extras, ..Request::default() };

        array(needed(self.messages, &at("messages"))?, &at("messages"))?;
        messages::read(begun.unwrap_or_default(), &at("messages"), &mut request)?;
        self.tools(&mut request)?;
        request.parallel_tool_calls = maybe_at_root(self.parallel_tool_calls, "parallel_tool_calls", flag)?;
        if let Some(format) = self.response_format {
            request.output = output(format, &at("response_format"), &mut request.extras)?;
        }
        let max_tokens = maybe_at_root(self.max_tokens, "max_tokens", whole)?;
        request.output_tokens_max =
            maybe_at_root(self.max_completion_tokens, "max_completion_tokens", whole)?.or(max_tokens);
        request.temperature = maybe_at_root(self.temperature, "temperature", number)?;
        request.top_p = maybe_at_root(self.top_p, "top_p", number)?;
        request.top_k = maybe_at_root(self.top_k, "top_k", number)?;
        request.frequency_penalty = maybe_at_root(self.frequency_penalty, "frequency_penalty", number)?;
        request.presence_penalty = maybe_at_root(self.presence_penalty, "presence_penalty", number)?;
        request.seed = maybe_at_root(self.seed, "seed", number)?;
        if let Some(stop) = self.stop {
            request.stop = stops(stop, &at("stop"))?;
        }
        let wanted = maybe_at_root(self.logprobs, "logprobs", flag)?.unwrap_or(false);
        let alternatives = maybe_at_root(self.top_logprobs, "top_logprobs", whole)?;
        if !wanted && alternatives.is_some_and(|alternatives| alternatives > 0) {
            return Err(invalid(&at("top_logprobs"), "given with 'logprobs': true"));
        }
        request.logprobs = wanted.then_some(alternatives.unwrap_or(0));
        request.answers = maybe_at_root(self.n, "n", whole)?;
        if request.answers == Some(0) {
            return Err(invalid(&Path::Root.member("n"), "1 or more"));
        }
        self.reasoning(&mut request)?;
        request.stream = maybe_at_root(self.stream, "stream", flag)?.unwrap_or(false);
        self.stream_options(&mut request)?;
        request.user = maybe_at_root(self.user, "user", text)?;
        if let Some(identifier) = maybe_at_root(self.safety_identifier, "safety_identifier", text)? {
            // One of them is carried; the other is not lost without a note.
            let other = self.user.map(|user| extra(&Path::Root, b"user", user, true));
            request.extras.extend(other.filter(|_| request.user.as_ref() != Some(&identifier)));
            request.user = Some(identifier);
        }
        Ok(request)
    }

    fn tools(&self, request: &mut Request<'a>) -> Result<(), Invalid> {
        let at = |name| Path::Member(&Path::Root, name);
        if let Some(list) = self.tools {
            tools::read(list, &at("tools"), request)?;
        }
        if let Some(list) = self.functions {
            tools::read_functions(list, &at("functions"), request)?;
            request.wants_function_calls = self.tools.is_none();
        }
        request.tool_choice = match (self.tool_choice, self.function_call) {
            (Some(choice), _) => Some(tools::choice(choice, &at("tool_choice"))?),
            (None, Some(call)) => Some(tools::function_call_choice(call, &at("function_call"))?),
            (None, None) => None,
        };
        Ok(())
    }

    fn stream_options(&self, request: &mut Request<'a>) -> Result<(), Invalid> {
        let Some(options) = self.stream_options else { return Ok(()) };
        let path = Path::Member(&Path::Root, "stream_options");
        for (name, value) in object(options, &path)?.members() {
            match &*name {
                b"include_usage" => {
                    request.stream_usage = !value.is_null() && flag(value, &path.member("include_usage"))?
                }
                // Padding against listeners; what a stream says is the same without.
                b"include_obfuscation" => request.extras.push(extra(&path, &name, value, true)),
                _ => request.extras.push(extra(&path, &name, value, false)),
            }
        }
        Ok(())
    }

    /// OpenAI's effort, OpenRouter's `reasoning`, Anthropic's `thinking`: the first that says something about a member of the
    /// canonical one decides it.
    fn reasoning(&self, request: &mut Request<'a>) -> Result<(), Invalid> {
        let at = |name| Path::Member(&Path::Root, name);
        let mut wanted: Option<Reasoning> = None;
        if let Some(effort) = self.reasoning_effort {
            let name = text(effort, &at("reasoning_effort"))?;
            match Effort::of_name(&name) {
                Some(effort) => wanted.get_or_insert_default().effort = Some(effort),
                None => request.extras.push(extra(&Path::Root, b"reasoning_effort", effort, false)),
            }
        }
        if let Some(reasoning) = self.reasoning {
            let path = at("reasoning");
            for (name, value) in object(reasoning, &path)?.members() {
                let wanted = wanted.get_or_insert_default();
                match (&*name, some(value)) {
                    (_, None) => {}
                    (b"effort", Some(value)) => {
                        let effort = Effort::of_name(&text(value, &path.member("effort"))?);
                        let effort = effort.ok_or_else(|| invalid(&path.member("effort"), EFFORT_NAMES))?;
                        wanted.effort = wanted.effort.or(Some(effort));
                    }
                    (b"max_tokens", Some(value)) => {
                        wanted.budget_tokens = Some(whole(value, &path.member("max_tokens"))?);
                    }
                    (b"exclude", Some(value)) => wanted.show = Some(!flag(value, &path.member("exclude"))?),
                    (b"enabled", Some(value)) => {
                        if !flag(value, &path.member("enabled"))? {
                            wanted.effort = Some(Effort::None);
                        }
                    }
                    (_, Some(value)) => request.extras.push(extra(&path, &name, value, false)),
                }
            }
        }
        if let Some(thinking) = self.thinking {
            let path = at("thinking");
            for (name, value) in object(thinking, &path)?.members() {
                let wanted = wanted.get_or_insert_default();
                match &*name {
                    b"type" if value.says("disabled") => wanted.effort = Some(Effort::None),
                    b"type" if value.says("enabled") || value.says("adaptive") => {}
                    b"budget_tokens" => wanted.budget_tokens = Some(whole(value, &path.member("budget_tokens"))?),
                    _ => request.extras.push(extra(&path, &name, value, false)),
                }
            }
        }
        request.reasoning = wanted;
        Ok(())
    }
}

const EFFORT_NAMES: &str = "none, minimal, low, medium, high, xhigh or max";

/// `stop`: a sequence or several.
fn stops<'a>(stop: Value<'a>, path: &Path<'_>) -> Result<Vec<Text<'a>>, Invalid> {
    match stop.kind() {
        Kind::String => Ok(vec![text(stop, path)?]),
        Kind::Array => stop.elements().enumerate().map(|(index, one)| text(one, &path.element(index))).collect(),
        _ => Err(invalid(path, "a string or an array of strings")),
    }
}

/// `response_format`.
fn output<'a>(format: Value<'a>, path: &Path<'_>, extras: &mut Vec<Extra<'a>>) -> Result<OutputFormat<'a>, Invalid> {
    let kind = needed(object(format, path)?.some("type"), &path.member("type"))?;
    if kind.says("text") {
        return Ok(OutputFormat::Text);
    }
    if kind.says("json_object") {
        return Ok(OutputFormat::JsonObject);
    }
    if !kind.says("json_schema") {
        return Err(invalid(&path.member("type"), "text, json_object or json_schema"));
    }
    let path = path.member("json_schema");
    let described = object(needed(format.some("json_schema"), &path)?, &path)?;
    let (mut name, mut description, mut schema, mut strict) = (None, None, None, None);
    for (member, value) in described.members() {
        match &*member {
            b"name" => name = maybe(some(value), &path.member("name"), text)?,
            b"description" => description = maybe(some(value), &path.member("description"), text)?,
            b"schema" => schema = maybe(some(value), &path.member("schema"), object)?,
            b"strict" => strict = maybe(some(value), &path.member("strict"), flag)?,
            _ => extras.push(extra(&path, &member, value, false)),
        }
    }
    let schema = needed(schema, &path.member("schema"))?.raw();
    Ok(OutputFormat::Schema(OutputSchema { name, description, schema, strict }))
}

#[cfg(test)]
mod tests;
