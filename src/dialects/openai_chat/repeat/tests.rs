//! What is recognised. That nothing else passes unread is tested where events are passed on, see `pass_through`.

use super::*;

fn event(text: &str) -> String {
    format!("data: {{\"id\":\"c\",\"delta\":{{\"content\":\"{text}\"}},\"n\":null}}\n\n")
}

fn taught(events: &[&str]) -> Repeat {
    let mut repeat = Repeat::default();
    events.iter().for_each(|text| repeat.learn(event(text).as_bytes()));
    repeat
}

#[track_caller]
fn check(repeat: &mut Repeat, stream: &str, expected: Option<usize>) {
    assert_eq!(repeat.recognise(stream.as_bytes()), expected, "{stream:?}");
}

#[test]
fn same_event_is_recognised_at_once_and_another_text_after_two() {
    check(&mut taught(&[]), &event("a"), None);
    check(&mut taught(&["a"]), &event("a"), Some(event("a").len()));
    check(&mut taught(&["a"]), &event("b"), None);
    check(&mut taught(&["a", "b"]), &event("other text"), Some(event("other text").len()));
}

#[test]
fn strings_may_hold_whatever_is_valid() {
    for text in ["x", "\\n", "\\\"", "a\\\\", "\\u00e9\\ud800", "é😀", "\u{7f}"] {
        check(&mut taught(&["a", "b"]), &event(text), Some(event(text).len()));
    }
    for text in ["", "\\x", "\\u00g0", "\\u12", "a\tb", "a\nb", "\""] {
        check(&mut taught(&["a", "b"]), &event(text), None);
    }
    let cut = [event("x").as_bytes(), b""].concat();
    for end in 0..cut.len() {
        assert_eq!(taught(&["a", "b"]).recognise(&cut[..end]), None, "cut at {end}");
    }
    let not_utf8 =
        event("X").into_bytes().iter().map(|&byte| if byte == b'X' { 0xFF } else { byte }).collect::<Vec<_>>();
    assert_eq!(taught(&["a", "b"]).recognise(&not_utf8), None);
}

#[test]
fn only_the_event_is_taken_of_what_follows_it() {
    let two = [event("one"), event("two")].concat();
    check(&mut taught(&["a", "b"]), &two, Some(event("one").len()));
}

#[test]
fn names_and_empty_strings_are_no_gaps() {
    let mut repeat = Repeat::default();
    repeat.learn(b"data: {\"a\":\"1\"}\n\n");
    repeat.learn(b"data: {\"b\":\"1\"}\n\n");
    check(&mut repeat, "data: {\"c\":\"1\"}\n\n", None);
    check(&mut taught(&["", "b"]), &event("c"), None);
    check(&mut taught(&["a", ""]), &event("c"), None);
}

#[test]
fn values_that_changed_once_may_change_again() {
    let event = |one: &str, two: &str| format!("data: {{\"x\":\"{one}\",\"y\":\"{two}\"}}\n\n");
    let mut repeat = Repeat::default();
    for (one, two) in [("1", "1"), ("2", "1"), ("2", "3")] {
        repeat.learn(event(one, two).as_bytes());
    }
    check(&mut repeat, &event("4", "5"), Some(event("4", "5").len()));
}

#[test]
fn stream_that_never_repeats_is_given_up_and_costs_no_memory() {
    let mut repeat = Repeat::default();
    for number in 0..2 * VAIN_LESSONS_MAX {
        repeat.learn(format!("data: {{\"n\":{number}}}\n\n").as_bytes());
    }
    assert_eq!((repeat.text.capacity(), repeat.gaps.capacity()), (0, 0));
    check(&mut repeat, &format!("data: {{\"n\":{}}}\n\n", 2 * VAIN_LESSONS_MAX - 1), None);
}

#[test]
fn long_events_are_not_kept() {
    let mut repeat = taught(&[]);
    repeat.learn(event(&"x".repeat(EVENT_BYTES_MAX)).as_bytes());
    assert_eq!(repeat.text.capacity(), 0);
}
