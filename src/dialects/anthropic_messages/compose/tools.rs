//! Tools, the choice among them, and their names.
//!
//! Names are sanitised to what the API takes (1 to 128 letters, digits, `_` and `-`), kept apart, and brought back by `restore`.
//!
//! An answer in JSON from a model that takes no schema is the input of one more tool. It is forced, unless other tools may be
//! called too: then some tool is forced. Where the client itself forces one of its tools, no answer is due yet, and where it
//! forbids them, the answer's tool is the only choice.
//!
//! A conversation that called tools needs tools, also where the client offers none any more: those that were called are sent by
//! name, and forbidden.

use super::Composer;
use crate::dialects::canonical::{
    FunctionTool, Message, Notes, OutputFormat, PartBody, Target, Tool, ToolChoice, Unsupported,
};
use crate::dialects::schema::{self, Subset};
use crate::json::{
    piece::{Raw, Text},
    view::Value,
};
use std::borrow::Cow;

/// Longest name that is accepted, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// Tools as they will be sent.
pub struct ToolPlan<'a> {
    tools: &'a [Tool<'a>],
    /// Only these are sent.
    among: Option<&'a [Text<'a>]>,
    choice: Choice<'a>,
    parallel_off: bool,
    pub answer: Option<AnswerTool<'a>>,
    /// The schema of the answer, where it is said as such.
    pub native_schema: Option<Cow<'a, [u8]>>,
    /// Tools of the conversation, where the client offers none.
    called: Vec<&'a Text<'a>>,
}

/// The tool whose input is the answer.
pub struct AnswerTool<'a> {
    pub name: Box<str>,
    description: Option<&'a Text<'a>>,
    /// `None`: any object.
    schema: Option<&'a Raw<'a>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Choice<'a> {
    Unsaid,
    Auto,
    Any,
    None,
    Tool(&'a Text<'a>),
    Answer,
}

impl<'a> ToolPlan<'a> {
    pub fn of(
        tools: &'a [Tool<'a>],
        choice: Option<&'a ToolChoice<'a>>,
        parallel: Option<bool>,
        output: &'a OutputFormat<'a>,
        target: &Target<'_>,
        notes: &mut Notes,
    ) -> Result<ToolPlan<'a>, Unsupported> {
        let mut among = None;
        let mut choice = match choice {
            None => Choice::Unsaid,
            Some(ToolChoice::Auto) => Choice::Auto,
            Some(ToolChoice::Required) => Choice::Any,
            Some(ToolChoice::None) => Choice::None,
            Some(ToolChoice::Tool(name)) => Choice::Tool(name),
            Some(ToolChoice::Among { names, required }) => {
                notes.mapped("tool_choice", "Only the tools that may be called are sent.");
                among = Some(&names[..]);
                if *required { Choice::Any } else { Choice::Auto }
            }
        };
        if tools.is_empty() {
            if matches!(choice, Choice::Any | Choice::Tool(_)) {
                notes.unsupported(target, "tool_choice", "There are no tools to choose from.")?;
            }
            choice = Choice::Unsaid;
        }
        let (schema, description, native_schema) = match output {
            OutputFormat::Text | OutputFormat::JsonObject => (None, None, None),
            OutputFormat::Schema(schema) => {
                (Some(schema), schema.description.as_ref(), native_schema(&schema.schema, target, notes))
            }
        };
        let is_forced = matches!(choice, Choice::Any | Choice::Tool(_));
        let mut answer = None;
        if *output != OutputFormat::Text && native_schema.is_none() && !is_forced {
            let name = schema.and_then(|schema| schema.name.as_ref()).map(|name| sanitised(&name.decoded()));
            let name = apart(name.unwrap_or_else(|| "json_answer".to_owned()), |name| is_taken(tools, name));
            notes.mapped("response_format", "A tool is forced whose input is the answer.");
            choice = if tools.is_empty() || choice == Choice::None { Choice::Answer } else { Choice::Any };
            answer = Some(AnswerTool { name: name.into(), description, schema: schema.map(|schema| &schema.schema) });
        }
        let parallel_off = parallel == Some(false) && !tools.is_empty() || choice == Choice::Answer;
        if parallel_off && choice == Choice::Unsaid {
            choice = Choice::Auto;
        }
        Ok(ToolPlan { tools, among, choice, parallel_off, answer, native_schema, called: Vec::new() })
    }

    /// With the tools that the conversation called, if there are no others.
    pub fn with_history(mut self, messages: &'a [Message<'a>], notes: &mut Notes) -> ToolPlan<'a> {
        if !self.tools.is_empty() {
            return self;
        }
        for part in messages.iter().flat_map(|message| &message.parts) {
            let PartBody::ToolCall(call) = &part.body else { continue };
            if !self.called.iter().any(|name| same(name, &call.name)) {
                self.called.push(&call.name);
            }
        }
        if !self.called.is_empty() {
            notes.adapted("tools", "The tools that were called before are sent by name, and may not be called.");
            if self.answer.is_none() {
                self.choice = Choice::None;
            }
        }
        self
    }

    /// The model has to call a tool.
    pub fn is_forced(&self) -> bool {
        matches!(self.choice, Choice::Any | Choice::Tool(_) | Choice::Answer)
    }
}

/// The schema in the API's subset; `None` where the model takes none or the subset cannot say it.
fn native_schema<'a>(schema: &'a Raw<'_>, target: &Target<'_>, notes: &mut Notes) -> Option<Cow<'a, [u8]>> {
    if !target.traits.native_schema {
        return None;
    }
    match schema::adapted(schema, Subset::Anthropic, "response_format", notes) {
        Ok(adapted) => Some(adapted),
        Err(Unsupported { param, why }) => {
            notes.adapted(param, why);
            None
        }
    }
}

impl Composer<'_> {
    pub fn tools(&mut self, plan: &ToolPlan<'_>) -> Result<(), Unsupported> {
        let begin = self.json.out.len();
        self.json.name("tools").open_array();
        let empty = self.json.out.len();
        for tool in plan.tools {
            match tool {
                Tool::Function(tool) => {
                    if plan.among.is_none_or(|names| names.iter().any(|name| same(name, &tool.name))) {
                        self.function(tool);
                    }
                }
                Tool::Other { kind, raw, .. } if is_own_kind(kind) => {
                    if plan.among.is_none() {
                        self.json.raw(raw);
                    }
                }
                Tool::Other { param, .. } => {
                    self.unsupported(param.clone(), "Anthropic's API has no tool of this type.")?;
                }
            }
        }
        let mut sent: Vec<Text<'_>> = plan.answer.iter().map(|answer| Text::plain(&*answer.name)).collect();
        for name in &plan.called {
            let name = self.names.upstream(name).into_owned();
            if sent.iter().any(|sent| same(sent, &name)) {
                continue;
            }
            self.json.open_object().name("name").text(&name).name("input_schema").json(br#"{"type":"object"}"#);
            self.json.close_object();
            sent.push(name);
        }
        if let Some(AnswerTool { name, description, schema }) = &plan.answer {
            self.json.open_object().name("name").string(name).name("description");
            match description {
                Some(description) => self.json.text(description),
                None => self.json.string("Gives the answer to the user, as the object that it is called with."),
            };
            self.input_schema(schema.map(|schema| &*schema.0));
            self.json.close_object();
        }
        if self.json.out.len() == empty {
            // A choice among no tools is refused.
            self.json.out.truncate(begin);
            return Ok(());
        }
        self.json.close_array();
        self.tool_choice(plan);
        Ok(())
    }

    fn function(&mut self, tool: &FunctionTool<'_>) {
        let FunctionTool { name, description, schema, strict, cache } = tool;
        self.json.open_object().name("name").text(&self.names.upstream(name));
        if let Some(description) = description {
            self.json.name("description").text(description);
        }
        let adapted = match (schema, strict) {
            (Some(schema), Some(true)) => {
                let adapted = schema::adapted(schema, Subset::Anthropic, "tools", self.notes);
                adapted.map_err(|Unsupported { param, why }| {
                    self.notes.adapted(param, format!("{why} The tool's schema is followed, not forced."));
                })
            }
            // A tool without input is strict as it is.
            (None, Some(true)) => Ok(Cow::Borrowed(&br#"{"type":"object","additionalProperties":false}"#[..])),
            _ => Err(()),
        };
        match adapted {
            Ok(adapted) => {
                self.input_schema(Some(&adapted));
                self.json.name("strict").bool(true);
            }
            Err(()) => self.input_schema(schema.as_ref().map(|schema| &*schema.0)),
        }
        self.cache_control(*cache);
        self.json.close_object();
    }

    /// A schema of an input has to say that it is an object's, which others take for granted.
    fn input_schema(&mut self, schema: Option<&[u8]>) {
        self.json.name("input_schema");
        let Some(schema) = schema else {
            self.json.json(br#"{"type":"object"}"#);
            return;
        };
        let value = Value::root(schema);
        if schema.starts_with(br#"{"type":"object""#) || value.some("type").is_some() {
            self.json.json(schema);
            return;
        }
        self.json.open_object().name("type").string("object");
        for (name, member) in value.members() {
            if *name != *b"type" {
                self.json.any_name(&String::from_utf8_lossy(&name)).json(member.bytes());
            }
        }
        self.json.close_object();
    }

    fn tool_choice(&mut self, plan: &ToolPlan<'_>) {
        let form = match plan.choice {
            Choice::Unsaid => return,
            Choice::Auto => "auto",
            Choice::Any => "any",
            Choice::None => "none",
            Choice::Tool(_) | Choice::Answer => "tool",
        };
        self.json.name("tool_choice").open_object().name("type").string(form);
        match (plan.choice, &plan.answer) {
            (Choice::Tool(name), _) => {
                self.json.name("name").text(&self.names.upstream(name));
            }
            (Choice::Answer, Some(answer)) => {
                self.json.name("name").string(&answer.name);
            }
            _ => {}
        }
        if plan.parallel_off && plan.choice != Choice::None {
            self.json.name("disable_parallel_tool_use").bool(true);
        }
        self.json.close_object();
    }
}

/// Names of tools as the API takes them.
#[derive(Default)]
pub struct Names {
    /// The upstream's name, the client's name; only those that differ.
    pub renamed: Vec<(Box<str>, Box<str>)>,
}

impl Names {
    pub fn of(tools: &[Tool<'_>]) -> Names {
        let mut renamed: Vec<(Box<str>, Box<str>)> = Vec::new();
        for tool in tools {
            let Tool::Function(tool) = tool else { continue };
            let client = tool.name.decoded();
            if fits(client.as_bytes()) || renamed.iter().any(|(_, known)| **known == *client) {
                continue;
            }
            let is_known = |name: &str| is_taken(tools, name) || renamed.iter().any(|(known, _)| **known == *name);
            renamed.push((apart(sanitised(&client), is_known).into(), client.into()));
        }
        Names { renamed }
    }

    /// The name at the upstream for the client's.
    pub fn upstream<'n>(&'n self, name: &'n Text<'_>) -> Text<'n> {
        if matches!(name, Text::Escaped(escaped) if fits(escaped)) {
            return name.by_ref();
        }
        let client = name.decoded();
        if fits(client.as_bytes()) {
            return Text::plain(client);
        }
        match self.renamed.iter().find(|(_, known)| **known == *client) {
            Some((upstream, _)) => Text::plain(&**upstream),
            // A call of a tool that is no longer there.
            None => Text::plain(sanitised(&client)),
        }
    }
}

fn same(one: &Text<'_>, other: &Text<'_>) -> bool {
    one == other || one.decoded() == other.decoded()
}

fn is_taken(tools: &[Tool<'_>], name: &str) -> bool {
    tools.iter().any(|tool| matches!(tool, Tool::Function(tool) if tool.name.says(name)))
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

pub fn fits(name: &[u8]) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.iter().all(|byte| is_name_byte(*byte))
}

/// The name with `_` for each character that the API does not take.
fn sanitised(name: &str) -> String {
    let fitting = |c: char| if c.is_ascii() && is_name_byte(c as u8) { c } else { '_' };
    let name: String = name.chars().map(fitting).take(NAME_BYTES_MAX).collect();
    if name.is_empty() { "_".to_owned() } else { name }
}

/// The name, with a number behind it if another tool has it.
fn apart(name: String, is_taken: impl Fn(&str) -> bool) -> String {
    if !is_taken(&name) {
        return name;
    }
    let numbered = |number: usize| {
        let number = format!("_{number}");
        format!("{}{number}", &name[..name.len().min(NAME_BYTES_MAX - number.len())])
    };
    // There are fewer tools than numbers.
    (2..).map(numbered).find(|name| !is_taken(name)).unwrap_or_default()
}

/// Content that only the API's own clients have, which goes back as it came: what its own tools did, search results, uploads.
pub fn is_own_block(raw: &Raw<'_>) -> bool {
    let kind = Value::root(&raw.0).some("type").and_then(Value::text);
    kind.is_some_and(|kind| {
        let kind = kind.decoded();
        let known = ["server_tool_use", "search_result", "container_upload", "tool_reference", "mid_conv_system"];
        known.contains(&&*kind) || kind.ends_with("_tool_result") || kind.starts_with("mcp_tool_")
    })
}

/// Tools that Anthropic runs itself, or defines, have types that end in a date: `web_search_20250305`.
fn is_own_kind(kind: &Text<'_>) -> bool {
    let kind: Cow<'_, str> = kind.decoded();
    kind.rsplit_once('_').is_some_and(|(_, date)| date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()))
}
