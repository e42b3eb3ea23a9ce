//! A stream below `h2` that says what `h2` as a server will not: a GOAWAY of our choice, a stream limit that falls.
//!
//! It follows the frame boundaries of what `h2` writes (nine bytes of head, the first three of which are the length, RFC
//! 9113 4.1) and writes queued frames only there, so that the client sees a well-formed connection. A setting is not sent in
//! a frame of its own but added to the next SETTINGS frame of `h2`, which then awaits the client's acknowledgement.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::io::Io;

const FRAME_HEAD_BYTES: usize = 9;

/// What waits for the next boundary.
#[derive(Clone, Default)]
pub(crate) struct Queue(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    frames: VecDeque<u8>,
    /// To be announced as SETTINGS_MAX_CONCURRENT_STREAMS.
    streams_max: Option<u32>,
}

impl Queue {
    /// A GOAWAY without error that names `last_stream_id` (RFC 9113 6.8).
    pub fn go_away(&self, last_stream_id: u32) {
        const GOAWAY: u8 = 7;
        let mut frame = vec![0, 0, 8, GOAWAY, 0, 0, 0, 0, 0];
        frame.extend_from_slice(&last_stream_id.to_be_bytes());
        frame.extend_from_slice(&0_u32.to_be_bytes());
        self.waiting().frames.extend(frame);
    }

    /// Adds SETTINGS_MAX_CONCURRENT_STREAMS to the next SETTINGS frame with a single setting.
    pub fn limit_streams(&self, streams_max: u32) {
        self.waiting().streams_max = Some(streams_max);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Framed {
    io: Io,
    queue: Queue,
    /// Bytes that the present frame still has after its head.
    frame_left: usize,
    head: Vec<u8>,
    /// Bytes of queued frames that have been taken from the queue but not all been written.
    slipped: VecDeque<u8>,
}

impl Framed {
    pub fn new(io: Io, queue: Queue) -> Self {
        Self { io, queue, frame_left: 0, head: Vec::with_capacity(FRAME_HEAD_BYTES), slipped: VecDeque::new() }
    }

    fn at_boundary(&self) -> bool {
        self.frame_left == 0 && self.head.is_empty()
    }

    fn poll_slip(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.at_boundary() {
            return Poll::Ready(Ok(()));
        }
        self.slipped.append(&mut self.queue.waiting().frames);
        while !self.slipped.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, self.slipped.as_slices().0))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.slipped.drain(..written);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes a SETTINGS frame with one setting from the beginning of `buf`, if a further setting waits and one stands there,
    /// and puts it in line with both (RFC 9113 6.5).
    fn amend(&mut self, buf: &[u8]) -> Option<usize> {
        const SETTING_BYTES: u8 = 6;
        const SETTINGS: u8 = 4;
        const MAX_CONCURRENT_STREAMS: u16 = 3;
        let frame = buf.get(..FRAME_HEAD_BYTES + usize::from(SETTING_BYTES))?;
        if !self.at_boundary() || frame[..5] != [0, 0, SETTING_BYTES, SETTINGS, 0] {
            return None;
        }
        let streams_max = self.queue.waiting().streams_max.take()?;
        self.slipped.extend([0, 0, 2 * SETTING_BYTES]);
        self.slipped.extend(&frame[3..]);
        self.slipped.extend(MAX_CONCURRENT_STREAMS.to_be_bytes());
        self.slipped.extend(streams_max.to_be_bytes());
        Some(frame.len())
    }

    /// Bytes of `buf` up to the end of the frame in which it begins, as far as that is known.
    fn within_frame(&self, buf: &[u8]) -> usize {
        let wanted = match self.frame_left {
            0 => FRAME_HEAD_BYTES - self.head.len(),
            left => left,
        };
        wanted.min(buf.len())
    }

    fn advance(&mut self, written: &[u8]) {
        if self.frame_left > 0 {
            self.frame_left -= written.len();
            return;
        }
        self.head.extend_from_slice(written);
        if let [a, b, c, _, _, _, _, _, _] = self.head[..] {
            self.frame_left = u32::from_be_bytes([0, a, b, c]) as usize;
            self.head.clear();
        }
    }

    /// Follows bytes that were written in one go over several frames.
    fn follow(&mut self, mut written: &[u8]) {
        while !written.is_empty() {
            let (now, later) = written.split_at(self.within_frame(written));
            self.advance(now);
            written = later;
        }
    }
}

impl AsyncRead for Framed {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Framed {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_slip(cx))?;
        if let Some(taken) = this.amend(buf) {
            return Poll::Ready(Ok(taken));
        }
        let waiting = this.queue.waiting();
        let step = !waiting.frames.is_empty() || waiting.streams_max.is_some();
        drop(waiting);
        // With something waiting, one step at a time leads to the next boundary; without, all may go at once.
        let share = if step { this.within_frame(buf) } else { buf.len() };
        let written = ready!(Pin::new(&mut this.io).poll_write(cx, &buf[..share]))?;
        this.follow(&buf[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_slip(cx))?;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
