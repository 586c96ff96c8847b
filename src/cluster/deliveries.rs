//! What is done with messages of other nodes: most are handed to the workers, past JavaScript.
//!
//! A message that concerns nobody here is dropped by the name of its channel, before it is read. The rest is
//! read without a lock, put by, and handed over together, in order, under that of the directory.
//!
//! Messages come as the [`sieve`](super::sieve) finds them, one after the other.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::news::{Counters, News};
use super::orders::{Cluster, Shared};
use super::subscriptions::Subscriptions;
use crate::border::send_flag::{NO_COMPRESS, VOLATILE};
use crate::net::command::Outgoing;
use crate::net::directory::{Concern, Directory, Population, Remote, RoomName};
use crate::net::operation_batch::OperationBatch;
use crate::redis::Malformed;
use crate::redis::broadcasts::{Broadcast, Incoming, Mode, Name, Node};
use crate::redis::channels::{number_of, room_of};
use crate::redis::frames::{Kind, Message};

/// Messages that are handed over together, at most.
const TOGETHER: usize = 128;
/// Their bytes, about: who is woken for them has something to do then.
const BYTES_TOGETHER: usize = 256 << 10;

/// Where messages come in. It belongs to the thread of the link; the lock is for the types only.
pub(super) struct Inbound {
    directory: Arc<Directory>,
    shared: Arc<Shared>,
    state: Mutex<Namespaces>,
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
        Self { directory, shared, state: Mutex::default() }
    }

    /// The namespaces.
    pub(super) fn namespaces(&self) -> MutexGuard<'_, Namespaces> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether more may be read now; if not, it is told when.
    pub(super) fn poll_room(&self, context: &mut Context<'_>) -> Poll<()> {
        self.shared.news.poll_room(context)
    }

    /// Messages have come. They are handed over together when these are all for now.
    pub(super) fn reading(&self) -> Reading<'_> {
        Reading {
            inbound: self,
            state: self.namespaces(),
            population: None,
            received: 0,
            received_bytes: 0,
            ignored: 0,
        }
    }

    fn hand_over(&self, state: &mut Namespaces) {
        state.bytes = 0;
        state.ordered = false;
        let put_by = std::mem::take(&mut state.put_by);
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
                let remote = Remote {
                    rooms: &rooms,
                    except: &except,
                    flags,
                    messages: &messages,
                    kept: None,
                };
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

/// Messages that have come together, from the first one to the hand-over of what is put by.
pub(super) struct Reading<'a> {
    inbound: &'a Inbound,
    state: MutexGuard<'a, Namespaces>,
    /// The directory, as long as one message after the other concerns nobody.
    population: Option<MutexGuard<'a, Population>>,
    received: usize,
    received_bytes: usize,
    ignored: usize,
}

impl Reading<'_> {
    /// The next one.
    pub(super) fn message(&mut self, message: &Message<'_>) {
        self.received += 1;
        self.received_bytes += message.payload.len();
        // Whatever it was, it ends this message alone.
        if catch_unwind(AssertUnwindSafe(|| self.read(message))).is_err() {
            Counters::add(&self.inbound.shared.counters.malformed, 1);
        }
    }

    fn read(&mut self, message: &Message<'_>) {
        let Namespaces { subscriptions, clusters, put_by, bytes, ordered } = &mut *self.state;
        let mut shared = None;
        for number in subscriptions.clusters(message.kind, message.name) {
            let Some(cluster) = clusters.get(number) else { continue };
            let room = room_in(cluster, message);
            if let Some(room) = room.filter(|_| !*ordered) {
                let mut names: SmallVec<[RoomName<'_>; 2]> = SmallVec::new();
                if !room.is_empty() {
                    names.push(RoomName::Text(room));
                    names.extend(number_of(room).map(RoomName::Number));
                }
                let directory = &self.inbound.directory;
                let population = self.population.get_or_insert_with(|| directory.lock());
                if population.concern(cluster.number, &names) == Concern::Nobody {
                    self.ignored += 1;
                    continue;
                }
            }
            // JavaScript has not to wait while this one is read.
            self.population = None;
            let shared = shared.get_or_insert_with(|| Bytes::copy_from_slice(message.payload));
            match read_for(cluster, message, room.is_some(), shared) {
                Ok(Some(kind)) => {
                    *ordered |= matches!(kind, ReadKind::Ordered);
                    let channel = Bytes::copy_from_slice(message.channel);
                    *bytes += shared.len();
                    let message = shared.clone();
                    put_by.push(Read { cluster: *number, channel, message, kind });
                }
                Ok(None) => self.ignored += 1,
                Err(Malformed) => Counters::add(&self.inbound.shared.counters.malformed, 1),
            }
        }
        if put_by.len() >= TOGETHER || *bytes >= BYTES_TOGETHER {
            self.hand_over();
        }
    }

    /// Hands over what is put by.
    fn hand_over(&mut self) {
        self.population = None; // it is locked again
        self.inbound.hand_over(&mut self.state);
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let counters = &self.inbound.shared.counters;
        Counters::add(&counters.received, self.received);
        Counters::add(&counters.received_bytes, self.received_bytes);
        Counters::add(&counters.ignored, self.ignored);
        self.hand_over();
    }
}

/// The room that a channel of broadcasts names. None: it is no such channel, or what it brings says for whom it is.
fn room_in<'a>(cluster: &Cluster, message: &Message<'a>) -> Option<&'a str> {
    match cluster.node.mode {
        _ if cluster.stream.is_some() => None,
        Mode::Classic => {
            // Requests and answers come by channels that begin in another way.
            let channel = std::str::from_utf8(message.channel).ok();
            channel.and_then(|channel| room_of(channel, &cluster.prefix))
        }
        Mode::Sharded => None,
    }
}

/// Reads a message for a namespace. None: there is nothing to do. `payload`: what it brings.
fn read_for(
    cluster: &Cluster,
    message: &Message<'_>,
    is_broadcast: bool,
    payload: &Bytes,
) -> Result<Option<ReadKind>, Malformed> {
    if cluster.stream.is_some() {
        return Ok(Some(ReadKind::Other)); // what is broadcast comes by the stream
    }
    let incoming = match cluster.node.mode {
        Mode::Sharded => cluster.node.read(payload)?,
        Mode::Classic if is_broadcast => cluster.node.read(payload)?,
        Mode::Classic if *message.channel == *cluster.requests => Node::read_request(payload)?,
        Mode::Classic if message.kind == Kind::Pattern => return Ok(None), // of another namespace
        // The answers to our requests: JavaScript looks whose they are.
        Mode::Classic => Incoming::Other,
    };
    Ok(match incoming {
        Incoming::Broadcast(broadcast) => Some(ReadKind::broadcast(*broadcast, payload)),
        Incoming::Ordered => Some(ReadKind::Ordered),
        Incoming::Other => Some(ReadKind::Other),
        Incoming::Ignored => None,
    })
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

pub(super) fn names<'a>(names: &'a [Name<'_>]) -> SmallVec<[RoomName<'a>; 4]> {
    let name = |name: &'a Name<'_>| match name {
        Name::Text(text) => RoomName::Text(text),
        Name::Number(number) => RoomName::Number(*number),
    };
    names.iter().map(name).collect()
}
