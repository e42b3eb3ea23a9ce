//! Writes JSON with its members in the order in which a provider sends them, which its clients do not need and a reader of bytes does:
//! a gateway that looks for `"usage"` or `"type"` without parsing must find them where they are in life.
//!
//! An order is a function, so that it can tell objects apart: it looks at one and names its members. Those it does not name follow by
//! the alphabet. What the caller has made up (`input`, `args`) is written as it is.

use serde_json::{Map, Value};

use super::Reply;

/// The members of such an object, in order.
pub(super) type Order = fn(&Map<String, Value>) -> &'static [&'static str];

/// Members whose content is not the provider's.
const OPAQUE: [&str; 2] = ["input", "args"];

pub(super) fn text(value: &Value, order: Order) -> String {
    let mut out = String::new();
    write(value, order, &mut out);
    out
}

pub(super) fn anthropic_reply(value: &Value) -> Reply {
    Reply::json_text(text(value, anthropic))
}

pub(super) fn gemini_reply(value: &Value) -> Reply {
    Reply::json_text(text(value, gemini))
}

fn write(value: &Value, order: Order, out: &mut String) {
    match value {
        Value::Object(members) => {
            let named = order(members);
            let place = |name: &str| named.iter().position(|known| *known == name).unwrap_or(named.len());
            let mut sorted: Vec<_> = members.iter().collect();
            // Stable: what is not named stays as it was.
            sorted.sort_by_key(|(name, _)| place(name));
            list(['{', '}'], sorted, out, |(name, value), out| {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                match OPAQUE.contains(&name.as_str()) {
                    true => out.push_str(&value.to_string()),
                    false => write(value, order, out),
                }
            });
        }
        Value::Array(items) => list(['[', ']'], items, out, |item, out| write(item, order, out)),
        plain => out.push_str(&plain.to_string()),
    }
}

fn list<T>(
    [begin, end]: [char; 2],
    items: impl IntoIterator<Item = T>,
    out: &mut String,
    mut write: impl FnMut(T, &mut String),
) {
    out.push(begin);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(end);
}

/// Messages, as Anthropic's examples of it show them.
pub(super) fn anthropic(members: &Map<String, Value>) -> &'static [&'static str] {
    if members.contains_key("role") {
        return &["id", "type", "role", "content", "model", "stop_reason", "stop_sequence", "usage"];
    }
    &[
        "type",
        "index",
        "message",
        "content_block",
        "delta",
        "error",
        "id",
        "name",
        "input",
        "text",
        "thinking",
        "signature",
        "partial_json",
        "stop_reason",
        "stop_sequence",
        "usage",
        "request_id",
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "cache_creation",
        "ephemeral_5m_input_tokens",
        "ephemeral_1h_input_tokens",
        "output_tokens",
        "output_tokens_details",
        "service_tier",
    ]
}

/// `generateContent` and its neighbours, in the order of Google's examples.
pub(super) fn gemini(_: &Map<String, Value>) -> &'static [&'static str] {
    &[
        "candidates",
        "content",
        "parts",
        "role",
        "finishReason",
        "index",
        "text",
        "thought",
        "functionCall",
        "name",
        "args",
        "id",
        "thoughtSignature",
        "usageMetadata",
        "promptTokenCount",
        "candidatesTokenCount",
        "totalTokenCount",
        "promptTokensDetails",
        "thoughtsTokenCount",
        "modality",
        "tokenCount",
        "modelVersion",
        "responseId",
        "error",
        "code",
        "message",
        "status",
        "details",
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{anthropic, gemini, text};

    #[test]
    fn members_stand_as_the_provider_sends_them() {
        let message = json!({"usage": {"output_tokens": 1, "input_tokens": 2}, "content": [], "role": "assistant", "id": "m", "type": "message"});
        let event = json!({"message": message, "type": "message_start"});
        assert_eq!(
            text(&event, anthropic),
            r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"usage":{"input_tokens":2,"output_tokens":1}}}"#
        );
        let call = json!({"functionCall": {"args": {"text": 1, "name": 2}, "name": "f\"", "new": null}});
        assert_eq!(text(&call, gemini), r#"{"functionCall":{"name":"f\"","args":{"name":2,"text":1},"new":null}}"#);
    }
}
