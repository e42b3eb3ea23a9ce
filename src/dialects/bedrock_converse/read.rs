//! Reads an answer of Converse, whole or streamed, as events.
//!
//! A stream is messages of [`super::event_stream`]. [`Reader::message`] is where one becomes a frame: its name is the `:event-type`, or the
//! `:exception-type`, whose names end in `Exception`; its data is the payload. An error that stands in the headers alone has no frame
//! and is told at once; a message of a kind that nobody described says nothing.
//!
//! The usage comes behind the stop, in `metadata`, with which a stream is complete. One that ends between the two is complete too,
//! without a usage. Blocks have no number among the calls, and a block of text need not begin.
//!
//! What Bedrock's own tools and citations add has no event; the text that a citation covers is text.

use super::event_stream::{Kind as Frame, Message};
use super::{classify, usage};
use crate::dialects::canonical::{ErrorClass, Event, Finish, Malformed, Origin, Progress, ProviderError, Signature};
use crate::dialects::open_calls::OpenCalls;
use crate::json::{
    Kind,
    piece::Text,
    scan::{Members, Scanner},
    view::Value,
};

static WHOLE: Members = Members::last_wins(&["output", "stopReason", "usage"]);
const OUTPUT: usize = 0;
const STOP_REASON: usize = 1;
const USAGE: usize = 2;

/// Tells a whole answer.
///
/// # Errors
/// It is no answer of Converse: no JSON, no content, or no stop reason.
pub fn whole(text: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
    let mut scanner = Scanner::new(&WHOLE);
    let scan = scanner.finish(text).map_err(|_| Malformed)?;
    let member = |id| scan.member(id).map(|member| Value::at(text, member.value.start as usize));
    let content = member(OUTPUT).and_then(|output| output.some("message")?.some("content"));
    let content = content.filter(|content| content.kind() == Kind::Array).ok_or(Malformed)?;
    let reason = member(STOP_REASON).and_then(Value::text).ok_or(Malformed)?;
    tell(Event::Start { id: Text::default(), model: Text::default() });
    let mut call = 0;
    for block in content.elements() {
        for (name, value) in block.members() {
            whole_block(&name, value, &mut call, tell)?;
        }
    }
    if let Some(usage) = member(USAGE) {
        tell(Event::Usage(usage::read(usage)));
    }
    if finish(reason, tell) {
        tell(Event::End);
    }
    Ok(())
}

/// Tells a block by its one member.
fn whole_block(
    name: &[u8],
    value: Value<'_>,
    call: &mut u32,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<(), Malformed> {
    match name {
        b"text" => tell_text(value.text(), tell),
        b"reasoningContent" => match value.some("reasoningText") {
            Some(thought) => {
                tell_thought(thought.some("text").and_then(Value::text), tell);
                tell_signature(thought.some("signature").and_then(Value::text), tell);
            }
            None => tell_sealed(value.some("redactedContent").and_then(Value::text), tell),
        },
        b"toolUse" if is_client_s(value) => {
            let said = |name| value.some(name).and_then(Value::text).unwrap_or_default();
            let (id, name) = (said("toolUseId"), said("name"));
            if name.is_empty() {
                return Err(Malformed);
            }
            tell(Event::ToolCall { choice: 0, call: *call, id, name, signature: None });
            let input = value.some("input").filter(|input| input.kind() == Kind::Object);
            let fragment = input.map_or(Text::plain("{}"), |input| Text::of_raw(input.bytes()));
            tell(Event::ToolArguments { choice: 0, call: *call, fragment });
            *call += 1;
        }
        b"citationsContent" => {
            for piece in value.some("content").into_iter().flat_map(Value::elements) {
                tell_text(piece.some("text").and_then(Value::text), tell);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Is it a call for the client, and not one that Bedrock runs itself?
fn is_client_s(call: Value<'_>) -> bool {
    call.some("type").is_none_or(|kind| !kind.says("server_tool_use"))
}

fn tell_text(text: Option<Text<'_>>, tell: &mut dyn FnMut(Event<'_>)) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        tell(Event::Text { choice: 0, text });
    }
}

fn tell_thought(text: Option<Text<'_>>, tell: &mut dyn FnMut(Event<'_>)) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        tell(Event::Thinking { choice: 0, text });
    }
}

/// Only Anthropic's models sign what they think.
fn tell_signature(value: Option<Text<'_>>, tell: &mut dyn FnMut(Event<'_>)) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        tell(Event::ThinkingSignature { choice: 0, signature: Signature { origin: Origin::Anthropic, value } });
    }
}

fn tell_sealed(value: Option<Text<'_>>, tell: &mut dyn FnMut(Event<'_>)) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        tell(Event::SealedThinking { choice: 0, signature: Signature { origin: Origin::Anthropic, value } });
    }
}

/// Tells why the answer ended; false if it failed.
fn finish(reason: Text<'_>, tell: &mut dyn FnMut(Event<'_>)) -> bool {
    let finish = match &*reason.decoded() {
        "end_turn" | "stop_sequence" => Finish::Stop,
        "tool_use" => Finish::ToolCalls,
        "max_tokens" => Finish::Length,
        "model_context_window_exceeded" => Finish::ContextFull,
        "guardrail_intervened" | "content_filtered" => Finish::ContentFilter,
        "malformed_model_output" | "malformed_tool_use" => {
            // What the model said cannot be used; another attempt may do better.
            let message = reason.by_ref();
            tell(Event::Error(ProviderError { class: ErrorClass::Server, message, retry_after_ms: None }));
            return false;
        }
        _ => Finish::Other(reason.by_ref()),
    };
    tell(Event::Finish { choice: 0, reason: finish });
    true
}

static STREAMED: Members = Members::last_wins(&["contentBlockIndex", "delta", "start", "stopReason", "usage"]);
const INDEX: usize = 0;
const DELTA: usize = 1;
const START: usize = 2;
const STREAM_STOP_REASON: usize = 3;
const STREAM_USAGE: usize = 4;

/// Reads a stream, message by message.
#[derive(Debug, Default)]
pub struct Reader {
    calls: OpenCalls,
    finished: bool,
    complete: bool,
}

impl Reader {
    /// Takes a message of the stream.
    ///
    /// # Errors
    /// As `frame`.
    pub fn message(&mut self, message: &Message<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Result<Progress, Malformed> {
        match message.kind() {
            Frame::Event(name) | Frame::Exception(name) => self.frame(name.as_bytes(), message.payload, tell),
            Frame::Error { code, message } => {
                tell(Event::Error(classify::of_code(code, message)));
                Ok(Progress::More)
            }
            Frame::Unknown => Ok(Progress::More),
        }
    }

    /// Takes a message by its name and its payload.
    ///
    /// # Errors
    /// It is not what the API says, or comes where it cannot.
    pub fn frame(&mut self, name: &[u8], data: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<Progress, Malformed> {
        if self.complete {
            return Ok(Progress::Complete);
        }
        if name.ends_with(b"Exception") {
            let name = std::str::from_utf8(name).unwrap_or_default();
            tell(Event::Error(classify::classify_named(200, name, data)));
            return Ok(Progress::More);
        }
        let mut scanner = Scanner::new(&STREAMED);
        let scan = scanner.finish(data).map_err(|_| Malformed)?;
        let member = |id| scan.member(id).map(|member| Value::at(data, member.value.start as usize));
        let index = || member(INDEX).and_then(Value::u64).unwrap_or_default();
        match name {
            b"contentBlockDelta" => {
                for (name, value) in member(DELTA).ok_or(Malformed)?.members() {
                    self.delta(&name, value, index(), tell);
                }
            }
            b"contentBlockStart" => {
                let call = member(START).and_then(|start| start.some("toolUse")).filter(|call| is_client_s(*call));
                if let Some(call) = call {
                    let said = |name| call.some(name).and_then(Value::text).unwrap_or_default();
                    let (id, name) = (said("toolUseId"), said("name"));
                    if name.is_empty() {
                        return Err(Malformed);
                    }
                    let call = self.calls.begin(index()).ok_or(Malformed)?;
                    tell(Event::ToolCall { choice: 0, call, id, name, signature: None });
                }
            }
            b"contentBlockStop" => {
                if let Some(call) = self.calls.close(index()) {
                    tell(Event::ToolArguments { choice: 0, call, fragment: Text::plain("{}") });
                }
            }
            b"messageStart" => tell(Event::Start { id: Text::default(), model: Text::default() }),
            b"messageStop" => {
                let reason = member(STREAM_STOP_REASON).and_then(Value::text).ok_or(Malformed)?;
                if !self.finished {
                    self.finished = finish(reason, tell);
                }
            }
            b"metadata" => {
                if let Some(usage) = member(STREAM_USAGE) {
                    tell(Event::Usage(usage::read(usage)));
                }
                if self.finished {
                    return Ok(self.end_here(tell));
                }
            }
            // A kind of event that was added since.
            _ => {}
        }
        Ok(Progress::More)
    }

    /// The upstream ended its stream.
    ///
    /// # Errors
    /// It ended before the message did.
    pub fn end(&mut self, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
        if self.finished && !self.complete {
            self.end_here(tell);
        }
        if self.complete { Ok(()) } else { Err(Malformed) }
    }

    fn end_here(&mut self, tell: &mut dyn FnMut(Event<'_>)) -> Progress {
        self.complete = true;
        tell(Event::End);
        Progress::Complete
    }

    /// Tells a delta by its one member.
    fn delta(&mut self, name: &[u8], value: Value<'_>, index: u64, tell: &mut dyn FnMut(Event<'_>)) {
        match name {
            b"text" => tell_text(value.text(), tell),
            b"toolUse" => {
                let fragment = value.some("input").and_then(Value::text).filter(|fragment| !fragment.is_empty());
                if let Some(fragment) = fragment
                    && let Some(call) = self.calls.input(index)
                {
                    tell(Event::ToolArguments { choice: 0, call, fragment });
                }
            }
            b"reasoningContent" => {
                for (name, value) in value.members() {
                    match &*name {
                        b"text" => tell_thought(value.text(), tell),
                        b"signature" => tell_signature(value.text(), tell),
                        b"redactedContent" => tell_sealed(value.text(), tell),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
