//! JSON schemas as this dialect's servers take them.

use crate::json::Kind;
use crate::json::piece::Raw;
use crate::json::view::Value;
use crate::json::write::Writer;
use std::collections::HashSet;

/// Keywords that OpenAI enforces; with any other a strict schema is refused.
const STRICT_KEYWORDS: &[&str] = &[
    "$schema",
    "$ref",
    "$defs",
    "definitions",
    "title",
    "description",
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "anyOf",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
];

/// Levels of nested objects that a strict schema may have.
const STRICT_DEPTH_MAX: usize = 10;

/// Can OpenAI enforce the schema? Its root is an object and no `anyOf`; every object lists all its properties as required and allows
/// no others; no keyword is beyond the list.
pub fn is_within_strict(schema: &Raw<'_>) -> bool {
    let root = Value::root(&schema.0);
    let is_object = root.get("type").is_some_and(|kind| kind.says("object"));
    is_object && root.get("anyOf").is_none() && is_strict(root, 0)
}

fn is_strict(schema: Value<'_>, depth: usize) -> bool {
    if schema.kind() != Kind::Object || depth > STRICT_DEPTH_MAX {
        return false;
    }
    let mut properties = None;
    for (name, value) in schema.members() {
        let is_fine = match &*name {
            b"properties" => {
                properties = Some(value);
                value.members().all(|(_, property)| is_strict(property, depth + 1))
            }
            b"$defs" | b"definitions" => value.members().all(|(_, definition)| is_strict(definition, depth)),
            b"items" => is_strict(value, depth + 1),
            b"anyOf" => value.elements().all(|choice| is_strict(choice, depth)),
            name => STRICT_KEYWORDS.iter().any(|known| known.as_bytes() == name),
        };
        if !is_fine {
            return false;
        }
    }
    let is_object =
        schema.get("type").is_some_and(|kind| kind.says("object") || kind.elements().any(|kind| kind.says("object")));
    if !is_object && properties.is_none() {
        return true;
    }
    let is_closed = schema.get("additionalProperties").and_then(Value::bool) == Some(false);
    let required: HashSet<_> = schema
        .get("required")
        .into_iter()
        .flat_map(Value::elements)
        .filter_map(|name| name.text().map(|name| name.decoded().into_owned()))
        .collect();
    let mut names = properties.into_iter().flat_map(Value::members);
    is_closed && names.all(|(name, _)| required.contains(&*String::from_utf8_lossy(&name)))
}

/// Writes a schema without `$schema` and `$id`, which some servers refuse. Properties with those names stay.
pub fn write_without_ids(schema: &Raw<'_>, json: &mut Writer<'_>) {
    write(Value::root(&schema.0), true, json);
}

fn write(value: Value<'_>, is_schema: bool, json: &mut Writer<'_>) {
    match value.kind() {
        Kind::Object => {
            json.open_object();
            for (name, member) in value.members() {
                if is_schema && matches!(&*name, b"$schema" | b"$id") {
                    continue;
                }
                json.any_name(&String::from_utf8_lossy(&name));
                // Below these a name is anybody's; below those there is no schema.
                let names =
                    is_schema && matches!(&*name, b"properties" | b"$defs" | b"definitions" | b"patternProperties");
                match &*name {
                    b"enum" | b"const" | b"default" | b"examples" | b"required" if is_schema => {
                        json.raw(&member.raw());
                    }
                    _ => write(member, !names, json),
                }
            }
            json.close_object();
        }
        Kind::Array => {
            json.open_array();
            value.elements().for_each(|element| write(element, true, json));
            json.close_array();
        }
        _ => drop(json.raw(&value.raw())),
    }
}
