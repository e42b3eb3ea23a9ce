//! Room for what is read and written, used again in the order last in, first out.
//!
//! A connection holds a buffer only while something is in it: one that waits, for its client or for its upstream, holds none. So a
//! shard with thousands of connections works in the few buffers that its processor's cache still has, and an idle connection costs
//! little.
//!
//! The list belongs to the thread, which is the shard. Buffers that have grown are not taken back, and no more than
//! `KEPT_MAX` are kept; what is missing comes from the allocator. An HTTP/2 connection to an upstream carries the bytes of many
//! exchanges, and takes large ones, of which there is a list as well.

use crate::limits::READ_BYTES;
use std::cell::RefCell;

/// Room of a buffer. Ordinary chat requests and answers fit; larger bodies go into buffers of their size.
pub const BUFFER_BYTES: usize = 4 * 1024;

/// Buffers kept, 256 KiB of them: as many as one turn of a busy shard has in use.
const KEPT_MAX: usize = 64;

/// Room of a large buffer: what the streams of one connection have to send at a time, when there are some dozens. Growing to it from
/// small ones copied everything several times over.
pub const LARGE_BYTES: usize = 64 * 1024;

/// Large buffers kept. One is in use only as long as a turn of its connection takes.
const LARGE_KEPT_MAX: usize = 2;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static LARGE_KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer.
#[inline]
pub fn take() -> Vec<u8> {
    KEPT.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
}

/// An empty large buffer.
pub fn take_large() -> Vec<u8> {
    LARGE_KEPT.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(LARGE_BYTES))
}

/// Gives a buffer back, whatever is in it and wherever it came from.
#[inline]
pub fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() == BUFFER_BYTES {
        buffer.clear();
        KEPT.with_borrow_mut(|kept| {
            if kept.len() < KEPT_MAX {
                kept.push(buffer);
            }
        });
    } else if buffer.capacity() == LARGE_BYTES {
        give_large(buffer);
    }
}

#[cold]
fn give_large(mut buffer: Vec<u8>) {
    buffer.clear();
    LARGE_KEPT.with_borrow_mut(|kept| {
        if kept.len() < LARGE_KEPT_MAX {
            kept.push(buffer);
        }
    });
}

/// Room for one read whose bytes are worked off at once: empty, of `READ_BYTES`, and to be given back.
pub fn take_scratch() -> Vec<u8> {
    let scratch = SCRATCH.take();
    if scratch.capacity() == 0 { Vec::with_capacity(READ_BYTES) } else { scratch }
}

/// Gives it back, whatever is in it.
pub fn give_scratch(mut scratch: Vec<u8>) {
    debug_assert_eq!(scratch.capacity(), READ_BYTES);
    scratch.clear();
    SCRATCH.set(scratch);
}

/// Frees what is kept.
pub fn clear() {
    KEPT.take();
    LARGE_KEPT.take();
    SCRATCH.take();
}
