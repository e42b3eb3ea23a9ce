//! TLS over one connection, either side, by rustls' unbuffered interface.
//!
//! Staged plaintext is encrypted when it is handed to the kernel, at most `SEAL_BYTES_MAX` at a time, so that a large body neither
//! exists twice nor holds the shard. Received records are decrypted where the kernel put them. At rest only an
//! incomplete record is kept, which is why the buffered interface's limits (4 KiB per step, 16 KiB undrained) do not arise.
//!
//! What a read brings is joined with the incomplete record that is there, because rustls wants to see the record in one piece.
//!
//! A TCP end without close_notify is `UnexpectedEof`: an answer that is delimited by the connection's end may be cut short.
//! Session tickets and key updates are handled while reading; answers to them go out with the next flush.

use super::{
    buffers,
    transport::{Queue, Transport},
};
use crate::{
    error::Upstream,
    limits::READ_BYTES,
    rt::{self, Deadline},
};
use rustls::{
    ClientConfig, ServerConfig,
    client::UnbufferedClientConnection,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus},
};
use rustls_pki_types::ServerName;
use std::{
    future::poll_fn,
    io,
    ops::Range,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// Plaintext encrypted for one write: four full records. More would hold the shard for tens of microseconds at a time.
const SEAL_BYTES_MAX: usize = 64 * 1024;

/// A shared part up to this is joined with what is staged around it: copying it costs less than a record of its own.
const JOINED_BYTES_MAX: usize = 16 * 1024;

/// What one record adds to its plaintext at most: header, explicit nonce of TLS 1.2, tag, content type.
const RECORD_OVERHEAD_BYTES: usize = 5 + 8 + 16 + 1;

/// Most plaintext in one record (RFC 8446, 5.1).
const RECORD_BYTES_MAX: usize = 16 * 1024;

/// Received bytes that may wait to be understood. rustls refuses handshake messages beyond 64 KiB; this is its backstop.
const INCOMING_BYTES_MAX: usize = 128 * 1024;

/// The application protocol that both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    Http1,
    Http2,
    /// The peer chose none, or does not know the extension.
    None,
}

/// An established client connection.
pub struct Connected {
    pub transport: Transport,
    pub alpn: Alpn,
    /// The session was resumed; no certificate was sent.
    pub resumed: bool,
}

/// One connection with its session.
pub struct Tls {
    session: Session,
    read: rt::ReadHalf,
    write: rt::WriteHalf,
    /// Received and not understood yet. Between reads no more than a part of a record, in memory of its size.
    incoming: Vec<u8>,
    /// Decrypted before a caller asked for it.
    plaintext: Vec<u8>,
    /// Plaintext to be sent.
    queue: Queue,
    /// Records to be sent before anything of the queue.
    sealed: Sealed,
    in_flight_bytes: usize,
    /// The peer's close_notify has come.
    peer_closed: bool,
    /// Our close_notify has been encoded.
    closing: bool,
    /// The session has failed and must not be asked again: it would report, and assert against, a second alert.
    failed: bool,
}

/// Records to be sent, at the beginning of room that has been initialised: filling it with zeros each time would cost as much as encrypting.
#[derive(Default)]
struct Sealed {
    room: Vec<u8>,
    bytes: usize,
}

enum Session {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// What to do once the session can send application data.
enum Order<'a> {
    Nothing,
    Seal(&'a [u8]),
    Close,
}

/// What the session did or needs.
#[derive(PartialEq, Eq)]
enum Step {
    /// Something was done; ask again.
    Again,
    /// Bytes from the peer are needed to go on with the handshake.
    Blocked,
    /// Nothing is left in what was received; application data may be sent.
    Idle,
    /// The order was carried out.
    Done,
    /// The peer's close_notify was seen.
    PeerClosed,
}

/// Establishes TLS as a client.
///
/// # Errors
/// `Connect` when the connection broke; `Tls` when the peer is not acceptable, does not speak TLS, or stalls.
pub async fn connect(
    stream: rt::Stream,
    config: &Arc<ClientConfig>,
    name: &ServerName<'static>,
    deadline: &Deadline,
) -> Result<Connected, Upstream> {
    let session = UnbufferedClientConnection::new(config.clone(), name.clone()).map_err(|_| Upstream::Tls)?;
    let mut tls = Tls::new(Session::Client(session), stream);
    match tls.handshake(deadline).await {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::TimedOut) => {
            return Err(Upstream::Tls);
        }
        Err(_) => return Err(Upstream::Connect),
    }
    let (alpn, resumed) = (tls.session.alpn(), tls.session.is_resumed());
    Ok(Connected { transport: Transport::Tls(Box::new(tls)), alpn, resumed })
}

/// Establishes TLS as a server.
///
/// # Errors
/// `InvalidData` when the client's TLS is not acceptable, `TimedOut` at the deadline, else what the kernel says.
pub async fn accept(
    stream: rt::Stream,
    config: Arc<ServerConfig>,
    deadline: &Deadline,
) -> io::Result<(Transport, Alpn)> {
    let session = UnbufferedServerConnection::new(config).map_err(invalid)?;
    let mut tls = Tls::new(Session::Server(session), stream);
    tls.handshake(deadline).await?;
    let alpn = tls.session.alpn();
    Ok((Transport::Tls(Box::new(tls)), alpn))
}

impl Tls {
    fn new(session: Session, stream: rt::Stream) -> Tls {
        Tls {
            session,
            read: stream.read,
            write: stream.write,
            incoming: Vec::new(),
            plaintext: Vec::new(),
            queue: Queue::default(),
            sealed: Sealed::default(),
            in_flight_bytes: 0,
            peer_closed: false,
            closing: false,
            failed: false,
        }
    }

    async fn handshake(&mut self, deadline: &Deadline) -> io::Result<()> {
        let timed_out = |cx: &mut Context<'_>| deadline.poll_due(cx).map(|()| Err(io::ErrorKind::TimedOut.into()));
        let result = poll_fn(|cx| match self.poll_handshake(cx) {
            Poll::Pending => timed_out(cx),
            done => done,
        })
        .await;
        if self.failed {
            // The alert tells the peer's operator what is wrong.
            let _ = poll_fn(|cx| match self.poll_flush(cx) {
                Poll::Pending => timed_out(cx),
                done => done,
            })
            .await;
        }
        result
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            // Application data may follow the peer's last handshake message in the same read; it is kept.
            let mut early = std::mem::take(&mut self.plaintext);
            let processed = self.process(&mut early);
            self.plaintext = early;
            processed?;
            let flushed = self.poll_flush(cx)?;
            if !self.session.is_handshaking() {
                // The last flight has to leave: an idle connection would otherwise be half open for the peer.
                return flushed.map(Ok);
            }
            if self.peer_closed {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            ready!(self.poll_fill(cx))?;
        }
    }

    /// As `Transport::poll_read`.
    ///
    /// # Errors
    /// `UnexpectedEof` for an end without close_notify, `InvalidData` for what is not TLS, else what the kernel says.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        let before = buffer.len();
        loop {
            buffer.append(&mut self.plaintext);
            if buffer.len() > before || self.peer_closed {
                return Poll::Ready(Ok(buffer.len() - before));
            }
            ready!(self.poll_fill(cx))?;
            if buffer.capacity() == 0 {
                *buffer = buffers::take();
            }
            self.process(buffer)?;
        }
    }

    /// As `Transport::begins_work`.
    pub fn begins_work(&mut self, yes: bool) {
        self.read.begins_work(yes);
    }

    /// As `Transport::poll_readable`.
    ///
    /// # Errors
    /// As `poll_read`.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.plaintext.is_empty() || self.peer_closed {
                return Poll::Ready(Ok(()));
            }
            // What came may be a session ticket or a part of a record: only decrypting tells.
            ready!(self.poll_fill(cx))?;
            let mut plaintext = std::mem::take(&mut self.plaintext);
            let processed = self.process(&mut plaintext);
            self.plaintext = plaintext;
            processed?;
        }
    }

    /// Reads ciphertext once and appends it to `incoming`.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.read.poll_readable(cx))?;
        let mut scratch = buffers::take_scratch();
        let received = self.read.poll_read(cx, &mut scratch);
        if self.incoming.is_empty() && matches!(received, Poll::Ready(Ok(1..))) {
            // Understood where it was received; `advance` gives the memory back.
            self.incoming = scratch;
        } else {
            self.incoming.extend_from_slice(&scratch);
            buffers::give_scratch(scratch);
        }
        if ready!(received)? == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        if self.incoming.len() > INCOMING_BYTES_MAX {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        Poll::Ready(Ok(()))
    }

    /// Goes through all complete records; plaintext is appended to `plaintext`.
    fn process(&mut self, plaintext: &mut Vec<u8>) -> io::Result<()> {
        self.advance(Some(plaintext), |_| Order::Nothing).map(drop)
    }

    /// Steps the session until the order is carried out, or until it needs bytes from the peer. Plaintext that comes up goes to
    /// `plaintext`, or is kept.
    fn advance(&mut self, plaintext: Option<&mut Vec<u8>>, order: impl Fn(&Queue) -> Order<'_>) -> io::Result<Step> {
        if self.failed {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let plaintext = plaintext.unwrap_or(&mut self.plaintext);
        let mut done = 0;
        let result = loop {
            let received = &mut self.incoming[done..];
            let (discard, step) = self.session.step(received, plaintext, &mut self.sealed, order(&self.queue));
            done += discard;
            match step {
                Ok(Step::Again) => {}
                Ok(Step::PeerClosed) => self.peer_closed = true,
                Err(error) => {
                    // One more step encodes the alert that tells the peer why.
                    let received = &mut self.incoming[done..];
                    let _ = self.session.step(received, plaintext, &mut self.sealed, Order::Nothing);
                    self.failed = true;
                    break Err(error);
                }
                Ok(last) => break Ok(last),
            }
        };
        self.keep_incoming(done);
        result
    }

    /// Done with the first `count` bytes of what was received: usually all of it.
    fn keep_incoming(&mut self, count: usize) {
        // What has grown beyond a read is not given back as room for one, or reads would grow with it.
        if self.incoming.capacity() == READ_BYTES {
            let rest = self.incoming[count..].to_vec();
            buffers::give_scratch(std::mem::replace(&mut self.incoming, rest));
        } else if count == self.incoming.len() {
            self.incoming = Vec::new();
        } else {
            self.incoming.drain(..count);
        }
    }

    /// Carries out an order that needs the session to be ready to send.
    fn order(&mut self, order: impl Fn(&Queue) -> Order<'_>) -> io::Result<()> {
        match self.advance(None, order)? {
            Step::Done => Ok(()),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    #[inline]
    pub fn stage(&mut self, bytes: &[u8]) {
        self.queue.push(bytes);
    }

    /// As `Transport::stage_with`.
    #[inline]
    pub fn stage_with(&mut self, bytes_expected: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.queue.push_with(bytes_expected, write);
    }

    /// As `Transport::expects_much`.
    pub fn expects_much(&mut self) {
        self.queue.expects_much = true;
    }

    pub fn stage_shared(&mut self, buffer: &Rc<Vec<u8>>, range: Range<usize>) {
        if range.len() <= JOINED_BYTES_MAX {
            self.queue.push(&buffer[range]);
        } else {
            self.queue.push_shared(buffer, range);
        }
    }

    /// Bytes staged or in flight; those in flight count with their TLS overhead.
    #[inline]
    pub fn staged_bytes(&self) -> usize {
        self.waiting_bytes() + self.in_flight_bytes
    }

    /// Bytes not yet with the kernel.
    #[inline]
    pub fn waiting_bytes(&self) -> usize {
        self.queue.bytes() + self.sealed.bytes
    }

    /// As `Transport::poll_flush`.
    ///
    /// # Errors
    /// What the kernel says, or `InvalidData` when the session cannot encrypt any more.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(sent) = ready!(self.write.poll_idle(cx))? {
                self.in_flight_bytes = 0;
                if self.sealed.bytes == 0 {
                    self.sealed.room = sent;
                }
            }
            let mut room = SEAL_BYTES_MAX;
            while room > 0 && self.queue.bytes() > 0 {
                let count = self.queue.front().len().min(room);
                self.order(|queue| Order::Seal(&queue.front()[..count]))?;
                self.queue.take(count);
                room -= count;
            }
            let Sealed { room, bytes } = std::mem::take(&mut self.sealed);
            if bytes == 0 {
                self.sealed.room = room;
                return Poll::Ready(Ok(()));
            }
            // Stays if it cannot be sent, as a plain connection's.
            self.in_flight_bytes = bytes;
            if let Some(room) = self.write.start_first(room, bytes)? {
                self.in_flight_bytes = 0;
                self.sealed.room = room;
            }
        }
    }

    /// As `Transport::poll_close`.
    ///
    /// # Errors
    /// As `poll_flush`.
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        if !self.closing {
            self.closing = true;
            self.order(|_| Order::Close)?;
        }
        self.poll_flush(cx)
    }

    pub fn end_sending(&self) {
        self.write.end_sending();
    }

    pub fn reset_on_close(&self) {
        self.write.reset_on_close();
    }

    pub fn shrink(&mut self) {
        self.queue.shrink();
        for buffer in [&mut self.incoming, &mut self.plaintext] {
            if buffer.is_empty() {
                *buffer = Vec::new();
            }
        }
        if self.sealed.bytes == 0 {
            self.sealed = Sealed::default();
        }
    }
}

impl Session {
    fn step(
        &mut self,
        received: &mut [u8],
        plaintext: &mut Vec<u8>,
        sealed: &mut Sealed,
        order: Order<'_>,
    ) -> (usize, io::Result<Step>) {
        match self {
            Session::Client(session) => act(session.process_tls_records(received), plaintext, sealed, order),
            Session::Server(session) => act(session.process_tls_records(received), plaintext, sealed, order),
        }
    }

    fn is_handshaking(&self) -> bool {
        match self {
            Session::Client(session) => session.is_handshaking(),
            Session::Server(session) => session.is_handshaking(),
        }
    }

    fn alpn(&self) -> Alpn {
        let protocol = match self {
            Session::Client(session) => session.alpn_protocol(),
            Session::Server(session) => session.alpn_protocol(),
        };
        match protocol {
            Some(b"h2") => Alpn::Http2,
            Some(b"http/1.1") => Alpn::Http1,
            _ => Alpn::None,
        }
    }

    fn is_resumed(&self) -> bool {
        let kind = match self {
            Session::Client(session) => session.handshake_kind(),
            Session::Server(session) => session.handshake_kind(),
        };
        kind == Some(rustls::HandshakeKind::Resumed)
    }
}

/// Does what one state of the session asks for; returns how many received bytes are done with.
fn act<Side>(
    status: UnbufferedStatus<'_, '_, Side>,
    plaintext: &mut Vec<u8>,
    sealed: &mut Sealed,
    order: Order<'_>,
) -> (usize, io::Result<Step>) {
    let UnbufferedStatus { mut discard, state, .. } = status;
    let step = match state {
        Err(error) => Err(invalid(error)),
        Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
            match traffic.next_record() {
                None => break Ok(Step::Again),
                Some(Ok(record)) => {
                    discard += record.discard;
                    plaintext.extend_from_slice(record.payload);
                }
                Some(Err(error)) => break Err(invalid(error)),
            }
        },
        Ok(ConnectionState::EncodeTlsData(mut data)) => sealed
            .append(HANDSHAKE_BYTES, |room| {
                data.encode(room).map_err(|error| match error {
                    EncodeError::InsufficientSize(short) => Some(short.required_size),
                    EncodeError::AlreadyEncoded => None,
                })
            })
            .map(|()| Step::Again),
        Ok(ConnectionState::TransmitTlsData(data)) => {
            // It is in `sealed`, which leaves in order; whether it has left already makes no difference to the session.
            data.done();
            Ok(Step::Again)
        }
        Ok(ConnectionState::BlockedHandshake) => Ok(Step::Blocked),
        Ok(ConnectionState::WriteTraffic(mut traffic)) => match order {
            Order::Nothing => Ok(Step::Idle),
            Order::Seal(bytes) => {
                let records = bytes.len().div_ceil(RECORD_BYTES_MAX);
                sealed
                    .append(bytes.len() + records * RECORD_OVERHEAD_BYTES, |room| {
                        traffic.encrypt(bytes, room).map_err(required_size)
                    })
                    .map(|()| Step::Done)
            }
            Order::Close => sealed
                .append(RECORD_OVERHEAD_BYTES + 2, |room| traffic.queue_close_notify(room).map_err(required_size))
                .map(|()| Step::Done),
        },
        Ok(ConnectionState::PeerClosed) => Ok(Step::PeerClosed),
        Ok(ConnectionState::Closed) => Ok(Step::Idle),
        // Early data is never offered or accepted: a request in it could be replayed.
        Ok(_) => Err(io::ErrorKind::InvalidData.into()),
    };
    (discard, step)
}

/// First guess for the size of a handshake message; rustls says what it needs if that is too small.
const HANDSHAKE_BYTES: usize = 512;

impl Sealed {
    /// Appends what `write` produces. It is offered `guess` bytes first and what it asked for then.
    fn append(
        &mut self,
        guess: usize,
        mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
    ) -> io::Result<()> {
        let mut bytes = guess;
        // Two tries: the second has exactly the room that was asked for.
        for _ in 0..2 {
            let end = self.bytes + bytes;
            if self.room.len() < end {
                self.room.reserve_exact(end - self.room.len());
                self.room.resize(end, 0);
            }
            match write(&mut self.room[self.bytes..end]) {
                Ok(written) => {
                    self.bytes += written;
                    return Ok(());
                }
                Err(needed) => bytes = needed.ok_or(io::ErrorKind::InvalidData)?,
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }
}

fn required_size(error: EncryptError) -> Option<usize> {
    match error {
        EncryptError::InsufficientSize(short) => Some(short.required_size),
        EncryptError::EncryptExhausted => None,
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests;
