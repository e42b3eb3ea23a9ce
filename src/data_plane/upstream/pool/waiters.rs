//! Exchanges that wait for a connection, first come first served.
//!
//! A turn takes the first one out of the queue and wakes it. It may find that another exchange was quicker; it then queues in front.
//! One that leaves with an unused turn passes it on, so no turn is lost to a cancellation.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    task::{Context, Waker},
};

/// The queue.
#[derive(Default)]
pub struct Waiters(RefCell<VecDeque<Rc<Waiter>>>);

#[derive(Default)]
struct Waiter {
    waker: RefCell<Option<Waker>>,
    queued: Cell<bool>,
    has_turn: Cell<bool>,
}

/// One exchange's place.
pub struct Place<'a> {
    all: &'a Waiters,
    waiter: Rc<Waiter>,
}

impl Waiters {
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Gives the first `count` waiters their turn. Waking runs nothing here.
    pub fn give_turns(&self, count: usize) {
        for _ in 0..count {
            let first = self.0.borrow_mut().pop_front();
            let Some(waiter) = first else { return };
            waiter.queued.set(false);
            waiter.has_turn.set(true);
            if let Some(waker) = waiter.waker.take() {
                waker.wake();
            }
        }
    }

    /// A place outside the queue, until `Place::queue`.
    pub fn place(&self) -> Place<'_> {
        Place { all: self, waiter: Rc::default() }
    }
}

impl Place<'_> {
    /// Uses the turn, if there is one.
    pub fn take_turn(&self) -> bool {
        self.waiter.has_turn.replace(false)
    }

    /// Waits for a turn; in front after one that came too late.
    pub fn queue(&self, cx: &mut Context<'_>, had_turn: bool) {
        self.waiter.waker.replace(Some(cx.waker().clone()));
        if self.waiter.queued.replace(true) {
            return;
        }
        let mut all = self.all.0.borrow_mut();
        if had_turn { all.push_front(self.waiter.clone()) } else { all.push_back(self.waiter.clone()) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.waiter.queued.get() {
            self.all.0.borrow_mut().retain(|waiter| !Rc::ptr_eq(waiter, &self.waiter));
        }
        if self.waiter.has_turn.get() {
            self.all.give_turns(1);
        }
    }
}
