use super::*;
use crate::config::{checked, load::Loaded, snapshot::Snapshot};
use std::{collections::HashMap, path::Path};

struct Env(HashMap<&'static str, &'static str>);

impl Lookup for Env {
    fn env(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| value.to_string())
    }

    fn file(&self, _: &Path) -> Result<String, String> {
        Err("no such file".to_owned())
    }
}

fn snapshot(variables: &[(&'static str, &'static str)]) -> Snapshot {
    let mut config = config(&Env(variables.iter().copied().collect())).expect("something is set");
    config.server.open_access = true;
    checked::build(&Loaded::from(config), 1, None).expect("a good configuration").0
}

/// The first deployment and the name it is asked for.
fn resolved<'a>(snapshot: &'a Snapshot, model: &'a str) -> Option<(&'a str, &'a str)> {
    let resolved = snapshot.resolve(model)?;
    let deployment = &snapshot.deployments[resolved.group.deployments[0] as usize];
    Some((deployment.provider.id, deployment.upstream_model.as_deref().unwrap_or(&model[resolved.rest..])))
}

#[test]
fn one_provider_serves_all_names() {
    let snapshot = snapshot(&[("OPENAI_API_KEY", "sk-canary-0123456789")]);
    assert_eq!(resolved(&snapshot, "gpt-4o"), Some(("openai", "gpt-4o")));
    assert_eq!(resolved(&snapshot, "openai/gpt-4o"), Some(("openai", "gpt-4o")));
    assert_eq!(resolved(&snapshot, "ft:gpt-4o:org/x"), Some(("openai", "ft:gpt-4o:org/x")));
    assert_eq!(resolved(&snapshot, "mistral/x"), Some(("openai", "mistral/x")));
    assert_eq!(resolved(&snapshot, ""), None);
    let listed: Vec<_> = snapshot.prefixes.iter().flat_map(|(_, group)| group.listed.iter()).collect();
    assert!(listed.iter().any(|name| &***name == "gpt-4o") && listed.iter().any(|name| &***name == "openai/gpt-4o"));
}

#[test]
fn the_first_of_the_registry_serves_names_without_a_prefix() {
    let snapshot = snapshot(&[("GROQ_API_KEY", "gsk-canary-0123456789"), ("MISTRAL_API_KEY", "canary-0123456789")]);
    assert_eq!(resolved(&snapshot, "mistral-large-latest"), Some(("mistral", "mistral-large-latest")));
    assert_eq!(resolved(&snapshot, "groq/openai/gpt-oss-20b"), Some(("groq", "openai/gpt-oss-20b")));
    assert_eq!(resolved(&snapshot, "openai/gpt-4o"), Some(("mistral", "openai/gpt-4o")));
}

#[test]
fn base_urls_can_be_replaced() {
    let url = "http://127.0.0.1:9999/v1";
    let snapshot = snapshot(&[("OPENAI_API_KEY", "sk-canary-0123456789"), ("OPENAI_BASE_URL", url)]);
    let key = &snapshot.endpoints[0].key;
    assert_eq!((&*key.host, key.port, key.tls), ("127.0.0.1", 9999, false));
    assert_eq!(**snapshot.endpoints[0].addresses.load(), ["127.0.0.1:9999".parse().expect("an address")]);
}

#[test]
fn self_hosted_servers_need_only_their_address() {
    let snapshot = snapshot(&[("LLAMA_CPP_BASE_URL", "http://127.0.0.1:9999/v1"), ("OPENAI_BASE_URL", "http://x/v1")]);
    assert_eq!(resolved(&snapshot, "smol"), Some(("llama-cpp", "smol")));
    assert!(snapshot.deployments[0].headers.is_empty());
}

/// A shell in which SDKs already use Ringway starts Ringway.
#[test]
fn pointing_at_ourselves_is_refused() {
    let variables = [("OPENAI_API_KEY", "sk-canary-0123456789"), ("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1")];
    let mut config = config(&Env(variables.into())).expect("something is set");
    config.server.open_access = true;
    let errors = checked::build(&Loaded::from(config), 1, None).expect_err("a circle");
    assert!(errors[0].message.contains("circles"), "{}", errors[0]);
}

#[test]
fn nothing_set_says_what_would_help() {
    for variables in [vec![], vec![("OPENAI_API_KEY", " ")], vec![("OPENAI_BASE_URL", "http://x/v1")]] {
        let error = config(&Env(variables.into_iter().collect())).expect_err("nothing usable").to_string();
        assert!(
            error.contains("OPENAI_API_KEY") && error.contains("HF_TOKEN") && error.contains("--config"),
            "{error}"
        );
    }
}
