//! Runs scenarios against targets: the one place that knows the order of things.
//!
//! For each scenario: simulators start on the load's CPUs; the generator proves its ceiling against them, or the scenario is refused; each
//! target is started, its memory measured while it is fresh, and asked whether it keeps up; added latency on all targets in turn; the rest on
//! one target after the other (`one_target`). A target that fails is listed with its failure, a scenario that fails is refused with its
//! reason, and the others go on. A run that is stopped (`crate::stop`) ends here and says what it did not come to.
//!
//! `planned` says beforehand what will be done and how long it takes, `step` holds a measure to that. `simulators` are the providers,
//! `progress` is what a terminal shows, `clock` writes the date. `calibrate` measures the load alone, beside a proxy, without any scenario.

pub mod calibrate;
mod clock;
mod one_target;
pub mod planned;
mod progress;
mod scenario_run;
mod simulators;
mod step;
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
use crate::stop;
use crate::target::{Endpoint, Launcher, Spec};
use planned::Planned;
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
    /// For each target in each scenario, at most: what would take longer is shortened. Starts of targets come on top.
    pub seconds: Option<f64>,
    pub command_line: Vec<String>,
    /// For the report's box on the environment.
    pub notes: Vec<String>,
    pub quiet: bool,
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

/// Measures everything that is planned. `after_each` hears of the results so far after each scenario. Fails where nothing can be measured
/// at all, or with `after_each`; what a scenario or a target lacks is in the results.
pub fn run(
    options: &Options,
    planned: &[Planned],
    mut after_each: impl FnMut(&Results, &[Recording]) -> io::Result<()>,
) -> io::Result<Results> {
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
    let mut bench = Bench {
        options,
        launcher: Launcher { program: options.launcher.clone(), cpus: plan.target.clone() },
        plan,
        perf,
        environment,
        other_cores: Vec::new(),
        progress: Progress::new(planned.iter().map(Planned::seconds).sum(), options.quiet),
        recordings: Vec::new(),
    };
    let mut results = Results {
        schema: SCHEMA,
        title: options.title.clone(),
        began: clock::rfc3339(began),
        took_s: 0.0,
        environment: Environment::default(),
        scenarios: Vec::new(),
    };
    for planned in planned {
        results.scenarios.push(bench.scenario(planned));
        results.took_s = clock.elapsed().as_secs_f64();
        results.environment = bench.environment.clone();
        results.environment.other_load_cores = median(&mut bench.other_cores.clone());
        results.environment.other_load_cores_max = bench.other_cores.iter().copied().fold(0.0, f64::max);
        if stop::is_asked() {
            let says = "The run was stopped before its end: what is missing was not measured.";
            results.environment.notes.push(says.to_owned());
        }
        bench.progress.end();
        after_each(&results, &bench.recordings)?;
    }
    Ok(results)
}
