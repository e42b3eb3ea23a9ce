//! When requests are due.

use std::time::{Duration, Instant};

use super::{Arrivals, Pattern};
use crate::sim::latency::Random;

/// The times of an open loop, one after the other. For other patterns there are none.
pub(super) struct Schedule {
    start: Instant,
    end: Instant,
    gap_s: f64,
    random: Option<Random>,
    /// Seconds from the start to the next time. Summed in floating point: after an hour at a million per second the
    /// error is below a nanosecond.
    next_s: f64,
    open: bool,
}

impl Schedule {
    pub fn new(pattern: Pattern, start: Instant, end: Instant) -> Self {
        let (gap_s, random, open) = match pattern {
            Pattern::Open { per_second, arrivals } => {
                let random = match arrivals {
                    Arrivals::Constant => None,
                    Arrivals::Poisson { seed } => Some(Random::new(seed)),
                };
                (1.0 / per_second.max(1e-3), random, true)
            }
            Pattern::Closed | Pattern::Idle => (0.0, None, false),
        };
        Self { start, end, gap_s, random, next_s: 0.0, open }
    }

    /// When the next request is due; nothing once the run is over.
    pub fn next(&self) -> Option<Instant> {
        let next = self.start + Duration::from_secs_f64(self.next_s);
        (self.open && next < self.end).then_some(next)
    }

    /// Takes the next time if it has come.
    pub fn take(&mut self, now: Instant) -> Option<Instant> {
        let due = self.next().filter(|due| *due <= now)?;
        self.next_s += self.gap_s * self.random.as_mut().map_or(1.0, Random::exponential);
        Some(due)
    }
}
