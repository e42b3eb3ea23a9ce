//! Which tables a report has: the headline over all scenarios, and those of one scenario.
//!
//! Each figure is quoted once, with its interval or the range of its repetitions beside it. Times are microseconds throughout, so that a
//! column can be read by the length of its numbers. Absolute percentiles stand beside what was added: neither can be had from the
//! other.

use std::collections::BTreeSet;

use super::numbers::{count, mebibytes, number, signed};
use super::table::{Cell, Column, Table, column, text_column};
use super::troubles::{self, Kind, Trouble};
use crate::results::{Added, Interval, Memory, Percentiles, Results, Scenario, Spread, Target};

/// The first table: what most readers came for.
pub fn headline(results: &Results) -> Table {
    let mut columns = vec![text_column("Scenario"), text_column("Target"), text_column("Outcome")];
    columns.extend([
        column("added p50", "µs"),
        column("added p99", "µs"),
        column("p50", "µs"),
        column("p99", "µs"),
        column("throughput", "/s"),
        column("rate held", "/s"),
        column("CPU", "µs/request"),
        column("memory loaded", "MiB"),
    ]);
    let mut table = Table::new("What was measured, in one line for each target", columns);
    table.grouped = true;
    let troubles = troubles::troubles(results);
    for scenario in &results.scenarios {
        if scenario.targets.is_empty() {
            let mut row = vec![Cell::text(&scenario.name), Cell::absent(), outcome(scenario, None, &troubles)];
            row.resize(table.columns.len(), Cell::absent());
            table.push(row);
        }
        for target in &scenario.targets {
            let latency = target.latency.as_ref();
            table.push(vec![
                Cell::text(&scenario.name),
                name(target),
                outcome(scenario, Some(target), &troubles),
                Cell::maybe(target.added.as_ref(), |added| interval(&added.p50_us)),
                Cell::maybe(target.added.as_ref(), |added| interval(&added.p99_us)),
                Cell::maybe(latency, |latency| Cell::text(count(latency.whole_us.p50))),
                Cell::maybe(latency, |latency| Cell::text(count(latency.whole_us.p99))),
                Cell::maybe(best_throughput(target), spread),
                Cell::maybe(target.sustained.as_ref(), |held| Cell::text(number(held.rps))),
                Cell::maybe(target.cost.as_ref(), |cost| {
                    Cell::text(number(cost.user_us.median + cost.kernel_us.median))
                }),
                Cell::maybe(target.memory.as_ref().and_then(|memory| memory.loaded_bytes), mib),
            ]);
        }
    }
    table.without_empty_columns()
}

/// The tables of one scenario that have something to say, in reading order.
pub fn of_scenario(scenario: &Scenario) -> Vec<Table> {
    let all = [
        latency("Latency from the time a request was due", scenario, |latency| Some(latency.whole_us)),
        latency("Time to first content", scenario, |latency| latency.ttft_us),
        latency("Gap between chunks", scenario, |latency| latency.gap_us),
        added(scenario),
        throughput(scenario),
        cost(scenario),
        memory(scenario),
        upstream(scenario),
        errors(scenario),
        fidelity(scenario),
        targets(scenario),
    ];
    all.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

fn latency(caption: &str, scenario: &Scenario, of: impl Fn(&crate::results::Latency) -> Option<Percentiles>) -> Table {
    let mut columns = vec![text_column("Target"), column("offered", "/s"), column("measured", "")];
    columns.extend(["p50", "p90", "p99", "p99.9", "max", "mean"].map(|name| column(name, "µs")));
    columns.extend([column("late", ""), column("never sent", "")]);
    let mut table = Table::new(caption, columns);
    for target in &scenario.targets {
        let Some((latency, times)) = target.latency.as_ref().and_then(|latency| Some((latency, of(latency)?))) else {
            continue;
        };
        let mut row = vec![name(target), Cell::text(number(latency.offered_per_s)), Cell::text(count(times.count))];
        row.extend([times.p50, times.p90, times.p99, times.p99_9, times.max].map(|us| Cell::text(count(us))));
        row.extend([Cell::text(number(times.mean)), Cell::text(count(latency.late)), bad_if_any(latency.dropped)]);
        table.push(row);
    }
    table
}

/// What a target adds, by measure: of whole answers, to the first content, between chunks.
pub fn added_measures(added: &Added) -> Vec<(&'static str, &'static str, Interval)> {
    let mut measures = vec![
        ("latency", "p50", added.p50_us),
        ("latency", "p90", added.p90_us),
        ("latency", "p99", added.p99_us),
        ("latency", "p99.9", added.p99_9_us),
        ("latency", "max", added.max_us),
    ];
    let of_streams = [
        ("first content", "p50", added.ttft_p50_us),
        ("first content", "p99", added.ttft_p99_us),
        ("gap", "p50", added.gap_p50_us),
        ("gap", "p99", added.gap_p99_us),
    ];
    measures.extend(of_streams.into_iter().filter_map(|(what, at, interval)| Some((what, at, interval?))));
    measures
}

fn added(scenario: &Scenario) -> Table {
    let columns = vec![
        text_column("Target"),
        text_column("Added to"),
        column("estimate", "µs"),
        column("from", "µs"),
        column("to", "µs"),
        column("confidence", "%"),
        column("ABBA blocks", ""),
    ];
    let mut table = Table::new("Added latency: through the target less direct, measured in turn", columns);
    for target in &scenario.targets {
        for (what, at, interval) in target.added.iter().flat_map(added_measures) {
            table.push(vec![
                name(target),
                Cell::text(format!("{what} {at}")),
                Cell::text(signed(interval.estimate)),
                Cell::text(signed(interval.low)),
                Cell::text(signed(interval.high)),
                Cell::text(number(interval.level * 100.0)),
                Cell::text(count(interval.blocks as u64)),
            ]);
        }
    }
    table
}

pub fn throughput(scenario: &Scenario) -> Table {
    let columns = vec![
        text_column("Target"),
        column("connections", ""),
        column("throughput", "/s"),
        column("p50", "µs"),
        column("p99", "µs"),
        column("CPU", "µs/request"),
        column("target", "cores"),
        column("load", "cores"),
        column("probe p99", "µs"),
        column("errors", ""),
        text_column("Refused"),
    ];
    let mut table = Table::new("Throughput in a closed loop", columns);
    for target in &scenario.targets {
        for point in &target.throughput {
            let refused = point.refused.is_some();
            table.push(vec![
                name(target),
                Cell::text(count(point.connections as u64)),
                if refused { Cell::absent() } else { spread(&point.rps) },
                // In a closed loop these follow from the throughput, so they say as little.
                if refused { Cell::absent() } else { Cell::text(number(point.p50_us)) },
                if refused { Cell::absent() } else { Cell::text(number(point.p99_us)) },
                Cell::maybe(point.cpu_us.as_ref(), spread),
                Cell::maybe(point.target_cores, |cores| Cell::text(number(cores))),
                Cell::text(number(point.load_cores)),
                Cell::maybe(point.probe_us, |probe| Cell::text(count(probe.p99))),
                bad_if_any(point.errors),
                Cell::maybe(point.refused.as_ref(), Cell::alert),
            ]);
        }
        if let Some(sustained) = &target.sustained {
            let mut row =
                vec![name(target), Cell::text("highest held"), Cell::text(number(sustained.rps)), Cell::absent()];
            row.push(Cell::noted(count(sustained.p99_us), format!("bound {}", count(sustained.p99_us_bound))));
            row.resize(table.columns.len(), Cell::absent());
            table.push(row);
        }
    }
    table.without_empty_columns()
}

pub fn cost(scenario: &Scenario) -> Table {
    let columns = vec![
        text_column("Target"),
        column("connections", ""),
        column("user", "µs"),
        column("kernel", "µs"),
        column("instructions, user", ""),
        column("instructions, kernel", ""),
        column("context switches", ""),
        column("system calls", ""),
    ];
    let mut table = Table::new("Cost of a request: the target's whole process tree", columns);
    for target in &scenario.targets {
        let Some(cost) = &target.cost else { continue };
        table.push(vec![
            name(target),
            Cell::text(count(cost.connections as u64)),
            spread(&cost.user_us),
            spread(&cost.kernel_us),
            Cell::maybe(cost.user_instructions.as_ref(), spread),
            Cell::maybe(cost.kernel_instructions.as_ref(), spread),
            Cell::maybe(cost.context_switches.as_ref(), spread),
            Cell::maybe(cost.system_calls.as_ref(), spread),
        ]);
    }
    table.without_empty_columns()
}

pub fn memory(scenario: &Scenario) -> Table {
    let columns = vec![
        text_column("Target"),
        column("idle", "MiB"),
        column("loaded", "MiB"),
        column("after", "MiB"),
        column("per idle connection", "KiB"),
        column("slope", "MiB/h"),
    ];
    let mut table = Table::new("Resident memory of the target's process tree", columns);
    for target in &scenario.targets {
        let Some(memory) = &target.memory else { continue };
        table.push(vec![
            name(target),
            mib(memory.idle_bytes),
            Cell::maybe(memory.loaded_bytes, mib),
            Cell::maybe(memory.after_bytes, mib),
            Cell::maybe(memory.per_idle_connection_bytes, |bytes| Cell::text(number(bytes / 1024.0))),
            slope(memory),
        ]);
    }
    table.without_empty_columns()
}

fn slope(memory: &Memory) -> Cell {
    let signed = |bytes: f64| signed(mebibytes(bytes));
    match (memory.slope_bytes_per_hour, memory.slope_bytes_per_hour_interval) {
        (Some(slope), Some((low, high))) => {
            Cell::text(format!("{} ({} to {})", signed(slope), signed(low), signed(high)))
        }
        (Some(slope), None) => Cell::text(signed(slope)),
        (None, _) => Cell::maybe(memory.slope_refused.as_ref(), |_| Cell::text("not told".to_owned())),
    }
}

fn upstream(scenario: &Scenario) -> Table {
    let columns = vec![
        text_column("Target"),
        column("requests", ""),
        column("connections", ""),
        column("handshakes", ""),
        column("invalid", ""),
    ];
    let mut table = Table::new("What the simulated provider saw", columns);
    for target in &scenario.targets {
        let Some(upstream) = &target.upstream else { continue };
        table.push(vec![
            name(target),
            Cell::text(count(upstream.requests)),
            Cell::text(count(upstream.connections)),
            Cell::text(count(upstream.handshakes)),
            bad_if_any(upstream.invalid.values().sum()),
        ]);
    }
    table
}

/// One column for each kind that occurred anywhere.
fn errors(scenario: &Scenario) -> Table {
    let kinds: BTreeSet<&String> = scenario
        .targets
        .iter()
        .flat_map(|target| &target.errors)
        .filter(|(_, times)| **times > 0)
        .map(|(kind, _)| kind)
        .collect();
    let mut columns: Vec<Column> = vec![text_column("Target")];
    columns.extend(kinds.iter().map(|kind| column(kind, "")));
    let mut table = Table::new("Errors by kind", columns);
    for target in scenario.targets.iter().filter(|_| !kinds.is_empty()) {
        let times = kinds.iter().map(|kind| bad_if_any(target.errors.get(*kind).copied().unwrap_or(0)));
        table.push([name(target)].into_iter().chain(times).collect());
    }
    table
}

fn fidelity(scenario: &Scenario) -> Table {
    let names = ["streams", "chunks", "lost", "repeated", "out of order", "altered"];
    let mut columns = vec![text_column("Target")];
    columns.extend(names.map(|name| column(name, "")));
    let mut table = Table::new("Streams: did each chunk arrive once, in order, whole", columns);
    for target in &scenario.targets {
        let Some(fidelity) = &target.fidelity else { continue };
        let mut row = vec![name(target), Cell::text(count(fidelity.streams)), Cell::text(count(fidelity.chunks))];
        row.extend([fidelity.lost, fidelity.repeated, fidelity.out_of_order, fidelity.altered].map(bad_if_any));
        table.push(row);
    }
    table
}

fn targets(scenario: &Scenario) -> Table {
    let columns = ["Target", "Version", "Set-up", "URL", "Histograms"].map(text_column).to_vec();
    let mut table = Table::new("Who was measured", columns);
    for target in &scenario.targets {
        let files =
            target.latency.as_ref().map(|latency| latency.histogram_files.join(", ")).filter(|files| !files.is_empty());
        table.push(vec![
            name(target),
            Cell::maybe(target.version.as_ref(), Cell::text),
            Cell::text(&target.setup),
            Cell::text(&target.url),
            Cell::maybe(files, Cell::text),
        ]);
    }
    table
}

/// Measured, or the worst of what came between.
fn outcome(scenario: &Scenario, target: Option<&Target>, troubles: &[Trouble]) -> Cell {
    if scenario.refused.is_some() {
        return Cell::alert("refused");
    }
    let Some(target) = target else { return Cell::alert("no target") };
    let has = |kind| {
        troubles.iter().any(|trouble| {
            trouble.kind == kind && trouble.scenario == scenario.name && trouble.target.as_ref() == Some(&target.name)
        })
    };
    if !target.failures.is_empty() {
        Cell::alert("failed")
    } else if troubles::errors(target).is_some() {
        Cell::alert("errors")
    } else if has(Kind::Failed) {
        Cell::alert("faults")
    } else if has(Kind::Refused) {
        Cell::alert("partly refused")
    } else if has(Kind::Doubt) {
        Cell::text("doubtful")
    } else {
        Cell::text("measured")
    }
}

fn name(target: &Target) -> Cell {
    let note = if target.baseline { "baseline" } else { "" };
    Cell::noted(&target.name, note)
}

/// Of the points that say something about the target.
fn best_throughput(target: &Target) -> Option<&Spread> {
    let points = target.throughput.iter().filter(|point| point.refused.is_none()).map(|point| &point.rps);
    points.max_by(|left, right| left.median.total_cmp(&right.median))
}

fn interval(interval: &Interval) -> Cell {
    Cell::noted(signed(interval.estimate), format!("{} to {}", signed(interval.low), signed(interval.high)))
}

fn spread(spread: &Spread) -> Cell {
    let note = if spread.runs.len() < 2 {
        String::new()
    } else {
        format!("{} to {}", number(spread.low), number(spread.high))
    };
    Cell::noted(number(spread.median), note)
}

fn mib(bytes: u64) -> Cell {
    Cell::text(number(mebibytes(bytes as f64)))
}

fn bad_if_any(times: u64) -> Cell {
    if times > 0 { Cell::alert(count(times)) } else { Cell::text("0") }
}
