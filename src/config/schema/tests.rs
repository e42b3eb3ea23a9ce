use super::*;
use crate::{
    config::{
        checked::fuzz_entry,
        load::{SourceFile, parse_as_written},
    },
    limits,
};
use std::collections::BTreeSet;
use toml::Value as Toml;

/// `check` understands a part of JSON Schema; anything else in our own schema would be ignored silently.
#[test]
fn the_schema_uses_only_what_the_check_understands() {
    fn keywords(schema: &Json, found: &mut BTreeSet<String>) {
        let Json::Object(object) = schema else { return };
        for (key, value) in object {
            found.insert(key.clone());
            match (key.as_str(), value) {
                ("properties" | "$defs", Json::Object(schemas)) => {
                    schemas.values().for_each(|schema| keywords(schema, found));
                }
                ("anyOf" | "oneOf", Json::Array(schemas)) => schemas.iter().for_each(|schema| keywords(schema, found)),
                ("items" | "additionalProperties", schema) => keywords(schema, found),
                _ => {}
            }
        }
    }
    let understood = [
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "enum",
        "items",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "oneOf",
        "properties",
        "required",
        "type",
        // Notes for people and editors.
        "$schema",
        "default",
        "description",
        "format",
        "title",
    ];
    let mut found = BTreeSet::new();
    keywords(&schema(), &mut found);
    let unknown: Vec<_> = found.iter().filter(|keyword| !understood.contains(&keyword.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// TOML has no null, so no key may ask an editor for it.
#[test]
fn the_schema_does_not_mention_null() {
    assert!(!schema().to_string().contains("null\""));
}

#[test]
fn every_key_has_a_description() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().expect("definitions");
    for (name, definition) in definitions.iter().chain([(&"Config".to_owned(), &schema)]) {
        for (key, property) in definition["properties"].as_object().into_iter().flatten() {
            let referred =
                property["$ref"].as_str().and_then(|path| definitions.get(path.trim_start_matches("#/$defs/")));
            let described = description(property).or_else(|| description(referred?));
            assert!(described.is_some(), "{name}.{key}");
        }
    }
}

#[test]
fn the_ranges_agree_with_the_limits() {
    let schema = schema();
    let model = &schema["$defs"]["Model"]["properties"];
    assert_eq!(model["attempts_max"]["maximum"].as_u64(), Some(limits::ATTEMPTS_MAX as u64));
    assert_eq!(model["name"]["maxLength"].as_u64(), Some(limits::MODEL_BYTES_MAX as u64));
}

/// Every default lies within its own range.
#[test]
fn the_defaults_pass() {
    let defaults = raw::Config {
        models: vec![raw::Model {
            name: "m".into(),
            deployments: vec![raw::Deployment::Short("p/m".into())],
            attempts_max: 4,
            deadlines: raw::Deadlines::default(),
            retry_on_timeout: false,
            unsupported: None,
            tokenizer: None,
            owned_by: None,
            list: Vec::new(),
        }],
        providers: [("p".to_owned(), raw::Provider::of_kind("vllm"))].into(),
        ..raw::Config::default()
    };
    let text = toml::to_string(&defaults).expect("serialises");
    let files = [SourceFile { name: "defaults".into(), text }];
    assert_eq!(parse_as_written(&files).expect("passes").config, defaults);
}

/// Whatever value stands at whatever key: it is refused with a reason, or serde can read it. One key at a time is replaced by a
/// value of each type, so that no type of `raw` can be stricter than its schema.
#[test]
fn what_fits_the_schema_can_be_read() {
    let base = include_str!("../../../tests/config/good/everything.toml");
    let mut document: Toml = base.parse::<toml::Table>().expect("TOML").into();
    let values: toml::Table =
        "values = [1, -1, 0.5, true, 'text', [], ['a'], [1], {}, { a = 1 }, 2027-01-01T00:00:00Z]"
            .parse()
            .expect("TOML");
    let mut paths = Vec::new();
    collect(&document, &mut Vec::new(), &mut paths);
    assert!(paths.len() > 60, "the example names every key");
    for path in paths {
        for value in values["values"].as_array().expect("an array") {
            let kept = std::mem::replace(at(&mut document, &path), value.clone());
            // Asserts by itself that a refusal gives reasons and that what fits can be read.
            fuzz_entry(&toml::to_string(&document).expect("TOML"));
            *at(&mut document, &path) = kept;
        }
    }
}

#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

/// Every path below the root.
fn collect(value: &Toml, path: &mut Vec<Step>, paths: &mut Vec<Vec<Step>>) {
    let steps: Vec<(Step, &Toml)> = match value {
        Toml::Table(table) => table.iter().map(|(key, value)| (Step::Key(key.clone()), value)).collect(),
        Toml::Array(items) => items.iter().enumerate().map(|(index, value)| (Step::Index(index), value)).collect(),
        _ => Vec::new(),
    };
    for (step, value) in steps {
        path.push(step);
        paths.push(path.clone());
        collect(value, path, paths);
        path.pop();
    }
}

fn at<'d>(value: &'d mut Toml, path: &[Step]) -> &'d mut Toml {
    path.iter().fold(value, |value, step| match step {
        Step::Key(key) => &mut value[key.as_str()],
        Step::Index(index) => &mut value[*index],
    })
}
