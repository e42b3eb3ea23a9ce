//! What clients receive of every answer that an upstream may give, and whether it is what the index of the answers says.
//!
//! A stream is fed in one go and then cut at every size from 1 to [`EVERY_SIZE_MAX`], at some larger ones, and at random: what the client gets
//! must not depend on it.

#[path = "class_names.rs"]
mod class_names;

use crate::{
    clients::{self, CLIENTS, Client},
    files::{self, Expected},
    indent::indented,
    upstreams::Upstream,
};
use class_names::class_name;
use ringway::{
    config::snapshot::Deployment,
    data_plane::{
        attempt::{answer::told, passage},
        reply::failure_lines,
        upstream::answer_head::AnswerHead,
    },
    dialects::{
        canonical::{ErrorClass, Event, ProviderError, Usage},
        endpoints::Api,
        failure,
        openai_chat::{answer::Answer as Judged, pass_through::Verdict},
        openai_responses::rename::Names,
        passage::Passage,
        translate::{self, Translated, Translation},
        wire::UpstreamWire,
    },
    error::{Failure, Upstream as Fault},
};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, sync::Arc};

/// Streams are cut into pieces of each size up to this, in bytes, and of these.
const EVERY_SIZE_MAX: usize = 64;
const LARGER_SIZES: [usize; 6] = [97, 128, 251, 512, 1021, 4096];

/// And into random pieces so many times.
const RANDOM_CUTS: u64 = 16;

/// A row of `cases.toml`. What only the judges read is left out.
#[derive(Debug, Deserialize)]
struct Facts {
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    finish: Option<String>,
    usage: Option<BTreeMap<String, u64>>,
    error: Option<String>,
    retry_after_ms: Option<u64>,
    /// The dialect that it is read as, where it is not the folder's.
    read_as: Option<String>,
}

impl Facts {
    /// What is counted; of nothing, nothing.
    fn usage(&self) -> Option<BTreeMap<String, u64>> {
        let counted = |usage: &BTreeMap<String, u64>| {
            usage.iter().filter(|(_, count)| **count > 0).map(|(name, count)| (name.clone(), *count)).collect()
        };
        self.usage.as_ref().map(counted)
    }
}

fn ok() -> u16 {
    200
}

/// An answer of a provider.
struct Answer {
    /// Its folder and its case.
    name: String,
    file: String,
    bytes: Vec<u8>,
    facts: Facts,
    /// As an upstream's dialect is called.
    read_as: String,
}

/// All that stand in `_answers`.
fn answers() -> Vec<Answer> {
    let root = files::path("tests/golden/_answers");
    let mut all = Vec::new();
    for folder in files::names(&root) {
        let names = files::names(&root.join(&folder));
        let index = fs::read_to_string(root.join(&folder).join("cases.toml")).expect("an index");
        let index: toml::Table = index.parse().expect("an index in TOML");
        let folder_read_as = index.get("read_as").and_then(|name| name.as_str()).unwrap_or(&folder);
        for (case, row) in index.iter().filter(|(_, row)| row.is_table()) {
            let facts: Facts = row.clone().try_into().unwrap_or_else(|error| panic!("{folder}/{case}: {error}"));
            let is_it = |name: &&String| name.rsplit_once('.').is_some_and(|(stem, _)| stem == case);
            let file = names.iter().find(is_it).unwrap_or_else(|| panic!("{folder}/{case} has no file")).clone();
            let bytes = fs::read(root.join(&folder).join(&file)).expect("a readable answer");
            let read_as = facts.read_as.clone().unwrap_or_else(|| folder_read_as.to_owned());
            all.push(Answer { name: format!("{folder}/{case}"), file, bytes, facts, read_as });
        }
    }
    all
}

/// How an upstream's dialect is called in the index: as in the code.
fn name_of(wire: UpstreamWire) -> String {
    let mut name = String::new();
    for letter in format!("{wire:?}").replace("OpenAi", "Openai").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// A way that answers take: whose deployment gave them, and how they come back.
struct Back {
    client: &'static Client,
    deployment: Arc<Deployment>,
    whole: Translation,
    stream: Translation,
}

/// One for each client's dialect and each upstream's that anyone is asked in, as the first of them is asked.
fn ways_back(upstreams: &[Upstream]) -> BTreeMap<(String, &'static str), Back> {
    let mut ways = BTreeMap::new();
    for client in CLIENTS {
        for upstream in upstreams {
            let translation = |case| {
                clients::request(client, case).offer(false, |outgoing| {
                    let prepared = outgoing.prepare(&upstream.deployment, crate::requests::facts).ok()?;
                    prepared.composed.and_then(|composed| composed.back.chat())
                })
            };
            let (Some(whole), Some(stream)) = (translation("text"), translation("stream_text")) else { continue };
            let key = (name_of(whole.upstream), client.name);
            ways.entry(key).or_insert(Back { client, deployment: upstream.deployment.clone(), whole, stream });
        }
    }
    ways
}

/// Adds what clients receive of translated answers to what is expected; whatever is not as the index says is `wrong`.
pub fn translated(upstreams: &[Upstream], expected: &mut Expected, wrong: &mut Vec<String>) {
    let ways = ways_back(upstreams);
    let mut unread = BTreeMap::new();
    let mut read = BTreeMap::new();
    for answer in answers() {
        let mut ways = ways.iter().filter(|((upstream, _), _)| *upstream == answer.read_as).peekable();
        if ways.peek().is_none() {
            *unread.entry(answer.read_as.clone()).or_insert(0) += 1;
        }
        for ((upstream, client), way) in ways {
            *read.entry(upstream).or_insert(0) += 1;
            let at = format!("{} to {client}", answer.name);
            let received = way.received(&answer, &at, wrong);
            expected.file(format!("{}/to_{client}.http", answer.name), received);
        }
    }
    println!("answers read, by the upstream's dialect: {read:?}");
    assert!(unread.is_empty(), "nobody is asked in these dialects, so that nobody reads their answers: {unread:?}");
}

impl Back {
    /// The answer as the client gets it.
    fn received(&self, answer: &Answer, at: &str, wrong: &mut Vec<String>) -> String {
        let facts = &answer.facts;
        let wire = self.whole.upstream;
        if facts.status >= 400 {
            let mut head = AnswerHead::new(facts.status);
            facts.headers.iter().for_each(|(name, value)| head.header(name, value.as_bytes()));
            let name = head.error_name.as_deref().unwrap_or_default();
            let error = translate::classify(wire, facts.status, name, &answer.bytes);
            check(at, "error", &facts.error.as_deref(), &Some(class_name(error.class)), wrong);
            let retry_after_ms = head.retry_after_ms.or(error.retry_after_ms);
            check(at, "retry_after_ms", &facts.retry_after_ms, &retry_after_ms, wrong);
            return self.failed(told(&self.deployment, &error, Some(facts.status), head.retry_after_ms));
        }
        if answer.file.ends_with(".json") { self.whole(answer, at, wrong) } else { self.stream(answer, at, wrong) }
    }

    fn failed(&self, fault: Fault) -> String {
        let failure = Failure::from(fault);
        let api = self.client.api;
        let (mut lines, mut body) = (Vec::new(), Vec::new());
        failure_lines(&failure, &mut lines);
        failure::write_body(api, &failure, &mut body);
        let lines = String::from_utf8_lossy(&lines).replace("\r\n", "\n");
        let status = failure::status(api, &failure);
        format!("HTTP/1.1 {status}\ncontent-type: application/json\n{lines}\n{}", indented(&body))
    }

    fn whole(&self, answer: &Answer, at: &str, wrong: &mut Vec<String>) -> String {
        let facts = &answer.facts;
        let mut out = Vec::new();
        match self.whole.clone().whole(&answer.bytes, &mut out) {
            Ok(Translated::Answer { usage, .. }) => {
                check(at, "error", &facts.error.as_deref(), &None, wrong);
                check(at, "usage", &facts.usage(), &usage.as_ref().map(counts), wrong);
                let ends = finishes(std::str::from_utf8(&out).into_iter());
                check_finish(at, facts, &ends, wrong);
                format!("HTTP/1.1 200\ncontent-type: application/json\n\n{}", indented(&out))
            }
            Ok(Translated::Error(error)) => {
                check(at, "error", &facts.error.as_deref(), &Some(class_name(error.class)), wrong);
                self.failed(told(&self.deployment, &error, None, None))
            }
            Ok(_) | Err(_) => {
                check(at, "error", &facts.error.as_deref(), &Some("interrupted"), wrong);
                self.failed(Fault::BadResponse)
            }
        }
    }

    fn stream(&self, answer: &Answer, at: &str, wrong: &mut Vec<String>) -> String {
        let facts = &answer.facts;
        let open = || Passage::Translated(Box::new(self.stream.clone().stream()));
        let Relayed { out, usage, fault, class, has_begun } = relayed_in_pieces(self.client, open, answer, at, wrong);
        let class = match &fault {
            None => None,
            Some(Fault::InBand) => Some(class.map_or("server", class_name)),
            Some(Fault::Truncated) => Some("interrupted"),
            Some(_) => Some("malformed"),
        };
        check(at, "error", &facts.error.as_deref(), &class, wrong);
        match fault {
            // As `attempt` has it: until the first content the failure is the attempt's.
            Some(fault) if !has_begun => return self.failed(fault),
            Some(_) => {}
            None => {
                check(at, "usage", &facts.usage(), &usage.as_ref().map(counts), wrong);
                check_finish(at, facts, &finishes(data_of(&out)), wrong);
            }
        }
        format!("HTTP/1.1 200\ncontent-type: text/event-stream; charset=utf-8\n\n{out}")
    }
}

/// A stream as a client gets it.
#[derive(Debug, PartialEq)]
struct Relayed {
    out: String,
    usage: Option<Usage>,
    fault: Option<Fault>,
    /// Of an error that the provider told of.
    class: Option<ErrorClass>,
    has_begun: bool,
}

/// The stream in one go, which must be the same in pieces of any size.
fn relayed_in_pieces(
    client: &Client,
    open: impl Fn() -> Passage,
    answer: &Answer,
    at: &str,
    wrong: &mut Vec<String>,
) -> Relayed {
    let found = relayed(client, open(), &[&answer.bytes]);
    for (how, pieces) in cuts(&answer.bytes) {
        if relayed(client, open(), &pieces) != found {
            wrong.push(format!("{at}: not the same when cut into {how}"));
        }
    }
    found
}

/// As `relay` does it, with the event of a failure that ends it.
fn relayed(client: &Client, mut pass: Passage, pieces: &[&[u8]]) -> Relayed {
    let mut out = Vec::new();
    let fed = pieces.iter().map(|piece| pass.feed(piece, &mut out)).find(|verdict| *verdict != Verdict::More);
    let fault = match fed.unwrap_or_else(|| pass.end(&mut out)) {
        Verdict::Complete | Verdict::More => None,
        Verdict::Error => Some(Fault::InBand),
        Verdict::Malformed => Some(Fault::BadResponse),
        Verdict::Truncated => Some(Fault::Truncated),
    };
    let has_begun = pass.has_begun();
    if let Some(failure) = fault.clone().filter(|_| has_begun).map(Failure::from)
        && !pass.fail(&failure, &mut out)
    {
        failure::write_event(client.api, client.streams_by(), &failure, &mut out);
    }
    let class = match &pass {
        Passage::Translated(stream) => stream.error(),
        _ => None,
    };
    Relayed { out: String::from_utf8(out).expect("UTF-8"), usage: pass.usage(), fault, class, has_begun }
}

/// Holds the facts that are taken from answers on their way to clients of the same dialect against the index.
pub fn passed_through(upstreams: &[Upstream], wrong: &mut Vec<String>) {
    let all = answers();
    for client in CLIENTS {
        clients::request(client, "stream_text").offer(false, |outgoing| {
            let mut forms = Vec::new();
            for upstream in upstreams {
                let Ok(prepared) = outgoing.prepare(&upstream.deployment, crate::requests::facts) else { continue };
                if prepared.composed.is_none() && !forms.contains(&prepared.other_wire()) {
                    forms.push(prepared.other_wire());
                }
            }
            for wire in forms {
                let is_of = |answer: &&Answer| match wire {
                    None => answer.name.split('/').next() == Some(client.name),
                    Some(wire) => answer.read_as == name_of(wire),
                };
                for answer in all.iter().filter(is_of).filter(|answer| answer.facts.status < 400) {
                    let at = format!("{} passed through", answer.name);
                    if answer.file.ends_with(".json") {
                        passed_whole(client, answer, &at, wrong);
                    } else {
                        passed_stream(
                            client,
                            || passage(outgoing, None, wire, || Names::new(|_| None)),
                            answer,
                            &at,
                            wrong,
                        );
                    }
                }
            }
        });
    }
}

fn passed_whole(client: &Client, answer: &Answer, at: &str, wrong: &mut Vec<String>) {
    let facts = &answer.facts;
    let (mut usage, mut failed) = (None, false);
    match client.api {
        Api::OpenAi => {
            let judged = Judged::read(&answer.bytes).expect("a JSON object");
            usage = judged.usage.as_ref().map(|usage| usage.disjoint());
            failed = judged.error.is_some();
        }
        Api::Anthropic | Api::Gemini => {
            let wire =
                if client.api == Api::Gemini { UpstreamWire::GeminiContent } else { UpstreamWire::AnthropicMessages };
            let read = translate::whole(wire, &answer.bytes, &mut |event| match event {
                Event::Usage(counted) => usage = Some(counted),
                Event::Error(ProviderError { .. }) => failed = true,
                _ => {}
            });
            failed |= read.is_err();
        }
    }
    if facts.error.is_none() {
        check(at, "failed", &false, &failed, wrong);
        check(at, "usage", &facts.usage(), &usage.as_ref().map(counts), wrong);
    }
}

fn passed_stream(client: &Client, open: impl Fn() -> Passage, answer: &Answer, at: &str, wrong: &mut Vec<String>) {
    let facts = &answer.facts;
    let Relayed { out, usage, fault, .. } = relayed_in_pieces(client, open, answer, at, wrong);
    check(at, "failed", &facts.error.is_some(), &fault.is_some(), wrong);
    if facts.error.is_none() {
        check(at, "usage", &facts.usage(), &usage.as_ref().map(counts), wrong);
        check_finish(at, facts, &finishes(data_of(&out)), wrong);
    }
}

/// Every way that a stream is cut, with its name.
fn cuts(bytes: &[u8]) -> impl Iterator<Item = (String, Vec<&[u8]>)> {
    let sizes = (1..=EVERY_SIZE_MAX).chain(LARGER_SIZES);
    let even = sizes.map(|size| (format!("pieces of {size}"), bytes.chunks(size).collect()));
    even.chain((1..=RANDOM_CUTS).map(|seed| (format!("random pieces, seed {seed}"), random_pieces(bytes, seed))))
}

/// Pieces of 1 to 100 bytes; xorshift, so that a seed says which.
fn random_pieces(mut rest: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let (piece, after) = rest.split_at((1 + state as usize % 100).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn check<T: PartialEq + std::fmt::Debug>(at: &str, what: &str, said: &T, found: &T, wrong: &mut Vec<String>) {
    if said != found {
        wrong.push(format!("{at}: {what} should be {said:?}, is {found:?}"));
    }
}

/// As the index writes them: what is 0 is left out.
fn counts(usage: &Usage) -> BTreeMap<String, u64> {
    let Usage { input_uncached, cache_read, cache_write_short, cache_write_long, output, reasoning, .. } = *usage;
    [
        ("input", input_uncached),
        ("cache_read", cache_read),
        ("cache_write_5m", cache_write_short),
        ("cache_write_1h", cache_write_long),
        ("output", output),
        ("reasoning", reasoning),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(name, count)| (name.to_owned(), count))
    .collect()
}

/// How clients are told of each end, in every dialect. Gemini's says that it stopped where results are waited for, and Responses' that it is
/// complete.
const ENDS: &[(&str, &[&str])] = &[
    ("stop", &["stop", "end_turn", "stop_sequence", "STOP", "completed"]),
    (
        "length",
        &["length", "max_tokens", "model_context_window_exceeded", "pause_turn", "MAX_TOKENS", "max_output_tokens"],
    ),
    ("tool_calls", &["tool_calls", "tool_use", "STOP", "completed"]),
    ("content_filter", &["content_filter", "refusal", "SAFETY", "RECITATION", "PROHIBITED_CONTENT"]),
];

fn check_finish(at: &str, facts: &Facts, found: &[String], wrong: &mut Vec<String>) {
    let Some(finish) = &facts.finish else { return };
    let (_, right) = ENDS.iter().find(|(name, _)| name == finish).expect("an end that the table knows");
    if found.is_empty() || found.iter().any(|found| !right.contains(&&**found)) {
        wrong.push(format!("{at}: finish should be {finish}, is {found:?}"));
    }
}

/// The data of the events of a stream.
fn data_of(stream: &str) -> impl Iterator<Item = &str> {
    stream.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).filter(|data| *data != "[DONE]")
}

/// How the choices ended of which these values tell.
fn finishes<'v>(values: impl Iterator<Item = &'v str>) -> Vec<String> {
    let mut found = Vec::new();
    for value in values {
        let value: serde_json::Value = serde_json::from_str(value).expect("JSON");
        let response = value.get("response").unwrap_or(&value);
        let incomplete = response.pointer("/incomplete_details/reason");
        let told = [
            incomplete.or(response.get("status").filter(|status| *status != "in_progress")),
            value.get("stop_reason"),
            value.pointer("/delta/stop_reason"),
        ];
        let choices = ["choices", "candidates"].into_iter().filter_map(|name| value.get(name)?.as_array()).flatten();
        let told = told.into_iter().flatten().chain(
            choices
                .flat_map(|choice| ["finish_reason", "finishReason"].into_iter().filter_map(|name| choice.get(name))),
        );
        // xAI says that it has not ended by an empty text.
        let told = told.filter_map(|reason| reason.as_str()).filter(|reason| !reason.is_empty());
        found.extend(told.map(str::to_owned));
    }
    found
}
