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
        estimated: false,
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
    let mut lines = Lines::default();
    format.write(&mut lines, record);
    assert_eq!(lines.count(), 1);
    let text = str::from_utf8(lines.as_bytes()).expect("UTF-8");
    assert_eq!(text.find('\n'), Some(text.len() - 1));
    assert!(!text.trim_end_matches('\n').contains(char::is_control));
    serde_json::from_str(text).expect("JSON")
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

/// Every member in its order, and no byte that is not of the format.
#[test]
fn line_byte_for_byte() {
    let mut format = LineFormat::default();
    format.learn(&snapshot(3, "gpt"));
    let mut lines = Lines::default();
    format.write(&mut lines, &record());
    format.write(&mut lines, &AccessRecord { ttft_us: 0, code: "x", status: 502, key: 9, ..record() });
    let expected = concat!(
        r#"{"time":"2023-11-14T22:13:20.000042Z","request_id":"req_00000000000000000000000000000abc","#,
        r#""endpoint":"chat.completions","model":"gpt","key":"team-a","deployment":"eu","provider":"simulated","status":200,"#,
        r#""code":null,"attempts":2,"streamed":true,"client_gone":false,"total_us":1500,"overhead_us":40,"ttft_us":900,"#,
        r#""input_tokens":11,"cached_input_tokens":4,"output_tokens":7,"reasoning_tokens":2,"request_bytes":1024,"#,
        r#""answer_bytes":500,"shard":1,"generation":3}"#,
        "\n",
        r#"{"time":"2023-11-14T22:13:20.000042Z","request_id":"req_00000000000000000000000000000abc","#,
        r#""endpoint":"chat.completions","model":"gpt","key":null,"deployment":"eu","provider":"simulated","status":502,"#,
        r#""code":"x","attempts":2,"streamed":true,"client_gone":false,"total_us":1500,"overhead_us":40,"ttft_us":null,"#,
        r#""input_tokens":11,"cached_input_tokens":4,"output_tokens":7,"reasoning_tokens":2,"request_bytes":1024,"#,
        r#""answer_bytes":500,"shard":1,"generation":3}"#,
        "\n",
    );
    assert_eq!(str::from_utf8(lines.as_bytes()).expect("UTF-8"), expected);
    assert_eq!(lines.count(), 2);
}

#[test]
fn numbers_of_every_length() {
    let mut format = LineFormat::default();
    let powers = (0..20).map(|power| 10u64.pow(power));
    let around = powers.flat_map(|power| [power - 1, power, power + 1, power.saturating_mul(7)]);
    for value in around.chain([u64::MAX]) {
        let tokens = u32::try_from(value).unwrap_or(u32::MAX);
        let numbers = AccessRecord {
            total_us: value,
            overhead_us: value,
            ttft_us: value,
            request_bytes: value,
            answer_bytes: value,
            input_tokens: tokens,
            reasoning_tokens: tokens,
            generation: value,
            ..record()
        };
        let line = line(&mut format, &numbers);
        for member in ["total_us", "overhead_us", "request_bytes", "answer_bytes", "generation"] {
            assert_eq!(line[member], value, "{member}");
        }
        assert_eq!(line["ttft_us"], if value == 0 { Value::Null } else { value.into() });
        assert_eq!((&line["input_tokens"], &line["reasoning_tokens"]), (&tokens.into(), &tokens.into()));
    }
    for value in (0..100_000_000).step_by(9_973).chain(99_990_000..100_000_000) {
        assert_eq!(str::from_utf8(&eight_digits(value)), Ok(&*format!("{value:08}")));
    }
}

/// Pieces are kept by what they were made from: a record that differs in any of it must not get another's.
#[test]
fn what_decides_a_piece_is_never_mistaken() {
    let mut known = snapshot(3, "gpt");
    for name in ["second", "third"] {
        fixtures::add_key(&mut known, name);
        fixtures::add_group(&mut known, name);
        fixtures::add_deployment(&mut known, name);
    }
    let mut format = LineFormat::default();
    format.learn(&known);
    let base = record();
    let mut records = vec![base];
    for n in 1..300u16 {
        let index = u32::from(n % 3);
        records.extend([
            AccessRecord { key: index, ..base },
            AccessRecord { group: index, ..base },
            AccessRecord { deployment: index, ..base },
            AccessRecord { status: n, ..base },
            AccessRecord { shard: n, ..base },
            AccessRecord { attempts: n as u8, ..base },
            AccessRecord { generation: n.into(), ..base },
            AccessRecord { streamed: n % 2 == 0, ..base },
            AccessRecord { client_gone: n % 2 == 0, ..base },
            AccessRecord { code: ["", "one", "two"][usize::from(n % 3)], ..base },
            AccessRecord {
                endpoint: [ApiEndpoint::Embeddings, ApiEndpoint::None, ApiEndpoint::Models][usize::from(n % 3)],
                ..base
            },
            AccessRecord { request_id: RequestId(u128::from(n) << 90 | u128::from(n)), ..base },
        ]);
    }
    for record in &records {
        let mut fresh = LineFormat::default();
        fresh.learn(&known);
        assert_eq!(line(&mut format, record), line(&mut fresh, record), "{record:?}");
    }
}

/// The room grows by itself, wherever in a line it ends, and a name may be of any length.
#[test]
fn lines_find_room() {
    let long = "n".repeat(10_000);
    let mut format = LineFormat::default();
    format.learn(&snapshot(3, &long));
    let mut one = Lines::default();
    format.write(&mut one, &record());
    let mut many = Lines::default();
    for count in 1..=100 {
        format.write(&mut many, &record());
        assert_eq!(many.count(), count);
    }
    assert!(many.as_bytes() == one.as_bytes().repeat(100));
    many.clear();
    assert_eq!((many.count(), many.as_bytes()), (0, &b""[..]));
    for room in 0..one.as_bytes().len() + 64 {
        let mut tight = Lines { room: vec![0; room], ..Lines::default() };
        format.write(&mut tight, &record());
        assert!(tight.as_bytes() == one.as_bytes(), "{room}");
    }
}
