use super::*;
use crate::telemetry::fixtures;

fn key(index: u32, expires_at_s: Option<u64>) -> ClientKey {
    ClientKey { index, name: "team".into(), expires_at_s }
}

const VALUE: &[u8] = b"Bearer rw-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

const HOST: &[u8] = b"gateway.example:8080";

#[test]
fn value_shown_to_another_host_is_not_recalled() {
    let snapshot = fixtures::empty(1);
    let mut remembered = Remembered::default();
    remembered.note(&snapshot, HOST, VALUE, &key(7, None));
    for other in
        [&b""[..], b"gateway.example", b"gateway.example:8081", b"Gateway.example:8080", b"rebound.example:8080"]
    {
        assert_eq!(remembered.recall(&snapshot, other, VALUE, 0), None);
    }
    assert_eq!(remembered.recall(&snapshot, HOST, VALUE, 0), Some(7));
    remembered.note(&snapshot, &[b'h'; HOST_BYTES_MAX + 1], VALUE, &key(7, None));
    assert_eq!(remembered.recall(&snapshot, &[b'h'; HOST_BYTES_MAX + 1], VALUE, 0), None, "too long");
}

#[test]
fn only_the_same_value_is_recalled() {
    let snapshot = fixtures::empty(1);
    let mut remembered = Remembered::default();
    assert_eq!(remembered.recall(&snapshot, HOST, VALUE, 0), None, "nothing was shown");
    remembered.note(&snapshot, HOST, VALUE, &key(7, None));
    assert_eq!(remembered.recall(&snapshot, HOST, VALUE, u64::MAX - 1), Some(7));
    for place in 0..VALUE.len() {
        for bit in 0..8 {
            let mut other = VALUE.to_vec();
            other[place] ^= 1 << bit;
            assert_eq!(remembered.recall(&snapshot, HOST, &other, 0), None, "{place} {bit}");
        }
        assert_eq!(remembered.recall(&snapshot, HOST, &VALUE[..place], 0), None);
        assert_eq!(remembered.recall(&snapshot, HOST, &VALUE[place + 1..], 0), None);
    }
    assert_eq!(remembered.recall(&snapshot, HOST, &[VALUE, b" "].concat(), 0), None);
    remembered.forget();
    assert_eq!(remembered.recall(&snapshot, HOST, VALUE, 0), None);
}

#[test]
fn values_of_every_length_and_place() {
    let snapshot = fixtures::empty(1);
    for length in 0..300 {
        let value: Vec<u8> = (0..length).map(|place| place as u8).collect();
        let mut remembered = Remembered::default();
        remembered.note(&snapshot, HOST, &value, &key(1, None));
        let expected = AUTHORIZATION_BYTES.contains(&length).then_some(1);
        assert_eq!(remembered.recall(&snapshot, HOST, &value, 0), expected, "{length}");
        for place in 0..length {
            let mut other = value.clone();
            other[place] ^= 0x80;
            assert_eq!(remembered.recall(&snapshot, HOST, &other, 0), None, "{length} {place}");
        }
    }
}

#[test]
fn it_ends_with_its_snapshot_and_with_its_key() {
    let (one, other) = (fixtures::empty(1), fixtures::empty(2));
    let mut remembered = Remembered::default();
    remembered.note(&one, HOST, VALUE, &key(7, Some(100)));
    assert_eq!(remembered.recall(&one, HOST, VALUE, 99), Some(7));
    assert_eq!(remembered.recall(&one, HOST, VALUE, 100), None, "expired");
    assert_eq!(remembered.recall(&other, HOST, VALUE, 99), None, "another snapshot");
    remembered.note(&other, HOST, VALUE, &key(3, None));
    assert_eq!(remembered.recall(&other, HOST, VALUE, 100), Some(3));
}

#[test]
fn connection_without_a_memory_carries_a_word() {
    assert_eq!(size_of::<Remembered>(), size_of::<usize>());
}
