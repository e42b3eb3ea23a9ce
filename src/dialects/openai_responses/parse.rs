//! Reads a client's request for a response as the canonical one.
//!
//! The text has been scanned; of two members with one name the last counts, and null counts as absent. Every member is understood, or
//! is carried as an `Extra` with its path or a tool of another kind as `Other`. `model` is the gateway's.
//!
//! What needs an object that a provider keeps (`previous_response_id`, `conversation`, `prompt`, items by reference) and what runs
//! behind the client's back (`background`) are no hints: without them the answer would be another. `store` is one, whatever it says:
//! the answer is the same, and who relies on the stored one asks for it by `previous_response_id` later. Members that say what is the case
//! without them are hints too.
//!
//! A wrong type is refused with its path. A value that is out of range is the provider's to judge.

use crate::dialects::canonical::{Effort, Extra, Invalid, OutputFormat, OutputSchema, PartBody, Reasoning, Request};
use crate::dialects::openai_chat::parse::expect::{
    array, extra, flag, invalid, maybe, name_text, needed, number, object, some, text, whole,
};
use crate::json::view::{Path, Value};
use std::borrow::Cow;

mod items;
mod parts;
mod tools;

/// The members that are understood.
#[derive(Default)]
struct Body<'a> {
    input: Option<Value<'a>>,
    instructions: Option<Value<'a>>,
    tools: Option<Value<'a>>,
    tool_choice: Option<Value<'a>>,
    parallel_tool_calls: Option<Value<'a>>,
    text: Option<Value<'a>>,
    max_output_tokens: Option<Value<'a>>,
    temperature: Option<Value<'a>>,
    top_p: Option<Value<'a>>,
    top_logprobs: Option<Value<'a>>,
    include: Option<Value<'a>>,
    reasoning: Option<Value<'a>>,
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
    for (name, value) in Value::root(text).members() {
        let place = match &*name {
            b"model" => continue,
            b"input" => &mut body.input,
            b"instructions" => &mut body.instructions,
            b"tools" => &mut body.tools,
            b"tool_choice" => &mut body.tool_choice,
            b"parallel_tool_calls" => &mut body.parallel_tool_calls,
            b"text" => &mut body.text,
            b"max_output_tokens" => &mut body.max_output_tokens,
            b"temperature" => &mut body.temperature,
            b"top_p" => &mut body.top_p,
            b"top_logprobs" => &mut body.top_logprobs,
            b"include" => &mut body.include,
            b"reasoning" => &mut body.reasoning,
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
    body.request(extras)
}

/// Notes a member that is not understood. There are at most as many as a scan lets through.
fn carry<'a>(extras: &mut Vec<Extra<'a>>, name: Cow<'a, [u8]>, value: Value<'a>) {
    let is_hint = match &*name {
        // What these say is what is the case without them.
        b"background" => value.bool() == Some(false),
        b"truncation" => value.says("disabled"),
        b"context_management" => value.elements().next().is_none(),
        name => HINTS.iter().any(|hint| hint.as_bytes() == name),
    };
    let param = name_text(name);
    extras.retain(|known| known.param != param);
    if !value.is_null() {
        extras.push(Extra { param, value: value.raw(), is_hint });
    }
}

/// Members that cannot change what the answer means: tracing, storage, caching, speed, billing, and a bound on the calls of tools that
/// the provider runs, which are refused themselves where there are none.
const HINTS: &[&str] = &[
    "store",
    "metadata",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "max_tool_calls",
    // What clients of OpenAI's own products send along.
    "client_metadata",
];

/// Members that say where the conversation is instead of `input`.
const ELSEWHERE: &[&str] = &["previous_response_id", "conversation", "prompt"];

impl<'a> Body<'a> {
    fn request(self, extras: Vec<Extra<'a>>) -> Result<Request<'a>, Invalid> {
        let at = |name| Path::Member(&Path::Root, name);
        let mut request = Request { extras, ..Request::default() };

        if let Some(instructions) = maybe(self.instructions, &at("instructions"), text)? {
            request.system.push(PartBody::Text(instructions).into());
        }
        match self.input {
            Some(input) => items::read(input, &at("input"), &mut request)?,
            None if request.extras.iter().any(|extra| ELSEWHERE.contains(&&*extra.param)) => {}
            None => return Err(crate::dialects::openai_chat::parse::expect::missing(&at("input"))),
        }
        let mut groups = tools::Groups::new();
        if let Some(list) = self.tools {
            groups = tools::read(list, &at("tools"), &mut request)?;
        }
        if let Some(choice) = self.tool_choice {
            request.tool_choice = tools::choice(choice, &at("tool_choice"), &groups, &mut request)?;
        }
        request.parallel_tool_calls = maybe(self.parallel_tool_calls, &at("parallel_tool_calls"), flag)?;
        self.text(&mut request)?;
        request.output_tokens_max = maybe(self.max_output_tokens, &at("max_output_tokens"), whole)?;
        request.temperature = maybe(self.temperature, &at("temperature"), number)?;
        request.top_p = maybe(self.top_p, &at("top_p"), number)?;
        let alternatives = maybe(self.top_logprobs, &at("top_logprobs"), whole)?;
        let wants_logprobs = self.include(&mut request)? || alternatives.is_some_and(|alternatives| alternatives > 0);
        request.logprobs = wants_logprobs.then_some(alternatives.unwrap_or(0));
        self.reasoning(&mut request)?;
        request.stream = maybe(self.stream, &at("stream"), flag)?.unwrap_or(false);
        // The last event of a stream has it, asked for or not.
        request.stream_usage = request.stream;
        if let Some(options) = self.stream_options {
            let path = at("stream_options");
            for (name, value) in object(options, &path)?.members().filter(|(_, value)| !value.is_null()) {
                // Padding against listeners; what a stream says is the same without.
                let is_hint = *name == *b"include_obfuscation";
                request.extras.push(extra(&path, &name, value, is_hint));
            }
        }
        request.user = maybe(self.user, &at("user"), text)?;
        if let Some(identifier) = maybe(self.safety_identifier, &at("safety_identifier"), text)? {
            // One of them is carried; the other is not lost without a note.
            let other = self.user.map(|user| extra(&Path::Root, b"user", user, true));
            request.extras.extend(other.filter(|_| request.user.as_ref() != Some(&identifier)));
            request.user = Some(identifier);
        }
        Ok(request)
    }

    /// `text`: the form of the answer, and how long it should be.
    fn text(&self, request: &mut Request<'a>) -> Result<(), Invalid> {
        let Some(wanted) = self.text else { return Ok(()) };
        let path = Path::Member(&Path::Root, "text");
        for (name, value) in object(wanted, &path)?.members().filter(|(_, value)| !value.is_null()) {
            match &*name {
                b"format" => request.output = output(value, &path.member("format"), &mut request.extras)?,
                b"verbosity" => request.extras.push(extra(&path, &name, value, value.says("medium"))),
                _ => request.extras.push(extra(&path, &name, value, false)),
            }
        }
        Ok(())
    }

    /// `include`: what the answer should have beside the usual. Are log probabilities wanted? Signed thoughts are always told.
    fn include(&self, request: &mut Request<'a>) -> Result<bool, Invalid> {
        let Some(include) = self.include else { return Ok(false) };
        let path = Path::Member(&Path::Root, "include");
        let mut wants_logprobs = false;
        for (index, one) in array(include, &path)?.elements().enumerate() {
            let path = path.element(index);
            let name = text(one, &path)?;
            if name.says("message.output_text.logprobs") {
                wants_logprobs = true;
            } else if !name.says("reasoning.encrypted_content") {
                // Details of what tools of the provider did, which are asked for in `tools` first.
                let param = path.to_string().into();
                request.extras.push(Extra { param, value: one.raw(), is_hint: true });
            }
        }
        Ok(wants_logprobs)
    }

    fn reasoning(&self, request: &mut Request<'a>) -> Result<(), Invalid> {
        let Some(reasoning) = self.reasoning else { return Ok(()) };
        let path = Path::Member(&Path::Root, "reasoning");
        let mut wanted = Reasoning::default();
        for (name, value) in object(reasoning, &path)?.members().filter(|(_, value)| !value.is_null()) {
            match &*name {
                b"effort" => match Effort::of_name(&text(value, &path.member("effort"))?) {
                    Some(effort) => wanted.effort = Some(effort),
                    None => request.extras.push(extra(&path, &name, value, false)),
                },
                b"summary" | b"generate_summary" => {
                    wanted.show = Some(true);
                    if !value.says("auto") {
                        // How much of it is shown.
                        request.extras.push(extra(&path, &name, value, true));
                    }
                }
                // Which earlier thoughts the model sees again: all that it is given, elsewhere.
                b"context" => request.extras.push(extra(&path, &name, value, true)),
                b"mode" => request.extras.push(extra(&path, &name, value, value.says("standard"))),
                _ => request.extras.push(extra(&path, &name, value, false)),
            }
        }
        request.reasoning = (wanted != Reasoning::default()).then_some(wanted);
        Ok(())
    }
}

/// `text.format`.
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
    let (mut name, mut description, mut schema, mut strict) = (None, None, None, None);
    for (member, value) in format.members() {
        match &*member {
            b"type" => {}
            b"name" => name = maybe(some(value), &path.member("name"), text)?,
            b"description" => description = maybe(some(value), &path.member("description"), text)?,
            b"schema" => schema = maybe(some(value), &path.member("schema"), object)?,
            b"strict" => strict = maybe(some(value), &path.member("strict"), flag)?,
            _ => extras.extend(some(value).map(|value| extra(path, &member, value, false))),
        }
    }
    let schema = needed(schema, &path.member("schema"))?.raw();
    Ok(OutputFormat::Schema(OutputSchema { name, description, schema, strict }))
}

#[cfg(test)]
mod tests;
