//! What [`super::sleep_lock`] and [`super::parker`] are made of. `tests/sleep_lock_model.rs` and
//! `tests/parker_model.rs` compile these files with other parts, of the same names, which try all orders in which threads
//! can come.

use std::fmt;

pub use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
pub use std::thread;

pub use mio::Waker;

/// How often an owner that has woken up tries to get the lock before it sleeps again: what others run
/// takes less time than to be woken.
pub const SPINS: u32 = 20;

/// A place that is reached through pointers only, for as long as a closure runs.
#[derive(Default)]
pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> fmt::Debug for UnsafeCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsafeCell").finish_non_exhaustive()
    }
}

impl<T> UnsafeCell<T> {
    /// A place with `value`.
    pub fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Gives `f` the place, to read or to change what is there.
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}
