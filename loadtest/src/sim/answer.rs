//! What a healthy provider answers: request in, `Reply` out, without clock, socket or randomness of its own. What is kept from one request to
//! the next is an argument ([`Stored`]).
//!
//! Written from the providers' published descriptions, never from the gateway's code. Each dialect is one file with its
//! folder, and one entry in `DIALECTS`: its endpoints, where it keeps the credential, its errors and its headers. An endpoint
//! is one entry in its dialect's list. What a body must hold stands in a table per endpoint (`verify`); a breach is refused as
//! the provider refuses it. What an answer says is made up in one place for all dialects (`invent`, `schema`, `text`): the same
//! seed and the same request give the same content, whole or streamed.
//!
//! Members stand in the order in which the provider sends them (`order`), but for answers that a fault has edited.
//!
//! Endpoints are found with or without `/v1` in front, and below any prefix. Several dialects have a `/v1/models`; the
//! headers of the request tell them apart (`marks`). Bodies are parsed into a JSON tree: the fast path (`fast.rs`) is for load,
//! this one is for truth.

mod anthropic;
mod base64;
mod cohere;
mod error;
mod gemini;
mod invent;
mod ollama;
mod openai;
mod order;
mod reply;
mod schema;
mod text;
mod verify;

use serde_json::Value;

pub(crate) use error::{ApiError, Trouble};
pub(crate) use openai::field_in_passing;
pub(crate) use openai::responses::stored::Stored;
pub(crate) use reply::{Body, Event, EventKind, Framing, Reply};

use super::latency::Random;
use super::rate::Allowance;
use super::script::AnswerShape;
use openai::Form;
use verify::Table;

/// The dialects, in the order in which a request is offered to them. The last one takes what nobody else knows.
const DIALECTS: &[&Dialect] =
    &[&anthropic::DIALECT, &gemini::DIALECT, &cohere::DIALECT, &ollama::DIALECT, &openai::DIALECT];

/// One provider's API.
pub(crate) struct Dialect {
    /// As it is counted.
    pub name: &'static str,
    pub endpoints: &'static [Endpoint],
    /// Whether the request bears this provider's headers: decides between endpoints of the same path, and whose 404 it is.
    pub marks: fn(&Request) -> bool,
    /// The credential, or nothing.
    pub key: fn(&Request) -> &str,
    /// What every request must have besides its body, before its credential is looked at.
    pub admit: fn(&Request) -> Result<(), ApiError>,
    /// A member by its name, where the provider accepts more than one spelling.
    pub member: for<'v> fn(&'v Value, &str) -> Option<&'v Value>,
    pub refuse: fn(&ApiError, &Target, &Setting<'_>) -> Reply,
    /// The error with this status that turns up after a 200: as an event of the endpoint's stream, or, without one, in place of a whole answer.
    pub late_error: fn(u64, Option<&Endpoint>, &Setting<'_>) -> Event,
    /// The headers of every answer. What an error has said already stays.
    pub headers: fn(&Setting<'_>) -> Vec<(&'static str, String)>,
    pub places: Places,
}

/// Where faults find the parts of an answer: JSON pointers, the first that leads somewhere is meant.
pub(crate) struct Places {
    pub text: &'static [&'static str],
    pub usage: &'static [&'static str],
    pub answers: &'static [&'static str],
    pub finish: &'static [&'static str],
    /// Members of a usage that are numbers, for counts that cannot be.
    pub counts: [&'static str; 3],
}

/// One endpoint of a dialect.
pub(crate) struct Endpoint {
    /// As breaches are counted: `openai_chat`.
    pub name: &'static str,
    pub method: &'static str,
    pub route: Route,
    pub input: Input,
    pub answer: fn(&Call<'_>) -> Result<Reply, ApiError>,
}

pub(crate) enum Route {
    /// The path below the base, whole.
    Path(&'static str),
    /// A path below this one, which ends in `/`; the rest is the name of something.
    Below(&'static str),
    /// `.../models/{name}:{action}`.
    Action(&'static str),
}

pub(crate) enum Input {
    Nothing,
    Json(&'static Table),
    Form,
}

/// A request on its way to an endpoint.
pub(crate) struct Call<'a> {
    pub setting: &'a Setting<'a>,
    pub target: &'a Target,
    pub request: &'a Request,
    /// Null where the endpoint takes no JSON.
    pub body: Value,
    pub form: Option<Form>,
}

/// Where a request goes, as its method, path and headers say.
pub(crate) struct Target {
    pub dialect: &'static Dialect,
    /// None: nobody knows the path.
    pub endpoint: Option<&'static Endpoint>,
    /// What the path names: a model. Empty otherwise.
    pub name: String,
    /// `alt=sse` in the query.
    pub asks_for_events: bool,
}

/// A request that has been read whole.
#[derive(Debug)]
pub(crate) struct Request {
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Without the question mark.
    pub query: String,
    /// Names in lower case, in the order of arrival.
    pub headers: Vec<(String, String)>,
    pub body: bytes::Bytes,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The bearer credential, or what stands in the header if it is no bearer.
    pub fn bearer(&self) -> &str {
        let value = self.header("authorization").unwrap_or("");
        value.strip_prefix("Bearer ").unwrap_or(value)
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.split_once('=').filter(|(have, _)| *have == name)).map(|(_, is)| is)
    }

    /// The path below the API's base: `/v1/chat/completions` and `/chat/completions` are one.
    fn below_base(&self) -> &str {
        let versioned = ["/v1/", "/v1beta/"].iter().find_map(|version| self.path.split_once(version));
        versioned.map_or(self.path.trim_start_matches('/'), |(_, rest)| rest)
    }
}

impl Endpoint {
    /// What the path (below the base) names if it is this endpoint's path; empty where it names nothing.
    fn takes(&self, request: &Request, path: &str) -> Option<String> {
        if request.method != self.method && !(request.method == "HEAD" && self.method == "GET") {
            return None;
        }
        match self.route {
            Route::Path(whole) => (path == whole).then(String::new),
            Route::Below(start) => path.strip_prefix(start).filter(|rest| !rest.is_empty()).map(decoded),
            // Most paths are no action, and must not pay for the decoding of those that are.
            Route::Action(wanted) if path.ends_with(wanted) => {
                let path = decoded(path);
                let (model, action) = path.rsplit_once("models/")?.1.rsplit_once(':')?;
                (action == wanted).then(|| model.to_owned())
            }
            Route::Action(_) => None,
        }
    }
}

/// Model names contain `/` and `:`, which some clients send encoded.
fn decoded(name: &str) -> String {
    let mut rest = name;
    let mut plain = String::with_capacity(name.len());
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let byte = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(u8::is_ascii);
        plain.push(byte.map_or('%', char::from));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    plain + rest
}

/// Finds the endpoint, or at least whose error a wrong path is.
pub(crate) fn target(request: &Request) -> Target {
    let ambiguous = request.method == "GET" || request.method == "HEAD";
    let path = request.below_base();
    let asks_for_events = request.parameter("alt") == Some("sse");
    for dialect in DIALECTS {
        let is_last = std::ptr::eq(*dialect, *DIALECTS.last().unwrap_or(dialect));
        if ambiguous && !is_last && !(dialect.marks)(request) {
            continue;
        }
        let found = dialect.endpoints.iter().find_map(|endpoint| Some((endpoint, endpoint.takes(request, path)?)));
        if let Some((endpoint, name)) = found {
            return Target { dialect, endpoint: Some(endpoint), name, asks_for_events };
        }
    }
    let marked = DIALECTS.iter().find(|dialect| (dialect.marks)(request));
    Target {
        dialect: marked.copied().unwrap_or(&openai::DIALECT),
        endpoint: None,
        name: String::new(),
        asks_for_events,
    }
}

/// What an answer depends on beside the request.
pub(crate) struct Setting<'a> {
    pub seed: u64,
    /// Serial number of the exchange: makes ids differ.
    pub serial: u64,
    pub created_s: u64,
    pub models: &'a [String],
    pub omit_nullable: bool,
    pub shape: &'a AnswerShape,
    /// The clock's, in Unix seconds: for headers that tell a time.
    pub now_s: u64,
    /// What the rate limit leaves.
    pub allowance: Allowance,
    /// The responses that are kept.
    pub stored: &'a Stored,
}

impl Setting<'_> {
    /// An id such as `chatcmpl-...`: 24 letters and digits from the seed and the serial number.
    pub fn id(&self, prefix: &str) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
        let mut random = Random::of_text(self.seed ^ self.serial.rotate_left(32), prefix.as_bytes());
        let letters = (0..24).map(|_| char::from(LETTERS[random.below(LETTERS.len())]));
        prefix.chars().chain(letters).collect()
    }

    pub fn request_id(&self) -> String {
        format!("req_{:08x}{:016x}", self.seed, self.serial)
    }

    pub fn models_shown(&self) -> Vec<&str> {
        if self.models.is_empty() { MODELS_SHOWN.to_vec() } else { self.models.iter().map(String::as_str).collect() }
    }
}

/// Models that are listed where the script names none.
const MODELS_SHOWN: &[&str] = &["sim-small", "sim-large", "sim-embedding"];

/// The answer, if the credential was good.
pub(crate) fn answer(request: &Request, target: &Target, setting: &Setting<'_>) -> Result<Reply, ApiError> {
    let Some(endpoint) = target.endpoint else {
        return Err(Trouble::UnknownUrl(format!("{} {}", request.method, request.path)).into());
    };
    let mut call = Call { setting, target, request, body: Value::Null, form: None };
    let model = match endpoint.input {
        Input::Nothing => "",
        Input::Json(table) => {
            call.body = serde_json::from_slice(&request.body).map_err(|error| Trouble::NotJson(error.to_string()))?;
            table.check(&call.body, target.dialect.member)?;
            let named = call.body.get("model").and_then(Value::as_str).unwrap_or("");
            if target.name.is_empty() { named } else { &target.name }
        }
        Input::Form => {
            let content_type = request.header("content-type").unwrap_or("");
            let form = Form::parse(content_type, &request.body).ok_or_else(|| {
                let says = "The request body is not valid multipart/form-data.".to_owned();
                Trouble::Broken("body is no form", says)
            })?;
            call.form.insert(form).required("model")?
        }
    };
    if !model.is_empty() && !setting.models.is_empty() && !setting.models.iter().any(|have| have == model) {
        return Err(Trouble::ModelNotFound(model.to_owned()).into());
    }
    (endpoint.answer)(&call)
}

impl Call<'_> {
    /// The model that is listed under the name in the path.
    pub fn listed(&self) -> Result<&str, ApiError> {
        let name = self.target.name.as_str();
        if self.setting.models_shown().contains(&name) {
            Ok(name)
        } else {
            Err(Trouble::ModelNotFound(name.to_owned()).into())
        }
    }

    /// The uploaded form; `Input::Form` endpoints have one.
    pub fn form(&self) -> Result<&Form, ApiError> {
        self.form.as_ref().ok_or_else(|| Trouble::Broken("body is no form", String::new()).into())
    }
}

/// Tokens of a text as this simulator counts them: four bytes each, as a rule of thumb for English says.
fn token_count(text: &str) -> u64 {
    text.len().div_ceil(4) as u64
}
