//! How much a model should think, in the two forms that the API has.
//!
//! Models with an effort take `thinking: adaptive` and `output_config.effort`; older ones a budget of at least 1,024 tokens within
//! `max_tokens`. Efforts and budgets stand for each other by the tables of the canonical superset.
//!
//! Thinking gives way, noted, where the API refuses it: beside a tool that is forced; with a budget, where the limit leaves no room
//! for it, or where the turn in progress called tools and did not bring its thoughts back.

use super::turns::is_sendable;
use crate::dialects::canonical::{Effort, Message, Notes, PartBody, Reasoning, Role, Target};
use crate::json::write::Writer;

/// The least budget that is accepted.
const BUDGET_TOKENS_MIN: u64 = 1_024;

/// What `thinking` and `output_config.effort` say.
pub struct Thinking {
    form: Form,
    pub effort: Option<&'static str>,
}

enum Form {
    Unsaid,
    Disabled,
    Adaptive { show: Option<bool> },
    Enabled { budget_tokens: u64, show: Option<bool> },
}

impl Thinking {
    /// `limit` is that of the output, in tokens; `is_forced`: the model has to call a tool.
    pub fn of(
        reasoning: Option<&Reasoning>,
        limit: u64,
        is_forced: bool,
        messages: &[Message<'_>],
        target: &Target<'_>,
        notes: &mut Notes,
    ) -> Thinking {
        let unsaid = Thinking { form: Form::Unsaid, effort: None };
        let Some(Reasoning { effort, budget_tokens, show }) = reasoning else { return unsaid };
        let (effort, budget_tokens, show) = (*effort, *budget_tokens, *show);
        if effort == Some(Effort::None) || effort.is_none() && budget_tokens == Some(0) {
            return Thinking { form: Form::Disabled, effort: None };
        }
        if target.traits.effort {
            let asked = effort.or_else(|| {
                let budget_tokens = budget_tokens?;
                notes.adapted("thinking.budget_tokens", "The model takes an effort instead of a budget.");
                Some(Effort::of_budget(budget_tokens))
            });
            if asked == Some(Effort::Minimal) {
                notes.adapted("reasoning_effort", "Anthropic's least effort is 'low'.");
            }
            let effort = asked.map(|asked| asked.max(Effort::Low).name());
            if is_forced {
                notes.adapted("reasoning_effort", FORCED);
                return Thinking { effort, ..unsaid };
            }
            return Thinking { form: Form::Adaptive { show }, effort };
        }
        if is_forced {
            notes.adapted("reasoning_effort", FORCED);
            return unsaid;
        }
        if lacks_thoughts(messages) {
            notes.adapted(
                "reasoning_effort",
                "The turn in progress called tools without its thoughts; it ends without thinking.",
            );
            return unsaid;
        }
        let asked = budget_tokens.unwrap_or_else(|| effort.unwrap_or(Effort::High).budget_tokens());
        let mut budget_tokens = asked.max(BUDGET_TOKENS_MIN);
        if budget_tokens >= limit {
            if limit <= BUDGET_TOKENS_MIN {
                notes.adapted("reasoning_effort", "The output limit leaves no room to think.");
                return unsaid;
            }
            notes.adapted("reasoning_effort", "The output limit leaves less room to think.");
            // Half of it: what is thought leaves as much for the answer.
            budget_tokens = (limit / 2).max(BUDGET_TOKENS_MIN);
        }
        Thinking { form: Form::Enabled { budget_tokens, show }, effort: None }
    }

    pub fn is_on(&self) -> bool {
        matches!(self.form, Form::Adaptive { .. } | Form::Enabled { .. })
    }
}

const FORCED: &str = "Anthropic's models do not think where a tool is forced.";

impl Thinking {
    /// Writes the member `thinking`, if it is said.
    pub fn write(&self, json: &mut Writer<'_>) {
        let (form, budget_tokens, display) = match self.form {
            Form::Unsaid => return,
            Form::Disabled => ("disabled", None, None),
            // Unless it is said, some models show nothing, and who asks for thinking elsewhere sees it.
            Form::Adaptive { show } => {
                ("adaptive", None, Some(if show == Some(false) { "omitted" } else { "summarized" }))
            }
            // With a budget they are shown unless it is said.
            Form::Enabled { budget_tokens, show } => {
                ("enabled", Some(budget_tokens), (show == Some(false)).then_some("omitted"))
            }
        };
        let json = json.name("thinking").open_object().name("type").string(form);
        if let Some(budget_tokens) = budget_tokens {
            json.name("budget_tokens").number(budget_tokens);
        }
        if let Some(display) = display {
            json.name("display").string(display);
        }
        json.close_object();
    }
}

/// Did the turn that is in progress (its tool results are the last thing said) call tools without thoughts before them?
fn lacks_thoughts(messages: &[Message<'_>]) -> bool {
    let by_model = |message: &&Message<'_>| message.role == Role::Assistant;
    let results = messages.iter().rev().take_while(|message| !by_model(message));
    let has_results =
        results.flat_map(|message| &message.parts).any(|part| matches!(part.body, PartBody::ToolResult(_)));
    let turn = messages.iter().rev().skip_while(|message| !by_model(message)).take_while(by_model);
    let first = turn.last().and_then(|message| message.parts.first());
    has_results && !first.is_some_and(|part| is_sendable(&part.body))
}
