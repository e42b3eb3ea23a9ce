use super::*;

fn check(head: &str, status: u16, body: Body, keep_alive: bool) {
    let parsed = parse_head(head.as_bytes()).expect("accepted").expect("whole");
    assert_eq!(
        (parsed.head.status, parsed.frame.body, parsed.frame.keep_alive),
        (status, body, keep_alive),
        "{head:?}"
    );
    assert_eq!(parsed.frame.bytes, head.len());
}

#[test]
fn where_bodies_end() {
    check("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", 200, Body::Length(5), true);
    check("HTTP/1.1 200\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n", 200, Body::Length(5), true);
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nconnection: close\r\n\r\n", 200, Body::Chunked, false);
    check("HTTP/1.1 200 OK\r\n\r\n", 200, Body::UntilClose, true);
    check("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", 200, Body::Length(0), false);
    check("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n", 200, Body::Length(0), true);
    check("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", 204, Body::Never, true);
    check("HTTP/1.1 304 \r\ntransfer-encoding: chunked\r\n\r\n", 304, Body::Never, true);
    // Nothing of an interim answer counts.
    check("HTTP/1.1 103 Early Hints\r\ncontent-length: x\r\ncontent-length: 5\r\n\r\n", 103, Body::Never, true);
}

#[test]
fn refuses_what_two_parsers_could_read_differently() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 204 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n",
        "HTTP/1.1 200 OK\ncontent-length: 5\n\n",
        "HTTP/1.1 200 OK\r\nx: a\rHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
    ] {
        assert_eq!(parse_head(head.as_bytes()), Err(BadAnswer), "{head:?}");
    }
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(UPSTREAM_HEADERS_MAX + 1));
    assert_eq!(parse_head(many.as_bytes()), Err(BadAnswer));
}

#[test]
fn allowed_lines_go_on_in_their_plainest_form() {
    let text = "HTTP/1.1 200 OK\r\nX-Request-Id:  1\r\nSERVER: x\r\nOpenAI-Version: 2\r\nx-ratelimit-: 3\r\n\r\n";
    let parsed = parse_head(text.as_bytes()).expect("accepted").expect("whole");
    assert_eq!(parsed.head.forward, b"x-upstream-request-id: 1\r\nopenai-version: 2\r\n");
}

#[test]
fn what_is_not_http_is_told_before_its_line_ends() {
    assert_eq!(parse_head(b"SSH-2.0"), Err(BadAnswer));
    assert_eq!(parse_head(b"HTTP/2"), Err(BadAnswer));
    for part in ["", "\r", "\r\n", "HT", "HTTP/1.1 200"] {
        assert_eq!(parse_head(part.as_bytes()), Ok(None), "{part:?}");
    }
}
