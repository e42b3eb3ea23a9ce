//! `GET /v1/models` in each API: what this gateway serves, by the names that it serves it under.

use super::endpoints::Api;
use crate::json::write::Writer;

/// A model as it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed<'m> {
    pub name: &'m str,
    pub owned_by: &'m str,
}

/// Appends the list; all of it is one page.
pub fn write_list(api: Api, models: &[Listed<'_>], out: &mut Vec<u8>) {
    let mut json = Writer::new(out);
    json.open_object();
    match api {
        Api::OpenAi => json.name("object").string("list").name("data"),
        Api::Anthropic => json.name("data"),
        Api::Gemini => json.name("models"),
    };
    json.open_array();
    for model in models {
        write_members(api, model, &mut json);
    }
    json.close_array();
    if api == Api::Anthropic {
        json.name("has_more").bool(false);
        for (name, model) in [("first_id", models.first()), ("last_id", models.last())] {
            json.name(name);
            match model {
                Some(model) => json.string(model.name),
                None => json.null(),
            };
        }
    }
    json.close_object();
}

/// Appends one model.
pub fn write_one(api: Api, model: &Listed<'_>, out: &mut Vec<u8>) {
    write_members(api, model, &mut Writer::new(out));
}

fn write_members(api: Api, model: &Listed<'_>, json: &mut Writer<'_>) {
    json.open_object();
    match api {
        Api::OpenAi => {
            json.name("id").string(model.name).name("object").string("model");
            // No provider's date is known here; zero is a valid time stamp and says so.
            json.name("created").number(0).name("owned_by").string(model.owned_by);
        }
        Api::Anthropic => {
            json.name("type").string("model").name("id").string(model.name);
            json.name("display_name").string(model.name).name("created_at").string("1970-01-01T00:00:00Z");
        }
        Api::Gemini => {
            json.name("name").string(&format!("models/{}", model.name)).name("displayName").string(model.name);
            json.name("supportedGenerationMethods").open_array();
            for method in ["generateContent", "streamGenerateContent", "countTokens", "embedContent"] {
                json.string(method);
            }
            json.close_array();
        }
    }
    json.close_object();
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODELS: &[Listed<'_>] =
        &[Listed { name: "a", owned_by: "x" }, Listed { name: "org/b", owned_by: "\"quoted\"" }];

    fn check(api: Api, models: &[Listed<'_>], expected: &str) {
        let mut out = Vec::new();
        write_list(api, models, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn lists_as_each_api_has_them() {
        check(
            Api::OpenAi,
            MODELS,
            r#"{"object":"list","data":[{"id":"a","object":"model","created":0,"owned_by":"x"},{"id":"org/b","object":"model","created":0,"owned_by":"\"quoted\""}]}"#,
        );
        check(
            Api::Anthropic,
            &MODELS[..1],
            r#"{"data":[{"type":"model","id":"a","display_name":"a","created_at":"1970-01-01T00:00:00Z"}],"has_more":false,"first_id":"a","last_id":"a"}"#,
        );
        check(Api::Anthropic, &[], r#"{"data":[],"has_more":false,"first_id":null,"last_id":null}"#);
        check(
            Api::Gemini,
            &MODELS[..1],
            r#"{"models":[{"name":"models/a","displayName":"a","supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens","embedContent"]}]}"#,
        );
    }
}
