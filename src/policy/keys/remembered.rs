//! What a connection has shown last and whose it was, so that a client that says the same to the same host is not looked up again.
//!
//! It holds under the snapshot that it was found in and until the key expires: after a reload the client is looked up anew, so a
//! key that is gone is refused with the next request, as is a host. Only what was accepted is remembered.
//!
//! The shown and the remembered value are secrets that need not belong to one client (a proxy may carry many over one connection), so they are compared in
//! a time that depends on their length alone. The copy lives as long as its connection is in use, beside the buffers that hold the
//! same bytes, and is given up with them when it idles.

use crate::config::snapshot::{ClientKey, Snapshot};
use std::ops::RangeInclusive;
use subtle::ConstantTimeEq;

/// One connection's memory. A word until there is something to remember.
#[derive(Default)]
pub struct Remembered(Option<Box<Shown>>);

struct Shown {
    /// Of the snapshot in which the key was found.
    generation: u64,
    /// See `ClientKey::index`.
    key: u32,
    /// Unix time in seconds; `u64::MAX` for a key that does not expire.
    expires_at_s: u64,
    /// The `Host` value that came with it.
    host: Box<[u8]>,
    /// The whole `Authorization` value. Secret.
    authorization: Box<[u8]>,
}

/// Shortest and longest value that is remembered, in bytes: a key of ours has 53 with its scheme.
const AUTHORIZATION_BYTES: RangeInclusive<usize> = BLOCK..=256;

/// Longest host that is remembered, in bytes: no name in the DNS is longer.
const HOST_BYTES_MAX: usize = 255;

impl Remembered {
    /// The index of the key, if these very values were accepted before and still are.
    #[inline]
    pub fn recall(&self, snapshot: &Snapshot, host: &[u8], authorization: &[u8], now_s: u64) -> Option<u32> {
        let shown = self.0.as_deref()?;
        let holds = shown.generation == snapshot.generation && now_s < shown.expires_at_s && *shown.host == *host;
        (holds && are_equal(&shown.authorization, authorization)).then_some(shown.key)
    }

    /// Remembers values that were accepted.
    pub fn note(&mut self, snapshot: &Snapshot, host: &[u8], authorization: &[u8], key: &ClientKey) {
        let is_usual = AUTHORIZATION_BYTES.contains(&authorization.len()) && host.len() <= HOST_BYTES_MAX;
        self.0 = is_usual.then(|| {
            Box::new(Shown {
                generation: snapshot.generation,
                key: key.index,
                expires_at_s: key.expires_at_s.unwrap_or(u64::MAX),
                host: host.into(),
                authorization: authorization.into(),
            })
        });
    }

    /// Gives the memory up.
    pub fn forget(&mut self) {
        self.0 = None;
    }
}

/// Bytes that are compared at once: one after the other takes longer than hashing the value anew.
const BLOCK: usize = 32;

/// Are they the same, and at least a block long? In a time that depends on their lengths only.
#[inline]
pub fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let (Some(last), Some(other_last)) = (one.last_chunk(), other.last_chunk()) else { return false };
    if one.len() != other.len() {
        return false;
    }
    // The last block may repeat a part of the one before it.
    let last = difference(last, other_last);
    let blocks = one.as_chunks().0.iter().zip(other.as_chunks().0);
    blocks.fold(last, |sum, (block, other)| sum | difference(block, other)).ct_eq(&0).into()
}

/// 0 when they are the same.
#[inline]
fn difference(block: &[u8; BLOCK], other: &[u8; BLOCK]) -> u64 {
    let word = |word: &[u8; 8]| u64::from_ne_bytes(*word);
    let words = block.as_chunks().0.iter().zip(other.as_chunks().0);
    words.fold(0, |sum, (one, other)| sum | (word(one) ^ word(other)))
}

#[cfg(test)]
mod tests;
