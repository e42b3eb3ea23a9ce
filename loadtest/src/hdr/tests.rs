use std::collections::BTreeSet;
use std::io::Cursor;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;

use super::*;

fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, 600_000_000, 3).expect("bounds that make sense");
    for value in values {
        histogram.record(value).expect("in range");
    }
    histogram
}

fn recording(intervals: Vec<Histogram<u64>>) -> Recording {
    let interval = |(second, histogram)| Interval {
        start: Duration::from_secs(second),
        length: Duration::from_millis(1_000),
        histogram,
    };
    Recording {
        scenario: "chat\n#[StartTime: 5 (seconds since epoch)]".to_owned(),
        target: "direct".to_owned(),
        began: SystemTime::UNIX_EPOCH + Duration::from_millis(1_763_000_000_250),
        measures: vec![Measure { name: "whole", intervals: (0..).zip(intervals).map(interval).collect() }],
    }
}

#[test]
fn a_log_keeps_each_interval_and_a_name_cannot_add_a_line() {
    let recording = recording(vec![histogram(1..=1_000), histogram([]), histogram([7, 7, 2_000_000])]);
    let text = log(&recording, &recording.measures[0]).expect("it is written");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "#[Histogram log format version 1.3]");
    assert_eq!(lines[1], "#whole of direct in chat #[StartTime: 5 (seconds since epoch)], in microseconds");
    assert_eq!(lines[2], "#[StartTime: 1763000000.250 (seconds since epoch)]");
    assert!(lines[3].starts_with("\"StartTimestamp\""), "{}", lines[3]);
    assert_eq!(lines.len(), 7);
    let read = |line: &str| {
        let encoded = line.rsplit(',').next().expect("four fields");
        let bytes = base64_decoded(encoded);
        hdrhistogram::serialization::Deserializer::new()
            .deserialize::<u64, _>(&mut Cursor::new(bytes))
            .expect("a histogram")
    };
    assert!(lines[6].starts_with("2.000,1.000,2000895.000,HISTFAAA"), "{}", lines[6]);
    assert_eq!(read(lines[4]), recording.measures[0].intervals[0].histogram);
    assert_eq!(read(lines[6]).count_at(7), 2);
}

/// The alphabet of RFC 4648, so that the test does not read with what wrote.
fn base64_decoded(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = ALPHABET.iter().position(|known| *known == letter).expect("base64");
        bits = (bits << 6) | u32::try_from(value).expect("six bits");
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    bytes
}

#[test]
fn the_distribution_is_printed_as_the_library_prints_it() {
    let text = distribution(&histogram([1, 2, 3, 4]));
    assert_eq!(
        text,
        "       Value     Percentile TotalCount 1/(1-Percentile)\n\
         \n\
         \u{20}      1.000 0.000000000000          1           1.00\n\
         \u{20}      1.000 0.100000000000          1           1.11\n\
         \u{20}      1.000 0.200000000000          1           1.25\n\
         \u{20}      2.000 0.300000000000          2           1.43\n\
         \u{20}      2.000 0.400000000000          2           1.67\n\
         \u{20}      2.000 0.500000000000          2           2.00\n\
         \u{20}      3.000 0.550000000000          3           2.22\n\
         \u{20}      3.000 0.600000000000          3           2.50\n\
         \u{20}      3.000 0.650000000000          3           2.86\n\
         \u{20}      3.000 0.700000000000          3           3.33\n\
         \u{20}      3.000 0.750000000000          3           4.00\n\
         \u{20}      4.000 0.775000000000          4           4.44\n\
         \u{20}      4.000 1.000000000000          4\n\
         #[Mean    =        2.500, StdDeviation   =        1.118]\n\
         #[Max     =        4.000, Total count    =            4]\n\
         #[Buckets =           20, SubBuckets     =         2048]\n"
    );
}

#[test]
fn names_become_plain_and_stay_different() {
    let mut taken = BTreeSet::new();
    assert_eq!(free_stem("chat-small", "Ringway 1.0", &mut taken), "chat-small.ringway-1-0");
    assert_eq!(free_stem("chat/small", "ringway 1 0", &mut taken), "chat-small.ringway-1-0-2");
    assert_eq!(free_stem("../../etc/passwd", "<script>", &mut taken), "etc-passwd.script");
    assert_eq!(free_stem("", "日本", &mut taken), "unnamed.unnamed");
    assert!(free_stem(&"x".repeat(5_000), &"y".repeat(5_000), &mut taken).len() < 200);
}

#[test]
fn what_is_empty_has_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let names =
        write(&[recording(vec![histogram([])]), recording(vec![histogram([5])])], folder.path()).expect("written");
    assert_eq!(names[0], Vec::<String>::new());
    assert_eq!(names[1].len(), 2);
    for name in &names[1] {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
}
