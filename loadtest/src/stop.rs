//! Whether this process was asked to end.
//!
//! The first SIGINT, SIGTERM or SIGHUP ends what runs now: windows are cut where they are, targets are ended, and what was measured until
//! then is written. A second one ends at once: targets are killed, their folders removed, nothing is written.
//!
//! One flag for the process, because a signal is for the process; whatever waits looks at it at least every `LOOK`.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::target::launch;

/// How long a wait goes on after the signal, at most.
const LOOK: Duration = Duration::from_millis(50);

/// As shells say of a program that SIGINT ended.
const EXIT_STATUS: i32 = 130;

static ASKED: AtomicBool = AtomicBool::new(false);

pub fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Fails once the process was asked to end.
pub fn check() -> io::Result<()> {
    // Not `Interrupted`, which readers and writers of files take for a call to be repeated.
    if is_asked() { Err(io::Error::other("the run was stopped")) } else { Ok(()) }
}

/// Sleeps so long, or until the process is asked to end.
pub fn sleep(time: Duration) {
    let until = Instant::now() + time;
    while !is_asked() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(LOOK));
    }
}

/// Listens from now on, on a thread of its own.
pub fn on_signals() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let listen = |kind| {
        let _inside = runtime.enter();
        signal(kind)
    };
    let mut signals =
        [listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?];
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(any(&mut signals));
        ASKED.store(true, Ordering::Relaxed);
        // Standard error may be gone with the terminal.
        let _ = io::Write::write_all(
            &mut io::stderr(),
            b"\nringway-loadtest: stopping; what was measured is written. Again: ends at once\n",
        );
        runtime.block_on(any(&mut signals));
        launch::end_all_at_once();
        std::process::exit(EXIT_STATUS);
    })?;
    Ok(())
}

async fn any([interrupt, terminate, hangup]: &mut [Signal; 3]) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
