//! The thread `ringway-tokens`: counts by a tokenizer what upstreams did not count, where the configuration asks for that.
//!
//! There is no thread and no table until a configuration asks for one; from then on both stay. A shard hands over a text and never waits: a queue
//! that is full, a text that is too long, a table that is still being read give it back, and it is estimated by its bytes. Counting takes
//! 1 to 100 ms for each megabyte, which a shard would hold against all its exchanges.
//!
//! Two kinds of work: the record of an exchange that has ended, which goes on to the access log from here, and a count that a client waits for.
//! Records that were counted here come after others of their shard in the log.

// Runs on a thread of its own; what shards call neither locks nor waits.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros)]

use super::{
    access_log::{self, AccessLog, AccessRecord, writer::LogCommands},
    operator_log,
};
use crate::{
    config::snapshot::Snapshot,
    dialects::tokenizer::Tokenizer,
    limits::{TOKENIZED_BYTES_MAX, TOKENIZED_RECORDS_MAX, TOKENIZER_JOBS_MAX},
};
use crossbeam_queue::ArrayQueue;
use futures_util::task::AtomicWaker;
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicBool, AtomicU8, AtomicU64,
            Ordering::{AcqRel, Acquire, Release},
        },
    },
    task::{Context, Poll},
    thread::{self, Thread},
    time::{Duration, Instant},
};

/// The counter, as everybody else sees it.
pub struct TokenCounter {
    jobs: ArrayQueue<Job>,
    /// One bit for each of `Tokenizer::ALL`.
    wanted: AtomicU8,
    loaded: AtomicU8,
    thread: OnceLock<Thread>,
    is_ending: AtomicBool,
    has_ended: AtomicBool,
    /// Nobody waits for the end any more.
    is_abandoned: AtomicBool,
}

impl Default for TokenCounter {
    fn default() -> TokenCounter {
        TokenCounter {
            jobs: ArrayQueue::new(TOKENIZER_JOBS_MAX),
            wanted: AtomicU8::new(0),
            loaded: AtomicU8::new(0),
            thread: OnceLock::new(),
            is_ending: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            is_abandoned: AtomicBool::new(false),
        }
    }
}

/// What is to be counted.
#[derive(Debug)]
pub struct Job {
    pub tokenizer: Tokenizer,
    /// The body of a request, valid JSON.
    pub prompt: Option<Vec<u8>>,
    /// What was answered to it.
    pub said: Option<String>,
    pub then: Then,
}

/// What becomes of the counts.
#[derive(Debug)]
pub enum Then {
    /// They replace the estimates of a record, which goes to the log.
    Log(Box<AccessRecord>),
    /// They are told.
    Tell(Arc<Told>),
}

/// Counts that somebody waits for.
#[derive(Debug, Default)]
pub struct Told {
    input: AtomicU64,
    output: AtomicU64,
    is_there: AtomicBool,
    waker: AtomicWaker,
}

/// What was counted; `None` for what was not asked for, or could not be counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub input: Option<u64>,
    pub output: Option<u64>,
}

/// In place of a count: there is none.
const NOT_COUNTED: u64 = u64::MAX;

impl Told {
    fn tell(&self, counts: Counts) {
        self.input.store(counts.input.unwrap_or(NOT_COUNTED), Release);
        self.output.store(counts.output.unwrap_or(NOT_COUNTED), Release);
        self.is_there.store(true, Release);
        self.waker.wake();
    }

    /// The counts, once they are there.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<Counts> {
        self.waker.register(cx.waker());
        if !self.is_there.load(Acquire) {
            return Poll::Pending;
        }
        let count = |told: &AtomicU64| Some(told.load(Acquire)).filter(|count| *count != NOT_COUNTED);
        Poll::Ready(Counts { input: count(&self.input), output: count(&self.output) })
    }
}

impl TokenCounter {
    /// Has what a snapshot asks for ready soon: starts the thread if it is the first time, which then reads the tables. Records that are
    /// counted go to `log`.
    pub fn prepare(self: &Arc<TokenCounter>, snapshot: &Snapshot, log: Option<&LogCommands>) {
        let wanted = snapshot.tokenizers().fold(0, |wanted, tokenizer| wanted | bit(tokenizer));
        if wanted == 0 {
            return;
        }
        self.wanted.fetch_or(wanted, AcqRel);
        match self.thread.get() {
            Some(thread) => thread.unpark(),
            None => {
                if let Err(error) = self.start(log) {
                    self.wanted.store(0, Release);
                    operator_log::error(format_args!(
                        "tokens are estimated by their bytes: no thread for a tokenizer: {error}"
                    ));
                }
            }
        }
    }

    fn start(self: &Arc<TokenCounter>, log: Option<&LogCommands>) -> io::Result<()> {
        let records = match log {
            None => AccessLog::off(),
            Some(log) => {
                let (producer, reader) = access_log::ring(TOKENIZED_RECORDS_MAX);
                log.attach(reader);
                producer
            }
        };
        let mut counting = Counting { counter: Arc::clone(self), records };
        let started = thread::Builder::new().name("ringway-tokens".into()).spawn(move || counting.run())?;
        // Nobody else starts one: this is the control thread.
        let _ = self.thread.set(started.thread().clone());
        Ok(())
    }

    /// True once all that was asked for can be counted.
    pub fn is_prepared(&self) -> bool {
        self.loaded.load(Acquire) & self.wanted.load(Acquire) == self.wanted.load(Acquire)
    }

    /// Could a text of so many bytes be counted now?
    pub fn takes(&self, tokenizer: Tokenizer, bytes: usize) -> bool {
        bytes <= TOKENIZED_BYTES_MAX
            && self.loaded.load(Acquire) & bit(tokenizer) != 0
            && !self.jobs.is_full()
            && !self.is_ending.load(Acquire)
    }

    /// Hands work over without waiting.
    ///
    /// # Errors
    /// Gives it back when there is too much of it, or nobody to do it.
    pub fn hand_over(&self, job: Job) -> Result<(), Job> {
        let Some(thread) = self.thread.get().filter(|_| !self.is_ending.load(Acquire)) else { return Err(job) };
        self.jobs.push(job)?;
        thread.unpark();
        Ok(())
    }

    /// Ends the thread when it has done what waits. False if that took longer than `wait`; the thread is then left alone.
    pub fn stop(&self, wait: Duration) -> bool {
        self.is_ending.store(true, Release);
        let Some(thread) = self.thread.get() else { return true };
        thread.unpark();
        let by = Instant::now() + wait;
        while !self.has_ended.load(Acquire) {
            if Instant::now() >= by {
                self.is_abandoned.store(true, Release);
                return false;
            }
            thread::sleep(POLL);
        }
        true
    }
}

fn bit(tokenizer: Tokenizer) -> u8 {
    1 << tokenizer as u8
}

/// Between two looks for room in the log's ring, or at the end of the thread.
const POLL: Duration = Duration::from_millis(2);

/// The thread's own side.
struct Counting {
    counter: Arc<TokenCounter>,
    records: AccessLog,
}

impl Counting {
    fn run(&mut self) {
        loop {
            // Before the look at the queue: what was handed over before it was set is still done.
            let is_ending = self.counter.is_ending.load(Acquire);
            self.load();
            while let Some(job) = self.counter.jobs.pop() {
                self.work(job);
            }
            if is_ending {
                break;
            }
            thread::park();
        }
        self.records = AccessLog::off();
        self.counter.has_ended.store(true, Release);
    }

    /// Reads the tables that are asked for and not there yet.
    fn load(&self) {
        let missing = self.counter.wanted.load(Acquire) & !self.counter.loaded.load(Acquire);
        for tokenizer in Tokenizer::ALL.into_iter().filter(|tokenizer| missing & bit(*tokenizer) != 0) {
            tokenizer.load();
            self.counter.loaded.fetch_or(bit(tokenizer), AcqRel);
            operator_log::info(format_args!("the tokenizer {} is ready", tokenizer.name()));
        }
    }

    fn work(&mut self, job: Job) {
        let Job { tokenizer, prompt, said, then } = job;
        // A panic costs the counts, not the records and whoever comes after.
        let counts = catch_unwind(AssertUnwindSafe(|| Counts {
            input: prompt.map(|prompt| tokenizer.of_request(&prompt)),
            output: said.map(|said| tokenizer.of_text(&said)),
        }));
        let counts = counts.unwrap_or_default();
        match then {
            Then::Tell(told) => told.tell(counts),
            Then::Log(mut record) => {
                let tokens = |count: u64| count.min(u32::MAX.into()) as u32;
                record.input_tokens = counts.input.map_or(record.input_tokens, tokens);
                record.output_tokens = counts.output.map_or(record.output_tokens, tokens);
                // A writer that is held up holds up this thread, until its queue is full and nothing is handed over to it any more.
                while self.records.push(&record) && !self.counter.is_abandoned.load(Acquire) {
                    thread::sleep(POLL);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
