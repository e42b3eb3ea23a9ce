//! What a run measured: the one form that the runner writes, and that reports, comparisons and other programs read.
//!
//! It is written as `results.json`. Times are microseconds, rates are per second, memory is bytes. Everything that was measured more than
//! once is a [`Spread`]: each repetition's figure is kept, and what is quoted is their median. A difference between two targets is an
//! [`Interval`]: it comes from pairs measured in turn, never from two percentiles that were taken apart.
//!
//! What could not be measured is absent, and `Scenario::refused`, `Target::failures` or `ThroughputPoint::refused` says why. A figure
//! for which the load generator or the simulator was the limit is never reported as one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Of the whole form. A reader refuses a number above its own.
pub const SCHEMA: u32 = 1;

/// One invocation: any number of scenarios against the same targets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    pub schema: u32,
    pub title: String,
    /// When the run began, as RFC 3339 in UTC, and how long it took.
    pub began: String,
    pub took_s: f64,
    pub environment: Environment,
    pub scenarios: Vec<Scenario>,
}

/// Where and how it was measured: what a reader needs in order to repeat it, or to doubt it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Environment {
    pub kernel: String,
    pub cpu: String,
    pub cpus: usize,
    pub memory_bytes: u64,
    /// Which role ran on which CPUs: `load`, `simulator`, and each target that the suite started.
    pub pinning: BTreeMap<String, String>,
    /// Program to version: the suite, each target, and what measured them.
    pub versions: BTreeMap<String, String>,
    pub command_line: Vec<String>,
    /// Of targets that have one: `io_uring` or `epoll`.
    pub drivers: BTreeMap<String, String>,
    pub seed: u64,
    pub open_files_max: u64,
    /// Cores' worth of other work on the machine while it was measured: median and worst of the windows.
    pub other_load_cores: f64,
    pub other_load_cores_max: f64,
    /// Why something was not measured (no perf, not Linux's own counters, ...), one sentence each.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scenario {
    pub name: String,
    /// One sentence: what it asks, and why anyone wants to know.
    pub says: String,
    /// The scenario as it was run, as TOML, after all overrides.
    pub source: String,
    /// Sentences for the box "what this does not show".
    pub not_shown: Vec<String>,
    /// The generator or the simulator was the bottleneck, or nothing could be started: nothing below was measured.
    pub refused: Option<String>,
    /// Sentences: what was measured for less long than the scenario asks for, and what there was no time for.
    #[serde(default)]
    pub shortened: Vec<String>,
    #[serde(default)]
    pub left_out: Vec<String>,
    /// What it was planned to take, without the time in which targets start, and what it took with that.
    #[serde(default)]
    pub planned_s: f64,
    #[serde(default)]
    pub took_s: f64,
    /// What generator and simulator reach without a gateway.
    pub calibration: Option<Calibration>,
    pub targets: Vec<Target>,
}

/// The ceiling of the measure itself, taken at the same simulator without a gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Calibration {
    pub connections: usize,
    pub rps: Spread,
    /// Ceiling over the offered rate. Below 2 an open loop is refused.
    pub headroom: Option<f64>,
    pub load_cpu_us_per_request: f64,
}

/// One endpoint under one scenario.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    pub name: String,
    /// The direct path, against which the others are paired.
    pub baseline: bool,
    pub url: String,
    pub version: Option<String>,
    /// What it was told to do, in a sentence: `defaults`, `tuned: ...`.
    pub setup: String,
    /// Why the whole scenario, or part of it, failed at this target. Empty: nothing did.
    pub failures: Vec<String>,
    /// Open loop at the scenario's rate.
    pub latency: Option<Latency>,
    /// This target against the baseline. Absent for the baseline itself and where there is none.
    pub added: Option<Added>,
    /// Closed loop, by connections.
    pub throughput: Vec<ThroughputPoint>,
    /// The highest rate without an error and with p99 below the scenario's bound.
    pub sustained: Option<Sustained>,
    pub cost: Option<Cost>,
    pub memory: Option<Memory>,
    pub upstream: Option<Upstream>,
    /// Kind to count, over everything that was measured.
    pub errors: BTreeMap<String, u64>,
    pub fidelity: Option<Fidelity>,
    /// Marks on the time axis: an upstream died, a brown-out began.
    pub events: Vec<Event>,
}

/// Median and range of a figure's repetitions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
    pub runs: Vec<f64>,
}

/// A difference with its bootstrap confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub estimate: f64,
    pub low: f64,
    pub high: f64,
    /// Such as 0.95.
    pub level: f64,
    /// ABBA blocks that it comes from.
    pub blocks: usize,
}

/// Absolute figures of an open loop, counted from the time at which a request was due.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Latency {
    pub offered_per_s: f64,
    pub requests: u64,
    /// Sent more than a millisecond after they were due; never sent.
    pub late: u64,
    pub dropped: u64,
    pub whole_us: Percentiles,
    /// Of streams: to the first content, reasoning or tool delta.
    pub ttft_us: Option<Percentiles>,
    /// Of streams: between chunks.
    pub gap_us: Option<Percentiles>,
    /// Percentile curve of `whole_us`: quantile (0 to 1) and microseconds, dense towards 1.
    pub curve: Vec<(f64, u64)>,
    pub ttft_curve: Vec<(f64, u64)>,
    /// One entry a second, or less often in long runs.
    pub over_time: Vec<Slice>,
    /// File names of `.hlog` and `.hgrm`, relative to the results.
    pub histogram_files: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    pub count: u64,
    pub mean: f64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
    pub max: u64,
}

/// A piece of the time axis.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Slice {
    pub at_s: f64,
    pub requests: u64,
    pub errors: u64,
    pub p50_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
    pub resident_bytes: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    pub at_s: f64,
    pub says: String,
}

/// What the target adds to the direct path, in microseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Added {
    pub p50_us: Interval,
    pub p90_us: Interval,
    pub p99_us: Interval,
    pub p99_9_us: Interval,
    pub max_us: Interval,
    pub ttft_p50_us: Option<Interval>,
    pub ttft_p99_us: Option<Interval>,
    pub gap_p50_us: Option<Interval>,
    pub gap_p99_us: Option<Interval>,
}

/// Closed loop at one number of connections.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ThroughputPoint {
    pub connections: usize,
    pub rps: Spread,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Of the target's process tree, per request.
    pub cpu_us: Option<Spread>,
    /// Cores' worth that the target had, and that load and simulator had.
    pub target_cores: Option<f64>,
    pub load_cores: f64,
    pub errors: u64,
    /// A probe of its own at a low rate while the target is saturated.
    pub probe_us: Option<Percentiles>,
    /// Why `rps` says nothing about the target: its CPU was not full, or that of the load was.
    pub refused: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sustained {
    pub rps: f64,
    pub p99_us: u64,
    pub p99_us_bound: u64,
    /// True when the generator, not the target, was what ended the search.
    pub ended_by_generator: bool,
}

/// Of the target's whole process tree, per request, in a closed loop.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Cost {
    pub connections: usize,
    pub user_us: Spread,
    pub kernel_us: Spread,
    pub user_instructions: Option<Spread>,
    pub kernel_instructions: Option<Spread>,
    pub context_switches: Option<Spread>,
    pub system_calls: Option<Spread>,
}

/// Resident bytes of the target's process tree.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Memory {
    pub idle_bytes: u64,
    pub loaded_bytes: Option<u64>,
    pub after_bytes: Option<u64>,
    pub per_idle_connection_bytes: Option<f64>,
    /// Of a long run: the slope over its second half.
    pub slope_bytes_per_hour: Option<f64>,
    /// At 95 %. Absent in results of older versions.
    #[serde(default)]
    pub slope_bytes_per_hour_interval: Option<(f64, f64)>,
    /// Why a long run has no slope.
    #[serde(default)]
    pub slope_refused: Option<String>,
}

/// What the simulated provider saw of this target.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Upstream {
    pub requests: u64,
    pub connections: u64,
    pub handshakes: u64,
    /// Requests whose body broke a rule of its dialect, by rule.
    pub invalid: BTreeMap<String, u64>,
}

/// Whether each chunk of each stream arrived once, in order and whole.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Fidelity {
    pub streams: u64,
    pub chunks: u64,
    pub lost: u64,
    pub repeated: u64,
    pub out_of_order: u64,
    pub altered: u64,
}
