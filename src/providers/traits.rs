//! What a model can do, as far as composing a request for it depends on it: from the catalog, and from its name where that is silent.

use crate::{
    catalog::{self, Capability, Model},
    dialects::{canonical::ModelTraits, openai_chat::variant::Variant, wire::Dialect},
    providers::{Provider, Quirks},
};

/// The traits of a model that is only known by its name when it is asked for.
pub fn of_name(provider: &Provider, quirks: Quirks, dialect: Dialect, catalog: &str, id: &str) -> ModelTraits {
    let entry = catalog::find(catalog, id);
    of(provider, quirks, dialect, id, entry.as_ref().map(|entry| &entry.model))
}

/// The traits of a model that is asked in `dialect`; `id` is its name at the provider, `quirks` are those of the account.
pub fn of(provider: &Provider, quirks: Quirks, dialect: Dialect, id: &str, model: Option<&Model>) -> ModelTraits {
    // Anthropic's dialect as others speak it: with budgets for thinking, and without schemas for answers.
    let is_imitated = dialect == Dialect::Anthropic && dialect != provider.dialect;
    let usual = ModelTraits::default();
    let has = |capability| model.and_then(|model| model.has(capability));
    let gemini_3 = dialect == Dialect::Gemini && gemini_generation(id).is_none_or(|generation| generation >= 3);
    let several_answers = match dialect {
        Dialect::OpenAi => provider.chat.several_answers,
        // Gemini 3 answers "Multiple candidates is not enabled for this model". https://github.com/googleapis/js-genai/issues/1609
        Dialect::Gemini => !gemini_3,
        _ => false,
    };
    ModelTraits {
        output_tokens_max: model.and_then(|model| model.output_tokens_max).map_or(usual.output_tokens_max, u64::from),
        native_schema: !is_imitated
            && has(Capability::NativeJsonSchema).or(has(Capability::JsonSchema)).unwrap_or(usual.native_schema),
        sampling: has(Capability::Sampling).unwrap_or(usual.sampling),
        thinks: has(Capability::Reasoning).unwrap_or(usual.thinks),
        effort: match dialect {
            _ if dialect.anthropic_wire().is_some() => has(Capability::AdaptiveThinking).unwrap_or(!is_imitated),
            Dialect::Gemini => has(Capability::ThinkingLevel).unwrap_or(gemini_3),
            // Its server refuses a level for any other model: "think value "high" is not supported for this model".
            Dialect::Ollama => id.contains("gpt-oss"),
            _ => usual.effort,
        },
        several_answers,
        chat: Variant { stream_usage: quirks.stream_usage, ..*provider.chat },
        call_ids: dialect != Dialect::Gemini || gemini_3,
    }
}

/// The first number of a name like `gemini-2.5-flash` or `models/gemini-3-pro`.
fn gemini_generation(id: &str) -> Option<u32> {
    let (_, after) = id.split_once("gemini-")?;
    let digits = after.split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::registry;

    #[test]
    fn generations_are_read_from_names() {
        for (id, expected) in [
            ("gemini-2.5-pro", Some(2)),
            ("models/gemini-3.8-flash", Some(3)),
            ("gemini-flash-latest", None),
            ("x", None),
        ] {
            assert_eq!(gemini_generation(id), expected, "{id}");
        }
    }

    #[test]
    fn traits_come_from_the_catalog() {
        let of_dialect = |provider: &str, dialect: Option<Dialect>, id: &str| {
            let entry = registry::find(provider).expect("a provider");
            let dialect = dialect.unwrap_or(entry.quirks.dialect_of(id, entry.dialect));
            of_name(entry, entry.quirks, dialect, provider, id)
        };
        let named = |provider: &str, id: &str| of_dialect(provider, None, id);
        let old = named("anthropic", "claude-haiku-4-5");
        assert!(!old.effort && old.sampling && old.native_schema && old.output_tokens_max == 64_000, "{old:?}");
        let new = named("anthropic", "claude-opus-5-5");
        assert!(new.effort && !new.sampling, "{new:?}");
        let flash = named("gemini", "gemini-2.5-flash");
        assert!(!flash.effort && !flash.call_ids, "{flash:?}");
        // Wherever the model is; and where it is not Anthropic's, nothing is.
        let at_google = named("vertex", "claude-haiku-4-5@20251001");
        assert!(!at_google.effort && at_google.call_ids, "{at_google:?}");
        let at_aws = named("bedrock", "eu.anthropic.claude-haiku-4-5-20251001-v1:0");
        assert!(!at_aws.effort && at_aws.native_schema, "{at_aws:?}");
        let several = ["gemini-2.5-flash", "gemini-3.8-flash"].map(|id| named("gemini", id).several_answers);
        assert_eq!(several, [true, false]);
        assert!(!old.several_answers && !named("groq", "openai/gpt-oss-120b").several_answers);
        let unknown = named("openai", "gpt-of-tomorrow");
        assert_eq!(unknown, ModelTraits::default());
        let imitated = of_dialect("deepseek", Some(Dialect::Anthropic), "deepseek-v4-pro");
        assert!(!imitated.effort && !imitated.native_schema, "{imitated:?}");
        for (id, takes_levels) in [("gpt-oss:20b", true), ("hf.co/unsloth/gpt-oss-120b", true), ("qwen3:8b", false)] {
            assert_eq!(of_dialect("ollama", Some(Dialect::Ollama), id).effort, takes_levels, "{id}");
        }
    }

    #[test]
    fn usage_of_streams_is_asked_for_as_the_account_says() {
        let zai = registry::find("zai").expect("a provider");
        for stream_usage in [false, true] {
            let quirks = Quirks { stream_usage, ..zai.quirks };
            assert_eq!(of_name(zai, quirks, zai.dialect, "zai", "glm-5.3").chat.stream_usage, stream_usage);
        }
    }
}
