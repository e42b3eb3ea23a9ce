//! Other providers' signatures, on their way through a client of the Messages API.
//!
//! Clients send thinking blocks back as they got them, so that is where signatures travel: `ringway:<origin>:<value>` in the
//! `signature` of a thinking block or the `data` of a redacted one. The signature of a call (Gemini's) has a thinking block of its own,
//! without a text, right before the call: `ringway:<origin>.call:<value>`; Anthropic's own answers have such blocks where thinking
//! is not shown. Thoughts that nobody signed say `ringway:none:`.
//!
//! Anthropic refuses such a signature like any that is not its own. A conversation that has one cannot pass to Anthropic as it is
//! ([`is_in`] tells); translated it can, and loses the thoughts that are not Anthropic's.

use crate::{
    dialects::canonical::{Origin, Signature},
    json::piece::Text,
};
use std::borrow::Cow;

const PREFIX: &str = "ringway:";
const OF_CALL: &str = ".call";

/// What a signature in a client's request is.
#[derive(Debug, PartialEq)]
pub enum Carried<'a> {
    /// Of the thoughts beside it.
    Thoughts(Signature<'a>),
    /// Of the call that follows.
    Call(Signature<'a>),
    None,
}

/// Reads what stands in a thinking block.
pub fn read(value: Text<'_>) -> Carried<'_> {
    if value.is_empty() {
        return Carried::None;
    }
    let Some(tagged) = behind(&value, PREFIX) else {
        return Carried::Thoughts(Signature { origin: Origin::Anthropic, value });
    };
    for (origin, is_call) in TAGGED {
        let tag = [origin.tag(), if *is_call { OF_CALL } else { "" }, ":"].concat();
        if let Some(value) = behind(&tagged, &tag) {
            let signature = Signature { origin: *origin, value };
            return if *is_call { Carried::Call(signature) } else { Carried::Thoughts(signature) };
        }
    }
    Carried::None
}

/// Whose signatures are tagged, and whether it is a call's.
const TAGGED: &[(Origin, bool)] = &[
    (Origin::Gemini, false),
    (Origin::Gemini, true),
    (Origin::OpenAi, false),
    (Origin::OpenAi, true),
    (Origin::Anthropic, true),
];

/// What a text says behind `prefix`.
fn behind<'t>(text: &Text<'t>, prefix: &str) -> Option<Text<'t>> {
    match text {
        Text::Escaped(Cow::Borrowed(escaped)) if !escaped.contains(&b'\\') => {
            escaped.strip_prefix(prefix.as_bytes()).map(|rest| Text::Escaped(Cow::Borrowed(rest)))
        }
        _ => text.decoded().strip_prefix(prefix).map(|rest| Text::plain(rest.to_owned())),
    }
}

/// Appends a signature as it goes to a client, escaped.
pub fn append(signature: &Signature<'_>, is_call: bool, out: &mut Vec<u8>) {
    if is_call || !matches!(signature.origin, Origin::Anthropic | Origin::Unknown) {
        out.extend_from_slice(PREFIX.as_bytes());
        out.extend_from_slice(signature.origin.tag().as_bytes());
        out.extend_from_slice(if is_call { b".call:" } else { b":" });
    }
    signature.value.append_escaped(out);
}

/// The signature of thoughts that nobody signed.
pub const UNSIGNED: &str = "ringway:none:";

/// Does a request carry what Anthropic would refuse? A text that begins like a signature counts too, which does no harm.
pub fn is_in(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"\"ringway:").is_some()
}
