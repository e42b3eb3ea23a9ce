//! The wheel of one thread: sends what is due, waits for sockets, serves those that are ready, until the window is over.
//!
//! Waits end at the next due time to the nanosecond (`epoll_pwait2`), with the thread's timer slack at its least. io_uring
//! would save nothing here: an exchange costs one write and one read, which a busy wheel finds ready without waiting for
//! them, and the thread that measures must not share a completion queue with what it measures. 240,000 to 400,000 requests/s a core
//! are several times what any target's core answers.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll;

use super::connection::{Begun, Connection, Fate, Turn};
use super::exchange::Rules;
use super::meter::Meter;
use super::options::{LoadOptions, Pattern, Protocol, Window};
use super::pauses::Pauses;
use super::request::{Prepared, Requests};
use super::schedule::{Schedule, Share};
use super::timespec;
use super::transport::Wire;
use crate::stop;

/// Between two attempts to connect to a target that refuses.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

/// How long answers are awaited in a window that was cut short because the process is to end.
const CUT_GRACE: Duration = Duration::from_millis(500);

/// Sockets that one wait reports.
const EVENTS: usize = 1_024;

/// The connections of one thread, and what is under way on them.
pub(super) struct Wheel {
    wire: Wire,
    protocol: Protocol,
    /// Exchanges that one connection carries at once.
    places: usize,
    turn: Turn,
    share: Share,
    grace: Duration,
    poll: OwnedFd,
    connections: Vec<Slot>,
    /// Connections with a free place, one entry for each place.
    idle: VecDeque<usize>,
    /// Requests that were due while no place was free, by due time.
    waiting: VecDeque<Instant>,
    /// Connections that are to be opened again, and when.
    reopening: VecDeque<(Instant, usize)>,
    /// Connections on which something was begun that has not gone out.
    unsent: Vec<usize>,
    pauses: Pauses,
    busy: usize,
    end: Instant,
    /// Sends the next request on a connection as soon as the last has ended.
    closed: bool,
}

struct Slot {
    connection: Connection,
    /// Waits to be opened again.
    is_dead: bool,
    /// Takes nothing new; it goes when its last exchange has ended.
    is_refusing: bool,
    is_unsent: bool,
}

impl Slot {
    fn new(connection: Connection) -> Self {
        Self { connection, is_dead: false, is_refusing: false, is_unsent: false }
    }
}

impl Wheel {
    /// Opens `count` connections and waits for their handshakes.
    pub fn open(
        options: &LoadOptions,
        wire: Wire,
        count: usize,
        share: Share,
        prepared: Arc<Vec<Prepared>>,
    ) -> io::Result<Self> {
        let rules = Rules::new(options);
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let places = match options.protocol {
            Protocol::Http1 => 1,
            Protocol::Http2 { streams_per_connection } => streams_per_connection,
        };
        let now = Instant::now();
        let mut wheel = Self {
            wire,
            protocol: options.protocol,
            places,
            turn: Turn {
                meter: Meter::new(now, Duration::ZERO),
                rules,
                requests: Requests::new(options, prepared, share.index),
                buffer: vec![0; rules.read_bytes_max()],
                ended: 0,
                ended_at: None,
            },
            share,
            grace: options.grace,
            poll,
            connections: Vec::with_capacity(count),
            // One place of each connection after the other, so that streams spread.
            idle: (0..count * places).map(|place| place % count).collect(),
            waiting: VecDeque::new(),
            reopening: VecDeque::new(),
            unsent: Vec::new(),
            pauses: Pauses::default(),
            busy: 0,
            end: now,
            closed: false,
        };
        for index in 0..count {
            let connection = Connection::open(&wheel.wire, wheel.protocol, &rules, true)?;
            wheel.connections.push(Slot::new(connection));
            wheel.watch_new(index)?;
            // Protocols have something of their own to say first.
            wheel.serve(index)?;
        }
        Ok(wheel)
    }

    /// Opens again what the peer has closed since the last window.
    pub fn mend(&mut self) -> io::Result<()> {
        self.closed = false;
        self.end = Instant::now();
        let mut events = Vec::with_capacity(EVENTS);
        for _ in 0..=self.connections.len() / EVENTS {
            self.wait(&mut events, Duration::ZERO)?;
        }
        let now = Instant::now();
        for (when, _) in &mut self.reopening {
            *when = now;
        }
        self.reopen(now)
    }

    pub fn measure(&mut self, window: &Window, begin: Instant) -> io::Result<Meter> {
        let start = begin + window.warmup;
        self.end = start + window.time;
        // What mending counted belongs to this window.
        let reconnections = self.turn.meter.reconnections;
        self.turn.meter = Meter::new(start, window.time);
        self.turn.meter.reconnections = reconnections;
        self.closed = window.pattern == Pattern::Closed;
        self.turn(window.pattern, begin)?;
        let now = Instant::now();
        self.turn.meter.stop(now);
        self.put_away()?;
        Ok(std::mem::replace(&mut self.turn.meter, Meter::new(now, Duration::ZERO)))
    }

    fn turn(&mut self, pattern: Pattern, begin: Instant) -> io::Result<()> {
        let mut schedule = Schedule::new(pattern, begin, self.end, self.share);
        if !matches!(pattern, Pattern::Open { .. }) {
            // What is sent before the beginning would not be counted.
            std::thread::sleep(begin.saturating_duration_since(Instant::now()));
            let places = if pattern == Pattern::Idle { self.connections.len() } else { self.idle.len() };
            for _ in 0..places {
                if let Some(index) = self.idle.pop_front() {
                    let now = Instant::now();
                    self.send(index, now, now)?;
                }
            }
        }
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            let now = Instant::now();
            self.turn.meter.tick(now);
            if stop::is_asked() && now < self.end {
                self.cut(now);
                schedule.cut();
            }
            while let Some(due) = schedule.take(now) {
                match self.idle.pop_front() {
                    Some(index) => self.send(index, due, Instant::now())?,
                    None => self.waiting.push_back(due),
                }
            }
            self.reopen(now)?;
            self.send_off(now)?;
            if self.is_over(now, pattern) {
                return Ok(());
            }
            // Without a next time a coarse wait suffices: whatever else happens wakes us.
            let coarse = now + Duration::from_millis(50);
            let reopening = self.reopening.front().map(|(when, _)| *when);
            let next =
                [schedule.next(), reopening, self.pauses.next()].into_iter().flatten().fold(coarse, Instant::min);
            self.wait(&mut events, next.saturating_duration_since(Instant::now()))?;
        }
    }

    /// Ends the window now: nothing more is sent, and what was due and did not go out is not counted.
    fn cut(&mut self, now: Instant) {
        self.end = now;
        self.grace = self.grace.min(CUT_GRACE);
        self.waiting.clear();
        self.turn.meter.cut(now);
    }

    /// Serves what was begun since the last wait, and what its pace held back until now.
    fn send_off(&mut self, now: Instant) -> io::Result<()> {
        while let Some(index) = self.unsent.pop() {
            self.connections[index].is_unsent = false;
            self.serve(index)?;
        }
        while let Some(index) = self.pauses.take(now) {
            self.serve(index)?;
        }
        Ok(())
    }

    /// Waits until a socket is ready or the time is over, and serves those that are.
    fn wait(&mut self, events: &mut Vec<epoll::Event>, time: Duration) -> io::Result<()> {
        events.clear();
        match epoll::wait(&self.poll, spare_capacity(events), Some(&timespec(time))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in events.iter() {
            let (index, flags) = (event.data.u64() as usize, event.flags);
            if flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR) {
                self.connections[index].connection.with_transport(|transport| transport.hurry());
            }
            self.serve(index)?;
        }
        Ok(())
    }

    fn is_over(&self, now: Instant, pattern: Pattern) -> bool {
        if pattern == Pattern::Idle {
            return now >= self.end;
        }
        now >= self.end && ((self.busy == 0 && self.waiting.is_empty()) || now >= self.end + self.grace)
    }

    /// Begins an exchange on a connection that has a free place.
    fn send(&mut self, index: usize, due: Instant, now: Instant) -> io::Result<()> {
        let due = if self.closed { now } else { due };
        let slot = &mut self.connections[index];
        match slot.connection.begin(due, now, &mut self.turn) {
            Begun::Yes => {
                self.busy += 1;
                self.turn.meter.sent(due, now);
                if slot.connection.is_lazy() {
                    if !std::mem::replace(&mut slot.is_unsent, true) {
                        self.unsent.push(index);
                    }
                    return Ok(());
                }
                self.watch(index)
            }
            Begun::Failed => {
                self.turn.meter.sent(due, now);
                self.discard(index)
            }
            Begun::Refused => {
                if !self.closed {
                    self.waiting.push_front(due);
                }
                slot.is_refusing = true;
                self.idle.retain(|idle| *idle != index);
                if slot.connection.busy() == 0 { self.discard(index) } else { Ok(()) }
            }
        }
    }

    /// Lets a connection read and write what it can, and gives the places that became free their next requests.
    fn serve(&mut self, index: usize) -> io::Result<()> {
        let slot = &mut self.connections[index];
        if slot.is_dead {
            return Ok(());
        }
        (self.turn.ended, self.turn.ended_at) = (0, None);
        let fate = slot.connection.serve(&mut self.turn);
        let (ended, ended_at) = (self.turn.ended, self.turn.ended_at);
        self.busy -= ended;
        if fate == Fate::Gone || (slot.is_refusing && slot.connection.busy() == 0) {
            return self.discard(index);
        }
        self.watch(index)?;
        if ended > 0 && !self.connections[index].is_refusing {
            // The clock is read once for the end of an exchange and the beginning of the next.
            let now = ended_at.unwrap_or_else(Instant::now);
            for _ in 0..ended {
                self.next(index, now)?;
            }
        }
        Ok(())
    }

    /// What happens to a place that has become free.
    fn next(&mut self, index: usize, now: Instant) -> io::Result<()> {
        let slot = &self.connections[index];
        if slot.is_dead || slot.is_refusing {
            // An earlier one of several places found out.
            return Ok(());
        }
        if self.closed && now < self.end {
            self.send(index, now, now)
        } else if let Some(due) = self.waiting.pop_front() {
            self.send(index, due, now)
        } else {
            self.idle.push_back(index);
            Ok(())
        }
    }

    /// Takes a connection out of use until it has been opened again.
    fn discard(&mut self, index: usize) -> io::Result<()> {
        let slot = &mut self.connections[index];
        if std::mem::replace(&mut slot.is_dead, true) {
            return Ok(());
        }
        // Until then its socket is dead and would wake us at every turn.
        slot.connection.with_transport(|transport| epoll::delete(&self.poll, transport.socket()))?;
        self.idle.retain(|idle| *idle != index);
        self.reopening.push_back((Instant::now(), index));
        Ok(())
    }

    /// Opens what can be opened again and gives it its next requests.
    fn reopen(&mut self, now: Instant) -> io::Result<()> {
        while self.reopening.front().is_some_and(|(when, _)| *when <= now) {
            let Some((_, index)) = self.reopening.pop_front() else {
                break;
            };
            match Connection::open(&self.wire, self.protocol, &self.turn.rules, false) {
                Ok(connection) => {
                    self.turn.meter.reconnections += 1;
                    self.connections[index] = Slot::new(connection);
                    self.watch_new(index)?;
                    for _ in 0..self.places {
                        self.next(index, now)?;
                    }
                }
                Err(_) => {
                    self.turn.meter.failed(now, "connect");
                    self.reopening.push_back((now + CONNECT_PAUSE, index));
                    // One at a turn: each may have taken its whole time-out.
                    break;
                }
            }
        }
        Ok(())
    }

    /// After a window: what was not sent or not answered is counted, and its connections are not used again.
    fn put_away(&mut self) -> io::Result<()> {
        for due in std::mem::take(&mut self.waiting) {
            self.turn.meter.dropped(due);
        }
        for index in 0..self.connections.len() {
            let slot = &mut self.connections[index];
            if slot.is_dead || slot.connection.busy() == 0 {
                continue;
            }
            self.turn.ended = 0;
            slot.connection.abandon("unanswered", &mut self.turn);
            self.busy -= self.turn.ended;
            self.discard(index)?;
        }
        Ok(())
    }

    fn watch_new(&mut self, index: usize) -> io::Result<()> {
        let poll = &self.poll;
        self.connections[index].connection.with_transport(|transport| {
            transport.watched = transport.interest();
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(poll, transport.socket(), data, transport.watched)
        })?;
        Ok(())
    }

    /// Tells the epoll set if the connection waits for something else than before.
    fn watch(&mut self, index: usize) -> io::Result<()> {
        let (poll, pauses) = (&self.poll, &mut self.pauses);
        self.connections[index].connection.with_transport(|transport| {
            let interest = transport.interest();
            if interest != transport.watched {
                transport.watched = interest;
                let data = epoll::EventData::new_u64(index as u64);
                epoll::modify(poll, transport.socket(), data, interest)?;
            }
            if let Some(until) = transport.paused_until() {
                pauses.add(until, index);
            }
            Ok(())
        })
    }
}
