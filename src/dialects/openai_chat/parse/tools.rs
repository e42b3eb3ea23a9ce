//! Tools, which of them may be called, and the calls of earlier turns.
//!
//! The arguments of a call are JSON in a string; they are decoded and validated here, because most upstreams take them as an object.
//! Empty arguments are an empty object: models of this API write them for functions without parameters.

use super::expect::{array, extra, invalid, maybe, needed, object, some, text};
use super::parts::cache_hint;
use super::{Invalid, Path, Request, Value, flag, signatures};
use crate::dialects::canonical::{FunctionTool, Origin, Signature, Tool, ToolCall, ToolChoice, ToolInput};
use crate::json::Kind;
use crate::json::piece::{Raw, Text};
use crate::json::scan::{Members, scan};
use std::borrow::Cow;

/// `tools`.
pub fn read<'a>(list: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<(), Invalid> {
    for (index, tool) in array(list, path)?.elements().enumerate() {
        let path = path.element(index);
        let kind = needed(object(tool, &path)?.some("type"), &path.member("type"))?;
        if !kind.says("function") {
            let kind = text(kind, &path.member("type"))?;
            request.tools.push(Tool::Other { param: path.to_string(), kind, raw: tool.raw() });
            continue;
        }
        let mut cache = None;
        let mut described = None;
        for (name, value) in tool.members() {
            match &*name {
                b"type" => {}
                b"function" => described = some(value),
                b"cache_control" => cache = cache_hint(value),
                _ if value.is_null() => {}
                _ => request.extras.push(extra(&path, &name, value, false)),
            }
        }
        let path = path.member("function");
        let mut function = function(needed(described, &path)?, &path, request)?;
        function.cache = function.cache.or(cache);
        request.tools.push(Tool::Function(function));
    }
    Ok(())
}

/// `functions`, of before there were tools.
pub fn read_functions<'a>(list: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<(), Invalid> {
    for (index, described) in array(list, path)?.elements().enumerate() {
        let function = function(described, &path.element(index), request)?;
        request.tools.push(Tool::Function(function));
    }
    Ok(())
}

fn function<'a>(value: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<FunctionTool<'a>, Invalid> {
    let mut name = None;
    let mut function =
        FunctionTool { name: Text::default(), description: None, schema: None, strict: None, cache: None };
    for (member, value) in object(value, path)?.members() {
        let value = some(value);
        match &*member {
            b"name" => name = maybe(value, &path.member("name"), text)?,
            b"description" => function.description = maybe(value, &path.member("description"), text)?,
            b"parameters" => function.schema = maybe(value, &path.member("parameters"), object)?.map(Value::raw),
            b"strict" => function.strict = maybe(value, &path.member("strict"), flag)?,
            b"cache_control" => function.cache = value.and_then(cache_hint),
            _ => request.extras.extend(value.map(|value| extra(path, &member, value, false))),
        }
    }
    function.name = name.ok_or_else(|| super::expect::missing(&path.member("name")))?;
    Ok(function)
}

/// `tool_choice`.
pub fn choice<'a>(choice: Value<'a>, path: &Path<'_>) -> Result<ToolChoice<'a>, Invalid> {
    const SHOULD: &str = "none, auto, required, or an object that names a tool or allowed tools";
    if choice.kind() == Kind::String {
        // `any` is Mistral's word.
        return mode(choice).ok_or_else(|| invalid(path, SHOULD));
    }
    let kind = needed(object(choice, path)?.some("type"), &path.member("type"))?;
    if kind.says("allowed_tools") {
        return allowed(choice, path);
    }
    Ok(ToolChoice::Tool(named_tool(choice, path)?))
}

fn mode<'a>(choice: Value<'_>) -> Option<ToolChoice<'a>> {
    [
        ("auto", ToolChoice::Auto),
        ("none", ToolChoice::None),
        ("required", ToolChoice::Required),
        ("any", ToolChoice::Required),
    ]
    .into_iter()
    .find(|(name, _)| choice.says(name))
    .map(|(_, mode)| mode)
}

fn allowed<'a>(choice: Value<'a>, path: &Path<'_>) -> Result<ToolChoice<'a>, Invalid> {
    let path = path.member("allowed_tools");
    let allowed = object(needed(choice.some("allowed_tools"), &path)?, &path)?;
    let required = match allowed.some("mode") {
        None => false,
        Some(mode) if mode.says("auto") => false,
        Some(mode) if mode.says("required") => true,
        Some(_) => return Err(invalid(&path.member("mode"), "auto or required")),
    };
    let path = path.member("tools");
    let names = array(needed(allowed.some("tools"), &path)?, &path)?
        .elements()
        .enumerate()
        .map(|(index, tool)| named_tool(tool, &path.element(index)))
        .collect::<Result<_, _>>()?;
    Ok(ToolChoice::Among { names, required })
}

/// The name in `{"type":"function","function":{"name"}}`, or the same of a custom tool.
fn named_tool<'a>(tool: Value<'a>, path: &Path<'_>) -> Result<Text<'a>, Invalid> {
    let kind = object(tool, path)?.some("type");
    let member = match kind {
        Some(kind) if kind.says("function") => "function",
        Some(kind) if kind.says("custom") => "custom",
        _ => return Err(invalid(&path.member("type"), "function or custom")),
    };
    let path = path.member(member);
    let described = object(needed(tool.some(member), &path)?, &path)?;
    text(needed(described.some("name"), &path.member("name"))?, &path.member("name"))
}

/// `function_call`, of before there were tools.
pub fn function_call_choice<'a>(call: Value<'a>, path: &Path<'_>) -> Result<ToolChoice<'a>, Invalid> {
    if call.kind() == Kind::String {
        return mode(call).ok_or_else(|| invalid(path, "none, auto, or an object that names a function"));
    }
    let name = needed(object(call, path)?.some("name"), &path.member("name"))?;
    Ok(ToolChoice::Tool(text(name, &path.member("name"))?))
}

/// One of an assistant's `tool_calls`.
pub fn call<'a>(call: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<ToolCall<'a>, Invalid> {
    let (mut id, mut function, mut custom, mut signature) = (None, None, None, None);
    for (name, value) in object(call, path)?.members() {
        let Some(value) = some(value) else { continue };
        match &*name {
            b"id" => id = Some(text(value, &path.member("id"))?),
            b"function" => function = Some(object(value, &path.member("function"))?),
            b"custom" => custom = Some(object(value, &path.member("custom"))?),
            // Which of the two it is, is told by what is there; `index` is left over from a stream that was put together.
            b"type" | b"index" => {}
            b"extra_content" => match thought_signature(value) {
                Some(found) => signature = Some(found),
                None => request.extras.push(extra(path, &name, value, true)),
            },
            _ => request.extras.push(extra(path, &name, value, true)),
        }
    }
    let (name, input) = match (function, custom) {
        (Some(function), _) => named_arguments(function, &path.member("function"))?,
        (None, Some(custom)) => {
            let path = path.member("custom");
            let name = text(needed(custom.some("name"), &path.member("name"))?, &path.member("name"))?;
            let input = needed(custom.some("input"), &path.member("input"))?;
            (name, ToolInput::Text(text(input, &path.member("input"))?))
        }
        (None, None) => return Err(super::expect::missing(&path.member("function"))),
    };
    Ok(ToolCall { id: id.unwrap_or_default(), name, input, signature })
}

/// An assistant's `function_call`, of before there were tools. It has no id.
pub fn function_call<'a>(call: Value<'a>, path: &Path<'_>) -> Result<ToolCall<'a>, Invalid> {
    let (name, input) = named_arguments(object(call, path)?, path)?;
    Ok(ToolCall { id: Text::default(), name, input, signature: None })
}

fn thought_signature(extra_content: Value<'_>) -> Option<Signature<'_>> {
    let value = extra_content.get("google")?.get("thought_signature")?.text()?;
    Some(signatures::read(value, Origin::Gemini))
}

fn named_arguments<'a>(function: Value<'a>, path: &Path<'_>) -> Result<(Text<'a>, ToolInput<'a>), Invalid> {
    let name = text(needed(function.some("name"), &path.member("name"))?, &path.member("name"))?;
    let path = path.member("arguments");
    let Some(value) = function.some("arguments") else { return Ok((name, ToolInput::Object(EMPTY))) };
    // Some frameworks send the object itself.
    if value.kind() == Kind::Object {
        return Ok((name, ToolInput::Object(value.raw())));
    }
    Ok((name, function_input(text(value, &path)?)))
}

/// The input of a function, from its arguments.
pub fn function_input(said: Text<'_>) -> ToolInput<'_> {
    arguments(&said).map_or(ToolInput::Malformed(said), ToolInput::Object)
}

/// The object that a string holds.
fn arguments<'a>(said: &Text<'a>) -> Option<Raw<'a>> {
    let json: Cow<'a, [u8]> = match said {
        Text::Escaped(Cow::Borrowed(escaped)) if !escaped.contains(&b'\\') => Cow::Borrowed(escaped),
        said => Cow::Owned(said.decoded().into_owned().into_bytes()),
    };
    if json.iter().all(|byte| byte.is_ascii_whitespace()) {
        return Some(EMPTY);
    }
    static NONE: Members = Members::last_wins(&[]);
    scan(&NONE, &json).ok()?;
    Some(Raw(match json {
        Cow::Borrowed(json) => Cow::Borrowed(json.trim_ascii()),
        Cow::Owned(json) => Cow::Owned(json.trim_ascii().to_vec()),
    }))
}

const EMPTY: Raw<'static> = Raw(Cow::Borrowed(b"{}"));
