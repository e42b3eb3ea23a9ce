use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

/// Seconds from the start at which requests are due within `time`.
fn times_s(pattern: Pattern, time: Duration, share: Share) -> Vec<f64> {
    let start = Instant::now();
    let mut schedule = Schedule::new(pattern, start, start + time, share);
    std::iter::from_fn(|| schedule.take(start + 2 * HOUR)).map(|due| (due - start).as_secs_f64()).collect()
}

fn open(per_second: f64, arrivals: Arrivals, ramp: Option<Ramp>) -> Pattern {
    Pattern::Open { per_second, arrivals, ramp }
}

const ALONE: Share = Share { index: 0, of: 1 };

#[test]
fn constant_arrivals_are_evenly_spaced() {
    let times = times_s(open(200.0, Arrivals::Constant, None), Duration::from_secs(3), ALONE);
    assert_eq!(times.len(), 600);
    for (index, time) in times.iter().enumerate() {
        assert!((time - index as f64 * 0.005).abs() < 1e-6, "{index}: {time}");
    }
}

#[test]
fn poisson_gaps_have_the_mean_and_the_variance_of_the_exponential() {
    let times = times_s(open(1_000.0, Arrivals::Poisson { seed: 3 }, None), Duration::from_secs(200), ALONE);
    let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) * 1_000.0).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    // 200,000 draws: the standard errors are 0.0022 and 0.0063; these are five of them.
    assert!((mean - 1.0).abs() < 0.011 && (variance - 1.0).abs() < 0.032, "{mean} {variance}");
}

#[test]
fn shares_together_are_the_whole() {
    let pattern = open(300.0, Arrivals::Constant, None);
    let mut together: Vec<f64> =
        (0..3).flat_map(|index| times_s(pattern, Duration::from_secs(2), Share { index, of: 3 })).collect();
    together.sort_by(f64::total_cmp);
    assert_eq!(together, times_s(pattern, Duration::from_secs(2), ALONE));

    let pattern = open(3_000.0, Arrivals::Poisson { seed: 3 }, None);
    let shares: Vec<_> =
        (0..3).map(|index| times_s(pattern, Duration::from_secs(20), Share { index, of: 3 })).collect();
    assert!(shares[0] != shares[1], "threads draw apart");
    for share in shares {
        // 20,000 expected; the standard deviation is 141.
        assert!(share.len().abs_diff(20_000) < 700, "{}", share.len());
    }
}

#[test]
fn a_ramp_rises_in_a_straight_line() {
    let ramp = Ramp { from_per_second: 100.0, time: Duration::from_secs(10) };
    let times = times_s(open(300.0, Arrivals::Constant, Some(ramp)), Duration::from_secs(12), ALONE);
    let within = |from: f64, to: f64| times.iter().filter(|time| (from..to).contains(*time)).count();
    assert_eq!(times.len(), 2_600);
    assert!(within(0.0, 1.0).abs_diff(110) <= 1 && within(9.0, 10.0).abs_diff(290) <= 1);
    assert!(within(10.0, 11.0).abs_diff(300) <= 1);
    let from_zero = Ramp { from_per_second: 0.0, time: Duration::from_secs(10) };
    let times = times_s(open(100.0, Arrivals::Constant, Some(from_zero)), Duration::from_secs(10), ALONE);
    assert_eq!(times.len(), 500);
}

#[test]
fn other_patterns_have_no_times() {
    assert!(times_s(Pattern::Closed, HOUR, ALONE).is_empty() && times_s(Pattern::Idle, HOUR, ALONE).is_empty());
}
