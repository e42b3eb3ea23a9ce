//! One exchange: its times, and how it is entered in the meter when it ends, whichever protocol carried it.

use std::time::Instant;

use super::body::{Body, Progress};
use super::meter::Meter;
use super::options::{Dialect, LeavesAfter, LoadOptions, Manners};

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

/// What all exchanges of a generator have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub dialect: Dialect,
    pub check_chunks: bool,
    expected_status: Option<u16>,
    leaves_after: Option<LeavesAfter>,
}

impl Rules {
    pub fn new(options: &LoadOptions) -> Self {
        let leaves_after = match options.manners {
            Manners::LeavesAfter(after) => Some(after),
            _ => None,
        };
        Self {
            dialect: options.request.dialect,
            check_chunks: options.check_chunks,
            expected_status: options.request.expected_status,
            leaves_after,
        }
    }

    pub fn body(&self) -> Body {
        Body::new(self.dialect, self.check_chunks)
    }

    /// What is taken from a socket at once. Whoever leaves in the middle must not have read on beyond it.
    pub fn read_bytes_max(&self) -> usize {
        if self.leaves_after.is_some() { 512 } else { 256 * 1024 }
    }

    /// Whether a client of these manners leaves now.
    pub fn leaves(&self, exchange: &Exchange, body: &Body) -> bool {
        match self.leaves_after {
            None => false,
            Some(LeavesAfter::Events(events)) => exchange.events >= events,
            Some(LeavesAfter::Bytes(bytes)) => body.bytes >= bytes,
        }
    }

    /// Enters an exchange whose answer has come to its end.
    pub fn settle(&self, exchange: &Exchange, status: u16, body: &mut Body, meter: &mut Meter, now: Instant) {
        let well = match self.expected_status {
            Some(expected) => status == expected,
            None => (200..300).contains(&status),
        };
        if !well {
            meter.failed(exchange.due, &format!("status_{status}"));
        } else if (200..300).contains(&status) && !body.is_complete() {
            meter.failed(exchange.due, "truncated");
        } else {
            meter.ended(exchange, now, body.bytes);
            if let Some(fidelity) = body.fidelity() {
                meter.fidelity(exchange.due, &fidelity);
            }
        }
    }
}

impl Exchange {
    pub fn new(due: Instant, sent: Instant) -> Self {
        Self { due, sent, first_content: None, last_event: None, events: 0 }
    }

    /// Notes what has come just now.
    pub fn note(&mut self, progress: Progress, meter: &mut Meter) {
        if progress.events == 0 && !progress.first_content {
            return;
        }
        let now = Instant::now();
        if progress.first_content {
            self.first_content = Some(now);
        }
        if progress.events > 0 {
            if let Some(last) = self.last_event
                && meter.counts(self.due)
            {
                meter.gaps(now - last, progress.events);
            }
            self.last_event = Some(now);
            self.events += progress.events;
        }
    }
}
