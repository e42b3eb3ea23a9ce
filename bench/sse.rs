//! Cutting and judging stream events, in time per event.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringway::dialects::openai_chat::stream::classify;
use ringway::sse::split::Splitter;
use std::hint::black_box;

/// A content chunk's payload as OpenAI sends it.
const CHUNK: &str = r#"{"id":"chatcmpl-abc123","object":"chat.completion.chunk","created":1732200000,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":" hello"},"logprobs":null,"finish_reason":null}],"usage":null}"#;

const EVENTS: usize = 100;
const EVENT_BYTES_MAX: usize = 1 << 20;

fn splitting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sse");
    group.throughput(Throughput::Elements(EVENTS as u64));
    let stream = format!("data: {}\n\n", CHUNK).repeat(EVENTS);
    let event_bytes = stream.len() / EVENTS;
    for (name, piece_bytes) in [("16 KiB", 16 * 1024), ("one event", event_bytes), ("half an event", event_bytes / 2)] {
        for (what, judge) in [("split", false), ("split and judge", true)] {
            group.bench_with_input(BenchmarkId::new(what, name), &stream, |bench, stream| {
                bench.iter(|| events(black_box(stream.as_bytes()), piece_bytes, judge));
            });
        }
    }
    group.finish();
}

fn events(stream: &[u8], piece_bytes: usize, judge: bool) -> usize {
    let mut splitter = Splitter::new(EVENT_BYTES_MAX);
    let mut counted = 0;
    for piece in stream.chunks(piece_bytes) {
        let mut feed = splitter.feed(piece);
        while let Some(event) = feed.next().expect("short events") {
            counted += if judge { usize::from(classify(event.data).expect("a chunk").has_content()) } else { 1 };
        }
    }
    counted
}

fn judging(criterion: &mut Criterion) {
    criterion.bench_function("classify", |bench| {
        bench.iter(|| classify(black_box(CHUNK.as_bytes())).expect("a chunk").has_content());
    });
}

criterion_group!(benches, splitting, judging);
criterion_main!(benches);
