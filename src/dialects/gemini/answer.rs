//! Judges an answer that passes to a client of the same dialect: whole, or an increment of a stream.
//!
//! The text is validated; `error`, usage, finish reasons and content are found. Nothing is changed. Candidates that ended because the
//! model botched a call are an answer for the client and a failure for the plan ([`Answer::is_failure`]): another try may succeed.

use super::read::{self, Reason};
use super::usage;
use crate::dialects::canonical::Usage;
use crate::dialects::openai_chat::stream::Choices;
use crate::json::scan::{Members, Scan, ScanError, Scanner};
use crate::json::view::Value;
use crate::json::{Kind, Span};

/// The members to scan an answer for, for whoever scans it as it arrives.
pub static MEMBERS: &Members = &read::MEMBERS;

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The value of `error`.
    pub error: Option<Span>,
    pub usage: Option<Usage>,
    /// There is something that a reader waits for.
    pub has_content: bool,
    /// How much of it, as it is written.
    pub said_bytes: u64,
    /// The prompt was refused, which is an answer without candidates.
    pub is_blocked: bool,
    /// A candidate failed.
    pub is_failure: bool,
    /// A bit for each candidate that is there, by its index; what is beyond 127 counts as 127.
    pub candidates: u128,
    /// The same for each that has ended.
    pub ended: u128,
    /// The last finish reason, with its quotes.
    reason: Option<Span>,
    has_list: bool,
}

impl Answer {
    /// Validates and judges an answer.
    ///
    /// # Errors
    /// It is no JSON object.
    pub fn read(text: &[u8]) -> Result<Answer, ScanError> {
        Ok(Answer::of_scan(Scanner::new(MEMBERS).finish(text)?, text))
    }

    /// Judges a text that has been scanned for [`MEMBERS`].
    pub fn of_scan(scan: &Scan, text: &[u8]) -> Answer {
        let member = |id| scan.member(id).filter(|member| member.kind != Kind::Null);
        let value = |id| member(id).map(|member| Value::at(text, member.value.start as usize));
        let mut answer = Answer {
            error: member(read::id::ERROR).map(|error| error.value),
            usage: value(read::id::USAGE).and_then(usage::read),
            has_content: false,
            said_bytes: 0,
            is_blocked: value(read::id::PROMPT_FEEDBACK).is_some_and(read::is_blocked),
            is_failure: false,
            candidates: 0,
            ended: 0,
            reason: None,
            has_list: member(read::id::CANDIDATES).is_some_and(|list| list.kind == Kind::Array),
        };
        for (place, candidate) in value(read::id::CANDIDATES).into_iter().flat_map(Value::elements).enumerate() {
            answer.candidate(place as u64, candidate);
        }
        answer
    }

    /// Whether there are candidates. A prompt that was refused counts as one.
    pub fn choices(&self, _text: &[u8]) -> Choices {
        match (self.has_list, self.candidates != 0 || self.is_blocked) {
            (_, true) => Choices::Some,
            (true, false) => Choices::Empty,
            (false, false) => Choices::Absent,
        }
    }

    /// The last candidate's finish reason, with its quotes.
    pub fn finish_reason(&self, _text: &[u8]) -> Option<Span> {
        self.reason
    }

    fn candidate(&mut self, place: u64, candidate: Value<'_>) {
        let (mut index, mut reason) = (place, None);
        for (name, value) in candidate.members() {
            match &*name {
                b"index" => index = value.u64().unwrap_or(place),
                b"finishReason" => reason = Some(value),
                b"content" => {
                    for part in value.some("parts").into_iter().flat_map(Value::elements) {
                        self.said_bytes += said_bytes(part);
                    }
                    self.has_content |= self.said_bytes > 0;
                }
                _ => {}
            }
        }
        let bit = 1 << index.min(127);
        self.candidates |= bit;
        let Some(reason) = reason else { return };
        match reason.text().map_or(Reason::None, |said| Reason::of(&said)) {
            Reason::None => return,
            Reason::Finish(_) => {}
            Reason::Failure => self.is_failure = true,
        }
        self.ended |= bit;
        self.reason = Some(reason.span());
    }
}

/// All but an empty text is something.
fn said_bytes(part: Value<'_>) -> u64 {
    let said = part.members().map(|(name, value)| match &*name {
        b"text" if value.text().is_some() => value.span().len() - 2,
        b"text" | b"thought" | b"thoughtSignature" | b"partMetadata" => 0,
        _ if value.is_null() => 0,
        _ => value.span().len(),
    });
    said.sum::<usize>() as u64
}

#[cfg(test)]
mod tests;
