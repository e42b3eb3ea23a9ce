//! Turns and their parts.

use super::{invalid, is_true, known, string, text_part};
use crate::dialects::canonical::{
    Invalid, Message, Origin, Part, PartBody, Role, Signature, Source, ToolCall, ToolInput, ToolResult,
};
use crate::dialects::gemini::{base64, compact, signature};
use crate::json::Kind;
use crate::json::piece::{Raw, Text};
use crate::json::view::{Path, Value};
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

/// Reads `contents`: turns, or one turn, which some clients send without the array.
pub(super) fn read<'a>(contents: Value<'a>, path: &Path<'_>) -> Result<Vec<Message<'a>>, Invalid> {
    let mut conversation = Conversation::default();
    match contents.kind() {
        Kind::Array => {
            for (index, content) in contents.elements().enumerate() {
                conversation.turn(content, &path.element(index))?;
            }
        }
        Kind::Object => conversation.turn(contents, path)?,
        _ => return Err(invalid(path, "an array")),
    }
    Ok(conversation.messages)
}

/// Reads `systemInstruction`: a turn whose role is of no concern, or a text.
pub(super) fn read_system<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Vec<Part<'a>>, Invalid> {
    if let Some(text) = value.text() {
        return Ok(vec![text_part(text)]);
    }
    let mut conversation = Conversation::default();
    conversation.turn(value, path)?;
    Ok(conversation.messages.pop().map(|message| message.parts).unwrap_or_default())
}

#[derive(Default)]
struct Conversation<'a> {
    messages: Vec<Message<'a>>,
    /// Calls so far.
    calls: usize,
    /// Ids that were made for calls without one, by the tool's name; the first awaits its result first.
    made: HashMap<String, VecDeque<Text<'a>>>,
}

impl<'a> Conversation<'a> {
    fn turn(&mut self, content: Value<'a>, path: &Path<'_>) -> Result<(), Invalid> {
        let (mut role, mut parts) = (Role::User, None);
        for (name, value) in known(content, path, "an object")? {
            let at = path.member(&name);
            match &*name {
                "role" => {
                    role = match &*string(value, &at)?.decoded() {
                        // Results had a role of their own once.
                        "" | "user" | "function" | "tool" => Role::User,
                        "model" => Role::Assistant,
                        "system" => Role::System,
                        _ => return Err(invalid(&at, "user or model")),
                    }
                }
                "parts" => parts = Some(value),
                _ => return Err(invalid(&at, "left out: it is not known")),
            }
        }
        // Clients replay a stream as they got it, an increment a turn: thoughts and what proves them have to meet again.
        let mut message = match self.messages.pop() {
            Some(before) if role == Role::Assistant && before.role == role => before,
            before => {
                self.messages.extend(before);
                Message { role, parts: Vec::new(), name: None }
            }
        };
        let at = path.member("parts");
        match parts {
            None => {}
            Some(parts) if parts.kind() == Kind::Array => {
                for (index, part) in parts.elements().enumerate() {
                    self.part(part, &at.element(index), &mut message.parts)?;
                }
            }
            Some(part) => self.part(part, &at, &mut message.parts)?,
        }
        self.messages.push(message);
        Ok(())
    }

    fn part(&mut self, part: Value<'a>, path: &Path<'_>, parts: &mut Vec<Part<'a>>) -> Result<(), Invalid> {
        if let Some(text) = part.text() {
            parts.push(text_part(text));
            return Ok(());
        }
        let mut data = None;
        let (mut is_thought, mut proof, mut detail, mut is_special) = (false, None, None, false);
        for (name, value) in known(part, path, "an object")? {
            match &*name {
                "text" | "inlineData" | "fileData" | "functionCall" | "functionResponse" => data = Some((name, value)),
                "thought" => is_thought = is_true(value),
                "thoughtSignature" => proof = signature::read(string(value, &path.member(&name))?),
                "mediaResolution" => detail = detail_of(value),
                _ => is_special = true,
            }
        }
        let Some((name, value)) = data.filter(|_| !is_special) else {
            if !is_special {
                // A signature without anything, or nothing.
                prove(proof, is_thought, parts);
                return Ok(());
            }
            parts.push(PartBody::Other { param: path.to_string(), raw: part.raw() }.into());
            return Ok(());
        };
        let at = path.member(&name);
        let body = match &*name {
            "text" if is_thought => {
                let text = string(value, &at)?;
                if let Some(signature::Read { sealed: true, signature }) = proof {
                    parts.push(PartBody::SealedThinking(signature).into());
                    return Ok(());
                }
                let signature = proof.map(|proof| proof.signature);
                if let Some(Part { body: PartBody::Thinking { text: before, signature: place @ None }, .. }) =
                    parts.last_mut()
                {
                    append(before, &text);
                    *place = signature;
                    return Ok(());
                }
                PartBody::Thinking { text, signature }
            }
            "text" => {
                let text = string(value, &at)?;
                let was_proof = proof.is_some();
                prove(proof, false, parts);
                if was_proof && text.is_empty() {
                    return Ok(());
                }
                PartBody::Text(text)
            }
            "functionCall" => PartBody::ToolCall(self.call(value, &at, proof.map(|proof| proof.signature))?),
            "functionResponse" => PartBody::ToolResult(self.result(value, &at)?),
            _ => {
                prove(proof, false, parts);
                let kind = if name == "inlineData" { inline(value, &at)? } else { file(value, &at)? };
                match kind {
                    Some(media) => media.part(detail),
                    None => PartBody::Other { param: path.to_string(), raw: part.raw() },
                }
            }
        };
        parts.push(body.into());
        Ok(())
    }

    fn call(
        &mut self,
        call: Value<'a>,
        path: &Path<'_>,
        signature: Option<Signature<'a>>,
    ) -> Result<ToolCall<'a>, Invalid> {
        let (mut id, mut tool, mut args) = (Text::default(), Text::default(), Raw(Cow::Borrowed(&b"{}"[..])));
        for (name, value) in known(call, path, "an object")? {
            let at = path.member(&name);
            match &*name {
                "id" => id = string(value, &at)?,
                "name" => tool = string(value, &at)?,
                "args" if value.kind() == Kind::Object => args = value.raw(),
                "args" => return Err(invalid(&at, "an object")),
                _ => return Err(invalid(&at, "left out: it is not known")),
            }
        }
        if tool.is_empty() {
            return Err(invalid(&path.member("name"), "the function's name"));
        }
        if id.is_empty() {
            id = Text::plain(format!("call_{}", self.calls));
            self.made.entry(tool.decoded().into_owned()).or_default().push_back(id.clone());
        }
        self.calls += 1;
        Ok(ToolCall { id, name: tool, input: ToolInput::Object(args), signature })
    }

    fn result(&mut self, result: Value<'a>, path: &Path<'_>) -> Result<ToolResult<'a>, Invalid> {
        let (mut id, mut tool, mut response, mut media) = (Text::default(), Text::default(), None, Vec::new());
        for (name, value) in known(result, path, "an object")? {
            let at = path.member(&name);
            match &*name {
                "id" => id = string(value, &at)?,
                "name" => tool = string(value, &at)?,
                "response" if value.kind() == Kind::Object => response = Some(value),
                "response" => return Err(invalid(&at, "an object")),
                "parts" => {
                    for (index, part) in super::elements(value, &at)? {
                        self.part(part, &at.element(index), &mut media)?;
                    }
                }
                // Results that come while the model goes on.
                "scheduling" | "willContinue" | "will_continue" => {}
                _ => return Err(invalid(&at, "left out: it is not known")),
            }
        }
        let call_id = self.answered(id, &tool);
        let (object, mut content, is_error) = response.map_or((None, Vec::new(), false), |said| said_by(said));
        if media.is_empty() {
            return Ok(ToolResult { call_id, name: Some(tool), content, object, is_error });
        }
        if let Some(object) = object {
            let text = compact::compacted(&object.0).into_owned();
            content.push(text_part(Text::plain(String::from_utf8_lossy(&text).into_owned())));
        }
        content.extend(media);
        Ok(ToolResult { call_id, name: Some(tool), content, object: None, is_error })
    }

    /// The id of the call that a result with this id, or with none and this name, belongs to.
    fn answered(&mut self, id: Text<'a>, tool: &Text<'_>) -> Text<'a> {
        if !id.is_empty() {
            return id;
        }
        self.made.get_mut(&*tool.decoded()).and_then(VecDeque::pop_front).unwrap_or(id)
    }
}

/// Appends to a text in place: a stream that is replayed has many.
fn append(before: &mut Text<'_>, more: &Text<'_>) {
    if more.is_empty() {
        return;
    }
    let mut said = match std::mem::take(before) {
        Text::Plain(said) => said.into_owned(),
        escaped => escaped.decoded().into_owned(),
    };
    said.push_str(&more.decoded());
    *before = Text::plain(said);
}

/// Puts a proof where it belongs: on the thought before it, or in the place of one that was not shown.
fn prove<'a>(proof: Option<signature::Read<'a>>, is_thought: bool, parts: &mut Vec<Part<'a>>) {
    let Some(signature::Read { signature: proof, sealed }) = proof else { return };
    if let Some(Part { body: PartBody::Thinking { signature: place @ None, .. }, .. }) = parts.last_mut()
        && !sealed
    {
        *place = Some(proof);
    } else if is_thought && !sealed && proof.origin != Origin::Gemini {
        parts.push(PartBody::Thinking { text: Text::default(), signature: Some(proof) }.into());
    } else {
        parts.push(PartBody::SealedThinking(proof).into());
    }
}

/// A result's object, its text where the object is only a wrapper of one, and whether it is an error.
fn said_by(response: Value<'_>) -> (Option<Raw<'_>>, Vec<Part<'_>>, bool) {
    let mut members = response.members();
    if let (Some((name, value)), None) = (members.next(), members.next()) {
        let is_error = &*name == b"error";
        if (is_error || matches!(&*name, b"result" | b"output"))
            && let Some(text) = value.text()
        {
            return (None, vec![text_part(text)], is_error);
        }
        return (Some(response.raw()), Vec::new(), is_error);
    }
    (Some(response.raw()), Vec::new(), false)
}

/// OpenAI's word for how closely a picture is looked at.
fn detail_of(resolution: Value<'_>) -> Option<Text<'static>> {
    let level = resolution.text().or_else(|| resolution.some("level")?.text())?;
    match &*level.decoded() {
        "MEDIA_RESOLUTION_LOW" => Some(Text::plain("low")),
        "MEDIA_RESOLUTION_MEDIUM" => Some(Text::plain("auto")),
        "MEDIA_RESOLUTION_HIGH" | "MEDIA_RESOLUTION_ULTRA_HIGH" => Some(Text::plain("high")),
        _ => None,
    }
}

/// A picture, a document or a sound.
struct Media<'a> {
    kind: Medium,
    source: Source<'a>,
    name: Option<Text<'a>>,
}

#[derive(Clone, Copy)]
enum Medium {
    Image,
    Document,
    Audio,
}

impl Medium {
    /// `None` for a kind that only Gemini's models take, such as films.
    fn of(media_type: &str) -> Option<Medium> {
        match media_type.split('/').next()? {
            "image" => Some(Medium::Image),
            "audio" => Some(Medium::Audio),
            "text" => Some(Medium::Document),
            _ if matches!(media_type, "application/pdf" | "application/json") => Some(Medium::Document),
            _ => None,
        }
    }
}

impl<'a> Media<'a> {
    fn part(self, detail: Option<Text<'a>>) -> PartBody<'a> {
        let Media { kind, source, name } = self;
        match kind {
            Medium::Image => PartBody::Image { source, detail },
            Medium::Document => PartBody::Document { source: source.of_document(), name },
            Medium::Audio => PartBody::Audio { source },
        }
    }
}

fn inline<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Option<Media<'a>>, Invalid> {
    let (mut media_type, mut data, mut name) = (Text::default(), Text::default(), None);
    for (member, value) in known(value, path, "an object")? {
        let at = path.member(&member);
        match &*member {
            "mimeType" => media_type = string(value, &at)?,
            "data" => data = base64::standard(string(value, &at)?),
            "displayName" => name = Some(string(value, &at)?),
            _ => return Err(invalid(&at, "left out: it is not known")),
        }
    }
    if media_type.is_empty() {
        return Err(invalid(&path.member("mimeType"), "a media type"));
    }
    let kind = Medium::of(&media_type.decoded());
    Ok(kind.map(|kind| Media { kind, source: Source::Inline { media_type, base64: data }, name }))
}

/// A file by its address; one without a type is taken for a picture if it ends like one, and for a document otherwise.
fn file<'a>(value: Value<'a>, path: &Path<'_>) -> Result<Option<Media<'a>>, Invalid> {
    let (mut media_type, mut address, mut name) = (Text::default(), Text::default(), None);
    for (member, value) in known(value, path, "an object")? {
        let at = path.member(&member);
        match &*member {
            "mimeType" => media_type = string(value, &at)?,
            "fileUri" => address = string(value, &at)?,
            "displayName" => name = Some(string(value, &at)?),
            _ => return Err(invalid(&at, "left out: it is not known")),
        }
    }
    if address.is_empty() {
        return Err(invalid(&path.member("fileUri"), "an address"));
    }
    let said = address.decoded();
    let kind = match &*media_type.decoded() {
        "" => {
            let end = said.split(['?', '#']).next().and_then(|path| path.rsplit_once('.')).map_or("", |(_, end)| end);
            let is_picture = ["png", "jpg", "jpeg", "webp", "gif"].iter().any(|known| end.eq_ignore_ascii_case(known));
            Some(if is_picture { Medium::Image } else { Medium::Document })
        }
        media_type => Medium::of(media_type),
    };
    // Files that Google holds are read with its key.
    let is_held = said.contains("generativelanguage.googleapis.com/") || !said.starts_with("http");
    drop(said);
    let source = if is_held { Source::File(address) } else { Source::Url(address) };
    Ok(kind.map(|kind| Media { kind, source, name }))
}
