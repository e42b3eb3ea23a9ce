//! What a simulated provider received and did, for tests to assert.
//!
//! Counters only rise, until `reset`. `requests` counts request heads that were read whole, also of requests that a
//! fault then mistreated; `in_flight` counts those whose answer has not ended. `cancelled` counts answers that the
//! client left before their end: RST_STREAM or a dead connection over HTTP/2, a closed connection over HTTP/1.1.
//!
//! Plain numbers are atomics and names sit behind one lock, so that the fast path (which counts numbers only)
//! never waits. A waiter sleeps on a condition variable that is signalled after each change while there is a waiter;
//! without one, a change costs one relaxed load more.
//!
//! Names and remembered requests are bounded by `limits`; what does not fit counts under `(other)`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::limits::{COUNTED_NAMES_MAX, RECENT_BODY_BYTES_MAX, RECENT_REQUESTS_MAX};

/// One look at the counters.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Stats {
    pub requests: u64,
    pub requests_by_path: BTreeMap<String, u64>,
    pub requests_by_model: BTreeMap<String, u64>,
    pub answers_by_status: BTreeMap<u16, u64>,
    /// Requests and body bytes by whose API they spoke.
    pub by_dialect: BTreeMap<String, Spoken>,
    /// Requests whose body broke a rule of its endpoint, as `openai_chat: messages missing`.
    pub invalid: BTreeMap<String, u64>,
    /// How often each fault was played, by the name it has in the registry.
    pub faults: BTreeMap<String, u64>,
    /// TCP connections accepted, and how many of them are open now.
    pub connections: u64,
    pub connections_open: u64,
    pub h1_connections: u64,
    pub h2_connections: u64,
    /// TLS handshakes that succeeded, how many of them resumed a session, and those that failed.
    pub tls_handshakes: u64,
    pub tls_resumed: u64,
    pub tls_failures: u64,
    pub in_flight: u64,
    pub in_flight_max: u64,
    /// Answers that ended as they were meant to, and those that the client left.
    pub completed: u64,
    pub cancelled: u64,
    /// Requests whose body ended before it was whole.
    pub uploads_cut: u64,
    /// Body bytes read, and answer content events sent.
    pub upload_bytes: u64,
    pub content_events: u64,
    /// Distinct credentials, wherever their dialect keeps them. The values themselves stay in the process: they are credentials.
    pub keys_seen: u64,
    #[serde(skip)]
    pub keys: Vec<String>,
    /// The last requests, oldest first.
    pub recent: Vec<Seen>,
}

/// What came in one dialect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Spoken {
    pub requests: u64,
    pub body_bytes: u64,
}

/// One request as it came in.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: String,
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'static str,
    /// Serial number of the connection and of the request on it, both from 1.
    pub connection: u64,
    pub nth_on_connection: u64,
    #[serde(serialize_with = "without_credentials")]
    pub headers: Vec<(String, String)>,
    pub body_bytes: usize,
    /// The body's beginning, at most `RECENT_BODY_BYTES_MAX`.
    #[serde(serialize_with = "as_text")]
    pub body: bytes::Bytes,
}

impl Seen {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

fn as_text<S: serde::Serializer>(body: &bytes::Bytes, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&String::from_utf8_lossy(body))
}

/// Credentials are shown by their length: enough to see that one was sent.
fn without_credentials<S: serde::Serializer>(headers: &[(String, String)], out: S) -> Result<S::Ok, S::Error> {
    out.collect_seq(headers.iter().map(|(name, value)| {
        let shown = match name.as_str() {
            "authorization" | "x-api-key" | "x-goog-api-key" | "api-key" => format!("({} bytes)", value.len()),
            _ => value.clone(),
        };
        (name.clone(), shown)
    }))
}

/// The live counters behind `Stats`.
#[derive(Default)]
pub(crate) struct Counters {
    pub requests: AtomicU64,
    pub connections: AtomicU64,
    pub connections_open: AtomicU64,
    pub h1_connections: AtomicU64,
    pub h2_connections: AtomicU64,
    pub tls_handshakes: AtomicU64,
    pub tls_resumed: AtomicU64,
    pub tls_failures: AtomicU64,
    pub in_flight: AtomicU64,
    pub in_flight_max: AtomicU64,
    pub completed: AtomicU64,
    pub cancelled: AtomicU64,
    pub uploads_cut: AtomicU64,
    pub upload_bytes: AtomicU64,
    pub content_events: AtomicU64,
    named: Mutex<Named>,
    waiters: AtomicU64,
    changed: Condvar,
}

#[derive(Default)]
struct Named {
    by_path: BTreeMap<String, u64>,
    by_model: BTreeMap<String, u64>,
    by_status: BTreeMap<u16, u64>,
    by_dialect: BTreeMap<String, Spoken>,
    invalid: BTreeMap<String, u64>,
    faults: BTreeMap<String, u64>,
    keys: Vec<String>,
    recent: VecDeque<Seen>,
}

impl Counters {
    /// Adds one to a counter and wakes the waiters.
    pub fn count(&self, counter: &AtomicU64) -> u64 {
        let now = counter.fetch_add(1, Relaxed) + 1;
        self.signal();
        now
    }

    pub fn exchange_begins(&self) {
        self.requests.fetch_add(1, Relaxed);
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.in_flight_max.fetch_max(now, Relaxed);
        self.signal();
    }

    pub fn exchange_ends(&self, cancelled: bool) {
        // Counted before `in_flight` falls: whoever sees an idle simulator sees all outcomes.
        let outcome = if cancelled { &self.cancelled } else { &self.completed };
        outcome.fetch_add(1, Relaxed);
        self.in_flight.fetch_sub(1, Relaxed);
        self.signal();
    }

    pub fn connection_closed(&self) {
        self.connections_open.fetch_sub(1, Relaxed);
        self.signal();
    }

    pub fn remember(&self, mut seen: Seen, dialect: &str, key: Option<&str>) {
        // A slice would keep a body of many MiB alive; a copy keeps only what is shown.
        if seen.body.len() > RECENT_BODY_BYTES_MAX {
            seen.body = bytes::Bytes::copy_from_slice(&seen.body[..RECENT_BODY_BYTES_MAX]);
        }
        let mut named = self.named();
        bump(&mut named.by_path, &seen.path);
        let spoken = named.by_dialect.entry(dialect.to_owned()).or_default();
        spoken.requests += 1;
        spoken.body_bytes += seen.body_bytes as u64;
        if let Some(key) = key
            && named.keys.len() < COUNTED_NAMES_MAX
            && !named.keys.iter().any(|have| have == key)
        {
            named.keys.push(key.to_owned());
        }
        if named.recent.len() == RECENT_REQUESTS_MAX {
            named.recent.pop_front();
        }
        named.recent.push_back(seen);
        drop(named);
        self.signal();
    }

    pub fn model(&self, model: &str) {
        bump(&mut self.named().by_model, model);
        self.signal();
    }

    pub fn invalid(&self, rule: &str) {
        bump(&mut self.named().invalid, rule);
        self.signal();
    }

    pub fn fault(&self, name: &str) {
        bump(&mut self.named().faults, name);
        self.signal();
    }

    pub fn status(&self, status: u16) {
        *self.named().by_status.entry(status).or_default() += 1;
        self.signal();
    }

    pub fn snapshot(&self) -> Stats {
        let named = self.named();
        Stats {
            requests: self.requests.load(Relaxed),
            requests_by_path: named.by_path.clone(),
            requests_by_model: named.by_model.clone(),
            answers_by_status: named.by_status.clone(),
            by_dialect: named.by_dialect.clone(),
            invalid: named.invalid.clone(),
            faults: named.faults.clone(),
            connections: self.connections.load(Relaxed),
            connections_open: self.connections_open.load(Relaxed),
            h1_connections: self.h1_connections.load(Relaxed),
            h2_connections: self.h2_connections.load(Relaxed),
            tls_handshakes: self.tls_handshakes.load(Relaxed),
            tls_resumed: self.tls_resumed.load(Relaxed),
            tls_failures: self.tls_failures.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            in_flight_max: self.in_flight_max.load(Relaxed),
            completed: self.completed.load(Relaxed),
            cancelled: self.cancelled.load(Relaxed),
            uploads_cut: self.uploads_cut.load(Relaxed),
            upload_bytes: self.upload_bytes.load(Relaxed),
            content_events: self.content_events.load(Relaxed),
            keys_seen: named.keys.len() as u64,
            keys: named.keys.clone(),
            recent: named.recent.iter().cloned().collect(),
        }
    }

    /// Sets everything to zero but what describes the present: open connections and exchanges in flight.
    pub fn reset(&self) {
        *self.named() = Named::default();
        for counter in [
            &self.requests,
            &self.connections,
            &self.h1_connections,
            &self.h2_connections,
            &self.tls_handshakes,
            &self.tls_resumed,
            &self.tls_failures,
            &self.completed,
            &self.cancelled,
            &self.uploads_cut,
            &self.upload_bytes,
            &self.content_events,
        ] {
            counter.store(0, Relaxed);
        }
        self.in_flight_max.store(self.in_flight.load(Relaxed), Relaxed);
        self.signal();
    }

    /// Waits until `enough` holds, or `limit` has passed. Returns the last look, and whether it held.
    pub fn wait_until(&self, limit: Duration, enough: impl Fn(&Stats) -> bool) -> (Stats, bool) {
        let end = Instant::now() + limit;
        self.waiters.fetch_add(1, SeqCst);
        let outcome = loop {
            let stats = self.snapshot();
            if enough(&stats) {
                break (stats, true);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break (stats, false);
            }
            // A change between the look and this wait is not lost for long: the wait is cut into short turns,
            // because the plain numbers change without the lock.
            let turn = left.min(Duration::from_millis(20));
            let named = self.named();
            drop(self.changed.wait_timeout(named, turn).unwrap_or_else(PoisonError::into_inner));
        };
        self.waiters.fetch_sub(1, SeqCst);
        outcome
    }

    fn signal(&self) {
        if self.waiters.load(Relaxed) > 0 {
            self.changed.notify_all();
        }
    }

    fn named(&self) -> MutexGuard<'_, Named> {
        // A panic while it was held would leave numbers that are still numbers.
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bump(counts: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else if counts.len() < COUNTED_NAMES_MAX {
        counts.insert(name.to_owned(), 1);
    } else {
        *counts.entry("(other)".to_owned()).or_default() += 1;
    }
}
