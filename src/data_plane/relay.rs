//! From the upstream's answer to the client, once it is settled whose answer it is.
//!
//! Streams are never held: what has arrived is looked at and goes out in one write, and while a write is in flight the next one
//! collects. When the client is slow, reading from the upstream pauses, and after the write time-out the client is cut. A
//! stream that ends without its end becomes an error event; bytes that cannot carry one break off.

use super::{
    attempt::{Begun, Bytes, Events, Opened, SILENCE_MS, Whole},
    downstream::{Downstream, ReplyHead},
    exchange::{Ended, Exchange},
    reply,
    upstream::Call,
};
use crate::{
    config::snapshot::ModelGroup,
    dialects::{canonical::NoteKind, openai_chat::pass_through::Verdict, own_names, passage::Passage},
    error::{Failure, Upstream},
    limits::{READ_BYTES, RELAY_PENDING_BYTES_MAX},
    sse::write::comment,
};
use std::{
    future::poll_fn,
    task::{Context, Poll},
};

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
    if exchange.lines.is_empty() {
        std::mem::swap(&mut exchange.lines, &mut exchange.head.forward);
    } else {
        exchange.lines.extend_from_slice(&exchange.head.forward);
    }
    exchange.note_lines();
    exchange.explain_lines();
    let Exchange { head, lines, settlement, .. } = exchange;
    let content_type: &[u8] = if head.content_type.is_empty() { b"application/json" } else { &head.content_type };
    match whole {
        Whole::InPlace(call) => {
            reply::stage_whole(client, settlement, head.status, content_type, lines, call.data());
            call.consume_and_finish();
        }
        Whole::Collected(body) => {
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
    let Begun { head, call, pass, held, verdict } = *begun;
    exchange.settlement.replied_us = Some(exchange.shard.now_us());
    exchange.open_stream(client, &head.forward);
    let mut flow = Flow { call, pass: Some(pass), held, stalled: false };
    let over = match verdict {
        Verdict::More => through(exchange, client, group, &mut flow).await,
        verdict => Ok(verdict),
    };
    let Flow { call, pass, held, .. } = flow;
    let over = over.and_then(|verdict| match verdict {
        Verdict::Complete | Verdict::More => Ok(()),
        Verdict::Error => Err(Failure::from(Upstream::InBand).into()),
        Verdict::Malformed => Err(Failure::from(Upstream::BadResponse).into()),
        Verdict::Truncated => Err(Failure::from(Upstream::Truncated).into()),
    });
    if let Some(mut pass) = pass {
        exchange.count(&pass, over.is_ok());
        let in_band = matches!(over, Err(Ended::Failed(Failure::Upstream(Upstream::InBand))));
        let is_hidden = in_band && exchange.shows_credential(&held);
        if !is_hidden && !matches!(over, Err(Ended::Gone)) {
            exchange.passed(held.len(), Some(&pass));
            client.stage(&held);
        }
        if let Err(Ended::Failed(failure)) = &over {
            let mut event = Vec::new();
            exchange.last_event = pass.fail(failure, &mut event).then(|| event.into());
        }
    }
    if matches!(over, Ok(()) | Err(Ended::Gone)) {
        attempt.succeeded();
    }
    over?;
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
    let Opened { head, call, held } = *opened;
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
    exchange.passed(held.len(), None);
    client.stage(&held);
    drop(held);
    let mut flow = Flow { call, pass: None, held: Vec::new(), stalled: false };
    match through(exchange, client, group, &mut flow).await {
        Ok(_) => {}
        Err(Ended::Gone) => {
            attempt.succeeded();
            return Err(Ended::Gone);
        }
        Err(Ended::Failed(failure)) => return Err(Ended::Broken(failure)),
        Err(ended) => return Err(ended),
    }
    attempt.succeeded();
    client.stage_end();
    flow.call.finish();
    Ok(())
}

/// Passes on what comes until the answer is over, with the clocks that run meanwhile. What is still held then is the caller's to
/// stage.
async fn through<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    group: &ModelGroup,
    flow: &mut Flow,
) -> Result<Verdict, Ended> {
    let write_timeout_ms = exchange.current.snapshot.server.write_timeout_ms;
    let gap_ms = group.deadlines.gap_ms;
    let events = flow.pass.is_some();
    let wait_on =
        |exchange: &mut Exchange<'_>| if events { exchange.quiet_phase(gap_ms) } else { exchange.phase(gap_ms) };
    wait_on(exchange);
    loop {
        let step = poll_fn(|cx| {
            let mut passed = |bytes, pass: Option<&Passage>| {
                exchange.passed(bytes, pass);
                wait_on(exchange);
            };
            match flow.poll(client, cx, &mut passed) {
                Poll::Pending => exchange.deadline.poll_due(cx).map(|()| Step::Due),
                step => step,
            }
        })
        .await;
        match step {
            Step::Over(over) => return over.map_err(|failure| Failure::from(failure).into()),
            Step::Gone => return Err(Ended::Gone),
            // While the client is the slow one, the clock that runs is its own.
            Step::Stalled if flow.stalled => exchange.phase(write_timeout_ms),
            Step::Stalled => wait_on(exchange),
            Step::Due if flow.stalled => return Err(Ended::Gone),
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
    /// The upstream has no more, or nothing that could be passed on.
    Over(Result<Verdict, Upstream>),
    /// The client has become too slow, or is so no longer.
    Stalled,
    Gone,
    Due,
}

/// An answer on its way from its upstream to its client.
struct Flow {
    call: Call,
    /// `None`: the bytes are not looked at.
    pass: Option<Passage>,
    /// What the client gets of what has been looked at and is not staged yet.
    held: Vec<u8>,
    /// The client takes less than there is; nothing is read for it meanwhile.
    stalled: bool,
}

/// What is looked at in one turn before it is sent: a stream that always has more must not keep what it has.
const TURN_BYTES: usize = READ_BYTES;

/// Room for held events that a stream keeps, in bytes; images come in larger ones.
const KEPT_HELD_BYTES_MAX: usize = 2 * TURN_BYTES;

impl Flow {
    /// Takes all that has arrived, stages it in one piece, and sends it, turn by turn; Pending when nothing is left to do. `passed` is
    /// told of each turn that had something, and how much of it the client gets.
    fn poll<D: Downstream>(
        &mut self,
        client: &mut D,
        cx: &mut Context<'_>,
        passed: &mut impl FnMut(usize, Option<&Passage>),
    ) -> Poll<Step> {
        loop {
            let mut taken = Taken::default();
            if !self.stalled {
                if let Err(over) = self.take(client, cx, &mut taken, passed) {
                    return Poll::Ready(Step::Over(over));
                }
                if taken.bytes > 0 || !self.held.is_empty() {
                    passed(self.held.len(), self.pass.as_ref());
                    client.stage(&self.held);
                    self.held.clear();
                    if self.held.capacity() > KEPT_HELD_BYTES_MAX {
                        self.held = Vec::new();
                    }
                }
            }
            if client.staged_bytes() > 0
                && let Poll::Ready(Err(_)) = client.poll_flush(cx)
            {
                return Poll::Ready(Step::Gone);
            }
            let full = client.staged_bytes() > RELAY_PENDING_BYTES_MAX;
            if full != self.stalled {
                self.stalled = full;
                return Poll::Ready(Step::Stalled);
            }
            if !taken.is_more_ready {
                return client.poll_gone(cx).map(|()| Step::Gone);
            }
        }
    }

    /// One turn's worth of what has arrived.
    ///
    /// # Errors
    /// That nothing follows, and why.
    fn take<D: Downstream>(
        &mut self,
        client: &mut D,
        cx: &mut Context<'_>,
        taken: &mut Taken,
        passed: &mut impl FnMut(usize, Option<&Passage>),
    ) -> Result<(), Result<Verdict, Upstream>> {
        while taken.bytes < TURN_BYTES {
            match self.call.poll_data(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(failure)) => return Err(Err(failure)),
                Poll::Ready(Ok(false)) => {
                    let verdict = self.pass.as_mut().map_or(Verdict::Complete, |pass| pass.end(&mut self.held));
                    return Err(Ok(verdict));
                }
                Poll::Ready(Ok(true)) => {
                    let data = self.call.data();
                    let bytes = data.len();
                    let verdict = match &mut self.pass {
                        Some(pass) => pass.feed(data, &mut self.held),
                        None => {
                            client.stage(data);
                            passed(bytes, None);
                            Verdict::More
                        }
                    };
                    self.call.consume(bytes);
                    taken.bytes += bytes;
                    if verdict != Verdict::More {
                        return Err(Ok(verdict));
                    }
                }
            }
        }
        taken.is_more_ready = true;
        Ok(())
    }
}

#[derive(Default)]
struct Taken {
    bytes: usize,
    /// It was enough for one turn.
    is_more_ready: bool,
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
    /// So much more of the answer is on its way to the client.
    fn passed(&mut self, bytes: usize, pass: Option<&Passage>) {
        self.settlement.record.answer_bytes += bytes as u64;
        if pass.is_some_and(Passage::has_begun) {
            self.settlement.first_content();
        }
    }

    /// Takes a stream's token counts; what was not counted to the end is estimated later.
    fn count(&mut self, pass: &Passage, is_complete: bool) {
        let usage = pass.usage();
        if let Some(usage) = &usage {
            self.settlement.used(usage);
        }
        if (usage.is_none() || !is_complete || pass.is_estimated()) && self.settlement.record.endpoint.is_generation() {
            self.settlement.uncounted_bytes = Some(pass.said_bytes());
        }
    }

    /// True if these bytes repeat the credential of the present attempt; looked for in errors only.
    fn shows_credential(&self, bytes: &[u8]) -> bool {
        let deployment = self.current.snapshot.deployments.get(self.settlement.record.deployment as usize);
        deployment.is_some_and(|deployment| deployment.is_credential_in(bytes))
    }

    /// A header that names what was dropped of the request, and for those who asked, one for what was adapted.
    #[inline]
    pub fn note_lines(&mut self) {
        if !self.notes.notes.is_empty() {
            self.write_notes();
        }
    }

    #[cold]
    fn write_notes(&mut self) {
        for (kind, name) in [(NoteKind::Dropped, "x-ringway-dropped: "), (NoteKind::Adapted, "x-ringway-adapted: ")] {
            if kind == NoteKind::Adapted && !self.explain {
                continue;
            }
            let endpoint = self.settlement.record.endpoint;
            let noted = self.notes.notes.iter().filter(|note| note.kind == kind);
            let mut params = noted.map(|note| own_names::of_endpoint(endpoint, note.param.clone()));
            let Some(first) = params.next() else { continue };
            self.lines.extend_from_slice(name.as_bytes());
            append_clean(&first, &mut self.lines);
            for param in params.take(NOTES_MAX) {
                self.lines.extend_from_slice(b", ");
                append_clean(&param, &mut self.lines);
            }
            self.lines.extend_from_slice(b"\r\n");
        }
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

/// Names beyond this many are not listed: headers are bounded.
const NOTES_MAX: usize = 31;

/// Appends a member's path as a header may carry it: names in it are the client's.
fn append_clean(param: &str, lines: &mut Vec<u8>) {
    lines.extend(param.bytes().take(120).map(|byte| if byte.is_ascii_graphic() && byte != b',' { byte } else { b'?' }));
}

#[cfg(test)]
mod tests;
