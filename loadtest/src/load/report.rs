//! What a window measured. Times in microseconds, from histograms with four significant digits.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

pub use crate::results::{Fidelity, Percentiles};

/// One line of JSON, and beside it the histograms that its percentiles come from.
#[derive(Clone, Serialize)]
pub struct Report {
    pub pattern: &'static str,
    /// `http/1.1` or `h2`, with `+tls`.
    pub protocol: &'static str,
    pub threads: usize,
    pub connections: usize,
    /// Of head and body; the mean where variants differ.
    pub request_bytes: usize,
    pub seconds: f64,
    /// Exchanges that were due after the warm-up and ended well, and how many that is per second.
    pub requests: u64,
    pub rps: f64,
    /// Exchanges that were due after the warm-up and did not end well, by kind.
    pub errors: BTreeMap<String, u64>,
    /// Exchanges that the generator left in the middle because it was told to. Neither requests nor errors.
    pub left: u64,
    /// Due after the warm-up, but never sent, because the run ended while all connections were busy.
    pub dropped: u64,
    /// Sent more than `LATE` after they were due, and the worst of them.
    pub late: u64,
    pub late_us_max: u64,
    /// From due (open loop) or sent (closed loop) to the end of the answer.
    pub latency_us: Percentiles,
    /// From sent to the end of the answer.
    pub service_us: Percentiles,
    /// Of streams: from due to the first content; between two events; events in all.
    pub ttft_us: Percentiles,
    pub gap_us: Percentiles,
    pub events: u64,
    pub body_bytes: u64,
    /// Connections that were opened again, because they had been closed or after an error.
    pub reconnections: u64,
    /// CPU time of the generator's threads after the warm-up: per request that ended, and cores' worth.
    pub driver_cpu_us_per_request: f64,
    pub driver_cores: f64,
    /// Of streams whose chunks are numbered, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<Fidelity>,
    #[serde(skip)]
    pub latency: Histogram<u64>,
    #[serde(skip)]
    pub service: Histogram<u64>,
    #[serde(skip)]
    pub ttft: Histogram<u64>,
    #[serde(skip)]
    pub gap: Histogram<u64>,
    /// The measured time in pieces of equal length, by when requests were due.
    #[serde(skip)]
    pub slices: Vec<Slice>,
}

/// A piece of the measured time: what was due in it.
#[derive(Debug, Clone)]
pub struct Slice {
    /// Its beginning, from the end of the warm-up; and its length: a second, or more where they would be too many.
    pub at: Duration,
    pub length: Duration,
    pub requests: u64,
    pub errors: u64,
    pub latency: Histogram<u64>,
}

/// What its JSON says; histograms would fill screens.
impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// The percentiles that are quoted of a histogram.
pub fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    if histogram.is_empty() {
        return Percentiles::default();
    }
    let at = |percent: f64| histogram.value_at_quantile(percent / 100.0);
    Percentiles {
        count: histogram.len(),
        mean: histogram.mean(),
        p50: at(50.0),
        p90: at(90.0),
        p99: at(99.0),
        p99_9: at(99.9),
        max: histogram.max(),
    }
}
