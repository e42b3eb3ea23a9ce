//! How much a slow client may read or write now.
//!
//! A bucket that fills at `bytes_per_s` and holds a twentieth of a second's worth, at least `BURST_BYTES_MIN`: a client on
//! a slow line moves a little often, not a lot seldom. Once it is empty nothing may move until half of it is there again,
//! which bounds the wake-ups to about forty a second.

use std::time::{Duration, Instant};

/// Room for an HTTP/2 preface, which is written at once.
const BURST_BYTES_MIN: f64 = 64.0;

#[derive(Debug, Clone)]
pub(super) struct Pace {
    bytes_per_s: f64,
    burst: f64,
    credit: f64,
    filled_at: Instant,
    paused_until: Option<Instant>,
}

impl Pace {
    pub fn new(bytes_per_s: u64, now: Instant) -> Self {
        let bytes_per_s = bytes_per_s.max(1) as f64;
        let burst = (bytes_per_s / 20.0).max(BURST_BYTES_MIN);
        Self { bytes_per_s, burst, credit: burst, filled_at: now, paused_until: None }
    }

    /// How many bytes may move now. 0: none until `paused_until`.
    pub fn allowed(&mut self, now: Instant) -> usize {
        if self.paused_until.is_some_and(|until| now < until) {
            return 0;
        }
        self.paused_until = None;
        let passed = now.saturating_duration_since(self.filled_at);
        self.credit = (self.credit + passed.as_secs_f64() * self.bytes_per_s).min(self.burst);
        self.filled_at = now;
        if self.credit >= 1.0 {
            return self.credit as usize;
        }
        let wait_s = (self.burst / 2.0 - self.credit) / self.bytes_per_s;
        self.paused_until = Some(now + Duration::from_secs_f64(wait_s));
        0
    }

    pub fn moved(&mut self, bytes: usize) {
        self.credit -= bytes as f64;
    }

    pub fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }
}

#[cfg(test)]
mod tests;
