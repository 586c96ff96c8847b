//! When a burst of connections is over, so that its memory can be given back.
//!
//! ```text
//!   Calm ── BURST sessions released ──► Due ── QUIET without operations ──► given back, Calm
//! ```
//!
//! Allocators keep what is freed, for whoever asks next, and give it back to the system when they are
//! called again later: a thread that has gone idle keeps it for ever.

use std::cell::Cell;
use std::sync::OnceLock;

/// Fewer sessions than this leave too little behind to look for it.
const BURST: u32 = 256;
/// How long a worker has had nothing to do when the burst counts as over, milliseconds.
const QUIET: u64 = 1000;

static GIVE_BACK: OnceLock<fn()> = OnceLock::new();

/// Says how a thread gives memory back to the system. The first call counts.
pub fn set_give_back(give_back: fn()) {
    GIVE_BACK.get_or_init(|| give_back);
}

/// Counts the sessions of a worker that are over.
#[derive(Debug, Default)]
pub struct Burst {
    released: Cell<u32>,
}

impl Burst {
    /// A session is over.
    pub fn handle_release(&self) {
        self.released.set(self.released.get().saturating_add(1));
    }

    /// When the burst is over, if the worker falls asleep now and nobody wakes it.
    pub fn poll_timeout(&self, now: impl FnOnce() -> u64) -> Option<u64> {
        (self.released.get() >= BURST).then(|| now().saturating_add(QUIET))
    }

    /// The worker has slept until then.
    pub fn handle_timeout(&self) {
        self.released.set(0);
        if let Some(give_back) = GIVE_BACK.get() {
            give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[test]
    fn a_burst_is_over_once() {
        set_give_back(|| {
            CALLS.fetch_add(1, Ordering::Relaxed);
        });
        let burst = Burst::default();
        for _ in 1..BURST {
            burst.handle_release();
        }
        assert_eq!(burst.poll_timeout(|| 5), None);
        burst.handle_release();
        assert_eq!(burst.poll_timeout(|| 5), Some(5 + QUIET));
        burst.handle_timeout();
        assert_eq!(burst.poll_timeout(|| 5), None);
        assert_eq!(CALLS.load(Ordering::Relaxed), 1);
    }
}
