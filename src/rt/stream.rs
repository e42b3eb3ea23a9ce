//! A socket as two poll-driven halves, each with at most one operation in the kernel.
//!
//! The operation owns the buffer and the half while it runs, so a caller may stop polling at any time and come back: nothing is
//! lost, nothing is borrowed. Dropping a half with an operation in flight cancels it; the descriptor is closed once
//! the kernel has let go of it.
//!
//! Each operation costs one small allocation for its future; a reusable box would need unsafe code to save some 60 instructions
//! of about 1,500.

use monoio::{
    buf::{IoBuf, IoBufMut},
    io::{
        AsyncReadRent, AsyncWriteRent, CancelHandle, CancelableAsyncReadRent, Canceller, OwnedReadHalf, OwnedWriteHalf,
        Splitable,
    },
    net::{TcpStream, UnixStream},
};
use std::{
    future::Future,
    io,
    ops::{Range, RangeFrom},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
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

type ReadOperation = Pin<Box<dyn Future<Output = (ReadIo, io::Result<usize>, Vec<u8>)>>>;
type WriteOperation = Pin<Box<dyn Future<Output = (WriteIo, io::Result<()>, Vec<u8>)>>>;

/// The receiving half.
pub struct ReadHalf {
    /// `None` while an operation holds it.
    io: Option<ReadIo>,
    operation: Option<ReadOperation>,
    canceller: Option<Canceller>,
    /// Reads are never taken back, which spares each a note in the canceller's set.
    uncancelled: bool,
    /// True while the operation is one that only waits for readiness.
    waits_only: bool,
}

/// The sending half.
pub struct WriteHalf {
    io: Option<WriteIo>,
    operation: Option<WriteOperation>,
    /// How a send ended that took no operation.
    outcome: Option<io::Result<Vec<u8>>>,
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
        Stream {
            read: ReadHalf { io: Some(read), operation: None, canceller: None, uncancelled: false, waits_only: false },
            write: WriteHalf { io: Some(write), operation: None, outcome: None },
        }
    }
}

impl ReadHalf {
    /// Reads into the spare room of `buffer`, appending. Starts an operation if none is in flight. While Pending the buffer
    /// is with the kernel and `*buffer` is empty; pass the same one again. `Ok(0)` is the peer's end.
    ///
    /// The caller reserves the room it wants; without any, 4 KiB are reserved.
    ///
    /// # Errors
    /// What the kernel says; `ECANCELED` after `cancel`. The buffer and what it held are given back in any case.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        loop {
            if let Some(operation) = &mut self.operation {
                let (io, result, filled) = match operation.as_mut().poll(cx) {
                    Poll::Ready(done) => done,
                    Poll::Pending => return Poll::Pending,
                };
                self.operation = None;
                self.io = Some(io);
                if self.waits_only {
                    self.waits_only = false;
                    result?;
                    continue;
                }
                *buffer = filled;
                return Poll::Ready(result);
            }
            let Some(io) = self.io.take() else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
            let mut room = std::mem::take(buffer);
            if room.len() == room.capacity() {
                room.reserve(4096);
            }
            // By kind, so that the future has room for one of them only.
            self.operation = Some(match io {
                ReadIo::Tcp(half) if self.uncancelled => Box::pin(read_for_good(half, room)),
                ReadIo::Tcp(half) => Box::pin(read(half, ReadIo::Tcp, room, self.cancel_handle())),
                ReadIo::Unix(half) => Box::pin(read(half, ReadIo::Unix, room, self.cancel_handle())),
            });
        }
    }

    /// Waits until there is something to read (or the peer's end), without lending a buffer to the kernel.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.operation.is_none() {
            let Some(io) = self.io.take() else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
            self.waits_only = true;
            self.operation = Some(Box::pin(readable(io)));
        }
        if !self.waits_only {
            // A read is in flight and has taken a buffer: its end is what the caller waits for.
            return Poll::Pending;
        }
        let Some(operation) = &mut self.operation else { return Poll::Pending };
        match operation.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready((io, result, _)) => {
                self.operation = None;
                self.waits_only = false;
                self.io = Some(io);
                Poll::Ready(result.map(drop))
            }
        }
    }

    fn cancel_handle(&mut self) -> CancelHandle {
        self.canceller.get_or_insert_with(Canceller::new).handle()
    }

    /// Gives up `cancel` for reads that begin from now on, which makes them cheaper. Dropping the half still ends its read.
    pub fn forgo_cancel(&mut self) {
        self.uncancelled = true;
    }

    /// Asks the kernel to end the read in flight. Poll on until it comes back: it may have bytes after all.
    pub fn cancel(&mut self) {
        if self.operation.is_some() && !self.waits_only {
            self.canceller = self.canceller.take().map(Canceller::cancel);
        }
    }

    /// True while a read is in flight that holds the caller's buffer.
    pub fn is_reading(&self) -> bool {
        self.operation.is_some() && !self.waits_only
    }
}

/// Most bytes that one read takes, whatever room there is: what follows a read (a scan, a copy) must not hold the shard.
const READ_BYTES_MAX: usize = 128 * 1024;

async fn read_for_good(mut half: OwnedReadHalf<TcpStream>, buffer: Vec<u8>) -> (ReadIo, io::Result<usize>, Vec<u8>) {
    let (filled, end) = room_of(&buffer);
    let (result, spare) = half.read(buffer.slice_mut(filled..end)).await;
    (ReadIo::Tcp(half), result, spare.into_inner())
}

/// The part of a buffer that one read may fill.
fn room_of(buffer: &Vec<u8>) -> (usize, usize) {
    let filled = buffer.len();
    (filled, buffer.capacity().min(filled + READ_BYTES_MAX))
}

async fn read<H: CancelableAsyncReadRent>(
    mut half: H,
    io: fn(H) -> ReadIo,
    buffer: Vec<u8>,
    handle: CancelHandle,
) -> (ReadIo, io::Result<usize>, Vec<u8>) {
    let (filled, end) = room_of(&buffer);
    let (result, spare) = half.cancelable_read(buffer.slice_mut(filled..end), handle).await;
    (io(half), result, spare.into_inner())
}

async fn readable(io: ReadIo) -> (ReadIo, io::Result<usize>, Vec<u8>) {
    let result = crate::sys::readable(match &io {
        ReadIo::Tcp(half) => crate::sys::Half::Tcp(half),
        ReadIo::Unix(half) => crate::sys::Half::Unix(half),
    })
    .await;
    (io, result.map(|()| 0), Vec::new())
}

impl WriteHalf {
    /// Sends all of `buffer`. Only while idle.
    ///
    /// The first try is a plain non-blocking `send`: an ordinary message fits into the socket's buffer, and then there is no
    /// operation to track, no completion to be woken by and nothing to poll again. Only what is left over becomes an operation.
    pub fn start(&mut self, buffer: Vec<u8>) {
        debug_assert!(self.is_idle());
        match self.send_now(&buffer) {
            Ok(sent) if sent == buffer.len() => self.outcome = Some(Ok(buffer)),
            Ok(sent) => {
                let Some(io) = self.io.take() else { return };
                self.operation = Some(Box::pin(write_all(io, buffer, sent..)));
            }
            Err(error) => self.outcome = Some(Err(error)),
        }
    }

    /// Sends a part of a shared buffer without copying it. Only while idle.
    pub fn start_shared(&mut self, buffer: Rc<Vec<u8>>, range: Range<usize>) {
        debug_assert!(self.is_idle());
        match self.send_now(&buffer[range.clone()]) {
            Ok(sent) if sent == range.len() => self.outcome = Some(Ok(Vec::new())),
            Ok(sent) => {
                let Some(io) = self.io.take() else { return };
                self.operation = Some(Box::pin(async move {
                    let (io, result, _) = write_all(io, buffer.slice(range), sent..).await;
                    (io, result, Vec::new())
                }));
            }
            Err(error) => self.outcome = Some(Err(error)),
        }
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
        self.operation.is_none() && self.outcome.is_none()
    }

    /// Ready when nothing is in flight; gives the sent buffer back, emptied, for its next use.
    ///
    /// # Errors
    /// What the kernel says. The connection is unusable then.
    pub fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Vec<u8>>>> {
        if let Some(outcome) = self.outcome.take() {
            return Poll::Ready(outcome.map(|mut buffer| {
                buffer.clear();
                Some(buffer)
            }));
        }
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
