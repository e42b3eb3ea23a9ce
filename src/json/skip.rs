//! Where a string or a container ends in a text that has been scanned, 64 bytes at a time, whatever is in them.
//!
//! What is in strings and what is not is told by the parity of the quotes before it, for all bytes of a block at once; so a container
//! costs what its bytes cost, however many strings and values it has, and however deep they are. Nothing is validated: an opening and
//! a closing bracket count alike whatever their form, and a text that ends too early ends what is in it.
//!
//! Short strings and containers are the caller's to look for: [`super::walk`] asks here for what one look does not tell.

use super::stops::{Ask, Look, block_at, escaped, padded};

/// What of a block is in strings, kept from block to block.
#[derive(Default)]
struct Strings {
    /// 1 if the first byte of the block is escaped.
    carry: u64,
    /// All bits set if the block begins inside a string.
    inside: u64,
}

impl Strings {
    /// The quotes of a block that begin or end a string.
    #[inline(always)]
    fn quotes<L: Look>(&mut self, look: L, block: &[u8; 64]) -> u64 {
        let quotes = look.mask(block, Ask::Quotes);
        let backslashes = look.mask(block, Ask::Backslashes);
        if backslashes | self.carry == 0 { quotes } else { quotes & !escaped(backslashes, &mut self.carry) }
    }

    /// The bytes of a block that are in strings, their opening quotes included, given its quotes.
    #[inline(always)]
    fn inside(&mut self, quotes: u64) -> u64 {
        // Each bit becomes the parity of those at and below it.
        let inside = [1, 2, 4, 8, 16, 32].iter().fold(quotes, |bits, by| bits ^ bits << by) ^ self.inside;
        self.inside = ((inside as i64) >> 63) as u64;
        inside
    }
}

/// Index after the quote that ends the string that `from` is inside of, behind no backslash; the text's length if there is none.
#[inline(always)]
pub fn string_end<L: Look>(look: L, text: &[u8], from: usize) -> usize {
    let mut strings = Strings::default();
    let mut at = from;
    while let Some(block) = block_at(text, at) {
        match strings.quotes(look, block) {
            0 => at += 64,
            quotes => return at + quotes.trailing_zeros() as usize + 1,
        }
    }
    match strings.quotes(look, &padded(text, at)) {
        0 => text.len(),
        quotes => at + quotes.trailing_zeros() as usize + 1,
    }
}

/// Index after the bracket that closes the container that `from` is inside of, between its values or in white space; the text's length
/// if there is none.
#[inline(always)]
pub fn container_end<L: Look>(look: L, text: &[u8], from: usize) -> usize {
    let mut strings = Strings::default();
    let mut depth = 1;
    let mut at = from;
    while let Some(block) = block_at(text, at) {
        if let Some(end) = closing(look, block, &mut strings, &mut depth) {
            return at + end;
        }
        at += 64;
    }
    // Behind the text there are zeros, which close nothing.
    closing(look, &padded(text, at), &mut strings, &mut depth).map_or(text.len(), |end| at + end)
}

/// Index after the bracket in a block that closes what is open. Otherwise `depth` becomes that after the block.
#[inline(always)]
fn closing<L: Look>(look: L, block: &[u8; 64], strings: &mut Strings, depth: &mut u64) -> Option<usize> {
    let quotes = strings.quotes(look, block);
    // A long text.
    if quotes == 0 && strings.inside != 0 {
        return None;
    }
    let outside = !strings.inside(quotes);
    let opens = look.mask(block, Ask::Opens) & outside;
    let mut closes = look.mask(block, Ask::Closes) & outside;
    let (opened, closed) = (u64::from(opens.count_ones()), u64::from(closes.count_ones()));
    if closed < *depth {
        *depth = *depth + opened - closed;
        return None;
    }
    // Less than nothing where what has been opened meanwhile makes up for it.
    let mut still_open = *depth;
    while closes != 0 {
        let first = closes & closes.wrapping_neg();
        closes &= closes - 1;
        still_open = still_open.wrapping_sub(1);
        if still_open.wrapping_add(u64::from((opens & (first - 1)).count_ones())) == 0 {
            return Some(first.trailing_zeros() as usize + 1);
        }
    }
    *depth = *depth + opened - closed;
    None
}

/// As `string_end`, with AVX2.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(crate) fn string_end_avx2(text: &[u8], from: usize) -> usize {
    string_end(super::stops::avx2::look(), text, from)
}

/// As `string_end`, with AVX-512.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,popcnt")]
pub(crate) fn string_end_avx512(text: &[u8], from: usize) -> usize {
    string_end(super::stops::avx512::look(), text, from)
}

/// As `container_end`, with AVX2.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(crate) fn container_end_avx2(text: &[u8], from: usize) -> usize {
    container_end(super::stops::avx2::look(), text, from)
}

/// As `container_end`, with AVX-512.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx2,bmi1,bmi2,popcnt")]
pub(crate) fn container_end_avx512(text: &[u8], from: usize) -> usize {
    container_end(super::stops::avx512::look(), text, from)
}

#[cfg(test)]
mod tests;
