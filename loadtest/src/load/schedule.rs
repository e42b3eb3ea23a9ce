//! When requests are due.
//!
//! The rate rises in a straight line during a ramp and is constant after it. Times are where its integral, the number of
//! requests so far, meets the next of a sequence: whole numbers for constant arrivals, sums of exponential draws for a
//! Poisson process. Each of several threads takes its share: every n-th of a constant sequence, or a process of its own of
//! an n-th of the rate, which together are one of the whole rate.

use std::time::{Duration, Instant};

use super::options::{Arrivals, Pattern, Ramp};
use crate::sim::latency::Random;

/// The times of an open loop, one after the other. For other patterns there are none.
pub(super) struct Schedule {
    start: Instant,
    end: Instant,
    rate: Rate,
    random: Option<Random>,
    /// Requests of all threads up to the next time, and between two of this thread.
    count: f64,
    step: f64,
    next: Option<Instant>,
}

/// Requests per second over time.
struct Rate {
    per_second: f64,
    from_per_second: f64,
    ramp_s: f64,
}

/// Which of how many threads asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub index: usize,
    pub of: usize,
}

impl Schedule {
    pub fn new(pattern: Pattern, start: Instant, end: Instant, share: Share) -> Self {
        let (arrivals, rate) = match pattern {
            Pattern::Open { per_second, arrivals, ramp } => (Some(arrivals), Rate::new(per_second, ramp)),
            Pattern::Closed | Pattern::Idle => (None, Rate::new(1.0, None)),
        };
        let random = match arrivals {
            // Seeds that differ by one draw nothing in common: the generator mixes them.
            Some(Arrivals::Poisson { seed }) => Some(Random::new(seed.wrapping_add((share.index as u64) << 32))),
            _ => None,
        };
        let mut schedule = Self { start, end, rate, random, count: 0.0, step: share.of as f64, next: None };
        if arrivals.is_some() {
            schedule.count = match &mut schedule.random {
                Some(random) => random.exponential() * schedule.step,
                None => share.index as f64,
            };
            schedule.set_next();
        }
        schedule
    }

    /// When the next request is due; nothing once the run is over.
    pub fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Nothing is due any more.
    pub fn cut(&mut self) {
        self.next = None;
    }

    /// Takes the next time if it has come.
    pub fn take(&mut self, now: Instant) -> Option<Instant> {
        let due = self.next.filter(|due| *due <= now)?;
        self.count += self.step * self.random.as_mut().map_or(1.0, Random::exponential);
        self.set_next();
        Some(due)
    }

    fn set_next(&mut self) {
        let next = self.start + self.rate.time_of(self.count);
        self.next = (next < self.end).then_some(next);
    }
}

impl Rate {
    fn new(per_second: f64, ramp: Option<Ramp>) -> Self {
        let per_second = per_second.max(1e-3);
        let (from_per_second, ramp_s) = match ramp {
            Some(ramp) => (ramp.from_per_second.max(0.0), ramp.time.as_secs_f64()),
            None => (per_second, 0.0),
        };
        Self { per_second, from_per_second, ramp_s }
    }

    /// When so many requests are due.
    fn time_of(&self, count: f64) -> Duration {
        let ramped = (self.from_per_second + self.per_second) / 2.0 * self.ramp_s;
        let time_s = if count >= ramped {
            self.ramp_s + (count - ramped) / self.per_second
        } else {
            // count = from * t + slope / 2 * t^2, in the form that loses nothing where the slope is small.
            let slope = (self.per_second - self.from_per_second) / self.ramp_s;
            let root = (self.from_per_second * self.from_per_second + 2.0 * slope * count).max(0.0).sqrt();
            2.0 * count / (self.from_per_second + root).max(1e-9)
        };
        // A year is after the end of any run.
        Duration::from_secs_f64(time_s.min(31e6))
    }
}

#[cfg(test)]
mod tests;
