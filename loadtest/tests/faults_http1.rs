//! Each fault of the registry, as a raw HTTP/1.1 client sees it. `every_fault_has_a_test` compares the list below with
//! the registry.

mod raw;

use std::io::{Read, Write};

use raw::{CHAT, End, LIMIT, STREAM, Seen, connect, play, read_to_end, read_until, request, scripted, send, sim};
use ringway_loadtest::sim::fault::FAULTS;
use ringway_loadtest::sim::script::Script;

/// Plays a fault against a whole answer and a stream and looks at both.
fn check(fault: &str, whole: impl Fn(&Seen), streamed: impl Fn(&Seen)) {
    let sim = sim(Script::default());
    whole(&play(&sim, fault, CHAT));
    streamed(&play(&sim, fault, STREAM));
    let name = fault.split([':', ',']).next().unwrap_or("");
    assert_eq!(sim.stats().faults.get(name), Some(&2), "{fault} is counted");
}

fn is_error(status: u16, code: &str) -> impl Fn(&Seen) {
    move |seen| {
        assert_eq!(seen.status(), status, "{}", seen.text());
        let json = seen.json();
        assert_eq!(json["error"]["code"], code, "{json}");
        assert!(json["error"]["message"].is_string() && json["error"]["type"].is_string(), "{json}");
    }
}

fn is_healthy_stream(seen: &Seen) {
    assert_eq!(seen.status(), 200);
    assert!(seen.is_whole() && seen.is_done(), "{}", seen.text());
    assert!(seen.content().starts_with("You said: hello there"), "{}", seen.text());
    assert_eq!(seen.finish().as_deref(), Some("stop"));
}

fn is_healthy_whole(seen: &Seen) {
    assert_eq!(seen.status(), 200);
    assert!(seen.is_whole(), "{}", seen.text());
    let json = seen.json();
    let content = json["choices"][0]["message"]["content"].as_str();
    assert!(content.is_some_and(|text| text.starts_with("You said: hello there")), "{json}");
}

fn anything(_: &Seen) {}

/// How many content events a stream had.
fn contents(seen: &Seen) -> usize {
    let has_content = |event: &&String| event.contains(r#""delta":{"content":"#);
    seen.events().iter().filter(has_content).count()
}

#[test]
fn errors_have_their_status_and_code() {
    check("status:503", is_error(503, "server_is_overloaded"), is_error(503, "server_is_overloaded"));
    check("status:529", is_error(529, "server_is_overloaded"), anything);
    check("status:500", is_error(500, "server_error"), anything);
    check("status:408", is_error(408, "timeout"), anything);
    check("insufficient_quota", is_error(429, "insufficient_quota"), is_error(429, "insufficient_quota"));
    check("context_length", is_error(400, "context_length_exceeded"), anything);
    check("content_filter", is_error(400, "content_filter"), anything);
    check("model_not_found", is_error(404, "model_not_found"), anything);
    let too_large = |seen: &Seen| assert_eq!(seen.status(), 413);
    check("too_large", too_large, too_large);
}

#[test]
fn options_say_when_to_come_back() {
    let fault = "status:503,retry_after=7,retry_after_ms=7500,reset_requests=6m0s,should_retry=false,code=custom";
    check(
        fault,
        |seen| {
            is_error(503, "custom")(seen);
            assert_eq!(seen.header("retry-after").as_deref(), Some("7"));
            assert_eq!(seen.header("retry-after-ms").as_deref(), Some("7500"));
            assert_eq!(seen.header("x-ratelimit-reset-requests").as_deref(), Some("6m0s"));
            assert_eq!(seen.header("x-should-retry").as_deref(), Some("false"));
        },
        anything,
    );
    check(
        "rate_limited:3",
        |seen| {
            is_error(429, "rate_limit_exceeded")(seen);
            assert_eq!(seen.header("retry-after").as_deref(), Some("3"));
            assert_eq!(seen.header("x-ratelimit-remaining-requests").as_deref(), Some("0"));
        },
        anything,
    );
}

#[test]
fn an_error_can_repeat_the_key() {
    let sim = sim(Script::default());
    let extra = "authorization: Bearer sk-canary\r\nx-sim-fault: echo_key:403\r\nconnection: close\r\n";
    let seen = send(&sim, &request("/v1/chat/completions", CHAT, extra));
    assert_eq!(seen.status(), 403);
    assert!(seen.body_text().contains("sk-canary"));
}

#[test]
fn a_redirect_leads_elsewhere() {
    let redirect = |seen: &Seen| {
        assert_eq!(seen.status(), 307);
        assert!(seen.header("location").is_some_and(|to| to.contains("elsewhere.invalid")));
    };
    check("redirect", redirect, redirect);
}

#[test]
fn errors_hide_in_a_200() {
    let hidden = |seen: &Seen| {
        assert_eq!(seen.status(), 200);
        assert_eq!(seen.json()["error"]["code"], 502);
    };
    check("error_in_200:502", hidden, hidden);
    let first = |seen: &Seen| {
        assert_eq!(seen.status(), 200);
        let events = seen.events();
        assert_eq!(events.len(), 1, "{events:?}");
        assert!(events[0].contains(r#""error""#) && seen.is_whole());
    };
    check("first_event_error", first, first);
    check("error_after:3", is_healthy_whole, |seen| {
        assert_eq!(contents(seen), 3);
        assert!(seen.events().last().is_some_and(|event| event.contains(r#""error""#)));
        assert!(seen.is_whole() && !seen.is_done());
    });
}

#[test]
fn json_breaks_off() {
    check(
        "bad_json",
        |seen| {
            assert!(seen.is_whole());
            assert!(serde_json::from_slice::<serde_json::Value>(&seen.body().0).is_err());
        },
        is_healthy_stream,
    );
    check("bad_event_after:1", is_healthy_whole, |seen| {
        let broken = seen
            .events()
            .iter()
            .filter(|event| *event != "[DONE]")
            .filter(|event| serde_json::from_str::<serde_json::Value>(event).is_err())
            .count();
        assert_eq!(broken, 1);
        assert!(seen.is_done());
    });
}

#[test]
fn answers_lack_or_lie() {
    check("empty_body", |seen| assert!(seen.status() == 200 && seen.is_whole() && seen.body().0.is_empty()), anything);
    check(
        "empty_choices",
        |seen| assert_eq!(seen.json()["choices"], serde_json::json!([])),
        |seen| assert!(contents(seen) == 0 && seen.finish().is_none() && seen.is_done()),
    );
    check(
        "no_usage",
        |seen| assert!(seen.json().get("usage").is_none()),
        |seen| assert!(seen.is_done() && !seen.body_text().contains("prompt_tokens")),
    );
    check(
        "absurd_usage",
        |seen| assert_eq!(seen.json()["usage"]["prompt_tokens"], -5),
        |seen| assert!(seen.body_text().contains(r#""prompt_tokens":-5"#)),
    );
}

#[test]
fn streams_end_without_saying_so() {
    check("no_done", is_healthy_whole, |seen| {
        assert!(seen.is_whole() && !seen.is_done() && seen.finish().is_some());
    });
    check("no_finish", is_healthy_whole, |seen| {
        assert!(seen.is_whole() && seen.is_done() && seen.finish().is_none());
    });
    check("eof_after:2", is_healthy_whole, |seen| {
        assert_eq!(contents(seen), 2);
        assert!(seen.is_whole() && !seen.is_done() && seen.finish().is_none());
    });
}

#[test]
fn content_types_lie() {
    let page = |seen: &Seen| {
        assert_eq!(seen.status(), 502);
        assert!(seen.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
        assert!(seen.body_text().contains("<html>"));
    };
    check("html:502", page, page);
    let plain = |seen: &Seen| assert!(seen.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    check(
        "wrong_type",
        |seen| {
            plain(seen);
            is_healthy_whole(seen)
        },
        |seen| {
            plain(seen);
            is_healthy_stream(seen)
        },
    );
}

#[test]
fn gzip_inflates_to_the_answer() {
    // Stored blocks hold the text as it is, so that the check needs no decoder; the framing has its own unit test.
    let looks_compressed = |seen: &Seen| {
        assert_eq!(seen.header("content-encoding").as_deref(), Some("gzip"));
        let (body, whole) = seen.body();
        assert!(whole && body.starts_with(&[0x1f, 0x8b, 8]));
        assert!(raw::show(&body).contains("hello"));
    };
    check("gzip", looks_compressed, looks_compressed);
}

#[test]
fn connections_break() {
    let nothing = |end: End| {
        move |seen: &Seen| {
            assert_eq!(seen.end, end);
            assert!(seen.bytes.is_empty(), "{}", seen.text());
        }
    };
    check("reset", nothing(End::Reset), nothing(End::Reset));
    check("close", nothing(End::Fin), nothing(End::Fin));
    let cut = |end: End| {
        move |seen: &Seen| {
            assert_eq!(seen.end, end);
            assert!(seen.status() == 200 && !seen.is_whole() && !seen.body().0.is_empty(), "{}", seen.text());
        }
    };
    check("reset_after:2", cut(End::Reset), |seen| {
        cut(End::Reset)(seen);
        assert_eq!(contents(seen), 2)
    });
    check("close_after:2", cut(End::Fin), |seen| {
        cut(End::Fin)(seen);
        assert_eq!(contents(seen), 2)
    });
    check(
        "short_body:10",
        |seen| {
            let (body, whole) = seen.body();
            assert!(!whole);
            assert_eq!(seen.header("content-length"), Some((body.len() + 10).to_string()));
        },
        |seen| assert!(!seen.is_whole()),
    );
}

#[test]
fn silence_lasts_until_the_client_leaves() {
    for (fault, last_seen) in [("silent_after_head", "\r\n\r\n"), ("silent_after:2", " said:")] {
        let sim = sim(Script::default());
        let mut stream = connect(sim.addr());
        let extra = format!("x-sim-fault: {fault}\r\n");
        stream.write_all(request("/v1/chat/completions", STREAM, &extra).as_bytes()).expect("written");
        read_until(&mut stream, last_seen);
        assert_eq!(sim.stats().in_flight, 1, "{fault}");
        drop(stream);
        sim.wait_until(LIMIT, |stats| stats.cancelled == 1 && stats.in_flight == 0).expect(fault);
    }
    let sim = sim(Script::default());
    let mut stream = connect(sim.addr());
    stream.write_all(request("/v1/chat/completions", CHAT, "x-sim-fault: silent\r\n").as_bytes()).expect("written");
    sim.wait_until(LIMIT, |stats| stats.faults.contains_key("silent")).expect("the request arrives");
    stream.shutdown(std::net::Shutdown::Both).expect("open");
    sim.wait_until(LIMIT, |stats| stats.cancelled == 1).expect("leaving is noticed");
}

#[test]
fn delays_change_nothing_else() {
    check("slow:20", is_healthy_whole, is_healthy_stream);
    check("gap:2", is_healthy_whole, is_healthy_stream);
    check("header_trickle:0", is_healthy_whole, is_healthy_stream);
}

#[test]
fn a_trickled_head_comes_one_byte_at_a_time() {
    let sim = sim(Script::default());
    let mut stream = connect(sim.addr());
    stream
        .write_all(request("/v1/chat/completions", CHAT, "x-sim-fault: header_trickle:60000\r\n").as_bytes())
        .expect("written");
    let mut buffer = [0; 64];
    assert_eq!(stream.read(&mut buffer).expect("a byte comes"), 1);
    assert_eq!(sim.stats().in_flight, 1);
}

#[test]
fn spellings_of_a_stream_mean_the_same() {
    for fault in [
        "pieces:1",
        "pieces:7",
        "crlf",
        "cr",
        "no_space",
        "multi_data",
        "comments:2",
        "crlf+pieces:1+multi_data+no_space",
    ] {
        let sim = sim(Script::default());
        is_healthy_stream(&play(&sim, fault, STREAM));
        is_healthy_whole(&play(&sim, fault, CHAT));
    }
    let sim = sim(Script::default());
    let text = |fault: &str| play(&sim, fault, STREAM).body_text();
    assert!(text("crlf").contains("\r\n\r\n") && !text("crlf").replace("\r\n", "").contains('\n'));
    assert!(text("cr").contains("\r\r") && !text("cr").contains('\n'));
    assert!(text("no_space").contains("data:{") && !text("no_space").contains("data: {"));
    assert!(text("multi_data").contains("data: {\ndata: \"id\""));
    assert!(text("comments:2").contains(": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\ndata"));
}

#[test]
fn answers_grow_huge() {
    check("huge_line:100000", is_healthy_whole, |seen| {
        assert!(seen.events().iter().any(|event| event.len() > 100_000));
        assert!(seen.is_done());
    });
    let big_head = |seen: &Seen| assert!(seen.head().len() > 100_000 && seen.is_whole());
    check("big_head:100000", big_head, big_head);
    let big = |seen: &Seen| assert!(seen.is_whole() && seen.body().0.len() > 1_000_000);
    check("big_answer:1000000", big, big);
}

#[test]
fn informational_heads_come_in_storms() {
    let storm = |seen: &Seen| assert_eq!(seen.text().matches("HTTP/1.1 103 ").count(), 200);
    check("informational:200", storm, storm);
}

#[test]
fn framing_contradicts_itself() {
    let both = |seen: &Seen| {
        assert!(seen.head().contains("transfer-encoding: chunked") && seen.head().contains("content-length: 5"))
    };
    check("cl_and_te", both, both);
    check("two_lengths", |seen| assert_eq!(seen.head().matches("content-length").count(), 2), anything);
    let bad_chunk = |seen: &Seen| assert!(seen.text().contains("zz\r\n"));
    check("bad_chunk", anything, bad_chunk);
    let no_http = |seen: &Seen| assert!(seen.text().starts_with("HTTQ/9.9"));
    check("bad_status_line", no_http, no_http);
    let split = |seen: &Seen| assert!(seen.text().matches("HTTP/1.1 200").count() == 2);
    check("split_header", split, split);
    let folded = |seen: &Seen| assert!(seen.head().contains("x-folded: one\r\n two"));
    check("obs_fold", folded, folded);
}

#[test]
fn an_early_answer_does_not_wait_for_the_body() {
    let sim = sim(Script::default());
    let mut stream = connect(sim.addr());
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\nx-sim-fault: early_answer:413\r\ncontent-length: 1000000\r\n\r\n{";
    stream.write_all(head.as_bytes()).expect("written");
    let seen = read_to_end(&mut stream);
    assert_eq!((seen.status(), seen.end), (413, End::Fin));
    drop(stream);
    let stats = sim.wait_until(LIMIT, |stats| stats.in_flight == 0).expect("it ends");
    assert_eq!(stats.upload_bytes, 0);
}

#[test]
fn a_slow_upload_still_arrives() {
    let sim = scripted("[[rule]]\nmatch.path = \"chat/completions\"\nfault = \"slow_upload:1000000\"\n");
    let long = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#, "x".repeat(200_000));
    let seen = send(&sim, &request("/v1/chat/completions", &long, "connection: close\r\n"));
    assert_eq!(seen.status(), 200);
    let stats = sim.stats();
    assert_eq!(stats.upload_bytes as usize, long.len());
    assert_eq!(stats.faults.get("slow_upload"), Some(&1));
}

#[test]
fn keep_alive_ends_without_notice() {
    let sim = sim(Script::default());
    let mut stream = connect(sim.addr());
    stream
        .write_all(request("/v1/chat/completions", CHAT, "x-sim-fault: close_quietly\r\n").as_bytes())
        .expect("written");
    let seen = read_to_end(&mut stream);
    assert!(seen.end == End::Fin && seen.is_whole() && seen.header("connection").is_none());

    let mut stream = connect(sim.addr());
    stream
        .write_all(request("/v1/chat/completions", CHAT, "x-sim-fault: keep_alive_race\r\n").as_bytes())
        .expect("written");
    read_until(&mut stream, r#""service_tier""#);
    assert_eq!(sim.stats().connections_open, 1, "the connection looks alive");
    stream.write_all(request("/v1/chat/completions", CHAT, "").as_bytes()).expect("written");
    let seen = read_to_end(&mut stream);
    assert_eq!(seen.end, End::Reset);
    assert_eq!(sim.stats().requests, 2, "the second of the pooled connection was never read");
}

/// HTTP/2's own faults are played as healthy answers here.
#[test]
fn faults_of_http2_mean_nothing_here() {
    check("goaway", is_healthy_whole, is_healthy_stream);
}

#[test]
fn every_fault_has_a_test() {
    let here = [include_str!("faults_http1.rs"), include_str!("faults_http2.rs")].concat();
    for fault in FAULTS {
        let named = ["\"", ":", "+", ",", "\\"].iter().any(|end| {
            [format!("\"{}{end}", fault.name), format!(" {}{end}", fault.name)].iter().any(|text| here.contains(text))
        });
        assert!(named, "no test plays `{}`", fault.name);
    }
}
