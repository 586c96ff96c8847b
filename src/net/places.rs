//! What is known of some clients only: where they come from, if their socket does not tell, and their places among those that count.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::limits::addresses::Address;
use crate::limits::gate::{Gate, Ticket};
use crate::limits::traffic::{Meter, Over};

/// That of one client.
#[derive(Debug)]
pub struct Place {
    /// Where it comes from: over polling, or as a proxy has told.
    pub address: Option<IpAddr>,
    /// Its place among the clients, as long as this lives; none: they are not counted.
    pub ticket: Option<Ticket>,
}

/// What a client has sent, where that is limited, and whether it may send on.
#[derive(Debug)]
pub struct Allowance {
    /// What it has been let in by, which has the limits.
    pub gate: Arc<Gate>,
    /// What all clients of its address share.
    pub address: Option<Arc<Address>>,
    /// What is its own.
    pub meter: Meter,
    /// What counts besides for the packet whose attachments are awaited: that of its namespace.
    pub namespace: Cell<Option<usize>>,
    /// What that packet is too much of, if it is dropped.
    pub dropped: Cell<Option<Over>>,
    /// What is to be answered to events that were dropped.
    pub answers: RefCell<Vec<String>>,
}

impl Allowance {
    /// That of a client with this place; none: nothing is limited that it sends.
    fn of(ticket: &Ticket) -> Option<Rc<Self>> {
        let gate = Arc::clone(ticket.gate());
        let meter = Meter::new(gate.traffic()?);
        Some(Rc::new(Self {
            address: ticket.shared_address(),
            gate,
            meter,
            namespace: Cell::new(None),
            dropped: Cell::new(None),
            answers: RefCell::default(),
        }))
    }
}

#[derive(Debug)]
struct Entry {
    address: Option<IpAddr>,
    allowance: Option<Rc<Allowance>>,
    ticket: Option<Ticket>,
}

/// All of that, by the slots of the clients. A WebSocket's client has nothing here by default: a field for it would have each client
/// take more memory.
#[derive(Default)]
pub struct Places(RefCell<FxHashMap<u32, Entry>>);

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("len", &self.0.borrow().len()).finish_non_exhaustive()
    }
}

impl Places {
    /// Keeps what is known of a client that has come, if there is anything.
    pub fn put(&self, client: u32, place: Place) {
        let Place { address, ticket } = place;
        if address.is_some() || ticket.is_some() {
            let allowance = ticket.as_ref().and_then(Allowance::of);
            self.0.borrow_mut().insert(client, Entry { address, allowance, ticket });
        }
    }

    /// The address of a client, if its socket does not tell it.
    pub fn address(&self, client: u32) -> Option<IpAddr> {
        self.0.borrow().get(&client)?.address
    }

    /// What a client may send, where that is limited.
    pub fn allowance(&self, client: u32) -> Option<Rc<Allowance>> {
        self.0.borrow().get(&client)?.allowance.clone()
    }

    /// A client has joined a namespace.
    pub fn authenticate(&self, client: u32) {
        if let Some(Entry { ticket: Some(ticket), .. }) = self.0.borrow_mut().get_mut(&client) {
            ticket.authenticate();
        }
    }

    /// The session of a client has ended.
    pub fn close(&self, client: u32) {
        self.0.borrow_mut().remove(&client);
    }
}
