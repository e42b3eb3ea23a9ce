//! Tasks and the one timer.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
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

/// Sleeps at least `ms` milliseconds; the driver's resolution is 1 ms and it rounds up. For housekeeping only: waits of
/// exchanges are `Deadlines`.
pub async fn sleep_ms(ms: u64) {
    monoio::time::sleep(Duration::from_millis(ms)).await;
}
