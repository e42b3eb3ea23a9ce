//! What one choice says, in a chunk or whole.

use super::{CALLS_MAX, Event, Kind, Malformed, Text, Value};
use crate::dialects::canonical::{Origin, Signature};
use crate::dialects::openai_chat::signatures;
use crate::json::value;

/// What is remembered of a choice between chunks.
#[derive(Debug, Default)]
pub struct Choice {
    pub has_begun: bool,
    pub is_finished: bool,
    /// An empty finish reason was said. Some servers say it with every chunk, some only at the end.
    pub had_empty_finish: bool,
    pub calls: Vec<Call>,
}

/// A call that has begun; its number is its place.
#[derive(Debug)]
pub struct Call {
    /// The upstream's `index`.
    index: Option<u64>,
    /// Fingerprint of its id; 0 if it has none.
    id: u64,
    has_arguments: bool,
}

impl Choice {
    /// Reads a delta or a message.
    pub fn said(
        &mut self,
        choice: u32,
        said: Value<'_>,
        is_whole: bool,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Malformed> {
        // Nearly all chunks say nothing else.
        if let Some(text) = said.last_after(br#"{"content":"#).and_then(Value::text) {
            if !text.is_empty() {
                tell(Event::Text { choice, text });
            }
            return Ok(());
        }
        let (mut content, mut refusal, mut calls, mut function_call) = (None, None, None, None);
        let mut extras = [None; EXTRAS.len()];
        let mut thoughts = Thoughts::default();
        for (name, value) in said.members() {
            let place = match &*name {
                b"content" => &mut content,
                b"refusal" => &mut refusal,
                b"tool_calls" => &mut calls,
                b"function_call" => &mut function_call,
                b"reasoning_content" => &mut thoughts.reasoning_content,
                b"reasoning" => &mut thoughts.reasoning,
                b"thinking_blocks" => &mut thoughts.blocks,
                b"reasoning_details" => &mut thoughts.details,
                name => {
                    if let Some(place) = EXTRAS.iter().position(|extra| extra.as_bytes() == name) {
                        extras[place] = Some(value);
                    }
                    continue;
                }
            };
            *place = (!value.is_null()).then_some(value);
        }
        thoughts.tell(choice, tell);
        if let Some(content) = content {
            tell_content(choice, content, tell);
        }
        if let Some(text) = refusal.and_then(Value::text).filter(|text| !text.is_empty()) {
            tell(Event::Refusal { choice, text });
        }
        for call in calls.into_iter().flat_map(Value::elements) {
            self.call(choice, call, is_whole, tell)?;
        }
        if let Some(call) = function_call {
            self.function_call(choice, call, is_whole, tell)?;
        }
        for (name, extra) in EXTRAS.into_iter().zip(extras) {
            if let Some(extra) = extra.filter(|extra| value::is_truthy(extra.bytes())) {
                tell(Event::Extra { choice, name, raw: extra.raw() });
            }
        }
        Ok(())
    }

    fn call(
        &mut self,
        choice: u32,
        call: Value<'_>,
        is_whole: bool,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Malformed> {
        let (mut index, mut id, mut function, mut custom, mut signature) = (None, Text::default(), None, None, None);
        for (name, value) in call.members() {
            match &*name {
                b"index" => index = value.u64(),
                b"id" => id = value.text().unwrap_or_default(),
                b"function" => function = Some(value),
                b"custom" => custom = Some(value),
                b"extra_content" => signature = thought_signature(value),
                _ => {}
            }
        }
        let called = function.or(custom);
        let name = called.and_then(|called| called.get("name")?.text()).unwrap_or_default();
        let member = if function.is_some() { "arguments" } else { "input" };
        let fragment = called.and_then(|called| called.some(member)).map(fragment).filter(|text| !text.is_empty());

        let known = if is_whole { None } else { self.known(index, &id, &name) };
        let place = match known {
            Some(place) => place,
            None => {
                let place = self.begin(index, &id)?;
                tell(Event::ToolCall { choice, call: place as u32, id, name, signature });
                place
            }
        };
        if let Some(fragment) = fragment {
            self.calls[place].has_arguments = true;
            tell(Event::ToolArguments { choice, call: place as u32, fragment });
        }
        Ok(())
    }

    /// A call of before there were tools: one for each choice, without an id.
    fn function_call(
        &mut self,
        choice: u32,
        call: Value<'_>,
        is_whole: bool,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Malformed> {
        if self.calls.is_empty() || is_whole {
            let name = call.get("name").and_then(Value::text).unwrap_or_default();
            let call = self.begin(None, &Text::default())? as u32;
            tell(Event::ToolCall { choice, call, id: Text::default(), name, signature: None });
        }
        if let Some(fragment) = call.some("arguments").map(fragment).filter(|text| !text.is_empty()) {
            tell(Event::ToolArguments { choice, call: self.calls.len() as u32 - 1, fragment });
        }
        Ok(())
    }

    fn begin(&mut self, index: Option<u64>, id: &Text<'_>) -> Result<usize, Malformed> {
        if self.calls.len() >= CALLS_MAX {
            return Err(Malformed);
        }
        self.calls.push(Call { index, id: fingerprint(id), has_arguments: false });
        Ok(self.calls.len() - 1)
    }

    /// The call that a chunk goes on with. Servers that number all calls 0, or none, begin another one with another id, or with a
    /// name after arguments.
    fn known(&self, index: Option<u64>, id: &Text<'_>, name: &Text<'_>) -> Option<usize> {
        let id = fingerprint(id);
        let place = match index {
            Some(_) => self.calls.iter().rposition(|call| call.index == index)?,
            None if id != 0 => self.calls.iter().rposition(|call| call.id == id)?,
            None => self.calls.len().checked_sub(1)?,
        };
        let call = &self.calls[place];
        let goes_on = match (id, call.id) {
            (0, 0) => name.is_empty() || !call.has_arguments,
            (0, _) => true,
            (id, known) => id == known || name.is_empty(),
        };
        goes_on.then_some(place)
    }
}

/// Members of a message that are told as they are.
const EXTRAS: [&str; 3] = ["annotations", "audio", "images"];

/// A fingerprint that is not 0 unless the id is empty.
fn fingerprint(id: &Text<'_>) -> u64 {
    let said = match id {
        Text::Escaped(said) => said,
        Text::Plain(said) => said.as_bytes(),
    };
    if said.is_empty() {
        return 0;
    }
    said.iter().fold(0xCBF2_9CE4_8422_2325u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
        | 1
}

/// Arguments are a text; some servers send the object itself.
fn fragment(arguments: Value<'_>) -> Text<'_> {
    arguments.text().unwrap_or_else(|| Text::of_raw(arguments.bytes()))
}

fn thought_signature(extra_content: Value<'_>) -> Option<Signature<'_>> {
    let value = extra_content.get("google")?.get("thought_signature")?.text()?;
    Some(signatures::read(value, Origin::Gemini))
}

/// A text, or Mistral's list of texts and thoughts.
fn tell_content(choice: u32, content: Value<'_>, tell: &mut dyn FnMut(Event<'_>)) {
    if let Some(text) = content.text() {
        if !text.is_empty() {
            tell(Event::Text { choice, text });
        }
        return;
    }
    for part in content.elements() {
        if let Some(text) = part.get("text").and_then(Value::text).filter(|text| !text.is_empty()) {
            tell(Event::Text { choice, text });
        }
        for thought in part.get("thinking").into_iter().flat_map(Value::elements) {
            tell_thought(choice, thought.get("text"), tell);
        }
    }
}

fn tell_thought(choice: u32, thought: Option<Value<'_>>, tell: &mut dyn FnMut(Event<'_>)) -> bool {
    let text = thought.and_then(Value::text).filter(|text| !text.is_empty());
    let is_said = text.is_some();
    if let Some(text) = text {
        tell(Event::Thinking { choice, text });
    }
    is_said
}

/// The places where servers put thoughts; several say the same.
#[derive(Default)]
struct Thoughts<'t> {
    reasoning_content: Option<Value<'t>>,
    reasoning: Option<Value<'t>>,
    blocks: Option<Value<'t>>,
    details: Option<Value<'t>>,
}

impl Thoughts<'_> {
    fn tell(&self, choice: u32, tell: &mut dyn FnMut(Event<'_>)) {
        // Blocks with texts say which signature is for which; without texts they are the end of what was streamed before.
        let says = |block: Value<'_>| block.get("thinking").and_then(Value::text).is_some_and(|text| !text.is_empty());
        let blocks_say = self.blocks.is_some_and(|blocks| blocks.elements().any(says));
        let is_said = !blocks_say
            && (tell_thought(choice, self.reasoning_content, tell) || tell_thought(choice, self.reasoning, tell));
        if let Some(blocks) = self.blocks {
            for block in blocks.elements() {
                tell_block(choice, block, blocks_say, tell);
            }
            return;
        }
        for detail in self.details.into_iter().flat_map(Value::elements) {
            tell_detail(choice, detail, is_said, tell);
        }
    }
}

fn tell_block(choice: u32, block: Value<'_>, tells_text: bool, tell: &mut dyn FnMut(Event<'_>)) {
    let signature = |member: &str| {
        let value = block.get(member)?.text().filter(|value| !value.is_empty())?;
        Some(signatures::read(value, Origin::Unknown))
    };
    if let Some(signature) = signature("data") {
        tell(Event::SealedThinking { choice, signature });
        return;
    }
    if tells_text {
        tell_thought(choice, block.get("thinking"), tell);
    }
    if let Some(signature) = signature("signature") {
        tell(Event::ThinkingSignature { choice, signature });
    }
}

/// OpenRouter's: `reasoning.text` with a signature, `reasoning.summary`, `reasoning.encrypted`, and whose it is as `format`.
fn tell_detail(choice: u32, detail: Value<'_>, is_said: bool, tell: &mut dyn FnMut(Event<'_>)) {
    let format = detail.get("format").and_then(Value::text).unwrap_or_default();
    let format = format.decoded();
    let origins = [("anthropic", Origin::Anthropic), ("google", Origin::Gemini), ("openai", Origin::OpenAi)];
    let origin =
        origins.iter().find(|(name, _)| format.starts_with(name)).map_or(Origin::Unknown, |(_, origin)| *origin);
    let signature = |member: &str| {
        let value = detail.get(member)?.text().filter(|value| !value.is_empty())?;
        Some(Signature { origin, value })
    };
    if !is_said && detail.get("text").or(detail.get("summary")).is_some_and(|text| text.kind() == Kind::String) {
        tell_thought(choice, detail.get("text").or(detail.get("summary")), tell);
    }
    if let Some(signature) = signature("signature") {
        tell(Event::ThinkingSignature { choice, signature });
    }
    if let Some(signature) = signature("data") {
        tell(Event::SealedThinking { choice, signature });
    }
}
