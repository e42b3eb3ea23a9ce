//! How providers' signatures cross this dialect, whose clients send reasoning items back as they got them.
//!
//! `encrypted_content` of a reasoning item carries a signature with the tag of its origin, `anthropic:EqQB...`, as in the chat dialect
//! (see [`crate::dialects::openai_chat::signatures`]). Thoughts that only their provider can read say `anthropic.sealed:`. The signature of a
//! call (Gemini's) has an item of its own, without a text, right before the call: `gemini.call:`.
//!
//! A value without a tag is OpenAI's own. It is bound to the id of its item: an item that comes back under another id is refused
//! ("could not be verified"). So the canonical value is `<id>:<encrypted_content>`; neither has a colon.

use crate::dialects::canonical::{Origin, Signature};
use crate::json::piece::Text;
use crate::json::write::Writer;
use std::borrow::Cow;

/// What a value in a client's request is.
#[derive(Debug, PartialEq)]
pub enum Carried<'a> {
    /// Of the thoughts beside it.
    Thoughts(Signature<'a>),
    /// The thoughts themselves.
    Sealed(Signature<'a>),
    /// Of the call that follows.
    Call(Signature<'a>),
}

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Thoughts,
    Sealed,
    Call,
}

const THOUGHTS: &str = ":";
const SEALED: &str = ".sealed:";
const OF_CALL: &str = ".call:";

/// Reads `encrypted_content` of the item with this id; `has_text` says whether the item shows thoughts.
pub fn read<'a>(id: Option<Text<'a>>, value: Text<'a>, has_text: bool) -> Carried<'a> {
    for origin in [Origin::Anthropic, Origin::Gemini, Origin::OpenAi] {
        if let Some(value) = behind(&value, origin, SEALED) {
            return Carried::Sealed(Signature { origin, value });
        }
        if let Some(value) = behind(&value, origin, OF_CALL) {
            return Carried::Call(Signature { origin, value });
        }
        if let Some(value) = behind(&value, origin, THOUGHTS) {
            return Carried::Thoughts(Signature { origin, value });
        }
    }
    let signature = Signature { origin: Origin::OpenAi, value: with_id(id.as_ref(), value) };
    if has_text { Carried::Thoughts(signature) } else { Carried::Sealed(signature) }
}

/// OpenAI's value, bound to the id of its item.
pub fn with_id<'a>(id: Option<&Text<'_>>, value: Text<'a>) -> Text<'a> {
    let Some(id) = id.filter(|id| !id.is_empty()) else { return value };
    let mut bound = Vec::new();
    id.append_escaped(&mut bound);
    bound.push(b':');
    value.append_escaped(&mut bound);
    Text::Escaped(Cow::Owned(bound))
}

/// The id of the item and its `encrypted_content`, out of OpenAI's canonical value, escaped.
pub fn id_and_value(value: &Text<'_>) -> (Option<Vec<u8>>, Vec<u8>) {
    let mut escaped = Vec::new();
    value.append_escaped(&mut escaped);
    match memchr::memchr(b':', &escaped) {
        Some(colon) => {
            let value = escaped.split_off(colon + 1);
            escaped.pop();
            (Some(escaped), value)
        }
        None => (None, escaped),
    }
}

/// What `value` says behind a tag.
fn behind<'t>(value: &Text<'t>, origin: Origin, kind: &str) -> Option<Text<'t>> {
    let rest = |said: &[u8]| {
        let rest = said.strip_prefix(origin.tag().as_bytes())?.strip_prefix(kind.as_bytes())?;
        Some(said.len() - rest.len())
    };
    match value {
        Text::Escaped(Cow::Borrowed(escaped)) => {
            rest(escaped).map(|bytes| Text::Escaped(Cow::Borrowed(&escaped[bytes..])))
        }
        _ => {
            let said = value.decoded();
            rest(said.as_bytes()).map(|bytes| Text::plain(said[bytes..].to_owned()))
        }
    }
}

/// Writes a signature of another provider as a string, tagged. One of unknown origin is written as it is.
pub fn write(json: &mut Writer<'_>, signature: &Signature<'_>, of: Of) {
    let tag = signature.origin.tag();
    json.string(tag);
    // The closing quote makes room for the rest.
    json.out.pop();
    if !tag.is_empty() {
        json.out.extend_from_slice(match of {
            Of::Thoughts => THOUGHTS.as_bytes(),
            Of::Sealed => SEALED.as_bytes(),
            Of::Call => OF_CALL.as_bytes(),
        });
    }
    signature.value.append_escaped(json.out);
    json.out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_comes_back_as_what_it_was() {
        for origin in [Origin::Anthropic, Origin::Gemini] {
            for (of, has_text) in [(Of::Thoughts, true), (Of::Thoughts, false), (Of::Sealed, false), (Of::Call, false)]
            {
                let signature = Signature { origin, value: Text::plain("Eq+B/==") };
                let mut out = Vec::new();
                write(&mut Writer::new(&mut out), &signature, of);
                let id = Some(Text::plain("rs_1"));
                let (read, kind) = match read(id, Text::literal(&out), has_text) {
                    Carried::Thoughts(signature) => (signature, Of::Thoughts),
                    Carried::Sealed(signature) => (signature, Of::Sealed),
                    Carried::Call(signature) => (signature, Of::Call),
                };
                assert_eq!((read.origin, read.value.decoded(), kind), (origin, "Eq+B/==".into(), of));
            }
        }
    }

    #[test]
    fn what_is_openai_s_own_keeps_its_id() {
        for (id, expected) in [(Some("rs_1"), "rs_1:gAAA=="), (Some(""), "gAAA=="), (None, "gAAA==")] {
            let Carried::Sealed(signature) = read(id.map(Text::plain), Text::plain("gAAA=="), false) else { panic!() };
            assert_eq!((signature.origin, signature.value.decoded()), (Origin::OpenAi, expected.into()));
            let (back, value) = id_and_value(&signature.value);
            assert_eq!((back, value), (id.filter(|id| !id.is_empty()).map(Into::into), b"gAAA==".to_vec()));
        }
        assert!(matches!(read(None, Text::plain("gAAA=="), true), Carried::Thoughts(_)));
    }
}
