//! Resident memory of a target's process tree: fresh, with idle connections, under load, and after it.
//!
//! Idle connections have made one request each, spread over time so that few are under way at once, and then say nothing. Before each
//! reading but the loaded one there is a rest: allocators give back what is free after some seconds.

use std::io;
use std::time::Duration;

use super::process::resident_bytes;
use super::traffic::{Style, Traffic, window};
use super::watch::Watch;
use crate::load::{Arrivals, Pattern};
use crate::results;
use crate::scenario::{GREETINGS_PER_S, Load, Memory};
use crate::stop;
use crate::target::Endpoint;

/// Of a process that has done nothing yet, for the cleanest figures; `loads` as the scenario has them.
pub fn measure(endpoint: &Endpoint, loads: &[Load], plan: &Memory, style: Style) -> io::Result<results::Memory> {
    let pid = endpoint.pid.ok_or_else(|| io::Error::other("its process is not known"))?;
    let read = || resident_bytes(pid).ok_or_else(|| io::Error::other("its memory cannot be read"));
    let settle = || {
        stop::sleep(Duration::try_from_secs_f64(plan.settle_s).unwrap_or_default());
        stop::check()
    };
    settle()?;
    let idle = read()?;
    let mut memory = results::Memory { idle_bytes: idle, ..results::Memory::default() };
    if plan.idle_connections > 0 {
        let crowd = Load { connections: plan.idle_connections, ..loads.first().cloned().ok_or_else(nothing)? };
        let mut traffic = Traffic::open(endpoint, &[crowd], style)?;
        let per_second = GREETINGS_PER_S.min(plan.idle_connections as f64 * 10.0);
        let greet = Pattern::Open { per_second, arrivals: Arrivals::Constant, ramp: None };
        let report = traffic.window(&window(greet, 0.0, plan.idle_connections as f64 / per_second))?.report;
        if !report.errors.is_empty() || report.dropped > 0 {
            return Err(io::Error::other(format!("idle connections were not all served: {:?}", report.errors)));
        }
        settle()?;
        let each = (read()? as f64 - idle as f64) / plan.idle_connections as f64;
        memory.per_idle_connection_bytes = Some(each.max(0.0));
    }
    let mut traffic = Traffic::open(endpoint, loads, style)?;
    let watch = Watch { pid: Some(pid), upstream_requests: &|| None, perf: None };
    memory.loaded_bytes = traffic.watched(&window(Pattern::Closed, 0.0, plan.load_s), &watch)?.resident_bytes;
    drop(traffic);
    settle()?;
    memory.after_bytes = Some(read()?);
    Ok(memory)
}

fn nothing() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "no traffic to offer")
}
