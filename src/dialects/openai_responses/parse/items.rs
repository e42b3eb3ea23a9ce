//! The conversation: a string, or a list of items.
//!
//! Messages of the system and of developers before the first turn are the canonical `system`, behind `instructions`; later ones are
//! turns. What the assistant thought, said and called is one turn as long as items of it follow each other, but what it says or thinks
//! after it has said something, without a call in between, begins another. Consecutive results of tools are one turn of the user.
//!
//! An item without a meaning elsewhere (calls of tools that a provider runs, references, compactions) is an extra, and no hint. Ids and
//! the status of items say nothing about a conversation, but for a result that is incomplete: its tool failed.

use super::parts;
use crate::dialects::canonical::{
    Extra, Invalid, Message, Part, PartBody, Request, Role, Signature, ToolCall, ToolInput, ToolResult,
};
use crate::dialects::openai_chat::parse::expect::{array, extra, invalid, maybe, missing, needed, object, some, text};
use crate::dialects::openai_chat::parse::tools::function_input;
use crate::dialects::openai_responses::carried::{self, Carried};
use crate::dialects::openai_responses::groups::joined;
use crate::json;
use crate::json::piece::{Raw, Text};
use crate::json::view::{Path, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// Reads `input` into `request`.
pub fn read<'a>(input: Value<'a>, path: &Path<'_>, request: &mut Request<'a>) -> Result<(), Invalid> {
    if input.kind() == json::Kind::String {
        let parts = vec![PartBody::Text(text(input, path)?).into()];
        request.messages.push(Message { role: Role::User, parts, name: None });
        return Ok(());
    }
    if input.kind() != json::Kind::Array {
        return Err(invalid(path, "a string or an array of items"));
    }
    let mut conversation = Conversation { request, names: HashMap::new(), turn: Turn::Other, call_signature: None };
    for (index, item) in input.elements().enumerate() {
        conversation.item(item, &path.element(index))?;
    }
    Ok(())
}

struct Conversation<'a, 'r> {
    request: &'r mut Request<'a>,
    /// Which tool was called, by the call's id.
    names: HashMap<String, Text<'a>>,
    turn: Turn,
    /// Of the call that comes next.
    call_signature: Option<Signature<'a>>,
}

/// What the last message is, as far as an item can go on with it.
#[derive(Clone, Copy)]
enum Turn {
    Assistant { has_said: bool, has_called: bool },
    Results,
    Other,
}

/// The members of an item. Those that its kind has no use for are carried as extras.
#[derive(Default)]
struct Members<'a> {
    role: Option<Value<'a>>,
    content: Option<Value<'a>>,
    id: Option<Value<'a>>,
    status: Option<Value<'a>>,
    call_id: Option<Value<'a>>,
    name: Option<Value<'a>>,
    namespace: Option<Value<'a>>,
    arguments: Option<Value<'a>>,
    input: Option<Value<'a>>,
    output: Option<Value<'a>>,
    summary: Option<Value<'a>>,
    encrypted_content: Option<Value<'a>>,
}

/// Kinds of items that have a meaning elsewhere.
#[derive(Clone, Copy)]
enum Kind {
    Message,
    Reasoning,
    FunctionCall,
    CustomToolCall,
    Result,
}

const KINDS: &[(&str, Kind)] = &[
    ("message", Kind::Message),
    ("reasoning", Kind::Reasoning),
    ("function_call", Kind::FunctionCall),
    ("custom_tool_call", Kind::CustomToolCall),
    ("function_call_output", Kind::Result),
    ("custom_tool_call_output", Kind::Result),
];

/// Members that say nothing about the conversation.
const HINTS: &[&[u8]] = &[b"phase", b"caller", b"async"];

impl<'a> Conversation<'a, '_> {
    fn item(&mut self, item: Value<'a>, path: &Path<'_>) -> Result<(), Invalid> {
        let kind = object(item, path)?.some("type");
        let known = match kind {
            Some(kind) => KINDS.iter().find(|(name, _)| kind.says(name)).map(|(_, known)| *known),
            None if item.some("role").is_some() => Some(Kind::Message),
            None => None,
        };
        let Some(known) = known else {
            match kind {
                Some(kind) => drop(text(kind, &path.member("type"))?),
                // A reference may go without its type.
                None => drop(needed(item.some("id"), &path.member("type"))?),
            }
            self.request.extras.push(Extra { param: path.to_string().into(), value: item.raw(), is_hint: false });
            return Ok(());
        };
        let mut members = Members::default();
        for (name, value) in item.members() {
            let place = match &*name {
                b"type" => continue,
                b"role" => &mut members.role,
                b"content" => &mut members.content,
                b"id" => &mut members.id,
                b"status" => &mut members.status,
                b"call_id" => &mut members.call_id,
                b"name" => &mut members.name,
                b"namespace" => &mut members.namespace,
                b"arguments" => &mut members.arguments,
                b"input" => &mut members.input,
                b"output" => &mut members.output,
                b"summary" => &mut members.summary,
                b"encrypted_content" => &mut members.encrypted_content,
                _ => {
                    let is_hint = HINTS.contains(&&*name);
                    self.request.extras.extend(some(value).map(|value| extra(path, &name, value, is_hint)));
                    continue;
                }
            };
            *place = some(value);
        }
        match known {
            Kind::Message => self.message(&mut members, path)?,
            Kind::Reasoning => self.reasoning(&mut members, path)?,
            Kind::FunctionCall => self.function_call(&mut members, path)?,
            Kind::CustomToolCall => self.custom_tool_call(&mut members, path)?,
            Kind::Result => self.result(&mut members, path)?,
        }
        self.carry_unused(&members, path);
        Ok(())
    }

    fn message(&mut self, members: &mut Members<'a>, path: &Path<'_>) -> Result<(), Invalid> {
        let role = needed(members.role.take(), &path.member("role"))?;
        let content_path = path.member("content");
        let content = needed(members.content.take(), &content_path)?;
        let mut parts = Vec::new();
        let is_assistant = role.says("assistant");
        // What a turn of calls says is often the empty string, which is nothing.
        if !(is_assistant && content.says("")) {
            parts::content(content, &content_path, &mut parts, self.request)?;
        }
        if is_assistant {
            if !parts.is_empty() {
                self.assistant(true, false).extend(parts);
            }
            return Ok(());
        }
        let name = maybe(members.name.take(), &path.member("name"), text)?;
        let role = if role.says("user") {
            Role::User
        } else if role.says("system") || role.says("developer") {
            if self.request.messages.is_empty() {
                self.request.system.extend(parts);
                return Ok(());
            }
            Role::System
        } else {
            return Err(invalid(&path.member("role"), "user, assistant, system or developer"));
        };
        self.turn = Turn::Other;
        self.request.messages.push(Message { role, parts, name });
        Ok(())
    }

    fn reasoning(&mut self, members: &mut Members<'a>, path: &Path<'_>) -> Result<(), Invalid> {
        let id = maybe(members.id.take(), &path.member("id"), text)?;
        let content = texts(members.content.take(), &path.member("content"))?;
        let summary = texts(members.summary.take(), &path.member("summary"))?;
        let text_of = |texts: Text<'a>| (!texts.is_empty()).then_some(texts);
        let shown = text_of(content).or_else(|| text_of(summary));
        let sealed = maybe(members.encrypted_content.take(), &path.member("encrypted_content"), text)?;
        let sealed = sealed.filter(|sealed| !sealed.is_empty());
        let carried = sealed.map(|sealed| carried::read(id.clone(), sealed, shown.is_some()));
        let body = match (shown, carried) {
            (_, Some(Carried::Call(signature))) => {
                self.call_signature = Some(signature);
                return Ok(());
            }
            (_, Some(Carried::Sealed(signature))) => PartBody::SealedThinking(signature),
            (shown, Some(Carried::Thoughts(signature))) => {
                PartBody::Thinking { text: shown.unwrap_or_default(), signature: Some(signature) }
            }
            (Some(text), None) => PartBody::Thinking { text, signature: None },
            (None, None) => {
                // The thoughts are where the id leads to, or nowhere; the conversation goes on without them.
                let value = Raw(Cow::Borrowed(b"null"));
                self.request.extras.push(Extra { param: path.to_string().into(), value, is_hint: true });
                return Ok(());
            }
        };
        self.assistant(false, false).push(body.into());
        Ok(())
    }

    fn function_call(&mut self, members: &mut Members<'a>, path: &Path<'_>) -> Result<(), Invalid> {
        let arguments_path = path.member("arguments");
        let input = match members.arguments.take() {
            None => function_input(Text::default()),
            // Some frameworks send the object itself.
            Some(object) if object.kind() == json::Kind::Object => ToolInput::Object(object.raw()),
            Some(said) => function_input(text(said, &arguments_path)?),
        };
        self.call(members, input, path)
    }

    fn custom_tool_call(&mut self, members: &mut Members<'a>, path: &Path<'_>) -> Result<(), Invalid> {
        let path_of_input = path.member("input");
        let input = text(needed(members.input.take(), &path_of_input)?, &path_of_input)?;
        self.call(members, ToolInput::Text(input), path)
    }

    fn call(&mut self, members: &mut Members<'a>, input: ToolInput<'a>, path: &Path<'_>) -> Result<(), Invalid> {
        let member =
            |member: &mut Option<Value<'a>>, name| text(needed(member.take(), &path.member(name))?, &path.member(name));
        let id = member(&mut members.call_id, "call_id")?;
        let name = member(&mut members.name, "name")?;
        let name = in_group(members, name, path)?;
        self.names.insert(id.decoded().into_owned(), name.clone());
        let signature = self.call_signature.take();
        let call = ToolCall { id, name, input, signature };
        self.assistant(false, true).push(PartBody::ToolCall(call).into());
        Ok(())
    }

    fn result(&mut self, members: &mut Members<'a>, path: &Path<'_>) -> Result<(), Invalid> {
        let call_id = text(needed(members.call_id.take(), &path.member("call_id"))?, &path.member("call_id"))?;
        let said = maybe(members.name.take(), &path.member("name"), text)?;
        let said = said.map(|said| in_group(members, said, path)).transpose()?;
        let name = said.or_else(|| self.names.get(&*call_id.decoded()).cloned());
        let is_error = members.status.is_some_and(|status| status.says("incomplete"));
        let output_path = path.member("output");
        let output = needed(members.output.take(), &output_path)?;
        let mut content = Vec::new();
        if !output.says("") {
            parts::content(output, &output_path, &mut content, self.request)?;
        }
        let part: Part<'a> = PartBody::ToolResult(ToolResult { call_id, name, content, object: None, is_error }).into();
        match (self.turn, self.request.messages.last_mut()) {
            (Turn::Results, Some(turn)) => turn.parts.push(part),
            _ => self.request.messages.push(Message { role: Role::User, parts: vec![part], name: None }),
        }
        self.turn = Turn::Results;
        Ok(())
    }

    /// The parts of the assistant's turn that an item belongs to.
    fn assistant(&mut self, says: bool, calls: bool) -> &mut Vec<Part<'a>> {
        let (had_said, had_called) = match self.turn {
            Turn::Assistant { has_said, has_called } if calls || has_called || !has_said => (has_said, has_called),
            _ => {
                self.request.messages.push(Message { role: Role::Assistant, parts: Vec::new(), name: None });
                (false, false)
            }
        };
        self.turn = Turn::Assistant { has_said: had_said || says, has_called: had_called || calls };
        let last = self.request.messages.len() - 1;
        &mut self.request.messages[last].parts
    }

    fn carry_unused(&mut self, members: &Members<'a>, path: &Path<'_>) {
        let unused = [
            ("role", members.role),
            ("content", members.content),
            ("call_id", members.call_id),
            ("name", members.name),
            ("namespace", members.namespace),
            ("arguments", members.arguments),
            ("input", members.input),
            ("output", members.output),
            ("summary", members.summary),
            ("encrypted_content", members.encrypted_content),
        ];
        for (name, value) in unused {
            self.request.extras.extend(value.map(|value| extra(path, name.as_bytes(), value, false)));
        }
    }
}

/// What a tool is called, in a group or not.
fn in_group<'a>(members: &mut Members<'a>, name: Text<'a>, path: &Path<'_>) -> Result<Text<'a>, Invalid> {
    let namespace = maybe(members.namespace.take(), &path.member("namespace"), text)?;
    let namespace = namespace.filter(|namespace| !namespace.is_empty());
    Ok(namespace.map_or(name.clone(), |namespace| joined(&namespace, &name)))
}

/// What a list of texts says, with a line between them.
fn texts<'a>(list: Option<Value<'a>>, path: &Path<'_>) -> Result<Text<'a>, Invalid> {
    let Some(list) = list else { return Ok(Text::default()) };
    let mut texts = Vec::new();
    for (index, element) in array(list, path)?.elements().enumerate() {
        let path = path.element(index);
        let said = object(element, &path)?.some("text").ok_or_else(|| missing(&path.member("text")))?;
        texts.push(text(said, &path.member("text"))?);
    }
    if texts.len() < 2 {
        return Ok(texts.pop().unwrap_or_default());
    }
    let mut joined = Vec::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        if !joined.is_empty() {
            joined.extend_from_slice(PARAGRAPH);
        }
        text.append_escaped(&mut joined);
    }
    Ok(Text::Escaped(Cow::Owned(joined)))
}

/// Two line ends, escaped.
const PARAGRAPH: &[u8] = br"\n\n";
