//! Token counts as Cohere reports them: `billed_units`, which leave out what it adds to prompts itself; `tokens` counts all of it, and is
//! taken where nothing is said of billing. What was read from a cache is a part of the input.

use crate::dialects::canonical::Usage;
use crate::json::view::Value;

/// Reads a `usage` object; `None` if it counts nothing. A count that is absent or no whole number is nothing.
pub fn read(usage: Value<'_>) -> Option<Usage> {
    let counts = usage.some("billed_units").filter(|billed| billed.some("output_tokens").is_some());
    let counts = counts.or_else(|| usage.some("tokens"))?;
    let count = |value: Value<'_>, name| value.some(name).and_then(whole).unwrap_or_default();
    let input = count(counts, "input_tokens");
    let cache_read = count(usage, "cached_tokens").min(input);
    let output = count(counts, "output_tokens");
    Some(Usage { input_uncached: input - cache_read, cache_read, output, ..Usage::default() })
}

/// The API has its counts as floating-point numbers: `12.0` is twelve.
fn whole(value: Value<'_>) -> Option<u64> {
    value.u64().or_else(|| {
        let (whole, rest) = std::str::from_utf8(value.bytes()).ok()?.split_once('.')?;
        if rest.bytes().all(|byte| byte == b'0') { whole.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_billed_counts_and_then_what_was_counted() {
        for (usage, expected) in [
            (
                r#"{"billed_units":{"input_tokens":5.0,"output_tokens":2},"tokens":{"input_tokens":70},"cached_tokens":3}"#,
                Some((2, 3, 2)),
            ),
            (r#"{"billed_units":{"search_units":1},"tokens":{"input_tokens":70,"output_tokens":4}}"#, Some((70, 0, 4))),
            (r#"{"billed_units":{"input_tokens":5,"output_tokens":2},"cached_tokens":9}"#, Some((0, 5, 2))),
            (r#"{"tokens":{"input_tokens":1.5,"output_tokens":"x"}}"#, Some((0, 0, 0))),
            ("{}", None),
        ] {
            let read = read(Value::root(usage.as_bytes()));
            let read = read.map(|usage| (usage.input_uncached, usage.cache_read, usage.output));
            assert_eq!(read, expected, "{usage}");
        }
    }
}
