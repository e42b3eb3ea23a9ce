use super::*;
use crate::error::Upstream;

fn body(failure: &Failure) -> serde_json::Value {
    let mut out = Vec::new();
    write_body(failure, &mut out);
    serde_json::from_slice(&out).expect("JSON")
}

#[test]
fn types_and_statuses() {
    for (failure, expected_status, expected) in [
        (Failure::MissingKey, 401, "authentication_error"),
        (Failure::HostNotAllowed, 403, "permission_error"),
        (Failure::ModelNotFound { model: "m".into() }, 404, "not_found_error"),
        (Failure::MethodNotAllowed { allow: "POST" }, 405, "invalid_request_error"),
        (Failure::RequestTimeout, 408, "timeout_error"),
        (Failure::BodyTooLarge { bytes_max: 1 }, 413, "request_too_large"),
        (Failure::Rejected { status: 422 }, 422, "invalid_request_error"),
        (Failure::Http { status: 505, message: "" }, 505, "invalid_request_error"),
        (Failure::Internal, 500, "api_error"),
        (Failure::Overloaded, 529, "overloaded_error"),
        (Failure::Upstream(Upstream::RateLimited { retry_after_ms: None }), 429, "rate_limit_error"),
        (Failure::Upstream(Upstream::HeadersTimeout), 504, "timeout_error"),
        // The operator's credential, not the client's.
        (Failure::Upstream(Upstream::Credential { status: 401 }), 502, "api_error"),
    ] {
        assert_eq!(status(&failure), expected_status, "{failure:?}");
        let body = body(&failure);
        assert_eq!((&body["type"], &body["error"]["type"]), (&"error".into(), &expected.into()), "{failure:?}");
        assert_eq!(body["error"]["message"].as_str(), Some(&*failure.message()));
    }
}

#[test]
fn an_event_is_named() {
    let failure = Failure::Upstream(Upstream::Truncated);
    let mut out = Vec::new();
    write_event(&failure, &mut out);
    let data = out.strip_prefix(b"event: error\ndata: ").and_then(|rest| rest.strip_suffix(b"\n\n")).expect("an event");
    assert_eq!(serde_json::from_slice::<serde_json::Value>(data).expect("JSON"), body(&failure));
}
