//! Writes the canonical request for an upstream that speaks Responses.
//!
//! What the API has no words for is refused, or noted where dropping is allowed; hints are always noted. Beyond renaming, this is said in
//! another way: a system prompt of one text is `instructions`; names of tools and ids of calls are changed where they are not acceptable,
//! names for the time of one exchange (see [`crate::dialects::restore`]), ids the same way every time; thoughts go back where OpenAI signed them,
//! and nowhere else; a schema is marked strict if it is within OpenAI's subset.
//!
//! Answers are not stored unless the client says so: the API's own usual is to keep them for a month. Signed thoughts are asked for where
//! thinking is, since without a stored answer there is no other way to give them back; other models refuse to be asked.

use crate::dialects::canonical::{
    Adapted, Effort, Extra, Message, Notes, Origin, OutputFormat, OutputSchema, Part, PartBody, Reasoning, Request,
    Signature, Target, ToolInput, Unsupported,
};
use crate::dialects::openai_chat::compose::messages::Unnamed;
use crate::dialects::openai_chat::compose::names::{Names, is_acceptable};
use crate::dialects::openai_chat::compose::names_json;
use crate::dialects::schema::{self, Subset};
use crate::json::Kind;
use crate::json::piece::{Raw, Text};
use crate::json::strings;
use crate::json::write::Writer;
use std::borrow::Cow;
use std::collections::HashSet;

mod items;
mod tools;

/// Where requests go, below the provider's base URL.
pub fn path(_model: &str, _stream: bool) -> Cow<'static, str> {
    Cow::Borrowed("/responses")
}

/// Appends the upstream's request; nothing, if it is refused.
///
/// # Errors
/// What the upstream cannot express, unless the target lets it be dropped.
pub fn compose(
    request: &Request<'_>,
    target: &Target<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<Adapted, Unsupported> {
    let before = out.len();
    let composed = append(request, target, notes, out);
    if composed.is_err() {
        out.truncate(before);
    }
    composed
}

fn append(
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
        // A stream's last event has the usage, asked for or not.
        stream_usage: _,
        // It is about the answer.
        wants_function_calls: _,
        // They are the parts that they are by now.
        has_tool_references: _,
        user,
        extras,
    } = request;
    let mut composer = Composer {
        target,
        notes,
        names: Names::of(tools),
        custom_tools: tools::custom_names(tools),
        custom_calls: custom_calls(messages),
        unnamed: Unnamed::default(),
        noted: 0,
        unsupported: Vec::new(),
    };
    let mut json = Writer::new(out);
    json.open_object().name("model").string(target.model);

    let instruction = composer.instruction(output, system, messages);
    composer.conversation(system, instruction, messages, &mut json)?;
    let answer_tool = match output {
        OutputFormat::Schema(schema) if !target.traits.native_schema => {
            composer.notes.adapted("text.format", "The schema is that of a tool which the model has to call.");
            Some(schema)
        }
        _ => None,
    };
    let answer_name = answer_tool.map(|_| tools::free_name(tools));
    composer.tools(
        tools,
        tool_choice.as_ref(),
        answer_tool.zip(answer_name.as_deref()),
        *parallel_tool_calls,
        &mut json,
    )?;
    composer.text(output, answer_tool.is_some(), extras, &mut json);
    if let Some(tokens) = output_tokens_max {
        if *tokens < OUTPUT_TOKENS_MIN {
            composer.notes.adapted("max_output_tokens", format!("The upstream takes {OUTPUT_TOKENS_MIN} and more."));
        }
        json.name("max_output_tokens").number((*tokens).max(OUTPUT_TOKENS_MIN));
    }
    let sampling = target.traits.sampling;
    composer.number("temperature", temperature.as_ref(), sampling, &mut json)?;
    composer.number("top_p", top_p.as_ref(), sampling, &mut json)?;
    composer.number("top_k", top_k.as_ref(), false, &mut json)?;
    composer.number("frequency_penalty", frequency_penalty.as_ref(), false, &mut json)?;
    composer.number("presence_penalty", presence_penalty.as_ref(), false, &mut json)?;
    composer.number("seed", seed.as_ref(), false, &mut json)?;
    if !stop.is_empty() {
        composer.unsupported("stop", "The model's API has no stop sequences.")?;
    }
    if answers.is_some_and(|answers| answers != 1) {
        composer.unsupported("n", "The model gives one answer to a request.")?;
    }
    if let Some(alternatives) = logprobs {
        json.name("top_logprobs").number(*alternatives);
    }
    let thinks = composer.reasoning(reasoning.as_ref(), extras, &mut json);
    let signs = thinks || messages.iter().flat_map(|message| &message.parts).any(|part| openai_proof(part).is_some());
    write_include(signs, logprobs.is_some(), &mut json);
    if let Some(user) = user {
        json.name("safety_identifier").text(user);
    }
    composer.extras(extras, &mut json)?;
    if *stream {
        json.name("stream").bool(true);
    }
    json.close_object();
    Ok(Adapted { answer_tool: answer_name.map(Into::into), names: composer.names.into_renamed(), ..Adapted::default() })
}

/// Less is refused: "integer below minimum value. Expected a value >= 16". Agents ask for one token to see whether a model answers.
const OUTPUT_TOKENS_MIN: u64 = 16;

struct Composer<'c> {
    target: &'c Target<'c>,
    notes: &'c mut Notes,
    names: Names,
    /// Names of tools whose input is a text.
    custom_tools: HashSet<String>,
    /// Ids of earlier calls of such tools.
    custom_calls: HashSet<String>,
    unnamed: Unnamed,
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
    Detail,
    Title,
    Prefill,
    Renamed,
    Strict,
    PlainDocument,
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
                notes.dropped("messages.cache_control", "The upstream has no such hint here; it caches by itself.")
            }
            Once::CacheTtl => notes.adapted("messages.cache_control.ttl", "Cached for as long as is usual upstream."),
            Once::Name => notes.hint("messages.name"),
            Once::Thoughts => {
                notes.dropped("messages.thinking", "The upstream takes back the thoughts alone that it signed.")
            }
            Once::Signature => {
                notes.dropped("messages.signature", "A signature is worth something to its provider alone.")
            }
            Once::Error => notes.adapted("messages.is_error", "A tool's error is told by what its result says."),
            Once::Detail => notes.hint("messages.detail"),
            Once::Title => notes.hint("messages.title"),
            Once::Prefill => notes.adapted(
                "messages",
                "The upstream answers the last message of the assistant, and does not go on with it.",
            ),
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

    fn number(
        &mut self,
        param: &'static str,
        number: Option<&Raw<'_>>,
        is_known: bool,
        json: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        match number {
            None => Ok(()),
            Some(number) if is_known => {
                json.name(param).raw(number);
                Ok(())
            }
            Some(_) => self.unsupported(param, "The model does not take it."),
        }
    }

    /// What has to be said in the system prompt: the API refuses to be asked for JSON where nobody says the word.
    fn instruction(
        &mut self,
        output: &OutputFormat<'_>,
        system: &[Part<'_>],
        messages: &[Message<'_>],
    ) -> Option<Part<'static>> {
        let mut parts = system.iter().chain(messages.iter().flat_map(|message| &message.parts));
        if *output != OutputFormat::JsonObject || parts.any(names_json) {
            return None;
        }
        self.notes.adapted("text.format", "The system prompt asks for JSON, as the upstream demands.");
        Some(PartBody::Text(Text::plain("Answer with a JSON object.")).into())
    }

    /// `text`: the form of the answer, and how long it should be.
    fn text(&mut self, output: &OutputFormat<'_>, is_by_tool: bool, extras: &[Extra<'_>], json: &mut Writer<'_>) {
        let verbosity = extras.iter().find(|extra| VERBOSITY.contains(&&*extra.param));
        let is_formed = *output != OutputFormat::Text && !is_by_tool;
        if verbosity.is_none() && !is_formed {
            return;
        }
        json.name("text").open_object();
        match output {
            OutputFormat::JsonObject => {
                json.name("format").open_object().name("type").string("json_object").close_object();
            }
            OutputFormat::Schema(schema) if !is_by_tool => self.schema_format(schema, json),
            OutputFormat::Schema(_) | OutputFormat::Text => {}
        }
        if let Some(verbosity) = verbosity {
            json.name("verbosity").raw(&verbosity.value);
        }
        json.close_object();
    }

    fn schema_format(&mut self, schema: &OutputSchema<'_>, json: &mut Writer<'_>) {
        let OutputSchema { name, description, schema, strict } = schema;
        json.name("format").open_object().name("type").string("json_schema").name("name");
        // Required, of at most 64 letters, digits, underscores and dashes.
        match name.as_ref().filter(|name| is_acceptable(name)) {
            Some(name) => json.text(name),
            None => json.string("answer"),
        };
        if let Some(description) = description {
            json.name("description").text(description);
        }
        // Clients of the other dialects with schemas expect them to be enforced.
        self.strict("schema", schema, strict.unwrap_or(true), json);
        json.close_object();
    }

    /// Writes a schema under `name`, and whether it is enforced: not where it would have to be weakened for that.
    fn strict(&mut self, name: &str, schema: &Raw<'_>, wanted: bool, json: &mut Writer<'_>) {
        json.name(name);
        if wanted {
            let mut notes = Notes::default();
            match schema::adapted(schema, Subset::OpenAiStrict, name, &mut notes) {
                Ok(adapted) if notes.notes.is_empty() => {
                    json.json(&adapted).name("strict").bool(true);
                    return;
                }
                _ => self.once(Once::Strict),
            }
        }
        json.raw(schema).name("strict").bool(false);
    }

    /// Writes `reasoning`; is thinking asked for?
    fn reasoning(&mut self, reasoning: Option<&Reasoning>, extras: &[Extra<'_>], json: &mut Writer<'_>) -> bool {
        let Some(Reasoning { effort, budget_tokens, show }) = reasoning else { return false };
        let wanted = effort.or(budget_tokens.map(Effort::of_budget));
        let summary = extras.iter().find(|extra| extra.param == "reasoning.summary");
        if wanted.is_none() && *show != Some(true) {
            // Thoughts are not shown unless asked for.
            return true;
        }
        json.name("reasoning").open_object();
        if let Some(wanted) = wanted {
            json.name("effort").string(wanted.name());
        }
        if *show == Some(true) {
            json.name("summary");
            match summary {
                Some(summary) => json.raw(&summary.value),
                None => json.string("auto"),
            };
        }
        json.close_object();
        if let (Some(wanted), Some(1..)) = (wanted, budget_tokens) {
            self.notes.adapted("reasoning", format!("An effort is sent: {}.", wanted.name()));
        }
        wanted != Some(Effort::None)
    }

    fn extras(&mut self, extras: &[Extra<'_>], json: &mut Writer<'_>) -> Result<(), Unsupported> {
        let mut stores = false;
        for extra in extras {
            match &*extra.param {
                "store" => stores = *extra.value.0 == *b"true",
                "reasoning.summary" => {}
                param if VERBOSITY.contains(&param) => {}
                "service_tier" if !SERVICE_TIERS.iter().any(|tier| strings::says(&extra.value.0, tier)) => {
                    self.notes.leave(self.target, [extra])?;
                }
                // Anthropic's member of this name is an object.
                "context_management" if extra.value.kind() != Kind::Array => self.notes.leave(self.target, [extra])?,
                param if SAME.contains(&param) => drop(json.name(param).raw(&extra.value)),
                _ => self.notes.leave(self.target, [extra])?,
            }
        }
        json.name("store").bool(stores);
        Ok(())
    }
}

/// How long the answer should be: Chat Completions' name, and the place here.
const VERBOSITY: &[&str] = &["verbosity", "text.verbosity"];

/// Members at the top that OpenAI's dialects have in common, and those of this one that need no object kept at the provider.
const SAME: &[&str] = &[
    "metadata",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "moderation",
    "truncation",
    "context_management",
];

/// Other dialects have other tiers.
const SERVICE_TIERS: &[&str] = &["auto", "default", "flex", "scale", "priority", "fast"];

fn write_include(signs: bool, logprobs: bool, json: &mut Writer<'_>) {
    if !signs && !logprobs {
        return;
    }
    json.name("include").open_array();
    if signs {
        json.string("reasoning.encrypted_content");
    }
    if logprobs {
        json.string("message.output_text.logprobs");
    }
    json.close_array();
}

/// The signature of thoughts that OpenAI signed.
fn openai_proof<'p>(part: &'p Part<'_>) -> Option<&'p Signature<'p>> {
    match &part.body {
        PartBody::Thinking { signature: Some(signature), .. } | PartBody::SealedThinking(signature) => {
            Some(signature).filter(|signature| signature.origin == Origin::OpenAi)
        }
        _ => None,
    }
}

fn custom_calls(messages: &[Message<'_>]) -> HashSet<String> {
    let parts = messages.iter().flat_map(|message| &message.parts);
    let custom = |part: &Part<'_>| match &part.body {
        PartBody::ToolCall(call) if matches!(call.input, ToolInput::Text(_)) => Some(call.id.decoded().into_owned()),
        _ => None,
    };
    parts.filter_map(custom).collect()
}

#[cfg(test)]
mod tests;
