//! The lock that is held by the process that serves, of the two of a hand-over (`src/handover/serving.rs`).
//!
//! It is that of a file in memory, so it is nobody's but theirs, and the system lets it go when a process ends, however that is.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::fs::{FlockOperation, MemfdFlags, flock, memfd_create};

/// One of the two ends of the lock.
#[derive(Debug)]
pub(super) struct ServingLock(File);

impl ServingLock {
    /// A new lock, which this process holds, and the end of the other process.
    ///
    /// # Errors
    /// When there is no `/proc` (`Unsupported`), or no descriptor is left.
    pub(super) fn hold() -> io::Result<(Self, OwnedFd)> {
        let theirs = memfd_create("ferrosocket-handover", MemfdFlags::CLOEXEC)?;
        // The lock is one of an open file. What is passed to another process stays the same open file, so ours is another one.
        let path = format!("/proc/self/fd/{}", theirs.as_raw_fd());
        let opened = OpenOptions::new().read(true).write(true).open(path).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                return io::ErrorKind::Unsupported.into();
            }
            error
        });
        let ours = Self(opened?);
        flock(&ours.0, FlockOperation::NonBlockingLockExclusive)?;
        Ok((ours, theirs))
    }

    /// The end that has come from the other process.
    pub(super) fn of(theirs: OwnedFd) -> Self {
        Self(theirs.into())
    }

    /// Whether it is ours now. It is never again when it has been [kept](Self::keep).
    pub(super) fn try_lock(&self) -> bool {
        if flock(&self.0, FlockOperation::NonBlockingLockExclusive).is_err() {
            return false;
        }
        let is_kept = self.0.metadata().map_or(true, |found| found.len() > 0);
        if is_kept {
            self.unlock();
        }
        !is_kept
    }

    /// Lets it go.
    pub(super) fn unlock(&self) {
        let _unlocked = flock(&self.0, FlockOperation::Unlock);
    }

    /// Whoever has it now has it for good, also when he closes it: the hand-over is over.
    pub(super) fn keep(&self) {
        let _written = (&self.0).write_all(b"kept");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_two_has_it() {
        let (ours, theirs) = ServingLock::hold().unwrap();
        let theirs = ServingLock::of(theirs);
        assert!(!theirs.try_lock());
        ours.unlock();
        assert!(theirs.try_lock());
        assert!(!ours.try_lock());
        theirs.unlock();
        assert!(ours.try_lock());
    }

    #[test]
    fn it_goes_with_who_has_it() {
        let (ours, theirs) = ServingLock::hold().unwrap();
        let theirs = ServingLock::of(theirs);
        drop(ours);
        assert!(theirs.try_lock());
    }

    #[test]
    fn what_is_kept_is_nobody_elses() {
        let (ours, theirs) = ServingLock::hold().unwrap();
        let theirs = ServingLock::of(theirs);
        ours.keep();
        drop(ours);
        assert!(!theirs.try_lock());
    }
}
