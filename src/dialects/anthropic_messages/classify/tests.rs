use super::*;

fn check(status: u16, body: &str, expected: ErrorClass, message: &str) {
    let error = classify(status, body.as_bytes());
    assert_eq!((error.class, &*error.message.decoded()), (expected, message), "{status} {body}");
    assert_eq!(error.retry_after_ms, None);
}

fn body(kind: &str, message: &str) -> String {
    format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}},"request_id":"req_1"}}"#)
}

#[test]
fn the_type_decides() {
    for (status, kind, expected) in [
        (400, "invalid_request_error", InvalidRequest),
        (401, "authentication_error", Credential),
        (402, "billing_error", Quota),
        (403, "permission_error", Credential),
        (404, "not_found_error", NotFound),
        (409, "conflict_error", Server),
        (413, "request_too_large", TooLarge),
        (429, "rate_limit_error", RateLimited),
        (500, "api_error", Server),
        (504, "timeout_error", Timeout),
        (529, "overloaded_error", Overloaded),
        // Inside an answer.
        (200, "overloaded_error", Overloaded),
        (200, "one_of_tomorrow", Server),
        (429, "one_of_tomorrow", RateLimited),
    ] {
        check(status, &body(kind, "Hm."), expected, "Hm.");
    }
}

#[test]
fn words_decide_where_the_type_is_shared() {
    for (status, kind, message, expected) in [
        (400, "invalid_request_error", "prompt is too long: 208000 tokens > 200000 maximum", ContextLength),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 188240 + 21333",
            ContextLength,
        ),
        (400, "invalid_request_error", "Your credit balance is too low to access the API.", Quota),
        (400, "invalid_request_error", "Output blocked by content filtering policy", ContentPolicy),
        (400, "invalid_request_error", "tools.0.custom.foo: Extra inputs are not permitted", Unsupported),
        (400, "invalid_request_error", "This model does not support effort.", Unsupported),
        (429, "rate_limit_error", "enforced_spend_limit_reached", Quota),
        (429, "rate_limit_error", "prompt is too long", RateLimited),
    ] {
        check(status, &body(kind, message), expected, message);
    }
}

#[test]
fn the_status_decides_where_there_is_no_type() {
    for (status, expected) in [
        (400, InvalidRequest),
        (401, Credential),
        (402, Quota),
        (403, Credential),
        (404, NotFound),
        (408, Timeout),
        (413, TooLarge),
        (422, InvalidRequest),
        (429, RateLimited),
        (500, Server),
        (502, Server),
        (503, Overloaded),
        (504, Timeout),
        (529, Overloaded),
    ] {
        for body in ["", "<html>502</html>", "{}", "[]", r#"{"error":null}"#, r#"{"error":{"type":7}}"#, "{\"error\":"]
        {
            check(status, body, expected, "");
        }
        check(status, r#"{"error":"no \"room\""}"#, expected, "no \"room\"");
    }
}
