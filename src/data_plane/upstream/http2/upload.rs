//! A request's body on its way to h2: whole or in pieces, never faster than the peer's window.

use crate::{
    data_plane::upstream::{Piece, RequestBody},
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
    pub fn new(body: RequestBody<'_>) -> Body {
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
            Piece::Owned(bytes) => Chunk { buffer: Rc::new(bytes), rest: 0..count },
            Piece::Shared(buffer, rest) => Chunk { buffer, rest },
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
            if first.rest.is_empty() {
                self.queue.pop_front();
            }
            self.queued_bytes -= chunk.rest.len();
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
#[derive(Default)]
pub struct Chunk {
    buffer: Rc<Vec<u8>>,
    rest: Range<usize>,
}

impl Chunk {
    fn split_to(&mut self, count: usize) -> Chunk {
        let start = self.rest.start;
        self.rest.start = self.rest.end.min(start + count);
        Chunk { buffer: self.buffer.clone(), rest: start..self.rest.start }
    }
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.rest.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.buffer[self.rest.clone()]
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.rest.len());
        self.rest.start += count;
    }
}
