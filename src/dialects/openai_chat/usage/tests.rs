use super::*;
use crate::json::scan::{self, Members};

static MEMBERS: Members = Members::last_wins(&["usage"]);

fn read(usage: &str) -> Option<Usage> {
    let text = format!(r#"{{"usage":{usage}}}"#);
    let scan = scan::scan(&MEMBERS, text.as_bytes()).unwrap();
    Usage::read(text.as_bytes(), scan.member(0).unwrap())
}

#[test]
fn reads_what_providers_report() {
    let openai = r#"{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30,
        "prompt_tokens_details":{"audio_tokens":1,"cached_tokens":4,"cache_write_tokens":2},
        "completion_tokens_details":{"accepted_prediction_tokens":0,"reasoning_tokens":8}}"#;
    let expected = Usage {
        prompt: Some(10),
        completion: Some(20),
        total: Some(30),
        cached: Some(4),
        cache_write: Some(2),
        reasoning: Some(8),
    };
    assert_eq!(read(openai), Some(expected));
    let deepseek = read(r#"{"prompt_cache_hit_tokens":3,"prompt_tokens":9,"prompt_tokens_details":null}"#).unwrap();
    assert_eq!((deepseek.prompt, deepseek.cached), (Some(9), Some(3)));
    assert_eq!(read("{}"), Some(Usage::default()));
    assert_eq!(read("null"), None);
    assert_eq!(read("[1]"), None);
}

#[test]
fn absurd_counts_are_unknown() {
    for count in ["-1", "1.5", "1e3", "\"7\"", "9007199254740993", "99999999999999999999", "null", "{}"] {
        let usage = read(&format!(r#"{{"prompt_tokens":{count},"completion_tokens":2}}"#)).unwrap();
        assert_eq!((usage.prompt, usage.completion), (None, Some(2)), "{count}");
    }
}
