//! Several runs of bytes, each with an end of its own, as one: how the answers of several calls travel as one answer.
//!
//! A piece of a lane is its number (a byte), its length (four bytes, the lowest first) and its bytes. A piece without bytes is the lane's
//! end. Nothing of this leaves the process.

/// Appends a piece; an empty one ends the lane.
pub fn append(lane: u8, piece: &[u8], out: &mut Vec<u8>) {
    // A longer one would be a gigabyte in one read.
    let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
    out.push(lane);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&piece[..length as usize]);
}

/// Takes the pieces apart again, wherever what they travel in was cut.
#[derive(Debug, Default)]
pub struct Cutter {
    head: [u8; HEAD_BYTES],
    head_held: usize,
    /// Bytes that the present piece still has.
    left: usize,
}

const HEAD_BYTES: usize = 5;

/// A part of a lane.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'b> {
    Bytes(&'b [u8]),
    End,
}

impl Cutter {
    /// The next part in `bytes`, which are advanced beyond it; `None` when nothing is left in them.
    pub fn next<'b>(&mut self, bytes: &mut &'b [u8]) -> Option<(usize, Part<'b>)> {
        if self.left == 0 {
            let taken = bytes.len().min(HEAD_BYTES - self.head_held);
            let (head, rest) = bytes.split_at(taken);
            self.head[self.head_held..self.head_held + taken].copy_from_slice(head);
            self.head_held += taken;
            *bytes = rest;
            if self.head_held < HEAD_BYTES {
                return None;
            }
            self.head_held = 0;
            let [lane, length @ ..] = self.head;
            self.left = u32::from_le_bytes(length) as usize;
            if self.left == 0 {
                return Some((lane.into(), Part::End));
            }
        }
        let (part, rest) = bytes.split_at(bytes.len().min(self.left));
        *bytes = rest;
        self.left -= part.len();
        (!part.is_empty()).then_some((self.head[0].into(), Part::Bytes(part)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The bytes of each lane, and which have ended.
    fn taken_apart<'b>(pieces: impl Iterator<Item = &'b [u8]>) -> Vec<(Vec<u8>, bool)> {
        let mut lanes = vec![(Vec::new(), false); 4];
        let mut cutter = Cutter::default();
        for mut piece in pieces {
            while let Some((lane, part)) = cutter.next(&mut piece) {
                match part {
                    Part::Bytes(bytes) => lanes[lane].0.extend_from_slice(bytes),
                    Part::End => lanes[lane].1 = true,
                }
            }
        }
        lanes
    }

    proptest! {
        #[test]
        fn lanes_come_apart_wherever_they_are_cut(
            pieces in proptest::collection::vec((0_u8..4, proptest::collection::vec(any::<u8>(), 0..300)), 0..20),
            cut in 1_usize..400,
        ) {
            let mut expected = vec![(Vec::new(), false); 4];
            let mut out = Vec::new();
            for (lane, piece) in &pieces {
                append(*lane, piece, &mut out);
                expected[usize::from(*lane)].0.extend_from_slice(piece);
                expected[usize::from(*lane)].1 |= piece.is_empty();
            }
            prop_assert_eq!(taken_apart(out.chunks(cut)), expected);
        }
    }
}
