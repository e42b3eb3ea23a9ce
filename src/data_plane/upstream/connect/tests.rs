//! Which address, which protocol, and how each failure is called.

use super::*;
use crate::{
    config::snapshot::Endpoint,
    data_plane::peers::{Issuer, count, endpoint, in_fast_time, on_both, on_both_untimed, peer_thread},
};
use std::{net::TcpListener, rc::Rc, sync::Arc};

fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").expect("loopback").local_addr().expect("bound")
}

/// A port whose backlog is full: its kernel drops further SYNs. The sockets keep it so.
fn black_hole() -> (SocketAddr, Vec<std::net::TcpStream>, socket2::Socket) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("socket");
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().expect("address").into()).expect("bind");
    socket.listen(0).expect("listen");
    let address = socket.local_addr().expect("bound").as_socket().expect("IP");
    let mut filling = Vec::new();
    // One is taken by a backlog of zero; the next ones find it full.
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_millis(100)) {
        filling.push(stream);
    }
    (address, filling, socket)
}

fn at(addresses: Vec<SocketAddr>) -> Endpoint {
    let endpoint = endpoint(closed_port(), None, HttpVersions::Auto);
    endpoint.addresses.store(Arc::new(addresses));
    endpoint
}

#[test]
fn failures_are_told_apart_and_counted() {
    on_both(async |context| {
        for (endpoint, expected) in [(at(vec![]), Upstream::Connect), (at(vec![closed_port()]), Upstream::Connect)] {
            assert_eq!(connect(&endpoint, &context, 5_000).await.err(), Some(expected));
        }
        assert_eq!(count(&context, Cell::UpstreamConnectFailures), 2);
        assert_eq!(count(&context, Cell::UpstreamConnects), 0);
    });
}

#[test]
fn next_address_is_tried_when_one_refuses_or_is_silent() {
    on_both_untimed(async |context| {
        let (hole, _filling, _listening) = black_hole();
        let (address, peer) = peer_thread(|listener| listener.accept().expect("accept"));
        let endpoint = at(vec![closed_port(), hole, address]);
        let begun_ms = context.deadlines.now_ms();
        let connected = in_fast_time(&context, 50, connect(&endpoint, &context, 10_000)).await;
        assert_eq!(connected.map(|(_, protocol)| protocol).ok(), Some(Protocol::Http1));
        // The silent one had its limit and not the whole.
        let took_ms = context.deadlines.now_ms() - begun_ms;
        assert!((UPSTREAM_ADDRESS_MS..10_000).contains(&took_ms), "{took_ms}");
        peer.end().await;
    });
}

#[test]
fn silence_of_the_only_address_lasts_as_long_as_allowed() {
    on_both_untimed(async |context| {
        let (hole, _filling, _listening) = black_hole();
        let begun_ms = context.deadlines.now_ms();
        let failed = in_fast_time(&context, 50, connect(&at(vec![hole]), &context, 2_000)).await;
        assert_eq!(failed.err(), Some(Upstream::ConnectTimeout));
        assert!(context.deadlines.now_ms() - begun_ms >= 2_000);
        assert_eq!(count(&context, Cell::UpstreamConnectFailures), 1);
    });
}

#[test]
fn protocol_is_what_the_peer_selects_within_what_is_allowed() {
    use HttpVersions::*;
    let both: &'static [&'static str] = &["h2", "http/1.1"];
    type Names = &'static [&'static str];
    let cases: [(HttpVersions, Names, Names, Result<Protocol, Upstream>); 7] = [
        (Auto, both, both, Ok(Protocol::Http2)),
        (Auto, both, &["http/1.1"], Ok(Protocol::Http1)),
        (Auto, both, &[], Ok(Protocol::Http1)),
        (Http1, &["http/1.1"], both, Ok(Protocol::Http1)),
        (Http2, &["h2"], both, Ok(Protocol::Http2)),
        (Http2, &["h2"], &["http/1.1"], Err(Upstream::Tls)),
        // A peer that does not know ALPN must not be taken for one that speaks HTTP/2.
        (Http2, &["h2"], &[], Err(Upstream::Tls)),
    ];
    for (http, ours, theirs, expected) in cases {
        on_both(async |context| {
            let issuer = Issuer::new();
            let server = issuer.server("peer.test", theirs, None);
            let (address, peer) = peer_thread(move |listener| {
                let (stream, _) = listener.accept().expect("accept");
                let session = rustls::ServerConnection::new(server).expect("session");
                let mut stream = rustls::StreamOwned::new(session, stream);
                let _ = std::io::Read::read(&mut stream, &mut [0; 1]);
            });
            let endpoint = endpoint(address, Some(issuer.client(ours)), http);
            let result = connect(&endpoint, &context, 5_000).await.map(|(_, protocol)| protocol);
            assert_eq!(result, expected, "{http:?} {theirs:?}");
            peer.end().await;
        });
    }
}

#[test]
fn plaintext_is_http1_unless_http2_is_known_beforehand() {
    on_both(async |context| {
        let cases = [
            (HttpVersions::Auto, Protocol::Http1),
            (HttpVersions::Http1, Protocol::Http1),
            (HttpVersions::Http2, Protocol::Http2),
        ];
        for (http, expected) in cases {
            let (address, peer) = peer_thread(|listener| listener.accept().expect("accept"));
            let endpoint = endpoint(address, None, http);
            assert_eq!(connect(&endpoint, &context, 5_000).await.map(|(_, protocol)| protocol).ok(), Some(expected));
            peer.end().await;
        }
    });
}

#[test]
fn endpoint_with_tls_and_without_its_configuration_is_never_spoken_to_in_plaintext() {
    on_both(async |context| {
        let (address, peer) = peer_thread(|listener| listener.accept().expect("accept"));
        let mut endpoint = endpoint(address, None, HttpVersions::Auto);
        endpoint.key.tls = true;
        assert_eq!(connect(&endpoint, &context, 5_000).await.err(), Some(Upstream::Tls));
        peer.end().await;
    });
}

#[test]
fn handshakes_are_counted_with_the_resumed_ones() {
    on_both(async |context| {
        let issuer = Issuer::new();
        let server = issuer.server("peer.test", &["http/1.1"], None);
        let (address, peer) = peer_thread(move |listener| {
            for _ in 0..2 {
                let (stream, _) = listener.accept().expect("accept");
                let session = rustls::ServerConnection::new(server.clone()).expect("session");
                let mut stream = rustls::StreamOwned::new(session, stream);
                std::io::Write::write_all(&mut stream, b"x").expect("write");
                let _ = std::io::Read::read(&mut stream, &mut [0; 1]);
            }
        });
        let endpoint = endpoint(address, Some(issuer.client(&["http/1.1"])), HttpVersions::Auto);
        for _ in 0..2 {
            let (mut transport, _) = connect(&endpoint, &context, 5_000).await.expect("connect");
            // The tickets have come when the byte behind them has.
            let mut buffer = Vec::new();
            poll_fn(|cx| transport.poll_read(cx, &mut buffer)).await.expect("read");
        }
        assert_eq!(count(&context, Cell::UpstreamConnects), 2);
        assert_eq!(count(&context, Cell::UpstreamHandshakes), 2);
        assert_eq!(count(&context, Cell::UpstreamHandshakesResumed), 1);
        peer.end().await;
    });
}

#[test]
fn abandoned_connect_leaves_no_socket_behind() {
    on_both(async |context: Rc<UpstreamContext>| {
        let open = || std::fs::read_dir("/proc/self/fd").expect("proc").count();
        let (hole, _filling, _listening) = black_hole();
        let before = open();
        for _ in 0..20 {
            let endpoint = at(vec![hole]);
            let mut connecting = Box::pin(connect(&endpoint, &context, 5_000));
            assert!(poll_fn(|cx| Poll::Ready(connecting.as_mut().poll(cx))).await.is_pending());
        }
        // Other tests run beside this one; what leaked would stay.
        crate::data_plane::peers::until("the sockets are closed", || open() < before + 15).await;
    });
}
