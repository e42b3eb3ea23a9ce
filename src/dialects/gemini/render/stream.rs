//! An answer as increments: server-sent events, or with `Form::Array` an array of the same objects, for clients that did not ask for
//! events (`alt=sse`).
//!
//! What is held: calls, `HELD_CALL_BYTES_MAX` of them, and the reason of each choice. Nothing else is, so a text costs no allocation.

use super::{Call, Ending, candidate_member, write_identity, write_pictures};
use crate::dialects::canonical::{ErrorClass, Event, Facts, ProviderError, Usage};
use crate::dialects::gemini::{error, signature, usage};
use crate::error::Failure;
use crate::json::piece::Text;
use crate::json::write::Writer;
use crate::limits::HELD_CALL_BYTES_MAX;

/// How increments are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `data: {...}` and a blank line.
    Events,
    /// `[{...},{...}]`
    Array,
}

/// A stream that is being written.
#[derive(Debug)]
pub struct Stream {
    form: Form,
    /// What ends each increment, from after its candidates on.
    tail: Vec<u8>,
    has_begun: bool,
    has_ended: bool,
    calls: Vec<Call>,
    /// Memory that the calls take, in bytes.
    calls_bytes: usize,
    endings: Vec<(u32, Ending)>,
    usage: Option<Usage>,
}

impl Stream {
    /// For a client that takes events.
    pub fn new(facts: Facts) -> Stream {
        Stream::in_form(Form::Events, &facts)
    }

    pub fn in_form(form: Form, facts: &Facts) -> Stream {
        let mut tail = b"]".to_vec();
        write_identity(&mut Writer::new(&mut tail), facts);
        tail.push(b'}');
        Stream {
            form,
            tail,
            has_begun: false,
            has_ended: false,
            calls: Vec::new(),
            calls_bytes: 0,
            endings: Vec::new(),
            usage: None,
        }
    }

    /// Appends what the client gets of `event`.
    pub fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.has_ended {
            return;
        }
        match event {
            Event::Start { .. } => {}
            Event::Text { choice, text } | Event::Refusal { choice, text } => {
                self.part(*choice, out, |json| {
                    json.open_object().name("text").text(text).close_object();
                });
            }
            Event::Thinking { choice, text } => self.part(*choice, out, |json| {
                json.open_object().name("text").text(text).name("thought").bool(true).close_object();
            }),
            Event::ThinkingSignature { choice, signature } => {
                self.proof(*choice, &signature::written(signature, false), out);
            }
            Event::SealedThinking { choice, signature } => {
                self.proof(*choice, &signature::written(signature, true), out)
            }
            Event::ToolCall { choice, call, id, name, signature } => {
                let call = Call::new(*choice, *call, id, name, signature.as_ref());
                self.calls_bytes += call.bytes();
                self.calls.push(call);
                self.check_held(out);
            }
            Event::ToolArguments { choice, call, fragment } => {
                let begun = |held: &&mut Call| held.choice == *choice && held.call == *call;
                if let Some(held) = self.calls.iter_mut().rev().find(begun) {
                    let before = held.arguments.len();
                    fragment.append_decoded(&mut held.arguments);
                    self.calls_bytes += held.arguments.len() - before;
                    self.check_held(out);
                }
            }
            Event::Extra { choice, name: "images", raw } => self.part(*choice, out, |json| write_pictures(raw, json)),
            Event::Extra { choice, name, raw } => {
                if let Some((name, value)) = candidate_member(name, raw) {
                    self.begin(out);
                    let mut json = Writer::new(out);
                    json.open_object().name(name).raw(&value).name("index").number(u64::from(*choice)).close_object();
                    self.close(out);
                }
            }
            Event::Finish { choice, reason } => self.endings.push((*choice, Ending::of(reason))),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Error(error) => self.failed(out, |out| error::write_provider_error(error, out)),
            Event::End => self.end(out),
        }
    }

    /// Appends our own failure, which ends the stream.
    pub fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        if !self.has_ended {
            self.failed(out, |out| error::write_body(failure, out));
        }
    }

    /// Memory that held calls take, in bytes.
    #[cfg(test)]
    pub(super) fn calls_bytes(&self) -> usize {
        self.calls_bytes
    }

    fn failed(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        self.has_ended = true;
        self.frame(out);
        write(out);
        out.extend_from_slice(if self.form == Form::Events { b"\n\n" } else { b"]" });
    }

    /// What a model says in a call is not bounded by anything else.
    fn check_held(&mut self, out: &mut Vec<u8>) {
        if self.calls_bytes > HELD_CALL_BYTES_MAX {
            let message = Text::plain("The arguments of the model's tool calls are too long.");
            let error = ProviderError { class: ErrorClass::Server, message, retry_after_ms: None };
            self.failed(out, |out| error::write_provider_error(&error, out));
            self.calls = Vec::new();
        }
    }

    fn proof(&mut self, choice: u32, signature: &Text<'_>, out: &mut Vec<u8>) {
        self.part(choice, out, |json| {
            json.open_object().name("text").string("").name("thoughtSignature").text(signature).close_object();
        });
    }

    /// Appends an increment with what `write` writes as parts.
    fn part(&mut self, choice: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut Writer<'_>)) {
        self.begin(out);
        out.extend_from_slice(br#"{"content":{"parts":["#);
        let mut json = Writer::new(out);
        write(&mut json);
        json.out.extend_from_slice(br#"],"role":"model"}"#);
        json.name("index").number(u64::from(choice)).close_object();
        self.close(out);
    }

    /// The last increment.
    fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        let mut json = Writer::new(out);
        for (choice, mut ending) in std::mem::take(&mut self.endings) {
            json.open_object().name("content").open_object().name("parts").open_array();
            for call in self.calls.iter().filter(|call| call.choice == choice) {
                if !call.write(&mut json) {
                    ending = ending.without(call);
                }
            }
            if json.out.ends_with(b"[") {
                // SDKs take a content without parts for none.
                json.open_object().name("text").string("").close_object();
            }
            json.close_array().name("role").string("model").close_object();
            ending.write(&mut json);
            json.name("index").number(u64::from(choice)).close_object();
        }
        let usage = self.usage.take();
        if let Some(usage) = &usage {
            json.close_array().name("usageMetadata");
            usage::write(usage, &mut json);
            out.extend_from_slice(&self.tail[1..]);
        } else {
            out.extend_from_slice(&self.tail);
        }
        out.extend_from_slice(if self.form == Form::Events { b"\n\n" } else { b"]" });
        self.has_ended = true;
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        self.frame(out);
        out.extend_from_slice(br#"{"candidates":["#);
    }

    fn frame(&mut self, out: &mut Vec<u8>) {
        let before: &[u8] = match (self.form, std::mem::replace(&mut self.has_begun, true)) {
            (Form::Events, _) => b"data: ",
            (Form::Array, false) => b"[",
            (Form::Array, true) => b",\n",
        };
        out.extend_from_slice(before);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.tail);
        if self.form == Form::Events {
            out.extend_from_slice(b"\n\n");
        }
    }
}
