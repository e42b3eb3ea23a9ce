use serde_json::Value;

use super::*;
use crate::load::options::Kind;

const DIALECTS: [Dialect; 4] = [Dialect::OpenAiChat, Dialect::OpenAiEmbeddings, Dialect::Anthropic, Dialect::Gemini];
const KINDS: [Kind; 3] = [Kind::Chat, Kind::Tools, Kind::Images];

fn request(dialect: Dialect, kind: Kind, body_bytes: usize) -> RequestOptions {
    RequestOptions { dialect, kind, body_bytes, ..RequestOptions::default() }
}

#[test]
fn bodies_are_json_of_the_size_that_was_asked_for() {
    for (dialect, kind) in DIALECTS.into_iter().flat_map(|dialect| KINDS.map(|kind| (dialect, kind))) {
        for body_bytes in [1_024, 8 * 1_024, 32 * 1_024, 220 * 1_024, 1_024 * 1_024] {
            for variant in 0..2 {
                let body = body(&request(dialect, kind, body_bytes), 7, variant);
                let off = body.len().abs_diff(body_bytes);
                assert!(off * 20 <= body_bytes, "{} for {body_bytes}: {dialect:?} {kind:?}", body.len());
                serde_json::from_str::<Value>(&body).expect("JSON");
            }
        }
    }
}

#[test]
fn bodies_depend_on_the_seed_and_the_variant_and_nothing_else() {
    for (dialect, kind) in DIALECTS.into_iter().flat_map(|dialect| KINDS.map(|kind| (dialect, kind))) {
        let request = request(dialect, kind, 8 * 1_024);
        let first = body(&request, 1, 0);
        assert_eq!(first, body(&request, 1, 0));
        assert!(first != body(&request, 1, 1) && first != body(&request, 2, 0));
        assert!(body(&request, 1, 1) != body(&request, 2, 0));
    }
}

#[test]
fn the_smallest_body_is_still_a_question() {
    let body: Value = serde_json::from_str(&body(&request(Dialect::OpenAiChat, Kind::Chat, 0), 1, 0)).expect("JSON");
    assert_eq!(body["messages"].as_array().map(Vec::len), Some(2));
}

fn parsed(dialect: Dialect, kind: Kind) -> Value {
    serde_json::from_str(&body(&request(dialect, kind, 32 * 1_024), 1, 0)).expect("JSON")
}

#[test]
fn prose_is_in_several_scripts_and_has_code() {
    let text = prose::text(&mut Random::new(1), 20_000);
    assert_eq!(quoted(&text).len(), 20_002);
    assert!(text.contains("```") && text.contains('"') && text.contains('\n'));
    let foreign = text.bytes().filter(|byte| !byte.is_ascii()).count();
    assert!((400..6_000).contains(&foreign), "{foreign}");
}

#[test]
fn openai_tools_are_defined_called_and_answered() {
    let body = parsed(Dialect::OpenAiChat, Kind::Tools);
    let messages = body["messages"].as_array().expect("messages");
    let called: Vec<_> = messages.iter().filter_map(|message| message["tool_calls"][0]["id"].as_str()).collect();
    let answered: Vec<_> = messages.iter().filter_map(|message| message["tool_call_id"].as_str()).collect();
    assert!(!called.is_empty() && called == answered);
    let arguments = messages.iter().find_map(|message| message["tool_calls"][0]["function"]["arguments"].as_str());
    assert!(serde_json::from_str::<Value>(arguments.expect("a call")).is_ok_and(|arguments| arguments.is_object()));
    assert!(body["tools"].as_array().is_some_and(|tools| tools.len() == 8));
    assert_eq!(messages.last().map(|message| &message["role"]), Some(&"user".into()));
}

#[test]
fn anthropic_turns_alternate() {
    for kind in KINDS {
        let body = parsed(Dialect::Anthropic, kind);
        let roles: Vec<_> = body["messages"].as_array().expect("messages").iter().map(|m| m["role"].as_str()).collect();
        assert_eq!((roles.first(), roles.last()), (Some(&Some("user")), Some(&Some("user"))));
        assert!(roles.windows(2).all(|pair| pair[0] != pair[1]), "{roles:?}");
    }
}

#[test]
fn gemini_turns_alternate_and_have_parts() {
    for kind in KINDS {
        let body = parsed(Dialect::Gemini, kind);
        let contents = body["contents"].as_array().expect("contents");
        assert!(contents.windows(2).all(|pair| pair[0]["role"] != pair[1]["role"]));
        assert!(contents.iter().all(|content| content["parts"].as_array().is_some_and(|parts| !parts.is_empty())));
    }
}

/// The same picture in each dialect, with the signature and the checksums of a PNG.
#[test]
fn pictures_are_png() {
    let openai = parsed(Dialect::OpenAiChat, Kind::Images);
    let message = openai["messages"].as_array().and_then(|messages| messages.last()).expect("a message");
    let url = message["content"][1]["image_url"]["url"].as_str().expect("a picture");
    let base64 = url.strip_prefix("data:image/png;base64,").expect("a data URL");
    assert!(base64.starts_with("iVBORw0KGgo") && base64.len() > 20_000 && base64.len().is_multiple_of(4));
    let anthropic = parsed(Dialect::Anthropic, Kind::Images);
    let message = anthropic["messages"].as_array().and_then(|messages| messages.last()).expect("a message");
    assert!(message["content"][0]["source"]["data"].as_str().is_some_and(|data| data.starts_with("iVBORw0KGgo")));
    let gemini = parsed(Dialect::Gemini, Kind::Images);
    let content = gemini["contents"].as_array().and_then(|contents| contents.last()).expect("a content");
    assert!(content["parts"][1]["inlineData"]["data"].as_str().is_some_and(|data| data.starts_with("iVBORw0KGgo")));
}
