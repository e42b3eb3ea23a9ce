//! Where a string does not simply go on: at a quote, a backslash, a control character, or a byte that is not ASCII.
//!
//! [`Stops`] looks at 64 bytes at once and keeps what it saw as a bit mask, so that the many short strings of a request (names,
//! roles, the stretches between two escapes) cost a shift and a count of zeros each; long ones are passed 128 bytes at a time.
//! How a block is looked at is the caller's to choose: [`Wide`] for processors with AVX2, [`Portable`] for all others. The
//! choice is made once per call of the scanner, see `sys::scan_widest`, because asking costs as much as a block.
//!
//! Non-ASCII bytes stop the search so that UTF-8 need only be checked where there is any.

/// Ways to look at a block. Both answers are exact.
pub trait Look: Copy {
    /// Bit n is set if byte n is a stop.
    fn stops(self, block: &[u8; 64]) -> u64;
    /// A place at or after `at` up to which there is no stop; found in steps of 128 bytes.
    fn plain_end(self, text: &[u8], at: usize) -> usize;
}

/// Two functions as a [`Look`]: closures, because only a closure can pass the features of the function that it stands in to
/// the code that it is inlined into.
#[derive(Clone, Copy)]
pub struct Wide<S, P>(pub S, pub P);

impl<S: Fn(&[u8; 64]) -> u64 + Copy, P: Fn(&[u8], usize) -> usize + Copy> Look for Wide<S, P> {
    #[inline(always)]
    fn stops(self, block: &[u8; 64]) -> u64 {
        self.0(block)
    }

    #[inline(always)]
    fn plain_end(self, text: &[u8], at: usize) -> usize {
        self.1(text, at)
    }
}

/// Eight bytes at a time in an integer.
#[derive(Clone, Copy)]
pub struct Portable;

impl Look for Portable {
    #[inline(always)]
    fn stops(self, block: &[u8; 64]) -> u64 {
        const EACH: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = EACH << 7;
        let (words, _) = block.as_chunks::<8>();
        words.iter().rev().fold(0, |mask, word| {
            let word = u64::from_le_bytes(*word);
            let low = word & !HIGH;
            // Each sum stays within its byte and has the high bit set unless the byte is the one looked for.
            let others = (low + EACH * 0x60)
                & ((low ^ (EACH * b'"' as u64)) + EACH * 0x7F)
                & ((low ^ (EACH * b'\\' as u64)) + EACH * 0x7F);
            let stops = (word | !others) & HIGH;
            // The product moves the high bit of each byte into the uppermost byte, the lowest first.
            mask << 8 | (stops >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
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
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2 {
    use crate::sys::load_avx2 as load;
    use std::arch::x86_64::*;

    /// Flipping bit 1 moves the quote (0x22) to 0x20, right above the control characters, and keeps those below 0x20; as
    /// signed numbers the bytes above 0x7F are below all of them. So one comparison finds all but the backslash.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    pub(crate) fn stops(block: &[u8; 64]) -> u64 {
        let (halves, _) = block.as_chunks::<32>();
        let mask = |half: &[u8; 32]| {
            let bytes = load(half);
            let flipped = _mm256_xor_si256(bytes, _mm256_set1_epi8(0x02));
            let low = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x21), flipped);
            let backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\' as i8));
            _mm256_movemask_epi8(_mm256_or_si256(low, backslash)) as u32
        };
        u64::from(mask(&halves[0])) | u64::from(mask(&halves[1])) << 32
    }

    /// As [`super::Look`] has it.
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    pub(crate) fn plain_end(text: &[u8], at: usize) -> usize {
        let (blocks, _) = text.get(at..).unwrap_or_default().as_chunks::<128>();
        at + 128 * blocks.iter().take_while(|block| is_plain(block)).count()
    }

    /// As in `stops`, but the smallest byte is compared instead of every one.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn is_plain(block: &[u8; 128]) -> bool {
        let (quarters, _) = block.as_chunks::<32>();
        let [a, b, c, d] = [load(&quarters[0]), load(&quarters[1]), load(&quarters[2]), load(&quarters[3])];
        let flipped = |bytes| _mm256_xor_si256(bytes, _mm256_set1_epi8(0x02));
        let backslash = |bytes| _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(b'\\' as i8));
        let smallest =
            _mm256_min_epi8(_mm256_min_epi8(flipped(a), flipped(b)), _mm256_min_epi8(flipped(c), flipped(d)));
        let backslashes =
            _mm256_or_si256(_mm256_or_si256(backslash(a), backslash(b)), _mm256_or_si256(backslash(c), backslash(d)));
        let any = _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x21), smallest), backslashes);
        _mm256_testz_si256(any, any) == 1
    }
}

/// What has been seen of a text. The text must be the same in all calls.
pub struct Stops<L> {
    look: L,
    /// Where the block that `mask` describes begins.
    base: usize,
    mask: u64,
}

impl<L: Look> Stops<L> {
    #[inline(always)]
    pub fn new(look: L) -> Stops<L> {
        // No place is within 64 bytes after this one.
        Stops { look, base: 0usize.wrapping_sub(64), mask: 0 }
    }

    /// The first stop at or after `from`, if it is within reach of one look; else a place up to which there is none, and which
    /// may be past the text's end.
    #[inline(always)]
    pub fn near(&mut self, text: &[u8], from: usize) -> usize {
        let within = from.wrapping_sub(self.base);
        if within < 64 {
            let rest = self.mask >> within;
            if rest != 0 {
                return from + rest.trailing_zeros() as usize;
            }
        }
        match block_at(text, from) {
            Some(block) => self.mask = self.look.stops(block),
            None => self.mask = self.last(text, from),
        }
        self.base = from;
        from + self.mask.trailing_zeros() as usize
    }

    /// The first stop at or after `from`; the text's length if there is none.
    #[inline(always)]
    pub fn next(&mut self, text: &[u8], from: usize) -> usize {
        let mut at = from;
        let mut is_long = false;
        loop {
            at = self.near(text, at);
            if at != self.base + 64 {
                return at;
            }
            if is_long {
                at = self.look.plain_end(text, at);
            }
            is_long = true;
        }
    }

    /// The mask of the last bytes of a text, fewer than a block.
    #[cold]
    #[inline(never)]
    fn last(&self, text: &[u8], from: usize) -> u64 {
        // A zero is a stop as well: the first after the text is the answer if there is none in it.
        let mut block = [0; 64];
        let rest = text.get(from..).unwrap_or_default();
        block[..rest.len()].copy_from_slice(rest);
        self.look.stops(&block)
    }
}

#[inline(always)]
fn block_at(text: &[u8], at: usize) -> Option<&[u8; 64]> {
    text.get(at..at + 64)?.first_chunk()
}

/// Length of the character that is not ASCII and starts at `at`, in bytes; 0 if it is malformed or cut.
#[inline(always)]
pub fn character_bytes(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let word = match rest.first_chunk() {
        Some(word) => u32::from_le_bytes(*word),
        // No zero continues a character.
        None => rest.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte)),
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

#[cfg(test)]
mod tests;
