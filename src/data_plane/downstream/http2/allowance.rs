//! How much a client may make us work without asking for anything.
//!
//! Every frame that is not a request or a body costs events: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, unknown ones one, RST_STREAM
//! three. Header blocks cost by their length, and DATA with next to nothing in it one. A request that is accepted gives back what its
//! header block cost; what is sent of its answer, and the end of it, give back more: a client that asks and reads never
//! runs out, one that asks and leaves does. The rest comes back with time.
//!
//! h2 itself bounds CONTINUATION, empty DATA, refused streams and streams reset by error; it answers PING and SETTINGS, and follows
//! WINDOW_UPDATE, PRIORITY and resets of running streams, as fast as they come. Counting bytes against progress instead
//! would need a guess at what each request may cost; the frames say it exactly, for some ten nanoseconds each.
//!
//! Once spent, nothing more is read: on epoll one poll of h2 would otherwise go on for as long as the client sends.

use crate::data_plane::h2_io::H2Io;
use std::{
    cell::Cell,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Events in hand at most: enough to cancel every stream of a full connection at once.
pub const EVENTS_MAX: u64 = 1_000;

/// Events that come back each second: 66 requests cancelled before their answer began, such as a proxy forwards for hundreds
/// of people who type.
pub const EVENTS_PER_S: u64 = 200;

/// A reset costs more than its frame: the exchange that it cancels was begun.
const EVENTS_PER_RESET: u64 = 3;

/// Events that a complete answer gives back: PRIORITY in two versions, a window for its stream, and one to spare.
const EVENTS_PER_ANSWER: u64 = 4;

/// Events that a part of an answer gives back: some clients return the window for each frame, to stream and connection.
const EVENTS_PER_PART: u64 = 2;
const PART_BYTES: usize = 4 * 1024;

/// A header block costs one event for each of so many bytes.
const BLOCK_BYTES: usize = 256;

/// DATA with less than this, and more to come, is not worth its frame.
const TINY_DATA_BYTES: usize = 16;

/// What one connection has left.
pub struct Allowance {
    spent: Cell<u64>,
    /// What of it header blocks cost that have not become a request.
    blocks: Cell<u64>,
    refilled_at_ms: Cell<u64>,
}

impl Allowance {
    /// A full one. Times are milliseconds of the shard's clock.
    pub fn new(now_ms: u64) -> Allowance {
        Allowance { spent: Cell::new(0), blocks: Cell::new(0), refilled_at_ms: Cell::new(now_ms) }
    }

    /// Gives back what time does.
    pub fn refill(&self, now_ms: u64) {
        let events = now_ms.saturating_sub(self.refilled_at_ms.get()) * EVENTS_PER_S / 1_000;
        if events > 0 {
            self.refilled_at_ms.set(now_ms);
            self.give_back(events);
        }
    }

    /// A request was accepted, whose headers are `head_bytes` as RFC 9113 counts a header list. On the wire they were fewer, by a
    /// factor that the client chooses: no more comes back than blocks have cost.
    pub fn request(&self, head_bytes: usize) {
        let events = block_cost(head_bytes).min(self.blocks.get());
        self.blocks.set(self.blocks.get() - events);
        self.give_back(events);
    }

    /// Bytes of an answer are sent.
    pub fn answered(&self, bytes: usize) {
        self.give_back(EVENTS_PER_PART + (bytes / PART_BYTES) as u64);
    }

    /// An answer is sent to its end.
    pub fn completed(&self) {
        self.give_back(EVENTS_PER_ANSWER);
    }

    /// True when the client is to be sent away.
    pub fn is_spent(&self) -> bool {
        self.spent.get() > EVENTS_MAX
    }

    fn give_back(&self, events: u64) {
        self.spent.set(self.spent.get().saturating_sub(events));
    }

    fn frame(&self, head: FrameHead) {
        let events = cost(head);
        self.spent.set(self.spent.get() + events);
        if let HEADERS | CONTINUATION = head.kind {
            self.blocks.set(self.blocks.get() + events);
        }
    }
}

/// What of a frame's header matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FrameHead {
    length: usize,
    kind: u8,
    flags: u8,
}

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const CONTINUATION: u8 = 0x9;
const END_STREAM: u8 = 0x1;

fn cost(head: FrameHead) -> u64 {
    match head.kind {
        DATA if head.length >= TINY_DATA_BYTES || head.flags & END_STREAM != 0 => 0,
        // Each setting is applied, some of them to every stream.
        HEADERS | CONTINUATION | SETTINGS => block_cost(head.length),
        RST_STREAM => EVENTS_PER_RESET,
        _ => 1,
    }
}

fn block_cost(bytes: usize) -> u64 {
    1 + (bytes / BLOCK_BYTES) as u64
}

/// Finds the frames in what is received, in whatever pieces it comes.
struct Frames {
    /// Bytes that belong to no frame header: the preface, payloads.
    skip: usize,
    header: [u8; FRAME_HEADER_BYTES],
    filled: usize,
}

const FRAME_HEADER_BYTES: usize = 9;
const PREFACE_BYTES: usize = 24;

impl Default for Frames {
    fn default() -> Frames {
        Frames { skip: PREFACE_BYTES, header: [0; FRAME_HEADER_BYTES], filled: 0 }
    }
}

impl Frames {
    fn feed(&mut self, mut bytes: &[u8], mut on_frame: impl FnMut(FrameHead)) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = (FRAME_HEADER_BYTES - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == FRAME_HEADER_BYTES {
                self.filled = 0;
                let [high, middle, low, kind, flags, ..] = self.header;
                let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                self.skip = length;
                on_frame(FrameHead { length, kind, flags });
            }
        }
    }
}

/// A connection's I/O that counts the frames received.
pub struct CountedIo {
    io: H2Io,
    frames: Frames,
    allowance: Rc<Allowance>,
}

impl CountedIo {
    pub fn new(io: H2Io, allowance: Rc<Allowance>) -> CountedIo {
        CountedIo { io, frames: Frames::default(), allowance }
    }
}

impl AsyncRead for CountedIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.allowance.is_spent() {
            // Nobody is woken: the connection's task looks at the allowance whenever a poll ends.
            return Poll::Pending;
        }
        let before = out.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, out))?;
        this.frames.feed(&out.filled()[before..], |head| this.allowance.frame(head));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for CountedIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
