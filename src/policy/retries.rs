//! May an attempt that a provider may have worked on be repeated elsewhere?
//!
//! Each request of a group earns a fifth of a retry, each second two of them, and up to twenty are kept: an outage adds a fifth to the load
//! of the providers that are left, and two retries a second on each shard, instead of multiplying it. Without what time earns, a quiet group
//! that met a bad spell could not retry for minutes. With a store of ten and no time, providers that fail one request in eight, which a fifth
//! pays for in the long run, ran it dry by chance once in some ten thousand requests.
//!
//! One for each group and shard, full at first. Retries of what cannot have been processed (see `error::Retry`) are not counted here.

use std::cell::Cell;

/// The credit of one group.
pub struct RetryBudget {
    /// In fifths of a retry.
    credit: Cell<u32>,
    /// Up to when time's part has been added, on the caller's clock.
    paid_until_ms: Cell<u64>,
}

/// What a retry costs, when a request earns one.
const RETRY_COST: u32 = 5;
const CREDIT_MAX: u32 = 20 * RETRY_COST;
/// Time that earns as much as a request: two retries a second.
const MS_PER_CREDIT: u64 = 100;

impl Default for RetryBudget {
    fn default() -> Self {
        RetryBudget { credit: Cell::new(CREDIT_MAX), paid_until_ms: Cell::new(0) }
    }
}

impl RetryBudget {
    /// A request of the group began.
    pub fn earn(&self) {
        self.credit.set((self.credit.get() + 1).min(CREDIT_MAX));
    }

    /// True if a retry may be made at `now_ms`; it is paid for then.
    pub fn spend(&self, now_ms: u64) -> bool {
        let credits = now_ms.saturating_sub(self.paid_until_ms.get()) / MS_PER_CREDIT;
        self.paid_until_ms.set(self.paid_until_ms.get() + credits * MS_PER_CREDIT);
        let credit = u64::from(self.credit.get()).saturating_add(credits).min(u64::from(CREDIT_MAX)) as u32;
        let left = credit.checked_sub(RETRY_COST);
        self.credit.set(left.unwrap_or(credit));
        left.is_some()
    }
}

#[cfg(test)]
mod tests;
