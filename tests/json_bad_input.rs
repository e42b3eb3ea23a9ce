//! What becomes of malformed and hostile request bodies: the cases in `tests/bad_input/json`, and those too large for a file.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]

use ringway::dialects::openai_chat::request::{MEMBERS, RequestKind, RequestView};
use ringway::json::scan::{Progress, ScanError, Scanner};
use ringway::limits::{BODY_BYTES_MAX, JSON_DEPTH_MAX};
use std::path::Path;

/// What a client would be told about a chat request that arrives in pieces of this size.
fn outcome(body: &[u8], piece_bytes: usize) -> String {
    let mut scanner = Scanner::new(&MEMBERS);
    for end in (0..body.len()).step_by(piece_bytes) {
        if let Err(error) = scanner.advance(&body[..end]) {
            return error.to_string();
        }
    }
    let scan = match scanner.finish(body) {
        Ok(scan) => scan,
        Err(error) => return error.to_string(),
    };
    match RequestView::read(RequestKind::Chat, scan, body) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => format!("{}: {error}", error.param),
    }
}

#[test]
fn cases_end_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_input/json");
    let mut cases = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let body = std::fs::read(&path).unwrap();
        let expected = std::fs::read_to_string(path.with_extension("expected")).unwrap();
        for piece_bytes in [1, 3, 16, usize::MAX] {
            let name = path.file_stem().unwrap().to_string_lossy();
            assert_eq!(outcome(&body, piece_bytes), expected.trim_end(), "{name}, pieces of {piece_bytes} bytes");
        }
        cases += 1;
    }
    assert!(cases >= 45, "{cases} cases found");
}

fn with_messages(messages: &str) -> Vec<u8> {
    format!(r#"{{"model":"m","messages":{messages}}}"#).into_bytes()
}

#[test]
fn nesting_bombs_are_refused_at_the_limit() {
    for bomb in ["[".repeat(100_000), "{\"a\":".repeat(100_000), "[{\"a\":".repeat(50_000)] {
        let expected = format!("nested deeper than {JSON_DEPTH_MAX} levels at byte ");
        assert!(outcome(&with_messages(&bomb), 16 * 1024).starts_with(&expected));
    }
}

#[test]
fn a_million_members_are_refused_in_the_root_and_pass_inside() {
    let members = (0..1_000_000).map(|number| format!("\"k{number}\":0")).collect::<Vec<_>>().join(",");
    let root = format!(r#"{{"model":"m",{members}}}"#);
    assert!(outcome(root.as_bytes(), 16 * 1024).starts_with("an object of more than 1024 members, at byte "));
    assert_eq!(outcome(&with_messages(&format!("[{{{members}}}]")), 16 * 1024), "accepted");
}

#[test]
fn a_body_as_large_as_allowed_is_scanned_in_pieces() {
    let image = "iVBORw0KGgoAAAANSUhEUg+/".repeat(BODY_BYTES_MAX / 24 - 8);
    let body = with_messages(&format!(r#"[{{"role":"user","content":"data:image/png;base64,{image}"}}]"#));
    assert!(body.len() <= BODY_BYTES_MAX && body.len() > BODY_BYTES_MAX - 1024);
    assert_eq!(outcome(&body, 16 * 1024), "accepted");

    let mut scanner = Scanner::new(&MEMBERS);
    let almost = body.len() - 1;
    assert_eq!(scanner.advance(&body[..almost]), Ok(Progress::More));
    assert_eq!(scanner.advance(&body), Ok(Progress::Complete));
    let end: Result<_, ScanError> = scanner.finish(&body).map(|scan| scan.root.end as usize);
    assert_eq!(end, Ok(body.len()));
}
