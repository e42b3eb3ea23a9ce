//! From the name that goes upstream to the line that describes it. The rules are told at [`super::find`].

use super::{Entry, Part, line};
use std::cmp::Ordering;

pub fn find(part: &Part, id: &str) -> Option<Entry> {
    let listed = |id: &str| line::entry(part.provider, line_of(part.lines, id)?);
    let bare = without_path(part.provider, id);
    listed(id).or_else(|| listed(bare)).or_else(|| match undated(bare) {
        Some(undated) => listed(undated).or_else(|| latest(part, undated)),
        None => latest(part, bare),
    })
}

/// The line that begins with `id`, by bisection.
fn line_of<'t>(lines: &'t str, id: &str) -> Option<&'t str> {
    let mut rest = lines;
    while !rest.is_empty() {
        let middle = rest.len() / 2;
        // Lines are ASCII, so every byte is a place to cut at; a test holds it.
        let begin = memchr::memrchr(b'\n', &rest.as_bytes()[..middle]).map_or(0, |at| at + 1);
        let end = memchr::memchr(b'\n', &rest.as_bytes()[begin..]).map_or(rest.len(), |at| begin + at);
        let line = &rest[begin..end];
        match line.split(' ').next().unwrap_or_default().cmp(id) {
            Ordering::Equal => return Some(line),
            Ordering::Less => rest = rest.get(end + 1..).unwrap_or_default(),
            Ordering::Greater => rest = &rest[..begin],
        }
    }
    None
}

/// The id without what says where the model runs.
fn without_path<'i>(provider: &str, id: &'i str) -> &'i str {
    /// Regions, and groups of them, that inference profiles are named with.
    const REGIONS: &[&str] = &["global.", "us.", "us-gov.", "eu.", "apac.", "jp.", "au.", "ca.", "sa.", "uk.", "in."];
    let last = || id.rsplit('/').next().unwrap_or(id);
    match provider {
        "bedrock" => {
            let id = if id.starts_with("arn:") { last() } else { id };
            REGIONS.iter().find_map(|region| id.strip_prefix(region)).unwrap_or(id)
        }
        "gemini" | "vertex" if ["models/", "publishers/", "projects/"].iter().any(|start| id.starts_with(start)) => {
            last()
        }
        _ => id,
    }
}

/// The id without the date or the moving mark at its end; `None` if it has neither.
fn undated(id: &str) -> Option<&str> {
    let marked = ["-latest", "@latest", "@default"].iter().find_map(|mark| id.strip_suffix(mark));
    let dated = || {
        let at = id.char_indices().map(|(at, _)| at).find(|at| is_date(&id[*at..]))?;
        Some(&id[..at])
    };
    marked.or_else(dated).filter(|id| !id.is_empty())
}

/// True for `-2026-03-05`, `-20260305` and `@20260305`.
fn is_date(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match (text.as_bytes().first(), text.len()) {
        (Some(b'-' | b'@'), 9) => text.is_ascii() && text[1..].starts_with("20") && digits(&text[1..]),
        (Some(b'-'), 11) => {
            let mut parts = text[1..].split('-');
            let lengths = [4, 2, 2].map(|length| parts.next().is_some_and(|part| part.len() == length && digits(part)));
            text[1..].starts_with("20") && lengths == [true; 3]
        }
        _ => false,
    }
}

/// The latest snapshot of a model that is listed only with dates. Within one way of writing them, dates sort as texts do.
fn latest(part: &Part, id: &str) -> Option<Entry> {
    let snapshot = |line: &&str| {
        let listed = line.split(' ').next().unwrap_or_default();
        !id.is_empty() && listed.strip_prefix(id).is_some_and(is_date)
    };
    line::entry(part.provider, part.lines.lines().rfind(snapshot)?)
}
