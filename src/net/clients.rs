//! The clients of a worker, by their slots, and the requests that are for them.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use slab::Slab;

use super::budget::{Budget, HeldBytes};
use super::client::Client;
use super::command::{Command, RequestEvent};
use super::context::WorkerContext;
use super::panic_guard::Nobody;
use crate::engineio::RequestId;
use crate::id::{Handle, Slot};

/// Commands for clients that had gone when they came, in all workers of the process.
static STALE: AtomicU64 = AtomicU64::new(0);

/// How many commands were dropped because their client had gone.
pub fn stale_commands() -> u64 {
    STALE.load(Ordering::Relaxed)
}

#[cold]
fn note_stale() {
    STALE.fetch_add(1, Ordering::Relaxed);
}

/// A generation for a new client. The counter is that of the process, and so no two clients
/// have the same slot and generation, even when the threads have ended and begun anew meanwhile
/// (unless four billion come between).
fn next_generation() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    loop {
        let generation = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        // 0 stands for no session.
        if generation != 0 {
            return generation;
        }
    }
}

/// The clients of a worker.
#[derive(Default)]
pub struct Clients(RefCell<Slab<Rc<Client>>>);

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("len", &self.0.borrow().len()).finish_non_exhaustive()
    }
}

impl Clients {
    /// Adds the client that `open` makes, to which `worker` gives this handle.
    pub fn add(&self, worker: usize, open: impl FnOnce(Handle) -> Rc<Client>) -> Rc<Client> {
        let mut clients = self.0.borrow_mut();
        let entry = clients.vacant_entry();
        let client = open(Handle::new(worker, entry.key()).of_generation(next_generation()));
        entry.insert(Rc::clone(&client));
        client
    }

    /// The client of a slot that the worker has kept itself. One that has gone, and whoever has its slot
    /// now, is not meant.
    pub fn find(&self, slot: Slot) -> Option<Rc<Client>> {
        find(&self.0.borrow(), slot).map(Rc::clone)
    }

    /// The client of a slot that others name. That it has gone is counted.
    pub fn look_up(&self, slot: Slot) -> Option<Rc<Client>> {
        look_up(&self.0.borrow(), slot).map(Rc::clone)
    }

    /// The client in the place `index`, whichever it is now.
    pub fn at(&self, index: u32) -> Option<Rc<Client>> {
        self.0.borrow().get(index as usize).map(Rc::clone)
    }

    /// Gives `each` the clients of slots that others name. It must not add or remove any.
    pub fn each(&self, slots: impl IntoIterator<Item = Slot>, mut each: impl FnMut(&Rc<Client>)) {
        let clients = self.0.borrow();
        for slot in slots {
            if let Some(client) = look_up(&clients, slot) {
                each(client);
            }
        }
    }

    /// All of them.
    pub fn all(&self) -> Vec<Rc<Client>> {
        self.0.borrow().iter().map(|(_, client)| Rc::clone(client)).collect()
    }

    /// JavaScript has let go of a slot, which another client may have from now on. False, and nothing is
    /// done, when there is no such client, or it is not over.
    pub fn release(&self, slot: Slot) -> bool {
        let mut clients = self.0.borrow_mut();
        match look_up(&clients, slot) {
            Some(client) if client.is_over() => {
                clients.remove(slot.index as usize);
                true
            }
            Some(_) => {
                note_stale();
                false
            }
            None => false,
        }
    }

    /// Takes out the clients of the environments that `doomed` names by their id.
    pub fn take(&self, doomed: impl Fn(u32) -> bool) -> Vec<Rc<Client>> {
        let mut taken = Vec::new();
        self.0.borrow_mut().retain(|_, client| {
            let stays = !doomed(client.server.environment.id);
            if !stays {
                taken.push(Rc::clone(client));
            }
            stays
        });
        taken
    }

    // --- requests ------------------------------------------------------------------------------

    /// A request for a session of any worker has come as far as `event` says.
    pub fn handle_request(
        &self,
        context: &WorkerContext,
        session: Handle,
        request: RequestId,
        event: RequestEvent,
    ) {
        let slot = session.slot();
        if session.worker() == context.index {
            self.handle_own_request(context, slot, request, event);
        } else {
            context.post(session.worker(), Command::Request { slot, request, event });
        }
    }

    /// The same, for a session of this worker.
    pub fn handle_own_request(
        &self,
        context: &WorkerContext,
        slot: Slot,
        request: RequestId,
        event: RequestEvent,
    ) {
        match self.look_up(slot) {
            Some(client) => hear(context, &client, request, |client| {
                client.handle_request(context, request, event);
            }),
            // It went while the request was on its way.
            None => context.refuse_late(request, &event),
        }
    }

    /// A POST for a session of any worker has come, body and all. `budget` counts the body, should it
    /// have to wait.
    pub fn handle_post(
        &self,
        context: &WorkerContext,
        session: Handle,
        request: RequestId,
        body: &[u8],
        binary: bool,
        budget: &Arc<Budget>,
    ) {
        if session.worker() == context.index {
            match self.look_up(session.slot()) {
                Some(client) => hear(context, &client, request, |client| {
                    client.handle_post(context, request, body, binary);
                }),
                None => context.refuse_late(request, &RequestEvent::PostStart),
            }
            return;
        }
        self.handle_request(context, session, request, RequestEvent::PostStart);
        let body = HeldBytes::new(budget, context.index, body.to_vec());
        self.handle_request(context, session, request, RequestEvent::PostBody { body, binary });
    }
}

/// Has `client` hear of a request. Should that panic, nobody answers the request any more.
fn hear(
    context: &WorkerContext,
    client: &Rc<Client>,
    request: RequestId,
    hear: impl FnOnce(&Rc<Client>),
) {
    if context.guard(&**client, || hear(client)).is_none() {
        context.guard(&Nobody, || client.drop_request(context, request));
    }
}

fn find(clients: &Slab<Rc<Client>>, slot: Slot) -> Option<&Rc<Client>> {
    clients.get(slot.index as usize).filter(|found| found.handle.generation() == slot.generation)
}

fn look_up(clients: &Slab<Rc<Client>>, slot: Slot) -> Option<&Rc<Client>> {
    let found = find(clients, slot);
    if found.is_none() {
        note_stale();
    }
    found
}
