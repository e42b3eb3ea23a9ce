use super::*;
use crate::{fuzzing, sys};
use proptest::prelude::*;

/// The lines of a head; why it stopped unless it was at the end.
fn read(head: &[u8]) -> Result<Vec<(String, String)>, Stop> {
    let mut lines = FieldLines::new(head, 3);
    let mut found = Vec::new();
    lines.start_line()?;
    loop {
        match lines.next_line() {
            Ok(line) => found.push((line.name().escape_ascii().to_string(), line.value().escape_ascii().to_string())),
            Err(Stop::End) => return Ok(found),
            Err(stop) => return Err(stop),
        }
    }
}

fn check(lines: &str, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(read(format!("start\r\n{lines}\r\n").as_bytes()), Ok(expected), "{lines:?}");
}

fn check_bad(lines: &str, why: Stop) {
    assert_eq!(read(format!("start\r\n{lines}\r\n").as_bytes()), Err(why), "{lines:?}");
}

#[test]
fn values_come_without_the_white_space_around_them() {
    check("a: b\r\n", &[("a", "b")]);
    check("a:b\r\nC-d:\t e\tf \t\r\n", &[("a", "b"), ("C-d", "e\\tf")]);
    check("a:\r\nb: \t\r\nc: d: e\r\n", &[("a", ""), ("b", ""), ("c", "d: e")]);
    check("!#$%&'*+-.^_`|~09azAZ: x\r\n", &[("!#$%&\\'*+-.^_`|~09azAZ", "x")]);
    check("", &[]);
}

#[test]
fn refuses_what_two_parsers_could_read_differently() {
    for lines in [
        "a : b\r\n",
        "a\t: b\r\n",
        " a: b\r\n",
        ": b\r\n",
        "a\r\n",
        "a b: c\r\n",
        "a: b\n",
        "a: b\r",
        "a: b\rc: d\r\n",
        "a: b\r\r\n",
        "a: b\r\n c\r\n",
        "a: \0\r\n",
        "a: \x0b\r\n",
        "a: \x7f\r\n",
        "a\0: b\r\n",
        "\u{e4}: b\r\n",
        "a@b: c\r\n",
        "a: b\r\n\n",
        "a(b): c\r\n",
    ] {
        check_bad(lines, Stop::Malformed);
    }
    check_bad("a: b\r\nc: d\r\ne: f\r\ng: h\r\n", Stop::TooManyLines);
}

#[test]
fn empty_lines_before_the_start_line_are_passed_over() {
    let mut lines = FieldLines::new(b"\r\n\r\nstart \t line\r\n\r\n", 1);
    assert_eq!(lines.start_line(), Ok(&b"start \t line"[..]));
    assert_eq!(lines.next_line().err(), Some(Stop::End));
    assert_eq!(lines.taken(), 20);
    assert_eq!(FieldLines::new(b"\r\n\nstart\r\n", 1).start_line(), Err(Stop::Malformed));
    assert_eq!(FieldLines::new(b"\r\n\r", 1).start_line(), Err(Stop::Partial));
}

#[test]
fn lines_are_appended_in_their_plainest_form() {
    let appended = |line: &str, prefix: &[u8], skipped| {
        let head = format!("start\r\n{line}\r\n\r\n");
        let mut lines = FieldLines::new(head.as_bytes(), 1);
        lines.start_line().expect("good");
        let Ok(line) = lines.next_line() else { panic!("a line") };
        let mut out = b"before ".to_vec();
        line.append_to(&mut out, prefix, skipped);
        String::from_utf8(out).expect("ASCII")
    };
    assert_eq!(appended("X-A_b: C", b"", 0), "before x-a_b: C\r\n");
    assert_eq!(appended("X-A_b: C", b"y-", 2), "before y-a_b: C\r\n");
    for line in ["X-A:C", "X-A:  C", "X-A: C ", "X-A:C ", "X-A:\tC"] {
        assert_eq!(appended(line, b"", 0), "before x-a: C\r\n", "{line:?}");
        assert_eq!(appended(line, b"y-", 2), "before y-a: C\r\n", "{line:?}");
    }
}

#[test]
fn names_are_compared_without_regard_to_case() {
    let names: [&'static [u8]; 5] =
        [b"host", b"origin", b"openai-beta", b"transfer-encoding", b"access-control-request-headers"];
    for lower in names {
        for name in names {
            assert_eq!(is_named(name, lower), name == lower);
            assert_eq!(is_named(&name.to_ascii_uppercase(), lower), name == lower);
        }
        for at in 0..lower.len() {
            for byte in (0..=u8::MAX).filter(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)) {
                let mut name = lower.to_vec();
                name[at] = byte;
                assert_eq!(is_named(&name, lower), name.eq_ignore_ascii_case(lower), "{}", name.escape_ascii());
                name.push(b'x');
                assert!(!is_named(&name, lower));
                assert_eq!(begins_with(&name, lower), name[..lower.len()].eq_ignore_ascii_case(lower));
            }
        }
    }
    assert!(!begins_with(b"open", b"openai-"));
}

#[test]
fn every_byte_is_classified_alike_each_way() {
    let all: [u8; 256] = std::array::from_fn(|at| at as u8);
    for stops in sys::line_stops_each_way(&all) {
        for byte in 0..=u8::MAX {
            let bit = |words: &[u64; 4]| words[usize::from(byte) / 64] >> (byte % 64) & 1 == 1;
            let is_token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(bit(&stops.names), !is_token, "{byte:#x}");
            assert_eq!(bit(&stops.values), byte.is_ascii_control(), "{byte:#x}");
        }
    }
}

/// A head that is nearly one: pieces of heads, good and bad, in any order.
fn nearly_a_head(start_lines: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "host: a\r\n",
        "Host:a\r\n",
        "content-length: 5\r\n",
        "Content-Length:12 \r\n",
        "transfer-encoding: chunked\r\n",
        "connection: close\r\n",
        "authorization: Bearer x\r\n",
        "content-type: application/json\r\n",
        "expect: 100-continue\r\n",
        "x-request-id: 1\r\n",
        "openai-version: 1\r\n",
        "OPENAI-BETA:\tb\r\n",
        "retry-after: 1\r\n",
        "x",
        ":",
        " ",
        "\t",
        "\r\n",
        "\r",
        "\n",
        "\0",
        "\u{e9}",
        "\x7f",
        "v",
        "-",
        "_",
        "@",
    ];
    let long = (1usize..600, "[a-z \t:]").prop_map(|(times, text)| text.repeat(times));
    let piece = prop_oneof![
        12 => prop::sample::select(PIECES).prop_map(str::to_owned),
        1 => long.prop_map(|text| format!("x-long: {text}\r\n")),
    ];
    let start = prop_oneof![8 => prop::sample::select(start_lines).prop_map(str::to_owned), 1 => Just(String::new())];
    let end = prop_oneof![6 => Just("\r\n"), 1 => Just("\n"), 1 => Just("")];
    (start, prop::collection::vec(piece, 0..10), end, prop::collection::vec(any::<u8>(), 0..40)).prop_map(
        |(start, pieces, end, after)| [start.as_bytes(), pieces.concat().as_bytes(), end.as_bytes(), &after].concat(),
    )
}

/// Good lines only, so that accepted heads are not rare.
fn good_lines() -> impl Strategy<Value = String> {
    let line = ("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}", "[ \t]{0,3}", "[ -~\t]{0,60}", "[ \t]{0,2}")
        .prop_map(|(name, before, value, after)| format!("{name}:{before}{value}{after}\r\n"));
    prop::collection::vec(line, 0..20).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn all_ways_to_look_agree(bytes in prop::collection::vec(any::<u8>(), 256)) {
        let ways = sys::line_stops_each_way(bytes.first_chunk().expect("256 bytes"));
        prop_assert!(ways.iter().all(|stops| stops == &ways[0]));
    }

    #[test]
    fn requests_are_read_as_httparse_reads_them(
        head in nearly_a_head(&[
            "POST /v1/chat/completions HTTP/1.1\r\n", "GET /a?b HTTP/1.0\r\n", "HEAD / HTTP/1.1\r\n", "get  / HTTP/1.1\r\n",
            "GET / HTTP/1.2\r\n", "GET /\r\n", "GET / HTTP/1.1 \r\n", "GET \u{e9} HTTP/1.1\r\n", "\r\nGET / HTTP/1.1\r\n",
        ]),
    ) {
        fuzzing::request_head(&head);
    }

    #[test]
    fn answers_are_read_as_httparse_reads_them(
        head in nearly_a_head(&[
            "HTTP/1.1 200 OK\r\n", "HTTP/1.0 429\r\n", "HTTP/1.1 204 \r\n", "HTTP/1.1 100 Continue\r\n", "HTTP/1.1  200 OK\r\n",
            "HTTP/1.1 20 OK\r\n", "HTTP/1.1 304 a\tb\r\n", "HTTP/2.0 200 OK\r\n",
        ]),
    ) {
        fuzzing::answer_head(&head);
    }

    #[test]
    fn good_heads_are_accepted(lines in good_lines(), cut in any::<prop::sample::Index>()) {
        let request = format!("GET / HTTP/1.0\r\n{lines}\r\n");
        fuzzing::request_head(request.as_bytes());
        let answer = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
        fuzzing::answer_head(answer.as_bytes());
        let mut reader = FieldLines::new(request.as_bytes(), 100);
        prop_assert_eq!(reader.start_line(), Ok(&b"GET / HTTP/1.0"[..]));
        let count = std::iter::from_fn(|| reader.next_line().ok()).count();
        prop_assert_eq!(count, lines.matches("\r\n").count());
        let part = &request.as_bytes()[..cut.index(request.len())];
        prop_assert!(!matches!(crate::data_plane::downstream::http1::parse::parse_head(part), Ok(Some(_))));
    }
}
