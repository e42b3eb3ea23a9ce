//! The mark by which a chunk of a stream is known at the other end: its number, how many there are, and a check of both
//! and of the text that follows.
//!
//! `~number/of:check:filler~`, in letters, digits and punctuation that neither JSON nor any dialect escapes, so that it comes through a
//! translation unchanged. It is the one thing that the simulator and the generator must agree on.

/// Begins and ends a mark, and occurs nowhere else in a numbered stream.
pub const EDGE: u8 = b'~';

/// What a mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// From 0.
    pub number: u64,
    pub of: u64,
}

impl Mark {
    /// Its text, as long as `bytes` if that is long enough for it.
    pub fn text(self, bytes: usize) -> String {
        let number = self.number;
        let bare = self.head(b"").len() + 2;
        // Letters that differ from chunk to chunk: a piece of another one put in its place is noticed.
        let filler: String = (0..bytes.saturating_sub(bare) as u64)
            .map(|at| char::from(b'a' + ((at * 7 + number) % 26) as u8))
            .collect();
        format!("~{}{filler}~", self.head(filler.as_bytes()))
    }

    /// The mark whose text this is, without its edges; none if anything in it is not as it was sent.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (number, rest) = text.split_once('/')?;
        let (of, rest) = rest.split_once(':')?;
        let (_, filler) = rest.split_once(':')?;
        let mark = Self { number: number.parse().ok()?, of: of.parse().ok()? };
        // Written again and compared: a number has more than one way to be read.
        (mark.number < mark.of && text.strip_suffix(filler)? == mark.head(filler.as_bytes())).then_some(mark)
    }

    fn head(self, filler: &[u8]) -> String {
        let Self { number, of } = self;
        format!("{number}/{of}:{:08x}:", check(number, of, filler))
    }
}

/// FNV-1a, folded to 32 bits.
fn check(number: u64, of: u64, filler: &[u8]) -> u32 {
    let numbers = number.to_le_bytes().into_iter().chain(of.to_le_bytes());
    let hash = numbers
        .chain(filler.iter().copied())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ (hash >> 32)) as u32
}
