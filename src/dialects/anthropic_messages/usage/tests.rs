use super::*;
use crate::json::scan::{Members, Scanner};

static NONE: Members = Members::last_wins(&[]);

fn read(counts: &mut Counts, text: &str) -> Usage {
    Scanner::new(&NONE).finish(text.as_bytes()).unwrap();
    assert_eq!(counts.read(text.as_bytes(), 0), text.len());
    counts.usage()
}

fn check(text: &str, expected: Usage) {
    assert_eq!(read(&mut Counts::default(), text), expected);
}

#[test]
fn counts_are_disjoint() {
    check(
        r#"{"input_tokens":10,"cache_creation_input_tokens":7,"cache_read_input_tokens":5,
            "cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":3},
            "output_tokens":9,"output_tokens_details":{"thinking_tokens":6},"service_tier":"standard"}"#,
        Usage {
            input_uncached: 10,
            cache_read: 5,
            cache_write_short: 4,
            cache_write_long: 3,
            output: 9,
            reasoning: 6,
            ..Usage::default()
        },
    );
}

#[test]
fn a_write_without_its_split_is_short() {
    check(
        r#"{"cache_creation_input_tokens":7,"cache_creation":null}"#,
        Usage { cache_write_short: 7, ..Usage::default() },
    );
    check(r#"{"cache_creation":{"ephemeral_1h_input_tokens":3}}"#, Usage { cache_write_long: 3, ..Usage::default() });
}

#[test]
fn what_is_no_count_is_unknown() {
    check(r#"{"input_tokens":null,"output_tokens":-1,"cache_read_input_tokens":1.5}"#, Usage::default());
    check(r#"{"input_tokens":9007199254740993,"output_tokens":{"a":[1]}}"#, Usage::default());
    assert!(!Counts::default().is_known());
}

#[test]
fn later_counts_replace_earlier_ones() {
    let mut counts = Counts::default();
    read(&mut counts, r#"{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":1}"#);
    let usage = read(&mut counts, r#"{"output_tokens":20,"input_tokens":null}"#);
    assert_eq!(usage, Usage { input_uncached: 10, cache_read: 5, output: 20, ..Usage::default() });
    assert!(counts.is_known());
}

#[test]
fn turns_of_the_server_are_summed() {
    check(
        r#"{"input_tokens":1,"output_tokens":2,"iterations":[
            {"type":"compaction","input_tokens":100,"output_tokens":30,"cache_read_input_tokens":4},
            {"type":"message","input_tokens":1,"output_tokens":2,"cache_creation_input_tokens":8}]}"#,
        Usage { input_uncached: 101, cache_read: 4, cache_write_short: 8, output: 32, ..Usage::default() },
    );
    check(r#"{"input_tokens":1,"iterations":[]}"#, Usage { input_uncached: 1, ..Usage::default() });
}

/// White space behind the brace, which the API does not write, keeps the first members from being read at a stretch.
#[test]
fn counts_are_the_same_in_whatever_order_they_come() {
    let members = [
        r#""input_tokens":12"#,
        r#""cache_creation_input_tokens":3"#,
        r#""cache_read_input_tokens":4"#,
        r#""output_tokens":12345678"#,
        r#""input_tokens":null"#,
        r#""cache_creation_input_tokens":"5""#,
        r#""output_tokens": 6"#,
        r#""service_tier":"standard""#,
    ];
    for first in members {
        for second in members {
            for third in members {
                let text = format!("{{{first},{second},{third},{}}}", members[1]);
                let spaced = text.replacen('{', "{ ", 1);
                let (mut counts, mut other) = (Counts::default(), Counts::default());
                assert_eq!(counts.read(text.as_bytes(), 0) + 1, other.read(spaced.as_bytes(), 0));
                assert_eq!(counts, other, "{text}");
            }
        }
    }
}
