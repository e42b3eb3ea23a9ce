use super::*;

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

#[test]
fn a_linear_scale_begins_at_zero_and_ends_at_a_round_number() {
    let scale = Scale::linear([3.0, 87.0, f64::NAN]);
    assert_eq!(scale, Scale::Linear { low: 0.0, high: 100.0 });
    assert_eq!(scale.ticks(5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
    assert!(close(scale.place(50.0), 0.5));
    assert_eq!(Scale::linear([]).ticks(2), [0.0, 0.5, 1.0]);
    assert_eq!(Scale::linear([0.0, 0.0]), Scale::linear([]));
}

#[test]
fn a_log_scale_holds_its_values_and_names_ones_twos_and_fives() {
    let scale = Scale::log([0.0, 63.0, 1_700.0]);
    assert_eq!(scale, Scale::Log { low: 50.0, high: 2_000.0 });
    assert_eq!(scale.ticks(6), [50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0]);
    assert_eq!(scale.ticks(3), [100.0, 300.0, 1_000.0]);
    assert!(close(scale.place(50.0), 0.0) && close(scale.place(2_000.0), 1.0));
    assert!(close(scale.place(-4.0), 0.0), "what a log scale cannot show lies on its end");
    assert_eq!(Scale::log([100.0, 100.0]), Scale::Log { low: 100.0, high: 1_000.0 });
    assert!(Scale::log([1.0, 1e15]).ticks(5).len() <= 6);
}

#[test]
fn each_nine_is_as_wide_as_the_one_before() {
    let scale = Scale::nines([0.0, 0.5, 0.9999]);
    assert!(close(scale.place(0.9), 0.25) && close(scale.place(0.99), 0.5) && close(scale.place(0.9999), 1.0));
    let ticks: Vec<_> = scale.ticks(9).into_iter().map(percent).collect();
    assert_eq!(ticks, ["0%", "90%", "99%", "99.9%", "99.99%"]);
    assert_eq!(percent(0.5), "50%");
    let scale = Scale::nines([0.999, 1.0]);
    assert!(close(scale.place(1.0), 1.0) && scale.place(0.999) < 0.85, "the maximum has a place of its own");
    assert_eq!(scale.ticks(9).into_iter().map(percent).collect::<Vec<_>>(), ["0%", "90%", "99%", "99.9%", "max"]);
}

#[test]
fn a_scale_around_zero_shows_both_signs() {
    let scale = Scale::around_zero([-30.0, 4.0, 2_000.0]);
    let zero = scale.place(0.0);
    assert!(scale.place(-30.0) < zero && zero < scale.place(4.0) && scale.place(4.0) < scale.place(2_000.0));
    let ticks = scale.ticks(6);
    assert!(ticks.contains(&0.0) && ticks.contains(&1_000.0) && ticks.contains(&-10.0), "{ticks:?}");
    assert!(ticks.is_sorted(), "{ticks:?}");
}

#[test]
fn no_input_makes_a_place_that_cannot_be_drawn() {
    let odd = [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1.0];
    for &a in &odd {
        for &b in &odd {
            let values = [a, b];
            let scales = [
                Scale::linear(values),
                Scale::log(values),
                Scale::log_exact(values),
                Scale::nines(values),
                Scale::around_zero(values),
            ];
            for scale in scales {
                for &value in &odd {
                    let place = scale.place(value);
                    assert!((0.0..=1.0).contains(&place), "{scale:?} puts {value} at {place}");
                }
                assert!(scale.ticks(5).len() <= 30, "{scale:?}: {:?}", scale.ticks(5));
            }
        }
    }
}
