//! Anthropic's API: Messages, token counting, models, its errors and headers.
//!
//! `anthropic-version` and a credential are demanded of every request, whatever the script says of keys: `x-api-key`, or a
//! bearer as its tokens for gateways and applications are sent.

mod messages;
mod rules;

use serde_json::{Value, json};

use super::verify::plain;
use super::{
    ApiError, Call, Dialect, Endpoint, Event, EventKind, Input, Places, Reply, Request, Route, Setting, Table, Target,
    Trouble, base64, invent, order, reply, text, token_count, verify,
};

pub(super) const DIALECT: Dialect = Dialect {
    name: "anthropic",
    endpoints: &[
        post("anthropic_messages", "messages", &rules::MESSAGES, messages::reply),
        post("anthropic_count_tokens", "messages/count_tokens", &rules::COUNT_TOKENS, messages::count_tokens),
        get("anthropic_models", Route::Path("models"), models),
        get("anthropic_model", Route::Below("models/"), model),
    ],
    marks: |request| request.header("anthropic-version").is_some() || request.header("x-api-key").is_some(),
    key: |request| request.header("x-api-key").unwrap_or_else(|| request.bearer()),
    admit,
    member: plain,
    refuse,
    late_error: |code, _, setting| {
        let told = ApiError::from(Trouble::Told(u16::try_from(code).unwrap_or(500)));
        Event::named(EventKind::Finish, "error", order::text(&error_value(&told, setting), order::anthropic))
    },
    headers,
    places: Places {
        text: &["/content/0/text", "/delta/text"],
        usage: &["/usage", "/message/usage"],
        answers: &["/content"],
        finish: &["/stop_reason", "/delta/stop_reason"],
        counts: ["input_tokens", "output_tokens", "cache_read_input_tokens"],
    },
};

type Answer = fn(&Call<'_>) -> Result<Reply, ApiError>;

const fn post(name: &'static str, path: &'static str, table: &'static Table, answer: Answer) -> Endpoint {
    Endpoint { name, method: "POST", route: Route::Path(path), input: Input::Json(table), answer }
}

const fn get(name: &'static str, route: Route, answer: Answer) -> Endpoint {
    Endpoint { name, method: "GET", route, input: Input::Nothing, answer }
}

fn admit(request: &Request) -> Result<(), ApiError> {
    if (DIALECT.key)(request).is_empty() {
        return Err(Trouble::NoKey.into());
    }
    match request.header("anthropic-version") {
        Some(version) if is_date(version) => Ok(()),
        Some(other) => {
            let says = format!("anthropic-version: \"{other}\" is not a valid version.");
            Err(Trouble::Broken("anthropic-version is no date", says).into())
        }
        None => {
            Err(Trouble::Broken("anthropic-version missing", "anthropic-version: header is required".into()).into())
        }
    }
}

/// Versions are named by their day, `2023-06-01`. Which days were one is not known here: clients name new ones.
fn is_date(version: &str) -> bool {
    let shape: String = version.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    shape == "0000-00-00"
}

fn models(call: &Call<'_>) -> Result<Reply, ApiError> {
    let shown = call.setting.models_shown();
    Ok(order::anthropic_reply(&json!({
        "data": shown.iter().map(|id| model_object(id, call.setting)).collect::<Vec<_>>(),
        "has_more": false,
        "first_id": shown.first(),
        "last_id": shown.last(),
    })))
}

fn model(call: &Call<'_>) -> Result<Reply, ApiError> {
    Ok(order::anthropic_reply(&model_object(call.listed()?, call.setting)))
}

fn model_object(id: &str, setting: &Setting<'_>) -> Value {
    json!({"type": "model", "id": id, "display_name": id, "created_at": rfc3339(setting.created_s)})
}

fn refuse(error: &ApiError, target: &Target, setting: &Setting<'_>) -> Reply {
    if error.trouble == Trouble::ContentFilter && target.endpoint.is_some() {
        return messages::refusal(setting);
    }
    let mut headers = error.said.headers.clone();
    headers.extend(error.said.retry_after.iter().map(|seconds| ("retry-after", seconds.clone())));
    if error.said.exhausted {
        headers.push(("anthropic-ratelimit-requests-remaining", "0".to_owned()));
    }
    let status = error.said.status.unwrap_or_else(|| status(error));
    Reply { status, headers, ..order::anthropic_reply(&error_value(error, setting)) }
}

fn error_value(error: &ApiError, setting: &Setting<'_>) -> Value {
    let status = error.said.status.unwrap_or_else(|| status(error));
    json!({
        "type": "error",
        "error": {
            "type": error.said.kind.as_deref().unwrap_or(type_of(status)),
            "message": error.said.message.clone().unwrap_or_else(|| words(error)),
        },
        "request_id": setting.request_id(),
    })
}

fn status(error: &ApiError) -> u16 {
    match &error.trouble {
        Trouble::NoKey | Trouble::BadKey => 401,
        Trouble::UnknownUrl(_) | Trouble::ModelNotFound(_) => 404,
        Trouble::TooLarge => 413,
        Trouble::Quota => 402,
        Trouble::RateLimited => 429,
        Trouble::Told(status) => *status,
        _ => 400,
    }
}

fn type_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        _ => "api_error",
    }
}

fn words(error: &ApiError) -> String {
    // The lists' positions stand between dots: `messages.0.role`.
    let param = error.param().replace('[', ".").replace(']', "");
    match &error.trouble {
        Trouble::NotJson(why) => format!("The request body is not valid JSON: {why}"),
        Trouble::Missing => format!("{param}: Field required"),
        Trouble::WrongType(expected) => format!("{param}: Input should be {expected}"),
        Trouble::BadValue(expected) => format!("{param}: Input should be {expected}"),
        Trouble::UnknownField => format!("{param}: Extra inputs are not permitted"),
        Trouble::Broken(_, says) if param.is_empty() => says.clone(),
        Trouble::Broken(_, says) => format!("{param}: {says}"),
        Trouble::UnknownUrl(_) => "Not found".to_owned(),
        Trouble::NoKey => "x-api-key header is required".to_owned(),
        Trouble::BadKey => "invalid x-api-key".to_owned(),
        Trouble::ModelNotFound(model) => format!("model: {model}"),
        Trouble::ContextLength => "prompt is too long: 208310 tokens > 200000 maximum".to_owned(),
        Trouble::ContentFilter => "Output blocked by content filtering policy".to_owned(),
        Trouble::TooLarge => "Request exceeds the maximum size".to_owned(),
        Trouble::Quota => "Your credit balance is too low to access the API.".to_owned(),
        Trouble::RateLimited => "This request would exceed your organization's rate limit.".to_owned(),
        Trouble::Told(503 | 529) => "Overloaded".to_owned(),
        Trouble::Told(_) => "The simulated provider was told to fail.".to_owned(),
    }
}

fn headers(setting: &Setting<'_>) -> Vec<(&'static str, String)> {
    let (requests, tokens) = (setting.allowance.requests, setting.allowance.tokens);
    let reset = |full_in_ms: u64| rfc3339(setting.now_s + full_in_ms.div_ceil(1_000));
    // Remaining tokens are told in thousands.
    let round = |remaining: u64| (remaining / 1_000 * 1_000).to_string();
    vec![
        ("request-id", setting.request_id()),
        ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000".to_owned()),
        ("anthropic-ratelimit-requests-limit", requests.limit.to_string()),
        ("anthropic-ratelimit-requests-remaining", requests.remaining.to_string()),
        ("anthropic-ratelimit-requests-reset", reset(requests.full_in_ms)),
        ("anthropic-ratelimit-tokens-limit", tokens.limit.to_string()),
        ("anthropic-ratelimit-tokens-remaining", round(tokens.remaining)),
        ("anthropic-ratelimit-tokens-reset", reset(tokens.full_in_ms)),
        ("anthropic-ratelimit-input-tokens-limit", tokens.limit.to_string()),
        ("anthropic-ratelimit-input-tokens-remaining", round(tokens.remaining)),
        ("anthropic-ratelimit-input-tokens-reset", reset(tokens.full_in_ms)),
        ("anthropic-ratelimit-output-tokens-limit", tokens.limit.to_string()),
        ("anthropic-ratelimit-output-tokens-remaining", round(tokens.remaining)),
        ("anthropic-ratelimit-output-tokens-reset", reset(tokens.full_in_ms)),
    ]
}

/// A time in Unix seconds as `2026-01-31T12:00:00Z`.
fn rfc3339(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    // Years begin in March, so that the leap day is the last of its year; eras of 400 years are all alike.
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests;
