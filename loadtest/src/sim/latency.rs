//! How long a simulated model thinks, and the seeded numbers behind everything made up.
//!
//! A delay is fixed, log-normal with `median * exp(sigma * z)`, the shape that provider latencies have, or drawn from a recorded
//! histogram (see `recorded`). The same seed gives the same delays in the same order of requests; nothing here reads a clock
//! or the system's randomness.

mod recorded;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

pub use recorded::{Recorded, RecordedError};

/// A delay as a script writes it: a number of milliseconds, `{ median_ms = ..., sigma = ... }`, or `{ recorded = "file" }`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "DelayText")]
pub enum Delay {
    Fixed(f64),
    LogNormal(LogNormal),
    Recorded(Arc<Recorded>),
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogNormal {
    pub median_ms: f64,
    /// Standard deviation of the logarithm. 0.5 puts p99 at 3.2 medians.
    pub sigma: f64,
}

/// A delay before its file is read.
#[derive(Deserialize)]
#[serde(untagged)]
enum DelayText {
    Fixed(f64),
    LogNormal(LogNormal),
    Recorded(FromFile),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FromFile {
    /// Relative to the working directory of the simulator.
    recorded: std::path::PathBuf,
    /// Microseconds of one unit of the file's values: 1 without it, 1,000 for a file in milliseconds.
    #[serde(default = "one")]
    us_per_unit: f64,
}

fn one() -> f64 {
    1.0
}

impl TryFrom<DelayText> for Delay {
    type Error = RecordedError;

    fn try_from(text: DelayText) -> Result<Self, RecordedError> {
        Ok(match text {
            DelayText::Fixed(ms) => Delay::Fixed(ms),
            DelayText::LogNormal(shape) => Delay::LogNormal(shape),
            DelayText::Recorded(from) => Delay::Recorded(Arc::new(Recorded::open(&from.recorded, from.us_per_unit)?)),
        })
    }
}

impl Default for Delay {
    fn default() -> Self {
        Delay::Fixed(0.0)
    }
}

impl Delay {
    /// False for delays that no clock could wait for.
    pub fn is_sane(&self) -> bool {
        let ok = |ms: f64| (0.0..=86_400_000.0).contains(&ms);
        match self {
            Delay::Fixed(ms) => ok(*ms),
            Delay::LogNormal(LogNormal { median_ms, sigma }) => ok(*median_ms) && (0.0..=4.0).contains(sigma),
            // Its values were bounded when it was read.
            Delay::Recorded(_) => true,
        }
    }

    pub fn draw(&self, random: &mut Random) -> Duration {
        let ms = match self {
            Delay::Fixed(ms) => *ms,
            Delay::LogNormal(LogNormal { median_ms, sigma }) => median_ms * (sigma * random.normal()).exp(),
            Delay::Recorded(recorded) => recorded.draw_us(random) / 1e3,
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

#[cfg(test)]
mod tests;
