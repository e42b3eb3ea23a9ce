//! Tools whose input is a text (OpenAI's `custom`), for upstreams that have functions alone: there such a tool is a function with one
//! member, `input`, and what the model puts there is taken out of the streamed arguments again.
//!
//! [`as_functions`] changes a request before it is composed, and names the tools; [`super::restore`] is told those names and brings the answer
//! back. A grammar that the input has to match is told in the description: nothing enforces it then. A model that forgets the object
//! and writes the text itself is understood.

use super::canonical::{FunctionTool, Notes, PartBody, Request, Tool, ToolInput};
use crate::json::piece::{Raw, Text};
use crate::json::strings;
use crate::json::view::Value;
use std::borrow::Cow;

const SCHEMA: &[u8] =
    br#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#;

/// Has the request tools whose input is a text, or calls of such tools?
pub fn are_in(request: &Request<'_>) -> bool {
    let mut parts = request.messages.iter().flat_map(|message| &message.parts);
    request.tools.iter().any(|tool| matches!(tool, Tool::Other { kind, .. } if kind.says("custom")))
        || parts.any(|part| matches!(&part.body, PartBody::ToolCall(call) if matches!(call.input, ToolInput::Text(_))))
}

/// The names of the tools whose input is a text.
pub fn names(request: &Request<'_>) -> Vec<Box<str>> {
    let name = |tool: &Tool<'_>| match tool {
        Tool::Other { kind, raw, .. } if kind.says("custom") => {
            let tool = Value::root(&raw.0);
            Some(tool.some("custom").unwrap_or(tool).get("name")?.text()?.decoded().into())
        }
        _ => None,
    };
    request.tools.iter().filter_map(name).collect()
}

/// Makes functions of the tools whose input is a text, and objects of the inputs of their earlier calls. Answers the tools' names.
pub fn as_functions(request: &mut Request<'_>, notes: &mut Notes) -> Vec<Box<str>> {
    let mut names = Vec::new();
    for tool in &mut request.tools {
        let Tool::Other { param, kind, raw } = tool else { continue };
        let Some((function, is_bound)) = kind.says("custom").then(|| function(raw)).flatten() else { continue };
        names.push(function.name.decoded().into());
        note_others(raw, param, notes);
        notes.adapted(
            std::mem::take(param),
            match is_bound {
                true => "The model's API has functions alone: the text is a member of an object, its grammar told, not forced.",
                false => "The model's API has functions alone: the text is a member of an object.",
            },
        );
        *tool = Tool::Function(function);
    }
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        if let PartBody::ToolCall(call) = &mut part.body
            && let ToolInput::Text(text) = &call.input
        {
            let mut object = br#"{"input":""#.to_vec();
            text.append_escaped(&mut object);
            object.extend_from_slice(b"\"}");
            call.input = ToolInput::Object(Raw(Cow::Owned(object)));
        }
    }
    names
}

/// Notes what a custom tool says that a function for it does not. All of it is about when and how it is offered.
fn note_others(raw: &Raw<'_>, param: &str, notes: &mut Notes) {
    let tool = Value::root(&raw.0);
    for (name, value) in tool.members() {
        let is_said = matches!(&*name, b"type" | b"custom" | b"name" | b"description" | b"format") || value.is_null();
        // What these say is the case without them.
        let is_usual = match &*name {
            b"defer_loading" | b"async" => value.bool() == Some(false),
            b"allowed_callers" => value.elements().all(|caller| caller.says("direct")),
            _ => false,
        };
        if !is_said && !is_usual {
            notes.hint(format!("{param}.{}", String::from_utf8_lossy(&name)));
        }
    }
}

/// A function for a custom tool, in the form of Responses or of Chat Completions, and whether a grammar bound its input; `None` if it is
/// neither.
fn function(raw: &Raw<'_>) -> Option<(FunctionTool<'static>, bool)> {
    let tool = Value::root(&raw.0);
    let tool = tool.some("custom").unwrap_or(tool);
    let name = tool.get("name").and_then(Value::text)?.into_owned();
    let mut description = tool.some("description").and_then(Value::text).unwrap_or_default().decoded().into_owned();
    let mut is_bound = false;
    if let Some(format) = tool.some("format") {
        let grammar = format.some("grammar").unwrap_or(format);
        let said = |name| grammar.some(name).and_then(Value::text);
        if let Some(definition) = said("definition") {
            let syntax = said("syntax").unwrap_or_default();
            let rule = format!("The input has to match this {} grammar:\n{}", syntax.decoded(), definition.decoded());
            is_bound = true;
            description = [description, rule].join(if tool.some("description").is_some() { "\n\n" } else { "" });
        }
    }
    let description = (!description.is_empty()).then(|| Text::plain(description));
    let schema = Some(Raw(Cow::Borrowed(SCHEMA)));
    Some((FunctionTool { name, description, schema, strict: None, cache: None }, is_bound))
}

/// Takes the text out of the arguments of one call, whatever the fragments that they come in. Holds six characters at most.
#[derive(Debug, Default)]
pub struct Unwrap {
    at: At,
    /// The beginning of an escape that is not complete.
    escape: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Start,
    /// Before, in and after the name of the first member.
    BeforeName,
    Name {
        after_backslash: bool,
    },
    BeforeValue,
    Text,
    /// What follows says nothing.
    Over,
    /// There is no object: all is the text.
    Bare,
}

impl Unwrap {
    /// The text in the next fragment, to be written as it is.
    pub fn take(&mut self, fragment: &Text<'_>) -> Text<'static> {
        let said = fragment.decoded();
        let mut out = Vec::new();
        for (index, character) in said.char_indices() {
            self.at = match (self.at, character) {
                (At::Bare, _) => At::Bare,
                (At::Start | At::BeforeName | At::BeforeValue, ' ' | '\n' | '\r' | '\t') => self.at,
                (At::Start, '{') => At::BeforeName,
                (At::Start, _) => At::Bare,
                (At::BeforeName, '"') => At::Name { after_backslash: false },
                (At::Name { after_backslash: true }, _) => At::Name { after_backslash: false },
                (At::Name { .. }, '\\') => At::Name { after_backslash: true },
                (At::Name { .. }, '"') => At::BeforeValue,
                (At::Name { .. }, _) => self.at,
                (At::BeforeValue, ':') => At::BeforeValue,
                (At::BeforeValue, '"') => At::Text,
                (At::BeforeName | At::BeforeValue | At::Over, _) => At::Over,
                (At::Text, _) => self.text(character, &mut out),
            };
            if self.at == At::Bare {
                strings::write_escaped(&mut out, &said[index..]);
                break;
            }
        }
        Text::Escaped(Cow::Owned(out))
    }

    fn text(&mut self, character: char, out: &mut Vec<u8>) -> At {
        if !self.escape.is_empty() {
            self.escape.push(character);
            let is_complete = match self.escape.as_bytes().get(1) {
                Some(b'u') => self.escape.chars().count() == 6,
                _ => true,
            };
            if is_complete {
                let is_valid = match self.escape.as_bytes() {
                    [_, b'u', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
                    [_, kind] => br#""\/bfnrt"#.contains(kind),
                    _ => false,
                };
                match is_valid {
                    true => out.extend_from_slice(self.escape.as_bytes()),
                    // No JSON, but meant as it stands.
                    false => strings::write_escaped(out, &self.escape),
                }
                self.escape.clear();
            }
            return At::Text;
        }
        match character {
            '"' => return At::Over,
            '\\' => self.escape.push(character),
            // Some models forget to escape the ends of lines, and what is written escapes those.
            _ => strings::write_escaped(out, character.encode_utf8(&mut [0; 4])),
        }
        At::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::canonical::NoteKind;
    use crate::dialects::openai_responses::parse::parse;

    #[test]
    fn a_tool_with_a_text_becomes_a_function() {
        let text = br#"{"input":[{"type":"custom_tool_call","call_id":"c","name":"patch","input":"a\n\"b\""}],
            "tools":[{"type":"custom","name":"patch","description":"Edits.","format":{"type":"grammar","syntax":"lark","definition":"start: x"}},
            {"type":"web_search"},{"type":"custom","name":"plain","defer_loading":true,"async":false}]}"#;
        let mut request = parse(text).unwrap();
        let mut notes = Notes::default();
        assert_eq!(as_functions(&mut request, &mut notes), ["patch".into(), "plain".into()]);
        let noted: Vec<_> =
            notes.notes.iter().map(|note| (&*note.param, note.kind, note.says.contains("grammar"))).collect();
        assert_eq!(
            noted,
            [
                ("tools[0]", NoteKind::Adapted, true),
                ("tools[2].defer_loading", NoteKind::Dropped, false),
                ("tools[2]", NoteKind::Adapted, false),
            ]
        );
        let Tool::Function(function) = &request.tools[0] else { panic!() };
        assert_eq!(
            (function.name.decoded(), function.description.as_ref().unwrap().decoded()),
            ("patch".into(), "Edits.\n\nThe input has to match this lark grammar:\nstart: x".into())
        );
        assert!(matches!(&request.tools[1], Tool::Other { .. }));
        let PartBody::ToolCall(call) = &request.messages[0].parts[0].body else { panic!() };
        assert_eq!(call.input, ToolInput::Object(Raw(br#"{"input":"a\n\"b\""}"#[..].into())));
    }

    #[test]
    fn the_text_comes_out_however_the_arguments_are_cut() {
        for (arguments, expected) in [
            (r#"{"input":"a\n\"b\" \\ \u00e9 é 😀"}"#, "a\n\"b\" \\ é é 😀"),
            (" { \"input\" : \"x\" , \"other\": \"y\" } ", "x"),
            (r#"{"in\"put":"x"}"#, "x"),
            ("{\"input\":\"a\nb\"}", "a\nb"),
            (r#"{"input":"\d \u12g4"}"#, r"\d \u12g4"),
            (r#"{"input":"\é \u12é4 \u😀234"}"#, r"\é \u12é4 \u😀234"),
            (r#"{"input":5}"#, ""),
            ("{}", ""),
            ("", ""),
            ("*** Begin \"Patch\"\n", "*** Begin \"Patch\"\n"),
        ] {
            for chars in 1..=arguments.chars().count().max(1) {
                let mut unwrap = Unwrap::default();
                let mut out = Vec::new();
                let all: Vec<_> = arguments.chars().collect();
                for piece in all.chunks(chars) {
                    let piece: String = piece.iter().collect();
                    unwrap.take(&Text::plain(piece)).append_escaped(&mut out);
                }
                let literal = [b"\"", &*out, b"\""].concat();
                let said: String = serde_json::from_slice(&literal).unwrap();
                assert_eq!(said, expected, "{arguments} in pieces of {chars}");
            }
        }
    }
}
