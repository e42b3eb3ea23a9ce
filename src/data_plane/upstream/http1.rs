//! One request and its answer over an HTTP/1.1 connection.
//!
//! The request is written anew from parsed parts, never from the client's bytes. Small bodies go out with the head in one write;
//! large ones are sent from the buffer that they arrived in. The answer is taken as it comes: head, then runs of data in the
//! connection's read buffer, without a copy. Framing that two parsers could read differently ends the connection.
//!
//! Dropping a call closes the connection: that is how an exchange is cancelled upstream. `finish` gives it back to its pool
//! when nothing is left on it.

use super::{Content, Method, Piece, UpstreamRequest, answer_head::AnswerHead, pool::Http1Lease};
use crate::{
    config::snapshot::CHAT_PATH,
    data_plane::{buffers, chunked::ChunkedDecoder},
    error::Upstream,
    limits::{INTERIM_ANSWERS_MAX, READ_BYTES, UPSTREAM_HEAD_BYTES_MAX},
};
use std::{
    ops::Range,
    task::{Context, Poll, ready},
};

pub mod parse;
use parse::{BadAnswer, Body, read_head};

/// A body up to this goes out in one buffer with its head: copying it costs less than a second write.
const COPIED_BODY_BYTES_MAX: usize = 16 * 1024;

/// An exchange on one connection.
pub struct Call {
    lease: Http1Lease,
    upload: Upload,
    framing: Framing,
    /// Where in the read buffer the next unread byte is.
    at: usize,
    /// The present run of data within the read buffer.
    data: Range<usize>,
    keep_alive: bool,
    /// The last read used all the room it had.
    filled_up: bool,
    /// The last read left next to nothing in the buffer.
    trickles: bool,
    interims: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upload {
    /// Everything is staged.
    Whole,
    /// More comes by `send_more`; `true`: as chunks.
    Open { chunked: bool },
}

enum Framing {
    /// The head has not been read yet.
    Head,
    Length(u64),
    Chunked(ChunkedDecoder),
    UntilClose,
    Ended,
}

impl Call {
    /// Stages the request. Nothing is sent before the first poll.
    pub fn start(mut lease: Http1Lease, request: UpstreamRequest<'_>) -> Call {
        let transport = &mut lease.transport;
        let lines = request.deployment.http1_lines.expose();
        let copied = match &request.body.content {
            // Of such a body nothing follows.
            Content::Patched { .. } => request.body.length.unwrap_or(0) as usize,
            Content::Pieces(_) => 0,
        };
        let is_chat = request.content_type == b"application/json"
            && request.path == CHAT_PATH
            && request.base_path == &*request.deployment.base_path;
        // The parts of known length are 160 bytes at most.
        let head_bytes = 160 + request.base_path.len() + request.path.len() + lines.len() + request.content_type.len();
        transport.stage_with(head_bytes + request.forward.len() + copied, |out| {
            if is_chat {
                out.extend_from_slice(request.deployment.http1_chat_start.expose());
            } else {
                out.extend_from_slice(request.method.as_str().as_bytes());
                out.push(b' ');
                out.extend_from_slice(request.base_path.as_bytes());
                out.extend_from_slice(request.path.as_bytes());
                out.extend_from_slice(b" HTTP/1.1\r\n");
                out.extend_from_slice(lines);
                if !request.content_type.is_empty() {
                    out.extend_from_slice(b"content-type: ");
                    out.extend_from_slice(request.content_type);
                    out.extend_from_slice(b"\r\n");
                }
                out.extend_from_slice(b"accept: ");
            }
            // What is known here is copied in registers.
            match request.accept {
                "application/json" => out.extend_from_slice(b"application/json\r\n"),
                "text/event-stream" => out.extend_from_slice(b"text/event-stream\r\n"),
                accept => {
                    out.extend_from_slice(accept.as_bytes());
                    out.extend_from_slice(b"\r\n");
                }
            }
            if !request.forward.is_empty() {
                out.extend_from_slice(request.forward);
            }
            match request.body.length {
                Some(length) if request.method == Method::Post => {
                    out.extend_from_slice(b"content-length: ");
                    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
                    out.extend_from_slice(b"\r\n\r\n");
                }
                Some(_) => out.extend_from_slice(b"\r\n"),
                None => out.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n"),
            }
            if let Content::Patched { patch, text } = &request.body.content {
                patch.append_to(text, out);
            }
        });
        let staged = copied + request.body.content.pieces().iter().map(Piece::len).sum::<usize>();
        debug_assert!(match &request.body.content {
            Content::Patched { patch, text } => patch.patched_bytes(text.len()) == copied,
            Content::Pieces(_) => true,
        });
        let complete = request.body.length == Some(staged as u64);
        let chunked = request.body.length.is_none();
        if chunked && staged > 0 {
            transport.stage(format!("{staged:x}\r\n").as_bytes());
        }
        for piece in request.body.content.pieces() {
            match piece {
                Piece::Owned(bytes) => transport.stage(bytes),
                Piece::Shared(buffer, range) if range.len() <= COPIED_BODY_BYTES_MAX => {
                    transport.stage(&buffer[range.clone()]);
                }
                Piece::Shared(buffer, range) => transport.stage_shared(buffer, range.clone()),
            }
        }
        if chunked && staged > 0 {
            transport.stage(b"\r\n");
        }
        Call {
            lease,
            upload: if complete { Upload::Whole } else { Upload::Open { chunked } },
            framing: Framing::Head,
            at: 0,
            data: 0..0,
            keep_alive: true,
            filled_up: false,
            trickles: false,
            interims: 0,
        }
    }

    /// True when the connection had served another request before: a failure before any byte came may then be the peer's
    /// keep-alive timer, and one fresh connection is worth a try.
    pub fn is_reused(&self) -> bool {
        self.lease.has_idled()
    }

    /// Ready when more of the body may be sent.
    ///
    /// # Errors
    /// `ResetBeforeAnswer` when the connection broke.
    pub fn poll_send_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Upstream>> {
        ready!(self.lease.transport.poll_flush(cx)).map_err(|_| Upstream::ResetBeforeAnswer)?;
        Poll::Ready(Ok(()))
    }

    /// Sends more of a body whose length was not all staged at the start.
    pub fn send_more(&mut self, bytes: &[u8]) {
        match self.upload {
            Upload::Open { chunked: true } if !bytes.is_empty() => {
                self.lease.transport.stage(format!("{:x}\r\n", bytes.len()).as_bytes());
                self.lease.transport.stage(bytes);
                self.lease.transport.stage(b"\r\n");
            }
            Upload::Open { .. } => self.lease.transport.stage(bytes),
            Upload::Whole => debug_assert!(bytes.is_empty()),
        }
    }

    /// Ends a body sent by `send_more`.
    pub fn end_body(&mut self) {
        if self.upload == (Upload::Open { chunked: true }) {
            self.lease.transport.stage(b"0\r\n\r\n");
        }
        self.upload = Upload::Whole;
    }

    /// Ready when the answer's head is in `head`. Sends what is staged meanwhile. An answer may come before all was sent.
    ///
    /// # Errors
    /// `ResetBeforeAnswer` when the connection ended without an answer, `BadResponse` when it is not HTTP.
    pub fn poll_head(&mut self, cx: &mut Context<'_>, head: &mut AnswerHead) -> Poll<Result<(), Upstream>> {
        loop {
            // A failed write is no verdict: the peer may have answered and closed. Reading tells.
            let _ = self.lease.transport.poll_flush(cx);
            if self.at < self.lease.buffer.len() && self.take_head(head)? {
                return Poll::Ready(Ok(()));
            }
            let seen = self.lease.buffer.len();
            if seen > UPSTREAM_HEAD_BYTES_MAX {
                return Poll::Ready(Err(Upstream::BadResponse));
            }
            match ready!(self.poll_fill(cx)) {
                Ok(0) | Err(_) => {
                    let nothing_came = seen == 0 && self.interims == 0;
                    return Poll::Ready(Err(if nothing_came {
                        Upstream::ResetBeforeAnswer
                    } else {
                        Upstream::BadResponse
                    }));
                }
                Ok(_) => {}
            }
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let connection = &mut *self.lease;
        let buffer = &mut connection.buffer;
        let room = buffer.capacity() - buffer.len();
        // At first there is none: a call that waits holds no memory for its answer.
        if buffer.capacity() > 0 && (room < READ_BYTES / 4 || (self.filled_up && room < READ_BYTES)) {
            buffer.reserve(READ_BYTES);
        } else if self.trickles && buffer.is_empty() && room > READ_BYTES / 4 {
            *buffer = Vec::new();
        }
        let read = ready!(connection.transport.poll_read(cx, &mut connection.buffer));
        // An ordinary answer fits into the small buffer that it begins with; where one does not, read more at a time. A stream
        // that has become slow waits with a small one again.
        self.filled_up = connection.buffer.len() == connection.buffer.capacity();
        self.trickles = connection.buffer.len() < READ_BYTES / 16;
        Poll::Ready(read)
    }

    /// Takes a head from the buffer, if one is complete; interim answers are skipped.
    fn take_head(&mut self, head: &mut AnswerHead) -> Result<bool, Upstream> {
        loop {
            let bytes = &self.lease.buffer[self.at..];
            let Some(frame) = read_head(bytes, head).map_err(|BadAnswer| Upstream::BadResponse)? else {
                return Ok(false);
            };
            self.at += frame.bytes;
            if (100..200).contains(&head.status) {
                self.interims += 1;
                // 101 would change the protocol, which was never asked for.
                if head.status == 101 || self.interims > INTERIM_ANSWERS_MAX {
                    return Err(Upstream::BadResponse);
                }
                continue;
            }
            self.framing = match frame.body {
                Body::Never => Framing::Ended,
                Body::Length(length) => Framing::Length(length),
                Body::Chunked => Framing::Chunked(ChunkedDecoder::default()),
                Body::UntilClose => Framing::UntilClose,
            };
            self.keep_alive = frame.keep_alive;
            return Ok(true);
        }
    }

    /// Ready with `true` when `data` is not empty, with `false` at the clean end of the answer.
    ///
    /// # Errors
    /// `Truncated` when the connection ended early, `BadResponse` when the framing is broken.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Upstream>> {
        loop {
            if !self.data.is_empty() {
                return Poll::Ready(Ok(true));
            }
            let unread = &self.lease.buffer[self.at.min(self.lease.buffer.len())..];
            match &mut self.framing {
                Framing::Ended => return Poll::Ready(Ok(false)),
                Framing::Head => return Poll::Ready(Err(Upstream::BadResponse)),
                Framing::Length(0) => self.framing = Framing::Ended,
                Framing::Length(left) if !unread.is_empty() => {
                    let run = unread.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= run as u64;
                    self.data = self.at..self.at + run;
                    self.at += run;
                }
                Framing::UntilClose if !unread.is_empty() => {
                    self.data = self.at..self.at + unread.len();
                    self.at = self.data.end;
                }
                Framing::Chunked(decoder) if !unread.is_empty() => {
                    let step = decoder.step(unread).map_err(|_| Upstream::BadResponse)?;
                    self.data = self.at + step.data.start..self.at + step.data.end;
                    self.at += step.consumed;
                    if step.done {
                        self.framing = Framing::Ended;
                    }
                }
                _ => {
                    // Everything read so far was passed on: the buffer starts anew.
                    if self.lease.buffer.capacity() == buffers::BUFFER_BYTES {
                        buffers::give(std::mem::take(&mut self.lease.buffer));
                    } else {
                        self.lease.buffer.clear();
                    }
                    self.at = 0;
                    match ready!(self.poll_fill(cx)) {
                        Ok(0) if matches!(self.framing, Framing::UntilClose) => {
                            self.keep_alive = false;
                            self.framing = Framing::Ended;
                        }
                        Ok(0) | Err(_) => return Poll::Ready(Err(Upstream::Truncated)),
                        Ok(_) => {}
                    }
                }
            }
        }
    }

    /// The present run of data.
    #[inline]
    pub fn data(&self) -> &[u8] {
        &self.lease.buffer[self.data.clone()]
    }

    /// Done with the first `bytes` of it.
    #[inline]
    pub fn consume(&mut self, bytes: usize) {
        self.data.start += bytes;
        debug_assert!(self.data.start <= self.data.end);
    }

    /// True when nothing comes after the present run of data.
    #[inline]
    pub fn data_is_last(&self) -> bool {
        matches!(self.framing, Framing::Ended | Framing::Length(0))
    }

    /// Gives the connection back when the answer ended and nothing else is on it; closes it otherwise.
    pub fn finish(mut self) {
        let empty = self.at >= self.lease.buffer.len() && self.lease.transport.staged_bytes() == 0;
        let ended = self.data_is_last() && self.data.is_empty();
        if ended && self.keep_alive && self.upload == Upload::Whole && empty {
            self.lease.buffer.clear();
            self.lease.give_back();
        }
    }
}

/// True if a comma-separated list has `token`, without regard to case.
pub fn contains_token(list: &[u8], token: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
}
