//! Runs scenarios against targets: the one place that knows the order of things.
//!
//! For each scenario: simulators start on the load's CPUs; the generator proves its ceiling against them, or the scenario is refused; each
//! target is started and asked once; memory is measured on fresh processes; added latency on all targets in turn; the rest on one
//! target after the other (`one_target`). A target that fails is listed with its failure, and the others go on.
//!
//! `simulators` are the providers, `progress` is what a terminal shows, `clock` writes the date. `calibrate` measures the
//! load alone, beside a proxy, without any scenario.

pub mod calibrate;
mod clock;
mod one_target;
mod progress;
mod scenario_run;
mod simulators;
mod table;

use std::io;
use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

pub use table::table;

use crate::hdr::Recording;
use crate::measure::machine::{self, Plan};
use crate::measure::perf;
use crate::measure::spread::median;
use crate::results::{Environment, Results, SCHEMA};
use crate::scenario::Scenario;
use crate::target::{Endpoint, Launcher, Spec};
use progress::Progress;

/// One invocation.
pub struct Options {
    pub title: String,
    pub scenarios: Vec<Scenario>,
    /// What is measured. Scenarios with targets of their own take those forms of the first Ringway among them.
    pub targets: Vec<Spec>,
    /// What the targets are paired with. None: the simulator itself, if the targets stand before it.
    pub baseline: Option<Endpoint>,
    /// Where the first simulator listens. None: a free port, which only targets that are started here can know.
    pub simulator_listen: Option<SocketAddr>,
    /// This program.
    pub launcher: std::path::PathBuf,
    pub target_cpus: usize,
    pub seed: u64,
    /// Shortens the scenarios to about so much in all.
    pub seconds: Option<f64>,
    pub command_line: Vec<String>,
    /// For the report's box on the environment.
    pub notes: Vec<String>,
    pub quiet: bool,
}

/// Results, and the histograms behind them.
pub struct Outcome {
    pub results: Results,
    pub recordings: Vec<Recording>,
}

/// What all scenarios of a run share.
struct Bench<'a> {
    options: &'a Options,
    plan: Plan,
    launcher: Launcher,
    perf: perf::Available,
    environment: Environment,
    other_cores: Vec<f64>,
    progress: Progress,
    recordings: Vec<Recording>,
}

impl Options {
    /// What is measured in a scenario: its own forms of Ringway, or what was named.
    fn targets_of(&self, scenario: &Scenario) -> Vec<Spec> {
        let ringway = self.targets.iter().find_map(|spec| match spec {
            Spec::Ringway(ringway) => Some(ringway),
            _ => None,
        });
        match ringway {
            Some(plain) if !scenario.targets.is_empty() => scenario
                .targets
                .iter()
                .map(|target| Spec::Ringway(crate::target::Ringway::variant(target, &plain.binary)))
                .collect(),
            _ => self.targets.clone(),
        }
    }

    fn expected_s(&self, scenarios: &[Scenario]) -> f64 {
        scenarios.iter().map(|scenario| scenario.expected_s(self.targets_of(scenario).len())).sum()
    }
}

/// Measures everything. Fails where nothing can be measured at all; what a scenario or a target lacks is in the results.
pub fn run(options: &Options) -> io::Result<Outcome> {
    let began = SystemTime::now();
    let clock = Instant::now();
    let plan = Plan::new(&machine::allowed_cpus(), options.target_cpus);
    let mut environment =
        Environment { command_line: options.command_line.clone(), seed: options.seed, ..Environment::default() };
    environment.notes.extend(options.notes.iter().cloned());
    machine::describe(&mut environment);
    environment.versions.insert("ringway-loadtest".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    for role in ["load", "simulator"] {
        environment.pinning.insert(role.to_owned(), format!("CPU {}", machine::cpu_list(&plan.load)));
    }
    if cfg!(debug_assertions) {
        environment.notes.push(
            "The load test itself was built without optimisation: its ceiling is low, and it is refused early."
                .to_owned(),
        );
    }
    if plan.shares_cpus() {
        environment
            .notes
            .push("There is one CPU: target and load share it, so throughput is never reported.".to_owned());
    }
    machine::stay_on(&plan.load)?;
    environment.notes.extend(machine::raise_priority().err());
    let perf = perf::available();
    environment.notes.extend(perf.notes.iter().cloned());
    let mut scenarios = options.scenarios.clone();
    if let Some(seconds) = options.seconds {
        let whole = options.expected_s(&scenarios);
        for scenario in &mut scenarios {
            let targets = options.targets_of(scenario).len();
            let share = scenario.expected_s(targets) / whole.max(1e-9);
            scenario.shorten(seconds * share, targets);
        }
    }
    let mut bench = Bench {
        options,
        launcher: Launcher { program: options.launcher.clone(), cpus: plan.target.clone() },
        plan,
        perf,
        environment,
        other_cores: Vec::new(),
        progress: Progress::new(options.expected_s(&scenarios), options.quiet),
        recordings: Vec::new(),
    };
    let measured = scenarios.iter().map(|scenario| bench.scenario(scenario)).collect::<io::Result<Vec<_>>>()?;
    bench.progress.end();
    bench.environment.other_load_cores = median(&mut bench.other_cores.clone());
    bench.environment.other_load_cores_max = bench.other_cores.iter().copied().fold(0.0, f64::max);
    let results = Results {
        schema: SCHEMA,
        title: options.title.clone(),
        began: clock::rfc3339(began),
        took_s: clock.elapsed().as_secs_f64(),
        environment: bench.environment,
        scenarios: measured,
    };
    Ok(Outcome { results, recordings: bench.recordings })
}
