//! Rules over time, with the time as an argument.

use super::*;

fn scripted(toml: &str) -> Scripted {
    let script = Script::parse(toml).expect("well-formed");
    Scripted::try_new(script, 1).expect("can be followed")
}

fn fails_at(scripted: &mut Scripted, since_script_ms: u64) -> bool {
    let facts = Facts { path: "/v1/x", model: "m", stream: false, key: "", headers: &[], body: b"", since_script_ms };
    !scripted.decide(&facts).expect("a decision").faults.0.is_empty()
}

#[test]
fn an_outage_begins_and_ends() {
    let mut outage = scripted("[[rule]]\nmatch = { from_ms = 100, until_ms = 200 }\nfault = \"status:503\"");
    let failing: Vec<bool> = [0, 99, 100, 199, 200].map(|ms| fails_at(&mut outage, ms)).to_vec();
    assert_eq!(failing, [false, false, true, true, false]);
}

#[test]
fn a_brown_out_hits_a_share_while_it_lasts() {
    let mut brown = scripted(
        "[[rule]]\nmatch = { share = 0.2, from_ms = 100, until_ms = 200 }\nfault = \"status:500\"\nlatency = { ttft_ms = 9 }",
    );
    let hit = (0..1_000).filter(|_| fails_at(&mut brown, 150)).count();
    assert!((130..270).contains(&hit), "{hit} of 1,000");
    assert!((0..1_000).all(|_| !fails_at(&mut brown, 250)));
}

#[test]
fn flapping_is_down_at_the_beginning_of_each_period() {
    let mut flapping = scripted(
        "[[rule]]\nmatch = { period_ms = 100, down_ms = 30, from_ms = 50, until_ms = 300 }\nfault = \"status:503\"",
    );
    let times = [0, 49, 50, 79, 80, 149, 150, 179, 180, 250, 279, 280, 350];
    let failing: Vec<u64> = times.into_iter().filter(|ms| fails_at(&mut flapping, *ms)).collect();
    assert_eq!(failing, [50, 79, 150, 179, 250, 279]);
    let mut even = scripted("[[rule]]\nmatch = { period_ms = 100 }\nfault = \"status:503\"");
    assert_eq!([0, 49, 50, 99, 100].map(|ms| fails_at(&mut even, ms)), [true, true, false, false, true]);
}

#[test]
fn tokens_per_second_make_the_gap() {
    let gap = |toml: &str| {
        let mut scripted = scripted(toml);
        let facts =
            Facts { path: "/v1/x", model: "m", stream: true, key: "", headers: &[], body: b"", since_script_ms: 0 };
        scripted.decide(&facts).expect("a decision").latency.gap_ms
    };
    assert_eq!(gap("latency = { tokens_per_s = 50 }"), Delay::Fixed(20.0));
    assert_eq!(gap("latency = { tokens_per_s = 50 }\nanswer = { tokens = 40, chunks = 10 }"), Delay::Fixed(80.0));
    assert_eq!(gap("latency = { tokens_per_s = 50, gap_ms = 3 }"), Delay::Fixed(3.0));
    assert_eq!(gap("[[rule]]\nlatency = { tokens_per_s = 100 }"), Delay::Fixed(10.0), "per rule");
}
