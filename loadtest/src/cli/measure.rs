//! `quick` and `run`: scenarios against targets, and a report.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ringway_loadtest::load::Trust;
use ringway_loadtest::peers;
use ringway_loadtest::report;
use ringway_loadtest::results::Results;
use ringway_loadtest::run::{self, Options, planned};
use ringway_loadtest::scenario::{self, SHIPPED};
use ringway_loadtest::stop;
use ringway_loadtest::target::peer::Peer;
use ringway_loadtest::target::{Endpoint, Ringway, Spec, find};

/// Starts a simulated provider and Ringway, and measures what the hop costs: a few minutes.
#[derive(Debug, clap::Args)]
pub struct Quick {
    #[command(flatten)]
    common: Common,
}

/// Measures a scenario against any endpoints, side by side. Without --target: against Ringway, which it starts.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// Names of shipped scenarios (see --list), or files.
    #[arg(required_unless_present = "list", value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Lists the shipped scenarios.
    #[arg(long)]
    list: bool,
    /// What is measured: URL or NAME=URL of an API that runs already, `ringway` or NAME=ringway to start one, `peer:FOLDER` to start
    /// what its peer.toml describes, in its setup `tuned`, or in another with `peer:FOLDER@SETUP`.
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<String>,
    /// Bearer credential: KEY for all targets, or NAME=KEY. It shows in the list of processes; --key-file does not.
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<String>,
    /// File whose first line is the credential: FILE for all targets, or NAME=FILE.
    #[arg(long = "key-file", value_name = "FILE")]
    key_files: Vec<String>,
    /// Process of a target that runs on this machine: PID, or NAME=PID. With it CPU, memory and throughput can be reported.
    #[arg(long = "pid", value_name = "PID")]
    pids: Vec<String>,
    /// The same API without a gateway: what the targets are paired with.
    #[arg(long, value_name = "URL")]
    baseline: Option<String>,
    /// Bearer credential of the baseline.
    #[arg(long, value_name = "KEY", requires = "baseline")]
    baseline_key: Option<String>,
    /// The model that is asked for at targets that run already, and at the baseline.
    #[arg(long, default_value = "sim-small")]
    model: String,
    /// PEM file of certificate authorities to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Address of the simulated provider, for a gateway that runs already and is configured to use it. The baseline is then the provider.
    #[arg(long, value_name = "ADDRESS")]
    sim_listen: Option<SocketAddr>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// The gateway's binary. Otherwise the one beside this program, or in the PATH.
    #[arg(long, value_name = "PATH")]
    pub(super) ringway: Option<PathBuf>,
    /// Where peers are that do not come with the system.
    #[arg(long, env = "RINGWAY_PEER_TOOLS", default_value = "target/peers", value_name = "DIR")]
    pub(super) tools: PathBuf,
    /// Where the report goes.
    #[arg(long, default_value = "loadtest-report", value_name = "DIR")]
    out: PathBuf,
    /// Time for each target in each scenario, at most: calibration, the path without a gateway and everything that is measured; starting a
    /// target comes on top. All of it takes about SECONDS x targets x scenarios.
    ///
    /// Where a scenario asks for more, its windows shrink, blocks not below 20 and repetitions not below 5; what does not fit even so is left
    /// out. The report names both. Nothing is stretched: without --seconds each scenario takes what it asks for. See --plan.
    #[arg(long, value_parser = positive)]
    seconds: Option<f64>,
    /// Prints what would be measured and how long it takes, and ends.
    #[arg(long, visible_alias = "dry-run")]
    pub(super) plan: bool,
    /// CPUs that targets have to themselves; the load has the others.
    #[arg(long, default_value_t = 1)]
    target_cpus: usize,
    /// Of everything that is drawn: arrivals, bodies, resampling.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// No progress on standard error.
    #[arg(long)]
    quiet: bool,
}

impl Quick {
    pub fn run(self) -> io::Result<()> {
        let ringway = Spec::Ringway(Ringway::plain(find(self.common.ringway.as_deref())?));
        let scenarios = vec!["quick".to_owned(), "quick-stream".to_owned()];
        let title = "What Ringway adds".to_owned();
        self.common.measure(Asked { title, scenarios, targets: vec![ringway], ..Asked::default() })
    }
}

impl Run {
    pub fn run(self) -> io::Result<()> {
        if self.list {
            return list();
        }
        let targets = self.specs()?;
        let trust = self.trust();
        let baseline = self.baseline.as_ref().map(|url| Endpoint {
            key: self.baseline_key.clone(),
            model: self.model.clone(),
            trust,
            setup: "without a gateway".to_owned(),
            ..Endpoint::plain("direct", url)
        });
        self.common.measure(Asked {
            title: self.scenarios.join(", "),
            scenarios: self.scenarios,
            targets,
            baseline,
            simulator_listen: self.sim_listen,
            ..Asked::default()
        })
    }

    fn trust(&self) -> Trust {
        self.ca_file.clone().map_or(Trust::System, Trust::CaFile)
    }

    fn specs(&self) -> io::Result<Vec<Spec>> {
        let mut keys = Named::new(&self.keys);
        for (name, file) in Named::new(&self.key_files).0 {
            let text = std::fs::read_to_string(&file).map_err(|error| invalid(format!("{file}: {error}")))?;
            keys.0.insert(name, text.lines().next().unwrap_or_default().trim().to_owned());
        }
        let pids = Named::new(&self.pids);
        let ringway = ["ringway".to_owned()];
        let asked = if self.targets.is_empty() { &ringway[..] } else { &self.targets };
        let mut specs: Vec<Spec> = Vec::new();
        for text in asked {
            let spec = self.spec(text, specs.len(), &keys, &pids)?;
            if specs.iter().any(|other| other.name() == spec.name()) {
                return Err(invalid(format!("two targets are named {}", spec.name())));
            }
            specs.push(spec);
        }
        Ok(specs)
    }

    fn spec(&self, text: &str, index: usize, keys: &Named, pids: &Named) -> io::Result<Spec> {
        if let Some(folder) = text.strip_prefix("peer:") {
            let (folder, setup) = folder.rsplit_once('@').unwrap_or((folder, "tuned"));
            let described = peers::Peer::load(Path::new(folder)).map_err(|error| invalid(error.to_string()))?;
            let tools = self.common.tools.join(&described.name);
            let missing = format!("{} is not installed; `ringway-loadtest peers --install` does it", described.name);
            return Peer::find(described, setup, &tools)?.map(Box::new).map(Spec::Peer).ok_or_else(|| invalid(missing));
        }
        let (name, what) = named(text);
        if what == "ringway" {
            let plain = Ringway::plain(find(self.common.ringway.as_deref())?);
            let name = name.unwrap_or("ringway").to_owned();
            return Ok(Spec::Ringway(Ringway { name, ..plain }));
        }
        let name = name.map_or_else(|| format!("target {}", index + 1), str::to_owned);
        let pid = pids.of(&name).map(|pid| pid.parse().map_err(|_| invalid("--pid is a number".to_owned())));
        Ok(Spec::External(Endpoint {
            key: keys.of(&name).cloned(),
            model: self.model.clone(),
            trust: self.trust(),
            pid: pid.transpose()?,
            before_simulators: self.sim_listen.is_some(),
            setup: "as it runs".to_owned(),
            ..Endpoint::plain(&name, what)
        }))
    }
}

/// What a subcommand wants measured.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub title: String,
    /// Names or files.
    pub scenarios: Vec<String>,
    pub targets: Vec<Spec>,
    pub baseline: Option<Endpoint>,
    pub simulator_listen: Option<SocketAddr>,
    /// Sentences for the report: of what was measured with, and of what it does not show.
    pub notes: Vec<String>,
    pub not_shown: Vec<String>,
}

impl Common {
    pub(super) fn measure(self, asked: Asked) -> io::Result<()> {
        let opened = asked.scenarios.iter().map(|name| scenario::open(name)).collect::<Result<Vec<_>, _>>();
        let mut scenarios = opened.map_err(|mistake| invalid(mistake.to_string()))?;
        scenarios.iter_mut().for_each(|scenario| scenario.not_shown.extend(asked.not_shown.iter().cloned()));
        let options = Options {
            title: asked.title,
            scenarios,
            targets: asked.targets,
            baseline: asked.baseline,
            simulator_listen: asked.simulator_listen,
            notes: asked.notes,
            launcher: std::env::current_exe()?,
            target_cpus: self.target_cpus,
            seed: self.seed,
            seconds: self.seconds,
            command_line: without_keys(std::env::args()),
            quiet: self.quiet,
        };
        let planned = options.plan();
        let plan = planned::text(&planned);
        if self.plan {
            return io::stdout().write_all(plan.as_bytes());
        }
        if !self.quiet {
            // Standard error that is gone is no reason not to measure.
            let _ = io::stderr().write_all(plan.as_bytes());
        }
        stop::on_signals()?;
        // Before hours are spent: the place for what they bring.
        std::fs::create_dir_all(&self.out)?;
        let results =
            run::run(&options, &planned, |results, recordings| report::write(results, recordings, &self.out))?;
        let mut out = io::stdout().lock();
        out.write_all(run::table(&results).as_bytes())?;
        writeln!(out, "\nReport: {}", self.out.join("report.html").display())?;
        stop::check()?;
        let unmeasured = unmeasured(&results);
        match unmeasured.is_empty() {
            true => Ok(()),
            false => Err(io::Error::other(format!("not measured: {}", unmeasured.join(", ")))),
        }
    }
}

/// Scenarios that were refused, and targets of which there is no figure at all: whoever asked for them did not get them.
fn unmeasured(results: &Results) -> Vec<String> {
    let mut unmeasured = Vec::new();
    for scenario in &results.scenarios {
        if scenario.refused.is_some() {
            unmeasured.push(scenario.name.clone());
        }
        let empty = scenario.targets.iter().filter(|target| {
            let figures = [
                target.latency.is_some(),
                target.sustained.is_some(),
                target.cost.is_some(),
                target.memory.is_some(),
                !target.throughput.is_empty(),
            ];
            !target.failures.is_empty() && !figures.contains(&true)
        });
        unmeasured.extend(empty.map(|target| format!("{} in {}", target.name, scenario.name)));
    }
    unmeasured
}

fn list() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (name, _) in SHIPPED {
        let scenario = scenario::open(name).map_err(|mistake| invalid(mistake.to_string()))?;
        writeln!(out, "{name:<20}{}", scenario.says)?;
    }
    Ok(())
}

/// `NAME=VALUE`, or a value for all.
struct Named(BTreeMap<Option<String>, String>);

impl Named {
    fn new(texts: &[String]) -> Named {
        Named(
            texts
                .iter()
                .map(|text| named(text))
                .map(|(name, value)| (name.map(str::to_owned), value.to_owned()))
                .collect(),
        )
    }

    fn of(&self, name: &str) -> Option<&String> {
        self.0.get(&Some(name.to_owned())).or_else(|| self.0.get(&None))
    }
}

/// A name is short and has none of the characters that keys and URLs have: both may contain an equals sign.
fn named(text: &str) -> (Option<&str>, &str) {
    match text.split_once('=') {
        Some((name, value)) if !value.is_empty() && !name.is_empty() && is_name(name) => (Some(name), value),
        _ => (None, text),
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= 32 && text.chars().all(|letter| letter.is_alphanumeric() || " _.-".contains(letter))
}

/// The command line as results carry it: credentials are no part of how something was measured.
fn without_keys(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut hide = false;
    let shown = arguments.map(|argument| {
        let is_key = |text: &str| text == "--key" || text == "--baseline-key";
        if std::mem::replace(&mut hide, is_key(&argument)) {
            return "(hidden)".to_owned();
        }
        match argument.split_once('=') {
            Some((flag, _)) if is_key(flag) => format!("{flag}=(hidden)"),
            _ => argument,
        }
    });
    shown.collect()
}

fn positive(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds".to_owned())?;
    if seconds > 0.0 && seconds.is_finite() { Ok(seconds) } else { Err("more than no seconds".to_owned()) }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::{named, without_keys};

    #[test]
    fn a_name_stands_before_an_equals_sign() {
        assert_eq!(named("http://host/v1?a=b"), (None, "http://host/v1?a=b"));
        assert_eq!(named("our gateway=http://host/v1"), (Some("our gateway"), "http://host/v1"));
        assert_eq!(named("sk-abc="), (None, "sk-abc="));
    }

    #[test]
    fn keys_are_not_kept() {
        let line = ["run", "x", "--key", "sk-1", "--key=sk-2", "--baseline-key", "a=sk-3", "--seed", "4"];
        let kept = without_keys(line.into_iter().map(str::to_owned));
        assert_eq!(kept.join(" "), "run x --key (hidden) --key=(hidden) --baseline-key (hidden) --seed 4");
    }
}
