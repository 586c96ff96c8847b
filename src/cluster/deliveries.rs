//! What is done with messages of other nodes: most are handed to the workers, past JavaScript.
//!
//! A message that concerns nobody here is dropped by the name of its channel, before it is read. The rest is
//! read without a lock, put by, and handed over together, in order, under that of the directory.
#![expect(clippy::wildcard_enum_match_arm, reason = "Redis may say anything")]

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use redis::{PushInfo, PushKind, Value};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tokio::sync::Notify;

use super::news::{Counters, News};
use super::orders::{Cluster, Shared};
use super::subscriptions::{Kind, Subscriptions};
use crate::border::send_flag::{NO_COMPRESS, VOLATILE};
use crate::net::command::Outgoing;
use crate::net::directory::{Concern, Directory, Population, Remote, RoomName};
use crate::net::operation_batch::OperationBatch;
use crate::redis::Malformed;
use crate::redis::broadcasts::{Broadcast, Incoming, Mode, Name, Node};
use crate::redis::channels::{number_of, room_of};

/// Messages that are handed over together, at most.
const TOGETHER: usize = 128;
/// Their bytes, about: who is woken for them has something to do then.
const BYTES_TOGETHER: usize = 256 << 10;

/// Where messages come in. It belongs to the thread of the link; the lock is for the types only.
pub(super) struct Inbound {
    directory: Arc<Directory>,
    shared: Arc<Shared>,
    state: Mutex<Namespaces>,
    /// Something has been put by.
    news: Notify,
}

/// What is known of namespaces, and what has been put by.
#[derive(Default)]
pub(super) struct Namespaces {
    /// Their channels.
    pub(super) subscriptions: Subscriptions,
    /// By their numbers.
    pub(super) clusters: FxHashMap<u32, Arc<Cluster>>,
    put_by: Vec<Read>,
    bytes: usize,
    /// Whether something of it says what later broadcasts mean: whom these concern is not known before it is handed over.
    ordered: bool,
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").finish_non_exhaustive()
    }
}

/// A message that is to be handed over.
struct Read {
    cluster: u32,
    channel: Bytes,
    message: Bytes,
    kind: ReadKind,
}

enum ReadKind {
    Broadcast {
        messages: Arc<[Outgoing]>,
        rooms: Vec<Name<'static>>,
        except: Vec<Name<'static>>,
        flags: u8,
    },
    Ordered,
    Other,
}

impl Inbound {
    pub(super) fn new(directory: Arc<Directory>, shared: Arc<Shared>) -> Self {
        Self { directory, shared, state: Mutex::default(), news: Notify::new() }
    }

    /// The namespaces.
    pub(super) fn namespaces(&self) -> MutexGuard<'_, Namespaces> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Redis has said something by itself. Nothing more is read before this returns.
    pub(super) fn handle(&self, info: PushInfo) {
        let PushInfo { kind, data } = info;
        let mut strings = data.into_iter().map_while(|value| match value {
            Value::BulkString(bytes) => Some(bytes),
            _ => None,
        });
        let kind = match kind {
            PushKind::Message => Kind::Plain,
            PushKind::PMessage => Kind::Pattern,
            PushKind::SMessage => Kind::Sharded,
            _ => return,
        };
        let Some(name) = strings.next() else { return };
        let channel = if kind == Kind::Pattern { strings.next() } else { None };
        let Some(message) = strings.next() else { return };
        if self.read(kind, &name, channel.as_deref().unwrap_or(&name), message) {
            self.hand_over();
        } else {
            self.news.notify_one();
        }
        self.shared.news.wait_for_room();
    }

    /// A message could not be read.
    pub(super) fn note_malformed(&self) {
        Counters::add(&self.shared.counters.malformed, 1);
    }

    /// Reads a message; whether what has been put by is to be handed over now.
    fn read(&self, kind: Kind, name: &[u8], channel: &[u8], message: Vec<u8>) -> bool {
        let counters = &self.shared.counters;
        Counters::add(&counters.received, 1);
        Counters::add(&counters.received_bytes, message.len());
        let mut state = self.namespaces();
        let Namespaces { subscriptions, clusters, put_by, bytes, ordered } = &mut *state;
        let mut message = Message::Raw(message);
        for number in subscriptions.clusters(kind, name) {
            let Some(cluster) = clusters.get(number) else { continue };
            match self.read_for(cluster, kind, channel, *ordered, &mut message) {
                Ok(Some(kind)) => {
                    *ordered |= matches!(kind, ReadKind::Ordered);
                    let channel = Bytes::copy_from_slice(channel);
                    let message = message.share();
                    *bytes += message.len();
                    put_by.push(Read { cluster: *number, channel, message, kind });
                }
                Ok(None) => Counters::add(&counters.ignored, 1),
                Err(Malformed) => Counters::add(&counters.malformed, 1),
            }
        }
        put_by.len() >= TOGETHER || *bytes >= BYTES_TOGETHER
    }

    /// Reads a message for a namespace. None: there is nothing to do. `keep`: whom it concerns is not known yet.
    fn read_for(
        &self,
        cluster: &Cluster,
        kind: Kind,
        channel: &[u8],
        keep: bool,
        message: &mut Message,
    ) -> Result<Option<ReadKind>, Malformed> {
        let is_broadcast = match cluster.node.mode {
            Mode::Classic => {
                // Requests and answers come by channels that begin in another way.
                let channel = std::str::from_utf8(channel).ok();
                channel.and_then(|channel| room_of(channel, &cluster.prefix))
            }
            Mode::Sharded => None,
        };
        if let Some(room) = is_broadcast.filter(|_| !keep) {
            let mut names: SmallVec<[RoomName<'_>; 2]> = SmallVec::new();
            if !room.is_empty() {
                names.push(RoomName::Text(room));
                names.extend(number_of(room).map(RoomName::Number));
            }
            if self.directory.lock().concern(cluster.number, &names) == Concern::Nobody {
                return Ok(None);
            }
        }
        let shared = message.share();
        let incoming = match cluster.node.mode {
            Mode::Sharded => cluster.node.read(&shared)?,
            Mode::Classic if is_broadcast.is_some() => cluster.node.read(&shared)?,
            Mode::Classic if *channel == *cluster.requests => Node::read_request(&shared)?,
            Mode::Classic if kind == Kind::Pattern => return Ok(None), // of another namespace
            // The answers to our requests: JavaScript looks whose they are.
            Mode::Classic => Incoming::Other,
        };
        Ok(match incoming {
            Incoming::Broadcast(broadcast) => Some(ReadKind::broadcast(*broadcast, &shared)),
            Incoming::Ordered => Some(ReadKind::Ordered),
            Incoming::Other => Some(ReadKind::Other),
            Incoming::Ignored => None,
        })
    }

    /// Hands over what is put by, again and again.
    pub(super) async fn serve(&self) {
        loop {
            self.news.notified().await;
            self.hand_over();
        }
    }

    fn hand_over(&self) {
        let mut state = self.namespaces();
        state.bytes = 0;
        state.ordered = false;
        let put_by = std::mem::take(&mut state.put_by);
        drop(state);
        if put_by.is_empty() {
            return;
        }
        let mut batches: Vec<OperationBatch> = Vec::new();
        let mut news = Vec::new();
        let mut population = self.directory.lock();
        let runtime = population.runtime();
        for read in put_by {
            news.extend(self.hand_over_one(&mut population, read, &mut batches));
        }
        if let Some(runtime) = &runtime {
            for (worker, batch) in batches.iter_mut().enumerate().take(runtime.workers()) {
                if !batch.is_empty() {
                    runtime.mailbox(worker).post(batch, &[]);
                }
            }
        }
        drop(population);
        drop(runtime); // if it is the last one, the workers end, and that takes a while
        for told in news {
            self.shared.news.push(told);
        }
    }

    /// Sorts one in; gives what JavaScript is to be told.
    fn hand_over_one(
        &self,
        population: &mut Population,
        read: Read,
        batches: &mut Vec<OperationBatch>,
    ) -> Option<News> {
        let counters = &self.shared.counters;
        let Read { cluster, channel, message, kind } = read;
        let ordered = match kind {
            ReadKind::Broadcast { messages, rooms, except, flags }
                if population.is_direct(cluster) =>
            {
                let (rooms, except) = (names(&rooms), names(&except));
                let remote = Remote { rooms: &rooms, except: &except, flags, messages: &messages };
                let any = population.fan_out(cluster, &remote, batches);
                Counters::add(if any { &counters.delivered } else { &counters.ignored }, 1);
                return None;
            }
            ReadKind::Broadcast { .. } | ReadKind::Ordered => {
                population.give(cluster);
                true
            }
            ReadKind::Other => false,
        };
        Counters::add(&counters.to_javascript, 1);
        Some(News::Message { cluster, channel, ordered, payload: message })
    }
}

/// A message that nobody, or several may need.
enum Message {
    Raw(Vec<u8>),
    Shared(Bytes),
}

impl Message {
    fn share(&mut self) -> Bytes {
        if let Self::Raw(bytes) = self {
            *self = Self::Shared(std::mem::take(bytes).into());
        }
        match self {
            Self::Shared(bytes) => bytes.clone(),
            Self::Raw(_) => Bytes::new(),
        }
    }
}

impl ReadKind {
    fn broadcast(broadcast: Broadcast<'_>, message: &Bytes) -> Self {
        let text = Outgoing::Text(broadcast.text.into());
        let messages = if broadcast.attachments.is_empty() {
            Arc::new([text]) as Arc<[Outgoing]>
        } else {
            let attachments = broadcast.attachments.iter();
            let attachments = attachments.map(|bytes| Outgoing::Binary(message.slice_ref(bytes)));
            std::iter::once(text).chain(attachments).collect()
        };
        let owned = |names: Vec<Name<'_>>| names.into_iter().map(Name::into_owned).collect();
        let flags = if broadcast.volatile { VOLATILE } else { 0 }
            | if broadcast.no_compress { NO_COMPRESS } else { 0 };
        Self::Broadcast {
            messages,
            rooms: owned(broadcast.rooms),
            except: owned(broadcast.except),
            flags,
        }
    }
}

fn names<'a>(names: &'a [Name<'_>]) -> SmallVec<[RoomName<'a>; 4]> {
    let name = |name: &'a Name<'_>| match name {
        Name::Text(text) => RoomName::Text(text),
        Name::Number(number) => RoomName::Number(*number),
    };
    names.iter().map(name).collect()
}
