use super::*;
use crate::load::Dialect;

fn answer() -> Answer {
    Answer::new(Body::new(Dialect::OpenAiChat, false))
}

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n\
    2b\r\ndata: {\"delta\":{\"role\":\"a\",\"content\":\"\"}}\n\n\r\n\
    22\r\ndata: {\"delta\":{\"content\":\"hi\"}}\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";

/// Feeds an answer in pieces of each size and returns the sums of what came.
fn check(text: &str, expected_events: u64, expected_body: u64) {
    for size in 1..=text.len() {
        let mut answer = answer();
        let mut sum = Progress::default();
        for piece in text.as_bytes().chunks(size) {
            let progress = answer.feed(piece).expect("well-formed");
            assert_eq!(progress.consumed, piece.len(), "pieces of {size}");
            sum.brought.events += progress.brought.events;
            sum.brought.first_content |= progress.brought.first_content;
            sum.done |= progress.done;
        }
        assert!(sum.done && answer.body.is_complete(), "pieces of {size}: {answer:?}");
        assert_eq!((sum.brought.events, answer.body.bytes), (expected_events, expected_body), "pieces of {size}");
        assert_eq!(sum.brought.first_content, expected_events > 0);
    }
}

#[test]
fn answers_are_read_in_pieces_of_any_size() {
    check(STREAM, 3, 43 + 34 + 14);
    check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0, 5);
    check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 0, 2);
}

#[test]
fn a_stream_without_its_end_marker_is_not_complete() {
    let text = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9\r\n\r\ndata: x\n\n";
    let mut answer = answer();
    assert!(answer.feed(text.as_bytes()).expect("well-formed").done);
    assert!(!answer.body.is_complete());
}

#[test]
fn what_follows_an_answer_is_left() {
    let mut answer = answer();
    let progress = answer.feed(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\nHTTP").expect("well-formed");
    assert!(progress.done);
    assert_eq!(progress.consumed, 46);
}

#[test]
fn nonsense_is_refused() {
    for text in [
        "HTTQ/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 xyz\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        assert_eq!(answer().feed(text.as_bytes()), Err(Malformed), "{text}");
    }
}
