//! Begins new work a few at a time, so that what has begun is finished while the caches still hold it.
//!
//! A shard that is saturated by a crowd has thousands of requests in front of it. Taken as they come, every answer from upstream would
//! queue behind them, thousands of exchanges would be half done, and each would be touched twice with all the others in between. So
//! a half that waits for new work (`ReadHalf::begins_work`) tells the turnstile when there is something to read. Where few do, they
//! begin at once. Where many do, they stand here in the order of arrival, and `PER_TURN` are let through in each turn of
//! the driver: a pass over everything that was ready when it began, so that what is under way goes first, and timers run.
//!
//! The shard never rests while somebody stands here: the order of the work changes and not its amount. How many exchanges run at
//! once is not limited, only how many begin between two looks at those that do.
//!
//! A turn is measured by a beat: a counter in the kernel that is written, and waited for as anything else is. Its wait must have been
//! with the kernel before: then the news of it queues behind whatever was ready earlier, on both drivers. A wait that is
//! found over when it is submitted would complete right there, in a submission that looks at nothing else, and neither timers nor
//! answers would ever have their turn. Hence two beats that alternate, each waited for one turn ahead.
//!
//! Without descriptors for the beats everything is let through.

use crate::sys::Bell;
use monoio::net::UnixStream;
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fs::File,
    future::{Future, poll_fn},
    io::{self, Read, Write},
    os::unix::net::UnixStream as StdUnixStream,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// So much new work begins in passing, before the first look at how far the shard has come with it.
const FREE: u32 = 256;

/// The look is asked for when so much has begun, so that a shard that keeps up is done with it before it matters. A look takes about
/// 2,000 instructions.
const LOOK_AFTER: u32 = 128;

/// New work per turn while others wait. Fewer would pay for more turns; with more, the caches of a processor no longer hold
/// what lies between the beginning of an exchange and its end.
const PER_TURN: usize = 8;

/// Those that wait on this thread, which is the shard. A bell waits once at most, so that there are no more of them than connections.
#[derive(Default)]
struct Queue {
    waiting: RefCell<VecDeque<Rc<Bell>>>,
    /// Looks, and lets through. Without it all go in passing.
    server: RefCell<Option<Waker>>,
}

thread_local! {
    static QUEUE: Queue = Queue::default();
    /// New work since the last look at which nobody waited. By itself, because most of the time nothing else is asked.
    static BEGUN: Cell<u32> = const { Cell::new(0) };
}

/// Lets `bell` ring when its turn has come: false if that is now.
#[inline]
pub(super) fn queue(bell: &Rc<Bell>) -> bool {
    let begun = BEGUN.get().saturating_add(1);
    BEGUN.set(begun);
    begun >= LOOK_AFTER && crowd(begun, bell)
}

#[cold]
fn crowd(begun: u32, bell: &Rc<Bell>) -> bool {
    QUEUE.with(|queue| {
        let server = queue.server.borrow();
        let Some(server) = &*server else { return false };
        if begun == LOOK_AFTER {
            server.wake_by_ref();
        }
        let waits = begun > FREE;
        if waits {
            queue.waiting.borrow_mut().push_back(bell.clone());
        }
        waits
    })
}

/// Runs the turnstile of this thread, in a task of its own.
pub(super) async fn serve() {
    let mut beats = None;
    loop {
        reason_to_look().await;
        loop {
            if turn(&mut beats).await.is_err() {
                beats = None;
                let_through(usize::MAX);
            }
            if !let_through(PER_TURN) {
                break;
            }
        }
        BEGUN.set(0);
    }
}

/// Waits until so much has begun that somebody may have to wait.
async fn reason_to_look() {
    poll_fn(|cx| {
        QUEUE.with(|queue| {
            if queue.server.borrow().is_none() {
                BEGUN.set(0);
                queue.server.replace(Some(cx.waker().clone()));
            }
            if BEGUN.get() < LOOK_AFTER { Poll::Pending } else { Poll::Ready(()) }
        })
    })
    .await;
}

/// Lets everybody through from now on. At the runtime's end, while what is dropped here still has it.
pub(super) fn close() {
    QUEUE.with(|queue| queue.server.take());
    let_through(usize::MAX);
}

/// Lets the first ones through. True if others are left.
fn let_through(count_max: usize) -> bool {
    let mut count = 0;
    while count < count_max {
        // The borrow ends here: what wakes may queue others.
        let Some(bell) = QUEUE.with(|queue| queue.waiting.borrow_mut().pop_front()) else { return false };
        // One whose connection has gone meanwhile takes nobody's place.
        if Rc::strong_count(&bell) > 1 {
            bell.ring();
            count += 1;
        }
    }
    QUEUE.with(|queue| !queue.waiting.borrow().is_empty())
}

/// Waits until everything that is ready now has been looked at.
async fn turn(beats: &mut Option<[Beat; 2]>) -> io::Result<()> {
    let [beat, other] = match beats {
        Some(beats) => beats,
        None => beats.insert([Beat::open()?, Beat::open()?]),
    };
    let_others_run().await;
    (&beat.counter).write_all(&1u64.to_ne_bytes())?;
    poll_fn(|cx| beat.wait.as_mut().poll(cx)).await?;
    (&beat.counter).read_exact(&mut [0; 8])?;
    beat.arm();
    std::mem::swap(beat, other);
    Ok(())
}

/// Gives way, once, to the tasks that are ready. Without it the runtime would come to ask epoll for news while these have not all run
/// yet, find the beat there, and never be without tasks: only then does it look at its timers.
async fn let_others_run() {
    let mut has_given_way = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_given_way, true) {
            return Poll::Ready(());
        }
        // By way of a task at the end of the queue: one that wakes itself goes to its front.
        let waker = cx.waker().clone();
        super::spawn(async move { waker.wake() }, || {});
        Poll::Pending
    })
    .await;
}

/// A counter that is zero, and a wait for it to become more.
struct Beat {
    counter: File,
    /// The same counter, as the driver knows it. It waits for any descriptor, but names only sockets.
    watched: Rc<UnixStream>,
    wait: Pin<Box<dyn Future<Output = io::Result<()>>>>,
}

impl Beat {
    fn open() -> io::Result<Beat> {
        let counter = crate::sys::event_counter()?;
        let watched = Rc::new(UnixStream::from_std(StdUnixStream::from(counter.try_clone()?))?);
        let mut beat = Beat { counter: File::from(counter), watched, wait: Box::pin(std::future::pending()) };
        beat.arm();
        Ok(beat)
    }

    /// Begins the wait, which goes to the kernel with the next turn.
    fn arm(&mut self) {
        let watched = self.watched.clone();
        self.wait = Box::pin(async move { watched.readable(false).await });
        // Nothing can have come: the counter is zero.
        let _ = self.wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
}

#[cfg(test)]
mod tests;
