//! THE SPINE: one client request and its answer, from the parsed head to the settled record.
//!
//! read, admit, plan, (attempt, relay)*, settle: every "which way to go" is here, the steps do not know each other. However an
//! exchange ends, its settlement settles it once.

use super::{
    admit,
    attempt::{self, Answered, AttemptEnd},
    buffers, by_id,
    downstream::{Downstream, head::Inbound},
    explain, multipart,
    outgoing::{AskedBy, Outgoing, Previous},
    relay, reply,
    settle::Settlement,
    shard::{BodyRoom, Current, Shard},
    upstream::answer_head::AnswerHead,
};
use crate::{
    config::snapshot::ModelGroup,
    dialects::{
        canonical::Notes,
        endpoints::{self, Api, ApiEndpoint, BodyKind, EndpointEntry, Route},
        failure,
        openai_chat::request::{self, RequestKind},
    },
    error::{Failure, Retry, Upstream},
    policy::cors,
    routing::plan::{self, Facts, Plan, Skipped},
    rt::Deadline,
    telemetry::cells::Cell,
};
use std::{
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll},
};

/// What becomes of the client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    KeepAlive,
    /// The client is gone, or must see that its answer is not complete.
    Close,
}

/// Why an exchange ended without a complete answer.
#[derive(Debug)]
pub enum Ended {
    /// The client is told.
    Failed(Failure),
    /// The client left.
    Gone,
    /// The answer was under way and has no way to carry an error: the client sees it break off.
    Broken(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Ended {
        Ended::Failed(failure)
    }
}

/// What the steps of one exchange share.
pub struct Exchange<'s> {
    pub shard: &'s Rc<Shard>,
    pub current: &'s Current,
    pub settlement: Settlement,
    pub deadline: Rc<Deadline>,
    /// Head of the answer that the present attempt got. Here and not with the answer, which goes from hand to hand.
    pub head: AnswerHead,
    /// Header lines for the answer, whatever it will be (CORS).
    pub lines: Vec<u8>,
    /// What became of members of the request that the present attempt's upstream has no word for.
    pub notes: Notes,
    /// The client wants to know what was done.
    pub explain: bool,
    /// When the whole exchange has to be over, in milliseconds of the shard's clock.
    pub total_at_ms: u64,
    /// When the request was sent to the present attempt's deployment.
    pub asked_at_ms: u64,
    /// When the present phase has to be over; the deadline may be earlier, to break a silence.
    pub phase_at_ms: u64,
    /// The head of a stream has been staged: from here on failures are events.
    pub stream_open: bool,
    /// The event of a failure that ended the stream, where what came before decides how it is written.
    pub last_event: Option<Box<[u8]>>,
}

/// What a request asks for before its body is read.
struct Asked {
    entry: &'static EndpointEntry,
    /// The model, where the path names it.
    model: Option<String>,
    /// The call is to be explained, and not made.
    explained: bool,
}

/// Where a request goes.
enum Next {
    /// Nowhere: it could be answered at once, and was.
    Answered,
    Body(Asked),
    /// To whoever keeps the response with this id, which is still percent-encoded.
    Stored(&'static EndpointEntry, Box<str>),
}

/// Runs one exchange.
pub async fn run<D: Downstream>(shard: &Rc<Shard>, client: &mut D, inbound: &mut Inbound) -> After {
    let current = &*shard.current();
    let mut exchange = Exchange {
        settlement: Settlement::open(shard, current),
        deadline: client.spare_deadline().unwrap_or_else(|| Rc::new(shard.deadlines.slot())),
        explain: inbound.head.debug || current.snapshot.server.explain_always,
        head: AnswerHead::default(),
        lines: Vec::new(),
        notes: Notes::default(),
        total_at_ms: u64::MAX,
        asked_at_ms: 0,
        phase_at_ms: u64::MAX,
        stream_open: false,
        last_event: None,
        shard,
        current,
    };
    match exchange.answer(client, inbound).await {
        Ok(()) => {}
        Err(Ended::Gone) => {
            exchange.settlement.record.client_gone = true;
            return After::Close;
        }
        Err(Ended::Failed(failure)) if exchange.stream_open => {
            let event = exchange.last_event.take().unwrap_or_else(|| {
                let mut event = Vec::with_capacity(256);
                let (api, endpoint) = (exchange.settlement.api, exchange.settlement.record.endpoint);
                failure::write_event(api, endpoint, &failure, &mut event);
                event.into()
            });
            exchange.settlement.failed(&failure);
            shard.state.cells.add(Cell::StreamsBroken, 1);
            client.stage(&event);
            client.stage_end();
        }
        Err(Ended::Failed(failure)) => {
            if failure == Failure::Overloaded {
                shard.state.cells.add(Cell::Sheds, 1);
            }
            reply::stage_failure(client, &mut exchange.settlement, &mut exchange.lines, &failure);
        }
        Err(Ended::Broken(failure)) => {
            exchange.settlement.failed(&failure);
            shard.state.cells.add(Cell::StreamsBroken, 1);
            // What was relayed so far still goes out; then the break shows.
            reply::flush(client, exchange.current, &mut exchange.settlement).await;
            client.abort();
            return After::Close;
        }
    }
    if reply::flush(client, exchange.current, &mut exchange.settlement).await {
        return After::KeepAlive;
    }
    exchange.settlement.record.client_gone = true;
    client.abort();
    After::Close
}

impl<'s> Exchange<'s> {
    async fn answer<D: Downstream>(&mut self, client: &mut D, inbound: &mut Inbound) -> Result<(), Ended> {
        if self.cross_origin(client, inbound) {
            return Ok(());
        }
        let asked = match self.entry(client, inbound)? {
            Next::Answered => return Ok(()),
            Next::Body(asked) => asked,
            Next::Stored(entry, id) => return Box::pin(by_id::call(self, client, entry, &id, inbound)).await,
        };
        if asked.entry.body == BodyKind::JsonOrMultipart && multipart::is_multipart(inbound) {
            if asked.explained {
                return Err(explain::form().into());
            }
            return Box::pin(multipart::pass(self, client, asked.entry, asked.model, inbound)).await;
        }
        self.json(client, asked, inbound).await
    }

    /// Where the request goes.
    fn entry<D: Downstream>(&mut self, client: &mut D, inbound: &Inbound) -> Result<Next, Failure> {
        let path = inbound.path();
        let below = endpoints::explained(path);
        let (path, explained) = (below.unwrap_or(path), below.is_some());
        let route = endpoints::route(inbound.head.method.as_str(), path);
        self.settlement.api = match &route {
            // What has a body is one API's alone.
            Ok(Route::Api(entry)) if entry.body != BodyKind::None => entry.api,
            _ => endpoints::api(path, inbound.head.speaks),
        };
        if self.settlement.api == Api::Anthropic {
            // What that API calls it, and its clients show in their errors.
            let id = self.settlement.record.request_id;
            self.lines.extend([&b"request-id: "[..], &self.shard.id_text(id), b"\r\n"].concat());
        }
        admit::authenticate(self.current, inbound, client.remembered(), &mut self.settlement)?;
        let body = match route? {
            // Nothing is asked of anybody there.
            Route::Model(_) if explained => return Err(Failure::UnknownPath),
            Route::Api(entry) if explained && entry.body == BodyKind::None => return Err(Failure::UnknownPath),
            Route::Model(id) => {
                self.settlement.record.endpoint = ApiEndpoint::Model;
                reply::model(self.current, self.settlement.api, id)?
            }
            Route::Api(entry) => {
                self.settlement.record.endpoint = if explained { ApiEndpoint::Explain } else { entry.endpoint };
                if entry.body != BodyKind::None {
                    return Ok(Next::Body(Asked { entry, model: None, explained }));
                }
                reply::models(self.current, self.settlement.api)
            }
            Route::Named(entry, model) => {
                self.settlement.record.endpoint = if explained { ApiEndpoint::Explain } else { entry.endpoint };
                let model =
                    endpoints::percent_decoded(model).ok_or_else(|| Failure::ModelNotFound { model: model.into() })?;
                return Ok(Next::Body(Asked { entry, model: Some(model), explained }));
            }
            Route::Stored(entry, id) => {
                self.settlement.record.endpoint = if explained { ApiEndpoint::Explain } else { entry.endpoint };
                return if explained { Err(explain::by_id()) } else { Ok(Next::Stored(entry, id.into())) };
            }
        };
        reply::stage_whole(client, &mut self.settlement, 200, b"application/json", &self.lines, &body);
        Ok(Next::Answered)
    }

    /// Answers a CORS preflight, or notes the headers that a page's answer needs. True when that was all.
    fn cross_origin<D: Downstream>(&mut self, client: &mut D, inbound: &Inbound) -> bool {
        let Some(origin) = inbound.value(inbound.head.origin) else { return false };
        let (headers, is_preflight) = match cors::decide(
            &self.current.snapshot.server.cors_origins,
            cors::Facts {
                method: inbound.head.method.as_str().as_bytes(),
                origin: Some(origin),
                requested_method: inbound.value(inbound.head.cors_method),
                requested_headers: inbound.value(inbound.head.cors_headers),
            },
        ) {
            cors::Decision::Nothing => return false,
            cors::Decision::Actual { headers } => (headers, false),
            cors::Decision::Preflight { headers } => (headers, true),
        };
        for (name, value) in headers {
            self.lines.extend([name, ": ", &value, "\r\n"].concat().bytes());
        }
        if is_preflight {
            reply::stage_whole(client, &mut self.settlement, 204, b"text/plain", &self.lines, &[]);
        }
        is_preflight
    }

    /// A request with a JSON body: all of it is read and validated before anything goes upstream.
    async fn json<D: Downstream>(&mut self, client: &mut D, asked: Asked, inbound: &mut Inbound) -> Result<(), Ended> {
        let Asked { entry, model: named, explained } = asked;
        let mut room = BodyRoom::none(self.shard);
        admit::open_json(inbound, self.current, &mut room)?;
        let came_whole = inbound.body_complete;
        let mut scanner = None;
        if !came_whole {
            let reading = admit::read_json(client, inbound, self.current, &self.deadline, &mut room);
            scanner = Some(Box::pin(reading).await?);
            self.settlement.received_us = self.shard.now_us();
        }
        self.settlement.record.request_bytes = inbound.body().len() as u64;
        let own = std::mem::take(&mut inbound.bytes);
        // A body that was still being sent when its exchange ended keeps the last one.
        match Rc::get_mut(&mut inbound.shared) {
            Some(shared) => *shared = own,
            None => inbound.shared = Rc::new(own),
        }
        let bytes = &inbound.shared;
        let text = &bytes[inbound.body_start..];
        let (head, head_bytes) = (&inbound.head, &bytes[..inbound.body_start]);
        let query = head.query(head_bytes);
        let kind = request_kind(entry.endpoint, query);
        let view = match scanner {
            Some(mut scanner) => admit::view(kind, &mut scanner, text, named.as_deref())?,
            None => {
                let mut scanner = self.shard.scanner.borrow_mut();
                admit::view(kind, scanner.begin(&request::MEMBERS), text, named.as_deref())?
            }
        };
        let (group, rest) = self.resolve(&view.model)?;
        let asked = AskedBy {
            query,
            speaks_anthropic: head.speaks == Api::Anthropic,
            drops: head.drops.unwrap_or(group.drops),
        };
        let mut outgoing = Outgoing::json(entry, &inbound.head.forward, bytes, inbound.body_start, &view, rest, asked);
        if entry.endpoint.is_of_responses()
            && let Some(id) = view.previous_response(text)
        {
            outgoing.previous = self.previous(id);
        }
        if explained {
            return explain::answer(self, client, group, &outgoing).map_err(Ended::Failed);
        }
        let plan = self.plan(group, entry, outgoing.pinned())?;
        let ended = self.attempts(client, group, &plan, &outgoing).await;
        if self.settlement.uncounted_bytes.is_some() {
            self.settlement.estimate(text);
        }
        drop(view);
        // A body that is still being sent keeps it.
        if let Some(bytes) = Rc::get_mut(&mut inbound.shared) {
            buffers::give(std::mem::take(bytes));
        }
        ended
    }

    /// The request is complete: from here on time counts as latency.
    pub fn received(&mut self, body_bytes: usize) {
        self.settlement.received_us = self.shard.now_us();
        self.settlement.record.request_bytes = body_bytes as u64;
    }

    /// The group for a model name, and the name less the group's prefix.
    ///
    /// # Errors
    /// `ModelNotFound`.
    pub fn resolve<'m>(&mut self, model: &'m str) -> Result<(&'s ModelGroup, &'m str), Failure> {
        let resolved =
            self.current.snapshot.resolve(model).ok_or_else(|| Failure::ModelNotFound { model: model.into() })?;
        let group = &**resolved.group;
        self.settlement.record.group = group.index;
        self.settlement.tokenizer = group.tokenizer;
        self.total_at_ms = self.shard.deadlines.now_ms() + group.deadlines.total_ms;
        Ok((group, &model[resolved.rest..]))
    }

    /// The attempts to make, in order. `pinned`: at the provider with this mark alone.
    ///
    /// # Errors
    /// No deployment may be tried now.
    pub fn plan(&self, group: &ModelGroup, entry: &EndpointEntry, pinned: Option<u64>) -> Result<Plan, Failure> {
        self.plan_and_tell(group, entry, pinned, |_, _| {})
    }

    /// The same; `tell` hears of each deployment that is skipped.
    ///
    /// # Errors
    /// As `plan`.
    pub fn plan_and_tell(
        &self,
        group: &ModelGroup,
        entry: &EndpointEntry,
        pinned: Option<u64>,
        tell: impl FnMut(u32, Skipped),
    ) -> Result<Plan, Failure> {
        let facts = Facts { same_model_only: !entry.other_model_on_failover, account: pinned };
        plan::plan_and_tell(&self.current.snapshot, group, facts, self.parked(), tell)
    }

    /// How long a deployment is to be left alone from now on, and why.
    pub fn parked(&self) -> impl Fn(u32) -> Option<(u64, Upstream)> {
        let now_ms = self.shard.deadlines.now_ms();
        let standing = &self.current.standing;
        move |index| standing.get(index as usize)?.parked(now_ms).map(|(until_ms, why)| (until_ms - now_ms, why))
    }

    /// Who keeps the response that this client knows by `id`.
    fn previous(&self, id: String) -> Previous {
        match self.response_ids().open(&id) {
            Some(kept) => Previous::Kept(kept, id.into()),
            None => Previous::Unknown(id.into()),
        }
    }

    /// Tries the plan's deployments until one answers; relays that answer.
    ///
    /// # Errors
    /// How the last attempt failed, or that the client left.
    pub async fn attempts<D: Downstream>(
        &mut self,
        client: &mut D,
        group: &ModelGroup,
        plan: &Plan,
        outgoing: &Outgoing<'_>,
    ) -> Result<(), Ended> {
        let budget = &self.current.retries[group.index as usize];
        budget.earn();
        let mut wait_ms = None;
        let mut last = Upstream::Connect;
        for (nth, &index) in plan.candidates().iter().enumerate() {
            if nth > 0 {
                if last.retry() == Retry::Budgeted && !budget.spend(self.shard.deadlines.now_ms()) {
                    break;
                }
                self.shard.state.cells.add(Cell::Retries, 1);
            }
            match attempt::run(self, client, group, index, outgoing).await {
                Ok(Answered::Whole(whole)) => return relay::whole(self, client, whole),
                Ok(Answered::Events(events)) => return Box::pin(relay::events(self, client, group, events)).await,
                Ok(Answered::Bytes(bytes)) => return Box::pin(relay::bytes(self, client, group, bytes)).await,
                Err(AttemptEnd::Ended(ended)) => return Err(ended),
                Err(AttemptEnd::Upstream(failure)) => {
                    self.park(index, &failure);
                    if let Upstream::RateLimited { retry_after_ms: Some(ms) } = failure {
                        wait_ms = Some(wait_ms.map_or(ms, |least: u64| least.min(ms)));
                    }
                    last = failure;
                }
            }
            let timed_out = matches!(last, Upstream::HeadersTimeout | Upstream::FirstTokenTimeout);
            if last.retry() == Retry::Never || outgoing.is_spent() || (timed_out && !group.retry_on_timeout) {
                break;
            }
        }
        if let Upstream::RateLimited { retry_after_ms } = &mut last {
            *retry_after_ms = wait_ms.or(*retry_after_ms);
        }
        Err(Failure::Upstream(last).into())
    }

    /// A deployment that said when to come back, or whose credential is refused, is left alone until then. What only an operator can
    /// mend is counted where alerts look.
    fn park(&self, index: u32, failure: &Upstream) {
        match failure {
            Upstream::Tls => self.shard.state.cells.add(Cell::UpstreamTlsRefused, 1),
            Upstream::Credential { .. } => self.shard.state.cells.add(Cell::CredentialsRefused, 1),
            Upstream::ModelMissing => self.shard.state.cells.add(Cell::ModelsMissing, 1),
            _ => {}
        }
        let for_ms = match failure {
            Upstream::RateLimited { retry_after_ms } => retry_after_ms.unwrap_or(PARK_MS).min(PARK_MS_MAX),
            Upstream::Credential { .. } => PARK_MS,
            Upstream::Status { retry_after_ms: Some(ms), .. } => (*ms).min(PARK_MS_MAX),
            _ => return,
        };
        let serves_one_model = self
            .current
            .snapshot
            .deployments
            .get(index as usize)
            .is_some_and(|deployment| deployment.upstream_model.is_some());
        // A limit is on one model of an account; a deployment that passes names through stands for all of them.
        if !serves_one_model && matches!(failure, Upstream::RateLimited { .. } | Upstream::Status { .. }) {
            return;
        }
        if let Some(standing) = self.current.standing.get(index as usize) {
            standing.park(self.shard.deadlines.now_ms() + for_ms, failure.clone());
        }
    }
}

/// Time that a rate limit without advice, or a refused credential, keeps a deployment out, in milliseconds.
const PARK_MS: u64 = 1_000;
/// Advice beyond this is not believed, in milliseconds: a provider's clock error must not take a deployment out for a day.
const PARK_MS_MAX: u64 = 10 * 60 * 1_000;

/// How the body of a request to an endpoint is looked at.
pub fn request_kind(endpoint: ApiEndpoint, query: &str) -> RequestKind {
    match endpoint {
        ApiEndpoint::ChatCompletions => RequestKind::Chat,
        ApiEndpoint::Completions => RequestKind::Completion,
        ApiEndpoint::Embeddings => RequestKind::Embedding,
        ApiEndpoint::Moderations => RequestKind::Moderation,
        ApiEndpoint::Messages | ApiEndpoint::MessagesCountTokens => RequestKind::Messages,
        // Without it the client takes an array.
        ApiEndpoint::StreamGenerateContent => {
            RequestKind::Gemini { stream: query.split('&').any(|pair| pair == "alt=sse") }
        }
        ApiEndpoint::GenerateContent
        | ApiEndpoint::CountTokens
        | ApiEndpoint::EmbedContent
        | ApiEndpoint::BatchEmbedContents => RequestKind::Gemini { stream: false },
        _ => RequestKind::PassThrough,
    }
}

/// What a wait ended with.
pub enum Waited<T> {
    Done(T),
    Gone,
    Due,
}

/// Waits for `operation`, for the client to leave, or for the deadline, in that order of precedence.
pub async fn wait<D: Downstream, T>(
    client: &mut D,
    deadline: &Deadline,
    mut operation: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Waited<T> {
    poll_fn(|cx| {
        if let Poll::Ready(done) = operation(cx) {
            return Poll::Ready(Waited::Done(done));
        }
        if client.poll_gone(cx).is_ready() {
            return Poll::Ready(Waited::Gone);
        }
        deadline.poll_due(cx).map(|()| Waited::Due)
    })
    .await
}
