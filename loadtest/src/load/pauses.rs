//! Connections that a slow client's pace holds back, by the time at which each goes on.

use std::collections::BTreeSet;
use std::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Pauses(BTreeSet<(Instant, usize)>);

impl Pauses {
    /// The same twice is one: a connection that is served for another reason names its time again.
    pub fn add(&mut self, until: Instant, connection: usize) {
        self.0.insert((until, connection));
    }

    pub fn next(&self) -> Option<Instant> {
        self.0.first().map(|(until, _)| *until)
    }

    /// A connection whose time has come.
    pub fn take(&mut self, now: Instant) -> Option<usize> {
        self.0.first().filter(|(until, _)| *until <= now)?;
        self.0.pop_first().map(|(_, connection)| connection)
    }
}
