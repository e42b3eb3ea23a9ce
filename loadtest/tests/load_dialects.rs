//! The generator's traffic in each dialect, whole and streamed, against simulators that verify what they get.

use std::time::Duration;

use ringway_loadtest::load::{Arrivals, Dialect, Keys, LoadOptions, Pattern, Protocol, Report, Target, Window, run};
use ringway_loadtest::sim::script::Script;
use ringway_loadtest::sim::{FastOptions, Sim, SimConfig, SimHandle};

const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2 { streams_per_connection: 4 }];

/// With the path below which it stands.
const DIALECTS: [(Dialect, &str, &str); 3] = [
    (Dialect::OpenAiChat, "/v1", "openai"),
    (Dialect::Anthropic, "/v1", "anthropic"),
    (Dialect::Gemini, "/v1beta", "gemini"),
];

fn start(script: &str, fast: Option<FastOptions>) -> SimHandle {
    let script = Script::parse(script).expect("a script");
    Sim::start(SimConfig { http2: true, script, fast, ..SimConfig::default() }).expect("a simulator starts")
}

/// Ten requests.
fn go(sim: &SimHandle, base: &str, change: impl FnOnce(&mut LoadOptions)) -> Report {
    let target = Target::parse(&format!("{}{base}", sim.origin())).expect("a URL");
    let mut options = LoadOptions { connections: 2, ..LoadOptions::new(target) };
    options.request.keys = Keys::One("sk-anything".to_owned());
    change(&mut options);
    let pattern = Pattern::Open { per_second: 50.0, arrivals: Arrivals::Constant, ramp: None };
    let window = Window { pattern, warmup: Duration::ZERO, time: Duration::from_millis(200) };
    run(&options, &window).expect("the run ends")
}

#[test]
fn requests_of_each_dialect_break_no_rule_of_their_provider() {
    for (dialect, base, name) in DIALECTS {
        for protocol in PROTOCOLS {
            for stream in [false, true] {
                let sim = start("answer = { tokens = 12 }", None);
                let report = go(&sim, base, |options| {
                    options.protocol = protocol;
                    options.request.dialect = dialect;
                    options.request.stream = stream;
                });
                let what = format!("{name} {protocol:?} {stream}: {report:?}");
                assert_eq!((report.requests, report.errors.len()), (10, 0), "{what}");
                let stats = sim.stats();
                assert!(stats.invalid.is_empty(), "{what} {:?}", stats.invalid);
                assert_eq!(stats.answers_by_status.into_iter().collect::<Vec<_>>(), [(200, 10)], "{what}");
                assert_eq!(stats.by_dialect.get(name).map(|spoken| spoken.requests), Some(10), "{what}");
                // Each stream has its contents and what stands around them; its first content is found.
                assert_eq!((report.events > 100, report.ttft.len()), (stream, if stream { 10 } else { 0 }), "{what}");
            }
        }
    }
}

#[test]
fn numbered_chunks_arrive_once_in_order_and_whole_in_each_dialect() {
    for (dialect, base, name) in DIALECTS {
        for protocol in PROTOCOLS {
            for gap in [Duration::ZERO, Duration::from_micros(200)] {
                let sim = start("", Some(FastOptions { chunks: 30, gap, numbered: true }));
                let report = go(&sim, base, |options| {
                    options.protocol = protocol;
                    options.request.dialect = dialect;
                    options.request.stream = true;
                    options.check_chunks = true;
                });
                let what = format!("{name} {protocol:?} {gap:?}: {report:?}");
                assert_eq!((report.requests, report.errors.len(), report.ttft.len()), (10, 0, 10), "{what}");
                let it = report.fidelity.as_ref().expect("it was asked for");
                let wrong = it.lost + it.repeated + it.out_of_order + it.altered;
                assert_eq!((it.streams, it.chunks, wrong), (10, 300, 0), "{what}");
            }
        }
    }
}

#[test]
fn whole_answers_of_the_fast_mode_come_in_each_dialect() {
    for (dialect, base, name) in DIALECTS {
        for protocol in PROTOCOLS {
            let sim = start("", Some(FastOptions::default()));
            let report = go(&sim, base, |options| {
                options.protocol = protocol;
                options.request.dialect = dialect;
                // More than one read brings, and than one window of HTTP/2 lets through.
                options.request.body_bytes = 2_000_000;
            });
            assert_eq!((report.requests, report.errors.len()), (10, 0), "{name} {protocol:?}: {report:?}");
            assert_eq!(report.body_bytes, 10 * 515, "{name} {protocol:?}: {report:?}");
            assert!(sim.stats().upload_bytes > 10 * 1_900_000, "{name} {protocol:?}");
        }
    }
}
