//! The prebuilt answers, by whose API a request speaks: of chat completions, of Messages and of Gemini, all of about the same sizes.
//!
//! A whole answer is 515 bytes of body, an event of a stream 150. Numbered events carry a mark (`chunk_mark`) instead of the same text
//! each. Streams of Gemini are server-sent events also where an array was asked for.

use bytes::Bytes;
use memchr::memmem;

use super::FastOptions;
use crate::chunk_mark::Mark;
use crate::hpack;

/// Body bytes of the whole answer, as the published tables have it.
const WHOLE_BYTES: usize = 515;
const EVENT_BYTES: usize = 150;
/// Text of a numbered event: its number and check, and a little filler.
const MARK_BYTES: usize = 40;

/// Which API a request speaks, by its path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Spoken {
    #[default]
    Chat,
    Messages,
    Gemini,
    /// The path asks for the stream.
    GeminiStream,
    /// Nobody's: it is for the simulator itself.
    Control,
}

impl Spoken {
    /// Of a request line, or of a path alone.
    pub fn of(line: &[u8]) -> Self {
        // A chat completion must not pay for the others.
        if line.starts_with(b"POST /v1/c") || line.starts_with(b"/v1/c") {
            return Self::Chat;
        }
        let has = |part: &[u8]| memmem::find(line, part).is_some();
        if [&b"GET /sim/"[..], b"POST /sim/", b"/sim/"].iter().any(|begin| line.starts_with(begin)) {
            Self::Control
        } else if has(b"/messages") {
            Self::Messages
        } else if has(b":generateContent") {
            Self::Gemini
        } else if has(b":streamGenerateContent") {
            Self::GeminiStream
        } else {
            Self::Chat
        }
    }
}

/// The prebuilt answers of all dialects.
pub(super) struct Answers {
    chat: Answer,
    messages: Answer,
    gemini: Answer,
}

impl Answers {
    pub fn new(options: FastOptions) -> Self {
        Self { chat: chat(options), messages: messages(options), gemini: gemini(options) }
    }

    pub fn of(&self, spoken: Spoken) -> &Answer {
        match spoken {
            Spoken::Chat | Spoken::Control => &self.chat,
            Spoken::Messages => &self.messages,
            Spoken::Gemini | Spoken::GeminiStream => &self.gemini,
        }
    }
}

/// One dialect's answers, as they go over each protocol.
pub(super) struct Answer {
    pub http1: Parts,
    pub http2: Parts,
}

/// What is sent, in pieces that go out at once.
pub(super) struct Parts {
    pub whole_head: Bytes,
    pub whole: Bytes,
    pub stream_head: Bytes,
    /// What comes before the first event, one event (or each of them, where they are numbered), and what comes after the last.
    pub opening: Bytes,
    events: Vec<Bytes>,
    pub ending: Bytes,
    /// All of a stream but its head, for HTTP/1.1.
    pub burst: Bytes,
}

impl Parts {
    pub fn opening(&self) -> Option<Bytes> {
        (!self.opening.is_empty()).then(|| self.opening.clone())
    }

    pub fn event(&self, index: usize) -> &Bytes {
        &self.events[index % self.events.len()]
    }
}

/// An answer as its dialect writes it.
struct Written {
    body: String,
    opening: String,
    events: Vec<String>,
    ending: String,
}

impl Answer {
    fn new(written: &Written, options: FastOptions) -> Self {
        let Written { body, opening, events, ending } = written;
        let length = body.len();
        let http1 = Parts {
            whole_head: format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
            )
            .into(),
            stream_head: Bytes::from_static(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n",
            ),
            ..Parts::new(body, &chunk(opening), events.iter().map(|event| chunk(event)), &format!("{}0\r\n\r\n", chunk(ending)), options)
        };
        let http2 = Parts {
            whole_head: hpack::answer_head(200, "application/json", Some(length)).into(),
            stream_head: hpack::answer_head(200, "text/event-stream", None).into(),
            ..Parts::new(body, opening, events.iter().cloned(), ending, options)
        };
        Self { http1, http2 }
    }
}

impl Parts {
    fn new(
        body: &str,
        opening: &str,
        events: impl Iterator<Item = String>,
        ending: &str,
        options: FastOptions,
    ) -> Self {
        let events: Vec<Bytes> = events.map(Bytes::from).collect();
        let content = events.iter().cycle().take(options.chunks).map(|event| &event[..]).collect::<Vec<_>>().concat();
        Self {
            whole_head: Bytes::new(),
            whole: body.to_owned().into(),
            stream_head: Bytes::new(),
            opening: opening.to_owned().into(),
            events,
            ending: ending.to_owned().into(),
            burst: [opening.as_bytes(), &content, ending.as_bytes()].concat().into(),
        }
    }
}

fn chat(options: FastOptions) -> Answer {
    let body = padded(WHOLE_BYTES, |filler| {
        format!(
            r#"{{"id":"chatcmpl-fast","object":"chat.completion","created":1700000000,"model":"sim-fast","choices":[{{"index":0,"message":{{"role":"assistant","content":"{filler}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":250,"completion_tokens":40,"total_tokens":290}}}}"#
        )
    });
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let events = events(options, |text| chunk(&format!("\"content\":\"{text}\""), "null"));
    let ending = chunk("", "\"stop\"") + "data: [DONE]\n\n";
    Answer::new(&Written { body, opening: String::new(), events, ending }, options)
}

fn messages(options: FastOptions) -> Answer {
    let body = padded(WHOLE_BYTES, |filler| {
        format!(
            r#"{{"id":"msg_fast","type":"message","role":"assistant","model":"sim-fast","content":[{{"type":"text","text":"{filler}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":250,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":40}}}}"#
        )
    });
    let event = |name: &str, rest: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\"{rest}}}\n\n");
    let opening = event(
        "message_start",
        r#","message":{"id":"msg_fast","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":250,"output_tokens":1}}"#,
    ) + &event("content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#);
    let events = events(options, |text| {
        event("content_block_delta", &format!(r#","index":0,"delta":{{"type":"text_delta","text":"{text}"}}"#))
    });
    let ending = event("content_block_stop", r#","index":0"#)
        + &event(
            "message_delta",
            r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":40}"#,
        )
        + &event("message_stop", "");
    Answer::new(&Written { body, opening, events, ending }, options)
}

fn gemini(options: FastOptions) -> Answer {
    let usage = r#""usageMetadata":{"promptTokenCount":250,"candidatesTokenCount":40,"totalTokenCount":290}"#;
    let body = padded(WHOLE_BYTES, |filler| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{filler}"}}],"role":"model"}},"finishReason":"STOP","index":0}}],{usage},"modelVersion":"sim-fast","responseId":"fast"}}"#
        )
    });
    let chunk = |text: &str, finish: &str, usage: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}],\"role\":\"model\"}}{finish},\"index\":0}}]{usage},\"modelVersion\":\"m\"}}\r\n\r\n"
        )
    };
    let events = events(options, |text| chunk(text, "", ""));
    let ending = chunk("", r#","finishReason":"STOP""#, &format!(",{usage}"));
    Answer::new(&Written { body, opening: String::new(), events, ending }, options)
}

/// One event of `EVENT_BYTES`, or each with its mark and as many as that needs.
fn events(options: FastOptions, form: impl Fn(&str) -> String) -> Vec<String> {
    let of = options.chunks as u64;
    match options.numbered {
        false => vec![padded(EVENT_BYTES, form)],
        true => (0..of.max(1)).map(|number| form(&Mark { number, of }.text(MARK_BYTES))).collect(),
    }
}

/// The text that `form` makes around as many filler bytes as bring it to `bytes`.
fn padded(bytes: usize, form: impl Fn(&str) -> String) -> String {
    let bare = form("").len();
    form(&"x".repeat(bytes.saturating_sub(bare)))
}

/// Nothing for nothing: an empty chunk would end the body.
fn chunk(data: &str) -> String {
    if data.is_empty() { String::new() } else { format!("{:x}\r\n{data}\r\n", data.len()) }
}

#[cfg(test)]
mod tests;
