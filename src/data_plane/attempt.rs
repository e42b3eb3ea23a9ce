//! One try at one deployment, up to the point where the answer belongs to it.
//!
//! That point is: the whole of a JSON answer, validated; the first content of a stream; the head of anything else. Until then a failure
//! is the attempt's, and another deployment may be tried; nothing has been sent to the client, except, after ten seconds of
//! silence, the head of a stream and comments, which commit to nothing.
//!
//! A failure before the first byte on a connection that had been used before is repeated once on a fresh connection: the
//! peer's keep-alive timer and our request can cross.

use super::{
    downstream::{Downstream, ReplyHead},
    exchange::{Ended, Exchange, Waited, wait},
    outgoing::{Composed, Outgoing, PrepareError, Prepared},
    upstream::{Call, UpstreamRequest, answer_head::AnswerHead, pool::Lease},
};
use crate::{
    config::{
        cloud::AuthSource,
        snapshot::{Deadlines, Deployment, ModelGroup},
    },
    dialects::{
        anthropic_messages,
        canonical::{Facts, Notes},
        endpoints::{Api, ApiEndpoint},
        gemini,
        openai_chat::pass_through::{PassThrough, Verdict},
        openai_responses::{self, rename::Names},
        passage::Passage,
        translate::Translation,
        way_back::WayBack,
        wire::UpstreamWire,
    },
    error::{Failure, Upstream},
    limits::ANSWER_HELD_BYTES_MAX,
    policy::response_ids::ResponseIds,
    sse::write::comment,
    telemetry::cells::DeploymentCells,
};

pub mod answer;
mod several;
mod token_count;
use answer::{Reading, collected, judged_in_place, reading, refused, rejection, translated_in_place};

/// Silence after which a client that waits for a stream gets its head and comments, in milliseconds, so that nothing between us
/// and it times out.
pub const SILENCE_MS: u64 = 10_000;

/// Events of a stream that are held back until its first content, in bytes at most.
const HELD_EVENTS_BYTES_MAX: usize = 256 * 1024;

/// An answer that belongs to its attempt.
pub enum Answered {
    Whole(Whole),
    Events(Events),
    Bytes(Bytes),
}

/// A whole answer, validated, or a provider's refusal that is the client's to see: where its body is. Its head is the exchange's.
pub enum Whole {
    /// It is the call's present data, after which nothing comes.
    InPlace(Call),
    Collected(Vec<u8>),
}

/// A stream that has begun.
pub struct Events {
    /// Boxed, like all that a whole answer has no use for: what an exchange may need makes each of them larger.
    pub begun: Box<Begun>,
    pub attempt: AttemptHeld,
}

/// Its first part.
pub struct Begun {
    pub head: AnswerHead,
    pub call: Call,
    pub pass: Passage,
    /// Events not yet sent to the client.
    pub held: Vec<u8>,
    pub verdict: Verdict,
}

/// An answer of any other kind: its bytes go through.
pub struct Bytes {
    pub opened: Box<Opened>,
    pub attempt: AttemptHeld,
}

/// Its first part.
pub struct Opened {
    pub head: AnswerHead,
    pub call: Call,
    /// Bytes not yet sent to the client.
    pub held: Vec<u8>,
}

/// Why an attempt gave no answer.
pub enum AttemptEnd {
    /// It failed; another deployment may do.
    Upstream(Upstream),
    /// The exchange is over.
    Ended(Ended),
}

impl From<Ended> for AttemptEnd {
    fn from(ended: Ended) -> AttemptEnd {
        AttemptEnd::Ended(ended)
    }
}

impl From<Upstream> for AttemptEnd {
    fn from(failure: Upstream) -> AttemptEnd {
        AttemptEnd::Upstream(failure)
    }
}

/// Counts an attempt as in flight until its answer has ended; a failure unless told otherwise.
pub struct AttemptHeld {
    state: std::sync::Arc<crate::node::ShardState>,
    deployment: u32,
    failed: bool,
}

impl AttemptHeld {
    fn new(exchange: &Exchange<'_>, deployment: u32) -> AttemptHeld {
        let state = exchange.shard.state.clone();
        state.cells.deployment(deployment).attempt_began();
        AttemptHeld { state, deployment, failed: true }
    }

    /// The answer came to its end, or the client's leaving ended it.
    pub fn succeeded(&mut self) {
        self.failed = false;
    }

    fn cells(&self) -> &DeploymentCells {
        self.state.cells.deployment(self.deployment)
    }
}

impl Drop for AttemptHeld {
    fn drop(&mut self) {
        self.cells().attempt_ended(self.failed);
    }
}

/// Runs one attempt.
///
/// # Errors
/// See `AttemptEnd`.
pub async fn run<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    index: u32,
    outgoing: &Outgoing<'_>,
) -> Result<Answered, AttemptEnd> {
    let current = exchange.current;
    let deployment = &current.snapshot.deployments[index as usize];
    exchange.settlement.record.deployment = index;
    exchange.settlement.record.attempts += 1;
    let mut held = AttemptHeld::new(exchange, index);
    let result = attempt(exchange, client, group, deployment, outgoing, &mut held).await;
    if let Err(AttemptEnd::Ended(Ended::Gone)) = result {
        held.succeeded();
    }
    result.map(|answer| match answer {
        Progress::Whole(whole) => {
            held.succeeded();
            Answered::Whole(whole)
        }
        Progress::Events(begun) => Answered::Events(Events { begun, attempt: held }),
        Progress::Bytes(opened) => Answered::Bytes(Bytes { opened, attempt: held }),
    })
}

enum Progress {
    Whole(Whole),
    Events(Box<Begun>),
    Bytes(Box<Opened>),
}

async fn attempt<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    deployment: &Deployment,
    outgoing: &Outgoing<'_>,
    held: &mut AttemptHeld,
) -> Result<Progress, AttemptEnd> {
    let mut prepared = match outgoing.prepare(deployment, || exchange.facts(outgoing)) {
        Ok(prepared) => prepared,
        Err(PrepareError::Upstream(failure)) => {
            held.succeeded();
            return Err(failure.into());
        }
        Err(PrepareError::Client(failure)) => {
            held.succeeded();
            return Err(Ended::Failed(failure).into());
        }
        Err(PrepareError::Estimated(wire)) => {
            held.succeeded();
            exchange.notes = Notes::default();
            exchange.head = AnswerHead::new(200);
            exchange.estimated_line("tokens");
            let answer = Box::pin(token_count::estimated(exchange, client, outgoing, wire)).await?;
            return Ok(Progress::Whole(Whole::Collected(answer)));
        }
    };
    // Before the head of a stream may have to go out; an earlier attempt's mean nothing here.
    exchange.notes = prepared.composed.as_mut().map(|composed| std::mem::take(&mut composed.notes)).unwrap_or_default();
    let mut call = send(exchange, client, group, deployment, outgoing, &prepared).await?;
    exchange.settlement.answered_us = Some(exchange.shard.now_us());
    let head = &exchange.head;
    let form = prepared.other_form();
    let other_wire = prepared.other_wire();
    let mut composed = prepared.composed.map(|Composed { back, .. }| back);
    match head.status {
        200..300 => {}
        400.. if let Some(form) = form => {
            let failure = Box::pin(refused(exchange, client, group, deployment, form, call)).await?;
            if matches!(failure, Upstream::Refused { .. }) {
                held.succeeded();
            }
            return Err(failure.into());
        }
        401 | 403 => return Err(Upstream::Credential { status: head.status }.into()),
        // The operator named the model, so it is not the client who got it wrong.
        404 if deployment.upstream_model.is_some() && !outgoing.is_by_id() => return Err(Upstream::ModelMissing.into()),
        // Some say in the body alone when to come back.
        429 if head.retry_after_ms.is_none() => {
            let form = answer::own_form(outgoing);
            return Err(match Box::pin(refused(exchange, client, group, deployment, form, call)).await {
                Ok(failure) => failure.into(),
                Err(AttemptEnd::Upstream(_)) => Upstream::RateLimited { retry_after_ms: None }.into(),
                Err(ended) => ended,
            });
        }
        429 => return Err(Upstream::RateLimited { retry_after_ms: head.retry_after_ms }.into()),
        408 | 500.. => {
            return Err(Upstream::Status { status: head.status, retry_after_ms: head.retry_after_ms }.into());
        }
        400..500 => {
            held.succeeded();
            return Box::pin(rejection(exchange, client, group, deployment, outgoing, call)).await.map(Progress::Whole);
        }
        _ => return Err(Upstream::BadResponse.into()),
    }
    // Not asked for, so not decodable by the client that did not ask either.
    if head.encoded || head.is_html() {
        return Err(Upstream::BadResponse.into());
    }
    if outgoing.stream && head.is_event_stream() {
        let pass = passage(outgoing, composed.and_then(WayBack::chat), other_wire, || exchange.names(deployment));
        return Box::pin(first_content(exchange, client, group, pass, call)).await;
    }
    if let Some(back) = composed.take_if(|back| back.calls() > 1) {
        return Box::pin(several::collected(exchange, client, group, deployment, call, back)).await;
    }
    if let Some(reading) = reading(outgoing, composed, || exchange.names(deployment)) {
        let has_no_type = exchange.head.content_type.is_empty() && matches!(reading, Reading::Named { .. });
        if !exchange.head.is_json() && !has_no_type {
            return Err(Upstream::BadResponse.into());
        }
        let more = next_data(exchange, client, &group.deadlines, &mut call).await?;
        return match reading {
            Reading::Translated(back @ WayBack::Chat(_))
                if more && call.data_is_last() && exchange.settlement.tokenizer.is_none() =>
            {
                Ok(translated_in_place(exchange, deployment, call, back)?)
            }
            reading => Box::pin(collected(exchange, client, group, deployment, call, more, reading)).await,
        };
    }
    // Transcripts are JSON unless a text was asked for, and count what they cost.
    if outgoing.entry.answers_json() || head.is_json() {
        if !head.is_json() && !head.content_type.is_empty() {
            return Err(Upstream::BadResponse.into());
        }
        if head.content_length.is_none_or(|length| length <= ANSWER_HELD_BYTES_MAX as u64) {
            let fill = deployment.quirks.fill_nullable && outgoing.entry.endpoint == ApiEndpoint::ChatCompletions;
            let more = next_data(exchange, client, &group.deadlines, &mut call).await?;
            if more && call.data_is_last() {
                return Ok(judged_in_place(exchange, call, fill)?);
            }
            let reading = Reading::AsItCame { fill };
            return Box::pin(collected(exchange, client, group, deployment, call, more, reading)).await;
        }
    }
    let head = std::mem::take(&mut exchange.head);
    Ok(Progress::Bytes(Box::new(Opened { head, call, held: Vec::new() })))
}

/// Gets a connection, sends the request and waits for the answer's head.
async fn send<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    deployment: &Deployment,
    outgoing: &Outgoing<'_>,
    prepared: &Prepared<'_>,
) -> Result<Call, AttemptEnd> {
    let current = exchange.current;
    let pool = &current.pools[deployment.endpoint as usize];
    let limits = &group.deadlines;
    let mut fresh = false;
    loop {
        let warm = if fresh { None } else { pool.try_lease() };
        let lease = match warm {
            Some(lease) => lease,
            None => {
                exchange.phase(limits.connect_ms);
                // Boxed: it has room for a handshake, and hardly an exchange gets here.
                let mut leasing = Box::pin(pool.lease_if(fresh, limits.connect_ms));
                let waited = wait(client, &exchange.deadline, |cx| leasing.as_mut().poll(cx)).await;
                exchange.unless_over(waited, Upstream::ConnectTimeout)??
            }
        };
        let mut call = exchange.call(lease, deployment, outgoing, prepared)?;
        if prepared.calls() > 1 {
            let count = prepared.calls() - 1;
            let leases = Box::pin(several::leases(exchange, client, group, deployment, count, fresh)).await?;
            call = exchange.calls(call, leases, deployment, outgoing, prepared)?;
        }
        if exchange.settlement.sent_us.is_none() {
            exchange.settlement.sent_us = Some(exchange.shard.now_us());
        }
        if let Some(body) = outgoing.unfinished() {
            Box::pin(super::multipart::upload_rest(exchange, client, &mut call, body)).await?;
        }
        exchange.asked_at_ms = exchange.shard.deadlines.now_ms();
        if outgoing.stream {
            exchange.quiet_phase(limits.headers_ms.min(limits.first_token_ms));
        } else {
            exchange.phase(limits.headers_ms);
        }
        let answered = loop {
            let waited = wait(client, &exchange.deadline, |cx| call.poll_head(cx, &mut exchange.head)).await;
            if matches!(waited, Waited::Due) && outgoing.stream && exchange.kept_waiting(client) {
                continue;
            }
            break exchange.unless_over(waited, Upstream::HeadersTimeout)?;
        };
        match answered {
            Ok(()) => return Ok(call),
            Err(Upstream::ResetBeforeAnswer) if call.is_reused() && !fresh && !outgoing.is_spent() => fresh = true,
            Err(failure) => return Err(failure.into()),
        }
    }
}

/// Waits for the next run of an answer's data; false at its end.
async fn next_data<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    limits: &Deadlines,
    call: &mut Call,
) -> Result<bool, AttemptEnd> {
    exchange.phase(limits.gap_ms);
    let waited = wait(client, &exchange.deadline, |cx| call.poll_data(cx)).await;
    Ok(exchange.unless_over(waited, Upstream::GapTimeout)??)
}

/// How a stream goes to its client.
pub fn passage(
    outgoing: &Outgoing<'_>,
    translation: Option<Translation>,
    wire: Option<UpstreamWire>,
    names: impl FnOnce() -> Names,
) -> Passage {
    if let Some(translation) = translation {
        return match translation.calls {
            1 => Passage::Translated(Box::new(translation.stream())),
            _ => Passage::Several(Box::new(translation.streams())),
        };
    }
    match outgoing.entry.api {
        Api::OpenAi if outgoing.entry.endpoint.is_of_responses() => {
            let pass = openai_responses::pass_through::PassThrough::new(names(), outgoing.is_by_id());
            Passage::Responses(Box::new(pass))
        }
        Api::OpenAi => {
            let endpoint = outgoing.entry.endpoint;
            let chunks = matches!(endpoint, ApiEndpoint::ChatCompletions | ApiEndpoint::Completions);
            Passage::OpenAi(PassThrough::new(chunks, outgoing.usage_asked()))
        }
        Api::Anthropic if wire.is_some_and(UpstreamWire::streams_frames) => Passage::AnthropicFrames(Box::default()),
        Api::Anthropic => Passage::Anthropic(anthropic_messages::pass_through::PassThrough::new()),
        Api::Gemini => Passage::Gemini(gemini::pass_through::PassThrough::new(gemini::render::Form::Events)),
    }
}

/// Holds a stream's events back until its first content (or its end) has been seen.
async fn first_content<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    mut pass: Passage,
    mut call: Call,
) -> Result<Progress, AttemptEnd> {
    let mut held = Vec::new();
    // The limit runs from the request, not from the head: a head promises nothing.
    let waited_ms = exchange.shard.deadlines.now_ms() - exchange.asked_at_ms;
    exchange.quiet_phase(group.deadlines.first_token_ms.saturating_sub(waited_ms));
    loop {
        let waited = wait(client, &exchange.deadline, |cx| call.poll_data(cx)).await;
        if matches!(waited, Waited::Due) && exchange.kept_waiting(client) {
            continue;
        }
        let verdict = if exchange.unless_over(waited, Upstream::FirstTokenTimeout)?? {
            let verdict = pass.feed(call.data(), &mut held);
            let taken = call.data().len();
            call.consume(taken);
            verdict
        } else {
            pass.end(&mut held)
        };
        match verdict {
            Verdict::More if pass.has_begun() || held.len() > HELD_EVENTS_BYTES_MAX => {}
            Verdict::More => continue,
            Verdict::Complete => {}
            _ if pass.has_begun() => {}
            Verdict::Error => return Err(Upstream::InBand.into()),
            Verdict::Malformed => return Err(Upstream::BadResponse.into()),
            Verdict::Truncated => return Err(Upstream::Truncated.into()),
        }
        let head = std::mem::take(&mut exchange.head);
        return Ok(Progress::Events(Box::new(Begun { head, call, pass, held, verdict })));
    }
}

fn internal() -> AttemptEnd {
    AttemptEnd::Ended(Ended::Failed(Failure::Internal))
}

impl Exchange<'_> {
    /// Stages the request on a connection.
    ///
    /// # Errors
    /// `Internal`, where its body could not be made; `Credential`, where there is none to show at the moment.
    fn call(
        &self,
        lease: Lease,
        deployment: &Deployment,
        outgoing: &Outgoing<'_>,
        prepared: &Prepared<'_>,
    ) -> Result<Call, AttemptEnd> {
        let mut patch = self.shard.patch.borrow_mut();
        patch.clear();
        let body = outgoing.body_for(deployment, prepared, &mut patch).map_err(|_| internal())?;
        let signed = match deployment.auth {
            AuthSource::Headers => None,
            AuthSource::Cloud(_) => {
                Some(prepared.lines_for_cloud(deployment, self.settlement.record.at_us / 1_000_000)?)
            }
        };
        Ok(lease.call(UpstreamRequest {
            deployment,
            endpoint: &self.current.snapshot.endpoints[deployment.endpoint as usize],
            base_path: &deployment.base_path,
            method: outgoing.method(),
            path: &prepared.path,
            content_type: outgoing.content_type,
            accept: prepared.accept(outgoing.stream),
            forward: signed.as_deref().unwrap_or(&prepared.forward),
            body,
        }))
    }

    /// The ids of stored responses as this client has them. Where nobody shows a key, all clients are one.
    pub fn response_ids(&self) -> ResponseIds {
        let hash = self.current.snapshot.key_hashes.get(self.settlement.record.key as usize);
        ResponseIds::of(hash.unwrap_or(&[0; 32]))
    }

    /// What this client calls the responses of a deployment.
    fn names(&self, deployment: &Deployment) -> Names {
        let (ids, account) = (self.response_ids(), deployment.account_mark());
        Names::new(move |id| ids.seal(account, id))
    }

    /// What a rendered answer says of itself.
    pub fn facts(&self, outgoing: &Outgoing<'_>) -> Facts {
        let record = &self.settlement.record;
        Facts {
            // Which is ASCII.
            id: String::from_utf8(record.request_id.text().to_vec()).unwrap_or_default(),
            model: outgoing.model_asked.to_owned(),
            created_s: record.at_us / 1_000_000,
            usage_asked: outgoing.usage_asked(),
        }
    }

    /// Says in the answer's head what of it is an estimate.
    fn estimated_line(&mut self, what: &str) {
        self.lines.extend_from_slice(b"x-ringway-estimated: ");
        self.lines.extend_from_slice(what.as_bytes());
        self.lines.extend_from_slice(b"\r\n");
    }

    /// Sets the deadline for a phase that may take `ms`, within what is left of the whole.
    pub fn phase(&mut self, ms: u64) {
        self.phase_at_ms = self.shard.deadlines.now_ms().saturating_add(ms).min(self.total_at_ms);
        self.deadline.set_at_ms(self.phase_at_ms);
    }

    /// As `phase`, for a client that waits for a stream: it hears from us sooner than the phase may end.
    pub fn quiet_phase(&mut self, ms: u64) {
        let now_ms = self.shard.deadlines.now_ms();
        self.phase_at_ms = now_ms.saturating_add(ms).min(self.total_at_ms);
        self.deadline.set_at_ms(self.phase_at_ms.min(now_ms + SILENCE_MS));
    }

    /// The deadline fired. Where only the silence became too long and not the phase, opens the client's stream, says that it is
    /// waiting, and goes on.
    pub fn kept_waiting<D: Downstream>(&mut self, client: &mut D) -> bool {
        let now_ms = self.shard.deadlines.now_ms();
        if now_ms >= self.phase_at_ms {
            return false;
        }
        self.deadline.set_at_ms(self.phase_at_ms.min(now_ms + SILENCE_MS));
        self.open_stream(client, &[]);
        let mut line = Vec::with_capacity(16);
        comment(&mut line, "waiting");
        client.stage(&line);
        true
    }

    /// Stages the head of a stream, once.
    pub fn open_stream<D: Downstream>(&mut self, client: &mut D, lines: &[u8]) {
        if self.stream_open {
            return;
        }
        self.stream_open = true;
        self.settlement.record.status = 200;
        self.settlement.record.streamed = true;
        // Neither caches nor buffering proxies may sit on a stream.
        self.lines.extend_from_slice(b"cache-control: no-cache\r\nx-accel-buffering: no\r\n");
        self.lines.extend_from_slice(lines);
        self.note_lines();
        self.explain_lines();
        client.stage_head(&ReplyHead {
            status: 200,
            content_type: b"text/event-stream; charset=utf-8",
            content_length: None,
            request_id: self.settlement.record.request_id,
            lines: &self.lines,
        });
    }

    /// What a wait brought, or why it is over.
    pub fn unless_over<T>(&self, waited: Waited<T>, timeout: Upstream) -> Result<T, AttemptEnd> {
        match waited {
            Waited::Done(done) => Ok(done),
            Waited::Gone => Err(AttemptEnd::Ended(Ended::Gone)),
            Waited::Due if self.shard.deadlines.now_ms() >= self.total_at_ms => Err(Upstream::DeadlineExceeded.into()),
            Waited::Due => Err(timeout.into()),
        }
    }
}
