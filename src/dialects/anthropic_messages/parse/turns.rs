//! The conversation of a request: its turns, and the blocks in them.

use super::super::carried::{self, Carried};
use super::{Parser, boolean, invalid, object, string};
use crate::{
    dialects::{
        canonical::{
            CacheHint, Invalid, Message, Part, PartBody, Role, Signature, Source, ToolCall, ToolInput, ToolResult,
        },
        tool_references,
    },
    json::{
        Kind,
        piece::Text,
        view::{Path, Value},
    },
};

/// What blocks have to know of the turn that they are in.
pub struct Turn<'t, 'a> {
    by_model: bool,
    /// The signature of the call that comes next.
    call_signature: Option<Signature<'a>>,
    /// Calls of the assistant's last turn, for the names of results.
    calls: &'t [(Text<'a>, Text<'a>)],
}

impl<'a> Turn<'_, 'a> {
    pub fn of_user() -> Turn<'static, 'a> {
        Turn { by_model: false, call_signature: None, calls: &[] }
    }
}

impl<'a> Parser<'a> {
    pub fn messages(&mut self, value: Value<'a>, path: &Path<'_>) -> Result<Vec<Message<'a>>, Invalid> {
        if value.kind() != Kind::Array {
            return Err(invalid(*path, "be an array"));
        }
        let mut messages = Vec::new();
        let mut calls: Vec<(Text<'a>, Text<'a>)> = Vec::new();
        for (place, value) in value.elements().enumerate() {
            let path = &path.element(place);
            let (mut role, mut content) = (None, None);
            self.members(value, path, |parser, name, member| {
                match name {
                    b"role" => role = Some(self::role(member, path)?),
                    b"content" => content = Some(member),
                    _ => parser.extra(path, name, member, &["id", "type", "model", "usage"]),
                }
                Ok(())
            })?;
            let role = role.ok_or_else(|| invalid(path.member("role"), ROLES))?;
            let content = content.ok_or_else(|| invalid(path.member("content"), CONTENT))?;
            let by_model = role == Role::Assistant;
            let mut turn = Turn { by_model, call_signature: None, calls: &calls };
            let parts = self.content(content, &path.member("content"), &mut turn)?;
            if by_model {
                let called = parts.iter().filter_map(|part| match &part.body {
                    PartBody::ToolCall(call) => Some((call.id.clone(), call.name.clone())),
                    _ => None,
                });
                calls = called.collect();
            }
            messages.push(Message { role, parts, name: None });
        }
        Ok(messages)
    }

    /// A string, or blocks.
    pub fn content(
        &mut self,
        value: Value<'a>,
        path: &Path<'_>,
        turn: &mut Turn<'_, 'a>,
    ) -> Result<Vec<Part<'a>>, Invalid> {
        if let Some(text) = value.text() {
            return Ok(vec![PartBody::Text(text).into()]);
        }
        if value.kind() != Kind::Array {
            return Err(invalid(*path, CONTENT));
        }
        let mut parts = Vec::new();
        for (place, block) in value.elements().enumerate() {
            self.block(block, &path.element(place), turn, &mut parts)?;
        }
        if let Some(signature) = turn.call_signature.take() {
            // Its call is gone.
            parts.push(PartBody::Thinking { text: Text::default(), signature: Some(signature) }.into());
        }
        Ok(parts)
    }

    fn block(
        &mut self,
        value: Value<'a>,
        path: &Path<'_>,
        turn: &mut Turn<'_, 'a>,
        parts: &mut Vec<Part<'a>>,
    ) -> Result<(), Invalid> {
        object(value, path)?;
        let kind = value.get("type").and_then(Value::text);
        let kind = kind.ok_or_else(|| invalid(path.member("type"), "be the type of a block"))?;
        let known = BLOCKS.iter().find(|(name, _)| kind.says(name));
        let mut block = Block::default();
        let body = match known {
            Some((_, names)) => {
                self.members(value, path, |parser, name, member| {
                    if let Some(slot) = names.iter().position(|known| known.as_bytes() == name) {
                        block.members[slot] = Some(member).filter(|member| !member.is_null());
                    } else if name == b"cache_control" {
                        block.cache = parser.cache_control(member, &path.member("cache_control"))?;
                    } else if name != b"type" {
                        let name = String::from_utf8_lossy(name);
                        let hint: &[&str] = if turn.by_model { &[&name] } else { &[] };
                        parser.extra(path, name.as_bytes(), member, hint);
                    }
                    Ok(())
                })?;
                self.known_block(&kind, &block, value, path, turn)?
            }
            None => {
                self.has_tool_references |= tool_references::is_one(&kind);
                Some(PartBody::Other { param: path.to_string(), raw: value.raw() })
            }
        };
        parts.extend(body.map(|body| Part { body, cache: block.cache }));
        Ok(())
    }

    fn known_block(
        &mut self,
        kind: &Text<'a>,
        block: &Block<'a>,
        value: Value<'a>,
        path: &Path<'_>,
        turn: &mut Turn<'_, 'a>,
    ) -> Result<Option<PartBody<'a>>, Invalid> {
        let text = |slot: usize, name| match block.members[slot] {
            Some(member) => string(member, path.member(name)),
            None => Err(invalid(path.member(name), "be a string")),
        };
        let other = || Ok(Some(PartBody::Other { param: path.to_string(), raw: value.raw() }));
        Ok(Some(if kind.says("text") {
            if let Some(citations) = block.members[1]
                && citations.elements().next().is_some()
            {
                // They say where an earlier answer came from.
                self.extra(path, b"citations", citations, &["citations"]);
            }
            PartBody::Text(text(0, "text")?)
        } else if kind.says("image") {
            match source(block.members[0], &path.member("source"))? {
                Some(source) => PartBody::Image { source, detail: None },
                None => return other(),
            }
        } else if kind.says("document") {
            let Some(source) = source(block.members[0], &path.member("source"))? else { return other() };
            if let Some(citations) = block.members[2]
                && citations.some("enabled").and_then(Value::bool) == Some(true)
            {
                self.extra(path, b"citations", citations, &[]);
            }
            let name = block.members[1].map(|title| string(title, path.member("title"))).transpose()?;
            PartBody::Document { source, name }
        } else if kind.says("tool_use") {
            let input = match block.members[2] {
                Some(input) => object(input, &path.member("input"))?.raw(),
                None => return Err(invalid(path.member("input"), "be an object")),
            };
            PartBody::ToolCall(ToolCall {
                id: text(0, "id")?,
                name: text(1, "name")?,
                input: ToolInput::Object(input),
                signature: turn.call_signature.take(),
            })
        } else if kind.says("tool_result") {
            let call_id = text(0, "tool_use_id")?;
            let content = match block.members[1] {
                Some(content) => self.content(content, &path.member("content"), &mut Turn::of_user())?,
                None => Vec::new(),
            };
            let is_error = block.members[2].map(|is| boolean(is, path.member("is_error"))).transpose()?;
            let call = turn.calls.iter().find(|(id, _)| *id == call_id || id.decoded() == call_id.decoded());
            PartBody::ToolResult(ToolResult {
                call_id,
                name: call.map(|(_, name)| name.clone()),
                content,
                object: None,
                is_error: is_error.unwrap_or_default(),
            })
        } else if kind.says("thinking") {
            let thoughts = text(0, "thinking")?;
            let signature =
                block.members[1].map(|signature| string(signature, path.member("signature"))).transpose()?;
            match carried::read(signature.unwrap_or_default()) {
                Carried::Call(signature) if thoughts.is_empty() => {
                    turn.call_signature = Some(signature);
                    return Ok(None);
                }
                Carried::Call(signature) | Carried::Thoughts(signature) => {
                    PartBody::Thinking { text: thoughts, signature: Some(signature) }
                }
                Carried::None => PartBody::Thinking { text: thoughts, signature: None },
            }
        } else {
            match carried::read(text(0, "data")?) {
                Carried::Thoughts(signature) | Carried::Call(signature) => PartBody::SealedThinking(signature),
                Carried::None => return Ok(None),
            }
        }))
    }
}

/// The blocks that are understood, and their members beside `type` and `cache_control`, by the slots that they are kept in.
const BLOCKS: &[(&str, &[&str])] = &[
    ("text", &["text", "citations"]),
    ("image", &["source"]),
    ("document", &["source", "title", "citations"]),
    ("tool_use", &["id", "name", "input"]),
    ("tool_result", &["tool_use_id", "content", "is_error"]),
    ("thinking", &["thinking", "signature"]),
    ("redacted_thinking", &["data"]),
];

#[derive(Default)]
struct Block<'a> {
    members: [Option<Value<'a>>; 3],
    cache: Option<CacheHint>,
}

const ROLES: &str = "be 'user', 'assistant' or 'system'";
const CONTENT: &str = "be a string or an array of blocks";

fn role(value: Value<'_>, path: &Path<'_>) -> Result<Role, Invalid> {
    if value.says("user") {
        Ok(Role::User)
    } else if value.says("assistant") {
        Ok(Role::Assistant)
    } else if value.says("system") {
        Ok(Role::System)
    } else {
        Err(invalid(path.member("role"), ROLES))
    }
}

/// `None` for a source that only this dialect knows.
fn source<'a>(value: Option<Value<'a>>, path: &Path<'_>) -> Result<Option<Source<'a>>, Invalid> {
    let value = object(value.ok_or_else(|| invalid(*path, "be an object"))?, path)?;
    let kind = value.some("type").and_then(Value::text);
    let kind = kind.ok_or_else(|| invalid(path.member("type"), "be the type of a source"))?;
    let text = |name| match value.get(name) {
        Some(member) => string(member, path.member(name)),
        None => Err(invalid(path.member(name), "be a string")),
    };
    Ok(Some(if kind.says("base64") {
        Source::Inline { media_type: text("media_type")?, base64: text("data")? }
    } else if kind.says("url") {
        Source::Url(text("url")?)
    } else if kind.says("file") {
        Source::File(text("file_id")?)
    } else if kind.says("text") {
        Source::Plain(text("data")?)
    } else {
        return Ok(None);
    }))
}
