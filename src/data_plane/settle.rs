//! The end of an exchange, exactly once, however it ends.
//!
//! A settlement is opened with the exchange and settles when it is dropped: after the last byte, when the client leaves, when the task
//! panics. What is known by then goes into the shard's cells and into one access record.

use super::shard::{Current, Shard};
use crate::{
    dialects::{
        canonical::Usage,
        endpoints::{Api, ApiEndpoint},
        estimate,
        tokenizer::Tokenizer,
    },
    error::Failure,
    telemetry::{
        access_log::AccessRecord,
        cells::{Cell, Series},
        token_counter::{Job, Then},
    },
};
use std::rc::Rc;

/// What is being settled. Times are microseconds of the shard's clock.
pub struct Settlement {
    pub shard: Rc<Shard>,
    pub record: AccessRecord,
    /// Whose API the client speaks.
    pub api: Api,
    began_us: u64,
    /// When the request was complete.
    pub received_us: u64,
    /// When its first byte went upstream, the last time.
    pub sent_us: Option<u64>,
    /// When the answer that the client gets began to arrive.
    pub answered_us: Option<u64>,
    /// When its first byte was on its way to the client.
    pub replied_us: Option<u64>,
    /// The answer that is staged goes with one write: it is on its way when that has taken it.
    pub replies_whole: bool,
    /// How much the model said, in bytes, where its provider did not count that, or not to the end.
    pub uncounted_bytes: Option<u64>,
    /// What counts instead, if not the bytes.
    pub tokenizer: Option<Tokenizer>,
    recount: Option<Box<Recount>>,
}

/// What the tokenizer counts when all is over, as far as it is at hand.
#[derive(Default)]
struct Recount {
    /// The request's body.
    prompt: Option<Vec<u8>>,
    /// What the model said.
    said: Option<String>,
}

impl Settlement {
    // Written to where it stays: as a call it would be copied there.
    #[inline(always)]
    pub fn open(shard: &Rc<Shard>, current: &Current) -> Settlement {
        let began_us = shard.now_us();
        shard.state.cells.add(Cell::Requests, 1);
        // Lowered by the drop.
        shard.state.cells.add(Cell::InFlight, 1);
        Settlement {
            record: AccessRecord {
                at_us: shard.unix_us(began_us),
                request_id: shard.next_request_id(),
                endpoint: ApiEndpoint::None,
                status: 0,
                code: "",
                shard: shard.index as u16,
                streamed: false,
                client_gone: false,
                attempts: 0,
                generation: current.snapshot.generation,
                key: u32::MAX,
                group: u32::MAX,
                deployment: u32::MAX,
                total_us: 0,
                overhead_us: 0,
                ttft_us: 0,
                request_bytes: 0,
                answer_bytes: 0,
                input_tokens: 0,
                cached_input_tokens: 0,
                output_tokens: 0,
                reasoning_tokens: 0,
                estimated: false,
            },
            shard: shard.clone(),
            api: Api::OpenAi,
            began_us,
            received_us: began_us,
            sent_us: None,
            answered_us: None,
            replied_us: None,
            replies_whole: false,
            uncounted_bytes: None,
            tokenizer: None,
            recount: None,
        }
    }

    /// The failure that the client is told, or would have been.
    pub fn failed(&mut self, failure: &Failure) {
        self.record.code = failure.code();
    }

    /// Token counts as the provider reported them.
    pub fn used(&mut self, usage: &Usage) {
        let record = &mut self.record;
        let tokens = |count: u64| count.min(u32::MAX.into()) as u32;
        record.input_tokens = tokens(usage.input());
        record.cached_input_tokens = tokens(usage.cache_read);
        record.output_tokens = tokens(usage.output);
        record.reasoning_tokens = tokens(usage.reasoning);
    }

    /// What the answer tells has been counted before, with the answer that it repeats.
    pub fn uncount(&mut self) {
        self.used(&Usage::default());
        self.uncounted_bytes = None;
    }

    /// Estimates what the provider did not count. `prompt` is the request's body. A tokenizer counts better than this, later and elsewhere.
    #[cold]
    pub fn estimate(&mut self, prompt: &[u8]) {
        let Some(said_bytes) = self.uncounted_bytes else { return };
        let tokens = |count: u64| count.min(u32::MAX.into()) as u32;
        let record = &mut self.record;
        record.estimated = true;
        if record.input_tokens == 0 {
            record.input_tokens = tokens(estimate::of_request(prompt));
            let takes = |tokenizer| self.shard.node.token_counter.takes(tokenizer, prompt.len());
            if self.tokenizer.is_some_and(takes) {
                self.recount.get_or_insert_default().prompt = Some(prompt.to_vec());
            }
        }
        // What is reported in the middle of a stream is what had been said by then.
        record.output_tokens = record.output_tokens.max(tokens(estimate::of_text(said_bytes)));
    }

    /// The first content of a stream was staged for the client.
    pub fn first_content(&mut self) {
        if self.record.ttft_us == 0 {
            self.record.ttft_us = self.shard.now_us().saturating_sub(self.received_us).max(1);
        }
    }

    /// The client does not take all of a whole answer at once: what it takes longer for is not ours.
    #[cold]
    pub fn held_up(&mut self) {
        if self.replies_whole && self.replied_us.is_none() {
            self.replied_us = Some(self.shard.now_us());
        }
    }

    /// Time that this process added so far: request complete to request sent, answer come to answer sent.
    pub fn overhead_us(&self) -> u64 {
        let there = self.sent_us.map_or(0, |sent_us| sent_us.saturating_sub(self.received_us));
        let back = match (self.answered_us, self.replied_us) {
            (Some(answered_us), Some(replied_us)) => replied_us.saturating_sub(answered_us),
            _ => 0,
        };
        there + back
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        let ended_us = self.shard.now_us();
        let total_us = ended_us.saturating_sub(self.began_us);
        if self.replies_whole && self.replied_us.is_none() {
            self.replied_us = Some(ended_us);
        }
        let overhead_us = self.overhead_us();
        let cells = &self.shard.state.cells;
        cells.sub(Cell::InFlight, 1);
        if std::thread::panicking() {
            self.record.code = Failure::Internal.code();
        }
        cells.answered(self.record.status);
        cells.record(Series::TotalUs, total_us);
        if self.replied_us.is_some() && self.sent_us.is_some() {
            cells.record(Series::OverheadUs, overhead_us);
        }
        if self.record.ttft_us > 0 {
            cells.record(Series::TtftUs, self.record.ttft_us);
        }
        if self.record.client_gone {
            cells.add(Cell::ClientsGone, 1);
        }
        self.record.total_us = total_us;
        self.record.overhead_us = overhead_us;
        match self.recount.take() {
            None => self.shard.log(&self.record),
            Some(recount) => self.recount(*recount),
        }
    }
}

impl Settlement {
    /// Hands the record to the tokenizer, which logs it. Where there is no room, it is logged as it is.
    #[cold]
    fn recount(&self, Recount { prompt, said }: Recount) {
        let then = Then::Log(Box::new(self.record));
        let job = self.tokenizer.map(|tokenizer| Job { tokenizer, prompt, said, then });
        if job.is_none_or(|job| self.shard.node.token_counter.hand_over(job).is_err()) {
            self.shard.log(&self.record);
        }
    }

    /// Nobody counted an answer that says so many bytes, and this where it is at hand.
    pub fn uncounted(&mut self, said_bytes: u64, said: Option<String>) {
        self.uncounted_bytes = Some(said_bytes);
        if let Some(said) = said.filter(|said| !said.is_empty()) {
            self.recount.get_or_insert_default().said = Some(said);
        }
    }

    /// Room for what the model says in an answer of so many bytes, if the tokenizer is to count it.
    pub fn room_for_said(&self, bytes: usize) -> Option<String> {
        let takes = |tokenizer| self.shard.node.token_counter.takes(tokenizer, bytes);
        self.tokenizer.is_some_and(takes).then(String::new)
    }
}
