//! Addresses as operators write them: where to listen, where a provider is.
//!
//! Both are parsed once, strictly, into values that later code need not doubt. A base URL names a scheme, a host, perhaps a
//! port and a path; user names, queries, fragments and spellings of IP addresses that parsers disagree about are refused.

use super::settings::Listen;
use rustls_pki_types::ServerName;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

/// Why a text is not an address, and what to write.
#[derive(Debug, PartialEq, Eq)]
pub struct BadAddress {
    pub message: &'static str,
    pub help: String,
}

fn bad<T>(message: &'static str, help: impl Into<String>) -> Result<T, BadAddress> {
    Err(BadAddress { message, help: help.into() })
}

/// Parses `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080` or `unix:/path`.
pub fn listen(text: &str) -> Result<Listen, BadAddress> {
    // Size of sun_path on Linux, less the terminating NUL.
    const UNIX_PATH_BYTES_MAX: usize = 107;
    if let Some(path) = text.strip_prefix("unix:") {
        if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
            return bad("not the absolute path of a socket", "for example unix:/run/ringway/api.sock");
        }
        if path.len() > UNIX_PATH_BYTES_MAX {
            return bad("the path of a unix socket is too long", format!("at most {UNIX_PATH_BYTES_MAX} bytes"));
        }
        return Ok(Listen::Unix(PathBuf::from(path)));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(Listen::Tcp(address));
    }
    let port = |text: &str| text.parse::<u16>().ok();
    if let Some(port) = text.strip_prefix("localhost:").and_then(port) {
        return Ok(Listen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return bad("the port is missing", format!("for example {}", SocketAddr::new(ip, 8080)));
    }
    if let Some(port) = port(text.trim_start_matches(':')) {
        let help = format!("127.0.0.1:{port} for this machine only, 0.0.0.0:{port} or [::]:{port} for all networks");
        return bad("the address to bind is missing", help);
    }
    bad("not an address to listen on", "write IP:PORT, [IPv6]:PORT or unix:/path")
}

/// Where a provider's API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    pub tls: bool,
    /// Lower case; IPv6 without brackets.
    pub host: Box<str>,
    pub port: u16,
    /// Begins with a slash and does not end with one, or is empty.
    pub path: Box<str>,
}

/// Parses an `http://` or `https://` URL.
pub fn base_url(text: &str) -> Result<BaseUrl, BadAddress> {
    const EXAMPLE: &str = "for example https://api.example.com/v1";
    let (tls, rest) = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
        Some(_) => return bad("the scheme must be http or https", EXAMPLE),
        None => return bad("not a URL", EXAMPLE),
    };
    if !text.bytes().all(|byte| byte.is_ascii_graphic())
        || text.contains(['\\', '"', '<', '>', '`', '{', '}', '|', '^'])
    {
        return bad("a character that must not be in a URL", "plain ASCII; international names in punycode");
    }
    if rest.contains(['?', '#']) {
        return bad("a query or fragment must not be in it", EXAMPLE);
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return bad("a user name or password must not be in it", "put the secret into 'credential'");
    }
    let (host, port) = authority_parts(authority)?;
    let port = match port {
        None if tls => 443,
        None => 80,
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 && port_digits(authority) => port,
            _ => return bad("the port is not a number from 1 to 65535", EXAMPLE),
        },
    };
    let path = path.trim_end_matches('/');
    if path.contains("//") || path.split('/').any(|segment| segment == "." || segment == "..") {
        return bad("the path must not contain '//', '.' or '..'", EXAMPLE);
    }
    Ok(BaseUrl { tls, host: host.to_ascii_lowercase().into(), port, path: path.into() })
}

fn authority_parts(authority: &str) -> Result<(&str, Option<&str>), BadAddress> {
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((host, after)) = rest.split_once(']') else {
            return bad("']' is missing", "for example http://[::1]:8000");
        };
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return bad("not an IPv6 address", "for example http://[::1]:8000");
        }
        return match (after, after.strip_prefix(':')) {
            ("", _) => Ok((host, None)),
            (_, Some(port)) => Ok((host, Some(port))),
            _ => bad("not a host and port", "for example http://[::1]:8000"),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    if host.is_empty() {
        return bad("the host is missing", "for example https://api.example.com/v1");
    }
    // 127.1, 2130706433 and 0x7f.1 are addresses to some resolvers and names to others.
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if numeric && host.parse::<Ipv4Addr>().is_err() {
        return bad("not an IPv4 address in its usual form", "for example http://127.0.0.1:8000");
    }
    if host.ends_with('.') || ServerName::try_from(host).is_err() {
        return bad("not a host name", "for example https://api.example.com/v1");
    }
    Ok((host, port))
}

/// `u16::from_str` accepts a leading `+`.
fn port_digits(authority: &str) -> bool {
    authority.rsplit(':').next().is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

impl BaseUrl {
    /// Host as URLs and the Host header write it.
    pub fn bracketed_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_string() }
    }

    /// Value of the Host header: the port only where it is not the scheme's own.
    pub fn host_header(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual { self.bracketed_host() } else { format!("{}:{}", self.bracketed_host(), self.port) }
    }

    /// The address, where the host is one.
    pub fn literal(&self) -> Option<SocketAddr> {
        self.host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, self.port))
    }

    /// True for this machine.
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(ip) => ip.to_canonical().is_loopback(),
            Err(_) => *self.host == *"localhost" || self.host.ends_with(".localhost"),
        }
    }

    /// True for hosts that only a private network can name: private addresses, single labels (a container, a machine
    /// of this network) and the names set aside for local use.
    pub fn is_private(&self) -> bool {
        match self.host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
            Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private(),
            Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local(),
            Err(_) => {
                const LOCAL: [&str; 4] = [".localhost", ".local", ".internal", ".home.arpa"];
                !self.host.contains('.') || LOCAL.iter().any(|suffix| self.host.ends_with(suffix))
            }
        }
    }
}

#[cfg(test)]
mod tests;
