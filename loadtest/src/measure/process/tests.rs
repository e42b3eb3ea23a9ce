use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Usage, machine, members, own, resident_bytes};

/// Ends its process however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A shell that says when it has worked and then waits for its input to end.
fn shell(script: &str) -> Running {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    Running(command.spawn().expect("a shell starts"))
}

fn await_line(child: &mut Running) -> String {
    use std::io::{BufRead, BufReader};
    let mut line = String::new();
    let out = child.0.stdout.as_mut().expect("piped");
    BufReader::new(out).read_line(&mut line).expect("a line");
    line.trim().to_owned()
}

/// The child's own account (`times`) is what the reading is held against, so that the machine's speed does not matter.
#[test]
fn cpu_of_a_child_and_its_children_is_what_they_used() {
    let busy = "i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done";
    // The grandchild works, reports its own times, and stays, so that its parent has not waited for it.
    let mut tree = shell(&format!("sh -c '{busy}; times; read line'; true"));
    let pid = tree.0.id();
    let said = await_line(&mut tree);
    let used = Usage::of_tree(pid).total().as_secs_f64();
    let expected: f64 = said.split_ascii_whitespace().map(seconds).sum();
    assert!(expected > 0.05, "it worked: {said}");
    assert!((used - expected).abs() < 0.05 + 0.2 * expected, "{used} s measured, {expected} s said");
    assert!(members(pid).len() >= 2 && members(pid)[0] == pid);
    assert_eq!(Usage::of_tree(pid).since(&Usage::of_tree(pid)).user, Duration::ZERO);
}

/// `0m0.12s`
fn seconds(text: &str) -> f64 {
    let (minutes, seconds) = text.trim_end_matches('s').split_once('m').expect("minutes and seconds");
    minutes.parse::<f64>().expect("minutes") * 60.0 + seconds.parse::<f64>().expect("seconds")
}

#[test]
fn memory_that_is_taken_is_seen() {
    let mut small = shell("echo ready; read line");
    await_line(&mut small);
    // 32 MiB in a shell variable.
    let mut large = shell("x=$(head -c 33554432 /dev/zero | tr '\\0' x); echo ready; read line; echo $x");
    await_line(&mut large);
    let (small, large) = (resident_bytes(small.0.id()), resident_bytes(large.0.id()));
    assert!(small.zip(large).is_some_and(|(small, large)| large > small + (24 << 20)), "{small:?} {large:?}");
    assert_eq!(resident_bytes(u32::MAX), None);
}

#[test]
fn a_process_that_is_gone_has_used_nothing() {
    assert_eq!(Usage::of_tree(u32::MAX), Usage::default());
    assert!(machine().expect("Linux") >= own() / 2);
}
