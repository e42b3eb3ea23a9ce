//! Whose model it is. Converse is one API, but what models take beyond its common part is their makers'.
//!
//! It is known by the model's id (`us.anthropic.claude-...`, `amazon.nova-2-lite-v1:0`, also at the end of an ARN). An inference profile of the
//! account's own has a name that says nothing; its model is treated as one that takes the common part alone.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    Anthropic,
    /// Amazon's Nova; the second generation thinks.
    Nova {
        thinks: bool,
    },
    /// OpenAI's open models and DeepSeek's: they take `reasoning_effort` as it is.
    Effort,
    Other,
}

impl Maker {
    pub fn of(model: &str) -> Maker {
        if model.contains("anthropic.") || model.contains("claude") {
            Maker::Anthropic
        } else if model.contains("nova-") {
            Maker::Nova { thinks: model.contains("nova-2-") }
        } else if model.contains("gpt-oss") || model.contains("deepseek") {
            Maker::Effort
        } else {
            Maker::Other
        }
    }

    /// Are there cache points in its prompts?
    pub fn caches(self) -> bool {
        matches!(self, Maker::Anthropic | Maker::Nova { .. })
    }

    /// May a result of a tool say that it is an error? "This field is only supported by Amazon Nova and Anthropic Claude 3 and 4 models."
    pub fn knows_errors(self) -> bool {
        self.caches()
    }
}
