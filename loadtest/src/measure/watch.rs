//! Looks at a target while a window runs: from the end of the warm-up on, for exactly as long as is said.
//!
//! The window is a little longer than what is watched, so that both looks fall into steady load. What is slow to read is read in the same
//! order both times; the count of requests is read last, next to perf's switch.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::perf::{Available, Counts, Perf};
use super::process::{self, Usage};
use super::traffic::{Offered, Traffic};
use crate::load::Window;
use crate::stop;

/// By how much the window outlasts the look.
const SLACK: Duration = Duration::from_millis(200);

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// The target's process, if it is here.
    pub pid: Option<u32>,
    /// Requests that arrived upstream so far. None: nobody counts them there.
    pub upstream_requests: &'a dyn Fn() -> Option<u64>,
    /// What perf counts, and a folder for its files.
    pub perf: Option<(&'a Available, &'a Path)>,
}

/// What was seen.
pub struct Seen {
    pub offered: Offered,
    pub seconds: f64,
    pub requests: u64,
    pub target: Option<Usage>,
    pub counts: Counts,
    pub resident_bytes: Option<u64>,
    /// Cores' worth of generator and simulators together, and of the busiest of their threads.
    pub load_cores: f64,
    pub busiest_thread_cores: f64,
    /// Cores' worth of everything else on the machine.
    pub other_cores: f64,
}

struct Look {
    own: Duration,
    threads: BTreeMap<u64, u64>,
    machine: Duration,
    target: Option<Usage>,
    requests: Option<u64>,
    at: Instant,
}

impl Look {
    fn take(watch: &Watch) -> io::Result<Look> {
        let threads = own_threads();
        let machine = process::machine()?;
        let target = watch.pid.map(Usage::of_tree);
        let own = process::own();
        Ok(Look { own, threads, machine, target, requests: (watch.upstream_requests)(), at: Instant::now() })
    }
}

impl Traffic {
    /// Runs the window and watches its measured part.
    pub fn watched(&mut self, window: &Window, watch: &Watch) -> io::Result<Seen> {
        let mut perf = match (watch.perf, watch.pid) {
            (Some((available, folder)), Some(pid)) => Perf::start(available, pid, folder)?,
            _ => None,
        };
        let longer = Window { time: window.time + SLACK.min(window.time), ..*window };
        std::thread::scope(|scope| {
            let run = std::thread::Builder::new().name("window".to_owned());
            let running = run.spawn_scoped(scope, || self.window(&longer))?;
            stop::sleep(window.warmup);
            // Before: what is slow first; after: the same, so that both windows are equally long.
            let before = Look::take(watch)?;
            if let Some(perf) = &mut perf {
                perf.enable()?;
            }
            let count_before = (watch.upstream_requests)();
            stop::sleep(window.time.saturating_sub(before.at.elapsed()));
            let count_after = (watch.upstream_requests)();
            if let Some(perf) = &mut perf {
                perf.disable()?;
            }
            let after = Look::take(watch)?;
            let resident_bytes = watch.pid.and_then(process::resident_bytes);
            let offered = running.join().map_err(|_| io::Error::other("the load generator panicked"))??;
            let mut counts = perf.map(Perf::end).transpose()?.unwrap_or_default();
            let mut seen = seen(offered, &before, &after);
            seen.resident_bytes = resident_bytes;
            // perf's own window is a little shorter than that of the CPU times: each has requests of its own.
            if let Some((count_before, count_after)) = count_before.zip(count_after) {
                let scale = seen.requests as f64 / (count_after.saturating_sub(count_before)).max(1) as f64;
                for count in [&mut counts.user_instructions, &mut counts.kernel_instructions, &mut counts.system_calls]
                {
                    *count = count.map(|count| count * scale);
                }
            }
            seen.counts = counts;
            Ok(seen)
        })
    }
}

fn seen(offered: Offered, before: &Look, after: &Look) -> Seen {
    let seconds = (after.at - before.at).as_secs_f64().max(1e-9);
    let target = after.target.zip(before.target).map(|(after, before)| after.since(&before));
    let own = after.own.saturating_sub(before.own);
    let ours = own + target.map_or(Duration::ZERO, |usage| usage.total());
    let other = after.machine.saturating_sub(before.machine).saturating_sub(ours);
    let busiest = after.threads.iter().map(|(thread, ns)| ns - before.threads.get(thread).unwrap_or(&0).min(ns)).max();
    let upstream = after.requests.zip(before.requests).map(|(after, before)| after.saturating_sub(before));
    let report = &offered.report;
    let sent = report.requests as f64 * seconds / report.seconds.max(1e-9);
    Seen {
        requests: upstream.unwrap_or(sent as u64),
        seconds,
        target,
        counts: Counts::default(),
        resident_bytes: None,
        load_cores: own.as_secs_f64() / seconds,
        busiest_thread_cores: busiest.unwrap_or(0) as f64 / 1e9 / seconds,
        other_cores: other.as_secs_f64() / seconds,
        offered,
    }
}

/// Nanoseconds on a CPU of each thread of this process: generators and simulators.
fn own_threads() -> BTreeMap<u64, u64> {
    let Ok(entries) = fs::read_dir("/proc/self/task") else {
        return BTreeMap::new();
    };
    let on_cpu = entries.flatten().filter_map(|entry| {
        let thread = entry.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(entry.path().join("schedstat")).ok()?;
        Some((thread, text.split_ascii_whitespace().next()?.parse().ok()?))
    });
    on_cpu.collect()
}
