use super::*;
use crate::json::{
    scan::{self, Members},
    walk::tests::{places, spaced},
};
use proptest::{prelude::*, sample::subsequence};

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
    // Where both are told the details count, and of several details the last that is a count.
    for both in [
        r#"{"prompt_cache_hit_tokens":3,"prompt_tokens_details":{"cached_tokens":4}}"#,
        r#"{"prompt_tokens_details":{"cached_tokens":4},"prompt_cache_hit_tokens":3}"#,
        r#"{"prompt_tokens_details":{"cached_tokens":5,"cached_tokens":4,"cached_tokens":null}}"#,
    ] {
        assert_eq!(read(both).unwrap().cached, Some(4), "{both}");
    }
    assert_eq!(read("{}"), Some(Usage::default()));
    assert_eq!(read("null"), None);
    assert_eq!(read("[1]"), None);
}

#[test]
fn reads_what_the_responses_api_reports() {
    let counted = read(
        r#"{"input_tokens":10,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"output_tokens":20,
            "output_tokens_details":{"reasoning_tokens":8},"total_tokens":30}"#,
    );
    let expected = Usage {
        prompt: Some(10),
        completion: Some(20),
        total: Some(30),
        cached: Some(4),
        cache_write: Some(2),
        reasoning: Some(8),
    };
    assert_eq!(counted, Some(expected));
}

#[test]
fn absurd_counts_are_unknown() {
    for count in ["-1", "1.5", "1e3", "\"7\"", "9007199254740993", "99999999999999999999", "null", "{}"] {
        let usage = read(&format!(r#"{{"prompt_tokens":{count},"completion_tokens":2}}"#)).unwrap();
        assert_eq!((usage.prompt, usage.completion), (None, Some(2)), "{count}");
    }
}

/// Some of `names` in their order, and some others; each with a value.
fn members(names: &'static [&'static str], values: &'static str) -> impl Strategy<Value = String> {
    let usual = subsequence(names, 0..=names.len());
    let others = prop::collection::vec(prop::sample::select(names), 0..3);
    (usual, others, any::<bool>()).prop_flat_map(move |(usual, others, is_first)| {
        let all = if is_first { [others, usual].concat() } else { [usual, others].concat() };
        prop::collection::vec(values, all.len()).prop_map(move |values| {
            let list: Vec<String> = all.iter().zip(values).map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", list.join(","))
        })
    })
}

const COUNT: &str = r#"0|[1-9][0-9]{0,3}|[1-9][0-9]{0,18}|null|-1|2\.5|1e2|"3"|\{\}"#;

proptest! {
    /// White space keeps a text from being passed at a stretch, and changes nothing about what it says.
    #[test]
    fn what_is_passed_at_a_stretch_says_the_same(
        counts in members(&["prompt_tokens", "completion_tokens", "total_tokens", "prompt_cache_hit_tokens", "x"], COUNT),
        prompt in members(&["cached_tokens", "audio_tokens", "cache_write_tokens"], COUNT),
        completion in members(&["reasoning_tokens", "audio_tokens"], COUNT),
        details_first in any::<bool>(),
        places in places(),
    ) {
        let details = format!("\"prompt_tokens_details\":{prompt},\"completion_tokens_details\":{completion}");
        let counts = counts.trim_matches(['{', '}']);
        let text = if counts.is_empty() {
            format!("{{{details}}}")
        } else if details_first {
            format!("{{{details},{counts}}}")
        } else {
            format!("{{{counts},{details}}}")
        };
        if serde_json::from_str::<serde_json::Value>(&text).is_ok() {
            prop_assert_eq!(read(&text), read(&spaced(&text, places)));
        }
    }
}
