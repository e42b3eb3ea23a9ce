//! Tools, and which of them may be called.
//!
//! A function is described by the tool itself. Tools whose input is a text (`custom`), and those that the provider or the client runs in a
//! way of their own, are carried as `Other`; for the former see [`crate::dialects::text_tools`].

use crate::dialects::canonical::{Extra, FunctionTool, Invalid, Request, Tool, ToolChoice};
use crate::dialects::openai_chat::parse::expect::{
    array, extra, flag, invalid, maybe, missing, needed, object, some, text,
};
use crate::json::Kind;
use crate::json::piece::Text;
use crate::json::view::{Path, Value};

/// `tools`.
pub fn read<'a>(list: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<(), Invalid> {
    for (index, tool) in array(list, path)?.elements().enumerate() {
        let path = path.element(index);
        let kind = needed(object(tool, &path)?.some("type"), &path.member("type"))?;
        let tool = if kind.says("function") {
            Tool::Function(function(tool, &path, request)?)
        } else {
            Tool::Other { param: path.to_string(), kind: text(kind, &path.member("type"))?, raw: tool.raw() }
        };
        request.tools.push(tool);
    }
    Ok(())
}

fn function<'a>(value: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<FunctionTool<'a>, Invalid> {
    let mut name = None;
    let mut function =
        FunctionTool { name: Text::default(), description: None, schema: None, strict: None, cache: None };
    for (member, value) in value.members() {
        let value = some(value);
        match &*member {
            b"type" => {}
            b"name" => name = maybe(value, &path.member("name"), text)?,
            b"description" => function.description = maybe(value, &path.member("description"), text)?,
            b"parameters" => function.schema = maybe(value, &path.member("parameters"), object)?.map(Value::raw),
            b"strict" => function.strict = maybe(value, &path.member("strict"), flag)?,
            _ => request.extras.extend(value.map(|value| extra(path, &member, value, is_hint(&member, value)))),
        }
    }
    function.name = name.ok_or_else(|| missing(&path.member("name")))?;
    Ok(function)
}

/// Says the member of a function what is the case without it, or what only helps?
fn is_hint(member: &[u8], value: Value<'_>) -> bool {
    match member {
        b"output_schema" => true,
        b"defer_loading" | b"async" => value.bool() == Some(false),
        b"allowed_callers" => value.elements().all(|caller| caller.says("direct")),
        _ => false,
    }
}

/// `tool_choice`; one of a tool that is no function is an extra, as the tool is.
pub fn choice<'a>(
    choice: Value<'a>,
    path: &Path<'_>,
    extras: &mut Vec<Extra<'a>>,
) -> Result<Option<ToolChoice<'a>>, Invalid> {
    const SHOULD: &str = "none, auto, required, or an object that names a tool or allowed tools";
    if choice.kind() == Kind::String {
        let modes = [("auto", ToolChoice::Auto), ("none", ToolChoice::None), ("required", ToolChoice::Required)];
        let mode = modes.into_iter().find(|(name, _)| choice.says(name)).map(|(_, mode)| mode);
        return mode.map(Some).ok_or_else(|| invalid(path, SHOULD));
    }
    let kind = needed(object(choice, path)?.some("type"), &path.member("type"))?;
    if kind.says("allowed_tools") {
        return allowed(choice, path, extras).map(Some);
    }
    if let Some(name) = named_tool(choice, path)? {
        return Ok(Some(ToolChoice::Tool(name)));
    }
    extras.push(Extra { param: path.to_string().into(), value: choice.raw(), is_hint: false });
    Ok(None)
}

fn allowed<'a>(choice: Value<'a>, path: &Path<'_>, extras: &mut Vec<Extra<'a>>) -> Result<ToolChoice<'a>, Invalid> {
    let required = match choice.some("mode") {
        None => false,
        Some(mode) if mode.says("auto") => false,
        Some(mode) if mode.says("required") => true,
        Some(_) => return Err(invalid(&path.member("mode"), "auto or required")),
    };
    let path = path.member("tools");
    let mut names = Vec::new();
    for (index, tool) in array(needed(choice.some("tools"), &path)?, &path)?.elements().enumerate() {
        let path = path.element(index);
        match named_tool(object(tool, &path)?, &path)? {
            Some(name) => names.push(name),
            None => extras.push(Extra { param: path.to_string().into(), value: tool.raw(), is_hint: false }),
        }
    }
    Ok(ToolChoice::Among { names, required })
}

/// The name in `{"type":"function","name"}`, or the same of a custom tool; `None` for a tool of another type.
fn named_tool<'a>(tool: Value<'a>, path: &Path<'_>) -> Result<Option<Text<'a>>, Invalid> {
    let kind = needed(tool.some("type"), &path.member("type"))?;
    if !(kind.says("function") || kind.says("custom")) {
        return Ok(None);
    }
    let path = path.member("name");
    text(needed(tool.some("name"), &path)?, &path).map(Some)
}
