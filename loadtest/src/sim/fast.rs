//! The simulator at full speed, for measuring what stands before it: prebuilt answers, no validation, no names counted.
//!
//! A request is read only as far as its length and the word `"stream":true` somewhere in it. A whole answer is
//! 515 bytes of body; a stream is `chunks` events of 150 bytes with `gap` between, and `[DONE]`. With no gap the
//! whole stream goes out in one write. Numbered events carry a mark (`chunk_mark`) instead of the same text each. Other
//! dialects have answers of about the same size (`dialects`), never numbered. Numbers in `Stats` still count; scripts and
//! credentials are ignored.

mod dialects;

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};

use super::exchange::Shared;
use super::io::Io;
use super::play::{Head, Play, Step};
use crate::chunk_mark::Mark;
use crate::limits::REQUEST_HEAD_BYTES_MAX;
use dialects::Others;
pub(crate) use dialects::Spoken;

/// Prebuilt answers.
pub(crate) struct Fast {
    whole: Bytes,
    whole_body: Bytes,
    stream_head: Bytes,
    /// The events, without and with their chunk framing; one where all are the same.
    events: Vec<Bytes>,
    event_chunks: Vec<Bytes>,
    finish: Bytes,
    end_chunk: Bytes,
    burst: Bytes,
    options: FastOptions,
    others: Others,
}

/// What the fast mode streams.
#[derive(Debug, Clone, Copy)]
pub struct FastOptions {
    /// Content events of a stream.
    pub chunks: usize,
    /// Between two of them.
    pub gap: Duration,
    /// Each event's text says which it is of how many.
    pub numbered: bool,
}

impl Default for FastOptions {
    fn default() -> Self {
        Self { chunks: 50, gap: Duration::ZERO, numbered: false }
    }
}

/// Body bytes of the whole answer, as the published tables have it.
const WHOLE_BYTES: usize = 515;
const EVENT_BYTES: usize = 150;
/// Text of a numbered event: its number and check, and a little filler.
const MARK_BYTES: usize = 40;
const DONE: &str = "data: [DONE]\n\n";

impl Fast {
    pub fn new(options: FastOptions) -> Self {
        let body = padded(WHOLE_BYTES, |filler| {
            format!(
                r#"{{"id":"chatcmpl-fast","object":"chat.completion","created":1700000000,"model":"sim-fast","choices":[{{"index":0,"message":{{"role":"assistant","content":"{filler}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":250,"completion_tokens":40,"total_tokens":290}}}}"#
            )
        });
        let events: Vec<String> = match options.numbered {
            false => vec![padded(EVENT_BYTES, event)],
            true => (0..options.chunks.max(1) as u64)
                .map(|number| event(&Mark { number, of: options.chunks as u64 }.text(MARK_BYTES)))
                .collect(),
        };
        let finish = "data: {\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
        let whole = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let stream_head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
        let event_chunks: Vec<String> = events.iter().map(|event| chunk(event)).collect();
        let end_chunk = format!("{}{}0\r\n\r\n", chunk(finish), chunk(DONE));
        let content: String = event_chunks.iter().cycle().take(options.chunks).map(String::as_str).collect();
        let burst = format!("{stream_head}{}{end_chunk}", content);
        Self {
            whole: whole.into(),
            whole_body: body.into(),
            stream_head: stream_head.into(),
            events: events.into_iter().map(Bytes::from).collect(),
            event_chunks: event_chunks.into_iter().map(Bytes::from).collect(),
            finish: Bytes::from_static(finish.as_bytes()),
            end_chunk: end_chunk.into(),
            burst: burst.into(),
            options,
            others: Others::new(options),
        }
    }

    /// The same answer as steps, for HTTP/2.
    pub fn play(&self, stream: bool) -> Play {
        let mut steps = Vec::new();
        if stream {
            steps.push(Step::Head(Head {
                status: 200,
                headers: vec![("content-type", "text/event-stream".to_owned())],
                ..Head::default()
            }));
            for index in 0..self.options.chunks {
                if index > 0 && !self.options.gap.is_zero() {
                    steps.push(Step::Wait(self.options.gap));
                }
                steps.push(Step::Data { bytes: self.events[index % self.events.len()].clone(), content: true });
            }
            steps.push(Step::Data { bytes: self.finish.clone(), content: false });
            steps.push(Step::Data { bytes: Bytes::from_static(DONE.as_bytes()), content: false });
        } else {
            steps.push(Step::Head(Head {
                status: 200,
                headers: vec![("content-type", "application/json".to_owned())],
                length: Some(self.whole_body.len()),
                ..Head::default()
            }));
            steps.push(Step::Data { bytes: self.whole_body.clone(), content: false });
        }
        steps.push(Step::End);
        Play { steps, ..Play::default() }
    }
}

/// Answers requests until one is for the simulator itself (true) or the connection ends (false).
pub(crate) async fn serve(io: &mut Io, input: &mut BytesMut, shared: &Shared, fast: &Fast) -> io::Result<bool> {
    loop {
        let Some(head) = Head1::read(io, input).await? else {
            return Ok(false);
        };
        if head.is_control {
            return Ok(true);
        }
        input.advance(head.bytes);
        shared.counters.exchange_begins();
        let served = match head.spoken {
            None => serve_one(io, input, shared, fast, head.body_bytes).await,
            // Boxed, so that the connection's state is no larger than a chat completion needs.
            Some(spoken) => Box::pin(dialects::serve_one(io, input, shared, fast, spoken, head.body_bytes)).await,
        };
        shared.counters.upload_bytes.fetch_add(head.body_bytes as u64, Relaxed);
        shared.counters.exchange_ends(served.is_err());
        served?;
    }
}

async fn serve_one(
    io: &mut Io,
    input: &mut BytesMut,
    shared: &Shared,
    fast: &Fast,
    body_bytes: usize,
) -> io::Result<()> {
    if !read_body(io, input, body_bytes).await? {
        return io.write_all(&fast.whole).await;
    }
    let sent = |events: usize| shared.counters.content_events.fetch_add(events as u64, Relaxed);
    if fast.options.gap.is_zero() {
        io.write_all(&fast.burst).await?;
        sent(fast.options.chunks);
        return Ok(());
    }
    let start = Instant::now();
    for index in 0..fast.options.chunks as u32 {
        let event_chunk = &fast.event_chunks[index as usize % fast.event_chunks.len()];
        if index == 0 {
            let first = [&fast.stream_head[..], event_chunk].concat();
            io.write_all(&first).await?;
        } else {
            // Counted from the start, so that late wake-ups do not add up.
            sleep_until(start + fast.options.gap * index).await;
            io.write_all(event_chunk).await?;
        }
        sent(1);
    }
    io.write_all(&fast.end_chunk).await
}

/// Reads and drops a body; true if it asks for a stream.
async fn read_body(io: &mut Io, input: &mut BytesMut, body_bytes: usize) -> io::Result<bool> {
    let mut left = body_bytes;
    let mut stream = false;
    loop {
        let have = left.min(input.len());
        stream = stream || asks_for_stream(&input[..have]);
        if have == left {
            input.advance(have);
            return Ok(stream);
        }
        // The word may be cut by the end of what has come.
        let dropped = have.saturating_sub(STREAM_WORD_BYTES_MAX);
        input.advance(dropped);
        left -= dropped;
        fill(io, input).await?;
    }
}

const STREAM_WORD_BYTES_MAX: usize = 16;

pub(crate) fn asks_for_stream(body: &[u8]) -> bool {
    memmem::find(body, b"\"stream\":").is_some_and(|at| body[at + 9..].trim_ascii_start().starts_with(b"true"))
}

/// The little that the fast mode reads of a head.
struct Head1 {
    bytes: usize,
    body_bytes: usize,
    is_control: bool,
    spoken: Option<Spoken>,
}

impl Head1 {
    async fn read(io: &mut Io, input: &mut BytesMut) -> io::Result<Option<Self>> {
        loop {
            if let Some(end) = memmem::find(input, b"\r\n\r\n") {
                return Self::parse(&input[..end]).map(Some);
            }
            if input.len() > REQUEST_HEAD_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            match fill(io, input).await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && input.is_empty() => {
                    return Ok(None);
                }
                other => other?,
            }
        }
    }

    fn parse(text: &[u8]) -> io::Result<Self> {
        const NAME: &[u8] = b"content-length:";
        let mut head = Self {
            bytes: text.len() + 4,
            body_bytes: 0,
            is_control: text.starts_with(b"GET /sim/") || text.starts_with(b"POST /sim/"),
            spoken: Spoken::of(text),
        };
        for line in text.split(|&byte| byte == b'\n') {
            if line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME) {
                let value = std::str::from_utf8(&line[NAME.len()..]).map(str::trim);
                let length = value.ok().and_then(|value| value.parse().ok());
                head.body_bytes = length.ok_or(io::ErrorKind::InvalidData)?;
            }
        }
        Ok(head)
    }
}

async fn fill(io: &mut Io, input: &mut BytesMut) -> io::Result<()> {
    if input.capacity() - input.len() < 4 * 1024 {
        input.reserve(64 * 1024);
    }
    match io.read_buf(input).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// One event of `EVENT_BYTES`, or as many as its text needs.
fn event(text: &str) -> String {
    format!(
        "data: {{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

/// The text that `form` makes around as many filler bytes as bring it to `bytes`.
fn padded(bytes: usize, form: impl Fn(&str) -> String) -> String {
    let bare = form("").len();
    form(&"x".repeat(bytes.saturating_sub(bare)))
}

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

#[cfg(test)]
mod tests;
