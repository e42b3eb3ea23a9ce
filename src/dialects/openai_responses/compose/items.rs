//! The conversation as items: a turn becomes a message for each run of what it says, and an item for each call, result and thought.
//!
//! A call without an id, as some dialects have it, gets one from its place in the conversation, and its result the same.

use super::{Composer, Once, openai_proof};
use crate::dialects::canonical::{
    CacheHint, Message, Part, PartBody, Role, Source, ToolCall, ToolInput, ToolResult, Unsupported,
};
use crate::dialects::openai_chat::compose::messages::fingerprint;
use crate::dialects::openai_chat::compose::parts::write_data_url;
use crate::dialects::openai_responses::carried;
use crate::json::piece::Text;
use crate::json::write::Writer;

/// Longest id of a call that the API takes, in characters.
const CALL_ID_CHARS_MAX: usize = 64;

impl Composer<'_> {
    pub(super) fn conversation(
        &mut self,
        system: &[Part<'_>],
        instruction: Option<Part<'static>>,
        messages: &[Message<'_>],
        json: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        let system: Vec<_> = system.iter().chain(&instruction).collect();
        let mut is_said = system.is_empty();
        if let [Part { body: PartBody::Text(text), cache: None }] = &*system {
            json.name("instructions").text(text);
            is_said = true;
        }
        json.name("input").open_array();
        if !is_said {
            self.message("system", &system, json)?;
        }
        for message in messages {
            let Message { role, parts, name } = message;
            if name.is_some() {
                self.once(Once::Name);
            }
            match role {
                Role::System => self.message("system", &parts.iter().collect::<Vec<_>>(), json)?,
                Role::User => self.user(parts, json)?,
                Role::Assistant => {
                    self.assistant(parts, json)?;
                    let is_last = std::ptr::eq(message, &messages[messages.len() - 1]);
                    if is_last && !parts.iter().any(|part| matches!(part.body, PartBody::ToolCall(_))) {
                        self.once(Once::Prefill);
                    }
                }
            }
        }
        json.close_array();
        Ok(())
    }

    fn message(&mut self, role: &str, parts: &[&Part<'_>], json: &mut Writer<'_>) -> Result<(), Unsupported> {
        json.open_object().name("type").string("message").name("role").string(role);
        self.content(parts, json.name("content"))?;
        json.close_object();
        Ok(())
    }

    fn user(&mut self, parts: &[Part<'_>], json: &mut Writer<'_>) -> Result<(), Unsupported> {
        let mut said = Vec::new();
        for part in parts {
            let PartBody::ToolResult(result) = &part.body else {
                said.push(part);
                continue;
            };
            if !said.is_empty() {
                self.message("user", &std::mem::take(&mut said), json)?;
            }
            if part.cache.is_some() {
                self.once(Once::Cache);
            }
            self.result(result, json)?;
        }
        if !said.is_empty() || parts.is_empty() {
            self.message("user", &said, json)?;
        }
        Ok(())
    }

    fn result(&mut self, result: &ToolResult<'_>, json: &mut Writer<'_>) -> Result<(), Unsupported> {
        let ToolResult { call_id, name, content, object, is_error } = result;
        let is_custom = !self.custom_calls.is_empty() && self.custom_calls.contains(&*call_id.decoded());
        let kind = if is_custom { "custom_tool_call_output" } else { "function_call_output" };
        json.open_object().name("type").string(kind).name("call_id");
        match call_id.is_empty() {
            false => write_call_id(call_id, json),
            true => {
                let name = name.as_ref().map(Text::decoded).unwrap_or_default();
                json.string(&self.unnamed.answered(&name));
            }
        }
        json.name("output");
        match object {
            Some(object) => drop(json.text(&Text::of_raw(&object.0))),
            None => self.content(&content.iter().collect::<Vec<_>>(), json)?,
        }
        match (is_error, is_custom) {
            (true, false) => drop(json.name("status").string("incomplete")),
            (true, true) => self.once(Once::Error),
            (false, _) => {}
        }
        json.close_object();
        Ok(())
    }

    fn assistant(&mut self, parts: &[Part<'_>], json: &mut Writer<'_>) -> Result<(), Unsupported> {
        let mut at = 0;
        while at < parts.len() {
            let texts = parts[at..].iter().take_while(|part| matches!(part.body, PartBody::Text(_))).count();
            let run = &parts[at..at + texts.max(1)];
            at += run.len();
            if run.iter().any(|part| part.cache.is_some()) {
                // Breakpoints are for what is put in.
                self.once(Once::Cache);
            }
            let part = &run[0];
            match &part.body {
                PartBody::Text(_) => write_said(run, json),
                PartBody::Refusal(text) => {
                    json.open_object().name("type").string("message").name("role").string("assistant");
                    json.name("content").open_array().open_object().name("type").string("refusal");
                    json.name("refusal").text(text).close_object().close_array().close_object();
                }
                PartBody::Thinking { .. } | PartBody::SealedThinking(_) => self.thoughts(part, json),
                PartBody::ToolCall(call) => self.call(call, json),
                PartBody::Other { param, .. } => {
                    self.notes.unsupported(self.target, param.clone(), "The model's API has no such part.")?;
                }
                PartBody::Image { .. }
                | PartBody::Document { .. }
                | PartBody::Audio { .. }
                | PartBody::ToolResult(_) => {
                    let why = "An assistant's turn has a part that the model's API cannot have there.";
                    self.unsupported("messages", why)?;
                }
            }
        }
        Ok(())
    }

    fn thoughts(&mut self, part: &Part<'_>, json: &mut Writer<'_>) {
        let Some(signature) = openai_proof(part) else {
            self.once(match &part.body {
                PartBody::Thinking { text, .. } if !text.is_empty() => Once::Thoughts,
                _ => Once::Signature,
            });
            return;
        };
        let (id, value) = carried::id_and_value(&signature.value);
        json.open_object().name("type").string("reasoning");
        if let Some(id) = id {
            json.name("id").text(&Text::Escaped(id.into()));
        }
        json.name("summary").open_array();
        if let PartBody::Thinking { text, .. } = &part.body
            && !text.is_empty()
        {
            json.open_object().name("type").string("summary_text").name("text").text(text).close_object();
        }
        json.close_array().name("encrypted_content").text(&Text::Escaped(value.into())).close_object();
    }

    fn call(&mut self, call: &ToolCall<'_>, json: &mut Writer<'_>) {
        let ToolCall { id, name, input, signature } = call;
        if signature.is_some() {
            self.once(Once::Signature);
        }
        let (kind, member, input) = match input {
            ToolInput::Object(object) => ("function_call", "arguments", Text::of_raw(&object.0)),
            ToolInput::Text(text) => ("custom_tool_call", "input", text.by_ref()),
            ToolInput::Malformed(text) => ("function_call", "arguments", text.by_ref()),
        };
        json.open_object().name("type").string(kind).name("call_id");
        match id.is_empty() {
            false => write_call_id(id, json),
            true => drop(json.string(&self.unnamed.called(&name.decoded()))),
        }
        self.name(name, json.name("name"));
        json.name(member).text(&input).close_object();
    }

    /// The content of a message that is put in, or of a tool's result: a string where there is one text alone.
    fn content(&mut self, parts: &[&Part<'_>], json: &mut Writer<'_>) -> Result<(), Unsupported> {
        match parts {
            [] => drop(json.string("")),
            [Part { body: PartBody::Text(text), cache: None }] => drop(json.text(text)),
            parts => {
                json.open_array();
                for part in parts {
                    self.part(part, json)?;
                }
                json.close_array();
            }
        }
        Ok(())
    }

    fn part(&mut self, part: &Part<'_>, json: &mut Writer<'_>) -> Result<(), Unsupported> {
        let before = json.out.len();
        json.open_object();
        let is_said = match &part.body {
            PartBody::Text(text) | PartBody::Refusal(text) => {
                json.name("type").string("input_text").name("text").text(text);
                true
            }
            PartBody::Image { source, detail } => self.image(source, detail.as_ref(), json)?,
            PartBody::Document { source, name } => {
                self.document(source, name.as_ref(), json);
                true
            }
            PartBody::Audio { .. } => {
                self.unsupported("messages.audio", "The model's API takes no sound.")?;
                false
            }
            PartBody::Other { param, .. } => {
                self.notes.unsupported(self.target, param.clone(), "The model's API has no such part.")?;
                false
            }
            PartBody::ToolCall(_)
            | PartBody::ToolResult(_)
            | PartBody::Thinking { .. }
            | PartBody::SealedThinking(_) => {
                self.unsupported("messages", "A call, its result or a thought stands in a turn that cannot have it.")?;
                false
            }
        };
        if !is_said {
            json.out.truncate(before);
            return Ok(());
        }
        if let Some(cache) = part.cache {
            json.name("prompt_cache_breakpoint").open_object().name("mode").string("explicit").close_object();
            if cache == CacheHint::Long {
                self.once(Once::CacheTtl);
            }
        }
        json.close_object();
        Ok(())
    }

    fn image(
        &mut self,
        source: &Source<'_>,
        detail: Option<&Text<'_>>,
        json: &mut Writer<'_>,
    ) -> Result<bool, Unsupported> {
        json.name("type").string("input_image");
        match source {
            Source::Inline { media_type, base64 } => write_data_url(media_type, base64, json.name("image_url")),
            Source::Url(url) => drop(json.name("image_url").text(url)),
            Source::File(id) => drop(json.name("file_id").text(id)),
            Source::Plain(_) => {
                self.unsupported("messages.image", "The model takes images as data or from an address.")?;
                return Ok(false);
            }
        }
        json.name("detail");
        match detail {
            Some(detail) if DETAILS.iter().any(|known| detail.says(known)) => drop(json.text(detail)),
            Some(_) => {
                self.once(Once::Detail);
                json.string("auto");
            }
            None => drop(json.string("auto")),
        }
        Ok(true)
    }

    fn document(&mut self, source: &Source<'_>, name: Option<&Text<'_>>, json: &mut Writer<'_>) {
        if let Source::Plain(text) = source {
            self.once(Once::PlainDocument);
            if name.is_some() {
                self.once(Once::Title);
            }
            json.name("type").string("input_text").name("text").text(text);
            return;
        }
        json.name("type").string("input_file");
        match source {
            Source::Inline { media_type, base64 } => {
                json.name("filename");
                // It has to have a name.
                match name {
                    Some(name) => json.text(name),
                    None => json.string("document.pdf"),
                };
                write_data_url(media_type, base64, json.name("file_data"));
                return;
            }
            Source::Url(url) => drop(json.name("file_url").text(url)),
            Source::File(id) => drop(json.name("file_id").text(id)),
            Source::Plain(_) => {}
        }
        if name.is_some() {
            self.once(Once::Title);
        }
    }
}

const DETAILS: &[&str] = &["auto", "low", "high", "original"];

/// What the assistant said: a string where it is one text.
fn write_said(texts: &[Part<'_>], json: &mut Writer<'_>) {
    json.open_object().name("type").string("message").name("role").string("assistant").name("content");
    match texts {
        [Part { body: PartBody::Text(text), .. }] => drop(json.text(text)),
        texts => {
            json.open_array();
            for part in texts {
                if let PartBody::Text(text) = &part.body {
                    json.open_object().name("type").string("output_text").name("text").text(text).close_object();
                }
            }
            json.close_array();
        }
    }
    json.close_object();
}

/// An id that the upstream takes: the same for a call and its result, and the same every time.
fn write_call_id(id: &Text<'_>, json: &mut Writer<'_>) {
    let said = id.decoded();
    match said.chars().take(CALL_ID_CHARS_MAX + 1).count() <= CALL_ID_CHARS_MAX {
        true => json.text(id),
        false => json.string(&format!("call_{:016x}", fingerprint(&said))),
    };
}
