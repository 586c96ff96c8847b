//! One thread of the data plane.
//!
//! ```text
//!   ┌─► wait ──► turn: note which sockets are ready
//!   │                  do what JavaScript asks for                                (again in between, and behind)
//!   │                  drive each connection whose turn it is
//!   │                  fire deadlines, write, let JavaScript hear of what has come in
//!   └──────────────────────┘
//! ```
//!
//! A turn is all the work; whose thread runs it is all the same, as long as that has the lock. To wait, and to
//! give the lock away meanwhile, is what the worker's own thread does (`thread.rs`).

mod accepting;
mod ending;
mod handshaking;
mod http;
mod introducing;
mod operations;
mod relaying;
pub(super) mod thread;
mod transferring;
mod websocket;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use mio::Events;
use rustc_hash::FxHashMap;

use super::clients::Clients;
use super::clock;
use super::command::{BridgeKey, Command};
use super::connections::{Connections, Driven};
use super::context::{Victim as _, Wire as _, WorkerContext};
use super::http_wire::HttpWire;
use super::newcomers::{Accepting, Listening, Newcomer};
use super::operation_batch::{Operation, OperationBatch};
use super::panic_guard::Nobody;
use super::reader_policy::Turn;
use super::readiness::Readiness;
use super::relay::{Relay, Side};
use super::selector::{Selector, Wait};
use super::sleep_lock::{RunInline, SleepLock};
use super::sockets::Sockets;
use super::tcp::Tcp;
use super::websocket_wire::WebSocketWire;

/// One thread of the data plane: owns its connections from accept to close.
pub struct Worker {
    context: WorkerContext,
    sockets: Arc<Sockets>,
    clients: Clients,
    connections: Connections<Connection>,
    bridges: RefCell<FxHashMap<BridgeKey, Rc<WebSocketWire>>>,
    accepting: Accepting,
    /// What the mailbox is emptied into.
    batch: Cell<OperationBatch>,
    /// How many connections had their turn since the system was asked which are ready.
    driven: Cell<u32>,
    /// What has come by the sockets until then has been read, or is read in this turn.
    heard_at: Cell<u64>,
    /// When it will have been idle for so long that memory is given back.
    trim_at: Cell<Option<u64>>,
    /// JavaScript's thread has panicked here: until the worker begins anew, others leave it alone.
    broken: Cell<bool>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("index", &self.context.index).finish_non_exhaustive()
    }
}

/// A connection with a socket of its own. (Bridged streams have none.)
#[derive(Clone)]
enum Connection {
    WebSocket(Rc<WebSocketWire>),
    Http(Rc<HttpWire>),
    /// No connection yet.
    Listening(Rc<Listening>),
    Newcomer(Rc<Newcomer>),
    /// One of the two sockets of a relay.
    Relay(Rc<Relay>, Side),
}

/// After so many connections the system is asked which others are ready, at the end of the turn, even if some still
/// wait for their next one: these have much to read.
const POLL_INTERVAL: u32 = 4;
/// After so many connections the worker looks what JavaScript asks for, even if others are ready.
const MAILBOX_INTERVAL: usize = 32;
/// For so many microseconds JavaScript reads at once: then what its event loop has to do besides has its turn.
const LONG_READ: u64 = 1000;

/// A worker as other threads know it: it works for them while its thread sleeps.
pub type SharedWorker = SleepLock<Rc<Worker>>;

impl Driven for Connection {
    fn readiness(&self) -> Option<&Readiness> {
        match self {
            Self::WebSocket(wire) => wire.tcp().map(Tcp::readiness),
            Self::Http(wire) => Some(wire.tcp().readiness()),
            Self::Listening(listening) => Some(&listening.readiness),
            Self::Newcomer(newcomer) => Some(newcomer.readiness()),
            Self::Relay(relay, side) => relay.readiness(*side),
        }
    }
}

/// What another thread has done with the worker's data, while the worker's thread sleeps.
#[derive(Debug)]
pub enum Inline<'a> {
    /// Operations, and the buffer that lends to them.
    Perform(&'a mut OperationBatch, &'a [u8]),
    /// JavaScript reads the sockets, from this time on; what has become of it.
    Read(&'a mut Turn, u64),
    /// Nothing: it is only asked whether the worker's thread sleeps.
    Nothing,
}

#[expect(unsafe_code, reason = "a worker is made of `Rc`s")]
// SAFETY: what can be reached from a worker depends on no thread: sockets and the registry may be used
// by any, and the rest is plain memory. What is done for a batch ends with it: it
// is put into the lists, queues and sockets of the worker alone, and into the inbox, which is shared.
unsafe impl RunInline for Rc<Worker> {
    type Work<'a> = Inline<'a>;

    /// Does it on the calling thread, while the worker's sleeps. False when it can't be done now.
    fn run_inline(&self, work: Self::Work<'_>) -> bool {
        match work {
            Inline::Perform(batch, buffer) => self.perform_inline(batch, buffer),
            Inline::Read(turn, now) => {
                *turn = self.read_inline(now);
                true
            }
            Inline::Nothing => true,
        }
    }
}

impl Worker {
    fn new(context: WorkerContext, sockets: Arc<Sockets>) -> Self {
        Self {
            context,
            sockets,
            clients: Clients::default(),
            connections: Connections::default(),
            bridges: RefCell::default(),
            accepting: Accepting::default(),
            batch: Cell::default(),
            driven: Cell::new(0),
            heard_at: Cell::new(0),
            trim_at: Cell::new(None),
            broken: Cell::new(false),
        }
    }

    /// Does what `batch` asks for. False when there is something that was asked for before: then the batch has
    /// to wait behind it.
    fn perform_inline(&self, batch: &mut OperationBatch, buffer: &[u8]) -> bool {
        if self.broken.get() || !self.context.mailbox.is_empty() {
            return false;
        }
        self.context.while_asleep(|| {
            batch.drain(buffer, |operation| self.perform(operation));
            // A panic must not reach the caller, which may have been called by JavaScript.
            self.context.guard(&Nobody, || self.flush());
            self.context.guard(&Nobody, || self.release());
        });
        self.announce_records();
        true
    }

    /// Reads what is ready, if the sockets are JavaScript's, whose thread this is; of much, the rest is left for its next turn.
    /// Nothing else is done here: what the worker is asked for, and its deadlines, are its own.
    fn read_inline(&self, now: u64) -> Turn {
        let sockets = &*self.sockets;
        if !sockets.reader.is_javascript() {
            return Turn::NotMine;
        }
        if self.broken.get() {
            return Turn::Contended;
        }
        if !self.context.mailbox.is_empty() {
            // It was asked for before: it may be the last thing that is sent to a client whose end comes now.
            return Turn::Contended;
        }
        let Some(mut selector) = sockets.try_selector() else { return Turn::Contended };
        let mut done = None;
        self.context.while_asleep(|| {
            done = self.context.guard(&Nobody, || self.read(&mut selector, now));
        });
        self.count_bytes();
        self.announce_records();
        if done.is_none() {
            // As if it had panicked itself: it begins anew, and counts it.
            self.broken.set(true);
            self.context.mailbox.parker.unpark();
        }
        Turn::Done { useful: false }
    }

    fn read(&self, selector: &mut Selector, began: u64) {
        self.context.take_rest();
        selector.wait(Wait::Never);
        self.hear_all(selector);
        self.heard_at.set(clock::in_millis(began));
        let queue = &self.context.run_queue;
        let mut for_worker = false;
        for left in (0..queue.len()).rev() {
            match self.connections.pop(queue) {
                // The keys of TLS take long: they are the worker's, which is woken.
                Some(Connection::Newcomer(one)) if one.handshake.get().is_some() => {
                    queue.push(one.readiness());
                    for_worker = true;
                }
                Some(connection) => self.drive(&connection),
                None => {}
            }
            if left > 0 && clock::now_micros() - began > LONG_READ {
                if !for_worker {
                    self.context.leave_rest();
                }
                break;
            }
        }
        fault!("javascript reads", u32::MAX, self.context.index as u64);
        self.flush();
        self.release();
    }

    /// How long to wait before the next turn; none: not at all, and the system need not be asked
    /// either. [`wake_up`](Self::wake_up) has to follow.
    fn fall_asleep(&self) -> Option<Wait> {
        let context = &self.context;
        if !context.run_queue.is_empty() {
            return (self.driven.get() >= POLL_INTERVAL).then_some(Wait::Never);
        }
        let trim_at = context.idle_trim.poll_timeout(clock::now);
        self.trim_at.set(trim_at);
        Some(Wait::Until(context.fall_asleep().into_iter().chain(trim_at).min()))
    }

    /// The wait is over; `hears`: the system has told of the sockets.
    fn wake_up(&self, hears: bool) {
        if hears {
            self.driven.set(0);
            self.heard_at.set(clock::now());
        }
        self.context.wake_up();
        if self.trim_at.take().is_some_and(|at| clock::now() >= at) {
            self.context.idle_trim.handle_timeout();
        }
    }

    /// Has the sockets looked at of which the last wait has told, and all others that were ready then. (The system tells
    /// of the one first that has been ready for longest. It may go on without end about those that become ready again.)
    fn hear_all(&self, selector: &mut Selector) {
        self.hear(selector.events());
        for _ in 0..=self.connections.len() / Selector::EVENTS {
            if !selector.is_full() {
                return;
            }
            selector.wait(Wait::Never);
            self.hear(selector.events());
        }
    }

    fn hear(&self, events: &Events) {
        for event in events {
            self.connections.handle_event(&self.context.run_queue, event);
        }
    }

    /// One turn: all that is to be done now. Break: it was told to stop.
    fn turn(&self) -> ControlFlow<()> {
        let queue = &self.context.run_queue;
        // First: it was asked for before the sockets are looked at. Who is let in by that is announced before its peer
        // is answered: a program that is its own client must hear of it first, as from Node.js.
        self.empty_mailbox(|| {
            self.announce_records();
        })?;
        // Who has its turn again meanwhile comes behind those that wait now, in the next turn.
        for n in 1..=queue.len() {
            if let Some(connection) = self.connections.pop(queue) {
                self.drive(&connection);
            }
            if n % MAILBOX_INTERVAL == 0 {
                self.empty_mailbox(|| ())?;
            }
        }
        self.empty_mailbox(|| ())?;
        fault!("main loop", u32::MAX, self.context.index as u64);
        // Last: what has come in time counts.
        self.fire_timers();
        self.flush();
        self.count_bytes();
        // JavaScript comes for the news, and finds the sockets.
        let handed_over = self.sockets.reader.is_asked()
            && self.context.wakeups.has_news(self.context.index)
            && self.sockets.reader.hand_over();
        if !self.announce_records() && handed_over {
            // It had taken the news already, and does not come.
            self.sockets.reader.take_over();
        }
        self.release();
        ControlFlow::Continue(())
    }

    /// Tells how much has been read.
    fn count_bytes(&self) {
        self.sockets.reader.count_bytes(self.context.take_read());
    }

    fn drive(&self, connection: &Connection) {
        self.driven.set(self.driven.get() + 1);
        match connection {
            Connection::WebSocket(wire) => self.drive_websocket(wire),
            Connection::Http(wire) => self.drive_http(wire),
            Connection::Listening(listening) => self.drive_listening(listening),
            Connection::Newcomer(newcomer) => self.drive_newcomer(newcomer),
            Connection::Relay(relay, _) => relay.drive(&self.context),
        }
    }

    /// Does what JavaScript asks for, then what is to be done `before_writing`, and writes. Break: it was told to stop.
    fn empty_mailbox(&self, before_writing: impl FnOnce()) -> ControlFlow<()> {
        let mut batch = self.batch.take();
        let mut told = ControlFlow::Continue(());
        self.context.mailbox.parker.listen();
        if self.context.mailbox.take(&mut batch) {
            batch.drain(&[], |operation| {
                if matches!(operation, Operation::Command(Command::Stop)) {
                    told = ControlFlow::Break(());
                }
                self.perform(operation);
            });
            before_writing();
            self.flush();
        }
        self.batch.set(batch);
        told
    }

    /// Forgets the connections that are closed.
    fn release(&self) {
        self.connections.release(&self.context.run_queue);
    }

    /// Lets JavaScript hear of what has come in. Whether there is something.
    fn announce_records(&self) -> bool {
        let announce = || self.context.wakeups.announce(self.context.index);
        self.context.guard(&Nobody, announce).unwrap_or_default()
    }

    /// Ends all clients after a panic that belongs to none of them: the lists may be in any state. The slots
    /// stay until JavaScript gives them back.
    fn begin_anew(&self) {
        for client in self.clients.all() {
            self.context.guard(&Nobody, || client.abort(&self.context));
        }
        let bridges: Vec<_> = self.bridges.borrow().values().map(Rc::clone).collect();
        for wire in bridges {
            self.context.guard(&Nobody, || wire.finish(&self.context));
        }
        self.context.guard(&Nobody, || self.context.drop_wires(|_| true));
        for connection in self.connections.all() {
            self.context.guard(&Nobody, || match &connection {
                Connection::WebSocket(wire) => wire.finish(&self.context),
                Connection::Http(wire) => wire.finish(&self.context),
                Connection::Listening(listening) => {
                    self.context.run_queue.push(&listening.readiness);
                }
                Connection::Newcomer(newcomer) => newcomer.handle_panic(&self.context),
                Connection::Relay(relay, _) => relay.finish(&self.context),
            });
        }
        self.recount_newcomers();
        self.context.clear_lists();
        self.context.wake_up();
        self.announce_records();
    }

    /// Says on the standard error what those who run the program have to know.
    fn tell(&self, what: fmt::Arguments<'_>) {
        // Who does not listen any more is no reason to panic, as `eprintln` does.
        let _unheard = writeln!(io::stderr(), "ferrosocket: worker {} {what}", self.context.index);
    }

    /// Fires what was due when the system last told of the sockets: of what has come since then, nothing is known
    /// yet.
    fn fire_timers(&self) {
        let (due, now) = (self.heard_at.get(), clock::now());
        while let Some((deadline, slot)) = self.context.pop_due(due) {
            if let Some(client) = self.clients.at(slot)
                && client.scheduled.get() == deadline
            {
                client.scheduled.set(u64::MAX);
                self.context.guard(&*client, || client.handle_timeout(&self.context, now));
            }
        }
        while let Some(wire) = self.context.pop_overdue(due) {
            self.context.guard(&*wire, || Rc::clone(&wire).handle_overdue(&self.context));
        }
        self.fire_http_timers(due);
        self.fire_accepting(due);
    }

    /// Sends what has been queued, and forgets what is over.
    fn flush(&self) {
        // Writing may show that a client does not read, and what is done about it may write.
        loop {
            while let Some(client) = self.context.pop_failed() {
                if let Some(client) = self.clients.find(client) {
                    self.context.guard(&Nobody, || client.abort(&self.context));
                }
            }
            while let Some(client) = self.context.pop_unflushed() {
                if let Some(client) = self.clients.find(client) {
                    self.context.guard(&*client, || client.flush_session(&self.context));
                }
            }
            self.context.flush_dirty();
            if !self.context.has_clients_due() {
                break;
            }
        }
        while let Some(key) = self.context.pop_gone_bridge() {
            self.bridges.borrow_mut().remove(&key);
        }
    }
}
