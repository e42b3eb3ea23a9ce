use hdrhistogram::Histogram;

use super::curve;

#[test]
fn a_curve_ends_where_there_is_nothing_more_to_tell_apart() {
    let check = |count: u64, points: usize| {
        let mut histogram = Histogram::<u64>::new(3).expect("three digits");
        (1..=count).for_each(|value| histogram.record(value).expect("in bounds"));
        let curve = curve(&histogram);
        assert_eq!(curve.len(), points, "{count}");
        assert!(curve.is_sorted(), "{curve:?}");
        assert_eq!(curve.first().map(|point| point.0), Some(0.0));
        assert_eq!(curve.last().copied(), Some((1.0, histogram.max())));
    };
    check(1, 2);
    check(1_000, 38);
    check(100_000, 62);
}
