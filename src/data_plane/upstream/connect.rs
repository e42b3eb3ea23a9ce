//! Making one connection to an endpoint: TCP, TLS, and the choice of the HTTP version.
//!
//! Addresses are tried in the resolver's order; while others are left, one has `UPSTREAM_ADDRESS_MS` at most. A peer that answers TCP
//! but not TLS acceptably ends the attempt: another address of the same host would be the same peer, and nothing is
//! ever downgraded. Each attempt reads the addresses anew, so a change reaches all connections made after it.

use super::UpstreamContext;
use crate::{
    config::snapshot::{Endpoint, HttpVersions},
    data_plane::{
        tls::{self, Alpn},
        transport::Transport,
    },
    error::Upstream,
    limits::UPSTREAM_ADDRESS_MS,
    rt::{self, Deadline},
    telemetry::cells::Cell,
};
use std::{future::poll_fn, io, net::SocketAddr, pin::pin, task::Poll};

/// What was agreed on with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// Connects within `within_ms` milliseconds.
///
/// # Errors
/// `Connect` when no address is known or none accepts, `ConnectTimeout`, or `Tls` (which includes a peer without `h2` where
/// only HTTP/2 is allowed).
pub async fn connect(
    endpoint: &Endpoint,
    context: &UpstreamContext,
    within_ms: u64,
) -> Result<(Transport, Protocol), Upstream> {
    let result = establish(endpoint, context, within_ms).await;
    if result.is_err() {
        context.state.cells.add(Cell::UpstreamConnectFailures, 1);
    }
    result
}

async fn establish(
    endpoint: &Endpoint,
    context: &UpstreamContext,
    within_ms: u64,
) -> Result<(Transport, Protocol), Upstream> {
    let cells = &context.state.cells;
    let deadline = context.deadlines.slot();
    let end_ms = context.deadlines.now_ms().saturating_add(within_ms);
    let stream = connect_any(endpoint, context, &deadline, end_ms).await?;
    cells.add(Cell::UpstreamConnects, 1);
    if !endpoint.key.tls {
        let protocol = match endpoint.key.http {
            HttpVersions::Http2 => Protocol::Http2,
            HttpVersions::Auto | HttpVersions::Http1 => Protocol::Http1,
        };
        return Ok((Transport::plain(stream), protocol));
    }
    // An endpoint with TLS and without its configuration would be a bug of the snapshot's builder; plaintext is not the answer.
    let (Some(config), Some(name)) = (&endpoint.tls, &endpoint.server_name) else { return Err(Upstream::Tls) };
    deadline.set_at_ms(end_ms);
    let connected = tls::connect(stream, config, name, &deadline).await?;
    cells.add(Cell::UpstreamHandshakes, 1);
    cells.add(Cell::UpstreamHandshakesResumed, u64::from(connected.resumed));
    let protocol = match (endpoint.key.http, connected.alpn) {
        (HttpVersions::Auto | HttpVersions::Http2, Alpn::Http2) => Protocol::Http2,
        (HttpVersions::Auto | HttpVersions::Http1, Alpn::Http1 | Alpn::None) => Protocol::Http1,
        (HttpVersions::Http2, Alpn::Http1 | Alpn::None) | (HttpVersions::Http1, Alpn::Http2) => {
            return Err(Upstream::Tls);
        }
    };
    Ok((connected.transport, protocol))
}

async fn connect_any(
    endpoint: &Endpoint,
    context: &UpstreamContext,
    deadline: &Deadline,
    end_ms: u64,
) -> Result<rt::Stream, Upstream> {
    let addresses = endpoint.addresses.load_full();
    let mut failure = Upstream::Connect;
    for (at, address) in addresses.iter().enumerate() {
        let now_ms = context.deadlines.now_ms();
        if now_ms >= end_ms {
            return Err(Upstream::ConnectTimeout);
        }
        let last = at + 1 == addresses.len();
        deadline.set_at_ms(if last { end_ms } else { end_ms.min(now_ms.saturating_add(UPSTREAM_ADDRESS_MS)) });
        match connect_one(*address, deadline).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => failure = Upstream::ConnectTimeout,
            Err(_) => failure = Upstream::Connect,
        }
    }
    Err(failure)
}

async fn connect_one(address: SocketAddr, deadline: &Deadline) -> io::Result<rt::Stream> {
    let mut connecting = pin!(rt::connect_tcp(address));
    poll_fn(|cx| match connecting.as_mut().poll(cx) {
        Poll::Pending => deadline.poll_due(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
        ready => ready,
    })
    .await
}

#[cfg(test)]
mod tests;
