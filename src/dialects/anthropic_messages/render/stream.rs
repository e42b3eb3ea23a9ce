//! A message as server-sent events. Nothing is allocated for a chunk, unless calls are interleaved.

use super::{
    Ending,
    held::{Held, HeldKind, Nesting},
    write_error, write_identity, write_usage,
};
use crate::{
    dialects::{
        anthropic_messages::carried::{self, UNSIGNED},
        canonical::{ErrorClass, Event, Facts, ProviderError, Signature, Usage},
    },
    json::{piece::Text, write::Writer},
    limits::HELD_CALLS_BYTES_MAX,
};
use std::borrow::Cow;

/// A stream on its way to a client.
pub struct Stream {
    facts: Facts,
    has_begun: bool,
    /// Its end, or an error, was written.
    is_over: bool,
    open: Option<Open>,
    /// Of the block that is open or comes next.
    index: u64,
    held: Vec<Held>,
    held_bytes: usize,
    ending: Ending,
    usage: Usage,
}

#[derive(Debug, Clone, Copy)]
enum Open {
    Text,
    Thinking,
    Call { call: u32, input: Nesting },
}

impl Stream {
    pub fn new(facts: Facts) -> Stream {
        Stream {
            facts,
            has_begun: false,
            is_over: false,
            open: None,
            index: 0,
            held: Vec::new(),
            held_bytes: 0,
            ending: Ending::default(),
            usage: Usage::default(),
        }
    }

    /// Appends what the client gets of `event`.
    pub fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.is_over || event.choice().is_some_and(|choice| choice != 0) {
            return;
        }
        if !self.has_begun && !matches!(event, Event::Error(_)) {
            self.begin(out);
        }
        match event {
            Event::Start { .. } | Event::Extra { .. } => {}
            Event::Text { text, .. } | Event::Refusal { text, .. } => self.text(text, out),
            Event::Thinking { text, .. } => self.thinking(text, out),
            Event::ThinkingSignature { signature, .. } => self.signature(signature, out),
            Event::SealedThinking { signature, .. } => self.sealed(signature, out),
            Event::ToolCall { call, id, name, signature, .. } => {
                self.ending.has_calls = true;
                self.call(*call, id, name, signature.as_ref(), out);
            }
            Event::ToolArguments { call, fragment, .. } => self.arguments(*call, fragment, out),
            Event::Finish { reason, .. } => self.ending.take(reason),
            Event::Usage(usage) => self.usage = *usage,
            Event::Error(error) => self.fail(error, out),
            Event::End => self.end(out),
        }
        if self.held_bytes > HELD_CALLS_BYTES_MAX {
            let message = Text::plain("The model's provider interleaves more than can be put in order.");
            self.fail(&ProviderError { class: ErrorClass::Server, message, retry_after_ms: None }, out);
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        self.has_begun = true;
        let mut json = named(out, "message_start");
        json.name("message").open_object();
        write_identity(&mut json, &self.facts);
        json.name("content").open_array().close_array().name("stop_reason").null().name("stop_sequence").null();
        json.name("usage");
        write_usage(&mut json, &Usage::default(), true);
        json.close_object();
        ended(json);
    }

    fn fail(&mut self, error: &ProviderError<'_>, out: &mut Vec<u8>) {
        self.is_over = true;
        self.held = Vec::new();
        self.held_bytes = 0;
        out.extend_from_slice(b"event: error\ndata: ");
        write_error(&mut Writer::new(out), error);
        out.extend_from_slice(b"\n\n");
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        while !self.held.is_empty() {
            self.close(out);
            self.release_one(out);
        }
        self.close(out);
        self.is_over = true;
        let mut json = named(out, "message_delta");
        json.name("delta").open_object();
        self.ending.write(&mut json);
        json.close_object().name("usage");
        write_usage(&mut json, &self.usage, false);
        ended(json);
        ended(named(out, "message_stop"));
    }

    /// Must what comes wait for the open call?
    fn is_busy(&self) -> bool {
        matches!(self.open, Some(Open::Call { input, .. }) if !input.is_complete())
    }

    fn text(&mut self, text: &Text<'_>, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if self.is_busy() {
            return self.hold_more(text, |kind| matches!(kind, HeldKind::Text), HeldKind::Text);
        }
        if !matches!(self.open, Some(Open::Text)) {
            self.close(out);
            self.open(Open::Text, br#"{"type":"text","text":""}"#, out);
        }
        self.delta(br#"{"type":"text_delta","text":""#, |out| text.append_escaped(out), out);
    }

    fn thinking(&mut self, text: &Text<'_>, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if self.is_busy() {
            return self.hold_more(text, |kind| matches!(kind, HeldKind::Thinking), HeldKind::Thinking);
        }
        self.think(out);
        self.delta(br#"{"type":"thinking_delta","thinking":""#, |out| text.append_escaped(out), out);
    }

    /// Opens a block of thoughts, unless one is open.
    fn think(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.open, Some(Open::Thinking)) {
            self.close(out);
            self.open(Open::Thinking, br#"{"type":"thinking","thinking":"","signature":""}"#, out);
        }
    }

    fn signature(&mut self, signature: &Signature<'_>, out: &mut Vec<u8>) {
        if self.is_busy() {
            return self.hold(HeldKind::Signature, tagged(signature, false));
        }
        self.think(out);
        self.sign(|out| carried::append(signature, false, out), out);
    }

    /// Ends the open block of thoughts with what proves it.
    fn sign(&mut self, value: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
        self.delta(br#"{"type":"signature_delta","signature":""#, value, out);
        self.stop(out);
    }

    fn sealed(&mut self, signature: &Signature<'_>, out: &mut Vec<u8>) {
        if self.is_busy() {
            return self.hold(HeldKind::Sealed, tagged(signature, false));
        }
        self.close(out);
        self.seal(&tagged(signature, false), out);
    }

    fn seal(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let block = [br#"{"type":"redacted_thinking","data":""#, data, br#""}"#].concat();
        self.open(Open::Text, &block, out);
        self.stop(out);
    }

    fn call(
        &mut self,
        call: u32,
        id: &Text<'_>,
        name: &Text<'_>,
        signature: Option<&Signature<'_>>,
        out: &mut Vec<u8>,
    ) {
        if self.is_busy() {
            let escaped = |text: &Text<'_>| {
                let mut escaped = Vec::new();
                text.append_escaped(&mut escaped);
                escaped
            };
            let signature = signature.map(|signature| tagged(signature, true));
            return self.hold(HeldKind::Call { call, id: escaped(id), name: escaped(name), signature }, Vec::new());
        }
        self.close(out);
        if let Some(signature) = signature {
            self.think(out);
            self.sign(|out| carried::append(signature, true, out), out);
        }
        self.open_call(call, id, name, out);
    }

    fn open_call(&mut self, call: u32, id: &Text<'_>, name: &Text<'_>, out: &mut Vec<u8>) {
        self.open = Some(Open::Call { call, input: Nesting::default() });
        let mut json = named(out, "content_block_start");
        json.name("index").number(self.index).name("content_block").open_object().name("type").string("tool_use");
        json.name("id").text(id).name("name").text(name).name("input").json(b"{}").close_object();
        ended(json);
    }

    fn arguments(&mut self, call: u32, fragment: &Text<'_>, out: &mut Vec<u8>) {
        if fragment.is_empty() {
            return;
        }
        if let Some(Open::Call { call: open, input }) = &mut self.open
            && *open == call
        {
            input.take(fragment);
            self.delta(br#"{"type":"input_json_delta","partial_json":""#, |out| fragment.append_escaped(out), out);
            while !self.held.is_empty() && !self.is_busy() {
                self.close(out);
                self.release_one(out);
            }
            return;
        }
        let its = |held: &&mut Held| matches!(held.kind, HeldKind::Call { call: held, .. } if held == call);
        // What comes for a call that is complete and closed is no part of its object.
        if let Some(held) = self.held.iter_mut().find(its) {
            let before = held.said.len();
            fragment.append_escaped(&mut held.said);
            self.held_bytes += held.said.len() - before;
        }
    }

    fn hold(&mut self, kind: HeldKind, said: Vec<u8>) {
        // What a block costs beside what it says.
        self.held_bytes += said.len() + size_of::<Held>();
        if let HeldKind::Call { id, name, signature, .. } = &kind {
            self.held_bytes += id.len() + name.len() + signature.as_ref().map_or(0, Vec::len);
        }
        self.held.push(Held { kind, said });
    }

    /// Holds more of a text: behind what is held of it, if that is the last.
    fn hold_more(&mut self, text: &Text<'_>, is_same: impl Fn(&HeldKind) -> bool, kind: HeldKind) {
        if !self.held.last().is_some_and(|last| is_same(&last.kind)) {
            self.hold(kind, Vec::new());
        }
        if let Some(last) = self.held.last_mut() {
            let before = last.said.len();
            text.append_escaped(&mut last.said);
            self.held_bytes += last.said.len() - before;
        }
    }

    /// Writes the first block that waits; no block is open. A call stays open: more of it may come.
    fn release_one(&mut self, out: &mut Vec<u8>) {
        let Held { kind, said } = self.held.remove(0);
        if self.held.is_empty() {
            self.held_bytes = 0;
        }
        let text = Text::Escaped(Cow::Borrowed(&said));
        match kind {
            HeldKind::Text => self.text(&text, out),
            HeldKind::Thinking => {
                self.thinking(&text, out);
                if matches!(self.held.first(), Some(Held { kind: HeldKind::Signature, .. })) {
                    let Held { said, .. } = self.held.remove(0);
                    self.sign(|out| out.extend_from_slice(&said), out);
                }
            }
            HeldKind::Signature => {
                self.think(out);
                self.sign(|out| out.extend_from_slice(&said), out);
            }
            HeldKind::Sealed => self.seal(&said, out),
            HeldKind::Call { call, id, name, signature } => {
                if let Some(signature) = signature {
                    self.think(out);
                    self.sign(|out| out.extend_from_slice(&signature), out);
                }
                self.open_call(call, &Text::Escaped(Cow::Owned(id)), &Text::Escaped(Cow::Owned(name)), out);
                if !said.is_empty() {
                    if let Some(Open::Call { input, .. }) = &mut self.open {
                        input.take_escaped(&said);
                    }
                    self.delta(br#"{"type":"input_json_delta","partial_json":""#, |out| text.append_escaped(out), out);
                }
            }
        }
    }

    fn open(&mut self, open: Open, block: &[u8], out: &mut Vec<u8>) {
        self.open = Some(open);
        let mut json = named(out, "content_block_start");
        json.name("index").number(self.index).name("content_block").json(block);
        ended(json);
    }

    /// Writes a delta of one text; `begin` is all of it before the text.
    #[inline]
    fn delta(&self, begin: &[u8], text: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
        out.extend_from_slice(itoa::Buffer::new().format(self.index).as_bytes());
        out.extend_from_slice(b",\"delta\":");
        out.extend_from_slice(begin);
        text(out);
        out.extend_from_slice(b"\"}}\n\n");
    }

    /// Ends the open block, if there is one.
    fn close(&mut self, out: &mut Vec<u8>) {
        match self.open {
            None => {}
            // What nobody signed says so, lest Anthropic be asked to take it back.
            Some(Open::Thinking) => self.sign(|out| out.extend_from_slice(UNSIGNED.as_bytes()), out),
            Some(_) => self.stop(out),
        }
    }

    fn stop(&mut self, out: &mut Vec<u8>) {
        self.open = None;
        let mut json = named(out, "content_block_stop");
        json.name("index").number(self.index);
        ended(json);
        self.index += 1;
    }
}

fn tagged(signature: &Signature<'_>, is_call: bool) -> Vec<u8> {
    let mut tagged = Vec::new();
    carried::append(signature, is_call, &mut tagged);
    tagged
}

/// Begins an event: its name, and its object up to its type.
fn named<'o>(out: &'o mut Vec<u8>, name: &str) -> Writer<'o> {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let mut json = Writer::new(out);
    json.open_object().name("type").string(name);
    json
}

/// Ends an event.
fn ended(mut json: Writer<'_>) {
    json.close_object().out.extend_from_slice(b"\n\n");
}
