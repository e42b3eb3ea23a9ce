//! Counting the tokens of a request: Anthropic's `count_tokens` and Gemini's `countTokens`, for each other and for all other upstreams.
//!
//! Whoever asks gets a number. An upstream that counts is asked in its own form; what it has no word for does not count and is noted.
//! Where there is nobody to ask the number is [`super::estimate`]d, or a [`super::tokenizer`]'s, and the answer says so: agents ask this before each turn, to know when
//! to shorten the conversation, and a number that is some percent off serves them better than an error.

use super::{
    anthropic_messages,
    canonical::{Invalid, Malformed, Notes, ProviderError, Request, Target, Unsupported},
    gemini::{
        self, is_spelling,
        path::{self, Verb},
    },
    tool_references,
    translate::{self, Translated},
    wire::ClientWire,
};
use crate::json::{
    view::{Path, Value},
    write::Writer,
};
use std::borrow::Cow;

/// The form in which an upstream is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamForm {
    Anthropic,
    Gemini,
    /// As Gemini's, with the request's members in the body itself, and only some of them.
    Vertex,
}

/// Reads a client's request, a scanned JSON object.
///
/// # Errors
/// It is not what its dialect demands.
pub fn parse(client: ClientWire, text: &[u8]) -> Result<Request<'_>, Invalid> {
    if client == ClientWire::GeminiContent
        && let Some(request) = within(Value::root(text))
    {
        return gemini::parse::of_value(request, &Path::Root.member("generateContentRequest"));
    }
    translate::parse(client, text)
}

/// Is what is to be counted a request within a body of Gemini's, with a model of its own?
pub fn is_within(body: Value<'_>) -> bool {
    within(body).is_some()
}

fn within(body: Value<'_>) -> Option<Value<'_>> {
    let is_request =
        |name: &[u8]| std::str::from_utf8(name).is_ok_and(|name| is_spelling(name, "generateContentRequest"));
    body.members().filter(|(name, _)| is_request(name)).last().map(|(_, request)| request)
}

/// Appends the upstream's request; returns its path below the provider's base URL.
///
/// # Errors
/// The upstream's dialect cannot express it, also with all left out that may be.
pub fn compose(
    upstream: UpstreamForm,
    request: &Request<'_>,
    target: &Target<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<Cow<'static, str>, Unsupported> {
    let target = &Target { drops: true, ..*target };
    if upstream == UpstreamForm::Anthropic {
        anthropic_messages::compose::compose_count(request, target, notes, out)?;
        return Ok("/messages/count_tokens".into());
    }
    let mut body = Vec::with_capacity(1024);
    let changed = tool_references::as_texts(request, notes);
    gemini::compose::compose(changed.as_ref().unwrap_or(request), target, notes, &mut body)?;
    let mut json = Writer::new(out);
    json.open_object();
    if upstream == UpstreamForm::Gemini {
        json.name("generateContentRequest").open_object().name("model").string(&path::resource(target.model));
    }
    for (name, value) in Value::root(&body).members() {
        let name = String::from_utf8_lossy(&name);
        if upstream == UpstreamForm::Gemini || VERTEX_MEMBERS.contains(&&*name) {
            json.any_name(&name).json(value.bytes());
        }
    }
    json.close_object();
    if upstream == UpstreamForm::Gemini {
        json.close_object();
    }
    Ok(path::write(target.model, Verb::CountTokens).into())
}

/// Members of a request that Vertex AI counts.
const VERTEX_MEMBERS: &[&str] = &["contents", "systemInstruction", "tools", "generationConfig"];

/// The way back of an answer.
#[derive(Debug, Clone, Copy)]
pub struct WayBack {
    pub client: ClientWire,
    pub upstream: UpstreamForm,
}

impl WayBack {
    /// Appends an answer in the client's form. `text` is a scanned JSON object.
    ///
    /// # Errors
    /// It is no answer.
    pub fn whole(self, text: &[u8], out: &mut Vec<u8>) -> Result<Translated, Malformed> {
        let body = Value::root(text);
        let count = match self.upstream {
            UpstreamForm::Anthropic => body.some("input_tokens"),
            UpstreamForm::Gemini | UpstreamForm::Vertex => body.some("totalTokens"),
        };
        render(self.client, count.and_then(Value::u64).ok_or(Malformed)?, out);
        Ok(Translated::Count)
    }
}

impl UpstreamForm {
    /// What an upstream's error means.
    pub fn classify(self, status: u16, body: &[u8]) -> ProviderError<'_> {
        match self {
            UpstreamForm::Anthropic => anthropic_messages::classify::classify(status, body),
            UpstreamForm::Gemini | UpstreamForm::Vertex => gemini::classify::classify(status, body),
        }
    }
}

/// Appends an answer.
pub fn render(client: ClientWire, count: u64, out: &mut Vec<u8>) {
    let name = if client == ClientWire::GeminiContent { "totalTokens" } else { "input_tokens" };
    Writer::new(out).open_object().name(name).number(count).close_object();
}

#[cfg(test)]
mod tests;
