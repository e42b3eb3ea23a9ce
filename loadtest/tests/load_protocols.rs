//! The load generator over TLS and HTTP/2, against simulators that count what they see.

mod raw;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use raw::LIMIT;
use ringway_loadtest::load::{
    Arrivals, Generator, LoadOptions, Pattern, Protocol, Report, Target, Threads, Trust, Window, run,
};
use ringway_loadtest::sim::ca::{self, LeafKind};
use ringway_loadtest::sim::script::Script;
use ringway_loadtest::sim::{FastOptions, Sim, SimConfig, SimHandle};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const H2: Protocol = Protocol::Http2 { streams_per_connection: 8 };

const CLOSED: Pattern = Pattern::Closed;
const OPEN: Pattern = Pattern::Open { per_second: 100.0, arrivals: Arrivals::Constant, ramp: None };

fn options(sim: &SimHandle, protocol: Protocol, trust: Trust) -> LoadOptions {
    let target = Target::parse(&sim.base_url()).expect("a URL");
    LoadOptions { connections: 2, protocol, trust, ..LoadOptions::new(target) }
}

fn go(options: &LoadOptions, pattern: Pattern) -> Report {
    let window = Window { pattern, warmup: Duration::ZERO, time: Duration::from_millis(300) };
    run(options, &window).expect("the run ends")
}

fn plain(script: &str) -> SimHandle {
    let script = Script::parse(script).expect("a script");
    Sim::start(SimConfig { http2: true, script, ..SimConfig::default() }).expect("a simulator starts")
}

fn secure(script: &str, kind: LeafKind) -> (SimHandle, Trust) {
    let ca = ca::throwaway(&["localhost"]).expect("a CA").ca;
    let tls = Some(ca.leaf(&["localhost", "127.0.0.1"], kind).expect("a leaf"));
    let script = Script::parse(script).expect("a script");
    let config = SimConfig { tls, http2: true, script, ..SimConfig::default() };
    (Sim::start(config).expect("a simulator starts"), Trust::CaPem(ca.pem().to_owned()))
}

#[test]
fn requests_go_over_each_protocol() {
    for protocol in [Protocol::Http1, H2] {
        for tls in [false, true] {
            let (sim, trust) = if tls { secure("", LeafKind::Good) } else { (plain(""), Trust::System) };
            let report = go(&options(&sim, protocol, trust), OPEN);
            assert_eq!((report.requests, report.errors.len()), (30, 0), "{report:?}");
            assert_eq!(report.latency.len(), 30);
            let stats = sim.stats();
            assert_eq!((stats.requests, stats.connections), (30, 2), "{report:?}");
            let (of_it, handshakes) =
                if protocol == H2 { (stats.h2_connections, 2) } else { (stats.h1_connections, 2) };
            assert_eq!((of_it, stats.tls_handshakes), (2, if tls { handshakes } else { 0 }), "{report:?}");
        }
    }
}

#[test]
fn streams_and_long_bodies_come_through_each_protocol() {
    for protocol in [Protocol::Http1, H2] {
        let (sim, trust) = secure("answer = { tokens = 400 }", LeafKind::Good);
        let mut run = options(&sim, protocol, trust);
        run.request.stream = true;
        run.request.body_bytes = 300_000;
        let report = go(&run, Pattern::Open { per_second: 20.0, arrivals: Arrivals::Constant, ramp: None });
        assert_eq!((report.requests, report.errors.len()), (6, 0), "{report:?}");
        assert!(report.events > 6 * 100 && report.ttft.len() == 6, "{report:?}");
        assert!(sim.stats().upload_bytes > 6 * 285_000);
    }
}

/// A server that says nothing after a handshake, not even a session ticket, and closes each connection after one answer.
fn taciturn(connections: usize) -> (Target, Trust, std::thread::JoinHandle<()>) {
    let made = ca::throwaway(&["127.0.0.1"]).expect("a CA");
    let chain = CertificateDer::pem_slice_iter(made.leaf.cert_pem.as_bytes()).collect::<Result<_, _>>().expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(made.leaf.key_pem.as_bytes()).expect("PEM");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).expect("they fit");
    config.send_tls13_tickets = 0;
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = Target::parse(&format!("https://{}/v1", listener.local_addr().expect("bound"))).expect("a URL");
    let server = std::thread::spawn(move || {
        for _ in 0..connections {
            let (socket, _) = listener.accept().expect("it connects");
            let session = ServerConnection::new(Arc::clone(&config)).expect("a session");
            let mut stream = StreamOwned::new(session, socket);
            let (mut request, mut buffer) = (Vec::new(), [0; 16_384]);
            while !request.ends_with(b"\"max_tokens\":256}") {
                match stream.read(&mut buffer) {
                    // The last connection is opened and not used.
                    Ok(0) | Err(_) => return,
                    Ok(count) => request.extend_from_slice(&buffer[..count]),
                }
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            stream.write_all(answer).expect("it reads");
            stream.conn.send_close_notify();
            stream.flush().expect("it reads");
        }
    });
    (target, Trust::CaPem(made.ca.pem().to_owned()), server)
}

/// Connections that are opened within a window do their handshake while the request is being written.
#[test]
fn long_bodies_come_through_connections_that_are_opened_again() {
    let (target, trust, server) = taciturn(4);
    let mut options = LoadOptions { connections: 1, trust, ..LoadOptions::new(target) };
    options.request.body_bytes = 1_000_000;
    options.grace = LIMIT;
    // Three are due before the first is answered, so that the others begin with their connections.
    let pattern = Pattern::Open { per_second: 1_000.0, arrivals: Arrivals::Constant, ramp: None };
    let window = Window { pattern, warmup: Duration::ZERO, time: Duration::from_millis(3) };
    let report = run(&options, &window).expect("the run ends");
    assert_eq!((report.requests, report.errors.len(), report.reconnections), (3, 0, 3), "{report:?}");
    server.join().expect("it has nothing to complain of");
}

#[test]
fn a_connection_carries_as_many_streams_as_it_is_told_to() {
    let sim = plain("[[rule]]\nfault = \"slow:100\"");
    let report = go(&options(&sim, H2, Trust::System), CLOSED);
    assert!(report.requests >= 16 && report.errors.is_empty(), "{report:?}");
    assert_eq!((sim.stats().in_flight_max, sim.stats().connections), (16, 2));
}

#[test]
fn streams_beyond_what_the_server_allows_wait() {
    let sim = plain("[connection]\nmax_concurrent_streams = 3\n[[rule]]\nfault = \"slow:20\"");
    // From the first request on: none is sent before the server has said how many it allows.
    let report = go(&options(&sim, H2, Trust::System), CLOSED);
    assert!(report.requests > 6 && report.errors.is_empty(), "{report:?}");
}

#[test]
fn a_connection_that_takes_no_more_is_replaced() {
    let sim = plain("[connection]\ngoaway_after_requests = 5");
    let report = go(&options(&sim, H2, Trust::System), OPEN);
    assert_eq!(report.requests + report.errors.values().sum::<u64>(), 30, "{report:?}");
    assert!(report.requests >= 15 && report.reconnections >= 2, "{report:?}");
    let seen = sim.wait_until(LIMIT, |stats| stats.in_flight == 0).expect("it comes to rest");
    assert!(seen.connections >= 4);
}

#[test]
fn errors_over_http2_are_counted_by_kind() {
    for (fault, stream, kind) in
        [("status:503", false, "status_503"), ("reset", false, "reset"), ("no_done", true, "truncated")]
    {
        let sim = plain(&format!("[[rule]]\nfault = \"{fault}\""));
        let mut run = options(&sim, H2, Trust::System);
        run.request.stream = stream;
        let report = go(&run, OPEN);
        assert_eq!(report.errors.get(kind), Some(&30), "{fault}: {report:?}");
    }
}

#[test]
fn fast_answers_come_over_each_protocol() {
    let config = SimConfig { http2: true, fast: Some(FastOptions::default()), ..SimConfig::default() };
    let sim = Sim::start(config).expect("a simulator starts");
    for stream in [false, true] {
        let mut run = options(&sim, H2, Trust::System);
        run.request.stream = stream;
        run.threads = Threads::Count(2);
        let report = go(&run, CLOSED);
        assert!(report.requests > 0 && report.errors.is_empty(), "{report:?}");
        assert_eq!(report.events, if stream { report.requests * 52 } else { 0 });
    }
}

#[test]
fn a_target_that_cannot_be_believed_is_not_measured() {
    for kind in [LeafKind::Expired, LeafKind::WrongName, LeafKind::UnknownCa] {
        let (sim, trust) = secure("", kind);
        let refused = Generator::open(&options(&sim, Protocol::Http1, trust));
        assert!(refused.is_err(), "{kind:?}");
    }
    let (sim, _) = secure("", LeafKind::Good);
    let nobody = Trust::CaPem("no certificate".to_owned());
    assert!(Generator::open(&options(&sim, Protocol::Http1, nobody)).is_err());
}

#[test]
fn a_target_that_does_not_speak_http2_is_not_measured_by_it() {
    let (sim, trust) = secure("[connection]\nalpn = [\"http/1.1\"]", LeafKind::Good);
    assert!(Generator::open(&options(&sim, H2, trust.clone())).is_err());
    assert!(Generator::open(&options(&sim, Protocol::Http1, trust)).is_ok());
    let (silent, trust) = secure("[connection]\nalpn = []", LeafKind::Good);
    assert!(Generator::open(&options(&silent, H2, trust)).is_err());
}
