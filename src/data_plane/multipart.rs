//! Requests with a multipart body: audio and images.
//!
//! The body is buffered, bounded, until its `model` part has been seen; that part alone is patched. What follows is streamed both ways,
//! and watched: a second `model` part ends the request before the provider can choose between them. Once streamed bytes have
//! gone upstream no other deployment can be tried.

use super::{
    admit,
    attempt::AttemptEnd,
    downstream::{BodyError, Downstream, head::Inbound},
    exchange::{Ended, Exchange},
    outgoing::{MultipartBody, Outgoing},
    shard::BodyRoom,
    upstream::Call,
};
use crate::{
    dialects::{
        endpoints::EndpointEntry,
        multipart::{ModelFinder, MultipartError},
    },
    error::{Failure, Upstream},
    limits::{MODEL_BYTES_MAX, MULTIPART_PREFIX_BYTES_MAX},
};
use std::{cell::RefCell, future::poll_fn, rc::Rc, task::Poll};

/// Is the body `multipart/form-data`?
pub fn is_multipart(inbound: &Inbound) -> bool {
    let content_type = inbound.value(inbound.head.content_type).unwrap_or_default();
    content_type.len() >= 19 && content_type[..19].eq_ignore_ascii_case(b"multipart/form-data")
}

/// Reads up to the model, then passes the request on. `named` is the model that the path names: it stands above the part's, and takes its place
/// where there is none.
///
/// # Errors
/// As for every exchange.
pub async fn pass<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    entry: &'static EndpointEntry,
    named: Option<String>,
    inbound: &mut Inbound,
) -> Result<(), Ended> {
    let current = exchange.current;
    let server = &current.snapshot.server;
    if inbound.head.encoded {
        return Err(admit::encoded_body().into());
    }
    let content_type = inbound.value(inbound.head.content_type).unwrap_or_default().to_vec();
    let mut finder = ModelFinder::new(&content_type).map_err(refused)?;
    let mut room = BodyRoom::none(exchange.shard);
    let mut fed = inbound.body_start;
    let mut pace = admit::Pace::default();
    loop {
        finder.feed(&inbound.bytes[fed..]).map_err(refused)?;
        fed = inbound.bytes.len();
        if !room.grow_to(inbound.body().len(), server.shard_body_bytes_max) {
            return Err(Failure::Overloaded.into());
        }
        if finder.model().is_some() || inbound.body_complete {
            break;
        }
        if inbound.body().len() > MULTIPART_PREFIX_BYTES_MAX {
            return Err(Failure::BodyTooLarge { bytes_max: MULTIPART_PREFIX_BYTES_MAX }.into());
        }
        if pace.is_due(inbound.body().len()) {
            exchange.deadline.set_in_ms(server.body_timeout_ms);
        }
        inbound.body_complete = match admit::wait_for_body(client, inbound, &exchange.deadline).await? {
            Ok(complete) => complete,
            Err(error) => return Err(broken(error)),
        };
    }
    let found = match finder.model() {
        Some(at) => Some((at, Default::default())),
        None if named.is_some() => finder.model_part(inbound.body()).map(|around| (0..0, around)),
        None => None,
    };
    let Some((at, around)) = found else { return Err(no_model("'model' is missing.")) };
    let model = match named {
        Some(named) => Some(named).filter(|named| named.len() <= MODEL_BYTES_MAX),
        None => String::from_utf8(inbound.body()[at.clone()].to_vec()).ok(),
    };
    let Some(model) = model.filter(|model| !model.is_empty() && !model.chars().any(char::is_control)) else {
        return Err(no_model("'model' must be a name without control characters."));
    };
    exchange.received(inbound.body().len());
    let body = MultipartBody {
        start: inbound.body_start,
        model: at,
        around,
        complete: inbound.body_complete,
        announced: inbound.head.content_length,
        spent: false.into(),
        watcher: RefCell::new(finder),
        bytes: Rc::new(std::mem::take(&mut inbound.bytes)),
    };
    let (group, rest) = exchange.resolve(&model)?;
    let plan = exchange.plan(group, entry, None)?;
    let outgoing = Outgoing::multipart(entry, &inbound.head.forward, &content_type, &body, rest);
    exchange.attempts(client, group, &plan, &outgoing).await
}

/// Streams what is left of the body from the client to the upstream. Ends early when the upstream takes no more: its answer, if it
/// gave one, counts then, and neither connection is used again.
///
/// # Errors
/// The client's body is refused or broken, or the upstream fails.
pub async fn upload_rest<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    call: &mut Call,
    body: &MultipartBody,
) -> Result<(), AttemptEnd> {
    let body_timeout_ms = exchange.current.snapshot.server.body_timeout_ms;
    let mut piece = Vec::new();
    let mut complete = false;
    body.spent.set(true);
    let mut pace = admit::Pace::default();
    let mut uploaded = 0;
    while !complete {
        if pace.is_due(uploaded) {
            exchange.phase(body_timeout_ms);
        }
        complete = poll_fn(|cx| {
            // Room first: the client's bytes wait in its socket while the upstream is slow.
            match call.poll_send_room(cx) {
                Poll::Ready(Ok(())) => {}
                // The upstream takes no more. It may have answered already, which reading its head will tell.
                Poll::Ready(Err(_)) => return Poll::Ready(Ok(true)),
                Poll::Pending => return exchange.deadline.poll_due(cx).map(|()| Err(Upstream::HeadersTimeout.into())),
            }
            if let Poll::Ready(read) = client.poll_body(cx, &mut piece) {
                return Poll::Ready(read.map_err(|error| AttemptEnd::Ended(broken(error))));
            }
            exchange.deadline.poll_due(cx).map(|()| Err(AttemptEnd::Ended(Failure::RequestTimeout.into())))
        })
        .await?;
        body.watcher.borrow_mut().feed(&piece).map_err(|error| AttemptEnd::Ended(refused(error)))?;
        uploaded += piece.len();
        exchange.settlement.record.request_bytes += piece.len() as u64;
        call.send_more(&piece);
        piece.clear();
    }
    call.end_body();
    Ok(())
}

fn no_model(message: &'static str) -> Ended {
    Failure::InvalidRequest { param: Some("model".into()), code: "invalid_request", message: message.into() }.into()
}

fn refused(error: MultipartError) -> Ended {
    Failure::InvalidRequest { param: None, code: "invalid_multipart", message: error.message().into() }.into()
}

fn broken(error: BodyError) -> Ended {
    match error {
        BodyError::Gone => Ended::Gone,
        BodyError::Malformed => Failure::Http { status: 400, message: "The request body's framing is broken." }.into(),
    }
}
