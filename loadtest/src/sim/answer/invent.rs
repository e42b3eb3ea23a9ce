//! What an answer says, whatever dialect it is said in: text, tool calls or JSON by schema, and thoughts before them.
//!
//! Which of them it is depends on the request alone: tools that may be called are called (unless the last message is a
//! tool's result, so that an agent's loop ends), then JSON where it is asked for, and all else is text. One tool is called,
//! the first that may be; all of them where the request says in so many words that calls may be parallel, or the last
//! message contains the word `parallel`, which reaches every provider through every gateway. A script may say which are called
//! instead, and with what, and what the text is.

use serde_json::Value;

use super::text::{cut, pieces, quote, regroup, thoughts};
use super::{Setting, schema, token_count};
use crate::sim::latency::Random;
use crate::sim::script::AnswerShape;

/// A request in the terms that all dialects share.
pub(super) struct Wish<'a> {
    pub model: &'a str,
    /// The text of the last message that has one.
    pub prompt: &'a str,
    /// Which of several answers to one request.
    pub index: u64,
    pub tools: Vec<Tool<'a>>,
    pub tool_choice: ToolChoice<'a>,
    /// What the request says about several calls at once.
    pub parallel: Option<bool>,
    /// The last message is a tool's result.
    pub after_result: bool,
    pub json: Json<'a>,
    /// The most tokens of text.
    pub limit: Option<u64>,
    pub stops: Vec<&'a str>,
    pub thinks: bool,
}

pub(super) struct Tool<'a> {
    pub name: &'a str,
    /// None: it takes no arguments.
    pub schema: Option<&'a Value>,
    /// It takes free text instead of JSON.
    pub free: bool,
}

#[derive(PartialEq)]
pub(super) enum ToolChoice<'a> {
    Auto,
    Never,
    Any,
    /// One of these.
    Of(Vec<&'a str>),
}

pub(super) enum Json<'a> {
    No,
    Any,
    By(&'a Value),
}

pub(super) struct Made {
    /// Pieces whose concatenation is the thinking; none where nobody asked.
    pub thoughts: Vec<String>,
    pub content: Content,
    /// Of the content, without the thoughts.
    pub tokens: u64,
    pub ending: Ending,
}

pub(super) enum Content {
    /// Pieces whose concatenation is the text.
    Text(Vec<String>),
    Calls(Vec<MadeCall>),
}

pub(super) struct MadeCall {
    pub name: String,
    pub free: bool,
    /// JSON, or free text.
    pub arguments: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    Natural,
    Limit,
    Calls,
    /// The word that stopped it.
    StopWord(String),
}

/// Pieces of a thinking.
const THOUGHT_WORDS: usize = 12;

pub(super) fn invent(wish: &Wish<'_>, setting: &Setting<'_>) -> Made {
    let seed = setting.seed.wrapping_add(wish.index);
    let mut random = Random::of_text(seed, format!("{}\n{}", wish.model, wish.prompt).as_bytes());
    let thoughts = if wish.thinks { thoughts(THOUGHT_WORDS, &mut random.clone()) } else { Vec::new() };
    let calls = calls(wish, setting.shape);
    if !calls.is_empty() {
        let tokens = calls.iter().map(|call| 8 + token_count(&call.arguments)).sum();
        return Made { thoughts, tokens, content: Content::Calls(calls), ending: Ending::Calls };
    }
    if let Some(json) = json(wish) {
        let tokens = token_count(&json);
        return Made { thoughts, tokens, content: Content::Text(cut(&json, 6)), ending: Ending::Natural };
    }
    let limit = wish.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let (wanted, mut pieces) = match &setting.shape.text {
        Some(text) => {
            let words = text.split_inclusive(char::is_whitespace);
            (words.clone().count(), words.take(limit).map(str::to_owned).collect())
        }
        None => {
            let wanted = setting.shape.tokens.max(setting.shape.chunks);
            (wanted, pieces(wish.prompt, wanted.min(limit), &mut random))
        }
    };
    let mut ending = if limit < wanted { Ending::Limit } else { Ending::Natural };
    if let Some(word) = stop(&mut pieces, &wish.stops) {
        ending = Ending::StopWord(word);
    }
    let tokens = pieces.len() as u64;
    Made { thoughts, tokens, content: Content::Text(regroup(pieces, setting.shape.chunks)), ending }
}

/// Ends the text before the first stop word in it.
fn stop(pieces: &mut Vec<String>, stops: &[&str]) -> Option<String> {
    let text = pieces.concat();
    let found = stops.iter().filter(|word| !word.is_empty()).filter_map(|word| Some((text.find(word)?, *word)));
    let (mut left, word) = found.min_by_key(|(at, _)| *at)?;
    pieces.retain_mut(|piece| {
        let keep = left.min(piece.len());
        piece.truncate(keep);
        left -= keep;
        keep > 0
    });
    Some(word.to_owned())
}

fn calls(wish: &Wish<'_>, shape: &AnswerShape) -> Vec<MadeCall> {
    let many = wish.parallel.unwrap_or_else(|| wish.prompt.contains("parallel"));
    let named = match &wish.tool_choice {
        ToolChoice::Never => return Vec::new(),
        ToolChoice::Auto if wish.after_result => return Vec::new(),
        ToolChoice::Auto | ToolChoice::Any => None,
        ToolChoice::Of(names) => Some(names),
    };
    let callable = wish.tools.iter().filter(|tool| named.is_none_or(|names| names.contains(&tool.name)));
    if let Some(scripted) = &shape.calls {
        let made = scripted.iter().filter_map(|call| {
            let tool = callable.clone().find(|tool| tool.name == call.name)?;
            let arguments = call.arguments.as_str().map_or_else(|| call.arguments.to_string(), str::to_owned);
            Some(MadeCall { name: tool.name.to_owned(), free: tool.free, arguments })
        });
        return made.collect();
    }
    let called = callable.take(if many { wish.tools.len() } else { 1 });
    called
        .map(|tool| MadeCall {
            name: tool.name.to_owned(),
            free: tool.free,
            arguments: match tool.schema {
                _ if tool.free => "example input".to_owned(),
                Some(parameters) => schema::example(parameters).to_string(),
                None => "{}".to_owned(),
            },
        })
        .collect()
}

fn json(wish: &Wish<'_>) -> Option<String> {
    match wish.json {
        Json::By(wanted) => Some(schema::example(wanted).to_string()),
        Json::Any => {
            let beginning: String = wish.prompt.chars().take(40).collect();
            Some(format!(r#"{{"answer":{}}}"#, quote(&beginning)))
        }
        Json::No => None,
    }
}
