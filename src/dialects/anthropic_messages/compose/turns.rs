//! The conversation: turns of user and assistant in alternation, and what is in them.
//!
//! Calls and results find each other by their ids. Ids of characters that the API does not take are rewritten, each always in the
//! same way; calls without an id get one from their place, and results without one are taken for the next call of that name.
//!
//! Thoughts go back to Anthropic only with Anthropic's signature, or one of which the client did not say whose it is. All others
//! are left out, noted: they are refused otherwise.

use super::{
    Composer, is_blank,
    tools::{fits, is_own_block},
};
use crate::dialects::canonical::{
    CacheHint, Message, Origin, Part, PartBody, Role, Signature, Source, ToolCall, ToolInput, ToolResult, Unsupported,
};
use crate::json::piece::Text;
use std::borrow::Cow;

/// What the user says where the API wants a user's turn and there is none.
const FILLER: &str = "Continue.";

/// A call of the assistant's last turn: its id as the client has it, its name there, and its id as it was written.
struct Call<'m> {
    id: &'m Text<'m>,
    name: &'m Text<'m>,
    written: Text<'m>,
}

impl Composer<'_> {
    pub fn messages(&mut self, messages: &[Message<'_>]) -> Result<(), Unsupported> {
        self.json.json(br#""messages":["#);
        let empty = self.json.out.len();
        if messages.iter().any(|message| message.role == Role::System) {
            self.notes.adapted("messages", "A system message within the conversation is sent as a user's text.");
        }
        if messages.iter().any(|message| message.name.is_some()) {
            self.notes.hint("messages[].name");
        }
        let mut calls = Vec::new();
        let mut rest = messages;
        while let Some(first) = rest.first() {
            let by_model = first.role == Role::Assistant;
            let length = rest.iter().take_while(|message| (message.role == Role::Assistant) == by_model).count();
            let place = messages.len() - rest.len();
            let (turn, after) = rest.split_at(length);
            rest = after;
            if by_model {
                if self.json.out.len() == empty {
                    self.filler();
                }
                self.assistant(turn, place, &mut calls)?;
            } else {
                self.user(turn, &calls)?;
            }
        }
        if self.json.out.len() == empty {
            self.filler();
        }
        self.json.close_array();
        Ok(())
    }

    fn filler(&mut self) {
        self.notes.adapted("messages", "Anthropic's conversations begin with the user: a short turn was put there.");
        self.json.open_object().name("role").string("user").name("content").string(FILLER).close_object();
    }

    /// Writes one turn, unless it says nothing.
    fn turn<'m>(
        &mut self,
        role: &str,
        parts: &mut dyn Iterator<Item = &'m Part<'m>>,
        write: &mut dyn FnMut(&mut Self, &'m Part<'m>) -> Result<(), Unsupported>,
    ) -> Result<(), Unsupported> {
        let begin = self.json.out.len();
        self.json.open_object().name("role").string(role).name("content").open_array();
        let empty = self.json.out.len();
        for part in parts {
            write(self, part)?;
        }
        if self.json.out.len() == empty {
            self.json.out.truncate(begin);
        } else {
            self.json.close_array().close_object();
        }
        Ok(())
    }

    /// A turn that is one text is written as that.
    /// `begins` is what stands before the text.
    fn one_text(&mut self, begins: &[u8], turn: &[Message<'_>]) -> bool {
        if let [Message { parts, .. }] = turn
            && let [Part { body: PartBody::Text(text), cache: None }] = &parts[..]
            && !is_blank(text)
        {
            self.json.json(begins).text(text).close_object();
            return true;
        }
        false
    }

    fn assistant<'m>(
        &mut self,
        turn: &'m [Message<'m>],
        place: usize,
        calls: &mut Vec<Call<'m>>,
    ) -> Result<(), Unsupported> {
        calls.clear();
        if self.one_text(br#"{"role":"assistant","content":"#, turn) {
            return Ok(());
        }
        let mut parts = turn.iter().flat_map(|message| &message.parts);
        self.turn("assistant", &mut parts, &mut |composer, part| match &part.body {
            PartBody::Refusal(text) => {
                composer.said(text, part.cache);
                Ok(())
            }
            PartBody::Thinking { text, signature } => {
                match signature {
                    Some(signature) if is_ours(signature) => {
                        let json = composer.json.open_object().name("type").string("thinking");
                        json.name("thinking").text(text).name("signature").text(&signature.value).close_object();
                    }
                    _ => composer.foreign_thoughts(),
                }
                Ok(())
            }
            PartBody::SealedThinking(signature) => {
                if is_ours(signature) {
                    let json = composer.json.open_object().name("type").string("redacted_thinking");
                    json.name("data").text(&signature.value).close_object();
                } else {
                    composer.foreign_thoughts();
                }
                Ok(())
            }
            PartBody::ToolCall(call) => {
                let written = match call.id.is_empty() {
                    true => Text::plain(format!("call_{place}_{}", calls.len())),
                    false => fitting_id(&call.id),
                };
                composer.tool_use(call, &written, part.cache);
                calls.push(Call { id: &call.id, name: &call.name, written });
                Ok(())
            }
            PartBody::Image { .. } | PartBody::Document { .. } => {
                composer.unsupported("messages", "Anthropic's assistant turns take no images and documents.")
            }
            _ => composer.any_part(part),
        })
    }

    fn tool_use(&mut self, call: &ToolCall<'_>, id: &Text<'_>, cache: Option<CacheHint>) {
        let ToolCall { id: _, name, input, signature } = call;
        if signature.is_some() {
            self.dropped_once("messages[].tool_calls[].signature", "Another provider's signature of a call.");
        }
        self.json.open_object().name("type").string("tool_use").name("id").text(id);
        self.json.name("name").text(&self.names.upstream(name)).name("input");
        match input {
            ToolInput::Object(object) => self.json.raw(object),
            ToolInput::Text(text) | ToolInput::Malformed(text) => {
                self.json.open_object().name("input").text(text).close_object()
            }
        };
        self.cache_control(cache);
        self.json.close_object();
    }

    fn foreign_thoughts(&mut self) {
        self.dropped_once("messages[].reasoning_content", "Anthropic takes thoughts back only with its own signature.");
    }

    fn user<'m>(&mut self, turn: &'m [Message<'m>], calls: &[Call<'m>]) -> Result<(), Unsupported> {
        if self.one_text(br#"{"role":"user","content":"#, turn) {
            return Ok(());
        }
        let parts = || turn.iter().flat_map(|message| &message.parts);
        let is_result = |part: &&Part<'_>| matches!(part.body, PartBody::ToolResult(_));
        let mut results: Vec<(usize, &Part<'_>)> = Vec::new();
        for part in parts() {
            let PartBody::ToolResult(result) = &part.body else { continue };
            let is_free = |place: &usize| !results.iter().any(|(taken, _)| taken == place);
            let is_its = |call: &Call<'_>| match result.call_id.is_empty() {
                false => call.id == &result.call_id || call.id.decoded() == result.call_id.decoded(),
                true => result.name.as_ref().is_none_or(|name| name.decoded() == call.name.decoded()),
            };
            let place = (0..calls.len()).filter(is_free).find(|place| is_its(&calls[*place]));
            results.push((place.unwrap_or(usize::MAX), part));
        }
        results.sort_by_key(|(place, _)| *place);
        let mut in_order = results.iter().map(|(_, part)| *part).chain(parts().filter(|part| !is_result(part)));
        let mut places = results.iter().map(|(place, _)| *place);
        self.turn("user", &mut in_order, &mut |composer, part| match &part.body {
            PartBody::ToolResult(result) => {
                let id = match places.next().and_then(|place| calls.get(place)) {
                    Some(call) => call.written.by_ref(),
                    None => fitting_id(&result.call_id),
                };
                composer.tool_result(result, &id, part.cache)
            }
            _ => composer.any_part(part),
        })
    }

    fn tool_result(
        &mut self,
        result: &ToolResult<'_>,
        id: &Text<'_>,
        cache: Option<CacheHint>,
    ) -> Result<(), Unsupported> {
        let ToolResult { call_id: _, name: _, content, object, is_error } = result;
        self.json.open_object().name("type").string("tool_result").name("tool_use_id").text(id);
        match (object, &content[..]) {
            (Some(object), _) => {
                self.json.name("content").text(&Text::of_raw(&object.0));
            }
            (None, [Part { body: PartBody::Text(text), cache: None }]) => {
                self.json.name("content").text(text);
            }
            (None, content) => {
                let begin = self.json.out.len();
                self.json.name("content").open_array();
                let empty = self.json.out.len();
                for part in content {
                    self.any_part(part)?;
                }
                if self.json.out.len() == empty {
                    self.json.out.truncate(begin);
                } else {
                    self.json.close_array();
                }
            }
        }
        if *is_error {
            self.json.name("is_error").bool(true);
        }
        self.cache_control(cache);
        self.json.close_object();
        Ok(())
    }

    fn said(&mut self, text: &Text<'_>, cache: Option<CacheHint>) {
        if !is_blank(text) {
            self.text_block(text, cache);
        }
    }

    /// What may stand in the turns of both, and in results.
    fn any_part(&mut self, part: &Part<'_>) -> Result<(), Unsupported> {
        match &part.body {
            PartBody::Text(text) => self.said(text, part.cache),
            PartBody::Image { source, detail } => {
                if detail.as_ref().is_some_and(|detail| !detail.says("auto")) {
                    self.dropped_once("messages[].content[].image_url.detail", "The upstream has no such hint.");
                }
                return self.image(source, part.cache);
            }
            PartBody::Document { source, name } => return self.document(source, name.as_ref(), part.cache),
            PartBody::Audio { .. } => return self.unsupported("messages", "Anthropic's API takes no sound."),
            PartBody::Other { raw, .. } if is_own_block(raw) => {
                self.json.raw(raw);
            }
            PartBody::Other { param, .. } => {
                return self.unsupported(param.clone(), "Anthropic's API has no content of this type.");
            }
            PartBody::Thinking { .. } | PartBody::SealedThinking(_) => self.foreign_thoughts(),
            PartBody::ToolCall(_) | PartBody::ToolResult(_) | PartBody::Refusal(_) => {
                return self.unsupported("messages", "Anthropic's API does not take it in a turn of this role.");
            }
        }
        Ok(())
    }

    fn image(&mut self, source: &Source<'_>, cache: Option<CacheHint>) -> Result<(), Unsupported> {
        let media_type = match source {
            Source::Inline { media_type, .. } => {
                let known = ["image/jpeg", "image/png", "image/gif", "image/webp"];
                let known = known.into_iter().find(|known| media_type.says(known));
                match known.or_else(|| media_type.says("image/jpg").then_some("image/jpeg")) {
                    Some(known) => known,
                    None => return self.unsupported("messages", "Anthropic takes JPEG, PNG, GIF and WebP images."),
                }
            }
            Source::Plain(_) => return self.unsupported("messages", "An image is no text."),
            Source::Url(_) | Source::File(_) => "",
        };
        if !self.is_file_here(source)? {
            return Ok(());
        }
        self.json.open_object().name("type").string("image");
        self.source(source, media_type);
        self.cache_control(cache);
        self.json.close_object();
        Ok(())
    }

    fn document(
        &mut self,
        source: &Source<'_>,
        name: Option<&Text<'_>>,
        cache: Option<CacheHint>,
    ) -> Result<(), Unsupported> {
        if matches!(source, Source::Inline { media_type, .. } if !media_type.says("application/pdf")) {
            return self.unsupported("messages", "Anthropic takes documents as PDF or as plain text.");
        }
        if !self.is_file_here(source)? {
            return Ok(());
        }
        self.json.open_object().name("type").string("document");
        self.source(source, "application/pdf");
        if let Some(name) = name {
            self.json.name("title").text(name);
        }
        self.cache_control(cache);
        self.json.close_object();
        Ok(())
    }

    /// Files of other providers are not to be had here.
    fn is_file_here(&mut self, source: &Source<'_>) -> Result<bool, Unsupported> {
        let is_elsewhere = matches!(source, Source::File(id) if !id.decoded().starts_with("file_"));
        if is_elsewhere {
            self.unsupported("messages", "The file lives at another provider.")?;
        }
        Ok(!is_elsewhere)
    }

    fn source(&mut self, source: &Source<'_>, inline_type: &str) {
        let json = self.json.name("source").open_object().name("type");
        match source {
            Source::Inline { base64, .. } => {
                json.string("base64").name("media_type").string(inline_type).name("data").text(base64)
            }
            Source::Plain(text) => json.string("text").name("media_type").string("text/plain").name("data").text(text),
            Source::Url(url) => json.string("url").name("url").text(url),
            Source::File(id) => json.string("file").name("file_id").text(id),
        };
        json.close_object();
    }
}

/// Is it a thought that may be sent back?
pub fn is_sendable(body: &PartBody<'_>) -> bool {
    match body {
        PartBody::Thinking { signature, .. } => signature.as_ref().is_some_and(is_ours),
        PartBody::SealedThinking(signature) => is_ours(signature),
        _ => false,
    }
}

fn is_ours(signature: &Signature<'_>) -> bool {
    matches!(signature.origin, Origin::Anthropic | Origin::Unknown)
}

/// The id as the API takes it: letters, digits, `_` and `-`. Others become `_`, and a hash tells apart what would be the same.
fn fitting_id<'m>(id: &'m Text<'_>) -> Text<'m> {
    if matches!(id, Text::Escaped(escaped) if is_id(escaped)) {
        return id.by_ref();
    }
    let decoded = id.decoded();
    if is_id(decoded.as_bytes()) {
        return Text::plain(decoded);
    }
    // FNV-1a.
    let hash = decoded
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    let fitting = decoded.chars().map(|c| if c.is_ascii() && fits(&[c as u8]) { c } else { '_' });
    Text::plain(Cow::Owned(format!("{}_{hash:016x}", fitting.take(32).collect::<String>())))
}

fn is_id(id: &[u8]) -> bool {
    !id.is_empty() && id.chunks(64).all(fits)
}
