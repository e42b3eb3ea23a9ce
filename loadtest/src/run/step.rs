//! One measure of one target while it is taken: what the terminal shows, and what happens before each of its windows.
//!
//! A step ends where it took much longer than planned: the target answers so slowly that its budget would be gone many times over, and
//! others wait. It also ends when the run is stopped.

use std::io;
use std::time::{Duration, Instant};

use super::progress::Progress;
use crate::stop;
use crate::target::Child;

/// How much longer than planned a step may take: so many times, and a time that no short one is blamed for.
const OVERRUN: f64 = 2.0;
const OVERRUN_S: f64 = 10.0;

pub(super) struct Step<'a> {
    progress: &'a mut Progress,
    what: String,
    /// Expected, of each window and of all.
    window_s: f64,
    planned_s: f64,
    child: Option<&'a Child>,
    begin: Instant,
}

impl<'a> Step<'a> {
    pub fn new(
        progress: &'a mut Progress,
        what: String,
        child: Option<&'a Child>,
        window_s: f64,
        planned_s: f64,
    ) -> Self {
        Step { progress, what, window_s, planned_s, child, begin: Instant::now() }
    }

    /// Before each window.
    pub fn window(&mut self) -> io::Result<()> {
        self.progress.done(self.window_s);
        self.look()
    }

    /// Within a window, or before one that has its own account of time.
    pub fn look(&mut self) -> io::Result<()> {
        stop::check()?;
        let taken_s = self.begin.elapsed().as_secs_f64();
        if taken_s > OVERRUN * self.planned_s + OVERRUN_S {
            return Err(io::Error::other(format!(
                "not enough time: it took {taken_s:.0} s so far, where {:.0} s were planned",
                self.planned_s
            )));
        }
        self.progress.step(&self.what, None);
        self.child.map_or(Ok(()), Child::forget_logs)
    }

    /// So much of the expected time is over.
    pub fn done(&mut self, time: Duration) {
        self.progress.done(time.as_secs_f64());
    }
}
