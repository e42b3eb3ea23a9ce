//! What the kernel says about this process: memory, descriptors, CPU time.
//!
//! Read from /proc/self at each scrape; a figure that cannot be read is absent rather than zero.

// Runs on the control thread, at a scrape.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]

use std::fs;

/// Figures of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessFigures {
    pub resident_bytes: Option<u64>,
    pub open_descriptors: Option<u64>,
    pub descriptors_max: Option<u64>,
    /// User and system time of all threads, in seconds.
    pub cpu_s: Option<f64>,
    pub threads: Option<u64>,
}

impl ProcessFigures {
    /// Reads the figures as they are now.
    pub fn read() -> ProcessFigures {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        ProcessFigures {
            resident_bytes: status_field(&status, "VmRSS:").map(|kib| kib * 1024),
            threads: status_field(&status, "Threads:"),
            cpu_s: cpu_s(&stat),
            // The directory handle itself is one of the entries.
            open_descriptors: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|entries| (entries.count() as u64).saturating_sub(1)),
            descriptors_max: crate::sys::descriptor_limit().ok().map(|limit| limit.soft),
        }
    }
}

/// First number of a line of /proc/self/status.
fn status_field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// utime + stime of /proc/self/stat, fields 14 and 15 of proc_pid_stat(5).
fn cpu_s(stat: &str) -> Option<f64> {
    /// Clock ticks per second as the kernel reports them to programs: 100 on every architecture that Ringway runs on.
    const USER_HZ: f64 = 100.0;
    // Field 2 is the program's name in parentheses, and may itself contain spaces and parentheses.
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / USER_HZ)
}

#[cfg(test)]
mod tests;
