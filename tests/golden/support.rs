//! What upstreams can be asked, as tables: the short one of the README, and `docs/support.md` with the reasons. Both are made of what becomes of the
//! shared requests.
//!
//! What counts is what is translated: where client and provider speak the same, the client's bytes go through, whatever they ask for. A request is
//! refused if it is so from any client; adapted if it is so from any; left out if what it is about is dropped from all; otherwise it is said as it
//! is. What is noted of a plain question too is not counted, and neither is a hint that is dropped and is not what the request is about.

use crate::{
    clients::CLIENTS,
    files,
    requests::{Outcome, Pair},
    upstreams::Upstream,
};
use ringway::{
    dialects::canonical::{Note, NoteKind},
    providers::registry::PROVIDERS,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
};

type Outcomes = BTreeMap<(String, Pair), Outcome>;

/// The columns of the README's table, and the cases that they stand for. Of several the worst is shown.
const COLUMNS: &[(&str, &[&str])] = &[
    ("system", &["system_prompt", "system_prompt_in_parts"]),
    ("picture", &["image_inline"]),
    ("its URL", &["image_url"]),
    ("PDF", &["pdf_inline"]),
    ("sound", &["audio_inline"]),
    ("tools", &["tools", "tool_result", "parallel_tools"]),
    ("forced tool", &["tool_choice_required", "tool_choice_named"]),
    ("schema", &["json_schema"]),
    ("reasoning", &["reasoning_effort_high"]),
    ("stop", &["limits_old_name"]),
    ("seed", &["sampling_seed"]),
    ("`top_k`", &["sampling_top_k"]),
    ("logprobs", &["logprobs"]),
    ("`n`", &["several_answers"]),
    ("cache hints", &["cache_hints"]),
];

/// Rows of the README's table beside one for each provider: models and accounts of `accounts.toml`.
const ALSO: &[(&str, &str)] = &[
    ("openai-responses", "OpenAI by Responses"),
    ("ollama-own", "Ollama's own API"),
    ("vertex-claude", "Claude at Vertex AI"),
    ("bedrock-claude", "Claude at Bedrock"),
];

/// Cases about something that is dropped where an upstream has no word for it, with the ends of what it is called.
const HINTS: &[(&str, &[&str])] = &[
    ("cache_hints", &["cache_control", "prompt_cache_breakpoint"]),
    ("end_user", &["user"]),
    ("image_detail", &["detail"]),
    ("prediction", &["prediction"]),
    ("reasoning_budget", &["reasoning"]),
    ("reasoning_effort_high", &["reasoning"]),
    ("reasoning_effort_low", &["reasoning"]),
    ("reasoning_history", THOUGHTS),
    ("reasoning_history_redacted", THOUGHTS),
    ("reasoning_history_tools", THOUGHTS),
    ("reasoning_off", &["reasoning"]),
    ("request_metadata", &["metadata"]),
    ("service_tier", &["service_tier", "serviceTier"]),
    ("stream_reasoning", &["reasoning"]),
];

const THOUGHTS: &[&str] = &["thinking", "reasoning_content", "signature"];

/// Reasons that are given for one case.
const REASONS_MAX: usize = 3;

/// What becomes of a case, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Support {
    AsAsked,
    Adapted,
    LeftOut,
    Refused,
}

impl Support {
    fn mark(self) -> &'static str {
        match self {
            Support::AsAsked => "✓",
            Support::Adapted => "≈",
            Support::LeftOut => "–",
            Support::Refused => "✗",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Support::AsAsked => "as asked",
            Support::Adapted => "adapted",
            Support::LeftOut => "left out",
            Support::Refused => "refused",
        }
    }
}

/// A case at an upstream: what becomes of it, and why, in the words of the notes.
type Cell = (Support, BTreeSet<String>);

/// Compares both files with what the requests say, or writes them.
pub fn settle(upstreams: &[Upstream], asked: &Outcomes) {
    let cells: BTreeMap<_, _> =
        upstreams.iter().map(|upstream| (&*upstream.name, cells(&upstream.name, asked))).collect();
    let readme = fs::read_to_string(files::path("README.md")).expect("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("README.md has a place for the table");
    let (_, after) = rest.split_once(END).expect("README.md says where the table ends");
    let readme = [before, BEGIN, "\n", &short(upstreams, &cells), END, after].concat();
    for (name, text) in [("README.md", readme), ("docs/support.md", long(upstreams, &cells))] {
        let path = files::path(name);
        if files::updates() {
            fs::write(&path, text).expect("a file that can be written");
        } else {
            let found = fs::read_to_string(&path).unwrap_or_default();
            assert!(found == text, "{name} differs; GOLDEN=update cargo test --test golden writes it");
        }
    }
}

const BEGIN: &str = "<!-- made by tests/golden -->";
const END: &str = "<!-- until here -->";

/// Every case at one upstream.
fn cells(upstream: &str, asked: &Outcomes) -> BTreeMap<String, Cell> {
    let mut cells: BTreeMap<String, Vec<Cell>> = BTreeMap::new();
    let usual = |client: &str| match asked.get(&(upstream.to_owned(), format!("text/from_{client}"))) {
        Some(Outcome::Sent(sent)) => sent.notes.clone(),
        _ => Vec::new(),
    };
    let usual: BTreeMap<_, _> = CLIENTS.iter().map(|client| (client.name, usual(client.name))).collect();
    for ((of, pair), outcome) in asked {
        let (case, client) = pair.split_once("/from_").expect("a case and a client");
        if of != upstream {
            continue;
        }
        let cell = match outcome {
            Outcome::Refused(refused) => (Support::Refused, BTreeSet::from([refused.why.clone()])),
            Outcome::Sent(sent) if !sent.composed => continue,
            Outcome::Sent(sent) => {
                let own: Vec<_> = sent.notes.iter().filter(|note| !usual[client].contains(note)).collect();
                of_notes(case, &own)
            }
        };
        cells.entry(case.to_owned()).or_default().push(cell);
    }
    cells.into_iter().map(|(case, cells)| (case, together(&cells))).collect()
}

fn of_notes(case: &str, notes: &[&Note]) -> Cell {
    let about = HINTS.iter().find(|(hint, _)| *hint == case).map_or(&[][..], |(_, about)| about);
    let is_about = |note: &Note| about.contains(&note.param.rsplit('.').next().unwrap_or_default());
    for (kind, support) in [(NoteKind::Adapted, Support::Adapted), (NoteKind::Dropped, Support::LeftOut)] {
        let counted = notes.iter().filter(|note| note.kind == kind && (kind == NoteKind::Adapted || is_about(note)));
        let says: BTreeSet<_> = counted.map(|note| note.says.clone().into_owned()).collect();
        if !says.is_empty() {
            return (support, says);
        }
    }
    (Support::AsAsked, BTreeSet::new())
}

/// Of all clients.
fn together(cells: &[Cell]) -> Cell {
    let is_left_out = cells.iter().all(|(support, _)| *support == Support::LeftOut);
    let found = [Support::Refused, Support::Adapted]
        .into_iter()
        .find(|wanted| cells.iter().any(|(support, _)| support == wanted))
        .unwrap_or(if is_left_out { Support::LeftOut } else { Support::AsAsked });
    let because = cells.iter().filter(|(support, _)| *support == found).flat_map(|(_, says)| says.clone()).collect();
    (found, because)
}

/// A row for all providers that can be asked the same.
fn short(upstreams: &[Upstream], cells: &BTreeMap<&str, BTreeMap<String, Cell>>) -> String {
    let mut rows: Vec<(Vec<Support>, Vec<&str>)> = Vec::new();
    let named = PROVIDERS.iter().map(|provider| (provider.id, provider.title)).chain(ALSO.iter().copied());
    for (name, title) in named {
        let Some(upstream) = upstreams.iter().find(|upstream| upstream.name == name) else { continue };
        let cells = &cells[&*upstream.name];
        let worst = |cases: &[&str]| {
            let known = cases.iter().filter_map(|case| cells.get(*case)).map(|(support, _)| *support);
            // What only a client of the provider's own dialect can say goes through.
            known.max().unwrap_or(Support::AsAsked)
        };
        let row: Vec<_> = COLUMNS.iter().map(|(_, cases)| worst(cases)).collect();
        match rows.iter_mut().find(|(known, _)| *known == row) {
            Some((_, titles)) => titles.push(title),
            None => rows.push((row, vec![title])),
        }
    }
    let mut text =
        format!("| asked of | {} |\n", COLUMNS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" | "));
    let _ = writeln!(text, "|{}", " --- |".repeat(COLUMNS.len() + 1));
    for (row, titles) in rows {
        let marks: Vec<_> = row.iter().map(|support| support.mark()).collect();
        let _ = writeln!(text, "| {} | {} |", titles.join(", "), marks.join(" | "));
    }
    text
}

/// What is not said as it is asked, with the reason: in full for one upstream, and for those like it as far as it differs.
fn long(upstreams: &[Upstream], cells: &BTreeMap<&str, BTreeMap<String, Cell>>) -> String {
    let index = fs::read_to_string(files::path("tests/golden/_requests/cases.toml")).expect("an index of the requests");
    let says: toml::Table = index.parse().expect("an index in TOML");
    let mut text = String::from(HEAD);
    let mut whole: Vec<(&str, String)> = Vec::new();
    for upstream in upstreams {
        let (name, own) = (&*upstream.name, &cells[&*upstream.name]);
        let provider = upstream.deployment.provider;
        let model = upstream.deployment.upstream_model.as_deref().unwrap_or_default();
        let title = match ALSO.iter().find(|(also, _)| *also == name) {
            _ if name == provider.id => provider.title.to_owned(),
            Some((_, title)) => (*title).to_owned(),
            None => format!("{} ({name}), {model}", provider.title),
        };
        let differing = |other: &str| own.iter().filter(|(case, cell)| cells[other].get(*case) != Some(cell)).count();
        let nearest = whole.iter().map(|(other, title)| (differing(other), *other, title.clone())).min();
        let shown = |cell: &Cell| cell.0 != Support::AsAsked;
        let nearest = nearest.filter(|(count, ..)| 2 * *count < own.values().filter(|cell| shown(cell)).count());
        let _ = write!(text, "\n## {title}\n\n");
        let (rows, intro): (Vec<_>, _) = match &nearest {
            Some((0, _, title)) => (Vec::new(), format!("As {title}.\n")),
            Some((_, other, title)) => {
                let rows = own.iter().filter(|(case, cell)| cells[other].get(*case) != Some(cell)).collect();
                (rows, format!("As {title}, but:\n\n"))
            }
            None => {
                whole.push((name, title));
                (own.iter().filter(|(_, cell)| shown(cell)).collect(), String::new())
            }
        };
        text.push_str(&intro);
        if !rows.is_empty() {
            text.push_str("| asked | is | because |\n| --- | --- | --- |\n");
        }
        for (case, (support, because)) in rows {
            let asked = says.get(case).and_then(|sentence| sentence.as_str()).unwrap_or(case);
            let mut reasons: Vec<_> =
                because.iter().take(REASONS_MAX).map(|reason| reason.replace('|', "\\|")).collect();
            if because.len() > REASONS_MAX {
                reasons.push(format!("And {} more.", because.len() - REASONS_MAX));
            }
            let _ = writeln!(text, "| {} | {} | {} |", asked.replace('|', "\\|"), support.word(), reasons.join(" "));
        }
    }
    text
}

const HEAD: &str = "# What each provider can be asked

Made by `GOLDEN=update cargo test --test golden` from what becomes of the shared requests in `tests/golden`, where each stands in full.

This is about requests that are translated. Where client and provider speak the same dialect the client's bytes go through, whatever they ask for. What is
not listed is said to the provider as it was asked. *Adapted*: what the provider is asked is near to it. *Left out*: a hint, or
something that no other model could use; the answer is not another without it. *Refused*: another deployment is tried, or the client gets
`unsupported_parameter`; with `x-ringway-unsupported: drop` it is left out, and named in `x-ringway-dropped`.
";
