use super::*;

/// How many of `tries` retries are allowed at `now_ms`.
fn allowed(budget: &RetryBudget, tries: u32, now_ms: u64) -> u32 {
    (0..tries).filter(|_| budget.spend(now_ms)).count() as u32
}

#[test]
fn begins_with_twenty() {
    assert_eq!(allowed(&RetryBudget::default(), 100, 0), 20);
}

#[test]
fn an_outage_adds_a_fifth() {
    let budget = RetryBudget::default();
    assert_eq!(allowed(&budget, 100, 0), 20);
    let retries: u32 = (0..1_000)
        .map(|_| {
            budget.earn();
            allowed(&budget, 1, 0)
        })
        .sum();
    assert_eq!(retries, 200);
}

#[test]
fn time_earns_two_a_second_and_loses_no_part_of_one() {
    let budget = RetryBudget::default();
    assert_eq!(allowed(&budget, 100, 0), 20);
    assert_eq!(allowed(&budget, 1, 499), 0);
    assert_eq!(allowed(&budget, 1, 500), 1);
    // Asked for at odd times it is not less.
    assert_eq!((500..=10_500).step_by(8).map(|now_ms| allowed(&budget, 1, now_ms)).sum::<u32>(), 20);
}

#[test]
fn neither_time_nor_requests_keep_more_than_twenty() {
    let budget = RetryBudget::default();
    assert_eq!(allowed(&budget, 100, 0), 20);
    (0..10_000).for_each(|_| budget.earn());
    assert_eq!(allowed(&budget, 100, 10_000_000), 20);
}

#[test]
fn one_request_in_eight_never_runs_dry() {
    // The soak's mix: two deployments of three fail one request in eight, 25 requests a second on a shard.
    let budget = RetryBudget::default();
    let mut state = 1_u64;
    let mut fails = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33).is_multiple_of(8)
    };
    for request in 0..1_000_000_u64 {
        budget.earn();
        for _ in 0..2 {
            if !fails() {
                break;
            }
            assert!(budget.spend(request * 40), "request {request}");
        }
    }
}

#[test]
fn a_clock_that_stands_still_or_goes_back_earns_nothing() {
    let budget = RetryBudget::default();
    assert_eq!(allowed(&budget, 100, 5_000), 20);
    assert_eq!(allowed(&budget, 100, 5_000), 0);
    assert_eq!(allowed(&budget, 100, 1_000), 0);
}
