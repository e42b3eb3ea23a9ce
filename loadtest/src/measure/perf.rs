//! Instructions and system calls of a process tree, counted by `perf stat`.
//!
//! `perf` is switched on and off over its control pipe, each time acknowledged, so that a window has counts of its own and neither start-up
//! nor warm-up is in them. Counts of instructions are the steadiest figure on a shared machine: they do not depend on what else runs.
//!
//! Where there is no perf, no hardware counter or no permission, `available` says so once and nothing is counted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};

use super::process;

const USER: &str = "instructions:u";
const KERNEL: &str = "instructions:k";
const SYSTEM_CALLS: &str = "raw_syscalls:sys_enter";

/// How long perf may take to answer.
const ANSWER_LIMIT: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// What was counted while it was switched on. Absent: this machine does not count it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    pub user_instructions: Option<f64>,
    pub kernel_instructions: Option<f64>,
    pub system_calls: Option<f64>,
}

/// What this machine counts.
#[derive(Debug, Clone, Default)]
pub struct Available {
    events: Vec<&'static str>,
    /// Why something is not counted, one sentence each.
    pub notes: Vec<String>,
}

/// Tries each event once.
pub fn available() -> Available {
    let mut found = Available::default();
    for (events, what) in [(&[USER, KERNEL][..], "instructions"), (&[SYSTEM_CALLS][..], "system calls")] {
        let tried =
            Command::new("perf").args(["stat", "-x,", "-e", &events.join(","), "true"]).stdin(Stdio::null()).output();
        match tried {
            Err(_) => {
                found.notes.push(
                    "Instructions and system calls are not counted: perf is missing (Debian: apt install linux-perf)."
                        .to_owned(),
                );
                return found;
            }
            Ok(output) if output.status.success() && !String::from_utf8_lossy(&output.stderr).contains("<not") => {
                found.events.extend(events);
            }
            Ok(_) => found.notes.push(format!(
                "No {what} are counted: this kernel, or perf_event_paranoid, does not let perf count them."
            )),
        }
    }
    found
}

/// A `perf stat` that waits, switched off.
pub struct Perf {
    process: Child,
    orders: File,
    answers: File,
    out: PathBuf,
}

impl Perf {
    /// For all processes of a tree. None: there is nothing that could be counted.
    pub fn start(available: &Available, pid: u32, folder: &Path) -> io::Result<Option<Perf>> {
        if available.events.is_empty() {
            return Ok(None);
        }
        let (control, answer, out) = (folder.join("perf.ctl"), folder.join("perf.ack"), folder.join("perf.csv"));
        for path in [&control, &answer] {
            // Left by the measurement before.
            let _ = fs::remove_file(path);
            mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        }
        let pids: Vec<String> = process::members(pid).iter().map(u32::to_string).collect();
        let mut command = Command::new("perf");
        command.args(["stat", "-x,", "-D", "-1", "-e", &available.events.join(","), "-p", &pids.join(",")]);
        command.arg("-o").arg(&out);
        command.arg("--control").arg(format!("fifo:{},{}", control.display(), answer.display()));
        // For reading too: opening a pipe for writing alone waits for its reader.
        let both = |path: &Path| OpenOptions::new().read(true).write(true).open(path);
        let (orders, answers) = (both(&control)?, both(&answer)?);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Some(Perf { process, orders, answers, out }))
    }

    pub fn enable(&mut self) -> io::Result<()> {
        self.tell("enable\n")
    }

    pub fn disable(&mut self) -> io::Result<()> {
        self.tell("disable\n")
    }

    fn tell(&mut self, order: &str) -> io::Result<()> {
        self.orders.write_all(order.as_bytes())?;
        let mut ready = [PollFd::new(&self.answers, PollFlags::IN)];
        if poll(&mut ready, Some(&ANSWER_LIMIT))? == 0 {
            return Err(io::Error::other("perf stat does not answer"));
        }
        let mut answer = [0; 64];
        let count = self.answers.read(&mut answer)?;
        if answer[..count].starts_with(b"ack") { Ok(()) } else { Err(io::Error::other("perf stat does not obey")) }
    }

    /// The counts, after `disable`.
    pub fn end(mut self) -> io::Result<Counts> {
        self.stop()?;
        Ok(parse(&fs::read_to_string(&self.out)?))
    }

    fn stop(&mut self) -> io::Result<()> {
        if self.process.try_wait()?.is_none()
            && let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw)
        {
            kill_process(pid, Signal::INT)?;
        }
        self.process.wait().map(drop)
    }
}

impl Drop for Perf {
    fn drop(&mut self) {
        // Already ended, or about to.
        let _ = self.stop();
    }
}

/// perf's lines: count, unit, event, ...
fn parse(text: &str) -> Counts {
    let of = |event: &str| {
        let line = text.lines().find(|line| line.split(',').nth(2).is_some_and(|name| name.starts_with(event)))?;
        line.split(',').next()?.parse().ok()
    };
    Counts { user_instructions: of(USER), kernel_instructions: of(KERNEL), system_calls: of(SYSTEM_CALLS) }
}

#[cfg(test)]
mod tests {
    use super::{Counts, parse};

    #[test]
    fn what_was_not_counted_is_absent() {
        let text = "# started\n\n1234,,instructions:u,99,100.00,,\n<not counted>,,instructions:k,0,0.00,,\n7,,raw_syscalls:sys_enter,1,100.00,,\n";
        let expected = Counts { user_instructions: Some(1234.0), kernel_instructions: None, system_calls: Some(7.0) };
        assert_eq!(parse(text), expected);
        assert_eq!(parse(""), Counts::default());
    }
}
