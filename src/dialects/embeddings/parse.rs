//! Reads a client's request for vectors.

use super::{ClientForm, Input, Request};
use crate::{
    dialects::{
        canonical::{Extra, Invalid},
        gemini::is_spelling,
    },
    json::{
        Kind,
        piece::Text,
        view::{Path, Value},
    },
};
use std::borrow::Cow;

/// Reads a scanned JSON object.
///
/// # Errors
/// It is not what its form demands.
pub fn parse(client: ClientForm, text: &[u8]) -> Result<Request<'_>, Invalid> {
    let mut request = Request {
        client,
        inputs: Vec::new(),
        dimensions: None,
        task: None,
        title: None,
        user: None,
        base64: false,
        extras: Vec::new(),
    };
    let body = Value::root(text);
    match client {
        ClientForm::OpenAi => openai(body, &mut request)?,
        ClientForm::GeminiOne => {
            let settings = content(body, &Path::Root, &mut request)?;
            (request.task, request.title, request.dimensions) = (settings.task, settings.title, settings.dimensions);
        }
        ClientForm::GeminiBatch => batch(body, &mut request)?,
    }
    Ok(request)
}

fn openai<'a>(body: Value<'a>, request: &mut Request<'a>) -> Result<(), Invalid> {
    let root = Path::Root;
    for (name, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            b"model" => {}
            b"input" => request.inputs = inputs(value, &root.member("input"))?,
            b"dimensions" => request.dimensions = Some(number(value, &root.member("dimensions"))?),
            b"user" => request.user = Some(string(value, &root.member("user"))?),
            b"input_type" => request.task = Some(string(value, &root.member("input_type"))?),
            b"encoding_format" => {
                request.base64 = match value {
                    _ if value.says("float") => false,
                    _ if value.says("base64") => true,
                    _ => return Err(invalid(&root.member("encoding_format"), "\"float\" or \"base64\"")),
                }
            }
            _ => request.extras.push(extra(&root, &name, value)),
        }
    }
    match request.inputs.is_empty() {
        true => {
            Err(invalid(&root.member("input"), "a string, an array of strings or an array of tokens, and not empty"))
        }
        false => Ok(()),
    }
}

/// A text, several, tokens, or several of those.
fn inputs<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Vec<Input<'a>>, Invalid> {
    if let Some(text) = value.text() {
        return Ok(vec![Input::Text(text)]);
    }
    if value.elements().next().is_some_and(|first| first.kind() == Kind::Number) {
        return Ok(vec![Input::Tokens(value.raw())]);
    }
    if value.kind() != Kind::Array {
        return Err(invalid(path, "a string or an array"));
    }
    let input = |(index, value): (usize, Value<'a>)| match value.kind() {
        Kind::String => Ok(Input::Text(value.text().unwrap_or_default())),
        Kind::Array => Ok(Input::Tokens(value.raw())),
        _ => Err(invalid(&path.element(index), "a string or an array of tokens")),
    };
    value.elements().enumerate().map(input).collect()
}

/// What stands beside a content of Gemini's.
#[derive(PartialEq, Default)]
struct Settings<'a> {
    task: Option<Text<'a>>,
    title: Option<Text<'a>>,
    dimensions: Option<u64>,
}

fn batch<'a>(body: Value<'a>, request: &mut Request<'a>) -> Result<(), Invalid> {
    let root = Path::Root;
    let mut requests = None;
    for (name, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            b"requests" => requests = Some(value),
            b"model" => {}
            _ => request.extras.push(extra(&root, &name, value)),
        }
    }
    let path = root.member("requests");
    let requests = requests.filter(|value| value.kind() == Kind::Array).ok_or_else(|| invalid(&path, "an array"))?;
    let mut first: Option<Settings<'a>> = None;
    for (index, value) in requests.elements().enumerate() {
        let path = path.element(index);
        let settings = content(value, &path, request)?;
        match &first {
            // One request of another API has them once.
            Some(first) if *first != settings => request.extras.push(Extra {
                param: path.to_string().into(),
                value: value.raw(),
                is_hint: first.dimensions == settings.dimensions,
            }),
            Some(_) => {}
            None => first = Some(settings),
        }
    }
    let first = first.ok_or_else(|| invalid(&path, "an array that is not empty"))?;
    (request.task, request.title, request.dimensions) = (first.task, first.title, first.dimensions);
    Ok(())
}

/// One content with its settings.
fn content<'a>(value: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<Settings<'a>, Invalid> {
    if value.kind() != Kind::Object {
        return Err(invalid(path, "an object"));
    }
    let mut settings = Settings::default();
    let mut input = None;
    for (name, value) in value.members().filter(|(_, value)| !value.is_null()) {
        let name = camel(&name);
        match &*name {
            // It stands in the path.
            "model" => {}
            "content" => input = Some(content_input(value, &path.member("content"))?),
            "embedContentConfig" => {
                let path = path.member("embedContentConfig");
                if value.kind() != Kind::Object {
                    return Err(invalid(&path, "an object"));
                }
                for (name, value) in value.members().filter(|(_, value)| !value.is_null()) {
                    setting(&camel(&name), value, &path, &mut settings, request)?;
                }
            }
            _ => setting(&name, value, path, &mut settings, request)?,
        }
    }
    request.inputs.push(input.ok_or_else(|| invalid(&path.member("content"), "a content"))?);
    Ok(settings)
}

fn setting<'a>(
    name: &str,
    value: Value<'a>,
    path: &Path<'_>,
    settings: &mut Settings<'a>,
    request: &mut Request<'a>,
) -> Result<(), Invalid> {
    match name {
        "taskType" if value.says("TASK_TYPE_UNSPECIFIED") => {}
        "taskType" => settings.task = Some(string(value, &path.member(name))?),
        "title" => settings.title = Some(string(value, &path.member(name))?),
        "outputDimensionality" => settings.dimensions = Some(number(value, &path.member(name))?),
        _ => request.extras.push(extra(path, name.as_bytes(), value)),
    }
    Ok(())
}

fn content_input<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Input<'a>, Invalid> {
    let path = path.member("parts");
    let parts = value.some("parts").filter(|parts| parts.kind() == Kind::Array);
    let parts = parts.ok_or_else(|| invalid(&path, "an array of parts"))?;
    let texts: Option<Vec<Text<'a>>> = parts.elements().map(|part| part.some("text")?.text()).collect();
    Ok(match texts {
        Some(texts) if texts.is_empty() => return Err(invalid(&path, "an array that is not empty")),
        Some(mut texts) if texts.len() == 1 => Input::Text(texts.remove(0)),
        texts => Input::Content { raw: value.raw(), texts },
    })
}

/// A name in the spelling of Gemini's documents, where it is one of those that are known in both.
fn camel<'n>(name: &'n [u8]) -> Cow<'n, str> {
    const NAMES: &[&str] = &["taskType", "outputDimensionality", "embedContentConfig"];
    let name = String::from_utf8_lossy(name);
    match NAMES.iter().find(|known| is_spelling(&name, known)) {
        Some(known) => Cow::Borrowed(*known),
        None => name,
    }
}

fn string<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Text<'a>, Invalid> {
    value.text().ok_or_else(|| invalid(path, "a string"))
}

fn number(value: Value<'_>, path: &Path<'_>) -> Result<u64, Invalid> {
    value.u64().filter(|number| *number > 0).ok_or_else(|| invalid(path, "a whole number above 0"))
}

fn extra<'a>(path: &Path<'_>, name: &[u8], value: Value<'a>) -> Extra<'a> {
    let name = String::from_utf8_lossy(name);
    Extra { param: path.member(&name).to_string().into(), value: value.raw(), is_hint: false }
}

fn invalid(path: &Path<'_>, should: &str) -> Invalid {
    let param = path.to_string();
    let message = format!("'{param}' must be {should}.");
    Invalid { param, message: message.into() }
}
