//! The highest rate that a target sustains: an open loop without an error, nothing dropped, and p99 below a bound.
//!
//! Found by bisection between a thousandth of the ceiling and the ceiling, in equal steps of ratio, down to about 3 %. The ceiling is what a
//! scenario allows, or half of what the generator was calibrated to, whichever is lower. A rate that fails is tried
//! once more: a single disturbed second of a shared machine must not halve the answer.
//!
//! Where the load's own CPU was full when a rate failed, nobody knows who failed: the generator ended the search, and the answer is
//! a lower bound.

use std::io;

use super::throughput::{Cores, load_is_full};
use super::traffic::{Traffic, poisson, window};
use super::watch::Watch;
use crate::results::Sustained;
use crate::scenario;

const STEPS: u32 = 8;
const RANGE: f64 = 1_000.0;

/// What one rate brought.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tried {
    /// None: not sustained.
    p99_us: Option<u64>,
    load_was_full: bool,
}

/// What the search ended with.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Found {
    rate: f64,
    p99_us: u64,
    /// The lowest rate that failed did so under a full load, or none failed.
    ended_by_load: bool,
}

pub fn measure(
    traffic: &mut Traffic,
    plan: &scenario::Sustained,
    generator_ceiling: f64,
    cores: Cores,
    seed: u64,
    mut before: impl FnMut() -> io::Result<()>,
) -> io::Result<Option<Sustained>> {
    let bound_us = (plan.p99_ms * 1e3) as u64;
    let ceiling = plan.rate_max.min(generator_ceiling);
    let nobody = Watch { pid: None, upstream_requests: &|| None, perf: None };
    let found = search(ceiling, |rate, again| {
        before()?;
        let seen = traffic.watched(&window(poisson(rate, seed + again), plan.warmup_s, plan.window_s), &nobody)?;
        let load_was_full = load_is_full(&seen, cores);
        let report = seen.offered.report;
        let fine = report.errors.is_empty() && report.dropped == 0 && report.requests > 0;
        let p99_us = report.latency_us.p99;
        Ok(Tried { p99_us: (fine && p99_us <= bound_us).then_some(p99_us), load_was_full })
    })?;
    Ok(found.map(|found| Sustained {
        rps: found.rate,
        p99_us: found.p99_us,
        p99_us_bound: bound_us,
        ended_by_generator: found.ended_by_load && (found.rate < ceiling || generator_ceiling < plan.rate_max),
    }))
}

/// The highest rate that was sustained. None: not even the lowest was.
fn search(ceiling: f64, mut try_rate: impl FnMut(f64, u64) -> io::Result<Tried>) -> io::Result<Option<Found>> {
    let mut twice = |rate: f64| -> io::Result<Tried> {
        match try_rate(rate, 0)? {
            Tried { p99_us: None, .. } => try_rate(rate, 1),
            sustained => Ok(sustained),
        }
    };
    let first = twice(ceiling)?;
    if let Some(p99_us) = first.p99_us {
        return Ok(Some(Found { rate: ceiling, p99_us, ended_by_load: true }));
    }
    let (mut low, mut high, mut best) = (ceiling / RANGE, ceiling, None);
    // Of the lowest rate that failed.
    let mut ended_by_load = first.load_was_full;
    for _ in 0..STEPS {
        let middle = (low * high).sqrt();
        let tried = twice(middle)?;
        match tried.p99_us {
            Some(p99_us) => (low, best) = (middle, Some((middle, p99_us))),
            None => (high, ended_by_load) = (middle, tried.load_was_full),
        }
    }
    Ok(best.map(|(rate, p99_us)| Found { rate, p99_us, ended_by_load }))
}

#[cfg(test)]
mod tests {
    use super::{Tried, search};

    #[test]
    fn the_limit_is_found_within_three_percent() {
        let check = |limit: f64, full_above: f64, expected: Option<(f64, bool)>| {
            let found = search(10_000.0, |rate, _| {
                Ok(Tried { p99_us: (rate <= limit).then_some(7), load_was_full: rate > full_above })
            });
            match (found.expect("nothing fails"), expected) {
                (None, None) => {}
                (Some(found), Some((rate, ended_by_load))) => {
                    assert!(found.rate <= rate && found.rate > rate / 1.03, "{found:?} for {rate}");
                    assert_eq!((found.p99_us, found.ended_by_load), (7, ended_by_load), "{rate}");
                }
                other => panic!("{limit}: {other:?}"),
            }
        };
        check(1e9, 1e9, Some((10_000.0, true)));
        check(1_234.0, 1e9, Some((1_234.0, false)));
        check(1_234.0, 5_000.0, Some((1_234.0, false)));
        check(1_234.0, 1_000.0, Some((1_234.0, true)));
        check(9_999.0, 1e9, Some((9_999.0, false)));
        check(20.0, 1e9, Some((20.0, false)));
        check(1.0, 1e9, None);
    }

    #[test]
    fn one_disturbed_window_is_tried_again() {
        let mut tries = Vec::new();
        let found = search(100.0, |rate, again| {
            tries.push((rate, again));
            Ok(Tried { p99_us: (again == 1).then_some(5), load_was_full: false })
        });
        let found = found.expect("nothing fails").expect("the second try is sustained");
        assert_eq!((found.rate, found.p99_us, tries.len()), (100.0, 5, 2));
    }
}
