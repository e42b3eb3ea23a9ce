use super::*;
use proptest::prelude::*;

fn is_stop(byte: u8) -> bool {
    !(0x20..0x80).contains(&byte) || matches!(byte, b'"' | b'\\')
}

/// Both ways of looking, and byte by byte.
fn check(block: &[u8; 128]) {
    let half: &[u8; 64] = block.first_chunk().unwrap();
    let mask = half.iter().rev().fold(0, |mask, &byte| mask << 1 | u64::from(is_stop(byte)));
    let plain = if block.iter().any(|&byte| is_stop(byte)) { 0 } else { 128 };
    assert_eq!((Portable.stops(half), Portable.plain_end(block, 0)), (mask, plain));
    #[cfg(target_arch = "x86_64")]
    if let Some(wide) = crate::sys::look_avx2(half, block) {
        assert_eq!(wide, (mask, plain));
    }
}

#[test]
fn every_byte_is_judged_at_every_place() {
    for byte in 0..=255 {
        for other in [b'a', 0x7F, b' ', b'#'] {
            for at in 0..128 {
                let mut block = [other; 128];
                block[at] = byte;
                check(&block);
            }
        }
        check(&[byte; 128]);
    }
}

#[test]
fn characters_are_those_of_the_standard_library() {
    for first in 0x80..=0xFFu8 {
        for second in [0, 0x22, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF] {
            for third in [0, 0x22, 0x7F, 0x80, 0xBF, 0xC0, 0xFF] {
                for fourth in [0, 0x22, 0x7F, 0x80, 0xBF, 0xC0, 0xFF] {
                    let text = [first, second, third, fourth, b'x'];
                    for end in 0..=5 {
                        let expected = (2..=4)
                            .find(|bytes| {
                                text[..end].get(..*bytes).is_some_and(|text| std::str::from_utf8(text).is_ok())
                            })
                            .filter(|bytes| std::str::from_utf8(&text[..*bytes]).unwrap().chars().count() == 1);
                        assert_eq!(character_bytes(&text[..end], 0), expected.unwrap_or(0), "{text:x?} to {end}");
                    }
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn finds_each_stop_in_turn(
        text in prop::collection::vec(prop_oneof![40 => Just(b'a'), 1 => any::<u8>()], 0..700), from in 0usize..70,
    ) {
        let mut stops = Stops::new(Portable);
        let mut at = from.min(text.len());
        while at < text.len() {
            let expected = text[at..].iter().position(|&byte| is_stop(byte)).map_or(text.len(), |after| at + after);
            prop_assert_eq!(stops.next(&text, at), expected);
            at = expected + 1;
        }
    }
}
