//! What an error of the Messages API means.
//!
//! The error's type decides, the status where it names none that is known. Some refusals share `invalid_request_error` or
//! `rate_limit_error` and differ in their words only; those words are looked for here and nowhere else.

use crate::dialects::canonical::{ErrorClass, ProviderError};
use crate::json::{
    piece::Text,
    scan::{Members, Scanner},
    view::Value,
};
use ErrorClass::*;

static MEMBERS: Members = Members::last_wins(&["error"]);

/// What the type of an error says.
const TYPES: &[(&str, ErrorClass)] = &[
    ("invalid_request_error", InvalidRequest),
    ("authentication_error", Credential),
    ("permission_error", Credential),
    ("billing_error", Quota),
    ("not_found_error", NotFound),
    ("conflict_error", Server),
    ("request_too_large", TooLarge),
    ("rate_limit_error", RateLimited),
    ("timeout_error", Timeout),
    ("api_error", Server),
    ("overloaded_error", Overloaded),
];

/// Words that tell apart what has the same type: the type's class, words of its message in lower case, and what they say.
const WORDS: &[(ErrorClass, &str, ErrorClass)] = &[
    (InvalidRequest, "prompt is too long", ContextLength),
    (InvalidRequest, "exceed context limit", ContextLength),
    (InvalidRequest, "context window", ContextLength),
    (InvalidRequest, "credit balance is too low", Quota),
    (InvalidRequest, "usage limits", Quota),
    (InvalidRequest, "content filtering policy", ContentPolicy),
    (InvalidRequest, "not supported", Unsupported),
    (InvalidRequest, "does not support", Unsupported),
    (InvalidRequest, "extra inputs are not permitted", Unsupported),
    (RateLimited, "spend limit", Quota),
    (RateLimited, "enforced_spend_limit_reached", Quota),
];

/// Classifies an answer that is no success.
pub fn classify(status: u16, body: &[u8]) -> ProviderError<'_> {
    let error = Scanner::new(&MEMBERS).finish(body).ok().and_then(|scan| scan.member(0)).map(|error| error.value);
    match error {
        Some(error) => of_error(status, Value::at(body, error.start as usize)),
        None => ProviderError { class: of_status(status), message: Text::default(), retry_after_ms: None },
    }
}

/// Classifies the value of `error` in a scanned text; `status` is 200 where it came inside an answer.
pub fn of_error(status: u16, error: Value<'_>) -> ProviderError<'_> {
    let kind = error.some("type").and_then(Value::text);
    let message = error.some("message").and_then(Value::text).or_else(|| error.text()).unwrap_or_default();
    let known = kind.and_then(|kind| TYPES.iter().find(|(name, _)| kind.says(name)));
    let class = known.map_or_else(|| of_status(status), |(_, class)| *class);
    let words = WORDS.iter().filter(|(of, _, _)| *of == class).find(|(_, words, _)| says_words(error.bytes(), words));
    ProviderError { class: words.map_or(class, |(_, _, class)| *class), message, retry_after_ms: None }
}

fn of_status(status: u16) -> ErrorClass {
    match status {
        401 | 403 => Credential,
        402 => Quota,
        404 => NotFound,
        408 | 504 => Timeout,
        413 => TooLarge,
        429 => RateLimited,
        503 | 529 => Overloaded,
        409 => Server,
        400..500 => InvalidRequest,
        _ => Server,
    }
}

fn says_words(text: &[u8], words: &str) -> bool {
    text.windows(words.len()).any(|window| window.eq_ignore_ascii_case(words.as_bytes()))
}

#[cfg(test)]
mod tests;
