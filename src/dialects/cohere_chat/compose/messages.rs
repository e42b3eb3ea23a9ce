//! The conversation: a message for each turn, and one for each result of a tool, right after the turn that called it.

use super::Composer;
use crate::dialects::canonical::{Message, Part, PartBody, Role, Source, ToolCall, ToolInput, ToolResult, Unsupported};
use crate::json::piece::Text;

impl Composer<'_> {
    pub fn turns(&mut self, messages: &[Message<'_>]) -> Result<(), Unsupported> {
        // Calls without an id that wait for their results: the tool's name and the id that was made.
        let mut waiting: Vec<(&Text<'_>, String)> = Vec::new();
        for message in messages {
            let Message { role, parts, name } = message;
            if name.is_some() {
                self.hint_once("messages.name");
            }
            match role {
                Role::System => self.turn("system", &parts.iter().collect::<Vec<_>>())?,
                Role::User => self.user(parts, &mut waiting)?,
                Role::Assistant => self.assistant(parts, &mut waiting)?,
            }
        }
        Ok(())
    }

    /// First what tools answered, whatever the order in the turn: it has to follow the calls at once.
    fn user(&mut self, parts: &[Part<'_>], waiting: &mut Vec<(&Text<'_>, String)>) -> Result<(), Unsupported> {
        let mut rest = Vec::new();
        for part in parts {
            if let PartBody::ToolResult(result) = &part.body {
                if part.cache.is_some() {
                    self.hint_once("cache_control");
                }
                self.result(result, &mut rest, waiting);
            }
        }
        rest.extend(parts.iter().filter(|part| !matches!(part.body, PartBody::ToolResult(_))));
        if !rest.is_empty() || parts.is_empty() {
            self.turn("user", &rest)?;
        }
        Ok(())
    }

    fn result<'p>(
        &mut self,
        result: &'p ToolResult<'p>,
        rest: &mut Vec<&'p Part<'p>>,
        waiting: &mut Vec<(&Text<'_>, String)>,
    ) {
        let ToolResult { call_id, name, content, object, is_error } = result;
        self.json.open_object().name("role").string("tool").name("tool_call_id");
        if call_id.is_empty() {
            let is_its = |tool: &Text<'_>| name.as_ref().is_none_or(|name| name.decoded() == tool.decoded());
            let place = waiting.iter().position(|(tool, _)| is_its(tool));
            let id = place.map(|place| waiting.remove(place).1).unwrap_or_default();
            self.json.string(&id);
        } else {
            self.json.text(call_id);
        }
        self.json.name("content");
        let is_text = |part: &&Part<'_>| matches!(part.body, PartBody::Text(_));
        let mut texts = content.iter().filter(is_text).filter_map(as_text);
        match (object, texts.next(), texts.next()) {
            (Some(object), ..) => drop(self.json.text(&Text::of_raw(&object.0))),
            (None, None, _) => drop(self.json.string("")),
            (None, Some(text), None) => drop(self.json.text(text)),
            (None, ..) => {
                self.json.open_array();
                for text in content.iter().filter(is_text).filter_map(as_text) {
                    self.text_part(text);
                }
                self.json.close_array();
            }
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
    }

    /// Writes a turn of the system or the user.
    pub fn turn(&mut self, role: &str, parts: &[&Part<'_>]) -> Result<(), Unsupported> {
        self.json.open_object().name("role").string(role).name("content");
        if let [part] = parts
            && let Some(text) = as_text(part)
        {
            self.json.text(text);
            self.note_hints(part);
        } else {
            self.json.open_array();
            for part in parts {
                self.part(part, role == "user")?;
            }
            self.json.close_array();
        }
        self.json.close_object();
        Ok(())
    }

    fn part(&mut self, part: &Part<'_>, of_user: bool) -> Result<(), Unsupported> {
        self.note_hints(part);
        match &part.body {
            PartBody::Text(text) | PartBody::Document { source: Source::Plain(text), .. } => self.text_part(text),
            PartBody::Image { source, detail } if of_user => {
                if !matches!(source, Source::Inline { .. } | Source::Url(_)) {
                    return self.unsupported("messages", "The file lives at another provider.");
                }
                let json = self.json.open_object().name("type").string("image_url").name("image_url").open_object();
                json.name("url");
                match source {
                    Source::Inline { media_type, base64 } => {
                        json.string("data:");
                        json.out.pop();
                        media_type.append_escaped(json.out);
                        json.out.extend_from_slice(b";base64,");
                        base64.append_escaped(json.out);
                        json.out.push(b'"');
                    }
                    Source::Url(url) | Source::Plain(url) | Source::File(url) => drop(json.text(url)),
                }
                if let Some(detail) = detail {
                    json.name("detail").text(detail);
                }
                json.close_object().close_object();
            }
            PartBody::Document { .. } => self.unsupported("messages", "Cohere takes documents as text only.")?,
            PartBody::Audio { .. } => self.unsupported("messages", "Cohere takes no sound.")?,
            PartBody::Other { param, .. } => {
                self.unsupported(param.clone(), "Cohere has no content of this type.")?;
            }
            PartBody::Thinking { .. } | PartBody::SealedThinking(_) => self.left_thoughts(),
            PartBody::Image { .. } | PartBody::ToolCall(_) | PartBody::ToolResult(_) | PartBody::Refusal(_) => {
                self.unsupported("messages", "Cohere does not take it in a turn of this role.")?;
            }
        }
        Ok(())
    }

    fn text_part(&mut self, text: &Text<'_>) {
        self.json.open_object().name("type").string("text").name("text").text(text).close_object();
    }

    fn note_hints(&mut self, part: &Part<'_>) {
        if part.cache.is_some() {
            self.hint_once("cache_control");
        }
        if matches!(&part.body, PartBody::Document { source: Source::Plain(_), name: Some(_) }) {
            self.hint_once("messages.title");
        }
    }

    fn left_thoughts(&mut self) {
        let says = "Earlier thoughts go back only with the calls that they led to.";
        if !self.notes.notes.iter().any(|note| note.says == says) {
            self.notes.dropped("messages.thinking", says);
        }
    }

    /// What the model thought before it called tools is its plan; where it showed no thought, what it said then.
    fn assistant<'p>(
        &mut self,
        parts: &'p [Part<'p>],
        waiting: &mut Vec<(&'p Text<'p>, String)>,
    ) -> Result<(), Unsupported> {
        let has_calls = parts.iter().any(|part| matches!(part.body, PartBody::ToolCall(_)));
        let mut texts = Vec::new();
        let mut thoughts = Vec::new();
        for part in parts {
            self.note_hints(part);
            match &part.body {
                PartBody::Text(text) | PartBody::Refusal(text) => texts.push(text),
                PartBody::Thinking { text, signature } => {
                    if signature.is_some() {
                        self.hint_once("messages.signature");
                    }
                    if !has_calls {
                        self.left_thoughts();
                    } else if !text.is_empty() {
                        thoughts.push(text);
                    }
                }
                PartBody::SealedThinking(_) => self.hint_once("messages.signature"),
                PartBody::ToolCall(_) => {}
                PartBody::Other { param, .. } => {
                    self.unsupported(param.clone(), "Cohere has no content of this type.")?;
                }
                PartBody::Image { .. }
                | PartBody::Document { .. }
                | PartBody::Audio { .. }
                | PartBody::ToolResult(_) => {
                    self.unsupported("messages", "Cohere does not take it in a turn of the assistant.")?;
                }
            }
        }
        self.json.open_object().name("role").string("assistant");
        let plan = if thoughts.is_empty() && has_calls { std::mem::take(&mut texts) } else { thoughts };
        if !plan.is_empty() {
            self.json.name("tool_plan");
            self.joined(&plan);
        }
        if !texts.is_empty() || !has_calls {
            self.json.name("content");
            self.joined(&texts);
        }
        if has_calls {
            self.json.name("tool_calls").open_array();
            for part in parts {
                if let PartBody::ToolCall(call) = &part.body {
                    self.call(call, waiting);
                }
            }
            self.json.close_array();
        }
        self.json.close_object();
        Ok(())
    }

    fn call<'p>(&mut self, call: &'p ToolCall<'p>, waiting: &mut Vec<(&'p Text<'p>, String)>) {
        let ToolCall { id, name, input, signature } = call;
        if signature.is_some() {
            self.hint_once("messages.signature");
        }
        self.json.open_object().name("id");
        if id.is_empty() {
            let made = format!("call_{}", self.unnamed);
            self.unnamed += 1;
            self.json.string(&made);
            waiting.push((name, made));
        } else {
            self.json.text(id);
        }
        self.json.name("type").string("function").name("function").open_object().name("name");
        self.tool_name(name);
        self.json.name("arguments");
        match input {
            ToolInput::Object(object) => drop(self.json.text(&Text::of_raw(&object.0))),
            ToolInput::Text(text) | ToolInput::Malformed(text) => {
                let mut object = Vec::new();
                crate::json::write::Writer::new(&mut object).open_object().name("input").text(text).close_object();
                self.json.text(&Text::of_raw(&object));
            }
        }
        self.json.close_object().close_object();
    }

    /// Writes what a model said in pieces as one string.
    fn joined(&mut self, texts: &[&Text<'_>]) {
        self.json.string("");
        self.json.out.pop();
        texts.iter().for_each(|text| text.append_escaped(self.json.out));
        self.json.out.push(b'"');
    }
}

fn as_text<'p>(part: &'p Part<'_>) -> Option<&'p Text<'p>> {
    match &part.body {
        PartBody::Text(text) | PartBody::Document { source: Source::Plain(text), .. } => Some(text),
        _ => None,
    }
}
