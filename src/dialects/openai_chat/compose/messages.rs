//! The conversation: a message for each turn, and one for each result of a tool, right after the turn that called it.
//!
//! A call without an id, as some dialects have it, gets one from its place in the conversation, and its result the same: results are
//! told apart by the tool's name, and by their order.

use super::{Composer, Once};
use crate::dialects::canonical::{
    Message, Origin, Part, PartBody, Role, Signature, ToolCall, ToolInput, ToolResult, Unsupported,
};
use crate::dialects::openai_chat::signatures;
use crate::dialects::openai_chat::variant::{CacheWay, CallIds, ThoughtsBack};
use crate::json::piece::Text;
use crate::json::write::Writer;
use std::collections::{HashMap, VecDeque};

/// Longest id of a call that OpenAI takes, in characters.
const CALL_ID_CHARS_MAX: usize = 40;

/// Calls that had no id, and wait for their results.
#[derive(Default)]
pub(crate) struct Unnamed {
    count: usize,
    /// Numbers of calls by the name of their tool.
    waiting: HashMap<String, VecDeque<usize>>,
    /// The last message is a tool's result.
    is_answered: bool,
}

impl Composer<'_> {
    pub(super) fn messages(
        &mut self,
        system: &[Part<'_>],
        messages: &[Message<'_>],
        instruction: Option<&Text<'_>>,
        json: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        json.name("messages").open_array();
        let instruction = instruction.map(|text| Part::from(PartBody::Text(text.by_ref())));
        let system: Vec<_> = system.iter().chain(&instruction).collect();
        if !system.is_empty() {
            self.message("system", &system, None, json)?;
        }
        let mut unnamed = Unnamed::default();
        for message in messages {
            let Message { role, parts, name } = message;
            unnamed.is_answered &= *role == Role::User;
            match role {
                Role::System => self.message("system", &parts.iter().collect::<Vec<_>>(), name.as_ref(), json)?,
                Role::User => self.user(parts, name.as_ref(), &mut unnamed, json)?,
                Role::Assistant => {
                    let is_last = std::ptr::eq(message, &messages[messages.len() - 1]);
                    self.assistant(parts, name.as_ref(), is_last, &mut unnamed, json)?;
                }
            }
        }
        json.close_array();
        Ok(())
    }

    fn message(
        &mut self,
        role: &str,
        parts: &[&Part<'_>],
        name: Option<&Text<'_>>,
        json: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        json.open_object().name("role").string(role);
        self.participant(name, json);
        self.content(parts, None, json.name("content"))?;
        json.close_object();
        Ok(())
    }

    fn participant(&mut self, name: Option<&Text<'_>>, json: &mut Writer<'_>) {
        match name {
            Some(name) if self.variant.names => drop(json.name("name").text(name)),
            Some(_) => self.once(Once::Name),
            None => {}
        }
    }

    /// First what tools answered, whatever the order in the turn: it has to follow the calls at once.
    fn user(
        &mut self,
        parts: &[Part<'_>],
        name: Option<&Text<'_>>,
        unnamed: &mut Unnamed,
        json: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        let mut rest = Vec::new();
        for part in parts {
            if let PartBody::ToolResult(result) = &part.body {
                self.result(result, part, &mut rest, unnamed, json)?;
            }
        }
        rest.extend(parts.iter().filter(|part| !matches!(part.body, PartBody::ToolResult(_))));
        unnamed.is_answered |= parts.iter().any(|part| matches!(part.body, PartBody::ToolResult(_)));
        if !rest.is_empty() || parts.is_empty() {
            if std::mem::take(&mut unnamed.is_answered) && self.variant.needs_answer_to_results {
                json.open_object().name("role").string("assistant").name("content").string(" ").close_object();
                self.once(Once::Answered);
            }
            self.message("user", &rest, name, json)?;
        } else if name.is_some() {
            self.once(Once::Name);
        }
        Ok(())
    }

    fn result<'p>(
        &mut self,
        result: &'p ToolResult<'p>,
        part: &Part<'_>,
        rest: &mut Vec<&'p Part<'p>>,
        unnamed: &mut Unnamed,
        json: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        if !self.variant.tools {
            return self.unsupported("messages", "The model's API takes no results of tools.");
        }
        let ToolResult { call_id, name, content, object, is_error } = result;
        json.open_object().name("role").string("tool").name("tool_call_id");
        match call_id.is_empty() {
            false => self.call_id(call_id, json),
            true => {
                let name = name.as_ref().map(Text::decoded).unwrap_or_default();
                let id = unnamed.answered(&name);
                self.call_id(&Text::plain(id), json);
            }
        }
        json.name("content");
        let is_text = |part: &&Part<'_>| matches!(part.body, PartBody::Text(_));
        match object {
            Some(object) => drop(json.text(&Text::of_raw(&object.0))),
            None => {
                let texts: Vec<_> = content.iter().filter(is_text).collect();
                self.content(&texts, part.cache, json)?;
            }
        }
        json.close_object();
        let media = content.iter().filter(|part| !is_text(part));
        rest.extend(media);
        if !rest.is_empty() {
            self.once(Once::ResultMedia);
        }
        if *is_error {
            self.once(Once::Error);
        }
        Ok(())
    }

    fn assistant(
        &mut self,
        parts: &[Part<'_>],
        name: Option<&Text<'_>>,
        is_last: bool,
        unnamed: &mut Unnamed,
        json: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        let mut has_calls = parts.iter().any(|part| matches!(part.body, PartBody::ToolCall(_)));
        if has_calls && !self.variant.tools {
            self.unsupported("messages", "The model's API takes no calls of tools.")?;
            has_calls = false;
        }
        json.open_object().name("role").string("assistant");
        self.participant(name, json);
        self.said(parts, has_calls, json)?;
        self.thoughts(parts, has_calls, json);
        if has_calls {
            json.name("tool_calls").open_array();
            for part in parts {
                if let PartBody::ToolCall(call) = &part.body {
                    self.call(call, unnamed, json);
                }
            }
            json.close_array();
        }
        if is_last && !has_calls {
            match self.variant.prefix {
                true => drop(json.name("prefix").bool(true)),
                false => self.once(Once::Prefill),
            }
        }
        json.close_object();
        Ok(())
    }

    /// `content` and `refusal`. What an assistant said in several parts is one text.
    fn said(&mut self, parts: &[Part<'_>], has_calls: bool, json: &mut Writer<'_>) -> Result<(), Unsupported> {
        let keeps_cache = self.variant.cache != CacheWay::None;
        let mut has_refusal = false;
        let mut has_cache = false;
        for part in parts {
            has_cache |= part.cache.is_some();
            match &part.body {
                PartBody::Refusal(_) => has_refusal = true,
                PartBody::Text(_) | PartBody::ToolCall(_) | PartBody::Thinking { .. } | PartBody::SealedThinking(_) => {
                }
                PartBody::Other { param, .. } => {
                    self.notes.unsupported(self.target, param.clone(), "The model's API has no such part.")?;
                }
                PartBody::Image { .. }
                | PartBody::Document { .. }
                | PartBody::Audio { .. }
                | PartBody::ToolResult(_) => {
                    self.unsupported(
                        "messages",
                        "An assistant's turn has a part that the model's API cannot have there.",
                    )?;
                }
            }
        }
        let is_text = |part: &Part<'_>| {
            matches!(part.body, PartBody::Text(_))
                || !self.variant.refusals && matches!(part.body, PartBody::Refusal(_))
        };
        let texts: Vec<_> = parts.iter().filter(|part| is_text(part)).collect();
        json.name("content");
        if has_cache && keeps_cache && texts.iter().any(|part| part.cache.is_some()) {
            self.content(&texts, None, json)?;
        } else if !texts.is_empty() || !(has_calls || has_refusal && self.variant.refusals) {
            if has_cache {
                self.once(Once::Cache);
            }
            write_joined(&texts, json);
        } else {
            json.null();
        }
        if has_refusal && self.variant.refusals {
            let refusals: Vec<_> = parts.iter().filter(|part| matches!(part.body, PartBody::Refusal(_))).collect();
            write_joined(&refusals, json.name("refusal"));
        }
        Ok(())
    }

    fn thoughts(&mut self, parts: &[Part<'_>], has_calls: bool, json: &mut Writer<'_>) {
        let thoughts = || {
            parts.iter().filter_map(|part| match &part.body {
                PartBody::Thinking { text, signature } => Some((Some(text), signature.as_ref())),
                PartBody::SealedThinking(signature) => Some((None, Some(signature))),
                _ => None,
            })
        };
        let shows = thoughts().any(|(text, _)| text.is_some_and(|text| !text.is_empty()));
        let is_signed = thoughts().any(|(_, signature)| signature.is_some());
        let (says, fallback, signs) = match self.variant.thoughts {
            ThoughtsBack::Never => (false, None, false),
            ThoughtsBack::Content => (shows, None, false),
            ThoughtsBack::WithCalls(fallback) => (shows && has_calls, has_calls.then_some(fallback), false),
            ThoughtsBack::Blocks => (shows, None, is_signed),
        };
        if shows && !says {
            self.once(Once::Thoughts);
        }
        if is_signed && !signs {
            self.once(Once::Signature);
        }
        if says {
            json.name("reasoning_content").string("");
            json.out.pop();
            thoughts().filter_map(|(text, _)| text).for_each(|text| text.append_escaped(json.out));
            json.out.push(b'"');
        } else if let Some(fallback) = fallback {
            json.name("reasoning_content").string(fallback);
        }
        if signs {
            json.name("thinking_blocks").open_array();
            for (text, signature) in thoughts() {
                write_block(text, signature, json);
            }
            json.close_array();
        }
    }

    fn call(&mut self, call: &ToolCall<'_>, unnamed: &mut Unnamed, json: &mut Writer<'_>) {
        let ToolCall { id, name, input, signature } = call;
        json.open_object().name("id");
        match id.is_empty() {
            false => self.call_id(id, json),
            true => {
                let id = unnamed.called(&name.decoded());
                self.call_id(&Text::plain(id), json);
            }
        }
        let (kind, member) = match input {
            ToolInput::Text(_) if self.variant.custom_tools => ("custom", "input"),
            _ => ("function", "arguments"),
        };
        json.name("type").string(kind).name(kind).open_object();
        self.name(name, json.name("name"));
        json.name(member);
        match input {
            ToolInput::Object(object) => json.text(&Text::of_raw(&object.0)),
            ToolInput::Text(text) | ToolInput::Malformed(text) => json.text(text),
        };
        json.close_object();
        match signature {
            Some(signature) if self.variant.thought_signatures && signature.origin != Origin::Anthropic => {
                json.name("extra_content").open_object().name("google").open_object().name("thought_signature");
                json.text(&signature.value).close_object().close_object();
            }
            Some(_) => self.once(Once::Signature),
            None => {}
        }
        json.close_object();
    }

    /// An id that the upstream takes: the same for a call and its result, and the same every time.
    fn call_id(&self, id: &Text<'_>, json: &mut Writer<'_>) {
        let said = id.decoded();
        match self.variant.call_ids {
            CallIds::Short if said.chars().take(CALL_ID_CHARS_MAX + 1).count() <= CALL_ID_CHARS_MAX => json.text(id),
            CallIds::Short => json.string(&format!("call_{:016x}", fingerprint(&said))),
            CallIds::Nine if said.len() == 9 && said.bytes().all(|byte| byte.is_ascii_alphanumeric()) => json.text(id),
            CallIds::Nine => {
                let mut rest = fingerprint(&said);
                let digits: String = std::iter::repeat_with(|| {
                    let digit = DIGITS[(rest % DIGITS.len() as u64) as usize];
                    rest /= DIGITS.len() as u64;
                    char::from(digit)
                })
                .take(9)
                .collect();
                json.string(&digits)
            }
        };
    }
}

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// FNV-1a. Nobody gains by a collision: it would only confuse the calls of the one who sent it.
pub(crate) fn fingerprint(said: &str) -> u64 {
    said.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

impl Unnamed {
    /// The id of the next call of this tool.
    pub(crate) fn called(&mut self, name: &str) -> String {
        let number = self.next();
        self.waiting.entry(name.to_owned()).or_default().push_back(number);
        format!("call_{number}")
    }

    /// The id of the call that a result of this tool is for, the first that waits. One that answers nothing gets an id of its own.
    pub(crate) fn answered(&mut self, name: &str) -> String {
        let waiting = self.waiting.get_mut(name).and_then(VecDeque::pop_front);
        format!("call_{}", waiting.unwrap_or_else(|| self.next()))
    }

    fn next(&mut self) -> usize {
        self.count += 1;
        self.count - 1
    }
}

fn write_joined(parts: &[&Part<'_>], json: &mut Writer<'_>) {
    json.string("");
    json.out.pop();
    for part in parts {
        if let PartBody::Text(text) | PartBody::Refusal(text) = &part.body {
            text.append_escaped(json.out);
        }
    }
    json.out.push(b'"');
}

fn write_block(text: Option<&Text<'_>>, signature: Option<&Signature<'_>>, json: &mut Writer<'_>) {
    json.open_object().name("type");
    match text {
        Some(text) => drop(json.string("thinking").name("thinking").text(text)),
        None => drop(json.string("redacted_thinking")),
    }
    if let Some(signature) = signature {
        json.name(if text.is_some() { "signature" } else { "data" });
        signatures::write(json, signature, Origin::Unknown);
    }
    json.close_object();
}
