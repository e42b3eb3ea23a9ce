//! How long a simulated model thinks, and the seeded numbers behind everything made up.
//!
//! A delay is fixed, or log-normal with `median * exp(sigma * z)`, the shape that provider latencies have. The same
//! seed gives the same delays in the same order of requests; nothing here reads a clock or the system's randomness.

use std::time::Duration;

use serde::Deserialize;

/// A delay as a script writes it: a number of milliseconds, or `{ median_ms = ..., sigma = ... }`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Delay {
    Fixed(f64),
    LogNormal(LogNormal),
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogNormal {
    pub median_ms: f64,
    /// Standard deviation of the logarithm. 0.5 puts p99 at 3.2 medians.
    pub sigma: f64,
}

impl Default for Delay {
    fn default() -> Self {
        Delay::Fixed(0.0)
    }
}

impl Delay {
    /// False for delays that no clock could wait for.
    pub fn is_sane(self) -> bool {
        let ok = |ms: f64| (0.0..=86_400_000.0).contains(&ms);
        match self {
            Delay::Fixed(ms) => ok(ms),
            Delay::LogNormal(LogNormal { median_ms, sigma }) => ok(median_ms) && (0.0..=4.0).contains(&sigma),
        }
    }

    pub fn draw(self, random: &mut Random) -> Duration {
        let ms = match self {
            Delay::Fixed(ms) => ms,
            Delay::LogNormal(LogNormal { median_ms, sigma }) => median_ms * (sigma * random.normal()).exp(),
        };
        Duration::from_secs_f64((ms / 1e3).clamp(0.0, 86_400.0))
    }
}

/// SplitMix64: one multiplication-and-shift chain per number, and every seed is a good one.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A source that depends on the seed and on some text, so that the same prompt gets the same answer.
    pub fn of_text(seed: u64, text: &[u8]) -> Self {
        // FNV-1a: the text is short, and the value is stable across releases, unlike std's hasher.
        let hash = text
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(seed ^ hash)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Less than `bound`, which must not be 0. The bias of a modulo does not matter to made-up words.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound.max(1) as u64) as usize
    }

    /// Standard normal, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Exponential with mean 1: the gap between Poisson arrivals.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }
}
