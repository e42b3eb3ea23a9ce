//! Proofs of thoughts on their way through Gemini's dialect, which has one place for them: `thoughtSignature`, base64.
//!
//! Google's own stand there as they are. Those of others are put there for clients of this dialect, marked and encoded, so that they
//! come back with the next turn and reach the provider that made them: base64 of `ringway::{origin}:{shown|sealed}:{signature}`.
//! The mark has nine bytes, so it is the same twelve characters in base64, and its rest can be decoded on its own.

use super::base64;
use crate::dialects::canonical::{Origin, Signature};
use crate::json::piece::Text;

/// Base64 of `ringway::`.
const MARK: &str = "cmluZ3dheTo6";

/// Lets a Gemini model take a call that another model made, whose proof there is none of; only the first call of a turn is looked at.
/// <https://ai.google.dev/gemini-api/docs/thought-signatures>
pub const SKIP_VALIDATION: &str = "skip_thought_signature_validator";

/// A signature as a client of this dialect sends it.
#[derive(Debug, Clone, PartialEq)]
pub struct Read<'a> {
    pub signature: Signature<'a>,
    /// It stands for thoughts that were not shown.
    pub sealed: bool,
}

/// What a client's `thoughtSignature` is; `None` for the one that says there is none.
pub fn read(said: Text<'_>) -> Option<Read<'_>> {
    if said.is_empty() || said.says(SKIP_VALIDATION) {
        return None;
    }
    let marked = said.decoded().strip_prefix(MARK).and_then(unmarked);
    Some(marked.unwrap_or(Read { signature: Signature { origin: Origin::Gemini, value: said }, sealed: false }))
}

fn unmarked(rest: &str) -> Option<Read<'static>> {
    let said = String::from_utf8(base64::decode(rest.as_bytes())?).ok()?;
    let (tag, rest) = said.split_once(':')?;
    let (form, value) = rest.split_once(':')?;
    let origin = Origin::of_tag(tag)?;
    Some(Read { signature: Signature { origin, value: Text::plain(value.to_owned()) }, sealed: form == "sealed" })
}

/// What stands in `thoughtSignature` for a client.
pub fn written<'s>(signature: &'s Signature<'_>, sealed: bool) -> Text<'s> {
    if matches!(signature.origin, Origin::Gemini | Origin::Unknown) {
        return signature.value.by_ref();
    }
    let form = if sealed { "sealed" } else { "shown" };
    let said = format!("{}:{form}:{}", signature.origin.tag(), signature.value.decoded());
    let mut marked = MARK.to_owned();
    base64::encode(said.as_bytes(), &mut marked);
    Text::plain(marked)
}

/// Is it worth something to Google?
pub fn is_ours(signature: &Signature<'_>) -> bool {
    matches!(signature.origin, Origin::Gemini | Origin::Unknown) && !signature.value.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_of_others_come_back_as_what_they_were() {
        for origin in [Origin::Anthropic, Origin::OpenAi] {
            for sealed in [true, false] {
                let signature = Signature { origin, value: Text::plain("EpAB+/=:x") };
                let carried = written(&signature, sealed).into_owned();
                assert!(carried.decoded().starts_with(MARK));
                assert!(base64::decode(carried.decoded().as_bytes()).unwrap().starts_with(b"ringway::"));
                assert_eq!(read(carried), Some(Read { signature, sealed }));
            }
        }
    }

    #[test]
    fn google_s_own_stand_as_they_are() {
        let signature = Signature { origin: Origin::Gemini, value: Text::plain("AbC+/w==") };
        assert_eq!(written(&signature, false), Text::plain("AbC+/w=="));
        assert_eq!(read(Text::plain("AbC+/w==")), Some(Read { signature, sealed: false }));
        assert_eq!(read(Text::plain(SKIP_VALIDATION)), None);
    }

    #[test]
    fn what_only_looks_marked_is_google_s() {
        let said = Text::plain(format!("{MARK}AAAA"));
        assert_eq!(read(said.by_ref()).unwrap().signature, Signature { origin: Origin::Gemini, value: said.by_ref() });
    }
}
