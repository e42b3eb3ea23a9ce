//! The connections of one shard to one endpoint, made before they are needed.
//!
//! HTTP/2: as many are kept open as `warm_min` says, or as carry the present calls at 80 % of the streams that the peer allows. One that
//! has reached its age goes once there is one more than needed, so its replacement is warm before. HTTP/1.1: a stack of idle
//! sockets, each with its wait for the next read already in flight; needed are
//! `warm_min`, or a fifth more than are lent. What is not needed sinks to the bottom of the stack and is closed.
//!
//! Connections are made by tasks of their own, also when an exchange waits: one that leaves meanwhile does not throw the connection
//! away. After a failure the next try waits 100 ms, doubling up to 5 s, jittered; a connection that does not last a second
//! counts as one. An exchange may force a try 100 ms after a failure and else hears of that failure at once.
//!
//! Everything runs on one thread; no borrow is held while anything else is called. Counts are given back by `Drop`, so that
//! a panic in an exchange costs no place.

mod backoff;
mod waiters;

use self::{backoff::Backoff, waiters::Waiters};
use super::{
    UpstreamContext,
    connect::{self, Protocol},
    http2::{self, State},
};
use crate::{
    config::snapshot::{Endpoint, HttpVersions},
    data_plane::{buffers, transport::Transport},
    error::Upstream,
    limits::UPSTREAM_CONNECT_MS,
    rt,
    telemetry::cells::Cell as Counter,
};
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    hash::{BuildHasher, RandomState},
    net::SocketAddr,
    ops::{Deref, DerefMut},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// A connection that ends sooner than this counts as a failed one, in milliseconds: a peer that accepts and closes must
/// not be dialled in a loop.
const LASTING_MS: u64 = 1_000;

/// The pool.
pub struct Pool {
    endpoint: Arc<Endpoint>,
    context: Rc<UpstreamContext>,
    /// Open HTTP/2 connections that take calls.
    http2: RefCell<Vec<Multiplexed>>,
    /// HTTP/2 connections that only finish their calls.
    retiring: RefCell<Vec<Rc<http2::Connection>>>,
    /// Idle HTTP/1.1 connections, the last used on top.
    idle: RefCell<Vec<Idle>>,
    /// HTTP/1.1 connections that exchanges have.
    lent: Cell<usize>,
    /// Connections being made.
    connecting: Cell<usize>,
    waiters: Waiters,
    /// What the peer was last found to speak.
    protocol: Cell<Option<Protocol>>,
    backoff: Backoff,
    /// The addresses of the last look, to notice new ones.
    addresses: RefCell<Arc<Vec<SocketAddr>>>,
    /// Warm, or failed once.
    settled: Cell<bool>,
    closed: Cell<bool>,
    /// What the gauge of warm connections holds of this pool.
    warm_shown: Cell<usize>,
    random: Cell<u64>,
}

struct Multiplexed {
    connection: Rc<http2::Connection>,
    expires_at_ms: u64,
}

struct Idle {
    connection: Box<Http1Connection>,
    life: Life,
    since_ms: u64,
}

/// When a connection was made and when it is to be replaced, by the shard's clock.
#[derive(Clone, Copy)]
struct Life {
    born_ms: u64,
    expires_at_ms: u64,
}

/// A connection for one exchange.
pub enum Lease {
    Http1(Http1Lease),
    Http2(http2::Lease),
}

/// An HTTP/1.1 connection, as an exchange uses it.
pub struct Http1Connection {
    pub transport: Transport,
    /// Bytes read ahead; without memory while there are none.
    pub buffer: Vec<u8>,
    /// It has served a request before: a failure before the first byte may be the peer's idle timer.
    pub reused: bool,
}

/// An HTTP/1.1 connection on loan. Dropping it closes the socket.
pub struct Http1Lease {
    /// Boxed, because it goes from hand to hand with every exchange.
    connection: Box<Http1Connection>,
    slot: Slot,
    /// It came from the stack: the peer's keep-alive timer may cross with the request, whether or not it was used before.
    has_idled: bool,
}

/// Counts one lent connection.
struct Slot {
    pool: Rc<Pool>,
    life: Life,
}

impl Pool {
    /// A pool that starts to connect at once.
    pub fn open(endpoint: Arc<Endpoint>, context: Rc<UpstreamContext>) -> Rc<Pool> {
        let protocol = match (endpoint.key.tls, endpoint.key.http) {
            (_, HttpVersions::Http1) | (false, HttpVersions::Auto) => Some(Protocol::Http1),
            (_, HttpVersions::Http2) => Some(Protocol::Http2),
            (true, HttpVersions::Auto) => None,
        };
        let pool = Rc::new(Pool {
            http2: RefCell::default(),
            retiring: RefCell::default(),
            idle: RefCell::default(),
            lent: Cell::new(0),
            connecting: Cell::new(0),
            waiters: Waiters::default(),
            protocol: Cell::new(protocol),
            backoff: Backoff::default(),
            addresses: RefCell::new(endpoint.addresses.load_full()),
            settled: Cell::new(endpoint.pool.warm_min == 0),
            closed: Cell::new(false),
            warm_shown: Cell::new(0),
            random: Cell::new(RandomState::new().hash_one(0)),
            endpoint,
            context,
        });
        pool.grow(pool.now_ms());
        pool
    }

    /// A connection for one exchange: a warm one without waiting, else what is free or made first within `wait_ms`.
    ///
    /// # Errors
    /// Why no connection can be made, or `ConnectTimeout` when none was free in time.
    pub async fn lease(self: &Rc<Self>, wait_ms: u64) -> Result<Lease, Upstream> {
        match self.try_lease() {
            Some(lease) => Ok(lease),
            None => self.wait(wait_ms).await,
        }
    }

    /// A connection that no request has used: for the one retry after a reused HTTP/1.1 connection broke before any byte of the
    /// answer. HTTP/2 has no such race; there it is the same as `lease`.
    ///
    /// # Errors
    /// As `lease`.
    pub async fn lease_fresh(self: &Rc<Self>, wait_ms: u64) -> Result<Lease, Upstream> {
        let full = self.connections() >= self.connections_max();
        if self.protocol.get() != Some(Protocol::Http1) || self.closed.get() || full && !self.close_one_idle() {
            return self.lease(wait_ms).await;
        }
        let slot = self.slot(self.new_life());
        self.context.state.cells.add(Counter::ConnectsOnRequestPath, 1);
        match connect::connect(&self.endpoint, &self.context, wait_ms).await {
            Ok((transport, Protocol::Http1)) => {
                let connection = Box::new(Http1Connection { transport, buffer: Vec::new(), reused: false });
                Ok(Lease::Http1(Http1Lease { connection, slot, has_idled: false }))
            }
            Ok((_, Protocol::Http2)) => {
                // The peer has changed its mind; a connection made for it will be shared.
                self.protocol.set(Some(Protocol::Http2));
                drop(slot);
                self.lease(wait_ms).await
            }
            Err(failure) => {
                self.failed(failure.clone());
                Err(failure)
            }
        }
    }

    /// `lease_fresh` or `lease`.
    ///
    /// # Errors
    /// As `lease`.
    pub async fn lease_if(self: &Rc<Self>, fresh: bool, wait_ms: u64) -> Result<Lease, Upstream> {
        if fresh { self.lease_fresh(wait_ms).await } else { self.lease(wait_ms).await }
    }

    /// A warm connection with room, or none.
    #[inline]
    pub fn try_lease(self: &Rc<Self>) -> Option<Lease> {
        if let Some(lease) = self.lease_http2() {
            return Some(Lease::Http2(lease));
        }
        loop {
            let mut idle = self.idle.borrow_mut().pop()?;
            // Bytes, or the end, on an idle connection: whatever it is, it is not the answer to the next request.
            if idle.connection.is_quiet() {
                let lease = Http1Lease { connection: idle.connection, slot: self.slot(idle.life), has_idled: true };
                if self.idle.borrow().is_empty() {
                    self.grow(self.now_ms());
                }
                self.show_warm();
                return Some(Lease::Http1(lease));
            }
            self.lost(&idle);
        }
    }

    /// A stream on the connection with the most room: there an upload finds the least company.
    #[inline]
    fn lease_http2(self: &Rc<Self>) -> Option<http2::Lease> {
        loop {
            let roomiest = {
                let all = self.http2.borrow();
                let best = all.iter().map(|member| &member.connection).max_by_key(|connection| connection.room());
                best.filter(|best| best.room() > 0)?.clone()
            };
            // None when the connection turns out to be leaving; it has no room from then on.
            if let Some(lease) = roomiest.lease() {
                if roomiest.active() * 5 > roomiest.streams_max() * 4 {
                    self.grow(self.now_ms());
                }
                return Some(lease);
            }
        }
    }

    async fn wait(self: &Rc<Self>, wait_ms: u64) -> Result<Lease, Upstream> {
        let deadline = self.context.deadlines.slot();
        deadline.set_in_ms(wait_ms);
        let failed_before = self.backoff.failures();
        let place = self.waiters.place();
        poll_fn(|cx| {
            let had_turn = place.take_turn();
            if self.closed.get() {
                return Poll::Ready(Err(Upstream::Connect));
            }
            if let Some(lease) = self.try_lease() {
                return Poll::Ready(Ok(lease));
            }
            if deadline.poll_due(cx).is_ready() {
                return Poll::Ready(Err(Upstream::ConnectTimeout));
            }
            place.queue(cx, had_turn);
            let has_failed = self.backoff.failures() != failed_before && self.connections() == 0;
            if has_failed || !self.connect_for_waiters() {
                return Poll::Ready(Err(self.backoff.last()));
            }
            Poll::Pending
        })
        .await
    }

    /// Makes connections for those that wait. False if there is nothing to wait for.
    fn connect_for_waiters(self: &Rc<Self>) -> bool {
        let wanted = match self.protocol.get() {
            // One at a time: it may carry all of them.
            Some(Protocol::Http2) | None => 1,
            Some(Protocol::Http1) => self.waiters.len(),
        };
        let may_try = self.backoff.may_force(self.now_ms());
        while may_try && self.connecting.get() < wanted && self.connections() < self.connections_max() {
            self.context.state.cells.add(Counter::ConnectsOnRequestPath, 1);
            self.connect_one();
        }
        self.connections() > 0
    }

    /// Keeps the pool as its header says. Called about every 50 ms with the shard's clock.
    pub fn maintain(self: &Rc<Self>, now_ms: u64) {
        self.look_after_http2(now_ms);
        if self.closed.get() {
            return;
        }
        self.notice_addresses();
        self.look_after_idle(now_ms);
        if self.has_lasted(now_ms) {
            self.backoff.recovered();
        }
        self.rotate(now_ms);
        self.grow(now_ms);
        self.wake_for_room();
        if self.connecting.get() == 0 && self.connections() < self.connections_max() {
            // It may try to connect; the back-off may be over.
            self.waiters.give_turns(1);
        }
    }

    /// A new answer of the resolver ends the back-off.
    fn notice_addresses(&self) {
        let addresses = self.endpoint.addresses.load_full();
        if self.addresses.replace(addresses.clone()) != addresses {
            self.backoff.end_pause();
        }
    }

    fn look_after_http2(&self, now_ms: u64) {
        let open = self.http2.borrow();
        let retiring = self.retiring.borrow();
        // Waking a driver runs nothing here, so the borrows may stand.
        for connection in open.iter().map(|member| &member.connection).chain(retiring.iter()) {
            connection.look_after(now_ms, &self.endpoint.pool);
        }
    }

    /// Closes idle sockets whose peer has left or that are old, and those that nobody needed for long.
    fn look_after_idle(&self, now_ms: u64) {
        let idle_max_ms = self.endpoint.pool.idle_max_ms;
        let needed = self.needed_http1();
        let mut idle = self.idle.take();
        let mut total = idle.len() + self.lent.get();
        idle.retain_mut(|idle| {
            let quiet = idle.connection.is_quiet();
            if !quiet {
                self.lost(idle);
            }
            let unneeded = now_ms.saturating_sub(idle.since_ms) >= idle_max_ms && total > needed;
            let keep = quiet && !unneeded && now_ms < idle.life.expires_at_ms;
            total -= usize::from(!keep);
            keep
        });
        self.idle.replace(idle);
        self.show_warm();
    }

    /// An idle socket ended. A peer closes those that it has kept for a while; one that was never used and hardly
    /// opened is a sign of trouble.
    fn lost(&self, idle: &Idle) {
        if !idle.connection.reused && self.now_ms().saturating_sub(idle.life.born_ms) < LASTING_MS {
            self.ended_unused();
        }
    }

    /// True if a connection is there that did not end at once.
    fn has_lasted(&self, now_ms: u64) -> bool {
        let lasted = |born_ms: u64| now_ms.saturating_sub(born_ms) >= LASTING_MS;
        self.http2.borrow().iter().any(|member| lasted(member.connection.born_ms))
            || self.idle.borrow().iter().any(|idle| lasted(idle.life.born_ms))
    }

    /// Retires HTTP/2 connections that have reached their age, as long as enough others are there.
    fn rotate(&self, now_ms: u64) {
        loop {
            let aged = {
                let all = self.http2.borrow();
                if all.len() <= self.needed_http2(&all) {
                    return;
                }
                all.iter().find(|member| now_ms >= member.expires_at_ms).map(|member| member.connection.clone())
            };
            match aged {
                Some(connection) => connection.retire(),
                None => return,
            }
        }
    }

    /// Opens what is missing, unless the back-off says to wait.
    fn grow(self: &Rc<Self>, now_ms: u64) {
        if self.closed.get() || !self.backoff.may_retry(now_ms) {
            return;
        }
        let max = self.connections_max();
        let (present, needed, max) = match self.protocol.get() {
            None => (0, self.endpoint.pool.warm_min, max),
            Some(Protocol::Http1) => (self.idle.borrow().len() + self.lent.get(), self.needed_http1(), max),
            Some(Protocol::Http2) => {
                let all = self.http2.borrow();
                let needed = self.needed_http2(&all);
                // An aged one stays until its replacement is warm, which may be one connection more than allowed.
                let aged = usize::from(all.len() <= needed && all.iter().any(|member| now_ms >= member.expires_at_ms));
                (all.len(), needed + aged, max + aged)
            }
        };
        while present + self.connecting.get() < needed && self.connections() < max {
            self.connect_one();
        }
    }

    /// HTTP/2 connections that the present calls and the configuration ask for.
    fn needed_http2(&self, all: &[Multiplexed]) -> usize {
        let active: usize = all.iter().map(|member| member.connection.active()).sum();
        let streams: usize = all.iter().map(|member| member.connection.streams_max()).sum();
        let for_calls = match (active, streams) {
            (0, _) => 0,
            (_, 0) => all.len() + 1,
            _ => (active * all.len() * 5).div_ceil(streams * 4),
        };
        for_calls.max(self.endpoint.pool.warm_min)
    }

    /// HTTP/1.1 connections, lent ones included, that the present exchanges and the configuration ask for.
    fn needed_http1(&self) -> usize {
        (self.lent.get() * 5).div_ceil(4).max(self.endpoint.pool.warm_min)
    }

    /// Connections that count against the limit. Those that only finish their calls do not.
    fn connections(&self) -> usize {
        self.http2.borrow().len() + self.idle.borrow().len() + self.lent.get() + self.connecting.get()
    }

    fn connections_max(&self) -> usize {
        let max = match self.protocol.get() {
            Some(Protocol::Http1) => self.endpoint.pool.http1_connections_max,
            Some(Protocol::Http2) | None => self.endpoint.pool.connections_max,
        };
        max.max(1)
    }

    fn connect_one(self: &Rc<Self>) {
        self.connecting.set(self.connecting.get() + 1);
        let attempt = Attempt { pool: self.clone(), outcome: Err(Upstream::Connect) };
        let context = self.context.clone();
        rt::spawn(attempt.run(), move || context.state.cells.add(Counter::Panics, 1));
    }

    async fn establish(self: &Rc<Self>) -> Result<Established, Upstream> {
        let deadline = self.context.deadlines.slot();
        deadline.set_in_ms(UPSTREAM_CONNECT_MS);
        match connect::connect(&self.endpoint, &self.context, UPSTREAM_CONNECT_MS).await? {
            (transport, Protocol::Http1) => Ok(Established::Http1(transport)),
            (transport, Protocol::Http2) => {
                let pool = Rc::downgrade(self);
                let on_change = move || pool.upgrade().iter().for_each(Pool::on_change);
                let context = self.context.clone();
                http2::Connection::open(transport, &self.endpoint, context, &deadline, on_change)
                    .await
                    .inspect_err(|_| self.context.state.cells.add(Counter::UpstreamConnectFailures, 1))
                    .map(Established::Http2)
            }
        }
    }

    fn adopt(self: &Rc<Self>, established: Established) {
        let life = self.new_life();
        match established {
            Established::Http1(transport) => {
                self.protocol.set(Some(Protocol::Http1));
                self.shelve(Box::new(Http1Connection { transport, buffer: Vec::new(), reused: false }), life);
            }
            Established::Http2(connection) => {
                self.protocol.set(Some(Protocol::Http2));
                let member = Multiplexed { connection, expires_at_ms: life.expires_at_ms };
                self.http2.borrow_mut().push(member);
                if self.closed.get() {
                    // Its driver would keep it for ever.
                    self.retire_all();
                }
                // It may have ended, or been told to leave, since it was opened.
                self.on_change();
            }
        }
    }

    /// Puts an HTTP/1.1 connection on the stack, its wait for the next read in flight.
    fn shelve(&self, connection: Box<Http1Connection>, life: Life) {
        let now_ms = self.now_ms();
        let clean = connection.buffer.is_empty() && connection.transport.staged_bytes() == 0;
        if !clean || self.closed.get() || now_ms >= life.expires_at_ms {
            return;
        }
        let mut idle = Idle { connection, life, since_ms: now_ms };
        if idle.connection.is_quiet() {
            self.idle.borrow_mut().push(idle);
            self.show_warm();
        } else {
            self.lost(&idle);
        }
    }

    /// Calls ended, or a connection's state or limit changed.
    fn on_change(self: &Rc<Self>) {
        let now_ms = self.now_ms();
        let mut short_lived = false;
        let mut leaving = Vec::new();
        self.http2.borrow_mut().retain(|member| {
            let open = member.connection.state() == State::Open;
            if !open {
                let young = now_ms.saturating_sub(member.connection.born_ms) < LASTING_MS;
                // One that has served its requests may go when it likes; one that goes before is a sign of trouble.
                short_lived |= young && !member.connection.has_served();
                leaving.push(member.connection.clone());
            }
            open
        });
        let mut retiring = self.retiring.borrow_mut();
        retiring.append(&mut leaving);
        retiring.retain(|connection| connection.state() != State::Dead);
        drop(retiring);
        self.show_warm();
        if short_lived && !self.closed.get() {
            self.ended_unused();
        }
        self.grow(now_ms);
        self.wake_for_room();
    }

    fn ended_unused(&self) {
        self.backoff.slow_down(self.now_ms(), self.random());
        self.settled.set(true);
        self.waiters.give_turns(usize::MAX);
    }

    fn failed(&self, failure: Upstream) {
        self.backoff.failed(failure, self.now_ms(), self.random());
        self.settled.set(true);
        self.waiters.give_turns(usize::MAX);
    }

    /// True once a connection was warm, or could not be made.
    pub fn settled(&self) -> bool {
        self.settled.get()
    }

    /// Connections ready for a request.
    pub fn warm(&self) -> usize {
        self.http2.borrow().len() + self.idle.borrow().len()
    }

    /// Takes no more exchanges; those that run go on.
    pub fn close(&self) {
        self.closed.set(true);
        self.idle.take();
        self.retire_all();
        self.show_warm();
        self.waiters.give_turns(usize::MAX);
    }

    fn retire_all(&self) {
        let open: Vec<_> = self.http2.borrow().iter().map(|member| member.connection.clone()).collect();
        open.iter().for_each(|connection| connection.retire());
    }

    /// Brings the shard's gauge up to date.
    fn show_warm(&self) {
        let warm = self.warm();
        let before = self.warm_shown.replace(warm);
        // Wraps when it goes down, as the gauge does.
        self.context.state.cells.add(Counter::UpstreamWarm, (warm as u64).wrapping_sub(before as u64));
        if warm > 0 {
            self.settled.set(true);
        }
    }

    fn wake_for_room(&self) {
        if !self.waiters.is_empty() {
            let streams: usize = self.http2.borrow().iter().map(|member| member.connection.room()).sum();
            self.waiters.give_turns(streams + self.idle.borrow().len());
        }
    }

    fn slot(self: &Rc<Self>, life: Life) -> Slot {
        self.lent.set(self.lent.get() + 1);
        Slot { pool: self.clone(), life }
    }

    /// Makes room for a new connection.
    fn close_one_idle(&self) -> bool {
        let mut idle = self.idle.borrow_mut();
        let bottom = if idle.is_empty() { None } else { Some(idle.remove(0)) };
        drop(idle);
        self.show_warm();
        bottom.is_some()
    }

    /// The life of a connection made now: up to a tenth shorter for some, so that those made together do not go together.
    fn new_life(&self) -> Life {
        let born_ms = self.now_ms();
        let age_max_ms = self.endpoint.pool.age_max_ms;
        let spread_ms = self.random() % (age_max_ms / 10).max(1);
        Life { born_ms, expires_at_ms: born_ms.saturating_add(age_max_ms - spread_ms) }
    }

    fn now_ms(&self) -> u64 {
        self.context.deadlines.now_ms()
    }

    /// splitmix64: spreads times, nothing secret depends on it.
    fn random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // A connection's driver keeps it; it ends when nobody can add calls.
        self.retire_all();
        self.http2.take();
        self.idle.take();
        self.show_warm();
    }
}

enum Established {
    Http1(Transport),
    Http2(Rc<http2::Connection>),
}

/// One connection being made. However it ends, also by a panic, the pool hears of it.
struct Attempt {
    pool: Rc<Pool>,
    outcome: Result<Established, Upstream>,
}

impl Attempt {
    async fn run(mut self) {
        self.outcome = self.pool.establish().await;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.pool.connecting.set(self.pool.connecting.get() - 1);
        match std::mem::replace(&mut self.outcome, Err(Upstream::Connect)) {
            Ok(established) => {
                self.pool.adopt(established);
                self.pool.wake_for_room();
            }
            Err(failure) => self.pool.failed(failure),
        }
    }
}

impl Http1Connection {
    /// True if nothing has come on an idle connection. The wait for it goes on with the next reader.
    fn is_quiet(&mut self) -> bool {
        self.transport.poll_readable(&mut Context::from_waker(Waker::noop())).is_pending()
    }
}

impl Http1Lease {
    /// True if a failure before any byte of an answer may be no more than the peer's keep-alive timer.
    pub fn has_idled(&self) -> bool {
        self.has_idled
    }

    /// Returns a connection whose answer ended cleanly and on which nothing is under way.
    pub fn give_back(self) {
        let Http1Lease { mut connection, slot, .. } = self;
        connection.reused = true;
        buffers::give(std::mem::take(&mut connection.buffer));
        slot.pool.shelve(connection, slot.life);
    }
}

impl Deref for Http1Lease {
    type Target = Http1Connection;

    fn deref(&self) -> &Http1Connection {
        &self.connection
    }
}

impl DerefMut for Http1Lease {
    fn deref_mut(&mut self) -> &mut Http1Connection {
        &mut self.connection
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool.lent.set(self.pool.lent.get() - 1);
        self.pool.waiters.give_turns(1);
    }
}

#[cfg(test)]
mod tests;
