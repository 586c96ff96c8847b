//! What a link has for JavaScript, and its counters.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

/// So many bytes of messages wait for JavaScript, at most: then the link reads on when these have been taken.
const MOST_WAITING: usize = 16 << 20;

/// One thing that JavaScript is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// How the link is now, and what has led there.
    State(State, Option<String>),
    /// What a namespace has subscribed to first is there.
    Subscribed(u32),
    /// A message that JavaScript has to look at.
    Message {
        /// The namespace.
        cluster: u32,
        /// The channel that it came by.
        channel: Bytes,
        /// Whether it counts ([`crate::net::directory::Population::give`]).
        ordered: bool,
        /// What came.
        payload: Bytes,
    },
    /// An entry of a stream that JavaScript has to look at.
    Entry {
        /// The namespace.
        cluster: u32,
        /// Where it stands; empty: it is one of this node, and stands nowhere.
        id: String,
        /// What it is.
        kind: u8,
        /// Who has written it.
        uid: Vec<u8>,
        /// By what JavaScript knows it, if it has written it; else 0.
        token: u32,
        /// Whether it counts.
        ordered: bool,
        /// Its data; none: JavaScript has them.
        payload: Bytes,
    },
    /// What has come of a client that wants to come back; none: it begins anew.
    Restored {
        /// Which question is answered.
        request: u32,
        /// What has been found.
        found: Option<Found>,
    },
    /// How many nodes have subscribed to a channel; none: it can't be asked now.
    Count {
        /// Which question is answered.
        request: u32,
        /// How many.
        count: Option<i64>,
    },
}

/// A session that was stored, and whose client may be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The namespace.
    pub cluster: u32,
    /// What it has missed, by its number among those who come back.
    pub returning: u32,
    /// The session, in `MessagePack`.
    pub session: Bytes,
    /// How long it would have stayed, in ms.
    pub left: u64,
    /// The last entry that it has got.
    pub after: String,
}

impl News {
    fn size(&self) -> usize {
        64 + match self {
            Self::Message { channel, payload, .. } => channel.len() + payload.len(),
            Self::Entry { uid, payload, .. } => uid.len() + payload.len(),
            Self::Restored { found: Some(found), .. } => found.session.len(),
            Self::Restored { found: None, .. }
            | Self::State(..)
            | Self::Subscribed(_)
            | Self::Count { .. } => 0,
        }
    }
}

/// How a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// It has not been connected yet.
    Connecting = 0,
    /// It is connected, and all that is wanted is subscribed.
    Ready = 1,
    /// The connection is lost, and is tried again.
    Reconnecting = 2,
    /// It has ended.
    Closed = 3,
}

impl State {
    /// As JavaScript says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::Reconnecting => "reconnecting",
            Self::Closed => "closed",
        }
    }
}

/// What has happened since the beginning.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages that have left for Redis.
    pub published: AtomicU64,
    /// Their bytes.
    pub published_bytes: AtomicU64,
    /// Messages that were dropped because too much waited to leave, or that can't be sent.
    pub dropped: AtomicU64,
    /// Messages that Redis has refused.
    pub refused: AtomicU64,
    /// Messages that have come.
    pub received: AtomicU64,
    /// Their bytes.
    pub received_bytes: AtomicU64,
    /// Messages that concern nobody here, or that come back.
    pub ignored: AtomicU64,
    /// Messages that were handed to the workers.
    pub delivered: AtomicU64,
    /// Messages that JavaScript was given.
    pub to_javascript: AtomicU64,
    /// Messages that can't be read.
    pub malformed: AtomicU64,
    /// How often the connection was lost.
    pub reconnects: AtomicU64,
    /// How often entries of a stream were gone before they had been read.
    pub gaps: AtomicU64,
    /// Bytes that wait to leave.
    pub buffered: AtomicUsize,
    state: AtomicU8,
}

impl Counters {
    /// Adds to a counter.
    pub(super) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// The counters by their names, and the state.
    pub fn list(&self) -> (State, [(&'static str, u64); 13]) {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let state = match self.state.load(Ordering::Relaxed) {
            0 => State::Connecting,
            1 => State::Ready,
            2 => State::Reconnecting,
            _ => State::Closed,
        };
        let counters = [
            ("published", of(&self.published)),
            ("publishedBytes", of(&self.published_bytes)),
            ("dropped", of(&self.dropped)),
            ("refused", of(&self.refused)),
            ("received", of(&self.received)),
            ("receivedBytes", of(&self.received_bytes)),
            ("ignored", of(&self.ignored)),
            ("delivered", of(&self.delivered)),
            ("toJavaScript", of(&self.to_javascript)),
            ("malformed", of(&self.malformed)),
            ("reconnects", of(&self.reconnects)),
            ("gaps", of(&self.gaps)),
            ("buffered", self.buffered.load(Ordering::Relaxed) as u64),
        ];
        (state, counters)
    }

    pub(super) fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Relaxed);
    }
}

/// What waits for JavaScript.
pub struct NewsQueue {
    queue: Mutex<VecDeque<News>>,
    bytes: AtomicUsize,
    /// JavaScript has taken what there was, or nobody is to wait for that any more: for who reads Pub/Sub…
    waker: AtomicWaker,
    /// …and for who reads streams.
    taken: Notify,
    released: AtomicBool,
    /// Whether JavaScript has been woken, and has not come yet.
    told: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for NewsQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewsQueue").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl NewsQueue {
    /// An empty one; `wake` is called when there is something to take.
    pub fn new(wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            queue: Mutex::default(),
            bytes: AtomicUsize::new(0),
            waker: AtomicWaker::new(),
            taken: Notify::new(),
            released: AtomicBool::new(false),
            told: AtomicBool::new(false),
            wake,
        }
    }

    /// Appends something.
    pub fn push(&self, news: News) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        self.bytes.fetch_add(news.size(), Ordering::Relaxed);
        queue.push_back(news);
        drop(queue);
        if !self.told.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
    }

    /// Whether something more may be read; if not, the task of `context` is woken when it may.
    pub(super) fn poll_room(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.has_room() {
            return Poll::Ready(());
        }
        self.waker.register(context.waker());
        // It may have been taken just before.
        if self.has_room() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn has_room(&self) -> bool {
        self.bytes.load(Ordering::Acquire) < MOST_WAITING || self.released.load(Ordering::Acquire)
    }

    /// The same for a task: the others go on.
    pub(super) async fn room(&self) {
        loop {
            let taken = self.taken.notified();
            if self.has_room() {
                return;
            }
            taken.await;
        }
    }

    /// Nobody waits for room any more: the link ends.
    pub(super) fn release(&self) {
        self.released.store(true, Ordering::Release);
        self.waker.wake();
        self.taken.notify_waiters();
    }

    /// Takes all.
    pub fn take(&self) -> VecDeque<News> {
        self.told.store(false, Ordering::Release);
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *queue);
        // Under the lock: what is pushed now counts for the next time.
        let bytes = self.bytes.swap(0, Ordering::AcqRel);
        drop(queue);
        if bytes >= MOST_WAITING {
            self.waker.wake();
            self.taken.notify_waiters();
        }
        taken
    }
}
