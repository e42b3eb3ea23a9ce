//! Clients over HTTP/2: one connection, each of its streams an exchange in a task of its own.
//!
//! What a connection may hold: 1 MiB of bodies not read yet, 64 KiB of each answer inside h2 and twice that before it. A body's window is
//! returned as it is read; an answer is handed over as the client's window allows. How much work it may cause is the
//! `allowance`'s business, how many streams may end in errors h2's.
//!
//! A connection that idles, or whose shard drains, announces its end with GOAWAY and lets its streams finish. One whose
//! client breaks the protocol, floods, or whose stream panicked ends at once with everything on it: nothing of it is
//! used again. `serve` returns when the last of its streams has been settled.

mod allowance;

use super::{
    BodyError, Downstream, ReplyHead,
    head::{Inbound, Method, RequestHead, Span},
};
use crate::{
    data_plane::{
        exchange::{self, After},
        h2_io::H2Io,
        reply,
        shard::Shard,
        transport::Transport,
        upstream::answer_head::digits,
    },
    error::Failure,
    limits::{
        H2_DOWNSTREAM_STREAMS_MAX, H2_HEADER_LIST_BYTES_MAX, H2_SEND_BUFFER_BYTES, HEADERS_MAX, LINGER_BYTES_MAX,
        LINGER_MS, LINGER_MS_MAX, TARGET_BYTES_MAX,
    },
    rt::{self, Deadline},
    telemetry::cells::Cell as Counter,
};
use allowance::{Allowance, CountedIo};
use bytes::{Buf, Bytes, BytesMut};
use h2::{
    Reason, RecvStream, SendStream,
    server::{self, SendResponse},
};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    io,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// Receive windows, in bytes: what a connection and one of its streams may send ahead of being read. Three bodies that nobody reads
/// (their upstreams are slow) leave room for the others; 256 KiB per round trip is 5 MB/s at 50 ms.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// Streams reset by us whose late frames are recognised as such: as many as may be open, since an answer that comes before the end of
/// its request resets the rest of it, and each late frame of a forgotten stream counts as an error.
const RESET_STREAMS_MAX: usize = H2_DOWNSTREAM_STREAMS_MAX as usize;

/// Streams that were reset before we saw their request, at a time. They come with it in one read; many of them are an attack.
const UNSEEN_RESETS_MAX: usize = 20;

/// Streams that end in a protocol error, or are refused for being too many, in a connection's life. Each costs an exchange, perhaps
/// an upstream call; clients that speak HTTP/2 cause none after their first round trip.
const ERROR_STREAMS_MAX: usize = 128;

/// Time that a client has to answer the PING that follows GOAWAY, and to take what is still to be sent before the
/// connection is dropped, in milliseconds.
const LEAVE_MS: u64 = 1_000;

/// Bytes of a body that are taken in one turn of its stream.
const BODY_TURN_BYTES: usize = 128 * 1024;

/// The head of a request's buffer before its first value: room for what official clients send.
const HEAD_BYTES_HINT: usize = 1024;

/// Serves a connection that begins with HTTP/2's preface until it has ended. `read_ahead` is what was read of it already.
pub async fn serve(shard: Rc<Shard>, transport: Transport, read_ahead: Vec<u8>) {
    let deadline = shard.deadlines.slot();
    deadline.set_in_ms(shard.current().snapshot.server.head_timeout_ms);
    let allowance = Rc::new(Allowance::new(shard.deadlines.now_ms()));
    let io = CountedIo::new(H2Io::new(transport, read_ahead), allowance.clone());
    // Boxed, here and below: what carries it through the layers above stays small.
    let mut opening = Box::pin(builder().handshake::<_, Chunk>(io));
    let opened = poll_fn(|cx| match opening.as_mut().poll(cx) {
        Poll::Ready(opened) => Poll::Ready(Some(opened)),
        Poll::Pending => deadline.poll_due(cx).map(|()| None),
    })
    .await;
    drop(opening);
    let connection = match opened {
        Some(Ok(connection)) => connection,
        Some(Err(error)) => return count_error(&shard, &error),
        None => return,
    };
    deadline.clear();
    let streams = Rc::new(Streams::default());
    let mut connection = Box::new(Connection {
        connection,
        streams: streams.clone(),
        allowance,
        deadline,
        stage: Stage::Serving { idle: false },
        shard,
    });
    poll_fn(|cx| connection.poll(cx)).await;
    // Tells those that still run that their client is gone.
    drop(connection);
    poll_fn(|cx| streams.poll_ended(cx)).await;
}

fn builder() -> server::Builder {
    let mut builder = server::Builder::new();
    builder
        .max_header_list_size(H2_HEADER_LIST_BYTES_MAX)
        .max_concurrent_streams(H2_DOWNSTREAM_STREAMS_MAX)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .max_send_buffer_size(H2_SEND_BUFFER_BYTES)
        .max_concurrent_reset_streams(RESET_STREAMS_MAX)
        .max_pending_accept_reset_streams(UNSEEN_RESETS_MAX)
        .max_local_error_reset_streams(Some(ERROR_STREAMS_MAX));
    builder
}

/// Counts a connection that broke the protocol; one that merely broke off is nothing special.
fn count_error(shard: &Shard, error: &h2::Error) {
    if error.is_library() {
        shard.state.cells.add(Counter::ProtocolErrors, 1);
    }
}

struct Connection {
    connection: server::Connection<CountedIo, Chunk>,
    streams: Rc<Streams>,
    allowance: Rc<Allowance>,
    deadline: Deadline,
    stage: Stage,
    shard: Rc<Shard>,
}

/// How far a connection is in its life. Stages only go forward.
enum Stage {
    /// The deadline is the end of its idling, while it idles.
    Serving { idle: bool },
    /// GOAWAY was sent and streams finish. The deadline is set once they have, in case the client keeps silent.
    Leaving { idle: bool },
    /// Everything on it has ended. The deadline drops it, should its last bytes not leave.
    Closing,
}

impl Connection {
    /// Ready when it has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.streams.watch(cx);
        self.allowance.refill(self.shard.deadlines.now_ms());
        loop {
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.open(request, respond);
                    continue;
                }
                Poll::Ready(Some(Err(error))) => {
                    count_error(&self.shard, &error);
                    return Poll::Ready(());
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            if !self.live() {
                return self.deadline.poll_due(cx);
            }
        }
    }

    /// Moves on to the next stage where it is time. True when h2 was told something.
    fn live(&mut self) -> bool {
        if let Stage::Closing = self.stage {
            return false;
        }
        if self.allowance.is_spent() {
            self.shard.state.cells.add(Counter::ProtocolErrors, 1);
            return self.close(Reason::ENHANCE_YOUR_CALM);
        }
        if self.streams.panicked.get() {
            return self.close(Reason::INTERNAL_ERROR);
        }
        let is_idle = self.streams.active.get() == 0;
        let due = self.deadline.at_ms().is_some_and(|at_ms| at_ms <= self.shard.deadlines.now_ms());
        match &mut self.stage {
            Stage::Serving { idle } => {
                if self.shard.is_draining() || (is_idle && *idle && due) {
                    self.connection.graceful_shutdown();
                    self.stage = Stage::Leaving { idle: false };
                    self.deadline.clear();
                    return true;
                }
                if is_idle != std::mem::replace(idle, is_idle) {
                    let idle_timeout_ms = self.shard.current().snapshot.server.idle_timeout_ms;
                    if is_idle { self.deadline.set_in_ms(idle_timeout_ms) } else { self.deadline.clear() }
                }
            }
            Stage::Leaving { idle } => {
                if is_idle && *idle && due {
                    return self.close(Reason::NO_ERROR);
                }
                if is_idle != std::mem::replace(idle, is_idle) {
                    if is_idle { self.deadline.set_in_ms(LEAVE_MS) } else { self.deadline.clear() }
                }
            }
            Stage::Closing => {}
        }
        false
    }

    fn close(&mut self, reason: Reason) -> bool {
        self.connection.abrupt_shutdown(reason);
        self.stage = Stage::Closing;
        self.deadline.set_in_ms(LEAVE_MS);
        true
    }

    /// Starts the task of a stream.
    fn open(&mut self, request: Request<RecvStream>, respond: SendResponse<Chunk>) {
        self.allowance.request(head_bytes(&request));
        let open = self.streams.open();
        let streams = self.streams.clone();
        let shard = self.shard.clone();
        let panicked = self.shard.clone();
        let allowance = self.allowance.clone();
        rt::spawn(
            async move {
                let _open = open;
                answer(shard, allowance, request, respond).await;
            },
            move || {
                panicked.state.cells.add(Counter::Panics, 1);
                streams.panicked.set(true);
                streams.wake();
            },
        );
    }
}

/// The size of a request's header list, as RFC 9113 counts it.
fn head_bytes(request: &Request<RecvStream>) -> usize {
    let field = |name: &str, value: &[u8]| name.len() + value.len() + 32;
    let uri = request.uri();
    let pseudo = field(":path", uri.path_and_query().map_or("", |path| path.as_str()).as_bytes())
        + field(":authority", uri.authority().map_or("", |authority| authority.as_str()).as_bytes());
    pseudo + request.headers().iter().map(|(name, value)| field(name.as_str(), value.as_bytes())).sum::<usize>()
}

/// The streams of one connection, as its task sees them.
#[derive(Default)]
struct Streams {
    active: Cell<usize>,
    panicked: Cell<bool>,
    watcher: RefCell<Option<Waker>>,
}

/// Counts one stream until its task has ended, however it does.
struct Open(Rc<Streams>);

impl Streams {
    fn open(self: &Rc<Self>) -> Open {
        self.active.set(self.active.get() + 1);
        Open(self.clone())
    }

    /// The task of `cx` is woken when the last stream has ended, or one has panicked.
    fn watch(&self, cx: &Context<'_>) {
        let mut watcher = self.watcher.borrow_mut();
        if !watcher.as_ref().is_some_and(|watcher| watcher.will_wake(cx.waker())) {
            *watcher = Some(cx.waker().clone());
        }
    }

    fn wake(&self) {
        if let Some(watcher) = &*self.watcher.borrow() {
            watcher.wake_by_ref();
        }
    }

    fn poll_ended(&self, cx: &Context<'_>) -> Poll<()> {
        self.watch(cx);
        if self.active.get() == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
        if self.0.active.get() == 0 {
            self.0.wake();
        }
    }
}

/// Runs the exchange of one stream.
async fn answer(
    shard: Rc<Shard>,
    allowance: Rc<Allowance>,
    request: Request<RecvStream>,
    respond: SendResponse<Chunk>,
) {
    let inbound = read_head(&request);
    let is_head = request.method() == http::Method::HEAD;
    let mut client = Client {
        body: request.into_body(),
        expects_continue: false,
        room_hint: 0,
        answer: Answer::Waiting(respond),
        is_head,
        head: None,
        staged: BytesMut::new(),
        end: End::Open,
        gone: false,
        within: Rc::default(),
        allowance,
    };
    match inbound {
        Ok(mut inbound) => {
            client.expects_continue = inbound.head.expects_continue;
            client.room_hint = inbound.head.content_length.unwrap_or(0).min(BODY_TURN_BYTES as u64) as usize;
            // What becomes of the stream shows when its client is dropped; the connection goes on in any case.
            let (After::KeepAlive | After::Close) = exchange::run(&shard, &mut client, &mut inbound).await;
        }
        Err(failure) => {
            shard.state.cells.add(Counter::ProtocolErrors, 1);
            reply::refuse(&shard, &mut client, &failure).await;
        }
    }
    if !client.gone && client.end == End::Sent && !client.body.is_end_stream() {
        linger(&shard, &mut client).await;
    }
}

/// After an answer that came before the end of its request: discards what the client still sends, while it does. Resetting the stream at
/// once would be right too (RFC 9113, section 8.1), but some clients, curl 7.88 among them, then lose the answer.
async fn linger(shard: &Rc<Shard>, client: &mut Client) {
    let deadline = shard.deadlines.slot();
    deadline.set_in_ms(LINGER_MS);
    let end_ms = shard.deadlines.now_ms() + LINGER_MS_MAX;
    let mut discarded = 0;
    poll_fn(|cx| {
        while discarded < LINGER_BYTES_MAX && deadline.poll_due(cx).is_pending() {
            match client.body.poll_data(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(data))) => {
                    discarded += data.len();
                    deadline.set_at_ms(end_ms.min(shard.deadlines.now_ms() + LINGER_MS));
                    let released = client.body.flow_control().release_capacity(data.len());
                    debug_assert!(released.is_ok());
                }
                Poll::Ready(Some(Err(_)) | None) => break,
            }
        }
        Poll::Ready(())
    })
    .await;
}

/// Reads a request's head into a buffer of its own, the same as an HTTP/1.1 head comes in. What RFC 9113 calls malformed has been
/// reset by h2 already: upper-case names, connection headers, a content-length that lies.
///
/// # Errors
/// Why it is refused.
fn read_head(request: &Request<RecvStream>) -> Result<Inbound, Failure> {
    let bad = |message| Failure::Http { status: 400, message };
    let (uri, headers) = (request.uri(), request.headers());
    if headers.len() > HEADERS_MAX {
        return Err(Failure::Http { status: 431, message: "The request has too many headers." });
    }
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    if target.len() > TARGET_BYTES_MAX {
        return Err(Failure::Http { status: 414, message: "The request target is too long." });
    }
    if !target.starts_with('/') || !target.is_ascii() {
        return Err(bad("The request target must be a path."));
    }
    let mut bytes = Vec::with_capacity(HEAD_BYTES_HINT);
    let method = Method::parse(request.method().as_str().as_bytes());
    let mut head = RequestHead::aimed_at(method, target.as_bytes(), write(&mut bytes, target.as_bytes()).start);
    if let Some(authority) = uri.authority() {
        if authority.as_str().contains('@') {
            return Err(bad("The authority must be a host."));
        }
        head.host = Some(Span::new(write(&mut bytes, authority.as_str().as_bytes())));
    }
    for (name, value) in headers {
        let at = write(&mut bytes, value.as_bytes());
        match *name {
            header::HOST => match head.host {
                None => head.host = Some(Span::new(at)),
                // RFC 9113, section 8.3.1: no Host that names another entity than :authority.
                Some(host) if host.of(&bytes).eq_ignore_ascii_case(value.as_bytes()) => {}
                Some(_) => return Err(bad("Host and authority differ.")),
            },
            header::CONTENT_LENGTH => {
                if head.content_length.is_some() {
                    return Err(bad("There must be at most one Content-Length."));
                }
                head.content_length = Some(digits(value.as_bytes()).ok_or(bad("Content-Length must be a number."))?);
            }
            header::EXPECT => {
                if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") {
                    return Err(Failure::Http {
                        status: 417,
                        message: "The only expectation understood is 100-continue.",
                    });
                }
                head.expects_continue = true;
            }
            _ => head.header(name.as_str(), value.as_bytes(), at),
        }
    }
    if head.repeated {
        return Err(bad("There must be at most one Authorization, API key, Content-Type and Origin."));
    }
    if head.host.is_none() {
        return Err(bad("The request names no authority."));
    }
    let body_complete = request.body().is_end_stream();
    head.unsized_body = head.content_length.is_none() && !body_complete;
    head.expects_continue &= !body_complete;
    Ok(Inbound { head, body_start: bytes.len(), bytes, body_complete, ..Inbound::default() })
}

/// Appends `value`; returns where it is.
fn write(bytes: &mut Vec<u8>, value: &[u8]) -> std::ops::Range<usize> {
    let start = bytes.len();
    bytes.extend_from_slice(value);
    start..bytes.len()
}

/// One stream's client.
struct Client {
    body: RecvStream,
    /// `100 Continue` is due when the body is asked for.
    expects_continue: bool,
    /// Room to reserve for the body when it is first read.
    room_hint: usize,
    answer: Answer,
    /// A request whose answer has no body, whatever it says.
    is_head: bool,
    /// The answer's head, until it goes with the first bytes after it.
    head: Option<Response<()>>,
    /// Bytes of the answer that are not with h2 yet.
    staged: BytesMut,
    end: End,
    /// Nothing can be sent or received any more.
    gone: bool,
    /// What of the answer is with h2.
    within: Rc<Within>,
    allowance: Rc<Allowance>,
}

enum Answer {
    /// Its head has not been sent.
    Waiting(SendResponse<Chunk>),
    Open(SendStream<Chunk>),
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Open,
    Staged,
    /// With h2, and every byte before it.
    Sent,
}

impl Client {
    /// Hands to h2 what the client's window has room for, at most `H2_SEND_BUFFER_BYTES` ahead of what the connection has written.
    ///
    /// # Errors
    /// The stream has ended otherwise.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), Gone> {
        if self.gone {
            return Err(Gone);
        }
        let before = self.end;
        let sent = self.send_staged(cx);
        self.gone |= sent.is_err();
        if self.end == End::Sent && before != End::Sent {
            self.allowance.completed();
        }
        sent
    }

    fn send_staged(&mut self, cx: &mut Context<'_>) -> Result<(), Gone> {
        if let Some(head) = self.head.take() {
            let Answer::Waiting(respond) = &mut self.answer else { return Err(Gone) };
            let is_all = self.end == End::Staged && self.staged.is_empty();
            self.answer = Answer::Open(respond.send_response(head, is_all).map_err(|_| Gone)?);
            if is_all {
                self.end = End::Sent;
            }
        }
        let Answer::Open(stream) = &mut self.answer else { return Ok(()) };
        while !self.staged.is_empty() {
            let mut room = stream.capacity();
            if room == 0 {
                stream.reserve_capacity(self.staged.len().min(H2_SEND_BUFFER_BYTES));
                room = stream.capacity();
            }
            if room == 0 {
                match stream.poll_capacity(cx) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Some(Ok(_))) => continue,
                    Poll::Ready(Some(Err(_)) | None) => return Err(Gone),
                }
            }
            let bytes = self.staged.split_to(room.min(self.staged.len())).freeze();
            let is_last = self.end == End::Staged && self.staged.is_empty();
            self.allowance.answered(bytes.len());
            stream.send_data(Chunk::new(bytes, &self.within), is_last).map_err(|_| Gone)?;
            if is_last {
                self.end = End::Sent;
            }
        }
        if self.end == End::Staged {
            stream.send_data(Chunk::new(Bytes::new(), &self.within), true).map_err(|_| Gone)?;
            self.end = End::Sent;
        }
        Ok(())
    }

    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // An error is the connection's end.
        match &mut self.answer {
            Answer::Waiting(respond) => respond.poll_reset(cx).map(drop),
            Answer::Open(stream) => stream.poll_reset(cx).map(drop),
        }
    }

    fn reset(&mut self, reason: Reason) {
        match &mut self.answer {
            Answer::Waiting(respond) => respond.send_reset(reason),
            Answer::Open(stream) => stream.send_reset(reason),
        }
    }
}

/// The stream, or its connection, has ended before the answer did.
#[derive(Debug)]
struct Gone;

impl Downstream for Client {
    fn poll_body(&mut self, cx: &mut Context<'_>, bytes: &mut Vec<u8>) -> Poll<Result<bool, BodyError>> {
        if std::mem::take(&mut self.expects_continue)
            && let Answer::Waiting(respond) = &mut self.answer
        {
            let mut interim = Response::new(());
            *interim.status_mut() = StatusCode::CONTINUE;
            // Refused only if the stream has ended, which is told below.
            let _ = respond.send_informational(interim);
        }
        bytes.reserve(std::mem::take(&mut self.room_hint));
        let before = bytes.len();
        while bytes.len() - before < BODY_TURN_BYTES {
            match self.body.poll_data(cx) {
                Poll::Ready(Some(Ok(data))) => {
                    bytes.extend_from_slice(&data);
                    // Fails only for more than was received.
                    let released = self.body.flow_control().release_capacity(data.len());
                    debug_assert!(released.is_ok());
                    if self.body.is_end_stream() {
                        return Poll::Ready(Ok(true));
                    }
                }
                Poll::Ready(None) => return Poll::Ready(Ok(true)),
                Poll::Ready(Some(Err(error))) => {
                    self.gone = true;
                    // h2 has reset a stream whose length was not what its head said.
                    let why = if error.is_library() { BodyError::Malformed } else { BodyError::Gone };
                    return Poll::Ready(Err(why));
                }
                Poll::Pending if bytes.len() > before => return Poll::Ready(Ok(false)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(false))
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.send(cx).is_err() || self.poll_reset(cx).is_ready() {
            self.gone = true;
            return Poll::Ready(());
        }
        // DATA after the end of the body would have ended the connection; there is nothing to drain.
        Poll::Pending
    }

    fn stage_head(&mut self, head: &ReplyHead<'_>) {
        self.head = Some(response(head));
    }

    fn stage(&mut self, bytes: &[u8]) {
        if !self.is_head && !self.gone {
            self.staged.extend_from_slice(bytes);
        }
    }

    fn stage_end(&mut self) {
        self.end = End::Staged;
    }

    /// What is staged, and what is with h2 but not written by the connection yet.
    fn staged_bytes(&self) -> usize {
        self.staged.len() + self.within.bytes.get()
    }

    /// Ready when the connection has written all of it, which is when no reset can take it back.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gone = || Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        if self.send(cx).is_err() || self.within.lost.get() {
            self.gone = true;
            return gone();
        }
        if self.staged_bytes() == 0 && self.end != End::Staged {
            return Poll::Ready(Ok(()));
        }
        self.within.watch(cx);
        // The window may never come, the stream end instead.
        match self.poll_reset(cx) {
            Poll::Ready(()) => {
                self.gone = true;
                gone()
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn abort(&mut self) {
        self.reset(Reason::INTERNAL_ERROR);
        self.gone = true;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let is_complete = self.end == End::Sent && self.within.bytes.get() == 0;
        // In a panic h2's lock may be poisoned: asking for it again would end the process. The connection ends anyway.
        if !is_complete && !std::thread::panicking() {
            // A stream that is dropped open is cancelled by h2 itself; one whose end it holds would wait for the client.
            self.reset(Reason::CANCEL);
        }
    }
}

/// An answer's head in the form that h2 takes.
fn response(head: &ReplyHead<'_>) -> Response<()> {
    let mut response = Response::new(());
    // An interim status, or none at all, is no answer.
    let status = StatusCode::from_u16(head.status).ok().filter(|status| !status.is_informational());
    *response.status_mut() = status.unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = response.headers_mut();
    headers.reserve(8);
    if let Ok(content_type) = HeaderValue::from_bytes(head.content_type) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    if let Some(length) = head.content_length.filter(|_| status != Some(StatusCode::NO_CONTENT)) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Ok(request_id) = HeaderValue::from_bytes(&head.request_id.text()) {
        headers.insert(const { HeaderName::from_static("x-request-id") }, request_id);
    }
    for (name, value) in head.lines.split(|byte| *byte == b'\n').filter_map(field) {
        headers.append(name, value);
    }
    response
}

/// A header line as HTTP/2 may carry it: one header that belongs to HTTP/1.1's connection, and h2 would refuse the whole answer.
fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = memchr::memchr(b':', line)?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    let of_connection = matches!(
        name.as_str(),
        "connection" | "transfer-encoding" | "upgrade" | "keep-alive" | "proxy-connection" | "te" | "content-length"
    );
    if of_connection {
        return None;
    }
    Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
}

/// What of one stream's answer is with h2. h2 tells only how much it would take, which is not the same.
#[derive(Default)]
struct Within {
    bytes: Cell<usize>,
    /// Some of them were dropped unsent.
    lost: Cell<bool>,
    watcher: RefCell<Option<Waker>>,
}

impl Within {
    /// The task of `cx` is woken when nothing is left.
    fn watch(&self, cx: &Context<'_>) {
        let mut watcher = self.watcher.borrow_mut();
        if !watcher.as_ref().is_some_and(|watcher| watcher.will_wake(cx.waker())) {
            *watcher = Some(cx.waker().clone());
        }
    }

    fn left(&self, count: usize) {
        self.bytes.set(self.bytes.get() - count);
        if count > 0
            && self.bytes.get() == 0
            && let Some(watcher) = &*self.watcher.borrow()
        {
            watcher.wake_by_ref();
        }
    }
}

/// Bytes of an answer on their way through h2.
struct Chunk {
    bytes: Bytes,
    within: Rc<Within>,
}

impl Chunk {
    fn new(bytes: Bytes, within: &Rc<Within>) -> Chunk {
        within.bytes.set(within.bytes.get() + bytes.len());
        Chunk { bytes, within: within.clone() }
    }
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.within.left(count);
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.within.lost.set(true);
            self.within.left(self.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests;
