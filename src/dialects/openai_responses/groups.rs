//! Tools in groups (`{"type":"namespace"}`), which other dialects do not have: there each is a tool of its own, under a joined name.
//!
//! The joined name is `<namespace>.<name>`; where an upstream takes no dot, it is changed like any other name and changed back
//! (see [`crate::dialects::restore`]). No name of the API has a dot, so no other tool is meant; should a client have two with one joined name,
//! its calls are those of the first. The way back is by the request's own list ([`super::echo`]), not by looking for a dot.
//!
//! What a group says of itself is told once, with the first of its tools: with each it would be a small request's way to a large one.

use crate::dialects::canonical::{FunctionTool, Tool};
use crate::json::piece::{Raw, Text};
use crate::json::strings;
use crate::json::view::Value;
use crate::json::write::Writer;
use std::borrow::Cow;

/// What a tool of a group is called where there are no groups.
pub fn joined(namespace: &Text<'_>, name: &Text<'_>) -> Text<'static> {
    let mut joined = Vec::new();
    namespace.append_escaped(&mut joined);
    joined.push(b'.');
    name.append_escaped(&mut joined);
    Text::Escaped(Cow::Owned(joined))
}

/// Takes a tool out of its group. `about` is what the group says of itself, for the first of its tools. What is neither a function nor a
/// tool that takes a text has no name to be joined, and stays as it is.
pub fn taken_out<'a>(tool: Tool<'a>, namespace: &Text<'_>, about: Option<&Text<'_>>) -> Tool<'a> {
    match tool {
        Tool::Function(function) => {
            let name = joined(namespace, &function.name);
            let described = about.map(|about| described(function.description.as_ref(), namespace, about));
            let description = described.or(function.description);
            Tool::Function(FunctionTool { name, description, ..function })
        }
        Tool::Other { param, kind, raw } if kind.says("custom") => {
            let raw = taken_out_custom(&raw, namespace, about).unwrap_or(raw);
            Tool::Other { param, kind, raw }
        }
        other => other,
    }
}

/// A tool that takes a text, written anew under its joined name; `None` if it has no name.
fn taken_out_custom(raw: &Raw<'_>, namespace: &Text<'_>, about: Option<&Text<'_>>) -> Option<Raw<'static>> {
    let tool = Value::root(&raw.0);
    let name = tool.some("name").and_then(Value::text)?;
    let mut out = Vec::new();
    let mut json = Writer::new(&mut out);
    json.open_object().name("name").text(&joined(namespace, &name));
    let description = tool.some("description").and_then(Value::text);
    match about {
        Some(about) => drop(json.name("description").text(&described(description.as_ref(), namespace, about))),
        None if description.is_some() => drop(json.name("description").text(&description.unwrap_or_default())),
        None => {}
    }
    for (name, value) in tool.members() {
        if !matches!(&*name, b"name" | b"description") {
            json.any_name(&String::from_utf8_lossy(&name)).raw(&value.raw());
        }
    }
    json.close_object();
    Some(Raw(Cow::Owned(out)))
}

/// What the first tool of a group says.
fn described(own: Option<&Text<'_>>, namespace: &Text<'_>, about: &Text<'_>) -> Text<'static> {
    let mut said = Vec::new();
    if let Some(own) = own.filter(|own| !own.is_empty()) {
        own.append_escaped(&mut said);
        said.extend_from_slice(br"\n\n");
    }
    strings::write_escaped(&mut said, "All tools whose names begin with '");
    namespace.append_escaped(&mut said);
    strings::write_escaped(&mut said, "': ");
    about.append_escaped(&mut said);
    Text::Escaped(Cow::Owned(said))
}
