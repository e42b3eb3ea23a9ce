//! Cache hints: at most four in a request, and none that lasts longer behind one that lasts shorter.
//!
//! Of more than four the first stays, which covers what all conversations share, and the last three, which cover the most.

use crate::dialects::canonical::{CacheHint, Notes, Part, PartBody, Request, Tool};
use crate::json::write::Writer;

const HINTS_MAX: usize = 4;

#[derive(Default)]
pub struct Hints {
    /// In the whole request.
    count: usize,
    seen: usize,
    short_written: bool,
}

impl Hints {
    pub fn of(request: &Request<'_>) -> Hints {
        let tools = request.tools.iter().filter(|tool| matches!(tool, Tool::Function(tool) if tool.cache.is_some()));
        let parts = request.messages.iter().map(|message| in_parts(&message.parts)).sum::<usize>();
        Hints { count: tools.count() + in_parts(&request.system) + parts, ..Hints::default() }
    }

    /// Writes the hint of a part, if it is one of those that stay.
    pub fn write(&mut self, hint: Option<CacheHint>, json: &mut Writer<'_>, notes: &mut Notes) {
        let Some(mut hint) = hint else { return };
        let place = self.seen;
        self.seen += 1;
        if place > 0 && place + HINTS_MAX - 1 < self.count {
            if place == 1 {
                notes.dropped(
                    "cache_control",
                    "Anthropic's API takes four cache hints; the first and the last three stay.",
                );
            }
            return;
        }
        if hint == CacheHint::Long && self.short_written {
            notes.adapted("cache_control", "A cache hint behind a short one cannot be long.");
            hint = CacheHint::Short;
        }
        json.name("cache_control").open_object().name("type").string("ephemeral");
        match hint {
            CacheHint::Short => self.short_written = true,
            CacheHint::Long => {
                json.name("ttl").string("1h");
            }
        }
        json.close_object();
    }
}

fn in_parts(parts: &[Part<'_>]) -> usize {
    let each = parts.iter().map(|part| {
        let inner = match &part.body {
            PartBody::ToolResult(result) => in_parts(&result.content),
            _ => 0,
        };
        inner + usize::from(part.cache.is_some())
    });
    each.sum()
}
