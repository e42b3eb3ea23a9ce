use super::*;
use crate::data_plane::downstream::http1::parse::parse_head;
use proptest::prelude::*;

/// Reads each of `texts` after the one before it, and compares with a reader that has seen none.
#[track_caller]
fn check<T: AsRef<[u8]>>(texts: &[T]) {
    let (mut last, mut head) = (LastHead::default(), RequestHead::default());
    for text in texts.iter().map(AsRef::as_ref) {
        let read = last.read(text, &mut head);
        match parse_head(text) {
            Ok(None) => assert_eq!(read, Ok(None)),
            Ok(Some(whole)) => {
                assert_eq!(read, Ok(Some(whole.frame)));
                assert_eq!(head, whole.head);
            }
            Err(refused) => assert_eq!(read, Err(refused)),
        }
    }
}

const HEAD: &str = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 120\r\nIdempotency-Key: k\r\n\r\n";

/// The head with another length.
fn with_length(length: &str) -> String {
    HEAD.replace("120", length)
}

#[test]
fn the_same_head_is_read_once() {
    let (mut last, mut head) = (LastHead::default(), RequestHead::default());
    let first = last.read(HEAD.as_bytes(), &mut head).unwrap();
    assert!(last.is_again(HEAD.as_bytes(), &mut head));
    assert!(last.is_again(with_length("999").as_bytes(), &mut head));
    assert_eq!((head.content_length, &head.forward[..]), (Some(999), &b"idempotency-key: k\r\n"[..]));
    assert_eq!(last.read(format!("{HEAD}body").as_bytes(), &mut head).unwrap(), first);
    assert_eq!(head.content_length, Some(120));
}

#[test]
fn a_head_that_differs_is_read() {
    check(&[HEAD, &with_length("99"), &with_length("1000"), HEAD]);
    check(&[HEAD, &with_length("12a"), HEAD, &with_length("+12"), &with_length(" 12"), HEAD]);
    check(&[HEAD, &HEAD.replace("k\r", "l\r"), &HEAD.replace("POST", "HEAD"), HEAD]);
    check(&["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: b\r\n\r\n", HEAD]);
}

#[test]
fn what_came_between_is_not_mistaken_for_the_last_head() {
    let half = &HEAD.replace("Host: a", "Origin: b")[..60];
    check(&[HEAD, half, HEAD]);
    check(&[HEAD, "POST / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HEAD]);
    check(&[HEAD, &HEAD[..HEAD.len() - 1], HEAD]);
}

#[test]
fn a_long_head_is_not_kept() {
    let long = HEAD.replace("k\r", &format!("{}\r", "k".repeat(BYTES_MAX)));
    let (mut last, mut head) = (LastHead::default(), RequestHead::default());
    assert!(last.read(long.as_bytes(), &mut head).unwrap().is_some());
    assert_eq!(last.bytes.capacity(), 0);
    check(&[HEAD, &long, HEAD]);
}

proptest! {
    #[test]
    fn the_last_head_changes_nothing(
        edits in prop::collection::vec((0..HEAD.len(), prop_oneof![prop::sample::select(&b"09 \r\n:aA"[..]), any::<u8>()], 0..4u8), 1..12),
    ) {
        let texts = edits.into_iter().map(|(at, byte, kind)| {
            let mut text = HEAD.as_bytes().to_vec();
            match kind {
                0 => text[at] = byte,
                1 => text.truncate(at),
                2 => text.insert(at, byte),
                _ => text.extend_from_slice(b"body"),
            }
            text
        });
        check(&texts.collect::<Vec<_>>());
    }
}
