//! Faults of what is answered: statuses, error bodies, events that lack, lie or break.
//!
//! Each turns a healthy `Reply` into the one that a provider in that trouble sends. An error replaces the answer, whatever
//! was asked; edits of an answer leave errors alone.

use serde_json::{Value, json};

use super::answer::{ApiError, Body, Event, EventKind, Reply, Request};
use super::fault::{Fault, Faults, Kind};
use crate::limits::FAULT_BYTES_MAX;

pub(crate) fn apply(reply: &mut Reply, faults: &Faults, request: &Request) {
    for fault in &faults.0 {
        if let Some(refusal) = refusal(fault, request) {
            *reply = refusal;
        } else if reply.status == 200 {
            edit(reply, fault);
        }
    }
}

/// The faults that answer something else altogether.
fn refusal(fault: &Fault, request: &Request) -> Option<Reply> {
    let status = u16::try_from(fault.number).ok().filter(|status| (200..=599).contains(status)).unwrap_or(500);
    let error = match fault.kind {
        Kind::Status | Kind::EarlyAnswer => ApiError::new(
            status,
            fault.option("type").unwrap_or(type_of(status)),
            fault.option("code").or(code_of(status)),
            fault.option("message").unwrap_or("The simulated provider was told to fail."),
        ),
        Kind::RateLimited => ApiError::new(
            429,
            "requests",
            Some("rate_limit_exceeded"),
            "Rate limit reached for requests. Please try again later.",
        ),
        Kind::InsufficientQuota => ApiError::new(
            429,
            "insufficient_quota",
            Some("insufficient_quota"),
            "You exceeded your current quota, please check your plan and billing details.",
        ),
        Kind::EchoKey => ApiError::new(
            status,
            "invalid_request_error",
            Some("invalid_api_key"),
            format!("Incorrect API key provided: {}.", request.key()),
        ),
        Kind::ContextLength => ApiError::new(
            400,
            "invalid_request_error",
            Some("context_length_exceeded"),
            "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens.",
        )
        .about("messages"),
        Kind::ContentFilter => ApiError::new(
            400,
            "invalid_request_error",
            Some("content_filter"),
            "The response was filtered due to the prompt triggering a content management policy.",
        )
        .about("prompt"),
        Kind::ModelNotFound => ApiError::model_not_found("(simulated)"),
        Kind::TooLarge => ApiError::new(413, "invalid_request_error", None, "Request too large."),
        Kind::Redirect => {
            let mut reply = Reply::whole("text/plain", b"Moved.".to_vec());
            reply.status = status;
            reply.headers.push(("location", "http://elsewhere.invalid/v1/chat/completions".to_owned()));
            return Some(reply);
        }
        Kind::ErrorIn200 => return Some(Reply::json(&coded_error(fault.number))),
        Kind::FirstEventError => {
            let event = Event::data(EventKind::Opening, coded_error(fault.number).to_string());
            return Some(Reply::events(vec![event]));
        }
        Kind::EmptyBody => return Some(Reply::whole("application/json", Vec::new())),
        Kind::Html => return Some(html(status)),
        _ => return None,
    };
    let mut reply = if fault.option("html").is_some() { html(status) } else { error.reply() };
    reply.headers.extend(hints(fault));
    Some(reply)
}

/// The headers by which an error says when to come back.
fn hints(fault: &Fault) -> Vec<(&'static str, String)> {
    const FORMS: &[(&str, &str)] = &[
        ("retry_after", "retry-after"),
        ("retry_after_ms", "retry-after-ms"),
        ("reset_requests", "x-ratelimit-reset-requests"),
        ("reset_tokens", "x-ratelimit-reset-tokens"),
        ("should_retry", "x-should-retry"),
    ];
    let mut hints: Vec<(&'static str, String)> =
        FORMS.iter().filter_map(|(option, header)| Some((*header, fault.option(option)?.to_owned()))).collect();
    if fault.kind == Kind::RateLimited {
        if hints.is_empty() {
            hints.push(("retry-after", fault.number.to_string()));
        }
        hints.push(("x-ratelimit-remaining-requests", "0".to_owned()));
    }
    hints
}

fn type_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "requests",
        400..=499 => "invalid_request_error",
        503 | 529 => "service_unavailable_error",
        _ => "server_error",
    }
}

fn code_of(status: u16) -> Option<&'static str> {
    match status {
        401 => Some("invalid_api_key"),
        404 => Some("model_not_found"),
        408 => Some("timeout"),
        429 => Some("rate_limit_exceeded"),
        503 | 529 => Some("server_is_overloaded"),
        500..=599 => Some("server_error"),
        _ => None,
    }
}

/// An error whose code is a number, as OpenRouter and vLLM write it.
fn coded_error(code: u64) -> Value {
    json!({"error": {
        "message": "The simulated provider failed after it had said 200.",
        "type": "server_error",
        "param": null,
        "code": code,
    }})
}

fn html(status: u16) -> Reply {
    let page = "<!DOCTYPE html>\n<html><head><title>Error</title></head>\n<body><h1>Bad gateway</h1>\n\
                <p>data: the origin did not answer.</p></body></html>\n";
    Reply { status, ..Reply::whole("text/html; charset=utf-8", page.as_bytes().to_vec()) }
}

/// The faults that change an answer.
fn edit(reply: &mut Reply, fault: &Fault) {
    match (&mut reply.body, fault.kind) {
        (_, Kind::WrongType) => reply.content_type = "text/plain; charset=utf-8",
        (Body::Whole(body), Kind::BadJson) => body.truncate(body.len() / 2),
        (Body::Whole(body), Kind::NoUsage) => edit_json(body, |value| {
            if let Some(members) = value.as_object_mut() {
                members.remove("usage");
            }
        }),
        (Body::Whole(body), Kind::AbsurdUsage) => edit_json(body, |value| value["usage"] = absurd_usage()),
        (Body::Whole(body), Kind::EmptyChoices) => edit_json(body, |value| value["choices"] = json!([])),
        (Body::Whole(body), Kind::BigAnswer) => {
            let long = filler(fault.size());
            edit_json(body, |value| put_content(value, &long));
        }
        (Body::Events(events), kind) => edit_events(events, kind, fault),
        _ => {}
    }
}

fn edit_events(events: &mut Vec<Event>, kind: Kind, fault: &Fault) {
    match kind {
        Kind::ErrorAfter => {
            cut_after(events, fault.size());
            events.push(Event::data(EventKind::Finish, coded_error(500).to_string()));
        }
        Kind::EofAfter => cut_after(events, fault.size()),
        Kind::BadEventAfter => {
            let at = content_position(events, fault.size());
            if let Some(event) = events.get_mut(at) {
                let half = event.data.len() / 2;
                let is_cut = |at: &usize| event.data.is_char_boundary(*at);
                event.data.truncate((0..=half).rev().find(is_cut).unwrap_or(0));
            }
        }
        Kind::NoDone => events.retain(|event| event.kind != EventKind::Done),
        Kind::NoFinish => events.retain(|event| event.kind != EventKind::Finish),
        Kind::NoUsage => events.retain(|event| event.kind != EventKind::Usage),
        Kind::AbsurdUsage => {
            for event in events.iter_mut().filter(|event| event.kind == EventKind::Usage) {
                edit_text(event, |value| value["usage"] = absurd_usage());
            }
        }
        Kind::EmptyChoices => {
            events.retain(|event| matches!(event.kind, EventKind::Usage | EventKind::Done));
        }
        Kind::HugeLine => {
            let long = filler(fault.size());
            if let Some(event) = events.iter_mut().find(|event| event.kind == EventKind::Content) {
                edit_text(event, |value| put_content(value, &long));
            }
        }
        Kind::BigAnswer => {
            let at = content_position(events, 0);
            let Some(mut event) = events.get(at).cloned() else {
                return;
            };
            edit_text(&mut event, |value| put_content(value, &filler(BIG_EVENT_BYTES)));
            let count = fault.size().min(FAULT_BYTES_MAX) / BIG_EVENT_BYTES;
            events.splice(at..at, std::iter::repeat_n(event, count));
        }
        _ => {}
    }
}

/// Content of each event of a big streamed answer.
const BIG_EVENT_BYTES: usize = 4_096;

fn cut_after(events: &mut Vec<Event>, content_events: usize) {
    events.truncate(content_position(events, content_events));
}

/// Where the content event with so many before it stands; where the content ends if there are fewer.
fn content_position(events: &[Event], before: usize) -> usize {
    let is_content = |event: &Event| event.kind == EventKind::Content;
    let mut positions = events.iter().enumerate().filter(|(_, event)| is_content(event)).map(|(at, _)| at);
    let end = events.iter().rposition(is_content).map_or(events.len(), |last| last + 1);
    positions.nth(before).unwrap_or(end)
}

fn absurd_usage() -> Value {
    json!({"prompt_tokens": -5, "completion_tokens": 9_000_000_000_000_000_000_u64, "total_tokens": 1.5})
}

fn filler(bytes: usize) -> String {
    "x".repeat(bytes.min(FAULT_BYTES_MAX))
}

/// Replaces the answer's text where the dialect keeps it.
fn put_content(value: &mut Value, text: &str) {
    const PLACES: &[&str] = &[
        "/choices/0/message/content",
        "/choices/0/delta/content",
        "/choices/0/text",
        "/output/0/content/0/text",
        "/delta",
    ];
    let place = PLACES.iter().find(|place| value.pointer(place).is_some());
    if let Some(content) = place.and_then(|place| value.pointer_mut(place)) {
        *content = Value::from(text);
    }
}

fn edit_json(body: &mut Vec<u8>, change: impl FnOnce(&mut Value)) {
    if let Ok(mut value) = serde_json::from_slice::<Value>(body)
        && value.is_object()
    {
        change(&mut value);
        *body = value.to_string().into_bytes();
    }
}

fn edit_text(event: &mut Event, change: impl FnOnce(&mut Value)) {
    if let Ok(mut value) = serde_json::from_str::<Value>(&event.data) {
        change(&mut value);
        event.data = value.to_string();
    }
}
