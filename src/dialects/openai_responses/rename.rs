//! Ids of responses on their way to a client: a provider's own in, the client's out.
//!
//! Named are a response's `id` and its `previous_response_id`, at the root of a whole answer and in the six events of a stream that have the
//! response in them. Everything else stays as it came, byte by byte; so does an id that cannot be named. Items have ids of their
//! own, which stay.

use crate::json::{
    Kind, Span,
    patch::Patch,
    scan::{Members, Scan, scan},
    value::string_value,
    walk,
};

/// What to scan a whole answer for, before it is renamed: as [`crate::dialects::openai_chat::answer::MEMBERS`], and the ids.
pub static MEMBERS: Members = Members::last_wins(&["choices", "usage", "error", "id", "previous_response_id"]);
/// The place of the answer's own id among them.
pub const ID: usize = 3;
const PREVIOUS: usize = 4;

static EVENT: Members = Members::last_wins(&["response"]);

type Name = dyn Fn(&str) -> Option<String>;

/// Names the responses of one provider for one client.
pub struct Names {
    /// What the client calls the response that the provider calls so; `None`: the same.
    name: Box<Name>,
    /// The last one named: the events of a stream repeat it.
    last: Option<(String, String)>,
}

impl Names {
    pub fn new(name: impl Fn(&str) -> Option<String> + 'static) -> Names {
        Names { name: Box::new(name), last: None }
    }

    /// A whole answer that `scan` was made from, for [`MEMBERS`]; `None` if it stays as it is.
    pub fn whole(&mut self, scan: &Scan, text: &[u8]) -> Option<Vec<u8>> {
        let mut patch = Patch::new();
        for member in [ID, PREVIOUS].into_iter().filter_map(|id| scan.member(id)) {
            self.note(member.value, text, &mut patch);
        }
        patched(&patch, text)
    }

    /// The data of an event; `None` if they stay as they are, be it that they are no JSON.
    pub fn event(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        let response = scan(&EVENT, data).ok()?.member(0).filter(|response| response.kind == Kind::Object)?.value;
        let mut patch = Patch::new();
        self.note_members(data, response.start as usize, &mut patch);
        patched(&patch, data)
    }

    /// The beginning of an answer that is too long to be held until its end has come.
    pub fn beginning(&mut self, part: &[u8]) -> Option<Vec<u8>> {
        let start = part.iter().position(|byte| !byte.is_ascii_whitespace())?;
        let mut patch = Patch::new();
        self.note_members(part, start, &mut patch);
        patched(&patch, part)
    }

    /// Notes the edits of a response, as far as it is there.
    fn note_members(&mut self, text: &[u8], response: usize, patch: &mut Patch) {
        walk::each_member(text, response, |entry| {
            if !matches!(entry.name, b"id" | b"previous_response_id") {
                return None;
            }
            let value = walk::value(text, entry.at);
            // What ends with the text may have been cut.
            if (value.end as usize) < text.len() {
                self.note(value, text, patch);
            }
            Some(value.end as usize)
        });
    }

    /// Notes the edit of one id. What is no string is none.
    fn note(&mut self, value: Span, text: &[u8], patch: &mut Patch) {
        let Some(id) = string_value(value.of(text)) else { return };
        if self.last.as_ref().is_none_or(|(known, _)| *known != *id) {
            let Some(named) = (self.name)(&id) else { return };
            self.last = Some((id.into_owned(), named));
        }
        if let Some((_, named)) = &self.last {
            // Members do not overlap; of an object that repeats its names without end the first hundreds are named.
            let _ = patch.replace_by_string(value, named);
        }
    }
}

fn patched(patch: &Patch, text: &[u8]) -> Option<Vec<u8>> {
    if patch.is_empty() {
        return None;
    }
    let mut named = Vec::with_capacity(patch.patched_bytes(text.len()));
    patch.append_to(text, &mut named);
    Some(named)
}

/// A provider's refusal that repeats the id that it was asked for, in the client's words again.
pub fn refusal(body: &[u8], id: &str, named: &str) -> Vec<u8> {
    // What is shorter may stand there for anything.
    if id.len() < REPEATED_ID_BYTES_MIN {
        return body.to_vec();
    }
    let mut told = Vec::with_capacity(body.len() + named.len());
    let mut taken = 0;
    for at in memchr::memmem::find_iter(body, id.as_bytes()) {
        told.extend_from_slice(&body[taken..at]);
        told.extend_from_slice(named.as_bytes());
        taken = at + id.len();
    }
    told.extend_from_slice(&body[taken..]);
    told
}

const REPEATED_ID_BYTES_MIN: usize = 8;

#[cfg(test)]
mod tests;
