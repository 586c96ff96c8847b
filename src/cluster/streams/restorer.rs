//! Finds what clients have missed that come back.
//!
//! ```text
//!   asked ── GETDEL: who was it? ── noted from here on ── XRANGE: what was before ── is all there? ──► JavaScript lets it in
//! ```
//!
//! Whoever asks while this is under way waits for the next time, so that a stream is not read once for each of many that come
//! together. A client that has got more than this node has read waits until the node has come as far.

use bytes::Bytes;
use redis::{RedisResult, Value, cmd};

use super::own::Seen;
use super::reader::{ask, extent, messages_of};
use super::replies::{self, Extent};
use super::restoration::Restoration;
use super::stream::{Lost, Stream, Streams};
use crate::cluster::deliveries::names;
use crate::cluster::news::{Counters, Found, News};
use crate::cluster::session::{Session, is_lost};
use crate::redis::broadcasts::Incoming;
use crate::redis::entries::EntryId;

/// Sessions that are asked for at once.
const TOGETHER: usize = 128;

/// Those who are looked after together. They are asked for again if the connection is lost meanwhile.
struct Pass<'a> {
    streams: &'a Streams,
    stream: &'a Stream,
    all: Vec<Restoration>,
    /// Their numbers, from the beginning on.
    numbers: Vec<Option<u32>>,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut population = self.streams.directory.lock();
        for (restoration, number) in self.all.iter().zip(&self.numbers) {
            let returning = population.returning(restoration.cluster.number);
            if let (Some(returning), Some(number)) = (returning, *number) {
                returning.forget(number);
            }
        }
        self.stream.state().returning.append(&mut self.all);
    }
}

/// Looks after those who come back, until the connection is lost.
pub(super) async fn restore(streams: &Streams, stream: &Stream, mut session: Session) -> Lost {
    loop {
        let all = {
            let mut state = stream.state();
            if state.settled { std::mem::take(&mut state.returning) } else { Vec::new() }
        };
        if all.is_empty() {
            stream.asked.notified().await;
            continue;
        }
        let pass = Pass { streams, stream, all, numbers: Vec::new() };
        if let Err(error) = pass.run(&mut session).await {
            return format!("can't find what clients have missed: {error}");
        }
    }
}

impl Pass<'_> {
    async fn run(mut self, session: &mut Session) -> RedisResult<()> {
        let behind = self.all.iter().map(|it| it.behind).max().unwrap_or(0);
        self.streams.outbox.passed(behind).await;
        self.find(session).await?;
        if self.all.is_empty() {
            return Ok(());
        }
        let key = &self.stream.options.key;
        let last = extent(session, key).await?.last;
        self.keep(|it| it.after() <= last);
        let furthest = self.all.iter().map(Restoration::after).max().unwrap_or_default();
        while self.stream.state().place.unwrap_or_default() < furthest {
            self.stream.moved.notified().await;
        }
        let to = self.begin();
        self.read(session, to).await?;
        // Behind the reading: what is there now was there then.
        let extent = extent(session, key).await?;
        self.answer(extent);
        Ok(())
    }

    /// Has JavaScript let them in. It hears of it behind all that it was given to fan out before what passes was noted for them: so
    /// that has been fanned out, and is missed.
    fn answer(mut self, extent: Extent) {
        let all = std::mem::take(&mut self.all).into_iter().zip(std::mem::take(&mut self.numbers));
        let mut population = self.streams.directory.lock();
        for (restoration, number) in all {
            let found = restoration.session.as_ref().zip(number).and_then(|(stored, number)| {
                if extent.has_all_after(stored.after) {
                    let (session, after) = (stored.bytes.clone(), stored.after.to_string());
                    return Some(Found { returning: number, session, left: stored.left, after });
                }
                if let Some(returning) = population.returning(restoration.cluster.number) {
                    returning.forget(number);
                }
                None
            });
            self.streams.shared.news.push(News::Restored { request: restoration.request, found });
        }
        drop(population); // `self` locks it when it goes
    }

    /// Those of whom that can't be said begin anew.
    fn keep(&mut self, can: impl Fn(&Restoration) -> bool) {
        let streams = self.streams;
        self.all.retain(|restoration| {
            let can = can(restoration);
            if !can {
                streams.shared.news.push(restoration.fail());
            }
            can
        });
    }

    /// Asks for the sessions.
    async fn find(&mut self, session: &mut Session) -> RedisResult<()> {
        let counters = &self.streams.shared.counters;
        for restorations in self.all.chunks_mut(TOGETHER) {
            let missing = || restorations.iter().filter(|it| it.session.is_none());
            let commands = missing().flat_map(|it| {
                let (mut time, mut take) = (cmd("PTTL"), cmd("GETDEL"));
                time.arg(&*it.key);
                take.arg(&*it.key);
                [time, take]
            });
            let commands: Vec<_> = commands.collect();
            let mut answers = session.run(commands).await.into_iter();
            let missing = restorations.iter_mut().filter(|it| it.session.is_none());
            for restoration in missing {
                let (Some(left), Some(bytes)) = (answers.next(), answers.next()) else { break };
                match (left, bytes) {
                    (Ok(Value::Int(left)), Ok(Value::BulkString(bytes))) => {
                        restoration.session =
                            restoration.stored(left.max(0).unsigned_abs(), &bytes);
                        if restoration.session.is_none() {
                            Counters::add(&counters.malformed, 1);
                        }
                    }
                    (Err(error), _) | (_, Err(error)) if is_lost(&error) => return Err(error),
                    (Err(_refused), _) | (_, Err(_refused)) => {
                        Counters::add(&counters.refused, 1);
                    }
                    _ => {}
                }
            }
        }
        self.keep(|it| it.session.is_some());
        Ok(())
    }

    /// From now on what passes is noted for them. Gives up to where it has passed before.
    fn begin(&mut self) -> EntryId {
        let mut population = self.streams.directory.lock();
        let numbers = self.all.iter().map(|restoration| {
            let stored = restoration.session.as_ref()?;
            let returning = population.returning(restoration.cluster.number)?;
            returning.begin(names(&stored.rooms), stored.after.pair())
        });
        self.numbers = numbers.collect();
        self.stream.state().place.unwrap_or_default()
    }

    /// Reads again what they have missed before that.
    async fn read(&self, session: &mut Session, to: EntryId) -> RedisResult<()> {
        let options = &self.stream.options;
        let Some(mut after) = self.all.iter().map(Restoration::after).min() else { return Ok(()) };
        let mut seen = Seen::default();
        while after < to {
            let page = replies::range(&options.key, after, to, options.read_count);
            let entries = replies::entries(ask(session, page).await?);
            if entries.is_empty() {
                break;
            }
            let mut population = self.streams.directory.lock();
            for entry in entries {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(Some(place)) => {
                        after = place;
                        continue;
                    }
                    Err(None) => continue,
                };
                after = entry.id;
                if seen.again(&entry.uid, entry.number) {
                    continue;
                }
                let data = Bytes::from(entry.data);
                // Of one namespace, all have the same cluster, and the messages are made once.
                let of = |it: &Restoration| it.cluster.node.namespace.as_bytes() == entry.namespace;
                let Some(cluster) = self.all.iter().find(|it| of(it)).map(|it| &it.cluster) else {
                    continue;
                };
                let Ok(Incoming::Broadcast(broadcast)) = cluster.node.read_entry(entry.kind, &data)
                else {
                    continue;
                };
                let Some(kept) = cluster.kept(entry.id, broadcast.volatile) else { continue };
                let (rooms, except) = (names(&broadcast.rooms), names(&broadcast.except));
                let mut messages = None;
                let Some(returning) = population.returning(cluster.number) else { continue };
                for (restoration, number) in self.all.iter().zip(&self.numbers) {
                    let Some(number) = *number else { continue };
                    if of(restoration) && returning.concerns(number, &rooms, &except, kept.place) {
                        let messages = messages
                            .get_or_insert_with(|| messages_of(&broadcast, &data, Some(entry.id)));
                        returning.add(number, messages, kept.most);
                    }
                }
            }
        }
        Ok(())
    }
}
