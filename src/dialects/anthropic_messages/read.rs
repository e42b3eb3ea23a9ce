//! Reads an answer of the Messages API, whole or streamed, as events.
//!
//! Blocks of content that the API's own tools add (`server_tool_use`, their results, citations) have no event and are passed
//! over: nothing is composed that asks for them unless the client speaks this dialect, and then its answer passes through.
//!
//! A stream is complete with `message_stop` after a stop reason, and with nothing else. An event of a type that is not known says
//! nothing. An input that came with no fragment is the object that the block began with, which is empty.

use super::{classify, usage::Counts};
use crate::dialects::canonical::{Event, Finish, Malformed, Origin, Progress, Signature};
use crate::{
    json::{
        Kind,
        piece::Text,
        scan::{Members, Scanner},
        strings,
        template::Template,
        view::Value,
        walk,
    },
    limits::{KNOWN_DEPLOYMENTS_MAX, OPEN_BLOCKS_MAX},
};

static WHOLE: Members =
    Members::last_wins(&["id", "model", "content", "stop_reason", "stop_sequence", "usage", "error"]);
const ID: usize = 0;
const MODEL: usize = 1;
const CONTENT: usize = 2;
const STOP_REASON: usize = 3;
const STOP_SEQUENCE: usize = 4;
const USAGE: usize = 5;
const ERROR: usize = 6;

/// Where the values of a message begin that are looked for; 0 for those that it lacks.
type Places = [usize; ERROR + 1];

/// What is known of one deployment's messages: one that differs from the last in values only needs no scan (see `json::template`).
#[derive(Debug, Default)]
pub struct KnownMessage(Template<{ ERROR + 1 }>);

/// The same of some deployments. Two may share a place: slower, not wrong.
#[derive(Debug, Default)]
pub struct KnownMessages([KnownMessage; KNOWN_DEPLOYMENTS_MAX]);

impl KnownMessages {
    pub fn of(&mut self, deployment: u32) -> &mut KnownMessage {
        &mut self.0[deployment as usize % KNOWN_DEPLOYMENTS_MAX]
    }
}

/// Tells a whole answer.
///
/// # Errors
/// It is no message: no JSON, no content, or no stop reason.
pub fn whole(text: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
    whole_at(text, &places(text)?, tell)
}

/// The same of one that may be like those that are known, and is taken note of otherwise.
///
/// # Errors
/// As `whole`.
pub fn whole_like(known: &mut KnownMessage, text: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
    let places = match known.0.recognise(text) {
        Some(places) => places,
        None => {
            let places = places(text)?;
            known.0.learn(text, places);
            places
        }
    };
    whole_at(text, &places, tell)
}

fn places(text: &[u8]) -> Result<Places, Malformed> {
    let mut scanner = Scanner::new(&WHOLE);
    let scan = scanner.finish(text).map_err(|_| Malformed)?;
    Ok(std::array::from_fn(|id| scan.member(id).map_or(0, |member| member.value.start as usize)))
}

fn whole_at(text: &[u8], places: &Places, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
    let member = |id: usize| (places[id] > 0).then(|| Value::at(text, places[id]));
    let said = |id| member(id).and_then(Value::text).unwrap_or_default();
    if let Some(error) = member(ERROR).filter(|error| error.kind() == Kind::Object) {
        tell(Event::Error(classify::of_error(200, error)));
        return Ok(());
    }
    let content = member(CONTENT).filter(|content| content.kind() == Kind::Array).ok_or(Malformed)?;
    let reason = member(STOP_REASON).and_then(Value::text).ok_or(Malformed)?;
    tell(Event::Start { id: said(ID), model: said(MODEL) });
    let mut call = 0;
    let mut blocks = content.elements();
    loop {
        // A text as the API writes it needs not be passed over to be found.
        if let Some(text) = blocks.step(usual_text_block) {
            Opening::Text(text).tell(tell);
        } else if let Some(block) = blocks.next() {
            whole_block(block, &mut call, tell);
        } else {
            break;
        }
    }
    tell(Event::Finish { choice: 0, reason: finish(reason, member(STOP_SEQUENCE).and_then(Value::text)) });
    if places[USAGE] > 0 {
        let mut counts = Counts::default();
        counts.read(text, places[USAGE]);
        if counts.is_known() {
            tell(Event::Usage(counts.usage()));
        }
    }
    tell(Event::End);
    Ok(())
}

fn usual_text_block(text: &[u8], at: usize) -> Option<(Text<'_>, usize)> {
    let open = walk::after(text, at, br#"{"type":"text","text":"#).filter(|open| text[*open] == b'"')?;
    let end = walk::string_end(text, open);
    let said = Text::literal(text.get(open..end)?);
    (text.get(end) == Some(&b'}')).then_some((said, end + 1))
}

fn whole_block(block: Value<'_>, call: &mut u32, tell: &mut dyn FnMut(Event<'_>)) {
    match opening(block) {
        Opening::Call { id, name, input } => {
            tell(Event::ToolCall { choice: 0, call: *call, id, name, signature: None });
            let fragment = input.map_or(Text::plain("{}"), |input| Text::of_raw(input.bytes()));
            tell(Event::ToolArguments { choice: 0, call: *call, fragment });
            *call += 1;
        }
        other => other.tell(tell),
    }
}

/// What a block says where it begins; of a whole answer, all that it says.
enum Opening<'a> {
    Text(Text<'a>),
    Thinking { text: Text<'a>, signature: Text<'a> },
    Sealed(Text<'a>),
    Call { id: Text<'a>, name: Text<'a>, input: Option<Value<'a>> },
    Other,
}

fn opening(block: Value<'_>) -> Opening<'_> {
    if let Some(text) = block.last_after(br#"{"type":"text","text":"#).and_then(Value::text) {
        return Opening::Text(text);
    }
    let Some(kind) = block.some("type") else { return Opening::Other };
    let said = |name| block.some(name).and_then(Value::text).unwrap_or_default();
    if kind.says("text") {
        Opening::Text(said("text"))
    } else if kind.says("thinking") {
        Opening::Thinking { text: said("thinking"), signature: said("signature") }
    } else if kind.says("redacted_thinking") {
        Opening::Sealed(said("data"))
    } else if kind.says("tool_use") {
        let input = block.some("input").filter(|input| input.kind() == Kind::Object);
        Opening::Call { id: said("id"), name: said("name"), input }
    } else {
        Opening::Other
    }
}

impl Opening<'_> {
    /// Tells all but calls.
    fn tell(self, tell: &mut dyn FnMut(Event<'_>)) {
        match self {
            Opening::Text(text) if !text.is_empty() => tell(Event::Text { choice: 0, text }),
            Opening::Thinking { text, signature } => {
                if !text.is_empty() {
                    tell(Event::Thinking { choice: 0, text });
                }
                if !signature.is_empty() {
                    tell(Event::ThinkingSignature { choice: 0, signature: ours(signature) });
                }
            }
            Opening::Sealed(data) if !data.is_empty() => {
                tell(Event::SealedThinking { choice: 0, signature: ours(data) });
            }
            _ => {}
        }
    }
}

fn ours(value: Text<'_>) -> Signature<'_> {
    Signature { origin: Origin::Anthropic, value }
}

fn finish<'a>(reason: Text<'a>, sequence: Option<Text<'a>>) -> Finish<'a> {
    match (&*reason.decoded_bytes(), sequence) {
        (b"end_turn", _) => Finish::Stop,
        (b"stop_sequence", Some(sequence)) => Finish::StopSequence(sequence),
        (b"stop_sequence", None) => Finish::Stop,
        (b"tool_use", _) => Finish::ToolCalls,
        (b"max_tokens", _) => Finish::Length,
        (b"model_context_window_exceeded", _) => Finish::ContextFull,
        (b"refusal", _) => Finish::ContentFilter,
        (b"pause_turn", _) => Finish::Pause,
        _ => Finish::Other(reason),
    }
}

static STREAMED: Members =
    Members::last_wins(&["type", "index", "delta", "content_block", "message", "usage", "error"]);
const TYPE: usize = 0;
const INDEX: usize = 1;
const DELTA: usize = 2;
const CONTENT_BLOCK: usize = 3;
const MESSAGE: usize = 4;
const EVENT_USAGE: usize = 5;
const EVENT_ERROR: usize = 6;

/// Reads a stream, event by event.
#[derive(Debug, Default)]
pub struct Reader {
    counts: Counts,
    /// Calls that have begun and not ended. There is one at a time, but the format could have several.
    open: Vec<OpenCall>,
    /// Calls that have begun.
    calls: u32,
    finished: bool,
    complete: bool,
}

#[derive(Debug)]
struct OpenCall {
    /// Of its block.
    index: u64,
    call: u32,
    has_input: bool,
}

impl Reader {
    /// Takes one event of the stream.
    ///
    /// # Errors
    /// It is not what the API sends, or the message stopped without a reason.
    pub fn frame(&mut self, name: &[u8], data: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<Progress, Malformed> {
        if name == b"ping" {
            return Ok(Progress::More);
        }
        if let Some(text) = usual_text(data) {
            if !text.is_empty() {
                tell(Event::Text { choice: 0, text });
            }
            return Ok(Progress::More);
        }
        let mut scanner = Scanner::new(&STREAMED);
        let scan = scanner.finish(data).map_err(|_| Malformed)?;
        let member = |id| scan.member(id).map(|member| Value::at(data, member.value.start as usize));
        let kind = match scan.member(TYPE) {
            Some(kind) if kind.kind == Kind::String => kind.value.of(data).get(1..).unwrap_or_default(),
            _ => name,
        };
        // With the closing quote, where there is one.
        match kind.strip_suffix(b"\"").unwrap_or(kind) {
            b"content_block_delta" => {
                let Some(delta) = scan.member(DELTA) else { return Err(Malformed) };
                self.delta(data, delta.value.start as usize, || member(INDEX).and_then(Value::u64), tell);
            }
            b"content_block_start" => {
                let block = member(CONTENT_BLOCK).ok_or(Malformed)?;
                self.begin(block, member(INDEX).and_then(Value::u64).unwrap_or_default(), tell)?;
            }
            b"content_block_stop" => self.close(member(INDEX).and_then(Value::u64).unwrap_or_default(), tell),
            b"message_start" => {
                let message = member(MESSAGE).ok_or(Malformed)?;
                let said = |name| message.some(name).and_then(Value::text).unwrap_or_default();
                tell(Event::Start { id: said("id"), model: said("model") });
                if let Some(usage) = message.some("usage") {
                    self.usage(data, usage, tell);
                }
            }
            b"message_delta" => {
                let delta = member(DELTA);
                let reason = delta.and_then(|delta| delta.some("stop_reason")).and_then(Value::text);
                if let Some(reason) = reason
                    && !self.finished
                {
                    self.finished = true;
                    let sequence = delta.and_then(|delta| delta.some("stop_sequence")).and_then(Value::text);
                    tell(Event::Finish { choice: 0, reason: finish(reason, sequence) });
                }
                if let Some(usage) = member(EVENT_USAGE) {
                    self.usage(data, usage, tell);
                }
            }
            b"message_stop" => {
                if !self.finished {
                    return Err(Malformed);
                }
                self.complete = true;
                tell(Event::End);
                return Ok(Progress::Complete);
            }
            b"error" => {
                let error = member(EVENT_ERROR).unwrap_or(Value::root(data));
                tell(Event::Error(classify::of_error(200, error)));
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

    fn usage(&mut self, data: &[u8], usage: Value<'_>, tell: &mut dyn FnMut(Event<'_>)) {
        self.counts.read(data, usage.span().start as usize);
        if self.counts.is_known() {
            tell(Event::Usage(self.counts.usage()));
        }
    }

    fn begin(&mut self, block: Value<'_>, index: u64, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Malformed> {
        let (id, name, input) = match opening(block) {
            Opening::Call { id, name, input } => (id, name, input),
            other => {
                other.tell(tell);
                return Ok(());
            }
        };
        if self.open.len() >= OPEN_BLOCKS_MAX {
            return Err(Malformed);
        }
        let call = self.calls;
        self.calls += 1;
        tell(Event::ToolCall { choice: 0, call, id, name, signature: None });
        // Some servers say all of the input here.
        let input = input.filter(|input| input.members().next().is_some());
        if let Some(input) = input {
            tell(Event::ToolArguments { choice: 0, call, fragment: Text::of_raw(input.bytes()) });
        } else {
            self.open.push(OpenCall { index, call, has_input: false });
        }
        Ok(())
    }

    fn close(&mut self, index: u64, tell: &mut dyn FnMut(Event<'_>)) {
        let Some(place) = self.open.iter().position(|open| open.index == index) else { return };
        let OpenCall { call, has_input, .. } = self.open.swap_remove(place);
        if !has_input {
            tell(Event::ToolArguments { choice: 0, call, fragment: Text::plain("{}") });
        }
    }

    /// Reads the delta at `at`. Nearly all are texts, written in the same way.
    #[inline]
    fn delta(&mut self, data: &[u8], at: usize, index: impl Fn() -> Option<u64>, tell: &mut dyn FnMut(Event<'_>)) {
        if let Some(text) = walk::after(data, at, br#"{"type":"text_delta","text":"#).and_then(|at| Text::at(data, at))
        {
            if !text.is_empty() {
                tell(Event::Text { choice: 0, text });
            }
            return;
        }
        let delta = Value::at(data, at);
        let Some(kind) = delta.some("type") else { return };
        let said = |name| delta.some(name).and_then(Value::text).filter(|text| !text.is_empty());
        if kind.says("text_delta") {
            if let Some(text) = said("text") {
                tell(Event::Text { choice: 0, text });
            }
        } else if kind.says("input_json_delta") {
            let Some(fragment) = said("partial_json") else { return };
            let index = index().unwrap_or_default();
            if let Some(open) = self.open.iter_mut().find(|open| open.index == index) {
                open.has_input = true;
                tell(Event::ToolArguments { choice: 0, call: open.call, fragment });
            }
        } else if kind.says("thinking_delta") {
            if let Some(text) = said("thinking") {
                tell(Event::Thinking { choice: 0, text });
            }
        } else if kind.says("signature_delta")
            && let Some(signature) = said("signature")
        {
            tell(Event::ThinkingSignature { choice: 0, signature: ours(signature) });
        }
    }
}

/// The text of an event that is a piece of a text and written as the API does, as nearly all are: what is compared, byte by byte, need
/// not be scanned.
#[inline]
fn usual_text(data: &[u8]) -> Option<Text<'_>> {
    let index = data.strip_prefix(br#"{"type":"content_block_delta","index":"#)?;
    let digits = index.iter().position(|byte| !byte.is_ascii_digit())?;
    let is_number = digits == 1 || digits > 1 && index[0] != b'0';
    let text = index[digits..].strip_prefix(br##","delta":{"type":"text_delta","text":""##).filter(|_| is_number)?;
    let end = strings::valid_end(text, 0)?;
    (text[end..] == *b"\"}}").then(|| Text::Escaped(text[..end].into()))
}

#[cfg(test)]
pub(super) mod tests;
