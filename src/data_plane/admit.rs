//! May this exchange start, and what does it ask for? Host, key, body, model.
//!
//! The order is fixed: nothing of the body is read before the key is known, nothing goes upstream before the whole JSON body has
//! been validated.

use super::{
    downstream::{BodyError, Downstream, head::Inbound},
    exchange::Ended,
    settle::Settlement,
    shard::{BodyRoom, Current},
};
use crate::{
    dialects::openai_chat::request::{self, RequestKind, RequestView},
    error::Failure,
    json::scan::{ScanError, Scanner},
    limits::BODY_PACE_BYTES,
    policy::{
        self,
        keys::{self, remembered::Remembered},
    },
    rt::Deadline,
};

/// Checks host and key. `remembered` is what this client's connection has shown before, where it keeps that.
///
/// # Errors
/// `HostNotAllowed`, `MissingKey`, `InvalidKey`.
pub fn authenticate(
    current: &Current,
    inbound: &Inbound,
    remembered: Option<&mut Remembered>,
    settlement: &mut Settlement,
) -> Result<(), Failure> {
    let snapshot = &*current.snapshot;
    let host = inbound.value(inbound.head.host).unwrap_or_default();
    let now_s = settlement.record.at_us / 1_000_000;
    let authorization = inbound.value(inbound.head.authorization).unwrap_or_default();
    let shown = if authorization.is_empty() { other_key(inbound).unwrap_or_default() } else { authorization };
    if let Some(key) = remembered.as_ref().and_then(|memory| memory.recall(snapshot, host, shown, now_s)) {
        settlement.record.key = key;
        return Ok(());
    }
    if !policy::host::host_allowed(host, &snapshot.server.allowed_hosts) {
        return Err(Failure::HostNotAllowed);
    }
    if snapshot.open_access && snapshot.keys.is_empty() {
        return Ok(());
    }
    let is_known = |token, shown| keys::authenticate(snapshot, token, now_s).map(|key| (key, shown));
    let bearer = keys::bearer_token(authorization);
    let mut found = bearer.map_or(Err(Failure::MissingKey), |token| is_known(token, authorization));
    // Some clients show a token of their own beside our key: whichever is known counts.
    let other = if found.is_ok() { None } else { other_key(inbound) };
    if let Some(key) = other {
        found = is_known(key, key);
    }
    match found {
        Ok((key, shown)) => {
            settlement.record.key = key.index;
            if let Some(remembered) = remembered {
                remembered.note(snapshot, host, shown, key);
            }
            Ok(())
        }
        Err(_) if snapshot.open_access && bearer.is_none() && other.is_none() => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// The key in any place but `Authorization`: a header of its own, or Gemini's `?key=`.
fn other_key(inbound: &Inbound) -> Option<&[u8]> {
    inbound.value(inbound.head.api_key).or_else(|| {
        let keys = inbound.query().split('&').filter_map(|pair| pair.strip_prefix("key="));
        keys.map(str::as_bytes).next()
    })
}

/// May a JSON body of what its head announces be read?
///
/// # Errors
/// `UnsupportedMediaType`, `BodyTooLarge`, or `Overloaded`.
pub fn open_json(inbound: &Inbound, current: &Current, room: &mut BodyRoom) -> Result<(), Failure> {
    let server = &current.snapshot.server;
    if inbound.head.encoded {
        return Err(encoded_body());
    }
    let announced = inbound.head.content_length.unwrap_or(0);
    if announced > server.body_bytes_max as u64 {
        return Err(Failure::BodyTooLarge { bytes_max: server.body_bytes_max });
    }
    grow(room, inbound.body().len().max(announced as usize), current)
}

/// Reads the rest of a JSON body, validating it as it arrives.
///
/// # Errors
/// `Ended::Failed` for a body that is too large, too slow or not JSON; `Ended::Gone` when the client leaves.
pub async fn read_json<D: Downstream>(
    client: &mut D,
    inbound: &mut Inbound,
    current: &Current,
    deadline: &Deadline,
    room: &mut BodyRoom,
) -> Result<Box<Scanner>, Ended> {
    let server = &current.snapshot.server;
    let mut scanner = Box::new(Scanner::new(&request::MEMBERS));
    let mut pace = Pace::default();
    while !inbound.body_complete {
        scanner.advance(inbound.body()).map_err(not_json)?;
        if pace.is_due(inbound.body().len()) {
            deadline.set_in_ms(server.body_timeout_ms);
        }
        inbound.body_complete = match wait_for_body(client, inbound, deadline).await? {
            Ok(complete) => complete,
            Err(BodyError::Gone) => return Err(Ended::Gone),
            Err(BodyError::Malformed) => {
                return Err(Failure::Http { status: 400, message: "The request body's framing is broken." }.into());
            }
        };
        if inbound.body().len() > server.body_bytes_max {
            return Err(Failure::BodyTooLarge { bytes_max: server.body_bytes_max }.into());
        }
        grow(room, inbound.body().len(), current)?;
    }
    deadline.clear();
    Ok(scanner)
}

/// What a whole JSON body asks for. `scanner` has seen any part of it, or none; `named` is the model that the path names.
///
/// # Errors
/// `InvalidRequest`.
pub fn view<'t>(
    kind: RequestKind,
    scanner: &mut Scanner,
    text: &'t [u8],
    named: Option<&'t str>,
) -> Result<RequestView<'t>, Failure> {
    let scan = scanner.finish(text).map_err(not_json)?;
    RequestView::read_named(kind, scan, text, named).map_err(|error| Failure::InvalidRequest {
        param: Some(error.param.into()),
        code: "invalid_request",
        message: format!("{error}.").into(),
    })
}

/// How far a body had come when its deadline was last set. A deadline that every byte moves is none.
#[derive(Default)]
pub struct Pace {
    seen: Option<usize>,
}

impl Pace {
    /// True at the start, and whenever enough has come for another deadline.
    pub fn is_due(&mut self, body_bytes: usize) -> bool {
        let due = self.seen.is_none_or(|seen| body_bytes >= seen + BODY_PACE_BYTES);
        if due {
            self.seen = Some(body_bytes);
        }
        due
    }
}

/// Waits for more of the body.
///
/// # Errors
/// `RequestTimeout` when nothing came in time.
pub async fn wait_for_body<D: Downstream>(
    client: &mut D,
    inbound: &mut Inbound,
    deadline: &Deadline,
) -> Result<Result<bool, BodyError>, Ended> {
    std::future::poll_fn(|cx| {
        if let std::task::Poll::Ready(read) = client.poll_body(cx, &mut inbound.bytes) {
            return std::task::Poll::Ready(Ok(read));
        }
        deadline.poll_due(cx).map(|()| Err(Failure::RequestTimeout.into()))
    })
    .await
}

fn grow(room: &mut BodyRoom, bytes: usize, current: &Current) -> Result<(), Failure> {
    if room.grow_to(bytes, current.snapshot.server.shard_body_bytes_max) { Ok(()) } else { Err(Failure::Overloaded) }
}

fn not_json(error: ScanError) -> Failure {
    Failure::InvalidRequest {
        param: None,
        code: "invalid_json",
        message: format!("The request body is {error}.").into(),
    }
}

/// Refuses a compressed body: what it expands to is not bounded by what was sent.
pub fn encoded_body() -> Failure {
    Failure::UnsupportedMediaType {
        message: "Request bodies with a content-encoding are not accepted; send it uncompressed.".into(),
    }
}
