//! Messages for the person who runs the process: one line each, on standard error.
//!
//! Under systemd a line starts with its priority (`<3>` and so on, sd-daemon(3)), which the journal understands and which
//! makes `journalctl -p err` work; elsewhere it starts with the time and the level. Control characters in a message are
//! replaced, so that text from a peer can neither forge a second line nor move a terminal's cursor.
//!
//! Writing may block: only cold threads may call it. A line that cannot be written is lost, there is nowhere left to say so.

// Cold threads only.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]

use std::{env, fmt, io::Write, sync::OnceLock};

/// How urgent a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something the operator asked for does not work.
    Error,
    /// It works, but not as it should.
    Warning,
    /// A change of state.
    Info,
}

/// Writes one message.
pub fn log(level: Level, message: fmt::Arguments<'_>) {
    static UNDER_JOURNAL: OnceLock<bool> = OnceLock::new();
    let journal = *UNDER_JOURNAL.get_or_init(|| env::var_os("JOURNAL_STREAM").is_some());
    let line = if journal { journal_line(level, message) } else { plain_line(level, message, jiff::Timestamp::now()) };
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

pub fn error(message: fmt::Arguments<'_>) {
    log(Level::Error, message);
}

pub fn warning(message: fmt::Arguments<'_>) {
    log(Level::Warning, message);
}

pub fn info(message: fmt::Arguments<'_>) {
    log(Level::Info, message);
}

fn journal_line(level: Level, message: fmt::Arguments<'_>) -> String {
    let priority = match level {
        Level::Error => 3,
        Level::Warning => 4,
        Level::Info => 6,
    };
    format!("<{priority}>{}\n", OneLine(&message.to_string()))
}

fn plain_line(level: Level, message: fmt::Arguments<'_>, at: jiff::Timestamp) -> String {
    let level = match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "info",
    };
    format!("{at:.3} {level}: {}\n", OneLine(&message.to_string()))
}

/// Text with every control character replaced: line breaks by ` | `, the rest by U+FFFD.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.trim_end();
        for (number, line) in text.lines().enumerate() {
            if number > 0 {
                f.write_str(" | ")?;
            }
            for piece in line.split_inclusive(char::is_control) {
                let clean = piece.trim_end_matches(char::is_control);
                f.write_str(clean)?;
                if clean.len() < piece.len() {
                    f.write_str("\u{fffd}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
