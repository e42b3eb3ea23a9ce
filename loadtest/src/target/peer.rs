//! Anything else that stands between clients and providers, as a folder says it is started.
//!
//! The folder holds `peer.toml` and the templates that it names. In commands, templates and environment these are replaced:
//! `{{port}}` where it is to listen, `{{folder}}` its own temporary folder, `{{cpus}}` how many it has, `{{key}}` a credential made for this
//! run, and of the first simulated provider `{{upstream}}` (its origin), `{{upstream_address}}` (host and port), `{{ca_file}}`.
//!
//! ```toml
//! name = "nginx"
//! setup = "tuned: one worker, kept connections, no log"
//! install = ["apt-get", "install", "-y", "nginx-light"]   # what puts it there; run by whoever is asked to install peers
//! version = ["nginx", "-v"]
//! start = ["nginx", "-c", "{{folder}}/nginx.conf"]
//! templates = ["nginx.conf"]
//! base = "/v1"                                            # of its API
//! model = "sim-small"
//! key = true                                              # it is told {{key}}, and clients show it
//! ready_line = "started"                                  # without: its port answers
//! environment = { HOME = "{{folder}}" }
//! ```

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::launch::{Folder, START_LIMIT, free_port};
use super::ringway::make_key;
use super::{Endpoint, Launcher, Running, Upstream};
use crate::load::Trust;
use crate::reader::{Mistake, Section, read};

#[derive(Debug, Clone, PartialEq)]
pub struct Peer {
    pub folder: PathBuf,
    pub name: String,
    pub setup: String,
    pub install: Vec<String>,
    pub version: Vec<String>,
    pub start: Vec<String>,
    /// Files of the folder that are written to the temporary one with everything replaced.
    pub templates: Vec<String>,
    pub base: String,
    pub model: String,
    pub key: bool,
    pub ready_line: Option<String>,
    pub environment: Vec<(String, String)>,
}

impl Peer {
    pub fn open(folder: &Path) -> Result<Peer, Mistake> {
        let path = folder.join("peer.toml");
        let text = fs::read_to_string(&path).map_err(|error| Mistake(format!("{}: {error}", path.display())))?;
        read(&path.display().to_string(), &text, |root| Peer::read(folder, root))
    }

    fn read(folder: &Path, root: &mut Section) -> Result<Peer, Mistake> {
        let mut text = |key| root.text(key).map(|taken| taken.map(|taken| taken.value));
        let (name, setup, base, model) = (text("name")?, text("setup")?, text("base")?, text("model")?);
        let ready_line = text("ready_line")?;
        let peer = Peer {
            folder: folder.to_owned(),
            name: name.ok_or_else(|| root.refuse("name is missing"))?,
            setup: setup.unwrap_or_else(|| "defaults".to_owned()),
            install: root.texts("install")?,
            version: root.texts("version")?,
            start: root.texts("start")?,
            templates: root.texts("templates")?,
            base: base.unwrap_or_else(|| "/v1".to_owned()),
            model: model.unwrap_or_else(|| "sim-small".to_owned()),
            key: root.flag("key")?.unwrap_or(false),
            ready_line,
            environment: root.named_texts("environment")?,
        };
        if peer.start.is_empty() {
            return Err(root.refuse("start is missing: the command"));
        }
        Ok(peer)
    }

    pub(super) fn start(&self, launcher: &Launcher, upstreams: &[Upstream]) -> io::Result<Running> {
        let upstream = upstreams.first().ok_or_else(|| io::Error::other("there is no provider to stand before"))?;
        let (folder, port, key) = (Folder::new()?, free_port()?, make_key()?);
        let address = upstream.origin.split_once("://").map_or(upstream.origin.as_str(), |(_, address)| address);
        let ca_file = upstream.ca_file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let replaced = |text: &str| {
            text.replace("{{port}}", &port.to_string())
                .replace("{{folder}}", &folder.path.display().to_string())
                .replace("{{cpus}}", &launcher.cpus.len().to_string())
                .replace("{{key}}", &key)
                .replace("{{upstream}}", &upstream.origin)
                .replace("{{upstream_address}}", address)
                .replace("{{ca_file}}", &ca_file)
        };
        for name in &self.templates {
            let path = self.folder.join(name);
            let template = fs::read_to_string(&path)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
            folder.write(name, &replaced(&template))?;
        }
        let command: Vec<OsString> = self.start.iter().map(|word| replaced(word).into()).collect();
        let environment: Vec<_> =
            self.environment.iter().map(|(name, value)| (name.clone(), replaced(value))).collect();
        let mut child = launcher.start(&command, &environment, folder)?;
        match &self.ready_line {
            Some(line) => child.await_output(START_LIMIT, |output| output.contains(line).then_some(()))?,
            None => child.await_port(START_LIMIT, port)?,
        }
        let endpoint = Endpoint {
            name: self.name.clone(),
            url: format!("http://127.0.0.1:{port}{}", self.base),
            key: self.key.then_some(key),
            model: self.model.clone(),
            trust: Trust::System,
            pid: Some(child.pid()),
            before_simulators: true,
            setup: self.setup.clone(),
            version: self.version(),
            driver: None,
        };
        Ok(Running { endpoint, child: Some(child) })
    }

    /// The first line that its version command says, on either output.
    pub fn version(&self) -> Option<String> {
        let (program, arguments) = self.version.split_first()?;
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&said).lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests;
