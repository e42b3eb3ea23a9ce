//! One test for each hazard that the fence is there for.

use super::*;
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    time::Instant,
};

/// Runs `test` on both drivers.
pub(super) fn on_both<F: Future<Output = ()>>(test: impl Fn() -> F) {
    run(Driver::Epoll, test()).expect("epoll works everywhere");
    match DriverChoice::Auto.probe().expect("auto never fails").0 {
        Driver::IoUring => run(Driver::IoUring, test()).expect("the probe succeeded"),
        Driver::Epoll => eprintln!("io_uring is off here; only epoll was tested"),
    }
}

/// A connected pair: ours on the runtime, the peer's blocking.
pub(super) fn pair() -> (Stream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let peer = TcpStream::connect(listener.local_addr().expect("bound")).expect("connect");
    let (ours, _) = listener.accept().expect("accept");
    (Accepted::Tcp(ours).into_stream().expect("register"), peer)
}

/// Polls once, without waiting.
pub(super) async fn once<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    poll_fn(|cx| match poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[test]
fn read_that_nobody_polls_loses_nothing() {
    on_both(async || {
        let (mut ours, mut peer) = pair();
        let mut received = Vec::new();
        let mut sent = 0usize;
        let mut buffer = Vec::with_capacity(64);
        while received.len() < 4096 {
            // Start a read, walk away from it while the bytes arrive, come back.
            let early = once(|cx| ours.read.poll_read(cx, &mut buffer)).await;
            if early.is_none() {
                if sent < 4096 {
                    let piece: Vec<u8> = (sent..sent + 32).map(|n| n as u8).collect();
                    peer.write_all(&piece).expect("send");
                    sent += 32;
                }
                sleep_ms(0).await;
                poll_fn(|cx| ours.read.poll_read(cx, &mut buffer)).await.expect("read");
            }
            received.append(&mut buffer);
        }
        assert!(received.iter().enumerate().all(|(at, byte)| *byte == at as u8));
    });
}

#[test]
fn abandoned_read_leaves_the_buffer_alone_and_what_came_is_read_later() {
    on_both(async || {
        let (mut ours, mut peer) = pair();
        let mut abandoned = Vec::with_capacity(64);
        for round in 0..200u32 {
            assert!(once(|cx| ours.read.poll_read(cx, &mut abandoned)).await.is_none());
            assert!(abandoned.is_empty() && abandoned.capacity() == 64);
            peer.write_all(&round.to_le_bytes()).expect("send");
            // Another buffer than the one that the read began with.
            let mut buffer = Vec::with_capacity(16);
            while buffer.len() < 4 {
                poll_fn(|cx| ours.read.poll_read(cx, &mut buffer)).await.expect("read");
            }
            assert_eq!(buffer, round.to_le_bytes());
        }
        assert!(abandoned.is_empty());
    });
}

#[test]
fn read_that_finds_no_room_makes_some_and_a_large_one_is_bounded() {
    on_both(async || {
        let (mut ours, mut peer) = pair();
        let sending = std::thread::spawn(move || peer.write_all(&vec![7; 1_000_000]).map(|()| peer));
        let mut buffer = Vec::new();
        let first = poll_fn(|cx| ours.read.poll_read(cx, &mut buffer)).await.expect("read");
        assert!(first > 0 && first == buffer.len());
        buffer.reserve(1_000_000);
        while buffer.len() < 1_000_000 {
            let count = poll_fn(|cx| ours.read.poll_read(cx, &mut buffer)).await.expect("read");
            assert!(count > 0 && count <= 128 * 1024);
        }
        assert!(buffer.iter().all(|byte| *byte == 7));
        drop(sending.join().expect("sender").expect("sent"));
        assert_eq!(poll_fn(|cx| ours.read.poll_read(cx, &mut buffer)).await.expect("the end"), 0);
        assert_eq!(poll_fn(|cx| ours.read.poll_read(cx, &mut buffer)).await.expect("the end stays"), 0);
    });
}

/// A pool asks with one waker, an exchange with another, the next one with a third.
#[test]
fn wait_wakes_whoever_asked_last() {
    #[derive(Default)]
    struct Asker(AtomicUsize);
    impl Wake for Asker {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    on_both(async || {
        let (mut ours, mut peer) = pair();
        let before = Arc::new(Asker::default());
        let waker = Waker::from(before.clone());
        for round in 0..3 {
            let mut asking = Context::from_waker(&waker);
            assert!(ours.read.poll_readable(&mut asking).is_pending());
            assert!(once(|cx| ours.read.poll_readable(cx)).await.is_none());
            // Whoever is waked for another reason learns nothing new.
            assert!(once(|cx| ours.read.poll_readable(cx)).await.is_none());
            peer.write_all(&[round]).expect("send");
            let mut buffer = Vec::with_capacity(16);
            poll_fn(|cx| ours.read.poll_read(cx, &mut buffer)).await.expect("read");
            assert_eq!(buffer, [round]);
        }
        assert_eq!(before.0.load(Relaxed), 0);
    });
}

#[test]
fn ring_without_news_ends_no_wait_and_loses_nothing() {
    on_both(async || {
        let (mut ours, mut peer) = pair();
        let mut buffer = Vec::with_capacity(16);
        for round in 0..3u8 {
            assert!(once(|cx| ours.read.poll_read(cx, &mut buffer)).await.is_none());
            ours.read.ring();
            assert!(once(|cx| ours.read.poll_read(cx, &mut buffer)).await.is_none());
            peer.write_all(&[round, round]).expect("send");
            while buffer.len() < 2 {
                // Cut in two by the room that there is, so that one read is of what no ring has told of.
                let mut one = Vec::with_capacity(1);
                poll_fn(|cx| ours.read.poll_read(cx, &mut one)).await.expect("read");
                buffer.append(&mut one);
            }
            assert_eq!(buffer, [round, round]);
            buffer.clear();
        }
        drop(peer);
        assert_eq!(poll_fn(|cx| ours.read.poll_read(cx, &mut buffer)).await.expect("the end"), 0);
    });
}

#[test]
fn small_write_is_done_at_once() {
    on_both(async || {
        let (mut ours, mut peer) = pair();
        let back = ours.write.start(b"ping".to_vec()).expect("write").expect("the buffer");
        assert!(back.is_empty() && back.capacity() >= 4 && ours.write.is_idle());
        let mut received = [0; 4];
        peer.read_exact(&mut received).expect("read");
        assert_eq!(&received, b"ping");
    });
}

#[test]
fn timer_sleeps_again_after_a_sleep_that_was_given_up() {
    on_both(async || {
        let mut timer = Timer::new().expect("a descriptor");
        {
            let mut given_up = std::pin::pin!(timer.sleep_ms(60_000));
            assert!(once(|cx| given_up.as_mut().poll(cx)).await.is_none());
        }
        for ms in [0, 3, 1] {
            let begun = Instant::now();
            timer.sleep_ms(ms).await.expect("a timer");
            assert!(begun.elapsed().as_millis() as u64 >= ms);
        }
    });
}

/// A reader whose peer is always ahead of it gives way to others before each read.
#[test]
fn read_of_what_is_there_already_lets_others_run() {
    on_both(async || {
        let (mut ours, mut peer) = pair();
        peer.write_all(&[7; 64]).expect("send");
        poll_fn(|cx| ours.read.poll_readable(cx)).await.expect("ready");
        let mut waits = 0;
        let mut buffer = Vec::with_capacity(64);
        for _ in 0..64 {
            let mut one = Vec::with_capacity(1);
            poll_fn(|cx| {
                let polled = ours.read.poll_read(cx, &mut one);
                waits += u32::from(polled.is_pending());
                polled
            })
            .await
            .expect("read");
            buffer.append(&mut one);
        }
        assert_eq!(buffer, [7; 64]);
        if monoio::utils::is_legacy() {
            return;
        }
        assert!(waits >= 63, "{waits}");
    });
}

#[test]
fn readiness_holds_no_buffer_and_then_reads() {
    on_both(async || {
        let (mut ours, mut peer) = pair();
        assert!(once(|cx| ours.read.poll_readable(cx)).await.is_none());
        peer.write_all(b"hello").expect("send");
        poll_fn(|cx| ours.read.poll_readable(cx)).await.expect("ready");
        let mut buffer = Vec::with_capacity(16);
        poll_fn(|cx| ours.read.poll_read(cx, &mut buffer)).await.expect("read");
        assert_eq!(buffer, b"hello");
        // The peer's end is also readiness.
        drop(peer);
        poll_fn(|cx| ours.read.poll_readable(cx)).await.expect("ready");
        assert_eq!(poll_fn(|cx| ours.read.poll_read(cx, &mut buffer)).await.expect("end"), 0);
    });
}

#[test]
fn read_begun_after_an_abandoned_wait_for_readiness_still_reads() {
    on_both(async || {
        let (mut ours, mut peer) = pair();
        assert!(once(|cx| ours.read.poll_readable(cx)).await.is_none());
        let mut buffer = Vec::with_capacity(16);
        assert!(once(|cx| ours.read.poll_read(cx, &mut buffer)).await.is_none());
        peer.write_all(b"hello").expect("send");
        poll_fn(|cx| ours.read.poll_read(cx, &mut buffer)).await.expect("read");
        assert_eq!(buffer, b"hello");
    });
}

#[test]
fn accept_task_serves_every_connection_and_leaks_no_descriptor() {
    on_both(async || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        let accepted = Rc::new(Cell::new(0));
        let count = accepted.clone();
        let acceptor = listen(Listener::Tcp(listener), move |_| count.set(count.get() + 1)).expect("listen");
        let peers: Vec<_> = (0..100).map(|_| TcpStream::connect(address).expect("connect")).collect();
        while accepted.get() < 100 {
            sleep_ms(1).await;
        }
        // Each accepted connection was dropped; a leaked descriptor would keep its peer from seeing the end.
        for mut peer in peers {
            assert_eq!(peer.read(&mut [0; 1]).expect("the end"), 0);
        }
        acceptor.stop();
        // The listener itself is closed once its last accept has been awaited.
        while TcpStream::connect(address).is_ok() {
            sleep_ms(1).await;
        }
    });
}

#[test]
fn panic_costs_its_task_only_and_closes_what_it_owned() {
    on_both(async || {
        let (ours, mut peer) = pair();
        let told = Rc::new(Cell::new(false));
        let tell = told.clone();
        let panicking = async move {
            let _owned = ours;
            sleep_ms(1).await;
            panic!("on purpose");
        };
        spawn(panicking, move || tell.set(true));
        while !told.get() {
            sleep_ms(1).await;
        }
        assert_eq!(peer.read(&mut [0; 8]).expect("a closed connection reads as its end"), 0);
    });
}

#[test]
fn deadlines_fire_when_due_move_and_are_given_back() {
    on_both(async || {
        let deadlines = Deadlines::new(Instant::now());
        deadlines.tick(1_000);
        let deadline = deadlines.slot();
        let fired = Rc::new(Cell::new(false));
        let seen = fired.clone();
        deadline.set_in_ms(500);
        spawn(
            async move {
                poll_fn(|cx| deadline.poll_due(cx)).await;
                // Moving it forward makes it pending again.
                deadline.set_in_ms(500);
                assert!(once(|cx| deadline.poll_due(cx)).await.is_none());
                seen.set(true);
            },
            || {},
        );
        sleep_ms(1).await;
        deadlines.tick(1_499);
        sleep_ms(1).await;
        assert!(!fired.get());
        deadlines.tick(1_500);
        while !fired.get() {
            sleep_ms(1).await;
        }
        // The slot came back and is not set.
        let again = deadlines.slot();
        assert_eq!(again.at_ms(), None);
    });
}

#[test]
fn mailbox_wakes_its_shard_from_another_thread_and_refuses_when_full() {
    on_both(async || {
        let (sender, mut receiver) = mailbox::<u32>(4);
        let sending = std::thread::spawn(move || {
            for item in 0..1_000u32 {
                let mut item = item;
                while let Err(back) = sender.send(item) {
                    item = back;
                    std::thread::yield_now();
                }
            }
        });
        for expected in 0..1_000u32 {
            assert_eq!(receiver.receive().await, expected);
        }
        sending.join().expect("sender");
        let (sender, _receiver) = mailbox::<u32>(1);
        assert_eq!(sender.send(1), Ok(()));
        assert_eq!(sender.send(2), Err(2));
    });
}

#[test]
fn timers_run_beside_a_busy_task() {
    on_both(async || {
        // Tasks that are always ready again through the kernel, as a busy connection is.
        let (mut ours, mut peer) = pair();
        let stop = Rc::new(Cell::new(false));
        let stopped = stop.clone();
        let echo = std::thread::spawn(move || {
            let mut piece = [0; 64];
            while let Ok(count @ 1..) = peer.read(&mut piece) {
                if peer.write_all(&piece[..count]).is_err() {
                    break;
                }
            }
        });
        let turns = Rc::new(RefCell::new(0u32));
        let counted = turns.clone();
        spawn(
            async move {
                let mut buffer = Vec::with_capacity(64);
                while !stopped.get() {
                    ours.write.start(b"ping".to_vec()).expect("write");
                    poll_fn(|cx| ours.write.poll_idle(cx)).await.expect("write");
                    buffer.clear();
                    poll_fn(|cx| ours.read.poll_read(cx, &mut buffer)).await.expect("read");
                    *counted.borrow_mut() += 1;
                }
            },
            || {},
        );
        for _ in 0..5 {
            sleep_ms(1).await;
        }
        assert!(*turns.borrow() > 0);
        stop.set(true);
        sleep_ms(1).await;
        while Rc::strong_count(&turns) > 1 {
            sleep_ms(1).await;
        }
        echo.join().expect("echo");
    });
}

#[test]
fn shared_part_of_a_buffer_is_sent_as_it_is() {
    on_both(async || {
        let (mut ours, mut peer) = pair();
        let whole = Rc::new((0..=255u8).cycle().take(300_000).collect::<Vec<_>>());
        ours.write.start_shared(whole.clone(), 10..290_010).expect("write");
        let reading = std::thread::spawn(move || {
            let mut all = vec![0; 290_000];
            peer.read_exact(&mut all).expect("read");
            all
        });
        poll_fn(|cx| ours.write.poll_idle(cx)).await.expect("write");
        assert_eq!(reading.join().expect("reader"), whole[10..290_010]);
    });
}

#[test]
fn first_part_of_a_buffer_is_sent_and_all_of_it_comes_back() {
    on_both(async || {
        let (mut ours, mut peer) = pair();
        let back = ours.write.start_first(b"ping and more".to_vec(), 4).expect("write").expect("the buffer");
        assert_eq!(back, b"ping and more");
        // Too much for the socket; nothing but the first part is sent later either.
        assert!(ours.write.start_first(vec![7; 30_000_100], 30_000_000).expect("write").is_none());
        let reading = std::thread::spawn(move || {
            let mut received = vec![0; 4 + 30_000_000];
            peer.read_exact(&mut received).expect("read");
            (received, peer)
        });
        let back = poll_fn(|cx| ours.write.poll_idle(cx)).await.expect("write").expect("the buffer");
        assert!(back.is_empty());
        drop(ours);
        let (received, mut peer) = reading.join().expect("reader");
        assert!(received.starts_with(b"ping") && received[4..].iter().all(|byte| *byte == 7));
        assert_eq!(peer.read(&mut [0]).expect("the end"), 0);
    });
}

#[test]
fn large_write_goes_out_whole_and_gives_its_buffer_back() {
    on_both(async || {
        let (mut ours, mut peer) = pair();
        // More than the socket takes at once, while nobody has begun to read.
        assert!(ours.write.start(vec![7; 30_000_000]).expect("write").is_none());
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).expect("read");
            all.len()
        });
        let back = poll_fn(|cx| ours.write.poll_idle(cx)).await.expect("write").expect("buffer");
        assert!(back.is_empty() && back.capacity() >= 30_000_000);
        drop(ours);
        assert_eq!(reading.join().expect("reader"), 30_000_000);
    });
}
