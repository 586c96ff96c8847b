//! One TCP connection that polling requests come by, one after another.
//!
//! ```text
//!            part of a head           the rest of it
//!   Idle ────────────────────► Head ─────────────────┐ in time
//!    │ ▲                                             ▼
//!    │ │      ┌──────────────── a whole request ◄────┤
//!    │ │      ▼                                      ▼ its body is not all there
//!    │ └── Waiting ◄──────── the rest of it ──────── Body
//!    │ ▲  the │
//!    │ │answer▼
//!    │ │    Full       "ok" is held back until JavaScript has taken what came: the client sends no more
//!    │ │      ▼
//!    │ └── Ready       it has: "ok" goes out
//!    ▼
//!   Gone     closed, or given back to Node.js with the bytes of what is not plain
//! ```
//!
//! While the inbox is full, nothing is read, in whatever state, and deadlines are put off.
//!
//! A request is answered here only if it is plain ([`crate::http::request`]), if nothing else came with it,
//! and if it names a polling session of its server. Everything else (other paths, preflights, unknown
//! sessions, upgrades, pipelining before an answer) is not refused: the connection is given back with its
//! bytes, and Node.js does what it always does.

mod answering;
mod carrying;
mod reading;
mod waiting;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::budget::{HeldBuffer, Stop};
use super::clock;
use super::command::{Command, HttpHandover, IncomingRelay, RequestEvent};
use super::context::{Victim, Wire, WorkerContext};
use super::cross_origin::Lines;
use super::descriptor::Addresses;
use super::refusal::Refusal;
use super::request_name::RequestName;
use super::stream::Stream;
use super::taking::Taking;
use super::tcp::Tcp;
use super::write_queue::WriteQueue;
use crate::border::RecordKind;
use crate::engineio::RequestId;
use crate::http::encoding::Encoding;
use crate::http::request::{Persistence, Reading};
use crate::http::response::BAD_REQUEST;
use crate::id::{Handle, Slot};

/// A head that comes in pieces is parsed again from its beginning with each of them, up to so many; after
/// that, only when its empty line has come.
const MAX_HEAD_PIECES: u8 = 8;
/// Bytes that may come while a request waits for its answer; then nothing more is read.
const LOOKAHEAD: usize = 64 << 10;

/// How far the request has come; see the diagram above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle {
        /// Bytes of a refused body that are still to come.
        skip: usize,
    },
    Head {
        /// Pieces that have come so far.
        pieces: u8,
        /// When all of it must be there.
        deadline: u64,
    },
    /// `input` has the head, and the body as far as it has come.
    Body {
        head: usize,
        length: usize,
        binary: bool,
        /// Pieces that have come so far.
        chunks: u32,
    },
    Waiting {
        /// Bytes at the beginning of `input` that belong to the request.
        kept: usize,
    },
    Full {
        /// The place in the inbox that JavaScript has to reach first.
        after: u64,
    },
    Ready,
    Gone,
}

/// A request, and the session that answers it.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    session: Handle,
    /// Which of the worker's requests it is.
    generation: u32,
    /// How a large answer is to be compressed.
    encoding: Option<Encoding>,
    /// What becomes of the connection behind the answer.
    persistence: Persistence,
}

/// One connection that polling requests come by.
pub struct HttpWire {
    /// What JavaScript has said of it.
    handover: HttpHandover,
    /// Its worker and its slot in the table there.
    handle: Handle,
    tcp: Tcp,
    /// The addresses of the connection, where those of its socket are a proxy's.
    told: Option<Box<Addresses>>,
    state: Cell<State>,
    /// The request under way, or the last one.
    exchange: Cell<Option<Exchange>>,
    /// The headers that its answer begins with, where they are not the same for all.
    lines: Cell<Option<Arc<Lines>>>,
    /// What has come and is still needed.
    input: HeldBuffer,
    /// Set when a session has not taken the request that is being handed to it.
    refused: Cell<bool>,
    out: RefCell<WriteQueue>,
    /// Set while nothing is read, because the inbox is full.
    stalled: Cell<Option<Stop>>,
    /// Set while nothing is read, because its sessions go to another process.
    is_held: Cell<bool>,
    /// Whether it is on the worker's list of those that wait for JavaScript to take something.
    listed: Cell<bool>,
    /// The HTTP server is closing: the connection ends with the answer.
    closing: Cell<bool>,
    /// The peer has ended its half: the connection ends with the answer, which does not say so.
    ended: Cell<bool>,
    deadline: Cell<u64>,
    /// The deadline as the worker keeps it.
    scheduled: Cell<u64>,
}

impl fmt::Debug for HttpWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpWire")
            .field("token", &self.handover.token)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl HttpWire {
    /// Puts a connection into the worker's table.
    pub fn open(
        context: &WorkerContext,
        handover: HttpHandover,
        tcp: Tcp,
        told: Option<Addresses>,
    ) -> Rc<Self> {
        let budget = &Arc::clone(&handover.server.environment.inbox.budget);
        let wire = context.http_table.add(|slot| {
            let handle = Handle::new(context.index, slot);
            let wire = Rc::new(Self {
                handover,
                handle,
                tcp,
                told: told.map(Box::new),
                state: Cell::new(State::Idle { skip: 0 }),
                exchange: Cell::new(None),
                lines: Cell::default(),
                input: HeldBuffer::new(budget, context.index),
                refused: Cell::new(false),
                out: RefCell::default(),
                stalled: Cell::default(),
                is_held: Cell::new(false),
                listed: Cell::new(false),
                closing: Cell::new(false),
                ended: Cell::new(false),
                deadline: Cell::new(u64::MAX),
                scheduled: Cell::new(u64::MAX),
            });
            (Rc::<Self>::clone(&wire), wire)
        });
        wire.await_request(context);
        wire
    }

    /// The socket.
    pub fn tcp(&self) -> &Tcp {
        &self.tcp
    }

    /// The name of a request.
    fn name(&self, exchange: Exchange) -> RequestId {
        let generation = exchange.generation;
        RequestName::Native { wire: self.handle, generation }.into()
    }

    /// Begins to wait for the next request.
    fn await_request(&self, context: &WorkerContext) {
        self.set_timeout(context, self.handover.profile.idle_timeout);
    }

    /// Begins to wait for the rest of a head, as Node.js does on a kept connection: until the head is whole
    /// the connection counts as idle, and each byte starts the idle time anew; `deadline` is for the head
    /// as a whole.
    fn await_head(&self, context: &WorkerContext, deadline: u64) {
        self.deadline.set(after(self.handover.profile.idle_timeout).min(deadline));
        self.schedule(context);
    }

    /// When a head that begins now must be whole.
    fn head_deadline(&self) -> u64 {
        after(self.handover.profile.headers_timeout)
    }

    /// Begins to wait for the rest of a body: as long as the HTTP server waits for a request, and the
    /// engine for a body.
    fn await_body(&self, context: &WorkerContext) {
        let HttpHandover { profile, server, .. } = &self.handover;
        let body = server.engine.body_timeout.max(1);
        self.set_timeout(
            context,
            if self.is_body_first() { body } else { profile.request_timeout },
        );
    }

    /// Nothing more of the request is waited for. The first `kept` bytes of `input` are its own.
    fn await_answer(&self, kept: usize) {
        self.state.set(State::Waiting { kept });
        self.deadline.set(u64::MAX);
    }

    /// Bytes at the beginning of `input` that belong to the request under way: they are given back if its
    /// session turns out to be gone.
    fn kept(&self) -> usize {
        match self.state.get() {
            State::Waiting { kept } => kept,
            State::Body { head, length, .. } => self.input.len().min(head + length),
            State::Idle { .. }
            | State::Head { .. }
            | State::Full { .. }
            | State::Ready
            | State::Gone => 0,
        }
    }

    /// Whether the engine gives up on a body before the HTTP server does.
    fn is_body_first(&self) -> bool {
        let request = self.handover.profile.request_timeout;
        request == 0 || self.handover.server.engine.body_timeout <= request
    }

    /// Sets the deadline, so many milliseconds from now (0: none).
    fn set_timeout(&self, context: &WorkerContext, milliseconds: u64) {
        self.deadline.set(after(milliseconds));
        self.schedule(context);
    }

    /// Has the worker keep the deadline. When it has moved later, the old entry is left to run out.
    fn schedule(&self, context: &WorkerContext) {
        if self.deadline.get() < self.scheduled.get() {
            let deadline = self.deadline.get();
            self.scheduled.set(context.schedule_http(deadline, self.handle.slot().index));
        }
    }

    /// The peer has ended its half of the connection. What it has asked for is answered before the other half ends, as Node.js
    /// does: it would have answered by now whatever has an answer.
    pub fn handle_last(&self, context: &WorkerContext) {
        self.ended.set(true);
        match self.state.get() {
            State::Idle { .. } => self.end_behind_answer(context),
            State::Head { .. } => {
                let bytes = self.input.take();
                self.give_back(context, &bytes);
            }
            State::Body { .. } => {
                self.queue(context, |out| out.extend_from_slice(BAD_REQUEST));
                self.write_out(context);
                self.handle_end(context);
            }
            // The session has heard of the request before it hears of this: what is not answered by then is dropped.
            State::Waiting { .. } => self.post(context, RequestEvent::Closed),
            State::Full { .. } | State::Ready => self.answer_delayed(context),
            State::Gone => {}
        }
    }

    /// The stream has ended, with or without an error.
    pub fn handle_end(&self, context: &WorkerContext) {
        self.abandon(context);
        self.finish(context);
    }

    /// Tells the session that nobody waits for the answer any more.
    fn abandon(&self, context: &WorkerContext) {
        match self.state.get() {
            State::Waiting { .. } | State::Body { .. } | State::Full { .. } | State::Ready => {
                self.post(context, RequestEvent::Closed);
            }
            State::Idle { .. } | State::Head { .. } | State::Gone => {}
        }
    }

    /// Sends `event` to the session of the last request, through the mailbox of its worker.
    fn post(&self, context: &WorkerContext, event: RequestEvent) {
        let Some(exchange) = self.exchange.get() else { return };
        let (session, request) = (exchange.session, self.name(exchange));
        context.post(session.worker(), Command::Request { slot: session.slot(), request, event });
    }

    /// Gives the connection back to JavaScript, with `bytes` that it has not answered, or has it begin anew.
    fn give_back(&self, context: &WorkerContext, bytes: &[u8]) {
        let Some(stream) = self.tcp.give_away(context) else { return self.finish(context) };
        let Some(stream) = self.begin_anew(context, bytes, stream) else { return };
        let environment = &self.handover.server.environment;
        let Stream::Plain(stream) = stream else {
            // Node.js gets it by a relay: to Node.js one connection has ended, and another one has come.
            let Some(listener) = &self.handover.front else { return self.finish(context) };
            let listener = Arc::clone(listener);
            let (read, before) = (bytes.to_vec(), Some(self.handover.token));
            let told = self.told.as_deref().copied();
            let relay = IncomingRelay { listener, stream, told, read, before, deputy: None };
            context.post(self.handle.worker(), Command::Relay(Box::new(relay)));
            return self.forget(context);
        };
        environment.keep_stream(self.handover.token, stream);
        environment.inbox.push(self.handle.worker(), |record| {
            record.kind(RecordKind::GivenBack).number(self.handover.token).buffer(bytes.to_vec());
        });
        self.forget(context);
    }

    /// If what has come opens a session or asks for a WebSocket, and a worker would take a new connection for that, this one
    /// is from now on as if it had come now: a proxy has kept it for whoever comes. Else gives back `stream`.
    fn begin_anew(&self, context: &WorkerContext, bytes: &[u8], stream: Stream) -> Option<Stream> {
        let Some(listener) = &self.handover.front else { return Some(stream) };
        let Some(admission) = listener.admission() else { return Some(stream) };
        let told = self.told.as_deref().copied();
        let own = || stream.socket().peer_addr().ok();
        let peer = told.map(|told| told.peer).or_else(own).map(|peer| peer.ip());
        let judged = Arc::clone(&admission).judge(bytes, peer, &context.session_ids);
        let Reading::Request(verdict) = judged else {
            return Some(stream);
        };
        let head = verdict.admitted.head();
        if head == 0 {
            return Some(stream); // for a session that is open: it has been found not to be answered here
        }
        let ticket = match verdict.let_in(clock::now()) {
            Ok(ticket) => ticket,
            Err(refused) => {
                stream.say_last(&Refusal::from(refused).answer(verdict.form()));
                admission.server.tell_refusals(context.index);
                self.finish(context);
                return None;
            }
        };
        let tls = stream.details().map(|details| details.to_string());
        let Some(mut taking) = Taking::new(verdict, ticket, listener, tls, told) else {
            return Some(stream);
        };
        // JavaScript hears of the new connection before it hears that this one has ended: its server has one all the while.
        if let Some(news) = taking.take_news() {
            news.tell(&listener.environment, context.index, taking.token);
        }
        let worker = taking.worker.unwrap_or(context.index);
        context.post(worker, taking.into_command(stream, bytes[head..].to_vec()));
        self.finish(context);
        None
    }

    fn forget(&self, context: &WorkerContext) {
        self.state.set(State::Gone);
        self.tcp.close(context);
        self.input.take();
        self.stalled.set(None);
        self.out.borrow_mut().clear();
        context.http_table.remove(self.handle.slot().index);
    }
}

/// The time so many milliseconds from now (0: never).
fn after(milliseconds: u64) -> u64 {
    match milliseconds {
        0 => u64::MAX,
        _ => clock::now().saturating_add(milliseconds),
    }
}

impl Victim for HttpWire {
    /// Its session ends too: an answer may be lost, and nobody knows how much of it has arrived.
    fn handle_panic(&self, context: &WorkerContext) {
        if !self.is_gone() {
            self.post(context, RequestEvent::Failed);
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
        fault!("http finish", self.environment_id(), self.handover.token);
        if self.state.get() == State::Gone {
            return;
        }
        self.handover.server.environment.inbox.push(self.handle.worker(), |record| {
            record.kind(RecordKind::WireClosed).number(self.handover.token);
        });
        self.forget(context);
    }

    fn is_gone(&self) -> bool {
        self.state.get() == State::Gone
    }

    fn environment_id(&self) -> u32 {
        self.handover.server.environment.id
    }

    fn token(&self) -> u32 {
        self.handover.token
    }

    fn client(&self) -> Option<Slot> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_wire_is_small() {
        // With the two counts of its `Rc`, it fits into a block of 320.
        assert!(size_of::<HttpWire>() <= 304, "{}", size_of::<HttpWire>());
    }
}
