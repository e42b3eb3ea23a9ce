//! `POST /completions`, the legacy text endpoint, whole and streamed. `echo`, `suffix` and `best_of` are accepted and ignored.

use serde_json::{Value, json};

use super::reply::{Event, EventKind, Reply};
use super::text::{pieces, quote, regroup};
use super::verify::Is::{Bool, Int, Number, Object, Str, StrOrList, Strs};
use super::verify::{Table, may, need};
use super::{ApiError, Call, Trouble, token_count};
use crate::limits::{CHOICES_MAX, EMBEDDING_INPUTS_MAX};
use crate::sim::latency::Random;

pub(super) const TABLE: Table = Table {
    fields: &[
        need("model", Str),
        need("prompt", StrOrList),
        may("max_tokens", Int(0, i64::MAX)),
        may("n", Int(1, CHOICES_MAX as i64)),
        may("temperature", Number(0.0, 2.0)),
        may("stop", Strs),
        may("stream", Bool),
        may("stream_options", Object),
    ],
    known: None,
};

pub(super) fn reply(call: &Call<'_>) -> Result<Reply, ApiError> {
    let (body, setting) = (&call.body, call.setting);
    let prompts = prompts(body)?;
    let count = body.get("n").and_then(Value::as_u64).unwrap_or(1).clamp(1, CHOICES_MAX);
    let limit = body.get("max_tokens").and_then(Value::as_u64).unwrap_or(16).max(1);
    let wanted = setting.shape.tokens.max(setting.shape.chunks);
    let length = wanted.min(usize::try_from(limit).unwrap_or(usize::MAX));
    let finish = if length < wanted { "length" } else { "stop" };
    let model = body.get("model").and_then(Value::as_str).unwrap_or("");
    let texts: Vec<Vec<String>> = prompts
        .iter()
        .flat_map(|prompt| (0..count).map(move |index| (prompt, index)))
        .map(|(prompt, index)| {
            let mut random = Random::of_text(setting.seed.wrapping_add(index), prompt.as_bytes());
            regroup(pieces(prompt, length, &mut random), setting.shape.chunks)
        })
        .collect();
    let prompt_tokens: u64 = prompts.iter().map(|prompt| token_count(prompt)).sum();
    let completion_tokens = (length * texts.len()) as u64;
    let usage = json!({
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    });
    let id = setting.id("cmpl-");
    let head = format!(
        r#"{{"id":"{id}","object":"text_completion","created":{},"model":{},"#,
        setting.created_s,
        quote(model)
    );
    let choice = |index: usize, text: &str, finish: Option<&str>| {
        let finish = finish.map_or("null".to_owned(), quote);
        format!(r#"{{"text":{},"index":{index},"logprobs":null,"finish_reason":{finish}}}"#, quote(text))
    };
    if body.get("stream") != Some(&Value::Bool(true)) {
        let choices: Vec<String> =
            texts.iter().enumerate().map(|(index, text)| choice(index, &text.concat(), Some(finish))).collect();
        return Ok(Reply::json_text(format!(r#"{head}"choices":[{}],"usage":{usage}}}"#, choices.join(","))));
    }
    let include_usage = body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true));
    let usage_null = if include_usage { r#","usage":null"# } else { "" };
    let mut events = Vec::new();
    for (index, pieces) in texts.iter().enumerate() {
        let content = pieces.iter().map(|piece| {
            let data = format!(r#"{head}"choices":[{}]{usage_null}}}"#, choice(index, piece, None));
            Event::data(EventKind::Content, data)
        });
        events.extend(content);
        let last = format!(r#"{head}"choices":[{}]{usage_null}}}"#, choice(index, "", Some(finish)));
        events.push(Event::data(EventKind::Finish, last));
    }
    if include_usage {
        events.push(Event::data(EventKind::Usage, format!(r#"{head}"choices":[],"usage":{usage}}}"#)));
    }
    events.push(Event::done());
    Ok(Reply::events(events))
}

/// A string, several, a list of token ids, or several of those. Token ids are shown as their numbers.
fn prompts(body: &Value) -> Result<Vec<String>, ApiError> {
    let prompt = body.get("prompt").unwrap_or(&Value::Null);
    super::embeddings::inputs(prompt)
        .filter(|prompts| prompts.len() <= EMBEDDING_INPUTS_MAX)
        .ok_or_else(|| Trouble::WrongType("a string, an array of strings or an array of integers").about("prompt"))
}
