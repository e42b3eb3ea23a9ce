//! A value of a scanned text, to be read member by member: for whoever reads all of a text, where [`super::walk`] finds a few places.
//!
//! Nothing is validated again, nothing is copied. Where a value ends is looked for when somebody asks, or goes on to the next one: a
//! value is passed over once at each level that it is nested in but the uppermost, at the speed of [`super::skip`].

use super::piece::{Raw, Text};
use super::{Kind, Span, is_space, strings, value, walk};
use std::borrow::Cow;

/// A value in its text.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    text: &'a [u8],
    start: u32,
    /// 0 until it is known.
    end: u32,
}

impl<'a> Value<'a> {
    /// The value that a scanned text is.
    pub fn root(text: &'a [u8]) -> Value<'a> {
        Value::at(text, solid(text, 0))
    }

    /// The value that starts at `at`.
    pub fn at(text: &'a [u8], at: usize) -> Value<'a> {
        Value { text, start: at as u32, end: 0 }
    }

    /// The same, and where it ends.
    #[inline(always)]
    fn passed(text: &'a [u8], at: usize) -> (Value<'a>, usize) {
        let end = walk::usual_value_end(text, at);
        (Value { text, start: at as u32, end: end as u32 }, end)
    }

    #[inline]
    pub fn kind(self) -> Kind {
        walk::kind_at(self.text, self.start as usize)
    }

    #[inline]
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// As it is written.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        self.span().of(self.text)
    }

    #[inline]
    pub fn span(self) -> Span {
        let end = if self.end == 0 { walk::value_end(self.text, self.start as usize) as u32 } else { self.end };
        Span { start: self.start, end }
    }

    pub fn raw(self) -> Raw<'a> {
        Raw(Cow::Borrowed(self.bytes()))
    }

    /// `None` for another kind than a string.
    pub fn text(self) -> Option<Text<'a>> {
        (self.kind() == Kind::String).then(|| Text::literal(self.bytes()))
    }

    pub fn u64(self) -> Option<u64> {
        value::u64_in(self.text, self.span())
    }

    pub fn bool(self) -> Option<bool> {
        value::bool_value(self.bytes())
    }

    /// Does it say exactly `expected`?
    pub fn says(self, expected: &str) -> bool {
        strings::says(self.bytes(), expected)
    }

    /// Its members in order; none if it is no object. A name with escapes is decoded.
    #[inline]
    pub fn members(self) -> Members<'a> {
        Members { text: self.text, at: self.inside(Kind::Object) }
    }

    /// Its elements in order; none if it is no array.
    #[inline]
    pub fn elements(self) -> Elements<'a> {
        Elements { text: self.text, at: self.inside(Kind::Array) }
    }

    /// Where its first value may be, if it is a container of this kind.
    #[inline]
    fn inside(self, kind: Kind) -> usize {
        if self.kind() == kind { self.start as usize + 1 } else { self.text.len() }
    }

    /// The value of the last member of an object that is written like this up to it: for what senders write the same way every time.
    #[inline(always)]
    pub fn last_after<const N: usize>(self, expected: &[u8; N]) -> Option<Value<'a>> {
        let at = walk::after(self.text, self.start as usize, expected)?;
        let (value, end) = Value::passed(self.text, at);
        (self.text.get(end) == Some(&b'}')).then_some(value)
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
    /// Where the next member may be; the text's length behind the last.
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, [u8]>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.next_past(|_, _| None)
    }
}

impl<'a> Members<'a> {
    /// The next member. `read` is told its name and where its value starts, and answers where that ends if it has read it itself.
    #[inline]
    pub fn next_past(&mut self, read: impl FnOnce(&[u8], usize) -> Option<usize>) -> Option<<Self as Iterator>::Item> {
        let text = self.text;
        let at = solid(text, self.at);
        if text.get(at) != Some(&b'"') {
            self.at = text.len();
            return None;
        }
        let quote = walk::plain_end(text, at + 1);
        // No escape and no white space, as usual.
        let (name, value_at) = match walk::ahead(text, quote) {
            Some([b'"', b':', next]) if *next > b' ' => (Cow::Borrowed(text.get(at + 1..quote)?), quote + 2),
            _ => unusual_name(text, at),
        };
        let (value, end) = match read(&name, value_at) {
            Some(end) => (Value { text, start: value_at as u32, end: end as u32 }, end),
            None => Value::passed(text, value_at),
        };
        self.at = after_comma(text, end);
        Some((name, value))
    }
}

/// The name that starts at `open`, with an escape or with white space behind it, and where its value starts.
#[inline(never)]
fn unusual_name(text: &[u8], open: usize) -> (Cow<'_, [u8]>, usize) {
    let end = walk::string_end(text, open);
    let inner = text.get(open + 1..end.saturating_sub(1)).unwrap_or_default();
    let name = match memchr::memchr(b'\\', inner) {
        None => Cow::Borrowed(inner),
        Some(_) => Cow::Owned(strings::decode_lossy(inner).into_bytes()),
    };
    let colon = solid(text, end);
    (name, solid(text, colon + 1))
}

/// The elements of an array. The default has none.
#[derive(Debug, Clone, Default)]
pub struct Elements<'a> {
    text: &'a [u8],
    /// As in [`Members`].
    at: usize,
}

impl<'a> Elements<'a> {
    /// Those of the array at `at`, if that is one.
    pub fn of_array(text: &'a [u8], at: usize) -> Option<Elements<'a>> {
        (text.get(at) == Some(&b'[')).then_some(Elements { text, at: at + 1 })
    }

    /// Where the array ends, for whoever has not asked beyond its last element.
    pub fn end(&self) -> usize {
        match self.text.get(self.at) {
            Some(b']') => self.at + 1,
            _ => crate::sys::container_end_widest(self.text, self.at),
        }
    }

    /// Lets the caller read the next element itself, if it can: `read` is told where that starts, and answers what it is and where it
    /// ends. What it cannot read stays where it is.
    #[inline(always)]
    pub fn step<T>(&mut self, read: impl FnOnce(&'a [u8], usize) -> Option<(T, usize)>) -> Option<T> {
        let at = solid(self.text, self.at);
        let (found, end) = read(self.text, at)?;
        self.at = after_comma(self.text, end).max(at + 1);
        Some(found)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let at = solid(self.text, self.at);
        if matches!(self.text.get(at), None | Some(b']' | b'}' | b',' | b':')) {
            self.at = self.text.len();
            return None;
        }
        let (value, end) = Value::passed(self.text, at);
        // A text that was never scanned must not keep anybody here.
        self.at = after_comma(self.text, end).max(at + 1);
        Some(value)
    }
}

/// Index of the first byte from `at` on that is no white space.
#[inline(always)]
fn solid(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(|byte| *byte <= b' ' && is_space(*byte)) {
        at += 1;
    }
    at
}

/// Index after the comma that follows a value, or of whatever ends its container.
#[inline(always)]
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
    fn what_is_written_as_usual_is_found_at_a_stretch() {
        let after = |text: &'static str| Value::root(text.as_bytes()).last_after(br#"{"a":1,"b":"#);
        assert!(after(r#" {"a":1,"b":"x"} "#).unwrap().says("x"));
        assert_eq!(after(r#"{"a":1,"b":[{}]}"#).unwrap().bytes(), b"[{}]");
        for other in
            [r#"{"a":1,"b": "x"}"#, r#"{"a":1,"b":"x","b":"y"}"#, r#"{"a":2,"b":"x"}"#, r#"{"a":1,"b":"x"#, "[]"]
        {
            assert!(after(other).is_none(), "{other}");
        }
    }

    #[test]
    fn the_caller_may_read_some_elements_itself() {
        let text = br#"[1 ,"a", 1,[1],1]"#;
        let mut elements = Value::root(text).elements();
        let mut read = Vec::new();
        loop {
            if let Some(one) = elements.step(|text, at| (text[at] == b'1').then_some(("one", at + 1))) {
                read.push(one.to_owned());
            } else if let Some(value) = elements.next() {
                read.push(String::from_utf8(value.bytes().to_vec()).unwrap());
            } else {
                break;
            }
        }
        assert_eq!(read, ["one", "\"a\"", "one", "[1]", "one"]);
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
