//! The wheel: sends what is due, waits for sockets, reads what has come, until the run is over.
//!
//! Sockets are watched level-triggered and read once per wake-up unless the buffer was filled, which is one system call
//! less per answer than reading until empty. Waits end at the next due time to the nanosecond (`epoll_pwait2`), with the
//! thread's timer slack at its least.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use super::connection::{Connection, Exchange, Read1};
use super::report::{Meter, Report};
use super::schedule::Schedule;
use super::{LoadOptions, Pattern, resolve};
use crate::limits::LOAD_CONNECTIONS_MAX;

/// How long answers are awaited after the last request was due.
const GRACE: Duration = Duration::from_secs(10);

/// Between two attempts to connect to a target that refuses.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

/// Errors after which a run is given up: it measures nothing any more.
const ERRORS_MAX: u64 = 100_000;

pub(super) fn run(options: &LoadOptions) -> io::Result<Report> {
    if options.connections == 0 || options.connections > LOAD_CONNECTIONS_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "1 to 32,768 connections"));
    }
    super::raise_open_files();
    // Refused: waits end up to 50 us late, which `late` would show.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let mut wheel = Wheel::open(options)?;
    wheel.turn(options)?;
    Ok(wheel.into_report(options))
}

struct Wheel {
    addr: SocketAddr,
    request: Vec<u8>,
    poll: OwnedFd,
    connections: Vec<Connection>,
    idle: VecDeque<usize>,
    /// Requests that were due while no connection was idle, by due time.
    waiting: VecDeque<Instant>,
    /// Connections that are to be opened again, and when.
    reopening: VecDeque<(Instant, usize)>,
    busy: usize,
    meter: Meter,
    begin: Instant,
    end: Instant,
    buffer: Vec<u8>,
    /// Sends the next request on a connection as soon as the last has ended.
    closed: bool,
}

impl Wheel {
    fn open(options: &LoadOptions) -> io::Result<Self> {
        let addr = resolve(&options.target)?;
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(options.connections);
        for index in 0..options.connections {
            let connection = Connection::open(addr)?;
            watch(&poll, index, &connection)?;
            connections.push(connection);
        }
        // After connecting, which is not part of the run.
        let begin = Instant::now();
        let start = begin + options.warmup;
        Ok(Self {
            addr,
            request: options.request.bytes(&options.target),
            poll,
            idle: (0..connections.len()).collect(),
            connections,
            waiting: VecDeque::new(),
            reopening: VecDeque::new(),
            busy: 0,
            meter: Meter::new(start),
            begin,
            end: start + options.time,
            buffer: vec![0; 256 * 1024],
            closed: options.pattern == Pattern::Closed,
        })
    }

    fn turn(&mut self, options: &LoadOptions) -> io::Result<()> {
        let mut schedule = Schedule::new(options.pattern, self.begin, self.end);
        if !matches!(options.pattern, Pattern::Open { .. }) {
            for index in 0..self.connections.len() {
                self.send(index, Instant::now())?;
            }
            self.idle.clear();
        }
        let mut events = Vec::with_capacity(1_024);
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
            if self.is_over(now, options) {
                return Ok(());
            }
            // Without a next time a coarse wait suffices: whatever else happens wakes us.
            let coarse = now + Duration::from_millis(50);
            let reopening = self.reopening.front().map_or(coarse, |(when, _)| *when);
            let next = schedule.next().unwrap_or(coarse).min(reopening);
            let wait = timespec(next.saturating_duration_since(Instant::now()));
            events.clear();
            match epoll::wait(&self.poll, spare_capacity(&mut events), Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let (index, flags) = (event.data.u64() as usize, event.flags);
                self.on_ready(index, flags)?;
            }
        }
    }

    fn is_over(&mut self, now: Instant, options: &LoadOptions) -> bool {
        if self.meter.errors.values().sum::<u64>() > ERRORS_MAX {
            return true;
        }
        if options.pattern == Pattern::Idle {
            return now >= self.end;
        }
        now >= self.end && ((self.busy == 0 && self.waiting.is_empty()) || now >= self.end + GRACE)
    }

    fn send(&mut self, index: usize, due: Instant) -> io::Result<()> {
        let now = Instant::now();
        let connection = &mut self.connections[index];
        let due = if self.closed { now } else { due };
        self.busy += 1;
        self.meter.sent(due, now);
        match connection.begin(due, now, &self.request) {
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
        if flags.contains(epoll::EventFlags::OUT) && connection.waits_for_room {
            match connection.write(&self.request) {
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

    fn into_report(mut self, options: &LoadOptions) -> Report {
        for connection in &self.connections {
            if let Some(exchange) = &connection.exchange {
                self.meter.failed(exchange.due, "unanswered");
            }
        }
        let unsent = self.waiting.iter().filter(|due| self.meter.counts(**due)).count();
        self.meter.dropped = unsent as u64;
        let pattern = match options.pattern {
            Pattern::Closed => "closed",
            Pattern::Open { .. } => "open",
            Pattern::Idle => "idle",
        };
        self.meter.report(pattern, options.connections, self.request.len(), options.time)
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
