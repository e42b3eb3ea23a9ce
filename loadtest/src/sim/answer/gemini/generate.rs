//! `:generateContent`, `:streamGenerateContent` and `:countTokens`: parts of thought, text and function calls; a picture where one is asked for.
//!
//! A stream is server-sent events with `alt=sse`, else one JSON array. A function call comes whole, in one part. Models whose
//! name begins with `gemini-3` or later give each call an id and sign the first one; others do neither, and with thinking asked for
//! the first part after the thoughts is signed.

use serde_json::{Value, json};

use super::invent::{Content, Ending, Json, Made, Tool, ToolChoice, Wish, invent};
use super::reply::{Body, Event, EventKind, Reply};
use super::rules::{self, declarations, parts, signs_calls};
use super::{ApiError, Call, Framing, Setting, Target, Trouble, at, base64, member, order, pictures, token_count};
use crate::sim::latency::Random;

pub(super) fn whole(call: &Call<'_>) -> Result<Reply, ApiError> {
    rules::check(&call.body, &call.target.name)?;
    if pictures::are_wanted(&call.body) {
        return Ok(order::gemini_reply(&pictures::content(call, prompt_tokens(&call.body))));
    }
    Ok(order::gemini_reply(&Answer::to(call).whole()))
}

pub(super) fn streamed(call: &Call<'_>) -> Result<Reply, ApiError> {
    rules::check(&call.body, &call.target.name)?;
    if pictures::are_wanted(&call.body) {
        let value = pictures::content(call, prompt_tokens(&call.body));
        let event = Event::data(EventKind::Finish, order::text(&value, order::gemini));
        return Ok(stream(vec![event], call.target.asks_for_events));
    }
    Ok(stream(Answer::to(call).stream(), call.target.asks_for_events))
}

fn stream(events: Vec<Event>, as_events: bool) -> Reply {
    if as_events {
        return Reply::events(events);
    }
    Reply { body: Body::Events(events), framing: Framing::JsonArray, ..Reply::json(&Value::Null) }
}

pub(super) fn count_tokens(call: &Call<'_>) -> Result<Reply, ApiError> {
    let body = at(&call.body, &["generateContentRequest"]).unwrap_or(&call.body);
    if at(body, &["contents"]).is_none() {
        return Err(Trouble::Missing.about("contents"));
    }
    let total = prompt_tokens(body);
    Ok(order::gemini_reply(&json!({"totalTokens": total, "promptTokensDetails": [by_text(total)]})))
}

/// A prompt that is blocked is answered, without an answer.
pub(super) fn blocked(target: &Target, setting: &Setting<'_>) -> Reply {
    let value = json!({
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 1},
        "modelVersion": target.name,
        "responseId": setting.id(""),
    });
    if target.endpoint.is_some_and(|endpoint| std::ptr::fn_addr_eq(endpoint.answer, streamed as super::Answer)) {
        return stream(
            vec![Event::data(EventKind::Finish, order::text(&value, order::gemini))],
            target.asks_for_events,
        );
    }
    order::gemini_reply(&value)
}

/// The text of a content, without thoughts.
pub(super) fn said(content: &Value) -> Option<String> {
    let texts = parts(content).iter().filter(|part| at(part, &["thought"]) != Some(&Value::Bool(true)));
    let texts: Vec<&str> = texts.filter_map(|part| member(part, "text")?.as_str()).collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}

fn prompt_tokens(body: &Value) -> u64 {
    const DATA_TOKENS: u64 = 258;
    let contents = at(body, &["contents"]).and_then(Value::as_array).into_iter().flatten();
    let all = contents.chain(at(body, &["systemInstruction"])).flat_map(parts);
    let of_parts: u64 = all
        .map(|part| match member(part, "text").and_then(Value::as_str) {
            Some(text) => token_count(text),
            None if at(part, &["inlineData"]).is_some() || at(part, &["fileData"]).is_some() => DATA_TOKENS,
            None => token_count(&part.to_string()),
        })
        .sum();
    1 + of_parts + declarations(body).map(|declared| token_count(&declared.to_string())).sum::<u64>()
}

fn by_text(count: u64) -> Value {
    json!({"modality": "TEXT", "tokenCount": count})
}

struct Answer {
    id: String,
    model: String,
    candidates: Vec<Candidate>,
    prompt_tokens: u64,
    /// Whether thoughts are shown; they are counted either way.
    shows_thoughts: bool,
}

struct Candidate {
    made: Made,
    ids: Vec<String>,
    /// On the first part after the thoughts.
    signature: Option<String>,
}

impl Answer {
    fn to(call: &Call<'_>) -> Self {
        let (body, setting) = (&call.body, call.setting);
        let contents = at(body, &["contents"]).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let prompt = contents.iter().rev().find_map(said).unwrap_or_default();
        let config = |name: &str| at(body, &["generationConfig", name]);
        let count = config("candidateCount").and_then(Value::as_u64).unwrap_or(1);
        let signs = signs_calls(&call.target.name);
        let candidates = (0..count).map(|index| {
            let made = invent(&wish(body, contents, &prompt, index, &call.target.name), setting);
            let calls = match &made.content {
                Content::Calls(calls) => calls.len(),
                Content::Text(_) => 0,
            };
            let ids = (0..calls).map(|at| setting.id(&format!("call{index}{at}_"))).collect();
            let signed = !made.thoughts.is_empty() || (signs && calls > 0);
            let signature = signed.then(|| signature(&format!("{prompt}{index}"), setting));
            Candidate { made, ids: if signs { ids } else { Vec::new() }, signature }
        });
        Self {
            id: setting.id(""),
            model: call.target.name.clone(),
            candidates: candidates.collect(),
            prompt_tokens: prompt_tokens(body),
            shows_thoughts: at(body, &["generationConfig", "thinkingConfig", "includeThoughts"]) == Some(&json!(true)),
        }
    }

    fn response(&self, candidates: Vec<Value>, usage: Value) -> Value {
        json!({
            "candidates": candidates,
            "usageMetadata": usage,
            "modelVersion": self.model,
            "responseId": self.id,
        })
    }

    fn whole(&self) -> Value {
        let candidates = self.candidates.iter().enumerate().map(|(index, candidate)| {
            let mut parts = Vec::new();
            if self.shows_thoughts && !candidate.made.thoughts.is_empty() {
                parts.push(thought(&candidate.made.thoughts.concat()));
            }
            match &candidate.made.content {
                Content::Text(pieces) => parts.push(candidate.signed(json!({"text": pieces.concat()}))),
                Content::Calls(_) => parts.extend(candidate.calls()),
            }
            one(index, parts, Some(candidate.finish()))
        });
        self.response(candidates.collect(), self.usage(true))
    }

    fn stream(&self) -> Vec<Event> {
        let mut events = Vec::new();
        let mut push = |kind: EventKind, candidate: Value, usage: Value| {
            events.push(Event::data(kind, order::text(&self.response(vec![candidate], usage), order::gemini)));
        };
        for (index, candidate) in self.candidates.iter().enumerate() {
            let shown = if self.shows_thoughts { &candidate.made.thoughts[..] } else { &[] };
            for piece in shown {
                push(EventKind::Content, one(index, vec![thought(piece)], None), self.usage(false));
            }
            match &candidate.made.content {
                Content::Text(pieces) => {
                    for (nth, piece) in pieces.iter().enumerate() {
                        let part = json!({"text": piece});
                        let part = if nth == 0 { candidate.signed(part) } else { part };
                        push(EventKind::Content, one(index, vec![part], None), self.usage(false));
                    }
                }
                Content::Calls(_) => {
                    for part in candidate.calls() {
                        push(EventKind::Content, one(index, vec![part], None), self.usage(false));
                    }
                }
            }
            let last = one(index, vec![json!({"text": ""})], Some(candidate.finish()));
            push(EventKind::Finish, last, self.usage(true));
        }
        events
    }

    fn usage(&self, done: bool) -> Value {
        let sum = |of: &dyn Fn(&Candidate) -> u64| self.candidates.iter().map(of).sum::<u64>();
        let thoughts = sum(&|candidate| candidate.made.thoughts.len() as u64);
        let answered = if done { sum(&|candidate| candidate.made.tokens) } else { 0 };
        let mut usage = json!({
            "promptTokenCount": self.prompt_tokens,
            "totalTokenCount": self.prompt_tokens + answered + thoughts,
            "promptTokensDetails": [by_text(self.prompt_tokens)],
        });
        if done {
            usage["candidatesTokenCount"] = answered.into();
        }
        if thoughts > 0 {
            usage["thoughtsTokenCount"] = thoughts.into();
        }
        usage
    }
}

fn one(index: usize, parts: Vec<Value>, finish: Option<&str>) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": index});
    if let Some(finish) = finish {
        candidate["finishReason"] = finish.into();
    }
    candidate
}

fn thought(text: &str) -> Value {
    json!({"text": text, "thought": true})
}

fn signature(text: &str, setting: &Setting<'_>) -> String {
    let mut random = Random::of_text(setting.seed, text.as_bytes());
    let bytes: Vec<u8> = (0..6).flat_map(|_| random.bits().to_le_bytes()).collect();
    base64(&bytes)
}

impl Candidate {
    fn signed(&self, mut part: Value) -> Value {
        if let Some(signature) = &self.signature {
            part["thoughtSignature"] = signature.as_str().into();
        }
        part
    }

    fn calls(&self) -> Vec<Value> {
        let Content::Calls(calls) = &self.made.content else {
            return Vec::new();
        };
        let part = |(nth, call): (usize, &super::invent::MadeCall)| {
            let args: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
            let mut part = json!({"functionCall": {"name": call.name, "args": args}});
            if let Some(id) = self.ids.get(nth) {
                part["functionCall"]["id"] = id.as_str().into();
            }
            if nth == 0 { self.signed(part) } else { part }
        };
        calls.iter().enumerate().map(part).collect()
    }

    /// Calls and stop words end an answer as naturally as its end does.
    fn finish(&self) -> &'static str {
        if self.made.ending == Ending::Limit { "MAX_TOKENS" } else { "STOP" }
    }
}

fn wish<'a>(body: &'a Value, contents: &'a [Value], prompt: &'a str, index: u64, model: &'a str) -> Wish<'a> {
    let config = |name: &str| at(body, &["generationConfig", name]);
    let calling = |name: &str| at(body, &["toolConfig", "functionCallingConfig", name]);
    let thinking = |name: &str| at(body, &["generationConfig", "thinkingConfig", name]);
    let strings = |value: Option<&'a Value>| -> Vec<&'a str> {
        value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let allowed = strings(calling("allowedFunctionNames"));
    Wish {
        model,
        prompt,
        index,
        tools: declarations(body).filter_map(tool).collect(),
        tool_choice: match calling("mode").and_then(Value::as_str) {
            Some("NONE") => ToolChoice::Never,
            Some("ANY") if !allowed.is_empty() => ToolChoice::Of(allowed),
            Some("ANY") => ToolChoice::Any,
            _ => ToolChoice::Auto,
        },
        parallel: None,
        after_result: contents
            .last()
            .is_some_and(|content| parts(content).iter().any(|part| at(part, &["functionResponse"]).is_some())),
        json: match (config("responseSchema").or(config("responseJsonSchema")), config("responseMimeType")) {
            (Some(schema), _) => Json::By(schema),
            (None, Some(kind)) if kind == "application/json" => Json::Any,
            _ => Json::No,
        },
        limit: config("maxOutputTokens").and_then(Value::as_u64),
        stops: strings(config("stopSequences")),
        thinks: thinking("includeThoughts") == Some(&json!(true))
            || thinking("thinkingBudget").and_then(Value::as_i64).is_some_and(|budget| budget != 0)
            || thinking("thinkingLevel").is_some(),
    }
}

fn tool(declared: &Value) -> Option<Tool<'_>> {
    let schema = at(declared, &["parameters"]).or_else(|| at(declared, &["parametersJsonSchema"]));
    Some(Tool { name: member(declared, "name")?.as_str()?, schema, free: false })
}
