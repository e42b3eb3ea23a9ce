//! Google's own form of a schema, written and read.

use super::Flat;
use super::Said;
use crate::json::piece::{Raw, Text};
use crate::json::view::Value;
use crate::json::write::Writer;
use std::borrow::Cow;

/// Largest schema that references may grow into, in bytes: each use of one repeats what it names.
const SCHEMA_BYTES_MAX: usize = 1024 * 1024;

/// Keywords that mean the same in both forms.
const SAME: &[&str] = &[
    "title",
    "description",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
    "pattern",
    "required",
];

/// Formats that Google's form knows.
const FORMATS: &[&str] = &["date-time", "enum", "float", "double", "int32", "int64"];

/// Types and how Google's form spells them.
const TYPES: &[(&str, &str)] = &[
    ("string", "STRING"),
    ("number", "NUMBER"),
    ("integer", "INTEGER"),
    ("boolean", "BOOLEAN"),
    ("array", "ARRAY"),
    ("object", "OBJECT"),
    ("null", "NULL"),
];

/// Writes a JSON schema in Google's form. What that does not know and what does not change what is valid is left out; keywords that
/// do are told in words.
///
/// # Errors
/// Why it cannot be said: it is recursive, or a reference leads nowhere.
pub fn in_google_s_form(schema: &Raw<'_>) -> Result<Vec<u8>, &'static str> {
    let root = Value::root(&schema.0);
    let mut out = Vec::with_capacity(schema.0.len() + 256);
    Writing { root, within: Vec::new() }.write(root, false, &mut Writer::new(&mut out))?;
    Ok(out)
}

struct Writing<'s> {
    root: Value<'s>,
    /// References that are being followed.
    within: Vec<String>,
}

impl<'s> Writing<'s> {
    fn write(&mut self, schema: Value<'s>, nullable: bool, json: &mut Writer<'_>) -> Result<(), &'static str> {
        if json.out.len() > SCHEMA_BYTES_MAX {
            return Err("The schema grows too large where its references are written out.");
        }
        if let Some(reference) = schema.some("$ref").and_then(Value::text) {
            let name = reference.decoded().into_owned();
            if self.within.contains(&name) {
                return Err("The model takes no recursive schema.");
            }
            let target = self.look_up(&name).ok_or("A reference of the schema leads nowhere.")?;
            self.within.push(name);
            self.write(target, nullable, json)?;
            self.within.pop();
            return Ok(());
        }
        let Flat { keywords, mut words, .. } = Flat::of(schema);
        let one = |keyword: &str| {
            keywords.iter().find_map(|(name, said)| match said {
                Said::As(value) if name == keyword => Some(*value),
                _ => None,
            })
        };
        let alternatives = one("anyOf").or_else(|| one("oneOf"));
        if let Some(alternatives) = alternatives {
            return self.write_alternatives(alternatives, one("description"), nullable, json);
        }
        let types = Types::of(one("type"));
        if let Types::Several(types) = &types {
            return self.write_types(types, schema, nullable, json);
        }
        let nullable = nullable || matches!(types, Types::One(_, true));
        let values = one("enum").into_iter().flat_map(Value::elements).chain(one("const"));
        let values: Vec<_> = values.filter(|value| !value.is_null()).collect();
        json.open_object();
        // Values of an enumeration are strings here.
        let name = if values.is_empty() { types.name() } else { Some("STRING") };
        if let Some(name) = name {
            json.name("type").string(name);
        }
        if nullable {
            json.name("nullable").bool(true);
        }
        if !values.is_empty() {
            json.name("format").string("enum").name("enum").open_array();
            for value in &values {
                match value.text() {
                    Some(text) => json.text(&text),
                    None => json.string(&String::from_utf8_lossy(value.bytes())),
                };
            }
            json.close_array();
        }
        let mut description = None;
        for (keyword, said) in &keywords {
            match (keyword.as_str(), said) {
                ("description", Said::As(value)) => description = value.text(),
                (
                    "type"
                    | "enum"
                    | "const"
                    | "additionalProperties"
                    | "$schema"
                    | "$id"
                    | "$anchor"
                    | "$comment"
                    | "$defs"
                    | "definitions"
                    | "default"
                    | "examples"
                    | "nullable"
                    | "propertyOrdering",
                    _,
                ) => {}
                ("format", Said::As(value)) if FORMATS.iter().any(|format| value.says(format)) => {
                    if values.is_empty() {
                        json.name("format").raw(&value.raw());
                    }
                }
                ("items", Said::As(value)) => {
                    json.name("items");
                    self.write(*value, false, json)?;
                }
                ("properties", Said::Merged(all)) => {
                    json.name("properties").open_object();
                    for (name, schema) in all.iter().flat_map(|properties| properties.members()) {
                        json.any_name(&String::from_utf8_lossy(&name));
                        self.write(schema, false, json)?;
                    }
                    json.close_object().name("propertyOrdering").open_array();
                    for (name, _) in all.iter().flat_map(|properties| properties.members()) {
                        json.string(&String::from_utf8_lossy(&name));
                    }
                    json.close_array();
                }
                ("required", Said::Merged(all)) => {
                    json.name("required").open_array();
                    for name in all.iter().flat_map(|names| names.elements()) {
                        json.raw(&name.raw());
                    }
                    json.close_array();
                }
                (same, Said::As(value)) if SAME.contains(&same) => drop(json.name(same).raw(&value.raw())),
                (_, Said::As(value)) => words.push((keyword.clone(), *value)),
                (_, Said::Merged(_)) => {}
            }
        }
        super::write_description(description, &words, json);
        json.close_object();
        Ok(())
    }

    /// `anyOf` stands alone in its object here; an alternative that is null makes the others nullable.
    fn write_alternatives(
        &mut self,
        alternatives: Value<'s>,
        description: Option<Value<'s>>,
        nullable: bool,
        json: &mut Writer<'_>,
    ) -> Result<(), &'static str> {
        let is_null = |schema: &Value<'_>| schema.some("type").is_some_and(|name| name.says("null"));
        let nullable = nullable || alternatives.elements().any(|schema| is_null(&schema));
        let mut others = alternatives.elements().filter(|schema| !is_null(schema));
        if let (Some(only), None) = (others.next(), others.next()) {
            return self.write(only, nullable, json);
        }
        json.open_object().name("anyOf").open_array();
        for schema in alternatives.elements().filter(|schema| !is_null(schema)) {
            self.write(schema, nullable, json)?;
        }
        json.close_array();
        if let Some(description) = description {
            json.name("description").raw(&description.raw());
        }
        json.close_object();
        Ok(())
    }

    /// Several types are alternatives, each with the rest of the schema.
    fn write_types(
        &mut self,
        types: &[Text<'s>],
        schema: Value<'s>,
        nullable: bool,
        json: &mut Writer<'_>,
    ) -> Result<(), &'static str> {
        let nullable = nullable || types.iter().any(|name| name.says("null"));
        json.open_object().name("anyOf").open_array();
        for name in types.iter().filter(|name| !name.says("null")) {
            json.open_object();
            if let Some((_, capital)) = TYPES.iter().find(|(known, _)| name.says(known)) {
                json.name("type").string(capital);
            }
            if nullable {
                json.name("nullable").bool(true);
            }
            if name.says("array")
                && let Some(items) = schema.some("items")
            {
                json.name("items");
                self.write(items, false, json)?;
            }
            json.close_object();
        }
        json.close_array();
        if let Some(description) = schema.some("description") {
            json.name("description").raw(&description.raw());
        }
        json.close_object();
        Ok(())
    }

    fn look_up(&self, reference: &str) -> Option<Value<'s>> {
        let path = reference.strip_prefix('#')?;
        let steps = path.split('/').filter(|step| !step.is_empty());
        steps.map(|step| step.replace("~1", "/").replace("~0", "~")).try_fold(self.root, |at, step| at.some(&step))
    }
}

enum Types<'s> {
    Any,
    /// With whether null is one, too.
    One(Text<'s>, bool),
    Several(Vec<Text<'s>>),
}

impl<'s> Types<'s> {
    fn of(said: Option<Value<'s>>) -> Types<'s> {
        let Some(said) = said else { return Types::Any };
        if let Some(name) = said.text() {
            return Types::One(name, false);
        }
        let names: Vec<_> = said.elements().filter_map(Value::text).collect();
        let mut others = names.iter().filter(|name| !name.says("null"));
        match (others.next(), others.next()) {
            (Some(only), None) => Types::One(only.clone(), names.len() > 1),
            (None, _) => Types::Any,
            _ => Types::Several(names),
        }
    }

    fn name(&self) -> Option<&'static str> {
        let Types::One(name, _) = self else { return None };
        TYPES.iter().find(|(known, _)| name.says(known)).map(|(_, capital)| *capital)
    }
}

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
        let is = |camel: &str| super::super::is_spelling(&name, camel);
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
