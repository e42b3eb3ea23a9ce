//! Latency and memory along the run, a chart for each target: three lines for each of several targets in one chart would be a tangle.
//!
//! All latency charts of a scenario share both axes, so that they can be compared across. A long run has its slices joined until
//! at most [`SLICES_MAX`] are left: the largest p99 and maximum of those joined, and their median of p50, so that no peak gets lost.
//! A slice in which nothing was answered breaks the lines.

use super::{Figure, Page, exact_seconds};
use crate::limits::SLICES_MAX;
use crate::report::chart::Axis;
use crate::report::chart::lines::{self, Cross, Line, LineChart, Marks, Point};
use crate::report::numbers::{bare, count, count_tick, duration, mebibytes, memory, time, time_tick};
use crate::report::scale::Scale;
use crate::report::table::{Cell, Table, column};
use crate::results::{Slice, Target};

impl Page<'_> {
    pub(super) fn over_time(&self) -> Vec<Figure> {
        let (targets, notes) = self.drawn(|target| slices(target).iter().any(|slice| slice.requests > 0));
        let slices_by_target: Vec<Vec<Slice>> = targets.iter().map(|target| joined(slices(target))).collect();
        let all = || slices_by_target.iter().flatten();
        let last = all().map(|slice| slice.at_s).fold(0.0, f64::max);
        let measured = all().filter(|slice| slice.requests > 0);
        let latencies: Vec<f64> =
            measured.flat_map(|slice| [slice.p50_us, slice.max_us]).map(|us| us.max(1) as f64).collect();
        let chart = |(index, (target, slices)): (usize, (&&Target, &Vec<Slice>))| {
            let title = target.name.clone();
            let says = format!("Latency of {title} over time: p50, p99 and maximum.");
            let line = |name: &str, dashes, of: fn(&Slice) -> u64| Line {
                name: name.to_owned(),
                style: self.styles.of(&target.name),
                dashes: Some(dashes),
                points: slices.iter().map(|slice| point(slice, name, of(slice))).collect(),
                marks: Marks::None,
            };
            let failed = slices.iter().filter(|slice| slice.errors > 0);
            let drawn = LineChart {
                title: title.clone(),
                says: says.clone(),
                x: time_axis(last),
                y: Axis::new("latency", Scale::log(latencies.iter().copied()), 7, time_tick),
                lines: vec![
                    line("p50", "none", |slice| slice.p50_us),
                    line("p99", "6 3", |slice| slice.p99_us),
                    line("max", "1.5 2.5", |slice| slice.max_us),
                ],
                events: target.events.iter().map(|event| (event.at_s, event.says.clone())).collect(),
                crosses: failed
                    .map(|slice| Cross {
                        x: slice.at_s,
                        style: self.styles.of(&target.name),
                        says: format!("at {}: {} errors", exact_seconds(slice.at_s), count(slice.errors)),
                    })
                    .collect(),
                height: lines::LOW,
            };
            let events = (1..)
                .zip(&target.events)
                .map(|(number, event)| format!("{number}: at {}, {}", duration(event.at_s), event.says));
            let joined = (slices.len() < self::slices(target).len()).then(|| JOINED.to_owned());
            let notes =
                events.chain(joined).chain(notes.iter().filter(|_| index + 1 == targets.len()).cloned()).collect();
            let chart = drawn.svg(&self.id(&format!("time-{index}")));
            Figure { table: table(&title, slices), title, says, chart, notes }
        };
        targets.iter().zip(&slices_by_target).enumerate().map(chart).collect()
    }

    /// Of runs in which memory was followed.
    pub(super) fn memory_over_time(&self) -> Option<Figure> {
        let followed = |target: &Target| -> Vec<(f64, f64)> {
            let sizes = slices(target).iter().filter_map(|slice| Some((slice.at_s, slice.resident_bytes? as f64)));
            sizes.collect()
        };
        let (targets, notes) = self.drawn(|target| !followed(target).is_empty());
        let values: Vec<(f64, f64)> = targets.iter().flat_map(|target| followed(target)).collect();
        if values.is_empty() {
            return None;
        }
        let title = "Memory over time".to_owned();
        let says = "Resident memory of the target's process tree. What keeps growing leaks.".to_owned();
        let line = |target: &&Target| {
            let sizes = followed(target);
            let every = sizes.len().div_ceil(SLICES_MAX).max(1);
            let point = |(at, bytes): &(f64, f64)| Point {
                x: *at,
                y: Some(mebibytes(*bytes)),
                says: format!("{}, at {}: {}", target.name, exact_seconds(*at), memory(*bytes)),
            };
            self.line(target, Marks::None, sizes.iter().step_by(every).map(point).collect())
        };
        let last = values.iter().map(|(at, _)| *at).fold(0.0, f64::max);
        let chart = LineChart {
            title: title.clone(),
            says: says.clone(),
            x: time_axis(last),
            y: Axis::new(
                "resident, MiB",
                Scale::linear(values.iter().map(|(_, bytes)| mebibytes(*bytes))),
                5,
                count_tick,
            ),
            lines: targets.iter().map(line).collect(),
            events: Vec::new(),
            crosses: Vec::new(),
            height: lines::TALL,
        };
        let table = crate::report::tables::memory(self.scenario);
        Some(Figure { title, says, chart: chart.svg(&self.id("memory-time")), table, notes })
    }
}

/// In seconds; named by the minute when it is long.
fn time_axis(last_s: f64) -> Axis {
    let (label, unit_s) = if last_s > LONG_S { ("minutes", 60.0) } else { ("seconds", 1.0) };
    let ticks =
        Scale::exact(0.0, last_s / unit_s).ticks(5).into_iter().map(|tick| (tick * unit_s, bare(tick))).collect();
    Axis { scale: Scale::exact(0.0, last_s), label: label.to_owned(), ticks }
}

const LONG_S: f64 = 240.0;

const JOINED: &str = "A long run: slices are joined, each with its highest p99 and maximum.";

fn slices(target: &Target) -> &[Slice] {
    target.latency.as_ref().map(|latency| latency.over_time.as_slice()).unwrap_or_default()
}

fn point(slice: &Slice, name: &str, us: u64) -> Point {
    let says = format!("at {}: {name} {}", exact_seconds(slice.at_s), time(us as f64));
    Point { x: slice.at_s, y: (slice.requests > 0).then_some(us.max(1) as f64), says }
}

fn joined(slices: &[Slice]) -> Vec<Slice> {
    let every = slices.len().div_ceil(SLICES_MAX).max(1);
    slices
        .chunks(every)
        .filter_map(|group| {
            let mut p50s: Vec<u64> =
                group.iter().filter(|slice| slice.requests > 0).map(|slice| slice.p50_us).collect();
            p50s.sort_unstable();
            Some(Slice {
                at_s: group.first()?.at_s,
                requests: group.iter().map(|slice| slice.requests).sum(),
                errors: group.iter().map(|slice| slice.errors).sum(),
                p50_us: p50s.get(p50s.len() / 2).copied().unwrap_or(0),
                p99_us: group.iter().map(|slice| slice.p99_us).max()?,
                max_us: group.iter().map(|slice| slice.max_us).max()?,
                resident_bytes: group.last()?.resident_bytes,
            })
        })
        .collect()
}

fn table(title: &str, slices: &[Slice]) -> Table {
    let columns = [
        column("at", "s"),
        column("requests", ""),
        column("errors", ""),
        column("p50", "µs"),
        column("p99", "µs"),
        column("max", "µs"),
    ];
    let mut table = Table::new(title, columns.to_vec());
    for slice in slices {
        let errors = if slice.errors > 0 { Cell::alert(count(slice.errors)) } else { Cell::text("0") };
        table.push(vec![
            Cell::text(bare(slice.at_s)),
            Cell::text(count(slice.requests)),
            errors,
            Cell::text(count(slice.p50_us)),
            Cell::text(count(slice.p99_us)),
            Cell::text(count(slice.max_us)),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joining_slices_keeps_every_peak() {
        let slice = |second: u64| Slice {
            at_s: second as f64,
            requests: 1,
            p50_us: 10,
            p99_us: if second == 777 { 5_000 } else { 20 },
            max_us: 30 + second,
            errors: u64::from(second == 1_001),
            ..Slice::default()
        };
        let slices: Vec<Slice> = (0..1_200).map(slice).collect();
        let joined = joined(&slices);
        assert!(joined.len() <= SLICES_MAX, "{}", joined.len());
        assert_eq!(joined.iter().map(|slice| slice.requests).sum::<u64>(), 1_200);
        assert_eq!(joined.iter().filter(|slice| slice.p99_us == 5_000).count(), 1);
        assert_eq!(joined.iter().map(|slice| slice.errors).sum::<u64>(), 1);
        assert_eq!(joined.iter().map(|slice| slice.max_us).max(), Some(1_229));
    }
}
