//! The steps that translate: one list of upstreams' dialects and one of clients', each from OpenAI's chat or to it.
//!
//! The inputs are golden answers, and the chat requests of `prompts.rs` as this crate says them in other dialects.

use memchr::memmem;
use ringway::dialects::{
    anthropic_messages::read::KnownMessage,
    canonical::{self, ModelTraits, Notes, Target},
    openai_chat::pass_through::Verdict,
    translate::{self, Prompt, Translation},
    wire::{ClientWire, UpstreamWire},
};
use std::hint::black_box;

use super::{super::prompts, ANSWER, PARTS, Step, alike, step};

/// From OpenAI's chat into each other dialect and back: requests, whole answers, events of streams.
pub fn translations() -> Vec<Step<'static>> {
    let mut steps = Vec::new();
    let chats = [("1k", prompts::chat(1_100)), ("100k", prompts::chat(100_000))];
    for Spoken { name, wire, .. } in UPSTREAMS {
        for (size, chat) in &chats {
            steps.push(step(format!("to-{name}-{size}"), composed(ClientWire::OpenAiChat, wire, chat.clone())));
        }
    }
    for (name, client, wire) in CLIENTS {
        for (size, chat) in &chats {
            let said = composed(client, UpstreamWire::OpenAiChat, in_dialect(wire, chat));
            steps.push(step(format!("{name}-to-openai-{size}"), said));
        }
    }
    for Spoken { name, wire, answer, .. } in UPSTREAMS {
        steps.push(step(format!("from-{name}"), move || rendered(ClientWire::OpenAiChat, wire, black_box(answer))));
        if wire == UpstreamWire::AnthropicMessages {
            steps.push(step("from-anthropic-compact", move || {
                rendered(ClientWire::OpenAiChat, wire, black_box(ANTHROPIC_COMPACT.as_bytes()));
            }));
            steps.push(step("from-anthropic-known", rendered_known(ANTHROPIC_COMPACT)));
        }
    }
    for (name, client, _) in CLIENTS {
        let answer = move || rendered(client, UpstreamWire::OpenAiChat, black_box(ANSWER.as_bytes()));
        steps.push(step(format!("answer-to-{name}"), answer));
    }
    for Spoken { name, wire, stream, .. } in UPSTREAMS {
        let relay = relayed(ClientWire::OpenAiChat, wire, stream);
        steps.push(Step { parts: PARTS, ..step(format!("relay-from-{name}"), relay) });
    }
    for (name, client, _) in CLIENTS {
        let relay = relayed(client, UpstreamWire::OpenAiChat, OPENAI_STREAM);
        steps.push(Step { parts: PARTS, ..step(format!("relay-to-{name}"), relay) });
    }
    steps
}

/// A dialect other than OpenAI's chat, as upstreams speak it.
struct Spoken {
    name: &'static str,
    wire: UpstreamWire,
    /// A golden one.
    answer: &'static [u8],
    stream: Streamed,
}

/// One member of the folder of golden answers.
macro_rules! golden {
    ($path:literal) => {
        include_bytes!(concat!("../../tests/golden/_answers/", $path))
    };
}

const UPSTREAMS: [Spoken; 6] = [
    Spoken {
        name: "anthropic",
        wire: UpstreamWire::AnthropicMessages,
        answer: golden!("anthropic_messages/text.json"),
        stream: ANTHROPIC_STREAM,
    },
    Spoken {
        name: "gemini",
        wire: UpstreamWire::GeminiContent,
        answer: golden!("gemini/text.json"),
        stream: GEMINI_STREAM,
    },
    Spoken {
        name: "bedrock",
        wire: UpstreamWire::BedrockConverse,
        answer: golden!("bedrock_converse/text.json"),
        stream: Streamed::Golden(golden!("bedrock_converse/stream_text.bin")),
    },
    Spoken {
        name: "responses",
        wire: UpstreamWire::OpenAiResponses,
        answer: golden!("openai_responses/text.json"),
        stream: Streamed::Golden(golden!("openai_responses/stream_text.sse")),
    },
    Spoken {
        name: "cohere",
        wire: UpstreamWire::CohereChat,
        answer: golden!("cohere_chat/text.json"),
        stream: Streamed::Golden(golden!("cohere_chat/stream_text.sse")),
    },
    Spoken {
        name: "ollama",
        wire: UpstreamWire::OllamaChat,
        answer: golden!("ollama/text.json"),
        stream: Streamed::Golden(golden!("ollama/stream_text.ndjson")),
    },
];

/// The dialects other than OpenAI's chat that clients speak, and the same as upstreams speak them.
const CLIENTS: [(&str, ClientWire, UpstreamWire); 3] = [
    ("anthropic", ClientWire::AnthropicMessages, UpstreamWire::AnthropicMessages),
    ("responses", ClientWire::OpenAiResponses, UpstreamWire::OpenAiResponses),
    ("gemini", ClientWire::GeminiContent, UpstreamWire::GeminiContent),
];

/// As `ANSWER` says it.
const ANTHROPIC_COMPACT: &str = concat!(
    r#"{"id":"msg_01AbCdEfGhIjKlMnOpQrStUv","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":"#,
    r#"[{"type":"text","text":"A ring is a way without an end."}],"stop_reason":"end_turn","stop_sequence":null,"#,
    r#""usage":{"input_tokens":210,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":9,"#,
    r#""service_tier":"standard"}}"#
);

/// The event that most of a stream is, and what has to come before it.
enum Streamed {
    Parts {
        begins: &'static str,
        event: &'static str,
    },
    /// A whole one, of which one event says `GOLDEN_PIECE`.
    Golden(&'static [u8]),
}

const GOLDEN_PIECE: &[u8] = b"lo from Par";

impl Streamed {
    /// What comes before the event, and the event.
    fn cut(&self, upstream: UpstreamWire) -> (&'static [u8], &'static [u8]) {
        let stream = match *self {
            Streamed::Parts { begins, event } => return (begins.as_bytes(), event.as_bytes()),
            Streamed::Golden(stream) => stream,
        };
        let after = |rest: &[u8], mark: &[u8]| memmem::find(rest, mark).expect("a whole event") + mark.len();
        let mut start = 0;
        loop {
            let rest = &stream[start..];
            let bytes = match upstream {
                // A frame begins with its length.
                UpstreamWire::BedrockConverse => {
                    rest.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize)
                }
                UpstreamWire::OllamaChat => after(rest, b"\n"),
                _ => after(rest, b"\n\n"),
            };
            if memmem::find(&rest[..bytes], GOLDEN_PIECE).is_some() {
                return (&stream[..start], &rest[..bytes]);
            }
            start += bytes;
        }
    }
}

const ANTHROPIC_STREAM: Streamed = Streamed::Parts {
    begins: concat!(
        r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"#,
        r#""stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":1}}}"#,
        "\n\n",
        r#"event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        "\n\n"
    ),
    event: concat!(
        "event: content_block_delta\n",
        r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" a few more words"}}"#,
        "\n\n"
    ),
};
const GEMINI_STREAM: Streamed = Streamed::Parts {
    begins: "",
    event: concat!(
        r#"data: {"candidates":[{"content":{"parts":[{"text":" a few more words"}],"role":"model"},"index":0}],"#,
        r#""usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":4,"totalTokenCount":14},"#,
        r#""modelVersion":"m","responseId":"r-1"}"#,
        "\n\n"
    ),
};

const OPENAI_STREAM: Streamed = Streamed::Parts {
    begins: "",
    event: concat!(
        r#"data: {"id":"c-1","object":"chat.completion.chunk","created":1,"model":"m","choices":"#,
        r#"[{"index":0,"delta":{"content":" a few more words"},"finish_reason":null}]}"#,
        "\n\n"
    ),
};

/// What a chat request says, in another dialect.
fn in_dialect(upstream: UpstreamWire, chat: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compose(ClientWire::OpenAiChat, upstream, chat, &mut out);
    out
}

/// A request that has been scanned, in another dialect.
fn composed(client: ClientWire, upstream: UpstreamWire, body: Vec<u8>) -> impl FnMut() {
    let mut out = Vec::with_capacity(2 * body.len());
    move || {
        out.clear();
        compose(client, upstream, black_box(&body), &mut out);
        black_box(&out);
    }
}

fn compose(client: ClientWire, upstream: UpstreamWire, body: &[u8], out: &mut Vec<u8>) {
    let target = Target { model: "golden", traits: ModelTraits::default(), drops: true };
    let request = translate::parse(client, body).expect("acceptable");
    let mut notes = Notes::default();
    black_box(translate::compose(upstream, &request, &target, &mut notes, out).expect("it can be said"));
}

fn translation(client: ClientWire, upstream: UpstreamWire) -> Translation {
    let facts = canonical::Facts { id: "req_1".into(), model: "m".into(), created_s: 1, usage_asked: true };
    Translation {
        client,
        upstream,
        adapted: Default::default(),
        text_tools: Vec::new(),
        facts,
        echo: None,
        in_array: false,
        prompt: Prompt { bytes: Default::default(), start: 0, counted: None },
        calls: 1,
    }
}

/// A whole answer, for a client of another dialect.
fn rendered(client: ClientWire, upstream: UpstreamWire, text: &[u8]) {
    let mut out = Vec::with_capacity(1024);
    black_box(&translation(client, upstream).whole(text, &mut out).expect("an answer"));
    black_box(&out);
}

/// The same of answers of one deployment, one after the other.
fn rendered_known(answer: &str) -> impl FnMut() {
    let (texts, mut known) = (alike(answer), KnownMessage::default());
    let mut render = move |number: usize| {
        let mut out = Vec::with_capacity(1024);
        let text = black_box(texts[number % texts.len()].as_bytes());
        let translation = translation(ClientWire::OpenAiChat, UpstreamWire::AnthropicMessages);
        black_box(&translation.whole_like(Some(&mut known), text, &mut out).expect("an answer"));
        black_box(&out);
    };
    (0..2).for_each(&mut render);
    let mut number = 1;
    move || {
        number += 1;
        render(number);
    }
}

/// Events of a stream that is under way, each by itself.
fn relayed(client: ClientWire, upstream: UpstreamWire, streamed: Streamed) -> impl FnMut() {
    let (begins, event) = streamed.cut(upstream);
    let mut stream = translation(client, upstream).stream();
    let mut out = Vec::with_capacity(64 * 1024);
    assert_eq!(stream.feed(begins, &mut out), Verdict::More);
    move || {
        out.clear();
        for _ in 0..PARTS {
            assert_eq!(stream.feed(black_box(event), &mut out), Verdict::More);
        }
        black_box(&out);
    }
}
