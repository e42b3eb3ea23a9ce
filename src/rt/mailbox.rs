//! A bounded queue into a shard from another thread.
//!
//! The sender never waits: a full queue gives the item back. One receiver, which is woken across threads; such a wake costs about
//! 20 us, so nothing on the request path uses it.

use crossbeam_queue::ArrayQueue;
use futures_util::task::AtomicWaker;
use std::{future::poll_fn, sync::Arc, task::Poll};

struct Shared<T> {
    queue: ArrayQueue<T>,
    waker: AtomicWaker,
}

/// The receiving end, owned by a shard.
pub struct Mailbox<T>(Arc<Shared<T>>);

/// The sending end.
pub struct MailboxSender<T>(Arc<Shared<T>>);

/// A queue for at most `capacity` items.
pub fn mailbox<T: Send>(capacity: usize) -> (MailboxSender<T>, Mailbox<T>) {
    let shared = Arc::new(Shared { queue: ArrayQueue::new(capacity), waker: AtomicWaker::new() });
    (MailboxSender(shared.clone()), Mailbox(shared))
}

impl<T> Clone for MailboxSender<T> {
    fn clone(&self) -> Self {
        MailboxSender(self.0.clone())
    }
}

impl<T> MailboxSender<T> {
    /// # Errors
    /// Gives the item back when the queue is full.
    pub fn send(&self, item: T) -> Result<(), T> {
        self.0.queue.push(item)?;
        self.0.waker.wake();
        Ok(())
    }

    /// Items sent and not yet received.
    pub fn waiting(&self) -> usize {
        self.0.queue.len()
    }
}

impl<T> MailboxSender<T> {
    /// Another receiving end of the same queue, for a shard that takes the place of one that has died. There must be one
    /// receiver at a time.
    pub fn receiver(&self) -> Mailbox<T> {
        Mailbox(self.0.clone())
    }
}

impl<T> Mailbox<T> {
    /// The next item. Cancel-safe.
    pub async fn receive(&mut self) -> T {
        poll_fn(|cx| {
            if let Some(item) = self.0.queue.pop() {
                return Poll::Ready(item);
            }
            self.0.waker.register(cx.waker());
            // An item may have come between the look and the registration.
            self.0.queue.pop().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}
