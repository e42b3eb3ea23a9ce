//! The JSON Schema of the configuration, and the check of a file against it.
//!
//! The schema is derived from the types in `raw`, so what editors accept and what the loader accepts cannot drift apart.
//! We walk it ourselves rather than let serde refuse: serde stops at the first error and knows no positions, while an
//! operator wants all of them, with the line, the choices and the name that was probably meant.
//!
//! Only the part of JSON Schema that schemars emits for our types is understood; a test holds that nothing else occurs,
//! and another that whatever passes here is readable by serde.

use super::{
    diagnostic::{Report, nearest},
    raw,
    tree::{Node, TextOrigin, Value, join},
};
use serde_json::{Map, Value as Json};

/// The schema, as `ringway schema` prints it.
pub fn schema() -> Json {
    let mut schema = schemars::schema_for!(raw::Config).to_value();
    without_null(&mut schema);
    schema
}

/// TOML has no null; the alternative that schemars adds for every optional key would only confuse editors.
fn without_null(schema: &mut Json) {
    match schema {
        Json::Object(object) => {
            if let Some(Json::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = &types[..] {
                    let only = only.clone();
                    object.insert("type".into(), only);
                }
            }
            if let Some(Json::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
                if let [Json::Object(only)] = &choices[..] {
                    let only = only.clone();
                    object.remove("anyOf");
                    object.extend(only);
                }
            }
            object.retain(|key, value| !(key == "default" && value.is_null()));
            object.values_mut().for_each(without_null);
        }
        Json::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// Holds a file against the schema; every mismatch becomes an error.
pub fn check(root: &Node, report: &mut Report<'_>) {
    let schema = schema();
    Walk { definitions: &schema["$defs"], report }.node(root, &schema, "");
}

struct Walk<'w, 'r, 'p> {
    definitions: &'w Json,
    report: &'r mut Report<'p>,
}

impl<'w> Walk<'w, '_, '_> {
    fn node(&mut self, node: &Node, schema: &'w Json, path: &str) {
        let schema = self.resolve(schema);
        if node.text == TextOrigin::Unresolved {
            return;
        }
        if let Some(choices) = choices(schema) {
            return self.choice(node, &choices, path);
        }
        if let Some(Json::Array(alternatives)) = schema.get("anyOf") {
            return self.alternatives(node, alternatives, path);
        }
        match (&node.value, schema["type"].as_str()) {
            (Value::Table(_), Some("object")) => self.table(node, schema, path),
            (Value::Array(items), Some("array")) => self.array(items, schema, path),
            (Value::String(text), Some("string")) => self.string(text, schema, path),
            (Value::Datetime(_), Some("string"))
                if schema.get("format").is_some_and(|name| name == "date-time" || name == "date") => {}
            (Value::Integer(number), Some("integer")) => self.integer(*number, schema, path),
            (Value::Boolean(_), Some("boolean")) => {}
            (_, expected) => self.mismatch(node, expected.unwrap_or_default(), schema, path),
        }
    }

    fn resolve(&self, schema: &'w Json) -> &'w Json {
        match schema.get("$ref").and_then(Json::as_str).and_then(|name| name.strip_prefix("#/$defs/")) {
            Some(name) => &self.definitions[name],
            None => schema,
        }
    }

    fn table(&mut self, node: &Node, schema: &'w Json, path: &str) {
        let Value::Table(entries) = &node.value else { return };
        static NO_KEYS: std::sync::LazyLock<Map<String, Json>> = std::sync::LazyLock::new(Map::new);
        let known = schema.get("properties").and_then(Json::as_object).unwrap_or(&NO_KEYS);
        for (key, entry) in entries {
            let path = join(path, key);
            match (known.get(key), schema.get("additionalProperties")) {
                (Some(schema), _) => self.node(&entry.node, schema, &path),
                (None, Some(schema @ Json::Object(_))) => self.node(&entry.node, schema, &path),
                (None, _) => {
                    let help = match nearest(key, known.keys().map(String::as_str)) {
                        Some(name) => format!("did you mean '{name}'?"),
                        None => format!("keys here: {}", known.keys().cloned().collect::<Vec<_>>().join(", ")),
                    };
                    self.report.error_help(&path, "unknown key", help);
                }
            }
        }
        for key in schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
            if !entries.contains_key(key) {
                let help = known.get(key).and_then(description).unwrap_or_default();
                self.report.error_help(path, format!("the key '{key}' is missing"), help);
            }
        }
    }

    fn array(&mut self, items: &[Node], schema: &'w Json, path: &str) {
        let count = items.len() as u64;
        let (min, max) = (bound(schema, "minItems"), bound(schema, "maxItems"));
        if min.is_some_and(|min| count < min) || max.is_some_and(|max| count > max) {
            let help = format!("allowed: {}", range(min, max));
            self.report.error_help(path, format!("{count} entries are out of range"), help);
        }
        for (index, item) in items.iter().enumerate() {
            self.node(item, &schema["items"], &format!("{path}[{index}]"));
        }
    }

    fn string(&mut self, text: &str, schema: &Json, path: &str) {
        let length = text.chars().count() as u64;
        let (min, max) = (bound(schema, "minLength"), bound(schema, "maxLength"));
        if min.is_some_and(|min| length < min) || max.is_some_and(|max| length > max) {
            let help = format!("allowed: {} characters", range(min, max));
            self.report.error_help(path, format!("{length} characters are out of range"), help);
        }
    }

    fn integer(&mut self, number: i64, schema: &Json, path: &str) {
        let (min, max) = (bound(schema, "minimum"), bound(schema, "maximum"));
        let below = u64::try_from(number).map_or(min.is_some(), |number| min.is_some_and(|min| number < min));
        let above = u64::try_from(number).is_ok_and(|number| max.is_some_and(|max| number > max));
        if below || above {
            let help = format!("allowed: {}", range(min, max));
            self.report.error_help(path, format!("{number} is out of range"), help);
        }
    }

    fn choice(&mut self, node: &Node, choices: &[&str], path: &str) {
        let Value::String(text) = &node.value else {
            let help = format!("allowed: {}", list(choices));
            return self.report.error_help(path, format!("expected a string, found {}", node.kind()), help);
        };
        if choices.contains(&text.as_str()) {
            return;
        }
        let message = format!("{} is not a known choice", self.report.quote(path, text));
        let meant = nearest(text, choices.iter().copied()).filter(|_| node.text == TextOrigin::Written);
        let help = match meant {
            Some(name) => format!("did you mean '{name}'? allowed: {}", list(choices)),
            None => format!("allowed: {}", list(choices)),
        };
        self.report.error_help(path, message, help);
    }

    /// Alternatives differ in type for all our keys, so the value's type says which one was meant.
    fn alternatives(&mut self, node: &Node, alternatives: &'w [Json], path: &str) {
        let of_type = |schema: &&&Json| {
            let name = self.resolve(schema)["type"].as_str();
            match &node.value {
                Value::Table(_) => name == Some("object"),
                Value::Array(_) => name == Some("array"),
                Value::String(_) => name == Some("string"),
                Value::Integer(_) => name == Some("integer"),
                Value::Boolean(_) => name == Some("boolean"),
                Value::Float(_) | Value::Datetime(_) => false,
            }
        };
        let alternatives: Vec<&'w Json> = alternatives.iter().collect();
        match alternatives.iter().find(of_type).copied() {
            Some(schema) => self.node(node, schema, path),
            None => {
                let names: Vec<_> =
                    alternatives.iter().map(|schema| article(self.resolve(schema)["type"].as_str())).collect();
                self.report.error(path, format!("expected {}, found {}", names.join(" or "), node.kind()));
            }
        }
    }

    fn mismatch(&mut self, node: &Node, expected: &str, schema: &Json, path: &str) {
        let message = format!("expected {}, found {}", article(Some(expected)), node.kind());
        let help = match (&node.value, expected) {
            (Value::String(text), "integer") if text.parse::<i64>().is_ok() => "write it without quotes".to_owned(),
            (Value::String(text), "boolean") if text == "true" || text == "false" => {
                "write it without quotes".to_owned()
            }
            (Value::String(_), "array") => "write it in brackets: [\"...\"]".to_owned(),
            (Value::Integer(_) | Value::Boolean(_), "string") => "write it in quotes".to_owned(),
            (_, "integer") if bound(schema, "maximum").is_some() => {
                format!("allowed: {}", range(bound(schema, "minimum"), bound(schema, "maximum")))
            }
            _ => description(schema).unwrap_or_default(),
        };
        if help.is_empty() {
            self.report.error(path, message);
        } else {
            self.report.error_help(path, message, help);
        }
    }
}

/// The strings that are allowed, where a schema lists them: `enum`, or one `const` per documented variant.
fn choices(schema: &Json) -> Option<Vec<&str>> {
    if let Some(Json::Array(names)) = schema.get("enum") {
        return names.iter().map(Json::as_str).collect();
    }
    let Some(Json::Array(variants)) = schema.get("oneOf") else { return None };
    let names = variants.iter().map(|variant| match (variant.get("const"), variant.get("enum")) {
        (Some(name), _) => Some(vec![name.as_str()?]),
        (None, Some(Json::Array(names))) => names.iter().map(Json::as_str).collect(),
        _ => None,
    });
    names.collect::<Option<Vec<_>>>().map(|names| names.concat())
}

fn description(schema: &Json) -> Option<String> {
    Some(schema.get("description")?.as_str()?.replace('\n', " "))
}

fn bound(schema: &Json, name: &str) -> Option<u64> {
    schema.get(name)?.as_u64()
}

fn range(min: Option<u64>, max: Option<u64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("{min} or more"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "any".to_owned(),
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

fn article(name: Option<&str>) -> &'static str {
    match name {
        Some("string") => "a string",
        Some("integer") => "an integer",
        Some("boolean") => "true or false",
        Some("array") => "an array",
        Some("object") => "a table",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests;
