//! What the configuration means: every rule that a type cannot express.
//!
//! `check` is pure: it reads no file, opens no socket and looks at no clock, so a fuzzer can run it. It reports everything it
//! finds and goes on; its result is used only when it found nothing wrong. `build` then reads CA files and makes the snapshot.
//!
//! The rules that keep people out stand in the files below: no listener beyond this machine without a key, no access without a key unless
//! asked for, no short or placeholder secrets, no header that could split a request, no credential in clear text across a
//! public network, and no provider that is this gateway itself.

mod accounts;
mod client_keys;
mod clouds;
mod facts;
mod listeners;
mod models;

pub use accounts::Account;
pub use client_keys::CheckedKey;
pub use listeners::refuse_listener;
pub use models::{CheckedDeployment, Group};

use super::{
    assemble,
    diagnostic::{Diagnostic, Report},
    interpolate::Lookup,
    load::{self, Loaded, SourceFile},
    raw,
    settings::{Listen, Settings},
    snapshot::{Server, Snapshot},
};
use crate::catalog::Model;
use std::{collections::BTreeMap, path::Path};

/// A configuration that may be used, its references between parts resolved to positions.
pub struct Checked {
    pub server: Server,
    pub open_access: bool,
    pub keys: Vec<CheckedKey>,
    pub accounts: Vec<Account>,
    pub deployments: Vec<CheckedDeployment>,
    pub groups: Vec<Group>,
    /// The operator's models by "provider/model".
    pub catalog: BTreeMap<String, Model>,
}

/// Checks a configuration and builds what is published. Endpoints of `previous` whose key and pool are unchanged are reused, with
/// their addresses and TLS sessions.
pub fn build(
    loaded: &Loaded,
    generation: u64,
    previous: Option<&Snapshot>,
) -> Result<(Snapshot, Settings), Vec<Diagnostic>> {
    let mut report = Report::new(&loaded.places);
    let (checked, settings) = check(&loaded.config, &mut report);
    if report.errors.is_empty()
        && let Some(snapshot) = assemble::snapshot(checked, generation, previous, &mut report)
    {
        Diagnostic::sort(&mut report.warnings);
        return Ok((snapshot, Settings { warnings: report.warnings, ..settings }));
    }
    Diagnostic::sort(&mut report.errors);
    Err(report.errors)
}

/// Applies every rule. The result is meaningful only if `report` has no errors afterwards.
pub fn check(config: &raw::Config, report: &mut Report<'_>) -> (Checked, Settings) {
    let settings = listeners::settings(config, report);
    listeners::access(config, &settings, report);
    let local = settings.listen.iter().all(Listen::is_local);
    let server = listeners::server(&config.server, local, report);
    let keys = client_keys::client_keys(&config.keys, report);
    let accounts = accounts::accounts(config, &settings, report);
    let (deployments, groups) = models::models(config, &accounts, report);
    let catalog = facts::facts(config, &accounts, &deployments, report);
    let open_access = config.server.open_access;
    (Checked { server, open_access, keys, accounts, deployments, groups, catalog }, settings)
}

/// Feeds any text through load and check. References resolve to nothing: a fuzzer must not read files.
pub fn fuzz_entry(text: &str) {
    struct Nothing;
    impl Lookup for Nothing {
        fn env(&self, _: &str) -> Option<String> {
            None
        }
        fn file(&self, _: &Path) -> Result<String, String> {
            Err("not available".to_owned())
        }
    }
    let files = [SourceFile { name: "fuzz.toml".into(), text: text.to_owned() }];
    match load::parse(&files, &Nothing) {
        Ok(loaded) => {
            let mut report = Report::new(&loaded.places);
            let (checked, _) = check(&loaded.config, &mut report);
            if report.errors.is_empty() {
                assert!(!checked.groups.is_empty(), "an accepted configuration serves something");
                assert!(checked.groups.iter().all(|group| !group.deployments.is_empty()));
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "a refusal says why");
            let unreadable = errors.iter().any(|error| error.message.contains("fits its schema"));
            assert!(!unreadable, "whatever fits the schema can be read");
        }
    }
}

#[cfg(test)]
mod tests;
