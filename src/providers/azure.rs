//! Azure's older form of OpenAI's API: a dated `api-version` in the query, and for most endpoints the deployment in the path.
//!
//! The newer form (`/openai/v1`) is OpenAI's own. Which endpoints have the deployment in their path is what OpenAI's client for Azure
//! knows (openai-python 3.54.0, `lib/azure.py`); the others take the model from the body, as in the newer form.

use super::sigv4::append_segment;

/// Endpoints of a deployment. All others are the resource's.
const DEPLOYED: &[&str] = &[
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/audio/transcriptions",
    "/audio/translations",
    "/audio/speech",
    "/images/generations",
    "/images/edits",
];

/// The first version that has the Responses API.
const RESPONSES_SINCE: &str = "2025-03-01";

/// Where the older form begins; the newer one is below it.
pub const BASE_PATH: &str = "/openai";

/// Path and query below the base URL, for OpenAI's `path`. `deployment` is the name that Azure knows the model by.
pub fn path(api_version: &str, deployment: &str, path: &str) -> String {
    let mut full = String::with_capacity(path.len() + deployment.len() + api_version.len() + 32);
    if DEPLOYED.contains(&path) {
        full.push_str("/deployments");
        append_segment(&mut full, deployment);
    }
    full.push_str(path);
    full.push_str("?api-version=");
    full.push_str(api_version);
    full
}

/// A day, or a day and `-preview`.
pub fn is_api_version(text: &str) -> bool {
    let day = text.strip_suffix("-preview").unwrap_or(text);
    day.len() == 10
        && day
            .bytes()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() })
}

/// Versions are days, and so are sorted as texts.
pub fn has_responses(api_version: &str) -> bool {
    api_version >= RESPONSES_SINCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deployment_stands_in_the_path() {
        for (deployment, below, expected) in [
            ("gpt-5", "/chat/completions", "/deployments/gpt-5/chat/completions?api-version=2024-10-21"),
            ("a b/../c?", "/embeddings", "/deployments/a%20b%2F..%2Fc%3F/embeddings?api-version=2024-10-21"),
            ("whisper", "/audio/transcriptions", "/deployments/whisper/audio/transcriptions?api-version=2024-10-21"),
            ("dall-e-3", "/images/generations", "/deployments/dall-e-3/images/generations?api-version=2024-10-21"),
            ("gpt-5", "/responses", "/responses?api-version=2024-10-21"),
        ] {
            assert_eq!(path("2024-10-21", deployment, below), expected);
        }
    }

    #[test]
    fn versions_are_days() {
        for version in ["2024-10-21", "2025-04-01-preview"] {
            assert!(is_api_version(version), "{version}");
        }
        for text in ["", "preview", "2024-10", "2024-10-21&x=y", "2024-10-21-beta", "20241021-x"] {
            assert!(!is_api_version(text), "{text}");
        }
        assert!(!has_responses("2024-10-21") && has_responses("2025-03-01-preview") && has_responses("2025-04-01"));
    }
}
