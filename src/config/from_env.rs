//! The configuration that needs no file: whatever the environment has credentials for.
//!
//! Each provider whose credential is set becomes a prefix (`mistral/mistral-large-latest`). The first of them in registry
//! order also serves names without a prefix, so that with `OPENAI_API_KEY` set an SDK works as it did. A self-hosted
//! kind takes part when its `..._BASE_URL` is set. `..._BASE_URL` replaces the address of any kind.

use super::{diagnostic::Diagnostic, interpolate::Lookup, raw};
use crate::providers::{Auth, Provider, registry};

/// The configuration that the environment describes, without keys or listeners of its own.
pub fn config(lookup: &dyn Lookup) -> Result<raw::Config, Diagnostic> {
    let mut config = raw::Config::default();
    for provider in registry::PROVIDERS {
        let Some(account) = account(provider, lookup) else { continue };
        if config.providers.is_empty() {
            config.models.push(group(provider, ""));
        }
        config.models.push(group(provider, &format!("{}/", provider.id)));
        config.providers.insert(provider.id.to_owned(), account);
    }
    if config.providers.is_empty() { Err(nothing_found()) } else { Ok(config) }
}

fn account(provider: &Provider, lookup: &dyn Lookup) -> Option<raw::Provider> {
    // Keys of a cloud are for everything that the machine does there, and say neither where nor which project.
    if matches!(provider.auth, Auth::Aws | Auth::Google) {
        return None;
    }
    let set = |name: &str| lookup.env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let base_url = set(&provider.base_url_env());
    let credential = match provider.credential_env {
        "" => None,
        name => set(name),
    };
    let is_addressed = base_url.is_some() || !provider.base_url.is_empty();
    let usable =
        if provider.credential_env.is_empty() { base_url.is_some() } else { credential.is_some() && is_addressed };
    usable.then(|| raw::Provider {
        base_url,
        credential: credential.map(raw::SecretText::new),
        ..raw::Provider::of_kind(provider.id)
    })
}

/// All names below `prefix`, served by `provider`.
fn group(provider: &Provider, prefix: &str) -> raw::Model {
    raw::Model {
        name: format!("{prefix}*"),
        deployments: vec![raw::Deployment::Short(format!("{}/*", provider.id))],
        attempts_max: crate::limits::ATTEMPTS_MAX as u32,
        deadlines: raw::Deadlines::default(),
        retry_on_timeout: false,
        unsupported: None,
        tokenizer: None,
        owned_by: None,
        list: provider.models.iter().map(|model| format!("{prefix}{model}")).collect(),
    }
}

fn nothing_found() -> Diagnostic {
    let credentials = registry::PROVIDERS.iter().map(|provider| provider.credential_env);
    let names: Vec<_> = credentials.filter(|name| !name.is_empty()).collect();
    let message =
        format!("there is no configuration file, and no provider's key in the environment ({})", names.join(", "));
    Diagnostic::error("", message).help(
        "set one of these variables, or VLLM_BASE_URL, OLLAMA_BASE_URL and the like for a server of your own; or write \
         /etc/ringway/ringway.toml (ringway schema describes it) and pass another path with --config",
    )
}

#[cfg(test)]
mod tests;
