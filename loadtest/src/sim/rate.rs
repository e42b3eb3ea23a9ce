//! How much a caller may ask: requests and tokens per minute, per key or for all together.
//!
//! Each limit is a bucket that holds a minute's worth and fills evenly: `left = min(limit, left + limit * elapsed / 60 s)`. A
//! request takes one from the one bucket and its tokens from the other, or, if either has too little, nothing from both and
//! is refused with the time after which both would have enough. Its tokens are estimated before it is answered, as providers
//! do it: a quarter of the body's bytes, and the words that the script lets an answer have.
//!
//! Pure: the time is an argument. Callers beyond `COUNTED_NAMES_MAX` share one bucket.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::limits::COUNTED_NAMES_MAX;

/// A limit as a script writes it. What is left out is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimit {
    pub per: Per,
    pub requests_per_min: Option<u64>,
    pub tokens_per_min: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    #[default]
    Key,
    All,
}

/// What is left to a caller, as every provider's headers tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub requests: Left,
    pub tokens: Left,
}

/// One of the two limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    /// A minute's worth.
    pub limit: u64,
    pub remaining: u64,
    /// Until all of it is there again.
    pub full_in_ms: u64,
}

impl Allowance {
    /// What the headers say where nothing is limited.
    pub fn plenty(serial: u64) -> Self {
        let spent = serial % 100;
        Self {
            requests: Left { limit: 10_000, remaining: 10_000 - spent, full_in_ms: 6 * spent },
            tokens: Left { limit: 2_000_000, remaining: 1_999_000, full_in_ms: 30 },
        }
    }
}

/// The buckets of all callers.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    buckets: BTreeMap<String, Buckets>,
}

#[derive(Debug)]
struct Buckets {
    requests: f64,
    tokens: f64,
    at_ms: u64,
}

const MINUTE_MS: f64 = 60_000.0;

impl Limiter {
    /// What is left after this request, or, as an error, what is left without it and when to come back, in milliseconds.
    pub fn take(
        &mut self,
        limit: RateLimit,
        key: &str,
        tokens: u64,
        now_ms: u64,
        otherwise: Allowance,
    ) -> Result<Allowance, (Allowance, u64)> {
        let mut key = if limit.per == Per::Key { key } else { "" };
        if !self.buckets.contains_key(key) && self.buckets.len() >= COUNTED_NAMES_MAX {
            key = "(other)";
        }
        let whole = |limit: Option<u64>| limit.map_or(f64::INFINITY, |limit| limit as f64);
        let (requests_max, tokens_max) = (whole(limit.requests_per_min), whole(limit.tokens_per_min));
        let full = || Buckets { requests: requests_max, tokens: tokens_max, at_ms: now_ms };
        let buckets = self.buckets.entry(key.to_owned()).or_insert_with(full);
        let share = now_ms.saturating_sub(buckets.at_ms) as f64 / MINUTE_MS;
        buckets.at_ms = now_ms;
        let fill = |level: &mut f64, most: f64| {
            if most.is_finite() {
                *level = (*level + most * share).min(most);
            }
        };
        fill(&mut buckets.requests, requests_max);
        fill(&mut buckets.tokens, tokens_max);
        let tokens = tokens as f64;
        let wait_ms = wait_ms(1.0 - buckets.requests, requests_max).max(wait_ms(tokens - buckets.tokens, tokens_max));
        if wait_ms == 0 {
            buckets.requests -= 1.0;
            buckets.tokens -= tokens;
        }
        let left = |level: f64, most: f64, otherwise: Left| match most.is_finite() {
            true => Left { limit: most as u64, remaining: level as u64, full_in_ms: self::wait_ms(most - level, most) },
            false => otherwise,
        };
        let allowance = Allowance {
            requests: left(buckets.requests, requests_max, otherwise.requests),
            tokens: left(buckets.tokens, tokens_max, otherwise.tokens),
        };
        if wait_ms == 0 { Ok(allowance) } else { Err((allowance, wait_ms)) }
    }
}

/// Until a bucket that holds `most` has this much more. What never fits waits for a whole minute.
fn wait_ms(lacking: f64, most: f64) -> u64 {
    if lacking <= 0.0 || most.is_infinite() {
        return 0;
    }
    // Whoever waits as long as told must not be refused for a rounding error.
    (lacking / most * MINUTE_MS - ROUNDING_MS).ceil().clamp(0.0, MINUTE_MS) as u64
}

const ROUNDING_MS: f64 = 1e-6;

#[cfg(test)]
mod tests;
