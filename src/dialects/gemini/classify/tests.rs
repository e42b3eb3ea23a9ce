use super::*;

fn check(status: u16, body: &str, class: ErrorClass, message: &str, retry_after_ms: Option<u64>) {
    let error = classify(status, body.as_bytes());
    assert_eq!((error.class, error.retry_after_ms), (class, retry_after_ms), "{body}");
    assert_eq!(error.message.decoded(), message, "{body}");
}

fn error(code: u16, status: &str, message: &str, details: &str) -> String {
    format!(r#"{{"error":{{"code":{code},"message":"{message}","status":"{status}","details":[{details}]}}}}"#)
}

#[test]
fn each_status_has_a_class() {
    for (code, status, class) in [
        (400, "INVALID_ARGUMENT", ErrorClass::InvalidRequest),
        (400, "FAILED_PRECONDITION", ErrorClass::Credential),
        (401, "UNAUTHENTICATED", ErrorClass::Credential),
        (403, "PERMISSION_DENIED", ErrorClass::Credential),
        (404, "NOT_FOUND", ErrorClass::NotFound),
        (429, "RESOURCE_EXHAUSTED", ErrorClass::RateLimited),
        (499, "CANCELLED", ErrorClass::Server),
        (500, "INTERNAL", ErrorClass::Server),
        (501, "UNIMPLEMENTED", ErrorClass::Unsupported),
        (503, "UNAVAILABLE", ErrorClass::Overloaded),
        (504, "DEADLINE_EXCEEDED", ErrorClass::Timeout),
    ] {
        check(code, &error(code, status, "It is so.", ""), class, "It is so.", None);
        check(code, &format!("[{}\n]", error(code, status, "It is so.", "")), class, "It is so.", None);
        // Without a name the number counts, and the embedded one more than the answer's.
        if status != "FAILED_PRECONDITION" && status != "CANCELLED" {
            check(200, &format!(r#"{{"error":{{"code":{code},"message":"x"}}}}"#), class, "x", None);
        }
    }
}

#[test]
fn a_wrong_key_is_an_invalid_argument() {
    let details =
        r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}"#;
    let message = "API key not valid. Please pass a valid API key.";
    check(400, &error(400, "INVALID_ARGUMENT", message, details), ErrorClass::Credential, message, None);
}

#[test]
fn words_tell_what_an_invalid_argument_is() {
    for (message, class) in [
        (
            "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
            ErrorClass::ContextLength,
        ),
        ("Request payload size exceeds the limit: 20971520 bytes.", ErrorClass::TooLarge),
        ("Penalty is not enabled for models/gemini-3", ErrorClass::Unsupported),
        (r#"Invalid JSON payload received. Unknown name \"x\": Cannot find field."#, ErrorClass::InvalidRequest),
        (
            "Please ensure that function response turn comes immediately after a function call turn.",
            ErrorClass::InvalidRequest,
        ),
    ] {
        let body = error(400, "INVALID_ARGUMENT", message, "");
        assert_eq!(classify(400, body.as_bytes()).class, class, "{message}");
    }
}

#[test]
fn a_quota_of_nothing_is_no_rate() {
    let retry = r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"46.5s"}"#;
    let quota = |id: &str, value: &str| {
        let violation = format!(r#"{{"quotaMetric":"m","quotaId":"{id}","quotaValue":"{value}"}}"#);
        format!(r#"{{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{violation}]}},{retry}"#)
    };
    let body = |details: &str| error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", details);
    let message = "You exceeded your current quota.";
    check(429, &body(retry), ErrorClass::RateLimited, message, Some(46_500));
    let minute = quota("GenerateRequestsPerMinutePerProjectPerModel", "10");
    check(429, &body(&minute), ErrorClass::RateLimited, message, Some(46_500));
    let day = quota("GenerateRequestsPerDayPerProjectPerModel", "250");
    check(429, &body(&day), ErrorClass::RateLimited, message, Some(46_500));
    check(429, &body(&quota("GenerateRequestsPerMinutePerProjectPerModel", "0")), ErrorClass::Quota, message, None);
}

#[test]
fn durations_are_seconds() {
    for (said, ms) in [
        ("46s", Some(46_000)),
        ("0.5s", Some(500)),
        ("1.0001s", Some(1_001)),
        ("999999999999999999s", Some(86_400_000)),
        ("46", None),
        ("-1s", None),
        ("1.xs", None),
        ("s", None),
    ] {
        assert_eq!(duration_ms(said), ms, "{said}");
    }
}

#[test]
fn what_is_no_error_object_is_told_by_its_status() {
    for body in ["", "<html>502</html>", "{}", "[]", "{\"error\":null}", "{\"error\":", "\u{feff}"] {
        check(502, body, ErrorClass::Server, "", None);
        check(429, body, ErrorClass::RateLimited, "", None);
        check(413, body, ErrorClass::TooLarge, "", None);
    }
    check(503, r#"{"error":"down"}"#, ErrorClass::Overloaded, "down", None);
}
