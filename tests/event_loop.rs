//! What the event loop promises, on real sockets and for random schedules: nobody is forgotten whose socket
//! is ready or who is woken, whenever that happens; nobody is looked at who is closed, or takes the
//! turns of others.
#![cfg(feature = "net")]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use ferrosocket::net::clock;
use ferrosocket::net::connections::{Connections, Driven};
use ferrosocket::net::context::{Victim, WorkerContext};
use ferrosocket::net::mailbox::Mailbox;
use ferrosocket::net::readiness::Readiness;
use ferrosocket::net::selector::{Selector, Wait};
use ferrosocket::net::tcp::{self, Handler, Next, Tcp, Written};
use ferrosocket::net::write_queue::WriteQueue;
use proptest::prelude::*;

/// How long anything that a test waits for may take, milliseconds.
const PATIENCE: u64 = 20_000;
/// How often it is looked what has come to the peers meanwhile, milliseconds.
const GLANCE: u64 = 5;
/// Reads of one connection before others have their turn.
const READS_PER_TURN: u32 = 4;

/// What is sent most at once.
const MOST: usize = 3_000_000;
/// How many bytes a stream has before it begins anew.
const PERIOD: usize = 251;

/// The bytes of a stream from `from` on.
fn bytes(from: usize, count: usize) -> &'static [u8] {
    static STREAM: LazyLock<Vec<u8>> = LazyLock::new(|| {
        (0..PERIOD).map(|n| u8::try_from(n).unwrap()).cycle().take(MOST + PERIOD).collect()
    });
    &STREAM[from % PERIOD..][..count]
}

/// A connection as the worker has it.
struct Connection {
    tcp: Tcp,
    /// It reads so many bytes at once.
    piece: usize,
    received: Cell<usize>,
    sent: Cell<usize>,
    out: RefCell<WriteQueue>,
    blocked: Cell<bool>,
    /// It does not want to read for now.
    paused: Cell<bool>,
    /// It wakes itself with all that it reads.
    restless: bool,
    ended: Cell<bool>,
    closed: Cell<bool>,
    reads: Cell<u32>,
}

impl Connection {
    fn write(&self, context: &WorkerContext) {
        let written = self.tcp.write(context, &mut self.out.borrow_mut());
        self.blocked.set(written == Written::Blocked);
    }

    fn send(&self, context: &WorkerContext, count: usize) {
        let more = bytes(self.sent.get(), count);
        self.sent.set(self.sent.get() + count);
        self.out.borrow_mut().append(Vec::new, |out| out.extend_from_slice(more));
        if !self.blocked.get() {
            self.write(context);
        }
    }

    fn close(&self, context: &WorkerContext) {
        self.closed.set(true);
        self.tcp.close(context);
    }
}

#[derive(Clone)]
struct Link(Rc<Connection>);

impl Driven for Link {
    fn readiness(&self) -> Option<&Readiness> {
        Some(self.0.tcp.readiness())
    }
}

struct Turn<'a> {
    context: &'a WorkerContext,
    connection: &'a Connection,
}

impl Victim for Turn<'_> {
    fn handle_panic(&self, _context: &WorkerContext) {
        self.connection.received.set(usize::MAX);
    }
}

impl Handler for Turn<'_> {
    fn is_blocked(&self) -> bool {
        self.connection.blocked.get()
    }

    fn handle_writable(&self) {
        self.connection.write(self.context);
    }

    fn next(&self) -> Next {
        let Connection { closed, ended, paused, piece, .. } = self.connection;
        assert!(!closed.get() && !ended.get(), "who is over is not looked at");
        if paused.get() { Next::Wait } else { Next::Read(*piece) }
    }

    fn reads_on(&self) -> bool {
        false
    }

    fn handle_bytes(&self, bytes: &mut [u8]) {
        let Connection { received, reads, restless, tcp, .. } = self.connection;
        reads.set(reads.get() + 1);
        assert!(*bytes == *self::bytes(received.get(), bytes.len()));
        received.set(received.get() + bytes.len());
        if *restless {
            tcp.wake(self.context);
        }
    }

    fn handle_end(&self, _broken: bool) {
        self.connection.ended.set(true);
    }
}

/// The other end of a connection.
struct Peer {
    stream: TcpStream,
    sent: usize,
    received: usize,
    /// It has said that it sends nothing more.
    shut: bool,
    connection: Rc<Connection>,
}

impl Peer {
    fn send(&mut self, count: usize) {
        if !self.shut && !self.connection.closed.get() {
            match self.stream.write(bytes(self.sent, count)) {
                Ok(count) => self.sent += count,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    }

    fn read(&mut self) {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    assert!(buffer[..count] == *bytes(self.received, count));
                    self.received += count;
                }
            }
        }
    }

    /// Whether all that was sent has arrived, both ways.
    fn is_settled(&self) -> bool {
        let Connection { received, sent, ended, closed, .. } = &*self.connection;
        let up = received.get() == self.sent && ended.get() == self.shut;
        closed.get() || up && (self.shut || self.received == sent.get())
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Connect {
        piece: usize,
        restless: bool,
    },
    PeerSends(usize, usize),
    PeerReads(usize),
    PeerShuts(usize),
    Send(usize, usize),
    Pause(usize),
    Resume(usize),
    Wake(usize),
    Close(usize),
    /// The system is asked; what it says is looked at in a later turn.
    Ask,
    /// A turn that does not know what the system has said meanwhile.
    Turn,
    /// A turn that does.
    Hear,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || any::<usize>();
    let count = || prop_oneof![1..100_usize, 1_000..200_000_usize];
    prop_oneof![
        2 => (prop_oneof![1..50_usize, 1_000..70_000_usize], any::<bool>())
            .prop_map(|(piece, restless)| Step::Connect { piece: piece.max(16), restless }),
        4 => (who(), count()).prop_map(|(who, count)| Step::PeerSends(who, count)),
        1 => who().prop_map(Step::PeerReads),
        1 => who().prop_map(Step::PeerShuts),
        3 => (who(), prop_oneof![3 => count(), 1 => Just(MOST)])
            .prop_map(|(who, count)| Step::Send(who, count)),
        1 => who().prop_map(Step::Pause),
        1 => who().prop_map(Step::Resume),
        1 => who().prop_map(Step::Wake),
        1 => who().prop_map(Step::Close),
        4 => Just(Step::Ask),
        2 => Just(Step::Turn),
        4 => Just(Step::Hear),
    ]
}

struct World {
    listener: TcpListener,
    selector: Selector,
    context: WorkerContext,
    connections: Connections<Link>,
    peers: Vec<Peer>,
}

impl World {
    fn new() -> Self {
        let (selector, parker) = Selector::new().unwrap();
        let mailboxes = Arc::from([Arc::new(Mailbox::new(parker))]);
        let context =
            WorkerContext::new(0, mailboxes, selector.registry().unwrap(), Arc::default());
        Self {
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            selector,
            context,
            connections: Connections::default(),
            peers: Vec::new(),
        }
    }

    fn connect(&mut self, piece: usize, restless: bool) {
        let stream = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        let (accepted, _) = self.listener.accept().unwrap();
        accepted.set_nonblocking(true).unwrap();
        let connection = self.connections.add(&self.context.run_queue, |place| {
            let connection = Rc::new(Connection {
                tcp: Tcp::open(&self.context, accepted, place)?,
                piece,
                received: Cell::new(0),
                sent: Cell::new(0),
                out: RefCell::default(),
                blocked: Cell::new(false),
                paused: Cell::new(false),
                restless,
                ended: Cell::new(false),
                closed: Cell::new(false),
                reads: Cell::new(0),
            });
            Ok((Link(Rc::clone(&connection)), connection))
        });
        let connection = connection.unwrap();
        self.peers.push(Peer { stream, sent: 0, received: 0, shut: false, connection });
    }

    fn peer(&mut self, who: usize) -> Option<&mut Peer> {
        let count = self.peers.len();
        (count > 0).then(|| &mut self.peers[who % count])
    }

    /// The connection of a peer, if it is there.
    fn connection(&mut self, who: usize) -> Option<Rc<Connection>> {
        let connection = Rc::clone(&self.peer(who)?.connection);
        (!connection.closed.get() && !connection.ended.get()).then_some(connection)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Connect { piece, restless } => self.connect(piece, restless),
            Step::PeerSends(who, count) => {
                if let Some(peer) = self.peer(who) {
                    peer.send(count);
                }
            }
            Step::PeerReads(who) => {
                if let Some(peer) = self.peer(who) {
                    peer.read();
                }
            }
            Step::PeerShuts(who) => {
                if let Some(peer) = self.peer(who).filter(|peer| !peer.connection.closed.get()) {
                    peer.shut = true;
                    // It fails when this end has gone.
                    let _gone = peer.stream.shutdown(Shutdown::Write);
                }
            }
            Step::Send(who, count) => {
                if let Some(connection) = self.connection(who) {
                    connection.send(&self.context, count);
                }
            }
            Step::Pause(who) => {
                if let Some(connection) = self.connection(who) {
                    connection.paused.set(true);
                }
            }
            Step::Resume(who) => {
                if let Some(connection) = self.connection(who) {
                    connection.paused.set(false);
                    connection.tcp.wake(&self.context);
                }
            }
            Step::Wake(who) => {
                if let Some(connection) = self.connection(who) {
                    connection.tcp.wake(&self.context);
                }
            }
            Step::Close(who) => {
                if let Some(connection) = self.connection(who) {
                    connection.close(&self.context);
                }
            }
            Step::Ask => {
                // What it has said before is not asked for again: it must have been heard.
                self.hear();
                self.selector.wait(Wait::Never);
            }
            Step::Turn => self.turn(),
            Step::Hear => {
                self.hear();
                self.turn();
            }
        }
    }

    fn hear(&mut self) {
        for event in self.selector.events() {
            self.connections.handle_event(&self.context.run_queue, event);
        }
        self.selector.clear();
    }

    fn turn(&mut self) {
        let due = self.context.run_queue.len();
        assert!(due <= self.connections.len(), "each is in the queue once");
        for _ in 0..due {
            let Some(Link(connection)) = self.connections.pop(&self.context.run_queue) else {
                continue;
            };
            connection.reads.set(0);
            let turn = Turn { context: &self.context, connection: &connection };
            tcp::drive(&self.context, &connection.tcp, &turn);
            assert!(connection.reads.get() <= READS_PER_TURN);
            assert_ne!(connection.received.get(), usize::MAX, "it has panicked");
        }
        self.connections.release(&self.context.run_queue);
        let waiting = self.context.run_queue.len();
        let open = self.peers.iter().map(|peer| &peer.connection);
        let open = open.filter(|connection| !connection.closed.get() && !connection.ended.get());
        let open = open.count();
        assert!((open..=open + waiting).contains(&self.connections.len()));
    }

    /// How much has arrived, both ways, and how often an end has.
    fn arrived(&self) -> usize {
        let count = |peer: &Peer| {
            let Connection { received, ended, .. } = &*peer.connection;
            peer.received + received.get() + usize::from(ended.get())
        };
        self.peers.iter().map(count).sum()
    }

    /// Lets everybody read, and goes on until all has arrived.
    fn settle(&mut self) {
        self.hear();
        for who in 0..self.peers.len() {
            self.step(Step::Resume(who));
        }
        let (mut arrived, mut since) = (self.arrived(), clock::now());
        while !self.peers.iter().all(Peer::is_settled) || !self.context.run_queue.is_empty() {
            // The system tells nobody here when the bytes for a peer have come to it, so it looks now and then.
            let wait = if self.context.run_queue.is_empty() {
                Wait::Until(Some(clock::now() + GLANCE))
            } else {
                Wait::Never
            };
            self.selector.wait(wait);
            self.hear();
            self.turn();
            for peer in &mut self.peers {
                peer.read();
            }
            let now = (self.arrived(), clock::now());
            if now.0 != arrived {
                (arrived, since) = now;
            }
            assert!(
                now.1 < since + PATIENCE,
                "somebody waits for what the system has told already"
            );
        }
        self.turn();
        assert!(self.context.run_queue.is_empty());
        let open = self.peers.iter().filter(|peer| !peer.shut && !peer.connection.closed.get());
        assert_eq!(self.connections.len(), open.count(), "who is over is forgotten");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn nobody_is_forgotten(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        world.connect(50_000, false);
        for step in steps {
            world.step(step);
        }
        world.settle();
    }
}

#[test]
fn an_end_that_comes_with_the_last_bytes_is_read() {
    let mut world = World::new();
    world.connect(50_000, false);
    world.turn();
    world.peers[0].send(100);
    world.step(Step::PeerShuts(0));
    world.step(Step::Ask);
    world.step(Step::Hear);
    assert!(world.peers[0].is_settled());
    assert!(world.connections.is_empty());
}

/// As if another thread had a turn between what the system says and the turn that hears of it.
#[test]
fn what_was_said_of_who_is_gone_harms_nobody_in_its_place() {
    let mut world = World::new();
    world.connect(50_000, false);
    world.step(Step::Ask);
    world.step(Step::Hear);
    world.peers[0].send(100);
    world.step(Step::PeerShuts(0));
    world.selector.wait(Wait::Never);
    assert!(!world.selector.events().is_empty());
    world.step(Step::Close(0));
    world.step(Step::Turn);
    assert!(world.connections.is_empty());
    world.connect(50_000, false);
    let newcomer = Rc::clone(&world.peers[1].connection);
    world.step(Step::Hear);
    assert!(!newcomer.tcp.readiness().is_readable(), "it has found out that there is nothing");
    world.peers[1].send(10);
    world.settle();
    assert_eq!(newcomer.received.get(), 10);
}

#[test]
fn one_that_always_has_something_leaves_the_others_their_turns() {
    let mut world = World::new();
    for _ in 0..3 {
        world.connect(16, false);
    }
    world.peers[0].send(100_000);
    world.peers[2].send(10);
    world.step(Step::Ask);
    world.step(Step::Hear);
    let received = |world: &World, who: usize| world.peers[who].connection.received.get();
    assert_eq!([0, 1, 2].map(|who| received(&world, who)), [64, 0, 10]);
    world.peers[1].send(20);
    world.step(Step::Ask);
    world.step(Step::Hear);
    assert_eq!([0, 1, 2].map(|who| received(&world, who)), [128, 20, 10]);
    world.settle();
}
