//! Reads an answer of Cohere's chat, whole or streamed, as events.
//!
//! What the model plans before it calls tools (`tool_plan`) is a thought. Citations tell from which document or result a stretch of the text is;
//! they are told as they are, under the name `citations`: OpenAI's annotations have a place for web addresses alone.
//!
//! A stream is complete with `message-end`, whatever follows, and with nothing else. An answer that says that it failed is an error.

use super::{classify, usage};
use crate::dialects::canonical::{ErrorClass, Event, Finish, Malformed, Progress};
use crate::dialects::open_calls::OpenCalls;
use crate::json::{
    Kind,
    piece::{Raw, Text},
    scan::{Members, Scanner},
    view::Value,
};

static WHOLE: Members = Members::last_wins(&["id", "message", "finish_reason", "usage"]);
const ID: usize = 0;
const MESSAGE: usize = 1;
const FINISH_REASON: usize = 2;
const USAGE: usize = 3;

/// Tells a whole answer.
///
/// # Errors
/// It is no answer: no JSON, no message, or no reason why it ended.
pub fn whole(text: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
    let mut scanner = Scanner::new(&WHOLE);
    let scan = scanner.finish(text).map_err(|_| Malformed)?;
    let member = |id| scan.member(id).map(|member| Value::at(text, member.value.start as usize));
    let message = member(MESSAGE).filter(|message| message.kind() == Kind::Object).ok_or(Malformed)?;
    let reason = member(FINISH_REASON).and_then(Value::text).ok_or(Malformed)?;
    tell(Event::Start { id: member(ID).and_then(Value::text).unwrap_or_default(), model: Text::default() });
    tell_thought(message.some("tool_plan"), tell);
    for block in message.some("content").into_iter().flat_map(Value::elements) {
        tell_thought(block.some("thinking"), tell);
        tell_text(block.some("text"), tell);
    }
    for (call, value) in (0..).zip(message.some("tool_calls").into_iter().flat_map(Value::elements)) {
        let (id, name, input) = opening(value)?;
        tell(Event::ToolCall { choice: 0, call, id, name, signature: None });
        let fragment = input.unwrap_or(Text::plain("{}"));
        tell(Event::ToolArguments { choice: 0, call, fragment });
    }
    let citations = message.some("citations").filter(|citations| citations.elements().next().is_some());
    if let Some(citations) = citations {
        tell(Event::Extra { choice: 0, name: "citations", raw: citations.raw() });
    }
    if let Some(usage) = member(USAGE).and_then(usage::read) {
        tell(Event::Usage(usage));
    }
    if finish(reason, Text::default(), tell) {
        tell(Event::End);
    }
    Ok(())
}

/// Id, name and input, if there is any yet, of a call.
fn opening(call: Value<'_>) -> Result<(Text<'_>, Text<'_>, Option<Text<'_>>), Malformed> {
    let id = call.some("id").and_then(Value::text).unwrap_or_default();
    let function = call.some("function").ok_or(Malformed)?;
    let said = |name| function.some(name).and_then(Value::text).filter(|text| !text.is_empty());
    Ok((id, said("name").ok_or(Malformed)?, said("arguments")))
}

fn tell_text(text: Option<Value<'_>>, tell: &mut dyn FnMut(Event<'_>)) {
    if let Some(text) = text.and_then(Value::text).filter(|text| !text.is_empty()) {
        tell(Event::Text { choice: 0, text });
    }
}

fn tell_thought(text: Option<Value<'_>>, tell: &mut dyn FnMut(Event<'_>)) {
    if let Some(text) = text.and_then(Value::text).filter(|text| !text.is_empty()) {
        tell(Event::Thinking { choice: 0, text });
    }
}

/// Tells why the answer ended; false if it failed, of which `error` has the words.
fn finish(reason: Text<'_>, error: Text<'_>, tell: &mut dyn FnMut(Event<'_>)) -> bool {
    let finish = match &*reason.decoded() {
        "COMPLETE" | "STOP_SEQUENCE" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        "TOOL_CALL" => Finish::ToolCalls,
        "ERROR_TOXIC" => Finish::ContentFilter,
        "ERROR" | "TIMEOUT" => {
            let mut error = classify::of_error(200, error);
            if reason.says("TIMEOUT") {
                error.class = ErrorClass::Timeout;
            }
            tell(Event::Error(error));
            return false;
        }
        _ => Finish::Other(reason.by_ref()),
    };
    tell(Event::Finish { choice: 0, reason: finish });
    true
}

static STREAMED: Members = Members::last_wins(&["type", "id", "index", "delta", "message"]);
const TYPE: usize = 0;
const STREAM_ID: usize = 1;
const INDEX: usize = 2;
const DELTA: usize = 3;
const ERROR_MESSAGE: usize = 4;

/// Reads a stream, event by event.
#[derive(Debug, Default)]
pub struct Reader {
    calls: OpenCalls,
    complete: bool,
}

impl Reader {
    /// Takes an event. Its type stands in its data too.
    ///
    /// # Errors
    /// It is not what the API says, or comes where it cannot.
    pub fn frame(&mut self, name: &[u8], data: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<Progress, Malformed> {
        if self.complete {
            return Ok(Progress::Complete);
        }
        if data.is_empty() || data == b"[DONE]" {
            return Ok(Progress::More);
        }
        let mut scanner = Scanner::new(&STREAMED);
        let scan = scanner.finish(data).map_err(|_| Malformed)?;
        let member = |id| scan.member(id).map(|member| Value::at(data, member.value.start as usize));
        let index = || member(INDEX).and_then(Value::u64).unwrap_or_default();
        let message = || member(DELTA).and_then(|delta| delta.some("message"));
        let kind = match scan.member(TYPE) {
            Some(kind) if kind.kind == Kind::String => kind.value.of(data).get(1..).unwrap_or_default(),
            _ => name,
        };
        // With the closing quote, where there is one.
        match kind.strip_suffix(b"\"").unwrap_or(kind) {
            b"content-delta" | b"content-start" => {
                if let Some(content) = message().and_then(|message| message.some("content")) {
                    tell_thought(content.some("thinking"), tell);
                    tell_text(content.some("text"), tell);
                }
            }
            b"tool-plan-delta" => tell_thought(message().and_then(|message| message.some("tool_plan")), tell),
            b"tool-call-start" => {
                let (id, name, input) = opening(message().and_then(tool_call).ok_or(Malformed)?)?;
                let call = self.calls.begin(index()).ok_or(Malformed)?;
                tell(Event::ToolCall { choice: 0, call, id, name, signature: None });
                if let Some(fragment) = input {
                    self.calls.input(index());
                    tell(Event::ToolArguments { choice: 0, call, fragment });
                }
            }
            b"tool-call-delta" => {
                let function = message().and_then(tool_call).and_then(|call| call.some("function"));
                let fragment = function.and_then(|function| function.some("arguments")).and_then(Value::text);
                if let Some(fragment) = fragment.filter(|fragment| !fragment.is_empty()) {
                    let call = self.calls.input(index()).ok_or(Malformed)?;
                    tell(Event::ToolArguments { choice: 0, call, fragment });
                }
            }
            b"tool-call-end" => {
                if let Some(call) = self.calls.close(index()) {
                    tell(Event::ToolArguments { choice: 0, call, fragment: Text::plain("{}") });
                }
            }
            b"citation-start" => {
                if let Some(citations) = message().and_then(|message| message.some("citations")) {
                    // A list of one, as a whole answer has a list.
                    let list = [b"[", citations.bytes(), b"]"].concat();
                    tell(Event::Extra { choice: 0, name: "citations", raw: Raw(list.into()) });
                }
            }
            b"message-start" => {
                let id = member(STREAM_ID).and_then(Value::text).unwrap_or_default();
                tell(Event::Start { id, model: Text::default() });
            }
            b"message-end" => {
                let delta = member(DELTA).ok_or(Malformed)?;
                let reason = delta.some("finish_reason").and_then(Value::text).ok_or(Malformed)?;
                if let Some(usage) = delta.some("usage").and_then(usage::read) {
                    tell(Event::Usage(usage));
                }
                let error = delta.some("error").and_then(Value::text).unwrap_or_default();
                if finish(reason, error, tell) {
                    self.complete = true;
                    tell(Event::End);
                    return Ok(Progress::Complete);
                }
            }
            // What an error's body says stands where an event's data should.
            b"" => {
                let message = member(ERROR_MESSAGE).and_then(Value::text).ok_or(Malformed)?;
                tell(Event::Error(classify::of_error(200, message)));
            }
            _ => {}
        }
        Ok(Progress::More)
    }

    /// The upstream ended its stream.
    ///
    /// # Errors
    /// It ended before the message did.
    pub fn end(&mut self, _tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
        if self.complete { Ok(()) } else { Err(Malformed) }
    }
}

/// The call of a streamed message: one, or the first of a list.
fn tool_call(message: Value<'_>) -> Option<Value<'_>> {
    let calls = message.some("tool_calls")?;
    if calls.kind() == Kind::Array { calls.elements().next() } else { Some(calls) }
}

#[cfg(test)]
mod tests;
