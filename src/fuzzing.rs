//! What the fuzz targets do with their input: feed one entrance of the gateway and check what must always hold.
//!
//! The bodies live here so that the corpora run as ordinary tests too (`tests/fuzz_corpora.rs`). A new target is a function and a
//! line in [`TARGETS`], a file of three lines in `fuzz/fuzz_targets`, a `[[bin]]` in `fuzz/Cargo.toml`, and a folder of examples in
//! `fuzz/corpus`. The functions panic when something that must hold does not: that is how a fuzzer is told.

use crate::data_plane::chunked::ChunkedDecoder;
use crate::data_plane::field_lines::{FieldLines, Stop, begins_with, is_named};
use crate::data_plane::{downstream, upstream};
use crate::dialects::anthropic_messages as anthropic;
use crate::dialects::anthropic_messages::elsewhere::{Asked, Elsewhere, Says};
use crate::dialects::bedrock_converse::{
    self,
    event_stream::{self, FrameError},
};
use crate::dialects::canonical::{self, Facts, ModelTraits, Notes};
use crate::dialects::multipart::{ModelFinder, MultipartError};
use crate::dialects::openai_chat;
use crate::dialects::openai_chat::answer::Answer;
use crate::dialects::openai_chat::pass_through::Verdict;
use crate::dialects::openai_chat::request::{self, RequestKind, RequestView};
use crate::dialects::openai_chat::stream;
use crate::dialects::openai_chat::variant::{CallIds, SchemaWay, ThoughtsBack, Variant};
use crate::dialects::{cohere_chat, ollama, openai_responses, text_tools, tokenizer::Tokenizer};
use crate::error::Failure;
use crate::json::patch::Patch;
use crate::json::piece::Text;
use crate::json::scan::{self as json_scan, Members, Scan, ScanError, ScanErrorKind, Scanner};
use crate::limits;
use crate::sse::split::Splitter;
use std::fmt::Debug;

mod beside;
mod pairs;

pub use beside::beside;
pub use pairs::{gemini, pairs};

/// A fuzz target: takes any input, panics if an invariant is broken.
pub type Target = fn(&[u8]);

/// All targets by name.
pub static TARGETS: &[(&str, Target)] = &[
    ("answer_head", answer_head),
    ("anthropic_messages", anthropic_messages),
    ("beside", beside),
    ("chat", chat),
    ("chunked", chunked),
    ("config", config),
    ("event_stream", event_stream),
    ("gemini", gemini),
    ("multipart", multipart),
    ("pairs", pairs),
    ("request_head", request_head),
    ("responses", responses),
    ("scan", scan),
    ("sse", sse),
    ("tokens", tokens),
    ("upstreams", upstreams),
];

/// Sizes that inputs are cut into.
const PIECES: [usize; 4] = [1, 2, 7, 64];

static LAST_WINS: Members = Members::last_wins(&["model", "choices"]);

/// A text, and a request if it is one, by each tokenizer: there is a count, and no more tokens than there are bytes and messages.
pub fn tokens(input: &[u8]) {
    let is_object = json_scan::scan(&LAST_WINS, input).is_ok();
    for tokenizer in Tokenizer::ALL {
        if let Ok(text) = std::str::from_utf8(input) {
            let tokens = tokenizer.of_text(text);
            assert!(tokens <= text.len() as u64 && (tokens == 0) == text.is_empty(), "{tokens} of {text:?}");
        }
        if is_object {
            let tokens = tokenizer.of_request(input);
            assert!(tokens <= 4 * input.len() as u64, "{tokens} of {:?}", String::from_utf8_lossy(input));
        }
    }
}

/// A configuration file. Configurations are text, so anything else never reaches the loader.
pub fn config(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        crate::config::fuzz_entry(text);
    }
}

/// A request, an answer and a stream of Anthropic's dialect: what is made of them is well-formed, and the same for any cut.
pub fn anthropic_messages(input: &[u8]) {
    let is_object = |text: &[u8]| json_scan::scan(&LAST_WINS, text).is_ok();
    if is_object(input)
        && let Ok(request) = anthropic::parse::parse(input)
    {
        let traits = canonical::ModelTraits::default();
        let older = canonical::ModelTraits { native_schema: false, effort: false, ..traits };
        for traits in [traits, older] {
            let target = canonical::Target { model: "upstream", traits, drops: true };
            let (mut notes, mut body) = (canonical::Notes::default(), Vec::new());
            let composed = anthropic::compose::compose(&request, &target, &mut notes, &mut body);
            assert!(composed.is_ok() && is_object(&body), "what may be dropped is, and the rest is said");
        }
    }
    let facts = canonical::Facts { id: "1".to_owned(), model: "m".to_owned(), created_s: 0, usage_asked: false };
    let mut whole = anthropic::render::Whole::new(facts.clone());
    if anthropic::read::whole(input, &mut |event| whole.event(&event)).is_ok() {
        let mut answer = Vec::new();
        whole.finish(&mut answer);
        assert!(is_object(&answer));
    }
    let rendered = |piece| {
        let (mut stream, mut out) = (anthropic::render::Stream::new(facts.clone()), Vec::new());
        let (mut reader, mut splitter) = (anthropic::read::Reader::default(), Splitter::new(1 << 16));
        'stream: for piece in input.chunks(piece) {
            let mut feed = splitter.feed(piece);
            while let Ok(Some(event)) = feed.next() {
                let read = reader.frame(event.name, event.data, &mut |event| stream.event(&event, &mut out));
                if read != Ok(canonical::Progress::More) {
                    break 'stream;
                }
            }
        }
        out
    };
    let events = rendered(usize::MAX);
    for piece in PIECES {
        assert_eq!(rendered(piece), events, "pieces of {piece} bytes");
        let (mut pass, mut out) = (anthropic::pass_through::PassThrough::new(), Vec::new());
        for piece in input.chunks(piece) {
            if pass.feed(piece, &mut out) != anthropic::pass_through::Verdict::More {
                break;
            }
        }
    }
    let (mut splitter, mut count) = (Splitter::new(usize::MAX), 0);
    let mut feed = splitter.feed(&events);
    while let Ok(Some(event)) = feed.next() {
        assert!(is_object(event.data), "an event is an object");
        count += event.raw.len();
    }
    assert_eq!(count, events.len());
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

/// A client's request head, with whatever follows it.
pub fn request_head(input: &[u8]) {
    use downstream::http1::parse::parse_head;
    let whole = parse_head(input);
    does_not_depend_on_cuts(input, &whole, |head| head.frame.bytes, parse_head);

    let mut fields = [httparse::EMPTY_HEADER; limits::HEADERS_MAX];
    let mut theirs = httparse::Request::new(&mut fields);
    let taken = theirs.parse(input);
    match whole {
        Ok(Some(ours)) => {
            assert_eq!(taken, Ok(httparse::Status::Complete(ours.frame.bytes)), "accepted, but not by httparse");
            assert_eq!(theirs.version, Some(u8::from(ours.frame.is_http11)));
            assert_eq!(theirs.method == Some("HEAD"), ours.frame.is_head);
            assert_eq!(theirs.path.map(str::as_bytes), Some(ours.head.target.of(input)));
            same_lines(input, theirs.headers);
            let one = |name| last(theirs.headers, name);
            let head = &ours.head;
            assert_eq!(head.host.map(|span| span.of(input)), one("host"));
            assert_eq!(head.authorization.map(|span| span.of(input)), one("authorization"));
            assert_eq!(head.content_type.map(|span| span.of(input)), one("content-type"));
            assert_eq!(head.origin.map(|span| span.of(input)), one("origin"));
            assert_eq!(head.content_length.map(|length| length.to_string()), one("content-length").map(decimal));
            assert_eq!(head.unsized_body, one("transfer-encoding").is_some());
            assert!(head.content_length.is_none() || !head.unsized_body, "one way to find the body's end");
            for name in ["host", "content-length", "transfer-encoding", "authorization", "content-type", "origin"] {
                let times = theirs.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).count();
                assert!(times <= 1, "{name} came {times} times");
            }
        }
        // We wait for the end of a line where httparse looks at each byte.
        Ok(None) => assert!(!matches!(taken, Ok(httparse::Status::Complete(_))), "httparse has all of it"),
        Err(Failure::Http { message: "The request is not well-formed HTTP.", .. }) => {
            assert!(taken.is_err() || has_bare_line_feed(input), "refused as malformed, but not by httparse");
        }
        Err(_) => {}
    }
}

/// An upstream's answer head, with whatever follows it.
pub fn answer_head(input: &[u8]) {
    use upstream::http1::parse::{Body, parse_head};
    let whole = parse_head(input);
    does_not_depend_on_cuts(input, &whole, |head| head.frame.bytes, parse_head);

    let mut fields = [httparse::EMPTY_HEADER; limits::UPSTREAM_HEADERS_MAX];
    let mut theirs = httparse::Response::new(&mut fields);
    let taken = theirs.parse(input);
    match whole {
        Ok(Some(ours)) => {
            assert_eq!(taken, Ok(httparse::Status::Complete(ours.frame.bytes)), "accepted, but not by httparse");
            assert_eq!(theirs.code, Some(ours.head.status));
            same_lines(input, theirs.headers);
            if (100..200).contains(&ours.head.status) {
                assert_eq!(ours.frame.body, Body::Never);
                return;
            }
            let one = |name| last(theirs.headers, name);
            assert_eq!(ours.head.content_length.map(|length| length.to_string()), one("content-length").map(decimal));
            assert_eq!(
                ours.frame.body == Body::Chunked,
                one("transfer-encoding").is_some() && ours.frame.body != Body::Never
            );
            assert_eq!(&ours.head.content_type[..], one("content-type").unwrap_or_default());
            // What goes to the client is a head of its own, in which no value became a line.
            let forward = [b"HTTP/1.1 200\r\n", &ours.head.forward[..], b"\r\n"].concat();
            let again = parse_head(&forward).expect("well-formed").expect("whole");
            assert_eq!(again.frame.bytes, forward.len());
            assert!(lines_of(&forward).len() <= theirs.headers.len());
        }
        Ok(None) => assert!(!matches!(taken, Ok(httparse::Status::Complete(_))), "httparse has all of it"),
        Err(_) => {}
    }
}

/// What stands after a head is not looked at; a part of a good one is partial, a part of a bad one is partial or bad in the same way.
fn does_not_depend_on_cuts<H: PartialEq + Debug, E: PartialEq + Debug>(
    input: &[u8],
    whole: &Result<Option<H>, E>,
    bytes: fn(&H) -> usize,
    parse: fn(&[u8]) -> Result<Option<H>, E>,
) {
    let taken = whole.as_ref().ok().and_then(Option::as_ref).map(bytes);
    let end = taken.unwrap_or(input.len());
    assert!(end <= input.len());
    // Each cut of what is short, and some of what is long.
    for cut in (0..end).step_by(1 + end / 1_000) {
        match parse(&input[..cut]) {
            Ok(None) => {}
            part => assert_eq!(&part, whole, "cut to {cut} bytes"),
        }
    }
    if taken.is_some() {
        assert_eq!(&parse(&input[..end]), whole, "without what follows");
        assert_eq!(&parse(&[&input[..end], &[0xff; 300]].concat()), whole, "with something else after it");
    }
}

/// The names and values of a head that was accepted.
fn lines_of(head: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut lines = FieldLines::new(head, usize::MAX);
    let mut found = Vec::new();
    lines.start_line().expect("accepted before");
    loop {
        match lines.next_line() {
            Ok(line) => {
                assert_eq!(&head[line.value_at()], line.value());
                found.push((line.name(), line.value()));
            }
            Err(Stop::End) => return found,
            Err(stop) => panic!("accepted before, now {stop:?}"),
        }
    }
}

fn same_lines(head: &[u8], theirs: &[httparse::Header<'_>]) {
    let ours = lines_of(head);
    let theirs: Vec<_> = theirs.iter().map(|field| (field.name.as_bytes(), field.value)).collect();
    assert_eq!(ours, theirs);
    for (name, _) in ours {
        assert_eq!(is_named(name, b"host"), name.eq_ignore_ascii_case(b"host"));
        assert_eq!(is_named(name, b"content-length"), name.eq_ignore_ascii_case(b"content-length"));
        assert_eq!(is_named(name, b"transfer-encoding"), name.eq_ignore_ascii_case(b"transfer-encoding"));
        assert_eq!(begins_with(name, b"openai-"), name.len() >= 7 && name[..7].eq_ignore_ascii_case(b"openai-"));
    }
}

fn last<'a>(fields: &[httparse::Header<'a>], name: &str) -> Option<&'a [u8]> {
    fields.iter().rfind(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

/// Digits without zeros before them.
fn decimal(digits: &[u8]) -> String {
    let text = String::from_utf8_lossy(digits).trim_start_matches('0').to_owned();
    if text.is_empty() { "0".to_owned() } else { text }
}

fn has_bare_line_feed(input: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', input).any(|at| at == 0 || input[at - 1] != b'\r')
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

/// A request, an answer and a chunk of chat completions, on their way through the canonical form.
pub fn chat(input: &[u8]) {
    if json_scan::scan(&LAST_WINS, input).is_ok()
        && let Ok(request) = openai_chat::parse::parse(input)
    {
        let narrow = Variant {
            schema: SchemaWay::Instructed,
            schema_ids: false,
            call_ids: CallIds::Nine,
            plain_content: true,
            thoughts: ThoughtsBack::WithCalls(" "),
            ..Variant::USUAL
        };
        for chat in [Variant::OPENAI, Variant::USUAL, narrow] {
            let target =
                canonical::Target { model: "m", traits: ModelTraits { chat, ..ModelTraits::default() }, drops: true };
            let (mut notes, mut out) = (Notes::default(), Vec::new());
            openai_chat::compose::compose(&request, &target, &mut notes, &mut out).expect("everything may be dropped");
            match json_scan::scan(&LAST_WINS, &out) {
                Ok(_) => assert!(openai_chat::parse::parse(&out).is_ok(), "what is composed is a request"),
                // Functions of before there were tools stand one level deeper now.
                Err(error) => assert_eq!(error.kind, ScanErrorKind::TooDeep),
            }
        }
    }
    let facts = || Facts { id: "r".to_owned(), model: "m".to_owned(), created_s: 0, usage_asked: true };
    let (mut stream, mut chunks) = (openai_chat::render::Stream::new(facts()), Vec::new());
    let mut put_together = openai_chat::render::Whole::new(facts());
    let read = openai_chat::read::whole(input, &mut |event| {
        stream.event(&event, &mut chunks);
        put_together.event(&event);
    });
    if read.is_ok() {
        let mut out = Vec::new();
        put_together.finish(&mut out);
        assert!(json_scan::scan(&LAST_WINS, &out).is_ok(), "a rendered answer is well-formed");
        let mut splitter = Splitter::new(limits::SSE_EVENT_BYTES_MAX);
        let mut feed = splitter.feed(&chunks);
        while let Ok(Some(event)) = feed.next() {
            let is_chunk = event.data == b"[DONE]" || json_scan::scan(&LAST_WINS, event.data).is_ok();
            assert!(is_chunk, "a rendered chunk is well-formed");
        }
    }
    let mut reader = openai_chat::read::Reader::default();
    for _ in 0..2 {
        let _ = reader.frame(b"", input, &mut |_| {});
    }
    let _ = reader.end(&mut |_| {});
    openai_chat::classify::classify(500, input);
}

/// A request, an answer and an event of the Responses API, on their way through the canonical form.
pub fn responses(input: &[u8]) {
    // What holds a value nests it deeper than the sender did.
    let is_well_formed = |text: &[u8]| match json_scan::scan(&LAST_WINS, text) {
        Ok(_) => true,
        Err(error) => error.kind == ScanErrorKind::TooDeep,
    };
    let echo = match json_scan::scan(&LAST_WINS, input) {
        Ok(_) => openai_responses::echo::Echo::of(input),
        Err(_) => openai_responses::echo::Echo::default(),
    };
    if json_scan::scan(&LAST_WINS, input).is_ok()
        && let Ok(mut request) = openai_responses::parse::parse(input)
    {
        let target = canonical::Target { model: "m", traits: ModelTraits::default(), drops: true };
        for _ in 0..2 {
            let (mut notes, mut out) = (Notes::default(), Vec::new());
            openai_responses::compose::compose(&request, &target, &mut notes, &mut out)
                .expect("everything may be dropped");
            match json_scan::scan(&LAST_WINS, &out) {
                Ok(_) => assert!(openai_responses::parse::parse(&out).is_ok(), "what is composed is a request"),
                Err(error) => assert_eq!(error.kind, ScanErrorKind::TooDeep),
            }
            text_tools::as_functions(&mut request, &mut notes);
        }
    }
    let facts = || Facts { id: "r".to_owned(), model: "m".to_owned(), created_s: 0, usage_asked: true };
    let mut stream = openai_responses::render::Stream::repeating(facts(), echo.clone());
    let mut put_together = openai_responses::render::Whole::repeating(facts(), echo);
    let mut events = Vec::new();
    let read = openai_responses::read::whole(input, &mut |event| {
        stream.event(&event, &mut events);
        put_together.event(&event);
    });
    if read.is_ok() {
        let mut out = Vec::new();
        put_together.finish(&mut out);
        assert!(is_well_formed(&out), "a rendered answer is well-formed");
        let mut splitter = Splitter::new(limits::SSE_EVENT_BYTES_MAX);
        let mut feed = splitter.feed(&events);
        while let Ok(Some(event)) = feed.next() {
            assert!(is_well_formed(event.data), "a rendered event is well-formed");
        }
    }
    let mut reader = openai_responses::read::Reader::default();
    for _ in 0..2 {
        let _ = reader.frame(b"", input, &mut |_| {});
    }
    let _ = reader.end(&mut |_| {});
    let mut unwrap = text_tools::Unwrap::default();
    for piece in input.chunks(PIECES[2]) {
        let mut out = b"{\"x\":\"".to_vec();
        unwrap.take(&Text::of_raw(piece)).append_escaped(&mut out);
        out.extend_from_slice(b"\"}");
        assert!(is_well_formed(&out), "what is taken out stands in a string");
    }
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

/// An upstream's stream of frames, cut in several ways; also as one of Anthropic's events.
pub fn event_stream(input: &[u8]) {
    let whole = messages(input, usize::MAX);
    let passed = anthropic_frames(input, usize::MAX);
    for piece in PIECES {
        assert_eq!(messages(input, piece), whole, "pieces of {piece} bytes");
        assert_eq!(anthropic_frames(input, piece), passed, "pieces of {piece} bytes");
    }
}

/// What a client of Anthropic's API gets of frames, and how the stream ended.
fn anthropic_frames(stream: &[u8], piece: usize) -> (Vec<u8>, String) {
    let (mut pass, mut out) = (anthropic::elsewhere::frames::PassThrough::default(), Vec::new());
    for piece in stream.chunks(piece) {
        match pass.feed(piece, &mut out) {
            Verdict::More => {}
            verdict => return (out, format!("{verdict:?}")),
        }
    }
    let verdict = pass.end(&mut out);
    (out, format!("{verdict:?}"))
}

/// Payloads, with what the messages are and how many headers they have; how the stream ended.
type SaidInFrames = (Vec<(Vec<u8>, String, usize)>, Result<bool, FrameError>);

fn messages(stream: &[u8], piece: usize) -> SaidInFrames {
    const FRAME_BYTES_MAX: usize = 4096;
    let mut splitter = event_stream::Splitter::new(FRAME_BYTES_MAX);
    let mut messages = Vec::new();
    for piece in stream.chunks(piece) {
        let mut feed = splitter.feed(piece);
        loop {
            match feed.next() {
                Ok(Some(message)) => {
                    assert!(message.payload.len() <= FRAME_BYTES_MAX);
                    let kind = format!("{:?}", message.kind());
                    messages.push((message.payload.to_vec(), kind, message.headers().count()));
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(feed.next(), Err(error), "a stream that failed stays failed");
                    return (messages, Err(error));
                }
            }
        }
    }
    (messages, Ok(splitter.is_between_messages()))
}

/// A client's request and an upstream's answer, for the dialects that only upstreams speak.
pub fn upstreams(input: &[u8]) {
    type Compose = fn(
        &canonical::Request<'_>,
        &canonical::Target<'_>,
        &mut Notes,
        &mut Vec<u8>,
    ) -> Result<canonical::Adapted, canonical::Unsupported>;
    const COMPOSERS: [(&str, Compose); 4] = [
        ("us.anthropic.claude-x", bedrock_converse::compose::compose),
        ("meta.llama-x", bedrock_converse::compose::compose),
        ("m", ollama::compose::compose),
        ("m", cohere_chat::compose::compose),
    ];
    if json_scan::scan(&LAST_WINS, input).is_ok() {
        let requests = [openai_chat::parse::parse(input).ok(), anthropic::parse::parse(input).ok()];
        for request in requests.into_iter().flatten() {
            for (model, compose) in COMPOSERS {
                let target = canonical::Target { model, traits: ModelTraits::default(), drops: true };
                let mut out = Vec::new();
                compose(&request, &target, &mut Notes::default(), &mut out).expect("everything may be dropped");
                let composed = json_scan::scan(&LAST_WINS, &out);
                // What calls take stands some levels deeper now.
                let is_fine = composed.as_ref().map_or_else(|error| error.kind == ScanErrorKind::TooDeep, |_| true);
                assert!(is_fine, "what is composed is well-formed: {composed:?}");
            }
        }
    }
    for whole in [bedrock_converse::read::whole, ollama::read::whole, cohere_chat::read::whole] {
        let mut ended = false;
        let _ = whole(input, &mut |event| {
            assert!(!ended, "nothing follows the end");
            ended = matches!(event, canonical::Event::End);
        });
    }
    let (first, second) = input.split_at(input.len() / 2);
    assert_eq!(json_lines(&[first, second]), json_lines(&[input]), "lines do not depend on where they are cut");
    // A line is the name of an event and its data; Ollama's have no names.
    let (mut converse, mut cohere, mut lines) = (
        bedrock_converse::read::Reader::default(),
        cohere_chat::read::Reader::default(),
        ollama::read::Reader::default(),
    );
    for line in input.split(|byte| *byte == b'\n') {
        let at = line.iter().position(|byte| *byte == b' ').unwrap_or(0);
        let (name, data) = line.split_at(at);
        let _ = converse.frame(name, data, &mut |_| {});
        let _ = cohere.frame(name, data, &mut |_| {});
        let _ = lines.frame(b"", line, &mut |_| {});
    }
    let _ = (converse.end(&mut |_| {}), cohere.end(&mut |_| {}), lines.end(&mut |_| {}));
    if json_scan::scan(&LAST_WINS, input).is_ok() {
        let says = Says { version: None, betas: vec!["a\"b"] };
        for cloud in [Elsewhere::RawPredict, Elsewhere::Invoke] {
            for asked in [Asked::Message { stream: true }, Asked::Count] {
                if let Ok(body) = cloud.body(input, "m", asked, &says) {
                    json_scan::scan(&LAST_WINS, &body).expect("what was an object with few members is one");
                }
            }
        }
    }
    anthropic::elsewhere::classify_raw_predict(400, input);
    bedrock_converse::classify::classify(400, input);
    ollama::classify::classify(500, input);
    cohere_chat::classify::classify(429, input);
}

/// The lines of a stream in these pieces, and what was never ended; `None` if one is too long.
fn json_lines(pieces: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
    let mut splitter = ollama::lines::Splitter::new(1024);
    let mut lines = Vec::new();
    for piece in pieces {
        let mut feed = splitter.feed(piece);
        while let Some(line) = feed.next().ok()? {
            lines.push(line.to_vec());
        }
    }
    lines.extend(splitter.unfinished_line().map(<[u8]>::to_vec));
    Some(lines)
}
