//! All orders in which a worker that parks and others that wake it can come: `loom` runs the file of the network
//! floor itself, with parts of its own in the place of atomics and of what the system wakes a thread by.
//!
//! It finds a worker that waits although somebody has something for it.
#![cfg(feature = "net")]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

/// What the file is made of here.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU8, Ordering};
    use loom::sync::{Arc, Condvar, Mutex};

    /// Ends a wait, the next one if there is none: as an eventfd does in an edge-triggered queue.
    #[derive(Clone, Default)]
    pub(crate) struct Waker(Arc<(Mutex<(bool, u32)>, Condvar)>);

    pub(crate) mod thread {
        pub(crate) use loom::thread::Thread;
    }

    impl Waker {
        #[expect(clippy::unnecessary_wraps, reason = "that of the system may fail")]
        pub(crate) fn wake(&self) -> Result<(), ()> {
            let (state, condition) = &*self.0;
            let (set, count) = &mut *state.lock().unwrap();
            (*set, *count) = (true, *count + 1);
            condition.notify_one();
            Ok(())
        }

        pub(crate) fn wait(&self) {
            let (state, condition) = &*self.0;
            let mut state = state.lock().unwrap();
            while !state.0 {
                state = condition.wait(state).unwrap();
            }
            state.0 = false;
        }

        /// How often it was called: each time is a system call.
        pub(crate) fn count(&self) -> u32 {
            self.0.0.lock().unwrap().1
        }
    }
}

#[path = "../src/net/parker.rs"]
#[expect(unreachable_pub, reason = "it is public where it belongs")]
#[expect(dead_code, reason = "`tests/reader_threads.rs` parks apart")]
mod parker;

use loom::model::Builder;
use loom::sync::{Arc, Mutex};
use loom::thread;
use parker::Parker;
use sync::Waker;

/// A worker that takes what `others` leave for it, `each` of them so many things one by one.
fn check(others: u32, each: u32, switches: Option<usize>) {
    let mut model = Builder::new();
    model.preemption_bound = switches;
    model.check(move || {
        let waker = Waker::default();
        let parker = Arc::new(Parker::new(waker.clone()));
        let mailbox = Arc::new(Mutex::new(0));
        let others_run: Vec<_> = (0..others)
            .map(|_| {
                let (parker, mailbox) = (Arc::clone(&parker), Arc::clone(&mailbox));
                thread::spawn(move || {
                    for _ in 0..each {
                        *mailbox.lock().unwrap() += 1;
                        parker.unpark();
                    }
                })
            })
            .collect();
        let (mut taken, mut parks) = (0, 0);
        loop {
            parker.listen();
            taken += std::mem::take(&mut *mailbox.lock().unwrap());
            if taken == others * each {
                break;
            }
            // To wait for ever is what `loom` finds.
            if parker.try_park() {
                parks += 1;
                waker.wait();
                parker.listen();
            }
        }
        for other in others_run {
            other.join().unwrap();
        }
        assert!(waker.count() <= parks, "who is awake, or has been told, costs no system call");
    });
}

/// Their common name: sanitizers do not know how `loom` switches between threads.
mod model {
    use super::check;

    #[test]
    fn one_that_has_something_in_any_order() {
        check(1, 1, None);
    }

    #[test]
    fn one_that_has_something_again_and_again() {
        check(1, 2, Some(3));
    }

    #[test]
    fn two_that_have_something() {
        check(2, 1, Some(3));
    }
}
