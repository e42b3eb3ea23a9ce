//! An event of a stream under way is translated without an allocation, by every reader for every renderer.
//!
//! What counts is the steady state: the stream has begun, the block that the event continues is open, and the output has room. Where a
//! client's dialect repeats at the end what was streamed, or takes a call's input only when it is whole, that is held, and the room for
//! it doubles now and then: such a pair may allocate a few times in many events, and no more.

#![allow(unsafe_code)]

use ringway::dialects::{
    anthropic_messages, bedrock_converse,
    canonical::{Adapted, Event, Facts, Malformed, Progress},
    cohere_chat, gemini, ollama, openai_chat, openai_responses,
    restore::Restore,
};
use ringway::sse::split::Splitter;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts what this thread asks for.
struct Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: the system's allocator upholds the contract; counting touches no memory of its callers and asks for none.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        // SAFETY: as the caller has it.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller has it.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        // SAFETY: as the caller has it.
        unsafe { System.realloc(block, layout, bytes) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const EVENTS: usize = 512;

/// Doublings of what is held in so many events, and a few more.
const DOUBLINGS_MAX: usize = 16;

type Tell<'t> = &'t mut dyn FnMut(Event<'_>);
type Read = Box<dyn FnMut(&[u8], &[u8], Tell<'_>) -> Result<Progress, Malformed>>;
type Render = Box<dyn FnMut(&Event<'_>, &mut Vec<u8>)>;

/// What an upstream streams: what comes before, and the event that is repeated.
struct Streamed {
    reader: &'static str,
    kind: Kind,
    begins: &'static [&'static str],
    event: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    Arguments,
}

use Kind::*;

const fn streamed(reader: &'static str, kind: Kind, begins: &'static [&'static str], event: &'static str) -> Streamed {
    Streamed { reader, kind, begins, event }
}

/// Events begin with their name where the dialect has one beside its data. Gemini and Ollama send the input of a call in one piece.
const STREAMED: &[Streamed] = &[
    streamed(
        "openai_chat",
        Text,
        &[
            r#"|{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        ],
        r#"|{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":" a \"few\" words\n"},"finish_reason":null}]}"#,
    ),
    streamed(
        "openai_chat",
        Thinking,
        &[],
        r#"|{"id":"c","model":"m","choices":[{"index":0,"delta":{"reasoning_content":" a \"few\" words\n"},"finish_reason":null}]}"#,
    ),
    streamed(
        "openai_chat",
        Arguments,
        &[
            r#"|{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":""}}]}}]}"#,
            r#"|{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":["}}]}}]}"#,
        ],
        r#"|{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"more\","}}]}}]}"#,
    ),
    streamed(
        "anthropic_messages",
        Text,
        &[
            r#"message_start|{"type":"message_start","message":{"id":"m","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}"#,
            r#"content_block_start|{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        ],
        r#"content_block_delta|{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" a \"few\" words\n"}}"#,
    ),
    streamed(
        "anthropic_messages",
        Thinking,
        &[
            r#"content_block_start|{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        ],
        r#"content_block_delta|{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":" a \"few\" words\n"}}"#,
    ),
    streamed(
        "anthropic_messages",
        Arguments,
        &[
            r#"content_block_start|{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
            r#"content_block_delta|{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":["}}"#,
        ],
        r#"content_block_delta|{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\"more\","}}"#,
    ),
    streamed(
        "gemini",
        Text,
        &[],
        r#"|{"candidates":[{"content":{"parts":[{"text":" a \"few\" words\n"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":4,"totalTokenCount":5},"modelVersion":"m","responseId":"r"}"#,
    ),
    streamed(
        "gemini",
        Thinking,
        &[],
        r#"|{"candidates":[{"content":{"parts":[{"text":" a \"few\" words\n","thought":true}],"role":"model"},"index":0}],"modelVersion":"m"}"#,
    ),
    streamed(
        "bedrock_converse",
        Text,
        &[r#"messageStart|{"role":"assistant"}"#],
        r#"contentBlockDelta|{"contentBlockIndex":0,"delta":{"text":" a \"few\" words\n"}}"#,
    ),
    streamed(
        "bedrock_converse",
        Thinking,
        &[r#"messageStart|{"role":"assistant"}"#],
        r#"contentBlockDelta|{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":" a \"few\" words\n"}}}"#,
    ),
    streamed(
        "bedrock_converse",
        Arguments,
        &[
            r#"messageStart|{"role":"assistant"}"#,
            r#"contentBlockStart|{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}"#,
            r#"contentBlockDelta|{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"a\":["}}}"#,
        ],
        r#"contentBlockDelta|{"contentBlockIndex":0,"delta":{"toolUse":{"input":"\"more\","}}}"#,
    ),
    streamed(
        "ollama",
        Text,
        &[],
        r#"|{"model":"m","created_at":"2026-11-22T07:00:00Z","message":{"role":"assistant","content":" a \"few\" words\n"},"done":false}"#,
    ),
    streamed(
        "ollama",
        Thinking,
        &[],
        r#"|{"model":"m","created_at":"2026-11-22T07:00:00Z","message":{"role":"assistant","thinking":" a \"few\" words\n","content":""},"done":false}"#,
    ),
    streamed(
        "cohere_chat",
        Text,
        &[r#"message-start|{"type":"message-start","id":"i","delta":{"message":{"role":"assistant"}}}"#],
        r#"content-delta|{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" a \"few\" words\n"}}}}"#,
    ),
    streamed(
        "cohere_chat",
        Thinking,
        &[],
        r#"content-delta|{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":" a \"few\" words\n"}}}}"#,
    ),
    streamed(
        "cohere_chat",
        Arguments,
        &[
            r#"tool-call-start|{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"t","type":"function","function":{"name":"f","arguments":""}}}}}"#,
            r#"tool-call-delta|{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\":["}}}}}"#,
        ],
        r#"tool-call-delta|{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"\"more\","}}}}}"#,
    ),
    streamed(
        "openai_responses",
        Text,
        &[r#"response.created|{"type":"response.created","response":{"id":"r","model":"m"}}"#],
        r#"response.output_text.delta|{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":" a \"few\" words\n"}"#,
    ),
    streamed(
        "openai_responses",
        Thinking,
        &[],
        r#"response.reasoning_summary_text.delta|{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":" a \"few\" words\n"}"#,
    ),
    streamed(
        "openai_responses",
        Arguments,
        &[
            r#"response.output_item.added|{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"f","call_id":"t","name":"f","arguments":""}}"#,
            r#"response.function_call_arguments.delta|{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"a\":["}"#,
        ],
        r#"response.function_call_arguments.delta|{"type":"response.function_call_arguments.delta","output_index":0,"delta":"\"more\","}"#,
    ),
];

fn reader(name: &str) -> Read {
    macro_rules! of {
        ($dialect:ident) => {{
            let mut reader = $dialect::read::Reader::default();
            Box::new(move |name, data, tell| reader.frame(name, data, tell))
        }};
    }
    match name {
        "openai_chat" => of!(openai_chat),
        "openai_responses" => of!(openai_responses),
        "anthropic_messages" => of!(anthropic_messages),
        "gemini" => of!(gemini),
        "bedrock_converse" => of!(bedrock_converse),
        "ollama" => of!(ollama),
        "cohere_chat" => of!(cohere_chat),
        other => panic!("no reader is named {other}"),
    }
}

const RENDERERS: [&str; 4] = ["openai_chat", "openai_responses", "anthropic_messages", "gemini"];

fn renderer(name: &str) -> Render {
    let facts = Facts { id: "r".into(), model: "m".into(), created_s: 1, usage_asked: true };
    macro_rules! of {
        ($dialect:ident) => {{
            let mut stream = $dialect::render::Stream::new(facts);
            Box::new(move |event, out| stream.event(event, out))
        }};
    }
    match name {
        "openai_chat" => of!(openai_chat),
        "openai_responses" => of!(openai_responses),
        "anthropic_messages" => of!(anthropic_messages),
        "gemini" => of!(gemini),
        other => panic!("no renderer is named {other}"),
    }
}

/// How often memory is asked for while the event comes so many times.
fn allocations(upstream: &Streamed, client: &str) -> usize {
    let (mut read, mut render) = (reader(upstream.reader), renderer(client));
    let (mut restore, mut splitter) = (Restore::new(Adapted::default()), Splitter::new(1 << 20));
    let mut out = Vec::with_capacity(64 * 1024);
    let written = |event: &str| {
        let (name, data) = event.split_once('|').unwrap();
        format!("event: {name}\ndata: {data}\n\n")
    };
    let mut told = 0;
    let mut take = |sent: &str, out: &mut Vec<u8>| {
        let mut feed = splitter.feed(sent.as_bytes());
        while let Some(event) = feed.next().unwrap() {
            let read = read(event.name, event.data, &mut |event| {
                restore.event(event, &mut |event| {
                    told += usize::from(matches!(
                        event,
                        Event::Text { .. } | Event::Thinking { .. } | Event::ToolArguments { .. }
                    ));
                    render(&event, out);
                });
            });
            assert_eq!(read, Ok(Progress::More), "{sent}");
        }
    };
    for event in upstream.begins {
        take(&written(event), &mut out);
    }
    let event = written(upstream.event);
    // The first ones open what they are in.
    take(&event, &mut out);
    take(&event, &mut out);
    let before = ASKED.with(Cell::get);
    for _ in 0..EVENTS {
        out.clear();
        take(&event, &mut out);
    }
    let asked = ASKED.with(Cell::get) - before;
    assert!(told >= EVENTS, "{} says nothing", upstream.event);
    asked
}

/// What a client's dialect cannot stream, or says once more at the end.
fn holds(client: &str, kind: Kind) -> bool {
    client == "openai_responses" || client == "gemini" && kind == Arguments
}

#[test]
fn an_event_of_a_stream_is_translated_without_an_allocation() {
    let mut failures = Vec::new();
    for upstream in STREAMED {
        for client in RENDERERS {
            let asked = allocations(upstream, client);
            let most = if holds(client, upstream.kind) { DOUBLINGS_MAX } else { 0 };
            if asked > most {
                failures.push(format!("{} to {client}, {:?}: {asked} of {EVENTS}", upstream.reader, upstream.kind));
            }
        }
    }
    assert!(failures.is_empty(), "allocations: {failures:#?}");
}

#[test]
fn every_pair_is_tried() {
    let readers: std::collections::BTreeSet<&str> = STREAMED.iter().map(|streamed| streamed.reader).collect();
    assert_eq!(readers.len(), 7);
    assert!(
        readers
            .iter()
            .all(|reader| STREAMED.iter().any(|streamed| streamed.reader == *reader && streamed.kind == Text))
    );
}

/// Where nothing is counted, nothing is proved.
#[test]
fn an_allocation_is_counted() {
    let before = ASKED.with(Cell::get);
    let mut held = std::hint::black_box(vec![1_u8]);
    held.reserve(4096);
    std::hint::black_box(&held);
    assert!(ASKED.with(Cell::get) >= before + 2);
}
