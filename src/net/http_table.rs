//! The connections of a worker by which polling requests come, and their deadlines.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use slab::Slab;

use super::timers::Timers;

/// The table of such connections.
pub struct HttpTable<T: ?Sized> {
    table: RefCell<Slab<Rc<T>>>,
    timers: RefCell<Timers>,
    /// Counts the requests of all of them, so that a late answer is never taken for one to a connection
    /// that has the slot of another.
    generation: Cell<u32>,
}

impl<T: ?Sized> Default for HttpTable<T> {
    fn default() -> Self {
        Self { table: RefCell::default(), timers: RefCell::default(), generation: Cell::default() }
    }
}

impl<T: ?Sized> fmt::Debug for HttpTable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTable").field("len", &self.table.borrow().len()).finish_non_exhaustive()
    }
}

impl<T: ?Sized> HttpTable<T> {
    /// Adds the connection that `make` makes of its slot; gives what else it makes.
    pub fn add<R>(&self, make: impl FnOnce(usize) -> (Rc<T>, R)) -> R {
        let mut table = self.table.borrow_mut();
        let entry = table.vacant_entry();
        let (wire, rest) = make(entry.key());
        entry.insert(wire);
        rest
    }

    /// Takes out a connection that is over.
    pub fn remove(&self, slot: u32) {
        self.table.borrow_mut().try_remove(slot as usize);
    }

    /// The connection in a slot.
    pub fn get(&self, slot: u32) -> Option<Rc<T>> {
        self.table.borrow().get(slot as usize).map(Rc::clone)
    }

    /// All of them.
    pub fn all(&self) -> Vec<Rc<T>> {
        self.table.borrow().iter().map(|(_, wire)| Rc::clone(wire)).collect()
    }

    /// The number of the next request of this worker.
    pub fn next_generation(&self) -> u32 {
        self.generation.set(self.generation.get().wrapping_add(1));
        self.generation.get()
    }

    /// Keeps a deadline for the connection in `slot`; gives it back as it is kept.
    pub fn schedule(&self, deadline: u64, slot: u32) -> u64 {
        self.timers.borrow_mut().schedule(deadline, slot)
    }

    /// The earliest deadline.
    pub fn next_deadline(&self) -> Option<u64> {
        self.timers.borrow().next_deadline()
    }

    /// Takes a deadline that is due.
    pub fn pop_due(&self, now: u64) -> Option<(u64, u32)> {
        self.timers.borrow_mut().pop_due(now)
    }
}
