use super::*;
use crate::telemetry::fixtures;
use std::time::Duration;

fn health(shards: usize) -> (Arc<Node>, Health, Instant) {
    let node = Arc::new(Node::new(Arc::new(fixtures::empty(1)), shards));
    let now = Instant::now();
    (Arc::clone(&node), Health::new(node, now), now)
}

const STALE: Duration = Duration::from_millis(HEARTBEAT_STALE_MS + 1);

#[test]
fn shard_that_turns_is_live_whatever_its_clock_says() {
    let (node, health, mut now) = health(1);
    for heartbeat_ms in [5_000_000, 5_000_001, 3] {
        now += STALE;
        node.shards[0].heartbeat_ms.store(heartbeat_ms, Relaxed);
        health.observe(now);
        assert_eq!(health.ailments(now), Vec::<String>::new());
    }
}

#[test]
fn shard_that_stands_still_is_named() {
    let (node, health, start) = health(2);
    node.shards[1].heartbeat_ms.store(1, Relaxed);
    let later = start + STALE;
    health.observe(later);
    assert_eq!(health.ailments(later), ["shard 0: no heartbeat for 2001 ms"]);
    assert_eq!(health.heartbeat_ages_ms(later), [2001, 0]);
}

#[test]
fn new_shard_has_time_for_its_first_heartbeat() {
    let (_, health, start) = health(1);
    assert_eq!(health.ailments(start + Duration::from_millis(HEARTBEAT_STALE_MS)), Vec::<String>::new());
    health.restarted(0, start + STALE);
    assert_eq!(health.ailments(start + STALE + Duration::from_millis(HEARTBEAT_STALE_MS)), Vec::<String>::new());
}

#[test]
fn ended_shard_is_ill_unless_it_was_asked_to_end() {
    let (node, health, start) = health(1);
    node.shards[0].ended.store(true, Relaxed);
    assert_eq!(health.ailments(start), ["shard 0 has ended"]);
    node.advance(Phase::Draining);
    assert_eq!(health.ailments(start + STALE), Vec::<String>::new());
}

#[test]
fn ready_only_while_serving_with_settled_pools() {
    let (node, health, _) = health(2);
    let settle = |shard: usize, settled| node.shards[shard].pools_settled.store(settled, Relaxed);
    settle(0, true);
    assert_eq!(health.unready().as_deref(), Some("starting"));
    node.advance(Phase::Serving);
    assert_eq!(health.unready().as_deref(), Some("shard 1 is opening its upstream connections"));
    settle(1, true);
    assert_eq!(health.unready(), None);
    node.advance(Phase::Draining);
    assert_eq!(health.unready().as_deref(), Some("draining"));
}
