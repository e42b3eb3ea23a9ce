use super::{Side, added, measure, palindrome};
use crate::measure::traffic::{GRACE, Style, Traffic};
use crate::scenario::{self, Latency};
use crate::sim::script::Script;
use crate::sim::{Sim, SimConfig, SimHandle};
use crate::target::Endpoint;

#[test]
fn a_block_is_a_palindrome() {
    let order: Vec<usize> = palindrome(3).map(|(_, index)| index).collect();
    assert_eq!(order, [0, 1, 2, 2, 1, 0]);
    assert_eq!(palindrome(2).collect::<Vec<_>>(), [(0, 0), (0, 1), (1, 1), (1, 0)]);
}

fn provider(script: &str) -> SimHandle {
    let script = Script::parse(script).expect("a script");
    Sim::start(SimConfig { script, ..SimConfig::default() }).expect("a simulator starts")
}

fn side(sim: &SimHandle, stream: bool) -> Side {
    let endpoint = Endpoint::plain("sim", &sim.base_url());
    let mut load = scenario::open("chat-small").expect("it is shipped").loads;
    load[0].connections = 32;
    load[0].stream = stream;
    Side::new(
        Traffic::open(&endpoint, &load, Style { seed: 1, threads: 1, check_chunks: false, grace: GRACE })
            .expect("it opens"),
    )
}

fn plan() -> Latency {
    let arrivals = scenario::Arrivals::Poisson;
    Latency { rate: 200.0, arrivals, blocks: 20, warmup_s: 0.0, window_s: 0.05 }
}

/// Two providers, one of which takes 5 ms longer: that is what is found, and nothing is not.
#[test]
fn what_a_slower_server_adds_is_found() {
    let (direct, slower) = (provider("latency = { ttft_ms = 2 }"), provider("latency = { ttft_ms = 7 }"));
    let mut sides = [side(&direct, false), side(&slower, false), side(&direct, false)];
    let mut turns = Vec::new();
    measure(&mut sides, &plan(), 7, |block, index| {
        turns.push((block, index));
        Ok(())
    })
    .expect("it is measured");
    assert_eq!(turns.len(), 20 * 6);
    let found = added(&sides[0], &sides[1], 1).expect("all were answered");
    let p50 = found.p50_us;
    // The clocks of the providers tick in milliseconds.
    assert!(p50.low > 0.0 && p50.low <= 6_000.0 && 4_000.0 <= p50.high && p50.blocks == 20, "{p50:?}");
    assert!((3_500.0..6_500.0).contains(&p50.estimate), "{p50:?}");
    assert!(found.ttft_p50_us.is_none() && found.gap_p99_us.is_none(), "nothing was streamed");
    // An endpoint against itself.
    let nothing = added(&sides[0], &sides[2], 1).expect("all were answered").p50_us;
    assert!(nothing.estimate.abs() < 1_500.0, "{nothing:?}");
    let absolute = sides[1].absolute.latency(200.0);
    assert_eq!(absolute.requests, absolute.whole_us.count);
    assert!(absolute.requests > 200 && absolute.over_time.len() >= 40, "{}", absolute.requests);
    assert!(sides[1].absolute.errors.is_empty());
}

#[test]
fn streams_are_compared_by_first_token_and_gap() {
    let direct = provider("latency = { ttft_ms = 1, gap_ms = 1 }\nanswer = { tokens = 4 }");
    let slower = provider("latency = { ttft_ms = 31, gap_ms = 21 }\nanswer = { tokens = 4 }");
    let mut sides = [side(&direct, true), side(&slower, true)];
    measure(&mut sides, &plan(), 7, |_, _| Ok(())).expect("it is measured");
    let found = added(&sides[0], &sides[1], 1).expect("all were answered");
    // The last events of a stream come together, so that half of the gaps are none. Others may be using the machine.
    assert!(found.ttft_p50_us.is_some_and(|ttft| ttft.low > 0.0 && ttft.estimate > 15_000.0), "{found:?}");
    assert!(found.gap_p99_us.is_some_and(|gap| gap.estimate > 5_000.0), "{found:?}");
}

#[test]
fn nothing_is_said_about_an_endpoint_that_answers_nothing() {
    let (direct, broken) = (provider(""), provider("[[rule]]\nfault = \"status:500\""));
    let mut sides = [side(&direct, false), side(&broken, false)];
    measure(&mut sides, &plan(), 7, |_, _| Ok(())).expect("it is measured");
    assert!(added(&sides[0], &sides[1], 1).is_none());
    assert!(sides[1].absolute.errors.contains_key("status_500"));
}
