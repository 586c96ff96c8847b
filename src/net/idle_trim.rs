//! When a worker gives memory back to the system: once it is idle after many sessions have ended.
//!
//! ```text
//!   Calm ── MANY sessions released ──► Due ── IDLE without operations ──► given back, Calm
//! ```
//!
//! Allocators keep what is freed, for whoever asks next, and give it back to the system when they are
//! called again later: a thread that has gone idle keeps it for ever.

use std::cell::Cell;
use std::sync::OnceLock;

/// Fewer sessions than this leave too little behind to look for it.
const MANY: u32 = 256;
/// How long a worker has had nothing to do when it counts as idle, milliseconds.
const IDLE: u64 = 1000;

static TRIM: OnceLock<fn()> = OnceLock::new();

/// Says how a thread gives memory back to the system. The first call counts.
pub fn set_trim(trim: fn()) {
    TRIM.get_or_init(|| trim);
}

/// Counts the sessions of a worker that are over.
#[derive(Debug, Default)]
pub struct IdleTrim {
    released: Cell<u32>,
}

impl IdleTrim {
    /// A session is over.
    pub fn handle_release(&self) {
        self.released.set(self.released.get().saturating_add(1));
    }

    /// When there is memory to be given back, if the worker falls asleep now and nobody wakes it.
    pub fn poll_timeout(&self, now: impl FnOnce() -> u64) -> Option<u64> {
        (self.released.get() >= MANY).then(|| now().saturating_add(IDLE))
    }

    /// The worker has slept until then.
    pub fn handle_timeout(&self) {
        self.released.set(0);
        if let Some(trim) = TRIM.get() {
            trim();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[test]
    fn memory_is_given_back_once() {
        set_trim(|| {
            CALLS.fetch_add(1, Ordering::Relaxed);
        });
        let idle = IdleTrim::default();
        for _ in 1..MANY {
            idle.handle_release();
        }
        assert_eq!(idle.poll_timeout(|| 5), None);
        idle.handle_release();
        assert_eq!(idle.poll_timeout(|| 5), Some(5 + IDLE));
        idle.handle_timeout();
        assert_eq!(idle.poll_timeout(|| 5), None);
        assert_eq!(CALLS.load(Ordering::Relaxed), 1);
    }
}
