//! Tools, and which of them the model may or has to call.

use super::{Composer, Once};
use crate::dialects::canonical::{FunctionTool, OutputSchema, Tool, ToolChoice, Unsupported};
use crate::dialects::openai_chat::compose::names::is_acceptable;
use crate::json::piece::{Raw, Text};
use crate::json::view::Value;
use crate::json::write::Writer;
use std::collections::HashSet;

impl Composer<'_> {
    /// `answer` is a schema that a tool of this name stands in for.
    pub(super) fn tools(
        &mut self,
        tools: &[Tool<'_>],
        choice: Option<&ToolChoice<'_>>,
        answer: Option<(&OutputSchema<'_>, &str)>,
        parallel: Option<bool>,
        json: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        let before = json.out.len();
        let mut is_empty = true;
        json.name("tools").open_array();
        for tool in tools {
            match tool {
                Tool::Function(function) => {
                    self.function(function, json);
                    is_empty = false;
                }
                Tool::Other { kind, raw, .. } if kind.says("custom") && self.custom(raw, json) => is_empty = false,
                Tool::Other { param, .. } => {
                    // What such a tool answers would have no place in the client's dialect.
                    self.notes.unsupported(self.target, param.clone(), "The model's API has no such tool.")?;
                }
            }
        }
        if let Some((OutputSchema { name: _, description, schema, strict }, name)) = answer {
            json.open_object().name("type").string("function").name("name").string(name).name("description");
            match description {
                Some(description) => json.text(description),
                None => json.string("Takes the answer. Call it once, with the whole answer."),
            };
            self.strict("parameters", schema, strict.unwrap_or(true), json);
            json.close_object();
            is_empty = false;
        }
        json.close_array();
        if is_empty {
            // Neither a choice nor a number of calls says anything without tools.
            json.out.truncate(before);
            return Ok(());
        }
        match (choice, answer) {
            // The model may call the client's tools, and has to call the answer if none of them.
            (None | Some(ToolChoice::Auto | ToolChoice::None), Some((_, name))) => {
                let offers_others = !tools.is_empty() && !matches!(choice, Some(ToolChoice::None));
                match offers_others {
                    true => drop(json.name("tool_choice").string("required")),
                    false => {
                        json.name("tool_choice").open_object().name("type").string("function");
                        json.name("name").string(name).close_object();
                    }
                }
            }
            (Some(choice), _) => self.choice(choice, json),
            (None, None) => {}
        }
        if let Some(parallel) = parallel {
            json.name("parallel_tool_calls").bool(parallel);
        }
        Ok(())
    }

    fn function(&mut self, function: &FunctionTool<'_>, json: &mut Writer<'_>) {
        let FunctionTool { name, description, schema, strict, cache } = function;
        json.open_object().name("type").string("function");
        self.name(name, json.name("name"));
        if let Some(description) = description {
            json.name("description").text(description);
        }
        // Both are required, and strict is what the API makes of nothing.
        match schema {
            Some(schema) => self.strict("parameters", schema, strict.unwrap_or(false), json),
            None => drop(json.name("parameters").null().name("strict").bool(false)),
        }
        json.close_object();
        if cache.is_some() {
            self.once(Once::Cache);
        }
    }

    /// Writes a tool whose input is a text, from its form here or in Chat Completions; false if it is neither.
    fn custom(&mut self, raw: &Raw<'_>, json: &mut Writer<'_>) -> bool {
        let tool = custom(raw);
        let Some(name) = tool.get("name").and_then(Value::text) else { return false };
        if Value::root(&raw.0).some("custom").is_none() && is_acceptable(&name) {
            json.raw(raw);
            return true;
        }
        json.open_object().name("type").string("custom");
        self.name(&name, json.name("name"));
        if let Some(description) = tool.some("description") {
            json.name("description").raw(&description.raw());
        }
        if let Some(format) = tool.some("format") {
            json.name("format");
            match format.some("grammar") {
                Some(grammar) => {
                    json.open_object().name("type").string("grammar");
                    for member in ["definition", "syntax"] {
                        if let Some(value) = grammar.some(member) {
                            json.name(member).raw(&value.raw());
                        }
                    }
                    json.close_object();
                }
                None => drop(json.raw(&format.raw())),
            }
        }
        json.close_object();
        true
    }

    /// Writes the upstream's name of a tool.
    pub(super) fn name(&mut self, name: &Text<'_>, json: &mut Writer<'_>) {
        let Some(upstream) = self.names.upstream(name) else {
            json.text(name);
            return;
        };
        json.string(upstream);
        self.once(Once::Renamed);
    }

    fn choice(&mut self, choice: &ToolChoice<'_>, json: &mut Writer<'_>) {
        json.name("tool_choice");
        match choice {
            ToolChoice::Auto => drop(json.string("auto")),
            ToolChoice::None => drop(json.string("none")),
            ToolChoice::Required => drop(json.string("required")),
            ToolChoice::Tool(name) => self.tool_by_name(name, json),
            ToolChoice::Among { names, required } => {
                json.open_object().name("type").string("allowed_tools");
                json.name("mode").string(if *required { "required" } else { "auto" }).name("tools").open_array();
                for name in names {
                    self.tool_by_name(name, json);
                }
                json.close_array().close_object();
            }
        }
    }

    fn tool_by_name(&mut self, name: &Text<'_>, json: &mut Writer<'_>) {
        let is_custom = !self.custom_tools.is_empty() && self.custom_tools.contains(&*name.decoded());
        json.open_object().name("type").string(if is_custom { "custom" } else { "function" });
        self.name(name, json.name("name"));
        json.close_object();
    }
}

/// A name for the tool that stands in for a schema.
pub fn free_name(tools: &[Tool<'_>]) -> String {
    let mut name = String::from("answer");
    while tools.iter().any(|tool| matches!(tool, Tool::Function(tool) if tool.name.says(&name))) {
        name.push('_');
    }
    name
}

/// Names of the tools whose input is a text.
pub fn custom_names(tools: &[Tool<'_>]) -> HashSet<String> {
    let name = |tool: &Tool<'_>| match tool {
        Tool::Other { kind, raw, .. } if kind.says("custom") => {
            Some(custom(raw).get("name")?.text()?.decoded().into_owned())
        }
        _ => None,
    };
    tools.iter().filter_map(name).collect()
}

/// What describes a custom tool: the tool itself here, an object of its own in Chat Completions.
fn custom<'r>(raw: &'r Raw<'_>) -> Value<'r> {
    let tool = Value::root(&raw.0);
    tool.some("custom").unwrap_or(tool)
}
