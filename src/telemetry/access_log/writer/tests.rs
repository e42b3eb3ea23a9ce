use super::*;
use crate::telemetry::{
    access_log::{AccessLog, RequestId, ring},
    fixtures::{self, record},
};
use std::{collections::VecDeque, fs, sync::Mutex};

fn node() -> Arc<Node> {
    let mut snapshot = fixtures::empty(1);
    fixtures::add_group(&mut snapshot, "first");
    Arc::new(Node::new(Arc::new(snapshot), 1))
}

/// The request ids and models of all lines of a file, in their order.
fn read(path: &Path) -> Vec<(u128, Option<String>)> {
    let text = fs::read_to_string(path).expect("the log file");
    text.lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let id = line["request_id"].as_str().and_then(|id| id.strip_prefix("req_")).expect("an id");
            (u128::from_str_radix(id, 16).expect("hexadecimal"), line["model"].as_str().map(str::to_owned))
        })
        .collect()
}

#[test]
fn stop_writes_what_waits_in_every_ring() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("access.log");
    let node = node();
    let writer = LogWriter::start(Arc::clone(&node), Destination::File(path.clone())).expect("writer");
    let (mut one, reader_one) = ring(64);
    let (mut other, reader_other) = ring(64);
    writer.commands().attach(reader_one);
    writer.commands().attach(reader_other);
    for number in 0..50 {
        assert!(!one.push(&record(number, 1)));
        assert!(!other.push(&record(1_000 + number, 1)));
    }
    assert!(writer.stop(Duration::from_secs(60)));
    let lines = read(&path);
    assert_eq!(lines.len(), 100);
    let of_one: Vec<u128> = lines.iter().map(|(id, _)| *id).filter(|id| *id < 1_000).collect();
    assert_eq!(of_one, (0..50).collect::<Vec<_>>(), "one shard's records keep their order");
    assert_eq!(node.process.read(ProcessCell::AccessLogLines), 100);
}

#[test]
fn full_ring_drops_and_says_so() {
    let (mut log, mut reader) = ring(2);
    assert!(!log.push(&record(1, 1)));
    assert!(!log.push(&record(2, 1)));
    assert!(log.push(&record(3, 1)));
    assert_eq!(reader.pop().map(|record| record.request_id), Some(RequestId(1)));
    assert!(!log.push(&record(4, 1)));
}

#[test]
fn records_are_taken_in_their_order_around_the_end_of_the_ring() {
    let (mut log, mut reader) = ring(4);
    let mut taken = Vec::new();
    for number in 0..3 {
        assert!(!log.push(&record(number, 1)));
    }
    reader.take(2, |record| taken.push(record.request_id.0));
    assert_eq!((&taken[..], reader.waiting()), (&[0, 1][..], 1));
    for number in 3..6 {
        assert!(!log.push(&record(number, 1)), "what was taken has made room");
    }
    assert!(log.push(&record(6, 1)));
    reader.take(100, |record| taken.push(record.request_id.0));
    reader.take(1, |record| taken.push(record.request_id.0));
    assert_eq!(taken, [0, 1, 2, 3, 4, 5]);
    assert_eq!(reader.waiting(), 0);
}

#[test]
fn log_that_is_off_takes_everything() {
    let mut log = AccessLog::off();
    assert!(!log.push(&record(1, 1)));
}

#[test]
fn ring_of_an_ended_shard_is_emptied_then_forgotten() {
    let mut writer = Writer::open(node(), Destination::Nothing).expect("writer");
    let (mut log, reader) = ring(8);
    writer.readers.push(reader);
    assert!(!log.push(&record(1, 1)));
    drop(log);
    assert!(!writer.readers[0].is_finished());
    assert_eq!(writer.drain(), 1);
    assert!(writer.readers.is_empty());
}

#[test]
fn models_are_named_as_when_the_exchange_ran() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("access.log");
    let mut writer = Writer::open(node(), Destination::File(path.clone())).expect("writer");
    let (mut log, reader) = ring(8);
    writer.readers.push(reader);
    writer.drain();
    // The second is replaced before the writer looks again.
    for (generation, name) in [(2, "second"), (3, "third")] {
        let mut snapshot = fixtures::empty(generation);
        fixtures::add_group(&mut snapshot, name);
        writer.snapshots.force_push(Arc::new(snapshot));
    }
    for generation in 1..=3 {
        assert!(!log.push(&record(generation.into(), generation)));
    }
    writer.drain();
    let named = ["first", "second", "third"].map(|name| Some(name.into()));
    assert_eq!(read(&path), (1..).zip(named).collect::<Vec<_>>());
}

#[test]
fn reopen_follows_a_rotated_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, rotated) = (directory.path().join("access.log"), directory.path().join("access.log.1"));
    let mut writer = Writer::open(node(), Destination::File(path.clone())).expect("writer");
    let (mut log, reader) = ring(8);
    writer.readers.push(reader);
    assert!(!log.push(&record(1, 1)));
    writer.drain();
    fs::rename(&path, &rotated).expect("rename");
    assert!(!log.push(&record(2, 1)));
    writer.drain();
    writer.reopen();
    assert!(!log.push(&record(3, 1)));
    writer.drain();
    assert_eq!(read(&rotated).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(read(&path).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [3]);
}

#[test]
fn reopen_that_fails_keeps_the_open_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, rotated) = (directory.path().join("access.log"), directory.path().join("access.log.1"));
    let mut writer = Writer::open(node(), Destination::File(path.clone())).expect("writer");
    let (mut log, reader) = ring(8);
    writer.readers.push(reader);
    fs::rename(&path, &rotated).expect("rename");
    fs::create_dir(&path).expect("something in the way");
    writer.reopen();
    assert!(!log.push(&record(1, 1)));
    writer.drain();
    assert_eq!(read(&rotated).len(), 1);
}

/// A destination that accepts as many bytes per call as its script says; 0 stands for a full disk, an empty script for no
/// limit.
struct Scripted {
    accepts: VecDeque<usize>,
    received: Arc<Mutex<Vec<u8>>>,
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match self.accepts.pop_front() {
            Some(0) => return Err(io::ErrorKind::StorageFull.into()),
            Some(count) => count.min(bytes.len()),
            None => bytes.len(),
        };
        self.received.lock().expect("not poisoned").extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_lost_to_a_full_disk_are_counted_and_never_merge() {
    let received = Arc::new(Mutex::new(Vec::new()));
    let accepts = VecDeque::from([4, 0, 0, 3]);
    let mut output = Output::new(Box::new(Scripted { accepts, received: Arc::clone(&received) }));
    assert_eq!(output.write(b"aa\nbb\ncc\n", 3), Fate { written: 1, lost: 2 });
    assert_eq!(output.write(b"dd\n", 1), Fate { written: 0, lost: 1 }, "still full");
    assert_eq!(output.write(b"ee\nff\n", 2), Fate { written: 2, lost: 0 });
    let received = String::from_utf8(received.lock().expect("not poisoned").clone()).expect("UTF-8");
    assert_eq!(received, "aa\nb\nee\nff\n", "the cut line ends before the next begins");
}

#[test]
fn looks_as_often_as_there_is_a_batch_to_find() {
    let at_rate = |records_per_s: u64| {
        let mut sleep = SLEEP_MIN;
        for _ in 0..32 {
            sleep = next_sleep(sleep, (records_per_s * sleep.as_micros() as u64 / 1_000_000) as usize);
        }
        sleep
    };
    assert_eq!(at_rate(0), SLEEP_MAX);
    assert_eq!(at_rate(1_000), SLEEP_MAX);
    assert_eq!(at_rate(1_000_000), SLEEP_MIN);
    let found = 25_600 * at_rate(25_600).as_millis() / 1000;
    assert!((250..=262).contains(&found), "{found}");
    assert_eq!(next_sleep(SLEEP_MAX, usize::MAX), SLEEP_MIN, "a burst is followed at once");
    assert_eq!(next_sleep(SLEEP_MIN, 0), 2 * SLEEP_MIN);
}
