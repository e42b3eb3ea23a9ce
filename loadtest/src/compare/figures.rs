//! Which figures of two targets are compared, and how.

use super::change::{Change, Good};
use crate::report::numbers::mebibytes;
use crate::results::{Added, Cost, Interval, Memory, Spread, Target, ThroughputPoint};

pub struct Figure {
    pub name: String,
    pub unit: &'static str,
    pub change: Change,
}

/// Everything that both have, and what the first had and the second lost.
pub fn paired(a: &Target, b: &Target, tolerance: f64) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut push = |name: &str, unit, change| figures.push(Figure { name: name.to_owned(), unit, change });
    push("failures", "", Change::of_failures(a.failures.len(), b.failures.len()));
    push("errors", "", Change::of_counts(errors(a), errors(b)));
    if let (Some(a), Some(b)) = (&a.fidelity, &b.fidelity) {
        let broken = |it: &crate::results::Fidelity| (it.lost + it.repeated + it.out_of_order + it.altered, it.chunks);
        push("broken chunks", "", Change::of_counts(broken(a), broken(b)));
    }
    if let (Some(a), Some(b)) = (&a.upstream, &b.upstream) {
        let invalid = |it: &crate::results::Upstream| (it.invalid.values().sum(), it.requests);
        push("invalid upstream requests", "", Change::of_counts(invalid(a), invalid(b)));
    }
    for (name, of) in ADDED {
        both(&mut push, name, "µs", (a.added.as_ref().and_then(of), b.added.as_ref().and_then(of)), |a, b| {
            Change::of_intervals(&a, &b, tolerance)
        });
    }
    for (name, unit, of) in COSTS {
        both(&mut push, name, unit, (a.cost.as_ref().and_then(of), b.cost.as_ref().and_then(of)), |a, b| {
            Change::of_spreads(&a, &b, tolerance, Good::Low)
        });
    }
    for point in a.throughput.iter().filter(|point| point.refused.is_none()) {
        let same = |other: &&ThroughputPoint| other.connections == point.connections && other.refused.is_none();
        let name = format!("throughput at {}", point.connections);
        both(
            &mut push,
            &name,
            "/s",
            (Some(&point.rps), b.throughput.iter().find(same).map(|point| &point.rps)),
            |a, b| Change::of_spreads(a, b, tolerance, Good::High),
        );
    }
    // Where the generator ended the search, the figure is the generator's.
    let sustained = |target: &Target| target.sustained.as_ref().filter(|it| !it.ended_by_generator).map(|it| it.rps);
    both(&mut push, "highest rate held", "/s", (sustained(a), sustained(b)), |a, b| {
        Change::of_single(a, b, tolerance, Good::High)
    });
    for (name, of) in MEMORY {
        both(&mut push, name, "MiB", (a.memory.as_ref().and_then(of), b.memory.as_ref().and_then(of)), |a, b| {
            Change::of_single(mebibytes(a), mebibytes(b), tolerance, Good::Low)
        });
    }
    figures
}

/// Pushes the change if both have the figure, and that it is gone if only the first has it.
fn both<T>(
    push: &mut impl FnMut(&str, &'static str, Change),
    name: &str,
    unit: &'static str,
    figures: (Option<T>, Option<T>),
    change: impl FnOnce(T, T) -> Change,
) {
    match figures {
        (Some(a), Some(b)) => push(name, unit, change(a, b)),
        (Some(_), None) => push(name, unit, Change::unknown("not measured in the second")),
        (None, _) => {}
    }
}

type OfAdded = fn(&Added) -> Option<Interval>;
type OfMemory = fn(&Memory) -> Option<f64>;

/// The maximum is left out: one request decides it.
const ADDED: [(&str, OfAdded); 8] = [
    ("added p50", |added| Some(added.p50_us)),
    ("added p90", |added| Some(added.p90_us)),
    ("added p99", |added| Some(added.p99_us)),
    ("added p99.9", |added| Some(added.p99_9_us)),
    ("added to first content p50", |added| added.ttft_p50_us),
    ("added to first content p99", |added| added.ttft_p99_us),
    ("added to gap p50", |added| added.gap_p50_us),
    ("added to gap p99", |added| added.gap_p99_us),
];

type OfCost = fn(&Cost) -> Option<Spread>;

const COSTS: [(&str, &str, OfCost); 6] = [
    ("CPU per request, user", "µs", |cost| Some(cost.user_us.clone())),
    ("CPU per request, kernel", "µs", |cost| Some(cost.kernel_us.clone())),
    ("instructions per request, user", "", |cost| cost.user_instructions.clone()),
    ("instructions per request, kernel", "", |cost| cost.kernel_instructions.clone()),
    ("context switches per request", "", |cost| cost.context_switches.clone()),
    ("system calls per request", "", |cost| cost.system_calls.clone()),
];

const MEMORY: [(&str, OfMemory); 3] = [
    ("memory idle", |memory| Some(memory.idle_bytes as f64)),
    ("memory loaded", |memory| memory.loaded_bytes.map(|bytes| bytes as f64)),
    ("memory after", |memory| memory.after_bytes.map(|bytes| bytes as f64)),
];

/// Errors, in requests that were offered in the open loop and came to an end either way.
fn errors(target: &Target) -> (u64, u64) {
    let errors = target.errors.values().sum();
    let requests = target.latency.as_ref().map_or(0, |latency| latency.requests);
    (errors, requests.max(target.upstream.as_ref().map_or(0, |upstream| upstream.requests)).max(errors))
}
