//! When to try again after a connect failed.
//!
//! `pause = min(first * 2^(failures in a row - 1), longest)`, up to a quarter shorter by chance, so that the shards of many gateways do
//! not return together. Attempts that ran side by side are one failure. A request may force a try once `first` has
//! passed; until then it hears of the last failure.

use crate::{error::Upstream, limits::UPSTREAM_BACKOFF_MS};
use std::cell::{Cell, RefCell};

/// Failed connects since the last connection that lasted.
pub struct Backoff {
    in_a_row: Cell<u32>,
    /// Connections that ended unused since then.
    ended_in_a_row: Cell<u32>,
    ever: Cell<u64>,
    last: RefCell<Upstream>,
    at_ms: Cell<u64>,
    retry_at_ms: Cell<u64>,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff {
            in_a_row: Cell::new(0),
            ended_in_a_row: Cell::new(0),
            ever: Cell::new(0),
            last: RefCell::new(Upstream::Connect),
            at_ms: Cell::new(0),
            retry_at_ms: Cell::new(0),
        }
    }
}

impl Backoff {
    pub fn failed(&self, failure: Upstream, now_ms: u64, random: u64) {
        self.ever.set(self.ever.get() + 1);
        self.last.replace(failure);
        self.at_ms.set(now_ms);
        if now_ms >= self.retry_at_ms.get() {
            let (first_ms, longest_ms) = UPSTREAM_BACKOFF_MS;
            let pause_ms = (first_ms << self.in_a_row.get().min(16)).min(longest_ms);
            self.in_a_row.set(self.in_a_row.get() + 1);
            self.retry_at_ms.set(now_ms + pause_ms - random % (pause_ms / 4));
        }
    }

    /// A connection that was made ended before it was of any use: no reason to make the next one at once unasked, and none to
    /// refuse it to a request.
    pub fn slow_down(&self, now_ms: u64, random: u64) {
        if now_ms >= self.retry_at_ms.get() {
            let (first_ms, longest_ms) = UPSTREAM_BACKOFF_MS;
            let pause_ms = (first_ms << self.ended_in_a_row.get().min(16)).min(longest_ms);
            self.ended_in_a_row.set(self.ended_in_a_row.get() + 1);
            self.retry_at_ms.set(now_ms + pause_ms - random % (pause_ms / 4));
        }
    }

    /// A connection has lasted: the next failure is a first one.
    pub fn recovered(&self) {
        self.in_a_row.set(0);
        self.ended_in_a_row.set(0);
    }

    /// Something has changed that may help: try at once.
    pub fn end_pause(&self) {
        self.in_a_row.set(0);
        self.ended_in_a_row.set(0);
        self.retry_at_ms.set(0);
    }

    /// May a connection be made that nobody waits for?
    pub fn may_retry(&self, now_ms: u64) -> bool {
        now_ms >= self.retry_at_ms.get()
    }

    /// May one be made for a request?
    pub fn may_force(&self, now_ms: u64) -> bool {
        self.in_a_row.get() == 0 || now_ms.saturating_sub(self.at_ms.get()) >= UPSTREAM_BACKOFF_MS.0
    }

    /// Failures ever: a number that has moved says that one happened meanwhile.
    pub fn failures(&self) -> u64 {
        self.ever.get()
    }

    pub fn last(&self) -> Upstream {
        self.last.borrow().clone()
    }
}
