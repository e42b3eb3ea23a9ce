//! The head of a connection's last request, so that the same head need not be read again.
//!
//! SDKs send one head with all requests over a connection, but for the length of the body. Where all bytes are the same, and the length
//! has as many digits, reading them again would find the same: what a reader says is a function of the bytes alone. So they are
//! compared, which costs a tenth of reading them, and what was found the last time stays where it is.
//!
//! A head has secrets, and a proxy may carry many clients over one connection: heads are compared in a time that depends on their length
//! alone. The copy lives as long as one request follows the other, and holds no more than `BYTES_MAX`.

use super::parse::{Frame, read_head};
use crate::{
    data_plane::{downstream::head::RequestHead, upstream::answer_head::digits},
    error::Failure,
    policy::keys::remembered::are_equal,
};

/// Longest head that is remembered, in bytes. Those of SDKs have 300 to 900.
const BYTES_MAX: usize = 2 * 1024;

/// Reads the heads of one connection.
#[derive(Debug, Default)]
pub struct LastHead {
    /// Empty while there is none.
    bytes: Vec<u8>,
    frame: Frame,
}

impl LastHead {
    /// As [`read_head`]. `head` is the same place each time, and nobody else changes it.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn read(&mut self, bytes: &[u8], head: &mut RequestHead) -> Result<Option<Frame>, Failure> {
        if self.is_again(bytes, head) {
            return Ok(Some(self.frame));
        }
        // Whatever comes of it, `head` is not what it was.
        self.bytes.clear();
        let found = read_head(bytes, head)?;
        if let Some(frame) = found.filter(|frame| frame.bytes <= BYTES_MAX) {
            self.bytes.extend_from_slice(&bytes[..frame.bytes]);
            self.frame = frame;
        }
        Ok(found)
    }

    /// True if `bytes` begin with the last head. `head`, which is what was found in that, has this one's length then.
    #[inline]
    fn is_again(&mut self, bytes: &[u8], head: &mut RequestHead) -> bool {
        let Some(there) = bytes.get(..self.bytes.len()).filter(|there| !there.is_empty()) else { return false };
        if let Some(length_at) = self.frame.length_at {
            let length = length_at.of(there);
            let Some(count) = digits(length) else { return false };
            // So that the rest can be compared in one go. A head that is another is forgotten.
            self.bytes[length_at.range()].copy_from_slice(length);
            head.content_length = Some(count);
        }
        are_equal(&self.bytes, there)
    }
}

#[cfg(test)]
mod tests;
