//! What an error of Bedrock's means.
//!
//! The name of the exception decides. Over HTTP it stands in a header (`x-amzn-errortype`, with an address behind a colon), in a
//! stream in the frame's headers, and now and then in the body's `__type`. Without a name the status decides. Some refusals share
//! a name or a status and differ in their words only; those words are looked for here and nowhere else.

use crate::dialects::canonical::{ErrorClass, ProviderError};
use crate::json::{
    piece::Text,
    scan::{Members, Scanner},
    view::Value,
};
use ErrorClass::*;

static MEMBERS: Members = Members::last_wins(&["message", "__type"]);

/// The header that names the exception of an answer that is no success.
pub const ERROR_TYPE_HEADER: &str = "x-amzn-errortype";

/// What the name of an exception says. In streams the first letter is small.
const NAMES: &[(&str, ErrorClass)] = &[
    ("ValidationException", InvalidRequest),
    ("SerializationException", InvalidRequest),
    ("AccessDeniedException", Credential),
    ("UnrecognizedClientException", Credential),
    ("InvalidClientTokenId", Credential),
    ("InvalidSignatureException", Credential),
    ("IncompleteSignatureException", Credential),
    ("MissingAuthenticationTokenException", Credential),
    ("ExpiredTokenException", Credential),
    ("ResourceNotFoundException", NotFound),
    ("UnknownOperationException", NotFound),
    ("ThrottlingException", RateLimited),
    ("ServiceQuotaExceededException", Quota),
    ("ModelNotReadyException", Overloaded),
    ("ServiceUnavailableException", Overloaded),
    ("ModelTimeoutException", Timeout),
    ("ModelErrorException", Server),
    ("ModelStreamErrorException", Server),
    ("InternalServerException", Server),
    ("InternalFailure", Server),
];

/// Words that tell apart what has the same name or status: the class without them, words of the message in lower case, and what
/// they say.
const WORDS: &[(ErrorClass, &str, ErrorClass)] = &[
    (InvalidRequest, "input is too long", ContextLength),
    (InvalidRequest, "prompt is too long", ContextLength),
    (InvalidRequest, "maximum context length", ContextLength),
    (InvalidRequest, "context window", ContextLength),
    (InvalidRequest, "exceed context limit", ContextLength),
    (InvalidRequest, "too many input tokens", ContextLength),
    (InvalidRequest, "service quota", Quota),
    (InvalidRequest, "content filtering policy", ContentPolicy),
    (InvalidRequest, "doesn't support", Unsupported),
    (InvalidRequest, "does not support", Unsupported),
    (InvalidRequest, "not supported", Unsupported),
    (InvalidRequest, "extraneous key", Unsupported),
    (InvalidRequest, "model identifier is invalid", NotFound),
    (RateLimited, "is not ready", Overloaded),
    (RateLimited, "too many tokens per day", Quota),
];

/// Classifies an answer that is no success, where its headers are not at hand.
pub fn classify(status: u16, body: &[u8]) -> ProviderError<'_> {
    classify_named(status, "", body)
}

/// As `classify`, with what [`ERROR_TYPE_HEADER`] or a frame says, or the empty string.
pub fn classify_named<'b>(status: u16, name: &str, body: &'b [u8]) -> ProviderError<'b> {
    let mut scanner = Scanner::new(&MEMBERS);
    let scan = scanner.finish(body).ok();
    let said = |id| {
        let member = scan.as_ref()?.member(id)?;
        Value::at(body, member.value.start as usize).text()
    };
    // What signs and authorises in front of the API spells it with a capital.
    let spelt_otherwise = || scan.as_ref().and_then(|_| Value::root(body).some("Message")?.text());
    let message = said(0).or_else(spelt_otherwise).unwrap_or_default();
    let class = class_of_name(name).or_else(|| class_of_name(&said(1)?.decoded()));
    of(class.unwrap_or_else(|| class_of_status(status)), message)
}

/// An error that a frame names in its headers alone.
pub fn of_code<'e>(code: &str, message: &'e str) -> ProviderError<'e> {
    of(class_of_name(code).unwrap_or(Server), Text::plain(message))
}

fn of(class: ErrorClass, message: Text<'_>) -> ProviderError<'_> {
    let said = message.decoded();
    let words = WORDS.iter().filter(|(of, _, _)| *of == class).find(|(_, words, _)| says_words(&said, words));
    let class = words.map_or(class, |(_, _, class)| *class);
    drop(said);
    ProviderError { class, message, retry_after_ms: None }
}

/// `ValidationException:http://...`, `com.amazon.coral#ValidationException` and `validationException` are one.
fn class_of_name(name: &str) -> Option<ErrorClass> {
    let name = name.split(':').next().unwrap_or_default();
    let name = name.rsplit('#').next().unwrap_or_default();
    NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, class)| *class)
}

fn class_of_status(status: u16) -> ErrorClass {
    match status {
        401 | 403 => Credential,
        404 => NotFound,
        408 | 504 => Timeout,
        413 => TooLarge,
        429 => RateLimited,
        503 => Overloaded,
        424 => Server,
        400..500 => InvalidRequest,
        _ => Server,
    }
}

fn says_words(said: &str, words: &str) -> bool {
    said.as_bytes().windows(words.len()).any(|window| window.eq_ignore_ascii_case(words.as_bytes()))
}

#[cfg(test)]
mod tests;
