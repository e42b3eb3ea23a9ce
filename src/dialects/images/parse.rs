//! Reads a client's request for pictures.

use super::Request;
use crate::{
    dialects::canonical::{Extra, Invalid},
    json::{
        piece::Text,
        view::{Path, Value},
    },
};

/// Most pictures that OpenAI makes for one request.
const IMAGES_MAX: u64 = 10;

/// Reads a scanned JSON object. A member that says `auto` says nothing.
///
/// # Errors
/// It is not what OpenAI's API demands.
pub fn parse(text: &[u8]) -> Result<Request<'_>, Invalid> {
    let mut request = Request {
        prompt: Text::default(),
        n: 1,
        size: None,
        quality: None,
        background: None,
        moderation: None,
        style: None,
        output_format: None,
        output_compression: None,
        response_format: None,
        stream: false,
        partial_images: 0,
        user: None,
        extras: Vec::new(),
    };
    for (name, value) in Value::root(text).members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            b"model" => {}
            b"prompt" => request.prompt = string(value, "prompt")?,
            b"n" => request.n = number(value, "n", 1..=IMAGES_MAX)?,
            b"size" => request.size = setting(value, "size")?,
            b"quality" => request.quality = setting(value, "quality")?,
            b"background" => request.background = setting(value, "background")?,
            b"moderation" => request.moderation = setting(value, "moderation")?,
            b"style" => request.style = setting(value, "style")?,
            b"output_format" => request.output_format = setting(value, "output_format")?,
            b"output_compression" => {
                request.output_compression = Some(number(value, "output_compression", 0..=100)?);
            }
            b"response_format" => request.response_format = setting(value, "response_format")?,
            b"stream" => request.stream = value.bool().ok_or_else(|| invalid("stream", "true or false"))?,
            b"partial_images" => request.partial_images = number(value, "partial_images", 0..=3)?,
            b"user" => request.user = Some(string(value, "user")?),
            _ => {
                let name = String::from_utf8_lossy(&name);
                let param = Path::Root.member(&name).to_string().into();
                request.extras.push(Extra { param, value: value.raw(), is_hint: false });
            }
        }
    }
    match request.prompt.is_empty() {
        true => Err(invalid("prompt", "a string that is not empty")),
        false => Ok(request),
    }
}

fn setting<'a>(value: Value<'a>, name: &str) -> Result<Option<Text<'a>>, Invalid> {
    Ok(Some(string(value, name)?).filter(|said| !said.says("auto")))
}

fn string<'a>(value: Value<'a>, name: &str) -> Result<Text<'a>, Invalid> {
    value.text().ok_or_else(|| invalid(name, "a string"))
}

fn number(value: Value<'_>, name: &str, bounds: std::ops::RangeInclusive<u64>) -> Result<u64, Invalid> {
    let should = || format!("a whole number from {} to {}", bounds.start(), bounds.end());
    value.u64().filter(|number| bounds.contains(number)).ok_or_else(|| invalid(name, &should()))
}

fn invalid(name: &str, should: &str) -> Invalid {
    Invalid { param: name.to_owned(), message: format!("'{name}' must be {should}.").into() }
}
