//! The fast mode as its clients see it: what is cut, sent ahead, held back or left.

mod raw;

use std::io::{Read, Write};
use std::time::Duration;

use h2::client::Builder;
use raw::{CHAT, LIMIT, STREAM, connect, request};
use ringway_loadtest::sim::{FastOptions, Sim, SimConfig, SimHandle};

fn fast(options: FastOptions) -> SimHandle {
    Sim::start(SimConfig { http2: true, fast: Some(options), ..SimConfig::default() }).expect("a simulator starts")
}

fn paced(chunks: usize, gap_ms: u64) -> FastOptions {
    FastOptions { chunks, gap: Duration::from_millis(gap_ms), ..FastOptions::default() }
}

/// Reads until `count` answers have begun and the last of them has ended with `end`.
fn answers(stream: &mut impl Read, count: usize, end: &str) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 4_096]);
    while !text.ends_with(end) || text.matches("HTTP/1.1 ").count() < count {
        let read = stream.read(&mut buffer).expect("it answers in time");
        assert_ne!(read, 0, "it ends after {text}");
        text.push_str(std::str::from_utf8(&buffer[..read]).expect("text"));
    }
    text
}

#[test]
fn requests_that_are_sent_ahead_are_answered_in_order() {
    let sim = fast(FastOptions { chunks: 2, ..FastOptions::default() });
    let mut stream = connect(sim.addr());
    let control = "GET /sim/stats HTTP/1.1\r\nhost: sim\r\n\r\n";
    let all = [
        request("/v1/messages", CHAT, ""),
        request("/v1/chat/completions", STREAM, ""),
        control.to_owned(),
        request("/v1beta/models/m:generateContent", CHAT, ""),
    ];
    stream.write_all(all.concat().as_bytes()).expect("they are sent");
    let text = answers(&mut stream, 4, "\"responseId\":\"fast\"}");
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part} in {text}"));
    assert!(at("msg_fast") < at("data: [DONE]") && at("data: [DONE]") < at("\"requests\":2"), "{text}");
    assert!(at("\"requests\":2") < at("\"candidates\""), "{text}");
}

#[test]
fn what_comes_while_a_stream_is_paced_waits_for_its_end() {
    let sim = fast(paced(5, 2));
    let mut stream = connect(sim.addr());
    let both = request("/v1/chat/completions", STREAM, "") + &request("/v1/messages", CHAT, "");
    stream.write_all(both.as_bytes()).expect("they are sent");
    let text = answers(&mut stream, 2, "\"output_tokens\":40}}");
    assert!(text.find("data: [DONE]\n\n\r\n0\r\n\r\nHTTP/1.1 200 OK").is_some(), "{text}");
    assert_eq!(text.matches("data: {\"id\"").count(), 5 + 1, "{text}");
}

#[test]
fn a_request_is_read_however_it_is_cut() {
    let sim = fast(FastOptions { chunks: 1, ..FastOptions::default() });
    let mut stream = connect(sim.addr());
    for byte in request("/v1/chat/completions", STREAM, "").bytes() {
        stream.write_all(&[byte]).expect("it is sent");
    }
    answers(&mut stream, 1, "\r\n0\r\n\r\n");
    let seen = sim.wait_until(LIMIT, |stats| stats.completed == 1).expect("it is over");
    assert_eq!((seen.requests, seen.upload_bytes, seen.content_events), (1, STREAM.len() as u64, 1));
}

#[test]
fn a_body_without_a_length_is_refused_and_not_taken_for_a_request() {
    let sim = fast(FastOptions::default());
    let chunked = "POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let seen = raw::send(&sim, chunked);
    assert!(seen.bytes.starts_with(b"HTTP/1.1 411 "), "{seen:?}");
    assert_eq!(sim.stats().requests, 0);
}

#[test]
fn a_client_that_leaves_is_noticed() {
    // Between two events, and within its own request.
    let sim = fast(paced(1_000, 10_000));
    let whole = request("/v1/chat/completions", STREAM, "");
    for sent in [&whole[..], &whole[..whole.len() - 1]] {
        let mut stream = connect(sim.addr());
        stream.write_all(sent.as_bytes()).expect("it is sent");
        sim.wait_until(LIMIT, |stats| stats.in_flight == 1).expect("it is read");
        drop(stream);
        sim.wait_until(LIMIT, |stats| stats.in_flight == 0).expect("its end is seen");
    }
    let seen = sim.wait_until(LIMIT, |stats| stats.connections_open == 0).expect("nobody is left");
    assert_eq!((seen.requests, seen.cancelled, seen.completed), (2, 2, 0));
}

#[test]
fn an_answer_waits_for_a_client_that_does_not_read() {
    // More than the kernel takes at once.
    let sim = fast(FastOptions { chunks: 60_000, ..FastOptions::default() });
    let mut stream = connect(sim.addr());
    let twice = request("/v1/chat/completions", STREAM, "").repeat(2);
    stream.write_all(twice.as_bytes()).expect("they are sent");
    sim.wait_until(LIMIT, |stats| stats.in_flight > 0).expect("it is read");
    let text = answers(&mut stream, 2, "data: [DONE]\n\n\r\n0\r\n\r\n");
    assert_eq!(text.matches("\"content\":\"").count(), 120_000);
}

/// Windows of 100 bytes, and a ping in between: what does not fit into them waits, and nothing is lost.
#[test]
fn streams_wait_for_their_windows() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for options in [FastOptions { chunks: 20, ..FastOptions::default() }, paced(20, 1)] {
        let sim = fast(options);
        runtime.block_on(async {
            let tcp = tokio::net::TcpStream::connect(sim.addr()).await.expect("it accepts");
            let mut builder = Builder::new();
            let made = builder.initial_window_size(100).handshake::<_, bytes::Bytes>(tcp).await;
            let (client, mut connection) = made.expect("it speaks HTTP/2");
            let mut ping = connection.ping_pong().expect("the first");
            let driver = tokio::spawn(connection);
            ping.ping(h2::Ping::opaque()).await.expect("it is answered");
            let mut client = client.ready().await.expect("it takes streams");
            let asks: Vec<_> = (0..4)
                .map(|_| {
                    let head = http::Request::post("http://sim/v1/messages").body(()).expect("a request");
                    let (answer, mut upload) = client.send_request(head, false).expect("it is sent");
                    upload.send_data(bytes::Bytes::from_static(STREAM.as_bytes()), true).expect("it is sent");
                    answer
                })
                .collect();
            for answer in asks {
                let mut body = answer.await.expect("an answer").into_body();
                let mut text = Vec::new();
                while let Some(data) = body.data().await {
                    let data = data.expect("it is whole");
                    text.extend_from_slice(&data);
                    body.flow_control().release_capacity(data.len()).expect("it is ours");
                }
                let text = String::from_utf8(text).expect("text");
                assert_eq!(text.matches("event: content_block_delta\n").count(), 20, "{text}");
                assert!(text.ends_with("data: {\"type\":\"message_stop\"}\n\n"), "{text}");
            }
            driver.abort();
        });
        let seen = sim.wait_until(LIMIT, |stats| stats.in_flight == 0).expect("all is over");
        assert_eq!((seen.requests, seen.completed, seen.content_events), (4, 4, 80));
    }
}

#[test]
fn a_stream_that_is_reset_was_cancelled() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let sim = fast(paced(1_000, 10_000));
    let seen = runtime.block_on(async move {
        let tcp = tokio::net::TcpStream::connect(sim.addr()).await.expect("it accepts");
        let (client, connection) = h2::client::handshake(tcp).await.expect("it speaks HTTP/2");
        let driver = tokio::spawn(connection);
        let mut client = client.ready().await.expect("it takes streams");
        let head = http::Request::post("http://sim/v1/chat/completions").body(()).expect("a request");
        let (answer, mut upload) = client.send_request(head, false).expect("it is sent");
        upload.send_data(bytes::Bytes::from_static(STREAM.as_bytes()), true).expect("it is sent");
        let body = answer.await.expect("it begins").into_body();
        drop((body, upload));
        let notices = move || sim.wait_until(LIMIT, |stats| stats.in_flight == 0).expect("it notices");
        let seen = tokio::task::spawn_blocking(notices).await.expect("it waits");
        driver.abort();
        seen
    });
    assert_eq!((seen.cancelled, seen.completed), (1, 0));
}
