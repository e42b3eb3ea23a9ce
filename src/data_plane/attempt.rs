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
    settle::Settlement,
    upstream::{Call, Content, Piece, RequestBody, UpstreamRequest, answer_head::AnswerHead, pool::Lease},
};
use crate::{
    config::snapshot::{Deadlines, Deployment, ModelGroup},
    dialects::{
        endpoints::{ApiEndpoint, EndpointEntry},
        multipart::ModelFinder,
        openai_chat::{
            answer::{self, Answer},
            pass_through::{PassThrough, Verdict},
            request::RequestView,
        },
    },
    error::{Failure, Upstream},
    json::{
        patch::{Patch, PatchError, Segment},
        scan::Scanner,
    },
    limits::ANSWER_HELD_BYTES_MAX,
    sse::write::comment,
    telemetry::cells::DeploymentCells,
};
use std::{ops::Range, rc::Rc};

/// Silence after which a client that waits for a stream gets its head and comments, in milliseconds, so that nothing between us
/// and it times out.
pub const SILENCE_MS: u64 = 10_000;

/// Events of a stream that are held back until its first content, in bytes at most.
const HELD_EVENTS_BYTES_MAX: usize = 256 * 1024;

/// A provider's own refusal of a request is passed on up to this size.
const REJECTION_BYTES_MAX: usize = 64 * 1024;

/// A body up to this is copied into one buffer with its edits; larger ones are sent in place.
const COPIED_BODY_BYTES_MAX: usize = 16 * 1024;

/// A request as it is offered to deployments.
pub struct Outgoing<'r> {
    pub entry: &'static EndpointEntry,
    forward: &'r [u8],
    content_type: &'r [u8],
    /// The client's model name less the group's prefix.
    model: &'r str,
    /// The client asked for a stream.
    stream: bool,
    body: Body<'r>,
}

enum Body<'r> {
    Json { bytes: &'r Rc<Vec<u8>>, start: usize, view: &'r RequestView<'r> },
    Multipart(&'r MultipartBody),
}

/// The part of a multipart body that has been read.
pub struct MultipartBody {
    pub bytes: Rc<Vec<u8>>,
    pub start: usize,
    /// Value of the `model` part, within the body.
    pub model: Range<usize>,
    /// True when `bytes` holds all of the body.
    pub complete: bool,
    /// Length of the whole body, where the client announced it.
    pub announced: Option<u64>,
    /// True once bytes beyond the buffered part went upstream: no other deployment can have them again.
    pub spent: std::cell::Cell<bool>,
    /// Goes on looking for a second `model` in what is streamed.
    pub watcher: std::cell::RefCell<ModelFinder>,
}

impl<'r> Outgoing<'r> {
    pub fn json(
        entry: &'static EndpointEntry,
        forward: &'r [u8],
        bytes: &'r Rc<Vec<u8>>,
        start: usize,
        view: &'r RequestView<'r>,
        model: &'r str,
    ) -> Outgoing<'r> {
        let body = Body::Json { bytes, start, view };
        Outgoing { entry, forward, content_type: b"application/json", model, stream: view.stream, body }
    }

    pub fn multipart(
        entry: &'static EndpointEntry,
        forward: &'r [u8],
        content_type: &'r [u8],
        body: &'r MultipartBody,
        model: &'r str,
    ) -> Outgoing<'r> {
        Outgoing { entry, forward, content_type, model, stream: false, body: Body::Multipart(body) }
    }

    /// True when the request cannot be sent a second time.
    pub fn is_spent(&self) -> bool {
        matches!(&self.body, Body::Multipart(body) if body.spent.get())
    }

    /// The body for one deployment: the client's bytes with the permitted members patched, by `patch`, which is empty before.
    ///
    /// # Errors
    /// The edits overlap or are too many, which those of one request never do: another model than the operator's must not be asked.
    fn body_for<'a>(&'a self, deployment: &Deployment, patch: &'a mut Patch) -> Result<RequestBody<'a>, PatchError> {
        let model = deployment.upstream_model.as_deref().unwrap_or(self.model);
        match &self.body {
            Body::Json { bytes, start, view } => {
                let text = &bytes[*start..];
                view.patch(text, model, deployment.quirks.stream_usage, patch)?;
                let length = patch.patched_bytes(text.len());
                let content = if length <= COPIED_BODY_BYTES_MAX {
                    Content::Patched { patch, text }
                } else {
                    let piece = |segment| match segment {
                        Segment::Original(range) => {
                            Piece::Shared((*bytes).clone(), range.start + start..range.end + start)
                        }
                        Segment::New(new) => Piece::Owned(new.to_vec()),
                    };
                    Content::Pieces(patch.segments(text.len()).map(piece).collect())
                };
                Ok(RequestBody { content, length: Some(length as u64) })
            }
            Body::Multipart(body) => {
                let shared = |range: Range<usize>| {
                    Piece::Shared(body.bytes.clone(), range.start + body.start..range.end + body.start)
                };
                let held = body.bytes.len() - body.start;
                let pieces = vec![
                    shared(0..body.model.start),
                    Piece::Owned(model.as_bytes().to_vec()),
                    shared(body.model.end..held),
                ];
                let total = body.announced.or(body.complete.then_some(held as u64));
                let length = total.map(|total| total + model.len() as u64 - body.model.len() as u64);
                Ok(RequestBody { content: Content::Pieces(pieces), length })
            }
        }
    }
}

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
    pub pass: PassThrough,
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
    let mut call = send(exchange, client, group, deployment, outgoing).await?;
    exchange.settlement.answered_us = Some(exchange.shard.now_us());
    let head = &exchange.head;
    match head.status {
        200..300 => {}
        401 | 403 => return Err(Upstream::Credential { status: head.status }.into()),
        // The operator named the model, so it is not the client who got it wrong.
        404 if deployment.upstream_model.is_some() => return Err(Upstream::ModelMissing.into()),
        429 => return Err(Upstream::RateLimited { retry_after_ms: head.retry_after_ms }.into()),
        408 | 500.. => {
            return Err(Upstream::Status { status: head.status, retry_after_ms: head.retry_after_ms }.into());
        }
        400..500 => {
            held.succeeded();
            return Box::pin(rejection(exchange, client, group, deployment, call)).await.map(Progress::Whole);
        }
        _ => return Err(Upstream::BadResponse.into()),
    }
    // Not asked for, so not decodable by the client that did not ask either.
    if head.encoded || head.is_html() {
        return Err(Upstream::BadResponse.into());
    }
    if outgoing.stream && head.is_event_stream() {
        return Box::pin(first_content(exchange, client, group, outgoing, call)).await;
    }
    if outgoing.entry.answers_json() {
        if !head.is_json() && !head.content_type.is_empty() {
            return Err(Upstream::BadResponse.into());
        }
        if head.content_length.is_none_or(|length| length <= ANSWER_HELD_BYTES_MAX as u64) {
            let fill = deployment.quirks.fill_nullable && outgoing.entry.endpoint == ApiEndpoint::ChatCompletions;
            let more = next_data(exchange, client, &group.deadlines, &mut call).await?;
            if more && call.data_is_last() {
                return Ok(judged_in_place(exchange, call, fill)?);
            }
            return Box::pin(collected(exchange, client, group, call, more, fill)).await;
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
        let mut call = exchange.call(lease, deployment, outgoing).map_err(Ended::Failed)?;
        if exchange.settlement.sent_us.is_none() {
            exchange.settlement.sent_us = Some(exchange.shard.now_us());
        }
        if let Body::Multipart(body) = &outgoing.body
            && !body.complete
        {
            Box::pin(super::multipart::upload_rest(exchange, client, &mut call, body)).await?;
        }
        exchange.asked_at_ms = exchange.shard.deadlines.now_ms();
        if outgoing.stream {
            exchange.quiet_phase(limits.headers_ms.min(limits.first_token_ms));
        } else {
            exchange.phase(limits.headers_ms);
        }
        let head = loop {
            let waited = wait(client, &exchange.deadline, |cx| call.poll_head(cx)).await;
            if matches!(waited, Waited::Due) && outgoing.stream && exchange.kept_waiting(client) {
                continue;
            }
            break exchange.unless_over(waited, Upstream::HeadersTimeout)?;
        };
        match head {
            Ok(head) => {
                exchange.head = head;
                return Ok(call);
            }
            Err(Upstream::ResetBeforeAnswer) if call.is_reused() && !fresh && !outgoing.is_spent() => fresh = true,
            Err(failure) => return Err(failure.into()),
        }
    }
}

/// A JSON answer of which all came in one read: it is judged and passed on from there.
fn judged_in_place(exchange: &mut Exchange<'_>, call: Call, fill: bool) -> Result<Progress, Upstream> {
    let mut patch = exchange.shard.patch.borrow_mut();
    let mut scanner = exchange.shard.scanner.borrow_mut();
    let filled = judge(scanner.begin(&answer::MEMBERS), call.data(), fill, &mut patch, &mut exchange.settlement)?;
    drop(scanner);
    drop(patch);
    Ok(Progress::Whole(match filled {
        None => Whole::InPlace(call),
        Some(filled) => {
            call.consume_and_finish();
            Whole::Collected(filled)
        }
    }))
}

/// A JSON answer that comes in several runs of data, or in none.
async fn collected<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    mut call: Call,
    mut more: bool,
    fill: bool,
) -> Result<Progress, AttemptEnd> {
    let mut body = Vec::with_capacity(exchange.head.content_length.unwrap_or(1024) as usize);
    let mut scanner = Scanner::new(&answer::MEMBERS);
    while more {
        body.extend_from_slice(call.data());
        let taken = call.data().len();
        call.consume(taken);
        scanner.advance(&body).map_err(|_| Upstream::BadResponse)?;
        if body.len() > ANSWER_HELD_BYTES_MAX {
            let head = std::mem::take(&mut exchange.head);
            return Ok(Progress::Bytes(Box::new(Opened { head, call, held: body })));
        }
        more = next_data(exchange, client, &group.deadlines, &mut call).await?;
    }
    let mut patch = exchange.shard.patch.borrow_mut();
    let filled = judge(&mut scanner, &body, fill, &mut patch, &mut exchange.settlement)?;
    drop(patch);
    call.finish();
    Ok(Progress::Whole(Whole::Collected(filled.unwrap_or(body))))
}

/// Is this an answer, what did it cost, and what does it lack? With `fill`, returns the completed text if it lacks anything;
/// `patch` is room for that, whatever is in it.
fn judge(
    scanner: &mut Scanner,
    text: &[u8],
    fill: bool,
    patch: &mut Patch,
    settlement: &mut Settlement,
) -> Result<Option<Vec<u8>>, Upstream> {
    let scan = scanner.finish(text).map_err(|_| Upstream::BadResponse)?;
    let facts = Answer::of_scan(scan, text);
    if facts.error.is_some() {
        return Err(Upstream::InBand);
    }
    if let Some(usage) = &facts.usage {
        settlement.used(usage);
    }
    if !fill {
        return Ok(None);
    }
    patch.clear();
    // An answer with more choices than a patch holds is completed as far as it goes.
    let _ = facts.fill_missing(text, patch);
    if patch.is_empty() {
        return Ok(None);
    }
    let mut filled = Vec::with_capacity(patch.patched_bytes(text.len()));
    patch.append_to(text, &mut filled);
    Ok(Some(filled))
}

/// The provider refuses the request, and the client can mend it. What is not an error in OpenAI's shape is not passed on, nor is
/// one that repeats our credential, as some do whatever is wrong.
async fn rejection<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    deployment: &Deployment,
    mut call: Call,
) -> Result<Whole, AttemptEnd> {
    let mut body = Vec::new();
    while next_data(exchange, client, &group.deadlines, &mut call).await? {
        body.extend_from_slice(call.data());
        let taken = call.data().len();
        call.consume(taken);
        if body.len() > REJECTION_BYTES_MAX {
            break;
        }
    }
    let judged = Answer::read(&body);
    if judged.is_ok_and(|facts| facts.error.is_some()) && !deployment.is_credential_in(&body) {
        call.finish();
        exchange.settlement.record.code = "upstream_rejected";
        return Ok(Whole::Collected(body));
    }
    Err(AttemptEnd::Ended(Ended::Failed(Failure::Rejected { status: exchange.head.status })))
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

/// Holds a stream's events back until its first content (or its end) has been seen.
async fn first_content<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    outgoing: &Outgoing<'_>,
    mut call: Call,
) -> Result<Progress, AttemptEnd> {
    let chunks = matches!(outgoing.entry.endpoint, ApiEndpoint::ChatCompletions | ApiEndpoint::Completions);
    let usage_asked = matches!(&outgoing.body, Body::Json { view, .. } if view.include_usage);
    let mut pass = PassThrough::new(chunks, usage_asked);
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
            Verdict::More if pass.has_begun || held.len() > HELD_EVENTS_BYTES_MAX => {}
            Verdict::More => continue,
            Verdict::Complete => {}
            _ if pass.has_begun => {}
            Verdict::Error => return Err(Upstream::InBand.into()),
            Verdict::Malformed => return Err(Upstream::BadResponse.into()),
            Verdict::Truncated => return Err(Upstream::Truncated.into()),
        }
        let head = std::mem::take(&mut exchange.head);
        return Ok(Progress::Events(Box::new(Begun { head, call, pass, held, verdict })));
    }
}

impl Exchange<'_> {
    /// Stages the request on a connection.
    ///
    /// # Errors
    /// `Internal`, where its body could not be made.
    fn call(&self, lease: Lease, deployment: &Deployment, outgoing: &Outgoing<'_>) -> Result<Call, Failure> {
        let mut patch = self.shard.patch.borrow_mut();
        patch.clear();
        let body = outgoing.body_for(deployment, &mut patch).map_err(|_| Failure::Internal)?;
        Ok(lease.call(UpstreamRequest {
            deployment,
            endpoint: &self.current.snapshot.endpoints[deployment.endpoint as usize],
            base_path: &deployment.base_path,
            path: outgoing.entry.path,
            content_type: outgoing.content_type,
            accept: if outgoing.stream { "text/event-stream" } else { "application/json" },
            forward: outgoing.forward,
            body,
        }))
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
