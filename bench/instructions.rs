//! One step of an exchange repeated, for a counter of instructions to be held to: wall time is too noisy for steps this short.
//!
//! `perf stat -e instructions:u cargo bench --bench instructions -- answer 100000`, less the same with 0, divided by 100,000. The
//! steps are `request` (scan, view, patch the model, copy), `answer` (scan, judge, look for missing members), `chunk` (judge
//! one event of a stream), `stream` (pass on a hundred events, each of which says something else), `request-head` and `answer-head`
//! (HTTP/1.1, from bytes to what an exchange needs of them); and what some of them do beside the scan: `view`, `judge` and
//! `facts`, with patch and buffers kept as a shard keeps them. Without arguments each runs once, so that none rots.

use ringway::data_plane::{downstream, upstream};
use ringway::dialects::openai_chat::answer::{self, Answer};
use ringway::dialects::openai_chat::pass_through::{PassThrough, Verdict};
use ringway::dialects::openai_chat::request::{MEMBERS, RequestKind, RequestView};
use ringway::dialects::openai_chat::stream::{self, ChunkFacts, classify};
use ringway::json::{patch::Patch, scan::Scanner};
use std::hint::black_box;

#[expect(dead_code, reason = "each bench takes the bodies that it needs")]
mod prompts;

/// Name and step.
type Step<'t> = (&'static str, Box<dyn FnMut() + 't>);

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
    black_box(classify(payload).expect("a chunk").has_content);
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

/// What is done with an event once it has been scanned.
fn facts(payload: &[u8]) -> impl FnMut() {
    let mut scanner = Scanner::new(&stream::MEMBERS);
    scanner.finish(payload).expect("well-formed");
    move || {
        let payload = black_box(payload);
        let scan = scanner.finish(payload).expect("well-formed");
        black_box(ChunkFacts::of_scan(scan, payload).has_content);
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
    black_box(&upstream::http1::parse::parse_head(bytes).expect("well-formed").expect("whole"));
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let chosen = words.next();
    let times = words.next().and_then(|times| times.parse().ok()).unwrap_or(1);
    let chat = prompts::chat(1_100);
    let events = events(100);
    // A body stands after a head.
    let (asked, answered) = ([REQUEST_HEAD.as_bytes(), &chat].concat(), [ANSWER_HEAD, ANSWER].concat());
    let (text, payload) = (ANSWER.as_bytes(), CHUNK.as_bytes());
    let steps: [Step; 9] = [
        ("request", Box::new(|| request(black_box(&chat)))),
        ("answer", Box::new(|| answer(black_box(text)))),
        ("chunk", Box::new(|| chunk(black_box(payload)))),
        ("stream", Box::new(|| stream(black_box(events.as_bytes())))),
        ("request-head", Box::new(|| request_head(black_box(&asked)))),
        ("answer-head", Box::new(|| answer_head(black_box(answered.as_bytes())))),
        ("view", Box::new(view(&chat))),
        ("judge", Box::new(judge(text))),
        ("facts", Box::new(facts(payload))),
    ];
    for (_, mut step) in steps.into_iter().filter(|(name, _)| chosen.as_deref().is_none_or(|chosen| chosen == *name)) {
        for _ in 0..times {
            step();
        }
    }
}
