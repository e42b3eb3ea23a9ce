use super::{interval, resampled};
use crate::sim::latency::Random;

/// In how many of 400 synthetic runs of 20 blocks the interval contains 100, the true difference.
fn covered(noise: impl Fn(&mut Random) -> f64) -> usize {
    (0..400)
        .filter(|&run| {
            let mut random = Random::new(0x5eed + run);
            let differences: Vec<f64> = (0..20).map(|_| 100.0 + noise(&mut random)).collect();
            // Fewer samples than in use, whose ends are rougher and as often right.
            let found = resampled(&differences, run, 400).expect("there are blocks");
            found.low <= 100.0 && 100.0 <= found.high
        })
        .count()
}

/// 95 % are promised. Intervals that always contain the truth would be as wrong as those that seldom do.
#[test]
fn intervals_cover_the_truth_as_often_as_they_say() {
    let check = |name: &str, count: usize| assert!((360..=396).contains(&count), "{name}: {count} of 400");
    check("normal", covered(|random| 10.0 * random.normal()));
    // A difference of two sides that are each disturbed upwards only.
    check("two skewed sides", covered(|random| random.normal().exp() * 20.0 - random.normal().exp() * 20.0));
    // Only the target is: a long tail on one side, with its median at nothing.
    check("log-normal", covered(|random| (random.normal().exp() - 1.0) * 20.0));
    // One block in ten meets something else on the machine, on either side.
    check(
        "outliers",
        covered(|random| {
            let outlier = if random.unit() < 0.1 { 1_000.0 * random.normal() } else { 0.0 };
            5.0 * random.normal() + outlier
        }),
    );
}

#[test]
fn a_constant_difference_has_no_width() {
    let found = interval(&[5.0; 20], 1).expect("there are blocks");
    assert_eq!((found.estimate, found.low, found.high, found.blocks), (5.0, 5.0, 5.0, 20));
    assert_eq!(interval(&[], 1), None);
}

#[test]
fn one_disturbed_block_decides_nothing() {
    let mut differences: Vec<f64> = (0..20).map(f64::from).collect();
    let quiet = interval(&differences, 7).expect("there are blocks");
    differences[19] = 1e6;
    let disturbed = interval(&differences, 7).expect("there are blocks");
    assert_eq!(quiet.estimate, disturbed.estimate);
    assert!(disturbed.high < 20.0, "{disturbed:?}");
}

#[test]
fn the_same_blocks_give_the_same_interval() {
    let differences: Vec<f64> = (0..20).map(|block| f64::from(block * block)).collect();
    assert_eq!(interval(&differences, 3), interval(&differences, 3));
}
