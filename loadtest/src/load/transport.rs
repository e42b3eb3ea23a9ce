//! The bytes of one connection: a non-blocking socket, TLS over it or not, read and written as fast as it goes or as slowly
//! as a slow client does.
//!
//! Reads and writes end with `WouldBlock` where the socket, or the pace, has no more; `interest` then says what to wait
//! for. TLS keeps what it has encrypted until the socket takes it, so that a request may be written before the handshake
//! is over.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection as Session, ServerConfig, ServerConnection};

use super::options::Manners;
use super::pace::Pace;

/// How connections are made.
#[derive(Clone)]
pub(super) struct Wire {
    pub addr: SocketAddr,
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub manners: Manners,
}

/// Of a client, or of the simulator in its fast mode.
pub(crate) struct Transport {
    link: Link,
    tls: Option<Box<Session>>,
    /// TLS has not taken all that it was given.
    has_more: bool,
    /// What the epoll set was last told.
    pub watched: EventFlags,
}

/// The socket, below TLS.
struct Link {
    socket: TcpStream,
    reads: Option<Pace>,
    writes: Option<Pace>,
    /// The last write did not take all.
    is_full: bool,
    /// The last read did not fill its buffer: there was no more.
    is_drained: bool,
}

/// For a handshake: after this a target is not there.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// For a connect, which holds up a window that is being measured: longer than any network's round trip, and than one lost SYN.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_500);

/// What the kernel keeps for a client that reads slowly: as little as it agrees to, so that the peer feels it.
const SLOW_RECEIVE_BYTES: usize = 4 * 1024;

impl Wire {
    /// Connects, blocking. The TLS handshake goes on with the first reads and writes.
    pub fn connect(&self) -> io::Result<Transport> {
        let domain = socket2::Domain::for_address(self.addr);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
        if let Manners::ReadsSlowly { .. } = self.manners {
            // Before connecting: the window that is announced follows from it.
            socket.set_recv_buffer_size(SLOW_RECEIVE_BYTES)?;
        }
        if self.addr.ip().is_loopback() {
            spare_congestion_control(&socket);
        }
        socket.connect_timeout(&self.addr.into(), CONNECT_TIMEOUT)?;
        let socket = TcpStream::from(socket);
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let now = Instant::now();
        let (reads, writes) = match self.manners {
            Manners::ReadsSlowly { bytes_per_s } => (Some(Pace::new(bytes_per_s, now)), None),
            Manners::SendsSlowly { bytes_per_s } => (None, Some(Pace::new(bytes_per_s, now))),
            Manners::Prompt | Manners::LeavesAfter(_) => (None, None),
        };
        let tls = match &self.tls {
            Some((config, name)) => {
                let session = ClientConnection::new(Arc::clone(config), name.clone());
                Some(Box::new(session.map_err(io::Error::other)?.into()))
            }
            None => None,
        };
        let link = Link { socket, reads, writes, is_full: false, is_drained: false };
        Ok(Transport { link, tls, has_more: false, watched: EventFlags::empty() })
    }
}

impl Transport {
    /// The other side: of a non-blocking socket that has been accepted.
    pub fn accepted(socket: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<Self> {
        let tls = match tls {
            Some(config) => {
                let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                Some(Box::new(session.into()))
            }
            None => None,
        };
        let link = Link { socket, reads: None, writes: None, is_full: false, is_drained: false };
        Ok(Transport { link, tls, has_more: false, watched: EventFlags::empty() })
    }

    /// The TLS below, if there is any.
    pub fn session(&self) -> Option<&Session> {
        self.tls.as_deref()
    }

    pub fn socket(&self) -> &TcpStream {
        &self.link.socket
    }

    /// Waits until the TLS handshake is over. The protocol that was agreed on, if any was.
    pub fn handshake(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(tls) = &mut self.tls else {
            return Ok(None);
        };
        let socket = &mut self.link.socket;
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(HANDSHAKE_TIMEOUT))?;
        while tls.is_handshaking() {
            tls.complete_io(socket)?;
        }
        let agreed = tls.alpn_protocol().map(<[u8]>::to_vec);
        socket.set_read_timeout(None)?;
        socket.set_nonblocking(true)?;
        Ok(agreed)
    }

    /// The socket has been reported ready: what was known of it is old.
    pub fn wake(&mut self) {
        self.link.is_drained = false;
    }

    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.link.read(buffer);
        };
        loop {
            match tls.reader().read(buffer) {
                // Without a close_notify a cut cannot be told from an end: both are the end here.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                // What is known to be empty is not asked again, which is a system call less.
                Err(error) if error.kind() == ErrorKind::WouldBlock && !std::mem::take(&mut self.link.is_drained) => {}
                other => return other,
            }
            if tls.read_tls(&mut self.link)? == 0 {
                return Ok(0);
            }
            let processed = tls.process_new_packets();
            // What goes out may be the alert that says why it fails.
            if tls.wants_write() {
                flush(tls, &mut self.link)?;
            }
            processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }

    /// How much was taken. What TLS has taken may still have to go out with `flush`.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.link.write(bytes);
        };
        let taken = tls.writer().write(bytes)?;
        flush(tls, &mut self.link)?;
        self.has_more = taken < bytes.len();
        if taken == 0 && self.has_more { Err(ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    /// True once nothing waits to go out.
    pub fn flush(&mut self) -> io::Result<bool> {
        self.tls.as_mut().map_or(Ok(true), |tls| flush(tls, &mut self.link))
    }

    /// Whether a read that did not fill its buffer has emptied the socket.
    pub fn is_plain(&self) -> bool {
        self.tls.is_none() && self.link.reads.is_none()
    }

    /// What the epoll set is to wait for.
    pub fn interest(&self) -> EventFlags {
        let mut interest = EventFlags::empty();
        interest.set(EventFlags::IN, pause(&self.link.reads).is_none());
        // Until the handshake is over TLS keeps so much and no more: there is room, but not for us.
        let tls_wants = |tls: &Session| tls.wants_write() || (self.has_more && !tls.is_handshaking());
        let wants_write = self.link.is_full || self.tls.as_deref().is_some_and(tls_wants);
        interest.set(EventFlags::OUT, wants_write && pause(&self.link.writes).is_none());
        interest
    }

    /// When a pace allows more.
    pub fn paused_until(&self) -> Option<Instant> {
        [pause(&self.link.reads), pause(&self.link.writes)].into_iter().flatten().min()
    }

    /// The peer is gone: what is left is in the kernel, and whoever waited for the pace would be woken at every turn.
    pub fn hurry(&mut self) {
        self.link.reads = None;
        self.link.writes = None;
    }
}

/// Chooses the cheapest congestion control for a socket of ours on loopback, where nothing is ever lost: what the machine has as its
/// default may send by a timer (BBR), which costs the load and is no property of what it measures.
pub(crate) fn spare_congestion_control(socket: impl AsFd) {
    // Every kernel has it; without it the load only costs more.
    let _ = rustix::net::sockopt::set_tcp_congestion(socket, "reno");
}

fn pause(pace: &Option<Pace>) -> Option<Instant> {
    pace.as_ref().and_then(Pace::paused_until)
}

fn flush(tls: &mut Session, link: &mut Link) -> io::Result<bool> {
    while tls.wants_write() {
        match tls.write_tls(link) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

// Straight to the kernel: in a process of several threads libc's wrappers cost 400 instructions more a request, for
// cancellation points that nobody uses.
impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(pace) = &mut self.reads else {
            let count = receive(&self.socket, buffer)?;
            self.is_drained = count < buffer.len();
            return Ok(count);
        };
        let most = pace.allowed(Instant::now()).min(buffer.len());
        if most == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = receive(&self.socket, &mut buffer[..most])?;
        pace.moved(count);
        Ok(count)
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(pace) = &mut self.writes else {
            let outcome = send(&self.socket, bytes);
            self.is_full = !matches!(outcome, Ok(count) if count == bytes.len());
            return outcome;
        };
        let most = pace.allowed(Instant::now()).min(bytes.len());
        // More is to come, now or when the pace allows it.
        self.is_full = most < bytes.len();
        if most == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let outcome = send(&self.socket, &bytes[..most]);
        match &outcome {
            Ok(count) => pace.moved(*count),
            Err(_) => self.is_full = true,
        }
        outcome
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn receive(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match rustix::net::recv(socket, &mut *buffer, RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            other => return other.map(|(count, _)| count).map_err(io::Error::from),
        }
    }
}

fn send(socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match rustix::net::send(socket, bytes, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            other => return other.map_err(io::Error::from),
        }
    }
}
