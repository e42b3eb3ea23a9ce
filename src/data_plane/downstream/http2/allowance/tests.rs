use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags, 0, 0, 0, 1]);
    bytes.extend_from_slice(payload);
    bytes
}

#[test]
fn frames_are_found_however_the_bytes_are_cut() {
    let bytes = [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, &[]),
        frame(HEADERS, 5, &[0; 300]),
        frame(DATA, END_STREAM, &[7]),
        frame(0x42, 9, &[1; 70_000]),
        frame(6, 0, &[0; 8]),
    ]
    .concat();
    let heads = [(0, SETTINGS, 0), (300, HEADERS, 5), (1, DATA, END_STREAM), (70_000, 0x42, 9), (8, 6, 0)];
    let expected = heads.map(|(length, kind, flags)| FrameHead { length, kind, flags });
    for piece_bytes in [1, 2, 3, 8, 9, 10, 24, 33, 1_000, 100_000] {
        let (mut frames, mut found) = (Frames::default(), Vec::new());
        bytes.chunks(piece_bytes).for_each(|piece| frames.feed(piece, |head| found.push(head)));
        assert_eq!(found, expected, "in pieces of {piece_bytes}");
    }
}

#[test]
fn costs() {
    let check = |kind, flags, length, expected| {
        assert_eq!(cost(FrameHead { length, kind, flags }), expected, "kind {kind}, flags {flags}, {length} bytes");
    };
    check(DATA, 0, 16, 0);
    check(DATA, 0, 15, 1);
    check(DATA, 0, 0, 1);
    check(DATA, END_STREAM, 0, 0);
    check(HEADERS, 5, 100, 1);
    check(HEADERS, 4, 16_384, 65);
    check(CONTINUATION, 0, 1_024, 5);
    check(2, 0, 5, 1);
    check(RST_STREAM, 0, 4, 3);
    check(SETTINGS, 0, 0, 1);
    check(SETTINGS, 0, 6 * 1_000, 24);
    check(6, 0, 8, 1);
    check(8, 0, 4, 1);
    check(0x10, 0, 20, 1);
}

/// Counts `rounds` of `cycle`; returns whether the allowance lasted.
fn lasts(rounds: u64, cycle: impl Fn(&Allowance)) -> bool {
    let allowance = Allowance::new(0);
    (0..rounds).for_each(|_| cycle(&allowance));
    !allowance.is_spent()
}

fn receive(allowance: &Allowance, kind: u8, length: usize) {
    allowance.frame(FrameHead { length, kind, flags: 0 });
}

#[test]
fn client_that_asks_and_reads_never_runs_out() {
    assert!(lasts(100_000, |allowance| {
        receive(allowance, 2, 5);
        receive(allowance, HEADERS, 2_000);
        receive(allowance, 0x10, 20);
        allowance.request(3_000);
        receive(allowance, DATA, 500);
        // A window for stream and connection with each frame of 16 KiB.
        for _ in 0..8 {
            allowance.answered(16 * 1024);
            receive(allowance, 8, 4);
            receive(allowance, 8, 4);
        }
        allowance.completed();
    }));
}

#[test]
fn client_that_leaves_within_its_answers_never_runs_out() {
    assert!(lasts(100_000, |allowance| {
        receive(allowance, HEADERS, 200);
        allowance.request(400);
        allowance.answered(200);
        allowance.answered(100);
        receive(allowance, RST_STREAM, 4);
    }));
}

#[test]
fn client_that_asks_and_leaves_runs_out() {
    let cycle = |allowance: &Allowance| {
        receive(allowance, HEADERS, 200);
        allowance.request(400);
        receive(allowance, RST_STREAM, 4);
    };
    assert!(lasts(EVENTS_MAX / EVENTS_PER_RESET, cycle));
    assert!(!lasts(EVENTS_MAX / EVENTS_PER_RESET + 1, cycle));
}

#[test]
fn header_blocks_that_become_no_request_run_out() {
    let cycle = |allowance: &Allowance| {
        receive(allowance, HEADERS, 16 * 1024);
        receive(allowance, CONTINUATION, 16 * 1024);
        receive(allowance, CONTINUATION, 8 * 1024);
    };
    assert!(lasts(6, cycle));
    assert!(!lasts(7, cycle));
}

#[test]
fn time_gives_back_at_its_rate_and_not_more_than_all() {
    let allowance = Allowance::new(1_000);
    (0..EVENTS_MAX + 11).for_each(|_| receive(&allowance, 6, 8));
    assert!(allowance.is_spent());
    // 50 ms are ten events; looking more often than a tick makes no difference.
    (1_001..1_050).for_each(|now_ms| allowance.refill(now_ms));
    assert!(allowance.is_spent());
    allowance.refill(1_055);
    assert!(!allowance.is_spent());
    allowance.refill(1_000_000);
    (0..EVENTS_MAX).for_each(|_| receive(&allowance, 6, 8));
    assert!(!allowance.is_spent());
    receive(&allowance, 6, 8);
    assert!(allowance.is_spent());
}
