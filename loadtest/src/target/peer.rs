//! A peer as a target: somebody else's proxy or gateway, in one of the setups that its folder describes (see `crate::peers`).
//!
//! In front of a provider with TLS it runs in its setup `tls`, whichever was asked for: the others speak plaintext.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::launch::{Folder, free_port};
use super::{Endpoint, Launcher, Running, Upstream};
use crate::load::Trust;
use crate::peers::{self, Values};

/// An installed peer, and how it is to run.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Of the target, in reports.
    pub name: String,
    described: peers::Peer,
    setup: String,
    tools: PathBuf,
    program: PathBuf,
}

const TLS_SETUP: &str = "tls";
const MODEL: &str = "sim-small";

impl Peer {
    /// None: it is not installed, neither below `tools` nor in the system.
    ///
    /// # Errors
    /// It has no such setup.
    pub fn find(described: peers::Peer, setup: &str, tools: &Path) -> io::Result<Option<Peer>> {
        if !described.setups.contains_key(setup) {
            let known: Vec<&str> = described.setups.keys().map(String::as_str).collect();
            let said = format!("{} has no setup '{setup}', but {}", described.name, known.join(", "));
            return Err(io::Error::new(io::ErrorKind::InvalidInput, said));
        }
        // Programs are started in a folder of their own.
        let tools = std::path::absolute(tools)?;
        let path = std::env::var("PATH").unwrap_or_default();
        let program = described.find(&tools, &path);
        let name = described.name.clone();
        Ok(program.map(|program| Peer { name, described, setup: setup.to_owned(), tools, program }))
    }

    pub(super) fn start(&self, launcher: &Launcher, upstreams: &[Upstream]) -> io::Result<Running> {
        let upstream = upstreams.first().ok_or_else(|| io::Error::other("there is no provider to stand before"))?;
        let setup = if upstream.ca_file.is_some() { TLS_SETUP } else { &self.setup };
        let (host, port) = upstream.address().ok_or_else(|| io::Error::other("the provider has no address"))?;
        let folder = Folder::new()?;
        let values = Values {
            port: free_port()?,
            upstream_host: host.to_owned(),
            upstream_port: port,
            upstream_name: "localhost".to_owned(),
            ca_file: upstream.ca_file.clone(),
            // The launcher pins.
            cpu: String::new(),
            workers: launcher.cpus.len(),
            model: MODEL.to_owned(),
            folder: folder.path.clone(),
            tools: self.tools.clone(),
            program: self.program.clone(),
        };
        let start = self.described.render(setup, &values).map_err(io::Error::other)?;
        for (path, text) in &start.files {
            std::fs::write(path, text)?;
        }
        let command: Vec<OsString> = start.command.iter().map(OsString::from).collect();
        let mut child = launcher.start(&command, &start.environment, folder)?;
        let limit = Duration::from_secs(self.described.ready_within_s);
        match &start.ready_url {
            Some(url) => child.await_answer(limit, values.port, url)?,
            None => child.await_port(limit, values.port)?,
        }
        let says = self.described.setups.get(setup).map_or("", |setup| setup.says.as_str());
        let endpoint = Endpoint {
            key: start.key,
            headers: start.headers,
            model: MODEL.to_owned(),
            trust: Trust::System,
            pid: Some(child.pid()),
            before_simulators: true,
            setup: format!("{setup}: {says}"),
            version: self.version(),
            ..Endpoint::plain(&self.name, &start.url)
        };
        Ok(Running { endpoint, child: Some(child) })
    }

    /// What its own version command says.
    pub fn version(&self) -> Option<String> {
        let command = self.described.version_command(&self.tools, &self.program).ok()?;
        let (program, arguments) = command.split_first()?;
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
        let said = [output.stdout, output.stderr].concat();
        peers::Peer::version_in(&String::from_utf8_lossy(&said)).map(str::to_owned)
    }
}
