//! Operations, whatever they ask and whenever they come, reach those only that they are for: the reader
//! of batches, the table of handles and the rooms against a model, with workers that look at nothing.
//!
//! `cargo test --no-default-features --features standalone --test operations`; the manifest must not name
//! it, since the package has no tests.
#![cfg(feature = "standalone")]

use std::collections::{BTreeMap, BTreeSet};

use ferrosocket::binding::operations::{Faults, Operations};
use ferrosocket::border::layout::{ATTACHED, CONNECTION, PARTED, ROOM_LOW_BITS};
use ferrosocket::border::{OperationKind, StringEncoding};
use ferrosocket::id::{Handle, Slot};
use ferrosocket::net::command::{Command, Outgoing};
use ferrosocket::net::directory::{Concern, Remote, RoomName};
use ferrosocket::net::lifecycle::LifecycleEvent;
use ferrosocket::net::operation_batch::{Operation, OperationBatch};
use proptest::prelude::*;
use proptest::sample::Index;

const WORKERS: usize = 2;
/// Numbers of rooms: small ones, and one that takes more than 31 bits.
const ROOMS: [u64; 3] = [0, 1, (1 << 40) + 1];

/// What happens. Clients are chosen among all that there ever were: most have gone.
#[derive(Clone, Debug)]
enum Step {
    Connect(usize),
    /// The worker ends the session.
    End(Index),
    /// JavaScript lets go of the handle; in good order only if the client has ended.
    Release(Index),
    Join(Index, usize),
    Leave(Index, usize),
    Send(Index, Kind),
    Multicast(Vec<Index>),
    Broadcast {
        to: Vec<Target>,
        except: Vec<Target>,
        kept: bool,
    },
    /// Something that is no operation, or one that is cut off.
    Garbage(Vec<u8>),
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Parted,
    Messages,
    Attached,
    Raw,
    Packet,
}

#[derive(Clone, Debug)]
enum Target {
    Room(usize),
    Client(Index),
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![(0..ROOMS.len()).prop_map(Target::Room), any::<Index>().prop_map(Target::Client),]
}

fn step() -> impl Strategy<Value = Step> {
    let client = any::<Index>;
    let room = || 0..ROOMS.len();
    let kind = prop::sample::select(vec![
        Kind::Text,
        Kind::Parted,
        Kind::Messages,
        Kind::Attached,
        Kind::Raw,
        Kind::Packet,
    ]);
    let targets = |most| prop::collection::vec(target(), 0..most);
    prop_oneof![
        6 => (0..WORKERS).prop_map(Step::Connect),
        3 => client().prop_map(Step::End),
        5 => client().prop_map(Step::Release),
        6 => (client(), room()).prop_map(|(client, room)| Step::Join(client, room)),
        3 => (client(), room()).prop_map(|(client, room)| Step::Leave(client, room)),
        4 => (client(), kind).prop_map(|(client, kind)| Step::Send(client, kind)),
        2 => prop::collection::vec(client(), 0..5).prop_map(Step::Multicast),
        4 => (targets(4), targets(6), any::<bool>())
            .prop_map(|(to, except, kept)| Step::Broadcast { to, except, kept }),
        1 => prop::collection::vec(any::<u8>(), 0..24).prop_map(Step::Garbage),
    ]
}

/// A batch being written, as `lib/border/operations.js` writes it.
#[derive(Default)]
struct Batch(Vec<u8>);

impl Batch {
    fn operation(&mut self, bytes: &[u8]) {
        self.0.extend(u32::try_from(bytes.len()).expect("it is small").to_le_bytes());
        self.0.extend(bytes);
    }
}

fn named(kind: OperationKind, handle: Handle) -> Vec<u8> {
    [&[kind as u8][..], &handle_bytes(handle)].concat()
}

fn handle_bytes(handle: Handle) -> Vec<u8> {
    [handle.raw().to_le_bytes(), handle.generation().to_le_bytes()].concat()
}

fn room(number: u64) -> Vec<u8> {
    let low = u32::try_from(number & ((1 << ROOM_LOW_BITS) - 1)).expect("it is small");
    let high = u32::try_from(number >> ROOM_LOW_BITS).expect("it is small");
    [low.to_le_bytes(), high.to_le_bytes()].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&u32::try_from(text.len()).expect("it is small").to_le_bytes(), text.as_bytes()].concat()
}

fn count(of: usize) -> [u8; 4] {
    u32::try_from(of).expect("it is small").to_le_bytes()
}

/// A client as the model knows it.
struct Client {
    handle: Handle,
    ended: bool,
    released: bool,
}

/// The workers, who give out slots and believe what they are told; and what is expected of all.
#[derive(Default)]
struct World {
    clients: Vec<Client>,
    /// Who has a slot now.
    slots: [BTreeMap<u32, usize>; WORKERS],
    rooms: BTreeMap<u64, BTreeSet<usize>>,
    operations: Operations,
    batch: Batch,
    /// Who is to get which packet, how often.
    expected: BTreeMap<(usize, String), usize>,
    got: BTreeMap<(usize, String), usize>,
    packets: usize,
    log: u32,
}

impl World {
    fn new() -> Self {
        let mut world = Self::default();
        world.operations.restart(WORKERS);
        world
    }

    fn connect(&mut self, worker: usize) {
        let slots = &mut self.slots[worker];
        let index = (0..u32::MAX).find(|index| !slots.contains_key(index)).expect("it is small");
        let generation = u32::try_from(self.clients.len()).expect("it is small") + 1;
        let handle = Handle::new(worker, index as usize).of_generation(generation);
        slots.insert(index, self.clients.len());
        self.clients.push(Client { handle, ended: false, released: false });
        self.operations.note(LifecycleEvent::Opened(handle));
    }

    fn packet(&mut self) -> String {
        self.packets += 1;
        format!("packet {}", self.packets)
    }

    fn is_there(&self, client: usize) -> bool {
        !self.clients[client].released
    }

    fn expect(&mut self, client: usize, packet: &str) {
        if self.is_there(client) {
            *self.expected.entry((client, packet.into())).or_default() += 1;
        }
    }

    fn members(&self, targets: &[Target]) -> BTreeSet<usize> {
        let each = targets.iter().flat_map(|target| match target {
            Target::Room(room) => self.rooms.get(&ROOMS[*room]).cloned().unwrap_or_default(),
            Target::Client(client) => BTreeSet::from([client.index(self.clients.len())]),
        });
        each.filter(|&client| self.is_there(client)).collect()
    }

    fn targets(&self, targets: &[Target]) -> Vec<u8> {
        let each = targets.iter().flat_map(|target| match target {
            Target::Room(number) => room(ROOMS[*number]),
            Target::Client(client) => {
                let handle = self.clients[client.index(self.clients.len())].handle;
                let place = handle.raw() | CONNECTION;
                [place.to_le_bytes(), handle.generation().to_le_bytes()].concat()
            }
        });
        [count(targets.len()).to_vec(), each.collect()].concat()
    }

    fn step(&mut self, step: Step) {
        let clients = self.clients.len();
        match step {
            Step::Connect(worker) => self.connect(worker),
            _ if clients == 0 => {}
            Step::End(client) => {
                // What has been asked for before is judged by what was known then.
                self.hand_over();
                let client = &mut self.clients[client.index(clients)];
                if !client.ended {
                    client.ended = true;
                    self.operations.note(LifecycleEvent::Closed(client.handle));
                }
            }
            Step::Release(client) => self.release(client.index(clients)),
            Step::Join(client, number) => {
                let client = client.index(clients);
                let number = ROOMS[number];
                let operation =
                    [named(OperationKind::Join, self.clients[client].handle), room(number)]
                        .concat();
                self.batch.operation(&operation);
                if self.is_there(client) {
                    self.rooms.entry(number).or_default().insert(client);
                }
            }
            Step::Leave(client, number) => {
                let client = client.index(clients);
                let number = ROOMS[number];
                let operation =
                    [named(OperationKind::Leave, self.clients[client].handle), room(number)]
                        .concat();
                self.batch.operation(&operation);
                if let Some(members) = self.rooms.get_mut(&number) {
                    members.remove(&client);
                }
            }
            Step::Send(client, kind) => self.send(client.index(clients), kind),
            Step::Multicast(to) => {
                let packet = self.packet();
                let to: Vec<usize> = to.iter().map(|client| client.index(clients)).collect();
                let mut operation = [
                    &[OperationKind::Multicast as u8, 0][..],
                    &text(&packet),
                    &count(0),
                    &count(to.len()),
                ]
                .concat();
                for &client in &to {
                    let handle = self.clients[client].handle;
                    operation.extend(handle_bytes(handle));
                    self.expect(client, &packet);
                }
                self.batch.operation(&operation);
            }
            Step::Broadcast { to, except, kept } => {
                let packet = self.packet();
                let head = if kept {
                    [
                        &[OperationKind::Keep as u8][..],
                        &self.log.to_le_bytes(),
                        &[0; 8],
                        &count(0),
                        &count(0),
                        &[0],
                    ]
                    .concat()
                } else {
                    vec![OperationKind::Broadcast as u8, 0]
                };
                let (to_bytes, except_bytes) = (self.targets(&to), self.targets(&except));
                let messages = [&text(&packet)[..], &count(0)].concat();
                self.batch.operation(&[head, to_bytes, except_bytes, messages].concat());
                let excepted = self.members(&except);
                for client in self.members(&to).difference(&excepted) {
                    self.expect(*client, &packet);
                }
            }
            Step::Garbage(bytes) => {
                // It may be an operation by chance: not one that is for somebody who is there.
                let bytes: Vec<u8> = bytes.iter().map(|byte| byte | 0x80).collect();
                self.batch.operation(&bytes);
            }
        }
    }

    fn release(&mut self, client: usize) {
        self.batch.operation(&named(OperationKind::Release, self.clients[client].handle));
        let known = &mut self.clients[client];
        if known.ended && !known.released {
            known.released = true;
            self.rooms.values_mut().for_each(|members| {
                members.remove(&client);
            });
            // The slot is free when the worker hears of it: this batch first.
            self.hand_over();
        }
    }

    fn send(&mut self, client: usize, kind: Kind) {
        let packet = self.packet();
        let handle = self.clients[client].handle;
        let operation = match kind {
            Kind::Text => [named(OperationKind::Send, handle), vec![0], text(&packet)].concat(),
            Kind::Parted => {
                // JSON, a string, JSON: `packet "1"`
                let (start, end) = packet.split_at(7);
                let mut parts = [PARTED.to_le_bytes().to_vec(), count(64).to_vec()].concat();
                parts.extend(
                    [
                        count(1).to_vec(),
                        text(start),
                        vec![StringEncoding::Ascii as u8],
                        text(end),
                        text(""),
                    ]
                    .concat(),
                );
                self.expect(client, &format!("{start}\"{end}\""));
                let operation = [named(OperationKind::Send, handle), vec![0], parts].concat();
                self.batch.operation(&operation);
                return;
            }
            Kind::Messages => [
                named(OperationKind::SendMessages, handle),
                vec![0],
                text(&packet),
                count(0).to_vec(),
            ]
            .concat(),
            Kind::Attached => {
                let number = self.operations.attach(packet.as_bytes());
                [
                    named(OperationKind::SendMessages, handle),
                    vec![0],
                    ATTACHED.to_le_bytes().to_vec(),
                    number.to_le_bytes().to_vec(),
                    count(0).to_vec(),
                ]
                .concat()
            }
            Kind::Raw => {
                [named(OperationKind::SendRaw, handle), vec![0, 0], text(&packet)].concat()
            }
            Kind::Packet => {
                [named(OperationKind::SendPacket, handle), vec![0], text(&packet)].concat()
            }
        };
        self.batch.operation(&operation);
        self.expect(client, &packet);
    }

    /// The batch leaves, and the workers do what it asks: for whoever has the slot, without a look at
    /// the generation.
    fn hand_over(&mut self) {
        let Self { operations, slots, clients, got, .. } = self;
        let batch = std::mem::take(&mut self.batch.0);
        operations.read(&batch);
        operations.drain(&batch, |worker, operation| {
            let mut deliver = |slot: Slot, packet: &str| {
                let client = slots[worker].get(&slot.index).expect("the slot is somebody's");
                assert_eq!(clients[*client].handle.generation(), slot.generation, "{packet}");
                *got.entry((*client, packet.into())).or_default() += 1;
            };
            let text = |message: &Outgoing| match message {
                Outgoing::Text(text) => String::from_utf8_lossy(text).into_owned(),
                Outgoing::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            };
            match operation {
                Operation::SendText { slot, text, .. } => {
                    deliver(slot, &String::from_utf8_lossy(text));
                }
                Operation::Command(Command::Send { slot, messages, .. }) => {
                    deliver(slot, &text(&messages[0]));
                }
                Operation::Command(Command::SendPacket { slot, packet, .. }) => {
                    deliver(slot, &packet);
                }
                Operation::Command(Command::Broadcast { group, messages, .. }) => {
                    for slot in group.iter() {
                        deliver(slot, &text(&messages[0]));
                    }
                }
                Operation::Command(Command::Release { slot }) => {
                    let client = slots[worker].remove(&slot.index).expect("the slot is somebody's");
                    assert_eq!(clients[client].handle.generation(), slot.generation);
                    assert!(clients[client].ended && clients[client].released);
                }
                Operation::Command(other) => unreachable!("nobody asked for {other:?}"),
            }
        });
    }

    /// Everybody goes, in good order.
    fn end(&mut self) {
        self.hand_over();
        for client in 0..self.clients.len() {
            if !std::mem::replace(&mut self.clients[client].ended, true) {
                self.operations.note(LifecycleEvent::Closed(self.clients[client].handle));
            }
            if !self.clients[client].released {
                self.release(client);
            }
        }
        self.hand_over();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_reaches_whom_it_is_not_for(steps in prop::collection::vec(step(), 0..150)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.end();
        prop_assert_eq!(&world.got, &world.expected);
        prop_assert_eq!((world.operations.handles(), world.operations.rooms()), (0, 0));
        prop_assert!(world.slots.iter().all(BTreeMap::is_empty));
    }

    #[test]
    fn any_bytes_are_a_batch(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut operations = Operations::default();
        operations.restart(WORKERS);
        operations.note(LifecycleEvent::Opened(Handle::new(0, 0).of_generation(1)));
        operations.read(&bytes);
        operations.drain(&bytes, |_, _| ());
    }
}

/// A batch in which `wrong` stands between two texts for a client: what of it cannot be done, and the
/// texts that come through.
fn around(wrong: &[u8]) -> (Faults, Vec<String>) {
    let handle = Handle::new(0, 3).of_generation(9);
    let mut operations = Operations::default();
    operations.restart(WORKERS);
    operations.note(LifecycleEvent::Opened(handle));
    let mut batch = Batch::default();
    batch.operation(&[named(OperationKind::Send, handle), vec![0], text("before")].concat());
    batch.operation(wrong);
    batch.operation(&[named(OperationKind::Send, handle), vec![0], text("behind")].concat());
    operations.read(&batch.0);
    let mut texts = Vec::new();
    operations.drain(&batch.0, |_, operation| {
        if let Operation::SendText { text, .. } = operation {
            texts.push(String::from_utf8_lossy(text).into_owned());
        }
    });
    (operations.faults(), texts)
}

#[test]
fn an_operation_that_cannot_be_read_costs_no_other() {
    let handle = Handle::new(0, 3).of_generation(9);
    let too_long =
        [&named(OperationKind::Send, handle)[..], &[0], &1000u32.to_le_bytes(), b"short"].concat();
    let cut = named(OperationKind::Close, handle);
    let unknown = [&[99][..], &handle_bytes(handle)].concat();
    let nowhere = named(OperationKind::Send, Handle::from_raw(u32::MAX));
    let broadcast = [OperationKind::Broadcast as u8];
    let multicast = [OperationKind::Multicast as u8, 0, 0xff];
    for wrong in [&too_long[..], &cut, &unknown, &[], &broadcast, &multicast] {
        let (faults, texts) = around(wrong);
        assert_eq!(faults, Faults { unreadable: 1, ..Faults::default() }, "{wrong:?}");
        assert_eq!(texts, ["before", "behind"], "{wrong:?}");
    }
    let (faults, texts) = around(&nowhere);
    assert_eq!(faults, Faults { stale: 1, ..Faults::default() });
    assert_eq!(texts, ["before", "behind"]);
}

#[test]
fn what_is_attached_is_for_one_message_of_the_next_batch() {
    let handle = Handle::new(0, 3).of_generation(9);
    let mut operations = Operations::default();
    operations.restart(WORKERS);
    operations.note(LifecycleEvent::Opened(handle));
    let mut batch = |numbers: &[u32], attached: &[&[u8]]| {
        for bytes in attached {
            operations.attach(bytes);
        }
        let mut batch = Batch::default();
        for &number in numbers {
            let message = [ATTACHED, number, 0].map(u32::to_le_bytes).concat();
            let named = named(OperationKind::SendMessages, handle);
            batch.operation(&[&named[..], &[0], &message].concat());
        }
        operations.read(&batch.0);
        let mut sent = Vec::new();
        operations.drain(&batch.0, |_, operation| {
            if let Operation::Command(Command::Send { messages, .. }) = operation {
                sent.extend(messages.iter().map(|message| match message {
                    Outgoing::Binary(bytes) => bytes.to_vec(),
                    Outgoing::Text(_) => panic!("it is binary"),
                }));
            }
        });
        (sent, operations.faults().unreadable)
    };
    // In any order, but none twice, and none that is not there.
    assert_eq!(batch(&[1, 0, 1, 2], &[b"a", b"b"]), (vec![b"b".to_vec(), b"a".to_vec()], 2));
    // What nothing has named is gone with the batch.
    assert_eq!(batch(&[], &[b"c"]), (vec![], 2));
    assert_eq!(batch(&[0], &[]), (vec![], 3));
    assert_eq!(batch(&[0], &[b"d"]), (vec![b"d".to_vec()], 3));
}

#[test]
fn a_connection_that_is_released_in_rooms_is_taken_out_of_them() {
    let (first, second) = (Handle::new(1, 0).of_generation(1), Handle::new(1, 0).of_generation(2));
    let mut operations = Operations::default();
    operations.restart(WORKERS);
    operations.note(LifecycleEvent::Opened(first));
    operations.note(LifecycleEvent::Closed(first));
    let mut batch = Batch::default();
    for number in ROOMS {
        batch.operation(&[named(OperationKind::Join, first), room(number)].concat());
    }
    batch.operation(&named(OperationKind::Release, first));
    operations.read(&batch.0);
    assert_eq!((operations.rooms(), operations.handles()), (0, 0));
    assert_eq!(operations.faults(), Faults { rooms_left: 3, ..Faults::default() });
    operations.note(LifecycleEvent::Opened(second));
    let mut late = Batch::default();
    late.operation(&[named(OperationKind::Join, first), room(0)].concat());
    operations.read(&late.0);
    assert_eq!(operations.rooms(), 0, "the next one in the slot is in no room");
}

// ── what other nodes broadcast ───────────────────────────────────────────────────────────────────

/// The namespace that other nodes have, too.
const CLUSTER: u32 = 7;
/// The room that all of its clients are in.
const EVERYONE: u64 = 99;

/// What happens in a namespace that other nodes have, too. JavaScript's steps are in batches; what another node
/// sends comes between two of these, and nowhere else, since both hand over under one lock.
#[derive(Clone, Debug)]
enum Turn {
    /// A client comes, and has its own room; its CONNECT is answered in the same batch.
    Come,
    Join(Index, usize),
    Leave(Index, usize),
    Go(Index),
    /// The batch leaves.
    HandOver,
    Remote {
        to: Vec<RemoteTarget>,
        except: Vec<RemoteTarget>,
    },
    /// Something comes that JavaScript must see first.
    Ordered,
    /// JavaScript has handled so many of the messages that it has.
    Handle(usize),
}

#[derive(Clone, Debug)]
enum RemoteTarget {
    Room(usize),
    /// The own room of a client.
    Own(Index),
    Unknown,
}

fn turn() -> impl Strategy<Value = Turn> {
    let client = any::<Index>;
    let room = || 0..3_usize;
    let target = || {
        prop_oneof![
            3 => room().prop_map(RemoteTarget::Room),
            2 => client().prop_map(RemoteTarget::Own),
            1 => Just(RemoteTarget::Unknown),
        ]
    };
    let targets = move |most| prop::collection::vec(target(), 0..most);
    prop_oneof![
        4 => Just(Turn::Come),
        4 => (client(), room()).prop_map(|(client, room)| Turn::Join(client, room)),
        2 => (client(), room()).prop_map(|(client, room)| Turn::Leave(client, room)),
        1 => client().prop_map(Turn::Go),
        4 => Just(Turn::HandOver),
        6 => (targets(4), targets(3)).prop_map(|(to, except)| Turn::Remote { to, except }),
        1 => Just(Turn::Ordered),
        2 => (0..3_usize).prop_map(Turn::Handle),
    ]
}

/// A client: what it has got, and what it should have.
#[derive(Debug, Default)]
struct Member {
    got: Vec<String>,
    expected: Vec<String>,
    gone: bool,
}

/// For whom, for whom not, and what.
type Given = (Vec<String>, Vec<String>, String);

#[derive(Default)]
struct Cluster {
    operations: Operations,
    batch: Batch,
    members: Vec<Member>,
    /// Who is in which room when the batch has left; the own room of a client has its name.
    rooms: BTreeMap<String, BTreeSet<usize>>,
    /// What of it other nodes may count on.
    handed_over: BTreeMap<String, BTreeSet<usize>>,
    /// What is given to clients when the batch leaves, in order.
    to_come: Vec<(usize, String)>,
    /// The broadcasts that JavaScript has been given, or nothing, for what else counts.
    given: Vec<Option<Given>>,
    handled: usize,
    is_direct: bool,
    /// The count with which JavaScript has said that the link is to fan out, in the batch.
    said: Option<usize>,
    sent: usize,
}

impl Cluster {
    fn new() -> Self {
        let mut cluster = Self::default();
        cluster.operations.restart(WORKERS);
        cluster.operations.directory().lock().open_namespace(CLUSTER);
        let name = [&[OperationKind::NameEveryone as u8][..], &CLUSTER.to_le_bytes()].concat();
        cluster.batch.operation(&[name, room(EVERYONE)].concat());
        cluster.say_direct();
        cluster.hand_over();
        cluster
    }

    fn handle(client: usize) -> Handle {
        let generation = u32::try_from(client).expect("it is small") + 1;
        Handle::new(client % WORKERS, client / WORKERS).of_generation(generation)
    }

    fn named_room(kind: OperationKind, name: &str) -> Vec<u8> {
        [&[kind as u8][..], &CLUSTER.to_le_bytes(), &[0], &text(name)].concat()
    }

    fn join(&mut self, client: usize, name: &str, number: u64) {
        let handle = Self::handle(client);
        let members = self.rooms.entry(name.into()).or_default();
        if members.is_empty() && name != "everyone" {
            let named = Self::named_room(OperationKind::NameRoom, name);
            self.batch.operation(&[named, room(number)].concat());
        }
        members.insert(client);
        self.batch.operation(&[named(OperationKind::Join, handle), room(number)].concat());
    }

    fn leave(&mut self, client: usize, name: &str, number: u64) {
        let handle = Self::handle(client);
        self.batch.operation(&[named(OperationKind::Leave, handle), room(number)].concat());
        let Some(members) = self.rooms.get_mut(name) else { return };
        members.remove(&client);
        if members.is_empty() {
            self.rooms.remove(name);
            self.batch.operation(&Self::named_room(OperationKind::Unname, name));
        }
    }

    /// JavaScript says that the link is to fan out.
    fn say_direct(&mut self) {
        let handled = u32::try_from(self.handled).expect("it is small").to_le_bytes();
        let operation = [&[OperationKind::Direct as u8][..], &CLUSTER.to_le_bytes(), &handled];
        self.batch.operation(&operation.concat());
        self.said = Some(self.handled);
    }

    fn turn(&mut self, turn: Turn) {
        let count = self.members.len();
        match turn {
            Turn::Come => {
                let handle = Self::handle(count);
                self.operations.note(LifecycleEvent::Opened(handle));
                self.members.push(Member::default());
                let answer = [named(OperationKind::Send, handle), vec![0], text("CONNECT")];
                self.batch.operation(&answer.concat());
                self.to_come.push((count, "CONNECT".into()));
                self.join(count, "everyone", EVERYONE);
                let own = format!("own {count}");
                let named = Self::named_room(OperationKind::NameSocket, &own);
                self.batch.operation(&[named, handle_bytes(handle)].concat());
                self.rooms.insert(own, BTreeSet::from([count]));
            }
            Turn::HandOver => self.hand_over(),
            Turn::Ordered => {
                self.operations.directory().lock().give(CLUSTER);
                self.given.push(None);
                self.is_direct = false;
            }
            Turn::Handle(most) => self.handle_given(most),
            _ if count == 0 => {}
            Turn::Join(client, number) => {
                let client = client.index(count);
                if !self.members[client].gone {
                    self.join(client, &format!("room {number}"), number as u64);
                }
            }
            Turn::Leave(client, number) => {
                let client = client.index(count);
                if !self.members[client].gone {
                    self.leave(client, &format!("room {number}"), number as u64);
                }
            }
            Turn::Go(client) => self.go(client.index(count)),
            Turn::Remote { to, except } => {
                let names = |targets: &[RemoteTarget]| -> Vec<String> {
                    let name = |target: &RemoteTarget| match target {
                        RemoteTarget::Room(number) => format!("room {number}"),
                        RemoteTarget::Own(client) => format!("own {}", client.index(count)),
                        RemoteTarget::Unknown => "nowhere".into(),
                    };
                    targets.iter().map(name).collect()
                };
                self.remote(names(&to), names(&except));
            }
        }
    }

    fn go(&mut self, client: usize) {
        if std::mem::replace(&mut self.members[client].gone, true) {
            return;
        }
        let handle = Self::handle(client);
        for number in 0..3 {
            self.leave(client, &format!("room {number}"), number);
        }
        let own = format!("own {client}");
        self.rooms.remove(&own);
        self.batch.operation(&Self::named_room(OperationKind::Unname, &own));
        self.batch.operation(&[named(OperationKind::Leave, handle), room(EVERYONE)].concat());
        self.rooms.entry("everyone".into()).or_default().remove(&client);
        self.operations.note(LifecycleEvent::Closed(handle));
        self.batch.operation(&named(OperationKind::Release, handle));
    }

    /// What another node has broadcast comes in.
    fn remote(&mut self, to: Vec<String>, except: Vec<String>) {
        self.sent += 1;
        let packet = format!("remote {}", self.sent);
        let directory = std::sync::Arc::clone(self.operations.directory());
        let mut population = directory.lock();
        let names = |names: &[String]| -> Vec<RoomName<'static>> {
            let names = names.iter().cloned();
            names.map(|name| RoomName::Text(name.leak())).collect()
        };
        let concern = population.concern(CLUSTER, &names(&to));
        assert_eq!(concern == Concern::JavaScript, !self.is_direct);
        let expected = members(&self.handed_over, &to, &except);
        if !self.is_direct {
            population.give(CLUSTER);
            self.given.push(Some((to, except, packet)));
            return;
        }
        if concern == Concern::Nobody {
            assert!(expected.is_empty(), "{packet} concerns somebody");
        }
        for client in expected {
            self.members[client].expected.push(packet.clone());
        }
        let messages = std::sync::Arc::new([Outgoing::Text(packet.into_bytes().into())]);
        let messages: std::sync::Arc<[Outgoing]> = messages;
        let (to, except) = (names(&to), names(&except));
        let remote =
            Remote { rooms: &to, except: &except, flags: 0, messages: &messages, kept: None };
        let mut batches: Vec<OperationBatch> = Vec::new();
        population.fan_out(CLUSTER, &remote, &mut batches);
        for (worker, batch) in batches.iter_mut().enumerate() {
            batch.drain(&[], |operation| deliver(&mut self.members, worker, &operation));
        }
    }

    /// JavaScript handles what it has been given, in order: a broadcast of its own batch.
    fn handle_given(&mut self, most: usize) {
        for _ in 0..most {
            let Some(given) = self.given.get(self.handled).cloned() else { break };
            self.handled += 1;
            let Some((to, except, packet)) = given else { continue };
            let to: Vec<usize> = members(&self.rooms, &to, &except).into_iter().collect();
            let targets = to.iter().flat_map(|&client| {
                let handle = Self::handle(client);
                let place = handle.raw() | CONNECTION;
                [place.to_le_bytes(), handle.generation().to_le_bytes()].concat()
            });
            let head = [OperationKind::Broadcast as u8, 0];
            let targets: Vec<u8> = targets.collect();
            let tail = [&count(0)[..], &text(&packet), &count(0)].concat();
            self.batch.operation(&[&head[..], &count(to.len()), &targets, &tail].concat());
            self.to_come.extend(to.into_iter().map(|client| (client, packet.clone())));
        }
        self.say_direct();
    }

    fn hand_over(&mut self) {
        let batch = std::mem::take(&mut self.batch.0);
        for (client, packet) in self.to_come.drain(..) {
            self.members[client].expected.push(packet);
        }
        self.handed_over = self.rooms.clone();
        if self.said.take().is_some_and(|said| said == self.given.len()) {
            self.is_direct = true;
        }
        let Self { operations, members, .. } = self;
        operations.read(&batch);
        operations.drain(&batch, |worker, operation| deliver(members, worker, &operation));
        assert_eq!(operations.faults(), Faults::default());
    }
}

/// The clients in some rooms and not in others; of no rooms, all.
fn members(
    rooms: &BTreeMap<String, BTreeSet<usize>>,
    to: &[String],
    except: &[String],
) -> BTreeSet<usize> {
    let of = |names: &[String]| -> BTreeSet<usize> {
        names.iter().filter_map(|name| rooms.get(name)).flatten().copied().collect()
    };
    let everyone = ["everyone".to_owned()];
    &of(if to.is_empty() { &everyone } else { to }) - &of(except)
}

fn deliver(members: &mut [Member], worker: usize, operation: &Operation<'_>) {
    let mut give = |slot: Slot, packet: &[u8]| {
        let client = slot.generation as usize - 1;
        assert_eq!(Cluster::handle(client), {
            Handle::new(worker, slot.index as usize).of_generation(slot.generation)
        });
        members[client].got.push(String::from_utf8_lossy(packet).into_owned());
    };
    match operation {
        Operation::SendText { slot, text, .. } => give(*slot, text),
        Operation::Command(Command::Broadcast { group, messages, .. }) => {
            let (Outgoing::Text(text) | Outgoing::Binary(text)) = &messages[0];
            group.iter().for_each(|slot| give(slot, text));
        }
        Operation::Command(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A client gets what other nodes broadcast to its rooms: behind the answer to its CONNECT, in order, whoever hands it
    /// over, and nothing when the batch has left in which it leaves the room.
    #[test]
    fn what_others_broadcast_comes_in_order(turns in prop::collection::vec(turn(), 0..120)) {
        let mut cluster = Cluster::new();
        for turn in turns {
            cluster.turn(turn);
        }
        // In the end JavaScript has handled all, and the link fans out again.
        cluster.hand_over();
        cluster.handle_given(usize::MAX);
        cluster.hand_over();
        prop_assert!(cluster.is_direct);
        cluster.remote(vec![], vec![]);
        for member in &cluster.members {
            prop_assert_eq!(&member.got, &member.expected);
            let remote = member.got.iter().filter_map(|packet| packet.strip_prefix("remote "));
            let numbers: Vec<usize> = remote.map(|number| number.parse().unwrap()).collect();
            prop_assert!(numbers.is_sorted(), "{:?}", member.got);
            prop_assert_eq!(member.got.first().map_or("CONNECT", String::as_str), "CONNECT");
        }
    }
}
