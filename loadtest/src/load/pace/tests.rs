use super::*;

/// Bytes that move in ten seconds if the clock is looked at whenever the pace says so.
fn moved_in_10_s(bytes_per_s: u64, most_at_once: usize) -> usize {
    let start = Instant::now();
    let mut pace = Pace::new(bytes_per_s, start);
    let (mut now, mut moved, mut looks) = (start, 0, 0);
    while now < start + Duration::from_secs(10) {
        looks += 1;
        let allowed = pace.allowed(now).min(most_at_once);
        pace.moved(allowed);
        moved += allowed;
        if let Some(until) = pace.paused_until() {
            now = until;
        }
    }
    assert!(looks < 10 * 200, "{looks} looks");
    moved
}

#[test]
fn so_much_moves_in_a_second() {
    for bytes_per_s in [100, 1_000, 64_000, 10_000_000] {
        let moved = moved_in_10_s(bytes_per_s, usize::MAX) as f64 / 10.0;
        assert!((moved / bytes_per_s as f64 - 1.0).abs() < 0.1, "{moved} of {bytes_per_s}");
    }
}

#[test]
fn an_idle_time_is_not_made_up_for() {
    let start = Instant::now();
    let mut pace = Pace::new(1_000, start);
    assert_eq!(pace.allowed(start), 64);
    assert_eq!(pace.allowed(start + Duration::from_secs(60)), 64);
    pace.moved(64);
    assert_eq!(pace.allowed(start + Duration::from_secs(60)), 0);
    let until = pace.paused_until().expect("it is empty");
    assert!(pace.allowed(until) >= 31);
}
