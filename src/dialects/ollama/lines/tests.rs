use super::*;
use proptest::prelude::*;

/// The lines of a stream that comes in these pieces, then what was never ended; or that a line was too long.
fn cut<'p>(pieces: impl IntoIterator<Item = &'p [u8]>, line_bytes_max: usize) -> Result<Vec<String>, LineTooLong> {
    let mut splitter = Splitter::new(line_bytes_max);
    let mut lines = Vec::new();
    let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
    for piece in pieces {
        let mut feed = splitter.feed(piece);
        while let Some(line) = feed.next()? {
            lines.push(text(line));
        }
    }
    lines.extend(splitter.unfinished_line().map(|line| format!("unfinished: {}", text(line))));
    Ok(lines)
}

/// The outcome for the stream in one piece, after it has been compared with those of two and three pieces, cut anywhere, and of single bytes.
fn cut_everywhere(stream: &str, line_bytes_max: usize) -> Result<Vec<String>, LineTooLong> {
    let bytes = stream.as_bytes();
    let whole = cut([bytes], line_bytes_max);
    assert_eq!(cut(bytes.chunks(1), line_bytes_max), whole, "{stream:?} byte by byte");
    for second in 0..=bytes.len() {
        for first in 0..=second {
            let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
            assert_eq!(cut(pieces, line_bytes_max), whole, "{stream:?} at {first} and {second}");
        }
    }
    whole
}

#[test]
fn lines_are_the_same_at_every_cut() {
    for (stream, expected) in [
        ("", &[][..]),
        ("{}\n", &["{}"]),
        ("{\"a\":1}\n{\"b\":2}\n", &["{\"a\":1}", "{\"b\":2}"]),
        ("{\"a\":1}\r\n\r\n{\"b\":2}\r\n", &["{\"a\":1}", "{\"b\":2}"]),
        ("\n\n {} \n\n", &["{}"]),
        ("{\"a\":\"\\n\"}\n{\"done\":true}", &["{\"a\":\"\\n\"}", "unfinished: {\"done\":true}"]),
        ("{}\n \r", &["{}"]),
        ("a\rb\n", &["a\rb"]),
    ] {
        assert_eq!(cut_everywhere(stream, 64).expect(stream), expected, "{stream:?}");
    }
}

#[test]
fn a_line_that_is_too_long_ends_the_stream() {
    let too_long = Err(LineTooLong { bytes_max: 3 });
    for (stream, fits) in [
        ("abc\n", true),
        ("abc\r\n", true),
        ("abc", true),
        ("abc\r", true),
        ("ab\nabc\nab\n", true),
        ("abcd\n", false),
        ("abcd", false),
        ("abc\r\r\n", false),
        ("ab\nabcd\nab\n", false),
        ("    \n", false),
    ] {
        let outcome = cut_everywhere(stream, 3);
        assert_eq!(outcome.is_ok(), fits, "{stream:?}");
        assert!(fits || outcome == too_long, "{stream:?}");
    }
}

proptest! {
    #[test]
    fn any_stream_in_any_pieces(
        stream in prop::collection::vec(prop::sample::select(b"{} \r\n\"a".to_vec()), 0..40),
        sizes in prop::collection::vec(1usize..9, 40),
        line_bytes_max in 0usize..12,
    ) {
        let mut rest = &stream[..];
        let pieces = sizes.iter().map_while(|size| {
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            rest = after;
            (!piece.is_empty()).then_some(piece)
        });
        let pieces: Vec<_> = pieces.collect();
        prop_assert_eq!(cut(pieces, line_bytes_max), cut([&stream[..]], line_bytes_max));
    }
}
