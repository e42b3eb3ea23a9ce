//! What is offered, to whom, over what and how: everything that a run of the generator is told.
//!
//! `LoadOptions` says what a generator connects to and sends, once; `Window` says when it sends, each time that it measures.

use std::path::PathBuf;
use std::time::Duration;

pub use super::request::Target;

/// Of a generator, for as long as its connections are open.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    pub target: Target,
    pub request: RequestOptions,
    /// Of all threads together.
    pub connections: usize,
    pub protocol: Protocol,
    /// Whose certificates are good, where the target's URL begins with `https://`.
    pub trust: Trust,
    pub manners: Manners,
    pub threads: Threads,
    /// Bodies and random keys depend on it.
    pub seed: u64,
    /// How long answers are awaited after the last request of a window was due.
    pub grace: Duration,
    /// The provider numbers the chunks of its streams (`sim --fast-numbered`): whether each arrives once, in order and whole is checked.
    pub check_chunks: bool,
}

impl LoadOptions {
    /// One thread with 32 connections of plaintext or TLS HTTP/1.1, small chats.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            request: RequestOptions::default(),
            connections: 32,
            protocol: Protocol::Http1,
            trust: Trust::System,
            manners: Manners::Prompt,
            threads: Threads::Count(1),
            seed: 1,
            grace: Duration::from_secs(10),
            check_chunks: false,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct RequestOptions {
    pub dialect: Dialect,
    pub kind: Kind,
    pub keys: Keys,
    /// Beside those of the dialect.
    pub headers: Vec<(String, String)>,
    pub model: String,
    /// About how many bytes of JSON.
    pub body_bytes: usize,
    pub stream: bool,
    /// Different bodies that are sent in turn, so that neither a cache nor a branch predictor is fed a single one.
    pub variants: usize,
    /// The status with which an exchange ends well, where a refusal is what is measured. Without: any 2xx.
    pub expected_status: Option<u16>,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self {
            dialect: Dialect::OpenAiChat,
            kind: Kind::Chat,
            keys: Keys::None,
            headers: Vec::new(),
            model: "sim-small".to_owned(),
            body_bytes: 1_024,
            stream: false,
            variants: 8,
            expected_status: None,
        }
    }
}

/// The API that is spoken. The target's base path is what SDKs of that API are given: `/v1`, for Gemini `/v1beta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    OpenAiChat,
    OpenAiEmbeddings,
    /// Messages.
    Anthropic,
    /// `generateContent` and `streamGenerateContent`.
    Gemini,
}

/// What the conversation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Turns of prose and code.
    Chat,
    /// Definitions of tools, calls of them and their results.
    Tools,
    /// Pictures inside the body.
    Images,
}

/// The credential of each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    None,
    One(String),
    /// Another one each time that nobody ever issued.
    Random,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    /// By ALPN over TLS, by prior knowledge without. Each connection carries up to so many exchanges at once.
    Http2 {
        streams_per_connection: usize,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// What the system trusts.
    System,
    /// The certificates of a PEM file and nobody else.
    CaFile(PathBuf),
    /// The same as text.
    CaPem(String),
}

/// How a client behaves that is not the best of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    Prompt,
    /// Takes so much of each connection's answers a second, with a small receive buffer behind it.
    ReadsSlowly {
        bytes_per_s: u64,
    },
    /// Sends so much a second on each connection.
    SendsSlowly {
        bytes_per_s: u64,
    },
    /// Goes away in the middle of an answer: closes an HTTP/1.1 connection, resets an HTTP/2 stream.
    LeavesAfter(LeavesAfter),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeavesAfter {
    Events(u64),
    /// Of the body.
    Bytes(u64),
}

/// Who turns the wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Threads {
    Count(usize),
    /// One on each of these CPUs.
    Pinned(Vec<usize>),
}

impl Threads {
    pub fn count(&self) -> usize {
        match self {
            Threads::Count(count) => *count,
            Threads::Pinned(cpus) => cpus.len(),
        }
    }
}

/// One measured stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    pub pattern: Pattern,
    /// Requests that are due in this time are sent and not reported.
    pub warmup: Duration,
    /// How long requests are offered after that. With `Pattern::Idle`: how long the connections are held.
    pub time: Duration,
}

/// How requests are offered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pattern {
    /// Each connection at once again.
    Closed,
    Open {
        per_second: f64,
        arrivals: Arrivals,
        /// Begins below the rate and rises to it. Without: the rate from the beginning.
        ramp: Option<Ramp>,
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

/// A straight line from one rate to that of the pattern, from the beginning of the warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    pub from_per_second: f64,
    pub time: Duration,
}
