//! Recognises events that say what the one before said, in other words.
//!
//! The chunks of a stream differ in little but the text that they bring: ids, names, nulls and punctuation come again with each
//! token. What has been read once need not be read again: where a new event has the same bytes, but for what stands between the
//! quotes of a few values, it is valid JSON if those few strings are, and it says of itself what the other did.
//!
//! `recognise` compares; `learn` is shown the events that were read in full. The first is remembered as it is; where a later one
//! differs from it in string values only, these become gaps in what is compared. A value may not become empty, nor an empty
//! one be filled, because that is what a reader asks of a string: is there any?
//!
//! Streams that are of another kind (numbers that change, several choices in turn) are given up after a few attempts, so that
//! learning costs them next to nothing. An event cut into two pieces is not recognised, only read.

use crate::json::strings::{skip_string, valid_end};
use std::ops::Range;

/// Longest event that is remembered, in bytes. What is longer is mostly its text, or does not come again.
const EVENT_BYTES_MAX: usize = 1024;

/// Values that may differ: the text itself, a second one (reasoning, a tool's name), padding against eavesdroppers.
const GAPS_MAX: usize = 4;

/// Events that may be learned from in a row with none of them coming again.
const VAIN_LESSONS_MAX: u8 = 8;

/// What is known of a stream's events.
#[derive(Debug, Default)]
pub struct Repeat {
    /// The last event that was learned from, whole. Empty until there was one.
    text: Vec<u8>,
    /// Insides of strings in `text` that may differ, in order; none of them is empty.
    gaps: Vec<Range<usize>>,
    /// Length of `text` less its gaps.
    frame_bytes: usize,
    vain_lessons: u8,
}

impl Repeat {
    /// One that knows nothing and never will, for tests to compare with.
    #[cfg(test)]
    pub fn never() -> Repeat {
        Repeat { vain_lessons: VAIN_LESSONS_MAX, ..Repeat::default() }
    }

    /// Length of the event at the start of `stream`, if it is one of the kind that was learned.
    #[inline]
    pub fn recognise(&mut self, stream: &[u8]) -> Option<usize> {
        // Asked after each event what follows it: mostly nothing does.
        if self.text.is_empty() || stream.is_empty() { None } else { self.compare(stream) }
    }

    fn compare(&mut self, stream: &[u8]) -> Option<usize> {
        let (mut at, mut from) = (0, 0);
        for gap in &self.gaps {
            let same = &self.text[from..gap.start];
            if !stream[at..].starts_with(same) {
                return None;
            }
            let inside = at + same.len();
            at = valid_end(stream, inside).filter(|end| *end > inside)?;
            from = gap.end;
        }
        let same = &self.text[from..];
        if !stream[at..].starts_with(same) {
            return None;
        }
        self.vain_lessons = 0;
        Some(at + same.len())
    }

    /// What `events` events of `bytes` bytes together, which were recognised, say beside what all of them say.
    pub fn said_bytes(&self, events: usize, bytes: usize) -> u64 {
        (bytes - events * self.frame_bytes) as u64
    }

    /// Takes note of an event that was read in full. It has to be one `data` line with JSON and the blank line, both ended by LF alone.
    pub fn learn(&mut self, event: &[u8]) {
        if self.vain_lessons >= VAIN_LESSONS_MAX || event.len() > EVENT_BYTES_MAX {
            return;
        }
        self.vain_lessons += 1;
        if self.vain_lessons == VAIN_LESSONS_MAX {
            *self = Repeat { vain_lessons: VAIN_LESSONS_MAX, ..Repeat::default() };
            return;
        }
        if !self.find_gaps(event) {
            self.gaps.clear();
        }
        self.text.clear();
        self.text.extend_from_slice(event);
        self.frame_bytes = event.len() - self.gaps.iter().map(Range::len).sum::<usize>();
    }

    /// Finds where `event` may differ from now on: where it differs from `text`, and where `text` might before. False, and any gaps, if
    /// they differ in more than strings.
    fn find_gaps(&mut self, event: &[u8]) -> bool {
        let known = std::mem::take(&mut self.gaps);
        let mut known = known.iter().map(|gap| gap.start).peekable();
        let (old, new) = (&self.text[..], event);
        let (mut old_at, mut new_at) = (0, 0);
        while let (Some(old_byte), Some(new_byte)) = (old.get(old_at), new.get(new_at)) {
            if old_byte != new_byte {
                return false;
            }
            if *new_byte != b'"' {
                (old_at, new_at) = (old_at + 1, new_at + 1);
                continue;
            }
            let (old_end, new_end) = (skip_string(old, old_at), skip_string(new, new_at));
            let (old_inside, new_inside) = (old_at + 1..old_end - 1, new_at + 1..new_end - 1);
            let was_gap = known.next_if_eq(&old_inside.start).is_some();
            if was_gap || old[old_inside.clone()] != new[new_inside.clone()] {
                let is_name = new[new_end..].trim_ascii_start().starts_with(b":");
                if is_name || old_inside.is_empty() || new_inside.is_empty() || self.gaps.len() == GAPS_MAX {
                    return false;
                }
                self.gaps.push(new_inside);
            }
            (old_at, new_at) = (old_end, new_end);
        }
        old_at == old.len() && new_at == new.len()
    }
}

#[cfg(test)]
mod tests;
