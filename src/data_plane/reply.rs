//! Answers that Ringway gives itself: failures, the list of models, CORS preflights.

use super::{
    downstream::{Downstream, ReplyHead},
    settle::Settlement,
    shard::{Current, Shard},
};
use crate::{
    dialects::{
        endpoints::{self, Api},
        failure,
        models::{self, Listed},
    },
    error::Failure,
    limits,
};
use std::{future::poll_fn, rc::Rc, task::Poll};

const JSON: &[u8] = b"application/json";

/// Stages a whole answer.
pub fn stage_whole<D: Downstream>(
    client: &mut D,
    settlement: &mut Settlement,
    status: u16,
    content_type: &[u8],
    lines: &[u8],
    body: &[u8],
) {
    let request_id = settlement.record.request_id;
    settlement.record.status = status;
    settlement.record.answer_bytes = body.len() as u64;
    client.stage_head(&ReplyHead { status, content_type, content_length: Some(body.len() as u64), request_id, lines });
    client.stage(body);
    client.stage_end();
}

/// Stages a failure as the whole answer.
pub fn stage_failure<D: Downstream>(
    client: &mut D,
    settlement: &mut Settlement,
    lines: &mut Vec<u8>,
    failure: &Failure,
) {
    failure_lines(failure, lines);
    let mut body = Vec::with_capacity(256);
    failure::write_body(settlement.api, failure, &mut body);
    settlement.failed(failure);
    let status = failure::status(settlement.api, failure);
    stage_whole(client, settlement, status, JSON, lines, &body);
}

/// Headers that go with a failure.
pub fn failure_lines(failure: &Failure, lines: &mut Vec<u8>) {
    if let Some(wait_ms) = failure.retry_after_ms() {
        // SDKs read the milliseconds first; `retry-after` is for everyone else, in whole seconds, never too early.
        lines.extend_from_slice(
            format!("retry-after-ms: {wait_ms}\r\nretry-after: {}\r\n", wait_ms.div_ceil(1_000)).as_bytes(),
        );
    }
    if let Some(again) = failure.should_retry() {
        lines.extend_from_slice(format!("x-should-retry: {again}\r\n").as_bytes());
    }
    match failure {
        Failure::MethodNotAllowed { allow } => lines.extend_from_slice(format!("allow: {allow}\r\n").as_bytes()),
        Failure::MissingKey | Failure::InvalidKey => lines.extend_from_slice(b"www-authenticate: Bearer\r\n"),
        _ => {}
    }
}

/// Answers a request that could not be read as one.
pub async fn refuse<D: Downstream>(shard: &Rc<Shard>, client: &mut D, failure: &Failure) {
    let current = shard.current();
    let mut settlement = Settlement::open(shard, &current);
    stage_failure(client, &mut settlement, &mut Vec::new(), failure);
    flush(client, &current, &mut settlement).await;
}

/// Sends what is staged, as long as the client takes it. False when it did not.
pub async fn flush<D: Downstream>(client: &mut D, current: &Current, settlement: &mut Settlement) -> bool {
    // Most clients take all at once, and need no deadline for it.
    let mut deadline = None;
    poll_fn(|cx| {
        if let Poll::Ready(flushed) = client.poll_flush(cx) {
            return Poll::Ready(flushed.is_ok());
        }
        let deadline = deadline.get_or_insert_with(|| {
            settlement.held_up();
            let deadline = settlement.shard.deadlines.slot();
            deadline.set_in_ms(current.snapshot.server.write_timeout_ms);
            deadline
        });
        deadline.poll_due(cx).map(|()| false)
    })
    .await
}

/// `GET /v1/models`
pub fn models(current: &Current, api: Api) -> Vec<u8> {
    let groups = current.snapshot.groups.values().chain(current.snapshot.prefixes.iter().map(|(_, group)| group));
    let mut listed: Vec<_> =
        groups.flat_map(|group| group.listed.iter().map(|name| Listed { name, owned_by: &group.owned_by })).collect();
    listed.sort_unstable();
    listed.dedup_by_key(|model| model.name);
    let mut body = Vec::with_capacity(128 * listed.len());
    models::write_list(api, &listed, &mut body);
    body
}

/// `GET /v1/models/{id}`, where `id` is still percent-encoded.
///
/// # Errors
/// `ModelNotFound`.
pub fn model(current: &Current, api: Api, id: &str) -> Result<Vec<u8>, Failure> {
    let name = endpoints::percent_decoded(id)
        .filter(|name| name.len() <= limits::MODEL_BYTES_MAX && !name.chars().any(char::is_control));
    let found = name.as_deref().and_then(|name| current.snapshot.resolve(name).map(|resolved| (name, resolved)));
    let Some((name, resolved)) = found else {
        let shown: String = id.chars().take(limits::MODEL_BYTES_MAX).collect();
        return Err(Failure::ModelNotFound { model: shown.into() });
    };
    let mut body = Vec::with_capacity(128);
    models::write_one(api, &Listed { name, owned_by: &resolved.group.owned_by }, &mut body);
    Ok(body)
}
