//! The machine: which CPUs do what, at what priority, and what it is.
//!
//! What is measured has CPUs of its own; generator, simulators and this runner share the others, so that neither takes time from the
//! other. Processes that are started get a session of their own and the highest priority that the system grants, because the
//! scheduler weighs sessions before it looks at niceness. During open loops all that takes part runs at real-time priority where that is
//! allowed: far below saturation, what is measured is then the way through and not how long other work of the machine was running.
//!
//! All of it is best effort: what is refused is noted, and figures are noisier.

use std::fs;

use rustix::process::Pid;
use rustix::thread::CpuSet;

use crate::policy;
use crate::results::Environment;

/// Who runs where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub target: Vec<usize>,
    /// Generator, simulators, runner.
    pub load: Vec<usize>,
}

impl Plan {
    /// The last `target_cpus` of those that this process may use for the target, the others for the load. At least one stays for each
    /// side; on a machine with one CPU both share it, and nothing can be said about throughput.
    pub fn new(allowed: &[usize], target_cpus: usize) -> Plan {
        let most = allowed.len().saturating_sub(1);
        let (load, target) = allowed.split_at(allowed.len() - target_cpus.clamp(1, most.max(1)).min(allowed.len()));
        if load.is_empty() {
            return Plan { target: allowed.to_vec(), load: allowed.to_vec() };
        }
        Plan { target: target.to_vec(), load: load.to_vec() }
    }

    pub fn shares_cpus(&self) -> bool {
        self.target == self.load
    }

    /// Generator threads: one for each CPU of the load, but one generator alone fills no more than a few.
    pub fn load_threads(&self, connections: usize) -> usize {
        self.load.len().min(4).min(connections).max(1)
    }
}

/// The CPUs that this process may use.
pub fn allowed_cpus() -> Vec<usize> {
    let Ok(set) = rustix::thread::sched_getaffinity(None) else {
        return vec![0];
    };
    (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect()
}

/// Keeps this thread, and those that it starts, on these CPUs.
pub fn stay_on(cpus: &[usize]) -> std::io::Result<()> {
    let mut set = CpuSet::new();
    cpus.iter().filter(|cpu| **cpu < CpuSet::MAX_CPU).for_each(|cpu| set.set(*cpu));
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

/// Raises this process above ordinary ones. Says what was refused.
pub fn raise_priority() -> Result<(), String> {
    rustix::process::setpriority_process(None, -15).map_err(|error| format!("priority was not raised: {error}"))?;
    // Absent where the kernel has no sessions in its scheduler, which is as good.
    if fs::metadata("/proc/self/autogroup").is_ok() {
        fs::write("/proc/self/autogroup", "-20")
            .map_err(|error| format!("the session's priority was not raised: {error}"))?;
    }
    Ok(())
}

/// Real-time priority of processes for as long as this lives.
pub struct Realtime {
    pids: Vec<u32>,
    /// Threads that were patient before, and are again afterwards.
    patient: Vec<u32>,
}

impl Realtime {
    /// Of all their threads. Only for loads far below saturation: the kernel holds real-time work back when it takes a whole core.
    pub fn of(pids: Vec<u32>) -> Result<Realtime, String> {
        let patient = pids.iter().flat_map(|pid| policy::patient_threads(*pid)).collect();
        let realtime = Realtime { pids, patient };
        for pid in &realtime.pids {
            policy::chrt(&["--all-tasks", "--rr", "--pid", "1"], *pid)
                .map_err(|error| format!("no real-time priority: {error}"))?;
        }
        Ok(realtime)
    }
}

impl Drop for Realtime {
    fn drop(&mut self) {
        for pid in &self.pids {
            // It has ended, or never had it.
            let _ = policy::chrt(&["--all-tasks", "--other", "--pid", "0"], *pid);
        }
        for thread in &self.patient {
            let _ = policy::make_patient(*thread);
        }
    }
}

/// This process.
pub fn own_pid() -> u32 {
    Pid::as_raw(Some(rustix::process::getpid())).unsigned_abs()
}

/// What a reader needs to judge the figures. No host name, no user.
pub fn describe(environment: &mut Environment) {
    let first = |path: &str, name: &str| {
        let text = fs::read_to_string(path).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?.to_owned();
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    environment.kernel = format!("Linux {}", release.trim());
    environment.cpu = first("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    environment.cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let kib =
        first("/proc/meminfo", "MemTotal").and_then(|text| text.split_ascii_whitespace().next()?.parse::<u64>().ok());
    environment.memory_bytes = kib.unwrap_or(0) * 1024;
    environment.open_files_max = crate::load::raise_open_files();
    if let Err(why) = policy::chrt(&["--pid"], own_pid()) {
        environment.notes.push(format!("closed loops and the simulator cost more than they need to: {why}"));
    }
}

/// CPUs as a reader writes them: `0-2,5`.
pub fn cpu_list(cpus: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    let texts =
        ranges.iter().map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") });
    texts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::{Plan, cpu_list};

    #[test]
    fn each_side_has_a_cpu() {
        let check = |allowed: &[usize], target_cpus, target: &[usize], load: &[usize]| {
            let plan = Plan::new(allowed, target_cpus);
            assert_eq!((plan.target.as_slice(), plan.load.as_slice()), (target, load), "{allowed:?} {target_cpus}");
        };
        check(&[0], 1, &[0], &[0]);
        check(&[0, 1], 1, &[1], &[0]);
        check(&[0, 1], 2, &[1], &[0]);
        check(&[2, 3, 6, 7], 1, &[7], &[2, 3, 6]);
        check(&[2, 3, 6, 7], 2, &[6, 7], &[2, 3]);
        check(&[2, 3, 6, 7], 9, &[3, 6, 7], &[2]);
        check(&[2, 3], 0, &[3], &[2]);
        assert!(Plan::new(&[0], 1).shares_cpus());
        assert_eq!((Plan::new(&[0, 1], 1).load_threads(64), Plan::new(&[0, 1, 2, 3], 1).load_threads(2)), (1, 2));
    }

    #[test]
    fn cpus_are_written_as_ranges() {
        let check = |cpus: &[usize], expected: &str| assert_eq!(cpu_list(cpus), expected);
        check(&[], "");
        check(&[0], "0");
        check(&[0, 1, 2, 5], "0-2,5");
    }
}
