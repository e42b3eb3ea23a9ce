//! The process's life, one turn at a time.
//!
//! ```text
//! Starting --every pool settled, account asked and tokenizer read, or 5 s--> Serving
//! Starting, Serving --Stop--> Draining --every shard ended--> Drained
//!                             Draining --Stop, or drain time--> Stopping --every shard ended--> Cut
//!                                                               Stopping --2 s--> Abandoned
//! ```
//!
//! `turn` is called several times a second and looks at the shards; time is an argument. A shard that ends before it
//! was asked to is started again, at once the first time, then after 1, 2, 4 ... 30 s as long as it keeps ending within a
//! minute. The watchdog is fed only while every shard turns, so a shard that hangs ends the process, and with it the hang.
//!
//! A reload that fails changes nothing and says so in the log, in the status and in the metrics. One that names new hosts comes into force
//! when these have been looked up, new cloud accounts have been asked for credentials, and a tokenizer's tables have been read, two seconds later at
//! most; a second one meanwhile takes its place.

use super::{
    certificates::{Certificates, Refreshed},
    credentials,
    health::Health,
    notify::Notifier,
    outcome::ReloadOutcome,
    resolver, unix_s,
};
use crate::{
    config::snapshot::Snapshot,
    limits::{RESTART_WAIT_MS_MAX, SETTLE_MS_MAX, STOP_GRACE_MS},
    node::{Node, Phase, ShardState},
    telemetry::{access_log::writer::LogCommands, cells::ProcessCell, operator_log},
};
use sd_notify::NotifyState;
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// Loads the configuration. Given are the snapshot in force and the generation that the new one must have.
pub type ReloadFn = Box<dyn FnMut(Option<&Snapshot>, u64) -> Result<Snapshot, String> + Send>;

/// Begins to look up the names of a snapshot that have no address yet, and to fetch credentials that were never fetched; the flag
/// is set when that is over.
pub type LookUpFn = Box<dyn FnMut(Arc<Snapshot>) -> Arc<AtomicBool> + Send>;

/// Starts the shard of this index again; its state has been made ready for that.
pub type RestartFn = Box<dyn FnMut(usize) -> io::Result<()> + Send>;

/// How the process's life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything that ran was finished.
    Drained,
    /// Exchanges were cut, because the drain time was over or by a second request to stop.
    Cut,
    /// A shard did not even end when everything was cut.
    Abandoned,
}

impl Ended {
    /// 0 for a clean drain, 3 if exchanges were cut, 1 if a shard hung.
    pub fn exit_code(self) -> u8 {
        match self {
            Ended::Drained => 0,
            Ended::Abandoned => 1,
            Ended::Cut => 3,
        }
    }
}

/// What a life works on.
pub(super) struct Parts {
    pub node: Arc<Node>,
    pub health: Arc<Health>,
    pub reload: ReloadFn,
    pub look_up: LookUpFn,
    pub restart_shard: RestartFn,
    pub certificates: Option<Certificates>,
    pub log: Option<LogCommands>,
    pub notifier: Notifier,
    pub outcome: ReloadOutcome,
    pub watchdog: Option<Duration>,
    /// Wake the resolver and whoever else follows the configuration after a reload.
    pub reloaded: Vec<Arc<Notify>>,
}

pub(super) struct Life {
    parts: Parts,
    arriving: Option<Arriving>,
    settle_by: Instant,
    /// When running exchanges are cut; set when draining begins.
    cut_at: Option<Instant>,
    /// When hope is given up; set when exchanges are cut.
    abandon_at: Option<Instant>,
    feed_at: Instant,
    certificates_at: Instant,
    restarts: Box<[Restarts]>,
}

/// A new configuration whose names are looked up, and credentials fetched, before it comes into force.
struct Arriving {
    snapshot: Arc<Snapshot>,
    looked_up: Arc<AtomicBool>,
    /// When it comes into force all the same.
    by: Instant,
}

/// How often one shard has been started again of late.
#[derive(Debug, Clone, Copy)]
struct Restarts {
    not_before: Instant,
    /// The wait that follows the next start.
    wait: Duration,
    last: Instant,
}

const RESTART_WAIT_MIN: Duration = Duration::from_secs(1);
/// A shard that lived this long has recovered.
const RESTART_FORGIVEN: Duration = Duration::from_secs(60);
const CERTIFICATES_EVERY: Duration = Duration::from_secs(5);
/// What a new configuration waits for the first addresses of its names and the first credentials of its accounts. One that cannot be had must
/// not hold up the rest.
const FIRST_FETCHES: Duration = Duration::from_secs(2);

impl Life {
    pub fn new(parts: Parts, now: Instant) -> Life {
        let fresh = Restarts { not_before: now, wait: RESTART_WAIT_MIN, last: now };
        parts.node.process.set(ProcessCell::ReloadSucceeded, 1);
        parts.node.process.set(ProcessCell::ReloadAtS, unix_s());
        Life {
            settle_by: now + Duration::from_millis(SETTLE_MS_MAX),
            cut_at: None,
            abandon_at: None,
            feed_at: now,
            certificates_at: now + CERTIFICATES_EVERY,
            restarts: parts.node.shards.iter().map(|_| fresh).collect(),
            arriving: None,
            parts,
        }
    }

    /// One look at everything; the end, once it has come.
    pub fn turn(&mut self, now: Instant) -> Option<Ended> {
        self.parts.health.observe(now);
        self.feed_watchdog(now);
        let counts = self.parts.node.token_counter.is_prepared();
        if let Some(arriving) = self.arriving.take_if(|it| now >= it.by || (it.looked_up.load(Acquire) && counts)) {
            self.reloaded(Ok(arriving.snapshot), now);
        }
        match self.parts.node.phase() {
            Phase::Starting => {
                self.restart_dead_shards(now);
                let settled = |shard: &Arc<ShardState>| shard.pools_settled.load(Acquire);
                let has_credentials = || !credentials::lacks_credentials(&self.parts.node.snapshot.load());
                if now >= self.settle_by || (self.parts.node.shards.iter().all(settled) && has_credentials() && counts)
                {
                    self.serve();
                }
            }
            Phase::Serving => {
                self.restart_dead_shards(now);
                self.refresh_certificates(now);
            }
            Phase::Draining if self.all_ended() => return Some(Ended::Drained),
            Phase::Draining => {
                if now >= self.cut_at(now) {
                    self.cut(now);
                }
            }
            Phase::Stopping if self.all_ended() => return Some(Ended::Cut),
            Phase::Stopping => {
                if now >= self.abandon_at(now) {
                    return Some(Ended::Abandoned);
                }
            }
        }
        None
    }

    /// Begins to drain; a second time cuts what still runs.
    pub fn stop(&mut self, now: Instant) {
        if self.parts.node.phase() >= Phase::Draining {
            return self.cut(now);
        }
        self.parts.node.advance(Phase::Draining);
        if self.arriving.take().is_some() {
            self.report(false, "the process is draining");
        }
        // No shard is started from here on. What starts them holds the listening sockets as well: as long as one copy is open
        // the kernel completes connections that nobody will accept, instead of refusing them.
        self.parts.restart_shard = Box::new(|_| Ok(()));
        self.cut_at(now);
    }

    /// When running exchanges are cut. Asked for the first time, it starts that clock and tells the manager.
    fn cut_at(&mut self, now: Instant) -> Instant {
        if let Some(at) = self.cut_at {
            return at;
        }
        let drain = Duration::from_millis(self.parts.node.snapshot.load().server.drain_timeout_ms);
        let status = format!("draining: running exchanges have {} s", drain.as_secs());
        operator_log::info(format_args!("{status}"));
        // The manager's own patience (TimeoutStopSec=) may be shorter than what the operator allows streams.
        let patience = drain + Duration::from_millis(STOP_GRACE_MS) + Duration::from_secs(5);
        let patience_us = u32::try_from(patience.as_micros()).unwrap_or(u32::MAX);
        self.parts.notifier.send(&[
            NotifyState::Stopping,
            NotifyState::ExtendTimeoutUsec(patience_us),
            NotifyState::Status(&status),
        ]);
        *self.cut_at.insert(now + drain)
    }

    fn cut(&mut self, now: Instant) {
        self.parts.node.advance(Phase::Stopping);
        self.abandon_at(now);
    }

    /// When hope is given up. Asked for the first time, it starts that clock.
    fn abandon_at(&mut self, now: Instant) -> Instant {
        if let Some(at) = self.abandon_at {
            return at;
        }
        let status = "stopping: exchanges that still run are cut";
        operator_log::warning(format_args!("{status}"));
        self.parts.notifier.send(&[NotifyState::Status(status)]);
        *self.abandon_at.insert(now + Duration::from_millis(STOP_GRACE_MS))
    }

    /// Loads configuration and certificate again and opens the log anew; keeps what cannot be replaced.
    pub fn reload(&mut self, now: Instant) {
        if self.parts.node.phase() >= Phase::Draining {
            operator_log::warning(format_args!("not reloading: the process is draining"));
            return self.report(false, "the process is draining");
        }
        let mut reloading = vec![NotifyState::Reloading];
        reloading.extend(NotifyState::monotonic_usec_now());
        self.parts.notifier.send(&reloading);

        let snapshot = match self.load() {
            Ok(snapshot) => Arc::new(snapshot),
            Err(why) => return self.reloaded(Err(why), now),
        };
        resolver::prefill(&snapshot, Some(&self.parts.node.snapshot.load()));
        let counter = &self.parts.node.token_counter;
        counter.prepare(&snapshot, self.parts.log.as_ref());
        let lacks_names = resolver::lacks_addresses(&snapshot) || credentials::lacks_credentials(&snapshot);
        if lacks_names || !counter.is_prepared() {
            let looked_up = (self.parts.look_up)(Arc::clone(&snapshot));
            self.arriving = Some(Arriving { snapshot, looked_up, by: now + FIRST_FETCHES });
        } else {
            self.reloaded(Ok(snapshot), now);
        }
    }

    /// Brings what was loaded into force, the certificate and a new log file with it, and says what became of the reload.
    fn reloaded(&mut self, outcome: Result<Arc<Snapshot>, String>, now: Instant) {
        self.arriving = None;
        let (mut ok, mut status) = self.publish(outcome);
        if let Some(certificates) = &mut self.parts.certificates {
            if let Refreshed::Refused(error) = certificates.reload(&self.parts.node) {
                ok = false;
                status = format!("{status}; {error}");
            }
            self.certificates_at = now + CERTIFICATES_EVERY;
        }
        if let Some(log) = &self.parts.log {
            log.reopen();
        }
        self.report(ok, &status);
        let status = NotifyState::Status(&status);
        match self.parts.node.phase() {
            Phase::Starting => self.parts.notifier.send(&[status]),
            _ => self.parts.notifier.send(&[NotifyState::Ready, status]),
        }
    }

    /// Publishes the new configuration if it is good; what became of it, on one line.
    fn publish(&mut self, outcome: Result<Arc<Snapshot>, String>) -> (bool, String) {
        let node = &self.parts.node;
        node.process.set(ProcessCell::ReloadSucceeded, u64::from(outcome.is_ok()));
        node.process.set(ProcessCell::ReloadAtS, unix_s());
        match outcome {
            Ok(snapshot) => {
                if let Some(log) = &self.parts.log {
                    log.learn(Arc::clone(&snapshot));
                }
                node.publish(snapshot);
                node.process.add(ProcessCell::Reloads, 1);
                self.parts.reloaded.iter().for_each(|follower| follower.notify_one());
                let status = format!("configuration reloaded: generation {} is in force", node.generation());
                operator_log::info(format_args!("{status}"));
                (true, status)
            }
            Err(why) => {
                node.process.add(ProcessCell::ReloadFailures, 1);
                let status = format!("RELOAD FAILED, generation {} stays in force: {why}", node.generation());
                operator_log::error(format_args!("{status}"));
                (false, status.replace('\n', " | "))
            }
        }
    }

    fn report(&mut self, ok: bool, status: &str) {
        if let Err(error) = self.parts.outcome.write(ok, status) {
            operator_log::warning(format_args!("the outcome of the reload cannot be written: {error}"));
        }
    }

    /// The new snapshot. A loader that panics costs the reload, not the process.
    fn load(&mut self) -> Result<Snapshot, String> {
        let current = self.parts.node.snapshot.load_full();
        let generation = current.generation + 1;
        let load = AssertUnwindSafe(|| (self.parts.reload)(Some(&current), generation));
        let snapshot = catch_unwind(load).unwrap_or_else(|_| Err("the loader panicked, which is a bug".into()))?;
        if snapshot.generation != generation {
            return Err(format!("generation {} instead of {generation}, which is a bug", snapshot.generation));
        }
        Ok(snapshot)
    }

    fn serve(&mut self) {
        let node = &self.parts.node;
        node.advance(Phase::Serving);
        let on_uring = node.shards.iter().filter(|shard| shard.io_uring.load(Acquire)).count();
        let driver = match on_uring {
            0 => "epoll",
            count if count == node.shards.len() => "io_uring",
            _ => "io_uring and epoll",
        };
        let status = format!("serving: {} shard(s) on {driver}, generation {}", node.shards.len(), node.generation());
        operator_log::info(format_args!("{status}"));
        self.parts.notifier.send(&[NotifyState::Ready, NotifyState::Status(&status)]);
    }

    fn all_ended(&self) -> bool {
        self.parts.node.shards.iter().all(|shard| shard.ended.load(Acquire))
    }

    fn restart_dead_shards(&mut self, now: Instant) {
        for index in 0..self.restarts.len() {
            let shard = &self.parts.node.shards[index];
            let restarts = &mut self.restarts[index];
            if !shard.ended.load(Acquire) || now < restarts.not_before {
                continue;
            }
            if now.saturating_duration_since(restarts.last) >= RESTART_FORGIVEN {
                restarts.wait = RESTART_WAIT_MIN;
            }
            restarts.last = now;
            restarts.not_before = now + restarts.wait;
            restarts.wait = (restarts.wait * 2).min(Duration::from_millis(RESTART_WAIT_MS_MAX));
            operator_log::error(format_args!("shard {index} has ended unexpectedly; it is started again"));
            shard.cells.forget_gauges();
            shard.pools_settled.store(false, Release);
            shard.ended.store(false, Release);
            self.parts.health.restarted(index, now);
            self.parts.node.process.add(ProcessCell::ShardRestarts, 1);
            if let Err(error) = (self.parts.restart_shard)(index) {
                operator_log::error(format_args!("shard {index} cannot be started: {error}"));
                self.parts.node.shards[index].ended.store(true, Release);
            }
        }
    }

    fn refresh_certificates(&mut self, now: Instant) {
        if let Some(certificates) = &mut self.parts.certificates
            && now >= self.certificates_at
        {
            certificates.refresh(&self.parts.node);
            self.certificates_at = now + CERTIFICATES_EVERY;
        }
    }

    fn feed_watchdog(&mut self, now: Instant) {
        if let Some(interval) = self.parts.watchdog
            && now >= self.feed_at
            && self.parts.health.ailments(now).is_empty()
        {
            self.parts.notifier.send(&[NotifyState::Watchdog]);
            // Twice per interval, as sd_watchdog_enabled(3) advises.
            self.feed_at = now + interval / 2;
        }
    }
}

#[cfg(test)]
mod tests;
