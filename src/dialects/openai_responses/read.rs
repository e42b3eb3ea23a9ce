//! Reads an upstream's answer as canonical events: whole, or a stream of events.
//!
//! An item that is told at once, in a whole answer or where a server sends no deltas, gives the same events as one that is streamed.
//! Where an item has both its thoughts and their summary, a whole answer tells the thoughts, a stream whatever comes first. Items of tools
//! that the provider runs have no event: nothing is composed that asks for them.
//!
//! A stream is complete with `response.completed` or `response.incomplete`, and with nothing else. An event of a type that is not
//! known says nothing.

use super::carried::{self, Carried};
use super::classify;
use crate::dialects::canonical::{ErrorClass, Event, Finish, Malformed, Progress, ProviderError, Signature, Usage};
use crate::json::Kind;
use crate::json::piece::{Raw, Text};
use crate::json::scan::{Members, Scanner, scan};
use crate::json::view::Value;
use crate::limits::CALLS_MAX;
use std::array;

/// Reads a whole answer. After [`Event::Error`] there is nothing more.
///
/// # Errors
/// It is no JSON object, or not at its end.
pub fn whole(text: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
    let scan = scan(&WHOLE, text).map_err(|_| Malformed)?;
    let member = |id| scan.member(id).map(|member| Value::at(text, member.value.start as usize));
    let response = Response(array::from_fn(member));
    if let Some(error) = response.error() {
        tell(Event::Error(classify::of_error(error)));
        return Ok(());
    }
    let mut reader = Reader::default();
    reader.start(&response, tell);
    reader.complete(&response, tell)
}

/// What is read of an answer: its members in the order of [`READ`]. An answer has four times as many, which are passed over once.
struct Response<'a>([Option<Value<'a>>; READ.len()]);

const READ: [&str; 7] = ["error", "id", "model", "output", "status", "incomplete_details", "usage"];
static WHOLE: Members = Members::last_wins(&READ);

impl<'a> Response<'a> {
    fn of(response: Value<'a>) -> Response<'a> {
        let mut read = [None; READ.len()];
        for (name, value) in response.members() {
            if let Some(id) = READ.iter().position(|read| read.as_bytes() == &*name) {
                read[id] = Some(value);
            }
        }
        Response(read)
    }

    fn error(&self) -> Option<Value<'a>> {
        self.0[0].filter(|error| !error.is_null())
    }
}

static STREAMED: Members = Members::last_wins(&[
    "type",
    "delta",
    "output_index",
    "summary_index",
    "content_index",
    "logprobs",
    "item",
    "response",
]);
const TYPE: usize = 0;
const DELTA: usize = 1;
const OUTPUT_INDEX: usize = 2;
const SUMMARY_INDEX: usize = 3;
const CONTENT_INDEX: usize = 4;
const LOGPROBS: usize = 5;
const ITEM: usize = 6;
const RESPONSE: usize = 7;

/// A stream that is being read.
#[derive(Debug, Default)]
pub struct Reader {
    has_started: bool,
    /// The end, or an error, was told.
    is_complete: bool,
    /// Places of the items of which something was told, at most [`CALLS_MAX`].
    told: Vec<u64>,
    /// Calls that have begun, at most [`CALLS_MAX`].
    calls: Vec<Call>,
    thought: Option<Thought>,
    /// Of the call that comes next.
    call_signature: Option<Signature<'static>>,
}

#[derive(Debug)]
struct Call {
    /// Place of its item.
    index: u64,
    has_input: bool,
}

/// The thought that was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Thought {
    /// Place of its item.
    index: u64,
    is_summary: bool,
    part: u64,
}

impl Reader {
    /// Takes the next event of the stream.
    ///
    /// # Errors
    /// It is not what the API sends.
    pub fn frame(&mut self, name: &[u8], data: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<Progress, Malformed> {
        if self.is_complete {
            return Ok(Progress::Complete);
        }
        // No part of this API, but of servers that have the other one too; and empty events that keep connections alive.
        if data.starts_with(b"[DONE]") || data.iter().all(u8::is_ascii_whitespace) {
            return Ok(Progress::More);
        }
        let mut scanner = Scanner::new(&STREAMED);
        let scan = scanner.finish(data).map_err(|_| Malformed)?;
        let member = |id| scan.member(id).map(|member| Value::at(data, member.value.start as usize));
        let kind = match scan.member(TYPE) {
            Some(kind) if kind.kind == Kind::String => kind.value.of(data).get(1..).unwrap_or_default(),
            _ => name,
        };
        let delta = || member(DELTA).and_then(Value::text).filter(|delta| !delta.is_empty());
        let number = |id| member(id).and_then(Value::u64).unwrap_or_default();
        // With the closing quote, where there is one.
        match kind.strip_suffix(b"\"").unwrap_or(kind) {
            b"response.output_text.delta" => {
                let tokens = member(LOGPROBS).filter(|logprobs| logprobs.elements().next().is_some());
                if let Some(text) = delta() {
                    self.tells(number(OUTPUT_INDEX))?;
                    tell(Event::Text { choice: 0, text });
                }
                if let Some(tokens) = tokens {
                    tell_logprobs(tokens, tell);
                }
            }
            b"response.function_call_arguments.delta" | b"response.custom_tool_call_input.delta" => {
                let Some(fragment) = delta() else { return Ok(Progress::More) };
                let index = number(OUTPUT_INDEX);
                // The last call is the one that goes on, as a rule.
                if let Some(call) = self.calls.iter().rposition(|call| call.index == index) {
                    self.calls[call].has_input = true;
                    tell(Event::ToolArguments { choice: 0, call: call as u32, fragment });
                }
            }
            b"response.reasoning_summary_text.delta" => {
                let thought = Thought { index: number(OUTPUT_INDEX), is_summary: true, part: number(SUMMARY_INDEX) };
                self.think(thought, delta(), tell)?;
            }
            b"response.reasoning_text.delta" => {
                let thought = Thought { index: number(OUTPUT_INDEX), is_summary: false, part: number(CONTENT_INDEX) };
                self.think(thought, delta(), tell)?;
            }
            b"response.refusal.delta" => {
                if let Some(text) = delta() {
                    self.tells(number(OUTPUT_INDEX))?;
                    tell(Event::Refusal { choice: 0, text });
                }
            }
            b"response.output_item.added" => {
                if let Some(item) = member(ITEM) {
                    self.begin_call(item, number(OUTPUT_INDEX), tell)?;
                }
            }
            b"response.output_item.done" => {
                if let Some(item) = member(ITEM) {
                    self.item(item, number(OUTPUT_INDEX), tell)?;
                }
            }
            b"response.created" | b"response.in_progress" | b"response.queued" => {
                if let Some(response) = member(RESPONSE).filter(|_| !self.has_started) {
                    self.start(&Response::of(response), tell);
                }
            }
            b"response.completed" | b"response.incomplete" => {
                let response = Response::of(member(RESPONSE).ok_or(Malformed)?);
                self.start(&response, tell);
                self.complete(&response, tell)?;
                return Ok(Progress::Complete);
            }
            b"response.failed" => {
                self.is_complete = true;
                let error = member(RESPONSE).and_then(|response| response.some("error"));
                let nothing =
                    ProviderError { class: ErrorClass::Server, message: Text::default(), retry_after_ms: None };
                tell(Event::Error(error.map_or(nothing, classify::of_error)));
                return Ok(Progress::Complete);
            }
            b"error" => {
                self.is_complete = true;
                tell(Event::Error(classify::of_error(Value::root(data))));
                return Ok(Progress::Complete);
            }
            _ => {}
        }
        Ok(Progress::More)
    }

    /// The upstream ended its stream.
    ///
    /// # Errors
    /// The answer is not complete.
    pub fn end(&mut self, _tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
        if self.is_complete { Ok(()) } else { Err(Malformed) }
    }

    fn start(&mut self, response: &Response<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        if self.has_started {
            return;
        }
        self.has_started = true;
        let Response([_, id, model, ..]) = *response;
        let [id, model] = [id, model].map(|member| member.and_then(Value::text).unwrap_or_default());
        tell(Event::Start { id, model });
    }

    /// The end: the whole answer, of which only what was not streamed is told.
    fn complete(&mut self, response: &Response<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
        let Response([_, _, _, output, status, details, usage]) = *response;
        let status = status.and_then(Value::text);
        let details = details.and_then(|details| details.get("reason")?.text());
        let output = output.filter(|output| output.kind() == Kind::Array).ok_or(Malformed)?;
        if self.told.is_empty() && self.calls.is_empty() {
            for (index, item) in (0..).zip(output.elements()) {
                self.item(item, index, tell)?;
            }
        }
        let is_incomplete = status.as_ref().is_some_and(|status| status.says("incomplete"));
        let reason = match (status, details) {
            (Some(_), Some(reason)) if is_incomplete => match &*reason.decoded() {
                "max_output_tokens" => Finish::Length,
                "content_filter" => Finish::ContentFilter,
                _ => Finish::Other(reason.clone()),
            },
            (Some(status), _) if is_incomplete => Finish::Other(status),
            (Some(status), _) if !status.says("completed") => return Err(Malformed),
            _ if self.calls.is_empty() => Finish::Stop,
            _ => Finish::ToolCalls,
        };
        tell(Event::Finish { choice: 0, reason });
        if let Some(usage) = usage.filter(|usage| usage.kind() == Kind::Object) {
            tell(Event::Usage(counts(usage)));
        }
        self.is_complete = true;
        tell(Event::End);
        Ok(())
    }

    /// Something of the item at this place is told.
    fn tells(&mut self, index: u64) -> Result<(), Malformed> {
        if self.told.last() == Some(&index) || self.has_told(index) {
            return Ok(());
        }
        if self.told.len() >= CALLS_MAX {
            return Err(Malformed);
        }
        self.told.push(index);
        Ok(())
    }

    fn has_told(&self, index: u64) -> bool {
        self.told.contains(&index)
    }

    fn think(
        &mut self,
        thought: Thought,
        text: Option<Text<'_>>,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Malformed> {
        let Some(text) = text else { return Ok(()) };
        self.tells(thought.index)?;
        match self.thought {
            Some(last) if last == thought => {}
            // The other way to say the same.
            Some(last) if last.index == thought.index && last.is_summary != thought.is_summary => return Ok(()),
            Some(last) if last.index == thought.index => tell(Event::Thinking { choice: 0, text: paragraph() }),
            _ => {}
        }
        self.thought = Some(thought);
        tell(Event::Thinking { choice: 0, text });
        Ok(())
    }

    /// Tells that a call begins, if the item is one and has not begun.
    fn begin_call(
        &mut self,
        item: Value<'_>,
        index: u64,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<Option<usize>, Malformed> {
        let kind = item.get("type");
        if !kind.is_some_and(|kind| kind.says("function_call") || kind.says("custom_tool_call")) {
            return Ok(None);
        }
        if let Some(call) = self.calls.iter().rposition(|call| call.index == index) {
            return Ok(Some(call));
        }
        if self.calls.len() >= CALLS_MAX {
            return Err(Malformed);
        }
        self.calls.push(Call { index, has_input: false });
        let call = self.calls.len() - 1;
        let said = |name| item.get(name).and_then(Value::text).unwrap_or_default();
        let (id, name, signature) = (said("call_id"), said("name"), self.call_signature.take());
        tell(Event::ToolCall { choice: 0, call: call as u32, id, name, signature });
        Ok(Some(call))
    }

    /// An item at its end: what of it was not streamed.
    fn item(&mut self, item: Value<'_>, index: u64, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
        if let Some(call) = self.begin_call(item, index, tell)? {
            if !self.calls[call].has_input {
                self.calls[call].has_input = true;
                let input = ["arguments", "input"].iter().find_map(|name| item.get(name)?.text());
                if let Some(fragment) = input.filter(|input| !input.is_empty()) {
                    tell(Event::ToolArguments { choice: 0, call: call as u32, fragment });
                }
            }
            return Ok(());
        }
        let Some(kind) = item.get("type") else { return Ok(()) };
        let is_streamed = self.has_told(index);
        if kind.says("message") {
            self.tells(index)?;
            let content = item.get("content").filter(|_| !is_streamed);
            content.into_iter().flat_map(Value::elements).for_each(|part| tell_part(part, tell));
        } else if kind.says("reasoning") {
            self.tells(index)?;
            let has_text = is_streamed || tell_thoughts(item, tell);
            self.tell_proof(item, has_text, tell);
        }
        Ok(())
    }

    fn tell_proof(&mut self, item: Value<'_>, has_text: bool, tell: &mut dyn FnMut(Event<'_>)) {
        let said = |name| item.some(name).and_then(Value::text).filter(|text| !text.is_empty());
        let Some(sealed) = said("encrypted_content") else { return };
        match carried::read(said("id"), sealed, has_text) {
            Carried::Thoughts(signature) => tell(Event::ThinkingSignature { choice: 0, signature }),
            Carried::Sealed(signature) => tell(Event::SealedThinking { choice: 0, signature }),
            Carried::Call(Signature { origin, value }) => {
                self.call_signature = Some(Signature { origin, value: value.into_owned() });
            }
        }
    }
}

/// A part of a message that was not streamed.
fn tell_part(part: Value<'_>, tell: &mut dyn FnMut(Event<'_>)) {
    let said = |name| part.get(name).and_then(Value::text).filter(|text| !text.is_empty());
    let Some(kind) = part.get("type") else { return };
    if kind.says("output_text") {
        if let Some(text) = said("text") {
            tell(Event::Text { choice: 0, text });
        }
        if let Some(tokens) = part.get("logprobs").filter(|tokens| tokens.elements().next().is_some()) {
            tell_logprobs(tokens, tell);
        }
    } else if kind.says("refusal")
        && let Some(text) = said("refusal")
    {
        tell(Event::Refusal { choice: 0, text });
    }
}

/// Thoughts that were not streamed; are there any?
fn tell_thoughts(item: Value<'_>, tell: &mut dyn FnMut(Event<'_>)) -> bool {
    let texts = |name: &str| {
        let list = item.get(name).into_iter().flat_map(Value::elements);
        list.filter_map(|part| part.get("text")?.text()).filter(|text| !text.is_empty())
    };
    let name = if texts("content").next().is_some() { "content" } else { "summary" };
    let mut has_text = false;
    for text in texts(name) {
        if has_text {
            tell(Event::Thinking { choice: 0, text: paragraph() });
        }
        has_text = true;
        tell(Event::Thinking { choice: 0, text });
    }
    has_text
}

/// What stands between two parts of a summary.
fn paragraph() -> Text<'static> {
    Text::plain("\n\n")
}

/// In the form of Chat Completions, as other dialects know them.
fn tell_logprobs(tokens: Value<'_>, tell: &mut dyn FnMut(Event<'_>)) {
    let raw = [br#"{"content":"#, tokens.bytes(), br#","refusal":null}"#].concat();
    tell(Event::Extra { choice: 0, name: "logprobs", raw: Raw(raw.into()) });
}

/// Counts without overlaps: cached input is part of the input, and reasoning of the output.
fn counts(usage: Value<'_>) -> Usage {
    let count = |object: Option<Value<'_>>, name| {
        let tokens = object.and_then(|object| object.get(name)).and_then(Value::u64);
        tokens.filter(|tokens| *tokens <= TOKENS_MAX).unwrap_or(0)
    };
    let (input_details, output_details) = (usage.get("input_tokens_details"), usage.get("output_tokens_details"));
    let input = count(Some(usage), "input_tokens");
    let cache_read = count(input_details, "cached_tokens").min(input);
    let cache_write_short = count(input_details, "cache_write_tokens").min(input - cache_read);
    let output = count(Some(usage), "output_tokens");
    Usage {
        input_uncached: input - cache_read - cache_write_short,
        cache_read,
        cache_write_short,
        output,
        reasoning: count(output_details, "reasoning_tokens").min(output),
        ..Usage::default()
    }
}

/// Largest count that a sender with floating-point numbers can mean exactly.
const TOKENS_MAX: u64 = 1 << 53;

#[cfg(test)]
mod tests;
