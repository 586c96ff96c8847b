//! What is known of some clients only: where they come from, if their socket does not tell, and their places among those that count.

use std::cell::RefCell;
use std::fmt;
use std::net::IpAddr;

use rustc_hash::FxHashMap;

use crate::limits::gate::Ticket;

/// That of one client.
#[derive(Debug)]
pub struct Place {
    /// Where it comes from: over polling, or as a proxy has told.
    pub address: Option<IpAddr>,
    /// Its place among the clients, as long as this lives; none: they are not counted.
    pub ticket: Option<Ticket>,
}

/// All of that, by the slots of the clients. A WebSocket's client has nothing here by default: a field for it would have each client
/// take more memory.
#[derive(Default)]
pub struct Places(RefCell<FxHashMap<u32, Place>>);

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("len", &self.0.borrow().len()).finish_non_exhaustive()
    }
}

impl Places {
    /// Keeps what is known of a client that has come, if there is anything.
    pub fn put(&self, client: u32, place: Place) {
        if place.address.is_some() || place.ticket.is_some() {
            self.0.borrow_mut().insert(client, place);
        }
    }

    /// The address of a client, if its socket does not tell it.
    pub fn address(&self, client: u32) -> Option<IpAddr> {
        self.0.borrow().get(&client)?.address
    }

    /// The session of a client has ended.
    pub fn close(&self, client: u32) {
        self.0.borrow_mut().remove(&client);
    }
}
