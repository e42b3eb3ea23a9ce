use super::*;

#[test]
fn soft_limit_reaches_the_hard_limit() {
    let after = raise_descriptor_limit().expect("raising up to the hard limit needs no privilege");
    assert_eq!(after.soft, after.hard);
    assert_eq!(descriptor_limit().expect("reading needs no privilege"), after);
}

#[test]
fn nothing_is_taken_when_nothing_was_passed() {
    // The test runner is not started by a service manager with sockets; twice, because the second call takes the other way.
    assert!(take_passed_sockets().expect("no sockets").is_empty());
    assert!(take_passed_sockets().expect("no sockets").is_empty());
}
