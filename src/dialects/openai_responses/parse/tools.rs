//! Tools, and which of them may be called.
//!
//! A function is described by the tool itself. Tools whose input is a text (`custom`), and those that the provider or the client runs in a
//! way of their own, are carried as `Other`; for the former see [`crate::dialects::text_tools`]. The tools of a group are tools of their own,
//! see [`super::super::groups`]; a choice may name the group, its tool with it, or the tool alone where only one group has it.

use crate::dialects::canonical::{Extra, FunctionTool, Invalid, Request, Tool, ToolChoice};
use crate::dialects::openai_chat::parse::expect::{
    array, extra, flag, invalid, maybe, missing, needed, object, some, text,
};
use crate::dialects::openai_responses::groups::{joined, taken_out};
use crate::json::Kind;
use crate::json::piece::Text;
use crate::json::view::{Path, Value};

/// The tools of groups: which group, and what they are called there and elsewhere.
pub type Groups<'a> = Vec<Grouped<'a>>;

pub struct Grouped<'a> {
    namespace: Text<'a>,
    name: Text<'a>,
    joined: Text<'static>,
}

/// `tools`.
pub fn read<'a>(list: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<Groups<'a>, Invalid> {
    let mut groups = Groups::new();
    for (index, tool) in array(list, path)?.elements().enumerate() {
        let path = path.element(index);
        let kind = needed(object(tool, &path)?.some("type"), &path.member("type"))?;
        if kind.says("namespace") {
            group(tool, &path, request, &mut groups)?;
        } else {
            let tool = tool_of_kind(kind, tool, &path, request)?;
            request.tools.push(tool);
        }
    }
    Ok(groups)
}

fn tool_of_kind<'a>(
    kind: Value<'a>,
    tool: Value<'a>,
    path: &Path<'_>,
    request: &mut Request<'a>,
) -> Result<Tool<'a>, Invalid> {
    if kind.says("function") {
        return function(tool, path, request).map(Tool::Function);
    }
    Ok(Tool::Other { param: path.to_string(), kind: text(kind, &path.member("type"))?, raw: tool.raw() })
}

fn group<'a>(
    group: Value<'a>,
    path: &Path<'_>,
    request: &mut Request<'a>,
    groups: &mut Groups<'a>,
) -> Result<(), Invalid> {
    let (mut namespace, mut about, mut tools) = (None, None, None);
    for (member, value) in group.members() {
        let value = some(value);
        match &*member {
            b"type" => {}
            b"name" => namespace = maybe(value, &path.member("name"), text)?,
            b"description" => about = maybe(value, &path.member("description"), text)?,
            b"tools" => tools = maybe(value, &path.member("tools"), array)?,
            _ => request.extras.extend(value.map(|value| extra(path, &member, value, is_hint(&member, value)))),
        }
    }
    let namespace = namespace.ok_or_else(|| missing(&path.member("name")))?;
    let mut about = about.filter(|about| !about.is_empty());
    let path = path.member("tools");
    for (index, tool) in needed(tools, &path)?.elements().enumerate() {
        let path = path.element(index);
        let kind = needed(object(tool, &path)?.some("type"), &path.member("type"))?;
        let name = tool.some("name").and_then(Value::text);
        let tool = tool_of_kind(kind, tool, &path, request)?;
        request.tools.push(taken_out(tool, &namespace, about.take().as_ref()));
        groups.extend(name.map(|name| Grouped {
            joined: joined(&namespace, &name),
            namespace: namespace.clone(),
            name,
        }));
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
        // It is there from the beginning instead.
        b"defer_loading" => true,
        b"async" => value.bool() == Some(false),
        b"allowed_callers" => value.elements().all(|caller| caller.says("direct")),
        _ => false,
    }
}

/// `tool_choice`; one of a tool that is no function is an extra, as the tool is.
pub fn choice<'a>(
    choice: Value<'a>,
    path: &Path<'_>,
    groups: &Groups<'a>,
    request: &mut Request<'a>,
) -> Result<Option<ToolChoice<'a>>, Invalid> {
    const SHOULD: &str = "none, auto, required, or an object that names a tool or allowed tools";
    if choice.kind() == Kind::String {
        let modes = [("auto", ToolChoice::Auto), ("none", ToolChoice::None), ("required", ToolChoice::Required)];
        let mode = modes.into_iter().find(|(name, _)| choice.says(name)).map(|(_, mode)| mode);
        return mode.map(Some).ok_or_else(|| invalid(path, SHOULD));
    }
    let kind = needed(object(choice, path)?.some("type"), &path.member("type"))?;
    if kind.says("allowed_tools") {
        return allowed(choice, path, groups, request).map(Some);
    }
    let mut names = named_tools(choice, path, groups, &request.tools)?;
    if kind.says("namespace") && !names.is_empty() {
        return Ok(Some(ToolChoice::Among { names, required: true }));
    }
    if let Some(name) = names.pop() {
        return Ok(Some(ToolChoice::Tool(name)));
    }
    request.extras.push(Extra { param: path.to_string().into(), value: choice.raw(), is_hint: false });
    Ok(None)
}

fn allowed<'a>(
    choice: Value<'a>,
    path: &Path<'_>,
    groups: &Groups<'a>,
    request: &mut Request<'a>,
) -> Result<ToolChoice<'a>, Invalid> {
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
        let mut named = named_tools(object(tool, &path)?, &path, groups, &request.tools)?;
        if named.is_empty() {
            request.extras.push(Extra { param: path.to_string().into(), value: tool.raw(), is_hint: false });
        }
        names.append(&mut named);
    }
    Ok(ToolChoice::Among { names, required })
}

/// The tool that `{"type":"function","name"}` means, or the same of a custom tool; the tools of a group for its name; none for a tool of
/// another type.
fn named_tools<'a>(
    tool: Value<'a>,
    path: &Path<'_>,
    groups: &Groups<'a>,
    tools: &[Tool<'_>],
) -> Result<Vec<Text<'a>>, Invalid> {
    let kind = needed(tool.some("type"), &path.member("type"))?;
    let is_group = kind.says("namespace");
    if !(is_group || kind.says("function") || kind.says("custom")) {
        return Ok(Vec::new());
    }
    let name_path = path.member("name");
    let name = text(needed(tool.some("name"), &name_path)?, &name_path)?;
    if is_group {
        let of_group = groups.iter().filter(|grouped| same(&grouped.namespace, &name));
        return Ok(of_group.map(|grouped| grouped.joined.clone()).collect());
    }
    if let Some(namespace) = maybe(tool.some("namespace"), &path.member("namespace"), text)? {
        return Ok(vec![joined(&namespace, &name)]);
    }
    // Nothing of the API says how the choice of a tool in a group is written, so its own name will do.
    let mut of_name = groups.iter().filter(|grouped| same(&grouped.name, &name));
    let is_plain = || tools.iter().any(|tool| is_called(tool, &name));
    Ok(match (of_name.next(), of_name.next()) {
        (Some(only), None) if !is_plain() => vec![only.joined.clone()],
        _ => vec![name],
    })
}

fn is_called(tool: &Tool<'_>, name: &Text<'_>) -> bool {
    match tool {
        Tool::Function(function) => same(&function.name, name),
        Tool::Other { raw, .. } => Value::root(&raw.0).get("name").is_some_and(|said| said.says(&name.decoded())),
    }
}

fn same(one: &Text<'_>, other: &Text<'_>) -> bool {
    one.says(&other.decoded())
}
