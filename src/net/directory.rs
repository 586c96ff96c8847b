//! Who is where, for the two threads that ask: that of JavaScript, and one that has something for clients from
//! other nodes (`cluster`).
//!
//! ```text
//!   JavaScript:  lock ── apply a batch: joins, leaves, names; hand it over to the workers ── unlock
//!   a link:      lock ── look up the targets of broadcasts; hand them over to the workers ── unlock
//! ```
//!
//! Both hand over under the lock. So what another node sends stands behind or before all of a batch: a client
//! gets it behind what the batch that has put it into a room has sent to it (the answer to its CONNECT, say), and never when
//! the batch that has taken it out has been handed over.
//!
//! Without a cluster, the lock is JavaScript's alone.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustc_hash::FxHashMap;

use super::command::{Command, Outgoing};
use super::operation_batch::OperationBatch;
use super::returning::{Kept, Place, Returnings};
pub use super::room_name::RoomName;
use super::room_name::bits;
use super::runtime::Runtime;
use crate::id::Handle;
use crate::socketio::{Handles, RoomId, Rooms, Target};

/// What both threads ask.
#[derive(Debug, Default)]
pub struct Directory(Mutex<Population>);

impl Directory {
    /// Waits for its turn.
    pub fn lock(&self) -> MutexGuard<'_, Population> {
        // Whatever has panicked has left no half of a change that could harm: going on is better than taking the process down.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connections, rooms, and what other nodes call these.
#[derive(Default)]
pub struct Population {
    /// The connections that there are.
    pub handles: Handles,
    /// Who is in which room.
    pub rooms: Rooms,
    /// The namespaces that other nodes have, too, by their numbers.
    namespaces: FxHashMap<u32, Namespace>,
    runtime: Weak<Runtime>,
}

impl fmt::Debug for Population {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Population").field("handles", &self.handles.len()).finish_non_exhaustive()
    }
}

/// A namespace that other nodes have, too.
#[derive(Debug, Default)]
struct Namespace {
    texts: FxHashMap<Box<str>, Target>,
    /// By the bits of their names.
    numbers: FxHashMap<u64, Target>,
    everyone: Option<RoomId>,
    order: Order,
    returning: Returnings,
    /// How far its stream has been handed over.
    reached: Option<Place>,
}

/// Who hands broadcasts of other nodes to the workers. It is JavaScript first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Order {
    /// Whether it is the link, as long as JavaScript is not given anything that says what later ones mean.
    direct: bool,
    /// How many messages JavaScript has been given that it must have handled before the link goes on.
    given: u32,
}

/// What is to be done with a broadcast to a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// Nobody is in it.
    Nobody,
    /// It can be fanned out.
    Clients,
    /// JavaScript wants to have it.
    JavaScript,
}

/// A broadcast of another node.
#[derive(Debug)]
pub struct Remote<'a> {
    /// The rooms that it is for; none: all.
    pub rooms: &'a [RoomName<'a>],
    /// The rooms that it is not for.
    pub except: &'a [RoomName<'a>],
    /// Bits of [`send_flag`](crate::border::send_flag).
    pub flags: u8,
    /// What is sent.
    pub messages: &'a Arc<[Outgoing]>,
    /// Whether those who come back are to have it, too.
    pub kept: Option<Kept>,
}

impl Population {
    /// From now on there are the workers of `runtime`, which have no connections. The namespaces stay.
    pub fn restart(&mut self, workers: usize, runtime: Weak<Runtime>) {
        self.handles = Handles::new(workers);
        self.rooms = Rooms::new(workers);
        self.runtime = runtime;
    }

    /// The workers, if they run. Who gets this may become the last to need them: it is to be dropped without the lock.
    pub fn runtime(&self) -> Option<Arc<Runtime>> {
        self.runtime.upgrade()
    }

    // --- what JavaScript says ---

    /// Other nodes have a namespace, too.
    pub fn open_namespace(&mut self, number: u32) {
        self.namespaces.insert(number, Namespace::default());
    }

    /// Nothing comes for it any more.
    pub fn close_namespace(&mut self, number: u32) {
        self.namespaces.remove(&number);
    }

    /// A room has this name; the one that had it before has none.
    pub fn name(&mut self, namespace: u32, name: RoomName<'_>, target: Target) {
        let Some(namespace) = self.namespaces.get_mut(&namespace) else { return };
        match name {
            RoomName::Text(text) => namespace.texts.insert(text.into(), target),
            RoomName::Number(number) => namespace.numbers.insert(bits(number), target),
        };
    }

    /// No room has this name any more.
    pub fn unname(&mut self, namespace: u32, name: RoomName<'_>) {
        let Some(namespace) = self.namespaces.get_mut(&namespace) else { return };
        match name {
            RoomName::Text(text) => namespace.texts.remove(text),
            RoomName::Number(number) => namespace.numbers.remove(&bits(number)),
        };
    }

    /// All sockets of a namespace are in this room.
    pub fn name_everyone(&mut self, namespace: u32, room: RoomId) {
        if let Some(namespace) = self.namespaces.get_mut(&namespace) {
            namespace.everyone = Some(room);
        }
    }

    /// The link fans out, if JavaScript has handled all that it was given: else it has to say so again.
    pub fn direct(&mut self, namespace: u32, handled: u32) {
        if let Some(Namespace { order, .. }) = self.namespaces.get_mut(&namespace)
            && order.given == handled
        {
            order.direct = true;
        }
    }

    /// JavaScript gets all that comes from now on.
    pub fn indirect(&mut self, namespace: u32) {
        if let Some(namespace) = self.namespaces.get_mut(&namespace) {
            namespace.order.direct = false;
        }
    }

    // --- what a link asks ---

    /// Who has a use for a broadcast of a namespace, to one room or (none of the names) to any.
    pub fn concern(&self, namespace: u32, room: &[RoomName<'_>]) -> Concern {
        let Some(namespace) = self.namespaces.get(&namespace) else { return Concern::Nobody };
        if !namespace.order.direct {
            return Concern::JavaScript;
        }
        let known = match room {
            [] => namespace.everyone.is_some_and(|room| self.rooms.room_len(room) > 0),
            names => names.iter().any(|&name| namespace.find(name).is_some()),
        };
        if known { Concern::Clients } else { Concern::Nobody }
    }

    /// JavaScript is given a message that says what later ones mean: it gets these, too, until it says
    /// [`direct`](Self::direct).
    pub fn give(&mut self, namespace: u32) {
        if let Some(Namespace { order, .. }) = self.namespaces.get_mut(&namespace) {
            order.give();
        }
    }

    /// JavaScript is given a broadcast, in the same way.
    pub fn give_broadcast(&mut self, namespace: u32, remote: &Remote<'_>) {
        let Some(Namespace { order, returning, .. }) = self.namespaces.get_mut(&namespace) else {
            return;
        };
        order.give();
        if let Some(kept) = remote.kept {
            returning.note(remote.rooms, remote.except, remote.messages, kept, Some(order.given));
        }
    }

    /// The clients that come back to a namespace.
    pub fn returning(&mut self, namespace: u32) -> Option<&mut Returnings> {
        self.namespaces.get_mut(&namespace).map(|namespace| &mut namespace.returning)
    }

    /// The stream of a namespace has been handed over up to there.
    pub fn reach(&mut self, namespace: u32, place: Place) {
        if let Some(namespace) = self.namespaces.get_mut(&namespace) {
            namespace.reached = Some(place);
        }
    }

    /// How far it has.
    pub fn reached(&self, namespace: u32) -> Option<Place> {
        self.namespaces.get(&namespace)?.reached
    }

    /// Whether the link is to fan out the broadcasts of a namespace.
    pub fn is_direct(&self, namespace: u32) -> bool {
        self.namespaces.get(&namespace).is_some_and(|namespace| namespace.order.direct)
    }

    /// Sorts a broadcast into `batches`, one for each worker; whether it goes to anybody.
    pub fn fan_out(
        &mut self,
        namespace: u32,
        remote: &Remote<'_>,
        batches: &mut Vec<OperationBatch>,
    ) -> bool {
        if let Some(kept) = remote.kept
            && let Some(returning) = self.returning(namespace)
        {
            returning.note(remote.rooms, remote.except, remote.messages, kept, None);
        }
        let Some(namespace) = self.namespaces.get(&namespace) else { return false };
        let to = if remote.rooms.is_empty() {
            namespace.everyone.map(Target::Room).into_iter().collect()
        } else {
            self.targets(namespace, remote.rooms)
        };
        let targets = self.rooms.targets(&to, &self.targets(namespace, remote.except));
        let any = !targets.is_empty();
        for (worker, group) in targets.groups {
            if batches.len() <= worker {
                batches.resize_with(worker + 1, OperationBatch::default);
            }
            let messages = Arc::clone(remote.messages);
            let flags = remote.flags;
            batches[worker].command(Command::Broadcast { group, flags, messages });
        }
        any
    }

    fn targets(&self, namespace: &Namespace, names: &[RoomName<'_>]) -> Vec<Target> {
        let known = |target: &Target| match *target {
            Target::Room(_) => true,
            Target::Socket(handle) => self.is_known(handle),
        };
        names.iter().filter_map(|&name| namespace.find(name)).filter(known).collect()
    }

    fn is_known(&self, handle: Handle) -> bool {
        self.handles.is_known(handle)
    }
}

impl Order {
    fn give(&mut self) {
        self.given = self.given.wrapping_add(1);
        self.direct = false;
    }
}

impl Namespace {
    fn find(&self, name: RoomName<'_>) -> Option<Target> {
        match name {
            RoomName::Text(text) => self.texts.get(text).copied(),
            RoomName::Number(number) => self.numbers.get(&bits(number)).copied(),
        }
    }
}
