//! Is a value valid with a schema? As far as the schemas go for which nothing is noted.

use serde_json::Value;

/// `None` where the schema says something that is not known here.
pub fn is_valid(root: &Value, schema: &Value, value: &Value, depth: usize) -> Option<bool> {
    let members = match schema {
        Value::Bool(all) => return Some(*all),
        _ if depth == 0 => return None,
        schema => schema.as_object()?,
    };
    let with = |schema: &Value, value: &Value| is_valid(root, schema, value, depth - 1);
    let mut valid = true;
    for (name, said) in members {
        valid &= match (name.as_str(), value) {
            ("title" | "description" | "$defs" | "propertyOrdering", _) => true,
            ("$ref", _) => with(root.pointer(said.as_str()?.strip_prefix('#')?)?, value)?,
            ("type", _) => match said {
                Value::Array(names) => names.iter().any(|name| is_of(value, name)),
                name => is_of(value, name),
            },
            ("enum", _) => said.as_array()?.contains(value),
            ("const", _) => said == value,
            ("properties", Value::Object(has)) => {
                let mut all = true;
                for (name, schema) in said.as_object()? {
                    if let Some(value) = has.get(name) {
                        all &= with(schema, value)?;
                    }
                }
                all
            }
            ("required", Value::Object(has)) => {
                let names: Option<Vec<&str>> = said.as_array()?.iter().map(Value::as_str).collect();
                names?.iter().all(|name| has.contains_key(*name))
            }
            ("additionalProperties", Value::Object(has)) => {
                let known = members.get("properties").and_then(Value::as_object);
                let mut all = true;
                for (_, value) in has.iter().filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name))) {
                    all &= with(said, value)?;
                }
                all
            }
            ("items", Value::Array(has)) if !members.contains_key("prefixItems") => {
                let mut all = true;
                for value in has {
                    all &= with(said, value)?;
                }
                all
            }
            ("minItems", Value::Array(has)) => has.len() as u64 >= said.as_u64()?,
            ("properties" | "required" | "additionalProperties" | "items" | "minItems", _) => true,
            ("anyOf" | "allOf", _) => {
                let each: Option<Vec<bool>> = said.as_array()?.iter().map(|schema| with(schema, value)).collect();
                let each = each?;
                if name == "anyOf" { each.contains(&true) } else { !each.contains(&false) }
            }
            _ => return None,
        };
    }
    Some(valid)
}

fn is_of(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap_or_default() {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    }
}
