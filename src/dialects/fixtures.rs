//! The golden requests and answers, for the tests of dialects.

#[path = "../../tests/golden/class_names.rs"]
mod class_names;

use super::canonical::{
    Adapted, ErrorClass, Event, Finish, Malformed, ModelTraits, Notes, ProviderError, Request, Target, Unsupported,
    Usage,
};
use super::{anthropic_messages, gemini, openai_chat, openai_responses};
use crate::json::piece::Text;
use std::fs;
use std::path::PathBuf;

pub use class_names::class_name;

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

// ---- answers ----

/// What an answer says, put together.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    pub text: String,
    pub thoughts: String,
    pub signatures: Vec<String>,
    /// Id, name, input.
    pub calls: Vec<(String, String, String)>,
    pub extras: Vec<(String, String)>,
    pub finish: Option<String>,
    pub usage: Option<Usage>,
    pub error: Option<(ErrorClass, String)>,
    pub ended: bool,
}

impl Told {
    pub fn event(&mut self, event: Event<'_>) {
        assert!(!self.ended, "nothing follows the end: {event:?}");
        let said = |text: &Text<'_>| text.decoded().into_owned();
        match event {
            Event::Start { .. } => {}
            Event::Text { text, .. } | Event::Refusal { text, .. } => self.text.push_str(&said(&text)),
            Event::Thinking { text, .. } => self.thoughts.push_str(&said(&text)),
            Event::ThinkingSignature { signature, .. } | Event::SealedThinking { signature, .. } => {
                self.signatures.push(said(&signature.value));
            }
            Event::ToolCall { call, id, name, .. } => {
                assert_eq!(call as usize, self.calls.len());
                self.calls.push((said(&id), said(&name), String::new()));
            }
            Event::ToolArguments { call, fragment, .. } => self.calls[call as usize].2.push_str(&said(&fragment)),
            Event::Extra { name, raw, .. } => {
                self.extras.push((name.to_owned(), String::from_utf8_lossy(&raw.0).into_owned()));
            }
            Event::Finish { reason, .. } => {
                assert_eq!(self.finish, None);
                self.finish = Some(match reason {
                    Finish::Stop | Finish::StopSequence(_) => "stop".to_owned(),
                    Finish::Length | Finish::ContextFull => "length".to_owned(),
                    Finish::ToolCalls => "tool_calls".to_owned(),
                    Finish::ContentFilter => "content_filter".to_owned(),
                    Finish::Pause => "pause".to_owned(),
                    Finish::Other(reason) => said(&reason),
                });
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Error(error) => self.error = Some((error.class, said(&error.message))),
            Event::End => self.ended = true,
        }
    }
}

type Tell<'t> = &'t mut dyn FnMut(Event<'_>);
type ReadWhole = fn(&[u8], Tell<'_>) -> Result<(), Malformed>;
type ReadStream = fn(&[u8], usize, Tell<'_>) -> Result<(), Malformed>;

/// A dialect's doors: a whole answer, a stream that arrives in pieces of so many bytes, an error.
pub struct Doors {
    pub dialect: &'static str,
    pub whole: ReadWhole,
    pub stream: ReadStream,
    pub classify: for<'b> fn(u16, &toml::Table, &'b [u8]) -> ProviderError<'b>,
}

/// A golden answer, with its row in the index.
pub struct Case {
    pub name: String,
    pub row: toml::Table,
    pub is_whole: bool,
    pub bytes: Vec<u8>,
}

impl Case {
    /// A text of the row.
    pub fn says(&self, member: &str) -> Option<&str> {
        self.row.get(member).and_then(toml::Value::as_str)
    }

    /// A number of the row.
    pub fn number(&self, member: &str) -> Option<u64> {
        self.row.get(member).map(|number| number.as_integer().unwrap() as u64)
    }

    /// The status of an error.
    pub fn status(&self) -> Option<u16> {
        self.number("status").map(|status| status as u16)
    }

    /// What the row says was counted.
    pub fn usage(&self) -> Option<Usage> {
        let usage = self.row.get("usage")?;
        let count = |member: &str| usage.get(member).map_or(0, |count| count.as_integer().unwrap() as u64);
        Some(Usage {
            input_uncached: count("input"),
            cache_read: count("cache_read"),
            cache_write_short: count("cache_write_5m"),
            cache_write_long: count("cache_write_1h"),
            output: count("output"),
            reasoning: count("reasoning"),
            ..Usage::default()
        })
    }
}

/// The golden answers of a dialect.
pub fn cases(dialect: &str) -> Vec<Case> {
    let folder = golden().join("_answers").join(dialect);
    let index: toml::Table = fs::read_to_string(folder.join("cases.toml")).unwrap().parse().unwrap();
    let cases = index.into_iter().filter_map(|(name, row)| {
        let toml::Value::Table(row) = row else { return None };
        let found = ["json", "bin", "ndjson", "sse"].map(|kind| folder.join(format!("{name}.{kind}")));
        let path = found.iter().find(|path| path.exists()).unwrap_or_else(|| panic!("{name} has no file"));
        let is_whole = path.extension().is_some_and(|kind| kind == "json");
        Some(Case { row, is_whole, bytes: fs::read(path).unwrap(), name })
    });
    cases.collect()
}

/// Reads every golden answer of a dialect, holds it against its row, and answers what each said.
pub fn read_all(doors: &Doors) -> Vec<(String, Told)> {
    let mut all = Vec::new();
    for case in cases(doors.dialect) {
        let Case { name, row, is_whole, bytes } = &case;
        let error = case.says("error");
        if let Some(status) = case.status() {
            let none = toml::Table::new();
            let headers = row.get("headers").and_then(toml::Value::as_table).unwrap_or(&none);
            let classified = (doors.classify)(status, headers, bytes);
            assert_eq!(Some(class_name(classified.class)), error, "{name}");
            assert!(!classified.message.is_empty(), "{name}");
            continue;
        }
        let mut told = Told::default();
        let result = if *is_whole {
            (doors.whole)(bytes, &mut |event| told.event(event))
        } else {
            let result = (doors.stream)(bytes, usize::MAX, &mut |event| told.event(event));
            for piece in [1, 2, 3, 7, 64, 1000] {
                let mut in_pieces = Told::default();
                let again = (doors.stream)(bytes, piece, &mut |event| in_pieces.event(event));
                assert_eq!((&in_pieces, again), (&told, result), "{name} in pieces of {piece}");
            }
            result
        };
        match error {
            Some("interrupted") => assert!(result.is_err() && !told.ended, "{name}: {told:?}"),
            Some(error) => {
                assert_eq!(told.error.as_ref().map(|(class, _)| class_name(*class)), Some(error), "{name}");
                assert!(!told.ended, "{name}");
            }
            None => {
                assert_eq!((result, told.ended, &told.error), (Ok(()), true, &None), "{name}");
                assert_eq!(told.finish.as_deref(), case.says("finish"), "{name}");
                assert_eq!(told.usage, case.usage(), "{name}");
            }
        }
        all.push((name.clone(), told));
    }
    assert!(!all.is_empty());
    all
}

// ---- requests ----

type Compose = fn(&Request<'_>, &Target<'_>, &mut Notes, &mut Vec<u8>) -> Result<Adapted, Unsupported>;

/// Composes every golden request for a model. `COMPOSED` names a folder that they are written to, for the judges.
pub fn compose_all(
    dialect: &str,
    path: fn(&str, bool) -> std::borrow::Cow<'static, str>,
    model: &str,
    compose: Compose,
) {
    let mut composed = 0;
    for client in ["openai_chat", "openai_responses", "anthropic_messages", "gemini"] {
        let mut paths: Vec<_> =
            fs::read_dir(golden().join("_requests").join(client)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for file in paths {
            let text = fs::read(&file).unwrap();
            let request = match client {
                "openai_chat" => openai_chat::parse::parse(&text),
                "openai_responses" => openai_responses::parse::parse(&text),
                "anthropic_messages" => anthropic_messages::parse::parse(&text),
                _ => gemini::parse::parse(&text),
            };
            let request = request.unwrap_or_else(|invalid| panic!("{}: {invalid:?}", file.display()));
            for drops in [false, true] {
                let target = Target { model, traits: ModelTraits::default(), drops };
                let (mut notes, mut out) = (Notes::default(), Vec::new());
                let result = compose(&request, &target, &mut notes, &mut out);
                let name = file.file_stem().unwrap().to_string_lossy().into_owned();
                let said = match &result {
                    Ok(adapted) => {
                        let body: serde_json::Value = serde_json::from_slice(&out)
                            .unwrap_or_else(|error| panic!("{name}: {error}: {}", String::from_utf8_lossy(&out)));
                        composed += 1;
                        let notes: Vec<_> = notes
                            .notes
                            .iter()
                            .map(|note| format!("{:?} {}: {}", note.kind, note.param, note.says))
                            .collect();
                        let path = path(model, request.stream);
                        serde_json::json!({"path":path,"body":body,"notes":notes,"adapted":format!("{adapted:?}")})
                    }
                    Err(unsupported) => {
                        assert!(!drops, "{name}: {unsupported:?}");
                        assert!(out.is_empty(), "{name}: a request that is refused leaves nothing behind");
                        serde_json::json!({"unsupported":unsupported.param,"why":unsupported.why})
                    }
                };
                if let Ok(folder) = std::env::var("COMPOSED") {
                    let strict = if drops { "drops" } else { "strict" };
                    let folder = PathBuf::from(folder).join(dialect).join(model.replace([':', '/'], "_")).join(client);
                    fs::create_dir_all(&folder).unwrap();
                    fs::write(folder.join(format!("{name}.{strict}.json")), said.to_string()).unwrap();
                }
            }
        }
    }
    assert!(composed > 200);
}
