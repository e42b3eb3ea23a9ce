//! Writes an answer for a client of this dialect: as increments ([`Stream`]) or whole ([`Whole`]).
//!
//! Arguments of a call come in pieces and stand here as an object, so calls are held until their answer ends; the last increment has
//! them, the finish reasons and usage. What a model cut off or botched is no object: a call that the output limit cut is left out,
//! any other makes the finish reason `MALFORMED_FUNCTION_CALL`, with what was said in `finishMessage`.
//!
//! Proofs of thoughts stand in `thoughtSignature`, those of other providers marked as theirs (see [`super::signature`]). A refusal is a
//! text. Log probabilities, pictures and cited addresses have their places; `audio` of OpenAI's has none.

mod stream;
mod whole;

pub use stream::{Form, Stream};
pub use whole::Whole;

use super::{compact, logprobs, signature};
use crate::dialects::canonical::{Facts, Finish, Signature};
use crate::json::piece::{Raw, Text};
use crate::json::scan::{self, Members};
use crate::json::view::Value;
use crate::json::write::Writer;

/// What ends an answer and each of its increments.
fn write_identity(json: &mut Writer<'_>, facts: &Facts) {
    json.name("modelVersion").string(&facts.model).name("responseId").string(&facts.id);
}

/// A call whose arguments are being collected.
#[derive(Debug)]
struct Call {
    choice: u32,
    call: u32,
    id: Text<'static>,
    name: Text<'static>,
    signature: Option<Text<'static>>,
    arguments: String,
}

impl Call {
    fn new(choice: u32, call: u32, id: &Text<'_>, name: &Text<'_>, signature: Option<&Signature<'_>>) -> Call {
        let signature = signature.map(|signature| signature::written(signature, false).into_owned());
        let (id, name) = (id.by_ref().into_owned(), name.by_ref().into_owned());
        Call { choice, call, id, name, signature, arguments: String::new() }
    }

    /// Memory that it takes beside its arguments, in bytes.
    fn bytes(&self) -> usize {
        size_of::<Call>() + self.id.decoded().len() + self.name.decoded().len()
    }

    /// The object that its arguments are; `None` if they are none.
    fn object(&self) -> Option<Raw<'_>> {
        static NONE: Members = Members::last_wins(&[]);
        let said = self.arguments.trim_ascii();
        let said = if said.is_empty() { "{}" } else { said };
        scan::scan(&NONE, said.as_bytes()).ok()?;
        Some(Raw(compact::compacted(said.as_bytes())))
    }

    /// Writes it as a part; false if it is not one.
    fn write(&self, json: &mut Writer<'_>) -> bool {
        let Some(args) = self.object() else { return false };
        json.open_object().name("functionCall").open_object();
        if !self.id.is_empty() {
            json.name("id").text(&self.id);
        }
        json.name("name").text(&self.name).name("args").raw(&args).close_object();
        if let Some(signature) = &self.signature {
            json.name("thoughtSignature").text(signature);
        }
        json.close_object();
        true
    }
}

/// How a choice ended, as it is written.
#[derive(Debug)]
struct Ending {
    reason: &'static str,
    message: Option<Text<'static>>,
}

impl Ending {
    fn of(finish: &Finish<'_>) -> Ending {
        let (reason, message) = match finish {
            // Whichever it was; the text ends before it.
            Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls => ("STOP", None),
            // A paused turn is cut short too.
            Finish::Length | Finish::ContextFull | Finish::Pause => ("MAX_TOKENS", None),
            Finish::ContentFilter => ("SAFETY", None),
            Finish::Other(said) => ("OTHER", Some(said.by_ref().into_owned())),
        };
        Ending { reason, message }
    }

    /// The same where `call` is no call.
    fn without(self, call: &Call) -> Ending {
        if self.reason == "MAX_TOKENS" {
            return self;
        }
        let said = format!("Malformed function call: {}({})", call.name.decoded(), call.arguments);
        Ending { reason: "MALFORMED_FUNCTION_CALL", message: Some(Text::plain(said)) }
    }

    fn write(&self, json: &mut Writer<'_>) {
        json.name("finishReason").string(self.reason);
        if let Some(message) = &self.message {
            json.name("finishMessage").text(message);
        }
    }
}

/// Writes OpenAI's pictures as parts: those that are there, not those at an address.
fn write_pictures(images: &Raw<'_>, json: &mut Writer<'_>) {
    for image in Value::root(&images.0).elements() {
        let Some(address) = image.some("image_url").and_then(|image| image.some("url")).and_then(Value::text) else {
            continue;
        };
        let address = address.decoded();
        let Some((media_type, base64)) = address.strip_prefix("data:").and_then(|data| data.split_once(";base64,"))
        else {
            continue;
        };
        json.open_object().name("inlineData").open_object();
        json.name("mimeType").string(media_type).name("data").string(base64).close_object().close_object();
    }
}

/// A member of a candidate that an extra of OpenAI's is, with its name; `None` for one that has no place here.
fn candidate_member(name: &str, raw: &Raw<'_>) -> Option<(&'static str, Raw<'static>)> {
    let value = Value::root(&raw.0);
    match name {
        "logprobs" => Some(("logprobsResult", logprobs::for_gemini(value)?)),
        "annotations" => Some(("citationMetadata", citations(value)?)),
        _ => None,
    }
}

/// The addresses that OpenAI's annotations cite.
fn citations(annotations: Value<'_>) -> Option<Raw<'static>> {
    let mut out = Vec::with_capacity(annotations.bytes().len());
    let mut json = Writer::new(&mut out);
    json.open_object().name("citationSources").open_array();
    let cited = annotations.elements().filter_map(|annotation| annotation.some("url_citation"));
    for citation in cited {
        json.open_object();
        for (theirs, ours) in
            [("start_index", "startIndex"), ("end_index", "endIndex"), ("url", "uri"), ("title", "title")]
        {
            if let Some(value) = citation.some(theirs) {
                json.name(ours).raw(&value.raw());
            }
        }
        json.close_object();
    }
    if json.out.ends_with(b"[") {
        return None;
    }
    json.close_array().close_object();
    Some(Raw(out.into()))
}

#[cfg(test)]
mod tests;
