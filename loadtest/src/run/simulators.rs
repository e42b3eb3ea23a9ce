//! The simulated providers of one scenario: threads of this process, on the CPUs of the load.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::load::Trust;
use crate::measure::absolute;
use crate::results;
use crate::scenario::{Action, Answers, Event, Simulator};
use crate::sim::script::Script;
use crate::sim::{FastOptions, Sim, SimConfig, SimHandle, ca};
use crate::target::launch::Folder;
use crate::target::{Endpoint, Upstream};

pub struct Simulators {
    configs: Vec<SimConfig>,
    /// None: stopped, by an event.
    running: Vec<Option<SimHandle>>,
    /// Counted by those that were stopped since.
    gone: results::Upstream,
    origins: Vec<String>,
    trust: Trust,
    ca_file: Option<PathBuf>,
    _folder: Folder,
}

impl Simulators {
    /// `listen` is where the first one is to be, if somebody else's gateway has to find it.
    pub fn start(asked: &Simulator, listen: Option<SocketAddr>, seed: u64) -> io::Result<Simulators> {
        let folder = Folder::new()?;
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidInput, error);
        let made = match asked.tls {
            true => Some(ca::throwaway(&["localhost", "127.0.0.1"]).map_err(|error| invalid(error.to_string()))?),
            false => None,
        };
        let (script, fast) = match &asked.answers {
            Answers::Script { script } => (Script::parse(script).map_err(|error| invalid(error.to_string()))?, None),
            Answers::Fast { chunks, gap_ms } => {
                let gap = Duration::try_from_secs_f64(gap_ms / 1e3).unwrap_or_default();
                (Script::default(), Some(FastOptions { chunks: *chunks, gap, numbered: true }))
            }
        };
        let mut simulators = Simulators {
            configs: Vec::new(),
            running: Vec::new(),
            gone: results::Upstream::default(),
            origins: Vec::new(),
            trust: made.as_ref().map_or(Trust::System, |made| Trust::CaPem(made.ca.pem().to_string())),
            ca_file: made.as_ref().map(|made| folder.write("ca.pem", made.ca.pem())).transpose()?,
            _folder: folder,
        };
        for index in 0..asked.count {
            let mut config = SimConfig {
                tls: made.as_ref().map(|made| made.leaf.clone()),
                http2: asked.http2,
                script: script.clone(),
                fast,
                seed: seed + index as u64,
                name: format!("sim-{}", index + 1),
                ..SimConfig::default()
            };
            if let (0, Some(listen)) = (index, listen) {
                config.listen = listen;
            }
            let sim = Sim::start(config.clone())?;
            // Started again, it is to be where it was.
            config.listen = sim.addr();
            simulators.origins.push(sim.origin());
            simulators.running.push(Some(sim));
            simulators.configs.push(config);
        }
        Ok(simulators)
    }

    pub fn upstreams(&self) -> Vec<Upstream> {
        self.origins.iter().map(|origin| Upstream { origin: origin.clone(), ca_file: self.ca_file.clone() }).collect()
    }

    /// The path without a gateway: the first simulator.
    pub fn direct(&self) -> Endpoint {
        let url = self.origins.first().map(|origin| format!("{origin}/v1")).unwrap_or_default();
        let setup = "straight to the simulated provider".to_owned();
        Endpoint { trust: self.trust.clone(), setup, ..Endpoint::plain("direct", &url) }
    }

    /// Requests that arrived since the start, at all of them.
    pub fn requests(&self) -> u64 {
        self.gone.requests + self.running.iter().flatten().map(|sim| sim.stats().requests).sum::<u64>()
    }

    /// What they have seen since the start.
    pub fn seen(&self) -> results::Upstream {
        let mut seen = self.gone.clone();
        self.running.iter().flatten().for_each(|sim| add(&mut seen, sim));
        seen
    }

    /// Makes an event happen.
    pub fn act(&mut self, event: &Event) -> io::Result<()> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidInput, error);
        for index in 0..self.running.len() {
            if event.simulator.is_some_and(|only| only != index + 1) {
                continue;
            }
            match &event.action {
                Action::Stop => {
                    if let Some(sim) = self.running[index].take() {
                        add(&mut self.gone, &sim);
                        sim.stop();
                    }
                }
                Action::Start if self.running[index].is_none() => {
                    self.running[index] = Some(Sim::start(self.configs[index].clone())?);
                }
                Action::Start => {}
                Action::Script { script } => {
                    let script = Script::parse(script).map_err(|error| invalid(error.to_string()))?;
                    self.configs[index].script = script.clone();
                    if let Some(sim) = &self.running[index] {
                        sim.set_script(script).map_err(|error| invalid(error.to_string()))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// As they were at the start: for the next target.
    pub fn restore(&mut self, asked: &Simulator) -> io::Result<()> {
        let script = match &asked.answers {
            Answers::Script { script } => Some(script.clone()),
            Answers::Fast { .. } => None,
        };
        let event = |action| Event { at_s: 0.0, simulator: None, action, says: String::new() };
        if let Some(script) = script {
            self.act(&event(Action::Script { script }))?;
        }
        self.act(&event(Action::Start))
    }
}

/// Adds what one has seen.
fn add(seen: &mut results::Upstream, sim: &SimHandle) {
    let stats = sim.stats();
    seen.requests += stats.requests;
    seen.connections += stats.connections;
    seen.handshakes += stats.tls_handshakes;
    absolute::add_counts(&mut seen.invalid, &stats.invalid);
}
