//! One record per exchange, from a shard to the log writer.
//!
//! A record is plain data without names: indexes are resolved by the writer against the snapshot of `generation`. The ring
//! never blocks a shard: when the writer falls behind, records are dropped and counted. Records of one shard are written
//! in their order; those of different shards interleave.

use crate::dialects::endpoints::ApiEndpoint;

pub mod line;
pub mod writer;

/// A new ring for one shard: the half that the shard keeps, and the half that the writer gets (`LogCommands::attach`).
pub fn ring(capacity: usize) -> (AccessLog, AccessLogReader) {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    (AccessLog(Some(producer)), AccessLogReader(consumer))
}

/// The shard's half of its ring.
#[derive(Debug)]
pub struct AccessLog(Option<rtrb::Producer<AccessRecord>>);

impl AccessLog {
    /// A log that nobody reads: records vanish and are not counted as dropped.
    pub fn off() -> AccessLog {
        AccessLog(None)
    }

    /// Hands a record over without ever waiting, and returns whether it was dropped because the ring was full.
    #[inline]
    #[must_use = "a dropped record is counted in Cell::AccessLogDropped"]
    pub fn push(&mut self, record: AccessRecord) -> bool {
        self.0.as_mut().is_some_and(|ring| ring.push(record).is_err())
    }
}

/// The writer's half of one shard's ring.
#[derive(Debug)]
pub struct AccessLogReader(rtrb::Consumer<AccessRecord>);

impl AccessLogReader {
    /// The oldest record that waits.
    pub fn pop(&mut self) -> Option<AccessRecord> {
        self.0.pop().ok()
    }

    /// Records that wait now.
    pub fn waiting(&self) -> usize {
        self.0.slots()
    }

    /// True when nothing waits and nothing can come any more, because the shard's half is gone.
    pub fn is_finished(&self) -> bool {
        // In this order: a shard pushes before it goes.
        self.0.is_abandoned() && self.0.is_empty()
    }
}

/// What one exchange did, as the access log tells it. Times are microseconds.
#[derive(Debug, Clone)]
pub struct AccessRecord {
    /// Unix time at which the head had been read.
    pub at_us: u64,
    pub request_id: RequestId,
    pub endpoint: ApiEndpoint,
    /// Status sent to the client; 0 when none was.
    pub status: u16,
    /// Stable failure code (see `error.rs`), empty when there was none.
    pub code: &'static str,
    pub shard: u16,
    pub streamed: bool,
    pub client_gone: bool,
    /// Attempts made upstream.
    pub attempts: u8,
    /// Generation of the snapshot that the indexes below belong to.
    pub generation: u64,
    /// Position of the client key, `u32::MAX` for none.
    pub key: u32,
    /// Position of the model group, `u32::MAX` for none.
    pub group: u32,
    /// Position of the deployment that answered last, `u32::MAX` for none.
    pub deployment: u32,
    pub total_us: u64,
    pub overhead_us: u64,
    /// 0 when nothing was streamed.
    pub ttft_us: u64,
    pub request_bytes: u64,
    pub answer_bytes: u64,
    /// As reported by the upstream; 0 when it reported none.
    pub input_tokens: u64,
    pub cached_input_tokens: u64,
    pub output_tokens: u64,
    pub reasoning_tokens: u64,
}

/// 128 bits: the shard's start time, its number and a counter, written as `req_` and 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestId(pub u128);

impl RequestId {
    /// Length of the text form, in bytes.
    pub const TEXT_BYTES: usize = 36;

    /// The text form.
    pub fn text(self) -> [u8; RequestId::TEXT_BYTES] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = *b"req_00000000000000000000000000000000";
        for (digits, byte) in text[4..].chunks_exact_mut(2).zip(self.0.to_be_bytes()) {
            digits[0] = HEX[usize::from(byte >> 4)];
            digits[1] = HEX[usize::from(byte & 15)];
        }
        text
    }
}
