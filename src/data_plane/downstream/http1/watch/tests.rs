use super::*;
use std::sync::atomic::AtomicUsize;

#[derive(Default)]
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn read_is_asked_again_only_after_it_rang() {
    let task = Arc::new(Task::default());
    let own = Waker::from(task.clone());
    let cx = Context::from_waker(&own);
    let mut watch = Watch::default();
    assert!(!watch.is_quiet());
    for round in 1..=3 {
        let waker = watch.waker(&cx);
        watch.begin();
        assert!(watch.is_quiet());
        // The task was woken by something else.
        own.wake_by_ref();
        assert!(watch.is_quiet());
        waker.wake();
        assert!(!watch.is_quiet());
        assert_eq!(task.0.load(Relaxed), 2 * round);
    }
}

#[test]
fn read_that_another_waker_waits_for_is_not_watched() {
    let own = Waker::from(Arc::new(Task::default()));
    let mut watch = Watch::default();
    let _waker = watch.waker(&Context::from_waker(&own));
    watch.begin();
    watch.forget();
    assert!(!watch.is_quiet());
}

#[test]
fn ring_of_a_task_that_polls_no_more_tells_nobody_else() {
    let (first, second) = (Arc::new(Task::default()), Arc::new(Task::default()));
    let (first_waker, second_waker) = (Waker::from(first.clone()), Waker::from(second.clone()));
    let mut watch = Watch::default();
    let before = watch.waker(&Context::from_waker(&first_waker));
    let now = watch.waker(&Context::from_waker(&second_waker));
    watch.begin();
    before.wake();
    assert!(watch.is_quiet());
    now.wake();
    assert!(!watch.is_quiet());
    assert_eq!((first.0.load(Relaxed), second.0.load(Relaxed)), (1, 1));
}
