//! Looks for `"stream":true` in a body that comes in pieces, wherever it is cut.

use memchr::memmem::Finder;
use std::sync::LazyLock;

/// Bytes of the word with the room that may stand in it.
const WORD_BYTES_MAX: usize = 16;

/// Built once: that costs as much as the search in a small body.
static NAME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"stream\":"));

/// What has been seen of a body.
#[derive(Debug, Default)]
pub(super) struct StreamWord {
    pub seen: bool,
    /// The end of what came before, in which the word may begin.
    tail: Vec<u8>,
}

impl StreamWord {
    /// Looks at the whole body at once.
    pub fn is_in(body: &[u8]) -> bool {
        NAME.find(body).is_some_and(|at| body[at + 9..].trim_ascii_start().starts_with(b"true"))
    }

    pub fn feed(&mut self, piece: &[u8]) {
        if self.seen {
            return;
        }
        if !self.tail.is_empty() {
            self.tail.extend_from_slice(&piece[..piece.len().min(WORD_BYTES_MAX)]);
        }
        self.seen = Self::is_in(&self.tail) || Self::is_in(piece);
        if piece.len() >= WORD_BYTES_MAX {
            self.tail.clear();
            self.tail.extend_from_slice(&piece[piece.len() - WORD_BYTES_MAX..]);
        } else if self.tail.is_empty() {
            self.tail.extend_from_slice(piece);
        } else {
            // The piece has been appended above; only as much of all as the word can need is kept.
            let surplus = self.tail.len().saturating_sub(WORD_BYTES_MAX);
            self.tail.drain(..surplus);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StreamWord;

    #[test]
    fn the_word_is_found_wherever_it_is_cut() {
        let asks = br#"{"model":"m","stream_options":{"include_usage":true},"stream": true,"messages":[]}"#;
        let does_not = br#"{"model":"m","stream": false,"messages":["\"stream\":true"]}"#;
        for (body, expected) in [(&asks[..], true), (&does_not[..], false)] {
            for size in 1..=body.len() {
                let mut word = StreamWord::default();
                body.chunks(size).for_each(|piece| word.feed(piece));
                assert_eq!(word.seen, expected, "in pieces of {size}");
            }
        }
    }
}
