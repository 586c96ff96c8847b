//! What a worker answers in place of JavaScript, while that is blocked: the heartbeats of polling sessions whose requests
//! Node.js has to see, because a program looks at each of them.
//!
//! ```text
//!                                                  in time
//!   a request passes ──► the program lets it through ◄───────┐
//!          │                                                 │
//!          └──── BLOCKED later it has not ──────────────────┤
//!                   ├── a POST with a pong: "ok"             │
//!                   ├── a GET: waits; a ping when it is due  │
//!                   └── another POST: waits; pings go on ────┘
//!
//!   its session has heard of it ──► that answers ──► JavaScript writes the answer
//!                                                  └── BLOCKED later it has not: the worker does
//! ```
//!
//! All of a request is given to Node.js in any case, so a program sees it sooner or later; what it answers then goes nowhere
//! ([`Ledger`]). A worker answers only behind a request that is settled, and only when all that Node.js has written has
//! gone out, so the peer gets its answers in order.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

use super::ledger::{Author, Ledger};
use super::passing::{Passed, Passing};
use crate::border::RecordKind;
use crate::engineio::{Body, Protocol, RequestId, Transport};
use crate::http::request::{Method, Persistence};
use crate::http::response::{self, Connection, Content};
use crate::id::Handle;
use crate::net::clock;
use crate::net::command::{Command, RequestEvent};
use crate::net::context::WorkerContext;
use crate::net::http_profile::Profile;
use crate::net::request_name::RequestName;
use crate::net::server::Server;
use crate::net::turns::BLOCKED;

/// The media type of a payload…
const TEXT: &str = "text/plain; charset=UTF-8";
/// …and of "ok".
const HTML: &str = "text/html";

/// What waits for JavaScript.
#[derive(Clone, Debug)]
enum Waiting {
    /// A request that nobody has begun with.
    Unread(Passed),
    /// The answer to a request that JavaScript has lent.
    Answer { passed: Passed, text: Option<Vec<u8>> },
    /// A GET that nobody has begun with, of which its session knows.
    Polling { passed: Passed, session: Handle, generation: u32 },
}

/// An answer that goes out.
#[derive(Debug)]
pub struct Answered {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether the connection ends with it.
    pub is_last: bool,
}

/// See the top of this file.
pub struct Deputy {
    /// The Socket.IO server that the requests are for.
    server: Arc<Server>,
    /// What is fixed for its answers.
    profile: Arc<Profile>,
    /// Who answers what.
    pub ledger: Arc<Ledger>,
    passing: RefCell<Passing>,
    waiting: RefCell<Option<Waiting>>,
    /// The last request.
    last: RefCell<Option<Passed>>,
    /// The place in the inbox that JavaScript reaches if it is not blocked.
    probed: Cell<Option<u64>>,
    /// When JavaScript counts as blocked.
    deadline: Cell<u64>,
    /// The deadline as the worker keeps it.
    scheduled: Cell<u64>,
}

impl fmt::Debug for Deputy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deputy").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl Deputy {
    /// A deputy for a connection by which nothing has passed; `wire`: the name of that among those that get answers.
    pub fn new(server: Arc<Server>, profile: Arc<Profile>, wire: Handle) -> Self {
        Self {
            server,
            profile,
            ledger: Arc::new(Ledger::new(wire)),
            passing: RefCell::default(),
            waiting: RefCell::default(),
            last: RefCell::default(),
            probed: Cell::new(None),
            deadline: Cell::new(u64::MAX),
            scheduled: Cell::new(u64::MAX),
        }
    }

    /// Bytes pass on their way to Node.js.
    pub fn handle_bytes(&self, context: &WorkerContext, bytes: &[u8]) {
        let passed = self.passing.borrow_mut().handle_bytes(bytes, &self.profile.rules);
        if let Some(passed) = passed {
            self.forget(context);
            self.probed.set(None);
            *self.last.borrow_mut() = Some(passed.clone());
            self.wait(context, Waiting::Unread(passed));
        }
    }

    /// A session has answered a request that was lent: JavaScript has been given the answer, too.
    pub fn handle_lent(&self, context: &WorkerContext, number: u32, text: Option<Vec<u8>>) {
        let last = self.last.borrow().clone();
        if let Some(passed) = last.filter(|passed| passed.number == number) {
            self.wait(context, Waiting::Answer { passed, text });
        }
    }

    /// A session has answered a GET that nobody has begun with: by a ping. `is_clear`: it may go out. `unread`: Node.js has
    /// not read all that has passed.
    pub fn handle_ping(
        &self,
        context: &WorkerContext,
        generation: u32,
        is_clear: bool,
        unread: bool,
        body: &Body,
    ) -> Option<Answered> {
        let waiting = self.waiting.take();
        let (passed, session, text) = match (&waiting, body) {
            (
                Some(Waiting::Polling { passed, session, generation: own }),
                Body::Payload { text, .. },
            ) if *own == generation => (passed, session, text),
            _ => {
                *self.waiting.borrow_mut() = waiting;
                return None;
            }
        };
        let own = self.own(context, passed, unread);
        let answered = is_clear.then(|| self.answer(context, passed, own, TEXT, text)).flatten();
        if answered.is_none() {
            // It is Node's now, and the ping has not left.
            self.tell(context, *session, generation, RequestEvent::PingUnsent);
        }
        answered
    }

    /// An entry of the list of deadlines is due. True: JavaScript counts as blocked.
    pub fn is_due(&self, context: &WorkerContext, entry: u64, now: u64) -> bool {
        if self.scheduled.get() != entry {
            return false;
        }
        self.scheduled.set(u64::MAX);
        if self.deadline.get() > now {
            self.schedule(context);
            return false;
        }
        self.deadline.set(u64::MAX);
        self.waiting.borrow().is_some()
    }

    /// Does for what waits what needs no program. `unread`: Node.js has not read all that has passed.
    pub fn stand_in(&self, context: &WorkerContext, unread: bool) -> Option<Answered> {
        match self.waiting.take()? {
            Waiting::Unread(passed) => self.stand_in_for(context, passed, unread),
            Waiting::Answer { passed, text: Some(text) } => {
                self.answer(context, &passed, Author::Session, TEXT, &text)
            }
            Waiting::Answer { passed, text: None } => {
                self.answer(context, &passed, Author::Session, HTML, b"ok")
            }
            waiting @ Waiting::Polling { .. } => {
                *self.waiting.borrow_mut() = Some(waiting);
                None
            }
        }
    }

    /// The connection is over, or brings another request.
    pub fn forget(&self, context: &WorkerContext) {
        if let Some(Waiting::Polling { session, generation, .. }) = self.waiting.take() {
            self.tell(context, session, generation, RequestEvent::UnreadGone);
        }
        self.deadline.set(u64::MAX);
    }

    /// Whether nothing that has come by the connection is left to be answered.
    pub fn is_done(&self) -> bool {
        let passing = self.passing.borrow();
        passing.understands()
            && passing.complete().is_some_and(|count| self.ledger.is_settled(count))
    }

    /// JavaScript has not begun with a request: what needs no program is done for it.
    fn stand_in_for(
        &self,
        context: &WorkerContext,
        passed: Passed,
        unread: bool,
    ) -> Option<Answered> {
        let own = self.own(context, &passed, unread);
        if !self.ledger.may_answer(passed.number, own) {
            if self
                .ledger
                .may_answer(passed.number, Author::Deputy { unread: false, blocked: true })
            {
                // JavaScript has begun with it. Whether it is blocked, or its program takes its time, shows when it takes this.
                self.probe(context);
                self.wait(context, Waiting::Unread(passed));
            }
            return None;
        }
        let session = self.session_of(&passed)?;
        let generation = context.http_table.next_generation();
        match passed.method {
            Method::Post if passed.is_pong => {
                let answered = self.answer(context, &passed, own, HTML, b"ok")?;
                self.tell(context, session, generation, RequestEvent::Pong);
                Some(answered)
            }
            Method::Post => {
                self.tell(context, session, generation, RequestEvent::PostUnread);
                self.wait_for(context, self.server.engine.ping_interval, Waiting::Unread(passed));
                None
            }
            Method::Get => {
                self.tell(context, session, generation, RequestEvent::Unread);
                *self.waiting.borrow_mut() = Some(Waiting::Polling { passed, session, generation });
                None
            }
        }
    }

    /// Its own answer to a request. `unread`: Node.js has not read all that has passed, so it has not read all of that request if
    /// nothing has come behind it.
    fn own(&self, context: &WorkerContext, passed: &Passed, unread: bool) -> Author {
        let taken = self.server.environment.inbox.taken(context.index);
        Author::Deputy {
            unread: unread && self.passing.borrow().complete() == Some(passed.number + 1),
            blocked: self.probed.get().is_some_and(|end| taken < end),
        }
    }

    /// Puts something into the inbox: as long as JavaScript has not taken it, it is blocked.
    fn probe(&self, context: &WorkerContext) {
        let pushed = self.server.environment.inbox.push(context.index, |record| {
            record.kind(RecordKind::AskAwake);
        });
        self.probed.set(Some(pushed.end));
    }

    /// The session of a request, if it has one that polls.
    fn session_of(&self, passed: &Passed) -> Option<Handle> {
        let entry = self.server.sessions.get(&*passed.sid)?;
        let fits = entry.transport == Transport::Polling
            && entry.protocol == passed.protocol
            && entry.protocol == Protocol::V4;
        fits.then_some(entry.handle)
    }

    /// The answer to a request, if the worker is to give it.
    fn answer(
        &self,
        context: &WorkerContext,
        passed: &Passed,
        author: Author,
        media_type: &'static str,
        body: &[u8],
    ) -> Option<Answered> {
        if !self.ledger.answer(passed.number, author) {
            return None;
        }
        let connection = match passed.persistence {
            Persistence::Keep => Connection::KeepAlive(self.profile.keep_alive),
            Persistence::Close => Connection::Close,
            Persistence::Http10 => Connection::CloseUnchunked,
        };
        let lines = self.lines(passed);
        let payload = Content::Plain { media_type, body };
        let mut bytes = Vec::with_capacity(512);
        response::write(&mut bytes, 200, payload, &lines, connection, &context.date());
        Some(Answered { bytes, is_last: passed.persistence != Persistence::Keep })
    }

    /// The headers that the answer to a request begins with: those that the program has set for the last answer of that
    /// session, if it has answered any.
    fn lines(&self, passed: &Passed) -> Arc<str> {
        let known = self.server.sessions.get(&*passed.sid).and_then(|entry| entry.requests.lines());
        known.unwrap_or_else(|| {
            if self.profile.by_origin {
                let lines = self.server.cross_origin.lines(&passed.origin);
                lines.map_or_else(|| "".into(), |lines| (&*lines.0).into())
            } else {
                (&*self.profile.lines).into()
            }
        })
    }

    fn tell(&self, context: &WorkerContext, session: Handle, generation: u32, event: RequestEvent) {
        let name = RequestName::Native { wire: self.ledger.wire, generation };
        let (slot, request) = (session.slot(), RequestId::from(name));
        context.post(session.worker(), Command::Request { slot, request, event });
    }

    fn wait(&self, context: &WorkerContext, waiting: Waiting) {
        self.wait_for(context, BLOCKED, waiting);
    }

    fn wait_for(&self, context: &WorkerContext, milliseconds: u64, waiting: Waiting) {
        *self.waiting.borrow_mut() = Some(waiting);
        self.deadline.set(clock::now().saturating_add(milliseconds.max(BLOCKED)));
        self.schedule(context);
    }

    /// Has the worker keep the deadline. When it has moved later, the old entry is left to run out.
    fn schedule(&self, context: &WorkerContext) {
        if self.deadline.get() < self.scheduled.get() {
            let slot = self.ledger.wire.slot().index;
            self.scheduled.set(context.schedule_http(self.deadline.get(), slot));
        }
    }
}
