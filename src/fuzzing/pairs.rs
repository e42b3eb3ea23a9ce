//! Whatever a client says to whatever upstream, and back: every dialect's parser, composer, reader and renderer, against each other.

use super::PIECES;
use crate::{
    dialects::{
        canonical::{Facts, ModelTraits, Notes, Target},
        gemini,
        openai_chat::pass_through::Verdict,
        text_tools,
        translate::{self, Prompt, Translation},
        wire::{ClientWire, UpstreamWire},
    },
    json::scan::{Members, ScanErrorKind, scan},
};
use std::rc::Rc;

const CLIENTS: [ClientWire; 4] =
    [ClientWire::OpenAiChat, ClientWire::OpenAiResponses, ClientWire::AnthropicMessages, ClientWire::GeminiContent];

const UPSTREAMS: [UpstreamWire; 9] = [
    UpstreamWire::OpenAiChat,
    UpstreamWire::AnthropicMessages,
    UpstreamWire::GeminiContent,
    UpstreamWire::BedrockConverse,
    UpstreamWire::OpenAiResponses,
    UpstreamWire::CohereChat,
    UpstreamWire::OllamaChat,
    UpstreamWire::AnthropicRawPredict,
    UpstreamWire::AnthropicInvoke,
];

static MEMBERS: Members = Members::last_wins(&["model"]);

/// What holds a value may nest it deeper than its sender did.
fn is_well_formed(text: &[u8]) -> bool {
    scan(&MEMBERS, text).is_ok_and(|_| true)
        || scan(&MEMBERS, text).is_err_and(|error| error.kind == ScanErrorKind::TooDeep)
}

fn translation(client: ClientWire, upstream: UpstreamWire, input: &[u8]) -> Translation {
    Translation {
        client,
        upstream,
        adapted: Default::default(),
        text_tools: Vec::new(),
        facts: Facts { id: "r".to_owned(), model: "m".to_owned(), created_s: 0, usage_asked: true },
        echo: None,
        in_array: false,
        calls: 1,
        prompt: Prompt { bytes: Rc::new(input.to_vec()), start: 0, counted: None },
    }
}

/// A request of each client for each upstream, an answer and a stream of each upstream for each client: what is refused has a
/// name, what is made is well-formed, and streams are the same however they are cut.
pub fn pairs(input: &[u8]) {
    let is_object = scan(&MEMBERS, input).is_ok();
    for client in CLIENTS {
        if is_object && let Ok(mut request) = translate::parse(client, input) {
            // As the data plane does for models without tools that take a text.
            text_tools::as_functions(&mut request, &mut Notes::default());
            for upstream in UPSTREAMS {
                for traits in [ModelTraits::default(), ModelTraits { native_schema: false, ..ModelTraits::default() }] {
                    let target = Target { model: "m", traits, drops: true };
                    let (mut notes, mut out) = (Notes::default(), Vec::new());
                    let composed = translate::compose(upstream, &request, &target, &mut notes, &mut out);
                    match composed {
                        Ok(_) => {
                            assert!(is_well_formed(&out), "{client:?} to {upstream:?}: what is composed is well-formed")
                        }
                        // Schemas that refer to themselves; they cannot be left out without the answer being another one.
                        Err(refused) => assert!(!refused.param.is_empty() && !refused.why.is_empty()),
                    }
                }
            }
        }
        for upstream in UPSTREAMS {
            let mut answer = Vec::new();
            if is_object && translation(client, upstream, input).whole(input, &mut answer).is_ok() {
                assert!(answer.is_empty() || is_well_formed(&answer), "{upstream:?} to {client:?}: an answer");
            }
            let streamed = |piece| streamed(client, upstream, input, piece);
            let whole = streamed(usize::MAX);
            for piece in PIECES {
                assert_eq!(streamed(piece), whole, "{upstream:?} to {client:?}: pieces of {piece} bytes");
            }
        }
    }
    for upstream in UPSTREAMS {
        translate::classify(upstream, 400, "", input);
    }
}

fn streamed(client: ClientWire, upstream: UpstreamWire, input: &[u8], piece: usize) -> Vec<u8> {
    let prompt = if scan(&MEMBERS, input).is_ok() { input } else { b"{}" };
    let (mut stream, mut out) = (translation(client, upstream, prompt).stream(), Vec::new());
    for piece in input.chunks(piece) {
        if stream.feed(piece, &mut out) != Verdict::More {
            return out;
        }
    }
    stream.end(&mut out);
    out
}

/// What passes between a client and a provider of Gemini's API: paths, answers and streams, in both forms that clients ask for.
pub fn gemini(input: &[u8]) {
    if let Ok(path) = std::str::from_utf8(input) {
        let written = gemini::path::write(path, gemini::path::Verb::Generate);
        assert!(written.bytes().all(|byte| byte.is_ascii_graphic()), "a path has no room for two lines");
    }
    let _ = gemini::answer::Answer::read(input);
    for form in [gemini::render::Form::Events, gemini::render::Form::Array] {
        let passed = |piece| {
            let (mut pass, mut out) = (gemini::pass_through::PassThrough::new(form), Vec::new());
            for piece in input.chunks(piece) {
                if pass.feed(piece, &mut out) != Verdict::More {
                    return out;
                }
            }
            pass.end(&mut out);
            out
        };
        let whole = passed(usize::MAX);
        for piece in PIECES {
            assert_eq!(passed(piece), whole, "pieces of {piece} bytes");
        }
    }
}
