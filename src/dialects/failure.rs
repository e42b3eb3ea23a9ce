//! A failure as the client's API tells it: the one place that knows which dialect renders which API's errors.

use super::{
    anthropic_messages,
    endpoints::{Api, ApiEndpoint},
    gemini, openai_chat,
};
use crate::error::Failure;

/// The status of the answer. Anthropic's API has one of its own for overloads.
pub fn status(api: Api, failure: &Failure) -> u16 {
    match api {
        Api::Anthropic => anthropic_messages::error::status(failure),
        Api::OpenAi | Api::Gemini => failure.status(),
    }
}

/// Appends the whole body.
pub fn write_body(api: Api, failure: &Failure, out: &mut Vec<u8>) {
    match api {
        Api::OpenAi => openai_chat::error::write_body(failure, out),
        Api::Anthropic => anthropic_messages::error::write_body(failure, out),
        Api::Gemini => gemini::error::write_body(failure, out),
    }
}

/// Appends the failure as the last event of a stream.
pub fn write_event(api: Api, endpoint: ApiEndpoint, failure: &Failure, out: &mut Vec<u8>) {
    match api {
        Api::OpenAi => openai_chat::error::write_event(endpoint, failure, out),
        Api::Anthropic => anthropic_messages::error::write_event(failure, out),
        Api::Gemini => gemini::error::write_event(failure, out),
    }
}
