//! Who may touch a worker: itself while it is awake, and while it sleeps one visitor at a time.
//!
//! ```text
//!            release (falls asleep)             visit
//!   Owner ───────────────────────────► Free ──────────► Visited ──┐ the owner wakes up
//!     ▲                                 │ ▲                │      ▼
//!     └───────── acquire (wakes up) ────┘ └── the visit ───┴── Awaited
//!                                              is over
//! ```
//!
//! To wake a sleeping thread costs many times what it takes to write one small packet. So JavaScript
//! writes it itself while the worker sleeps, with the worker's own code and data. A worker that
//! is busy is never waited for: then a visit does not take place.

use std::cell::UnsafeCell;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{self, Thread};

/// The owner is awake.
const OWNER: u8 = 0;
/// The owner sleeps.
const FREE: u8 = 1;
/// Another thread has custody.
const VISITED: u8 = 2;
/// Another thread has custody, and the owner is awake and waits for it.
const AWAITED: u8 = 3;

/// How often an owner that has woken up asks whether the visit is over before it sleeps again: a
/// visit is shorter than what it takes to be woken.
const ASKS: u32 = 20;

/// Something that one thread owns, and others may visit while that thread sleeps.
pub struct Custody<T> {
    state: AtomicU8,
    owner: Thread,
    value: UnsafeCell<Option<T>>,
}

impl<T> fmt::Debug for Custody<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Custody").field("state", &self.state).finish_non_exhaustive()
    }
}

#[expect(unsafe_code, reason = "lends what only one thread has at a time")]
// SAFETY: `value` is reached by one thread at a time: the owner between `acquire` and `release`,
// visitors between taking `state` from FREE and giving it back. Both sides order what they did by
// acquiring and releasing `state`. That `T` may be moved between threads so is what the caller of
// `new` promises.
unsafe impl<T> Send for Custody<T> {}
#[expect(unsafe_code, reason = "lends what only one thread has at a time")]
// SAFETY: as above.
unsafe impl<T> Sync for Custody<T> {}

impl<T> Custody<T> {
    /// The calling thread owns `value` and has custody.
    ///
    /// # Safety
    /// Nothing that can be reached from `value` depends on the thread that touches it, and the
    /// owner touches none of it while it has no custody: between [`release`](Self::release) and
    /// [`acquire`](Self::acquire).
    #[expect(
        unsafe_code,
        reason = "`T` need not be `Send`: it may hold `Rc`s, as all of them are here"
    )]
    pub unsafe fn new(value: T) -> Self {
        Self {
            state: AtomicU8::new(OWNER),
            owner: thread::current(),
            value: UnsafeCell::new(Some(value)),
        }
    }

    /// The owner falls asleep.
    ///
    /// # Panics
    /// When another thread says so.
    pub fn release(&self) {
        self.check_owner();
        self.state.store(FREE, Ordering::Release);
    }

    /// The owner has woken up. Waits for the end of a visit, if there is one.
    ///
    /// # Panics
    /// When another thread says so.
    pub fn acquire(&self) {
        self.check_owner();
        for _ in 0..ASKS {
            if self.exchange(FREE, OWNER).is_ok() {
                return;
            }
            thread::yield_now();
        }
        loop {
            let Err(state) = self.exchange(FREE, OWNER) else { return };
            if state == AWAITED || self.exchange(VISITED, AWAITED).is_ok() {
                thread::park();
            }
        }
    }

    /// Lets `visitor` at the value if the owner sleeps and nobody else visits it.
    pub fn visit<R>(&self, visitor: impl FnOnce(&T) -> R) -> Option<R> {
        self.exchange(FREE, VISITED).ok()?;
        let _leaving = Leaving(self);
        #[expect(unsafe_code, reason = "the place is taken by this thread")]
        // SAFETY: FREE became VISITED: nobody else has custody until `_leaving` is dropped.
        let value = unsafe { &*self.value.get() };
        value.as_ref().map(visitor)
    }

    /// Drops the value: there is nothing to visit any more. The owner must have custody.
    ///
    /// # Panics
    /// When another thread says so, or the owner has no custody.
    pub fn retire(&self) {
        self.check_owner();
        assert_eq!(self.state.load(Ordering::Relaxed), OWNER, "the owner has custody");
        #[expect(unsafe_code, reason = "the owner takes back what is its own")]
        // SAFETY: this is the owner's thread, and it has custody.
        let value = unsafe { &mut *self.value.get() };
        *value = None;
    }

    fn exchange(&self, from: u8, to: u8) -> Result<u8, u8> {
        self.state.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed)
    }

    fn check_owner(&self) {
        assert_eq!(thread::current().id(), self.owner.id(), "only the owner has custody for long");
    }
}

/// Gives custody back at the end of a visit, even one that panics.
struct Leaving<'a, T>(&'a Custody<T>);

impl<T> Drop for Leaving<'_, T> {
    fn drop(&mut self) {
        if self.0.state.swap(FREE, Ordering::Release) == AWAITED {
            self.0.owner.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[expect(unsafe_code, reason = "as above")]
    fn custody() -> Custody<Rc<Cell<u32>>> {
        // SAFETY: the tests touch the cell only while they have custody.
        unsafe { Custody::new(Rc::default()) }
    }

    #[test]
    fn who_is_awake_is_not_visited() {
        let custody = custody();
        assert_eq!(custody.visit(|_| ()), None);
        custody.release();
        assert_eq!(custody.visit(|value| value.replace(1)), Some(0));
        custody.acquire();
        assert_eq!(custody.visit(|_| ()), None);
        custody.retire();
        custody.release();
        assert_eq!(custody.visit(|_| ()), None);
    }

    #[test]
    fn a_visit_that_panics_is_over() {
        let custody = custody();
        custody.release();
        let visit = std::panic::AssertUnwindSafe(|| custody.visit(|_| panic!("on purpose")));
        assert!(std::panic::catch_unwind(visit).is_err());
        assert_eq!(custody.visit(|value| value.get()), Some(0));
    }

    #[test]
    fn there_is_one_at_a_time() {
        const TURNS: u32 = 20_000;
        let custody = Arc::new(custody());
        let over = Arc::new(AtomicBool::new(false));
        let visitors: Vec<_> = (0..2)
            .map(|_| {
                let (custody, over) = (Arc::clone(&custody), Arc::clone(&over));
                thread::spawn(move || {
                    let mut visits = 0;
                    while !over.load(Ordering::Relaxed) {
                        let visit = custody.visit(|value| value.set(value.get() + 1));
                        visits += u32::from(visit.is_some());
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
        assert_eq!(custody.visit(|value| value.get()), Some(visits));
    }
}
