//! What outlives the class: the waker and the workers, until the environment ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};

#[cfg(target_os = "linux")]
use crate::binding::event::Event;
use crate::net::command::Command;
use crate::net::runtime::Runtime;

/// Wakes the JavaScript thread. It does not keep the process alive.
pub(super) enum Waker {
    /// What its event loop watches.
    #[cfg(target_os = "linux")]
    Event(Arc<Event>),
    /// What Node.js has for it.
    Function(ThreadsafeFunction<(), (), (), Status, false, true, 0>),
}

impl Waker {
    /// Wakes it.
    pub(super) fn call(&self) {
        match self {
            #[cfg(target_os = "linux")]
            Self::Event(event) => event.set(),
            Self::Function(function) => {
                // It fails when the environment is ending: then nobody reads the records.
                let _ending = function.call((), ThreadsafeFunctionCallMode::NonBlocking);
            }
        }
    }
}

/// Holds the waker until the environment ends. Workers call it under the lock, and the clean-up
/// hook takes it out under the same lock: it is never called after the environment's end.
pub(super) type SharedWaker = Arc<Mutex<Option<Waker>>>;

/// What the clean-up hook of the environment needs too.
pub(super) struct Shared {
    /// Held while a server is open.
    pub(super) runtime: Mutex<Option<Arc<Runtime>>>,
    pub(super) ended: AtomicBool,
    pub(super) waker: SharedWaker,
}

impl Shared {
    pub(super) fn runtime(&self) -> Option<Arc<Runtime>> {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets go of the workers. If nobody else needs them, they end, and this waits for that.
    pub(super) fn stop(&self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(runtime);
    }

    /// The environment ends: nothing may call into it any more.
    pub(super) fn end(&self, environment: u32) {
        self.ended.store(true, Ordering::Relaxed);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(waker);
        if let Some(runtime) = self.runtime() {
            for worker in 0..runtime.workers() {
                runtime.mailbox(worker).post_command(Command::DropEnvironment(environment));
            }
        }
        self.stop();
    }
}
