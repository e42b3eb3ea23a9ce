//! The repetitions of one figure: their median, and the least and the greatest of them.
//!
//! The median, because on a shared machine one disturbed repetition would decide a mean. The range is shown beside it, never an
//! error bar of five values that pretends to know their distribution.

use crate::results::Spread;

impl Spread {
    /// Of no runs: all zero, and `runs` is empty.
    pub fn of(runs: Vec<f64>) -> Spread {
        let low = runs.iter().copied().reduce(f64::min).unwrap_or_default();
        let high = runs.iter().copied().reduce(f64::max).unwrap_or_default();
        Spread { median: median(&mut runs.clone()), low, high, runs }
    }
}

/// The middle value, or the mean of the two in the middle; 0 of nothing. Reorders what it is given.
pub fn median(values: &mut [f64]) -> f64 {
    let count = values.len();
    if count == 0 {
        return 0.0;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(count / 2, f64::total_cmp);
    if count % 2 == 1 {
        return upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    f64::midpoint(lower, upper)
}

#[cfg(test)]
mod tests {
    use super::median;
    use crate::results::Spread;

    #[test]
    fn a_spread_is_the_middle_and_the_ends() {
        let check = |runs: &[f64], expected: (f64, f64, f64)| {
            let spread = Spread::of(runs.to_vec());
            assert_eq!((spread.median, spread.low, spread.high), expected, "{runs:?}");
            assert_eq!(spread.runs, runs, "in the order in which they were measured");
        };
        check(&[], (0.0, 0.0, 0.0));
        check(&[3.0], (3.0, 3.0, 3.0));
        check(&[9.0, 1.0, 4.0], (4.0, 1.0, 9.0));
        check(&[5.0, 1.0, 9.0, 2.0], (3.5, 1.0, 9.0));
        assert_eq!(median(&mut [-1.0, -3.0]), -2.0);
    }
}
