//! From two measurements of a figure to the interval of its change, and from that to a verdict.
//!
//! Of two confidence intervals the interval of the difference is found by MOVER (Zou and Donner, 2008): the distances from each estimate
//! to the limit on its own side are added as squares, which holds for intervals that are not symmetric too. Of two sets of
//! repetitions it is found by a bootstrap: both are drawn again with replacement, and the difference of the medians is taken.

use crate::report::numbers::{count, number, signed};
use crate::results::{Interval, Spread};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Better,
    Same,
    Worse,
    Unresolved,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Same => "same",
            Self::Worse => "WORSE",
            Self::Unresolved => "unresolved",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Good {
    Low,
    High,
}

/// A figure then and now, and what is to be thought of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub before: String,
    pub after: String,
    /// With its interval, where there is one.
    pub change: String,
    pub verdict: Verdict,
}

impl Change {
    pub fn unknown(reason: &str) -> Self {
        let (before, after) = (String::new(), String::new());
        Self { before, after, change: reason.to_owned(), verdict: Verdict::Unresolved }
    }

    /// Confidence intervals of both. The tolerance has a floor of `ADDED_US_FLOOR`.
    pub fn of_intervals(a: &Interval, b: &Interval, tolerance: f64) -> Self {
        let moved = b.estimate - a.estimate;
        let low = moved - (b.estimate - b.low).hypot(a.high - a.estimate);
        let high = moved + (b.high - b.estimate).hypot(a.estimate - a.low);
        let margin = (a.estimate.abs() * tolerance).max(ADDED_US_FLOOR);
        let with_interval =
            |it: &Interval| format!("{} ({} to {})", signed(it.estimate), signed(it.low), signed(it.high));
        Self {
            before: with_interval(a),
            after: with_interval(b),
            change: format!("{} ({} to {})", signed(moved), signed(low), signed(high)),
            verdict: verdict(low, high, margin, Good::Low),
        }
    }

    /// Repetitions of both; with less than three of one it is judged as [`Self::of_single`] does.
    pub fn of_spreads(a: &Spread, b: &Spread, tolerance: f64, good: Good) -> Self {
        if a.runs.len() < RUNS_MIN || b.runs.len() < RUNS_MIN {
            return Self::of_single(a.median, b.median, tolerance, good);
        }
        let (low, high) = bootstrap(&a.runs, &b.runs);
        let share = |difference: f64| difference / a.median.abs() * 100.0;
        let with_range = |it: &Spread| format!("{} ({} to {})", number(it.median), number(it.low), number(it.high));
        let percents = [b.median - a.median, low, high].map(share).map(signed);
        Self {
            before: with_range(a),
            after: with_range(b),
            change: format!("{} % ({} to {})", percents[0], percents[1], percents[2]),
            verdict: verdict(low, high, a.median.abs() * tolerance, good),
        }
    }

    /// Measured once in each: nobody knows how it scatters, so only a large move (`SINGLE_TOLERANCE`) counts as one.
    pub fn of_single(a: f64, b: f64, tolerance: f64, good: Good) -> Self {
        let moved = (b - a) / a.abs();
        let wide = SINGLE_TOLERANCE.max(tolerance);
        let worse = if good == Good::Low { moved } else { -moved };
        let verdict = match worse {
            worse if worse > wide => Verdict::Worse,
            worse if worse < -wide => Verdict::Better,
            worse if worse.abs() <= tolerance => Verdict::Same,
            _ => Verdict::Unresolved,
        };
        let change = if moved.is_finite() {
            format!("{} %, measured once", signed(moved * 100.0))
        } else {
            "measured once".to_owned()
        };
        Self { before: number(a), after: number(b), change, verdict }
    }

    /// What a target could not do at all. Whether three failures are worse than two is not for a number to say.
    pub fn of_failures(a: usize, b: usize) -> Self {
        let verdict = match (a, b) {
            (a, b) if a == b => Verdict::Same,
            (0, _) => Verdict::Worse,
            (_, 0) => Verdict::Better,
            _ => Verdict::Unresolved,
        };
        Self { before: a.to_string(), after: b.to_string(), change: String::new(), verdict }
    }

    /// Times that something happened in so many trials. Twice the standard deviation of the difference is left to chance.
    pub fn of_counts(a: (u64, u64), b: (u64, u64)) -> Self {
        let rate = |(times, trials): (u64, u64)| times as f64 / trials.max(1) as f64;
        let (rate_a, rate_b) = (rate(a), rate(b));
        let trials = (a.1.max(1) as f64, b.1.max(1) as f64);
        let both = (a.0 + b.0) as f64 / (trials.0 + trials.1);
        let deviation = (both * (1.0 - both).max(0.0) * (1.0 / trials.0 + 1.0 / trials.1)).sqrt();
        let moved = rate_b - rate_a;
        let verdict = match moved {
            // None before and some now is news, however few.
            moved if moved > 2.0 * deviation || (a.0 == 0 && b.0 > 0) => Verdict::Worse,
            moved if moved < -2.0 * deviation => Verdict::Better,
            _ if a.0 == 0 && b.0 == 0 => Verdict::Same,
            _ => Verdict::Unresolved,
        };
        let of = |(times, trials): (u64, u64)| format!("{} of {}", count(times), count(trials));
        Self { before: of(a), after: of(b), change: format!("{} %", signed(moved * 100.0)), verdict }
    }
}

/// A microsecond of added latency is about what clock and histogram resolve, whatever share of the figure it is.
const ADDED_US_FLOOR: f64 = 1.0;
/// Of a figure without repetitions.
const SINGLE_TOLERANCE: f64 = 0.25;
/// A median of two is no median.
const RUNS_MIN: usize = 3;

fn verdict(low: f64, high: f64, margin: f64, good: Good) -> Verdict {
    // Turned so that more is worse.
    let (low, high) = if good == Good::Low { (low, high) } else { (-high, -low) };
    if low > margin {
        Verdict::Worse
    } else if high < -margin {
        Verdict::Better
    } else if low >= -margin && high <= margin {
        Verdict::Same
    } else {
        Verdict::Unresolved
    }
}

/// The middle 95 % of the difference of medians.
fn bootstrap(a: &[f64], b: &[f64]) -> (f64, f64) {
    const ROUNDS: usize = 2_000;
    let mut random = SplitMix(0x0052_494E_4757_4159);
    let mut differences: Vec<f64> =
        (0..ROUNDS).map(|_| drawn_median(b, &mut random) - drawn_median(a, &mut random)).collect();
    differences.sort_by(f64::total_cmp);
    (differences[ROUNDS / 40], differences[ROUNDS - 1 - ROUNDS / 40])
}

fn drawn_median(runs: &[f64], random: &mut SplitMix) -> f64 {
    let mut drawn: Vec<f64> = runs.iter().map(|_| runs[random.below(runs.len())]).collect();
    drawn.sort_by(f64::total_cmp);
    let middle = drawn.len() / 2;
    if drawn.len().is_multiple_of(2) { drawn[middle - 1].midpoint(drawn[middle]) } else { drawn[middle] }
}

/// Sebastiano Vigna's splitmix64: a few lines, and good enough to draw indices.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(estimate: f64, half: f64) -> Interval {
        Interval { estimate, low: estimate - half, high: estimate + half, level: 0.95, blocks: 20 }
    }

    fn spread(runs: &[f64]) -> Spread {
        let mut sorted = runs.to_vec();
        sorted.sort_by(f64::total_cmp);
        Spread { median: sorted[sorted.len() / 2], low: sorted[0], high: sorted[sorted.len() - 1], runs: runs.to_vec() }
    }

    #[test]
    fn intervals() {
        let check = |a: Interval, b: Interval, expected| {
            assert_eq!(Change::of_intervals(&a, &b, 0.05).verdict, expected, "{a:?} {b:?}");
        };
        check(interval(100.0, 2.0), interval(101.0, 2.0), Verdict::Same);
        check(interval(100.0, 2.0), interval(120.0, 2.0), Verdict::Worse);
        check(interval(100.0, 2.0), interval(80.0, 2.0), Verdict::Better);
        check(interval(100.0, 30.0), interval(120.0, 30.0), Verdict::Unresolved);
        check(interval(100.0, 1.0), interval(106.0, 1.0), Verdict::Unresolved);
        check(interval(0.2, 0.2), interval(0.5, 0.2), Verdict::Same);
    }

    #[test]
    fn repetitions() {
        let check = |a: &[f64], b: &[f64], good, expected| {
            assert_eq!(Change::of_spreads(&spread(a), &spread(b), 0.05, good).verdict, expected, "{a:?} {b:?}");
        };
        let a = [100.0, 101.0, 99.0, 100.5, 99.5];
        check(&a, &[100.2, 100.9, 99.3, 100.0, 99.8], Good::Low, Verdict::Same);
        check(&a, &[110.0, 111.0, 109.0, 110.5, 109.5], Good::Low, Verdict::Worse);
        check(&a, &[110.0, 111.0, 109.0, 110.5, 109.5], Good::High, Verdict::Better);
        check(&a, &[90.0, 160.0, 99.0, 140.0, 95.0], Good::Low, Verdict::Unresolved);
        check(&[100.0], &[110.0], Good::Low, Verdict::Unresolved);
        check(&[100.0], &[150.0], Good::Low, Verdict::Worse);
        check(&[0.0], &[0.0], Good::Low, Verdict::Unresolved);
    }

    #[test]
    fn counts() {
        let check = |a, b, expected| assert_eq!(Change::of_counts(a, b).verdict, expected, "{a:?} {b:?}");
        check((0, 1_000), (0, 1_000), Verdict::Same);
        check((0, 1_000), (1, 1_000), Verdict::Worse);
        check((10, 1_000), (12, 1_000), Verdict::Unresolved);
        check((10, 1_000), (40, 1_000), Verdict::Worse);
        check((40, 1_000), (10, 1_000), Verdict::Better);
        check((5, 0), (5, 0), Verdict::Unresolved);
    }

    /// Of two samples of the same distribution, about one in twenty may be called different, not more.
    #[test]
    fn the_bootstrap_rarely_sees_what_is_not_there() {
        let mut random = SplitMix(3);
        let mut normal = || (0..12).map(|_| random.below(10_000) as f64 / 10_000.0).sum::<f64>() - 6.0;
        let mut wrong = 0;
        for _ in 0..200 {
            let mut runs = || (0..9).map(|_| 100.0 + normal()).collect::<Vec<_>>();
            let (low, high) = bootstrap(&runs(), &runs());
            wrong += usize::from(low > 0.0 || high < 0.0);
        }
        assert!(wrong <= 20, "{wrong} of 200");
    }
}
