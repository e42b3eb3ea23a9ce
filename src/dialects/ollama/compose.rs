//! Says a request for Ollama's `/api/chat`.
//!
//! | asked for | said as |
//! | --- | --- |
//! | texts of a turn | one text, a line for each |
//! | pictures | `images`: base64 alone, beside the text |
//! | what tools answered | turns of the role `tool`, by name and by id; a picture follows in a turn of the user |
//! | limits, sampling, stop sequences, penalties, a seed | `options` |
//! | a schema, any JSON object | `format` |
//! | an effort, a budget | `think`: a level, or yes and no |
//! | no tool, some tools | only those that may be called are sent |
//!
//! The server cannot be made to call a tool, and a format keeps it from calling any: the first is refused, and the second together with
//! tools. `stream` is always said, because the server's own choice is a stream.

use crate::dialects::canonical::{
    Adapted, Effort, Extra, FunctionTool, Message, Notes, OutputFormat, Part, Reasoning, Request, Target, Tool,
    ToolChoice, Unsupported,
};
use crate::dialects::openai_chat::compose::names::Names;
use crate::json::{
    Kind,
    piece::{Raw, Text},
    view::Value,
    write::Writer,
};
use std::borrow::Cow;

mod messages;

/// Where a chat is asked for, below the server's address (not below its `/v1`).
pub fn path(_model: &str, _stream: bool) -> Cow<'static, str> {
    Cow::Borrowed("/api/chat")
}

/// Appends the body of a request. After an error `out` is as it was.
///
/// # Errors
/// Something that the API cannot express, where it may not be dropped.
pub fn compose(
    request: &Request<'_>,
    target: &Target<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<Adapted, Unsupported> {
    let begin = out.len();
    let mut composer = Composer { target, notes, json: Writer::new(out), names: Names::of(&request.tools) };
    let composed = composer.request(request);
    if composed.is_err() {
        out.truncate(begin);
    }
    composed
}

/// Options of the server's own that clients of other dialects name at the top of their bodies.
const OWN_OPTIONS: &[&str] = &[
    "num_ctx",
    "num_keep",
    "min_p",
    "typical_p",
    "repeat_last_n",
    "repeat_penalty",
    "mirostat",
    "mirostat_tau",
    "mirostat_eta",
    "num_gpu",
    "num_thread",
];

/// A body on its way.
struct Composer<'c> {
    target: &'c Target<'c>,
    notes: &'c mut Notes,
    json: Writer<'c>,
    names: Names,
}

impl Composer<'_> {
    fn request(&mut self, request: &Request<'_>) -> Result<Adapted, Unsupported> {
        let Request {
            system,
            messages,
            tools,
            tool_choice,
            parallel_tool_calls,
            output,
            output_tokens_max,
            temperature,
            top_p,
            top_k,
            frequency_penalty,
            presence_penalty,
            seed,
            stop,
            logprobs,
            answers,
            reasoning,
            stream,
            // The last line always tells it.
            stream_usage: _,
            // It is about the answer.
            wants_function_calls: _,
            // They are the parts that they are by now.
            has_tool_references: _,
            user,
            extras,
        } = request;
        self.json.open_object().name("model").string(self.target.model);
        self.conversation(system, messages)?;
        let has_tools = self.tools(tools, tool_choice.as_ref(), *parallel_tool_calls)?;
        self.format(output, has_tools)?;
        if let Some(reasoning) = reasoning {
            self.think(reasoning);
        }
        let options = [
            ("temperature", temperature.as_ref().filter(|_| self.target.traits.sampling)),
            ("top_p", top_p.as_ref().filter(|_| self.target.traits.sampling)),
            ("top_k", top_k.as_ref().filter(|_| self.target.traits.sampling)),
            ("frequency_penalty", frequency_penalty.as_ref()),
            ("presence_penalty", presence_penalty.as_ref()),
            ("seed", seed.as_ref()),
        ];
        for (param, value) in [("temperature", temperature), ("top_p", top_p), ("top_k", top_k)] {
            if value.is_some() && !self.target.traits.sampling {
                self.unsupported(param, "The model takes no sampling parameters.")?;
            }
        }
        self.options(*output_tokens_max, &options, stop, extras)?;
        if let Some(alternatives) = logprobs {
            self.json.name("logprobs").bool(true);
            if *alternatives > 0 {
                self.json.name("top_logprobs").number(*alternatives);
            }
        }
        self.extras(extras)?;
        self.json.name("stream").bool(*stream).close_object();
        if answers.is_some_and(|answers| answers > 1) {
            self.unsupported("n", "Ollama gives one answer to a request.")?;
        }
        if user.is_some() {
            self.notes.hint("user");
        }
        let names = std::mem::take(&mut self.names).into_renamed();
        if !names.is_empty() {
            self.notes.mapped("tools.name", "Names are changed for the upstream, and changed back.");
        }
        Ok(Adapted { answer_tool: None, names, ..Adapted::default() })
    }

    fn unsupported(&mut self, param: impl Into<Cow<'static, str>>, why: &'static str) -> Result<(), Unsupported> {
        self.notes.unsupported(self.target, param, why)
    }

    /// A hint of any number of parts.
    fn hint_once(&mut self, param: &'static str) {
        if !self.notes.notes.iter().any(|note| note.param == param) {
            self.notes.hint(param);
        }
    }

    fn adapted_once(&mut self, param: &'static str, says: &'static str) {
        if !self.notes.notes.iter().any(|note| note.param == param && note.says == says) {
            self.notes.adapted(param, says);
        }
    }

    /// System messages and turns.
    fn conversation(&mut self, system: &[Part<'_>], messages: &[Message<'_>]) -> Result<(), Unsupported> {
        self.json.name("messages").open_array();
        if !system.is_empty() {
            self.turn("system", &system.iter().collect::<Vec<_>>())?;
        }
        self.turns(messages)?;
        self.json.close_array();
        Ok(())
    }

    /// Writes the tools that may be called, and answers whether there are any.
    fn tools(
        &mut self,
        tools: &[Tool<'_>],
        choice: Option<&ToolChoice<'_>>,
        parallel: Option<bool>,
    ) -> Result<bool, Unsupported> {
        let mut among = None;
        match choice {
            None | Some(ToolChoice::Auto) => {}
            Some(ToolChoice::None) => {
                if !tools.is_empty() {
                    self.notes.mapped("tool_choice", "Tools that may not be called are not sent.");
                }
                return Ok(false);
            }
            Some(ToolChoice::Among { names, required: false }) => {
                self.notes.mapped("tool_choice", "Only the tools that may be called are sent.");
                among = Some(names);
            }
            Some(ToolChoice::Required | ToolChoice::Tool(_) | ToolChoice::Among { .. }) => {
                self.unsupported("tool_choice", "Ollama cannot be made to call a tool.")?;
            }
        }
        let begin = self.json.out.len();
        self.json.name("tools").open_array();
        let empty = self.json.out.len();
        for tool in tools {
            match tool {
                Tool::Function(tool) => {
                    let is_it = |name: &Text<'_>| name.decoded() == tool.name.decoded();
                    if among.is_none_or(|names| names.iter().any(is_it)) {
                        self.function(tool);
                    }
                }
                Tool::Other { param, .. } => {
                    self.unsupported(param.clone(), "Ollama has no tool of this type.")?;
                }
            }
        }
        if self.json.out.len() == empty {
            self.json.out.truncate(begin);
            return Ok(false);
        }
        self.json.close_array();
        if parallel == Some(false) {
            self.unsupported("parallel_tool_calls", "Ollama cannot be told to make one call at a time.")?;
        }
        Ok(true)
    }

    fn function(&mut self, tool: &FunctionTool<'_>) {
        let FunctionTool { name, description, schema, strict, cache } = tool;
        self.json.open_object().name("type").string("function").name("function").open_object().name("name");
        self.tool_name(name);
        if let Some(description) = description {
            self.json.name("description").text(description);
        }
        self.json.name("parameters");
        match schema {
            Some(schema) => self.json.raw(schema),
            None => self.json.json(br#"{"type":"object","properties":{}}"#),
        };
        self.json.close_object().close_object();
        if *strict == Some(true) {
            self.adapted_once("tools.strict", "The schema of a tool is followed, not forced.");
        }
        if cache.is_some() {
            self.hint_once("cache_control");
        }
    }

    /// Writes the upstream's name of a tool.
    fn tool_name(&mut self, name: &Text<'_>) {
        match self.names.upstream(name) {
            Some(upstream) => self.json.string(upstream),
            None => self.json.text(name),
        };
    }

    fn format(&mut self, output: &OutputFormat<'_>, has_tools: bool) -> Result<(), Unsupported> {
        if *output != OutputFormat::Text && has_tools {
            return self.unsupported("response_format", "Ollama calls no tools where the form of the answer is set.");
        }
        match output {
            OutputFormat::Text => {}
            OutputFormat::JsonObject => drop(self.json.name("format").string("json")),
            OutputFormat::Schema(schema) => {
                if schema.description.is_some() {
                    self.notes.hint("response_format.json_schema.description");
                }
                self.json.name("format").raw(&schema.schema);
            }
        }
        Ok(())
    }

    fn think(&mut self, reasoning: &Reasoning) {
        let Reasoning { effort, budget_tokens, show } = *reasoning;
        if show == Some(false) {
            self.notes.hint("reasoning.show");
        }
        let asked = effort.or(budget_tokens.map(Effort::of_budget));
        self.json.name("think");
        match asked {
            Some(Effort::None) => drop(self.json.bool(false)),
            Some(asked) if self.target.traits.effort => {
                let level = match asked {
                    Effort::XHigh => Effort::High,
                    other => other.max(Effort::Low),
                };
                self.json.string(level.name());
                if level != asked || budget_tokens.is_some() {
                    self.notes.adapted("reasoning", format!("A level is sent: {}.", level.name()));
                }
            }
            Some(_) => {
                self.json.bool(true);
                self.notes.adapted("reasoning", "The model can be told to think, not how much.");
            }
            None => drop(self.json.bool(true)),
        }
    }

    fn options(
        &mut self,
        output_tokens_max: Option<u64>,
        numbers: &[(&str, Option<&Raw<'_>>)],
        stop: &[Text<'_>],
        extras: &[Extra<'_>],
    ) -> Result<(), Unsupported> {
        let begin = self.json.out.len();
        self.json.name("options").open_object();
        let empty = self.json.out.len();
        if let Some(tokens) = output_tokens_max {
            self.json.name("num_predict").number(tokens);
        }
        for (name, number) in numbers {
            if let Some(number) = number {
                self.json.name(name).raw(number);
            }
        }
        if !stop.is_empty() {
            self.json.name("stop").open_array();
            for text in stop {
                self.json.text(text);
            }
            self.json.close_array();
        }
        for extra in extras {
            if OWN_OPTIONS.contains(&&*extra.param) {
                self.json.name(&extra.param).raw(&extra.value);
            } else if extra.param == "options" {
                if extra.value.kind() != Kind::Object {
                    self.unsupported("options", "Ollama's options are an object.")?;
                }
                // What the client says in its own dialect goes first.
                let is_said = |name: &str| {
                    matches!(name, "num_predict" | "stop") || numbers.iter().any(|(known, _)| *known == name)
                };
                for (name, value) in Value::root(&extra.value.0).members() {
                    let name = String::from_utf8_lossy(&name);
                    if !is_said(&name) && !OWN_OPTIONS.iter().any(|own| *own == name && is_in(extras, own)) {
                        self.json.any_name(&name).json(value.bytes());
                    }
                }
            }
        }
        if self.json.out.len() == empty {
            self.json.out.truncate(begin);
        } else {
            self.json.close_object();
        }
        Ok(())
    }

    fn extras(&mut self, extras: &[Extra<'_>]) -> Result<(), Unsupported> {
        for extra in extras {
            match &*extra.param {
                "options" => {}
                "keep_alive" => drop(self.json.name("keep_alive").raw(&extra.value)),
                own if OWN_OPTIONS.contains(&own) => {}
                _ => self.notes.leave(self.target, [extra])?,
            }
        }
        Ok(())
    }
}

fn is_in(extras: &[Extra<'_>], param: &str) -> bool {
    extras.iter().any(|extra| extra.param == param)
}

#[cfg(test)]
mod tests;
