//! Every shipped folder, and folders with one thing wrong.

use super::*;

fn shipped() -> Vec<Peer> {
    let peers = Peer::load_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")).expect("all are right");
    assert!(peers.len() >= 6, "{}", peers.len());
    peers
}

fn values() -> Values {
    Values {
        port: 18_101,
        upstream_host: "127.0.0.1".into(),
        upstream_port: 18_202,
        upstream_name: "provider.test".into(),
        ca_file: Some("/run/tls/ca.pem".into()),
        cpu: "5".into(),
        workers: 37,
        model: "sim-fast".into(),
        folder: "/run/folder".into(),
        tools: "/run/tools".into(),
        program: "/run/bin/program".into(),
    }
}

/// All texts that a start consists of.
fn texts(start: &Start) -> String {
    let pairs = start.environment.iter().chain(&start.headers).map(|(name, text)| format!("{name}={text}"));
    let files = start.files.iter().map(|(path, text)| format!("{}\n{text}", path.display()));
    start.command.iter().cloned().chain(pairs).chain(files).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_setup_renders_with_the_values_of_the_run() {
    for peer in shipped() {
        for (name, setup) in &peer.setups {
            let start = peer.render(name, &values()).expect("it renders");
            let (what, all) = (format!("{} {name}", peer.name), texts(&start));
            assert_eq!(start.command[..3], ["taskset", "--cpu-list", "5"], "{what}");
            assert!(all.contains("18101"), "{what} does not listen where it should");
            assert!(all.contains("18202"), "{what} does not know its upstream's port");
            assert_eq!(all.contains("/run/tls/ca.pem"), setup.upstream == Upstream::Https, "{what} and certificates");
            assert_eq!(start.url, "http://127.0.0.1:18101/v1");
            for (path, text) in &start.files {
                assert!(path.starts_with("/run/folder"), "{what}");
                assert!(!text.is_empty(), "{what}");
            }
            assert!(!setup.says.is_empty());
        }
    }
}

#[test]
fn a_setup_for_tls_needs_an_authority() {
    let without = Values { ca_file: None, ..values() };
    for peer in shipped() {
        assert!(peer.setups["default"].upstream == Upstream::Http && peer.setups["tuned"].upstream == Upstream::Http);
        peer.render("tuned", &without).expect("no certificate is needed");
        peer.render("tls", &without).expect_err("whom should it trust?");
    }
}

#[test]
fn every_peer_says_what_its_figures_do_not_show() {
    for peer in shipped() {
        assert!(!peer.not_shown.is_empty(), "{}", peer.name);
        assert!(!peer.says.is_empty() && peer.ready_within_s > 0, "{}", peer.name);
    }
}

#[test]
fn everything_is_installed_from_a_registry_by_name() {
    for peer in shipped() {
        let installs = peer.install(Path::new("/run/tools")).expect("it renders");
        for command in &installs {
            let program = command[0].rsplit('/').next().unwrap_or_default();
            assert!(["apt-get", "npm", "pip", "python3"].contains(&program), "{}: {command:?}", peer.name);
            assert!(command.iter().all(|word| !word.contains("://")), "{}: {command:?}", peer.name);
        }
        assert!(!installs.is_empty());
        let version = peer.version_command(Path::new("/run/tools"), Path::new("/run/bin/program"));
        let version = version.expect("it renders").join(" ");
        assert!(version.contains("/run/"), "{}: of what is {version} the version?", peer.name);
    }
}

#[test]
fn a_program_is_found_where_it_was_installed() {
    let at = TempFolder::new();
    let (bin, tools) = (at.0.join("bin"), at.0.join("tools"));
    let path = format!("/nowhere:{}", bin.display());
    fs::create_dir_all(&bin).expect("a writable folder");
    let peer = |program: &str| {
        fs::write(at.peer().join("tuned.conf"), "").expect("a writable folder");
        let description = SMALL.replace("program = \"small\"", &format!("program = \"{program}\""));
        fs::write(at.peer().join(DESCRIPTION), description).expect("a writable folder");
        Peer::load(&at.peer()).expect("nothing is wrong")
    };
    assert_eq!(peer("small").find(&tools, &path), None);
    assert_eq!(peer("{tools}/small").find(&tools, &path), None);
    fs::write(bin.join("small"), "").expect("a writable folder");
    assert_eq!(peer("small").find(&tools, &path), Some(bin.join("small")));
    assert_eq!(peer("{tools}/small").find(&bin, &path), Some(bin.join("small")));
}

#[test]
fn versions_are_found_in_what_programs_print() {
    for (printed, version) in [
        ("nginx version: nginx/1.22.1\n", Some("1.22.1")),
        ("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\nStatus: long-term", Some("2.6.12")),
        ("/t/envoy  version: 9e5580933739775e8bce696a57a2e1bc99368f63/1.40.0/Clean/RELEASE/BoringSSL", Some("1.40.0")),
        ("v2.11.7 h1:yj0Y4fYZGPkSvibBJ1sTWE33xC0fxztVyXEW5iIdUT4=", Some("2.11.7")),
        ("1.106.2\n", Some("1.106.2")),
        ("command not found. 1..2 a.b.c 7", None),
    ] {
        assert_eq!(Peer::version_in(printed), version, "{printed}");
    }
}

#[test]
fn only_names_in_braces_are_placeholders() {
    let known = [("port", "80".to_owned()), ("upstream_host", "h".to_owned())];
    let filled = |text| fill(text, &known).map_err(|error| error.to_string());
    assert_eq!(filled("listen {port};").as_deref(), Ok("listen 80;"));
    assert_eq!(filled("{upstream_host}:{port}{port}").as_deref(), Ok("h:8080"));
    assert_eq!(filled("server { a: {port} }").as_deref(), Ok("server { a: 80 }"));
    assert_eq!(filled("{} {{port} {$HOME} {a.b} {A} {").as_deref(), Ok("{} {80 {$HOME} {a.b} {A} {"));
    assert_eq!(filled("{ports}"), Err("the placeholder {ports} has no value".into()));
}

const SMALL: &str = r#"
name = "small"
says = "A peer."
kind = "proxy"
install = [["apt-get", "install", "small"]]
program = "small"
version = ["{program}", "-v"]
ready = { seconds = 1 }
[setups.default]
says = "as it is"
upstream = "http"
command = ["{program}", "{port}"]
[setups.tuned]
says = "faster"
upstream = "http"
command = ["{program}", "-c", "{folder}/small.conf"]
files = { "small.conf" = "tuned.conf" }
"#;

/// What is said of a folder with this description and these files.
fn refused(description: &str, files: &[(&str, &str)]) -> String {
    let at = TempFolder::new();
    for (name, text) in files.iter().chain(&[(DESCRIPTION, description)]) {
        fs::write(at.peer().join(name), text).expect("a writable folder");
    }
    match Peer::load(&at.peer()) {
        Ok(peer) => format!("accepted as {}", peer.name),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_folder_with_a_mistake_is_refused_with_the_mistake() {
    let conf = ("tuned.conf", "listen {port}");
    let check = |description: &str, files: &[(&str, &str)], expected: &str| {
        let said = refused(description, files);
        assert!(said.contains(expected), "{expected:?} is not in {said:?}");
    };
    check(SMALL, &[conf], "accepted as small");
    check(SMALL, &[], "setup 'tuned': there is no template 'tuned.conf'");
    check(SMALL, &[conf, ("left.conf", "")], "no setup uses 'left.conf'");
    check(SMALL, &[("tuned.conf", "{prot}")], "setup 'tuned': tuned.conf: the placeholder {prot} has no value");
    check(&SMALL.replace("{port}", "{ip}"), &[conf], "setup 'default': the placeholder {ip} has no value");
    check(&SMALL.replace("-v", "{folder}"), &[conf], "the placeholder {folder} has no value");
    check(&SMALL.replace("\"small.conf\" =", "\"../small.conf\" ="), &[conf], "is not a plain file name");
    check(&SMALL.replace("setups.default", "setups.other"), &[conf], "there is no setup 'default'");
    check(&SMALL.replace("name = \"small\"", "name = \"large\""), &[conf], "the name 'large' is not the folder's");
    check(&SMALL.replace("\"{program}\", \"-v\"", ""), &[conf], "a command is empty");
    check(&SMALL.replace("kind =", "sort ="), &[conf], "unknown field `sort`");
}

/// A folder `small` in a folder of its own, gone with it.
struct TempFolder(PathBuf);

impl TempFolder {
    fn new() -> TempFolder {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = TempFolder(std::env::temp_dir().join(format!("ringway-peers-{}-{number}", std::process::id())));
        fs::create_dir_all(folder.peer()).expect("a writable folder");
        folder
    }

    fn peer(&self) -> PathBuf {
        self.0.join("small")
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
