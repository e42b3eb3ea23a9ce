//! Streams cut at every place, against a decoder that follows the standard's wording line by line.

use super::*;
use proptest::prelude::*;

/// Data, name, bytes.
type Read = (String, String, String);

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Feeds pieces whose sizes repeat as given; returns the events and the residue.
fn split(stream: &[u8], sizes: &[usize]) -> (Vec<Read>, String) {
    let mut splitter = Splitter::new(1 << 20);
    let mut read = Vec::new();
    let mut rest = stream;
    for &size in sizes.iter().cycle() {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        let mut feed = splitter.feed(piece);
        while let Some(event) = feed.next().unwrap() {
            read.push((text(event.data), text(event.name), text(event.raw)));
        }
        if rest.is_empty() {
            break;
        }
    }
    (read, text(splitter.residue()))
}

/// The standard's algorithm, section 9.2.6, on the whole stream.
fn standard(stream: &str) -> Vec<(String, String)> {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream).replace("\r\n", "\n").replace('\r', "\n");
    let (mut data, mut name, mut read) = (String::new(), String::new(), Vec::new());
    let mut lines: Vec<&str> = stream.split('\n').collect();
    lines.pop();
    for line in lines {
        if line.is_empty() {
            if let Some(data) = data.strip_suffix('\n') {
                read.push((data.to_owned(), name.clone()));
            }
            data.clear();
            name.clear();
        } else if !line.starts_with(':') {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "data" => data = data + value + "\n",
                "event" => name = value.to_owned(),
                _ => {}
            }
        }
    }
    read
}

/// Cuts the stream into pieces of every small size and at every single place.
#[track_caller]
fn check(stream: &str, expected: &[(&str, &str)], residue: &str) {
    let bytes = stream.as_bytes();
    let pairs = |read: &[Read]| -> Vec<(String, String)> {
        read.iter().map(|(data, name, _)| (data.clone(), name.clone())).collect()
    };
    let expected: Vec<(String, String)> =
        expected.iter().map(|(data, name)| (data.to_string(), name.to_string())).collect();
    assert_eq!(standard(stream), expected, "the standard");
    for size in 1..=bytes.len().max(1) {
        let (read, left) = split(bytes, &[size]);
        assert_eq!((pairs(&read), left.as_str()), (expected.clone(), residue), "pieces of {size} bytes");
        let (read, left) = split(bytes, &[size, bytes.len()]);
        assert_eq!((pairs(&read), left.as_str()), (expected.clone(), residue), "cut at {size}");
    }
}

#[test]
fn plain_events() {
    check("data: a\n\ndata: b\n\n", &[("a", ""), ("b", "")], "");
    check("data:a\n\ndata:  b\n\n", &[("a", ""), (" b", "")], "");
    check("event: ping\ndata: {}\nid: 7\nretry: 1\n\n", &[("{}", "ping")], "");
}

#[test]
fn every_line_end() {
    check("data: a\r\n\r\ndata: b\r\n\r\n", &[("a", ""), ("b", "")], "");
    check("data: a\r\rdata: b\r\r", &[("a", ""), ("b", "")], "");
    check("data: a\n\r\ndata: b\r\n\ndata: c\n\r", &[("a", ""), ("b", ""), ("c", "")], "");
    check("\n\r\n\rdata: a\n\n\n\n\r\n", &[("a", "")], "");
}

#[test]
fn several_data_lines_join() {
    check("data: a\ndata\ndata: b\n\n", &[("a\n\nb", "")], "");
    check("data\n\n", &[("", "")], "");
    check("data:\ndata:\n\n", &[("\n", "")], "");
}

#[test]
fn comments_and_blocks_without_data_are_no_events() {
    check(": PROCESSING\n\ndata: a\n\n:\n\n", &[("a", "")], "");
    check(": x\ndata: a\n: y\n\n", &[("a", "")], "");
    check("event: ping\n\ndatax: 1\n\ndata : 2\n\n DATA: 3\n\n", &[], "");
}

#[test]
fn a_byte_order_mark_is_skipped_once() {
    check("\u{feff}data: a\n\n\u{feff}data: b\n\ndata: c\n\n", &[("a", ""), ("c", "")], "");
    check("\n\u{feff}data: a\n\n", &[], "");
}

#[test]
fn what_is_unfinished_remains() {
    check("data: a\n\ndata: b\n", &[("a", "")], "data: b\n");
    check("data: a\n\ndata: ü", &[("a", "")], "data: ü");
    check(": x\n", &[], ": x\n");
    check("", &[], "");
}

#[test]
fn an_unfinished_event_can_be_read() {
    for (end, expected) in [("data: [DONE]\n", Some("[DONE]")), ("data: [DO", Some("[DO")), (": x\n", None), ("", None)]
    {
        let mut splitter = Splitter::new(100);
        let stream = format!("data: a\n\n{end}");
        let mut feed = splitter.feed(stream.as_bytes());
        while feed.next().unwrap().is_some() {}
        assert_eq!(splitter.unfinished_event().map(|event| text(event.data)).as_deref(), expected);
    }
    // A carried event that is whole has been handed out.
    let mut splitter = Splitter::new(100);
    assert!(splitter.feed(b"data: a\n").next().unwrap().is_none());
    assert!(splitter.feed(b"\n").next().unwrap().is_some());
    assert_eq!(splitter.residue(), b"");
    assert_eq!(splitter.unfinished_event(), None);
}

#[test]
fn whole_events_are_borrowed_from_the_piece() {
    let piece = b"data: a\n\ndata: b\n\nda";
    let mut splitter = Splitter::new(100);
    let mut feed = splitter.feed(piece);
    while let Some(event) = feed.next().unwrap() {
        assert!(piece.as_ptr_range().contains(&event.data.as_ptr()));
    }
    assert_eq!(splitter.residue(), b"da");
}

#[test]
fn whoever_stops_early_can_go_on() {
    let mut splitter = Splitter::new(100);
    let mut feed = splitter.feed(b"data: a\n\ndata: b\n\ndata: c");
    assert_eq!(feed.next().unwrap().unwrap().data, b"a");
    let rest = feed.rest();
    assert_eq!(splitter.feed(rest).next().unwrap().unwrap().data, b"b");
}

#[test]
fn an_event_may_not_be_too_long() {
    for end in ["\n\n", "\r\r\n"] {
        for (bytes, fits) in [(100, true), (101, false), (500, false)] {
            let event = |bytes: usize| format!("data: {}{end}", "x".repeat(bytes - 8));
            for size in 1..150 {
                limits_events_to_100_bytes(&(event(20) + &event(bytes)), size, fits);
            }
        }
    }
}

#[track_caller]
fn limits_events_to_100_bytes(stream: &str, size: usize, fits: bool) {
    let mut splitter = Splitter::new(100);
    let mut outcome = Ok(0);
    'stream: for piece in stream.as_bytes().chunks(size) {
        let mut feed = splitter.feed(piece);
        loop {
            match feed.next() {
                Ok(Some(_)) => outcome = outcome.map(|events| events + 1),
                Ok(None) => break,
                Err(error) => {
                    outcome = Err(error);
                    break 'stream;
                }
            }
        }
    }
    let expected = if fits { Ok(2) } else { Err(EventTooLong { bytes_max: 100 }) };
    assert_eq!(outcome, expected, "{} bytes in pieces of {size}", stream.len());
}

#[test]
fn comments_can_be_left_out() {
    let mut splitter = Splitter::new(100);
    let mut feed = splitter.feed(b": x\r\ndata: a\r\n:y\nid: 1\n\ndata: b\n\n");
    let mut out = Vec::new();
    while let Some(event) = feed.next().unwrap() {
        event.append_to(&mut out);
    }
    assert_eq!(text(&out), "data: a\r\nid: 1\n\ndata: b\n\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_cut_gives_what_the_standard_says(
        stream in "(\u{feff})?(data|data:|data: |event: |:|x|é|\n|\r|\r\n|\n\n){0,30}",
        sizes in prop::collection::vec(1usize..9, 1..6),
    ) {
        let (whole, residue) = split(stream.as_bytes(), &[usize::MAX]);
        let pairs: Vec<(String, String)> = whole.iter().map(|(data, name, _)| (data.clone(), name.clone())).collect();
        prop_assert_eq!(pairs, standard(&stream));
        let (pieces, left) = split(stream.as_bytes(), &sizes);
        prop_assert_eq!(left, residue);
        prop_assert_eq!(pieces.len(), whole.len());
        for (one, other) in pieces.iter().zip(&whole) {
            prop_assert_eq!((&one.0, &one.1), (&other.0, &other.1));
            // Only the LF after a CR that ends the event may be missing.
            prop_assert!(one.2 == other.2 || one.2.clone() + "\n" == other.2);
        }
    }

    #[test]
    fn noise_does_not_panic(stream in prop::collection::vec(any::<u8>(), 0..200), size in 1usize..50) {
        split(&stream, &[size]);
    }
}
