use super::*;
use crate::dialects::canonical::Notes;
use crate::dialects::schema::{self, Subset};
use proptest::prelude::*;

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
        let written = Raw(Cow::Borrowed(schema.as_bytes()));
        let mut notes = Notes::default();
        let theirs = schema::adapted(&written, Subset::GeminiOpenApi, "response_format", &mut notes).unwrap();
        let again = of_google_s_form(Value::root(&theirs));
        prop_assert_eq!(String::from_utf8(again.0.into_owned()).unwrap(), schema);
    }
}
