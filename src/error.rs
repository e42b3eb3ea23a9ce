//! Every way an exchange can fail, and what each means to the client, the plan and the operator.
//!
//! A failure is a decision, not a text: its status, code and retry advice are fixed by its variant. Messages say what
//! to do next. Text from a provider is carried in `Upstream::Passed`, never matched against.
//!
//! `x-should-retry: false` goes out only where trying again cannot help (credentials, configuration); official SDKs obey it
//! before anything else. Rendering into a client's dialect lives with that dialect.

use std::borrow::Cow;

/// Why an exchange could not be answered as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    // ---- caused by the client ----
    /// The request is not HTTP as this gateway accepts it; the connection is closed after the answer.
    Http { status: u16, message: &'static str },
    /// No credential was shown.
    MissingKey,
    /// A credential was shown, but no key has its hash.
    InvalidKey,
    /// The Host header names neither this machine nor an allowed host (DNS rebinding guard).
    HostNotAllowed,
    /// No endpoint has this path.
    UnknownPath,
    /// The path exists, the method does not; `allow` is the value of the Allow header.
    MethodNotAllowed { allow: &'static str },
    /// The endpoint's objects live at a provider and are not bound to an owner yet.
    UnsupportedEndpoint,
    /// The body is larger than allowed.
    BodyTooLarge { bytes_max: usize },
    /// The request body arrived too slowly.
    RequestTimeout,
    /// The body's coding or media type is not accepted.
    UnsupportedMediaType { message: Cow<'static, str> },
    /// The body is not what the endpoint takes; `param` names the member at fault.
    InvalidRequest { param: Option<Cow<'static, str>>, code: &'static str, message: Cow<'static, str> },
    /// The model is not configured.
    ModelNotFound { model: Box<str> },
    /// No response with this id is kept anywhere for this client.
    ResponseNotFound { id: Box<str> },
    /// The provider refused the request as the client's fault, in a form that is not passed on.
    Rejected { status: u16 },

    // ---- caused by this gateway or its machine ----
    /// The shard's memory or connection budget is used up.
    Overloaded,
    /// The process is shutting down.
    Draining,
    /// A bug: the exchange panicked or broke an invariant.
    Internal,

    // ---- caused by upstreams ----
    /// No candidate could be tried (all down or parked); the smallest wait that may help, if one is known.
    NoDeployment { retry_after_ms: Option<u64> },
    /// The last attempt failed on the way to, or at, the upstream.
    Upstream(Upstream),
}

/// How one attempt at one deployment failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// Refused, unreachable, or no address is known.
    Connect,
    /// The TCP connection or the wait for a free stream took too long.
    ConnectTimeout,
    /// The peer's certificate, name or protocol is not acceptable. Never downgraded.
    Tls,
    /// No answer head within the limit.
    HeadersTimeout,
    /// A head, but no content within the limit.
    FirstTokenTimeout,
    /// Silence in the middle of an answer.
    GapTimeout,
    /// The whole exchange took too long.
    DeadlineExceeded,
    /// The connection broke before any byte of the answer (reset, close, GOAWAY, REFUSED_STREAM).
    ResetBeforeAnswer,
    /// The connection broke, or the answer ended, in the middle.
    Truncated,
    /// The answer is not HTTP, not JSON, not an event stream, or not decodable.
    BadResponse,
    /// 401 or 403: the credential that the operator configured is not accepted.
    Credential { status: u16 },
    /// 429, and how long the provider asks to wait.
    RateLimited { retry_after_ms: Option<u64> },
    /// 5xx, 529 or 408.
    Status { status: u16, retry_after_ms: Option<u64> },
    /// 404 for a model that the operator configured.
    ModelMissing,
    /// An error object inside a 200 answer or as the first event of a stream.
    InBand,
    /// The upstream's API cannot express what is asked for; nothing was sent. `param` is a path in the client's body.
    Unsupported { param: Cow<'static, str>, why: Cow<'static, str> },
    /// The upstream has no such endpoint; nothing was sent.
    NoEndpoint,
    /// The upstream refused the request in words of another API than the client's: what its dialect made of them.
    Refused { status: u16, code: &'static str, message: Box<str> },
}

/// The code of a prompt that is longer than a model's context.
pub const CONTEXT_LENGTH: &str = "context_length_exceeded";

/// What a failure of one attempt allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Nothing can have been processed (or the provider said so): try the next candidate at once.
    Safe,
    /// The provider may have worked on it: the next candidate, within the retry budget.
    Budgeted,
    /// Trying again cannot help.
    Never,
}

impl Upstream {
    /// May another deployment be tried while nothing of the answer has been sent?
    pub fn retry(&self) -> Retry {
        use Upstream::*;
        match self {
            Connect
            | ConnectTimeout
            | Tls
            | ResetBeforeAnswer
            | Credential { .. }
            | RateLimited { .. }
            | ModelMissing
            | Unsupported { .. }
            | NoEndpoint => Retry::Safe,
            // Another model may have a longer context.
            Refused { code: CONTEXT_LENGTH, .. } => Retry::Safe,
            Refused { .. } => Retry::Never,
            HeadersTimeout | FirstTokenTimeout | Truncated | BadResponse | Status { .. } | InBand | GapTimeout => {
                Retry::Budgeted
            }
            DeadlineExceeded => Retry::Never,
        }
    }

    /// Stable code, as metrics, logs and clients see it.
    pub fn code(&self) -> &'static str {
        use Upstream::*;
        match self {
            Connect => "upstream_connect",
            ConnectTimeout => "upstream_connect_timeout",
            Tls => "upstream_tls",
            HeadersTimeout => "upstream_timeout",
            FirstTokenTimeout => "upstream_first_token_timeout",
            GapTimeout => "upstream_stalled",
            DeadlineExceeded => "deadline_exceeded",
            ResetBeforeAnswer => "upstream_reset",
            Truncated => "upstream_truncated",
            BadResponse => "upstream_bad_response",
            Credential { .. } => "upstream_credential",
            RateLimited { .. } => "rate_limit_exceeded",
            Status { .. } => "upstream_error",
            ModelMissing => "upstream_model_missing",
            InBand => "upstream_error",
            Unsupported { .. } => "unsupported_parameter",
            NoEndpoint => "unsupported_endpoint",
            Refused { code, .. } => code,
        }
    }
}

impl Failure {
    /// HTTP status for the client.
    pub fn status(&self) -> u16 {
        use Failure::*;
        match self {
            Http { status, .. } | Rejected { status } => *status,
            MissingKey | InvalidKey => 401,
            HostNotAllowed => 403,
            UnknownPath | ModelNotFound { .. } | ResponseNotFound { .. } | UnsupportedEndpoint => 404,
            MethodNotAllowed { .. } => 405,
            RequestTimeout => 408,
            BodyTooLarge { .. } => 413,
            UnsupportedMediaType { .. } => 415,
            InvalidRequest { .. } => 400,
            Internal => 500,
            Overloaded | Draining | NoDeployment { .. } => 503,
            Upstream(upstream) => match upstream {
                self::Upstream::RateLimited { .. } => 429,
                self::Upstream::ConnectTimeout
                | self::Upstream::HeadersTimeout
                | self::Upstream::FirstTokenTimeout
                | self::Upstream::GapTimeout
                | self::Upstream::DeadlineExceeded => 504,
                self::Upstream::Unsupported { .. } => 400,
                self::Upstream::NoEndpoint => 404,
                self::Upstream::Refused { status, .. } => *status,
                self::Upstream::Connect => 503,
                self::Upstream::Status { status: 503 | 529, .. } => 503,
                _ => 502,
            },
        }
    }

    /// Stable code: `error.code` of the answer, the label of metrics, the field of the access log.
    pub fn code(&self) -> &'static str {
        use Failure::*;
        match self {
            Http { .. } => "invalid_http",
            Rejected { .. } => "upstream_rejected",
            MissingKey => "missing_api_key",
            InvalidKey => "invalid_api_key",
            HostNotAllowed => "host_not_allowed",
            UnknownPath => "unknown_url",
            MethodNotAllowed { .. } => "method_not_allowed",
            UnsupportedEndpoint => "unsupported_endpoint",
            BodyTooLarge { .. } => "request_too_large",
            RequestTimeout => "request_timeout",
            UnsupportedMediaType { .. } => "unsupported_media_type",
            InvalidRequest { code, .. } => code,
            ModelNotFound { .. } => "model_not_found",
            ResponseNotFound { .. } => "response_not_found",
            Overloaded => "gateway_overloaded",
            Draining => "gateway_draining",
            Internal => "internal_error",
            NoDeployment { .. } => "no_deployment_available",
            Upstream(upstream) => upstream.code(),
        }
    }

    /// OpenAI's `error.type`.
    pub fn kind(&self) -> &'static str {
        match self.status() {
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            // What a client asks of HTTP itself that is not spoken here is its own to change.
            501 | 505 => "invalid_request_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        }
    }

    /// The request member at fault, where one is.
    pub fn param(&self) -> Option<&str> {
        match self {
            Failure::InvalidRequest { param, .. } => param.as_deref(),
            Failure::ModelNotFound { .. } => Some("model"),
            Failure::ResponseNotFound { .. } => Some("response_id"),
            Failure::Upstream(Upstream::Unsupported { param, .. }) => Some(param),
            _ => None,
        }
    }

    /// Milliseconds after which another try may succeed, for `retry-after` and `retry-after-ms`.
    pub fn retry_after_ms(&self) -> Option<u64> {
        use Failure::*;
        match self {
            Overloaded | Draining => Some(1_000),
            NoDeployment { retry_after_ms } => Some(retry_after_ms.unwrap_or(1_000)),
            Upstream(self::Upstream::RateLimited { retry_after_ms }) => *retry_after_ms,
            Upstream(self::Upstream::Connect) => Some(1_000),
            Upstream(self::Upstream::Status { retry_after_ms, .. }) => *retry_after_ms,
            _ => None,
        }
    }

    /// The value of `x-should-retry`, where we know better than the SDK's own rule. Only credential trouble is final:
    /// an operator has to act before another try can succeed.
    pub fn should_retry(&self) -> Option<bool> {
        match self {
            Failure::Upstream(Upstream::Credential { .. }) => Some(false),
            _ => None,
        }
    }

    /// What happened and what to do, for a person.
    pub fn message(&self) -> Cow<'static, str> {
        use Failure::*;
        match self {
            Http { message, .. } => (*message).into(),
            Rejected { status } => format!("The model's provider refused the request with status {status}.").into(),
            MissingKey => "No API key was given. Send it as 'Authorization: Bearer <key>', 'x-api-key', 'api-key' or \
                           'x-goog-api-key'."
                .into(),
            InvalidKey => "The API key is not known to this gateway. Check the key, or ask its operator for one \
                           (ringway keys create)."
                .into(),
            HostNotAllowed => "The Host header does not name this gateway. Use the address it printed, or add the \
                               host to server.allowed_hosts."
                .into(),
            UnknownPath => "No such endpoint. This gateway serves OpenAI's API (/v1/chat/completions, /v1/responses, \
                            /v1/completions, /v1/embeddings, /v1/moderations, /v1/images, /v1/audio, /v1/rerank, \
                            /v1/models), Anthropic's (/v1/messages) and Gemini's (/v1beta/models/<model>:generateContent)."
                .into(),
            MethodNotAllowed { allow } => format!("This endpoint answers {allow} only.").into(),
            UnsupportedEndpoint => "This endpoint's objects live at a provider and are not bound to their owner \
                                    by this gateway yet; call the provider directly for it."
                .into(),
            BodyTooLarge { bytes_max } => format!(
                "The request body is larger than the {bytes_max} bytes this gateway accepts \
                 (server.body_bytes_max)."
            )
            .into(),
            RequestTimeout => "The request did not arrive in time. Send it again.".into(),
            UnsupportedMediaType { message } | InvalidRequest { message, .. } => message.clone(),
            ModelNotFound { model } => {
                format!("The model '{model}' is not served here. GET /v1/models lists what is.").into()
            }
            ResponseNotFound { id } => format!(
                "Response with id '{}' not found. {NOT_KEPT}",
                id.chars().take(ID_CHARS_MAX).collect::<String>()
            )
            .into(),
            Overloaded => "This gateway is at its memory or connection limit. Try again shortly.".into(),
            Draining => "This gateway is shutting down. Try again.".into(),
            Internal => "The gateway failed on this request; the failure was counted and logged.".into(),
            NoDeployment { .. } => "No deployment of this model is available right now. Try again later.".into(),
            Upstream(upstream) => upstream.message(),
        }
    }
}

impl Upstream {
    fn message(&self) -> Cow<'static, str> {
        use Upstream::*;
        match self {
            Connect => "The model's provider could not be reached.".into(),
            ConnectTimeout => "Connecting to the model's provider took too long.".into(),
            Tls => "The model's provider did not present an acceptable TLS identity.".into(),
            HeadersTimeout => "The model's provider did not answer in time.".into(),
            FirstTokenTimeout => "The model's provider did not produce any output in time.".into(),
            GapTimeout => "The model's provider stopped producing output; the answer is incomplete.".into(),
            DeadlineExceeded => "The request took longer than this gateway allows.".into(),
            ResetBeforeAnswer => "The model's provider closed the connection before answering.".into(),
            Truncated => "The model's provider broke off in the middle; the answer is incomplete.".into(),
            BadResponse => "The model's provider sent an answer that is not valid.".into(),
            Credential { status } => format!(
                "The model's provider does not accept the gateway's credential (status {status}). Its operator \
                 must replace it."
            )
            .into(),
            RateLimited { .. } => "The model's provider limits the rate of requests right now. Try again later.".into(),
            Status { status, .. } => format!("The model's provider failed with status {status}.").into(),
            ModelMissing => "The model's provider does not know the model that this gateway is configured to \
                             use. Its operator must correct the deployment."
                .into(),
            InBand => "The model's provider reported an error inside its answer.".into(),
            Unsupported { param, why } => format!(
                "'{param}' cannot be passed to the model's provider. {why} Leave it out, choose another model, or send \
                 'x-ringway-unsupported: drop' to have it dropped."
            )
            .into(),
            NoEndpoint => {
                "The model's provider has no such endpoint. Choose a model of a provider that has it, or add a \
                           deployment there to this model."
                    .into()
            }
            Refused { message, .. } => message.to_string().into(),
        }
    }
}

impl Failure {
    /// A request goes on from a response that is not kept anywhere for this client: the code that OpenAI has for it.
    pub fn previous_response_not_found(id: &str) -> Failure {
        let id: String = id.chars().take(ID_CHARS_MAX).collect();
        let message = format!(
            "Previous response with id '{id}' not found. {NOT_KEPT} Send the whole conversation in 'input' instead."
        );
        Failure::InvalidRequest {
            param: Some("previous_response_id".into()),
            code: "previous_response_not_found",
            message: message.into(),
        }
    }

    /// The same for one that is kept, but not by a provider that serves the model.
    pub fn previous_response_elsewhere() -> Failure {
        Failure::InvalidRequest {
            param: Some("previous_response_id".into()),
            code: "previous_response_not_found",
            message:
                "The previous response is kept by a provider that does not serve this model. Ask for a model of that \
                      provider, or send the whole conversation in 'input' instead."
                    .into(),
        }
    }
}

/// Why a response may not be found.
const NOT_KEPT: &str = "An id belongs to the API key that it was given to, and ends with that key or with its provider's name in the \
                        configuration; only providers that speak the Responses API themselves keep responses.";

/// Longer ids are repeated as far as this.
const ID_CHARS_MAX: usize = 400;

impl From<Upstream> for Failure {
    fn from(upstream: Upstream) -> Failure {
        Failure::Upstream(upstream)
    }
}
