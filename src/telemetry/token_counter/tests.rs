use super::*;
use crate::{
    node::Node,
    telemetry::{
        access_log::writer::{Destination, LogWriter},
        fixtures::{self, record},
    },
};
use futures_util::task::noop_waker_ref;
use std::fs;

const TOKENIZER: Tokenizer = Tokenizer::O200kBase;
const PROMPT: &[u8] = br#"{"messages":[{"role":"user","content":"Hello, world!"}]}"#;
const WAIT: Duration = Duration::from_secs(60);

/// A snapshot with a group that wants tokens counted.
fn snapshot(tokenizer: Option<Tokenizer>) -> Snapshot {
    let mut snapshot = fixtures::empty(1);
    fixtures::add_group(&mut snapshot, "first");
    for group in snapshot.groups.values_mut() {
        Arc::get_mut(group).expect("nobody else has it").tokenizer = tokenizer;
    }
    snapshot
}

fn prepared() -> Arc<TokenCounter> {
    let counter = Arc::<TokenCounter>::default();
    counter.prepare(&snapshot(Some(TOKENIZER)), None);
    while !counter.is_prepared() {
        thread::yield_now();
    }
    counter
}

fn job(told: &Arc<Told>) -> Job {
    Job { tokenizer: TOKENIZER, prompt: Some(PROMPT.to_vec()), said: None, then: Then::Tell(Arc::clone(told)) }
}

#[test]
fn there_is_no_thread_and_no_table_unless_a_model_wants_them() {
    let counter = Arc::<TokenCounter>::default();
    counter.prepare(&snapshot(None), None);
    assert!(counter.thread.get().is_none() && counter.is_prepared());
    assert!(Tokenizer::ALL.iter().all(|tokenizer| !counter.takes(*tokenizer, 0)));
    assert!(counter.hand_over(job(&Arc::default())).is_err());
    assert!(counter.stop(Duration::ZERO));
}

#[test]
fn who_asks_is_told() {
    let counter = prepared();
    assert!(counter.takes(TOKENIZER, PROMPT.len()) && !counter.takes(Tokenizer::Cl100kBase, PROMPT.len()));
    let told = Arc::<Told>::default();
    let mut asked = job(&told);
    asked.said = Some("Hello, world!".into());
    counter.hand_over(asked).expect("room");
    assert!(counter.stop(WAIT));
    let counts = Counts { input: Some(11), output: Some(4) };
    assert_eq!(told.poll(&mut Context::from_waker(noop_waker_ref())), Poll::Ready(counts));
    // Nobody is there any more.
    assert!(!counter.takes(TOKENIZER, 1) && counter.hand_over(job(&told)).is_err());
}

#[test]
fn a_record_goes_to_the_log_with_what_was_counted() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("access.log");
    let node = Arc::new(Node::new(Arc::new(snapshot(Some(TOKENIZER))), 1));
    let log = LogWriter::start(Arc::clone(&node), Destination::File(path.clone())).expect("writer");
    node.token_counter.prepare(&node.snapshot.load(), Some(&log.commands()));
    for number in 0..2 * TOKENIZER_JOBS_MAX as u128 {
        let record = AccessRecord { estimated: true, input_tokens: 1, output_tokens: 7, ..record(number, 1) };
        let job = || Job {
            tokenizer: TOKENIZER,
            prompt: Some(PROMPT.to_vec()),
            said: None,
            then: Then::Log(Box::new(record)),
        };
        while node.token_counter.hand_over(job()).is_err() {
            thread::yield_now();
        }
    }
    assert!(node.token_counter.stop(WAIT) && log.stop(WAIT));
    let lines = fs::read_to_string(path).expect("the log");
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2 * TOKENIZER_JOBS_MAX);
    assert!(lines.iter().all(|line| line["input_tokens"] == 11 && line["output_tokens"] == 7), "{lines:?}");
}

#[test]
fn too_much_is_given_back() {
    // A thread that does nothing.
    let counter = TokenCounter { loaded: AtomicU8::new(u8::MAX), ..TokenCounter::default() };
    counter.thread.set(thread::current()).expect("the first");
    assert!(counter.takes(TOKENIZER, TOKENIZED_BYTES_MAX) && !counter.takes(TOKENIZER, TOKENIZED_BYTES_MAX + 1));
    for _ in 0..TOKENIZER_JOBS_MAX {
        counter.hand_over(job(&Arc::default())).expect("room");
    }
    assert!(!counter.takes(TOKENIZER, 1));
    assert!(counter.hand_over(job(&Arc::default())).is_err());
}

#[test]
fn whoever_waits_is_woken() {
    let told = Arc::<Told>::default();
    assert_eq!(told.poll(&mut Context::from_waker(noop_waker_ref())), Poll::Pending);
    told.tell(Counts::default());
    assert_eq!(told.poll(&mut Context::from_waker(noop_waker_ref())), Poll::Ready(Counts::default()));
}
