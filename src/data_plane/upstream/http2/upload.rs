//! A request's body on its way to h2: whole or in pieces, never faster than the peer's window.

use crate::{
    data_plane::upstream::{Content, Piece, RequestBody},
    limits,
};
use bytes::Buf;
use h2::SendStream;
use std::{
    collections::VecDeque,
    ops::Range,
    rc::Rc,
    task::{Context, Poll},
};

/// One request's body.
pub struct Body {
    /// `None` if the request could not be started, or its stream takes no more.
    pub stream: Option<SendStream<Chunk>>,
    queue: VecDeque<Chunk>,
    pub queued_bytes: usize,
    /// Bytes that are still to be pushed, where the length is known.
    missing_bytes: Option<u64>,
    /// Nothing more will be pushed.
    pub whole: bool,
    /// The end of the stream has been handed over.
    pub is_sent: bool,
}

/// Pieces of a body up to this in all are sent as one frame: the copy costs less than frames of their own.
const JOINED_BYTES_MAX: usize = 16 * 1024;

impl Body {
    /// A body that goes out over `stream`. Small requests are the rule; h2 may hold one of them without asking for window first,
    /// and has it with the head.
    pub fn start(body: RequestBody<'_>, mut stream: SendStream<Chunk>) -> Body {
        if body.length == Some(0) {
            // The head said that it is the end.
            return Body { stream: Some(stream), is_sent: true, ..Body::dropped(body) };
        }
        let small = body.length.is_some_and(|length| length > 0 && length <= JOINED_BYTES_MAX as u64);
        match body.content {
            Content::Patched { patch, text } if small => {
                let mut whole = Vec::with_capacity(patch.patched_bytes(text.len()));
                patch.append_to(text, &mut whole);
                // Refused only if the stream has ended already.
                let is_sent = stream.send_data(Chunk::Owned(whole, 0), true).is_ok();
                let stream = Some(stream).filter(|_| is_sent);
                Body { stream, queue: VecDeque::new(), queued_bytes: 0, missing_bytes: Some(0), whole: true, is_sent }
            }
            _ => Body { stream: Some(stream), ..Body::dropped(body) },
        }
    }

    /// A body that nobody takes.
    pub fn dropped(body: RequestBody<'_>) -> Body {
        let pieces = body.content.into_pieces();
        let total: usize = pieces.iter().map(Piece::len).sum();
        let mut this = Body {
            stream: None,
            queue: VecDeque::new(),
            queued_bytes: 0,
            missing_bytes: body.length,
            whole: body.length == Some(0),
            is_sent: false,
        };
        if pieces.len() > 1 && total <= JOINED_BYTES_MAX {
            let mut joined = Vec::with_capacity(total);
            pieces.iter().for_each(|piece| joined.extend_from_slice(piece.as_slice()));
            this.push(Piece::Owned(joined));
        } else {
            pieces.into_iter().for_each(|piece| this.push(piece));
        }
        this
    }

    pub fn push(&mut self, piece: Piece) {
        let count = piece.len();
        if count == 0 {
            return;
        }
        if let Some(missing) = &mut self.missing_bytes {
            *missing = missing.saturating_sub(count as u64);
            self.whole |= *missing == 0;
        }
        self.queued_bytes += count;
        self.queue.push_back(match piece {
            Piece::Owned(bytes) => Chunk::Shared(Rc::new(bytes), 0..count),
            Piece::Shared(buffer, rest) => Chunk::Shared(buffer, rest),
        });
    }

    /// Hands over what the peer's window has room for. What a peer does not take any more is dropped: why it does not is told
    /// by the answer, or by its failure.
    pub fn poll_send(&mut self, cx: &mut Context<'_>) {
        let Some(stream) = &mut self.stream else {
            self.queue.clear();
            self.queued_bytes = 0;
            return;
        };
        while !self.is_sent {
            let alone = self.queue.len() == 1;
            let Some(first) = self.queue.front_mut() else {
                if !self.whole {
                    return;
                }
                self.is_sent = true;
                // Refused only if the stream has ended already.
                let _ = stream.send_data(Chunk::default(), true);
                return;
            };
            // Small requests are the rule; h2 may hold one of them without asking for window first.
            let unasked = self.whole && alone && self.queued_bytes <= JOINED_BYTES_MAX;
            let mut room = if unasked { self.queued_bytes } else { stream.capacity() };
            if room == 0 {
                stream.reserve_capacity(self.queued_bytes.min(limits::H2_SEND_BUFFER_BYTES));
                room = stream.capacity();
            }
            if room == 0 {
                match stream.poll_capacity(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Some(Ok(_))) => continue,
                    Poll::Ready(Some(Err(_)) | None) => break,
                }
            }
            let chunk = first.split_to(room);
            if first.remaining() == 0 {
                self.queue.pop_front();
            }
            self.queued_bytes -= chunk.remaining();
            self.is_sent = self.whole && self.queue.is_empty();
            if stream.send_data(chunk, self.is_sent).is_err() {
                break;
            }
        }
        if !self.is_sent {
            self.stream = None;
        }
    }
}

/// Bytes on their way through h2, without a copy of their own.
pub enum Chunk {
    /// All of a small body, of which so many bytes have been taken.
    Owned(Vec<u8>, usize),
    Shared(Rc<Vec<u8>>, Range<usize>),
}

impl Default for Chunk {
    fn default() -> Chunk {
        Chunk::Owned(Vec::new(), 0)
    }
}

impl Chunk {
    /// Cuts the first `count` bytes off.
    fn split_to(&mut self, count: usize) -> Chunk {
        match self {
            // Goes whole: it is never queued.
            Chunk::Owned(..) => std::mem::take(self),
            Chunk::Shared(buffer, rest) => {
                let start = rest.start;
                rest.start = rest.end.min(start + count);
                Chunk::Shared(buffer.clone(), start..rest.start)
            }
        }
    }
}

impl Buf for Chunk {
    #[inline]
    fn remaining(&self) -> usize {
        match self {
            Chunk::Owned(bytes, taken) => bytes.len() - taken,
            Chunk::Shared(_, rest) => rest.len(),
        }
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        match self {
            Chunk::Owned(bytes, taken) => &bytes[*taken..],
            Chunk::Shared(buffer, rest) => &buffer[rest.clone()],
        }
    }

    #[inline]
    fn advance(&mut self, count: usize) {
        assert!(count <= self.remaining());
        match self {
            Chunk::Owned(_, taken) => *taken += count,
            Chunk::Shared(_, rest) => rest.start += count,
        }
    }
}
