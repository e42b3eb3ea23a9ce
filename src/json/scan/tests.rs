//! The scanner against examples, against serde_json, and against itself in pieces.

use super::*;
use proptest::prelude::*;

static MEMBERS: Members = Members::strict(&["model", "stream", "messages"]);
static LAST_WINS: Members = Members::last_wins(&["model", "stream", "messages"]);

/// Scans whole, then in pieces of every small size, and insists that all agree.
fn scan_every_way(members: &'static Members, text: &[u8]) -> Result<Scan, ScanError> {
    let whole = scan(members, text);
    for piece in [1, 2, 3, 5, 7, 16, 61] {
        assert_eq!(whole, in_pieces(members, text, &[piece]), "pieces of {piece} bytes");
    }
    // With the vectors of other processors too.
    for (name, taken, scanner) in crate::sys::scan_each_way(&Scanner::new(members), text) {
        match whole {
            Ok(whole) => assert_eq!((taken, scanner.scan), (Ok(()), whole), "{name}"),
            // An end that comes too early is no fault yet.
            Err(_) if std::str::from_utf8(text).is_ok() && taken.is_err() => {
                assert_eq!(taken.unwrap_err(), whole.unwrap_err(), "{name}");
            }
            Err(error) if taken.is_ok() => {
                assert!(scanner.state != State::End || error.kind == ScanErrorKind::Utf8, "{name}")
            }
            Err(_) => {}
        }
    }
    whole
}

/// Scans pieces whose sizes repeat as given.
fn in_pieces(members: &'static Members, text: &[u8], sizes: &[usize]) -> Result<Scan, ScanError> {
    let mut scanner = Scanner::new(members);
    let mut end = 0;
    for &size in sizes.iter().cycle() {
        end = text.len().min(end + size);
        scanner.advance(&text[..end])?;
        if end == text.len() {
            break;
        }
    }
    scanner.finish(text).copied()
}

fn found(text: &str, id: usize) -> Option<(&str, Kind)> {
    let scan = scan_every_way(&MEMBERS, text.as_bytes()).unwrap();
    scan.member(id).map(|member| (&text[member.value.range()], member.kind))
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>, at: usize, kind: ScanErrorKind) {
    assert_eq!(scan_every_way(&MEMBERS, text.as_ref()), Err(ScanError { at, kind }));
}

#[test]
fn finds_members_of_the_root_only() {
    let text = r#" {"a":{"model":"inner"} , "model" : "outer","x":[{"stream":true}],"messages":[ ] } "#;
    assert_eq!(found(text, 0), Some((r#""outer""#, Kind::String)));
    assert_eq!(found(text, 1), None);
    assert_eq!(found(text, 2), Some(("[ ]", Kind::Array)));
    let scan = scan(&MEMBERS, text.as_bytes()).unwrap();
    assert_eq!(scan.member_count, 4);
    assert_eq!(scan.root.of(text.as_bytes()), text.trim().as_bytes());
    assert_eq!(scan.member(0).unwrap().key.of(text.as_bytes()), br#""model""#);
}

#[test]
fn tells_kinds_apart() {
    for (value, kind) in [
        (r#""s""#, Kind::String),
        ("-1.5e+3", Kind::Number),
        ("0", Kind::Number),
        (r#"{"a":{}}"#, Kind::Object),
        ("[[]]", Kind::Array),
        ("true", Kind::True),
        ("false", Kind::False),
        ("null", Kind::Null),
    ] {
        assert_eq!(found(&format!(r#"{{"stream":{value}}}"#), 1), Some((value, kind)));
        assert_eq!(found(&format!("{{\"stream\" :\t{value}\n, \"z\":0}}"), 1), Some((value, kind)));
    }
}

#[test]
fn an_empty_object_is_empty() {
    for text in ["{}", " { } "] {
        assert!(scan_every_way(&MEMBERS, text.as_bytes()).unwrap().is_empty());
    }
    assert!(!scan(&MEMBERS, br#"{"x":0}"#).unwrap().is_empty());
}

#[test]
fn an_escaped_name_is_the_name() {
    assert_eq!(found(r#"{"mo\u0064el":1}"#, 0), Some(("1", Kind::Number)));
    assert_eq!(found(r#"{"\u006D\u006f\u0064\u0065\u006c":1}"#, 0), Some(("1", Kind::Number)));
    assert_eq!(found(r#"{"mo\\u0064el":1,"\ud800model":2}"#, 0), None);
}

#[test]
fn duplicates_of_interest_are_refused_in_every_spelling() {
    refused(r#"{"model":1,"model":2}"#, 11, ScanErrorKind::DuplicateMember("model"));
    refused(r#"{"model":1,"mo\u0064el":2}"#, 11, ScanErrorKind::DuplicateMember("model"));
    refused(r#"{"model":1,"Model":2}"#, 11, ScanErrorKind::CaseVariant("model"));
    refused(r#"{"STREAM":1}"#, 1, ScanErrorKind::CaseVariant("stream"));
    refused("{\"\u{17F}tream\":1}", 1, ScanErrorKind::CaseVariant("stream"));
    refused(r#"{"\u017ftream":1}"#, 1, ScanErrorKind::CaseVariant("stream"));
    assert!(scan_every_way(&MEMBERS, br#"{"x":1,"x":2,"a":{"model":1,"model":2}}"#).is_ok());
    assert!(scan_every_way(&MEMBERS, "{\"\u{17F}tream2\":1,\"m\u{f6}del\":1}".as_bytes()).is_ok());
}

#[test]
fn the_last_of_several_wins_where_asked() {
    let scan = scan_every_way(&LAST_WINS, br#"{"model":1,"model":"2","Model":3}"#).unwrap();
    assert_eq!(scan.member(0).unwrap().kind, Kind::String);
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert!(scan_every_way(&MEMBERS, nested(JSON_DEPTH_MAX).as_bytes()).is_ok());
    refused(nested(JSON_DEPTH_MAX + 1), 4 + JSON_DEPTH_MAX, ScanErrorKind::TooDeep);
}

#[test]
fn the_root_may_not_have_too_many_members() {
    let members = |count: u32| {
        let list: Vec<String> = (0..count).map(|number| format!("\"{number:04}\":0")).collect();
        format!("{{{}}}", list.join(","))
    };
    assert!(scan(&MEMBERS, members(MEMBERS_MAX).as_bytes()).is_ok());
    let at = 1 + 9 * MEMBERS_MAX as usize;
    refused(members(MEMBERS_MAX + 1), at, ScanErrorKind::TooManyMembers);
    // Further inside they only cost time, which is bounded by the body's length.
    assert!(scan(&MEMBERS, format!("{{\"a\":{}}}", members(5000)).as_bytes()).is_ok());
}

#[test]
fn faults_are_reported_where_they_are() {
    use ScanErrorKind::*;
    refused("", 0, EndOfText);
    refused("  ", 2, EndOfText);
    refused("[]", 0, NotAnObject);
    refused(" 7", 1, NotAnObject);
    refused("\u{feff}{}", 0, ByteOrderMark);
    refused("{}{", 2, TrailingBytes);
    refused("{}\0", 2, TrailingBytes);
    refused("{", 1, EndOfText);
    refused("{,", 1, Expected("a member name or '}'"));
    refused(r#"{"a":1,}"#, 7, Expected("a member name"));
    refused(r#"{"a" 1}"#, 5, Expected("':'"));
    refused(r#"{"a":}"#, 5, Expected("a value"));
    refused(r#"{"a":1 "b":2}"#, 7, Expected("',' or '}'"));
    refused(r#"{"a":[1}"#, 7, Expected("',' or ']'"));
    refused(r#"{"a":[1,]}"#, 8, Expected("a value"));
    refused(r#"{"a":'x'}"#, 5, Expected("a value"));
    refused(r#"{"a":NaN}"#, 5, Literal);
    refused(r#"{"a":-Infinity}"#, 6, Number);
    refused(r#"{"a":tru}"#, 5, Literal);
    refused(r#"{"a":nul"#, 8, EndOfText);
    refused(r#"{"a":01}"#, 6, Number);
    refused(r#"{"a":1.}"#, 7, Number);
    refused(r#"{"a":.5}"#, 5, Expected("a value"));
    refused(r#"{"a":1e}"#, 7, Number);
    refused(r#"{"a":+1}"#, 5, Expected("a value"));
    refused(r#"{"a":0x10}"#, 6, Expected("',' or '}'"));
    refused("{\"a\":\"x\ny\"}", 7, ControlCharacter);
    refused("{\"a\u{0}\":1}", 3, ControlCharacter);
    refused(r#"{"a":"\x41"}"#, 6, Escape);
    refused(r#"{"a":"\u12g4"}"#, 6, Escape);
    refused(r#"{"a":"\u12"#, 10, EndOfText);
    refused(r#"{"a":"\u1z"#, 6, Escape);
    refused(b"{\"a\":\"\xff\"}", 6, Utf8);
    refused(b"{\"a\":\"\xe2\x82\"}", 6, Utf8);
    refused(b"{\"a\":\"\xe2\x82", 6, Utf8);
    refused(b"{\"a\":\"\xed\xa0\x80\"}", 6, Utf8);
    refused(b"{\"a\":\"\xc0\xaf\"}", 6, Utf8);
    refused("{\"a\":1\u{a0}}", 6, Expected("',' or '}'"));
}

#[test]
fn what_the_grammar_permits_passes() {
    for value in ["1e400", "-0", "-0.0e-0", r#""\ud800""#, r#""\udc00\ud800""#, r#""\u0000""#, "\"\u{7f}\u{10ffff}\""] {
        assert!(scan_every_way(&MEMBERS, format!("{{\"a\":{value}}}").as_bytes()).is_ok(), "{value}");
    }
}

#[test]
fn digits_end_at_any_other_byte() {
    for other in (0..=255u8).filter(|byte| !byte.is_ascii_digit()) {
        for length in 0..20 {
            let mut text = b"01234567890123456789"[..length].to_vec();
            text.push(other);
            text.extend_from_slice(b"0123456789");
            assert_eq!(digits_end(&text, 0), length, "before {other:#x}");
            assert_eq!(digits_end(&text[..length], 0), length);
        }
    }
}

#[test]
fn a_text_says_when_it_is_complete() {
    let mut scanner = Scanner::new(&MEMBERS);
    assert_eq!(scanner.advance(b"{\"a\":1"), Ok(Progress::More));
    assert_eq!(scanner.advance(b"{\"a\":12}"), Ok(Progress::Complete));
    assert_eq!(scanner.advance(b"{\"a\":12} \n"), Ok(Progress::Complete));
    assert_eq!(scanner.finish(b"{\"a\":12} \n").map(|scan| scan.root), Ok(Span::new(0, 8)));
}

/// Does serde_json read it as one object within our bounds?
fn serde_accepts(text: &[u8]) -> bool {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| {
        let ignored = serde_json::from_str::<serde::de::IgnoredAny>(text);
        ignored.ok().filter(|_| text.trim_start().starts_with('{'))
    });
    parsed.is_some()
}

/// Strings as literals.
fn string() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        "[ -~]{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        "\\PC{0,40}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        r#"(\\n|\\u[0-9a-fA-F]{4}|[a-z ]{1,9}|\\"|é|😀){0,30}"#.prop_map(|text| format!("\"{text}\"")),
        "[a-zA-Z0-9+/]{50,200}".prop_map(|text| format!("\"{text}\"")),
    ]
}

fn name() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        3 => string(),
        1 => Just(r#""model""#.to_owned()),
        1 => Just(r#""stream""#.to_owned()),
        1 => Just(r#""mo\u0064el""#.to_owned()),
    ]
}

/// White space now and then.
fn space() -> impl Strategy<Value = String> + Clone {
    "[ \n\t\r]{0,2}"
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (prop::collection::vec((name(), value), 0..6), space()).prop_map(|(members, space)| {
        let members: Vec<String> =
            members.into_iter().map(|(name, value)| format!("{name}{space}:{space}{value}")).collect();
        format!("{{{space}{}{space}}}", members.join(&format!(",{space}")))
    })
}

/// Objects of some depth, written with white space and escapes here and there.
fn json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        3 => string(),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| format!("{number:e}")),
        1 => prop_oneof![Just("true"), Just("false"), Just("null"), Just("-0"), Just("1E400")].prop_map(str::to_owned),
    ];
    object(scalar.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..6), space())
                .prop_map(|(list, space)| format!("[{space}{}{space}]", list.join(&format!("{space},")))),
            object(inner),
        ]
    }))
}

/// What may stand in a string, and what may not, at every place around the ends of blocks and in front of the quote.
#[test]
fn strings_are_validated_at_every_place_of_a_block() {
    let odd: [&[u8]; 24] = [
        b"\\n",
        b"\\\"",
        b"\\\\",
        b"\\\\\\n",
        b"\\/\\b\\f\\r\\t",
        b"\\u00e9",
        b"\\ud83d\\uDE00",
        "\u{e9}".as_bytes(),
        "\u{4f60}".as_bytes(),
        "\u{1f600}".as_bytes(),
        "\u{4f60}\u{597d}\u{e9}\u{1f600}\u{10ffff}".as_bytes(),
        b"\x7f",
        b"\\x",
        b"\\u00g0",
        b"\\u12",
        b"\\\\\\x",
        b"\n",
        b"\0",
        b"\\\n",
        b"\xc3",
        b"\xe4\xbd",
        b"\xed\xa0\x80",
        b"\\\xc3\xa9",
        b"\x80",
    ];
    for odd in odd {
        for before in (0..5).chain(50..80).chain(115..140) {
            for after in [0, 1, 3, 70] {
                for (open, close) in [(&b"{\"a\":\""[..], &b"\"}"[..]), (b"{\"", b"\":1}")] {
                    let text = [open, &vec![b'a'; before], odd, &vec![b'a'; after], close].concat();
                    let whole = scan(&LAST_WINS, &text);
                    assert_eq!(whole.is_ok(), serde_accepts(&text), "{}", text.escape_ascii());
                    for (name, taken, scanner) in crate::sys::scan_each_way(&Scanner::new(&LAST_WINS), &text) {
                        assert_eq!((name, taken.is_ok() && scanner.state == State::End), (name, whole.is_ok()));
                    }
                    for cut in open.len() + before..text.len() - after {
                        assert_eq!(in_pieces(&LAST_WINS, &text, &[cut, text.len()]), whole, "{}", text.escape_ascii());
                    }
                }
            }
        }
    }
}

/// Members of all kinds, moved through the windows that they are looked at in; and texts that end at each of their bytes.
#[test]
fn rows_are_taken_at_every_place_of_a_window() {
    let values =
        [r#"{"a": "b", "c":[1,-2.5,"x",null,{}],"\n":{"d":[]}}"#, "false", r#"[[],["é",12345678901,true],0, 1]"#];
    let [model, stream, messages] = values;
    let rows = format!(r#""model": {model},"k":1234,"stream":{stream}, "messages":{messages},"l":12345"#);
    for before in 0..150 {
        let long = "a".repeat(before);
        for text in [format!(r#"{{"p":"{long}",{rows}}}"#), format!(r#"{{"p{long}":null,{rows}}}"#)] {
            let scan = scan_every_way(&MEMBERS, text.as_bytes()).unwrap();
            for (id, value) in values.into_iter().enumerate() {
                assert_eq!(scan.member(id).map(|member| &text[member.value.range()]), Some(value), "{text}");
            }
            for end in text.len() - rows.len()..text.len() {
                for (name, taken, scanner) in
                    crate::sys::scan_each_way(&Scanner::new(&MEMBERS), &text.as_bytes()[..end])
                {
                    assert_eq!(
                        (name, taken, scanner.state == State::End),
                        (name, Ok(()), false),
                        "{end} bytes of {text}"
                    );
                }
            }
        }
    }
}

#[test]
fn runs_of_backslashes_cross_blocks() {
    for before in 50..70 {
        for backslashes in 0..150 {
            for end in ["", "\"", "n\"", "\"\"", "x\""] {
                let text = format!("{{\"a\":\"{}{}{end}}}", "a".repeat(before), "\\".repeat(backslashes));
                let whole = scan_every_way(&MEMBERS, text.as_bytes());
                assert_eq!(whole.is_ok(), serde_accepts(text.as_bytes()), "{text}");
            }
        }
    }
}

/// Text in which nearly all is out of the ordinary.
fn odd_text() -> impl Strategy<Value = String> {
    let odd = r#"(\\\\|\\"|\\n|\\r|\\u00[eE]9|[a-z ]{1,40}|\u{e9}|\u{4f60}\u{597d}|\u{1f600}|\u{4f60}{30}|"){0,40}"#;
    odd.prop_map(|text| format!("{{\"a\":\"{text}\",\"model\":[\"{text}\"]}}"))
}

proptest! {
    #[test]
    fn agrees_with_serde_on_odd_strings(
        text in odd_text(), at in any::<prop::sample::Index>(), byte in any::<u8>(), sizes in prop::collection::vec(1usize..200, 1..8),
    ) {
        let mut text = text.into_bytes();
        for _ in 0..2 {
            let whole = scan_every_way(&LAST_WINS, &text);
            prop_assert_eq!(whole.is_ok(), serde_accepts(&text));
            prop_assert_eq!(in_pieces(&LAST_WINS, &text, &sizes), whole);
            let at = at.index(text.len());
            text[at] = byte;
        }
    }

    #[test]
    fn agrees_with_serde_on_what_is_json(text in json()) {
        prop_assert_eq!(scan_every_way(&LAST_WINS, text.as_bytes()).is_ok(), serde_accepts(text.as_bytes()));
    }

    #[test]
    fn agrees_with_serde_on_damaged_json(
        text in json(), at in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..4,
    ) {
        let mut text = text.into_bytes();
        let at = at.index(text.len());
        match how {
            0 => text[at] = byte,
            1 => text.insert(at, byte),
            2 => { text.remove(at); }
            _ => text.truncate(at),
        }
        prop_assert_eq!(scan_every_way(&LAST_WINS, &text).is_ok(), serde_accepts(&text));
    }

    #[test]
    fn agrees_with_serde_on_noise(text in r#"[\[\]{}":,0-9eE.+ tfn\\u-]{0,40}"#) {
        let text = format!("{{{text}");
        prop_assert_eq!(scan_every_way(&LAST_WINS, text.as_bytes()).is_ok(), serde_accepts(text.as_bytes()));
    }

    #[test]
    fn any_cut_gives_the_same(text in json(), sizes in prop::collection::vec(1usize..40, 1..8)) {
        let whole = scan(&MEMBERS, text.as_bytes());
        prop_assert_eq!(in_pieces(&MEMBERS, text.as_bytes(), &sizes), whole);
    }

    #[test]
    fn finds_what_serde_finds(text in json()) {
        let Ok(scan) = scan(&LAST_WINS, text.as_bytes()) else { return Ok(()) };
        // Lone surrogates and numbers out of range are no fault here, but serde's tree cannot hold them.
        let Ok(serde_json::Value::Object(tree)) = serde_json::from_str(&text) else { return Ok(()) };
        for (id, name) in ["model", "stream"].into_iter().enumerate() {
            let here = scan.member(id).map(|member| {
                serde_json::from_slice::<serde_json::Value>(member.value.of(text.as_bytes())).unwrap()
            });
            prop_assert_eq!(here.as_ref(), tree.get(name));
        }
    }
}
