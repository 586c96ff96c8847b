//! The ids: what names a session on the wire and what names a connection inside the process.

use std::fmt;

use crate::border::handle::WORKER_BITS;

/// A session id: names an Engine.IO session on the wire.
///
/// It is a secret (who knows it can post into the session), so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid(Box<str>);

impl Sid {
    /// The id `id`: 20 random characters, unless the application makes its own
    /// (`engine.generateId`).
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The id as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sid(…)")
    }
}

impl std::borrow::Borrow<str> for Sid {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Names a connection inside its worker: its slot, and which of the connections that have the slot
/// one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    /// Its place in the table of the worker.
    pub index: u32,
    /// Tells it from those that had the place before.
    pub generation: u32,
}

/// Names a connection inside the process: the worker that owns it, its slot there, and its
/// generation.
///
/// A slot is given out again only after both planes have let go of it, and then to another
/// generation: whoever looks something up by a handle compares that, too. So a late operation
/// reaches nobody, whatever has gone wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle {
    place: u32,
    generation: u32,
}

impl Handle {
    /// Workers that a handle can name.
    pub const MAX_WORKERS: usize = 1 << WORKER_BITS;
    /// Slots that a handle can name in each worker (27 bits; the top bit stays free for tags).
    pub const MAX_SLOTS: usize = 1 << 27;

    /// What is in `slot` of `worker`, of generation 0: none of a session has that.
    ///
    /// # Panics
    /// In debug builds, when either is out of range.
    pub fn new(worker: usize, slot: usize) -> Self {
        debug_assert!(worker < Self::MAX_WORKERS && slot < Self::MAX_SLOTS);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "both are range-checked by the callers"
        )]
        Self { place: (slot as u32) << WORKER_BITS | worker as u32, generation: 0 }
    }

    /// The same place in another generation.
    #[must_use]
    pub fn of_generation(self, generation: u32) -> Self {
        Self { generation, ..self }
    }

    /// The handle that crossed the border as `raw`, of generation 0.
    pub fn from_raw(raw: u32) -> Self {
        Self { place: raw, generation: 0 }
    }

    /// The handle as it crosses the border, without its generation.
    pub fn raw(self) -> u32 {
        self.place
    }

    /// Its generation, which crosses the border beside it.
    pub fn generation(self) -> u32 {
        self.generation
    }

    /// Index of the worker that owns the connection.
    pub fn worker(self) -> usize {
        self.place as usize & (Self::MAX_WORKERS - 1)
    }

    /// The connection in its worker.
    pub fn slot(self) -> Slot {
        Slot { index: self.place >> WORKER_BITS, generation: self.generation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_does_not_show_itself() {
        assert_eq!(format!("{:?}", Sid::new("secret")), "Sid(…)");
    }

    #[test]
    fn a_handle_keeps_its_worker_and_slot() {
        let handle = Handle::new(3, 70_000);
        assert_eq!((handle.worker(), handle.slot().index), (3, 70_000));
        assert_eq!(Handle::from_raw(handle.raw()), handle);
        assert_ne!(handle.of_generation(1), handle);
        assert_eq!(handle.of_generation(7).slot(), Slot { index: 70_000, generation: 7 });
    }
}
