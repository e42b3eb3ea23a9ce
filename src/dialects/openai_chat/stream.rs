//! Judges one event of an OpenAI stream, for the relay that passes it on unchanged.
//!
//! A chunk has content if it carries anything that a reader of the answer waits for: text, reasoning, a refusal, a tool call, audio.
//! The time to the first token is the time to the first such chunk; the role chunk that comes first in most streams says nothing.
//!
//! The payload is validated like any other text, because what is passed on as JSON should be JSON. Where a member appears twice
//! the last counts, as it does for the client. Members that are not named here are not looked at.
//!
//! `[DONE]` is recognised by how the payload begins: official SDKs end their loop at that.

use super::usage::Usage;
use crate::json::scan::{Member, Members, Scan, ScanError, Scanner};
use crate::json::{Kind, Span, value, walk};

/// The members to scan an event's payload for.
pub static MEMBERS: Members = Members::last_wins(&["choices", "usage", "error", "x_groq"]);
const CHOICES: usize = 0;
const USAGE: usize = 1;
const ERROR: usize = 2;
const X_GROQ: usize = 3;

/// What one event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChunkFacts {
    /// It is the end marker. Nothing else is set then.
    pub is_done: bool,
    /// The value of `error`, if SDKs would raise it: null, false, 0, "" and empty containers are no error.
    pub error: Option<Span>,
    pub choices: Choices,
    /// How much content its choices carry, see the header, in bytes as it is written.
    pub said_bytes: u32,
    /// The last `finish_reason` that is not null, with its quotes.
    pub finish_reason: Option<Span>,
    pub usage: Option<Usage>,
}

/// Whether there are choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choices {
    /// Absent, or no array.
    #[default]
    Absent,
    /// An empty array, as in the usage chunk and in Azure's first chunk.
    Empty,
    Some,
}

impl ChunkFacts {
    /// Some choice carries content.
    pub fn has_content(&self) -> bool {
        self.said_bytes > 0
    }

    /// Is it the chunk that `stream_options.include_usage` asks for? A client that did not ask does not expect it.
    pub fn is_usage_only(&self) -> bool {
        self.usage.is_some() && self.choices == Choices::Empty && self.error.is_none()
    }
}

/// Judges the payload of one event.
///
/// # Errors
/// The payload is neither the end marker nor a JSON object.
pub fn classify(payload: &[u8]) -> Result<ChunkFacts, ScanError> {
    if payload.starts_with(b"[DONE]") {
        return Ok(ChunkFacts { is_done: true, ..ChunkFacts::default() });
    }
    Ok(ChunkFacts::of_scan(Scanner::new(&MEMBERS).finish(payload)?, payload))
}

/// The members to scan for in an event that has a name.
static NAMED_MEMBERS: Members = Members::last_wins(&["response", "usage"]);

/// The counts that an event of another endpoint's stream carries, by itself or in the response that it shows.
pub fn usage_of_event(payload: &[u8]) -> Option<Usage> {
    let mut scanner = Scanner::new(&NAMED_MEMBERS);
    let scan = scanner.finish(payload).ok()?;
    let own = scan.member(1).and_then(|usage| Usage::read(payload, usage));
    own.or_else(|| Usage::read(payload, walk::member(payload, scan.member(0)?.value, "usage")?))
}

/// The value of an `error` member that SDKs would raise.
pub(super) fn error_span(text: &[u8], error: Option<Member>) -> Option<Span> {
    error.map(|error| error.value).filter(|error| value::is_truthy(error.of(text)))
}

impl ChunkFacts {
    /// Judges a payload, not the end marker, that has been scanned for [`MEMBERS`].
    pub fn of_scan(scan: &Scan, payload: &[u8]) -> ChunkFacts {
        let mut facts = ChunkFacts { error: error_span(payload, scan.member(ERROR)), ..ChunkFacts::default() };
        if let Some(choices) = scan.member(CHOICES).filter(|choices| choices.kind == Kind::Array) {
            facts.choices = Choices::Empty;
            walk::each_element(payload, choices.value.start as usize, |choice| {
                facts.choices = Choices::Some;
                Some(facts.read_choice(payload, choice))
            });
        }
        facts.usage = scan.member(USAGE).and_then(|usage| Usage::read(payload, usage)).or_else(|| {
            // Groq's last chunk has the counts in an object of its own.
            let inner = walk::member(payload, scan.member(X_GROQ)?.value, "usage")?;
            Usage::read(payload, inner)
        });
        facts
    }

    /// Reads one choice and answers where it ends. What OpenAI writes the same way every time, and nearly everyone like it, is
    /// passed at a stretch; the walk goes on from where that ends.
    fn read_choice(&mut self, payload: &[u8], choice: usize) -> usize {
        if payload.get(choice) != Some(&b'{') {
            return walk::value_end(payload, choice);
        }
        let mut at = choice + 1;
        if let Some(delta) = walk::after(payload, choice, br#"{"index":0,"delta":"#) {
            let end = self.read_delta(payload, delta);
            let end = walk::after(payload, end, br#","logprobs":null"#).unwrap_or(end);
            at = walk::after(payload, end, br#","finish_reason":null"#).unwrap_or(end);
        }
        if payload.get(at) == Some(&b'}') {
            return at + 1;
        }
        walk::rest_of_members(payload, at, |walk::Entry { name, at, .. }| match name {
            b"delta" => Some(self.read_delta(payload, at)),
            // Legacy completions have no delta.
            b"text" => Some(self.judge_content(payload, at)),
            b"finish_reason" if payload.get(at) == Some(&b'"') => {
                let reason = walk::value(payload, at);
                self.finish_reason = Some(reason);
                Some(reason.end as usize)
            }
            _ => None,
        })
    }

    /// Reads one delta and answers where it ends.
    fn read_delta(&mut self, payload: &[u8], delta: usize) -> usize {
        if payload.get(delta) != Some(&b'{') {
            return walk::value_end(payload, delta);
        }
        let mut at = delta + 1;
        if let Some(value) = walk::after(payload, at, br#""content":"#) {
            at = self.judge_content(payload, value);
        }
        if payload.get(at) == Some(&b'}') {
            return at + 1;
        }
        walk::rest_of_members(payload, at, |part| {
            carries_content(part.name).then(|| self.judge_content(payload, part.at))
        })
    }

    /// Judges the value of a member that carries content, and answers where it ends.
    #[inline(always)]
    fn judge_content(&mut self, payload: &[u8], at: usize) -> usize {
        if payload.get(at) == Some(&b'"') {
            let end = walk::string_end(payload, at);
            self.said_bytes += (end - at - 2) as u32;
            return end;
        }
        let value = walk::value(payload, at);
        if value::is_truthy(value.of(payload)) {
            self.said_bytes += value.len() as u32;
        }
        value.end as usize
    }
}

/// Does this member of a delta hold something that a reader waits for? Some providers stream `content` as a list of parts.
fn carries_content(name: &[u8]) -> bool {
    matches!(
        name,
        b"content"
            | b"reasoning_content"
            | b"reasoning"
            | b"reasoning_details"
            | b"refusal"
            | b"tool_calls"
            | b"function_call"
            | b"audio"
            | b"images"
    )
}

#[cfg(test)]
mod tests;
