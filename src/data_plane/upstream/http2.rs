//! HTTP/2 to a provider: a connection with its driver task, and calls on its streams.
//!
//! A connection is open once the peer has answered a first PING: its SETTINGS have arrived by then, so its stream limit is known, and it
//! has proved to speak HTTP/2. From then on the pool asks for its `room`. GOAWAY, an error or age retire it: running
//! calls go on, and the connection closes itself with the last of them.
//!
//! Sending obeys the peer's window: h2 would buffer without bound, so a body is handed over only as capacity is granted, at most
//! `H2_SEND_BUFFER_BYTES` ahead. Receiving is paced by the exchange: `consume` returns window to the peer.
//!
//! A call that fails before its answer's head may be tried elsewhere; after it the answer is `Truncated`. Dropping a call cancels
//! its stream at once (RST_STREAM CANCEL) and leaves the connection to the others.

mod heads;
mod upload;

use self::{
    heads::Heads,
    upload::{Body, Chunk},
};
use super::{Piece, UpstreamContext, UpstreamRequest, answer_head::AnswerHead};
use crate::{
    config::snapshot::{self, Endpoint},
    data_plane::{
        h2_io::{H2Io, Sender},
        transport::Transport,
    },
    error::Upstream,
    limits,
    rt::{self, Deadline},
    telemetry::cells::{Cell as Counter, Series},
};
use bytes::{Buf, Bytes};
use h2::{
    Ping, PingPong, Reason, RecvStream,
    client::{self, ResponseFuture, SendRequest},
};
use http::uri::{Authority, Scheme};
use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Instant,
};

/// One connection, as the pool and its calls see it.
pub struct Connection {
    context: Rc<UpstreamContext>,
    heads: RefCell<Heads>,
    /// `None` once it takes no more calls; h2 closes the connection when the last call has gone as well.
    sender: RefCell<Option<SendRequest<Chunk>>>,
    /// One that the last call has used, for the next: a clone and its end would take the connection's lock twice.
    spare: RefCell<Option<SendRequest<Chunk>>>,
    state: Cell<State>,
    /// Calls that exist.
    active: Cell<usize>,
    /// Streams that the peer allows, at most `H2_UPSTREAM_STREAMS_MAX`.
    streams_max: Cell<usize>,
    pub born_ms: u64,
    /// It has taken a call.
    served: Cell<bool>,
    pulse: Pulse,
    /// Tells the pool that room or state may have changed.
    on_change: Box<dyn Fn()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Takes calls.
    Open,
    /// Takes no more calls; those that run go on.
    Retiring,
    /// Gone, with every call on it.
    Dead,
}

/// Signs of life, and what the driver is asked to do about them.
struct Pulse {
    driver: RefCell<Option<Waker>>,
    received_bytes: Rc<Cell<u64>>,
    /// `received_bytes` at the last look.
    seen_bytes: Cell<u64>,
    /// When a look last found more bytes, by the shard's clock.
    heard_at_ms: Cell<u64>,
    /// When a PING was last asked for, by the shard's clock.
    pinged_at_ms: Cell<u64>,
    ping_wanted: Cell<bool>,
    /// When the PING under way was sent, by the system's clock: a round trip is shorter than a tick.
    ping_sent: Cell<Option<Instant>>,
    abort: Cell<bool>,
}

impl Connection {
    /// Speaks HTTP/2 over an established transport and waits for the answer to a first PING.
    ///
    /// # Errors
    /// `Connect` when the peer closes or does not speak HTTP/2, `ConnectTimeout` at the deadline.
    pub async fn open(
        mut transport: Transport,
        endpoint: &Endpoint,
        context: Rc<UpstreamContext>,
        deadline: &Deadline,
        on_change: impl Fn() + 'static,
    ) -> Result<Rc<Connection>, Upstream> {
        let authority = authority(endpoint).ok_or(Upstream::Connect)?;
        transport.expects_much();
        let mut io = H2Io::new(transport, Vec::new());
        let output = io.sender();
        let received_bytes = io.received_bytes();
        let mut shaking = pin!(builder().handshake::<_, Chunk>(io));
        let (sender, mut connection) = poll_fn(|cx| match shaking.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(done.map_err(|_| Upstream::Connect)),
            Poll::Pending => deadline.poll_due(cx).map(|()| Err(Upstream::ConnectTimeout)),
        })
        .await?;
        // The handle has to be taken before the task is started: it belongs to the connection until then.
        let mut pings = connection.ping_pong().ok_or(Upstream::Connect)?;
        let sent_at = Instant::now();
        pings.send_ping(Ping::opaque()).map_err(|_| Upstream::Connect)?;
        poll_fn(|cx| {
            if Pin::new(&mut connection).poll(cx).is_ready() || output.send(cx).is_err() {
                return Poll::Ready(Err(Upstream::Connect));
            }
            match pings.poll_pong(cx) {
                Poll::Ready(answer) => Poll::Ready(answer.map(drop).map_err(|_| Upstream::Connect)),
                Poll::Pending => deadline.poll_due(cx).map(|()| Err(Upstream::ConnectTimeout)),
            }
        })
        .await?;
        context.state.cells.record(Series::UpstreamRttUs, sent_at.elapsed().as_micros() as u64);

        let now_ms = context.deadlines.now_ms();
        let shared = Rc::new(Connection {
            heads: RefCell::new(Heads::new(if endpoint.key.tls { Scheme::HTTPS } else { Scheme::HTTP }, authority)),
            spare: RefCell::default(),
            state: Cell::new(State::Open),
            active: Cell::new(0),
            streams_max: Cell::new(streams_max(&sender)),
            sender: RefCell::new(Some(sender)),
            born_ms: now_ms,
            served: Cell::new(false),
            pulse: Pulse {
                driver: RefCell::new(None),
                received_bytes,
                seen_bytes: Cell::new(0),
                heard_at_ms: Cell::new(now_ms),
                pinged_at_ms: Cell::new(now_ms),
                ping_wanted: Cell::new(false),
                ping_sent: Cell::new(None),
                abort: Cell::new(false),
            },
            on_change: Box::new(on_change),
            context: context.clone(),
        });
        rt::spawn(Driver { connection, output, pings, shared: shared.clone() }, move || {
            context.state.cells.add(Counter::Panics, 1);
        });
        Ok(shared)
    }

    pub fn state(&self) -> State {
        self.state.get()
    }

    /// Calls that exist on it.
    pub fn active(&self) -> usize {
        self.active.get()
    }

    /// Streams that may be open at a time.
    pub fn streams_max(&self) -> usize {
        self.streams_max.get()
    }

    /// Calls that may be added now.
    #[inline]
    pub fn room(&self) -> usize {
        if self.state.get() == State::Open { self.streams_max.get().saturating_sub(self.active.get()) } else { 0 }
    }

    /// Reserves one stream, if there is room and the peer has not announced its leaving.
    pub fn lease(self: &Rc<Self>) -> Option<Lease> {
        if self.room() == 0 {
            return None;
        }
        // Never waits: a clone has no stream of its own pending. It says whether the connection still takes requests.
        let ready = |mut sender: SendRequest<Chunk>| {
            let ready = sender.poll_ready(&mut Context::from_waker(Waker::noop()));
            matches!(ready, Poll::Ready(Ok(()))).then_some(sender)
        };
        let spare = self.spare.take().and_then(ready);
        match spare.or_else(|| self.sender.borrow().clone().and_then(ready)) {
            Some(sender) => {
                self.active.set(self.active.get() + 1);
                self.served.set(true);
                Some(Lease { sender, slot: Slot(self.clone()) })
            }
            None => {
                self.retire();
                None
            }
        }
    }

    /// True once it has taken a call.
    pub fn has_served(&self) -> bool {
        self.served.get()
    }

    /// Takes no more calls from now on.
    pub fn retire(&self) {
        if self.state.get() == State::Open {
            self.state.set(State::Retiring);
        }
        // h2 closes the connection with the last of them.
        self.spare.take();
        let sender = self.sender.borrow_mut().take();
        if sender.is_some() {
            drop(sender);
            self.wake_driver();
            (self.on_change)();
        }
    }

    /// Looks at the connection's signs of life: probes it with PING each interval, busy or not (the round trip is a figure that
    /// routing wants), and gives it up when neither the answer nor anything else has come for the time-out.
    pub fn look_after(&self, now_ms: u64, pool: &snapshot::Pool) {
        let pulse = &self.pulse;
        let bytes = pulse.received_bytes.get();
        if pulse.seen_bytes.replace(bytes) != bytes {
            pulse.heard_at_ms.set(now_ms);
        }
        if pulse.ping_wanted.get() || pulse.ping_sent.get().is_some() {
            let quiet_since_ms = pulse.pinged_at_ms.get().max(pulse.heard_at_ms.get());
            if now_ms.saturating_sub(quiet_since_ms) >= pool.ping_timeout_ms && !pulse.abort.replace(true) {
                self.context.state.cells.add(Counter::UpstreamPingTimeouts, 1);
                self.wake_driver();
            }
        } else if now_ms.saturating_sub(pulse.pinged_at_ms.get()) >= pool.ping_interval_ms {
            pulse.pinged_at_ms.set(now_ms);
            pulse.ping_wanted.set(true);
            self.wake_driver();
        }
    }

    fn wake_driver(&self) {
        if let Some(waker) = &*self.pulse.driver.borrow() {
            waker.wake_by_ref();
        }
    }
}

fn builder() -> client::Builder {
    let mut builder = client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(limits::H2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::H2_CONNECTION_WINDOW_BYTES)
        .max_header_list_size(limits::H2_HEADER_LIST_BYTES_MAX)
        .max_concurrent_reset_streams(limits::H2_RESET_STREAMS_MAX)
        .max_send_buffer_size(limits::H2_SEND_BUFFER_BYTES);
    builder
}

fn streams_max(sender: &SendRequest<Chunk>) -> usize {
    sender.current_max_send_streams().min(limits::H2_UPSTREAM_STREAMS_MAX)
}

/// `host` or `host:port`, as the endpoint's requests name it.
fn authority(endpoint: &Endpoint) -> Option<Authority> {
    let key = &endpoint.key;
    let host = if key.host.contains(':') { format!("[{}]", key.host) } else { key.host.to_string() };
    let default_port = if key.tls { 443 } else { 80 };
    let authority = if key.port == default_port { host } else { format!("{host}:{}", key.port) };
    Authority::try_from(authority).ok()
}

/// The task that moves a connection's bytes. Its end, also by a panic, is the connection's end.
struct Driver {
    connection: client::Connection<H2Io, Chunk>,
    /// Sends what one poll of the connection has written, all at once.
    output: Sender,
    pings: PingPong,
    shared: Rc<Connection>,
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let shared = &*this.shared;
        let pulse = &shared.pulse;
        if !pulse.driver.borrow().as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *pulse.driver.borrow_mut() = Some(cx.waker().clone());
        }
        loop {
            if pulse.abort.get() {
                return Poll::Ready(());
            }
            // The peer that cannot be sent to has perhaps answered before: that was read first.
            let ended = Pin::new(&mut this.connection).poll(cx).is_ready() || this.output.send(cx).is_err();
            shared.look_at_peer(cx);
            if ended {
                return Poll::Ready(());
            }
            if let Some(sent_at) = pulse.ping_sent.get() {
                let answered = ready!(this.pings.poll_pong(cx)).is_ok();
                pulse.ping_sent.set(None);
                if !answered {
                    return Poll::Ready(());
                }
                shared.context.state.cells.record(Series::UpstreamRttUs, sent_at.elapsed().as_micros() as u64);
            } else if pulse.ping_wanted.take() {
                if this.pings.send_ping(Ping::opaque()).is_err() {
                    return Poll::Ready(());
                }
                // The next turn of the loop writes it out.
                pulse.ping_sent.set(Some(Instant::now()));
            } else {
                return Poll::Pending;
            }
        }
    }
}

impl Connection {
    /// Notices a new stream limit, and GOAWAY.
    fn look_at_peer(&self, cx: &mut Context<'_>) {
        let (streams_max, leaving) = match &mut *self.sender.borrow_mut() {
            None => return,
            Some(sender) => (streams_max(sender), sender.poll_ready(cx)),
        };
        let before = self.streams_max.replace(streams_max);
        match leaving {
            Poll::Ready(Err(error)) => {
                if error.is_go_away() && error.is_remote() {
                    self.context.state.cells.add(Counter::UpstreamGoaways, 1);
                }
                self.retire();
            }
            _ if before != streams_max => (self.on_change)(),
            _ => {}
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.state.set(State::Dead);
        self.shared.retire();
        (self.shared.on_change)();
    }
}

/// The right to one stream.
pub struct Lease {
    sender: SendRequest<Chunk>,
    slot: Slot,
}

/// Counts one call; gives its place back however the call ends.
struct Slot(Rc<Connection>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
        (self.0.on_change)();
    }
}

impl Lease {
    /// Stages the request on a stream of its own. Nothing is sent before the first poll; a failure shows there as well.
    pub fn call(mut self, request: UpstreamRequest<'_>) -> Call {
        let connection = &self.slot.0;
        let head = connection.heads.borrow_mut().head(&request).ok_or(Upstream::Connect);
        let has_no_body = request.body.length == Some(0);
        let started =
            head.and_then(|head| self.sender.send_request(head, has_no_body).map_err(|error| classify(&error, false)));
        let call = match started {
            Ok((response, stream)) => Call::new(Some(response), Body::start(request.body, stream), None, self.slot),
            Err(failure) => Call::new(None, Body::dropped(request.body), Some(failure), self.slot),
        };
        let connection = &call.slot.0;
        if connection.state.get() == State::Open {
            connection.spare.replace(Some(self.sender));
        }
        call
    }
}

/// One request and its answer. Dropping it cancels the stream unless both are complete.
pub struct Call {
    response: Option<ResponseFuture>,
    body: Body,
    /// The answer's body, once its head has come.
    answer: Option<RecvStream>,
    /// The present run of data.
    data: Bytes,
    interims: usize,
    /// Why nothing more can come.
    failure: Option<Upstream>,
    /// Dropped last: the place is free once the stream is closed or cancelled.
    slot: Slot,
}

impl Call {
    fn new(response: Option<ResponseFuture>, body: Body, failure: Option<Upstream>, slot: Slot) -> Call {
        Call { response, body, answer: None, data: Bytes::new(), interims: 0, failure, slot }
    }

    /// Ready when the answer's head is in `head`. Sends the body meanwhile; an answer may come before all of it was sent.
    ///
    /// # Errors
    /// `ResetBeforeAnswer` when the peer refused the stream or the connection ended, `BadResponse` when the answer is not HTTP/2.
    pub fn poll_head(&mut self, cx: &mut Context<'_>, head: &mut AnswerHead) -> Poll<Result<(), Upstream>> {
        self.body.poll_send(cx);
        let Some(response) = &mut self.response else {
            return Poll::Ready(Err(self.failure.clone().unwrap_or(Upstream::BadResponse)));
        };
        // Nothing there means no answer either, and the task has been noted.
        while let Some(interim) = ready!(response.poll_informational(cx)) {
            self.interims += 1;
            if interim.is_err() {
                break;
            }
            if self.interims > limits::INTERIM_ANSWERS_MAX {
                return Poll::Ready(Err(self.fail(Upstream::BadResponse)));
            }
        }
        match ready!(Pin::new(response).poll(cx)) {
            Ok(answer) => {
                head.begin(answer.status().as_u16());
                for (name, value) in answer.headers() {
                    head.header(name.as_str(), value.as_bytes());
                }
                self.response = None;
                self.answer = Some(answer.into_body());
                Poll::Ready(Ok(()))
            }
            Err(error) => Poll::Ready(Err(self.fail(classify(&error, false)))),
        }
    }

    /// Ready with `true` when `data` is not empty, with `false` at the clean end of the answer. Only after the head.
    ///
    /// # Errors
    /// `Truncated` when the stream or the connection broke, or the answer is not as long as it said.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Upstream>> {
        self.body.poll_send(cx);
        while self.data.is_empty() {
            let Some(answer) = &mut self.answer else {
                return Poll::Ready(self.failure.clone().map_or(Ok(false), Err));
            };
            match ready!(answer.poll_data(cx)) {
                Some(Ok(data)) => self.data = data,
                // Trailers, if any, carry nothing for us; h2 has seen the end of the stream with them.
                None => {
                    self.answer = None;
                    return Poll::Ready(Ok(false));
                }
                Some(Err(error)) => return Poll::Ready(Err(self.fail(classify(&error, true)))),
            }
        }
        Poll::Ready(Ok(true))
    }

    /// The present run of data.
    #[inline]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// True when nothing comes after the present run of data. Then the answer has ended.
    pub fn data_is_last(&mut self) -> bool {
        if self.answer.as_ref().is_some_and(RecvStream::is_end_stream) {
            // The end of the last handle returns the window, for the connection alone: the stream needs none.
            self.answer = None;
        }
        self.answer.is_none() && self.failure.is_none()
    }

    /// Done with the first `bytes` of it: the peer may send as many more.
    pub fn consume(&mut self, bytes: usize) {
        self.data.advance(bytes);
        if let Some(answer) = &mut self.answer {
            // Fails only for more than was received.
            let released = answer.flow_control().release_capacity(bytes);
            debug_assert!(released.is_ok());
        }
    }

    /// Ready when more of the body may be added. A peer that answers early or resets the stream makes it ready for good:
    /// what is added then is dropped, and `poll_head` tells why.
    ///
    /// # Errors
    /// When the request could not be started.
    pub fn poll_send_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Upstream>> {
        if let Some(failure) = &self.failure {
            return Poll::Ready(Err(failure.clone()));
        }
        self.body.poll_send(cx);
        if self.body.queued_bytes < limits::H2_SEND_BUFFER_BYTES { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Adds to a body that was not whole at the start.
    pub fn send_more(&mut self, bytes: Vec<u8>) {
        self.body.push(Piece::Owned(bytes));
    }

    /// Ends a body sent by `send_more`.
    pub fn end_body(&mut self) {
        self.body.whole = true;
    }

    /// True once the answer's head has come.
    pub fn sent_anything_back(&self) -> bool {
        self.answer.is_some() || self.response.is_none() && self.failure.is_none()
    }

    fn fail(&mut self, failure: Upstream) -> Upstream {
        self.response = None;
        self.answer = None;
        self.failure = Some(failure.clone());
        failure
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let complete = self.response.is_none() && self.answer.is_none() && self.body.is_sent;
        if let Some(stream) = self.body.stream.as_mut().filter(|_| !complete) {
            // Dropping the handles alone would let what h2 still holds of the body go first, and wait for window.
            stream.send_reset(Reason::CANCEL);
        }
    }
}

fn classify(error: &h2::Error, answered: bool) -> Upstream {
    if answered {
        Upstream::Truncated
    } else if error.is_library() {
        // h2 ended the stream or the connection because of what the peer had sent.
        Upstream::BadResponse
    } else {
        Upstream::ResetBeforeAnswer
    }
}

#[cfg(test)]
mod tests;
