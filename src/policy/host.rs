//! Does the Host header name us?
//!
//! A web page can make a browser send requests to a loopback address by pointing a name of its own at it (DNS rebinding).
//! It cannot choose the Host header, which carries that name: so a gateway that only this machine uses accepts loopback names
//! and the names it was told, and nothing else. Ports are not compared; forwarding changes them legitimately.

use std::net::{IpAddr, Ipv6Addr};

/// True when a request with this Host may be answered. `None` switches the check off. Case does not matter; a header that
/// is not a host with an optional port names nobody.
pub fn host_allowed(host_header: &[u8], allowed: &Option<Vec<Box<str>>>) -> bool {
    let Some(allowed) = allowed else { return true };
    if is_plain_loopback(host_header) {
        return true;
    }
    let Some(host) = host_of(host_header) else { return false };
    is_loopback_name(host) || allowed.iter().any(|name| name.eq_ignore_ascii_case(host))
}

/// True for the ways in which nearly every client of this machine writes it: `localhost` or `127.0.0.1`, with or without a port. What
/// it is not sure of it leaves to `host_of`.
fn is_plain_loopback(header: &[u8]) -> bool {
    let port = header.strip_prefix(b"127.0.0.1").or_else(|| header.strip_prefix(b"localhost"));
    match port {
        Some([b':', digits @ ..]) => {
            let number = |sum: u32, digit: &u8| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0'));
            matches!(digits.len(), 1..=5) && digits.iter().try_fold(0, number).is_some_and(|port| port <= 0xffff)
        }
        Some(rest) => rest.is_empty(),
        None => false,
    }
}

/// The host without its port; IPv6 keeps its brackets.
fn host_of(header: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(header).ok()?;
    let end = match text.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(end);
    let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    (port_fits && !host.is_empty()).then_some(host)
}

fn is_loopback_name(host: &str) -> bool {
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let address = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => host.parse::<Ipv6Addr>().map(IpAddr::V6),
        None => host.parse().map(IpAddr::V4),
    };
    address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests;
