//! What is measured on one target while the others wait: timeline and soak, throughput, the sustained rate, cost.

use std::io;
use std::time::SystemTime;

use super::Bench;
use super::scenario_run::{Subject, add_errors};
use super::simulators::Simulators;
use crate::hdr::Recording;
use crate::measure::calibration::HEADROOM_MIN;
use crate::measure::throughput::{Cores, Offered};
use crate::measure::timeline::{self, slope_bytes_per_hour};
use crate::measure::traffic::{Traffic, open_loop, poisson, window};
use crate::measure::watch::Watch;
use crate::measure::{cost, sustained, throughput};
use crate::results::{self, Calibration};
use crate::scenario::{Event, Load, Scenario};
use crate::target::{Child, Endpoint};

/// Of a timeline and a soak, before anything is reported.
const WARMUP_S: f64 = 1.0;

/// Connections of the probe beside a saturated target: enough that it waits for none.
const PROBE_CONNECTIONS: usize = 4;

impl Bench<'_> {
    pub(super) fn one_target(
        &mut self,
        scenario: &Scenario,
        subject: &mut Subject,
        simulators: &mut Simulators,
        calibrated: &Calibration,
    ) -> io::Result<()> {
        let Some(running) = &subject.running else {
            return Ok(());
        };
        let (endpoint, child) = (&running.endpoint, running.child.as_ref());
        let result = &mut subject.result;
        let before = simulators.seen();
        self.timeline(scenario, endpoint, child, result, simulators)?;
        self.throughput(scenario, endpoint, child, result, simulators)?;
        self.sustained(scenario, endpoint, child, result, calibrated)?;
        self.cost(scenario, endpoint, child, result, simulators)?;
        let after = simulators.seen();
        let seen = results::Upstream {
            requests: after.requests.saturating_sub(before.requests),
            connections: after.connections.saturating_sub(before.connections),
            handshakes: after.handshakes.saturating_sub(before.handshakes),
            invalid: after.invalid,
        };
        // Nothing: it stands before another provider, or only latency was measured, for which nobody counts by target.
        result.upstream = (seen.requests > 0).then_some(seen);
        Ok(())
    }

    fn cores(&self) -> Cores {
        Cores { target: self.plan.target.len(), load: self.plan.load.len() }
    }

    fn timeline(
        &mut self,
        scenario: &Scenario,
        endpoint: &Endpoint,
        child: Option<&Child>,
        result: &mut results::Target,
        simulators: &mut Simulators,
    ) -> io::Result<()> {
        let nothing: &[Event] = &[];
        let (pattern, rate, seconds, events) = match (&scenario.timeline, &scenario.soak) {
            (Some(it), _) => (open_loop(it.rate, it.arrivals, self.options.seed), it.rate, it.seconds, &it.events[..]),
            (_, Some(it)) => (poisson(it.rate, self.options.seed), it.rate, it.seconds, nothing),
            (None, None) => return Ok(()),
        };
        let what = format!("{}: {} over time", scenario.name, endpoint.name);
        let began = SystemTime::now();
        let mut traffic = Traffic::open(endpoint, &scenario.loads, self.style(scenario))?;
        let progress = &mut self.progress;
        let mut last_s = 0.0;
        let measured = timeline::measure(
            &mut traffic,
            endpoint.pid,
            &window(pattern, WARMUP_S.min(seconds), seconds),
            events,
            |event| simulators.act(event),
            |now_s| {
                progress.step(&what, None);
                progress.done(now_s - last_s);
                last_s = now_s;
                forget_logs(child)
            },
        )?;
        result.latency = Some(measured.absolute.latency(rate));
        result.fidelity.clone_from(&measured.absolute.fidelity);
        result.events =
            events.iter().map(|event| results::Event { at_s: event.at_s, says: event.says.clone() }).collect();
        add_errors(result, scenario, &measured.absolute.errors, &measured.beside);
        if scenario.soak.is_some()
            && let Some((_, first)) = measured.resident.first()
        {
            let memory =
                result.memory.get_or_insert(results::Memory { idle_bytes: *first, ..results::Memory::default() });
            memory.slope_bytes_per_hour = slope_bytes_per_hour(&measured.resident);
        }
        let (scenario, target) = (scenario.name.clone(), endpoint.name.clone());
        self.recordings.push(Recording { scenario, target, began, measures: measured.absolute.into_measures() });
        Ok(())
    }

    fn throughput(
        &mut self,
        scenario: &Scenario,
        endpoint: &Endpoint,
        child: Option<&Child>,
        result: &mut results::Target,
        simulators: &Simulators,
    ) -> io::Result<()> {
        let Some(plan) = &scenario.throughput else {
            return Ok(());
        };
        let cores = self.cores();
        for &connections in &plan.connections {
            // Ours, and those that the simulators accept; over HTTP/2 these are few.
            let sides = if scenario.simulator.tls && scenario.simulator.http2 { 1 } else { 2 };
            let needed = connections as u64 * sides + 1_024;
            if needed > self.environment.open_files_max {
                result.failures.push(format!(
                    "Throughput at {connections} connections was not measured: the limit of {} open files is too low for it.",
                    self.environment.open_files_max
                ));
                continue;
            }
            let what = format!("{}: throughput of {} at {connections} connections", scenario.name, endpoint.name);
            let loads = with_connections(scenario, connections);
            let probe = with_connections(scenario, PROBE_CONNECTIONS).into_iter().take(1).collect::<Vec<_>>();
            let mut offered = Offered {
                traffic: Traffic::open(endpoint, &loads, self.style(scenario))?,
                connections,
                probe: match plan.probe_rate > 0.0 {
                    true => Some(Traffic::open(endpoint, &probe, self.style(scenario))?),
                    false => None,
                },
            };
            let progress = &mut self.progress;
            let upstream_requests = || upstream_requests(simulators, endpoint);
            let watch = Watch { pid: endpoint.pid, upstream_requests: &upstream_requests, perf: None };
            let repetitions = scenario.repetitions;
            let measured = throughput::measure(&mut offered, plan, repetitions, cores, &watch, || {
                progress.step(&what, None);
                progress.done(plan.warmup_s + plan.window_s);
                forget_logs(child)
            })?;
            add_errors(result, scenario, &measured.errors, &[]);
            self.other_cores.extend(measured.other_cores);
            result.throughput.push(measured.point);
        }
        Ok(())
    }

    fn sustained(
        &mut self,
        scenario: &Scenario,
        endpoint: &Endpoint,
        child: Option<&Child>,
        result: &mut results::Target,
        calibrated: &Calibration,
    ) -> io::Result<()> {
        let Some(plan) = &scenario.sustained else {
            return Ok(());
        };
        let mut traffic = Traffic::open(endpoint, &scenario.loads, self.style(scenario))?;
        let what = format!("{}: sustained rate of {}", scenario.name, endpoint.name);
        let cores = self.cores();
        let (progress, seed) = (&mut self.progress, self.options.seed);
        let ceiling = calibrated.rps.median / HEADROOM_MIN;
        // Errors on the way are how the search knows that a rate is too high, and no failure of the target.
        result.sustained = sustained::measure(&mut traffic, plan, ceiling, cores, seed, || {
            progress.step(&what, None);
            progress.done(plan.warmup_s + plan.window_s);
            forget_logs(child)
        })?;
        if result.sustained.is_none() {
            result.failures.push(format!("No rate was sustained with p99 below {} ms.", plan.p99_ms));
        }
        Ok(())
    }

    fn cost(
        &mut self,
        scenario: &Scenario,
        endpoint: &Endpoint,
        child: Option<&Child>,
        result: &mut results::Target,
        simulators: &Simulators,
    ) -> io::Result<()> {
        let Some(plan) = &scenario.cost else {
            return Ok(());
        };
        let mut traffic = Traffic::open(endpoint, &with_connections(scenario, plan.connections), self.style(scenario))?;
        let what = format!("{}: cost of {}", scenario.name, endpoint.name);
        let upstream_requests = || upstream_requests(simulators, endpoint);
        // Without a folder of its own nothing keeps perf's pipes apart from somebody else's.
        let perf = child.map(|child| (&self.perf, child.folder()));
        let watch = Watch { pid: endpoint.pid, upstream_requests: &upstream_requests, perf };
        let progress = &mut self.progress;
        let measured = cost::measure(&mut traffic, plan, scenario.repetitions, &watch, || {
            progress.step(&what, None);
            progress.done(plan.warmup_s + plan.window_s);
            forget_logs(child)
        })?;
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

/// Counted by the simulators, for targets that stand before them.
fn upstream_requests(simulators: &Simulators, endpoint: &Endpoint) -> Option<u64> {
    endpoint.before_simulators.then(|| simulators.requests())
}

fn forget_logs(child: Option<&Child>) -> io::Result<()> {
    child.map_or(Ok(()), Child::forget_logs)
}
