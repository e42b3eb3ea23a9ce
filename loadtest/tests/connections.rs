//! What goes wrong before a request exists: addresses, accepting, TLS, ALPN, idle connections.

mod raw;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use raw::{CHAT, End, LIMIT, connect, read_to_end, read_until, request, scripted};
use ringway_loadtest::sim::ca::{self, Ca, LeafKind};
use ringway_loadtest::sim::refusal::{Refusing, Unreachable};
use ringway_loadtest::sim::script::Script;
use ringway_loadtest::sim::{Sim, SimConfig, SimHandle, SimTls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};

#[test]
fn nobody_listens_at_a_refusing_address() {
    let refusing = Refusing::open().expect("a port");
    let error = TcpStream::connect(refusing.addr()).expect_err("refused");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(std::net::TcpListener::bind(refusing.addr()).is_err(), "the port stays taken");
}

#[test]
fn an_unreachable_address_never_completes_a_handshake() {
    let unreachable = Unreachable::open().expect("a port");
    let error = TcpStream::connect_timeout(&unreachable.addr(), Duration::from_millis(300)).expect_err("no answer");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

#[test]
fn connections_are_accepted_as_the_script_says() {
    let closing = scripted("connection.accept = \"close\"");
    assert_eq!(read_to_end(&mut connect(closing.addr())).end, End::Fin);
    let resetting = scripted("connection.accept = \"reset\"");
    assert_eq!(read_to_end(&mut connect(resetting.addr())).end, End::Reset);
    let silent = scripted("connection.accept = \"silent\"");
    let mut stream = connect(silent.addr());
    stream.write_all(request("/v1/chat/completions", CHAT, "").as_bytes()).expect("written");
    let stats = silent.wait_until(LIMIT, |stats| stats.connections_open == 1).expect("accepted");
    assert_eq!(stats.requests, 0);
    drop(stream);
    silent.wait_until(LIMIT, |stats| stats.connections_open == 0).expect("let go when the client leaves");
    assert_eq!(silent.stats().requests, 0);
}

#[test]
fn idle_and_spent_connections_close() {
    let idle = scripted("connection.idle_close_ms = 10");
    assert_eq!(read_to_end(&mut connect(idle.addr())).end, End::Fin);
    let spent = scripted("connection.goaway_after_requests = 2");
    let mut stream = connect(spent.addr());
    for _ in 0..2 {
        stream.write_all(request("/v1/chat/completions", CHAT, "").as_bytes()).expect("written");
        read_until(&mut stream, "service_tier");
    }
    assert_eq!(read_to_end(&mut stream).end, End::Fin);
}

fn tls_sim(leaf: &SimTls, toml: &str) -> SimHandle {
    let config = SimConfig {
        tls: Some(leaf.clone()),
        http2: true,
        script: Script::parse(toml).expect("well-formed"),
        ..SimConfig::default()
    };
    Sim::start(config).expect("a simulator starts")
}

fn client_config(ca_pem: &str, alpn: &[&str]) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("PEM")).expect("a CA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Shakes hands and sends one HTTP/1.1 request; returns the protocol that was agreed on and the beginning of the answer.
fn talk(
    sim: &SimHandle,
    config: &Arc<rustls::ClientConfig>,
    name: &str,
) -> Result<(Option<Vec<u8>>, String), std::io::Error> {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut session = rustls::ClientConnection::new(Arc::clone(config), name).expect("a session");
    let mut tcp = connect(sim.addr());
    let mut stream = rustls::Stream::new(&mut session, &mut tcp);
    stream.write_all(request("/v1/chat/completions", CHAT, "connection: close\r\n").as_bytes())?;
    let mut text = Vec::new();
    if stream.conn.alpn_protocol() != Some(b"h2") {
        stream.read_to_end(&mut text)?;
    }
    Ok((session.alpn_protocol().map(<[u8]>::to_vec), raw::show(&text)))
}

#[test]
fn a_good_certificate_is_good_for_its_names_only() {
    let made = ca::throwaway(&["localhost", "127.0.0.1"]).expect("certificates");
    let sim = tls_sim(&made.leaf, "");
    let config = client_config(made.ca.pem(), &["http/1.1"]);
    for name in ["localhost", "127.0.0.1"] {
        let (_, text) = talk(&sim, &config, name).expect(name);
        assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    }
    let error = talk(&sim, &config, "example.com").expect_err("another name");
    assert!(
        error.to_string().contains("NotValidForName") || error.to_string().contains("not valid for name"),
        "{error}"
    );
    sim.wait_until(LIMIT, |stats| stats.tls_failures == 1 && stats.tls_handshakes >= 2).expect("counted");
}

#[test]
fn bad_certificates_are_bad() {
    let ca = Ca::try_new().expect("a CA");
    let config = client_config(ca.pem(), &["http/1.1"]);
    for (kind, says) in [(LeafKind::Expired, "xpired"), (LeafKind::WrongName, "name"), (LeafKind::UnknownCa, "nknown")]
    {
        let leaf = ca.leaf(&["localhost"], kind).expect("a leaf");
        let error = talk(&tls_sim(&leaf, ""), &config, "localhost").expect_err("refused");
        assert!(error.to_string().contains(says), "{kind:?}: {error}");
    }
}

#[test]
fn alpn_is_what_was_asked_for() {
    let made = ca::throwaway(&["localhost"]).expect("certificates");
    let both = client_config(made.ca.pem(), &["h2", "http/1.1"]);
    let agreed = |toml: &str| talk(&tls_sim(&made.leaf, toml), &both, "localhost").map(|(protocol, _)| protocol);
    assert_eq!(agreed("").expect("agreed"), Some(b"h2".to_vec()));
    assert_eq!(agreed("connection.alpn = [\"http/1.1\"]").expect("agreed"), Some(b"http/1.1".to_vec()));
    assert_eq!(agreed("connection.alpn = []").expect("agreed"), None);
}

#[test]
fn sessions_resume() {
    let made = ca::throwaway(&["localhost"]).expect("certificates");
    let sim = tls_sim(&made.leaf, "");
    let config = client_config(made.ca.pem(), &["http/1.1"]);
    for _ in 0..2 {
        talk(&sim, &config, "localhost").expect("an answer");
    }
    let stats = sim.stats();
    assert_eq!((stats.tls_handshakes, stats.tls_resumed), (2, 1));
}

#[test]
fn a_stalled_handshake_says_nothing() {
    let made = ca::throwaway(&["localhost"]).expect("certificates");
    let sim = tls_sim(&made.leaf, "connection.tls_stall = true");
    let mut stream = connect(sim.addr());
    stream.write_all(&[22, 3, 1, 0, 1, 0]).expect("written");
    sim.wait_until(LIMIT, |stats| stats.connections_open == 1).expect("accepted");
    drop(stream);
    let stats = sim.wait_until(LIMIT, |stats| stats.connections_open == 0).expect("let go");
    assert_eq!((stats.tls_handshakes, stats.tls_failures), (0, 0));
}
