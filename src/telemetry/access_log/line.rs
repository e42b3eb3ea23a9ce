//! An access record as one line of JSON.
//!
//! Every line has the same members in the same order, their units in their names; what does not apply is `null`. Names are
//! resolved by the record's generation and are escaped once per generation, not once per line; what a name contains can
//! neither end its string nor its line. A generation that was never seen, because it was replaced at once, leaves names
//! `null`.
//!
//! Written by hand rather than through serde: the access log is on in every measurement of what the hop costs, and
//! copying prepared pieces is several times cheaper than serialising.

use super::AccessRecord;
use crate::{config::snapshot::Snapshot, limits::ACCESS_LOG_GENERATIONS_MAX};
use std::collections::VecDeque;

/// Turns records into lines.
#[derive(Debug)]
pub struct LineFormat {
    /// Newest last.
    generations: VecDeque<Names>,
    /// The second that `second_text` shows.
    second: u64,
    second_text: Vec<u8>,
}

/// Room for a line with names of ordinary length, in bytes.
const LINE_BYTES_USUAL: usize = 1024;

/// The names of one snapshot, each as a JSON string, by index.
#[derive(Debug)]
struct Names {
    generation: u64,
    keys: Vec<Box<[u8]>>,
    groups: Vec<Box<[u8]>>,
    deployments: Vec<Box<[u8]>>,
    /// The provider of the deployment at the same index.
    providers: Vec<Box<[u8]>>,
}

impl Default for LineFormat {
    fn default() -> LineFormat {
        LineFormat { generations: VecDeque::new(), second: 0, second_text: second_text(0) }
    }
}

impl LineFormat {
    /// True if records of this generation can be resolved.
    pub fn knows(&self, generation: u64) -> bool {
        self.generations.iter().any(|names| names.generation == generation)
    }

    /// Learns the names of a snapshot, and forgets the oldest beyond the bound.
    pub fn learn(&mut self, snapshot: &Snapshot) {
        if self.knows(snapshot.generation) {
            return;
        }
        if self.generations.len() == ACCESS_LOG_GENERATIONS_MAX {
            self.generations.pop_front();
        }
        self.generations.push_back(Names::of(snapshot));
    }

    /// Appends the record's line, with its line break.
    pub fn write(&mut self, out: &mut Vec<u8>, record: &AccessRecord) {
        // Newest first: nearly every record belongs to the newest snapshot.
        let names = self.generations.iter().rev().find(|names| names.generation == record.generation);
        let name = |list: fn(&Names) -> &Vec<Box<[u8]>>, index: u32| {
            names.and_then(|names| list(names).get(index as usize)).map_or(&b"null"[..], |name| name)
        };

        let second = record.at_us / 1_000_000;
        if second != self.second {
            self.second = second;
            self.second_text = second_text(second);
        }
        out.reserve(LINE_BYTES_USUAL);
        out.extend_from_slice(b"{\"time\":\"");
        out.extend_from_slice(&self.second_text);
        out.push(b'.');
        let mut micros = *b"000000";
        let mut rest = record.at_us % 1_000_000;
        for digit in micros.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&micros);
        out.extend_from_slice(b"Z\",\"request_id\":\"");
        out.extend_from_slice(&record.request_id.text());
        out.extend_from_slice(b"\",\"endpoint\":\"");
        out.extend_from_slice(record.endpoint.label().as_bytes());
        out.extend_from_slice(b"\",\"model\":");
        out.extend_from_slice(name(|names| &names.groups, record.group));
        out.extend_from_slice(b",\"key\":");
        out.extend_from_slice(name(|names| &names.keys, record.key));
        out.extend_from_slice(b",\"deployment\":");
        out.extend_from_slice(name(|names| &names.deployments, record.deployment));
        out.extend_from_slice(b",\"provider\":");
        out.extend_from_slice(name(|names| &names.providers, record.deployment));
        number_or_null(out, b",\"status\":", u64::from(record.status));
        out.extend_from_slice(b",\"code\":");
        if record.code.is_empty() {
            out.extend_from_slice(b"null");
        } else {
            write_string(out, record.code);
        }
        number(out, b",\"attempts\":", u64::from(record.attempts));
        flag(out, b",\"streamed\":", record.streamed);
        flag(out, b",\"client_gone\":", record.client_gone);
        number(out, b",\"total_us\":", record.total_us);
        number(out, b",\"overhead_us\":", record.overhead_us);
        number_or_null(out, b",\"ttft_us\":", record.ttft_us);
        number(out, b",\"input_tokens\":", record.input_tokens);
        number(out, b",\"cached_input_tokens\":", record.cached_input_tokens);
        number(out, b",\"output_tokens\":", record.output_tokens);
        number(out, b",\"reasoning_tokens\":", record.reasoning_tokens);
        number(out, b",\"request_bytes\":", record.request_bytes);
        number(out, b",\"answer_bytes\":", record.answer_bytes);
        number(out, b",\"shard\":", u64::from(record.shard));
        number(out, b",\"generation\":", record.generation);
        out.extend_from_slice(b"}\n");
    }
}

impl Names {
    fn of(snapshot: &Snapshot) -> Names {
        let groups = snapshot.groups.values().chain(snapshot.prefixes.iter().map(|(_, group)| group));
        Names {
            generation: snapshot.generation,
            keys: by_index(snapshot.keys.values().map(|key| (key.index, &*key.name))),
            groups: by_index(groups.map(|group| (group.index, &*group.name))),
            deployments: by_index(snapshot.deployments.iter().map(|it| (it.index, &*it.name))),
            providers: by_index(snapshot.deployments.iter().map(|it| (it.index, it.provider.id))),
        }
    }
}

/// Places each name at its index, as a JSON string; gaps are `null`.
fn by_index<'a>(names: impl Iterator<Item = (u32, &'a str)>) -> Vec<Box<[u8]>> {
    let mut placed: Vec<Box<[u8]>> = Vec::new();
    for (index, name) in names {
        let index = index as usize;
        if placed.len() <= index {
            placed.resize(index + 1, Box::from(&b"null"[..]));
        }
        let mut text = Vec::with_capacity(name.len() + 2);
        write_string(&mut text, name);
        placed[index] = text.into();
    }
    placed
}

// These three are inlined so that a member's name is copied as the constant that it is.
#[inline(always)]
fn number(out: &mut Vec<u8>, member: &[u8], value: u64) {
    out.extend_from_slice(member);
    // About half of the numbers of a line have one digit.
    if value < 10 {
        out.push(b'0' + value as u8);
    } else {
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
}

/// For members where 0 means that there was none.
#[inline(always)]
fn number_or_null(out: &mut Vec<u8>, member: &[u8], value: u64) {
    if value == 0 {
        out.extend_from_slice(member);
        out.extend_from_slice(b"null");
    } else {
        number(out, member, value);
    }
}

#[inline(always)]
fn flag(out: &mut Vec<u8>, member: &[u8], value: bool) {
    out.extend_from_slice(member);
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// A JSON string. Escapes what JSON requires, and DEL and the C1 controls as well: a terminal acts on them.
fn write_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for char in text.chars() {
        match char {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            // All control characters are below U+00A0: two digits suffice.
            char if char.is_control() => {
                let code = char as usize;
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[code >> 4 & 15], HEX[code & 15]]);
            }
            char => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// `2026-11-21T21:15:01`; times beyond year 9999 are shown as the epoch.
fn second_text(second: u64) -> Vec<u8> {
    let at =
        i64::try_from(second).ok().and_then(|second| jiff::Timestamp::from_second(second).ok()).unwrap_or_default();
    let mut text = at.to_string().into_bytes();
    text.truncate("2026-11-21T21:15:01".len());
    text
}

#[cfg(test)]
mod tests;
