//! Addresses at which nobody answers, for the two ways a connection can fail before it exists.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, Protocol, Socket, Type};

/// An address that refuses connections: a port that was free a moment ago and is held, without listening, as long as
/// this lives, so that nobody else can listen on it.
pub struct Refusing {
    addr: SocketAddr,
    _bound: Socket,
}

impl Refusing {
    pub fn open() -> io::Result<Self> {
        let bound = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        bound.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let addr = bound.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        Ok(Self { addr, _bound: bound })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// An address whose handshakes are never completed: a listener with a queue of one that is full and never accepted from,
/// so that the kernel drops further SYNs. The nearest thing to a firewall that loopback has.
pub struct Unreachable {
    addr: SocketAddr,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Unreachable {
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.listen(0)?;
        let listener: TcpListener = socket.into();
        let addr = listener.local_addr()?;
        let mut waiting = Vec::new();
        // The kernel admits one more than the queue's length; the first that hangs shows that it is full.
        for _ in 0..8 {
            match TcpStream::connect_timeout(&addr, std::time::Duration::from_millis(200)) {
                Ok(stream) => waiting.push(stream),
                Err(_) => break,
            }
        }
        Ok(Self { addr, _listener: listener, _waiting: waiting })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}
