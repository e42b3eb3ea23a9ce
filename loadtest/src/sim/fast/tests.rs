use super::*;

#[test]
fn answers_have_the_sizes_that_are_published() {
    let fast = Fast::new(FastOptions::default());
    assert_eq!((fast.whole_body.len(), fast.events[0].len()), (WHOLE_BYTES, EVENT_BYTES));
}
