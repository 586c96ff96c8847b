//! Other threads use what sleeps: on real threads. `sleep_lock_model.rs` tries all orders.
#![cfg(feature = "net")]
#![expect(unsafe_code, reason = "a lock is made by an unsafe function")]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ferrosocket::net::sleep_lock::{RunInline, SleepLock};

#[derive(Clone, Default)]
struct Counter(Rc<Cell<u32>>);

// SAFETY: the cell depends on no thread, and nothing of it is left behind.
unsafe impl RunInline for Counter {
    /// What to add; gets the sum.
    type Work<'a> = &'a mut u32;

    fn run_inline(&self, work: &mut u32) -> bool {
        assert_ne!(*work, u32::MAX, "on purpose");
        self.0.set(self.0.get() + *work);
        *work = self.0.get();
        true
    }
}

fn new_lock() -> SleepLock<Counter> {
    // SAFETY: the tests touch the cell only while they hold the lock.
    unsafe { SleepLock::new(Counter::default()) }
}

/// The sum after `n` was added, if it was.
fn add(lock: &SleepLock<Counter>, n: u32) -> Option<u32> {
    let mut work = n;
    lock.try_run(&mut work).then_some(work)
}

#[test]
fn nothing_is_run_while_the_owner_is_awake() {
    let lock = new_lock();
    assert_eq!(add(&lock, 1), None);
    lock.release();
    assert_eq!(add(&lock, 1), Some(1));
    lock.acquire();
    assert_eq!(add(&lock, 1), None);
    lock.retire();
    lock.release();
    assert_eq!(add(&lock, 1), None);
}

#[test]
fn work_that_panics_gives_the_lock_back() {
    let lock = new_lock();
    lock.release();
    let add_too_much = std::panic::AssertUnwindSafe(|| add(&lock, u32::MAX));
    assert!(std::panic::catch_unwind(add_too_much).is_err());
    assert_eq!(add(&lock, 1), Some(1));
}

#[test]
fn there_is_one_at_a_time() {
    const TURNS: u32 = 300;
    let lock = Arc::new(new_lock());
    let over = Arc::new(AtomicBool::new(false));
    let others: Vec<_> = (0..2)
        .map(|_| {
            let (lock, over) = (Arc::clone(&lock), Arc::clone(&over));
            thread::spawn(move || {
                let mut runs = 0;
                while !over.load(Ordering::Relaxed) {
                    runs += u32::from(add(&lock, 1).is_some());
                    thread::yield_now();
                }
                runs
            })
        })
        .collect();
    for _ in 0..TURNS {
        lock.release();
        thread::yield_now();
        lock.acquire();
    }
    over.store(true, Ordering::Relaxed);
    let runs: u32 = others.into_iter().map(|other| other.join().unwrap()).sum();
    lock.release();
    assert_eq!(add(&lock, 0), Some(runs));
}
