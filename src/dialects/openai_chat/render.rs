//! Writes an answer for a client of this dialect: as a stream of chunks ([`Stream`]) or whole ([`Whole`]).
//!
//! What this dialect has no place for has one in the fields that servers of it agreed on: thoughts are `reasoning_content`, what
//! proves them stands in `thinking_blocks`, and the proof of a call in its `extra_content` (see [`super::signatures`]). Strings
//! are copied as they were escaped.
//!
//! A call of a tool whose input is a text is a `custom` one. A client that sent `functions` gets `function_call`, which has no id and no place
//! for a proof, and is the only one of its choice.
//!
//! Every member that OpenAI's schema requires is there, as null where there is nothing: `refusal`, `logprobs`, in chunks `usage` if
//! usage was asked for.

use crate::dialects::canonical::{CallForms, ErrorClass, Finish, ProviderError, Usage};
use crate::json::piece::Text;
use crate::json::strings;
use crate::json::write::Writer;

pub use stream::Stream;
pub use whole::Whole;

mod stream;
mod whole;

/// Prefix of the ids of answers.
const ID_PREFIX: &str = "chatcmpl-";

/// What begins an answer and each of its chunks. `object` is what stands between the id and the time.
///
/// As everywhere here in pieces as long as they can be: each piece costs as much as a member.
fn write_identity(json: &mut Writer<'_>, facts: &crate::dialects::canonical::Facts, object: &[u8]) {
    json.json(br#"{"id":"chatcmpl-"#);
    strings::write_escaped(json.out, facts.id.strip_prefix(ID_PREFIX).unwrap_or(&facts.id));
    json.out.extend_from_slice(object);
    json.number(facts.created_s).json(br#""model":"#).string(&facts.model);
}

/// The value of `finish_reason`; one that is not known is carried.
fn write_finish(json: &mut Writer<'_>, finish: &Finish<'_>, forms: &CallForms) {
    let name: &[u8] = match finish {
        Finish::Stop | Finish::StopSequence(_) => br#""stop""#,
        // A paused turn is cut short too; what there is of it can be sent again.
        Finish::Length | Finish::ContextFull | Finish::Pause => br#""length""#,
        Finish::ToolCalls if forms.as_function_call => br#""function_call""#,
        Finish::ToolCalls => br#""tool_calls""#,
        Finish::ContentFilter => br#""content_filter""#,
        Finish::Other(reason) => {
            json.text(reason);
            return;
        }
    };
    json.json(name);
}

/// The value of `usage`. Cached input is part of the prompt here, and reasoning of the completion.
fn write_usage(json: &mut Writer<'_>, usage: &Usage) {
    json.json(br#"{"prompt_tokens":"#).number(usage.input());
    json.json(br#""completion_tokens":"#).number(usage.output);
    json.json(br#""total_tokens":"#).number(usage.total());
    json.json(br#""prompt_tokens_details":{"cached_tokens":"#).number(usage.cache_read);
    if usage.cache_write() > 0 {
        json.name("cache_write_tokens").number(usage.cache_write());
    }
    json.json(br#""audio_tokens":"#).number(usage.input_audio);
    json.out.extend_from_slice(br#"},"completion_tokens_details":{"reasoning_tokens":"#);
    json.number(usage.reasoning).json(br#""audio_tokens":"#).number(usage.output_audio);
    json.json(br#""accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#);
}

/// `{"error":{...}}`, for a failure in the middle of an answer.
fn write_error(json: &mut Writer<'_>, error: &ProviderError<'_>) {
    let (kind, code, usual) = error_words(error.class);
    json.open_object().name("error").open_object().name("message");
    if error.message.is_empty() {
        json.string(usual);
    } else {
        json.text(&error.message);
    }
    json.name("type").string(kind).name("param").null().name("code").string(code);
    json.close_object().close_object();
}

/// `type`, `code`, and what is said where the provider says nothing.
fn error_words(class: ErrorClass) -> (&'static str, &'static str, &'static str) {
    match class {
        ErrorClass::InvalidRequest => {
            ("invalid_request_error", "invalid_request", "The model's provider refused the request.")
        }
        ErrorClass::Credential => {
            ("server_error", "upstream_credential", "The model's provider does not accept the gateway's credential.")
        }
        ErrorClass::NotFound => {
            ("invalid_request_error", "model_not_found", "The model's provider does not know the model.")
        }
        ErrorClass::RateLimited => {
            ("rate_limit_error", "rate_limit_exceeded", "The model's provider limits the rate of requests right now.")
        }
        ErrorClass::Quota => {
            ("insufficient_quota", "insufficient_quota", "The gateway's account at the model's provider is used up.")
        }
        ErrorClass::Overloaded => {
            ("server_error", "server_is_overloaded", "The model's provider is overloaded. Try again later.")
        }
        ErrorClass::Timeout => ("server_error", "timeout", "The model's provider took too long."),
        ErrorClass::ContentPolicy => {
            ("invalid_request_error", "content_filter", "The model's provider refused the content.")
        }
        ErrorClass::ContextLength => {
            ("invalid_request_error", "context_length_exceeded", "The prompt is longer than the model's context.")
        }
        ErrorClass::TooLarge => ("invalid_request_error", "request_too_large", "The request is too large."),
        ErrorClass::Unsupported => {
            ("invalid_request_error", "unsupported_parameter", "The model does not know something that was asked for.")
        }
        ErrorClass::Server => ("server_error", "upstream_error", "The model's provider failed."),
    }
}

impl CallForms {
    /// Is the call of this tool one with a text?
    #[inline]
    fn is_text(&self, name: &Text<'_>) -> bool {
        self.text_tools.iter().any(|tool| name.says(tool))
    }
}

/// The id of a call that its provider gave none: clients send it back with the result.
fn write_call_id(json: &mut Writer<'_>, given: &Text<'_>, answer: &str, choice: u32, call: u32) {
    if !given.is_empty() {
        json.text(given);
        return;
    }
    let mut digits = (itoa::Buffer::new(), itoa::Buffer::new());
    json.string("call_");
    json.out.pop();
    Text::plain(answer.strip_prefix(ID_PREFIX).unwrap_or(answer)).append_escaped(json.out);
    for number in [digits.0.format(choice), digits.1.format(call)] {
        json.out.push(b'_');
        json.out.extend_from_slice(number.as_bytes());
    }
    json.out.push(b'"');
}

#[cfg(test)]
mod tests;
