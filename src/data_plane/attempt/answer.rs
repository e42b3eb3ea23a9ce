//! A whole answer of an attempt: is it one, what did it cost, and in which form does the client get it?
//!
//! It is held back until all of it has been validated. A provider's refusal is passed on where it is the client's own API that speaks,
//! and otherwise classified by the upstream's dialect.

use super::{AttemptEnd, Opened, Progress, Whole, next_data, token_count};
use crate::{
    config::snapshot::{Deployment, ModelGroup},
    data_plane::{
        downstream::Downstream,
        exchange::{Ended, Exchange},
        outgoing::{Outgoing, Previous},
        settle::Settlement,
        upstream::Call,
    },
    dialects::{
        canonical::{ErrorClass, Event, ProviderError},
        endpoints::{Api, ApiEndpoint},
        openai_chat::{
            self,
            answer::{self, Answer},
        },
        openai_responses::{
            self,
            rename::{self, Names},
        },
        translate::{self, Translated},
        way_back::{Form, WayBack},
        wire::UpstreamWire,
    },
    error::{CONTEXT_LENGTH, Failure, Upstream},
    json::{patch::Patch, scan::Scanner},
    limits::{ANSWER_HELD_BYTES_MAX, EMBEDDINGS_HELD_BYTES_MAX, IMAGES_HELD_BYTES_MAX},
};

/// A provider's own refusal of a request is passed on up to this size.
const REJECTION_BYTES_MAX: usize = 64 * 1024;

/// A JSON answer of which all came in one read: it is judged and passed on from there. One that is like the last of its deployment has
/// been judged with that.
pub(super) fn judged_in_place(exchange: &mut Exchange<'_>, call: Call, fill: bool) -> Result<Progress, Upstream> {
    let deployment = exchange.settlement.record.deployment;
    let mut known_answers = exchange.shard.known_answers.borrow_mut();
    if let Some(usage) = known_answers.recognise(deployment, fill, call.data()) {
        exchange.settlement.used(&usage.disjoint());
        return Ok(Progress::Whole(Whole::InPlace(call)));
    }
    let mut patch = exchange.shard.patch.borrow_mut();
    let mut scanner = exchange.shard.scanner.borrow_mut();
    let filled = judge(scanner.begin(&answer::MEMBERS), call.data(), fill, &mut patch, &mut exchange.settlement)?;
    if filled.is_none()
        && let Ok(scan) = scanner.finish(call.data())
    {
        known_answers.learn(deployment, fill, scan, call.data());
    }
    drop((scanner, patch, known_answers));
    Ok(Progress::Whole(match filled {
        None => Whole::InPlace(call),
        Some(filled) => {
            call.consume_and_finish();
            Whole::Collected(filled)
        }
    }))
}

/// How a whole answer is looked at.
pub(super) enum Reading {
    /// It goes on as it came, completed where it lacks anything.
    AsItCame {
        fill: bool,
    },
    /// It goes on as it came, in a dialect whose figures have to be looked for.
    Watched(UpstreamWire),
    /// It goes on as it came, but for the ids of responses. One that is only repeated may be one that failed.
    Named {
        names: Names,
        is_repeated: bool,
    },
    Translated(WayBack),
}

impl Reading {
    /// How much is held back until it has been read, in bytes.
    fn held_bytes_max(&self) -> usize {
        match self {
            Reading::Translated(back) => held_bytes_max(back),
            _ => ANSWER_HELD_BYTES_MAX,
        }
    }
}

/// The same, of the answers to all calls of an attempt.
pub(super) fn held_bytes_max(back: &WayBack) -> usize {
    match back {
        WayBack::Embeddings(_) => EMBEDDINGS_HELD_BYTES_MAX,
        WayBack::Images(_) => IMAGES_HELD_BYTES_MAX,
        WayBack::Chat(_) | WayBack::Count(_) => ANSWER_HELD_BYTES_MAX,
    }
}

/// The form in which a provider of the client's own dialect tells of its failures.
pub(super) fn own_form(outgoing: &Outgoing<'_>) -> Form {
    Form::Chat(match outgoing.entry.api {
        Api::OpenAi => UpstreamWire::OpenAiChat,
        Api::Anthropic => UpstreamWire::AnthropicMessages,
        Api::Gemini => UpstreamWire::GeminiContent,
    })
}

/// How to read a whole answer that is not one of OpenAI's dialect for a client of the same.
pub(super) fn reading(
    outgoing: &Outgoing<'_>,
    back: Option<WayBack>,
    names: impl FnOnce() -> Names,
) -> Option<Reading> {
    if let Some(back) = back {
        return Some(Reading::Translated(back));
    }
    match outgoing.entry.endpoint {
        ApiEndpoint::Messages => Some(Reading::Watched(UpstreamWire::AnthropicMessages)),
        ApiEndpoint::GenerateContent => Some(Reading::Watched(UpstreamWire::GeminiContent)),
        endpoint if endpoint.is_of_responses() => {
            Some(Reading::Named { names: names(), is_repeated: outgoing.is_by_id() })
        }
        _ => None,
    }
}

/// A JSON answer that comes in several runs of data, or in none, or that is not passed on as it came.
pub(super) async fn collected<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    deployment: &Deployment,
    mut call: Call,
    mut more: bool,
    mut reading: Reading,
) -> Result<Progress, AttemptEnd> {
    let announced = exchange.head.content_length.unwrap_or(1024);
    let mut body = Vec::with_capacity(announced.min(reading.held_bytes_max() as u64) as usize);
    let mut scanner = Scanner::new(match reading {
        Reading::Named { .. } => &rename::MEMBERS,
        _ => &answer::MEMBERS,
    });
    // Whoever translates a model's answer looks for other members, and validates the text with that.
    let scans = !matches!(reading, Reading::Translated(WayBack::Chat(_)));
    while more {
        body.extend_from_slice(call.data());
        let taken = call.data().len();
        call.consume(taken);
        if scans {
            scanner.advance(&body).map_err(|_| Upstream::BadResponse)?;
        }
        if body.len() > reading.held_bytes_max() {
            if matches!(reading, Reading::Translated(_)) {
                return Err(Upstream::BadResponse.into());
            }
            let mut head = std::mem::take(&mut exchange.head);
            if let Reading::Named { names, .. } = &mut reading
                && let Some(named) = names.beginning(&body)
            {
                let (before, now) = (body.len() as u64, named.len() as u64);
                head.content_length = head.content_length.map(|length| (length + now).saturating_sub(before));
                body = named;
            }
            return Ok(Progress::Bytes(Box::new(Opened { head, call, held: body })));
        }
        more = next_data(exchange, client, &group.deadlines, &mut call).await?;
    }
    let passed = match reading {
        Reading::AsItCame { fill } => {
            let mut patch = exchange.shard.patch.borrow_mut();
            judge(&mut scanner, &body, fill, &mut patch, &mut exchange.settlement)?.unwrap_or(body)
        }
        Reading::Named { mut names, is_repeated } => {
            // A response that is kept and failed has an error, too.
            let is_response = scanner.finish(&body).is_ok_and(|scan| scan.member(rename::ID).is_some());
            if !(is_repeated && is_response) {
                judge(&mut scanner, &body, false, &mut Patch::new(), &mut exchange.settlement)?;
            }
            let scan = scanner.finish(&body).map_err(|_| Upstream::BadResponse)?;
            names.whole(scan, &body).unwrap_or(body)
        }
        Reading::Watched(wire) => {
            scanner.finish(&body).map_err(|_| Upstream::BadResponse)?;
            let (mut usage, mut failure, mut said_bytes) = (None, None, 0);
            let mut said = exchange.settlement.room_for_said(body.len());
            let read = translate::whole(wire, &body, &mut |event| match event {
                Event::Usage(counted) => usage = Some(counted),
                Event::Error(error) => failure = Some(exchange.told(deployment, &error, None)),
                event => {
                    said_bytes += event.said_bytes();
                    said.iter_mut().for_each(|said| event.append_said(said));
                }
            });
            if let Some(failure) = failure {
                return Err(failure.into());
            }
            read.map_err(|_| Upstream::BadResponse)?;
            match usage {
                Some(usage) => exchange.settlement.used(&usage),
                None => exchange.settlement.uncounted(said_bytes, said),
            }
            body
        }
        Reading::Translated(back) => {
            if scans {
                scanner.finish(&body).map_err(|_| Upstream::BadResponse)?;
            }
            // For a second time, when the tokenizer has counted.
            let again = match &back {
                WayBack::Chat(translation) if exchange.settlement.tokenizer.is_some() => Some(translation.clone()),
                _ => None,
            };
            let (rendered, is_counted) = translated(exchange, deployment, back, &body)?;
            match again.filter(|_| !is_counted) {
                Some(again) => Box::pin(token_count::answer(exchange, client, again, &body)).await?.unwrap_or(rendered),
                None => rendered,
            }
        }
    };
    call.finish();
    Ok(Progress::Whole(Whole::Collected(passed)))
}

/// A model's answer of which all came in one read: it is translated from there.
pub(super) fn translated_in_place(
    exchange: &mut Exchange<'_>,
    deployment: &Deployment,
    call: Call,
    back: WayBack,
) -> Result<Progress, Upstream> {
    let (rendered, _) = translated(exchange, deployment, back, call.data())?;
    call.consume_and_finish();
    Ok(Progress::Whole(Whole::Collected(rendered)))
}

/// An answer in the client's form, and whether its tokens were counted or need not be.
fn translated(
    exchange: &mut Exchange<'_>,
    deployment: &Deployment,
    back: WayBack,
    text: &[u8],
) -> Result<(Vec<u8>, bool), Upstream> {
    let mut is_counted = true;
    let mut rendered = Vec::with_capacity(text.len() + 512);
    let mut known = exchange.shard.known_messages.borrow_mut();
    let known = known.of(exchange.settlement.record.deployment);
    match back.whole(known, text, &mut rendered).map_err(|_| Upstream::BadResponse)? {
        Translated::Error(error) => return Err(exchange.told(deployment, &error, None)),
        Translated::Count => {}
        Translated::Answer { usage: Some(usage), .. } => exchange.settlement.used(&usage),
        Translated::Answer { usage: None, said_bytes } => {
            exchange.settlement.uncounted_bytes = Some(said_bytes);
            is_counted = false;
            exchange.estimated_line("usage");
        }
        Translated::Estimated(usage) => {
            exchange.settlement.used(&usage);
            exchange.settlement.uncounted_bytes = Some(0);
            exchange.estimated_line("usage");
        }
    }
    Ok((rendered, is_counted))
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
    match &facts.usage {
        Some(usage) => settlement.used(&usage.disjoint()),
        None => uncounted(text, settlement),
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

/// Notes how much an answer of OpenAI's dialect says that counts no tokens.
#[cold]
fn uncounted(text: &[u8], settlement: &mut Settlement) {
    let endpoint = settlement.record.endpoint;
    let mut said_bytes = 0;
    let mut said = settlement.room_for_said(text.len());
    let mut tell = |event: Event<'_>| {
        said_bytes += event.said_bytes();
        said.iter_mut().for_each(|said| event.append_said(said));
    };
    // What cannot be read says nothing that could be counted.
    let _ = match endpoint {
        ApiEndpoint::ChatCompletions => openai_chat::read::whole(text, &mut tell),
        ApiEndpoint::Responses => openai_responses::read::whole(text, &mut tell),
        ApiEndpoint::Completions => {
            said_bytes = text.len() as u64;
            Ok(())
        }
        _ if endpoint.is_embedding() => Ok(()),
        _ => return,
    };
    settlement.uncounted(said_bytes, said);
}

/// The provider refuses the request, and the client can mend it. What is not an error in OpenAI's shape is not passed on, nor is
/// one that repeats our credential, as some do whatever is wrong.
pub(super) async fn rejection<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    deployment: &Deployment,
    outgoing: &Outgoing<'_>,
    mut call: Call,
) -> Result<Whole, AttemptEnd> {
    let mut body = rejection_body(exchange, client, group, &mut call).await?;
    let judged = Answer::read(&body);
    if judged.is_ok_and(|facts| facts.error.is_some()) && !deployment.is_credential_in(&body) {
        call.finish();
        exchange.settlement.record.code = "upstream_rejected";
        if let Previous::Kept(kept, named) = &outgoing.previous {
            body = rename::refusal(&body, &kept.id, named);
        }
        return Ok(Whole::Collected(body));
    }
    Err(AttemptEnd::Ended(Ended::Failed(Failure::Rejected { status: exchange.head.status })))
}

/// A provider's refusal, as far as it is looked at.
async fn rejection_body<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    call: &mut Call,
) -> Result<Vec<u8>, AttemptEnd> {
    let mut body = Vec::new();
    while next_data(exchange, client, &group.deadlines, call).await? {
        body.extend_from_slice(call.data());
        let taken = call.data().len();
        call.consume(taken);
        if body.len() > REJECTION_BYTES_MAX {
            break;
        }
    }
    Ok(body)
}

/// The provider failed or refused, in words of another API than the client's.
pub(super) async fn refused<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    deployment: &Deployment,
    form: Form,
    mut call: Call,
) -> Result<Upstream, AttemptEnd> {
    let body = rejection_body(exchange, client, group, &mut call).await?;
    call.finish();
    let status = exchange.head.status;
    let name = exchange.head.error_name.as_deref().unwrap_or_default();
    Ok(exchange.told(deployment, &form.classify(status, name, &body), Some(status)))
}

impl Exchange<'_> {
    /// What a provider's error means, whose status was `status`; `None` where it stood inside a good answer.
    pub(super) fn told(&self, deployment: &Deployment, error: &ProviderError<'_>, status: Option<u16>) -> Upstream {
        told(deployment, error, status, self.head.retry_after_ms)
    }
}

/// The same; `retry_after_ms` is what the answer's head says. Words that repeat our credential are not passed on.
pub fn told(
    deployment: &Deployment,
    error: &ProviderError<'_>,
    status: Option<u16>,
    retry_after_ms: Option<u64>,
) -> Upstream {
    let retry_after_ms = retry_after_ms.or(error.retry_after_ms);
    let (status, code) = match error.class {
        ErrorClass::Credential => return Upstream::Credential { status: status.unwrap_or(401) },
        ErrorClass::NotFound if deployment.upstream_model.is_some() => return Upstream::ModelMissing,
        ErrorClass::RateLimited | ErrorClass::Quota => return Upstream::RateLimited { retry_after_ms },
        ErrorClass::Overloaded | ErrorClass::Timeout | ErrorClass::Server => {
            return match status {
                Some(status) => Upstream::Status { status, retry_after_ms },
                None => Upstream::InBand,
            };
        }
        ErrorClass::NotFound => (404, "model_not_found"),
        ErrorClass::InvalidRequest => (400, "invalid_request"),
        ErrorClass::Unsupported => (400, "unsupported_parameter"),
        ErrorClass::ContentPolicy => (400, "content_filter"),
        ErrorClass::ContextLength => (400, CONTEXT_LENGTH),
        ErrorClass::TooLarge => (413, "request_too_large"),
    };
    let said = error.message.decoded();
    let message = if said.is_empty() || deployment.is_credential_in(said.as_bytes()) {
        "The model's provider refused the request.".into()
    } else {
        said.into()
    };
    Upstream::Refused { status, code, message }
}
