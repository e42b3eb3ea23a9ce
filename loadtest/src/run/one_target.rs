//! What is measured on one target while the others wait: timeline and soak, throughput, the sustained rate, cost.
//!
//! A measure that fails is among the target's failures, and the next one is tried.

use std::io;
use std::time::{Duration, SystemTime};

use super::Bench;
use super::scenario_run::{Subject, add_errors};
use super::simulators::Simulators;
use super::step::Step;
use crate::hdr::Recording;
use crate::measure::calibration::HEADROOM_MIN;
use crate::measure::throughput::{Cores, Offered};
use crate::measure::timeline::{self, slope};
use crate::measure::traffic::{Style, Traffic, open_loop, poisson, window};
use crate::measure::watch::Watch;
use crate::measure::{cost, sustained, throughput};
use crate::results::{self, Calibration};
use crate::scenario::budget::Measure;
use crate::scenario::{Event, LEAD_S, Load, Scenario};
use crate::stop;
use crate::target::{Child, Endpoint};

/// Connections of the probe beside a saturated target: enough that it waits for none.
const PROBE_CONNECTIONS: usize = 4;

/// Of a search for the sustained rate: each of its rates twice.
const SEARCH_WINDOWS_MAX: usize = 18;

/// Where a measure is taken, and what is seen from there.
struct Site<'a> {
    scenario: &'a Scenario,
    endpoint: &'a Endpoint,
    child: Option<&'a Child>,
    style: Style,
}

impl Site<'_> {
    /// Requests that arrived upstream, for targets that stand before the simulators.
    fn upstream_requests(&self, simulators: &Simulators) -> Option<u64> {
        self.endpoint.before_simulators.then(|| simulators.requests())
    }
}

impl Bench<'_> {
    pub(super) fn one_target(
        &mut self,
        scenario: &Scenario,
        subject: &mut Subject,
        simulators: &mut Simulators,
        calibrated: &Calibration,
    ) {
        let Some(running) = &subject.running else {
            return;
        };
        let (endpoint, child) = (&running.endpoint, running.child.as_ref());
        let site = Site { scenario, endpoint, child, style: self.style(scenario) };
        let result = &mut subject.result;
        let before = simulators.seen();
        let over_time = if scenario.soak.is_some() { Measure::Soak } else { Measure::Timeline };
        for measure in [over_time, Measure::Throughput, Measure::Sustained, Measure::Cost] {
            if scenario.measure_s(measure, 1) <= 0.0 {
                continue;
            }
            let taken = stop::check().and_then(|()| match measure {
                Measure::Throughput => self.throughput(&site, result, simulators),
                Measure::Sustained => self.sustained(&site, result, calibrated),
                Measure::Cost => self.cost(&site, result, simulators),
                _ => self.timeline(&site, result, simulators),
            });
            if let Err(error) = taken {
                let ended = child.and_then(Child::ended).map_or(String::new(), |how| format!("; it has ended: {how}"));
                result.failures.push(format!("{}: {error}{ended}", measure.name()));
            }
        }
        let after = simulators.seen();
        let seen = results::Upstream {
            requests: after.requests.saturating_sub(before.requests),
            connections: after.connections.saturating_sub(before.connections),
            handshakes: after.handshakes.saturating_sub(before.handshakes),
            invalid: after.invalid,
        };
        // Nothing: it stands before another provider, or only latency was measured, for which nobody counts by target.
        result.upstream = (seen.requests > 0).then_some(seen);
    }

    fn cores(&self) -> Cores {
        Cores { target: self.plan.target.len(), load: self.plan.load.len() }
    }

    /// One measure begins; `windows` is how many there will be.
    fn step<'s>(&'s mut self, site: &Site<'s>, measure: Measure, what: &str, windows: usize) -> Step<'s> {
        let planned_s = site.scenario.measure_s(measure, 1);
        let what = format!("{}: {} of {}{what}", site.scenario.name, measure.name(), site.endpoint.name);
        Step::new(&mut self.progress, what, site.child, planned_s / windows.max(1) as f64, planned_s)
    }

    fn timeline(&mut self, site: &Site, result: &mut results::Target, simulators: &mut Simulators) -> io::Result<()> {
        let scenario = site.scenario;
        let nothing: &[Event] = &[];
        let seed = self.options.seed;
        let (measure, pattern, rate, seconds, events) = match (&scenario.timeline, &scenario.soak) {
            (Some(it), _) => {
                (Measure::Timeline, open_loop(it.rate, it.arrivals, seed), it.rate, it.seconds, &it.events[..])
            }
            (_, Some(it)) => (Measure::Soak, poisson(it.rate, seed), it.rate, it.seconds, nothing),
            (None, None) => return Ok(()),
        };
        let began = SystemTime::now();
        let mut traffic = Traffic::open(site.endpoint, &scenario.loads, site.style)?;
        let mut step = self.step(site, measure, "", 1);
        let mut last_s = 0.0;
        let measured = timeline::measure(
            &mut traffic,
            site.endpoint.pid,
            &window(pattern, LEAD_S.min(seconds), seconds),
            events,
            |event| simulators.act(event),
            |now_s| {
                step.done(Duration::try_from_secs_f64(now_s - last_s).unwrap_or_default());
                last_s = now_s;
                // A signal cuts the window itself, and what it brought is kept.
                if stop::is_asked() { Ok(()) } else { step.look() }
            },
        )?;
        result.latency = Some(measured.absolute.latency(rate));
        result.fidelity.clone_from(&measured.absolute.fidelity);
        let happened = events.iter().filter(|event| event.at_s <= last_s.max(0.0) || !stop::is_asked());
        result.events = happened.map(|event| results::Event { at_s: event.at_s, says: event.says.clone() }).collect();
        add_errors(result, scenario, &measured.absolute.errors, &measured.beside);
        if scenario.soak.is_some()
            && let Some((_, first)) = measured.resident.first()
        {
            let memory =
                result.memory.get_or_insert(results::Memory { idle_bytes: *first, ..results::Memory::default() });
            match slope(&measured.resident) {
                Ok(slope) => {
                    memory.slope_bytes_per_hour = Some(slope.estimate);
                    memory.slope_bytes_per_hour_interval = Some((slope.low, slope.high));
                }
                Err(reason) => memory.slope_refused = Some(reason),
            }
        }
        let (scenario, target) = (scenario.name.clone(), site.endpoint.name.clone());
        self.recordings.push(Recording { scenario, target, began, measures: measured.absolute.into_measures() });
        stop::check()
    }

    fn throughput(&mut self, site: &Site, result: &mut results::Target, simulators: &Simulators) -> io::Result<()> {
        let scenario = site.scenario;
        let Some(plan) = &scenario.throughput else {
            return Ok(());
        };
        let (cores, open_files_max) = (self.cores(), self.environment.open_files_max);
        let windows = scenario.repetitions * plan.connections.len();
        for &connections in &plan.connections {
            // Ours, and those that the simulators accept; over HTTP/2 these are few.
            let sides = if scenario.simulator.tls && scenario.simulator.http2 { 1 } else { 2 };
            if connections as u64 * sides + 1_024 > open_files_max {
                result.failures.push(format!(
                    "Throughput at {connections} connections was not measured: the limit of {open_files_max} open files is too low for it."
                ));
                continue;
            }
            let mut step = self.step(site, Measure::Throughput, &format!(" at {connections} connections"), windows);
            step.look()?;
            let probe = with_connections(scenario, PROBE_CONNECTIONS).into_iter().take(1).collect::<Vec<_>>();
            let probe = match plan.probe_rate > 0.0 {
                true => Some(Traffic::open(site.endpoint, &probe, site.style)?),
                false => None,
            };
            let traffic = Traffic::open(site.endpoint, &with_connections(scenario, connections), site.style)?;
            let mut offered = Offered { traffic, connections, probe };
            let upstream_requests = || site.upstream_requests(simulators);
            let watch = Watch { pid: site.endpoint.pid, upstream_requests: &upstream_requests, perf: None };
            let repetitions = scenario.repetitions;
            let measured = throughput::measure(&mut offered, plan, repetitions, cores, &watch, || step.window())?;
            add_errors(result, scenario, &measured.errors, &[]);
            self.other_cores.extend(measured.other_cores);
            result.throughput.push(measured.point);
        }
        Ok(())
    }

    fn sustained(&mut self, site: &Site, result: &mut results::Target, calibrated: &Calibration) -> io::Result<()> {
        let Some(plan) = &site.scenario.sustained else {
            return Ok(());
        };
        let grace = Duration::try_from_secs_f64(plan.grace_s(site.scenario.drain_s())).unwrap_or(site.style.grace);
        let mut traffic = Traffic::open(site.endpoint, &site.scenario.loads, Style { grace, ..site.style })?;
        let (cores, seed) = (self.cores(), self.options.seed);
        let ceiling = calibrated.rps.median / HEADROOM_MIN;
        let mut step = self.step(site, Measure::Sustained, "", SEARCH_WINDOWS_MAX);
        // Errors on the way are how the search knows that a rate is too high, and no failure of the target.
        result.sustained = sustained::measure(&mut traffic, plan, ceiling, cores, seed, || step.window())?;
        if result.sustained.is_none() {
            result.failures.push(format!("No rate was sustained with p99 below {} ms.", plan.p99_ms));
        }
        Ok(())
    }

    fn cost(&mut self, site: &Site, result: &mut results::Target, simulators: &Simulators) -> io::Result<()> {
        let scenario = site.scenario;
        let Some(plan) = &scenario.cost else {
            return Ok(());
        };
        let mut traffic = Traffic::open(site.endpoint, &with_connections(scenario, plan.connections), site.style)?;
        let upstream_requests = || site.upstream_requests(simulators);
        let available = self.perf.clone();
        // Without a folder of its own nothing keeps perf's pipes apart from somebody else's.
        let perf = site.child.map(|child| (&available, child.folder()));
        let watch = Watch { pid: site.endpoint.pid, upstream_requests: &upstream_requests, perf };
        let mut step = self.step(site, Measure::Cost, "", scenario.repetitions);
        let measured = cost::measure(&mut traffic, plan, scenario.repetitions, &watch, || step.window())?;
        add_errors(result, scenario, &measured.errors, &[]);
        self.other_cores.extend(measured.other_cores);
        result.cost = measured.cost;
        Ok(())
    }
}

/// The scenario's traffic, its first kind with another number of connections.
fn with_connections(scenario: &Scenario, connections: usize) -> Vec<Load> {
    let mut loads = scenario.loads.clone();
    if let Some(first) = loads.first_mut() {
        first.connections = connections;
    }
    loads
}
