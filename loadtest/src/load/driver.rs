//! The wheel: sends what is due, waits for sockets, reads what has come, until the run is over.
//!
//! Sockets are watched level-triggered and read once per wake-up unless the buffer was filled, which is one system call
//! less per answer than reading until empty. Waits end at the next due time to the nanosecond (`epoll_pwait2`), with the
//! thread's timer slack at its least.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use super::connection::{Connection, Read1};
use super::exchange::Exchange;
use super::meter::Meter;
use super::options::{LoadOptions, Manners, Pattern, Protocol, Window};
use super::request::Prepared;
use super::schedule::{Schedule, Share};

/// How long answers are awaited after the last request was due.
const GRACE: Duration = Duration::from_secs(10);

/// Between two attempts to connect to a target that refuses.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

/// Errors after which a run is given up: it measures nothing any more.
const ERRORS_MAX: u64 = 100_000;

/// Sockets that one wait reports.
const EVENTS: usize = 1_024;

/// The connections of one thread, and what is under way on them.
pub(super) struct Wheel {
    addr: SocketAddr,
    requests: Arc<Vec<Prepared>>,
    next_request: usize,
    expected_status: Option<u16>,
    share: Share,
    poll: OwnedFd,
    connections: Vec<Connection>,
    idle: VecDeque<usize>,
    /// Requests that were due while no connection was idle, by due time.
    waiting: VecDeque<Instant>,
    /// Connections that are to be opened again, and when.
    reopening: VecDeque<(Instant, usize)>,
    busy: usize,
    meter: Meter,
    end: Instant,
    buffer: Vec<u8>,
    /// Sends the next request on a connection as soon as the last has ended.
    closed: bool,
}

impl Wheel {
    pub fn open(
        options: &LoadOptions,
        addr: SocketAddr,
        count: usize,
        share: Share,
        requests: Arc<Vec<Prepared>>,
    ) -> io::Result<Self> {
        if options.target.tls || options.protocol != Protocol::Http1 || options.manners != Manners::Prompt {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let connection = Connection::open(addr)?;
            watch(&poll, index, &connection)?;
            connections.push(connection);
        }
        let now = Instant::now();
        Ok(Self {
            addr,
            requests,
            // Threads begin with different bodies.
            next_request: share.index,
            expected_status: options.request.expected_status,
            share,
            poll,
            idle: (0..connections.len()).collect(),
            connections,
            waiting: VecDeque::new(),
            reopening: VecDeque::new(),
            busy: 0,
            meter: Meter::new(now, Duration::ZERO),
            end: now,
            buffer: vec![0; 256 * 1024],
            closed: false,
        })
    }

    /// Opens again what the peer has closed since the last window.
    pub fn mend(&mut self) -> io::Result<()> {
        self.closed = false;
        let mut events = Vec::with_capacity(EVENTS);
        self.wait(&mut events, Duration::ZERO)?;
        for (when, _) in &mut self.reopening {
            *when = Instant::now();
        }
        self.reopen(Instant::now())
    }

    pub fn measure(&mut self, window: &Window, begin: Instant) -> io::Result<Meter> {
        let start = begin + window.warmup;
        self.end = start + window.time;
        // What mending counted belongs to this window.
        let reconnections = self.meter.reconnections;
        self.meter = Meter::new(start, window.time);
        self.meter.reconnections = reconnections;
        self.closed = window.pattern == Pattern::Closed;
        self.turn(window.pattern, begin)?;
        let now = Instant::now();
        self.meter.stop(now);
        self.put_away()?;
        Ok(std::mem::replace(&mut self.meter, Meter::new(now, Duration::ZERO)))
    }

    fn turn(&mut self, pattern: Pattern, begin: Instant) -> io::Result<()> {
        let mut schedule = Schedule::new(pattern, begin, self.end, self.share);
        if !matches!(pattern, Pattern::Open { .. }) {
            // What is sent before the beginning would not be counted.
            std::thread::sleep(begin.saturating_duration_since(Instant::now()));
            for index in std::mem::take(&mut self.idle) {
                self.send(index, Instant::now())?;
            }
        }
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            let now = Instant::now();
            self.meter.tick(now);
            while let Some(due) = schedule.take(now) {
                match self.idle.pop_front() {
                    Some(index) => self.send(index, due)?,
                    None => self.waiting.push_back(due),
                }
            }
            self.reopen(now)?;
            if self.is_over(now, pattern) {
                return Ok(());
            }
            // Without a next time a coarse wait suffices: whatever else happens wakes us.
            let coarse = now + Duration::from_millis(50);
            let reopening = self.reopening.front().map_or(coarse, |(when, _)| *when);
            let next = schedule.next().unwrap_or(coarse).min(reopening);
            self.wait(&mut events, next.saturating_duration_since(Instant::now()))?;
        }
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
            self.on_ready(index, flags)?;
        }
        Ok(())
    }

    fn is_over(&mut self, now: Instant, pattern: Pattern) -> bool {
        if self.meter.errors() > ERRORS_MAX {
            return true;
        }
        if pattern == Pattern::Idle {
            return now >= self.end;
        }
        now >= self.end && ((self.busy == 0 && self.waiting.is_empty()) || now >= self.end + GRACE)
    }

    /// After a window: what was not sent or not answered is counted, and its connections are not used again.
    fn put_away(&mut self) -> io::Result<()> {
        for due in std::mem::take(&mut self.waiting) {
            self.meter.dropped(due);
        }
        for index in 0..self.connections.len() {
            if self.connections[index].exchange.is_some() {
                self.fail(index, "unanswered")?;
            }
        }
        Ok(())
    }

    fn send(&mut self, index: usize, due: Instant) -> io::Result<()> {
        let now = Instant::now();
        let connection = &mut self.connections[index];
        let due = if self.closed { now } else { due };
        self.busy += 1;
        self.meter.sent(due, now);
        connection.request = self.next_request % self.requests.len();
        self.next_request = self.next_request.wrapping_add(1);
        match connection.begin(due, now, &self.requests[connection.request].bytes) {
            Ok(true) => Ok(()),
            Ok(false) => {
                connection.waits_for_room = true;
                rewatch(&self.poll, index, connection)
            }
            Err(_) => self.fail(index, "write"),
        }
    }

    fn on_ready(&mut self, index: usize, flags: epoll::EventFlags) -> io::Result<()> {
        let connection = &mut self.connections[index];
        if connection.is_dead {
            return Ok(());
        }
        if flags.contains(epoll::EventFlags::OUT) && connection.waits_for_room {
            match connection.write(&self.requests[connection.request].bytes) {
                Ok(true) => {
                    connection.waits_for_room = false;
                    rewatch(&self.poll, index, connection)?;
                }
                Ok(false) => {}
                Err(_) => return self.fail(index, "write"),
            }
        }
        if !flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR) {
            return Ok(());
        }
        let connection = &mut self.connections[index];
        let meter = &mut self.meter;
        let outcome = connection.read(&mut self.buffer, |exchange, progress| {
            note(exchange, progress, meter);
        });
        match outcome {
            Read1::More => Ok(()),
            Read1::Done => self.end_exchange(index),
            Read1::Closed if connection.answer.ends_with_connection() => self.end_exchange(index),
            Read1::Closed if connection.exchange.is_none() => self.discard(index),
            Read1::Closed if connection.answer.has_begun() => self.fail(index, "cut"),
            Read1::Closed => self.fail(index, "closed"),
            Read1::Malformed => self.fail(index, "malformed"),
        }
    }

    fn end_exchange(&mut self, index: usize) -> io::Result<()> {
        let now = Instant::now();
        let connection = &mut self.connections[index];
        let answer = &connection.answer;
        let Some(exchange) = connection.exchange.take() else {
            return Ok(());
        };
        self.busy -= 1;
        match answer.status {
            status if self.expected_status == Some(status) => self.meter.ended(&exchange, now, answer.body_bytes),
            200..=299 if self.expected_status.is_some() => {
                self.meter.failed(exchange.due, &format!("status_{}", answer.status))
            }
            200..=299 if answer.is_complete() => self.meter.ended(&exchange, now, answer.body_bytes),
            200..=299 => self.meter.failed(exchange.due, "no_done"),
            status => self.meter.failed(exchange.due, &format!("status_{status}")),
        }
        if answer.closes || answer.ends_with_connection() {
            return self.discard(index);
        }
        self.next(index, now)
    }

    /// What a connection does that has become idle.
    fn next(&mut self, index: usize, now: Instant) -> io::Result<()> {
        if self.closed && now < self.end {
            self.send(index, now)
        } else if let Some(due) = self.waiting.pop_front() {
            self.send(index, due)
        } else {
            self.idle.push_back(index);
            Ok(())
        }
    }

    /// Counts an exchange that went wrong; the connection is opened again at the wheel's next turn.
    fn fail(&mut self, index: usize, kind: &str) -> io::Result<()> {
        if let Some(exchange) = self.connections[index].exchange.take() {
            self.busy -= 1;
            self.meter.failed(exchange.due, kind);
        }
        self.discard(index)
    }

    /// Takes a connection out of use until it has been opened again.
    fn discard(&mut self, index: usize) -> io::Result<()> {
        if std::mem::replace(&mut self.connections[index].is_dead, true) {
            return Ok(());
        }
        // Until then its socket is dead and would wake us at every turn.
        epoll::delete(&self.poll, &self.connections[index].socket)?;
        self.idle.retain(|idle| *idle != index);
        self.reopening.push_back((Instant::now(), index));
        Ok(())
    }

    /// Opens what can be opened again and gives it its next request.
    fn reopen(&mut self, now: Instant) -> io::Result<()> {
        while self.reopening.front().is_some_and(|(when, _)| *when <= now) {
            let Some((_, index)) = self.reopening.pop_front() else {
                break;
            };
            match Connection::open(self.addr) {
                Ok(connection) => {
                    self.meter.reconnections += 1;
                    self.connections[index] = connection;
                    watch(&self.poll, index, &self.connections[index])?;
                    self.next(index, now)?;
                }
                Err(_) => {
                    self.meter.failed(now, "connect");
                    self.reopening.push_back((now + CONNECT_PAUSE, index));
                }
            }
        }
        Ok(())
    }
}

fn note(exchange: &mut Exchange, progress: super::answer::Progress, meter: &mut Meter) {
    if progress.events == 0 && !progress.first_content {
        return;
    }
    let now = Instant::now();
    if progress.first_content {
        exchange.first_content = Some(now);
    }
    if progress.events > 0 {
        if let Some(last) = exchange.last_event
            && meter.counts(exchange.due)
        {
            meter.gaps(now - last, progress.events);
        }
        exchange.last_event = Some(now);
        exchange.events += progress.events;
    }
}

fn watch(poll: &OwnedFd, index: usize, connection: &Connection) -> io::Result<()> {
    let data = epoll::EventData::new_u64(index as u64);
    Ok(epoll::add(poll, &connection.socket, data, wanted(connection.waits_for_room))?)
}

fn rewatch(poll: &OwnedFd, index: usize, connection: &Connection) -> io::Result<()> {
    let data = epoll::EventData::new_u64(index as u64);
    Ok(epoll::modify(poll, &connection.socket, data, wanted(connection.waits_for_room))?)
}

fn wanted(room: bool) -> epoll::EventFlags {
    if room { epoll::EventFlags::IN | epoll::EventFlags::OUT } else { epoll::EventFlags::IN }
}

fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(time.subsec_nanos()) }
}
