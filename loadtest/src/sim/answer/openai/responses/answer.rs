//! The answer of the Responses API: a list of items, whole and as typed events with a rising `sequence_number`. No `[DONE]`.
//!
//! What was thought is an item before the others, with a summary where the request asks for one, and with `encrypted_content` where it is
//! to be included. Each call is an item of its own. An answer that reached `max_output_tokens` is `incomplete`, and so is its
//! last item; then the last event is `response.incomplete`.

use serde_json::{Value, json};

use super::super::invent::{Content, Ending, Made};
use super::super::reply::{Event, EventKind};
use super::super::text::cut;
use super::{Setting, id, sealed};

pub(super) struct Answer<'a> {
    body: &'a Value,
    id: String,
    created_s: u64,
    items: Vec<Item>,
    /// The output limit ended it.
    is_cut: bool,
    input_tokens: u64,
    output_tokens: u64,
    reasoning_tokens: u64,
}

struct Item {
    id: String,
    says: Says,
}

enum Says {
    /// Pieces of the summary; empty where none was asked for.
    Thought {
        summary: Vec<String>,
        sealed: Option<String>,
    },
    Message(Vec<String>),
    Call {
        call_id: String,
        name: String,
        input: String,
        is_free: bool,
    },
}

impl<'a> Answer<'a> {
    pub fn new(body: &'a Value, made: Made, input_tokens: u64, setting: &Setting<'_>) -> Self {
        let mut items: Vec<Item> = Vec::new();
        let reasoning_tokens = made.thoughts.len() as u64;
        if reasoning_tokens > 0 {
            let id = id("rs_", 0, setting);
            let includes = body.get("include").and_then(Value::as_array).into_iter().flatten();
            let is_sealed = includes.into_iter().any(|include| include == "reasoning.encrypted_content");
            let is_shown = body.pointer("/reasoning/summary").is_some_and(|summary| !summary.is_null());
            let summary = if is_shown { made.thoughts } else { Vec::new() };
            items.push(Item { says: Says::Thought { summary, sealed: is_sealed.then(|| sealed(&id)) }, id });
        }
        match made.content {
            Content::Text(pieces) => {
                items.push(Item { id: id("msg_", items.len(), setting), says: Says::Message(pieces) });
            }
            Content::Calls(calls) => {
                for call in calls {
                    let (place, prefix) = (items.len(), if call.free { "ctc_" } else { "fc_" });
                    let call_id = id("call_", place, setting);
                    let says = Says::Call { call_id, name: call.name, input: call.arguments, is_free: call.free };
                    items.push(Item { id: id(prefix, place, setting), says });
                }
            }
        }
        Self {
            body,
            id: setting.id("resp_"),
            created_s: setting.created_s,
            items,
            is_cut: made.ending == Ending::Limit,
            input_tokens,
            output_tokens: made.tokens + reasoning_tokens,
            reasoning_tokens,
        }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// The response object before anything was done.
    pub fn queued(&self) -> Value {
        self.response("queued")
    }

    /// The response object where nothing came of it.
    pub fn failed(&self) -> Value {
        let mut response = self.response("in_progress");
        response["status"] = json!("failed");
        response["error"] = json!({"code": "server_error", "message": "The simulated response failed."});
        response
    }

    pub fn failed_stream(&self) -> Vec<Event> {
        let mut out = Events::default();
        out.push(EventKind::Opening, "response.created", json!({"response": self.response("in_progress")}));
        out.push(EventKind::Finish, "response.failed", json!({"response": self.failed()}));
        out.0
    }

    /// The response object at its end.
    pub fn whole(&self) -> Value {
        self.response(self.ended())
    }

    fn ended(&self) -> &'static str {
        if self.is_cut { "incomplete" } else { "completed" }
    }

    /// Before the end there are neither output nor usage.
    fn response(&self, status: &str) -> Value {
        let has_ended = !matches!(status, "in_progress" | "queued");
        let output = if has_ended { self.items.iter().map(|item| item.object(self.ended())).collect() } else { vec![] };
        let given = |member: &str, default: Value| match self.body.get(member) {
            None | Some(Value::Null) => default,
            Some(value) => value.clone(),
        };
        json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created_s,
            "status": status,
            "background": given("background", json!(false)),
            "error": null,
            "incomplete_details": if status == "incomplete" { json!({"reason": "max_output_tokens"}) } else { Value::Null },
            "instructions": given("instructions", Value::Null),
            "max_output_tokens": given("max_output_tokens", Value::Null),
            "metadata": given("metadata", json!({})),
            "model": given("model", Value::Null),
            "output": output,
            "parallel_tool_calls": given("parallel_tool_calls", json!(true)),
            "previous_response_id": given("previous_response_id", Value::Null),
            "reasoning": given("reasoning", json!({"effort": null, "summary": null})),
            "store": given("store", json!(true)),
            "temperature": given("temperature", json!(1.0)),
            "text": given("text", json!({"format": {"type": "text"}})),
            "tool_choice": given("tool_choice", json!("auto")),
            "tools": given("tools", json!([])),
            "top_p": given("top_p", json!(1.0)),
            "truncation": "disabled",
            "usage": if has_ended { self.usage() } else { Value::Null },
        })
    }

    fn usage(&self) -> Value {
        json!({
            "input_tokens": self.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
            "total_tokens": self.input_tokens + self.output_tokens,
        })
    }

    pub fn stream(&self) -> Vec<Event> {
        use EventKind::{Finish, Opening};
        let mut out = Events::default();
        out.push(Opening, "response.created", json!({"response": self.response("in_progress")}));
        out.push(Opening, "response.in_progress", json!({"response": self.response("in_progress")}));
        for (place, item) in self.items.iter().enumerate() {
            item.stream(place, self.ended(), place + 1 == self.items.len(), &mut out);
        }
        let last = if self.is_cut { "response.incomplete" } else { "response.completed" };
        out.push(Finish, last, json!({"response": self.whole()}));
        out.0
    }
}

impl Item {
    /// `status` is that of the answer: of an answer that was cut, its message is what was.
    fn object(&self, status: &str) -> Value {
        let has_ended = status != "in_progress";
        match &self.says {
            Says::Thought { summary, sealed } => {
                let text = summary.concat();
                let shown = if text.is_empty() || !has_ended { json!([]) } else { json!([summary_part(&text)]) };
                let mut item = json!({"id": self.id, "type": "reasoning", "summary": shown});
                if let Some(sealed) = sealed {
                    item["encrypted_content"] = json!(sealed);
                }
                item
            }
            Says::Message(pieces) => json!({
                "id": self.id,
                "type": "message",
                "status": status,
                "role": "assistant",
                "content": if has_ended { json!([part(&pieces.concat())]) } else { json!([]) },
            }),
            Says::Call { call_id, name, input, is_free } => {
                let (kind, member) =
                    if *is_free { ("custom_tool_call", "input") } else { ("function_call", "arguments") };
                json!({
                    "id": self.id,
                    "type": kind,
                    "status": status,
                    "call_id": call_id,
                    "name": name,
                    member: if has_ended { input } else { "" },
                })
            }
        }
    }

    /// Its events. What ends the last item belongs to the end of the answer.
    fn stream(&self, place: usize, status: &str, is_last: bool, out: &mut Events) {
        use EventKind::{Content, Finish, Frame, Opening};
        let (begin, end) = (if place == 0 { Opening } else { Frame }, if is_last { Finish } else { Frame });
        let item = |status| json!({"output_index": place, "item": self.object(status)});
        out.push(begin, "response.output_item.added", item("in_progress"));
        let at = |mut rest: Value| {
            rest["item_id"] = json!(self.id);
            rest["output_index"] = json!(place);
            rest
        };
        match &self.says {
            Says::Thought { summary, .. } if summary.is_empty() => {}
            Says::Thought { summary, .. } => {
                let at = |mut rest: Value| {
                    rest["summary_index"] = json!(0);
                    at(rest)
                };
                let text = summary.concat();
                let opened = at(json!({"part": summary_part("")}));
                out.push(begin, "response.reasoning_summary_part.added", opened);
                for piece in summary {
                    out.push(Content, "response.reasoning_summary_text.delta", at(json!({"delta": piece})));
                }
                out.push(end, "response.reasoning_summary_text.done", at(json!({"text": text})));
                out.push(end, "response.reasoning_summary_part.done", at(json!({"part": summary_part(&text)})));
            }
            Says::Message(pieces) => {
                let at = |mut rest: Value| {
                    rest["content_index"] = json!(0);
                    at(rest)
                };
                let text = pieces.concat();
                out.push(begin, "response.content_part.added", at(json!({"part": part("")})));
                for piece in pieces {
                    out.push(Content, "response.output_text.delta", at(json!({"delta": piece, "logprobs": []})));
                }
                out.push(end, "response.output_text.done", at(json!({"text": text, "logprobs": []})));
                out.push(end, "response.content_part.done", at(json!({"part": part(&text)})));
            }
            Says::Call { name, input, is_free, .. } => {
                let (delta, done) = match is_free {
                    true => ("response.custom_tool_call_input.delta", "response.custom_tool_call_input.done"),
                    false => ("response.function_call_arguments.delta", "response.function_call_arguments.done"),
                };
                for piece in cut(input, 8) {
                    out.push(Content, delta, at(json!({"delta": piece})));
                }
                let said = if *is_free { json!({"input": input}) } else { json!({"arguments": input, "name": name}) };
                out.push(end, done, at(said));
            }
        }
        out.push(end, "response.output_item.done", item(status));
    }
}

#[derive(Default)]
struct Events(Vec<Event>);

impl Events {
    fn push(&mut self, kind: EventKind, name: &'static str, mut data: Value) {
        data["type"] = json!(name);
        data["sequence_number"] = json!(self.0.len());
        self.0.push(Event { kind, name: Some(name), data: data.to_string() });
    }
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn summary_part(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}
