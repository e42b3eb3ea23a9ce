//! `POST /responses`: text and calls, whole and as typed events with a rising `sequence_number`. No `[DONE]`.

use serde_json::{Value, json};

use super::invent::{Content, Ending, Json, Made, MadeCall, Tool, ToolChoice, Wish, invent};
use super::reply::{Event, EventKind, Reply};
use super::text::cut;
use super::verify::Is::{Bool, Int, List, Number, Object, Str, StrOrList, StrOrObject, Text};
use super::verify::{Table, may, need};
use super::{ApiError, Call, Setting, Trouble, token_count};

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
        need("input[type=custom_tool_call].call_id", Text),
        need("input[type=custom_tool_call].name", Text),
        need("input[type=custom_tool_call].input", Str),
        need("input[type=custom_tool_call_output].call_id", Text),
        need("input[type=custom_tool_call_output].output", StrOrList),
        may("instructions", Str),
        may("max_output_tokens", Int(1, i64::MAX)),
        may("tools", List),
        need("tools[].type", Str),
        need("tools[type=function].name", Text),
        may("tools[type=function].parameters", Object),
        need("tools[type=custom].name", Text),
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
    let items = body.get("input").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_whole = ["previous_response_id", "conversation", "prompt"]
        .iter()
        .all(|name| body.get(*name).is_none_or(Value::is_null));
    if is_whole {
        check_results(items)?;
    }
    let prompt = match body.get("input") {
        Some(Value::String(text)) => text.clone(),
        _ => items.iter().rev().find_map(item_text).unwrap_or_default(),
    };
    let answer = Answer::to(body, items, &prompt, call.setting);
    if body.get("stream") == Some(&Value::Bool(true)) {
        Ok(Reply::events(answer.stream()))
    } else {
        Ok(Reply::json(&answer.response(answer.status)))
    }
}

/// An output answers a call that stands before it, and every call is answered.
fn check_results(items: &[Value]) -> Result<(), ApiError> {
    let has = |among: &[Value], end: &str, id: &str| among.iter().any(|item| call_id_of(item, end) == Some(id));
    for (index, item) in items.iter().enumerate() {
        let says = match (call_id_of(item, "_call_output"), call_id_of(item, "_call")) {
            (Some(id), _) if !has(&items[..index], "_call", id) => {
                format!("No tool call found for function call output with call_id {id}.")
            }
            (_, Some(id)) if !has(&items[index..], "_call_output", id) => {
                format!("No tool output found for function call {id}.")
            }
            _ => continue,
        };
        return Err(Trouble::Broken("call and output do not belong together", says).about("input"));
    }
    Ok(())
}

/// The `call_id` of a function's or custom tool's call or output, as the end of the type says.
fn call_id_of<'v>(item: &'v Value, end: &str) -> Option<&'v str> {
    let kind = item.get("type")?.as_str()?.strip_suffix(end)?;
    item.get("call_id")?.as_str().filter(|_| matches!(kind, "function" | "custom_tool"))
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
    created_s: u64,
    items: Vec<Item>,
    /// Of the finished response.
    status: &'static str,
    input_tokens: u64,
    output_tokens: u64,
}

struct Item {
    id: String,
    said: Said,
}

enum Said {
    Message(Vec<String>),
    Call { call_id: String, call: MadeCall },
}

impl<'a> Answer<'a> {
    fn to(body: &'a Value, items: &[Value], prompt: &str, setting: &Setting<'_>) -> Self {
        let Made { content, tokens, ending, .. } = invent(&wish(body, items, prompt), setting);
        let said = match content {
            Content::Text(pieces) => vec![Said::Message(pieces)],
            Content::Calls(calls) => {
                let id = |index| setting.id(&format!("call_{index}"));
                (0..).zip(calls).map(|(index, call): (usize, _)| Said::Call { call_id: id(index), call }).collect()
            }
        };
        let items = (0..).zip(said).map(|(index, said): (usize, _)| {
            let prefix = match &said {
                Said::Message(_) => "msg",
                Said::Call { call, .. } if call.free => "ctc",
                Said::Call { .. } => "fc",
            };
            Item { id: setting.id(&format!("{prefix}_{index}")), said }
        });
        Self {
            body,
            id: setting.id("resp_"),
            created_s: setting.created_s,
            items: items.collect(),
            status: if ending == Ending::Limit { "incomplete" } else { "completed" },
            input_tokens: 3 + token_count(prompt),
            output_tokens: tokens,
        }
    }

    /// The response object. Before it is finished, output and usage are empty.
    fn response(&self, status: &str) -> Value {
        let done = status != "in_progress";
        let given = |member: &str, default: Value| match self.body.get(member) {
            None | Some(Value::Null) => default,
            Some(value) => value.clone(),
        };
        let output = self.items.iter().filter(|_| done).map(|item| item.object(self.status));
        let is_cut = status == "incomplete";
        json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created_s,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": if is_cut { json!({"reason": "max_output_tokens"}) } else { Value::Null },
            "instructions": given("instructions", Value::Null),
            "max_output_tokens": given("max_output_tokens", Value::Null),
            "metadata": given("metadata", json!({})),
            "model": given("model", Value::Null),
            "output": output.collect::<Vec<_>>(),
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
        json!({
            "input_tokens": self.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.input_tokens + self.output_tokens,
        })
    }

    fn stream(&self) -> Vec<Event> {
        let mut out = Events::default();
        out.push(EventKind::Opening, "response.created", json!({"response": self.response("in_progress")}));
        out.push(EventKind::Opening, "response.in_progress", json!({"response": self.response("in_progress")}));
        for (index, item) in self.items.iter().enumerate() {
            item.stream(index, self.status, &mut out);
        }
        let last = if self.status == "incomplete" { "response.incomplete" } else { "response.completed" };
        out.push(EventKind::Finish, last, json!({"response": self.response(self.status)}));
        out.0
    }
}

impl Item {
    /// As it stands in the output. In progress it has no content yet.
    fn object(&self, status: &str) -> Value {
        let done = status != "in_progress";
        let said = |text: &str| if done { text.to_owned() } else { String::new() };
        match &self.said {
            Said::Message(pieces) => json!({
                "id": self.id,
                "type": "message",
                "status": status,
                "role": "assistant",
                "content": if done { json!([part(&pieces.concat())]) } else { json!([]) },
            }),
            Said::Call { call_id, call } if call.free => json!({
                "id": self.id,
                "type": "custom_tool_call",
                "status": status,
                "call_id": call_id,
                "name": call.name,
                "input": said(&call.arguments),
            }),
            Said::Call { call_id, call } => json!({
                "id": self.id,
                "type": "function_call",
                "status": status,
                "call_id": call_id,
                "name": call.name,
                "arguments": said(&call.arguments),
            }),
        }
    }

    fn stream(&self, index: usize, status: &str, out: &mut Events) {
        use EventKind::{Content, Finish, Opening};
        let item = json!({"output_index": index, "item": self.object("in_progress")});
        out.push(Opening, "response.output_item.added", item);
        let at = |mut rest: Value| {
            rest["item_id"] = json!(self.id);
            rest["output_index"] = json!(index);
            rest
        };
        match &self.said {
            Said::Message(pieces) => {
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
            Said::Call { call, .. } => {
                let (delta_name, done_name, done) = if call.free {
                    let done = json!({"input": call.arguments});
                    ("response.custom_tool_call_input.delta", "response.custom_tool_call_input.done", done)
                } else {
                    let done = json!({"arguments": call.arguments, "name": call.name});
                    ("response.function_call_arguments.delta", "response.function_call_arguments.done", done)
                };
                for piece in cut(&call.arguments, 8) {
                    out.push(Content, delta_name, at(json!({"delta": piece})));
                }
                out.push(Finish, done_name, at(done));
            }
        }
        let item = json!({"output_index": index, "item": self.object(status)});
        out.push(Finish, "response.output_item.done", item);
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

fn wish<'a>(body: &'a Value, items: &[Value], prompt: &'a str) -> Wish<'a> {
    let choice = body.get("tool_choice");
    let named = choice.and_then(|choice| choice.get("name")).and_then(Value::as_str);
    let format = body.pointer("/text/format");
    Wish {
        model: body.get("model").and_then(Value::as_str).unwrap_or(""),
        prompt,
        index: 0,
        tools: body.get("tools").and_then(Value::as_array).into_iter().flatten().filter_map(tool).collect(),
        tool_choice: match (choice.and_then(Value::as_str), named) {
            (_, Some(name)) => ToolChoice::Of(vec![name]),
            (Some("none"), _) => ToolChoice::Never,
            (Some("required"), _) => ToolChoice::Any,
            _ => ToolChoice::Auto,
        },
        parallel: body.get("parallel_tool_calls").and_then(Value::as_bool),
        after_result: items.last().is_some_and(|item| call_id_of(item, "_call_output").is_some()),
        json: match format.and_then(|format| format.get("type")).and_then(Value::as_str) {
            Some("json_schema") => format.and_then(|format| format.get("schema")).map_or(Json::Any, Json::By),
            Some("json_object") => Json::Any,
            _ => Json::No,
        },
        limit: body.get("max_output_tokens").and_then(Value::as_u64),
        stops: Vec::new(),
        thinks: false,
    }
}

/// Tools of other kinds are the provider's own, which runs none here.
fn tool(tool: &Value) -> Option<Tool<'_>> {
    let free = match tool.get("type")?.as_str()? {
        "function" => false,
        "custom" => true,
        _ => return None,
    };
    Some(Tool { name: tool.get("name")?.as_str()?, schema: tool.get("parameters"), free })
}
