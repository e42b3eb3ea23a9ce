//! What a keyword says, for a model to read.

use super::keywords::{Holds, Keyword};
use crate::json::{Kind, is_space, view::Value, walk};
use crate::limits::SCHEMA_WORDS_BYTES_MAX;
use std::borrow::Cow;

/// The words for a keyword; `None` if it says too much for words.
pub fn told(keyword: &Keyword, value: &str) -> Option<String> {
    (value.len() <= SCHEMA_WORDS_BYTES_MAX).then(|| keyword.words.replacen("{}", value, 1))
}

/// A value as it is told: a pattern or a format as it reads, all else as JSON.
pub fn value<'s>(keyword: &Keyword, value: Value<'s>) -> Cow<'s, str> {
    match value.text() {
        Some(text) if matches!(keyword.name, "pattern" | "format" | "contentEncoding" | "contentMediaType") => {
            Cow::Owned(text.decoded().into_owned())
        }
        _ => compact(value.bytes()),
    }
}

/// What a keyword says that allows no others.
pub fn none(keyword: &Keyword, value: Value<'_>) -> Option<String> {
    let others = keyword.words.strip_suffix(" match {}").filter(|words| words.contains("other"))?;
    (value.kind() == Kind::False).then(|| format!("no {others}"))
}

/// A JSON text without the white space between its tokens.
pub fn compact(text: &[u8]) -> Cow<'_, str> {
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let end = if byte == b'"' { walk::string_end(text, at) } else { at + 1 }.min(text.len());
        if is_space(byte) {
            out.get_or_insert_with(|| text[..at].to_vec());
        } else if let Some(out) = &mut out {
            out.extend_from_slice(&text[at..end]);
        }
        at = end;
    }
    match out {
        None => String::from_utf8_lossy(text),
        Some(out) => Cow::Owned(String::from_utf8_lossy(&out).into_owned()),
    }
}

/// Does the keyword constrain nothing with this value, so that it need not be told?
pub fn says_nothing(keyword: &Keyword, value: Value<'_>) -> bool {
    let is_empty = matches!(value.kind(), Kind::Object) && value.members().next().is_none();
    match (keyword.name, keyword.holds, value.kind()) {
        ("uniqueItems" | "deprecated", _, kind) => kind != Kind::True,
        ("minLength" | "minItems" | "minProperties", ..) => value.u64() == Some(0),
        ("not", ..) => value.kind() == Kind::False,
        ("contains" | "if", ..) => false,
        (_, Holds::Schema, Kind::True) => true,
        (_, Holds::Schema | Holds::Schemas, Kind::Object) | ("dependentRequired", ..) => is_empty,
        _ => false,
    }
}
