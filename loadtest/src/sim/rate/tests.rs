use super::*;

const PLENTY: Left = Left { limit: 7, remaining: 7, full_in_ms: 7 };
const OTHERWISE: Allowance = Allowance { requests: PLENTY, tokens: PLENTY };

fn limit(requests: Option<u64>, tokens: Option<u64>) -> RateLimit {
    RateLimit { per: Per::Key, requests_per_min: requests, tokens_per_min: tokens }
}

#[test]
fn a_bucket_empties_and_fills() {
    let mut limiter = Limiter::default();
    let mut take = |now_ms: u64| limiter.take(limit(Some(2), None), "k", 5, now_ms, OTHERWISE);
    let left = |remaining: u64, full_in_ms: u64| Left { limit: 2, remaining, full_in_ms };
    assert_eq!(take(0), Ok(Allowance { requests: left(1, 30_000), tokens: PLENTY }));
    assert_eq!(take(0), Ok(Allowance { requests: left(0, 60_000), tokens: PLENTY }));
    assert_eq!(take(10_000), Err((Allowance { requests: left(0, 50_000), tokens: PLENTY }, 20_000)));
    assert_eq!(take(30_000), Ok(Allowance { requests: left(0, 60_000), tokens: PLENTY }), "a refusal takes nothing");
    assert_eq!(take(600_000).map(|left| left.requests.remaining), Ok(1), "it never holds more than a minute's worth");
}

#[test]
fn tokens_are_limited_beside_requests() {
    let mut limiter = Limiter::default();
    let mut take = |tokens: u64| limiter.take(limit(Some(100), Some(60)), "k", tokens, 0, OTHERWISE);
    assert_eq!(take(40).map(|left| left.tokens.remaining), Ok(20));
    let (left, wait_ms) = take(30).expect_err("too many");
    assert_eq!((left.requests.remaining, left.tokens.remaining, wait_ms), (99, 20, 10_000));
    assert_eq!(take(1_000).map_err(|(_, wait_ms)| wait_ms), Err(60_000), "what never fits");
}

#[test]
fn keys_have_buckets_of_their_own_unless_told_otherwise() {
    let mut limiter = Limiter::default();
    let mut one = limit(Some(1), None);
    for key in ["a", "b"] {
        assert!(limiter.take(one, key, 0, 0, OTHERWISE).is_ok());
        assert!(limiter.take(one, key, 0, 0, OTHERWISE).is_err());
    }
    one.per = Per::All;
    assert!(limiter.take(one, "c", 0, 0, OTHERWISE).is_ok());
    assert!(limiter.take(one, "d", 0, 0, OTHERWISE).is_err());
}
