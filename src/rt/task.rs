//! Tasks, and the timer of the few that wait for nothing but time.

use monoio::net::TcpStream;
use std::{
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

/// Runs a task on this shard. A panic ends the task alone and is reported to `on_panic` after everything that the task owned
/// has been dropped, so sockets and buffers that it held are closed, never reused.
pub fn spawn(task: impl Future<Output = ()> + 'static, on_panic: impl FnOnce() + 'static) {
    let caught = CatchPanic { task: Some(Box::pin(task)), on_panic: Some(on_panic) };
    // The handle is of no use: tasks report through what they share, and monoio's handle may not be raced.
    drop(monoio::spawn(caught));
}

struct CatchPanic<T, P> {
    task: Option<Pin<Box<T>>>,
    on_panic: Option<P>,
}

impl<T, P> Unpin for CatchPanic<T, P> {}

impl<T: Future<Output = ()>, P: FnOnce()> Future for CatchPanic<T, P> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let Some(task) = this.task.as_mut() else { return Poll::Ready(()) };
        // Unwind safety: the task is dropped right after a panic and never polled again; what it shares with others (pools,
        // cells) is changed in single steps that do not panic in between.
        match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(cx))) {
            Ok(poll) => poll,
            Err(_) => {
                // Dropping may panic as well, while it cleans up what the first panic left.
                let _ = catch_unwind(AssertUnwindSafe(|| this.task = None));
                if let Some(on_panic) = this.on_panic.take() {
                    on_panic();
                }
                Poll::Ready(())
            }
        }
    }
}

/// Sleeps, again and again. For housekeeping: waits of exchanges are `Deadlines`.
///
/// A descriptor of its own, which the driver waits for as for any other. The runtime's timers would have it read the clock twice in
/// every turn of its loop and arm a timer in the kernel for every wait, of which nearly all end with a message instead.
pub struct Timer(TcpStream);

impl Timer {
    /// # Errors
    /// When there is no descriptor left.
    pub fn new() -> io::Result<Timer> {
        // Not a stream, but nothing is ever read from it or written to it: a wait for readiness is the same whatever it is.
        Ok(Timer(TcpStream::from_std(crate::sys::timer()?.into())?))
    }

    /// Sleeps at least `ms` milliseconds.
    ///
    /// # Errors
    /// What the kernel says; it has no reason to.
    pub async fn sleep_ms(&mut self, ms: u64) -> io::Result<()> {
        crate::sys::set_timer(&self.0, ms)?;
        self.0.readable(false).await
    }
}

/// As a timer that is used once.
#[cfg(test)]
pub async fn sleep_ms(ms: u64) {
    let mut timer = Timer::new().expect("a descriptor");
    timer.sleep_ms(ms).await.expect("a timer");
}
