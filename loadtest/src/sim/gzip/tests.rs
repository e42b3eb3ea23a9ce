use super::*;

#[test]
fn the_checksum_is_the_usual_one() {
    let mut crc = Crc::default();
    crc.add(b"123456789");
    // The check value that catalogues of CRCs give for CRC-32/ISO-HDLC.
    assert_eq!(!crc.0, 0xcbf4_3926);
}

#[test]
fn a_file_is_header_blocks_and_trailer() {
    let mut stream = Stored::default();
    let file = [stream.block(b"ab"), stream.block(b"c"), stream.finish()].concat();
    let expected: Vec<u8> = [
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255][..],
        &[0, 2, 0, 0xfd, 0xff, b'a', b'b'],
        &[0, 1, 0, 0xfe, 0xff, b'c'],
        &[1, 0, 0, 0xff, 0xff],
        &0x3524_41c2_u32.to_le_bytes(),
        &3_u32.to_le_bytes(),
    ]
    .concat();
    assert_eq!(file, expected);
}
