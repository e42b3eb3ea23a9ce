//! Room for what is read and written, used again in the order last in, first out.
//!
//! A connection holds a buffer only while something is in it: one that waits, for its client or for its upstream, holds none. So a
//! shard with thousands of connections works in the few buffers that its processor's cache still has, and an idle connection costs
//! little.
//!
//! The list belongs to the thread, which is the shard. Buffers that have grown are not taken back, and no more than
//! `KEPT_MAX` are kept; what is missing comes from the allocator.

use crate::limits::READ_BYTES;
use std::cell::RefCell;

/// Room of a buffer. Ordinary chat requests and answers fit; larger bodies go into buffers of their size.
pub const BUFFER_BYTES: usize = 4 * 1024;

/// Buffers kept, 256 KiB of them: as many as one turn of a busy shard has in use.
const KEPT_MAX: usize = 64;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer.
#[inline]
pub fn take() -> Vec<u8> {
    KEPT.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
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
    }
}

/// Room for one read whose bytes go elsewhere at once; empty before and after.
pub fn with_scratch<T>(use_it: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.reserve(READ_BYTES);
        let used = use_it(scratch);
        scratch.clear();
        used
    })
}

/// Frees what is kept.
pub fn clear() {
    KEPT.take();
    SCRATCH.take();
}
