//! An answer as chunks.
//!
//! Each event is a chunk at most, written as it comes: nothing is held but what all chunks begin with, so a stream costs the same
//! memory however long it is, and a chunk no allocation.
//!
//! The first chunk of each choice says the role. `usage` follows the last choice in a chunk of its own if the client asked for it.
//! After an error there is no end marker, as SDKs have it.

use super::{write_call_id, write_error, write_finish, write_identity, write_usage};
use crate::dialects::canonical::{CallForms, Event, Facts, Origin, Signature, Usage};
use crate::dialects::openai_chat::signatures;
use crate::json::piece::Text;
use crate::json::write::Writer;
use crate::sse::write::DONE;

/// How the choices of a chunk begin.
const CHOICE: &[u8] = br#"[{"index":"#;

/// A stream of chunks that is being written.
#[derive(Debug)]
pub struct Stream {
    facts: Facts,
    /// What every chunk begins with, up to the index of its choice.
    head: Vec<u8>,
    /// A bit for each choice whose role has been said.
    begun: u128,
    usage: Option<Usage>,
    failed: bool,
    /// Calls that have no arguments yet: choice, call. At most as many as a reader lets through.
    bare_calls: Vec<(u32, u32)>,
    forms: CallForms,
    /// Calls with a text. As many at most.
    text_calls: Vec<(u32, u32)>,
}

impl Stream {
    pub fn new(facts: Facts) -> Stream {
        Stream::with_calls_as(CallForms::default(), facts)
    }

    /// A stream whose calls have the forms that its client knows.
    pub fn with_calls_as(forms: CallForms, facts: Facts) -> Stream {
        let mut head = b"data: ".to_vec();
        let mut json = Writer::new(&mut head);
        write_identity(&mut json, &facts, br#"","object":"chat.completion.chunk","created":"#);
        json.name("choices").json(CHOICE);
        let (bare_calls, text_calls) = (Vec::new(), Vec::new());
        Stream { facts, head, begun: 0, usage: None, failed: false, bare_calls, forms, text_calls }
    }

    /// Appends the chunk that `event` is, if it is one.
    pub fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { .. } => self.begin(0, out),
            Event::Text { choice, text } => self.said(*choice, br#""content":"#, text, out),
            Event::Refusal { choice, text } => self.said(*choice, br#""refusal":"#, text, out),
            Event::Thinking { choice, text } => self.said(*choice, br#""reasoning_content":"#, text, out),
            Event::ThinkingSignature { choice, signature } => {
                self.thinking_block(*choice, signature, false, out);
            }
            Event::SealedThinking { choice, signature } => self.thinking_block(*choice, signature, true, out),
            Event::ToolCall { choice, call, id, name, signature } => {
                self.begin(*choice, out);
                let is_text = self.forms.is_text(name);
                let mut json = self.open_delta(*choice, out);
                if self.forms.as_function_call {
                    json.name("function_call").open_object().name("name").text(name);
                    json.name("arguments").string("").close_object();
                    self.close_delta(out);
                    self.bare_calls.push((*choice, *call));
                    return;
                }
                json.name("tool_calls").open_array().open_object().name("index").number(u64::from(*call));
                write_call_id(json.name("id"), id, &self.facts.id, *choice, *call);
                let (kind, input) = if is_text { ("custom", "input") } else { ("function", "arguments") };
                json.name("type").string(kind).name(kind).open_object().name("name").text(name);
                json.name(input).string("").close_object();
                if let Some(signature) = signature {
                    write_thought_signature(&mut json, signature);
                }
                json.close_object().close_array();
                self.close_delta(out);
                // A text may be empty, and arguments may not.
                if is_text { &mut self.text_calls } else { &mut self.bare_calls }.push((*choice, *call));
            }
            Event::ToolArguments { choice, call, fragment } => {
                if !fragment.is_empty() {
                    self.bare_calls.retain(|bare| *bare != (*choice, *call));
                    self.arguments(*choice, *call, fragment, out);
                }
            }
            Event::Extra { choice, name: "logprobs", raw } => {
                self.begin(*choice, out);
                self.open_delta(*choice, out).close_object().name("logprobs").raw(raw).name("finish_reason").null();
                self.close_choice(out);
            }
            Event::Extra { choice, name, raw } => {
                self.begin(*choice, out);
                self.open_delta(*choice, out).name(name).raw(raw);
                self.close_delta(out);
            }
            Event::Finish { choice, reason } => {
                self.begin(*choice, out);
                self.fill_bare_calls(*choice, out);
                let mut json = self.open_delta(*choice, out);
                json.close_object().name("logprobs").null();
                write_finish(json.name("finish_reason"), reason, &self.forms);
                self.close_choice(out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Error(error) => {
                self.failed = true;
                out.extend_from_slice(b"data: ");
                write_error(&mut Writer::new(out), error);
                out.extend_from_slice(b"\n\n");
            }
            Event::End => self.end(out),
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.failed {
            return;
        }
        if let Some(usage) = self.usage.filter(|_| self.facts.usage_asked) {
            out.extend_from_slice(self.head.strip_suffix(CHOICE).unwrap_or_default());
            let mut json = Writer::new(out);
            json.open_array().close_array();
            write_usage(json.name("usage"), &usage);
            json.close_object();
            out.extend_from_slice(b"\n\n");
        }
        out.extend_from_slice(DONE);
    }

    fn arguments(&self, choice: u32, call: u32, fragment: &Text<'_>, out: &mut Vec<u8>) {
        let mut json = self.open_delta(choice, out);
        if self.forms.as_function_call {
            json.name("function_call").open_object().name("arguments").text(fragment).close_object();
            self.close_delta(out);
            return;
        }
        json.name("tool_calls").open_array().open_object().name("index").number(u64::from(call));
        if self.text_calls.contains(&(choice, call)) {
            json.name("custom").open_object().name("input").text(fragment);
        } else {
            json.name("function").open_object().name("arguments").text(fragment);
        }
        json.close_object().close_object().close_array();
        self.close_delta(out);
    }

    /// Clients parse the arguments as JSON, and none at all is no JSON.
    fn fill_bare_calls(&mut self, choice: u32, out: &mut Vec<u8>) {
        let bare_calls = std::mem::take(&mut self.bare_calls);
        for (_, call) in bare_calls.iter().filter(|(of, _)| *of == choice) {
            self.arguments(choice, *call, &Text::plain("{}"), out);
        }
        self.bare_calls = bare_calls;
        self.bare_calls.retain(|(of, _)| *of != choice);
    }

    /// A chunk that says more of one member. An empty text says nothing.
    fn said(&mut self, choice: u32, name: &[u8], text: &Text<'_>, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.begin(choice, out);
        self.open_delta(choice, out).json(name).text(text);
        self.close_delta(out);
    }

    /// What proves the thoughts that were streamed, or holds those that were not. Their text is not repeated.
    fn thinking_block(&mut self, choice: u32, signature: &Signature<'_>, is_sealed: bool, out: &mut Vec<u8>) {
        self.begin(choice, out);
        let mut json = self.open_delta(choice, out);
        json.name("thinking_blocks").open_array();
        write_thinking_block(&mut json, (!is_sealed).then_some(&[]), Some(signature));
        json.close_array();
        self.close_delta(out);
    }

    /// The chunk with the role, once for each choice.
    fn begin(&mut self, choice: u32, out: &mut Vec<u8>) {
        // OpenAI has 128 choices at most, and readers refuse more.
        let bit = 1u128.checked_shl(choice).unwrap_or(0);
        if self.begun & bit != 0 {
            return;
        }
        self.begun |= bit;
        self.open_delta(choice, out).name("role").string("assistant").name("content").string("").name("refusal").null();
        self.close_delta(out);
    }

    fn open_delta<'o>(&self, choice: u32, out: &'o mut Vec<u8>) -> Writer<'o> {
        out.extend_from_slice(&self.head);
        let mut json = Writer::new(out);
        json.number(u64::from(choice)).json(br#""delta":{"#);
        json
    }

    fn close_delta(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"},"logprobs":null,"finish_reason":null"#);
        self.close_choice(out);
    }

    fn close_choice(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.facts.usage_asked {
            true => b"}],\"usage\":null}\n\n",
            false => b"}]}\n\n",
        });
    }
}

/// A block of `thinking_blocks`; without a text it is sealed.
pub(super) fn write_thinking_block(json: &mut Writer<'_>, escaped: Option<&[u8]>, signature: Option<&Signature<'_>>) {
    json.open_object().name("type");
    let member = match escaped {
        Some(escaped) => {
            json.string("thinking").name("thinking").text(&Text::Escaped(escaped.into()));
            "signature"
        }
        None => {
            json.string("redacted_thinking");
            "data"
        }
    };
    if let Some(signature) = signature {
        signatures::write(json.name(member), signature, Origin::Unknown);
    }
    json.close_object();
}

pub(super) fn write_thought_signature(json: &mut Writer<'_>, signature: &Signature<'_>) {
    json.name("extra_content").open_object().name("google").open_object().name("thought_signature");
    signatures::write(json, signature, Origin::Gemini);
    json.close_object().close_object();
}
