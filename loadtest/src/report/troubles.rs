//! Everything that went wrong or was not measured, gathered so that a report can say it first.
//!
//! A run with a refused scenario or a target that failed may still have fine figures elsewhere; a reader who sees only those would be
//! deceived. Which of them is worse is not decided here: they stand in the order of the results.

use std::collections::BTreeMap;

use super::numbers::{count, number};
use super::tables;
use crate::results::{Fidelity, Latency, Results, Target};

/// One sentence, and whom it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    pub scenario: String,
    /// Absent: the whole scenario.
    pub target: Option<String>,
    pub kind: Kind,
    pub says: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Not measured, because the measure itself would have been the limit, or there was no time for it.
    Refused,
    /// The target did not do what was asked.
    Failed,
    /// Measured, but the figures need this to be read rightly.
    Doubt,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Doubt => "doubt",
        }
    }
}

pub fn troubles(results: &Results) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    for scenario in &results.scenarios {
        let mut push = |target: Option<&Target>, kind, says: String| {
            let target = target.map(|target| target.name.clone());
            troubles.push(Trouble { scenario: scenario.name.clone(), target, kind, says });
        };
        if let Some(reason) = &scenario.refused {
            push(None, Kind::Refused, reason.clone());
        }
        for says in &scenario.left_out {
            push(None, Kind::Refused, says.clone());
        }
        for says in &scenario.shortened {
            push(None, Kind::Doubt, says.clone());
        }
        for target in &scenario.targets {
            for failure in &target.failures {
                push(Some(target), Kind::Failed, failure.clone());
            }
            if let Some(says) = errors(target) {
                push(Some(target), Kind::Failed, says);
            }
            if let Some(says) = target.fidelity.as_ref().and_then(broken_streams) {
                push(Some(target), Kind::Failed, says);
            }
            if let Some(says) = target.upstream.as_ref().and_then(|upstream| invalid(&upstream.invalid)) {
                push(Some(target), Kind::Failed, says);
            }
            for (reason, connections) in refused_points(target) {
                let at = connections.join(", ");
                push(Some(target), Kind::Refused, format!("throughput at {at} connections: {reason}"));
            }
            if let Some(reason) = target.memory.as_ref().and_then(|memory| memory.slope_refused.as_ref()) {
                push(Some(target), Kind::Refused, format!("slope of the memory: {reason}"));
            }
            if let Some(says) = target.latency.as_ref().and_then(late) {
                push(Some(target), Kind::Doubt, says);
            }
            let measures = target.added.iter().flat_map(tables::added_measures);
            let without_width =
                measures.filter(|(_, _, it)| it.low == it.high).map(|(what, at, _)| format!("{what} {at}"));
            let without_width: Vec<_> = without_width.collect();
            if !without_width.is_empty() {
                let which = without_width.join(", ");
                push(
                    Some(target),
                    Kind::Doubt,
                    format!(
                        "added {which}: an interval without a width; every block gave the same, so what is seen is the resolution of the measure"
                    ),
                );
            }
            if target.sustained.as_ref().is_some_and(|sustained| sustained.ended_by_generator) {
                push(
                    Some(target),
                    Kind::Doubt,
                    "the search for the highest rate was ended by the generator".to_owned(),
                );
            }
        }
    }
    troubles
}

pub fn errors(target: &Target) -> Option<String> {
    let kinds: Vec<_> = target.errors.iter().filter(|(_, times)| **times > 0).collect();
    let listed: Vec<_> = kinds.iter().map(|(kind, times)| format!("{} {kind}", count(**times))).collect();
    (!listed.is_empty()).then(|| format!("errors: {}", listed.join(", ")))
}

fn broken_streams(fidelity: &Fidelity) -> Option<String> {
    let wrong = [
        (fidelity.lost, "lost"),
        (fidelity.repeated, "repeated"),
        (fidelity.out_of_order, "out of order"),
        (fidelity.altered, "altered"),
    ];
    let wrong: Vec<_> =
        wrong.iter().filter(|(times, _)| *times > 0).map(|(times, what)| format!("{} {what}", count(*times))).collect();
    (!wrong.is_empty()).then(|| format!("of {} streamed chunks: {}", count(fidelity.chunks), wrong.join(", ")))
}

fn invalid(rules: &BTreeMap<String, u64>) -> Option<String> {
    let broken: Vec<_> = rules
        .iter()
        .filter(|(_, times)| **times > 0)
        .map(|(rule, times)| format!("{rule} ({})", count(*times)))
        .collect();
    (!broken.is_empty())
        .then(|| format!("request bodies that the provider's dialect does not allow: {}", broken.join(", ")))
}

/// Reason to the connections at which it held.
fn refused_points(target: &Target) -> BTreeMap<&str, Vec<String>> {
    let mut points: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for point in &target.throughput {
        if let Some(reason) = &point.refused {
            points.entry(reason).or_default().push(count(point.connections as u64));
        }
    }
    points
}

/// A few late sends belong to every timer; more than this share of them moves the 99th percentile.
const LATE_SHARE_MAX: f64 = 0.001;

fn late(latency: &Latency) -> Option<String> {
    let due = latency.requests + latency.dropped;
    let share = |some: u64| some as f64 / due.max(1) as f64;
    (latency.dropped > 0 || share(latency.late) > LATE_SHARE_MAX).then(|| {
        format!(
            "of {} requests that were due, {} were sent more than 1 ms late ({} %) and {} never",
            count(due),
            count(latency.late),
            number(share(latency.late) * 100.0),
            count(latency.dropped)
        )
    })
}
