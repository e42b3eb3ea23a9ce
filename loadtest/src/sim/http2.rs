//! HTTP/2 by the `h2` crate, with a task per stream.
//!
//! A stream's task reads the body, plays the steps and watches for RST_STREAM while it waits; a connection that dies resets
//! all its streams. What a step does to the whole connection (GOAWAY, FIN, RST) goes to the connection's task as an
//! `Order`. Waiting for the client's window counts as back-pressure, not as silence.
//!
//! Not played here, because only HTTP/1.1 has it: heads in trickles, broken chunks, doubled lengths and the other framing
//! faults. `pieces` cuts DATA frames. A limit on streams that is announced later is announced only: `h2` does not refuse what
//! goes beyond it, `Stats::in_flight_max` shows it.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderName, HeaderValue, Response};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep;

use super::answer::Request;
use super::exchange::{Origin, Shared, upload_pace};
use super::frames::{Framed, Queue};
use super::io::Io;
use super::play::{After, GoAway, Head, Play, Step};
use super::script::Connection;
use crate::limits::REQUEST_BODY_BYTES_MAX;

/// What a stream's task asks of its connection. Bounded by the streams: each asks a handful of times.
enum Order {
    GoAway(GoAway, u32),
    LimitStreams(u32),
    Freeze,
    Close,
}

/// How long a frozen connection is kept.
const FROZEN: Duration = Duration::from_secs(600);

const USUAL_WINDOW_BYTES: u32 = 1 << 20;

pub(crate) async fn serve(io: Io, shared: Arc<Shared>, connection: u64, rules: Connection) {
    shared.counters.count(&shared.counters.h2_connections);
    let queue = Queue::default();
    let mut window = rules.initial_window_bytes.unwrap_or(USUAL_WINDOW_BYTES);
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(window)
        .initial_connection_window_size(16 * USUAL_WINDOW_BYTES)
        .max_send_buffer_size(1 << 20)
        // A slow upload in small frames is a fault that is to be played, not punished.
        .data_frame_budget(usize::MAX >> 1)
        .max_header_list_size(256 * 1024);
    if let Some(streams) = rules.max_concurrent_streams {
        builder.max_concurrent_streams(streams);
    }
    let framed = Framed::new(io, queue.clone());
    let Ok(mut server) = builder.handshake::<_, Bytes>(framed).await else {
        return;
    };
    let (orders, mut incoming_orders): (UnboundedSender<Order>, UnboundedReceiver<Order>) = unbounded_channel();
    let window_opens = rules.window_opens_after_ms.map(Duration::from_millis);
    let mut opening = std::pin::pin!(async move {
        match window_opens {
            Some(time) => sleep(time).await,
            None => std::future::pending().await,
        }
    });
    let mut opened = false;
    let mut nth = 0;
    loop {
        tokio::select! {
            incoming = server.accept() => {
                let Some(Ok((request, mut respond))) = incoming else {
                    return;
                };
                nth += 1;
                if nth <= rules.refuse_first_streams {
                    shared.counters.fault("refuse_stream");
                    respond.send_reset(Reason::REFUSED_STREAM);
                    continue;
                }
                let origin = Origin { protocol: "HTTP/2", connection, nth };
                let stream = Stream {
                    shared: Arc::clone(&shared),
                    orders: orders.clone(),
                    origin,
                    id: respond.stream_id().as_u32(),
                };
                tokio::spawn(stream.serve(request, respond));
                if rules.goaway_after_requests == Some(nth) {
                    shared.counters.fault("goaway");
                    server.graceful_shutdown();
                }
            }
            Some(order) = incoming_orders.recv() => match order {
                Order::GoAway(GoAway::Graceful, _) => server.graceful_shutdown(),
                Order::GoAway(GoAway::Abrupt, _) => server.abrupt_shutdown(Reason::INTERNAL_ERROR),
                Order::GoAway(GoAway::Below, id) => queue.go_away(id.saturating_sub(2)),
                Order::LimitStreams(streams) => {
                    queue.limit_streams(streams);
                    // What it says is not the point: it makes `h2` send the frame that the limit rides on.
                    if server.set_initial_window_size(window).is_err() {
                        return;
                    }
                }
                // Not being polled is what makes it silent. It ends with the simulator, or at last by itself: without
                // reading there is no way to see that the client has left.
                Order::Freeze => return sleep(FROZEN).await,
                Order::Close => return,
            },
            () = &mut opening, if !opened => {
                opened = true;
                window = USUAL_WINDOW_BYTES;
                if server.set_initial_window_size(window).is_err() {
                    return;
                }
            }
        }
    }
}

struct Stream {
    shared: Arc<Shared>,
    orders: UnboundedSender<Order>,
    origin: Origin,
    id: u32,
}

/// The client left, or the connection died.
struct Left;

impl From<h2::Error> for Left {
    fn from(_: h2::Error) -> Self {
        Left
    }
}

impl Stream {
    async fn serve(self, request: http::Request<RecvStream>, respond: SendResponse<Bytes>) {
        let (parts, body) = request.into_parts();
        let mut headers: Vec<(String, String)> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        if let Some(authority) = parts.uri.authority() {
            headers.push(("host".to_owned(), authority.to_string()));
        }
        let request = Request {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or("").to_owned(),
            headers,
            body: Bytes::new(),
        };
        if request.path.starts_with("/sim/") {
            // A client that leaves during a control request has nothing to be told.
            let _ = self.control(request, body, respond).await;
            return;
        }
        self.shared.counters.exchange_begins();
        let outcome = self.exchange(request, body, respond).await;
        self.shared.counters.exchange_ends(outcome.is_err());
    }

    async fn control(&self, mut request: Request, body: RecvStream, respond: SendResponse<Bytes>) -> Result<(), Left> {
        request.body = self.read_body(BytesMut::new(), body, None).await?;
        let Some(reply) = self.shared.control(&request) else {
            return Ok(());
        };
        let mut random = super::latency::Random::new(0);
        let play = Play::of(&reply, &Default::default(), &Default::default(), &mut random);
        self.play(&play, respond).await
    }

    async fn exchange(
        &self,
        mut request: Request,
        mut body: RecvStream,
        respond: SendResponse<Bytes>,
    ) -> Result<(), Left> {
        let mut first = BytesMut::new();
        if !body.is_end_stream()
            && let Some(piece) = body.data().await
        {
            let piece = piece?;
            body.flow_control().release_capacity(piece.len())?;
            first.extend_from_slice(&piece);
        }
        let mut early = None;
        if self.shared.decides_early(&request, &first) {
            let decision = self.shared.decide(&request, &first);
            if let Ok(decision) = &decision
                && let Some(play) = self.shared.play_early(&request, decision)
            {
                self.shared.remember(&request, self.origin);
                return self.play(&play, respond).await;
            }
            early = Some(decision);
        }
        let pace = early.as_ref().and_then(|early| early.as_ref().ok()).and_then(upload_pace);
        match self.read_body(first, body, pace).await {
            Ok(body) => request.body = body,
            Err(left) => {
                self.shared.remember(&request, self.origin);
                self.shared.counters.count(&self.shared.counters.uploads_cut);
                return Err(left);
            }
        }
        self.shared.counters.upload_bytes.fetch_add(request.body.len() as u64, Relaxed);
        self.shared.remember(&request, self.origin);
        let decision = match early {
            Some(decision) => decision,
            None => self.shared.decide(&request, &request.body),
        };
        let play = self.shared.play(&request, decision);
        drop(request);
        self.play(&play, respond).await?;
        if play.after != After::KeepAlive {
            // The connection's task may be gone already, which is what was asked for.
            self.let_out().await;
            let _ = self.orders.send(Order::Close);
        }
        Ok(())
    }

    async fn read_body(&self, mut body: BytesMut, mut stream: RecvStream, pace: Option<u64>) -> Result<Bytes, Left> {
        while let Some(piece) = stream.data().await {
            let piece = piece?;
            if let Some(per_second) = pace {
                // The window opens as slowly as the body is read.
                sleep(Duration::from_secs_f64(piece.len() as f64 / per_second as f64)).await;
            }
            stream.flow_control().release_capacity(piece.len())?;
            if body.len() + piece.len() > REQUEST_BODY_BYTES_MAX {
                return Err(Left);
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }

    async fn play(&self, play: &Play, mut respond: SendResponse<Bytes>) -> Result<(), Left> {
        let mut out: Option<SendStream<Bytes>> = None;
        let mut steps = play.steps.iter().peekable();
        while let Some(step) = steps.next() {
            match step {
                Step::Wait(time) => self.wait(Some(*time), &mut respond, out.as_mut()).await?,
                Step::Freeze => {
                    let _ = self.orders.send(Order::Freeze);
                    return self.wait(None, &mut respond, out.as_mut()).await;
                }
                Step::Hang => return self.wait(None, &mut respond, out.as_mut()).await,
                Step::Informational(count) => {
                    for _ in 0..*count {
                        let mut hint = Response::new(());
                        *hint.status_mut() = http::StatusCode::EARLY_HINTS;
                        respond.send_informational(hint)?;
                        tokio::task::yield_now().await;
                    }
                }
                Step::Head(head) => {
                    let ends = steps.peek() == Some(&&Step::End);
                    out = Some(respond.send_response(response(head), ends)?);
                    if ends {
                        return Ok(());
                    }
                }
                Step::Data { bytes, content } => {
                    let Some(out) = out.as_mut() else { continue };
                    let ends = steps.peek() == Some(&&Step::End);
                    self.send(out, bytes.clone(), ends, play.piece_bytes).await?;
                    if *content {
                        self.shared.counters.content_events.fetch_add(1, Relaxed);
                    }
                    if ends {
                        return Ok(());
                    }
                }
                Step::End => {
                    if let Some(out) = out.as_mut() {
                        out.send_data(Bytes::new(), true)?;
                    }
                    return Ok(());
                }
                Step::Reset(code) => {
                    self.let_out().await;
                    let reason = Reason::from(*code);
                    match out.as_mut() {
                        Some(out) => out.send_reset(reason),
                        None => respond.send_reset(reason),
                    }
                    return Ok(());
                }
                Step::Close => {
                    self.let_out().await;
                    let _ = self.orders.send(Order::Close);
                    return Ok(());
                }
                Step::LimitStreams(streams) => {
                    let _ = self.orders.send(Order::LimitStreams(*streams));
                }
                Step::GoAway(kind) => {
                    let _ = self.orders.send(Order::GoAway(*kind, self.id));
                }
            }
        }
        Ok(())
    }

    async fn send(
        &self,
        out: &mut SendStream<Bytes>,
        mut bytes: Bytes,
        ends: bool,
        piece: Option<usize>,
    ) -> Result<(), Left> {
        while !bytes.is_empty() {
            out.reserve_capacity(piece.map_or(bytes.len(), |piece| piece.min(bytes.len())));
            let capacity = poll_fn(|cx| {
                if let Poll::Ready(outcome) = out.poll_reset(cx) {
                    return Poll::Ready(outcome.map(|_| 0));
                }
                match out.poll_capacity(cx) {
                    Poll::Ready(Some(outcome)) => Poll::Ready(outcome),
                    Poll::Ready(None) => Poll::Ready(Ok(0)),
                    Poll::Pending => Poll::Pending,
                }
            })
            .await?;
            if capacity == 0 {
                return Err(Left);
            }
            let now = bytes.split_to(capacity.min(bytes.len()).min(piece.unwrap_or(usize::MAX)));
            out.send_data(now, ends && bytes.is_empty())?;
            if piece.is_some() {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// Gives what was sent before the time to reach the wire. A reset drops what is still queued, and `h2` does not say when
    /// the queue is empty; the connection's task writes at its next turn, and a millisecond has many of those.
    async fn let_out(&self) {
        sleep(Duration::from_millis(1)).await;
    }

    /// Waits, for ever without a time, unless the client resets the stream or the connection dies.
    async fn wait(
        &self,
        time: Option<Duration>,
        respond: &mut SendResponse<Bytes>,
        out: Option<&mut SendStream<Bytes>>,
    ) -> Result<(), Left> {
        let reset = async {
            match out {
                Some(out) => poll_fn(|cx| out.poll_reset(cx)).await,
                None => poll_fn(|cx| respond.poll_reset(cx)).await,
            }
        };
        match time {
            Some(time) => tokio::select! {
                () = sleep(time) => Ok(()),
                _ = reset => Err(Left),
            },
            None => {
                // Either way the stream is over.
                let _ = reset.await;
                Err(Left)
            }
        }
    }
}

fn response(head: &Head) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(head.status).unwrap_or_default();
    for (name, value) in &head.headers {
        // Names are our own constants; a value that HTTP/2 cannot carry is left out.
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    if let Some(length) = head.length {
        response.headers_mut().insert("content-length", HeaderValue::from(length));
    }
    response
}
