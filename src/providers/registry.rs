//! The registry: every provider that Ringway knows, one entry each.
//!
//! Order matters in one place: without a configuration file the first provider whose credential is found serves names
//! without a prefix. Model lists are what `GET /v1/models` shows in that mode, a convenience and not a limit: any model id
//! of the provider can be asked for.

use super::{Auth, Provider, Quirks, chat};
use crate::dialects::{openai_chat::variant::Variant, wire::Dialect};

/// The entry with this id.
pub fn find(id: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.id == id)
}

impl Provider {
    /// Environment variable that replaces `base_url` when there is no configuration file: `OPENAI_BASE_URL` beside
    /// `OPENAI_API_KEY`, `VLLM_BASE_URL` for a provider without a credential.
    pub fn base_url_env(&self) -> String {
        let stem = match self.credential_env {
            "" => self.id.to_ascii_uppercase().replace('-', "_"),
            name => name.trim_end_matches("_API_KEY").trim_end_matches("_TOKEN").to_owned(),
        };
        format!("{stem}_BASE_URL")
    }
}

/// OpenAI itself: its schema is the one that the quirks are measured against.
const NONE: Quirks = Quirks { stream_usage: true, fill_nullable: false, responses: true };

/// The usual compatible server: streams usage when asked, leaves nullable members of whole answers out.
const USUAL: Quirks = Quirks { stream_usage: true, fill_nullable: true, responses: false };

/// Sends usage with its stream without being asked, and may refuse `stream_options` as unknown.
const USAGE_UNASKED: Quirks = Quirks { stream_usage: false, fill_nullable: true, responses: false };

/// All providers.
pub static PROVIDERS: &[Provider] = &[
    Provider {
        id: "openai",
        title: "OpenAI",
        base_url: "https://api.openai.com/v1",
        path_prefix: "",
        credential_env: "OPENAI_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: NONE,
        chat: &chat::OPENAI,
        models: &[
            "gpt-6.1-sol",
            "gpt-6-luna",
            "gpt-5.6",
            "gpt-5.5",
            "gpt-5.4",
            "gpt-5.4-mini",
            "gpt-5.4-nano",
            "gpt-5",
            "gpt-5-mini",
            "gpt-5-nano",
            "gpt-4.1",
            "gpt-4.1-mini",
            "gpt-4o",
            "gpt-4o-mini",
            "o3",
            "text-embedding-3-large",
            "text-embedding-3-small",
        ],
    },
    Provider {
        id: "anthropic",
        title: "Anthropic",
        base_url: "https://api.anthropic.com/v1",
        path_prefix: "",
        credential_env: "ANTHROPIC_API_KEY",
        auth: Auth::Header("x-api-key"),
        dialect: Dialect::Anthropic,
        quirks: NONE,
        chat: &Variant::USUAL,
        models: &[
            "claude-opus-5-5",
            "claude-opus-5",
            "claude-sonnet-5-5",
            "claude-sonnet-5",
            "claude-haiku-5-5",
            "claude-haiku-4-5",
        ],
    },
    Provider {
        id: "gemini",
        title: "Google Gemini",
        base_url: "https://generativelanguage.googleapis.com/v1beta",
        path_prefix: "",
        credential_env: "GEMINI_API_KEY",
        auth: Auth::Header("x-goog-api-key"),
        dialect: Dialect::Gemini,
        quirks: NONE,
        chat: &chat::GEMINI,
        models: &["gemini-3.8-flash", "gemini-3.5-flash", "gemini-3.1-pro-preview", "gemini-3.1-flash-lite"],
    },
    Provider {
        id: "azure",
        title: "Azure OpenAI",
        // Each resource has an address of its own: https://{resource}.openai.azure.com/openai/v1
        base_url: "",
        path_prefix: "",
        credential_env: "AZURE_OPENAI_API_KEY",
        auth: Auth::Header("api-key"),
        dialect: Dialect::OpenAi,
        quirks: NONE,
        chat: &chat::AZURE,
        models: &[],
    },
    Provider {
        id: "minimax",
        title: "MiniMax",
        base_url: "https://api.minimax.io/v1",
        path_prefix: "",
        credential_env: "MINIMAX_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USUAL,
        chat: &chat::ZHIPU,
        models: &[],
    },
    Provider {
        id: "mistral",
        title: "Mistral AI",
        base_url: "https://api.mistral.ai/v1",
        path_prefix: "",
        credential_env: "MISTRAL_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USAGE_UNASKED,
        chat: &chat::MISTRAL,
        models: &[
            "mistral-large-latest",
            "mistral-medium-latest",
            "mistral-small-latest",
            "codestral-latest",
            "devstral-latest",
            "mistral-embed",
        ],
    },
    Provider {
        id: "deepseek",
        title: "DeepSeek",
        base_url: "https://api.deepseek.com/v1",
        path_prefix: "",
        credential_env: "DEEPSEEK_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USUAL,
        chat: &chat::DEEPSEEK,
        models: &["deepseek-v4-pro", "deepseek-v4-flash", "deepseek-chat", "deepseek-reasoner"],
    },
    Provider {
        id: "groq",
        title: "Groq",
        base_url: "https://api.groq.com/openai/v1",
        path_prefix: "",
        credential_env: "GROQ_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USUAL,
        chat: &chat::GROQ,
        models: &["openai/gpt-oss-120b", "openai/gpt-oss-20b", "qwen/qwen3.8-27b"],
    },
    Provider {
        id: "together",
        title: "Together AI",
        base_url: "https://api.together.xyz/v1",
        path_prefix: "",
        credential_env: "TOGETHER_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USUAL,
        chat: &chat::OPEN_MODELS,
        models: &["deepseek-ai/DeepSeek-V4.1-Flash", "moonshotai/Kimi-K3", "openai/gpt-oss-120b", "zai-org/GLM-5.3"],
    },
    Provider {
        id: "fireworks",
        title: "Fireworks AI",
        base_url: "https://api.fireworks.ai/inference/v1",
        path_prefix: "",
        credential_env: "FIREWORKS_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USAGE_UNASKED,
        chat: &chat::OPEN_MODELS,
        models: &[
            "accounts/fireworks/models/kimi-k3",
            "accounts/fireworks/models/glm-5p3",
            "accounts/fireworks/models/deepseek-v4p1-flash-1017",
        ],
    },
    Provider {
        id: "openrouter",
        title: "OpenRouter",
        base_url: "https://openrouter.ai/api/v1",
        path_prefix: "",
        credential_env: "OPENROUTER_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USUAL,
        chat: &chat::OPENROUTER,
        models: &["openrouter/auto"],
    },
    Provider {
        id: "xai",
        title: "xAI",
        base_url: "https://api.x.ai/v1",
        path_prefix: "",
        credential_env: "XAI_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: Quirks { responses: true, ..USUAL },
        chat: &chat::XAI,
        models: &["grok-4.7", "grok-4.6", "grok-4.5", "grok-build-0.1"],
    },
    Provider {
        id: "cerebras",
        title: "Cerebras",
        base_url: "https://api.cerebras.ai/v1",
        path_prefix: "",
        credential_env: "CEREBRAS_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USUAL,
        chat: &chat::CEREBRAS,
        models: &["gpt-oss-120b", "gemma-4-31b", "qwen-3.8-27b"],
    },
    Provider {
        id: "perplexity",
        title: "Perplexity",
        // No version segment.
        base_url: "https://api.perplexity.ai",
        path_prefix: "",
        credential_env: "PERPLEXITY_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USAGE_UNASKED,
        chat: &chat::PERPLEXITY,
        models: &["sonar", "sonar-pro", "sonar-reasoning-pro", "sonar-deep-research"],
    },
    Provider {
        id: "nvidia",
        title: "NVIDIA NIM",
        base_url: "https://integrate.api.nvidia.com/v1",
        path_prefix: "",
        credential_env: "NVIDIA_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USUAL,
        chat: &chat::OPEN_MODELS,
        models: &[],
    },
    Provider {
        id: "moonshot",
        title: "Moonshot AI",
        base_url: "https://api.moonshot.ai/v1",
        path_prefix: "",
        credential_env: "MOONSHOT_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USUAL,
        chat: &chat::MOONSHOT,
        models: &["kimi-k3.1-pro", "kimi-k3", "kimi-k2.7-code"],
    },
    Provider {
        id: "dashscope",
        title: "Alibaba Cloud Model Studio (international)",
        base_url: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        path_prefix: "",
        credential_env: "DASHSCOPE_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USUAL,
        chat: &chat::DASHSCOPE,
        models: &["qwen3.7-max", "qwen3-max", "qwen-plus", "qwen-flash", "qwen3-coder-plus"],
    },
    Provider {
        id: "zai",
        title: "Z.ai",
        base_url: "https://api.z.ai/api/paas/v4",
        path_prefix: "",
        credential_env: "ZAI_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USAGE_UNASKED,
        chat: &chat::ZHIPU,
        models: &["glm-5.3", "glm-5.3-flash", "glm-4.7", "glm-4.7-flash"],
    },
    Provider {
        id: "zhipu",
        title: "Zhipu AI (China)",
        base_url: "https://open.bigmodel.cn/api/paas/v4",
        path_prefix: "",
        credential_env: "ZHIPUAI_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USAGE_UNASKED,
        chat: &chat::ZHIPU,
        models: &["glm-5.3", "glm-4.7"],
    },
    Provider {
        id: "huggingface",
        title: "Hugging Face Inference Providers",
        base_url: "https://router.huggingface.co/v1",
        path_prefix: "",
        credential_env: "HF_TOKEN",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USUAL,
        chat: &chat::OPEN_MODELS,
        models: &[],
    },
    Provider {
        id: "sambanova",
        title: "SambaNova",
        base_url: "https://api.sambanova.ai/v1",
        path_prefix: "",
        credential_env: "SAMBANOVA_API_KEY",
        auth: Auth::Bearer,
        dialect: Dialect::OpenAi,
        quirks: USUAL,
        chat: &chat::OPEN_MODELS,
        models: &["gpt-oss-120b", "DeepSeek-V3.2", "Meta-Llama-3.3-70B-Instruct"],
    },
    Provider {
        id: "bedrock",
        title: "Amazon Bedrock",
        base_url: "",
        path_prefix: "",
        credential_env: "",
        auth: Auth::Aws,
        dialect: Dialect::BedrockConverse,
        quirks: NONE,
        chat: &Variant::USUAL,
        models: &[],
    },
    Provider {
        id: "vertex",
        title: "Google Vertex AI",
        base_url: "",
        path_prefix: "/publishers/google",
        credential_env: "",
        auth: Auth::Google,
        dialect: Dialect::Gemini,
        quirks: NONE,
        chat: &Variant::USUAL,
        models: &[],
    },
    self_hosted("ollama", "Ollama", "http://127.0.0.1:11434/v1"),
    self_hosted("vllm", "vLLM", "http://127.0.0.1:8000/v1"),
    self_hosted("sglang", "SGLang", "http://127.0.0.1:30000/v1"),
    // Its usual port is ours, so there is no default that would not point at ourselves.
    self_hosted("llama-cpp", "llama.cpp server", ""),
    self_hosted("lm-studio", "LM Studio", "http://127.0.0.1:1234/v1"),
    self_hosted("openai-compatible", "Any other server of OpenAI's API", ""),
];

/// A server of one's own: no credential unless configured.
const fn self_hosted(id: &'static str, title: &'static str, base_url: &'static str) -> Provider {
    Provider {
        id,
        title,
        base_url,
        path_prefix: "",
        credential_env: "",
        auth: Auth::None,
        dialect: Dialect::OpenAi,
        quirks: USUAL,
        chat: &chat::OPEN_MODELS,
        models: &[],
    }
}

#[cfg(test)]
mod tests;
