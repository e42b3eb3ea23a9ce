//! One connection of the fast mode: what it has to send, how it is read, and which protocol it turns out to speak.
//!
//! Its socket is watched edge-triggered for everything at once, so that the epoll set is told of it only once. Whatever stops the reading
//! before the socket is empty (what is unsent, a paced stream) must therefore go on by itself: `serve` begins with what is left over.
//!
//! An exchange has ended when its answer has gone out; what is under way when the connection ends was cancelled.

use std::io::ErrorKind;
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::http1::Http1;
use super::http2::Http2;
use super::pace::{Pace, Whose};
use super::{Fast, FastOptions};
use crate::load::transport::Transport;
use crate::sim::exchange::Shared;

/// Bytes that nobody can read as a request. The client causes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What a connection is served with.
pub(super) struct Serving<'a> {
    pub fast: &'a Fast,
    pub shared: &'a Shared,
    pub pace: &'a mut Pace,
    /// What is to be sent.
    pub out: &'a mut Vec<u8>,
    /// Exchanges whose answers end with what is in `out`.
    pub ended: &'a mut usize,
    place: usize,
    serial: u64,
}

impl Serving<'_> {
    pub fn upload(&self, bytes: usize) {
        self.shared.counters.upload_bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Content events that are being sent.
    pub fn events(&self, count: usize) {
        self.shared.counters.content_events.fetch_add(count as u64, Relaxed);
    }

    pub fn wait(&mut self, due: Instant, stream: u32) {
        self.pace.add(due, Whose { place: self.place, serial: self.serial, stream });
    }
}

/// How far a paced stream has come. Times count from its start, so that late wake-ups do not add up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paced {
    start: Instant,
    sent: usize,
}

impl Paced {
    pub fn new(start: Instant) -> Self {
        Self { start, sent: 0 }
    }

    /// The events that are due by now.
    pub fn take(&mut self, now: Instant, options: FastOptions) -> Range<usize> {
        let begin = self.sent;
        while self.next(options).is_some_and(|due| due <= now) {
            self.sent += 1;
        }
        begin..self.sent
    }

    /// When the next event is due; nothing after the last.
    pub fn next(&self, options: FastOptions) -> Option<Instant> {
        let index = u32::try_from(self.sent).unwrap_or(u32::MAX);
        (self.sent < options.chunks).then(|| self.start + options.gap.saturating_mul(index))
    }
}

/// What all connections of a wheel share.
pub(super) struct Turn<'a> {
    pub fast: &'a Fast,
    pub shared: &'a Shared,
    pub pace: &'a mut Pace,
    pub buffer: &'a mut [u8],
}

/// What became of a connection that was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Fate {
    Open,
    Gone,
}

pub(super) struct Connection {
    transport: Transport,
    place: usize,
    pub serial: u64,
    protocol: Protocol,
    /// Whether the TLS handshake is still to be counted.
    is_handshaking: bool,
    out: Vec<u8>,
    written: usize,
    ended: usize,
    /// Reading stopped before the socket was empty.
    is_unread: bool,
}

enum Protocol {
    /// As long as too little has come to tell.
    Undecided(Vec<u8>),
    Http1(Http1),
    /// Boxed: it is several times the size of the other.
    Http2(Box<Http2>),
}

/// What a client of HTTP/2 says first. No HTTP/1.1 method begins like it.
const HTTP2_BEGINS: &[u8] = b"PRI ";

/// Room of an answer that is kept for the next one.
const OUT_BYTES_KEPT: usize = 64 * 1024;

impl Connection {
    pub fn new(transport: Transport, place: usize, serial: u64, http2: bool, shared: &Shared) -> Self {
        let is_handshaking = transport.session().is_some();
        let mut connection = Self {
            transport,
            place,
            serial,
            protocol: Protocol::Undecided(Vec::new()),
            is_handshaking,
            out: Vec::new(),
            written: 0,
            ended: 0,
            is_unread: false,
        };
        if !http2 && !is_handshaking {
            connection.speak(false, shared);
        }
        connection
    }

    fn speak(&mut self, http2: bool, shared: &Shared) {
        let counters = &shared.counters;
        counters.count(if http2 { &counters.h2_connections } else { &counters.h1_connections });
        self.protocol = match http2 {
            true => Protocol::Http2(Box::new(Http2::open(&mut self.out))),
            false => Protocol::Http1(Http1::default()),
        };
    }

    /// Reads and writes what the socket has and takes. `is_ending`: the client has said that it sends no more, or is gone.
    pub fn serve(&mut self, turn: &mut Turn, is_ending: bool) -> Fate {
        self.transport.wake();
        if is_ending && matches!(&self.protocol, Protocol::Http1(http1) if http1.is_streaming()) {
            return Fate::Gone;
        }
        let mut is_drained = false;
        loop {
            match self.flush(turn.shared) {
                Ok(true) => {}
                Ok(false) => {
                    self.is_unread |= !is_drained;
                    return Fate::Open;
                }
                Err(Left) => return Fate::Gone,
            }
            if let Protocol::Http1(http1) = &self.protocol {
                if http1.closes {
                    return Fate::Gone;
                }
                if http1.has_backlog() {
                    if self.feed(&[], turn).is_err() {
                        return Fate::Gone;
                    }
                    continue;
                }
                if http1.is_streaming() {
                    self.is_unread |= !is_drained;
                    return Fate::Open;
                }
            }
            if is_drained {
                return Fate::Open;
            }
            self.is_unread = false;
            let count = match self.transport.read(turn.buffer) {
                Ok(0) => return Fate::Gone,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.after_handshake(turn.shared);
                    return Fate::Open;
                }
                Err(_) => return Fate::Gone,
            };
            self.after_handshake(turn.shared);
            is_drained = count < turn.buffer.len() && self.transport.is_plain() && !is_ending;
            let buffer = std::mem::take(&mut turn.buffer);
            let fed = self.feed(&buffer[..count], turn);
            turn.buffer = buffer;
            if fed.is_err() {
                return Fate::Gone;
            }
        }
    }

    /// A paced stream's time has come.
    pub fn on_due(&mut self, stream: u32, now: Instant, turn: &mut Turn) {
        let (protocol, mut serving) = self.serving(turn);
        match protocol {
            Protocol::Undecided(_) => {}
            Protocol::Http1(http1) => http1.on_due(now, &mut serving),
            Protocol::Http2(http2) => http2.on_due(stream, now, &mut serving),
        }
    }

    /// Sends what that brought.
    pub fn after_due(&mut self, turn: &mut Turn) -> Fate {
        let has_backlog = matches!(&self.protocol, Protocol::Http1(http1) if http1.has_backlog());
        if self.is_unread || has_backlog {
            return self.serve(turn, false);
        }
        match self.flush(turn.shared) {
            Ok(_) => Fate::Open,
            Err(Left) => Fate::Gone,
        }
    }

    /// Counts what its end means.
    pub fn close(self, shared: &Shared) {
        let counters = &shared.counters;
        if self.is_handshaking {
            counters.count(&counters.tls_failures);
        }
        let under_way = match &self.protocol {
            Protocol::Undecided(_) => 0,
            Protocol::Http1(http1) => usize::from(http1.is_busy()),
            Protocol::Http2(http2) => http2.busy(),
        };
        for _ in 0..self.ended + under_way {
            counters.exchange_ends(true);
        }
        counters.connection_closed();
    }

    fn after_handshake(&mut self, shared: &Shared) {
        let Some(session) = self.transport.session().filter(|session| self.is_handshaking && !session.is_handshaking())
        else {
            return;
        };
        let counters = &shared.counters;
        if session.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
            counters.count(&counters.tls_resumed);
        }
        counters.count(&counters.tls_handshakes);
        let http2 = session.alpn_protocol() == Some(b"h2");
        self.is_handshaking = false;
        self.speak(http2, shared);
    }

    fn serving<'a>(&'a mut self, turn: &'a mut Turn) -> (&'a mut Protocol, Serving<'a>) {
        let serving = Serving {
            fast: turn.fast,
            shared: turn.shared,
            pace: turn.pace,
            out: &mut self.out,
            ended: &mut self.ended,
            place: self.place,
            serial: self.serial,
        };
        (&mut self.protocol, serving)
    }

    fn feed(&mut self, data: &[u8], turn: &mut Turn) -> Result<(), Malformed> {
        if let Protocol::Undecided(first) = &mut self.protocol {
            first.extend_from_slice(data);
            let compared = first.len().min(HTTP2_BEGINS.len());
            let may_be = first[..compared] == HTTP2_BEGINS[..compared];
            if may_be && compared < HTTP2_BEGINS.len() {
                return Ok(());
            }
            let first = std::mem::take(first);
            self.speak(may_be, turn.shared);
            return self.feed(&first, turn);
        }
        let (protocol, mut serving) = self.serving(turn);
        match protocol {
            Protocol::Undecided(_) => Ok(()),
            Protocol::Http1(http1) => http1.feed(data, &mut serving),
            Protocol::Http2(http2) => http2.feed(data, &mut serving),
        }
    }

    /// Whether all has gone out.
    fn flush(&mut self, shared: &Shared) -> Result<bool, Left> {
        while self.written < self.out.len() {
            match self.transport.write(&self.out[self.written..]) {
                Ok(0) => return Err(Left),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(_) => return Err(Left),
            }
        }
        if !self.transport.flush().map_err(|_| Left)? {
            return Ok(false);
        }
        self.written = 0;
        self.out.clear();
        if self.out.capacity() > OUT_BYTES_KEPT {
            self.out.shrink_to(OUT_BYTES_KEPT);
        }
        for _ in 0..std::mem::take(&mut self.ended) {
            shared.counters.exchange_ends(false);
        }
        Ok(true)
    }
}

/// The client has left.
struct Left;
