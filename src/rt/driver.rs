//! Which kernel interface a shard runs on, and running it.
//!
//! io_uring where the kernel and its policy allow it, epoll otherwise. The choice is made by asking the kernel for a ring with
//! the very flags that shards use, not by version. A ring must be made on its own thread (`SINGLE_ISSUER`).

use std::{future::Future, io};

use super::turnstile;
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

/// What the operator asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DriverChoice {
    /// io_uring if it works here, else epoll.
    #[default]
    Auto,
    IoUring,
    Epoll,
}

/// What a shard runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    IoUring,
    Epoll,
}

/// Submission queue entries per shard. A full queue is flushed by an extra system call, so this bounds batching, not
/// concurrency; 4,096 entries are 256 KiB of shared memory.
const RING_ENTRIES: u32 = 1024;

impl DriverChoice {
    /// Decides, and says why where it is not the first choice.
    ///
    /// # Errors
    /// When io_uring was asked for by name and the kernel refuses a ring.
    pub fn probe(self) -> io::Result<(Driver, Option<String>)> {
        match self {
            DriverChoice::Epoll => Ok((Driver::Epoll, Some("epoll was chosen by configuration".into()))),
            DriverChoice::IoUring => {
                ring().build(8).map_err(|error| {
                    io::Error::new(error.kind(), format!("the kernel refuses an io_uring instance: {error}"))
                })?;
                Ok((Driver::IoUring, None))
            }
            DriverChoice::Auto => match ring().build(8) {
                Ok(_) if monoio::utils::detect_uring() => Ok((Driver::IoUring, None)),
                Ok(_) => Ok((Driver::Epoll, Some("this kernel's io_uring lacks operations that are needed".into()))),
                Err(error) => Ok((Driver::Epoll, Some(format!("the kernel refuses an io_uring instance: {error}")))),
            },
        }
    }
}

/// One issuer per ring and completions handled when the shard asks for them: both hold by construction here, and spare
/// the kernel locks and interrupts. SQPOLL is off: it needs a spare core per ring.
fn ring() -> io_uring::Builder {
    let mut builder = io_uring::IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun();
    builder
}

/// Runs `future` to its end on this thread.
///
/// # Errors
/// When the ring or the epoll instance cannot be made.
pub fn run<F: Future>(driver: Driver, future: F) -> io::Result<F::Output> {
    match driver {
        Driver::IoUring => {
            let mut runtime =
                RuntimeBuilder::<IoUringDriver>::new().uring_builder(ring()).with_entries(RING_ENTRIES).build()?;
            Ok(runtime.block_on(served(future)))
        }
        Driver::Epoll => {
            let mut runtime = RuntimeBuilder::<LegacyDriver>::new().build()?;
            Ok(runtime.block_on(served(future)))
        }
    }
}

/// Runs `future` with the thread's turnstile beside it.
async fn served<F: Future>(future: F) -> F::Output {
    super::spawn(turnstile::serve(), turnstile::close);
    let output = future.await;
    turnstile::close();
    output
}

/// Pins the calling thread. Best effort: a container may not allow the CPU, and the shard works without.
pub fn pin_to_cpu(cpu: usize) {
    let _ = monoio::utils::bind_to_cpu_set([cpu]);
}
