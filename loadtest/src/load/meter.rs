//! Counts what a window brought, on one thread; the threads' meters are added up at the end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::exchange::Exchange;
use super::report::{Fidelity, Report, Slice, percentiles};
use crate::limits::{LATENCY_US_MAX, LOAD_SLICES_MAX};

/// A send later than this after its time counts as late. Timers are good to about 0.1 ms.
const LATE: Duration = Duration::from_millis(1);

pub(super) struct Meter {
    /// The end of the warm-up: what was due before it is not counted.
    start: Instant,
    time: Duration,
    /// CPU time of the thread at the end of the warm-up, once that is over.
    cpu_before: Option<Duration>,
    cpu: Duration,
    latency: Histogram<u64>,
    service: Histogram<u64>,
    ttft: Histogram<u64>,
    gap: Histogram<u64>,
    slices: Vec<Slice>,
    slices_per_s: f64,
    requests: u64,
    errors: BTreeMap<String, u64>,
    left: u64,
    late: u64,
    late_us_max: u64,
    dropped: u64,
    events: u64,
    body_bytes: u64,
    fidelity: Fidelity,
    pub reconnections: u64,
    wall: Duration,
}

/// What a report says of the generator itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub pattern: &'static str,
    pub protocol: &'static str,
    pub threads: usize,
    pub connections: usize,
    pub request_bytes: usize,
    pub check_chunks: bool,
}

impl Meter {
    pub fn new(start: Instant, time: Duration) -> Self {
        let seconds = time.as_secs_f64().ceil().max(1.0);
        let slice_length = Duration::from_secs_f64((seconds / LOAD_SLICES_MAX as f64).max(1.0));
        let count = (time.as_secs_f64() / slice_length.as_secs_f64()).ceil().max(1.0) as u32;
        let slices = (0..count).map(|index| Slice {
            at: slice_length * index,
            length: slice_length.min(time.saturating_sub(slice_length * index)),
            requests: 0,
            errors: 0,
            latency: small_histogram(),
        });
        Self {
            start,
            time,
            cpu_before: None,
            cpu: Duration::ZERO,
            latency: histogram(),
            service: histogram(),
            ttft: histogram(),
            gap: histogram(),
            slices: slices.collect(),
            slices_per_s: 1.0 / slice_length.as_secs_f64(),
            requests: 0,
            errors: BTreeMap::new(),
            left: 0,
            late: 0,
            late_us_max: 0,
            dropped: 0,
            events: 0,
            body_bytes: 0,
            fidelity: Fidelity::default(),
            reconnections: 0,
            wall: Duration::ZERO,
        }
    }

    /// Hears of the time at each turn, to know when the warm-up is over.
    pub fn tick(&mut self, now: Instant) {
        if self.cpu_before.is_none() && now >= self.start {
            self.cpu_before = Some(cpu_time());
        }
    }

    /// The window ends now, before its time.
    pub fn cut(&mut self, now: Instant) {
        self.time = self.time.min(now.saturating_duration_since(self.start));
        let time = self.time;
        // The first stays, so that there is one.
        self.slices.retain(|slice| slice.at < time || slice.at.is_zero());
        if let Some(last) = self.slices.last_mut() {
            last.length = last.length.min(time.saturating_sub(last.at));
        }
    }

    /// The window is over on this thread.
    pub fn stop(&mut self, now: Instant) {
        self.cpu = cpu_time().saturating_sub(self.cpu_before.unwrap_or_else(cpu_time));
        self.wall = now.saturating_duration_since(self.start);
    }

    pub fn counts(&self, due: Instant) -> bool {
        due >= self.start
    }

    pub fn sent(&mut self, due: Instant, now: Instant) {
        let late = now.saturating_duration_since(due);
        if late > LATE && self.counts(due) {
            self.late += 1;
            self.late_us_max = self.late_us_max.max(micros(late));
        }
    }

    /// An exchange ended well.
    pub fn ended(&mut self, exchange: &Exchange, now: Instant, body_bytes: u64) {
        if !self.counts(exchange.due) {
            return;
        }
        let latency_us = micros(now - exchange.due);
        self.requests += 1;
        self.body_bytes += body_bytes;
        self.events += exchange.events;
        self.latency.saturating_record(latency_us);
        self.service.saturating_record(micros(now - exchange.sent));
        self.first_content(exchange);
        let slice = self.slice(exchange.due);
        slice.requests += 1;
        // Refused only by a histogram that may not grow, and this one may.
        let _ = slice.latency.record(latency_us.min(LATENCY_US_MAX));
    }

    /// We left an exchange.
    pub fn left(&mut self, exchange: &Exchange) {
        if self.counts(exchange.due) {
            self.left += 1;
            self.first_content(exchange);
        }
    }

    fn first_content(&mut self, exchange: &Exchange) {
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
            self.slice(due).errors += 1;
            *self.errors.entry(kind.to_owned()).or_default() += 1;
        }
    }

    /// Due at this time, and never sent.
    pub fn dropped(&mut self, due: Instant) {
        self.dropped += u64::from(self.counts(due));
    }

    pub fn fidelity(&mut self, due: Instant, stream: &Fidelity) {
        if self.counts(due) {
            add_fidelity(&mut self.fidelity, stream);
        }
    }

    fn slice(&mut self, due: Instant) -> &mut Slice {
        let at = due.saturating_duration_since(self.start).as_secs_f64() * self.slices_per_s;
        // What was due at the very end, as the last of a closed loop may be, belongs to the last.
        let index = (at as usize).min(self.slices.len() - 1);
        &mut self.slices[index]
    }

    /// Takes in what another thread has counted in the same window.
    pub fn add(&mut self, other: &Self) {
        // Fails only where bounds differ, and these are the same constants.
        let add = |to: &mut Histogram<u64>, from: &Histogram<u64>| to.add(from).expect("the bounds are the same");
        add(&mut self.latency, &other.latency);
        add(&mut self.service, &other.service);
        add(&mut self.ttft, &other.ttft);
        add(&mut self.gap, &other.gap);
        for (to, from) in self.slices.iter_mut().zip(&other.slices) {
            to.requests += from.requests;
            to.errors += from.errors;
            add(&mut to.latency, &from.latency);
        }
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
        self.cpu += other.cpu;
        self.wall = self.wall.max(other.wall);
        self.requests += other.requests;
        self.left += other.left;
        self.late += other.late;
        self.late_us_max = self.late_us_max.max(other.late_us_max);
        self.dropped += other.dropped;
        self.events += other.events;
        self.body_bytes += other.body_bytes;
        self.reconnections += other.reconnections;
        add_fidelity(&mut self.fidelity, &other.fidelity);
    }

    pub fn into_report(self, facts: Facts) -> Report {
        let ended = self.requests + self.left + self.errors.values().sum::<u64>();
        Report {
            pattern: facts.pattern,
            protocol: facts.protocol,
            threads: facts.threads,
            connections: facts.connections,
            request_bytes: facts.request_bytes,
            seconds: self.time.as_secs_f64(),
            requests: self.requests,
            rps: self.requests as f64 / self.time.as_secs_f64().max(1e-9),
            errors: self.errors,
            left: self.left,
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
            driver_cpu_us_per_request: self.cpu.as_secs_f64() * 1e6 / ended.max(1) as f64,
            driver_cores: self.cpu.as_secs_f64() / self.wall.as_secs_f64().max(1e-9),
            fidelity: facts.check_chunks.then_some(self.fidelity),
            latency: self.latency,
            service: self.service,
            ttft: self.ttft,
            gap: self.gap,
            slices: self.slices,
        }
    }
}

fn add_fidelity(to: &mut Fidelity, from: &Fidelity) {
    to.streams += from.streams;
    to.chunks += from.chunks;
    to.lost += from.lost;
    to.repeated += from.repeated;
    to.out_of_order += from.out_of_order;
    to.altered += from.altered;
}

/// Four digits: what a hop adds is looked for in streams that take a second, of which three are a millisecond.
fn histogram() -> Histogram<u64> {
    // Fails only for bounds that make no sense, and these are constants.
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 4).expect("the bounds are constants that make sense")
}

/// Grows with the longest latency that it has seen: hundreds of them are kept.
fn small_histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are allowed")
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// CPU time of this thread so far, user and kernel.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
