//! A failure in the shape of OpenAI's API.

use crate::{
    dialects::{endpoints::ApiEndpoint, openai_responses},
    error::Failure,
    json::strings::write_string,
};

/// Appends the body: `{"error":{"message","type","param","code"}}`, where `param` may be null and `code` is a string.
pub fn write_body(failure: &Failure, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"error":{"message":"#);
    write_string(out, &failure.message());
    out.extend_from_slice(br#","type":"#);
    write_string(out, failure.kind());
    out.extend_from_slice(br#","param":"#);
    match failure.param() {
        Some(param) => write_string(out, param),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(br#","code":"#);
    write_string(out, failure.code());
    out.extend_from_slice(b"}}");
}

/// Appends the failure as an event of a stream. SDKs raise any data object with an `error` member; no end marker follows.
/// Streams of responses have events by name, and an `error` event of their own, which clients overlook without a number.
pub fn write_event(endpoint: ApiEndpoint, failure: &Failure, out: &mut Vec<u8>) {
    if endpoint.is_of_responses() {
        openai_responses::error::write_event(failure, out);
        return;
    }
    out.extend_from_slice(b"data: ");
    write_body(failure, out);
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests;
