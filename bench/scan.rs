//! Scanning and patching request bodies, by size and by kind.
//!
//! `serde_json` skipping the same text (`IgnoredAny`: validated, nothing kept) is measured beside it as a yardstick that moves with the
//! machine. Comparisons with other parsers: `bench/compare`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringway::dialects::openai_chat::answer::Answer;
use ringway::dialects::openai_chat::request::{MEMBERS, RequestKind, RequestView};
use ringway::json::patch::Patch;
use ringway::json::scan::{Scanner, scan};
use std::hint::black_box;

mod prompts;

/// What one socket read delivers at most.
const PIECE_BYTES: usize = 16 * 1024;

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("chat 1 KB", prompts::chat(1_100)),
        ("chat 32 KB", prompts::chat(32_000)),
        ("chat 100 KB", prompts::chat(100_000)),
        ("chat 1 MB", prompts::chat(1_000_000)),
        ("agent 100 KB", prompts::agent(100_000)),
        ("image 100 KB", prompts::image(100_000)),
        ("image 20 MB", prompts::image(20_000_000)),
    ]
}

fn scanning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan");
    for (name, body) in bodies() {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new("whole", name), &body, |bench, body| {
            bench.iter(|| scan(&MEMBERS, black_box(body)).expect("well-formed"));
        });
        group.bench_with_input(BenchmarkId::new("pieces of 16 KiB", name), &body, |bench, body| {
            bench.iter(|| in_pieces(black_box(body)));
        });
        group.bench_with_input(BenchmarkId::new("serde_json ignored", name), &body, |bench, body| {
            bench.iter(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(body)).expect("well-formed"));
        });
    }
    group.finish();
}

fn in_pieces(body: &[u8]) -> u32 {
    let mut scanner = Scanner::new(&MEMBERS);
    for end in (PIECE_BYTES..body.len()).step_by(PIECE_BYTES) {
        scanner.advance(&body[..end]).expect("well-formed");
    }
    scanner.finish(body).expect("well-formed").member_count
}

/// Everything that happens to the bytes of a request: scan, view, patch model and usage option, copy.
fn patching(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request");
    for (name, body) in bodies() {
        group.throughput(Throughput::Bytes(body.len() as u64));
        let mut out = Vec::with_capacity(body.len() + 512);
        let mut patch = Patch::new();
        group.bench_with_input(BenchmarkId::new("scan, view, patch, copy", name), &body, |bench, body| {
            bench.iter(|| {
                let scan = scan(&MEMBERS, black_box(body)).expect("well-formed");
                let view = RequestView::read(RequestKind::Chat, &scan, body).expect("acceptable");
                patch.clear();
                out.clear();
                view.patch(body, "gpt-4o-mini-2024-07-18", true, &mut patch).expect("room");
                patch.append_to(body, &mut out);
                out.len()
            });
        });
    }
    group.finish();
}

fn answers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("answer");
    let chat = format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1732200000,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"{}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":9,"completion_tokens":80,"total_tokens":89}}}}"#,
        prompts::prose(400)
    );
    for (name, text) in [("chat 600 B", chat.into_bytes()), ("embedding 30 KB", prompts::embedding(30_000))] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        let mut patch = Patch::new();
        group.bench_with_input(BenchmarkId::new("read and fill", name), &text, |bench, text| {
            bench.iter(|| {
                let answer = Answer::read(black_box(text)).expect("well-formed");
                patch.clear();
                answer.fill_missing(text, &mut patch).expect("room");
                patch.patched_bytes(text.len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, scanning, patching, answers);
criterion_main!(benches);
