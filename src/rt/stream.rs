//! A socket as two poll-driven halves, each with at most one operation in the kernel.
//!
//! Reading is waiting for readiness, then a plain non-blocking `recv`: a connection that waits lends no buffer to the kernel, so a
//! crowd of them holds none, and the buffer that is filled is the one that was used last. Each read waits for its readiness by way of
//! the driver even where more is there already, so a fast peer cannot hold the shard.
//!
//! While a wait lasts, the driver is not asked about it again: each half has a bell that the driver rings, which notes that it has rung
//! and wakes whoever polled last. So a task that other events wake, or a pool that looks whether a connection is quiet, pays for
//! a comparison and not for a look into the driver. Nor is the driver asked what it rang for: the receive tells. Its answer is
//! fetched when the next wait begins, so that a wait is one visit to the driver and not two.
//!
//! A half that waits for new work (`begins_work`) wakes its task by way of the shard's turnstile.
//!
//! A caller may stop polling at any time and come back: nothing is lost, nothing is borrowed. Dropping a half with an operation in
//! flight cancels it; the descriptor is closed once the kernel has let go of it.

use super::turnstile;
use crate::sys::{Bell, PutOff};
use monoio::{
    buf::IoBuf,
    io::{AsyncWriteRent, OwnedReadHalf, OwnedWriteHalf, Splitable},
    net::{TcpStream, UnixStream},
};
use std::{
    cell::Cell,
    future::{Future, poll_fn},
    io,
    ops::{Range, RangeFrom},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Both halves of a connection.
pub struct Stream {
    pub read: ReadHalf,
    pub write: WriteHalf,
}

enum ReadIo {
    Tcp(OwnedReadHalf<TcpStream>),
    Unix(OwnedReadHalf<UnixStream>),
}

enum WriteIo {
    Tcp(OwnedWriteHalf<TcpStream>),
    Unix(OwnedWriteHalf<UnixStream>),
}

type WriteOperation = Pin<Box<dyn Future<Output = (WriteIo, io::Result<()>, Vec<u8>)>>>;

/// The receiving half.
pub struct ReadHalf {
    watched: Rc<Watched>,
    /// Waits for readiness each time it is asked to. It never ends, so that a wait needs no memory.
    watch: Pin<Box<dyn Future<Output = ()>>>,
    /// There is something to read, or the end, that nobody has read yet.
    is_ready: bool,
    /// The watch waits, and will ring the bell.
    is_waiting: bool,
    bell: Rc<Bell>,
    /// Rings the bell.
    ringer: Waker,
}

/// What a half and its watch share.
struct Watched {
    io: ReadIo,
    turn: Cell<Turn>,
    /// The end of the wait under way has been told of already: by the bell.
    is_told: Cell<bool>,
    is_legacy: bool,
}

/// Whose turn it is.
#[derive(Default)]
enum Turn {
    #[default]
    Rests,
    /// The watch is to wait, or does.
    Waits,
    Over(io::Result<()>),
}

/// The sending half.
pub struct WriteHalf {
    io: Option<WriteIo>,
    operation: Option<WriteOperation>,
}

impl Stream {
    pub(super) fn new(socket: Socket) -> Stream {
        let (read, write) = match socket {
            Socket::Tcp(stream) => {
                let (read, write) = stream.into_split();
                (ReadIo::Tcp(read), WriteIo::Tcp(write))
            }
            Socket::Unix(stream) => {
                let (read, write) = stream.into_split();
                (ReadIo::Unix(read), WriteIo::Unix(write))
            }
        };
        Stream { read: ReadHalf::new(read), write: WriteHalf { io: Some(write), operation: None } }
    }
}

impl ReadHalf {
    fn new(io: ReadIo) -> ReadHalf {
        let is_legacy = monoio::utils::is_legacy();
        let watched = Rc::new(Watched { io, turn: Cell::default(), is_told: Cell::default(), is_legacy });
        let bell = Rc::new(Bell::default());
        ReadHalf {
            watch: Box::pin(watch(watched.clone())),
            watched,
            is_ready: false,
            is_waiting: false,
            ringer: Bell::ringer(&bell),
            bell,
        }
    }

    /// Reads into the spare room of `buffer`, appending, once there is something to read. `Ok(0)` is the peer's end.
    ///
    /// The caller reserves the room it wants; without any, 4 KiB are reserved.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        self.poll_read_with(cx, buffer, Vec::new)
    }

    /// As `poll_read`; a buffer without any memory becomes `room`, once there is something to read.
    ///
    /// # Errors
    /// As `poll_read`.
    #[inline]
    pub fn poll_read_with(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
        room: impl Fn() -> Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_readable(cx))?;
            self.is_ready = false;
            if buffer.capacity() == 0 {
                *buffer = room();
            }
            if buffer.len() == buffer.capacity() {
                buffer.reserve(4096);
            }
            let received = match &self.watched.io {
                ReadIo::Tcp(half) => crate::sys::receive_now_tcp(half, buffer, READ_BYTES_MAX),
                ReadIo::Unix(half) => crate::sys::receive_now_unix(half, buffer, READ_BYTES_MAX),
            };
            match received {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                other => return Poll::Ready(other),
            }
        }
    }

    /// True while a wait lasts whose end wakes the task that asks: it need not ask for more then. False promises nothing.
    #[inline]
    pub fn is_quiet(&self, cx: &Context<'_>) -> bool {
        self.is_waiting && !self.bell.has_rung() && self.bell.is_for(cx.waker())
    }

    /// Waits until there is something to read, or the peer's end.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_ready {
            return Poll::Ready(Ok(()));
        }
        if !self.is_waiting {
            return self.poll_watch(cx);
        }
        if !self.bell.has_rung() {
            self.bell.wakes(cx.waker());
            return Poll::Pending;
        }
        (self.is_waiting, self.is_ready) = (false, true);
        self.watched.is_told.set(true);
        Poll::Ready(Ok(()))
    }

    /// Says whether what comes next is new work, as a client's next request is, or belongs to what is under way. New work waits its
    /// turn (see `turnstile`). What is waiting already when it is said to be no new work is there at the next look.
    #[inline]
    pub fn begins_work(&mut self, yes: bool) {
        self.bell.put_off_by(yes.then_some(turnstile::queue as PutOff));
    }

    /// Begins a wait, or finds that there is no need to.
    fn poll_watch(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Before the driver is asked: what rings from then on counts.
        self.bell.silence();
        let turn = &self.watched.turn;
        turn.set(Turn::Waits);
        let _ = self.watch.as_mut().poll(&mut Context::from_waker(&self.ringer));
        match turn.take() {
            Turn::Over(result) => {
                self.is_ready = result.is_ok();
                Poll::Ready(result)
            }
            waits => {
                turn.set(waits);
                self.is_waiting = true;
                self.bell.wakes(cx.waker());
                if self.bell.has_rung() {
                    // Before anyone was there to hear it.
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
        }
    }
}

/// Most bytes that one read takes, whatever room there is: what follows a read (a scan, a copy) must not hold the shard.
const READ_BYTES_MAX: usize = 128 * 1024;

async fn watch(watched: Rc<Watched>) {
    let Watched { io, turn, is_told, is_legacy } = &*watched;
    loop {
        poll_fn(|_| match turn.take() {
            Turn::Waits => {
                turn.set(Turn::Waits);
                Poll::Ready(())
            }
            other => {
                turn.set(other);
                Poll::Pending
            }
        })
        .await;
        let result = match io {
            ReadIo::Tcp(half) => crate::sys::readable_tcp(half).await,
            ReadIo::Unix(half) => crate::sys::readable_unix(half).await,
        };
        // What the bell has told of is over; whoever polls waits for what comes next. But epoll's driver asks the socket when it is
        // polled, so that what it says is news even then.
        if !is_told.take() || *is_legacy || result.is_err() {
            turn.set(Turn::Over(result));
        }
    }
}

#[cfg(test)]
impl ReadHalf {
    /// Rings, as a driver does that has no news.
    pub fn ring(&self) {
        self.ringer.wake_by_ref();
    }
}

impl WriteHalf {
    /// Sends all of `buffer`, and gives it back, emptied, if that is done at once. Only while idle.
    ///
    /// The first try is a plain non-blocking `send`: an ordinary message fits into the socket's buffer, and then there is no
    /// operation to track, no completion to be woken by and nothing to poll. Only what is left over becomes an operation.
    ///
    /// # Errors
    /// What the kernel says. The connection is unusable then.
    #[inline]
    pub fn start(&mut self, mut buffer: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        debug_assert!(self.is_idle());
        let sent = self.send_now(&buffer)?;
        if sent == buffer.len() {
            buffer.clear();
            return Ok(Some(buffer));
        }
        if let Some(io) = self.io.take() {
            self.operation = Some(Box::pin(write_all(io, buffer, sent..)));
        }
        Ok(None)
    }

    /// Sends the first `count` bytes of `buffer`, and gives it back as it was if that is done at once. Only while idle.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_first(&mut self, buffer: Vec<u8>, count: usize) -> io::Result<Option<Vec<u8>>> {
        debug_assert!(self.is_idle());
        let sent = self.send_now(&buffer[..count])?;
        if sent == count {
            return Ok(Some(buffer));
        }
        if let Some(io) = self.io.take() {
            self.operation = Some(Box::pin(async move {
                let (io, result, sent) = write_all(io, buffer.slice(..count), sent..).await;
                (io, result, sent.into_inner())
            }));
        }
        Ok(None)
    }

    /// Sends a part of a shared buffer without copying it; true if that is done at once. Only while idle.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_shared(&mut self, buffer: Rc<Vec<u8>>, range: Range<usize>) -> io::Result<bool> {
        debug_assert!(self.is_idle());
        let sent = self.send_now(&buffer[range.clone()])?;
        if sent == range.len() {
            return Ok(true);
        }
        if let Some(io) = self.io.take() {
            self.operation = Some(Box::pin(async move {
                let (io, result, _) = write_all(io, buffer.slice(range), sent..).await;
                (io, result, Vec::new())
            }));
        }
        Ok(false)
    }

    /// Sends what the socket takes at once; 0 when it is full.
    fn send_now(&self, bytes: &[u8]) -> io::Result<usize> {
        let sent = match &self.io {
            Some(WriteIo::Tcp(half)) => crate::sys::send_now_tcp(half, bytes),
            Some(WriteIo::Unix(half)) => crate::sys::send_now_unix(half, bytes),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        match sent {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
            other => other,
        }
    }

    /// True when nothing is in flight.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.operation.is_none()
    }

    /// Ready when nothing is in flight; gives the buffer back, emptied, whose sending took longer.
    ///
    /// # Errors
    /// What the kernel says. The connection is unusable then.
    pub fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Vec<u8>>>> {
        let Some(operation) = &mut self.operation else { return Poll::Ready(Ok(None)) };
        let (io, result, mut buffer) = match operation.as_mut().poll(cx) {
            Poll::Ready(done) => done,
            Poll::Pending => return Poll::Pending,
        };
        self.operation = None;
        self.io = Some(io);
        buffer.clear();
        Poll::Ready(result.map(|()| Some(buffer)))
    }

    /// Sends the end of the stream; the other half goes on reading. Only while idle.
    pub fn end_sending(&self) {
        debug_assert!(self.is_idle());
        match &self.io {
            Some(WriteIo::Tcp(half)) => crate::sys::end_sending_tcp(half),
            Some(WriteIo::Unix(half)) => crate::sys::end_sending_unix(half),
            None => {}
        }
    }

    /// Makes closing the socket reset the connection, so that the peer sees that what it got is not complete.
    pub fn reset_on_close(&self) {
        match &self.io {
            Some(WriteIo::Tcp(half)) => crate::sys::reset_on_close(half),
            // A unix socket has no reset; its peer sees the end without the terminator.
            Some(WriteIo::Unix(_)) | None => {}
        }
    }
}

async fn write_all<B: IoBuf>(mut io: WriteIo, mut buffer: B, range: RangeFrom<usize>) -> (WriteIo, io::Result<()>, B) {
    let mut sent = range.start;
    let total = buffer.bytes_init();
    while sent < total {
        let rest = buffer.slice(sent..total);
        let (result, rest) = match &mut io {
            WriteIo::Tcp(half) => half.write(rest).await,
            WriteIo::Unix(half) => half.write(rest).await,
        };
        buffer = rest.into_inner();
        match result {
            Ok(0) => return (io, Err(io::ErrorKind::WriteZero.into()), buffer),
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (io, Err(error), buffer),
        }
    }
    (io, Ok(()), buffer)
}
