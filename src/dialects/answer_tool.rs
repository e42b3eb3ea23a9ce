//! A tool that stands in for a schema: its input is the answer. [`super::restore`] brings the answer back.
//!
//! For upstreams that hold an answer to no schema, or not to this one, or not while other tools may be called.

use super::canonical::{OutputFormat, OutputSchema, Tool};
use crate::json::piece::{Raw, Text};

/// What the model is told of it where the client described nothing.
const DESCRIPTION: &str = "Takes the answer. Call it once, with the whole answer.";

/// The input's schema where any object will do.
const ANY_OBJECT: &[u8] = br#"{"type":"object"}"#;

#[derive(Debug)]
pub struct AnswerTool<'r> {
    pub name: String,
    schema: Option<&'r OutputSchema<'r>>,
}

impl<'r> AnswerTool<'r> {
    /// `None` where the answer is a text.
    pub fn of(output: &'r OutputFormat<'r>, tools: &[Tool<'_>]) -> Option<AnswerTool<'r>> {
        let schema = match output {
            OutputFormat::Text => return None,
            OutputFormat::JsonObject => None,
            OutputFormat::Schema(schema) => Some(schema),
        };
        let is_taken =
            |name: &str| tools.iter().any(|tool| matches!(tool, Tool::Function(tool) if tool.name.says(name)));
        let mut name = String::from("answer");
        while is_taken(&name) {
            name.push('_');
        }
        Some(AnswerTool { name, schema })
    }

    pub fn description(&self) -> Text<'_> {
        let said = self.schema.and_then(|schema| schema.description.as_ref());
        said.map_or(Text::plain(DESCRIPTION), Text::by_ref)
    }

    /// JSON Schema of its input.
    pub fn schema(&self) -> Raw<'_> {
        Raw(self.schema.map_or(ANY_OBJECT.into(), |schema| (*schema.schema.0).into()))
    }
}
