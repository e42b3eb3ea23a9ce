//! One scenario: simulators, calibration, all targets up, what is measured on all of them in turn, then each by itself.

use std::collections::BTreeMap;
use std::io;
use std::time::{Instant, SystemTime};

use super::Bench;
use super::planned::Planned;
use super::simulators::Simulators;
use crate::hdr::Recording;
use crate::load::Pattern;
use crate::measure::machine::{self, Realtime};
use crate::measure::pairs::{self, Side};
use crate::measure::traffic::{GRACE, Style, Traffic, open_loop, window};
use crate::measure::{calibration, memory, process};
use crate::results::{self, Calibration};
use crate::scenario::budget::Measure;
use crate::scenario::{Answers, Latency, Scenario};
use crate::stop;
use crate::target::{Child, Endpoint, Running, Spec};

/// How much longer than it lasts a trial at the rate of a scenario may take until all is answered.
const TRIAL_OVERRUN: f64 = 1.5;
const TRIAL_OVERRUN_S: f64 = 0.5;

/// Share of requests that may be sent late on the path without a gateway. More, and what would be measured is the generator.
const LATE_SHARE_MAX: f64 = 0.1;

/// A target of the scenario.
pub(super) struct Subject {
    /// None: it could not be started, or does not answer.
    pub running: Option<Running>,
    /// With the rate at which latency is measured.
    keeps_up: bool,
    pub result: results::Target,
}

impl Bench<'_> {
    /// What it lacks is in the result, and why.
    pub(super) fn scenario(&mut self, planned: &Planned) -> results::Scenario {
        let begin = Instant::now();
        let scenario = &planned.scenario;
        let mut measured = results::Scenario {
            name: scenario.name.clone(),
            says: scenario.says.clone(),
            source: scenario.to_toml(),
            not_shown: scenario.not_shown.clone(),
            refused: None,
            shortened: planned.shortened.clone(),
            left_out: planned.left_out.clone(),
            planned_s: planned.seconds(),
            took_s: 0.0,
            calibration: None,
            targets: Vec::new(),
        };
        let taken = stop::check().and_then(|()| match planned.has_no_time() {
            true => Err(io::Error::other("Not enough time for any of its measures.")),
            false => self.measure(planned, &mut measured),
        });
        if let Err(error) = taken {
            measured.refused.get_or_insert(error.to_string());
        }
        measured.took_s = begin.elapsed().as_secs_f64();
        measured
    }

    /// Fails where there is nothing to go on with. What was measured until then is in `measured`.
    fn measure(&mut self, planned: &Planned, measured: &mut results::Scenario) -> io::Result<()> {
        let scenario = &planned.scenario;
        let mut simulators = Simulators::start(&scenario.simulator, self.options.simulator_listen, self.options.seed)?;
        self.progress.step(&format!("{}: calibration", scenario.name), None);
        let mut calibrated = self.calibrate(scenario, &simulators)?;
        // A calibration that was cut short is none.
        stop::check()?;
        measured.refused = offered_per_s(scenario).and_then(|rate| calibration::refuse(&mut calibrated, rate));
        measured.calibration = Some(calibrated.clone());
        if measured.refused.is_some() {
            return Ok(());
        }
        let mut subjects: Vec<Subject> = Vec::new();
        for spec in &planned.targets {
            self.progress.step(&format!("{}: starting {}", scenario.name, spec.name()), None);
            subjects.push(self.subject(spec, scenario, &simulators));
        }
        let baseline = self.baseline(&simulators);
        if let Some(plan) = &scenario.latency {
            let taken = self.latency(scenario, plan, baseline.as_ref(), &mut subjects, &mut measured.targets);
            measured.refused = taken.unwrap_or_else(|error| Some(error.to_string()));
        }
        for subject in &mut subjects {
            self.one_target(scenario, subject, &mut simulators, &calibrated);
            if let Err(error) = simulators.restore(&scenario.simulator) {
                subject.result.failures.push(format!("The provider could not be started again after it: {error}"));
            }
        }
        measured.targets.extend(subjects.into_iter().map(|subject| subject.result));
        Ok(())
    }

    pub(super) fn style(&self, scenario: &Scenario) -> Style {
        let check_chunks = matches!(scenario.simulator.answers, Answers::Fast { .. });
        Style { seed: self.options.seed, threads: self.plan.load_threads(usize::MAX), check_chunks, grace: GRACE }
    }

    fn calibrate(&mut self, scenario: &Scenario, simulators: &Simulators) -> io::Result<Calibration> {
        let mut traffic = Traffic::open(&simulators.direct(), &scenario.loads, self.style(scenario))?;
        let connections = scenario.measured().connections;
        let calibrated =
            calibration::measure(&mut traffic, connections, scenario.repetitions, scenario.calibration_window_s())?;
        self.progress.done(scenario.measure_s(Measure::Calibration, 1));
        Ok(calibrated)
    }

    /// The path without a gateway. None: targets stand before something else, and nobody said before what.
    fn baseline(&self, simulators: &Simulators) -> Option<Endpoint> {
        let started_here = self.options.targets.iter().all(Spec::is_started_here);
        let named = self.options.baseline.clone();
        named.or_else(|| (started_here || self.options.simulator_listen.is_some()).then(|| simulators.direct()))
    }

    /// Starts a target, measures what only a fresh one can show, and asks it once.
    fn subject(&mut self, spec: &Spec, scenario: &Scenario, simulators: &Simulators) -> Subject {
        let mut subject = Subject { running: None, keeps_up: true, result: blank(spec.name()) };
        let upstreams = simulators.upstreams();
        let mut started = stop::check().and_then(|()| spec.start(&self.launcher, &upstreams));
        if let (Some(plan), true, Ok(fresh)) = (&scenario.memory, spec.is_started_here(), &started) {
            self.progress.step(&format!("{}: memory of {}", scenario.name, spec.name()), None);
            match memory::measure(&fresh.endpoint, &scenario.loads, plan, self.style(scenario)) {
                Ok(memory) => subject.result.memory = Some(memory),
                Err(error) => subject.result.failures.push(format!("memory: {error}")),
            }
            self.progress.done(scenario.measure_s(Measure::Memory, 1));
            if let Some(how) = fresh.child.as_ref().and_then(Child::ended) {
                subject.result.failures.push(format!("It ended while its memory was measured: {how}."));
                started = spec.start(&self.launcher, &upstreams);
            }
        }
        match started.and_then(|running| self.answers(running, scenario)) {
            Ok(running) => {
                let name = running.endpoint.name.clone();
                let environment = &mut self.environment;
                let pinned = running.child.is_some().then(|| format!("CPU {}", machine::cpu_list(&self.plan.target)));
                environment.pinning.extend(pinned.map(|cpus| (name.clone(), cpus)));
                environment.versions.extend(running.endpoint.version.clone().map(|version| (name.clone(), version)));
                environment.drivers.extend(running.endpoint.driver.clone().map(|driver| (name, driver)));
                describe(&mut subject.result, &running.endpoint);
                if let Err(error) = self.keeps_up(&running.endpoint, scenario) {
                    subject.result.failures.push(error.to_string());
                    subject.keeps_up = false;
                }
                subject.running = Some(running);
            }
            Err(error) => subject.result.failures.push(error.to_string()),
        }
        subject
    }

    /// Two short windows at the scenario's rate. Whoever leaves a queue behind in the second, when it is warm, would have all others wait in
    /// each block, for figures that are the length of its queue.
    fn keeps_up(&mut self, endpoint: &Endpoint, scenario: &Scenario) -> io::Result<()> {
        let Some(plan) = &scenario.latency else {
            return Ok(());
        };
        let trial_s = scenario.trial_s();
        let mut traffic = Traffic::open(endpoint, &scenario.loads, self.style(scenario))?;
        let trial = window(open_loop(plan.rate, plan.arrivals, self.options.seed), 0.0, trial_s);
        traffic.window(&trial)?;
        let begin = Instant::now();
        let report = traffic.window(&trial)?.report;
        let taken_s = begin.elapsed().as_secs_f64() - scenario.drain_s();
        stop::check()?;
        if report.dropped == 0 && taken_s <= TRIAL_OVERRUN * trial_s + TRIAL_OVERRUN_S {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "It does not keep up with {} requests/s: what was due in {trial_s:.2} s took {taken_s:.1} s, {} requests were never sent. \
             Its latency was not measured.",
            plan.rate, report.dropped
        )))
    }

    /// One connection for a moment: what answers nothing, or only errors, is not measured.
    fn answers(&self, running: Running, scenario: &Scenario) -> io::Result<Running> {
        let mut once = scenario.measured().clone();
        once.connections = 1;
        let mut traffic = Traffic::open(&running.endpoint, &[once], self.style(scenario))?;
        let report = traffic.window(&window(Pattern::Closed, 0.0, 0.02))?.report;
        if report.errors.is_empty() && report.requests > 0 {
            return Ok(running);
        }
        let kinds: Vec<String> = report.errors.iter().map(|(kind, count)| format!("{kind} ({count})")).collect();
        let says = match report.errors.keys().any(|kind| kind.starts_with("status_")) {
            true => "It does not do what this scenario asks",
            false => "It does not answer",
        };
        Err(io::Error::other(format!(
            "{says}: of {} requests, {} were fine; {}",
            report.requests + report.errors.values().sum::<u64>(),
            report.requests,
            kinds.join(", ")
        )))
    }

    /// Added latency, all targets in turn. Says why the scenario has to be refused.
    fn latency(
        &mut self,
        scenario: &Scenario,
        plan: &Latency,
        baseline: Option<&Endpoint>,
        subjects: &mut [Subject],
        results: &mut Vec<results::Target>,
    ) -> io::Result<Option<String>> {
        let began = SystemTime::now();
        let mut sides = Vec::new();
        let mut names = Vec::new();
        if let Some(baseline) = baseline {
            sides.push(Side::new(Traffic::open(baseline, &scenario.loads, self.style(scenario))?));
            names.push(baseline.name.clone());
        }
        let mut taking_part: Vec<&mut Subject> = Vec::new();
        for subject in subjects {
            let Some(running) = subject.running.as_ref().filter(|_| subject.keeps_up) else { continue };
            match Traffic::open(&running.endpoint, &scenario.loads, self.style(scenario)) {
                Ok(traffic) => {
                    sides.push(Side::new(traffic));
                    names.push(running.endpoint.name.clone());
                    taking_part.push(subject);
                }
                Err(error) => subject.result.failures.push(error.to_string()),
            }
        }
        if taking_part.is_empty() {
            return Ok(None);
        }
        let mut pids = vec![machine::own_pid()];
        let started = taking_part.iter().filter_map(|subject| Some(subject.running.as_ref()?.child.as_ref()?.pid()));
        pids.extend(started.flat_map(process::members));
        let realtime = Realtime::of(pids);
        if let Err(note) = &realtime
            && !self.environment.notes.contains(note)
        {
            self.environment.notes.push(note.clone());
        }
        let of_each = scenario.measure_s(Measure::Latency, taking_part.len()) / plan.blocks as f64;
        let each_s = of_each / (2.0 * sides.len() as f64);
        let (progress, blocks) = (&mut self.progress, plan.blocks);
        let taken = pairs::measure(&mut sides, plan, self.options.seed, |block, index| {
            stop::check()?;
            progress.step(&format!("{}: latency, block", scenario.name), Some((block, blocks)));
            progress.done(each_s);
            match taking_part.get(index.wrapping_sub(usize::from(baseline.is_some()))) {
                Some(Subject { running: Some(Running { child: Some(child), .. }), .. }) => child.forget_logs(),
                _ => Ok(()),
            }
        });
        drop(realtime);
        let (direct, others) = match baseline {
            Some(_) => sides.split_at(1),
            None => sides.split_at(0),
        };
        for (subject, side) in taking_part.into_iter().zip(others) {
            subject.result.added = direct.first().and_then(|direct| pairs::added(direct, side, self.options.seed));
            let failure = side.failed.clone().or_else(|| taken.as_ref().err().map(ToString::to_string));
            if let Some(failure) = failure {
                subject.result.failures.push(format!("latency: {failure}"));
            } else if subject.result.added.is_none() && !direct.is_empty() {
                subject.result.failures.push("A block without a single answer: nothing can be compared.".to_owned());
            }
            fill(&mut subject.result, plan.rate, side, scenario);
        }
        let failed = direct.first().and_then(|direct| direct.failed.as_ref());
        let failed = failed.map(|error| format!("The path without a gateway failed: {error}"));
        let refused = failed.or_else(|| direct.first().and_then(late));
        if let (Some(endpoint), Some(direct)) = (baseline, direct.first()) {
            let mut result = blank(&endpoint.name);
            result.baseline = true;
            describe(&mut result, endpoint);
            fill(&mut result, plan.rate, direct, scenario);
            results.push(result);
        }
        for (side, target) in sides.into_iter().zip(names) {
            self.recordings.push(Recording {
                scenario: scenario.name.clone(),
                target,
                began,
                measures: side.absolute.into_measures(),
            });
        }
        Ok(refused)
    }
}

/// Requests per second of the open loop of a scenario, if it has one.
fn offered_per_s(scenario: &Scenario) -> Option<f64> {
    let latency = scenario.latency.as_ref().map(|it| it.rate);
    let timeline = scenario.timeline.as_ref().map(|it| it.rate);
    latency.or(timeline).or(scenario.soak.as_ref().map(|it| it.rate))
}

fn late(direct: &Side) -> Option<String> {
    let (late, requests) = (direct.absolute.late + direct.absolute.dropped, direct.absolute.requests);
    let share = late as f64 / (requests + direct.absolute.dropped).max(1) as f64;
    (share > LATE_SHARE_MAX).then(|| {
        format!(
            "{:.0} % of the requests without a gateway were sent more than a millisecond late, or never: the generator, or other work on the \
             machine, was the limit. The figures below are kept for looking into it and mean nothing else.",
            share * 100.0
        )
    })
}

pub(super) fn blank(name: &str) -> results::Target {
    results::Target {
        name: name.to_owned(),
        baseline: false,
        url: String::new(),
        version: None,
        setup: String::new(),
        failures: Vec::new(),
        latency: None,
        added: None,
        throughput: Vec::new(),
        sustained: None,
        cost: None,
        memory: None,
        upstream: None,
        errors: BTreeMap::new(),
        fidelity: None,
        events: Vec::new(),
    }
}

fn describe(result: &mut results::Target, endpoint: &Endpoint) {
    result.url.clone_from(&endpoint.url);
    result.version.clone_from(&endpoint.version);
    result.setup.clone_from(&endpoint.setup);
}

fn fill(result: &mut results::Target, rate: f64, side: &Side, scenario: &Scenario) {
    let absolute = &side.absolute;
    let has_any = absolute.requests + absolute.dropped > 0 || !absolute.errors.is_empty();
    result.latency = has_any.then(|| absolute.latency(rate));
    result.fidelity.clone_from(&side.absolute.fidelity);
    add_errors(result, scenario, &side.absolute.errors, &side.beside);
}

/// Errors of the measured traffic by kind; of others with their name, unless they were meant to meet them.
pub(super) fn add_errors(
    result: &mut results::Target,
    scenario: &Scenario,
    measured: &BTreeMap<String, u64>,
    beside: &[(String, BTreeMap<String, u64>)],
) {
    let expected =
        |name: &str, kind: &String| scenario.loads.iter().any(|load| load.name == name && load.expect.contains(kind));
    for (kind, count) in measured.iter().filter(|(kind, _)| !expected(&scenario.measured().name, kind)) {
        *result.errors.entry(kind.clone()).or_default() += count;
    }
    for (name, errors) in beside {
        for (kind, count) in errors.iter().filter(|(kind, _)| !expected(name, kind)) {
            *result.errors.entry(format!("{name}: {kind}")).or_default() += count;
        }
    }
}
