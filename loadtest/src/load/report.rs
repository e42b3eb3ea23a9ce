//! What a run measured. Times in microseconds, from histograms with three significant digits.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::limits::LATENCY_US_MAX;

/// One line of JSON.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub pattern: &'static str,
    pub connections: usize,
    pub request_bytes: usize,
    pub seconds: f64,
    /// Exchanges that were due after the warm-up and ended well, and how many that is per second.
    pub requests: u64,
    pub rps: f64,
    /// Exchanges that were due after the warm-up and did not end well, by kind.
    pub errors: BTreeMap<String, u64>,
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
    /// Connections that were opened again after an error.
    pub reconnections: u64,
    /// CPU time of the driver itself after the warm-up, per request that ended.
    pub driver_cpu_us_per_request: f64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Percentiles {
    pub count: u64,
    pub mean: f64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
    pub max: u64,
}

/// A send later than this after its time counts as late. Timers are good to about 0.1 ms.
pub(super) const LATE: Duration = Duration::from_millis(1);

pub(super) struct Meter {
    start: Instant,
    /// CPU time of the thread at the end of the warm-up, once that is over.
    cpu_before: Option<Duration>,
    latency: Histogram<u64>,
    service: Histogram<u64>,
    ttft: Histogram<u64>,
    gap: Histogram<u64>,
    pub requests: u64,
    pub errors: BTreeMap<String, u64>,
    pub late: u64,
    pub late_us_max: u64,
    pub dropped: u64,
    pub events: u64,
    pub body_bytes: u64,
    pub reconnections: u64,
}

impl Meter {
    /// `start` is the end of the warm-up: what was due before it is not counted.
    pub fn new(start: Instant) -> Self {
        Self {
            start,
            cpu_before: None,
            latency: histogram(),
            service: histogram(),
            ttft: histogram(),
            gap: histogram(),
            requests: 0,
            errors: BTreeMap::new(),
            late: 0,
            late_us_max: 0,
            dropped: 0,
            events: 0,
            body_bytes: 0,
            reconnections: 0,
        }
    }

    /// Hears of the time at each turn, to know when the warm-up is over.
    pub fn tick(&mut self, now: Instant) {
        if self.cpu_before.is_none() && now >= self.start {
            self.cpu_before = Some(cpu_time());
        }
    }

    pub fn counts(&self, due: Instant) -> bool {
        due >= self.start
    }

    pub fn sent(&mut self, due: Instant, now: Instant) {
        let late = now.saturating_duration_since(due);
        if self.counts(due) && late > LATE {
            self.late += 1;
            self.late_us_max = self.late_us_max.max(micros(late));
        }
    }

    pub fn ended(&mut self, exchange: &super::connection::Exchange, now: Instant, body_bytes: u64) {
        if !self.counts(exchange.due) {
            return;
        }
        self.requests += 1;
        self.body_bytes += body_bytes;
        self.events += exchange.events;
        self.latency.saturating_record(micros(now - exchange.due));
        self.service.saturating_record(micros(now - exchange.sent));
        if let Some(first) = exchange.first_content {
            self.ttft.saturating_record(micros(first - exchange.due));
        }
    }

    /// `events` came together, `gap` after the one before them.
    pub fn gaps(&mut self, gap: Duration, events: u64) {
        self.gap.saturating_record(micros(gap));
        if events > 1 {
            self.gap.saturating_record_n(0, events - 1);
        }
    }

    pub fn failed(&mut self, due: Instant, kind: &str) {
        if self.counts(due) {
            *self.errors.entry(kind.to_owned()).or_default() += 1;
        }
    }

    pub fn report(self, pattern: &'static str, connections: usize, request_bytes: usize, time: Duration) -> Report {
        let cpu = cpu_time().saturating_sub(self.cpu_before.unwrap_or_default());
        let ended = self.requests + self.errors.values().sum::<u64>();
        Report {
            pattern,
            connections,
            request_bytes,
            seconds: time.as_secs_f64(),
            requests: self.requests,
            rps: self.requests as f64 / time.as_secs_f64().max(1e-9),
            errors: self.errors,
            dropped: self.dropped,
            late: self.late,
            late_us_max: self.late_us_max,
            latency_us: percentiles(&self.latency),
            service_us: percentiles(&self.service),
            ttft_us: percentiles(&self.ttft),
            gap_us: percentiles(&self.gap),
            events: self.events,
            body_bytes: self.body_bytes,
            reconnections: self.reconnections,
            driver_cpu_us_per_request: cpu.as_secs_f64() * 1e6 / ended.max(1) as f64,
        }
    }
}

fn histogram() -> Histogram<u64> {
    // Fails only for bounds that make no sense, and these are constants.
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("the bounds are constants that make sense")
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
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

/// CPU time of this thread so far, user and kernel.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
