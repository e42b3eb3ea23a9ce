//! Calls of a response that a provider keeps, by its id: retrieve, delete, cancel, list what it was asked.
//!
//! The id says which provider, and is one only for the client that it was given to; nothing else is asked anybody. One deployment of
//! the provider is asked, once: all of them have its address and credential, so another would do no better. The head goes with the client's
//! query, the answer comes back as it is but for the ids. Deadlines are those of the first model that the deployment serves. Nothing
//! is counted as usage: what the answer tells was, when it was made.

use super::{
    downstream::{Downstream, head::Inbound},
    exchange::{Ended, Exchange},
    outgoing::Outgoing,
};
use crate::{
    dialects::endpoints::{self, EndpointEntry},
    error::Failure,
    routing::plan::plan_kept,
};

/// Makes the call. `id` is as it stands in the path.
///
/// # Errors
/// `ResponseNotFound`, or as for every exchange.
pub async fn call<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    entry: &'static EndpointEntry,
    id: &str,
    inbound: &Inbound,
) -> Result<(), Ended> {
    let named = endpoints::percent_decoded(id).unwrap_or_else(|| id.to_owned());
    let not_found = || Failure::ResponseNotFound { id: named.as_str().into() };
    let kept = exchange.response_ids().open(&named).ok_or_else(not_found)?;
    let snapshot = &exchange.current.snapshot;
    let (group, plan) = plan_kept(snapshot, kept.account, exchange.parked()).ok_or_else(not_found)??;
    exchange.total_at_ms = exchange.shard.deadlines.now_ms() + group.deadlines.total_ms;
    let outgoing = Outgoing::by_id(entry, &inbound.head.forward, inbound.query(), kept, &named);
    let ended = exchange.attempts(client, group, &plan, &outgoing).await;
    exchange.settlement.uncount();
    ended
}
