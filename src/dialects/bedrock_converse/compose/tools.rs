//! Tools, the choice among them, and what stands in for what Converse cannot say of them.
//!
//! A conversation in which tools were called is refused without tools. Where the client sends none any more, they are made from
//! the calls. There is no choice `none`: tools that may not be called are left out, unless the conversation has called some; then
//! Anthropic's models are told in their own form, and for others it is unsupported.
//!
//! An answer in JSON that is not had as such is the input of one more tool. It is forced, unless other tools may be called too:
//! then some tool is forced. Where the client itself forces one of its tools, no answer is due yet, and where it forbids them, the
//! answer's tool is the only choice.

use super::{Composer, maker::Maker};
use crate::dialects::answer_tool::AnswerTool;
use crate::dialects::canonical::{FunctionTool, Message, OutputFormat, PartBody, Tool, ToolChoice, Unsupported};
use crate::dialects::schema::{self, Subset};
use crate::json::piece::{Raw, Text};
use crate::json::view::Value;
use crate::json::write::Writer;
use std::borrow::Cow;

/// Tools as they will be sent.
pub struct ToolPlan<'a> {
    tools: &'a [Tool<'a>],
    /// Only these are sent.
    among: Option<Vec<&'a Text<'a>>>,
    /// Tools that were called and are not there any more.
    called: Vec<&'a Text<'a>>,
    choice: Choice<'a>,
    parallel: Option<bool>,
    pub answer: Option<AnswerTool<'a>>,
    /// The schema of the answer, where it is said as such.
    pub native_schema: Option<Cow<'a, [u8]>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Choice<'a> {
    Unsaid,
    Auto,
    Any,
    /// Said in Anthropic's own form.
    None,
    Tool(&'a Text<'a>),
    Answer,
}

impl ToolPlan<'_> {
    /// The model has to call a tool.
    pub fn is_forced(&self) -> bool {
        matches!(self.choice, Choice::Any | Choice::Tool(_) | Choice::Answer)
    }

    /// What Anthropic's models know of a choice and Converse does not. Beside a `toolChoice` its type must not stand twice.
    pub fn write_additional(&self, json: &mut Writer<'_>) {
        let parallel_off = self.parallel == Some(false);
        if self.choice != Choice::None && !parallel_off {
            return;
        }
        json.name("tool_choice").open_object();
        match self.choice {
            Choice::None => drop(json.name("type").string("none")),
            Choice::Unsaid => drop(json.name("type").string("auto").name("disable_parallel_tool_use").bool(true)),
            _ => drop(json.name("disable_parallel_tool_use").bool(true)),
        }
        json.close_object();
    }
}

impl Composer<'_> {
    pub fn plan<'a>(
        &mut self,
        tools: &'a [Tool<'a>],
        choice: Option<&'a ToolChoice<'a>>,
        parallel: Option<bool>,
        output: &'a OutputFormat<'a>,
        messages: &'a [Message<'a>],
    ) -> Result<ToolPlan<'a>, Unsupported> {
        let called = called(messages);
        let mut tools = tools;
        let mut among = None;
        let mut choice = match choice {
            None => Choice::Unsaid,
            Some(ToolChoice::Auto) => Choice::Auto,
            Some(ToolChoice::Required) => Choice::Any,
            Some(ToolChoice::None) => Choice::None,
            Some(ToolChoice::Tool(name)) => Choice::Tool(name),
            Some(ToolChoice::Among { names, required }) => {
                self.notes.mapped("tool_choice", "Only the tools that may be called are sent.");
                among = Some(names.iter().collect());
                if *required { Choice::Any } else { Choice::Auto }
            }
        };
        if tools.is_empty() {
            if matches!(choice, Choice::Any | Choice::Tool(_)) {
                self.unsupported("tool_choice", "There are no tools to choose from.")?;
            }
            choice = Choice::Unsaid;
        }
        let native_schema = match output {
            OutputFormat::Schema(output) => self.native_schema(&output.schema),
            OutputFormat::Text | OutputFormat::JsonObject => None,
        };
        let is_forced = matches!(choice, Choice::Any | Choice::Tool(_));
        let mut answer = None;
        if native_schema.is_none() && !is_forced {
            answer = AnswerTool::of(output, tools);
        } else if native_schema.is_none() && *output != OutputFormat::Text {
            self.notes.adapted("response_format", "No answer is due where a tool is forced.");
        }
        if answer.is_some() {
            self.notes.mapped("response_format", "A tool is forced whose input is the answer.");
            choice = if tools.is_empty() || choice == Choice::None { Choice::Answer } else { Choice::Any };
        }
        if choice == Choice::None {
            if called.is_empty() {
                self.notes.mapped("tool_choice", "Tools that may not be called are not sent.");
                (tools, choice) = (&[], Choice::Unsaid);
            } else if self.maker != Maker::Anthropic {
                self.unsupported("tool_choice", "Converse cannot forbid tools that the conversation has called.")?;
                choice = Choice::Unsaid;
            }
        }
        let parallel = parallel.filter(|_| !tools.is_empty() && choice != Choice::None);
        if parallel == Some(false) && self.maker != Maker::Anthropic {
            self.unsupported("parallel_tool_calls", "The model cannot be told to make one call at a time.")?;
        }
        let parallel = parallel.filter(|_| self.maker == Maker::Anthropic);
        // Tools that were called and may not be called now stay, as the conversation has them.
        let is_sent = |name: &Text<'_>| tools.iter().any(|tool| is_named(tool, name));
        let called = if tools.is_empty() { called } else { Vec::new() };
        let called: Vec<_> = called.into_iter().filter(|name| !is_sent(name)).collect();
        if !called.is_empty() {
            self.notes.adapted("tools", "Converse wants the tools of a conversation: they are made from its calls.");
            if answer.is_none() && self.maker == Maker::Anthropic {
                // The client offers none to be called now.
                choice = Choice::None;
            }
        }
        Ok(ToolPlan { tools, among, called, choice, parallel, answer, native_schema })
    }

    /// The schema in Bedrock's subset; `None` where the model takes none or the subset cannot say it.
    fn native_schema<'a>(&mut self, schema: &'a Raw<'_>) -> Option<Cow<'a, [u8]>> {
        if !self.target.traits.native_schema {
            return None;
        }
        schema::adapted(schema, Subset::Bedrock, "response_format", self.notes)
            .map_err(|Unsupported { param, why }| self.notes.adapted(param, why))
            .ok()
    }

    pub fn tools(&mut self, plan: &ToolPlan<'_>) -> Result<(), Unsupported> {
        let begin = self.json.out.len();
        self.json.name("toolConfig").open_object().name("tools").open_array();
        let empty = self.json.out.len();
        for tool in plan.tools {
            match tool {
                Tool::Function(tool) => {
                    let among = plan.among.as_ref();
                    if among.is_none_or(|names| names.iter().any(|name| same(name, &tool.name))) {
                        self.function(tool);
                        self.points.behind_tool(tool.cache, &mut self.json, self.notes);
                    }
                }
                Tool::Other { param, .. } => {
                    self.unsupported(param.clone(), "Converse has no tool of this type.")?;
                }
            }
        }
        let offers_others = self.json.out.len() > empty;
        for name in &plan.called {
            self.json.open_object().name("toolSpec").open_object().name("name");
            self.tool_name(name);
            self.input_schema(None);
            self.json.close_object().close_object();
        }
        if let Some(answer) = &plan.answer {
            self.json.open_object().name("toolSpec").open_object().name("name").string(&answer.name);
            self.json.name("description").text(&answer.description());
            let schema = answer.schema();
            self.input_schema(Some(&schema));
            self.json.close_object().close_object();
        }
        if self.json.out.len() == empty {
            self.json.out.truncate(begin);
            return Ok(());
        }
        self.json.close_array();
        self.choice(plan, offers_others);
        self.json.close_object();
        Ok(())
    }

    fn choice(&mut self, plan: &ToolPlan<'_>, offers_others: bool) {
        let choice = match (plan.choice, &plan.answer) {
            (Choice::Any, Some(_)) if !offers_others => Choice::Answer,
            (choice, _) => choice,
        };
        match (choice, &plan.answer) {
            (Choice::Unsaid | Choice::None, _) | (Choice::Answer, None) => {}
            (Choice::Auto, _) => self.any_choice("auto"),
            (Choice::Any, _) => self.any_choice("any"),
            (Choice::Tool(name), _) => {
                self.json.name("toolChoice").open_object().name("tool").open_object().name("name");
                self.tool_name(name);
                self.json.close_object().close_object();
            }
            (Choice::Answer, Some(answer)) => {
                let json = self.json.name("toolChoice").open_object().name("tool").open_object();
                json.name("name").string(&answer.name).close_object().close_object();
            }
        }
    }

    fn any_choice(&mut self, name: &str) {
        self.json.name("toolChoice").open_object().name(name).open_object().close_object().close_object();
    }

    fn function(&mut self, tool: &FunctionTool<'_>) {
        let FunctionTool { name, description, schema, strict, cache: _ } = tool;
        self.json.open_object().name("toolSpec").open_object().name("name");
        self.tool_name(name);
        if let Some(description) = description.as_ref().filter(|description| !description.is_empty()) {
            self.json.name("description").text(description);
        }
        let mut enforced = None;
        if *strict == Some(true) && self.target.traits.native_schema {
            enforced = match schema {
                Some(schema) => schema::adapted(schema, Subset::Bedrock, "tools", self.notes)
                    .map_err(|Unsupported { param, why }| {
                        self.notes.adapted(param, format!("{why} The tool's schema is followed, not forced."));
                    })
                    .ok(),
                // A tool without input is strict as it is.
                None => Some(Cow::Borrowed(&br#"{"type":"object","additionalProperties":false}"#[..])),
            };
        } else if *strict == Some(true) {
            self.adapted_once("tools.strict", "The schema of a tool is followed, not forced.");
        }
        match enforced {
            Some(schema) => {
                self.input_schema(Some(&Raw(schema)));
                self.json.name("strict").bool(true);
            }
            None => self.input_schema(schema.as_ref()),
        }
        self.json.close_object().close_object();
    }

    /// A schema of an input has to say that it is an object's, which others take for granted.
    fn input_schema(&mut self, schema: Option<&Raw<'_>>) {
        self.json.name("inputSchema").open_object().name("json");
        match schema.map(|schema| Value::root(&schema.0)) {
            None => drop(self.json.json(br#"{"type":"object"}"#)),
            Some(schema) if schema.some("type").is_some() => drop(self.json.json(schema.bytes())),
            Some(schema) => {
                self.json.open_object().name("type").string("object");
                for (name, member) in schema.members() {
                    if *name != *b"type" {
                        self.json.any_name(&String::from_utf8_lossy(&name)).json(member.bytes());
                    }
                }
                self.json.close_object();
            }
        }
        self.json.close_object();
    }

    /// Writes the upstream's name of a tool.
    pub fn tool_name(&mut self, name: &Text<'_>) {
        match self.names.upstream(name) {
            Some(upstream) => self.json.string(upstream),
            None => self.json.text(name),
        };
    }
}

fn same(one: &Text<'_>, other: &Text<'_>) -> bool {
    one == other || one.decoded() == other.decoded()
}

fn is_named(tool: &Tool<'_>, name: &Text<'_>) -> bool {
    matches!(tool, Tool::Function(tool) if same(&tool.name, name))
}

/// The names of the tools that were called, each once.
fn called<'a>(messages: &'a [Message<'a>]) -> Vec<&'a Text<'a>> {
    let mut names: Vec<&Text<'_>> = Vec::new();
    for part in messages.iter().flat_map(|message| &message.parts) {
        if let PartBody::ToolCall(call) = &part.body
            && !names.iter().any(|name| same(name, &call.name))
        {
            names.push(&call.name);
        }
    }
    names
}
