use super::*;
use crate::{
    config::cloud::{CloudAccount, CloudSource, GoogleSource},
    node::{EndOnDrop, Phase},
    telemetry::{
        access_log::writer::{Destination, LogWriter},
        fixtures,
    },
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixDatagram,
    process::Command as Program,
    sync::{atomic::Ordering::Release, mpsc},
    thread,
};

/// A control plane with one shard that does nothing but beat and obey.
struct Running {
    node: Arc<Node>,
    commands: CommandSender,
    manager: UnixDatagram,
    admin_port: u16,
    ended: thread::JoinHandle<io::Result<Ended>>,
    /// Holds the manager's socket.
    _directory: tempfile::TempDir,
}

fn shard(node: &Arc<Node>) {
    let (node, state) = (Arc::clone(node), Arc::clone(&node.shards[0]));
    thread::spawn(move || {
        let _end = EndOnDrop(Arc::clone(&state));
        state.pools_settled.store(true, Release);
        while node.phase() < Phase::Draining {
            state.heartbeat_ms.fetch_add(1, Release);
            thread::park_timeout(Duration::from_millis(10));
        }
    });
}

fn start(handle_signals: bool, log: impl FnOnce(&Arc<Node>) -> Option<LogCommands>) -> Running {
    start_with(fixtures::empty, handle_signals, log)
}

fn start_with(
    snapshot: impl Fn(u64) -> Snapshot + Send + 'static,
    handle_signals: bool,
    log: impl FnOnce(&Arc<Node>) -> Option<LogCommands>,
) -> Running {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("manager");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let admin_port = listener.local_addr().expect("bound").port();
    let node = Arc::new(Node::new(Arc::new(snapshot(1)), 1));
    shard(&node);
    let (sender, receiver) = commands();
    let args = ControlArgs {
        node: Arc::clone(&node),
        admin: vec![AdminListener::Tcp(listener)],
        admin_hosts: Vec::new(),
        reload: Box::new(move |_, generation| Ok(snapshot(generation))),
        restart_shard: Box::new(|_| Ok(())),
        certificates: None,
        log: log(&node),
        notifier: Notifier::to(path.as_os_str()).expect("connected"),
        outcome: ReloadOutcome::none(),
        watchdog: None,
        handle_signals,
        commands: receiver,
    };
    let ended = thread::spawn(move || run(args));
    Running { node, commands: sender, manager, admin_port, ended, _directory: directory }
}

impl Running {
    /// Waits until the manager is told something that begins so.
    fn await_message(&self, beginning: &str) {
        let mut buffer = [0; 1024];
        loop {
            let length = self.manager.recv(&mut buffer).expect("a message");
            if buffer[..length].starts_with(beginning.as_bytes()) {
                return;
            }
        }
    }

    fn ask(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin_port)).expect("connected");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    }

    fn end(self) -> Ended {
        self.ended.join().expect("no panic").expect("set up")
    }
}

#[test]
fn from_ready_over_reload_to_drained() {
    let running = start(false, |_| None);
    running.await_message("READY=1");
    assert!(running.ask("/readyz").starts_with("HTTP/1.1 200"));
    assert!(running.ask("/livez").starts_with("HTTP/1.1 200"));
    running.commands.try_send(Command::Reload).expect("running");
    running.await_message("RELOADING=1");
    running.await_message("READY=1");
    assert!(running.ask("/metrics").contains("\nringway_config_generation 2\n"));
    running.commands.try_send(Command::Stop).expect("running");
    running.await_message("STOPPING=1");
    assert_eq!(running.end(), Ended::Drained);
}

/// Ready means: asked for its credential. A reload asks again, because the file may be another.
#[test]
fn credentials_of_clouds_are_there_when_ready_and_new_after_a_reload() {
    let (sender, urls) = mpsc::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let answers = [("POST /token", 200, r#"{"access_token":"canary-token","expires_in":3599}"#)];
            let server = credentials::fixtures::Server::start(&answers).await;
            sender.send(server.url()).expect("received below");
            let _ = ended.await;
            server.asked().len()
        })
    });
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("key.json");
    let url = urls.recv().expect("sent above");
    std::fs::write(&file, credentials::fixtures::service_account(&format!("{url}/token"))).expect("written");
    let account = Arc::new(CloudAccount::new("providers.vertex", CloudSource::Google(GoogleSource::File(file))));
    let held = Arc::clone(&account);
    let with_account = move |generation| {
        let mut snapshot = fixtures::empty(generation);
        snapshot.cloud_accounts.push(Arc::clone(&held));
        snapshot
    };
    let running = start_with(with_account, false, |_| None);
    running.await_message("READY=1");
    assert!(account.with_current(unix_s(), |_| ()).is_some());

    running.commands.try_send(Command::Reload).expect("running");
    let fetched = |metrics: &str| metrics.contains("\nringway_credential_refreshes_total 2\n");
    while !fetched(&running.ask("/metrics")) {
        thread::yield_now();
    }
    assert!(!running.ask("/metrics").contains("canary"));
    running.commands.try_send(Command::Stop).expect("running");
    assert_eq!(running.end(), Ended::Drained);
    end.send(()).expect("it waits");
    assert_eq!(server.join().expect("no panic"), 2);
}

#[test]
fn signals_reload_and_stop() {
    let running = start(true, |_| None);
    running.await_message("READY=1");
    let signal = |name: &str| {
        let sent = Program::new("kill").args([name, &std::process::id().to_string()]).status().expect("kill(1)");
        assert!(sent.success());
    };
    signal("-HUP");
    running.await_message("RELOADING=1");
    running.await_message("READY=1");
    assert_eq!(running.node.generation(), 2);
    signal("-TERM");
    running.await_message("STOPPING=1");
    assert_eq!(running.end(), Ended::Drained);
}

#[test]
fn reload_opens_the_log_anew() {
    let logs = tempfile::tempdir().expect("a directory");
    let path = logs.path().join("access.log");
    let (sender, writers) = mpsc::channel();
    let running = start(false, |node| {
        let writer = LogWriter::start(Arc::clone(node), Destination::File(path.clone())).expect("writer");
        let commands = writer.commands();
        sender.send(writer).expect("received below");
        Some(commands)
    });
    let writer = writers.recv().expect("sent above");
    running.await_message("READY=1");
    std::fs::rename(&path, logs.path().join("access.log.1")).expect("rotated");
    running.commands.try_send(Command::Reload).expect("running");
    running.await_message("RELOADING=1");
    running.commands.try_send(Command::Stop).expect("running");
    assert_eq!(running.end(), Ended::Drained);
    assert!(writer.stop(Duration::from_secs(60)));
    assert!(path.exists());
}

#[test]
fn sender_that_is_gone_stops_nothing() {
    let mut running = start(false, |_| None);
    running.await_message("READY=1");
    let (unused, _) = commands();
    drop(std::mem::replace(&mut running.commands, unused));
    assert!(running.ask("/readyz").starts_with("HTTP/1.1 200"));
    running.node.advance(Phase::Draining);
    assert_eq!(running.end(), Ended::Drained);
}
