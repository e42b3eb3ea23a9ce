//! Where the configuration comes from, and how it is loaded again.
//!
//! Precedence, later wins: the main file, `conf.d`, the command line. `--config` names the main file; without it
//! `/etc/ringway/ringway.toml` is used if it exists, and else the environment. An origin is settled at start and kept: a reload
//! reads the same place again, and in the environment's case keeps the same generated key.

use super::{
    checked,
    diagnostic::Diagnostic,
    from_env,
    interpolate::Lookup,
    load::{self, Loaded, SourceFile},
    raw,
    settings::{Listen, Settings},
    snapshot::Snapshot,
};
use crate::policy::keys;
use ring::rand::SystemRandom;
use std::path::{Path, PathBuf};

/// The main file when `--config` names none.
pub const DEFAULT_PATH: &str = "/etc/ringway/ringway.toml";

/// A place to load from, with what the command line overrides.
#[derive(Debug)]
pub struct Origin {
    source: Source,
    overrides: Overrides,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    Environment {
        key: raw::SecretText,
    },
    /// A configuration that the program carries, as `ringway demo` does.
    Embedded(SourceFile),
}

/// What the command line says about keys of the configuration; `None` and empty leave the file's value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    pub listen: Vec<String>,
    pub admin: Option<String>,
    pub driver: Option<raw::Driver>,
    pub shards: Option<u32>,
}

impl Origin {
    /// Settles where to load from.
    pub fn settle(config: Option<&Path>, overrides: Overrides) -> Result<Origin, Diagnostic> {
        let path = config.unwrap_or(Path::new(DEFAULT_PATH));
        // A directory that we may not look into is an error to report, not a reason to fall back to the environment.
        let source = if config.is_some() || path.try_exists().unwrap_or(true) {
            Source::File(path.to_owned())
        } else {
            let key = keys::generate(&SystemRandom::new())
                .map_err(|_| Diagnostic::error("", "the system has no random numbers to make a key from"))?;
            Source::Environment { key: raw::SecretText::new(key) }
        };
        Ok(Origin { source, overrides })
    }

    /// A configuration given as text.
    pub fn embedded(file: SourceFile, overrides: Overrides) -> Origin {
        Origin { source: Source::Embedded(file), overrides }
    }

    /// The main file; `None` where there is none.
    pub fn path(&self) -> Option<&Path> {
        match &self.source {
            Source::File(path) => Some(path),
            Source::Environment { .. } | Source::Embedded(_) => None,
        }
    }

    /// The key that was made for a start without a configuration file; shown to the person who started it, and nobody else.
    pub fn generated_key(&self) -> Option<&str> {
        match &self.source {
            Source::File(_) | Source::Embedded(_) => None,
            Source::Environment { key } => Some(key.expose()),
        }
    }

    /// Loads, checks and builds. `previous` is the snapshot in force, if there is one. `bound` are sockets that are open
    /// whatever the configuration says: those handed over at start, those of the running process at a reload. What a
    /// configuration may do depends on them too: a reload that moves `server.listen` to loopback and lets everyone in must not
    /// take effect while the old listener is still reachable.
    pub fn load(
        &self,
        lookup: &dyn Lookup,
        generation: u64,
        previous: Option<&Snapshot>,
        bound: &[Listen],
    ) -> Result<(Snapshot, Settings), Vec<Diagnostic>> {
        let loaded = self.raw(lookup)?;
        let (snapshot, settings) = checked::build(&loaded, generation, previous)?;
        for listener in bound {
            if let Some(message) = checked::refuse_listener(listener, snapshot.keys.len(), snapshot.open_access) {
                let help = "this socket is open already; restart to give it up, or add a key";
                return Err(vec![Diagnostic::error("server.listen", message).help(help)]);
            }
        }
        let reachable = settings.listen.iter().chain(bound).find(|listener| !listener.is_local());
        if let (Source::Environment { .. }, Some(listener)) = (&self.source, reachable) {
            let message = format!("{listener} can be reached from other machines");
            let help =
                "without a configuration file only this machine is served; write one with a key (ringway keys create)";
            return Err(vec![Diagnostic::error("server.listen", message).help(help)]);
        }
        Ok((snapshot, settings))
    }

    /// The raw configuration with the overrides in it.
    pub fn raw(&self, lookup: &dyn Lookup) -> Result<Loaded, Vec<Diagnostic>> {
        let mut loaded = match &self.source {
            Source::File(path) => load::load(path, lookup)?,
            Source::Embedded(file) => load::parse(std::slice::from_ref(file), lookup)?,
            Source::Environment { key } => {
                let mut config = from_env::config(lookup).map_err(|error| vec![error])?;
                let hash = keys::hash_text(&keys::hash(key.expose().as_bytes()));
                config.keys.push(raw::Key { name: "generated".to_owned(), hash, expires_at: None });
                Loaded::from(config)
            }
        };
        self.overrides.apply(&mut loaded);
        Ok(loaded)
    }
}

impl Overrides {
    fn apply(&self, loaded: &mut Loaded) {
        let config = &mut loaded.config;
        if !self.listen.is_empty() {
            config.server.listen = self.listen.clone();
            loaded.places.forget("server.listen");
        }
        if let Some(admin) = &self.admin {
            config.admin.listen = admin.clone();
            loaded.places.forget("admin.listen");
        }
        config.server.driver = self.driver.unwrap_or(config.server.driver);
        config.server.shards = self.shards.or(config.server.shards);
    }
}

#[cfg(test)]
mod tests;
