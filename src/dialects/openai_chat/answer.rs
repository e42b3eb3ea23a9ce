//! Judges a whole answer: `chat.completion`, `text_completion`, a list of embeddings, a moderation.
//!
//! The text is validated; `error`, `usage` and the choices are found. A member that appears twice counts as its last occurrence, as
//! it does for the client.
//!
//! OpenAI's schema requires `refusal` in every message and `logprobs` in every choice of a chat completion, as null where there is
//! none; typed SDKs fail on servers that leave them out. [`Answer::fill_missing`] adds them, for providers whose entry asks for it.
//! Chunks of a stream need nothing of the kind: there both are optional.

use super::stream::{Choices, error_span};
use super::usage::Usage;
use crate::json::patch::{EDITS_MAX, Patch, PatchError};
use crate::json::scan::{Member, Members, Scan, ScanError, Scanner};
use crate::json::{Kind, Span, walk};

/// The members to scan an answer for, for whoever scans it as it arrives.
pub static MEMBERS: Members = Members::last_wins(&["choices", "usage", "error"]);
const CHOICES: usize = 0;
const USAGE: usize = 1;
const ERROR: usize = 2;

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The value of `error`, if SDKs would raise it. Some providers send it with status 200.
    pub error: Option<Span>,
    pub usage: Option<Usage>,
    /// The array of choices. It is looked into when asked: most answers are passed on without.
    choices_at: Option<Span>,
}

impl Answer {
    /// Validates and judges a whole answer.
    ///
    /// # Errors
    /// It is no JSON object.
    pub fn read(text: &[u8]) -> Result<Answer, ScanError> {
        Ok(Answer::of_scan(Scanner::new(&MEMBERS).finish(text)?, text))
    }

    /// Judges a text that has been scanned for [`MEMBERS`].
    pub fn of_scan(scan: &Scan, text: &[u8]) -> Answer {
        let choices = scan.member(CHOICES).filter(|choices| choices.kind == Kind::Array);
        Answer {
            error: error_span(text, scan.member(ERROR)),
            usage: scan.member(USAGE).and_then(|usage| Usage::read(text, usage)),
            choices_at: choices.map(|choices| choices.value),
        }
    }

    /// Whether there are choices.
    pub fn choices(&self, text: &[u8]) -> Choices {
        let Some(choices) = self.choices_at else { return Choices::Absent };
        let mut found = Choices::Empty;
        each_object(text, choices, |_| {
            found = Choices::Some;
            None
        });
        found
    }

    /// The last choice's `finish_reason` that is not null, with its quotes.
    pub fn finish_reason(&self, text: &[u8]) -> Option<Span> {
        let mut found = None;
        each_object(text, self.choices_at?, |choice| {
            Some(walk::each_member(text, choice, |member| {
                let is_reason = member.name == b"finish_reason" && walk::kind_at(text, member.at) == Kind::String;
                let reason = is_reason.then(|| walk::value(text, member.at))?;
                found = Some(reason);
                Some(reason.end as usize)
            }))
        });
        found
    }

    /// Notes the edits that give each choice its `logprobs` and each message its `refusal`, both null, where they are missing.
    ///
    /// Answers with more choices than fit into a patch (OpenAI permits 128, a patch takes 256) are completed as far as it goes.
    ///
    /// # Errors
    /// Only if `patch` already holds edits that are in the way.
    pub fn fill_missing(&self, text: &[u8], patch: &mut Patch) -> Result<(), PatchError> {
        let Some(choices) = self.choices_at else { return Ok(()) };
        let mut noted = Ok(());
        let mut choices_left = EDITS_MAX / 2;
        each_object(text, choices, |choice| {
            choices_left = choices_left.checked_sub(1)?;
            let mut found = Completeness::default();
            let end = found.read_choice(text, choice);
            if !found.has_logprobs {
                noted = noted.and(patch.insert(text, Span::new(choice, end), "logprobs", b"null"));
            }
            if let Some(message) = found.message {
                noted = noted.and(patch.insert(text, message, "refusal", b"null"));
            }
            Some(end)
        });
        noted
    }
}

/// The usage of a text that has been scanned for [`MEMBERS`], if it has one and has no error, whatever is between the quotes of its
/// strings.
pub(super) fn plain_usage(scan: &Scan) -> Option<Member> {
    let has_no_error = scan.member(ERROR).is_none_or(|error| error.kind == Kind::Null);
    scan.member(USAGE).filter(|usage| has_no_error && usage.kind == Kind::Object)
}

/// What a choice has, as far as [`Answer::fill_missing`] asks.
#[derive(Debug, Default, PartialEq, Eq)]
struct Completeness {
    has_logprobs: bool,
    /// The message that lacks `refusal`, if it is an object. Of several messages the last one counts.
    message: Option<Span>,
}

impl Completeness {
    /// Looks through the choice at `choice`, and answers where it ends. What OpenAI writes the same way every time, and nearly
    /// everyone like it, is passed at a stretch; the walk goes on from where that ends.
    fn read_choice(&mut self, text: &[u8], choice: usize) -> usize {
        let mut at = choice + 1;
        if let Some(message) = walk::after(text, choice, br#"{"index":0,"message":"#) {
            at = self.read_message(text, message);
            if let Some(end) = walk::after(text, at, br#","logprobs":null"#) {
                self.has_logprobs = true;
                at = end;
            }
            if let Some(reason) = walk::after(text, at, br#","finish_reason":"#) {
                at = walk::usual_value_end(text, reason);
            }
        }
        if text.get(at) == Some(&b'}') {
            return at + 1;
        }
        walk::rest_of_members(text, at, |walk::Entry { name, at, .. }| {
            self.has_logprobs |= name == b"logprobs";
            (name == b"message").then(|| self.read_message(text, at))
        })
    }

    /// Looks through the message at `message`, and answers where it ends.
    fn read_message(&mut self, text: &[u8], message: usize) -> usize {
        self.message = None;
        if text.get(message) != Some(&b'{') {
            return walk::value_end(text, message);
        }
        let (mut at, mut has_refusal) = (message + 1, false);
        if let Some(content) = walk::after(text, at, br#""role":"assistant","content":"#) {
            at = walk::usual_value_end(text, content);
            if let Some(end) = walk::after(text, at, br#","refusal":null"#) {
                has_refusal = true;
                at = walk::after(text, end, br#","annotations":[]"#).unwrap_or(end);
            }
        }
        let end = if text.get(at) == Some(&b'}') {
            at + 1
        } else {
            walk::rest_of_members(text, at, |part| {
                has_refusal |= part.name == b"refusal";
                None
            })
        };
        if !has_refusal {
            self.message = Some(Span::new(message, end));
        }
        end
    }
}

/// Calls `on` with the start of each object among the elements of `array`.
#[inline]
fn each_object(text: &[u8], array: Span, mut on: impl FnMut(usize) -> Option<usize>) {
    walk::each_element(text, array.start as usize, |at| if text.get(at) == Some(&b'{') { on(at) } else { None });
}

#[cfg(test)]
mod tests;
