//! HTTP/1.1 by hand, because most of its faults are things that no library lets a server do.
//!
//! One connection is one task: read a request, play its steps, again. While it waits between steps it also reads, so that a
//! client that leaves is noticed at once; what a pipelining client sent meanwhile is kept for the next turn. The end of
//! the client's sending counts as leaving: HTTP/1.1 clients do not half-close.
//!
//! Requests are read leniently (this is not the server under test), within `limits`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, sleep_until};

use super::answer::{ApiError, Request};
use super::exchange::{Origin, Shared, path_and_query, upload_pace};
use super::io::Io;
use super::play::{After, Head, Play, Step};
use super::script::{Connection, Decision};
use crate::limits::{REQUEST_BODY_BYTES_MAX, REQUEST_HEAD_BYTES_MAX, REQUEST_HEADERS_MAX};

/// Bytes of a request read ahead while its predecessor is being answered.
const READ_AHEAD_BYTES_MAX: usize = 64 * 1024;

/// Serves one connection until it ends, in whichever way.
pub(crate) async fn serve(io: Io, shared: Arc<Shared>, connection: u64, rules: Connection) {
    shared.counters.count(&shared.counters.h1_connections);
    let mut wire = Wire { io, input: BytesMut::with_capacity(8 * 1024), shared };
    // Whatever ended it, the peer has seen it already or has caused it.
    let _ = wire.run(connection, &rules).await;
}

struct Wire {
    io: Io,
    input: BytesMut,
    shared: Arc<Shared>,
}

/// How a request's body is delimited.
enum Framing {
    Length(usize),
    Chunked,
}

struct RequestHead {
    request: Request,
    framing: Framing,
    expects_continue: bool,
    closes: bool,
}

/// How playing ended.
#[derive(PartialEq)]
enum Ended {
    Whole,
    /// The script ended the connection, with FIN or with RST.
    Cut,
    Reset,
    /// The client left first.
    Left,
}

impl Wire {
    async fn run(&mut self, connection: u64, rules: &Connection) -> io::Result<()> {
        let mut nth = 0;
        loop {
            let Some(head) = self.read_head(rules.idle_close_ms).await? else {
                return Ok(());
            };
            if head.request.path.starts_with("/sim/") {
                if !self.control(head).await? {
                    return Ok(());
                }
                continue;
            }
            nth += 1;
            let origin = Origin { protocol: "HTTP/1.1", connection, nth };
            let closes = head.closes;
            self.shared.counters.exchange_begins();
            let outcome = self.exchange(head, origin).await;
            let cancelled = !matches!(outcome, Ok((Ended::Whole | Ended::Cut | Ended::Reset, _)));
            self.shared.counters.exchange_ends(cancelled);
            let (ended, after) = outcome?;
            if ended == Ended::Reset {
                // A shutdown would say FIN before the close says RST.
                return Ok(());
            }
            let spent = rules.goaway_after_requests.is_some_and(|limit| nth >= limit);
            if ended != Ended::Whole || closes || spent || after == After::CloseQuietly {
                return self.io.shutdown().await;
            }
            if after == After::ResetOnNext {
                return self.reset_on_next().await;
            }
        }
    }

    async fn exchange(&mut self, head: RequestHead, origin: Origin) -> io::Result<(Ended, After)> {
        let RequestHead { mut request, framing, expects_continue, .. } = head;
        if expects_continue && self.input.is_empty() {
            self.io.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let mut early: Option<Result<Decision, ApiError>> = None;
        let awaits_body = !matches!(framing, Framing::Length(0));
        if awaits_body && self.input.is_empty() {
            self.fill().await?;
        }
        if self.shared.decides_early(&request, &self.input) {
            let decision = self.shared.decide(&request, &self.input);
            if let Ok(decision) = &decision
                && let Some(play) = self.shared.play_early(&request, decision)
            {
                self.shared.remember(&request, origin);
                self.play(&play).await?;
                // Unread input would turn the close into a reset and could cost the client the answer.
                self.io.shutdown().await?;
                self.drain().await;
                return Ok((Ended::Cut, After::CloseQuietly));
            }
            early = Some(decision);
        }
        let pace = early.as_ref().and_then(|early| early.as_ref().ok()).and_then(upload_pace);
        if pace.is_some() {
            self.io.shrink_receive_buffer();
        }
        request.body = match self.read_body(framing, pace).await {
            Ok(body) => body.freeze(),
            Err(error) => {
                self.shared.remember(&request, origin);
                self.shared.counters.count(&self.shared.counters.uploads_cut);
                return Err(error);
            }
        };
        self.shared.counters.upload_bytes.fetch_add(request.body.len() as u64, Relaxed);
        self.shared.remember(&request, origin);
        let decision = match early {
            Some(decision) => decision,
            None => self.shared.decide(&request, &request.body),
        };
        let play = self.shared.play(&request, decision);
        // The tree and the body of a big request are not needed while the answer waits.
        drop(request);
        Ok((self.play(&play).await?, play.after))
    }

    /// Answers a request for the simulator itself. False: the connection is to end.
    async fn control(&mut self, head: RequestHead) -> io::Result<bool> {
        let closes = head.closes;
        let mut request = head.request;
        if head.expects_continue {
            self.io.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        request.body = self.read_body(head.framing, None).await?.freeze();
        if let Some(reply) = self.shared.control(&request) {
            let play = Play::of(&reply, &Default::default(), &Default::default(), &mut super::latency::Random::new(0));
            self.play(&play).await?;
        }
        Ok(!closes)
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.input.reserve(16 * 1024);
        match self.io.read_buf(&mut self.input).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next request's head; nothing when the connection ends between requests.
    async fn read_head(&mut self, idle_close_ms: Option<u64>) -> io::Result<Option<RequestHead>> {
        let idle_end = idle_close_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        loop {
            if let Some(head) = self.parse_head()? {
                return Ok(Some(head));
            }
            if self.input.len() > REQUEST_HEAD_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.input.reserve(4 * 1024);
            let read = self.io.read_buf(&mut self.input);
            let count = match idle_end {
                Some(end) => tokio::select! {
                    count = read => count?,
                    () = sleep_until(end) => 0,
                },
                None => read.await?,
            };
            if count == 0 {
                return Ok(None);
            }
        }
    }

    fn parse_head(&mut self) -> io::Result<Option<RequestHead>> {
        let bad = |_| io::Error::from(io::ErrorKind::InvalidData);
        let mut lines = [httparse::EMPTY_HEADER; REQUEST_HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut lines);
        let length = match parsed.parse(&self.input).map_err(bad)? {
            httparse::Status::Partial => return Ok(None),
            httparse::Status::Complete(length) => length,
        };
        let headers: Vec<(String, String)> = parsed
            .headers
            .iter()
            .map(|line| {
                let value = String::from_utf8_lossy(line.value).into_owned();
                (line.name.to_ascii_lowercase(), value)
            })
            .collect();
        let (path, query) = path_and_query(parsed.path.unwrap_or(""));
        let request =
            Request { method: parsed.method.unwrap_or("").to_owned(), path, query, headers, body: bytes::Bytes::new() };
        let has = |name: &str, wanted: &str| {
            request.header(name).is_some_and(|value| value.to_ascii_lowercase().contains(wanted))
        };
        let framing = if has("transfer-encoding", "chunked") {
            Framing::Chunked
        } else {
            let length = request.header("content-length").map_or(Ok(0), |value| value.trim().parse());
            Framing::Length(length.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?)
        };
        let closes = has("connection", "close") || parsed.version == Some(0);
        let expects_continue = has("expect", "100-continue");
        self.input.advance(length);
        Ok(Some(RequestHead { request, framing, expects_continue, closes }))
    }

    async fn read_body(&mut self, framing: Framing, pace: Option<u64>) -> io::Result<BytesMut> {
        match framing {
            Framing::Length(length) if length > REQUEST_BODY_BYTES_MAX => Err(io::ErrorKind::InvalidData.into()),
            Framing::Length(length) => self.take(length, pace).await,
            Framing::Chunked => {
                let mut body = BytesMut::new();
                loop {
                    let line = self.line().await?;
                    let size = line.split(';').next().unwrap_or("").trim();
                    let size = usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
                    if size == 0 {
                        // Trailers, up to the empty line.
                        while !self.line().await?.is_empty() {}
                        return Ok(body);
                    }
                    if body.len() + size > REQUEST_BODY_BYTES_MAX {
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                    let piece = self.take(size, pace).await?;
                    body.extend_from_slice(&piece);
                    self.line().await?;
                }
            }
        }
    }

    /// Exactly so many bytes of input, read at `pace` bytes per second if there is one.
    async fn take(&mut self, count: usize, pace: Option<u64>) -> io::Result<BytesMut> {
        if self.input.len() >= count {
            return Ok(self.input.split_to(count));
        }
        let mut body = self.input.split();
        body.reserve(count - body.len());
        while body.len() < count {
            let left = count - body.len();
            let share = match pace {
                // Twenty turns a second are slow enough to be cheap and quick enough to look like a trickle.
                Some(per_second) => {
                    sleep(Duration::from_millis(50)).await;
                    left.min(usize::try_from(per_second / 20).unwrap_or(left).max(1))
                }
                None => left,
            };
            let mut limited = (&mut self.io).take(share as u64);
            if limited.read_buf(&mut body).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(body)
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.input) {
                let line = self.input.split_to(end + 1);
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.input.len() > REQUEST_HEAD_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.fill().await?;
        }
    }

    async fn play(&mut self, play: &Play) -> io::Result<Ended> {
        let mut out = Vec::new();
        let mut chunked = false;
        let mut data_seen = 0_u64;
        let mut steps = play.steps.iter().peekable();
        while let Some(step) = steps.next() {
            match step {
                Step::Wait(time) => {
                    self.send(&mut out, play).await?;
                    if !self.wait(Some(*time)).await {
                        return Ok(Ended::Left);
                    }
                }
                Step::Informational(count) => {
                    for _ in 0..*count {
                        out.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n");
                        if out.len() > 32 * 1024 {
                            self.send(&mut out, play).await?;
                        }
                    }
                }
                Step::Head(head) => {
                    chunked = head.length.is_none();
                    write_head(head, &mut out);
                    if let Some(gap) = play.head_byte_gap
                        && !self.trickle(&mut out, gap).await?
                    {
                        return Ok(Ended::Left);
                    }
                }
                Step::Data { bytes, content } => {
                    data_seen += 1;
                    if chunked && play.bad_chunk && data_seen == 2 {
                        out.extend_from_slice(b"zz\r\n");
                    }
                    if chunked {
                        out.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
                        out.extend_from_slice(bytes);
                        out.extend_from_slice(b"\r\n");
                    } else {
                        out.extend_from_slice(bytes);
                    }
                    if *content {
                        self.shared.counters.content_events.fetch_add(1, Relaxed);
                    }
                    // The last event and the end of the body go out together, as servers do it.
                    if chunked && steps.peek() != Some(&&Step::End) {
                        self.send(&mut out, play).await?;
                    }
                }
                Step::End => {
                    if chunked {
                        out.extend_from_slice(b"0\r\n\r\n");
                    }
                }
                Step::Close => {
                    self.send(&mut out, play).await?;
                    return Ok(Ended::Cut);
                }
                Step::Reset(_) => {
                    self.send(&mut out, play).await?;
                    self.io.reset_on_close();
                    return Ok(Ended::Reset);
                }
                Step::Hang | Step::Freeze => {
                    self.send(&mut out, play).await?;
                    self.wait(None).await;
                    return Ok(Ended::Left);
                }
                Step::GoAway(_) | Step::LimitStreams(_) => {}
            }
        }
        self.send(&mut out, play).await?;
        Ok(Ended::Whole)
    }

    async fn send(&mut self, out: &mut Vec<u8>, play: &Play) -> io::Result<()> {
        match play.piece_bytes {
            Some(size) => {
                for piece in out.chunks(size) {
                    self.io.write_all(piece).await?;
                    self.io.flush().await?;
                    // Lets the peer read in between, so that it sees pieces and not their sum.
                    tokio::task::yield_now().await;
                }
            }
            None if !out.is_empty() => {
                self.io.write_all(out).await?;
                self.io.flush().await?;
            }
            None => {}
        }
        out.clear();
        Ok(())
    }

    async fn trickle(&mut self, out: &mut Vec<u8>, gap: Duration) -> io::Result<bool> {
        for byte in std::mem::take(out) {
            self.io.write_all(&[byte]).await?;
            self.io.flush().await?;
            if !self.wait(Some(gap)).await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits, for ever without a time, while watching whether the client is still there. False: it has left.
    async fn wait(&mut self, time: Option<Duration>) -> bool {
        let end = time.map(|time| Instant::now() + time);
        loop {
            if self.input.len() > READ_AHEAD_BYTES_MAX {
                match end {
                    Some(end) => sleep_until(end).await,
                    // Nothing of it will be answered any more.
                    None => self.input.clear(),
                }
            }
            self.input.reserve(1_024);
            let read = self.io.read_buf(&mut self.input);
            let count = match end {
                Some(end) => tokio::select! {
                    // The clock first: a stream of input must not hold up the answer.
                    biased;
                    () = sleep_until(end) => return true,
                    count = read => count,
                },
                None => read.await,
            };
            if !matches!(count, Ok(1..)) {
                return false;
            }
        }
    }

    /// Resets the connection as soon as the client sends the next request, which is the race that a client cannot avoid.
    async fn reset_on_next(&mut self) -> io::Result<()> {
        if self.input.is_empty() {
            self.fill().await?;
        }
        self.io.reset_on_close();
        Ok(())
    }

    async fn drain(&mut self) {
        let mut sink = BytesMut::with_capacity(64 * 1024);
        let end = Instant::now() + Duration::from_secs(2);
        loop {
            sink.clear();
            let count = tokio::select! {
                count = self.io.read_buf(&mut sink) => count,
                () = sleep_until(end) => return,
            };
            if !matches!(count, Ok(1..)) {
                return;
            }
        }
    }
}

fn write_head(head: &Head, out: &mut Vec<u8>) {
    let line = match head.first_line {
        Some(line) => line.to_owned(),
        None => format!("HTTP/1.1 {} {}", head.status, reason(head.status)),
    };
    out.extend_from_slice(line.as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in &head.headers {
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    let framing = match head.length {
        Some(length) => format!("content-length: {length}\r\n"),
        None => "transfer-encoding: chunked\r\n".to_owned(),
    };
    out.extend_from_slice(framing.as_bytes());
    for line in &head.raw_lines {
        out.extend_from_slice(line.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

fn reason(status: u16) -> &'static str {
    let known = http::StatusCode::from_u16(status).ok();
    known.and_then(|status| status.canonical_reason()).unwrap_or("Unknown")
}
