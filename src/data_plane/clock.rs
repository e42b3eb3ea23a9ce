//! The shard's clock in microseconds, by the processor's counter between looks at the system's clock.
//!
//! An exchange takes the time four times, and each look at the system's clock takes some hundred instructions; reading the counter takes a
//! dozen. `us = at_us + (ticks - at_ticks) * rate`, as of the last look. Looks are at most `SPAN_US` apart, and the rate is that of
//! the two last ones. So what is told is off by the few microseconds that two looks may be, a counter that jumps (a virtual machine
//! that was moved) is believed no longer than a span, and a look that took long (the thread was put aside meanwhile) is not built on.
//!
//! Only where the kernel itself keeps time by that counter, which it checks; elsewhere each time is a look. Time may go back by
//! those few microseconds: whoever takes differences lets them saturate.

use crate::sys;
use std::{cell::Cell, ops::Range};

/// Longest time between two looks at the system's clock, in microseconds.
const SPAN_US: u64 = 20_000;

/// Time between two looks that tells the counter's rate, in microseconds: exact enough, and of late. No counter is slower than one tick or
/// faster than 2^14 in each.
const RATE_US: Range<u64> = SPAN_US / 2..1_000_000;

/// A look in which the counter went further was interrupted: some 10 us.
const LOOK_TICKS_MAX: u64 = 20_000;

/// One thread's clock.
#[derive(Debug, Default)]
pub struct Clock {
    has_counter: bool,
    /// The last look that may be built on: counter and clock.
    at_ticks: Cell<u64>,
    at_us: Cell<u64>,
    /// Microseconds in 2^32 ticks.
    rate: Cell<u64>,
    /// Ticks after the last look until the next one; 0: the next time is one.
    span_ticks: Cell<u64>,
}

impl Clock {
    pub fn new() -> Clock {
        Clock { has_counter: sys::keeps_time_by_ticks(), ..Clock::default() }
    }

    /// Microseconds since some moment of the machine's, as `sys::monotonic_us`.
    #[inline]
    pub fn now_us(&self) -> u64 {
        if !self.has_counter {
            return sys::monotonic_us();
        }
        self.by_ticks(sys::ticks()).unwrap_or_else(|| self.look(sys::ticks, sys::monotonic_us))
    }

    /// The time by the counter, within the span of the last look.
    #[inline]
    fn by_ticks(&self, ticks: u64) -> Option<u64> {
        let gone = ticks.wrapping_sub(self.at_ticks.get());
        // A span's ticks times the rate are a span's microseconds, 2^32 times: far from 2^64.
        (gone < self.span_ticks.get()).then(|| self.at_us.get() + ((gone * self.rate.get()) >> 32))
    }

    /// The time by the system's clock, and a new beginning where the last one is old enough to tell the counter's rate.
    #[cold]
    fn look(&self, ticks: impl Fn() -> u64, us: impl Fn() -> u64) -> u64 {
        let (before, now_us, now_ticks) = (ticks(), us(), ticks());
        self.span_ticks.set(0);
        let gone_us = now_us.saturating_sub(self.at_us.get());
        if now_ticks.wrapping_sub(before) > LOOK_TICKS_MAX || gone_us < RATE_US.start {
            return now_us;
        }
        let gone_ticks = now_ticks.wrapping_sub(self.at_ticks.replace(now_ticks));
        self.at_us.set(now_us);
        if RATE_US.contains(&gone_us) && (gone_us..gone_us << 14).contains(&gone_ticks) {
            self.rate.set((gone_us << 32).div_ceil(gone_ticks));
            self.span_ticks.set(gone_ticks * SPAN_US / gone_us);
        }
        now_us
    }
}

#[cfg(test)]
mod tests;
