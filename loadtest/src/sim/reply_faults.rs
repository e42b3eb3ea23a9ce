//! Faults of what is answered: statuses, error bodies, events that lack, lie or break.
//!
//! Each turns a healthy `Reply` into the one that a provider in that trouble sends. An error replaces the answer, whatever
//! was asked; edits of an answer leave errors alone.

use serde_json::{Value, json};

use super::answer::{ApiError, Body, Event, EventKind, Places, Reply, Request, Setting, Target, Trouble};
use super::fault::{Fault, Faults, Kind};
use crate::limits::FAULT_BYTES_MAX;

pub(crate) fn apply(reply: &mut Reply, faults: &Faults, request: &Request, target: &Target, setting: &Setting<'_>) {
    for fault in &faults.0 {
        if let Some(refusal) = refusal(fault, request, target, setting) {
            *reply = refusal;
        } else if reply.status == 200 {
            edit(reply, fault, target, setting);
        }
    }
}

/// The faults that answer something else altogether.
fn refusal(fault: &Fault, request: &Request, target: &Target, setting: &Setting<'_>) -> Option<Reply> {
    let dialect = target.dialect;
    let status = u16::try_from(fault.number).ok().filter(|status| (200..=599).contains(status)).unwrap_or(500);
    let mut error: ApiError = match fault.kind {
        Kind::Status | Kind::EarlyAnswer => Trouble::Told(status).into(),
        Kind::RateLimited => Trouble::RateLimited.into(),
        Kind::InsufficientQuota => Trouble::Quota.into(),
        Kind::EchoKey => {
            let mut error = ApiError::from(Trouble::BadKey);
            error.said.status = Some(status);
            error.said.message = Some(format!("Incorrect API key provided: {}.", (dialect.key)(request)));
            error
        }
        Kind::ContextLength => Trouble::ContextLength.about("messages"),
        Kind::ContentFilter => Trouble::ContentFilter.about("prompt"),
        Kind::ModelNotFound => Trouble::ModelNotFound("(simulated)".to_owned()).into(),
        Kind::TooLarge => Trouble::TooLarge.into(),
        Kind::Redirect => {
            let mut reply = Reply::whole("text/plain", b"Moved.".to_vec());
            reply.status = status;
            reply.headers.push(("location", format!("http://elsewhere.invalid{}", request.path)));
            return Some(reply);
        }
        Kind::ErrorIn200 => {
            let error = (dialect.late_error)(fault.number, None, setting);
            return Some(Reply::json_text(error.data));
        }
        Kind::FirstEventError => {
            return Some(Reply::events(vec![(dialect.late_error)(fault.number, target.endpoint, setting)]));
        }
        Kind::EmptyBody => return Some(Reply::whole("application/json", Vec::new())),
        Kind::Html => return Some(html(status)),
        _ => return None,
    };
    hint(&mut error, fault);
    if fault.option("html").is_some() {
        return Some(Reply { headers: (dialect.refuse)(&error, target, setting).headers, ..html(status) });
    }
    Some((dialect.refuse)(&error, target, setting))
}

/// What the script's options say beside the status: words, and when to come back.
fn hint(error: &mut ApiError, fault: &Fault) {
    const FORMS: &[(&str, &str)] = &[
        ("retry_after_ms", "retry-after-ms"),
        ("reset_requests", "x-ratelimit-reset-requests"),
        ("reset_tokens", "x-ratelimit-reset-tokens"),
        ("should_retry", "x-should-retry"),
    ];
    let said = |name: &str| fault.option(name).map(str::to_owned);
    error.said.kind = said("type");
    error.said.code = said("code");
    error.said.message = said("message").or(error.said.message.take());
    error.said.retry_after = said("retry_after");
    error.said.headers = FORMS.iter().filter_map(|(option, header)| Some((*header, said(option)?))).collect();
    error.said.exhausted = fault.kind == Kind::RateLimited;
    if error.said.exhausted && error.said.retry_after.is_none() && error.said.headers.is_empty() {
        error.said.retry_after = Some(fault.number.to_string());
    }
}

fn html(status: u16) -> Reply {
    let page = "<!DOCTYPE html>\n<html><head><title>Error</title></head>\n<body><h1>Bad gateway</h1>\n\
                <p>data: the origin did not answer.</p></body></html>\n";
    Reply { status, ..Reply::whole("text/html; charset=utf-8", page.as_bytes().to_vec()) }
}

/// The faults that change an answer.
fn edit(reply: &mut Reply, fault: &Fault, target: &Target, setting: &Setting<'_>) {
    let places = &target.dialect.places;
    match (&mut reply.body, fault.kind) {
        (_, Kind::WrongType) => reply.content_type = "text/plain; charset=utf-8",
        (Body::Whole(body), Kind::BadJson) => body.truncate(body.len() / 2),
        (Body::Whole(body), Kind::NoUsage) => edit_json(body, |value| remove_usage(value, places)),
        (Body::Whole(body), Kind::AbsurdUsage) => edit_json(body, |value| falsify_usage(value, places)),
        (Body::Whole(body), Kind::EmptyChoices) => edit_json(body, |value| put(value, places.answers, json!([]))),
        (Body::Whole(body), Kind::FinishReason) => edit_json(body, |value| put(value, places.finish, reason(fault))),
        (Body::Whole(body), Kind::BigAnswer) => {
            let long = filler(fault.size());
            edit_json(body, |value| put(value, places.text, long.into()));
        }
        (Body::Events(events), Kind::ErrorAfter) => {
            cut_after(events, fault.size());
            events.push((target.dialect.late_error)(500, target.endpoint, setting));
        }
        (Body::Events(events), kind) => edit_events(events, kind, fault, places),
        _ => {}
    }
}

fn edit_events(events: &mut Vec<Event>, kind: Kind, fault: &Fault, places: &Places) {
    match kind {
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
        Kind::FinishReason => {
            for event in events.iter_mut().filter(|event| event.kind == EventKind::Finish) {
                edit_text(event, |value| put(value, places.finish, reason(fault)));
            }
        }
        Kind::NoUsage => {
            events.retain(|event| event.kind != EventKind::Usage);
            events.iter_mut().for_each(|event| edit_text(event, |value| remove_usage(value, places)));
        }
        Kind::AbsurdUsage => {
            events.iter_mut().for_each(|event| edit_text(event, |value| falsify_usage(value, places)));
        }
        Kind::EmptyChoices => {
            events.retain(|event| !matches!(event.kind, EventKind::Content | EventKind::Frame));
            events.iter_mut().for_each(|event| edit_text(event, |value| put(value, places.answers, json!([]))));
        }
        Kind::HugeLine => {
            let long = filler(fault.size());
            if let Some(event) = events.iter_mut().find(|event| event.kind == EventKind::Content) {
                edit_text(event, |value| put(value, places.text, long.into()));
            }
        }
        Kind::BigAnswer => {
            let at = content_position(events, 0);
            let Some(mut event) = events.get(at).cloned() else {
                return;
            };
            edit_text(&mut event, |value| put(value, places.text, filler(BIG_EVENT_BYTES).into()));
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

/// The usages of an answer; what is null has none yet.
fn usages<'a>(value: &'a Value, places: &'a Places) -> impl Iterator<Item = &'static str> + 'a {
    places.usage.iter().copied().filter(|place| value.pointer(place).is_some_and(Value::is_object))
}

fn remove_usage(value: &mut Value, places: &Places) {
    let found: Vec<&str> = usages(value, places).collect();
    for place in found {
        let (parent, name) = place.rsplit_once('/').unwrap_or(("", place));
        if let Some(members) = value.pointer_mut(parent).and_then(Value::as_object_mut) {
            members.remove(name);
        }
    }
}

/// A negative count, one that no counter holds, and one that is no whole number.
fn falsify_usage(value: &mut Value, places: &Places) {
    let [first, second, third] = places.counts;
    let absurd = json!({first: -5, second: 9_000_000_000_000_000_000_u64, third: 1.5});
    let found: Vec<&str> = usages(value, places).collect();
    for place in found {
        if let Some(usage) = value.pointer_mut(place) {
            *usage = absurd.clone();
        }
    }
}

fn reason(fault: &Fault) -> Value {
    Value::from(fault.option("reason").unwrap_or("error"))
}

fn filler(bytes: usize) -> String {
    "x".repeat(bytes.min(FAULT_BYTES_MAX))
}

/// Replaces what stands at the first of these places that there is.
fn put(value: &mut Value, places: &[&str], new: Value) {
    let place = places.iter().find(|place| value.pointer(place).is_some());
    if let Some(old) = place.and_then(|place| value.pointer_mut(place)) {
        *old = new;
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
