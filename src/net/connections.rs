//! The connections of a worker that have a socket, by their places: what the system knows them by.

use std::cell::RefCell;
use std::fmt;
use std::io;

use mio::event::Event;
use slab::Slab;

use super::readiness::{Readiness, RunQueue};

/// What is driven when its socket is ready. A clone is the same connection.
pub trait Driven: Clone {
    /// What its socket is known to be ready for; none when it has no socket.
    fn readiness(&self) -> Option<&Readiness>;
}

/// The table of connections.
pub struct Connections<C>(RefCell<Slab<C>>);

impl<C> Default for Connections<C> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<C> fmt::Debug for Connections<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("len", &self.0.borrow().len()).finish_non_exhaustive()
    }
}

impl<C: Driven> Connections<C> {
    /// Adds the connection that `make` makes, which gets this place, and has it looked at; gives what else is made.
    ///
    /// # Errors
    /// That of `make`: then nothing is added.
    pub fn add<R>(
        &self,
        queue: &RunQueue,
        make: impl FnOnce(u32) -> io::Result<(C, R)>,
    ) -> io::Result<R> {
        let mut table = self.0.borrow_mut();
        let entry = table.vacant_entry();
        let place = u32::try_from(entry.key()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let (connection, rest) = make(place)?;
        if let Some(readiness) = entry.insert(connection).readiness() {
            queue.push(readiness);
        }
        Ok(rest)
    }

    /// The system has told something of a socket. One that is not there any more is not meant; another one
    /// that has its place by now is looked at for nothing.
    pub fn handle_event(&self, queue: &RunQueue, event: &Event) {
        if let Some(readiness) = self.0.borrow().get(event.token().0).and_then(Driven::readiness) {
            readiness.handle_event(event);
            queue.push(readiness);
        }
    }

    /// Takes the next one out of `queue`, if it is not closed.
    pub fn pop(&self, queue: &RunQueue) -> Option<C> {
        let place = queue.pop()?;
        let table = self.0.borrow();
        let connection = table.get(place as usize)?;
        queue.take(connection.readiness()?).then(|| connection.clone())
    }

    /// Forgets those that are closed.
    pub fn release(&self, queue: &RunQueue) {
        queue.release(|place| {
            let mut table = self.0.borrow_mut();
            let found = table.get(place as usize);
            let over = found.and_then(Driven::readiness).is_none_or(|it| queue.is_over(it));
            let connection = if over { table.try_remove(place as usize) } else { None };
            drop(table);
            drop(connection);
            over
        });
    }

    /// All of them.
    pub fn all(&self) -> Vec<C> {
        self.0.borrow().iter().map(|(_, connection)| connection.clone()).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}
