//! `ringway check`: would this configuration be accepted, and what does it come to?
//!
//! Runs the same load as `serve` and a reload do, so that it cannot say otherwise. Diagnostics go to standard error, the
//! summary to standard output. Warnings do not fail the check.

use super::CheckArgs;
use crate::config::{
    diagnostic::Diagnostic,
    from_env,
    interpolate::{Lookup, Process},
    load,
    origin::{Origin, Overrides},
    settings::Settings,
    snapshot::Snapshot,
};
use jiff::Timestamp;
use std::{path::Path, process::ExitCode};

pub fn run(args: CheckArgs) -> ExitCode {
    match check(&args) {
        Ok(text) => super::print(&text),
        Err(errors) => {
            for error in &errors {
                eprintln!("{error}");
            }
            let count = errors.len();
            eprintln!(
                "{count} {} found; the configuration would be refused",
                if count == 1 { "error" } else { "errors" }
            );
            ExitCode::FAILURE
        }
    }
}

fn check(args: &CheckArgs) -> Result<String, Vec<Diagnostic>> {
    let origin = Origin::settle(args.config.as_deref(), Overrides::default()).map_err(|error| vec![error])?;
    let (snapshot, settings) = origin.load(&Process, 1, None, &[])?;
    for warning in &settings.warnings {
        eprintln!("{warning}");
    }
    for name in expired_keys(&snapshot, Timestamp::now()) {
        eprintln!("warning: keys: the key '{name}' has expired");
    }
    if args.print_effective {
        return effective(&origin);
    }
    let place = origin.path().map_or("the environment".to_owned(), |path| path.display().to_string());
    Ok(format!("{place}: OK\n{}", summary(&snapshot, &settings)))
}

/// The environment with each value replaced by a reference to it.
struct Referring;

impl Lookup for Referring {
    fn env(&self, name: &str) -> Option<String> {
        Process.env(name).map(|_| format!("${{env:{name}}}"))
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        Process.file(path)
    }
}

fn expired_keys(snapshot: &Snapshot, now: Timestamp) -> Vec<&str> {
    let now_s = u64::try_from(now.as_second()).unwrap_or(0);
    let expired = snapshot.keys.values().filter(|key| key.expires_at_s.is_some_and(|at_s| at_s <= now_s));
    let mut names: Vec<&str> = expired.map(|key| &*key.name).collect();
    names.sort_unstable();
    names
}

fn summary(snapshot: &Snapshot, settings: &Settings) -> String {
    let listen: Vec<_> = settings.listen.iter().map(ToString::to_string).collect();
    let admin = settings.admin.as_ref().map_or("none".to_owned(), ToString::to_string);
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    format!(
        "listens on {}{}, admin on {admin}\n{}, {}, {}, {}\n",
        listen.join(", "),
        if settings.tls.is_some() { " with TLS" } else { "" },
        count(snapshot.keys.len(), "key"),
        count(snapshot.groups.len() + snapshot.prefixes.len(), "model"),
        count(snapshot.deployments.len(), "deployment"),
        count(snapshot.endpoints.len(), "endpoint"),
    )
}

/// The merged configuration as TOML. References stay references and literal secrets are not shown. What the environment
/// amounts to can be saved as a file; it lacks only a key, because the generated one is new at each start.
fn effective(origin: &Origin) -> Result<String, Vec<Diagnostic>> {
    let config = match origin.path() {
        Some(path) => load::parse_as_written(&load::read(path)?)?.config,
        None => from_env::config(&Referring).map_err(|error| vec![error])?,
    };
    toml::to_string(&config).map_err(|_| vec![Diagnostic::error("", "the configuration cannot be written as TOML")])
}
