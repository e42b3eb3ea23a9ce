//! Pieces of JSON that are carried from one text into another: strings as they were escaped, values as they were written.
//!
//! A string that is escaped in one text stands as it is in any other, so a prompt of a megabyte is translated by copying it. Only what
//! has to be understood (names, ids, `data:` URLs) is decoded.

use super::{Kind, Span, strings, walk};
use std::borrow::Cow;

/// What a string says, in whichever form it is at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text<'a> {
    /// As it stands between the quotes of a string in a text that has been scanned.
    Escaped(Cow<'a, [u8]>),
    /// What is meant, to be escaped when it is written.
    Plain(Cow<'a, str>),
}

/// A value as it is written in a text that has been scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw<'a>(pub Cow<'a, [u8]>);

impl Default for Text<'_> {
    fn default() -> Self {
        Text::Plain(Cow::Borrowed(""))
    }
}

impl<'a> Text<'a> {
    /// The string that starts at `at` in a scanned text; `None` for another kind of value.
    pub fn at(text: &'a [u8], at: usize) -> Option<Text<'a>> {
        (walk::kind_at(text, at) == Kind::String).then(|| Text::literal(walk::value(text, at).of(text)))
    }

    /// The string that `literal` is, with its quotes.
    pub fn literal(literal: &'a [u8]) -> Text<'a> {
        Text::Escaped(Cow::Borrowed(literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default()))
    }

    pub fn plain(said: impl Into<Cow<'a, str>>) -> Text<'a> {
        Text::Plain(said.into())
    }

    /// What a value says as it is written, such as an object that goes into a string.
    pub fn of_raw(raw: &'a [u8]) -> Text<'a> {
        Text::Plain(String::from_utf8_lossy(raw))
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Text::Escaped(escaped) => escaped.is_empty(),
            Text::Plain(plain) => plain.is_empty(),
        }
    }

    /// Its length as it is at hand, in bytes.
    pub fn len(&self) -> usize {
        match self {
            Text::Escaped(escaped) => escaped.len(),
            Text::Plain(plain) => plain.len(),
        }
    }

    /// What is meant. A lone surrogate, which JSON can write and UTF-8 cannot, becomes U+FFFD and ends it.
    pub fn decoded(&self) -> Cow<'_, str> {
        match self {
            Text::Plain(plain) => Cow::Borrowed(plain),
            Text::Escaped(escaped) if !escaped.contains(&b'\\') => String::from_utf8_lossy(escaped),
            Text::Escaped(escaped) => Cow::Owned(strings::decode_lossy(escaped)),
        }
    }

    /// The same for whoever compares it: that need not be UTF-8 for sure.
    pub fn decoded_bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Text::Escaped(escaped) if !escaped.contains(&b'\\') => Cow::Borrowed(escaped),
            _ => match self.decoded() {
                Cow::Borrowed(said) => Cow::Borrowed(said.as_bytes()),
                Cow::Owned(said) => Cow::Owned(said.into_bytes()),
            },
        }
    }

    /// Appends what is meant, as `decoded` has it.
    pub fn append_decoded(&self, said: &mut String) {
        match self {
            Text::Plain(plain) => said.push_str(plain),
            Text::Escaped(escaped) => strings::append_decoded(escaped, said),
        }
    }

    pub fn says(&self, expected: &str) -> bool {
        match self {
            Text::Plain(plain) => plain == expected,
            Text::Escaped(escaped) if !escaped.contains(&b'\\') => **escaped == *expected.as_bytes(),
            Text::Escaped(_) => self.decoded() == expected,
        }
    }

    /// Appends it as it stands between the quotes of a string.
    pub fn append_escaped(&self, out: &mut Vec<u8>) {
        match self {
            Text::Escaped(escaped) => out.extend_from_slice(escaped),
            Text::Plain(plain) => strings::write_escaped(out, plain),
        }
    }

    /// The same text, borrowed from this one.
    pub fn by_ref(&self) -> Text<'_> {
        match self {
            Text::Escaped(escaped) => Text::Escaped(Cow::Borrowed(escaped)),
            Text::Plain(plain) => Text::Plain(Cow::Borrowed(plain)),
        }
    }

    pub fn into_owned(self) -> Text<'static> {
        match self {
            Text::Escaped(escaped) => Text::Escaped(Cow::Owned(escaped.into_owned())),
            Text::Plain(plain) => Text::Plain(Cow::Owned(plain.into_owned())),
        }
    }
}

impl<'a> Raw<'a> {
    /// The value that starts at `at` in a scanned text.
    pub fn at(text: &'a [u8], at: usize) -> Raw<'a> {
        Raw::of(text, walk::value(text, at))
    }

    pub fn of(text: &'a [u8], value: Span) -> Raw<'a> {
        Raw(Cow::Borrowed(value.of(text)))
    }

    pub fn kind(&self) -> Kind {
        walk::kind_at(&self.0, 0)
    }
}
