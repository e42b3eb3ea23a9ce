use super::*;
use crate::{
    config::cloud::{CloudAccount, CloudSource, GoogleSource},
    telemetry::fixtures,
};
use std::{
    net::SocketAddr,
    os::unix::net::UnixDatagram,
    sync::{Mutex, mpsc},
};

/// A life with two shards, a manager that listens, and a clock that only moves when told.
struct Subject {
    life: Life,
    node: Arc<Node>,
    now: Instant,
    manager: UnixDatagram,
    restarted: mpsc::Receiver<usize>,
    /// Ends the lookup of new names.
    looked_up: Arc<AtomicBool>,
    /// Holds the manager's socket and the reload's outcome.
    directory: tempfile::TempDir,
}

/// What the loader does when it is asked.
type Load = fn(Option<&Snapshot>, u64) -> Result<Snapshot, String>;

fn subject(load: Load) -> Subject {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("manager");
    manager.set_nonblocking(true).expect("a socket");
    let node = Arc::new(Node::new(Arc::new(fixtures::empty(1)), 2));
    let now = Instant::now();
    let (restarts, restarted) = mpsc::channel();
    let looked_up = Arc::new(AtomicBool::new(false));
    let parts = Parts {
        node: Arc::clone(&node),
        health: Arc::new(Health::new(Arc::clone(&node), now)),
        reload: Box::new(load),
        look_up: {
            let looked_up = Arc::clone(&looked_up);
            Box::new(move |_| Arc::clone(&looked_up))
        },
        restart_shard: Box::new(move |index| restarts.send(index).map_err(io::Error::other)),
        certificates: None,
        log: None,
        notifier: Notifier::to(path.as_os_str()).expect("connected"),
        outcome: ReloadOutcome::at(directory.path().join("reload")),
        watchdog: Some(Duration::from_secs(10)),
        reloaded: vec![Arc::new(Notify::new())],
    };
    Subject { life: Life::new(parts, now), node, now, manager, restarted, looked_up, directory }
}

impl Subject {
    /// Lets time pass, with every shard that has not ended turning, and takes one turn.
    fn after(&mut self, passed_ms: u64) -> Option<Ended> {
        for shard in &self.node.shards {
            shard.heartbeat_ms.fetch_add(1, Release);
        }
        self.after_silence(passed_ms)
    }

    /// The same with shards that stand still.
    fn after_silence(&mut self, passed_ms: u64) -> Option<Ended> {
        self.now += Duration::from_millis(passed_ms);
        self.life.turn(self.now)
    }

    fn serving(mut self) -> Subject {
        self.node.shards.iter().for_each(|shard| shard.pools_settled.store(true, Release));
        assert_eq!(self.after(0), None);
        self.messages();
        self
    }

    fn end(&self, shard: usize) {
        self.node.shards[shard].ended.store(true, Release);
    }

    /// What the manager was told since the last call, one string per message.
    fn messages(&self) -> Vec<String> {
        let mut messages = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(length) = self.manager.recv(&mut buffer) {
            messages.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        messages
    }

    fn outcome(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("reload")).expect("an outcome")
    }

    fn process(&self, cell: ProcessCell) -> u64 {
        self.node.process.read(cell)
    }
}

fn good(_: Option<&Snapshot>, generation: u64) -> Result<Snapshot, String> {
    Ok(fixtures::empty(generation))
}

fn with_a_new_name(_: Option<&Snapshot>, generation: u64) -> Result<Snapshot, String> {
    let mut snapshot = fixtures::empty(generation);
    fixtures::add_endpoint(&mut snapshot, "new.example", 443);
    Ok(snapshot)
}

fn with_a_new_cloud_account(_: Option<&Snapshot>, generation: u64) -> Result<Snapshot, String> {
    let mut snapshot = fixtures::empty(generation);
    let source = CloudSource::Google(GoogleSource::Default);
    snapshot.cloud_accounts.push(Arc::new(CloudAccount::new("providers.vertex", source)));
    Ok(snapshot)
}

fn bad(_: Option<&Snapshot>, _: u64) -> Result<Snapshot, String> {
    Err("ringway.toml:3: unknown key 'portt'\n  did you mean 'port'?".into())
}

#[test]
fn ready_as_soon_as_every_pool_is_settled() {
    let mut subject = subject(good);
    subject.node.shards[0].pools_settled.store(true, Release);
    assert_eq!(subject.after(100), None);
    assert_eq!(subject.node.phase(), Phase::Starting);
    subject.messages();
    subject.node.shards[1].pools_settled.store(true, Release);
    subject.after(100);
    assert_eq!(subject.node.phase(), Phase::Serving);
    assert_eq!(subject.messages(), ["READY=1\nSTATUS=serving: 2 shard(s) on epoll, generation 1\n"]);
}

#[test]
fn ready_after_five_seconds_whatever_the_pools_do() {
    let mut subject = subject(good);
    subject.after(SETTLE_MS_MAX - 1);
    assert_eq!(subject.node.phase(), Phase::Starting);
    subject.after(1);
    assert_eq!(subject.node.phase(), Phase::Serving);
}

#[test]
fn drained_when_every_shard_has_ended() {
    let mut subject = subject(good).serving();
    subject.life.stop(subject.now);
    assert_eq!(subject.node.phase(), Phase::Draining);
    assert_eq!(
        subject.messages(),
        ["STOPPING=1\nEXTEND_TIMEOUT_USEC=67000000\nSTATUS=draining: running exchanges have 60 s\n"]
    );
    subject.end(0);
    assert_eq!(subject.after(100), None);
    subject.end(1);
    assert_eq!(subject.after(100), Some(Ended::Drained));
    assert_eq!(subject.restarted.try_iter().count(), 0, "shards that were asked to end are not started again");
}

#[test]
fn cut_when_the_drain_time_is_over() {
    let mut subject = subject(good).serving();
    subject.life.stop(subject.now);
    assert_eq!(subject.after(59_999), None);
    assert_eq!(subject.node.phase(), Phase::Draining);
    assert_eq!(subject.after(1), None);
    assert_eq!(subject.node.phase(), Phase::Stopping);
    subject.end(0);
    subject.end(1);
    assert_eq!(subject.after(1), Some(Ended::Cut));
}

#[test]
fn cut_by_a_second_request_and_abandoned_after_the_grace() {
    let mut subject = subject(good).serving();
    subject.life.stop(subject.now);
    subject.life.stop(subject.now);
    assert_eq!(subject.node.phase(), Phase::Stopping);
    subject.end(0);
    // A third request does not prolong the grace.
    assert_eq!(subject.after(STOP_GRACE_MS - 1), None);
    subject.life.stop(subject.now);
    assert_eq!(subject.after(1), Some(Ended::Abandoned));
}

#[test]
fn stop_before_ready_never_becomes_ready() {
    let mut subject = subject(good);
    subject.life.stop(subject.now);
    assert_eq!(subject.after(SETTLE_MS_MAX), None);
    assert_eq!(subject.node.phase(), Phase::Draining);
    assert!(!subject.messages().concat().contains("READY=1"));
}

#[test]
fn good_reload_is_published_and_reported() {
    let mut subject = subject(good).serving();
    subject.life.reload(subject.now);
    assert_eq!(subject.node.generation(), 2);
    let [reloading, ready] = &subject.messages()[..] else { panic!("two messages") };
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(ready, "READY=1\nSTATUS=configuration reloaded: generation 2 is in force\n");
    subject.life.reload(subject.now);
    assert_eq!(subject.node.generation(), 3);
    assert_eq!(subject.outcome(), "2\nok\nconfiguration reloaded: generation 3 is in force\n");
    assert_eq!((subject.process(ProcessCell::Reloads), subject.process(ProcessCell::ReloadSucceeded)), (2, 1));
}

#[test]
fn bad_reload_keeps_the_old_one_and_is_reported() {
    let mut subject = subject(bad).serving();
    let before = subject.node.snapshot.load_full();
    subject.life.reload(subject.now);
    assert!(Arc::ptr_eq(&before, &subject.node.snapshot.load_full()));
    assert_eq!((subject.process(ProcessCell::ReloadFailures), subject.process(ProcessCell::ReloadSucceeded)), (1, 0));
    assert!(subject.outcome().starts_with("1\nfailed\nRELOAD FAILED, generation 1 stays in force: ringway.toml:3:"));
    assert_eq!(
        subject.messages()[1],
        "READY=1\nSTATUS=RELOAD FAILED, generation 1 stays in force: ringway.toml:3: unknown key 'portt' |   did you \
         mean 'port'?\n"
    );
}

#[test]
fn loader_that_panics_or_miscounts_costs_the_reload_only() {
    for load in [(|_, _| panic!("a bug in the loader")) as Load, |_, generation| Ok(fixtures::empty(generation - 1))] {
        let mut subject = subject(load).serving();
        subject.life.reload(subject.now);
        assert_eq!(subject.node.generation(), 1);
        assert_eq!(subject.process(ProcessCell::ReloadFailures), 1);
        assert!(subject.messages()[1].contains("which is a bug"));
    }
}

#[test]
fn reload_takes_no_working_upstream_away() {
    static SEEN: Mutex<Option<u64>> = Mutex::new(None);
    let load: Load = |before, generation| {
        *SEEN.lock().expect("not poisoned") = before.map(|before| before.generation);
        let mut next = fixtures::empty(generation);
        fixtures::add_endpoint(&mut next, "a.example", 443);
        Ok(next)
    };
    let mut subject = subject(load).serving();
    subject.life.reload(subject.now);
    assert_eq!(*SEEN.lock().expect("not poisoned"), Some(1));
    subject.looked_up.store(true, Release);
    subject.after(100);
    let address = SocketAddr::from(([192, 0, 2, 1], 443));
    subject.node.snapshot.load().endpoints[0].addresses.store(Arc::new(vec![address]));
    subject.life.reload(subject.now);
    assert_eq!(subject.node.generation(), 3);
    assert_eq!(**subject.node.snapshot.load().endpoints[0].addresses.load(), [address]);
}

#[test]
fn reload_while_draining_is_refused() {
    let mut subject = subject(good).serving();
    subject.life.stop(subject.now);
    subject.messages();
    subject.life.reload(subject.now);
    assert_eq!(subject.node.generation(), 1);
    assert_eq!(subject.messages(), Vec::<String>::new());
    assert_eq!(subject.outcome(), "1\nfailed\nthe process is draining\n");
}

#[test]
fn dead_shard_is_started_again_with_a_clean_slate() {
    use crate::telemetry::cells::Cell;
    let mut subject = subject(good).serving();
    let shard = Arc::clone(&subject.node.shards[1]);
    shard.cells.add(Cell::Connections, 5);
    shard.cells.add(Cell::Requests, 5);
    shard.cells.deployment(0).attempt_began();
    drop(crate::node::EndOnDrop(Arc::clone(&shard)));
    assert_eq!(subject.after(100), None);
    assert_eq!(subject.restarted.try_iter().collect::<Vec<_>>(), [1]);
    assert!(!shard.ended.load(Acquire) && !shard.pools_settled.load(Acquire));
    assert_eq!((shard.cells.read(Cell::Connections), shard.cells.deployment(0).in_flight()), (0, 0));
    assert_eq!((shard.cells.read(Cell::Requests), shard.cells.deployment(0).attempts()), (5, 1), "counters never fall");
    assert_eq!(subject.process(ProcessCell::ShardRestarts), 1);
}

#[test]
fn shard_that_keeps_dying_is_started_ever_more_rarely() {
    let mut subject = subject(good).serving();
    let mut waits_s = Vec::new();
    let mut waited_s = 0;
    while waits_s.len() < 8 {
        subject.end(0);
        subject.after(if waits_s.is_empty() { 0 } else { 1_000 });
        waited_s += 1;
        if subject.restarted.try_iter().count() > 0 {
            waits_s.push(waited_s - 1);
            waited_s = 0;
        }
    }
    assert_eq!(waits_s, [0, 0, 1, 3, 7, 15, 29, 29], "starts are 1, 2, 4, 8, 16, 30, 30 s apart");
    subject.after(RESTART_FORGIVEN.as_millis() as u64);
    subject.end(0);
    subject.after(0);
    subject.end(0);
    subject.after(1_000);
    assert_eq!(subject.restarted.try_iter().count(), 2, "a shard that lived for a minute starts afresh");
}

#[test]
fn watchdog_is_fed_twice_per_interval_while_every_shard_turns() {
    let mut subject = subject(good).serving();
    let fed = |subject: &Subject| subject.messages().iter().filter(|message| *message == "WATCHDOG=1\n").count();
    let meals: usize = (0..200)
        .map(|_| {
            subject.after(100);
            fed(&subject)
        })
        .sum();
    assert_eq!(meals, 4, "20 s with an interval of 10 s");
    subject.after_silence(5_000);
    subject.after_silence(5_000);
    assert_eq!(fed(&subject), 0);
    subject.after(100);
    assert_eq!(fed(&subject), 1);
}

#[test]
fn exit_codes_tell_the_ends_apart() {
    assert_eq!([Ended::Drained, Ended::Abandoned, Ended::Cut].map(Ended::exit_code), [0, 1, 3]);
}

#[test]
fn a_reload_waits_for_the_addresses_of_new_names() {
    let mut subject = subject(with_a_new_name).serving();
    subject.life.reload(subject.now);
    subject.after(100);
    assert_eq!(subject.node.generation(), 1);
    assert_eq!(subject.messages().len(), 1, "reloading, and nothing yet of its end");
    subject.looked_up.store(true, Release);
    subject.after(100);
    assert_eq!(subject.node.generation(), 2);
    assert!(subject.messages()[0].starts_with("READY=1\n"));
    assert!(subject.outcome().contains("generation 2 is in force"));
}

#[test]
fn a_reload_waits_for_the_first_credentials_of_new_accounts() {
    let mut subject = subject(with_a_new_cloud_account).serving();
    subject.life.reload(subject.now);
    subject.after(100);
    assert_eq!(subject.node.generation(), 1);
    subject.looked_up.store(true, Release);
    subject.after(100);
    assert_eq!(subject.node.generation(), 2);
}

#[test]
fn ready_when_every_account_was_asked_for_its_credential() {
    let mut subject = subject(good);
    subject.node.publish(Arc::new(with_a_new_cloud_account(None, 2).expect("a snapshot")));
    subject.node.shards.iter().for_each(|shard| shard.pools_settled.store(true, Release));
    subject.after(100);
    assert_eq!(subject.node.phase(), Phase::Starting);
    // Asked, and refused: readiness is not about whether a provider works.
    subject.node.snapshot.load().cloud_accounts[0].asked();
    subject.after(100);
    assert_eq!(subject.node.phase(), Phase::Serving);
}

#[test]
fn a_reload_does_not_wait_for_ever() {
    let mut subject = subject(with_a_new_name).serving();
    subject.life.reload(subject.now);
    subject.after(1_999);
    assert_eq!(subject.node.generation(), 1);
    subject.after(1);
    assert_eq!(subject.node.generation(), 2);
}

#[test]
fn a_second_reload_takes_the_place_of_one_that_waits() {
    fn first_new_then_good(_: Option<&Snapshot>, generation: u64) -> Result<Snapshot, String> {
        static CALLS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        if CALLS.fetch_add(1, Release) == 0 { with_a_new_name(None, generation) } else { good(None, generation) }
    }
    let mut subject = subject(first_new_then_good).serving();
    subject.life.reload(subject.now);
    subject.life.reload(subject.now);
    assert_eq!(subject.node.generation(), 2);
    assert!(subject.node.snapshot.load().endpoints.is_empty());
    subject.looked_up.store(true, Release);
    subject.after(5_000);
    assert_eq!(subject.node.generation(), 2);
}

#[test]
fn a_reload_that_waits_ends_with_the_process() {
    let mut subject = subject(with_a_new_name).serving();
    subject.life.reload(subject.now);
    subject.life.stop(subject.now);
    subject.looked_up.store(true, Release);
    subject.after(5_000);
    assert_eq!(subject.node.generation(), 1);
    assert!(subject.outcome().contains("the process is draining"));
}
