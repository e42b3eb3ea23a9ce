//! The load driver against simulators whose behaviour is known.

mod raw;

use std::time::Duration;

use raw::{scripted, sim};
use ringway_loadtest::load::{
    Arrivals, Dialect, Generator, Keys, Kind, LoadOptions, Pattern, Report, RequestOptions, Target, Threads, Window,
    run as load,
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

/// One connection, one answer that takes 200 ms, requests due every 2 ms: the open loop must see the wait of those that
/// were due meanwhile, and the closed loop, which sent none meanwhile, cannot.
#[test]
fn a_stall_shows_in_the_open_loop_and_not_in_the_closed() {
    const STALL_US: u64 = 199_000;
    let stalling = || scripted("[[rule]]\nmatch.nth = \"100\"\nfault = \"slow:200\"");
    let sim = stalling();
    let mut single = options(&sim);
    single.connections = 1;
    let second = |pattern| Window { time: Duration::from_secs(1), ..window(pattern) };
    let seen = load(&single, &second(open(500.0))).expect("the run ends");
    assert_eq!((seen.requests, seen.dropped), (500, 0));
    // To three digits, which is what slices have.
    let worst = seen.slices.iter().map(|slice| slice.latency.max()).max().unwrap_or(0);
    assert!(worst.abs_diff(seen.latency.max()) <= worst / 500, "{worst}: {seen:?}");
    assert!(seen.late >= 90, "about 100 were due while one was answered: {}", seen.late);
    assert!(seen.latency_us.p99_9 >= STALL_US && seen.latency_us.p90 >= STALL_US / 4, "{:?}", seen.latency_us);
    assert!(seen.service_us.max >= STALL_US && seen.service_us.p90 < STALL_US, "each was quick once sent: {seen:?}");

    let sim = stalling();
    single.target = options(&sim).target;
    let mut generator = Generator::open(&single).expect("it opens");
    let mut all = generator.window(&second(Pattern::Closed)).expect("it measures").latency;
    // As many as it takes for one of them to be beyond the percentile.
    while all.len() < 3_000 {
        all += generator.window(&second(Pattern::Closed)).expect("it measures").latency;
    }
    assert!(all.max() >= STALL_US && all.value_at_quantile(0.999) < STALL_US, "{}", all.value_at_quantile(0.999));
}

/// A target that answers nothing while requests are due.
#[test]
fn what_was_due_and_never_sent_is_dropped() {
    let sim = scripted("[[rule]]\nfault = \"slow:60000\"");
    let mut silent = options(&sim);
    silent.grace = Duration::ZERO;
    let report = go(&silent, open(100.0));
    assert_eq!((report.requests, report.dropped), (0, 26), "{report:?}");
    assert_eq!(report.errors.get("unanswered"), Some(&4));
    assert_eq!(report.slices.iter().map(|slice| slice.errors).sum::<u64>(), 4);
}

#[test]
fn streams_are_counted_and_timed() {
    let config = SimConfig {
        fast: Some(FastOptions { chunks: 5, gap: Duration::from_millis(4), ..FastOptions::default() }),
        ..SimConfig::default()
    };
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
    assert_eq!(kinds("no_done", true), "truncated");
    assert_eq!(kinds("bad_status_line", false), "malformed");
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
    shared.threads = Threads::Pinned(vec![0]);
    assert_eq!(go(&shared, open(100.0)).requests, 30);
    for threads in [Threads::Count(0), Threads::Count(5), Threads::Pinned(vec![1_000_000])] {
        shared.threads = threads;
        assert!(Generator::open(&shared).is_err());
    }
}

#[test]
fn connections_that_died_between_windows_are_opened_again() {
    let sim = scripted("[connection]\nidle_close_ms = 1");
    let mut generator = Generator::open(&options(&sim)).expect("it opens");
    for _ in 0..2 {
        sim.wait_until(raw::LIMIT, |stats| stats.connections_open == 0).expect("all are closed");
        let report = generator.window(&window(open(100.0))).expect("it measures");
        assert!(report.requests > 0 && report.reconnections >= 4, "{report:?}");
    }
}

/// The provider validates what it gets.
#[test]
fn bodies_of_every_kind_are_accepted() {
    let sim = sim(Script::default());
    for (dialect, kind) in [
        (Dialect::OpenAiChat, Kind::Chat),
        (Dialect::OpenAiChat, Kind::Tools),
        (Dialect::OpenAiChat, Kind::Images),
        (Dialect::OpenAiEmbeddings, Kind::Chat),
    ] {
        let mut run = options(&sim);
        run.request = RequestOptions { dialect, kind, body_bytes: 32 * 1_024, ..run.request };
        let report = go(&run, open(40.0));
        assert_eq!((report.requests, report.errors.len()), (12, 0), "{dialect:?} {kind:?}: {report:?}");
    }
}

#[test]
fn random_keys_are_all_different_and_a_refusal_can_be_what_is_measured() {
    let sim = scripted("require_key = \"sk-known\"");
    let mut flood = options(&sim);
    flood.request.keys = Keys::Random;
    assert_eq!(go(&flood, open(100.0)).errors.get("status_401"), Some(&30));
    assert_eq!(sim.stats().keys_seen, 30);
    flood.request.expected_status = Some(401);
    let report = go(&flood, open(100.0));
    assert_eq!((report.requests, report.latency.len(), report.errors.len()), (30, 30, 0), "{report:?}");
}
