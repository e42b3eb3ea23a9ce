//! Composes a request to a Gemini model.
//!
//! What the API has no word for is refused or noted; hints are noted. What it says in another way:
//!
//! | asked for | said |
//! | --- | --- |
//! | system prompt | `systemInstruction`; within the conversation a user turn |
//! | tool choice | `toolConfig.functionCallingConfig`; one of several tools or none: `VALIDATED` |
//! | tools that the model has to keep to (`strict`) | mode `VALIDATED`, where there is a choice; `ANY` keeps to them anyway |
//! | schema of the answer | `responseJsonSchema`, adapted to its keywords ([`crate::dialects::schema`]); in Google's own form where the model takes no other |
//! | the same beside tools, before Gemini 3 | a tool that takes the answer |
//! | effort, budget | `thinkingLevel` or `thinkingBudget`, whichever the model takes |
//! | one call at most | nothing; the answer's other calls are left out, which the model makes in a later turn if it still wants them |
//! | the schema's name and description | its `title` and `description`, unless it has its own |
//! | members and tools of Gemini's own, from any client | as they are |

mod contents;
mod tools;

use super::names::Names;
use super::path;
use crate::dialects::canonical::{
    Adapted, Effort, Extra, FunctionTool, Notes, OutputFormat, OutputSchema, Part, PartBody, Reasoning, Request,
    Target, Tool, Unsupported,
};
use crate::dialects::schema::{self, Subset};
use crate::json::Kind;
use crate::json::piece::{Raw, Text};
use crate::json::value;
use crate::json::view::Value;
use crate::json::write::Writer;
use contents::Contents;
use std::borrow::Cow;
use tools::{AnswerTool, Toolbox};

/// Most stop sequences that the API takes.
const STOPS_MAX: usize = 5;

/// The path below the provider's base URL, which ends with the API's version.
pub fn path(model: &str, stream: bool) -> Cow<'static, str> {
    path::write(model, if stream { path::Verb::Stream } else { path::Verb::Generate }).into()
}

/// Appends the body of a request to `generateContent` or `streamGenerateContent`, which are the same.
///
/// # Errors
/// The API cannot express what is asked for. What was appended by then means nothing.
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
        // Said by the path.
        stream: _,
        // Usage is part of every increment.
        stream_usage: _,
        // It is about the answer.
        wants_function_calls: _,
        // They are the parts that they are by now.
        has_tool_references: _,
        user,
        extras,
    } = request;
    let mut names = Names::new(tools);
    let mut adapted = Adapted::default();
    if *parallel_tool_calls == Some(false) && !tools.is_empty() {
        // Nothing is lost by it: the conversation that the client sends back has one call and one result, and the signature is the first
        // call's. What the model still wants it asks for in its next turn, as a model that makes one call at a time does.
        adapted.one_call = true;
        notes.adapted("parallel_tool_calls", "The answer's first call is passed on alone.");
    }
    if user.is_some() {
        notes.hint("user");
    }
    let (extras, generation_extras) = own_extras(extras, target, notes)?;

    Writer::new(out).open_object();
    let mut met = Met::default();
    Contents::new(target, notes, &mut met, &mut names, Writer::new(out)).write(messages)?;
    let mut json = Writer::new(out);
    write_system(system, target, notes, &mut met, &mut json)?;
    met.cache_hint |= tools.iter().any(|tool| matches!(tool, Tool::Function(FunctionTool { cache: Some(_), .. })));
    met.note(notes);

    // Before Gemini 3 an answer's form cannot be given beside tools.
    let form_beside_tools = target.traits.call_ids || !tools.iter().any(|tool| matches!(tool, Tool::Function(_)));
    let answer_tool = match output {
        OutputFormat::Schema(schema) if !form_beside_tools => {
            if schema.name.is_some() {
                notes.adapted("response_format.json_schema.name", "A tool takes the answer, with a name of its own.");
            }
            Some(AnswerTool { name: names.unused("answer"), schema })
        }
        OutputFormat::JsonObject if !form_beside_tools => {
            notes.unsupported(target, "response_format", "This model takes no form of the answer beside tools.")?;
            None
        }
        _ => None,
    };
    let mut toolbox = Toolbox { target, notes, names: &mut names, json: &mut json };
    toolbox.tools(tools, answer_tool.as_ref())?;
    toolbox.choice(tools, tool_choice.as_ref(), answer_tool.as_ref());
    let has_form = form_beside_tools;
    if let Some(AnswerTool { name, .. }) = answer_tool {
        adapted.answer_tool = Some(name.into());
    }

    // ---- generationConfig ----
    json.name("generationConfig").open_object();
    if let Some(tokens) = output_tokens_max {
        json.name("maxOutputTokens").number(*tokens);
    }
    for (param, name, number) in
        [("temperature", "temperature", temperature), ("top_p", "topP", top_p), ("top_k", "topK", top_k)]
    {
        match number {
            Some(number) if target.traits.sampling => drop(json.name(name).raw(number)),
            Some(_) => notes.unsupported(target, param, "The model does not let its sampling be set.")?,
            None => {}
        }
    }
    for (param, name, number) in [
        ("frequency_penalty", "frequencyPenalty", frequency_penalty),
        ("presence_penalty", "presencePenalty", presence_penalty),
    ] {
        match number {
            // Gemini 3 knows them no longer.
            Some(number) if target.traits.call_ids && value::is_truthy(&number.0) => {
                notes.unsupported(target, param, "The model takes no penalties.")?;
            }
            Some(number) if !target.traits.call_ids => drop(json.name(name).raw(number)),
            _ => {}
        }
    }
    if let Some(seed) = seed {
        json.name("seed").raw(seed);
    }
    if stop.len() > STOPS_MAX {
        notes.unsupported(target, "stop", "The model's API takes five stop sequences at most.")?;
    }
    write_stops(stop, &mut json);
    if let Some(alternatives) = logprobs {
        json.name("responseLogprobs").bool(true);
        if *alternatives > 0 {
            json.name("logprobs").number(*alternatives);
        }
    }
    if let Some(answers) = answers.filter(|answers| *answers != 1) {
        json.name("candidateCount").number(answers);
    }
    if let Some(reasoning) = reasoning {
        write_thinking(reasoning, target, notes, &mut json);
    }
    match output {
        OutputFormat::JsonObject if has_form => drop(json.name("responseMimeType").string("application/json")),
        OutputFormat::Schema(schema) if has_form => {
            json.name("responseMimeType").string("application/json");
            write_schema(schema, target, notes, &mut json)?;
        }
        _ => {}
    }
    for (name, raw) in generation_extras {
        json.any_name(name).raw(raw);
    }
    if json.out.ends_with(b",\"generationConfig\":{") {
        let all = json.out.len();
        json.out.truncate(all - b",\"generationConfig\":{".len());
    } else {
        json.close_object();
    }

    for (name, raw) in extras {
        json.any_name(name).raw(&raw);
    }
    json.close_object();
    adapted.names = names.into_renamed();
    Ok(adapted)
}

/// What may be met many times in a request, and is noted once.
#[derive(Debug, Default)]
struct Met {
    /// Google caches prefixes by itself, or under a name that is asked for.
    cache_hint: bool,
    detail: bool,
    file_name: bool,
    foreign_proof: bool,
    late_system: bool,
    media_beside_result: bool,
}

impl Met {
    fn note(self, notes: &mut Notes) {
        for (param, met) in [("cache_control", self.cache_hint), ("detail", self.detail), ("filename", self.file_name)]
        {
            if met {
                notes.hint(param);
            }
        }
        if self.foreign_proof {
            notes.dropped("signature", "Signatures of thoughts are worth something to their own provider only.");
        }
        if self.late_system {
            notes.adapted("messages", "System messages within the conversation are user turns.");
        }
        if self.media_beside_result {
            notes.adapted("tool_result", "Images and documents of a tool's result stand beside it.");
        }
    }
}

/// Members of the body that are Gemini's own, whichever client sent them; their names in both spellings.
const OWN: &[(&str, &str)] =
    &[("safetySettings", "safety_settings"), ("cachedContent", "cached_content"), ("serviceTier", ""), ("labels", "")];

/// Members of the body, and of its `generationConfig`.
type Own<'x> = (Vec<(&'x str, Cow<'x, Raw<'x>>)>, Vec<(&'x str, &'x Raw<'x>)>);

/// The extras that this dialect has words for; the others are refused or noted.
fn own_extras<'x>(extras: &'x [Extra<'x>], target: &Target<'_>, notes: &mut Notes) -> Result<Own<'x>, Unsupported> {
    let (mut own, mut generation) = (Vec::new(), Vec::new());
    let mut others = Vec::new();
    for extra in extras {
        if let Some(name) = extra.param.strip_prefix("generationConfig.") {
            generation.push((name, &extra.value));
            continue;
        }
        if let Some((name, _)) = OWN.iter().find(|(camel, snake)| extra.param == *camel || extra.param == *snake) {
            own.push((*name, Cow::Borrowed(&extra.value)));
            continue;
        }
        if extra.param == "service_tier" {
            let said = Text::literal(&extra.value.0);
            if let Some((_, tier)) = TIERS.iter().find(|(theirs, _)| said.says(theirs)) {
                notes.mapped("service_tier", format!("It is called {tier} here."));
                own.push(("serviceTier", Cow::Owned(Raw(Cow::Owned(format!("\"{tier}\"").into_bytes())))));
                continue;
            }
        }
        if extra.param == "modalities" && value_is_text_only(&extra.value) {
            continue;
        }
        others.push(extra);
    }
    notes.leave(target, others)?;
    Ok((own, generation))
}

/// OpenAI's and Anthropic's service tiers, and Google's that mean the same.
const TIERS: &[(&str, &str)] =
    &[("default", "standard"), ("standard_only", "standard"), ("flex", "flex"), ("priority", "priority")];

/// `["text"]`, which is what every answer is.
fn value_is_text_only(raw: &Raw<'_>) -> bool {
    Value::root(&raw.0).elements().all(|modality| modality.says("text"))
}

fn write_system(
    system: &[Part<'_>],
    target: &Target<'_>,
    notes: &mut Notes,
    met: &mut Met,
    json: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let mut is_open = false;
    for Part { body, cache } in system {
        met.cache_hint |= cache.is_some();
        match body {
            PartBody::Text(text) if text.is_empty() => {}
            PartBody::Text(text) => {
                if !std::mem::replace(&mut is_open, true) {
                    json.name("systemInstruction").open_object().name("parts").open_array();
                }
                json.open_object().name("text").text(text).close_object();
            }
            PartBody::Other { param, raw } if param.starts_with("systemInstruction") => {
                if !std::mem::replace(&mut is_open, true) {
                    json.name("systemInstruction").open_object().name("parts").open_array();
                }
                json.raw(raw);
            }
            _ => notes.unsupported(target, "system", "System prompts of the model's API are texts.")?,
        }
    }
    if is_open {
        json.close_array().close_object();
    }
    Ok(())
}

fn write_stops(stops: &[Text<'_>], json: &mut Writer<'_>) {
    if stops.is_empty() {
        return;
    }
    json.name("stopSequences").open_array();
    for stop in stops.iter().take(STOPS_MAX) {
        json.text(stop);
    }
    json.close_array();
}

fn write_thinking(reasoning: &Reasoning, target: &Target<'_>, notes: &mut Notes, json: &mut Writer<'_>) {
    let Reasoning { effort, budget_tokens, show } = *reasoning;
    let wants_none = effort == Some(Effort::None) || budget_tokens == Some(0);
    if effort.is_none() && budget_tokens.is_none() && show.is_none() {
        return;
    }
    json.name("thinkingConfig").open_object();
    if let Some(show) = show.filter(|_| !wants_none) {
        json.name("includeThoughts").bool(show);
    }
    if target.traits.effort {
        let wanted = effort.or(budget_tokens.map(Effort::of_budget));
        if effort.is_none() && budget_tokens.is_some() {
            notes.adapted("reasoning", "The model takes a level of thinking, not a budget.");
        }
        if let Some(wanted) = wanted {
            let (level, is_near) = level(wanted, target.model);
            if is_near {
                notes.adapted("reasoning_effort", format!("The model's nearest level is {level}."));
            }
            json.name("thinkingLevel").string(level);
        }
    } else if let Some(budget) = budget_tokens.or(effort.map(Effort::budget_tokens)) {
        // Models of this kind cannot do without thinking.
        let least = if target.model.contains("pro") { 128 } else { 0 };
        if budget < least {
            notes.adapted("reasoning_effort", "The model thinks with 128 tokens at least.");
        }
        json.name("thinkingBudget").number(budget.max(least));
    }
    json.close_object();
}

/// Google's level for an effort, and whether it is only near to it. No model of this kind can do without thinking, and the large ones
/// have no level below low.
fn level(effort: Effort, model: &str) -> (&'static str, bool) {
    let least = if model.contains("flash") { "MINIMAL" } else { "LOW" };
    match effort {
        Effort::None => (least, true),
        Effort::Minimal => (least, least != "MINIMAL"),
        Effort::Low => ("LOW", false),
        Effort::Medium => ("MEDIUM", false),
        Effort::High => ("HIGH", false),
        Effort::XHigh | Effort::Max => ("HIGH", true),
    }
}

/// Google always keeps to the schema, strict or not.
fn write_schema(
    schema: &OutputSchema<'_>,
    target: &Target<'_>,
    notes: &mut Notes,
    json: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let OutputSchema { name: title, description, schema, strict: _ } = schema;
    let (name, subset) = match target.traits.native_schema {
        true => ("responseJsonSchema", Subset::GeminiJson),
        false => {
            notes.adapted("response_format", "The schema is said in Google's own form.");
            ("responseSchema", Subset::GeminiOpenApi)
        }
    };
    let adapted = schema::adapted(schema, subset, "response_format", notes)?;
    json.name(name);
    let said = [
        ("title", title, "response_format.json_schema.name"),
        ("description", description, "response_format.json_schema.description"),
    ];
    write_annotated(&adapted, said, notes, json);
    Ok(())
}

/// A schema with what stands beside it at the client. `said`: the keyword, what it is to say, its path in the client's body.
fn write_annotated(
    schema: &[u8],
    said: [(&str, &Option<Text<'_>>, &'static str); 2],
    notes: &mut Notes,
    json: &mut Writer<'_>,
) {
    let whole = Value::root(schema);
    if whole.kind() != Kind::Object {
        json.json(schema);
        return;
    }
    json.open_object();
    for (keyword, text, param) in said {
        let Some(text) = text else { continue };
        match whole.some(keyword) {
            None => {
                json.name(keyword).text(text);
                notes.mapped(param, format!("It is the schema's {keyword}."));
            }
            Some(own) if own.says(&text.decoded()) => {}
            Some(_) => notes.adapted(param, format!("The schema has a {keyword} of its own.")),
        }
    }
    for (name, value) in whole.members() {
        json.any_name(&String::from_utf8_lossy(&name)).json(value.bytes());
    }
    json.close_object();
}

#[cfg(test)]
mod tests;
