//! One WebSocket byte stream: a socket that we own, or a stream that JavaScript pumps.
//!
//! ```text
//!           our close frame is queued                 peer's close frame
//!   Open ─────────────────────────────► Closing ─────────────────────────┐
//!    │                                     │                             ▼
//!    ├── peer's close frame (answered) ────┼──────────────────────────► Ending   half-closed when
//!    └── peer breaks a rule (told so) ─────┴──────────────────────────►  │       all is written
//!                       end of stream, error or CLOSE_TIMEOUT            │
//!                                          ▼                             ▼
//!                                        Gone  ◄─────────────────────────┘
//! ```

mod reading;
mod undecoded;
mod writing;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use tokio::net::TcpStream;

use self::undecoded::Compressed;
use super::budget::Held;
use super::context::{Victim, Wire, WorkerContext};
use super::deflate::Deflate;
use super::record::{Kind, LONGEST_MESSAGE, Record};
use super::server::{Environment, Server};
use super::write_queue::WriteQueue;
use crate::engineio::{Dialect, Fault, Link};
use crate::websocket::deflate::Inflate;
use crate::websocket::extension::Agreement;
use crate::websocket::reader::MAX_FRAGMENTS;
use crate::websocket::{MessageLimits, Reader};

/// How long a peer may take to answer our close frame: 30 s, as `ws`.
const CLOSE_TIMEOUT: u64 = 30_000;
/// Reads of one connection before the others of its worker get their turn.
const READS_PER_TURN: u32 = 4;
/// Answers to WebSocket pings that may wait while the peer takes nothing: one that asks on is ended,
/// as by `ws` (`maxPendingAutoPongs`), since it must not grow our memory.
const PONG_LIMIT: u8 = 60;
/// What is said of a connection that broke before it had taken all that was written.
const WRITE_ERROR: &str = "write error";
/// Bytes of a bridged stream that may be on their way through JavaScript.
const BRIDGE_CREDIT: usize = 256 << 10;

/// What a wire carries: a client, as far as the wire has to know it.
pub trait Carried {
    /// Bytes of it that wait for JavaScript.
    fn waiting_bytes(&self) -> usize;
    /// A text message: one Engine.IO packet. A session that has ended ignores it. Breaks when it is
    /// longer than JavaScript can take.
    fn handle_text(&self, now: u64, link: Link, text: &str) -> ControlFlow<()>;
    /// A binary message: one Engine.IO message packet. Breaks likewise.
    fn handle_binary(&self, now: u64, link: Link, data: &[u8]) -> ControlFlow<()>;
    /// Bytes came by the main link: whatever they are part of, the client has not stopped.
    fn handle_progress(&self, now: u64);
    /// The WebSocket of `link` broke its protocol.
    fn handle_link_error(&self, now: u64, link: Link, fault: Fault);
    /// The WebSocket of `link` is closed.
    fn handle_link_closed(&self, now: u64, link: Link);
    /// So many bytes of the main link wait because the peer does not read; 0: none any more.
    fn handle_backlog(self: Rc<Self>, context: &WorkerContext, bytes: usize);
    /// What waited has been written.
    fn handle_drained(&self);
    /// The wire reads on after the inbox was full.
    fn handle_resumed(&self, now: u64);
    /// Carries out what the session asks for, and keeps its deadline with the worker.
    fn settle(&self, context: &WorkerContext);
    /// Ends everything at once: the environment is gone, or the worker can't go on with it.
    fn abort(&self, context: &WorkerContext);
}

/// Where the bytes come from and go to.
#[derive(Debug)]
enum Stream {
    Tcp(RefCell<Option<TcpStream>>),
    /// Bytes on their way through JavaScript, not yet confirmed.
    Bridge {
        in_flight: Cell<usize>,
    },
}

/// How far the closing handshake has come; see the diagram above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closing,
    Ending,
    Gone,
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
    /// Present when compressed messages were agreed on.
    compressed: Option<Box<Compressed>>,
    state: Cell<State>,
    half_closed: Cell<bool>,
    /// Set while the peer does not take what we write.
    blocked: Cell<bool>,
    /// Answers to pings that were queued while the peer takes nothing.
    pongs: Cell<u8>,
    /// Set when the connection broke before the peer had taken what we wrote.
    lost: Cell<bool>,
    /// Set while we don't read, because the inbox is full.
    stalled: Cell<bool>,
    /// What the reader keeps.
    held: Held,
    /// Set when it is closed as soon as the peer says something; see [`WebSocketWire::release`].
    released: Cell<bool>,
    /// Set while the worker knows that something waits to be written.
    dirty: Cell<bool>,
    client: RefCell<Option<Rc<dyn Carried>>>,
    link: Cell<Link>,
    waker: RefCell<Option<Waker>>,
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
        tcp: Option<TcpStream>,
        dialect: Dialect,
        agreement: Option<Agreement>,
    ) -> Self {
        let stream = match tcp {
            Some(tcp) => Stream::Tcp(RefCell::new(Some(tcp))),
            None => Stream::Bridge { in_flight: Cell::new(0) },
        };
        let max_message = match server.engine.max_payload {
            0 => LONGEST_MESSAGE, // no limit of the server's
            bytes => bytes.min(LONGEST_MESSAGE),
        };
        let mut reader = Reader::new(MessageLimits { max_message, max_fragments: MAX_FRAGMENTS })
            .with_max_chunks(server.engine.max_chunks);
        let mut compressed = None;
        if let (Some(compression), Some(agreement)) = (&server.compression, agreement) {
            reader = reader.with_inflate(Inflate::new(agreement));
            compressed = Some(Box::new(Compressed::new(Deflate::new(compression, agreement))));
        }
        Self {
            environment: Arc::clone(&server.environment),
            worker: u8::try_from(worker).expect("there are at most 16 workers"),
            token,
            dialect,
            stream,
            reader: RefCell::new(reader),
            out: RefCell::default(),
            compressed,
            state: Cell::new(State::Open),
            half_closed: Cell::new(false),
            blocked: Cell::new(false),
            pongs: Cell::new(0),
            lost: Cell::new(false),
            stalled: Cell::new(false),
            held: Held::new(&server.environment.inbox.budget, worker),
            released: Cell::new(false),
            dirty: Cell::new(false),
            client: RefCell::new(None),
            link: Cell::new(Link::Main),
            waker: RefCell::new(None),
        }
    }

    /// How the client speaks on it.
    #[inline]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether JavaScript pumps the bytes.
    pub fn is_bridge(&self) -> bool {
        matches!(self.stream, Stream::Bridge { .. })
    }

    /// Whether the WebSocket is open: neither side has begun to close it.
    pub fn is_open(&self) -> bool {
        self.state.get() == State::Open
    }

    /// Whether nothing that the peer says is listened to any more.
    fn is_over(&self) -> bool {
        matches!(self.state.get(), State::Ending | State::Gone)
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
        self.queued() == 0 && !self.lost.get()
    }

    /// Whether the peer has left something of what it was offered.
    pub fn is_blocked(&self) -> bool {
        self.blocked.get()
    }

    /// Bytes that the peer has not taken yet, if it takes no more for now.
    pub fn backlog(&self) -> usize {
        if self.blocked.get() { self.unsent() } else { 0 }
    }

    /// Bytes of which it is not known yet that they have left.
    fn unsent(&self) -> usize {
        let in_flight = match &self.stream {
            Stream::Tcp(_) => 0,
            Stream::Bridge { in_flight } => in_flight.get(),
        };
        self.queued() + in_flight
    }

    /// Tells the session what waits.
    fn tell_backlog(&self, context: &WorkerContext) {
        if self.link.get() == Link::Main
            && let Some(client) = self.client()
        {
            client.handle_backlog(context, self.backlog());
        }
    }

    /// Makes the wire carry a session, as its main link or as a probe.
    pub fn bind(&self, client: Rc<dyn Carried>, link: Link) {
        *self.client.borrow_mut() = Some(client);
        self.link.set(link);
    }

    /// Makes a probe the main link.
    pub fn promote(&self) {
        self.link.set(Link::Main);
    }

    /// The session that it carries.
    fn client(&self) -> Option<Rc<dyn Carried>> {
        self.client.borrow().clone()
    }

    fn push(&self, write: impl FnOnce(&mut Record<'_>)) {
        self.environment.inbox.push(usize::from(self.worker), write);
    }

    /// Has JavaScript stop reading the stream, or go on, before it looks at anything else.
    fn push_urgent(&self, kind: Kind) {
        self.environment.inbox.push_urgent(usize::from(self.worker), |record| {
            record.kind(kind).number(self.token);
        });
    }

    /// Lets go of the session.
    pub fn unbind(&self) {
        *self.client.borrow_mut() = None;
    }
}

impl Victim for WebSocketWire {
    /// Its session ends with it.
    fn handle_panic(&self, context: &WorkerContext) {
        if let Some(client) = self.client() {
            client.abort(context);
        }
        self.finish(context);
    }
}

impl Wire for WebSocketWire {
    fn flush(self: Rc<Self>, context: &WorkerContext) {
        fault!("flush", self.environment.id, self.token);
        self.dirty.set(false);
        let was_blocked = self.blocked.get();
        match &self.stream {
            Stream::Tcp(tcp) => self.flush_tcp(context, tcp),
            Stream::Bridge { in_flight } => self.flush_bridge(in_flight),
        }
        if was_blocked || self.blocked.get() {
            self.tell_backlog(context);
        }
        if self.state.get() == State::Ending
            && self.out.borrow().is_empty()
            && !self.half_closed.replace(true)
        {
            self.half_close(context);
        }
    }

    fn resume(&self, context: &WorkerContext, now: u64) -> bool {
        fault!("resume", self.environment.id, self.token);
        if self.must_wait(context, |budget| budget.has_relief(context.index)) {
            return false;
        }
        if let Some(client) = self.client() {
            client.handle_resumed(now);
        }
        self.stalled.set(false);
        if !self.is_bridge() {
            self.wake();
        } else if self.has_undecoded() {
            self.decode_soon(context);
        } else {
            self.push_urgent(Kind::BridgeResume);
        }
        true
    }

    fn finish(&self, context: &WorkerContext) {
        fault!("finish", self.environment.id, self.token);
        if self.state.replace(State::Gone) == State::Gone {
            return;
        }
        if let Stream::Tcp(tcp) = &self.stream {
            *tcp.borrow_mut() = None;
        } else {
            context.add_gone_bridge((self.environment.id, self.token));
        }
        self.set_undecoded(None);
        let cut = !self.out.borrow().is_empty();
        self.out.borrow_mut().clear();
        self.unbind();
        self.push(|record| {
            record.kind(Kind::WireClosed).number(self.token).number(u32::from(cut));
        });
        self.wake();
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

    fn end(self: Rc<Self>, context: &WorkerContext) {
        self.handle_end(context, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_wire_is_small() {
        assert!(size_of::<WebSocketWire>() <= 344, "{}", size_of::<WebSocketWire>());
    }
}
