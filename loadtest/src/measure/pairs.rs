//! What a hop adds: endpoints measured in turn at the same rate, and compared within blocks.
//!
//! A block is a palindrome of windows: direct, gateway, gateway, direct (with several targets: direct, a, b, b, a, direct). Both windows of
//! an endpoint are merged, so that a drift of the machine that is steady over a block meets all endpoints alike. The
//! difference is that of percentiles within a block, and the interval is the bootstrap's over blocks.
//!
//! All endpoints keep their connections open throughout, and requests in the windows of one half of a block are due at the same
//! drawn times for each.
//!
//! An endpoint that fails, or takes so long for its windows that the others would wait for minutes, is left out from then on. One that
//! has less than 20 whole blocks is not compared.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::absolute::{Absolute, add_counts};
use super::bootstrap;
use super::traffic::{Traffic, open_loop, window};
use crate::limits::BLOCKS_MIN;
use crate::load::percentiles;
use crate::results::{Added, Interval, Percentiles};
use crate::scenario::Latency;
use crate::stop;

/// One endpoint that takes part.
pub struct Side {
    pub traffic: Traffic,
    pub absolute: Absolute,
    /// Of traffic beside the measured one, by its name.
    pub beside: Vec<(String, std::collections::BTreeMap<String, u64>)>,
    /// Why it is not measured any further.
    pub failed: Option<String>,
    blocks: Vec<Block>,
    taken: Duration,
}

/// Percentiles of one block.
struct Block {
    whole: Percentiles,
    ttft: Option<Percentiles>,
    gap: Option<Percentiles>,
}

impl Side {
    pub fn new(traffic: Traffic) -> Side {
        Side {
            traffic,
            absolute: Absolute::default(),
            beside: Vec::new(),
            failed: None,
            blocks: Vec::new(),
            taken: Duration::ZERO,
        }
    }
}

/// How much more time than those of the first an endpoint's windows may take in all: so many times, and so much more.
const OVERRUN: u32 = 2;
const OVERRUN_MORE: Duration = Duration::from_secs(10);

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
            if sides[index].failed.is_some() {
                continue;
            }
            before_window(block, index)?;
            let pattern = open_loop(plan.rate, plan.arrivals, seed + 2 * block as u64 + half);
            let window = window(pattern, plan.warmup_s, plan.window_s);
            let start = begin.elapsed() + window.warmup;
            let side = &mut sides[index];
            let sent = Instant::now();
            let offered = match side.traffic.window(&window) {
                Ok(offered) => offered,
                Err(error) => {
                    side.failed = Some(error.to_string());
                    continue;
                }
            };
            // Half a window is none: what was cut would be compared with what was not.
            stop::check()?;
            side.taken += sent.elapsed();
            for (name, report) in offered.beside {
                match side.beside.iter_mut().find(|(other, _)| *other == name) {
                    Some((_, errors)) => add_counts(errors, &report.errors),
                    None => side.beside.push((name, report.errors)),
                }
            }
            merged[index].add(&offered.report)?;
            side.absolute.add(start, offered.report);
        }
        let usual = sides.first().map_or(Duration::ZERO, |first| first.taken);
        for side in sides.iter_mut().filter(|side| side.failed.is_none() && side.taken > usual * OVERRUN + OVERRUN_MORE)
        {
            side.failed = Some(format!(
                "It answered so slowly that {} blocks took {:.0} s, where they are {:.0} s of the first endpoint's time.",
                block + 1,
                side.taken.as_secs_f64(),
                usual.as_secs_f64()
            ));
        }
        for (side, merged) in sides.iter_mut().zip(merged).filter(|(side, _)| side.failed.is_none()) {
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

/// What `target` adds to `direct`. None if a block of one of them holds no answer at all, or too few blocks were whole: there is nothing
/// to compare.
pub fn added(direct: &Side, target: &Side, seed: u64) -> Option<Added> {
    if direct.blocks.len().min(target.blocks.len()) < BLOCKS_MIN {
        return None;
    }
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
