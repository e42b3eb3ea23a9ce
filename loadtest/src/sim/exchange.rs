//! One request to a simulated provider, from its bytes to the steps that answer it, whatever wire it came by.
//!
//! The order: the control endpoint, the credential, the script's decision, the answer, the faults of the answer, the
//! faults of the wire. A request is decided once. Usually that is when its body has been read; where the script says
//! something about uploads it is after the first piece of the body, with the model as far as it shows there.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use memchr::memmem;

use super::answer::{self, ApiError, Reply, Request, Setting, Stored, Target, Trouble, field_in_passing};
use super::control;
use super::fault::Kind;
use super::play::Play;
use super::rate::{Allowance, Limiter, RateLimit};
use super::script::{Connection, Decision, Facts, Script, ScriptError, Scripted};
use super::stats::{Counters, Seen};
use super::{reply_faults, wire_faults};

/// What all connections of a simulator share.
pub(crate) struct Shared {
    pub seed: u64,
    pub counters: Counters,
    serial: AtomicU64,
    stored: Stored,
    active: Mutex<Active>,
}

struct Active {
    scripted: Scripted,
    since: Instant,
}

impl Active {
    fn since_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Which connection a request came by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub protocol: &'static str,
    pub connection: u64,
    pub nth: u64,
}

impl Shared {
    pub fn try_new(seed: u64, script: Script) -> Result<Self, ScriptError> {
        Ok(Self {
            seed,
            counters: Counters::default(),
            serial: AtomicU64::new(0),
            stored: Stored::default(),
            active: Mutex::new(Active { scripted: Scripted::try_new(script, seed)?, since: Instant::now() }),
        })
    }

    pub fn set_script(&self, script: Script) -> Result<(), ScriptError> {
        let scripted = Scripted::try_new(script, self.seed)?;
        *self.active() = Active { scripted, since: Instant::now() };
        Ok(())
    }

    /// The script's word on connections that begin now.
    pub fn connection(&self) -> Connection {
        self.active().scripted.script.connection.clone()
    }

    /// Whether to decide before the body is whole.
    pub fn decides_early(&self, request: &Request, first_piece: &[u8]) -> bool {
        const ASKED_BY_MODEL: &[&[u8]] = &[b"fault:early_answer", b"fault:slow_upload"];
        request.header("x-sim-fault").is_some()
            || self.active().scripted.speaks_of_uploads()
            || ASKED_BY_MODEL.iter().any(|asked| memmem::find(first_piece, asked).is_some())
    }

    pub fn decide(&self, request: &Request, body: &[u8]) -> Result<Decision, ApiError> {
        let target = answer::target(request);
        let model = if target.name.is_empty() { model_in_passing(body) } else { target.name.clone() };
        let mut active = self.active();
        let facts = Facts {
            path: &request.path,
            model: &model,
            stream: memmem::find(body, b"\"stream\":true").is_some()
                || memmem::find(body, b"\"stream\": true").is_some()
                || request.path.ends_with(":streamGenerateContent"),
            key: (target.dialect.key)(request),
            headers: &request.headers,
            body,
            since_script_ms: active.since_ms(),
        };
        let decision = active
            .scripted
            .decide(&facts)
            .map_err(|unknown| Trouble::Broken("unknown fault", unknown.to_string()).about("x-sim-fault"))?;
        drop(active);
        if !model.is_empty() {
            self.counters.model(&model);
        }
        for fault in &decision.faults.0 {
            self.counters.fault(fault.name);
        }
        Ok(decision)
    }

    /// Notes a request whose head has been read.
    pub fn remember(&self, request: &Request, origin: Origin) {
        let seen = Seen {
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            protocol: origin.protocol,
            connection: origin.connection,
            nth_on_connection: origin.nth,
            headers: request.headers.clone(),
            body_bytes: request.body.len(),
            body: request.body.clone(),
        };
        let dialect = answer::target(request).dialect;
        let key = Some((dialect.key)(request)).filter(|key| !key.is_empty());
        self.counters.remember(seen, dialect.name, key);
    }

    /// The steps that answer a request that has been read whole.
    pub fn play(&self, request: &Request, decision: Result<Decision, ApiError>) -> Play {
        let (decision, refusal) = match decision {
            Ok(decision) => (decision, None),
            Err(error) => (Decision::default(), Some(error)),
        };
        let serial = self.serial.fetch_add(1, Relaxed) + 1;
        let target = answer::target(request);
        let dialect = target.dialect;
        let mut active = self.active();
        let since_ms = active.since_ms();
        let plenty = Allowance::plenty(serial);
        let admitted = match refusal {
            Some(refusal) => Err(refusal),
            None => admit(request, &target, &active.scripted.script),
        };
        let (allowance, admitted) = match (admitted, active.scripted.script.rate_limit) {
            (Ok(()), Some(limit)) if request.method == "POST" => {
                let key = (target.dialect.key)(request);
                let tokens = (request.body.len() / 4 + decision.answer.tokens) as u64;
                take(&mut active.scripted.limiter, limit, key, tokens, since_ms, plenty)
            }
            (admitted, _) => (plenty, admitted),
        };
        let script = &active.scripted.script;
        let setting = Setting {
            seed: self.seed,
            serial,
            created_s: script.created_s.unwrap_or_else(now_s),
            now_s: now_s(),
            models: &script.models,
            omit_nullable: script.omit_nullable,
            shape: &decision.answer,
            allowance,
            stored: &self.stored,
        };
        let answered = admitted.and_then(|()| answer::answer(request, &target, &setting));
        let mut reply = answered.unwrap_or_else(|error| {
            if let (Some(rule), Some(endpoint)) = (error.breach(), target.endpoint) {
                self.counters.invalid(&format!("{}: {rule}", endpoint.name));
            }
            (dialect.refuse)(&error, &target, &setting)
        });
        reply_faults::apply(&mut reply, &decision.faults, request, &target, &setting);
        for (name, value) in (dialect.headers)(&setting) {
            if !reply.headers.iter().any(|(have, _)| *have == name) {
                reply.headers.push((name, value));
            }
        }
        self.counters.status(reply.status);
        let style = wire_faults::style(&decision.faults);
        let mut play = Play::of(&reply, &decision.latency, &style, active.scripted.random());
        drop(active);
        wire_faults::apply(&mut play, &decision.faults);
        play
    }

    /// The steps that answer before the body was read.
    pub fn play_early(&self, request: &Request, decision: &Decision) -> Option<Play> {
        decision.faults.find(Kind::EarlyAnswer)?;
        Some(self.play(request, Ok(decision.clone())))
    }

    /// The answer to a request for the simulator itself, which is not counted.
    pub fn control(&self, request: &Request) -> Option<Reply> {
        control::reply(self, request)
    }

    fn active(&self) -> MutexGuard<'_, Active> {
        // A panic while it was held can only have been in a pure function; the script is still whole.
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes per second at which an upload is to be read.
pub(crate) fn upload_pace(decision: &Decision) -> Option<u64> {
    let fault = decision.faults.find(Kind::SlowUpload)?;
    Some(fault.number.max(1))
}

fn now_s() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

/// Whether this request may be answered at all, before its body is looked at.
fn admit(request: &Request, target: &Target, script: &Script) -> Result<(), ApiError> {
    (target.dialect.admit)(request)?;
    match &script.require_key {
        Some(keys) if !keys.as_slice().iter().any(|key| key == (target.dialect.key)(request)) => {
            Err(Trouble::BadKey.into())
        }
        _ => Ok(()),
    }
}

/// What the limit leaves, and its refusal if that is too little.
fn take(
    limiter: &mut Limiter,
    limit: RateLimit,
    key: &str,
    tokens: u64,
    now_ms: u64,
    plenty: Allowance,
) -> (Allowance, Result<(), ApiError>) {
    match limiter.take(limit, key, tokens, now_ms, plenty) {
        Ok(left) => (left, Ok(())),
        Err((left, wait_ms)) => {
            let mut error = ApiError::from(Trouble::RateLimited);
            error.said.retry_after = Some(wait_ms.div_ceil(1_000).to_string());
            (left, Err(error))
        }
    }
}

/// The model of a JSON or multipart body, found without parsing it: the first member or field of that name. Good
/// enough to choose a rule; what the endpoint answers depends on the parsed body.
fn model_in_passing(body: &[u8]) -> String {
    if body.starts_with(b"--") {
        return field_in_passing(body, "model").unwrap_or("").to_owned();
    }
    let found = memmem::find_iter(body, b"\"model\"").find_map(|at| {
        let rest = body[at + 7..].trim_ascii_start().strip_prefix(b":")?;
        let text = rest.trim_ascii_start().strip_prefix(b"\"")?;
        let end = memchr::memchr(b'"', text)?;
        std::str::from_utf8(&text[..end]).ok()
    });
    found.unwrap_or("").to_owned()
}

/// Splits a request target into path and query.
pub(crate) fn path_and_query(target: &str) -> (String, String) {
    let (target, query) = target.split_once('?').unwrap_or((target, ""));
    // The absolute form: `http://host/path`.
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/".to_owned(), |slash| rest[slash..].to_owned()),
        None => target.to_owned(),
    };
    (path, query.to_owned())
}
