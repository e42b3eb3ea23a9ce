//! What an error of Cohere's means: the status decides, and the words where several things share one. There is a message and nothing else.

use crate::dialects::canonical::{ErrorClass, ProviderError};
use crate::json::{
    piece::Text,
    scan::{Members, Scanner},
    view::Value,
};
use ErrorClass::*;

static MEMBERS: Members = Members::last_wins(&["message"]);

/// Words of a message in lower case, the class that it has without them, and what they say.
const WORDS: &[(&str, ErrorClass, ErrorClass)] = &[
    ("too many tokens", InvalidRequest, ContextLength),
    ("context length", InvalidRequest, ContextLength),
    ("not supported", InvalidRequest, Unsupported),
    ("does not support", InvalidRequest, Unsupported),
    ("blocked", InvalidRequest, ContentPolicy),
    // A trial key ends with its month.
    ("api calls / month", RateLimited, Quota),
    ("billing", RateLimited, Quota),
];

/// Classifies an answer that is no success.
pub fn classify(status: u16, body: &[u8]) -> ProviderError<'_> {
    let message = Scanner::new(&MEMBERS).finish(body).ok().and_then(|scan| scan.member(0));
    let message = message.and_then(|message| Value::at(body, message.value.start as usize).text());
    of_error(status, message.unwrap_or_default())
}

/// Classifies an error by its words; `status` is 200 where it came inside an answer.
pub fn of_error(status: u16, message: Text<'_>) -> ProviderError<'_> {
    let class = match status {
        401 | 403 => Credential,
        402 => Quota,
        404 => NotFound,
        408 | 504 => Timeout,
        413 => TooLarge,
        429 => RateLimited,
        // "Invalid token": the prompt or the answer was blocked.
        498 => ContentPolicy,
        501 => Unsupported,
        503 => Overloaded,
        400..=499 => InvalidRequest,
        _ => Server,
    };
    let said = message.decoded().to_ascii_lowercase();
    let words = WORDS.iter().find(|(words, without, _)| *without == class && said.contains(words));
    ProviderError { class: words.map_or(class, |(_, _, class)| *class), message, retry_after_ms: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_decides_and_then_the_words() {
        for (status, body, class, message) in [
            (400, r#"{"message":"p must be between"}"#, InvalidRequest, "p must be between"),
            (400, r#"{"message":"too many tokens: 9 > 8"}"#, ContextLength, ""),
            (429, r#"{"message":"Trial key, which is limited to 1000 API calls / month."}"#, Quota, ""),
            (429, r#"{"message":"40 API calls / minute"}"#, RateLimited, ""),
            (498, "{}", ContentPolicy, ""),
            (499, "", InvalidRequest, ""),
            (501, "", Unsupported, ""),
            (502, "<html>", Server, ""),
            (200, r#"{"message":"blocked"}"#, Server, "blocked"),
        ] {
            let error = classify(status, body.as_bytes());
            assert_eq!(error.class, class, "{status} {body}");
            assert!(message.is_empty() || error.message.says(message));
        }
    }
}
