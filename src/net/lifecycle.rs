//! Which clients have come and gone, for the part of the control plane that is in Rust.
//!
//! Records tell JavaScript the same. But what a handle names must not depend on what JavaScript does: this
//! goes from the workers to `socketio::handles` without it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::id::Handle;

/// What has happened to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifecycleEvent {
    /// It has come.
    Opened(Handle),
    /// It has ended; its slot is kept until it is released.
    Closed(Handle),
}

/// What has happened since this was drained last.
///
/// A worker notes it here before it writes the record of it: whoever takes the records first and then
/// drains this knows at least as much as they tell.
#[derive(Debug, Default)]
pub struct LifecycleQueue {
    events: Mutex<Vec<LifecycleEvent>>,
    /// Whether there are any, to be asked without the lock.
    news: AtomicBool,
}

impl LifecycleQueue {
    /// Notes what has happened.
    pub fn push(&self, event: LifecycleEvent) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        self.news.store(true, Ordering::Release);
    }

    /// Gives each, in order, to `note`.
    pub fn drain(&self, note: impl FnMut(LifecycleEvent)) {
        if self.news.swap(false, Ordering::Acquire) {
            let events =
                std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner));
            events.into_iter().for_each(note);
        }
    }
}
