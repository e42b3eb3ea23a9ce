//! A failure in the shape of Google's APIs.
//!
//! `{"error":{"code","message","status","details"}}`: `code` is the HTTP status, `status` its name among Google's. `details` carry our
//! own code as an `ErrorInfo`, the member at fault as a `BadRequest`, and the time to wait as a `RetryInfo`, which Google's SDKs
//! and CLI read.

use crate::dialects::canonical::{ErrorClass, ProviderError};
use crate::error::Failure;
use crate::json::piece::Text;
use crate::json::write::Writer;

/// Appends the body.
pub fn write_body(failure: &Failure, out: &mut Vec<u8>) {
    let status = failure.status();
    let mut json = Writer::new(out);
    open(&mut json, status, status_name(status), &Text::plain(failure.message()));
    json.open_object().name("@type").string("type.googleapis.com/google.rpc.ErrorInfo");
    json.name("reason").string(&failure.code().to_ascii_uppercase()).name("domain").string("ringway").close_object();
    if let Some(param) = failure.param() {
        json.open_object().name("@type").string("type.googleapis.com/google.rpc.BadRequest");
        json.name("fieldViolations").open_array().open_object();
        json.name("field").string(param).name("description").string(&failure.message());
        json.close_object().close_array().close_object();
    }
    close(&mut json, failure.retry_after_ms());
}

/// Appends the failure as an event of a stream. SDKs raise any event with an `error` member.
pub fn write_event(failure: &Failure, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    write_body(failure, out);
    out.extend_from_slice(b"\n\n");
}

/// Appends what an upstream reported in the middle of an answer.
pub(super) fn write_provider_error(error: &ProviderError<'_>, out: &mut Vec<u8>) {
    let (code, usual) = match error.class {
        ErrorClass::InvalidRequest | ErrorClass::ContentPolicy => (400, "The model's provider refused the request."),
        ErrorClass::Unsupported => (400, "The model does not know something that was asked for."),
        ErrorClass::ContextLength => (400, "The prompt is longer than the model's context."),
        ErrorClass::TooLarge => (413, "The request is too large."),
        ErrorClass::NotFound => (404, "The model's provider does not know the model."),
        ErrorClass::RateLimited => (429, "The model's provider limits the rate of requests right now."),
        ErrorClass::Quota => (429, "The gateway's account at the model's provider is used up."),
        ErrorClass::Overloaded => (503, "The model's provider is overloaded. Try again later."),
        ErrorClass::Timeout => (504, "The model's provider took too long."),
        ErrorClass::Credential => (502, "The model's provider does not accept the gateway's credential."),
        ErrorClass::Server => (502, "The model's provider failed."),
    };
    let usual = Text::plain(usual);
    let message = if error.message.is_empty() { &usual } else { &error.message };
    let mut json = Writer::new(out);
    open(&mut json, code, status_name(code), message);
    close(&mut json, error.retry_after_ms);
}

/// Writes an error as far as into its details.
fn open(json: &mut Writer<'_>, code: u16, name: &str, message: &Text<'_>) {
    json.open_object().name("error").open_object().name("code").number(u64::from(code));
    json.name("message").text(message).name("status").string(name).name("details").open_array();
}

fn close(json: &mut Writer<'_>, retry_after_ms: Option<u64>) {
    if let Some(ms) = retry_after_ms {
        json.open_object().name("@type").string("type.googleapis.com/google.rpc.RetryInfo");
        let (seconds, thousandths) = (ms / 1_000, ms % 1_000);
        let delay = if thousandths == 0 { format!("{seconds}s") } else { format!("{seconds}.{thousandths:03}s") };
        json.name("retryDelay").string(&delay).close_object();
    }
    json.close_array().close_object().close_object();
}

/// Google's name of a status.
fn status_name(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        402 | 403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        408 | 504 => "DEADLINE_EXCEEDED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        502 | 503 => "UNAVAILABLE",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

#[cfg(test)]
mod tests;
