//! What a hop adds: endpoints measured in turn at the same rate, and compared within blocks.
//!
//! A block is a palindrome of windows: direct, gateway, gateway, direct (with several targets: direct, a, b, b, a, direct). Both windows of
//! an endpoint are merged, so that a drift of the machine that is steady over a block meets all endpoints alike. The
//! difference is that of percentiles within a block, and the interval is the bootstrap's over blocks.
//!
//! All endpoints keep their connections open throughout, and requests in the windows of one half of a block are due at the same
//! drawn times for each.

use std::io;
use std::time::Instant;

use hdrhistogram::Histogram;

use super::absolute::{Absolute, add_counts};
use super::bootstrap;
use super::traffic::{Traffic, open_loop, window};
use crate::load::percentiles;
use crate::results::{Added, Interval, Percentiles};
use crate::scenario::Latency;

/// One endpoint that takes part.
pub struct Side {
    pub traffic: Traffic,
    pub absolute: Absolute,
    /// Of traffic beside the measured one, by its name.
    pub beside: Vec<(String, std::collections::BTreeMap<String, u64>)>,
    blocks: Vec<Block>,
}

/// Percentiles of one block.
struct Block {
    whole: Percentiles,
    ttft: Option<Percentiles>,
    gap: Option<Percentiles>,
}

impl Side {
    pub fn new(traffic: Traffic) -> Side {
        Side { traffic, absolute: Absolute::default(), beside: Vec::new(), blocks: Vec::new() }
    }
}

/// Measures all blocks. `before_window` hears what comes next: block, and which endpoint.
pub fn measure(
    sides: &mut [Side],
    plan: &Latency,
    seed: u64,
    mut before_window: impl FnMut(usize, usize) -> io::Result<()>,
) -> io::Result<()> {
    let begin = Instant::now();
    for block in 0..plan.blocks {
        let mut merged: Vec<Merged> = sides.iter().map(|_| Merged::default()).collect();
        for (half, index) in palindrome(sides.len()) {
            before_window(block, index)?;
            let pattern = open_loop(plan.rate, plan.arrivals, seed + 2 * block as u64 + half);
            let window = window(pattern, plan.warmup_s, plan.window_s);
            let start = begin.elapsed() + window.warmup;
            let side = &mut sides[index];
            let offered = side.traffic.window(&window)?;
            for (name, report) in offered.beside {
                match side.beside.iter_mut().find(|(other, _)| *other == name) {
                    Some((_, errors)) => add_counts(errors, &report.errors),
                    None => side.beside.push((name, report.errors)),
                }
            }
            merged[index].add(&offered.report)?;
            side.absolute.add(start, offered.report);
        }
        for (side, merged) in sides.iter_mut().zip(merged) {
            side.blocks.push(merged.block());
        }
    }
    Ok(())
}

/// Which endpoint is measured when, and in which half of the block.
fn palindrome(sides: usize) -> impl Iterator<Item = (u64, usize)> {
    (0..sides).map(|index| (0, index)).chain((0..sides).rev().map(|index| (1, index)))
}

/// Both windows of an endpoint in a block.
#[derive(Default)]
struct Merged {
    whole: Option<Histogram<u64>>,
    ttft: Option<Histogram<u64>>,
    gap: Option<Histogram<u64>>,
}

impl Merged {
    fn add(&mut self, report: &crate::load::Report) -> io::Result<()> {
        let parts = [(&mut self.whole, &report.latency), (&mut self.ttft, &report.ttft), (&mut self.gap, &report.gap)];
        for (sum, histogram) in parts {
            match sum {
                Some(sum) => sum.add(histogram).map_err(io::Error::other)?,
                None => *sum = Some(histogram.clone()),
            }
        }
        Ok(())
    }

    fn block(self) -> Block {
        let some = |histogram: Option<Histogram<u64>>| histogram.filter(|it| !it.is_empty()).map(|it| percentiles(&it));
        Block { whole: some(self.whole).unwrap_or_default(), ttft: some(self.ttft), gap: some(self.gap) }
    }
}

/// What `target` adds to `direct`. None if a block of one of them holds no answer at all: there is nothing to compare.
pub fn added(direct: &Side, target: &Side, seed: u64) -> Option<Added> {
    let whole = |figure: fn(&Percentiles) -> f64| compare(direct, target, seed, |block| Some(&block.whole), figure);
    let ttft = |figure: fn(&Percentiles) -> f64| compare(direct, target, seed, |block| block.ttft.as_ref(), figure);
    let gap = |figure: fn(&Percentiles) -> f64| compare(direct, target, seed, |block| block.gap.as_ref(), figure);
    Some(Added {
        p50_us: whole(|it| it.p50 as f64)?,
        p90_us: whole(|it| it.p90 as f64)?,
        p99_us: whole(|it| it.p99 as f64)?,
        p99_9_us: whole(|it| it.p99_9 as f64)?,
        max_us: whole(|it| it.max as f64)?,
        ttft_p50_us: ttft(|it| it.p50 as f64),
        ttft_p99_us: ttft(|it| it.p99 as f64),
        gap_p50_us: gap(|it| it.p50 as f64),
        gap_p99_us: gap(|it| it.p99 as f64),
    })
}

fn compare(
    direct: &Side,
    target: &Side,
    seed: u64,
    of: impl Fn(&Block) -> Option<&Percentiles>,
    figure: fn(&Percentiles) -> f64,
) -> Option<Interval> {
    let pairs = direct.blocks.iter().zip(&target.blocks);
    let differences = pairs.map(|(direct, target)| {
        let (direct, target) = (of(direct)?, of(target)?);
        (direct.count > 0 && target.count > 0).then(|| figure(target) - figure(direct))
    });
    bootstrap::interval(&differences.collect::<Option<Vec<_>>>()?, seed)
}

#[cfg(test)]
mod tests;
