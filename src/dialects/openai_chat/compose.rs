//! Writes the canonical request for an upstream of this dialect, in the words of its [`Variant`].
//!
//! What the upstream has no words for is refused, or noted where dropping is allowed; hints are always noted. Beyond renaming, this
//! is said in another way: earlier thoughts go back only where the upstream takes them; pictures that a tool answered with follow in
//! a message of the user, because a tool's message holds texts; a tool's error is told by what it says; a schema is marked strict
//! if it is within OpenAI's subset; names of tools and ids of calls are changed where they are not acceptable, names for the time
//! of one exchange (see [`crate::dialects::restore`]), ids the same way every time.

use super::variant::{SchemaWay, ThinkingWay, Variant};
use crate::dialects::canonical::{
    Adapted, Effort, Extra, Message, Notes, OutputFormat, OutputSchema, Part, PartBody, Reasoning, Request, Target,
    Tool, ToolResult, Unsupported,
};
use crate::dialects::schema::{self, Subset};
use crate::json::piece::{Raw, Text};
use crate::json::write::Writer;
use names::Names;
use std::borrow::Cow;
use std::collections::HashSet;
use tools::AnswerTool;

pub(in crate::dialects) mod messages;
pub(in crate::dialects) mod names;
pub(in crate::dialects) mod parts;
mod tools;

/// Where requests go, below the provider's base URL.
pub fn path(_model: &str, _stream: bool) -> Cow<'static, str> {
    Cow::Borrowed("/chat/completions")
}

/// Appends the upstream's request.
///
/// # Errors
/// What the upstream cannot express, unless the target lets it be dropped.
pub fn compose(
    request: &Request<'_>,
    target: &Target<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<Adapted, Unsupported> {
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
        // We ask for usage whatever the client does.
        stream_usage: _,
        // It is about the answer.
        wants_function_calls: _,
        // They are the parts that they are by now.
        has_tool_references: _,
        user,
        extras,
    } = request;
    let variant = target.traits.chat;
    let mut composer = Composer {
        target,
        variant,
        notes,
        names: Names::of(tools),
        custom_tools: tools::custom_names(tools),
        noted: 0,
        unsupported: Vec::new(),
    };
    let mut json = Writer::new(out);
    json.open_object().name("model").string(target.model);

    let (tools, tool_choice, parallel) = match tools.as_slice() {
        [_, ..] if !variant.tools => {
            composer.unsupported("tools", "The model's API takes no tools.")?;
            (&[][..], None, None)
        }
        tools => (tools, tool_choice.as_ref(), *parallel_tool_calls),
    };
    let form = composer.form(output, reasoning.as_ref(), tools, system, messages);
    composer.messages(system, messages, form.instruction.as_ref(), &mut json)?;
    composer.tools(tools, tool_choice, form.answer_tool.as_ref(), parallel, &mut json)?;
    form.write(&mut composer, &mut json);
    if let Some(tokens) = output_tokens_max {
        json.name(variant.max_tokens).number(*tokens);
    }
    let sampling = target.traits.sampling;
    composer.number("temperature", temperature.as_ref(), sampling.then_some("temperature"), &mut json)?;
    composer.number("top_p", top_p.as_ref(), sampling.then_some("top_p"), &mut json)?;
    composer.number("top_k", top_k.as_ref(), (sampling && variant.top_k).then_some("top_k"), &mut json)?;
    let penalties = variant.penalties;
    composer.number(
        "frequency_penalty",
        frequency_penalty.as_ref(),
        penalties.then_some("frequency_penalty"),
        &mut json,
    )?;
    composer.number(
        "presence_penalty",
        presence_penalty.as_ref(),
        penalties.then_some("presence_penalty"),
        &mut json,
    )?;
    composer.number("seed", seed.as_ref(), variant.seed, &mut json)?;
    composer.stop(stop, &mut json)?;
    composer.several(*logprobs, *answers, &mut json)?;
    if let Some(reasoning) = reasoning {
        composer.reasoning(reasoning, &mut json);
    }
    if let Some(user) = user {
        match variant.user {
            true => drop(json.name("user").text(user)),
            false => composer.notes.hint("user"),
        }
    }
    composer.extras(extras, &mut json)?;
    if *stream {
        json.name("stream").bool(true);
        if variant.stream_usage {
            json.name("stream_options").open_object().name("include_usage").bool(true).close_object();
        }
    }
    json.close_object();
    Ok(Adapted {
        answer_tool: form.answer_tool.map(|tool| tool.name.into()),
        names: composer.names.into_renamed(),
        ..Adapted::default()
    })
}

struct Composer<'c> {
    target: &'c Target<'c>,
    variant: Variant,
    notes: &'c mut Notes,
    names: Names,
    /// Names of tools whose input is a text.
    custom_tools: HashSet<String>,
    /// A bit for each [`Once`] that has been noted.
    noted: u32,
    /// Members that were dropped, as they were asked for more than once.
    unsupported: Vec<&'static str>,
}

/// What is noted once, however often it is the case: params and texts are in [`Composer::once`].
#[derive(Clone, Copy)]
enum Once {
    Cache,
    CacheTtl,
    Name,
    Thoughts,
    Signature,
    Error,
    ResultMedia,
    Detail,
    Title,
    Prefill,
    Renamed,
    Strict,
    PlainDocument,
    Answered,
}

impl Composer<'_> {
    fn once(&mut self, what: Once) {
        let bit = 1 << what as u32;
        if self.noted & bit != 0 {
            return;
        }
        self.noted |= bit;
        let notes = &mut *self.notes;
        match what {
            Once::Cache => {
                notes.dropped("messages.cache_control", "The upstream has no cache hints; it caches by itself.")
            }
            Once::CacheTtl => notes.adapted("messages.cache_control.ttl", "Cached for as long as is usual upstream."),
            Once::Name => notes.hint("messages.name"),
            Once::Thoughts => notes.dropped("messages.thinking", "The upstream does not take earlier thoughts back."),
            Once::Signature => {
                notes.dropped("messages.signature", "A signature is worth something to its provider alone.")
            }
            Once::Error => notes.adapted("messages.is_error", "A tool's error is told by what its result says."),
            Once::ResultMedia => {
                notes.adapted("messages.tool_result", "What is not text in a tool's result follows as the user's.");
            }
            Once::Answered => {
                notes.adapted(
                    "messages",
                    "An empty turn of the assistant's stands between a tool's result and the user's.",
                );
            }
            Once::Detail => notes.hint("messages.detail"),
            Once::Title => notes.hint("messages.title"),
            Once::Prefill => {
                notes.adapted(
                    "messages",
                    "The upstream answers the last message of the assistant, and does not go on with it.",
                );
            }
            Once::Renamed => notes.mapped("tools.name", "Names are changed for the upstream, and changed back."),
            Once::Strict => {
                notes.adapted("strict", "The schema is beyond what the upstream enforces: followed, not forced.")
            }
            Once::PlainDocument => notes.mapped("messages.document", "A document of plain text is sent as text."),
        }
    }

    fn unsupported(&mut self, param: &'static str, why: &'static str) -> Result<(), Unsupported> {
        if self.unsupported.contains(&param) {
            return Ok(());
        }
        self.unsupported.push(param);
        self.notes.unsupported(self.target, param, why)
    }

    /// A number that the upstream knows as `name`, or not at all.
    fn number(
        &mut self,
        param: &'static str,
        number: Option<&Raw<'_>>,
        name: Option<&str>,
        json: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        match (number, name) {
            (None, _) => Ok(()),
            (Some(number), Some(name)) => {
                json.name(name).raw(number);
                Ok(())
            }
            (Some(_), None) => self.unsupported(param, "The model does not take it."),
        }
    }

    fn stop(&mut self, stop: &[Text<'_>], json: &mut Writer<'_>) -> Result<(), Unsupported> {
        if stop.len() > self.variant.stops_max {
            let why = match self.variant.stops_max {
                0 => "The model takes no stop sequences.",
                _ => "The model takes fewer stop sequences.",
            };
            self.unsupported("stop", why)?;
        }
        let taken = &stop[..stop.len().min(self.variant.stops_max)];
        if !taken.is_empty() {
            json.name("stop").open_array();
            for sequence in taken {
                json.text(sequence);
            }
            json.close_array();
        }
        Ok(())
    }

    fn several(
        &mut self,
        logprobs: Option<u64>,
        answers: Option<u64>,
        json: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        match logprobs {
            Some(_) if !self.variant.logprobs => self.unsupported("logprobs", "The model does not tell them.")?,
            Some(alternatives) => {
                json.name("logprobs").bool(true);
                if alternatives > 0 {
                    json.name("top_logprobs").number(alternatives);
                }
            }
            None => {}
        }
        match answers {
            Some(answers) if answers != 1 && !self.variant.several_answers => {
                self.unsupported("n", "The model gives one answer to a request.")?;
            }
            Some(answers) if answers != 1 => drop(json.name("n").number(answers)),
            _ => {}
        }
        Ok(())
    }

    fn reasoning(&mut self, reasoning: &Reasoning, json: &mut Writer<'_>) {
        let Reasoning { effort, budget_tokens, show } = *reasoning;
        let wanted = effort.or(budget_tokens.map(Effort::of_budget));
        let is_off = !thinks(reasoning);
        match self.variant.thinking {
            ThinkingWay::None => return self.notes.hint("reasoning"),
            ThinkingWay::Effort => {
                let Some(wanted) = wanted else {
                    return self.notes.mapped("reasoning", "The model decides how much it thinks.");
                };
                let (least, most) = self.variant.efforts;
                let effort = wanted.clamp(least, most);
                json.name("reasoning_effort").string(effort.name());
                if effort != wanted || budget_tokens.is_some_and(|tokens| tokens > 0) {
                    self.notes.adapted("reasoning", format!("An effort is sent: {}.", effort.name()));
                }
            }
            ThinkingWay::Reasoning => {
                json.name("reasoning").open_object();
                match (effort, budget_tokens) {
                    (Some(Effort::None), _) | (None, Some(0)) => drop(json.name("enabled").bool(false)),
                    (_, Some(tokens)) => drop(json.name("max_tokens").number(tokens)),
                    (Some(effort), None) => drop(json.name("effort").string(effort.name())),
                    (None, None) => drop(json.name("enabled").bool(true)),
                }
                if let Some(show) = show {
                    json.name("exclude").bool(!show);
                }
                json.close_object();
                return;
            }
            ThinkingWay::Switch => {
                let switch = if is_off { "disabled" } else { "enabled" };
                json.name("thinking").open_object().name("type").string(switch).close_object();
                if !is_off && wanted.is_some() {
                    self.notes.adapted("reasoning", "The model can be told to think, not how much.");
                }
            }
            ThinkingWay::Enable => {
                json.name("enable_thinking").bool(!is_off);
                let tokens = budget_tokens.or(effort.map(Effort::budget_tokens)).filter(|_| !is_off);
                if let Some(tokens) = tokens {
                    json.name("thinking_budget").number(tokens);
                }
                if effort.is_some() && budget_tokens.is_none() && !is_off {
                    self.notes.adapted("reasoning", "A budget of thinking tokens is sent.");
                }
            }
        }
        // Whether thoughts are shown is the upstream's own decision here.
        if show.is_some() {
            self.notes.hint("reasoning.show");
        }
    }

    fn extras(&mut self, extras: &[Extra<'_>], json: &mut Writer<'_>) -> Result<(), Unsupported> {
        for extra in extras {
            // Responses has it in an object of its own.
            let param = match &*extra.param {
                "text.verbosity" => "verbosity",
                param => param,
            };
            let is_ours = param != "service_tier" || SERVICE_TIERS.iter().any(|tier| says(&extra.value, tier));
            if is_ours && self.variant.extras.contains(&param) {
                json.name(param).raw(&extra.value);
            } else {
                self.notes.leave(self.target, [extra])?;
            }
        }
        Ok(())
    }

    /// How the form of the answer is asked for.
    fn form<'r>(
        &mut self,
        output: &'r OutputFormat<'r>,
        reasoning: Option<&Reasoning>,
        tools: &[Tool<'_>],
        system: &[Part<'_>],
        messages: &[Message<'_>],
    ) -> Form<'r> {
        let mut form = Form::default();
        let schema = match output {
            OutputFormat::Text => return form,
            OutputFormat::JsonObject => {
                form.is_object = true;
                // "'messages' must contain the word 'json' in some form": a client of another dialect does not know that.
                let parts = system.iter().chain(messages.iter().flat_map(|message| &message.parts));
                if !parts.into_iter().any(names_json) {
                    form.instruction = Some(Text::plain("Answer with a JSON object."));
                    self.notes.adapted("response_format", "The system prompt asks for JSON, as the upstream demands.");
                }
                return form;
            }
            OutputFormat::Schema(schema) => schema,
        };
        let way = match self.variant.schema {
            SchemaWay::Native if !self.target.traits.native_schema && self.variant.tools => SchemaWay::Tool,
            SchemaWay::Native if !self.target.traits.native_schema => SchemaWay::Instructed,
            SchemaWay::ToolUnlessThinking => match reasoning.map_or(self.target.traits.thinks, thinks) {
                true => SchemaWay::Instructed,
                false => SchemaWay::Tool,
            },
            way => way,
        };
        match way {
            SchemaWay::Native => form.schema = Some(schema),
            SchemaWay::Tool | SchemaWay::ToolUnlessThinking => {
                self.notes.adapted("response_format", "The schema is that of a tool which the model has to call.");
                form.answer_tool = Some(AnswerTool::of(schema, tools));
            }
            SchemaWay::Instructed => {
                self.notes.adapted("response_format", "The schema is told in the system prompt; nothing enforces it.");
                form.is_object = true;
                form.instruction = Some(instruction(schema));
            }
        }
        form
    }
}

/// Is thinking asked for, however much?
fn thinks(reasoning: &Reasoning) -> bool {
    reasoning.effort.or(reasoning.budget_tokens.map(Effort::of_budget)) != Some(Effort::None)
}

const SERVICE_TIERS: &[&str] = &["auto", "default", "flex", "scale", "priority", "fast"];

fn says(value: &Raw<'_>, expected: &str) -> bool {
    crate::json::strings::says(&value.0, expected)
}

fn instruction(schema: &OutputSchema<'_>) -> Text<'static> {
    let mut said = String::from("Answer with a JSON object and nothing else. It has to match this JSON schema:\n");
    said.push_str(&String::from_utf8_lossy(&schema.schema.0));
    if let Some(description) = &schema.description {
        said.push_str("\nWhat it is for: ");
        said.push_str(&description.decoded());
    }
    Text::plain(said)
}

/// Does a part contain the word?
pub(crate) fn names_json(part: &Part<'_>) -> bool {
    let has = |text: &Text<'_>| {
        let said = match text {
            Text::Escaped(said) => said,
            Text::Plain(said) => said.as_bytes(),
        };
        ["json", "JSON", "Json"].iter().any(|word| memchr::memmem::find(said, word.as_bytes()).is_some())
    };
    match &part.body {
        PartBody::Text(text) => has(text),
        PartBody::ToolResult(ToolResult { content, .. }) => content.iter().any(names_json),
        _ => false,
    }
}

/// How the form of the answer is asked for: in `response_format`, by a tool, in the system prompt.
#[derive(Default)]
struct Form<'r> {
    is_object: bool,
    schema: Option<&'r OutputSchema<'r>>,
    answer_tool: Option<AnswerTool<'r>>,
    instruction: Option<Text<'static>>,
}

impl Form<'_> {
    fn write(&self, composer: &mut Composer<'_>, json: &mut Writer<'_>) {
        if self.is_object {
            json.name("response_format").open_object().name("type").string("json_object").close_object();
        }
        let Some(OutputSchema { name, description, schema, strict }) = self.schema else { return };
        json.name("response_format").open_object().name("type").string("json_schema");
        json.name("json_schema").open_object().name("name");
        // Required, of at most 64 letters, digits, underscores and dashes.
        match name.as_ref().filter(|name| names::is_acceptable(name)) {
            Some(name) => json.text(name),
            None => json.string("answer"),
        };
        if let Some(description) = description {
            json.name("description").text(description);
        }
        // Clients of the other dialects with schemas expect them to be enforced.
        composer.schema("schema", schema, strict.or(Some(true)), strict.is_some(), "response_format", json);
        json.close_object().close_object();
    }
}

impl Composer<'_> {
    /// Writes a schema under `name`, and whether the upstream has to keep to it, where that is said. One that OpenAI cannot enforce is
    /// followed as it is. Where the client did not ask for that, nothing is changed for its sake.
    fn schema(
        &mut self,
        name: &'static str,
        schema: &Raw<'_>,
        strict: Option<bool>,
        is_asked: bool,
        param: &'static str,
        json: &mut Writer<'_>,
    ) {
        let strict = strict.filter(|_| self.variant.strict);
        json.name(name);
        if strict == Some(true) {
            let mut notes = Notes::default();
            match schema::adapted(schema, Subset::OpenAiStrict, param, &mut notes) {
                Ok(adapted) if is_asked || notes.notes.is_empty() => {
                    json.json(&adapted).name("strict").bool(true);
                    self.notes.notes.append(&mut notes.notes);
                    return;
                }
                _ => self.once(Once::Strict),
            }
        }
        let subset = if self.variant.schema_ids { Subset::OpenAi } else { Subset::Mistral };
        // Neither refuses anything.
        if let Ok(adapted) = schema::adapted(schema, subset, param, self.notes) {
            json.json(&adapted);
        }
        if strict.is_some() {
            json.name("strict").bool(false);
        }
    }
}

#[cfg(test)]
mod tests;
