//! Whether the process lives, and whether it should be sent traffic.
//!
//! Live: every shard turns (its heartbeat changed within `HEARTBEAT_STALE_MS`) and none has ended before it was asked to.
//! Ready: serving, and every pool of every shard is warm or has failed once. A process that drains is live but not ready.
//!
//! A heartbeat is judged by when it was last seen to change, never by its value: shards and control thread need not share a
//! clock, and a clock that jumps makes nobody dead. Ages are therefore up to one control turn too small.

use crate::{
    limits::HEARTBEAT_STALE_MS,
    node::{Node, Phase, ShardState},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// What the control thread has seen of the shards. Read by the admin listener.
pub struct Health {
    node: Arc<Node>,
    started: Instant,
    seen: Box<[Seen]>,
}

#[derive(Default)]
struct Seen {
    heartbeat_ms: AtomicU64,
    /// Milliseconds since `started` at which the heartbeat was last seen to change.
    changed_ms: AtomicU64,
}

impl Health {
    pub fn new(node: Arc<Node>, now: Instant) -> Health {
        let seen = node.shards.iter().map(|_| Seen::default()).collect();
        Health { node, started: now, seen }
    }

    /// Looks at every heartbeat; called at each control turn.
    pub fn observe(&self, now: Instant) {
        for (shard, seen) in self.node.shards.iter().zip(&self.seen) {
            let heartbeat_ms = shard.heartbeat_ms.load(Relaxed);
            if seen.heartbeat_ms.swap(heartbeat_ms, Relaxed) != heartbeat_ms {
                seen.changed_ms.store(self.since_start_ms(now), Relaxed);
            }
        }
    }

    /// Gives a shard that was started again the time that a new one has.
    pub fn restarted(&self, shard: usize, now: Instant) {
        self.seen[shard].changed_ms.store(self.since_start_ms(now), Relaxed);
    }

    /// Time since each shard was last seen to turn, in milliseconds.
    pub fn heartbeat_ages_ms(&self, now: Instant) -> Vec<u64> {
        let now_ms = self.since_start_ms(now);
        self.seen.iter().map(|seen| now_ms.saturating_sub(seen.changed_ms.load(Relaxed))).collect()
    }

    /// What is wrong, one sentence per shard; empty when the process lives.
    pub fn ailments(&self, now: Instant) -> Vec<String> {
        let asked_to_end = self.node.phase() >= Phase::Draining;
        let ages_ms = self.heartbeat_ages_ms(now);
        let ailment = |(index, (shard, age_ms)): (usize, (&Arc<ShardState>, u64))| {
            if shard.ended.load(Relaxed) {
                (!asked_to_end).then(|| format!("shard {index} has ended"))
            } else {
                (age_ms > HEARTBEAT_STALE_MS).then(|| format!("shard {index}: no heartbeat for {age_ms} ms"))
            }
        };
        self.node.shards.iter().zip(ages_ms).enumerate().filter_map(ailment).collect()
    }

    /// Why no traffic should be sent; `None` when it should.
    pub fn unready(&self) -> Option<String> {
        match self.node.phase() {
            Phase::Starting => Some("starting".into()),
            Phase::Draining | Phase::Stopping => Some("draining".into()),
            Phase::Serving => {
                let unsettled = |shard: &Arc<ShardState>| !shard.pools_settled.load(Relaxed);
                let shard = self.node.shards.iter().position(unsettled)?;
                Some(format!("shard {shard} is opening its upstream connections"))
            }
        }
    }

    fn since_start_ms(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.started).as_millis() as u64
    }
}

#[cfg(test)]
mod tests;
