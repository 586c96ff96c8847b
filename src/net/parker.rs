//! How the thread of a worker is told that somebody has something for it.
//!
//! ```text
//!            listen                    try_park
//!   Told ───────────────► Awake ──────────────────► Parked
//!    ▲ ▲                   │ ▲                        │ │
//!    │ └───── unpark ──────┘ └──────── listen ────────┘ │
//!    └────── unpark, and the thread is woken ───────────┘
//! ```
//!
//! Who has something leaves it first and calls [`Parker::unpark`] then. The worker calls [`Parker::listen`]
//! first and looks then. So whatever the worker has not seen keeps it from parking, or wakes it. To wake it is one
//! system call, and none while it is awake, or has been told already.

use std::fmt;

use super::sync::{AtomicU8, Ordering, Waker};

/// The worker will look by itself.
const AWAKE: u8 = 0;
/// It waits for sockets, and has to be woken.
const PARKED: u8 = 1;
/// Somebody has something for it.
const TOLD: u8 = 2;

/// Wakes the thread of one worker.
#[derive(Default)]
pub struct Parker {
    state: AtomicU8,
    /// None in tests of what is around it, where nobody waits.
    waker: Option<Waker>,
}

impl fmt::Debug for Parker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parker").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Parker {
    /// `waker` ends the wait of the thread, the next one if it is not waiting yet.
    pub fn new(waker: Waker) -> Self {
        Self { state: AtomicU8::new(AWAKE), waker: Some(waker) }
    }

    /// The worker is about to look for what others have for it.
    pub fn listen(&self) {
        self.state.swap(AWAKE, Ordering::AcqRel);
    }

    /// The worker is about to wait. False: it must not, as somebody has something for it.
    pub fn try_park(&self) -> bool {
        let parked =
            self.state.compare_exchange(AWAKE, PARKED, Ordering::AcqRel, Ordering::Acquire);
        parked.is_ok()
    }

    /// Somebody has something for the worker.
    pub fn unpark(&self) {
        if self.state.swap(TOLD, Ordering::AcqRel) == PARKED
            && let Some(waker) = &self.waker
        {
            // It fails when the descriptor is none of ours any more; then nothing can be done here.
            let _gone = waker.wake();
        }
    }
}
