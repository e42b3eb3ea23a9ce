//! The answer as values: a status, headers, and a body that is whole or made of events. Faults edit it here.

use serde_json::{Value, json};

/// An answer before it becomes bytes on a wire.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    /// Beside those that every answer has. Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
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
    /// The finish reason, or what else says that the answer is complete.
    Finish,
    Usage,
    Done,
}

impl Event {
    pub fn data(kind: EventKind, data: String) -> Self {
        Self { kind, name: None, data }
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
        Self { status: 200, content_type, headers: Vec::new(), body: Body::Whole(body) }
    }

    pub fn events(events: Vec<Event>) -> Self {
        Self {
            status: 200,
            content_type: "text/event-stream; charset=utf-8",
            headers: vec![("cache-control", "no-cache".to_owned())],
            body: Body::Events(events),
        }
    }
}

/// A refusal in OpenAI's shape.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub status: u16,
    pub kind: String,
    pub code: Option<String>,
    pub param: Option<String>,
    pub message: String,
}

impl ApiError {
    pub fn new(status: u16, kind: &str, code: Option<&str>, message: impl Into<String>) -> Self {
        Self { status, kind: kind.to_owned(), code: code.map(str::to_owned), param: None, message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", None, message)
    }

    pub fn missing(param: &str) -> Self {
        let message = format!("Missing required parameter: '{param}'.");
        Self::new(400, "invalid_request_error", Some("missing_required_parameter"), message).about(param)
    }

    pub fn wrong_type(param: &str, expected: &str) -> Self {
        let message = format!("Invalid type for '{param}': expected {expected}.");
        Self::new(400, "invalid_request_error", Some("invalid_type"), message).about(param)
    }

    pub fn bad_value(param: &str, message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", Some("invalid_value"), message).about(param)
    }

    pub fn model_not_found(model: &str) -> Self {
        let message = format!("The model `{model}` does not exist or you do not have access to it.");
        Self::new(404, "invalid_request_error", Some("model_not_found"), message)
    }

    pub fn unknown_url(method: &str, path: &str) -> Self {
        let message = format!("Invalid URL ({method} {path})");
        Self::new(404, "invalid_request_error", None, message)
    }

    pub fn invalid_key() -> Self {
        // OpenAI repeats a masked part of the key; this one repeats nothing. The fault `echo_key` repeats all of it.
        Self::new(401, "invalid_request_error", Some("invalid_api_key"), "Incorrect API key provided.")
    }

    pub fn about(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }

    pub fn value(&self) -> Value {
        json!({"error": {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }})
    }

    pub fn reply(&self) -> Reply {
        Reply { status: self.status, ..Reply::json(&self.value()) }
    }
}
