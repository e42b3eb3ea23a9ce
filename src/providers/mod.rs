//! Who speaks the dialects: one entry per provider, one registry.
//!
//! Neither the router nor the data plane compares provider names; where providers differ, the difference is a field here.

pub mod azure;
pub mod beside;
pub mod chat;
pub mod registry;
pub mod sigv4;
pub mod spoken;
pub mod traits;

use crate::dialects::{anthropic_messages::elsewhere::names_claude, openai_chat::variant::Variant, wire::Dialect};
use beside::Family;
use spoken::Other;

/// Who we say we are to providers.
pub const USER_AGENT: &str = concat!("ringway/", env!("CARGO_PKG_VERSION"));

/// How a credential is shown to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer <credential>`
    Bearer,
    /// The credential alone, in the header with this name.
    Header(&'static str),
    /// None is needed (self-hosted servers); one that is configured is sent like `Bearer`.
    None,
    /// AWS: each request is signed, unless a credential is configured, which is sent like `Bearer`.
    Aws,
    /// Google's cloud: a token that is fetched, sent like `Bearer`.
    Google,
}

/// One provider, as the registry lists it.
#[derive(Debug)]
pub struct Provider {
    /// Name in configuration, logs and metrics, for example `openai`.
    pub id: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// Base URL including the version segment, without a slash at the end; empty where the operator has to give it,
    /// or a region or project that it depends on.
    pub base_url: &'static str,
    /// What stands between the base URL and the dialect's own path.
    pub path_prefix: &'static str,
    /// Environment variable that usually holds the credential; empty where there is none.
    pub credential_env: &'static str,
    pub auth: Auth,
    pub dialect: Dialect,
    pub quirks: Quirks,
    /// How requests are composed for it where it speaks OpenAI's chat dialect.
    pub chat: &'static Variant,
    /// The dialects that it speaks besides.
    pub others: &'static [Other],
    /// What its API in OpenAI's form is known not to have.
    pub lacks: &'static [Family],
    /// Some current model ids, listed by `GET /v1/models` when the provider is used without a configuration file.
    pub models: &'static [&'static str],
}

/// Where a provider differs from OpenAI, or from itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirks {
    /// The provider understands `stream_options.include_usage`. Where it does not, we do not ask for usage.
    pub stream_usage: bool,
    /// Whole answers may lack `message.refusal` and `choices[].logprobs`, which OpenAI's schema requires; fill them with null.
    pub fill_nullable: bool,
    /// The provider has the Responses API, as OpenAI has it. Where it has not, its clients are served by chat completions.
    pub responses: bool,
    /// What models of Anthropic's are asked in, where that is another dialect than the others'.
    pub claude: Option<Dialect>,
    /// The provider's API has an older form, as [`azure`] says.
    pub api_versions: bool,
}

impl Quirks {
    /// What a model is asked in at a provider whose models usually speak `dialect`.
    pub fn dialect_of(&self, model: &str, dialect: Dialect) -> Dialect {
        match self.claude {
            Some(claude) if names_claude(model) => claude,
            _ => dialect,
        }
    }
}
