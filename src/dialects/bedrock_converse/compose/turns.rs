//! The conversation: turns of user and assistant in alternation.
//!
//! Calls and results find each other by their ids. Ids that the API does not take are rewritten, each always in the same way; calls
//! without an id get one from their place, and results without one are taken for the next call of that name.
//!
//! Thoughts go back to Anthropic's models only, with Anthropic's signature or one of which the client did not say whose it is. All
//! others are left out, noted.

use super::{Composer, cache::hint_of, is_blank, maker::Maker};
use crate::dialects::canonical::{
    Message, Origin, Part, PartBody, Role, Signature, ToolCall, ToolInput, ToolResult, Unsupported,
};
use crate::dialects::openai_chat::compose::names::is_acceptable;
use crate::json::piece::Text;

/// What the user says where the API wants a user's turn and there is none.
const FILLER: &str = "Continue.";

/// What stands beside a document: "If you include a ContentBlock with a document field in the array, you must also include a
/// ContentBlock with a text field."
const BESIDE_DOCUMENT: &str = "See the document.";

/// A call of the assistant's last turn: its id as the client has it, its name there, and its id as it was written.
struct Call<'m> {
    id: &'m Text<'m>,
    name: &'m Text<'m>,
    written: Text<'m>,
}

impl Composer<'_> {
    pub fn messages(&mut self, messages: &[Message<'_>]) -> Result<(), Unsupported> {
        self.json.name("messages").open_array();
        let empty = self.json.out.len();
        if messages.iter().any(|message| message.role == Role::System) {
            self.notes.adapted("messages", "A system message within the conversation is sent as a user's text.");
        }
        if messages.iter().any(|message| message.name.is_some()) {
            self.notes.hint("messages[].name");
        }
        let mut calls = Vec::new();
        let mut rest = messages;
        // Turns that say nothing are left out, and what they stood between is one turn then.
        let mut last_role = None;
        while let Some(first) = rest.first() {
            let by_model = first.role == Role::Assistant;
            let length = rest.iter().take_while(|message| (message.role == Role::Assistant) == by_model).count();
            let place = messages.len() - rest.len();
            let (turn, after) = rest.split_at(length);
            rest = after;
            if by_model && self.json.out.len() == empty {
                self.filler();
            }
            let role = if by_model { "assistant" } else { "user" };
            let begin = self.json.out.len();
            let goes_on = last_role == Some(role);
            if goes_on {
                // Back into the array of blocks that the turn before ended with.
                self.json.out.truncate(begin - "]}".len());
            } else {
                self.json.open_object().name("role").string(role).name("content").open_array();
            }
            let nothing = self.json.out.len();
            match by_model {
                true => self.assistant(turn, place, &mut calls)?,
                false => self.user(turn, &calls)?,
            }
            if self.json.out.len() == nothing && !goes_on {
                self.json.out.truncate(begin);
            } else {
                self.json.close_array().close_object();
                last_role = Some(role);
            }
        }
        if self.json.out.len() == empty {
            self.filler();
        }
        self.json.close_array();
        Ok(())
    }

    fn filler(&mut self) {
        self.notes.adapted("messages", "Converse begins with the user: a short turn was put there.");
        self.json.open_object().name("role").string("user").name("content").open_array();
        self.text_block(&Text::plain(FILLER));
        self.json.close_array().close_object();
    }

    pub fn text_block(&mut self, text: &Text<'_>) {
        self.json.open_object().name("text").text(text).close_object();
    }

    /// Writes the point behind a part, if there is one.
    pub fn cache_point(&mut self, part: &Part<'_>) {
        self.points.behind(hint_of(part), &mut self.json, self.notes);
    }

    fn assistant<'m>(
        &mut self,
        turn: &'m [Message<'m>],
        place: usize,
        calls: &mut Vec<Call<'m>>,
    ) -> Result<(), Unsupported> {
        calls.clear();
        for part in turn.iter().flat_map(|message| &message.parts) {
            let before = self.json.out.len();
            match &part.body {
                PartBody::Text(text) | PartBody::Refusal(text) => {
                    if !is_blank(text) {
                        self.text_block(text);
                    }
                }
                PartBody::Thinking { text, signature } => match signature {
                    Some(signature) if self.is_its_own(signature) => {
                        let json = self.json.open_object().name("reasoningContent").open_object();
                        let json = json.name("reasoningText").open_object().name("text").text(text);
                        json.name("signature").text(&signature.value).close_object().close_object().close_object();
                    }
                    _ => self.foreign_thoughts(),
                },
                PartBody::SealedThinking(signature) => {
                    if self.is_its_own(signature) && is_base64(&signature.value) {
                        let json = self.json.open_object().name("reasoningContent").open_object();
                        json.name("redactedContent").text(&signature.value).close_object().close_object();
                    } else {
                        self.foreign_thoughts();
                    }
                }
                PartBody::ToolCall(call) => {
                    let written = match call.id.is_empty() {
                        true => Text::plain(format!("call_{place}_{}", calls.len())),
                        false => fitting_id(&call.id),
                    };
                    self.tool_use(call, &written);
                    calls.push(Call { id: &call.id, name: &call.name, written });
                }
                PartBody::Other { param, .. } => {
                    self.unsupported(param.clone(), "Converse has no content of this type.")?;
                }
                PartBody::Image { .. }
                | PartBody::Document { .. }
                | PartBody::Audio { .. }
                | PartBody::ToolResult(_) => {
                    self.unsupported("messages", "Converse does not take it in a turn of the assistant.")?;
                }
            }
            if self.json.out.len() > before {
                self.cache_point(part);
            }
        }
        Ok(())
    }

    fn is_its_own(&self, signature: &Signature<'_>) -> bool {
        self.maker == Maker::Anthropic && matches!(signature.origin, Origin::Anthropic | Origin::Unknown)
    }

    fn foreign_thoughts(&mut self) {
        self.dropped_once("messages[].reasoning_content", "Thoughts go back only to the maker that signed them.");
    }

    fn tool_use(&mut self, call: &ToolCall<'_>, id: &Text<'_>) {
        let ToolCall { id: _, name, input, signature } = call;
        if signature.is_some() {
            self.dropped_once("messages[].tool_calls[].signature", "Another provider's signature of a call.");
        }
        self.json.open_object().name("toolUse").open_object().name("toolUseId").text(id).name("name");
        self.tool_name(name);
        self.json.name("input");
        match input {
            ToolInput::Object(object) => self.json.raw(object),
            ToolInput::Text(text) | ToolInput::Malformed(text) => {
                self.json.open_object().name("input").text(text).close_object()
            }
        };
        self.json.close_object().close_object();
    }

    fn user<'m>(&mut self, turn: &'m [Message<'m>], calls: &[Call<'m>]) -> Result<(), Unsupported> {
        let parts = || turn.iter().flat_map(|message| &message.parts);
        let mut results: Vec<(usize, &Part<'_>, &ToolResult<'_>)> = Vec::new();
        for part in parts() {
            let PartBody::ToolResult(result) = &part.body else { continue };
            let is_free = |place: &usize| !results.iter().any(|(taken, ..)| taken == place);
            let is_its = |call: &Call<'_>| match result.call_id.is_empty() {
                false => call.id == &result.call_id || call.id.decoded() == result.call_id.decoded(),
                true => result.name.as_ref().is_none_or(|name| name.decoded() == call.name.decoded()),
            };
            let place = (0..calls.len()).filter(is_free).find(|place| is_its(&calls[*place]));
            results.push((place.unwrap_or(usize::MAX), part, result));
        }
        results.sort_by_key(|(place, ..)| *place);
        for (place, part, result) in results {
            let id = calls.get(place).map_or_else(|| fitting_id(&result.call_id), |call| call.written.by_ref());
            self.tool_result(result, &id)?;
            self.cache_point(part);
        }
        let (mut has_text, mut has_document) = (false, false);
        for part in parts().filter(|part| !matches!(part.body, PartBody::ToolResult(_))) {
            let before = self.json.out.len();
            self.block(part)?;
            if self.json.out.len() > before {
                has_text |= matches!(part.body, PartBody::Text(_));
                has_document |= matches!(part.body, PartBody::Document { .. });
                self.cache_point(part);
            }
        }
        if has_document && !has_text {
            self.notes.adapted("messages", "Converse wants a text beside a document: a short one was put there.");
            self.text_block(&Text::plain(BESIDE_DOCUMENT));
        }
        Ok(())
    }

    fn tool_result(&mut self, result: &ToolResult<'_>, id: &Text<'_>) -> Result<(), Unsupported> {
        let ToolResult { call_id: _, name: _, content, object, is_error } = result;
        self.json.open_object().name("toolResult").open_object().name("toolUseId").text(id);
        self.json.name("content").open_array();
        match object {
            Some(object) => drop(self.json.open_object().name("json").raw(object).close_object()),
            None => content.iter().try_for_each(|part| self.block(part))?,
        }
        self.json.close_array();
        if *is_error {
            match self.maker.knows_errors() {
                true => drop(self.json.name("status").string("error")),
                false => self.adapted_once("messages.is_error", "A tool's error is told by what its result says."),
            }
        }
        self.json.close_object().close_object();
        Ok(())
    }
}

/// The id as the API takes it: 1 to 64 letters, digits, `_` and `-`. Others become `_`, and a hash tells apart what would be the same.
fn fitting_id<'m>(id: &'m Text<'_>) -> Text<'m> {
    if is_acceptable(id) {
        return id.by_ref();
    }
    let decoded = id.decoded();
    // FNV-1a. Nobody gains by a collision: it would only confuse the calls of the one who sent it.
    let hash = decoded
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
    let near = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    Text::plain(format!("{}_{hash:016x}", decoded.chars().map(near).take(32).collect::<String>()))
}

/// Can it be the bytes that `redactedContent` is?
fn is_base64(text: &Text<'_>) -> bool {
    let said = text.decoded();
    let padding = said.bytes().rev().take_while(|byte| *byte == b'=').count();
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    !said.is_empty()
        && said.len().is_multiple_of(4)
        && padding <= 2
        && said.bytes().take(said.len() - padding).all(is_digit)
}
