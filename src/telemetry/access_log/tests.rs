use super::*;

#[test]
fn record_is_two_cache_lines() {
    assert!(size_of::<AccessRecord>() <= 128, "{}", size_of::<AccessRecord>());
}

#[test]
fn request_ids_are_32_digits() {
    let first = RequestId(0x0123_4567_89ab_cdef_fedc_ba98_0000_0000);
    let check = |id: u128| {
        assert_eq!(RequestId(id).text(), format!("req_{id:032x}").as_bytes());
        assert_eq!(RequestId(id).text_like(first, &first.text()), RequestId(id).text());
    };
    check(0);
    check(u128::MAX);
    check(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210);
    // Every digit in every place, next to the largest and the smallest.
    for place in 0..32 {
        for digit in 0..16u128 {
            check(digit << (4 * place));
            check(u128::MAX ^ digit << (4 * place));
        }
    }
}
