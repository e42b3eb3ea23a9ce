//! Clients of the load generator that are not the best of clients, as the simulated provider sees them; and what the generator
//! finds in streams that were tampered with.

mod raw;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use raw::{LIMIT, scripted};
use ringway_loadtest::load::{
    Arrivals, Fidelity, LeavesAfter, LoadOptions, Manners, Pattern, Protocol, Report, Target, Window, run,
};
use ringway_loadtest::sim::script::Script;
use ringway_loadtest::sim::{FastOptions, Sim, SimConfig, SimHandle};

const H2: Protocol = Protocol::Http2 { streams_per_connection: 4 };

fn options(sim: &SimHandle, protocol: Protocol, manners: Manners) -> LoadOptions {
    let target = Target::parse(&sim.base_url()).expect("a URL");
    LoadOptions { connections: 2, protocol, manners, ..LoadOptions::new(target) }
}

fn go(options: &LoadOptions, per_second: f64) -> Report {
    let pattern = Pattern::Open { per_second, arrivals: Arrivals::Constant, ramp: None };
    run(options, &Window { pattern, warmup: Duration::ZERO, time: Duration::from_millis(200) }).expect("the run ends")
}

fn both(script: &str) -> SimHandle {
    let script = Script::parse(script).expect("a script");
    Sim::start(SimConfig { http2: true, script, ..SimConfig::default() }).expect("a simulator starts")
}

#[test]
fn a_leaver_leaves_in_the_middle_of_an_answer() {
    for protocol in [Protocol::Http1, H2] {
        for leaves in [LeavesAfter::Events(2), LeavesAfter::Bytes(600)] {
            let sim = both("answer = { tokens = 100 }\nlatency = { ttft_ms = 0, gap_ms = 20 }");
            let mut run = options(&sim, protocol, Manners::LeavesAfter(leaves));
            run.request.stream = true;
            let report = go(&run, 50.0);
            assert_eq!((report.left, report.requests, report.errors.len()), (10, 0, 0), "{report:?}");
            assert_eq!(report.ttft.len(), 10);
            let stats = sim.wait_until(LIMIT, |stats| stats.in_flight == 0).expect("it notices");
            assert_eq!((stats.requests, stats.cancelled, stats.completed), (10, 10, 0), "{protocol:?} {leaves:?}");
        }
    }
}

/// All of it is in the socket at once, and still not all of it is read.
#[test]
fn a_leaver_leaves_a_burst_too() {
    for protocol in [Protocol::Http1, H2] {
        let fast = Some(FastOptions::default());
        let sim = Sim::start(SimConfig { http2: true, fast, ..SimConfig::default() }).expect("a simulator starts");
        let mut run = options(&sim, protocol, Manners::LeavesAfter(LeavesAfter::Events(3)));
        run.request.stream = true;
        let report = go(&run, 50.0);
        assert_eq!((report.left, report.errors.len()), (10, 0), "{report:?}");
    }
}

#[test]
fn a_leaver_whose_answer_is_over_before_has_had_it() {
    let sim = both("");
    let report = go(&options(&sim, H2, Manners::LeavesAfter(LeavesAfter::Bytes(1_000_000))), 50.0);
    assert_eq!((report.left, report.requests), (0, 10), "{report:?}");
}

/// 8 KB at 40 KB/s: what is due at once takes 0.2 s to send, less what may go in one burst.
#[test]
fn a_slow_sender_takes_its_time() {
    for protocol in [Protocol::Http1, H2] {
        let sim = both("");
        let mut run = options(&sim, protocol, Manners::SendsSlowly { bytes_per_s: 40_000 });
        run.request.body_bytes = 8_192;
        let report = go(&run, 10.0);
        assert_eq!((report.requests, report.errors.len()), (2, 0), "{report:?}");
        assert!(report.service.min() >= 140_000, "{report:?}");
        let stats = sim.stats();
        assert_eq!((stats.requests, stats.uploads_cut), (2, 0));
        assert!(stats.upload_bytes >= 2 * 8_000);
    }
}

/// 50 KB at 200 KB/s take a quarter of a second, less what may come in one burst.
#[test]
fn a_slow_reader_takes_its_time() {
    for protocol in [Protocol::Http1, H2] {
        let fast = Some(FastOptions { chunks: 340, ..FastOptions::default() });
        let sim = Sim::start(SimConfig { http2: true, fast, ..SimConfig::default() }).expect("a simulator starts");
        let mut run = options(&sim, protocol, Manners::ReadsSlowly { bytes_per_s: 200_000 });
        run.request.stream = true;
        let report = go(&run, 10.0);
        assert_eq!((report.requests, report.errors.len(), report.events), (2, 0, 2 * 342), "{report:?}");
        assert!(report.service.min() >= 180_000, "{report:?}");
        assert!(report.ttft.len() == 2 && report.ttft.min() < report.service.min(), "it began before: {report:?}");
    }
}

/// A server that refuses before a slow sender has sent all: its answer is heard, and the connection not used again.
#[test]
fn a_slow_sender_hears_an_early_answer() {
    let sim = scripted("[[rule]]\nfault = \"early_answer:413\"");
    let mut run = options(&sim, Protocol::Http1, Manners::SendsSlowly { bytes_per_s: 20_000 });
    run.request.body_bytes = 100_000;
    let report = go(&run, 10.0);
    assert_eq!((report.errors.get("status_413"), report.errors.len()), (Some(&2), 1), "{report:?}");
}

/// The events of a numbered stream as the simulator sends them.
fn numbered_events(chunks: usize) -> Vec<String> {
    let fast = Some(FastOptions { chunks, numbered: true, ..FastOptions::default() });
    let sim = Sim::start(SimConfig { fast, ..SimConfig::default() }).expect("a simulator starts");
    let mut stream = raw::connect(sim.addr());
    let request = raw::request("/v1/chat/completions", raw::STREAM, "");
    stream.write_all(request.as_bytes()).expect("it is sent");
    let mut text = String::new();
    let mut buffer = [0; 4_096];
    while !text.ends_with("0\r\n\r\n") {
        let count = stream.read(&mut buffer).expect("it answers");
        text.push_str(std::str::from_utf8(&buffer[..count]).expect("text"));
    }
    text.lines().filter(|line| line.starts_with("data:")).map(|line| format!("{line}\n\n")).collect()
}

/// What the generator says of one stream of these events, served by a server that knows nothing else.
fn judged(events: &[String]) -> Fidelity {
    let body = events.concat();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = Target::parse(&format!("http://{}/v1", listener.local_addr().expect("bound"))).expect("a URL");
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("it connects");
        let mut request = Vec::new();
        let mut buffer = [0; 64 * 1_024];
        while !request.ends_with(b"}") {
            let count = socket.read(&mut buffer).expect("it sends");
            request.extend_from_slice(&buffer[..count]);
        }
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n", body.len());
        socket.write_all((head + &body).as_bytes()).expect("it reads");
        // Until it has gone.
        let _ = socket.read(&mut buffer);
    });
    let mut options = LoadOptions { connections: 1, check_chunks: true, ..LoadOptions::new(target) };
    options.request.stream = true;
    let pattern = Pattern::Open { per_second: 4.0, arrivals: Arrivals::Constant, ramp: None };
    let window = Window { pattern, warmup: Duration::ZERO, time: Duration::from_millis(200) };
    let report = run(&options, &window).expect("the run ends");
    assert_eq!((report.requests, report.errors.len()), (1, 0), "{report:?}");
    server.join().expect("the server has nothing to complain of");
    report.fidelity.expect("it was asked for")
}

#[test]
fn chunks_that_were_tampered_with_are_found() {
    let events = numbered_events(10);
    assert_eq!(events.len(), 12, "{events:?}");
    let counts = |tamper: &dyn Fn(&mut Vec<String>)| {
        let mut tampered = events.clone();
        tamper(&mut tampered);
        let found = judged(&tampered);
        assert_eq!(found.streams, 1);
        (found.chunks, found.lost, found.repeated, found.out_of_order, found.altered)
    };
    assert_eq!(counts(&|_| ()), (10, 0, 0, 0, 0));
    assert_eq!(counts(&|events| drop(events.remove(4))), (9, 1, 0, 0, 0));
    assert_eq!(counts(&|events| events.insert(4, events[2].clone())), (11, 0, 1, 0, 0));
    assert_eq!(counts(&|events| events.swap(4, 5)), (10, 0, 0, 1, 0));
    assert_eq!(counts(&|events| events[4] = events[4].replacen("/10:", "/10:0", 1)), (10, 0, 0, 0, 1));
    assert_eq!(counts(&|events| drop(events.drain(..10))), (0, 1, 0, 0, 0));
}

#[test]
fn the_simulators_chunks_arrive_once_in_order_and_whole() {
    for (protocol, gap) in [(Protocol::Http1, 0), (Protocol::Http1, 2), (H2, 0), (H2, 2)] {
        let fast = Some(FastOptions { chunks: 20, gap: Duration::from_millis(gap), numbered: true });
        let sim = Sim::start(SimConfig { http2: true, fast, ..SimConfig::default() }).expect("a simulator starts");
        let mut run = options(&sim, protocol, Manners::Prompt);
        run.check_chunks = true;
        run.request.stream = true;
        let report = go(&run, 50.0);
        let found = report.fidelity.as_ref().expect("it was asked for");
        assert_eq!((found.streams, found.chunks), (10, 200), "{report:?}");
        assert_eq!((found.lost, found.repeated, found.out_of_order, found.altered), (0, 0, 0, 0), "{report:?}");
    }
}
