//! An answer as one object. It is put together piece by piece, as it was escaped, and written when it is complete.

use super::stream::{write_thinking_block, write_thought_signature};
use super::{write_call_id, write_finish, write_identity, write_usage};
use crate::dialects::canonical::{CallForms, Event, Facts, Finish, Signature, Usage};
use crate::json::piece::{Raw, Text};
use crate::json::write::Writer;

/// An answer that is being put together.
#[derive(Debug)]
pub struct Whole {
    facts: Facts,
    choices: Vec<Choice>,
    usage: Option<Usage>,
    forms: CallForms,
}

/// One choice. What was said is kept escaped.
#[derive(Debug, Default)]
struct Choice {
    content: Vec<u8>,
    refusal: Vec<u8>,
    reasoning: Vec<u8>,
    /// Where in `reasoning` the present block of thoughts begins.
    block_from: usize,
    /// Elements of `thinking_blocks`, with commas.
    blocks: Vec<u8>,
    calls: Vec<Call>,
    extras: Vec<(&'static str, Raw<'static>)>,
    /// The value of `finish_reason`.
    finish: Option<Finish<'static>>,
}

#[derive(Debug, Default)]
struct Call {
    call: u32,
    id: Text<'static>,
    name: Text<'static>,
    arguments: Vec<u8>,
    signature: Option<Signature<'static>>,
    /// Its input is a text.
    is_text: bool,
}

impl Whole {
    pub fn new(facts: Facts) -> Whole {
        Whole::with_calls_as(CallForms::default(), facts)
    }

    /// An answer whose calls have the forms that its client knows.
    pub fn with_calls_as(forms: CallForms, facts: Facts) -> Whole {
        Whole { facts, choices: Vec::new(), usage: None, forms }
    }

    /// Takes the next step of the answer. An error is not part of it: who sees one answers with that.
    pub fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { .. } | Event::Error(_) | Event::End => {}
            Event::Text { choice, text } => text.append_escaped(&mut self.choice(*choice).content),
            Event::Refusal { choice, text } => text.append_escaped(&mut self.choice(*choice).refusal),
            Event::Thinking { choice, text } => text.append_escaped(&mut self.choice(*choice).reasoning),
            Event::ThinkingSignature { choice, signature } => {
                self.choice(*choice).end_block(Some(signature));
            }
            Event::SealedThinking { choice, signature } => {
                let choice = self.choice(*choice);
                choice.end_block(None);
                write_thinking_block(&mut Writer::new(&mut choice.blocks), None, Some(signature));
            }
            Event::ToolCall { choice, call, id, name, signature } => {
                let signature = signature.as_ref().map(|signature| Signature {
                    origin: signature.origin,
                    value: signature.value.by_ref().into_owned(),
                });
                let is_text = self.forms.is_text(name);
                let (id, name) = (id.by_ref().into_owned(), name.by_ref().into_owned());
                let call = Call { call: *call, id, name, arguments: Vec::new(), signature, is_text };
                self.choice(*choice).calls.push(call);
            }
            Event::ToolArguments { choice, call, fragment } => {
                // The last call is the one that goes on, as a rule.
                let mut calls = self.choice(*choice).calls.iter_mut().rev();
                if let Some(call) = calls.find(|known| known.call == *call) {
                    fragment.append_escaped(&mut call.arguments);
                }
            }
            Event::Extra { choice, name, raw } => {
                let extras = &mut self.choice(*choice).extras;
                extras.retain(|(known, _)| known != name);
                extras.push((name, Raw(raw.0.to_vec().into())));
            }
            Event::Finish { choice, reason } => self.choice(*choice).finish = Some(owned(reason)),
            Event::Usage(usage) => self.usage = Some(*usage),
        }
    }

    /// Appends the answer.
    pub fn finish(self, out: &mut Vec<u8>) {
        let mut json = Writer::new(out);
        write_identity(&mut json, &self.facts, br#"","object":"chat.completion","created":"#);
        json.json(br#""choices":["#);
        for (index, mut choice) in (0..).zip(self.choices) {
            // Thoughts without a proof are a block too where there are blocks: who reads those leaves the other member alone.
            if !choice.blocks.is_empty() {
                choice.end_block(None);
            }
            choice.write(&mut json, index, &self.facts.id, &self.forms);
        }
        json.close_array();
        if let Some(usage) = &self.usage {
            write_usage(json.json(br#""usage":"#), usage);
        }
        json.close_object();
    }

    /// Readers bound the number of choices.
    fn choice(&mut self, choice: u32) -> &mut Choice {
        let index = choice as usize;
        if self.choices.len() <= index {
            self.choices.resize_with(index + 1, Choice::default);
        }
        &mut self.choices[index]
    }
}

fn owned(reason: &Finish<'_>) -> Finish<'static> {
    match reason {
        Finish::Stop => Finish::Stop,
        Finish::StopSequence(sequence) => Finish::StopSequence(sequence.by_ref().into_owned()),
        Finish::Length => Finish::Length,
        Finish::ContextFull => Finish::ContextFull,
        Finish::ToolCalls => Finish::ToolCalls,
        Finish::ContentFilter => Finish::ContentFilter,
        Finish::Pause => Finish::Pause,
        Finish::Other(reason) => Finish::Other(reason.by_ref().into_owned()),
    }
}

impl Choice {
    /// Ends the present block of thoughts, if there is one.
    fn end_block(&mut self, signature: Option<&Signature<'_>>) {
        let thoughts = self.reasoning.get(self.block_from..).unwrap_or_default();
        if signature.is_some() || !thoughts.is_empty() {
            write_thinking_block(&mut Writer::new(&mut self.blocks), Some(thoughts), signature);
        }
        self.block_from = self.reasoning.len();
    }

    fn write(&self, json: &mut Writer<'_>, index: u32, answer: &str, forms: &CallForms) {
        json.json(br#"{"index":"#).number(u64::from(index));
        json.json(br#""message":{"role":"assistant","content":"#);
        let says_nothing = self.content.is_empty() && !(self.calls.is_empty() && self.refusal.is_empty());
        escaped_or_null(json, &self.content, says_nothing);
        escaped_or_null(json.json(br#""refusal":"#), &self.refusal, self.refusal.is_empty());
        if !self.reasoning.is_empty() {
            escaped_or_null(json.name("reasoning_content"), &self.reasoning, false);
        }
        if !self.blocks.is_empty() {
            json.name("thinking_blocks").open_array().json(&self.blocks).close_array();
        }
        if let Some(call) = self.calls.first().filter(|_| forms.as_function_call) {
            call.write_function(json.name("function_call"));
        } else if !self.calls.is_empty() {
            json.name("tool_calls").open_array();
            for call in &self.calls {
                call.write(json, index, answer);
            }
            json.close_array();
        }
        let logprobs = |extra: &&(&str, Raw<'_>)| extra.0 == "logprobs";
        for (name, raw) in self.extras.iter().filter(|extra| !logprobs(extra)) {
            json.name(name).raw(raw);
        }
        match self.extras.iter().find(logprobs) {
            Some((_, raw)) => {
                json.close_object().name("logprobs").raw(raw).name("finish_reason");
            }
            None => json.out.extend_from_slice(br#"},"logprobs":null,"finish_reason":"#),
        }
        match &self.finish {
            Some(finish) => write_finish(json, finish, forms),
            None => {
                json.null();
            }
        }
        json.close_object();
    }
}

impl Call {
    fn write(&self, json: &mut Writer<'_>, choice: u32, answer: &str) {
        write_call_id(json.open_object().name("id"), &self.id, answer, choice, self.call);
        json.name("type");
        if self.is_text {
            json.string("custom").name("custom").open_object().name("name").text(&self.name);
            escaped_or_null(json.name("input"), &self.arguments, false);
            json.close_object();
        } else {
            self.write_function(json.string("function").name("function"));
        }
        if let Some(signature) = &self.signature {
            write_thought_signature(json, signature);
        }
        json.close_object();
    }

    /// The function and its arguments.
    fn write_function(&self, json: &mut Writer<'_>) {
        json.open_object().name("name").text(&self.name);
        // A function without parameters was called without arguments, by some models without an object.
        let arguments: &[u8] = if self.arguments.is_empty() { b"{}" } else { &self.arguments };
        escaped_or_null(json.name("arguments"), arguments, false);
        json.close_object();
    }
}

fn escaped_or_null(json: &mut Writer<'_>, escaped: &[u8], is_null: bool) {
    match is_null {
        true => json.null(),
        false => json.text(&Text::Escaped(escaped.into())),
    };
}
