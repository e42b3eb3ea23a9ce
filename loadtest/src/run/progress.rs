//! How far a run is, on standard error: a bar that is redrawn on a terminal, a line for each step elsewhere.

use std::io::{IsTerminal, Write};
use std::time::Instant;

const BAR_CELLS: usize = 24;

pub struct Progress {
    begin: Instant,
    expected_s: f64,
    /// Of the expected time.
    done_s: f64,
    said: String,
    shown: Shown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Bar,
    Lines,
    Nothing,
}

impl Progress {
    /// Of a run that is expected to take so long.
    pub fn new(expected_s: f64, quiet: bool) -> Progress {
        let shown = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Shown::Nothing,
            (false, true) => Shown::Bar,
            (false, false) => Shown::Lines,
        };
        Progress { begin: Instant::now(), expected_s, done_s: 0.0, said: String::new(), shown }
    }

    /// A new step: what it is, and how much of it, if there are several.
    pub fn step(&mut self, what: &str, part: Option<(usize, usize)>) {
        let new = self.said != what;
        what.clone_into(&mut self.said);
        // Standard error that is gone is no reason to stop measuring.
        let mut err = std::io::stderr().lock();
        let _ = match self.shown {
            Shown::Bar => {
                let part = part.map(|(index, of)| format!(" {} of {of}", index + 1)).unwrap_or_default();
                write!(err, "\r\x1b[K{} {what}{part}", self.bar())
            }
            Shown::Lines if new => writeln!(err, "{:>5.0} s  {what}", self.begin.elapsed().as_secs_f64()),
            Shown::Lines | Shown::Nothing => Ok(()),
        };
        let _ = err.flush();
    }

    /// So much of the expected time is over, whatever it took.
    pub fn done(&mut self, expected_s: f64) {
        self.done_s += expected_s;
    }

    /// Leaves the terminal with a line of its own.
    pub fn end(&mut self) {
        if self.shown == Shown::Bar {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }

    fn bar(&self) -> String {
        let share = (self.done_s / self.expected_s.max(1e-9)).clamp(0.0, 1.0);
        let full = (share * BAR_CELLS as f64) as usize;
        let left_s = (self.expected_s - self.done_s).max(0.0);
        let (minutes, seconds) = ((left_s / 60.0) as u64, (left_s % 60.0) as u64);
        format!(
            "[{}{}] {:3.0} % -{minutes}:{seconds:02}",
            "#".repeat(full),
            ".".repeat(BAR_CELLS - full),
            share * 100.0
        )
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
