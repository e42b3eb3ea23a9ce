//! What a process tree uses, read from /proc: CPU time, context switches, resident memory.
//!
//! A tree is a process and all its descendants at the time of reading; time of children that have ended and were waited for is in their
//! parent's figures, time of others is lost. CPU time comes from the scheduler's nanoseconds of each thread where the kernel keeps them
//! (so that a mostly idle process can be measured within seconds), else from clock ticks of 10 ms; how it is divided between user and
//! kernel is always the ticks' proportion.
//!
//! A process that ends while it is read counts as far as it could be read: what is measured here are differences under load, and a
//! target that died is seen by its errors.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;

/// What a tree has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    pub user: Duration,
    pub kernel: Duration,
    /// Voluntary and not.
    pub context_switches: u64,
}

impl Usage {
    pub fn of_tree(pid: u32) -> Usage {
        members(pid).into_iter().map(of_process).fold(Usage::default(), Usage::plus)
    }

    pub fn total(&self) -> Duration {
        self.user + self.kernel
    }

    pub fn since(&self, before: &Usage) -> Usage {
        Usage {
            user: self.user.saturating_sub(before.user),
            kernel: self.kernel.saturating_sub(before.kernel),
            context_switches: self.context_switches.saturating_sub(before.context_switches),
        }
    }

    fn plus(self, other: Usage) -> Usage {
        Usage {
            user: self.user + other.user,
            kernel: self.kernel + other.kernel,
            context_switches: self.context_switches + other.context_switches,
        }
    }
}

fn of_process(pid: u32) -> Usage {
    let Some(fields) = stat(pid) else {
        return Usage::default();
    };
    // User and kernel time of the process, then of children that it has waited for.
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    let (user, kernel) = (ticks(11), ticks(12));
    let tick = Duration::from_secs(1) / u32::try_from(clock_ticks_per_second()).unwrap_or(100);
    let times = |ticks: u64| tick.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX));
    let (threads, context_switches) = threads(pid);
    let waited_for = (times(ticks(13)), times(ticks(14)));
    // The greater one: nanoseconds are finer, ticks include threads that have ended.
    let total = threads.unwrap_or_default().max(times(user + kernel));
    let user_share = if user + kernel == 0 { 0.5 } else { user as f64 / (user + kernel) as f64 };
    let (user, kernel) = (total.mul_f64(user_share), total.mul_f64(1.0 - user_share));
    Usage { user: user + waited_for.0, kernel: kernel + waited_for.1, context_switches }
}

/// Nanoseconds on a CPU of all threads, if the kernel keeps them, and their context switches. Threads that have ended are in neither.
fn threads(pid: u32) -> (Option<Duration>, u64) {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return (None, 0);
    };
    let (mut total, mut switches) = (Some(Duration::ZERO), 0);
    for path in entries.flatten().map(|entry| entry.path()) {
        let on_cpu = fs::read_to_string(path.join("schedstat")).ok();
        let on_cpu = on_cpu.and_then(|text| text.split_ascii_whitespace().next()?.parse().ok());
        total = total.zip(on_cpu).map(|(total, ns)| total + Duration::from_nanos(ns));
        let status = fs::read_to_string(path.join("status")).unwrap_or_default();
        switches += status
            .lines()
            .filter(|line| line.contains("ctxt_switches:"))
            .filter_map(|line| line.split_ascii_whitespace().last()?.parse::<u64>().ok())
            .sum::<u64>();
    }
    (total, switches)
}

/// Resident bytes of a tree: what is its members' own, and once what the largest of them shares, be it with the others (workers that were
/// forked) or with strangers (its program, if that runs more than once).
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let members: Vec<Resident> = members(pid).into_iter().filter_map(resident_of_process).collect();
    let own: u64 = members.iter().map(|member| member.own_kib).sum();
    let shared = members.iter().map(|member| member.shared_kib).max()?;
    Some((own + shared) * 1024)
}

struct Resident {
    own_kib: u64,
    shared_kib: u64,
}

fn resident_of_process(pid: u32) -> Option<Resident> {
    let read = |path: &str| fs::read_to_string(format!("/proc/{pid}/{path}")).ok();
    let kib = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
    };
    if let Some(text) = read("smaps_rollup")
        && let Some(total) = kib(&text, "Rss:")
    {
        let own = kib(&text, "Private_Clean:").unwrap_or(0) + kib(&text, "Private_Dirty:").unwrap_or(0);
        return Some(Resident { own_kib: own, shared_kib: total.saturating_sub(own) });
    }
    // Not ours to look into: all of it is taken for its own.
    kib(&read("status")?, "VmRSS:").map(|own_kib| Resident { own_kib, shared_kib: 0 })
}

/// The process and all its descendants, itself first.
pub fn members(pid: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for member in processes() {
        if let Some(parent) = stat(member).and_then(|fields| fields.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(member);
        }
    }
    let (mut found, mut open) = (Vec::new(), vec![pid]);
    while let Some(next) = open.pop() {
        open.extend(children.remove(&next).unwrap_or_default());
        found.push(next);
    }
    found
}

/// The processes of a session that have not ended: those whom nobody has waited for yet do nothing any more. Its leader counts from the
/// start, when it has no session of its own.
pub fn session(leader: u32) -> Vec<u32> {
    let lives = |pid: u32| {
        let fields = stat(pid)?;
        let is_member = fields.get(3)?.parse() == Ok(leader) || pid == leader;
        (is_member && !matches!(fields.first()?.as_str(), "Z" | "X")).then_some(pid)
    };
    processes().into_iter().filter_map(lives).collect()
}

fn processes() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The fields of /proc/PID/stat from the state on: what is before it is a name that may contain anything.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_ascii_whitespace().map(str::to_owned).collect())
}

/// CPU time that this process has used: generator, simulators, and the runner, which sleeps nearly always.
pub fn own() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// CPU time of everything on the machine, and what its host took away from it.
pub fn machine() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let fields: Vec<u64> =
        text.lines().next().unwrap_or_default().split_ascii_whitespace().skip(1).flat_map(str::parse).collect();
    // user, nice, system; then idle and iowait, which are not work; then irq, softirq, steal.
    let busy: u64 = fields.iter().take(3).chain(fields.iter().skip(5).take(3)).sum();
    Ok(Duration::from_secs_f64(busy as f64 / clock_ticks_per_second() as f64))
}

#[cfg(test)]
mod tests;
