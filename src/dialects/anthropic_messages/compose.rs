//! Says a request in Anthropic's Messages API.
//!
//! | asked for | said as |
//! | --- | --- |
//! | system texts before the conversation | `system` |
//! | system texts within it | a user's text, in place, noted |
//! | turns of one role in a row | one turn; tool results come first in it, in the order of their calls |
//! | no output limit | `max_tokens`: the model's own limit |
//! | an effort, a budget | see `thinking` |
//! | a schema | `output_config.format`, in the API's subset; otherwise a tool that is forced, whose input is the answer |
//! | any JSON object | a tool that is forced; the native form takes closed schemas only |
//! | tools, a choice among them, names | see `tools` |
//! | a temperature above 1 | 1, noted |
//! | cache hints beyond four | the first and the last three |
//!
//! Texts that are empty or white space are left out, because they are refused otherwise, and so is a turn of nothing else. A
//! conversation that the user does not begin gets a short user's turn before it.
//!
//! What is composed for another provider's model behind the same API is the same; what differs (a path, a version in the body) is
//! the provider's.

mod hints;
pub(in crate::dialects) mod thinking;
mod tools;
mod turns;

use crate::dialects::canonical::{
    Adapted, CacheHint, Extra, Notes, OutputFormat, OutputSchema, Part, PartBody, Request, Target, Unsupported,
};
use crate::json::{
    Kind,
    piece::{Raw, Text},
    write::Writer,
};
use hints::Hints;
use std::borrow::Cow;
use thinking::Thinking;
use tools::{Names, ToolPlan};

/// Where messages are asked for, below the provider's base URL.
pub fn path(_model: &str, _stream: bool) -> Cow<'static, str> {
    Cow::Borrowed("/messages")
}

/// Where tokens are counted, below the provider's base URL.
pub const COUNT_TOKENS_PATH: &str = "/messages/count_tokens";

/// Appends the body of a request for a message. After an error `out` is as it was.
///
/// # Errors
/// Something that the API cannot express, where it may not be dropped.
pub fn compose(
    request: &Request<'_>,
    target: &Target<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<Adapted, Unsupported> {
    composed(request, target, notes, out, Purpose::Message)
}

/// Appends the body of a request that counts the tokens of the same input: what concerns only the output is not in it.
///
/// # Errors
/// As `compose`.
pub fn compose_count(
    request: &Request<'_>,
    target: &Target<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<Adapted, Unsupported> {
    composed(request, target, notes, out, Purpose::Count)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Message,
    Count,
}

/// Members of the API's own that only its clients send. They are carried as they came.
const OWN_MEMBERS: &[&str] = &[
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "inference_geo",
    "mcp_servers",
    "speed",
    "user_profile_id",
];

fn composed(
    request: &Request<'_>,
    target: &Target<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
    purpose: Purpose,
) -> Result<Adapted, Unsupported> {
    let begin = out.len();
    let mut composer =
        Composer { target, notes, json: Writer::new(out), names: Names::default(), hints: Hints::of(request) };
    let composed = composer.request(request, purpose);
    if composed.is_err() {
        out.truncate(begin);
    }
    composed
}

/// A body on its way.
struct Composer<'c> {
    target: &'c Target<'c>,
    notes: &'c mut Notes,
    json: Writer<'c>,
    names: Names,
    hints: Hints,
}

impl Composer<'_> {
    fn request(&mut self, request: &Request<'_>, purpose: Purpose) -> Result<Adapted, Unsupported> {
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
            // Anthropic always tells the usage.
            stream_usage: _,
            // It is about the answer.
            wants_function_calls: _,
            // They are the parts that they are by now.
            has_tool_references: _,
            user,
            extras,
        } = request;
        self.names = Names::of(tools);
        let tools = ToolPlan::of(tools, tool_choice.as_ref(), *parallel_tool_calls, output, self.target, self.notes)?
            .with_history(messages, self.notes);
        let limit = output_tokens_max.unwrap_or(self.target.traits.output_tokens_max);
        let thinking = Thinking::of(reasoning.as_ref(), limit, tools.is_forced(), messages, self.target, self.notes);

        // In pieces as long as they can be, where all requests have them: each piece costs as much as a member.
        self.json.json(br#"{"model":"#).string(self.target.model);
        if purpose == Purpose::Message {
            self.json.json(br#""max_tokens":"#).number(limit);
        }
        // In the order in which the API reads them, which is that of what a cache covers.
        self.tools(&tools)?;
        self.system(system)?;
        self.messages(messages)?;
        thinking.write(&mut self.json);
        self.output_config(output, &thinking, &tools);
        if purpose == Purpose::Message {
            self.stop(stop)?;
            self.sampling("temperature", temperature.as_ref(), &thinking)?;
            self.sampling("top_p", top_p.as_ref(), &thinking)?;
            self.sampling("top_k", top_k.as_ref(), &thinking)?;
            if let Some(user) = user {
                self.json.name("metadata").open_object().name("user_id").text(user).close_object();
            }
            if *stream {
                self.json.name("stream").bool(true);
            }
        }
        self.extras(extras, purpose)?;
        self.json.close_object();
        for (param, penalty) in [("frequency_penalty", frequency_penalty), ("presence_penalty", presence_penalty)] {
            // Zero is what is had without it.
            if penalty.as_ref().is_some_and(|penalty| number(penalty) != Some(0.0)) {
                self.unsupported(param, "Anthropic's API has no penalties.")?;
            }
        }
        if seed.is_some() {
            self.unsupported("seed", "Anthropic's API has no seed.")?;
        }
        if logprobs.is_some() {
            self.unsupported("logprobs", "Anthropic's API tells no log probabilities.")?;
        }
        if answers.is_some_and(|answers| answers > 1) {
            self.unsupported("n", "Anthropic's API gives one answer to a request.")?;
        }
        Ok(Adapted {
            answer_tool: tools.answer.map(|answer| answer.name),
            names: std::mem::take(&mut self.names.renamed),
            ..Adapted::default()
        })
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

    fn system(&mut self, system: &[Part<'_>]) -> Result<(), Unsupported> {
        let said = || system.iter().filter(|part| !is_blank_text(&part.body));
        if let (Some(Part { body: PartBody::Text(text), cache: None }), None) = (said().next(), said().nth(1)) {
            self.json.json(br#""system":"#).text(text);
            return Ok(());
        }
        if said().next().is_none() {
            return Ok(());
        }
        let begin = self.json.out.len();
        self.json.name("system").open_array();
        let empty = self.json.out.len();
        for part in said() {
            match &part.body {
                PartBody::Text(text) => self.text_block(text, part.cache),
                PartBody::Other { param, .. } => {
                    self.unsupported(param.clone(), "Anthropic's system prompt takes texts only.")?;
                }
                _ => self.unsupported("messages", "Anthropic's system prompt takes texts only.")?,
            }
        }
        if self.json.out.len() == empty {
            self.json.out.truncate(begin);
        } else {
            self.json.close_array();
        }
        Ok(())
    }

    fn text_block(&mut self, text: &Text<'_>, cache: Option<CacheHint>) {
        self.json.open_object().name("type").string("text").name("text").text(text);
        self.cache_control(cache);
        self.json.close_object();
    }

    fn cache_control(&mut self, cache: Option<CacheHint>) {
        self.hints.write(cache, &mut self.json, self.notes);
    }

    fn output_config(&mut self, output: &OutputFormat<'_>, thinking: &Thinking, tools: &ToolPlan<'_>) {
        let schema = match (output, &tools.native_schema) {
            (OutputFormat::Schema(schema), Some(adapted)) => Some((schema, adapted)),
            _ => None,
        };
        if schema.is_none() && thinking.effort.is_none() {
            return;
        }
        self.json.name("output_config").open_object();
        if let Some(effort) = thinking.effort {
            self.json.name("effort").string(effort);
        }
        if let Some((OutputSchema { name, description, schema: _, strict: _ }, adapted)) = schema {
            if name.is_some() {
                self.notes.hint("response_format.json_schema.name");
            }
            if description.is_some() {
                self.notes.hint("response_format.json_schema.description");
            }
            self.json.name("format").open_object().name("type").string("json_schema");
            self.json.name("schema").json(adapted).close_object();
        }
        self.json.close_object();
    }

    fn stop(&mut self, stop: &[Text<'_>]) -> Result<(), Unsupported> {
        let (blank, said): (Vec<_>, Vec<_>) = stop.iter().partition(|text| is_blank(text));
        if !blank.is_empty() {
            self.unsupported("stop", "Anthropic's API takes no stop sequence of white space alone.")?;
        }
        if said.is_empty() {
            return Ok(());
        }
        self.json.name("stop_sequences").open_array();
        for text in said {
            self.json.text(text);
        }
        self.json.close_array();
        Ok(())
    }

    /// Writes a sampling parameter, where the model takes it.
    fn sampling(
        &mut self,
        name: &'static str,
        value: Option<&Raw<'_>>,
        thinking: &Thinking,
    ) -> Result<(), Unsupported> {
        let Some(value) = value else { return Ok(()) };
        let number = number(value);
        // Beside thinking only a `top_p` of 0.95 and more is taken.
        let gives_way = thinking.is_on() && (name != "top_p" || number.is_some_and(|number| number < 0.95));
        if !self.target.traits.sampling || gives_way {
            // One is what is had without it.
            if number == Some(1.0) && name != "top_k" {
                return Ok(());
            }
            let why = match self.target.traits.sampling {
                true => "Anthropic's API takes it only without thinking.",
                false => "The model takes no sampling parameters.",
            };
            return self.unsupported(name, why);
        }
        if name == "temperature" && number.is_some_and(|number| number > 1.0) {
            self.notes.adapted(name, "Anthropic's temperatures end at 1.");
            self.json.name(name).number(1);
        } else {
            self.json.name(name).raw(value);
        }
        Ok(())
    }

    fn extras(&mut self, extras: &[Extra<'_>], purpose: Purpose) -> Result<(), Unsupported> {
        for extra in extras {
            let own = OWN_MEMBERS.iter().find(|own| **own == extra.param);
            if matches!(&*extra.param, "service_tier" | "serviceTier") {
                match service_tier(&extra.value) {
                    _ if purpose == Purpose::Count => {}
                    Some(tier) => {
                        self.json.name("service_tier").string(tier);
                    }
                    None => self.notes.leave(self.target, [extra])?,
                }
            } else if *extra.param == *"context_management" && extra.value.kind() != Kind::Object {
                // That of OpenAI's Responses is an array.
                self.notes.leave(self.target, [extra])?;
            } else if let Some(own) = own {
                if purpose == Purpose::Message || matches!(*own, "cache_control" | "context_management" | "speed") {
                    self.json.name(own).raw(&extra.value);
                }
            } else {
                self.notes.leave(self.target, [extra])?;
            }
        }
        Ok(())
    }
}

/// The tier for what other dialects call it; `None` for those that are not had here.
fn service_tier(value: &Raw<'_>) -> Option<&'static str> {
    let said = (value.kind() == Kind::String).then(|| Text::literal(&value.0))?;
    let tiers = [
        ("auto", "auto"),
        ("default", "standard_only"),
        ("standard", "standard_only"),
        ("standard_only", "standard_only"),
    ];
    tiers.iter().find(|(name, _)| said.says(name)).map(|(_, tier)| *tier)
}

fn number(raw: &Raw<'_>) -> Option<f64> {
    // As temperatures are written. A quotient of whole numbers is the nearest to what was meant, as what is parsed is.
    if let [ones @ b'0'..=b'9', b'.', tenths @ b'0'..=b'9'] = &*raw.0 {
        return Some(f64::from(10 * (ones - b'0') + (tenths - b'0')) / 10.0);
    }
    std::str::from_utf8(&raw.0).ok()?.trim().parse().ok()
}

fn is_blank_text(body: &PartBody<'_>) -> bool {
    matches!(body, PartBody::Text(text) if is_blank(text))
}

/// Is it empty, or white space alone? Anthropic refuses such texts.
pub(in crate::dialects) fn is_blank(text: &Text<'_>) -> bool {
    let mut rest = match text {
        Text::Plain(plain) => return plain.trim().is_empty(),
        Text::Escaped(escaped) => &**escaped,
    };
    loop {
        rest = match rest {
            [] => return true,
            [b' ', rest @ ..] | [b'\\', b'n' | b'r' | b't', rest @ ..] => rest,
            _ => return false,
        };
    }
}

#[cfg(test)]
mod tests;
