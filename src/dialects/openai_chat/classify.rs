//! What an error of an upstream of this dialect means.
//!
//! Looked at in this order: the `code`, `type` and `status` that providers agree on; texts that only say that the prompt is too long,
//! for which half of the servers have no code; the status, where `code` is a number the status that it is, as OpenRouter has it.
//! Messages are carried, never shown the way into the plan but for that.
//!
//! The body may be anything: an error object, the flat ones of Mistral and of older vLLM, FastAPI's `detail`, Google's list of one, HTML.
//! What is no JSON has no message.

use crate::dialects::canonical::{ErrorClass, ProviderError};
use crate::json::Kind;
use crate::json::piece::Text;
use crate::json::scan::{Members, scan};
use crate::json::view::Value;
use ErrorClass::*;

static NONE: Members = Members::last_wins(&[]);

/// Classifies an answer with a status that is no success.
pub fn classify(status: u16, body: &[u8]) -> ProviderError<'_> {
    let body = body.trim_ascii();
    let object = body.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or(body);
    match scan(&NONE, object) {
        Ok(_) => of_body(status, Value::root(object)),
        Err(_) => ProviderError { class: of_status(status), message: Text::default(), retry_after_ms: None },
    }
}

/// Classifies a scanned body, also one that came with a success.
pub(crate) fn of_body(status: u16, body: Value<'_>) -> ProviderError<'_> {
    let error = body.some("error").filter(|error| matches!(error.kind(), Kind::Object | Kind::String)).unwrap_or(body);
    let message = message(error).or_else(|| message(body)).unwrap_or_default();
    // Of a server's failures the status tells more than a word does: Fireworks calls an overload an internal error, with a 503.
    let told = of_words(error).or_else(|| of_words(body)).filter(|class| *class != Server || status < 500);
    let class = told.or_else(|| of_message(&message, error)).unwrap_or_else(|| {
        let number = ["code", "status_code", "raw_status_code"].iter().find_map(|name| error.get(name)?.u64());
        let number = number.and_then(|number| u16::try_from(number).ok()).filter(|number| (400..600).contains(number));
        let is_blamed = error.get("type").is_some_and(|kind| BLAMES.iter().any(|word| kind.says(word)));
        match (status, number) {
            (400.., _) => of_status(status),
            (_, Some(number)) => of_status(number),
            (_, None) if is_blamed => InvalidRequest,
            (_, None) => Server,
        }
    });
    let retry_after_ms = if class == RateLimited { wait_ms(&message.decoded()) } else { None };
    ProviderError { class, message, retry_after_ms }
}

/// Types that blame the client where nothing else is said.
const BLAMES: &[&str] = &["invalid_request_error", "BadRequestError"];

fn of_status(status: u16) -> ErrorClass {
    match status {
        401 | 403 => Credential,
        402 => Quota,
        404 => NotFound,
        408 | 504 => Timeout,
        413 => TooLarge,
        // 498: Groq's flexible tier has no capacity.
        498 | 503 | 529 => Overloaded,
        424 => Server,
        429 => RateLimited,
        400..500 => InvalidRequest,
        _ => Server,
    }
}

/// The message, wherever it stands.
fn message(error: Value<'_>) -> Option<Text<'_>> {
    if error.kind() == Kind::String {
        return error.text();
    }
    let found = ["message", "detail", "msg", "status_msg"].iter().find_map(|name| error.some(name))?;
    match found.kind() {
        Kind::String => found.text(),
        // FastAPI's list of what it found, also inside of Mistral's message.
        Kind::Object => message(found),
        Kind::Array => found.elements().next()?.get("msg")?.text(),
        _ => None,
    }
}

fn of_words(error: Value<'_>) -> Option<ErrorClass> {
    // A prompt that a provider behind OpenRouter would not have comes as a 403.
    if error.get("metadata").is_some_and(|metadata| metadata.get("reasons").is_some()) {
        return Some(ContentPolicy);
    }
    let inner = error.get("innererror");
    let words = [
        error.get("code"),
        inner.and_then(|inner| inner.get("code")),
        error.get("type"),
        // Google's name of it.
        error.get("status"),
    ];
    let class = |word: Value<'_>| {
        let word = word.text()?;
        let word = word.decoded();
        WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&word)).map(|(_, class)| *class)
    };
    words.into_iter().flatten().find_map(class).or_else(|| {
        // MiniMax's numbers, in answers that succeed otherwise.
        let number = error.get("status_code")?.u64()?;
        MINIMAX.iter().find(|(known, _)| *known == number).map(|(_, class)| *class)
    })
}

/// Codes, types and statuses. `invalid_request_error` is none of them: it is the type of everything.
const WORDS: &[(&str, ErrorClass)] = &[
    ("context_length_exceeded", ContextLength),
    ("model_length_exceeded", ContextLength),
    ("content_filter", ContentPolicy),
    ("content_policy_violation", ContentPolicy),
    ("ResponsibleAIPolicyViolation", ContentPolicy),
    ("data_inspection_failed", ContentPolicy),
    ("DataInspectionFailed", ContentPolicy),
    ("insufficient_quota", Quota),
    ("billing_hard_limit_reached", Quota),
    ("billing_not_active", Quota),
    ("billing_error", Quota),
    ("exceeded_current_quota_error", Quota),
    ("insufficient_balance", Quota),
    ("Arrearage", Quota),
    ("enforced_spend_limit_reached", Quota),
    ("rate_limit_exceeded", RateLimited),
    ("rate_limit_error", RateLimited),
    ("rate_limit_reached_error", RateLimited),
    ("rate_limited", RateLimited),
    ("Throttling", RateLimited),
    ("RESOURCE_EXHAUSTED", RateLimited),
    ("tokens", RateLimited),
    ("requests", RateLimited),
    ("invalid_api_key", Credential),
    ("authentication_error", Credential),
    ("invalid_authentication_error", Credential),
    ("permission_error", Credential),
    ("permission_denied", Credential),
    ("UNAUTHENTICATED", Credential),
    ("model_not_found", NotFound),
    ("DeploymentNotFound", NotFound),
    ("not_found_error", NotFound),
    ("resource_not_found_error", NotFound),
    ("NOT_FOUND", NotFound),
    ("server_is_overloaded", Overloaded),
    ("overloaded_error", Overloaded),
    ("engine_overloaded_error", Overloaded),
    ("service_unavailable_error", Overloaded),
    ("service_unavailable", Overloaded),
    ("capacity_exceeded", Overloaded),
    ("unavailable_error", Overloaded),
    ("UNAVAILABLE", Overloaded),
    ("slow_down", Overloaded),
    ("timeout", Timeout),
    ("request_timeout", Timeout),
    ("DEADLINE_EXCEEDED", Timeout),
    ("unsupported_parameter", Unsupported),
    ("unsupported_value", Unsupported),
    ("unknown_parameter", Unsupported),
    ("request_too_large", TooLarge),
    ("server_error", Server),
    ("internal_server_error", Server),
    ("internal_error", Server),
    ("api_error", Server),
    ("INTERNAL", Server),
];

const MINIMAX: &[(u64, ErrorClass)] = &[
    (1001, Timeout),
    (1002, RateLimited),
    (1004, Credential),
    (1008, Quota),
    (1026, ContentPolicy),
    (1027, ContentPolicy),
    (1039, RateLimited),
    (2013, InvalidRequest),
    (2049, Credential),
];

/// What servers say of a prompt that is too long.
const TOO_LONG: &[&str] = &[
    "maximum context length",
    "maximum prompt length",
    "prompt is too long",
    "input is too long",
    "exceeds the maximum number of tokens",
    "exceeds the available context size",
    "exceeds the model's context",
    "exceeded model token limit",
    "range of input length should be",
    "longer than the model's context length",
    "too large for model with",
];

fn of_message(message: &Text<'_>, error: Value<'_>) -> Option<ErrorClass> {
    let raw = error.get("metadata").and_then(|metadata| metadata.get("raw")?.text());
    let is_too_long = |text: &Text<'_>| {
        let said = text.decoded().to_ascii_lowercase();
        TOO_LONG.iter().any(|phrase| said.contains(phrase))
            || said.contains("current length is") && said.contains("while limit is")
    };
    (is_too_long(message) || raw.is_some_and(|raw| is_too_long(&raw))).then_some(ContextLength)
}

/// Longest wait that is believed, in milliseconds: a day.
const WAIT_MS_MAX: f64 = 86_400_000.0;

/// The wait in "Please try again in 6m0.5s." or "... in 20 seconds", in milliseconds.
fn wait_ms(message: &str) -> Option<u64> {
    let rest = message.split_once("try again in ").or_else(|| message.split_once("retry in "))?.1;
    let mut rest = rest;
    let mut wait_ms = None;
    loop {
        let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let Ok(number) = rest[..digits].trim_end_matches('.').parse::<f64>() else { break };
        let after = rest[digits..].trim_start_matches(' ');
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit_ms = match &after[..letters] {
            "ms" => 1.0,
            "s" | "sec" | "second" | "seconds" => 1_000.0,
            "m" | "min" | "minute" | "minutes" => 60_000.0,
            "h" | "hour" | "hours" => 3_600_000.0,
            _ => break,
        };
        wait_ms = Some(wait_ms.unwrap_or(0.0) + number * unit_ms);
        rest = &after[letters..];
    }
    wait_ms.map(|wait| wait.min(WAIT_MS_MAX).ceil() as u64)
}

#[cfg(test)]
mod tests;
