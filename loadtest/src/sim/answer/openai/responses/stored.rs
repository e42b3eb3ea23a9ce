//! Responses that are kept, as OpenAI does where a request does not say `store: false`, and what can be done with one by its id.
//!
//! A background response is queued until it is looked at for the first time, which finds it completed, or failed if its metadata have `fails`;
//! only until then can it be cancelled.
//! The oldest make room for new ones. Every credential sees all of them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::super::super::{ApiError, Call, Event, Reply, Trouble};
use super::answer::Answer;
use crate::limits::KEPT_RESPONSES_MAX;

/// What a simulator keeps.
#[derive(Default)]
pub(crate) struct Stored(Mutex<VecDeque<Kept>>);

struct Kept {
    id: String,
    /// As it is now.
    response: Value,
    /// Of one that is queued, what it will be.
    completed: Option<Value>,
    events: Vec<Event>,
    /// The newest last.
    items: Vec<Value>,
}

impl Stored {
    pub(super) fn keep(&self, answer: &Answer<'_>, body: &Value) {
        let fails = body.pointer("/metadata/fails").is_some();
        let whole = if fails { answer.failed() } else { answer.whole() };
        let is_queued = body.get("background") == Some(&Value::Bool(true)) && body["stream"] != true;
        let kept = Kept {
            id: answer.id().to_owned(),
            response: if is_queued { answer.queued() } else { whole.clone() },
            completed: is_queued.then_some(whole),
            events: if fails { answer.failed_stream() } else { answer.stream() },
            items: items(body, answer.id()),
        };
        let mut all = self.all();
        if all.len() == KEPT_RESPONSES_MAX {
            all.pop_front();
        }
        all.push_back(kept);
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.all().iter().any(|kept| kept.id == id)
    }

    fn with<T>(&self, id: &str, look: impl FnOnce(&mut Kept) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let mut all = self.all();
        look(all.iter_mut().find(|kept| kept.id == id).ok_or_else(|| not_found(id))?)
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        // What is kept is whole at every moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `GET /responses/{id}` and `GET /responses/{id}/input_items`.
pub(in super::super) fn get(call: &Call<'_>) -> Result<Reply, ApiError> {
    let stored = call.setting.stored;
    let parameter = |name: &str| call.request.parameter(name);
    if let Some(id) = call.target.name.strip_suffix("/input_items") {
        let limit = parameter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(20);
        return stored.with(id, |kept| Ok(list(&kept.items, parameter("order") == Some("asc"), limit)));
    }
    stored.with(&call.target.name, |kept| {
        if let Some(completed) = kept.completed.take() {
            kept.response = completed;
        }
        if parameter("stream") != Some("true") {
            return Ok(Reply::json(&kept.response));
        }
        let after = parameter("starting_after").and_then(|number| number.parse::<usize>().ok());
        Ok(Reply::events(kept.events.iter().skip(after.map_or(0, |number| number + 1)).cloned().collect()))
    })
}

/// `DELETE /responses/{id}`
pub(in super::super) fn delete(call: &Call<'_>) -> Result<Reply, ApiError> {
    let id = &call.target.name;
    let mut all = call.setting.stored.all();
    let at = all.iter().position(|kept| kept.id == *id).ok_or_else(|| not_found(id))?;
    all.remove(at);
    Ok(Reply::json(&json!({"id": id, "object": "response", "deleted": true})))
}

/// `POST /responses/{id}/cancel`
pub(in super::super) fn cancel(call: &Call<'_>) -> Result<Reply, ApiError> {
    let Some(id) = call.target.name.strip_suffix("/cancel") else {
        return Err(Trouble::UnknownUrl(format!("POST {}", call.request.path)).into());
    };
    call.setting.stored.with(id, |kept| {
        let is_cancelled = kept.response["status"] == "cancelled";
        if kept.completed.take().is_none() && !is_cancelled {
            let mut error = Trouble::Told(400).about("id");
            error.said.message = Some(format!("Response with id '{id}' cannot be cancelled: it is not in progress."));
            return Err(error);
        }
        kept.response["status"] = json!("cancelled");
        Ok(Reply::json(&kept.response))
    })
}

/// Whoever goes on from a response names one that is kept.
pub(super) fn check_previous(call: &Call<'_>) -> Result<(), ApiError> {
    let Some(id) = call.body.get("previous_response_id").and_then(Value::as_str) else { return Ok(()) };
    if call.setting.stored.has(id) {
        return Ok(());
    }
    let mut error = Trouble::Told(400).about("previous_response_id");
    error.said.message = Some(format!("Previous response with id '{id}' not found."));
    error.said.code = Some("previous_response_not_found".to_owned());
    Err(error)
}

fn not_found(id: &str) -> ApiError {
    let mut error = ApiError::from(Trouble::UnknownUrl(String::new()));
    error.said.message = Some(format!("Response with id '{id}' not found."));
    error
}

/// The input as items, each with an id.
fn items(body: &Value, response: &str) -> Vec<Value> {
    let message = |role: &Value, content: &Value| match content {
        Value::String(text) => {
            json!({"type": "message", "role": role, "status": "completed", "content": [{"type": "input_text", "text": text}]})
        }
        content => json!({"type": "message", "role": role, "status": "completed", "content": content}),
    };
    let given = match body.get("input") {
        Some(Value::Array(items)) => items.clone(),
        Some(text) => vec![json!({"role": "user", "content": text})],
        None => Vec::new(),
    };
    let with_id = |(place, item): (usize, Value)| {
        let mut item = if item["role"].is_string() { message(&item["role"], &item["content"]) } else { item };
        if item["id"].is_null() {
            item["id"] = json!(format!("{}{place:02}", response.replacen("resp_", "msg_", 1)));
        }
        item
    };
    given.into_iter().enumerate().map(with_id).collect()
}

fn list(items: &[Value], ascending: bool, limit: usize) -> Reply {
    let mut sorted: Vec<&Value> = items.iter().collect();
    if !ascending {
        sorted.reverse();
    }
    let has_more = sorted.len() > limit;
    sorted.truncate(limit);
    let id = |item: Option<&&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    let (first_id, last_id) = (id(sorted.first()), id(sorted.last()));
    Reply::json(
        &json!({"object": "list", "data": sorted, "first_id": first_id, "last_id": last_id, "has_more": has_more}),
    )
}
