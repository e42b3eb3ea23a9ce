//! JSON as a gateway needs it: spans found in one validating pass, small patches, no tree.
//!
//! - [`scan`] validates a body as it arrives and finds its top-level members.
//! - [`walk`] looks further into a text that `scan` has accepted; [`skip`] passes over what is long in it.
//! - [`stops`] finds where a string may end, 64 bytes at a time.
//! - [`string_end`] validates the inside of a string on the way to its end.
//! - [`strings`] reads and writes strings; [`value`] reads small scalars.
//! - [`view`] reads all of such a text, member by member.
//! - [`piece`] carries strings and values from one text into another; [`mod@write`] composes a text.
//! - [`template`] recognises a text that differs from an earlier one in values only, without a scan.
//! - [`patch`] changes a few members and leaves every other byte as the sender wrote it.
//!
//! Nothing here allocates per member, does I/O or knows any API.

pub mod patch;
pub mod piece;
pub mod scan;
pub mod skip;
pub mod stops;
pub mod string_end;
pub mod strings;
pub mod template;
pub mod value;
pub mod view;
pub mod walk;
pub mod write;

/// A stretch of a text, in bytes: `start` inclusive, `end` exclusive.
///
/// Half the size of `Range<usize>`, and `Copy`; texts of 4 GiB and more are refused by the scanner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// A span from offsets that are known to lie within one scanned text, so below 4 GiB.
    pub(crate) fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    /// Its bytes in `text`; empty if the span does not lie in `text`.
    pub fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.range()).unwrap_or_default()
    }

    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    pub fn len(self) -> usize {
        self.range().len()
    }

    /// The same stretch of a text in which this one begins at `offset`.
    pub fn shifted(self, offset: u32) -> Span {
        Span { start: self.start + offset, end: self.end + offset }
    }

    pub fn is_empty(self) -> bool {
        self.start >= self.end
    }
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    String,
    Number,
    Object,
    Array,
    True,
    False,
    #[default]
    Null,
}

impl Kind {
    /// The kind of a well-formed value, from its first byte.
    pub(crate) fn of_first_byte(byte: u8) -> Kind {
        KINDS[usize::from(byte)]
    }
}

static KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Number; 256];
    kinds[b'"' as usize] = Kind::String;
    kinds[b'{' as usize] = Kind::Object;
    kinds[b'[' as usize] = Kind::Array;
    kinds[b't' as usize] = Kind::True;
    kinds[b'f' as usize] = Kind::False;
    kinds[b'n' as usize] = Kind::Null;
    kinds
};

/// JSON's white space.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}
