//! One thread of the data plane.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use slab::Slab;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::adopt::prepare;
use super::clock;
use super::command::{
    Adopt, AdoptedStream, Batch, BridgeEvent, BridgeKey, Command, Mailbox, Operation, Outgoing,
    PollEvent, Purpose,
};
use super::connection::Connection;
use super::server::{Server, SessionEntry};
use super::timers::Timers;
use super::wire::{CLOSE_TIMEOUT, Wire};
use crate::engineio::{Link, Transport};
use crate::id::{Handle, Sid};
use crate::websocket::frame::{self, OpCode};

/// One read takes at most this much. All connections of the worker read into the same buffer.
const READ_BUFFER: usize = 64 << 10;
/// Write buffers kept for the next connection that needs one…
const SPARE_BUFFERS: usize = 64;
/// …if they have not grown beyond this.
const SPARE_CAPACITY: usize = 16 << 10;

/// One thread of the data plane: owns its connections from accept to close.
pub struct Worker {
    /// Which of the workers it is.
    pub index: usize,
    mailbox: Arc<Mailbox>,
    connections: RefCell<Slab<Rc<Connection>>>,
    bridges: RefCell<FxHashMap<BridgeKey, Rc<Wire>>>,
    timers: RefCell<Timers>,
    /// The deadline that the main loop sleeps for.
    sleeping_until: Cell<u64>,
    /// Wires that wait for the end of the closing handshake, the oldest first.
    closing: RefCell<VecDeque<(u64, Rc<Wire>)>>,
    read_buffer: RefCell<Box<[u8]>>,
    spare_buffers: RefCell<Vec<Vec<u8>>>,
    dirty: RefCell<Vec<Rc<Wire>>>,
    unflushed: RefCell<Vec<Rc<Connection>>>,
    stalled: RefCell<Vec<Rc<Wire>>>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("index", &self.index).finish_non_exhaustive()
    }
}

/// Runs a worker on this thread until it is told to stop. `started` hears whether it could start.
pub(super) fn run(index: usize, mailbox: Arc<Mailbox>, started: impl FnOnce(io::Result<()>)) {
    let executor =
        match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(executor) => executor,
            Err(error) => return started(Err(error)),
        };
    started(Ok(()));
    let worker = Rc::new(Worker {
        index,
        mailbox,
        connections: RefCell::default(),
        bridges: RefCell::default(),
        timers: RefCell::default(),
        sleeping_until: Cell::new(u64::MAX),
        closing: RefCell::default(),
        read_buffer: RefCell::new(vec![0; READ_BUFFER].into_boxed_slice()),
        spare_buffers: RefCell::default(),
        dirty: RefCell::default(),
        unflushed: RefCell::default(),
        stalled: RefCell::default(),
    });
    executor.block_on(worker.main_loop());
}

impl Worker {
    async fn main_loop(self: Rc<Self>) {
        let mut batch = Batch::default();
        loop {
            self.wait().await;
            let mut more = true;
            while more {
                let mut stop = false;
                more = self.mailbox.take(&mut batch);
                batch.drain(|operation| {
                    stop |= matches!(operation, Operation::Command(Command::Stop));
                    self.guard(None, || self.apply(operation));
                });
                self.flush();
                if stop {
                    return self.drop_connections(|_| true);
                }
                self.fire_timers();
                self.flush();
                if more {
                    // JavaScript may fill the mailbox as fast as we empty it: the sockets must have
                    // their turn all the same.
                    yield_now().await;
                }
            }
        }
    }

    /// Waits for operations or the next deadline.
    async fn wait(&self) {
        let closing = self.closing.borrow().front().map(|(deadline, _)| *deadline);
        let deadline = self.timers.borrow().next_deadline().into_iter().chain(closing).min();
        let notified = self.mailbox.notify.notified();
        self.sleeping_until.set(deadline.unwrap_or(u64::MAX));
        match deadline {
            None => notified.await,
            Some(deadline) => {
                let left = Duration::from_millis(deadline.saturating_sub(clock::now()));
                // Both ends are fine: something to do, or a deadline.
                let _elapsed = timeout(left, notified).await;
            }
        }
        self.sleeping_until.set(0);
    }

    /// Runs `f`; a panic in it ends `connection` and nothing else. (The panic message has been
    /// printed by the panic hook.)
    fn guard(&self, connection: Option<&Connection>, f: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(f)).is_err()
            && let Some(connection) = connection
        {
            // Should this panic too, the connection stays as it is; the worker goes on.
            let _again = catch_unwind(AssertUnwindSafe(|| connection.abort(self)));
        }
    }

    // --- operations ----------------------------------------------------------------------------

    fn connection(&self, slot: u32) -> Option<Rc<Connection>> {
        self.connections.borrow().get(slot as usize).map(Rc::clone)
    }

    fn apply(self: &Rc<Self>, operation: Operation<'_>) {
        match operation {
            Operation::SendText { slot, flags, text } => {
                let connections = self.connections.borrow();
                if let Some(connection) = connections.get(slot as usize) {
                    connection.send_text(self, flags, text);
                }
            }
            Operation::Command(command) => self.command(command),
        }
    }

    fn command(self: &Rc<Self>, command: Command) {
        match command {
            Command::Send { slot, flags, messages } => {
                if let Some(connection) = self.connection(slot) {
                    connection.send(self, flags, &messages);
                }
            }
            Command::Broadcast { group, flags, messages } => {
                let frames: Vec<Bytes> = messages.iter().map(encode_frame).collect();
                let connections = self.connections.borrow();
                for slot in group.iter() {
                    if let Some(connection) = connections.get(slot as usize) {
                        connection.send_shared(self, flags, &messages, &frames);
                    }
                }
            }
            Command::Close { slot, discard } => {
                if let Some(connection) = self.connection(slot) {
                    self.guard(Some(&connection), || connection.close(self, discard));
                }
            }
            Command::Release { slot } => {
                // A handle that JavaScript releases twice is a fault of ours; it must not take
                // down the worker.
                self.connections.borrow_mut().try_remove(slot as usize);
            }
            Command::Joined { slot } => {
                if let Some(connection) = self.connection(slot) {
                    connection.set_joined();
                }
            }
            Command::Watch { slot, mask } => {
                if let Some(connection) = self.connection(slot) {
                    connection.set_watched(mask);
                }
            }
            Command::Adopt(adopt) => self.adopt(*adopt),
            Command::OpenPolling { server, token, sid } => {
                let connection = self.open(server, sid, Transport::Polling, None, token, None);
                connection.handle_poll(self, token, PollEvent::Get);
            }
            Command::Poll { slot, token, event } => {
                if let Some(connection) = self.connection(slot) {
                    self.guard(Some(&connection), || connection.handle_poll(self, token, event));
                }
            }
            Command::Bridge { key, event } => self.handle_bridge(key, event),
            Command::Resume => self.resume(),
            Command::DropEnvironment(id) => self.drop_connections(|environment| environment == id),
            Command::Stop => {}
        }
    }

    fn open(
        self: &Rc<Self>,
        server: Arc<Server>,
        sid: Sid,
        transport: Transport,
        main: Option<&Rc<Wire>>,
        token: u32,
        peer: Option<SocketAddr>,
    ) -> Rc<Connection> {
        let mut connections = self.connections.borrow_mut();
        let entry = connections.vacant_entry();
        let handle = Handle::new(self.index, entry.key());
        server.sessions.insert(sid.clone(), SessionEntry { handle, transport });
        let main_wire = main.map(Rc::clone);
        let connection = Connection::open(handle, server, sid, transport, main_wire, token, peer);
        if let Some(wire) = main {
            wire.bind(&connection, Link::Main);
        }
        entry.insert(Rc::clone(&connection));
        connection
    }

    fn adopt(self: &Rc<Self>, adopt: Adopt) {
        let Adopt { server, token, purpose, stream, mut head, response } = adopt;
        let environment = Arc::clone(&server.environment);
        let max_message = server.engine.max_payload;
        let tcp = match stream {
            // Registration fails when the limit of the event queue is reached: the wire is then
            // closed before it was open.
            AdoptedStream::Tcp(stream) => prepare(&stream)
                .and_then(|peer| Ok((Some(TcpStream::from_std(stream)?), peer)))
                .ok(),
            AdoptedStream::Bridge => Some((None, None)),
        };
        let Some((tcp, peer)) = tcp else {
            environment.inbox.push(|record| {
                record.kind(super::record::Kind::WireClosed).number(token);
            });
            return;
        };
        let bridged = tcp.is_none();
        let wire = Rc::new(Wire::new(Arc::clone(&environment), token, tcp, max_message));
        wire.write_raw(self, &response);
        if bridged {
            self.bridges.borrow_mut().insert((environment.id, token), Rc::clone(&wire));
        }
        match purpose {
            Purpose::Session(sid) => {
                let connection =
                    self.open(server, sid, Transport::WebSocket, Some(&wire), token, peer);
                connection.settle(self);
            }
            Purpose::Upgrade(slot) => {
                let connection = self.connection(slot);
                if connection.as_ref().is_some_and(|connection| connection.handle_probe(&wire)) {
                    if let Some(connection) = connection {
                        connection.settle(self);
                    }
                } else {
                    wire.begin_close(self, None);
                }
            }
        }
        if !bridged {
            let worker = Rc::clone(self);
            let wire = Rc::clone(&wire);
            tokio::task::spawn_local(async move { worker.drive(&wire).await });
        }
        if !head.is_empty() {
            wire.handle_bytes(self, &mut head);
        }
    }

    /// Reads and writes a socket until it is gone.
    async fn drive(self: Rc<Self>, wire: &Rc<Wire>) {
        poll_fn(|cx| {
            let mut result = Poll::Pending;
            let polled = catch_unwind(AssertUnwindSafe(|| {
                result = wire.poll_drive(&self, cx);
            }));
            if polled.is_err() {
                let _again = catch_unwind(AssertUnwindSafe(|| wire.handle_panic(&self)));
                return Poll::Ready(());
            }
            result
        })
        .await;
    }

    fn handle_bridge(&self, key: BridgeKey, event: BridgeEvent) {
        let wire = self.bridges.borrow().get(&key).map(Rc::clone);
        let Some(wire) = wire else { return };
        match event {
            BridgeEvent::Data(mut bytes) => wire.handle_bridged(self, &mut bytes),
            BridgeEvent::Written(n) => wire.handle_written(self, n),
            BridgeEvent::End => wire.handle_end(self),
        }
    }

    fn resume(&self) {
        let now = clock::now();
        let stalled = std::mem::take(&mut *self.stalled.borrow_mut());
        for wire in stalled {
            if let Some(connection) = wire.connection() {
                connection.handle_resumed(now);
            }
            wire.resume();
        }
    }

    /// Drops everything that belongs to the environments that `doomed` names by their id. (Wires
    /// and connections hold each other: without this they would outlive the worker.)
    fn drop_connections(&self, doomed: impl Fn(u32) -> bool) {
        let mut connections = self.connections.borrow_mut();
        let slots: Vec<usize> = connections
            .iter()
            .filter(|(_, connection)| doomed(connection.server.environment.id))
            .map(|(slot, _)| slot)
            .collect();
        for slot in slots {
            let connection = connections.remove(slot);
            connection.abort(self);
        }
        drop(connections);
        let bridges: Vec<Rc<Wire>> = {
            let bridges = self.bridges.borrow();
            bridges.iter().filter(|((env, _), _)| doomed(*env)).map(|(_, w)| Rc::clone(w)).collect()
        };
        for wire in bridges {
            wire.finish(self);
        }
        let closing = self.closing.borrow();
        for (_, wire) in closing.iter().filter(|(_, wire)| doomed(wire.environment_id())) {
            wire.finish(self);
        }
        // Nobody drains that inbox any more, so no room is to be waited for.
        self.stalled.borrow_mut().retain(|wire| !doomed(wire.environment_id()));
    }

    // --- deadlines -----------------------------------------------------------------------------

    /// Keeps a deadline for the connection in `slot`; gives it back as it is kept.
    pub fn schedule(&self, deadline: u64, slot: u32) -> u64 {
        let deadline = self.timers.borrow_mut().schedule(deadline, slot);
        if deadline < self.sleeping_until.get() {
            self.mailbox.notify.notify_one();
        }
        deadline
    }

    /// Drops `wire` when its peer takes too long with the closing handshake.
    pub fn watch_closing(&self, wire: Rc<Wire>) {
        let deadline = clock::now() + CLOSE_TIMEOUT;
        let mut closing = self.closing.borrow_mut();
        while closing.front().is_some_and(|(_, wire)| wire.is_gone()) {
            closing.pop_front();
        }
        closing.push_back((deadline, wire));
        if deadline < self.sleeping_until.get() {
            self.mailbox.notify.notify_one();
        }
    }

    fn fire_timers(&self) {
        let now = clock::now();
        loop {
            let due = self.timers.borrow_mut().pop_due(now);
            let Some((deadline, slot)) = due else { break };
            if let Some(connection) = self.connection(slot)
                && connection.scheduled.get() == deadline
            {
                connection.scheduled.set(u64::MAX);
                self.guard(Some(&connection), || connection.handle_timeout(self, now));
            }
        }
        loop {
            let front = {
                let mut closing = self.closing.borrow_mut();
                match closing.front() {
                    Some((deadline, wire)) if *deadline <= now || wire.is_gone() => {
                        closing.pop_front()
                    }
                    _ => None,
                }
            };
            let Some((_, wire)) = front else { break };
            wire.finish(self);
        }
    }

    // --- buffers and lists ---------------------------------------------------------------------

    /// The buffer that everything is read into; borrowed for one read and what it leads to.
    pub fn read_buffer(&self) -> RefMut<'_, Box<[u8]>> {
        self.read_buffer.borrow_mut()
    }

    /// An empty write buffer.
    pub fn spare_buffer(&self) -> Vec<u8> {
        self.spare_buffers.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives a write buffer back.
    pub fn give_spare_buffer(&self, buffer: Vec<u8>) {
        let mut spare = self.spare_buffers.borrow_mut();
        if spare.len() < SPARE_BUFFERS && buffer.capacity() <= SPARE_CAPACITY {
            spare.push(buffer);
        }
    }

    /// Notes that something waits to be written on `wire`.
    pub fn add_dirty(&self, wire: Rc<Wire>) {
        self.dirty.borrow_mut().push(wire);
    }

    /// Notes that messages wait for the next poll of `connection`.
    pub fn add_unflushed(&self, connection: Rc<Connection>) {
        self.unflushed.borrow_mut().push(connection);
    }

    /// Notes that `wire` waits for room in the inbox.
    pub fn add_stalled(&self, wire: Rc<Wire>) {
        self.stalled.borrow_mut().push(wire);
    }

    /// Forgets a bridged stream.
    pub fn forget_bridge(&self, key: BridgeKey) {
        self.bridges.borrow_mut().remove(&key);
    }

    /// Writes everything that waits to be written.
    pub fn flush_dirty(&self) {
        loop {
            // Taken out one by one: writing can end a session, which marks other wires.
            let wire = self.dirty.borrow_mut().pop();
            let Some(wire) = wire else { return };
            wire.flush(self);
        }
    }

    fn flush(&self) {
        loop {
            let connection = self.unflushed.borrow_mut().pop();
            let Some(connection) = connection else { break };
            self.guard(Some(&connection), || connection.flush_session(self));
        }
        self.flush_dirty();
    }
}

/// A message as one WebSocket frame.
fn encode_frame(message: &Outgoing) -> Bytes {
    let (opcode, prefix, data): (_, &[u8], _) = match message {
        Outgoing::Text(data) => (OpCode::Text, b"4", data),
        Outgoing::Binary(data) => (OpCode::Binary, b"", data),
    };
    let len = prefix.len() + data.len();
    let mut out = Vec::with_capacity(frame::MAX_HEADER + len);
    frame::write_header(&mut out, opcode, false, len);
    out.extend_from_slice(prefix);
    out.extend_from_slice(data);
    out.into()
}
