//! An attempt that is several calls, because the model gives one answer at a time: see [`crate::dialects::fan_out`].
//!
//! The calls go to one deployment from one shard, side by side, under the attempt's own deadlines. They are one attempt: what the router and
//! the breakers see of it is one success or one failure. Each needs a connection or a stream of its own; where the pool has not
//! enough of them in time, none is made.

use super::{AttemptEnd, Progress, Whole, answer::held_bytes_max, next_data};
use crate::{
    config::snapshot::{Deployment, ModelGroup},
    data_plane::{
        downstream::Downstream,
        exchange::{Exchange, wait},
        outgoing::{Outgoing, Prepared},
        upstream::{Call, pool::Lease, several::Calls},
    },
    dialects::{
        lanes::{Cutter, Part},
        openai_chat::answer::MEMBERS,
        translate::Translated,
        way_back::WayBack,
    },
    error::Upstream,
    json::scan,
};
use std::task::Poll;

/// Connections, or streams on them, for `count` calls beside the first.
pub(super) async fn leases<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    deployment: &Deployment,
    count: usize,
    fresh: bool,
) -> Result<Vec<Lease>, AttemptEnd> {
    let pool = &exchange.current.pools[deployment.endpoint as usize];
    let connect_ms = group.deadlines.connect_ms;
    let mut leasing: Vec<_> = (0..count).map(|_| Box::pin(pool.lease_if(fresh, connect_ms))).collect();
    let mut leases: Vec<Lease> = Vec::with_capacity(leasing.len());
    exchange.phase(connect_ms);
    let waited = wait(client, &exchange.deadline, |cx| {
        let mut failure = None;
        leasing.retain_mut(|lease| match lease.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(leased) => {
                match leased {
                    Ok(lease) => leases.push(lease),
                    Err(why) => failure = Some(why),
                }
                false
            }
        });
        match failure {
            Some(failure) => Poll::Ready(Err(failure)),
            None if leasing.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await;
    exchange.unless_over(waited, Upstream::ConnectTimeout)??;
    drop(leasing);
    Ok(leases)
}

/// Their whole answers, validated, as one.
pub(super) async fn collected<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    deployment: &Deployment,
    mut call: Call,
    back: WayBack,
) -> Result<Progress, AttemptEnd> {
    let mut texts = vec![Vec::new(); back.calls().into()];
    let held_bytes_max = held_bytes_max(&back);
    let mut cutter = Cutter::default();
    let mut held = 0;
    while next_data(exchange, client, &group.deadlines, &mut call).await? {
        let mut data = call.data();
        let taken = data.len();
        held += taken;
        if held > held_bytes_max {
            return Err(Upstream::BadResponse.into());
        }
        while let Some((lane, part)) = cutter.next(&mut data) {
            if let (Part::Bytes(bytes), Some(text)) = (part, texts.get_mut(lane)) {
                text.extend_from_slice(bytes);
            }
        }
        call.consume(taken);
    }
    for text in &texts {
        scan::scan(&MEMBERS, text).map_err(|_| Upstream::BadResponse)?;
    }
    let mut rendered = Vec::with_capacity(held + 512);
    match back.whole_of(&texts, &mut rendered).map_err(|_| Upstream::BadResponse)? {
        Translated::Error(error) => return Err(exchange.told(deployment, &error, None).into()),
        Translated::Answer { usage: Some(usage), .. } => exchange.settlement.used(&usage),
        Translated::Estimated(usage) => {
            exchange.settlement.used(&usage);
            exchange.settlement.uncounted_bytes = Some(0);
            exchange.estimated_line("usage");
        }
        Translated::Answer { usage: None, .. } | Translated::Count => {}
    }
    Ok(Progress::Whole(Whole::Collected(rendered)))
}

impl Exchange<'_> {
    /// Stages the further calls, each with its own body, beside the first one.
    ///
    /// # Errors
    /// As `call`.
    pub(super) fn calls(
        &self,
        first: Call,
        leases: Vec<Lease>,
        deployment: &Deployment,
        outgoing: &Outgoing<'_>,
        prepared: &Prepared<'_>,
    ) -> Result<Call, AttemptEnd> {
        let mut calls = vec![first];
        for lease in leases {
            prepared.turn_to(calls.len());
            calls.push(self.call(lease, deployment, outgoing, prepared)?);
        }
        prepared.turn_to(0);
        Ok(Call::Several(Box::new(Calls::new(calls))))
    }
}
