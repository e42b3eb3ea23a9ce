//! What Messages demands of a body: the fields, and the rules between them that no table of fields can say.

use serde_json::Value;

use super::messages::{blocks, signature};
use super::verify::Is::{Base64, Bool, Int, Items, List, Number, Object, OneOf, Str, StrOrList, Strs, Text};
use super::verify::{Field, Table, may, need};
use super::{ApiError, Setting, Trouble};

/// Where cache hints may stand at most.
const CACHE_HINTS_MAX: usize = 4;

macro_rules! fields {
    ($($first:expr),* $(,)?) => {
        &[
            need("model", Text),
            $($first,)*
            need("messages", Items),
            may("messages[]", Object),
            need("messages[].role", OneOf(&["user", "assistant", "system"])),
            need("messages[].content", StrOrList),
            may("messages[].content[]", Object),
            need("messages[].content[].type", Str),
            need("messages[role=system].content[].type", OneOf(&["text", "tool_addition", "tool_removal"])),
            need("messages[].content[type=text].text", Text),
            need("messages[].content[type=image].source", Object),
            need("messages[].content[type=image].source.type", OneOf(&["base64", "url", "file"])),
            need(
                "messages[].content[type=image].source[type=base64].media_type",
                OneOf(&["image/jpeg", "image/png", "image/gif", "image/webp"]),
            ),
            need("messages[].content[type=image].source[type=base64].data", Base64),
            need("messages[].content[type=image].source[type=url].url", Text),
            need("messages[].content[type=document].source", Object),
            need("messages[].content[type=document].source.type", Str),
            need("messages[].content[type=tool_use].id", Text),
            need("messages[].content[type=tool_use].name", Text),
            need("messages[].content[type=tool_use].input", Object),
            need("messages[].content[type=tool_result].tool_use_id", Text),
            may("messages[].content[type=tool_result].content", StrOrList),
            may("messages[].content[type=tool_result].is_error", Bool),
            need("messages[].content[type=thinking].thinking", Str),
            need("messages[].content[type=thinking].signature", Text),
            need("messages[].content[type=redacted_thinking].data", Str),
            may("system", StrOrList),
            need("system[].type", OneOf(&["text"])),
            need("system[].text", Text),
            may("tools", List),
            may("tools[]", Object),
            need("tools[].name", Text),
            may("tool_choice", Object),
            need("tool_choice.type", OneOf(&["auto", "any", "tool", "none"])),
            need("tool_choice[type=tool].name", Text),
            may("tool_choice.disable_parallel_tool_use", Bool),
            may("thinking", Object),
            need("thinking.type", OneOf(&["enabled", "adaptive", "disabled"])),
            need("thinking[type=enabled].budget_tokens", Int(1_024, i64::MAX)),
            may("thinking.display", OneOf(&["summarized", "omitted"])),
            may("output_config", Object),
            may("output_config.effort", OneOf(&["low", "medium", "high", "xhigh", "max"])),
            may("output_config.format", Object),
            need("output_config.format.type", OneOf(&["json_schema"])),
            need("output_config.format.schema", Object),
            may("temperature", Number(0.0, 1.0)),
            may("top_p", Number(0.0, 1.0)),
            may("top_k", Int(0, i64::MAX)),
            may("stop_sequences", List),
            may("stop_sequences", Strs),
            may("stream", Bool),
            may("metadata", Object),
            may("metadata.user_id", Str),
            may("service_tier", OneOf(&["auto", "standard_only"])),
        ]
    };
}

const FIELDS: &[Field] = fields![need("max_tokens", Int(0, i64::MAX))];
const COUNTED_FIELDS: &[Field] = fields![];

/// Anthropic refuses members that it does not know.
const KNOWN: &[&str] = &[
    "model",
    "max_tokens",
    "messages",
    "system",
    "stop_sequences",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "output_format",
    "metadata",
    "service_tier",
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "inference_geo",
    "mcp_servers",
    "speed",
    "user_profile_id",
];

pub(super) const MESSAGES: Table = Table { fields: FIELDS, known: Some(KNOWN) };
pub(super) const COUNT_TOKENS: Table = Table { fields: COUNTED_FIELDS, known: Some(KNOWN) };

fn broken(param: &str, rule: &'static str, says: impl Into<String>) -> ApiError {
    Trouble::Broken(rule, says.into()).about(param)
}

pub(super) fn check(body: &Value, setting: &Setting<'_>) -> Result<(), ApiError> {
    check_turns(body)?;
    check_thinking(body, setting)?;
    check_tools(body)?;
    if hints(body) > CACHE_HINTS_MAX {
        let says = format!("A maximum of {CACHE_HINTS_MAX} blocks with cache_control may be provided.");
        return Err(broken("", "too many cache_control", says));
    }
    match body.pointer("/output_config/format/schema") {
        Some(schema) => check_schema(schema, "output_config.format.schema"),
        None => Ok(()),
    }
}

fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or("")
}

fn of_type<'a>(message: &'a Value, wanted: &str, member: &str) -> Vec<&'a str> {
    let found = blocks(message).iter().filter(|block| block.get("type").and_then(Value::as_str) == Some(wanted));
    found.filter_map(|block| block.get(member).and_then(Value::as_str)).collect()
}

/// Calls and results come in pairs, in neighbouring turns. Neighbours of one role are one turn.
fn check_turns(body: &Value) -> Result<(), ApiError> {
    let messages = body.get("messages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if messages.first().map(role) != Some("user") {
        return Err(broken("messages", "first message is not the user's", "first message must use the \"user\" role"));
    }
    let mut open: Vec<&str> = Vec::new();
    let mut answered: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let at = format!("messages[{index}]");
        if role(message) == "assistant" {
            if index > 0 && role(&messages[index - 1]) != "assistant" {
                unanswered(&open, &answered, &at)?;
                open.clear();
                answered.clear();
            }
            open.extend(of_type(message, "tool_use", "id"));
            continue;
        }
        for result in of_type(message, "tool_result", "tool_use_id") {
            if !open.contains(&result) {
                let says = format!("unexpected `tool_use_id` found in `tool_result` blocks: {result}");
                return Err(broken(&at, "tool_result without its tool_use", says));
            }
            answered.push(result);
        }
    }
    if messages.last().map(role) == Some("assistant") {
        return Ok(());
    }
    unanswered(&open, &answered, "messages")
}

fn unanswered(open: &[&str], answered: &[&str], at: &str) -> Result<(), ApiError> {
    match open.iter().find(|id| !answered.contains(id)) {
        Some(id) => {
            let says = format!("`tool_use` ids were found without `tool_result` blocks immediately after: {id}");
            Err(broken(at, "tool_use without its tool_result", says))
        }
        None => Ok(()),
    }
}

/// The budget fits below the limit, forced tools do not go with it, and signatures come back as they were given.
fn check_thinking(body: &Value, setting: &Setting<'_>) -> Result<(), ApiError> {
    let is = |pointer: &str, wanted: &str| body.pointer(pointer).and_then(Value::as_str) == Some(wanted);
    if is("/thinking/type", "enabled") {
        let number = |pointer: &str| body.pointer(pointer).and_then(Value::as_u64);
        if let (Some(budget), Some(limit)) = (number("/thinking/budget_tokens"), number("/max_tokens"))
            && budget >= limit
        {
            let says = "`max_tokens` must be greater than `thinking.budget_tokens`";
            return Err(broken("max_tokens", "thinking.budget_tokens not below max_tokens", says));
        }
        if is("/tool_choice/type", "any") || is("/tool_choice/type", "tool") {
            let says = "Thinking may not be enabled when tool_choice forces tool use.";
            return Err(broken("", "thinking with a forced tool", says));
        }
    }
    let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    for (index, message) in messages.enumerate() {
        let thoughts = of_type(message, "thinking", "thinking").into_iter();
        for (thought, signed) in thoughts.zip(of_type(message, "thinking", "signature")) {
            // Thinking that was not shown has a signature too, which cannot be made again from nothing.
            if !thought.is_empty() && signed != signature(thought, setting) {
                let at = format!("messages[{index}].content");
                return Err(broken(&at, "signature of another thinking", "Invalid `signature` in `thinking` block"));
            }
        }
    }
    Ok(())
}

fn check_tools(body: &Value) -> Result<(), ApiError> {
    let tools = body.get("tools").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for (index, tool) in tools.iter().enumerate() {
        let kind = tool.get("type").and_then(Value::as_str).unwrap_or("custom");
        let schema = tool.get("input_schema");
        // Tools of other types are the server's own and have no schema.
        if kind == "custom" && schema.is_none() {
            return Err(Trouble::Missing.about(&format!("tools[{index}].input_schema")));
        }
        if kind == "custom" && schema.and_then(|schema| schema.get("type")).and_then(Value::as_str) != Some("object") {
            return Err(Trouble::BadValue("'object'".to_owned()).about(&format!("tools[{index}].input_schema.type")));
        }
        let name = tool.get("name").and_then(Value::as_str).unwrap_or("");
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if name.len() > 128 || !name.bytes().all(fits) {
            let says = "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'";
            return Err(broken(&format!("tools[{index}].name"), "tools[].name has a bad value", says));
        }
        if tools[..index].iter().any(|other| other.get("name") == tool.get("name")) {
            return Err(broken("tools", "tools[].name twice", "Tool names must be unique."));
        }
    }
    match body.pointer("/tool_choice/name").and_then(Value::as_str) {
        Some(forced) if !tools.iter().any(|tool| tool.get("name").and_then(Value::as_str) == Some(forced)) => {
            let says = format!("Tool '{forced}' not found in provided tools");
            Err(broken("tool_choice.name", "tool_choice names no tool", says))
        }
        _ if tools.is_empty() && body.get("tool_choice").is_some_and(Value::is_object) => {
            let says = "tool_choice may only be specified while providing tools.";
            Err(broken("tool_choice", "tool_choice without tools", says))
        }
        _ => Ok(()),
    }
}

/// Cache hints in the whole body.
fn hints(value: &Value) -> usize {
    match value {
        Value::Object(members) => {
            usize::from(members.get("cache_control").is_some_and(Value::is_object))
                + members.values().map(hints).sum::<usize>()
        }
        Value::Array(elements) => elements.iter().map(hints).sum(),
        _ => 0,
    }
}

/// Keywords that structured outputs do not take.
const UNSUPPORTED: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "contains",
    "prefixItems",
    "patternProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependentSchemas",
    "if",
    "then",
    "else",
    "not",
    "oneOf",
    "unevaluatedProperties",
];

fn check_schema(schema: &Value, at: &str) -> Result<(), ApiError> {
    let Some(members) = schema.as_object() else {
        return Ok(());
    };
    if let Some(name) = UNSUPPORTED.iter().find(|name| members.contains_key(**name)) {
        let says =
            format!("For '{}' type, property '{name}' is not supported", schema["type"].as_str().unwrap_or("any"));
        return Err(broken(at, "schema keyword is not supported", says));
    }
    if schema["type"] == "object" && schema["additionalProperties"] != false {
        let says = "For 'object' type, 'additionalProperties' must be explicitly set to false";
        return Err(broken(at, "schema without additionalProperties: false", says));
    }
    for group in ["properties", "$defs", "definitions"] {
        let inner = members.get(group).and_then(Value::as_object);
        inner.into_iter().flatten().try_for_each(|(_, inner)| check_schema(inner, at))?;
    }
    for group in ["anyOf", "allOf"] {
        let inner = members.get(group).and_then(Value::as_array);
        inner.into_iter().flatten().try_for_each(|inner| check_schema(inner, at))?;
    }
    members.get("items").map_or(Ok(()), |inner| check_schema(inner, at))
}
