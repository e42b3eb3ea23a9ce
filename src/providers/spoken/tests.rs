use super::*;
use crate::{
    config::address,
    providers::registry::{self, PROVIDERS},
};
use std::collections::HashSet;

#[test]
fn every_other_dialect_says_something_new() {
    for provider in PROVIDERS {
        let mut seen = HashSet::from([provider.dialect.name()]);
        for other in provider.others {
            assert!(seen.insert(other.dialect.name()), "{}", provider.id);
            let spoken = Spoken::find(provider, other.dialect).expect("listed");
            if !spoken.base_url.is_empty() {
                let base = address::base_url(spoken.base_url).expect(spoken.base_url);
                assert!(base.tls || base.is_loopback(), "{}", provider.id);
                let version = other.dialect.version_path().unwrap_or_default();
                assert!(base.path.ends_with(version), "{}: {}", provider.id, base.path);
            }
            let shows_one = matches!(spoken.auth, Auth::Bearer | Auth::Header(_));
            assert_eq!(shows_one, !provider.credential_env.is_empty(), "{}", provider.id);
        }
    }
}

#[test]
fn the_usual_comes_first() {
    let names = |kind| {
        let all = Spoken::all(registry::find(kind).expect(kind));
        all.map(|spoken| spoken.dialect.name()).collect::<Vec<_>>()
    };
    assert_eq!(names("ollama"), ["openai", "ollama", "openai-responses", "anthropic"]);
    assert_eq!(names("cohere"), ["cohere", "openai"]);
    assert_eq!(names("mistral"), ["openai"]);
}
