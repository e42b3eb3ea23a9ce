//! One pinned thread with its ring, its connections, its pools and its figures.
//!
//! Nothing here is shared but the node's snapshot, which is looked at once per exchange, and cells that only this thread writes.
//! Housekeeping runs about every 50 ms: clock, deadlines, pools, a new snapshot, the phase of the process.

use super::{
    buffers,
    clock::Clock,
    downstream,
    transport::Transport,
    upstream::{UpstreamContext, pool::Pool},
};
use crate::{
    config::snapshot::{EndpointKey, Snapshot},
    dialects::{
        anthropic_messages::read::KnownMessages,
        openai_chat::{known_answers::KnownAnswers, request},
    },
    error::Upstream,
    json::{patch::Patch, scan::Scanner},
    node::{Node, Phase, ShardState},
    policy::retries::RetryBudget,
    rt::{self, Accepted, Deadlines, Driver, Mailbox, MailboxSender},
    sys,
    telemetry::{
        access_log::{AccessLog, AccessRecord, RequestId},
        cells::Cell as Counter,
    },
};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

/// Time between two turns of housekeeping, in milliseconds: the resolution of every deadline.
const TICK_MS: u64 = 50;

/// A shard hands a connection over when it has this many more than the emptiest one. Below it, keeping the connection
/// where the kernel put it is cheaper than evening out.
const HAND_OVER_LEAD: u64 = 4;

/// What a shard is made from. Moves to its thread.
pub struct ShardParts {
    pub index: usize,
    pub node: Arc<Node>,
    pub driver: Driver,
    /// CPU to pin the thread to.
    pub cpu: Option<usize>,
    /// Zero of the clock that all shards share.
    pub epoch: Instant,
    /// Unix time of `epoch`, in microseconds.
    pub epoch_unix_us: u64,
    pub listeners: Vec<ShardListener>,
    pub access_log: AccessLog,
    pub inbox: Mailbox<Arrival>,
    /// One sender for each shard, this one's included.
    pub outboxes: Vec<MailboxSender<Arrival>>,
}

/// A bound socket and how connections on it begin.
pub struct ShardListener {
    pub listener: rt::Listener,
    pub tls: bool,
}

/// A connection on its way to a shard.
pub struct Arrival {
    accepted: Accepted,
    tls: bool,
}

/// One shard, as everything on its thread sees it.
pub struct Shard {
    pub index: usize,
    pub node: Arc<Node>,
    pub state: Arc<ShardState>,
    pub deadlines: Deadlines,
    clock: Clock,
    /// Zero of the shards' clock by the machine's, in microseconds.
    epoch_us: u64,
    /// Unix time of the same moment, in microseconds.
    epoch_unix_us: u64,
    current: RefCell<Rc<Current>>,
    upstream: Rc<UpstreamContext>,
    access_log: RefCell<AccessLog>,
    /// The edits of the request that is being sent or the answer that is being judged just now, so that they need no new memory
    /// each time.
    pub patch: RefCell<Patch>,
    /// Scans what has come whole.
    pub scanner: RefCell<Scanner>,
    pub known_answers: RefCell<KnownAnswers>,
    pub known_messages: RefCell<KnownMessages>,
    outboxes: Vec<MailboxSender<Arrival>>,
    body_bytes: Cell<usize>,
    request_count: Cell<u64>,
    /// The id of the first request, and its text form.
    first_id: RequestId,
    first_id_text: [u8; RequestId::TEXT_BYTES],
    draining: Cell<bool>,
}

/// The snapshot that new exchanges run under, with this shard's pools for it.
pub struct Current {
    pub snapshot: Arc<Snapshot>,
    /// One for each of the snapshot's endpoints.
    pub pools: Vec<Rc<Pool>>,
    /// Pools that the next snapshot has no use for. Exchanges that run under this one may still need them, so they are closed when the
    /// last of these has ended.
    closing: RefCell<Vec<Rc<Pool>>>,
    /// One for each of the snapshot's deployments.
    pub standing: Vec<Standing>,
    /// One for each of the snapshot's groups, by `ModelGroup::index`.
    pub retries: Vec<RetryBudget>,
}

/// What this shard remembers of a deployment.
#[derive(Default)]
pub struct Standing {
    /// No new attempts before. By itself, because it is all that most plans ask.
    until_ms: Cell<u64>,
    why: RefCell<Option<Upstream>>,
}

impl Standing {
    /// No new attempts until `until_ms`, for the reason given.
    pub fn park(&self, until_ms: u64, why: Upstream) {
        self.until_ms.set(until_ms);
        self.why.replace(Some(why));
    }

    /// Until when, and why, if it is parked at `now_ms`.
    #[inline]
    pub fn parked(&self, now_ms: u64) -> Option<(u64, Upstream)> {
        let until_ms = self.until_ms.get();
        if until_ms > now_ms { self.why(until_ms) } else { None }
    }

    #[cold]
    fn why(&self, until_ms: u64) -> Option<(u64, Upstream)> {
        self.why.borrow().clone().map(|why| (until_ms, why))
    }
}

/// Runs a shard on the calling thread until it has drained.
///
/// # Errors
/// When the ring, or a listener's registration with it, is refused.
pub fn run(parts: ShardParts) -> std::io::Result<()> {
    if let Some(cpu) = parts.cpu {
        rt::pin_to_cpu(cpu);
    }
    rt::run(parts.driver, Shard::live(parts))?
}

impl Shard {
    async fn live(parts: ShardParts) -> std::io::Result<()> {
        let (shard, listeners, mut inbox) = Shard::open(parts);
        let mut acceptors = Vec::new();
        for ShardListener { listener, tls } in listeners {
            let shard = shard.clone();
            acceptors.push(rt::listen(listener, move |accepted| shard.arrived(Arrival { accepted, tls }))?);
        }
        let receiving = shard.clone();
        rt::spawn(
            async move {
                loop {
                    let arrival = inbox.receive().await;
                    receiving.state.cells.add(Counter::HandedOver, 1);
                    receiving.admit_connection(arrival);
                }
            },
            || {},
        );
        shard.keep_house(acceptors).await
    }

    /// A shard that has not begun to keep house, and what it will get connections from. Needs its runtime.
    pub fn open(parts: ShardParts) -> (Rc<Shard>, Vec<ShardListener>, Mailbox<Arrival>) {
        let ShardParts { index, node, driver, epoch, epoch_unix_us, listeners, access_log, inbox, outboxes, .. } =
            parts;
        let state = node.shards[index].clone();
        state.io_uring.store(driver == Driver::IoUring, Relaxed);
        let deadlines = Deadlines::new(epoch);
        let upstream = Rc::new(UpstreamContext { deadlines: deadlines.clone(), state: state.clone() });
        let current = Rc::new(Current::open(node.snapshot.load_full(), None, &upstream));
        let first_id = RequestId(u128::from(epoch_unix_us) << 64 | (index as u128 & 0xffff) << 48);
        let shard = Rc::new(Shard {
            index,
            node,
            state,
            deadlines,
            clock: Clock::new(),
            epoch_us: sys::monotonic_us().saturating_sub(epoch.elapsed().as_micros() as u64),
            epoch_unix_us,
            current: RefCell::new(current),
            upstream,
            access_log: RefCell::new(access_log),
            patch: RefCell::default(),
            scanner: RefCell::new(Scanner::new(&request::MEMBERS)),
            known_answers: RefCell::default(),
            known_messages: RefCell::default(),
            outboxes,
            body_bytes: Cell::new(0),
            request_count: Cell::new(0),
            first_id,
            first_id_text: first_id.text(),
            draining: Cell::new(false),
        });
        (shard, listeners, inbox)
    }

    /// Turns of housekeeping until the shard has drained or is told to stop.
    async fn keep_house(self: &Rc<Self>, mut acceptors: Vec<rt::Acceptor>) -> std::io::Result<()> {
        let mut timer = rt::Timer::new()?;
        let mut quiet = Quiet::default();
        loop {
            let now_ms = self.deadlines.touch();
            self.deadlines.tick(now_ms);
            self.state.heartbeat_ms.store(now_ms, Relaxed);
            let current = self.current();
            for pool in &current.pools {
                pool.maintain(now_ms);
            }
            if !self.state.pools_settled.load(Relaxed) && current.pools.iter().all(|pool| pool.settled()) {
                self.state.pools_settled.store(true, Relaxed);
            }
            let phase = self.node.phase();
            if phase >= Phase::Draining && !self.draining.get() {
                self.draining.set(true);
                acceptors.drain(..).for_each(rt::Acceptor::stop);
                // Idle connections look at the flag and close.
                self.deadlines.wake_all();
            }
            let happened = [Counter::Requests, Counter::Accepted, Counter::Connections];
            if quiet.has_come(now_ms, happened.iter().map(|count| self.state.cells.read(*count)).sum()) {
                buffers::clear();
                sys::release_free_memory();
            }
            let idle = self.state.cells.read(Counter::Connections) == 0;
            if phase == Phase::Stopping || (self.draining.get() && idle) {
                return Ok(());
            }
            timer.sleep_ms(TICK_MS).await?;
        }
    }

    /// A connection was accepted here: keep it, or give it to a shard that is clearly emptier.
    fn arrived(self: &Rc<Self>, arrival: Arrival) {
        self.state.cells.add(Counter::Accepted, 1);
        // Those on their way count: a crowd arrives faster than the other shard takes it over, and would all be sent there.
        let load = |index: usize| {
            self.node.shards[index].cells.read(Counter::Connections) + self.outboxes[index].waiting() as u64
        };
        let emptiest = (0..self.outboxes.len()).min_by_key(|index| load(*index));
        if let Some(index) = emptiest
            && index != self.index
            && load(self.index) >= load(index) + HAND_OVER_LEAD
        {
            match self.outboxes[index].send(arrival) {
                Ok(()) => return self.state.cells.add(Counter::HandedOver, 1),
                Err(back) => return self.admit_connection(back),
            }
        }
        self.admit_connection(arrival);
    }

    fn admit_connection(self: &Rc<Self>, arrival: Arrival) {
        let cells = &self.state.cells;
        let connections_max = self.current().snapshot.server.shard_connections_max as u64;
        if cells.read(Counter::Connections) >= connections_max {
            // Closing is the only answer that costs less than the connection would.
            return cells.add(Counter::Sheds, 1);
        }
        let Ok(stream) = arrival.accepted.into_stream() else { return cells.add(Counter::ProtocolErrors, 1) };
        let shard = self.clone();
        let held = Held::new(self, Counter::Connections);
        let panicked = self.clone();
        rt::spawn(
            async move {
                let _held = held;
                if arrival.tls {
                    // Boxed: connections without TLS do not carry the room that a handshake needs.
                    Box::pin(downstream::serve_tls(shard, stream)).await;
                } else {
                    downstream::http1::serve(shard, Transport::plain(stream)).await;
                }
            },
            move || panicked.state.cells.add(Counter::Panics, 1),
        );
    }

    /// The snapshot and pools for an exchange that begins now.
    #[inline]
    pub fn current(self: &Rc<Self>) -> Rc<Current> {
        let current = self.current.borrow();
        if current.snapshot.generation == self.node.generation() {
            return current.clone();
        }
        drop(current);
        self.renew()
    }

    #[cold]
    fn renew(self: &Rc<Self>) -> Rc<Current> {
        let before = self.current.borrow().clone();
        let renewed = Rc::new(Current::open(self.node.snapshot.load_full(), Some(&before), &self.upstream));
        *self.current.borrow_mut() = renewed.clone();
        renewed
    }

    pub fn is_draining(&self) -> bool {
        // The phase is ahead of this shard's housekeeping, and readiness has told the world of it already.
        self.draining.get() || self.node.phase() >= Phase::Draining
    }

    /// Microseconds of the shard's clock, exact to a few. Deadlines learn of it.
    #[inline]
    pub fn now_us(&self) -> u64 {
        let now_us = self.clock.now_us().saturating_sub(self.epoch_us);
        self.deadlines.advance(now_us / 1_000);
        now_us
    }

    /// Unix time, in microseconds, of a time of the shard's clock.
    pub fn unix_us(&self, at_us: u64) -> u64 {
        self.epoch_unix_us + at_us
    }

    /// An id that no other request of this host has: start time, shard, count.
    pub fn next_request_id(&self) -> RequestId {
        let count = self.request_count.get();
        self.request_count.set(count + 1);
        RequestId(self.first_id.0 | u128::from(count & 0xffff_ffff_ffff))
    }

    /// The text form of an id of this shard.
    #[inline]
    pub fn id_text(&self, id: RequestId) -> [u8; RequestId::TEXT_BYTES] {
        id.text_like(self.first_id, &self.first_id_text)
    }

    /// Hands a record to the log writer; counted when it has to be dropped.
    pub fn log(&self, record: &AccessRecord) {
        if self.access_log.borrow_mut().push(record) {
            self.state.cells.add(Counter::AccessLogDropped, 1);
        }
    }

    /// Body bytes held now, against the shard's cap.
    pub fn body_bytes(&self) -> usize {
        self.body_bytes.get()
    }
}

/// Notices, once, that nothing has happened for a while after something had.
#[derive(Default)]
struct Quiet {
    events: u64,
    since_ms: u64,
    told: bool,
}

/// Longer than connections keep their buffers, so that these are among what is free.
const QUIET_MS: u64 = 2_500;

impl Quiet {
    fn has_come(&mut self, now_ms: u64, events: u64) -> bool {
        if events != self.events {
            *self = Quiet { events, since_ms: now_ms, told: false };
        }
        let come = !self.told && now_ms.saturating_sub(self.since_ms) >= QUIET_MS;
        self.told |= come;
        come
    }
}

/// A gauge that is raised as long as this lives, also when its owner panics.
pub struct Held {
    state: Arc<ShardState>,
    gauge: Counter,
}

impl Held {
    pub fn new(shard: &Shard, gauge: Counter) -> Held {
        shard.state.cells.add(gauge, 1);
        Held { state: shard.state.clone(), gauge }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.state.cells.sub(self.gauge, 1);
    }
}

/// Memory that one exchange's body may take, out of the shard's cap.
pub struct BodyRoom {
    shard: Rc<Shard>,
    bytes: usize,
}

impl BodyRoom {
    pub fn none(shard: &Rc<Shard>) -> BodyRoom {
        BodyRoom { shard: shard.clone(), bytes: 0 }
    }

    /// Makes the room at least `bytes` large. False when the shard's cap is reached.
    pub fn grow_to(&mut self, bytes: usize, cap: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let held = self.shard.body_bytes.get() + more;
        if more == 0 {
            return true;
        }
        if held > cap {
            return false;
        }
        self.shard.body_bytes.set(held);
        self.shard.state.cells.add(Counter::BodyBytesHeld, more as u64);
        self.bytes += more;
        true
    }
}

impl Drop for BodyRoom {
    fn drop(&mut self) {
        self.shard.body_bytes.set(self.shard.body_bytes.get() - self.bytes);
        self.shard.state.cells.sub(Counter::BodyBytesHeld, self.bytes as u64);
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        self.closing.get_mut().iter().for_each(|pool| pool.close());
    }
}

impl Current {
    /// Pools of endpoints that stay are kept with their connections; those of endpoints that are gone close when their last
    /// exchange has ended.
    fn open(snapshot: Arc<Snapshot>, before: Option<&Current>, upstream: &Rc<UpstreamContext>) -> Current {
        let mut kept: HashMap<&EndpointKey, &Rc<Pool>> = HashMap::new();
        if let Some(before) = before {
            kept.extend(before.snapshot.endpoints.iter().map(|endpoint| &endpoint.key).zip(&before.pools));
        }
        let pools = snapshot
            .endpoints
            .iter()
            .map(|endpoint| match (kept.remove(&endpoint.key), before) {
                (Some(pool), Some(before))
                    if before.snapshot.endpoints.iter().any(|old| Arc::ptr_eq(old, endpoint)) =>
                {
                    pool.clone()
                }
                (Some(pool), Some(before)) => {
                    before.closing.borrow_mut().push(pool.clone());
                    Pool::open(endpoint.clone(), upstream.clone())
                }
                _ => Pool::open(endpoint.clone(), upstream.clone()),
            })
            .collect();
        if let Some(before) = before {
            before.closing.borrow_mut().extend(kept.into_values().cloned());
        }
        Current {
            closing: RefCell::default(),
            pools,
            standing: snapshot.deployments.iter().map(|_| Standing::default()).collect(),
            retries: (0..=snapshot.groups.len() + snapshot.prefixes.len()).map(|_| RetryBudget::default()).collect(),
            snapshot,
        }
    }
}
