//! When a rule applies, and what else a script and the control endpoint can do.

mod raw;

use std::io::Write;

use raw::{CHAT, LIMIT, STREAM, connect, read_until, request, scripted, send, sim};
use ringway_loadtest::sim::SimHandle;
use ringway_loadtest::sim::fault::Faults;
use ringway_loadtest::sim::script::{Script, ScriptError};

fn chat_with(model: &str) -> String {
    CHAT.replace("\"m\"", &format!("\"{model}\""))
}

fn status(sim: &SimHandle, body: &str, extra: &str) -> u16 {
    let extra = format!("{extra}connection: close\r\n");
    send(sim, &request("/v1/chat/completions", body, &extra)).status()
}

/// The statuses of so many requests in a row.
fn statuses(sim: &SimHandle, count: usize) -> Vec<u16> {
    (0..count).map(|_| status(sim, CHAT, "")).collect()
}

#[test]
fn nth_and_every_count_what_else_matches() {
    let outage = scripted("[[rule]]\nmatch.nth = \"2..3\"\nfault = \"status:503\"");
    assert_eq!(statuses(&outage, 5), [200, 503, 503, 200, 200]);
    let from_then_on = scripted("[[rule]]\nmatch.nth = \"3..\"\nfault = \"status:503\"");
    assert_eq!(statuses(&from_then_on, 4), [200, 200, 503, 503]);
    let flaky = scripted("[[rule]]\nmatch.every = 3\nfault = \"status:500\"");
    assert_eq!(statuses(&flaky, 6), [200, 200, 500, 200, 200, 500]);
    let one_model = scripted("[[rule]]\nmatch.model = \"b\"\nmatch.nth = \"1\"\nfault = \"status:500\"");
    assert_eq!(status(&one_model, &chat_with("a"), ""), 200);
    assert_eq!(status(&one_model, &chat_with("b"), ""), 500, "the first of its model");
    assert_eq!(status(&one_model, &chat_with("b"), ""), 200);
}

#[test]
fn a_share_is_drawn_from_the_seed() {
    let brown_out = || scripted("[[rule]]\nmatch.share = 0.2\nfault = \"status:500\"");
    let drawn = statuses(&brown_out(), 100);
    let failed = drawn.iter().filter(|status| **status == 500).count();
    assert!((5..=40).contains(&failed), "{failed} of 100");
    assert_eq!(drawn, statuses(&brown_out(), 100), "the same seed draws the same");
}

#[test]
fn conditions_must_all_hold_and_the_first_rule_decides() {
    let sim = scripted(
        r#"
        [[rule]]
        match = { model = "gpt-*", stream = false, header = "X-Tenant: blue" }
        fault = "status:501"
        [[rule]]
        match = { key = "sk-healthy" }
        [[rule]]
        match = { path = "chat/completions", stream = true }
        fault = "status:502"
        [[rule]]
        match = { until_ms = 0 }
        fault = "status:504"
        "#,
    );
    assert_eq!(status(&sim, &chat_with("gpt-9"), "x-tenant: blue\r\n"), 501);
    assert_eq!(status(&sim, &chat_with("gpt-9"), "x-tenant: red\r\n"), 200);
    assert_eq!(status(&sim, CHAT, "x-tenant: blue\r\n"), 200);
    assert_eq!(status(&sim, STREAM, ""), 502);
    assert_eq!(status(&sim, STREAM, "authorization: Bearer sk-healthy\r\n"), 200, "shielded by an earlier rule");
}

#[test]
fn header_and_model_ask_for_faults_ahead_of_all_rules() {
    let sim = sim(Script::always("status:500"));
    assert_eq!(status(&sim, CHAT, ""), 500);
    assert_eq!(status(&sim, CHAT, "x-sim-fault: status:418\r\n"), 418);
    assert_eq!(status(&sim, &chat_with("fault:status:404"), ""), 404);
    let unknown = send(&sim, &request("/v1/chat/completions", CHAT, "x-sim-fault: nonsense\r\nconnection: close\r\n"));
    assert_eq!(unknown.status(), 400);
    assert!(unknown.body_text().contains("nonsense"));
}

#[test]
fn answers_have_the_length_and_the_pieces_of_the_script() {
    let sim =
        scripted("answer = { tokens = 40, chunks = 10 }\n[[rule]]\nmatch.model = \"short\"\nanswer = { tokens = 3 }");
    let stream = send(&sim, &request("/v1/chat/completions", STREAM, "connection: close\r\n"));
    assert_eq!(stream.content().split_whitespace().count(), 40);
    assert_eq!(sim.stats().content_events, 10);
    assert!(stream.body_text().contains("\"completion_tokens\":40"));
    let short = send(&sim, &request("/v1/chat/completions", &chat_with("short"), "connection: close\r\n"));
    assert_eq!(short.json()["choices"][0]["message"]["content"], "You said: hello");
}

#[test]
fn a_gap_lets_a_client_leave_between_two_events() {
    let sim = scripted("[latency]\nttft_ms = { median_ms = 1, sigma = 0.5 }\ngap_ms = 60000");
    let mut stream = connect(sim.addr());
    stream.write_all(request("/v1/chat/completions", STREAM, "").as_bytes()).expect("written");
    read_until(&mut stream, "\"You\"");
    assert_eq!(sim.stats().in_flight, 1);
    drop(stream);
    let stats = sim.wait_until(LIMIT, |stats| stats.cancelled == 1).expect("leaving is noticed");
    assert_eq!((stats.content_events, stats.completed, stats.in_flight), (1, 0, 0));
}

#[test]
fn a_request_that_ends_early_is_counted_as_cut() {
    let sim = sim(Script::default());
    let mut stream = connect(sim.addr());
    stream
        .write_all(b"POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\ncontent-length: 100\r\n\r\n{")
        .expect("written");
    sim.wait_until(LIMIT, |stats| stats.in_flight == 1).expect("the head arrives");
    drop(stream);
    sim.wait_until(LIMIT, |stats| stats.uploads_cut == 1 && stats.in_flight == 0).expect("it is counted");
}

#[test]
fn the_control_endpoint_drives_the_simulator() {
    let sim = sim(Script::default());
    let control = |method: &str, path: &str, body: &str| {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        send(&sim, &head)
    };
    assert_eq!(status(&sim, CHAT, ""), 200);
    let stats = control("GET", "/sim/stats", "").json();
    assert_eq!((&stats["requests"], &stats["requests_by_model"]["m"]), (&1.into(), &1.into()));
    assert_eq!(control("POST", "/sim/script", "[[rule]]\nfault = \"status:503\"").status(), 200);
    assert_eq!(status(&sim, CHAT, ""), 503);
    let bad = control("POST", "/sim/script", "rulez = 1");
    assert_eq!(bad.status(), 400);
    assert!(bad.body_text().contains("rulez"));
    assert_eq!(status(&sim, CHAT, ""), 503, "a bad script changes nothing");
    assert_eq!(control("POST", "/sim/reset", "").status(), 200);
    assert_eq!(sim.stats().requests, 0);
    assert_eq!(control("GET", "/sim/nothing", "").status(), 404);
}

#[test]
fn a_stopped_simulator_refuses_and_comes_back_on_its_port() {
    let first = sim(Script::default());
    let addr = first.addr();
    let mut held = connect(addr);
    first.stop();
    assert_eq!(raw::read_to_end(&mut held).bytes, b"");
    assert!(std::net::TcpStream::connect(addr).is_err());
    let config = ringway_loadtest::sim::SimConfig { listen: addr, ..Default::default() };
    let again = ringway_loadtest::sim::Sim::start(config).expect("the port is free again");
    assert_eq!(status(&again, CHAT, ""), 200);
}

#[test]
fn scripts_that_cannot_be_followed_are_refused() {
    let check = |toml: &str, is: fn(&ScriptError) -> bool| {
        let error = Script::parse(toml).and_then(|script| sim(Script::default()).set_script(script)).expect_err(toml);
        assert!(is(&error), "{toml}: {error}");
    };
    check("modells = []", |error| matches!(error, ScriptError::Toml(_)));
    check("[[rule]]\nmatch.modell = \"x\"", |error| matches!(error, ScriptError::Toml(_)));
    check("[[rule]]\nfault = \"nonsense\"", |error| matches!(error, ScriptError::Fault(_)));
    check("[[rule]]\nfault = \"silent:3\"", |error| matches!(error, ScriptError::Fault(_)));
    check("[[rule]]\nfault = \"status:many\"", |error| matches!(error, ScriptError::Fault(_)));
    check("[[rule]]\nmatch.nth = \"one\"", |error| matches!(error, ScriptError::Range(_)));
    check("latency.ttft_ms = -1", |error| matches!(error, ScriptError::Bound(_)));
    check("latency.gap_ms = { median_ms = 1, sigma = 99 }", |error| matches!(error, ScriptError::Bound(_)));
    check("answer.tokens = 1000000", |error| matches!(error, ScriptError::Bound(_)));
}

#[test]
fn several_faults_act_together() {
    let faults = Faults::parse("crlf+pieces:3+status:503,retry_after=2").expect("three faults");
    let named: Vec<(&str, u64)> = faults.0.iter().map(|fault| (fault.name, fault.number)).collect();
    assert_eq!(named, [("crlf", 0), ("pieces", 3), ("status", 503)]);
    assert_eq!(faults.0[2].option("retry_after"), Some("2"));
}

/// What each dialect's request says, and where its answer says what.
const AGENTS: [(&str, &str, &str, &str); 4] = [
    (
        "/v1/chat/completions",
        r#"{"model":"m","messages":[{"role":"user","content":"RESULT"}],"tools":[{"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"b"}}]}"#,
        "/choices/0/message/tool_calls/0/function/name",
        "/choices/0/message/content",
    ),
    (
        "/v1/responses",
        r#"{"model":"m","input":"RESULT","tools":[{"type":"function","name":"a"},{"type":"custom","name":"b"}]}"#,
        "/output/0/name",
        "/output/0/content/0/text",
    ),
    (
        "/v1/messages",
        r#"{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"RESULT"}],"tools":[{"name":"a","input_schema":{"type":"object"}},{"name":"b","input_schema":{"type":"object"}}]}"#,
        "/content/0/name",
        "/content/0/text",
    ),
    (
        "/v1beta/models/m:generateContent",
        r#"{"contents":[{"role":"user","parts":[{"text":"RESULT"}]}],"tools":[{"functionDeclarations":[{"name":"a"},{"name":"b"}]}]}"#,
        "/candidates/0/content/parts/0/functionCall/name",
        "/candidates/0/content/parts/0/text",
    ),
];

#[test]
fn calls_and_text_are_as_scripted_in_every_dialect() {
    let sim = scripted(
        r#"
        [[rule]]
        match.body = "rain in Oslo"
        answer = { text = "Take  an umbrella.", calls = [] }
        [[rule]]
        answer = { calls = [{ name = "none" }, { name = "b", arguments = { city = "Oslo" } }] }
        "#,
    );
    for (path, body, call, text) in AGENTS {
        let ask = |prompt: &str| {
            let extra = "connection: close\r\nx-api-key: k\r\nx-goog-api-key: k\r\nanthropic-version: 2023-06-01\r\n";
            send(&sim, &request(path, &body.replace("RESULT", prompt), extra)).json()
        };
        let called = ask("the weather?");
        assert_eq!(called.pointer(call).and_then(|name| name.as_str()), Some("b"), "{called}");
        assert!(called.to_string().contains("Oslo"), "{called}");
        let said = ask("rain in Oslo");
        assert_eq!(said.pointer(text).and_then(|text| text.as_str()), Some("Take  an umbrella."), "{said}");
    }
}

/// The README shows each field of a script once; what it shows must be true.
#[test]
fn the_script_of_the_readme_can_be_followed() {
    let readme = include_str!("../README.md");
    let start = readme.find("```toml\n").expect("a script") + 8;
    let end = start + readme[start..].find("```").expect("its end");
    let script = Script::parse(&readme[start..end]).expect("well-formed");
    assert_eq!(script.rules.len(), 7);
    sim(Script::default()).set_script(script).expect("can be followed");
}

/// Each fault has its row in the README's table, and each fault in the table exists.
#[test]
fn the_readme_knows_every_fault() {
    let readme = include_str!("../README.md");
    let rows = readme.lines().filter_map(|line| line.split_once("| fault ").map(|(_, faults)| faults));
    let shown: Vec<&str> = rows
        .flat_map(|faults| faults.split('`').skip(1).step_by(2))
        .filter(|name| !name.starts_with("connection.") && !name.starts_with('['))
        .collect();
    for fault in &shown {
        assert!(Faults::parse(fault).is_ok(), "{fault}");
    }
    for def in ringway_loadtest::sim::fault::FAULTS {
        let is_it = |fault: &&str| Faults::parse(fault).is_ok_and(|faults| faults.0[0].kind == def.kind);
        assert!(shown.iter().any(is_it), "{} is in no row", def.name);
    }
}

/// A handle is kept in statics and moved between threads by tests; a change that forbids it should fail here first.
#[test]
fn a_handle_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&sim(Script::default()));
}
