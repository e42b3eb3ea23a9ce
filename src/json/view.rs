//! A value of a scanned text, to be read member by member: for whoever reads all of a text, where [`super::walk`] finds a few places.
//!
//! Nothing is validated again, nothing is copied. A value is passed over once at each level that it is nested in, at the speed of
//! [`super::walk::value_end`].

use super::piece::{Raw, Text};
use super::{Kind, Span, is_space, strings, value, walk};
use std::borrow::Cow;

/// A value in its text.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    text: &'a [u8],
    span: Span,
}

impl<'a> Value<'a> {
    /// The value that a scanned text is.
    pub fn root(text: &'a [u8]) -> Value<'a> {
        let start = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
        Value::at(text, start)
    }

    /// The value that starts at `at`.
    pub fn at(text: &'a [u8], at: usize) -> Value<'a> {
        Value { text, span: walk::value(text, at) }
    }

    pub fn kind(self) -> Kind {
        walk::kind_at(self.text, self.span.start as usize)
    }

    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// As it is written.
    pub fn bytes(self) -> &'a [u8] {
        self.span.of(self.text)
    }

    pub fn span(self) -> Span {
        self.span
    }

    pub fn raw(self) -> Raw<'a> {
        Raw(Cow::Borrowed(self.bytes()))
    }

    /// `None` for another kind than a string.
    pub fn text(self) -> Option<Text<'a>> {
        (self.kind() == Kind::String).then(|| Text::literal(self.bytes()))
    }

    pub fn u64(self) -> Option<u64> {
        value::u64_in(self.text, self.span)
    }

    pub fn bool(self) -> Option<bool> {
        value::bool_value(self.bytes())
    }

    /// Does it say exactly `expected`?
    pub fn says(self, expected: &str) -> bool {
        strings::says(self.bytes(), expected)
    }

    /// Its members in order; none if it is no object. A name with escapes is decoded.
    pub fn members(self) -> Members<'a> {
        let inside = matches!(self.kind(), Kind::Object).then_some(self.span.start as usize + 1);
        Members { text: self.text, at: inside }
    }

    /// Its elements in order; none if it is no array.
    pub fn elements(self) -> Elements<'a> {
        let inside = matches!(self.kind(), Kind::Array).then_some(self.span.start as usize + 1);
        Elements { text: self.text, at: inside }
    }

    /// The last member with this name: where a name appears twice, decoders take the last.
    pub fn get(self, name: &str) -> Option<Value<'a>> {
        self.members().filter(|(found, _)| **found == *name.as_bytes()).last().map(|(_, value)| value)
    }

    /// As `get`, for a member that is not null.
    pub fn some(self, name: &str) -> Option<Value<'a>> {
        self.get(name).filter(|value| !value.is_null())
    }
}

/// Members with their names.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    text: &'a [u8],
    at: Option<usize>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, [u8]>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let at = solid(self.text, self.at.take()?);
        if self.text.get(at) != Some(&b'"') {
            return None;
        }
        let key = walk::value(self.text, at);
        let inner = &self.text[at + 1..(key.end as usize).saturating_sub(1).max(at + 1)];
        let name = match inner.contains(&b'\\') {
            false => Cow::Borrowed(inner),
            true => Cow::Owned(strings::decode_lossy(inner).into_bytes()),
        };
        let colon = solid(self.text, key.end as usize);
        let value = Value::at(self.text, solid(self.text, colon + 1));
        self.at = Some(after_comma(self.text, value.span.end as usize));
        Some((name, value))
    }
}

/// The elements of an array.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    text: &'a [u8],
    at: Option<usize>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let at = solid(self.text, self.at.take()?);
        if matches!(self.text.get(at), None | Some(b']' | b'}' | b',' | b':')) {
            return None;
        }
        let value = Value::at(self.text, at);
        // A text that was never scanned must not keep anybody here.
        self.at = Some(after_comma(self.text, value.span.end as usize).max(at + 1));
        Some(value)
    }
}

/// Index of the first byte from `at` on that is no white space.
fn solid(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(|byte| is_space(*byte)) {
        at += 1;
    }
    at
}

/// Index after the comma that follows a value, or of whatever ends its container.
fn after_comma(text: &[u8], end: usize) -> usize {
    let at = solid(text, end);
    if text.get(at) == Some(&b',') { at + 1 } else { at }
}

/// Where a value is in its text, for messages: `messages[2].content[0].type`. Costs nothing until it is shown.
#[derive(Debug, Clone, Copy)]
pub enum Path<'p> {
    Root,
    Member(&'p Path<'p>, &'p str),
    Element(&'p Path<'p>, usize),
}

impl<'p> Path<'p> {
    pub fn member(&'p self, name: &'p str) -> Path<'p> {
        Path::Member(self, name)
    }

    pub fn element(&'p self, index: usize) -> Path<'p> {
        Path::Element(self, index)
    }
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Member(Path::Root, name) => f.write_str(name),
            Path::Member(parent, name) => write!(f, "{parent}.{name}"),
            Path::Element(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The tree of a value, as serde_json has it.
    fn tree(value: Value<'_>) -> serde_json::Value {
        match value.kind() {
            Kind::Object => serde_json::Value::Object(
                value
                    .members()
                    .map(|(name, value)| (String::from_utf8(name.into_owned()).unwrap(), tree(value)))
                    .collect(),
            ),
            Kind::Array => value.elements().map(tree).collect(),
            Kind::String => value.text().unwrap().decoded().into_owned().into(),
            _ => serde_json::from_slice(value.bytes()).unwrap(),
        }
    }

    #[test]
    fn reads_what_serde_reads() {
        for text in [
            r#" {"a":[1,-2.5e3,true,false,null,"x\né\u00e9\ud83d\ude00"],"b":{"":{}},"\u0063" : [ ] , "d":[[ ],{}] } "#,
            "[]",
            "\n{ }",
            r#"["}",{"]":"\\\""}]"#,
        ] {
            assert_eq!(tree(Value::root(text.as_bytes())), serde_json::from_str::<serde_json::Value>(text).unwrap());
        }
    }

    #[test]
    fn the_last_of_two_members_counts() {
        let value = Value::root(br#"{"a":1,"a":2,"b":null}"#);
        assert_eq!(value.get("a").and_then(Value::u64), Some(2));
        assert!(value.get("b").is_some() && value.some("b").is_none() && value.get("c").is_none());
    }

    #[test]
    fn a_path_reads_like_a_lookup() {
        let messages = Path::Root.member("messages");
        let (message, content) = (messages.element(2), "content");
        assert_eq!(message.member(content).element(0).member("type").to_string(), "messages[2].content[0].type");
    }

    proptest! {
        #[test]
        fn what_was_never_scanned_ends_without_a_panic(text in prop::collection::vec(prop::sample::select(b"{}[],:\"\\ a1n\n".to_vec()), 0..60)) {
            fn visit(value: Value<'_>, depth: usize) {
                if depth < 4 {
                    value.members().for_each(|(_, value)| visit(value, depth + 1));
                    value.elements().for_each(|value| visit(value, depth + 1));
                }
            }
            visit(Value::root(&text), 0);
        }
    }
}
