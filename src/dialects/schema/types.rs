//! Sets of JSON Schema's types.

use crate::json::Kind;
use crate::json::view::Value;

/// One bit a type. A number is an integer or not, so that `number` and `integer` have in common what they should.
pub type TypeSet = u8;

pub const STRING: TypeSet = 1;
const FRACTION: TypeSet = 2;
pub const INTEGER: TypeSet = 4;
pub const NUMBER: TypeSet = FRACTION | INTEGER;
pub const BOOLEAN: TypeSet = 8;
pub const ARRAY: TypeSet = 16;
pub const OBJECT: TypeSet = 32;
pub const NULL: TypeSet = 64;
pub const ALL: TypeSet = 127;

/// Every type, its name, and Google's.
const TYPES: &[(TypeSet, &str, &str)] = &[
    (STRING, "string", "STRING"),
    (NUMBER, "number", "NUMBER"),
    (INTEGER, "integer", "INTEGER"),
    (BOOLEAN, "boolean", "BOOLEAN"),
    (ARRAY, "array", "ARRAY"),
    (OBJECT, "object", "OBJECT"),
    (NULL, "null", "NULL"),
];

/// What `type` says: a name or a list of them. `None` if one of them is no type.
pub fn said(value: Value<'_>) -> Option<TypeSet> {
    let one = |value: Value<'_>| {
        let name = value.text()?;
        // Clients of Google's libraries write capitals.
        TYPES.iter().find(|(_, json, google)| name.says(json) || name.says(google)).map(|(set, ..)| *set)
    };
    match value.kind() {
        Kind::Array => value.elements().try_fold(0, |all, value| Some(all | one(value)?)),
        _ => one(value),
    }
}

/// The type of a value.
pub fn of(value: Value<'_>) -> TypeSet {
    match value.kind() {
        Kind::String => STRING,
        Kind::Number if value.bytes().iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) => NUMBER,
        Kind::Number => INTEGER,
        Kind::True | Kind::False => BOOLEAN,
        Kind::Array => ARRAY,
        Kind::Object => OBJECT,
        Kind::Null => NULL,
    }
}

/// The types of a set, `number` standing for `integer` too, each with its names.
pub fn each(set: TypeSet) -> impl Iterator<Item = (TypeSet, &'static str, &'static str)> {
    TYPES.iter().copied().filter(move |(one, ..)| match *one {
        NUMBER => set & FRACTION != 0,
        INTEGER => set & NUMBER == INTEGER,
        one => set & one != 0,
    })
}
