//! What a rate limit leaves to a caller, as every provider's headers tell it.

/// Requests and tokens of a minute.
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
