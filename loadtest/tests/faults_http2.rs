//! The faults that HTTP/2 has of its own, and how those of the body look over it, as an `h2` client sees them.

mod raw;

use std::future::poll_fn;

use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use h2::{Reason, RecvStream};
use http::{Method, Request, Response};
use raw::{CHAT, LIMIT, STREAM};
use ringway_loadtest::sim::script::Script;
use ringway_loadtest::sim::{Sim, SimConfig, SimHandle};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

fn sim(toml: &str) -> SimHandle {
    let config = SimConfig {
        http2: true,
        script: Script::parse(toml).expect("the test's script is well-formed"),
        ..SimConfig::default()
    };
    Sim::start(config).expect("a simulator starts on a free port")
}

fn on_runtime(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        tokio::time::timeout(LIMIT, test).await.expect("the test ends");
    });
}

type Driver = JoinHandle<Result<(), h2::Error>>;

async fn connect(sim: &SimHandle) -> (SendRequest<Bytes>, Driver) {
    let tcp = TcpStream::connect(sim.addr()).await.expect("the simulator accepts");
    let (client, connection): (_, Connection<TcpStream>) = h2::client::handshake(tcp).await.expect("a handshake");
    (client, tokio::spawn(connection))
}

/// Sends one request and waits for the head of its answer.
async fn ask(client: &mut SendRequest<Bytes>, fault: &str, body: &str) -> Result<Response<RecvStream>, h2::Error> {
    let mut ready = client.clone().ready().await?;
    let request = Request::builder()
        .method(Method::POST)
        .uri("http://sim/v1/chat/completions")
        .header("content-type", "application/json")
        .header("x-sim-fault", if fault.is_empty() { "slow:0" } else { fault })
        .body(())
        .expect("a request");
    let (response, mut stream) = ready.send_request(request, false)?;
    stream.send_data(Bytes::copy_from_slice(body.as_bytes()), true)?;
    response.await
}

async fn read(response: Response<RecvStream>) -> (String, Result<(), h2::Error>) {
    let mut body = response.into_body();
    let mut text = Vec::new();
    loop {
        match body.data().await {
            None => return (raw::show(&text), Ok(())),
            Some(Err(error)) => return (raw::show(&text), Err(error)),
            Some(Ok(piece)) => {
                body.flow_control().release_capacity(piece.len()).expect("within the window");
                text.extend_from_slice(&piece);
            }
        }
    }
}

#[test]
fn answers_come_whole_and_streamed() {
    on_runtime(async {
        let sim = sim("");
        let (mut client, _driver) = connect(&sim).await;
        // Smaller pieces run into the client's own limit on small DATA frames.
        for fault in ["", "pieces:100"] {
            let whole = read(ask(&mut client, fault, CHAT).await.expect("an answer")).await;
            assert!(whole.1.is_ok() && whole.0.contains("You said: hello there"), "{whole:?}");
            let streamed = read(ask(&mut client, fault, STREAM).await.expect("an answer")).await;
            assert!(streamed.1.is_ok() && streamed.0.ends_with("data: [DONE]\n\n"), "{streamed:?}");
        }
        let stats = sim.stats();
        assert_eq!((stats.h2_connections, stats.h1_connections, stats.requests), (1, 0, 4));
    });
}

#[test]
fn streams_are_reset_with_the_code_that_was_asked_for() {
    on_runtime(async {
        let sim = sim("");
        let (mut client, _driver) = connect(&sim).await;
        for (fault, reason) in [
            ("refuse_stream", Reason::REFUSED_STREAM),
            ("rst_stream:11", Reason::ENHANCE_YOUR_CALM),
            ("reset", Reason::INTERNAL_ERROR),
        ] {
            let error = ask(&mut client, fault, CHAT).await.expect_err(fault);
            assert_eq!((error.reason(), error.is_reset()), (Some(reason), true), "{fault}");
        }
        let (text, end) = read(ask(&mut client, "reset_after:2", STREAM).await.expect("a head")).await;
        assert!(text.contains(" said:") && !text.contains(" hello"), "{text}");
        assert_eq!(end.expect_err("cut").reason(), Some(Reason::INTERNAL_ERROR));
        assert!(ask(&mut client, "", CHAT).await.is_ok(), "the connection lives on");
    });
}

#[test]
fn a_connection_that_closes_takes_its_streams_along() {
    on_runtime(async {
        let sim = sim("");
        for fault in ["close", "close_after:2"] {
            let (mut client, driver) = connect(&sim).await;
            let failed = match ask(&mut client, fault, STREAM).await {
                Err(_) => true,
                Ok(response) => read(response).await.1.is_err(),
            };
            assert!(failed, "{fault}");
            // The driver ends because the peer closed; whether as an error is h2's business.
            let _ = driver.await;
        }
        let (mut client, driver) = connect(&sim).await;
        let (text, end) = read(ask(&mut client, "close_quietly", CHAT).await.expect("an answer")).await;
        assert!(end.is_ok() && text.contains("You said"));
        let _ = driver.await;
    });
}

#[test]
fn a_graceful_goaway_lets_the_stream_finish() {
    on_runtime(async {
        let sim = sim("");
        let (mut client, driver) = connect(&sim).await;
        let (text, end) = read(ask(&mut client, "goaway+gap:1", STREAM).await.expect("a head")).await;
        assert!(end.is_ok() && text.ends_with("data: [DONE]\n\n"), "{text}");
        driver.await.expect("no panic").expect("a clean end");
        assert!(ask(&mut client, "", CHAT).await.is_err(), "no further stream");
    });
}

#[test]
fn an_abrupt_goaway_takes_all_streams_along() {
    on_runtime(async {
        let sim = sim("");
        let (mut client, _driver) = connect(&sim).await;
        let other = ask(&mut client, "silent_after:1", STREAM).await.expect("a head");
        let error = ask(&mut client, "goaway_abrupt", CHAT).await.expect_err("cut");
        assert!(error.is_go_away() || error.is_io(), "{error}");
        assert!(read(other).await.1.is_err());
    });
}

#[test]
fn a_goaway_below_a_stream_spares_the_older_ones() {
    on_runtime(async {
        let sim = sim("");
        let (mut client, _driver) = connect(&sim).await;
        let older = ask(&mut client, "gap:30", STREAM).await.expect("a head");
        let error = ask(&mut client, "goaway_below", CHAT).await.expect_err("above the last stream id");
        assert!(error.is_go_away() && error.is_remote(), "{error}");
        assert_eq!(error.reason(), Some(Reason::NO_ERROR));
        let (text, end) = read(older).await;
        assert!(end.is_ok() && text.ends_with("data: [DONE]\n\n"), "{text}");
    });
}

#[test]
fn a_connection_goes_away_after_so_many_requests() {
    on_runtime(async {
        let sim = sim("connection.goaway_after_requests = 2");
        let (mut client, driver) = connect(&sim).await;
        for _ in 0..2 {
            assert!(read(ask(&mut client, "", CHAT).await.expect("an answer")).await.1.is_ok());
        }
        driver.await.expect("no panic").expect("a clean end");
        let (mut client, _driver) = connect(&sim).await;
        assert!(ask(&mut client, "", CHAT).await.is_ok(), "a new connection serves");
        assert_eq!(sim.stats().faults.get("goaway"), Some(&1));
    });
}

#[test]
fn the_first_streams_are_refused() {
    on_runtime(async {
        let sim = sim("connection.refuse_first_streams = 2");
        let (mut client, _driver) = connect(&sim).await;
        for _ in 0..2 {
            let error = ask(&mut client, "", CHAT).await.expect_err("refused");
            assert_eq!(error.reason(), Some(Reason::REFUSED_STREAM));
        }
        assert!(ask(&mut client, "", CHAT).await.is_ok());
        assert_eq!(sim.stats().requests, 1, "a refused stream is no request");
    });
}

#[test]
fn settings_are_what_the_script_says() {
    on_runtime(async {
        let sim = sim("connection.max_concurrent_streams = 1\nconnection.initial_window_bytes = 16");
        let (mut client, _driver) = connect(&sim).await;
        read(ask(&mut client, "", CHAT).await.expect("a small window still lets a body through"))
            .await
            .1
            .expect("whole");
        assert_eq!(client.current_max_send_streams(), 1);
    });
}

#[test]
fn the_stream_limit_falls_on_a_live_connection() {
    on_runtime(async {
        let sim = sim("");
        let (mut client, _driver) = connect(&sim).await;
        read(ask(&mut client, "", CHAT).await.expect("an answer")).await.1.expect("whole");
        assert!(client.current_max_send_streams() > 100);
        read(ask(&mut client, "limit_streams:2", CHAT).await.expect("an answer")).await.1.expect("whole");
        while client.current_max_send_streams() != 2 {
            tokio::task::yield_now().await;
        }
        for fault in ["", "limit_streams:5", ""] {
            read(ask(&mut client, fault, CHAT).await.expect("the connection lives on")).await.1.expect("whole");
        }
        assert_eq!(sim.stats().connections, 1);
    });
}

#[test]
fn a_frozen_connection_answers_nothing_at_all() {
    on_runtime(async {
        let sim = sim("");
        let tcp = TcpStream::connect(sim.addr()).await.expect("the simulator accepts");
        let (mut client, mut connection) = h2::client::handshake(tcp).await.expect("a handshake");
        let mut pings = connection.ping_pong().expect("the first to take it");
        tokio::spawn(connection);
        pings.ping(h2::Ping::opaque()).await.expect("alive");
        let mut asking = client.clone();
        tokio::spawn(async move { ask(&mut asking, "freeze", CHAT).await.map(|_| ()) });
        while !sim.stats().faults.contains_key("freeze") {
            tokio::task::yield_now().await;
        }
        // The connection's task carries the order out at one of its next turns; from then on a PING is lost.
        let silence = std::time::Duration::from_millis(200);
        while tokio::time::timeout(silence, pings.ping(h2::Ping::opaque())).await.is_ok() {}
        assert!(tokio::time::timeout(silence, ask(&mut client, "", CHAT)).await.is_err());
        let (mut other, _driver) = connect(&sim).await;
        assert!(ask(&mut other, "", CHAT).await.is_ok(), "another connection is served");
    });
}

#[test]
fn faults_of_head_and_body_are_played_here_too() {
    on_runtime(async {
        let sim = sim("");
        let (mut client, _driver) = connect(&sim).await;
        let (text, end) = read(ask(&mut client, "informational:5", CHAT).await.expect("an answer")).await;
        assert!(end.is_ok() && text.contains("You said"));
        let response = ask(&mut client, "rate_limited:3", CHAT).await.expect("an answer");
        assert_eq!(response.status().as_u16(), 429);
        assert_eq!(response.headers()["retry-after"], "3");
        let response = ask(&mut client, "gzip", STREAM).await.expect("an answer");
        assert_eq!(response.headers()["content-encoding"], "gzip");
        assert!(read(response).await.1.is_ok());
        let response = ask(&mut client, "big_head:100000", CHAT).await;
        assert!(response.is_ok_and(|response| response.headers().get_all("x-filler").iter().count() == 13));
        let cut = match ask(&mut client, "short_body:10", CHAT).await {
            Ok(response) => read(response).await.1.is_err(),
            Err(_) => true,
        };
        assert!(cut, "the length does not match");
    });
}

#[test]
fn an_early_answer_does_not_wait_for_the_body() {
    on_runtime(async {
        let sim = sim("");
        let (client, _driver) = connect(&sim).await;
        let mut ready = client.ready().await.expect("ready");
        let head = Request::post("http://sim/v1/chat/completions").header("x-sim-fault", "early_answer:413");
        let (response, mut body) = ready.send_request(head.body(()).expect("a request"), false).expect("sent");
        body.send_data(Bytes::from_static(b"{"), false).expect("sent");
        assert_eq!(response.await.expect("an answer").status().as_u16(), 413);
    });
}

#[test]
fn an_upload_is_read_slowly() {
    on_runtime(async {
        let sim = sim("connection.initial_window_bytes = 10000\n[[rule]]\nfault = \"slow_upload:1000000\"");
        let (mut client, _driver) = connect(&sim).await;
        let long = CHAT.replace("hello", &"x".repeat(100_000));
        let (text, end) = read(ask(&mut client, "slow_upload:1000000", &long).await.expect("an answer")).await;
        assert!(end.is_ok() && text.contains("chat.completion"));
        assert_eq!(sim.stats().upload_bytes as usize, long.len());
    });
}

#[test]
fn the_fast_mode_answers_here_too() {
    on_runtime(async {
        let config = SimConfig { http2: true, fast: Some(Default::default()), ..SimConfig::default() };
        let sim = Sim::start(config).expect("a simulator starts");
        let (mut client, _driver) = connect(&sim).await;
        let (whole, _) = read(ask(&mut client, "", CHAT).await.expect("an answer")).await;
        assert_eq!(whole.len(), 515);
        let (stream, end) = read(ask(&mut client, "", STREAM).await.expect("an answer")).await;
        assert!(end.is_ok() && stream.ends_with("data: [DONE]\n\n"));
        assert!(stream.contains("\"finish_reason\":\"stop\""));
        assert_eq!(stream.matches("\n\n").count(), 52);
    });
}

#[test]
fn a_window_of_zero_opens_when_the_script_says() {
    on_runtime(async {
        let closed = sim("connection.initial_window_bytes = 0\nconnection.max_concurrent_streams = 7");
        let (mut client, _driver) = connect(&closed).await;
        // The settings come in one frame: when the one is known, so is the other.
        while client.current_max_send_streams() != 7 {
            poll_fn(|cx| client.poll_ready(cx)).await.expect("ready");
            tokio::task::yield_now().await;
        }
        let head = Request::post("http://sim/v1/chat/completions").body(()).expect("a request");
        let (_response, mut stream) = client.send_request(head, false).expect("sent");
        while closed.stats().requests < 1 {
            tokio::task::yield_now().await;
        }
        stream.reserve_capacity(10);
        assert_eq!(stream.capacity(), 0);

        let opening = sim("connection.initial_window_bytes = 0\nconnection.window_opens_after_ms = 20");
        let (mut client, _driver) = connect(&opening).await;
        let (text, end) = read(ask(&mut client, "", CHAT).await.expect("an answer, in the end")).await;
        assert!(end.is_ok() && text.contains("You said"));
    });
}

#[test]
fn leaving_is_counted() {
    on_runtime(async {
        let sim = sim("");
        let (mut client, driver) = connect(&sim).await;
        // A client that drops a stream resets it.
        drop(ask(&mut client, "silent_after:2", STREAM).await.expect("a head"));
        cancelled(&sim, 1).await;
        let open = ask(&mut client, "silent_after_head", STREAM).await.expect("a head");
        driver.abort();
        drop((open, client));
        cancelled(&sim, 2).await;
    });
}

/// Waits without holding up the runtime, which has the client's frames still to send.
async fn cancelled(sim: &SimHandle, count: u64) {
    while sim.stats().cancelled < count {
        tokio::task::yield_now().await;
    }
}
