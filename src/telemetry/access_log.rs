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
    pub fn push(&mut self, record: &AccessRecord) -> bool {
        self.0.as_mut().is_some_and(|ring| ring.push(*record).is_err())
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

    /// Shows the oldest records that wait, `most` at most, and takes them out once `each` has returned.
    pub fn take(&mut self, most: usize, mut each: impl FnMut(&AccessRecord)) {
        // Read where they lie: a record is larger than what is made of most of it.
        let Ok(records) = self.0.read_chunk(most.min(self.0.slots())) else { return };
        let (one, other) = records.as_slices();
        one.iter().chain(other).for_each(&mut each);
        records.commit_all();
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
///
/// Two cache lines, which a test holds: it is copied once by its shard and read once by another CPU.
#[derive(Debug, Clone, Copy)]
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
    /// As reported by the upstream or estimated; 0 when it reported none, `u32::MAX` when it reported more than that.
    pub input_tokens: u32,
    pub cached_input_tokens: u32,
    pub output_tokens: u32,
    pub reasoning_tokens: u32,
    /// The upstream did not count, or not to the end: some of the counts are ours, by a tokenizer or the length of the text.
    pub estimated: bool,
}

/// 128 bits: the shard's start time, its number and a counter, written as `req_` and 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestId(pub u128);

impl RequestId {
    /// Length of the text form, in bytes.
    pub const TEXT_BYTES: usize = 36;

    /// The text form.
    pub fn text(self) -> [u8; RequestId::TEXT_BYTES] {
        let mut text = *b"req_00000000000000000000000000000000";
        for (digits, place) in text[4..].chunks_exact_mut(8).zip([96, 64, 32, 0]) {
            digits.copy_from_slice(&hexadecimal((self.0 >> place) as u32));
        }
        text
    }

    /// The same, given another's: ids of one shard differ in their lowest 32 bits for a long time.
    #[inline]
    pub fn text_like(self, other: RequestId, other_text: &[u8; RequestId::TEXT_BYTES]) -> [u8; RequestId::TEXT_BYTES] {
        if self.0 >> 32 != other.0 >> 32 {
            return self.text();
        }
        let mut text = *other_text;
        text[RequestId::TEXT_BYTES - 8..].copy_from_slice(&hexadecimal(self.0 as u32));
        text
    }
}

/// Eight hexadecimal digits, all at once in one register: a request writes 32 of them twice.
#[inline]
fn hexadecimal(value: u32) -> [u8; 8] {
    // One digit in the lower half of each byte, the lowest digit in the lowest byte.
    let spread = u64::from(value);
    let spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
    let spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    let spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 in each byte whose digit is a letter: only these exceed 15 when 6 is added. No byte carries into the next.
    let letters = (spread + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (spread + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
}

#[cfg(test)]
mod tests;
