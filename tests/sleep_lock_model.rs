//! All orders in which an owner and others can come, with all that the memory model allows: `loom`
//! runs the file of the network floor itself, with parts of its own in the place of threads and atomics.
//!
//! It finds two threads at one value, a thread that waits for ever, and what one wrote and another does
//! not see.
#![cfg(feature = "net")]
#![expect(unsafe_code, reason = "a lock is made by an unsafe function")]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

/// What the file is made of here.
mod sync {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicU8, Ordering};

    /// To ask before it waits changes nothing but how often it waits.
    pub(crate) const SPINS: u32 = 0;

    pub(crate) mod thread {
        pub(crate) use loom::thread::{ThreadId, park, yield_now};

        /// A thread that others overtake before it wakes one of them: for `loom`, what went before is
        /// seen from then on in any case.
        pub(crate) struct Thread(loom::thread::Thread);

        pub(crate) fn current() -> Thread {
            Thread(loom::thread::current())
        }

        impl Thread {
            pub(crate) fn id(&self) -> ThreadId {
                self.0.id()
            }

            pub(crate) fn unpark(&self) {
                yield_now();
                self.0.unpark();
            }
        }
    }
}

#[path = "../src/net/sleep_lock.rs"]
#[expect(unreachable_pub, reason = "it is public where it belongs")]
#[expect(clippy::reversed_empty_ranges, reason = "nobody asks here, see `SPINS`")]
mod sleep_lock;

use std::rc::Rc;

use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;
use sleep_lock::{RunInline, SleepLock};

/// A value that two threads must not touch at a time; `loom` watches.
struct Watched(UnsafeCell<u32>);

impl Watched {
    fn add(&self, n: u32) -> u32 {
        self.0.with_mut(|sum| {
            // SAFETY: who is here holds the lock; if not, `loom` says so.
            let sum = unsafe { &mut *sum };
            *sum += n;
            *sum
        })
    }
}

// SAFETY: it depends on no thread, and nothing of it is left behind.
unsafe impl RunInline for Rc<Watched> {
    type Work<'a> = &'a mut u32;

    fn run_inline(&self, work: &mut u32) -> bool {
        *work = self.add(*work);
        true
    }
}

/// An owner that sleeps and wakes up `turns` times and adds 1 each time that it is awake, and `others`
/// that each try to add 10 `tries` times.
///
/// `switches`: those at most that no thread asks for; none: any number.
fn check(turns: u32, others: u32, tries: u32, switches: Option<usize>) {
    let mut model = Builder::new();
    model.preemption_bound = switches;
    model.check(move || {
        // A thread of its own: a late wake-up must not come to one that waits for the end of others.
        let owner = thread::spawn(move || {
            let value = Rc::new(Watched(UnsafeCell::new(0)));
            // SAFETY: the owner touches it only while it holds the lock.
            let lock = Arc::new(unsafe { SleepLock::new(Rc::clone(&value)) });
            let run = |lock: Arc<SleepLock<_>>| {
                move || (0..tries).map(|_| u32::from(lock.try_run(&mut 10))).sum::<u32>()
            };
            let others: Vec<_> =
                (0..others).map(|_| thread::spawn(run(Arc::clone(&lock)))).collect();
            for _ in 0..turns {
                lock.release();
                lock.acquire();
                value.add(1);
            }
            lock.retire();
            (value.add(0), others)
        });
        let (sum, others) = owner.join().unwrap();
        let runs: u32 = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert_eq!(sum, turns + 10 * runs, "nothing is lost");
    });
}

/// Their common name: sanitizers do not know how `loom` switches between threads.
mod model {
    use super::check;

    #[test]
    fn one_other_thread_in_any_order() {
        check(1, 1, 1, None);
    }

    #[test]
    fn one_other_thread_again_and_again() {
        check(2, 1, 2, Some(4));
    }

    #[test]
    fn two_other_threads_and_an_owner_that_wakes_up() {
        check(1, 2, 1, Some(4));
    }

    #[test]
    fn an_owner_that_waits_is_the_next() {
        check(1, 2, 2, Some(3));
    }
}
