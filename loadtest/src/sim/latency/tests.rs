use super::*;

fn drawn(recorded: &Recorded, count: usize) -> Vec<u64> {
    let mut random = Random::new(7);
    (0..count).map(|_| recorded.draw_us(&mut random) as u64).collect()
}

#[test]
fn values_are_drawn_as_often_as_they_were_counted() {
    let csv = Recorded::parse("value_us,count\n100,90\n5000,10\n", 1.0).expect("well-formed");
    let hgrm = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n\
                \x20      0.100 0.900000000000         90          10.00\n\
                \x20      5.000 0.990000000000         99         100.00\n\
                \x20      5.000 1.000000000000        100          inf\n\
                #[Mean    =        0.590, StdDeviation   =        1.470]\n";
    let hgrm = Recorded::parse(hgrm, 1e3).expect("well-formed");
    let values = drawn(&csv, 10_000);
    let slow = values.iter().filter(|us| **us == 5_000).count();
    assert!((900..1_100).contains(&slow), "{slow} of 10,000");
    assert_eq!(values.iter().filter(|us| **us == 100).count() + slow, 10_000);
    assert_eq!(values, drawn(&hgrm, 10_000), "the same histogram in both forms draws the same from the same seed");
}

#[test]
fn files_that_are_no_histograms_are_refused() {
    for text in ["", "value_us,count\n", "5\n", "5,x\n", "5,1\n4,1\n", "1 0.5 10\n2 0.9 5\n", "99999999999999,1\n"] {
        assert!(Recorded::parse(text, 1.0).is_err(), "{text:?}");
    }
}
