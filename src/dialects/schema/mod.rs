//! A client's JSON schema in the subset that an upstream takes.
//!
//! What becomes of each keyword stands in one table ([`keywords::KEYWORDS`]), from which `docs/schemas.md` is written. Beyond it:
//!
//! - The parts of an `allOf`, and a reference with what stands beside it, become one schema: properties and required names add up,
//!   bounds are the narrower ones, types and values those that all parts have. What cannot be merged is told in words.
//! - A reference that stands alone stays one, where the upstream takes references, to `$defs` of the root: those that are referred to,
//!   wherever they stood. Elsewhere what it refers to is written in its place.
//! - What stands beside an `anyOf` and constrains goes into each of its choices.
//! - A keyword for a type that the schema does not allow is left out: it constrains nothing.
//!
//! A change that lets more through than the client asked for is noted with the place in the client's schema and its keyword; one that
//! lets less through is not, because what comes back is still what was asked for. A schema that cannot be said without changing what
//! the client meant (a map where every object has to list its members, a recursion where there is none) is refused, and the caller
//! has it in another way.
//!
//! Read and written in one go, without a tree. Bounded in depth, in bytes written and in bytes read: references can be made to grow.

pub mod keywords;

mod adapter;
mod alternatives;
mod arrays;
mod flat;
mod objects;
mod place;
mod references;
mod types;
mod values;
mod words;

use super::canonical::{Notes, Unsupported};
use crate::json::piece::Raw;
use crate::json::view::Value;
use crate::json::write::Writer;
use std::borrow::Cow;

/// What an upstream takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subset {
    /// OpenAI without `strict`: a hint to the model, so anything.
    OpenAi,
    /// OpenAI, and who follows it, with `strict`.
    OpenAiStrict,
    /// Anthropic's `output_config.format` and strict tools.
    Anthropic,
    /// Converse's `outputConfig.textFormat` and strict tools.
    Bedrock,
    /// Gemini's `responseJsonSchema` and `parametersJsonSchema`.
    GeminiJson,
    /// Gemini's `responseSchema` and `parameters`: Google's form of an OpenAPI schema.
    GeminiOpenApi,
    /// Cohere's `response_format`.
    Cohere,
    /// Servers that take all but the names of schemas.
    Mistral,
    /// A grammar is made of it: Ollama, llama.cpp, vLLM.
    Ollama,
    /// No schema: it goes into a text.
    JsonObjectOnly,
}

/// All of them, in the order of the table.
pub const SUBSETS: [Subset; 10] = [
    Subset::OpenAi,
    Subset::OpenAiStrict,
    Subset::Anthropic,
    Subset::Bedrock,
    Subset::GeminiJson,
    Subset::GeminiOpenApi,
    Subset::Cohere,
    Subset::Mistral,
    Subset::Ollama,
    Subset::JsonObjectOnly,
];

/// What a subset demands of the schema as a whole.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    /// Takes `$ref`.
    references: bool,
    /// Takes a reference to what it stands in.
    recursion: bool,
    /// Every object lists all its members.
    closed: bool,
    /// Every property is required; one that was not may be null.
    all_required: bool,
    /// Every schema says its type.
    typed: bool,
    /// The root is an object, and arrays say what their items are.
    strict: bool,
    /// Types in capitals, `nullable`, `anyOf` alone in its object.
    google: bool,
}

/// How a subset is reached.
enum Way {
    /// The client's bytes.
    AsIs,
    /// The client's schema without a few keywords.
    Without,
    Adapted(Shape),
}

impl Subset {
    fn way(self) -> Way {
        let closed = Shape { references: true, closed: true, typed: true, ..Shape::default() };
        let open = Shape { references: true, recursion: true, ..Shape::default() };
        match self {
            Subset::OpenAi | Subset::Ollama | Subset::JsonObjectOnly => Way::AsIs,
            Subset::Mistral => Way::Without,
            Subset::OpenAiStrict => Way::Adapted(Shape { recursion: true, all_required: true, strict: true, ..closed }),
            Subset::Anthropic | Subset::Bedrock => Way::Adapted(closed),
            Subset::GeminiJson | Subset::Cohere => Way::Adapted(open),
            Subset::GeminiOpenApi => Way::Adapted(Shape { google: true, ..Shape::default() }),
        }
    }
}

/// Appends the schema as the upstream takes it. `param` is where it stands in the client's body. After an error nothing was appended
/// and nothing noted.
///
/// # Errors
/// The subset cannot say it.
pub fn adapt(
    schema: &Raw<'_>,
    subset: Subset,
    param: &str,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Unsupported> {
    let root = Value::root(&schema.0);
    match subset.way() {
        Way::AsIs => drop(Writer::new(out).raw(schema)),
        Way::Without => without(root, subset, &mut Writer::new(out)),
        Way::Adapted(shape) => {
            let (bytes, noted) = (out.len(), notes.notes.len());
            if let Err(why) = adapter::write(root, subset, shape, param, notes, out) {
                out.truncate(bytes);
                notes.notes.truncate(noted);
                return Err(Unsupported { param: param.to_owned().into(), why });
            }
        }
    }
    Ok(())
}

/// As `adapt`, into a text of its own; borrowed where the subset takes anything.
///
/// # Errors
/// The subset cannot say it.
pub fn adapted<'s>(
    schema: &'s Raw<'_>,
    subset: Subset,
    param: &str,
    notes: &mut Notes,
) -> Result<Cow<'s, [u8]>, Unsupported> {
    if let Way::AsIs = subset.way() {
        return Ok(Cow::Borrowed(&schema.0));
    }
    let mut out = Vec::with_capacity(schema.0.len() + 256);
    adapt(schema, subset, param, notes, &mut out)?;
    Ok(Cow::Owned(out))
}

/// Copies a schema without the keywords that the subset drops.
fn without(schema: Value<'_>, subset: Subset, json: &mut Writer<'_>) {
    use crate::json::Kind;
    use keywords::{Holds, Rule, rule};
    if schema.kind() != Kind::Object {
        json.raw(&schema.raw());
        return;
    }
    json.open_object();
    for (name, value) in schema.members() {
        let keyword = keywords::keyword(&name);
        if keyword.is_some_and(|keyword| rule(keyword, subset) == Rule::Drop) {
            continue;
        }
        json.any_name(&String::from_utf8_lossy(&name));
        match (keyword.map_or(Holds::Value, |keyword| keyword.holds), value.kind()) {
            (Holds::Schemas, Kind::Object) => {
                json.open_object();
                for (name, schema) in value.members() {
                    without(schema, subset, json.any_name(&String::from_utf8_lossy(&name)));
                }
                json.close_object();
            }
            (Holds::Schema | Holds::List, Kind::Array) => {
                json.open_array();
                value.elements().for_each(|schema| without(schema, subset, json));
                json.close_array();
            }
            (Holds::Schema, _) => without(value, subset, json),
            _ => drop(json.raw(&value.raw())),
        }
    }
    json.close_object();
}

#[cfg(test)]
mod tests;
