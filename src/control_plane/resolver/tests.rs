use super::*;
use crate::telemetry::fixtures;
use std::{
    collections::HashMap,
    sync::{Mutex, atomic::Ordering::Acquire},
};
use tokio::sync::mpsc;

/// Answers from a script, the last answer for ever, and notes who was asked for.
#[derive(Default)]
struct Script {
    answers: Mutex<HashMap<&'static str, Vec<io::Result<Vec<SocketAddr>>>>>,
    asked: Mutex<Vec<String>>,
}

impl Script {
    fn then(self, host: &'static str, answer: io::Result<&[&str]>) -> Script {
        let answer = answer.map(|list| list.iter().map(|address| address.parse().expect("an address")).collect());
        self.answers.lock().expect("not poisoned").entry(host).or_default().push(answer);
        self
    }
}

impl Lookup for Script {
    async fn lookup(&self, host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        self.asked.lock().expect("not poisoned").push(host.to_owned());
        let mut answers = self.answers.lock().expect("not poisoned");
        match answers.get_mut(host) {
            Some(list) if !list.is_empty() => list.remove(0),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn node(generation: u64, hosts: &[&str]) -> Arc<Node> {
    let mut snapshot = fixtures::empty(generation);
    for host in hosts {
        fixtures::add_endpoint(&mut snapshot, host, 443);
    }
    Arc::new(Node::new(Arc::new(snapshot), 1))
}

fn addresses(node: &Node, endpoint: usize) -> Vec<String> {
    node.snapshot.load().endpoints[endpoint].addresses.load().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn last_good_addresses_outlive_failures() {
    let node = node(4, &["a.example"]);
    let script = Script::default()
        .then("a.example", Ok(&["192.0.2.1:443"]))
        .then("a.example", Err(io::ErrorKind::TimedOut.into()))
        .then("a.example", Ok(&[]))
        .then("a.example", Ok(&["192.0.2.9:443"]));
    let mut resolver = Resolver::new(Arc::clone(&node), script);
    for (expected, failures) in [("192.0.2.1:443", 0), ("192.0.2.1:443", 1), ("192.0.2.1:443", 2), ("192.0.2.9:443", 2)]
    {
        resolver.round().await;
        assert_eq!(addresses(&node, 0), [expected]);
        assert_eq!(node.process.read(ProcessCell::DnsFailures), failures);
    }
    assert!(resolver.failing.is_empty());
    assert_eq!(node.process.read(ProcessCell::DnsLookups), 4);
}

#[tokio::test]
async fn name_that_never_resolved_is_known_to_have_been_asked_for() {
    let node = node(4, &["a.example"]);
    let mut resolver = Resolver::new(Arc::clone(&node), Script::default());
    assert!(node.resolved_generation.load(Acquire) < 4);
    resolver.round().await;
    assert_eq!(addresses(&node, 0), [""; 0]);
    assert_eq!(node.resolved_generation.load(Acquire), 4);
}

#[tokio::test]
async fn lookup_that_hangs_is_a_failure() {
    struct Hangs;
    impl Lookup for Hangs {
        async fn lookup(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
            std::future::pending().await
        }
    }
    let node = node(1, &["a.example", "b.example"]);
    let mut resolver = Resolver { patience: Duration::ZERO, ..Resolver::new(Arc::clone(&node), Hangs) };
    resolver.round().await;
    assert_eq!(node.process.read(ProcessCell::DnsFailures), 2);
}

#[tokio::test]
async fn rotated_answer_is_no_change() {
    let node = node(1, &["a.example"]);
    let script = Script::default()
        .then("a.example", Ok(&["192.0.2.1:443", "192.0.2.2:443"]))
        .then("a.example", Ok(&["192.0.2.2:443", "192.0.2.1:443"]));
    let mut resolver = Resolver::new(Arc::clone(&node), script);
    resolver.round().await;
    let before = node.snapshot.load().endpoints[0].addresses.load_full();
    resolver.round().await;
    assert!(Arc::ptr_eq(&before, &node.snapshot.load().endpoints[0].addresses.load_full()));
}

#[tokio::test]
async fn literal_addresses_are_not_looked_up() {
    let node = node(1, &["192.0.2.7", "[2001:db8::7]", "2001:db8::8"]);
    let mut resolver = Resolver::new(Arc::clone(&node), Script::default());
    resolver.round().await;
    assert_eq!(addresses(&node, 0), ["192.0.2.7:443"]);
    assert_eq!(addresses(&node, 1), ["[2001:db8::7]:443"]);
    assert_eq!(addresses(&node, 2), ["[2001:db8::8]:443"]);
    assert_eq!(node.process.read(ProcessCell::DnsLookups), 0);
}

#[tokio::test]
async fn name_of_several_endpoints_is_looked_up_once() {
    let node = node(1, &["a.example", "a.example", "b.example"]);
    let script = Script::default().then("a.example", Ok(&["192.0.2.1:443"])).then("b.example", Ok(&["192.0.2.2:443"]));
    let mut resolver = Resolver::new(Arc::clone(&node), script);
    resolver.round().await;
    let mut asked = resolver.lookup.asked.lock().expect("not poisoned").clone();
    asked.sort();
    assert_eq!(asked, ["a.example", "b.example"]);
    assert_eq!(addresses(&node, 0), addresses(&node, 1));
}

#[tokio::test]
async fn reload_starts_a_round_at_once() {
    struct Tells(mpsc::UnboundedSender<String>);
    impl Lookup for Tells {
        async fn lookup(&self, host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
            let _ = self.0.send(host.to_owned());
            Ok(vec![SocketAddr::from(([192, 0, 2, 1], 443))])
        }
    }
    let node = node(1, &["a.example"]);
    let (sender, mut asked) = mpsc::unbounded_channel();
    let reloaded = Arc::new(Notify::new());
    let running = tokio::spawn(Resolver::new(Arc::clone(&node), Tells(sender)).run(Arc::clone(&reloaded)));
    assert_eq!(asked.recv().await.as_deref(), Some("a.example"));
    let mut next = fixtures::empty(2);
    fixtures::add_endpoint(&mut next, "b.example", 443);
    node.publish(Arc::new(next));
    reloaded.notify_one();
    assert_eq!(asked.recv().await.as_deref(), Some("b.example"));
    running.abort();
}

#[test]
fn new_snapshot_inherits_what_is_known() {
    let old = node(1, &["a.example", "b.example"]);
    let old = old.snapshot.load();
    old.endpoints[0].addresses.store(Arc::new(vec![SocketAddr::from(([192, 0, 2, 1], 443))]));
    let new = node(2, &["b.example", "a.example", "192.0.2.5"]);
    prefill(&new.snapshot.load(), Some(&old));
    assert_eq!(addresses(&new, 0), [""; 0]);
    assert_eq!(addresses(&new, 1), ["192.0.2.1:443"]);
    assert_eq!(addresses(&new, 2), ["192.0.2.5:443"]);
}

#[test]
fn families_alternate() {
    let check = |given: &[&str], expected: &[&str]| {
        let given = given.iter().map(|address| address.parse().expect("an address")).collect();
        let mixed: Vec<String> = interleave(given).iter().map(ToString::to_string).collect();
        assert_eq!(mixed, expected);
    };
    let (v4, v6) = (["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"], ["[2001:db8::1]:1", "[2001:db8::2]:1"]);
    check(&[], &[]);
    check(&v4, &v4);
    check(&[v6[0], v6[1], v4[0], v4[1], v4[2]], &[v6[0], v4[0], v6[1], v4[1], v4[2]]);
    check(&[v4[0], v4[1], v6[0], v6[1]], &[v4[0], v6[0], v4[1], v6[1]]);
    check(&[v4[0], v4[0], v4[1]], &[v4[0], v4[1]]);
}

#[test]
fn addresses_are_bounded() {
    let many = (0..200).map(|last| SocketAddr::from(([192, 0, 2, last], 443))).collect();
    assert_eq!(interleave(many).len(), ADDRESSES_MAX);
}

#[tokio::test]
async fn system_lookup_knows_localhost() {
    let found = SystemLookup::default().lookup("localhost", 443).await.expect("in /etc/hosts");
    assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback() && address.port() == 443));
}

#[tokio::test]
async fn only_names_without_an_address_are_looked_up_first() {
    let node = node(1, &["known.example", "new.example", "gone.example"]);
    let snapshot = node.snapshot.load_full();
    store(&snapshot.endpoints[0], &["192.0.2.7:443".parse().expect("an address")]);
    assert!(lacks_addresses(&snapshot));
    let script = Script::default().then("new.example", Ok(&["192.0.2.8:443"]));
    first_addresses(&snapshot, &script).await;
    assert_eq!(*script.asked.lock().expect("not poisoned"), ["gone.example", "new.example"]);
    assert_eq!(addresses(&node, 0), ["192.0.2.7:443"]);
    assert_eq!(addresses(&node, 1), ["192.0.2.8:443"]);
    assert!(addresses(&node, 2).is_empty());
    assert!(lacks_addresses(&snapshot));
}
