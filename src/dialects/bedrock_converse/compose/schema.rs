//! Which schemas Bedrock enforces: those in which every object is closed, with the keywords below and no recursion.
//!
//! Any other is asked for by a tool whose input it describes: nothing of it is lost then, and nothing is refused.

use crate::json::piece::Raw;
use crate::json::view::Value;
use crate::json::{Kind, value};

/// Keywords that constrain nothing beyond what is enforced.
const KEYWORDS: &[&[u8]] = &[
    b"$schema",
    b"$comment",
    b"title",
    b"description",
    b"default",
    b"type",
    b"enum",
    b"const",
    b"required",
    b"additionalProperties",
];

/// Formats that are enforced.
const FORMATS: &[&str] = &["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Levels that a schema may have.
const DEPTH_MAX: usize = 32;

pub fn is_enforced(schema: &Raw<'_>) -> bool {
    is_closed(Value::root(&schema.0), false, 0)
}

fn is_closed(schema: Value<'_>, in_definition: bool, depth: usize) -> bool {
    if schema.kind() != Kind::Object || depth > DEPTH_MAX {
        return false;
    }
    let inner = |schema| is_closed(schema, in_definition, depth + 1);
    let mut is_object = false;
    for (name, value) in schema.members() {
        let fits = match &*name {
            b"properties" => {
                is_object = true;
                value.members().all(|(_, property)| inner(property))
            }
            b"$defs" | b"definitions" => value.members().all(|(_, schema)| is_closed(schema, true, depth + 1)),
            b"items" => inner(value),
            b"anyOf" | b"allOf" => value.kind() == Kind::Array && value.elements().all(inner),
            // A definition that refers to another may be recursive, and so may be what refers to the root.
            b"$ref" => {
                let to_definition = |to: &str| to.starts_with("#/$defs/") || to.starts_with("#/definitions/");
                !in_definition && value.text().is_some_and(|to| to_definition(&to.decoded()))
            }
            b"minItems" => value.u64().is_some_and(|items| items <= 1),
            b"format" => FORMATS.iter().any(|format| value.says(format)),
            b"type" => {
                is_object |= value.says("object") || value.elements().any(|kind| kind.says("object"));
                true
            }
            name => KEYWORDS.contains(&name),
        };
        if !fits {
            return false;
        }
    }
    let closed = schema.get("additionalProperties").map(Value::bytes).and_then(value::bool_value);
    !is_object || closed == Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_schemas_are_enforced_and_others_are_not() {
        for (schema, expected) in [
            (r#"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}"#, true),
            (
                r##"{"properties":{"a":{"$ref":"#/$defs/b"}},"additionalProperties":false,"$defs":{"b":{"enum":[1]}}}"##,
                true,
            ),
            (
                r#"{"type":"array","items":{"anyOf":[{"type":"null"},{"type":"string","format":"date"}]},"minItems":1}"#,
                true,
            ),
            (r#"{"type":"object"}"#, false),
            (r#"{"properties":{},"additionalProperties":true}"#, false),
            (r#"{"type":["object","null"],"additionalProperties":{}}"#, false),
            (r#"{"type":"array","items":{"type":"object"}}"#, false),
            (r#"{"type":"integer","minimum":1}"#, false),
            (r#"{"type":"array","minItems":2}"#, false),
            (r#"{"type":"string","format":"regex"}"#, false),
            (r##"{"$ref":"#"}"##, false),
            (r#"{"$ref":"other.json"}"#, false),
            (r##"{"$ref":"#/$defs/a","$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"}]}}}"##, false),
            ("true", false),
        ] {
            assert_eq!(is_enforced(&Raw(schema.as_bytes().into())), expected, "{schema}");
        }
    }
}
