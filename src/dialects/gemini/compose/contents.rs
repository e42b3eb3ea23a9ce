//! The conversation as `contents`: turns of `user` and `model`, each with parts.
//!
//! Turns of one role that follow each other become one. Results of calls are a turn of their own, directly after the turn that
//! called, and in the order of its calls: models without ids tell them apart by that. What the client wrote beside the results
//! follows in the next turn.
//!
//! A result is an object here. One that is a JSON object as a text is taken as that object, any other text becomes
//! `{"result":text}`, and that of a call that failed `{"error":...}`.

use super::{Met, Names, Notes, Target, Unsupported, Writer};
use crate::dialects::canonical::{
    Message, Origin, Part, PartBody, Role, Signature, Source, ToolCall, ToolInput, ToolResult,
};
use crate::dialects::gemini::{compact, signature};
use crate::json::piece::{Raw, Text};
use crate::json::scan::{self, Members};
use crate::json::view::Value;
use std::borrow::Cow;
use std::collections::HashMap;

/// What is being written, and where it stands.
pub(super) struct Contents<'w, 'o, 'r> {
    pub target: &'w Target<'w>,
    pub notes: &'w mut Notes,
    pub met: &'w mut Met,
    pub names: &'w mut Names<'r>,
    pub json: Writer<'o>,
    open: Option<Turn>,
    /// A proof of thoughts that stands on the part after them.
    proof: Option<&'r Signature<'r>>,
    /// A call has been written in the open turn.
    has_called: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    User,
    Model,
    /// A user's turn with results and nothing else.
    Results,
}

/// The calls of a conversation so far.
#[derive(Default)]
struct Calls<'r> {
    all: Vec<&'r ToolCall<'r>>,
    /// The latest call with an id: some clients count anew in each turn.
    by_id: HashMap<Cow<'r, str>, usize>,
}

impl<'r> Calls<'r> {
    fn add(&mut self, call: &'r ToolCall<'r>) {
        if !call.id.is_empty() {
            self.by_id.insert(call.id.decoded(), self.all.len());
        }
        self.all.push(call);
    }

    fn find(&self, id: &Text<'_>) -> Option<usize> {
        self.by_id.get(&*id.decoded()).copied()
    }
}

impl<'w, 'o, 'r> Contents<'w, 'o, 'r> {
    pub fn new(
        target: &'w Target<'w>,
        notes: &'w mut Notes,
        met: &'w mut Met,
        names: &'w mut Names<'r>,
        json: Writer<'o>,
    ) -> Contents<'w, 'o, 'r> {
        Contents { target, notes, met, names, json, open: None, proof: None, has_called: false }
    }

    /// Writes the array.
    pub fn write(mut self, messages: &'r [Message<'r>]) -> Result<(), Unsupported> {
        self.json.name("contents").open_array();
        let is_user = |message: &Message<'_>| message.role == Role::User;
        let mut calls = Calls::default();
        let mut at = 0;
        while let Some(message) = messages.get(at) {
            // A user's turns in a row: the results in them come first.
            let until = at + messages[at..].iter().take_while(|message| is_user(message)).count().max(1);
            let run = &messages[at..until];
            if is_user(message) {
                self.results(run, at, &calls)?;
            }
            for (offset, message) in run.iter().enumerate() {
                self.message(message, at + offset)?;
            }
            for part in &message.parts {
                if let PartBody::ToolCall(call) = &part.body {
                    calls.add(call);
                }
            }
            at = until;
        }
        self.close();
        if self.json.out.ends_with(b"[") {
            // A system prompt alone is no conversation, and an empty text is refused.
            self.turn(Turn::User);
            self.json.open_object().name("text").string(" ").close_object();
            self.close();
            self.notes.mapped("messages", "A blank user turn was added: the API needs one.");
        }
        self.json.close_array();
        Ok(())
    }

    fn turn(&mut self, turn: Turn) {
        if self.open == Some(turn) {
            return;
        }
        self.close();
        let role = if turn == Turn::Model { "model" } else { "user" };
        self.json.open_object().name("role").string(role).name("parts").open_array();
        self.open = Some(turn);
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            self.json.close_array().close_object();
        }
        self.has_called = false;
    }

    fn message(&mut self, message: &'r Message<'r>, index: usize) -> Result<(), Unsupported> {
        let Message { role, parts, name } = message;
        if name.is_some() {
            self.notes.hint(format!("messages[{index}].name"));
        }
        self.met.late_system |= *role == Role::System;
        let turn = if *role == Role::Assistant { Turn::Model } else { Turn::User };
        for Part { body, cache } in parts {
            self.met.cache_hint |= cache.is_some();
            self.part(turn, body, index)?;
        }
        if let Some(proof) = self.proof.take() {
            self.turn(turn);
            self.json.open_object().name("text").string("").name("thoughtSignature").text(&proof.value).close_object();
        }
        Ok(())
    }

    fn part(&mut self, turn: Turn, body: &'r PartBody<'r>, index: usize) -> Result<(), Unsupported> {
        match body {
            PartBody::Text(text) | PartBody::Refusal(text) => {
                if !text.is_empty() {
                    self.turn(turn);
                    self.json.open_object().name("text").text(text);
                    if let Some(proof) = self.proof.take() {
                        self.json.name("thoughtSignature").text(&proof.value);
                    }
                    self.json.close_object();
                }
            }
            PartBody::Image { source, detail } => {
                self.met.detail |= detail.is_some();
                return self.media(turn, source, index);
            }
            PartBody::Document { source, name } => {
                self.met.file_name |= name.is_some();
                return self.media(turn, source, index);
            }
            PartBody::Audio { source } => return self.media(turn, source, index),
            PartBody::ToolCall(call) => return self.call(turn, call, index),
            // Written before the rest of the run.
            PartBody::ToolResult(_) => {}
            PartBody::Thinking { text, signature } => {
                if !text.is_empty() {
                    self.turn(turn);
                    self.json.open_object().name("text").text(text).name("thought").bool(true).close_object();
                }
                if let Some(signature) = signature {
                    self.prove(signature);
                }
            }
            PartBody::SealedThinking(signature) => self.prove(signature),
            PartBody::Other { param, raw } => {
                // A part of this dialect, from a client that speaks it.
                if param.starts_with("contents[") {
                    self.turn(turn);
                    self.json.raw(raw);
                } else {
                    self.notes.unsupported(self.target, param.clone(), "The model's API has no such part.")?;
                }
            }
        }
        Ok(())
    }

    /// Another provider's proof is worth nothing to Google, and one of unknown origin would be refused if it were another's.
    fn prove(&mut self, signature: &'r Signature<'r>) {
        if signature.origin == Origin::Gemini && !signature.value.is_empty() {
            self.proof = Some(signature);
        } else {
            self.met.foreign_proof = true;
        }
    }

    fn call(&mut self, turn: Turn, call: &'r ToolCall<'r>, index: usize) -> Result<(), Unsupported> {
        let ToolCall { id, name, input, signature } = call;
        let mut in_object = Vec::new();
        let args = match input {
            ToolInput::Object(raw) => raw,
            ToolInput::Malformed(text) => {
                Writer::new(&mut in_object).open_object().name("input").text(text).close_object();
                &Raw(in_object.into())
            }
            ToolInput::Text(_) => {
                let param = format!("messages[{index}].tool_calls");
                return self.notes.unsupported(self.target, param, "The input of a tool has to be an object.");
            }
        };
        let proof = self.proof.take();
        let proof = match signature {
            Some(signature) if signature::is_ours(signature) => Some(signature.value.by_ref()),
            _ => proof.map(|proof| proof.value.by_ref()),
        };
        self.turn(turn);
        let called_before = std::mem::replace(&mut self.has_called, true);
        self.json.open_object().name("functionCall").open_object();
        if self.target.traits.call_ids && !id.is_empty() {
            self.json.name("id").text(id);
        }
        self.json.name("name").text(&self.names.upstream(name)).name("args").raw(args).close_object();
        match proof {
            Some(proof) => drop(self.json.name("thoughtSignature").text(&proof)),
            // The first call of a turn needs one, from Gemini 3 on.
            None if self.target.traits.call_ids && !called_before => {
                self.json.name("thoughtSignature").string(signature::SKIP_VALIDATION);
            }
            None => {}
        }
        self.json.close_object();
        Ok(())
    }

    /// Writes the results among a user's turns as one turn.
    fn results(&mut self, run: &'r [Message<'r>], index: usize, calls: &Calls<'r>) -> Result<(), Unsupported> {
        let mut results = Vec::new();
        for (offset, message) in run.iter().enumerate() {
            for part in &message.parts {
                if let PartBody::ToolResult(result) = &part.body {
                    let call = calls.find(&result.call_id);
                    results.push((call, index + offset, result));
                }
            }
        }
        if results.is_empty() {
            return Ok(());
        }
        // Stable: what answers no call stays where it is said, at the end.
        results.sort_by_key(|(call, _, _)| call.unwrap_or(usize::MAX));
        // Results are never merged with others: each turn of calls has its own.
        self.close();
        for (call, index, result) in results {
            let name = call.map(|call| &calls.all[call].name).or(result.name.as_ref());
            let Some(name) = name else {
                return Err(Unsupported {
                    param: format!("messages[{index}].tool_call_id").into(),
                    why: "No call in the conversation has this id, and the model's API needs the tool's name.".into(),
                });
            };
            self.result(result, name, index)?;
        }
        Ok(())
    }

    fn result(&mut self, result: &'r ToolResult<'r>, name: &'r Text<'r>, index: usize) -> Result<(), Unsupported> {
        let ToolResult { call_id, name: _, content, object, is_error } = result;
        self.turn(Turn::Results);
        self.json.open_object().name("functionResponse").open_object();
        if self.target.traits.call_ids && !call_id.is_empty() {
            self.json.name("id").text(call_id);
        }
        self.json.name("name").text(&self.names.upstream(name)).name("response");
        self.response(object.as_ref(), content, *is_error);
        let mut media = Vec::new();
        for part in content {
            self.met.cache_hint |= part.cache.is_some();
            match &part.body {
                PartBody::Text(_) | PartBody::Refusal(_) => {}
                PartBody::Image { source, .. } | PartBody::Document { source, .. } | PartBody::Audio { source } => {
                    media.push(source);
                }
                _ => {
                    let param = format!("messages[{index}].content");
                    self.notes.unsupported(self.target, param, "The model's API has no such part of a result.")?;
                }
            }
        }
        // Models that have ids of calls take media within a result; before them it stands beside it.
        let within = self.target.traits.call_ids;
        if within && !media.is_empty() {
            self.json.name("parts").open_array();
            for source in &media {
                write_media(&mut self.json, source, self.notes, self.target, index)?;
            }
            self.json.close_array();
        }
        self.json.close_object().close_object();
        if !within && !media.is_empty() {
            self.met.media_beside_result = true;
            for source in &media {
                write_media(&mut self.json, source, self.notes, self.target, index)?;
            }
        }
        Ok(())
    }

    /// Writes the object that a result is.
    fn response(&mut self, object: Option<&Raw<'_>>, content: &[Part<'_>], is_error: bool) {
        if let Some(object) = object {
            if is_error && Value::root(&object.0).get("error").is_none() {
                self.json.open_object().name("error").raw(object).close_object();
            } else {
                self.json.raw(object);
            }
            return;
        }
        let mut texts = content.iter().filter_map(|part| match &part.body {
            PartBody::Text(text) | PartBody::Refusal(text) => Some(text),
            _ => None,
        });
        let (first, second) = (texts.next(), texts.next());
        let joined = match (first, second) {
            (None, _) => Text::default(),
            (Some(only), None) => only.by_ref(),
            (Some(first), Some(second)) => {
                let all: Vec<_> = [first, second].into_iter().chain(texts).map(Text::decoded).collect();
                Text::plain(all.join("\n"))
            }
        };
        let object = object_in(&joined);
        match (&object, is_error) {
            (Some(object), false) => drop(self.json.raw(object)),
            (Some(object), true) => drop(self.json.open_object().name("error").raw(object).close_object()),
            (None, false) => drop(self.json.open_object().name("result").text(&joined).close_object()),
            (None, true) => drop(self.json.open_object().name("error").text(&joined).close_object()),
        }
    }

    fn media(&mut self, turn: Turn, source: &Source<'_>, index: usize) -> Result<(), Unsupported> {
        self.turn(turn);
        write_media(&mut self.json, source, self.notes, self.target, index)
    }
}

/// The object that a text is, if it is one.
fn object_in(text: &Text<'_>) -> Option<Raw<'static>> {
    static NONE: Members = Members::last_wins(&[]);
    let said = match text {
        Text::Escaped(escaped) if !escaped.trim_ascii_start().starts_with(b"{") => return None,
        text => text.decoded(),
    };
    let said = said.trim_ascii();
    scan::scan(&NONE, said.as_bytes()).ok()?;
    Some(Raw(Cow::Owned(compact::compacted(said.as_bytes()).into_owned())))
}

/// Writes a part with media. Nothing is fetched: Google fetches addresses itself.
fn write_media(
    json: &mut Writer<'_>,
    source: &Source<'_>,
    notes: &mut Notes,
    target: &Target<'_>,
    index: usize,
) -> Result<(), Unsupported> {
    match source {
        Source::Inline { media_type, base64 } => {
            json.open_object().name("inlineData").open_object();
            json.name("mimeType").text(media_type).name("data").text(base64).close_object().close_object();
        }
        Source::Plain(text) => drop(json.open_object().name("text").text(text).close_object()),
        Source::Url(address) => write_file(json, address),
        Source::File(id) => {
            let said = id.decoded();
            let is_google_s = ["https://", "gs://", "files/"].iter().any(|start| said.starts_with(start));
            if !is_google_s {
                let param = format!("messages[{index}].content");
                return notes.unsupported(target, param, "Files of another provider cannot be read by this one.");
            }
            write_file(json, id);
        }
    }
    Ok(())
}

fn write_file(json: &mut Writer<'_>, address: &Text<'_>) {
    json.open_object().name("fileData").open_object();
    if let Some(media_type) = media_type_of(&address.decoded()) {
        json.name("mimeType").string(media_type);
    }
    json.name("fileUri").text(address).close_object().close_object();
}

/// What an address ends like. The API can do without, but not on all hosts.
fn media_type_of(address: &str) -> Option<&'static str> {
    let path = address.split(['?', '#']).next()?;
    let (_, extension) = path.rsplit_once('.')?;
    let known = MEDIA_TYPES.iter().find(|(known, _)| extension.eq_ignore_ascii_case(known));
    known.map(|(_, media_type)| *media_type)
}

/// Media that Gemini's models take, by the ends of file names.
const MEDIA_TYPES: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("json", "application/json"),
    ("wav", "audio/wav"),
    ("mp3", "audio/mp3"),
    ("flac", "audio/flac"),
    ("ogg", "audio/ogg"),
    ("aac", "audio/aac"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
    ("mov", "video/mov"),
];
