//! Cache points: blocks of their own behind what is to be cached, at most four in a request, in the order tools, system, messages.
//!
//! Of more than four the first stays, which covers what all conversations share, and the last three, which cover the most. None that
//! lasts an hour comes behind one that lasts five minutes, as Anthropic's models demand it.

use super::maker::Maker;
use crate::dialects::canonical::{CacheHint, Notes, Part, PartBody, Request, Tool};
use crate::json::write::Writer;

const POINTS_MAX: usize = 4;

pub struct CachePoints {
    maker: Maker,
    /// In the whole request.
    count: usize,
    seen: usize,
    short_written: bool,
    hint_noted: bool,
}

impl CachePoints {
    pub fn of(request: &Request<'_>, maker: Maker) -> CachePoints {
        let tools = request.tools.iter().filter(|tool| matches!(tool, Tool::Function(tool) if tool.cache.is_some()));
        let tools = if takes_in_tools(maker) { tools.count() } else { 0 };
        let parts = request.messages.iter().map(|message| in_parts(&message.parts)).sum::<usize>();
        let count = tools + in_parts(&request.system) + parts;
        CachePoints { maker, count, seen: 0, short_written: false, hint_noted: false }
    }

    /// Writes the point behind a tool, if there is one.
    pub fn behind_tool(&mut self, hint: Option<CacheHint>, json: &mut Writer<'_>, notes: &mut Notes) {
        if takes_in_tools(self.maker) {
            self.behind(hint, json, notes);
        } else if hint.is_some() {
            self.note(notes);
        }
    }

    /// Writes the point behind a part of the system prompt or of a message, if there is one.
    pub fn behind(&mut self, hint: Option<CacheHint>, json: &mut Writer<'_>, notes: &mut Notes) {
        let Some(mut hint) = hint else { return };
        if !self.maker.caches() {
            return self.note(notes);
        }
        let place = self.seen;
        self.seen += 1;
        if place > 0 && place + POINTS_MAX - 1 < self.count {
            if place == 1 {
                notes.dropped("cache_control", "Converse takes four cache points; the first and the last three stay.");
            }
            return;
        }
        if hint == CacheHint::Long && (self.short_written || self.maker != Maker::Anthropic) {
            notes.adapted("cache_control", "The model keeps it for as long as is usual.");
            hint = CacheHint::Short;
        }
        json.open_object().name("cachePoint").open_object().name("type").string("default");
        match hint {
            CacheHint::Short => self.short_written = true,
            CacheHint::Long => drop(json.name("ttl").string("1h")),
        }
        json.close_object().close_object();
    }

    fn note(&mut self, notes: &mut Notes) {
        if !std::mem::replace(&mut self.hint_noted, true) {
            notes.hint("cache_control");
        }
    }
}

fn takes_in_tools(maker: Maker) -> bool {
    maker == Maker::Anthropic
}

/// Hints of parts. The hints inside of a result are one, behind it.
fn in_parts(parts: &[Part<'_>]) -> usize {
    parts.iter().filter(|part| hint_of(part).is_some()).count()
}

/// Where the hint is inside of a result, its last one counts.
pub fn hint_of(part: &Part<'_>) -> Option<CacheHint> {
    part.cache.or_else(|| match &part.body {
        PartBody::ToolResult(result) => result.content.iter().rev().find_map(|part| part.cache),
        _ => None,
    })
}
