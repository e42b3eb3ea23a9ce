//! How long a scenario takes, and the same scenario in less time.
//!
//! A budget is for the whole scenario: calibration, the path without a gateway, and each target. Where it is short, every measure is
//! scaled by one factor: fewer blocks and repetitions down to those that an interval (20) and a spread (5) need, then shorter windows down
//! to the least that holds enough requests. A measure whose least does not fit beside those that matter more is left out. Both are
//! said, in sentences for the report. A budget that is longer than the scenario stretches nothing.
//!
//! Times are estimates of a target that keeps up. What it takes to start one is not among them: nobody can shorten that.

use super::{Answers, Load, Scenario};
use crate::limits::{BLOCKS_MIN, REPETITIONS_MIN};

/// The shortest window of an open and of a closed loop, and how many requests one of an open loop holds: without any it says nothing.
const OPEN_S_MIN: f64 = 0.05;
const CLOSED_S_MIN: f64 = 0.1;
const REQUESTS_MIN: f64 = 5.0;

/// For each connection of a closed loop, which is to be served once before anything counts.
const CONNECTION_S: f64 = 5e-5;

/// Of a closed loop with streams that are not paced, or none.
const WARMUP_S_MIN: f64 = 0.05;

/// A p99 of fewer requests is a maximum.
const SUSTAINED_S_MIN: f64 = 0.2;

/// Loads and rests of the memory measure: allocators give back within about that at the earliest.
const LOAD_S_MIN: f64 = 0.5;
const SETTLE_S_MIN: f64 = 0.5;

/// For what happens in it to have effects, and for a few readings of the memory.
const TIMELINE_S_MIN: f64 = 2.0;
const SOAK_S_MIN: f64 = 5.0;

/// Beside what it lasts: of each window; of one that is watched, which outlasts the look; of perf's start; of opening a connection.
const WINDOW_S: f64 = 0.02;
const WATCHED_S: f64 = 0.2;
const PERF_S: f64 = 0.15;
const OPENING_S: f64 = 1e-4;

/// Of a calibration's repetition, unless paced streams need more: two of them.
const CALIBRATION_S: f64 = 0.3;
const CALIBRATION_STREAMS: f64 = 2.0;

/// Windows of a search for the sustained rate: the ceiling twice, then eight, of which about half are tried again.
const SEARCH_WINDOWS: f64 = 14.0;

/// How long a slow client is awaited at the end of a window, at most.
const SLOW_S: f64 = 10.0;

/// Something that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Always taken: without it nothing is believed.
    Calibration,
    Latency,
    Timeline,
    Soak,
    Throughput,
    Cost,
    Memory,
    Sustained,
}

/// In which order they are kept where there is little time.
const BY_WEIGHT: [Measure; 7] = [
    Measure::Latency,
    Measure::Timeline,
    Measure::Soak,
    Measure::Throughput,
    Measure::Cost,
    Measure::Memory,
    Measure::Sustained,
];

impl Measure {
    pub fn name(self) -> &'static str {
        match self {
            Measure::Sustained => "sustained rate",
            Measure::Memory => "memory",
            Measure::Cost => "cost",
            Measure::Throughput => "throughput",
            Measure::Latency => "latency",
            Measure::Timeline => "timeline",
            Measure::Soak => "soak",
            Measure::Calibration => "calibration",
        }
    }
}

/// A scenario that fits, and what that cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// Without the measures that are left out; it may have none.
    pub scenario: Scenario,
    /// One sentence for each measure that is shorter than the scenario asks for.
    pub shortened: Vec<String>,
    /// One sentence for each measure that there is no time for.
    pub left_out: Vec<String>,
}

impl Scenario {
    /// Seconds of one measure, of all targets together and the path without a gateway. 0: it is not taken.
    pub fn measure_s(&self, measure: Measure, targets: usize) -> f64 {
        let each = targets as f64;
        let repetitions = self.repetitions as f64;
        let drain_s = self.drain_s();
        let watched = |warmup_s: f64, window_s: f64| warmup_s + window_s + WATCHED_S.min(window_s) + drain_s + WINDOW_S;
        let opening = |connections: usize| connections as f64 * OPENING_S;
        let seconds = match measure {
            Measure::Calibration => {
                let window_s = self.calibration_window_s();
                Some(repetitions * watched(window_s / 2.0, window_s))
            }
            Measure::Latency => self.latency.as_ref().map(|it| {
                let window_s = it.warmup_s + it.window_s + drain_s + WINDOW_S;
                let trials = 2.0 * (self.trial_s() + drain_s + WINDOW_S);
                2.0 * (each + 1.0) * it.blocks as f64 * window_s + each * trials
            }),
            Measure::Throughput => self.throughput.as_ref().map(|it| {
                let opening: f64 = it.connections.iter().copied().map(opening).sum();
                let windows = repetitions * it.connections.len() as f64;
                each * (windows * watched(it.warmup_s, it.window_s) + opening)
            }),
            Measure::Sustained => {
                let it = self.sustained.as_ref();
                it.map(|it| each * SEARCH_WINDOWS * (watched(it.warmup_s, it.window_s) + it.grace_s(0.0) / 2.0))
            }
            Measure::Cost => {
                let it = self.cost.as_ref();
                it.map(|it| {
                    each * (repetitions * (watched(it.warmup_s, it.window_s) + PERF_S) + opening(it.connections))
                })
            }
            Measure::Memory => self.memory.as_ref().map(|it| {
                let rests = if it.idle_connections > 0 { 3.0 } else { 2.0 };
                let greetings = it.idle_connections as f64 / super::GREETINGS_PER_S;
                each * (rests * it.settle_s + watched(0.0, it.load_s) + greetings + opening(it.idle_connections))
            }),
            Measure::Timeline => self.timeline.as_ref().map(|it| each * (super::LEAD_S + it.seconds + drain_s)),
            Measure::Soak => self.soak.as_ref().map(|it| each * (super::LEAD_S + it.seconds + drain_s)),
        };
        seconds.unwrap_or(0.0)
    }

    /// Each measure that is taken, with its seconds, in the order of the plan.
    pub fn measures(&self, targets: usize) -> Vec<(Measure, f64)> {
        let of = |measure| (measure, self.measure_s(measure, targets));
        std::iter::once(Measure::Calibration).chain(BY_WEIGHT).map(of).filter(|(_, seconds)| *seconds > 0.0).collect()
    }

    /// All of it.
    pub fn expected_s(&self, targets: usize) -> f64 {
        self.measures(targets).into_iter().map(|(_, seconds)| seconds).sum()
    }

    /// Of each repetition of the calibration.
    pub fn calibration_window_s(&self) -> f64 {
        CALIBRATION_S.max(CALIBRATION_STREAMS * self.stream_s())
    }

    /// Of the look at whether a target keeps up with the rate at which latency is measured.
    pub fn trial_s(&self) -> f64 {
        self.latency.as_ref().map_or(0.0, |it| it.window_s.clamp(0.25, 1.0))
    }

    /// How long the last answers of a window take to arrive, whoever is fine.
    pub fn drain_s(&self) -> f64 {
        let slow = |load: &Load| load.manners.reads_bytes_per_s.or(load.manners.sends_bytes_per_s).is_some();
        if self.loads.iter().any(slow) {
            return SLOW_S;
        }
        match &self.simulator.answers {
            Answers::Fast { chunks, gap_ms } if self.loads.iter().any(|load| load.stream) => {
                *chunks as f64 * gap_ms / 1e3
            }
            _ => 0.0,
        }
    }

    /// So that it takes at most `seconds`, by the estimate.
    pub fn fit(&self, seconds: f64, targets: usize) -> Fitted {
        let mut scenario = self.clone();
        let mut left_out = Vec::new();
        let least = self.scaled(0.0);
        let mut taken_s = least.measure_s(Measure::Calibration, targets);
        // What matters most first: whatever fits beside it at its least is kept.
        for measure in BY_WEIGHT {
            let least_s = least.measure_s(measure, targets);
            if taken_s + least_s <= seconds {
                taken_s += least_s;
            } else if least_s > 0.0 {
                scenario.leave_out(measure);
                left_out.push(format!(
                    "{}: not enough time; it takes at least {least_s:.1} s, of {seconds:.1} s for all of the scenario",
                    measure.name()
                ));
            }
        }
        if scenario.expected_s(targets) <= seconds {
            return Fitted { scenario, shortened: Vec::new(), left_out };
        }
        // What takes longer with a greater factor; forty halvings are exact enough for any clock.
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..40 {
            let middle = f64::midpoint(low, high);
            match scenario.scaled(middle).expected_s(targets) <= seconds {
                true => low = middle,
                false => high = middle,
            }
        }
        let fitted = scenario.scaled(low);
        Fitted { shortened: scenario.changes(&fitted), scenario: fitted, left_out }
    }

    fn leave_out(&mut self, measure: Measure) {
        match measure {
            Measure::Sustained => self.sustained = None,
            Measure::Memory => self.memory = None,
            Measure::Cost => self.cost = None,
            Measure::Throughput => self.throughput = None,
            Measure::Latency => self.latency = None,
            Measure::Timeline => self.timeline = None,
            Measure::Soak => self.soak = None,
            Measure::Calibration => {}
        }
    }

    /// Every measure scaled, none below its least.
    fn scaled(&self, factor: f64) -> Scenario {
        let mut scaled = self.clone();
        let stream_s = self.stream_s();
        let (repetitions, of_repetition) = divided(self.repetitions, REPETITIONS_MIN, factor);
        scaled.repetitions = repetitions;
        // A least that is more than what was asked for is what was asked for.
        let shrink = |s: &mut f64, factor: f64, least_s: f64| *s = (*s * factor).max(least_s.min(*s));
        if let Some(it) = &mut scaled.latency {
            let (blocks, of_block) = divided(it.blocks, BLOCKS_MIN, factor);
            it.blocks = blocks;
            shrink(&mut it.window_s, of_block, OPEN_S_MIN.max(REQUESTS_MIN / it.rate));
            shrink(&mut it.warmup_s, of_block, 0.0);
        }
        if let Some(it) = &mut scaled.throughput {
            let crowd_s = it.connections.iter().copied().max().unwrap_or(0) as f64 * CONNECTION_S;
            shrink(&mut it.window_s, of_repetition, CLOSED_S_MIN.max(crowd_s));
            shrink(&mut it.warmup_s, of_repetition, WARMUP_S_MIN.max(crowd_s));
        }
        if let Some(it) = &mut scaled.sustained {
            shrink(&mut it.window_s, factor, SUSTAINED_S_MIN);
            shrink(&mut it.warmup_s, factor, WARMUP_S_MIN);
        }
        if let Some(it) = &mut scaled.cost {
            // Streams that take turns: less than one of them would show where in it they are.
            shrink(&mut it.window_s, of_repetition, CLOSED_S_MIN.max(stream_s));
            shrink(&mut it.warmup_s, of_repetition, WARMUP_S_MIN.max(stream_s));
        }
        if let Some(it) = &mut scaled.memory {
            shrink(&mut it.load_s, factor, LOAD_S_MIN);
            shrink(&mut it.settle_s, factor, SETTLE_S_MIN);
        }
        if let Some(it) = &mut scaled.timeline {
            let whole_s = it.seconds;
            shrink(&mut it.seconds, factor, TIMELINE_S_MIN);
            let of_event = it.seconds / whole_s.max(1e-9);
            it.events.iter_mut().for_each(|event| event.at_s *= of_event);
        }
        if let Some(it) = &mut scaled.soak {
            shrink(&mut it.seconds, factor, SOAK_S_MIN);
        }
        scaled
    }

    /// What is shorter in the other one, in sentences.
    fn changes(&self, short: &Scenario) -> Vec<String> {
        let mut changes = Vec::new();
        let mut change = |measure: Measure, is: String, was: String| {
            if is != was {
                changes.push(format!("{}: shortened to {is}, from {was}", measure.name()));
            }
        };
        let windows = |count: usize, s: f64| format!("{count} windows of {s:.2} s");
        if let Some((is, was)) = short.latency.as_ref().zip(self.latency.as_ref()) {
            let text = |it: &super::Latency| format!("{} blocks with windows of {:.2} s", it.blocks, it.window_s);
            change(Measure::Latency, text(is), text(was));
        }
        if let Some((is, was)) = short.throughput.as_ref().zip(self.throughput.as_ref()) {
            let (is, was) = (windows(short.repetitions, is.window_s), windows(self.repetitions, was.window_s));
            change(Measure::Throughput, is, was);
        }
        if let Some((is, was)) = short.sustained.as_ref().zip(self.sustained.as_ref()) {
            let text = |it: &super::Sustained| format!("windows of {:.2} s", it.window_s);
            change(Measure::Sustained, text(is), text(was));
        }
        if let Some((is, was)) = short.cost.as_ref().zip(self.cost.as_ref()) {
            let (is, was) = (windows(short.repetitions, is.window_s), windows(self.repetitions, was.window_s));
            change(Measure::Cost, is, was);
        }
        if let Some((is, was)) = short.memory.as_ref().zip(self.memory.as_ref()) {
            let text = |it: &super::Memory| format!("{:.1} s of load and {:.1} s of rest", it.load_s, it.settle_s);
            change(Measure::Memory, text(is), text(was));
        }
        if let Some((is, was)) = short.timeline.as_ref().zip(self.timeline.as_ref()) {
            change(Measure::Timeline, format!("{:.1} s", is.seconds), format!("{:.1} s", was.seconds));
        }
        if let Some((is, was)) = short.soak.as_ref().zip(self.soak.as_ref()) {
            change(Measure::Soak, format!("{:.1} s", is.seconds), format!("{:.1} s", was.seconds));
        }
        changes
    }
}

/// So many repetitions times the factor, but not below their least, and by what each has to be scaled then.
fn divided(count: usize, least: usize, factor: f64) -> (usize, f64) {
    let fewer = ((count as f64 * factor).ceil() as usize).clamp(least.min(count), count.max(1));
    (fewer, (factor * count as f64 / fewer.max(1) as f64).min(1.0))
}
