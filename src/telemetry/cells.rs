//! Counters, gauges and histograms of one shard.
//!
//! A shard is the only writer of its cells, so an update is a relaxed load and a relaxed store, without a lock prefix.
//! The control thread sums the cells of all shards when it is asked; a reader may see a sum that is one exchange old.
//! A gauge is a counter that also goes down; sums of gauges over shards are exact, a single shard's may be negative
//! in between and is kept as two's complement.

use crate::limits;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One number per shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Cell {
    /// Requests whose head was read.
    Requests,
    /// Exchanges now between head and last byte (gauge).
    InFlight,
    /// Downstream connections now open (gauge).
    Connections,
    /// Downstream connections ever accepted.
    Accepted,
    /// Connections handed to, or taken over from, another shard.
    HandedOver,
    /// Downstream TLS handshakes that failed.
    DownstreamTlsFailures,
    /// Requests or connections shed because a limit was reached.
    Sheds,
    /// Panics caught.
    Panics,
    /// Connections closed because their HTTP was malformed or abusive.
    ProtocolErrors,
    /// Exchanges whose client left before the answer ended.
    ClientsGone,
    /// Body bytes now held for exchanges (gauge).
    BodyBytesHeld,
    /// Upstream TCP connections established.
    UpstreamConnects,
    /// Upstream connections whose establishing failed.
    UpstreamConnectFailures,
    /// Attempts that failed because the peer's TLS was not acceptable: never downgraded, so somebody has to act.
    UpstreamTlsRefused,
    /// Attempts that a provider refused with 401 or 403: the operator's credential has to be replaced.
    CredentialsRefused,
    /// Attempts that a provider refused because it does not know the model that the operator configured.
    ModelsMissing,
    /// Upstream TLS handshakes completed.
    UpstreamHandshakes,
    /// Of these, resumed ones.
    UpstreamHandshakesResumed,
    /// Connections that an exchange had to wait for because no warm one had room.
    ConnectsOnRequestPath,
    /// Upstream connections now ready for a request (gauge).
    UpstreamWarm,
    /// Attempts beyond the first of their exchange.
    Retries,
    /// Answers that ended in an explicit error event.
    StreamsBroken,
    /// Access-log records dropped because the ring was full.
    AccessLogDropped,
    /// PINGs that were not answered in time.
    UpstreamPingTimeouts,
    /// GOAWAY frames received.
    UpstreamGoaways,
}

/// Number of cells.
pub const CELLS: usize = Cell::UpstreamGoaways as usize + 1;

/// One distribution per shard, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Series {
    /// Time that Ringway itself added: from the request's last byte to its first upstream byte, and from the answer's
    /// first upstream byte to its first client byte.
    OverheadUs,
    /// From the request's last byte to the first content of a streamed answer.
    TtftUs,
    /// From the request's head to the last byte of the answer.
    TotalUs,
    /// Round trip of HTTP/2 PINGs.
    UpstreamRttUs,
}

/// Number of series.
pub const SERIES: usize = Series::UpstreamRttUs as usize + 1;

/// One number for the whole process, counted by the cold threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum ProcessCell {
    /// Configurations loaded and published after the first.
    Reloads,
    /// Configurations refused at reload; the old one stayed.
    ReloadFailures,
    /// 1 while the last load succeeded (gauge).
    ReloadSucceeded,
    /// Unix time of the last load, in seconds (gauge).
    ReloadAtS,
    /// Names asked for.
    DnsLookups,
    /// Of these, failed, empty or timed out.
    DnsFailures,
    /// Credentials of cloud accounts fetched.
    CredentialRefreshes,
    /// Attempts to, that failed; the credential before stays in use until it expires.
    CredentialFailures,
    /// Certificate files refused after a change; the old certificate stayed.
    CertificateFailures,
    /// Unix time at which the served certificate was loaded, in seconds; 0 without downstream TLS (gauge).
    CertificateLoadedAtS,
    /// Shards started again after they had ended unexpectedly.
    ShardRestarts,
    /// Access-log lines written.
    AccessLogLines,
    /// Access-log lines lost because the file could not be written.
    AccessLogLinesLost,
    /// Admin connections closed because too many were open.
    AdminSheds,
}

/// Number of process cells.
pub const PROCESS_CELLS: usize = ProcessCell::AdminSheds as usize + 1;

/// The process cells. Any cold thread may write them, so updates are read-modify-write.
#[derive(Debug)]
pub struct ProcessCells([AtomicU64; PROCESS_CELLS]);

/// What one shard counts for one deployment.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct DeploymentCells {
    attempts: AtomicU64,
    failures: AtomicU64,
    in_flight: AtomicU64,
    parked_until_ms: AtomicU64,
}

/// Everything one shard writes and others read.
#[derive(Debug)]
#[repr(align(128))]
pub struct ShardCells {
    cells: [AtomicU64; CELLS],
    series: [Histogram; SERIES],
    deployments: Box<[DeploymentCells]>,
    /// Answers by status class: index 1 is 1xx ... 5 is 5xx; 0 is "none was sent".
    statuses: [AtomicU64; 6],
}

#[inline]
fn bump(cell: &AtomicU64, by: u64) {
    cell.store(cell.load(Relaxed).wrapping_add(by), Relaxed);
}

impl Default for ProcessCells {
    fn default() -> ProcessCells {
        ProcessCells(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl ProcessCells {
    pub fn add(&self, cell: ProcessCell, by: u64) {
        self.0[cell as usize].fetch_add(by, Relaxed);
    }

    /// Sets a gauge.
    pub fn set(&self, cell: ProcessCell, value: u64) {
        self.0[cell as usize].store(value, Relaxed);
    }

    pub fn read(&self, cell: ProcessCell) -> u64 {
        self.0[cell as usize].load(Relaxed)
    }
}

impl Default for ShardCells {
    fn default() -> ShardCells {
        ShardCells {
            cells: std::array::from_fn(|_| AtomicU64::new(0)),
            series: std::array::from_fn(|_| Histogram::default()),
            deployments: (0..limits::DEPLOYMENTS_MAX).map(|_| DeploymentCells::default()).collect(),
            statuses: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl ShardCells {
    /// Raises a counter or gauge. Only the owning shard may call it.
    #[inline]
    pub fn add(&self, cell: Cell, by: u64) {
        bump(&self.cells[cell as usize], by);
    }

    /// Lowers a gauge. Only the owning shard may call it.
    #[inline]
    pub fn sub(&self, cell: Cell, by: u64) {
        bump(&self.cells[cell as usize], by.wrapping_neg());
    }

    /// The value now. A gauge of one shard is never negative at rest.
    pub fn read(&self, cell: Cell) -> u64 {
        self.cells[cell as usize].load(Relaxed)
    }

    /// Adds one observation. Only the owning shard may call it.
    #[inline]
    pub fn record(&self, series: Series, value_us: u64) {
        self.series[series as usize].record(value_us);
    }

    pub fn histogram(&self, series: Series) -> &Histogram {
        &self.series[series as usize]
    }

    /// Counts a finished answer by its status.
    #[inline]
    pub fn answered(&self, status: u16) {
        bump(&self.statuses[usize::from(status / 100).min(5)], 1);
    }

    /// Finished answers by status class (see the field).
    pub fn answers(&self) -> [u64; 6] {
        std::array::from_fn(|class| self.statuses[class].load(Relaxed))
    }

    /// Zeroes what a dead shard can no longer lower itself. Only for a shard whose thread has ended.
    pub fn forget_gauges(&self) {
        for gauge in [Cell::InFlight, Cell::Connections, Cell::BodyBytesHeld, Cell::UpstreamWarm] {
            self.cells[gauge as usize].store(0, Relaxed);
        }
        for deployment in &self.deployments {
            deployment.in_flight.store(0, Relaxed);
        }
    }

    #[inline]
    pub fn deployment(&self, index: u32) -> &DeploymentCells {
        &self.deployments[index as usize % limits::DEPLOYMENTS_MAX]
    }
}

impl DeploymentCells {
    #[inline]
    pub fn attempt_began(&self) {
        bump(&self.attempts, 1);
        bump(&self.in_flight, 1);
    }

    #[inline]
    pub fn attempt_ended(&self, failed: bool) {
        bump(&self.in_flight, 1u64.wrapping_neg());
        bump(&self.failures, u64::from(failed));
    }

    /// No new attempt before this time of the shard's clock, in milliseconds (a provider's Retry-After).
    #[inline]
    pub fn park_until_ms(&self, at_ms: u64) {
        self.parked_until_ms.store(at_ms, Relaxed);
    }

    #[inline]
    pub fn parked_until(&self) -> u64 {
        self.parked_until_ms.load(Relaxed)
    }

    pub fn attempts(&self) -> u64 {
        self.attempts.load(Relaxed)
    }

    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Relaxed)
    }
}

/// Log-linear histogram: 32 linear steps per power of two, from 1 us to about 19 h; relative error below 3.2 %.
///
/// The layout follows HdrHistogram's idea (sub-buckets of equal width within each power of two), with a fixed size so that
/// recording is one index computation and one store.
#[derive(Debug)]
pub struct Histogram {
    buckets: Box<[AtomicU64]>,
    sum_us: AtomicU64,
}

const STEP_BITS: u32 = 5;
const STEPS: usize = 1 << STEP_BITS;
const BUCKETS: usize = STEPS * 32;

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), sum_us: AtomicU64::new(0) }
    }
}

impl Histogram {
    #[inline]
    fn record(&self, value_us: u64) {
        bump(&self.buckets[bucket_of(value_us)], 1);
        bump(&self.sum_us, value_us);
    }

    /// Observations in `(lowest value of the bucket, count)` form, buckets without observations left out.
    pub fn counts(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.buckets.iter().enumerate().filter_map(|(index, count)| match count.load(Relaxed) {
            0 => None,
            count => Some((lowest_of(index), count)),
        })
    }

    /// Sum of all observations, in microseconds; wraps after 584,000 years of it.
    pub fn sum_us(&self) -> u64 {
        self.sum_us.load(Relaxed)
    }
}

#[inline]
fn bucket_of(value: u64) -> usize {
    if value < STEPS as u64 {
        return value as usize;
    }
    let power = 63 - value.leading_zeros();
    let index = ((power - STEP_BITS + 1) as usize) * STEPS + ((value >> (power - STEP_BITS)) as usize & (STEPS - 1));
    index.min(BUCKETS - 1)
}

fn lowest_of(index: usize) -> u64 {
    if index < STEPS {
        return index as u64;
    }
    let power = (index / STEPS) as u32 + STEP_BITS - 1;
    (1u64 << power) + (((index % STEPS) as u64) << (power - STEP_BITS))
}

#[cfg(test)]
mod tests;
