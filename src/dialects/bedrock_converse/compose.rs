//! Says a request in Converse.
//!
//! | asked for | said as |
//! | --- | --- |
//! | system texts before the conversation | `system` |
//! | system texts within it | a user's text, in place, noted |
//! | turns of one role in a row | one turn; tool results come first in it, in the order of their calls |
//! | limits, sampling, stop sequences | `inferenceConfig`; `top_k` where the model's maker has it |
//! | a schema | `outputConfig.textFormat`, as a string in Bedrock's subset; otherwise a tool that is forced, whose input is the answer |
//! | any JSON object | a tool that is forced, whose input is the answer |
//! | an effort, a budget | what the model's maker takes, in `additionalModelRequestFields`; see `maker` |
//! | tools, a choice among them, names | see `tools` |
//! | cache hints | blocks of their own behind what is cached; see `cache` |
//! | pictures, documents, sounds | inline, or in S3; Bedrock fetches from nowhere else |
//!
//! Texts that are empty or white space are left out, because they are refused otherwise, and so is a turn of nothing else. A
//! conversation that the user does not begin gets a short user's turn before it.

mod blocks;
mod cache;
mod maker;
mod tools;
mod turns;

use crate::dialects::anthropic_messages::compose::{is_blank, thinking::Thinking};
use crate::dialects::canonical::{
    Adapted, Effort, Extra, Notes, OutputFormat, OutputSchema, Part, PartBody, Reasoning, Request, Target, Unsupported,
};
use crate::dialects::openai_chat::compose::names::Names;
use crate::json::{
    Kind,
    piece::{Raw, Text},
    view::Value,
    write::Writer,
};
use cache::CachePoints;
use maker::Maker;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write;
use tools::ToolPlan;

/// Where the model is asked, below the endpoint. Its id stands in the path, encoded whole: an ARN has colons and slashes.
pub fn path(model: &str, stream: bool) -> Cow<'static, str> {
    let mut path = String::with_capacity(model.len() + 32);
    path.push_str("/model/");
    for byte in model.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(byte as char),
            // Writing to a `String` does not fail.
            _ => drop(write!(path, "%{byte:02X}")),
        }
    }
    path.push_str(if stream { "/converse-stream" } else { "/converse" });
    Cow::Owned(path)
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
    let maker = Maker::of(target.model);
    let mut composer = Composer {
        target,
        maker,
        notes,
        json: Writer::new(out),
        names: Names::of(&request.tools),
        points: CachePoints::of(request, maker),
        documents: HashSet::new(),
    };
    let composed = composer.request(request);
    if composed.is_err() {
        out.truncate(begin);
    }
    composed
}

/// Members of the API's own, for clients that name them. They are carried as they came.
const OWN_MEMBERS: &[&str] = &[
    "guardrailConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "additionalModelResponseFieldPaths",
];

/// A body on its way.
struct Composer<'c> {
    target: &'c Target<'c>,
    maker: Maker,
    notes: &'c mut Notes,
    json: Writer<'c>,
    names: Names,
    points: CachePoints,
    /// Names of documents, which have to differ.
    documents: HashSet<String>,
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
            // It stands in the path.
            stream: _,
            // Converse always tells the usage.
            stream_usage: _,
            // It is about the answer.
            wants_function_calls: _,
            // They are the parts that they are by now.
            has_tool_references: _,
            user,
            extras,
        } = request;
        let plan = self.plan(tools, tool_choice.as_ref(), *parallel_tool_calls, output, messages)?;
        let thinking = self.think(reasoning.as_ref(), *output_tokens_max, plan.is_forced(), request);

        self.json.open_object();
        self.tools(&plan)?;
        self.system(system)?;
        self.messages(messages)?;
        let is_thinking = thinking.as_ref().is_some_and(Thinking::is_on);
        // A budget has to be below a limit, which is then said.
        let limit = output_tokens_max.or((is_thinking && !self.target.traits.effort).then_some(self.limit(None)));
        self.inference(limit, [temperature.as_ref(), top_p.as_ref()], stop, is_thinking)?;
        self.output_config(output, thinking.as_ref(), &plan);
        self.additional(top_k.as_ref(), reasoning.as_ref(), thinking.as_ref(), &plan, extras)?;
        self.extras(extras)?;
        self.json.close_object();

        for (param, penalty) in [("frequency_penalty", frequency_penalty), ("presence_penalty", presence_penalty)] {
            // Zero is what is had without it.
            if penalty.as_ref().is_some_and(|penalty| number(penalty) != Some(0.0)) {
                self.unsupported(param, "Converse has no penalties.")?;
            }
        }
        if seed.is_some() {
            self.unsupported("seed", "Converse has no seed.")?;
        }
        if logprobs.is_some() {
            self.unsupported("logprobs", "Converse tells no log probabilities.")?;
        }
        if answers.is_some_and(|answers| answers > 1) {
            self.unsupported("n", "Converse gives one answer to a request.")?;
        }
        if user.is_some() {
            self.notes.hint("user");
        }
        let names = std::mem::take(&mut self.names).into_renamed();
        if !names.is_empty() {
            self.notes.mapped("tools.name", "Names are changed for the upstream, and changed back.");
        }
        Ok(Adapted { answer_tool: plan.answer.map(|answer| answer.name.into()), names, ..Adapted::default() })
    }

    fn unsupported(&mut self, param: impl Into<Cow<'static, str>>, why: &'static str) -> Result<(), Unsupported> {
        self.notes.unsupported(self.target, param, why)
    }

    /// A note that stands for any number of parts.
    fn dropped_once(&mut self, param: &'static str, says: &'static str) {
        if !self.notes.notes.iter().any(|note| note.param == param && note.says == says) {
            self.notes.dropped(param, says);
        }
    }

    fn adapted_once(&mut self, param: &'static str, says: &'static str) {
        if !self.notes.notes.iter().any(|note| note.param == param && note.says == says) {
            self.notes.adapted(param, says);
        }
    }

    fn limit(&self, asked: Option<u64>) -> u64 {
        asked.unwrap_or(self.target.traits.output_tokens_max)
    }

    /// How one of Anthropic's models is to think; `None` for others.
    fn think(
        &mut self,
        reasoning: Option<&Reasoning>,
        output_tokens_max: Option<u64>,
        is_forced: bool,
        request: &Request<'_>,
    ) -> Option<Thinking> {
        let limit = self.limit(output_tokens_max);
        (self.maker == Maker::Anthropic)
            .then(|| Thinking::of(reasoning, limit, is_forced, &request.messages, self.target, self.notes))
    }

    fn system(&mut self, system: &[Part<'_>]) -> Result<(), Unsupported> {
        let begin = self.json.out.len();
        self.json.name("system").open_array();
        let empty = self.json.out.len();
        for part in system {
            match &part.body {
                PartBody::Text(text) => {
                    if !is_blank(text) {
                        self.text_block(text);
                        self.cache_point(part);
                    }
                }
                PartBody::Other { param, .. } => {
                    self.unsupported(param.clone(), "Converse's system prompt takes texts only.")?;
                }
                _ => self.unsupported("messages", "Converse's system prompt takes texts only.")?,
            }
        }
        self.close_array_or_forget(begin, empty);
        Ok(())
    }

    /// Ends an array, or takes it back if it is empty.
    fn close_array_or_forget(&mut self, begin: usize, empty: usize) {
        if self.json.out.len() == empty {
            self.json.out.truncate(begin);
        } else {
            self.json.close_array();
        }
    }

    fn inference(
        &mut self,
        limit: Option<u64>,
        [temperature, top_p]: [Option<&Raw<'_>>; 2],
        stop: &[Text<'_>],
        is_thinking: bool,
    ) -> Result<(), Unsupported> {
        let begin = self.json.out.len();
        self.json.name("inferenceConfig").open_object();
        let empty = self.json.out.len();
        if let Some(limit) = limit {
            // None is the least that the API refuses.
            self.json.name("maxTokens").number(limit.max(1));
        }
        if self.samples("temperature", temperature, is_thinking)? {
            self.within_one("temperature", "temperature", temperature);
        }
        // Anthropic's models take a high `top_p` while they think.
        let is_low = top_p.and_then(number).is_some_and(|top_p| top_p < 0.95);
        if self.samples("top_p", top_p, is_thinking && is_low)? {
            self.within_one("top_p", "topP", top_p);
        }
        let is_anthropic = self.maker == Maker::Anthropic;
        let (left, said): (Vec<_>, Vec<_>) =
            stop.iter().partition(|text| text.is_empty() || is_anthropic && is_blank(text));
        if !left.is_empty() {
            self.unsupported("stop", "The model takes no stop sequence of white space alone.")?;
        }
        if !said.is_empty() {
            self.json.name("stopSequences").open_array();
            for text in said {
                self.json.text(text);
            }
            self.json.close_array();
        }
        if self.json.out.len() == empty {
            self.json.out.truncate(begin);
        } else {
            self.json.close_object();
        }
        Ok(())
    }

    /// Is a sampling parameter to be sent?
    fn samples(
        &mut self,
        param: &'static str,
        value: Option<&Raw<'_>>,
        is_thinking: bool,
    ) -> Result<bool, Unsupported> {
        let Some(value) = value else { return Ok(false) };
        if self.target.traits.sampling && !is_thinking {
            return Ok(true);
        }
        // One is what is had without it, but for `top_k`.
        if param == "top_k" || number(value) != Some(1.0) {
            let why = match self.target.traits.sampling {
                true => "The model takes it only without thinking.",
                false => "The model takes no sampling parameters.",
            };
            self.unsupported(param, why)?;
        }
        Ok(false)
    }

    fn within_one(&mut self, param: &'static str, name: &str, value: Option<&Raw<'_>>) {
        let Some(value) = value else { return };
        if number(value).is_some_and(|number| number > 1.0) {
            self.notes.adapted(param, "Converse takes at most 1.");
            self.json.name(name).number(1);
        } else {
            self.json.name(name).raw(value);
        }
    }

    fn output_config(&mut self, output: &OutputFormat<'_>, thinking: Option<&Thinking>, plan: &ToolPlan<'_>) {
        let schema = match (output, &plan.native_schema) {
            (OutputFormat::Schema(schema), Some(adapted)) => Some((schema, adapted)),
            _ => None,
        };
        let effort = thinking.and_then(|thinking| {
            let is_capped = !thinking.is_on() && matches!(thinking.effort, Some("xhigh" | "max"));
            // "When extended thinking is disabled, the effort level is capped at high."
            if is_capped { Some("high") } else { thinking.effort }
        });
        if schema.is_none() && effort.is_none() {
            return;
        }
        self.json.name("outputConfig").open_object();
        if let Some((OutputSchema { name, description, schema: _, strict: _ }, adapted)) = schema {
            let json = self.json.name("textFormat").open_object().name("type").string("json_schema");
            let json = json.name("structure").open_object().name("jsonSchema").open_object();
            json.name("schema").text(&Text::of_raw(adapted));
            if let Some(name) = name {
                json.name("name").text(name);
            }
            if let Some(description) = description {
                json.name("description").text(description);
            }
            json.close_object().close_object().close_object();
        }
        if let Some(effort) = effort {
            self.json.name("effort").string(effort);
        }
        self.json.close_object();
    }

    /// What only the model's maker knows.
    fn additional(
        &mut self,
        top_k: Option<&Raw<'_>>,
        reasoning: Option<&Reasoning>,
        thinking: Option<&Thinking>,
        plan: &ToolPlan<'_>,
        extras: &[Extra<'_>],
    ) -> Result<(), Unsupported> {
        let begin = self.json.out.len();
        self.json.name("additionalModelRequestFields").open_object();
        let empty = self.json.out.len();
        if let Some(thinking) = thinking {
            thinking.write(&mut self.json);
        } else if let Some(reasoning) = reasoning {
            self.reasoning(reasoning);
        }
        let is_thinking = thinking.is_some_and(Thinking::is_on);
        if let Some(top_k) = top_k.filter(|top_k| top_k.kind() == Kind::Number)
            && self.samples("top_k", Some(top_k), is_thinking)?
        {
            match self.maker {
                Maker::Anthropic => drop(self.json.name("top_k").raw(top_k)),
                Maker::Nova { .. } => {
                    self.json.name("inferenceConfig").open_object().name("topK").raw(top_k).close_object();
                }
                Maker::Effort | Maker::Other => self.unsupported("top_k", "Converse has it for some makers only.")?,
            }
        }
        plan.write_additional(&mut self.json);
        // What the client names itself, beside what it asked for in its own dialect.
        let own = extras.iter().find(|extra| extra.param == "additionalModelRequestFields");
        for (name, value) in own.into_iter().flat_map(|own| Value::root(&own.value.0).members()) {
            let name = String::from_utf8_lossy(&name);
            let written = &self.json.out[empty..];
            if Value::root(&[b"{", written, b"}"].concat()).get(&name).is_none() {
                self.json.any_name(&name).json(value.bytes());
            }
        }
        if self.json.out.len() == empty {
            self.json.out.truncate(begin);
        } else {
            self.json.close_object();
        }
        Ok(())
    }

    /// How much a model that is not Anthropic's should think.
    fn reasoning(&mut self, reasoning: &Reasoning) {
        let Reasoning { effort, budget_tokens, show } = *reasoning;
        if show == Some(false) {
            self.notes.hint("reasoning.show");
        }
        let asked = effort.or(budget_tokens.map(Effort::of_budget)).unwrap_or(Effort::Medium);
        let effort = asked.clamp(Effort::Low, Effort::High);
        match self.maker {
            Maker::Effort => {
                self.json.name("reasoning_effort").string(effort.name());
            }
            Maker::Nova { thinks: true } => {
                let json = self.json.name("reasoningConfig").open_object().name("type");
                if asked == Effort::None {
                    json.string("disabled").close_object();
                    return;
                }
                json.string("enabled").name("maxReasoningEffort").string(effort.name()).close_object();
            }
            // Whether such a model thinks is not for the request to say.
            _ => return self.notes.hint("reasoning"),
        }
        if effort != asked || budget_tokens.is_some() {
            self.notes.adapted("reasoning", format!("An effort is sent: {}.", effort.name()));
        }
    }

    fn extras(&mut self, extras: &[Extra<'_>]) -> Result<(), Unsupported> {
        for extra in extras {
            let param = &*extra.param;
            if param == "additionalModelRequestFields" {
                continue;
            }
            if let Some(own) = OWN_MEMBERS.iter().find(|own| **own == param) {
                self.json.name(own).raw(&extra.value);
            } else if let Some(tier) = service_tier(param, &extra.value) {
                self.json.name("serviceTier").open_object().name("type").string(tier).close_object();
            } else {
                self.notes.leave(self.target, [extra])?;
            }
        }
        Ok(())
    }
}

/// The tier for what other dialects call it; `None` for those that are not had here, and for what chooses none.
fn service_tier(param: &str, value: &Raw<'_>) -> Option<&'static str> {
    const TIERS: &[(&str, &str)] = &[
        ("default", "default"),
        ("standard", "default"),
        ("standard_only", "default"),
        ("flex", "flex"),
        ("priority", "priority"),
        ("fast", "priority"),
        ("reserved", "reserved"),
    ];
    let said = matches!(param, "service_tier" | "serviceTier")
        .then(|| (value.kind() == Kind::String).then(|| Text::literal(&value.0)))??;
    TIERS.iter().find(|(name, _)| said.says(name)).map(|(_, tier)| *tier)
}

fn number(raw: &Raw<'_>) -> Option<f64> {
    std::str::from_utf8(&raw.0).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
