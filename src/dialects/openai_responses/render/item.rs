//! An item of an answer: what it says so far, and how it is written.

use super::super::carried::Of;
use super::write_signature;
use crate::dialects::canonical::Signature;
use crate::json::piece::Text;
use crate::json::view::Value;
use crate::json::write::Writer;

#[derive(Debug)]
pub struct Item {
    pub kind: Kind,
    pub id: String,
    /// What it says, escaped: a text, thoughts, the input of a call.
    pub said: Vec<u8>,
    /// Its part has begun; a call has none.
    pub has_part: bool,
    pub is_open: bool,
    /// It was open when the answer was cut off.
    pub is_cut: bool,
    /// What all events of a stream about it have: its id and its place.
    pub place: Vec<u8>,
}

#[derive(Debug)]
pub enum Kind {
    Reasoning { signature: Option<(Signature<'static>, Of)> },
    Text { annotations: Vec<u8>, logprobs: Vec<u8> },
    Refusal,
    Call(Call),
}

#[derive(Debug)]
pub struct Call {
    /// Its number in the answer.
    pub call: u32,
    pub id: Text<'static>,
    pub name: Text<'static>,
    /// The group that the tool is one of.
    pub namespace: Option<Box<str>>,
    /// Its input is a text.
    pub is_custom: bool,
}

/// How much of an item is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It begins.
    Added,
    All,
}

impl Kind {
    /// Prefix of the ids of items of this kind.
    pub fn prefix(&self) -> &'static str {
        match self {
            Kind::Reasoning { .. } => "rs",
            Kind::Text { .. } | Kind::Refusal => "msg",
            Kind::Call(Call { is_custom: false, .. }) => "fc",
            Kind::Call(Call { is_custom: true, .. }) => "ctc",
        }
    }

    pub fn is_call(&self) -> bool {
        matches!(self, Kind::Call(_))
    }
}

impl Item {
    pub fn text(&self) -> Text<'_> {
        Text::Escaped((&*self.said).into())
    }

    /// The input of a call. A function without parameters was called without arguments, by some models without an object.
    pub fn input(&self) -> Text<'_> {
        match &self.kind {
            Kind::Call(Call { is_custom: false, .. }) if self.said.is_empty() => Text::plain("{}"),
            _ => self.text(),
        }
    }

    pub fn write(&self, json: &mut Writer<'_>, told: Told) {
        let status = match told {
            Told::Added => "in_progress",
            Told::All if self.is_cut || self.is_open => "incomplete",
            Told::All => "completed",
        };
        json.open_object();
        match &self.kind {
            Kind::Reasoning { signature } => {
                match signature.as_ref().filter(|_| told == Told::All) {
                    Some((signature, of)) => write_signature(json, signature, *of, &self.id),
                    None => drop(json.name("id").string(&self.id)),
                }
                json.name("type").string("reasoning").name("summary").open_array();
                if told == Told::All && self.has_part {
                    self.write_part(json, Told::All);
                }
                json.close_array();
            }
            Kind::Text { .. } | Kind::Refusal => {
                json.name("id").string(&self.id).name("type").string("message").name("status").string(status);
                json.name("role").string("assistant").name("content").open_array();
                if told == Told::All && self.has_part {
                    self.write_part(json, Told::All);
                }
                json.close_array();
            }
            Kind::Call(Call { id, name, namespace, is_custom, .. }) => {
                let (kind, member) =
                    if *is_custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
                json.name("id").string(&self.id).name("type").string(kind).name("status").string(status);
                json.name(member);
                match told {
                    Told::Added => json.string(""),
                    Told::All => json.text(&self.input()),
                };
                json.name("call_id").text(id).name("name").text(name);
                if let Some(namespace) = namespace {
                    json.name("namespace").string(namespace);
                }
            }
        }
        json.close_object();
    }

    /// Its only part. A call has none.
    pub fn write_part(&self, json: &mut Writer<'_>, told: Told) {
        let text = if told == Told::All { self.text() } else { Text::default() };
        json.open_object().name("type");
        match &self.kind {
            Kind::Reasoning { .. } => drop(json.string("summary_text").name("text").text(&text)),
            Kind::Text { annotations, logprobs } => {
                let (annotations, logprobs): (&[u8], &[u8]) =
                    if told == Told::All { (annotations, logprobs) } else { (b"", b"") };
                json.string("output_text").name("annotations").open_array();
                write_elements(json, annotations);
                json.close_array().name("logprobs").open_array();
                write_elements(json, logprobs);
                json.close_array().name("text").text(&text);
            }
            Kind::Refusal => drop(json.string("refusal").name("refusal").text(&text)),
            Kind::Call(_) => drop(json.string("")),
        }
        json.close_object();
    }
}

/// Writes elements that are written already, with commas.
pub fn write_elements(json: &mut Writer<'_>, elements: &[u8]) {
    if !elements.is_empty() {
        json.json(elements);
    }
}

/// Writes an annotation as it is here: a citation's members stand beside its type, and not in an object of their own as in Chat Completions.
pub fn write_annotation(json: &mut Writer<'_>, annotation: Value<'_>) {
    let citation = annotation.some("url_citation").filter(|citation| citation.members().next().is_some());
    let Some(citation) = citation else {
        json.json(annotation.bytes());
        return;
    };
    json.open_object().name("type").string("url_citation");
    for (name, value) in citation.members() {
        json.any_name(&String::from_utf8_lossy(&name)).json(value.bytes());
    }
    json.close_object();
}
