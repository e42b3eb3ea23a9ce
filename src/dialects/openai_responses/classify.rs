//! What an error of an upstream of this dialect means. Its refusals are those of all of OpenAI's endpoints; an answer that failed has
//! codes of its own.

use crate::dialects::canonical::{ErrorClass, ProviderError};
use crate::dialects::openai_chat::classify as chat;
use crate::json::view::Value;

/// Classifies an answer with a status that is no success.
pub fn classify(status: u16, body: &[u8]) -> ProviderError<'_> {
    chat::classify(status, body)
}

/// Classifies the `error` of an answer that failed, or an `error` event; it has been scanned.
pub(super) fn of_error(error: Value<'_>) -> ProviderError<'_> {
    let classified = chat::of_body(200, error);
    let code = error.some("error").unwrap_or(error).get("code");
    let known = code.and_then(|code| CODES.iter().find(|(known, _)| code.says(known)));
    ProviderError { class: known.map_or(classified.class, |(_, class)| *class), ..classified }
}

const CODES: &[(&str, ErrorClass)] = &[
    // The prompt was flagged.
    ("invalid_prompt", ErrorClass::ContentPolicy),
    ("bio_policy", ErrorClass::ContentPolicy),
    ("cyber_policy", ErrorClass::ContentPolicy),
    ("misalignment_policy_violation", ErrorClass::ContentPolicy),
    ("image_content_policy_violation", ErrorClass::ContentPolicy),
    ("vector_store_timeout", ErrorClass::Timeout),
    ("data_residency_mismatch", ErrorClass::InvalidRequest),
    ("invalid_image", ErrorClass::InvalidRequest),
    ("invalid_image_format", ErrorClass::InvalidRequest),
    ("invalid_base64_image", ErrorClass::InvalidRequest),
    ("invalid_image_url", ErrorClass::InvalidRequest),
    ("invalid_image_mode", ErrorClass::InvalidRequest),
    ("image_too_large", ErrorClass::InvalidRequest),
    ("image_too_small", ErrorClass::InvalidRequest),
    ("image_parse_error", ErrorClass::InvalidRequest),
    ("image_file_too_large", ErrorClass::InvalidRequest),
    ("unsupported_image_media_type", ErrorClass::InvalidRequest),
    ("empty_image_file", ErrorClass::InvalidRequest),
    ("failed_to_download_image", ErrorClass::InvalidRequest),
    ("image_file_not_found", ErrorClass::InvalidRequest),
];
