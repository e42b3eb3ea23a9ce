//! The load driver against simulators whose behaviour is known.

mod raw;

use std::time::Duration;

use raw::{scripted, sim};
use ringway_loadtest::load::{
    Arrivals, Generator, Keys, LoadOptions, Pattern, Report, RequestOptions, Target, Threads, Window, run as load,
};
use ringway_loadtest::sim::script::Script;
use ringway_loadtest::sim::{FastOptions, Sim, SimConfig, SimHandle};

fn options(sim: &SimHandle) -> LoadOptions {
    LoadOptions {
        request: RequestOptions {
            keys: Keys::One("sk-load".to_owned()),
            model: "m".to_owned(),
            ..RequestOptions::default()
        },
        connections: 4,
        ..LoadOptions::new(Target::parse(&sim.base_url()).expect("a URL"))
    }
}

fn window(pattern: Pattern) -> Window {
    Window { pattern, warmup: Duration::ZERO, time: Duration::from_millis(300) }
}

fn open(per_second: f64) -> Pattern {
    Pattern::Open { per_second, arrivals: Arrivals::Constant, ramp: None }
}

fn go(options: &LoadOptions, pattern: Pattern) -> Report {
    load(options, &window(pattern)).expect("the run ends")
}

#[test]
fn an_open_loop_sends_what_was_due() {
    let sim = sim(Script::default());
    let report = go(&options(&sim), open(200.0));
    assert_eq!((report.requests, report.dropped, report.errors.len()), (60, 0, 0));
    assert_eq!(sim.stats().requests, 60);
    assert_eq!(report.latency_us.count, 60);
    let poisson = Pattern::Open { per_second: 200.0, arrivals: Arrivals::Poisson { seed: 7 }, ramp: None };
    let drawn = go(&options(&sim), poisson).requests;
    assert!((20..=120).contains(&drawn), "{drawn} arrivals");
    assert_eq!(drawn, go(&options(&sim), poisson).requests, "the same seed draws the same");
}

/// One connection, one answer that takes 200 ms, requests due every 10 ms: the open loop must see the wait of those that
/// were due meanwhile, and the closed loop, which sent none meanwhile, cannot.
#[test]
fn a_stall_shows_in_the_open_loop_and_not_in_the_closed() {
    let script = "[[rule]]\nmatch.nth = \"3\"\nfault = \"slow:200\"";
    let sim = scripted(script);
    let mut stalled = options(&sim);
    stalled.connections = 1;
    let seen = go(&stalled, open(100.0));
    assert_eq!(seen.requests, 30);
    assert!(seen.late >= 15, "about 20 were due while the third was answered: {}", seen.late);
    assert!(seen.latency_us.p50 > 20_000, "{:?}", seen.latency_us);
    assert!(seen.service_us.p90 < 199_000, "each was quick once sent: {:?}", seen.service_us);

    let sim = scripted(script);
    let mut closed = options(&sim);
    closed.connections = 1;
    let seen = go(&closed, Pattern::Closed);
    assert!(seen.requests > 20 && seen.late == 0);
    assert!(seen.latency_us.p90 < 199_000 && seen.latency_us.max >= 199_000, "{:?}", seen.latency_us);
}

#[test]
fn streams_are_counted_and_timed() {
    let config =
        SimConfig { fast: Some(FastOptions { chunks: 5, gap: Duration::from_millis(4) }), ..SimConfig::default() };
    let sim = Sim::start(config).expect("a simulator starts");
    let mut streamed = options(&sim);
    streamed.request.stream = true;
    let report = go(&streamed, open(50.0));
    assert_eq!((report.requests, report.errors.len()), (15, 0));
    assert_eq!(report.events, 15 * 7, "five events, the finish, the end marker");
    let stats = sim.wait_until(raw::LIMIT, |stats| stats.in_flight == 0).expect("it comes to rest");
    assert_eq!(stats.content_events, stats.requests * 5);
    assert_eq!((report.ttft_us.count, report.gap_us.count), (15, 15 * 6));
    assert!(report.latency_us.p50 >= 16_000 && report.ttft_us.p50 < report.latency_us.p50);
}

#[test]
fn the_fast_mode_answers_any_size() {
    let config = SimConfig { fast: Some(FastOptions::default()), ..SimConfig::default() };
    let sim = Sim::start(config).expect("a simulator starts");
    for (body_bytes, stream) in [(100, false), (300_000, false), (300_000, true)] {
        let mut run = options(&sim);
        run.request.body_bytes = body_bytes;
        run.request.stream = stream;
        let report = go(&run, Pattern::Closed);
        assert!(report.requests > 0 && report.errors.is_empty(), "{report:?}");
        let events = if stream { 52 } else { 0 };
        assert_eq!(report.events, report.requests * events);
        assert!(report.body_bytes >= report.requests * 515);
    }
    let wait = sim.wait_until(raw::LIMIT, |stats| stats.in_flight == 0).expect("it comes to rest");
    assert_eq!(wait.completed, wait.requests);
}

#[test]
fn errors_are_counted_by_kind() {
    let kinds = |fault: &str, stream: bool| {
        let sim = sim(Script::always(fault));
        let mut run = options(&sim);
        run.request.stream = stream;
        let window = Window { time: Duration::from_millis(100), ..window(open(100.0)) };
        let report = load(&run, &window).expect("the run ends");
        assert_eq!(report.requests + report.errors.values().sum::<u64>(), 10, "{fault}: {report:?}");
        report.errors.into_keys().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(kinds("status:503", false), "status_503");
    assert_eq!(kinds("reset", false), "closed");
    assert_eq!(kinds("close_after:1", true), "cut");
    assert_eq!(kinds("no_done", true), "no_done");
    assert_eq!(kinds("bad_status_line", false), "malformed");
    assert_eq!(kinds("close_quietly", false), "");
}

#[test]
fn idle_connections_are_held() {
    let sim = sim(Script::default());
    let mut idle = options(&sim);
    idle.connections = 50;
    let report = go(&idle, Pattern::Idle);
    assert_eq!((report.requests, report.errors.len()), (50, 0));
    let stats = sim.stats();
    assert_eq!((stats.connections, stats.requests), (50, 50));
}

#[test]
fn bodies_have_about_the_size_that_was_asked_for() {
    let target = Target::parse("http://localhost:8080/v1/").expect("a URL");
    assert_eq!((target.host.as_str(), target.port, target.base.as_str()), ("localhost", 8080, "/v1"));
    for body_bytes in [1_024, 8_192, 102_400, 1_048_576] {
        let request = RequestOptions { body_bytes, stream: true, ..RequestOptions::default() };
        let bytes = request.bytes(&target);
        let start = memchr::memmem::find(&bytes, b"\r\n\r\n").expect("a head") + 4;
        let body: serde_json::Value = serde_json::from_slice(&bytes[start..]).expect("JSON");
        assert!(body["messages"].as_array().is_some_and(|messages| messages.len() >= 2));
        let size = bytes.len() - start;
        assert!(size.abs_diff(body_bytes) < 200, "{size} for {body_bytes}");
    }
    assert!(Target::parse("ftp://localhost/v1").is_err() && Target::parse("http://:80").is_err());
}

#[test]
fn windows_share_the_connections_that_are_open() {
    let sim = sim(Script::default());
    let other = crate::sim(Script::default());
    let mut first = Generator::open(&options(&sim)).expect("it opens");
    let mut second = Generator::open(&options(&other)).expect("it opens");
    assert_eq!((sim.stats().requests, sim.wait_until(raw::LIMIT, |stats| stats.connections == 4).is_ok()), (0, true));
    for turn in 1..=3 {
        for (generator, sim) in [(&mut first, &sim), (&mut second, &other)] {
            let report = generator.window(&window(open(100.0))).expect("it measures");
            assert_eq!((report.requests, report.errors.len(), report.reconnections), (30, 0, 0), "{report:?}");
            assert_eq!((sim.stats().requests, sim.stats().connections), (30 * turn, 4));
            assert_eq!(report.latency.len(), 30);
            assert_eq!(report.slices.iter().map(|slice| slice.requests).sum::<u64>(), 30);
        }
    }
}

#[test]
fn threads_share_the_connections_and_the_rate() {
    let sim = sim(Script::default());
    let mut shared = options(&sim);
    shared.threads = Threads::Count(3);
    let report = go(&shared, open(100.0));
    assert_eq!((report.requests, report.threads, report.connections), (30, 3, 4), "{report:?}");
    assert_eq!((sim.stats().requests, sim.stats().connections), (30, 4));
}
