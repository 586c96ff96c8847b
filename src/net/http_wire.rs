//! One TCP connection that polling requests come by, one after the other.
//!
//! ```text
//!            part of a head           the rest of it
//!   Idle ────────────────────► Head ─────────────────┐ in time
//!    │ ▲                                             ▼
//!    │ │      ┌──────────────── a whole request ◄────┤
//!    │ │      ▼                                      ▼ its body is not all there
//!    │ └── Waiting ◄──────── the rest of it ──────── Body
//!    │   the │ ▲
//!    │ answer│ │ there is room again
//!    │       ▼ │
//!    │      Full       "ok" is held back until JavaScript has taken what came: the client sends no more
//!    ▼
//!   Gone     closed, or given back to Node.js with the bytes of what is not plain
//! ```
//!
//! While the inbox is full nothing is read, in whatever state; deadlines are put off then.
//!
//! A request is handled here only if it is plain ([`crate::http::request`]), alone in what has
//! come, and of a polling session of its server. Everything else (other paths, preflights, unknown
//! sessions, upgrades, pipelining before an answer) is not refused but given back, connection and
//! bytes: Node.js does with it what it always does.

mod answering;
mod reading;
mod waiting;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use tokio::net::TcpStream;

use super::budget::{Budget, HeldBuffer, Stop};
use super::clock;
use super::command::{Command, PollEvent};
use super::context::{Victim, Wire, WorkerContext};
use super::http_profile::Profile;
use super::record::Kind;
use super::request_name::RequestName;
use super::server::Server;
use crate::engineio::RequestId;
use crate::http::encoding::Encoding;
use crate::id::{Handle, Slot};

/// Pieces of a head that are read when they come, each time from its beginning; then nothing is read
/// until an empty line has come.
const MAX_HEAD_PIECES: u8 = 8;
/// Bytes that may come before an answer; behind them nothing is read.
const LOOKAHEAD: usize = 64 << 10;
/// Reads of one connection before the others of its worker get their turn.
const READS_PER_TURN: u32 = 4;

/// The sessions, as a wire needs them: they may live in another worker.
pub trait Sessions {
    /// A GET has come.
    fn handle_get(&self, session: Handle, request: RequestId);
    /// A POST has come, body and all. `budget` counts the body, should it have to wait.
    fn handle_post(
        &self,
        session: Handle,
        request: RequestId,
        body: &[u8],
        binary: bool,
        budget: &Arc<Budget>,
    );
    /// Something else has happened to a request.
    fn handle_event(&self, session: Handle, request: RequestId, event: PollEvent);
}

/// How far the request has come; see the diagram above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Head {
        pieces: u8,
    },
    /// `input` begins with the head and so much of the body as has come.
    Body {
        head: usize,
        length: usize,
        binary: bool,
        /// Pieces that it has come in so far.
        chunks: u32,
    },
    Waiting,
    Full {
        room: bool,
    },
    Gone,
}

/// One connection that polling requests come by.
pub struct HttpWire {
    server: Arc<Server>,
    profile: Arc<Profile>,
    /// JavaScript's name for the connection.
    token: u32,
    /// JavaScript's name for the HTTP server that it came to.
    listener: u32,
    /// Its worker and its slot in the table there.
    handle: Handle,
    /// The server's count of recalls when it was handed over; see [`Server::recalls`].
    recalls: u32,
    tcp: RefCell<Option<TcpStream>>,
    state: Cell<State>,
    /// The request that is on its way, and its session.
    generation: Cell<u32>,
    session: Cell<Handle>,
    encoding: Cell<Option<Encoding>>,
    /// What has come and is not done with.
    input: HeldBuffer,
    /// Bytes at the beginning of `input` that belong to the request on its way: to be given back, should
    /// its session turn out to be gone.
    kept: Cell<usize>,
    /// Bytes of a refused body that are still to come.
    skipped: Cell<usize>,
    /// Set when a session has not taken the request that is being handed to it.
    refused: Cell<bool>,
    out: RefCell<Vec<u8>>,
    /// What a held answer waits for: the place in the inbox that JavaScript is to come to.
    after: Cell<u64>,
    /// Set while nothing is read, because the inbox is full.
    stalled: RefCell<Option<Stop>>,
    /// Whether it is among those that hear of what JavaScript takes.
    listed: Cell<bool>,
    /// The HTTP server is closing: the connection ends with the answer.
    closing: Cell<bool>,
    deadline: Cell<u64>,
    /// When the head that is coming must be whole.
    head_deadline: Cell<u64>,
    scheduled: Cell<u64>,
    waker: RefCell<Option<Waker>>,
}

impl fmt::Debug for HttpWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpWire")
            .field("token", &self.token)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl HttpWire {
    /// Puts a connection into the worker's table. `token`, `listener`: JavaScript's names for it and
    /// for its HTTP server; `recalls`: the server's count when it was handed over.
    pub fn open(
        context: &WorkerContext,
        server: Arc<Server>,
        profile: Arc<Profile>,
        token: u32,
        listener: u32,
        recalls: u32,
        tcp: TcpStream,
    ) -> Rc<Self> {
        let budget = &Arc::clone(&server.environment.inbox.budget);
        let wire = context.http_table.add(|slot| {
            let handle = Handle::new(context.index, slot);
            let wire = Rc::new(Self {
                recalls,
                server,
                profile,
                token,
                listener,
                handle,
                tcp: RefCell::new(Some(tcp)),
                state: Cell::new(State::Idle),
                generation: Cell::new(0),
                session: Cell::new(handle),
                encoding: Cell::new(None),
                input: HeldBuffer::new(budget, context.index),
                kept: Cell::new(0),
                skipped: Cell::new(0),
                refused: Cell::new(false),
                out: RefCell::default(),
                after: Cell::new(0),
                stalled: RefCell::default(),
                listed: Cell::new(false),
                closing: Cell::new(false),
                deadline: Cell::new(u64::MAX),
                head_deadline: Cell::new(u64::MAX),
                scheduled: Cell::new(u64::MAX),
                waker: RefCell::default(),
            });
            (Rc::<Self>::clone(&wire), wire)
        });
        wire.await_request(context);
        wire
    }

    /// The name of the request that is on its way.
    fn request(&self) -> RequestId {
        let generation = self.generation.get();
        RequestName::Native { wire: self.handle, generation }.into()
    }

    /// Wakes the task that drives the wire.
    fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Begins to wait for the next request.
    fn await_request(&self, context: &WorkerContext) {
        self.state.set(State::Idle);
        self.set_timeout(context, self.profile.idle_timeout);
    }

    /// Begins to wait for the rest of a head, as Node.js does on a connection that is kept: it is idle
    /// as long as no head is whole, whatever comes, and each byte begins that time anew; all of the head
    /// has its own.
    fn await_head(&self, context: &WorkerContext) {
        let now = clock::now();
        let idle = match self.profile.idle_timeout {
            0 => u64::MAX,
            timeout => now.saturating_add(timeout),
        };
        self.deadline.set(idle.min(self.head_deadline.get()));
        self.schedule(context);
    }

    /// The first bytes of a head have come.
    fn begin_head(&self) {
        self.head_deadline.set(match self.profile.headers_timeout {
            0 => u64::MAX,
            timeout => clock::now().saturating_add(timeout),
        });
    }

    /// Begins to wait for the rest of a body: as long as the HTTP server waits for a request, and the
    /// engine for a body.
    fn await_body(&self, context: &WorkerContext) {
        let Self { profile, server, .. } = self;
        let body = server.engine.body_timeout.max(1);
        self.set_timeout(
            context,
            if self.is_body_first() { body } else { profile.request_timeout },
        );
    }

    /// All of the request is there, or as much of it as is waited for.
    fn await_answer(&self) {
        self.state.set(State::Waiting);
        self.deadline.set(u64::MAX);
    }

    /// Whether the engine loses its patience with a body before the HTTP server does.
    fn is_body_first(&self) -> bool {
        let request = self.profile.request_timeout;
        request == 0 || self.server.engine.body_timeout <= request
    }

    /// Sets the deadline, so many milliseconds from now (0: none).
    fn set_timeout(&self, context: &WorkerContext, milliseconds: u64) {
        if milliseconds == 0 {
            self.deadline.set(u64::MAX);
            return;
        }
        self.deadline.set(clock::now().saturating_add(milliseconds));
        self.schedule(context);
    }

    /// Keeps the deadline with the worker. One that has moved later leaves its old entry to run out.
    fn schedule(&self, context: &WorkerContext) {
        if self.deadline.get() < self.scheduled.get() {
            let deadline = self.deadline.get();
            self.scheduled.set(context.schedule_http(deadline, self.handle.slot().index));
        }
    }

    /// The stream has ended, orderly or not.
    fn handle_end(&self, context: &WorkerContext) {
        self.abandon(context);
        self.finish(context);
    }

    /// Tells the session that nobody waits for the answer any more.
    fn abandon(&self, context: &WorkerContext) {
        if matches!(self.state.get(), State::Waiting | State::Body { .. } | State::Full { .. }) {
            self.post(context, PollEvent::Closed);
        }
    }

    /// Has the session hear of `event` by the mailbox of its worker.
    fn post(&self, context: &WorkerContext, event: PollEvent) {
        let session = self.session.get();
        let command = Command::Poll { slot: session.slot(), request: self.request(), event };
        context.post(session.worker(), command);
    }

    /// Gives the connection back to JavaScript, with `bytes` that it has not answered.
    fn give_back(&self, context: &WorkerContext, bytes: &[u8]) {
        let stream = self.tcp.borrow_mut().take().and_then(|tcp| tcp.into_std().ok());
        let Some(stream) = stream else { return self.finish(context) };
        let environment = &self.server.environment;
        environment.keep_stream(self.token, stream);
        environment.inbox.push(self.handle.worker(), |record| {
            record.kind(Kind::GivenBack).number(self.token).buffer(bytes.to_vec());
        });
        self.forget(context);
    }

    fn forget(&self, context: &WorkerContext) {
        self.state.set(State::Gone);
        *self.tcp.borrow_mut() = None;
        self.input.take();
        *self.stalled.borrow_mut() = None;
        *self.out.borrow_mut() = Vec::new();
        context.http_table.remove(self.handle.slot().index);
        self.wake();
    }
}

impl Victim for HttpWire {
    /// The session goes with it: an answer may be lost, and nobody knows what of it has been taken.
    fn handle_panic(&self, context: &WorkerContext) {
        if !self.is_gone() && self.generation.get() != 0 {
            self.post(context, PollEvent::Failed);
        }
        self.finish(context);
    }
}

impl Wire for HttpWire {
    fn flush(&self, context: &WorkerContext) {
        self.write_out(context);
    }

    fn resume(&self, context: &WorkerContext, _own: &dyn Fn() -> usize) -> bool {
        let waits = self.goes_on_waiting(context);
        self.listed.set(waits);
        !waits
    }

    fn finish(&self, context: &WorkerContext) {
        fault!("http finish", self.environment_id(), self.token);
        if self.state.get() == State::Gone {
            return;
        }
        self.server.environment.inbox.push(self.handle.worker(), |record| {
            record.kind(Kind::WireClosed).number(self.token);
        });
        self.forget(context);
    }

    fn is_gone(&self) -> bool {
        self.state.get() == State::Gone
    }

    fn environment_id(&self) -> u32 {
        self.server.environment.id
    }

    fn token(&self) -> u32 {
        self.token
    }

    fn client(&self) -> Option<Slot> {
        None
    }
}
