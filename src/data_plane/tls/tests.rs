//! Our TLS against rustls' buffered side, which is not made of this code.

use super::*;
use crate::{
    data_plane::{
        peers::{Issuer, PeerThread, in_fast_time, on_both, on_both_untimed, peer_thread, until},
        upstream::UpstreamContext,
    },
    rt::connect_tcp,
};
use rustls::{ClientConnection, ServerConnection, StreamOwned};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
};

async fn dial(
    context: &UpstreamContext,
    address: SocketAddr,
    config: &Arc<ClientConfig>,
) -> Result<Connected, Upstream> {
    let deadline = context.deadlines.slot();
    deadline.set_in_ms(5_000);
    let name = ServerName::try_from("peer.test").expect("name");
    connect(connect_tcp(address).await.expect("connect"), config, &name, &deadline).await
}

fn serve(listener: &TcpListener, config: &Arc<ServerConfig>) -> StreamOwned<ServerConnection, TcpStream> {
    let (stream, _) = listener.accept().expect("accept");
    StreamOwned::new(ServerConnection::new(config.clone()).expect("session"), stream)
}

async fn read_to_end(transport: &mut Transport) -> (Vec<u8>, io::Result<()>) {
    let mut all = Vec::new();
    loop {
        match poll_fn(|cx| transport.poll_read(cx, &mut all)).await {
            Ok(0) => return (all, Ok(())),
            Ok(_) => {}
            Err(error) => return (all, Err(error)),
        }
    }
}

async fn flush(transport: &mut Transport) {
    poll_fn(|cx| transport.poll_flush(cx)).await.expect("flush");
}

/// Sends everything back until the client says that nothing follows.
fn echo(listener: &TcpListener, config: &Arc<ServerConfig>) {
    let mut stream = serve(listener, config);
    let mut all = Vec::new();
    stream.read_to_end(&mut all).expect("close_notify ends it");
    stream.write_all(&all).expect("write");
    stream.conn.send_close_notify();
    stream.flush().expect("flush");
}

#[test]
fn bytes_of_every_size_come_back_in_both_versions_of_tls() {
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        on_both(async |context| {
            let issuer = Issuer::new();
            let server = issuer.server("peer.test", &["h2"], None);
            let mut client = (*issuer.client(&["h2"])).clone();
            let roots = rustls::ClientConfig::builder_with_protocol_versions(&[version]);
            client = with_version(roots, &issuer, client);
            let (address, peer) = peer_thread(move |listener| echo(&listener, &server));
            let mut connected = dial(&context, address, &Arc::new(client)).await.expect("handshake");
            assert_eq!(connected.alpn, Alpn::Http2);
            assert!(!connected.resumed);
            let transport = &mut connected.transport;
            let mut sent = Vec::new();
            let big = Rc::new((0..3_000_000u32).map(|n| n as u8).collect::<Vec<u8>>());
            for size in [0, 1, 100, 16_383, 16_384, 16_385, 100_000] {
                transport.stage(&big[..size]);
                sent.extend_from_slice(&big[..size]);
                if size % 2 == 0 {
                    flush(transport).await;
                }
            }
            transport.stage_shared(&big, 5..2_900_005);
            sent.extend_from_slice(&big[5..2_900_005]);
            transport.stage(b"end");
            sent.extend_from_slice(b"end");
            assert!(transport.staged_bytes() > 2_900_000);
            poll_fn(|cx| transport.poll_close(cx)).await.expect("close");
            assert_eq!(transport.staged_bytes(), 0);
            let (received, end) = read_to_end(transport).await;
            end.expect("the peer's close_notify is a clean end");
            assert!(received == sent);
            peer.end().await;
        });
    }
}

fn with_version(
    builder: rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>,
    issuer: &Issuer,
    like: ClientConfig,
) -> ClientConfig {
    let mut config = builder.with_root_certificates(issuer.roots()).with_no_client_auth();
    config.alpn_protocols = like.alpn_protocols;
    config
}

#[test]
fn second_connection_resumes_the_session() {
    on_both(async |context| {
        let issuer = Issuer::new();
        let server = issuer.server("peer.test", &[], None);
        let client = issuer.client(&["h2", "http/1.1"]);
        let (address, peer) = peer_thread(move |listener| {
            for _ in 0..2 {
                echo(&listener, &server);
            }
        });
        for expected in [false, true] {
            let mut connected = dial(&context, address, &client).await.expect("handshake");
            assert_eq!((connected.alpn, connected.resumed), (Alpn::None, expected));
            connected.transport.stage(b"hello");
            poll_fn(|cx| connected.transport.poll_close(cx)).await.expect("close");
            // The tickets come before the answer; reading takes them in.
            let (received, end) = read_to_end(&mut connected.transport).await;
            assert_eq!(received, b"hello");
            end.expect("clean");
        }
        peer.end().await;
    });
}

#[test]
fn peers_that_are_not_who_they_should_be_are_refused() {
    on_both(async |context| {
        let (ours, theirs) = (Issuer::new(), Issuer::new());
        let client = ours.client(&["h2"]);
        // What the peer is told, so that its operator can know.
        let cases = [
            (ours.server("peer.test", &["h2"], Some(2020)), "CertificateExpired"),
            (ours.server("other.test", &["h2"], None), "BadCertificate"),
            (theirs.server("peer.test", &["h2"], None), "UnknownCA"),
            (ours.server("peer.test", &["http/1.1"], None), "any known protocol"),
        ];
        for (server, told) in cases {
            let (address, peer) = peer_thread(move |listener| {
                let mut stream = serve(&listener, &server);
                stream.read(&mut [0; 1]).err().map(|error| error.to_string())
            });
            assert_eq!(dial(&context, address, &client).await.err(), Some(Upstream::Tls), "{told}");
            let heard = peer.end().await.expect("an error");
            assert!(heard.contains(told), "{told}: {heard}");
        }
    });
}

#[test]
fn peer_that_does_not_speak_tls_is_refused() {
    on_both(async |context| {
        let (address, peer) = peer_thread(|listener| {
            let (mut stream, _) = listener.accept().expect("accept");
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("write");
            let _ = stream.read(&mut [0; 2048]);
            stream
        });
        let client = Issuer::new().client(&[]);
        assert_eq!(dial(&context, address, &client).await.err(), Some(Upstream::Tls));
        peer.end().await;
    });
}

#[test]
fn handshake_that_stalls_ends_at_its_deadline() {
    on_both_untimed(async |context| {
        let (address, peer) = peer_thread(|listener| listener.accept().expect("accept"));
        let client = Issuer::new().client(&[]);
        let begun_ms = context.deadlines.now_ms();
        let result = in_fast_time(&context, 500, dial(&context, address, &client)).await;
        assert_eq!(result.err(), Some(Upstream::Tls));
        assert!(context.deadlines.now_ms() - begun_ms >= 5_000);
        peer.end().await;
    });
}

#[test]
fn end_without_close_notify_is_not_a_clean_end() {
    on_both(async |context| {
        let issuer = Issuer::new();
        let server = issuer.server("peer.test", &[], None);
        let (address, peer) = peer_thread(move |listener| {
            let mut stream = serve(&listener, &server);
            stream.write_all(b"half of an ans").expect("write");
            stream.flush().expect("flush");
        });
        let mut connected = dial(&context, address, &issuer.client(&[])).await.expect("handshake");
        let (received, end) = read_to_end(&mut connected.transport).await;
        assert_eq!(received, b"half of an ans");
        assert_eq!(end.expect_err("cut").kind(), io::ErrorKind::UnexpectedEof);
        peer.end().await;
    });
}

#[test]
fn damaged_record_is_an_error() {
    on_both(async |context| {
        let issuer = Issuer::new();
        let server = issuer.server("peer.test", &[], None);
        let (address, peer) = peer_thread(move |listener| {
            let mut stream = serve(&listener, &server);
            stream.write_all(b"good").expect("write");
            stream.flush().expect("flush");
            stream.sock.write_all(&[23, 3, 3, 0, 32]).expect("write");
            stream.sock.write_all(&[0; 32]).expect("write");
            let _ = stream.sock.read(&mut [0; 1]);
        });
        let mut connected = dial(&context, address, &issuer.client(&[])).await.expect("handshake");
        let (received, end) = read_to_end(&mut connected.transport).await;
        assert_eq!(received, b"good");
        assert_eq!(end.expect_err("damaged").kind(), io::ErrorKind::InvalidData);
        drop(connected);
        peer.end().await;
    });
}

#[test]
fn key_updates_from_the_peer_are_followed_in_both_directions() {
    on_both(async |context| {
        let issuer = Issuer::new();
        let server = issuer.server("peer.test", &[], None);
        let (address, peer) = peer_thread(move |listener| {
            let mut stream = serve(&listener, &server);
            for round in 0..5u8 {
                stream.write_all(&[round; 1000]).expect("write");
                stream.conn.refresh_traffic_keys().expect("refresh");
                stream.flush().expect("flush");
                let mut back = [0; 1000];
                stream.read_exact(&mut back).expect("read");
                assert_eq!(back, [round; 1000]);
            }
        });
        let mut connected = dial(&context, address, &issuer.client(&[])).await.expect("handshake");
        let transport = &mut connected.transport;
        for _ in 0..5 {
            let mut buffer = Vec::new();
            while buffer.len() < 1000 {
                assert_ne!(poll_fn(|cx| transport.poll_read(cx, &mut buffer)).await.expect("read"), 0);
            }
            transport.stage(&buffer);
            flush(transport).await;
        }
        peer.end().await;
    });
}

#[test]
fn readiness_means_plaintext_and_not_a_ticket() {
    on_both(async |context| {
        let issuer = Issuer::new();
        let server = issuer.server("peer.test", &[], None);
        let (go, gone) = std::sync::mpsc::channel();
        let (address, peer) = peer_thread(move |listener| {
            let mut stream = serve(&listener, &server);
            // The handshake and its tickets first, a byte only when told.
            stream.conn.complete_io(&mut stream.sock).expect("handshake");
            gone.recv().expect("told");
            stream.write_all(b"x").expect("write");
            stream.flush().expect("flush");
            let _ = stream.read(&mut [0; 1]);
        });
        let mut connected = dial(&context, address, &issuer.client(&[])).await.expect("handshake");
        let transport = &mut connected.transport;
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            if polls == 20 {
                go.send(()).expect("peer");
            }
            let ready = transport.poll_readable(cx);
            assert!(ready.is_pending() || polls >= 20);
            if ready.is_pending() && polls < 20 {
                cx.waker().wake_by_ref();
            }
            ready
        })
        .await
        .expect("ready");
        let mut buffer = Vec::new();
        assert_eq!(poll_fn(|cx| transport.poll_read(cx, &mut buffer)).await.expect("read"), 1);
        assert_eq!(buffer, b"x");
        drop(connected);
        peer.end().await;
    });
}

#[test]
fn cut_anywhere_the_answer_is_the_same() {
    // A relay that passes the server's bytes on in pieces of one size: records split at every place.
    for piece in [1, 7, 100, 5_000] {
        on_both(async |context| {
            let issuer = Issuer::new();
            let server = issuer.server("peer.test", &[], None);
            let (behind, peer) = peer_thread(move |listener| echo(&listener, &server));
            let (address, relay) = peer_thread(move |listener| {
                let (mut front, _) = listener.accept().expect("accept");
                front.set_nodelay(true).expect("socket");
                let mut back = TcpStream::connect(behind).expect("connect");
                let (mut from_client, mut to_server) =
                    (front.try_clone().expect("clone"), back.try_clone().expect("clone"));
                let up = std::thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
                let mut all = vec![0; 4096];
                while let Ok(count @ 1..) = back.read(&mut all) {
                    for part in all[..count].chunks(piece) {
                        front.write_all(part).expect("write");
                    }
                }
                drop(front.shutdown(std::net::Shutdown::Both));
                drop(up.join());
            });
            let mut connected = dial(&context, address, &issuer.client(&[])).await.expect("handshake");
            let sent: Vec<u8> = (0..20_000u32).map(|n| n as u8).collect();
            connected.transport.stage(&sent);
            poll_fn(|cx| connected.transport.poll_close(cx)).await.expect("close");
            let (received, end) = read_to_end(&mut connected.transport).await;
            end.expect("clean");
            assert!(received == sent);
            drop(connected);
            relay.end().await;
            peer.end().await;
        });
    }
}

#[test]
fn half_a_handshake_message_may_wait_while_data_is_sent() {
    on_both(async |context| {
        let issuer = Issuer::new();
        let mut server = (*issuer.server("peer.test", &[], None)).clone();
        // A ticket then takes several records.
        server.max_fragment_size = Some(64);
        let (address, peer) = peer_thread(move |listener| {
            let (mut stream, _) = listener.accept().expect("accept");
            let mut session = ServerConnection::new(Arc::new(server)).expect("session");
            while session.is_handshaking() {
                session.read_tls(&mut stream).expect("read");
                session.process_new_packets().expect("handshake");
                while session.is_handshaking() && session.wants_write() {
                    session.write_tls(&mut stream).expect("write");
                }
            }
            let mut tickets = Vec::new();
            while session.wants_write() {
                session.write_tls(&mut tickets).expect("write");
            }
            // One record and a half.
            let (now, later) = tickets.split_at(130);
            stream.write_all(now).expect("write");
            let mut stream = StreamOwned::new(session, stream);
            let mut asked = [0; 5];
            stream.read_exact(&mut asked).expect("read");
            assert_eq!(&asked, b"hello");
            stream.sock.write_all(later).expect("write");
            stream.write_all(b"world").expect("write");
            stream.flush().expect("flush");
            let _ = stream.read(&mut [0; 1]);
        });
        let mut connected = dial(&context, address, &issuer.client(&[])).await.expect("handshake");
        let Transport::Tls(tls) = &mut connected.transport else { panic!("TLS was expected") };
        let mut buffer = Vec::new();
        until("a part of the tickets has come", || {
            assert!(tls.poll_read(&mut Context::from_waker(std::task::Waker::noop()), &mut buffer).is_pending());
            !tls.incoming.is_empty()
        })
        .await;
        tls.stage(b"hello");
        poll_fn(|cx| tls.poll_flush(cx)).await.expect("flush");
        while buffer.len() < 5 {
            assert_ne!(poll_fn(|cx| tls.poll_read(cx, &mut buffer)).await.expect("read"), 0);
        }
        assert_eq!(buffer, b"world");
        drop(connected);
        peer.end().await;
    });
}

#[test]
fn server_side_serves_a_client_that_is_not_ours_and_resumes() {
    on_both(async |context| {
        let issuer = Issuer::new();
        let server = issuer.server("peer.test", &["h2", "http/1.1"], None);
        let client = issuer.client(&["http/1.1"]);
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let peer = PeerThread::spawn(move || {
            let mut kinds = Vec::new();
            for _ in 0..2 {
                let name = ServerName::try_from("peer.test").expect("name");
                let session = ClientConnection::new(client.clone(), name).expect("session");
                let mut stream = StreamOwned::new(session, TcpStream::connect(address).expect("connect"));
                stream.write_all(b"hello").expect("write");
                stream.conn.send_close_notify();
                stream.flush().expect("flush");
                let mut all = Vec::new();
                stream.read_to_end(&mut all).expect("close_notify ends it");
                assert_eq!(all, b"hello");
                kinds.push(stream.conn.handshake_kind().expect("done"));
            }
            kinds
        });
        for _ in 0..2 {
            let (stream, _) = listener.accept().expect("accept");
            let stream = rt::Accepted::Tcp(stream).into_stream().expect("register");
            let deadline = context.deadlines.slot();
            deadline.set_in_ms(5_000);
            let (mut transport, alpn) = accept(stream, server.clone(), &deadline).await.expect("handshake");
            assert_eq!(alpn, Alpn::Http1);
            let (received, end) = read_to_end(&mut transport).await;
            end.expect("clean");
            transport.stage(&received);
            poll_fn(|cx| transport.poll_close(cx)).await.expect("close");
        }
        use rustls::HandshakeKind::*;
        assert_eq!(peer.end().await, [Full, Resumed]);
    });
}
