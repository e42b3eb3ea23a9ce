//! When the adapter is done with a flush, and when it is not.

use super::*;
use crate::{
    data_plane::peers::{on_both, peer_thread, until},
    rt,
};
use std::{future::poll_fn, io::Read, net::TcpListener, sync::mpsc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn connected(address: std::net::SocketAddr) -> H2Io {
    H2Io::new(Transport::plain(rt::connect_tcp(address).await.expect("connect")), Vec::new())
}

/// Reads nothing until told, then everything.
fn slow_reader(told: mpsc::Receiver<()>) -> impl FnOnce(TcpListener) -> Vec<u8> + Send {
    move |listener| {
        let (mut stream, _) = listener.accept().expect("accept");
        told.recv().expect("told");
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("read");
        all
    }
}

async fn once<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    poll_fn(|cx| Poll::Ready(poll(cx))).await
}

#[test]
fn writing_pauses_when_much_waits_and_all_of_it_arrives_in_order() {
    on_both(async |_| {
        let (tell, told) = mpsc::channel();
        let (address, peer) = peer_thread(slow_reader(told));
        let mut io = connected(address).await;
        let mut sent = Vec::new();
        // The socket takes some, `COALESCE_BYTES_MAX` wait behind it, and then no more is taken.
        loop {
            let piece = vec![(sent.len() / 30_000) as u8; 30_000];
            match once(|cx| Pin::new(&mut io).poll_write(cx, &piece)).await {
                Poll::Ready(written) => assert_eq!(written.expect("write"), piece.len()),
                Poll::Pending => break,
            }
            sent.extend(piece);
            let flushed = once(|cx| Pin::new(&mut io).poll_flush(cx)).await;
            // Done although bytes wait, as long as they are few.
            assert_eq!(flushed.is_ready(), io.transport.borrow().waiting_bytes() < COALESCE_BYTES_MAX);
        }
        assert!((COALESCE_BYTES_MAX..COALESCE_BYTES_MAX + 30_000).contains(&io.transport.borrow().waiting_bytes()));
        assert!(once(|cx| Pin::new(&mut io).poll_flush(cx)).await.is_pending());
        assert!(once(|cx| Pin::new(&mut io).poll_shutdown(cx)).await.is_pending());
        tell.send(()).expect("peer");
        io.shutdown().await.expect("shutdown");
        assert_eq!(io.transport.borrow().staged_bytes(), 0);
        drop(io);
        assert!(peer.end().await == sent);
    });
}

#[test]
fn reading_alone_sends_what_waits() {
    on_both(async |_| {
        let (tell, told) = mpsc::channel();
        let (address, peer) = peer_thread(slow_reader(told));
        let mut io = connected(address).await;
        let mut sent = 0;
        while io.transport.borrow().waiting_bytes() < COALESCE_BYTES_MAX / 2 {
            io.write_all(&[7; 10_000]).await.expect("write");
            assert!(once(|cx| Pin::new(&mut io).poll_flush(cx)).await.is_ready());
            sent += 10_000;
        }
        tell.send(()).expect("peer");
        let mut nothing = [0; 16];
        until("everything has left", || {
            let mut room = ReadBuf::new(&mut nothing);
            let cx = &mut Context::from_waker(std::task::Waker::noop());
            assert!(Pin::new(&mut io).poll_read(cx, &mut room).is_pending());
            io.transport.borrow().staged_bytes() == 0
        })
        .await;
        drop(io);
        assert_eq!(peer.end().await.len(), sent);
    });
}

#[test]
fn what_was_read_ahead_comes_first_and_is_not_counted_as_received() {
    on_both(async |_| {
        let (address, peer) = peer_thread(|listener| {
            let (mut stream, _) = listener.accept().expect("accept");
            std::io::Write::write_all(&mut stream, b"then").expect("write");
        });
        let transport = Transport::plain(rt::connect_tcp(address).await.expect("connect"));
        let mut io = H2Io::new(transport, b"first".to_vec());
        let mut all = [0; 9];
        io.read_exact(&mut all).await.expect("read");
        assert_eq!(&all, b"firstthen");
        assert_eq!(io.received_bytes().get(), 4);
        assert_eq!(io.read(&mut all).await.expect("the end"), 0);
        peer.end().await;
    });
}

#[test]
fn what_a_sender_is_there_for_leaves_together_and_only_when_it_says() {
    on_both(async |_| {
        let (address, peer) = peer_thread(|listener| {
            let (mut stream, _) = listener.accept().expect("accept");
            let mut all = Vec::new();
            stream.read_to_end(&mut all).expect("read");
            all
        });
        let mut io = connected(address).await;
        let sender = io.sender();
        for piece in [&b"one "[..], b"two ", b"three"] {
            io.write_all(piece).await.expect("write");
            assert!(once(|cx| Pin::new(&mut io).poll_flush(cx)).await.is_ready());
        }
        // Nor does reading send it.
        let mut nothing = [0; 16];
        assert!(once(|cx| Pin::new(&mut io).poll_read(cx, &mut ReadBuf::new(&mut nothing))).await.is_pending());
        assert_eq!(io.transport.borrow().waiting_bytes(), 13);
        poll_fn(|cx| Poll::Ready(sender.send(cx))).await.expect("send");
        assert_eq!(io.transport.borrow().waiting_bytes(), 0);
        drop((io, sender));
        assert_eq!(peer.end().await, b"one two three");
    });
}

#[test]
fn beyond_its_measure_a_flush_sends_by_itself() {
    on_both(async |_| {
        let (tell, told) = mpsc::channel();
        let (address, peer) = peer_thread(slow_reader(told));
        let mut io = connected(address).await;
        let sender = io.sender();
        let piece = vec![1; COALESCE_BYTES_MAX];
        assert!(once(|cx| Pin::new(&mut io).poll_write(cx, &piece)).await.is_ready());
        assert!(once(|cx| Pin::new(&mut io).poll_flush(cx)).await.is_ready());
        assert!(io.transport.borrow().waiting_bytes() < COALESCE_BYTES_MAX);
        tell.send(()).expect("peer");
        until("all of it has left", || {
            let cx = &mut Context::from_waker(std::task::Waker::noop());
            sender.send(cx).expect("send");
            io.transport.borrow().staged_bytes() == 0
        })
        .await;
        drop((io, sender));
        assert_eq!(peer.end().await.len(), piece.len());
    });
}
