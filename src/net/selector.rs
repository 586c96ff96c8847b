//! Where a worker waits for its sockets, and for who has something for it.

use std::io;
use std::time::Duration;

use mio::{Events, Poll, Registry, Token, Waker};

use super::clock;
use super::parker::Parker;

/// What the waker is known by: the place of no connection.
const WAKER: Token = Token(usize::MAX);

/// The queue of the system that tells which sockets are ready.
#[derive(Debug)]
pub struct Selector {
    poll: Poll,
    events: Events,
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    Never,
    /// Until this time, by [`clock::now`]; none: until something happens.
    Until(Option<u64>),
}

impl Selector {
    /// Sockets of which the system tells at once.
    pub const EVENTS: usize = 256;

    /// An empty one, and what ends a wait of it.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub fn new() -> io::Result<(Self, Parker)> {
        let poll = Poll::new()?;
        let parker = Parker::new(Waker::new(poll.registry(), WAKER)?);
        Ok((Self { poll, events: Events::with_capacity(Self::EVENTS) }, parker))
    }

    /// Where sockets are announced and withdrawn, also while a thread waits.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub fn registry(&self) -> io::Result<Registry> {
        self.poll.registry().try_clone()
    }

    /// A descriptor that can be read while a socket is ready, or the worker is told something; it outlives this.
    ///
    /// # Errors
    /// When the system gives none.
    #[cfg(unix)]
    pub fn descriptor(&self) -> io::Result<std::os::fd::OwnedFd> {
        super::descriptor::duplicate_queue(&self.poll)
    }

    /// Waits until a socket is ready, and no longer than `wait` says.
    ///
    /// # Panics
    /// When the system does not know the queue any more: without its sockets a worker is of no use.
    #[expect(clippy::panic, reason = "the thread begins anew, or ends")]
    pub fn wait(&mut self, wait: Wait) {
        let timeout = match wait {
            Wait::Never => Some(Duration::ZERO),
            Wait::Until(deadline) => deadline
                .map(|deadline| Duration::from_millis(deadline.saturating_sub(clock::now()))),
        };
        match self.poll.poll(&mut self.events, timeout) {
            // A signal: as if it had been woken.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.events.clear(),
            Err(error) => panic!("the event queue is gone: {error}"),
            Ok(()) => {}
        }
    }

    /// Forgets what the last wait has told.
    pub fn clear(&mut self) {
        self.events.clear();
    }

    /// Whether the last wait may not have told of all sockets that are ready.
    pub fn is_full(&self) -> bool {
        self.events.iter().count() >= Self::EVENTS
    }

    /// What the last wait has told.
    pub fn events(&self) -> &Events {
        &self.events
    }
}
