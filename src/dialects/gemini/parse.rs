//! Reads a client's request to `generateContent` or `streamGenerateContent`.
//!
//! Each name is taken in both spellings, `maxOutputTokens` and `max_output_tokens`; paths in messages and extras have the first. What is
//! known here and has a place among the canonical members gets it; every other member is an extra, every other part and tool is
//! carried as it is. Whether the client wants a stream stands in the path.
//!
//! Calls without ids, as they are before Gemini 3, get `call_{n}`, counted from the conversation's start, so that a conversation that
//! grows says the same again; results are matched with them by name, in order.

mod contents;

use super::{is_spelling, schema};
use crate::dialects::canonical::{
    Effort, Extra, FunctionTool, Invalid, OutputFormat, OutputSchema, Part, PartBody, Reasoning, Request, Tool,
    ToolChoice,
};
use crate::json::piece::{Raw, Text};
use crate::json::view::{Path, Value};
use crate::json::{Kind, value};
use std::borrow::Cow;

/// Reads a body that has been scanned.
///
/// # Errors
/// The first member that is not what the API takes.
pub fn parse(text: &[u8]) -> Result<Request<'_>, Invalid> {
    of_value(Value::root(text), &Path::Root)
}

/// The same for a request that is a member of another one, at `path`.
pub fn of_value<'a>(body: Value<'a>, path: &Path<'_>) -> Result<Request<'a>, Invalid> {
    let mut request = Request::default();
    let (mut tools, mut config, mut generation) = (None, None, None);
    for (name, value) in known(body, path, "an object")? {
        let at = path.member(&name);
        match &*name {
            "contents" => request.messages = contents::read(value, &at)?,
            "systemInstruction" => request.system = contents::read_system(value, &at)?,
            "tools" => tools = Some(value),
            "toolConfig" => config = Some(value),
            "generationConfig" => generation = Some(value),
            // It stands in the path.
            "model" => {}
            _ => request.extras.push(Extra {
                param: at.to_string().into(),
                value: value.raw(),
                is_hint: HINTS.contains(&&*name) || (name == "safetySettings" && blocks_nothing(value)),
            }),
        }
    }
    if let Some(tools) = tools {
        read_tools(tools, &path.member("tools"), &mut request)?;
    }
    if let Some(config) = config {
        read_tool_config(config, &path.member("toolConfig"), &mut request)?;
    }
    if let Some(generation) = generation {
        read_generation(generation, &path.member("generationConfig"), &mut request)?;
    }
    Ok(request)
}

/// Members that cannot change what the answer means.
const HINTS: &[&str] = &["labels", "serviceTier", "store"];

/// Whether safety settings, a list that some clients send empty, switch Google's own filters off: other providers have none of them.
fn blocks_nothing(settings: Value<'_>) -> bool {
    let is_off = |threshold: Value<'_>| threshold.says("BLOCK_NONE") || threshold.says("OFF");
    settings.kind() == Kind::Array && settings.elements().all(|setting| setting.some("threshold").is_some_and(is_off))
}

/// Members that have a name here, in either spelling; the others keep theirs.
const NAMES: &[&str] = &[
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "safetySettings",
    "cachedContent",
    "serviceTier",
    "functionDeclarations",
    "functionCallingConfig",
    "retrievalConfig",
    "allowedFunctionNames",
    "parametersJsonSchema",
    "responseJsonSchema",
    "responseSchema",
    "responseMimeType",
    "responseModalities",
    "responseLogprobs",
    "maxOutputTokens",
    "stopSequences",
    "candidateCount",
    "topP",
    "topK",
    "presencePenalty",
    "frequencyPenalty",
    "thinkingConfig",
    "includeThoughts",
    "thinkingBudget",
    "thinkingLevel",
    "speechConfig",
    "imageConfig",
    "mediaResolution",
    "inlineData",
    "fileData",
    "mimeType",
    "fileUri",
    "displayName",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "videoMetadata",
    "thoughtSignature",
];

/// Most members of an object. The API's largest has half as many; each is compared with those before it.
const MEMBERS_MAX: usize = 64;

/// The members of an object that are not null, each once, by their names in camel case.
fn known<'a>(
    value: Value<'a>,
    path: &Path<'_>,
    expected: &'static str,
) -> Result<Vec<(Cow<'a, str>, Value<'a>)>, Invalid> {
    if value.kind() != Kind::Object {
        return Err(invalid(path, expected));
    }
    let mut members: Vec<(Cow<'a, str>, Value<'a>)> = Vec::with_capacity(4);
    for (name, value) in value.members() {
        if members.len() == MEMBERS_MAX {
            return Err(invalid(path, "an object with fewer members"));
        }
        let name = match name {
            Cow::Borrowed(name) => String::from_utf8_lossy(name),
            Cow::Owned(name) => Cow::Owned(String::from_utf8_lossy(&name).into_owned()),
        };
        let snake_case = Some(&name).filter(|name| name.contains('_'));
        let name = match snake_case.and_then(|name| NAMES.iter().find(|known| is_spelling(name, known))) {
            Some(known) => Cow::Borrowed(*known),
            None => name,
        };
        // The last of two counts.
        members.retain(|(earlier, _)| *earlier != name);
        if !value.is_null() {
            members.push((name, value));
        }
    }
    Ok(members)
}

fn invalid(path: &Path<'_>, expected: &'static str) -> Invalid {
    let param = path.to_string();
    Invalid { message: format!("'{param}' must be {expected}").into(), param }
}

fn string<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Text<'a>, Invalid> {
    value.text().ok_or_else(|| invalid(path, "a string"))
}

fn count(value: Value<'_>, path: &Path<'_>) -> Result<u64, Invalid> {
    let whole = || str::from_utf8(without_fraction(value.bytes())).ok()?.parse().ok();
    value.u64().or_else(whole).ok_or_else(|| invalid(path, "a whole number"))
}

/// A number that the API has as an integer. What is not whole goes as it is, for the upstream to judge.
fn integer<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Raw<'a>, Invalid> {
    number(value, path)?;
    Ok(Raw(without_fraction(value.bytes()).into()))
}

/// `40` of `40.0`: Google's own clients have some integers as floats, and upstreams that take integers take no others.
fn without_fraction(number: &[u8]) -> &[u8] {
    match number.iter().position(|byte| *byte == b'.') {
        Some(point) if number[point + 1..].iter().all(|digit| *digit == b'0') => &number[..point],
        _ => number,
    }
}

fn number<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Raw<'a>, Invalid> {
    if value.kind() == Kind::Number { Ok(value.raw()) } else { Err(invalid(path, "a number")) }
}

fn boolean(value: Value<'_>, path: &Path<'_>) -> Result<bool, Invalid> {
    value.bool().ok_or_else(|| invalid(path, "a boolean"))
}

/// The elements of an array, with their places.
fn elements<'a>(
    value: Value<'a>,
    path: &Path<'_>,
) -> Result<impl Iterator<Item = (usize, Value<'a>)> + use<'a>, Invalid> {
    if value.kind() == Kind::Array { Ok(value.elements().enumerate()) } else { Err(invalid(path, "an array")) }
}

fn read_tools<'a>(tools: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<(), Invalid> {
    for (index, tool) in elements(tools, path)? {
        let at = path.element(index);
        for (name, value) in known(tool, &at, "an object")? {
            let at = at.member(&name);
            if name != "functionDeclarations" {
                let kind = Text::plain(name.clone().into_owned());
                request.tools.push(Tool::Other { param: at.to_string(), kind, raw: value.raw() });
                continue;
            }
            for (index, function) in elements(value, &at)? {
                read_function(function, &at.element(index), request)?;
            }
        }
    }
    Ok(())
}

fn read_function<'a>(function: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<(), Invalid> {
    let mut tool = FunctionTool { name: Text::default(), description: None, schema: None, strict: None, cache: None };
    for (name, value) in known(function, path, "an object")? {
        let at = path.member(&name);
        match &*name {
            "name" => tool.name = string(value, &at)?,
            "description" => tool.description = Some(string(value, &at)?),
            "parametersJsonSchema" => tool.schema = Some(value.raw()),
            // Where both stand there, the other one is the newer.
            "parameters" if tool.schema.is_none() => tool.schema = Some(schema::of_google_s_form(value)),
            "parameters" => {}
            // What a result will look like is told to the model and not to anybody else.
            _ => request.extras.push(Extra {
                param: at.to_string().into(),
                value: value.raw(),
                is_hint: matches!(&*name, "response" | "responseJsonSchema"),
            }),
        }
    }
    if tool.name.is_empty() {
        return Err(invalid(&path.member("name"), "the function's name"));
    }
    request.tools.push(Tool::Function(tool));
    Ok(())
}

fn read_tool_config<'a>(config: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<(), Invalid> {
    for (name, value) in known(config, path, "an object")? {
        let at = path.member(&name);
        if name != "functionCallingConfig" {
            request.extras.push(Extra { param: at.to_string().into(), value: value.raw(), is_hint: false });
            continue;
        }
        let (mut mode, mut names) = (Text::default(), Vec::new());
        for (name, value) in known(value, &at, "an object")? {
            let at = at.member(&name);
            match &*name {
                "mode" => mode = string(value, &at)?,
                "allowedFunctionNames" => {
                    for (index, name) in elements(value, &at)? {
                        names.push(string(name, &at.element(index))?);
                    }
                }
                _ => request.extras.push(Extra { param: at.to_string().into(), value: value.raw(), is_hint: false }),
            }
        }
        let mode = mode.decoded().to_ascii_uppercase();
        request.tool_choice = match (mode.as_str(), names.len()) {
            ("" | "MODE_UNSPECIFIED", 0) => None,
            ("AUTO" | "VALIDATED", 0) => Some(ToolChoice::Auto),
            ("ANY", 0) => Some(ToolChoice::Required),
            ("NONE", _) => Some(ToolChoice::None),
            ("ANY", 1) => names.pop().map(ToolChoice::Tool),
            ("ANY", _) => Some(ToolChoice::Among { names, required: true }),
            ("" | "MODE_UNSPECIFIED" | "AUTO" | "VALIDATED", _) => Some(ToolChoice::Among { names, required: false }),
            _ => return Err(invalid(&at.member("mode"), "AUTO, ANY, NONE or VALIDATED")),
        };
        if mode == "VALIDATED" {
            for tool in &mut request.tools {
                if let Tool::Function(tool) = tool {
                    tool.strict = Some(true);
                }
            }
        }
    }
    Ok(())
}

fn read_generation<'a>(config: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<(), Invalid> {
    let (mut form, mut schema) = (Form::Text, None);
    let (mut wants_logprobs, mut alternatives) = (false, None);
    for (name, value) in known(config, path, "an object")? {
        let at = path.member(&name);
        match &*name {
            "maxOutputTokens" => request.output_tokens_max = Some(count(value, &at)?),
            "temperature" => request.temperature = Some(number(value, &at)?),
            "topP" => request.top_p = Some(number(value, &at)?),
            "topK" => request.top_k = Some(integer(value, &at)?),
            "presencePenalty" => request.presence_penalty = Some(number(value, &at)?),
            "frequencyPenalty" => request.frequency_penalty = Some(number(value, &at)?),
            "seed" => request.seed = Some(integer(value, &at)?),
            "candidateCount" => request.answers = Some(count(value, &at)?),
            "responseLogprobs" => wants_logprobs = boolean(value, &at)?,
            "logprobs" => alternatives = Some(count(value, &at)?),
            "stopSequences" => {
                request.stop.clear();
                for (index, stop) in elements(value, &at)? {
                    request.stop.push(string(stop, &at.element(index))?);
                }
            }
            "responseMimeType" => {
                let said = string(value, &at)?;
                form = match &*said.decoded() {
                    "" | "text/plain" => Form::Text,
                    "application/json" => Form::Json,
                    _ => Form::Other,
                };
                if let Form::Other = form {
                    request.extras.push(Extra { param: at.to_string().into(), value: value.raw(), is_hint: false });
                }
            }
            "responseJsonSchema" => schema = Some(value.raw()),
            "responseSchema" if schema.is_none() => schema = Some(schema::of_google_s_form(value)),
            "responseSchema" => {}
            "thinkingConfig" => request.reasoning = read_thinking(value, &at)?,
            // Every answer is a text.
            "responseModalities" if value.elements().all(|modality| modality.says("TEXT")) => {}
            _ => request.extras.push(Extra {
                param: at.to_string().into(),
                value: value.raw(),
                is_hint: name == "mediaResolution",
            }),
        }
    }
    request.logprobs = wants_logprobs.then(|| alternatives.unwrap_or(0));
    request.output = match (form, schema) {
        (Form::Other, Some(schema)) => {
            // An enumeration as plain text: the schema says which.
            request.extras.push(Extra {
                param: path.member("responseSchema").to_string().into(),
                value: schema,
                is_hint: false,
            });
            OutputFormat::Text
        }
        (Form::Json | Form::Text, Some(schema)) => {
            OutputFormat::Schema(OutputSchema { name: None, description: None, schema, strict: None })
        }
        (Form::Json, None) => OutputFormat::JsonObject,
        (Form::Text | Form::Other, None) => OutputFormat::Text,
    };
    Ok(())
}

enum Form {
    Text,
    Json,
    Other,
}

fn read_thinking(config: Value<'_>, path: &Path<'_>) -> Result<Option<Reasoning>, Invalid> {
    let mut reasoning = Reasoning::default();
    for (name, value) in known(config, path, "an object")? {
        let at = path.member(&name);
        match &*name {
            "includeThoughts" => reasoning.show = Some(boolean(value, &at)?),
            // As much as the model finds right.
            "thinkingBudget" if without_fraction(value.bytes()) == b"-1" => {}
            "thinkingBudget" => reasoning.budget_tokens = Some(count(value, &at)?),
            "thinkingLevel" => {
                let said = string(value, &at)?.decoded().to_ascii_uppercase();
                reasoning.effort = match said.as_str() {
                    "THINKING_LEVEL_UNSPECIFIED" => None,
                    "MINIMAL" => Some(Effort::Minimal),
                    "LOW" => Some(Effort::Low),
                    "MEDIUM" => Some(Effort::Medium),
                    "HIGH" => Some(Effort::High),
                    _ => return Err(invalid(&at, "MINIMAL, LOW, MEDIUM or HIGH")),
                };
            }
            // A member that is not known cannot be carried inside of one that is.
            _ => return Err(invalid(&at, "left out: it is not known")),
        }
    }
    Ok((reasoning != Reasoning::default()).then_some(reasoning))
}

/// The one part that a text is.
fn text_part(text: Text<'_>) -> Part<'_> {
    PartBody::Text(text).into()
}

/// Is the value one that counts as said?
fn is_true(value: Value<'_>) -> bool {
    value::bool_value(value.bytes()) == Some(true)
}

#[cfg(test)]
mod tests;
