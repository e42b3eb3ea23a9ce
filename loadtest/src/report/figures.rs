//! Which charts a scenario has, each with its sentence and its table.
//!
//! A chart is drawn only of what was measured: no chart is better than an empty one. At most [`CHART_TARGETS_MAX`] targets are drawn in
//! one chart and a sentence says who is missing; tables always have everybody.

mod over_time;

use maud::Markup;

use super::chart::bars::{self, BarChart, Fill, Part};
use super::chart::forest::{self, Forest};
use super::chart::lines::{self, Cross, Line, LineChart, Marks, Point};
use super::chart::{Axis, Styles};
use super::numbers::{count, count_tick, memory, number, signed, time, time_tick};
use super::scale::{Scale, percent};
use super::table::{Cell, Table, column, text_column};
use super::tables;
use crate::limits::CHART_TARGETS_MAX;
use crate::results::{Interval, Scenario, Target, ThroughputPoint};

pub struct Figure {
    pub title: String,
    /// What is shown and how to read it.
    pub says: String,
    pub chart: Markup,
    pub table: Table,
    /// Below the chart: what its numbers mean, who is missing.
    pub notes: Vec<String>,
}

/// All figures of a scenario in reading order. `id` begins the ids of their elements.
pub fn of_scenario(scenario: &Scenario, styles: &Styles, id: &str) -> Vec<Figure> {
    let page = Page { scenario, styles, id };
    let mut figures: Vec<Figure> = [
        page.added("Added latency", "added", |(what, _, _)| *what == "latency"),
        page.added("Added to the first content, and between chunks", "added-stream", |(what, _, _)| *what != "latency"),
        page.percentiles("Latency by percentile", "curve", |target| Some(&target.latency.as_ref()?.curve)),
        page.percentiles("Time to first content by percentile", "ttft", |target| {
            Some(&target.latency.as_ref()?.ttft_curve)
        }),
        page.throughput(),
        page.p99_by_connections(),
        page.cpu(),
        page.memory(),
    ]
    .into_iter()
    .flatten()
    .collect();
    figures.extend(page.memory_over_time());
    figures
}

/// Latency along the run, a figure for each target; they are read beside each other.
pub fn over_time(scenario: &Scenario, styles: &Styles, id: &str) -> Vec<Figure> {
    Page { scenario, styles, id }.over_time()
}

struct Page<'a> {
    scenario: &'a Scenario,
    styles: &'a Styles,
    id: &'a str,
}

impl Page<'_> {
    /// Those that `has` lets through, and a sentence about those beyond the bound.
    fn drawn(&self, has: impl Fn(&Target) -> bool) -> (Vec<&Target>, Vec<String>) {
        let mut drawn: Vec<&Target> = self.scenario.targets.iter().filter(|target| has(target)).collect();
        let left_out = drawn.split_off(drawn.len().min(CHART_TARGETS_MAX));
        let names: Vec<_> = left_out.iter().map(|target| target.name.as_str()).collect();
        let note = format!("Not drawn, but in the table: {}.", names.join(", "));
        (drawn, if names.is_empty() { Vec::new() } else { vec![note] })
    }

    fn id(&self, name: &str) -> String {
        format!("{}-{name}", self.id)
    }

    fn added(&self, title: &str, name: &str, which: impl Fn(&(&str, &str, Interval)) -> bool) -> Option<Figure> {
        let measures = |target: &Target| -> Vec<_> {
            target.added.iter().flat_map(tables::added_measures).filter(|measure| which(measure)).collect()
        };
        let (targets, notes) = self.drawn(|target| !measures(target).is_empty());
        if targets.is_empty() {
            return None;
        }
        let mut table = Table::new(
            title,
            vec![
                text_column("Target"),
                text_column("At"),
                column("estimate", "µs"),
                column("from", "µs"),
                column("to", "µs"),
            ],
        );
        let label = |what: &str, at: &str| match what {
            "latency" => at.to_owned(),
            "first content" => format!("first {at}"),
            what => format!("{what} {at}"),
        };
        for target in self.scenario.targets.iter() {
            for (what, at, it) in measures(target) {
                let numbers = [it.estimate, it.low, it.high].map(|us| Cell::text(signed(us)));
                table
                    .push([Cell::text(&target.name), Cell::text(label(what, at))].into_iter().chain(numbers).collect());
            }
        }
        let row = |(what, at, it): &(&str, &str, Interval)| (label(what, at), *it);
        let group = |target: &&Target| forest::Group {
            name: target.name.clone(),
            style: self.styles.of(&target.name),
            rows: measures(target).iter().map(row).collect(),
        };
        let level = targets.first().and_then(|target| target.added.as_ref()).map_or(0.95, |added| added.p50_us.level);
        let says = format!(
            "Through the target less direct, measured in turn. Dot: estimate; whisker: {} % confidence. Linear around zero, logarithmic beyond.",
            number(level * 100.0).trim_end_matches(".0")
        );
        let chart = Forest { title: title.to_owned(), says: says.clone(), groups: targets.iter().map(group).collect() };
        Some(Figure { title: title.to_owned(), says, chart: chart.svg(&self.id(name)), table, notes })
    }

    fn percentiles<'b>(
        &'b self,
        title: &str,
        name: &str,
        of: impl Fn(&'b Target) -> Option<&'b Vec<(f64, u64)>>,
    ) -> Option<Figure> {
        let curve = |target: &'b Target| of(target).map(Vec::as_slice).unwrap_or_default();
        let mut targets: Vec<&'b Target> =
            self.scenario.targets.iter().filter(|target| !curve(target).is_empty()).collect();
        let (_, notes) = self.drawn(|target| targets.iter().any(|known| std::ptr::eq(*known, target)));
        if targets.is_empty() {
            return None;
        }
        let mut table =
            Table::new(title, vec![text_column("Target"), column("percentile", "%"), column("latency", "µs")]);
        for target in &targets {
            for (quantile, us) in curve(target) {
                table.push(vec![
                    Cell::text(&target.name),
                    Cell::text(exact_percent(*quantile)),
                    Cell::text(count(*us)),
                ]);
            }
        }
        targets.truncate(CHART_TARGETS_MAX);
        let all = || targets.iter().flat_map(|target| curve(target));
        let says = "Each step to the right is ten times rarer. Both axes are logarithmic; lower is better.";
        let chart = LineChart {
            title: title.to_owned(),
            says: says.to_owned(),
            x: Axis::new("percentile", Scale::nines(all().map(|(quantile, _)| *quantile)), 8, percent),
            y: Axis::new("latency", Scale::log(all().map(|(_, us)| (*us).max(1) as f64)), 7, time_tick),
            lines: targets
                .iter()
                .map(|target| {
                    let point = |(quantile, us): &(f64, u64)| Point {
                        x: *quantile,
                        y: Some((*us).max(1) as f64),
                        says: format!("{}: {}% within {}", target.name, exact_percent(*quantile), time(*us as f64)),
                    };
                    self.line(target, Marks::AtTicks, curve(target).iter().map(point).collect())
                })
                .collect(),
            events: Vec::new(),
            crosses: Vec::new(),
            height: lines::TALL,
        };
        Some(Figure { title: title.to_owned(), says: says.to_owned(), chart: chart.svg(&self.id(name)), table, notes })
    }

    fn throughput(&self) -> Option<Figure> {
        let says = "Closed loop: each connection sends when it has its answer. A cross is a point that was refused: it says nothing about \
                    the target.";
        let y = |values: &[f64]| Axis::new("requests per second", Scale::linear(values.iter().copied()), 5, count_tick);
        let point = |target: &Target, point: &ThroughputPoint| Point {
            x: point.connections as f64,
            y: Some(point.rps.median),
            says: format!(
                "{}, {} connections: {}/s",
                target.name,
                count(point.connections as u64),
                number(point.rps.median)
            ),
        };
        self.by_connections("Throughput by connections", "throughput", says, y, point)
    }

    fn p99_by_connections(&self) -> Option<Figure> {
        let says =
            "Under full load each connection waits for the others, so this grows with their number. Lower is better.";
        let y = |values: &[f64]| Axis::new("99th percentile", Scale::log(values.iter().copied()), 7, time_tick);
        let point = |target: &Target, point: &ThroughputPoint| Point {
            x: point.connections as f64,
            y: Some(point.p99_us),
            says: format!(
                "{}, {} connections: p99 {}",
                target.name,
                count(point.connections as u64),
                time(point.p99_us)
            ),
        };
        self.by_connections("p99 by connections", "p99", says, y, point)
    }

    fn by_connections(
        &self,
        title: &str,
        name: &str,
        says: &str,
        y: impl Fn(&[f64]) -> Axis,
        point: impl Fn(&Target, &ThroughputPoint) -> Point,
    ) -> Option<Figure> {
        let good = |target: &Target| -> Vec<ThroughputPoint> {
            let mut points: Vec<_> =
                target.throughput.iter().filter(|point| point.refused.is_none()).cloned().collect();
            points.sort_by_key(|point| point.connections);
            points
        };
        let (targets, notes) = self.drawn(|target| !target.throughput.is_empty());
        let connections = targets.iter().flat_map(|target| &target.throughput).map(|point| point.connections as f64);
        let x = Axis::new("connections", Scale::log_exact(connections), 7, count_tick);
        let line = |target: &&Target| {
            let points: Vec<_> = good(target).iter().map(|one| point(target, one)).collect();
            self.line(target, Marks::Each, points)
        };
        let lines: Vec<_> = targets.iter().map(line).filter(|line| !line.points.is_empty()).collect();
        let values: Vec<f64> = lines.iter().flat_map(|line| &line.points).filter_map(|point| point.y).collect();
        if values.is_empty() {
            return None;
        }
        let cross = |target: &Target, point: &ThroughputPoint| {
            let reason = point.refused.as_ref()?;
            let says = format!("{}, {} connections: refused, {reason}", target.name, count(point.connections as u64));
            Some(Cross { x: point.connections as f64, style: self.styles.of(&target.name), says })
        };
        let crosses = targets
            .iter()
            .flat_map(|target| target.throughput.iter().filter_map(|point| cross(target, point)))
            .collect();
        let chart = LineChart {
            title: title.to_owned(),
            says: says.to_owned(),
            x,
            y: y(&values),
            lines,
            events: Vec::new(),
            crosses,
            height: lines::TALL,
        };
        let (title, says) = (title.to_owned(), says.to_owned());
        Some(Figure { title, says, chart: chart.svg(&self.id(name)), table: tables::throughput(self.scenario), notes })
    }

    fn cpu(&self) -> Option<Figure> {
        let (targets, notes) = self.drawn(|target| target.cost.is_some());
        let group = |target: &&Target| {
            let cost = target.cost.as_ref()?;
            let (user, kernel) = (cost.user_us.median, cost.kernel_us.median);
            let part = |what: &str, us: f64, fill| Part {
                value: us,
                fill,
                says: format!("{}, {what}: {}", target.name, time(us)),
            };
            Some(bars::Group {
                name: target.name.clone(),
                style: self.styles.of(&target.name),
                total: format!("{} = {} user + {} kernel", time(user + kernel), number(user), number(kernel)),
                bars: vec![bars::Bar {
                    name: "",
                    parts: vec![part("user", user, Fill::Full), part("kernel", kernel, Fill::Tinted)],
                    value: String::new(),
                }],
            })
        };
        let says = "CPU time of the target's whole process tree. Full: user; tinted: kernel.";
        self.bars(
            "CPU per request",
            "cpu",
            says,
            targets.iter().filter_map(group).collect(),
            tables::cost(self.scenario),
            notes,
        )
    }

    fn memory(&self) -> Option<Figure> {
        let (targets, notes) = self.drawn(|target| target.memory.is_some());
        let group = |target: &&Target| {
            let sizes = target.memory.as_ref()?;
            let bar = |name: &'static str, bytes: u64, fill| bars::Bar {
                name,
                parts: vec![Part {
                    value: bytes as f64,
                    fill,
                    says: format!("{}, {name}: {}", target.name, memory(bytes as f64)),
                }],
                value: memory(bytes as f64),
            };
            let later = [("loaded", sizes.loaded_bytes, Fill::Full), ("after", sizes.after_bytes, Fill::Tinted)];
            let mut own = vec![bar("idle", sizes.idle_bytes, Fill::Outline)];
            own.extend(later.into_iter().filter_map(|(name, bytes, fill)| Some(bar(name, bytes?, fill))));
            let total = sizes
                .per_idle_connection_bytes
                .map_or(String::new(), |bytes| format!("{} per idle connection", memory(bytes)));
            Some(bars::Group { name: target.name.clone(), style: self.styles.of(&target.name), total, bars: own })
        };
        let says = "Resident memory of the process tree: before any request, under load, and after it.";
        self.bars(
            "Memory",
            "memory",
            says,
            targets.iter().filter_map(group).collect(),
            tables::memory(self.scenario),
            notes,
        )
    }

    fn bars(
        &self,
        title: &str,
        name: &str,
        says: &str,
        groups: Vec<bars::Group>,
        table: Table,
        notes: Vec<String>,
    ) -> Option<Figure> {
        if groups.is_empty() {
            return None;
        }
        let (title, says) = (title.to_owned(), says.to_owned());
        let chart = BarChart { title: title.clone(), says: says.clone(), groups }.svg(&self.id(name));
        Some(Figure { title, says, chart, table, notes })
    }

    fn line(&self, target: &Target, marks: Marks, points: Vec<Point>) -> Line {
        Line { name: target.name.clone(), style: self.styles.of(&target.name), dashes: None, points, marks }
    }
}

/// With all the nines that it has, which [`number`] would round away.
fn exact_percent(quantile: f64) -> String {
    let text = format!("{:.6}", quantile * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn exact_seconds(seconds: f64) -> String {
    format!("{} s", super::numbers::bare(seconds))
}
