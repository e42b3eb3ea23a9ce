use super::*;
use crate::{config::address, providers::registry};
use std::collections::HashSet;

#[test]
fn every_row_is_of_a_kind_and_says_something_new() {
    let mut seen = HashSet::new();
    for other in OTHERS {
        let provider = registry::find(other.kind).expect(other.kind);
        assert!(provider.dialect != other.dialect && seen.insert((other.kind, other.dialect.name())));
        let spoken = Spoken::find(provider, other.dialect).expect("listed");
        if !spoken.base_url.is_empty() {
            let base = address::base_url(spoken.base_url).expect(spoken.base_url);
            assert!(base.tls || base.is_loopback(), "{}", other.kind);
            let version = other.dialect.version_path().unwrap_or_default();
            assert!(base.path.ends_with(version), "{}: {}", other.kind, base.path);
        }
        let shows_one = matches!(spoken.auth, Auth::Bearer | Auth::Header(_));
        assert_eq!(shows_one, !provider.credential_env.is_empty(), "{}", other.kind);
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
