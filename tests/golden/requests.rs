//! What each upstream is asked for every shared request, and the files that say so.

use crate::{
    clients,
    files::{self, Expected},
    indent::indented,
    upstreams::Upstream,
};
use ringway::{
    data_plane::outgoing::{Outgoing, PrepareError},
    dialects::canonical::{Facts, Note, NoteKind},
    error::{Failure, Upstream as Fault},
    json::patch::Patch,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// A shared request: its case and the client's dialect.
pub type Pair = String;

/// What becomes of a request at an upstream.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Sent(Sent),
    Refused(Refused),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// Below the upstream's base path. Here and in the body [`MODEL`] stands for the model's name, so that upstreams compare.
    path: String,
    /// Between them stands what the provider has before its dialect's own paths.
    has_prefix: bool,
    /// Header lines that depend on the request.
    lines: String,
    /// More than one where a model has to be asked several times.
    bodies: Vec<String>,
    pub notes: Vec<Note>,
    /// It was composed; otherwise it is the client's own with a few edits.
    pub composed: bool,
    /// It is the client's own as a cloud takes it.
    adapted: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    pub param: String,
    pub why: String,
    /// What is dropped once that is allowed, or why it is refused even so.
    pub without: Result<Vec<String>, String>,
}

/// Every upstream's every request.
pub fn asked(upstreams: &[Upstream]) -> BTreeMap<(String, Pair), Outcome> {
    let requests = clients::requests();
    let mut outcomes = BTreeMap::new();
    for upstream in upstreams {
        for asked in &requests {
            let pair = format!("{}/from_{}", asked.case, asked.client.name);
            let outcome = match asked.offer(false, |outgoing| sent(outgoing, upstream)) {
                Ok(sent) => Outcome::Sent(sent),
                Err(failure) => refused(failure, asked.offer(true, |outgoing| sent(outgoing, upstream))),
            };
            outcomes.insert((upstream.name.clone(), pair), outcome);
        }
    }
    outcomes
}

fn sent(outgoing: &Outgoing<'_>, upstream: &Upstream) -> Result<Sent, Failure> {
    let deployment = &*upstream.deployment;
    let prepared = outgoing.prepare(deployment, facts).map_err(|error| match error {
        PrepareError::Client(failure) => failure,
        PrepareError::Upstream(fault) => fault.into(),
        PrepareError::Estimated(_) => panic!("no token is to be counted"),
    })?;
    let mut patch = Patch::default();
    let mut body_of = |nth| {
        prepared.turn_to(nth);
        patch.clear();
        let body = outgoing.body_for(deployment, &prepared, &mut patch).expect("edits that fit");
        let length = body.length;
        let pieces = body.content.into_pieces();
        let bytes = pieces.iter().map(|piece| piece.as_slice()).collect::<Vec<_>>().concat();
        assert_eq!(length, Some(bytes.len() as u64), "what is announced is sent");
        serde_json::from_slice::<serde::de::IgnoredAny>(&bytes)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", upstream.name, String::from_utf8_lossy(&bytes)));
        bytes
    };
    let bodies: Vec<_> = (0..prepared.calls()).map(&mut body_of).collect();
    let prefix = deployment.provider.path_prefix;
    let model = deployment.upstream_model.as_deref().expect("every deployment names its model");
    let below = prepared.path.strip_prefix(prefix);
    let mut lines = format!("content-type: {}\n", String::from_utf8_lossy(outgoing.content_type));
    let _ = writeln!(lines, "accept: {}", prepared.accept(outgoing.stream));
    lines.push_str(&String::from_utf8_lossy(&prepared.forward).replace("\r\n", "\n"));
    Ok(Sent {
        path: below.unwrap_or(&prepared.path).replace(&encoded(model), MODEL),
        has_prefix: below.is_some(),
        lines,
        bodies: bodies.iter().map(|body| indented(body).replace(model, MODEL)).collect(),
        notes: prepared.composed.as_ref().map(|composed| composed.notes.notes.clone()).unwrap_or_default(),
        composed: prepared.composed.is_some(),
        adapted: prepared.adapted.is_some(),
    })
}

/// Stands for the name of an upstream's model.
const MODEL: &str = "{model}";

/// As it stands in a path.
fn encoded(model: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    model.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn refused(failure: Failure, without: Result<Sent, Failure>) -> Outcome {
    let (param, why) = match failure {
        Failure::Upstream(Fault::Unsupported { param, why }) => (param.into_owned(), why.into_owned()),
        failure => (failure.param().unwrap_or_default().to_owned(), failure.message().into_owned()),
    };
    let without = match without {
        Ok(sent) => {
            let dropped = sent.notes.into_iter().filter(|note| note.kind == NoteKind::Dropped);
            Ok(dropped.map(|note| note.param.into_owned()).collect())
        }
        Err(failure) => Err(failure.message().into_owned()),
    };
    Outcome::Refused(Refused { param, why, without })
}

/// What a rendered answer says of itself.
pub fn facts() -> Facts {
    let id = "0123456789abcdef0123456789abcdef".to_owned();
    Facts { id, model: "golden".to_owned(), created_s: 1_767_225_600, usage_asked: true }
}

/// Whose files stand for an upstream's as far as it has none of its own: as they are written, or, where they are to be written anew, of
/// those that are written out whichever has the fewest differences, unless most differ.
pub fn likes(
    upstreams: &[Upstream],
    asked: &BTreeMap<(String, Pair), Outcome>,
    expected: &Expected,
) -> BTreeMap<String, String> {
    let mut likes = BTreeMap::new();
    let mut whole: Vec<&str> = Vec::new();
    for upstream in upstreams {
        let name = &*upstream.name;
        let written = expected.found(&format!("{name}/upstream.toml")).map(|text| {
            let table: toml::Table = text.parse().expect("a table");
            table.get("like").and_then(|like| like.as_str()).map(str::to_owned)
        });
        let like = match written {
            Some(like) if !files::updates() => like,
            _ => {
                let pairs = || asked.iter().filter(|((upstream, _), _)| upstream == name);
                let differing = |other: &&&str| {
                    pairs()
                        .filter(|((_, pair), outcome)| asked[&(other.to_string(), pair.clone())] != **outcome)
                        .count()
                };
                let nearest = whole.iter().min_by_key(|other| differing(other));
                nearest.filter(|other| 2 * differing(other) < pairs().count()).map(|other| other.to_string())
            }
        };
        match like {
            Some(like) => drop(likes.insert(name.to_owned(), like)),
            None => whole.push(name),
        }
    }
    likes
}

/// Adds the files of all upstreams to what is expected.
pub fn write(
    upstreams: &[Upstream],
    asked: &BTreeMap<(String, Pair), Outcome>,
    likes: &BTreeMap<String, String>,
    expected: &mut Expected,
) {
    let unknown: BTreeSet<_> = likes.values().filter(|like| likes.contains_key(*like)).collect();
    assert!(unknown.is_empty(), "{unknown:?} are like others themselves");
    for upstream in upstreams {
        let name = &upstream.name;
        let like = likes.get(name);
        expected.file(format!("{name}/upstream.toml"), head(upstream, like));
        for ((_, pair), outcome) in asked.iter().filter(|((of, _), _)| of == name) {
            if like.is_some_and(|like| asked.get(&(like.clone(), pair.clone())) == Some(outcome)) {
                continue;
            }
            match outcome {
                Outcome::Sent(sent) => {
                    expected.file(format!("{name}/{pair}.upstream_request.http"), sent.text(upstream));
                }
                Outcome::Refused(refused) => expected.file(format!("{name}/{pair}.unsupported.txt"), refused.text()),
            }
        }
    }
}

/// What an upstream's requests have in common.
fn head(upstream: &Upstream, like: Option<&String>) -> String {
    let provider = upstream.deployment.provider;
    let mut text = format!("says = \"{}\"\nprovider = \"{}\"\n", provider.title, provider.id);
    if let Some(like) = like {
        let _ = writeln!(text, "like = \"{like}\"");
    }
    let _ = writeln!(text, "base_path = \"{}\"", upstream.base_path());
    let _ = writeln!(text, "model = \"{}\"", upstream.deployment.upstream_model.as_deref().unwrap_or_default());
    text.push_str("headers = [\n");
    for line in upstream.lines() {
        let _ = writeln!(text, "  \"{line}\",");
    }
    text.push_str("]\n");
    text
}

impl Sent {
    fn text(&self, upstream: &Upstream) -> String {
        let model = upstream.deployment.upstream_model.as_deref().unwrap_or_default();
        let mut text = String::new();
        match (self.composed, self.adapted) {
            (false, false) => text.push_str("# as it came\n"),
            (false, true) => text.push_str("# as it came, in the form of a cloud\n"),
            _ => {}
        }
        for note in &self.notes {
            let kind = format!("{:?}", note.kind).to_lowercase();
            let _ = writeln!(text, "# {kind} {}: {}", note.param, note.says);
        }
        let path = self.path.replace(MODEL, &encoded(model));
        let base_path = if self.has_prefix { upstream.base_path() } else { upstream.deployment.base_path.to_string() };
        let _ = writeln!(text, "POST {base_path}{path} HTTP/1.1");
        text + &self.lines + "\n" + &self.bodies.join("\n").replace(MODEL, model)
    }
}

impl Refused {
    fn text(&self) -> String {
        let without = match &self.without {
            Ok(dropped) => format!("May it be dropped: {}", dropped.join(", ")),
            Err(why) => format!("Even if it may be dropped: {why}"),
        };
        format!("{}\n{}\n{without}\n", self.param, self.why)
    }
}
