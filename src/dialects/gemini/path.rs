//! Paths that have the model in them: `models/{model}:verb`.
//!
//! A model's name may have a collection of its own (`tunedModels/x`, `models/x`), which then stands instead of `models`. As a client
//! sends it the path begins with `/v1beta` or `/v1` (SDKs with a base URL of their own choose the latter), or with neither.

use std::borrow::Cow;
use std::fmt::Write;

/// What a client wants of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Generate,
    /// Server-sent events with `alt=sse`, an array otherwise.
    Stream,
    CountTokens,
    Embed,
    EmbedBatch,
}

/// Every verb and how it is written.
pub const VERBS: &[(Verb, &str)] = &[
    (Verb::Generate, "generateContent"),
    (Verb::Stream, "streamGenerateContent"),
    (Verb::CountTokens, "countTokens"),
    (Verb::Embed, "embedContent"),
    (Verb::EmbedBatch, "batchEmbedContents"),
];

/// Versions of the API that are served alike.
const VERSIONS: &[&str] = &["/v1beta", "/v1alpha", "/v1"];

/// The path below the provider's base URL, which ends with the API's version.
pub fn write(model: &str, verb: Verb) -> String {
    let mut path = write_as(model, VERBS[verb as usize].1);
    if verb == Verb::Stream {
        path.push_str("?alt=sse");
    }
    path
}

/// The same, with a verb by its name: also one that no client has.
pub fn write_as(model: &str, verb: &str) -> String {
    let mut path = String::with_capacity(model.len() + 48);
    path.push('/');
    path.push_str(collection(model));
    for byte in model.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'@' => {
                path.push(byte as char)
            }
            // Writing to a `String` does not fail.
            _ => drop(write!(path, "%{byte:02X}")),
        }
    }
    path.push(':');
    path.push_str(verb);
    path
}

/// The name of a model as it stands in a body: with its collection.
pub fn resource(model: &str) -> Cow<'_, str> {
    match collection(model) {
        "" => Cow::Borrowed(model),
        collection => Cow::Owned(format!("{collection}{model}")),
    }
}

/// What stands before a model's name: nothing where the name has a collection.
fn collection(model: &str) -> &'static str {
    if ["models/", "tunedModels/", "publishers/", "endpoints/"].iter().any(|with| model.starts_with(with)) {
        ""
    } else {
        "models/"
    }
}

/// The model and the verb that a client's path names, without its query; `None` for another path. The model is still
/// percent-encoded, and is what follows `models/`, or all of `tunedModels/x`.
pub fn read(path: &str) -> Option<(&str, Verb)> {
    let below = VERSIONS
        .iter()
        .find_map(|version| path.strip_prefix(version).filter(|rest| rest.starts_with('/')))
        .unwrap_or(path);
    let (model, verb) = below.strip_prefix('/')?.rsplit_once(':')?;
    let model = match model.strip_prefix("models/") {
        Some(name) => name,
        None => model.starts_with("tunedModels/").then_some(model)?,
    };
    let verb = VERBS.iter().find(|(_, name)| *name == verb)?.0;
    (!model.is_empty()).then_some((model, verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_stands_in_the_path() {
        for (model, verb, path) in [
            ("gemini-3-flash", Verb::Generate, "/models/gemini-3-flash:generateContent"),
            ("gemini-3-flash", Verb::Stream, "/models/gemini-3-flash:streamGenerateContent?alt=sse"),
            ("models/gemini-3-flash", Verb::CountTokens, "/models/gemini-3-flash:countTokens"),
            ("tunedModels/mine-1", Verb::Generate, "/tunedModels/mine-1:generateContent"),
            ("a b:c?d%/é", Verb::Embed, "/models/a%20b%3Ac%3Fd%25/%C3%A9:embedContent"),
        ] {
            assert_eq!(write(model, verb), path);
        }
    }

    #[test]
    fn a_client_s_path_names_a_model_and_a_verb() {
        for (path, expected) in [
            ("/v1beta/models/gemini-3-flash:generateContent", Some(("gemini-3-flash", Verb::Generate))),
            ("/v1/models/gemini-3-flash:streamGenerateContent", Some(("gemini-3-flash", Verb::Stream))),
            ("/models/a/b:batchEmbedContents", Some(("a/b", Verb::EmbedBatch))),
            ("/v1beta/tunedModels/mine:countTokens", Some(("tunedModels/mine", Verb::CountTokens))),
            ("/v1beta/models/llama3:8b:embedContent", Some(("llama3:8b", Verb::Embed))),
            ("/v1beta/models/gemini-3-flash", None),
            ("/v1beta/models/gemini-3-flash:predict", None),
            ("/v1beta/models/:generateContent", None),
            ("/v1beta/files/x:generateContent", None),
            ("/v1betamodels/x:generateContent", None),
            ("", None),
        ] {
            assert_eq!(read(path), expected, "{path}");
        }
    }

    #[test]
    fn a_body_names_a_model_with_its_collection() {
        assert_eq!(resource("gemini-3-flash"), "models/gemini-3-flash");
        assert_eq!(resource("tunedModels/mine"), "tunedModels/mine");
    }
}
