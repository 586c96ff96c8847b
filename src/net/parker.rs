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
//!
//! While JavaScript has its sockets, the worker parks apart from them ([`Parker::try_park_apart`]): the same, but it is
//! woken as a thread, since what wakes it through its selector would wake JavaScript.

use std::fmt;

use std::sync::OnceLock;

use super::sync::thread::Thread;
use super::sync::{AtomicU8, Ordering, Waker};

/// The worker will look by itself.
const AWAKE: u8 = 0;
/// It waits for sockets, and has to be woken.
const PARKED: u8 = 1;
/// Somebody has something for it.
const TOLD: u8 = 2;
/// It waits, and has to be woken as a thread.
const APART: u8 = 3;

/// Wakes the thread of one worker.
#[derive(Default)]
pub struct Parker {
    state: AtomicU8,
    /// None in tests of what is around it, where nobody waits.
    waker: Option<Waker>,
    thread: OnceLock<Thread>,
}

impl fmt::Debug for Parker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parker").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Parker {
    /// `waker` ends the wait of the thread, the next one if it is not waiting yet.
    pub fn new(waker: Waker) -> Self {
        Self { state: AtomicU8::new(AWAKE), waker: Some(waker), thread: OnceLock::new() }
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

    /// The worker's thread is this one.
    pub fn set_thread(&self, thread: Thread) {
        let _it_is_known = self.thread.set(thread);
    }

    /// The same as [`try_park`](Self::try_park), for a thread that waits by parking itself.
    pub fn try_park_apart(&self) -> bool {
        let parked = self.state.compare_exchange(AWAKE, APART, Ordering::AcqRel, Ordering::Acquire);
        parked.is_ok()
    }

    /// Whether nobody has something for the worker, which has parked apart.
    pub fn is_apart(&self) -> bool {
        self.state.load(Ordering::Acquire) == APART
    }

    /// Has who watches the selector come and look: JavaScript's thread, while it reads the sockets.
    pub fn call_reader(&self) {
        if let Some(waker) = &self.waker {
            let _gone = waker.wake();
        }
    }

    /// Somebody has something for the worker.
    pub fn unpark(&self) {
        match self.state.swap(TOLD, Ordering::AcqRel) {
            PARKED => {
                if let Some(waker) = &self.waker {
                    // It fails when the descriptor is none of ours any more; then nothing can be done here.
                    let _gone = waker.wake();
                }
            }
            APART => {
                if let Some(thread) = self.thread.get() {
                    thread.unpark();
                }
            }
            _ => {}
        }
    }
}
