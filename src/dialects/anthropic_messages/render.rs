//! Writes an answer for a client of the Messages API: as a stream of events ([`Stream`]) or whole ([`Whole`]).
//!
//! Blocks open and close as kinds change. A stream begins before usage is known: `message_start` says zero, `message_delta` the true
//! counts, which official SDKs take over. A stop reason of an answer that called tools is `tool_use`, also where the upstream says
//! that it merely stopped. Thoughts and calls carry other providers' signatures as [`super::carried`] says.
//!
//! Answers have one choice here; what others say is left out, and so is what only OpenAI's dialects have a place for.

mod held;
mod stream;
mod whole;

pub use stream::Stream;
pub use whole::Whole;

use crate::{
    dialects::canonical::{ErrorClass, Facts, Finish, ProviderError, Usage},
    json::{piece::Text, write::Writer},
};

/// Prefix of the ids of messages.
const ID_PREFIX: &str = "msg_";

/// What begins a message, without its brace, up to its content.
fn write_identity(json: &mut Writer<'_>, facts: &Facts) {
    let id = facts.id.strip_prefix(ID_PREFIX).unwrap_or(&facts.id);
    json.name("id").text(&Text::plain(format!("{ID_PREFIX}{id}")));
    json.name("type").string("message").name("role").string("assistant").name("model").string(&facts.model);
}

/// Why an answer ended.
#[derive(Debug, Default)]
struct Ending {
    reason: Option<Reason>,
    has_calls: bool,
}

#[derive(Debug)]
enum Reason {
    Known(&'static str),
    /// The sequence, escaped.
    Sequence(Vec<u8>),
    /// Carried, escaped.
    Other(Vec<u8>),
}

impl Ending {
    fn take(&mut self, finish: &Finish<'_>) {
        let escaped = |text: &Text<'_>| {
            let mut escaped = Vec::new();
            text.append_escaped(&mut escaped);
            escaped
        };
        self.reason = Some(match finish {
            Finish::Stop => Reason::Known("end_turn"),
            Finish::StopSequence(sequence) => Reason::Sequence(escaped(sequence)),
            Finish::Length => Reason::Known("max_tokens"),
            Finish::ContextFull => Reason::Known("model_context_window_exceeded"),
            Finish::ToolCalls => Reason::Known("tool_use"),
            Finish::ContentFilter => Reason::Known("refusal"),
            Finish::Pause => Reason::Known("pause_turn"),
            Finish::Other(reason) => Reason::Other(escaped(reason)),
        });
    }

    /// `"stop_reason":...,"stop_sequence":...`
    fn write(&self, json: &mut Writer<'_>) {
        let text = |escaped: &[u8], json: &mut Writer<'_>| {
            json.json(b"\"");
            json.out.extend_from_slice(escaped);
            json.out.push(b'"');
        };
        json.name("stop_reason");
        match &self.reason {
            None | Some(Reason::Known("end_turn")) => {
                json.string(if self.has_calls { "tool_use" } else { "end_turn" });
            }
            Some(Reason::Known(reason)) => {
                json.string(reason);
            }
            Some(Reason::Sequence(_)) => {
                json.string("stop_sequence");
            }
            Some(Reason::Other(reason)) => text(reason, json),
        }
        json.name("stop_sequence");
        match &self.reason {
            Some(Reason::Sequence(sequence)) => text(sequence, json),
            _ => {
                json.null();
            }
        }
    }
}

/// The value of `usage`. Of a stream's end it has no split of what was written to caches.
fn write_usage(json: &mut Writer<'_>, usage: &Usage, is_whole: bool) {
    json.open_object().name("input_tokens").number(usage.input_uncached);
    json.name("cache_creation_input_tokens").number(usage.cache_write());
    json.name("cache_read_input_tokens").number(usage.cache_read);
    if is_whole {
        json.name("cache_creation").open_object();
        json.name("ephemeral_5m_input_tokens").number(usage.cache_write_short);
        json.name("ephemeral_1h_input_tokens").number(usage.cache_write_long).close_object();
    }
    json.name("output_tokens").number(usage.output);
    if usage.reasoning > 0 {
        json.name("output_tokens_details").open_object();
        json.name("thinking_tokens").number(usage.reasoning).close_object();
    }
    json.close_object();
}

/// `{"type":"error",...}`, for a failure in the middle of an answer.
fn write_error(json: &mut Writer<'_>, error: &ProviderError<'_>) {
    let (kind, usual) = match error.class {
        ErrorClass::InvalidRequest | ErrorClass::Unsupported => {
            ("invalid_request_error", "The model's provider does not take the request.")
        }
        ErrorClass::ContentPolicy => ("invalid_request_error", "The model's provider declines by its content policy."),
        ErrorClass::ContextLength => ("invalid_request_error", "The prompt is longer than the model's context."),
        // It is the operator's, so the client's key is not at fault, and what is said may repeat the other.
        ErrorClass::Credential => ("api_error", "The model's provider does not accept the gateway's credential."),
        ErrorClass::NotFound => ("not_found_error", "The model's provider does not know the model."),
        ErrorClass::RateLimited => ("rate_limit_error", "The model's provider limits the rate of requests."),
        ErrorClass::Quota => ("rate_limit_error", "The gateway's quota at the model's provider is used up."),
        ErrorClass::Overloaded => ("overloaded_error", "The model's provider is overloaded."),
        ErrorClass::Timeout => ("timeout_error", "The model's provider took too long."),
        ErrorClass::TooLarge => ("request_too_large", "The request is too large for the model's provider."),
        ErrorClass::Server => ("api_error", "The model's provider failed."),
    };
    json.open_object().name("type").string("error").name("error").open_object().name("type").string(kind);
    json.name("message");
    if error.message.is_empty() || error.class == ErrorClass::Credential {
        json.string(usual);
    } else {
        json.text(&error.message);
    }
    json.close_object().close_object();
}

#[cfg(test)]
mod tests;
