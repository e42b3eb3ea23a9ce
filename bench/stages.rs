//! The stages of an exchange one by one: first each of `steps.rs`, then framing, multipart, plan, stream and failure in more sizes.
//!
//! Scanning and patching are in `scan.rs`, splitting events in `sse.rs`. Each figure is one stage without its neighbours, to see
//! where a change of `bench/run` came from; only the sum is promised anywhere.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringway::{
    data_plane::chunked::ChunkedDecoder,
    dialects::{
        multipart::ModelFinder,
        openai_chat::{
            error::write_body,
            pass_through::{PassThrough, Verdict},
        },
    },
    error::{Failure, Upstream},
    routing::plan::{Facts, plan},
};
use std::hint::black_box;

mod configured;
#[expect(dead_code, reason = "each bench takes the bodies that it needs")]
mod prompts;
mod steps;

/// What one socket read delivers at most.
const PIECE_BYTES: usize = 16 * 1024;

/// A content chunk of about 150 bytes, as the simulator streams it.
const EVENT: &str = concat!(
    r#"data: {"id":"c-1","object":"chat.completion.chunk","created":1,"model":"m","choices":"#,
    r#"[{"index":0,"delta":{"content":" a few more words"},"finish_reason":null}]}"#,
    "\n\n"
);
const FINISH: &str = concat!(
    r#"data: {"id":"c-1","object":"chat.completion.chunk","created":1,"model":"m","choices":"#,
    r#"[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    "\n\ndata: [DONE]\n\n"
);
const EVENTS: usize = 50;

fn chunked(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chunked");
    let event = format!("{:x}\r\n{EVENT}\r\n", EVENT.len());
    let prompt = prompts::chat(100_000);
    let prompt = [format!("{:x}\r\n", prompt.len()).as_bytes(), &prompt, b"\r\n"].concat();
    for (name, chunks) in [
        ("one event", event.clone().into_bytes()),
        ("50 events", event.repeat(EVENTS).into_bytes()),
        ("100 KB", prompt),
    ] {
        let body = [&chunks[..], b"0\r\n\r\n"].concat();
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new("decode", name), &body, |bench, body| {
            bench.iter(|| decoded_bytes(black_box(body)));
        });
    }
    group.finish();
}

fn decoded_bytes(body: &[u8]) -> usize {
    let mut decoder = ChunkedDecoder::default();
    let mut decoded = 0;
    for piece in body.chunks(PIECE_BYTES) {
        let mut rest = piece;
        while !rest.is_empty() {
            let step = decoder.step(rest).expect("well-formed");
            decoded += step.data.len();
            rest = &rest[step.consumed..];
        }
    }
    assert!(decoder.is_done());
    decoded
}

/// A transcription upload whose `model` comes after the file, as SDKs send it.
fn multipart(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("multipart");
    for file_bytes in [10_000, 1_000_000] {
        let file = prompts::prose(file_bytes);
        let body = format!(
            concat!(
                "--b0undary\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n",
                "content-type: audio/wav\r\n\r\n{}\r\n",
                "--b0undary\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b0undary--\r\n"
            ),
            file
        );
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(
            BenchmarkId::new("find model", format!("file of {file_bytes} B")),
            &body,
            |bench, body| {
                bench.iter(|| {
                    let mut finder = ModelFinder::new(b"multipart/form-data; boundary=b0undary").expect("a boundary");
                    for piece in black_box(body.as_bytes()).chunks(PIECE_BYTES) {
                        finder.feed(piece).expect("well-formed");
                    }
                    finder.model().expect("it is there")
                });
            },
        );
    }
    group.finish();
}

fn planning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    let facts = Facts { same_model_only: false, account: None };
    for deployments in [1, 4, 16] {
        let snapshot = configured::snapshot(deployments);
        group.bench_with_input(BenchmarkId::new("resolve and plan", deployments), &snapshot, |bench, snapshot| {
            bench.iter(|| {
                let resolved = snapshot.resolve(black_box("chat")).expect("configured");
                plan(snapshot, resolved.group, facts, |_| None).expect("a candidate")
            });
        });
    }
    // The worst case: all but the last are parked.
    let snapshot = configured::snapshot(16);
    group.bench_function("15 of 16 parked", |bench| {
        bench.iter(|| {
            let resolved = snapshot.resolve(black_box("chat")).expect("configured");
            plan(&snapshot, resolved.group, facts, |index| (index < 15).then_some((1_000, Upstream::Connect)))
                .expect("a candidate")
        });
    });
    group.finish();
}

fn streams(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pass_through");
    group.throughput(Throughput::Elements(EVENTS as u64));
    let stream = [EVENT.repeat(EVENTS), FINISH.to_owned()].concat();
    for (name, piece_bytes) in [("one event", EVENT.len()), ("all in one", PIECE_BYTES)] {
        let mut out = Vec::with_capacity(stream.len());
        group.bench_with_input(BenchmarkId::new("50 events, a piece has", name), &stream, |bench, stream| {
            bench.iter(|| {
                let mut passing = PassThrough::new(true, false);
                let mut verdict = Verdict::More;
                out.clear();
                for piece in black_box(stream.as_bytes()).chunks(piece_bytes) {
                    verdict = passing.feed(piece, &mut out);
                }
                assert_eq!(verdict, Verdict::Complete);
                out.len()
            });
        });
    }
    group.finish();
}

fn failures(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("failure");
    let invalid = Failure::InvalidRequest {
        param: Some("messages[0].content".into()),
        code: "invalid_type",
        message: "'messages[0].content' must be a text or a list.".into(),
    };
    let limited = Failure::Upstream(Upstream::RateLimited { retry_after_ms: Some(2_000) });
    for (name, failure) in [("invalid request", invalid), ("rate limited", limited)] {
        let mut out = Vec::with_capacity(1024);
        group.bench_with_input(BenchmarkId::new("body", name), &failure, |bench, failure| {
            bench.iter(|| {
                out.clear();
                write_body(black_box(failure), &mut out);
                out.len()
            });
        });
    }
    group.finish();
}

fn each_step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    steps::for_each(|mut step| {
        group.throughput(Throughput::Elements(step.parts.into()));
        group.bench_function(step.name, |bench| bench.iter(|| (step.run)()));
    });
    group.finish();
}

criterion_group!(benches, each_step, chunked, multipart, planning, streams, failures);
criterion_main!(benches);
