//! Writes an answer for a client of this dialect: as a stream of events ([`Stream`]) or whole ([`Whole`]).
//!
//! An answer is a list of items: thoughts (shown as a summary, which is what clients of this API show), messages, calls. What proves thoughts
//! stands in `encrypted_content` (see [`super::carried`]), and that of a call in an item of its own before it. Strings are copied as they
//! were escaped.
//!
//! Answers have one choice here; what others say is left out. Every member that the API's schema demands is there; what the
//! request said is repeated ([`super::echo`]).

use super::carried::{self, Of};
use super::echo::Echo;
use crate::dialects::canonical::{ErrorClass, Event, Facts, Finish, Origin, Signature, Usage};
use crate::error::Failure;
use crate::json::piece::Text;
use crate::json::write::Writer;
use answer::Answer;

mod answer;
mod item;

/// A stream of events that is being written.
#[derive(Debug)]
pub struct Stream {
    answer: Answer,
}

impl Stream {
    pub fn new(facts: Facts) -> Stream {
        Stream::repeating(facts, Echo::default())
    }

    /// A stream that repeats what the request said, and knows its tools.
    pub fn repeating(facts: Facts, echo: Echo) -> Stream {
        Stream { answer: Answer::new(facts, echo, true) }
    }

    /// Appends the events that `event` is.
    pub fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.answer.event(event, out);
    }

    /// Appends the end of a stream that failed. Nothing follows it.
    pub fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>) {
        self.answer.fail(failure.code(), &Text::plain(failure.message()), out);
    }
}

/// An answer that is being put together.
#[derive(Debug)]
pub struct Whole {
    answer: Answer,
}

impl Whole {
    pub fn new(facts: Facts) -> Whole {
        Whole::repeating(facts, Echo::default())
    }

    /// An answer that repeats what the request said, and knows its tools.
    pub fn repeating(facts: Facts, echo: Echo) -> Whole {
        Whole { answer: Answer::new(facts, echo, false) }
    }

    /// Takes the next step of the answer. An error is not part of it: who sees one answers with that.
    pub fn event(&mut self, event: &Event<'_>) {
        // Nothing is written before the end, so this is never filled.
        self.answer.event(event, &mut Vec::new());
    }

    /// Appends the answer.
    pub fn finish(self, out: &mut Vec<u8>) {
        self.answer.finish(out);
    }
}

/// The value of `usage`. Cached input is part of the input here, and reasoning of the output.
fn write_usage(json: &mut Writer<'_>, usage: &Usage) {
    json.open_object().name("input_tokens").number(usage.input());
    json.name("input_tokens_details").open_object();
    json.name("cached_tokens").number(usage.cache_read);
    json.name("cache_write_tokens").number(usage.cache_write()).close_object();
    json.name("output_tokens").number(usage.output);
    json.name("output_tokens_details").open_object();
    json.name("reasoning_tokens").number(usage.reasoning).close_object();
    json.name("total_tokens").number(usage.total()).close_object();
}

/// How an answer ended: its status, and why it is incomplete if it is.
#[derive(Debug)]
enum Ending {
    Completed,
    Incomplete(&'static str),
    /// For a reason that no table knows, escaped.
    Other(Vec<u8>),
}

impl Ending {
    fn of(finish: &Finish<'_>) -> Ending {
        match finish {
            Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls => Ending::Completed,
            // A paused turn is cut short too; what there is of it can be sent again.
            Finish::Length | Finish::ContextFull | Finish::Pause => Ending::Incomplete("max_output_tokens"),
            Finish::ContentFilter => Ending::Incomplete("content_filter"),
            Finish::Other(reason) => {
                let mut escaped = Vec::new();
                reason.append_escaped(&mut escaped);
                Ending::Other(escaped)
            }
        }
    }

    fn status(&self) -> &'static str {
        match self {
            Ending::Completed => "completed",
            Ending::Incomplete(_) | Ending::Other(_) => "incomplete",
        }
    }
}

/// `error.code`, and what is said where the provider says nothing or what it says is about our account.
fn error_words(class: ErrorClass) -> (&'static str, &'static str) {
    match class {
        ErrorClass::InvalidRequest => ("invalid_prompt", "The model's provider does not take the request."),
        ErrorClass::Credential => {
            ("upstream_credential", "The model's provider does not accept the gateway's credential.")
        }
        ErrorClass::NotFound => ("model_not_found", "The model's provider does not know the model."),
        ErrorClass::RateLimited => {
            ("rate_limit_exceeded", "The model's provider limits the rate of requests right now.")
        }
        ErrorClass::Quota => ("insufficient_quota", "The gateway's account at the model's provider is used up."),
        ErrorClass::Overloaded => ("server_is_overloaded", "The model's provider is overloaded. Try again later."),
        ErrorClass::Timeout => ("timeout", "The model's provider took too long."),
        ErrorClass::ContentPolicy => ("content_filter", "The model's provider refused the content."),
        ErrorClass::ContextLength => ("context_length_exceeded", "The prompt is longer than the model's context."),
        ErrorClass::TooLarge => ("request_too_large", "The request is too large for the model's provider."),
        ErrorClass::Unsupported => ("unsupported_parameter", "The model does not know something that was asked for."),
        ErrorClass::Server => ("server_error", "The model's provider failed."),
    }
}

/// The members of a reasoning item that carry a signature: its id, unless it has one already, and `encrypted_content`.
fn write_signature(json: &mut Writer<'_>, signature: &Signature<'_>, of: Of, id: &str) {
    if signature.origin != Origin::OpenAi || of == Of::Call {
        json.name("id").string(id).name("encrypted_content");
        carried::write(json, signature, of);
        return;
    }
    let (own, value) = carried::id_and_value(&signature.value);
    match own {
        Some(own) => json.name("id").text(&Text::Escaped(own.into())),
        None => json.name("id").string(id),
    };
    json.name("encrypted_content").text(&Text::Escaped(value.into()));
}

#[cfg(test)]
mod tests;
