//! Who is asked: a deployment for each provider of the registry and for each model of `accounts.toml`, made by the code that loads configurations.

use crate::files;
use ringway::{
    config::{
        checked,
        cloud::AuthSource,
        interpolate::Lookup,
        load::{self, SourceFile},
        snapshot::Deployment,
    },
    providers::{beside::Family, registry::PROVIDERS},
};
use std::{fmt::Write, fs, path::Path, sync::Arc};

/// What is shown to providers that want a credential.
const CREDENTIAL: &str = "golden-credential";

/// The first whose requests are written out; others are written as differences where they have few.
const USUAL: &str = "openai-compatible";

pub struct Upstream {
    /// The folder of its golden files: the provider's id, or the name of a model in `accounts.toml`.
    pub name: String,
    pub deployment: Arc<Deployment>,
}

struct Nothing;

impl Lookup for Nothing {
    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &Path) -> Result<String, String> {
        Err("no such file".to_owned())
    }
}

/// All of them that have models to talk to; the usual compatible server first, then in the registry's order.
pub fn all() -> Vec<Upstream> {
    let name = "tests/golden/accounts.toml";
    let written = fs::read_to_string(files::path(name)).expect(name);
    let mut added = String::from("[server]\nopen_access = true\n");
    for provider in PROVIDERS.iter().filter(|provider| !provider.lacks.contains(&Family::Generation)) {
        let id = provider.id;
        if !written.contains(&format!("[providers.{id}]")) {
            let _ = writeln!(added, "[providers.{id}]\nkind = \"{id}\"\ncredential = \"{CREDENTIAL}\"");
            if provider.base_url.is_empty() {
                let _ = writeln!(added, "base_url = \"https://{id}.example.com/v1\"");
            }
        }
        if !written.contains(&format!("name = \"{id}\"")) {
            let _ = writeln!(added, "[[models]]\nname = \"{id}\"\ndeployments = [\"{id}/golden-1\"]");
        }
    }
    let files =
        [(name, written), ("what the runner adds", added)].map(|(name, text)| SourceFile { name: name.into(), text });
    let built = load::parse(&files, &Nothing).and_then(|loaded| checked::build(&loaded, 1, None));
    let (snapshot, _) = built.unwrap_or_else(|errors| panic!("{errors:#?}"));
    let mut upstreams: Vec<_> = snapshot
        .groups
        .iter()
        .map(|(name, group)| {
            let deployment = snapshot.deployments[group.deployments[0] as usize].clone();
            Upstream { name: name.to_string(), deployment }
        })
        .collect();
    let place = |upstream: &Upstream| {
        let id = upstream.deployment.provider.id;
        let place = PROVIDERS.iter().position(|provider| provider.id == id);
        (upstream.name != USUAL, place, upstream.name != id, upstream.name.clone())
    };
    upstreams.sort_by_key(place);
    upstreams
}

impl Upstream {
    /// What stands before the dialect's own path.
    pub fn base_path(&self) -> String {
        [&*self.deployment.base_path, self.deployment.provider.path_prefix].concat()
    }

    /// Header lines that are the same in every request, with the credential left out.
    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.deployment.http1_lines.expose().to_vec()).expect("UTF-8");
        let shown = |line: &str| match line.strip_prefix("user-agent: ringway/") {
            Some(_) => "user-agent: ringway/<version>".to_owned(),
            None => line.replace(CREDENTIAL, "<credential>"),
        };
        let mut lines: Vec<_> = text.lines().map(shown).collect();
        match &self.deployment.auth {
            AuthSource::Headers => {}
            source if source.signs() => lines.push("authorization: <signature>".to_owned()),
            AuthSource::Cloud(_) => lines.push("authorization: Bearer <token>".to_owned()),
        }
        lines
    }
}
