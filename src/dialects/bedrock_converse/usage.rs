//! Token counts as Converse reports them: `inputTokens` excludes what was read from or written to a cache, `outputTokens` includes thoughts.

use crate::dialects::canonical::Usage;
use crate::json::view::Value;

/// Reads a `usage` object. A count that is absent or no whole number is nothing.
pub fn read(usage: Value<'_>) -> Usage {
    let count = |value: Value<'_>, name| value.some(name).and_then(Value::u64).unwrap_or_default();
    let written = count(usage, "cacheWriteInputTokens");
    // What is written for how long stands apart, where the model makes a difference.
    let details = usage.some("cacheDetails").into_iter().flat_map(Value::elements);
    let long = details
        .filter(|detail| detail.some("ttl").is_some_and(|ttl| ttl.says("1h")))
        .map(|detail| count(detail, "inputTokens"))
        .fold(0, u64::saturating_add)
        .min(written);
    Usage {
        input_uncached: count(usage, "inputTokens"),
        cache_read: count(usage, "cacheReadInputTokens"),
        cache_write_short: written - long,
        cache_write_long: long,
        output: count(usage, "outputTokens"),
        ..Usage::default()
    }
}
