//! The turnstile, with connections of its own on both drivers.

use super::*;
use crate::rt::{
    ReadHalf, Stream, sleep_ms, spawn,
    tests::{on_both, once, pair},
};
use std::{io::Write, net::TcpStream};

/// More than are let through in a few turns.
const MANY: usize = 5 * PER_TURN;

/// Begins as much as begins in passing: whatever comes next waits its turn.
fn crowd_the_shard() {
    for _ in 0..FREE {
        assert!(!queue(&Rc::default()));
    }
}

/// Nobody is let through until the test does it.
fn stop_serving() {
    QUEUE.with(|queue| queue.server.replace(Some(Waker::noop().clone())));
    BEGUN.set(FREE);
}

fn waiting() -> usize {
    QUEUE.with(|queue| queue.waiting.borrow().len())
}

/// A connection that waits for new work, and its peer.
async fn client() -> (Stream, TcpStream) {
    let (mut ours, peer) = pair();
    assert!(is_quiet(&mut ours.read).await);
    ours.read.begins_work(true);
    (ours, peer)
}

async fn is_quiet(half: &mut ReadHalf) -> bool {
    once(|cx| half.poll_readable(cx)).await.is_none()
}

/// Lets the server look, and everything that is ready.
async fn rest() {
    sleep_ms(1).await;
}

#[test]
fn few_begin_in_passing_and_are_forgotten_at_the_next_look() {
    on_both(async || {
        rest().await;
        for _ in 0..3 {
            crowd_the_shard();
            while BEGUN.get() > 0 {
                rest().await;
            }
        }
        assert_eq!(waiting(), 0);
    });
}

#[test]
fn many_begin_in_order_and_finish_before_the_next_begin() {
    on_both(async || {
        rest().await;
        crowd_the_shard();
        let begun = Rc::new(RefCell::new(Vec::new()));
        let finished = Rc::new(Cell::new(0));
        let most_at_once = Rc::new(Cell::new(0));
        let mut peers = Vec::new();
        for nth in 0..MANY {
            let (mut ours, mut peer) = client().await;
            // Its exchange is a way to somebody else and back, through the driver as well.
            let (mut hop, mut far_end) = pair();
            let (begun, finished, most_at_once) = (begun.clone(), finished.clone(), most_at_once.clone());
            spawn(
                async move {
                    poll_fn(|cx| ours.read.poll_readable(cx)).await.expect("request");
                    begun.borrow_mut().push(nth);
                    most_at_once.set(most_at_once.get().max(begun.borrow().len() - finished.get()));
                    far_end.write_all(b"answer").expect("send");
                    poll_fn(|cx| hop.read.poll_readable(cx)).await.expect("answer");
                    finished.set(finished.get() + 1);
                },
                || {},
            );
            peer.write_all(b"request").expect("send");
            peers.push(peer);
        }
        while finished.get() < MANY {
            rest().await;
        }
        assert_eq!(*begun.borrow(), (0..MANY).collect::<Vec<_>>());
        assert!(most_at_once.get() <= 3 * PER_TURN, "{} at once", most_at_once.get());
    });
}

#[test]
fn timers_and_old_work_run_beside_new_work_without_end() {
    on_both(async || {
        rest().await;
        crowd_the_shard();
        let stop = Rc::new(Cell::new(false));
        let served = Rc::new(Cell::new(0));
        for _ in 0..MANY {
            let (mut ours, mut peer) = client().await;
            let (stop, served) = (stop.clone(), served.clone());
            peer.write_all(b"request").expect("send");
            spawn(
                async move {
                    let mut bytes = Vec::with_capacity(64);
                    while !stop.get() {
                        poll_fn(|cx| ours.read.poll_read(cx, &mut bytes)).await.expect("request");
                        bytes.clear();
                        served.set(served.get() + 1);
                        // Waits first, so that each request comes by way of the driver.
                        assert!(is_quiet(&mut ours.read).await);
                        peer.write_all(b"request").expect("send");
                    }
                },
                || {},
            );
        }
        let (mut old, mut peer) = pair();
        for _ in 0..5 {
            rest().await;
            peer.write_all(b"more").expect("send");
            let mut bytes = Vec::with_capacity(64);
            poll_fn(|cx| old.read.poll_read(cx, &mut bytes)).await.expect("read");
            assert_eq!(bytes, b"more");
        }
        assert!(waiting() > 0 && served.get() > MANY);
        stop.set(true);
        while Rc::strong_count(&served) > 1 {
            rest().await;
        }
    });
}

#[test]
fn connection_that_goes_while_it_waits_takes_nobodys_place() {
    on_both(async || {
        rest().await;
        stop_serving();
        let mut clients = Vec::new();
        for _ in 0..4 {
            let (ours, mut peer) = client().await;
            peer.write_all(b"request").expect("send");
            clients.push((ours, peer));
        }
        while waiting() < 4 {
            rest().await;
        }
        // Its task has gone; the turnstile still knows its bell.
        clients.drain(..2);
        assert!(let_through(1), "one is left");
        assert!(!is_quiet(&mut clients[0].0.read).await);
        assert!(is_quiet(&mut clients[1].0.read).await);
        assert!(!let_through(1));
        assert!(!is_quiet(&mut clients[1].0.read).await);
    });
}

#[test]
fn request_that_waits_is_found_by_whoever_is_about_to_leave() {
    on_both(async || {
        rest().await;
        stop_serving();
        let (mut ours, mut peer) = client().await;
        peer.write_all(b"request").expect("send");
        while waiting() < 1 {
            rest().await;
        }
        assert!(is_quiet(&mut ours.read).await);
        ours.read.begins_work(false);
        let mut bytes = Vec::with_capacity(64);
        assert_eq!(poll_fn(|cx| ours.read.poll_read(cx, &mut bytes)).await.expect("read"), b"request".len());
        // Its turn comes later, and there is nothing any more.
        assert!(!let_through(1));
        assert!(is_quiet(&mut ours.read).await);
    });
}

#[test]
fn all_go_through_where_there_is_no_turnstile() {
    close();
    BEGUN.set(FREE);
    assert!(!queue(&Rc::default()));
    assert_eq!(waiting(), 0);
}
