use super::*;
use proptest::prelude::*;

fn is_stop(byte: u8) -> bool {
    !(0x20..0x80).contains(&byte) || matches!(byte, b'"' | b'\\')
}

/// What a mask has to say of a byte; `None` where a look may say either.
fn expected(of: Ask, byte: u8) -> Option<bool> {
    match of {
        Ask::Stops => Some(is_stop(byte)),
        Ask::Backslashes => Some(byte == b'\\'),
        Ask::Foreign => Some(byte >= 0x80),
        Ask::UsualEscapes if matches!(byte, b'"' | b'n') => Some(true),
        Ask::UsualEscapes => (!b"\\/bfrt".contains(&byte)).then_some(false),
        Ask::Quotes => Some(byte == b'"'),
        Ask::Opens => Some(matches!(byte, b'[' | b'{')),
        Ask::Closes => Some(matches!(byte, b']' | b'}')),
    }
}

/// Every way of looking, and byte by byte.
fn check(block: &[u8; 128]) {
    let half: &[u8; 64] = block.first_chunk().unwrap();
    let plain = if block.iter().any(|&byte| is_stop(byte)) { 0 } else { 128 };
    assert_eq!(Portable.plain_end(block, 0), plain);
    use Ask::*;
    for of in [Stops, Backslashes, Foreign, UsualEscapes, Quotes, Opens, Closes] {
        let bits = |said: bool| {
            let bit = |(at, &byte): (usize, &u8)| u64::from(expected(of, byte).unwrap_or(said)) << at;
            half.iter().enumerate().map(bit).sum::<u64>()
        };
        let (certain, possible) = (bits(false), bits(true));
        let is_right = |mask: u64| mask & certain == certain && mask & !possible == 0;
        assert!(is_right(Portable.mask(half, of)), "{of:?}");
        #[cfg(target_arch = "x86_64")]
        for (mask, plain_here) in crate::sys::look_each_way(half, of, block) {
            assert!(is_right(mask), "{of:?}: {mask:064b}");
            assert_eq!(plain_here, plain);
        }
    }
}

/// What is escaped by a run of backslashes, one byte after the other.
fn escaped_singly(backslashes: u64, carry: &mut u64) -> u64 {
    let mut escaped = 0;
    for at in 0..64 {
        if *carry == 1 {
            escaped |= 1 << at;
            *carry = 0;
        } else {
            *carry = backslashes >> at & 1;
        }
    }
    escaped
}

#[test]
fn each_run_of_backslashes_escapes_what_it_should() {
    for start in 0..64 {
        for length in 0..=64 - start {
            let run = (((1u128 << length) - 1) << start) as u64;
            for others in [0, 1 << 63, 0x5000_0000_0000_0005] {
                for carry in [0, 1] {
                    let (mut here, mut singly) = (carry, carry);
                    let backslashes = run | others;
                    assert_eq!(
                        (escaped(backslashes, &mut here), here),
                        (escaped_singly(backslashes, &mut singly), singly),
                        "{backslashes:064b} after {carry}"
                    );
                }
            }
        }
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

/// Where vectors see a fault, if anywhere, against the standard library: of 64 bytes after three, cut where a character is.
#[cfg(target_arch = "x86_64")]
fn check_faults(window: &[u8; 67]) {
    let before_bytes = match std::str::from_utf8(&window[..3]) {
        Ok(_) => 3,
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => return,
    };
    let fault = match std::str::from_utf8(&window[before_bytes..]) {
        Err(error) if error.error_len().is_some() => Some(before_bytes + error.valid_up_to()),
        _ => None,
    };
    for mask in crate::sys::utf8_faults_each_way(window) {
        let first = 3 + mask.trailing_zeros() as usize;
        match fault {
            None => assert_eq!(mask, 0, "{window:x?}"),
            // It shows at the latest three bytes after the character's start, which may be in the next 64.
            Some(fault) if mask == 0 => assert!(fault + 3 >= window.len(), "{window:x?}: none for {fault}"),
            Some(fault) => assert!((fault..=fault + 3).contains(&first), "{window:x?}: {first} for {fault}"),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn vectors_see_each_fault_of_utf8_at_each_place() {
    const EDGES: [u8; 16] =
        [0, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5];
    for place in [0, 1, 2, 3, 4, 33, 34, 35, 62, 63] {
        for first in 0x80..=0xFF {
            for second in EDGES {
                for third in EDGES {
                    for fourth in [b'a', 0x80, 0xBF, 0xC2] {
                        let mut window = [b'a'; 67];
                        window[place..place + 4].copy_from_slice(&[first, second, third, fourth]);
                        check_faults(&window);
                    }
                }
            }
        }
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
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn vectors_see_the_faults_of_any_utf8(
        text in "(a|é|你|😀|ࠀ|퟿|\u{e000}|𐀀|\u{10ffff}){67}", from in 0usize..4, at in 0usize..67, byte in any::<u8>(),
    ) {
        let mut window: [u8; 67] = *text.as_bytes()[from.min(text.len() - 67)..].first_chunk().unwrap();
        check_faults(&window);
        window[at] = byte;
        check_faults(&window);
    }

    #[test]
    fn any_backslashes_escape_what_they_should(backslashes in any::<u64>(), also in any::<u64>(), carry in 0u64..2) {
        for backslashes in [backslashes, backslashes | also, backslashes & also] {
            let (mut here, mut singly) = (carry, carry);
            prop_assert_eq!(escaped(backslashes, &mut here), escaped_singly(backslashes, &mut singly));
            prop_assert_eq!(here, singly);
        }
    }
}
