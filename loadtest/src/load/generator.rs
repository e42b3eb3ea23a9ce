//! The generator: connections that are open, and windows in which they are used.
//!
//! Each thread has its own epoll set, its share of the connections and its share of the rate; nothing is shared while a
//! window runs, and their meters are added up afterwards. Threads live as long as the generator, so that two generators
//! can be measured in turn on connections that stay open. Before each window the connections that died are opened again.

use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::driver::Wheel;
use super::meter::{Facts, Meter};
use super::options::{LoadOptions, Pattern, Protocol, Threads, Window};
use super::report::Report;
use super::request::Prepared;
use super::resolve;
use super::schedule::Share;
use super::tls;
use super::transport::Wire;
use crate::limits::{LOAD_CONNECTIONS_MAX, LOAD_STREAMS_MAX, LOAD_THREADS_MAX};
use crate::policy::be_patient;

/// From the order to begin to the first time at which anything is due: threads wake up in less.
const LEAD: Duration = Duration::from_millis(1);

pub struct Generator {
    workers: Vec<Worker>,
    facts: Facts,
}

struct Worker {
    /// Dropped first: without it the thread ends.
    orders: Option<Sender<Order>>,
    outcomes: Receiver<io::Result<Option<Meter>>>,
    thread: Option<JoinHandle<()>>,
}

enum Order {
    /// Open again what has died, before a window of this kind.
    Mend {
        closed: bool,
    },
    Measure {
        window: Window,
        begin: Instant,
    },
}

impl Generator {
    /// Makes the bodies and opens the connections. Nothing is sent but handshakes.
    pub fn open(options: &LoadOptions) -> io::Result<Self> {
        check(options)?;
        super::raise_open_files();
        let wire = Wire { addr: resolve(&options.target)?, tls: tls::config(options)?, manners: options.manners };
        let prepared = Arc::new(Prepared::all(options).map_err(|error| invalid(&error.to_string()))?);
        let of = options.threads.count();
        let mut workers = Vec::with_capacity(of);
        for index in 0..of {
            let cpu = match &options.threads {
                Threads::Pinned(cpus) => Some(cpus[index]),
                Threads::Count(_) => None,
            };
            let share = Share { index, of };
            // The first threads take what is left over.
            let connections = options.connections / of + usize::from(index < options.connections % of);
            let (wire, prepared, options) = (wire.clone(), Arc::clone(&prepared), options.clone());
            workers.push(Worker::start(cpu, move || Wheel::open(&options, wire, connections, share, prepared))?);
        }
        for worker in &workers {
            worker.outcome()?;
        }
        let facts = Facts {
            pattern: "",
            protocol: protocol(options),
            threads: of,
            connections: options.connections,
            request_bytes: prepared.iter().map(Prepared::len).sum::<usize>() / prepared.len().max(1),
            check_chunks: options.check_chunks,
        };
        Ok(Self { workers, facts })
    }

    /// One measured window. Errors of single exchanges are counted; this fails where nothing can be measured.
    pub fn window(&mut self, window: &Window) -> io::Result<Report> {
        let closed = window.pattern == Pattern::Closed;
        self.all(|| Order::Mend { closed })?;
        let begin = Instant::now() + LEAD;
        let meters = self.all(|| Order::Measure { window: *window, begin })?;
        let mut meters = meters.into_iter().flatten();
        let mut sum = meters.next().ok_or_else(|| io::Error::other("no thread has measured anything"))?;
        for meter in meters {
            sum.add(&meter);
        }
        let pattern = match window.pattern {
            Pattern::Closed => "closed",
            Pattern::Open { .. } => "open",
            Pattern::Idle => "idle",
        };
        Ok(sum.into_report(Facts { pattern, ..self.facts }))
    }

    /// Gives all threads an order and waits until all have done it.
    fn all(&self, order: impl Fn() -> Order) -> io::Result<Vec<Option<Meter>>> {
        for worker in &self.workers {
            let sent = worker.orders.as_ref().map(|orders| orders.send(order()));
            sent.and_then(Result::ok).ok_or_else(gone)?;
        }
        // All are heard before an error is returned, so that the next order finds no outcome of this one.
        let outcomes: Vec<_> = self.workers.iter().map(Worker::outcome).collect();
        outcomes.into_iter().collect()
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.orders = None;
        }
        for thread in self.workers.iter_mut().filter_map(|worker| worker.thread.take()) {
            // It panicked: whoever waited for it has heard that it is gone.
            let _ = thread.join();
        }
    }
}

impl Worker {
    fn start(cpu: Option<usize>, open: impl FnOnce() -> io::Result<Wheel> + Send + 'static) -> io::Result<Self> {
        let (orders, todo) = channel();
        let (done, outcomes) = channel();
        let work = move || {
            let opened = pin(cpu).and_then(|()| open());
            let mut wheel = match opened {
                Ok(wheel) => wheel,
                Err(error) => {
                    // Nobody waits for it: the generator was dropped meanwhile.
                    let _ = done.send(Err(error));
                    return;
                }
            };
            let mut outcome = Ok(None);
            while done.send(outcome).is_ok()
                && let Ok(order) = todo.recv()
            {
                outcome = match order {
                    Order::Mend { closed } => {
                        if closed {
                            // Its latency says nothing.
                            be_patient(true);
                        }
                        wheel.mend().map(|()| None)
                    }
                    Order::Measure { window, begin } => {
                        let measured = wheel.measure(&window, begin).map(Some);
                        if window.pattern == Pattern::Closed {
                            be_patient(false);
                        }
                        measured
                    }
                };
            }
        };
        let thread = std::thread::Builder::new().name("load".to_owned()).spawn(work)?;
        Ok(Self { orders: Some(orders), outcomes, thread: Some(thread) })
    }

    fn outcome(&self) -> io::Result<Option<Meter>> {
        self.outcomes.recv().map_err(|_| gone())?
    }
}

fn gone() -> io::Error {
    io::Error::other("a thread of the load generator is gone")
}

/// Prepares the thread: its CPU, if it is told one, and waits that end in time.
fn pin(cpu: Option<usize>) -> io::Result<()> {
    // Refused: waits end up to 50 us late, which `late` would show.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let Some(cpu) = cpu else {
        return Ok(());
    };
    if cpu >= rustix::thread::CpuSet::MAX_CPU {
        return Err(invalid("there is no such CPU"));
    }
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

fn check(options: &LoadOptions) -> io::Result<()> {
    if options.connections == 0 || options.connections > LOAD_CONNECTIONS_MAX {
        return Err(invalid("1 to 32,768 connections"));
    }
    if let Protocol::Http2 { streams_per_connection } = options.protocol
        && (streams_per_connection == 0
            || options.connections.saturating_mul(streams_per_connection) > LOAD_STREAMS_MAX)
    {
        return Err(invalid("1 to 131,072 streams, of all connections together"));
    }
    let threads = options.threads.count();
    if threads == 0 || threads > LOAD_THREADS_MAX || threads > options.connections {
        return Err(invalid("1 to 64 threads, and a connection for each"));
    }
    Ok(())
}

fn protocol(options: &LoadOptions) -> &'static str {
    match (options.protocol, options.target.tls) {
        (Protocol::Http1, false) => "http/1.1",
        (Protocol::Http1, true) => "http/1.1+tls",
        (Protocol::Http2 { .. }, false) => "h2",
        (Protocol::Http2 { .. }, true) => "h2+tls",
    }
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message.to_owned())
}
