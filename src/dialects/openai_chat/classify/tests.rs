use super::*;
use proptest::prelude::*;

fn check(status: u16, body: &str, class: ErrorClass, message: &str) {
    let error = classify(status, body.as_bytes());
    assert_eq!((error.class, &*error.message.decoded()), (class, message), "{status} {body}");
}

#[test]
fn openai_and_its_like() {
    let error = |kind: &str, code: &str| {
        format!(r#"{{"error":{{"message":"why","type":"{kind}","param":null,"code":{code}}}}}"#)
    };
    for (status, kind, code, class) in [
        (400, "invalid_request_error", "null", InvalidRequest),
        (400, "invalid_request_error", "\"context_length_exceeded\"", ContextLength),
        (400, "invalid_request_error", "\"unsupported_value\"", Unsupported),
        (400, "invalid_request_error", "\"content_policy_violation\"", ContentPolicy),
        (401, "invalid_request_error", "\"invalid_api_key\"", Credential),
        (403, "forbidden", "null", Credential),
        (404, "invalid_request_error", "\"model_not_found\"", NotFound),
        (429, "tokens", "\"rate_limit_exceeded\"", RateLimited),
        (429, "insufficient_quota", "\"insufficient_quota\"", Quota),
        (500, "server_error", "null", Server),
        (503, "service_unavailable_error", "\"server_is_overloaded\"", Overloaded),
        (503, "unavailable_error", "503", Overloaded),
        // Sent inside of an answer that began well.
        (200, "server_error", "null", Server),
        (200, "invalid_request_error", "null", InvalidRequest),
    ] {
        check(status, &error(kind, code), class, "why");
    }
}

#[test]
fn what_differs() {
    let azure = r#"{"error":{"message":"filtered","type":null,"code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#;
    check(400, azure, ContentPolicy, "filtered");
    check(404, r#"{"error":{"code":"DeploymentNotFound","message":"gone"}}"#, NotFound, "gone");
    check(200, r#"{"error":{"code":429,"message":"slow"}}"#, RateLimited, "slow");
    check(
        200,
        r#"{"error":{"code":502,"message":"Provider returned error","metadata":{"raw":"x"}}}"#,
        Server,
        "Provider returned error",
    );
    check(402, r#"{"error":{"code":402,"message":"credits"}}"#, Quota, "credits");
    let fireworks = r#"{"error":{"object":"error","type":"internal_server_error","message":"overloaded"}}"#;
    check(503, fireworks, Overloaded, "overloaded");
    check(500, fireworks, Server, "overloaded");
    check(
        403,
        r#"{"error":{"code":403,"message":"flagged","metadata":{"reasons":["hate"]}}}"#,
        ContentPolicy,
        "flagged",
    );
    let raw = r#"{"error":{"code":400,"message":"Provider returned error","metadata":{"raw":"{\"message\":\"prompt is too long\"}"}}}"#;
    check(400, raw, ContextLength, "Provider returned error");
    let mistral = r#"{"object":"error","message":"no","type":"invalid_function_call","param":null,"code":"3280","raw_status_code":400}"#;
    check(400, mistral, InvalidRequest, "no");
    check(
        422,
        r#"{"detail":[{"type":"extra_forbidden","loc":["body"],"msg":"Extra inputs"}]}"#,
        InvalidRequest,
        "Extra inputs",
    );
    check(422, r#"{"object":"error","message":{"detail":[{"msg":"inner"}]}}"#, InvalidRequest, "inner");
    check(
        400,
        r#"{"object":"error","message":"This model's maximum context length is 5 tokens.","type":"BadRequestError","code":400}"#,
        ContextLength,
        "This model's maximum context length is 5 tokens.",
    );
    check(
        400,
        r#"{"message":"Current length is 9 while limit is 8","type":"invalid_request_error"}"#,
        ContextLength,
        "Current length is 9 while limit is 8",
    );
    check(400, r#"[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]"#, InvalidRequest, "bad");
    check(429, r#"[{"error":{"code":429,"message":"q","status":"RESOURCE_EXHAUSTED"}}]"#, RateLimited, "q");
    check(401, r#"{"error":"no auth"}"#, Credential, "no auth");
    check(498, "", Overloaded, "");
    check(529, "<html>busy</html>", Overloaded, "");
    check(502, "{\"error\":", Server, "");
    check(413, "null", TooLarge, "");
    check(200, r#"{"status_code":1008,"status_msg":"insufficient balance"}"#, Quota, "insufficient balance");
}

#[test]
fn a_wait_is_read_out_of_the_message() {
    let wait = |message: &str| {
        let body = format!(r#"{{"error":{{"message":"{message}","code":"rate_limit_exceeded"}}}}"#);
        classify(429, body.as_bytes()).retry_after_ms
    };
    assert_eq!(wait("Limit 3. Please try again in 20s. Contact us"), Some(20_000));
    assert_eq!(wait("Please try again in 6m0.5s."), Some(360_500));
    assert_eq!(wait("Please try again in 12ms."), Some(12));
    assert_eq!(wait("try again in 1h"), Some(3_600_000));
    assert_eq!(wait("Please retry in 46 seconds"), Some(46_000));
    assert_eq!(wait("try again in a while"), None);
    assert_eq!(wait("try again in 99999999999h"), Some(86_400_000));
    assert_eq!(classify(500, br#"{"error":{"message":"try again in 5s"}}"#).retry_after_ms, None);
}

proptest! {
    #[test]
    fn noise_is_classified_by_its_status(body in prop::collection::vec(any::<u8>(), 0..60), status in 400u16..600) {
        classify(status, &body);
    }

    #[test]
    fn odd_values_are_taken(
        name in prop::sample::select(vec!["error", "message", "detail", "code", "metadata", "innererror", "type"]),
        value in prop::sample::select(vec!["1", "[]", "[1]", "{}", "null", "\"try again in 5.5.5s\"", "[{\"msg\":1}]", "{\"code\":{}}", "1e9"]),
    ) {
        for body in [format!("{{\"{name}\":{value}}}"), format!("{{\"error\":{{\"{name}\":{value}}}}}")] {
            classify(400, body.as_bytes());
        }
    }
}
