//! The load generator over TLS and HTTP/2, against simulators that count what they see.

mod raw;

use std::time::Duration;

use raw::LIMIT;
use ringway_loadtest::load::{
    Arrivals, Generator, LoadOptions, Pattern, Protocol, Report, Target, Threads, Trust, Window, run,
};
use ringway_loadtest::sim::ca::{self, LeafKind};
use ringway_loadtest::sim::script::Script;
use ringway_loadtest::sim::{FastOptions, Sim, SimConfig, SimHandle};

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

/// Connections that are opened within a window do their handshake while the request is being written.
#[test]
fn long_bodies_come_through_connections_that_are_opened_again() {
    for protocol in [Protocol::Http1, H2] {
        let (sim, trust) = secure("[connection]\ngoaway_after_requests = 1", LeafKind::Good);
        let mut run = options(&sim, protocol, trust);
        run.request.body_bytes = 1_000_000;
        let report = go(&run, Pattern::Open { per_second: 20.0, arrivals: Arrivals::Constant, ramp: None });
        // A request that met a connection on its way out is the peer's doing.
        let closed = report.errors.get("closed").copied().unwrap_or_default();
        assert!(report.requests >= 4 && report.requests + closed == 6, "{report:?}");
        assert!(sim.stats().tls_handshakes >= 4);
    }
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
    let report = go(&options(&sim, H2, Trust::System), CLOSED);
    assert!(report.requests > 6 && report.errors.is_empty(), "{report:?}");
}

#[test]
fn a_connection_that_takes_no_more_is_replaced() {
    let sim = plain("[connection]\ngoaway_after_requests = 5");
    let report = go(&options(&sim, H2, Trust::System), OPEN);
    assert_eq!(report.requests + report.errors.values().sum::<u64>(), 30, "{report:?}");
    assert!(report.requests >= 20 && report.reconnections >= 2, "{report:?}");
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
