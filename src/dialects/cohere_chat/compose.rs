//! Says a request for Cohere's chat.
//!
//! | asked for | said as |
//! | --- | --- |
//! | `top_p`, `top_k` | `p`, `k` |
//! | values beyond the API's ranges | its bounds, noted |
//! | some tool, no tool | `tool_choice`: `REQUIRED`, `NONE` |
//! | one tool, one of some | only these are sent, and `REQUIRED` |
//! | a strict tool | `strict_tools`, where all tools are strict and have something required |
//! | what was thought or said before calls | `tool_plan` |
//! | a schema, any JSON object | `response_format`, in Cohere's subset; beside tools, and otherwise, one more tool whose input is the answer |
//! | an effort, a budget | `thinking` with its `token_budget` |
//!
//! Thoughts of turns that called nothing are left out, noted: models that do not reason refuse them.

use crate::dialects::answer_tool::AnswerTool;
use crate::dialects::canonical::{
    Adapted, Effort, FunctionTool, Message, Notes, OutputFormat, Part, Reasoning, Request, Target, Tool, ToolChoice,
    Unsupported,
};
use crate::dialects::openai_chat::compose::names::Names;
use crate::dialects::schema::{self, Subset};
use crate::json::{
    piece::{Raw, Text},
    view::Value,
    write::Writer,
};
use std::borrow::Cow;

mod messages;

/// Where a chat is asked for, below the provider's base URL.
pub fn path(_model: &str, _stream: bool) -> Cow<'static, str> {
    Cow::Borrowed("/chat")
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
    let mut composer = Composer { target, notes, json: Writer::new(out), names: Names::of(&request.tools), unnamed: 0 };
    let composed = composer.request(request);
    if composed.is_err() {
        out.truncate(begin);
    }
    composed
}

/// Members of the API's own. They are carried as they came.
const OWN_MEMBERS: &[&str] = &["safety_mode", "citation_options", "documents", "priority"];

const STOPS_MAX: usize = 5;

/// A body on its way.
struct Composer<'c> {
    target: &'c Target<'c>,
    notes: &'c mut Notes,
    json: Writer<'c>,
    names: Names,
    /// Calls without an id that were written.
    unnamed: usize,
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
            // The last event always tells it.
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
        let has_documents = extras.iter().any(|extra| extra.param == "documents");
        let is_beside = has_documents || !tools.is_empty() && tool_choice.as_ref() != Some(&ToolChoice::None);
        let is_forced = match tool_choice {
            Some(ToolChoice::Required | ToolChoice::Tool(_)) => !tools.is_empty(),
            Some(ToolChoice::Among { required, .. }) => *required && !tools.is_empty(),
            _ => false,
        };
        let format = match is_forced || is_beside {
            true => None,
            false => self.format(output),
        };
        let answer = match !is_forced && format.is_none() {
            true => AnswerTool::of(output, tools),
            false => None,
        };
        // Tools that may not be called stay with the conversation, but the form of an answer does not stand beside any.
        let leaves_tools = *output != OutputFormat::Text && tool_choice.as_ref() == Some(&ToolChoice::None);
        self.tools(tools, tool_choice.as_ref(), leaves_tools, answer.as_ref())?;
        if parallel_tool_calls == &Some(false) && !tools.is_empty() {
            self.unsupported("parallel_tool_calls", "Cohere cannot be told to make one call at a time.")?;
        }
        if answer.is_some() {
            self.notes.mapped("response_format", "A tool is forced whose input is the answer.");
        } else if let Some(format) = format {
            self.json.name("response_format").raw(&format);
        } else if *output != OutputFormat::Text {
            self.notes.adapted("response_format", "No answer is due where a tool is forced.");
        }
        if let Some(tokens) = output_tokens_max {
            self.json.name("max_tokens").number(*tokens);
        }
        self.stop(stop)?;
        self.number("temperature", "temperature", temperature.as_ref(), 0.0, 1.0)?;
        self.number("top_p", "p", top_p.as_ref(), 0.01, 0.99)?;
        self.number("top_k", "k", top_k.as_ref(), 0.0, 500.0)?;
        self.number("frequency_penalty", "frequency_penalty", frequency_penalty.as_ref(), 0.0, 1.0)?;
        self.number("presence_penalty", "presence_penalty", presence_penalty.as_ref(), 0.0, 1.0)?;
        if let Some(seed) = seed {
            self.json.name("seed").raw(seed);
        }
        if let Some(alternatives) = logprobs {
            if *alternatives > 0 {
                self.unsupported("top_logprobs", "Cohere tells the log probabilities of the chosen tokens alone.")?;
            }
            // In a form of its own, without the tokens' texts: nothing that a client of ours could read.
            self.unsupported("logprobs", "Cohere's log probabilities do not say for which texts they are.")?;
        }
        if let Some(reasoning) = reasoning {
            self.thinking(reasoning);
        }
        for extra in extras {
            match OWN_MEMBERS.iter().find(|own| **own == extra.param) {
                Some(own) => drop(self.json.name(own).raw(&extra.value)),
                None => self.notes.leave(self.target, [extra])?,
            }
        }
        self.json.name("stream").bool(*stream).close_object();
        if answers.is_some_and(|answers| answers > 1) {
            self.unsupported("n", "Cohere gives one answer to a request.")?;
        }
        if user.is_some() {
            self.notes.hint("user");
        }
        let names = std::mem::take(&mut self.names).into_renamed();
        if !names.is_empty() {
            self.notes.mapped("tools.name", "Names are changed for the upstream, and changed back.");
        }
        Ok(Adapted { answer_tool: answer.map(|answer| answer.name.into()), names, ..Adapted::default() })
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

    fn conversation(&mut self, system: &[Part<'_>], messages: &[Message<'_>]) -> Result<(), Unsupported> {
        self.json.name("messages").open_array();
        if !system.is_empty() {
            self.turn("system", &system.iter().collect::<Vec<_>>())?;
        }
        self.turns(messages)?;
        self.json.close_array();
        Ok(())
    }

    fn tools(
        &mut self,
        tools: &[Tool<'_>],
        choice: Option<&ToolChoice<'_>>,
        leaves_tools: bool,
        answer: Option<&AnswerTool<'_>>,
    ) -> Result<(), Unsupported> {
        let among: Option<Vec<&Text<'_>>> = match choice {
            Some(ToolChoice::Tool(name)) => Some(vec![name]),
            Some(ToolChoice::Among { names, .. }) => Some(names.iter().collect()),
            Some(ToolChoice::None) if leaves_tools => Some(Vec::new()),
            _ => None,
        };
        if among.is_some() && !tools.is_empty() {
            self.notes.mapped("tool_choice", "Only the tools that may be called are sent.");
        }
        let begin = self.json.out.len();
        self.json.name("tools").open_array();
        let empty = self.json.out.len();
        let (mut strict, mut others) = (0, 0);
        for tool in tools {
            match tool {
                Tool::Function(tool) => {
                    let is_it = |name: &&Text<'_>| name.decoded() == tool.name.decoded();
                    if among.as_ref().is_none_or(|names| names.iter().any(is_it)) {
                        self.function(tool);
                        *(if tool.strict == Some(true) && requires_something(tool) {
                            &mut strict
                        } else {
                            &mut others
                        }) += 1;
                    }
                }
                Tool::Other { param, .. } => {
                    self.unsupported(param.clone(), "Cohere has no tool of this type.")?;
                }
            }
        }
        if let Some(answer) = answer {
            self.json.open_object().name("type").string("function").name("function").open_object();
            self.json.name("name").string(&answer.name).name("description").text(&answer.description());
            self.json.name("parameters").raw(&answer.schema());
            self.json.close_object().close_object();
            others += 1;
        }
        if self.json.out.len() == empty {
            self.json.out.truncate(begin);
            if matches!(choice, Some(ToolChoice::Required | ToolChoice::Tool(_))) {
                self.unsupported("tool_choice", "There are no tools to choose from.")?;
            }
            return Ok(());
        }
        self.json.close_array();
        let asked = tools.iter().any(|tool| matches!(tool, Tool::Function(tool) if tool.strict == Some(true)));
        if strict > 0 && others == 0 {
            self.json.name("strict_tools").bool(true);
        } else if asked {
            let says = "Cohere holds all tools to their schemas or none, and takes none there that require nothing.";
            self.notes.adapted("tools.strict", says);
        }
        let choice = match choice {
            _ if answer.is_some() => Some("REQUIRED"),
            None | Some(ToolChoice::Auto | ToolChoice::Among { required: false, .. }) => None,
            Some(ToolChoice::Required | ToolChoice::Tool(_) | ToolChoice::Among { .. }) => Some("REQUIRED"),
            Some(ToolChoice::None) => Some("NONE"),
        };
        if let Some(choice) = choice {
            self.json.name("tool_choice").string(choice);
        }
        Ok(())
    }

    fn function(&mut self, tool: &FunctionTool<'_>) {
        let FunctionTool { name, description, schema, strict: _, cache } = tool;
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

    /// What `response_format` says; `None` where a tool has to stand in for it, or where the answer is a text.
    fn format(&mut self, output: &OutputFormat<'_>) -> Option<Raw<'static>> {
        let mut out = Vec::new();
        let mut json = Writer::new(&mut out);
        json.open_object().name("type").string("json_object");
        match output {
            OutputFormat::Text => return None,
            OutputFormat::JsonObject => {}
            OutputFormat::Schema(_) if !self.target.traits.native_schema => return None,
            OutputFormat::Schema(schema) => {
                let adapted = schema::adapted(&schema.schema, Subset::Cohere, "response_format", self.notes);
                let adapted = adapted.map_err(|Unsupported { param, why }| self.notes.adapted(param, why)).ok()?;
                if schema.description.is_some() {
                    self.notes.hint("response_format.json_schema.description");
                }
                json.name("json_schema").json(&adapted);
            }
        }
        json.close_object();
        Some(Raw(out.into()))
    }

    fn stop(&mut self, stop: &[Text<'_>]) -> Result<(), Unsupported> {
        if stop.len() > STOPS_MAX {
            self.unsupported("stop", "Cohere takes five stop sequences.")?;
        }
        if !stop.is_empty() {
            self.json.name("stop_sequences").open_array();
            for text in stop.iter().take(STOPS_MAX) {
                self.json.text(text);
            }
            self.json.close_array();
        }
        Ok(())
    }

    /// Writes a number; what is above its range becomes the bound. A penalty below zero is the contrary of one.
    fn number(
        &mut self,
        param: &'static str,
        name: &str,
        value: Option<&Raw<'_>>,
        low: f64,
        high: f64,
    ) -> Result<(), Unsupported> {
        let Some(value) = value else { return Ok(()) };
        let number: Option<f64> = std::str::from_utf8(&value.0).ok().and_then(|said| said.trim().parse().ok());
        if param.ends_with("_penalty") && number.is_some_and(|number| number < 0.0) {
            return self.unsupported(param, "Cohere's penalties begin at 0.");
        }
        let bound = number.and_then(|number| if number > high { Some(high) } else { (number < low).then_some(low) });
        match bound {
            Some(bound) => {
                self.notes.adapted(param, format!("Cohere takes {low} to {high}."));
                self.json.name(name).json(bound.to_string().as_bytes());
            }
            None => drop(self.json.name(name).raw(value)),
        }
        Ok(())
    }

    fn thinking(&mut self, reasoning: &Reasoning) {
        let Reasoning { effort, budget_tokens, show } = *reasoning;
        if show == Some(false) {
            self.notes.hint("reasoning.show");
        }
        let budget_tokens = budget_tokens.or(effort.map(Effort::budget_tokens));
        self.json.name("thinking").open_object().name("type");
        if effort == Some(Effort::None) || budget_tokens == Some(0) {
            self.json.string("disabled").close_object();
            return;
        }
        self.json.string("enabled");
        if let Some(tokens) = budget_tokens {
            self.json.name("token_budget").number(tokens);
        }
        if effort.is_some() {
            self.notes.adapted("reasoning", "A budget of thinking tokens is sent.");
        }
        self.json.close_object();
    }
}

/// "Tools must have at least one required parameter" where they are held to their schemas.
fn requires_something(tool: &FunctionTool<'_>) -> bool {
    let required = tool.schema.as_ref().and_then(|schema| Value::root(&schema.0).some("required"));
    required.is_some_and(|required| required.elements().next().is_some())
}

#[cfg(test)]
mod tests;
