use super::*;
use std::sync::{Arc, atomic::AtomicUsize};

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

#[test]
fn blocks_are_aligned_whatever_their_size() {
    for align in [1, 2, 4, 8, 16, 32, 64, 4096] {
        // Several of each size, so that fresh blocks and used ones are among them.
        for size in (1..600).chain([1_000, 1_025, 4_096, 5_000, 70_000, 3_000_000]) {
            let layout = Layout::from_size_align(size, align).expect("a layout");
            // SAFETY: the layout is not empty; every block goes back with the layout that it then has.
            unsafe {
                let blocks = [Mimalloc.alloc(layout), Mimalloc.alloc_zeroed(layout), Mimalloc.alloc(layout)];
                let grown = blocks.map(|block| Mimalloc.realloc(block, layout, size + 40));
                let larger = Layout::from_size_align(size + 40, align).expect("a layout");
                for block in grown {
                    assert!(!block.is_null() && (block as usize).is_multiple_of(align), "{size} at {align}");
                    Mimalloc.dealloc(block, larger);
                }
            }
        }
    }
}

#[test]
fn bell_wakes_whom_it_was_told_of_last_and_lives_as_long_as_its_ringers() {
    #[derive(Default)]
    struct Asker(AtomicUsize);
    impl std::task::Wake for Asker {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let bell = Rc::new(Bell::default());
    let (ringer, once) = (Bell::ringer(&bell), Bell::ringer(&bell));
    ringer.wake_by_ref();
    assert!(bell.has_rung(), "also with nobody there to hear it");
    bell.silence();
    let askers = [Arc::new(Asker::default()), Arc::new(Asker::default())];
    for asker in &askers {
        let waker = Waker::from(asker.clone());
        assert!(!bell.is_for(&waker));
        bell.wakes(&waker);
        assert!(bell.is_for(&waker));
    }
    once.wake();
    ringer.wake_by_ref();
    assert!(bell.has_rung());
    assert_eq!(askers.map(|asker| asker.0.load(Ordering::Relaxed)), [0, 2]);
    let another = ringer.clone();
    assert_eq!(Rc::strong_count(&bell), 3);
    drop((ringer, another));
    assert_eq!(Rc::strong_count(&bell), 1);
}
