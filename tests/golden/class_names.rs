//! How the index of the golden answers calls the classes of errors. Read here and by the tests of dialects, each of which names the
//! enumeration by its own path.

use super::ErrorClass;

pub fn class_name(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::InvalidRequest | ErrorClass::TooLarge => "client",
        ErrorClass::Credential => "credential",
        ErrorClass::NotFound => "not_found",
        ErrorClass::RateLimited => "rate_limit",
        ErrorClass::Quota => "quota",
        ErrorClass::Overloaded => "overload",
        ErrorClass::Timeout => "timeout",
        ErrorClass::ContentPolicy => "content_policy",
        ErrorClass::ContextLength => "context_length",
        ErrorClass::Unsupported => "unsupported",
        ErrorClass::Server => "server",
    }
}
