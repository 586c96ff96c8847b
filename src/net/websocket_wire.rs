//! One WebSocket byte stream: a socket that we own, or a stream that JavaScript pumps (a bridge).
//!
//! How far the closing handshake has come (`State`):
//!
//! ```text
//!   Detached ── the peer says something ──┐     (the client has let go of it)
//!      ▲                                  ▼
//!   Open ── our close frame is queued ► Closing ── peer's close frame ──┐
//!    │                                     │                            ▼
//!    ├── peer's close frame (answered) ────┼─────────────────────────► Ending   half-closed when
//!    └── peer breaks a rule (told so) ─────┴─────────────────────────►  │       all is written
//!                       end of stream, error or CLOSE_TIMEOUT           │
//!                                          ▼                            ▼
//!                                        Gone  ◄────────────────────────┘
//! ```
//!
//! How far the peer takes what we write (`Writing`):
//!
//! ```text
//!         something is queued          all of it is written
//!   Idle ─────────────────────► Due ─────────────────────────► Idle
//!                                │                              ▲
//!                 not all of it  └──► Blocked ── the rest is ───┘
//!
//!   any of them ─┬─► Broken   the connection broke before the peer had taken all
//!                └─► Shut     half-closed: nothing more is written
//! ```
//!
//! A wire does not know its client, only the client's name ([`Carried`]). Whoever drives the wire
//! (`worker/websocket.rs`) knows both, and passes on what comes by it. When a wire has news at another
//! time (bytes pile up; it has panicked), it puts that name on a list of the worker.

pub mod carrying;
mod reading;
mod undecoded;
mod writing;

use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::sync::Arc;

use self::undecoded::Extras;
pub use self::undecoded::PIECE;
use super::budget::Held;
use super::context::{Victim, Wire, WorkerContext};
use super::deflate::Deflate;
use super::inbox::CLIENT_LIMIT;
use super::record::{LONGEST_MESSAGE, Record};
use super::server::{Environment, Server};
use super::tcp::Tcp;
use super::write_queue::WriteQueue;
use crate::border::RecordKind;
use crate::engineio::{Dialect, Fault, Link};
use crate::id::Slot;
use crate::websocket::deflate::Inflate;
use crate::websocket::extension::Agreement;
use crate::websocket::reader::MAX_FRAGMENTS;
use crate::websocket::{MessageLimits, Reader};

/// How long a peer may take to answer our close frame: 30 s, as `ws`.
pub(super) const CLOSE_TIMEOUT: u64 = 30_000;
/// Answers to WebSocket pings that may wait while the peer takes nothing: one that asks on is ended,
/// as by `ws` (`maxPendingAutoPongs`), since it must not grow our memory.
const PONG_LIMIT: u8 = 60;
/// What is said of a connection that broke before it had taken all that was written.
const WRITE_ERROR: &str = "write error";
/// Bytes of a bridged stream that may be on their way through JavaScript.
const BRIDGE_CREDIT: usize = 256 << 10;

/// The client that a wire carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Its name.
    pub client: Slot,
    /// What the wire is to it: its transport, or a probe that asks to become that.
    pub link: Link,
}

/// A message, which is one Engine.IO packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(Cow<'a, [u8]>),
}

/// What becomes of what stands behind a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// The message is longer than JavaScript can take: the WebSocket ends.
    IsDropped,
    /// It is read later: the client has sent as much as it may for now.
    Waits,
    /// The client has sent more than it may, which says this: the WebSocket ends.
    IsRefused(&'static str),
}

/// The end of a wire, as its client has to hear of it.
#[derive(Debug)]
pub struct Ended {
    /// What the wire was to the client.
    pub link: Link,
    /// What went wrong; nothing when it was closed.
    pub fault: Option<Fault>,
}

/// Where the bytes come from and go to.
#[derive(Debug)]
enum Stream {
    Tcp(Tcp),
    /// Bytes on their way through JavaScript, not yet confirmed.
    Bridge {
        in_flight: Cell<usize>,
    },
}

/// How far the closing handshake has come; see the diagram above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It carries nobody until we know what it is for.
    Open(Option<Carried>),
    Detached,
    Closing(Option<Carried>),
    /// It carries nobody any more once the close frame has been offered to the peer.
    Ending(Option<Carried>),
    Gone,
}

/// How far the peer takes what is written; see the diagram above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Idle,
    /// The worker has it on its list, and will write.
    Due,
    Blocked {
        /// Answers to pings that were queued meanwhile.
        pongs: u8,
        /// Whether the client is on the worker's list, to look how much waits.
        told: bool,
    },
    Broken,
    Shut,
}

/// A WebSocket byte stream.
pub struct WebSocketWire {
    environment: Arc<Environment>,
    /// Index of the worker that it belongs to.
    worker: u8,
    /// JavaScript's name for the stream.
    pub token: u32,
    dialect: Dialect,
    stream: Stream,
    reader: RefCell<Reader>,
    out: RefCell<WriteQueue>,
    /// What most wires never have.
    extras: OnceCell<Box<Extras>>,
    state: Cell<State>,
    writing: Cell<Writing>,
    /// Set while we don't read, because the inbox is full.
    stalled: Cell<bool>,
    /// Set while we don't read, because the client goes to another process or comes from one.
    is_held: Cell<bool>,
    /// Set while we don't read, because the client may send no more for now.
    is_limited: Cell<bool>,
    /// What the reader keeps.
    held: Held,
}

impl fmt::Debug for WebSocketWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketWire")
            .field("token", &self.token)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl WebSocketWire {
    /// A stream for `server`; `tcp` is none for a bridged one, `agreement` when messages are not
    /// compressed.
    ///
    /// # Panics
    /// When `worker` is not the index of one.
    pub fn new(
        server: &Server,
        worker: usize,
        token: u32,
        tcp: Option<Tcp>,
        dialect: Dialect,
        agreement: Option<Agreement>,
    ) -> Self {
        let stream = match tcp {
            Some(tcp) => Stream::Tcp(tcp),
            None => Stream::Bridge { in_flight: Cell::new(0) },
        };
        let max_message = match server.engine.max_payload {
            0 => LONGEST_MESSAGE, // no limit of the server's
            bytes => bytes.min(LONGEST_MESSAGE),
        };
        let mut reader = Reader::new(MessageLimits { max_message, max_fragments: MAX_FRAGMENTS })
            .with_max_chunks(server.engine.max_chunks);
        let extras = OnceCell::new();
        if let (Some(compression), Some(agreement)) = (&server.compression, agreement) {
            reader = reader.with_inflate(Inflate::new(agreement));
            let deflate = Some(Deflate::new(compression, agreement));
            let _first = extras.set(Box::new(Extras { deflate, ..Extras::default() }));
        }
        Self {
            environment: Arc::clone(&server.environment),
            worker: u8::try_from(worker).expect("there are at most 16 workers"),
            token,
            dialect,
            stream,
            reader: RefCell::new(reader),
            out: RefCell::default(),
            extras,
            state: Cell::new(State::Open(None)),
            writing: Cell::new(Writing::Idle),
            stalled: Cell::new(false),
            is_held: Cell::new(false),
            is_limited: Cell::new(false),
            held: Held::new(&server.environment.inbox.budget, worker),
        }
    }

    /// How the client speaks on it.
    #[inline]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The socket; none when JavaScript pumps the bytes.
    pub fn tcp(&self) -> Option<&Tcp> {
        match &self.stream {
            Stream::Tcp(tcp) => Some(tcp),
            Stream::Bridge { .. } => None,
        }
    }

    /// Whether JavaScript pumps the bytes.
    pub fn is_bridged(&self) -> bool {
        matches!(self.stream, Stream::Bridge { .. })
    }

    /// Whether JavaScript has not yet written all that it was given for the peer.
    pub fn is_unsent(&self) -> bool {
        matches!(&self.stream, Stream::Bridge { in_flight } if in_flight.get() > 0)
    }

    /// Whether messages may be compressed.
    pub fn is_compressed(&self) -> bool {
        self.deflate().is_some()
    }

    /// The compressor, if messages may be compressed.
    #[inline]
    fn deflate(&self) -> Option<&Deflate> {
        self.extras.get().and_then(|extras| extras.deflate.as_ref())
    }

    /// Whether neither side has begun to close the WebSocket, and its client has not let go of it.
    fn is_open(&self) -> bool {
        matches!(self.state.get(), State::Open(_))
    }

    /// Whether frames may be written.
    fn is_writable(&self) -> bool {
        matches!(self.state.get(), State::Open(_) | State::Detached)
    }

    /// Whether nothing that the peer says is listened to any more.
    pub fn is_over(&self) -> bool {
        matches!(self.state.get(), State::Ending(_) | State::Gone)
    }

    /// Whether we have stopped reading because the inbox is full.
    pub fn is_stalled(&self) -> bool {
        self.stalled.get()
    }

    /// Bytes not yet written.
    pub fn queued(&self) -> usize {
        self.out.borrow().len()
    }

    /// Whether all that was to be written has been.
    pub fn has_left(&self) -> bool {
        self.queued() == 0 && self.writing.get() != Writing::Broken
    }

    /// Whether the peer has left something of what it was offered.
    pub fn is_blocked(&self) -> bool {
        matches!(self.writing.get(), Writing::Blocked { .. })
    }

    /// Bytes that the peer has not taken yet, if it takes no more for now.
    pub fn backlog(&self) -> usize {
        if self.is_blocked() { self.unsent() } else { 0 }
    }

    /// The same, for its client, which will be told when more piles up.
    pub fn report_backlog(&self) -> usize {
        if let Writing::Blocked { pongs, .. } = self.writing.get() {
            self.writing.set(Writing::Blocked { pongs, told: false });
        }
        self.backlog()
    }

    /// Bytes that may not have left yet.
    fn unsent(&self) -> usize {
        let in_flight = match &self.stream {
            Stream::Tcp(_) => 0,
            Stream::Bridge { in_flight } => in_flight.get(),
        };
        self.queued() + in_flight
    }

    /// Whom it carries.
    pub fn carried(&self) -> Option<Carried> {
        match self.state.get() {
            State::Open(carried) | State::Closing(carried) | State::Ending(carried) => carried,
            State::Detached | State::Gone => None,
        }
    }

    /// Sets whom an open wire carries.
    fn carry(&self, carried: Option<Carried>) {
        self.state.set(match self.state.get() {
            State::Open(_) => State::Open(carried),
            State::Closing(_) => State::Closing(carried),
            State::Ending(_) => State::Ending(carried),
            state @ (State::Detached | State::Gone) => state,
        });
    }

    /// Makes the wire carry a client, as its main link or as a probe.
    pub fn bind(&self, client: Slot, link: Link) {
        self.carry(Some(Carried { client, link }));
    }

    /// Makes a probe the main link.
    pub fn promote(&self) {
        self.carry(self.carried().map(|carried| Carried { link: Link::Main, ..carried }));
    }

    /// Lets go of the client.
    pub fn unbind(&self) {
        self.carry(None);
    }

    fn push(&self, write: impl FnOnce(&mut Record<'_>)) {
        self.environment.inbox.push(usize::from(self.worker), write);
    }

    /// Has JavaScript stop reading the stream, or go on, before it looks at anything else.
    pub fn push_urgent(&self, kind: RecordKind) {
        self.environment.inbox.push_urgent(usize::from(self.worker), |record| {
            record.kind(kind).number(self.token);
        });
    }

    /// The stream has ended; `broken`: by an error. Gives what its client has to hear.
    pub fn handle_end(&self, context: &WorkerContext, broken: bool) -> Option<Ended> {
        let lost = self.writing.get() == Writing::Broken || (broken && self.unsent() > 0);
        let is_ending = matches!(self.state.get(), State::Ending(_));
        if !broken && !is_ending && matches!(self.stream, Stream::Bridge { .. }) {
            self.write_out(context); // the peer may have ended its half right behind its request
        }
        let Carried { link, .. } = self.drop_stream(context)?;
        Some(Ended { link, fault: lost.then(|| WRITE_ERROR.into()) })
    }

    /// Drops the stream, and lets go of the client.
    fn drop_stream(&self, context: &WorkerContext) -> Option<Carried> {
        fault!("finish", self.environment.id, self.token);
        let carried = self.carried();
        if self.state.replace(State::Gone) == State::Gone {
            return None;
        }
        match &self.stream {
            Stream::Tcp(tcp) => tcp.close(context),
            Stream::Bridge { .. } => context.add_gone_bridge((self.environment.id, self.token)),
        }
        self.set_undecoded(None);
        let cut = !self.out.borrow().is_empty();
        self.out.borrow_mut().clear();
        self.push(|record| {
            record.kind(RecordKind::WireClosed).number(self.token).number(u32::from(cut));
        });
        carried
    }
}

impl Victim for WebSocketWire {
    /// Its session ends with it.
    fn handle_panic(&self, context: &WorkerContext) {
        if let Some(Carried { client, .. }) = self.carried() {
            context.add_failed(client);
        }
        self.finish(context);
    }
}

impl Wire for WebSocketWire {
    fn flush(&self, context: &WorkerContext) {
        self.write_out(context);
    }

    fn resume(&self, context: &WorkerContext, own: &dyn Fn() -> usize) -> bool {
        fault!("resume", self.environment.id, self.token);
        let budget = &self.environment.inbox.budget;
        let waits = budget
            .must_wait(context.index, || own() < CLIENT_LIMIT && budget.has_relief(context.index));
        if waits {
            return false;
        }
        self.stalled.set(false);
        if let Stream::Tcp(tcp) = &self.stream {
            tcp.wake(context);
        } else if self.has_undecoded() {
            self.decode_soon(context);
        } else {
            self.push_urgent(RecordKind::BridgeResume);
        }
        true
    }

    fn finish(&self, context: &WorkerContext) {
        self.drop_stream(context);
    }

    fn is_gone(&self) -> bool {
        self.state.get() == State::Gone
    }

    fn environment_id(&self) -> u32 {
        self.environment.id
    }

    fn token(&self) -> u32 {
        self.token
    }

    fn client(&self) -> Option<Slot> {
        self.carried().map(|Carried { client, .. }| client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_wire_is_small() {
        assert!(size_of::<WebSocketWire>() <= 304, "{}", size_of::<WebSocketWire>());
    }
}
