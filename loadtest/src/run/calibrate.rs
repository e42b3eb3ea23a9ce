//! What generator and simulator reach together, beside what a proxy reaches on a core of its own: the proof that the load is lighter than
//! what it measures.
//!
//! A closed loop of small requests, first straight at the simulator, then through each target on the target's CPUs, with the load on the
//! others. Throughput counts as a target's only where its CPUs were full and the load's were not; otherwise the report says what was.
//! Requests per second depend on the machine of that moment, instructions do not: compare them first.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use serde::Serialize;

use super::simulators::Simulators;
use crate::load::Pattern;
use crate::measure::machine::{self, Plan};
use crate::measure::perf;
use crate::measure::throughput::{Cores, refusal_of};
use crate::measure::traffic::{GRACE, Style, Traffic, window};
use crate::measure::watch::{Seen, Watch};
use crate::results::Spread;
use crate::scenario::{Answers, Dialect, Kind, Load, Manners, Protocol, Simulator};
use crate::target::launch::Folder;
use crate::target::{Launcher, Spec};

pub struct Options {
    pub targets: Vec<Spec>,
    pub connections: usize,
    /// TLS and HTTP/2 between the load and the simulator, and between a target and the simulator.
    pub secure: bool,
    pub streams_per_connection: usize,
    pub repetitions: usize,
    pub window_s: f64,
    /// This program: see `Launcher`.
    pub launcher: PathBuf,
    pub target_cpus: usize,
    pub seed: u64,
}

/// One line of the outcome.
#[derive(Debug, Serialize)]
pub struct Line {
    pub name: String,
    pub rps: Spread,
    pub errors: u64,
    /// Of generator and simulator together.
    pub load_cores: f64,
    pub load_instructions: Option<Instructions>,
    /// None: there is no target.
    pub target_cores: Option<f64>,
    /// Why the rate is not what the target can do.
    pub refused: Option<String>,
}

/// Of one request.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Instructions {
    pub user: f64,
    pub kernel: f64,
}

/// Measures the load alone, and then each target before it.
pub fn calibrate(options: &Options) -> io::Result<Vec<Line>> {
    let plan = Plan::new(&machine::allowed_cpus(), options.target_cpus);
    machine::stay_on(&plan.load)?;
    // Refused: then other work on the machine takes its share.
    let _ = machine::raise_priority();
    let asked = Simulator {
        count: 1,
        answers: Answers::Fast { chunks: 1, gap_ms: 0.0 },
        tls: options.secure,
        http2: options.secure,
    };
    let simulators = Simulators::start(&asked, None, options.seed)?;
    let launcher = Launcher { program: options.launcher.clone(), cpus: plan.target.clone() };
    let folder = Folder::new()?;
    let counts = perf::available();
    let requests = || Some(simulators.requests());
    let measure = |name: &str, endpoint: &_, secure: bool, pid: Option<u32>| {
        let threads = plan.load_threads(options.connections);
        let style = Style { seed: options.seed, threads, check_chunks: false, grace: GRACE };
        let mut traffic = Traffic::open(endpoint, &[load(options, secure)], style)?;
        let mut runs = Vec::new();
        for _ in 0..options.repetitions {
            // Of the load, where there is nobody else: its threads are all of this process.
            let perf = pid.is_none().then_some((&counts, folder.path.as_path()));
            let watch = Watch { pid: Some(pid.unwrap_or_else(machine::own_pid)), upstream_requests: &requests, perf };
            runs.push(traffic.watched(&window(Pattern::Closed, options.window_s / 2.0, options.window_s), &watch)?);
        }
        let cores = Cores { target: plan.target.len(), load: plan.load.len() };
        Ok::<_, io::Error>(line(name, &runs, pid.map(|_| cores)))
    };
    let mut lines = vec![measure("generator and simulator alone", &simulators.direct(), options.secure, None)?];
    for spec in &options.targets {
        let running = spec.start(&launcher, &simulators.upstreams())?;
        // Downstream of a target is plaintext, as in the scenarios.
        lines.push(measure(spec.name(), &running.endpoint, false, running.endpoint.pid)?);
    }
    Ok(lines)
}

fn load(options: &Options, secure: bool) -> Load {
    Load {
        name: "small".to_owned(),
        dialect: Dialect::OpenaiChat,
        kind: Kind::Chat,
        body_kb: 1.0,
        stream: false,
        connections: if secure {
            options.connections.div_ceil(options.streams_per_connection)
        } else {
            options.connections
        },
        protocol: if secure { Protocol::Http2 } else { Protocol::Http1 },
        streams_per_connection: options.streams_per_connection,
        manners: Manners::default(),
        random_keys: false,
        rate: None,
        expect: Vec::new(),
    }
}

fn line(name: &str, runs: &[Seen], cores: Option<Cores>) -> Line {
    let median = |figure: &dyn Fn(&Seen) -> f64| Spread::of(runs.iter().map(figure).collect()).median;
    let each = |count: fn(&Seen) -> Option<f64>| {
        let counted: Option<Vec<f64>> =
            runs.iter().map(|seen| Some(count(seen)? / seen.requests.max(1) as f64)).collect();
        counted.map(|counted| Spread::of(counted).median)
    };
    let instructions = each(|seen| seen.counts.user_instructions).zip(each(|seen| seen.counts.kernel_instructions));
    Line {
        name: name.to_owned(),
        rps: Spread::of(runs.iter().map(|seen| seen.offered.report.rps).collect()),
        errors: runs.iter().flat_map(|seen| seen.offered.report.errors.values()).sum(),
        load_cores: median(&|seen| seen.load_cores),
        load_instructions: instructions.map(|(user, kernel)| Instructions { user, kernel }),
        target_cores: cores
            .map(|_| median(&|seen| seen.target.map_or(0.0, |usage| usage.total().as_secs_f64() / seen.seconds))),
        refused: cores.and_then(|cores| refusal_of(runs, cores)),
    }
}

/// The lines as a table for a terminal. The first is the load alone, to which the others are compared.
pub fn table(lines: &[Line]) -> String {
    let mut text = String::new();
    let alone = lines.first().map_or(0.0, |line| line.rps.median);
    for line in lines {
        // Writing to a String does not fail.
        let _ = write!(
            text,
            "{:<30}{:>9.0} requests/s ({:.0} to {:.0})",
            line.name, line.rps.median, line.rps.low, line.rps.high
        );
        if let Some(Instructions { user, kernel }) = line.load_instructions {
            let _ = write!(text, ", {user:.0} user and {kernel:.0} kernel instructions each");
        }
        if let Some(cores) = line.target_cores {
            let ratio = alone / line.rps.median.max(1e-9);
            let _ = write!(
                text,
                ", target {cores:.2} and load {:.2} cores, load alone {ratio:.1} times as fast",
                line.load_cores
            );
        }
        if line.errors > 0 {
            let _ = write!(text, ", {} errors", line.errors);
        }
        text.push('\n');
        line.refused.iter().for_each(|refused| {
            let _ = writeln!(text, "    not the target's limit: {refused}");
        });
    }
    text
}
