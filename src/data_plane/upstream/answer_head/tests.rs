use super::*;

fn head(lines: &[(&str, &str)]) -> AnswerHead {
    let mut head = AnswerHead::new(200);
    for (name, value) in lines {
        head.header(name, value.as_bytes());
    }
    head
}

#[test]
fn retry_advice_in_every_form() {
    let wait = |lines: &[(&str, &str)]| head(lines).retry_after_ms;
    assert_eq!(wait(&[("Retry-After", "2")]), Some(2_000));
    assert_eq!(wait(&[("retry-after", "0.25")]), Some(250));
    assert_eq!(wait(&[("retry-after-ms", "120"), ("retry-after", "1")]), Some(120));
    assert_eq!(wait(&[("retry-after", "1"), ("retry-after-ms", "120")]), Some(120));
    assert_eq!(wait(&[("retry-after", "-1")]), None);
    assert_eq!(wait(&[("retry-after", "NaN")]), None);
    assert_eq!(wait(&[("retry-after", "Fri, 21 Nov 2026 07:28:00 GMT")]), None);
}

#[test]
fn a_limits_reset_is_advice_on_429_only() {
    let wait = |status: u16, value: &str| {
        let mut head = AnswerHead::new(status);
        head.header("x-ratelimit-reset-requests", value.as_bytes());
        head.retry_after_ms
    };
    for (value, expected) in
        [("1s", 1_000), ("6m0s", 360_000), ("12ms", 12), ("1h2m3.5s", 3_723_500), ("2", 2_000), ("0.5", 500)]
    {
        assert_eq!(wait(429, value), Some(expected), "{value}");
    }
    for value in ["", "soon", "1x", "1s2"] {
        assert_eq!(wait(429, value), None, "{value}");
    }
    assert_eq!(wait(200, "1s"), None);
    let mut head = AnswerHead::new(429);
    head.header("x-ratelimit-reset-tokens", b"6m0s");
    head.header("retry-after", b"2");
    assert_eq!(head.retry_after_ms, Some(2_000));
}

#[test]
fn only_allowed_headers_reach_the_client() {
    let head = head(&[
        ("Set-Cookie", "a=b"),
        ("X-Request-Id", "up-1"),
        ("OpenAI-Processing-Ms", "7"),
        ("x-ratelimit-remaining-requests", "9"),
        ("Server", "cdn"),
        ("openai-version", "a\r\nset-cookie: x=y"),
    ]);
    assert_eq!(
        String::from_utf8(head.forward).expect("ASCII"),
        "x-upstream-request-id: up-1\r\nopenai-processing-ms: 7\r\nx-ratelimit-remaining-requests: 9\r\n"
    );
}

#[test]
fn the_ids_and_limits_of_other_providers() {
    for (name, expected) in [
        ("request-id", "x-upstream-request-id: 1\r\n"),
        ("x-amzn-RequestId", "x-upstream-request-id: 1\r\n"),
        ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-remaining: 1\r\n"),
        ("anthropic-organization-id", ""),
        ("anthropic-ratelimit-", ""),
    ] {
        let forward = head(&[(name, "1")]).forward;
        assert_eq!(String::from_utf8(forward).expect("ASCII"), expected, "{name}");
    }
}

#[test]
fn media_types() {
    assert!(head(&[("content-type", "application/json; charset=utf-8")]).is_json());
    assert!(head(&[("content-type", "application/problem+json")]).is_json());
    assert!(head(&[("content-type", "Text/Event-Stream;charset=utf-8")]).is_event_stream());
    assert!(head(&[("content-type", "text/html")]).is_html());
    assert!(!head(&[]).is_json());
}
