use super::*;

/// A counter that goes at 2,500 ticks a microsecond.
const TICKS: u64 = 2_500;

/// A clock with a counter, after looks at these times.
fn after(looks_us: &[u64]) -> Clock {
    let clock = Clock { has_counter: true, ..Clock::default() };
    for &us in looks_us {
        assert_eq!(clock.look(|| us * TICKS, || us), us);
    }
    clock
}

#[test]
fn the_counter_tells_once_its_rate_is_known() {
    let start_us = 5_000_000;
    let clock = after(&[start_us, start_us + 10, start_us + 20_000]);
    let by_ticks = |us: u64| clock.by_ticks(us * TICKS);
    assert_eq!(by_ticks(start_us + 20_007), Some(start_us + 20_007));
    assert_eq!(by_ticks(start_us + 39_999), Some(start_us + 39_999));
    // From here on the system's clock is asked.
    assert_eq!(by_ticks(start_us + 40_000), None);
    // A counter that went back.
    assert_eq!(by_ticks(start_us + 19_999), None);
}

#[test]
fn the_rate_is_not_known_at_once_nor_for_ever() {
    let start_us = 5_000_000;
    for looks in [&[start_us][..], &[start_us, start_us + 9_999], &[start_us, start_us + 20_000, start_us + 3_000_000]]
    {
        let clock = after(looks);
        assert_eq!(clock.by_ticks((looks.last().unwrap() + 1) * TICKS), None, "{looks:?}");
    }
}

#[test]
fn looks_close_to_each_other_do_not_put_the_rate_off() {
    let looks: Vec<u64> = (0..3).map(|nth| 5_000_000 + nth * 5_000).collect();
    assert!(after(&looks).by_ticks(5_010_001 * TICKS).is_some());
}

#[test]
fn a_look_that_was_interrupted_is_not_built_on() {
    let start_us = 5_000_000;
    let clock = after(&[start_us, start_us + 20_000]);
    let reads = Cell::new(0);
    let ticks = || (start_us + 40_000) * TICKS + reads.replace(LOOK_TICKS_MAX + 1);
    assert_eq!(clock.look(ticks, || start_us + 40_009), start_us + 40_009);
    assert_eq!(clock.by_ticks((start_us + 40_010) * TICKS), None);
    assert_eq!(clock.look(|| (start_us + 40_020) * TICKS, || start_us + 40_020), start_us + 40_020);
    assert_eq!(clock.by_ticks((start_us + 40_021) * TICKS), Some(start_us + 40_021));
}

#[test]
fn a_counter_without_sense_is_not_believed() {
    for (ticks_before, ticks) in [(TICKS, TICKS), (0, 20_000 << 15), (TICKS, 0)] {
        let clock = after(&[]);
        clock.look(|| ticks_before, || 5_000_000);
        clock.look(|| ticks, || 5_020_000);
        assert_eq!(clock.by_ticks(ticks + 1), None);
    }
}

#[test]
fn tells_the_time_of_this_machine() {
    let clock = Clock::new();
    let before_us = sys::monotonic_us();
    for _ in 0..1_000 {
        // Far more than it may be off, and far less than any other clock would be.
        assert!(clock.now_us().abs_diff(before_us) < 60_000_000);
    }
}
