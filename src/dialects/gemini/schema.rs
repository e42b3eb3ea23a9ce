//! JSON Schema as Gemini takes it: a subset of its keywords, or Google's own form of it, which is also read.
//!
//! `responseJsonSchema` knows the keywords of [`KNOWN`] and ignores others. What an other one says is not lost: it is told to the model
//! in words, in the description that stands beside it.
//!
//! | keyword | becomes |
//! | --- | --- |
//! | `const` | `enum` of one, if it is a string or a number |
//! | `oneOf` | `anyOf`, as which the API takes it |
//! | `allOf` | its parts, merged; where two parts differ in a keyword, words |
//! | `definitions` | `$defs`, and references with it |
//! | `$schema`, `$comment` | nothing: they do not constrain |
//! | any other | words |
//!
//! Google's own form (`responseSchema`, `parameters`; [`in_google_s_form`]) has types in capitals, `nullable`, no references and
//! no `additionalProperties`; a recursive schema cannot be said in it. Read, it becomes JSON Schema again ([`of_google_s_form`]).

mod google_s_form;

pub use google_s_form::{in_google_s_form, of_google_s_form};

use crate::json::Kind;
use crate::json::piece::{Raw, Text};
use crate::json::view::Value;
use crate::json::write::Writer;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

/// Keywords of `responseJsonSchema`. <https://ai.google.dev/api/generate-content#GenerationConfig>
const KNOWN: &[&str] = &[
    "type",
    "title",
    "description",
    "enum",
    "format",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "items",
    "prefixItems",
    "properties",
    "required",
    "additionalProperties",
    "propertyOrdering",
    "anyOf",
    "$ref",
    "$defs",
    "$id",
    "$anchor",
];

/// A schema with nothing in it that the API does not know.
#[derive(Debug)]
pub struct Adapted<'s> {
    pub text: Cow<'s, [u8]>,
    /// Keywords that are said in words now, each once.
    pub moved: Vec<String>,
}

/// Adapts a schema for `responseJsonSchema`. It is borrowed if nothing has to be changed.
pub fn adapted<'s>(schema: &'s Raw<'_>) -> Adapted<'s> {
    let value = Value::root(&schema.0);
    if is_known(value) {
        return Adapted { text: Cow::Borrowed(&schema.0), moved: Vec::new() };
    }
    let mut out = Vec::with_capacity(schema.0.len() + 256);
    let mut moved = BTreeSet::new();
    write_adapted(value, &mut Writer::new(&mut out), &mut moved);
    Adapted { text: Cow::Owned(out), moved: moved.into_iter().collect() }
}

/// What a keyword holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Schema,
    /// By the names of properties or definitions.
    Schemas,
    List,
    Other,
}

fn holds(keyword: &str) -> Holds {
    match keyword {
        "items" | "additionalProperties" => Holds::Schema,
        "properties" | "$defs" | "definitions" => Holds::Schemas,
        "prefixItems" | "anyOf" | "oneOf" | "allOf" => Holds::List,
        _ => Holds::Other,
    }
}

fn is_known(schema: Value<'_>) -> bool {
    schema.members().all(|(name, value)| {
        let Some(keyword) = KNOWN.iter().find(|known| known.as_bytes() == &*name) else { return false };
        match holds(keyword) {
            Holds::Schema => is_known(value),
            Holds::Schemas => value.members().all(|(_, schema)| is_known(schema)),
            Holds::List => value.elements().all(is_known),
            Holds::Other => true,
        }
    })
}

fn write_adapted(schema: Value<'_>, json: &mut Writer<'_>, moved: &mut BTreeSet<String>) {
    if schema.kind() != Kind::Object {
        // `true`, or `false`: anything, or nothing.
        json.raw(&schema.raw());
        return;
    }
    let Flat { keywords, mut words, .. } = Flat::of(schema);
    let mut description = None;
    json.open_object();
    for (keyword, value) in &keywords {
        let keyword = keyword.as_str();
        match (keyword, value) {
            ("$schema" | "$comment", _) => {}
            ("description", Said::As(value)) => description = value.text(),
            ("$ref", Said::As(value)) => {
                let reference = value.text().unwrap_or_default();
                let reference = reference.decoded();
                match reference.strip_prefix("#/definitions/") {
                    Some(name) => json.name("$ref").string(&format!("#/$defs/{name}")),
                    None => json.name("$ref").string(&reference),
                };
            }
            ("const", Said::As(value)) if matches!(value.kind(), Kind::String | Kind::Number) => {
                json.name("enum").open_array().raw(&value.raw()).close_array();
            }
            ("properties" | "required", Said::Merged(all)) => write_merged(keyword, all, json, moved),
            (_, Said::As(value)) if KNOWN.contains(&keyword) || holds(keyword) != Holds::Other => {
                let name = match keyword {
                    "oneOf" => "anyOf",
                    "definitions" => "$defs",
                    name => name,
                };
                json.name(name);
                write_held(holds(keyword), *value, json, moved);
            }
            (_, Said::As(value)) => words.push((keyword.to_owned(), *value)),
            (_, Said::Merged(_)) => {}
        }
    }
    write_description(description, &words, json);
    moved.extend(words.into_iter().map(|(keyword, _)| keyword));
    json.close_object();
}

fn write_held(holds: Holds, value: Value<'_>, json: &mut Writer<'_>, moved: &mut BTreeSet<String>) {
    match (holds, value.kind()) {
        (Holds::Schema, Kind::Object) => write_adapted(value, json, moved),
        (Holds::Schemas, Kind::Object) => {
            json.open_object();
            for (name, schema) in value.members() {
                json.any_name(&String::from_utf8_lossy(&name));
                write_adapted(schema, json, moved);
            }
            json.close_object();
        }
        (Holds::List, Kind::Array) => {
            json.open_array();
            value.elements().for_each(|schema| write_adapted(schema, json, moved));
            json.close_array();
        }
        _ => drop(json.raw(&value.raw())),
    }
}

/// Properties, or the required ones, of several schemas that all hold.
fn write_merged(keyword: &str, all: &[Value<'_>], json: &mut Writer<'_>, moved: &mut BTreeSet<String>) {
    if keyword == "required" {
        let mut named = BTreeSet::new();
        json.name(keyword).open_array();
        for name in all.iter().flat_map(|names| names.elements()) {
            if named.insert(name.bytes()) {
                json.raw(&name.raw());
            }
        }
        json.close_array();
        return;
    }
    json.name(keyword).open_object();
    for (name, schema) in all.iter().flat_map(|properties| properties.members()) {
        json.any_name(&String::from_utf8_lossy(&name));
        write_adapted(schema, json, moved);
    }
    json.close_object();
}

/// What keywords say that cannot be said as such, behind the description.
fn write_description(description: Option<Text<'_>>, words: &[(String, Value<'_>)], json: &mut Writer<'_>) {
    if words.is_empty() {
        if let Some(description) = description {
            json.name("description").text(&description);
        }
        return;
    }
    let mut said = description.map_or(String::new(), |description| format!("{} ", description.decoded()));
    said.push('(');
    for (place, (keyword, value)) in words.iter().enumerate() {
        if place > 0 {
            said.push_str("; ");
        }
        let value = super::compact::compacted(value.bytes());
        said.push_str(&format!("{keyword}: {}", String::from_utf8_lossy(&value)));
    }
    said.push(')');
    json.name("description").string(&said);
}

/// What a keyword says.
#[derive(Debug)]
enum Said<'s> {
    As(Value<'s>),
    /// Of several schemas that hold together, `properties` and `required` add up.
    Merged(Vec<Value<'s>>),
}

/// A schema's keywords with those of its `allOf`.
struct Flat<'s> {
    keywords: Vec<(String, Said<'s>)>,
    /// Where each of them is.
    places: HashMap<String, usize>,
    /// What two of the schemas say differently; the first stays as it is, the others are told in words.
    words: Vec<(String, Value<'s>)>,
}

impl<'s> Flat<'s> {
    fn of(schema: Value<'s>) -> Flat<'s> {
        let mut flat = Flat { keywords: Vec::new(), places: HashMap::new(), words: Vec::new() };
        flat.add(schema);
        flat
    }

    fn add(&mut self, schema: Value<'s>) {
        for (name, value) in schema.members() {
            let name = String::from_utf8_lossy(&name).into_owned();
            if name == "allOf" {
                value.elements().for_each(|part| self.add(part));
                continue;
            }
            match self.places.get(&name).and_then(|place| self.keywords.get_mut(*place)) {
                None => {
                    let adds_up = matches!(name.as_str(), "properties" | "required");
                    let said = if adds_up { Said::Merged(vec![value]) } else { Said::As(value) };
                    self.places.insert(name.clone(), self.keywords.len());
                    self.keywords.push((name, said));
                }
                Some((_, Said::Merged(all))) => all.push(value),
                Some((_, Said::As(first))) if first.bytes() == value.bytes() => {}
                Some(_) => self.words.push((name, value)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
