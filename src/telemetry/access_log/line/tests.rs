use super::*;
use crate::{
    dialects::endpoints::ApiEndpoint,
    telemetry::{access_log::RequestId, fixtures},
};
use serde_json::{Value, json};

fn record() -> AccessRecord {
    AccessRecord {
        at_us: 1_700_000_000_000_042,
        request_id: RequestId(0xabc),
        endpoint: ApiEndpoint::ChatCompletions,
        status: 200,
        code: "",
        shard: 1,
        streamed: true,
        client_gone: false,
        attempts: 2,
        generation: 3,
        key: 0,
        group: 0,
        deployment: 0,
        total_us: 1_500,
        overhead_us: 40,
        ttft_us: 900,
        request_bytes: 1_024,
        answer_bytes: 500,
        input_tokens: 11,
        cached_input_tokens: 4,
        output_tokens: 7,
        reasoning_tokens: 2,
    }
}

fn snapshot(generation: u64, model: &str) -> Snapshot {
    let mut snapshot = fixtures::empty(generation);
    fixtures::add_key(&mut snapshot, "team-a");
    fixtures::add_group(&mut snapshot, model);
    fixtures::add_deployment(&mut snapshot, "eu");
    snapshot
}

/// The record's line as JSON, after checking that it is exactly one line.
fn line(format: &mut LineFormat, record: &AccessRecord) -> Value {
    let mut out = Vec::new();
    format.write(&mut out, record);
    let text = String::from_utf8(out).expect("UTF-8");
    assert_eq!(text.find('\n'), Some(text.len() - 1));
    assert!(!text.trim_end_matches('\n').contains(char::is_control));
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn line_has_every_member_with_its_unit() {
    let mut format = LineFormat::default();
    format.learn(&snapshot(3, "gpt"));
    assert_eq!(
        line(&mut format, &record()),
        json!({
            "time": "2023-11-14T22:13:20.000042Z", "request_id": "req_00000000000000000000000000000abc",
            "endpoint": "chat.completions", "model": "gpt", "key": "team-a", "deployment": "eu", "provider": "simulated",
            "status": 200, "code": null, "attempts": 2, "streamed": true, "client_gone": false, "total_us": 1500,
            "overhead_us": 40, "ttft_us": 900, "input_tokens": 11, "cached_input_tokens": 4, "output_tokens": 7,
            "reasoning_tokens": 2, "request_bytes": 1024, "answer_bytes": 500, "shard": 1, "generation": 3
        })
    );
}

#[test]
fn what_does_not_apply_is_null() {
    let mut format = LineFormat::default();
    format.learn(&snapshot(3, "gpt"));
    let none = AccessRecord {
        status: 0,
        code: "missing_key",
        key: u32::MAX,
        group: u32::MAX,
        deployment: u32::MAX,
        ttft_us: 0,
        ..record()
    };
    let line = line(&mut format, &none);
    for member in ["status", "key", "model", "deployment", "provider", "ttft_us"] {
        assert_eq!(line[member], Value::Null, "{member}");
    }
    assert_eq!(line["code"], "missing_key");
}

#[test]
fn names_cannot_break_out() {
    let hostile = "a\",\"status\":1,\"x\":\"\\\n\r\u{0}\x1b[31m\u{7f}\u{9b}\u{2028}é";
    let mut format = LineFormat::default();
    format.learn(&snapshot(3, hostile));
    let line = line(&mut format, &record());
    assert_eq!(line["model"], hostile);
    assert_eq!(line["status"], 200);
}

#[test]
fn names_are_those_of_the_records_generation() {
    let mut format = LineFormat::default();
    for generation in 1..=ACCESS_LOG_GENERATIONS_MAX as u64 + 1 {
        format.learn(&snapshot(generation, &format!("model-{generation}")));
    }
    let model =
        |format: &mut LineFormat, generation| line(format, &AccessRecord { generation, ..record() })["model"].clone();
    assert_eq!(model(&mut format, 9), "model-9");
    assert_eq!(model(&mut format, 2), "model-2");
    assert_eq!(model(&mut format, 1), Value::Null, "forgotten");
    assert_eq!(model(&mut format, 77), Value::Null, "never seen");
}

#[test]
fn time_follows_the_record_across_seconds() {
    let mut format = LineFormat::default();
    let cases = [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_999_999, "1970-01-01T00:00:01.999999Z"),
        (4_102_444_800_000_000, "2100-01-01T00:00:00.000000Z"),
        (1_000_000, "1970-01-01T00:00:01.000000Z"),
        (u64::MAX, "1970-01-01T00:00:00.551615Z"),
    ];
    for (at_us, expected) in cases {
        assert_eq!(line(&mut format, &AccessRecord { at_us, ..record() })["time"], expected);
    }
}
