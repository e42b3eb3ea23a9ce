use super::keywords::{ADAPTED, Form, KEYWORDS, Keyword, Rule, Values, page, rule};
use super::*;
use crate::limits::{SCHEMA_DEPTH_MAX, SCHEMA_NOTES_MAX, SCHEMA_WORDS_BYTES_MAX};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

mod checker;
mod pairs;
mod validity;

/// The schema for the subset, and what is noted.
fn to(subset: Subset, schema: &str) -> Result<(String, Vec<String>), String> {
    let mut notes = Notes::default();
    let mut out = b"{\"schema\":".to_vec();
    let begin = out.len();
    let raw = Raw(Cow::Borrowed(schema.as_bytes()));
    match adapt(&raw, subset, "response_format", &mut notes, &mut out) {
        Ok(()) => {
            assert!(notes.notes.iter().all(|note| note.param == "response_format"));
            let text = String::from_utf8(out.split_off(begin)).unwrap();
            Ok((text, notes.notes.into_iter().map(|note| note.says.into_owned()).collect()))
        }
        Err(Unsupported { param, why }) => {
            assert_eq!((out.len(), notes.notes.len(), &*param), (begin, 0, "response_format"));
            Err(why.into_owned())
        }
    }
}

fn tree(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A property's schema in an object that every subset takes.
fn around(property: &Json) -> Json {
    json!({"type":"object","properties":{"p":property},"required":["p"],"additionalProperties":false})
}

/// A schema with the keyword, and the value that it has in it.
fn sample(keyword: &Keyword) -> (Json, Json) {
    let (rest, value) = match keyword.name {
        "$defs" | "definitions" => {
            let value = json!({"d":{"type":"string"}});
            let mut schema = around(&json!({"$ref":format!("#/{}/d", keyword.name)}));
            schema[keyword.name] = value.clone();
            return (schema, value);
        }
        "$ref" => {
            let mut schema = around(&json!({"$ref":"#/$defs/d"}));
            schema["$defs"] = json!({"d":{"type":"string"}});
            return (schema, json!("#/$defs/d"));
        }
        "$schema" | "$id" | "id" | "$anchor" | "$dynamicAnchor" | "$comment" | "title" | "description" | "default"
        | "contentEncoding" | "contentMediaType" => (json!({"type":"string"}), json!("some")),
        "$vocabulary" | "discriminator" => (json!({"type":"string"}), json!({"a":"b"})),
        "$recursiveAnchor" | "deprecated" | "readOnly" | "writeOnly" | "nullable" => {
            (json!({"type":"string"}), json!(true))
        }
        "$dynamicRef" | "$recursiveRef" => (json!({"type":"string"}), json!("#")),
        "examples" => (json!({"type":"string"}), json!(["a", "b"])),
        "example" => (json!({"type":"string"}), json!("a")),
        "propertyOrdering" => (object(), json!(["b", "a"])),
        "type" => (json!({}), json!("string")),
        "enum" => (json!({"type":["string","integer"]}), json!(["a", 1])),
        "const" => (json!({}), json!("a")),
        "minLength" | "maxLength" => (json!({"type":"string"}), json!(3)),
        "pattern" => (json!({"type":"string"}), json!("^a+$")),
        "format" => (json!({"type":"string"}), json!("date-time")),
        "contentSchema" => (json!({"type":"string"}), json!({"type":"object"})),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
            (json!({"type":"number"}), json!(2.5))
        }
        "items" => (json!({"type":"array"}), json!({"type":"string"})),
        "prefixItems" => (json!({"type":"array"}), json!([{"type":"string"},{"type":"integer"}])),
        // A keyword of its own only beside a list of `items`, whose further items it is about.
        "additionalItems" => (json!({"type":"array","items":{"type":"string"}}), json!({"type":"integer"})),
        "minItems" | "maxItems" | "minContains" | "maxContains" => {
            (json!({"type":"array","items":{"type":"string"}}), json!(1))
        }
        "uniqueItems" => (json!({"type":"array","items":{"type":"string"}}), json!(true)),
        "contains" | "unevaluatedItems" => {
            (json!({"type":"array","items":{"type":"string"}}), json!({"type":"string"}))
        }
        "properties" => (json!({"type":"object","required":["a"]}), json!({"a":{"type":"string"}})),
        "required" => (object(), json!(["a"])),
        "additionalProperties" | "unevaluatedProperties" => (object(), json!({"type":"string"})),
        "patternProperties" => (object(), json!({"^x":{"type":"string"}})),
        "propertyNames" => (object(), json!({"maxLength":3})),
        "minProperties" | "maxProperties" => (object(), json!(1)),
        "dependentRequired" => (object(), json!({"a":["b"]})),
        "dependentSchemas" | "dependencies" => (object(), json!({"a":{"required":["b"]}})),
        "anyOf" | "oneOf" => (json!({}), json!([{"type":"string"},{"type":"integer"}])),
        "allOf" => (json!({}), json!([{"type":"string"},{"title":"t"}])),
        "not" => (json!({"type":"string"}), json!({"const":"a"})),
        "if" | "then" | "else" => (object(), json!({"required":["a"]})),
        other => panic!("a sample for {other} is missing"),
    };
    let mut property = rest;
    property[keyword.name] = value.clone();
    if matches!(keyword.name, "then" | "else") {
        property["if"] = json!({"required":["b"]});
    }
    (around(&property), value)
}

fn object() -> Json {
    json!({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}})
}

#[test]
fn every_keyword_of_the_table_becomes_what_the_table_says() {
    for keyword in KEYWORDS {
        for subset in ADAPTED {
            check_rule(keyword, subset);
        }
    }
}

fn check_rule(keyword: &Keyword, subset: Subset) {
    let (schema, value) = sample(keyword);
    let what = format!("{} for {subset:?}", keyword.name);
    let result = to(subset, &schema.to_string());
    if let Rule::Refuse(why) = rule(keyword, subset) {
        assert_eq!(result, Err(why.to_owned()), "{what}");
        return;
    }
    let (text, notes) = result.unwrap_or_else(|why| panic!("{what}: {why}"));
    let adapted = tree(&text);
    if subset != Subset::Mistral {
        checker::check(subset, &adapted).unwrap_or_else(|why| panic!("{what}: {why}"));
    }
    let property = &adapted["properties"]["p"];
    let said = property.get(keyword.name);
    let words = property["description"].as_str().unwrap_or_default();
    let noted = notes.iter().any(|note| note.starts_with(&format!("{} at #/properties/p ", keyword.name)));
    let is_described = || {
        let word = keyword.words.split("{}").next().unwrap_or_default();
        assert!(words.contains(word) && !word.is_empty(), "{what}: {property}");
        assert_eq!((said, noted), (None, keyword.constrains), "{what}: {property} {notes:?}");
    };
    match (rule(keyword, subset), keyword.name) {
        (Rule::Keep, "$defs" | "definitions") => assert_eq!(adapted[keyword.name], value, "{what}"),
        (Rule::Keep, "nullable") if subset == Subset::Mistral => assert_eq!(said, Some(&value), "{what}"),
        (Rule::Keep, "properties") => assert_eq!(property["properties"].as_object().unwrap().len(), 1, "{what}"),
        (Rule::Keep, "items" | "prefixItems" | "anyOf") => assert!(said.is_some(), "{what}"),
        (Rule::Keep, _) => assert_eq!((said, noted), (Some(&value), false), "{what}: {property}"),
        (Rule::Only(taken), _) => {
            let is_taken = match value.as_array() {
                Some(values) => values.iter().all(|value| value_taken(taken, value)),
                None => value_taken(taken, &value),
            };
            if is_taken {
                assert_eq!((said, noted), (Some(&value), false), "{what}: {property}");
            } else {
                is_described();
            }
        }
        (Rule::Rename("$defs"), _) => assert_eq!(adapted["$defs"], value, "{what}"),
        (Rule::Rename(name), _) => {
            assert_eq!((said, property[name].to_string().to_lowercase()), (None, value.to_string()), "{what}");
            assert_eq!(noted, keyword.name == "oneOf", "{what}");
        }
        (Rule::As(form), _) => check_form(form, keyword, property, &what),
        (Rule::Inline, "allOf") => assert_eq!((said, &property["title"]), (None, &json!("t")), "{what}"),
        (Rule::Inline, _) => {
            assert!(said.is_none() && adapted.get(keyword.name).is_none(), "{what}");
            assert_eq!(property["type"].as_str().unwrap().to_lowercase(), "string", "{what}");
        }
        // It means something only beside a list of items.
        (Rule::Describe, "additionalItems") => assert_eq!((said, noted), (None, false), "{what}"),
        (Rule::Describe, _) => is_described(),
        (Rule::Drop, _) => assert_eq!((said, noted), (None, keyword.constrains && subset != Subset::Mistral), "{what}"),
        (Rule::Refuse(_), _) => unreachable!(),
    }
}

fn value_taken(taken: Values, value: &Json) -> bool {
    taken.take(Value::root(value.to_string().as_bytes()))
}

fn check_form(form: Form, keyword: &Keyword, property: &Json, what: &str) {
    match form {
        Form::GoogleTypes => assert_eq!(property["type"], "STRING", "{what}"),
        Form::Closed => {
            assert_eq!(
                (&property["additionalProperties"], property.get("unevaluatedProperties")),
                (&json!(false), None),
                "{what}"
            );
        }
        Form::AllRequired => {
            assert_eq!(property["required"], json!(["a", "b"]), "{what}");
            assert_eq!(property["properties"]["b"]["type"], json!(["string", "null"]), "{what}");
        }
        Form::EnumOfOne => assert_eq!((&property["enum"], property.get("const")), (&json!(["a"]), None), "{what}"),
        Form::EnumOfStrings => {
            assert_eq!((&property["type"], &property["enum"]), (&json!("STRING"), &json!(["a", "1"])), "{what}")
        }
        Form::NullType => {
            assert_eq!((&property["type"], property.get("nullable")), (&json!(["string", "null"]), None), "{what}");
        }
        Form::AnyItem => {
            assert_eq!(property.get(keyword.name), None, "{what}");
            assert_eq!(property["items"]["anyOf"].as_array().unwrap().len(), 2, "{what}");
            assert!(property["description"].as_str().unwrap().contains("items in this order: [{"), "{what}");
        }
        Form::Ordering => assert_eq!(property["propertyOrdering"], json!(["b", "a"]), "{what}"),
    }
}

#[test]
fn values_that_a_subset_does_not_take_are_described() {
    for (keyword, kind, value, words) in [
        ("format", "string", json!("regex"), "in the format regex"),
        ("minItems", "array", json!(2), "at least 2 items"),
        ("pattern", "string", json!(r"^(?=a)"), "matches the regular expression ^(?=a)"),
        ("enum", "object", json!([{"a":1}]), r#"one of [{"a":1}]"#),
        ("const", "array", json!([1]), "always [1]"),
    ] {
        let row = keywords::keyword(keyword.as_bytes()).unwrap();
        for subset in ADAPTED {
            let Rule::Only(taken) = rule(row, subset) else { continue };
            if value_taken(taken, &value) {
                continue;
            }
            let mut property = match kind {
                "array" => json!({"type":"array","items":{"type":"string"}}),
                "object" => json!({"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}),
                kind => json!({"type":kind}),
            };
            property[keyword] = value.clone();
            let (text, notes) = to(subset, &around(&property).to_string()).unwrap();
            let property = &tree(&text)["properties"]["p"];
            assert_eq!(
                (property.get(keyword), &property["description"]),
                (None, &json!(format!("({words})"))),
                "{subset:?}"
            );
            assert_eq!(notes, [format!("{keyword} at #/properties/p is told in the description.")]);
        }
    }
}

#[test]
fn subsets_that_take_anything_get_the_bytes() {
    let odd = " { \"x\" :1, \"type\": [ ], \"$ref\":\"http://x\" }";
    for subset in SUBSETS.into_iter().filter(|subset| !ADAPTED.contains(subset)) {
        assert_eq!(to(subset, odd), Ok((odd.to_owned(), vec![])));
        let raw = Raw(Cow::Borrowed(odd.as_bytes()));
        assert!(matches!(adapted(&raw, subset, "p", &mut Notes::default()), Ok(Cow::Borrowed(_))));
    }
}

#[test]
fn references_that_grow_are_bounded() {
    let bomb = |uses: &str| {
        let levels: Vec<_> = (0..40)
            .map(|level| format!(r#""l{level}":{}"#, uses.replace("NEXT", &format!("#/$defs/l{}", level + 1))))
            .collect();
        format!(r##"{{"$ref":"#/$defs/l0","$defs":{{{},"l40":{{"type":"string"}}}}}}"##, levels.join(","))
    };
    let choices = r#"{"anyOf":[{"$ref":"NEXT"},{"$ref":"NEXT","title":"t"}]}"#;
    let parts = r#"{"allOf":[{"title":"a","$ref":"NEXT"},{"title":"b","$ref":"NEXT"}]}"#;
    let members = r#"{"type":"object","properties":{"a":{"$ref":"NEXT","title":"a"},"b":{"$ref":"NEXT","title":"b"}},"required":["a","b"],"additionalProperties":false}"#;
    for subset in ADAPTED.into_iter().filter(|subset| *subset != Subset::Mistral) {
        for kind in [choices, parts, members] {
            match to(subset, &bomb(kind)) {
                Ok((text, _)) => assert!(text.len() < crate::limits::SCHEMA_BYTES_MAX),
                Err(why) => assert!(!why.contains("leads nowhere"), "{subset:?}: {why}"),
            }
        }
    }
    for kind in [choices, members] {
        assert!(to(Subset::GeminiOpenApi, &bomb(kind)).unwrap_err().contains("grows too large"));
    }
    // Each reference stays one.
    let plain = members.replace(r#","title":"a""#, "").replace(r#","title":"b""#, "");
    assert!(to(Subset::OpenAiStrict, &bomb(&plain)).is_ok());
}

#[test]
fn depth_is_bounded() {
    let deep = |levels: usize| {
        format!("{}{}{}", r#"{"type":"array","items":"#.repeat(levels), r#"{"type":"string"}"#, "}".repeat(levels))
    };
    assert!(to(Subset::GeminiJson, &deep(SCHEMA_DEPTH_MAX)).is_ok());
    assert_eq!(to(Subset::GeminiJson, &deep(SCHEMA_DEPTH_MAX + 1)), Err("The schema is nested too deeply.".to_owned()));
    let strict = |levels| to(Subset::OpenAiStrict, &around(&tree(&deep(levels))).to_string());
    assert!(strict(9).is_ok());
    assert_eq!(strict(10), Err("The schema is nested too deeply for this model.".to_owned()));
}

#[test]
fn sizes_that_openai_limits_are_refused() {
    let strict = |property: Json| to(Subset::OpenAiStrict, &around(&property).to_string());
    let many: Vec<_> = (0..1_001).collect();
    assert!(strict(json!({"type":"integer","enum":many[1..]})).is_ok());
    assert!(strict(json!({"type":"integer","enum":many})).unwrap_err().contains("too many values"));
    let properties: serde_json::Map<String, Json> =
        (0..5_000).map(|at| (format!("{at}"), json!({"type":"string"}))).collect();
    assert!(strict(json!({"type":"object","properties":properties})).unwrap_err().contains("too many properties"));
    assert!(strict(json!({"const":"a".repeat(120_000)})).unwrap_err().contains("too long"));
}

#[test]
fn notes_and_words_are_bounded() {
    let many: serde_json::Map<String, Json> =
        (0..100).map(|at| (format!("{}{at}", "a/~".repeat(100)), json!({"type":"string","maxLength":3}))).collect();
    let (_, notes) = to(Subset::Anthropic, &json!({"type":"object","properties":many}).to_string()).unwrap();
    assert_eq!(notes.len(), SCHEMA_NOTES_MAX);
    assert_eq!(notes.last().unwrap(), "More of the schema is adapted.");
    assert!(notes[0].contains("#/properties/a~1~0a~1~0") && notes[0].len() < 300);
    let long = "a".repeat(SCHEMA_WORDS_BYTES_MAX + 1);
    let (text, notes) = to(Subset::GeminiJson, &json!({"type":"string","pattern":long}).to_string()).unwrap();
    assert_eq!((text.as_str(), &notes[..]), (r#"{"type":"string"}"#, &["pattern at # is left out.".to_owned()][..]));
}

#[test]
fn documentation_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schemas.md");
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "update") {
        std::fs::write(path, page()).expect("written");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(written, page(), "run the test again with GOLDEN=update and read the difference");
}

/// Schemas of all kinds, sensible and not.
fn schemas() -> impl Strategy<Value = Json> {
    let scalar = prop_oneof![
        Just(json!("a")),
        Just(json!(1)),
        Just(json!(2.5)),
        Just(json!(null)),
        Just(json!(true)),
        Just(json!([1])),
        Just(json!({"a":1})),
    ];
    let leaf = prop_oneof![
        4 => prop::sample::select(vec!["string", "integer", "number", "boolean", "null"]).prop_map(|kind| json!({"type":kind})),
        1 => prop::sample::select(vec!["#", "#/$defs/a", "#/$defs/b", "#/properties/x"]).prop_map(|to| json!({"$ref":to})),
        1 => prop::collection::vec(scalar.clone(), 1..4).prop_map(|values| json!({"enum":values})),
        1 => scalar.prop_map(|value| json!({"const":value})),
        1 => any::<bool>().prop_map(Json::Bool),
        1 => Just(json!({})),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 1..4);
        let properties = prop::collection::btree_map(prop::sample::select(vec!["x", "y", "a/b"]), inner.clone(), 0..3);
        let required = prop::collection::vec(prop::sample::select(vec!["x", "y", "z"]), 0..3);
        let more = prop::collection::btree_map(
            prop::sample::select(
                KEYWORDS
                    .iter()
                    .map(|keyword| keyword.name)
                    .filter(|name| *name != "$dynamicRef" && *name != "$recursiveRef")
                    .collect::<Vec<_>>(),
            ),
            prop_oneof![
                inner.clone(),
                list.clone().prop_map(Json::from),
                Just(json!(1)),
                Just(json!(true)),
                Just(json!("date")),
                Just(json!({"x":{"type":"string"}})),
            ],
            0..3,
        );
        prop_oneof![
            3 => (properties, required, any::<Option<bool>>(), more).prop_map(|(properties, required, others, more)| {
                let mut schema = json!({"type":"object","properties":properties,"required":required});
                if let Some(others) = others {
                    schema["additionalProperties"] = others.into();
                }
                more.into_iter().for_each(|(name, value)| schema[name] = value);
                schema
            }),
            1 => inner.clone().prop_map(|items| json!({"type":"array","items":items,"minItems":2})),
            1 => list.clone().prop_map(|items| json!({"type":["array","null"],"prefixItems":items})),
            1 => list.clone().prop_map(|all| json!({"anyOf":all,"description":"d"})),
            1 => list.clone().prop_map(|all| json!({"oneOf":all,"type":"object","properties":{"x":{"type":"string"}}})),
            1 => list.prop_map(|all| json!({"allOf":all,"nullable":true})),
            1 => inner.prop_map(|part| json!({"$ref":"#/$defs/a","title":"t","allOf":[part]})),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Whatever a client sends, what is sent on is JSON and within the subset, or is refused with nothing written.
    #[test]
    fn what_is_written_is_within_the_subset(root in schemas(), a in schemas(), b in schemas()) {
        let mut root = if root.is_object() { root } else { json!({"type":"object","properties":{"x":root}}) };
        root["$defs"] = json!({"a":a,"b":b});
        let text = root.to_string();
        for subset in ADAPTED {
            match to(subset, &text) {
                Ok((adapted, notes)) => {
                    prop_assert!(notes.len() <= SCHEMA_NOTES_MAX);
                    let adapted = serde_json::from_str::<Json>(&adapted).map_err(|error| TestCaseError::fail(format!("{error}: {adapted}")))?;
                    if subset != Subset::Mistral {
                        let checked = checker::check(subset, &adapted);
                        prop_assert!(checked.is_ok(), "{subset:?}: {checked:?}\n{text}\n{adapted}");
                    }
                }
                Err(why) => prop_assert!(!why.is_empty() && subset != Subset::Mistral),
            }
        }
    }

    /// What is within the subset needs no adapting: nothing is weakened again.
    #[test]
    fn what_was_adapted_is_not_adapted_again(root in schemas(), a in schemas(), b in schemas()) {
        let mut root = if root.is_object() { root } else { json!({"type":"object","properties":{"x":root}}) };
        root["$defs"] = json!({"a":a,"b":b});
        for subset in ADAPTED.into_iter().filter(|subset| *subset != Subset::GeminiOpenApi) {
            let Ok((once, _)) = to(subset, &root.to_string()) else { continue };
            // A schema that is a choice of itself alone means nothing; it may be written once and be refused then.
            if let Ok((_, notes)) = to(subset, &once) {
                prop_assert_eq!(notes, Vec::<String>::new(), "{:?}: {}", subset, once);
            }
        }
    }

    /// Where nothing is noted, whatever the adapted schema lets through is what the client asked for.
    #[test]
    fn what_is_not_noted_is_not_weaker(root in schemas(), a in schemas(), b in schemas(), values in prop::collection::vec(values(), 12)) {
        let mut root = if root.is_object() { root } else { json!({"type":"object","properties":{"x":root}}) };
        root["$defs"] = json!({"a":a,"b":b});
        for subset in [Subset::OpenAiStrict, Subset::Anthropic, Subset::GeminiJson, Subset::Cohere] {
            let Ok((adapted, notes)) = to(subset, &root.to_string()) else { continue };
            if !notes.is_empty() {
                continue;
            }
            let adapted = tree(&adapted);
            for value in &values {
                if validity::is_valid(&adapted, &adapted, value, 12) == Some(true) {
                    let valid = validity::is_valid(&root, &root, value, 12);
                    prop_assert!(valid != Some(false), "{subset:?}: {value}\n{root}\n{adapted}");
                }
            }
        }
    }
}

/// Answers, some of which fit.
fn values() -> impl Strategy<Value = Json> {
    let scalar = prop::sample::select(vec![json!("a"), json!(1), json!(2.5), json!(null), json!(true)]);
    scalar.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::btree_map(prop::sample::select(vec!["x", "y", "z", "a/b"]), inner.clone(), 0..3)
                .prop_map(|members| json!(members)),
            prop::collection::vec(inner, 0..3).prop_map(Json::from),
        ]
    })
}
