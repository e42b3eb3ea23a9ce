//! Deadlines of a whole shard, checked by one scan per tick.
//!
//! A deadline is a slot in a flat array of times. Setting it is a store, so an exchange may move its limit with every chunk;
//! the shard's housekeeping calls `tick` about every 50 ms, which wakes the owners of all slots that are due. A scan of 10,000
//! slots takes some microseconds; a runtime timer per wait would cost more than parsing the request.
//!
//! A deadline fires up to one tick late and never early. Times are milliseconds of the shard's clock, which `now_ms` reads
//! as of the last tick or `touch`: exact enough for limits of a second and more.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Instant,
};

const NEVER: u64 = u64::MAX;

/// The slots of one shard.
#[derive(Clone)]
pub struct Deadlines(Rc<Inner>);

struct Inner {
    epoch: Instant,
    now_ms: Cell<u64>,
    due_ms: RefCell<Vec<u64>>,
    wakers: RefCell<Vec<Option<Waker>>>,
    free: RefCell<Vec<u32>>,
}

/// One slot, given back when dropped.
pub struct Deadline {
    all: Rc<Inner>,
    slot: u32,
    /// Data of the waker that the slot has; until it has one, what is no waker's. The slot keeps it, so no other can have the same.
    woken: Cell<*const ()>,
}

impl Deadlines {
    /// `epoch` is the zero of the clock, the same for all shards of the process.
    pub fn new(epoch: Instant) -> Deadlines {
        let all = Inner {
            epoch,
            now_ms: Cell::new(0),
            due_ms: RefCell::default(),
            wakers: RefCell::default(),
            free: RefCell::default(),
        };
        let all = Deadlines(Rc::new(all));
        all.touch();
        all
    }

    /// Reads the system's clock; returns milliseconds since the epoch.
    pub fn touch(&self) -> u64 {
        let now_ms = self.0.epoch.elapsed().as_millis() as u64;
        self.0.now_ms.set(now_ms);
        now_ms
    }

    /// Milliseconds since the epoch as of the last tick or touch.
    #[inline]
    pub fn now_ms(&self) -> u64 {
        self.0.now_ms.get()
    }

    /// Takes note of a time that was read anyway. Keeps limits exact when housekeeping runs late on a busy machine: a limit that is
    /// set by a stale clock would be due too early.
    #[inline]
    pub fn advance(&self, now_ms: u64) {
        if now_ms > self.0.now_ms.get() {
            self.0.now_ms.set(now_ms);
        }
    }

    /// A slot that is not set.
    pub fn slot(&self) -> Deadline {
        let mut due = self.0.due_ms.borrow_mut();
        let slot = self.0.free.borrow_mut().pop().unwrap_or_else(|| {
            due.push(NEVER);
            self.0.wakers.borrow_mut().push(None);
            due.len() as u32 - 1
        });
        due[slot as usize] = NEVER;
        Deadline { all: self.0.clone(), slot, woken: Cell::new(Rc::as_ptr(&self.0).cast()) }
    }

    /// Advances the clock to `now_ms` and wakes the owners of what is due.
    pub fn tick(&self, now_ms: u64) {
        self.0.now_ms.set(now_ms);
        let due = self.0.due_ms.borrow();
        for (slot, _) in due.iter().enumerate().filter(|(_, due_ms)| **due_ms <= now_ms) {
            // The waker stays: the owner may look at the slot again before it moves it.
            if let Some(waker) = &self.0.wakers.borrow()[slot] {
                waker.wake_by_ref();
            }
        }
    }
}

impl Deadlines {
    /// Wakes every owner, due or not: something that they all look at has changed.
    pub fn wake_all(&self) {
        self.0.wakers.borrow().iter().flatten().for_each(Waker::wake_by_ref);
    }
}

impl Deadline {
    /// Due `ms` from now (as of the clock's last reading).
    #[inline]
    pub fn set_in_ms(&self, ms: u64) {
        self.set_at_ms(self.all.now_ms.get().saturating_add(ms));
    }

    /// Due at a time of the shard's clock.
    #[inline]
    pub fn set_at_ms(&self, at_ms: u64) {
        self.all.due_ms.borrow_mut()[self.slot as usize] = at_ms;
    }

    /// Never due.
    #[inline]
    pub fn clear(&self) {
        self.set_at_ms(NEVER);
    }

    /// The time it is due, if it is set.
    pub fn at_ms(&self) -> Option<u64> {
        Some(self.all.due_ms.borrow()[self.slot as usize]).filter(|at_ms| *at_ms != NEVER)
    }

    /// Ready once due. Remembers who to wake.
    #[inline]
    pub fn poll_due(&self, cx: &mut Context<'_>) -> Poll<()> {
        let slot = self.slot as usize;
        if self.all.due_ms.borrow()[slot] <= self.all.now_ms.get() {
            return Poll::Ready(());
        }
        if self.woken.get() != cx.waker().data() {
            self.wakes(cx);
        }
        Poll::Pending
    }

    #[cold]
    fn wakes(&self, cx: &Context<'_>) {
        self.all.wakers.borrow_mut()[self.slot as usize] = Some(cx.waker().clone());
        self.woken.set(cx.waker().data());
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.clear();
        self.all.wakers.borrow_mut()[self.slot as usize] = None;
        self.all.free.borrow_mut().push(self.slot);
    }
}
