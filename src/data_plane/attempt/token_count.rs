//! Counts that are estimated: for a client that asked for one, and for the usage of an answer whose provider told none.
//!
//! By the model's tokenizer where it has one, on that one's thread, for which an exchange waits `TOKENIZER_MS` at most. What is too long for it,
//! or comes when it has too much to do, is estimated by its bytes.

use super::AttemptEnd;
use crate::{
    data_plane::{
        downstream::Downstream,
        exchange::{Ended, Exchange, Waited, wait},
        outgoing::Outgoing,
    },
    dialects::{
        canonical::Usage,
        estimate, token_count,
        translate::{self, Translation},
        wire::ClientWire,
    },
    error::Upstream,
    limits::TOKENIZER_MS,
    telemetry::token_counter::{Counts, Job, Then, Told},
};
use std::{rc::Rc, sync::Arc};

/// The answer to a client that asked for a count which no provider gives.
pub(super) async fn estimated<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    outgoing: &Outgoing<'_>,
    wire: ClientWire,
) -> Result<Vec<u8>, AttemptEnd> {
    let text = outgoing.text().unwrap_or_default();
    let counts = counted(exchange, client, text, None).await?;
    let mut answer = Vec::with_capacity(32);
    token_count::render(wire, counts.input.unwrap_or_else(|| estimate::of_request(text)), &mut answer);
    Ok(answer)
}

/// What the tokenizer makes of a request's body and of what was answered to it; nothing where there is none, or where it takes too long.
pub(super) async fn counted<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    prompt: &[u8],
    said: Option<String>,
) -> Result<Counts, AttemptEnd> {
    let counter = &exchange.shard.node.token_counter;
    let takes = |tokenizer: &_| counter.takes(*tokenizer, prompt.len());
    let Some(tokenizer) = exchange.settlement.tokenizer.filter(takes) else { return Ok(Counts::default()) };
    let told = Arc::new(Told::default());
    let job = Job { tokenizer, prompt: Some(prompt.to_vec()), said, then: Then::Tell(Arc::clone(&told)) };
    if counter.hand_over(job).is_err() {
        return Ok(Counts::default());
    }
    exchange.phase(TOKENIZER_MS);
    match wait(client, &exchange.deadline, |cx| told.poll(cx)).await {
        Waited::Done(counts) => Ok(counts),
        Waited::Due => Ok(Counts::default()),
        Waited::Gone => Err(AttemptEnd::Ended(Ended::Gone)),
    }
}

/// A translated answer whose provider told no usage, with the tokenizer's in it. `None` where that does not count it.
pub(super) async fn answer<D: Downstream>(
    exchange: &mut Exchange<'_>,
    client: &mut D,
    mut translation: Translation,
    text: &[u8],
) -> Result<Option<Vec<u8>>, AttemptEnd> {
    let said = exchange.settlement.room_for_said(text.len());
    let mut counts = Counts::default();
    if let Some(mut said) = said {
        // It has been read before.
        let _ = translate::whole(translation.upstream, text, &mut |event| event.append_said(&mut said));
        let prompt = Rc::clone(&translation.prompt.bytes);
        counts = counted(exchange, client, &prompt[translation.prompt.start..], Some(said)).await?;
    }
    let Counts { input: Some(input_uncached), output: Some(output) } = counts else {
        // The log is to say what the client is told.
        exchange.settlement.tokenizer = None;
        return Ok(None);
    };
    let usage = Usage { input_uncached, output, ..Usage::default() };
    translation.prompt.counted = Some(Box::new(usage));
    let mut rendered = Vec::with_capacity(text.len() + 512);
    let whole = translation.whole(text, &mut rendered);
    whole.map_err(|_| Upstream::BadResponse)?;
    exchange.settlement.used(&usage);
    exchange.settlement.uncounted_bytes = Some(0);
    Ok(Some(rendered))
}
