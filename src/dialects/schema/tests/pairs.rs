//! Schemas and what becomes of them, byte for byte.

use super::*;

#[track_caller]
fn check(subset: Subset, schema: &str, expected: &str, noted: &[&str]) {
    let (text, notes) = to(subset, schema).unwrap();
    assert_eq!(text, expected);
    assert_eq!(notes, noted);
}

#[track_caller]
fn check_refused(subset: Subset, schema: &str, why: &str) {
    assert_eq!(to(subset, schema), Err(why.to_owned()));
}

#[test]
fn a_reference() {
    let schema = r##"{"type":"object","properties":{"a":{"$ref":"#/definitions/Place%20One"},"b":{"$ref":"#/definitions/Place%20One","description":"d"}},"required":["a","b"],"definitions":{"Place One":{"type":"string","title":"P"},"unused":{}}}"##;
    check(
        Subset::OpenAiStrict,
        schema,
        r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/Place_One"},"b":{"type":"string","title":"P","description":"d"}},"required":["a","b"],"additionalProperties":false,"$defs":{"Place_One":{"type":"string","title":"P"}}}"##,
        &[],
    );
    check(
        Subset::GeminiOpenApi,
        schema,
        r#"{"type":"OBJECT","properties":{"a":{"type":"STRING","title":"P"},"b":{"type":"STRING","title":"P","description":"d"}},"propertyOrdering":["a","b"],"required":["a","b"]}"#,
        &[],
    );
    check_refused(
        Subset::Anthropic,
        r#"{"$ref":"https://example.com/a.json"}"#,
        "The schema refers to another document.",
    );
    check_refused(Subset::Anthropic, r##"{"$ref":"#/$defs/a"}"##, "A reference of the schema leads nowhere.");
    check(Subset::Cohere, r##"{"items":[{"type":"string"}],"$ref":"#/items/0"}"##, r#"{"type":"string"}"#, &[]);
}

#[test]
fn a_recursive_reference() {
    let tree = r##"{"$ref":"#/$defs/Node","$defs":{"Node":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/Node"},{"type":"null"}]},"all":{"type":"array","items":{"$ref":"#/$defs/Node"}}},"required":["next","all"],"additionalProperties":false}}}"##;
    let node = r##""type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/Node"},{"type":"null"}]},"all":{"type":"array","items":{"$ref":"#/$defs/Node"}}},"required":["next","all"],"additionalProperties":false"##;
    check(Subset::OpenAiStrict, tree, &format!(r#"{{{node},"$defs":{{"Node":{{{node}}}}}}}"#), &[]);
    for subset in [Subset::Anthropic, Subset::Bedrock, Subset::GeminiOpenApi] {
        check_refused(subset, tree, "The model takes no recursive schema.");
    }
    let to_root = r##"{"type":"object","properties":{"a":{"$ref":"#"}}}"##;
    check(
        Subset::OpenAiStrict,
        to_root,
        r##"{"type":"object","properties":{"a":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"required":["a"],"additionalProperties":false}"##,
        &["required at # names all properties: those that were optional may be null."],
    );
    check_refused(Subset::Anthropic, to_root, "The model takes no recursive schema.");
    // What stands beside a reference that leads back has nowhere to stand.
    check(
        Subset::GeminiJson,
        r##"{"type":"object","properties":{"a":{"$ref":"#","description":"d"}}}"##,
        r##"{"type":"object","properties":{"a":{"$ref":"#"}}}"##,
        &["$ref at #/properties/a is recursive: what stands beside it is left out."],
    );
}

#[test]
fn any_of() {
    let schema = r#"{"title":"t","description":"d","type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"anyOf":[{"required":["a"]},{"required":["b"]},{"type":"array"}]}"#;
    let with = |name: &str| {
        format!(
            r#"{{"type":"object","properties":{{"a":{{"type":"string"}},"b":{{"type":"integer"}}}},"required":["{name}"],"additionalProperties":false}}"#
        )
    };
    check(
        Subset::Anthropic,
        schema,
        &format!(r#"{{"anyOf":[{},{}],"title":"t","description":"d"}}"#, with("a"), with("b")),
        &[],
    );
    check_refused(Subset::OpenAiStrict, schema, "The root of the schema has to be an object for this model.");
    check(
        Subset::GeminiOpenApi,
        r#"{"description":"d","anyOf":[{"type":"string"},{"type":"array","items":{"type":"number"}},{"type":"null"}]}"#,
        r#"{"anyOf":[{"type":"STRING","nullable":true,"description":"d"},{"type":"ARRAY","nullable":true,"items":{"type":"NUMBER"},"description":"d"}]}"#,
        &[],
    );
    check(
        Subset::GeminiOpenApi,
        r#"{"title":"t","anyOf":[{"type":"string"},{"type":"null"}]}"#,
        r#"{"type":"STRING","nullable":true,"title":"t"}"#,
        &[],
    );
    check(
        Subset::Cohere,
        r#"{"oneOf":[{"type":"string"},{"type":"integer"}]}"#,
        r#"{"anyOf":[{"type":"string"},{"type":"integer"}]}"#,
        &["oneOf at # lets more than one match."],
    );
}

#[test]
fn all_of() {
    let schema = r##"{"allOf":[{"$ref":"#/$defs/base"},{"properties":{"b":{"type":"string","minLength":2},"a":{"title":"A"}},"required":["b"]}],"$defs":{"base":{"type":"object","properties":{"a":{"type":"number","minimum":1},"b":{"minLength":3}},"required":["a"],"additionalProperties":false}}}"##;
    check(
        Subset::GeminiJson,
        schema,
        r#"{"type":"object","properties":{"a":{"type":"number","minimum":1,"title":"A"},"b":{"type":"string","description":"(at least 3 characters)"}},"required":["a","b"],"additionalProperties":false}"#,
        &["minLength at #/properties/b is told in the description."],
    );
    check(
        Subset::GeminiJson,
        r#"{"allOf":[{"type":["integer","string"]},{"type":"number"}],"format":"a"}"#,
        r#"{"type":"integer","format":"a"}"#,
        &[],
    );
    check(
        Subset::OpenAiStrict,
        r#"{"type":"object","properties":{"a":{"allOf":[{"type":"string","pattern":"a"},{"pattern":"b"}]}},"required":["a"]}"#,
        r#"{"type":"object","properties":{"a":{"type":"string","pattern":"a","description":"(matches the regular expression b)"}},"required":["a"],"additionalProperties":false}"#,
        &["pattern at #/properties/a is told in the description."],
    );
    check_refused(
        Subset::Anthropic,
        r#"{"allOf":[{"type":"string"},{"type":"integer"}]}"#,
        "Nothing is valid with the schema.",
    );
}

#[test]
fn nullable() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"string","nullable":true},"b":{"type":["integer","null"]},"c":{"enum":["x"],"nullable":true},"d":{"const":"y"}},"required":["a","b","c"]}"#;
    check(
        Subset::OpenAiStrict,
        schema,
        r#"{"type":"object","properties":{"a":{"type":["string","null"]},"b":{"type":["integer","null"]},"c":{"type":["string","null"],"enum":["x",null]},"d":{"type":["string","null"],"enum":["y",null]}},"required":["a","b","c","d"],"additionalProperties":false}"#,
        &["required at # names all properties: those that were optional may be null."],
    );
    check(
        Subset::GeminiOpenApi,
        schema,
        r#"{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true},"b":{"type":"INTEGER","nullable":true},"c":{"type":"STRING","nullable":true,"format":"enum","enum":["x"]},"d":{"type":"STRING","format":"enum","enum":["y"]}},"propertyOrdering":["a","b","c","d"],"required":["a","b","c"]}"#,
        &[],
    );
}

#[test]
fn formats() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"string","format":"uri"},"b":{"type":"string","format":"date-time"}},"required":["a","b"]}"#;
    let with = |a: &str| {
        format!(
            r#"{{"type":"object","properties":{{"a":{{"type":"string",{a}}},"b":{{"type":"string","format":"date-time"}}}},"required":["a","b"]"#
        )
    };
    let told = r#""description":"(in the format uri)""#;
    let note = "format at #/properties/a is told in the description.";
    let closed = r#","additionalProperties":false}"#;
    check(Subset::OpenAiStrict, schema, &format!("{}{closed}", with(told)), &[note]);
    check(Subset::Anthropic, schema, &format!("{}{closed}", with(r#""format":"uri""#)), &[]);
    check(Subset::Cohere, schema, &format!("{}}}", with(told)), &[note]);
    check(Subset::GeminiJson, schema, &format!("{}}}", with(r#""format":"uri""#)), &[]);
}

#[test]
fn enums_of_mixed_type() {
    let schema = r#"{"enum":["a",1,true,null,2.5]}"#;
    check(
        Subset::Anthropic,
        schema,
        r#"{"type":["string","number","boolean","null"],"enum":["a",1,true,null,2.5]}"#,
        &[],
    );
    check(
        Subset::GeminiJson,
        schema,
        r#"{"description":"(one of [\"a\",1,true,null,2.5])"}"#,
        &["enum at # is told in the description."],
    );
    check(
        Subset::GeminiOpenApi,
        r#"{"enum":["a",1,null]}"#,
        r#"{"type":"STRING","nullable":true,"format":"enum","enum":["a","1"]}"#,
        &["enum at # lists strings instead of numbers."],
    );
    check(
        Subset::GeminiOpenApi,
        r#"{"type":"boolean","enum":[true]}"#,
        r#"{"type":"BOOLEAN","description":"(one of [true])"}"#,
        &["enum at # is told in the description."],
    );
    check(Subset::Cohere, r#"{"type":"integer","enum":["a",1]}"#, r#"{"type":"integer","enum":[1]}"#, &[]);
    check_refused(Subset::Cohere, r#"{"type":"integer","enum":["a"]}"#, "Nothing is valid with the schema.");
}

#[test]
fn several_types() {
    let schema =
        r#"{"type":["string","array","null"],"minLength":1,"items":{"type":"integer"},"maxItems":2,"title":"t"}"#;
    check(
        Subset::GeminiOpenApi,
        schema,
        r#"{"anyOf":[{"type":"STRING","nullable":true,"minLength":1,"title":"t"},{"type":"ARRAY","nullable":true,"items":{"type":"integer"},"maxItems":2,"title":"t"}]}"#.replace("\"integer\"", "\"INTEGER\"").as_str(),
        &[],
    );
    // What is not about the type constrains nothing.
    check(Subset::Anthropic, r#"{"type":"string","maxItems":2}"#, r#"{"type":"string"}"#, &[]);
}

#[test]
fn maps() {
    let why = "An object has to list its members for this model.";
    for subset in [Subset::OpenAiStrict, Subset::Anthropic, Subset::Bedrock] {
        check_refused(subset, r#"{"type":"object"}"#, why);
        check_refused(subset, r#"{"type":"object","additionalProperties":{"type":"string"}}"#, why);
        check_refused(subset, r#"{"type":"object","patternProperties":{"^a":{}},"additionalProperties":false}"#, why);
    }
    check(
        Subset::Anthropic,
        r#"{"type":"object","additionalProperties":false}"#,
        r#"{"type":"object","additionalProperties":false}"#,
        &[],
    );
    // As tools without input are written.
    check(
        Subset::Anthropic,
        r#"{"type":"object","properties":{}}"#,
        r#"{"type":"object","properties":{},"additionalProperties":false}"#,
        &[],
    );
    check(
        Subset::GeminiJson,
        r#"{"type":"object","additionalProperties":{"type":"string"},"patternProperties":{"^a":{"type": "string"}}}"#,
        r#"{"type":"object","additionalProperties":{"type":"string"},"description":"(members by their name: {\"^a\":{\"type\":\"string\"}})"}"#,
        &["patternProperties at # is told in the description."],
    );
}

#[test]
fn tuples() {
    let tuple =
        r#"{"type":"array","prefixItems":[{"type":"string"},{"type":"number"},{"type":"string"}],"items":false}"#;
    check(
        Subset::GeminiJson,
        tuple,
        r#"{"type":"array","prefixItems":[{"type":"string"},{"type":"number"},{"type":"string"}],"maxItems":3}"#,
        &[],
    );
    let words = r#"(items in this order: [{\"type\":\"string\"},{\"type\":\"number\"},{\"type\":\"string\"}])"#;
    let note = "prefixItems at # is told in the description.";
    check(
        Subset::Anthropic,
        tuple,
        &format!(
            r#"{{"type":"array","items":{{"anyOf":[{{"type":"string"}},{{"type":"number"}}]}},"description":"{words}"}}"#
        ),
        &[note],
    );
    // Draft 4 has them in `items`.
    check(
        Subset::GeminiJson,
        r#"{"type":"array","items":[{"type":"string"}],"additionalItems":{"type":"number"}}"#,
        r#"{"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"number"}}"#,
        &[],
    );
}

#[test]
fn conditions_and_dependencies_are_told() {
    check(
        Subset::OpenAiStrict,
        r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"description":"d","if":{"required":["a"]},"then":{"minProperties": 2},"else":true,"not":{"required":["b"]},"dependentRequired":{"a":["b"]}}"#,
        r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false,"description":"d (if it matches {\"required\":[\"a\"]}; then it matches {\"minProperties\":2}; must not match {\"required\":[\"b\"]}; members that need others: {\"a\":[\"b\"]})"}"#,
        &[
            "if at # is told in the description.",
            "then at # is told in the description.",
            "not at # is told in the description.",
            "dependentRequired at # is told in the description.",
        ],
    );
}

#[test]
fn unevaluated_properties() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"string"}},"unevaluatedProperties":false}"#;
    check(
        Subset::Anthropic,
        schema,
        r#"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}"#,
        &[],
    );
    check(
        Subset::GeminiJson,
        schema,
        r#"{"type":"object","properties":{"a":{"type":"string"}},"description":"(no other members)"}"#,
        &["unevaluatedProperties at # is told in the description."],
    );
}

#[test]
fn draft_4_bounds_and_nulls() {
    check(
        Subset::OpenAiStrict,
        r#"{"type":"object","properties":{"a":{"type":"number","minimum":1,"exclusiveMinimum":true,"maximum":2,"exclusiveMaximum":false,"description":null}},"required":["a"]}"#,
        r#"{"type":"object","properties":{"a":{"type":"number","exclusiveMinimum":1,"maximum":2}},"required":["a"],"additionalProperties":false}"#,
        &[],
    );
}

#[test]
fn what_is_no_schema() {
    check_refused(Subset::Anthropic, "[]", "A schema has to be an object or a boolean.");
    check_refused(Subset::Anthropic, "true", "A schema has to say its type for this model.");
    check_refused(Subset::GeminiJson, "false", "Nothing is valid with the schema.");
    check_refused(Subset::GeminiJson, r#"{"type":"text"}"#, "A type of the schema is unknown.");
    check(Subset::GeminiJson, "true", "{}", &[]);
    // A property that may not be there is not there.
    check(
        Subset::Anthropic,
        r#"{"type":"object","properties":{"a":false,"b":{"type":"null"}}}"#,
        r#"{"type":"object","properties":{"b":{"type":"null"}},"additionalProperties":false}"#,
        &[],
    );
}

#[test]
fn names_of_schemas_are_left_out_but_not_properties() {
    check(
        Subset::Mistral,
        r#"{"$schema":"x","$id":"y","type":"object","properties":{"$id":{"$id":"z","type":"string"}},"anyOf":[{"$schema":"x"}],"items":[{"$id":"a"}],"required":["$id"],"enum":[{"$id":1}],"x-own":{"$id":1}}"#,
        r#"{"type":"object","properties":{"$id":{"type":"string"}},"anyOf":[{}],"items":[{}],"required":["$id"],"enum":[{"$id":1}],"x-own":{"$id":1}}"#,
        &[],
    );
}
