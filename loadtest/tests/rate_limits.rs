//! Rate limits as each dialect tells them. How the buckets fill is tested beside them, without a clock.

mod raw;

use raw::{CHAT, Seen, request, scripted, send, sim};
use ringway_loadtest::sim::SimHandle;
use ringway_loadtest::sim::script::{Script, ScriptError};

const ONE: &str = "[rate_limit]\nrequests_per_min = 1\ntokens_per_min = 100000";

fn chat(sim: &SimHandle, key: &str) -> Seen {
    let head = format!("authorization: Bearer {key}\r\nconnection: close\r\n");
    send(sim, &request("/v1/chat/completions", CHAT, &head))
}

#[test]
fn openai_is_told_by_headers() {
    let sim = scripted(ONE);
    let first = chat(&sim, "a");
    assert_eq!(first.status(), 200);
    assert_eq!(first.header("x-ratelimit-limit-requests").as_deref(), Some("1"));
    assert_eq!(first.header("x-ratelimit-remaining-requests").as_deref(), Some("0"));
    assert_eq!(first.header("x-ratelimit-limit-tokens").as_deref(), Some("100000"));
    let second = chat(&sim, "a");
    assert_eq!((second.status(), second.json()["error"]["code"].as_str()), (429, Some("rate_limit_exceeded")));
    let after_s: u64 = second.header("retry-after").and_then(|seconds| seconds.parse().ok()).expect("seconds");
    assert!((1..=60).contains(&after_s), "{after_s}");
    assert!(second.header("x-ratelimit-reset-requests").is_some_and(|reset| reset.ends_with('s')));
    assert_eq!(chat(&sim, "b").status(), 200, "each key has its own");
    let all = scripted(&format!("{ONE}\nper = \"all\""));
    assert_eq!((chat(&all, "a").status(), chat(&all, "b").status()), (200, 429));
}

#[test]
fn anthropic_is_told_by_headers_of_its_own() {
    let sim = scripted(ONE);
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#;
    let head = "anthropic-version: 2023-06-01\r\nx-api-key: k\r\nconnection: close\r\n";
    let ask = || send(&sim, &request("/v1/messages", body, head));
    assert_eq!(ask().header("anthropic-ratelimit-tokens-limit").as_deref(), Some("100000"));
    let second = ask();
    assert_eq!((second.status(), second.json()["error"]["type"].as_str()), (429, Some("rate_limit_error")));
    assert_eq!(second.header("anthropic-ratelimit-requests-remaining").as_deref(), Some("0"));
    assert!(second.header("anthropic-ratelimit-requests-reset").is_some_and(|reset| reset.ends_with('Z')));
    assert!(second.header("retry-after").is_some());
}

#[test]
fn gemini_is_told_in_the_body() {
    let sim = scripted(ONE);
    let ask = || {
        let body = r#"{"contents":[{"parts":[{"text":"x"}]}]}"#;
        send(&sim, &request("/v1beta/models/m:generateContent?key=k", body, "connection: close\r\n"))
    };
    assert_eq!(ask().status(), 200);
    let second = ask();
    let details = second.json()["error"]["details"].clone();
    assert_eq!((second.status(), second.header("retry-after")), (429, None));
    assert_eq!(details[0]["violations"][0]["quotaValue"], "1");
    assert!(details[1]["retryDelay"].as_str().is_some_and(|delay| delay.ends_with('s')));
}

#[test]
fn tokens_are_limited_too() {
    let sim = scripted("[rate_limit]\ntokens_per_min = 30");
    // 16 tokens of a body of 66 bytes, and 24 that the answer may have.
    assert_eq!(chat(&sim, "a").status(), 429);
    let sim = scripted("answer.tokens = 3\n[rate_limit]\ntokens_per_min = 30");
    let first = chat(&sim, "a");
    assert_eq!((first.status(), first.header("x-ratelimit-remaining-tokens").as_deref()), (200, Some("11")));
    assert_eq!(chat(&sim, "a").status(), 429);
}

#[test]
fn what_is_refused_otherwise_takes_nothing() {
    let sim = scripted(&format!("require_key = \"a\"\n{ONE}"));
    assert_eq!([chat(&sim, "b").status(), chat(&sim, "a").status(), chat(&sim, "a").status()], [401, 200, 429]);
}

#[test]
fn limits_and_latencies_that_make_no_sense_are_refused() {
    for toml in ["rate_limit.requests_per_min = 0", "[[rule]]\nmatch.down_ms = 5", "latency.tokens_per_s = 0"] {
        let script = Script::parse(toml).expect("well-formed");
        assert!(matches!(sim(Script::default()).set_script(script), Err(ScriptError::Bound(_))), "{toml}");
    }
    let missing = Script::parse("latency.ttft_ms = { recorded = \"no-such-file\" }").expect_err("no file");
    assert!(missing.to_string().contains("no-such-file"), "{missing}");
}
