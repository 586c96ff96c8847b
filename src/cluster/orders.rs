//! What JavaScript asks of a link, in order.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::news::{Counters, NewsQueue};
use crate::net::command::Outgoing;
use crate::redis::broadcasts::{Mode, Node};

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

impl Publication {
    /// What it takes in memory, about.
    pub(super) fn weight(&self) -> usize {
        let payload = match &self.payload {
            Payload::Made(bytes) => bytes.len(),
            Payload::Broadcast { messages, options, .. } => {
                options.len() + messages.iter().map(Outgoing::len).sum::<usize>()
            }
        };
        OVERHEAD + self.channel.len() + payload
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
    pub(super) news: NewsQueue,
    /// What has happened.
    pub counters: Counters,
    /// How many bytes may wait to leave.
    most_buffered: usize,
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

    /// Asks for something; [`notify`](Self::notify) has to follow. A message for which there is no room is dropped, and counted.
    pub fn push(&self, order: Order) {
        if let Order::Publish(publication) = &order {
            let weight = publication.weight();
            let buffered = &self.counters.buffered;
            let before = buffered.fetch_add(weight, Ordering::Relaxed);
            // Where nothing waits, there is room for one, however large it is.
            if before > 0 && before + weight > self.most_buffered {
                buffered.fetch_sub(weight, Ordering::Relaxed);
                return Counters::add(&self.counters.dropped, 1);
            }
        }
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).push(order);
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
