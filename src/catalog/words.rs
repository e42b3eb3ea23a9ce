//! The words that models are described with, and sets of them.
//!
//! Each word is defined once here: its spelling is the same in the catalog's files, in the configuration, on the command line and in
//! what is printed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// A word of a closed list.
pub trait Word: Copy + PartialEq + 'static {
    /// All of them, in the order in which they are shown.
    const ALL: &'static [Self];

    /// As it is written everywhere.
    fn name(self) -> &'static str;

    /// Its place in a set.
    fn bit(self) -> u32;

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|word| word.name() == name)
    }
}

macro_rules! words {
    ($(#[$about:meta])* $list:ident { $($(#[$meaning:meta])* $word:ident = $name:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub enum $list {
            $($(#[$meaning])* #[serde(rename = $name)] $word,)*
        }

        impl Word for $list {
            const ALL: &'static [$list] = &[$($list::$word,)*];

            fn name(self) -> &'static str {
                match self {
                    $($list::$word => $name,)*
                }
            }

            fn bit(self) -> u32 {
                1 << self as u32
            }
        }
    };
}

words! {
    /// What a model is asked through.
    Kind {
        /// Chat completions, or the provider's own form of them.
        Chat = "chat",
        /// OpenAI's Responses API only.
        Responses = "responses",
        /// Plain text completions only.
        Completion = "completion",
        /// Texts in, vectors out.
        Embedding = "embedding",
        /// Makes images.
        Image = "image",
        /// Speech to text.
        Transcription = "transcription",
        /// Text to speech.
        Speech = "speech",
        /// Says whether a text is acceptable.
        Moderation = "moderation",
        /// Orders documents by relevance.
        Rerank = "rerank",
    }
}

words! {
    /// What goes into a model or comes out of it.
    Modality {
        /// Text.
        Text = "text",
        /// Images.
        Image = "image",
        /// Sound.
        Audio = "audio",
        /// Moving pictures.
        Video = "video",
        /// Documents as PDF.
        Pdf = "pdf",
        /// Vectors.
        Embedding = "embedding",
    }
}

words! {
    /// What a request to a model may contain.
    Capability {
        /// Tools.
        Tools = "tools",
        /// More than one tool call in an answer.
        ParallelTools = "parallel_tools",
        /// A choice among the tools (`tool_choice`).
        ToolChoice = "tool_choice",
        /// A JSON schema for the answer.
        JsonSchema = "json_schema",
        /// The schema in the provider's own form, not by way of a forced tool.
        NativeJsonSchema = "native_json_schema",
        /// It reasons before it answers.
        Reasoning = "reasoning",
        /// Claude's adaptive thinking.
        AdaptiveThinking = "adaptive_thinking",
        /// A budget of tokens for thinking.
        ThinkingBudget = "thinking_budget",
        /// A level of thinking, as Gemini names it.
        ThinkingLevel = "thinking_level",
        /// Prompts are cached, by themselves or where a mark says so.
        PromptCache = "prompt_cache",
        /// temperature, top_p and top_k.
        Sampling = "sampling",
        /// OpenAI's Responses API, besides its chat completions.
        Responses = "responses",
    }
}

/// Some words of a list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Set<W> {
    bits: u32,
    words: std::marker::PhantomData<W>,
}

impl<W: Word> Set<W> {
    pub const EMPTY: Set<W> = Set { bits: 0, words: std::marker::PhantomData };

    #[must_use]
    pub fn with(self, word: W) -> Set<W> {
        Set { bits: self.bits | word.bit(), ..self }
    }

    #[must_use]
    pub fn with_all(self, others: Set<W>) -> Set<W> {
        Set { bits: self.bits | others.bits, ..self }
    }

    #[must_use]
    pub fn without(self, others: Set<W>) -> Set<W> {
        Set { bits: self.bits & !others.bits, ..self }
    }

    pub fn contains(self, word: W) -> bool {
        self.bits & word.bit() != 0
    }

    pub fn contains_all(self, others: Set<W>) -> bool {
        self.bits & others.bits == others.bits
    }

    pub fn is_empty(self) -> bool {
        self.bits == 0
    }

    pub fn iter(self) -> impl Iterator<Item = W> {
        W::ALL.iter().copied().filter(move |word| self.contains(*word))
    }
}

impl<W: Word> Default for Set<W> {
    fn default() -> Set<W> {
        Set::EMPTY
    }
}

impl<W: Word> FromIterator<W> for Set<W> {
    fn from_iter<I: IntoIterator<Item = W>>(words: I) -> Set<W> {
        words.into_iter().fold(Set::EMPTY, Set::with)
    }
}

/// The names with `+` between them, as in the catalog's files.
impl<W: Word> fmt::Display for Set<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { "" } else { "+" }, word.name())?;
        }
        Ok(())
    }
}

impl<W: Word> fmt::Debug for Set<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

/// A list of names.
impl<W: Word> Serialize for Set<W> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(W::name))
    }
}
