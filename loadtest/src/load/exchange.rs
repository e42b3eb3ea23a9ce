//! The times of one exchange.

use std::time::Instant;

#[derive(Debug, Clone, Copy)]
pub(super) struct Exchange {
    /// When it was due, and when it was sent. In a closed loop they are one.
    pub due: Instant,
    pub sent: Instant,
    /// Of a stream: its first content, its last event.
    pub first_content: Option<Instant>,
    pub last_event: Option<Instant>,
    pub events: u64,
}

impl Exchange {
    pub fn new(due: Instant, sent: Instant) -> Self {
        Self { due, sent, first_content: None, last_event: None, events: 0 }
    }
}
