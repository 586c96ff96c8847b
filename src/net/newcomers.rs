//! What a worker has for accepting: the sockets, and the connections of which nothing is known yet.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::context::{Victim, WorkerContext};
use super::listener::{Listener, Tls};
use super::peer::Source;
use super::readiness::Readiness;
use super::tcp::Tcp;
use crate::border::RecordKind;

/// Connections whose first request may be waited for; then Node.js gets the oldest of them.
pub const MAX_NEWCOMERS: usize = 511;

/// What a worker has for accepting.
#[derive(Debug, Default)]
pub struct Accepting {
    /// The sockets.
    pub sockets: RefCell<Vec<Rc<Listening>>>,
    /// The oldest first: all have the same time. Those of which JavaScript is asked stand before all others.
    pub newcomers: RefCell<VecDeque<Rc<Newcomer>>>,
    /// Those with whom TLS is begun, or that a proxy has to introduce: when that must be done, and a number of each.
    pub handshakes: RefCell<BTreeMap<(u64, u64), Rc<Newcomer>>>,
    /// The last of these numbers.
    pub last_handshake: Cell<u64>,
    /// How many of the newcomers are there; the others are decided, and only not forgotten yet.
    pub waiting: Cell<usize>,
    /// When the sockets are to be looked at again that the system had no means for.
    pub retry_at: Cell<Option<u64>>,
    /// Who gets the next session that is nobody's.
    pub next: Cell<usize>,
}

/// A socket from which the worker accepts.
pub struct Listening {
    /// The socket.
    pub listener: Arc<Listener>,
    /// What it is known to be ready for.
    pub readiness: Readiness,
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.listener.fmt(f)
    }
}

/// A connection whose first request has not come, or not all of it.
pub struct Newcomer {
    /// Where it has come.
    pub listener: Arc<Listener>,
    /// Its socket.
    pub tcp: Tcp,
    /// Where it comes from.
    pub source: Source,
    /// Whether the proxy that it comes by has still to say for whom.
    pub awaits_preface: bool,
    /// The handshake that is under way, if any, by its place among them.
    pub handshake: Cell<Option<(u64, u64)>>,
    /// How TLS is spoken; none: it is not.
    pub tls: Option<Arc<Tls>>,
    /// When Node.js is to get it…
    pub deadline: Cell<u64>,
    /// …which it does when JavaScript has gone this round of its event loop ([`super::turns`]), so that nobody waits for a
    /// blocked one who could be served without it. None: it is not due yet.
    pub asked: Cell<Option<u64>>,
    /// Bytes of its request that have come.
    pub came: Cell<usize>,
    /// In how many pieces they have come.
    pub pieces: Cell<u8>,
    /// Whether JavaScript counts it.
    pub is_counted: Cell<bool>,
}

impl fmt::Debug for Newcomer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Newcomer").field("listener", &self.listener.number).finish_non_exhaustive()
    }
}

impl Newcomer {
    /// Has JavaScript count it, or count it no more; on the lane of `worker`. Gives whether that is news.
    pub fn count(&self, worker: usize, is_counted: bool) -> bool {
        let is_news = self.is_counted.replace(is_counted) != is_counted;
        if is_news {
            self.listener.environment.inbox.push(worker, |record| {
                record.kind(RecordKind::Newcomer).number(self.listener.number);
                record.number(u32::from(is_counted));
            });
        }
        is_news
    }

    /// What the socket is known to be ready for.
    pub fn readiness(&self) -> &Readiness {
        self.tcp.readiness()
    }
}

impl Victim for Newcomer {
    /// Nobody has heard of it.
    fn handle_panic(&self, context: &WorkerContext) {
        self.tcp.close(context);
    }
}
