//! When the next event of each paced stream is due.
//!
//! All gaps of a simulator are equal, so what is due is put in at nearly the end of what waits: a list in order of time, searched from
//! its back, is cheaper than a heap.

use std::collections::VecDeque;
use std::time::Instant;

/// A stream, by the connection's place, which connection it was, and the stream's number on it (0 over HTTP/1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whose {
    pub place: usize,
    pub serial: u64,
    pub stream: u32,
}

#[derive(Debug, Default)]
pub(super) struct Pace(VecDeque<(Instant, Whose)>);

impl Pace {
    pub fn add(&mut self, due: Instant, whose: Whose) {
        let later = self.0.iter().rev().take_while(|(other, _)| *other > due).count();
        self.0.insert(self.0.len() - later, (due, whose));
    }

    pub fn next(&self) -> Option<Instant> {
        self.0.front().map(|(due, _)| *due)
    }

    /// A stream whose time has come.
    pub fn take(&mut self, now: Instant) -> Option<Whose> {
        self.0.front().filter(|(due, _)| *due <= now)?;
        self.0.pop_front().map(|(_, whose)| whose)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Pace, Whose};

    #[test]
    fn what_is_due_first_comes_first() {
        let begin = Instant::now();
        let at = |ms: u64| begin + Duration::from_millis(ms);
        let mut pace = Pace::default();
        for (stream, ms) in [5, 3, 9, 3, 1].into_iter().enumerate() {
            pace.add(at(ms), Whose { place: 0, serial: 0, stream: stream as u32 });
        }
        assert_eq!(pace.next(), Some(at(1)));
        let taken: Vec<_> = std::iter::from_fn(|| pace.take(at(5))).map(|whose| whose.stream).collect();
        assert_eq!((taken, pace.next()), (vec![4, 1, 3, 0], Some(at(9))));
    }
}
