//! Upstream names to addresses, in the background.
//!
//! Every name of the current snapshot is looked up at start, after each reload, and every 30 s; while a lookup fails, again
//! after 1 s, then doubling up to 30 s. Addresses that work are never thrown away: a lookup that fails, is empty or takes
//! longer than 5 s leaves the last good ones in use (stale-if-error). Families alternate, beginning with the one that the
//! system prefers, so that one broken family costs a single connect. Order within an unchanged set is kept: DNS servers
//! rotate it with each answer, and pools should not see a change where there is none.
//!
//! A configuration that names new hosts waits for their first addresses before it comes into force (`first_addresses`), so that its
//! deployments can be used from its first request on.
//!
//! getaddrinfo rather than a resolver of our own: /etc/hosts, nsswitch and search domains work as the operator expects. It
//! blocks, so it runs on the blocking pool, at most `LOOKUPS_MAX` at once even if it hangs.

use crate::{
    config::snapshot::{Endpoint, Snapshot},
    limits::{ADDRESSES_MAX, LOOKUPS_MAX},
    node::Node,
    telemetry::{cells::ProcessCell, operator_log},
};
use futures_util::stream::{self, StreamExt};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::{Arc, atomic::Ordering::Release},
    time::Duration,
};
use tokio::sync::{Notify, Semaphore};

/// Asks for the addresses of a name. A trait so that tests need no DNS.
pub trait Lookup {
    fn lookup(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

/// getaddrinfo(3). Clones share the bound.
#[derive(Debug, Clone)]
pub struct SystemLookup {
    permits: Arc<Semaphore>,
}

impl Default for SystemLookup {
    fn default() -> SystemLookup {
        SystemLookup { permits: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

impl Lookup for SystemLookup {
    async fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        // The permit lives as long as the call, not as long as our patience with it: a resolver that hangs must not
        // gather threads or queued calls.
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(io::Error::other)?;
        let host = host.to_owned();
        let call = tokio::task::spawn_blocking(move || {
            let addresses = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
            drop(permit);
            addresses
        });
        call.await.map_err(io::Error::other)?
    }
}

/// Keeps the addresses of a node's endpoints fresh.
pub struct Resolver<L> {
    node: Arc<Node>,
    lookup: L,
    /// Names whose last lookup failed, so that each change is logged once.
    failing: BTreeSet<Name>,
    /// How long one lookup may take.
    patience: Duration,
}

/// A host as configured, and a port.
type Name = (Box<str>, u16);

const REFRESH: Duration = Duration::from_secs(30);
const RETRY_MIN: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(5);

impl<L: Lookup> Resolver<L> {
    pub fn new(node: Arc<Node>, lookup: L) -> Resolver<L> {
        Resolver { node, lookup, failing: BTreeSet::new(), patience: PATIENCE }
    }

    /// Resolves for ever; `reloaded` starts a round at once.
    pub async fn run(mut self, reloaded: Arc<Notify>) {
        let mut retry = RETRY_MIN;
        loop {
            self.round().await;
            let wait = if self.failing.is_empty() { REFRESH } else { retry };
            retry = if self.failing.is_empty() { RETRY_MIN } else { (retry * 2).min(REFRESH) };
            let _ = tokio::time::timeout(wait, reloaded.notified()).await;
        }
    }

    /// Looks up every name of the current snapshot once.
    async fn round(&mut self) {
        let snapshot = self.node.snapshot.load_full();
        prefill(&snapshot, None);
        let names = names(&snapshot);
        self.failing.retain(|name| names.contains_key(name));
        let (node, lookup, patience) = (&*self.node, &self.lookup, self.patience);
        let mut answers = stream::iter(names)
            .map(|(name, endpoints)| async move {
                let answer = tokio::time::timeout(patience, lookup.lookup(bare(&name.0), name.1)).await;
                (name, endpoints, answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())))
            })
            .buffer_unordered(LOOKUPS_MAX);
        while let Some((name, endpoints, answer)) = answers.next().await {
            node.process.add(ProcessCell::DnsLookups, 1);
            match answer.map(interleave) {
                Ok(addresses) if !addresses.is_empty() => {
                    endpoints.iter().for_each(|endpoint| store(endpoint, &addresses));
                    if self.failing.remove(&name) {
                        operator_log::info(format_args!("{} resolves again", name.0));
                    }
                }
                failure => {
                    node.process.add(ProcessCell::DnsFailures, 1);
                    let why = failure.err().map_or("no addresses".into(), |error| error.to_string());
                    if !self.failing.contains(&name) {
                        log_failure(&name.0, &why, &endpoints);
                        self.failing.insert(name);
                    }
                }
            }
        }
        self.node.resolved_generation.store(snapshot.generation, Release);
    }
}

/// Gives a snapshot the addresses that need no lookup: literal ones, and those that the snapshot before it knows. Called
/// before a snapshot is published, so that a reload never takes a working upstream away.
pub fn prefill(snapshot: &Snapshot, before: Option<&Snapshot>) {
    for endpoint in snapshot.endpoints.iter().filter(|endpoint| endpoint.addresses.load().is_empty()) {
        if let Ok(address) = bare(&endpoint.key.host).parse::<IpAddr>() {
            store(endpoint, &[SocketAddr::new(address, endpoint.key.port)]);
        } else if let Some(before) = before {
            let same = |known: &&Arc<Endpoint>| {
                known.key.host == endpoint.key.host
                    && known.key.port == endpoint.key.port
                    && !known.addresses.load().is_empty()
            };
            if let Some(known) = before.endpoints.iter().find(same) {
                endpoint.addresses.store(known.addresses.load_full());
            }
        }
    }
}

/// True when a name of `snapshot` has no address at all.
pub fn lacks_addresses(snapshot: &Snapshot) -> bool {
    snapshot.endpoints.iter().any(|endpoint| endpoint.addresses.load().is_empty())
}

/// Looks up the names that have no address at all, once each, and ends when all have been answered. What fails is left to the rounds
/// that follow, which also say so.
pub async fn first_addresses(snapshot: &Snapshot, lookup: &impl Lookup) {
    let mut names = names(snapshot);
    names.retain(|_, endpoints| endpoints.iter().any(|endpoint| endpoint.addresses.load().is_empty()));
    stream::iter(names)
        .for_each_concurrent(LOOKUPS_MAX, |(name, endpoints)| async move {
            let answer = tokio::time::timeout(PATIENCE, lookup.lookup(bare(&name.0), name.1)).await;
            if let Ok(Ok(addresses)) = answer {
                let addresses = interleave(addresses);
                endpoints.iter().for_each(|endpoint| store(endpoint, &addresses));
            }
        })
        .await;
}

/// The names to look up, each with the endpoints that want its addresses.
fn names(snapshot: &Snapshot) -> BTreeMap<Name, Vec<Arc<Endpoint>>> {
    let mut names: BTreeMap<Name, Vec<Arc<Endpoint>>> = BTreeMap::new();
    for endpoint in &snapshot.endpoints {
        if bare(&endpoint.key.host).parse::<IpAddr>().is_err() {
            names.entry((endpoint.key.host.clone(), endpoint.key.port)).or_default().push(Arc::clone(endpoint));
        }
    }
    names
}

/// A host without the brackets that a URL puts around an IPv6 address.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Alternates families, the first address's family first; drops duplicates and what is beyond the bound.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return addresses };
    let first_is_v6 = first.is_ipv6();
    let mut seen = BTreeSet::new();
    let (preferred, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .filter(|address| seen.insert(*address))
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut mixed = Vec::with_capacity(preferred.len() + other.len());
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    loop {
        let before = mixed.len();
        mixed.extend(preferred.next());
        mixed.extend(other.next());
        if mixed.len() == before {
            break;
        }
    }
    mixed.truncate(ADDRESSES_MAX);
    mixed
}

/// Replaces an endpoint's addresses unless they are the same in another order.
fn store(endpoint: &Endpoint, addresses: &[SocketAddr]) {
    let known = endpoint.addresses.load();
    if known.iter().collect::<BTreeSet<_>>() != addresses.iter().collect() {
        endpoint.addresses.store(Arc::new(addresses.to_vec()));
    }
}

fn log_failure(host: &str, why: &str, endpoints: &[Arc<Endpoint>]) {
    match endpoints.iter().map(|endpoint| endpoint.addresses.load().len()).max().unwrap_or(0) {
        0 => operator_log::error(format_args!("{host} does not resolve: {why}; its deployments cannot be used")),
        count => operator_log::warning(format_args!(
            "{host} does not resolve: {why}; the last {count} address(es) stay in use"
        )),
    }
}

#[cfg(test)]
mod tests;
