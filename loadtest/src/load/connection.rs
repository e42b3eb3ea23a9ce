//! One connection, of either protocol, as the wheel sees it: it takes exchanges, and is served when its socket is ready.

use std::io;
use std::time::Instant;

use super::exchange::Rules;
use super::http1::Http1;
use super::http2::Http2;
use super::meter::Meter;
use super::options::Protocol;
use super::request::Requests;
use super::transport::{Transport, Wire};

#[expect(clippy::large_enum_variant, reason = "HTTP/1.1 is the fast path, and has no pointer to follow")]
pub(super) enum Connection {
    Http1(Http1),
    /// Boxed: it is several times the size of the other.
    Http2(Box<Http2>),
}

/// What all connections of a wheel are served with.
pub(super) struct Turn {
    pub meter: Meter,
    pub rules: Rules,
    pub requests: Requests,
    pub buffer: Vec<u8>,
    /// Exchanges that ended, one way or another, since it was last set to zero: so many places are free again.
    pub ended: usize,
    /// When the last of them did.
    pub ended_at: Option<Instant>,
}

/// What became of a connection that was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Fate {
    Open,
    /// It is of no use any more, and carries nothing.
    Gone,
}

/// Whether an exchange was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Begun {
    Yes,
    /// It was, and went wrong at once; that is counted.
    Failed,
    /// The peer has said that this connection takes no more. Nothing was sent.
    Refused,
}

impl Connection {
    /// `await_handshake`: before anything is measured it is waited for; later it must not hold up the others.
    pub fn open(wire: &Wire, protocol: Protocol, rules: &Rules, await_handshake: bool) -> io::Result<Self> {
        let mut transport = wire.connect()?;
        if await_handshake {
            let agreed = transport.handshake()?;
            let wanted: &[u8] = match protocol {
                Protocol::Http1 => b"http/1.1",
                Protocol::Http2 { .. } => b"h2",
            };
            // A server without ALPN speaks HTTP/1.1.
            let is_agreed = agreed.as_deref().map_or(protocol == Protocol::Http1, |agreed| agreed == wanted);
            if wire.tls.is_some() && !is_agreed {
                return Err(io::Error::other("the target does not offer this protocol by ALPN"));
            }
        }
        Ok(match protocol {
            Protocol::Http1 => Connection::Http1(Http1::new(transport, rules)),
            Protocol::Http2 { streams_per_connection } => {
                Connection::Http2(Box::new(Http2::open(transport, rules, streams_per_connection)?))
            }
        })
    }

    pub fn with_transport<T>(&mut self, look: impl FnOnce(&mut Transport) -> T) -> T {
        match self {
            Connection::Http1(connection) => look(&mut connection.transport),
            Connection::Http2(connection) => look(&mut connection.transport.borrow_mut()),
        }
    }

    pub fn begin(&mut self, due: Instant, now: Instant, turn: &mut Turn) -> Begun {
        match self {
            Connection::Http1(connection) => connection.begin(due, now, turn),
            Connection::Http2(connection) => connection.begin(due, now, turn),
        }
    }

    pub fn serve(&mut self, turn: &mut Turn) -> Fate {
        match self {
            Connection::Http1(connection) => connection.serve(turn),
            Connection::Http2(connection) => connection.serve(turn),
        }
    }

    /// Counts what it carries as gone wrong, before it is closed.
    pub fn abandon(&mut self, kind: &str, turn: &mut Turn) {
        match self {
            Connection::Http1(connection) => connection.abandon(kind, turn),
            Connection::Http2(connection) => connection.abandon(kind, turn),
        }
    }

    /// Exchanges under way.
    pub fn busy(&self) -> usize {
        match self {
            Connection::Http1(connection) => usize::from(connection.is_busy()),
            Connection::Http2(connection) => connection.busy(),
        }
    }

    /// What was begun goes out when it is served, and not at once.
    pub fn is_lazy(&self) -> bool {
        matches!(self, Connection::Http2(_))
    }
}
