use super::*;
use proptest::prelude::*;

#[track_caller]
fn check(schema: &str, expected: &str, moved: &[&str]) {
    let raw = Raw(Cow::Borrowed(schema.as_bytes()));
    let adapted = adapted(&raw);
    assert_eq!(String::from_utf8_lossy(&adapted.text), expected);
    assert_eq!(adapted.moved, moved);
}

#[track_caller]
fn check_same(schema: &str) {
    check(schema, schema, &[]);
}

#[track_caller]
fn check_google_s(schema: &str, expected: &str) {
    let raw = Raw(Cow::Borrowed(schema.as_bytes()));
    assert_eq!(in_google_s_form(&raw).map(|text| String::from_utf8(text).unwrap()), Ok(expected.to_owned()));
}

#[test]
fn keywords_that_are_known_stay() {
    check_same(
        r##"{ "$id": "a", "$anchor": "b", "title": "T", "description": "d", "type": ["object", "null"], "properties": {"pattern": {"type": "string", "format": "date", "enum": ["a"]}, "r": {"$ref": "#/$defs/x"}}, "required": ["pattern"], "additionalProperties": {"type": "integer", "minimum": 1, "maximum": 2}, "propertyOrdering": ["r", "pattern"], "$defs": {"x": {"anyOf": [{"type": "array", "items": {"type": "number"}, "prefixItems": [{}], "minItems": 1, "maxItems": 2}, {"type": "null"}]}} }"##,
    );
    check_same("{}");
    check_same(r#"{"additionalProperties":false}"#);
}

#[test]
fn each_other_keyword_is_said_otherwise() {
    check(r#"{"const":"a"}"#, r#"{"enum":["a"]}"#, &[]);
    check(r#"{"const":1}"#, r#"{"enum":[1]}"#, &[]);
    check(r#"{"const":true}"#, r#"{"description":"(const: true)"}"#, &["const"]);
    check(r#"{"oneOf":[{"type":"string"},{"const":2}]}"#, r#"{"anyOf":[{"type":"string"},{"enum":[2]}]}"#, &[]);
    check(
        r##"{"definitions":{"a":{"const":1}},"$ref":"#/definitions/a"}"##,
        r##"{"$defs":{"a":{"enum":[1]}},"$ref":"#/$defs/a"}"##,
        &[],
    );
    check(r#"{"$schema":"s","$comment":"c","type":"string"}"#, r#"{"type":"string"}"#, &[]);
    for keyword in [
        "pattern",
        "minLength",
        "maxLength",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "uniqueItems",
        "contains",
        "minProperties",
        "maxProperties",
        "patternProperties",
        "propertyNames",
        "dependentRequired",
        "dependentSchemas",
        "if",
        "then",
        "else",
        "not",
        "default",
        "examples",
        "unevaluatedProperties",
        "nullable",
    ] {
        check(
            &format!(r#"{{"type":"string","{keyword}":"a b","description":"d"}}"#),
            &format!(r#"{{"type":"string","description":"d ({keyword}: \"a b\")"}}"#),
            &[keyword],
        );
    }
    check(
        r#"{"items":{"minLength":1,"maxLength": 3},"not":{ "type": "null" }}"#,
        r#"{"items":{"description":"(minLength: 1; maxLength: 3)"},"description":"(not: {\"type\":\"null\"})"}"#,
        &["maxLength", "minLength", "not"],
    );
}

#[test]
fn parts_that_all_hold_are_merged() {
    check(
        r#"{"allOf":[{"type":"object","properties":{"a":{"const":1}},"required":["a"]},{"type":"object","properties":{"b":{}},"required":["b","a"],"additionalProperties":false}]}"#,
        r#"{"type":"object","properties":{"a":{"enum":[1]},"b":{}},"required":["a","b"],"additionalProperties":false}"#,
        &[],
    );
    check(r#"{"allOf":[{"minimum":1},{"minimum":2}]}"#, r#"{"minimum":1,"description":"(minimum: 2)"}"#, &["minimum"]);
}

#[test]
fn google_s_form_has_capitals_and_no_references() {
    check_google_s(
        r##"{"type":"object","description":"A place","$defs":{"kind":{"type":"string","enum":["city","river"]}},"properties":{"kind":{"$ref":"#/$defs/kind"},"height":{"anyOf":[{"type":"integer"},{"type":"null"}]},"alias":{"type":["string","null"]},"any":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"number"}},{"type":"null"}],"description":"d"}},"required":["kind"],"additionalProperties":false}"##,
        r#"{"type":"OBJECT","properties":{"kind":{"type":"STRING","format":"enum","enum":["city","river"]},"height":{"type":"INTEGER","nullable":true},"alias":{"type":"STRING","nullable":true},"any":{"anyOf":[{"type":"STRING","nullable":true},{"type":"ARRAY","nullable":true,"items":{"type":"NUMBER"}}],"description":"d"}},"propertyOrdering":["kind","height","alias","any"],"required":["kind"],"description":"A place"}"#,
    );
    check_google_s(r#"{"enum":[1,2,null]}"#, r#"{"type":"STRING","format":"enum","enum":["1","2"]}"#);
    check_google_s(r#"{"const":"a"}"#, r#"{"type":"STRING","format":"enum","enum":["a"]}"#);
    check_google_s(
        r#"{"type":"string","format":"email","pattern":"a","minLength":1,"multipleOf":2}"#,
        r#"{"type":"STRING","pattern":"a","minLength":1,"description":"(format: \"email\"; multipleOf: 2)"}"#,
    );
    check_google_s(r#"{"type":["string","integer"]}"#, r#"{"anyOf":[{"type":"STRING"},{"type":"INTEGER"}]}"#);
    check_google_s(
        r#"{"allOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"properties":{"b":{"type":"boolean"}}}]}"#,
        r#"{"type":"OBJECT","properties":{"a":{"type":"STRING"},"b":{"type":"BOOLEAN"}},"propertyOrdering":["a","b"]}"#,
    );
}

#[test]
fn what_google_s_form_cannot_say_is_refused() {
    let refused = |schema: &str| in_google_s_form(&Raw(Cow::Borrowed(schema.as_bytes()))).unwrap_err();
    assert!(refused(r##"{"$ref":"#/$defs/a","$defs":{"a":{"items":{"$ref":"#/$defs/a"}}}}"##).contains("recursive"));
    assert!(refused(r##"{"properties":{"a":{"$ref":"#"}}}"##).contains("recursive"));
    assert!(refused(r##"{"$ref":"#/$defs/a"}"##).contains("nowhere"));
    // Each level doubles what the one below says.
    let levels: Vec<_> = (0..40)
        .map(|level| {
            format!(r##""l{level}":{{"anyOf":[{{"$ref":"#/$defs/l{0}"}},{{"$ref":"#/$defs/l{0}"}}]}}"##, level + 1)
        })
        .collect();
    let bomb = format!(r##"{{"$ref":"#/$defs/l0","$defs":{{{},"l40":{{"type":"string"}}}}}}"##, levels.join(","));
    assert!(refused(&bomb).contains("too large"));
}

#[test]
fn google_s_form_becomes_json_schema() {
    let read =
        |schema: &str| String::from_utf8(of_google_s_form(Value::root(schema.as_bytes())).0.into_owned()).unwrap();
    assert_eq!(
        read(
            r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true,"format":"enum","enum":["a"]},"n":{"type":"INTEGER","format":"int32","minimum":"1","example":3},"l":{"type":"ARRAY","items":{"type":"NUMBER"},"min_items":"2"},"x":{"any_of":[{"type":"STRING"},{"type":"BOOLEAN"}],"nullable":true}},"property_ordering":["n"],"required":["n"]}"#
        ),
        r#"{"type":"object","properties":{"type":{"type":["string","null"],"enum":["a",null]},"n":{"type":"integer","format":"int32","minimum":1,"examples":[3]},"l":{"type":"array","items":{"type":"number"},"minItems":2},"x":{"anyOf":[{"type":"string"},{"type":"boolean"},{"type":"null"}]}},"required":["n"]}"#
    );
    assert_eq!(read(r#"{"type":"TYPE_UNSPECIFIED","title":null}"#), "{}");
}

proptest! {
    /// What was written in Google's form and is read again says the same in it.
    #[test]
    fn google_s_form_is_read_as_it_was_meant(
        kinds in prop::collection::vec(prop::sample::select(vec!["string", "integer", "number", "boolean"]), 1..4),
        nullable: bool,
        required: bool,
    ) {
        let properties: Vec<_> = kinds.iter().enumerate().map(|(at, kind)| match nullable {
            true => format!(r#""p{at}":{{"type":["{kind}","null"]}}"#),
            false => format!(r#""p{at}":{{"type":"{kind}"}}"#),
        }).collect();
        let required = if required { r#","required":["p0"]"# } else { "" };
        let schema = format!(r#"{{"type":"object","properties":{{{}}}{required}}}"#, properties.join(","));
        let theirs = in_google_s_form(&Raw(Cow::Borrowed(schema.as_bytes()))).unwrap();
        let again = of_google_s_form(Value::root(&theirs));
        prop_assert_eq!(String::from_utf8(again.0.into_owned()).unwrap(), schema);
    }
}
