//! Gzip without compression: a header, stored blocks, a checksum (RFC 1952, RFC 1951 3.2.4). It inflates in any decoder.

#[derive(Default)]
pub(crate) struct Stored {
    begun: bool,
    crc: Crc,
    bytes: u32,
}

struct Crc(u32);

impl Default for Crc {
    fn default() -> Self {
        Self(!0)
    }
}

impl Stored {
    /// The bytes as one or more blocks, each of which a decoder can emit at once.
    pub fn block(&mut self, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len() + 32);
        if !self.begun {
            self.begun = true;
            out.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
        }
        for piece in data.chunks(usize::from(u16::MAX)) {
            stored(&mut out, 0, piece);
            self.crc.add(piece);
            self.bytes = self.bytes.wrapping_add(piece.len() as u32);
        }
        out
    }

    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = self.block(&[]);
        stored(&mut out, 1, &[]);
        out.extend_from_slice(&(!self.crc.0).to_le_bytes());
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out
    }
}

fn stored(out: &mut Vec<u8>, last: u8, piece: &[u8]) {
    let length = piece.len() as u16;
    out.push(last);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(piece);
}

impl Crc {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 ^= u32::from(byte);
            for _ in 0..8 {
                self.0 = if self.0 & 1 == 1 { (self.0 >> 1) ^ 0xedb8_8320 } else { self.0 >> 1 };
            }
        }
    }
}

#[cfg(test)]
mod tests;
