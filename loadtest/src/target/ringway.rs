//! Ringway as it is measured: everything on that its users have on, one shard for each CPU that it is given.
//!
//! Key check, scan, patch of the model, deadlines, metrics, access log to a file. Limits on upstream connections are raised, so that a
//! crowd of clients meets no queue that other proxies do not have. The key is made for this run.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use super::launch::{Folder, START_LIMIT};
use super::{Endpoint, Launcher, Running, Upstream};
use crate::load::Trust;
use crate::scenario::{self, Driver};

/// The name that clients ask for, and what the providers are asked for.
const MODEL: &str = "loadtest";
const UPSTREAM_MODEL: &str = "sim-small";

const ACCESS_LOG: &str = "access.log";

#[derive(Debug, Clone)]
pub struct Ringway {
    pub name: String,
    pub setup: String,
    pub binary: PathBuf,
    /// None: what it chooses itself.
    pub driver: Option<Driver>,
    pub environment: Vec<(String, String)>,
}

/// The binary: the one that is named, else beside this program, else in the PATH.
pub fn find(named: Option<&Path>) -> io::Result<PathBuf> {
    if let Some(named) = named {
        return named
            .canonicalize()
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", named.display())));
    }
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join("ringway")));
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&paths).map(|folder| folder.join("ringway"));
    beside.into_iter().chain(in_path).find(|path| path.is_file()).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "there is no ringway beside this program or in the PATH; build it with `cargo build --release`, or name it with --ringway",
        )
    })
}

impl Ringway {
    /// As it comes.
    pub fn plain(binary: PathBuf) -> Ringway {
        let setup = "defaults, with key check, metrics and access log".to_owned();
        Ringway { name: "ringway".to_owned(), setup, binary, driver: None, environment: Vec::new() }
    }

    /// As a scenario's `[[target]]` has it.
    pub fn variant(target: &scenario::Target, binary: &Path) -> Ringway {
        Ringway {
            name: target.name.clone(),
            setup: target.setup.clone(),
            binary: target.binary.as_ref().map_or_else(|| binary.to_owned(), PathBuf::from),
            driver: target.driver,
            environment: target.environment.clone().into_iter().collect(),
        }
    }

    pub(super) fn start(&self, launcher: &Launcher, upstreams: &[Upstream]) -> io::Result<Running> {
        let folder = Folder::new()?;
        let key = make_key()?;
        let config = self.config(launcher.cpus.len(), upstreams, &key, &folder.path.join(ACCESS_LOG));
        let config = folder.write("ringway.toml", &config)?;
        let command: [OsString; 4] = [self.binary.clone().into(), "serve".into(), "--config".into(), config.into()];
        let mut child = launcher.start(&command, &self.environment, folder)?;
        child.logs.push(ACCESS_LOG.to_owned());
        let (url, driver) = child.await_output(START_LIMIT, serves)?;
        if self.driver.is_some_and(|asked| asked.name() != driver) {
            return Err(io::Error::other(format!("asked for another driver, it runs on {driver}")));
        }
        let endpoint = Endpoint {
            name: self.name.clone(),
            url,
            key: Some(key),
            headers: Vec::new(),
            model: MODEL.to_owned(),
            trust: Trust::System,
            pid: Some(child.pid()),
            before_simulators: true,
            setup: self.setup.clone(),
            version: version(&self.binary),
            driver: Some(driver),
        };
        Ok(Running { endpoint, child: Some(child) })
    }

    fn config(&self, shards: usize, upstreams: &[Upstream], key: &str, log: &Path) -> String {
        let driver = self.driver.map_or("auto", Driver::name);
        let hash = hex(digest(&SHA256, key.as_bytes()).as_ref());
        let mut text = format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\nshards = {shards}\ndriver = \"{driver}\"\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n[access_log]\nto = {:?}\n\
             [[keys]]\nname = \"loadtest\"\nhash = \"sha256:{hash}\"\n",
            log.display().to_string(),
        );
        let mut deployments = Vec::new();
        for (index, upstream) in upstreams.iter().enumerate() {
            let ca_file = upstream.ca_file.as_ref().map(|path| format!("ca_file = {:?}\n", path.display().to_string()));
            // Writing to a String does not fail.
            let _ = write!(
                text,
                "[providers.sim{index}]\nkind = \"openai-compatible\"\nbase_url = \"{}/v1\"\ncredential = \"sk-simulated\"\n{}\
                 pool = {{ connections_max = 256, http1_connections_max = 16384 }}\n",
                upstream.origin,
                ca_file.unwrap_or_default(),
            );
            deployments.push(format!("\"sim{index}/{UPSTREAM_MODEL}\""));
        }
        let _ = write!(text, "[[models]]\nname = \"{MODEL}\"\ndeployments = [{}]\n", deployments.join(", "));
        text
    }
}

/// Address and driver, from the line that says that it serves.
fn serves(output: &str) -> Option<(String, String)> {
    let line = output.lines().find_map(|line| line.split_once("ringway serves ")?.1.split_once(" on "))?;
    Some((line.0.to_owned(), line.1.trim().to_owned()))
}

fn version(binary: &Path) -> Option<String> {
    let output = Command::new(binary).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned();
    output.status.success().then_some(text)
}

pub(super) fn make_key() -> io::Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system has no random numbers"))?;
    Ok(format!("rw-{}", hex(&bytes)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
