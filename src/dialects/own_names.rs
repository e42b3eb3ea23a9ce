//! What members are called in a client's own dialect.
//!
//! Whoever composes a request names what is refused, adapted or dropped in the words of the canonical request, which are those of OpenAI's
//! Chat Completions: composers do not know who the client is. Where the client is told, these words become its own: errors are
//! raised with them, headers and explanations are written with them. What was parsed with its own path, as members are that only one
//! dialect knows, is in no row and stays as it is.

use super::{canonical::Unsupported, endpoints::ApiEndpoint, wire::ClientWire};
use std::borrow::Cow;

/// A word of the canonical request, and what it is called in Responses, Anthropic's Messages and Gemini's generateContent. Empty: the same, or
/// the dialect has none. A name stands for what is below it, too, unless a row before it does.
type Row = (&'static str, [&'static str; 3]);

const ROWS: &[Row] = &[
    ("frequency_penalty", ["", "", "generationConfig.frequencyPenalty"]),
    ("logprobs", ["top_logprobs", "", "generationConfig.responseLogprobs"]),
    ("messages", ["input", "", "contents"]),
    ("n", ["", "", "generationConfig.candidateCount"]),
    ("parallel_tool_calls", ["", "tool_choice.disable_parallel_tool_use", ""]),
    ("presence_penalty", ["", "", "generationConfig.presencePenalty"]),
    ("reasoning.show", ["reasoning.summary", "thinking", "generationConfig.thinkingConfig.includeThoughts"]),
    ("reasoning", ["", "thinking", "generationConfig.thinkingConfig"]),
    ("reasoning_effort", ["reasoning.effort", "thinking", "generationConfig.thinkingConfig"]),
    ("response_format.json_schema", ["text.format", "output_config.format", "generationConfig.responseSchema"]),
    ("response_format", ["text.format", "output_config.format", "generationConfig.responseSchema"]),
    ("seed", ["", "", "generationConfig.seed"]),
    ("stop", ["", "stop_sequences", "generationConfig.stopSequences"]),
    ("system", ["instructions", "", "systemInstruction"]),
    ("temperature", ["", "", "generationConfig.temperature"]),
    ("tool_choice", ["", "", "toolConfig.functionCallingConfig"]),
    ("top_k", ["", "", "generationConfig.topK"]),
    ("top_logprobs", ["", "", "generationConfig.logprobs"]),
    ("top_p", ["", "", "generationConfig.topP"]),
    ("user", ["", "metadata.user_id", ""]),
];

/// The same as `own`, for whoever knows where the client asked.
pub fn of_endpoint(endpoint: ApiEndpoint, param: Cow<'static, str>) -> Cow<'static, str> {
    let client = match endpoint {
        ApiEndpoint::Responses => ClientWire::OpenAiResponses,
        ApiEndpoint::Messages | ApiEndpoint::MessagesCountTokens => ClientWire::AnthropicMessages,
        ApiEndpoint::GenerateContent | ApiEndpoint::StreamGenerateContent | ApiEndpoint::CountTokens => {
            ClientWire::GeminiContent
        }
        // The others are OpenAI's, or named nothing but their own members.
        _ => ClientWire::OpenAiChat,
    };
    own(client, param)
}

/// A member's path in the client's words. What stands in an element of a list has a form of its own in every dialect: it is the list
/// that is named then.
pub fn own(client: ClientWire, param: Cow<'static, str>) -> Cow<'static, str> {
    let column = match client {
        ClientWire::OpenAiChat => return param,
        ClientWire::OpenAiResponses => 0,
        ClientWire::AnthropicMessages => 1,
        ClientWire::GeminiContent => 2,
    };
    let found = ROWS.iter().find_map(|(word, names)| {
        let rest = param.strip_prefix(word).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']))?;
        Some((names[column], rest)).filter(|(name, _)| !name.is_empty())
    });
    match found {
        None => param,
        Some((name, rest)) if rest.is_empty() || rest.starts_with('[') => Cow::Borrowed(name),
        Some((name, rest)) => Cow::Owned([name, rest].concat()),
    }
}

/// A refusal in the client's words.
pub fn of_refusal(client: ClientWire, refusal: Unsupported) -> Unsupported {
    Unsupported { param: own(client, refusal.param), ..refusal }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ClientWire::{AnthropicMessages, GeminiContent, OpenAiChat, OpenAiResponses};

    #[test]
    fn every_client_reads_its_own_words() {
        for (client, param, expected) in [
            (OpenAiChat, "response_format.json_schema.name", "response_format.json_schema.name"),
            (OpenAiResponses, "response_format.json_schema.name", "text.format.name"),
            (OpenAiResponses, "messages.audio", "input.audio"),
            (OpenAiResponses, "messages[3].name", "input"),
            (OpenAiResponses, "reasoning_effort", "reasoning.effort"),
            (OpenAiResponses, "reasoning.show", "reasoning.summary"),
            (OpenAiResponses, "reasoning", "reasoning"),
            (OpenAiResponses, "temperature", "temperature"),
            (AnthropicMessages, "stop", "stop_sequences"),
            (AnthropicMessages, "messages[0].name", "messages[0].name"),
            (AnthropicMessages, "top_k", "top_k"),
            (GeminiContent, "top_k", "generationConfig.topK"),
            (GeminiContent, "top_p", "generationConfig.topP"),
            (GeminiContent, "stop", "generationConfig.stopSequences"),
            (GeminiContent, "tool_choice", "toolConfig.functionCallingConfig"),
            // Paths of its own, and a word that begins like another.
            (GeminiContent, "generationConfig.topK", "generationConfig.topK"),
            (GeminiContent, "safetySettings", "safetySettings"),
            (GeminiContent, "stopping", "stopping"),
        ] {
            assert_eq!(own(client, param.into()), expected, "{client:?} {param}");
        }
    }

    #[test]
    fn a_refusal_is_in_the_client_s_words() {
        let seed = || Cow::Borrowed("seed");
        assert_eq!(of_endpoint(ApiEndpoint::StreamGenerateContent, seed()), "generationConfig.seed");
        assert_eq!(of_endpoint(ApiEndpoint::ChatCompletions, seed()), "seed");
        let refusal = Unsupported { param: "seed".into(), why: "w".into() };
        let expected = Unsupported { param: "generationConfig.seed".into(), why: "w".into() };
        assert_eq!(of_refusal(GeminiContent, refusal), expected);
    }

    #[test]
    fn what_stands_below_a_word_is_found_before_it() {
        for (at, (word, _)) in ROWS.iter().enumerate() {
            let before = &ROWS[..at];
            assert!(!before.iter().any(|(other, _)| word.starts_with(&format!("{other}."))), "{word}");
        }
    }
}
