//! `POST /responses`: text and function calls, whole and as typed events with a rising `sequence_number`. No `[DONE]`.

use serde_json::{Value, json};

use super::reply::{Event, EventKind, Reply};
use super::text::{cut, pieces, regroup};
use super::verify::Is::{Bool, Int, List, Number, Object, Str, StrOrList, StrOrObject, Text};
use super::verify::{Table, may, need};
use super::{ApiError, Call, Setting, schema, token_count};
use crate::sim::latency::Random;

pub(super) const TABLE: Table = Table {
    fields: &[
        need("model", Str),
        need("input", StrOrList),
        may("input[]", Object),
        need("input[role=user].content", StrOrList),
        need("input[type=function_call].call_id", Text),
        need("input[type=function_call].name", Text),
        need("input[type=function_call].arguments", Str),
        need("input[type=function_call_output].call_id", Text),
        need("input[type=function_call_output].output", StrOrList),
        may("instructions", Str),
        may("max_output_tokens", Int(1, i64::MAX)),
        may("tools", List),
        need("tools[].type", Str),
        need("tools[type=function].name", Text),
        may("tools[type=function].parameters", Object),
        may("tool_choice", StrOrObject),
        may("parallel_tool_calls", Bool),
        may("reasoning", Object),
        may("text", Object),
        may("text.format", Object),
        need("text.format[type=json_schema].name", Text),
        need("text.format[type=json_schema].schema", Object),
        may("temperature", Number(0.0, 2.0)),
        may("top_p", Number(0.0, 1.0)),
        may("metadata", Object),
        may("store", Bool),
        may("stream", Bool),
    ],
    known: None,
};

pub(super) fn reply(call: &Call<'_>) -> Result<Reply, ApiError> {
    let body = &call.body;
    let prompt = match body.get("input") {
        Some(Value::Array(items)) => items.iter().rev().find_map(item_text).unwrap_or_default(),
        text => text.and_then(Value::as_str).unwrap_or("").to_owned(),
    };
    let answer = Answer::to(body, &prompt, call.setting);
    if body.get("stream") == Some(&Value::Bool(true)) {
        Ok(Reply::events(answer.stream()))
    } else {
        Ok(Reply::json(&answer.response("completed")))
    }
}

fn item_text(item: &Value) -> Option<String> {
    match item.get("content").or_else(|| item.get("output"))? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            Some(parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect::<Vec<_>>().join(" "))
        }
        _ => None,
    }
}

struct Answer<'a> {
    body: &'a Value,
    id: String,
    item_id: String,
    created_s: u64,
    item: Item,
    input_tokens: u64,
}

enum Item {
    Message(Vec<String>),
    Call { call_id: String, name: String, arguments: String },
}

impl<'a> Answer<'a> {
    fn to(body: &'a Value, prompt: &str, setting: &Setting<'_>) -> Self {
        let item = item(body, prompt, setting);
        let prefix = match item {
            Item::Message(_) => "msg_",
            Item::Call { .. } => "fc_",
        };
        Self {
            body,
            id: setting.id("resp_"),
            item_id: setting.id(prefix),
            created_s: setting.created_s,
            item,
            input_tokens: 3 + token_count(prompt),
        }
    }

    /// The response object. `completed` has the output and the usage; before that both are empty.
    fn response(&self, status: &str) -> Value {
        let done = status == "completed";
        let given = |member: &str, default: Value| match self.body.get(member) {
            None | Some(Value::Null) => default,
            Some(value) => value.clone(),
        };
        json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created_s,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": null,
            "instructions": given("instructions", Value::Null),
            "max_output_tokens": given("max_output_tokens", Value::Null),
            "metadata": given("metadata", json!({})),
            "model": given("model", Value::Null),
            "output": if done { json!([self.item_object("completed")]) } else { json!([]) },
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
            "usage": if done { self.usage() } else { Value::Null },
        })
    }

    fn usage(&self) -> Value {
        let output = match &self.item {
            Item::Message(pieces) => pieces.len() as u64,
            Item::Call { arguments, .. } => 8 + token_count(arguments),
        };
        json!({
            "input_tokens": self.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.input_tokens + output,
        })
    }

    fn item_object(&self, status: &str) -> Value {
        let done = status == "completed";
        match &self.item {
            Item::Message(pieces) => json!({
                "id": self.item_id,
                "type": "message",
                "status": status,
                "role": "assistant",
                "content": if done { json!([part(&pieces.concat())]) } else { json!([]) },
            }),
            Item::Call { call_id, name, arguments } => json!({
                "id": self.item_id,
                "type": "function_call",
                "status": status,
                "call_id": call_id,
                "name": name,
                "arguments": if done { arguments } else { "" },
            }),
        }
    }

    fn stream(&self) -> Vec<Event> {
        use EventKind::{Content, Finish, Opening};
        let mut out = Events::default();
        out.push(Opening, "response.created", json!({"response": self.response("in_progress")}));
        out.push(Opening, "response.in_progress", json!({"response": self.response("in_progress")}));
        let item = json!({"output_index": 0, "item": self.item_object("in_progress")});
        out.push(Opening, "response.output_item.added", item);
        let at = |mut rest: Value| {
            rest["item_id"] = json!(self.item_id);
            rest["output_index"] = json!(0);
            rest
        };
        match &self.item {
            Item::Message(pieces) => {
                let text = pieces.concat();
                let at = |mut rest: Value| {
                    rest["content_index"] = json!(0);
                    at(rest)
                };
                out.push(Opening, "response.content_part.added", at(json!({"part": part("")})));
                for piece in pieces {
                    let delta = at(json!({"delta": piece, "logprobs": []}));
                    out.push(Content, "response.output_text.delta", delta);
                }
                let whole = at(json!({"text": text, "logprobs": []}));
                out.push(Finish, "response.output_text.done", whole);
                out.push(Finish, "response.content_part.done", at(json!({"part": part(&text)})));
            }
            Item::Call { arguments, name, .. } => {
                for piece in cut(arguments, 8) {
                    let delta = at(json!({"delta": piece}));
                    out.push(Content, "response.function_call_arguments.delta", delta);
                }
                let whole = at(json!({"arguments": arguments, "name": name}));
                out.push(Finish, "response.function_call_arguments.done", whole);
            }
        }
        let item = json!({"output_index": 0, "item": self.item_object("completed")});
        out.push(Finish, "response.output_item.done", item);
        out.push(Finish, "response.completed", json!({"response": self.response("completed")}));
        out.0
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

fn item(body: &Value, prompt: &str, setting: &Setting<'_>) -> Item {
    if let Some(call) = call(body, setting) {
        return call;
    }
    if body.pointer("/text/format/type").and_then(Value::as_str) == Some("json_schema") {
        let wanted = body.pointer("/text/format/schema").unwrap_or(&Value::Null);
        return Item::Message(cut(&schema::example(wanted).to_string(), 6));
    }
    let model = body.get("model").and_then(Value::as_str).unwrap_or("");
    let mut random = Random::of_text(setting.seed, format!("{model}\n{prompt}").as_bytes());
    let wanted = setting.shape.tokens.max(setting.shape.chunks);
    Item::Message(regroup(pieces(prompt, wanted, &mut random), setting.shape.chunks))
}

/// The first function tool is called, unless the input ends with a function's output.
fn call(body: &Value, setting: &Setting<'_>) -> Option<Item> {
    if body.get("tool_choice").is_some_and(|choice| choice == "none") {
        return None;
    }
    let last = body.get("input").and_then(Value::as_array).and_then(|items| items.last());
    if last.and_then(|item| item.get("type")).and_then(Value::as_str) == Some("function_call_output") {
        return None;
    }
    let tools = body.get("tools")?.as_array()?;
    let forced = body.pointer("/tool_choice/name").and_then(Value::as_str);
    let tool = tools.iter().find(|tool| {
        let name = tool.get("name").and_then(Value::as_str);
        tool.get("type").and_then(Value::as_str) == Some("function") && (forced.is_none() || name == forced)
    })?;
    Some(Item::Call {
        call_id: setting.id("call_"),
        name: tool.get("name")?.as_str()?.to_owned(),
        arguments: schema::example(tool.get("parameters")?).to_string(),
    })
}
