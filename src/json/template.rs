//! Recognises texts that say what an earlier one said, in other words and with other numbers.
//!
//! What a server answers differs little from one time to the next: names, punctuation, nulls and white space come again, and what stands
//! between the quotes of a few values, and a few numbers, does not. What has been scanned once need not be scanned again: where a new
//! text has the same bytes but for such gaps, it is well-formed if what fills them is, and has the same members in the same
//! places.
//!
//! `recognise` compares; `learn` is shown the texts that were scanned. The first is remembered as it is; where a later one differs
//! from it in values only, these become gaps in what is compared. Anything else that differs makes the later text the
//! remembered one, without gaps.
//!
//! Texts that differ each time in something else are left alone for a while after a few lessons, so that learning costs them little.

use super::{scan::usual_number_end, strings};
use std::ops::Range;

/// Longest text that is remembered, in bytes. What is longer is mostly its own words, or a list of numbers.
pub const TEXT_BYTES_MAX: usize = 4 * 1024;

/// Values that may differ. An answer has an id, a time, a text, and three to seven counts of tokens.
const GAPS_MAX: usize = 16;

/// Texts that may be learned from in a row with none of them coming again.
const VAIN_LESSONS_MAX: u32 = 8;

/// Texts that are not learned from after that.
const REST: u32 = 1_000;

/// What is known of some texts, with `N` places of interest in each.
#[derive(Debug)]
pub struct Template<const N: usize> {
    /// The last text that was learned from. Empty until there was one.
    text: Vec<u8>,
    gaps: Vec<Gap>,
    /// Places in `text` outside the gaps; 0 for one that the texts do not have.
    marks: [usize; N],
    vain_lessons: u32,
    rest: u32,
}

/// A stretch of the remembered text that may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gap {
    at: Range<usize>,
    fill: Fill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fill {
    /// The inside of a string.
    Words,
    Number,
}

impl<const N: usize> Default for Template<N> {
    fn default() -> Self {
        Template { text: Vec::new(), gaps: Vec::new(), marks: [0; N], vain_lessons: 0, rest: 0 }
    }
}

impl<const N: usize> Template<N> {
    /// Where in `text` stands what stood at the marks, if it is a text of the kind that was learned.
    #[inline]
    pub fn recognise(&mut self, text: &[u8]) -> Option<[usize; N]> {
        if self.text.is_empty() {
            return None;
        }
        let (mut at, mut from, mut marks) = (0, 0, self.marks);
        for Gap { at: gap, fill } in &self.gaps {
            let same = self.text.get(from..gap.start)?;
            if !text.get(at..)?.starts_with(same) {
                return None;
            }
            at = fill.end(text, at + same.len())?;
            from = gap.end;
            for (mark, known) in marks.iter_mut().zip(self.marks) {
                if from <= known {
                    *mark = at + (known - from);
                }
            }
        }
        if text.get(at..)? != self.text.get(from..)? {
            return None;
        }
        self.vain_lessons = 0;
        Some(marks)
    }

    /// Takes note of a text that is well-formed and ends with its root. `marks` are the starts of members' values.
    pub fn learn(&mut self, text: &[u8], marks: [usize; N]) {
        if text.len() > TEXT_BYTES_MAX {
            return;
        }
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        self.vain_lessons += 1;
        if self.vain_lessons == VAIN_LESSONS_MAX {
            *self = Template { rest: REST, ..Template::default() };
            return;
        }
        if !self.find_gaps(text) {
            self.gaps.clear();
        }
        self.text.clear();
        self.text.extend_from_slice(text);
        self.marks = marks;
    }

    /// Finds where texts may differ from now on: where `new` differs from the remembered one, and where that might before. False, and
    /// any gaps, if they differ in more than values.
    fn find_gaps(&mut self, new: &[u8]) -> bool {
        let known = std::mem::take(&mut self.gaps);
        let mut known = known.iter().map(|gap| gap.at.start).peekable();
        let old = &self.text[..];
        let (mut old_at, mut new_at) = (0, 0);
        while let (Some(old_byte), Some(new_byte)) = (old.get(old_at), new.get(new_at)) {
            // Outside of strings these are numbers.
            let fill = match (old_byte, new_byte) {
                (b'"', b'"') => Fill::Words,
                (b'-' | b'0'..=b'9', b'-' | b'0'..=b'9') => Fill::Number,
                (old_byte, new_byte) if old_byte == new_byte => {
                    (old_at, new_at) = (old_at + 1, new_at + 1);
                    continue;
                }
                _ => return false,
            };
            let (old_value, new_value) = (fill.value(old, old_at), fill.value(new, new_at));
            let (old_inside, new_inside) = (fill.inside(&old_value), fill.inside(&new_value));
            let was_gap = known.next_if_eq(&old_inside.start).is_some();
            if was_gap || old[old_inside] != new[new_inside.clone()] {
                let is_name = new[new_value.end..].trim_ascii_start().starts_with(b":");
                if is_name || self.gaps.len() == GAPS_MAX {
                    return false;
                }
                self.gaps.push(Gap { at: new_inside, fill });
            }
            (old_at, new_at) = (old_value.end, new_value.end);
        }
        old_at == old.len() && new_at == new.len()
    }
}

impl Fill {
    /// Where what fills a gap at `at` ends, if it is valid. What has to follow it is compared: so a number that goes on ends no gap.
    #[inline]
    fn end(self, text: &[u8], at: usize) -> Option<usize> {
        match self {
            Fill::Words => strings::valid_end(text, at),
            Fill::Number => usual_number_end(text, at),
        }
    }

    /// The value that begins at `at` in a text that is well-formed.
    fn value(self, text: &[u8], at: usize) -> Range<usize> {
        let is_of_number = |byte: &&u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
        match self {
            Fill::Words => at..strings::skip_string(text, at),
            Fill::Number => at..at + text[at..].iter().take_while(is_of_number).count(),
        }
    }

    /// The part of a value that may differ.
    fn inside(self, value: &Range<usize>) -> Range<usize> {
        match self {
            Fill::Words => value.start + 1..value.end - 1,
            Fill::Number => value.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
