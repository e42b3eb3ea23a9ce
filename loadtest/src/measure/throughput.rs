//! How many requests a target answers when it is asked for as many as it can: a closed loop, by connections.
//!
//! A figure is the target's only if its CPUs were full and those of the load were not: at least 95 % against at most 85 %, where the
//! load's share is that of its CPUs or of its busiest thread, whichever is greater (a simulator is one thread, however many CPUs there are).
//! Anything else is refused with what was seen, as is a target whose CPU cannot be seen, and a window that does not hold an answer for each
//! connection.
//!
//! Latency of a closed loop says nothing about waiting, since nobody sends meanwhile; so a probe with connections of its own sends at a low
//! rate beside it.

use std::io;

use super::absolute::add_counts;
use super::spread::median;
use super::traffic::{Traffic, poisson, window};
use super::watch::{Seen, Watch};
use crate::load::{Pattern, percentiles};
use crate::results::{Spread, ThroughputPoint};
use crate::scenario::Throughput;

/// Requests of a window, beside one for each connection. With fewer than that the window is shorter than a round, and what it holds is chance.
const REQUESTS_MIN: usize = 10;

const TARGET_BUSY_MIN: f64 = 0.95;
const LOAD_BUSY_MAX: f64 = 0.85;

/// Of other work, where a target was not full: beyond what a machine does by itself.
const OTHER_CORES_WORTH_SAYING: f64 = 0.05;

/// Whose CPUs are counted.
#[derive(Debug, Clone, Copy)]
pub struct Cores {
    pub target: usize,
    pub load: usize,
}

/// One point of the sweep, and the errors met on the way.
pub struct Measured {
    pub point: ThroughputPoint,
    pub errors: std::collections::BTreeMap<String, u64>,
    pub other_cores: Vec<f64>,
}

/// The closed loop of so many connections, and the probe beside it.
pub struct Offered {
    pub traffic: Traffic,
    pub connections: usize,
    pub probe: Option<Traffic>,
}

pub fn measure(
    offered: &mut Offered,
    plan: &Throughput,
    repetitions: usize,
    cores: Cores,
    watch: &Watch,
    mut before: impl FnMut() -> io::Result<()>,
) -> io::Result<Measured> {
    let closed = window(Pattern::Closed, plan.warmup_s, plan.window_s);
    let mut runs: Vec<Seen> = Vec::new();
    let mut probed: Option<hdrhistogram::Histogram<u64>> = None;
    for repetition in 0..repetitions {
        before()?;
        let open = window(poisson(plan.probe_rate, repetition as u64), plan.warmup_s, plan.window_s);
        let (seen, waited) = std::thread::scope(|scope| {
            let run = std::thread::Builder::new().name("probe".to_owned());
            let running = match &mut offered.probe {
                Some(probe) => Some(run.spawn_scoped(scope, || probe.window(&open))?),
                None => None,
            };
            let seen = offered.traffic.watched(&closed, watch)?;
            let waited = running.map(|thread| thread.join().map_err(|_| io::Error::other("the probe panicked"))?);
            Ok::<_, io::Error>((seen, waited.transpose()?))
        })?;
        match (&mut probed, waited) {
            (Some(sum), Some(waited)) => sum.add(&waited.report.latency).map_err(io::Error::other)?,
            (sum @ None, Some(waited)) => *sum = Some(waited.report.latency),
            _ => {}
        }
        runs.push(seen);
    }
    let mut errors = std::collections::BTreeMap::new();
    runs.iter().for_each(|seen| add_counts(&mut errors, &seen.offered.report.errors));
    let of = |figure: &dyn Fn(&Seen) -> f64| runs.iter().map(figure).collect::<Vec<_>>();
    let target_cores = of(&|seen| target_cores(seen).unwrap_or(0.0));
    let seen_here = runs.iter().all(|seen| seen.target.is_some());
    let answers = median(&mut of(&|seen| seen.offered.report.requests as f64));
    let too_short = too_short(answers, offered.connections, plan.window_s);
    let point = ThroughputPoint {
        connections: offered.connections,
        rps: Spread::of(of(&|seen| seen.offered.report.rps)),
        p50_us: median(&mut of(&|seen| seen.offered.report.latency_us.p50 as f64)),
        p99_us: median(&mut of(&|seen| seen.offered.report.latency_us.p99 as f64)),
        cpu_us: (seen_here && too_short.is_none()).then(|| Spread::of(of(&|seen| cpu_us(seen)))),
        target_cores: seen_here.then(|| median(&mut target_cores.clone())),
        load_cores: median(&mut of(&|seen| seen.load_cores)),
        errors: errors.values().sum(),
        probe_us: probed.as_ref().map(percentiles),
        refused: too_short.or_else(|| refusal_of(&runs, cores)),
    };
    Ok(Measured { point, errors, other_cores: of(&|seen| seen.other_cores) })
}

fn target_cores(seen: &Seen) -> Option<f64> {
    Some(seen.target?.total().as_secs_f64() / seen.seconds)
}

fn cpu_us(seen: &Seen) -> f64 {
    seen.target.map_or(0.0, |usage| usage.total().as_secs_f64() * 1e6) / seen.requests.max(1) as f64
}

/// Why these runs say nothing about the target's throughput.
pub fn refusal_of(runs: &[Seen], cores: Cores) -> Option<String> {
    let of = |figure: &dyn Fn(&Seen) -> f64| median(&mut runs.iter().map(figure).collect::<Vec<_>>());
    let seen_here = runs.iter().all(|seen| seen.target.is_some());
    refusal(
        seen_here.then(|| of(&|seen| target_cores(seen).unwrap_or(0.0))),
        of(&|seen| seen.load_cores),
        of(&|seen| seen.busiest_thread_cores),
        cores,
        of(&|seen| seen.other_cores),
    )
}

fn too_short(answers: f64, connections: usize, window_s: f64) -> Option<String> {
    (answers < connections.max(REQUESTS_MIN) as f64).then(|| {
        format!(
            "Windows of {window_s:.2} s held {answers:.0} answers to {connections} connections, which is less than a round: too short for a rate."
        )
    })
}

/// Why a throughput says nothing about the target.
fn refusal(
    target_cores: Option<f64>,
    load_cores: f64,
    busiest_thread: f64,
    cores: Cores,
    other_cores: f64,
) -> Option<String> {
    let Some(target_cores) = target_cores else {
        return Some("The target's CPU cannot be seen from here, so nobody knows what the limit was. Name its process with --pid.".to_owned());
    };
    let target = target_cores / cores.target.max(1) as f64;
    let load = load_share(load_cores, busiest_thread, cores.load);
    if load > LOAD_BUSY_MAX {
        return Some(format!(
            "The load's own CPU was {:.0} % busy (at most {:.0} % are allowed): it may have been the limit.",
            load * 100.0,
            LOAD_BUSY_MAX * 100.0
        ));
    }
    (target < TARGET_BUSY_MIN).then(|| {
        let others = match other_cores > OTHER_CORES_WORTH_SAYING {
            true => format!(" Other work on the machine took {other_cores:.2} cores meanwhile."),
            false => String::new(),
        };
        format!(
            "The target's CPU was only {:.0} % busy with it (at least {:.0} % are needed): something else was the limit.{others}",
            target * 100.0,
            TARGET_BUSY_MIN * 100.0
        )
    })
}

/// How busy the load is: all of its CPUs, or its busiest thread.
fn load_share(load_cores: f64, busiest_thread: f64, cpus: usize) -> f64 {
    (load_cores / cpus.max(1) as f64).max(busiest_thread)
}

/// Whether generator and simulators were too busy for what was seen to be the target's.
pub fn load_is_full(seen: &Seen, cores: Cores) -> bool {
    load_share(seen.load_cores, seen.busiest_thread_cores, cores.load) > LOAD_BUSY_MAX
}

#[cfg(test)]
mod tests {
    use super::{Cores, refusal, too_short};

    #[test]
    fn a_window_holds_a_round_of_all_connections_or_nothing_is_said() {
        let check = |answers, connections, refused| {
            assert_eq!(too_short(answers, connections, 0.1).is_some(), refused, "{answers} {connections}");
        };
        check(0.0, 1, true);
        check(9.0, 1, true);
        check(10.0, 1, false);
        check(255.0, 256, true);
        check(256.0, 256, false);
    }

    #[test]
    fn only_a_full_target_before_a_load_with_room_counts() {
        let check = |target: Option<f64>, load: f64, busiest: f64, cores: (usize, usize), expected: Option<&str>| {
            let cores = Cores { target: cores.0, load: cores.1 };
            let refused = refusal(target, load, busiest, cores, 0.2);
            let fits = match (&refused, expected) {
                (None, None) => true,
                (Some(refused), Some(expected)) => refused.contains(expected),
                _ => false,
            };
            assert!(fits, "{target:?} {load} {busiest}: {refused:?}");
        };
        check(Some(0.96), 0.84, 0.5, (1, 1), None);
        check(Some(0.94), 0.5, 0.3, (1, 1), Some("94 % busy"));
        check(Some(0.9), 0.5, 0.3, (1, 1), Some("took 0.20 cores"));
        check(Some(0.99), 0.9, 0.5, (1, 1), Some("90 % busy"));
        check(Some(1.92), 1.5, 0.8, (2, 3), None);
        check(Some(1.0), 1.5, 0.8, (2, 3), Some("50 % busy"));
        check(Some(0.99), 1.2, 0.97, (1, 3), Some("97 % busy"));
        check(None, 0.1, 0.1, (1, 1), Some("--pid"));
    }
}
