//! What is measured: one scenario, checked.
//!
//! A scenario says which traffic is offered (`[[load]]`), what answers behind the target (`[simulator]`), and which measures are taken
//! (`[latency]`, `[throughput]`, ...): a measure whose table is absent is not taken. Times are seconds, sizes KB of 1,024 bytes. It reads
//! the same back as it is written by `to_toml`, which is how results carry it.
//!
//! `check` turns a file into these types, `shipped` holds the files that come with the binary, `budget` says how long it takes and makes it
//! quicker.

pub mod budget;
mod check;
mod shipped;

use serde::Serialize;

pub use crate::reader::Mistake;
pub use shipped::SHIPPED;

/// Of a timeline and a soak, before anything is reported.
pub const LEAD_S: f64 = 1.0;

/// First requests of idle connections per second.
pub const GREETINGS_PER_S: f64 = 2_000.0;

/// A scenario by its shipped name, or from a file.
pub fn open(name_or_path: &str) -> Result<Scenario, Mistake> {
    if let Some((name, text)) = SHIPPED.iter().find(|(name, _)| *name == name_or_path) {
        return parse(&format!("{name}.toml"), text);
    }
    match std::fs::read_to_string(name_or_path) {
        Ok(text) => parse(name_or_path, &text),
        Err(error) => {
            let names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
            Err(Mistake(format!("{name_or_path}: {error}; shipped scenarios are {}", names.join(", "))))
        }
    }
}

/// `file` is how messages name it.
pub fn parse(file: &str, text: &str) -> Result<Scenario, Mistake> {
    crate::reader::read(file, text, check::scenario)
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scenario {
    pub name: String,
    pub says: String,
    pub not_shown: Vec<String>,
    /// Of everything but latency, which has blocks. At least 5.
    pub repetitions: usize,
    pub simulator: Simulator,
    /// Offered together; what is measured is the first.
    #[serde(rename = "load")]
    pub loads: Vec<Load>,
    pub latency: Option<Latency>,
    pub throughput: Option<Throughput>,
    pub sustained: Option<Sustained>,
    pub cost: Option<Cost>,
    pub memory: Option<Memory>,
    pub timeline: Option<Timeline>,
    pub soak: Option<Soak>,
    /// Targets that the suite starts. Without any: Ringway as it comes.
    #[serde(rename = "target")]
    pub targets: Vec<Target>,
}

/// The simulated providers behind the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Simulator {
    /// Alike, in the order in which a gateway is to try them.
    pub count: usize,
    #[serde(flatten)]
    pub answers: Answers,
    pub tls: bool,
    pub http2: bool,
}

/// How the simulated providers answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answers {
    /// As told, in the simulator's own TOML; an empty script is a healthy provider.
    Script { script: String },
    /// Prebuilt answers; streams of so many content events with a pause between them.
    Fast { chunks: usize, gap_ms: f64 },
}

/// One kind of traffic.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Load {
    pub name: String,
    pub dialect: Dialect,
    pub kind: Kind,
    pub body_kb: f64,
    pub stream: bool,
    pub connections: usize,
    pub protocol: Protocol,
    /// Exchanges that each HTTP/2 connection carries at once.
    pub streams_per_connection: usize,
    #[serde(flatten)]
    pub manners: Manners,
    /// Another key each time that nobody issued, instead of the target's.
    pub random_keys: bool,
    /// Requests per second of a load beside the first. None: a closed loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Kinds of error that this load is meant to meet; they are counted and are no failure.
    pub expect: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    OpenaiChat,
    OpenaiEmbeddings,
    Anthropic,
    Gemini,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Chat,
    Tools,
    Images,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    Http1,
    Http2,
}

/// How the client behaves; at most one of them is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Manners {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads_bytes_per_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sends_bytes_per_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaves_after_events: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    Constant,
    Poisson,
}

/// Open loop, direct and through each target in turn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Latency {
    pub rate: f64,
    pub arrivals: Arrivals,
    /// Palindromes of windows: direct, gateway, gateway, direct. At least 20.
    pub blocks: usize,
    pub warmup_s: f64,
    pub window_s: f64,
}

/// Closed loops.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Throughput {
    pub connections: Vec<usize>,
    pub warmup_s: f64,
    pub window_s: f64,
    /// Requests per second of a probe with connections of its own. 0: none.
    pub probe_rate: f64,
}

/// The highest rate of an open loop without an error and with p99 below a bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sustained {
    pub p99_ms: f64,
    pub rate_max: f64,
    pub warmup_s: f64,
    pub window_s: f64,
}

/// CPU, instructions, context switches and system calls per request in a closed loop.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    pub connections: usize,
    pub warmup_s: f64,
    pub window_s: f64,
}

/// Resident memory: fresh, with idle connections, under load, after it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Memory {
    pub idle_connections: usize,
    /// Of the load, which is a closed loop of the first `[[load]]`.
    pub load_s: f64,
    /// Rest before each reading: allocators give back what is free after seconds.
    pub settle_s: f64,
}

/// One long open loop in which things happen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeline {
    pub rate: f64,
    pub arrivals: Arrivals,
    pub seconds: f64,
    #[serde(rename = "event")]
    pub events: Vec<Event>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    pub at_s: f64,
    /// From 1. None: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simulator: Option<usize>,
    #[serde(flatten)]
    pub action: Action,
    pub says: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    Stop,
    Start,
    Script { script: String },
}

/// One very long open loop with memory read beside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Soak {
    pub rate: f64,
    pub seconds: f64,
}

/// Something that the suite starts: Ringway in one of its forms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Target {
    pub name: String,
    /// What is special about it, in a sentence.
    pub setup: String,
    /// Another binary than the one that is found: a build with another allocator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<Driver>,
    pub environment: std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    IoUring,
    Epoll,
}

impl Driver {
    pub fn name(self) -> &'static str {
        match self {
            Driver::IoUring => "io_uring",
            Driver::Epoll => "epoll",
        }
    }
}

impl Sustained {
    /// How long answers are awaited after a window in which the rate was too high: nobody waits for the rest of its queue.
    pub fn grace_s(&self, drain_s: f64) -> f64 {
        drain_s + (4.0 * self.p99_ms / 1e3).max(0.2)
    }
}

impl Scenario {
    /// As a file that reads back the same.
    pub fn to_toml(&self) -> String {
        // Strings, numbers and tables with string keys, which TOML can write.
        toml::to_string(self).unwrap_or_else(|error| format!("# {error}\n"))
    }

    /// The kind of traffic that is measured.
    pub fn measured(&self) -> &Load {
        // `check` refuses a scenario without one.
        self.loads.first().expect("a checked scenario has a load")
    }

    /// How long one stream takes, if streams are measured and the provider paces them.
    pub fn stream_s(&self) -> f64 {
        match &self.simulator.answers {
            Answers::Fast { chunks, gap_ms } if self.measured().stream => *chunks as f64 * gap_ms / 1e3,
            _ => 0.0,
        }
    }
}
