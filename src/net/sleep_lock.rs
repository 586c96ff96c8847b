//! The lock of a worker: the worker holds it while it is awake; while it sleeps, other threads may, one
//! at a time.
//!
//! ```text
//!            release (falls asleep)            try_run
//!   Owner ───────────────────────────► Free ──────────► Borrowed
//!    ▲ ▲                                │ ▲              │   │ the owner wakes up
//!    │ └──────── acquire (wakes up) ────┘ └─── is done ──┘   ▼
//!    └──────────────────── is done, handed over ────────── Awaited
//! ```
//!
//! To wake a sleeping thread costs many times what it takes to write one small packet. So JavaScript
//! writes it itself while the worker sleeps, "inline", with the worker's own code and data. A worker that
//! is awake is never waited for: then nothing is run. A worker that wakes up meanwhile gets the lock next,
//! whoever else tries: it is handed over, and never free in between.
//!
//! The locked value may hold `Rc`s. So who runs something gets no reference to it, from which one could be
//! cloned and kept: it says what is to be done ([`RunInline::Work`], which is `Send`), and the value does it.

use std::fmt;

use super::sync::thread::{self, Thread};
use super::sync::{AtomicU8, Ordering, SPINS, UnsafeCell};

/// The owner is awake.
const OWNER: u8 = 0;
/// The owner sleeps.
const FREE: u8 = 1;
/// Another thread holds the lock.
const BORROWED: u8 = 2;
/// Another thread holds the lock, and the owner is awake and waits for it.
const AWAITED: u8 = 3;

/// What can do work on a thread that does not own it.
///
/// # Safety
/// What [`run_inline`](Self::run_inline) reaches depends on no thread, and when it returns, or panics, nothing
/// of it can be reached by the calling thread: not by `Work`, and not by a thread-local or global place.
#[expect(unsafe_code, reason = "the compiler can't see what is left behind")]
pub unsafe trait RunInline {
    /// What is to be done.
    type Work<'a>: Send;

    /// Does `work` on the calling thread, which is not the owner's. False when it can't be done now.
    fn run_inline(&self, work: Self::Work<'_>) -> bool;
}

/// A value that one thread owns, and that works for others while that thread sleeps.
pub struct SleepLock<T> {
    state: AtomicU8,
    owner: Thread,
    value: UnsafeCell<Option<T>>,
}

impl<T> fmt::Debug for SleepLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SleepLock").field("state", &self.state).finish_non_exhaustive()
    }
}

#[expect(unsafe_code, reason = "one thread at a time reaches the value")]
// SAFETY: `value` is reached by one thread at a time: the owner between `acquire` and `release`,
// others between taking `state` from FREE and giving it back. Both sides order what they did by
// acquiring and releasing `state`. Others run `RunInline::run_inline` alone, which leaves nothing behind
// on its thread. That the owner drops `T` on its own thread is what the caller of `new` promises.
unsafe impl<T: RunInline> Send for SleepLock<T> {}
#[expect(unsafe_code, reason = "one thread at a time reaches the value")]
// SAFETY: as above.
unsafe impl<T: RunInline> Sync for SleepLock<T> {}

impl<T: RunInline> SleepLock<T> {
    /// The calling thread owns `value` and holds the lock.
    ///
    /// # Safety
    /// The owner touches nothing that can be reached from `value` while it has no lock: between
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
    /// When another thread calls it.
    pub fn release(&self) {
        self.check_owner();
        self.state.store(FREE, Ordering::Release);
    }

    /// The owner has woken up. Waits for the end of what another thread runs, if one does; others come
    /// after it.
    ///
    /// # Panics
    /// When another thread calls it.
    pub fn acquire(&self) {
        self.check_owner();
        for _ in 0..SPINS {
            if self.exchange(FREE, OWNER) {
                return;
            }
            thread::yield_now();
        }
        while !self.exchange(BORROWED, AWAITED) {
            // The other thread has just finished.
            if self.exchange(FREE, OWNER) {
                return;
            }
        }
        while self.state.load(Ordering::Acquire) != OWNER {
            thread::park();
        }
    }

    /// Has `work` done on this thread if the owner sleeps and nobody else holds the lock. False: it is not
    /// done.
    pub fn try_run(&self, work: T::Work<'_>) -> bool {
        if !self.exchange(FREE, BORROWED) {
            return false;
        }
        let _unlock = Unlock(self);
        self.value.with_mut(|value| {
            #[expect(unsafe_code, reason = "the place is taken by this thread")]
            // SAFETY: FREE became BORROWED: nobody else holds the lock until `_unlock` is dropped.
            let value = unsafe { &*value };
            value.as_ref().is_some_and(|value| value.run_inline(work))
        })
    }

    /// Drops the value: nothing is run any more. The owner must hold the lock.
    ///
    /// # Panics
    /// When another thread calls it, or the owner does not hold the lock.
    pub fn retire(&self) {
        self.check_owner();
        assert_eq!(self.state.load(Ordering::Relaxed), OWNER, "the owner holds the lock");
        let retired = self.value.with_mut(|value| {
            #[expect(unsafe_code, reason = "the owner takes back what is its own")]
            // SAFETY: this is the owner's thread, and it holds the lock.
            let value = unsafe { &mut *value };
            value.take()
        });
        drop(retired);
    }

    fn exchange(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn check_owner(&self) {
        assert_eq!(thread::current().id(), self.owner.id(), "only the owner releases and acquires");
    }
}

/// Gives the lock back when the work is done, or has panicked: to the owner if it waits.
struct Unlock<'a, T>(&'a SleepLock<T>);

impl<T> Drop for Unlock<'_, T> {
    fn drop(&mut self) {
        let SleepLock { state, owner, .. } = self.0;
        let freed = state.compare_exchange(BORROWED, FREE, Ordering::Release, Ordering::Relaxed);
        if freed.is_err() {
            // Awaited: nobody but the owner can have changed it, and nobody but us can change it now.
            state.store(OWNER, Ordering::Release);
            owner.unpark();
        }
    }
}
