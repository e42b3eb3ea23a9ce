use super::*;

/// Seconds since 1970 of a time in UTC.
fn at(text: &str) -> u64 {
    let time: jiff::Timestamp = text.parse().expect(text);
    u64::try_from(time.as_second()).expect("after 1970")
}

#[test]
fn windows_hold_from_their_first_minute_to_before_their_last() {
    let check = |window: &str, time: &str, expected: bool| {
        assert_eq!(Window::from_text(window).expect(window).contains(at(time)), expected, "{window} {time}");
    };
    // 23 November 2026 is a Monday.
    check("1:0400-0600", "2026-11-23T03:59:59Z", false);
    check("1:0400-0600", "2026-11-23T04:00:00Z", true);
    check("1:0400-0600", "2026-11-23T05:59:59Z", true);
    check("1:0400-0600", "2026-11-23T06:00:00Z", false);
    check("1:0400-0600", "2026-11-24T05:00:00Z", false);
    check("67:0000-2400", "2026-11-22T23:59:59Z", true);
    check("67:0000-2400", "2026-11-21T00:00:00Z", true);
    check("67:0000-2400", "2026-11-23T00:00:00Z", false);
    check("12345:1030-2400", "2026-11-27T10:30:00Z", true);
}

#[test]
fn windows_are_written_as_they_are_read() {
    for text in ["1:0000-0001", "67:0000-2400", "1234567:0930-1745"] {
        assert_eq!(Window::from_text(text).expect(text).to_string(), text);
    }
}

#[test]
fn what_is_no_window() {
    for text in ["", "1", "1:", "1:0400", "8:0400-0600", ":0400-0600", "1:0600-0400", "1:0400-0400", "1:0400-2401"] {
        assert_eq!(Window::from_text(text), None, "{text}");
    }
    for text in ["1:400-600", "1:0460-0600", "1:04-06", "1:+400-0600", "1:ä00-0600", "1:04000-0600", "a:0400-0600"] {
        assert_eq!(Window::from_text(text), None, "{text}");
    }
}

#[test]
fn other_prices_follow_input_and_output_and_are_rounded_up() {
    let mut base = Rates::of(3, 10);
    base.cached_input_picousd = 1;
    base.reasoning_picousd = 5;
    let changed = base.at(4, 21);
    assert_eq!(changed.cached_input_picousd, 2, "4 / 3, rounded up");
    assert_eq!(changed.cache_write_5m_picousd, 4);
    assert_eq!(changed.reasoning_picousd, 11, "21 / 2, rounded up");
    assert_eq!(changed.audio_output_picousd, 21);
    assert_eq!(Rates::of(0, 0).at(7, 9), Rates::of(7, 9), "nothing to take a ratio of");
    assert_eq!(Rates::of(1, 1).at(u64::MAX, u64::MAX), Rates::of(u64::MAX, u64::MAX));
}

#[test]
fn a_tier_holds_for_a_request_above_its_bound() {
    let tier = |above_tokens, price| Tier { above_tokens, rates: Rates::of(price, price) };
    let rates = TokenRates { tiers: vec![tier(100, 2), tier(200, 3)], ..TokenRates::flat(Rates::of(1, 1)) };
    let check = |input_tokens, price| {
        assert_eq!(rates.for_request(input_tokens, 0).input_picousd, price, "{input_tokens}");
    };
    check(0, 1);
    check(100, 1);
    check(101, 2);
    check(200, 2);
    check(201, 3);
    check(u64::MAX, 3);
}
