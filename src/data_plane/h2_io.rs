//! A transport as the `h2` crate wants its I/O: tokio's traits, no tokio runtime.
//!
//! A flush is "done" once a write is in flight and little waits behind it: what streams add meanwhile goes out together in the next
//! write. That saves a quarter of all instructions at 32 concurrent streams compared with waiting for each write. Beyond
//! `COALESCE_BYTES_MAX` a flush and further writes wait, which is the connection's back-pressure.
//!
//! h2 flushes after every DATA frame, and the kernel mostly takes a small write at once, so that none is in flight which the next
//! frame could wait behind. Who polls the connection therefore may take the sending upon itself: with a `Sender`, a flush only
//! stages, and all that one poll of the connection wrote leaves in one write, as few TLS records.
//!
//! The end of a write wakes the connection's task, whose next poll always reads; reading, or the `Sender`, therefore drives the
//! writer as well, or the bytes that waited would stay. One read is at most `READ_BYTES`: h2 works off a whole read before
//! it gives other connections a turn.

use super::transport::Transport;
use crate::limits::READ_BYTES;
use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that may wait behind a write in flight before writing pauses.
const COALESCE_BYTES_MAX: usize = 128 * 1024;

/// The adapter. Belongs to one connection's task.
pub struct H2Io {
    transport: Rc<RefCell<Transport>>,
    /// A `Sender` sends what is flushed.
    is_sent_for: bool,
    /// What the last read brought.
    buffer: Vec<u8>,
    taken: usize,
    received_bytes: Rc<Cell<u64>>,
}

impl H2Io {
    /// `read_ahead` is what was read from the transport already.
    pub fn new(transport: Transport, read_ahead: Vec<u8>) -> H2Io {
        H2Io {
            transport: Rc::new(RefCell::new(transport)),
            is_sent_for: false,
            buffer: read_ahead,
            taken: 0,
            received_bytes: Rc::default(),
        }
    }

    /// From now on the holder of the handle sends what is flushed, after each poll of the connection.
    pub fn sender(&mut self) -> Sender {
        self.is_sent_for = true;
        Sender(self.transport.clone())
    }

    /// Rises with every byte received: whoever watches the connection's life compares it over time.
    pub fn received_bytes(&self) -> Rc<Cell<u64>> {
        self.received_bytes.clone()
    }
}

/// Sends what was flushed.
pub struct Sender(Rc<RefCell<Transport>>);

impl Sender {
    /// Hands to the kernel what one poll of the connection has written. The connection's task is woken when more can be sent.
    ///
    /// # Errors
    /// What the kernel says; reading tells it as well, after what has come before.
    pub fn send(&self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.0.borrow_mut().poll_flush(cx) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for H2Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_sent_for {
            // A broken write shows in what is read as well, after the bytes that came before it.
            let _ = this.transport.borrow_mut().poll_flush(cx);
        }
        if this.taken == this.buffer.len() {
            let transport = &mut *this.transport.borrow_mut();
            this.taken = 0;
            this.buffer.clear();
            if this.buffer.capacity() < READ_BYTES {
                this.buffer.reserve_exact(READ_BYTES);
            }
            let count = ready!(transport.poll_read(cx, &mut this.buffer))?;
            this.received_bytes.set(this.received_bytes.get().wrapping_add(count as u64));
        }
        let count = out.remaining().min(this.buffer.len() - this.taken);
        out.put_slice(&this.buffer[this.taken..this.taken + count]);
        this.taken += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for H2Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // Only staged here: the flush that follows sends it together with whatever else was written.
        let transport = &mut *this.transport.borrow_mut();
        if transport.waiting_bytes() >= COALESCE_BYTES_MAX {
            ready!(poll_room(transport, cx))?;
        }
        let count = parts.iter().map(|part| part.len()).sum();
        transport.stage_with(count, |out| parts.iter().for_each(|part| out.extend_from_slice(part)));
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let transport = &mut *self.transport.borrow_mut();
        if self.is_sent_for && transport.waiting_bytes() < COALESCE_BYTES_MAX {
            return Poll::Ready(Ok(()));
        }
        poll_room(transport, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport.borrow_mut().poll_close(cx)
    }
}

/// Starts a write if none is in flight. Ready while little waits behind it.
fn poll_room(transport: &mut Transport, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    match transport.poll_flush(cx) {
        Poll::Pending if transport.waiting_bytes() < COALESCE_BYTES_MAX => Poll::Ready(Ok(())),
        other => other,
    }
}

#[cfg(test)]
mod tests;
