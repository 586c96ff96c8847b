//! What a client may still do, where its server has limits.

use std::cell::Cell;
use std::fmt;

use crate::limits::gate::Ticket;

/// That of one client.
pub struct Meter {
    /// Its place among the clients, as long as its session is open.
    ticket: Cell<Option<Ticket>>,
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meter")
    }
}

impl Meter {
    /// For a client that has this place.
    pub fn new(ticket: Ticket) -> Self {
        Self { ticket: Cell::new(Some(ticket)) }
    }

    /// The session has ended: its place is free.
    pub fn close(&self) {
        self.ticket.take();
    }
}
