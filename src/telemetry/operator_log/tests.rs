use super::*;

#[test]
fn plain_line_has_time_and_level() {
    let at = jiff::Timestamp::from_microsecond(1_700_000_000_123_456).expect("in range");
    assert_eq!(
        plain_line(Level::Warning, format_args!("shard {} is late", 3), at),
        "2023-11-14T22:13:20.123Z warning: shard 3 is late\n"
    );
}

#[test]
fn journal_line_has_a_priority() {
    assert_eq!(journal_line(Level::Error, format_args!("no")), "<3>no\n");
    assert_eq!(journal_line(Level::Warning, format_args!("no")), "<4>no\n");
    assert_eq!(journal_line(Level::Info, format_args!("no")), "<6>no\n");
}

#[test]
fn a_message_stays_one_line_without_control_characters() {
    let cases = [
        ("a\nb", "a | b"),
        ("a\r\nb\n", "a | b"),
        ("red \x1b[31mtext", "red \u{fffd}[31mtext"),
        ("\x00\x07", "\u{fffd}\u{fffd}"),
        ("c1 \u{9b}31m", "c1 \u{fffd}31m"),
    ];
    for (message, expected) in cases {
        assert_eq!(journal_line(Level::Info, format_args!("{message}")), format!("<6>{expected}\n"), "{message:?}");
    }
}
