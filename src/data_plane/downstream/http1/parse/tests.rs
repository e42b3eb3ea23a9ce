use super::*;

fn parse(head: &str) -> ParsedHead {
    parse_head(head.as_bytes()).expect("accepted").expect("whole")
}

fn check_refused(head: &str, expected: u16) {
    match parse_head(head.as_bytes()) {
        Err(Failure::Http { status, .. }) => assert_eq!(status, expected, "{head:?}"),
        other => panic!("{head:?}: {other:?}"),
    }
}

#[test]
fn a_head_as_an_sdk_sends_it() {
    let text = "POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: localhost:4000\r\nConnection: keep-alive\r\nContent-Type: \
                application/json\r\nAUTHORIZATION: Bearer x\r\nIdempotency-Key:  7\r\ncookie: a=b\r\nx-ringway-debug: true\r\n\
                Content-Length: 12\r\n\r\n{\"model\":1}";
    let ParsedHead { head, frame: Frame { bytes, is_http11, keep_alive, is_head, length_at } } = parse(text);
    let of = |span: Option<Span>| span.map(|span| span.of(text.as_bytes()));
    assert_eq!(&text[bytes..], "{\"model\":1}");
    assert!(is_http11 && keep_alive && !is_head);
    assert_eq!(head.method, Method::Post);
    assert_eq!(head.target.of(text.as_bytes()), b"/v1/chat/completions?a=b");
    assert_eq!(of(head.host), Some(&b"localhost:4000"[..]));
    assert_eq!(of(head.authorization), Some(&b"Bearer x"[..]));
    assert_eq!(of(head.content_type), Some(&b"application/json"[..]));
    assert_eq!((head.content_length, of(length_at)), (Some(12), Some(&b"12"[..])));
    assert!(head.debug && !head.repeated && !head.encoded && !head.unsized_body && !head.expects_continue);
    assert_eq!(head.forward, b"idempotency-key: 7\r\n");
}

#[test]
fn a_key_may_stand_in_several_headers_and_in_each_once() {
    let text = "POST /v1/messages?beta=true HTTP/1.1\r\nhost: a\r\napi-key: one\r\nX-Api-Key: two\r\nx-goog-api-key: three\r\n\r\n";
    let head = parse(text).head;
    assert_eq!(head.api_key.map(|key| key.of(text.as_bytes())), Some(&b"one"[..]));
    assert_eq!(head.query(text.as_bytes()), "beta=true");
    for name in ["api-key", "x-api-key", "x-goog-api-key"] {
        check_refused(&format!("POST / HTTP/1.1\r\nhost: a\r\n{name}: x\r\n{name}: y\r\n\r\n"), 400);
    }
}

#[test]
fn what_a_head_says_about_its_connection() {
    assert!(!parse("GET / HTTP/1.0\r\n\r\n").frame.keep_alive);
    assert!(!parse("GET / HTTP/1.1\r\nhost: a\r\nconnection: x, Close\r\n\r\n").frame.keep_alive);
    assert!(parse("GET / HTTP/1.1\r\nhost: a\r\nconnection: closed\r\n\r\n").frame.keep_alive);
    assert!(parse("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n").frame.is_head);
    assert!(parse("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\n\r\n").head.expects_continue);
    assert!(!parse("POST / HTTP/1.0\r\nexpect: 100-continue\r\n\r\n").head.expects_continue);
}

#[test]
fn each_refusal_has_its_status() {
    for line in
        ["GET /\r\n", "GET  / HTTP/1.1\r\n", " GET / HTTP/1.1\r\n", "G@T / HTTP/1.1\r\n", "GET\t/\tHTTP/1.1\r\n", "\n"]
    {
        check_refused(line, 400);
    }
    for target in ["*", "http://a/", "a:443", "/\u{e9}", "/a\tb", "/a\x7f"] {
        check_refused(&format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n"), 400);
    }
    for line in [
        "GET / HTTP/1.2\r\n",
        "GET / http/1.1\r\n",
        "GET /a b HTTP/1.1\r\n",
        "GET / HTTP/3.0\r\n",
        "GET / \r\n",
        "PRI * HTTP/2.0\r\n",
    ] {
        check_refused(line, 505);
    }
    check_refused("GET / HTTP/1.1 \r\n", 400);
    check_refused(&format!("GET /{} HTTP/1.1\r\n", "a".repeat(TARGET_BYTES_MAX)), 414);
    let post = |lines: &str, status| check_refused(&format!("POST / HTTP/1.1\r\nhost: a\r\n{lines}\r\n"), status);
    post("host: a\r\n", 400);
    for length in ["", "+1", "-1", "1,1", "1 1", "0x1", "1_0", "1234567890123456789"] {
        post(&format!("content-length: {length}\r\n"), 400);
    }
    post("content-length: 1\r\ncontent-length: 1\r\n", 400);
    post("content-length: 1\r\ntransfer-encoding: chunked\r\n", 400);
    post("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", 501);
    for coding in ["", "identity", "chunked,", "gzip, chunked", "chunked;a"] {
        post(&format!("transfer-encoding: {coding}\r\n"), 501);
    }
    post("expect: y\r\n", 417);
    post("authorization: a\r\nauthorization: b\r\n", 400);
    post(&"a: b\r\n".repeat(HEADERS_MAX), 431);
    post(&format!("a: {}\r\n", "b".repeat(HEAD_BYTES_MAX)), 431);
    check_refused("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\n\r\n", 400);
}

#[test]
fn what_is_malformed_is_told_before_the_rest_has_come() {
    check_refused("POST / HTTP/1.1\r\nhost: a\n", 400);
    check_refused("{\"model\":", 400);
    check_refused("GET\t", 400);
    for part in ["", "\r", "\r\n\r", "P", "GET /a", "POST / HTTP/1.1\r\nhost: a\r\n"] {
        assert_eq!(parse_head(part.as_bytes()), Ok(None), "{part:?}");
    }
}

#[test]
fn a_refused_line_does_not_hide_a_malformed_one() {
    check_refused("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\n chunked\r\n\r\n", 400);
    check_refused("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\n\r\n", 501);
    assert_eq!(parse_head(b"POST / HTTP/1.1\r\nhost: a\r\nexpect: b\r\n"), Ok(None));
}
