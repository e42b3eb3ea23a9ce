//! Reads an upstream's answer as canonical events: whole, or a stream of chunks.
//!
//! A choice of a whole answer is read like a chunk that says all of it, so both give the same events. Events borrow from the text; the
//! reader keeps, of each choice, which calls it has seen and whether it is finished.
//!
//! An answer is complete when every choice that began has a finish reason and the end marker or a clean end has come. One that
//! ends otherwise is truncated: no SDK notices that by itself.
//!
//! Servers differ, and all of these are read: thoughts in `reasoning_content`, `reasoning`, `thinking_blocks`, `reasoning_details` or
//! in a content that is a list; usage in `x_groq`; chunks without choices at the beginning, as Azure has them; calls whose
//! `index` is missing or always 0; empty finish reasons, which are none but before the end marker; finish reasons that are errors.

use super::classify;
use super::usage::Usage;
use crate::dialects::canonical::{self, ErrorClass, Event, Finish, Malformed, Progress, ProviderError};
use crate::json::piece::Text;
use crate::json::scan::{Member, Members, scan};
use crate::json::view::Value;
use crate::json::{Kind, Span, value, walk};
use crate::limits::{CALLS_MAX, CHOICES_MAX};
use choice::Choice;

mod choice;

static NONE: Members = Members::last_wins(&[]);

/// Reads a whole answer. After [`Event::Error`] there is nothing more.
///
/// # Errors
/// It is no JSON object, or has no choices.
pub fn whole(text: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
    scan(&NONE, text).map_err(|_| Malformed)?;
    let mut reader = Reader { is_whole: true, ..Reader::default() };
    if reader.object(text, tell)? == Progress::Complete {
        return Ok(());
    }
    for index in 0..reader.choices.len() {
        reader.finish_quietly(index, tell);
    }
    reader.end(tell)
}

/// A stream that is being read.
#[derive(Debug, Default)]
pub struct Reader {
    is_whole: bool,
    has_started: bool,
    /// The end, or an error, was told.
    is_complete: bool,
    choices: Vec<Choice>,
}

impl Reader {
    /// Takes the data of the next event.
    ///
    /// # Errors
    /// It is neither a chunk nor an error nor the end marker, or the end marker comes too early.
    pub fn frame(&mut self, name: &[u8], data: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<Progress, Malformed> {
        if self.is_complete {
            return Ok(Progress::Complete);
        }
        if data.starts_with(b"[DONE]") {
            for index in 0..self.choices.len() {
                if self.choices[index].had_empty_finish {
                    self.finish_quietly(index, tell);
                }
            }
            self.end(tell)?;
            return Ok(Progress::Complete);
        }
        // Some servers keep the connection alive with empty events.
        if data.iter().all(u8::is_ascii_whitespace) {
            return Ok(Progress::More);
        }
        scan(&NONE, data).map_err(|_| Malformed)?;
        if name == b"error" {
            return Ok(self.fail(classify::of_body(200, Value::root(data)), tell));
        }
        self.object(data, tell)
    }

    /// The upstream ended cleanly, perhaps without its end marker.
    ///
    /// # Errors
    /// The answer is not complete.
    pub fn end(&mut self, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
        if self.is_complete {
            return Ok(());
        }
        if self.choices.is_empty() || self.choices.iter().any(|choice| choice.has_begun && !choice.is_finished) {
            return Err(Malformed);
        }
        self.is_complete = true;
        tell(Event::End);
        Ok(())
    }

    /// Reads a chunk, or a whole answer: `text` has been scanned.
    fn object(&mut self, text: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<Progress, Malformed> {
        let body = Value::root(text);
        let (mut id, mut model, mut choices, mut usage, mut x_groq) = (None, None, None, None, None);
        for (name, value) in body.members() {
            match &*name {
                b"id" => id = value.text(),
                b"model" => model = value.text(),
                b"choices" => choices = Some(value),
                b"usage" => usage = Some(value),
                b"x_groq" => x_groq = Some(value),
                b"error" if value::is_truthy(value.bytes()) => {
                    return Ok(self.fail(classify::of_body(200, body), tell));
                }
                // MiniMax's errors come in answers of status 200.
                b"base_resp" if value.get("status_code").and_then(Value::u64).is_some_and(|code| code != 0) => {
                    return Ok(self.fail(classify::of_body(200, value), tell));
                }
                _ => {}
            }
        }
        let mut choices = choices.into_iter().flat_map(Value::elements).peekable();
        let id = id.unwrap_or_default();
        if !self.has_started && (!id.is_empty() || choices.peek().is_some()) {
            self.has_started = true;
            tell(Event::Start { id, model: model.unwrap_or_default() });
        }
        for choice in choices {
            if let Some(error) = self.choice(choice, tell)? {
                return Ok(self.fail(error, tell));
            }
        }
        let usage = usage.filter(|usage| usage.kind() == Kind::Object);
        if let Some(usage) = usage.or_else(|| x_groq?.get("usage")).and_then(|usage| counts(text, usage)) {
            tell(Event::Usage(usage));
        }
        Ok(Progress::More)
    }

    fn fail(&mut self, error: ProviderError<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Progress {
        self.is_complete = true;
        tell(Event::Error(error));
        Progress::Complete
    }

    fn choice<'t>(
        &mut self,
        choice: Value<'t>,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<Option<ProviderError<'t>>, Malformed> {
        let (mut index, mut said, mut reason, mut logprobs) = (0, None, None, None);
        for (name, value) in choice.members() {
            match &*name {
                b"index" => index = value.u64().ok_or(Malformed)?,
                b"delta" | b"message" => said = Some(value),
                b"finish_reason" => reason = value.text(),
                b"logprobs" => logprobs = Some(value).filter(|value| !value.is_null()),
                _ => {}
            }
        }
        let index = usize::try_from(index).ok().filter(|index| *index < CHOICES_MAX).ok_or(Malformed)?;
        if self.choices.len() <= index {
            self.choices.resize_with(index + 1, Choice::default);
        }
        let place = index as u32;
        let state = &mut self.choices[index];
        state.has_begun = true;
        if state.is_finished {
            return Ok(None);
        }
        if let Some(said) = said {
            state.said(place, said, self.is_whole, tell)?;
        }
        if let Some(logprobs) = logprobs {
            tell(Event::Extra { choice: place, name: "logprobs", raw: logprobs.raw() });
        }
        let Some(reason) = reason else { return Ok(None) };
        if reason.is_empty() {
            state.had_empty_finish = true;
            return Ok(None);
        }
        match finish(reason, !state.calls.is_empty()) {
            Ok(reason) => {
                state.is_finished = true;
                tell(Event::Finish { choice: place, reason });
                Ok(None)
            }
            Err(class) => Ok(Some(ProviderError { class, message: Text::default(), retry_after_ms: None })),
        }
    }

    /// Finishes a choice that is complete without a word of it.
    fn finish_quietly(&mut self, index: usize, tell: &mut dyn FnMut(Event<'_>)) {
        let choice = &mut self.choices[index];
        if choice.has_begun && !choice.is_finished {
            choice.is_finished = true;
            let reason = if choice.calls.is_empty() { Finish::Stop } else { Finish::ToolCalls };
            tell(Event::Finish { choice: index as u32, reason });
        }
    }
}

/// What a finish reason means, or which failure it is.
fn finish(reason: Text<'_>, has_calls: bool) -> Result<Finish<'_>, ErrorClass> {
    let known = FINISHES.iter().find(|(name, _)| reason.says(name)).map(|(_, finish)| *finish);
    match known {
        // A turn whose call was forced ends with `stop` at OpenAI, and calls nevertheless.
        Some(Reason::Stop) if has_calls => Ok(Finish::ToolCalls),
        Some(Reason::Stop) => Ok(Finish::Stop),
        Some(Reason::Length) => Ok(Finish::Length),
        Some(Reason::ContextFull) => Ok(Finish::ContextFull),
        Some(Reason::ToolCalls) => Ok(Finish::ToolCalls),
        Some(Reason::ContentFilter) => Ok(Finish::ContentFilter),
        Some(Reason::Failure(class)) => Err(class),
        None => Ok(Finish::Other(reason)),
    }
}

#[derive(Clone, Copy)]
enum Reason {
    Stop,
    Length,
    ContextFull,
    ToolCalls,
    ContentFilter,
    Failure(ErrorClass),
}

const FINISHES: &[(&str, Reason)] = &[
    ("stop", Reason::Stop),
    ("tool_calls", Reason::ToolCalls),
    ("length", Reason::Length),
    ("content_filter", Reason::ContentFilter),
    ("function_call", Reason::ToolCalls),
    // Together's and others' names.
    ("eos", Reason::Stop),
    ("end_turn", Reason::Stop),
    ("stop_sequence", Reason::Stop),
    ("tool_use", Reason::ToolCalls),
    ("max_tokens", Reason::Length),
    // Mistral's.
    ("model_length", Reason::ContextFull),
    ("error", Reason::Failure(ErrorClass::Server)),
    // DeepSeek's.
    ("insufficient_system_resource", Reason::Failure(ErrorClass::Overloaded)),
    // Z.ai's.
    ("sensitive", Reason::ContentFilter),
    ("network_error", Reason::Failure(ErrorClass::Server)),
];

/// The counts of a usage object, without overlaps.
fn counts(text: &[u8], usage: Value<'_>) -> Option<canonical::Usage> {
    let member = Member { key: Span::default(), value: usage.span(), kind: usage.kind() };
    let mut counts = Usage::read(text, member)?.disjoint();
    let audio = |details: &str| {
        let tokens = walk::member(text, walk::member(text, usage.span(), details)?.value, "audio_tokens")?;
        value::u64_in(text, tokens.value)
    };
    counts.input_audio = audio("prompt_tokens_details").unwrap_or(0).min(counts.input());
    counts.output_audio = audio("completion_tokens_details").unwrap_or(0).min(counts.output);
    Some(counts)
}

#[cfg(test)]
mod tests;
