//! What an error of Ollama's means: the status decides, and the words where several things share one. There is a message and nothing else.
//!
//! In a stream there is no status at all; what is not known by its words is the server's failure then.

use crate::dialects::canonical::{ErrorClass, ProviderError};
use crate::json::{
    piece::Text,
    scan::{Members, Scanner},
    view::Value,
};
use ErrorClass::*;

static MEMBERS: Members = Members::last_wins(&["error"]);

/// Words of a message in lower case, the class that it has without them, and what they say.
const WORDS: &[(&str, ErrorClass, ErrorClass)] = &[
    ("does not support", InvalidRequest, Unsupported),
    ("not supported", InvalidRequest, Unsupported),
    ("exceeds the available context size", InvalidRequest, ContextLength),
    ("exceeds the context length", InvalidRequest, ContextLength),
    ("exceeds maximum context length", InvalidRequest, ContextLength),
    ("prompt too long", InvalidRequest, ContextLength),
    ("maximum pending requests exceeded", Server, Overloaded),
    ("requires more system memory", Server, Overloaded),
    ("usage limit", RateLimited, Quota),
];

/// Classifies an answer that is no success.
pub fn classify(status: u16, body: &[u8]) -> ProviderError<'_> {
    let error = Scanner::new(&MEMBERS).finish(body).ok().and_then(|scan| scan.member(0));
    let error = error.map(|error| Value::at(body, error.value.start as usize));
    of_error(status, error.and_then(message).unwrap_or_default())
}

/// The words of the member `error`: a string here, an object where a proxy in front speaks OpenAI's dialect.
pub fn message(error: Value<'_>) -> Option<Text<'_>> {
    error.text().or_else(|| error.some("message").and_then(Value::text))
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
        503 => Overloaded,
        400..500 => InvalidRequest,
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
            (400, r#"{"error":"x does not support thinking"}"#, Unsupported, "x does not support thinking"),
            (400, r#"{"error":"the prompt exceeds the context length"}"#, ContextLength, ""),
            (404, r#"{"error":"model 'x' not found"}"#, NotFound, ""),
            (429, r#"{"error":"you have reached your weekly usage limit"}"#, Quota, ""),
            (500, r#"{"error":"model requires more system memory (9 GiB) than is available"}"#, Overloaded, ""),
            (500, r#"{"error":{"message":"it broke"}}"#, Server, "it broke"),
            (200, r#"{"error":"does not support"}"#, Server, ""),
            (502, "<html>", Server, ""),
            (400, "", InvalidRequest, ""),
        ] {
            let error = classify(status, body.as_bytes());
            assert_eq!(error.class, class, "{status} {body}");
            assert!(message.is_empty() || error.message.says(message));
        }
    }
}
