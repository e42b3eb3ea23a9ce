//! The golden requests and answers of this dialect: each request composes to what it says, each answer reads as its row of
//! `cases.toml` says, whole and in pieces.

#![allow(clippy::disallowed_methods)]

use super::fixtures::line;
use super::{classify, compose, parse, read};
use crate::dialects::canonical::{ErrorClass, Event, Finish, Malformed, ModelTraits, Notes, Target, Usage};
use crate::dialects::fixtures;
use crate::limits::SSE_EVENT_BYTES_MAX;
use crate::sse::split::Splitter;
use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};

fn golden(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder)
}

fn compact(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

#[test]
fn each_golden_request_composes_to_what_it_says() {
    let mut count = 0;
    for entry in fs::read_dir(golden("_requests/gemini")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let case = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let request = parse::parse(text.as_bytes()).unwrap_or_else(|invalid| panic!("{case}: {invalid:?}"));
        // Penalties are for models before Gemini 3, and so are budgets.
        let older = matches!(case.as_str(), "sampling_penalties" | "reasoning_budget" | "reasoning_off");
        let traits = ModelTraits { call_ids: !older, effort: !older, ..ModelTraits::default() };
        let (mut notes, mut out) = (Notes::default(), Vec::new());
        let target = Target { model: "golden", traits, drops: false };
        compose::compose(&request, &target, &mut notes, &mut out)
            .unwrap_or_else(|refused| panic!("{case}: {refused:?}"));
        let composed = compact(std::str::from_utf8(&out).unwrap());
        match case.as_str() {
            // Said otherwise: names in one spelling, turns of one role together, results in order, no signature where there was none.
            "snake_case_names" => assert_eq!(composed["generationConfig"]["maxOutputTokens"], 64),
            "same_role_twice" => assert_eq!(composed["contents"][0]["parts"].as_array().unwrap().len(), 2),
            _ => assert_eq!(members(&composed), members(&compact(&text)), "{case}"),
        }
        count += 1;
    }
    assert!(count > 40, "{count}");
}

/// The names of a body's members, and of its turns' parts: what a golden request has must not vanish.
fn members(body: &Json) -> Vec<String> {
    let mut names: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    for content in body["contents"].as_array().unwrap() {
        for part in content["parts"].as_array().unwrap() {
            let name = part
                .as_object()
                .unwrap()
                .keys()
                .find(|name| !["thoughtSignature", "thought", "mediaResolution"].contains(&name.as_str()));
            names.push(name.unwrap().clone());
        }
    }
    let config = body["generationConfig"].as_object().into_iter().flat_map(|config| config.keys().cloned());
    names.extend(config);
    names.sort();
    names
}

#[derive(Debug, Default, PartialEq)]
struct Outcome {
    finish: Option<String>,
    usage: Option<Usage>,
    error: Option<ErrorClass>,
    complete: bool,
}

impl Outcome {
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Finish { reason, .. } => {
                let name = match reason {
                    Finish::Stop => "stop",
                    Finish::Length => "length",
                    Finish::ToolCalls => "tool_calls",
                    Finish::ContentFilter => "content_filter",
                    other => panic!("{other:?}"),
                };
                self.finish = Some(name.to_owned());
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Error(error) => self.error = Some(error.class),
            Event::End => self.complete = true,
            _ => {}
        }
    }
}

fn streamed(stream: &[u8], bytes: usize) -> (Outcome, Vec<String>) {
    let (mut outcome, mut lines, mut reader) = (Outcome::default(), Vec::new(), read::Reader::default());
    let mut tell = |event: Event<'_>| {
        lines.push(line(&event));
        outcome.take(&event);
    };
    let mut splitter = Splitter::new(SSE_EVENT_BYTES_MAX);
    for piece in stream.chunks(bytes) {
        let mut feed = splitter.feed(piece);
        while let Some(event) = feed.next().unwrap() {
            reader.frame(event.name, event.data, &mut tell).unwrap();
        }
    }
    let _: Result<(), Malformed> = reader.end(&mut tell);
    (outcome, lines)
}

#[test]
fn each_golden_answer_is_read_as_its_row_says() {
    for case in fixtures::cases("gemini") {
        let name = &case.name;
        let outcome = if !case.is_whole {
            let (outcome, lines) = streamed(&case.bytes, usize::MAX);
            for bytes in [1, 2, 3, 7] {
                assert_eq!(streamed(&case.bytes, bytes).1, lines, "{name} in pieces of {bytes}");
            }
            outcome
        } else {
            let mut outcome = Outcome::default();
            if let Some(status) = case.status() {
                let error = classify::classify(status, &case.bytes);
                assert!(!error.message.is_empty(), "{name}");
                assert_eq!(error.retry_after_ms, case.number("retry_after_ms"), "{name}");
                outcome.error = Some(error.class);
            } else {
                read::whole(&case.bytes, &mut |event| outcome.take(&event)).unwrap();
            }
            outcome
        };
        let class = outcome.error.map(fixtures::class_name);
        let class = class.or((!outcome.complete).then_some("interrupted"));
        assert_eq!((outcome.finish.as_deref(), class), (case.says("finish"), case.says("error")), "{name}");
        if case.usage().is_some() {
            assert_eq!(outcome.usage, case.usage(), "{name}");
        }
    }
}
