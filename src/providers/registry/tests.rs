use super::*;
use crate::config::address;
use std::collections::HashSet;

#[test]
fn ids_and_variables_are_unique() {
    let mut ids = HashSet::new();
    let mut variables = HashSet::new();
    for provider in PROVIDERS {
        assert!(ids.insert(provider.id), "{}", provider.id);
        assert!(variables.insert(provider.base_url_env()), "{}", provider.id);
        let credential = provider.credential_env;
        assert!(credential.is_empty() || variables.insert(credential.to_owned()), "{credential}");
    }
}

#[test]
fn ids_are_plain() {
    for provider in PROVIDERS {
        let plain = provider.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        assert!(plain && !provider.id.is_empty() && !provider.title.is_empty(), "{}", provider.id);
    }
}

#[test]
fn base_urls_are_valid() {
    for provider in PROVIDERS.iter().filter(|provider| !provider.base_url.is_empty()) {
        let base = address::base_url(provider.base_url).expect(provider.id);
        assert!(base.tls || base.is_loopback(), "{}: plaintext only to this machine", provider.id);
        assert!(!provider.base_url.ends_with('/'), "{}", provider.id);
    }
}

#[test]
fn who_needs_a_credential_names_its_variable() {
    for provider in PROVIDERS {
        let shows_one = matches!(provider.auth, Auth::Bearer | Auth::Header(_));
        assert_eq!(shows_one, !provider.credential_env.is_empty(), "{}", provider.id);
    }
}

#[test]
fn listed_models_are_unique_names() {
    for provider in PROVIDERS {
        let models: HashSet<_> = provider.models.iter().collect();
        assert_eq!(models.len(), provider.models.len(), "{}", provider.id);
        assert!(provider.models.iter().all(|model| model.bytes().all(|byte| byte.is_ascii_graphic())));
    }
}

#[test]
fn variables() {
    let check = |id, expected: &str| assert_eq!(find(id).expect(id).base_url_env(), expected);
    check("openai", "OPENAI_BASE_URL");
    check("huggingface", "HF_BASE_URL");
    check("llama-cpp", "LLAMA_CPP_BASE_URL");
    check("openai-compatible", "OPENAI_COMPATIBLE_BASE_URL");
    assert!(find("OpenAI").is_none());
}

/// Without a configuration file the first entry serves names without a prefix.
#[test]
fn openai_comes_first() {
    assert_eq!(PROVIDERS[0].id, "openai");
}
