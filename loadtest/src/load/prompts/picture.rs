//! A picture for a body: a PNG that any decoder shows, as base64.
//!
//! Grey noise in stored blocks (RFC 2083, RFC 1950, RFC 1951 3.2.4): real pictures do not compress either.

use crate::sim::latency::Random;

const WIDTH: usize = 128;

/// Base64 of a PNG, of about so many characters.
pub(super) fn png_base64(random: &mut Random, base64_bytes: usize) -> String {
    // Signature, three chunks and the stream's own frame; then a byte per row.
    let noise = (base64_bytes / 4 * 3).saturating_sub(75);
    base64(&png(random, (noise / (WIDTH + 1)).max(1)))
}

fn png(random: &mut Random, rows: usize) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(rows * (WIDTH + 1));
    for _ in 0..rows {
        // The row's filter: none.
        pixels.extend_from_slice(&[0]);
        for _ in 0..WIDTH / 8 {
            pixels.extend_from_slice(&random.bits().to_le_bytes());
        }
    }
    let mut header = Vec::new();
    header.extend_from_slice(&(WIDTH as u32).to_be_bytes());
    header.extend_from_slice(&(rows as u32).to_be_bytes());
    // Eight bits of grey, and the only compression, filter and order there is.
    header.extend_from_slice(&[8, 0, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut out, *b"IHDR", &header);
    chunk(&mut out, *b"IDAT", &zlib(&pixels));
    chunk(&mut out, *b"IEND", &[]);
    out
}

fn chunk(out: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    out.extend_from_slice(&(data.len() as u32).to_be_bytes());
    let begin = out.len();
    out.extend_from_slice(&kind);
    out.extend_from_slice(data);
    let sum = crc(&out[begin..]);
    out.extend_from_slice(&sum.to_be_bytes());
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut pieces = data.chunks(usize::from(u16::MAX)).peekable();
    while let Some(piece) = pieces.next() {
        let length = piece.len() as u16;
        out.push(u8::from(pieces.peek().is_none()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(piece);
    }
    let (mut low, mut high) = (1_u32, 0_u32);
    for &byte in data {
        low = (low + u32::from(byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    out.extend_from_slice(&((high << 16) | low).to_be_bytes());
    out
}

fn crc(data: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
    !data.iter().fold(!0, |sum, &byte| (0..8).fold(sum ^ u32::from(byte), |sum, _| step(sum)))
}

fn base64(data: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(data.len().div_ceil(3) * 4);
    for piece in data.chunks(3) {
        let mut three = [0; 3];
        three[..piece.len()].copy_from_slice(piece);
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for index in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * index)) as usize & 63];
            out.push(if index as usize <= piece.len() { char::from(letter) } else { '=' });
        }
    }
    out
}
