//! The conversation.
//!
//! System and developer messages before the first turn are the canonical `system`, later ones are turns. Consecutive results of
//! tools are one turn of the user. What an assistant thought comes before what it said: `thinking_blocks` with their signatures, or
//! `reasoning_content` (`reasoning`) alone; where a block has a signature but no text, as streams deliver it, the text is that of
//! `reasoning_content`.

use super::expect::{array, extra, invalid, maybe, needed, object, some, text};
use super::parts::{cache_hint, content};
use super::{Invalid, Message, Path, Request, Value, signatures, tools};
use crate::dialects::canonical::{Origin, Part, PartBody, Role, ToolResult};
use crate::json::piece::Text;
use crate::json::{value, view::Elements, walk};
use std::collections::HashMap;

/// A conversation of which the first messages have been read: all that are a role and a text.
#[derive(Default)]
pub struct Begun<'a> {
    system: Vec<Part<'a>>,
    messages: Vec<Message<'a>>,
    count: usize,
    rest: Elements<'a>,
}

/// Begins to read the array at `at`, and answers where that ends. `None` if it is none.
pub fn begin(text: &[u8], at: usize) -> Option<(Begun<'_>, usize)> {
    let mut begun = Begun { rest: Elements::of_array(text, at)?, ..Begun::default() };
    while let Some((role, said)) = begun.rest.step(plain) {
        take_plain(role, said, &mut begun.system, &mut begun.messages);
        begun.count += 1;
    }
    let end = begun.rest.end();
    Some((begun, end))
}

/// Reads the rest of `messages` and puts all of them into `request`, which has none.
pub fn read<'a>(begun: Begun<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<(), Invalid> {
    let Begun { system, messages, count, rest: mut list } = begun;
    (request.system, request.messages) = (system, messages);
    let mut conversation = Conversation { request, names: HashMap::new(), after_result: false };
    for index in count.. {
        if let Some((role, said)) = list.step(plain) {
            conversation.after_result = false;
            let request = &mut *conversation.request;
            take_plain(role, said, &mut request.system, &mut request.messages);
        } else if let Some(message) = list.next() {
            conversation.message(message, &path.element(index))?;
        } else {
            break;
        }
    }
    Ok(())
}

/// A message that is a role and a text and nothing else, as most are and as SDKs write them; and where it ends.
fn plain(text: &[u8], at: usize) -> Option<((Role, Text<'_>), usize)> {
    let user = || Some((Role::User, walk::after(text, at, br#"{"role":"user","content":"#)?));
    let assistant = || Some((Role::Assistant, walk::after(text, at, br#"{"role":"assistant","content":"#)?));
    let system = || Some((Role::System, walk::after(text, at, br#"{"role":"system","content":"#)?));
    let (role, open) = user().or_else(assistant).or_else(system).filter(|(_, open)| text[*open] == b'"')?;
    let end = walk::string_end(text, open);
    let said = Text::literal(text.get(open..end)?);
    (text.get(end) == Some(&b'}')).then_some(((role, said), end + 1))
}

/// Takes such a message, as [`Conversation::message`] does.
fn take_plain<'a>(role: Role, said: Text<'a>, system: &mut Vec<Part<'a>>, messages: &mut Vec<Message<'a>>) {
    if role == Role::System && messages.is_empty() {
        system.push(PartBody::Text(said).into());
        return;
    }
    let says_nothing = role == Role::Assistant && said.is_empty();
    let parts = if says_nothing { Vec::new() } else { vec![PartBody::Text(said).into()] };
    messages.push(Message { role, parts, name: None });
}

struct Conversation<'a, 'r> {
    request: &'r mut Request<'a>,
    /// Which tool was called, by the call's id.
    names: HashMap<String, Text<'a>>,
    /// The last message was the result of a tool.
    after_result: bool,
}

/// The members of a message. Those that its role has no use for are carried as extras.
#[derive(Default)]
struct Members<'a> {
    role: Option<Value<'a>>,
    content: Option<Value<'a>>,
    name: Option<Value<'a>>,
    refusal: Option<Value<'a>>,
    reasoning_content: Option<Value<'a>>,
    reasoning: Option<Value<'a>>,
    thinking_blocks: Option<Value<'a>>,
    tool_calls: Option<Value<'a>>,
    function_call: Option<Value<'a>>,
    tool_call_id: Option<Value<'a>>,
    audio: Option<Value<'a>>,
    cache_control: Option<Value<'a>>,
}

/// What servers put into messages beside what was said, which clients send back.
const HINTS: &[&[u8]] = &[b"annotations", b"provider_specific_fields", b"reasoning_details", b"images", b"id"];

impl<'a> Conversation<'a, '_> {
    fn message(&mut self, message: Value<'a>, path: &Path<'_>) -> Result<(), Invalid> {
        let mut members = Members::default();
        for (name, value) in object(message, path)?.members() {
            let place = match &*name {
                b"role" => &mut members.role,
                b"content" => &mut members.content,
                b"name" => &mut members.name,
                b"refusal" => &mut members.refusal,
                b"reasoning_content" => &mut members.reasoning_content,
                b"reasoning" => &mut members.reasoning,
                b"thinking_blocks" => &mut members.thinking_blocks,
                b"tool_calls" => &mut members.tool_calls,
                b"function_call" => &mut members.function_call,
                b"tool_call_id" => &mut members.tool_call_id,
                b"audio" => &mut members.audio,
                b"cache_control" => &mut members.cache_control,
                _ => {
                    let is_hint = HINTS.contains(&&*name);
                    self.request.extras.extend(some(value).map(|value| extra(path, &name, value, is_hint)));
                    continue;
                }
            };
            *place = some(value);
        }
        let role = needed(members.role, &path.member("role"))?;
        let after_result = std::mem::take(&mut self.after_result);
        if role.says("user") {
            self.user(&mut members, path)?;
        } else if role.says("assistant") {
            self.assistant(&mut members, path)?;
        } else if role.says("tool") || role.says("function") {
            self.result(&mut members, path, after_result)?;
        } else if role.says("system") || role.says("developer") {
            self.system(&mut members, path)?;
        } else {
            return Err(invalid(&path.member("role"), "developer, system, user, assistant, tool or function"));
        }
        self.carry_unused(&members, path);
        Ok(())
    }

    fn system(&mut self, members: &mut Members<'a>, path: &Path<'_>) -> Result<(), Invalid> {
        let parts = self.parts(members, path)?;
        if !self.request.messages.is_empty() {
            let name = self.name(members, path)?;
            self.request.messages.push(Message { role: Role::System, parts, name });
            return Ok(());
        }
        self.request.system.extend(parts);
        let name = members.name.take().map(|name| extra(path, b"name", name, true));
        self.request.extras.extend(name);
        Ok(())
    }

    fn user(&mut self, members: &mut Members<'a>, path: &Path<'_>) -> Result<(), Invalid> {
        let parts = self.parts(members, path)?;
        let name = self.name(members, path)?;
        self.request.messages.push(Message { role: Role::User, parts, name });
        Ok(())
    }

    fn assistant(&mut self, members: &mut Members<'a>, path: &Path<'_>) -> Result<(), Invalid> {
        let mut parts = Vec::new();
        thoughts(members, path, &mut parts)?;
        let cache = members.cache_control.take().and_then(cache_hint);
        if let Some(said) = members.content.take() {
            // What a turn of calls says is often the empty string, which is nothing.
            if !said.says("") {
                content(said, &path.member("content"), &mut parts, self.request)?;
            }
        }
        if let Some(refusal) = maybe(members.refusal.take(), &path.member("refusal"), text)?
            && !refusal.is_empty()
        {
            parts.push(PartBody::Refusal(refusal).into());
        }
        if let Some(audio) = members.audio.take() {
            parts.push(PartBody::Other { param: path.member("audio").to_string(), raw: audio.raw() }.into());
        }
        if let Some(calls) = members.tool_calls.take() {
            let path = path.member("tool_calls");
            for (index, call) in array(calls, &path)?.elements().enumerate() {
                let call = tools::call(call, &path.element(index), self.request)?;
                if !call.id.is_empty() {
                    self.names.insert(call.id.decoded().into_owned(), call.name.clone());
                }
                parts.push(PartBody::ToolCall(call).into());
            }
        }
        if let Some(call) = members.function_call.take() {
            parts.push(PartBody::ToolCall(tools::function_call(call, &path.member("function_call"))?).into());
        }
        if let Some(last) = parts.last_mut() {
            last.cache = last.cache.or(cache);
        }
        let name = self.name(members, path)?;
        self.request.messages.push(Message { role: Role::Assistant, parts, name });
        Ok(())
    }

    fn result(&mut self, members: &mut Members<'a>, path: &Path<'_>, after_result: bool) -> Result<(), Invalid> {
        let is_tool = members.role.is_some_and(|role| role.says("tool"));
        let call_id = match members.tool_call_id.take() {
            Some(id) => text(id, &path.member("tool_call_id"))?,
            None if is_tool => return Err(super::expect::missing(&path.member("tool_call_id"))),
            None => Text::default(),
        };
        let known = || self.names.get(&*call_id.decoded()).cloned();
        let name = maybe(members.name.take(), &path.member("name"), text)?.or_else(known);
        let cache = members.cache_control.take().and_then(cache_hint);
        let mut parts = Vec::new();
        if let Some(said) = members.content.take()
            && !said.says("")
        {
            content(said, &path.member("content"), &mut parts, self.request)?;
        }
        let result = ToolResult { call_id, name, content: parts, object: None, is_error: false };
        let part = Part { body: PartBody::ToolResult(result), cache };
        match self.request.messages.last_mut() {
            Some(turn) if after_result => turn.parts.push(part),
            _ => self.request.messages.push(Message { role: Role::User, parts: vec![part], name: None }),
        }
        self.after_result = true;
        Ok(())
    }

    /// The content of a system's or a user's message, which has to be there.
    fn parts(&mut self, members: &mut Members<'a>, path: &Path<'_>) -> Result<Vec<Part<'a>>, Invalid> {
        let path = path.member("content");
        let mut parts = Vec::new();
        content(needed(members.content.take(), &path)?, &path, &mut parts, self.request)?;
        if let (Some(hint), Some(last)) = (members.cache_control.take(), parts.last_mut()) {
            last.cache = last.cache.or(cache_hint(hint));
        }
        Ok(parts)
    }

    fn name(&self, members: &mut Members<'a>, path: &Path<'_>) -> Result<Option<Text<'a>>, Invalid> {
        maybe(members.name.take(), &path.member("name"), text)
    }

    fn carry_unused(&mut self, members: &Members<'a>, path: &Path<'_>) {
        let unused = [
            ("refusal", members.refusal),
            ("reasoning_content", members.reasoning_content),
            ("reasoning", members.reasoning),
            ("thinking_blocks", members.thinking_blocks),
            ("tool_calls", members.tool_calls),
            ("function_call", members.function_call),
            ("tool_call_id", members.tool_call_id),
            ("audio", members.audio),
        ];
        for (name, value) in unused {
            // Some clients send all members with every message.
            let value = value.filter(|value| value::is_truthy(value.bytes()));
            self.request.extras.extend(value.map(|value| extra(path, name.as_bytes(), value, false)));
        }
    }
}

/// What the assistant thought.
fn thoughts<'a>(members: &mut Members<'a>, path: &Path<'_>, parts: &mut Vec<Part<'a>>) -> Result<(), Invalid> {
    let content = maybe(members.reasoning_content.take(), &path.member("reasoning_content"), text)?;
    let reasoning = maybe(members.reasoning.take(), &path.member("reasoning"), text)?;
    let mut shown = content.or(reasoning).filter(|shown| !shown.is_empty());
    if let Some(blocks) = members.thinking_blocks.take() {
        let path = path.member("thinking_blocks");
        for (index, block) in array(blocks, &path)?.elements().enumerate() {
            let path = path.element(index);
            let member = |name| maybe(object(block, &path)?.some(name), &path.member(name), text);
            let kind = needed(object(block, &path)?.some("type"), &path.member("type"))?;
            if kind.says("redacted_thinking") {
                let data = member("data")?.ok_or_else(|| super::expect::missing(&path.member("data")))?;
                parts.push(PartBody::SealedThinking(signatures::read(data, Origin::Unknown)).into());
                continue;
            }
            if !kind.says("thinking") {
                return Err(invalid(&path.member("type"), "thinking or redacted_thinking"));
            }
            let signature = member("signature")?.filter(|signature| !signature.is_empty());
            let signature = signature.map(|signature| signatures::read(signature, Origin::Unknown));
            let text = match member("thinking")?.filter(|text| !text.is_empty()) {
                Some(text) => text,
                None => shown.take().unwrap_or_default(),
            };
            parts.push(PartBody::Thinking { text, signature }.into());
        }
        if parts.iter().any(|part| matches!(part.body, PartBody::Thinking { .. })) {
            shown = None;
        }
    }
    if let Some(text) = shown {
        parts.push(PartBody::Thinking { text, signature: None }.into());
    }
    Ok(())
}
