//! A few edits to a JSON text, applied without copying the rest.
//!
//! Edits are noted in any order and applied in the order of the text: [`Patch::segments`] yields stretches of the original and new
//! bytes in turn, ready for a vectored write or for [`Patch::append_to`]. Every byte that no edit covers stays as the sender wrote
//! it, which also keeps a provider's prompt cache warm.
//!
//! Commas follow from the edits as a whole: members may be inserted into an object whose only member is removed, neighbours may
//! be removed together, and the result is well-formed if the original is. Inserted members come first in their object, in
//! the order of insertion: the start of an object is known while its end may still be on its way.
//!
//! At most [`EDITS_MAX`] edits. Two allocations for a patch with edits, none for one without; [`Patch::clear`] keeps them.

use super::scan::Member;
use super::{Span, is_space, strings, value};

/// Most edits in one patch. Requests need about six; an answer with the 128 choices that OpenAI permits needs 256.
pub const EDITS_MAX: usize = 512;

/// Edits to one text. All its methods take that text, which must be well-formed, as `text`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patch {
    /// By place; insertions before a removal at the same place. They do not overlap.
    edits: Vec<Edit>,
    /// The new bytes of all edits.
    words: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edit {
    /// What is replaced, in the original; empty for an insertion.
    at: Span,
    /// What comes there, in `words`.
    new: Span,
    action: Action,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Replace,
    Insert,
    /// The members from the first name to the last value, without the comma that goes with them.
    Remove {
        members: Span,
    },
}

/// Why an edit cannot be noted. Both are limits of the caller, not faults of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchError {
    /// [`EDITS_MAX`] is reached.
    TooManyEdits,
    /// Another edit covers some of the same bytes.
    Overlap,
}

/// A stretch of a patched text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment<'p> {
    /// Bytes of the original.
    Original(std::ops::Range<usize>),
    /// New bytes.
    New(&'p [u8]),
}

impl<'s> Segment<'s> {
    pub fn bytes(self, original: &'s [u8]) -> &'s [u8] {
        match self {
            Segment::Original(range) => original.get(range).unwrap_or_default(),
            Segment::New(bytes) => bytes,
        }
    }
}

impl Patch {
    pub fn new() -> Patch {
        Patch::default()
    }

    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    pub fn clear(&mut self) {
        self.edits.clear();
        self.words.clear();
    }

    /// Replaces a value by `json`, a well-formed value.
    pub fn replace(&mut self, value: Span, json: &[u8]) -> Result<(), PatchError> {
        let new = self.new_bytes(|words| words.extend_from_slice(json))?;
        self.note(Edit { at: value, new, action: Action::Replace })
    }

    /// Replaces a value by a string that says `said`.
    pub fn replace_by_string(&mut self, at: Span, said: &str) -> Result<(), PatchError> {
        let new = self.new_bytes(|words| write_string(words, said))?;
        self.note(Edit { at, new, action: Action::Replace })
    }

    /// Inserts a member into `object`, which must not have one of that name; `json` is a well-formed value.
    pub fn insert(&mut self, text: &[u8], object: Span, name: &str, json: &[u8]) -> Result<(), PatchError> {
        self.insert_member(text, object, name, |words| words.extend_from_slice(json))
    }

    /// Inserts a member whose value is a string that says `said`.
    pub fn insert_string(&mut self, text: &[u8], object: Span, name: &str, said: &str) -> Result<(), PatchError> {
        self.insert_member(text, object, name, |words| write_string(words, said))
    }

    fn insert_member(
        &mut self,
        text: &[u8],
        object: Span,
        name: &str,
        value: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), PatchError> {
        // Written with its comma; whether that counts is settled below, and again by every later edit there.
        let new = self.new_bytes(|words| {
            write_string(words, name);
            words.push(b':');
            value(words);
            words.push(b',');
        })?;
        let at = object.start + 1;
        self.note(Edit { at: Span { start: at, end: at }, new, action: Action::Insert })?;
        self.settle_commas(text, at);
        Ok(())
    }

    /// Removes a member and one comma, if the object has another member.
    pub fn remove(&mut self, text: &[u8], member: &Member) -> Result<(), PatchError> {
        if self.edits.len() == EDITS_MAX {
            return Err(PatchError::TooManyEdits);
        }
        let mut members = Span { start: member.key.start, end: member.value.end };
        if self.edits.iter().any(|edit| overlap(edit.at, members) && !matches!(edit.action, Action::Remove { .. })) {
            return Err(PatchError::Overlap);
        }
        // Neighbours that are removed one by one would dispute the comma between them: they become one removal.
        let mut merged = Ok(());
        self.edits.retain(|edit| {
            let Action::Remove { members: other } = edit.action else { return true };
            if overlap(other, members) {
                merged = Err(PatchError::Overlap);
            } else if only_a_comma(text, other.end, members.start) {
                members.start = other.start;
                return false;
            } else if only_a_comma(text, members.end, other.start) {
                members.end = other.end;
                return false;
            }
            true
        });
        merged?;

        let after = next_solid(text, members.end as usize);
        let before = previous_solid(text, members.start as usize);
        let at = match (text.get(before), text.get(after)) {
            (_, Some(b',')) => Span { start: members.start, end: after as u32 + 1 },
            (Some(b','), _) => Span { start: before as u32, end: members.end },
            _ => members,
        };
        self.note(Edit { at, new: Span::default(), action: Action::Remove { members } })?;
        if text.get(before) == Some(&b'{') {
            self.settle_commas(text, before as u32 + 1);
        }
        Ok(())
    }

    /// The patched text in order, without empty segments.
    pub fn segments(&self, original_bytes: usize) -> impl Iterator<Item = Segment<'_>> {
        let mut taken = 0;
        let ends =
            Edit { at: Span::new(original_bytes, original_bytes), new: Span::default(), action: Action::Replace };
        self.edits
            .iter()
            .copied()
            .chain([ends])
            .flat_map(move |edit| {
                let kept = Segment::Original(taken..edit.at.start as usize);
                taken = edit.at.end as usize;
                [kept, Segment::New(edit.new.of(&self.words))]
            })
            .filter(|segment| match segment {
                Segment::Original(range) => !range.is_empty(),
                Segment::New(bytes) => !bytes.is_empty(),
            })
    }

    /// Length of the patched text, in bytes.
    pub fn patched_bytes(&self, original_bytes: usize) -> usize {
        let sums =
            self.edits.iter().fold((0, 0), |(added, removed), edit| (added + edit.new.len(), removed + edit.at.len()));
        let (added, removed) = sums;
        (original_bytes + added).saturating_sub(removed)
    }

    /// Appends the patched text to `out`, which should have room for `patched_bytes`.
    pub fn append_to(&self, original: &[u8], out: &mut Vec<u8>) {
        let mut taken = 0;
        for edit in &self.edits {
            out.extend_from_slice(original.get(taken..edit.at.start as usize).unwrap_or_default());
            out.extend_from_slice(edit.new.of(&self.words));
            taken = edit.at.end as usize;
        }
        out.extend_from_slice(original.get(taken..).unwrap_or_default());
    }

    fn new_bytes(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<Span, PatchError> {
        if self.edits.len() == EDITS_MAX {
            return Err(PatchError::TooManyEdits);
        }
        let start = self.words.len();
        write(&mut self.words);
        Ok(Span::new(start, self.words.len()))
    }

    fn note(&mut self, edit: Edit) -> Result<(), PatchError> {
        // Most edits come in the order of the text. As those that are there do not overlap, only the neighbours can be in the way.
        let rank = |edit: &Edit| (edit.at.start, !matches!(edit.action, Action::Insert));
        let place = self.edits.iter().rposition(|other| rank(other) <= rank(&edit)).map_or(0, |before| before + 1);
        let is_in_the_way = |other: &Edit| overlap(other.at, edit.at);
        if self.edits[..place].last().is_some_and(is_in_the_way) || self.edits.get(place).is_some_and(is_in_the_way) {
            return Err(PatchError::Overlap);
        }
        if place == self.edits.len() {
            self.edits.push(edit);
        } else {
            self.edits.insert(place, edit);
        }
        Ok(())
    }

    /// Gives each member inserted at `at`, the inside of an object, a comma if anything follows it.
    fn settle_commas(&mut self, text: &[u8], at: u32) {
        let removed_to = self.edits.iter().find_map(|edit| match edit.action {
            Action::Remove { members } if previous_solid(text, members.start as usize) + 1 == at as usize => {
                Some(members.end)
            }
            _ => None,
        });
        let rest = next_solid(text, removed_to.unwrap_or(at) as usize);
        let alone = text.get(rest) == Some(&b'}');
        let from = self.edits.partition_point(|edit| edit.at.start < at);
        let inserted =
            self.edits[from..].iter().take_while(|edit| edit.at.start == at && edit.action == Action::Insert);
        let to = from + inserted.count();
        for (place, edit) in self.edits[from..to].iter_mut().enumerate() {
            // No value ends with a comma, so the last byte tells.
            let with_comma = from + place + 1 < to || !alone;
            let has_comma = self.words.get(edit.new.end as usize - 1) == Some(&b',');
            match (has_comma, with_comma) {
                (true, false) => edit.new.end -= 1,
                (false, true) => edit.new.end += 1,
                _ => {}
            }
        }
    }
}

/// Writes a string. Nearly all that is put into a text, names of members and of models, stands there as it is.
fn write_string(words: &mut Vec<u8>, said: &str) {
    if !value::is_plain(said.as_bytes()) {
        return strings::write_string(words, said);
    }
    words.reserve(said.len() + 2);
    words.push(b'"');
    words.extend_from_slice(said.as_bytes());
    words.push(b'"');
}

fn overlap(one: Span, other: Span) -> bool {
    // An insertion is empty and touches only what has bytes on both sides of it.
    one.start < other.end && other.start < one.end
}

/// Index of the next byte at or after `at` that is no white space.
fn next_solid(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|&byte| !is_space(byte)).unwrap_or(rest.len())
}

/// Index of the last byte before `at` that is no white space; 0 if there is none.
fn previous_solid(text: &[u8], at: usize) -> usize {
    text.get(..at).and_then(|before| before.iter().rposition(|&byte| !is_space(byte))).unwrap_or(0)
}

/// Is there one comma and nothing else but white space between two members?
fn only_a_comma(text: &[u8], end: u32, start: u32) -> bool {
    let comma = next_solid(text, end as usize);
    end <= start && text.get(comma) == Some(&b',') && next_solid(text, comma + 1) == start as usize
}

#[cfg(test)]
mod tests;
