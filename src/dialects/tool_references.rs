//! References to tools in the results of tools (Anthropic's `tool_reference`), for upstreams that do not know them.
//!
//! Claude Code offers some tools without their descriptions (`defer_loading`) and has one that finds them, whose result refers to what it found:
//! from then on the model may call it. Elsewhere every tool is there from the beginning, so that a text does which says the same.

use super::canonical::{Notes, Part, PartBody, Request};
use crate::json::piece::{Raw, Text};
use crate::json::view::Value;

/// The request with texts for its references; none, if it has none.
pub fn as_texts<'a>(request: &Request<'a>, notes: &mut Notes) -> Option<Request<'a>> {
    if !request.has_tool_references {
        return None;
    }
    let mut changed = request.clone();
    for part in changed.messages.iter_mut().flat_map(|message| &mut message.parts) {
        let PartBody::ToolResult(result) = &mut part.body else { continue };
        result.content.iter_mut().for_each(say);
    }
    notes.mapped("messages.tool_reference", "A text says that the tool may be called; it is there from the beginning.");
    Some(changed)
}

/// What refers to a tool.
pub fn is_one(kind: &Text<'_>) -> bool {
    kind.says("tool_reference")
}

fn say(part: &mut Part<'_>) {
    let PartBody::Other { raw, .. } = &part.body else { return };
    if let Some(name) = referred_to(raw) {
        part.body = PartBody::Text(Text::plain(format!("The tool '{name}' was found. It may be called now.")));
    }
}

/// The tool's name.
fn referred_to(raw: &Raw<'_>) -> Option<String> {
    let block = Value::root(&raw.0);
    let is_one = block.get("type").and_then(Value::text).is_some_and(|kind| is_one(&kind));
    let name = block.get("tool_name").filter(|_| is_one)?.text()?;
    Some(name.decoded().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::{
        canonical::{ModelTraits, Target},
        translate::{self, compose},
        wire::{ClientWire, UpstreamWire},
    };
    use serde_json::{Value as Json, json};

    fn composed(body: &Json, upstream: UpstreamWire) -> (String, Notes) {
        let text = body.to_string();
        let request = translate::parse(ClientWire::AnthropicMessages, text.as_bytes()).unwrap();
        let target = Target { model: "m", traits: ModelTraits::default(), drops: false };
        let (mut notes, mut out) = (Notes::default(), Vec::new());
        compose(upstream, &request, &target, &mut notes, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), notes)
    }

    #[test]
    fn a_reference_is_a_text_where_there_are_none() {
        let reference = json!({"type":"tool_reference","tool_name":"WebFetch"});
        let body = json!({"max_tokens":9,"messages":[
            {"role":"user","content":"Find it."},
            {"role":"assistant","content":[{"type":"tool_use","id":"c","name":"ToolSearch","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[reference]}]}
        ],"tools":[
            {"name":"ToolSearch","input_schema":{"type":"object"}},
            {"name":"WebFetch","defer_loading":true,"input_schema":{"type":"object"}}
        ]});
        for upstream in [
            UpstreamWire::OpenAiChat,
            UpstreamWire::OpenAiResponses,
            UpstreamWire::GeminiContent,
            UpstreamWire::BedrockConverse,
            UpstreamWire::CohereChat,
            UpstreamWire::OllamaChat,
        ] {
            let (text, notes) = composed(&body, upstream);
            assert!(text.contains("The tool 'WebFetch' was found."), "{upstream:?}: {text}");
            assert!(notes.notes.iter().any(|note| note.param == "messages.tool_reference"), "{upstream:?}");
        }
        for upstream in [UpstreamWire::AnthropicMessages, UpstreamWire::AnthropicInvoke] {
            let (text, notes) = composed(&body, upstream);
            assert!(text.contains(&reference.to_string()), "{text}");
            assert!(!notes.notes.iter().any(|note| note.param == "messages.tool_reference"));
        }
    }
}
