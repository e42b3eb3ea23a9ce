//! What each subset takes, written down once more from the providers' documents and not from the table: a schema either is within it
//! or there is a reason why not.

use crate::dialects::schema::Subset;
use serde_json::{Map, Value};

const HINTS: &[&str] = &["title", "description"];
const PLAIN: &[&str] = &["type", "enum", "properties", "required", "items", "anyOf"];
const REFERENCES: &[&str] = &["$ref", "$defs"];

fn allowed(subset: Subset) -> Vec<&'static str> {
    let more: &[&str] = match subset {
        Subset::OpenAiStrict => &[
            "const",
            "additionalProperties",
            "pattern",
            "format",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "multipleOf",
            "minItems",
            "maxItems",
        ],
        Subset::Anthropic | Subset::Bedrock => {
            &["const", "additionalProperties", "pattern", "format", "minItems", "default"]
        }
        Subset::GeminiJson => &[
            "additionalProperties",
            "prefixItems",
            "format",
            "minimum",
            "maximum",
            "minItems",
            "maxItems",
            "propertyOrdering",
        ],
        Subset::GeminiOpenApi => &[
            "format",
            "nullable",
            "minimum",
            "maximum",
            "minItems",
            "maxItems",
            "minLength",
            "maxLength",
            "minProperties",
            "maxProperties",
            "pattern",
            "propertyOrdering",
        ],
        Subset::Cohere => &["const", "additionalProperties", "pattern", "format"],
        _ => unreachable!("it takes all keywords"),
    };
    let references = if subset == Subset::GeminiOpenApi { &[] } else { REFERENCES };
    [HINTS, PLAIN, references, more].concat()
}

/// # Errors
/// Why the schema is not within the subset.
pub fn check(subset: Subset, root: &Value) -> Result<(), String> {
    if subset == Subset::OpenAiStrict && root["type"] != "object" {
        return Err("the root is no object".into());
    }
    Checker { subset, root, allowed: allowed(subset) }.schema(root, true, &mut Vec::new())
}

struct Checker<'v> {
    subset: Subset,
    root: &'v Value,
    allowed: Vec<&'static str>,
}

impl<'v> Checker<'v> {
    fn schema(&self, schema: &'v Value, is_root: bool, within: &mut Vec<&'v str>) -> Result<(), String> {
        let Value::Object(members) = schema else { return Err(format!("no object: {schema}")) };
        let has = |name: &str| members.contains_key(name);
        if let Some(name) = members.keys().find(|name| !self.allowed.contains(&name.as_str())) {
            return Err(format!("{name} in {schema}"));
        }
        if let Some(Value::String(reference)) = members.get("$ref") {
            if members.len() > 1 && !(is_root && members.len() == 2 && has("$defs")) {
                return Err(format!("beside a reference: {schema}"));
            }
            return self.reference(reference, within);
        }
        if let Some(Value::Object(definitions)) = members.get("$defs") {
            if !is_root {
                return Err("$defs below the root".into());
            }
            definitions.values().try_for_each(|schema| self.schema(schema, false, &mut Vec::new()))?;
        }
        let (closed, typed) = match self.subset {
            Subset::OpenAiStrict | Subset::Anthropic | Subset::Bedrock => (true, true),
            _ => (false, false),
        };
        if typed && !has("type") && !has("anyOf") {
            return Err(format!("no type: {schema}"));
        }
        if has("anyOf") {
            let beside = members.keys().find(|name| {
                !["anyOf", "$defs", "default"].contains(&name.as_str()) && !HINTS.contains(&name.as_str())
            });
            if beside.is_some() || self.subset == Subset::GeminiOpenApi && members.len() > 1 {
                return Err(format!("beside anyOf: {schema}"));
            }
        }
        self.types(members)?;
        let is_object = members
            .get("type")
            .is_some_and(|kind| kind == "object" || kind.as_array().is_some_and(|all| all.contains(&"object".into())));
        if closed && is_object && members.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Err(format!("an open object: {schema}"));
        }
        let properties = members.get("properties").and_then(Value::as_object);
        let names: Vec<&str> = properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let required: Vec<&str> =
            members.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        if required.iter().any(|name| !names.contains(name)) {
            return Err(format!("required, but no property: {schema}"));
        }
        if self.subset == Subset::OpenAiStrict && is_object && names.iter().any(|name| !required.contains(name)) {
            return Err(format!("an optional property: {schema}"));
        }
        properties.into_iter().flatten().try_for_each(|(_, schema)| self.schema(schema, false, within))?;
        for list in ["anyOf", "prefixItems"] {
            let schemas = members.get(list).and_then(Value::as_array);
            if schemas.is_some_and(Vec::is_empty) {
                return Err(format!("empty: {schema}"));
            }
            schemas.into_iter().flatten().try_for_each(|schema| self.schema(schema, false, within))?;
        }
        for one in ["items", "additionalProperties"] {
            if let Some(schema) = members.get(one).filter(|schema| !schema.is_boolean()) {
                self.schema(schema, false, within)?;
            }
        }
        self.values(members)
    }

    fn reference(&self, reference: &'v str, within: &mut Vec<&'v str>) -> Result<(), String> {
        let target = match reference.strip_prefix("#/$defs/") {
            Some(name) => self.root["$defs"].get(name),
            None => (reference == "#").then_some(self.root),
        };
        let Some(target) = target else { return Err(format!("{reference} leads nowhere")) };
        if matches!(self.subset, Subset::Anthropic | Subset::Bedrock) {
            if within.contains(&reference) || reference == "#" {
                return Err("recursive".into());
            }
            within.push(reference);
            self.schema(target, false, within)?;
            within.pop();
        }
        Ok(())
    }

    fn types(&self, members: &Map<String, Value>) -> Result<(), String> {
        const NAMES: [&str; 7] = ["string", "number", "integer", "boolean", "array", "object", "null"];
        let is_known = |value: &Value| value.as_str().is_some_and(|name| NAMES.contains(&name));
        let fits = match members.get("type") {
            None => true,
            Some(Value::String(name)) if self.subset == Subset::GeminiOpenApi => {
                NAMES.contains(&name.to_lowercase().as_str()) && name.chars().all(char::is_uppercase)
            }
            Some(Value::Array(names)) => self.subset != Subset::GeminiOpenApi && names.iter().all(is_known),
            Some(name) => is_known(name),
        };
        if fits { Ok(()) } else { Err(format!("type {}", members["type"])) }
    }

    fn values(&self, members: &Map<String, Value>) -> Result<(), String> {
        let takes = |value: &Value| match self.subset {
            Subset::GeminiOpenApi => value.is_string(),
            Subset::GeminiJson => value.is_string() || value.is_number() || value.is_null(),
            _ => !value.is_object() && !value.is_array(),
        };
        let listed = members.get("enum").and_then(Value::as_array);
        if listed.into_iter().flatten().chain(members.get("const")).any(|value| !takes(value)) {
            return Err(format!("values {members:?}"));
        }
        let formats = match self.subset {
            Subset::OpenAiStrict => "date-time time date duration email hostname ipv4 ipv6 uuid",
            Subset::Anthropic | Subset::Bedrock => "date-time time date duration email hostname uri ipv4 ipv6 uuid",
            Subset::GeminiOpenApi => "date-time enum float double int32 int64",
            Subset::Cohere => "date-time date time uuid",
            _ => return Ok(()),
        };
        if let Some(format) = members.get("format").and_then(Value::as_str)
            && !formats.split(' ').any(|known| known == format)
        {
            return Err(format!("format {format}"));
        }
        let is_bound = matches!(self.subset, Subset::Anthropic | Subset::Bedrock);
        if is_bound && members.get("minItems").is_some_and(|least| *least != 0 && *least != 1) {
            return Err("minItems".into());
        }
        Ok(())
    }
}
