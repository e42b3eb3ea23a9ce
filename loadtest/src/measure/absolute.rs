//! Windows of one endpoint added up: its latency by itself, and what else its reports say.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::hdr::{Interval, Measure};
use crate::load::{Report, percentiles};
use crate::results::{Fidelity, Latency, Slice};

/// Points of a percentile curve for each power of ten towards 1.
const CURVE_STEPS_PER_DECADE: u32 = 12;

/// Everything that was measured in open loops.
#[derive(Default)]
pub struct Absolute {
    pub whole: Vec<Interval>,
    pub ttft: Vec<Interval>,
    pub gap: Vec<Interval>,
    pub slices: Vec<Slice>,
    pub requests: u64,
    pub late: u64,
    pub dropped: u64,
    pub errors: BTreeMap<String, u64>,
    pub fidelity: Option<Fidelity>,
}

impl Absolute {
    /// Adds a window that began, with its measured part, at `start`.
    pub fn add(&mut self, start: Duration, report: Report) {
        self.requests += report.requests;
        self.late += report.late;
        self.dropped += report.dropped;
        add_counts(&mut self.errors, &report.errors);
        if let Some(fidelity) = &report.fidelity {
            add_fidelity(self.fidelity.get_or_insert_default(), fidelity);
        }
        let length = Duration::try_from_secs_f64(report.seconds).unwrap_or_default();
        for slice in report.slices {
            let shown = percentiles(&slice.latency);
            self.slices.push(Slice {
                at_s: (start + slice.at).as_secs_f64(),
                requests: slice.requests,
                errors: slice.errors,
                p50_us: shown.p50,
                p99_us: shown.p99,
                max_us: shown.max,
                resident_bytes: None,
            });
            self.whole.push(Interval { start: start + slice.at, length: slice.length, histogram: slice.latency });
        }
        for (intervals, histogram) in [(&mut self.ttft, report.ttft), (&mut self.gap, report.gap)] {
            if !histogram.is_empty() {
                intervals.push(Interval { start, length, histogram });
            }
        }
    }

    /// `offered_per_s` is what was asked for.
    pub fn latency(&self, offered_per_s: f64) -> Latency {
        let (whole, ttft, gap) = (total(&self.whole), total(&self.ttft), total(&self.gap));
        let some = |histogram: &Option<Histogram<u64>>| histogram.as_ref().map(percentiles);
        Latency {
            offered_per_s,
            requests: self.requests,
            late: self.late,
            dropped: self.dropped,
            whole_us: some(&whole).unwrap_or_default(),
            ttft_us: some(&ttft),
            gap_us: some(&gap),
            curve: whole.as_ref().map(curve).unwrap_or_default(),
            ttft_curve: ttft.as_ref().map(curve).unwrap_or_default(),
            over_time: self.slices.clone(),
            histogram_files: Vec::new(),
        }
    }

    /// The histograms, for files.
    pub fn into_measures(self) -> Vec<Measure> {
        let named = [("whole", self.whole), ("ttft", self.ttft), ("gap", self.gap)];
        named.into_iter().map(|(name, intervals)| Measure { name, intervals }).collect()
    }
}

/// All of them together. None of none.
fn total(intervals: &[Interval]) -> Option<Histogram<u64>> {
    let (first, others) = intervals.split_first()?;
    let mut total = first.histogram.clone();
    for other in others {
        // All come from the generator, with the same bounds.
        total.add(&other.histogram).ok()?;
    }
    Some(total)
}

/// Quantile and value, dense towards 1, as far as there are values to tell apart.
fn curve(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    let mut curve = Vec::new();
    for step in 0.. {
        let above = 10_f64.powf(-f64::from(step) / f64::from(CURVE_STEPS_PER_DECADE));
        if above * (histogram.len() as f64) < 1.0 {
            break;
        }
        curve.push((1.0 - above, histogram.value_at_quantile(1.0 - above)));
    }
    curve.push((1.0, histogram.max()));
    curve
}

pub fn add_counts(sum: &mut BTreeMap<String, u64>, counts: &BTreeMap<String, u64>) {
    for (kind, count) in counts {
        *sum.entry(kind.clone()).or_default() += count;
    }
}

pub fn add_fidelity(sum: &mut Fidelity, other: &Fidelity) {
    sum.streams += other.streams;
    sum.chunks += other.chunks;
    sum.lost += other.lost;
    sum.repeated += other.repeated;
    sum.out_of_order += other.out_of_order;
    sum.altered += other.altered;
}

#[cfg(test)]
mod tests;
