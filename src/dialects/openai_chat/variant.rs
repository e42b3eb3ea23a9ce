//! How the servers differ that say they speak this dialect: as data, so that composing knows no provider.
//!
//! The default is OpenAI itself, whose schema is the widest. [`Variant::USUAL`] is what nearly every compatible server takes; a
//! provider's own differences are one entry of `providers`.

use crate::dialects::canonical::Effort;

/// What one server takes, and how it calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// `max_completion_tokens`, or the older `max_tokens`.
    pub max_tokens: &'static str,
    /// `seed` or `random_seed`.
    pub seed: Option<&'static str>,
    /// Most stop sequences; 0 for none at all.
    pub stops_max: usize,
    /// Takes `stream_options.include_usage`; others send usage unasked. Of a deployment it is what its account's quirks say, as for
    /// requests that pass through.
    pub stream_usage: bool,
    pub top_k: bool,
    /// Takes `frequency_penalty` and `presence_penalty`.
    pub penalties: bool,
    pub logprobs: bool,
    /// Takes `n` above 1.
    pub several_answers: bool,
    /// Takes `user`.
    pub user: bool,
    /// Takes the `name` of a participant.
    pub names: bool,
    /// Takes tools, and turns that call them or answer.
    pub tools: bool,
    pub schema: SchemaWay,
    /// Takes `strict`, in functions and schemas.
    pub strict: bool,
    /// Takes schemas with `$schema` and `$id`.
    pub schema_ids: bool,
    /// Demands `parameters` of functions that have none.
    pub needs_parameters: bool,
    /// Demands a turn of the assistant's between a tool's result and what the user says.
    pub needs_answer_to_results: bool,
    /// How `tool_choice` says that some tool has to be called; `None`: it cannot.
    pub required: Option<&'static str>,
    /// Takes `tool_choice` with the name of a function.
    pub named_choice: bool,
    /// Takes `allowed_tools`; otherwise the others are left out of `tools`.
    pub allowed_tools: bool,
    /// Takes tools whose input is a text.
    pub custom_tools: bool,
    /// Takes `parallel_tool_calls`.
    pub parallel_switch: bool,
    pub call_ids: CallIds,
    /// Contents are one string unless there is more than text.
    pub plain_content: bool,
    /// Takes parts of type `file`.
    pub files: bool,
    /// Takes parts of type `input_audio`.
    pub audio: bool,
    /// Takes `refusal` in an assistant's message.
    pub refusals: bool,
    pub thinking: ThinkingWay,
    /// The least and the most `reasoning_effort` that there is.
    pub efforts: (Effort, Effort),
    pub thoughts: ThoughtsBack,
    /// Takes `extra_content.google.thought_signature` back.
    pub thought_signatures: bool,
    pub cache: CacheWay,
    /// Goes on with an assistant's last message if that has `"prefix":true`.
    pub prefix: bool,
    /// Members at the top that it takes as a client wrote them.
    pub extras: &'static [&'static str],
}

/// How an answer in the form of a schema is had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaWay {
    /// `response_format` of type `json_schema`.
    Native,
    /// A tool is forced whose input is the answer.
    Tool,
    /// `json_object`, and the schema in the system prompt. Nothing enforces it.
    Instructed,
    /// The tool where the model does not think; a thinking one refuses to be forced and is instructed.
    ToolUnlessThinking,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallIds {
    /// At most 40 characters: "Expected a string with maximum length 40".
    Short,
    /// Exactly nine letters and digits: "must be a-z, A-Z, 0-9, with a length of 9".
    Nine,
}

/// How thinking is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingWay {
    /// `reasoning_effort`.
    Effort,
    /// `"reasoning":{"effort"|"max_tokens","exclude"}`.
    Reasoning,
    /// `"thinking":{"type":"enabled"|"disabled"}`.
    Switch,
    /// `enable_thinking` and `thinking_budget`.
    Enable,
    None,
}

/// What of its earlier thoughts goes back to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThoughtsBack {
    Never,
    /// `reasoning_content` in every turn that has thoughts.
    Content,
    /// `reasoning_content` in every turn that calls tools, with this text where it has none: without it such turns are refused.
    WithCalls(&'static str),
    /// `reasoning_content` and `thinking_blocks` with their signatures.
    Blocks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheWay {
    /// `prompt_cache_breakpoint` in parts.
    Breakpoint,
    /// Anthropic's `cache_control` in parts and tools.
    Control,
    /// The server caches by itself, or not at all.
    None,
}

impl Variant {
    /// OpenAI's own schema.
    pub const OPENAI: Variant = Variant {
        max_tokens: "max_completion_tokens",
        seed: Some("seed"),
        stops_max: 4,
        stream_usage: true,
        top_k: false,
        penalties: true,
        logprobs: true,
        several_answers: true,
        user: true,
        names: true,
        tools: true,
        schema: SchemaWay::Native,
        strict: true,
        schema_ids: true,
        needs_parameters: false,
        needs_answer_to_results: false,
        required: Some("required"),
        named_choice: true,
        allowed_tools: true,
        custom_tools: true,
        parallel_switch: true,
        call_ids: CallIds::Short,
        plain_content: false,
        files: true,
        audio: true,
        refusals: true,
        thinking: ThinkingWay::Effort,
        efforts: (Effort::None, Effort::Max),
        thoughts: ThoughtsBack::Never,
        thought_signatures: false,
        cache: CacheWay::Breakpoint,
        prefix: false,
        extras: &[
            "store",
            "metadata",
            "service_tier",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "logit_bias",
            "verbosity",
            "modalities",
            "audio",
            "prediction",
            "web_search_options",
            "moderation",
        ],
    };

    /// A compatible server of which nothing else is known.
    pub const USUAL: Variant = Variant {
        max_tokens: "max_tokens",
        strict: false,
        allowed_tools: false,
        custom_tools: false,
        files: false,
        audio: false,
        refusals: false,
        efforts: (Effort::Low, Effort::High),
        cache: CacheWay::None,
        extras: &["logit_bias"],
        ..Variant::OPENAI
    };
}

impl Default for Variant {
    fn default() -> Self {
        Variant::OPENAI
    }
}
