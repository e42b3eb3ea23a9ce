//! The answer as values: a status, headers, and a body that is whole or made of events. Faults edit it here.

use serde_json::Value;

/// An answer before it becomes bytes on a wire.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    /// Beside those that every answer has. Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
    pub framing: Framing,
}

/// How events stand in a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Framing {
    #[default]
    ServerSent,
    /// As the elements of one JSON array, which is how Gemini streams where nobody asked for events.
    JsonArray,
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    Whole(Vec<u8>),
    Events(Vec<Event>),
}

/// One server-sent event. `data` has no line end in it unless a fault put one there.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub kind: EventKind,
    /// The `event:` line, which only some dialects write.
    pub name: Option<&'static str>,
    pub data: String,
}

/// What an event is to the reader of the stream; faults count content events and cut before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// Before the first content: the role chunk, `response.created` and the like.
    Opening,
    Content,
    /// Between contents, without any of its own: where a block begins or ends, a ping.
    Frame,
    /// The finish reason, or what else says that the answer is complete.
    Finish,
    Usage,
    Done,
}

impl Event {
    pub fn data(kind: EventKind, data: String) -> Self {
        Self { kind, name: None, data }
    }

    /// An event with its own line for its name.
    pub fn named(kind: EventKind, name: &'static str, data: String) -> Self {
        Self { kind, name: Some(name), data }
    }

    pub fn done() -> Self {
        Self::data(EventKind::Done, "[DONE]".to_owned())
    }
}

impl Reply {
    pub fn json(value: &Value) -> Self {
        Self::json_text(value.to_string())
    }

    pub fn json_text(text: String) -> Self {
        Self::whole("application/json", text.into_bytes())
    }

    pub fn whole(content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status: 200, content_type, headers: Vec::new(), body: Body::Whole(body), framing: Framing::default() }
    }

    pub fn events(events: Vec<Event>) -> Self {
        Self {
            status: 200,
            content_type: "text/event-stream; charset=utf-8",
            headers: vec![("cache-control", "no-cache".to_owned())],
            body: Body::Events(events),
            framing: Framing::ServerSent,
        }
    }
}
