//! The client's side of an exchange.
//!
//! An exchange sees its client through `Downstream`, whichever HTTP version the client speaks. Sending is staged and flushed
//! (see `transport`); whoever relays keeps `staged_bytes` bounded.

pub mod head;
pub mod http1;
pub mod http2;

use super::{
    shard::Shard,
    tls::{self, Alpn},
};
use crate::{
    policy::keys::remembered::Remembered,
    rt::{self, Deadline},
    telemetry::{access_log::RequestId, cells::Cell},
};
use std::{
    io,
    rc::Rc,
    task::{Context, Poll},
};

/// Serves a connection that begins with TLS, in the version that ALPN settles.
pub async fn serve_tls(shard: Rc<Shard>, stream: rt::Stream) {
    let Some(config) = shard.node.downstream_tls.load_full() else { return };
    let deadline = shard.deadlines.slot();
    deadline.set_in_ms(shard.current().snapshot.server.head_timeout_ms);
    match tls::accept(stream, config, &deadline).await {
        Ok((transport, Alpn::Http2)) => http2::serve(shard, transport, Vec::new()).await,
        Ok((transport, Alpn::Http1 | Alpn::None)) => http1::serve(shard, transport).await,
        Err(_) => shard.state.cells.add(Cell::DownstreamTlsFailures, 1),
    }
}

/// One request's client.
pub trait Downstream {
    /// Reads more of the request body, appending to `bytes`. Ready with `true` when the body is complete.
    ///
    /// # Errors
    /// See `BodyError`.
    fn poll_body(&mut self, cx: &mut Context<'_>, bytes: &mut Vec<u8>) -> Poll<Result<bool, BodyError>>;

    /// Ready once the client has left. Also goes on sending what is staged. Only when the body is complete.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Stages the head of the answer.
    fn stage_head(&mut self, head: &ReplyHead<'_>);

    /// Stages a part of the answer's body.
    fn stage(&mut self, bytes: &[u8]);

    /// Stages the end of the answer.
    fn stage_end(&mut self);

    /// Bytes staged or in flight.
    fn staged_bytes(&self) -> usize;

    /// Sends what is staged; Ready when all of it is with the kernel (HTTP/2: with the connection, within its window).
    ///
    /// # Errors
    /// The client is gone.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// A deadline of the client that it does not use while an exchange runs, and sets anew afterwards.
    fn spare_deadline(&self) -> Option<Rc<Deadline>> {
        None
    }

    /// What the client's connection has shown before, if it keeps that.
    fn remembered(&mut self) -> Option<&mut Remembered> {
        None
    }

    /// Breaks the answer off so that the client notices: a reset of the stream, or of the connection.
    fn abort(&mut self);
}

/// Why a request body did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// The client left.
    Gone,
    /// The framing is broken; the connection is of no use after the answer.
    Malformed,
}

/// The head of an answer to the client.
#[derive(Debug, Clone, Copy)]
pub struct ReplyHead<'a> {
    pub status: u16,
    pub content_type: &'a [u8],
    /// `None`: the length is not known, or a stream.
    pub content_length: Option<u64>,
    pub request_id: RequestId,
    /// Further headers as lines, `name: value\r\n`, names in lower case.
    pub lines: &'a [u8],
}
