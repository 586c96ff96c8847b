//! Reads the entries of a stream, one after the other, and hands them over: to the workers, past JavaScript, or to JavaScript.
//!
//! What one answer of Redis brings is handed over under one lock of the directory, and so is the note how far the stream has been
//! read. Who is let in is let in before or behind all of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use redis::{RedisResult, Value, cmd};

use super::replies::{self, Extent, Read};
use super::stream::{Hooks, Lost, Stream, StreamState, Streams};
use crate::border::send_flag::{NO_COMPRESS, VOLATILE};
use crate::cluster::deliveries::names;
use crate::cluster::news::{Counters, News};
use crate::cluster::nodes::Told;
use crate::cluster::options::Connector;
use crate::cluster::orders::{Addition, Cluster, Payload};
use crate::cluster::session::Session;
use crate::net::command::Outgoing;
use crate::net::directory::{Population, Remote};
use crate::net::operation_batch::OperationBatch;
use crate::redis::Malformed;
use crate::redis::broadcasts::{Broadcast, Incoming, Name};
use crate::redis::entries::{Entry, EntryId, push_offset};

/// Reads until the connection is lost.
pub(super) async fn read(
    streams: &Streams,
    stream: &Stream,
    mut connector: Connector,
    hooks: Hooks,
) -> Lost {
    // Its own connection: Redis lets the one wait that waits for entries.
    // That it is lost, who waits for an answer learns.
    let told = Told { lost: Arc::new(drop), moved: Arc::new(drop) };
    let mut session = match connector.connect(&streams.inbound, told).await {
        Ok(session) => session,
        Err(error) => return format!("can't connect: {error}"),
    };
    match follow(streams, stream, &mut session, &hooks).await {
        Ok(()) => String::new(),
        Err(error) => format!("can't read the stream: {error}"),
    }
}

async fn follow(
    streams: &Streams,
    stream: &Stream,
    session: &mut Session,
    hooks: &Hooks,
) -> RedisResult<()> {
    let key = &stream.options.key;
    let extent = extent(session, key).await?;
    let place = stream.state().place;
    let has_all = match place {
        None => true, // the first time: from now on
        Some(place) => place <= extent.last && extent.has_all_after(place),
    };
    if !has_all {
        Counters::add(&streams.shared.counters.gaps, 1);
        (hooks.told)(format!(
            "entries of the stream {key} are gone that have not been read: raise maxLen"
        ));
    }
    // When Redis has lost its last entries, those that come may have lower ids than what was read.
    let begin = place.map_or(extent.last, |place| place.min(extent.last));
    streams.reach(stream, begin);
    loop {
        streams.shared.news.room().await;
        let place = stream.place();
        let settled = stream.state().settled;
        let count = stream.options.read_count;
        let answer = ask(session, replies::read(key, place, count, settled)).await?;
        let entries = replies::entries_read(answer);
        let is_empty = entries.is_empty();
        streams.hand_over(stream, entries);
        if !settled && (is_empty || stream.place() >= extent.last) {
            let mut state = stream.state();
            state.own.settle();
            state.settled = true;
            drop(state);
            stream.news.notify_one();
            stream.asked.notify_one();
            (hooks.settled)();
        }
    }
}

/// What there is of a stream; nothing while it has no entry.
pub(super) async fn extent(session: &mut Session, key: &str) -> RedisResult<Extent> {
    let mut command = cmd("XINFO");
    command.arg("STREAM").arg(key);
    match ask(session, command).await {
        Ok(answer) => Ok(Extent::new(answer)),
        Err(error) if error.to_string().contains("no such key") => Ok(Extent::default()),
        Err(error) => Err(error),
    }
}

pub(super) async fn ask(session: &mut Session, command: redis::Cmd) -> RedisResult<Value> {
    session.run(vec![command]).await.pop().unwrap_or(Ok(Value::Nil))
}

/// What an entry is to this node.
enum Meaning {
    /// Something that this node has written. Before it, what will not come any more.
    Own(Vec<Addition>, Box<Addition>, Bytes),
    Broadcast(Messages, Vec<Name<'static>>, Vec<Name<'static>>, u8, Bytes),
    /// JavaScript has to look at it.
    Ordered(Bytes),
    Other(Bytes),
    Ignored,
}

/// An entry that has been looked at.
struct Looked {
    cluster: Arc<Cluster>,
    id: EntryId,
    kind: u8,
    uid: Vec<u8>,
    meaning: Result<Meaning, Malformed>,
}

type Messages = Arc<[Outgoing]>;

impl Stream {
    fn place(&self) -> EntryId {
        self.state().place.unwrap_or_default()
    }
}

impl StreamState {
    /// Looks what an entry is, and for whom.
    fn read(&mut self, entry: Entry) -> Option<Looked> {
        let Entry { id, uid, namespace, kind, data, number } = entry;
        let cluster = Arc::clone(self.clusters.get(&*namespace)?);
        let data = Bytes::from(data);
        if uid == cluster.node.uid.as_bytes() {
            // What comes for the second time is not waited for any more.
            let (before, own) = self.own.came(number?);
            let own = Box::new(own?);
            let meaning = Ok(Meaning::Own(before, own, data));
            return Some(Looked { cluster, id, kind, uid, meaning });
        }
        if self.seen.again(&uid, number) {
            return None;
        }
        let meaning = meaning_of(&cluster, id, kind, &data);
        Some(Looked { cluster, id, kind, uid, meaning })
    }
}

fn meaning_of(
    cluster: &Cluster,
    id: EntryId,
    kind: u8,
    data: &Bytes,
) -> Result<Meaning, Malformed> {
    Ok(match cluster.node.read_entry(kind, data)? {
        Incoming::Broadcast(broadcast) => {
            let kept = cluster.kept(id, broadcast.volatile).map(|_| id);
            let messages = messages_of(&broadcast, data, kept);
            let owned = |names: Vec<Name<'_>>| names.into_iter().map(Name::into_owned).collect();
            let flags = flags_of(&broadcast);
            let Broadcast { rooms, except, .. } = *broadcast;
            Meaning::Broadcast(messages, owned(rooms), owned(except), flags, data.clone())
        }
        Incoming::Ordered => Meaning::Ordered(data.clone()),
        Incoming::Other => Meaning::Other(data.clone()),
        Incoming::Ignored => Meaning::Ignored,
    })
}

/// The messages that clients get; with the id of their entry, if that is kept for them.
pub(super) fn messages_of(
    broadcast: &Broadcast<'_>,
    data: &Bytes,
    offset: Option<EntryId>,
) -> Messages {
    let mut text = broadcast.text.clone();
    if let Some(id) = offset {
        push_offset(&mut text, id);
    }
    let attachments = broadcast.attachments.iter();
    let attachments = attachments.map(|bytes| Outgoing::Binary(data.slice_ref(bytes)));
    std::iter::once(Outgoing::Text(text.into())).chain(attachments).collect()
}

fn flags_of(broadcast: &Broadcast<'_>) -> u8 {
    let Broadcast { volatile, no_compress, .. } = *broadcast;
    (u8::from(volatile) * VOLATILE) | (u8::from(no_compress) * NO_COMPRESS)
}

impl Streams {
    /// A stream has been read up to there, and nothing of that is to be handed over.
    fn reach(&self, stream: &Stream, place: EntryId) {
        let mut population = self.directory.lock();
        let mut state = stream.state();
        state.place = Some(place);
        for cluster in state.clusters.values() {
            population.reach(cluster.number, place.pair());
        }
        drop(state);
        stream.moved.notify_one();
    }

    /// Hands over what has been read.
    fn hand_over(&self, stream: &Stream, entries: Vec<Read>) {
        let counters = &self.shared.counters;
        let mut read = Vec::new();
        let mut last = None;
        let mut state = stream.state();
        for entry in entries {
            Counters::add(&counters.received, 1);
            let entry = match entry {
                Ok(entry) => entry,
                Err(place) => {
                    Counters::add(&counters.malformed, 1);
                    last = place.or(last);
                    continue;
                }
            };
            last = Some(entry.id);
            Counters::add(&counters.received_bytes, entry.data.len());
            match state.read(entry) {
                Some(meaning) => read.push(meaning),
                None => Counters::add(&counters.ignored, 1),
            }
        }
        drop(state);
        let Some(last) = last else { return };
        let mut hand = Hand::new(self);
        let mut population = self.directory.lock();
        for Looked { cluster, id, kind, uid, meaning } in read {
            match meaning {
                Ok(meaning) => hand.take(&mut population, &cluster, id, kind, uid, meaning),
                Err(Malformed) => Counters::add(&counters.malformed, 1),
            }
        }
        let mut state = stream.state();
        state.place = Some(last);
        for cluster in state.clusters.values() {
            population.reach(cluster.number, last.pair());
        }
        drop(state);
        stream.moved.notify_one();
        let runtime = hand.post(&population);
        drop(population);
        drop(runtime); // if it is the last one, the workers end, and that takes a while
        hand.tell();
    }

    /// What Redis has refused is for clients here all the same.
    pub(super) fn keep_here(&self, stream: &Stream, refused: Vec<u64>) {
        if refused.is_empty() {
            return;
        }
        let mut state = stream.state();
        let refused: Vec<_> = refused.into_iter().filter_map(|it| state.own.refused(it)).collect();
        let clusters: Vec<_> = state.clusters.values().cloned().collect();
        drop(state);
        let mut hand = Hand::new(self);
        let mut population = self.directory.lock();
        for addition in refused {
            let cluster = clusters.iter().find(|it| it.number == addition.cluster);
            if let Some(cluster) = cluster {
                hand.take_own(&mut population, cluster, None, addition, Bytes::new());
            } else {
                hand.release(&addition);
            }
        }
        let runtime = hand.post(&population);
        drop(population);
        drop(runtime);
        hand.tell();
    }
}

/// What is handed over together.
struct Hand<'a> {
    streams: &'a Streams,
    batches: Vec<OperationBatch>,
    news: Vec<News>,
}

impl<'a> Hand<'a> {
    fn new(streams: &'a Streams) -> Self {
        Self { streams, batches: Vec::new(), news: Vec::new() }
    }

    fn counters(&self) -> &'a Counters {
        &self.streams.shared.counters
    }

    /// It waits no more.
    fn release(&self, addition: &Addition) {
        self.counters().buffered.fetch_sub(addition.weight(), Ordering::Relaxed);
    }

    fn take(
        &mut self,
        population: &mut Population,
        cluster: &Arc<Cluster>,
        id: EntryId,
        kind: u8,
        uid: Vec<u8>,
        meaning: Meaning,
    ) {
        match meaning {
            Meaning::Own(before, own, data) => {
                for addition in before {
                    // Trimmed before it was read; those who come back will not find it either.
                    self.take_other_own(population, cluster, addition);
                }
                if own.cluster == cluster.number {
                    self.take_own(population, cluster, Some(id), *own, data);
                } else {
                    self.take_other_own(population, cluster, *own);
                }
            }
            Meaning::Broadcast(messages, rooms, except, flags, data) => {
                let (rooms, except) = (names(&rooms), names(&except));
                let kept = cluster.kept(id, flags & VOLATILE != 0);
                let remote =
                    Remote { rooms: &rooms, except: &except, flags, messages: &messages, kept };
                if population.is_direct(cluster.number) {
                    let any = population.fan_out(cluster.number, &remote, &mut self.batches);
                    let counters = self.counters();
                    Counters::add(if any { &counters.delivered } else { &counters.ignored }, 1);
                } else {
                    population.give_broadcast(cluster.number, &remote);
                    self.give(cluster.number, Some(id), kind, uid, 0, true, data);
                }
            }
            Meaning::Ordered(data) => {
                population.give(cluster.number);
                self.give(cluster.number, Some(id), kind, uid, 0, true, data);
            }
            Meaning::Other(data) => self.give(cluster.number, Some(id), kind, uid, 0, false, data),
            Meaning::Ignored => Counters::add(&self.counters().ignored, 1),
        }
    }

    /// Something of another namespace by the same stream: it has been closed, or the entry says what is not so.
    fn take_other_own(
        &mut self,
        population: &mut Population,
        cluster: &Arc<Cluster>,
        addition: Addition,
    ) {
        if addition.cluster == cluster.number {
            self.take_own(population, cluster, None, addition, Bytes::new());
        } else {
            self.release(&addition);
        }
    }

    /// Something of this node: its messages are still here. `data`: what other nodes have read.
    fn take_own(
        &mut self,
        population: &mut Population,
        cluster: &Arc<Cluster>,
        id: Option<EntryId>,
        addition: Addition,
        data: Bytes,
    ) {
        self.release(&addition);
        let number = cluster.number;
        let uid = cluster.node.uid.clone().into_bytes();
        let Addition { kind, token, payload, .. } = addition;
        let Payload::Broadcast { messages, options, .. } = payload else {
            // JavaScript has kept what it is.
            let mut broadcast = None;
            if let (Some(id), false) = (id, data.is_empty())
                && let Ok(Meaning::Broadcast(messages, rooms, except, flags, _)) =
                    meaning_of(cluster, id, kind, &data)
            {
                broadcast = Some((messages, rooms, except, flags));
            }
            if let Some((messages, rooms, except, flags)) = &broadcast {
                let (rooms, except) = (names(rooms), names(except));
                let kept = id.and_then(|id| cluster.kept(id, flags & VOLATILE != 0));
                let remote =
                    Remote { rooms: &rooms, except: &except, flags: *flags, messages, kept };
                population.give_broadcast(number, &remote);
            } else {
                population.give(number);
            }
            return self.give(number, id, kind, uid, token, true, Bytes::new());
        };
        let mut broadcast = Broadcast::default();
        let is_plain = cluster.node.read_options(&options, &mut broadcast) == Ok(true);
        let kept = id.and_then(|id| cluster.kept(id, broadcast.volatile));
        let flags = flags_of(&broadcast);
        let messages = match id {
            Some(id) if kept.is_some() => with_offset(&messages, id),
            _ => messages,
        };
        let (rooms, except) = (names(&broadcast.rooms), names(&broadcast.except));
        let remote = Remote { rooms: &rooms, except: &except, flags, messages: &messages, kept };
        if is_plain && (population.is_direct(number) || data.is_empty()) {
            population.fan_out(number, &remote, &mut self.batches);
            return Counters::add(&self.counters().delivered, 1);
        }
        population.give_broadcast(number, &remote);
        self.give(number, id, kind, uid, 0, true, data);
    }

    fn give(
        &mut self,
        cluster: u32,
        id: Option<EntryId>,
        kind: u8,
        uid: Vec<u8>,
        token: u32,
        ordered: bool,
        payload: Bytes,
    ) {
        Counters::add(&self.counters().to_javascript, 1);
        let id = id.map(|id| id.to_string()).unwrap_or_default();
        self.news.push(News::Entry { cluster, id, kind, uid, token, ordered, payload });
    }

    /// Hands over what is for the workers.
    fn post(&mut self, population: &Population) -> Option<Arc<crate::net::runtime::Runtime>> {
        let runtime = population.runtime();
        if let Some(runtime) = &runtime {
            for (worker, batch) in self.batches.iter_mut().enumerate().take(runtime.workers()) {
                if !batch.is_empty() {
                    runtime.mailbox(worker).post(batch, &[]);
                }
            }
        }
        runtime
    }

    fn tell(self) {
        for told in self.news {
            self.streams.shared.news.push(told);
        }
    }
}

/// The messages of a packet of this node, with the id of its entry.
fn with_offset(messages: &Messages, id: EntryId) -> Messages {
    let mut all: Vec<Outgoing> = messages.to_vec();
    if let Some(Outgoing::Text(text)) = all.first_mut() {
        let mut longer = text.to_vec();
        push_offset(&mut longer, id);
        *text = longer.into();
    }
    all.into()
}
