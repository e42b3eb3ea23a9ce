use super::*;
use crate::config::interpolate::Process;
use std::fs;

/// The environment of a user with one provider.
struct OneKey;

impl Lookup for OneKey {
    fn env(&self, name: &str) -> Option<String> {
        (name == "OPENAI_API_KEY").then(|| "sk-canary-0123456789".to_owned())
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        Process.file(path)
    }
}

fn environment(overrides: Overrides) -> Origin {
    Origin { source: Source::Environment { key: raw::SecretText::new("rw-canary") }, overrides }
}

#[test]
fn the_environment_is_served_behind_a_generated_key() {
    let origin = environment(Overrides::default());
    let (snapshot, settings) = origin.load(&OneKey, 1, None, &[]).expect("loads");
    assert!(!snapshot.open_access);
    assert_eq!(snapshot.server.allowed_hosts, Some(Vec::new()));
    assert!(settings.listen.iter().all(|listener| listener.is_local()));
    let key = origin.generated_key().expect("a key");
    assert!(crate::policy::keys::authenticate(&snapshot, key.as_bytes(), 0).is_ok());
    // A reload keeps the key and the connections.
    let (reloaded, _) = origin.load(&OneKey, 2, Some(&snapshot), &settings.listen).expect("loads");
    assert!(crate::policy::keys::authenticate(&reloaded, key.as_bytes(), 0).is_ok());
    assert!(std::sync::Arc::ptr_eq(&reloaded.endpoints[0], &snapshot.endpoints[0]));
    assert!(!format!("{origin:?} {snapshot:?}").contains("canary"));
}

#[test]
fn the_environment_is_served_to_this_machine_only() {
    let origin = environment(Overrides { listen: vec!["0.0.0.0:8080".into()], ..Overrides::default() });
    let errors = origin.load(&OneKey, 1, None, &[]).expect_err("reachable from elsewhere");
    assert!(errors[0].message.contains("other machines"), "{}", errors[0]);
}

#[test]
fn the_command_line_comes_last_and_is_checked_alike() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ringway.toml");
    let text = "[server]\nlisten = ['127.0.0.1:1']\nshards = 3\nopen_access = true\n[providers.p]\nkind = 'ollama'\n\
                [[models]]\nname = '*'\ndeployments = ['p/*']\n";
    fs::write(&path, text).expect("written");
    let load = |overrides| {
        let origin = Origin::settle(Some(&path), overrides).expect("settles");
        assert_eq!((origin.path(), origin.generated_key()), (Some(path.as_path()), None));
        origin.load(&Process, 1, None, &[])
    };
    let (_, settings) = load(Overrides::default()).expect("loads");
    assert_eq!((settings.shards, settings.listen[0].to_string().as_str()), (Some(3), "127.0.0.1:1"));

    let overrides = Overrides {
        listen: vec!["127.0.0.1:2".into(), "unix:/x".into()],
        admin: Some("none".into()),
        driver: Some(raw::Driver::Epoll),
        shards: Some(5),
    };
    let (_, overridden) = load(overrides).expect("loads");
    assert_eq!(overridden.listen.len(), 2);
    assert_eq!((overridden.admin.as_ref(), overridden.shards), (None, Some(5)));
    let changed = ["server.listen", "server.shards", "server.driver", "admin.listen"];
    assert_eq!(settings.restart_needed(&overridden), changed);
    assert!(settings.restart_needed(&settings).is_empty());

    let errors = load(Overrides { listen: vec!["0.0.0.0:1".into()], ..Overrides::default() }).expect_err("open");
    // The place of the file's own value would mislead.
    assert_eq!((errors[0].path.as_str(), &errors[0].place), ("server.listen[0]", &None));
}

/// A reload cannot move a listener, so what it may allow depends on the one that is open.
#[test]
fn sockets_that_are_open_already_count() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ringway.toml");
    let text = "[server]\nlisten = ['127.0.0.1:1']\nopen_access = true\n[providers.p]\nkind = 'ollama'\n\
                [[models]]\nname = '*'\ndeployments = ['p/*']\n";
    fs::write(&path, text).expect("written");
    let origin = Origin::settle(Some(&path), Overrides::default()).expect("settles");
    let bound = |text: &str| vec![crate::config::address::listen(text).expect(text)];
    assert!(origin.load(&Process, 1, None, &bound("127.0.0.1:5")).is_ok());
    let errors = origin.load(&Process, 1, None, &bound("0.0.0.0:5")).expect_err("everyone in");
    assert!(errors[0].message.contains("open_access lets everyone in"), "{}", errors[0]);

    let environment = environment(Overrides::default());
    let errors = environment.load(&OneKey, 1, None, &bound("0.0.0.0:5")).expect_err("reachable from elsewhere");
    assert!(errors[0].message.contains("other machines"), "{}", errors[0]);
}
