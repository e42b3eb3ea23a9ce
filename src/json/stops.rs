//! Where a string does not simply go on: at a quote, a backslash, a control character, or a byte that is not ASCII.
//!
//! Text is looked at 64 bytes at once, and what is seen is a bit mask, one bit for each byte. How a block is looked at is the caller's
//! to choose: [`Wide`] for processors with AVX2 or AVX-512, [`Portable`] for all others. The choice is made once per call of the
//! scanner, see `sys::scan_widest`, because asking costs as much as a block.
//!
//! Non-ASCII bytes stop the search so that UTF-8 need only be checked where there is any.

/// What may be asked about the bytes of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Where a string does not simply go on.
    Stops,
    Backslashes,
    /// What is not ASCII.
    Foreign,
    /// Only what may stand behind a backslash; not all that may, and never `u`.
    UsualEscapes,
    Quotes,
    /// Brackets of both forms that open.
    Opens,
    /// The same that close.
    Closes,
}

/// Ways to look at a block.
pub trait Look: Copy {
    /// Bit n is set if it is so for byte n. `of` is a constant wherever this is called, so nothing is chosen when it runs.
    fn mask(self, block: &[u8; 64], of: Ask) -> u64;
    /// A place at or after `at` up to which there is no stop; found in steps of 128 bytes.
    fn plain_end(self, text: &[u8], at: usize) -> usize;
    /// Where in the block at `at` the UTF-8 of the text is found to be malformed, which may be some bytes after the fault. What is before
    /// has to be well-formed, but for a character that goes on in the block; one that goes on after the block is no fault.
    /// `None` if it cannot be told here.
    fn utf8_faults(self, text: &[u8], at: usize) -> Option<u64>;
}

/// Three functions as a [`Look`]: closures, because only a closure can pass the features of the function that it stands in to
/// the code that it is inlined into.
#[derive(Clone, Copy)]
pub struct Wide<M, P, U>(pub M, pub P, pub U);

impl<M, P, U> Look for Wide<M, P, U>
where
    M: Fn(&[u8; 64], Ask) -> u64 + Copy,
    P: Fn(&[u8], usize) -> usize + Copy,
    U: Fn(&[u8; 3 + 64]) -> u64 + Copy,
{
    #[inline(always)]
    fn mask(self, block: &[u8; 64], of: Ask) -> u64 {
        self.0(block, of)
    }

    #[inline(always)]
    fn plain_end(self, text: &[u8], at: usize) -> usize {
        self.1(text, at)
    }

    #[inline(always)]
    fn utf8_faults(self, text: &[u8], at: usize) -> Option<u64> {
        text.get(..at + 64)?.last_chunk().map(self.2)
    }
}

/// Eight bytes at a time in an integer.
#[derive(Clone, Copy)]
pub struct Portable;

impl Look for Portable {
    #[inline(always)]
    fn mask(self, block: &[u8; 64], of: Ask) -> u64 {
        const EACH: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = EACH << 7;
        // Has a byte, less its high bit, its high bit set? Not if it is the one looked for: each sum stays within its byte.
        let is_other = |low: u64, byte: u8| (low ^ (EACH * u64::from(byte))) + EACH * 0x7F;
        let (words, _) = block.as_chunks::<8>();
        words.iter().rev().fold(0, |mask, word| {
            let word = u64::from_le_bytes(*word);
            let low = word & !HIGH;
            let found = match of {
                Ask::Stops => word | !((low + EACH * 0x60) & is_other(low, b'"') & is_other(low, b'\\')),
                Ask::Backslashes => !(word | is_other(low, b'\\')),
                Ask::Foreign => word,
                Ask::UsualEscapes => !(word | is_other(low, b'"') & is_other(low, b'n')),
                Ask::Quotes => !(word | is_other(low, b'"')),
                // The two forms differ in one bit.
                Ask::Opens => !(word | is_other(low | (EACH * 0x20), b'{')),
                Ask::Closes => !(word | is_other(low | (EACH * 0x20), b'}')),
            };
            // The product moves the high bit of each byte into the uppermost byte, the lowest first.
            mask << 8 | ((found & HIGH) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
        })
    }

    fn plain_end(self, text: &[u8], at: usize) -> usize {
        let (blocks, _) = text.get(at..).unwrap_or_default().as_chunks::<128>();
        // `|` and not `||`, which would keep the compiler from using what vectors the target has.
        let is_plain = |block: &[u8; 128]| {
            !block.iter().fold(false, |any, &byte| any | ((byte ^ 0x02) as i8 <= 0x20) | (byte == b'\\'))
        };
        at + 128 * blocks.iter().take_while(|block| is_plain(block)).count()
    }

    #[inline(always)]
    fn utf8_faults(self, _: &[u8], _: usize) -> Option<u64> {
        None
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2 {
    use super::{Ask, Look, Wide, utf8};
    use crate::sys::load_avx2 as load;
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    pub(crate) fn look() -> impl Look {
        Wide(
            |block: &[u8; 64], of| mask(block, of),
            |text: &[u8], at| plain_end(text, at),
            |window: &[u8; 67]| utf8_faults(window),
        )
    }

    /// As [`super::Look`] has it.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    pub(crate) fn mask(block: &[u8; 64], of: Ask) -> u64 {
        let (halves, _) = block.as_chunks::<32>();
        let half_mask = |half: &[u8; 32]| {
            let bytes = load(half);
            let found = match of {
                Ask::Stops => {
                    _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x21), flipped(bytes)), backslash(bytes))
                }
                Ask::Backslashes => backslash(bytes),
                Ask::Foreign => bytes,
                Ask::UsualEscapes => usual_escape(bytes),
                Ask::Quotes => equal(bytes, b'"'),
                Ask::Opens => equal(lower(bytes), b'{'),
                Ask::Closes => equal(lower(bytes), b'}'),
            };
            _mm256_movemask_epi8(found) as u32
        };
        u64::from(half_mask(&halves[0])) | u64::from(half_mask(&halves[1])) << 32
    }

    /// As [`super::Look`] has it.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    pub(crate) fn plain_end(text: &[u8], at: usize) -> usize {
        let (blocks, _) = text.get(at..).unwrap_or_default().as_chunks::<128>();
        at + 128 * blocks.iter().take_while(|block| is_plain(block)).count()
    }

    /// Bit n is set if byte n + 3 shows a fault, given the three before it.
    ///
    /// Three tables say what a byte and the one before it can be wrong about, by the four bits that matter each: the two together are
    /// at fault if all three agree. What they say of a continuation after a continuation is no fault where the byte two or
    /// three before starts a character that long, and the missing of it is one. The method is Keiser's and Lemire's ("Validating
    /// UTF-8 in less than one instruction per byte", 2021).
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    pub(crate) fn utf8_faults(window: &[u8; 3 + 64]) -> u64 {
        let half_faults = |at: usize| {
            let bytes_before = |count: usize| {
                let (bytes, _) =
                    window[3 + at - count..].split_first_chunk().expect("at most 64 of 67 bytes are before them");
                load(bytes)
            };
            let (bytes, before) = (bytes_before(0), bytes_before(1));
            let low_bits = _mm256_set1_epi8(0x0F);
            let high = |bytes| _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low_bits);
            let pair = _mm256_and_si256(
                _mm256_and_si256(
                    _mm256_shuffle_epi8(table(&utf8::BY_FIRST_HIGH), high(before)),
                    _mm256_shuffle_epi8(table(&utf8::BY_FIRST_LOW), _mm256_and_si256(before, low_bits)),
                ),
                _mm256_shuffle_epi8(table(&utf8::BY_SECOND_HIGH), high(bytes)),
            );
            // Only 0xE0 and above, or 0xF0, keep their high bit.
            let third = _mm256_subs_epu8(bytes_before(2), _mm256_set1_epi8(0xE0u8.wrapping_sub(0x80) as i8));
            let fourth = _mm256_subs_epu8(bytes_before(3), _mm256_set1_epi8(0xF0u8.wrapping_sub(0x80) as i8));
            let continues = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8(0x80u8 as i8));
            let fine = _mm256_cmpeq_epi8(pair, continues);
            !_mm256_movemask_epi8(fine) as u32
        };
        u64::from(half_faults(0)) | u64::from(half_faults(32)) << 32
    }

    /// As in `mask`, but the smallest byte is compared instead of every one.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn is_plain(block: &[u8; 128]) -> bool {
        let (quarters, _) = block.as_chunks::<32>();
        let [a, b, c, d] = [load(&quarters[0]), load(&quarters[1]), load(&quarters[2]), load(&quarters[3])];
        let smallest =
            _mm256_min_epi8(_mm256_min_epi8(flipped(a), flipped(b)), _mm256_min_epi8(flipped(c), flipped(d)));
        let backslashes =
            _mm256_or_si256(_mm256_or_si256(backslash(a), backslash(b)), _mm256_or_si256(backslash(c), backslash(d)));
        let any = _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x21), smallest), backslashes);
        _mm256_testz_si256(any, any) == 1
    }

    /// Flipping bit 1 moves the quote (0x22) to 0x20, right above the control characters, and keeps those below 0x20; as
    /// signed numbers the bytes above 0x7F are below all of them. So one comparison with 0x21 finds all stops but the backslash.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn flipped(bytes: __m256i) -> __m256i {
        _mm256_xor_si256(bytes, _mm256_set1_epi8(0x02))
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn backslash(bytes: __m256i) -> __m256i {
        equal(bytes, b'\\')
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn equal(bytes: __m256i, byte: u8) -> __m256i {
        _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8))
    }

    /// With the bit set in which the two forms of brackets differ.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn lower(bytes: __m256i) -> __m256i {
        _mm256_or_si256(bytes, _mm256_set1_epi8(0x20))
    }

    /// A shuffle gives each byte the one escape that it can be, chosen by its lower four bits. Of a byte above 0x7F it makes 0, which it
    /// is not.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn usual_escape(bytes: __m256i) -> __m256i {
        _mm256_cmpeq_epi8(_mm256_shuffle_epi8(table(&super::USUAL_ESCAPES), bytes), bytes)
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn table(entries: &[u8; 64]) -> __m256i {
        load(entries.first_chunk().expect("half of it"))
    }
}

/// The same questions, answered for a block at once and straight into a mask.
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512 {
    use super::{Ask, Look, Wide, utf8};
    use crate::sys::load_avx512 as load;
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,popcnt")]
    pub(crate) fn look() -> impl Look {
        Wide(
            |block: &[u8; 64], of| mask(block, of),
            |text: &[u8], at| super::avx2::plain_end(text, at),
            |window: &[u8; 67]| utf8_faults(window),
        )
    }

    /// As in `avx2`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,popcnt")]
    pub(crate) fn mask(block: &[u8; 64], of: Ask) -> u64 {
        let bytes = load(block);
        let equal = |bytes, byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
        let backslashes = || equal(bytes, b'\\');
        let lower = || _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
        match of {
            Ask::Stops => {
                let flipped = _mm512_xor_si512(bytes, _mm512_set1_epi8(0x02));
                _mm512_cmpgt_epi8_mask(_mm512_set1_epi8(0x21), flipped) | backslashes()
            }
            Ask::Backslashes => backslashes(),
            Ask::Foreign => _mm512_movepi8_mask(bytes),
            Ask::UsualEscapes => {
                let by_low_bits = load(&super::USUAL_ESCAPES);
                _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(by_low_bits, bytes), bytes)
            }
            Ask::Quotes => equal(bytes, b'"'),
            Ask::Opens => equal(lower(), b'{'),
            Ask::Closes => equal(lower(), b'}'),
        }
    }

    /// As in `avx2`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,popcnt")]
    pub(crate) fn utf8_faults(window: &[u8; 3 + 64]) -> u64 {
        let bytes_before = |count: usize| {
            let bytes = window[3 - count..].first_chunk().expect("64 of 67 bytes are after at most three");
            load(bytes)
        };
        let (bytes, before) = (bytes_before(0), bytes_before(1));
        let low_bits = _mm512_set1_epi8(0x0F);
        let high = |bytes| _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), low_bits);
        let pair = _mm512_and_si512(
            _mm512_and_si512(
                _mm512_shuffle_epi8(load(&utf8::BY_FIRST_HIGH), high(before)),
                _mm512_shuffle_epi8(load(&utf8::BY_FIRST_LOW), _mm512_and_si512(before, low_bits)),
            ),
            _mm512_shuffle_epi8(load(&utf8::BY_SECOND_HIGH), high(bytes)),
        );
        let third = _mm512_subs_epu8(bytes_before(2), _mm512_set1_epi8(0xE0u8.wrapping_sub(0x80) as i8));
        let fourth = _mm512_subs_epu8(bytes_before(3), _mm512_set1_epi8(0xF0u8.wrapping_sub(0x80) as i8));
        let continues = _mm512_and_si512(_mm512_or_si512(third, fourth), _mm512_set1_epi8(0x80u8 as i8));
        _mm512_cmpneq_epi8_mask(pair, continues)
    }
}

/// For each four lower bits the escape that has them: `"`, `t`, `f`, `\`, `n` and `/` differ in these. Where there is none, a byte with
/// others. As a vector wants it, four times.
#[cfg(target_arch = "x86_64")]
static USUAL_ESCAPES: [u8; 64] = four_times([1, 0, b'"', 0, b't', 0, b'f', 0, 0, 0, 0, 0, b'\\', 0, b'n', b'/']);

#[cfg(target_arch = "x86_64")]
const fn four_times(entries: [u8; 16]) -> [u8; 64] {
    let mut all = [0; 64];
    let mut at = 0;
    while at < all.len() {
        all[at] = entries[at % 16];
        at += 1;
    }
    all
}

/// What can be wrong with two bytes in a row, one bit each, as three tables have it for four bits of them.
#[cfg(target_arch = "x86_64")]
mod utf8 {
    use super::four_times;

    /// A start is followed by a start or by ASCII.
    const TOO_SHORT: u8 = 1;
    /// ASCII is followed by a continuation.
    const TOO_LONG: u8 = 1 << 1;
    /// E0 80 to E0 9F: three bytes where two do.
    const OVERLONG_3: u8 = 1 << 2;
    /// F4 90 and above, F5 and above.
    const TOO_LARGE: u8 = 1 << 3;
    /// ED A0 to ED BF.
    const SURROGATE: u8 = 1 << 4;
    /// C0, C1: two bytes where one does.
    const OVERLONG_2: u8 = 1 << 5;
    /// F0 80 to F0 8F; and F5 and above followed by 80 to 8F.
    const OVERLONG_4: u8 = 1 << 6;
    /// A continuation is followed by a continuation. The only one that need not be a fault.
    const TWO_CONTINUATIONS: u8 = 1 << 7;

    pub static BY_FIRST_HIGH: [u8; 64] = {
        let mut entries = [TOO_LONG; 16];
        let mut high = 8;
        while high < 16 {
            entries[high] = match high {
                0x8..=0xB => TWO_CONTINUATIONS,
                0xC => TOO_SHORT | OVERLONG_2,
                0xD => TOO_SHORT,
                0xE => TOO_SHORT | OVERLONG_3 | SURROGATE,
                _ => TOO_SHORT | TOO_LARGE | OVERLONG_4,
            };
            high += 1;
        }
        four_times(entries)
    };

    pub static BY_FIRST_LOW: [u8; 64] = {
        let any = TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS;
        let mut entries = [any; 16];
        let mut low = 0;
        while low < 16 {
            entries[low] |= match low {
                0 => OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
                1 => OVERLONG_2,
                2 | 3 => 0,
                4 => TOO_LARGE,
                0xD => TOO_LARGE | OVERLONG_4 | SURROGATE,
                _ => TOO_LARGE | OVERLONG_4,
            };
            low += 1;
        }
        four_times(entries)
    };

    pub static BY_SECOND_HIGH: [u8; 64] = {
        let mut entries = [TOO_SHORT; 16];
        let any = TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS;
        entries[0x8] = any | OVERLONG_3 | OVERLONG_4;
        entries[0x9] = any | OVERLONG_3 | TOO_LARGE;
        entries[0xA] = any | SURROGATE | TOO_LARGE;
        entries[0xB] = any | SURROGATE | TOO_LARGE;
        four_times(entries)
    };
}

/// The last bytes of a text, fewer than a block, with zeros behind them, which are stops.
#[cold]
#[inline(never)]
pub fn padded(text: &[u8], from: usize) -> [u8; 64] {
    let mut block = [0; 64];
    let rest = text.get(from..).unwrap_or_default();
    block[..rest.len()].copy_from_slice(rest);
    block
}

#[inline(always)]
pub fn block_at(text: &[u8], at: usize) -> Option<&[u8; 64]> {
    text.get(at..at.wrapping_add(64))?.first_chunk()
}

/// Which bytes of a block stand behind a backslash that is not itself escaped. `carry` is 1 if the first byte does, because of the
/// block before, and becomes what holds for the block after.
///
/// A run of backslashes escapes the byte after it if it has an odd number of them; a subtraction finds that for all runs at once,
/// as its borrow runs through each. The method is simdjson's (`find_escaped` of its `json_escape_scanner`; Langdale and Lemire,
/// "Parsing gigabytes of JSON per second", 2019).
#[inline(always)]
pub fn escaped(backslashes: u64, carry: &mut u64) -> u64 {
    const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
    // What cannot be escaping any more is the first byte, if it is escaped.
    let candidates = backslashes & !*carry;
    // For a run that starts at an even place the escaped bytes are at odd places, else at even ones.
    let runs = ((candidates << 1) | ODD).wrapping_sub(candidates) ^ ODD;
    let escaped = runs ^ (backslashes | *carry);
    *carry = (runs & backslashes) >> 63;
    escaped
}

/// Length of the character that is not ASCII and starts at `at`, in bytes; 0 if it is malformed or cut.
#[inline(always)]
pub fn character_bytes(text: &[u8], at: usize) -> usize {
    let word = match text.get(at..at.wrapping_add(4)).and_then(|word| word.first_chunk()) {
        Some(word) => u32::from_le_bytes(*word),
        None => last_bytes(text, at),
    };
    // The patterns of RFC 3629, first byte lowest.
    if word & 0xC0E0 == 0x80C0 {
        // Below U+0080 is overlong.
        return if word & 0x1E != 0 { 2 } else { 0 };
    }
    if word & 0x00C0_C0F0 == 0x0080_80E0 {
        let highest_bits = word & 0x200F;
        // Below U+0800 is overlong; U+D800 to U+DFFF are surrogates.
        return if highest_bits != 0 && highest_bits != 0x200D { 3 } else { 0 };
    }
    if word & 0xC0C0_C0F8 == 0x8080_80F0 {
        // Below U+10000 is overlong; above U+10FFFF is nothing.
        let is_too_high = word & 0x04 != 0 && word & 0x3003 != 0;
        return if word & 0x3007 != 0 && !is_too_high { 4 } else { 0 };
    }
    0
}

/// The last bytes of a text, the first lowest. No zero continues a character.
#[cold]
#[inline(never)]
fn last_bytes(text: &[u8], at: usize) -> u32 {
    text.get(at..).unwrap_or_default().iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte))
}

/// Bytes at the end of `text` that may be the start of a character whose rest has not arrived.
pub fn cut_character_bytes(text: &[u8]) -> usize {
    for (from_end, &byte) in text.iter().rev().take(3).enumerate() {
        let bytes_needed = match byte {
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            _ => 1,
        };
        return if bytes_needed > from_end + 1 { from_end + 1 } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests;
