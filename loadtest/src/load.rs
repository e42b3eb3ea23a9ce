//! Offers requests to an endpoint over HTTP/1.1 and measures the answers.
//!
//! One thread, one epoll set, plain non-blocking sockets: the driver must cost less than what it measures. `schedule` says
//! when a request is due, `request` holds its bytes (the same for all), `connection` carries one exchange at a time,
//! `answer` reads the bytes that come back, `driver` turns the wheel, `report` counts.
//!
//! Open loop: requests are due at times drawn in advance, and latency counts from the time at which a request was due, so
//! that a stall of the target shows in the latency of all requests that were due meanwhile. Requests that find no idle
//! connection wait and are counted as late, as are those that the driver itself sent late. Closed loop: each
//! connection sends its next request when it has the answer; its latency says nothing about a stall, and its use is
//! throughput and CPU per request.
//!
//! Plaintext only; TLS and HTTP/2 belong to the next driver.

mod answer;
mod connection;
mod driver;
mod report;
mod request;
mod schedule;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

pub use report::{Percentiles, Report};
pub use request::{RequestOptions, Target};

/// How requests are offered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pattern {
    /// Each connection at once again.
    Closed,
    Open {
        per_second: f64,
        arrivals: Arrivals,
    },
    /// One request per connection, then nothing.
    Idle,
}

/// How the times of an open loop are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    Constant,
    /// Exponential gaps from this seed.
    Poisson {
        seed: u64,
    },
}

/// One run.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    pub target: Target,
    pub request: RequestOptions,
    pub pattern: Pattern,
    pub connections: usize,
    /// Requests that are due in this time are sent and not reported.
    pub warmup: Duration,
    /// How long requests are offered after that. With `Pattern::Idle`: how long the connections are held.
    pub time: Duration,
}

/// Runs to the end and reports. Errors of single exchanges are counted; this fails where nothing can be measured.
pub fn run(options: &LoadOptions) -> io::Result<Report> {
    driver::run(options)
}

/// Raises the limit of open files as far as the system lets us, and says what it is now.
pub fn raise_open_files() -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = crate::limits::OPEN_FILES_WANTED;
    let ceiling = limit.maximum.unwrap_or(wanted);
    if limit.current.is_some_and(|now| now < wanted.min(ceiling)) {
        limit.current = Some(wanted.min(ceiling));
        // Refused: the old limit holds, and a run that needs more says so when it connects.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// The first address of a target's host.
fn resolve(target: &Target) -> io::Result<SocketAddr> {
    use std::net::ToSocketAddrs;
    let mut addrs = (target.host.as_str(), target.port).to_socket_addrs()?;
    addrs.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address"))
}
