//! The provider's side of an exchange.
//!
//! `pool` lends a warm connection, `connect` makes one, `http1` and `http2` carry a request over it and read the answer.
//! What an exchange sends is described here, independent of the HTTP version.

pub mod answer_head;
pub mod connect;
pub mod http1;
pub mod http2;
pub mod pool;
pub mod several;

use crate::{
    config::snapshot::{Deployment, Endpoint},
    error::Upstream,
    json::patch::Patch,
    node::ShardState,
    rt::Deadlines,
};
use answer_head::AnswerHead;
use std::{
    ops::Range,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

/// What all pools of a shard share.
pub struct UpstreamContext {
    pub deadlines: Deadlines,
    pub state: Arc<ShardState>,
}

/// How a request asks. Nearly everything that reaches a provider is a POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Post,
    /// Has no body, like the next one.
    Get,
    Delete,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Post => "POST",
            Method::Get => "GET",
            Method::Delete => "DELETE",
        }
    }

    /// A method by its name; what is neither of the others is a POST.
    pub fn of_name(name: &str) -> Method {
        match name {
            "GET" => Method::Get,
            "DELETE" => Method::Delete,
            _ => Method::Post,
        }
    }
}

/// A request, as it goes upstream.
pub struct UpstreamRequest<'a> {
    pub deployment: &'a Deployment,
    pub endpoint: &'a Endpoint,
    pub method: Method,
    /// The first part of the path, for example `/v1`.
    pub base_path: &'a str,
    /// The rest of it, for example `/chat/completions`.
    pub path: &'a str,
    /// Empty: there is no body.
    pub content_type: &'a [u8],
    pub accept: &'static str,
    /// Allowed client headers as lines, each `name: value\r\n`.
    pub forward: &'a [u8],
    pub body: RequestBody<'a>,
}

/// The request's body.
pub struct RequestBody<'a> {
    pub content: Content<'a>,
    /// Bytes of the whole body. Where the content holds less, the rest follows by `send_more`. `None`: the length is not known
    /// and the body ends with `end_body`.
    pub length: Option<u64>,
}

/// What there is of a body, in the order it is sent.
pub enum Content<'a> {
    /// A whole body that is small enough to be copied to where it is sent from.
    Patched {
        patch: &'a Patch,
        text: &'a [u8],
    },
    Pieces(Vec<Piece>),
}

impl Content<'_> {
    /// The pieces; none of a body that is copied.
    pub fn pieces(&self) -> &[Piece] {
        match self {
            Content::Patched { .. } => &[],
            Content::Pieces(pieces) => pieces,
        }
    }

    /// The same as pieces.
    pub fn into_pieces(self) -> Vec<Piece> {
        match self {
            Content::Pieces(pieces) => pieces,
            Content::Patched { patch, text } => {
                let mut whole = Vec::with_capacity(patch.patched_bytes(text.len()));
                patch.append_to(text, &mut whole);
                vec![Piece::Owned(whole)]
            }
        }
    }
}

/// A part of a body.
pub enum Piece {
    Owned(Vec<u8>),
    Shared(Rc<Vec<u8>>, Range<usize>),
}

impl Piece {
    pub fn len(&self) -> usize {
        match self {
            Piece::Owned(bytes) => bytes.len(),
            Piece::Shared(_, range) => range.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn as_slice(&self) -> &[u8] {
        match self {
            Piece::Owned(bytes) => bytes,
            Piece::Shared(buffer, range) => &buffer[range.clone()],
        }
    }
}

impl pool::Lease {
    /// Sends a request over the connection.
    pub fn call(self, request: UpstreamRequest<'_>) -> Call {
        match self {
            pool::Lease::Http1(lease) => Call::Http1(Box::new(http1::Call::start(lease, request))),
            pool::Lease::Http2(lease) => Call::Http2(Box::new(lease.call(request))),
        }
    }
}

/// A request under way and its answer, whichever HTTP version carries it. Dropping it cancels it at the upstream.
pub enum Call {
    Http1(Box<http1::Call>),
    Http2(Box<http2::Call>),
    /// Several of them. Their bodies are whole from the start.
    Several(Box<several::Calls>),
}

macro_rules! either {
    ($call:expr, $inner:ident => $body:expr) => {
        match $call {
            Call::Http1($inner) => $body,
            Call::Http2($inner) => $body,
            Call::Several($inner) => $body,
        }
    };
}

impl Call {
    /// Ready when the answer's head is in `head`. Sends the body meanwhile.
    ///
    /// # Errors
    /// Why there is none.
    #[inline]
    pub fn poll_head(&mut self, cx: &mut Context<'_>, head: &mut AnswerHead) -> Poll<Result<(), Upstream>> {
        either!(self, call => call.poll_head(cx, head))
    }

    /// Ready with `true` when `data` is not empty, with `false` at the clean end of the answer.
    ///
    /// # Errors
    /// Why it broke off.
    #[inline]
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Upstream>> {
        either!(self, call => call.poll_data(cx))
    }

    /// The present run of data.
    #[inline]
    pub fn data(&self) -> &[u8] {
        either!(self, call => call.data())
    }

    /// Done with the first `bytes` of it.
    #[inline]
    pub fn consume(&mut self, bytes: usize) {
        either!(self, call => call.consume(bytes));
    }

    /// True when nothing comes after the present run of data. False promises nothing.
    #[inline]
    pub fn data_is_last(&mut self) -> bool {
        either!(self, call => call.data_is_last())
    }

    /// Done with the present run of data, and with the answer.
    pub fn consume_and_finish(mut self) {
        let taken = self.data().len();
        self.consume(taken);
        self.finish();
    }

    /// Ready when more of the body may be sent.
    ///
    /// # Errors
    /// The connection broke.
    pub fn poll_send_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Upstream>> {
        match self {
            Call::Http1(call) => call.poll_send_room(cx),
            Call::Http2(call) => call.poll_send_room(cx),
            Call::Several(_) => Poll::Ready(Ok(())),
        }
    }

    /// Sends more of a body that was not whole at the start.
    pub fn send_more(&mut self, bytes: &[u8]) {
        match self {
            Call::Http1(call) => call.send_more(bytes),
            Call::Http2(call) => call.send_more(bytes.to_vec()),
            Call::Several(_) => debug_assert!(bytes.is_empty()),
        }
    }

    /// Ends a body sent by `send_more`.
    pub fn end_body(&mut self) {
        match self {
            Call::Http1(call) => call.end_body(),
            Call::Http2(call) => call.end_body(),
            Call::Several(_) => {}
        }
    }

    /// True when a failure before the first byte may be no more than the peer's keep-alive timer.
    pub fn is_reused(&self) -> bool {
        match self {
            Call::Http1(call) => call.is_reused(),
            // A stream that was refused or lost with its connection has not been processed (RFC 9113, 8.7).
            Call::Http2(_) => true,
            Call::Several(calls) => calls.is_reused(),
        }
    }

    /// The answer was read to its end: the connection may serve others.
    pub fn finish(self) {
        match self {
            Call::Http1(call) => call.finish(),
            Call::Http2(_) => {}
            Call::Several(calls) => calls.finish(),
        }
    }
}
