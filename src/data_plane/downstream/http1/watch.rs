//! Tells whether it was the client's read that woke the task.
//!
//! While an answer streams, it is the upstream's read every time but the last; asking the kernel's driver about the client's after each
//! event would cost more than the event. So that read is polled with a waker that notes when it rings, and wakes the task like
//! the task's own. Until it has rung the read has not come back.
//!
//! A read that was last polled with another waker is not watched: its owner says so with `forget`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Wake, Waker},
};

/// The watch over one connection's read. Costs nothing before its first use.
#[derive(Default)]
pub struct Watch {
    bell: Option<(Arc<Bell>, Waker)>,
    /// The read in flight rings the bell.
    is_on: bool,
}

/// Shared with whoever holds the waker; everything of it is on one thread, but a waker has to be able to leave it.
struct Bell {
    has_rung: AtomicBool,
    task: Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Relaxed);
        self.task.wake_by_ref();
    }
}

impl Watch {
    /// True if polling the read again would be in vain.
    #[inline]
    pub fn is_quiet(&self) -> bool {
        self.is_on && self.bell.as_ref().is_some_and(|(bell, _)| !bell.has_rung.load(Relaxed))
    }

    /// What to poll the read with, so that it rings, and wakes the task of `cx`.
    pub fn waker(&mut self, cx: &Context<'_>) -> Waker {
        if let Some((bell, waker)) = &self.bell
            && bell.task.will_wake(cx.waker())
        {
            bell.has_rung.store(false, Relaxed);
            return waker.clone();
        }
        let bell = Arc::new(Bell { has_rung: AtomicBool::new(false), task: cx.waker().clone() });
        let waker = Waker::from(bell.clone());
        self.bell = Some((bell, waker.clone()));
        waker
    }

    /// The read is Pending, and was polled with `waker` last.
    pub fn begin(&mut self) {
        self.is_on = true;
    }

    /// The read is polled with another waker.
    pub fn forget(&mut self) {
        self.is_on = false;
    }
}

#[cfg(test)]
mod tests;
