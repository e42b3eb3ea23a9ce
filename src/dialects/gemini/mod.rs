//! Gemini's `generateContent` and `streamGenerateContent`, both ways.
//!
//! A request is parsed ([`parse`]) and composed ([`compose`]), an answer read ([`read`]) and rendered ([`render`]), an error
//! classified ([`classify`]) and written ([`error`]). Between a client and an upstream that both speak it, answers and streams
//! pass as they came, judged on their way ([`answer`], [`pass_through`]).
//!
//! What several of them need: paths and the names of models ([`path`]), names of tools ([`names`]), schemas in Google's form
//! ([`schema`]), tokens ([`usage`]), proofs of thoughts ([`signature`]), log probabilities ([`logprobs`]), JSON without blanks
//! ([`compact`]), base64 ([`base64`]).

pub mod answer;
pub mod base64;
pub mod classify;
pub mod compact;
pub mod compose;
pub mod error;
pub mod logprobs;
pub mod names;
pub mod parse;
pub mod pass_through;
pub mod path;
pub mod read;
pub mod render;
pub mod schema;
pub mod signature;
pub mod usage;

#[cfg(test)]
pub(crate) mod fixtures;

/// Is `name` the camel-case name `camel`, or the same with underscores? Google's APIs take both.
pub(crate) fn is_spelling(name: &str, camel: &str) -> bool {
    let mut rest = name.bytes().peekable();
    for letter in camel.bytes() {
        let expected = if letter.is_ascii_uppercase() && rest.peek() == Some(&b'_') {
            rest.next();
            letter.to_ascii_lowercase()
        } else {
            letter
        };
        if rest.next() != Some(expected) {
            return false;
        }
    }
    rest.next().is_none()
}

#[cfg(test)]
mod tests;
