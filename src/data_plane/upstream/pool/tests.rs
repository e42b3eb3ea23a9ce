//! What the pool keeps, lends, replaces and waits for.

use super::*;
use crate::data_plane::{peers::*, upstream::http2::Call};
use std::{
    future::Future,
    io::{Read, Write},
    pin::pin,
    sync::{
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    time::Duration,
};

/// An HTTP/1.1 peer that answers each `GET` it reads with one fixed answer, and counts its connections.
struct Http1Peer {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    /// Closes the connection with this number, counted from 0.
    close: mpsc::Sender<usize>,
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

impl Http1Peer {
    fn start() -> Http1Peer {
        let accepted = Arc::new(AtomicUsize::new(0));
        let (close, closing) = mpsc::channel();
        let count = accepted.clone();
        let (address, _) = peer_thread(move |listener| {
            listener.set_nonblocking(true).expect("listener");
            let mut streams: Vec<Option<std::net::TcpStream>> = Vec::new();
            let mut piece = [0; 4096];
            loop {
                if let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true).expect("socket");
                    streams.push(Some(stream));
                    count.fetch_add(1, SeqCst);
                }
                for slot in &mut streams {
                    let Some(stream) = slot else { continue };
                    match stream.read(&mut piece) {
                        Ok(0) => *slot = None,
                        Ok(_) => stream.write_all(ANSWER).expect("write"),
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                        Err(_) => *slot = None,
                    }
                }
                match closing.try_recv() {
                    Ok(number) => streams[number] = None,
                    Err(mpsc::TryRecvError::Empty) => std::thread::sleep(Duration::from_micros(200)),
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
        });
        Http1Peer { address, accepted, close }
    }

    fn accepted(&self) -> usize {
        self.accepted.load(SeqCst)
    }
}

async fn exchange(lease: &mut Http1Lease) {
    let connection = &mut **lease;
    connection.transport.stage(b"GET / HTTP/1.1\r\n\r\n");
    let mut received = 0;
    poll_fn(|cx| {
        let _ = connection.transport.poll_flush(cx);
        loop {
            match connection.transport.poll_read(cx, &mut connection.buffer) {
                Poll::Ready(count) => received += count.expect("read"),
                Poll::Pending => return Poll::Pending,
            }
            if received == ANSWER.len() {
                return Poll::Ready(());
            }
        }
    })
    .await;
    assert_eq!(connection.buffer, ANSWER);
    connection.buffer.clear();
}

fn http1(lease: Lease) -> Http1Lease {
    match lease {
        Lease::Http1(lease) => lease,
        Lease::Http2(_) => panic!("HTTP/1.1 was expected"),
    }
}

fn http2(lease: Lease) -> http2::Lease {
    match lease {
        Lease::Http2(lease) => lease,
        Lease::Http1(_) => panic!("HTTP/2 was expected"),
    }
}

/// Polls once: what is warm is lent without waiting.
async fn at_once(pool: &Rc<Pool>) -> Option<Lease> {
    let mut leasing = pin!(pool.lease(1_000));
    let polled = poll_fn(|cx| Poll::Ready(leasing.as_mut().poll(cx))).await;
    match polled {
        Poll::Ready(lease) => Some(lease.expect("a connection")),
        Poll::Pending => None,
    }
}

fn pool(context: &Rc<UpstreamContext>, endpoint: Endpoint) -> Rc<Pool> {
    Pool::open(Arc::new(endpoint), context.clone())
}

/// A stream that stays open until it is dropped.
fn hold(pool: &Rc<Pool>, lease: Lease) -> Call {
    let deployment = deployment();
    http2(lease).call(request(&deployment, &pool.endpoint, "/silent", vec![]))
}

async fn echo(pool: &Rc<Pool>, lease: Lease) {
    let deployment = deployment();
    let mut call = http2(lease).call(request(&deployment, &pool.endpoint, "/echo", vec![]));
    assert_eq!(poll_fn(|cx| call.poll_status(cx)).await, Ok(200));
    while poll_fn(|cx| call.poll_data(cx)).await.expect("data") {
        call.consume(call.data().len());
    }
}

fn prior_knowledge(peer: &Http2Peer) -> Endpoint {
    endpoint(peer.address, None, HttpVersions::Http2)
}

fn warm_gauge(context: &UpstreamContext) -> u64 {
    count(context, Counter::UpstreamWarm)
}

#[test]
fn http1_in_steady_state_connects_once_and_waits_for_nothing() {
    on_both(async |context| {
        let peer = Http1Peer::start();
        let pool = pool(&context, endpoint(peer.address, None, HttpVersions::Auto));
        assert!(!pool.settled());
        until("a socket is warm", || pool.warm() == 1).await;
        assert!(pool.settled());
        for round in 0..50 {
            let mut lease = http1(at_once(&pool).await.expect("warm"));
            // The first ones may be the spare that was opened meanwhile.
            assert!(lease.reused || round < 2);
            exchange(&mut lease).await;
            lease.give_back();
            pool.maintain(context.deadlines.now_ms());
        }
        // The one that is lent and a spare.
        until("the spare is there", || pool.warm() == 2 && peer.accepted() == 2).await;
        assert_eq!(warm_gauge(&context), 2);
        assert_eq!(count(&context, Counter::ConnectsOnRequestPath), 0);
        pool.close();
        assert_eq!((pool.warm(), warm_gauge(&context)), (0, 0));
    });
}

#[test]
fn idle_http1_socket_that_its_peer_closes_is_not_lent() {
    on_both(async |context| {
        let peer = Http1Peer::start();
        let pool = pool(&context, endpoint(peer.address, None, HttpVersions::Http1));
        until("a socket is warm", || pool.warm() == 1).await;
        let mut first = http1(at_once(&pool).await.expect("warm"));
        exchange(&mut first).await;
        until("the spare is warm", || pool.warm() == 1).await;
        first.give_back();
        // The one given back is on top. Its end is noticed without the help of `maintain`.
        until("the peer has seen both", || peer.accepted() == 2).await;
        peer.close.send(0).expect("peer");
        let mut next = http1(at_once(&pool).await.expect("warm"));
        while next.reused {
            // Its end has not come yet.
            next.give_back();
            rt::sleep_ms(1).await;
            next = http1(at_once(&pool).await.expect("warm"));
        }
        exchange(&mut next).await;
        next.give_back();
        // And by it: nothing that has ended stays in the stack.
        peer.close.send(1).expect("peer");
        until("it is noticed", || {
            pool.maintain(context.deadlines.now_ms());
            peer.accepted() > 2
        })
        .await;
        assert_eq!(count(&context, Counter::ConnectsOnRequestPath), 0);
    });
}

#[test]
fn stray_bytes_on_an_idle_socket_are_not_the_next_answer() {
    on_both(async |context| {
        let (address, peer) = peer_thread(|listener| {
            let (mut stray, _) = listener.accept().expect("accept");
            stray.write_all(ANSWER).expect("write");
            // Closed by the client, unread.
            assert!(!matches!(stray.read(&mut [0; 1]), Ok(1..)));
        });
        let pool = pool(&context, endpoint(address, None, HttpVersions::Auto));
        until("it is thrown away", || {
            pool.maintain(pool.now_ms());
            pool.connecting.get() == 0 && pool.warm() == 0 && count(&context, Counter::UpstreamConnects) > 0
        })
        .await;
        peer.end().await;
    });
}

#[test]
fn socket_that_is_dropped_or_left_unclean_is_closed_and_its_place_is_free() {
    on_both(async |context| {
        let peer = Http1Peer::start();
        let mut endpoint = endpoint(peer.address, None, HttpVersions::Auto);
        endpoint.pool.http1_connections_max = 1;
        let pool = pool(&context, endpoint);
        for unclean in [true, false, true, false] {
            let mut lease = http1(pool.lease(5_000).await.expect("lease"));
            assert!(!lease.reused);
            assert!(at_once(&pool).await.is_none(), "one at a time");
            if unclean {
                lease.transport.stage(b"half a req");
                lease.give_back();
            }
        }
    });
}

#[test]
fn waiting_exchanges_are_served_in_order_as_sockets_come_back() {
    on_both(async |context| {
        let peer = Http1Peer::start();
        let mut endpoint = endpoint(peer.address, None, HttpVersions::Auto);
        endpoint.pool.http1_connections_max = 2;
        let pool = pool(&context, endpoint);
        let order = Rc::new(RefCell::new(Vec::new()));
        for number in 0..20 {
            let (pool, order) = (pool.clone(), order.clone());
            let exchanging = async move {
                let mut lease = http1(pool.lease(10_000).await.expect("lease"));
                exchange(&mut lease).await;
                order.borrow_mut().push(number);
                lease.give_back();
            };
            rt::spawn(exchanging, || {});
        }
        until("all are served", || order.borrow().len() == 20).await;
        // Two sockets answer at about the same time; each exchange is at most one place off.
        assert!(order.borrow().iter().enumerate().all(|(place, number)| place.abs_diff(*number) <= 2));
        assert!(peer.accepted() <= 2);
        assert!(pool.waiters.is_empty());
    });
}

#[test]
fn waiting_ends_at_its_limit_and_passes_a_turn_on() {
    on_both(async |context| {
        let peer = Http1Peer::start();
        let mut endpoint = endpoint(peer.address, None, HttpVersions::Auto);
        endpoint.pool.http1_connections_max = 1;
        let pool = pool(&context, endpoint);
        let lease = http1(pool.lease(5_000).await.expect("lease"));
        assert_eq!(pool.lease(20).await.err(), Some(Upstream::ConnectTimeout));
        // The first in the queue is told and leaves before it looks; the second one gets the socket.
        let mut first = Box::pin(pool.lease(60_000));
        assert!(poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx))).await.is_pending());
        let mut second = Box::pin(pool.lease(60_000));
        assert!(poll_fn(|cx| Poll::Ready(second.as_mut().poll(cx))).await.is_pending());
        let mut lease = lease;
        exchange(&mut lease).await;
        lease.give_back();
        drop(first);
        second.await.expect("lease");
    });
}

#[test]
fn fresh_lease_is_a_new_connection_even_at_the_limit() {
    on_both(async |context| {
        let peer = Http1Peer::start();
        let mut endpoint = endpoint(peer.address, None, HttpVersions::Auto);
        endpoint.pool.http1_connections_max = 1;
        let pool = pool(&context, endpoint);
        let mut lease = http1(pool.lease(5_000).await.expect("lease"));
        exchange(&mut lease).await;
        lease.give_back();
        let mut fresh = http1(pool.lease_fresh(5_000).await.expect("fresh"));
        assert!(!fresh.reused);
        assert_eq!(pool.warm(), 0);
        until("the peer has seen both", || peer.accepted() == 2).await;
        exchange(&mut fresh).await;
        fresh.give_back();
        assert!(http1(pool.lease(5_000).await.expect("lease")).reused);
    });
}

#[test]
fn unneeded_and_aged_http1_sockets_are_closed() {
    on_both_untimed(async |context| {
        let peer = Http1Peer::start();
        let mut endpoint = endpoint(peer.address, None, HttpVersions::Auto);
        endpoint.pool.idle_max_ms = 60_000;
        endpoint.pool.age_max_ms = 600_000;
        let pool = pool(&context, endpoint);
        let begun_ms = context.deadlines.now_ms();
        let turn = |after_ms: u64| {
            context.deadlines.tick(begun_ms + after_ms);
            pool.maintain(begun_ms + after_ms);
        };
        let mut leases = Vec::new();
        for _ in 0..4 {
            leases.push(http1(pool.lease(5_000).await.expect("lease")));
        }
        for lease in &mut leases {
            exchange(lease).await;
        }
        leases.into_iter().for_each(Http1Lease::give_back);
        until("spares have arrived", || pool.connecting.get() == 0).await;
        let peak = pool.warm();
        assert!(peak >= 4);
        turn(59_999);
        assert_eq!(pool.warm(), peak);
        turn(60_000);
        assert_eq!(pool.warm(), 1, "warm_min stays");
        turn(600_000);
        until("it is replaced", || pool.warm() == 1 && pool.idle.borrow()[0].life.born_ms >= begun_ms + 540_000).await;
    });
}

#[test]
fn http2_pool_is_warm_before_it_is_used_and_shares_its_connection() {
    on_both(async |context| {
        let issuer = Issuer::new();
        let server = issuer.server("peer.test", &["h2", "http/1.1"], None);
        let peer = Http2Peer::start(Some(server), |settings| {
            settings.max_concurrent_streams(100);
        });
        let client = issuer.client(&["h2", "http/1.1"]);
        let pool = pool(&context, endpoint(peer.address, Some(client), HttpVersions::Auto));
        until("a connection is warm", || pool.warm() == 1).await;
        for _ in 0..200 {
            let lease = at_once(&pool).await.expect("warm");
            echo(&pool, lease).await;
            pool.maintain(context.deadlines.now_ms());
        }
        assert_eq!(count(&context, Counter::UpstreamConnects), 1);
        assert_eq!(count(&context, Counter::ConnectsOnRequestPath), 0);
        assert_eq!(warm_gauge(&context), 1);
        drop(pool);
        peer.see(Event::Closed).await;
        assert_eq!(warm_gauge(&context), 0);
    });
}

#[test]
fn another_connection_is_opened_before_the_streams_run_out() {
    on_both(async |context| {
        let peer = Http2Peer::start(None, |settings| {
            settings.max_concurrent_streams(10);
        });
        let pool = pool(&context, prior_knowledge(&peer));
        until("a connection is warm", || pool.warm() == 1).await;
        let mut held = Vec::new();
        for _ in 0..8 {
            held.push(hold(&pool, at_once(&pool).await.expect("warm")));
        }
        assert_eq!((pool.warm(), pool.connecting.get()), (1, 0));
        held.push(hold(&pool, at_once(&pool).await.expect("warm")));
        assert_eq!(pool.connecting.get(), 1);
        until("the second is warm", || pool.warm() == 2).await;
        // Eleven more: the one with the most room takes them.
        for _ in 0..6 {
            held.push(hold(&pool, at_once(&pool).await.expect("warm")));
        }
        let mut active: Vec<usize> = pool.http2.borrow().iter().map(|member| member.connection.active()).collect();
        active.sort_unstable();
        assert_eq!(active, [6, 9]);
        assert_eq!(count(&context, Counter::ConnectsOnRequestPath), 0);
    });
}

#[test]
fn calls_beyond_all_streams_wait_for_one_in_turn() {
    on_both(async |context| {
        let peer = Http2Peer::start(None, |settings| {
            settings.max_concurrent_streams(2);
        });
        let mut endpoint = prior_knowledge(&peer);
        endpoint.pool.connections_max = 2;
        let pool = pool(&context, endpoint);
        let served = Rc::new(Cell::new(0));
        for _ in 0..50 {
            let (pool, served) = (pool.clone(), served.clone());
            let calling = async move {
                let lease = pool.lease(10_000).await.expect("a stream");
                echo(&pool, lease).await;
                served.set(served.get() + 1);
            };
            rt::spawn(calling, || {});
        }
        until("all are served", || served.get() == 50).await;
        assert!(count(&context, Counter::UpstreamConnects) <= 2);
    });
}

#[test]
fn goaway_brings_a_replacement_while_calls_finish() {
    on_both(async |context| {
        let peer = Http2Peer::start(None, |_| {});
        let pool = pool(&context, prior_knowledge(&peer));
        until("a connection is warm", || pool.warm() == 1).await;
        // One that lasted: otherwise the next try would wait.
        let old = pool.http2.borrow()[0].connection.clone();
        let call = hold(&pool, at_once(&pool).await.expect("warm"));
        peer.command(Command::Leave);
        until("the replacement is warm", || {
            pool.maintain(pool.now_ms());
            pool.warm() == 1 && !Rc::ptr_eq(&pool.http2.borrow()[0].connection, &old)
        })
        .await;
        assert_eq!((old.state(), old.active()), (State::Retiring, 1));
        assert_eq!(pool.retiring.borrow().len(), 1);
        drop(call);
        until("the old one is gone", || pool.retiring.borrow().is_empty()).await;
        let lease = at_once(&pool).await.expect("warm");
        echo(&pool, lease).await;
        assert_eq!(count(&context, Counter::UpstreamGoaways), 1);
    });
}

#[test]
fn aged_connection_goes_when_its_replacement_is_warm() {
    on_both_untimed(async |context| {
        let peer = Http2Peer::start(None, |_| {});
        let mut endpoint = prior_knowledge(&peer);
        endpoint.pool.age_max_ms = 600_000;
        endpoint.pool.connections_max = 1;
        let pool = pool(&context, endpoint);
        let begun_ms = context.deadlines.now_ms();
        let turn = |after_ms: u64| {
            context.deadlines.tick(begun_ms + after_ms);
            pool.maintain(begun_ms + after_ms);
        };
        until("a connection is warm", || pool.warm() == 1).await;
        let old = pool.http2.borrow()[0].connection.clone();
        let mut call = hold(&pool, at_once(&pool).await.expect("warm"));
        assert!(poll_fn(|cx| Poll::Ready(call.poll_status(cx))).await.is_pending());
        turn(539_999);
        assert_eq!((pool.connecting.get(), old.state()), (0, State::Open));
        turn(600_001);
        // Not before the replacement is there, although that is one more than allowed.
        assert_eq!((pool.connecting.get(), old.state()), (1, State::Open));
        until("the replacement is warm", || pool.warm() == 2).await;
        turn(600_002);
        assert_eq!((pool.warm(), old.state(), old.active()), (1, State::Retiring, 1));
        drop(call);
        until("the old one is gone", || old.state() == State::Dead).await;
        let lease = at_once(&pool).await.expect("warm");
        echo(&pool, lease).await;
        assert_eq!(count(&context, Counter::ConnectsOnRequestPath), 0);
        assert_eq!(count(&context, Counter::UpstreamConnects), 2);
    });
}

#[test]
fn half_dead_connection_is_replaced() {
    on_both_untimed(async |context| {
        let (go, told) = mpsc::channel::<()>();
        let (address, peer) = peer_thread(move |listener| {
            let silent = {
                let mut peer = RawPeer::accept(&listener, &[]);
                // The PING that proves it.
                peer.lively = true;
                assert!(peer.wait_for(HEADERS).is_some());
                peer
            };
            let mut second = RawPeer::accept(&listener, &[]);
            let stream = second.wait_for(HEADERS).expect("head").stream;
            second.answer(stream);
            let _ = told.recv();
            drop(silent);
        });
        let mut endpoint = endpoint(address, None, HttpVersions::Http2);
        endpoint.pool.ping_interval_ms = 15_000;
        endpoint.pool.ping_timeout_ms = 5_000;
        let pool = pool(&context, endpoint);
        let begun_ms = context.deadlines.now_ms();
        until("a connection is warm", || pool.warm() == 1).await;
        let mut call = hold(&pool, at_once(&pool).await.expect("warm"));
        for after_ms in [15_000, 19_999, 20_000] {
            assert!(poll_fn(|cx| Poll::Ready(call.poll_status(cx))).await.is_pending());
            context.deadlines.tick(begun_ms + after_ms);
            pool.maintain(begun_ms + after_ms);
            rt::sleep_ms(1).await;
        }
        assert_eq!(poll_fn(|cx| call.poll_status(cx)).await.err(), Some(Upstream::ResetBeforeAnswer));
        assert_eq!(count(&context, Counter::UpstreamPingTimeouts), 1);
        drop(call);
        until("the replacement is warm", || pool.warm() == 1).await;
        let mut call = hold(&pool, at_once(&pool).await.expect("warm"));
        assert_eq!(poll_fn(|cx| call.poll_status(cx)).await, Ok(200));
        drop(go);
        peer.end().await;
    });
}

#[test]
fn refused_connects_are_told_at_once_and_retried_ever_more_slowly() {
    on_both_untimed(async |context| {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = closed.local_addr().expect("bound");
        drop(closed);
        let pool = pool(&context, endpoint(address, None, HttpVersions::Auto));
        until("the first try fails", || pool.settled()).await;
        assert_eq!(pool.lease(10_000).await.err(), Some(Upstream::Connect));
        assert_eq!(count(&context, Counter::ConnectsOnRequestPath), 0, "the failure is fresh");
        let begun_ms = context.deadlines.now_ms();
        let mut tries = Vec::new();
        let mut failures = 1;
        for after_ms in (0..40_000).step_by(50) {
            context.deadlines.tick(begun_ms + after_ms);
            pool.maintain(begun_ms + after_ms);
            if pool.connecting.get() > 0 {
                tries.push(after_ms);
                until("it fails", || pool.connecting.get() == 0).await;
                failures += 1;
            }
        }
        assert_eq!(count(&context, Counter::UpstreamConnectFailures), failures);
        let pauses: Vec<u64> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(tries[0] <= 100 && pauses.iter().all(|pause| (75..=5_050).contains(pause)), "{tries:?}");
        assert!((9..=16).contains(&tries.len()), "{tries:?}");
        // An exchange may force a try once the last failure is not fresh any more.
        context.deadlines.tick(context.deadlines.now_ms() + 100);
        assert_eq!(pool.lease(10_000).await.err(), Some(Upstream::Connect));
        assert_eq!(count(&context, Counter::ConnectsOnRequestPath), 1);
        // New addresses end the pause.
        let peer = Http1Peer::start();
        pool.endpoint.addresses.store(Arc::new(vec![peer.address]));
        pool.maintain(context.deadlines.now_ms());
        until("it is warm", || pool.warm() == 1).await;
    });
}

#[test]
fn endpoint_without_an_address_fails_at_once() {
    on_both(async |context| {
        let endpoint = endpoint("127.0.0.1:1".parse().expect("address"), None, HttpVersions::Auto);
        endpoint.addresses.store(Arc::default());
        let pool = pool(&context, endpoint);
        assert_eq!(pool.lease(10_000).await.err(), Some(Upstream::Connect));
        assert!(pool.settled());
    });
}

#[test]
fn peer_that_accepts_and_closes_is_not_dialled_in_a_loop() {
    on_both_untimed(async |context| {
        let accepted = Arc::new(AtomicUsize::new(0));
        let counted = accepted.clone();
        let (address, _peer) = peer_thread(move |listener| {
            while let Ok((stream, _)) = listener.accept() {
                counted.fetch_add(1, SeqCst);
                drop(stream);
            }
        });
        let pool = pool(&context, endpoint(address, None, HttpVersions::Http1));
        for _ in 0..200 {
            rt::sleep_ms(1).await;
            let now_ms = context.deadlines.now_ms() + 50;
            context.deadlines.tick(now_ms);
            pool.maintain(now_ms);
        }
        // Ten seconds of the shard's clock: 0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3 s.
        assert!((3..=12).contains(&accepted.load(SeqCst)), "{accepted:?}");
    });
}

#[test]
fn exchange_that_needs_a_connection_gets_it_and_is_counted() {
    on_both(async |context| {
        let peer = Http2Peer::start(None, |_| {});
        let mut endpoint = prior_knowledge(&peer);
        endpoint.pool.warm_min = 0;
        let pool = pool(&context, endpoint);
        assert!(pool.settled());
        pool.maintain(context.deadlines.now_ms());
        assert_eq!(pool.connecting.get(), 0);
        // Ten at once need one connection.
        let waiting: Vec<_> = (0..10).map(|_| pool.lease(5_000)).collect();
        for lease in futures_util::future::join_all(waiting).await {
            echo(&pool, lease.expect("lease")).await;
        }
        assert_eq!(count(&context, Counter::ConnectsOnRequestPath), 1);
        assert_eq!(count(&context, Counter::UpstreamConnects), 1);
    });
}

#[test]
fn cancelled_exchange_does_not_throw_its_connection_away() {
    on_both(async |context| {
        let peer = Http1Peer::start();
        let mut endpoint = endpoint(peer.address, None, HttpVersions::Auto);
        endpoint.pool.warm_min = 0;
        let pool = pool(&context, endpoint);
        {
            let mut leasing = pin!(pool.lease(5_000));
            assert!(poll_fn(|cx| Poll::Ready(leasing.as_mut().poll(cx))).await.is_pending());
        }
        until("the connection is kept", || pool.warm() == 1).await;
        assert!(at_once(&pool).await.is_some());
        assert!(pool.waiters.is_empty());
    });
}

#[test]
fn closed_pool_lets_calls_finish_and_takes_no_more() {
    on_both(async |context| {
        let peer = Http2Peer::start(None, |_| {});
        let pool = pool(&context, prior_knowledge(&peer));
        until("a connection is warm", || pool.warm() == 1).await;
        let deployment = deployment();
        let lease = http2(at_once(&pool).await.expect("warm"));
        let mut call = lease.call(request(&deployment, &pool.endpoint, "/echo", vec![]));
        pool.close();
        assert_eq!((pool.warm(), warm_gauge(&context)), (0, 0));
        assert_eq!(pool.lease(1_000).await.err(), Some(Upstream::Connect));
        assert_eq!(poll_fn(|cx| call.poll_status(cx)).await, Ok(200));
        drop(call);
        peer.see(Event::Closed).await;
        pool.maintain(context.deadlines.now_ms());
        assert_eq!(count(&context, Counter::UpstreamConnects), 1);
    });
}

#[test]
fn connection_that_is_made_while_its_pool_closes_is_closed_as_well() {
    on_both(async |context| {
        let (http1_peer, http2_peer) = (Http1Peer::start(), Http2Peer::start(None, |_| {}));
        let pools = [
            pool(&context, endpoint(http1_peer.address, None, HttpVersions::Auto)),
            pool(&context, prior_knowledge(&http2_peer)),
        ];
        for pool in &pools {
            assert_eq!(pool.connecting.get(), 1);
            pool.close();
        }
        http2_peer.see(Event::Closed).await;
        until("both attempts end", || pools.iter().all(|pool| pool.connecting.get() == 0)).await;
        assert!(pools.iter().all(|pool| pool.warm() == 0));
        assert_eq!(warm_gauge(&context), 0);
    });
}

#[test]
fn panic_of_an_exchange_gives_its_places_back() {
    on_both(async |context| {
        let (http1_peer, http2_peer) = (Http1Peer::start(), Http2Peer::start(None, |_| {}));
        let pools = [
            pool(&context, endpoint(http1_peer.address, None, HttpVersions::Auto)),
            pool(&context, prior_knowledge(&http2_peer)),
        ];
        for pool in pools {
            let told = Rc::new(Cell::new(false));
            let (tell, lending) = (told.clone(), pool.clone());
            let panicking = async move {
                let _lease = lending.lease(5_000).await.expect("lease");
                panic!("on purpose");
            };
            rt::spawn(panicking, move || tell.set(true));
            until("it panics", || told.get()).await;
            assert_eq!(pool.lent.get(), 0);
            assert!(pool.http2.borrow().iter().all(|member| member.connection.active() == 0));
            pool.lease(5_000).await.expect("lease");
        }
    });
}
