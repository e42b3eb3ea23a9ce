//! Tools, and which of them the model may or has to call.

use super::{Composer, Names, Once};
use crate::dialects::canonical::{FunctionTool, OutputSchema, Tool, ToolChoice, Unsupported};
use crate::dialects::openai_chat::variant::CacheWay;
use crate::json::piece::{Raw, Text};
use crate::json::view::Value;
use crate::json::write::Writer;
use std::collections::HashSet;

/// Of a function that takes none.
const NO_PARAMETERS: &[u8] = br#"{"type":"object","properties":{}}"#;

/// A tool whose input is the answer.
pub struct AnswerTool<'r> {
    pub name: String,
    schema: &'r OutputSchema<'r>,
}

impl<'r> AnswerTool<'r> {
    pub fn of(schema: &'r OutputSchema<'r>, tools: &[Tool<'_>]) -> AnswerTool<'r> {
        let mut name = String::from("answer");
        let is_taken =
            |name: &str| tools.iter().any(|tool| matches!(tool, Tool::Function(tool) if tool.name.says(name)));
        while is_taken(&name) {
            name.push('_');
        }
        AnswerTool { name, schema }
    }
}

impl Composer<'_> {
    pub(super) fn tools(
        &mut self,
        tools: &[Tool<'_>],
        choice: Option<&ToolChoice<'_>>,
        answer: Option<&AnswerTool<'_>>,
        parallel: Option<bool>,
        json: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        let narrowed;
        let choice = match choice {
            // One that cannot be named is shown alone.
            Some(ToolChoice::Tool(name)) if !self.variant.named_choice => {
                narrowed = ToolChoice::Among { names: vec![name.clone()], required: true };
                Some(&narrowed)
            }
            choice => choice,
        };
        // Where the upstream has no word for some of the tools, it is shown those alone.
        let shown = match choice {
            Some(ToolChoice::Among { names, .. }) if !self.variant.allowed_tools => {
                Some(names.iter().map(Text::decoded).collect::<HashSet<_>>())
            }
            _ => None,
        };
        let before = json.out.len();
        let mut is_empty = true;
        json.name("tools").open_array();
        for tool in tools {
            match tool {
                Tool::Function(function) => {
                    if shown.as_ref().is_none_or(|names| names.contains(&function.name.decoded())) {
                        self.function(function, json);
                        is_empty = false;
                    }
                }
                Tool::Other { param, kind, raw } => {
                    if self.variant.custom_tools && kind.says("custom") && write_custom(raw, &mut self.names, json) {
                        is_empty = false;
                    } else {
                        self.notes.unsupported(self.target, param.clone(), "The model's API has no such tool.")?;
                    }
                }
            }
        }
        if let Some(answer) = answer {
            self.answer_tool(answer, json);
            is_empty = false;
        }
        json.close_array();
        if is_empty {
            // Neither a choice nor a number of calls is acceptable without tools, and both say nothing then.
            json.out.truncate(before);
            return Ok(());
        }
        match (choice, answer) {
            // The model may call the client's tools, and has to call the answer if none of them.
            (None | Some(ToolChoice::Auto | ToolChoice::None), Some(answer)) => {
                let offers_others = !tools.is_empty() && !matches!(choice, Some(ToolChoice::None));
                let name = (!offers_others).then(|| Text::plain(answer.name.as_str()));
                match name {
                    Some(name) => self.named_choice(&name, json)?,
                    None => self.required(json)?,
                }
            }
            (Some(choice), _) => self.choice(choice, json)?,
            (None, None) => {}
        }
        match parallel {
            Some(parallel) if self.variant.parallel_switch => drop(json.name("parallel_tool_calls").bool(parallel)),
            Some(false) => {
                self.unsupported("parallel_tool_calls", "The model cannot be told to make one call at a time.")?
            }
            _ => {}
        }
        Ok(())
    }

    fn function(&mut self, function: &FunctionTool<'_>, json: &mut Writer<'_>) {
        let FunctionTool { name, description, schema, strict, cache } = function;
        json.open_object().name("type").string("function").name("function").open_object();
        self.name(name, json.name("name"));
        if let Some(description) = description {
            json.name("description").text(description);
        }
        if let Some(schema) = schema {
            self.schema("parameters", schema, *strict, true, "tools", json);
        } else if self.variant.needs_parameters {
            json.name("parameters").json(NO_PARAMETERS);
        }
        json.close_object();
        match (cache, self.variant.cache) {
            (None, _) => {}
            (Some(cache), CacheWay::Control) => super::parts::write_cache_control(*cache, json),
            // OpenAI's breakpoints are for parts of messages; tools come before all of them.
            (Some(_), CacheWay::Breakpoint | CacheWay::None) => self.once(Once::Cache),
        }
        json.close_object();
    }

    fn answer_tool(&mut self, answer: &AnswerTool<'_>, json: &mut Writer<'_>) {
        let OutputSchema { name: _, description, schema, strict } = answer.schema;
        json.open_object().name("type").string("function").name("function").open_object();
        json.name("name").string(&answer.name).name("description");
        match description {
            Some(description) => json.text(description),
            None => json.string("Takes the answer. Call it once, with the whole answer."),
        };
        self.schema("parameters", schema, strict.or(Some(true)), strict.is_some(), "response_format", json);
        json.close_object().close_object();
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

    fn choice(&mut self, choice: &ToolChoice<'_>, json: &mut Writer<'_>) -> Result<(), Unsupported> {
        match choice {
            ToolChoice::Auto => drop(json.name("tool_choice").string("auto")),
            ToolChoice::None => drop(json.name("tool_choice").string("none")),
            ToolChoice::Required => self.required(json)?,
            ToolChoice::Tool(name) => self.named_choice(name, json)?,
            ToolChoice::Among { names, required } if self.variant.allowed_tools => {
                json.name("tool_choice").open_object().name("type").string("allowed_tools");
                json.name("allowed_tools").open_object();
                json.name("mode").string(if *required { "required" } else { "auto" }).name("tools").open_array();
                for name in names {
                    json.open_object();
                    self.tool_by_name(name, json);
                    json.close_object();
                }
                json.close_array().close_object().close_object();
            }
            ToolChoice::Among { required, .. } => {
                self.notes.mapped("tool_choice", "The model is shown the allowed tools alone.");
                match required {
                    true => self.required(json)?,
                    false => drop(json.name("tool_choice").string("auto")),
                }
            }
        }
        Ok(())
    }

    fn required(&mut self, json: &mut Writer<'_>) -> Result<(), Unsupported> {
        match self.variant.required {
            Some(required) => {
                json.name("tool_choice").string(required);
                Ok(())
            }
            None => self.unsupported("tool_choice", "The model cannot be made to call a tool."),
        }
    }

    fn named_choice(&mut self, name: &Text<'_>, json: &mut Writer<'_>) -> Result<(), Unsupported> {
        if !self.variant.named_choice {
            // It is the only one that is shown.
            return self.required(json);
        }
        json.name("tool_choice").open_object();
        self.tool_by_name(name, json);
        json.close_object();
        Ok(())
    }

    /// `"type":"function","function":{"name"}`, or the same of a custom tool.
    fn tool_by_name(&mut self, name: &Text<'_>, json: &mut Writer<'_>) {
        let is_custom = !self.custom_tools.is_empty() && self.custom_tools.contains(&*name.decoded());
        let member = if is_custom { "custom" } else { "function" };
        json.name("type").string(member).name(member).open_object();
        self.name(name, json.name("name"));
        json.close_object();
    }
}

/// Names of the tools whose input is a text.
pub fn custom_names(tools: &[Tool<'_>]) -> HashSet<String> {
    let name = |tool: &Tool<'_>| match tool {
        Tool::Other { kind, raw, .. } if kind.says("custom") => {
            Some(custom(raw)?.get("name")?.text()?.decoded().into_owned())
        }
        _ => None,
    };
    tools.iter().filter_map(name).collect()
}

/// What describes a custom tool: an object of its own here, the tool itself in Responses.
fn custom<'r>(raw: &'r Raw<'_>) -> Option<Value<'r>> {
    let tool = Value::root(&raw.0);
    tool.some("custom").or_else(|| tool.get("name").map(|_| tool))
}

/// Writes a tool whose input is a text, from its form here or in Responses; false if it is neither.
fn write_custom(raw: &Raw<'_>, names: &mut Names, json: &mut Writer<'_>) -> bool {
    let tool = Value::root(&raw.0);
    if tool.some("custom").is_some() {
        json.raw(raw);
        return true;
    }
    let Some(name) = tool.get("name").and_then(Value::text) else { return false };
    json.open_object().name("type").string("custom").name("custom").open_object().name("name");
    match names.upstream(&name) {
        Some(upstream) => json.string(upstream),
        None => json.text(&name),
    };
    if let Some(description) = tool.some("description") {
        json.name("description").raw(&description.raw());
    }
    if let Some(format) = tool.some("format") {
        json.name("format");
        match format.get("type").is_some_and(|kind| kind.says("grammar")) && format.get("grammar").is_none() {
            true => {
                json.open_object().name("type").string("grammar").name("grammar").open_object();
                for member in ["definition", "syntax"] {
                    if let Some(value) = format.some(member) {
                        json.name(member).raw(&value.raw());
                    }
                }
                json.close_object().close_object();
            }
            false => drop(json.raw(&format.raw())),
        }
    }
    json.close_object().close_object();
    true
}
