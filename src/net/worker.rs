//! One thread of the data plane.

mod ending;
mod polling;

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use rustc_hash::FxHashMap;
use slab::Slab;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::yield_now;

use super::adopt::{Ends, prepare};
use super::alarm::Alarm;
use super::clock;
use super::command::{Adopt, AdoptedStream, BridgeEvent, BridgeKey, Command, PollEvent, Purpose};
use super::connection::Connection;
use super::context::{Context, Port as _};
use super::custody::Custody;
use super::mailbox::{Batch, Mailbox, Operation};
use super::request_name::RequestName;
use super::server::{Requests, Server, SessionEntry};
use super::shared_frames::SharedFrames;
use super::wire::{Carried as _, Wire};
use crate::engineio::{Link, Session, Transport};
use crate::id::Handle;

/// One thread of the data plane: owns its connections from accept to close.
pub struct Worker {
    context: Context,
    connections: RefCell<Slab<Rc<Connection>>>,
    bridges: RefCell<FxHashMap<BridgeKey, Rc<Wire>>>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("index", &self.context.index).finish_non_exhaustive()
    }
}

/// A worker as other threads know it: to be visited while it sleeps.
pub type Visited = Custody<Rc<Worker>>;

/// Runs a worker on this thread until it is told to stop. `started` hears whether it could start.
///
/// `mailboxes`: those of all workers.
pub(super) fn run(
    index: usize,
    mailboxes: Arc<[Arc<Mailbox>]>,
    started: impl FnOnce(io::Result<Arc<Visited>>),
) {
    let worker = Rc::new(Worker {
        context: Context::new(index, mailboxes),
        connections: RefCell::default(),
        bridges: RefCell::default(),
    });
    #[expect(unsafe_code, reason = "a worker is made of `Rc`s")]
    // SAFETY: the worker, and what its tasks share with it, is touched by this thread only while
    // the executor polls tasks, and the executor releases custody before it waits and acquires it
    // after. What of tokio can be reached from it (sockets, wakers) may be used by any thread, and
    // nothing else of it is tied to one.
    let custody = Arc::new(unsafe { Custody::new(Rc::clone(&worker)) });
    let (asleep, awake) = (Arc::clone(&custody), Arc::clone(&custody));
    let executor = Builder::new_current_thread()
        .enable_all()
        .on_thread_park(move || asleep.release())
        .on_thread_unpark(move || awake.acquire())
        .build_local(LocalOptions::default());
    let executor = match executor {
        Ok(executor) => executor,
        Err(error) => return started(Err(error)),
    };
    started(Ok(Arc::clone(&custody)));
    let ending = Rc::clone(&worker);
    executor.block_on(async move {
        tokio::task::spawn_local(poll_fn(move |cx| {
            ending.context.turn.watch(cx);
            ending.end_turn();
            Poll::<()>::Pending
        }));
        worker.main_loop().await;
    });
    custody.retire();
}

impl Worker {
    async fn main_loop(self: Rc<Self>) {
        let mut batch = Batch::default();
        let mut alarm = Alarm::default();
        loop {
            let mut stop = false;
            self.context.mailbox.take(&mut batch);
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
            self.end_turn();
            if self.context.mailbox.is_empty() {
                self.wait(&mut alarm).await;
            } else {
                // JavaScript may fill the mailbox as fast as we empty it: the sockets must have
                // their turn all the same.
                yield_now().await;
            }
        }
    }

    /// Does what `batch` asks for on the thread of a visitor, while the worker sleeps. False when
    /// there is something that was asked for before: then the batch has to wait behind it.
    pub(super) fn stand_in(self: &Rc<Self>, batch: &mut Batch) -> bool {
        if !self.context.mailbox.is_empty() {
            return false;
        }
        self.context.while_asleep(|| {
            batch.drain(|operation| self.guard(None, || self.apply(operation)));
            // A panic must not reach the visitor, who may have been called by JavaScript.
            self.guard(None, || self.flush());
        });
        self.end_turn();
        true
    }

    /// Lets JavaScript hear of what has come in.
    fn end_turn(&self) {
        self.guard(None, || self.context.turn.end(self.context.index));
    }

    /// Waits for operations or the next deadline.
    async fn wait(&self, alarm: &mut Alarm) {
        let mut notified = pin!(self.context.mailbox.notify.notified());
        let rest = self.context.burst.poll_timeout(clock::now);
        let deadline = self.context.fall_asleep().into_iter().chain(rest).min();
        let mut asleep = false;
        poll_fn(|cx| {
            // Both ends are fine: something to do, or a deadline.
            if notified.as_mut().poll(cx).is_ready() || asleep {
                return Poll::Ready(());
            }
            if let Some(deadline) = deadline {
                alarm.set(deadline, cx);
            }
            asleep = true;
            Poll::Pending
        })
        .await;
        self.context.wake_up();
        if rest.is_some_and(|rest| clock::now() >= rest) {
            self.context.burst.handle_timeout();
        }
    }

    /// Runs `f`; a panic in it ends `connection` and nothing else. (The panic message has been
    /// printed by the panic hook.)
    fn guard(&self, connection: Option<&Connection>, f: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(f)).is_err()
            && let Some(connection) = connection
        {
            // Should this panic too, the connection stays as it is; the worker goes on.
            let _again = catch_unwind(AssertUnwindSafe(|| connection.abort(&self.context)));
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
                    connection.send_text(&self.context, flags, text);
                }
            }
            Operation::Command(command) => self.command(command),
        }
    }

    fn command(self: &Rc<Self>, command: Command) {
        match command {
            Command::Send { slot, flags, messages } => {
                if let Some(connection) = self.connection(slot) {
                    connection.send(&self.context, flags, &messages);
                }
            }
            Command::SendPacket { slot, flags, packet } => {
                if let Some(connection) = self.connection(slot) {
                    connection.send_packet(&self.context, flags, packet);
                }
            }
            Command::Broadcast { group, flags, messages } => {
                let frames = SharedFrames::new(&messages);
                let connections = self.connections.borrow();
                for slot in group.iter() {
                    if let Some(connection) = connections.get(slot as usize) {
                        connection.send_shared(&self.context, flags, &frames);
                    }
                }
            }
            Command::Close { slot, discard } => {
                if let Some(connection) = self.connection(slot) {
                    self.guard(Some(&connection), || connection.close(&self.context, discard));
                }
            }
            Command::Release { slot } => {
                // A handle that JavaScript releases twice is a fault of ours; it must not take
                // down the worker.
                self.connections.borrow_mut().try_remove(slot as usize);
                self.context.burst.handle_release();
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
            Command::Mark { slot } => {
                if let Some(connection) = self.connection(slot) {
                    self.guard(Some(&connection), || connection.mark(&self.context));
                }
            }
            Command::Adopt(adopt) => self.adopt(*adopt),
            Command::OpenPolling { server, token, sid, dialect, jsonp } => {
                let engine = Arc::clone(&server.engine);
                let mut session =
                    Session::open(engine, sid, dialect, Transport::Polling, clock::now());
                if let Some(parameter) = jsonp {
                    session.set_jsonp(&parameter);
                }
                let connection = self.open(server, session, None, token, None);
                let request = RequestName::Forwarded(token).into();
                connection.handle_poll(&self.context, request, PollEvent::Get);
            }
            Command::AdoptPolling(adopt) => self.adopt_polling(*adopt),
            Command::Answer { wire, generation, answer } => {
                if let Some(wire) = self.context.requesters.get(wire) {
                    wire.handle_answer(&self.context, generation, answer);
                }
            }
            Command::ClosePolling(close) => self.close_polling(close),
            Command::EndWires(end) => self.end_wires(&end),
            Command::Poll { slot, request, event } => {
                if let Some(connection) = self.connection(slot) {
                    self.guard(Some(&connection), || {
                        connection.handle_poll(&self.context, request, event);
                    });
                }
            }
            Command::Bridge { key, event } => self.handle_bridge(key, event),
            Command::Resume => self.context.resume(clock::now()),
            Command::DropEnvironment(id) => self.drop_connections(|environment| environment == id),
            Command::Stop => {}
        }
    }

    fn open(
        self: &Rc<Self>,
        server: Arc<Server>,
        session: Session,
        main: Option<&Rc<Wire>>,
        token: u32,
        ends: Option<Ends>,
    ) -> Rc<Connection> {
        let mut connections = self.connections.borrow_mut();
        self.context.turn.add(&server.environment);
        let entry = connections.vacant_entry();
        let handle = Handle::new(self.context.index, entry.key());
        let (transport, protocol) = (session.transport(), session.protocol());
        let requests = Arc::new(Requests::default());
        let for_connection = Arc::clone(&requests);
        let known = SessionEntry { handle, transport, protocol, requests };
        server.sessions.insert(session.sid().clone(), known);
        let main_wire = main.map(Rc::clone);
        let connection =
            Connection::open(handle, server, for_connection, session, main_wire, token, ends);
        if let Some(wire) = main {
            wire.bind(Rc::<Connection>::clone(&connection), Link::Main);
        }
        entry.insert(Rc::clone(&connection));
        connection
    }

    fn adopt(self: &Rc<Self>, adopt: Adopt) {
        let Adopt { server, token, purpose, dialect, stream, mut head, response, deflate } = adopt;
        let environment = Arc::clone(&server.environment);
        self.context.turn.add(&environment);
        let tcp = match stream {
            // Registration fails when the limit of the event queue is reached: the wire is then
            // closed before it was open.
            AdoptedStream::Tcp(stream) => prepare(&stream)
                .and_then(|ends| Ok((Some(TcpStream::from_std(stream)?), ends)))
                .ok(),
            AdoptedStream::Bridge => Some((None, None)),
        };
        let Some((tcp, ends)) = tcp else {
            environment.inbox.push(self.context.index, |record| {
                record.kind(super::record::Kind::WireClosed).number(token);
            });
            return;
        };
        let bridged = tcp.is_none();
        let wire = Rc::new(Wire::new(&server, self.context.index, token, tcp, dialect, deflate));
        wire.write_raw(&self.context, &response.into_bytes());
        if bridged {
            self.bridges.borrow_mut().insert((environment.id, token), Rc::clone(&wire));
        }
        match purpose {
            Purpose::Session(sid) => {
                let engine = Arc::clone(&server.engine);
                let now = clock::now();
                let session = Session::open(engine, sid, dialect, Transport::WebSocket, now);
                let connection = self.open(server, session, Some(&wire), token, ends);
                connection.settle(&self.context);
            }
            Purpose::Upgrade(slot) => {
                let connection = self.connection(slot);
                if connection.as_ref().is_some_and(|connection| connection.handle_probe(&wire)) {
                    if let Some(connection) = connection {
                        connection.settle(&self.context);
                    }
                } else {
                    wire.begin_close(&self.context, None);
                }
            }
        }
        if !bridged {
            let worker = Rc::clone(self);
            let wire = Rc::clone(&wire);
            tokio::task::spawn_local(async move { worker.drive(&wire).await });
        }
        if !head.is_empty() {
            wire.handle_bytes(&self.context, &mut head);
        }
    }

    /// Reads and writes a socket until it is gone.
    async fn drive(self: Rc<Self>, wire: &Rc<Wire>) {
        poll_fn(|cx| {
            let context = &self.context;
            let mut result = Poll::Pending;
            let polled = catch_unwind(AssertUnwindSafe(|| {
                result = wire.poll_drive(context, cx);
            }));
            if polled.is_err() {
                let _again = catch_unwind(AssertUnwindSafe(|| wire.handle_panic(context)));
                result = Poll::Ready(());
            }
            context.turn.end_soon(context.index);
            result
        })
        .await;
    }

    fn handle_bridge(&self, key: BridgeKey, event: BridgeEvent) {
        let wire = self.bridges.borrow().get(&key).map(Rc::clone);
        let Some(wire) = wire else { return };
        match event {
            BridgeEvent::Data(mut bytes) => wire.handle_bridged(&self.context, &mut bytes),
            BridgeEvent::Written(n) => wire.handle_written(&self.context, n),
            BridgeEvent::End => wire.handle_end(&self.context),
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
            connection.abort(&self.context);
        }
        drop(connections);
        let bridges: Vec<Rc<Wire>> = {
            let bridges = self.bridges.borrow();
            bridges.iter().filter(|((env, _), _)| doomed(*env)).map(|(_, w)| Rc::clone(w)).collect()
        };
        for wire in bridges {
            wire.finish(&self.context);
        }
        self.context.drop_ports(&doomed);
        self.end_turn();
        self.context.turn.forget(doomed);
    }

    // --- deadlines and writes ------------------------------------------------------------------

    fn fire_timers(&self) {
        let now = clock::now();
        while let Some((deadline, slot)) = self.context.pop_due(now) {
            if let Some(connection) = self.connection(slot)
                && connection.scheduled.get() == deadline
            {
                connection.scheduled.set(u64::MAX);
                self.guard(Some(&connection), || connection.handle_timeout(&self.context, now));
            }
        }
        while let Some(port) = self.context.pop_overdue(now) {
            port.finish(&self.context);
        }
        self.fire_polling_timers(now);
    }

    /// Lets go out what has been queued, and forgets what is over.
    fn flush(&self) {
        // Writing may show that a client does not read, and what is done about it may write.
        loop {
            while let Some(connection) = self.context.pop_unflushed() {
                self.guard(None, || connection.flush_session(&self.context));
            }
            self.context.flush_dirty();
            if !self.context.has_unflushed() {
                break;
            }
        }
        while let Some(key) = self.context.pop_gone_bridge() {
            self.bridges.borrow_mut().remove(&key);
        }
    }
}
