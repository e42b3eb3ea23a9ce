//! How providers of OpenAI's chat dialect differ from OpenAI when a request is composed for them: one value each, where they do.
//!
//! What is not known to differ is as at [`Variant::USUAL`]. Facts are those of the providers' documents and of errors that people met,
//! as of November 2026.

use crate::dialects::canonical::Effort;
use crate::dialects::openai_chat::variant::{CacheWay, CallIds, SchemaWay, ThinkingWay, ThoughtsBack, Variant};

/// OpenAI, and Azure, whose reasoning models refuse `max_tokens` just the same.
pub const OPENAI: Variant = Variant::OPENAI;

/// Azure's API versions follow OpenAI's schema with some delay; breakpoints of caches are the newest of it.
pub const AZURE: Variant = Variant { cache: CacheWay::None, ..Variant::OPENAI };

/// `random_seed`, `any`, ids of nine characters; refuses members that it does not know, schemas with `$id`, functions without parameters, and a
/// user's turn behind a tool's result ("Unexpected role 'user' after role 'tool'").
pub const MISTRAL: Variant = Variant {
    seed: Some("random_seed"),
    logprobs: false,
    user: false,
    names: false,
    strict: true,
    schema_ids: false,
    needs_parameters: true,
    needs_answer_to_results: true,
    required: Some("any"),
    call_ids: CallIds::Nine,
    thinking: ThinkingWay::None,
    prefix: true,
    extras: &[],
    ..Variant::USUAL
};

/// No schemas, tools can be forced outside of thinking; contents are strings; thoughts must come back with calls, be they empty.
pub const DEEPSEEK: Variant = Variant {
    stops_max: 16,
    several_answers: false,
    schema: SchemaWay::ToolUnlessThinking,
    plain_content: true,
    thinking: ThinkingWay::Switch,
    thoughts: ThoughtsBack::WithCalls(""),
    ..Variant::USUAL
};

/// Cannot be made to call a tool. An empty `reasoning_content` counts as a missing one, a space does not.
pub const MOONSHOT: Variant = Variant {
    schema: SchemaWay::Instructed,
    required: None,
    plain_content: true,
    thinking: ThinkingWay::Switch,
    thoughts: ThoughtsBack::WithCalls(" "),
    ..Variant::USUAL
};

/// One answer to a request, no log probabilities.
pub const GROQ: Variant = Variant {
    max_tokens: "max_completion_tokens",
    logprobs: false,
    several_answers: false,
    efforts: (Effort::None, Effort::High),
    extras: &["service_tier"],
    ..Variant::USUAL
};

/// Its reasoning models take neither stop sequences nor penalties, which the model's entry has to say.
pub const XAI: Variant = Variant { schema: SchemaWay::Native, ..Variant::USUAL };

/// Admission counts `max_completion_tokens`; schemas of a strict subset.
pub const CEREBRAS: Variant = Variant { max_tokens: "max_completion_tokens", strict: true, ..Variant::USUAL };

/// Speaks for many: an object for reasoning, Anthropic's cache hints, files.
pub const OPENROUTER: Variant = Variant {
    top_k: true,
    strict: true,
    files: true,
    audio: true,
    thinking: ThinkingWay::Reasoning,
    cache: CacheWay::Control,
    extras: &["logit_bias", "verbosity"],
    ..Variant::USUAL
};

/// `enable_thinking` and a budget; tools can be forced outside of thinking; honours `cache_control`.
pub const DASHSCOPE: Variant = Variant {
    top_k: true,
    schema: SchemaWay::ToolUnlessThinking,
    thinking: ThinkingWay::Enable,
    cache: CacheWay::Control,
    ..Variant::USUAL
};

/// Z.ai and MiniMax: no schemas, thinking is on or off.
pub const ZHIPU: Variant = Variant { schema: SchemaWay::Instructed, thinking: ThinkingWay::Switch, ..Variant::USUAL };

/// Google's endpoint of this dialect, which gives and takes thought signatures.
pub const GEMINI: Variant = Variant {
    logprobs: false,
    audio: true,
    efforts: (Effort::None, Effort::High),
    thought_signatures: true,
    ..Variant::USUAL
};

/// Cohere's endpoint of this dialect: no `n`, no choice of a tool by name, no logit bias.
pub const COHERE: Variant =
    Variant { several_answers: false, named_choice: false, parallel_switch: false, extras: &[], ..Variant::USUAL };

/// Sonar takes no tools ("Tool calling is not supported for this model") and no role `tool`; schemas without `strict`.
pub const PERPLEXITY: Variant = Variant {
    tools: false,
    logprobs: false,
    several_answers: false,
    parallel_switch: false,
    top_k: true,
    extras: &["web_search_options"],
    ..Variant::USUAL
};

/// Together, Fireworks, vLLM, SGLang and their like.
pub const OPEN_MODELS: Variant = Variant { top_k: true, ..Variant::USUAL };

/// Takes a choice of tools as a word alone: of a named one it logs "Wrong type supplied for parameter 'tool_choice'" and lets the model choose.
pub const LLAMA_CPP: Variant = Variant { named_choice: false, ..OPEN_MODELS };

/// Ollama's endpoint of this dialect. It passes over what it does not know, `top_k` among it, which its own dialect has.
pub const OLLAMA: Variant = Variant::USUAL;

/// Another gateway of this kind: thoughts go back with their signatures.
pub const GATEWAY: Variant =
    Variant { thoughts: ThoughtsBack::Blocks, thought_signatures: true, cache: CacheWay::Control, ..Variant::OPENAI };
