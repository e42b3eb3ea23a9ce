//! HTTP/2: many exchanges at a time on one connection.
//!
//! The frames are `h2`'s, the wheel is ours: there is no runtime. `h2` reads and writes through the non-blocking transport,
//! and is polled when epoll says that the socket is ready or when something was begun. Its wakers note which stream has
//! news, so that a connection of many streams is not searched for the one that has. So both protocols share one
//! schedule, one meter and one idea of being late.
//!
//! Streams beyond what the server allows wait inside `h2`, all of them until it has said how many that is: `service_us` shows it, as
//! does `latency_us`.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::body::Body;
use super::connection::{Begun, Fate, Turn};
use super::exchange::{Exchange, Rules};
use super::transport::Transport;

/// What a stream and a connection may send before we say more: no answer waits for us.
const STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 64 * 1024 * 1024;

pub(super) struct Http2 {
    pub transport: Rc<RefCell<Transport>>,
    connection: h2::client::Connection<Io, Bytes>,
    waker: Waker,
    news: Arc<News>,
    places: Vec<Place>,
    free: Vec<usize>,
    is_gone: bool,
}

/// Room for one stream.
struct Place {
    /// Each its own: a handle remembers whether its last stream still waits to be opened.
    sender: SendRequest<Bytes>,
    waker: Waker,
    body: Body,
    stream: Option<Stream>,
}

struct Stream {
    exchange: Exchange,
    phase: Phase,
    /// Dropped with the rest: before the answer's end that resets the stream.
    _upload: SendStream<Bytes>,
}

enum Phase {
    Head(ResponseFuture),
    Body(u16, RecvStream),
}

/// What `h2` has to say since it was last asked.
#[derive(Default)]
struct News {
    connection: AtomicBool,
    /// Never contended: wakers are called on our own thread, where `h2` is polled. A waker must be `Send` all the same.
    places: Mutex<Vec<usize>>,
}

struct ConnectionWaker(Arc<News>);

struct PlaceWaker {
    news: Arc<News>,
    place: usize,
}

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        self.0.connection.store(true, Relaxed);
    }
}

impl Wake for PlaceWaker {
    fn wake(self: Arc<Self>) {
        self.news.places().push(self.place);
    }
}

impl News {
    fn places(&self) -> std::sync::MutexGuard<'_, Vec<usize>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Http2 {
    pub fn open(transport: Transport, rules: &Rules, streams: usize) -> io::Result<Self> {
        let transport = Rc::new(RefCell::new(transport));
        let news = Arc::new(News::default());
        let waker = Waker::from(Arc::new(ConnectionWaker(Arc::clone(&news))));
        let mut builder = Builder::new();
        builder
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            // Until the server has said how many it allows: what goes beyond that is refused.
            .initial_max_send_streams(0)
            .enable_push(false);
        let mut handshake = Box::pin(builder.handshake(Io(Rc::clone(&transport))));
        // It writes the preface and waits for nothing; a fresh socket, or TLS, takes that at once.
        let Poll::Ready(made) = handshake.as_mut().poll(&mut Context::from_waker(&waker)) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let (sender, connection) = made.map_err(io::Error::other)?;
        let places = (0..streams).map(|place| Place {
            sender: sender.clone(),
            waker: Waker::from(Arc::new(PlaceWaker { news: Arc::clone(&news), place })),
            body: rules.body(),
            stream: None,
        });
        Ok(Self {
            transport,
            connection,
            waker,
            places: places.collect(),
            free: (0..streams).rev().collect(),
            news,
            is_gone: false,
        })
    }

    pub fn busy(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub fn begin(&mut self, due: Instant, now: Instant, turn: &mut Turn) -> Begun {
        let Some(index) = self.free.pop() else {
            return Begun::Refused;
        };
        let place = &mut self.places[index];
        let (head, body) = turn.requests.next_h2();
        let has_no_body = body.is_empty();
        let ready = place.sender.poll_ready(&mut Context::from_waker(&place.waker));
        let sent = match ready {
            Poll::Ready(Ok(())) => place.sender.send_request(head, has_no_body).ok(),
            _ => None,
        };
        let Some((response, mut upload)) = sent else {
            // GOAWAY has come, or the connection has died.
            self.free.push(index);
            return Begun::Refused;
        };
        place.body.clear();
        place.stream = Some(Stream {
            exchange: Exchange::new(due, now),
            phase: Phase::Head(response),
            _upload: {
                // Kept by `h2` until windows allow it; a refusal shows in the answer.
                if !has_no_body {
                    let _ = upload.send_data(body, true);
                }
                upload
            },
        });
        // Its first poll registers the waker.
        self.news.places().push(index);
        Begun::Yes
    }

    pub fn serve(&mut self, turn: &mut Turn) -> Fate {
        self.transport.borrow_mut().wake();
        loop {
            self.news.connection.store(false, Relaxed);
            let mut context = Context::from_waker(&self.waker);
            if !self.is_gone && Pin::new(&mut self.connection).poll(&mut context).is_ready() {
                self.is_gone = true;
            }
            let woken = std::mem::take(&mut *self.news.places());
            for index in &woken {
                self.advance(*index, turn);
            }
            if self.is_gone {
                self.abandon("closed", turn);
                return Fate::Gone;
            }
            let rests = woken.is_empty() && !self.news.connection.load(Relaxed);
            // The list's room is used again.
            let mut places = self.news.places();
            if places.is_empty() {
                *places = woken;
                places.clear();
            }
            if rests {
                return Fate::Open;
            }
        }
    }

    /// Takes what has come for one stream.
    fn advance(&mut self, index: usize, turn: &mut Turn) {
        let place = &mut self.places[index];
        let mut context = Context::from_waker(&place.waker);
        loop {
            let Some(stream) = &mut place.stream else {
                return;
            };
            match &mut stream.phase {
                Phase::Head(response) => match Pin::new(response).poll(&mut context) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(answer)) => {
                        let (head, body) = answer.into_parts();
                        let kind = head.headers.get(http::header::CONTENT_TYPE);
                        if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
                            place.body.set_stream();
                        }
                        stream.phase = Phase::Body(head.status.as_u16(), body);
                    }
                    Poll::Ready(Err(error)) => {
                        let kind = if error.is_reset() { "reset" } else { "closed" };
                        turn.meter.failed(stream.exchange.due, kind);
                        break;
                    }
                },
                Phase::Body(status, answer) => match answer.poll_data(&mut context) {
                    Poll::Pending => return,
                    Poll::Ready(Some(Ok(data))) => {
                        // Refused only for a stream that is over: then nobody waits for it.
                        let _ = answer.flow_control().release_capacity(data.len());
                        stream.exchange.note(place.body.feed(&data), &mut turn.meter);
                        if turn.rules.leaves(&stream.exchange, &place.body) && !answer.is_end_stream() {
                            turn.meter.left(&stream.exchange);
                            break;
                        }
                    }
                    Poll::Ready(Some(Err(error))) => {
                        let kind = if error.is_reset() { "reset" } else { "cut" };
                        turn.meter.failed(stream.exchange.due, kind);
                        break;
                    }
                    Poll::Ready(None) => {
                        let (status, now) = (*status, Instant::now());
                        turn.rules.settle(&stream.exchange, status, &mut place.body, &mut turn.meter, now);
                        break;
                    }
                },
            }
        }
        place.stream = None;
        self.free.push(index);
        turn.ended += 1;
    }

    pub fn abandon(&mut self, kind: &str, turn: &mut Turn) {
        for (index, place) in self.places.iter_mut().enumerate() {
            if let Some(stream) = place.stream.take() {
                turn.meter.failed(stream.exchange.due, kind);
                turn.ended += 1;
                self.free.push(index);
            }
        }
    }
}

/// The transport as `h2` wants it. Nobody is woken: epoll is what wakes us.
struct Io(Rc<RefCell<Transport>>);

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let outcome = self.0.borrow_mut().read(buffer.initialize_unfilled());
        pending(outcome.map(|count| buffer.advance(count)))
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        pending(self.0.borrow_mut().write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0.borrow_mut().flush() {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

fn pending<T>(outcome: io::Result<T>) -> Poll<io::Result<T>> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        other => Poll::Ready(other),
    }
}
