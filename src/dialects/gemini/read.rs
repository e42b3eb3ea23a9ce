//! Reads what a Gemini model answers: whole, or in increments that each have the form of a whole answer.
//!
//! An increment brings parts, and sooner or later a finish reason for each candidate; usage comes with every one, and the last
//! counts. There is no end marker: a stream is complete when it ended after all its candidates had their finish reason. That is why
//! `Finish` is told at the end. It is then also known whether there was a function call, after which Google says `STOP` like after
//! anything else.
//!
//! A prompt that was blocked has no candidates but a reason; its answer is a finish. A call that the model botched
//! (`MALFORMED_FUNCTION_CALL` and the like) is the model's failure, not an answer. A signature on a thought, or on the part after
//! one, proves that thought; on any other part it stands for thoughts that were not shown. Pictures become `images`, as other
//! gateways have them in OpenAI's dialect.

use super::{classify, compact, logprobs, usage};
use crate::dialects::canonical::{
    ErrorClass, Event, Finish, Malformed, Origin, Progress, ProviderError, Signature, Usage,
};
use crate::json::Kind;
use crate::json::piece::{Raw, Text};
use crate::json::scan::{self, Members};
use crate::json::view::Value;
use crate::json::write::Writer;
use std::borrow::Cow;

/// What an answer has, and an increment.
pub(super) static MEMBERS: Members =
    Members::last_wins(&["candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "error"]);
pub(super) mod id {
    pub const CANDIDATES: usize = 0;
    pub const PROMPT_FEEDBACK: usize = 1;
    pub const USAGE: usize = 2;
    pub const MODEL: usize = 3;
    pub const RESPONSE: usize = 4;
    pub const ERROR: usize = 5;
}

/// Most candidates of an answer: what a reader remembers of each is bounded with them. Google permits 8.
const CANDIDATES_MAX: usize = 128;

/// Reads a whole answer.
///
/// # Errors
/// It is none.
pub fn whole(text: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
    let mut reader = Reader::default();
    reader.frame(b"", text, tell)?;
    for candidate in &mut reader.candidates {
        // A whole answer is known to be complete without a reason.
        candidate.finish.get_or_insert(Finish::Stop);
    }
    reader.end(tell)
}

/// Reads a stream.
#[derive(Debug, Default)]
pub struct Reader {
    has_started: bool,
    has_failed: bool,
    prompt_was_blocked: bool,
    candidates: Vec<Candidate>,
    /// As told last.
    usage: Option<Usage>,
    /// Google's id of the answer: ids of calls are made from it where the model gives none.
    response_id: Option<Box<str>>,
    /// Calls of all candidates.
    calls: u32,
}

#[derive(Debug)]
struct Candidate {
    index: u32,
    calls: u32,
    /// What was told last is a thought, not proved yet.
    in_thought: bool,
    finish: Option<Finish<'static>>,
}

impl Reader {
    /// Reads an increment.
    ///
    /// # Errors
    /// It is none.
    pub fn frame(&mut self, _name: &[u8], data: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<Progress, Malformed> {
        // Errors come as an array of one, too.
        let text = if data.first() == Some(&b'{') { data } else { classify::one_object(data) };
        let scan = scan::scan(&MEMBERS, text).map_err(|_| Malformed)?;
        let member = |id| {
            let found = scan.member(id).filter(|member| member.kind != Kind::Null)?;
            Some(Value::at(text, found.value.start as usize))
        };
        if let Some(error) = member(id::ERROR) {
            self.fail(classify::of_error(error, None), tell);
            return Ok(Progress::More);
        }
        if !self.has_started {
            self.has_started = true;
            let said = |id| member(id).and_then(Value::text).unwrap_or_default();
            let id = said(id::RESPONSE);
            if !id.is_empty() {
                self.response_id = Some(id.decoded().into());
            }
            tell(Event::Start { id, model: said(id::MODEL) });
        }
        for (place, candidate) in member(id::CANDIDATES).into_iter().flat_map(Value::elements).enumerate() {
            self.candidate(place as u32, candidate, tell)?;
        }
        self.prompt_was_blocked |= member(id::PROMPT_FEEDBACK).is_some_and(is_blocked);
        if let Some(usage) = member(id::USAGE).and_then(usage::read)
            && self.usage != Some(usage)
        {
            self.usage = Some(usage);
            tell(Event::Usage(usage));
        }
        Ok(Progress::More)
    }

    /// The upstream ended.
    ///
    /// # Errors
    /// Before its answer did.
    pub fn end(&mut self, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
        if self.has_failed {
            return Ok(());
        }
        if self.candidates.is_empty() && self.prompt_was_blocked {
            tell(Event::Finish { choice: 0, reason: Finish::ContentFilter });
        } else if self.candidates.is_empty() {
            return Err(Malformed);
        }
        let is_over = |candidate: &Candidate| candidate.finish.is_some() || self.prompt_was_blocked;
        if !self.candidates.iter().all(is_over) {
            return Err(Malformed);
        }
        for Candidate { index, calls, finish, .. } in self.candidates.drain(..) {
            let reason = match finish {
                None => Finish::ContentFilter,
                Some(Finish::Stop) if calls > 0 => Finish::ToolCalls,
                Some(reason) => reason,
            };
            tell(Event::Finish { choice: index, reason });
        }
        tell(Event::End);
        Ok(())
    }

    fn fail(&mut self, error: ProviderError<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        self.has_failed = true;
        tell(Event::Error(error));
    }

    fn candidate(&mut self, place: u32, said: Value<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
        let (mut index, mut parts, mut reason, mut message, mut logprobs) = (None, None, None, None, None);
        for (name, value) in said.members() {
            match &*name {
                b"content" => parts = value.some("parts"),
                b"index" => index = value.u64(),
                b"finishReason" => reason = value.text(),
                b"finishMessage" => message = value.text(),
                b"logprobsResult" => logprobs = Some(value),
                _ => {}
            }
        }
        let choice = index.map_or(Ok(place), u32::try_from).map_err(|_| Malformed)?;
        let at = match self.candidates.iter().position(|candidate| candidate.index == choice) {
            Some(at) => at,
            None if self.candidates.len() == CANDIDATES_MAX => return Err(Malformed),
            None => {
                self.candidates.push(Candidate { index: choice, calls: 0, in_thought: false, finish: None });
                self.candidates.len() - 1
            }
        };
        for part in parts.into_iter().flat_map(Value::elements) {
            self.part(at, part, tell)?;
        }
        if let Some(raw) = logprobs.and_then(logprobs::for_openai) {
            tell(Event::Extra { choice, name: "logprobs", raw });
        }
        let Some(reason) = reason else { return Ok(()) };
        match Reason::of(&reason) {
            Reason::None => {}
            Reason::Finish(finish) => self.candidates[at].finish = Some(finish),
            Reason::Failure => {
                let message = message.unwrap_or(reason);
                self.fail(ProviderError { class: ErrorClass::Server, message, retry_after_ms: None }, tell);
            }
        }
        Ok(())
    }

    fn part(&mut self, at: usize, said: Value<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
        let (mut text, mut is_thought, mut signature, mut call, mut inline) = (None, false, None, None, None);
        for (name, value) in said.members() {
            match &*name {
                b"text" => text = value.text(),
                b"thought" => is_thought = value.bool() == Some(true),
                b"thoughtSignature" => signature = value.text(),
                b"functionCall" => call = Some(value),
                b"inlineData" => inline = Some(value),
                _ => {}
            }
        }
        let signature =
            signature.filter(|value| !value.is_empty()).map(|value| Signature { origin: Origin::Gemini, value });
        let candidate = &mut self.candidates[at];
        let choice = candidate.index;
        if let Some(call) = call {
            candidate.in_thought = false;
            return self.call(at, call, signature, tell);
        }
        let text = text.filter(|text| !text.is_empty());
        if is_thought {
            if let Some(text) = text {
                candidate.in_thought = true;
                tell(Event::Thinking { choice, text });
            }
            if let Some(signature) = signature {
                prove(candidate, signature, tell);
            }
            return Ok(());
        }
        if let Some(signature) = signature {
            prove(candidate, signature, tell);
        }
        if let Some(text) = text {
            candidate.in_thought = false;
            tell(Event::Text { choice, text });
        }
        if let Some(raw) = inline.and_then(picture) {
            candidate.in_thought = false;
            tell(Event::Extra { choice, name: "images", raw });
        }
        Ok(())
    }

    fn call(
        &mut self,
        at: usize,
        said: Value<'_>,
        signature: Option<Signature<'_>>,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Malformed> {
        let name = said.some("name").and_then(Value::text).ok_or(Malformed)?;
        let args = match said.some("args") {
            None => Cow::Borrowed(&b"{}"[..]),
            Some(args) if args.kind() == Kind::Object => compact::compacted(args.bytes()),
            Some(_) => return Err(Malformed),
        };
        let candidate = &mut self.candidates[at];
        let (choice, call) = (candidate.index, candidate.calls);
        candidate.calls += 1;
        let made = self.response_id.as_ref().map(|answer| format!("call_{answer}_{}", self.calls));
        self.calls += 1;
        let id = match said.some("id").and_then(Value::text).filter(|id| !id.is_empty()) {
            Some(id) => id,
            // Models before Gemini 3 have no ids, and other dialects cannot do without.
            None => made.map(Text::plain).unwrap_or_default(),
        };
        tell(Event::ToolCall { choice, call, id, name, signature });
        let arguments = std::str::from_utf8(&args).map_err(|_| Malformed)?;
        tell(Event::ToolArguments { choice, call, fragment: Text::plain(arguments) });
        Ok(())
    }
}

/// A signature that belongs to no call.
fn prove(candidate: &mut Candidate, signature: Signature<'_>, tell: &mut dyn FnMut(Event<'_>)) {
    let choice = candidate.index;
    tell(match std::mem::take(&mut candidate.in_thought) {
        true => Event::ThinkingSignature { choice, signature },
        false => Event::SealedThinking { choice, signature },
    });
}

/// A picture that the model made, as a list in OpenAI's form with that one; `None` for other data.
fn picture(inline: Value<'_>) -> Option<Raw<'static>> {
    let kind = inline.some("mimeType")?.text()?;
    if !kind.decoded().starts_with("image/") {
        return None;
    }
    let data = inline.some("data")?.text()?;
    let mut out = Vec::with_capacity(inline.bytes().len() + 96);
    let mut json = Writer::new(&mut out);
    json.open_array().open_object().name("type").string("image_url").name("image_url").open_object().name("url");
    json.out.extend_from_slice(b"\"data:");
    kind.append_escaped(json.out);
    json.out.extend_from_slice(b";base64,");
    data.append_escaped(json.out);
    json.out.push(b'"');
    json.close_object().close_object().close_array();
    Some(Raw(Cow::Owned(out)))
}

/// Does the feedback on a prompt say that it was refused?
pub(in crate::dialects) fn is_blocked(feedback: Value<'_>) -> bool {
    feedback.some("blockReason").is_some_and(|reason| !reason.says("BLOCK_REASON_UNSPECIFIED"))
}

/// What a finish reason is.
pub(in crate::dialects) enum Reason {
    /// The candidate goes on.
    None,
    Finish(Finish<'static>),
    Failure,
}

impl Reason {
    pub fn of(said: &Text<'_>) -> Reason {
        Reason::Finish(match &*said.decoded() {
            "" | "FINISH_REASON_UNSPECIFIED" => return Reason::None,
            "STOP" => Finish::Stop,
            "MAX_TOKENS" => Finish::Length,
            "SAFETY"
            | "RECITATION"
            | "LANGUAGE"
            | "OTHER"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "MODEL_ARMOR"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "IMAGE_OTHER"
            | "NO_IMAGE" => Finish::ContentFilter,
            "MALFORMED_FUNCTION_CALL"
            | "UNEXPECTED_TOOL_CALL"
            | "TOO_MANY_TOOL_CALLS"
            | "MISSING_THOUGHT_SIGNATURE"
            | "MALFORMED_RESPONSE" => return Reason::Failure,
            other => Finish::Other(Text::plain(other.to_owned())),
        })
    }
}

#[cfg(test)]
mod tests;
