//! The conversation: each turn has one text, its pictures beside it, and what it thought and called.
//!
//! Results find their tool by its name, and their call by its id where it has one.

use super::Composer;
use crate::dialects::canonical::{Message, Part, PartBody, Role, Source, ToolCall, ToolInput, ToolResult, Unsupported};
use crate::json::piece::Text;

/// Between texts of a turn, escaped.
const LINE_END: &str = "\\n";

impl Composer<'_> {
    pub fn turns(&mut self, messages: &[Message<'_>]) -> Result<(), Unsupported> {
        for message in messages {
            let Message { role, parts, name } = message;
            if name.is_some() {
                self.hint_once("messages.name");
            }
            match role {
                Role::System => self.turn("system", &parts.iter().collect::<Vec<_>>())?,
                Role::User => self.user(parts)?,
                Role::Assistant => self.turn("assistant", &parts.iter().collect::<Vec<_>>())?,
            }
        }
        Ok(())
    }

    /// First what tools answered, whatever the order in the turn.
    fn user(&mut self, parts: &[Part<'_>]) -> Result<(), Unsupported> {
        let mut rest = Vec::new();
        for part in parts {
            if let PartBody::ToolResult(result) = &part.body {
                if part.cache.is_some() {
                    self.hint_once("cache_control");
                }
                self.result(result, &mut rest)?;
            }
        }
        rest.extend(parts.iter().filter(|part| !matches!(part.body, PartBody::ToolResult(_))));
        if !rest.is_empty() || parts.is_empty() {
            self.turn("user", &rest)?;
        }
        Ok(())
    }

    fn result<'p>(&mut self, result: &'p ToolResult<'p>, rest: &mut Vec<&'p Part<'p>>) -> Result<(), Unsupported> {
        let ToolResult { call_id, name, content, object, is_error } = result;
        self.json.open_object().name("role").string("tool").name("content");
        let is_text = |part: &&Part<'_>| matches!(part.body, PartBody::Text(_));
        match object {
            Some(object) => drop(self.json.text(&Text::of_raw(&object.0))),
            None => self.joined(&content.iter().filter(is_text).collect::<Vec<_>>(), LINE_END),
        }
        if let Some(name) = name {
            self.json.name("tool_name");
            self.tool_name(name);
        }
        if !call_id.is_empty() {
            self.json.name("tool_call_id").text(call_id);
        }
        self.json.close_object();
        let before = rest.len();
        rest.extend(content.iter().filter(|part| !is_text(part)));
        if rest.len() > before {
            let says = "What is not text in a tool's result follows as the user's.";
            self.adapted_once("messages.tool_result", says);
        }
        if *is_error {
            self.adapted_once("messages.is_error", "A tool's error is told by what its result says.");
        }
        Ok(())
    }

    /// Writes a turn that is no result.
    pub fn turn(&mut self, role: &str, parts: &[&Part<'_>]) -> Result<(), Unsupported> {
        let of_model = role == "assistant";
        self.json.open_object().name("role").string(role).name("content");
        // What a model said in pieces is one text.
        self.joined(parts, if of_model { "" } else { LINE_END });
        let thoughts: Vec<_> = parts.iter().filter_map(|part| as_thought(part)).collect();
        if !thoughts.is_empty() {
            self.json.name("thinking");
            self.text_of(&thoughts, "");
        }
        self.images(parts)?;
        let begin = self.json.out.len();
        self.json.name("tool_calls").open_array();
        let empty = self.json.out.len();
        for part in parts {
            if part.cache.is_some() {
                self.hint_once("cache_control");
            }
            match &part.body {
                PartBody::ToolCall(call) if of_model => self.call(call),
                PartBody::Text(_) | PartBody::Refusal(_) | PartBody::Image { .. } => {}
                PartBody::Document { source: Source::Plain(_), name } => {
                    if name.is_some() {
                        self.hint_once("messages.title");
                    }
                }
                PartBody::Thinking { signature, .. } => {
                    if signature.is_some() {
                        self.hint_once("messages.signature");
                    }
                }
                PartBody::SealedThinking(_) => self.hint_once("messages.signature"),
                PartBody::Document { .. } => self.unsupported("messages", "Ollama takes documents as text only.")?,
                PartBody::Audio { .. } => self.unsupported("messages", "Ollama takes no sound.")?,
                PartBody::Other { param, .. } => {
                    self.unsupported(param.clone(), "Ollama has no content of this type.")?;
                }
                PartBody::ToolCall(_) | PartBody::ToolResult(_) => {
                    self.unsupported("messages", "Ollama does not take it in a turn of this role.")?;
                }
            }
        }
        if self.json.out.len() == empty {
            self.json.out.truncate(begin);
        } else {
            self.json.close_array();
        }
        self.json.close_object();
        Ok(())
    }

    fn call(&mut self, call: &ToolCall<'_>) {
        let ToolCall { id, name, input, signature } = call;
        if signature.is_some() {
            self.hint_once("messages.signature");
        }
        self.json.open_object();
        if !id.is_empty() {
            self.json.name("id").text(id);
        }
        self.json.name("function").open_object().name("name");
        self.tool_name(name);
        self.json.name("arguments");
        match input {
            ToolInput::Object(object) => self.json.raw(object),
            ToolInput::Text(text) | ToolInput::Malformed(text) => {
                self.json.open_object().name("input").text(text).close_object()
            }
        };
        self.json.close_object().close_object();
    }

    fn images(&mut self, parts: &[&Part<'_>]) -> Result<(), Unsupported> {
        let begin = self.json.out.len();
        self.json.name("images").open_array();
        let empty = self.json.out.len();
        for part in parts {
            let PartBody::Image { source, detail } = &part.body else { continue };
            if detail.as_ref().is_some_and(|detail| !detail.says("auto")) {
                self.hint_once("messages.detail");
            }
            match source {
                Source::Inline { base64, .. } => drop(self.json.text(base64)),
                Source::Url(_) => self.unsupported("messages", "Ollama fetches no pictures; send the bytes.")?,
                Source::File(_) => self.unsupported("messages", "The file lives at another provider.")?,
                Source::Plain(_) => self.unsupported("messages", "An image is no text.")?,
            }
        }
        if self.json.out.len() == empty {
            self.json.out.truncate(begin);
        } else {
            self.json.close_array();
        }
        Ok(())
    }

    /// Writes all that parts say as one string.
    fn joined(&mut self, parts: &[&Part<'_>], between: &str) {
        let texts: Vec<_> = parts.iter().filter_map(|part| as_text(part)).collect();
        self.text_of(&texts, between);
    }

    /// `between` is escaped.
    fn text_of(&mut self, texts: &[&Text<'_>], between: &str) {
        self.json.string("");
        self.json.out.pop();
        for (place, text) in texts.iter().enumerate() {
            if place > 0 {
                self.json.out.extend_from_slice(between.as_bytes());
            }
            text.append_escaped(self.json.out);
        }
        self.json.out.push(b'"');
    }
}

fn as_text<'p>(part: &&'p Part<'_>) -> Option<&'p Text<'p>> {
    match &part.body {
        PartBody::Text(text) | PartBody::Refusal(text) => Some(text),
        PartBody::Document { source: Source::Plain(text), .. } => Some(text),
        _ => None,
    }
}

fn as_thought<'p>(part: &&'p Part<'_>) -> Option<&'p Text<'p>> {
    match &part.body {
        PartBody::Thinking { text, .. } if !text.is_empty() => Some(text),
        _ => None,
    }
}
