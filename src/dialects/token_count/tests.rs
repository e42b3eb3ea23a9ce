use super::*;
use crate::dialects::canonical::ModelTraits;
use crate::dialects::estimate;

const ASKED: &str = r#"{"model":"x","system":"be brief","messages":[{"role":"user","content":"hello"}]}"#;
const CONTENTS: &str = r#"{"contents":[{"parts":[{"text":"hello"}]}]}"#;

fn composed(client: ClientWire, upstream: UpstreamForm, body: &str) -> String {
    let request = match parse(client, body.as_bytes()) {
        Ok(request) => request,
        Err(invalid) => return format!("invalid {}", invalid.param),
    };
    let target = Target { model: "m", traits: ModelTraits::default(), drops: false };
    let (mut notes, mut out) = (Notes::default(), Vec::new());
    match compose(upstream, &request, &target, &mut notes, &mut out) {
        Err(unsupported) => format!("unsupported {}", unsupported.param),
        Ok(path) => {
            let mut said = format!("{path} {}", String::from_utf8(out).expect("text"));
            for note in notes.notes {
                said.push_str(&format!(" {:?} {}", note.kind, note.param));
            }
            said
        }
    }
}

#[test]
fn a_request_in_every_form() {
    use ClientWire::{AnthropicMessages, GeminiContent};
    for (client, upstream, body, expected) in [
        (
            AnthropicMessages,
            UpstreamForm::Gemini,
            ASKED,
            r#"/models/m:countTokens {"generateContentRequest":{"model":"models/m","contents":[{"role":"user","parts":[{"text":"hello"}]}],"systemInstruction":{"parts":[{"text":"be brief"}]}}}"#,
        ),
        (
            AnthropicMessages,
            UpstreamForm::Vertex,
            ASKED,
            r#"/models/m:countTokens {"contents":[{"role":"user","parts":[{"text":"hello"}]}],"systemInstruction":{"parts":[{"text":"be brief"}]}}"#,
        ),
        (
            GeminiContent,
            UpstreamForm::Anthropic,
            CONTENTS,
            r#"/messages/count_tokens {"model":"m","messages":[{"role":"user","content":"hello"}]}"#,
        ),
        (
            GeminiContent,
            UpstreamForm::Anthropic,
            r#"{"generate_content_request":{"model":"models/x","contents":[{"parts":[{"text":"hello"}]}],"safetySettings":[]}}"#,
            r#"/messages/count_tokens {"model":"m","messages":[{"role":"user","content":"hello"}]} Dropped generateContentRequest.safetySettings"#,
        ),
        (
            GeminiContent,
            UpstreamForm::Gemini,
            r#"{"generateContentRequest":{"model":"models/x","contents":[{"role":"user","parts":[{"text":"hello"}]}]}}"#,
            r#"/models/m:countTokens {"generateContentRequest":{"model":"models/m","contents":[{"role":"user","parts":[{"text":"hello"}]}]}}"#,
        ),
        (AnthropicMessages, UpstreamForm::Gemini, r#"{"messages":7}"#, "invalid messages"),
    ] {
        assert_eq!(composed(client, upstream, body), expected, "{upstream:?} {body}");
    }
}

#[test]
fn what_cannot_be_said_does_not_count() {
    let body =
        r#"{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"web_search_20260209","name":"web_search"}]}"#;
    let said = composed(ClientWire::AnthropicMessages, UpstreamForm::Gemini, body);
    assert!(said.starts_with("/models/m:countTokens {") && said.contains(" Dropped tools[0]"), "{said}");
}

#[test]
fn an_answer_in_every_form() {
    use ClientWire::{AnthropicMessages, GeminiContent};
    for (client, upstream, text, expected) in [
        (
            AnthropicMessages,
            UpstreamForm::Gemini,
            r#"{"totalTokens":12,"promptTokensDetails":[]}"#,
            r#"{"input_tokens":12}"#,
        ),
        (AnthropicMessages, UpstreamForm::Vertex, r#"{"totalTokens":12}"#, r#"{"input_tokens":12}"#),
        (GeminiContent, UpstreamForm::Anthropic, r#"{"input_tokens":3}"#, r#"{"totalTokens":3}"#),
        (GeminiContent, UpstreamForm::Anthropic, r#"{"totalTokens":3}"#, ""),
        (AnthropicMessages, UpstreamForm::Gemini, "{}", ""),
    ] {
        let mut out = Vec::new();
        let read = WayBack { client, upstream }.whole(text.as_bytes(), &mut out);
        assert_eq!((read.is_ok(), &*String::from_utf8_lossy(&out)), (!expected.is_empty(), expected), "{text}");
    }
}

#[test]
fn an_estimate_is_an_answer() {
    for (client, body) in [(ClientWire::AnthropicMessages, ASKED), (ClientWire::GeminiContent, CONTENTS)] {
        let mut out = Vec::new();
        render(client, estimate::of_request(body.as_bytes()), &mut out);
        let name = if client == ClientWire::GeminiContent { "totalTokens" } else { "input_tokens" };
        assert_eq!(String::from_utf8(out).expect("text"), format!(r#"{{"{name}":{}}}"#, body.len().div_ceil(4)));
    }
}
