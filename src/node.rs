//! What the threads of one process share.
//!
//! Shards read the snapshot's generation once per exchange (a relaxed load) and take the new snapshot when it has moved.
//! The other direction is single-writer cells. Nothing here is a lock.

use crate::{
    config::snapshot::Snapshot,
    telemetry::{
        cells::{ProcessCells, ShardCells},
        token_counter::TokenCounter,
    },
};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
};

/// Shared state of the process.
pub struct Node {
    pub snapshot: ArcSwap<Snapshot>,
    generation: AtomicU64,
    phase: AtomicU8,
    /// Downstream TLS configuration; replaced when the certificate files change.
    pub downstream_tls: ArcSwapOption<rustls::ServerConfig>,
    pub shards: Box<[Arc<ShardState>]>,
    /// What the cold threads count.
    pub process: ProcessCells,
    /// The latest generation whose upstream names have all been looked up once, successfully or not. While it is older than a
    /// snapshot, an endpoint of that snapshot without addresses is not unreachable but not asked for yet.
    pub resolved_generation: AtomicU64,
    /// Counts by a tokenizer what the snapshot wants counted so.
    pub token_counter: Arc<TokenCounter>,
}

/// What one shard shows to the others.
#[derive(Default)]
pub struct ShardState {
    pub cells: ShardCells,
    /// Milliseconds of `Clock` at the shard's last housekeeping turn; the watchdog looks at its age.
    pub heartbeat_ms: AtomicU64,
    /// True once every pool of the shard is warm or has failed once.
    pub pools_settled: AtomicBool,
    /// True once the shard has ended (drained, or given up).
    pub ended: AtomicBool,
    /// True while the shard runs on io_uring rather than epoll.
    pub io_uring: AtomicBool,
}

/// Marks a shard as ended when it is dropped, so that a panic ends it in the supervisor's eyes as well.
pub struct EndOnDrop(pub Arc<ShardState>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
    }
}

/// Where the process is in its life. Phases only go forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    Starting = 0,
    Serving = 1,
    /// No new connections, health answers 503, running exchanges finish.
    Draining = 2,
    /// Whatever still runs is cut.
    Stopping = 3,
}

impl Node {
    pub fn new(snapshot: Arc<Snapshot>, shards: usize) -> Node {
        Node {
            generation: AtomicU64::new(snapshot.generation),
            snapshot: ArcSwap::new(snapshot),
            phase: AtomicU8::new(Phase::Starting as u8),
            downstream_tls: ArcSwapOption::empty(),
            shards: (0..shards).map(|_| Arc::default()).collect(),
            process: ProcessCells::default(),
            resolved_generation: AtomicU64::new(0),
            token_counter: Arc::default(),
        }
    }

    /// Publishes a new snapshot; exchanges that start from now on run under it.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        let generation = snapshot.generation;
        self.snapshot.store(snapshot);
        self.generation.store(generation, Ordering::Release);
    }

    /// Generation of the published snapshot.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    #[inline]
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            2 => Phase::Draining,
            _ => Phase::Stopping,
        }
    }

    /// Moves to a later phase; going back is ignored.
    pub fn advance(&self, to: Phase) {
        self.phase.fetch_max(to as u8, Ordering::Relaxed);
    }
}
