//! Bytes in both directions over one connection, plain or TLS.
//!
//! Sending is staged: `stage` appends to what waits, `poll_flush` hands it to the kernel in one write. While a write is in flight,
//! what is staged meanwhile goes out with the next one; that coalescing is what makes many small messages cheap.
//! Whoever stages keeps `staged_bytes` bounded by not reading more from the other side.
//!
//! One task owns a transport and polls both directions, so there is nothing to split or lock.

use crate::{
    data_plane::{buffers, tls::Tls},
    rt,
};
use std::{
    collections::VecDeque,
    io,
    ops::Range,
    rc::Rc,
    task::{Context, Poll, ready},
};

/// One connection.
pub enum Transport {
    Plain(Plain),
    Tls(Box<Tls>),
}

/// A connection without TLS.
pub struct Plain {
    read: rt::ReadHalf,
    writer: Writer,
}

impl Plain {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        self.read.poll_read_with(cx, buffer, buffers::take)
    }
}

impl Transport {
    pub fn plain(stream: rt::Stream) -> Transport {
        Transport::Plain(Plain { read: stream.read, writer: Writer::new(stream.write) })
    }

    /// Reads into the spare room of `buffer`, appending. One without any memory gets some once there is something to read, so a
    /// connection that waits need not hold any.
    ///
    /// # Errors
    /// What the kernel or TLS says; the connection is of no use then.
    #[inline]
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        match self {
            // Whoever waits for two connections asks both when one of them wakes it.
            Transport::Plain(plain) if plain.read.is_quiet(cx) => Poll::Pending,
            Transport::Plain(plain) => plain.poll_read(cx, buffer),
            Transport::Tls(tls) => tls.poll_read(cx, buffer),
        }
    }

    /// Ready when a read would find something. Lends no buffer, so an idle connection costs none.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Transport::Plain(plain) => plain.read.poll_readable(cx),
            Transport::Tls(tls) => tls.poll_readable(cx),
        }
    }

    /// As `rt::ReadHalf::begins_work`.
    #[inline]
    pub fn begins_work(&mut self, yes: bool) {
        match self {
            Transport::Plain(plain) => plain.read.begins_work(yes),
            Transport::Tls(tls) => tls.begins_work(yes),
        }
    }

    /// Appends to what will be sent.
    #[inline]
    pub fn stage(&mut self, bytes: &[u8]) {
        match self {
            Transport::Plain(plain) => plain.writer.stage(bytes),
            Transport::Tls(tls) => tls.stage(bytes),
        }
    }

    /// Appends what `write` appends to the buffer that it gets, which has room for `bytes_expected` more. For what consists of many
    /// small parts.
    #[inline]
    pub fn stage_with(&mut self, bytes_expected: usize, write: impl FnOnce(&mut Vec<u8>)) {
        match self {
            Transport::Plain(plain) => plain.writer.queue.push_with(bytes_expected, write),
            Transport::Tls(tls) => tls.stage_with(bytes_expected, write),
        }
    }

    /// Appends a part of a shared buffer; over a plain connection it is not copied.
    pub fn stage_shared(&mut self, buffer: &Rc<Vec<u8>>, range: Range<usize>) {
        match self {
            Transport::Plain(plain) => plain.writer.stage_shared(buffer, range),
            Transport::Tls(tls) => tls.stage_shared(buffer, range),
        }
    }

    /// Bytes staged or in flight.
    #[inline]
    pub fn staged_bytes(&self) -> usize {
        match self {
            Transport::Plain(plain) => plain.writer.staged_bytes(),
            Transport::Tls(tls) => tls.staged_bytes(),
        }
    }

    /// Sends what is staged. Ready when everything has been handed to the kernel.
    ///
    /// # Errors
    /// What the kernel says; the connection is of no use then.
    #[inline]
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            // Asked more often than there is anything to do.
            Transport::Plain(plain) if plain.writer.staged_bytes() == 0 => Poll::Ready(Ok(())),
            Transport::Plain(plain) => plain.writer.poll_flush(cx),
            Transport::Tls(tls) => tls.poll_flush(cx),
        }
    }

    /// Bytes staged and not yet with the kernel.
    #[inline]
    pub fn waiting_bytes(&self) -> usize {
        match self {
            Transport::Plain(plain) => plain.writer.queue.bytes(),
            Transport::Tls(tls) => tls.waiting_bytes(),
        }
    }

    /// Sends what is staged and then tells the peer that nothing follows (TLS: close_notify). Ready when all of it has been
    /// handed to the kernel; dropping the transport then closes the socket.
    ///
    /// # Errors
    /// What the kernel or TLS says.
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Transport::Plain(plain) => plain.writer.poll_flush(cx),
            Transport::Tls(tls) => tls.poll_close(cx),
        }
    }

    /// Tells the peer at once that nothing follows, while what it still sends can be read. Only after `poll_close`.
    pub fn end_sending(&self) {
        match self {
            Transport::Plain(plain) => plain.writer.half.end_sending(),
            Transport::Tls(tls) => tls.end_sending(),
        }
    }

    /// Closes with a reset, so that the peer sees a broken answer as broken.
    pub fn reset_on_close(&self) {
        match self {
            Transport::Plain(plain) => plain.writer.half.reset_on_close(),
            Transport::Tls(tls) => tls.reset_on_close(),
        }
    }

    /// What is staged comes from many exchanges, and goes out together.
    pub fn expects_much(&mut self) {
        match self {
            Transport::Plain(plain) => plain.writer.queue.expects_much = true,
            Transport::Tls(tls) => tls.expects_much(),
        }
    }

    /// Gives back what an idle connection does not need.
    pub fn shrink(&mut self) {
        match self {
            Transport::Plain(plain) => plain.writer.shrink(),
            Transport::Tls(tls) => tls.shrink(),
        }
    }
}

/// Sends a queue of bytes over one half, one operation at a time.
pub struct Writer {
    half: rt::WriteHalf,
    queue: Queue,
    in_flight_bytes: usize,
}

impl Writer {
    pub fn new(half: rt::WriteHalf) -> Writer {
        Writer { half, queue: Queue::default(), in_flight_bytes: 0 }
    }

    #[inline]
    pub fn stage(&mut self, bytes: &[u8]) {
        self.queue.push(bytes);
    }

    pub fn stage_shared(&mut self, buffer: &Rc<Vec<u8>>, range: Range<usize>) {
        self.queue.push_shared(buffer, range);
    }

    #[inline]
    pub fn staged_bytes(&self) -> usize {
        self.queue.bytes() + self.in_flight_bytes
    }

    pub fn half(&self) -> &rt::WriteHalf {
        &self.half
    }

    /// As `Transport::poll_flush`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.in_flight_bytes > 0
                && let Some(sent) = ready!(self.half.poll_idle(cx))?
            {
                self.in_flight_bytes = 0;
                buffers::give(sent);
            }
            let Some(segment) = self.queue.pop() else { return Poll::Ready(Ok(())) };
            // Stays if it cannot be sent: a connection that lost bytes is never taken for one that has nothing to send.
            self.in_flight_bytes = segment.len();
            match segment {
                Segment::Owned(buffer) => {
                    let Some(sent) = self.half.start(buffer)? else { continue };
                    buffers::give(sent);
                }
                Segment::Shared(buffer, range) => {
                    if !self.half.start_shared(buffer, range)? {
                        continue;
                    }
                }
            }
            self.in_flight_bytes = 0;
        }
    }

    pub fn shrink(&mut self) {
        self.queue.shrink();
    }
}

/// Bytes in order, some of them parts of shared buffers.
#[derive(Default)]
pub struct Queue {
    /// What comes before `last`; hardly ever anything.
    segments: VecDeque<Segment>,
    /// Where copied bytes go. Without memory while there are none.
    last: Vec<u8>,
    /// How much of the first segment, or of `last` where there is none, has been taken already.
    taken: usize,
    bytes: usize,
    /// Copied bytes go into large buffers.
    pub expects_much: bool,
}

enum Segment {
    Owned(Vec<u8>),
    Shared(Rc<Vec<u8>>, Range<usize>),
}

impl Segment {
    fn len(&self) -> usize {
        match self {
            Segment::Owned(buffer) => buffer.len(),
            Segment::Shared(_, range) => range.len(),
        }
    }
}

impl Queue {
    /// Bytes in the queue.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.push_with(bytes.len(), |buffer| buffer.extend_from_slice(bytes));
    }

    /// As `Transport::stage_with`. `write` must only append.
    #[inline]
    pub fn push_with(&mut self, bytes_expected: usize, write: impl FnOnce(&mut Vec<u8>)) {
        if self.last.capacity() == 0 {
            self.last = if self.expects_much { buffers::take_large() } else { buffers::take() };
        }
        let before = self.last.len();
        self.last.reserve(bytes_expected);
        write(&mut self.last);
        self.bytes += self.last.len() - before;
    }

    pub fn push_shared(&mut self, buffer: &Rc<Vec<u8>>, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        self.bytes += range.len();
        if !self.last.is_empty() {
            self.segments.push_back(Segment::Owned(std::mem::take(&mut self.last)));
        }
        self.segments.push_back(Segment::Shared(buffer.clone(), range));
    }

    /// The bytes that come first; empty when there are none.
    pub fn front(&self) -> &[u8] {
        match self.segments.front() {
            Some(Segment::Owned(buffer)) => &buffer[self.taken..],
            Some(Segment::Shared(buffer, range)) => &buffer[range.start + self.taken..range.end],
            None => &self.last[self.taken..],
        }
    }

    /// Removes `count` bytes of what `front` returned.
    pub fn take(&mut self, count: usize) {
        self.taken += count;
        self.bytes -= count;
        if self.front().is_empty() {
            self.taken = 0;
            match self.segments.pop_front() {
                Some(Segment::Owned(buffer)) => buffers::give(buffer),
                Some(Segment::Shared(..)) => {}
                None => buffers::give(std::mem::take(&mut self.last)),
            }
        }
    }

    /// The first segment whole. Not to be mixed with `take`.
    fn pop(&mut self) -> Option<Segment> {
        let segment = match self.segments.pop_front() {
            Some(segment) => segment,
            None if self.last.is_empty() => return None,
            None => Segment::Owned(std::mem::take(&mut self.last)),
        };
        self.bytes -= match &segment {
            Segment::Owned(buffer) => buffer.len(),
            Segment::Shared(_, range) => range.len(),
        };
        Some(segment)
    }

    pub fn shrink(&mut self) {
        if self.bytes == 0 {
            (self.segments, self.last) = (VecDeque::new(), Vec::new());
        }
    }
}
