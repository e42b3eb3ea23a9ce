//! Whatever a target starts ends with it: workers of a leader that is asked, of one that was killed, and of one that does not listen.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use ringway_loadtest::measure::process::session;
use ringway_loadtest::target::launch::{Child, Folder, Launcher};
use rustix::process::{Pid, Signal, kill_process};

const LIMIT: Duration = Duration::from_secs(20);

/// A shell with two workers, one of which has a worker of its own; all are there when this returns. `manners` is what it does first.
fn start(manners: &str) -> (Child, PathBuf) {
    let launcher = Launcher { program: env!("CARGO_BIN_EXE_ringway-loadtest").into(), cpus: vec![0] };
    let script = format!("{manners}\nsleep 1000 & (sleep 1001 & echo up; wait) & wait; wait; wait");
    let command: Vec<OsString> = vec!["sh".into(), "-c".into(), script.into()];
    let folder = Folder::new().expect("a folder");
    let path = folder.path.clone();
    let mut child = launcher.start(&command, &[], folder).expect("it starts");
    child.await_output(LIMIT, |output| output.contains("up").then_some(())).expect("it says so");
    (child, path)
}

#[test]
fn workers_end_with_a_target_that_is_dropped() {
    let (child, folder) = start("");
    let leader = child.pid();
    assert!(session(leader).len() >= 4, "{:?}", session(leader));
    drop(child);
    assert_eq!(session(leader), [0; 0]);
    assert!(!folder.exists());
}

#[test]
fn workers_of_a_target_that_was_killed_end_too() {
    let (child, _) = start("");
    let leader = child.pid();
    kill_process(Pid::from_raw(i32::try_from(leader).expect("a pid")).expect("a pid"), Signal::KILL).expect("ours");
    while child.ended().is_none() {
        std::thread::yield_now();
    }
    assert_eq!(child.ended().as_deref(), Some("signal 9"));
    assert!(session(leader).len() >= 3, "the others have not heard of it: {:?}", session(leader));
    drop(child);
    assert_eq!(session(leader), [0; 0]);
}

#[test]
fn who_does_not_listen_is_killed() {
    let (child, _) = start("trap '' TERM");
    let leader = child.pid();
    drop(child);
    assert_eq!(session(leader), [0; 0]);
}
