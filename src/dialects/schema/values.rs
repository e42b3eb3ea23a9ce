//! Values that a subset takes with a keyword, and the values that a schema lists.

use super::adapter::Stop;
use super::flat::Flat;
use super::keywords::Values;
use super::types::{self, TypeSet};
use super::words::compact;
use crate::json::Kind;
use crate::json::view::Value;

impl Values {
    pub fn take(self, value: Value<'_>) -> bool {
        match self {
            Values::Formats(formats) => formats.iter().any(|format| value.says(format)),
            Values::ZeroOrOne => matches!(value.u64(), Some(0 | 1)),
            Values::Scalars => !matches!(value.kind(), Kind::Object | Kind::Array),
            Values::StringsAndNumbers => matches!(value.kind(), Kind::String | Kind::Number | Kind::Null),
            Values::PlainPatterns => value.text().is_some_and(|text| is_plain_pattern(&text.decoded())),
        }
    }
}

/// Anthropic's API takes no look-around, back references, word boundaries and large counts.
fn is_plain_pattern(pattern: &str) -> bool {
    let escapes = |byte: u8| matches!(byte, b'b' | b'B' | b'k' | b'p' | b'P' | b'0'..=b'9');
    let is_special = |pair: &[u8]| match *pair {
        [b'(', b'?'] => true,
        [b'\\', byte] => escapes(byte),
        _ => false,
    };
    !pattern.contains('{') && !pattern.as_bytes().windows(2).any(is_special)
}

/// What `enum` and `const` allow.
pub struct Listed<'s> {
    pub values: Vec<Value<'s>>,
    /// It was said by `const` alone.
    pub is_const: bool,
}

impl<'s> Listed<'s> {
    /// The values that every `enum` and `const` has, and that are of one of the types.
    ///
    /// # Errors
    /// There is none.
    pub fn of(flat: &Flat<'s>, types: Option<TypeSet>) -> Result<Option<Listed<'s>>, Stop<'s>> {
        let (enums, consts) = (flat.values("enum"), flat.values("const"));
        let mut values: Vec<Value<'s>> = match (enums, consts) {
            ([], []) => return Ok(None),
            ([], [first, ..]) => vec![*first],
            ([first, ..], _) => first.elements().collect(),
        };
        for others in enums.iter().skip(1) {
            let others: std::collections::HashSet<_> = others.elements().map(|value| compact(value.bytes())).collect();
            values.retain(|value| others.contains(&compact(value.bytes())));
        }
        for only in consts {
            values.retain(|value| compact(value.bytes()) == compact(only.bytes()));
        }
        if let Some(types) = types {
            values.retain(|value| is_of(*value, types));
        }
        if values.is_empty() {
            return Err(Stop::Nothing);
        }
        Ok(Some(Listed { values, is_const: enums.is_empty() }))
    }

    pub fn types(&self) -> TypeSet {
        self.values.iter().fold(0, |all, value| all | types::of(*value))
    }

    /// As a list in JSON.
    pub fn text(&self) -> String {
        let mut text = String::from("[");
        for value in &self.values {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&compact(value.bytes()));
        }
        text.push(']');
        text
    }
}

fn is_of(value: Value<'_>, types: TypeSet) -> bool {
    match types::of(value) {
        // 1.0 is an integer.
        types::NUMBER => types & types::NUMBER != 0,
        one => types & one != 0,
    }
}

/// Of bounds that hold together, the narrower one.
pub fn narrower<'s>(name: &str, values: &[Value<'s>]) -> Option<Value<'s>> {
    let number = |value: &Value<'_>| std::str::from_utf8(value.bytes()).ok().and_then(|text| text.parse::<f64>().ok());
    let is_least =
        matches!(name, "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties" | "minContains");
    let is_most =
        matches!(name, "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties" | "maxContains");
    if !is_least && !is_most || values.iter().any(|value| number(value).is_none()) {
        return None;
    }
    let by_number =
        |one: &&Value<'_>, other: &&Value<'_>| number(one).unwrap_or(0.0).total_cmp(&number(other).unwrap_or(0.0));
    match is_least {
        true => values.iter().max_by(by_number).copied(),
        false => values.iter().min_by(by_number).copied(),
    }
}
