//! Who may touch a worker: itself while it is awake, and while it sleeps one visitor at a time.
//!
//! ```text
//!            release (falls asleep)             visit
//!   Owner ───────────────────────────► Free ──────────► Visited
//!    ▲ ▲                                │ ▲              │   │ the owner wakes up
//!    │ └──────── acquire (wakes up) ────┘ └── is over ───┘   ▼
//!    └──────────────────── is over, handed over ────────── Awaited
//! ```
//!
//! To wake a sleeping thread costs many times what it takes to write one small packet. So JavaScript
//! writes it itself while the worker sleeps, with the worker's own code and data. A worker that
//! is busy is never waited for: then a visit does not take place. A worker that waits for a visit is the
//! next one, whoever else wants to visit it: custody goes from the visitor to it, and is never free between.
//!
//! What is lent may hold `Rc`s. So a visitor gets no reference to it, from which one could be cloned and
//! kept: it says what is to be done ([`Lend::Work`], which is `Send` and so holds none of them), and the lent thing does it.

use std::fmt;

use super::sync::thread::{self, Thread};
use super::sync::{ASKS, AtomicU8, Ordering, UnsafeCell};

/// The owner is awake.
const OWNER: u8 = 0;
/// The owner sleeps.
const FREE: u8 = 1;
/// Another thread has custody.
const VISITED: u8 = 2;
/// Another thread has custody, and the owner is awake and waits for it.
const AWAITED: u8 = 3;

/// What can be lent to a thread that does not own it.
///
/// # Safety
/// What [`stand_in`](Self::stand_in) reaches depends on no thread, and when it returns, or panics, nothing
/// of it can be reached by the calling thread: not by `Work`, and not by a thread-local or global place.
#[expect(unsafe_code, reason = "the compiler can't see what is left behind")]
pub unsafe trait Lend {
    /// What a visitor asks for.
    type Work: Send;

    /// Does `work` on the thread of a visitor. False when it can't be done now.
    fn stand_in(&self, work: &mut Self::Work) -> bool;
}

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
// acquiring and releasing `state`. A visitor runs `Lend::stand_in` alone, which leaves nothing behind
// on its thread. That the owner drops `T` on its own thread is what the caller of `new` promises.
unsafe impl<T: Lend> Send for Custody<T> {}
#[expect(unsafe_code, reason = "lends what only one thread has at a time")]
// SAFETY: as above.
unsafe impl<T: Lend> Sync for Custody<T> {}

impl<T: Lend> Custody<T> {
    /// The calling thread owns `value` and has custody.
    ///
    /// # Safety
    /// The owner touches nothing that can be reached from `value` while it has no custody: between
    /// [`release`](Self::release) and [`acquire`](Self::acquire). It calls [`retire`](Self::retire)
    /// before others drop the last reference to this.
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

    /// The owner has woken up. Waits for the end of a visit, if there is one; others that want to visit
    /// come after it.
    ///
    /// # Panics
    /// When another thread says so.
    pub fn acquire(&self) {
        self.check_owner();
        for _ in 0..ASKS {
            if self.exchange(FREE, OWNER) {
                return;
            }
            thread::yield_now();
        }
        while !self.exchange(VISITED, AWAITED) {
            // The visit has just ended.
            if self.exchange(FREE, OWNER) {
                return;
            }
        }
        while self.state.load(Ordering::Acquire) != OWNER {
            thread::park();
        }
    }

    /// Has `work` done if the owner sleeps and nobody else visits it. False: it is not done.
    pub fn visit(&self, work: &mut T::Work) -> bool {
        if !self.exchange(FREE, VISITED) {
            return false;
        }
        let _leaving = Leaving(self);
        self.value.with_mut(|value| {
            #[expect(unsafe_code, reason = "the place is taken by this thread")]
            // SAFETY: FREE became VISITED: nobody else has custody until `_leaving` is dropped.
            let value = unsafe { &*value };
            value.as_ref().is_some_and(|value| value.stand_in(work))
        })
    }

    /// Drops the value: there is nothing to visit any more. The owner must have custody.
    ///
    /// # Panics
    /// When another thread says so, or the owner has no custody.
    pub fn retire(&self) {
        self.check_owner();
        assert_eq!(self.state.load(Ordering::Relaxed), OWNER, "the owner has custody");
        let retired = self.value.with_mut(|value| {
            #[expect(unsafe_code, reason = "the owner takes back what is its own")]
            // SAFETY: this is the owner's thread, and it has custody.
            let value = unsafe { &mut *value };
            value.take()
        });
        drop(retired);
    }

    fn exchange(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn check_owner(&self) {
        assert_eq!(thread::current().id(), self.owner.id(), "only the owner has custody for long");
    }
}

/// Gives custody back at the end of a visit, even one that panics: to the owner if it waits.
struct Leaving<'a, T>(&'a Custody<T>);

impl<T> Drop for Leaving<'_, T> {
    fn drop(&mut self) {
        let Custody { state, owner, .. } = self.0;
        let left = state.compare_exchange(VISITED, FREE, Ordering::Release, Ordering::Relaxed);
        if left.is_err() {
            // Awaited: nobody but the owner can have changed it, and nobody but us can change it now.
            state.store(OWNER, Ordering::Release);
            owner.unpark();
        }
    }
}
