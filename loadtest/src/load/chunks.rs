//! Whether each numbered chunk of a stream arrives once, in order and whole.
//!
//! Looks for marks in the bytes of the body and nothing else, so that a gateway may frame, merge or translate events as it
//! likes. A number that is passed over is missing until it comes: late, it is out of order; never, lost. What looks like a
//! mark and is none was altered; the chunk that it was is not also counted as lost.

use std::collections::BTreeSet;

use memchr::memchr;

use super::report::Fidelity;
use crate::chunk_mark::{EDGE, Mark};
use crate::limits::{CHUNK_MARK_BYTES_MAX, CHUNKS_MISSING_MAX};

#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// One above the highest number that came.
    next: u64,
    /// Below `next`, and not come yet.
    missing: BTreeSet<u64>,
    of: Option<u64>,
    found: Fidelity,
    /// The beginning of a mark whose end has not come.
    partial: Vec<u8>,
    within: bool,
}

impl Chunks {
    pub fn clear(&mut self) {
        let mut partial = std::mem::take(&mut self.partial);
        partial.clear();
        *self = Self { partial, ..Self::default() };
    }

    pub fn feed(&mut self, mut piece: &[u8]) {
        while let Some(edge) = memchr(EDGE, piece) {
            if self.within {
                self.keep(&piece[..edge]);
                let mark = Mark::parse(&self.partial);
                self.partial.clear();
                self.on_mark(mark);
            }
            self.within = !self.within;
            piece = &piece[edge + 1..];
        }
        if self.within {
            self.keep(piece);
        }
    }

    /// A mark that is longer than any is wrong anyway.
    fn keep(&mut self, piece: &[u8]) {
        let room = CHUNK_MARK_BYTES_MAX.saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&piece[..room.min(piece.len())]);
    }

    fn on_mark(&mut self, mark: Option<Mark>) {
        self.found.chunks += 1;
        let Some(Mark { number, of }) = mark else {
            self.found.altered += 1;
            return;
        };
        self.of = Some(of);
        if number >= self.next {
            let gap = number - self.next;
            if self.missing.len() as u64 + gap > CHUNKS_MISSING_MAX {
                self.found.lost += gap;
            } else {
                self.missing.extend(self.next..number);
            }
            self.next = number + 1;
        } else if self.missing.remove(&number) {
            self.found.out_of_order += 1;
        } else {
            self.found.repeated += 1;
        }
    }

    /// What is to be said of a stream that has ended. One in which no chunk was found has lost at least one.
    pub fn finish(&mut self) -> Fidelity {
        let mut found = std::mem::take(&mut self.found);
        found.streams = 1;
        found.altered += u64::from(std::mem::take(&mut self.within));
        let missing = self.missing.len() as u64 + self.of.map_or(1, |of| of.saturating_sub(self.next));
        found.lost += missing.saturating_sub(found.altered);
        found
    }
}

#[cfg(test)]
mod tests;
