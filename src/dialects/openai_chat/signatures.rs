//! How a provider's signature crosses this dialect, whose clients send back what they were given.
//!
//! In `thinking_blocks` a value carries its origin before a colon, `anthropic:EqQB...`, which no base64 has: so it survives every
//! client that keeps the value, whatever it does with members that it does not know. A value without a tag is the client's own:
//! of unknown origin. The thought signature of a tool call has its place in `extra_content.google` and is Google's without a tag,
//! as it is at Google's own endpoint of this dialect.

use crate::dialects::canonical::{Origin, Signature};
use crate::json::piece::Text;
use crate::json::write::Writer;
use std::borrow::Cow;

/// The signature that a client sent as `value`; `untagged` says whose it is if it does not say so.
pub fn read(value: Text<'_>, untagged: Origin) -> Signature<'_> {
    let tagged = [Origin::Anthropic, Origin::Gemini, Origin::OpenAi]
        .into_iter()
        .find_map(|origin| Some((origin, tag_bytes(&value, origin.tag())?)));
    let Some((origin, bytes)) = tagged else { return Signature { origin: untagged, value } };
    let value = match value {
        Text::Escaped(Cow::Borrowed(escaped)) => Text::Escaped(Cow::Borrowed(&escaped[bytes..])),
        Text::Escaped(Cow::Owned(mut escaped)) => Text::Escaped(Cow::Owned(escaped.split_off(bytes))),
        Text::Plain(Cow::Borrowed(plain)) => Text::Plain(Cow::Borrowed(&plain[bytes..])),
        Text::Plain(Cow::Owned(mut plain)) => Text::Plain(Cow::Owned(plain.split_off(bytes))),
    };
    Signature { origin, value }
}

/// Length of `tag` and its colon if `value` begins with them.
fn tag_bytes(value: &Text<'_>, tag: &str) -> Option<usize> {
    let said = match value {
        Text::Escaped(escaped) => escaped,
        Text::Plain(plain) => plain.as_bytes(),
    };
    let rest = said.strip_prefix(tag.as_bytes())?.strip_prefix(b":")?;
    Some(said.len() - rest.len())
}

/// Writes `signature` as a string, with the tag of its origin unless that is `untagged`.
pub fn write(json: &mut Writer<'_>, signature: &Signature<'_>, untagged: Origin) {
    let tag = if signature.origin == untagged { "" } else { signature.origin.tag() };
    json.string(tag);
    // The closing quote makes room for the colon and the value.
    json.out.pop();
    if !tag.is_empty() {
        json.out.push(b':');
    }
    signature.value.append_escaped(json.out);
    json.out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_comes_back_with_its_origin() {
        for origin in [Origin::Anthropic, Origin::Gemini, Origin::OpenAi, Origin::Unknown] {
            for untagged in [Origin::Unknown, Origin::Gemini] {
                let signature = Signature { origin, value: Text::plain("Eq+B/==") };
                let mut out = Vec::new();
                write(&mut Writer::new(&mut out), &signature, untagged);
                let read = read(Text::literal(&out), untagged);
                let expected = if origin == Origin::Unknown { untagged } else { origin };
                assert_eq!((read.origin, read.value.decoded()), (expected, "Eq+B/==".into()));
            }
        }
    }

    #[test]
    fn only_a_known_tag_is_one() {
        for value in ["other:abc", "anthropic", "Anthropic:abc", ""] {
            assert_eq!(
                read(Text::plain(value), Origin::Unknown),
                Signature { origin: Origin::Unknown, value: Text::plain(value) }
            );
        }
    }
}
