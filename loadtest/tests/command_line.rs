//! The binary as a shell or a Python test uses it.

mod raw;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(args: &[&str]) -> (Running, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ringway-loadtest"))
        .args(["sim", "--json"])
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    (Running(child), ready)
}

#[test]
fn a_simulator_says_where_it_is_and_can_be_loaded() {
    let (_running, ready) = start(&["--fast"]);
    let endpoint = ready["endpoint"].as_str().expect("an endpoint");
    assert!(ready["control"].as_str().is_some_and(|control| control.ends_with("/sim")));
    let output = Command::new(env!("CARGO_BIN_EXE_ringway-loadtest"))
        .args(["open", "--url", endpoint, "--rate", "100", "--seconds", "0.2", "--warmup", "0", "--connections", "2"])
        .output()
        .expect("the driver runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    assert_eq!((&report["requests"], &report["pattern"]), (&20.into(), &"open".into()));
}

#[test]
fn a_throwaway_ca_is_written() {
    let dir = std::env::temp_dir().join(format!("ringway-loadtest-{}", std::process::id()));
    let (_running, ready) = start(&["--tls-throwaway", dir.to_str().expect("a name"), "--http2"]);
    assert!(ready["endpoint"].as_str().is_some_and(|endpoint| endpoint.starts_with("https://127.0.0.1:")));
    for file in ["ca.pem", "cert.pem", "key.pem"] {
        let text = std::fs::read_to_string(dir.join(file)).expect(file);
        assert!(text.starts_with("-----BEGIN "), "{file}");
    }
    std::fs::remove_dir_all(&dir).expect("removed");
}

#[test]
fn a_load_says_what_became_of_numbered_chunks_over_tls_and_http2() {
    let dir = std::env::temp_dir().join(format!("ringway-loadtest-h2-{}", std::process::id()));
    let fast = ["--fast", "--fast-numbered", "--fast-chunks", "7", "--http2", "--tls-throwaway"];
    let (_running, ready) = start(&[&fast[..], &[dir.to_str().expect("a name")]].concat());
    let endpoint = ready["endpoint"].as_str().expect("an endpoint");
    let ca = dir.join("ca.pem");
    let output = Command::new(env!("CARGO_BIN_EXE_ringway-loadtest"))
        .args(["open", "--url", endpoint, "--rate", "100", "--seconds", "0.2", "--warmup", "0", "--connections", "2"])
        .args(["--stream", "--check-chunks", "--http2", "--streams", "4", "--threads", "2", "--kind", "tools"])
        .args(["--tls-ca", ca.to_str().expect("a name")])
        .output()
        .expect("the driver runs");
    std::fs::remove_dir_all(&dir).expect("removed");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    assert_eq!(
        (&report["requests"], &report["protocol"], &report["threads"]),
        (&20.into(), &"h2+tls".into(), &2.into())
    );
    assert_eq!((&report["fidelity"]["streams"], &report["fidelity"]["chunks"]), (&20.into(), &140.into()));
    assert!(report["latency"].is_null() && report["latency_us"]["p99_9"].is_number(), "{report}");
}

#[test]
fn a_throwaway_certificate_can_be_one_to_refuse() {
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, crypto::ring};

    let handshake = |leaf: &str| {
        let dir = std::env::temp_dir().join(format!("ringway-loadtest-{leaf}-{}", std::process::id()));
        let dir_name = dir.to_str().expect("a name");
        let (_running, ready) = start(&["--tls-throwaway", dir_name, "--tls-leaf", leaf]);
        let ca = std::fs::read(dir.join("ca.pem")).expect("a CA");
        std::fs::remove_dir_all(&dir).expect("removed");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&ca).expect("PEM")).expect("a CA");
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let mut tls = ClientConnection::new(config.into(), name).expect("a client");
        let endpoint = ready["endpoint"].as_str().expect("an endpoint");
        let address = endpoint.trim_start_matches("https://").trim_end_matches("/v1");
        let mut tcp = std::net::TcpStream::connect(address).expect("it listens");
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp).map_err(|error| error.to_string())?;
        }
        Ok::<(), String>(())
    };
    assert_eq!(handshake("good"), Ok(()));
    for (leaf, says) in [("expired", "expired"), ("wrong-name", "not valid for name"), ("unknown-ca", "UnknownIssuer")]
    {
        let refused = handshake(leaf).expect_err(leaf);
        assert!(refused.contains(says), "{leaf}: {refused}");
    }
}

#[test]
fn faults_are_listed_and_mistakes_are_errors() {
    let run = |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_ringway-loadtest")).args(args).output().expect("runs");
    let listed = run(&["sim", "--list-faults"]);
    let text = raw::show(&listed.stdout);
    assert!(ringway_loadtest::sim::fault::FAULTS.iter().all(|fault| text.contains(fault.name)));
    let refused = run(&["closed", "--url", "ftp://x"]);
    assert!(!refused.status.success() && raw::show(&refused.stderr).contains("http://"));
    for mistake in [
        ["--manners", "slowly"],
        ["--manners", "reads-slowly:x"],
        ["--dialect", "esperanto"],
        ["--streams", "4"],
        ["--warmup", "-1"],
    ] {
        assert!(!run(&[&["closed", "--url", "http://127.0.0.1:9/v1"], &mistake[..]].concat()).status.success());
    }
}

/// Briefly, so that it is the command that is tested and not the machine.
#[test]
fn the_load_is_calibrated_alone_and_before_a_proxy() {
    let nginx = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/nginx");
    for protocol in [&[][..], &["--tls", "--streams", "4"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_ringway-loadtest"))
            .args(["calibrate", "--json", "--seconds", "0.2", "--repetitions", "1", "--connections", "8"])
            .args(["--peer", nginx])
            .args(protocol)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
        let lines = lines.as_array().expect("a list");
        // nginx is measured where it is installed.
        assert_eq!(lines.len() == 1, said.contains("nginx is not installed"), "{lines:?} {said}");
        for line in lines {
            assert!(line["rps"]["median"].as_f64().is_some_and(|rps| rps > 100.0), "{line}");
            assert_eq!(line["errors"], 0, "{line}");
        }
        assert_eq!((&lines[0]["refused"], &lines[0]["target_cores"]), (&Value::Null, &Value::Null));
    }
}
