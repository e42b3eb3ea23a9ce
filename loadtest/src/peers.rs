//! Other people's proxies and gateways, as `peers/` describes them: how each is installed, started and talked to.
//!
//! A peer is a folder with `peer.toml` and the templates of its configuration; `peers/README.md` documents the form. What is loaded here is
//! checked: every template is there and is used, every placeholder is known, `default` and `tuned` both exist. So what can fail later is
//! the peer itself. Nothing here starts anything or writes files: [`Peer::render`] says what to run, and what has to lie beside it.
//!
//! All are pinned alike, by `taskset` in front of the command, because each program has another idea of how many processors it may take.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// One folder of `peers/`.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Of the folder, and in reports.
    pub name: String,
    /// One sentence: what it is, and why anyone wants to know.
    pub says: String,
    pub kind: Kind,
    /// Sentences for the box "what this does not show".
    pub not_shown: Vec<String>,
    /// How long it may take until it answers, in seconds.
    pub ready_within_s: u64,
    /// By name; `default` and `tuned` are always there.
    pub setups: BTreeMap<String, Setup>,
    written: Written,
    /// File name to text.
    templates: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Passes requests on without looking into them.
    Proxy,
    /// Knows what a model is.
    Gateway,
}

/// One way to run a peer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// What is on and what is off, in a sentence.
    pub says: String,
    pub upstream: Upstream,
    command: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Name of the file in the run's folder to the template that it is made from.
    #[serde(default)]
    files: BTreeMap<String, String>,
}

/// What the peer's upstream has to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Upstream {
    Http,
    /// TLS with a certificate for `Values::upstream_name`, issued by `Values::ca_file`.
    Https,
}

/// What a run decides.
#[derive(Debug, Clone)]
pub struct Values {
    /// Where the peer listens, on 127.0.0.1.
    pub port: u16,
    /// Address of the upstream.
    pub upstream_host: String,
    pub upstream_port: u16,
    /// The name in the upstream's certificate. It resolves to `upstream_host`, for peers that take no other address.
    pub upstream_name: String,
    /// Of an upstream with TLS.
    pub ca_file: Option<PathBuf>,
    /// CPUs as `taskset` takes them: `1`, or `2-3`. Empty: all.
    pub cpu: String,
    /// Processes or threads that may work at once.
    pub workers: usize,
    /// The model that is asked for.
    pub model: String,
    /// An existing folder for what this run leaves behind.
    pub folder: PathBuf,
    /// What `Peer::install` was given.
    pub tools: PathBuf,
    /// What `Peer::find` has found.
    pub program: PathBuf,
}

/// A peer that could be started now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub command: Vec<String>,
    /// Beside what it inherits.
    pub environment: Vec<(String, String)>,
    /// Paths below `Values::folder`, and what to write there first.
    pub files: Vec<(PathBuf, String)>,
    /// For clients, with `/v1`.
    pub url: String,
    /// Bearer token of each request, where the peer wants one.
    pub key: Option<String>,
    /// Further headers of each request.
    pub headers: Vec<(String, String)>,
    /// Answers 200 to a GET once the peer is ready. `None`: it is ready when it accepts connections.
    pub ready_url: Option<String>,
}

/// What is wrong with a peer's folder, or with a use of it.
#[derive(Debug, PartialEq, Eq)]
pub struct PeerError(String);

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PeerError {}

/// `peer.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    says: String,
    kind: Kind,
    install: Vec<Vec<String>>,
    program: String,
    version: Vec<String>,
    #[serde(default)]
    not_shown: Vec<String>,
    #[serde(default)]
    request: Request,
    ready: Ready,
    setups: BTreeMap<String, Setup>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    key: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ready {
    path: Option<String>,
    seconds: u64,
}

const DESCRIPTION: &str = "peer.toml";
const SETUPS_REQUIRED: [&str; 2] = ["default", "tuned"];
/// Of a description or template, in bytes. Ours have two thousand.
const FILE_BYTES_MAX: u64 = 256 * 1024;

impl Peer {
    /// All peers of a folder, by name.
    ///
    /// # Errors
    /// The first that is wrong.
    pub fn load_all(folder: &Path) -> Result<Vec<Peer>, PeerError> {
        let mut peers: Vec<Peer> = entries(folder)?
            .into_iter()
            .filter(|path| path.join(DESCRIPTION).is_file())
            .map(|path| Peer::load(&path))
            .collect::<Result<_, _>>()?;
        peers.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(peers)
    }

    /// The peer that a folder describes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn load(folder: &Path) -> Result<Peer, PeerError> {
        let mut templates = BTreeMap::new();
        for path in entries(folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            templates.insert(name, read(&path)?);
        }
        let at = folder.join(DESCRIPTION);
        let wrong = |what: String| PeerError(format!("{}: {what}", at.display()));
        let text = templates.remove(DESCRIPTION).ok_or_else(|| wrong("is missing".into()))?;
        let written: Written = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if folder.file_name().is_none_or(|name| name != written.name.as_str()) {
            return Err(wrong(format!("the name '{}' is not the folder's", written.name)));
        }
        let Written { name, says, kind, not_shown, setups, .. } = written.clone();
        let peer =
            Peer { name, says, kind, not_shown, ready_within_s: written.ready.seconds, setups, written, templates };
        peer.check().map_err(wrong)?;
        Ok(peer)
    }

    fn check(&self) -> Result<(), String> {
        if let Some(missing) = SETUPS_REQUIRED.iter().find(|name| !self.setups.contains_key(**name)) {
            return Err(format!("there is no setup '{missing}'"));
        }
        let commands = self.written.install.iter().chain([&self.written.version]);
        if commands.chain(self.setups.values().map(|setup| &setup.command)).any(Vec::is_empty) {
            return Err("a command is empty".into());
        }
        let mut used = BTreeSet::new();
        for (name, setup) in &self.setups {
            for (file, template) in &setup.files {
                if Path::new(file).components().count() != 1 || file.starts_with('.') {
                    return Err(format!("setup '{name}': '{file}' is not a plain file name"));
                }
                if !self.templates.contains_key(template) {
                    return Err(format!("setup '{name}': there is no template '{template}'"));
                }
                used.insert(template.as_str());
            }
        }
        if let Some(unused) = self.templates.keys().find(|name| !used.contains(name.as_str())) {
            return Err(format!("no setup uses '{unused}'"));
        }
        // With any values at all, so that an unknown placeholder does not wait for the run that needs it.
        for (name, setup) in &self.setups {
            self.start(setup, &Values::any()).map_err(|error| format!("setup '{name}': {error}"))?;
        }
        let anywhere = Path::new("/");
        let all = self.install(anywhere).and_then(|_| self.version_command(anywhere, anywhere));
        all.and_then(|_| fill(&self.written.program, &of_tools(anywhere))).map_err(|error| error.0)?;
        Ok(())
    }

    /// What to run, one after the other, to have the program below `tools`, or in the system where its package manager puts it.
    ///
    /// # Errors
    /// None for what `load` has accepted.
    pub fn install(&self, tools: &Path) -> Result<Vec<Vec<String>>, PeerError> {
        let known = of_tools(tools);
        self.written.install.iter().map(|command| fill_all(command, &known)).collect()
    }

    /// The program, if it is installed: below `tools`, or where a system has programs. `path` is the environment's.
    pub fn find(&self, tools: &Path, path: &str) -> Option<PathBuf> {
        let program = PathBuf::from(fill(&self.written.program, &of_tools(tools)).ok()?);
        if program.is_absolute() {
            return Some(program).filter(|program| program.is_file());
        }
        // Users who are not root seldom have the last one in their path; nginx and HAProxy are there.
        let folders = path.split(':').chain(["/usr/sbin"]).filter(|folder| !folder.is_empty());
        folders.map(|folder| Path::new(folder).join(&program)).find(|program| program.is_file())
    }

    /// Prints the version, some with words around it, some to standard error.
    ///
    /// # Errors
    /// As `install`.
    pub fn version_command(&self, tools: &Path, program: &Path) -> Result<Vec<String>, PeerError> {
        fill_all(&self.written.version, &of_program(tools, program))
    }

    /// The version in what `version_command` has printed: the first three numbers with dots between them.
    pub fn version_in(printed: &str) -> Option<&str> {
        let is_version = |word: &&str| {
            let numbers = word.split('.');
            numbers.clone().count() >= 3 && numbers.into_iter().all(|number| !number.is_empty())
        };
        printed.split(|c: char| !c.is_ascii_digit() && c != '.').find(is_version)
    }

    /// What to run for a setup, and what has to be there first.
    ///
    /// # Errors
    /// The peer has no such setup, or the values lack what it needs.
    pub fn render(&self, setup: &str, values: &Values) -> Result<Start, PeerError> {
        let found = self.setups.get(setup).ok_or_else(|| PeerError(format!("{} has no setup '{setup}'", self.name)))?;
        if found.upstream == Upstream::Https && values.ca_file.is_none() {
            return Err(PeerError(format!(
                "{} '{setup}' needs the authority of its upstream's certificate",
                self.name
            )));
        }
        self.start(found, values)
    }

    fn start(&self, setup: &Setup, values: &Values) -> Result<Start, PeerError> {
        let Request { key, headers } = &self.written.request;
        let mut known = of_program(&values.tools, &values.program);
        known.extend([
            ("port", values.port.to_string()),
            ("upstream_host", values.upstream_host.clone()),
            ("upstream_port", values.upstream_port.to_string()),
            ("upstream_name", values.upstream_name.clone()),
            ("upstream_scheme", if setup.upstream == Upstream::Https { "https" } else { "http" }.to_owned()),
            ("cpu", values.cpu.clone()),
            ("workers", values.workers.to_string()),
            ("model", values.model.clone()),
            ("folder", values.folder.display().to_string()),
        ]);
        known.extend(values.ca_file.as_ref().map(|path| ("ca_file", path.display().to_string())));
        known.extend(key.as_ref().map(|key| ("key", key.clone())));
        let pairs = |pairs: &BTreeMap<String, String>| {
            pairs.iter().map(|(name, text)| Ok((name.clone(), fill(text, &known)?))).collect::<Result<Vec<_>, _>>()
        };
        let files = setup.files.iter().map(|(file, template)| {
            let text = fill(&self.templates[template], &known);
            Ok((values.folder.join(file), text.map_err(|error| PeerError(format!("{template}: {error}")))?))
        });
        let pinned = ["taskset", "--cpu-list", &values.cpu].map(str::to_owned);
        let mut command = if values.cpu.is_empty() { Vec::new() } else { pinned.to_vec() };
        command.extend(fill_all(&setup.command, &known)?);
        Ok(Start {
            command,
            environment: pairs(&setup.environment)?,
            files: files.collect::<Result<_, _>>()?,
            url: format!("http://127.0.0.1:{}/v1", values.port),
            key: key.clone(),
            headers: pairs(headers)?,
            ready_url: self.written.ready.path.as_ref().map(|path| format!("http://127.0.0.1:{}{path}", values.port)),
        })
    }
}

fn of_tools(tools: &Path) -> Vec<(&'static str, String)> {
    vec![("tools", tools.display().to_string())]
}

fn of_program(tools: &Path, program: &Path) -> Vec<(&'static str, String)> {
    let mut known = of_tools(tools);
    known.push(("program", program.display().to_string()));
    known
}

impl Values {
    /// Values of the right form that mean nothing.
    fn any() -> Values {
        Values {
            port: 1,
            upstream_host: "127.0.0.1".into(),
            upstream_port: 2,
            upstream_name: "localhost".into(),
            ca_file: Some("/ca.pem".into()),
            cpu: "0".into(),
            workers: 1,
            model: "m".into(),
            folder: "/".into(),
            tools: "/".into(),
            program: "/program".into(),
        }
    }
}

fn fill_all(texts: &[String], known: &[(&str, String)]) -> Result<Vec<String>, PeerError> {
    texts.iter().map(|text| fill(text, known)).collect()
}

/// Puts values in the place of placeholders. One is a name of small letters and `_` in braces, without spaces; other braces, of which
/// configurations are full, stay.
fn fill(text: &str, known: &[(&str, String)]) -> Result<String, PeerError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        filled.push_str(before);
        let inside = &from[1..];
        let name = &inside[..inside.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(inside.len())];
        if name.is_empty() || !inside[name.len()..].starts_with('}') {
            filled.push('{');
            rest = inside;
            continue;
        }
        let value = known.iter().find(|(known, _)| *known == name);
        let (_, value) = value.ok_or_else(|| PeerError(format!("the placeholder {{{name}}} has no value")))?;
        filled.push_str(value);
        rest = &inside[name.len() + 1..];
    }
    filled.push_str(rest);
    Ok(filled)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, PeerError> {
    let wrong = |error: std::io::Error| PeerError(format!("{}: {error}", folder.display()));
    fs::read_dir(folder).map_err(wrong)?.map(|entry| Ok(entry.map_err(wrong)?.path())).collect()
}

fn read(path: &Path) -> Result<String, PeerError> {
    let wrong = |what: String| PeerError(format!("{}: {what}", path.display()));
    let bytes = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(wrong(format!("has {bytes} bytes, more than {FILE_BYTES_MAX}")));
    }
    fs::read_to_string(path).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests;
