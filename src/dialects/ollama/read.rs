//! Reads an answer of `/api/chat`, whole or streamed line by line, as events.
//!
//! A whole answer is the last line of a stream with everything in it, so both are read alike. Calls come whole, their inputs as objects. Older
//! servers give them no id: then one is made of the time at which the answer's line was written, so that no two answers have the same.
//! An answer that called tools ends with `stop`, as any other does.
//!
//! A stream is complete with the line that says `done`, and with nothing else. A model that was loaded or unloaded has answered nothing.

use super::classify;
use crate::dialects::canonical::{ErrorClass, Event, Finish, Malformed, Progress, ProviderError, Usage};
use crate::json::{
    Kind,
    piece::{Raw, Text},
    scan::{Members, Scanner},
    view::Value,
    write::Writer,
};
use std::borrow::Cow;

static LINE: Members = Members::last_wins(&[
    "model",
    "created_at",
    "message",
    "done",
    "done_reason",
    "prompt_eval_count",
    "eval_count",
    "logprobs",
    "error",
]);
const MODEL: usize = 0;
const CREATED_AT: usize = 1;
const MESSAGE: usize = 2;
const DONE: usize = 3;
const DONE_REASON: usize = 4;
const PROMPT_EVAL_COUNT: usize = 5;
const EVAL_COUNT: usize = 6;
const LOGPROBS: usize = 7;
const ERROR: usize = 8;

/// Tells a whole answer.
///
/// # Errors
/// It is no answer, or not a whole one.
pub fn whole(text: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
    let mut reader = Reader::default();
    match reader.frame(b"", text, tell)? {
        Progress::Complete => Ok(()),
        Progress::More if reader.failed => Ok(()),
        Progress::More => Err(Malformed),
    }
}

/// Reads a stream, line by line.
#[derive(Debug, Default)]
pub struct Reader {
    started: bool,
    /// Calls that were told.
    calls: u32,
    failed: bool,
    complete: bool,
}

impl Reader {
    /// Takes a line; lines have no name.
    ///
    /// # Errors
    /// It is not what the API says.
    pub fn frame(&mut self, _name: &[u8], data: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<Progress, Malformed> {
        if self.complete {
            return Ok(Progress::Complete);
        }
        if data.iter().all(u8::is_ascii_whitespace) {
            return Ok(Progress::More);
        }
        let mut scanner = Scanner::new(&LINE);
        let scan = scanner.finish(data).map_err(|_| Malformed)?;
        let member = |id| {
            let value = Value::at(data, scan.member(id)?.value.start as usize);
            (!value.is_null()).then_some(value)
        };
        let said = |id| member(id).and_then(Value::text).unwrap_or_default();
        if let Some(error) = member(ERROR) {
            let message = classify::message(error).unwrap_or_default();
            return Ok(self.fail(classify::of_error(200, message), tell));
        }
        let done = member(DONE).and_then(Value::bool).ok_or(Malformed)?;
        if !self.started {
            self.started = true;
            tell(Event::Start { id: Text::default(), model: said(MODEL) });
        }
        if let Some(message) = member(MESSAGE) {
            self.message(message, &said(CREATED_AT), tell)?;
        }
        if let Some(logprobs) = member(LOGPROBS).filter(|logprobs| logprobs.elements().next().is_some()) {
            tell(Event::Extra { choice: 0, name: "logprobs", raw: for_openai(logprobs) });
        }
        if !done {
            return Ok(Progress::More);
        }
        let reason = said(DONE_REASON);
        let finish = match &*reason.decoded() {
            "stop" | "" if self.calls > 0 => Finish::ToolCalls,
            "stop" | "" => Finish::Stop,
            "length" => Finish::Length,
            "load" | "unload" => {
                let message = Text::plain("The model was only loaded or unloaded.");
                let error = ProviderError { class: ErrorClass::Server, message, retry_after_ms: None };
                return Ok(self.fail(error, tell));
            }
            _ => Finish::Other(reason.by_ref()),
        };
        tell(Event::Finish { choice: 0, reason: finish });
        let count = |id| member(id).and_then(Value::u64);
        // A prompt that was all in the server's cache has no count on older servers.
        if let (input, Some(output)) = (count(PROMPT_EVAL_COUNT), count(EVAL_COUNT)) {
            let input_uncached = input.unwrap_or_default();
            tell(Event::Usage(Usage { input_uncached, output, ..Usage::default() }));
        }
        self.complete = true;
        tell(Event::End);
        Ok(Progress::Complete)
    }

    /// The upstream ended its stream.
    ///
    /// # Errors
    /// It ended before the answer did.
    pub fn end(&mut self, _tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
        if self.complete { Ok(()) } else { Err(Malformed) }
    }

    fn fail(&mut self, error: ProviderError<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Progress {
        self.failed = true;
        tell(Event::Error(error));
        Progress::More
    }

    fn message(
        &mut self,
        message: Value<'_>,
        created_at: &Text<'_>,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Malformed> {
        let (mut thought, mut said, mut calls) = (None, None, None);
        for (name, value) in message.members() {
            match &*name {
                b"content" => said = value.text().filter(|text| !text.is_empty()),
                b"thinking" => thought = value.text().filter(|text| !text.is_empty()),
                b"tool_calls" => calls = Some(value),
                _ => {}
            }
        }
        if let Some(text) = thought {
            tell(Event::Thinking { choice: 0, text });
        }
        if let Some(text) = said {
            tell(Event::Text { choice: 0, text });
        }
        for call in calls.into_iter().flat_map(Value::elements) {
            self.call(call, created_at, tell)?;
        }
        Ok(())
    }

    fn call(
        &mut self,
        call: Value<'_>,
        created_at: &Text<'_>,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Malformed> {
        let function = call.some("function").ok_or(Malformed)?;
        let name = function.some("name").and_then(Value::text).filter(|name| !name.is_empty()).ok_or(Malformed)?;
        let number = self.calls;
        self.calls += 1;
        let id = call.some("id").and_then(Value::text).filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| {
            let digits = created_at.decoded().chars().filter(char::is_ascii_digit).take(32).collect::<String>();
            Text::plain(format!("call_{digits}_{number}"))
        });
        tell(Event::ToolCall { choice: 0, call: number, id, name, signature: None });
        let fragment = match function.some("arguments") {
            Some(input) if input.kind() == Kind::Object => Text::of_raw(input.bytes()),
            // Some servers behind the same API send what OpenAI's dialect has.
            Some(input) => input.text().filter(|input| !input.is_empty()).ok_or(Malformed)?,
            None => Text::plain("{}"),
        };
        tell(Event::ToolArguments { choice: 0, call: number, fragment });
        Ok(())
    }
}

/// Log probabilities as OpenAI's `logprobs` of a choice. Ollama's tokens have the same members, but for the bytes that may be missing.
fn for_openai(logprobs: Value<'_>) -> Raw<'static> {
    let mut out = Vec::with_capacity(logprobs.bytes().len() * 2);
    let mut json = Writer::new(&mut out);
    json.open_object().name("content").open_array();
    for token in logprobs.elements() {
        token_for_openai(token, &mut json);
        json.name("top_logprobs").open_array();
        for other in token.some("top_logprobs").into_iter().flat_map(Value::elements) {
            token_for_openai(other, &mut json);
            json.close_object();
        }
        json.close_array().close_object();
    }
    json.close_array().name("refusal").null().close_object();
    Raw(Cow::Owned(out))
}

/// Opens the object of a token and leaves it open.
fn token_for_openai(token: Value<'_>, json: &mut Writer<'_>) {
    let said = token.some("token").and_then(Value::text).unwrap_or_default();
    json.open_object().name("token").text(&said).name("logprob");
    match token.some("logprob") {
        Some(number) => json.raw(&number.raw()),
        None => json.number(0),
    };
    json.name("bytes");
    if let Some(bytes) = token.some("bytes") {
        json.raw(&bytes.raw());
        return;
    }
    json.open_array();
    for byte in said.decoded().bytes() {
        json.number(u64::from(byte));
    }
    json.close_array();
}

#[cfg(test)]
mod tests;
