use super::*;

#[test]
fn buckets_are_contiguous_and_hold_their_lowest_value() {
    for index in 0..BUCKETS - 1 {
        assert_eq!(bucket_of(lowest_of(index)), index);
        assert_eq!(bucket_of(lowest_of(index + 1) - 1), index);
    }
}

#[test]
fn largest_value_lands_in_the_last_bucket() {
    assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
}

#[test]
fn gauge_returns_to_zero() {
    let cells = ShardCells::default();
    cells.add(Cell::InFlight, 2);
    cells.sub(Cell::InFlight, 1);
    assert_eq!(cells.read(Cell::InFlight), 1);
    cells.sub(Cell::InFlight, 1);
    assert_eq!(cells.read(Cell::InFlight), 0);
}
