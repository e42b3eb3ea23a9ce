//! From the upstream's answer to the client, once it is settled whose answer it is.
//!
//! Streams are never held: what one read brings goes out in one write, and while a write is in flight the next one collects. When
//! the client is slow, reading from the upstream pauses, and after the write time-out the client is cut. A stream that ends
//! without its end becomes an error event; bytes that cannot carry one break off.

use super::{
    attempt::{Begun, Bytes, Events, Opened, SILENCE_MS, Whole, WholeBody},
    downstream::{Downstream, ReplyHead},
    exchange::{Ended, Exchange},
    reply,
    upstream::Call,
};
use crate::{
    config::snapshot::ModelGroup,
    dialects::openai_chat::pass_through::Verdict,
    error::{Failure, Upstream},
    limits::RELAY_PENDING_BYTES_MAX,
    sse::write::comment,
};
use std::{future::poll_fn, task::Poll};

/// Time that an upstream has to end its answer after its end marker, in milliseconds, before its connection is given up.
const TAIL_MS: u64 = 500;

/// Stages a whole answer.
///
/// # Errors
/// None; the signature is that of its siblings.
pub fn whole<D: Downstream>(exchange: &mut Exchange<'_>, client: &mut D, whole: Whole) -> Result<(), Ended> {
    exchange.settlement.replies_whole = true;
    if exchange.explain {
        // Told in the answer itself, so as of now.
        exchange.settlement.replied_us = Some(exchange.shard.now_us());
    }
    let Whole { head, body } = whole;
    if exchange.lines.is_empty() {
        exchange.lines = head.forward;
    } else {
        exchange.lines.extend_from_slice(&head.forward);
    }
    exchange.explain_lines();
    let content_type: &[u8] = if head.content_type.is_empty() { b"application/json" } else { &head.content_type };
    let (lines, settlement) = (&exchange.lines, &mut exchange.settlement);
    match body {
        WholeBody::InPlace(call) => {
            reply::stage_whole(client, settlement, head.status, content_type, lines, call.data());
            call.consume_and_finish();
        }
        WholeBody::Collected(body) => {
            reply::stage_whole(client, settlement, head.status, content_type, lines, &body);
        }
    }
    Ok(())
}

/// Relays a stream of events to its end.
///
/// # Errors
/// The stream broke, or the client left.
pub async fn events<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    events: Events,
) -> Result<(), Ended> {
    let Events { begun, mut attempt } = events;
    let Begun { head, mut call, mut pass, mut held, mut verdict } = *begun;
    exchange.settlement.replied_us = Some(exchange.shard.now_us());
    exchange.open_stream(client, &head.forward);
    loop {
        if pass.has_begun {
            exchange.settlement.first_content();
        }
        if matches!(verdict, Verdict::Error) && exchange.shows_credential(&held) {
            return Err(Failure::from(Upstream::InBand).into());
        }
        exchange.settlement.record.answer_bytes += held.len() as u64;
        client.stage(&held);
        held.clear();
        match verdict {
            Verdict::More => {}
            Verdict::Complete => break,
            Verdict::Error => return Err(Failure::from(Upstream::InBand).into()),
            Verdict::Malformed => return Err(Failure::from(Upstream::BadResponse).into()),
            Verdict::Truncated => return Err(Failure::from(Upstream::Truncated).into()),
        }
        verdict = match next(exchange, client, group, &mut call, true).await {
            Ok(true) => {
                let verdict = pass.feed(call.data(), &mut held);
                let taken = call.data().len();
                call.consume(taken);
                verdict
            }
            Ok(false) => pass.end(&mut held),
            Err(Ended::Gone) => {
                attempt.succeeded();
                if let Some(usage) = &pass.usage {
                    exchange.settlement.used(usage);
                }
                return Err(Ended::Gone);
            }
            Err(ended) => return Err(ended),
        };
    }
    attempt.succeeded();
    if let Some(usage) = &pass.usage {
        exchange.settlement.used(usage);
    }
    client.stage_end();
    finish(exchange, client, call).await;
    Ok(())
}

/// Relays an answer whose content is of no concern.
///
/// # Errors
/// It broke off, or the client left.
pub async fn bytes<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    bytes: Bytes,
) -> Result<(), Ended> {
    let Bytes { opened, mut attempt } = bytes;
    let Opened { head, mut call, held } = *opened;
    exchange.settlement.replied_us = Some(exchange.shard.now_us());
    exchange.settlement.record.status = head.status;
    exchange.lines.extend_from_slice(&head.forward);
    exchange.explain_lines();
    client.stage_head(&ReplyHead {
        status: head.status,
        content_type: if head.content_type.is_empty() { b"application/octet-stream" } else { &head.content_type },
        content_length: head.content_length,
        request_id: exchange.settlement.record.request_id,
        lines: &exchange.lines,
    });
    client.stage(&held);
    exchange.settlement.record.answer_bytes = held.len() as u64;
    drop(held);
    loop {
        match next(exchange, client, group, &mut call, false).await {
            Ok(true) => {
                client.stage(call.data());
                let taken = call.data().len();
                exchange.settlement.record.answer_bytes += taken as u64;
                call.consume(taken);
            }
            Ok(false) => break,
            Err(Ended::Gone) => {
                attempt.succeeded();
                return Err(Ended::Gone);
            }
            Err(Ended::Failed(failure)) => return Err(Ended::Broken(failure)),
            Err(ended) => return Err(ended),
        }
    }
    attempt.succeeded();
    client.stage_end();
    call.finish();
    Ok(())
}

/// Sends to the client and waits for more from the upstream, in step: true when there is data, false at the clean end.
async fn next<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    call: &mut Call,
    events: bool,
) -> Result<bool, Ended> {
    let write_timeout_ms = exchange.current.snapshot.server.write_timeout_ms;
    let mut stalled = false;
    if events {
        exchange.quiet_phase(group.deadlines.gap_ms)
    } else {
        exchange.phase(group.deadlines.gap_ms)
    }
    loop {
        let step = poll_fn(|cx| {
            if client.staged_bytes() > 0
                && let Poll::Ready(Err(_)) = client.poll_flush(cx)
            {
                return Poll::Ready(Step::Gone);
            }
            let full = client.staged_bytes() > RELAY_PENDING_BYTES_MAX;
            if full != stalled {
                return Poll::Ready(Step::Stalled(full));
            }
            if !full && let Poll::Ready(read) = call.poll_data(cx) {
                return Poll::Ready(Step::Read(read));
            }
            if client.poll_gone(cx).is_ready() {
                return Poll::Ready(Step::Gone);
            }
            exchange.deadline.poll_due(cx).map(|()| Step::Due)
        })
        .await;
        match step {
            Step::Read(Ok(more)) => return Ok(more),
            Step::Read(Err(failure)) => return Err(Failure::from(failure).into()),
            Step::Gone => return Err(Ended::Gone),
            Step::Stalled(full) => {
                stalled = full;
                // While the client is the slow one, the clock that runs is its own.
                if full { exchange.phase(write_timeout_ms) } else { exchange.phase(group.deadlines.gap_ms) }
            }
            Step::Due if stalled => return Err(Ended::Gone),
            Step::Due if events && exchange.shard.deadlines.now_ms() < exchange.phase_at_ms => {
                let mut line = Vec::with_capacity(16);
                comment(&mut line, "waiting");
                client.stage(&line);
                let now_ms = exchange.shard.deadlines.now_ms();
                exchange.deadline.set_at_ms(exchange.phase_at_ms.min(now_ms + SILENCE_MS));
            }
            Step::Due if exchange.shard.deadlines.now_ms() >= exchange.total_at_ms => {
                return Err(Failure::from(Upstream::DeadlineExceeded).into());
            }
            Step::Due => return Err(Failure::from(Upstream::GapTimeout).into()),
        }
    }
}

enum Step {
    Read(Result<bool, Upstream>),
    Stalled(bool),
    Gone,
    Due,
}

/// After the end marker the upstream still has to end its message before its connection can be used again. The client does not
/// wait for that: its bytes are on their way.
async fn finish<D: Downstream>(exchange: &mut Exchange<'_>, client: &mut D, mut call: Call) {
    exchange.phase(TAIL_MS);
    let ended = poll_fn(|cx| {
        let _ = client.poll_flush(cx);
        loop {
            match call.poll_data(cx) {
                Poll::Ready(Ok(true)) => {
                    let taken = call.data().len();
                    call.consume(taken);
                }
                Poll::Ready(ended) => return Poll::Ready(ended.is_ok()),
                Poll::Pending => return exchange.deadline.poll_due(cx).map(|()| false),
            }
        }
    })
    .await;
    if ended {
        call.finish();
    }
}

impl Exchange<'_> {
    /// True if these bytes repeat the credential of the present attempt; looked for in errors only.
    fn shows_credential(&self, bytes: &[u8]) -> bool {
        let deployment = self.current.snapshot.deployments.get(self.settlement.record.deployment as usize);
        deployment.is_some_and(|deployment| deployment.is_credential_in(bytes))
    }

    /// Headers that say what the gateway did, for those who asked.
    pub fn explain_lines(&mut self) {
        if !self.explain {
            return;
        }
        self.explain = false;
        let record = &self.settlement.record;
        let name =
            self.current.snapshot.deployments.get(record.deployment as usize).map_or("", |deployment| &deployment.name);
        let overhead_us = self.settlement.overhead_us();
        let upstream_us = match (self.settlement.sent_us, self.settlement.answered_us) {
            (Some(sent_us), Some(answered_us)) => answered_us.saturating_sub(sent_us),
            _ => 0,
        };
        let lines = format!(
            "x-ringway-deployment: {name}\r\nx-ringway-attempts: {}\r\nx-ringway-overhead-us: {overhead_us}\r\n\
             server-timing: ringway;dur={:.3}, upstream;dur={:.3}\r\n",
            record.attempts,
            overhead_us as f64 / 1_000.0,
            upstream_us as f64 / 1_000.0,
        );
        self.lines.extend_from_slice(lines.as_bytes());
    }
}
