//! What an error of Google's APIs means.
//!
//! The body is `{"error":{"code","message","status","details"}}`, or an array of one such object; in a stream it comes in an event.
//! `status` decides where it is one that is known, then what `details` say, and the words only where nothing else tells: for
//! prompts that are too long, bodies that are too large and members that a model does not take, all of them `INVALID_ARGUMENT`.

use crate::dialects::canonical::{ErrorClass, ProviderError};
use crate::json::piece::Text;
use crate::json::scan::{self, Members};
use crate::json::view::Value;

static MEMBERS: Members = Members::last_wins(&["error"]);

/// Classifies an answer that is no success; `body` may be anything.
pub fn classify(status: u16, body: &[u8]) -> ProviderError<'_> {
    match error_in(body) {
        Some(error) => of_error(error, Some(status)),
        None => ProviderError { class: of_code(u64::from(status)), message: Text::default(), retry_after_ms: None },
    }
}

/// The error object in a body, which may be anything.
pub fn error_in(body: &[u8]) -> Option<Value<'_>> {
    let object = one_object(body);
    scan::scan(&MEMBERS, object).ok()?;
    Value::root(object).some("error")
}

/// The object that is all of a text, or the only element of the array that is all of it. Nothing is validated.
pub fn one_object(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    match text.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) {
        Some(inner) => inner,
        None => text,
    }
}

/// Classifies an error object; `status` is the answer's, where that is known not to be 200.
pub fn of_error(error: Value<'_>, status: Option<u16>) -> ProviderError<'_> {
    if let Some(message) = error.text() {
        // Fronts of other makers.
        return ProviderError { class: of_code(u64::from(status.unwrap_or(500))), message, retry_after_ms: None };
    }
    let message = error.some("message").and_then(Value::text).unwrap_or_default();
    let code = error.some("code").and_then(Value::u64).or(status.map(u64::from)).unwrap_or(500);
    let details = Details::read(error.some("details"));
    let name = error.some("status").and_then(Value::text);
    let class = match name.as_ref().map(|name| name.decoded()).as_deref() {
        Some("INVALID_ARGUMENT" | "OUT_OF_RANGE") => of_argument(&message, &details),
        // The project's region or its billing: its operator's to change.
        Some("FAILED_PRECONDITION") => ErrorClass::Credential,
        Some("UNAUTHENTICATED" | "PERMISSION_DENIED") => ErrorClass::Credential,
        Some("NOT_FOUND") => ErrorClass::NotFound,
        Some("RESOURCE_EXHAUSTED") => of_exhaustion(&message, &details),
        Some("UNAVAILABLE" | "ABORTED") => ErrorClass::Overloaded,
        Some("DEADLINE_EXCEEDED") => ErrorClass::Timeout,
        Some("UNIMPLEMENTED") => ErrorClass::Unsupported,
        Some("INTERNAL" | "UNKNOWN" | "DATA_LOSS" | "CANCELLED") => ErrorClass::Server,
        _ => match of_code(code) {
            ErrorClass::InvalidRequest => of_argument(&message, &details),
            ErrorClass::RateLimited => of_exhaustion(&message, &details),
            class => class,
        },
    };
    let retry_after_ms = details.retry_after_ms.filter(|_| class != ErrorClass::Quota);
    ProviderError { class, message, retry_after_ms }
}

fn of_code(code: u64) -> ErrorClass {
    match code {
        401 | 403 => ErrorClass::Credential,
        402 => ErrorClass::Quota,
        404 => ErrorClass::NotFound,
        408 | 504 => ErrorClass::Timeout,
        413 => ErrorClass::TooLarge,
        429 => ErrorClass::RateLimited,
        501 => ErrorClass::Unsupported,
        503 | 529 => ErrorClass::Overloaded,
        400..=498 => ErrorClass::InvalidRequest,
        _ => ErrorClass::Server,
    }
}

/// `INVALID_ARGUMENT` is also what a wrong key is, a prompt that is too long, and a member that the model does not take.
fn of_argument(message: &Text<'_>, details: &Details) -> ErrorClass {
    if details.key_is_invalid {
        return ErrorClass::Credential;
    }
    let message = message.decoded().to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if message.contains("token") && says(&["exceeds the maximum", "exceed the maximum", "exceeds the limit"]) {
        return ErrorClass::ContextLength;
    }
    if says(&["payload size exceeds", "request is too large"]) {
        return ErrorClass::TooLarge;
    }
    if says(&["is not supported", "is not enabled", "not supported for", "does not support"]) {
        return ErrorClass::Unsupported;
    }
    ErrorClass::InvalidRequest
}

/// A limit for each minute or day is over some time. One that is zero, which is a model that the account may not use, and credit that is
/// spent are not.
fn of_exhaustion(message: &Text<'_>, details: &Details) -> ErrorClass {
    let message = message.decoded().to_ascii_lowercase();
    let is_spent = message.contains("credits are depleted") || message.contains("spending cap");
    if details.limit_is_zero || is_spent || message.contains("limit: 0,") {
        ErrorClass::Quota
    } else {
        ErrorClass::RateLimited
    }
}

/// What the `details` say, which are objects of several types.
#[derive(Debug, Default, PartialEq)]
struct Details {
    retry_after_ms: Option<u64>,
    limit_is_zero: bool,
    key_is_invalid: bool,
}

impl Details {
    fn read(details: Option<Value<'_>>) -> Details {
        let mut read = Details::default();
        for detail in details.into_iter().flat_map(Value::elements) {
            if let Some(delay) = detail.some("retryDelay").and_then(Value::text) {
                read.retry_after_ms = duration_ms(&delay.decoded());
            }
            let is_about_key = |reason: Value<'_>| reason.says("API_KEY_INVALID") || reason.says("API_KEY_EXPIRED");
            read.key_is_invalid |= detail.some("reason").is_some_and(is_about_key);
            for violation in detail.some("violations").into_iter().flat_map(Value::elements) {
                read.limit_is_zero |= violation.some("quotaValue").is_some_and(|value| value.says("0"));
            }
        }
        read
    }
}

/// A duration in seconds as protocol buffers write it: `46s`, `1.5s`. A day at most: nobody waits longer.
fn duration_ms(said: &str) -> Option<u64> {
    const DAY_MS: u64 = 86_400_000;
    let (seconds, fraction) = match said.strip_suffix('s')?.split_once('.') {
        Some((seconds, fraction)) => (seconds, fraction),
        None => (said.strip_suffix('s')?, ""),
    };
    let seconds: u64 = seconds.parse().ok()?;
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let thousandths = fraction.bytes().chain(*b"000").take(3).fold(0, |all, digit| all * 10 + u64::from(digit - b'0'));
    // Rounded up, so that the wait is long enough.
    let ms = seconds.saturating_mul(1_000).saturating_add(thousandths + u64::from(fraction.len() > 3));
    Some(ms.min(DAY_MS))
}

#[cfg(test)]
mod tests;
