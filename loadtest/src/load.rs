//! Offers requests to an endpoint and measures the answers: over HTTP/1.1 or HTTP/2, with TLS or without.
//!
//! `Generator::open` connects, `window` measures, as often as it is asked to. Each of its threads turns one wheel (`driver`): one epoll
//! set, plain non-blocking sockets, because the load must cost less than what it measures. `prompts` and `request` make
//! the bytes in advance, `schedule` says when a request is due, `connection` carries exchanges (`http1` one at a time, `http2` many)
//! over a `transport` (TLS, and the `pace` of slow clients), `answer` and `body` read what comes back, `chunks` looks
//! whether it is what was sent, `exchange` settles, `meter` counts, `report` says it.
//!
//! Open loop: requests are due at times drawn in advance, and latency counts from the time at which a request was due, so
//! that a stall of the target shows in the latency of all requests that were due meanwhile. Requests that find no idle
//! connection wait and are counted as late, as are those that the driver itself sent late. Closed loop: each
//! connection sends its next request when it has the answer; its latency says nothing about a stall, and its use is
//! throughput and CPU per request.
//!
//! Connections are made blocking, also those that are opened again within a window: a target that does not accept shows as
//! requests that were sent late.

mod answer;
mod body;
mod chunks;
mod connection;
mod driver;
mod exchange;
mod generator;
mod http1;
mod http2;
mod meter;
mod options;
mod pace;
mod pauses;
mod prompts;
mod report;
mod request;
mod schedule;
mod tls;
pub(crate) mod transport;

use std::io;
use std::net::SocketAddr;

pub use generator::Generator;
pub use options::{
    Arrivals, Dialect, Keys, Kind, LeavesAfter, LoadOptions, Manners, Pattern, Protocol, Ramp, RequestOptions, Target,
    Threads, Trust, Window,
};
pub use report::{Fidelity, Percentiles, Report, Slice, percentiles};

/// Opens a generator, measures one window and closes it.
pub fn run(options: &LoadOptions, window: &Window) -> io::Result<Report> {
    Generator::open(options)?.window(window)
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

/// A time to wait, as the kernel wants it.
pub(crate) fn timespec(time: std::time::Duration) -> rustix::event::Timespec {
    rustix::event::Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}
