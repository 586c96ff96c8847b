//! What JavaScript asks of a link, in order.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::news::{Counters, NewsQueue};
use crate::net::command::Outgoing;
use crate::net::returning::Kept;
use crate::redis::broadcasts::{Mode, Node};
use crate::redis::entries::EntryId;

/// What a message takes beside its bytes, about.
const OVERHEAD: usize = 128;

/// A namespace that other nodes have, too.
#[derive(Debug)]
pub struct Cluster {
    /// Its number.
    pub number: u32,
    /// What it is called, and how it talks to the others.
    pub node: Arc<Node>,
    /// What the names of the channels of its broadcasts begin with.
    pub prefix: String,
    /// The channels that bring requests, in which order counts (classic clusters).
    pub requests: Vec<u8>,
    /// Patterns of channels that are to be subscribed from the beginning.
    pub patterns: Vec<Vec<u8>>,
    /// Channels that are.
    pub channels: Vec<Vec<u8>>,
    /// Which stream it is told of by, if it is one.
    pub stream: Option<Member>,
}

/// A namespace that a stream tells of.
#[derive(Clone, Debug)]
pub struct Member {
    /// Which.
    pub options: StreamOptions,
    /// What the keys of sessions begin with.
    pub session_prefix: String,
    /// How many bytes all who come back may have missed together; none: nobody comes back.
    pub kept: Option<usize>,
}

/// A stream.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// Its key.
    pub key: Box<str>,
    /// How many entries are kept, about.
    pub max_len: u64,
    /// For how long, in ms.
    pub max_age: Option<u64>,
    /// How many are read at once.
    pub read_count: u32,
}

impl Cluster {
    /// What those who come back are to have of a broadcast.
    pub(super) fn kept(&self, id: EntryId, is_volatile: bool) -> Option<Kept> {
        let most = self.stream.as_ref()?.kept.filter(|_| !is_volatile)?;
        Some(Kept { place: id.pair(), most })
    }
}

/// One thing that is asked.
#[derive(Debug)]
pub enum Order {
    /// A namespace comes.
    Open(Arc<Cluster>),
    /// It goes.
    Shut(u32),
    /// A channel of a namespace is wanted, or is not any more.
    Subscribe {
        /// The namespace.
        cluster: u32,
        /// The channel.
        channel: Box<str>,
        /// Whether it is wanted.
        wanted: bool,
    },
    /// Something is to be published.
    Publish(Publication),
    /// Something is to be written to a stream.
    Add(Addition),
    /// A client wants to come back.
    Restore {
        /// The namespace.
        cluster: u32,
        /// What names the question.
        request: u32,
        /// Its secret.
        pid: String,
        /// The last entry that it has got.
        offset: Option<EntryId>,
    },
    /// Nobody waits any more for what has come of such a client.
    Forgo(u32),
    /// How many nodes have subscribed to a channel?
    Count {
        /// What names the question.
        request: u32,
        /// The channel.
        channel: String,
        /// Whether it is one of sharded Pub/Sub.
        sharded: bool,
    },
    /// What waits is to be sent, then the link ends.
    Close,
}

/// Something that is to be published.
#[derive(Debug)]
pub struct Publication {
    /// By which command.
    pub mode: Mode,
    /// The channel.
    pub channel: Box<str>,
    /// What.
    pub payload: Payload,
}

/// What is to be published.
#[derive(Debug)]
pub enum Payload {
    /// It is made already.
    Made(Bytes),
    /// A session, which is to be kept for so many ms under the name of the channel.
    Session {
        /// What is kept.
        value: Bytes,
        /// For how long.
        time: u64,
    },
    /// A broadcast, which is still to be put into the words of nodes.
    Broadcast {
        /// Whose.
        node: Arc<Node>,
        /// The messages, as clients here get them.
        messages: Arc<[Outgoing]>,
        /// For whom, as JSON.
        options: Box<[u8]>,
    },
}

/// Something that is to be written to a stream.
#[derive(Debug)]
pub struct Addition {
    /// The key of the stream.
    pub stream: Box<str>,
    /// The namespace.
    pub cluster: u32,
    /// Whose it is.
    pub node: Arc<Node>,
    /// What it is: a type of `ClusterAdapter`.
    pub kind: u8,
    /// By what JavaScript knows it; 0: by nothing.
    pub token: u32,
    /// What.
    pub payload: Payload,
}

impl Payload {
    fn weight(&self) -> usize {
        match self {
            Self::Made(bytes) | Self::Session { value: bytes, .. } => bytes.len(),
            Self::Broadcast { messages, options, .. } => {
                options.len() + messages.iter().map(Outgoing::len).sum::<usize>()
            }
        }
    }
}

impl Publication {
    /// What it takes in memory, about.
    pub(super) fn weight(&self) -> usize {
        OVERHEAD + self.channel.len() + self.payload.weight()
    }
}

impl Addition {
    /// The same.
    pub(super) fn weight(&self) -> usize {
        OVERHEAD + self.stream.len() + self.payload.weight()
    }
}

/// The bytes of a message.
pub(super) fn bytes_of(message: &Outgoing) -> &[u8] {
    match message {
        Outgoing::Text(bytes) | Outgoing::Binary(bytes) => bytes,
    }
}

/// What JavaScript and the thread of a link share.
pub struct Shared {
    orders: Mutex<Vec<Order>>,
    /// Wakes the thread.
    notify: Notify,
    /// Whether it has been woken, and has not looked yet: to wake it is a system call each time.
    told: AtomicBool,
    aborted: AtomicBool,
    /// What waits for JavaScript.
    pub news: NewsQueue,
    /// What has happened.
    pub counters: Counters,
    /// How many bytes may wait to leave.
    pub(super) most_buffered: usize,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(news: NewsQueue, most_buffered: usize) -> Self {
        Self {
            orders: Mutex::default(),
            notify: Notify::new(),
            told: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            news,
            counters: Counters::default(),
            most_buffered,
        }
    }

    /// Asks for something; [`notify`](Self::notify) has to follow. A message for which there is no room is dropped, and counted; and
    /// given back.
    ///
    /// # Errors
    /// There is no room.
    pub fn push(&self, order: Order) -> Result<(), Order> {
        let weight = match &order {
            Order::Publish(publication) => Some(publication.weight()),
            Order::Add(addition) => Some(addition.weight()),
            Order::Open(_)
            | Order::Shut(_)
            | Order::Subscribe { .. }
            | Order::Restore { .. }
            | Order::Forgo(_)
            | Order::Count { .. }
            | Order::Close => None,
        };
        if let Some(weight) = weight {
            let buffered = &self.counters.buffered;
            let before = buffered.fetch_add(weight, Ordering::Relaxed);
            // Where nothing waits, there is room for one, however large it is.
            if before > 0 && before + weight > self.most_buffered {
                buffered.fetch_sub(weight, Ordering::Relaxed);
                Counters::add(&self.counters.dropped, 1);
                return Err(order);
            }
        }
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        Ok(())
    }

    /// Has the thread look.
    pub fn notify(&self) {
        if !self.told.swap(true, Ordering::AcqRel) {
            self.notify.notify_one();
        }
    }

    /// Has it end, whatever it is at.
    pub(super) fn abort(&self) {
        self.aborted.store(true, Ordering::Release);
        self.news.release();
        self.notify.notify_one();
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Acquire)
    }

    /// Waits until something is asked.
    pub(super) async fn asked(&self) {
        self.notify.notified().await;
    }

    pub(super) fn take(&self) -> Vec<Order> {
        self.told.store(false, Ordering::Release);
        std::mem::take(&mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
