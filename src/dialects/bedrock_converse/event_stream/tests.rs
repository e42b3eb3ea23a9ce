use super::*;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, fs, path::Path};

/// What botocore reads from a stream; see tests/oracles/aws/frames.py.
#[derive(Deserialize)]
struct Expected {
    messages: Vec<Json>,
    refused: bool,
    /// Of a message that is not finished.
    left_bytes: usize,
}

/// Name, bytes, and what botocore reads.
fn streams() -> Vec<(String, Vec<u8>, Expected)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = fs::read(root.join("tests/oracles/aws/frames.json")).expect("the expectations");
    let expected: BTreeMap<String, Expected> = serde_json::from_slice(&file).expect("JSON");
    let stream = |name: &str| fs::read(root.join(format!("fuzz/corpus/event_stream/{name}.bin"))).expect("a stream");
    expected.into_iter().map(|(name, expected)| (name.clone(), stream(&name), expected)).collect()
}

/// What we read from the pieces, and how it ended.
fn read<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> (Vec<Json>, Result<bool, FrameError>) {
    let mut splitter = Splitter::new(16 * 1024 * 1024);
    let mut messages = Vec::new();
    for piece in pieces {
        let mut feed = splitter.feed(piece);
        loop {
            match feed.next() {
                Ok(Some(message)) => messages.push(as_json(&message)),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(feed.next(), Err(error));
                    assert!(!splitter.is_between_messages());
                    return (messages, Err(error));
                }
            }
        }
    }
    (messages, Ok(splitter.is_between_messages()))
}

fn as_json(message: &Message<'_>) -> Json {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let headers: Vec<_> = message
        .headers()
        .map(|(name, value)| match value {
            Value::Bool(value) => json!([name, "bool", value]),
            Value::Byte(value) => json!([name, "byte", value]),
            Value::Short(value) => json!([name, "short", value]),
            Value::Int(value) => json!([name, "int", value]),
            Value::Long(value) => json!([name, "long", value]),
            Value::Bytes(value) => json!([name, "bytes", hex(value)]),
            Value::Text(value) => json!([name, "text", value]),
            Value::Timestamp(value) => json!([name, "timestamp", value]),
            Value::Uuid(value) => json!([name, "uuid", hex(&value)]),
        })
        .collect();
    json!({ "headers": headers, "payload": str::from_utf8(message.payload).expect("text") })
}

#[test]
fn reads_what_botocore_reads() {
    for (name, stream, expected) in streams() {
        let (messages, ended) = read([&stream[..]]);
        assert_eq!(messages, expected.messages, "{name}");
        match ended {
            Ok(is_whole) => assert_eq!((expected.refused, expected.left_bytes == 0), (false, is_whole), "{name}"),
            Err(error) => assert!(expected.refused, "{name}: {error}"),
        }
    }
}

#[test]
fn any_cut_gives_the_same() {
    for (name, stream, _) in streams() {
        let whole = read([&stream[..]]);
        for cut in 0..=stream.len() {
            assert_eq!(read([&stream[..cut], &stream[cut..]]), whole, "{name} cut at {cut}");
        }
        for size in [1, 2, 3, 11, 12, 13, 100] {
            assert_eq!(read(stream.chunks(size)), whole, "{name} in pieces of {size}");
        }
    }
}

#[test]
fn says_what_is_wrong() {
    let streams: BTreeMap<_, _> = streams().into_iter().map(|(name, stream, _)| (name, stream)).collect();
    let check = |name: &str, error: FrameError| assert_eq!(read([&streams[name][..]]).1, Err(error), "{name}");
    check("damaged_length", FrameError::PreludeChecksum);
    check("damaged_headers_length", FrameError::PreludeChecksum);
    check("damaged_prelude_checksum", FrameError::PreludeChecksum);
    check("damaged_header", FrameError::MessageChecksum);
    check("damaged_payload", FrameError::MessageChecksum);
    check("damaged_checksum", FrameError::MessageChecksum);
    check("server_sent_events", FrameError::PreludeChecksum);
    check("length_beyond_limit", FrameError::TooLong { bytes_max: 16 * 1024 * 1024 });
    check("headers_beyond_limit", FrameError::BadLengths);
    check("header_twice", FrameError::BadHeaders);
    check("header_of_unknown_type", FrameError::BadHeaders);
    check("header_not_utf8", FrameError::BadHeaders);
    check("text_not_utf8", FrameError::BadHeaders);
}

#[test]
fn damage_is_found_before_the_rest_is_waited_for() {
    let streams = streams();
    let (_, stream, _) = streams.iter().find(|(name, ..)| name == "length_beyond_limit").expect("it is there");
    assert!(read([&stream[..12]]).1.is_err());
    assert_eq!(read([&stream[..11]]).1, Ok(false));
}

#[test]
fn tells_kinds_apart() {
    let kinds = |name: &str| {
        let (_, stream, _) = streams().into_iter().find(|(present, ..)| present == name).expect("it is there");
        let mut splitter = Splitter::new(1024 * 1024);
        let mut feed = splitter.feed(&stream);
        let mut kinds = Vec::new();
        while let Some(message) = feed.next().expect("a good stream") {
            kinds.push(format!("{:?}", message.kind()));
        }
        kinds
    };
    assert_eq!(kinds("exception"), ["Event(\"messageStart\")", "Exception(\"throttlingException\")"]);
    assert_eq!(kinds("error"), ["Error { code: \"InternalFailure\", message: \"it broke\" }"]);
    assert_eq!(kinds("every_type"), ["Unknown"; 4]);
    assert_eq!(kinds("converse").last().map(String::as_str), Some("Event(\"metadata\")"));
}

/// A frame with a block of headers as it is.
fn frame(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = |length: usize| (length as u32).to_be_bytes();
    let mut frame = [length(headers.len() + payload.len() + 16), length(headers.len())].concat();
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(headers);
    frame.extend_from_slice(payload);
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame
}

#[test]
fn bounds() {
    // More headers than anyone sends, each well-formed.
    let headers = |count: u8| (0..count).flat_map(|name| [1, b'0' + name, 0]).collect::<Vec<_>>();
    assert_eq!(read([&frame(&headers(64), b"")[..]]).0.len(), 1);
    assert_eq!(read([&frame(&headers(65), b"")[..]]).1, Err(FrameError::BadHeaders));
    // As long as allowed, and one byte longer.
    let (allowed, longer) = (frame(b"", &[b'x'; 84]), frame(b"", &[b'x'; 85]));
    assert!(Splitter::new(100).feed(&allowed).next().expect("allowed").is_some());
    assert_eq!(Splitter::new(100).feed(&longer).next(), Err(FrameError::TooLong { bytes_max: 100 }));
    // A frame without room for its headers, or for itself.
    for (total, headers) in [(20_u32, 5_u32), (15, 0), (0, 0)] {
        let mut prelude = [total.to_be_bytes(), headers.to_be_bytes()].concat();
        prelude.extend(crc32fast::hash(&prelude).to_be_bytes());
        assert_eq!(Splitter::new(100).feed(&prelude).next(), Err(FrameError::BadLengths), "{total} {headers}");
    }
}

proptest! {
    /// Whatever stands where the headers are, nothing is read beyond them, and what is accepted can be read again.
    #[test]
    fn any_headers(block in proptest::collection::vec(any::<u8>(), 0..60), payload in "[a-z]{0,20}") {
        let stream = frame(&block, payload.as_bytes());
        let mut splitter = Splitter::new(1024);
        let mut feed = splitter.feed(&stream);
        if let Ok(message) = feed.next() {
            let message = message.expect("a whole frame");
            prop_assert_eq!(message.payload, payload.as_bytes());
            prop_assert_eq!(message.headers().count() == 0, block.is_empty());
            prop_assert!(feed.next().expect("nothing follows").is_none());
        }
    }

    /// No single bit can be turned unnoticed.
    #[test]
    fn every_bit_counts(headers in 0..4_u8, payload in "[a-z]{0,20}", place in any::<prop::sample::Index>(), bit in 0..8) {
        let block: Vec<u8> = (0..headers).flat_map(|name| [1, b'a' + name, 0]).collect();
        let mut stream = frame(&block, payload.as_bytes());
        let place = place.index(stream.len());
        stream[place] ^= 1_u8 << bit;
        prop_assert!(read([&stream[..]]).1.is_err());
    }
}
