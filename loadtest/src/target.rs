//! What is measured: an endpoint that runs already, or something that is started for it.
//!
//! A [`Spec`] says what to measure; `start` turns it into a [`Running`] target, whose endpoint is what measures see. What was started
//! ends when its `Running` is dropped, and with this process however that ends. `ringway` writes the gateway's own
//! configuration, `peer` reads how anything else is started from a folder, `launch` puts a process on its CPUs.

pub mod launch;
pub mod peer;
mod ringway;

use std::io;
use std::path::PathBuf;

pub use launch::{Child, Launcher};
pub use ringway::{Ringway, find};

use crate::load::Trust;

/// Where requests go, and whose CPU is looked at.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub name: String,
    /// Base URL of the API.
    pub url: String,
    pub key: Option<String>,
    /// Sent with each request, beside those of its API.
    pub headers: Vec<(String, String)>,
    pub model: String,
    pub trust: Trust,
    /// The process whose tree is measured. None: not here, or not known.
    pub pid: Option<u32>,
    /// Its provider is a simulator of this run, which counts what arrives.
    pub before_simulators: bool,
    pub setup: String,
    pub version: Option<String>,
    pub driver: Option<String>,
}

impl Endpoint {
    /// One about which nothing is known but where it is.
    pub fn plain(name: &str, url: &str) -> Endpoint {
        Endpoint {
            name: name.to_owned(),
            url: url.to_owned(),
            key: None,
            headers: Vec::new(),
            model: "sim-small".to_owned(),
            trust: Trust::System,
            pid: None,
            before_simulators: false,
            setup: String::new(),
            version: None,
            driver: None,
        }
    }
}

/// What is to be measured.
#[derive(Debug, Clone)]
pub enum Spec {
    /// Runs already.
    External(Endpoint),
    Ringway(Ringway),
    Peer(Box<peer::Peer>),
}

/// A simulated provider, as a configuration needs it.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// `http://127.0.0.1:1234`, without `/v1`.
    pub origin: String,
    /// PEM file of who signed its certificate.
    pub ca_file: Option<PathBuf>,
}

impl Upstream {
    /// Host and port of the origin.
    fn address(&self) -> Option<(&str, u16)> {
        let (_, authority) = self.origin.split_once("://")?;
        let (host, port) = authority.rsplit_once(':')?;
        Some((host, port.parse().ok()?))
    }
}

/// Something that can be measured now.
pub struct Running {
    pub endpoint: Endpoint,
    /// None: it is somebody else's.
    pub child: Option<Child>,
}

impl Spec {
    pub fn name(&self) -> &str {
        match self {
            Spec::External(endpoint) => &endpoint.name,
            Spec::Ringway(ringway) => &ringway.name,
            Spec::Peer(peer) => &peer.name,
        }
    }

    /// Whether a fresh one can be had, for measuring what it needs when nothing has happened yet.
    pub fn is_started_here(&self) -> bool {
        !matches!(self, Spec::External(_))
    }

    /// Starts it in front of the upstreams, unless it runs already.
    pub fn start(&self, launcher: &Launcher, upstreams: &[Upstream]) -> io::Result<Running> {
        match self {
            Spec::External(endpoint) => Ok(Running { endpoint: endpoint.clone(), child: None }),
            Spec::Ringway(ringway) => ringway.start(launcher, upstreams),
            Spec::Peer(peer) => peer.start(launcher, upstreams),
        }
    }
}
