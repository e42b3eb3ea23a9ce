//! A client over HTTP/1.1.
//!
//! Requests are read strictly: whatever two parsers could read differently is refused and the connection closed. While an exchange runs
//! the wait for more goes on: it ends with the next request, or with the news that the client has left, so that neither
//! costs an operation of its own. A client that is waited for holds no buffer.
//!
//! The first bytes of a request wait their turn at the shard's turnstile (`rt::ReadHalf::begins_work`); what follows does not.
//!
//! One answer at a time, in order; pipelined requests wait in the read-ahead buffer, which is bounded.

use super::{BodyError, Downstream, ReplyHead, head::Inbound, http2};
use crate::{
    data_plane::{
        buffers,
        chunked::{BadChunk, ChunkedDecoder},
        exchange::{self, After},
        reply,
        shard::Shard,
        transport::Transport,
    },
    error::Failure,
    limits::{HEAD_BYTES_MAX, LINGER_BYTES_MAX, LINGER_MS, LINGER_MS_MAX},
    policy::keys::remembered::Remembered,
    rt::Deadline,
    telemetry::{access_log::RequestId, cells::Cell},
};
use std::{
    future::poll_fn,
    io,
    rc::Rc,
    task::{Context, Poll, ready},
};

mod last_head;
pub mod parse;
use last_head::LastHead;

/// Room for one read of what comes beyond a request, where there is something already.
const READ_AHEAD_BYTES: usize = 4 * 1024;

/// Bytes of further requests that are read while one is being answered. Beyond it the client's own back-pressure holds them, and
/// its leaving is noticed by the next write.
const PIPELINED_BYTES_MAX: usize = 64 * 1024;

/// Idle time after which a connection gives its buffers up, in milliseconds.
const SHRINK_AFTER_MS: u64 = 1_000;

/// Most bytes that one read of a body asks for: a scan of as much takes some 50 us.
const BODY_READ_BYTES_MAX: usize = 128 * 1024;

/// How a client begins that knows HTTP/2 is spoken here (RFC 9113, section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One client connection.
pub struct Client {
    shard: Rc<Shard>,
    transport: Transport,
    /// Bytes read beyond the present request; without memory while there are none.
    ahead: Vec<u8>,
    deadline: Rc<Deadline>,
    remembered: Remembered,
    body: Body,
    expects_continue: bool,
    http11: bool,
    keep_alive: bool,
    /// The answer being sent is in chunks.
    chunked_reply: bool,
    /// The answer being sent has a head only: its request was HEAD, or its status has no body.
    bodiless_reply: bool,
    gone: bool,
    aborted: bool,
    /// No request has been read yet.
    is_first: bool,
}

/// How much of the present request's body is still to come.
enum Body {
    Complete,
    Length(u64),
    Chunked { decoder: ChunkedDecoder },
}

impl Body {
    /// How much one read should ask for.
    fn read_bytes(&self) -> usize {
        match self {
            Body::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX).min(BODY_READ_BYTES_MAX),
            Body::Complete | Body::Chunked { .. } => READ_AHEAD_BYTES,
        }
    }
}

/// Serves one connection until it ends.
pub async fn serve(shard: Rc<Shard>, transport: Transport) {
    let deadline = Rc::new(shard.deadlines.slot());
    let mut client = Client {
        shard: shard.clone(),
        transport,
        ahead: Vec::new(),
        deadline,
        remembered: Remembered::default(),
        body: Body::Complete,
        expects_continue: false,
        http11: true,
        keep_alive: true,
        chunked_reply: false,
        bodiless_reply: false,
        gone: false,
        aborted: false,
        is_first: true,
    };
    let mut idle_ms = shard.current().snapshot.server.idle_timeout_ms;
    while client.begins_within(idle_ms).await {
        // Boxed, so that an idle connection does not carry the room that an exchange needs. It serves for as long as one request
        // follows the other.
        match Box::pin(client.exchanges()).await {
            Pause::Idle { left_ms } => idle_ms = left_ms,
            Pause::Http2 => return Box::pin(http2::serve(shard, client.transport, client.ahead)).await,
            Pause::Lingers => return Box::pin(client.linger()).await,
            Pause::Over => return,
        }
    }
}

/// Why no exchange follows the last one.
enum Pause {
    /// The client has been silent for a while; for how much longer it may be, in milliseconds.
    Idle {
        left_ms: u64,
    },
    /// It speaks HTTP/2.
    Http2,
    /// All was answered; what the client still sends is to be discarded.
    Lingers,
    Over,
}

impl Client {
    /// Waits for the first bytes of a request, with no more memory than that takes. False if they do not come.
    async fn begins_within(&mut self, idle_ms: u64) -> bool {
        self.deadline.set_in_ms(idle_ms);
        let turn = poll_fn(|cx| self.poll_turn(cx, false)).await;
        matches!(turn, Turn::Read(Ok(1..)))
    }

    /// Serves one request after the other.
    async fn exchanges(&mut self) -> Pause {
        let shard = self.shard.clone();
        let (mut inbound, mut last_head) = (Inbound::default(), LastHead::default());
        loop {
            match self.next_request(&mut inbound, &mut last_head).await {
                Ok(None) => {}
                Ok(Some(pause)) => return pause,
                Err(failure) => {
                    shard.state.cells.add(Cell::ProtocolErrors, 1);
                    self.keep_alive = false;
                    Box::pin(reply::refuse(&shard, self, &failure)).await;
                    return Pause::Lingers;
                }
            };
            let after = exchange::run(&shard, self, &mut inbound).await;
            if after == After::Close || self.aborted || self.gone {
                if self.aborted {
                    self.transport.reset_on_close();
                }
                return Pause::Over;
            }
            if !self.keep_alive {
                return if matches!(self.body, Body::Complete) { Pause::Over } else { Pause::Lingers };
            }
            // A connection that waits holds nothing of its last request but the head.
            inbound.let_go();
        }
    }

    /// Waits for the next request's head and puts it into `inbound`, or for a reason not to.
    ///
    /// # Errors
    /// The request cannot be answered as HTTP/1.1; the connection must be closed after the answer.
    async fn next_request(
        &mut self,
        inbound: &mut Inbound,
        last_head: &mut LastHead,
    ) -> Result<Option<Pause>, Failure> {
        let (head_timeout_ms, idle_ms) = {
            let server = &self.shard.current().snapshot.server;
            (server.head_timeout_ms, server.idle_timeout_ms)
        };
        let mut begun = !self.ahead.is_empty();
        self.deadline.set_in_ms(if begun { head_timeout_ms } else { SHRINK_AFTER_MS.min(idle_ms) });
        loop {
            if !self.ahead.is_empty() {
                if !begun {
                    begun = true;
                    self.deadline.set_in_ms(head_timeout_ms);
                }
                if self.is_first && begins_http2(&self.ahead) {
                    return Ok(Some(Pause::Http2));
                }
                if self.parse(inbound, last_head)? {
                    self.is_first = false;
                    self.deadline.clear();
                    return Ok(None);
                }
                if self.ahead.len() >= HEAD_BYTES_MAX {
                    return Err(Failure::Http { status: 431, message: "The request's headers are too large." });
                }
            }
            let turn = poll_fn(|cx| self.poll_turn(cx, begun)).await;
            match turn {
                Turn::Read(Ok(1..)) => {}
                Turn::Due if begun => return Err(Failure::RequestTimeout),
                Turn::Due if idle_ms > SHRINK_AFTER_MS => {
                    self.transport.shrink();
                    self.remembered.forget();
                    return Ok(Some(Pause::Idle { left_ms: idle_ms - SHRINK_AFTER_MS }));
                }
                Turn::Read(_) | Turn::Drain | Turn::Due => return Ok(Some(Pause::Over)),
            }
        }
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>, begun: bool) -> Poll<Turn> {
        let mut read = self.poll_ahead(cx);
        if read.is_pending() {
            let is_due = self.deadline.poll_due(cx).is_ready();
            let drains = !begun && self.shard.is_draining();
            if !is_due && !drains {
                self.transport.begins_work(!begun);
                return Poll::Pending;
            }
            // A request that waits its turn is not left behind.
            self.transport.begins_work(false);
            read = self.poll_ahead(cx);
            if read.is_pending() {
                return Poll::Ready(if is_due { Turn::Due } else { Turn::Drain });
            }
        }
        self.transport.begins_work(false);
        read.map(Turn::Read)
    }

    /// Reads more into `ahead`.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.ahead.is_empty() {
            // What is left may be a part of a large buffer; it is not worth an uneven read.
            if self.ahead.capacity() != buffers::BUFFER_BYTES {
                self.ahead = Vec::new();
            }
        } else if self.ahead.len() == self.ahead.capacity() {
            self.ahead.reserve(READ_AHEAD_BYTES);
        }
        self.transport.poll_read(cx, &mut self.ahead)
    }

    /// Takes a head from `ahead` if one is complete, with as much of the body as is there.
    fn parse(&mut self, inbound: &mut Inbound, last_head: &mut LastHead) -> Result<bool, Failure> {
        let Some(frame) = last_head.read(&self.ahead, &mut inbound.head)? else { return Ok(false) };
        self.http11 = frame.is_http11;
        self.bodiless_reply = frame.is_head;
        self.keep_alive = frame.keep_alive;
        self.expects_continue = inbound.head.expects_continue;
        self.take(inbound, frame.bytes);
        Ok(true)
    }

    fn take(&mut self, inbound: &mut Inbound, body_start: usize) {
        inbound.bytes = std::mem::take(&mut self.ahead);
        let bytes = &mut inbound.bytes;
        let here = bytes.len() - body_start;
        let end = match inbound.head.content_length {
            // Chunks are decoded when they are asked for: until then they are not the body.
            _ if inbound.head.unsized_body => {
                self.body = Body::Chunked { decoder: ChunkedDecoder::default() };
                body_start
            }
            Some(length) if length > here as u64 => {
                self.body = Body::Length(length - here as u64);
                bytes.len()
            }
            length => {
                self.body = Body::Complete;
                body_start + length.unwrap_or(0) as usize
            }
        };
        if end < bytes.len() {
            self.ahead.extend_from_slice(&bytes[end..]);
            bytes.truncate(end);
        }
        inbound.body_start = body_start;
        inbound.body_complete = matches!(self.body, Body::Complete);
    }

    /// Sends what is staged and the end, then discards what the client still sends, while it does, then closes.
    async fn linger(mut self) {
        self.deadline.set_in_ms(LINGER_MS);
        let end_ms = self.shard.deadlines.now_ms() + LINGER_MS_MAX;
        let mut discarded = 0;
        let mut ended = false;
        poll_fn(|cx| {
            if !ended {
                if self.transport.poll_close(cx)?.is_pending() {
                    return self.deadline.poll_due(cx).map(Ok);
                }
                // A client that reads until the end, as those of HTTP/1.0 do, need not wait for ours to be over.
                self.transport.end_sending();
                ended = true;
            }
            loop {
                if discarded > LINGER_BYTES_MAX || self.deadline.poll_due(cx).is_ready() {
                    return Poll::Ready(Ok::<(), io::Error>(()));
                }
                self.ahead.clear();
                match ready!(self.poll_ahead(cx)) {
                    Ok(count @ 1..) => {
                        discarded += count;
                        self.deadline.set_at_ms(end_ms.min(self.shard.deadlines.now_ms() + LINGER_MS));
                    }
                    _ => return Poll::Ready(Ok(())),
                }
            }
        })
        .await
        .ok();
    }
}

enum Turn {
    Read(io::Result<usize>),
    Due,
    Drain,
}

/// True for HTTP/2's preface as far as it has come; no method of HTTP/1.1 begins with `PRI`. HTTP/2 checks the rest.
fn begins_http2(bytes: &[u8]) -> bool {
    let length = bytes.len().min(HTTP2_PREFACE.len());
    length >= b"PRI".len() && bytes[..length] == HTTP2_PREFACE[..length]
}

impl Downstream for Client {
    fn poll_body(&mut self, cx: &mut Context<'_>, bytes: &mut Vec<u8>) -> Poll<Result<bool, BodyError>> {
        if self.expects_continue {
            self.expects_continue = false;
            self.transport.stage(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        if self.transport.staged_bytes() > 0 && matches!(self.transport.poll_flush(cx), Poll::Ready(Err(_))) {
            return Poll::Ready(Err(BodyError::Gone));
        }
        if let Body::Complete = self.body {
            return Poll::Ready(Ok(true));
        }
        let before = bytes.len();
        // What was read ahead comes first.
        let count = if self.ahead.is_empty() {
            bytes.reserve(self.body.read_bytes());
            match ready!(self.transport.poll_read(cx, bytes)) {
                Ok(count @ 1..) => count,
                _ => return Poll::Ready(Err(BodyError::Gone)),
            }
        } else {
            bytes.append(&mut self.ahead);
            bytes.len() - before
        };
        match &mut self.body {
            Body::Complete => {}
            Body::Length(left) => {
                let surplus = (count as u64).saturating_sub(*left) as usize;
                *left -= (count - surplus) as u64;
                let end = bytes.len() - surplus;
                self.ahead.extend_from_slice(&bytes[end..]);
                bytes.truncate(end);
                if *left == 0 {
                    self.body = Body::Complete;
                }
            }
            Body::Chunked { decoder } => match decode_in_place(decoder, before, bytes) {
                Err(_) => return Poll::Ready(Err(BodyError::Malformed)),
                Ok(None) => {}
                Ok(Some(surplus)) => {
                    self.ahead = surplus;
                    self.body = Body::Complete;
                }
            },
        }
        Poll::Ready(Ok(matches!(self.body, Body::Complete)))
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.gone {
            return Poll::Ready(());
        }
        if !matches!(self.body, Body::Complete) {
            // What comes next is the body; whoever reads it notices when it ends.
            return Poll::Pending;
        }
        if self.transport.staged_bytes() > 0 && matches!(self.transport.poll_flush(cx), Poll::Ready(Err(_))) {
            self.gone = true;
            return Poll::Ready(());
        }
        loop {
            if self.ahead.len() >= PIPELINED_BYTES_MAX {
                return Poll::Pending;
            }
            match ready!(self.poll_ahead(cx)) {
                Ok(1..) => {}
                _ => {
                    self.gone = true;
                    return Poll::Ready(());
                }
            }
        }
    }

    fn stage_head(&mut self, head: &ReplyHead<'_>) {
        if !matches!(self.body, Body::Complete) || self.shard.is_draining() {
            self.keep_alive = false;
        }
        self.chunked_reply = head.content_length.is_none() && self.http11;
        if head.content_length.is_none() && !self.http11 {
            self.keep_alive = false;
        }
        let mut digits = itoa::Buffer::new();
        let mut request_id = [b' '; REQUEST_ID_NAME.len() + RequestId::TEXT_BYTES + 2];
        let (name, text) = request_id.split_at_mut(REQUEST_ID_NAME.len());
        name.copy_from_slice(REQUEST_ID_NAME);
        let (text, line_end) = text.split_at_mut(RequestId::TEXT_BYTES);
        text.copy_from_slice(&self.shard.id_text(head.request_id));
        line_end.copy_from_slice(b"\r\n");
        // These are over with their head whatever it says (RFC 9112, section 6.3), and must not say it (RFC 9110, section 8.6).
        let never_has_body = matches!(head.status, 204 | 304);
        self.bodiless_reply |= never_has_body;
        let (framing, length): (&[u8], &str) = match head.content_length {
            _ if never_has_body => (b"", ""),
            Some(length) => (b"\r\ncontent-length: ", digits.format(length)),
            None if self.chunked_reply => (b"\r\ntransfer-encoding: chunked", ""),
            None => (b"", ""),
        };
        // Nearly all whole answers begin alike, which is copied in one piece.
        let is_usual = head.status == 200 && head.content_length.is_some() && head.content_type == b"application/json";
        let keep_alive = self.keep_alive;
        // The parts of known length are 160 bytes at most.
        self.transport.stage_with(160 + head.content_type.len() + head.lines.len(), |out| {
            if is_usual {
                out.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ");
            } else {
                out.extend_from_slice(status_line(head.status));
                out.extend_from_slice(head.content_type);
                out.extend_from_slice(framing);
            }
            out.extend_from_slice(length.as_bytes());
            out.extend_from_slice(&request_id);
            if !keep_alive {
                out.extend_from_slice(b"connection: close\r\n");
            }
            if !head.lines.is_empty() {
                out.extend_from_slice(head.lines);
            }
            out.extend_from_slice(b"\r\n");
        });
    }

    fn stage(&mut self, bytes: &[u8]) {
        if bytes.is_empty() || self.bodiless_reply {
            return;
        }
        if self.chunked_reply {
            let (size, size_bytes) = chunk_size(bytes.len());
            self.transport.stage_with(size.len() + bytes.len() + 2, |out| {
                // Bytes whose number is known are copied in registers.
                out.extend_from_slice(&size);
                out.truncate(out.len() - size.len() + size_bytes);
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            });
        } else {
            self.transport.stage(bytes);
        }
    }

    fn stage_end(&mut self) {
        if self.chunked_reply && !self.bodiless_reply {
            self.transport.stage(b"0\r\n\r\n");
        }
    }

    fn staged_bytes(&self) -> usize {
        self.transport.staged_bytes()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport.poll_flush(cx)
    }

    fn spare_deadline(&self) -> Option<Rc<Deadline>> {
        Some(self.deadline.clone())
    }

    fn remembered(&mut self) -> Option<&mut Remembered> {
        Some(&mut self.remembered)
    }

    fn abort(&mut self) {
        self.aborted = true;
        self.keep_alive = false;
    }
}

/// Decodes the bytes from `raw` on in place. `Some` at the end of the body: what follows it.
fn decode_in_place(decoder: &mut ChunkedDecoder, raw: usize, bytes: &mut Vec<u8>) -> Result<Option<Vec<u8>>, BadChunk> {
    let mut decoded_end = raw;
    let mut raw = raw;
    while raw < bytes.len() && !decoder.is_done() {
        let step = decoder.step(&bytes[raw..])?;
        let data = raw + step.data.start..raw + step.data.end;
        let length = data.len();
        bytes.copy_within(data, decoded_end);
        decoded_end += length;
        raw += step.consumed;
    }
    let surplus = decoder.is_done().then(|| bytes[raw..].to_vec());
    bytes.truncate(decoded_end);
    Ok(surplus)
}

/// `size` in hexadecimal and CRLF, and how many bytes that is.
fn chunk_size(size: usize) -> ([u8; 18], usize) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digits = (usize::BITS - (size | 1).leading_zeros()).div_ceil(4) as usize;
    let mut text = [0; 18];
    let mut rest = size;
    for place in text[..digits].iter_mut().rev() {
        *place = HEX[rest & 15];
        rest >>= 4;
    }
    text[digits..digits + 2].copy_from_slice(b"\r\n");
    (text, digits + 2)
}

const REQUEST_ID_NAME: &[u8] = b"\r\nx-request-id: ";

/// The status line, and the name of the header after it. Reasons are for people; unknown codes get a neutral one.
fn status_line(status: u16) -> &'static [u8] {
    macro_rules! line {
        ($text:literal) => {
            concat!("HTTP/1.1 ", $text, "\r\ncontent-type: ").as_bytes()
        };
    }
    match status {
        200 => line!("200 OK"),
        201 => line!("201 Created"),
        202 => line!("202 Accepted"),
        204 => line!("204 No Content"),
        400 => line!("400 Bad Request"),
        401 => line!("401 Unauthorized"),
        402 => line!("402 Payment Required"),
        403 => line!("403 Forbidden"),
        404 => line!("404 Not Found"),
        405 => line!("405 Method Not Allowed"),
        408 => line!("408 Request Timeout"),
        409 => line!("409 Conflict"),
        413 => line!("413 Content Too Large"),
        414 => line!("414 URI Too Long"),
        415 => line!("415 Unsupported Media Type"),
        417 => line!("417 Expectation Failed"),
        422 => line!("422 Unprocessable Content"),
        424 => line!("424 Failed Dependency"),
        429 => line!("429 Too Many Requests"),
        431 => line!("431 Request Header Fields Too Large"),
        500 => line!("500 Internal Server Error"),
        501 => line!("501 Not Implemented"),
        502 => line!("502 Bad Gateway"),
        503 => line!("503 Service Unavailable"),
        504 => line!("504 Gateway Timeout"),
        505 => line!("505 HTTP Version Not Supported"),
        // Passed on from a provider; a client goes by the class (RFC 9110, section 15).
        _ if (400..500).contains(&status) => line!("400 Bad Request"),
        _ => line!("502 Bad Gateway"),
    }
}
