//! A JSON value that satisfies a JSON schema: of the kinds that people put into `response_format` and tool parameters.
//!
//! Handled: `type` (also as a list), `enum`, `const`, `properties` with every property filled, `items` with `minItems`,
//! `anyOf`/`oneOf` (first branch), `allOf` (merged objects), local `$ref`, numeric and length bounds, common `format`s.
//! Not handled: `pattern`, `not`, `if`, `contains`. An unknown schema gets an empty object. Depth ends at
//! `SCHEMA_DEPTH_MAX`: below it optional properties are left out and nothing is followed any more.

use serde_json::{Map, Value, json};

use crate::limits::SCHEMA_DEPTH_MAX;

pub(super) fn example(schema: &Value) -> Value {
    at(schema, schema, 0)
}

fn at(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > SCHEMA_DEPTH_MAX {
        return Value::Null;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let pointer = target.trim_start_matches('#');
        return root.pointer(pointer).map_or(Value::Null, |found| at(found, root, depth + 1));
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(first) = schema.get("enum").and_then(|values| values.get(0)) {
        return first.clone();
    }
    for branches in ["anyOf", "oneOf"] {
        if let Some(branches) = schema.get(branches).and_then(Value::as_array) {
            // In a recursive schema the branch that ends is often the `null` one.
            let ends = |branch: &&Value| branch.get("type") == Some(&json!("null"));
            let chosen = if depth > SCHEMA_DEPTH_MAX / 2 {
                branches.iter().find(ends).or(branches.first())
            } else {
                branches.first()
            };
            return chosen.map_or(Value::Null, |branch| at(branch, root, depth + 1));
        }
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        let mut all = Map::new();
        for part in parts {
            match at(part, root, depth + 1) {
                Value::Object(members) => all.extend(members),
                other => return other,
            }
        }
        return Value::Object(all);
    }
    match type_of(schema).as_str() {
        "string" => Value::from(string(schema)),
        "integer" => Value::from(number(schema, 1.0).round() as i64),
        "number" => Value::from(number(schema, 0.5)),
        "boolean" => Value::from(true),
        "null" => Value::Null,
        "array" => array(schema, root, depth),
        _ => object(schema, root, depth),
    }
}

/// In lower case: Gemini's own schemas shout.
fn type_of(schema: &Value) -> String {
    let name = match schema.get("type") {
        Some(Value::String(one)) => one,
        Some(Value::Array(several)) => {
            several.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or("null")
        }
        _ if schema.get("items").is_some() => "array",
        _ => "object",
    };
    name.to_ascii_lowercase()
}

fn object(schema: &Value, root: &Value, depth: usize) -> Value {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let properties = schema.get("properties").and_then(Value::as_object);
    let members = properties
        .into_iter()
        .flatten()
        .filter(|(name, _)| depth < SCHEMA_DEPTH_MAX / 2 || required.contains(&name.as_str()))
        .map(|(name, property)| (name.clone(), at(property, root, depth + 1)));
    Value::Object(members.collect())
}

fn array(schema: &Value, root: &Value, depth: usize) -> Value {
    let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
    let deep = depth >= SCHEMA_DEPTH_MAX / 2;
    let count =
        bound("minItems").unwrap_or(if deep { 0 } else { 1 }).min(bound("maxItems").unwrap_or(u64::MAX)).min(64);
    let Some(items) = schema.get("items") else {
        return Value::Array(Vec::new());
    };
    Value::Array((0..count).map(|_| at(items, root, depth + 1)).collect())
}

fn number(schema: &Value, usual: f64) -> f64 {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let low = bound("minimum").or(bound("exclusiveMinimum").map(|low| low + 1.0));
    let high = bound("maximum").or(bound("exclusiveMaximum").map(|high| high - 1.0));
    let step = bound("multipleOf").filter(|step| *step > 0.0);
    let value = usual.max(low.unwrap_or(f64::MIN)).min(high.unwrap_or(f64::MAX));
    match step {
        Some(step) => (value / step).ceil() * step,
        None => value,
    }
}

fn string(schema: &Value) -> String {
    let bound = |name: &str| {
        let bound = schema.get(name).and_then(Value::as_u64);
        bound.map(|bound| bound.min(4_096) as usize)
    };
    let mut text = match schema.get("format").and_then(Value::as_str) {
        Some("date") => "2026-01-31",
        Some("date-time") => "2026-01-31T12:00:00Z",
        Some("time") => "12:00:00Z",
        Some("email") => "someone@example.com",
        Some("uri" | "uri-reference") => "https://example.com/",
        Some("hostname") => "example.com",
        Some("ipv4") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        _ => "example",
    }
    .to_owned();
    while bound("minLength").is_some_and(|least| text.len() < least) {
        text.push('x');
    }
    if let Some(most) = bound("maxLength") {
        text.truncate(most);
    }
    text
}
