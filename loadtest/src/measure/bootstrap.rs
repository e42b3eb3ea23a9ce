//! How sure a difference is: a bootstrap interval over the differences of blocks.
//!
//! The estimate is the median of the blocks' differences. The interval is the middle 95 % of the medians of `RESAMPLES` samples of as many
//! blocks, drawn with replacement (the percentile bootstrap). The block, not the request, is what is drawn: requests of one second share
//! the state of the machine in that second, and an interval that took them for independent would be far too narrow.
//!
//! The median and not the mean, because one disturbed block would decide a mean; and not BCa, whose correction comes from leaving single
//! blocks out, which does not work for a median. `tests.rs` holds the coverage against skewed noise.
//!
//! The draws come from a seed: the same blocks give the same interval.

use super::spread::median;
use crate::results::Interval;
use crate::sim::latency::Random;

/// The share of true differences that an interval is meant to contain.
pub const LEVEL: f64 = 0.95;

/// The ends lie at the 50th least and greatest of these, which repeats to about a tenth of the interval's width.
const RESAMPLES: usize = 2_000;

/// The interval of a difference, one value for each block. None without blocks.
pub fn interval(differences: &[f64], seed: u64) -> Option<Interval> {
    resampled(differences, seed, RESAMPLES)
}

fn resampled(differences: &[f64], seed: u64, resamples: usize) -> Option<Interval> {
    if differences.is_empty() {
        return None;
    }
    let mut random = Random::new(seed);
    let mut sample = vec![0.0; differences.len()];
    let mut medians: Vec<f64> = (0..resamples)
        .map(|_| {
            sample.fill_with(|| differences[random.below(differences.len())]);
            median(&mut sample)
        })
        .collect();
    medians.sort_unstable_by(f64::total_cmp);
    let tail = ((1.0 - LEVEL) / 2.0 * resamples as f64) as usize;
    Some(Interval {
        estimate: median(&mut differences.to_vec()),
        low: medians[tail],
        high: medians[resamples - 1 - tail],
        level: LEVEL,
        blocks: differences.len(),
    })
}

#[cfg(test)]
mod tests;
