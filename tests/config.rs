//! Configurations as data: every `tests/config/{good,bad}/NAME.toml` (or `NAME/ringway.toml` with a `conf.d`) has the expected
//! outcome beside it in `NAME.txt`: for good ones the warnings and what the snapshot holds, for bad ones the diagnostics.
//!
//! To add a case add a file; `GOLDEN=update cargo test --test config` writes the expectations, then read the diff. Whatever comes
//! out is also searched for "canary", which the secrets of these files contain.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]

use ringway::config::{
    checked,
    cloud::AuthSource,
    interpolate::Lookup,
    load,
    settings::Settings,
    snapshot::{Endpoint, Snapshot},
};
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// The surroundings that the cases refer to.
struct Surroundings;

impl Lookup for Surroundings {
    fn env(&self, name: &str) -> Option<String> {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config/authorities");
        let value = match name {
            "CANARY_KEY" => "sk-canary-from-the-environment".to_owned(),
            "CANARY_HEADER" => "another canary".replace(' ', "-"),
            "CANARY_SPLIT" => "canary-key\r\nx-injected: canary".to_owned(),
            "CREDENTIALS_DIRECTORY" => "/credentials".to_owned(),
            "CA_FILE" => format!("{directory}/ca.pem"),
            "NOT_CA_FILE" => format!("{directory}/not-a-certificate.pem"),
            "SERVICE_ACCOUNT_FILE" => service_account_file(),
            "AWS_REGION" => "eu-central-1".to_owned(),
            "WORD" => "word".to_owned(),
            "EMPTY" => String::new(),
            _ => return None,
        };
        Some(value)
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        match path.to_str() {
            Some("/secrets/gpu") => Ok("canary-from-a-file\n".to_owned()),
            Some("/credentials/openai") => Ok("canary-from-systemd\n".to_owned()),
            _ => Err("no such file".to_owned()),
        }
    }
}

/// A service account's key file, made of a key that opens nothing.
fn service_account_file() -> String {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let key = fs::read(root.join("tests/keys/service-account.der")).expect("the key");
        let lines = base64(&key);
        let [begin, end] = ["BEGIN", "END"].map(|word| format!("-----{word} PRIVATE KEY-----"));
        let key = format!("{begin}\\n{lines}\\n{end}\\n");
        let text = format!(
            "{{\"type\": \"service_account\", \"client_email\": \"robot@example.com\", \"private_key\": \"{key}\"}}"
        );
        let path = std::env::temp_dir().join(format!("ringway-service-account-{}.json", std::process::id()));
        fs::write(&path, text).expect("a temporary file");
        path
    });
    file.to_str().expect("UTF-8").to_owned()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().enumerate().fold(0_u32, |word, (place, byte)| word | u32::from(*byte) << (16 - 8 * place));
        let digits = (0..=chunk.len()).map(|place| char::from(ALPHABET[(word >> (18 - 6 * place)) as usize & 63]));
        text.extend(digits.chain(std::iter::repeat_n('=', 3 - chunk.len())));
    }
    text
}

#[test]
fn good() {
    for (name, main) in cases("tests/config/good") {
        let loaded = load::load(&main, &Surroundings).unwrap_or_else(|errors| panic!("{name}: {}", lines(&errors)));
        let (snapshot, settings) =
            checked::build(&loaded, 1, None).unwrap_or_else(|errors| panic!("{name}: {}", lines(&errors)));
        // Debug output of all that holds or held a secret is searched too.
        let debug = format!("{loaded:?} {snapshot:?} {settings:?}");
        assert!(!debug.contains("canary"), "{name}: {debug}");
        compare("tests/config/good", &name, &(lines(&settings.warnings) + &describe(&snapshot, &settings)));
    }
}

#[test]
fn bad() {
    for (name, main) in cases("tests/config/bad") {
        let built = load::load(&main, &Surroundings).and_then(|loaded| checked::build(&loaded, 1, None).map(|_| ()));
        let errors = built.expect_err(&format!("{name} is accepted"));
        assert!(!errors.is_empty(), "{name}");
        compare("tests/config/bad", &name, &lines(&errors));
    }
}

/// Names and main files, in a stable order.
fn cases(directory: &str) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect(directory) {
        let path = entry.expect(directory).path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("UTF-8").to_owned();
        if path.is_dir() {
            found.push((name, path.join("ringway.toml")));
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push((name, path));
        }
    }
    assert!(!found.is_empty(), "{directory} has no cases");
    found.sort();
    found
}

fn compare(directory: &str, name: &str, found: &str) {
    let found = found.replace(env!("CARGO_MANIFEST_DIR"), "$ROOT").replace(&service_account_file(), "$SERVICE_ACCOUNT");
    assert!(!found.contains("canary"), "{name} shows a secret:\n{found}");
    let path = Path::new(directory).join(format!("{name}.txt"));
    if std::env::var("GOLDEN").is_ok_and(|value| value == "update") {
        fs::write(&path, &found).expect("the expectation can be written");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{} differs; GOLDEN=update rewrites it", path.display());
}

fn lines(diagnostics: &[ringway::config::diagnostic::Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect()
}

/// What the snapshot holds, in words.
fn describe(snapshot: &Snapshot, settings: &Settings) -> String {
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a String takes text");
    let listen: Vec<_> = settings.listen.iter().map(ToString::to_string).collect();
    line(format!("listen {}; admin {:?}; {:?}", listen.join(" "), settings.admin, settings.access_log));
    line(format!("shards {:?}; driver {:?}; tls {:?}", settings.shards, settings.driver, settings.tls));
    line(format!("{:?}", snapshot.server));
    line(format!("open access: {}", snapshot.open_access));
    let mut keys: Vec<_> = snapshot.keys.values().collect();
    keys.sort_by_key(|key| key.index);
    keys.iter().for_each(|key| line(format!("key {}: {}, expires {:?}", key.index, key.name, key.expires_at_s)));
    snapshot.endpoints.iter().enumerate().for_each(|(index, at)| line(format!("endpoint {index}: {}", endpoint(at))));
    for deployment in &snapshot.deployments {
        let headers: Vec<_> = deployment.headers.iter().map(|(name, _)| &**name).collect();
        let head = String::from_utf8(deployment.http1_lines.expose().to_vec()).expect("UTF-8");
        assert!(head.ends_with("\r\n") && head.lines().all(|line| line.contains(": ")), "{head:?}");
        assert!(headers.iter().all(|name| head.contains(&format!("\r\n{name}: "))), "every header is in the lines");
        let names: Vec<_> = head.lines().map(|line| line.split_once(": ").map_or("", |(name, _)| name)).collect();
        let auth = match &deployment.auth {
            AuthSource::Headers => String::new(),
            AuthSource::Cloud(account) => format!("; {account:?}"),
        };
        let chosen = match deployment.dialect {
            usual if usual == deployment.provider.dialect => String::new(),
            other => format!("; in {}", other.name()),
        };
        let version = deployment.api_version.iter().map(|version| format!(" of {version}")).collect::<String>();
        line(format!(
            "deployment {}: {} is {:?} of {} at endpoint {}{}{version}; lines: {}; {:?}{auth}{chosen}",
            deployment.index,
            deployment.name,
            deployment.upstream_model,
            deployment.provider.id,
            deployment.endpoint,
            deployment.base_path,
            names.join(" "),
            deployment.quirks,
        ));
    }
    let mut groups: Vec<_> = snapshot.groups.values().chain(snapshot.prefixes.iter().map(|(_, group)| group)).collect();
    groups.sort_by_key(|group| group.index);
    groups.iter().for_each(|group| line(format!("{group:?}")));
    let prefixes: Vec<_> = snapshot.prefixes.iter().map(|(prefix, _)| format!("{prefix:?}")).collect();
    line(format!("prefixes: {}", prefixes.join(" ")));
    let mut own: Vec<_> = snapshot.catalog.iter().collect();
    own.sort_by(|a, b| a.0.cmp(b.0));
    own.iter().for_each(|(name, model)| line(format!("{name}: {model:?}")));
    text
}

fn endpoint(endpoint: &Endpoint) -> String {
    let key = &endpoint.key;
    let alpn = endpoint.tls.as_ref().map(|tls| {
        let names: Vec<_> = tls.alpn_protocols.iter().map(|name| String::from_utf8_lossy(name)).collect();
        assert!(!tls.enable_early_data, "a replayed prompt costs money");
        names.join(" ")
    });
    format!(
        "{}:{} {:?} alpn {alpn:?} name {:?} ca {:?} ({}); {:?}; {:?}",
        key.host,
        key.port,
        key.http,
        endpoint.server_name,
        key.ca_file,
        if key.ca_digest == [0; 32] { "no digest" } else { "digest" },
        endpoint.addresses.load(),
        endpoint.pool,
    )
}
