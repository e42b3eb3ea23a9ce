//! `POST /responses`: what a request must hold, and what is wished for by it. The answer is written in [`answer`].
//!
//! What is answered is kept ([`stored`]), but for its part in what is said: an answer is made of the request's own input. Beyond fields and types three rules are held that clients
//! trip over: a result answers a call that stands before it, `json_object` is asked for in the prompt too, and a reasoning item comes
//! back under the id that its `encrypted_content` was made for.

use serde_json::{Value, json};

use super::invent::{Json, Tool, ToolChoice, Wish};
use super::reply::Reply;
use super::verify::Is::{Base64, Bool, Int, List, Number, Object, OneOf, Str, StrOrList, StrOrObject, Text};
use super::verify::{Table, may, need};
use super::{ApiError, Call, Setting, Trouble, invent, token_count};
use crate::sim::latency::Random;

mod answer;
pub(in super::super) mod stored;

pub(super) const TABLE: Table = Table {
    fields: &[
        need("model", Str),
        need("input", StrOrList),
        may("input[]", Object),
        may("input[].role", OneOf(&["system", "assistant", "user", "developer"])),
        need("input[role=user].content", StrOrList),
        need("input[role=system].content", StrOrList),
        need("input[role=developer].content", StrOrList),
        need("input[role=assistant].content", StrOrList),
        may("input[].content[]", Object),
        need("input[].content[].type", Text),
        need("input[].content[type=input_text].text", Str),
        need("input[].content[type=output_text].text", Str),
        need("input[].content[type=refusal].refusal", Str),
        may("input[].content[type=input_image].image_url", Text),
        may("input[].content[type=input_image].detail", OneOf(&["low", "high", "auto", "original"])),
        may("input[].content[type=input_file].file_data", Text),
        need("input[].content[type=input_audio].input_audio", Object),
        need("input[].content[type=input_audio].input_audio.data", Base64),
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
        need("input[type=reasoning].id", Text),
        need("input[type=reasoning].summary", List),
        may("input[type=reasoning].encrypted_content", Text),
        may("instructions", Str),
        // Smaller ones are refused: "integer below minimum value".
        may("max_output_tokens", Int(16, i64::MAX)),
        may("include", List),
        may("tools", List),
        need("tools[].type", Str),
        need("tools[type=function].name", Text),
        may("tools[type=function].parameters", Object),
        may("tools[type=function].strict", Bool),
        need("tools[type=custom].name", Text),
        may("tool_choice", StrOrObject),
        may("parallel_tool_calls", Bool),
        may("reasoning", Object),
        may("reasoning.effort", OneOf(&["none", "minimal", "low", "medium", "high", "xhigh", "max"])),
        may("reasoning.summary", OneOf(&["auto", "concise", "detailed"])),
        may("text", Object),
        may("text.format", Object),
        need("text.format.type", OneOf(&["text", "json_object", "json_schema"])),
        need("text.format[type=json_schema].name", Text),
        need("text.format[type=json_schema].schema", Object),
        may("temperature", Number(0.0, 2.0)),
        may("top_p", Number(0.0, 1.0)),
        may("top_logprobs", Int(0, 20)),
        may("metadata", Object),
        may("store", Bool),
        may("stream", Bool),
    ],
    known: Some(&[
        "model",
        "input",
        "instructions",
        "previous_response_id",
        "conversation",
        "max_output_tokens",
        "max_tool_calls",
        "include",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning",
        "text",
        "temperature",
        "top_p",
        "top_logprobs",
        "truncation",
        "context_management",
        "metadata",
        "store",
        "background",
        "stream",
        "stream_options",
        "service_tier",
        "user",
        "safety_identifier",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "moderation",
        // Codex sends it.
        "client_metadata",
    ]),
};

pub(super) fn reply(call: &Call<'_>) -> Result<Reply, ApiError> {
    let body = &call.body;
    let items = body.get("input").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    stored::check_previous(call)?;
    // Where it goes on from what is stored, the calls may be there.
    let goes_on = ["previous_response_id", "conversation", "prompt"];
    if goes_on.iter().all(|name| body.get(*name).is_none_or(Value::is_null)) {
        check_items(items)?;
    }
    check_json_is_named(body)?;
    let said = |item: &Value| token_count(&text_of(item).unwrap_or_default());
    let (prompt, input_tokens) = match body.get("input").and_then(Value::as_str) {
        Some(text) => (text.to_owned(), 3 + token_count(text)),
        None => (
            items.iter().rev().find_map(text_of).unwrap_or_default(),
            items.iter().map(|item| 3 + said(item)).sum::<u64>(),
        ),
    };
    let instructions = body.get("instructions").and_then(Value::as_str).map_or(0, |text| 3 + token_count(text));
    let made = invent::invent(&wish(body, items, &prompt), call.setting);
    let answer = answer::Answer::new(body, made, input_tokens + instructions, call.setting);
    let is_kept = body.get("store") != Some(&Value::Bool(false));
    if is_kept {
        call.setting.stored.keep(&answer, body);
    }
    if body.get("stream") == Some(&Value::Bool(true)) {
        Ok(Reply::events(answer.stream()))
    } else if is_kept && body.get("background") == Some(&Value::Bool(true)) {
        Ok(Reply::json(&answer.queued()))
    } else {
        Ok(Reply::json(&answer.whole()))
    }
}

/// `POST /responses/input_tokens`
pub(super) fn input_tokens(call: &Call<'_>) -> Result<Reply, ApiError> {
    stored::check_previous(call)?;
    let count = token_count(&call.body["input"].to_string());
    Ok(Reply::json(&json!({"object": "response.input_tokens", "input_tokens": count})))
}

/// `POST /responses/compact`
pub(super) fn compact(call: &Call<'_>) -> Result<Reply, ApiError> {
    stored::check_previous(call)?;
    let (count, item) = (token_count(&call.body["input"].to_string()), id("cmp_", 0, call.setting));
    Ok(Reply::json(&json!({
        "id": call.setting.id("resp_"),
        "object": "response.compaction",
        "created_at": call.setting.created_s,
        "output": [{"id": item, "type": "compaction", "encrypted_content": sealed(&item)}],
        "usage": {
            "input_tokens": count,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 1,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": count + 1,
        },
    })))
}

/// A result answers a call before it that has none yet; a sealed thought stands under its own id.
fn check_items(items: &[Value]) -> Result<(), ApiError> {
    let mut open: Vec<&str> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let said = |name: &str| item.get(name).and_then(Value::as_str);
        match (said("type"), said("call_id")) {
            (Some("function_call" | "custom_tool_call"), Some(id)) => open.push(id),
            (Some("function_call_output" | "custom_tool_call_output"), Some(id)) => {
                let Some(at) = open.iter().position(|call| *call == id) else {
                    let says = format!("No tool call found for function call output with call_id {id}.");
                    return Err(Trouble::Broken("result without its call", says).about("input"));
                };
                open.remove(at);
            }
            (Some("reasoning"), _) => {
                let id = said("id").unwrap_or_default();
                if said("encrypted_content").is_some_and(|sealed| sealed != self::sealed(id)) {
                    let says = format!("The encrypted content for item {id} could not be verified.");
                    let param = format!("input[{index}].encrypted_content");
                    return Err(Trouble::Broken("sealed thought under another id", says).about(&param));
                }
            }
            _ => {}
        }
    }
    if let Some(id) = open.first().filter(|_| !items.is_empty()) {
        let says = format!("No tool output found for function call {id}.");
        return Err(Trouble::Broken("call without its result", says).about("input"));
    }
    Ok(())
}

fn check_json_is_named(body: &Value) -> Result<(), ApiError> {
    let wants = body.pointer("/text/format/type").and_then(Value::as_str) == Some("json_object");
    let is_named = |member: &str| body.get(member).is_some_and(|text| text.to_string().to_lowercase().contains("json"));
    if wants && !is_named("input") && !is_named("instructions") {
        let says = "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'.";
        return Err(Trouble::Broken("json_object without the word", says.to_owned()).about("input"));
    }
    Ok(())
}

/// What `encrypted_content` says in the item with this id.
fn sealed(id: &str) -> String {
    let mut random = Random::of_text(0, id.as_bytes());
    format!("gAAAAA{:016x}{:016x}==", random.bits(), random.bits())
}

fn text_of(item: &Value) -> Option<String> {
    match item.get("content").or_else(|| item.get("output"))? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            Some(parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect::<Vec<_>>().join(" "))
        }
        _ => None,
    }
}

fn wish<'a>(body: &'a Value, items: &[Value], prompt: &'a str) -> Wish<'a> {
    let said = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let last = items.last().and_then(|item| item.get("type")).and_then(Value::as_str);
    let allowed = body.pointer("/tool_choice/tools").and_then(Value::as_array);
    let allowed = allowed.map(|tools| tools.iter().filter_map(|tool| tool.get("name")?.as_str()).collect());
    Wish {
        model: said("/model").unwrap_or(""),
        prompt,
        index: 0,
        tools: body.get("tools").and_then(Value::as_array).into_iter().flatten().filter_map(tool).collect(),
        tool_choice: match (said("/tool_choice"), said("/tool_choice/name"), allowed) {
            (_, Some(name), _) => ToolChoice::Of(vec![name]),
            (_, _, Some(names)) => ToolChoice::Of(names),
            (Some("none"), ..) => ToolChoice::Never,
            (Some("required"), ..) => ToolChoice::Any,
            _ => ToolChoice::Auto,
        },
        parallel: body.get("parallel_tool_calls").and_then(Value::as_bool),
        after_result: matches!(last, Some("function_call_output" | "custom_tool_call_output")),
        json: match said("/text/format/type") {
            Some("json_schema") => body.pointer("/text/format/schema").map_or(Json::Any, Json::By),
            Some("json_object") => Json::Any,
            _ => Json::No,
        },
        limit: body.get("max_output_tokens").and_then(Value::as_u64),
        // There are none in this API.
        stops: Vec::new(),
        thinks: said("/reasoning/effort").is_some_and(|effort| effort != "none"),
    }
}

fn tool(tool: &Value) -> Option<Tool<'_>> {
    let free = match tool.get("type")?.as_str()? {
        "function" => false,
        "custom" => true,
        // The provider runs those itself, which this one never does.
        _ => return None,
    };
    Some(Tool { name: tool.get("name")?.as_str()?, schema: tool.get("parameters"), free })
}

/// An id that no other item of the answer has.
fn id(prefix: &str, place: usize, setting: &Setting<'_>) -> String {
    format!("{}{place:02}", setting.id(prefix))
}
