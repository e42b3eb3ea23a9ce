//! The wheel of the fast mode: accepts, waits for sockets, serves those that are ready, and sends the events that are due.
//!
//! It ends when the other side of `stop` is dropped, and closes all connections then.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use super::connection::{Connection, Fate, Turn};
use super::pace::Pace;
use super::{Fast, FastOptions};
use crate::load::timespec;
use crate::load::transport::{Transport, spare_congestion_control};
use crate::policy::be_patient;
use crate::sim::exchange::Shared;

pub(in crate::sim) struct Wheel {
    poll: OwnedFd,
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    http2: bool,
    shared: Arc<Shared>,
    fast: Fast,
    places: Vec<Option<Connection>>,
    free: Vec<usize>,
    pace: Pace,
    buffer: Vec<u8>,
    /// When to accept again, after the system had no descriptor for it.
    accepts_again: Option<Instant>,
    _stop: UnixStream,
}

/// What the epoll set says of what is no connection.
const LISTENER: u64 = u64::MAX;
const STOP: u64 = u64::MAX - 1;

/// Sockets that one wait reports.
const EVENTS: usize = 1_024;

const READ_BYTES: usize = 256 * 1024;

/// After an accept that failed: out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(5);

impl Wheel {
    /// Over a listening socket that does not block. The second value ends it when it is dropped.
    pub fn open(
        listener: TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
        http2: bool,
        shared: Arc<Shared>,
        options: FastOptions,
    ) -> io::Result<(Self, UnixStream)> {
        if listener.local_addr()?.ip().is_loopback() {
            // Inherited by what is accepted.
            spare_congestion_control(&listener);
        }
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let (stop, stopped) = UnixStream::pair()?;
        let edge = EventFlags::IN | EventFlags::ET;
        epoll::add(&poll, &listener, epoll::EventData::new_u64(LISTENER), edge)?;
        epoll::add(&poll, &stopped, epoll::EventData::new_u64(STOP), EventFlags::RDHUP)?;
        let wheel = Self {
            poll,
            listener,
            tls,
            http2,
            shared,
            fast: Fast::new(options),
            places: Vec::new(),
            free: Vec::new(),
            pace: Pace::default(),
            buffer: vec![0; READ_BYTES],
            accepts_again: None,
            _stop: stopped,
        };
        Ok((wheel, stop))
    }

    /// Turns until it is stopped.
    pub fn run(mut self) {
        // Refused: events of paced streams leave up to 50 us late.
        let _ = rustix::thread::set_current_timer_slack(Some(std::num::NonZeroU64::MIN));
        if self.fast.options.gap.is_zero() {
            be_patient(true);
        }
        let mut events = Vec::with_capacity(EVENTS);
        while self.turn(&mut events) {}
        for connection in self.places.drain(..).flatten() {
            connection.close(&self.shared);
        }
    }

    /// False: it is to end.
    fn turn(&mut self, events: &mut Vec<epoll::Event>) -> bool {
        let next = [self.pace.next(), self.accepts_again].into_iter().flatten().min();
        let time = next.map(|next| timespec(next.saturating_duration_since(Instant::now())));
        events.clear();
        match epoll::wait(&self.poll, spare_capacity(events), time.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            // Only a mistake of ours could bring another.
            Err(_) => return false,
        }
        let mut accepts = self.accepts_again.is_some_and(|when| when <= Instant::now());
        for event in events.iter() {
            match event.data.u64() {
                LISTENER => accepts = true,
                STOP => return false,
                place => {
                    let flags = event.flags;
                    let is_ending = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
                    self.with(place as usize, |connection, turn| connection.serve(turn, is_ending));
                }
            }
        }
        self.send_due();
        // Last: what was reported of a place must not reach its next connection.
        if accepts {
            self.accept();
        }
        true
    }

    fn with(&mut self, place: usize, serve: impl FnOnce(&mut Connection, &mut Turn) -> Fate) {
        // Gone: by an earlier event of this turn.
        let Some(Some(connection)) = self.places.get_mut(place) else { return };
        let mut turn = Turn { fast: &self.fast, shared: &self.shared, pace: &mut self.pace, buffer: &mut self.buffer };
        if serve(connection, &mut turn) == Fate::Gone
            && let Some(connection) = self.places[place].take()
        {
            self.free.push(place);
            connection.close(&self.shared);
        }
    }

    /// Sends the events that are due, those of one connection in one write.
    fn send_due(&mut self) {
        if self.pace.next().is_none() {
            return;
        }
        let now = Instant::now();
        let mut served = Vec::new();
        while let Some(whose) = self.pace.take(now) {
            self.with(whose.place, |connection, turn| {
                if connection.serial == whose.serial {
                    connection.on_due(whose.stream, now, turn);
                    if served.last() != Some(&whose.place) {
                        served.push(whose.place);
                    }
                }
                Fate::Open
            });
        }
        for place in served {
            self.with(place, |connection, turn| connection.after_due(turn));
        }
    }

    fn accept(&mut self) {
        self.accepts_again = None;
        loop {
            match accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(socket) => self.welcome(socket.into()),
                Err(Errno::AGAIN) => return,
                // The client was gone before it was accepted.
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                Err(_) => {
                    self.accepts_again = Some(Instant::now() + ACCEPT_PAUSE);
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, socket: std::net::TcpStream) {
        let counters = &self.shared.counters;
        counters.connections_open.fetch_add(1, Relaxed);
        let serial = counters.count(&counters.connections);
        // Without it only the pieces of a stream would come late.
        let _ = socket.set_nodelay(true);
        let place = self.free.pop().unwrap_or(self.places.len());
        let watched = Transport::accepted(socket, self.tls.as_ref()).and_then(|transport| {
            let all = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            epoll::add(&self.poll, transport.socket(), epoll::EventData::new_u64(place as u64), all)?;
            Ok(transport)
        });
        if place == self.places.len() {
            self.places.push(None);
        }
        match watched {
            Ok(transport) => {
                let connection = Connection::new(transport, place, serial, self.http2, &self.shared);
                self.places[place] = Some(connection);
            }
            Err(_) => {
                self.free.push(place);
                counters.connection_closed();
            }
        }
    }
}
