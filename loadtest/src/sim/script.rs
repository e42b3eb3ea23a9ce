//! What a simulated provider is told to be: its models, its speed, and what goes wrong when.
//!
//! A script is TOML. Rules are looked at in order and the first one that matches decides; `nth`, `every` and `share`
//! count the requests that match the rule's other conditions. Ahead of all rules stand two ways to ask for a fault
//! from outside: the header `x-sim-fault: <fault>`, and a model named `fault:<fault>`, because a gateway forwards the
//! model but hardly ever unknown headers.
//!
//! Deciding is pure: facts and the number of milliseconds since the script was set go in, a `Decision` comes out. The only
//! state is a counter per rule.

use std::fmt;
use std::ops::RangeInclusive;

use memchr::memmem;
use serde::Deserialize;

use super::fault::{Faults, Kind, UnknownFault};
use super::latency::{Delay, Random};
use super::rate::{Limiter, RateLimit};
use crate::limits::{ANSWER_WORDS_MAX, SCRIPT_RULES_MAX};

/// The script as it is written. Every field has a default; the default script is a healthy provider without delay.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    /// Credentials that are accepted, wherever the dialect keeps them: one, or a list. None: any, or no, credential is.
    pub require_key: Option<OneOrMany>,
    /// The models that exist; any other is answered 404. Empty: every name exists.
    pub models: Vec<String>,
    /// Leaves out `refusal`, `logprobs` and other members that OpenAI sends as null, as llama.cpp does.
    pub omit_nullable: bool,
    /// The `created` of every answer, in Unix seconds. None: the clock's.
    pub created_s: Option<u64>,
    pub answer: AnswerShape,
    pub latency: Latency,
    pub connection: Connection,
    /// None: nothing is limited.
    pub rate_limit: Option<RateLimit>,
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub fn as_slice(&self) -> &[String] {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        }
    }
}

/// How long a made-up answer is, or what it says instead.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnswerShape {
    /// Words of a text answer, unless the request's own limit is lower. A word counts as one token.
    pub tokens: usize,
    /// Content events of a stream; 0 sends one per word.
    pub chunks: usize,
    /// The text where it is text that is answered; `tokens` is the number of its words then.
    pub text: Option<String>,
    /// The calls that are made of the tools that a request offers. None: those that are made up. An empty list makes no call.
    pub calls: Option<Vec<ScriptedCall>>,
}

/// A call by the name and the arguments that the test wants. It is left out where the request offers no tool of this name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedCall {
    pub name: String,
    /// An object; or the text that a tool without a schema takes.
    #[serde(default)]
    pub arguments: serde_json::Value,
}

impl Default for AnswerShape {
    fn default() -> Self {
        Self { tokens: 24, chunks: 0, text: None, calls: None }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Latency {
    /// From the whole request to the first byte of the answer.
    pub ttft_ms: Delay,
    /// Between two content events of a stream.
    pub gap_ms: Delay,
    /// Another way to say the gap: so many tokens each second, however many of them an event carries. `gap_ms` goes before it.
    pub tokens_per_s: Option<f64>,
}

impl Latency {
    /// As it is for answers of this shape: with the gap between events, whichever way it was said.
    fn of(&self, answer: &AnswerShape) -> Self {
        let mut latency = self.clone();
        if let (Some(per_s), Delay::Fixed(0.0)) = (self.tokens_per_s, &self.gap_ms) {
            let events = if answer.chunks == 0 { answer.tokens } else { answer.chunks.min(answer.tokens) };
            let tokens_per_event = answer.tokens as f64 / events.max(1) as f64;
            latency.gap_ms = Delay::Fixed(tokens_per_event * 1e3 / per_s);
        }
        latency
    }

    fn is_sane(&self) -> bool {
        let rate = self.tokens_per_s.is_none_or(|per_s| (1e-3..=1e9).contains(&per_s));
        self.ttft_ms.is_sane() && self.gap_ms.is_sane() && rate
    }
}

/// How connections are treated, whatever is asked on them. Takes effect for connections accepted after the script.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connection {
    pub accept: Accept,
    /// Accepts TCP and never says a word of TLS.
    pub tls_stall: bool,
    /// ALPN protocols on offer, instead of those of the configuration. An empty list offers none.
    pub alpn: Option<Vec<String>>,
    /// HTTP/2 SETTINGS_MAX_CONCURRENT_STREAMS.
    pub max_concurrent_streams: Option<u32>,
    /// HTTP/2 SETTINGS_INITIAL_WINDOW_SIZE: what a client may send of each body before the simulator has read any.
    pub initial_window_bytes: Option<u32>,
    /// When the windows open to 1 MiB after all, counted from the handshake. None: they stay as they are.
    pub window_opens_after_ms: Option<u64>,
    /// Streams of each connection that are refused with REFUSED_STREAM before the first is served.
    pub refuse_first_streams: u64,
    /// Requests of a connection after which it goes away: HTTP/2 sends a graceful GOAWAY, HTTP/1.1 closes after
    /// the answer without having announced it.
    pub goaway_after_requests: Option<u64>,
    /// Closes an HTTP/1.1 connection that has been idle for this long.
    pub idle_close_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accept {
    #[default]
    Serve,
    /// Accepts and never reads or writes.
    Silent,
    /// Closes at once.
    Close,
    /// Resets at once.
    Reset,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    #[serde(rename = "match")]
    pub matches: Match,
    /// See `fault::FAULTS`. None: the exchange is healthy, which shields it from the rules below.
    pub fault: Option<String>,
    pub latency: Option<Latency>,
    pub answer: Option<AnswerShape>,
}

/// All conditions that are given must hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// The model, whole, or up to a final `*`.
    pub model: Option<String>,
    /// How the path ends, without its query: `chat/completions`, `:generateContent`.
    pub path: Option<String>,
    pub stream: Option<bool>,
    /// The credential, wherever the dialect keeps it.
    pub key: Option<String>,
    /// `name: value` of a request header.
    pub header: Option<String>,
    /// What stands somewhere in the body, byte for byte: a word of a tool's result, say.
    pub body: Option<String>,
    /// Which of the requests that match: `3`, `1..3` (both ends included) or `4..`.
    pub nth: Option<String>,
    /// Each so-manieth of them.
    pub every: Option<u64>,
    /// This share of them, drawn from the seed. In 0.0..=1.0.
    pub share: Option<f64>,
    /// Since the script was set.
    pub from_ms: Option<u64>,
    pub until_ms: Option<u64>,
    /// Flapping: during the first `down_ms` of each period, counted from `from_ms`. Without `down_ms`, half of it.
    pub period_ms: Option<u64>,
    pub down_ms: Option<u64>,
}

/// What is known of a request when it is decided upon.
pub struct Facts<'a> {
    pub path: &'a str,
    pub model: &'a str,
    pub stream: bool,
    pub key: &'a str,
    pub headers: &'a [(String, String)],
    /// As far as it has been read.
    pub body: &'a [u8],
    pub since_script_ms: u64,
}

/// What happens to one exchange.
#[derive(Debug, Clone, Default)]
pub struct Decision {
    pub faults: Faults,
    pub latency: Latency,
    pub answer: AnswerShape,
}

/// A script that cannot be followed. Its author causes it.
#[derive(Debug)]
pub enum ScriptError {
    Toml(Box<toml::de::Error>),
    Fault(UnknownFault),
    Range(String),
    Bound(&'static str),
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScriptError::Toml(error) => write!(f, "{error}"),
            ScriptError::Fault(error) => write!(f, "{error}"),
            ScriptError::Range(text) => {
                write!(f, "`{text}` is not a range; write `3`, `1..3` or `4..`")
            }
            ScriptError::Bound(says) => write!(f, "{says}"),
        }
    }
}

impl std::error::Error for ScriptError {}

impl Script {
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        toml::from_str(text).map_err(|error| ScriptError::Toml(Box::new(error)))
    }

    /// A script whose every request meets this fault.
    pub fn always(fault: &str) -> Self {
        Self { rules: vec![Rule { fault: Some(fault.to_owned()), ..Rule::default() }], ..Self::default() }
    }
}

/// A checked script with its counters.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub script: Script,
    rules: Vec<Checked>,
    random: Random,
    pub limiter: Limiter,
}

#[derive(Debug)]
struct Checked {
    faults: Faults,
    nth: Option<RangeInclusive<u64>>,
    hits: u64,
}

impl Scripted {
    pub fn try_new(script: Script, seed: u64) -> Result<Self, ScriptError> {
        if script.rules.len() > SCRIPT_RULES_MAX {
            return Err(ScriptError::Bound("too many rules"));
        }
        let latencies = script.rules.iter().filter_map(|rule| rule.latency.as_ref());
        if !latencies.chain([&script.latency]).all(Latency::is_sane) {
            return Err(ScriptError::Bound("a delay is between 0 and one day, sigma between 0 and 4"));
        }
        let limit = script.rate_limit.unwrap_or_default();
        if limit.requests_per_min == Some(0) || limit.tokens_per_min == Some(0) {
            return Err(ScriptError::Bound("a rate limit lets something through"));
        }
        if script.rules.iter().any(|rule| rule.matches.down_ms.is_some() && rule.matches.period_ms.is_none()) {
            return Err(ScriptError::Bound("down_ms needs period_ms"));
        }
        let answers = script.rules.iter().filter_map(|rule| rule.answer.as_ref());
        if !answers
            .chain([&script.answer])
            .all(|answer| answer.tokens <= ANSWER_WORDS_MAX && answer.chunks <= ANSWER_WORDS_MAX)
        {
            return Err(ScriptError::Bound("an answer is too long"));
        }
        let rules = script
            .rules
            .iter()
            .map(|rule| {
                Ok(Checked {
                    faults: match &rule.fault {
                        Some(spec) => Faults::parse(spec).map_err(ScriptError::Fault)?,
                        None => Faults::default(),
                    },
                    nth: rule.matches.nth.as_deref().map(range).transpose()?,
                    hits: 0,
                })
            })
            .collect::<Result<_, ScriptError>>()?;
        Ok(Self { script, rules, random: Random::new(seed), limiter: Limiter::default() })
    }

    pub fn decide(&mut self, facts: &Facts<'_>) -> Result<Decision, UnknownFault> {
        let mut decision = Decision {
            faults: Faults::default(),
            latency: self.script.latency.of(&self.script.answer),
            answer: self.script.answer.clone(),
        };
        let asked = facts
            .headers
            .iter()
            .find(|(name, _)| name == "x-sim-fault")
            .map(|(_, spec)| spec.as_str())
            .or_else(|| facts.model.strip_prefix("fault:"));
        if let Some(spec) = asked {
            decision.faults = Faults::parse(spec)?;
            return Ok(decision);
        }
        for (rule, checked) in self.script.rules.iter().zip(&mut self.rules) {
            if !holds(&rule.matches, facts) {
                continue;
            }
            checked.hits += 1;
            let counted = checked.nth.as_ref().is_none_or(|nth| nth.contains(&checked.hits))
                && rule.matches.every.is_none_or(|every| checked.hits.is_multiple_of(every.max(1)))
                && rule.matches.share.is_none_or(|share| self.random.unit() < share);
            if counted {
                decision.faults = checked.faults.clone();
                decision.answer = rule.answer.clone().unwrap_or(decision.answer);
                decision.latency = rule.latency.as_ref().unwrap_or(&self.script.latency).of(&decision.answer);
                break;
            }
        }
        Ok(decision)
    }

    /// Whether a rule's fault acts before a request's body is whole.
    pub fn speaks_of_uploads(&self) -> bool {
        let of_uploads = |faults: &Faults| faults.has(Kind::EarlyAnswer) || faults.has(Kind::SlowUpload);
        self.rules.iter().any(|rule| of_uploads(&rule.faults))
    }

    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }
}

fn holds(matches: &Match, facts: &Facts<'_>) -> bool {
    let model = |pattern: &String| match pattern.strip_suffix('*') {
        Some(start) => facts.model.starts_with(start),
        None => facts.model == pattern,
    };
    let header = |wanted: &String| {
        let (name, value) = wanted.split_once(':').unwrap_or((wanted, ""));
        facts.headers.iter().any(|(have, is)| have.eq_ignore_ascii_case(name.trim()) && is.trim() == value.trim())
    };
    matches.model.as_ref().is_none_or(model)
        && matches.path.as_ref().is_none_or(|end| facts.path.ends_with(end.as_str()))
        && matches.stream.is_none_or(|stream| facts.stream == stream)
        && matches.key.as_ref().is_none_or(|key| facts.key == key)
        && matches.header.as_ref().is_none_or(header)
        && matches.body.as_ref().is_none_or(|wanted| memmem::find(facts.body, wanted.as_bytes()).is_some())
        && matches.from_ms.is_none_or(|from| facts.since_script_ms >= from)
        && matches.until_ms.is_none_or(|until| facts.since_script_ms < until)
        && matches.period_ms.is_none_or(|period| is_down(matches, period, facts.since_script_ms))
}

fn is_down(matches: &Match, period_ms: u64, since_ms: u64) -> bool {
    let period_ms = period_ms.max(1);
    let into_period_ms = since_ms.saturating_sub(matches.from_ms.unwrap_or(0)) % period_ms;
    into_period_ms < matches.down_ms.unwrap_or(period_ms / 2)
}

fn range(text: &str) -> Result<RangeInclusive<u64>, ScriptError> {
    let bad = || ScriptError::Range(text.to_owned());
    let number = |part: &str| part.trim().parse::<u64>().map_err(|_| bad());
    match text.split_once("..") {
        None => number(text).map(|n| n..=n),
        Some((from, "")) => Ok(number(from)?..=u64::MAX),
        Some((from, to)) => Ok(number(from)?..=number(to)?),
    }
}

#[cfg(test)]
mod tests;
