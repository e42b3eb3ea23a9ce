use super::*;
use std::os::unix::net::SocketAddr;

fn receive(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer).expect("a message");
    String::from_utf8(buffer[..length].to_vec()).expect("UTF-8")
}

#[test]
fn states_of_one_call_are_one_message() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("manager");
    let notifier = Notifier::to(path.as_os_str()).expect("connected");
    notifier.send(&[NotifyState::Ready, NotifyState::Status("serving: 2 shards")]);
    assert_eq!(receive(&manager), "READY=1\nSTATUS=serving: 2 shards\n");
}

#[test]
fn abstract_names_are_understood() {
    let name = format!("ringway-notify-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(name.as_bytes()).expect("a name");
    let manager = UnixDatagram::bind_addr(&address).expect("manager");
    let notifier = Notifier::to(OsStr::new(&format!("@{name}"))).expect("connected");
    notifier.send(&[NotifyState::Watchdog]);
    assert_eq!(receive(&manager), "WATCHDOG=1\n");
}

#[test]
fn manager_that_does_not_read_stops_nobody() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("manager");
    let notifier = Notifier::to(path.as_os_str()).expect("connected");
    // Far beyond any net.unix.max_dgram_qlen: a blocking send would hang here.
    for _ in 0..10_000 {
        notifier.send(&[NotifyState::Watchdog]);
    }
    drop(manager);
    notifier.send(&[NotifyState::Watchdog]);
}

#[test]
fn missing_manager_is_an_error() {
    assert!(Notifier::to(OsStr::new("/nonexistent/notify")).is_err());
}
