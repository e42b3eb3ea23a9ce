use super::*;
use crate::telemetry::fixtures;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConnection};
use rustls_pki_types::ServerName;
use std::io::{Read, Write};
use tempfile::TempDir;

/// A directory with a certificate and its key, which can be replaced.
struct Files {
    directory: TempDir,
    files: CertificateFiles,
}

impl Files {
    fn new() -> Files {
        let directory = tempfile::tempdir().expect("a directory");
        let files =
            CertificateFiles { chain: directory.path().join("chain.pem"), key: directory.path().join("key.pem") };
        let mut files = Files { directory, files };
        files.replace();
        files
    }

    /// Puts a new certificate and key in place, and returns the certificate.
    fn replace(&mut self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        self.put(&self.files.chain, &made.cert.pem());
        self.put(&self.files.key, &made.signing_key.serialize_pem());
        made.cert.der().clone()
    }

    /// Replaces a file as tools do it: by a rename, which changes the inode even within one tick of the clock.
    fn put(&self, path: &Path, content: &str) {
        let beside = self.directory.path().join("new");
        fs::write(&beside, content).expect("written");
        fs::rename(&beside, path).expect("renamed");
    }
}

fn node() -> Node {
    Node::new(Arc::new(fixtures::empty(1)), 1)
}

fn open(files: &Files, node: &Node) -> Certificates {
    Certificates::open(files.files.clone(), node).expect("a good certificate")
}

/// A client that trusts exactly these certificates.
fn client_of(roots: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    let mut store = RootCertStore::empty();
    roots.iter().for_each(|root| store.add(root.clone()).expect("a root"));
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    Arc::new(config)
}

/// Shakes hands with what the node publishes, in memory; returns the client's end.
fn handshake(node: &Node, client: &Arc<ClientConfig>) -> Result<ClientConnection, rustls::Error> {
    let server = node.downstream_tls.load_full().expect("published");
    let mut server = ServerConnection::new(server)?;
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = ClientConnection::new(Arc::clone(client), name)?;
    // Two round trips and a byte of data, so that the tickets that follow the handshake have arrived.
    for _ in 0..3 {
        let mut flight = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut flight).expect("into memory");
        }
        server.read_tls(&mut flight.as_slice()).expect("from memory");
        server.process_new_packets()?;
        if !server.is_handshaking() {
            server.writer().write_all(b"x").expect("into memory");
        }
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).expect("into memory");
        }
        let mut flight = flight.as_slice();
        while !flight.is_empty() {
            client.read_tls(&mut flight).expect("from memory");
            client.process_new_packets()?;
        }
    }
    let mut received = [0; 1];
    client.reader().read_exact(&mut received).expect("the server's byte");
    Ok(client)
}

fn served(node: &Node, trusted: &CertificateDer<'static>) -> CertificateDer<'static> {
    let client = handshake(node, &client_of(std::slice::from_ref(trusted))).expect("a handshake");
    client.peer_certificates().expect("a certificate")[0].clone().into_owned()
}

#[test]
fn changed_files_are_served_and_unchanged_ones_left_alone() {
    let (mut files, node) = (Files::new(), node());
    let mut certificates = open(&files, &node);
    assert_eq!(certificates.refresh(&node), Refreshed::Unchanged);
    let second = files.replace();
    assert_eq!(certificates.refresh(&node), Refreshed::Replaced);
    assert_eq!(served(&node, &second), second);
    assert_eq!(certificates.refresh(&node), Refreshed::Unchanged);
}

#[test]
fn http2_is_preferred() {
    let (mut files, node) = (Files::new(), node());
    let certificate = files.replace();
    open(&files, &node);
    let client = handshake(&node, &client_of(&[certificate])).expect("a handshake");
    assert_eq!(client.alpn_protocol(), Some(&b"h2"[..]));
}

#[test]
fn sessions_resume_across_a_change_of_certificate() {
    let (mut files, node) = (Files::new(), node());
    let first = files.replace();
    let mut certificates = open(&files, &node);
    let client = client_of(&[first]);
    let kinds = |node: &Node| handshake(node, &client).expect("a handshake").handshake_kind();
    assert_eq!(kinds(&node), Some(HandshakeKind::Full));
    assert_eq!(kinds(&node), Some(HandshakeKind::Resumed));
    files.replace();
    certificates.reload(&node);
    assert_eq!(kinds(&node), Some(HandshakeKind::Resumed));
}

#[test]
fn certificate_that_cannot_be_used_never_replaces_one_that_can() {
    let (mut files, node) = (Files::new(), node());
    let good = files.replace();
    let mut certificates = open(&files, &node);
    let good_key = fs::read_to_string(&files.files.key).expect("the key");
    let good_chain = fs::read_to_string(&files.files.chain).expect("the chain");
    let mut other = Files::new();
    other.replace();
    let other_key = fs::read_to_string(&other.files.key).expect("a key");
    let damaged = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    let cases = [
        ("chain.pem", &good_chain, &other_key, "KeyMismatch"),
        ("chain.pem", &String::new(), &good_key, "it holds no PEM certificate"),
        ("chain.pem", &damaged.to_owned(), &good_key, "its PEM certificate is damaged"),
        ("key.pem", &good_chain, &good_chain, "it holds no PEM private key"),
    ];
    for (number, (file, chain, key, why)) in cases.into_iter().enumerate() {
        files.put(&files.files.chain, chain);
        files.put(&files.files.key, key);
        for look in ["first", "second"] {
            let Refreshed::Refused(error) = certificates.refresh(&node) else { panic!("{why}: accepted") };
            assert_eq!(error.file.file_name().and_then(|name| name.to_str()), Some(file));
            assert!(error.why.contains(why), "{look} look: {error}");
        }
        assert_eq!(served(&node, &good), good);
        assert_eq!(node.process.read(ProcessCell::CertificateFailures), number as u64 + 1, "counted once per refusal");
    }
    fs::remove_file(&files.files.key).expect("removed");
    assert!(matches!(certificates.refresh(&node), Refreshed::Refused(_)));
    files.put(&files.files.chain, &good_chain);
    files.put(&files.files.key, &good_key);
    assert_eq!(certificates.refresh(&node), Refreshed::Replaced);
}

#[test]
fn refusal_says_nothing_of_the_key() {
    let (files, node) = (Files::new(), node());
    let canary = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5LWNhbmFyeQ\n-----END PRIVATE KEY-----\n";
    files.put(&files.files.key, canary);
    let error = Certificates::open(files.files.clone(), &node).expect_err("a key that is none");
    assert!(!format!("{error} {error:?}").to_lowercase().contains("canary-canary"));
    assert!(!format!("{error} {error:?}").contains("Y2FuYXJ5"));
    assert!(node.downstream_tls.load().is_none());
}
