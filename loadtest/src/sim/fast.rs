//! The simulator at full speed, for measuring what stands before it: prebuilt answers, no validation, no names counted.
//!
//! A request is read only as far as its path, its length and the word `"stream":true` somewhere in it. Streams are `chunks`
//! events with `gap` between; with no gap the whole stream goes out in one write. Numbers in `Stats` still count; scripts and
//! credentials are ignored.
//!
//! It runs on a wheel of its own (`wheel`: one epoll set, one thread, as the load generator's), because it must cost less than
//! what it stands behind. A connection (`connection`) speaks HTTP/1.1 (`http1`) or HTTP/2 (`http2`, with `crate::hpack` for its heads), over TLS or
//! not; `answers` holds what is sent, `stream_word` looks for what was asked, `pace` says when the next event of a stream is due.

mod answers;
mod connection;
mod http1;
mod http2;
mod pace;
mod stream_word;
mod wheel;

use std::time::Duration;

use answers::Answers;
pub(super) use wheel::Wheel;

/// What the fast mode streams.
#[derive(Debug, Clone, Copy)]
pub struct FastOptions {
    /// Content events of a stream.
    pub chunks: usize,
    /// Between two of them.
    pub gap: Duration,
    /// Each event's text says which it is of how many.
    pub numbered: bool,
}

impl Default for FastOptions {
    fn default() -> Self {
        Self { chunks: 50, gap: Duration::ZERO, numbered: false }
    }
}

/// What all connections answer with.
struct Fast {
    answers: Answers,
    options: FastOptions,
}

impl Fast {
    fn new(options: FastOptions) -> Self {
        Self { answers: Answers::new(options), options }
    }
}
