//! Each step of an exchange with real input, for whoever measures them: `instructions.rs` and `stages.rs`.
//!
//! In the order of an exchange: `request-head` (HTTP/1.1, from bytes to what an exchange needs of them), `admit` (route, key, room; `admit-known` on a
//! connection that has shown its key before), `scan-*` (the body; `agent` has many short members, `pieces` are what a socket
//! delivers), `patch` (edits, and the copy that goes upstream), `view` (what is done with a scanned request, patch included), `request`
//! (scan and view, with everything made anew), `multipart-10k` (looks for the model of a form), `plan`; `answer-head`, `answer` (scan, judge, look for
//! missing members), `answer-known` (one that differs from the last in id, time, text and tokens), `judge` (`answer` after the scan),
//! `relay-chunk` (pass on one event of a stream, each of which says something else),
//! `unframe-chunk` (its chunked coding), `chunk` (judge one event by itself), `facts` (the same after the scan), `failure` (write one);
//! `to-*` (a chat request parsed and composed in another dialect), `*-to-openai-*` (what `to-*` made of it, from a client of that dialect),
//! `from-*` (a whole answer of another dialect rendered for a chat client, with the white space of the golden answers; `from-anthropic-compact`
//! without, as Anthropic sends it, `from-anthropic-known` the same where it differs from the last in id, text and tokens), `answer-to-*` (one of
//! OpenAI's for a client of another dialect), `relay-from-*` and `relay-to-*` (one event of a stream, the same ways);
//! `settle` (open and close a settlement), `histogram` (record one value), `log-line`.
//!
//! The allocator is the gateway's. The shard is a real one that does not run: its clock is read, its cells count, its ring takes records. Buffers
//! are kept where a shard keeps them.

use ringway::{
    config::snapshot::Snapshot,
    data_plane::{
        admit,
        chunked::ChunkedDecoder,
        downstream::{self, head::Inbound},
        settle::Settlement,
        shard::{BodyRoom, Current, Shard, ShardParts},
        upstream::{self, answer_head::AnswerHead},
    },
    dialects::{
        endpoints::{self, ApiEndpoint},
        multipart::ModelFinder,
        openai_chat::{
            answer::{self, Answer},
            error::write_body,
            known_answers::KnownAnswers,
            pass_through::{PassThrough, Verdict},
            request::{MEMBERS, RequestKind, RequestView},
            stream::{self, ChunkFacts, classify},
            usage::Usage,
        },
    },
    error::{Failure, Upstream},
    json::{
        patch::Patch,
        scan::{Scan, Scanner, scan},
    },
    node::Node,
    policy::keys::remembered::Remembered,
    routing::plan::{Facts, plan},
    rt::{self, Driver},
    sys,
    telemetry::{
        access_log::{
            self, AccessLogReader, AccessRecord,
            line::{LineFormat, Lines},
        },
        cells::{Series, ShardCells},
    },
};
use std::{cell::RefCell, hint::black_box, rc::Rc, sync::Arc, time::Instant};

use super::{configured, prompts};
use translations::translations;

mod translations;

/// The gateway's, because some steps ask for memory.
#[global_allocator]
static ALLOCATOR: sys::Mimalloc = sys::Mimalloc;

/// Runs `with` for each step, in the order of an exchange.
pub fn for_each(with: impl FnMut(Step)) {
    // Pools have tasks, and tasks a runtime. It never gets to run them.
    rt::run(Driver::Epoll, async { for_each_at_rest(with) }).expect("epoll works everywhere");
}

fn for_each_at_rest(with: impl FnMut(Step)) {
    let at_rest = AtRest::new(configured::snapshot(4));
    let (chat, chat_32k) = (prompts::chat(1_100), prompts::chat(32_000));
    let (chat_100k, chat_1000k) = (prompts::chat(100_000), prompts::chat(1_000_000));
    let (agent, events) = (prompts::agent(100_000), events(PARTS as usize));
    let framed: String =
        events.split_terminator('#').map(|event| format!("{:x}\r\n{event}\r\n", event.len())).collect();
    let framed = framed + "0\r\n\r\n";
    let form_body = format!(
        "--b0undary\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n{}\r\n\
         --b0undary\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b0undary--\r\n",
        prompts::prose(10_000)
    );
    // A body stands after a head.
    let (asked, answered) = ([REQUEST_HEAD.as_bytes(), &chat].concat(), [ANSWER_HEAD, ANSWER].concat());
    let (text, payload) = (ANSWER.as_bytes(), CHUNK.as_bytes());
    let chat_scan: Scan = scan(&MEMBERS, &chat).expect("well-formed");
    let chat_view = RequestView::read(RequestKind::Chat, &chat_scan, &chat).expect("acceptable");
    let parsed = downstream::http1::parse::parse_head(&asked).expect("well-formed").expect("whole");
    let inbound = Inbound {
        head: parsed.head,
        body_start: parsed.frame.bytes,
        bytes: asked.clone(),
        body_complete: true,
        ..Inbound::default()
    };
    let record = settle(&at_rest);
    let cells = ShardCells::default();
    let limited = Failure::Upstream(Upstream::RateLimited { retry_after_ms: Some(2_000) });
    let scanned = |body: &[u8]| {
        black_box(&scan(&MEMBERS, black_box(body)).expect("well-formed"));
    };
    let at_first = [
        step("request-head", || request_head(black_box(&asked))),
        step("admit", admit(&at_rest, &inbound, None)),
        step("admit-known", admit(&at_rest, &inbound, Some(Remembered::default()))),
        step("scan-1k", || scanned(&chat)),
        step("scan-32k", || scanned(&chat_32k)),
        step("scan-100k", || scanned(&chat_100k)),
        step("scan-1000k", || scanned(&chat_1000k)),
        step("scan-agent-100k", || scanned(&agent)),
        step("scan-pieces-100k", || in_pieces(black_box(&chat_100k))),
        step("patch", patch(&chat_view, &chat)),
        step("view", view(&chat)),
        step("request", || request(black_box(&chat))),
        step("multipart-10k", || form(black_box(form_body.as_bytes()))),
        step("plan", || ordered(black_box(&at_rest.current))),
        step("answer-head", || answer_head(black_box(answered.as_bytes()))),
        step("answer", || answer(black_box(text))),
        step("answer-known", known(ANSWER)),
        step("judge", judge(text)),
        Step { parts: PARTS, ..step("relay-chunk", || stream(black_box(events.as_bytes()))) },
        Step { parts: PARTS, ..step("unframe-chunk", || framing(black_box(framed.as_bytes()))) },
        step("chunk", || chunk(black_box(payload))),
        step("facts", facts(payload)),
        step("failure", || {
            let mut out = Vec::with_capacity(1024);
            write_body(black_box(&limited), &mut out);
            black_box(&out);
        }),
    ];
    let at_last = [
        step("settle", || {
            black_box(&settle(black_box(&at_rest)));
        }),
        Step { parts: PARTS, ..step("histogram", histogram(&cells)) },
        step("log-line", line(&at_rest.current.snapshot, record)),
    ];
    at_first.into_iter().chain(translations()).chain(at_last).for_each(with);
}

pub struct Step<'t> {
    pub name: String,
    /// How often a call does what the step is named for.
    pub parts: u32,
    pub run: Box<dyn FnMut() + 't>,
}

fn step<'t>(name: impl Into<String>, run: impl FnMut() + 't) -> Step<'t> {
    Step { name: name.into(), parts: 1, run: Box::new(run) }
}

/// What one socket read delivers at most.
const PIECE_BYTES: usize = 16 * 1024;
/// Events of the stream, and values of the histogram, per call.
const PARTS: u32 = 100;

const ANSWER: &str = concat!(
    r#"{"id":"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012","object":"chat.completion","created":1763683200,"model":"gpt-4o-mini","#,
    r#""choices":[{"index":0,"message":{"role":"assistant","content":"A ring is a way without an end.","refusal":null,"#,
    r#""annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":210,"completion_tokens":9,"#,
    r#""total_tokens":219,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0}},"service_tier":"default"}"#,
);
const CHUNK: &str = concat!(
    r#"{"id":"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012","object":"chat.completion.chunk","created":1763683200,"#,
    r#""model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":" ring"},"logprobs":null,"finish_reason":null}]}"#,
);

const REQUEST_HEAD: &str = concat!(
    "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:4000\r\ncontent-type: application/json\r\naccept: application/json\r\n",
    "user-agent: OpenAI/Python 1.99.0\r\nAuthorization: Bearer rw-bench-0123456789abcdef0123456789abcdef0123456\r\n",
    "content-length: 1120\r\n\r\n",
);
const ANSWER_HEAD: &str = concat!(
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_0123456789abcdef\r\nopenai-processing-ms: 1\r\n",
    "x-ratelimit-remaining-requests: 9999\r\ncontent-length: 515\r\n\r\n",
);

fn request(body: &[u8]) {
    let mut scanner = Scanner::new(&MEMBERS);
    let scan = scanner.finish(body).expect("well-formed");
    let view = RequestView::read(RequestKind::Chat, scan, body).expect("acceptable");
    let mut patch = Patch::new();
    view.patch(body, black_box("gpt-4o-mini-2024-07-18"), true, &mut patch).expect("room");
    let mut out = Vec::new();
    patch.append_to(body, &mut out);
    black_box(&out);
}

fn answer(text: &[u8]) {
    let mut patch = Patch::new();
    let answer = Answer::read(text).expect("well-formed");
    answer.fill_missing(text, &mut patch).expect("room");
    black_box((&answer, patch.is_empty()));
}

fn chunk(payload: &[u8]) {
    black_box(classify(payload).expect("a chunk").has_content());
}

/// What is done with a request once it has been scanned.
fn view(body: &[u8]) -> impl FnMut() {
    let mut scanner = Scanner::new(&MEMBERS);
    scanner.finish(body).expect("well-formed");
    let (mut patch, mut out) = (Patch::new(), Vec::new());
    move || {
        let body = black_box(body);
        // Nothing is left to scan.
        let scan = scanner.finish(body).expect("well-formed");
        let view = RequestView::read(RequestKind::Chat, scan, body).expect("acceptable");
        patch.clear();
        view.patch(body, black_box("gpt-4o-mini-2024-07-18"), true, &mut patch).expect("room");
        out.clear();
        patch.append_to(body, &mut out);
        black_box(&out);
    }
}

/// What is done with an answer once it has been scanned.
fn judge(text: &[u8]) -> impl FnMut() {
    let mut scanner = Scanner::new(&answer::MEMBERS);
    scanner.finish(text).expect("well-formed");
    let mut patch = Patch::new();
    move || {
        let text = black_box(text);
        let answer = Answer::of_scan(scanner.finish(text).expect("well-formed"), text);
        patch.clear();
        answer.fill_missing(text, &mut patch).expect("room");
        black_box((&answer, patch.is_empty()));
    }
}

/// Answers like this one that differ in id, time, text and tokens. About as long.
fn alike(answer: &str) -> Vec<String> {
    let words = ["A ring", "Rings,\\nall of them,", "It", "\\\"Ring\\\"", "A naïve answer"];
    let other = |number: usize| {
        let text = answer.replace("A ring", words[number % words.len()]);
        let text = text.replace("1763683200", &(1_763_683_200 + number).to_string());
        text.replace("AbC", &format!("a{number}C"))
            .replace(":210,", &format!(":{},", 7 * number))
            .replace("219", "2190")
    };
    (0..20).map(other).collect()
}

/// Answers of one deployment, one after the other.
fn known(answer: &str) -> impl FnMut() {
    let texts = alike(answer);
    let mut known_answers = KnownAnswers::default();
    for text in &texts[..2] {
        let scan = scan(&answer::MEMBERS, text.as_bytes()).expect("well-formed");
        known_answers.learn(0, true, &scan, text.as_bytes());
    }
    let mut number = 0;
    move || {
        number = (number + 1) % texts.len();
        black_box(known_answers.recognise(0, true, black_box(texts[number].as_bytes())).expect("alike"));
    }
}

/// What is done with an event once it has been scanned.
fn facts(payload: &[u8]) -> impl FnMut() {
    let mut scanner = Scanner::new(&stream::MEMBERS);
    scanner.finish(payload).expect("well-formed");
    move || {
        let payload = black_box(payload);
        let scan = scanner.finish(payload).expect("well-formed");
        black_box(ChunkFacts::of_scan(scan, payload).has_content());
    }
}

fn stream(events: &[u8]) {
    let mut pass = PassThrough::new(true, true);
    let mut out = Vec::with_capacity(events.len());
    let mut rest = events;
    // Providers send each event by itself.
    while let Some(end) = memchr::memchr(b'#', rest) {
        assert_eq!(pass.feed(&rest[..end], &mut out), Verdict::More);
        rest = &rest[end + 1..];
    }
    black_box(out.len());
}

/// Events that differ in the text and in the padding that hides its length, each followed by `#`.
fn events(count: usize) -> String {
    const WORDS: [&str; 6] = [" ring", " goes", "\\n\\n", " naïve", ".", " \\\"quoted\\\""];
    let event = |number: usize| {
        let chunk = CHUNK.replace(" ring", WORDS[number % WORDS.len()]);
        let chunk = chunk.strip_suffix('}').unwrap_or_default();
        format!("data: {chunk},\"obfuscation\":\"{}\"}}\n\n#", &"a1B2c3D4e5F6"[..1 + number % 12])
    };
    (0..count).map(event).collect()
}

fn request_head(bytes: &[u8]) {
    black_box(&downstream::http1::parse::parse_head(bytes).expect("well-formed").expect("whole"));
}

fn answer_head(bytes: &[u8]) {
    let mut head = AnswerHead::default();
    black_box(upstream::http1::parse::read_head(bytes, &mut head).expect("well-formed").expect("whole"));
    black_box(&head);
}

/// As it arrives over a socket.
fn in_pieces(body: &[u8]) {
    let mut scanner = Scanner::new(&MEMBERS);
    for end in (PIECE_BYTES..body.len()).step_by(PIECE_BYTES) {
        black_box(scanner.advance(&body[..end]).expect("well-formed"));
    }
    black_box(scanner.finish(body).expect("well-formed").member_count);
}

/// The edits of a request that has been viewed, and the copy that goes upstream.
fn patch<'t>(view: &'t RequestView<'_>, body: &'t [u8]) -> impl FnMut() + 't {
    let (mut patch, mut out) = (Patch::new(), Vec::new());
    move || {
        patch.clear();
        out.clear();
        black_box(view).patch(body, black_box("gpt-4o-mini-2024-07-18"), true, &mut patch).expect("room");
        patch.append_to(body, &mut out);
        black_box(&out);
    }
}

/// A body in the chunked coding, one event in each chunk.
fn framing(body: &[u8]) {
    let mut decoder = ChunkedDecoder::default();
    let mut rest = body;
    while !rest.is_empty() {
        let taken = decoder.step(rest).expect("well-formed");
        black_box(&taken.data);
        rest = &rest[taken.consumed..];
    }
    assert!(decoder.is_done());
}

/// An upload whose `model` comes after its file, as SDKs send it.
fn form(body: &[u8]) {
    let mut finder = ModelFinder::new(b"multipart/form-data; boundary=b0undary").expect("a boundary");
    for piece in body.chunks(PIECE_BYTES) {
        finder.feed(piece).expect("well-formed");
    }
    black_box(finder.model().expect("it is there"));
}

/// From a parsed head to a body that may be read: route, key, room. `connection` is what is remembered of the client's.
fn admit<'t>(at_rest: &'t AtRest, inbound: &'t Inbound, mut connection: Option<Remembered>) -> impl FnMut() + 't {
    let AtRest { shard, current, .. } = at_rest;
    let mut settlement = Settlement::open(shard, current);
    move || {
        let inbound = black_box(inbound);
        let route = endpoints::route(inbound.head.method.as_str(), inbound.path());
        admit::authenticate(current, inbound, connection.as_mut(), &mut settlement).expect("a known key");
        let mut room = BodyRoom::none(shard);
        admit::open_json(inbound, current, &mut room).expect("a small body");
        black_box((&route, settlement.record.key));
    }
}

/// From the model's name to the deployments to try, none of which is parked.
fn ordered(current: &Current) {
    let facts = Facts { same_model_only: false, account: None };
    let parked = |index: u32| current.standing.get(index as usize)?.parked(black_box(1));
    let resolved = current.snapshot.resolve(black_box("chat")).expect("configured");
    black_box(plan(&current.snapshot, resolved.group, facts, parked).expect("a candidate"));
}

/// Opens an exchange's settlement and closes it: cells, histograms, and the record into its ring, out of which it is taken at once.
fn settle(at_rest: &AtRest) -> AccessRecord {
    let usage = Usage { prompt: Some(210), completion: Some(9), total: Some(219), ..Usage::default() };
    let AtRest { shard, current, log } = at_rest;
    let mut settlement = Settlement::open(shard, current);
    settlement.record.endpoint = ApiEndpoint::ChatCompletions;
    settlement.record.status = 200;
    settlement.record.attempts = 1;
    (settlement.record.key, settlement.record.group, settlement.record.deployment) = (0, 0, 0);
    settlement.sent_us = Some(settlement.received_us);
    settlement.answered_us = Some(settlement.received_us);
    settlement.replies_whole = true;
    settlement.used(&black_box(&usage).disjoint());
    drop(settlement);
    log.borrow_mut().pop().expect("a record of this exchange")
}

/// Values from microseconds to minutes, so that no one bucket stays in a register.
fn histogram(cells: &ShardCells) -> impl FnMut() {
    let mut value_us = 1_u64;
    move || {
        for _ in 0..PARTS {
            value_us = (value_us * 5) % 100_000_007;
            black_box(cells).record(Series::TotalUs, black_box(value_us));
        }
    }
}

/// One line of the access log, as the thread that writes it makes it.
fn line(snapshot: &Snapshot, record: AccessRecord) -> impl FnMut() {
    let mut format = LineFormat::default();
    format.learn(snapshot);
    let mut lines = Lines::default();
    move || {
        lines.clear();
        format.write(&mut lines, black_box(&record));
        black_box(lines.as_bytes());
    }
}

/// A shard that does not run.
struct AtRest {
    shard: Rc<Shard>,
    current: Rc<Current>,
    log: RefCell<AccessLogReader>,
}

impl AtRest {
    /// Needs a runtime.
    fn new(snapshot: Snapshot) -> AtRest {
        let (access_log, reader) = access_log::ring(16);
        let (outbox, inbox) = rt::mailbox(1);
        let parts = ShardParts {
            index: 0,
            node: Arc::new(Node::new(Arc::new(snapshot), 1)),
            driver: Driver::Epoll,
            cpu: None,
            epoch: Instant::now(),
            // 2025-11-21, so that a line of the log has as many digits as one of today.
            epoch_unix_us: 1_763_683_200_000_000,
            listeners: Vec::new(),
            access_log,
            inbox,
            outboxes: vec![outbox],
        };
        let shard = Shard::open(parts).0;
        AtRest { current: shard.current(), shard, log: RefCell::new(reader) }
    }
}
