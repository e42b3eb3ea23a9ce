//! The prebuilt answers of Messages and of Gemini, of about the sizes of the prebuilt chat completion, chosen by the path.
//!
//! A chat completion must not pay for them: its request line is told by its first letters, and only others are searched.
//! Streams of Gemini are server-sent events also where an array was asked for.

use std::io;
use std::sync::atomic::Ordering::Relaxed;

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep_until};

use super::super::exchange::Shared;
use super::super::io::Io;
use super::super::play::{Head, Play, Step};
use super::{EVENT_BYTES, Fast, FastOptions, WHOLE_BYTES, chunk, padded, read_body};

/// Which API other than OpenAI's a request speaks, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    Messages,
    Gemini,
    /// The path asks for the stream.
    GeminiStream,
}

impl Spoken {
    /// Of a request head, or of its first line.
    pub fn of(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"POST /v1/c") {
            return None;
        }
        let line = &head[..memchr::memchr(b'\r', head).unwrap_or(head.len())];
        let has = |part: &[u8]| memmem::find(line, part).is_some();
        if has(b"/messages") {
            Some(Self::Messages)
        } else if has(b":generateContent") {
            Some(Self::Gemini)
        } else {
            has(b":streamGenerateContent").then_some(Self::GeminiStream)
        }
    }
}

/// The prebuilt answers of the other dialects.
pub(crate) struct Others {
    messages: Prebuilt,
    gemini: Prebuilt,
}

struct Prebuilt {
    whole: Bytes,
    body: Bytes,
    /// The events before, between and after the contents, and one content.
    opening: Bytes,
    event: Bytes,
    ending: Bytes,
    burst: Bytes,
}

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";

impl Others {
    pub fn new(options: FastOptions) -> Self {
        Self { messages: messages(options), gemini: gemini(options) }
    }

    fn of(&self, spoken: Spoken) -> &Prebuilt {
        match spoken {
            Spoken::Messages => &self.messages,
            Spoken::Gemini | Spoken::GeminiStream => &self.gemini,
        }
    }
}

fn messages(options: FastOptions) -> Prebuilt {
    let body = padded(WHOLE_BYTES, |filler| {
        format!(
            r#"{{"id":"msg_fast","type":"message","role":"assistant","model":"sim-fast","content":[{{"type":"text","text":"{filler}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":250,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":40}}}}"#
        )
    });
    let event = |name: &str, rest: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\"{rest}}}\n\n");
    let opening = [
        event(
            "message_start",
            r#","message":{"id":"msg_fast","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":250,"output_tokens":1}}"#,
        ),
        event("content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#),
    ];
    let content = padded(EVENT_BYTES, |filler| {
        event("content_block_delta", &format!(r#","index":0,"delta":{{"type":"text_delta","text":"{filler}"}}"#))
    });
    let ending = [
        event("content_block_stop", r#","index":0"#),
        event(
            "message_delta",
            r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":40}"#,
        ),
        event("message_stop", ""),
    ];
    Prebuilt::new(body, opening.concat(), content, ending.concat(), options)
}

fn gemini(options: FastOptions) -> Prebuilt {
    let usage = r#""usageMetadata":{"promptTokenCount":250,"candidatesTokenCount":40,"totalTokenCount":290}"#;
    let body = padded(WHOLE_BYTES, |filler| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{filler}"}}],"role":"model"}},"finishReason":"STOP","index":0}}],{usage},"modelVersion":"sim-fast","responseId":"fast"}}"#
        )
    });
    let content = padded(EVENT_BYTES, |filler| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{filler}\"}}],\"role\":\"model\"}},\"index\":0}}],\"modelVersion\":\"m\"}}\r\n\r\n"
        )
    });
    let ending = format!(
        "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"\"}}],\"role\":\"model\"}},\"finishReason\":\"STOP\",\"index\":0}}],{usage},\"modelVersion\":\"m\"}}\r\n\r\n"
    );
    Prebuilt::new(body, String::new(), content, ending, options)
}

impl Prebuilt {
    fn new(body: String, opening: String, event: String, ending: String, options: FastOptions) -> Self {
        let length = body.len();
        let whole =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
        // An empty chunk would end the body.
        let begin = if opening.is_empty() { STREAM_HEAD.to_owned() } else { STREAM_HEAD.to_owned() + &chunk(&opening) };
        let burst = format!("{begin}{}{}0\r\n\r\n", chunk(&event).repeat(options.chunks), chunk(&ending));
        Self {
            whole: whole.into(),
            body: body.into(),
            opening: opening.into(),
            event: event.into(),
            ending: ending.into(),
            burst: burst.into(),
        }
    }
}

pub(super) async fn serve_one(
    io: &mut Io,
    input: &mut BytesMut,
    shared: &Shared,
    fast: &Fast,
    spoken: Spoken,
    body_bytes: usize,
) -> io::Result<()> {
    let asked = read_body(io, input, body_bytes).await?;
    let prebuilt = fast.others.of(spoken);
    if !asked && spoken != Spoken::GeminiStream {
        return io.write_all(&prebuilt.whole).await;
    }
    let sent = |events: usize| shared.counters.content_events.fetch_add(events as u64, Relaxed);
    if fast.options.gap.is_zero() {
        io.write_all(&prebuilt.burst).await?;
        sent(fast.options.chunks);
        return Ok(());
    }
    let framed = |bytes: &Bytes| chunk(&String::from_utf8_lossy(bytes));
    let begin = if prebuilt.opening.is_empty() { String::new() } else { framed(&prebuilt.opening) };
    let event = framed(&prebuilt.event);
    let start = Instant::now();
    for index in 0..fast.options.chunks as u32 {
        if index == 0 {
            io.write_all([STREAM_HEAD, &begin, &event].concat().as_bytes()).await?;
        } else {
            // Counted from the start, so that late wake-ups do not add up.
            sleep_until(start + fast.options.gap * index).await;
            io.write_all(event.as_bytes()).await?;
        }
        sent(1);
    }
    io.write_all(format!("{}0\r\n\r\n", framed(&prebuilt.ending)).as_bytes()).await
}

impl Fast {
    /// The same answers as steps, for HTTP/2.
    pub fn play_other(&self, spoken: Spoken, asked: bool) -> Play {
        let prebuilt = self.others.of(spoken);
        let streams = asked || spoken == Spoken::GeminiStream;
        let content_type = if streams { "text/event-stream" } else { "application/json" };
        let length = if streams { None } else { Some(prebuilt.body.len()) };
        let headers = vec![("content-type", content_type.to_owned())];
        let data = |bytes: &Bytes, content: bool| Step::Data { bytes: bytes.clone(), content };
        let mut steps = vec![Step::Head(Head { status: 200, headers, length, ..Head::default() })];
        if streams {
            if !prebuilt.opening.is_empty() {
                steps.push(data(&prebuilt.opening, false));
            }
            for index in 0..self.options.chunks {
                if index > 0 && !self.options.gap.is_zero() {
                    steps.push(Step::Wait(self.options.gap));
                }
                steps.push(data(&prebuilt.event, true));
            }
            steps.push(data(&prebuilt.ending, false));
        } else {
            steps.push(data(&prebuilt.body, false));
        }
        steps.push(Step::End);
        Play { steps, ..Play::default() }
    }

    #[cfg(test)]
    pub(super) fn other_sizes(&self, spoken: Spoken) -> (usize, usize) {
        let prebuilt = self.others.of(spoken);
        (prebuilt.body.len(), prebuilt.event.len())
    }
}
