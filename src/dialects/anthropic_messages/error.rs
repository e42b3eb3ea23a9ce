//! A failure in the shape of the Messages API.

use crate::{error::Failure, json::strings::write_string};

/// HTTP status: an overload has one of its own here.
pub fn status(failure: &Failure) -> u16 {
    match failure.status() {
        503 => 529,
        status => status,
    }
}

/// Appends the body: `{"type":"error","error":{"type","message"}}`.
pub fn write_body(failure: &Failure, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":"error","error":{"type":"#);
    write_string(out, kind(failure));
    out.extend_from_slice(br#","message":"#);
    write_string(out, &failure.message());
    out.extend_from_slice(b"}}");
}

/// Appends the failure as an event of a stream, which SDKs raise. Nothing follows it.
pub fn write_event(failure: &Failure, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: error\ndata: ");
    write_body(failure, out);
    out.extend_from_slice(b"\n\n");
}

/// The API's `error.type`.
fn kind(failure: &Failure) -> &'static str {
    match status(failure) {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 | 504 => "timeout_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        // What a client asks of HTTP itself that is not spoken here is its own to change.
        501 | 505 => "invalid_request_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests;
