//! What a thread sets to wake the event loop of another one: a descriptor that can be read once it is set.
//!
//! Node.js has thread-safe functions for this. They call the event loop with a lock held that its thread needs first
//! of all when it is awake: so it falls asleep again, and has to be woken a second time.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd};

/// An `eventfd`.
#[derive(Debug)]
pub struct Event(File);

impl Event {
    /// One that is not set.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub fn new() -> io::Result<Self> {
        #[expect(unsafe_code, reason = "a function of the system without a wrapper")]
        // SAFETY: it takes any number; the descriptor that it gives is nobody else's.
        let file = unsafe {
            let descriptor = libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK);
            if descriptor < 0 {
                return Err(io::Error::last_os_error());
            }
            File::from_raw_fd(descriptor)
        };
        Ok(Self(file))
    }

    /// Sets it, from any thread.
    pub fn set(&self) {
        // It fails when the event has been set more often than 64 bits can tell, and is set then.
        let _set_already = (&self.0).write(&1_u64.to_ne_bytes());
    }

    /// It is not set any more.
    pub fn clear(&self) {
        // It fails when it was not set.
        let _clear_already = (&self.0).read(&mut [0; 8]);
    }

    /// A descriptor to watch.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.0.try_clone().map(OwnedFd::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::descriptor::is_ready;

    #[test]
    fn its_descriptor_can_be_read_while_it_is_set() {
        let event = Event::new().unwrap();
        let descriptor = event.descriptor().unwrap();
        assert!(!is_ready(&descriptor));
        event.set();
        event.set();
        assert!(is_ready(&descriptor));
        event.clear();
        assert!(!is_ready(&descriptor));
        event.clear();
    }
}
