//! What the fuzz targets do with their input: feed one entrance of the gateway and check what must always hold.
//!
//! The bodies live here so that the corpora run as ordinary tests too (`tests/fuzz_corpora.rs`). A new target is a function and a
//! line in [`TARGETS`], a file of three lines in `fuzz/fuzz_targets`, a `[[bin]]` in `fuzz/Cargo.toml`, and a folder of examples in
//! `fuzz/corpus`. The functions panic when something that must hold does not: that is how a fuzzer is told.

use crate::data_plane::chunked::ChunkedDecoder;
use crate::dialects::multipart::{ModelFinder, MultipartError};
use crate::dialects::openai_chat::answer::Answer;
use crate::dialects::openai_chat::request::{self, RequestKind, RequestView};
use crate::dialects::openai_chat::stream;
use crate::json::patch::Patch;
use crate::json::scan::{self as json_scan, Members, Scan, ScanError, ScanErrorKind, Scanner};
use crate::sse::split::Splitter;

/// A fuzz target: takes any input, panics if an invariant is broken.
pub type Target = fn(&[u8]);

/// All targets by name.
pub static TARGETS: &[(&str, Target)] =
    &[("chunked", chunked), ("config", config), ("multipart", multipart), ("scan", scan), ("sse", sse)];

/// Sizes that inputs are cut into.
const PIECES: [usize; 4] = [1, 2, 7, 64];

static LAST_WINS: Members = Members::last_wins(&["model", "choices"]);

/// A configuration file. Configurations are text, so anything else never reaches the loader.
pub fn config(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        crate::config::fuzz_entry(text);
    }
}

/// A body in chunks, from either side.
pub fn chunked(input: &[u8]) {
    let whole = unchunked(input, usize::MAX);
    for piece in PIECES {
        assert_eq!(unchunked(input, piece), whole, "pieces of {piece} bytes");
    }
    if let Some((data, left)) = whole {
        assert!(data.len() + left < input.len(), "framing takes room");
    }
}

/// The data and the number of bytes that follow the body; `None` if it is refused or not at its end.
fn unchunked(input: &[u8], piece: usize) -> Option<(Vec<u8>, usize)> {
    let mut decoder = ChunkedDecoder::default();
    let mut data = Vec::new();
    let mut at = 0;
    for part in input.chunks(piece) {
        let mut rest = part;
        while !rest.is_empty() {
            let step = decoder.step(rest).ok()?;
            data.extend_from_slice(&rest[step.data]);
            at += step.consumed;
            if step.done {
                return Some((data, input.len() - at));
            }
            assert!(step.consumed > 0, "a decoder that is not done takes something");
            rest = &rest[step.consumed..];
        }
    }
    None
}

/// A multipart body. The first line of the input names the boundary.
pub fn multipart(input: &[u8]) {
    let end = memchr::memchr(b'\n', input).unwrap_or(input.len());
    let (boundary, body) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    let content_type = [b"multipart/form-data; boundary=", boundary].concat();
    let whole = model_of(&content_type, body, usize::MAX);
    for piece in PIECES {
        assert_eq!(model_of(&content_type, body, piece), whole, "pieces of {piece} bytes");
    }
    if let Ok(Some(model)) = whole {
        assert!(model.end <= body.len());
    }
}

fn model_of(content_type: &[u8], body: &[u8], piece: usize) -> Result<Option<std::ops::Range<usize>>, MultipartError> {
    let mut finder = ModelFinder::new(content_type)?;
    for part in body.chunks(piece) {
        finder.feed(part)?;
    }
    Ok(finder.model())
}

/// A client's request body, and the same bytes as an answer and as a stream's chunk.
pub fn scan(input: &[u8]) {
    let whole = json_scan::scan(&request::MEMBERS, input);
    for piece in PIECES {
        assert_eq!(scan_in_pieces(input, piece), whole, "pieces of {piece} bytes");
    }
    agrees_with_serde(input);

    // Two members may be inserted, which must not exceed what a scan takes.
    if let Some(scan) = whole.as_ref().ok().filter(|scan| scan.member_count + 2 <= json_scan::MEMBERS_MAX) {
        for kind in [RequestKind::Chat, RequestKind::Completion, RequestKind::Embedding, RequestKind::PassThrough] {
            let Ok(view) = RequestView::read(kind, scan, input) else { continue };
            let mut patch = Patch::new();
            view.patch(input, "upstream", true, &mut patch).expect("a fresh patch has room");
            let patched = applied(&patch, input);
            let scan = json_scan::scan(&request::MEMBERS, &patched).expect("a patched request is well-formed");
            let view = RequestView::read(kind, &scan, &patched).expect("a patched request is acceptable");
            assert_eq!(view.model, "upstream");
        }
    }
    if let Ok(answer) = Answer::read(input) {
        let mut patch = Patch::new();
        answer.fill_missing(input, &mut patch).expect("a fresh patch has room");
        let patched = applied(&patch, input);
        assert!(Answer::read(&patched).is_ok(), "a completed answer is well-formed");
    }
    let _ = stream::classify(input);
}

fn scan_in_pieces(text: &[u8], piece: usize) -> Result<Scan, ScanError> {
    let mut scanner = Scanner::new(&request::MEMBERS);
    for end in (0..text.len()).step_by(piece) {
        scanner.advance(&text[..end])?;
    }
    scanner.finish(text).copied()
}

/// What we accept is JSON to others; what we refuse as malformed is malformed to others.
fn agrees_with_serde(text: &[u8]) {
    use ScanErrorKind::{NotAnObject, TooDeep, TooManyMembers};
    let serde_accepts =
        std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    match json_scan::scan(&LAST_WINS, text).map_err(|error| error.kind) {
        Ok(_) => assert!(serde_accepts, "accepted, but no JSON"),
        Err(NotAnObject | TooDeep | TooManyMembers) => {}
        Err(kind) => assert!(!serde_accepts, "refused as {kind:?}, but JSON"),
    }
}

fn applied(patch: &Patch, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    patch.append_to(text, &mut out);
    assert_eq!(out.len(), patch.patched_bytes(text.len()));
    out
}

/// An upstream's event stream, cut in several ways.
pub fn sse(input: &[u8]) {
    let whole = events(input, usize::MAX);
    for piece in PIECES {
        assert_eq!(events(input, piece), whole, "pieces of {piece} bytes");
    }
}

/// Data and name of an event.
type Said = (Vec<u8>, Vec<u8>);

/// What the events say, and whether the stream was given up for one that is too long.
fn events(stream: &[u8], piece: usize) -> (Vec<Said>, bool) {
    const EVENT_BYTES_MAX: usize = 256;
    let mut splitter = Splitter::new(EVENT_BYTES_MAX);
    let mut events = Vec::new();
    for piece in stream.chunks(piece) {
        let mut feed = splitter.feed(piece);
        loop {
            match feed.next() {
                Ok(Some(event)) => {
                    assert!(event.data.len() <= EVENT_BYTES_MAX);
                    events.push((event.data.to_vec(), event.name.to_vec()));
                }
                Ok(None) => break,
                Err(_) => return (events, true),
            }
        }
    }
    (events, false)
}
