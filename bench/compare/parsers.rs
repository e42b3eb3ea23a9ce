//! What it costs to learn `model` and `stream` from a body that has to be valid, by parser.
//!
//! Each gets the same bytes and has to validate all of them, except where its line says otherwise. simd-json parses in place and
//! destroys its input, so the copy that a gateway would have to keep is part of its time.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringway::dialects::openai_chat::request::MEMBERS;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::hint::black_box;

#[path = "../prompts.rs"]
mod prompts;

#[derive(Deserialize)]
struct Head<'t> {
    #[serde(borrow)]
    model: Cow<'t, str>,
    stream: Option<bool>,
    #[serde(borrow)]
    messages: Option<&'t RawValue>,
}

fn parsers(criterion: &mut Criterion) {
    let bodies = [
        ("chat 1 KB", prompts::chat(1_100)),
        ("chat 100 KB", prompts::chat(100_000)),
        ("chat 1 MB", prompts::chat(1_000_000)),
        ("agent 100 KB", prompts::agent(100_000)),
        ("image 100 KB", prompts::image(100_000)),
        ("embedding 30 KB", prompts::embedding(30_000)),
    ];
    for (name, body) in &bodies {
        let mut group = criterion.benchmark_group(*name);
        group.throughput(Throughput::Bytes(body.len() as u64));
        let mut bench = |parser: &str, parse: &mut dyn FnMut(&[u8])| {
            group.bench_with_input(BenchmarkId::from_parameter(parser), body, |bench, body| {
                bench.iter(|| parse(black_box(body)));
            });
        };
        bench("ringway scan", &mut |body| {
            black_box(ringway::json::scan::scan(&MEMBERS, body).expect("well-formed"));
        });
        bench("serde_json ignored", &mut |body| {
            black_box(serde_json::from_slice::<IgnoredAny>(body).expect("well-formed"));
        });
        bench("serde_json head, messages raw", &mut |body| {
            if let Ok(head) = serde_json::from_slice::<Head<'_>>(body) {
                black_box((&head.model, head.stream, head.messages.map(RawValue::get)));
            }
        });
        bench("simd-json tape, with its copy", &mut |body| {
            let mut copy = body.to_vec();
            black_box(simd_json::to_tape(&mut copy).expect("well-formed"));
        });
        bench("sonic-rs members, checked", &mut |body| {
            sonic_rs::to_object_iter(body).for_each(|member| drop(black_box(member.expect("well-formed"))));
        });
        group.finish();
    }
}

criterion_group!(benches, parsers);
criterion_main!(benches);
