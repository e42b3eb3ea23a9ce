//! What a request costs the target's whole process tree: CPU time, instructions, context switches and system calls, in a closed loop.
//!
//! A closed loop, because its work does not depend on the machine's speed. Requests are counted where they arrive, upstream, while the
//! counters run; where nobody counts there, by the generator.

use std::collections::BTreeMap;
use std::io;

use super::absolute::add_counts;
use super::perf::Counts;
use super::traffic::{Traffic, window};
use super::watch::{Seen, Watch};
use crate::load::Pattern;
use crate::results::{self, Spread};
use crate::scenario::Cost;

/// Of each window. What one request costs is not to be seen from a few that were under way at both ends.
const REQUESTS_MIN: u64 = 10;

/// The cost and the errors met on the way. No cost: the target's processes cannot be seen.
pub struct Measured {
    pub cost: Option<results::Cost>,
    pub errors: BTreeMap<String, u64>,
    pub other_cores: Vec<f64>,
}

pub fn measure(
    traffic: &mut Traffic,
    plan: &Cost,
    repetitions: usize,
    watch: &Watch,
    mut before: impl FnMut() -> io::Result<()>,
) -> io::Result<Measured> {
    let mut runs = Vec::new();
    for _ in 0..repetitions {
        before()?;
        runs.push(traffic.watched(&window(Pattern::Closed, plan.warmup_s, plan.window_s), watch)?);
    }
    if let Some(few) = runs.iter().map(|seen| seen.requests).min().filter(|requests| *requests < REQUESTS_MIN) {
        let window_s = plan.window_s;
        return Err(io::Error::other(format!(
            "windows of {window_s:.2} s held as few as {few} requests: too short to divide by"
        )));
    }
    let mut errors = BTreeMap::new();
    runs.iter().for_each(|seen| add_counts(&mut errors, &seen.offered.report.errors));
    let each = |of: &dyn Fn(&Seen) -> Option<f64>| {
        let values = runs.iter().map(|seen| Some(of(seen)? / seen.requests.max(1) as f64));
        values.collect::<Option<Vec<_>>>().map(Spread::of)
    };
    let counted = |of: fn(&Counts) -> Option<f64>| each(&|seen: &Seen| of(&seen.counts));
    let cost = each(&|seen| Some(seen.target?.user.as_secs_f64() * 1e6)).and_then(|user_us| {
        Some(results::Cost {
            connections: plan.connections,
            user_us,
            kernel_us: each(&|seen| Some(seen.target?.kernel.as_secs_f64() * 1e6))?,
            user_instructions: counted(|counts| counts.user_instructions),
            kernel_instructions: counted(|counts| counts.kernel_instructions),
            context_switches: each(&|seen| Some(seen.target?.context_switches as f64)),
            system_calls: counted(|counts| counts.system_calls),
        })
    });
    let other_cores = runs.iter().map(|seen| seen.other_cores).collect();
    Ok(Measured { cost, errors, other_cores })
}
