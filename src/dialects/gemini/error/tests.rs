use super::*;
use crate::dialects::gemini::classify::classify;
use crate::error::Upstream;

fn body(failure: &Failure) -> String {
    let mut out = Vec::new();
    write_body(failure, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_failure_has_google_s_shape() {
    let failure = Failure::InvalidRequest {
        param: Some("contents[0].role".into()),
        code: "invalid_value",
        message: "No.".into(),
    };
    assert_eq!(
        body(&failure),
        r#"{"error":{"code":400,"message":"No.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"INVALID_VALUE","domain":"ringway"},{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"contents[0].role","description":"No."}]}]}}"#
    );
    let limited = body(&Failure::from(Upstream::RateLimited { retry_after_ms: Some(1_500) }));
    assert!(limited.contains(r#""code":429"#) && limited.contains(r#""status":"RESOURCE_EXHAUSTED""#), "{limited}");
    assert!(
        limited.ends_with(r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.500s"}]}}"#),
        "{limited}"
    );
}

#[test]
fn what_is_written_is_classified_as_what_it_is() {
    for (failure, class, retry_after_ms) in [
        (Failure::MissingKey, ErrorClass::Credential, None),
        (Failure::ModelNotFound { model: "x".into() }, ErrorClass::NotFound, None),
        (Failure::Overloaded, ErrorClass::Overloaded, Some(1_000)),
        (Failure::from(Upstream::RateLimited { retry_after_ms: Some(20) }), ErrorClass::RateLimited, Some(20)),
        (Failure::from(Upstream::HeadersTimeout), ErrorClass::Timeout, None),
        (Failure::Internal, ErrorClass::Server, None),
    ] {
        let body = body(&failure);
        serde_json::from_str::<serde_json::Value>(&body).unwrap();
        let error = classify(failure.status(), body.as_bytes());
        assert_eq!((error.class, error.retry_after_ms), (class, retry_after_ms), "{body}");
        assert_eq!(error.message.decoded(), failure.message());
    }
}

#[test]
fn an_event_is_a_body() {
    let mut out = Vec::new();
    write_event(&Failure::Internal, &mut out);
    let event = String::from_utf8(out).unwrap();
    assert_eq!(event, format!("data: {}\n\n", body(&Failure::Internal)));
}
