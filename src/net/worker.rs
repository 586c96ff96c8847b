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
//! give the lock away meanwhile, is what the worker's own thread does.

mod accepting;
mod ending;
mod http;
mod websocket;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use mio::{Events, Registry};
use rustc_hash::FxHashMap;

use super::client::Client;
use super::clients::Clients;
use super::clock;
use super::command::{Blame, BridgeKey, Command, Outgoing, RequestEvent};
use super::connections::{Connections, Driven};
use super::context::{Victim, Wire as _, WorkerContext};
use super::descriptor::Addresses;
use super::http_wire::HttpWire;
use super::mailbox::Mailbox;
use super::newcomers::{Accepting, Listening, Newcomer};
use super::operation_batch::{Operation, OperationBatch};
use super::panic_guard::Nobody;
use super::reader::{Preference, Reader};
use super::reader_policy::{Turn, Watchdog};
use super::readiness::Readiness;
use super::request_name::RequestName;
use super::selector::{Selector, Wait};
use super::server::{Requests, Server, SessionEntry};
use super::shared_frames::SharedFrames;
use super::sleep_lock::{RunInline, SleepLock};
use super::tcp::Tcp;
use super::websocket_wire::WebSocketWire;
use crate::engineio::{Link, Session, Transport};
use crate::id::Slot;

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
}

/// After so many connections the system is asked which others are ready, at the end of the turn, even if some still
/// wait for their next one: these have much to read.
const POLL_INTERVAL: u32 = 4;
/// After so many connections the worker looks what JavaScript asks for, even if others are ready.
const MAILBOX_INTERVAL: usize = 32;
/// For so many microseconds JavaScript reads at once: then there is so much that the worker had better do it.
const LONG_READ: u64 = 1000;
/// How often the main loop of a worker may panic before the worker ends, on whichever thread: what panics so often
/// will go on to, and each time costs all connections.
const MAX_PANICS: u32 = 16;

/// A worker as other threads know it: it works for them while its thread sleeps.
pub type SharedWorker = SleepLock<Rc<Worker>>;

/// Runs a worker on this thread until it is told to stop. `started` gets it when it can be asked for something.
///
/// `mailboxes`: those of all workers; `sockets` and `registry`: its own.
pub(super) fn run(
    index: usize,
    mailboxes: Arc<[Arc<Mailbox>]>,
    sockets: Arc<Sockets>,
    registry: Registry,
    started: impl FnOnce(Arc<SharedWorker>),
) {
    let worker = Rc::new(Worker {
        context: WorkerContext::new(index, mailboxes, registry),
        sockets: Arc::clone(&sockets),
        clients: Clients::default(),
        connections: Connections::default(),
        bridges: RefCell::default(),
        accepting: Accepting::default(),
        batch: Cell::default(),
        driven: Cell::new(0),
        heard_at: Cell::new(0),
        trim_at: Cell::new(None),
        broken: Cell::new(false),
    });
    #[expect(unsafe_code, reason = "a worker is made of `Rc`s")]
    // SAFETY: this thread touches the worker, and what can be reached from it, only while it has the
    // lock. `Thread::wait` gives the lock away, uses nothing but what is the thread's own meanwhile, and
    // has it again when it returns.
    let lock = Arc::new(unsafe { SleepLock::new(Rc::clone(&worker)) });
    started(Arc::clone(&lock));
    let mailbox = Arc::clone(&worker.context.mailbox);
    mailbox.parker.set_thread(thread::current());
    let mut thread = Thread { lock: Arc::clone(&lock), sockets, mailbox, watchdog: None };
    for _ in 0..MAX_PANICS {
        if matches!(catch_unwind(AssertUnwindSafe(|| thread.run(&worker))), Ok(true)) {
            return lock.retire();
        }
        worker.tell(format_args!("has panicked: its clients are closed, and it goes on"));
        worker.begin_anew();
    }
    // It would go on like that for ever. No new session comes here from now on.
    thread.sockets.reader.fix();
    worker.tell(format_args!("has panicked {MAX_PANICS} times and ends"));
    worker.context.mailbox.close(index);
    worker.lose_sockets();
    worker.announce_records();
    lock.retire();
}

impl Driven for Connection {
    fn readiness(&self) -> Option<&Readiness> {
        match self {
            Self::WebSocket(wire) => wire.tcp().map(Tcp::readiness),
            Self::Http(wire) => Some(wire.tcp().readiness()),
            Self::Listening(listening) => Some(&listening.readiness),
            Self::Newcomer(newcomer) => Some(newcomer.readiness()),
        }
    }
}

/// The sockets of a worker, as its thread and that of JavaScript see them: one of them reads.
#[derive(Debug)]
pub struct Sockets {
    /// Who that is.
    pub reader: Reader,
    /// Which sockets are ready. Its thread holds it while it waits for them, JavaScript while it asks.
    selector: Mutex<Selector>,
    /// The descriptor of the selector.
    #[cfg(unix)]
    pub descriptor: std::os::fd::OwnedFd,
}

impl Sockets {
    /// Those of a new worker.
    ///
    /// # Errors
    /// When the system gives no descriptor.
    pub fn new(selector: Selector, preference: Preference) -> io::Result<Self> {
        Ok(Self {
            reader: Reader::new(preference),
            #[cfg(unix)]
            descriptor: selector.descriptor()?,
            selector: Mutex::new(selector),
        })
    }

    /// Waits for the end of what another thread asks, which does not wait.
    fn selector(&self) -> MutexGuard<'_, Selector> {
        self.selector.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None while another thread has it.
    fn try_selector(&self) -> Option<MutexGuard<'_, Selector>> {
        match self.selector.try_lock() {
            Ok(selector) => Some(selector),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Asks which are ready, without waiting, if it `is_needed`; the last answer is forgotten.
    fn look(&self, is_needed: bool) {
        let mut selector = self.selector();
        if is_needed {
            expect_queue(selector.wait(Wait::Never));
        } else {
            selector.clear();
        }
    }

    /// Whether one of them is ready, or the worker is told something.
    fn are_ready(&self) -> bool {
        #[cfg(unix)]
        return super::descriptor::is_ready(&self.descriptor);
        #[cfg(not(unix))]
        false
    }
}

/// What is the thread's and not the worker's: it is used while others have the lock.
struct Thread {
    lock: Arc<SharedWorker>,
    sockets: Arc<Sockets>,
    mailbox: Arc<Mailbox>,
    /// Looks whether JavaScript still comes, while that reads.
    watchdog: Option<Watchdog>,
}

impl Thread {
    /// True: it was told to stop. False: JavaScript's thread has panicked.
    fn run(&mut self, worker: &Worker) -> bool {
        loop {
            self.wait(worker);
            if worker.broken.take() {
                return false;
            }
            let mut selector = self.sockets.selector();
            worker.hear_all(&mut selector);
            if worker.turn().is_break() {
                worker.drop_clients(|_| true);
                return true;
            }
        }
    }

    /// Waits as long as the worker has nothing to do. The lock is free meanwhile, if that takes any time.
    fn wait(&mut self, worker: &Worker) {
        let wait = worker.fall_asleep();
        let hears = if self.sockets.reader.is_javascript() {
            if let Some(Wait::Until(deadline)) = wait {
                self.wait_apart(deadline);
            }
            // Those that wait for their turn have it here, whoever reads; while there are always some, this thread does
            // not look whether JavaScript comes, so it hears of the others. Before a deadline is fired, what has come
            // in time is read here, too.
            let reads = wait == Some(Wait::Never)
                || !self.sockets.reader.is_javascript()
                || worker.context.is_due(clock::now());
            self.sockets.look(reads);
            reads
        } else {
            self.watchdog = None;
            self.wait_for_sockets(wait);
            wait.is_some()
        };
        if wait.is_some() || hears {
            worker.wake_up(hears);
        }
    }

    fn wait_for_sockets(&self, wait: Option<Wait>) {
        let mut selector = self.sockets.selector();
        let Some(wait) = wait else { return selector.clear() };
        let waited = if matches!(wait, Wait::Until(_)) && self.mailbox.parker.try_park() {
            self.lock.release();
            let waited = selector.wait(wait);
            self.mailbox.parker.listen();
            self.lock.acquire();
            waited
        } else {
            // JavaScript may fill the mailbox as fast as we empty it, and the sockets must be read
            // all the same.
            selector.wait(Wait::Never)
        };
        expect_queue(waited);
    }

    /// JavaScript reads: waits for what else there is to do, and looks whether JavaScript still comes. If it
    /// does not, the sockets are the worker's again.
    fn wait_apart(&mut self, deadline: Option<u64>) {
        let (sockets, parker) = (&*self.sockets, &self.mailbox.parker);
        let watchdog =
            self.watchdog.get_or_insert_with(|| Watchdog::new(&sockets.reader, clock::now()));
        if !parker.try_park_apart() {
            return;
        }
        self.lock.release();
        let mut reason = None;
        while reason.is_none() && parker.is_apart() && sockets.reader.is_javascript() {
            let now = clock::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                break;
            }
            if now >= watchdog.due() {
                reason = watchdog.look(now, sockets.reader.counts(), || sockets.are_ready());
            } else {
                let until = deadline.map_or(watchdog.due(), |at| at.min(watchdog.due()));
                thread::park_timeout(Duration::from_millis(until - now));
            }
        }
        parker.listen();
        self.lock.acquire();
        if reason.is_some() {
            sockets.reader.take_over();
            self.watchdog = None;
        }
    }
}

#[expect(clippy::panic, reason = "without its sockets a worker is of no use")]
fn expect_queue(waited: io::Result<()>) {
    if let Err(error) = waited {
        panic!("the event queue is gone: {error}");
    }
}

/// What another thread has done with the worker's data, while the worker's thread sleeps.
#[derive(Debug)]
pub enum Inline<'a> {
    /// Operations, and the buffer that lends to them.
    Perform(&'a mut OperationBatch, &'a [u8]),
    /// JavaScript reads the sockets; what has become of it.
    Read(&'a mut Turn),
}

/// The one that an operation is for.
struct Blamed<'a> {
    worker: &'a Worker,
    blame: Blame,
}

impl Victim for Blamed<'_> {
    fn handle_panic(&self, context: &WorkerContext) {
        let worker = self.worker;
        match &self.blame {
            Blame::Nobody => {}
            Blame::Client(slot) => {
                if let Some(client) = worker.clients.look_up(*slot) {
                    client.abort(context);
                }
            }
            Blame::HttpWire(wire) => {
                if let Some(wire) = context.http_table.get(*wire) {
                    wire.handle_panic(context);
                }
            }
            Blame::Stream(key) => {
                let wire = worker.bridges.borrow().get(key).map(Rc::clone);
                if let Some(wire) = wire {
                    wire.handle_panic(context);
                }
            }
            Blame::Newcomer(newcomer) => newcomer.refuse(context.index),
        }
    }
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
            Inline::Read(turn) => {
                *turn = self.read_inline();
                true
            }
        }
    }
}

impl Worker {
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

    /// Reads what is ready, if the sockets are JavaScript's, whose thread this is; of much, the worker reads the rest.
    /// Nothing else is done here: what the worker is asked for, and its deadlines, are its own.
    fn read_inline(&self) -> Turn {
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
            done = self.context.guard(&Nobody, || self.read(&mut selector));
        });
        self.announce_records();
        if done.is_none() {
            // As if it had panicked itself: it begins anew, and counts it.
            self.broken.set(true);
            self.context.mailbox.parker.unpark();
        }
        Turn::Done { useful: false }
    }

    fn read(&self, selector: &mut Selector) {
        expect_queue(selector.wait(Wait::Never));
        self.hear_all(selector);
        self.heard_at.set(clock::now());
        let queue = &self.context.run_queue;
        let began = clock::now_micros();
        for _ in 0..queue.len() {
            if let Some(connection) = self.connections.pop(queue) {
                self.drive(&connection);
            }
            if clock::now_micros() - began > LONG_READ {
                // The worker is woken for those that are left.
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
            expect_queue(selector.wait(Wait::Never));
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

    fn drive(&self, connection: &Connection) {
        self.driven.set(self.driven.get() + 1);
        match connection {
            Connection::WebSocket(wire) => self.drive_websocket(wire),
            Connection::Http(wire) => self.drive_http(wire),
            Connection::Listening(listening) => self.drive_listening(listening),
            Connection::Newcomer(newcomer) => self.drive_newcomer(newcomer),
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

    // --- operations ----------------------------------------------------------------------------

    /// Does what is asked for. A panic ends the one that it is for.
    fn perform(&self, operation: Operation<'_>) {
        let victim = Blamed { worker: self, blame: operation.blame() };
        self.context.guard(&victim, || match operation {
            Operation::SendText { slot, flags, text } => {
                self.clients.each([slot], |client| client.send_text(&self.context, flags, text));
            }
            Operation::Command(command) => self.command(command),
        });
    }

    /// Gives `messages` to each of `slots`. All of them run under one guard, which remembers where they
    /// are: a guard for each would cost what a short packet costs.
    fn broadcast(&self, slots: impl Iterator<Item = Slot>, flags: u8, messages: &[Outgoing]) {
        let frames = SharedFrames::new(messages);
        let current = Cell::new(None);
        let mut slots = slots.inspect(|slot| current.set(Some(*slot)));
        loop {
            let done = catch_unwind(AssertUnwindSafe(|| {
                self.clients.each(slots.by_ref(), |client| {
                    client.send_shared(&self.context, flags, &frames);
                });
            }));
            if done.is_ok() {
                return;
            }
            if let Some(client) = current.take().and_then(|slot| self.clients.look_up(slot)) {
                self.context.guard(&Nobody, || client.abort(&self.context));
            }
        }
    }

    fn command(&self, command: Command) {
        match command {
            Command::Send { slot, flags, messages } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.send(&self.context, flags, &messages);
                }
            }
            Command::SendPacket { slot, flags, packet } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.send_packet(&self.context, flags, packet);
                }
            }
            Command::Broadcast { group, flags, messages } => {
                self.broadcast(group.iter(), flags, &messages);
            }
            Command::Close { slot, discard } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.close(&self.context, discard);
                }
            }
            Command::Release { slot } => {
                if self.clients.release(slot) {
                    self.context.idle_trim.handle_release();
                }
            }
            Command::Joined { slot } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.set_joined();
                }
            }
            Command::Watch { slot, mask } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.set_watched(mask);
                }
            }
            Command::Mark { slot } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.mark(&self.context);
                }
            }
            Command::Listen(listener) => self.listen(&listener),
            Command::Unlisten(listener) => self.unlisten(&listener),
            Command::IncomingWebSocket(incoming) => self.accept_websocket(*incoming),
            Command::OpenPolling { server, token, sid, dialect, jsonp } => {
                let engine = Arc::clone(&server.engine);
                let mut session =
                    Session::open(engine, sid, dialect, Transport::Polling, clock::now());
                if let Some(parameter) = jsonp {
                    session.set_jsonp(&parameter);
                }
                let client = self.open(server, session, None, token, None);
                let (context, request) = (&self.context, RequestName::Forwarded(token).into());
                self.clients.handle_request(context, client.handle, request, RequestEvent::Get);
            }
            Command::IncomingHttp(incoming) => self.accept_http(*incoming),
            Command::Answer { wire, generation, answer } => {
                if let Some(wire) = self.context.http_table.get(wire) {
                    wire.handle_answer(&self.context, generation, answer);
                }
            }
            Command::CloseHttp(close) => self.close_http(close),
            Command::EndWires(end) => self.end_wires(&end),
            Command::Request { slot, request, event } => {
                self.clients.handle_own_request(&self.context, slot, request, event);
            }
            Command::Bridge { key, event } => self.handle_bridge(key, event),
            Command::Resume => self.resume(),
            Command::Turned { environment, round } => self.resolve_doubts(environment, round),
            Command::DropEnvironment(id) => self.drop_clients(|environment| environment == id),
            Command::Stop => {}
        }
    }

    fn open(
        &self,
        server: Arc<Server>,
        session: Session,
        main: Option<&Rc<WebSocketWire>>,
        token: u32,
        addresses: Option<Addresses>,
    ) -> Rc<Client> {
        fault!("open", server.environment.id, token);
        self.context.wakeups.add(&server.environment);
        self.clients.add(self.context.index, |handle| {
            let (transport, protocol) = (session.transport(), session.protocol());
            let requests = Arc::new(Requests::default());
            let for_client = Arc::clone(&requests);
            let known = SessionEntry { handle, transport, protocol, requests };
            server.sessions.insert(session.sid().clone(), known);
            if let Some(wire) = main {
                wire.bind(handle.slot(), Link::Main);
            }
            let main_wire = main.map(Rc::clone);
            Client::open(handle, server, for_client, session, main_wire, token, addresses)
        })
    }

    /// JavaScript has taken something: what was not read for want of room is, as far as there is some.
    fn resume(&self) {
        self.context.resume(|wire| {
            let client = wire.client().and_then(|client| self.clients.find(client));
            let own = || client.as_ref().map_or(0, |client| client.waiting_bytes());
            let goes_on = wire.resume(&self.context, &own);
            if goes_on && let Some(client) = &client {
                client.handle_resumed(clock::now());
            }
            goes_on
        });
        self.accept_again();
    }

    /// JavaScript has looked at all its sockets: what it has found there is in the mailbox before this.
    fn resolve_doubts(&self, environment: u32, round: u64) {
        let now = clock::now();
        for doubt in self.context.take_doubts(environment, round) {
            if let Some(client) = self.clients.find(doubt.client) {
                self.context.guard(&*client, || client.handle_turned(&self.context, now, &doubt));
            }
        }
    }

    /// Drops everything that belongs to the environments that `doomed` names by their id.
    fn drop_clients(&self, doomed: impl Fn(u32) -> bool) {
        for client in self.clients.take(&doomed) {
            self.context.guard(&*client, || {
                fault!("drop", client.server.environment.id, client.handle.raw());
                client.abort(&self.context);
            });
        }
        let bridges: Vec<Rc<WebSocketWire>> = {
            let bridges = self.bridges.borrow();
            bridges.iter().filter(|((env, _), _)| doomed(*env)).map(|(_, w)| Rc::clone(w)).collect()
        };
        for wire in bridges {
            self.context.guard(&*wire, || wire.finish(&self.context));
        }
        self.context.drop_wires(&doomed);
        self.drop_accepting(&doomed);
        self.announce_records();
        self.context.wakeups.forget(doomed);
    }

    // --- deadlines and writes ------------------------------------------------------------------

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
            self.context.guard(&*wire, || wire.finish(&self.context));
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
