//! One step of an exchange repeated, for a counter of instructions to be held to: wall time is too noisy for steps this short.
//!
//! `perf stat -e instructions:u cargo bench --bench instructions -- answer 100000`, less the same with 0, divided by 100,000. The
//! steps are `request` (scan, view, patch the model, copy), `answer` (scan, judge, look for missing members) and `chunk` (judge
//! one event of a stream). Without arguments each runs once, so that none rots.

use ringway::dialects::openai_chat::answer::Answer;
use ringway::dialects::openai_chat::request::{MEMBERS, RequestKind, RequestView};
use ringway::dialects::openai_chat::stream::classify;
use ringway::json::{patch::Patch, scan::Scanner};
use std::hint::black_box;

#[expect(dead_code, reason = "each bench takes the bodies that it needs")]
mod prompts;

/// Name, step, text.
type Step<'t> = (&'static str, fn(&[u8]), &'t [u8]);

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

fn request(body: &[u8]) {
    let mut scanner = Scanner::new(&MEMBERS);
    let scan = scanner.finish(body).expect("well-formed");
    let view = RequestView::read(RequestKind::Chat, scan, body).expect("acceptable");
    let mut patch = Patch::new();
    view.patch(body, "gpt-4o-mini-2024-07-18", true, &mut patch).expect("room");
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

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let chosen = words.next();
    let times = words.next().and_then(|times| times.parse().ok()).unwrap_or(1);
    let chat = prompts::chat(1_100);
    let steps: [Step; 3] =
        [("request", request, &chat), ("answer", answer, ANSWER.as_bytes()), ("chunk", chunk, CHUNK.as_bytes())];
    for (_, step, text) in steps.iter().filter(|(name, ..)| chosen.as_deref().is_none_or(|chosen| chosen == *name)) {
        for _ in 0..times {
            step(black_box(text));
        }
    }
}
