use super::*;
use crate::{
    catalog::Kind,
    config::{
        address,
        cloud::{AuthSource, CloudCredential},
    },
    limits::DEPLOYMENTS_MAX,
};
use proptest::prelude::*;
use std::{fs, sync::Arc};

/// A configuration with one provider, to be changed by each test.
fn config(provider: raw::Provider) -> raw::Config {
    raw::Config {
        server: raw::Server { open_access: true, ..raw::Server::default() },
        providers: [("p".to_owned(), provider)].into(),
        models: vec![model("*", &["p/*"])],
        ..raw::Config::default()
    }
}

fn model(name: &str, deployments: &[&str]) -> raw::Model {
    raw::Model {
        name: name.to_owned(),
        deployments: deployments.iter().map(|text| raw::Deployment::Short(text.to_string())).collect(),
        attempts_max: 2,
        deadlines: raw::Deadlines::default(),
        retry_on_timeout: false,
        unsupported: None,
        tokenizer: None,
        owned_by: None,
        list: Vec::new(),
    }
}

fn openai() -> raw::Provider {
    raw::Provider { credential: Some(raw::SecretText::new("sk-canary-0123456789")), ..raw::Provider::of_kind("openai") }
}

fn built(config: &raw::Config, previous: Option<&Snapshot>) -> Snapshot {
    match build(&Loaded::from(config.clone()), 1, previous) {
        Ok((snapshot, _)) => snapshot,
        Err(errors) => panic!("{errors:?}"),
    }
}

#[test]
fn names_resolve_exactly_then_by_the_longest_prefix() {
    let mut config = config(raw::Provider::of_kind("ollama"));
    config.models =
        vec![model("*", &["p/*"]), model("a/*", &["p/*"]), model("a/b/*", &["p/*"]), model("a/b/c", &["p/exact"])];
    let snapshot = built(&config, None);
    let check = |name: &str, expected: Option<(&str, &str)>| {
        let found = snapshot.resolve(name).map(|resolved| (&*resolved.group.name, &name[resolved.rest..]));
        assert_eq!(found, expected, "{name}");
    };
    check("a/b/c", Some(("a/b/c", "a/b/c")));
    check("a/b/d", Some(("a/b/*", "d")));
    check("a/x", Some(("a/*", "x")));
    check("a/b/", Some(("a/*", "b/")));
    check("a/", Some(("*", "a/")));
    check("b", Some(("*", "b")));
    check("", None);
}

/// The operator's word first, then the catalog's; whether the deployment names the model or the client does.
#[test]
fn models_are_described_by_the_operator_then_by_the_catalog() {
    let mut config = config(openai());
    config.models = vec![model("*", &["p/*"]), model("named", &["p/gpt-4o", "p/gpt-4.1", "p/unheard-of"])];
    let facts = raw::CatalogModel { context_tokens: Some(1), ..raw::CatalogModel::default() };
    config.catalog = [("p/gpt-4o".to_owned(), facts.clone()), ("p/tuned".to_owned(), facts)].into();
    let snapshot = built(&config, None);
    let check = |deployment: usize, name: &str, context_tokens: Option<u32>, output_tokens_max: Option<u32>| {
        let model = snapshot.model(&snapshot.deployments[deployment], name);
        assert_eq!(model.as_ref().and_then(|model| model.context_tokens), context_tokens, "{deployment} {name}");
        assert_eq!(model.as_ref().and_then(|model| model.output_tokens_max), output_tokens_max, "{deployment} {name}");
    };
    check(0, "gpt-4o", Some(1), Some(16_384));
    check(0, "gpt-4.1", Some(1_047_576), Some(32_768));
    check(0, "gpt-4.1-2031-01-01", Some(1_047_576), Some(32_768));
    check(0, "tuned", Some(1), None);
    check(0, "unheard-of", None, None);
    // Here the name that the client used does not matter.
    check(1, "named", Some(1), Some(16_384));
    check(2, "named", Some(1_047_576), Some(32_768));
    check(3, "gpt-4o", None, None);
}

/// Models that have nothing but the Responses API are asked through it, unless the operator chose: the catalog's, and the operator's own.
#[test]
fn models_without_chat_completions_are_asked_through_responses() {
    let mut config = config(openai());
    config.models = vec![model("*", &["p/*"]), model("named", &["p/gpt-5.2-pro", "p/gpt-5", "p/ours"])];
    let kind = |kind| raw::CatalogModel { kind: Some(kind), ..raw::CatalogModel::default() };
    config.catalog = [("p/ours".to_owned(), kind(Kind::Responses)), ("p/o3-pro".to_owned(), kind(Kind::Chat))].into();
    let asked = |config: &raw::Config| {
        let snapshot = built(config, None);
        let any =
            ["gpt-5.2-pro", "gpt-5", "ours", "o3-pro"].map(|name| snapshot.deployments[0].dialect_of(name).name());
        let named = [1, 2, 3].map(|at| snapshot.deployments[at].dialect_of("whatever").name());
        (any, named)
    };
    let (chat, responses) = ("openai", "openai-responses");
    assert_eq!(asked(&config), ([responses, chat, responses, chat], [responses, chat, responses]));
    let mut chosen = config.clone();
    chosen.providers.get_mut("p").expect("p").dialect = Some("openai".to_owned());
    assert_eq!(asked(&chosen), ([chat; 4], [chat; 3]));
    chosen.providers.get_mut("p").expect("p").dialect = Some("openai-responses".to_owned());
    assert_eq!(asked(&chosen), ([responses; 4], [responses; 3]));
    // Whoever has no such API cannot be asked through it.
    let mut without = config.clone();
    without.providers.get_mut("p").expect("p").quirks.responses = Some(false);
    assert_eq!(asked(&without), ([chat; 4], [chat; 3]));
}

#[test]
fn request_lines_hold_host_credential_and_headers() {
    let mut provider = openai();
    provider.base_url = Some("https://proxy.example.com:8443/openai/v1/".into());
    provider.headers = [("X-Team".to_owned(), raw::SecretText::new("a"))].into();
    let snapshot = built(&config(provider), None);
    let lines = String::from_utf8(snapshot.deployments[0].http1_lines.expose().to_vec()).expect("UTF-8");
    let expected = format!(
        "host: proxy.example.com:8443\r\nauthorization: Bearer sk-canary-0123456789\r\nx-team: a\r\n\
         user-agent: ringway/{}\r\naccept-encoding: identity\r\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(lines, expected);
    let chat_start = snapshot.deployments[0].http1_chat_start.expose();
    let expected =
        format!("POST /openai/v1/chat/completions HTTP/1.1\r\n{lines}content-type: application/json\r\naccept: ");
    assert_eq!(chat_start.escape_ascii().to_string(), expected.escape_default().to_string());
    assert_eq!(&*snapshot.deployments[0].base_path, "/openai/v1");
}

#[test]
fn an_unchanged_endpoint_is_reused() {
    let first = config(openai());
    let snapshot = built(&first, None);

    // A new credential travels in requests, not in connections.
    let mut changed = first.clone();
    changed.providers.get_mut("p").expect("p").credential = Some(raw::SecretText::new("sk-another-credential"));
    let reloaded = built(&changed, Some(&snapshot));
    assert!(Arc::ptr_eq(&snapshot.endpoints[0], &reloaded.endpoints[0]));

    let mut changed = first.clone();
    changed.providers.get_mut("p").expect("p").pool.warm_min = 2;
    let reloaded = built(&changed, Some(&snapshot));
    assert!(!Arc::ptr_eq(&snapshot.endpoints[0], &reloaded.endpoints[0]));

    let mut changed = first.clone();
    changed.providers.get_mut("p").expect("p").http = raw::Http::Http2;
    let reloaded = built(&changed, Some(&snapshot));
    assert!(!Arc::ptr_eq(&snapshot.endpoints[0], &reloaded.endpoints[0]));
}

#[test]
fn an_unchanged_cloud_account_keeps_its_credential() {
    let vertex = || raw::Provider {
        project: Some("my-project".to_owned()),
        location: Some("global".to_owned()),
        ..raw::Provider::of_kind("vertex")
    };
    let mut first = config(vertex());
    first.models.push(model("a", &["p/a", "p/b"]));
    let snapshot = built(&first, None);
    assert_eq!(snapshot.cloud_accounts.len(), 1, "one account, however many deployments");
    snapshot.cloud_accounts[0].publish(CloudCredential::bearer("token", 10));
    let has_token = |snapshot: &Snapshot| snapshot.cloud_accounts[0].with_current(9, |_| ()).is_some();
    let held = |snapshot: &Snapshot| {
        snapshot.deployments.iter().all(
            |deployment| matches!(&deployment.auth, AuthSource::Cloud(it) if Arc::ptr_eq(it, &snapshot.cloud_accounts[0])),
        )
    };
    assert!(held(&snapshot));

    // What is done with the account does not matter to who it is.
    let mut changed = first.clone();
    changed.models[0].attempts_max = 1;
    changed.providers.get_mut("p").expect("p").location = Some("europe-west4".to_owned());
    let reloaded = built(&changed, Some(&snapshot));
    assert!(has_token(&reloaded) && held(&reloaded));

    let mut changed = first.clone();
    changed.providers.insert(
        "p".to_owned(),
        raw::Provider { region: Some("eu-central-1".to_owned()), ..raw::Provider::of_kind("bedrock") },
    );
    let reloaded = built(&changed, Some(&snapshot));
    assert!(!has_token(&reloaded) && held(&reloaded));
}

/// A replaced CA file is another trust domain: connections made under the old one must not be used any longer.
#[test]
fn an_endpoint_with_a_new_ca_file_is_not_reused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ca.pem");
    let authority = || {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(&key).expect("a certificate").pem()
    };
    fs::write(&path, authority()).expect("written");
    let mut provider = openai();
    provider.ca_file = Some(path.display().to_string());
    let config = config(provider);
    let snapshot = built(&config, None);
    let reloaded = built(&config, Some(&snapshot));
    assert!(Arc::ptr_eq(&snapshot.endpoints[0], &reloaded.endpoints[0]));
    fs::write(&path, authority()).expect("written");
    let reloaded = built(&config, Some(&snapshot));
    assert!(!Arc::ptr_eq(&snapshot.endpoints[0], &reloaded.endpoints[0]));
}

#[test]
fn listeners_that_were_handed_to_us_obey_the_same_rule() {
    let check = |text, keys, open_access, refused| {
        let listener = address::listen(text).expect(text);
        assert_eq!(refuse_listener(&listener, keys, open_access).is_some(), refused, "{text} {keys} {open_access}");
    };
    check("127.0.0.1:1", 0, true, false);
    check("unix:/x", 0, false, false);
    check("0.0.0.0:1", 0, false, true);
    check("0.0.0.0:1", 1, false, false);
    check("0.0.0.0:1", 1, true, true);
    check("[::]:1", 0, true, true);
    check("[::ffff:127.0.0.1]:1", 0, false, false);
}

#[test]
fn more_deployments_than_the_tables_hold_are_refused() {
    let mut config = config(raw::Provider::of_kind("ollama"));
    config.models = (0..=DEPLOYMENTS_MAX).map(|index| model(&format!("m{index}"), &[&format!("p/{index}")])).collect();
    let errors = build(&Loaded::from(config), 1, None).expect_err("too many");
    assert_eq!(errors[0].message, "4097 deployments are more than 4096");
}

/// An error-ridden file reports a screenful, not everything.
#[test]
fn reports_are_bounded() {
    let mut config = config(raw::Provider::of_kind("ollama"));
    config.models = (0..1000).map(|index| model(&format!("m{index}"), &["missing/x"])).collect();
    let errors = build(&Loaded::from(config), 1, None).expect_err("no such provider");
    assert_eq!(errors.len(), crate::limits::CONFIG_ERRORS_MAX);
}

/// The fuzz target's corpus, whole, cut at up to 500 places and with every line left out.
#[test]
fn damaged_configurations_neither_panic_nor_pass_unread() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/config");
    let seeds: Vec<_> = fs::read_dir(corpus).expect(corpus).map(|entry| entry.expect(corpus).path()).collect();
    assert!(seeds.len() > 10, "{corpus} is the corpus");
    for seed in seeds {
        println!("{}", seed.display());
        let seed = fs::read_to_string(seed).expect("UTF-8");
        fuzz_entry(&seed);
        for (end, _) in seed.char_indices().step_by(seed.len() / 500 + 1) {
            fuzz_entry(&seed[..end]);
        }
        let lines: Vec<&str> = seed.lines().collect();
        for left_out in 0..lines.len() {
            let kept: Vec<&str> =
                lines.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, line)| *line).collect();
            fuzz_entry(&kept.join("\n"));
        }
    }
}

proptest! {
    /// A full configuration with a few bytes changed.
    #[test]
    fn mutated_configurations(changes in prop::collection::vec((any::<prop::sample::Index>(), 0u8..128), 1..8)) {
        let mut bytes = include_bytes!("../../../tests/config/good/everything.toml").to_vec();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        fuzz_entry(&String::from_utf8(bytes).expect("the file is ASCII"));
    }

    /// Header values that pass the check split no request, whatever was tried.
    #[test]
    fn request_lines_cannot_be_split(name in "[a-zA-Z: \r\n-]{0,12}", value in "[ -~\r\n\0\u{80}]{0,20}", credential in "[ -~\r\n]{8,24}") {
        let mut provider = raw::Provider::of_kind("ollama");
        provider.credential = Some(raw::SecretText::new(credential));
        provider.headers = [(name, raw::SecretText::new(value))].into();
        if let Ok((snapshot, _)) = build(&Loaded::from(config(provider)), 1, None) {
            let lines = snapshot.deployments[0].http1_lines.expose();
            let names: Vec<_> = lines.split(|byte| *byte == b'\n').map(|line| line.split(|byte| *byte == b':').next()).collect();
            prop_assert_eq!(names.len(), 6, "host, credential, one header, user-agent, accept-encoding, nothing");
            prop_assert_eq!(names[1], Some(&b"authorization"[..]));
            prop_assert_eq!(lines.iter().filter(|byte| **byte == b'\r').count(), 5);
        }
    }
}
