//! The sockets of a worker, as its own thread and that of JavaScript see them: one of the two reads.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::metrics::WorkerMetrics;
use super::reader::{Preference, Reader};
use super::selector::{Selector, Wait};

/// Who reads the sockets of a worker, and which of them are ready.
#[derive(Debug)]
pub struct Sockets {
    /// Who that is.
    pub reader: Reader,
    /// What the worker counts of itself.
    pub metrics: Arc<WorkerMetrics>,
    /// Which sockets are ready. Its thread holds it while it waits for them, JavaScript while it asks.
    selector: Mutex<Selector>,
    /// The descriptor of the selector.
    #[cfg(unix)]
    pub descriptor: std::os::fd::OwnedFd,
}

impl Sockets {
    /// Those of a new worker.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub fn new(selector: Selector, preference: Preference) -> io::Result<Self> {
        Ok(Self {
            reader: Reader::new(preference),
            metrics: Arc::default(),
            #[cfg(unix)]
            descriptor: selector.descriptor()?,
            selector: Mutex::new(selector),
        })
    }

    /// Waits for the end of what another thread asks, which does not wait.
    pub(super) fn selector(&self) -> MutexGuard<'_, Selector> {
        self.selector.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None while another thread has it.
    pub(super) fn try_selector(&self) -> Option<MutexGuard<'_, Selector>> {
        match self.selector.try_lock() {
            Ok(selector) => Some(selector),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Asks which are ready, without waiting, if it `is_needed`; the last answer is forgotten.
    pub(super) fn look(&self, is_needed: bool) {
        let mut selector = self.selector();
        if is_needed {
            selector.wait(Wait::Never);
        } else {
            selector.clear();
        }
    }

    /// Whether one of them is ready, or the worker is told something.
    pub(super) fn are_ready(&self) -> bool {
        #[cfg(unix)]
        return super::descriptor::is_ready(&self.descriptor);
        #[cfg(not(unix))]
        false
    }
}
