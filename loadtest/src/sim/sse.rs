//! Events as text: server-sent, in every spelling that a reader must accept, or as the elements of one JSON array.

use super::answer::{Event, Framing};

/// How events are written. The default is how OpenAI writes them.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    pub line_end: &'static str,
    /// A space after `data:` and `event:`.
    pub space: bool,
    /// Comments before each event.
    pub comments: usize,
    /// The data over two lines, cut where JSON allows white space.
    pub two_lines: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { line_end: "\n", space: true, comments: 0, two_lines: false }
    }
}

impl Style {
    pub fn render(&self, event: &Event) -> Vec<u8> {
        let mut text = String::with_capacity(event.data.len() + 32);
        let space = if self.space { " " } else { "" };
        for _ in 0..self.comments {
            // The comment that OpenRouter sends while a model thinks.
            text.push_str(": OPENROUTER PROCESSING");
            text.push_str(self.line_end);
            text.push_str(self.line_end);
        }
        if let Some(name) = event.name {
            text.push_str("event:");
            text.push_str(space);
            text.push_str(name);
            text.push_str(self.line_end);
        }
        let (first, second) = match event.data.strip_prefix('{') {
            Some(rest) if self.two_lines => ("{", Some(rest)),
            _ => (event.data.as_str(), None),
        };
        for line in [Some(first), second].into_iter().flatten() {
            text.push_str("data:");
            text.push_str(space);
            text.push_str(line);
            text.push_str(self.line_end);
        }
        text.push_str(self.line_end);
        text.into_bytes()
    }
}

/// The events of one body, in their order.
pub(crate) struct Frame<'a> {
    style: &'a Style,
    framing: Framing,
    begun: bool,
}

impl<'a> Frame<'a> {
    pub fn new(style: &'a Style, framing: Framing) -> Self {
        Self { style, framing, begun: false }
    }

    pub fn render(&mut self, event: &Event) -> Vec<u8> {
        if self.framing == Framing::ServerSent {
            return self.style.render(event);
        }
        let before = if std::mem::replace(&mut self.begun, true) { ",\r\n" } else { "[" };
        format!("{before}{}", event.data).into_bytes()
    }

    /// What closes the body.
    pub fn end(&self) -> Option<&'static str> {
        match (self.framing, self.begun) {
            (Framing::ServerSent, _) => None,
            (Framing::JsonArray, true) => Some("]"),
            (Framing::JsonArray, false) => Some("[]"),
        }
    }
}
