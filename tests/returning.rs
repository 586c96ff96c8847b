//! Clients that come back to a cluster by a stream, against a model: whenever they are let in, and whoever hands over what the stream
//! brings, each gets all that is for it, once and in order.
//!
//! `cargo test --no-default-features --features standalone --test returning`; the manifest must not name it, since the package
//! has no tests.
#![cfg(feature = "standalone")]

use std::collections::BTreeSet;
use std::sync::Arc;

use ferrosocket::binding::operations::Operations;
use ferrosocket::border::OperationKind;
use ferrosocket::id::{Handle, Slot};
use ferrosocket::net::command::{Command, Outgoing};
use ferrosocket::net::directory::{Remote, RoomName};
use ferrosocket::net::lifecycle::LifecycleEvent;
use ferrosocket::net::operation_batch::{Operation, OperationBatch};
use ferrosocket::net::returning::{Kept, Place};
use proptest::prelude::*;

const CLUSTER: u32 = 7;
const EVERYONE: u32 = 9;
const ROOMS: [&str; 3] = ["a", "b", "c"];
const CLIENTS: usize = 4;
const MOST: usize = 1 << 20;

#[derive(Clone, Debug)]
enum Turn {
    /// Somebody broadcasts: it stands in the stream.
    Write {
        to: BTreeSet<usize>,
        except: BTreeSet<usize>,
    },
    /// So much of it is handed over.
    Read(usize),
    /// A client comes back: what passes is noted for it from now on.
    Begin(usize),
    /// What was before is read again.
    ReadAgain(usize),
    /// JavaScript lets it in.
    LetIn(usize),
    Go(usize),
    /// JavaScript wants to see all, or not any more.
    Indirect,
    Direct,
    /// JavaScript handles so many of those that it was given.
    Handle(usize),
    /// The batch of JavaScript leaves.
    HandOver,
}

fn turn() -> impl Strategy<Value = Turn> {
    let client = || 0..CLIENTS;
    let rooms = |most| prop::collection::btree_set(0..ROOMS.len(), 0..most);
    prop_oneof![
        8 => (rooms(3), rooms(2)).prop_map(|(to, except)| Turn::Write { to, except }),
        8 => (1..4_usize).prop_map(Turn::Read),
        4 => client().prop_map(Turn::Begin),
        4 => client().prop_map(Turn::ReadAgain),
        4 => client().prop_map(Turn::LetIn),
        2 => client().prop_map(Turn::Go),
        1 => Just(Turn::Indirect),
        2 => Just(Turn::Direct),
        4 => (1..4_usize).prop_map(Turn::Handle),
        6 => Just(Turn::HandOver),
    ]
}

#[derive(Debug)]
enum State {
    Away,
    /// JavaScript is told that it is `ready` behind all that it has been given so far.
    Returning {
        number: u32,
        to: usize,
        ready: Option<usize>,
    },
    In(Handle),
}

#[derive(Debug)]
struct Client {
    rooms: BTreeSet<usize>,
    state: State,
    /// The places of what it has got.
    got: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Entry {
    to: BTreeSet<usize>,
    except: BTreeSet<usize>,
}

struct World {
    operations: Operations,
    batch: Vec<u8>,
    stream: Vec<Entry>,
    /// How much of it has been handed over.
    reached: usize,
    clients: Vec<Client>,
    /// By their generations, which begin at 1.
    handles: Vec<usize>,
    given: Vec<usize>,
    handled: usize,
}

impl World {
    fn new(rooms: Vec<BTreeSet<usize>>) -> Self {
        let mut operations = Operations::default();
        operations.restart(1);
        operations.directory().lock().open_namespace(CLUSTER);
        let client = |rooms| Client { rooms, state: State::Away, got: Vec::new() };
        let mut world = Self {
            operations,
            batch: Vec::new(),
            stream: Vec::new(),
            reached: 0,
            clients: rooms.into_iter().map(client).collect(),
            handles: Vec::new(),
            given: Vec::new(),
            handled: 0,
        };
        for (number, name) in (0..).zip(ROOMS) {
            world.name(number, name);
        }
        let everyone = [&CLUSTER.to_le_bytes()[..], &room(EVERYONE)].concat();
        world.operation(OperationKind::NameEveryone, &everyone);
        world.step(Turn::Direct);
        world.step(Turn::HandOver);
        world
    }

    fn name(&mut self, number: u32, name: &str) {
        let operands = [&CLUSTER.to_le_bytes()[..], &[0], &text(name), &room(number)].concat();
        self.operation(OperationKind::NameRoom, &operands);
    }

    fn operation(&mut self, kind: OperationKind, operands: &[u8]) {
        let length = u32::try_from(operands.len() + 1).expect("it is small");
        self.batch.extend(length.to_le_bytes());
        self.batch.push(kind as u8);
        self.batch.extend(operands);
    }

    fn step(&mut self, turn: Turn) {
        match turn {
            Turn::Write { to, except } => self.stream.push(Entry { to, except }),
            Turn::Read(most) => self.read(most),
            Turn::Begin(client) => self.begin(client),
            Turn::ReadAgain(client) => self.read_again(client),
            Turn::LetIn(client) => self.let_in(client),
            Turn::Go(client) => self.go(client),
            Turn::Indirect => self.operation(OperationKind::Indirect, &CLUSTER.to_le_bytes()),
            Turn::Direct => {
                let operands = [CLUSTER.to_le_bytes(), self.count()].concat();
                self.operation(OperationKind::Direct, &operands);
            }
            Turn::Handle(most) => {
                for _ in 0..most {
                    self.handle();
                }
            }
            Turn::HandOver => {
                let batch = std::mem::take(&mut self.batch);
                let Self { operations, clients, handles, .. } = self;
                operations.read(&batch);
                operations.drain(&batch, |_, operation| deliver(clients, handles, &operation));
            }
        }
    }

    /// How many messages JavaScript has handled.
    fn count(&self) -> [u8; 4] {
        u32::try_from(self.handled).expect("it is small").to_le_bytes()
    }

    fn read(&mut self, most: usize) {
        let directory = Arc::clone(self.operations.directory());
        let mut population = directory.lock();
        let mut batches: Vec<OperationBatch> = Vec::new();
        for place in self.reached..self.stream.len().min(self.reached + most) {
            let entry = &self.stream[place];
            let (rooms, except) = (names(&entry.to), names(&entry.except));
            let messages = messages(place);
            let kept = Some(Kept { place: pair(place), most: MOST });
            let remote =
                Remote { rooms: &rooms, except: &except, flags: 0, messages: &messages, kept };
            if population.is_direct(CLUSTER) {
                population.fan_out(CLUSTER, &remote, &mut batches);
            } else {
                population.give_broadcast(CLUSTER, &remote);
                self.given.push(place);
            }
            self.reached = place + 1;
        }
        for batch in &mut batches {
            batch.drain(&[], |it| deliver(&mut self.clients, &self.handles, &it));
        }
    }

    fn begin(&mut self, client: usize) {
        let Client { rooms, state, got } = &mut self.clients[client];
        if !matches!(state, State::Away) || got.last().is_some_and(|&last| last >= self.reached) {
            return;
        }
        let after = got.last().map_or((0, 0), |&last| pair(last));
        let mut population = self.operations.directory().lock();
        let returning = population.returning(CLUSTER).expect("it is open");
        let number = returning.begin(names(rooms), after).expect("they are few");
        *state = State::Returning { number, to: self.reached, ready: None };
    }

    fn read_again(&mut self, client: usize) {
        let State::Returning { number, to, ready } = &mut self.clients[client].state else {
            return;
        };
        if ready.replace(self.given.len()).is_some() {
            return;
        }
        let mut population = self.operations.directory().lock();
        let returning = population.returning(CLUSTER).expect("it is open");
        for (place, entry) in self.stream[..*to].iter().enumerate() {
            let (rooms, except) = (names(&entry.to), names(&entry.except));
            if returning.concerns(*number, &rooms, &except, pair(place)) {
                returning.add(*number, &messages(place), MOST);
            }
        }
    }

    fn let_in(&mut self, client: usize) {
        let State::Returning { number, ready: Some(behind), .. } = self.clients[client].state
        else {
            return;
        };
        if self.handled < behind {
            return;
        }
        self.handles.push(client);
        let generation = u32::try_from(self.handles.len()).expect("it is small");
        let handle = Handle::new(0, client).of_generation(generation);
        self.operations.note(LifecycleEvent::Opened(handle));
        self.clients[client].state = State::In(handle);
        for room in self.rooms_of(client) {
            self.operation(OperationKind::Join, &[&handle_bytes(handle)[..], &room].concat());
        }
        let count = self.count();
        let tail = [CLUSTER.to_le_bytes(), number.to_le_bytes(), count].concat();
        self.operation(OperationKind::LetIn, &[&handle_bytes(handle)[..], &tail].concat());
    }

    fn rooms_of(&self, client: usize) -> Vec<[u8; 8]> {
        let rooms = self.clients[client].rooms.iter();
        let rooms = rooms.map(|&number| room(u32::try_from(number).expect("it is small")));
        std::iter::once(room(EVERYONE)).chain(rooms).collect()
    }

    fn go(&mut self, client: usize) {
        let State::In(handle) = self.clients[client].state else { return };
        for room in self.rooms_of(client) {
            self.operation(OperationKind::Leave, &[&handle_bytes(handle)[..], &room].concat());
        }
        self.operation(OperationKind::Release, &handle_bytes(handle));
        // What has been asked before it has gone has been done.
        self.step(Turn::HandOver);
        self.operations.note(LifecycleEvent::Closed(handle));
        self.clients[client].state = State::Away;
    }

    /// JavaScript broadcasts what it was given, by its own rooms.
    fn handle(&mut self) {
        let Some(&place) = self.given.get(self.handled) else { return };
        self.handled += 1;
        let Entry { to, except } = self.stream[place].clone();
        let list = |rooms: &BTreeSet<usize>| {
            let count = u32::try_from(rooms.len()).expect("it is small").to_le_bytes().to_vec();
            let rooms = rooms.iter();
            let each = rooms.flat_map(|&number| room(u32::try_from(number).expect("it is small")));
            count.into_iter().chain(each).collect::<Vec<u8>>()
        };
        let everyone = [&1_u32.to_le_bytes()[..], &room(EVERYONE)].concat();
        let to = if to.is_empty() { everyone } else { list(&to) };
        let packet = text(&place.to_string());
        let operands = [&[0][..], &to, &list(&except), &packet, &0_u32.to_le_bytes()].concat();
        self.operation(OperationKind::Broadcast, &operands);
    }

    /// All that is under way comes to its end.
    fn finish(&mut self) {
        self.step(Turn::Read(usize::MAX >> 1));
        self.step(Turn::Handle(self.given.len()));
        self.step(Turn::HandOver);
        for client in 0..self.clients.len() {
            self.step(Turn::Begin(client));
            self.step(Turn::ReadAgain(client));
            self.step(Turn::LetIn(client));
        }
        self.step(Turn::HandOver);
    }
}

fn deliver(clients: &mut [Client], handles: &[usize], operation: &Operation<'_>) {
    let mut give = |slot: Slot, message: &Outgoing| {
        let (Outgoing::Text(text) | Outgoing::Binary(text)) = message;
        let place = String::from_utf8_lossy(text).parse().expect("it is a number");
        clients[handles[slot.generation as usize - 1]].got.push(place);
    };
    match operation {
        Operation::Command(Command::Broadcast { group, messages, .. }) => {
            group.iter().for_each(|slot| give(slot, &messages[0]));
        }
        Operation::Command(Command::Send { slot, messages, .. }) => {
            for message in messages {
                give(*slot, message);
            }
        }
        Operation::Command(_) | Operation::SendText { .. } => {}
    }
}

fn names(rooms: &BTreeSet<usize>) -> Vec<RoomName<'static>> {
    rooms.iter().map(|&number| RoomName::Text(ROOMS[number])).collect()
}

fn messages(place: usize) -> Arc<[Outgoing]> {
    Arc::new([Outgoing::Text(place.to_string().into_bytes().into())])
}

fn pair(place: usize) -> Place {
    (1, place as u64)
}

fn room(number: u32) -> [u8; 8] {
    let [a, b, c, d] = number.to_le_bytes();
    [a, b, c, d, 0, 0, 0, 0]
}

fn handle_bytes(handle: Handle) -> Vec<u8> {
    [handle.raw().to_le_bytes(), handle.generation().to_le_bytes()].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&u32::try_from(text.len()).expect("it is small").to_le_bytes(), text.as_bytes()].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn each_gets_all_that_is_for_it_once_and_in_order(
        rooms in prop::collection::vec(prop::collection::btree_set(0..ROOMS.len(), 0..=3), CLIENTS),
        turns in prop::collection::vec(turn(), 0..150),
    ) {
        let mut world = World::new(rooms);
        for turn in turns {
            world.step(turn);
        }
        world.finish();
        prop_assert_eq!(world.operations.faults().unreadable, 0);
        for client in &world.clients {
            let is_for_it = |entry: &Entry| {
                (entry.to.is_empty() || !entry.to.is_disjoint(&client.rooms))
                    && entry.except.is_disjoint(&client.rooms)
            };
            let all = world.stream.iter().enumerate().filter(|(_, entry)| is_for_it(entry));
            let all: Vec<_> = all.map(|(place, _)| place).collect();
            prop_assert_eq!(&client.got, &all, "{:?}", client);
        }
    }
}

/// Who has missed more than is kept begins anew: it is not let in with a part of it.
#[test]
fn who_has_missed_too_much_is_closed() {
    let mut world = World::new(vec![BTreeSet::new()]);
    world.step(Turn::Begin(0));
    world.step(Turn::ReadAgain(0));
    let directory = Arc::clone(world.operations.directory());
    let messages = messages(1);
    let kept = Some(Kept { place: pair(1), most: 10 });
    let remote = Remote { rooms: &[], except: &[], flags: 0, messages: &messages, kept };
    directory.lock().fan_out(CLUSTER, &remote, &mut Vec::new());
    world.let_in(0);
    let batch = std::mem::take(&mut world.batch);
    world.operations.read(&batch);
    let mut closed = false;
    world.operations.drain(&batch, |_, operation| {
        closed |= matches!(operation, Operation::Command(Command::Close { .. }));
    });
    assert!(closed);
    let mut population = directory.lock();
    assert!(population.returning(CLUSTER).is_some_and(|returning| returning.is_empty()));
}
