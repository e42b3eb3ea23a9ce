//! What is no chat: vectors, counts of tokens, and the paths that say what is asked for.

use crate::{
    dialects::{
        canonical::{ModelTraits, Notes, Target},
        embeddings::{self, ClientForm},
        endpoints::{self, Api},
        estimate,
        gemini::path,
        token_count,
        wire::ClientWire,
    },
    json::scan::{Members, ScanErrorKind, scan},
};

static MEMBERS: Members = Members::last_wins(&["model"]);

const VECTORS: [embeddings::UpstreamForm; 6] = [
    embeddings::UpstreamForm::OpenAi,
    embeddings::UpstreamForm::Gemini,
    embeddings::UpstreamForm::Vertex,
    embeddings::UpstreamForm::Cohere,
    embeddings::UpstreamForm::Ollama,
    embeddings::UpstreamForm::Bedrock,
];

/// Forms of Vertex AI's and of Bedrock's depend on the maker.
const MODELS: [&str; 4] = ["m", "gemini-embedding-001", "amazon.titan-embed-text-v2:0", "cohere.embed-v4:0"];

const COUNTS: [token_count::UpstreamForm; 3] =
    [token_count::UpstreamForm::Anthropic, token_count::UpstreamForm::Gemini, token_count::UpstreamForm::Vertex];

/// A request on the first line and an upstream's answer on the second, or both in one: what is made of them is well-formed, and what is refused has
/// a name. As a path the input means the same however it is asked.
pub fn beside(input: &[u8]) {
    let (request, answer) = match memchr::memchr(b'\n', input) {
        Some(end) if is_object(&input[..end]) => (&input[..end], &input[end + 1..]),
        _ => (input, input),
    };
    if is_object(request) {
        vectors(request, answer);
        counts(request, answer);
    }
    for upstream in VECTORS {
        upstream.classify(400, answer);
    }
    if let Ok(path) = std::str::from_utf8(request) {
        asked(path);
    }
}

fn is_object(text: &[u8]) -> bool {
    scan(&MEMBERS, text).is_ok()
}

/// What holds a value may nest it deeper than its sender did.
fn assert_well_formed(text: &[u8]) {
    let is_well_formed = scan(&MEMBERS, text).map_or_else(|error| error.kind == ScanErrorKind::TooDeep, |_| true);
    assert!(is_well_formed, "{}", String::from_utf8_lossy(text));
}

fn vectors(request: &[u8], answer: &[u8]) {
    for client in [ClientForm::OpenAi, ClientForm::GeminiOne, ClientForm::GeminiBatch] {
        let Ok(request) = embeddings::parse(client, request) else { continue };
        for (upstream, model) in VECTORS.iter().flat_map(|upstream| MODELS.map(|model| (*upstream, model))) {
            let target = Target { model, traits: ModelTraits::default(), drops: true };
            let (mut notes, mut out) = (Notes::default(), Vec::new());
            match embeddings::compose(upstream, &request, "golden", &target, &mut notes, &mut out) {
                Ok(composed) => {
                    assert_well_formed(&out);
                    let mut rendered = Vec::new();
                    if is_object(answer) && composed.back.whole(answer, &mut rendered).is_ok() {
                        assert_well_formed(&rendered);
                    }
                }
                Err(refused) => assert!(!refused.param.is_empty() && !refused.why.is_empty()),
            }
        }
    }
}

fn counts(request: &[u8], answer: &[u8]) {
    for client in [ClientWire::AnthropicMessages, ClientWire::GeminiContent] {
        let Ok(parsed) = token_count::parse(client, request) else { continue };
        let mut estimated = Vec::new();
        token_count::render(client, estimate::of_request(request), &mut estimated);
        assert_well_formed(&estimated);
        for upstream in COUNTS {
            let target = Target { model: "m", traits: ModelTraits::default(), drops: true };
            let (mut notes, mut out) = (Notes::default(), Vec::new());
            if token_count::compose(upstream, &parsed, &target, &mut notes, &mut out).is_ok() {
                assert_well_formed(&out);
            }
            let mut rendered = Vec::new();
            let back = token_count::WayBack { client, upstream };
            if is_object(answer) && back.whole(answer, &mut rendered).is_ok() {
                assert_well_formed(&rendered);
            }
        }
    }
}

fn asked(path: &str) {
    for method in ["GET", "POST", "DELETE"] {
        if let Ok(endpoints::Route::Named(entry, model)) = endpoints::route(method, path) {
            assert!(entry.method == method && !model.is_empty() && path.contains(model));
        }
        endpoints::api(path, Api::OpenAi);
    }
    if let Some(below) = endpoints::explained(path) {
        assert!(below.starts_with('/'));
    }
    let Some((model, verb)) = path::read(path) else { return };
    // What is written of a name is read as that name.
    let Some(name) = endpoints::percent_decoded(model).filter(|name| !name.starts_with("models/")) else { return };
    let written = path::write(&name, verb);
    let written = written.split('?').next().unwrap_or_default();
    let is_collection = ["publishers/", "endpoints/"].iter().any(|with| name.starts_with(with));
    if let Some((model, same)) = path::read(written) {
        assert_eq!((endpoints::percent_decoded(model), same), (Some(name), verb));
    } else {
        assert!(is_collection, "{written}");
    }
}
