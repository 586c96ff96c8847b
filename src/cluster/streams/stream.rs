//! The streams of a link: what is known of them, and what is written to them.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use redis::{Cmd, cmd};
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::sync::Notify;

use super::own::{Own, Seen};
use super::restoration::Restoration;
use crate::cluster::deliveries::Inbound;
use crate::cluster::faults::{is_away, is_lost};
use crate::cluster::news::Counters;
use crate::cluster::orders::{Addition, Cluster, Payload, Shared, StreamOptions, bytes_of};
use crate::cluster::outbox::SharedOutbox;
use crate::cluster::session::Session;
use crate::net::directory::Directory;
use crate::redis::entries::EntryId;

/// Entries in a batch.
const ENTRIES: usize = 256;
/// Bytes in a batch, about.
const BYTES: usize = 256 << 10;

/// What is said when the connection is of no use any more.
pub(in crate::cluster) type Lost = String;

/// What the link is told.
#[derive(Clone)]
pub(in crate::cluster) struct Hooks {
    /// All that had been written when the connection was made has been read.
    pub(in crate::cluster) settled: Arc<dyn Fn() + Send + Sync>,
    /// Redis has refused something, or has not kept it.
    pub(in crate::cluster) told: Arc<dyn Fn(String) + Send + Sync>,
}

/// What is written together.
#[derive(Default)]
struct Batch {
    /// Their numbers and sizes.
    numbers: Vec<(u64, usize)>,
    commands: Vec<Cmd>,
    /// What can't be.
    refused: Vec<u64>,
}

/// All streams of a link.
pub(in crate::cluster) struct Streams {
    pub(super) all: Mutex<FxHashMap<Box<str>, Arc<Stream>>>,
    /// There is another one.
    pub(super) opened: Notify,
    pub(super) shared: Arc<Shared>,
    pub(super) directory: Arc<Directory>,
    /// What comes by Pub/Sub: nothing, by the connections of readers.
    pub(super) inbound: Arc<Inbound>,
    pub(super) outbox: SharedOutbox,
}

/// One stream.
#[derive(Debug)]
pub(in crate::cluster) struct Stream {
    pub(super) options: StreamOptions,
    pub(super) state: Mutex<StreamState>,
    /// Something is to be written.
    pub(super) news: Notify,
    /// Somebody comes back.
    pub(super) asked: Notify,
    /// More has been read.
    pub(super) moved: Notify,
    /// All has been written.
    pub(super) empty: Notify,
}

#[derive(Debug, Default)]
pub(super) struct StreamState {
    /// What was read last.
    pub(super) place: Option<EntryId>,
    /// Whether all that was there when the connection was made has been read: until then it is not known what of our own is.
    pub(super) settled: bool,
    pub(super) own: Own<Addition>,
    /// Whether a batch is on its way.
    pub(super) busy: bool,
    pub(super) seen: Seen,
    /// By the names of their namespaces.
    pub(super) clusters: FxHashMap<Box<[u8]>, Arc<Cluster>>,
    pub(super) returning: Vec<Restoration>,
    /// The requests of theirs, and of those who are being looked after, that JavaScript waits for.
    pub(super) awaited: FxHashSet<u32>,
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}

impl Streams {
    pub(in crate::cluster) fn new(
        directory: Arc<Directory>,
        inbound: Arc<Inbound>,
        shared: Arc<Shared>,
        outbox: SharedOutbox,
    ) -> Self {
        Self { all: Mutex::default(), opened: Notify::new(), shared, directory, inbound, outbox }
    }

    pub(super) fn list(&self) -> Vec<Arc<Stream>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// A namespace is told of by a stream, if it is one of those.
    pub(in crate::cluster) fn open(&self, cluster: &Arc<Cluster>) {
        let Some(member) = &cluster.stream else { return };
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = all.entry(member.options.key.clone()).or_insert_with(|| {
            self.opened.notify_one();
            Arc::new(Stream::new(member.options.clone()))
        });
        let namespace = cluster.node.namespace.as_bytes().into();
        let mut population = self.directory.lock();
        let mut state = stream.state();
        state.clusters.insert(namespace, Arc::clone(cluster));
        if let Some(place) = state.place {
            population.reach(cluster.number, place.pair());
        }
    }

    /// It is no more.
    pub(in crate::cluster) fn shut(&self, number: u32) {
        for stream in self.list() {
            let mut state = stream.state();
            state.clusters.retain(|_, cluster| cluster.number != number);
            let StreamState { returning, awaited, .. } = &mut *state;
            returning.retain(|it| {
                let stays = it.cluster.number != number;
                stays || {
                    awaited.remove(&it.request);
                    false
                }
            });
        }
    }

    /// Something is to be written.
    pub(in crate::cluster) fn add(&self, addition: Addition) {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stream) = all.get(&*addition.stream) else {
            // It belongs to a namespace that has not been opened here: there are none such.
            self.shared.counters.buffered.fetch_sub(addition.weight(), Ordering::Relaxed);
            return Counters::add(&self.shared.counters.dropped, 1);
        };
        stream.state().own.push(addition);
        stream.news.notify_one();
    }

    /// Somebody comes back.
    pub(in crate::cluster) fn restore(&self, cluster: &Cluster, restoration: Restoration) {
        let key = cluster.stream.as_ref().map(|member| &member.options.key);
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stream) = key.and_then(|key| all.get(key)) else {
            return self.shared.news.push(restoration.fail());
        };
        let mut state = stream.state();
        state.awaited.insert(restoration.request);
        state.returning.push(restoration);
        stream.asked.notify_one();
    }

    /// Nobody waits for the answer to such a question any more.
    pub(in crate::cluster) fn forgo(&self, request: u32) {
        for stream in self.list() {
            let mut state = stream.state();
            if state.awaited.remove(&request) {
                state.returning.retain(|it| it.request != request);
            }
        }
    }

    /// Whether all of them have been read as far as they were written.
    pub(in crate::cluster) fn are_settled(&self) -> bool {
        self.list().iter().all(|stream| stream.state().settled)
    }

    /// Waits until all has been written.
    pub(in crate::cluster) async fn drained(&self) {
        for stream in self.list() {
            while stream.is_busy() {
                stream.empty.notified().await;
            }
        }
    }

    /// There is no connection (any more).
    pub(in crate::cluster) fn lost(&self) {
        for stream in self.list() {
            let mut state = stream.state();
            state.settled = false;
            state.busy = false;
        }
    }

    /// Writes what is to be written.
    pub(super) async fn write(&self, stream: &Stream, mut session: Session, hooks: &Hooks) -> Lost {
        let counters = &self.shared.counters;
        loop {
            let Batch { numbers, commands, mut refused } = stream.take();
            if numbers.is_empty() && refused.is_empty() {
                stream.empty.notify_one();
                stream.news.notified().await;
                continue;
            }
            let mut lost = None;
            let results = match commands.len() {
                0 => Vec::new(),
                _ => session.run(commands).await,
            };
            for ((number, size), result) in numbers.into_iter().zip(results) {
                match result {
                    Ok(_) => {
                        Counters::add(&counters.published, 1);
                        Counters::add(&counters.published_bytes, size);
                    }
                    Err(error) if is_lost(&error) || is_away(&error) => {
                        lost = Some(error.to_string());
                    }
                    Err(error) => {
                        Counters::add(&counters.refused, 1);
                        (hooks.told)(error.to_string());
                        refused.push(number);
                    }
                }
            }
            stream.state().busy = false;
            self.keep_here(stream, refused);
            if let Some(error) = lost {
                return format!("the connection is lost: {error}");
            }
        }
    }
}

impl Stream {
    fn new(options: StreamOptions) -> Self {
        Self {
            options,
            state: Mutex::default(),
            news: Notify::new(),
            asked: Notify::new(),
            moved: Notify::new(),
            empty: Notify::new(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, StreamState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_busy(&self) -> bool {
        let state = self.state();
        state.busy || state.own.is_waiting()
    }

    /// The next to be written.
    fn take(&self) -> Batch {
        let mut batch = Batch::default();
        let mut state = self.state();
        if !state.settled {
            return batch;
        }
        let mut bytes = 0;
        while batch.commands.len() < ENTRIES && bytes < BYTES {
            let Some((number, addition)) = state.own.take() else { break };
            let size = addition.weight();
            bytes += size;
            if let Some(command) = self.command(number, addition) {
                batch.numbers.push((number, size));
                batch.commands.push(command);
            } else {
                batch.refused.push(number);
            }
        }
        state.busy = !batch.commands.is_empty();
        batch
    }

    /// None: it is no packet that can be told of.
    fn command(&self, number: u64, addition: &Addition) -> Option<Cmd> {
        let Addition { node, kind, payload, .. } = addition;
        let data = match payload {
            Payload::Made(bytes) => bytes.clone(),
            Payload::Broadcast { node, messages, options } => {
                let packet = messages.first().map(bytes_of)?;
                let attachments: Vec<&[u8]> = messages.iter().skip(1).map(bytes_of).collect();
                Bytes::from(node.write_entry(packet, &attachments, options).ok()?)
            }
            Payload::Session { .. } => return None,
        };
        let StreamOptions { key, max_len, .. } = &self.options;
        let mut command = cmd("XADD");
        command.arg(&**key).arg("MAXLEN").arg("~").arg(*max_len).arg("*");
        command.arg("uid").arg(&*node.uid).arg("nsp").arg(&*node.namespace);
        command.arg("type").arg(*kind);
        if !data.is_empty() {
            command.arg("data").arg(&*data);
        }
        command.arg("n").arg(number);
        Some(command)
    }
}
