//! Maps that a request looks into, with a hash that costs a few instructions.
//!
//! Only the configuration adds entries, so no client can crowd a place of the map; that is what the standard library's hash is proof
//! against, for some hundred instructions a lookup. What a client can do is ask for names that all choose one place, and find
//! there the few entries that the configuration has put.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A map whose entries come from the configuration.
pub type ConfigMap<K, V> = HashMap<K, V, BuildHasherDefault<WordHasher>>;

/// Takes in eight bytes with one multiplication.
#[derive(Default)]
pub struct WordHasher(u64);

/// An odd number without a pattern: the golden ratio as a fraction of 2^64.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl WordHasher {
    #[inline]
    fn take_in(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    }
}

impl Hasher for WordHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.take_in(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            // The last word may repeat a part of the one before it; only a short text is put together byte by byte.
            let last = bytes.last_chunk::<8>().map(|word| u64::from_le_bytes(*word));
            let last = last.unwrap_or_else(|| rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
            self.take_in(last.wrapping_add(rest.len() as u64));
        }
    }

    /// The end of a text.
    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.take_in(byte.into());
    }

    /// How long a key is that is no text.
    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.take_in(word as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        // The map uses the lowest and the highest bits; a product's lowest are its weakest.
        self.0 ^ self.0 >> 32
    }
}

#[cfg(test)]
mod tests;
