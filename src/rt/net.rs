//! Listening and connecting.

use super::{Stream, Timer, spawn, stream::Socket};
use monoio::{
    io::Canceller,
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};
use std::{cell::Cell, io, net::SocketAddr, path::Path, rc::Rc};

/// A bound socket, before a shard takes it. Moves between threads.
#[derive(Debug)]
pub enum Listener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

/// An accepted connection, before anything was read from it.
#[derive(Debug)]
pub enum Accepted {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// Stops its accept task when told to.
pub struct Acceptor {
    canceller: Canceller,
    stopping: Rc<Cell<bool>>,
}

/// Accepts on `listener` in a task of its own until stopped, handing each connection to `on_accept`.
///
/// The accept operation is never dropped: stopping cancels it and the task then awaits it, so that a connection that was accepted at
/// that moment is still served. Out of descriptors, it waits instead of spinning; the connection stays in the backlog.
///
/// # Errors
/// When the socket cannot be registered with the driver, or no descriptor is left.
pub fn listen(listener: Listener, on_accept: impl FnMut(Accepted) + 'static) -> io::Result<Acceptor> {
    let acceptor = Acceptor { canceller: Canceller::new(), stopping: Rc::new(Cell::new(false)) };
    // Made now: it is for when there are no descriptors left.
    let pause = Timer::new()?;
    match listener {
        Listener::Tcp(listener) => {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            let accept = async move |handle| {
                let (stream, _) = listener.cancelable_accept(handle).await?;
                // The relay writes whole messages; waiting for more to send would add 40 ms to each.
                stream.set_nodelay(true)?;
                Ok(Accepted::Tcp(crate::sys::std_tcp(stream)))
            };
            accept_loop(accept, &acceptor, pause, on_accept);
        }
        Listener::Unix(listener) => {
            listener.set_nonblocking(true)?;
            let listener = UnixListener::from_std(listener)?;
            let accept = async move |handle| {
                let (stream, _) = listener.cancelable_accept(handle).await?;
                Ok(Accepted::Unix(crate::sys::std_unix(stream)))
            };
            accept_loop(accept, &acceptor, pause, on_accept);
        }
    }
    Ok(acceptor)
}

fn accept_loop(
    accept: impl AsyncFn(monoio::io::CancelHandle) -> io::Result<Accepted> + 'static,
    acceptor: &Acceptor,
    mut pause: Timer,
    mut on_accept: impl FnMut(Accepted) + 'static,
) {
    let stopping = acceptor.stopping.clone();
    let handle = acceptor.canceller.handle();
    let accepting = async move {
        loop {
            match accept(handle.clone()).await {
                Ok(accepted) => on_accept(accepted),
                Err(_) if stopping.get() => return,
                // The peer was gone before it was accepted.
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {
                }
                Err(_) if pause.sleep_ms(ACCEPT_PAUSE_MS).await.is_err() => return,
                Err(_) => {}
            }
            if stopping.get() {
                return;
            }
        }
    };
    spawn(accepting, || {});
}

/// Pause after an accept failed for want of descriptors or memory.
const ACCEPT_PAUSE_MS: u64 = 50;

impl Acceptor {
    /// Ends accepting; the listener is closed once the pending accept has come back.
    pub fn stop(self) {
        self.stopping.set(true);
        let _ = self.canceller.cancel();
    }
}

impl Accepted {
    /// Takes the connection onto this shard.
    ///
    /// # Errors
    /// When it cannot be registered with the driver.
    pub fn into_stream(self) -> io::Result<Stream> {
        Ok(match self {
            Accepted::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                Stream::new(Socket::Tcp(TcpStream::from_std(stream)?))
            }
            Accepted::Unix(stream) => {
                stream.set_nonblocking(true)?;
                Stream::new(Socket::Unix(UnixStream::from_std(stream)?))
            }
        })
    }
}

/// Connects, with `TCP_NODELAY` set. Dropping the future is safe; put a deadline beside it.
///
/// # Errors
/// What the kernel says.
pub async fn connect_tcp(address: SocketAddr) -> io::Result<Stream> {
    let stream = TcpStream::connect_addr(address).await?;
    stream.set_nodelay(true)?;
    Ok(Stream::new(Socket::Tcp(stream)))
}

/// Connects to a unix socket.
///
/// # Errors
/// What the kernel says.
pub async fn connect_unix(path: &Path) -> io::Result<Stream> {
    Ok(Stream::new(Socket::Unix(UnixStream::connect(path).await?)))
}
