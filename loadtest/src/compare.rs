//! Two results of the same scenarios: what got better, what got worse, and what cannot be said.
//!
//! Scenarios and targets are paired by name, figures by what they measure. The change of a figure is given an interval: of added latency by
//! combining the two confidence intervals, of repeated figures by a bootstrap of the difference of medians. Beyond a tolerance on
//! one side it is better or worse; wholly within, the same; else unresolved. A figure that is unresolved is neither
//! good news nor a regression: more repetitions would tell.
//!
//! Absolute latencies are not judged: two runs never had the same machine. Added latency was paired within its own run, CPU per request is
//! counted. Errors, broken streams and failures need no interval: more of them is worse, beyond what chance does to a few.
//!
//! The order of both files is a's; what only b has is said but not judged. The same input gives the same verdicts: the bootstrap's seed is
//! fixed.

use crate::results::{Results, Scenario, Target};

mod change;
mod figures;
mod text;

pub use change::{Change, Verdict};
pub use text::{html, text};

#[derive(Debug)]
pub struct Comparison {
    pub a: String,
    pub b: String,
    /// Share of a figure by which it may move, such as 0.05.
    pub tolerance: f64,
    /// What a reader must know: other kernel, other CPU, only in one of them.
    pub warnings: Vec<String>,
    pub rows: Vec<Row>,
}

/// One figure of one target in one scenario.
#[derive(Debug)]
pub struct Row {
    pub scenario: String,
    pub target: String,
    pub figure: String,
    pub unit: &'static str,
    pub change: Change,
}

impl Comparison {
    pub fn regressions(&self) -> usize {
        self.rows.iter().filter(|row| row.change.verdict == Verdict::Worse).count()
    }
}

/// Refuses results that have nothing in common.
pub fn compare(a: &Results, b: &Results, tolerance: f64) -> Result<Comparison, String> {
    let mut comparison =
        Comparison { a: label(a), b: label(b), tolerance, warnings: differences(a, b), rows: Vec::new() };
    let mut paired = false;
    for scenario_a in &a.scenarios {
        let Some(scenario_b) = b.scenarios.iter().find(|scenario| scenario.name == scenario_a.name) else {
            comparison.warnings.push(format!("scenario {} is only in the first", scenario_a.name));
            continue;
        };
        if without_rounds(&scenario_a.source) != without_rounds(&scenario_b.source) {
            comparison.warnings.push(format!("scenario {} was run with other settings", scenario_a.name));
        }
        paired = true;
        pair_targets(scenario_a, scenario_b, &mut comparison);
    }
    for scenario in &b.scenarios {
        if !a.scenarios.iter().any(|known| known.name == scenario.name) {
            comparison.warnings.push(format!("scenario {} is only in the second", scenario.name));
        }
    }
    if !paired {
        return Err("the two have no scenario in common".to_owned());
    }
    Ok(comparison)
}

fn pair_targets(a: &Scenario, b: &Scenario, comparison: &mut Comparison) {
    let mut push = |target: &str, figure: &str, unit, change| {
        let (scenario, target, figure) = (a.name.clone(), target.to_owned(), figure.to_owned());
        comparison.rows.push(Row { scenario, target, figure, unit, change });
    };
    match (&a.refused, &b.refused) {
        (None, None) => {}
        // The measure itself did not suffice: that says nothing about any target.
        (_, Some(reason)) => push("–", "measured", "", Change::unknown(&format!("refused in the second: {reason}"))),
        (Some(reason), None) => push("–", "measured", "", Change::unknown(&format!("refused in the first: {reason}"))),
    }
    if a.refused.is_some() || b.refused.is_some() {
        return;
    }
    for target_a in &a.targets {
        let Some(target_b) = b.targets.iter().find(|target| target.name == target_a.name) else {
            comparison.warnings.push(format!("target {} of {} is only in the first", target_a.name, a.name));
            continue;
        };
        for figure in figures::paired(target_a, target_b, comparison.tolerance) {
            let (scenario, target) = (a.name.clone(), target_a.name.clone());
            comparison.rows.push(Row {
                scenario,
                target,
                figure: figure.name,
                unit: figure.unit,
                change: figure.change,
            });
        }
    }
    for target in only_in(&b.targets, &a.targets) {
        comparison.warnings.push(format!("target {} of {} is only in the second", target.name, a.name));
    }
}

fn only_in<'a>(these: &'a [Target], others: &'a [Target]) -> impl Iterator<Item = &'a Target> {
    these.iter().filter(|target| !others.iter().any(|other| other.name == target.name))
}

fn label(results: &Results) -> String {
    format!("{} ({})", results.title, results.began)
}

/// Figures are still compared then, but the reader must know.
fn differences(a: &Results, b: &Results) -> Vec<String> {
    let (x, y) = (&a.environment, &b.environment);
    let mut warnings = Vec::new();
    for (what, x, y) in [("kernel", &x.kernel, &y.kernel), ("CPU", &x.cpu, &y.cpu)] {
        if x != y {
            warnings.push(format!("another {what}: {x}, then {y}"));
        }
    }
    if x.cpus != y.cpus {
        warnings.push(format!("another number of CPUs: {}, then {}", x.cpus, y.cpus));
    }
    for (target, driver) in &x.drivers {
        if let Some(other) = y.drivers.get(target).filter(|other| *other != driver) {
            warnings.push(format!("another driver of {target}: {driver}, then {other}"));
        }
    }
    warnings
}

/// How often and how long may differ: that makes figures surer, not others.
fn without_rounds(source: &str) -> Vec<&str> {
    const ROUNDS: [&str; 5] = ["repetitions", "blocks", "seconds", "warmup", "seed"];
    source.lines().filter(|line| !ROUNDS.iter().any(|name| line.trim_start().starts_with(name))).collect()
}
