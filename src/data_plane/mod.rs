//! The hot path: one shard is one pinned thread with one ring. Never blocks, locks or panics.

pub mod admit;
pub mod attempt;
pub mod buffers;
pub mod by_id;
pub mod chunked;
pub mod clock;
pub mod downstream;
pub mod exchange;
pub mod explain;
pub mod field_lines;
pub mod h2_io;
pub mod multipart;
pub mod outgoing;
pub mod relay;
pub mod reply;
pub mod settle;
pub mod shard;
pub mod tls;
pub mod transport;
pub mod upstream;

#[cfg(test)]
mod peers;
