//! A worker is lent while it sleeps: on real threads. `custody_model.rs` tries all orders.
#![cfg(feature = "net")]
#![expect(unsafe_code, reason = "a custody is made by an unsafe function")]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ferrosocket::net::custody::{Custody, Lend};

#[derive(Clone, Default)]
struct Counter(Rc<Cell<u32>>);

// SAFETY: the cell depends on no thread, and nothing of it is left behind.
unsafe impl Lend for Counter {
    /// What to add; gets the sum.
    type Work = u32;

    fn stand_in(&self, work: &mut u32) -> bool {
        assert_ne!(*work, u32::MAX, "on purpose");
        self.0.set(self.0.get() + *work);
        *work = self.0.get();
        true
    }
}

fn custody() -> Custody<Counter> {
    // SAFETY: the tests touch the cell only while they have custody.
    unsafe { Custody::new(Counter::default()) }
}

/// The sum after a visit that adds `n`, if there was a visit.
fn add(custody: &Custody<Counter>, n: u32) -> Option<u32> {
    let mut work = n;
    custody.visit(&mut work).then_some(work)
}

#[test]
fn who_is_awake_is_not_visited() {
    let custody = custody();
    assert_eq!(add(&custody, 1), None);
    custody.release();
    assert_eq!(add(&custody, 1), Some(1));
    custody.acquire();
    assert_eq!(add(&custody, 1), None);
    custody.retire();
    custody.release();
    assert_eq!(add(&custody, 1), None);
}

#[test]
fn a_visit_that_panics_is_over() {
    let custody = custody();
    custody.release();
    let visit = std::panic::AssertUnwindSafe(|| add(&custody, u32::MAX));
    assert!(std::panic::catch_unwind(visit).is_err());
    assert_eq!(add(&custody, 1), Some(1));
}

#[test]
fn there_is_one_at_a_time() {
    const TURNS: u32 = 300;
    let custody = Arc::new(custody());
    let over = Arc::new(AtomicBool::new(false));
    let visitors: Vec<_> = (0..2)
        .map(|_| {
            let (custody, over) = (Arc::clone(&custody), Arc::clone(&over));
            thread::spawn(move || {
                let mut visits = 0;
                while !over.load(Ordering::Relaxed) {
                    visits += u32::from(add(&custody, 1).is_some());
                    thread::yield_now();
                }
                visits
            })
        })
        .collect();
    for _ in 0..TURNS {
        custody.release();
        thread::yield_now();
        custody.acquire();
    }
    over.store(true, Ordering::Relaxed);
    let visits: u32 = visitors.into_iter().map(|visitor| visitor.join().unwrap()).sum();
    custody.release();
    assert_eq!(add(&custody, 0), Some(visits));
}
