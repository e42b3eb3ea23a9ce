//! A request that a dialect can express comes back out of it as it was: every shared request, in every dialect that is both parsed and composed.
//!
//! What is composed, parsed and composed again is the same: whatever a composer says of a request its parser finds, or it would be missing the second
//! time. That a composer says everything, or notes it, is held by the compiler: it takes `Request` apart field by field. Random requests are
//! `dialects/canonical/tests.rs`'s.

use crate::clients::{self, CLIENTS};
use ringway::dialects::{
    anthropic_messages,
    canonical::{Adapted, Invalid, ModelTraits, Notes, PartBody, Request, Target, Unsupported},
    gemini, openai_chat, openai_responses, text_tools, translate,
    wire::ClientWire,
};
use serde_json::Value;

type Parse = for<'a> fn(&'a [u8]) -> Result<Request<'a>, Invalid>;
type Compose = fn(&Request<'_>, &Target<'_>, &mut Notes, &mut Vec<u8>) -> Result<Adapted, Unsupported>;

/// A dialect with both doors.
struct Both {
    name: &'static str,
    client: ClientWire,
    parse: Parse,
    compose: Compose,
}

static DIALECTS: &[Both] = &[
    Both {
        name: "openai_chat",
        client: ClientWire::OpenAiChat,
        parse: openai_chat::parse::parse,
        compose: openai_chat::compose::compose,
    },
    Both {
        name: "openai_responses",
        client: ClientWire::OpenAiResponses,
        parse: openai_responses::parse::parse,
        compose: openai_responses::compose::compose,
    },
    Both {
        name: "anthropic_messages",
        client: ClientWire::AnthropicMessages,
        parse: anthropic_messages::parse::parse,
        compose: anthropic_messages::compose::compose,
    },
    Both {
        name: "gemini",
        client: ClientWire::GeminiContent,
        parse: gemini::parse::parse,
        compose: gemini::compose::compose,
    },
];

/// A request in a dialect; `None` where it is refused even though everything may be dropped.
fn composed(dialect: &Both, request: &Request<'_>) -> Option<String> {
    let target = Target { model: "m", traits: ModelTraits::default(), drops: true };
    let (mut notes, mut out) = (Notes::default(), Vec::new());
    (dialect.compose)(request, &target, &mut notes, &mut out).ok()?;
    Some(String::from_utf8(out).expect("UTF-8"))
}

/// Holds what comes back of a request against what was composed of it.
fn check(dialect: &Both, request: &Request<'_>) -> Result<(), String> {
    let Some(text) = composed(dialect, request) else { return Ok(()) };
    let parsed = (dialect.parse)(text.as_bytes()).map_err(|invalid| format!("{invalid:?} by {text}"))?;
    // Gemini says it in the path.
    let parsed = Request { stream: request.stream, ..parsed };
    if has_unnamed_calls(request) && !has_unnamed_calls(&parsed) {
        // The calls of functions as they were before there were tools have no ids, and get them.
        return check(dialect, &parsed);
    }
    let again = composed(dialect, &parsed).ok_or_else(|| format!("refused: {text}"))?;
    if plain(&text) == plain(&again) { Ok(()) } else { Err(format!("once  {text}\ntwice {again}")) }
}

fn has_unnamed_calls(request: &Request<'_>) -> bool {
    let mut parts = request.messages.iter().flat_map(|message| &message.parts);
    parts.any(|part| matches!(&part.body, PartBody::ToolCall(call) if call.id.is_empty()))
}

/// A body whose contents are texts where they are one part with a text, or none.
fn plain(text: &str) -> Value {
    fn join(value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(join),
            Value::Object(members) => {
                members.values_mut().for_each(join);
                if members.get("content").is_some_and(|parts| parts.as_array().is_some_and(Vec::is_empty)) {
                    members.insert("content".to_owned(), "".into());
                }
                let only = members.get("content").and_then(Value::as_array).filter(|parts| parts.len() == 1);
                let only = only.and_then(|parts| parts[0].as_object()).filter(|part| part.len() == 2);
                if let Some(text) = only.and_then(|part| part.get("text")).cloned() {
                    members.insert("content".to_owned(), text);
                }
            }
            _ => {}
        }
    }
    let mut value = serde_json::from_str(text).expect("JSON");
    join(&mut value);
    value
}

#[test]
fn shared_requests_come_back() {
    let mut wrong = Vec::new();
    for client in CLIENTS {
        let wire = DIALECTS.iter().find(|dialect| dialect.name == client.name).expect("a dialect").client;
        for asked in clients::requests().iter().filter(|asked| asked.client.name == client.name) {
            let request = translate::parse(wire, asked.body()).expect("a shared request");
            for dialect in DIALECTS {
                let mut request = request.clone();
                if !matches!(dialect.client, ClientWire::OpenAiChat | ClientWire::OpenAiResponses) {
                    // As it is done before such a dialect is composed.
                    text_tools::as_functions(&mut request, &mut Notes::default());
                }
                if let Err(why) = check(dialect, &request) {
                    wrong.push(format!("{} from {} in {}: {why}", asked.case, client.name, dialect.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
