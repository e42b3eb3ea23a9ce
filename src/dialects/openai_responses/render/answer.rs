//! What both a stream and a whole answer are put together from: the items so far.
//!
//! One item that is no call is open at a time, and ends when another begins. Calls may be interleaved: one stays open until
//! another item begins and its input is complete, a call of a tool that takes a text until the end, since nothing says when a text is
//! complete.
//!
//! The last event of a stream says the whole answer again, so it is kept, up to [`STREAMED_RESPONSE_BYTES_MAX`]; a stream that
//! says more fails. For a chunk nothing is allocated but what that, growing, needs.

use super::item::{Call, Item, Kind, Told, write_annotation, write_elements};
use super::{Ending, error_words, write_usage};
use crate::dialects::canonical::{ErrorClass, Event, Facts, Signature, Usage};
use crate::dialects::gemini::compact::compacted;
use crate::dialects::openai_responses::carried::Of;
use crate::dialects::openai_responses::echo::Echo;
use crate::json::piece::{Raw, Text};
use crate::json::scan::{Members, scan};
use crate::json::strings::decode_lossy;
use crate::json::view::Value;
use crate::json::write::Writer;
use crate::limits::STREAMED_RESPONSE_BYTES_MAX;

#[derive(Debug)]
pub struct Answer {
    facts: Facts,
    echo: Echo,
    is_streamed: bool,
    items: Vec<Item>,
    /// The open item that is no call.
    speech: Option<usize>,
    open_calls: usize,
    /// What the items hold.
    said_bytes: usize,
    /// Of the next event.
    sequence_number: u64,
    has_begun: bool,
    is_over: bool,
    ending: Ending,
    usage: Option<Usage>,
}

/// Prefix of the ids of answers.
const ID_PREFIX: &str = "resp_";

/// Which kind of speech an event adds to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speech {
    Reasoning,
    Text,
    Refusal,
}

impl Speech {
    fn is(self, kind: &Kind) -> bool {
        matches!(
            (self, kind),
            (Speech::Reasoning, Kind::Reasoning { .. })
                | (Speech::Text, Kind::Text { .. })
                | (Speech::Refusal, Kind::Refusal)
        )
    }

    fn kind(self) -> Kind {
        match self {
            Speech::Reasoning => Kind::Reasoning { signature: None },
            Speech::Text => Kind::Text { annotations: Vec::new(), logprobs: Vec::new() },
            Speech::Refusal => Kind::Refusal,
        }
    }
}

impl Answer {
    pub fn new(facts: Facts, echo: Echo, is_streamed: bool) -> Answer {
        Answer {
            facts,
            echo,
            is_streamed,
            items: Vec::new(),
            speech: None,
            open_calls: 0,
            said_bytes: 0,
            sequence_number: 0,
            has_begun: false,
            is_over: false,
            ending: Ending::Completed,
            usage: None,
        }
    }

    pub fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.is_over || event.choice().is_some_and(|choice| choice != 0) {
            return;
        }
        if !self.has_begun && !matches!(event, Event::Error(_)) {
            self.begin(out);
        }
        match event {
            Event::Start { .. } => {}
            Event::Text { text, .. } => self.say(Speech::Text, text, out),
            Event::Refusal { text, .. } => self.say(Speech::Refusal, text, out),
            Event::Thinking { text, .. } => self.say(Speech::Reasoning, text, out),
            Event::ThinkingSignature { signature, .. } => self.prove(signature, Of::Thoughts, out),
            Event::SealedThinking { signature, .. } => self.prove(signature, Of::Sealed, out),
            Event::ToolCall { call, id, name, signature, .. } => {
                if let Some(signature) = signature {
                    self.prove(signature, Of::Call, out);
                }
                self.call(*call, id, name, out);
            }
            Event::ToolArguments { call, fragment, .. } => self.arguments(*call, fragment, out),
            Event::Extra { name: "logprobs", raw, .. } => self.logprobs(raw, out),
            Event::Extra { name: "annotations", raw, .. } => self.annotations(raw, out),
            // What only Chat Completions has a place for.
            Event::Extra { .. } => {}
            Event::Finish { reason, .. } => {
                self.ending = Ending::of(reason);
                self.close_all(!matches!(self.ending, Ending::Completed), out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Error(error) => {
                let (code, usual) = error_words(error.class);
                // What a provider says of our credential is not for clients.
                let says = !error.message.is_empty() && error.class != ErrorClass::Credential;
                let message = if says { error.message.by_ref() } else { Text::plain(usual) };
                self.fail(code, &message, out);
            }
            Event::End => self.end(out),
        }
        if self.is_streamed && self.said_bytes > STREAMED_RESPONSE_BYTES_MAX && !self.is_over {
            let message = Text::plain("The answer is longer than this gateway keeps of a stream of this API.");
            self.fail("response_too_large", &message, out);
        }
    }

    /// Appends the whole answer.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.close_all(false, out);
        self.write_response(&mut Writer::new(out), self.ending.status(), None);
    }

    /// Ends a stream as failed.
    pub fn fail(&mut self, code: &str, message: &Text<'_>, out: &mut Vec<u8>) {
        if self.is_over || !self.is_streamed {
            return;
        }
        self.is_over = true;
        let mut json = self.named("response.failed", out);
        self.write_response(json.name("response"), "failed", Some((code, message)));
        ended(json);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        self.has_begun = true;
        if !self.is_streamed {
            return;
        }
        for name in ["response.created", "response.in_progress"] {
            let mut json = self.named(name, out);
            self.write_response(json.name("response"), "in_progress", None);
            ended(json);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.close_all(false, out);
        if !self.is_streamed {
            return;
        }
        self.is_over = true;
        let status = self.ending.status();
        let name = if status == "completed" { "response.completed" } else { "response.incomplete" };
        let mut json = self.named(name, out);
        self.write_response(json.name("response"), status, None);
        ended(json);
    }

    // ---- what is said ----

    /// More of a text. An empty one says nothing.
    fn say(&mut self, speech: Speech, text: &Text<'_>, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let index = self.open_speech(speech, out);
        self.begin_part(index, out);
        let item = &mut self.items[index];
        let before = item.said.len();
        text.append_escaped(&mut item.said);
        self.said_bytes += item.said.len() - before;
        match speech {
            Speech::Text => self.delta("response.output_text.delta", index, before, br#"","logprobs":[]}"#, out),
            Speech::Refusal => self.delta("response.refusal.delta", index, before, b"\"}", out),
            Speech::Reasoning => self.delta("response.reasoning_summary_text.delta", index, before, b"\"}", out),
        }
    }

    /// The open item of this kind; a new one if another kind is open.
    fn open_speech(&mut self, speech: Speech, out: &mut Vec<u8>) -> usize {
        match self.speech {
            Some(open) if speech.is(&self.items[open].kind) => open,
            _ => {
                let index = self.open(speech.kind(), out);
                self.speech = Some(index);
                index
            }
        }
    }

    /// What proves the thoughts before it and ends them, or has an item of its own.
    fn prove(&mut self, signature: &Signature<'_>, of: Of, out: &mut Vec<u8>) {
        let proved = self.speech.filter(|open| of == Of::Thoughts && Speech::Reasoning.is(&self.items[*open].kind));
        let index = match proved {
            Some(open) => open,
            None => self.open(Speech::Reasoning.kind(), out),
        };
        let value = signature.value.by_ref().into_owned();
        self.items[index].kind =
            Kind::Reasoning { signature: Some((Signature { origin: signature.origin, value }, of)) };
        self.speech = None;
        self.close(index, false, out);
    }

    fn call(&mut self, call: u32, id: &Text<'_>, name: &Text<'_>, out: &mut Vec<u8>) {
        let id = match id.is_empty() {
            false => id.by_ref().into_owned(),
            // Clients send it back with the result.
            true => Text::plain(format!("call_{}_{call}", self.answer_id())),
        };
        let is_custom = self.echo.has_custom_tools() && self.echo.is_custom(&name.decoded());
        let (namespace, name) = match self.echo.in_group(name) {
            Some((namespace, name)) => (Some(namespace.into()), Text::plain(name.to_owned())),
            None => (None, name.by_ref().into_owned()),
        };
        self.open(Kind::Call(Call { call, id, name, namespace, is_custom }), out);
        self.open_calls += 1;
    }

    fn arguments(&mut self, call: u32, fragment: &Text<'_>, out: &mut Vec<u8>) {
        if fragment.is_empty() {
            return;
        }
        let its = |item: &Item| item.is_open && matches!(&item.kind, Kind::Call(of) if of.call == call);
        // The last call is the one that goes on, as a rule. What comes for one that is complete is no part of its object.
        let Some(index) = self.items.iter().rposition(its) else { return };
        let item = &mut self.items[index];
        let before = item.said.len();
        fragment.append_escaped(&mut item.said);
        self.said_bytes += item.said.len() - before;
        let name = match item.kind.prefix() {
            "ctc" => "response.custom_tool_call_input.delta",
            _ => "response.function_call_arguments.delta",
        };
        self.delta(name, index, before, b"\"}", out);
    }

    /// Chat Completions' log probabilities: those of the content are told here with the text.
    fn logprobs(&mut self, raw: &Raw<'_>, out: &mut Vec<u8>) {
        let Some(content) = Value::root(&raw.0).some("content") else { return };
        let mut told = Vec::new();
        for token in content.elements() {
            Writer::new(&mut told).json(&compacted(token.bytes()));
        }
        if told.is_empty() {
            return;
        }
        let index = self.open_speech(Speech::Text, out);
        self.begin_part(index, out);
        self.said_bytes += told.len();
        if let Kind::Text { logprobs, .. } = &mut self.items[index].kind {
            Writer::new(logprobs).json(&told);
        }
        if self.is_streamed {
            let mut json = self.named("response.output_text.delta", out);
            json.json(&self.items[index].place).name("delta").string("").name("logprobs").open_array();
            json.json(&told).close_array();
            ended(json);
        }
    }

    fn annotations(&mut self, raw: &Raw<'_>, out: &mut Vec<u8>) {
        for annotation in Value::root(&raw.0).elements() {
            let index = self.open_speech(Speech::Text, out);
            self.begin_part(index, out);
            let mut told = Vec::new();
            write_annotation(&mut Writer::new(&mut told), annotation);
            let told = compacted(&told);
            self.said_bytes += told.len();
            let Kind::Text { annotations, .. } = &mut self.items[index].kind else { return };
            Writer::new(annotations).json(&told);
            if self.is_streamed {
                let mut list = Vec::new();
                write_elements(Writer::new(&mut list).open_array(), annotations);
                Writer::new(&mut list).close_array();
                let number = Value::root(&list).elements().count() - 1;
                let mut json = self.named("response.output_text.annotation.added", out);
                json.json(&self.items[index].place).name("annotation_index").number(number as u64);
                json.name("annotation").json(&told);
                ended(json);
            }
        }
    }

    // ---- items begin and end ----

    fn open(&mut self, kind: Kind, out: &mut Vec<u8>) -> usize {
        if let Some(open) = self.speech.take() {
            self.close(open, false, out);
        }
        self.close_complete_calls(out);
        let index = self.items.len();
        let id = format!("{}_{}_{index}", kind.prefix(), self.answer_id());
        let mut place = Vec::new();
        if self.is_streamed {
            let mut json = Writer::new(&mut place);
            json.name("item_id").string(&id).name("output_index").number(index as u64);
            match kind {
                Kind::Reasoning { .. } => drop(json.name("summary_index").number(0)),
                Kind::Text { .. } | Kind::Refusal => drop(json.name("content_index").number(0)),
                Kind::Call(_) => {}
            }
        }
        self.said_bytes += size_of::<Item>() + id.len();
        self.items.push(Item { kind, id, said: Vec::new(), has_part: false, is_open: true, is_cut: false, place });
        self.item_event("response.output_item.added", index, Told::Added, out);
        index
    }

    /// The part of an item that is no call, once there is something in it.
    fn begin_part(&mut self, index: usize, out: &mut Vec<u8>) {
        if !self.items[index].has_part {
            self.items[index].has_part = true;
            self.part_event(index, Told::Added, out);
        }
    }

    /// Ends an item.
    fn close(&mut self, index: usize, is_cut: bool, out: &mut Vec<u8>) {
        if self.items[index].kind.is_call() {
            self.open_calls -= 1;
            if self.items[index].said.is_empty() && self.items[index].kind.prefix() == "fc" {
                // Clients parse the arguments as JSON, and none at all is no JSON.
                self.items[index].said.extend_from_slice(b"{}");
                self.delta("response.function_call_arguments.delta", index, 0, b"\"}", out);
            }
        }
        let item = &mut self.items[index];
        item.is_open = false;
        item.is_cut = is_cut;
        let (name, member) = match &item.kind {
            Kind::Reasoning { .. } => ("response.reasoning_summary_text.done", "text"),
            Kind::Text { .. } => ("response.output_text.done", "text"),
            Kind::Refusal => ("response.refusal.done", "refusal"),
            Kind::Call(Call { is_custom: false, .. }) => ("response.function_call_arguments.done", "arguments"),
            Kind::Call(Call { is_custom: true, .. }) => ("response.custom_tool_call_input.done", "input"),
        };
        if self.is_streamed && (item.kind.is_call() || item.has_part) {
            let mut json = self.named(name, out);
            let item = &self.items[index];
            json.json(&item.place).name(member).text(&item.input());
            if let Kind::Text { logprobs, .. } = &item.kind {
                json.name("logprobs").open_array();
                write_elements(&mut json, logprobs);
                json.close_array();
            }
            ended(json);
            if item.has_part {
                self.part_event(index, Told::All, out);
            }
        }
        self.item_event("response.output_item.done", index, Told::All, out);
    }

    fn close_complete_calls(&mut self, out: &mut Vec<u8>) {
        if self.open_calls == 0 {
            return;
        }
        for index in 0..self.items.len() {
            if self.items[index].is_open && is_complete_call(&self.items[index]) {
                self.close(index, false, out);
            }
        }
    }

    fn close_all(&mut self, is_cut: bool, out: &mut Vec<u8>) {
        if self.speech.take().is_none() && self.open_calls == 0 {
            return;
        }
        for index in 0..self.items.len() {
            if self.items[index].is_open {
                self.close(index, is_cut, out);
            }
        }
    }

    // ---- how it is written ----

    /// The event of a piece of text: what the item says from `from` on.
    #[inline]
    fn delta(&mut self, name: &str, index: usize, from: usize, end: &[u8], out: &mut Vec<u8>) {
        if !self.is_streamed {
            return;
        }
        let json = self.named(name, out);
        let item = &self.items[index];
        json.out.push(b',');
        json.out.extend_from_slice(&item.place);
        json.out.extend_from_slice(br#","delta":""#);
        json.out.extend_from_slice(&item.said[from..]);
        json.out.extend_from_slice(end);
        json.out.extend_from_slice(b"\n\n");
    }

    fn part_event(&mut self, index: usize, told: Told, out: &mut Vec<u8>) {
        if !self.is_streamed {
            return;
        }
        let is_thought = matches!(self.items[index].kind, Kind::Reasoning { .. });
        let name = match (is_thought, told) {
            (true, Told::Added) => "response.reasoning_summary_part.added",
            (true, Told::All) => "response.reasoning_summary_part.done",
            (false, Told::Added) => "response.content_part.added",
            (false, Told::All) => "response.content_part.done",
        };
        let mut json = self.named(name, out);
        json.json(&self.items[index].place).name("part");
        self.items[index].write_part(&mut json, told);
        ended(json);
    }

    fn item_event(&mut self, name: &str, index: usize, told: Told, out: &mut Vec<u8>) {
        if !self.is_streamed {
            return;
        }
        let mut json = self.named(name, out);
        json.name("output_index").number(index as u64).name("item");
        self.items[index].write(&mut json, told);
        ended(json);
    }

    /// Begins an event: its name, and its object up to its number.
    fn named<'o>(&mut self, name: &str, out: &'o mut Vec<u8>) -> Writer<'o> {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\ndata: {\"type\":\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\",\"sequence_number\":");
        out.extend_from_slice(itoa::Buffer::new().format(self.sequence_number).as_bytes());
        self.sequence_number += 1;
        Writer::new(out)
    }

    fn write_response(&self, json: &mut Writer<'_>, status: &str, error: Option<(&str, &Text<'_>)>) {
        json.open_object().name("id").string(&format!("{ID_PREFIX}{}", self.answer_id()));
        json.name("object").string("response").name("created_at").number(self.facts.created_s);
        json.name("status").string(status).name("background").bool(false).name("error");
        match error {
            Some((code, message)) => {
                json.open_object().name("code").string(code).name("message").text(message).close_object()
            }
            None => json.null(),
        };
        json.name("incomplete_details");
        match &self.ending {
            Ending::Incomplete(reason) if status == "incomplete" => {
                json.open_object().name("reason").string(reason).close_object()
            }
            Ending::Other(reason) if status == "incomplete" => {
                let reason = Text::Escaped(reason.into());
                json.open_object().name("reason").text(&reason).close_object()
            }
            _ => json.null(),
        };
        json.name("model").string(&self.facts.model).name("output").open_array();
        for item in &self.items {
            item.write(json, Told::All);
        }
        json.close_array().name("previous_response_id").null().name("store").bool(false).name("usage");
        match &self.usage {
            Some(usage) if status != "in_progress" => write_usage(json, usage),
            _ => drop(json.null()),
        }
        self.echo.write(json);
        json.close_object();
    }

    fn answer_id(&self) -> &str {
        self.facts.id.strip_prefix(ID_PREFIX).unwrap_or(&self.facts.id)
    }
}

/// Is the input of a call a complete object? Asked once for each item that begins after it.
fn is_complete_call(item: &Item) -> bool {
    static NONE: Members = Members::last_wins(&[]);
    match &item.kind {
        Kind::Call(Call { is_custom: false, .. }) => scan(&NONE, decode_lossy(&item.said).as_bytes()).is_ok(),
        _ => false,
    }
}

/// Ends an event.
fn ended(mut json: Writer<'_>) {
    json.close_object().out.extend_from_slice(b"\n\n");
}
