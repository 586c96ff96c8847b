//! What all clients of one Socket.IO server share.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::backlog::{Backlogs, BufferLimits};
use super::clock;
use super::cross_origin::CrossOrigin;
use super::deflate::Compression;
use super::inbox::Inbox;
use super::lifecycle::LifecycleQueue;
use super::metrics::{ServerLane, ServerMetrics};
use super::relay::ledger::Ledger;
use super::turns::{Asked, Turns};
use crate::border::RecordKind;
use crate::border::token::OF_WORKER;
use crate::engineio::{Config, Protocol, Transport};
use crate::http::forwarded::TrustProxy;
use crate::id::{Handle, Sid};
use crate::limits::gate::{Gate, Gauge};
use crate::limits::overload::Load;
use crate::socketio::AttachmentLimits;

/// Connections that may wait for JavaScript to take them before workers accept no more: as many as the system
/// keeps for Node.js by default.
const MAX_STREAMS: usize = 511;

/// One JavaScript thread that has servers here.
#[derive(Debug)]
pub struct Environment {
    /// Tells it from the other environments of the process.
    pub id: u32,
    /// Where its records go.
    pub inbox: Inbox,
    /// Which clients have come and gone.
    pub lifecycle: LifecycleQueue,
    /// Connections that are given to it, by JavaScript's names for them.
    streams: Mutex<FxHashMap<u32, TcpStream>>,
    /// Who answers the requests of relayed connections, by JavaScript's names for these.
    ledgers: Mutex<FxHashMap<u32, Arc<Ledger>>>,
    /// The requests of these that JavaScript has lent, by its names for them.
    lent: Mutex<FxHashMap<u32, Lent>>,
    /// Workers, one bit each, that accept nobody until it has taken some of these.
    crowded: AtomicU32,
    /// The last name that a worker has given to a connection.
    last_token: AtomicU32,
    /// What waits for its clients.
    pub backlogs: Backlogs,
    /// Whether its event loop goes round.
    pub turns: Turns,
}

impl Environment {
    /// A new environment with an id of its own.
    pub fn new(inbox: Inbox) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            id,
            inbox,
            lifecycle: LifecycleQueue::default(),
            streams: Mutex::default(),
            ledgers: Mutex::default(),
            lent: Mutex::default(),
            crowded: AtomicU32::new(0),
            last_token: AtomicU32::new(0),
            backlogs: Backlogs::default(),
            turns: Turns::default(),
        }
    }

    /// Asks JavaScript to look at all its sockets, for `worker`; gives the number of the round of its event loop in which it will
    /// have done so ([`Command::Turned`](super::command::Command::Turned)).
    pub fn ask_turn(&self, worker: usize) -> u64 {
        let Asked { round, begins } = self.turns.ask(worker);
        if begins {
            self.inbox.push(worker, |record| {
                record.kind(RecordKind::AskTurn);
            });
        }
        round
    }

    /// Keeps a connection until JavaScript takes it. Should the environment end, it is closed.
    pub fn keep_stream(&self, token: u32, stream: TcpStream) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).insert(token, stream);
    }

    /// Takes the connection that is kept under this name.
    pub fn take_stream(&self, token: u32) -> Option<TcpStream> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).remove(&token)
    }

    /// Whether `worker` has to wait before it accepts more connections, as so many are kept already. If so, it
    /// is among [`take_crowded`](Self::take_crowded) when some have been taken.
    pub fn is_crowded(&self, worker: usize) -> bool {
        let crowded =
            || self.streams.lock().unwrap_or_else(PoisonError::into_inner).len() >= MAX_STREAMS;
        // Noted first: what is taken before this looks again is seen here.
        crowded() && {
            self.crowded.fetch_or(1 << worker, Ordering::SeqCst);
            crowded()
        }
    }

    /// The workers, one bit each, that may accept again.
    pub fn take_crowded(&self) -> u32 {
        if self.crowded.load(Ordering::SeqCst) == 0 {
            return 0;
        }
        self.crowded.swap(0, Ordering::SeqCst)
    }

    /// Keeps the ledger of a relayed connection.
    pub fn keep_ledger(&self, token: u32, ledger: Arc<Ledger>) {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner).insert(token, ledger);
    }

    /// The ledger of a relayed connection.
    pub fn ledger(&self, token: u32) -> Option<Arc<Ledger>> {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner).get(&token).map(Arc::clone)
    }

    /// Forgets the ledger of a connection that is over.
    pub fn drop_ledger(&self, token: u32) {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner).remove(&token);
    }

    /// JavaScript lends its request `request`.
    pub fn lend(&self, request: u32, lent: Lent) {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner).insert(request, lent);
    }

    /// It takes it back.
    pub fn take_back(&self, request: u32) {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner).remove(&request);
    }

    /// Whose request this is, if it is lent.
    pub fn lent(&self, request: u32) -> Option<Lent> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner).get(&request).copied()
    }

    /// A name for a connection that a worker has accepted. None has it but one that a billion have come behind.
    pub fn next_token(&self) -> u32 {
        self.next_tokens(1)
    }

    /// The first of `count` such names, one behind the other.
    pub fn next_tokens(&self, count: u32) -> u32 {
        let next = self.last_token.fetch_add(count, Ordering::Relaxed).wrapping_add(1);
        next & (OF_WORKER - 1) | OF_WORKER
    }
}

impl Gauge for Environment {
    fn load(&self, with_memory: bool) -> Load {
        Load {
            inbox_age: self.inbox.age() / 1000,
            inbox_bytes: self.inbox.budget.queued() as u64,
            memory: if with_memory { resident() } else { 0 },
        }
    }
}

/// Bytes of memory that the process has; 0: that is not known here.
fn resident() -> u64 {
    /// Bytes of a page.
    const PAGE: u64 = 4096;
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * PAGE
}

/// A request that JavaScript has lent.
#[derive(Clone, Copy, Debug)]
pub struct Lent {
    /// JavaScript's name for its connection.
    pub relay: u32,
    /// The place of that among those that get answers.
    pub wire: Handle,
    /// Which of its requests.
    pub number: u32,
}

/// One Socket.IO server, or an Engine.IO server by itself.
#[derive(Debug)]
pub struct Server {
    /// JavaScript's name for it.
    pub id: u32,
    /// The environment that it belongs to.
    pub environment: Arc<Environment>,
    /// What the Engine.IO sessions need to know.
    pub engine: Arc<Config>,
    /// What the Socket.IO decoders need to know.
    pub limits: AttachmentLimits,
    /// How WebSocket messages are compressed, if they are.
    pub compression: Option<Compression>,
    /// How much may wait for a client.
    pub buffers: BufferLimits,
    /// Whose word about where requests come from is taken; none: nobody's.
    pub trust_proxy: Option<TrustProxy>,
    /// Who may open a session; none: everybody. Shared as the sessions are.
    pub gate: Option<Arc<Gate>>,
    /// Milliseconds that a client has to join a namespace.
    pub connect_timeout: u64,
    /// Whether JavaScript decodes the packets: the server has a parser of its own.
    pub raw_messages: bool,
    /// Whether there is no Socket.IO: messages are the program's, and nobody has to join a namespace.
    pub plain: bool,
    /// The open sessions, shared with the server that takes its place when options change. The hash of
    /// the ids need not resist attackers: the ids are ours, and random, unless the application makes them.
    pub sessions: Arc<Sessions>,
    /// How often JavaScript has asked for the connections back that polling requests come by; shared
    /// as above.
    pub recall_count: Arc<AtomicU32>,
    /// The headers of answers that depend on where a request comes from; shared as above.
    pub cross_origin: Arc<CrossOrigin>,
    /// What the workers count of it; shared as above.
    pub metrics: Arc<ServerMetrics>,
    /// Whether its clients are about to go to another process: those that come now are not read either; shared as above.
    pub is_frozen: Arc<AtomicBool>,
}

impl Server {
    /// What a worker, which asks, counts of it.
    #[inline]
    pub fn counts(&self, worker: usize) -> &ServerLane {
        self.metrics.lane(worker)
    }

    /// Handshakes have been refused: tells JavaScript, if it does not know that already; on the lane of `worker`.
    pub fn tell_refusals(&self, worker: usize) {
        if self.gate.as_ref().is_some_and(|gate| gate.is_to_tell(clock::now())) {
            self.environment.inbox.push(worker, |record| {
                record.kind(RecordKind::Limited).number(self.id);
            });
        }
    }

    /// How often JavaScript has asked for its connections back: one that came before the last time is given
    /// back at its next request.
    pub fn recalls(&self) -> u32 {
        self.recall_count.load(Ordering::Relaxed)
    }
}

/// The open sessions of a server.
pub type Sessions = DashMap<Sid, SessionEntry, FxBuildHasher>;

/// What is known of a session outside of its worker.
#[derive(Clone, Debug)]
pub struct SessionEntry {
    /// Its worker, and its place there.
    pub handle: Handle,
    /// Its transport now.
    pub transport: Transport,
    /// The revision of the protocol that the client speaks.
    pub protocol: Protocol,
    /// What both planes want to know of its requests.
    pub requests: Arc<Requests>,
}

/// The requests of a polling session, as both planes see them.
#[derive(Debug, Default)]
pub struct Requests {
    parked: AtomicBool,
    shown: AtomicBool,
    /// Headers that a program has set, each with its line end.
    lines: Mutex<Option<Arc<str>>>,
}

impl Requests {
    /// Whether a GET waits for something to send.
    pub fn is_parked(&self) -> bool {
        self.parked.load(Ordering::Relaxed)
    }

    /// Notes whether a GET waits.
    pub fn set_parked(&self, parked: bool) {
        self.parked.store(parked, Ordering::Relaxed);
    }

    /// Whether JavaScript wants to see each request.
    pub fn are_shown(&self) -> bool {
        self.shown.load(Ordering::Relaxed)
    }

    /// The headers that a program has set for the last answer that it is known of, each with its line end.
    pub fn lines(&self) -> Option<Arc<str>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes these headers.
    pub fn set_lines(&self, lines: &str) {
        let mut known = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_deref() != Some(lines) {
            *known = Some(lines.into());
        }
    }

    /// Notes whether JavaScript wants to see each request.
    pub fn set_shown(&self, shown: bool) {
        self.shown.store(shown, Ordering::Relaxed);
    }
}
