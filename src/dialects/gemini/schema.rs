//! Google's own form of a schema (`responseSchema`, `parameters`), read: types in capitals, `nullable`, keywords in either spelling.
//!
//! How schemas are written for Gemini, in this form or in JSON Schema's, is in [`crate::dialects::schema`].

use crate::json::piece::Raw;
use crate::json::view::Value;
use crate::json::write::Writer;
use std::borrow::Cow;

/// A schema in Google's form as JSON Schema.
pub fn of_google_s_form(schema: Value<'_>) -> Raw<'static> {
    let mut out = Vec::with_capacity(schema.bytes().len() + 64);
    read(schema, &mut Writer::new(&mut out));
    Raw(Cow::Owned(out))
}

fn read(schema: Value<'_>, json: &mut Writer<'_>) {
    let nullable = schema.get("nullable").and_then(Value::bool) == Some(true);
    json.open_object();
    for (name, value) in schema.members() {
        if value.is_null() {
            continue;
        }
        let name = String::from_utf8_lossy(&name);
        let is = |camel: &str| super::is_spelling(&name, camel);
        if is("type") {
            let said = value.text().unwrap_or_default().decoded().to_ascii_lowercase();
            if said == "type_unspecified" {
                continue;
            }
            json.name("type");
            match nullable {
                true => drop(json.open_array().string(&said).string("null").close_array()),
                false => drop(json.string(&said)),
            }
        } else if is("nullable") || is("propertyOrdering") {
        } else if is("properties") || name == "$defs" || name == "defs" {
            json.name(if is("properties") { "properties" } else { "$defs" }).open_object();
            for (name, schema) in value.members() {
                json.any_name(&String::from_utf8_lossy(&name));
                read(schema, json);
            }
            json.close_object();
        } else if is("items") {
            json.name("items");
            read(value, json);
        } else if is("anyOf") {
            json.name("anyOf").open_array();
            value.elements().for_each(|schema| read(schema, json));
            // A nullable choice has no type to which null could be added.
            if nullable && schema.some("type").is_none() {
                json.open_object().name("type").string("null").close_object();
            }
            json.close_array();
        } else if is("enum") {
            json.name("enum").open_array();
            for value in value.elements() {
                json.raw(&value.raw());
            }
            if nullable {
                json.null();
            }
            json.close_array();
        } else if is("format") && value.says("enum") {
            // Says no more than `enum`.
        } else if is("example") {
            json.name("examples").open_array().raw(&value.raw()).close_array();
        } else if let Some(known) = NUMBERS.iter().find(|known| is(known)) {
            json.name(known);
            // Numbers of 64 bits may come as strings.
            match value.text() {
                Some(text) if text.decoded().parse::<i64>().is_ok() => json.json(text.decoded().as_bytes()),
                _ => json.raw(&value.raw()),
            };
        } else {
            json.any_name(&name).raw(&value.raw());
        }
    }
    json.close_object();
}

const NUMBERS: &[&str] =
    &["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties", "minimum", "maximum"];

#[cfg(test)]
mod tests;
